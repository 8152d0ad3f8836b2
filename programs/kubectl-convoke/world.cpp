#include "programs/kubectl-convoke/world.h"

#include <algorithm>
#include <array>
#include <deque>
#include <tuple>

#include "programs/kubectl-convoke/json_view.h"
#include "reconcilers/api/child_name.h"
#include "reconcilers/api/workflow_run.h"

namespace convoke::plugin {
namespace {

constexpr std::array kEnds{"Succeeded", "Failed", "Cancelled", "Compensated"};

std::vector<const Json*> owned(const std::map<std::string, Json>& objects, const std::string& uid) {
  std::vector<const Json*> found;
  for (const auto& [name, object] : objects) {
    if (is_owned_by(object, uid)) found.push_back(&object);
  }
  std::stable_sort(found.begin(), found.end(), [](const Json* a, const Json* b) {
    return text_at(*a, "/metadata/creationTimestamp") < text_at(*b, "/metadata/creationTimestamp");
  });
  return found;
}

const Json* found_in(const std::map<std::string, Json>& objects, const std::string& name) {
  const auto found = objects.find(name);
  return found == objects.end() ? nullptr : &found->second;
}

bool has_subtasks(const Json& task) {
  return !objects_at(task, "/spec/subtasks").empty();
}

}  // namespace

const Json* World::run(const std::string& name) const {
  return found_in(runs, name);
}

const Json* World::task(const std::string& name) const {
  return found_in(tasks, name);
}

std::vector<const Json*> World::tasks_of(const std::string& uid) const {
  return owned(tasks, uid);
}

std::vector<const Json*> World::runs_of(const std::string& uid) const {
  return owned(runs, uid);
}

const Json* World::task_of_row(const Json& row, const std::vector<const Json*>& of_run) const {
  const auto label = [](const Json& task, const char* name) {
    return text_at(task, std::string("/metadata/labels/convoke.dev~1") + name);
  };
  const auto number_of = [&row](const char* field) {
    const auto number = number_at(row, field);
    return number > 0 ? std::to_string(number) : "";
  };
  if (const auto name = text_at(row, "/taskName"); !name.empty()) return task(name);
  if (!text_at(row, "/items").empty()) return nullptr;
  for (const Json* task : of_run) {
    const bool is_it = label(*task, "step") == text_at(row, "/name") && label(*task, "item").empty() &&
                       label(*task, "undo").empty() && label(*task, "iteration") == number_of("/iteration") &&
                       label(*task, "round") == number_of("/round");
    if (is_it) return task;
  }
  return nullptr;
}

bool has_ended(const Json& object) {
  return std::find(kEnds.begin(), kEnds.end(), phase_of(object)) != kEnds.end();
}

std::string phase_of(const Json& object) {
  const auto phase = text_at(object, "/status/phase");
  return phase.empty() ? "Pending" : phase;
}

std::string explanation_of(const Json& object) {
  const auto reason = text_at(object, "/status/reason");
  const auto message = text_at(object, "/status/message");
  if (reason.empty() || message.empty()) return reason + message;
  return reason + ": " + message;
}

Status load_task(const Cluster& cluster, const Json& task, World& world) {
  world.tasks[name_of(task)] = task;
  if (!has_subtasks(task)) return {};
  auto subtasks = cluster.list_labelled(api::kTask, api::label::kParent, api::fit_name(name_of(task)));
  if (!subtasks) return subtasks.error();
  for (auto& subtask : *subtasks) {
    if (!is_owned_by(subtask, uid_of(task))) continue;
    const auto name = name_of(subtask);
    world.tasks[name] = std::move(subtask);
  }
  return {};
}

Status load_run(const Cluster& cluster, const Json& run, World& world) {
  std::deque<Json> todo = {run};
  while (!todo.empty()) {
    const Json next = std::move(todo.front());
    todo.pop_front();
    const bool is_new = world.runs.emplace(name_of(next), next).second;
    if (!is_new) continue;
    const auto label = api::fit_name(name_of(next));
    auto tasks = cluster.list_labelled(api::kTask, api::label::kRun, label);
    if (!tasks) return tasks.error();
    for (const auto& task : *tasks) {
      if (!is_owned_by(task, uid_of(next))) continue;
      if (auto loaded = load_task(cluster, task, world); !loaded) return loaded;
    }
    auto runs = cluster.list_labelled(api::kWorkflowRun, api::label::kRun, label);
    if (!runs) return runs.error();
    for (auto& sub_run : *runs) {
      if (is_owned_by(sub_run, uid_of(next))) todo.push_back(std::move(sub_run));
    }
  }
  return {};
}

}  // namespace convoke::plugin
