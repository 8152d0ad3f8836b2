#include "programs/kubectl-convoke/commands.h"

#include <algorithm>
#include <functional>
#include <map>
#include <ostream>

#include "programs/kubectl-convoke/change.h"
#include "programs/kubectl-convoke/definition_lookup.h"
#include "programs/kubectl-convoke/finding_text.h"
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

GraphFormat format_of(const Invocation& invocation) {
  return invocation.output == "dot" ? GraphFormat::Dot : GraphFormat::Mermaid;
}

// What is wrong is drawn too: a cycle is best seen.
Result<int> graph_of_file(const Invocation& invocation, const Inputs& inputs, std::ostream& out,
                          std::ostream& err) {
  const auto& errors = inputs.manifests.errors;
  for (const auto& error : errors) err << to_line(error, Style{}) << "\n";
  const auto chosen = inputs.manifests.choose(invocation.workflow);
  if (!chosen && !errors.empty()) return kSaysNo;
  if (!chosen) return chosen.error();
  const auto& definition = chosen->front();
  if (definition.spec.is_null()) {
    return Error{ErrorCode::Invalid, "the file holds a run of Workflow " + definition.name +
                                         ", and not the Workflow: kubectl convoke graph workflow/" +
                                         definition.name + " draws that of the cluster"};
  }
  if (chosen->size() > 1) {
    err << "there are " << chosen->size() << " definitions; this is " << definition.name
        << " (--workflow chooses another)\n";
  }
  out << draw(view_of(definition.name, definition.spec), {}, format_of(invocation));
  return errors.empty() ? kDone : kSaysNo;
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

bool has_parameter(const Json& spec, const std::string& name) {
  const auto parameters = objects_at(spec, "/parameters");
  return std::any_of(parameters.begin(), parameters.end(),
                     [&](const Json& one) { return text_at(one, "/name") == name; });
}

// Of several definitions, each takes the parameters that it has; one that none has is an error of the first.
std::vector<std::string> parameters_for(const FileDefinition& definition,
                                        const std::vector<FileDefinition>& all,
                                        std::vector<std::string> texts) {
  if (all.size() == 1) return texts;
  std::erase_if(texts, [&](const std::string& text) {
    const auto name = text.substr(0, text.find('='));
    return !has_parameter(definition.spec, name) &&
           std::any_of(all.begin(), all.end(),
                       [&](const FileDefinition& one) { return has_parameter(one.spec, name); });
  });
  return texts;
}

Result<Plan> plan_one(const FileDefinition& definition, const std::vector<FileDefinition>& all,
                      const Invocation& invocation, const Surroundings& surroundings) {
  const auto given = typed_parameters(definition.spec, definition.parameters,
                                      parameters_for(definition, all, invocation.parameters));
  if (!given) return given.error();
  return make_plan({definition.name, definition.spec, *given, definition.is_inline}, surroundings);
}

// A run whose Workflow is not in the files, or that names a revision of it.
Status find_elsewhere(FileDefinition& definition, const Surroundings& surroundings) {
  if (!definition.spec.is_null()) return {};
  if (!definition.revision.empty() && surroundings.find_revision) {
    // Who may not read it, or names none that is there, is told so in the plan.
    auto kept = surroundings.find_revision(definition.revision);
    if (kept && *kept) {
      definition.spec = std::move(**kept);
      definition.revision.clear();
      return {};
    }
  }
  auto found = surroundings.find_workflow(definition.name);
  if (!found) return found.error();
  if (*found) definition.spec = std::move(**found);
  if (!definition.spec.is_null()) return {};
  return Error{ErrorCode::NotFound,
               definition.file + " holds a run of Workflow " + definition.name + ", which is not there" +
                   (surroundings.agents ? ", nor in namespace " + surroundings.namespace_
                                        : ": name its file too, or leave out --offline")};
}

// The name alone, where it says which one it is.
std::string title_of(const FileDefinition& definition, const std::vector<FileDefinition>& all) {
  const auto count = std::count_if(all.begin(), all.end(),
                                   [&](const FileDefinition& one) { return one.name == definition.name; });
  auto title = "Workflow " + definition.name;
  if (count < 2) return title;
  return title + " (" + definition.file +
         (definition.namespace_.empty() ? "" : ", namespace " + definition.namespace_) + ")";
}

void print_plans(const std::vector<Plan>& plans, const std::vector<FileDefinition>& definitions,
                 const Invocation& invocation, const Style& style, std::ostream& out) {
  if (invocation.json()) {
    Json json = {{"plans", Json::array()}};
    for (const auto& plan : plans) json["plans"].push_back(plan_json(plan));
    out << pretty(plans.size() == 1 ? json["plans"].front() : json) << "\n";
    return;
  }
  for (std::size_t i = 0; i < plans.size(); ++i) {
    if (plans.size() > 1)
      out << (i == 0 ? "" : "\n") << style.bold(title_of(definitions[i], definitions)) << "\n";
    for (const auto& line : plan_lines(plans[i], style)) out << line << "\n";
  }
}

// As kubectl has it: a flag does not move what a manifest places.
Status expect_namespace(const FileDefinition& definition, const Invocation& invocation) {
  const auto& asked = invocation.namespace_;
  if (asked.empty() || definition.namespace_ == asked) return {};
  return Error{ErrorCode::Invalid, definition.file + ": " + definition.name + " is in namespace " +
                                       definition.namespace_ + ", and not in " + asked + ": use -n " +
                                       definition.namespace_};
}

using SurroundingsOf = std::function<Result<Surroundings>(const std::string& its_namespace)>;
using SurroundingsByNamespace = std::map<std::string, Surroundings>;

Result<std::vector<Plan>> make_plans(std::vector<FileDefinition>& chosen, const Invocation& invocation,
                                     const SurroundingsOf& surroundings_of) {
  SurroundingsByNamespace around;
  for (auto& definition : chosen) {
    if (auto fits = expect_namespace(definition, invocation); !fits) return fits.error();
    if (!around.contains(definition.namespace_)) {
      auto made = surroundings_of(definition.namespace_);
      if (!made) return made.error();
      around.emplace(definition.namespace_, std::move(*made));
    }
    if (auto found = find_elsewhere(definition, around.at(definition.namespace_)); !found)
      return found.error();
  }
  std::vector<Plan> plans;
  for (const auto& definition : chosen) {
    auto made = plan_one(definition, chosen, invocation, around.at(definition.namespace_));
    if (!made) return made.error().with_context(definition.file + ": " + definition.name);
    made->revision_not_planned = definition.revision;
    plans.push_back(std::move(*made));
  }
  return plans;
}

Result<int> plan(const Invocation& invocation, const DefinitionFiles& manifests, const Style& style,
                 std::ostream& out, std::ostream& err, const SurroundingsOf& surroundings_of) {
  if (const auto& errors = manifests.errors; !errors.empty()) {
    if (invocation.json()) out << pretty(errors_json(errors)) << "\n";
    for (const auto& error : errors) err << to_line(error, Style{}) << "\n";
    return kSaysNo;
  }
  auto chosen = manifests.choose(invocation.workflow, invocation.namespace_);
  if (!chosen) return chosen.error();
  const auto plans = make_plans(*chosen, invocation, surroundings_of);
  if (!plans) return plans.error();
  print_plans(*plans, *chosen, invocation, style, out);
  return kDone;
}

FindWorkflow workflows_of_files(const DefinitionFiles& manifests, const std::string& its_namespace) {
  return [&manifests, its_namespace](const std::string& name) -> Result<std::optional<Json>> {
    Json spec = manifests.workflow(name, its_namespace);
    return spec.is_null() ? std::nullopt : std::optional(std::move(spec));
  };
}

Result<int> plan_offline(const Invocation& invocation, const Inputs& inputs, const Style& style,
                         std::ostream& out, std::ostream& err) {
  const auto manifests = inputs.manifests.placed_in(invocation.namespace_);
  return plan(
      invocation, manifests, style, out, err, [&](const std::string& its_namespace) -> Result<Surroundings> {
        return Surroundings{its_namespace, std::nullopt, workflows_of_files(manifests, its_namespace)};
      });
}

// What stands at `pointer` of the objects of that kind, each asked for once.
FindWorkflow part_of_objects(const Cluster& cluster, const kube::ResourceType& type, const char* pointer) {
  return [=, &type, known = std::map<std::string, std::optional<Json>>()](
             const std::string& name) mutable -> Result<std::optional<Json>> {
    if (const auto found = known.find(name); found != known.end()) return found->second;
    const auto object = cluster.find(type, name);
    if (!object) return object.error();
    auto& part = known[name];
    if (*object) part = value_at(**object, pointer);
    return part;
  };
}

Result<Surroundings> surroundings_on(const Cluster& cluster, const DefinitionFiles& manifests) {
  const auto objects = cluster.list(api::kAgent);
  if (!objects) return objects.error();
  const auto& its_namespace = cluster.namespace_name();
  Surroundings surroundings{its_namespace, std::vector<api::Agent>()};
  for (const auto& object : *objects) surroundings.agents->push_back(api::Agent::from_json(object));
  surroundings.find_workflow = [of_files = workflows_of_files(manifests, its_namespace),
                                of_cluster = part_of_objects(cluster, api::kWorkflow, "/spec")](
                                   const std::string& name) -> Result<std::optional<Json>> {
    if (auto here = of_files(name); here && *here) return here;
    return of_cluster(name);
  };
  surroundings.find_revision = part_of_objects(cluster, api::kControllerRevision, "/data");
  return surroundings;
}

Result<int> plan_on_cluster(const Context& context, const Invocation& invocation, const Inputs& inputs) {
  const auto manifests = inputs.manifests.placed_in(context.cluster.namespace_name());
  return plan(invocation, manifests, context.style, context.out, context.err,
              [&](const std::string& its_namespace) -> Result<Surroundings> {
                auto made = surroundings_on({context.cluster.client(), its_namespace}, manifests);
                if (!made) return without_cluster(made.error(), invocation);
                return made;
              });
}

StartOptions start_options(const Invocation& invocation) {
  return {invocation.parameters, invocation.name, invocation.revision, invocation.dry_run, invocation.wait};
}

Result<int> start(const Context& context, const Invocation& invocation, const Inputs& inputs,
                  const TreeOptions& options) {
  StartRequest request{start_options(invocation), invocation.target, inputs.parameters};
  if (request.workflow.starts_with("workflow/")) request.workflow.erase(0, 9);
  return start_run(context, request, options);
}

Result<Json> read_parameters(const std::string& file, std::istream& in) {
  const auto text = read_file(file, in);
  if (!text) return text.error();
  const auto documents = parse_yaml(*text, file);
  if (!documents) return documents.error();
  if (documents->size() > 1) return Error{ErrorCode::Invalid, file + ": holds several documents"};
  return documents->empty() ? Json() : documents->front().value;
}

}  // namespace

