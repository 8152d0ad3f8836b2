// Whether the triggers of a Workflow can work: names, schedules, filters, and what each gives to the
// parameters of a run. And the parameters that result when one fires.
//
// Pure; safe from every thread. Errors: Invalid; the message names the field:
// "spec.triggers[nightly].schedule.cron: hour: expected 0 to 23, got \"25\"".
#pragma once

#include <string>

#include "controller/base/result.h"
#include "controller/kube/json.h"
#include "reconcilers/api/workflow.h"

namespace convoke::workflow {

inline constexpr std::size_t kMaxParametersBytes = std::size_t{256} * 1024;

Status check_triggers(const api::WorkflowSpec& spec, const std::string& path = "spec");

// Where the trigger at that position stands, for messages: "spec.triggers[nightly]".
std::string trigger_field(const api::WorkflowSpec& spec, std::size_t position,
                          const std::string& path = "spec");

// What the trigger gives to a run, with its placeholders filled from `roots` ({"event": ...}). Error also if
// the run could not start with it.
Result<Json> fill_parameters(const api::WorkflowSpec& spec, const api::Trigger& trigger, Json roots);

}  // namespace convoke::workflow
