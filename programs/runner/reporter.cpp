#include "programs/runner/reporter.h"

namespace convoke::runner {

namespace {

constexpr int kHttpConflict = 409;

Reception reception_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::NotFound:
      return Reception::Refused;
    case ErrorCode::Conflict:
      // A failed `test` is final. A 409 only says that the server lost a race with other writers too often.
      return error.http_status == kHttpConflict ? Reception::Later : Reception::Refused;
    case ErrorCode::Invalid:
      return error.http_status != 0 ? Reception::Malformed : Reception::Later;
    default:
      // Forbidden too: roles may be on their way, and the watch says when the Task is not ours any more.
      return Reception::Later;
  }
}

}  // namespace

Reporter::Answer Reporter::send(const kube::ObjectKey& key, const Json& patch) {
  kube::PatchOptions options;
  options.type = kube::PatchType::Json;
  options.subresource = "status";
  auto answer = client_.patch(api::kTask, key, patch, options);
  if (!answer) return {reception_of(answer.error()), answer.error()};
  auto task = api::Task::from_json(*answer);
  if (!api::is_terminal(task.status.phase))
    tasks_.overlay(std::make_shared<const api::Task>(std::move(task)));
  return {};
}

}  // namespace convoke::runner
