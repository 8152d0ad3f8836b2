#include "programs/kubectl-convoke/start.h"

#include <ostream>

#include "controller/base/similar_word.h"
#include "programs/kubectl-convoke/json_view.h"
#include "programs/kubectl-convoke/watch.h"
#include "programs/kubectl-convoke/yaml_document.h"
#include "reconcilers/api/child_name.h"
#include "reconcilers/api/workflow_run.h"
#include "reconcilers/workflow/parameters.h"

namespace convoke::plugin {
namespace {

constexpr int kSuffixBytes = 3;
constexpr int kMaxNames = 5;
constexpr char kTriggeredBy[] = "kubectl convoke run";

const Json* definition_of(const std::vector<Json>& parameters, const std::string& name) {
  for (const auto& parameter : parameters) {
    if (text_at(parameter, "/name") == name) return &parameter;
  }
  return nullptr;
}

Error unknown_parameter(const std::vector<Json>& parameters, const std::string& name) {
  std::vector<std::string> names;
  std::string list;
  for (const auto& parameter : parameters) {
    names.push_back(text_at(parameter, "/name"));
    list += (list.empty() ? "" : ", ") + names.back();
  }
  const auto similar = most_similar(name, names);
  const std::string hint = names.empty()     ? "; it has none"
                           : similar.empty() ? "; it has " + list
                                             : "; did you mean \"" + similar + "\"?";
  return {ErrorCode::Invalid, "the workflow has no parameter \"" + name + "\"" + hint};
}

Result<Json> value_of(const Json& parameter, const std::string& text) {
  const auto type = text_at(parameter, "/type");
  if (type.empty() || type == "String") return Json(text);
  const auto documents = parse_yaml(text, "-p " + text_at(parameter, "/name"));
  if (!documents) return documents.error();
  if (documents->size() != 1) {
    return Error{ErrorCode::Invalid,
                 "-p " + text_at(parameter, "/name") + ": expected a value of type " + type};
  }
  return documents->front().value;
}

// A run that is to be made, as far as `run` and `rerun` differ.
// NOLINTNEXTLINE(bugprone-exception-escape): moving a Json checks an invariant and throws nothing.
struct Draft {
  std::string prefix;    // of the name
  std::string workflow;  // empty: the run has a definition of its own
  Json spec;             // without parameters
  Json definition;       // a WorkflowSpec
  bool is_known = true;  // false: `definition` is not the one that is executed
  Json parameters;       // what -p goes before; null: none
};

Result<Draft> draft_of_workflow(const Cluster& cluster, const Json& workflow, const std::string& revision) {
  Draft draft;
  draft.prefix = draft.workflow = name_of(workflow);
  draft.spec = {{"workflowName", draft.workflow}};
  draft.definition = value_at(workflow, "/spec");
  if (revision.empty()) return draft;
  draft.spec["revision"] = revision;
  // An earlier definition has parameters of its own. Who may not read it leaves the check to the operator.
  auto kept = cluster.get(api::kControllerRevision, revision);
  if (!kept && kept.error().code != ErrorCode::Forbidden) return kept.error();
  draft.is_known = kept.has_value();
  if (kept) draft.definition = value_at(*kept, "/data");
  return draft;
}

Status check_parameters(const Draft& draft, const Json& given) {
  if (!draft.is_known) return {};
  std::vector<std::string> malformed;
  const auto spec = api::workflow_spec_from_json(draft.definition, "spec", malformed);
  const auto resolved = workflow::resolve_parameters(spec.parameters, dump_json(given));
  if (!resolved) return resolved.error();
  return {};
}

Result<Json> make_run(const Context& context, Draft draft, const StartOptions& options) {
  auto given = typed_parameters(draft.definition, draft.parameters, options.parameters);
  if (!given) return given;
  if (const auto good = check_parameters(draft, *given); !good) return good.error();
  Json run = {{"apiVersion", api::kWorkflowRun.api_version()},
              {"kind", api::kWorkflowRun.kind},
              {"metadata", {{"namespace", context.cluster.namespace_name()}}}};
  if (!draft.workflow.empty())
    run["metadata"]["labels"] = {{api::label::kWorkflow, api::fit_name(draft.workflow)}};
  run["spec"] = std::move(draft.spec);
  if (!given->empty()) run["spec"]["parameters"] = std::move(*given);
  return run;
}

// A name that nobody else takes, known before it is sent: a create that was sent twice is no second run.
Result<Json> create(const Context& context, Json run, const std::string& prefix, const std::string& name) {
  for (int i = 0;; ++i) {
    run["metadata"]["name"] =
        !name.empty() ? name : api::name_with_suffix(prefix, context.random.hex(kSuffixBytes));
    auto created = context.cluster.create(api::kWorkflowRun, run);
    const bool again =
        !created && created.error().code == ErrorCode::AlreadyExists && name.empty() && i < kMaxNames;
    if (!again) return created;
  }
}

void print(const Context& context, const Json& object) {
  context.out << object.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

Result<int> start(const Context& context, Draft draft, const StartOptions& options, const TreeOptions& tree) {
  const auto prefix = draft.prefix;
  auto run = make_run(context, std::move(draft), options);
  if (!run) return run.error();
  if (options.dry_run) {
    if (options.name.empty()) {
      (*run)["metadata"]["generateName"] = prefix + "-";
    } else {
      (*run)["metadata"]["name"] = options.name;
    }
    print(context, *run);
    return kDone;
  }
  // Who may not ask who they are can start runs all the same.
  if (const auto user = context.cluster.user_name()) (*run)["spec"]["createdBy"] = *user;
  auto created = create(context, std::move(*run), prefix, options.name);
  if (!created) return created.error();
  const auto name = name_of(*created);
  if (!context.json && !(options.wait && context.live)) context.out << "run/" << name << " created\n";
  if (options.wait) return watch_run(context, "run/" + name, tree);
  if (context.json) {
    (*created)["metadata"].erase("managedFields");
    print(context, *created);
  }
  return kDone;
}

// --- A run like another ---

Error no_workflow(const std::string& run, const std::string& workflow) {
  return {ErrorCode::NotFound,
          "the Workflow " + workflow + " of run " + run +
              " does not exist any more: nothing can be started by that name. Apply the Workflow again, and "
              "repeat this; what the run was given is in `kubectl get cwr " +
              run + " -o yaml`"};
}

Result<std::string> revision_for(const Json& run, const RerunRequest& request) {
  const bool is_inline = value_at(run, "/spec/workflowSpec").is_object();
  if (is_inline && !request.revision.empty()) {
    return Error{
        ErrorCode::Invalid,
        "run " + name_of(run) + " has a definition of its own (spec.workflowSpec), and no revisions"};
  }
  if (is_inline) return std::string();
  if (!request.revision.empty()) return request.revision;
  if (!request.same_revision) return text_at(run, "/spec/revision");
  auto revision = text_at(run, "/status/revision");
  if (revision.empty()) {
    return Error{
        ErrorCode::Invalid,
        "run " + name_of(run) + " executed no revision: it did not start (status.revision is empty)"};
  }
  return revision;
}

Result<Draft> draft_like(const Context& context, const Json& run, const RerunRequest& request) {
  const auto revision = revision_for(run, request);
  if (!revision) return revision.error();
  Draft draft;
  const auto workflow = text_at(run, "/spec/workflowName");
  if (workflow.empty()) {
    draft.prefix = name_of(run);
    draft.definition = value_at(run, "/spec/workflowSpec");
    draft.spec = {{"workflowSpec", draft.definition}};
  } else {
    const auto found = context.cluster.find(api::kWorkflow, workflow);
    if (!found) return found.error();
    if (!*found) return no_workflow(name_of(run), workflow);
    auto made = draft_of_workflow(context.cluster, **found, *revision);
    if (!made && made.error().code == ErrorCode::NotFound) {
      Error error = made.error();
      error.message +=
          "; name a revision that exists with --revision, or start the Workflow as it is now: "
          "kubectl convoke run " +
          workflow;
      return error;
    }
    if (!made) return made;
    draft = std::move(*made);
  }
  draft.parameters = value_at(run, "/spec/parameters");
  draft.spec["triggeredBy"] = "kubectl convoke rerun of " + name_of(run);
  // Templates of the definition read the event. They read no annotation, and those of the run are about
  // itself.
  for (const char* field : {"event", "ttlAfterFinished"}) {
    const Json& value = value_at(run, std::string("/spec/") + field);
    if (!value.is_null()) draft.spec[field] = value;
  }
  return draft;
}

}  // namespace

Result<Json> typed_parameters(const Json& workflow_spec, const Json& base,
                              const std::vector<std::string>& texts) {
  Json values = base.is_null() ? Json::object() : base;
  if (!values.is_object())
    return Error{ErrorCode::Invalid, "the file of parameters must be an object: name: value"};
  const auto parameters = objects_at(workflow_spec, "/parameters");
  for (const auto& text : texts) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error{ErrorCode::Invalid, "-p " + text + ": write name=value"};
    }
    const auto name = text.substr(0, equals);
    const Json* parameter = definition_of(parameters, name);
    if (parameter == nullptr) return unknown_parameter(parameters, name);
    auto value = value_of(*parameter, text.substr(equals + 1));
    if (!value) return value;
    values[name] = std::move(*value);
  }
  return values;
}

Result<int> start_run(const Context& context, const StartRequest& request, const TreeOptions& options) {
  const auto workflow = context.cluster.get(api::kWorkflow, request.workflow);
  if (!workflow) return workflow.error();
  auto draft = draft_of_workflow(context.cluster, *workflow, request.revision);
  if (!draft) return draft.error();
  draft->parameters = request.parameters_of_file;
  draft->spec["triggeredBy"] = kTriggeredBy;
  return start(context, std::move(*draft), request, options);
}

Result<int> rerun(const Context& context, const RerunRequest& request, const TreeOptions& options) {
  const auto found = context.cluster.find_any({&api::kWorkflowRun}, request.run);
  if (!found) return found.error();
  auto draft = draft_like(context, found->object, request);
  if (!draft) return draft.error();
  // The Workflow may have other parameters by now.
  const bool fits =
      draft->spec.contains("revision") || text_at(found->object, "/status/revision").empty() ||
      check_parameters(*draft, draft->parameters.is_null() ? Json::object() : draft->parameters);
  auto started = start(context, std::move(*draft), request, options);
  if (started || fits) return started;
  Error error = started.error();
  error.message += " (the Workflow has changed since; --same-revision takes it as the run had it)";
  return error;
}

}  // namespace convoke::plugin
