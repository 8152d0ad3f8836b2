#include "programs/kubectl-convoke/lint_warnings.h"

#include <algorithm>
#include <optional>

#include "controller/base/similar_word.h"
#include "controller/base/time_format.h"
#include "programs/kubectl-convoke/json_view.h"
#include "reconcilers/workflow/run_stop.h"

namespace convoke::plugin {
namespace {

constexpr char kPlaceholderMark[] = "$(";
constexpr std::size_t kMaxCompared = 200;

std::optional<Duration> duration_at(const Json& object, const std::string& pointer) {
  const auto text = text_at(object, pointer);
  if (text.empty()) return std::nullopt;
  const auto duration = parse_duration(text);
  return duration ? std::optional(*duration) : std::nullopt;
}

class Warnings {
 public:
  std::vector<Warning> list;

  void of_agent(const Json& agent) {
    if (text_at(agent, "/spec/type").empty()) {
      add("/spec", "the agent has no type: selectors and `kubectl get` cannot tell what it is");
    }
    if (texts_at(agent, "/spec/capabilities").empty()) {
      add("/spec", "the agent has no capabilities: it gets no Task, unless one asks for none");
    }
    if (flag_at(agent, "/spec/cordoned"))
      add("/spec/cordoned", "the agent is cordoned: it gets no new Tasks");
    const auto interval = duration_at(agent, "/spec/heartbeat/interval").value_or(std::chrono::seconds(30));
    const auto timeout = duration_at(agent, "/spec/heartbeat/timeout").value_or(std::chrono::seconds(90));
    if (timeout > interval && timeout < 2 * interval) {
      add("/spec/heartbeat", "one late heartbeat makes the agent Offline: the timeout (" +
                                 format_duration(timeout) + ") is less than two intervals (" +
                                 format_duration(interval) + ")");
    }
  }

  // A TaskSpec at `pointer`; `otherwise` is the time of an attempt, unless it says another.
  void of_task(const Json& task, const std::string& pointer, Duration otherwise = std::chrono::hours(1)) {
    const auto timeout = duration_at(task, "/timeout").value_or(otherwise);
    const auto deadline = duration_at(task, "/deadline");
    if (deadline && *deadline < timeout) {
      add(pointer + "/deadline", "the whole task has less time (" + format_duration(*deadline) +
                                     ") than one attempt of it (" + format_duration(timeout) + ")");
    }
    const bool once = text_at(task, "/delivery") == "AtMostOnce";
    if (once && number_at(task, "/retry/limit") > 0) {
      add(pointer + "/retry",
          "with delivery AtMostOnce a task is not tried again once an agent has begun it");
    }
    if (flag_at(task, "/suspend"))
      add(pointer + "/suspend", "the task is suspended: nothing happens until it is resumed");
    const auto subtasks = objects_at(task, "/subtasks");
    for (std::size_t i = 0; i < subtasks.size(); ++i) {
      of_task(value_at(subtasks[i], "/task"), pointer + "/subtasks/" + std::to_string(i) + "/task");
    }
  }

  // A WorkflowSpec at `pointer`, of whose runs each may take `whole`.
  void of_workflow(const Json& spec, const std::string& pointer, Duration whole) {
    for (const char* part : {"/steps", "/finally"}) {
      const auto steps = objects_at(spec, part);
      for (std::size_t i = 0; i < steps.size(); ++i) {
        of_step(steps[i], pointer + part + "/" + std::to_string(i), whole);
      }
    }
    unused_parameters(spec, pointer);
  }

  void of_triggers(const Json& workflow) {
    const Json& triggers = value_at(workflow, "/spec/triggers");
    const bool creates = triggers.is_null() || triggers.dump().find("\"Create\"") != std::string::npos;
    const auto parameters = objects_at(workflow, "/spec/parameters");
    for (std::size_t i = 0; creates && i < parameters.size(); ++i) {
      if (!flag_at(parameters[i], "/required") || parameters[i].contains("default")) continue;
      add("/spec/parameters/" + std::to_string(i),
          "the trigger Create makes no run, because parameter \"" + text_at(parameters[i], "/name") +
              "\" is required and has no default; write `triggers: []` if runs start by hand");
    }
    if (flag_at(workflow, "/spec/suspend"))
      add("/spec/suspend", "the workflow is suspended: its triggers make no runs");
  }

 private:
  void add(const std::string& pointer, std::string message) { list.push_back({pointer, std::move(message)}); }

