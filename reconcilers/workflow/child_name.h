// Deterministic names of what a Workflow or a run creates: a create that is sent twice meets its own first
// try.
//
// Every name fits 63 characters, so that it may also stand in a label. Pure; safe from every thread.
#pragma once

#include <string>
#include <string_view>

#include "reconcilers/api/child_name.h"

namespace convoke::workflow {

using api::child_name;  // the Task of a step: "<run>-<step>"
using api::fit_name;
using api::kMaxNameLength;
using api::name_with_suffix;

// The name for when another object has the first one: "<run>-<part>-<hash of the run's uid and the
// identity>".
std::string alternative_child_name(const std::string& run, const std::string& run_uid,
                                   const std::string& part, const std::string& identity);
inline std::string alternative_child_name(const std::string& run, const std::string& run_uid,
                                          const std::string& step) {
  return alternative_child_name(run, run_uid, step, step);
}

// The run that the Create trigger of a Workflow makes, once in the life of that Workflow's uid.
std::string created_run_name(const std::string& workflow, const std::string& workflow_uid);
std::string alternative_created_run_name(const std::string& workflow, const std::string& workflow_uid);

}  // namespace convoke::workflow
