// What the runner does about one Task: a pure function of the Task as the API has it, of what this process
// did about it so far, and of the runner's own state. Start here to read the runner.
#pragma once

#include <optional>
#include <string>

#include "reconcilers/api/task.h"

namespace convoke::runner {

// How far this process is with one assignment.
enum class Stage {
  Claiming,  // it wants to start; the report "Running" is not accepted yet
  Running,   // the command runs
  Ended,     // the command ended, or never started; its outcome is not accepted yet
  Closed,    // the command was killed and nobody waits for its outcome
};

struct ExecutionFacts {
  std::string assignment_id = {};
  Stage stage = Stage::Claiming;
  bool refused = false;  // the API server has refused a report of it: somebody else may have the Task by now
};

// The runner itself, from start to end.
enum class Mode {
  Working,
  Draining,  // takes nothing new
  Stopping,  // ends what still runs, and says so
  Deposed,   // another process is this agent now: ends what runs, and says nothing
};

struct RunnerFacts {
  std::string agent_name = {};
  Mode mode = Mode::Working;
  int capacity = 0;
  int active = 0;               // executions that are Claiming, Running or Ended
  bool heartbeat_lost = false;  // others may think that this agent is gone
  bool put_away = false;        // this process has finished with the Task's current assignment
  // Empty if a Task of that type with those parameters can be run, else why not.
  std::string unsupported = {};
};

enum class Action {
  None,
  Claim,       // report Running, then start the command
  Reject,      // with `why`
  FailOrphan,  // a previous life of this agent started it: report that its outcome is unknown
  Watch,       // the command runs: report its progress
  ReportEnd,   // report the outcome
  Kill,        // the command must end; nothing is reported
  Stop,        // the command must end; that it did is its outcome
  Forget,      // drop what is remembered, then decide again
  Wait,        // not now; look again soon
};

struct RunnerDecision {
  Action action = Action::None;
  std::string why = {};
};

// `task` is null when it is gone.
RunnerDecision decide(const api::Task* task, const std::optional<ExecutionFacts>& execution,
                      const RunnerFacts& runner);

}  // namespace convoke::runner
