#include "reconcilers/dispatch/dispatch_patch.h"

#include <utility>

#include "reconcilers/api/json_writer.h"

namespace convoke::dispatch {
namespace {

using api::ReportState;

const char* name_of(ReportState state) {
  switch (state) {
    case ReportState::Succeeded:
      return "Succeeded";
    case ReportState::Failed:
      return "Failed";
    case ReportState::Rejected:
      return "Rejected";
    case ReportState::None:
    case ReportState::Running:
      break;
  }
  return "Running";
}

Json operation(const char* op, const char* path, Json value) {
  return {{"op", op}, {"path", path}, {"value", std::move(value)}};
}

Json still_assigned(const api::Task& task) {
  return operation("test", "/status/assignment/id", task.status.assignment.id);
}

// Null fails the test where there is no report at all.
Json still_running() {
  return operation("test", "/status/report/state", "Running");
}

}  // namespace

Json make_report(const api::Task& task, const Outcome& outcome, const std::string& now) {
  Json report = {{"assignmentID", task.status.assignment.id}, {"state", name_of(outcome.state)}};
  const api::Report& before = task.status.report;
  const bool same = before.assignment_id == task.status.assignment.id && !before.started_at.empty();
  report["startedAt"] = same ? before.started_at : now;
  if (outcome.state != ReportState::Running) report["finishedAt"] = now;
  api::put_number(report, "progress", outcome.progress);
  api::put_text(report, "message", outcome.message);
  api::put_raw(report, "outputs", outcome.outputs);
  if (outcome.state == ReportState::Failed) {
    Json error = {{"retryable", outcome.error_retryable}};
    api::put_text(error, "code", outcome.error_code);
    api::put_text(error, "message", outcome.error_message);
    report["error"] = std::move(error);
  }
  return report;
}

Json begin_patch(const api::Task& task, const api::TaskDispatch& dispatch, const std::string& now) {
  Json patch = Json::array({still_assigned(task),
                            operation("add", "/status/dispatch", api::dispatch_to_json(dispatch)),
                            operation("add", "/status/report", make_report(task, {}, now))});
  if (task.spec.delivery == api::Delivery::AtMostOnce) {
    patch.insert(patch.begin(), operation("test", "/metadata/resourceVersion", task.meta.resource_version));
  }
  return patch;
}

Json report_patch(const api::Task& task, const Outcome& outcome, const std::string& now) {
  return Json::array({still_assigned(task), still_running(),
                      operation("add", "/status/report", make_report(task, outcome, now))});
}

Json accepted_patch(const api::Task& task, const Outcome& outcome, const api::TaskDispatch& dispatch,
                    const std::string& now) {
  // No test of the report: a service that was quick may have reported its end before this is written.
  Json patch = Json::array(
      {still_assigned(task), operation("add", "/status/dispatch", api::dispatch_to_json(dispatch))});
  if (outcome.progress > 0 || !outcome.message.empty()) {
    patch = report_patch(task, outcome, now);
    patch.push_back(operation("add", "/status/dispatch", api::dispatch_to_json(dispatch)));
  }
  return patch;
}

Json withdraw_patch(const api::Task& task, const std::string& begun_at, const std::string& message) {
  const Json report = {{"assignmentID", task.status.assignment.id}, {"message", message}};
  return Json::array({still_assigned(task),
                      operation("test", "/status/dispatch/assignmentID", task.status.assignment.id),
                      still_running(),
                      operation("test", "/status/report/startedAt", begun_at),
                      {{"op", "remove"}, {"path", "/status/dispatch"}},
                      operation("add", "/status/report", report)});
}

Json forget_patch(const api::Task& task) {
  return Json::array({operation("test", "/status/dispatch/assignmentID", task.status.dispatch.assignment_id),
                      {{"op", "remove"}, {"path", "/status/dispatch"}}});
}

}  // namespace convoke::dispatch
