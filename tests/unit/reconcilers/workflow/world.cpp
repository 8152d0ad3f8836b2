#include "tests/unit/reconcilers/workflow/world.h"

#include <algorithm>
#include <utility>

#include "controller/base/time_format.h"
#include "tests/fakes/fake_api_types.h"

namespace convoke::workflow {
namespace {

using namespace std::chrono_literals;

Error died() {
  return {ErrorCode::Unavailable, "this process is dead"};
}

template <class Type>
Json manifest(const Type& type, const std::string& name, const Json& spec) {
  return {{"apiVersion", type.api_version()},
          {"kind", type.kind},
          {"metadata", {{"namespace", kNamespace}, {"name", name}}},
          {"spec", spec}};
}

std::string text_at(const Json& object, const char* pointer) {
  return object.value(Json::json_pointer(pointer), std::string());
}

}  // namespace

Result<kube::HttpResponse> MortalTransport::send(const kube::HttpRequest& request) {
  if (dead_) {
    return died();
  }
  if (request.method == "GET" || ++writes_ != plan_.at_write) {
    return inner_->send(request);
  }
  dead_ = true;
  if (plan_.carried_out) {
    (void)inner_->send(request);
  }
  return died();
}

Result<kube::StreamResponse> MortalTransport::open_stream(const kube::HttpRequest& request) {
  return dead_ ? died() : inner_->open_stream(request);
}

void RecordedEvents::record(const kube::ObjectReference& regarding, runtime::EventType type,
                            const std::string& reason, const std::string&, const std::string& note) {
  reasons_.push_back(reason);
  lines.push_back(std::string(type == runtime::EventType::Warning ? "Warning " : "Normal ") + reason +
                  " on " + regarding.name + ": " + note);
}

int RecordedEvents::count(const std::string& reason) const {
  return static_cast<int>(std::count(reasons_.begin(), reasons_.end(), reason));
}

Operator::Operator(fakes::FakeClock& clock, fakes::FakeApiServer& server, RecordedEvents& events,
                   CrashPlan plan)
    : clock_(clock),
      transport_(server.connect("operator"), plan),
      random_(make_seeded_random(1)),
      metrics_(registry_, "fake"),
      client_(transport_, clock, *random_, metrics_),
      run_reconciler_(client_, caches_, events, clock, Logger(), registry_),
      workflow_reconciler_(client_, caches_, events, clock, Logger(), registry_),
      runs_({"workflowrun", 2}, run_reconciler_, clock, Logger(), registry_),
      workflows_({"workflow", 1}, workflow_reconciler_, clock, Logger(), registry_) {
  run_reconciler_.watch(runs_.queue());
  workflow_reconciler_.watch(workflows_.queue());
  reflect(api::kTask, caches_.tasks);
  reflect(api::kControllerRevision, caches_.revisions, api::label::kWorkflow);
  reflect(api::kWorkflow, caches_.workflows);
  reflect(api::kWorkflowRun, caches_.runs);
  for (const auto& reflector : reflectors_) {
    reflector->wait_synced(1min);
  }
  runs_.start();
  workflows_.start();
}

Operator::~Operator() {
  runs_.stop(1s);
  workflows_.stop(1s);
  for (const auto& reflector : reflectors_) {
    reflector->stop();
  }
}

template <class T>
void Operator::reflect(const kube::ResourceType& type, runtime::Store<T>& store, const std::string& labels) {
  reflectors_.push_back(std::make_unique<runtime::Reflector>(client_, clock_, *random_, Logger(),
                                                             runtime::ReflectorSource{type, {}, labels, {}},
                                                             std::make_unique<runtime::StoreSink<T>>(store)));
  reflectors_.back()->start();
}

World::World() : server(clock) {
  fakes::register_convoke_types(server);
}

void World::start_operator(CrashPlan plan) {
  operator_.reset();
  operator_ = std::make_unique<Operator>(clock, server, events, plan);
}

void World::apply_workflow(const std::string& name, const Json& spec) {
  if (server.object(api::kWorkflow, {kNamespace, name})) {
    server.edit(api::kWorkflow, {kNamespace, name}, [&](Json& object) { object["spec"] = spec; });
  } else {
    server.put(api::kWorkflow, manifest(api::kWorkflow, name, spec));
  }
}

void World::create_run(const std::string& name, const Json& spec) {
  server.put(api::kWorkflowRun, manifest(api::kWorkflowRun, name, spec));
}

void World::edit_run(const std::string& name, const std::function<void(Json&)>& change) {
  server.edit(api::kWorkflowRun, {kNamespace, name}, change);
}

void World::edit_task(const std::string& name, const std::function<void(Json&)>& change) {
  server.edit(api::kTask, {kNamespace, name}, change);
}

bool World::work() {
  bool worked = false;
  if (operator_) {
    for (const auto& task : operator_->caches().tasks.list()) {
      worked = work_on(*task) || worked;
    }
  }
  return worked;
}

bool World::work_on(const api::Task& task) {
  const auto& step = task.meta.label(api::label::kStep);
  if (api::is_terminal(task.status.phase)) {
    return false;
  }
  if (!task.spec.cancel && (held_[step] || task.spec.suspend)) {
    return false;
  }
  Json status = {{"phase", "Succeeded"}, {"completedAt", format_time(clock.wall_now())}};
  if (task.spec.cancel) {
    status["phase"] = "Cancelled";
    status["reason"] = "Cancelled";
  } else {
    ++journal_[task.meta.label(api::label::kRun) + "/" + step];
    if (failing_[step]) {
      status["phase"] = "Failed";
      status["reason"] = "Failed";
      status["message"] = "exit status 1";
    } else {
      status["report"] = {{"state", "Succeeded"}, {"outputs", {{"by", step}}}};
    }
  }
  edit_task(task.meta.name, [&](Json& object) { object["status"] = status; });
  return true;
}

void World::live(Duration time) {
  const auto end = clock.monotonic_now() + time;
  while (true) {
    clock.settle();
    if (operator_died()) {
      start_operator();
      continue;
    }
    if (work()) {
      continue;
    }
    if (clock.monotonic_now() >= end) {
      return;
    }
    clock.advance(std::min<Duration>(100ms, end - clock.monotonic_now()));
  }
}

void World::finish(const std::string& run) {
  for (int i = 0; i < 60; ++i) {
    live(1s);
    const auto now = phase(run);
    if (now == "Succeeded" || now == "Failed" || now == "Cancelled") {
      return;
    }
  }
}

Json World::run(const std::string& name) const {
  return server.object(api::kWorkflowRun, {kNamespace, name}).value_or(Json::object());
}

Json World::workflow(const std::string& name) const {
  return server.object(api::kWorkflow, {kNamespace, name}).value_or(Json::object());
}

std::string World::phase(const std::string& name) const {
  return text_at(run(name), "/status/phase");
}

std::string World::step_phases(const std::string& name) const {
  std::string text;
  for (const auto& row : run(name).value("status", Json::object()).value("steps", Json::array())) {
    text += (text.empty() ? "" : " ") + text_at(row, "/name") + ":" + text_at(row, "/phase");
  }
  return text;
}

std::vector<std::string> World::names(const kube::ResourceType& type) const {
  std::vector<std::string> result;
  for (const auto& object : server.objects(type)) {
    result.push_back(text_at(object, "/metadata/name"));
  }
  return result;
}

int World::writes_to(const std::string& path_part) const {
  int count = 0;
  for (const auto& write : server.writes()) {
    count += write.client == "operator" && write.path.find(path_part) != std::string::npos ? 1 : 0;
  }
  return count;
}

}  // namespace convoke::workflow
