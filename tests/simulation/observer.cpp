#include "tests/simulation/observer.h"

#include <algorithm>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/task.h"
#include "reconcilers/api/workflow_run.h"

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
    {"Running", {"Suspended", "Succeeded", "Failed", "Cancelled"}},
    {"Suspended", {"Running", "Pending", "Succeeded", "Failed", "Cancelled"}},
    {"Succeeded", {}},
    {"Failed", {}},
    {"Cancelled", {}},
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

bool has_ended(const std::string& phase) {
  return phase == "Succeeded" || phase == "Failed" || phase == "Cancelled";
}

bool is_active(const Json& task) {
  const auto phase = phase_of(task);
  return phase == "Assigned" || phase == "Running";
}

bool is_from(const std::string& client, const char* prefix) {
  return client.rfind(prefix, 0) == 0;
}

// All that an agent must leave alone.
Json without_report(Json task) {
  task["metadata"].erase("managedFields");
  task["metadata"].erase("resourceVersion");
  if (task.contains("status")) task["status"].erase("report");
  return task;
}

}  // namespace

Observer::Observer(fakes::FakeApiServer& server, Clock& clock) : server_(server), clock_(clock) {
  const auto watch = [&server](const kube::ResourceType& type, std::vector<std::string> fields, auto see) {
    fakes::TypeOptions options;
    options.selectable_fields = std::move(fields);
    options.review = [see](const WriteReview& write) {
      see(write);
      return Status();
    };
    server.register_type(type, options);
  };
  watch(api::kTask, {"spec.type", "spec.agentName", "status.agentName", "status.phase"},
        [this](const WriteReview& write) { see_task(write); });
  watch(api::kWorkflowRun, {"spec.workflowName", "status.phase"},
        [this](const WriteReview& write) { see_run(write); });
  watch(api::kAgent, {"spec.type", "status.phase"}, [this](const WriteReview& write) {
    int& capacity = capacities_[text(write.after, "/metadata/name")];
    capacity = std::max(capacity, number(write.after, "/spec/capacity", 10));
  });
}

void Observer::violated(const Json& object, const std::string& rule) {
  violations_.push_back(format_micro_time(clock_.wall_now()) + " " + text(object, "/kind") + " " +
                        text(object, "/metadata/name") + ": " + rule);
}

void Observer::see_task(const WriteReview& write) {
  ++task_writes_;
  if (write.operation == "CREATE") return;
  if (write.operation == "DELETE") {
    count_active(write.before, nullptr);
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
}

void Observer::judge_phase(const Json& before, const Json& after) {
  const auto from = phase_of(before);
  const auto to = phase_of(after);
  const auto& moves = kTaskMoves.at(from);
  if (from != to && !moves.contains(to)) violated(after, "went from " + from + " to " + to);
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
    spent += outcome == "Failed" || outcome == "Timeout" || outcome == "AgentLost" ? 1 : 0;
  }
  const int allowed = number(after, "/spec/retry/limit", 3) + 1;
  if (spent > allowed)
    violated(after, "was tried " + std::to_string(spent) + " times of " + std::to_string(allowed));
}

void Observer::judge_success(const Json& after) {
  if (phase_of(after) != "Succeeded") return;
  if (text(after, "/status/report/state") != "Succeeded" ||
      text(after, "/status/report/assignmentID") != text(after, "/status/assignment/id")) {
    violated(after, "succeeded without the report of the agent that has it");
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

void Observer::see_run(const WriteReview& write) {
  if (write.operation != "UPDATE" || !is_from(write.client, kOperatorPrefix)) return;
  const auto from = phase_of(*write.before);
  const auto to = phase_of(write.after);
  if (from != to && !kRunMoves.at(from).contains(to))
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
}

// What a run must come to, given what became of its Tasks.
void Observer::judge_ended_run(const Json& run) {
  const auto phase = phase_of(run);
  if (!has_ended(phase)) {
    violated(run, "has not ended: " + phase + ", " + text(run, "/status/reason") + ", " +
                      text(run, "/status/message"));
    return;
  }
  const auto uid = text(run, "/metadata/uid");
  int succeeded = 0;
  int others = 0;
  for (const Json& task : server_.objects(api::kTask)) {
    if (text(task, "/metadata/labels/convoke.dev~1run-uid") != uid) continue;
    ++(phase_of(task) == "Succeeded" ? succeeded : others);
  }
  if (phase == "Succeeded" && others > 0) violated(run, "succeeded, but a Task of it did not");
  const bool was_cancelled = run["spec"].contains("cancel");
  if (phase == "Cancelled" && !was_cancelled) violated(run, "is Cancelled, and nobody asked for it");
  const int steps = number(run, "/status/counts/total");
  if (phase == "Failed" && others == 0 && succeeded == steps) {
    violated(run, "failed, though every Task of it succeeded");
  }
}

}  // namespace convoke::simulation
