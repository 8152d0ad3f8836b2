#include "programs/kubectl-convoke/change.h"

#include <algorithm>
#include <functional>
#include <ostream>

#include "programs/kubectl-convoke/definition_lookup.h"
#include "programs/kubectl-convoke/json_view.h"
#include "programs/kubectl-convoke/workflow_view.h"
#include "programs/kubectl-convoke/world.h"
#include "reconcilers/api/workflow_run.h"
#include "reconcilers/workflow/reasons.h"

namespace convoke::plugin {
namespace {

constexpr int kMaxTries = 5;

const std::vector<const kube::ResourceType*> kRuns = {&api::kWorkflowRun};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string title(const kube::ResourceType& type, const Json& object) {
  return std::string(word_for(type)) + "/" + name_of(object);
}

// Adds what is missing of the way to `path`, guarded: what is there is tested to be still what it was.
void put(Json& operations, const Json& object, const std::string& path, const Json& value) {
  const Json& before = value_at(object, path);
  if (!before.is_null()) operations.push_back({{"op", "test"}, {"path", path}, {"value", before}});
  operations.push_back({{"op", "add"}, {"path", path}, {"value", value}});
}

// Nothing: there is nothing to change.
using Decide = std::function<Result<std::optional<Json>>(const Found& found)>;

// The object after the patch of `decide`, which is asked again when somebody else was faster.
Result<Found> change_object(const Context& context, const std::vector<const kube::ResourceType*>& kinds,
                            const std::string& target, const Decide& decide) {
  Error last;
  for (int i = 0; i < kMaxTries; ++i) {
    auto found = context.cluster.find_any(kinds, target);
    if (!found) return found;
    const auto operations = decide(*found);
    if (!operations) return operations.error();
    if (!*operations) return found;
    auto changed = context.cluster.change(*found->type, found->object, **operations);
    if (changed) return Found{found->type, std::move(*changed)};
    last = changed.error();
    if (last.code != ErrorCode::Conflict) return last;
  }
  return last;
}

// An API server with older CRDs drops a field that it does not know, and says nothing.
Status expect_kept(const Json& object, const std::string& path) {
  if (!value_at(object, path).is_null()) return {};
  std::string field = path.substr(1);
  std::replace(field.begin(), field.end(), '/', '.');
  return Error{ErrorCode::Invalid,
               "the API server did not keep " + field +
                   ": the CRDs of this cluster are older than this program; upgrade Convoke"};
}

int tell(const Context& context, const Found& found, const std::string& what) {
  if (context.json) {
    Json object = found.object;
    if (object.contains("metadata")) object["metadata"].erase("managedFields");
    context.out << object.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    context.out << title(*found.type, found.object) << " " << what << "\n";
  }
  return kDone;
}

Error not_possible(const Found& found, const std::string& what) {
  return {ErrorCode::Invalid, title(*found.type, found.object) + " " + what};
}

// --- Approvals ---

Result<std::string> choose_step(const Json& run, const Json& spec, const std::string& wanted) {
  const auto waiting = waiting_approvals(run, spec);
  const auto name = name_of(run);
  const bool asked = std::find(waiting.begin(), waiting.end(), wanted) != waiting.end();
  if (asked || (wanted.empty() && waiting.size() == 1)) return wanted.empty() ? waiting.front() : wanted;
  if (has_ended(run)) {
    return Error{ErrorCode::Invalid,
                 "run " + name + " has ended (" + phase_of(run) + "): there is nothing to decide"};
  }
  if (waiting.empty()) return Error{ErrorCode::Invalid, "run " + name + " waits for no approval now"};
  const auto list = "run " + name + " waits for these: " + joined(waiting);
  if (wanted.empty())
    return Error{ErrorCode::Invalid, list + "; name the step: kubectl convoke approve " + name + " STEP"};
  return Error{ErrorCode::Invalid, "step \"" + wanted + "\" waits for no approval; " + list};
}

bool is_same_decision(const Json& entry, const Json& other) {
  return text_at(entry, "/step") == text_at(other, "/step") &&
         text_at(entry, "/user") == text_at(other, "/user") &&
         number_at(entry, "/round") == number_at(other, "/round");
}

// What the same person said on it before; null: nothing.
const Json* earlier_decision(const Json& run, const Json& entry) {
  const Json& approvals = value_at(run, "/spec/approvals");
  if (!approvals.is_array()) return nullptr;
  const auto found = std::find_if(approvals.begin(), approvals.end(),
                                  [&](const Json& one) { return is_same_decision(one, entry); });
  return found == approvals.end() ? nullptr : &*found;
}

Json approval_patch(const Json& run, const Json& entry) {
  Json operations = Json::array();
  if (value_at(run, "/spec/approvals").is_array()) {
    operations.push_back({{"op", "add"}, {"path", "/spec/approvals/-"}, {"value", entry}});
    return operations;
  }
  // Nobody else made the list in between: it would be replaced.
  operations.push_back({{"op", "test"},
                        {"path", "/metadata/resourceVersion"},
                        {"value", text_at(run, "/metadata/resourceVersion")}});
  operations.push_back({{"op", "add"}, {"path", "/spec/approvals"}, {"value", Json::array({entry})}});
  return operations;
}

// --- Cancellation ---

constexpr char kCancel[] = "/spec/cancel";
constexpr char kCompensate[] = "/spec/cancel/compensate";
constexpr char kForce[] = "/spec/cancel/force";

Status expect_cancellable(const Found& found, const CancelRequest& request) {
  if (has_ended(found.object)) {
    return not_possible(found, "has ended already: it is " + phase_of(found.object));
  }
  if (request.compensate && *found.type == api::kTask) {
    return not_possible(found, "is a Task: only a run can be compensated");
  }
  if (request.force && *found.type == api::kTask) {
    return not_possible(found, "is a Task: only a run has a finally that force ends");
  }
  // Undone by halves is worse than either.
  if (request.compensate && !*request.compensate && phase_of(found.object) == "Compensating") {
    return not_possible(found, "is being undone, and that goes on to its end");
  }
  return {};
}

Json first_cancel(const Found& found, const CancelRequest& request) {
  Json value = {{"reason", request.reason}};
  if (request.compensate) value["compensate"] = *request.compensate;
  if (request.force) value["force"] = true;
  Json operations = Json::array();
  put(operations, found.object, kCancel, value);
  return operations;
}

// What a run that was cancelled before is asked for now. Its reason stays.
Json more_of_cancel(const Found& found, const CancelRequest& request) {
  Json operations = Json::array();
  if (request.compensate && value_at(found.object, kCompensate) != Json(*request.compensate)) {
    put(operations, found.object, kCompensate, *request.compensate);
  }
  if (request.force && !flag_at(found.object, kForce)) put(operations, found.object, kForce, true);
  return operations;
}

// --- Retry ---

Status expect_retriable(const Found& found, const RetryRequest& request) {
  const auto& run = found.object;
  if (!has_ended(run)) {
    return not_possible(found, "goes on (" + phase_of(run) + "): only a run that ended is retried");
  }
  if (const auto never = why_never_retried(run); !never.empty()) {
    return not_possible(
        found,
        never + ", and so is never retried; start a new run like it: kubectl convoke rerun " + name_of(run));
  }
  std::vector<std::string> known;
  for (const auto& row : objects_at(run, "/status/steps")) known.push_back(text_at(row, "/name"));
  for (const auto& step : request.steps) {
    if (std::find(known.begin(), known.end(), step) != known.end()) continue;
    return not_possible(found, "has no step \"" + step + "\"; it has " + joined(known));
  }
  return {};
}

}  // namespace

std::vector<std::string> waiting_approvals(const Json& run, const Json& spec) {
  const auto view = view_of("", spec);
  std::vector<std::string> steps;
  for (const auto& row : objects_at(run, "/status/steps")) {
    const auto* step = view.find(text_at(row, "/name"));
    const bool waits = step != nullptr && step->kind == "approval" && text_at(row, "/phase") == "Running";
    if (waits) steps.push_back(step->name);
  }
  return steps;
}

Result<int> decide_approval(const Context& context, const ApprovalRequest& request) {
  const auto user = context.cluster.user_name();
  if (!user) return user.error();
  Json entry;
  const auto changed =
      change_object(context, kRuns, request.run, [&](const Found& found) -> Result<std::optional<Json>> {
        const auto definition = definition_of_run(context.cluster, found.object);
        if (!definition) return definition.error();
        const auto step = choose_step(found.object, definition->spec, request.step);
        if (!step) return step.error();
        entry = {{"step", *step}, {"user", *user}, {"decision", request.approve ? "Approve" : "Reject"}};
        entry["round"] = number_at(found.object, "/status/round");
        if (!request.comment.empty()) entry["comment"] = request.comment;
        const Json* earlier = earlier_decision(found.object, entry);
        if (earlier != nullptr && text_at(*earlier, "/decision") != text_at(entry, "/decision")) {
          return not_possible(found, "has your decision on " + *step + " already (" +
                                         text_at(*earlier, "/decision") +
                                         "), and a decision does not change");
        }
        if (earlier != nullptr) return std::optional<Json>();
        return std::optional(approval_patch(found.object, entry));
      });
  if (!changed) return changed.error();
  if (auto kept = expect_kept(changed->object, "/spec/approvals"); !kept) return kept.error();
  return tell(context, *changed,
              text_at(entry, "/step") + (request.approve ? " approved by " : " rejected by ") + *user);
}

Result<int> cancel(const Context& context, const CancelRequest& request) {
  bool was_cancelled = false;
  bool is_changed = false;
  const auto changed = change_object(context, {&api::kWorkflowRun, &api::kTask}, request.target,
                                     [&](const Found& found) -> Result<std::optional<Json>> {
                                       const auto possible = expect_cancellable(found, request);
                                       if (!possible) return possible.error();
                                       was_cancelled = !value_at(found.object, kCancel).is_null();
                                       auto operations = was_cancelled ? more_of_cancel(found, request)
                                                                       : first_cancel(found, request);
                                       is_changed = !operations.empty();
                                       if (!is_changed) return std::optional<Json>();
                                       return std::optional(std::move(operations));
                                     });
  if (!changed) return changed.error();
  if (request.compensate && is_changed) {
    if (auto kept = expect_kept(changed->object, kCompensate); !kept) return kept.error();
  }
  if (request.force) {
    if (auto kept = expect_kept(changed->object, kForce); !kept) return kept.error();
    return tell(context, *changed, "is being cancelled, and finally with it");
  }
  if (!was_cancelled) return tell(context, *changed, "is being cancelled");
  if (!is_changed) return tell(context, *changed, "was cancelled already");
  return tell(context, *changed,
              *request.compensate ? "was cancelled already; what it has done is undone now too"
                                  : "was cancelled already; nothing is undone now");
}

Result<int> set_suspended(const Context& context, const std::string& target, bool suspend) {
  const auto changed =
      change_object(context, {&api::kWorkflowRun, &api::kTask, &api::kWorkflow}, target,
                    [&](const Found& found) -> Result<std::optional<Json>> {
                      if (*found.type != api::kWorkflow && has_ended(found.object)) {
                        return not_possible(found, "has ended already: it is " + phase_of(found.object));
                      }
                      if (flag_at(found.object, "/spec/suspend") == suspend) return std::optional<Json>();
                      Json operations = Json::array();
                      put(operations, found.object, "/spec/suspend", suspend);
                      return std::optional(operations);
                    });
  if (!changed) return changed.error();
  const bool workflow = *changed->type == api::kWorkflow;
  if (suspend)
    return tell(context, *changed, workflow ? "is suspended: its triggers make no runs" : "is suspended");
  return tell(context, *changed, workflow ? "is resumed: its triggers make runs again" : "is resumed");
}

// As reconcilers/workflow/retry_round.cpp decides.
std::string why_never_retried(const Json& run) {
  if (phase_of(run) == "Succeeded") return "succeeded";
  if (!value_at(run, kCancel).is_null()) return "was cancelled";
  if (text_at(run, "/status/reason") == workflow::reason::kStatusTooLarge) {
    return "has a status that did not fit";
  }
  return objects_at(run, "/status/steps").empty() ? "never started" : "";
}

Result<int> retry(const Context& context, const RetryRequest& request) {
  std::int64_t round = 0;
  const auto changed =
      change_object(context, kRuns, request.run, [&](const Found& found) -> Result<std::optional<Json>> {
        const auto possible = expect_retriable(found, request);
        if (!possible) return possible.error();
        round = number_at(found.object, "/status/round") + 1;
        Json value = {{"round", round}};
        if (!request.steps.empty()) value["steps"] = request.steps;
        Json operations = Json::array();
        put(operations, found.object, "/spec/retryFrom", value);
        return std::optional(operations);
      });
  if (!changed) return changed.error();
  if (auto kept = expect_kept(changed->object, "/spec/retryFrom"); !kept) return kept.error();
  return tell(context, *changed, "is retried: round " + std::to_string(round));
}

}  // namespace convoke::plugin
