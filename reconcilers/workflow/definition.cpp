#include "reconcilers/workflow/definition.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "reconcilers/expression/template.h"
#include "reconcilers/workflow/graph.h"
#include "reconcilers/workflow/parameters.h"
#include "reconcilers/workflow/step_check.h"

namespace convoke::workflow {
namespace {

constexpr std::size_t kMaxStepNameLength = 63;

Error invalid(const std::string& field, const std::string& what) {
  return Error{ErrorCode::Invalid, field + ": " + what, "InvalidDefinition"};
}

bool is_step_name(const std::string& name) {
  const auto is_inner = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !name.empty() && name.size() <= kMaxStepNameLength && name.front() != '-' && name.back() != '-' &&
         std::all_of(name.begin(), name.end(), is_inner);
}

// Checks one spec, from its parts to the whole; the first error ends it.
class DefinitionChecker {
 public:
  DefinitionChecker(api::WorkflowSpec spec, std::string path)
      : path_(std::move(path)), definition_(std::make_shared<Definition>()) {
    definition_->spec = std::move(spec);
  }

  Result<DefinitionPtr> check() {
    using Part = Status (DefinitionChecker::*)();
    for (const Part part : {&DefinitionChecker::check_parameters, &DefinitionChecker::check_steps,
                            &DefinitionChecker::build_graph, &DefinitionChecker::order_steps,
                            &DefinitionChecker::check_each_step, &DefinitionChecker::check_approval_states,
                            &DefinitionChecker::check_outputs}) {
      if (auto status = (this->*part)(); !status) {
        return status.error();
      }
    }
    return DefinitionPtr(std::move(definition_));
  }

 private:
  const api::WorkflowSpec& spec() const { return definition_->spec; }

  bool is_finally(std::size_t i) const { return definition_->is_finally(i); }
  bool is_state_machine() const { return definition_->is_state_machine(); }
  std::string field(std::size_t i, const std::string& name) const {
    return step_field(*definition_, i, path_, name);
  }

  Status check_parameters() {
    for (const auto& parameter : spec().parameters) {
      const std::string field = path_ + ".parameters[" + api::cut_text(parameter.name, 63) + "]";
      if (parameter.name.empty()) {
        return invalid(path_ + ".parameters", "every parameter needs a name");
      }
      if (!parameter_names_.insert(parameter.name).second) {
        return invalid(field, "there are two parameters of this name");
      }
      if (auto status = check_allowed(parameter, field); !status) {
        return status;
      }
      if (parameter.default_value.empty()) {
        continue;
      }
      const auto value = parse_json(parameter.default_value);
      const auto problem = value ? check_value(parameter, *value) : value.error().message;
      if (!problem.empty()) {
        return invalid(field + ".default", problem);
      }
    }
    return {};
  }

  static Status check_allowed(const api::Parameter& parameter, const std::string& field) {
    api::Parameter without_enum = parameter;
    without_enum.allowed.clear();
    for (const auto& allowed : parameter.allowed) {
      const auto value = parse_json(allowed);
      const auto problem = value ? check_value(without_enum, *value) : value.error().message;
      if (!problem.empty()) {
        return invalid(field + ".enum", problem);
      }
    }
    return {};
  }

  // One list for all steps, so that everything else goes by position.
  Status check_steps() {
    auto& steps = definition_->spec.steps;
    auto& finally = definition_->spec.finally;
    if (steps.empty()) {
      return invalid(path_ + ".steps", "a workflow needs at least one step");
    }
    if (steps.size() + finally.size() > kMaxSteps) {
      return invalid(path_ + ".steps", "a workflow has at most " + std::to_string(kMaxSteps) +
                                           " steps, got " + std::to_string(steps.size() + finally.size()));
    }
    definition_->main_steps = steps.size();
    std::move(finally.begin(), finally.end(), std::back_inserter(steps));
    finally.clear();
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const auto& name = steps[i].name;
      if (!is_step_name(name)) {
        return invalid(
            field(i, ".name"),
            "a step's name has 1 to 63 lower-case letters, digits and \"-\", and neither begins nor ends "
            "with \"-\"");
      }
      if (!definition_->positions.emplace(name, i).second) {
        return invalid(field(i, ".name"), "there are two steps of this name");
      }
    }
    return {};
  }