  void of_step(const Json& step, const std::string& pointer, Duration whole) {
    for (const char* field : {"/timeout", "/task/deadline", "/wait/duration", "/approval/timeout"}) {
      const auto duration = duration_at(step, field);
      if (!duration || *duration <= whole) continue;
      add(pointer + field, "the whole run ends after " + format_duration(whole) + ", before this (" +
                               format_duration(*duration) + ") can: give the workflow a longer timeout");
    }
    const auto attempt = duration_at(step, "/timeout").value_or(std::chrono::hours(1));
    if (value_at(step, "/task").is_object()) of_task(step["task"], pointer + "/task", attempt);
    if (value_at(step, "/compensate").is_object()) of_task(step["compensate"], pointer + "/compensate");
    const auto retries = number_at(step, "/retry/limit");
    if (retries > 0 && text_at(step, "/task/delivery") == "AtMostOnce") {
      add(pointer + "/retry",
          "with delivery AtMostOnce a task is not tried again once an agent has begun it");
    }
  }

  void unused_parameters(const Json& spec, const std::string& pointer) {
    // Expressions in conditions have no placeholders around them: any mention counts.
    Json rest = spec;
    rest.erase("parameters");
    rest.erase("description");
    const auto text = dump_json(rest);
    const auto parameters = objects_at(spec, "/parameters");
    const bool uses_all = text.find("$(params)") != std::string::npos;
    for (std::size_t i = 0; !uses_all && i < parameters.size(); ++i) {
      const auto name = text_at(parameters[i], "/name");
      const bool used = text.find("params." + name) != std::string::npos ||
                        text.find("params.?" + name) != std::string::npos ||
                        text.find("params['" + name + "']") != std::string::npos ||
                        text.find("params[\\\"" + name + "\\\"]") != std::string::npos;
      if (!used)
        add(pointer + "/parameters/" + std::to_string(i), "nothing uses the parameter \"" + name + "\"");
    }
  }
};

// The TaskSpecs of an object, each with where it stands.
std::vector<std::pair<std::string, Json>> tasks_of(const Json& object) {
  const auto kind = text_at(object, "/kind");
  std::vector<std::pair<std::string, Json>> tasks;
  if (kind == "Task") {
    const auto subtasks = objects_at(object, "/spec/subtasks");
    if (subtasks.empty()) tasks.emplace_back("/spec", value_at(object, "/spec"));
    for (std::size_t i = 0; i < subtasks.size(); ++i) {
      tasks.emplace_back("/spec/subtasks/" + std::to_string(i) + "/task", value_at(subtasks[i], "/task"));
    }
    return tasks;
  }
  const std::string spec = kind == "Workflow" ? "/spec" : "/spec/workflowSpec";
  for (const char* part : {"/steps", "/finally"}) {
    const auto steps = objects_at(object, spec + part);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      for (const char* field : {"/task", "/compensate"}) {
        const Json& task = value_at(steps[i], field);
        if (task.is_object()) tasks.emplace_back(spec + part + "/" + std::to_string(i) + field, task);
      }
    }
  }
  return tasks;
}

std::vector<std::string> required_of(const Json& task) {
  auto capabilities = texts_at(task, "/requires/capabilities");
  if (capabilities.empty() && !text_at(task, "/type").empty()) capabilities.push_back(text_at(task, "/type"));
  std::erase_if(capabilities,
                [](const std::string& one) { return one.find(kPlaceholderMark) != std::string::npos; });
  return capabilities;
}

// Each word is compared with all: of very many, none is looked for.
std::string similar_of(const std::string& word, const std::set<std::string>& known) {
  if (known.size() > kMaxCompared) return "";
  return most_similar(word, {known.begin(), known.end()});
}

}  // namespace

std::vector<Warning> warnings_of(const Json& object, const workflow::Definition* definition) {
  Warnings warnings;
  const auto kind = text_at(object, "/kind");
  if (kind == "Agent") warnings.of_agent(object);
  if (kind == "Task") warnings.of_task(value_at(object, "/spec"), "/spec");
  if (definition != nullptr) {
    const std::string spec = kind == "Workflow" ? "/spec" : "/spec/workflowSpec";
    warnings.of_workflow(value_at(object, spec), spec, workflow::run_timeout(*definition));
  }
  if (kind == "Workflow") warnings.of_triggers(object);
  return warnings.list;
}

std::vector<Warning> warnings_beside(const Json& object, const std::set<std::string>& capabilities) {
  std::vector<Warning> warnings;
  if (capabilities.contains("*")) return warnings;
  for (const auto& [pointer, task] : tasks_of(object)) {
    for (const auto& capability : required_of(task)) {
      if (capabilities.contains(capability)) continue;
      const auto similar = similar_of(capability, capabilities);
      const bool asked = !texts_at(task, "/requires/capabilities").empty();
      warnings.push_back({pointer + (asked ? "/requires/capabilities" : "/type"),
                          "no Agent of these files has the capability \"" + capability + "\"" +
                              (similar.empty() ? "" : "; did you mean \"" + similar + "\"?")});
    }
  }
  return warnings;
}

}  // namespace convoke::plugin
