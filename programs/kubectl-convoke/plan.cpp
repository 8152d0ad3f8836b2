#include "programs/kubectl-convoke/plan.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "controller/base/time_format.h"
#include "programs/kubectl-convoke/json_view.h"
#include "reconcilers/api/json_writer.h"
#include "reconcilers/api/workflow.h"
#include "reconcilers/expression/template.h"
#include "reconcilers/workflow/definition.h"
#include "reconcilers/workflow/item_phases.h"
#include "reconcilers/workflow/parameters.h"

namespace convoke::plugin {
namespace {

constexpr char kPlaceholder[] = "$(";
constexpr std::size_t kMaxListed = 5;

// What is known before a run exists.
expression::JsonScope scope_of(const std::string& workflow, const std::string& namespace_,
                               const Json& parameters) {
  return expression::JsonScope(
      {{"params", parameters},
       {"workflow", {{"name", workflow}}},
       {"run", {{"name", workflow + "-plan"}, {"namespace", namespace_}, {"uid", ""}}}});
}

// Every string that can be expanded now; the others stay as they are.
Json expand_known(const Json& value, const expression::Scope& scope) {
  if (value.is_string()) {
    const auto expanded = expression::expand(value, scope, "");
    return expanded ? *expanded : value;
  }
  Json result = value;
  if (value.is_structured()) {
    for (auto& part : result) part = expand_known(part, scope);
  }
  return result;
}

std::string first_open(const Json& value, const std::string& path) {
  if (value.is_string() && value.get_ref<const std::string&>().find(kPlaceholder) != std::string::npos) {
    return path + " is " + value.get<std::string>();
  }
  if (!value.is_structured()) return "";
  for (const auto& [key, part] : value.items()) {
    auto open = first_open(part, path + "." + key);
    if (!open.empty()) return open;
  }
  return "";
}

// What the choice of an agent hangs on.
std::string why_not_known(const Json& task) {
  for (const char* field : {"type", "requires", "agentName", "assignment"}) {
    const auto found = task.find(field);
    if (found == task.end()) continue;
    auto open = first_open(*found, field);
    if (!open.empty()) return open;
  }
  return "";
}

class Planner {
 public:
  Planner(Plan& plan, const WorkflowView& view, std::string its_namespace, const expression::Scope& scope,
          const std::optional<std::vector<api::Agent>>& agents)
      : plan_(plan), view_(view), namespace_(std::move(its_namespace)), scope_(scope), agents_(agents) {}

  void make() {
    const auto layers = view_.layers();
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      for (const auto i : layers[layer]) {
        plan_.steps.push_back(plan_step(view_.steps[i]));
        plan_.steps.back().layer = layer;
      }
    }
    add_up();
    if (!plan_.offline) find_critical_path();
  }

 private:
  StepPlan plan_step(const StepView& step) {
    StepPlan result;
    result.step = step;
    count_items(result);
    if (step.kind == "task") plan_task(result);
    if (step.kind == "wait") plan_wait(result);
    return result;
  }

  // A list, or the values of a map, or numbers; nothing where an earlier step says which.
  std::optional<Json> items_of(const Json& each) const {
    const Json& range = value_at(each, "/range");
    if (!range.is_object()) {
      const auto items = expression::expand(value_at(each, "/items"), scope_, "forEach.items");
      if (!items || !items->is_structured()) return std::nullopt;
      if (items->is_array()) return std::make_optional<Json>(*items);
      Json list = Json::array();
      for (const auto& [key, value] : items->items()) list.push_back({{"key", key}, {"value", value}});
      return std::make_optional<Json>(std::move(list));
    }
    const auto bounds = expression::expand(range, scope_, "forEach.range");
    if (!bounds || !value_at(*bounds, "/from").is_number_integer() ||
        !value_at(*bounds, "/to").is_number_integer()) {
      return std::nullopt;
    }
    Json list = Json::array();
    const auto to = number_at(*bounds, "/to");
    auto i = number_at(*bounds, "/from");
    while (i <= to && list.size() <= workflow::kMaxItems) {
      list.push_back(i);
      if (i == to) break;
      ++i;
    }
    return std::make_optional<Json>(std::move(list));
  }

  void count_items(StepPlan& result) const {
    if (!result.step.for_each.is_object()) return;
    const auto items = items_of(result.step.for_each);
    result.items_known = items.has_value();
    if (items) result.items = static_cast<std::int64_t>(items->size());
  }

  void plan_task(StepPlan& result) const {
    Json task = value_at(result.step.json, "/task");
    // A fan-out's first item stands for all of them.
    task = expand_item(task, result.step);
    result.task_type = text_at(task, "/type");
    result.not_known = why_not_known(task);
    if (!agents_ || !result.not_known.empty()) return;
    std::vector<std::string> ignored;
    api::Task object;
    object.meta.namespace_ = namespace_;
    object.meta.name = result.step.name;
    for (const char* part : {"parameters", "title", "description"}) {
      if (!first_open(value_at(task, "/" + std::string(part)), part).empty()) task.erase(part);
    }
    object.spec = api::task_spec_from_json(task, "task", ignored);
    result.agents = qualify(object, *agents_);
    estimate(result);
  }

