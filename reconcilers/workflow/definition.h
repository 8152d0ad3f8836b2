// A WorkflowSpec that was checked and can be executed: its steps as a graph without cycles.
//
// Immutable once made; safe from every thread. Errors: Invalid; the message names the field and the step.
// Nothing here recurses over the graph, so that a chain of thousands of steps is as safe as one of two.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "controller/base/result.h"
#include "reconcilers/api/workflow.h"

namespace convoke::workflow {

inline constexpr std::size_t kMaxSteps = 2000;

// Steps are named by their position in spec.steps.
struct Definition {
  api::WorkflowSpec spec;
  std::vector<std::vector<std::size_t>> dependencies;  // of each step: what it waits for
  std::vector<std::vector<std::size_t>> used_steps;    // of each step: whose phase or outputs its task names
  std::vector<std::size_t> output_steps;               // whose phase or outputs spec.outputs names
  std::vector<std::size_t> order;  // every step after its dependencies; by position where free
  std::unordered_map<std::string, std::size_t> positions;

  std::size_t size() const { return spec.steps.size(); }
  const api::Step& step(std::size_t i) const { return spec.steps[i]; }
  std::optional<std::size_t> find(const std::string& name) const;
};

using DefinitionPtr = std::shared_ptr<const Definition>;

// `path` is where the spec stands, for messages: "spec" or "spec.workflowSpec".
Result<DefinitionPtr> check_definition(api::WorkflowSpec spec, const std::string& path = "spec");

// Reads and checks a spec kept as JSON text (inline, or in a ControllerRevision).
Result<DefinitionPtr> parse_definition(const api::RawJson& spec, const std::string& path);

// A definition that knows nothing but the names of its steps: enough to end a run whose real one is gone.
DefinitionPtr names_only(const std::vector<std::string>& steps);

}  // namespace convoke::workflow
