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
#include "reconcilers/expression/cel/cel.h"

namespace convoke::workflow {

inline constexpr std::size_t kMaxSteps = 2000;

// What a step asks of one that it depends on. Done: it succeeded, or its failure or skipping is no obstacle.
enum class Needed { Done, Succeeded, Failed, Skipped, Cancelled, Ended };

struct Dependency {
  std::size_t step;
  Needed needed;
};

// The conditions of a step, compiled; null where there is none.
struct StepPrograms {
  cel::ProgramPtr when;
  cel::ProgramPtr repeat_until;
  cel::ProgramPtr wait_until;
  cel::ProgramPtr event_filter;
  std::vector<cel::ProgramPtr> transitions;  // one for each of the step's
};

// Steps are named by their position: those of spec.steps, then, from `main_steps` on, those of spec.finally,
// which check_definition() moves there.
struct Definition {
  api::WorkflowSpec spec;
  std::size_t main_steps = 0;
  std::vector<std::vector<Dependency>> needs;          // of each step: what it waits for
  std::vector<std::vector<std::size_t>> dependencies;  // the same without what is asked of it
  std::vector<std::vector<std::size_t>> used_steps;    // of each step: whose phase or outputs it names
  std::vector<std::vector<std::size_t>> undo_steps;    // of each step: whose its compensation names
  std::vector<std::size_t> output_steps;               // whose phase or outputs spec.outputs names
  std::vector<std::size_t> order;  // every step after its dependencies; by position where free
  std::vector<StepPrograms> programs;
  std::unordered_map<std::string, std::size_t> positions;

  std::size_t size() const { return spec.steps.size(); }
  const api::Step& step(std::size_t i) const { return spec.steps[i]; }
  bool is_finally(std::size_t i) const { return i >= main_steps; }
  bool is_state_machine() const { return spec.mode == api::WorkflowMode::StateMachine; }
  // A step that is visited, perhaps several times.
  bool is_state(std::size_t step) const { return is_state_machine() && !is_finally(step); }
  std::optional<std::size_t> find(const std::string& name) const;
};

// The text of a step's field in messages: "spec.steps[build].task", "spec.finally[notify].task".
std::string step_field(const Definition& definition, std::size_t step, const std::string& path,
                       const std::string& field);

using DefinitionPtr = std::shared_ptr<const Definition>;

// `path` is where the spec stands, for messages: "spec" or "spec.workflowSpec".
Result<DefinitionPtr> check_definition(api::WorkflowSpec spec, const std::string& path = "spec");

// Reads and checks a spec kept as JSON text (inline, or in a ControllerRevision).
Result<DefinitionPtr> parse_definition(const api::RawJson& spec, const std::string& path);

}  // namespace convoke::workflow
