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

Result<Json> make_run(const Context& context, const Json& workflow, const StartRequest& request) {
  auto given = typed_parameters(value_at(workflow, "/spec"), request.parameters_of_file, request.parameters);
  if (!given) return given;
  const auto typed = api::Workflow::from_json(workflow);
  // A pinned revision has parameters of its own, which the operator checks.
  if (request.revision.empty()) {
    const auto resolved = workflow::resolve_parameters(typed.spec.parameters, dump_json(*given));
    if (!resolved) return resolved.error();
  }
  Json run = {{"metadata",
               {{"namespace", context.cluster.namespace_name()},
                {"labels", {{api::label::kWorkflow, api::fit_name(typed.meta.name)}}}}},
              {"spec", {{"workflowName", typed.meta.name}, {"triggeredBy", kTriggeredBy}}}};
  if (!given->empty()) run["spec"]["parameters"] = *given;
  if (!request.revision.empty()) run["spec"]["revision"] = request.revision;
  return run;
}

// A name that nobody else takes, known before it is sent: a create that was sent twice is no second run.
Result<Json> create(const Context& context, Json run, const StartRequest& request) {
  for (int i = 0;; ++i) {
    run["metadata"]["name"] = !request.name.empty()
                                  ? request.name
                                  : api::name_with_suffix(request.workflow, context.random.hex(kSuffixBytes));
    auto created = context.cluster.create(api::kWorkflowRun, run);
    const bool again =
        !created && created.error().code == ErrorCode::AlreadyExists && request.name.empty() && i < kMaxNames;
    if (!again) return created;
  }
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
  auto run = make_run(context, *workflow, request);
  if (!run) return run.error();
  if (request.dry_run) {
    (*run)["metadata"]["generateName"] = request.workflow + "-";
    context.out << run->dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    return kDone;
  }
  // Who may not ask who they are can start runs all the same.
  if (const auto user = context.cluster.user_name()) (*run)["spec"]["createdBy"] = *user;
  const auto created = create(context, std::move(*run), request);
  if (!created) return created.error();
  if (request.wait) {
    if (!context.json && !context.live) context.out << "run/" << name_of(*created) << " created\n";
    return watch_run(context, "run/" + name_of(*created), options);
  }
  if (context.json) {
    Json object = *created;
    object["metadata"].erase("managedFields");
    context.out << object.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    context.out << "run/" << name_of(*created) << " created\n";
  }
  return kDone;
}

}  // namespace convoke::plugin
