// JSON Patches of a Task's status, as its agent would write them; each holds only while the assignment does.
// Pure functions.
#pragma once

#include <string>

#include "controller/kube/json.h"
#include "reconcilers/api/task.h"
#include "reconcilers/dispatch/http_answer.h"

namespace convoke::dispatch {

// status.report for the current assignment. `now`: RFC 3339.
Json make_report(const api::Task& task, const Outcome& outcome, const std::string& now);

// Begins an assignment: what is about to be brought, and the report Running. With AtMostOnce it holds for the
// Task as it was read only, so that of two who begin it, one of them unaware of the other, only one may send.
Json begin_patch(const api::Task& task, const api::TaskDispatch& dispatch, const std::string& now);
// What a service said, while the report is still Running: a service may report by itself as well.
Json report_patch(const api::Task& task, const Outcome& outcome, const std::string& now);
// The same, and how to go on asking.
Json accepted_patch(const api::Task& task, const Outcome& outcome, const api::TaskDispatch& dispatch,
                    const std::string& now);
// Takes a begin_patch back, of which for sure nothing has come: no agent has begun. Only the one that was
// written at that time, in case that this comes late; and only `message` is left of the report.
Json withdraw_patch(const api::Task& task, const std::string& begun_at, const std::string& message);
// Nothing is brought any more.
Json forget_patch(const api::Task& task);

}  // namespace convoke::dispatch
