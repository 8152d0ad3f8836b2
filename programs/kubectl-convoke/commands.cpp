#include "programs/kubectl-convoke/commands.h"

#include <map>
#include <ostream>

#include "programs/kubectl-convoke/change.h"
#include "programs/kubectl-convoke/definition_lookup.h"
#include "programs/kubectl-convoke/graph.h"
#include "programs/kubectl-convoke/json_view.h"
#include "programs/kubectl-convoke/lint.h"
#include "programs/kubectl-convoke/plan.h"
#include "programs/kubectl-convoke/start.h"
#include "programs/kubectl-convoke/tree.h"
#include "programs/kubectl-convoke/watch.h"
#include "programs/kubectl-convoke/why.h"
#include "programs/kubectl-convoke/yaml_document.h"
#include "reconcilers/api/workflow_run.h"

namespace convoke::plugin {
namespace {

std::string pretty(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

// A definition that a manifest holds: that of the first Workflow, or of the first run with one of its own.
// NOLINTNEXTLINE(bugprone-exception-escape): moving a Json checks an invariant and throws nothing.
struct Definition {
  std::string name;
  std::string namespace_;
  Json spec;
  Json parameters;  // of the run
};

Result<Definition> definition_of_file(const std::string& file, std::istream& in) {
  const auto text = read_file(file, in);
  if (!text) return text.error();
  const auto documents = parse_yaml(*text, file);
  if (!documents) return documents.error();
  Definition found;
  for (const auto& document : *documents) {
    const Json& value = document.value;
    const auto kind = text_at(value, "/kind");
    if (kind == "Workflow" && found.spec.is_null()) {
      found.name = name_of(value);
      found.namespace_ = text_at(value, "/metadata/namespace");
      found.spec = value_at(value, "/spec");
    }
    if (kind != "WorkflowRun") continue;
    const Json& own = value_at(value, "/spec/workflowSpec");
    if (own.is_object() && found.spec.is_null()) {
      found = {name_of(value), text_at(value, "/metadata/namespace"), own, {}};
      if (found.name.empty()) found.name = text_at(value, "/metadata/generateName");
    }
    // A run of the Workflow before it, or its own.
    const bool same = own.is_object() || text_at(value, "/spec/workflowName") == found.name;
    if (same && found.parameters.is_null()) found.parameters = value_at(value, "/spec/parameters");
  }
  if (!found.spec.is_null()) return found;
  return Error{ErrorCode::Invalid, file + " holds no Workflow, and no WorkflowRun with a workflowSpec"};
}

GraphFormat format_of(const Invocation& invocation) {
  return invocation.output == "dot" ? GraphFormat::Dot : GraphFormat::Mermaid;
}

Result<int> graph_of_file(const Invocation& invocation, std::istream& in, std::ostream& out) {
  const auto definition = definition_of_file(invocation.files.front(), in);
  if (!definition) return definition.error();
  out << draw(view_of(definition->name, definition->spec), {}, format_of(invocation));
  return kDone;
}

Result<int> graph(const Context& context, const Invocation& invocation) {
  const auto found = context.cluster.find_any({&api::kWorkflow, &api::kWorkflowRun}, invocation.target);
  if (!found) return found.error();
  std::map<std::string, std::string> phases;
  if (*found->type == api::kWorkflow) {
    const auto view = view_of(name_of(found->object), value_at(found->object, "/spec"));
    context.out << draw(view, phases, format_of(invocation));
    return kDone;
  }
  const auto definition = definition_of_run(context.cluster, found->object);
  if (!definition) return definition.error();
  if (definition->spec.is_null()) {
    return Error{ErrorCode::NotFound,
                 "the definition of run " + name_of(found->object) + " does not exist any more"};
  }
  for (const auto& row : objects_at(found->object, "/status/steps")) {
    phases[text_at(row, "/name")] = text_at(row, "/phase");
  }
  context.out << draw(view_of(name_of(found->object), definition->spec), phases, format_of(invocation));
  return kDone;
}

Result<int> plan(const Invocation& invocation, const Style& style, std::istream& in, std::ostream& out,
                 const std::optional<std::vector<api::Agent>>& agents, const std::string& namespace_) {
  const auto definition = definition_of_file(invocation.files.front(), in);
  if (!definition) return definition.error();
  const auto given = typed_parameters(definition->spec, definition->parameters, invocation.parameters);
  if (!given) return given.error();
  const auto plan = make_plan(definition->name, namespace_, definition->spec, *given, agents);
  if (!plan) {
    Error error = plan.error();
    error.message = invocation.files.front() + ": " + error.message;
    return error;
  }
  if (invocation.json()) {
    out << pretty(plan_json(*plan)) << "\n";
  } else {
    for (const auto& line : plan_lines(*plan, style)) out << line << "\n";
  }
  return kDone;
}

Result<int> plan_on_cluster(const Context& context, const Invocation& invocation, std::istream& in) {
  const auto objects = context.cluster.list(api::kAgent);
  if (!objects) return objects.error();
  std::vector<api::Agent> agents;
  for (const auto& object : *objects) agents.push_back(api::Agent::from_json(object));
  return plan(invocation, context.style, in, context.out, agents, context.cluster.namespace_name());
}

Result<int> start(const Context& context, const Invocation& invocation, std::istream& in,
                  const TreeOptions& options) {
  StartRequest request;
  request.workflow =
      invocation.target.starts_with("workflow/") ? invocation.target.substr(9) : invocation.target;
  request.parameters = invocation.parameters;
  request.name = invocation.name;
  request.revision = invocation.revision;
  request.dry_run = invocation.dry_run;
  request.wait = invocation.wait;
  if (!invocation.parameters_file.empty()) {
    const auto text = read_file(invocation.parameters_file, in);
    if (!text) return text.error();
    const auto documents = parse_yaml(*text, invocation.parameters_file);
    if (!documents) return documents.error();
    if (documents->size() > 1)
      return Error{ErrorCode::Invalid, invocation.parameters_file + ": holds several documents"};
    if (!documents->empty()) request.parameters_of_file = documents->front().value;
  }
  return start_run(context, request, options);
}

}  // namespace

bool is_offline(const Invocation& invocation) {
  return invocation.command == Command::Lint || (invocation.command == Command::Plan && invocation.offline) ||
         (invocation.command == Command::Graph && !invocation.files.empty());
}

Result<int> run_offline(const Invocation& invocation, const Style& style, std::istream& in, std::ostream& out,
                        std::ostream& err) {
  if (invocation.command == Command::Lint) {
    return run_lint({invocation.files, invocation.strict, invocation.json()}, style, in, out, err);
  }
  if (invocation.command == Command::Graph) return graph_of_file(invocation, in, out);
  return plan(invocation, style, in, out, std::nullopt, invocation.namespace_);
}

Result<int> run_command(const Context& context, const Invocation& invocation, std::istream& in) {
  TreeOptions tree;
  if (invocation.all) tree.max_children = 0;
  switch (invocation.command) {
    case Command::Tree:
      return show_tree(context, invocation.target, tree);
    case Command::Watch:
      return watch_run(context, invocation.target, tree);
    case Command::Graph:
      return graph(context, invocation);
    case Command::Why:
      return why(context, invocation.target);
    case Command::Approve:
    case Command::Reject:
      return decide_approval(context, {invocation.target, invocation.step,
                                       invocation.command == Command::Approve, invocation.text});
    case Command::Cancel:
      return cancel(context, {invocation.target, invocation.text, invocation.compensate});
    case Command::Suspend:
    case Command::Resume:
      return set_suspended(context, invocation.target, invocation.command == Command::Suspend);
    case Command::Retry:
      return retry(context, {invocation.target, invocation.steps});
    case Command::Run:
      return start(context, invocation, in, tree);
    case Command::Plan:
      return plan_on_cluster(context, invocation, in);
    case Command::Lint:
      break;
  }
  return Error{ErrorCode::Internal, "this command needs no cluster"};
}

}  // namespace convoke::plugin