  Status build_graph() {
    definition_->needs.resize(definition_->size());
    definition_->dependencies.resize(definition_->size());
    for (std::size_t i = 0; i < definition_->size(); ++i) {
      if (auto status = read_dependencies(i); !status) {
        return status;
      }
      auto& needs = definition_->needs[i];
      const bool in_sequence = spec().mode == api::WorkflowMode::Sequential && i > 0 && !is_finally(i);
      const bool named =
          std::any_of(needs.begin(), needs.end(), [&](const auto& n) { return n.step + 1 == i; });
      if (in_sequence && !named) {
        needs.push_back({i - 1, Needed::Done});
      }
      std::set<std::size_t> edges;
      for (const auto& need : needs) {
        edges.insert(need.step);
      }
      definition_->dependencies[i].assign(edges.begin(), edges.end());
    }
    return {};
  }

  Status read_dependencies(std::size_t i) {
    const auto& depends_on = spec().steps[i].depends_on;
    const std::string where = field(i, ".dependsOn");
    const bool free = is_finally(i) || (spec().mode != api::WorkflowMode::Parallel && !is_state_machine());
    if (!free && !depends_on.empty()) {
      return invalid(where, is_state_machine() ? "in mode StateMachine transitions say what comes next"
                                               : "mode Parallel starts all steps at once; use mode Graph");
    }
    std::map<std::size_t, Needed> needs;
    for (const auto& text : depends_on) {
      const auto need = read_dependency(i, text, where);
      if (!need) {
        return need.error();
      }
      const auto [known, is_new] = needs.emplace(need->step, need->needed);
      if (!is_new && known->second != need->needed) {
        return invalid(where, "step \"" + spec().steps[need->step].name + "\" is named with two outcomes");
      }
    }
    for (const auto& [step, needed] : needs) {
      definition_->needs[i].push_back({step, needed});
    }
    return {};
  }

  Result<Dependency> read_dependency(std::size_t i, const std::string& text, const std::string& where) const {
    const auto dot = text.find('.');
    const auto step = definition_->find(text.substr(0, dot));
    if (!step || (is_finally(i) && !is_finally(*step))) {
      return invalid(where, "there is no step \"" + api::cut_text(text.substr(0, dot), 63) + "\"" +
                                (step ? " in finally; all others have ended before" : ""));
    }
    if (!is_finally(i) && is_finally(*step)) {
      return invalid(where, "step \"" + spec().steps[*step].name + "\" stands in finally, which comes last");
    }
    if (dot == std::string::npos) {
      return Dependency{*step, Needed::Done};
    }
    const auto needed = needed_of(text.substr(dot + 1));
    if (!needed) {
      return invalid(where, "a step's outcome is Succeeded, Failed, Skipped, Cancelled or Ended, got \"" +
                                api::cut_text(text.substr(dot + 1), 63) + "\"");
    }
    const bool never = *needed == Needed::Failed && !spec().steps[*step].optional && !is_finally(i) &&
                       spec().on_failure != api::FailurePolicy::Continue;
    if (never) {
      return invalid(where, "with onFailure " + std::string(api::to_string(spec().on_failure)) +
                                " nothing starts after a failure: make step \"" + spec().steps[*step].name +
                                "\" optional, or use onFailure Continue, or finally");
    }
    return Dependency{*step, *needed};
  }

  static std::optional<Needed> needed_of(const std::string& text) {
    const std::pair<const char*, Needed> names[] = {{"Succeeded", Needed::Succeeded},
                                                    {"Failed", Needed::Failed},
                                                    {"Skipped", Needed::Skipped},
                                                    {"Cancelled", Needed::Cancelled},
                                                    {"Ended", Needed::Ended}};
    for (const auto& [name, needed] : names) {
      if (text == name) {
        return needed;
      }
    }
    return std::nullopt;
  }