Result<Inputs> read_inputs(const Invocation& invocation, std::istream& in) {
  Inputs inputs;
  if (invocation.command == Command::Plan || invocation.command == Command::Graph) {
    auto manifests = read_definitions(invocation.files, in);
    if (!manifests) return manifests.error();
    inputs.manifests = std::move(*manifests);
  }
  if (!invocation.parameters_file.empty()) {
    auto parameters = read_parameters(invocation.parameters_file, in);
    if (!parameters) return parameters.error();
    inputs.parameters = std::move(*parameters);
  }
  return inputs;
}

bool is_offline(const Invocation& invocation, const Inputs& inputs) {
  // Of wrong manifests nothing more is said than that they are wrong.
  const bool needs_none = invocation.offline || !inputs.manifests.errors.empty();
  return invocation.command == Command::Lint || (invocation.command == Command::Plan && needs_none) ||
         (invocation.command == Command::Graph && !invocation.files.empty());
}

Result<int> run_offline(const Invocation& invocation, const Inputs& inputs, const Style& style,
                        std::istream& in, std::ostream& out, std::ostream& err) {
  if (invocation.command == Command::Lint) {
    return run_lint({invocation.files, invocation.strict, invocation.json()}, style, in, out, err);
  }
  if (invocation.command == Command::Graph) return graph_of_file(invocation, inputs, out, err);
  return plan_offline(invocation, inputs, style, out, err);
}

Error without_cluster(Error error, const Invocation& invocation) {
  if (invocation.command == Command::Plan) {
    error.message += "; without a cluster, `kubectl convoke plan --offline` shows the graph";
  }
  return error;
}

Result<int> run_command(const Context& context, const Invocation& invocation, const Inputs& inputs) {
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
      return cancel(context, {invocation.target, invocation.text, invocation.compensate, invocation.force});
    case Command::Suspend:
    case Command::Resume:
      return set_suspended(context, invocation.target, invocation.command == Command::Suspend);
    case Command::Retry:
      return retry(context, {invocation.target, invocation.steps});
    case Command::Rerun:
      return rerun(context, {start_options(invocation), invocation.target, invocation.same_revision}, tree);
    case Command::Run:
      return start(context, invocation, inputs, tree);
    case Command::Plan:
      return plan_on_cluster(context, invocation, inputs);
    case Command::Lint:
      break;
  }
  return Error{ErrorCode::Internal, "this command needs no cluster"};
}

}  // namespace convoke::plugin
