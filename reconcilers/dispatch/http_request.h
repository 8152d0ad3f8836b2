// What a service is sent. Pure functions.
#pragma once

#include <map>
#include <string>

#include "controller/base/clock.h"
#include "reconcilers/api/task.h"

namespace convoke::dispatch {

// The body of the POST. `left`: what is left of the attempt's time.
std::string task_body(const api::Task& task, Duration left);

// W3C Trace Context. The trace is the Task's uid, so that all that was ever done for a Task is one trace; the
// span is the assignment, so that a request that is sent again is the same one.
std::string traceparent(const std::string& task_uid, const std::string& assignment_id);

// Idempotency-Key and traceparent.
std::map<std::string, std::string> request_headers(const std::string& task_uid,
                                                   const std::string& assignment_id);

}  // namespace convoke::dispatch
