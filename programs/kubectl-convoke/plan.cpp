#include "programs/kubectl-convoke/plan.h"

#include <algorithm>
#include <functional>
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

constexpr char kPlaceholderStart[] = "$(";
constexpr std::size_t kMaxListed = 5;
// As the operator has it.
constexpr std::size_t kMaxNesting = 8;
// Of all that is below steps: Workflows that run Workflows multiply.
constexpr std::size_t kMaxStepsBelow = 2000;

// Where a plan stands among those of Workflows that run each other.
struct Nesting {
  std::vector<std::string> path;  // the Workflows that led here, its own included
  std::size_t* steps_left;        // of kMaxStepsBelow
};

Result<Plan> plan_at(const PlanRequest& request, const std::vector<std::string>& known_later,
                     const Surroundings& around, const Nesting& place);

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
  if (value.is_string() && value.get_ref<const std::string&>().find(kPlaceholderStart) != std::string::npos) {
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

bool is_state_machine(const Plan& plan) {
  return plan.mode == "StateMachine";
}

class Planner {
 public:
  Planner(Plan& plan, const WorkflowView& view, const expression::Scope& scope, const Surroundings& around,
          Nesting place)
      : plan_(plan),
        view_(view),
        namespace_(around.namespace_),
        scope_(scope),
        around_(around),
        agents_(around.agents),
        place_(std::move(place)) {}

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
    if (step.kind == "workflow") plan_workflow(result);
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
  void estimate(StepPlan& result) const {
    if (result.agents->candidates.empty()) return;
    const auto& best = result.agents->candidates.front();
    estimate(result, best.duration, best.cost);
  }

  void estimate(StepPlan& result, Duration of_one, double cost_of_one) const {
    if (!result.items_known) return;
    // The run's own parallelism bounds that of a fan-out, and stands for it.
    const auto of_run = std::max<std::int64_t>(1, view_.parallelism);
    const auto parallel =
        std::clamp<std::int64_t>(number_at(result.step.for_each, "/parallelism", of_run), 1, of_run);
    const auto rounds = (result.items + parallel - 1) / parallel;
    result.is_estimated = true;
    result.duration = of_one * rounds;
    result.cost = cost_of_one * static_cast<double>(result.items);
  }

  void plan_workflow(StepPlan& result) const {
    const Json part = expand_item(value_at(result.step.json, "/workflow"), result.step);
    result.workflow = text_at(part, "/name");
    if (const auto open = first_open(value_at(part, "/name"), "its name"); !open.empty()) {
      result.below_not_known = open;
      return;
    }
    const auto spec = definition_below(result);
    if (!spec) return;
    PlanRequest request{result.workflow, *spec, Json::object()};
    std::vector<std::string> known_later;
    const Json& parameters = value_at(part, "/parameters");
    if (parameters.is_object()) {
      for (const auto& [name, value] : parameters.items()) {
        if (first_open(value, name).empty()) {
          request.parameters[name] = value;
        } else {
          known_later.push_back(name);
        }
      }
    }
    Nesting below = place_;
    below.path.push_back(result.workflow);
    auto plan = plan_at(request, known_later, around_, below);
    if (!plan) {
      result.below_not_known = "it would fail: " + plan.error().message;
      return;
    }
    result.below = std::make_shared<const Plan>(std::move(*plan));
    if (agents_) estimate(result, result.below->duration, result.below->cost);
  }

  // Nothing: it says why.
  std::optional<Json> definition_below(StepPlan& result) const {
    const auto refuse = [&](std::string why) {
      result.below_not_known = std::move(why);
      return std::optional<Json>();
    };
    std::string path;
    for (const auto& one : place_.path) path += one + "/";
    if (std::find(place_.path.begin(), place_.path.end(), result.workflow) != place_.path.end()) {
      return refuse("it would fail, since the Workflow would run itself: " + path + result.workflow);
    }
    if (place_.path.size() >= kMaxNesting) {
      return refuse("it would fail, since workflows are nested at most " + std::to_string(kMaxNesting) +
                    " deep: " + path + result.workflow);
    }
    Result<std::optional<Json>> found = std::optional<Json>();
    if (around_.find_workflow) found = around_.find_workflow(result.workflow);
    if (!found) return refuse("what Workflow " + result.workflow + " does: " + found.error().message);
    if (!*found) {
      return refuse("what Workflow " + result.workflow + " does: there is none of that name in the files" +
                    (plan_.offline ? "" : " or in namespace " + namespace_));
    }
    const auto steps = view_of("", **found).steps.size();
    if (steps > *place_.steps_left) {
      return refuse("what Workflow " + result.workflow + " does: the plan is too large to show it");
    }
    *place_.steps_left -= steps;
    return std::move(*found);
  }

  static void plan_wait(StepPlan& result) {
    const auto duration = parse_duration(text_at(result.step.json, "/wait/duration"));
    if (!duration) return;
    result.duration = *duration;
    result.is_estimated = true;
  }

  void add_up() {
    plan_.is_complete = !is_state_machine(plan_);
    for (const auto& step : plan_.steps) {
      const bool once = !step.step.repeat.is_object();
      const bool counts = once && (step.is_estimated || step.step.kind == "approval");
      plan_.is_complete = plan_.is_complete && counts && step.items_known;
      plan_.cost += step.cost;
      if (step.below) add_below(*step.below);
      if (step.agents && step.agents->candidates.empty()) ++plan_.without_agents;
      plan_.any_assumed = plan_.any_assumed || (step.agents && !step.agents->candidates.empty() &&
                                                !step.agents->candidates.front().is_measured);
    }
  }

  void add_below(const Plan& below) {
    plan_.is_complete = plan_.is_complete && below.is_complete && below.missing.empty();
    plan_.any_assumed = plan_.any_assumed || below.any_assumed;
    plan_.without_agents += below.without_agents;
  }

  // By name: the steps that lead to each step.
  std::map<std::string, std::vector<std::string>> steps_before() const {
    std::map<std::string, std::vector<std::string>> names;
    const auto before = view_.before();
    for (std::size_t i = 0; i < before.size(); ++i) {
      for (const auto position : before[i]) {
        names[view_.steps[i].name].push_back(view_.steps[position].name);
      }
    }
    return names;
  }

  // The longest way to each step, in the order of the layers.
  void find_critical_path() {
    auto before = steps_before();
    std::map<std::string, std::pair<Duration, std::string>> ends;  // step: when it ends, and after which step
    Duration main_end{};
    std::string last;
    std::string last_of_main;
    for (const auto& step : plan_.steps) {
      Duration begin = step.step.is_finally ? main_end : Duration::zero();
      std::string after = step.step.is_finally ? last_of_main : "";
      for (const auto& name : before[step.step.name]) {
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
  const std::string& namespace_;
  const expression::Scope& scope_;
  const Surroundings& around_;
  const std::optional<std::vector<api::Agent>>& agents_;
  const Nesting place_;
};

std::string money(double cost) {
  return api::format_decimal(cost);
}

std::string duration_text(const StepPlan& step) {
  if (!step.is_estimated) return "?";
  const bool assumed =
      (step.agents && !step.agents->candidates.empty() && !step.agents->candidates.front().is_measured) ||
      (step.below && step.below->any_assumed);
  return (assumed ? "~" : "") + human_duration(step.duration);
}

std::string agents_text(const StepPlan& step) {
  if (!step.not_known.empty()) return "known later: " + one_line(step.not_known);
  if (!step.below_not_known.empty()) return "not known";
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
  if (!step.workflow.empty()) json["workflow"] = step.workflow;
  if (!step.below_not_known.empty()) json["workflowNotKnown"] = step.below_not_known;
  if (step.below) json["plan"] = plan_json(*step.below);
  if (step.is_estimated) {
    json["expectedDuration"] = format_duration(step.duration);
    json["expectedCost"] = money(step.cost);
  }
  return json;
}

// `known_later`: given, but with values that nobody knows yet.
Result<Plan> plan_at(const PlanRequest& request, const std::vector<std::string>& known_later,
                     const Surroundings& around, const Nesting& place) {
  const auto definition = workflow::parse_definition(dump_json(request.spec), "spec");
  if (!definition) return definition.error();
  Plan plan;
  auto wanted = (*definition)->spec.parameters;
  for (auto& parameter : wanted) {
    const bool later = std::find(known_later.begin(), known_later.end(), parameter.name) != known_later.end();
    const bool given =
        later || (request.parameters.is_object() && request.parameters.contains(parameter.name));
    if (later) parameter.default_value.clear();
    if (!given && !workflow::needs_no_value(parameter)) {
      plan.missing.push_back({parameter.name, api::to_string(parameter.type)});
    }
    parameter.required = false;
  }
  const auto parameters =
      workflow::resolve_parameters(wanted, request.parameters.is_null() ? "" : dump_json(request.parameters));
  if (!parameters) return parameters.error();
  const auto view = view_of(request.name, request.spec);
  plan.workflow = request.name;
  plan.namespace_ = around.namespace_;
  plan.mode = view.mode;
  plan.parameters = *parameters;
  plan.offline = !around.agents.has_value();
  const auto scope = scope_of(request.name, around.namespace_, *parameters);
  Planner(plan, view, scope, around, place).make();
  return plan;
}

// --- Text ---

// Of the plans below too: the path of each step, "page/render", and itself.
using VisitStep = std::function<void(const std::string& path, const StepPlan& step)>;
void for_each_step(const Plan& plan, const std::string& path, const VisitStep& visit) {
  for (const auto& step : plan.steps) {
    visit(path + step.step.name, step);
    if (step.below) for_each_step(*step.below, path + step.step.name + "/", visit);
  }
}

struct Rows {
  std::vector<std::vector<std::string>> rows;
  const Style& style;

  void add(const Plan& plan, const std::string& layer, std::size_t depth, bool is_critical) {
    for (const auto& step : plan.steps) {
      const auto own_layer = layer + std::to_string(step.layer + 1);
      const bool critical = is_critical && step.is_critical;
      std::vector<std::string> row = {own_layer, std::string(2 * depth, ' ') + step_text(step),
                                      what_text(step), after_text(step)};
      if (!plan.offline) {
        const bool nobody = step.agents && step.agents->candidates.empty();
        const auto agents = agents_text(step);
        row.insert(row.end(),
                   {nobody ? style.red(agents) : agents, step.is_estimated ? money(step.cost) : "?",
                    duration_text(step), critical ? "*" : ""});
      }
      rows.push_back(std::move(row));
      if (step.below) add(*step.below, own_layer + ".", depth + 1, critical);
    }
  }
};

std::string missing_line(const std::vector<MissingParameter>& missing) {
  std::string names;
  std::string flags;
  for (const auto& one : missing) {
    names += (names.empty() ? "" : ", ") + one.name + " (" + one.type + ")";
    flags += " -p " + one.name + "=...";
  }
  return "Missing: " + names + ". Give " + (missing.size() == 1 ? "it" : "them") + " with" + flags +
         "; what hangs on " + (missing.size() == 1 ? "it" : "them") + " is not known.";
}

void add_not_known(const Plan& plan, const Style& style, std::vector<std::string>& lines) {
  std::vector<std::string> told;
  if (!plan.revision_not_planned.empty()) {
    told.push_back(style.yellow("The run is to execute the revision " + one_line(plan.revision_not_planned) +
                                ", which cannot be read here: this is Workflow " + plan.workflow +
                                " as it is now."));
  }
  if (!plan.missing.empty()) told.push_back(style.yellow(missing_line(plan.missing)));
  for_each_step(plan, "", [&](const std::string& path, const StepPlan& step) {
    if (!step.below_not_known.empty())
      told.push_back(path + ": not known: " + one_line(step.below_not_known));
    if (!step.below) return;
    for (const auto& one : step.below->missing) {
      told.push_back(style.red(path + ": it would fail: Workflow " + step.workflow + " needs the parameter " +
                               one.name + ", which the step does not give"));
    }
  });
  if (told.empty()) return;
  lines.emplace_back();
  lines.insert(lines.end(), told.begin(), told.end());
}

// Nothing for steps whose agents are all fine.
void add_objections(const Plan& plan, std::vector<std::string>& lines) {
  for_each_step(plan, "", [&](const std::string& path, const StepPlan& step) {
    if (!step.agents || (step.agents->objections.empty() && !step.agents->candidates.empty())) return;
    lines.emplace_back();
    lines.push_back(path + ":" + (step.agents->any_agents ? "" : " there are no agents in this namespace"));
    for (const auto& one : step.agents->objections) lines.push_back("  " + one.agent + " " + one.reason);
    for (const auto& problem : step.agents->problems) lines.push_back("  " + problem);
  });
}

}  // namespace

Result<Plan> make_plan(const PlanRequest& request, const Surroundings& surroundings) {
  std::size_t steps_left = kMaxStepsBelow;
  Nesting place{{}, &steps_left};
  if (!request.is_inline) place.path.push_back(request.name);
  return plan_at(request, {}, surroundings, place);
}

Json plan_json(const Plan& plan) {
  Json json = {{"workflow", plan.workflow},
               {"mode", plan.mode},
               {"parameters", plan.parameters},
               {"offline", plan.offline}};
  if (!plan.namespace_.empty()) json["namespace"] = plan.namespace_;
  if (!plan.revision_not_planned.empty()) json["revisionNotPlanned"] = plan.revision_not_planned;
  json["missingParameters"] = Json::array();
  for (const auto& one : plan.missing) {
    json["missingParameters"].push_back({{"name", one.name}, {"type", one.type}});
  }
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
  Rows table{{{"LAYER", "STEP", "DOES", "AFTER"}}, style};
  if (!plan.offline) {
    auto& header = table.rows.front();
    header.insert(header.end(), {"AGENTS", "COST", "TIME", "CRITICAL"});
  }
  table.add(plan, "", 0, true);
  auto lines = align(table.rows);
  lines[0] = style.bold(lines[0]);
  add_not_known(plan, style, lines);
  if (plan.offline) return lines;
  add_objections(plan, lines);
  bool any_qualification = false;
  for_each_step(plan, "", [&](const std::string&, const StepPlan& step) {
    any_qualification = any_qualification || step.agents.has_value();
  });
  lines.emplace_back();
  if (any_qualification) {
    lines.push_back(style.dim("Rules of the operator's configuration (assignment.rules) are not looked at."));
  }
  lines.push_back("Expected: " + std::string(plan.is_complete ? "" : "at least ") +
                  human_duration(plan.duration) + " along the critical path, cost " +
                  (plan.is_complete ? "" : "at least ") + money(plan.cost) +
                  (plan.any_assumed ? " (~: never measured, taken as 1m)" : ""));
  if (is_state_machine(plan)) {
    lines.push_back(style.dim("Each state counts once, though a run may pass it by, or come back to it."));
  }
  if (plan.without_agents > 0) {
    lines.push_back(style.yellow(std::to_string(plan.without_agents) +
                                 (plan.without_agents == 1 ? " step has" : " steps have") +
                                 " no agent now: a run would wait there."));
  }
  return lines;
}

}  // namespace convoke::plugin