  Json expand_item(const Json& task, const StepView& step) const {
    const Json* params = scope_.find("params");
    Json roots = {{"params", params == nullptr ? Json::object() : *params},
                  {"workflow", {{"name", view_.name}}},
                  {"run", {{"name", view_.name}, {"namespace", namespace_}, {"uid", ""}}}};
    if (step.for_each.is_object()) {
      const auto items = items_of(step.for_each);
      const auto as = text_at(step.for_each, "/as");
      roots["index"] = 0;
      if (items && !items->empty()) roots[as.empty() ? "item" : as] = items->front();
    }
    return expand_known(task, expression::JsonScope(std::move(roots)));
  }

  // By the agent that would get it; where nobody is free now, nothing can be said.
  static void estimate(StepPlan& result) {
    if (result.agents->candidates.empty() || !result.items_known) return;
    const auto& best = result.agents->candidates.front();
    auto parallel = number_at(result.step.for_each, "/parallelism", result.items);
    parallel = std::max<std::int64_t>(1, parallel);
    const auto rounds = (result.items + parallel - 1) / parallel;
    result.is_estimated = true;
    result.duration = best.duration * rounds;
    result.cost = best.cost * static_cast<double>(result.items);
  }

  static void plan_wait(StepPlan& result) {
    const auto duration = parse_duration(text_at(result.step.json, "/wait/duration"));
    if (!duration) return;
    result.duration = *duration;
    result.is_estimated = true;
  }

  void add_up() {
    for (const auto& step : plan_.steps) {
      const bool counts = step.is_estimated || step.step.kind == "approval";
      plan_.is_complete = plan_.is_complete && counts && step.items_known;
      plan_.cost += step.cost;
      if (step.agents && step.agents->candidates.empty()) ++plan_.without_agents;
      plan_.any_assumed = plan_.any_assumed || (step.agents && !step.agents->candidates.empty() &&
                                                !step.agents->candidates.front().is_measured);
    }
  }

  // The longest way to each step, in the order of the layers.
  void find_critical_path() {
    std::map<std::string, std::pair<Duration, std::string>> ends;  // step: when it ends, and after which step
    Duration main_end{};
    std::string last;
    std::string last_of_main;
    for (const auto& step : plan_.steps) {
      Duration begin = step.step.is_finally ? main_end : Duration::zero();
      std::string after = step.step.is_finally ? last_of_main : "";
      for (const auto& name : step.step.depends_on) {
        const auto found = ends.find(name);
        if (found == ends.end() || found->second.first < begin) continue;
        begin = found->second.first;
        after = name;
      }
      const Duration end = begin + step.duration;
      ends[step.step.name] = {end, after};
      if (!step.step.is_finally && end >= main_end) {
        main_end = end;
        last_of_main = step.step.name;
      }
      if (end >= plan_.duration) {
        plan_.duration = end;
        last = step.step.name;
      }
    }
    for (std::string at = last; !at.empty(); at = ends[at].second) {
      for (auto& step : plan_.steps) step.is_critical = step.is_critical || step.step.name == at;
    }
  }

  Plan& plan_;
  const WorkflowView& view_;
  const std::string namespace_;
  const expression::Scope& scope_;
  const std::optional<std::vector<api::Agent>>& agents_;
};

std::string money(double cost) {
  return api::format_decimal(cost);
}

std::string duration_text(const StepPlan& step) {
  if (!step.is_estimated) return "?";
  const bool assumed =
      step.agents && !step.agents->candidates.empty() && !step.agents->candidates.front().is_measured;
  return (assumed ? "~" : "") + human_duration(step.duration);
}

std::string agents_text(const StepPlan& step) {
  if (!step.not_known.empty()) return "known later: " + one_line(step.not_known);
  if (!step.agents) return "";
  std::string text;
  const auto& candidates = step.agents->candidates;
  for (std::size_t i = 0; i < std::min(candidates.size(), kMaxListed); ++i) {
    text += (text.empty() ? "" : ", ") + candidates[i].agent;
  }
  if (candidates.size() > kMaxListed)
    text += " and " + std::to_string(candidates.size() - kMaxListed) + " more";
  return text.empty() ? "nobody now" : text;
}

std::string step_text(const StepPlan& step) {
  std::string text = step.step.name;
  if (step.step.for_each.is_object()) text += step.items_known ? " x" + std::to_string(step.items) : " x?";
  if (step.step.is_finally) text += " (finally)";
  return text;
}

std::string what_text(const StepPlan& step) {
  std::string text = step.step.kind == "task" ? step.task_type : step.step.kind;
  if (step.step.kind != "task" && !step.step.detail.empty()) text += ": " + one_line(step.step.detail);
  if (!step.step.when.empty()) text += " when " + one_line(step.step.when);
  if (step.step.optional) text += " (optional)";
  return text;
}

std::string after_text(const StepPlan& step) {
  std::string text;
  for (const auto& name : step.step.depends_on) text += (text.empty() ? "" : ", ") + name;
  return text;
}

Json agents_json(const Qualification& agents) {
  Json json = {{"qualified", Json::array()}, {"rejected", Json::array()}};
  for (const auto& one : agents.candidates) {
    json["qualified"].push_back({{"agentName", one.agent},
                                 {"score", one.score},
                                 {"expectedDuration", format_duration(one.duration)},
                                 {"isMeasured", one.is_measured},
                                 {"expectedCost", money(one.cost)}});
  }
  for (const auto& one : agents.objections) {
    json["rejected"].push_back({{"agentName", one.agent}, {"reason", one.reason}});
  }
  return json;
}

Json step_json(const StepPlan& step) {
  Json json = {{"name", step.step.name},         {"kind", step.step.kind},
               {"layer", step.layer + 1},        {"dependsOn", step.step.depends_on},
               {"optional", step.step.optional}, {"finally", step.step.is_finally},
               {"critical", step.is_critical}};
  if (!step.task_type.empty()) json["taskType"] = step.task_type;
  if (!step.step.when.empty()) json["when"] = step.step.when;
  if (step.step.for_each.is_object()) json["items"] = step.items_known ? Json(step.items) : Json();
  if (!step.not_known.empty()) json["agentsKnownLater"] = step.not_known;
  if (step.agents) json["agents"] = agents_json(*step.agents);
  if (step.is_estimated) {
    json["expectedDuration"] = format_duration(step.duration);
    json["expectedCost"] = money(step.cost);
  }
  return json;
}

}  // namespace

