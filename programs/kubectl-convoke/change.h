// The commands that write one field of a spec: approve, reject, cancel, suspend, resume, retry.
//
// Each is one JSON Patch that tests what it was decided on (the uid, and what stands where it writes), so
// that nothing of others is disturbed; after a lost race it is decided again.
//
// Errors: those of Cluster; Invalid where the object is not in a state for it, and says which it is in.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "programs/kubectl-convoke/context.h"

namespace convoke::plugin {

struct ApprovalRequest {
  std::string run;
  std::string step;  // empty: the one that waits
  bool approve = true;
  std::string comment;
};
Result<int> decide_approval(const Context& context, const ApprovalRequest& request);

struct CancelRequest {
  std::string target;  // a run or Task
  std::string reason;
  // Both may also be asked for of a run that was cancelled before.
  std::optional<bool> compensate;  // absent: as the operator does by default
  bool force = false;              // end `finally` too
};
Result<int> cancel(const Context& context, const CancelRequest& request);

// A run, Task or Workflow.
Result<int> set_suspended(const Context& context, const std::string& target, bool suspend);

struct RetryRequest {
  std::string run;
  std::vector<std::string> steps;  // empty: those that did not succeed
};
Result<int> retry(const Context& context, const RetryRequest& request);
// What the operator would never retry of a run that has ended: "succeeded", "was cancelled"; empty: it would.
std::string why_never_retried(const Json& run);

// The steps of a run that wait for a person, by name.
std::vector<std::string> waiting_approvals(const Json& run, const Json& spec);

}  // namespace convoke::plugin
