// Where a run's definition comes from: inline, or a ControllerRevision of its Workflow.
//
// The revision is, in this order: the one in the run's status, the one that its children bear (so that a
// crash between the first child and the first status write changes nothing), the one that spec.revision pins,
// the Workflow's current one. Reads caches only.
//
// Thread safety: all methods from every thread. Ownership: the caches outlive this.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "reconcilers/api/caches.h"
#include "reconcilers/workflow/definition_cache.h"
#include "reconcilers/workflow/run_decide.h"

namespace convoke::workflow {

struct FoundDefinition {
  DefinitionPtr definition;
  std::string revision;  // empty for an inline definition
};

// There is none now. `final`: waiting will not help either, because what there is is invalid.
struct NoDefinition {
  std::string reason;
  std::string message;
  bool final = false;
};

class DefinitionSource {
 public:
  explicit DefinitionSource(const api::Caches& caches) : caches_(caches) {}

  std::variant<FoundDefinition, NoDefinition> find(const api::WorkflowRun& run,
                                                   const api::WorkflowRunStatus& status,
                                                   const KnownChildren& children);

 private:
  using Answer = std::variant<FoundDefinition, NoDefinition>;
  Answer find_inline(const api::WorkflowRun& run);
  Answer find_revision(const api::WorkflowRun& run, const std::string& name);
  Answer find_current(const api::WorkflowRun& run);

  const api::Caches& caches_;
  DefinitionCache cache_;
};

}  // namespace convoke::workflow
