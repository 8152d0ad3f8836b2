#include "reconcilers/workflow/definition.h"

#include <algorithm>
#include <set>
#include <utility>

#include "reconcilers/expression/template.h"
#include "reconcilers/workflow/graph.h"
#include "reconcilers/workflow/parameters.h"

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

bool is_one_of(const std::string& name, std::initializer_list<const char*> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Checks one spec, from its parts to the whole; the first error ends it.
class Checker {
 public:
  Checker(api::WorkflowSpec spec, std::string path)
      : path_(std::move(path)), definition_(std::make_shared<Definition>()) {
    definition_->spec = std::move(spec);
  }

  Result<DefinitionPtr> check() {
    using Part = Status (Checker::*)();
    for (const Part part : {&Checker::check_parameters, &Checker::check_steps, &Checker::build_graph,
                            &Checker::order_steps, &Checker::check_tasks, &Checker::check_outputs}) {
      if (auto status = (this->*part)(); !status) {
        return status.error();
      }
    }
    return DefinitionPtr(std::move(definition_));
  }

 private:
  const api::WorkflowSpec& spec() const { return definition_->spec; }

  std::string step_field(std::size_t i, const std::string& field) const {
    const auto& name = spec().steps[i].name;
    return path_ + ".steps[" + (name.empty() ? std::to_string(i) : api::cut_text(name, kMaxStepNameLength)) +
           "]" + field;
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

  Status check_steps() {
    if (spec().steps.empty()) {
      return invalid(path_ + ".steps", "a workflow needs at least one step");
    }
    if (spec().steps.size() > kMaxSteps) {
      return invalid(path_ + ".steps", "a workflow has at most " + std::to_string(kMaxSteps) +
                                           " steps, got " + std::to_string(spec().steps.size()));
    }
    for (std::size_t i = 0; i < spec().steps.size(); ++i) {
      const auto& name = spec().steps[i].name;
      if (!is_step_name(name)) {
        return invalid(
            step_field(i, ".name"),
            "a step's name has 1 to 63 lower-case letters, digits and \"-\", and neither begins nor ends "
            "with \"-\"");
      }
      if (!definition_->positions.emplace(name, i).second) {
        return invalid(step_field(i, ".name"), "there are two steps of this name");
      }
    }
    return {};
  }

  Status build_graph() {
    auto& graph = definition_->dependencies;
    graph.resize(spec().steps.size());
    for (std::size_t i = 0; i < graph.size(); ++i) {
      const auto& depends_on = spec().steps[i].depends_on;
      if (spec().mode == api::WorkflowMode::Parallel && !depends_on.empty()) {
        return invalid(step_field(i, ".dependsOn"), "mode Parallel starts all steps at once; use mode Graph");
      }
      std::set<std::size_t> edges;
      for (const auto& name : depends_on) {
        const auto dependency = definition_->find(name);
        if (!dependency) {
          return invalid(step_field(i, ".dependsOn"), "there is no step \"" + api::cut_text(name, 63) + "\"");
        }
        edges.insert(*dependency);
      }
      if (spec().mode == api::WorkflowMode::Sequential && i > 0) {
        edges.insert(i - 1);
      }
      graph[i].assign(edges.begin(), edges.end());
    }
    return {};
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
    return invalid(step_field(cycle[0], ".dependsOn"),
                   "cycle, each step waits for the next: " + path + spec().steps[cycle[0]].name);
  }

  Status check_tasks() {
    const Ancestors ancestors(definition_->dependencies, definition_->order);
    definition_->used_steps.resize(spec().steps.size());
    for (std::size_t i = 0; i < spec().steps.size(); ++i) {
      if (auto status = check_task(i, ancestors); !status) {
        return status;
      }
    }
    return {};
  }

  Status check_task(std::size_t i, const Ancestors& ancestors) {
    const std::string field = step_field(i, ".task");
    const auto task = parse_json(spec().steps[i].task);
    if (!task || !task->is_object()) {
      return invalid(field, "a step needs a task, which is an object");
    }
    const auto type = task->find("type");
    if (type == task->end() || !type->is_string() || type->get_ref<const std::string&>().empty()) {
      return invalid(field + ".type", "a task needs a type, which is a string");
    }
    for (const char* name : {"suspend", "cancel", "ttlAfterFinished"}) {
      if (task->contains(name)) {
        return invalid(field + "." + name, "a step's Task lives, stops and ends with its run");
      }
    }
    const auto references = expression::references(*task, field);
    if (!references) {
      return references.error();
    }
    if (references->empty()) {
      return check_plain_task(*task, field);
    }
    std::set<std::size_t> used;
    for (const auto& reference : *references) {
      if (auto status = check_reference(reference, field, used); !status) {
        return status;
      }
    }
    for (const std::size_t other : used) {
      if (!ancestors.contains(i, other)) {
        return not_a_dependency(i, other);
      }
    }
    definition_->used_steps[i].assign(used.begin(), used.end());
    return {};
  }

  // Without placeholders the whole spec is known already, so a wrong type need not wait for a run.
  static Status check_plain_task(const Json& task, const std::string& field) {
    std::vector<std::string> malformed;
    api::task_spec_from_json(task, field, malformed);
    if (!malformed.empty()) {
      return Error{ErrorCode::Invalid, malformed.front(), "InvalidDefinition"};
    }
    return {};
  }

  Error not_a_dependency(std::size_t i, std::size_t other) const {
    const auto& name = spec().steps[other].name;
    std::string what = "uses step \"" + name + "\", which need not be done before it";
    if (other == i) {
      what = "a step cannot use its own outputs";
    } else if (spec().mode == api::WorkflowMode::Graph) {
      what += ": add \"" + name + "\" to dependsOn";
    } else if (spec().mode == api::WorkflowMode::Parallel) {
      what += ": mode Parallel starts all steps at once; use mode Graph";
    } else {
      what += ": mode Sequential runs it later";
    }
    return invalid(step_field(i, ".task"), what);
  }

  Status check_reference(const expression::Reference& reference, const std::string& field,
                         std::set<std::size_t>& used) const {
    const auto& root = reference.path[0];
    const std::string second = reference.path.size() > 1 ? reference.path[1] : "";
    const auto wrong = [&](const std::string& what) {
      return invalid(field, "$(" + api::cut_text(reference.text, 100) + "): " + what);
    };
    if (root == "params") {
      return second.empty() || parameter_names_.count(second) > 0
                 ? Status()
                 : wrong("there is no parameter \"" + api::cut_text(second, 63) + "\"");
    }
    if (root == "steps") {
      return check_step_reference(reference, wrong, used);
    }
    if (root == "run") {
      return second.empty() || is_one_of(second, {"name", "namespace", "uid"})
                 ? Status()
                 : wrong("a run has name, namespace and uid");
    }
    if (root == "workflow") {
      return second.empty() || second == "name" ? Status() : wrong("a workflow has name");
    }
    return wrong("there is no name \"" + api::cut_text(root, 63) +
                 "\" here; there are params, steps, run, workflow");
  }

  template <class Wrong>
  Status check_step_reference(const expression::Reference& reference, const Wrong& wrong,
                              std::set<std::size_t>& used) const {
    if (reference.path.size() < 2) {
      return wrong("name the step: steps.<name>.outputs, or steps['<name>'].outputs");
    }
    const auto position = definition_->find(reference.path[1]);
    if (!position) {
      const bool may_be_cut = reference.text.find('-') != std::string::npos;
      return wrong("there is no step \"" + api::cut_text(reference.path[1], 63) + "\"" +
                   (may_be_cut ? "; a name with \"-\" stands in brackets: steps['unit-test']" : ""));
    }
    if (reference.path.size() > 2 && !is_one_of(reference.path[2], {"phase", "outputs"})) {
      return wrong("a step has phase and outputs");
    }
    used.insert(*position);
    return {};
  }

  Status check_outputs() {
    std::set<std::string> names;
    std::set<std::size_t> used;
    for (const auto& output : spec().outputs) {
      const std::string field = path_ + ".outputs[" + api::cut_text(output.name, 63) + "]";
      if (output.name.empty()) {
        return invalid(path_ + ".outputs", "every output needs a name");
      }
      if (!names.insert(output.name).second) {
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
        if (auto status = check_reference(reference, field + ".value", used); !status) {
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

std::optional<std::size_t> Definition::find(const std::string& name) const {
  const auto found = positions.find(name);
  return found == positions.end() ? std::nullopt : std::optional(found->second);
}

Result<DefinitionPtr> check_definition(api::WorkflowSpec spec, const std::string& path) {
  return Checker(std::move(spec), path).check();
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

DefinitionPtr names_only(const std::vector<std::string>& steps) {
  auto definition = std::make_shared<Definition>();
  for (const auto& name : steps) {
    definition->positions.emplace(name, definition->spec.steps.size());
    definition->order.push_back(definition->spec.steps.size());
    definition->spec.steps.push_back({name, {}, {}, {}, {}, false});
  }
  definition->dependencies.resize(steps.size());
  definition->used_steps.resize(steps.size());
  return definition;
}

}  // namespace convoke::workflow
