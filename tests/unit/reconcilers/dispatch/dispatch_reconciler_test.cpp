#include "reconcilers/dispatch/dispatch_reconciler.h"

#include <deque>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/dispatch/dispatch.h"
#include "reconcilers/dispatch/secret_reader.h"
#include "tests/unit/reconcilers/testbed.h"

namespace convoke::dispatch {
namespace {

using namespace std::chrono_literals;
using api::kAgent;
using api::kTask;
using convoke::testing::metadata;
using convoke::testing::Testbed;
using convoke::testing::World;
using fakes::Fault;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A service that answers from a script, and hangs where the script says so.
class FakeService final : public kube::HttpClient {
 public:
  explicit FakeService(Clock& clock) : clock_(clock), changed_(clock.make_condition()) {}

  void answer(int status, const std::string& body = {}, std::map<std::string, std::string> headers = {}) {
    const MutexLock lock(mutex_);
    answers_.push_back(kube::HttpResponse{status, std::move(headers), body});
    changed_->notify_all();
  }
  void fail(Error error) {
    const MutexLock lock(mutex_);
    answers_.push_back(std::move(error));
    changed_->notify_all();
  }
  // From now on that host answers nothing, not even a DELETE.
  void hang(const std::string& host) {
    const MutexLock lock(mutex_);
    hanging_.insert(host);
  }

  Result<kube::HttpResponse> send(const kube::HttpTarget& target, const kube::HttpRequest& request,
                                  kube::HttpCancel& cancel) override {
    const MutexLock lock(mutex_);
    requests_.push_back(request.method + " " + request.path);
    posted_[target.server.host] += request.method == "POST" ? 1 : 0;
    keys_.push_back(request.headers.at("Idempotency-Key"));
    if (request.method == "DELETE" && !hanging_.contains(target.server.host)) return kube::HttpResponse{204};
    cancel.on_cancel([this] { changed_->notify_all(); });
    const MonotonicTime deadline = clock_.monotonic_now() + request.deadline;
    while (waits(target.server.host) && !cancel.cancelled() && changed_->wait_until(mutex_, deadline)) {
    }
    cancel.on_cancel({});
    if (cancel.cancelled()) return {ErrorCode::Cancelled, "cancelled"};
    if (waits(target.server.host)) return {ErrorCode::Timeout, "no answer"};
    auto answer = std::move(answers_.front());
    answers_.pop_front();
    return answer;
  }

  std::vector<std::string> requests() const {
    const MutexLock lock(mutex_);
    return requests_;
  }
  std::set<std::string> keys() const {
    const MutexLock lock(mutex_);
    return {keys_.begin(), keys_.end()};
  }
  int posted(const std::string& host) const {
    const MutexLock lock(mutex_);
    const auto found = posted_.find(host);
    return found == posted_.end() ? 0 : found->second;
  }

 private:
  bool waits(const std::string& host) const REQUIRES(mutex_) {
    return answers_.empty() || hanging_.contains(host);
  }

  Clock& clock_;
  mutable Mutex mutex_;
  std::unique_ptr<Condition> changed_;
  std::deque<Result<kube::HttpResponse>> answers_ GUARDED_BY(mutex_);
  std::vector<std::string> requests_ GUARDED_BY(mutex_);
  std::vector<std::string> keys_ GUARDED_BY(mutex_);
  std::map<std::string, int> posted_ GUARDED_BY(mutex_);  // by host
  std::set<std::string> hanging_ GUARDED_BY(mutex_);
};

class NoListener final : public AgentListener {
 public:
  void agent_alive(const kube::ObjectKey&) override {}
  void agent_in_trouble(const kube::ObjectKey&, const std::string&, const std::string&) override {}
};

struct StartOptions {
  bool tasks_first = false;  // they are listed before the agents are
  bool leads = true;
  runtime::Store<api::Task>::Handler sees_tasks_first = {};
};

struct DispatchOperator : Testbed {
  DispatchOperator(World& the_world, FakeService& service, bool jobs = false, StartOptions options = {})
      : Testbed(the_world),
        dispatch({client, caches, world.clock, *random, registry, listener, &service, jobs, 8}, Logger()) {
    add_controller("dispatch", dispatch.tasks(), 8,
                   [this](const kube::ObjectKey& key) { return caches.tasks.get(key) != nullptr; });
    if (options.sees_tasks_first) caches.tasks.add_handler(options.sees_tasks_first);
    dispatch.tasks().watch(controller->queue());
    list(options.tasks_first);
    if (jobs) add_reflector(kJob, dispatch.jobs(), api::label::kAgent);
    if (jobs) start_last_reflector();
    if (options.leads) lead();
  }
  ~DispatchOperator() {
    dispatch.stop(true);
    stop();
  }

  void lead() {
    controller->start();
    world.clock.settle();
  }

  NoListener listener;
  Dispatch dispatch;

