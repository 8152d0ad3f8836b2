#include "reconcilers/workflow/revision.h"

#include <utility>

#include "reconcilers/api/hash.h"
#include "reconcilers/workflow/child_name.h"

namespace convoke::workflow {
namespace {

constexpr std::size_t kRevisionHashLength = 10;
// All that a run executes; not what says when runs are started and how many are kept.
constexpr const char* kKeptFields[] = {"parameters", "mode",  "maxTransitions", "parallelism", "timeout",
                                       "onFailure",  "retry", "steps",          "finally",     "outputs"};

}  // namespace

Result<api::RawJson> revision_content(const api::RawJson& spec_json) {
  const auto spec = parse_json(spec_json);
  if (!spec || !spec->is_object()) {
    return Error{ErrorCode::Invalid, "spec: expected an object", "InvalidDefinition"};
  }
  Json kept = Json::object();  // its members are sorted by name: the text is canonical
  for (const char* field : kKeptFields) {
    if (const auto found = spec->find(field); found != spec->end() && !found->is_null()) {
      kept[field] = *found;
    }
  }
  return dump_json(kept);
}

std::string revision_name(const std::string& workflow, const api::RawJson& content) {
  return name_with_suffix(workflow, api::sha256_hex(content).substr(0, kRevisionHashLength));
}

std::string alternative_revision_name(const std::string& workflow, const std::string& workflow_uid,
                                      const api::RawJson& content) {
  return name_with_suffix(workflow,
                          api::sha256_hex(workflow_uid + "/" + content).substr(0, kRevisionHashLength));
}

kube::OwnerReference owner_reference(const api::Workflow& workflow) {
  return {
      api::kWorkflow.api_version(), api::kWorkflow.kind, workflow.meta.name, workflow.meta.uid, true, false};
}

api::ControllerRevision make_revision(const api::Workflow& workflow, std::string name, std::int64_t number,
                                      api::RawJson content) {
  api::ControllerRevision revision;
  revision.meta.namespace_ = workflow.meta.namespace_;
  revision.meta.name = std::move(name);
  revision.meta.labels[api::label::kWorkflow] = fit_name(workflow.meta.name);
  revision.meta.owner_references.push_back(owner_reference(workflow));
  revision.revision = number;
  revision.data = std::move(content);
  return revision;
}

}  // namespace convoke::workflow
