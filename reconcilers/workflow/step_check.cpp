#include "reconcilers/workflow/step_check.h"

#include <algorithm>
#include <optional>

#include "controller/base/time_format.h"
#include "reconcilers/expression/template.h"
#include "reconcilers/workflow/reasons.h"

namespace convoke::workflow {
namespace {

bool is_one_of(const std::string& name, std::initializer_list<const char*> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Error invalid_field(const std::string& field, const std::string& what) {
  return Error{ErrorCode::Invalid, field + ": " + what, reason::kInvalidDefinition};
}

// A name that an expression may use without quotes.
bool is_identifier(const std::string& name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && name.size() <= 63 && letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

bool has_placeholder(const std::string& text) {
  return text.find("$(") != std::string::npos;
}

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// A name that an Agent or a Workflow can have.
bool is_object_name(const std::string& name) {
  constexpr std::size_t kMostBytes = 63;
  const bool good = std::all_of(name.begin(), name.end(),
                                [](char c) { return is_lower_or_digit(c) || c == '-' || c == '.'; });
  return good && !name.empty() && name.size() <= kMostBytes && is_lower_or_digit(name.front()) &&
         is_lower_or_digit(name.back());
}

// Nothing, if a placeholder says it later.
std::string name_problem(const std::string& name, const std::string& kind) {
  if (has_placeholder(name) || is_object_name(name)) {
    return "";
  }
  return "\"" + api::cut_text(name, 63) + "\" cannot be the name of " + kind +
         ", which has 1 to 63 lower-case letters, digits, \"-\" and \".\", and begins and ends with a letter "
         "or "
         "digit";
}

// "; a name with "-" ...", if the expression names a step whose name CEL takes for a difference.
std::string bracket_hint(const Definition& definition, const std::string& text,
                         const std::string& beginning) {
  std::string meant;
  for (const auto& step : definition.spec.steps) {
    const bool fits = step.name.starts_with(beginning + "-") && step.name.size() > meant.size();
    if (fits && text.find("steps." + step.name) != std::string::npos) {
      meant = step.name;
    }
  }
  return meant.empty() ? "" : "; a name with \"-\" stands in brackets: steps['" + meant + "']";
}

}  // namespace

Status ReferenceCheck::check(const std::string& text, const std::vector<std::string>& path,
                             const std::string& field, const std::set<std::string>& locals,
                             std::set<std::size_t>& used) const {
  const auto& root = path[0];
  const std::string second = path.size() > 1 ? path[1] : "";
  const auto wrong = [&](const std::string& what) {
    return invalid_field(field, "$(" + api::cut_text(text, 100) + "): " + what);
  };
  if (root == "params") {
    return second.empty() || parameters_.count(second) > 0
               ? Status()
               : wrong("there is no parameter \"" + api::cut_text(second, 63) + "\"");
  }
  if (root == "steps") {
    return check_step(text, path, field, used);
  }
  if (root == "run") {
    return second.empty() || is_one_of(second, {"name", "namespace", "uid", "phase", "reason", "message"})
               ? Status()
               : wrong("a run has name, namespace, uid, phase, reason and message");
  }
  if (root == "workflow") {
    return second.empty() || second == "name" ? Status() : wrong("a workflow has name");
  }
  if (root == "event" || locals.count(root) > 0) {
    return {};
  }
  std::string known = "params, steps, run, workflow";
  for (const auto& local : locals) {
    known += ", " + local;
  }
  return wrong("there is no name \"" + api::cut_text(root, 63) + "\" here; there are " + known);
}

Status ReferenceCheck::check_step(const std::string& text, const std::vector<std::string>& path,
                                  const std::string& field, std::set<std::size_t>& used) const {
  const auto wrong = [&](const std::string& what) {
    return invalid_field(field, "$(" + api::cut_text(text, 100) + "): " + what);
  };
  if (path.size() < 2) {
    return wrong("name the step: steps.<name>.outputs, or steps['<name>'].outputs");
  }
  const auto position = definition_.find(path[1]);
  if (!position) {
    return wrong("there is no step \"" + api::cut_text(path[1], 63) + "\"" +
                 bracket_hint(definition_, text, path[1]));
  }
  if (path.size() > 2 && !is_one_of(path[2], {"phase", "outputs", "reason", "message"})) {
    return wrong("a step has phase and outputs, reason and message");
  }
  used.insert(*position);
  return {};
}

StepCheck::StepCheck(Definition& definition, const std::set<std::string>& parameters,
                     const Ancestors& ancestors, const std::string& path, std::size_t step)
    : definition_(definition),
      names_(definition, parameters),
      ancestors_(ancestors),
      path_(path),
      i_(step),
      step_(definition.spec.steps[step]) {}

Status StepCheck::check() {
  using Part = Status (StepCheck::*)();
  for (const Part part : {&StepCheck::check_for_each, &StepCheck::check_repeat, &StepCheck::check_kind,
                          &StepCheck::check_compensation, &StepCheck::check_transitions}) {
    if (auto status = (this->*part)(); !status) {
      return status;
    }
  }
  if (auto status = compile(step_.when, ".when", Uses::Before, {}, definition_.programs[i_].when); !status) {
    return status;
  }
  definition_.used_steps[i_].assign(used_.begin(), used_.end());
  return {};
}

Status StepCheck::check_kind() {
  const int kinds = (step_.task.empty() ? 0 : 1) + (step_.approval ? 1 : 0) + (step_.wait ? 1 : 0) +
                    (step_.workflow ? 1 : 0);
  if (kinds > 1) {
    return invalid("", "a step is one of task, approval, wait and workflow, not several");
  }
  const bool has_children = !step_.approval && !step_.wait;
  if (!has_children && (step_.for_each || step_.repeat)) {
    return invalid(step_.for_each ? ".forEach" : ".repeat", "only a task or a workflow runs several times");
  }
  if (step_.retry && !has_children) {
    return invalid(".retry", "only a task or a workflow is tried again");
  }
  if (step_.approval) {
    return check_approval();
  }
  if (step_.wait) {
    return check_wait();
  }
  return step_.workflow ? check_sub_workflow() : check_task(step_.task, ".task", Uses::Before, used_);
}

Status StepCheck::check_task(const api::RawJson& text, const std::string& name, Uses uses,
                             std::set<std::size_t>& used) {
  const std::string field = step_field(definition_, i_, path_, name);
  const auto task = parse_json(text);
  if (!task || !task->is_object()) {
    return invalid(name, "a step needs a task, which is an object");
  }
  const auto type = task->find("type");
  if (type == task->end() || !type->is_string() || type->get_ref<const std::string&>().empty()) {
    return invalid_field(field + ".type", "a task needs a type, which is a string");
  }
  for (const char* forbidden : {"suspend", "cancel", "ttlAfterFinished"}) {
    if (task->contains(forbidden)) {
      return invalid_field(field + "." + forbidden, "a step's Task lives, stops and ends with its run");
    }
  }
  const auto agent = task->find("agentName");
  if (agent != task->end() && agent->is_string() && !agent->get_ref<const std::string&>().empty()) {
    if (const auto problem = name_problem(*agent, "an Agent"); !problem.empty()) {
      return invalid_field(field + ".agentName", problem);
    }
  }
  if (auto status = check_forms(*task, field); !status) {
    return status;
  }
  const auto templated = check_template(*task, name, uses, used);
  if (!templated) {
    return templated.error();
  }
  if (!*templated) {  // the whole spec is known already, so a wrong type need not wait for a run
    std::vector<std::string> malformed;
    api::task_spec_from_json(*task, field, malformed);
    if (!malformed.empty()) {
      return Error{ErrorCode::Invalid, malformed.front(), reason::kInvalidDefinition};
    }
  }
  return {};
}

// Of what may hold placeholders, and so is free text to the API server.
Status StepCheck::check_forms(const Json& task, const std::string& field) {
  for (const auto& lock : task.value("locks", Json::array())) {
    const auto name = lock.is_object() ? lock.find("name") : lock.end();
    if (name != lock.end() && name->is_string()) {
      if (const auto problem = name_problem(*name, "a lock"); !problem.empty()) {
        return invalid_field(field + ".locks", problem);
      }
    }
  }
  const auto not_before = task.find("notBefore");
  if (not_before != task.end() && not_before->is_string() && !has_placeholder(*not_before) &&
      !parse_time(not_before->get_ref<const std::string&>())) {
    return invalid_field(field + ".notBefore", "expected a time such as \"2026-01-31T08:00:00Z\"");
  }
  return {};
}

Status StepCheck::check_approval() {
  const auto& approvers = step_.approval->approvers;
  bool templated = false;
  for (const auto& approver : approvers) {
    templated = templated || has_placeholder(approver);
    if (auto status = check_text(approver, ".approval.approvers"); !status) {
      return status;
    }
  }
  const std::set<std::string> different(approvers.begin(), approvers.end());
  if (!different.empty() && !templated &&
      static_cast<std::size_t>(step_.approval->required) > different.size()) {
    return invalid(".approval.required", std::to_string(step_.approval->required) + " approvals of " +
                                             std::to_string(different.size()) +
                                             " approvers can never be had");
  }
  return step_.timeout ? Status(invalid(".timeout", "use approval.timeout")) : Status();
}

Status StepCheck::check_wait() {
  const auto& wait = *step_.wait;
  const int kinds = (wait.duration.empty() ? 0 : 1) + (wait.until.empty() ? 0 : 1) + (wait.event ? 1 : 0);
  if (kinds != 1) {
    return invalid(".wait", "give exactly one of duration, until and event");
  }
  if (!wait.duration.empty() && !has_placeholder(wait.duration) && !parse_duration(wait.duration)) {
    return invalid(".wait.duration", "expected a duration such as \"90s\" or \"1h30m\"");
  }
  if (auto status = check_text(wait.duration, ".wait.duration"); !status) {
    return status;
  }
  auto& programs = definition_.programs[i_];
  if (wait.event) {
    if (wait.event->type.empty()) {
      return invalid(".wait.event.type", "an event has a type");
    }
    return compile(wait.event->filter, ".wait.event.filter", Uses::Before, {}, programs.event_filter);
  }
  return compile(wait.until, ".wait.until", Uses::Before, {"now"}, programs.wait_until);
}

Status StepCheck::check_sub_workflow() {
  if (step_.workflow->name.empty()) {
    return invalid(".workflow.name", "name the Workflow to run");
  }
  if (const auto problem = name_problem(step_.workflow->name, "a Workflow"); !problem.empty()) {
    return invalid(".workflow.name", problem);
  }
  if (auto status = check_text(step_.workflow->name, ".workflow.name"); !status) {
    return status;
  }
  if (step_.workflow->parameters.empty()) {
    return {};
  }
  const auto parameters = parse_json(step_.workflow->parameters);
  if (!parameters || !parameters->is_object()) {
    return invalid(".workflow.parameters", "expected an object");
  }
  const auto checked = check_template(*parameters, ".workflow.parameters", Uses::Before, used_);
  return checked ? Status() : checked.error();
}

Status StepCheck::check_for_each() {
  if (!step_.for_each) {
    return {};
  }
  const auto& for_each = *step_.for_each;
  const bool ranged = !for_each.range_from.empty() || !for_each.range_to.empty();
  if (for_each.items.empty() == !ranged) {
    return invalid(".forEach", "give either items, or range with from and to");
  }
  if (ranged && (for_each.range_from.empty() || for_each.range_to.empty())) {
    return invalid(".forEach.range", "give both from and to");
  }
  if (!is_identifier(for_each.as) ||
      is_one_of(for_each.as, {"params", "steps", "run", "workflow", "event", "index", "now", "iteration"})) {
    return invalid(".forEach.as", "expected a name of letters, digits and \"_\" that means nothing else");
  }
  for (const auto& [text, name] :
       {std::pair(for_each.items, ".forEach.items"), std::pair(for_each.range_from, ".forEach.range.from"),
        std::pair(for_each.range_to, ".forEach.range.to")}) {
    const auto value = text.empty() ? Result<Json>(Json()) : parse_json(text);
    if (!value) {
      return invalid(name, value.error().message);
    }
    const auto references = expression::references(*value, step_field(definition_, i_, path_, name));
    if (!references) {
      return references.error();
    }
    if (auto status =
            check_names(*references, step_field(definition_, i_, path_, name), Uses::Before, {}, used_);
        !status) {
      return status;
    }
    if (name == std::string(".forEach.items") && !text.empty() && !value->is_array() && !value->is_object() &&
        references->empty()) {
      return invalid(name, "expected a list, a map, or a placeholder that gives one");
    }
  }
  return {};
}

Status StepCheck::check_repeat() {
  if (!step_.repeat) {
    return {};
  }
  if (definition_.is_state_machine() && !definition_.is_finally(i_)) {
    return invalid(".repeat", "in mode StateMachine a transition to the step itself repeats it");
  }
  if (step_.repeat->until.empty()) {
    return invalid(".repeat.until", "say when to stop");
  }
  return compile(step_.repeat->until, ".repeat.until", Uses::BeforeAndItself, locals(),
                 definition_.programs[i_].repeat_until);
}

Status StepCheck::check_compensation() {
  if (step_.compensate.empty()) {
    return {};
  }
  if (definition_.is_finally(i_)) {
    return invalid(".compensate", "what finally does is not undone");
  }
  std::set<std::size_t> used;
  if (auto status = check_task(step_.compensate, ".compensate", Uses::Any, used); !status) {
    return status;
  }
  definition_.undo_steps[i_].assign(used.begin(), used.end());
  return {};
}

Status StepCheck::check_transitions() {
  auto& programs = definition_.programs[i_].transitions;
  if (!step_.transitions.empty() && (!definition_.is_state_machine() || definition_.is_finally(i_))) {
    return invalid(".transitions",
                   "only mode StateMachine has transitions; elsewhere dependsOn says what comes next");
  }
  for (std::size_t t = 0; t < step_.transitions.size(); ++t) {
    const std::string name = ".transitions[" + std::to_string(t) + "]";
    const auto target = definition_.find(step_.transitions[t].to);
    if (!target || definition_.is_finally(*target)) {
      return invalid(name + ".to", "there is no step \"" + api::cut_text(step_.transitions[t].to, 63) + "\"");
    }
    cel::ProgramPtr program;
    if (auto status = compile(step_.transitions[t].when, name + ".when", Uses::Any, {}, program); !status) {
      return status;
    }
    programs.push_back(std::move(program));
  }
  return {};
}

Status StepCheck::check_names(const std::vector<expression::Reference>& references, const std::string& field,
                              Uses uses, const std::set<std::string>& locals,
                              std::set<std::size_t>& used) const {
  std::set<std::size_t> named;
  for (const auto& reference : references) {
    if (auto status = names_.check(reference.text, reference.path, field, locals, named); !status) {
      return status;
    }
  }
  const bool free = uses == Uses::Any || (definition_.is_state_machine() && !definition_.is_finally(i_));
  for (const std::size_t other : named) {
    const bool ended = ancestors_.contains(i_, other) ||
                       (definition_.is_finally(i_) && !definition_.is_finally(other)) ||
                       (other == i_ && uses == Uses::BeforeAndItself);
    if (!free && !ended) {
      return not_before(other, field);
    }
  }
  used.insert(named.begin(), named.end());
  return {};
}

Result<bool> StepCheck::check_template(const Json& value, const std::string& name, Uses uses,
                                       std::set<std::size_t>& used) const {
  const std::string field = step_field(definition_, i_, path_, name);
  const auto references = expression::references(value, field);
  if (!references) {
    return references.error();
  }
  if (auto status = check_names(*references, field, uses, locals(), used); !status) {
    return status.error();
  }
  return !references->empty();
}

Status StepCheck::check_text(const std::string& text, const std::string& name) {
  const auto checked = check_template(text, name, Uses::Before, used_);
  return checked ? Status() : checked.error();
}

Status StepCheck::compile(const std::string& text, const std::string& name, Uses uses,
                          const std::set<std::string>& locals, cel::ProgramPtr& program) {
  if (text.empty()) {
    return {};
  }
  const std::string field = step_field(definition_, i_, path_, name);
  auto compiled = cel::Program::compile(text);
  if (!compiled) {
    return compiled.error().with_context(field);
  }
  std::vector<expression::Reference> references;
  for (const auto& reference : (*compiled)->references()) {
    references.push_back({text, reference.path});
  }
  program = std::move(*compiled);
  return check_names(references, field, uses, locals, used_);
}

std::set<std::string> StepCheck::locals() const {
  std::set<std::string> names;
  if (step_.for_each) {
    names = {step_.for_each->as, "index"};
  }
  if (step_.repeat || (definition_.is_state_machine() && !definition_.is_finally(i_))) {
    names.insert("iteration");
  }
  return names;
}

Error StepCheck::invalid(const std::string& name, const std::string& what) const {
  return invalid_field(step_field(definition_, i_, path_, name), what);
}

Error StepCheck::not_before(std::size_t other, const std::string& field) const {
  const auto& name = definition_.step(other).name;
  std::string what = "uses step \"" + name + "\", which need not be done before it";
  if (other == i_) {
    what = "a step cannot use its own outputs";
  } else if (definition_.spec.mode == api::WorkflowMode::Graph || definition_.is_finally(i_)) {
    what += ": add \"" + name + "\" to dependsOn";
  } else if (definition_.spec.mode == api::WorkflowMode::Parallel) {
    what += ": mode Parallel starts all steps at once; use mode Graph";
  } else {
    what += ": mode Sequential runs it later";
  }
  return invalid_field(field, what);
}

}  // namespace convoke::workflow