 private:
  void list(bool tasks_first) {
    if (tasks_first) {
      add_reflector(kTask, caches.tasks);
      start_last_reflector();
    }
    add_reflector(kAgent, caches.agents);
    start_last_reflector();
    if (!tasks_first) {
      add_reflector(kTask, caches.tasks);
      start_last_reflector();
    }
  }
  void start_last_reflector() {
    reflectors.back()->start();
    world.clock.settle();
  }
};

class DispatchReconcilerTest : public ::testing::Test {
 protected:
  DispatchReconcilerTest() { put_agent("a", "http://svc/tasks"); }
  void put_agent(const std::string& name, const std::string& url) {
    world.server.put(
        kAgent,
        {{"metadata", metadata(name)},
         {"spec", {{"dispatch", {{"mode", "HTTP"}, {"http", {{"url", url}, {"pollInterval", "5s"}}}}}}}});
  }
  void set_mode(const std::string& mode) {
    world.server.edit(kAgent, {"default", "a"}, [&](Json& agent) {
      // The schema allows only the block of the mode.
      Json dispatch = {{"mode", mode}};
      if (mode == "HTTP") dispatch["http"] = {{"url", "http://svc/tasks"}, {"pollInterval", "5s"}};
      if (mode == "Job") {
        dispatch["job"]["template"] = {{"spec", {{"containers", {{{"name", "main"}}}}}}};
      }
      agent["spec"]["dispatch"] = dispatch;
    });
  }
  void assign(const std::string& name, Json spec = Json::object()) {
    spec["type"] = "x";
    world.server.put(kTask, {{"metadata", metadata(name)},
                             {"spec", spec},
                             {"status",
                              {{"phase", "Assigned"},
                               {"agentName", "a"},
                               {"assignedAt", "2026-01-01T00:00:00Z"},
                               {"assignment", {{"id", name + "-1"}}}}}});
  }
  void end(const std::string& name, const std::string& outcome) {
    world.server.edit(kTask, {"default", name}, [&](Json& task) {
      task["status"]["phase"] = "Cancelled";
      task["status"]["attempts"] = {{{"attempt", 1}, {"assignmentID", name + "-1"}, {"outcome", outcome}}};
    });
  }
  // As the end of one assignment and the beginning of the next one, in one step.
  void give_to(const std::string& agent, const std::string& name) {
    world.server.edit(kTask, {"default", name}, [&](Json& task) {
      Json& status = task["status"];
      status["attempts"] = {{{"attempt", 1}, {"assignmentID", name + "-1"}, {"outcome", "Delegated"}}};
      status["agentName"] = agent;
      status["assignment"]["id"] = name + "-2";
      status.erase("report");
    });
  }
  // Ends the attempt as it was reported.
  void take_over_the_report(const std::string& name) { end(name, report(name).value("state", "")); }
  bool is_announced(const std::string& name) const {
    return status(name).contains("dispatch") || report(name).contains("state");
  }
  Json status(const std::string& name) const {
    return (*world.server.object(kTask, {"default", name}))["status"];
  }
  Json report(const std::string& name) const { return status(name).value("report", Json::object()); }

