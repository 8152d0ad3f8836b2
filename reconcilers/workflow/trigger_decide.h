// Which runs the triggers of a Workflow start now, which they cancel, and when to look again. Events start
// theirs by themselves (event_receiver.h). Pure; safe from every thread.
//
// What makes a restart harmless: a time stays due (TriggerStatus::next_schedule_time) until a status is
// written that says what became of it, and its run has a name that depends on nothing but the trigger and
// the time. Runs may be deleted once they are in the status, so that only a time that is still due is looked
// for among them.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/result.h"
#include "reconcilers/api/workflow.h"
#include "reconcilers/workflow/history.h"
#include "reconcilers/workflow/run_events.h"

namespace convoke::workflow {

struct TriggerSnapshot {
  const api::Workflow& workflow;                // its triggers were checked (trigger_check.h)
  const Runs& runs;                             // of this Workflow, in any phase
  const std::set<std::string>& names_taken;     // by foreign objects
  const std::map<std::string, Error>& refused;  // by trigger: why the API server does not take its run
  WallTime now;
};

struct RunStart {
  std::string trigger;  // Trigger::key()
  std::string name;
  Json manifest;
};

struct TriggerDecision {
  Runs cancel;  // to make room for the next
  std::vector<RunStart> start;
  std::optional<WallTime> wake;  // when the next time comes
  std::string summary;           // what the triggers do, for people
};

inline constexpr char kReplaced[] = "replaced by the next run of its schedule";

// `status` is the one to be written; it holds the current revision already.
TriggerDecision decide_triggers(const TriggerSnapshot& snapshot, api::WorkflowStatus& status);

// What people are told once `after` is written over `before`.
std::vector<EventNote> trigger_events(const api::WorkflowStatus& before, const api::WorkflowStatus& after);

}  // namespace convoke::workflow
