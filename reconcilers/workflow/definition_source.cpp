#include "reconcilers/workflow/definition_source.h"

#include <utility>

#include "reconcilers/workflow/reasons.h"

namespace convoke::workflow {
namespace {

std::string revision_of(const KnownChildren& children) {
  for (const auto& task : children.tasks) {
    if (const auto& revision = task->meta.label(api::label::kRevision); !revision.empty()) {
      return revision;
    }
  }
  for (const auto& run : children.runs) {
    const auto found = run->meta.annotations.find(annotation::kParentRevision);
    if (found != run->meta.annotations.end()) {
      return found->second;
    }
  }
  return {};
}

bool belongs_to(const api::ControllerRevision& revision, const std::string& workflow) {
  const auto* owner = revision.meta.controller();
  return owner != nullptr && owner->kind == api::kWorkflow.kind &&
         owner->api_version == api::kWorkflow.api_version() && owner->name == workflow;
}

NoDefinition invalid(const Error& error) {
  return {reason::kInvalidDefinition, error.message, true};
}

}  // namespace

std::variant<FoundDefinition, NoDefinition> DefinitionSource::find(const api::WorkflowRun& run,
                                                                   const api::WorkflowRunStatus& status,
                                                                   const KnownChildren& children) {
  if (!run.spec.workflow_spec.empty()) {
    return find_inline(run);
  }
  if (!status.revision.empty()) {
    return find_revision(run, status.revision);
  }
  if (const auto revision = revision_of(children); !revision.empty()) {
    return find_revision(run, revision);
  }
  return run.spec.revision.empty() ? find_current(run) : find_revision(run, run.spec.revision);
}

DefinitionSource::Answer DefinitionSource::find_inline(const api::WorkflowRun& run) {
  auto definition = cache_.get_or_parse("run/" + run.meta.uid + "/" + std::to_string(run.meta.generation),
                                        run.spec.workflow_spec, "spec.workflowSpec");
  if (!definition) {
    return invalid(definition.error());
  }
  return FoundDefinition{std::move(*definition), ""};
}

DefinitionSource::Answer DefinitionSource::find_revision(const api::WorkflowRun& run,
                                                         const std::string& name) {
  const auto revision = caches_.revisions.get({run.meta.namespace_, name});
  if (!revision || !belongs_to(*revision, run.spec.workflow_name)) {
    return NoDefinition{reason::kRevisionNotFound, "Workflow " + run.spec.workflow_name +
                                                       " has no revision (ControllerRevision) " + name};
  }
  auto definition = cache_.get_or_parse("revision/" + revision->meta.uid, revision->data,
                                        "ControllerRevision " + name + ", data");
  if (!definition) {
    return invalid(definition.error());
  }
  return FoundDefinition{std::move(*definition), name};
}

DefinitionSource::Answer DefinitionSource::find_current(const api::WorkflowRun& run) {
  const auto& name = run.spec.workflow_name;
  const auto workflow = caches_.workflows.get({run.meta.namespace_, name});
  if (!workflow) {
    return NoDefinition{reason::kWorkflowNotFound, "there is no Workflow " + name + " in this namespace"};
  }
  const auto* ready = api::find_condition(workflow->status.conditions, api::condition::kReady);
  if (workflow->status.observed_generation != workflow->meta.generation || ready == nullptr) {
    return NoDefinition{reason::kWorkflowNotReady, "Workflow " + name + " was not checked yet"};
  }
  if (!ready->status) {
    return NoDefinition{reason::kWorkflowNotReady,
                        "Workflow " + name + " is not ready: " + ready->reason + ": " + ready->message};
  }
  return find_revision(run, workflow->status.current_revision);
}

}  // namespace convoke::workflow