Result<Plan> make_plan(const std::string& name, const std::string& namespace_, const Json& spec,
                       const Json& given, const std::optional<std::vector<api::Agent>>& agents) {
  const auto definition = workflow::parse_definition(dump_json(spec), "spec");
  if (!definition) return definition.error();
  const auto parameters =
      workflow::resolve_parameters((*definition)->spec.parameters, given.is_null() ? "" : dump_json(given));
  if (!parameters) return parameters.error();
  Plan plan;
  const auto view = view_of(name, spec);
  plan.workflow = name;
  plan.mode = view.mode;
  plan.parameters = *parameters;
  plan.offline = !agents.has_value();
  const auto scope = scope_of(name, namespace_, *parameters);
  Planner(plan, view, namespace_, scope, agents).make();
  return plan;
}

Json plan_json(const Plan& plan) {
  Json json = {{"workflow", plan.workflow},
               {"mode", plan.mode},
               {"parameters", plan.parameters},
               {"offline", plan.offline}};
  json["steps"] = Json::array();
  for (const auto& step : plan.steps) json["steps"].push_back(step_json(step));
  if (!plan.offline) {
    json["expectedDuration"] = format_duration(plan.duration);
    json["expectedCost"] = money(plan.cost);
    json["isComplete"] = plan.is_complete;
    json["isMeasured"] = !plan.any_assumed;
    json["stepsWithoutAgents"] = plan.without_agents;
  }
  return json;
}

std::vector<std::string> plan_lines(const Plan& plan, const Style& style) {
  std::vector<std::vector<std::string>> rows = {{"LAYER", "STEP", "DOES", "AFTER"}};
  if (!plan.offline) rows[0].insert(rows[0].end(), {"AGENTS", "COST", "TIME", "CRITICAL"});
  for (const auto& step : plan.steps) {
    std::vector<std::string> row = {std::to_string(step.layer + 1), step_text(step), what_text(step),
                                    after_text(step)};
    if (!plan.offline) {
      const bool nobody = step.agents && step.agents->candidates.empty();
      const auto agents = agents_text(step);
      row.insert(row.end(), {nobody ? style.red(agents) : agents, step.is_estimated ? money(step.cost) : "?",
                             duration_text(step), step.is_critical ? "*" : ""});
    }
    rows.push_back(std::move(row));
  }
  auto lines = align(rows);
  lines[0] = style.bold(lines[0]);
  if (plan.offline) return lines;
  for (const auto& step : plan.steps) {
    if (!step.agents || (step.agents->objections.empty() && !step.agents->candidates.empty())) continue;
    lines.push_back("");
    lines.push_back(step.step.name + ":" +
                    (step.agents->any_agents ? "" : " there are no agents in this namespace"));
    for (const auto& one : step.agents->objections) lines.push_back("  " + one.agent + " " + one.reason);
    for (const auto& problem : step.agents->problems) lines.push_back("  " + problem);
  }
  lines.push_back("");
  lines.push_back("Expected: " + std::string(plan.is_complete ? "" : "at least ") +
                  human_duration(plan.duration) + " along the critical path, cost " +
                  (plan.is_complete ? "" : "at least ") + money(plan.cost) +
                  (plan.any_assumed ? " (~: never measured, taken as 1m)" : ""));
  if (plan.without_agents > 0) {
    lines.push_back(style.yellow(std::to_string(plan.without_agents) +
                                 (plan.without_agents == 1 ? " step has" : " steps have") +
                                 " no agent now: a run would wait there."));
  }
  return lines;
}

}  // namespace convoke::plugin
