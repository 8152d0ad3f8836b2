#include "reconcilers/workflow/run_reconciler.h"

#include <algorithm>
#include <utility>

#include "reconcilers/api/spec_problems.h"
#include "reconcilers/workflow/history.h"
#include "reconcilers/workflow/parameters.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/removal.h"
#include "reconcilers/workflow/retry_round.h"
#include "reconcilers/workflow/run_events.h"
#include "reconcilers/workflow/run_plan.h"
#include "reconcilers/workflow/run_status.h"
#include "reconcilers/workflow/run_step.h"
#include "reconcilers/workflow/run_stop.h"
#include "reconcilers/workflow/workflow_audit.h"

namespace convoke::workflow {
namespace {

using runtime::Done;
using runtime::ReconcileResult;
using runtime::RequeueAfter;
using runtime::Retry;
using runtime::Terminal;

// Looking at one run takes at most this part of a worker.
constexpr int kLookParts = 4;

// After that much time what was held back is tried again: nobody tells when a quota has room.
constexpr Duration kLongestHold = std::chrono::minutes(1);

// What keeps the spec from meaning anything; empty if nothing does.
std::string spec_problem(const api::WorkflowRun& run) {
  if (const auto problems = api::spec_problems(run.malformed); !problems.empty()) {
    return api::describe_problems(problems);
  }
  if (run.spec.workflow_name.empty() == run.spec.workflow_spec.empty()) {
    return "spec: exactly one of workflowName and workflowSpec is needed";
  }
  return {};
}

bool has_approval(const Definition& definition) {
  return std::any_of(definition.spec.steps.begin(), definition.spec.steps.end(),
                     [](const auto& step) { return step.approval.has_value(); });
}

ReconcileResult after(std::optional<Duration> wake) {
  return wake ? ReconcileResult(RequeueAfter{*wake}) : ReconcileResult(Done{});
}

// What was refused is not to be tried again in the same look, which would have no end.
const ChildStart* refused_start(const RunDecision& decision, const RunSnapshot& snapshot) {
  const auto found = std::find_if(decision.starts.begin(), decision.starts.end(), [&](const auto& start) {
    return snapshot.refused.count(start.key) > 0 || snapshot.held.count(start.key) > 0;
  });
  return found == decision.starts.end() ? nullptr : &*found;
}

// What the API server held back is tried again with growing pauses; nothing else of the run waits for that.
ReconcileResult try_again(const RunSnapshot& snapshot, const ReconcileResult& recorded) {
  if (std::holds_alternative<Retry>(recorded) || std::holds_alternative<Terminal>(recorded)) {
    return recorded;
  }
  const auto& [key, why] = *snapshot.held.begin();
  const auto* wake = std::get_if<RequeueAfter>(&recorded);
  return Retry{{ErrorCode::Forbidden, "creating " + name_of(snapshot, key) + ": " + why},
               wake != nullptr ? std::min(wake->delay, kLongestHold) : kLongestHold};
}

}  // namespace

RunReconciler::RunReconciler(kube::Client& client, api::Caches& caches, runtime::EventRecorder& events,
                             Clock& clock, Logger log, prometheus::Registry& registry,
                             RunReconcilerOptions options)
    : client_(client),
      caches_(caches),
      events_(events),
      clock_(clock),
      log_(std::move(log)),
      metrics_(registry),
      audit_(options.audit),
      definitions_(caches),
      children_(client, caches, events, clock, options.audit),
      pacer_(options.status_interval),
      looks_(kLookParts) {}

ReconcileResult RunReconciler::reconcile(const kube::ObjectKey& key) {
  const auto run = caches_.runs.get(key);
  if (!run) {
    return Done{};
  }
  if (run->meta.being_deleted() || api::is_terminal(run->status.phase)) {
    forget(run->meta.uid);
    const bool edited = !run->meta.being_deleted() && run->status.observed_generation != run->meta.generation;
    if (edited && is_retry_wanted(*run)) {
      return retry(run);
    }
    return edited ? write(run, edited_status(*run), {}) : remove_when_due(run);
  }
  return drive(run);
}

ReconcileResult RunReconciler::remove_when_due(const RunPtr& run) {
  const auto left = run->meta.being_deleted() ? std::nullopt : until_removal(*run, clock_.wall_now());
  if (!left || *left > Duration::zero()) {
    return after(left);
  }
  if (auto removed = remove_object(client_, audit_, api::kWorkflowRun, run->meta, reason::kTtlAfterFinished);
      !removed) {
    return Retry{removed.error()};
  }
  return Done{};
}

ReconcileResult RunReconciler::retry(const RunPtr& run) {
  auto answer = definitions_.find(*run, run->status, {});
  const auto* found = std::get_if<FoundDefinition>(&answer);
  const auto problem =
      found != nullptr ? retry_problem(*run, *found->definition) : std::get<NoDefinition>(answer).message;
  if (!problem.empty()) {
    events_.record(api::reference(*run), runtime::EventType::Warning, reason::kRetryRefused, "Retry",
                   problem);
    return write(run, edited_status(*run), {});
  }
  events_.record(api::reference(*run), runtime::EventType::Normal, reason::kRetried, "Retry",
                 "round " + std::to_string(run->spec.retry_from.round) + " begins");
  return write(run, begin_round(*run, *found->definition, clock_.wall_now()), {});
}

ReconcileResult RunReconciler::drive(const RunPtr& run) {
  if (const Duration rest = looks_.wait(run->meta.uid, clock_.monotonic_now()); rest > Duration::zero()) {
    return RequeueAfter{rest, true};
  }
  auto status = unwritten_.latest(*run);
  if (const auto problem = spec_problem(*run); !problem.empty()) {
    return record(run, waiting_status(*run, status, reason::kInvalidSpec, problem, true, clock_.wall_now()),
                  {});
  }
  const auto known = children_.list(*run);
  if (status.started_at.empty() && known.empty()) {
    if (run->spec.cancel) {
      return record(run, cancelled_status(*run, clock_.wall_now()), {});
    }
    if (run->spec.suspend) {
      return record(run, suspended_status(*run, clock_.wall_now()), {});
    }
  }
  auto answer = definitions_.find(*run, status, known);
  if (const auto* none = std::get_if<NoDefinition>(&answer)) {
    return run_without_definition(run, status, known, *none);
  }
  auto& found = std::get<FoundDefinition>(answer);
  RunSnapshot snapshot;
  snapshot.run = run;
  snapshot.status = std::move(status);
  snapshot.definition = std::move(found.definition);
  snapshot.revision = std::move(found.revision);
  if (snapshot.status.started_at.empty() && run->spec.created_by.empty() &&
      has_approval(*snapshot.definition)) {
    return record(run,
                  refused_status(*run, reason::kCreatorUnknown,
                                 "the workflow has approvals, which the creator of a run may not give: "
                                 "create the run with spec.createdBy, your user name",
                                 clock_.wall_now()),
                  {});
  }
  snapshot.parameters = snapshot.status.parameters;
  if (snapshot.parameters.empty()) {
    const auto parameters = resolve_parameters(snapshot.definition->spec.parameters, run->spec.parameters);
    if (!parameters) {
      return record(
          run,
          refused_status(*run, reason::kInvalidParameters, parameters.error().message, clock_.wall_now()),
          {});
    }
    snapshot.parameters = dump_json(*parameters);
  }
  return execute(std::move(snapshot), known);
}

ReconcileResult RunReconciler::run_without_definition(const RunPtr& run, const api::WorkflowRunStatus& status,
                                                      const KnownChildren& known, const NoDefinition& why) {
  const bool started = !status.started_at.empty() || !known.empty();
  if (started && run->spec.cancel) {
    return cancel_without_definition(run, status, known, why);
  }
  if (why.final && !started) {
    return record(run, refused_status(*run, why.reason, why.message, clock_.wall_now()), {});
  }
  return record(run, waiting_status(*run, status, why.reason, why.message, started, clock_.wall_now()), {});
}

// All that is known of such a run is its children.
ReconcileResult RunReconciler::cancel_without_definition(const RunPtr& run,
                                                         const api::WorkflowRunStatus& status,
                                                         const KnownChildren& known,
                                                         const NoDefinition& why) {
  std::vector<ChildPatch> patches;
  bool goes_on = false;
  const auto end = [&](const Child& child) {
    goes_on = goes_on || !child.ended();
    const bool undoes = !child.meta().label(api::label::kUndo).empty();
    if (auto patch = cancel_patch(child, "run cancelled", false, is_forced(*run)); patch && !undoes) {
      patches.push_back(std::move(*patch));
    }
    if (auto patch = resume_patch(*run, child)) {
      patches.push_back(std::move(*patch));
    }
  };
  for (const auto& task : known.tasks) {
    end({task, nullptr});
  }
  for (const auto& child : known.runs) {
    end({nullptr, child});
  }
  if (auto patched = children_.patch(patches); !patched) {
    return Retry{patched.error()};
  }
  if (goes_on) {
    return record(
        run,
        waiting_status(*run, status, why.reason, why.message + "; cancelled: waiting for what still runs",
                       true, clock_.wall_now()),
        {});
  }
  return record(run, abandoned_status(*run, status, why.message, clock_.wall_now()), {});
}

ReconcileResult RunReconciler::execute(RunSnapshot snapshot, const KnownChildren& known) {
  const auto begin = clock_.monotonic_now();
  if (auto matched = children_.match(known, snapshot); !matched) {
    return Retry{matched.error()};
  }
  snapshot.now = clock_.wall_now();
  RunDecision decision = decide(snapshot);
  looks_.looked(snapshot.run->meta.uid, begin, clock_.monotonic_now());
  while (true) {
    const auto created = children_.create(decision.starts, snapshot);
    if (!created) {
      return Retry{created.error()};
    }
    if (*created) {
      break;
    }
    decision = decide(snapshot);
    if (const auto* start = refused_start(decision, snapshot)) {
      return Retry{
          {ErrorCode::Internal, start->name + " was refused, and would be created again, which is a defect"}};
    }
  }
  if (auto patched = children_.patch(decision.patches); !patched) {
    return Retry{patched.error()};
  }
  auto result = record(snapshot.run, std::move(decision.status), decision.wake_after);
  return snapshot.held.empty() ? result : try_again(snapshot, result);
}

ReconcileResult RunReconciler::record(const RunPtr& run, api::WorkflowRunStatus status, Wake wake) {
  const auto& uid = run->meta.uid;
  if (status == run->status) {
    unwritten_.forget(uid);
    return after(wake);
  }
  // What a new leader could not tell from the children alone is written at once.
  const bool urgent = !run->status.present || status.phase != run->status.phase ||
                      status.current_step != run->status.current_step;
  const Duration wait = pacer_.wait(uid, clock_.monotonic_now());
  if (!urgent && wait > Duration::zero()) {
    unwritten_.keep(uid, std::move(status));
    return RequeueAfter{wake ? std::min(*wake, wait) : wait};
  }
  return write(run, status, wake);
}

ReconcileResult RunReconciler::write(const RunPtr& run, const api::WorkflowRunStatus& status, Wake wake) {
  const auto answer = client_.update_status(api::kWorkflowRun, api::status_update(*run, status));
  if (!answer) {
    return write_failed(run, status, answer.error());
  }
  if (const auto entry = audit_entry(*run, status, *answer); entry && audit_ != nullptr) {
    audit_->record(*entry);
  }
  const auto& uid = run->meta.uid;
  unwritten_.forget(uid);
  pacer_.wrote(uid, clock_.monotonic_now());
  announce(*run, status);
  caches_.runs.overlay(std::make_shared<const api::WorkflowRun>(api::WorkflowRun::from_json(*answer)));
  if (api::is_terminal(status.phase)) {
    forget(uid);
  }
  return after(wake);
}

ReconcileResult RunReconciler::write_failed(const RunPtr& run, const api::WorkflowRunStatus& status,
                                            const Error& error) {
  if (error.code == ErrorCode::NotFound) {
    forget(run->meta.uid);
    return Done{};
  }
  // How a run ended is decided anew: from an end that is not on record the next decision would go on as from
  // a cause to stop.
  if (!api::is_terminal(status.phase)) {
    unwritten_.keep(run->meta.uid, status);
  }
  auto with_context = error.with_context("writing the status of WorkflowRun " + run->meta.key().str());
  if (error.code == ErrorCode::Invalid) {
    events_.record(api::reference(*run), runtime::EventType::Warning, reason::kStatusRefused, "Run",
                   error.message);
    return Terminal{std::move(with_context)};
  }
  return Retry{std::move(with_context)};
}

void RunReconciler::announce(const api::WorkflowRun& run, const api::WorkflowRunStatus& status) {
  metrics_.status_written(run, status, clock_.wall_now());
  for (const auto& note : events_between(run.status, status)) {
    events_.record(api::reference(run), note.type, note.reason, note.action, note.note);
  }
  if (status.phase != run.status.phase || !run.status.present) {
    log_.info("run changed phase", {{"namespace", run.meta.namespace_},
                                    {"name", run.meta.name},
                                    {"phase", api::to_string(status.phase)},
                                    {"reason", status.reason},
                                    {"progress", status.progress}});
  }
}

void RunReconciler::forget(const std::string& uid) {
  unwritten_.forget(uid);
  pacer_.forget(uid);
  looks_.forget(uid);
}

}  // namespace convoke::workflow
