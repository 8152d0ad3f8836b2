#include "tests/simulation/agent.h"

#include <algorithm>
#include <utility>

#include "controller/base/time_format.h"
#include "controller/kube/lease.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/task.h"

namespace convoke::simulation {

using namespace std::chrono_literals;

namespace {

constexpr Duration kBeatInterval = 10s;

}  // namespace

class Agent::Sink final : public runtime::ReflectorSink {
 public:
  explicit Sink(Agent& agent) : agent_(agent) {}
  void begin_replace() override {}
  void add_to_replace(const Json& object) override { agent_.see(object); }
  void finish_replace(const std::string&) override {}
  void apply(const Json& object) override { agent_.see(object); }
  void remove(const Json& object) override { agent_.forget(object); }

 private:
  Agent& agent_;
};

Agent::Agent(fakes::FakeApiServer& server, Clock& clock, std::string name, const std::string& client,
             std::uint64_t seed, Duration skew)
    : server_(server),
      clock_(clock),
      name_(std::move(name)),
      client_name_(client),
      skew_(skew),
      metrics_(registry_, "fake"),
      transport_(server.connect(client)),
      random_(make_seeded_random(seed)),
      client_(*transport_, clock, *random_, metrics_, {.field_manager = name_, .deadline = 10s}),
      changed_(clock.make_condition()),
      dice_(seed),
      next_beat_(clock.monotonic_now()),
      reflector_(client_, clock, *random_, Logger(),
                 runtime::ReflectorSource{api::kTask, "default", "", "status.agentName=" + name_},
                 std::make_unique<Sink>(*this)) {
  reflector_.start();
  thread_ = clock.start_thread(client, [this] { run(); });
}

Agent::~Agent() {
  crash();
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_->notify_all();
  }
  transport_->shutdown();
  client_.shutdown();
  reflector_.stop();
  thread_->join();
}

void Agent::crash() {
  server_.partition(client_name_, true);
}

void Agent::see(const Json& object) {
  const auto task = api::Task::from_json(object);
  const bool is_mine = task.status.agent_name == name_ && (task.status.phase == api::TaskPhase::Assigned ||
                                                           task.status.phase == api::TaskPhase::Running);
  const MutexLock lock(mutex_);
  const auto known = work_.find(task.meta.uid);
  if (!is_mine) {
    if (known != work_.end()) work_.erase(known);
    return;
  }
  if (known != work_.end() && known->second.assignment == task.status.assignment.id) return;
  // What a former life of ours began is lost.
  const auto& report = task.status.report;
  const bool was_begun =
      report.assignment_id == task.status.assignment.id && report.state == api::ReportState::Running;
  const bool was_ended =
      report.assignment_id == task.status.assignment.id &&
      (report.state == api::ReportState::Succeeded || report.state == api::ReportState::Failed ||
       report.state == api::ReportState::Rejected);
  if (was_ended) return;
  work_[task.meta.uid] = {task.meta.key(), task.status.assignment.id, was_begun ? Step::GiveUp : Step::Start,
                          clock_.monotonic_now()};
  changed_->notify_all();
}

void Agent::forget(const Json& object) {
  const MutexLock lock(mutex_);
  work_.erase(kube::meta_from_json(object).uid);
}

void Agent::run() {
  for (;;) {
    if (clock_.monotonic_now() >= next_beat_) beat();
    if (auto work = next_due(clock_.monotonic_now())) {
      advance(std::move(*work));
      continue;
    }
    const MutexLock lock(mutex_);
    MonotonicTime until = next_beat_;
    for (const auto& [uid, work] : work_) until = std::min(until, work.due);
    while (!stopping_ && clock_.monotonic_now() < until && changed_->wait_until(mutex_, until)) {
      for (const auto& [uid, work] : work_) until = std::min(until, work.due);
    }
    if (stopping_) return;
  }
}

void Agent::beat() {
  const kube::ObjectKey key{"default", api::heartbeat_lease_name(name_)};
  const auto now = format_micro_time(wall_now());
  bool beaten = false;
  if (has_lease_) {
    const Json patch = {{"spec", {{"renewTime", now}, {"holderIdentity", client_name_}}}};
    const auto renewed = client_.patch(kube::kLease, key, patch, {});
    beaten = renewed.has_value();
    has_lease_ = renewed || renewed.error().code != ErrorCode::NotFound;
  } else {
    const Json labels = {{api::label::kAgent, name_}};
    const auto made = client_.create(
        kube::kLease,
        {{"metadata", {{"name", key.name}, {"namespace", key.namespace_}, {"labels", labels}}},
         {"spec", {{"holderIdentity", client_name_}, {"leaseDurationSeconds", 30}, {"renewTime", now}}}});
    beaten = made.has_value();
    has_lease_ = made || made.error().code == ErrorCode::AlreadyExists;
  }
  next_beat_ = clock_.monotonic_now() + (beaten ? kBeatInterval : Duration(1s));
}

std::optional<Agent::Work> Agent::next_due(MonotonicTime now) {
  const MutexLock lock(mutex_);
  for (const auto& [uid, work] : work_) {
    if (work.due <= now) return work;
  }
  return std::nullopt;
}

Json Agent::report_of(const Work& work) {
  Json report = {{"assignmentID", work.assignment}, {"startedAt", format_time(wall_now())}};
  const MutexLock lock(mutex_);
  if (work.step == Step::Start) {
    report["state"] = dice_.chance(4) ? "Rejected" : "Running";
    report["message"] = "by the dice";
  } else if (work.step == Step::Finish && !dice_.chance(15)) {
    report["state"] = "Succeeded";
    report["outputs"] = {{"by", name_}};
  } else {
    report["state"] = "Failed";
    report["error"] = {{"code", "Dice"}, {"message", "by the dice"}, {"retryable", !dice_.chance(10)}};
  }
  return report;
}

void Agent::advance(Work work) {
  const Json report = report_of(work);
  const Json patch =
      Json::array({{{"op", "test"}, {"path", "/status/assignment/id"}, {"value", work.assignment}},
                   {{"op", "add"}, {"path", "/status/report"}, {"value", report}}});
  const auto answer =
      client_.patch(api::kTask, work.task, patch, {.type = kube::PatchType::Json, .subresource = "status"});
  const MutexLock lock(mutex_);
  const auto known = std::find_if(work_.begin(), work_.end(), [&](const auto& entry) {
    return entry.second.assignment == work.assignment;
  });
  if (known == work_.end()) return;
  if (!answer) {
    const auto code = answer.error().code;
    const bool is_refused =
        code == ErrorCode::Invalid || code == ErrorCode::NotFound || code == ErrorCode::Forbidden;
    if (is_refused) {
      work_.erase(known);
    } else {
      known->second.due = clock_.monotonic_now() + 500ms;
    }
    return;
  }
  if (report["state"] == "Running") {
    known->second.step = Step::Finish;
    known->second.due =
        clock_.monotonic_now() + dice_.between(1ms, dice_.chance(10) ? Duration(60s) : Duration(3s));
  } else {
    // Kept until the Task's news come, so that it is not begun again.
    known->second.due = MonotonicTime::max();
  }
}

}  // namespace convoke::simulation