  Status order_steps() {
    const auto& graph = definition_->dependencies;
    definition_->order = topological_order(graph);
    if (definition_->order.size() == graph.size()) {
      return {};
    }
    const auto cycle = find_cycle(graph, definition_->order);
    constexpr std::size_t kShown = 10;
    std::string path;
    for (std::size_t i = 0; i < std::min(cycle.size(), kShown); ++i) {
      path += spec().steps[cycle[i]].name + " → ";
    }
    if (cycle.size() > kShown) {
      path += "... (" + std::to_string(cycle.size()) + " steps) → ";
    }
    return invalid(field(cycle[0], ".dependsOn"),
                   "cycle, each step waits for the next: " + path + spec().steps[cycle[0]].name);
  }

  Status check_each_step() {
    const Ancestors ancestors(definition_->dependencies, definition_->order);
    definition_->used_steps.resize(definition_->size());
    definition_->undo_steps.resize(definition_->size());
    definition_->programs.resize(definition_->size());
    for (std::size_t i = 0; i < definition_->size(); ++i) {
      if (auto status = StepCheck(*definition_, parameter_names_, ancestors, path_, i).check(); !status) {
        return status;
      }
    }
    return {};
  }

  // What somebody said on a state would count again each time the state is reached.
  Status check_approval_states() {
    for (std::size_t i = 0; definition_->is_state_machine() && i < definition_->main_steps; ++i) {
      if (definition_->step(i).approval && can_come_back(i)) {
        return invalid(
            field(i, ".approval"),
            "this state can be reached again, and an approval counts once: let a `workflow` step start a "
            "Workflow with the approval, which is asked for anew each time");
      }
    }
    return {};
  }

  bool can_come_back(std::size_t state) const {
    std::set<std::size_t> reached;
    std::vector<std::size_t> next = {state};
    while (!next.empty()) {
      const auto from = next.back();
      next.pop_back();
      for (const auto& transition : definition_->step(from).transitions) {
        const auto to = definition_->find(transition.to);
        if (to == state) {
          return true;
        }
        if (to && reached.insert(*to).second) {
          next.push_back(*to);
        }
      }
    }
    return false;
  }

  Status check_outputs() {
    const ReferenceCheck names(*definition_, parameter_names_);
    std::set<std::string> known;
    std::set<std::size_t> used;
    for (const auto& output : spec().outputs) {
      const std::string field = path_ + ".outputs[" + api::cut_text(output.name, 63) + "]";
      if (output.name.empty()) {
        return invalid(path_ + ".outputs", "every output needs a name");
      }
      if (!known.insert(output.name).second) {
        return invalid(field, "there are two outputs of this name");
      }
      const auto value = parse_json(output.value);
      if (!value) {
        return invalid(field + ".value", "an output needs a value");
      }
      const auto references = expression::references(*value, field + ".value");
      if (!references) {
        return references.error();
      }
      for (const auto& reference : *references) {
        if (auto status = names.check(reference.text, reference.path, field + ".value", {}, used); !status) {
          return status;
        }
      }
    }
    definition_->output_steps.assign(used.begin(), used.end());
    return {};
  }

  std::string path_;
  std::set<std::string> parameter_names_;
  std::shared_ptr<Definition> definition_;
};

}  // namespace

std::string step_field(const Definition& definition, std::size_t step, const std::string& path,
                       const std::string& field) {
  const bool finally = definition.is_finally(step);
  const auto& name = definition.step(step).name;
  return path + (finally ? ".finally[" : ".steps[") +
         (name.empty() ? std::to_string(finally ? step - definition.main_steps : step)
                       : api::cut_text(name, kMaxStepNameLength)) +
         "]" + field;
}

std::optional<std::size_t> Definition::find(const std::string& name) const {
  const auto found = positions.find(name);
  return found == positions.end() ? std::nullopt : std::optional(found->second);
}

Result<DefinitionPtr> check_definition(api::WorkflowSpec spec, const std::string& path) {
  return DefinitionChecker(std::move(spec), path).check();
}

Result<DefinitionPtr> parse_definition(const api::RawJson& spec, const std::string& path) {
  const auto json = parse_json(spec);
  if (!json) {
    return json.error().with_context(path);
  }
  std::vector<std::string> malformed;
  auto parsed = api::workflow_spec_from_json(*json, path, malformed);
  if (!malformed.empty()) {
    return Error{ErrorCode::Invalid, malformed.front(), "InvalidDefinition"};
  }
  return check_definition(std::move(parsed), path);
}

}  // namespace convoke::workflow
