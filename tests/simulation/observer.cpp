#include "tests/simulation/observer.h"

#include <algorithm>
#include <utility>

#include "controller/base/time_format.h"
#include "controller/kube/lease.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/task.h"
#include "reconcilers/api/workflow.h"
#include "reconcilers/api/workflow_run.h"
#include "tests/simulation/object_text.h"

namespace convoke::simulation {
namespace {

using fakes::WriteReview;
using Pointer = Json::json_pointer;

// One write may be several moves: a Task that is created while an agent is free is never written as Queued.
const std::map<std::string, std::set<std::string>> kTaskMoves = {
    {"Pending", {"Queued", "Assigned", "Failed", "Cancelled"}},
    {"Queued", {"Pending", "Assigned", "Failed", "Cancelled"}},
    {"Assigned", {"Queued", "Running", "Succeeded", "Failed", "Cancelled"}},
    {"Running", {"Queued", "Assigned", "Succeeded", "Failed", "Cancelled"}},
    {"Succeeded", {}},
    {"Failed", {}},
    {"Cancelled", {}},
};

const std::map<std::string, std::set<std::string>> kRunMoves = {
    {"Pending", {"Running", "Suspended", "Succeeded", "Failed", "Cancelled"}},
    // After an undo comes `finally`, in phase Running.
    {"Running", {"Suspended", "Compensating", "Succeeded", "Failed", "Cancelled", "Compensated"}},
    {"Suspended", {"Running", "Pending", "Compensating", "Succeeded", "Failed", "Cancelled", "Compensated"}},
    {"Compensating", {"Running", "Suspended", "Compensated", "Failed"}},
    {"Succeeded", {}},
    {"Failed", {}},
    {"Cancelled", {}},
    {"Compensated", {}},
};

std::string text(const Json& object, const char* path) {
  const auto pointer = Pointer(path);
  return object.contains(pointer) && object[pointer].is_string() ? object[pointer].get<std::string>() : "";
}

int number(const Json& object, const char* path, int otherwise = 0) {
  const auto pointer = Pointer(path);
  return object.contains(pointer) && object[pointer].is_number() ? object[pointer].get<int>() : otherwise;
}

std::string phase_of(const Json& object) {
  const auto phase = text(object, "/status/phase");
  return phase.empty() ? "Pending" : phase;
}

bool is_active(const Json& task) {
  const auto phase = phase_of(task);
  return phase == "Assigned" || phase == "Running";
}

bool is_from(const std::string& client, const char* prefix) {
  return client.rfind(prefix, 0) == 0;
}

// Some Tasks do without an agent: those with subtasks, and those that take the result of another.
bool is_distributed(const Json& task) {
  return task.contains("/spec/subtasks"_json_pointer) && !task["spec"]["subtasks"].empty();
}

bool is_allowed(const std::string& from, const std::string& to, const Json& after) {
  if (from == to || kTaskMoves.at(from).contains(to)) return true;
  if (to == "Pending") return after["spec"].value("suspend", false);
  const bool waited = from == "Pending" || from == "Queued";
  if (waited && to == "Running") return is_distributed(after);
  return waited && to == "Succeeded" && (is_distributed(after) || !text(after, "/status/resultFrom").empty());
}

// What the admission policies refuse of an agent, but for the assignment id: the protocol's own `test` has to
// see to that.
Status admit(const WriteReview& write) {
  const bool is_report = is_from(write.client, kAgentPrefix) && write.subresource == "status";
  if (!is_report || is_active(*write.before)) return {};
  return {ErrorCode::Forbidden, "an agent reports on a Task that is Assigned or Running"};
}

// All that an agent must leave alone.
Json without_report(Json task) {
  task["metadata"].erase("managedFields");
  task["metadata"].erase("resourceVersion");
  if (task.contains("status")) task["status"].erase("report");
  return task;
}

}  // namespace

Observer::Observer(fakes::FakeApiServer& server, Clock& clock, const Admit& fence)
    : server_(server),
      clock_(clock),
      runs_([this](const Json& object, const std::string& rule) { violated(object, rule); }),
      schedules_([this](const Json& object, const std::string& rule) { violated(object, rule); }) {
  const auto watch = [&server, &fence](const kube::ResourceType& type, std::vector<std::string> fields,
                                       auto see) {
    fakes::TypeOptions options;
    options.selectable_fields = std::move(fields);
    options.review = [see, fence](const WriteReview& write) {
      Status allowed = fence(write);
      if (allowed) allowed = admit(write);
      if (allowed) see(write);
      return allowed;
    };
    server.register_type(type, options);
  };
  watch(api::kTask, {"spec.type", "spec.agentName", "status.agentName", "status.phase"},
        [this](const WriteReview& write) { see_task(write); });
  watch(api::kWorkflowRun, {"spec.workflowName", "status.phase"},
        [this](const WriteReview& write) { see_run(write); });
  watch(api::kWorkflow, {"status.phase"}, [this](const WriteReview& write) { see_workflow(write); });
  watch(api::kAgent, {"spec.type", "status.phase"}, [this](const WriteReview& write) {
    judge_schema(write, agent_schema_);
    if (text(write.after, "/spec/dispatch/mode") == "HTTP") {
      service_agents_.insert(text(write.after, "/metadata/name"));
    }
    int& capacity = capacities_[text(write.after, "/metadata/name")];
    capacity = std::max(capacity, number(write.after, "/spec/capacity", 10));
  });
  fakes::TypeOptions leases{.has_status = false, .counts_generation = false};
  leases.review = [this, fence](const WriteReview& write) {
    if (Status allowed = fence(write); !allowed) return allowed;
    if (write.before != nullptr && write.operation == "UPDATE") locks_.see_lease(*write.before, write.after);
    return Status();
  };
  server.register_type(kube::kLease, leases);
}

void Observer::violated(const Json& object, const std::string& rule) {
  violations_.push_back(format_micro_time(clock_.wall_now()) + " " + text(object, "/kind") + " " +
                        text(object, "/metadata/name") + ": " + rule);
}

void Observer::judge_schema(const WriteReview& write, const fakes::CrdSchema& schema) {
  if (!is_from(write.client, kOperatorPrefix) || !write.after.is_object()) return;
  for (const std::string& problem : schema.problems(write.after)) {
    violated(write.after, "the API server would not store it: " + problem);
  }
}

void Observer::see_task(const WriteReview& write) {
  ++task_writes_;
  if (write.operation != "DELETE") judge_schema(write, task_schema_);
  const bool is_by_person = !is_from(write.client, kAgentPrefix) && !is_from(write.client, kOperatorPrefix);
  if (is_by_person) edits_[text(write.after, "/metadata/name")].push_back(clock_.monotonic_now());
  see_child(write);
  if (write.operation == "CREATE") {
    if (text(write.after, "/spec/delivery") == "AtMostOnce") {
      at_most_once_[text(write.after, "/metadata/uid")] = write.after;
    }
    return;
  }
  if (write.operation == "DELETE") {
    count_active(write.before, nullptr);
    (void)locks_.see(write.before, nullptr);
    return;
  }
  const Json& before = *write.before;
  if (is_from(write.client, kAgentPrefix)) {
    judge_agent_write(write);
  } else if (is_from(write.client, kOperatorPrefix)) {
    judge_phase(before, write.after);
    judge_assignment(before, write.after);
    judge_attempts(before, write.after);
    judge_success(write.after);
  }
  count_active(&before, &write.after);
  for (const std::string& rule : locks_.see(&before, &write.after)) violated(write.after, rule);
}

void Observer::judge_agent_write(const WriteReview& write) {
  const Json& before = *write.before;
  if (without_report(before) != without_report(write.after)) {
    violated(before, "an agent changed more than the report");
  }
  if (text(write.after, "/status/report/assignmentID") != text(before, "/status/assignment/id")) {
    violated(before, "a report under assignment " + text(write.after, "/status/report/assignmentID") +
                         " was taken, while " + text(before, "/status/assignment/id") +
                         " is the current one");
  }
  judge_start(write.after);
}

// A report, but for a rejection, says that the work was begun under this assignment.
void Observer::judge_start(const Json& after) {
  const auto state = text(after, "/status/report/state");
  if (text(after, "/spec/delivery") != "AtMostOnce" || state.empty() || state == "Rejected") return;
  auto& starts = starts_[text(after, "/metadata/uid")];
  starts.insert(text(after, "/status/report/assignmentID"));
  if (starts.size() > 1) violated(after, "is AtMostOnce, and was started a second time");
}

// A real service may not look at its Idempotency-Key.
void Observer::service_took(const std::string& task_uid, const std::string& assignment) {
  const auto task = at_most_once_.find(task_uid);
  if (task == at_most_once_.end()) return;
  auto& starts = starts_[task_uid];
  starts.insert(assignment);
  if (starts.size() > 1 || !taken_.insert(task_uid).second) {
    violated(task->second, "is AtMostOnce, and a service got it a second time");
  }
}

void Observer::judge_phase(const Json& before, const Json& after) {
  const auto from = phase_of(before);
  const auto to = phase_of(after);
  if (!is_allowed(from, to, after)) violated(after, "went from " + from + " to " + to);
}

void Observer::judge_assignment(const Json& before, const Json& after) {
  const auto id = text(after, "/status/assignment/id");
  if (phase_of(after) != "Assigned" || id == text(before, "/status/assignment/id")) return;
  if (id.empty()) violated(after, "was assigned without an id");
  if (!assignments_.insert(id).second)
    violated(after, "got the assignment id " + id + ", which was used before");
  const auto agent = text(after, "/status/agentName");
  const auto& tasks = active_[agent];
  const int others = static_cast<int>(tasks.size() - tasks.count(text(after, "/metadata/uid")));
  if (others >= capacities_[agent]) {
    violated(after, "was assigned to " + agent + ", which has " + std::to_string(others) +
                        " Tasks and a capacity of " + std::to_string(capacities_[agent]));
  }
}

void Observer::judge_attempts(const Json& before, const Json& after) {
  const int step = number(after, "/status/attempt") - number(before, "/status/attempt");
  const bool was_rejected = step == -1 && !is_active(after);  // which is no attempt
  if (step > 1 || (step < 0 && !was_rejected))
    violated(after, "counted " + std::to_string(step) + " attempts at once");
  int spent = 0;
  for (const Json& attempt : after.value("/status/attempts"_json_pointer, Json::array())) {
    const auto outcome = attempt.value("outcome", "");
    spent += outcome == "Failed" || outcome == "Timeout" || outcome == "AgentLost" || outcome == "LockLost"
                 ? 1
                 : 0;
  }
  const int allowed = number(after, "/spec/retry/limit", 3) + 1;
  if (spent > allowed)
    violated(after, "was tried " + std::to_string(spent) + " times of " + std::to_string(allowed));
}

void Observer::judge_success(const Json& after) {
  if (phase_of(after) != "Succeeded") return;
  succeeded_.insert({text(after, "/metadata/name"), text(after, "/spec/idempotencyKey")});
  if (!text(after, "/status/resultFrom").empty()) return judge_shared_result(after);
  if (is_distributed(after)) return;
  if (text(after, "/status/report/state") != "Succeeded" ||
      text(after, "/status/report/assignmentID") != text(after, "/status/assignment/id")) {
    violated(after, "succeeded without the report of the agent that has it");
  }
  judge_service_result(after);
}

void Observer::judge_service_result(const Json& task) {
  const auto agent = service_agents_.find(text(task, "/status/agentName"));
  if (agent == service_agents_.end()) return;
  const auto id = text(task, "/status/assignment/id");
  if (text(task, "/status/report/outputs/assignment") != id ||
      text(task, "/status/report/outputs/by") != *agent || !service_results_.contains(id)) {
    violated(task, "succeeded with a result that " + *agent + " never gave for it");
  }
}

// The first one may be deleted by now, and stays known.
void Observer::judge_shared_result(const Json& task) {
  const auto name = text(task, "/status/resultFrom");
  const auto key = text(task, "/spec/idempotencyKey");
  if (key.empty() || !succeeded_.contains({name, key})) {
    violated(task, "has the result of " + name + ", which did not succeed with the key " + key);
  }
}

void Observer::count_active(const Json* before, const Json* after) {
  if (before != nullptr && is_active(*before)) {
    active_[text(*before, "/status/agentName")].erase(text(*before, "/metadata/uid"));
  }
  if (after != nullptr && is_active(*after)) {
    active_[text(*after, "/status/agentName")].insert(text(*after, "/metadata/uid"));
  }
}

void Observer::see_child(const WriteReview& write) {
  if (write.operation == "CREATE") {
    runs_.see_created(write.after);
  } else if (write.operation == "DELETE") {
    runs_.see_deleted(*write.before);
  } else {
    runs_.see_changed(write.after);
  }
}

void Observer::see_workflow(const WriteReview& write) {
  if (write.operation == "DELETE") return;
  judge_schema(write, workflow_schema_);
  schedules_.see_workflow(write.before, write.after, is_from(write.client, kOperatorPrefix),
                          clock_.wall_now());
}

void Observer::see_run(const WriteReview& write) {
  const bool by_operator = is_from(write.client, kOperatorPrefix);
  if (write.operation == "CREATE") {
    schedules_.see_run_created(write.after, clock_.wall_now());
  } else if (write.operation == "DELETE") {
    schedules_.see_run_deleted(*write.before, by_operator);
  } else {
    schedules_.see_run_changed(*write.before, write.after, by_operator, clock_.wall_now());
  }
  see_child(write);
  if (write.operation != "DELETE") judge_schema(write, run_schema_);
  if (write.operation != "UPDATE" || !is_from(write.client, kOperatorPrefix)) return;
  const auto from = phase_of(*write.before);
  const auto to = phase_of(write.after);
  const bool retried = has_ended(from) && from != "Succeeded" && to == "Running" &&
                       number(write.after, "/status/round") > number(*write.before, "/status/round");
  if (from != to && !kRunMoves.at(from).contains(to) && !retried)
    violated(write.after, "went from " + from + " to " + to);
}

void Observer::judge_the_end() {
  for (const Json& task : server_.objects(api::kTask)) {
    if (!has_ended(phase_of(task))) {
      violated(task, "has not ended: " + phase_of(task) + ", " + text(task, "/status/reason") + ", " +
                         text(task, "/status/message"));
    }
  }
  for (const Json& run : server_.objects(api::kWorkflowRun)) judge_ended_run(run);
  judge_left_locks();
  judge_agents();
  judge_conflicts();
}

void Observer::judge_calm(WallTime from, WallTime to) {
  for (const Json& workflow : server_.objects(api::kWorkflow)) schedules_.judge_calm(workflow, from, to);
}

// Every agent lives when all is over.
void Observer::judge_agents() {
  for (const Json& agent : server_.objects(api::kAgent)) {
    const auto phase = phase_of(agent);
    if (phase != "Ready" && phase != "Degraded") violated(agent, "beats, and is " + phase);
  }
}

// Whoever reads its own writes never meets a conflict with itself. Writes of the spec and of the status are
// different reconcilers' and may meet, and so are those that replace a status and those that patch it for a
// service.
void Observer::judge_conflicts() {
  struct Accepted {
    std::string path;
    fakes::WriteRecord write;
  };
  std::map<std::string, Accepted> last;  // by the object's path
  for (const fakes::WriteRecord& write : server_.writes()) {
    const std::string path = write.path.substr(0, write.path.find('?'));
    if (path.find("/tasks/") == std::string::npos) continue;
    const std::string object = path.ends_with("/status") ? path.substr(0, path.rfind('/')) : path;
    const auto before = last.find(object);
    const bool is_own = before != last.end() && before->second.path == path &&
                        before->second.write.method == write.method &&
                        before->second.write.client == write.client && before->second.write.was_answered &&
                        is_from(write.client, kOperatorPrefix);
    if (write.status == 409 && is_own && !was_edited(path, before->second.write.time, write.time)) {
      violations_.push_back(write.client + " decided on a " + path +
                            " that it had written itself since, at " +
                            human_duration(write.time.time_since_epoch()));
    }
    if (write.status >= 200 && write.status < 300) last[object] = {path, write};
  }
}

bool Observer::was_edited(const std::string& path, MonotonicTime from, MonotonicTime to) const {
  const auto begin = path.find("/tasks/") + 7;
  const auto edits = edits_.find(path.substr(begin, path.find('/', begin) - begin));
  return edits != edits_.end() && std::any_of(edits->second.begin(), edits->second.end(),
                                              [&](MonotonicTime time) { return from <= time && time <= to; });
}

void Observer::judge_left_locks() {
  for (const Json& lease : server_.objects(kube::kLease)) {
    const bool is_lock = text(lease, "/metadata/name").rfind("convoke-lock-", 0) == 0;
    const auto holder = text(lease, "/spec/holderIdentity");
    if (is_lock && !holder.empty()) violated(lease, "is still held by " + holder + ", and all has ended");
  }
}

void Observer::judge_ended_run(const Json& run) {
  const auto phase = phase_of(run);
  if (!has_ended(phase)) {
    violated(run, "has not ended: " + phase + ", " + text(run, "/status/reason") + ", " +
                      text(run, "/status/message"));
    return;
  }
  if (phase == "Cancelled" && !run["spec"].contains("cancel")) {
    violated(run, "is Cancelled, and nobody asked for it");
  }
  const auto workflow = server_.object(api::kWorkflow, {"default", text(run, "/spec/workflowName")});
  if (workflow) runs_.judge_end(run, (*workflow)["spec"]);
}

}  // namespace convoke::simulation