  World world;
  FakeService service{world.clock};
};

TEST_F(DispatchReconcilerTest, TheAnswerBecomesTheReport) {
  DispatchOperator op(world, service);
  service.answer(200, R"({"outputs": {"a": 1}})");
  assign("t");
  world.clock.settle();
  EXPECT_EQ(report("t")["state"], "Succeeded");
  EXPECT_EQ(report("t")["outputs"]["a"], 1);
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks"));
  EXPECT_THAT(service.keys(), ElementsAre("t-1"));
  EXPECT_THAT(op.metrics(), HasSubstr("convoke_dispatch_requests_total{mode=\"HTTP\",result=\"2xx\"} 1"));
}

TEST_F(DispatchReconcilerTest, ItIsWrittenBeforeItIsSent) {
  DispatchOperator op(world, service);
  assign("t");
  world.clock.settle();
  EXPECT_EQ(report("t")["state"], "Running");
  EXPECT_EQ(status("t")["dispatch"]["assignmentID"], "t-1");
  service.answer(200);
  world.clock.advance(31s);
}

TEST_F(DispatchReconcilerTest, NothingIsSentThatCouldNotBeWrittenFirst) {
  DispatchOperator op(world, service);
  world.server.fail_next({.method = "PATCH"}, Fault::drop_answer());
  world.server.fail_next({.method = "PATCH"}, Fault::conflict());
  service.answer(200);
  assign("t", {{"delivery", "AtMostOnce"}});
  world.clock.advance(1min);
  EXPECT_EQ(report("t")["state"], "Succeeded");
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks"));
}

TEST_F(DispatchReconcilerTest, PassingFailuresAreTriedAgainUnderTheSameKey) {
  DispatchOperator op(world, service);
  service.answer(503);
  service.fail({ErrorCode::Unavailable, "connection refused", kube::kNotConnected});
  service.answer(429, "", {{"retry-after", "100"}});
  service.answer(200);
  assign("t");
  world.clock.advance(1min);
  EXPECT_EQ(service.requests().size(), 3U);
  EXPECT_THAT(report("t").value("message", ""), HasSubstr("429"));
  world.clock.advance(100s);
  EXPECT_EQ(report("t")["state"], "Succeeded");
  EXPECT_EQ(service.keys().size(), 1U);
}

TEST_F(DispatchReconcilerTest, AtMostOnceIsNotSentAgainUnlessItNeverLeft) {
  DispatchOperator op(world, service);
  service.fail({ErrorCode::Unavailable, "connection refused", kube::kNotConnected});
  service.fail({ErrorCode::Unavailable, "the connection broke"});
  assign("t", {{"delivery", "AtMostOnce"}});
  world.clock.advance(1min);
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks", "POST /tasks", "DELETE /tasks/t-1"));
  EXPECT_EQ(report("t")["state"], "Failed");
  EXPECT_EQ(report("t")["error"]["code"], "OutcomeUnknown");
  EXPECT_EQ(report("t")["error"]["retryable"], false);
}

TEST_F(DispatchReconcilerTest, AfterACrashAtLeastOnceIsSentAgainAndAtMostOnceIsNot) {
  {
    DispatchOperator op(world, service);
    assign("again");
    assign("once", {{"delivery", "AtMostOnce"}});
    world.clock.settle();
    EXPECT_EQ(service.requests().size(), 2U);
  }
  service.answer(200);
  DispatchOperator next(world, service);
  world.clock.settle();
  EXPECT_EQ(service.posted("svc"), 3);
  EXPECT_EQ(report("again")["state"], "Succeeded");
  EXPECT_EQ(report("once")["error"]["code"], "OutcomeUnknown");
  EXPECT_EQ(service.requests().back(), "DELETE /tasks/once-1");
  EXPECT_EQ(service.requests().size(), 4U);
}

TEST_F(DispatchReconcilerTest, AServiceThatHangsDoesNotPutOffTheEndOfWhatIsUnknown) {
  DispatchOperator op(world, service);
  service.hang("svc");
  assign("t", {{"delivery", "AtMostOnce"}});
  world.clock.advance(30s);
  EXPECT_EQ(report("t")["error"]["code"], "OutcomeUnknown");
  world.clock.advance(2min);
  EXPECT_EQ(service.posted("svc"), 1);
  EXPECT_EQ(service.requests().size(), 6U) << "it was told five times";
}

// News that are late must not end a request, and what was ended is not sent again.
TEST_F(DispatchReconcilerTest, LateNewsOfATaskDoNotBreakItsRequestOff) {
  Mutex mutex;
  const auto changed = world.clock.make_condition();
  bool released = false;
  const auto late = [&](const runtime::Store<api::Task>::Change& change) {
    if (change.after == nullptr || change.after->status.phase != api::TaskPhase::Queued) return;
    const MutexLock lock(mutex);
    while (!released) changed->wait(mutex);
  };
  DispatchOperator op(world, service, false, {.sees_tasks_first = late});
  world.server.put(kTask, {{"metadata", metadata("t")},
                           {"spec", {{"type", "x"}, {"delivery", "AtMostOnce"}}},
                           {"status", {{"phase", "Queued"}}}});
  world.clock.settle();
  world.server.edit(kTask, {"default", "t"}, [](Json& task) {
    task["status"] = {{"phase", "Assigned"},
                      {"agentName", "a"},
                      {"assignedAt", "2026-01-01T00:00:00Z"},
                      {"assignment", {{"id", "t-1"}}}};
  });
  op.caches.tasks.overlay(
      std::make_shared<const api::Task>(api::Task::from_json(*world.server.object(kTask, {"default", "t"}))));
  world.clock.settle();
  EXPECT_EQ(service.posted("svc"), 1);
  {
    const MutexLock lock(mutex);
    released = true;
    changed->notify_all();
  }
  world.clock.settle();
  service.answer(200);
  world.clock.advance(1min);
  EXPECT_EQ(report("t")["state"], "Succeeded");
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks"));
}

TEST_F(DispatchReconcilerTest, WhatWasBrokenOffIsNeitherWithdrawnNorSentAgain) {
  DispatchOperator op(world, service);
  assign("t", {{"delivery", "AtMostOnce"}});
  world.clock.settle();
  op.dispatch.stop(true);
  world.server.edit(kTask, {"default", "t"}, [](Json& task) { task["metadata"]["labels"]["x"] = "y"; });
  world.clock.advance(1min);
  EXPECT_EQ(status("t")["dispatch"]["assignmentID"], "t-1");
  EXPECT_EQ(report("t")["error"]["code"], "OutcomeUnknown");
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks"));
}

TEST_F(DispatchReconcilerTest, AcceptedWorkIsPolledAlsoByTheNextOperator) {
  {
    DispatchOperator op(world, service);
    service.answer(202, "", {{"location", "/s/1"}});
    assign("t", {{"delivery", "AtMostOnce"}});
    world.clock.settle();
    EXPECT_EQ(status("t")["dispatch"]["location"], "http://svc:80/s/1");
    service.answer(200, R"({"state": "Running", "progress": 40})");
    world.clock.advance(6s);
    EXPECT_EQ(report("t")["progress"], 40);
  }
  service.answer(200, R"({"state": "Succeeded"})");
  DispatchOperator next(world, service);
  world.clock.advance(6s);
  EXPECT_EQ(report("t")["state"], "Succeeded");
}

TEST_F(DispatchReconcilerTest, AResultIsNotLostWhenTheApiIsAway) {
  DispatchOperator op(world, service);
  assign("t", {{"delivery", "AtMostOnce"}});
  world.clock.settle();
  world.server.partition(convoke::testing::kOperator, true);
  service.answer(200, R"({"outputs": {"kept": true}})");
  world.clock.advance(20s);
  world.server.partition(convoke::testing::kOperator, false);
  world.clock.advance(2min);
  EXPECT_EQ(report("t")["state"], "Succeeded");
  EXPECT_EQ(report("t")["outputs"]["kept"], true);
  EXPECT_EQ(service.requests().size(), 1U);
}

TEST_F(DispatchReconcilerTest, AcceptedWorkIsNotSentAgainWhenThatCouldNotBeWritten) {
  for (const Fault& fault : {Fault::drop_request(), Fault::drop_answer(), Fault::conflict()}) {
    FakeService calm(world.clock);
    DispatchOperator op(world, calm);
    assign("t", {{"delivery", "AtMostOnce"}});
    world.clock.settle();
    world.server.fail_next({.method = "PATCH"}, fault);
    calm.answer(202, "", {{"location", "/s/1"}});
    world.clock.advance(4s);
    EXPECT_EQ(status("t")["dispatch"]["location"], "http://svc:80/s/1");
    EXPECT_THAT(calm.requests(), ElementsAre("POST /tasks"));
    calm.answer(200, R"({"state": "Succeeded"})");
    world.clock.advance(10s);
    EXPECT_EQ(report("t")["state"], "Succeeded");
    world.server.remove(kTask, {"default", "t"});
    world.clock.settle();
  }
}

TEST_F(DispatchReconcilerTest, ACancelledTaskEndsItsRequestAndIsDeletedAtTheService) {
  DispatchOperator op(world, service);
  assign("t");
  world.clock.settle();
  end("t", "Cancelled");
  world.clock.settle();
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks", "DELETE /tasks/t-1"));
  EXPECT_FALSE(status("t").contains("dispatch"));
}

TEST_F(DispatchReconcilerTest, ADeletedTaskIsDeletedAtTheService) {
  DispatchOperator op(world, service);
  assign("t");
  world.clock.settle();
  world.server.remove(kTask, {"default", "t"});
  world.clock.settle();
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks", "DELETE /tasks/t-1"));
}

TEST_F(DispatchReconcilerTest, AStandbyGathersNoStops) {
  const auto name = [](int i) { return "t" + std::to_string(i); };
  constexpr int kTasks = 30;  // few enough that the queue keeps all keys
  for (int i = 0; i < kTasks; ++i) {
    assign(name(i));
    world.server.edit(kTask, {"default", name(i)}, [&](Json& task) {
      task["status"]["dispatch"] = {{"assignmentID", name(i) + "-1"}, {"agentName", "a"}};
      task["status"]["report"] = {{"assignmentID", name(i) + "-1"}, {"state", "Running"}};
    });
  }
  DispatchOperator op(world, service, false, {.leads = false});
  for (int i = 0; i < kTasks; ++i) world.server.remove(kTask, {"default", name(i)});
  world.clock.settle();
  op.lead();
  world.clock.advance(1min);
  EXPECT_THAT(service.requests(), IsEmpty());
}

TEST_F(DispatchReconcilerTest, AnAgentThatHangsHasAQuarterOfTheWorkersAtMost) {
  DispatchOperator op(world, service);
  for (const char* name : {"t1", "t2", "t3", "t4"}) assign(name);
  world.clock.settle();
  EXPECT_EQ(service.requests().size(), 2U);  // of 8 workers
  for (int i = 0; i < 4; ++i) service.answer(200);
  world.clock.advance(2min);
  for (const char* name : {"t1", "t2", "t3", "t4"}) EXPECT_EQ(report(name)["state"], "Succeeded") << name;
}

TEST_F(DispatchReconcilerTest, ARedirectIsNotFollowedAndEndsTheAttempt) {
  DispatchOperator op(world, service);
  service.answer(307, "", {{"location", "http://169.254.169.254/latest"}});
  assign("t");
  world.clock.advance(1min);
  EXPECT_EQ(report("t")["error"]["code"], "HTTP307");
  EXPECT_EQ(report("t")["error"]["retryable"], false);
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks"));
}

TEST_F(DispatchReconcilerTest, WhatOnlyTheApiServerCanRefuseEndsTheAttempt) {
  fakes::TypeOptions refusing;
  refusing.review = [](const fakes::WriteReview& write) -> Status {
    if (!write.after.contains("/status/report/outputs"_json_pointer)) return {};
    return {ErrorCode::Invalid, "status.report.outputs: whatever it is"};
  };
  world.server.register_type(kTask, refusing);
  DispatchOperator op(world, service);
  service.answer(200, R"({"outputs": {"a": 1}})");
  assign("t");
  world.clock.advance(1min);
  EXPECT_EQ(report("t")["state"], "Failed");
  EXPECT_EQ(report("t")["error"]["code"], "InvalidAnswer");
}

TEST_F(DispatchReconcilerTest, ASecretWithoutItsKeyIsWaitedFor) {
  world.server.register_type(kSecret, {.has_status = false});
  const auto put_secret = [this](const Json& data) {
    Json meta = metadata("token");
    meta["annotations"] = {{kOriginAnnotation, "http://svc"}};
    world.server.put(kSecret, {{"metadata", meta}, {"data", data}});
  };
  world.server.edit(kAgent, {"default", "a"}, [](Json& agent) {
    agent["spec"]["dispatch"]["http"]["tokenSecret"] = {{"name", "token"}, {"key", "value"}};
  });
  DispatchOperator op(world, service);
  service.answer(200);
  assign("t", {{"delivery", "AtMostOnce"}});
  world.clock.advance(10s);
  EXPECT_THAT(report("t")["message"], HasSubstr("there is no Secret token"));
  put_secret({{"other", "eA=="}});
  world.clock.advance(40s);
  EXPECT_THAT(report("t")["message"], HasSubstr("has no key value"));
  put_secret({{"value", "not base64!"}});
  world.clock.advance(40s);
  EXPECT_THAT(service.requests(), IsEmpty()) << "nothing is sent without the token";
  put_secret({{"value", "eA=="}});
  world.clock.advance(80s);
  EXPECT_EQ(report("t")["state"], "Succeeded");
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks"));
}

TEST_F(DispatchReconcilerTest, AForeignLocationIsNeverAsked) {
  DispatchOperator op(world, service);
  service.answer(202, "", {{"location", "http://169.254.169.254/latest"}});
  assign("t");
  world.clock.advance(1min);
  EXPECT_EQ(report("t")["error"]["code"], "InvalidLocation");
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks", "DELETE /tasks/t-1"));
}

TEST_F(DispatchReconcilerTest, WhatHadNoSlotIsSentByTheNextOperatorThoughAtMostOnce) {
  const auto names = {"t1", "t2", "t3", "t4"};
  {
    DispatchOperator op(world, service);
    for (const char* name : names) assign(name, {{"delivery", "AtMostOnce"}});
    world.clock.advance(1s);
    EXPECT_EQ(service.requests().size(), 2U);
    EXPECT_EQ(std::count_if(names.begin(), names.end(), [&](auto name) { return is_announced(name); }), 2);
  }
  for (int i = 0; i < 4; ++i) service.answer(200);
  DispatchOperator next(world, service);
  world.clock.advance(2min);
  std::multiset<std::string> ends;
  for (const char* name : names) {
    const Json told = report(name);
    ends.insert(told["state"] == "Failed" ? told["error"]["code"].get<std::string>()
                                          : told["state"].get<std::string>());
  }
  EXPECT_THAT(ends, ElementsAre("OutcomeUnknown", "OutcomeUnknown", "Succeeded", "Succeeded"));
  EXPECT_EQ(service.posted("svc"), 4);
  EXPECT_EQ(service.keys().size(), 4U) << "each was sent once";
}

TEST_F(DispatchReconcilerTest, WhatWasRefusedIsSentByTheNextOperatorThoughAtMostOnce) {
  {
    DispatchOperator op(world, service);
    service.fail({ErrorCode::Unavailable, "connection refused", kube::kNotConnected});
    assign("t", {{"delivery", "AtMostOnce"}});
    world.clock.settle();
    EXPECT_FALSE(is_announced("t"));
    EXPECT_FALSE(report("t").contains("startedAt"));
    EXPECT_THAT(report("t").value("message", ""), HasSubstr("connection refused"));
  }
  service.answer(200);
  DispatchOperator next(world, service);
  world.clock.advance(1min);
  EXPECT_EQ(report("t")["state"], "Succeeded");
  EXPECT_FALSE(report("t").contains("message"));
  EXPECT_EQ(service.requests().size(), 2U) << "the refused one, and one that came";
}

TEST_F(DispatchReconcilerTest, WhatCannotBeWithdrawnYetIsNotSentMeanwhile) {
  for (const Fault& fault : {Fault::drop_request(), Fault::drop_answer(), Fault::conflict()}) {
    FakeService refusing(world.clock);
    DispatchOperator op(world, refusing);
    assign("t", {{"delivery", "AtMostOnce"}});
    world.clock.settle();
    world.server.fail_next({.method = "PATCH"}, fault);
    refusing.fail({ErrorCode::Unavailable, "connection refused", kube::kNotConnected});
    world.clock.settle();
    refusing.answer(200);
    world.clock.advance(1min);
    EXPECT_EQ(report("t")["state"], "Succeeded");
    EXPECT_EQ(refusing.requests().size(), 2U);
    world.server.remove(kTask, {"default", "t"});
    world.clock.settle();
  }
}

TEST_F(DispatchReconcilerTest, AServiceThatReportsByItselfIsNotWithdrawn) {
  DispatchOperator op(world, service);
  assign("t", {{"delivery", "AtMostOnce"}});
  world.clock.settle();
  world.server.edit(kTask, {"default", "t"}, [](Json& task) {
    task["status"]["report"] = {
        {"assignmentID", "t-1"}, {"state", "Running"}, {"startedAt", "2026-01-01T00:00:09Z"}};
  });
  service.answer(503, "", {{"retry-after", "1"}});
  world.clock.advance(1min);
  EXPECT_EQ(status("t")["dispatch"]["assignmentID"], "t-1");
  EXPECT_EQ(report("t")["startedAt"], "2026-01-01T00:00:09Z");
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks"));
}

TEST_F(DispatchReconcilerTest, AnOperatorThatStopsBeginsNothing) {
  for (const char* delivery : {"AtMostOnce", "AtLeastOnce"}) {
    DispatchOperator op(world, service);
    op.dispatch.stop();
    assign("t", {{"delivery", delivery}});
    world.clock.settle();
    EXPECT_FALSE(is_announced("t"));
    world.server.remove(kTask, {"default", "t"});
    world.clock.settle();
  }
  EXPECT_THAT(service.requests(), IsEmpty());
}

TEST_F(DispatchReconcilerTest, AtMostOnceIsNotBegunOnWhatSomebodyElseHasChanged) {
  DispatchOperator op(world, service);
  const auto hold = world.server.hold_next({.method = "PATCH"});
  assign("t", {{"delivery", "AtMostOnce"}});
  world.clock.settle();
  world.server.edit(kTask, {"default", "t"}, [](Json& task) {
    task["status"]["dispatch"] = {{"assignmentID", "t-1"}, {"agentName", "a"}};
  });
  hold->release();
  service.answer(200);
  world.clock.advance(100ms);
  EXPECT_EQ(service.posted("svc"), 0);
}

TEST_F(DispatchReconcilerTest, AnAgentThatCameForItItselfReportsItself) {
  set_mode("Pull");
  DispatchOperator op(world, service, true);
  assign("t", {{"delivery", "AtMostOnce"}});
  world.server.edit(kTask, {"default", "t"}, [](Json& task) {
    task["status"]["report"] = {
        {"assignmentID", "t-1"}, {"state", "Running"}, {"startedAt", "2026-01-01T00:00:09Z"}};
  });
  for (const char* mode : {"HTTP", "Job"}) {
    set_mode(mode);
    world.clock.advance(1min);
    EXPECT_EQ(report("t")["state"], "Running") << mode;
    EXPECT_FALSE(status("t").contains("dispatch")) << mode;
  }
  EXPECT_THAT(service.requests(), IsEmpty());
}

TEST_F(DispatchReconcilerTest, AJobIsGoneBeforeAChangeOfTheModeIsReported) {
  world.server.register_type(kPod, {});
  set_mode("Job");
  DispatchOperator op(world, service, true);
  assign("t");
  world.clock.settle();
  EXPECT_EQ(world.server.objects(kJob).size(), 1U);
  world.server.fail_next({.method = "DELETE"}, Fault::drop_request());
  set_mode("HTTP");
  world.clock.advance(100ms);
  EXPECT_FALSE(report("t").contains("error"));
  world.clock.advance(10s);
  EXPECT_TRUE(world.server.objects(kJob).empty());
  EXPECT_EQ(report("t")["error"]["code"], "DispatchModeChanged");
}

TEST_F(DispatchReconcilerTest, WhatWasBroughtIsNotLeftAloneWhenItsAgentPulls) {
  world.server.register_type(kPod, {});
  set_mode("Job");
  assign("t");
  {
    DispatchOperator op(world, service, true);
    EXPECT_EQ(world.server.objects(kJob).size(), 1U);
  }
  set_mode("Pull");
  DispatchOperator next(world, service, true);
  EXPECT_TRUE(world.server.objects(kJob).empty());
  EXPECT_EQ(report("t")["error"]["code"], "DispatchModeChanged");
}

TEST_F(DispatchReconcilerTest, WhatWasBroughtIsNotLeftAloneThoughItsAgentIsKnownLater) {
  world.server.register_type(kPod, {});
  set_mode("Job");
  assign("t");
  {
    DispatchOperator op(world, service, true);
    EXPECT_EQ(world.server.objects(kJob).size(), 1U);
  }
  set_mode("Pull");
  DispatchOperator next(world, service, true, {.tasks_first = true});
  EXPECT_TRUE(world.server.objects(kJob).empty());
  EXPECT_EQ(report("t")["error"]["code"], "DispatchModeChanged");
}

TEST_F(DispatchReconcilerTest, AJobThatWasTakenAwayIsGoneBeforeTheNextBegins) {
  world.server.register_type(kPod, {});
  put_agent("b", "http://b/tasks");
  set_mode("Job");
  DispatchOperator op(world, service, true);
  assign("t");
  world.clock.settle();
  world.server.fail_next({.method = "DELETE"}, Fault::drop_request());
  give_to("b", "t");
  world.clock.advance(100ms);
  EXPECT_THAT(service.requests(), IsEmpty());
  world.clock.advance(10s);
  EXPECT_TRUE(world.server.objects(kJob).empty());
  EXPECT_EQ(service.posted("b"), 1);
}

TEST_F(DispatchReconcilerTest, AServiceIsToldThatTheModeWasChanged) {
  DispatchOperator op(world, service, true);
  service.answer(202, "", {{"location", "/s/1"}});
  assign("t");
  world.clock.settle();
  set_mode("Job");
  world.clock.settle();
  EXPECT_EQ(report("t")["error"]["code"], "DispatchModeChanged");
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks", "DELETE /s/1"));
}

TEST_F(DispatchReconcilerTest, AServiceThatReportsByItselfIsToldThatTheModeWasChanged) {
  DispatchOperator op(world, service, true);
  service.answer(202);
  assign("t");
  world.clock.settle();
  set_mode("Job");
  world.clock.settle();
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks", "DELETE /tasks/t-1"));
}

TEST_F(DispatchReconcilerTest, AServiceIsToldToStopThoughItsAgentHasAnotherAddress) {
  DispatchOperator op(world, service);
  service.answer(202, "", {{"location", "/s/1"}});
  assign("t");
  world.clock.settle();
  put_agent("a", "http://other/tasks");
  world.clock.settle();
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks")) << "nobody wants it stopped yet";
  end("t", "Cancelled");
  world.clock.settle();
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks", "DELETE /s/1"));
}

TEST_F(DispatchReconcilerTest, AServiceIsToldToStopThoughItsAgentIsGone) {
  DispatchOperator op(world, service);
  service.answer(202, "", {{"location", "/s/1"}});
  assign("t");
  world.clock.settle();
  world.server.remove(kAgent, {"default", "a"});
  world.clock.settle();
  end("t", "AgentLost");
  world.clock.settle();
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks", "DELETE /s/1"));
}

TEST_F(DispatchReconcilerTest, AStopThatWaitsIsNotLostWithItsAgent) {
  DispatchOperator op(world, service);
  service.hang("svc");
  assign("t");
  world.clock.settle();
  end("t", "Cancelled");
  world.clock.settle();
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks", "DELETE /tasks/t-1"));
  world.server.remove(kAgent, {"default", "a"});
  world.clock.advance(2min);
  EXPECT_EQ(service.requests().size(), 6U) << "it was told five times";
}

TEST_F(DispatchReconcilerTest, APollThatMayNotAskIsTriedAgain) {
  DispatchOperator op(world, service);
  service.answer(202, "", {{"location", "/s/1"}});
  for (const int status : {401, 401, 403, 302}) service.answer(status);
  service.answer(200);
  assign("t");
  world.clock.advance(2min);
  EXPECT_EQ(report("t")["state"], "Succeeded");
  EXPECT_EQ(service.posted("svc"), 1);
  EXPECT_EQ(service.requests().size(), 6U);
}

TEST_F(DispatchReconcilerTest, WhatTheOperatorItselfEndsIsStopped) {
  const std::vector<kube::HttpResponse> answers = {{400, {}, ""}, {409, {}, ""}, {200, {}, "{"}};
  for (const kube::HttpResponse& answer : answers) {
    FakeService odd(world.clock);
    DispatchOperator op(world, odd);
    odd.answer(202, "", {{"location", "/s/1"}});
    odd.answer(answer.status, answer.body);
    assign("t");
    world.clock.advance(6s);
    EXPECT_EQ(report("t")["state"], "Failed");
    take_over_the_report("t");
    world.clock.advance(1min);
    EXPECT_THAT(odd.requests(), ElementsAre("POST /tasks", "GET /s/1", "DELETE /s/1"));
    world.server.remove(kTask, {"default", "t"});
    world.clock.settle();
  }
}

TEST_F(DispatchReconcilerTest, WhatTheServiceItselfEndsIsNotStopped) {
  DispatchOperator op(world, service);
  service.answer(202, "", {{"location", "/s/1"}});
  service.answer(200, R"({"error": {"message": "no"}})");
  assign("t");
  world.clock.advance(6s);
  take_over_the_report("t");
  world.clock.advance(1min);
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks", "GET /s/1"));
}

TEST_F(DispatchReconcilerTest, AHealthyAgentDoesNotWaitForTheOneThatHangs) {
  put_agent("b", "http://b/tasks");
  service.hang("svc");
  DispatchOperator op(world, service);
  const auto names = {"t1", "t2", "t3"};
  for (const char* name : names) assign(name);
  world.clock.settle();
  EXPECT_EQ(service.posted("svc"), 2);
  for (int i = 0; i < 3; ++i) service.answer(200);
  for (const char* name : names) give_to("b", name);
  world.clock.advance(1s);
  EXPECT_EQ(service.posted("b"), 3);
  for (const char* name : names) EXPECT_EQ(report(name)["state"], "Succeeded") << name;
  world.clock.advance(2min);
  const auto requests = service.requests();
  for (const char* name : {"t1", "t2"}) {
    EXPECT_EQ(std::count(requests.begin(), requests.end(), "DELETE /tasks/" + std::string(name) + "-1"), 5);
  }
}

TEST_F(DispatchReconcilerTest, NoSlotIsKeptForATaskThatIsInARequestElsewhere) {
  put_agent("b", "http://b/tasks");
  for (const char* host : {"svc", "b"}) service.hang(host);
  DispatchOperator op(world, service);
  for (const char* name : {"t1", "t2", "moved", "waits"}) {
    assign(name);
    world.clock.settle();
  }
  give_to("b", "moved");
  world.clock.settle();
  EXPECT_EQ(service.posted("b"), 1);
  EXPECT_EQ(service.posted("svc"), 2);
  end("t1", "Cancelled");
  world.clock.settle();
  EXPECT_EQ(service.posted("svc"), 3);
  EXPECT_TRUE(is_announced("waits"));
}

TEST_F(DispatchReconcilerTest, ATaskThatWaitsDoesNotKeepItsNextAgentWaitingForAStop) {
  put_agent("b", "http://b/tasks");
  service.hang("svc");
  DispatchOperator op(world, service);
  assign("t");
  world.clock.settle();
  world.server.edit(kTask, {"default", "t"}, [&](Json& task) {
    task["status"]["phase"] = "Queued";
    task["status"].erase("assignment");
    task["status"]["attempts"] = {{{"attempt", 1}, {"assignmentID", "t-1"}, {"outcome", "Timeout"}}};
  });
  world.clock.advance(1s);
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks", "DELETE /tasks/t-1"));
  service.answer(200);
  world.server.edit(kTask, {"default", "t"}, [&](Json& task) { task["status"]["phase"] = "Assigned"; });
  give_to("b", "t");
  world.clock.advance(1s);
  EXPECT_EQ(report("t")["state"], "Succeeded");
  EXPECT_EQ(status("t")["dispatch"]["assignmentID"], "t-2");
}

TEST_F(DispatchReconcilerTest, TheSuccessorOfADeletedTaskDoesNotWaitForAStop) {
  put_agent("b", "http://b/tasks");
  service.hang("svc");
  DispatchOperator op(world, service);
  assign("t");
  world.clock.settle();
  world.server.remove(kTask, {"default", "t"});
  world.clock.advance(1s);
  assign("t");
  give_to("b", "t");
  service.answer(200);
  world.clock.advance(1s);
  EXPECT_EQ(report("t")["state"], "Succeeded");
}

// Says of a Job that it runs while its end becomes known.
class LateCarrier final : public Carrier {
 public:
  explicit LateCarrier(runtime::Store<Job>& jobs) : jobs_(jobs) {}
  api::TaskDispatch announce(const api::Task& task, const api::Agent& agent) override {
    api::TaskDispatch dispatch;
    dispatch.assignment_id = task.status.assignment.id;
    dispatch.agent_name = agent.meta.name;
    dispatch.job_name = "j";
    return dispatch;
  }
  Delivery send(const api::Task& task, const api::Agent& agent, Duration, kube::HttpCancel&) override {
    Delivery delivery;
    delivery.kind = Delivery::Kind::Accepted;
    delivery.dispatch = announce(task, agent);
    delivery.dispatch.accepted_at = "2026-01-01T00:00:00Z";
    delivery.ask_after = 5s;
    return delivery;
  }
  Delivery ask(const api::Task& task, const api::Agent&, Duration, kube::HttpCancel&) override {
    if (jobs_.get({"default", "j"}) != nullptr) {
      Outcome outcome;
      outcome.state = api::ReportState::Succeeded;
      return final_delivery(outcome);
    }
    auto job = std::make_shared<Job>();
    job->meta.namespace_ = "default";
    job->meta.name = "j";
    job->meta.uid = "uid-j";
    job->meta.resource_version = "1";
    job->meta.owner_references.push_back(
        {kTask.api_version(), kTask.kind, task.meta.name, task.meta.uid, true});
    job->finished = "Complete";
    jobs_.apply(job);
    Delivery delivery;
    delivery.kind = Delivery::Kind::Running;
    delivery.ask_after = 60s;
    return delivery;
  }
  bool stop(const api::Task&, const api::Agent&, kube::HttpCancel&) override { return true; }
  bool sends_once() const override { return true; }

 private:
  runtime::Store<Job>& jobs_;
};

TEST_F(DispatchReconcilerTest, TheEndOfAJobIsNotMissedWhileItIsLookedAt) {
  set_mode("Job");
  Testbed bed(world);
  runtime::Store<Job> jobs;
  LateCarrier carrier(jobs);
  DispatchReconciler reconciler({bed.client, bed.caches, jobs, world.clock, *bed.random, nullptr, &carrier},
                                Logger(), 8);
  bed.add_controller("dispatch", reconciler, 8);
  reconciler.watch(bed.controller->queue());
  bed.add_reflector(kAgent, bed.caches.agents);
  bed.add_reflector(kTask, bed.caches.tasks);
  bed.sync();
  bed.controller->start();
  assign("t");
  world.clock.settle();
  EXPECT_EQ(report("t")["state"], "Running");
  world.clock.advance(5s);
  EXPECT_EQ(report("t")["state"], "Succeeded");
  bed.stop();
}

}  // namespace
}  // namespace convoke::dispatch
