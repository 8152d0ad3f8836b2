#include "reconcilers/workflow/workflow_reconciler.h"

#include <algorithm>
#include <utility>

#include "reconcilers/api/spec_problems.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/removal.h"
#include "reconcilers/workflow/trigger_check.h"
#include "reconcilers/workflow/trigger_run.h"
#include "reconcilers/workflow/workflow_audit.h"

namespace convoke::workflow {
namespace {

using runtime::Done;
using runtime::ReconcileResult;
using runtime::RequeueAfter;
using runtime::Retry;

// The wall clock may be set while a reconcile waits for a time on it.
constexpr Duration kLongestSleep = std::chrono::minutes(10);

// An answer about this object rather than about the moment; quotas and policies may change, so it is asked
// again.
bool is_refusal(const Error& error) {
  return error.http_status != 0 && (error.code == ErrorCode::Invalid || error.code == ErrorCode::Forbidden);
}

constexpr Duration kAskAgain = std::chrono::minutes(1);

api::TriggerType type_of(const api::Workflow& workflow, const std::string& trigger) {
  const auto& triggers = workflow.spec.triggers;
  const auto found = std::find_if(triggers.begin(), triggers.end(),
                                  [&](const auto& candidate) { return candidate.key() == trigger; });
  return found == triggers.end() ? api::TriggerType::Create : found->type;
}

// What `result` says, but no later than at `wake`.
ReconcileResult wake_at(ReconcileResult result, std::optional<WallTime> wake, WallTime now) {
  const auto* requeue = std::get_if<RequeueAfter>(&result);
  if (!wake || (requeue == nullptr && !std::holds_alternative<Done>(result))) {
    return result;
  }
  const Duration sleep = std::clamp<Duration>(*wake - now, std::chrono::milliseconds(1), kLongestSleep);
  return RequeueAfter{requeue == nullptr ? sleep : std::min(sleep, requeue->delay)};
}

}  // namespace

WorkflowReconciler::WorkflowReconciler(kube::Client& client, api::Caches& caches,
                                       runtime::EventRecorder& events, Clock& clock, Logger log,
                                       prometheus::Registry& registry, WorkflowReconcilerOptions options)
    : client_(client),
      caches_(caches),
      events_(events),
      clock_(clock),
      log_(std::move(log)),
      options_(options),
      metrics_(registry),
      pacer_(options.counts_interval) {}

ReconcileResult WorkflowReconciler::reconcile(const kube::ObjectKey& key) {
  const auto workflow = caches_.workflows.get(key);
  if (!workflow || workflow->meta.being_deleted()) {
    return Done{};
  }
  auto snapshot = observe(workflow);
  WorkflowDecision decision;
  while (true) {
    decision = decide(snapshot);
    auto complete = keep_revision(decision, snapshot);
    if (complete && *complete) {
      complete = create_runs(decision, snapshot);
    }
    if (!complete) {
      return Retry{complete.error()};
    }
    if (*complete) {
      break;
    }
  }
  if (auto cancelled = cancel_runs(decision); !cancelled) {
    return Retry{cancelled.error()};
  }
  auto result = record(*workflow, decision);
  const bool done = std::holds_alternative<Done>(result) || std::holds_alternative<RequeueAfter>(result);
  if (done && !snapshot.runs_refused.empty()) {
    // The pauses of a Retry grow beyond the next time of a schedule.
    return decision.wake ? wake_at(RequeueAfter{kAskAgain}, decision.wake, snapshot.now)
                         : Retry{snapshot.runs_refused.begin()->second};
  }
  return wake_at(std::move(result), decision.wake, snapshot.now);
}

WorkflowSnapshot WorkflowReconciler::observe(const WorkflowPtr& workflow) {
  return {workflow,
          check(*workflow),
          caches_.runs.by_index(api::index::kRunsByWorkflow, workflow->meta.key().str()),
          caches_.revisions.by_index(api::index::kRevisionsByOwner, workflow->meta.uid),
          false,
          {},
          {},
          clock_.wall_now()};
}

Result<DefinitionPtr> WorkflowReconciler::check(const api::Workflow& workflow) {
  if (const auto problems = api::spec_problems(workflow.malformed); !problems.empty()) {
    return Error{ErrorCode::Invalid, api::describe_problems(problems), reason::kInvalidDefinition};
  }
  auto definition = definitions_.get_or_parse(
      workflow.meta.uid + "/" + std::to_string(workflow.meta.generation), workflow.spec_json, "spec");
  if (definition) {
    if (auto status = check_triggers((*definition)->spec); !status) {
      return status.error();
    }
  }
  return definition;
}

Result<bool> WorkflowReconciler::keep_revision(const WorkflowDecision& decision, WorkflowSnapshot& snapshot) {
  if (decision.renumber_revision) {
    if (auto done = renumber(*decision.renumber_revision, decision.revision_number); !done) {
      return done.error();
    }
  }
  if (!decision.create_revision) {
    return true;
  }
  const auto& revision = *decision.create_revision;
  auto answer = client_.create(api::kControllerRevision, revision.to_json());
  if (!answer && answer.error().code == ErrorCode::AlreadyExists) {
    answer = client_.get(api::kControllerRevision, revision.meta.key());
  }
  if (!answer) {
    return answer.error().with_context("creating ControllerRevision " + revision.meta.name);
  }
  auto found = std::make_shared<const api::ControllerRevision>(api::ControllerRevision::from_json(*answer));
  if (is_controlled_by(found->meta, snapshot.workflow->meta.uid)) {
    snapshot.revisions.push_back(found);
    caches_.revisions.overlay(std::move(found));
    return true;
  }
  if (std::exchange(snapshot.revision_name_taken, true)) {
    return Error{ErrorCode::Unavailable,
                 "foreign ControllerRevisions have the names of revision " + revision.meta.name};
  }
  return false;
}

Status WorkflowReconciler::renumber(const api::ControllerRevision& revision, std::int64_t number) {
  const Json patch = {{"metadata", {{"uid", revision.meta.uid}}}, {"revision", number}};
  const auto answer =
      client_.patch(api::kControllerRevision, revision.meta.key(), patch, {kube::PatchType::Merge});
  if (!answer) {
    return answer.error().with_context("renumbering ControllerRevision " + revision.meta.name);
  }
  caches_.revisions.overlay(
      std::make_shared<const api::ControllerRevision>(api::ControllerRevision::from_json(*answer)));
  return {};
}

Result<bool> WorkflowReconciler::create_runs(const WorkflowDecision& decision, WorkflowSnapshot& snapshot) {
  bool complete = true;
  for (const auto& start : decision.create_runs) {
    const auto created = create_run(start, snapshot);
    if (!created) {
      return created.error();
    }
    complete = complete && *created;
  }
  return complete;
}

Result<bool> WorkflowReconciler::create_run(const RunStart& start, WorkflowSnapshot& snapshot) {
  const kube::ObjectKey key{snapshot.workflow->meta.namespace_, start.name};
  auto answer = client_.create(api::kWorkflowRun, start.manifest);
  if (answer && options_.audit != nullptr) {
    options_.audit->record(
        audit_of_creation(api::kWorkflowRun, *answer, "Workflow/" + snapshot.workflow->meta.name));
  }
  if (!answer && answer.error().code == ErrorCode::AlreadyExists) {
    answer = client_.get(api::kWorkflowRun, key);
  }
  if (!answer) {
    if (is_refusal(answer.error())) {
      metrics_.refused(type_of(*snapshot.workflow, start.trigger));
      snapshot.runs_refused.emplace(start.trigger, answer.error());
      return false;
    }
    return answer.error().with_context("creating WorkflowRun " + key.name);
  }
  auto run = std::make_shared<const api::WorkflowRun>(api::WorkflowRun::from_json(*answer));
  if (is_controlled_by(run->meta, snapshot.workflow->meta.uid)) {
    snapshot.runs.push_back(run);
    caches_.runs.overlay(std::move(run));
    return true;
  }
  events_.record(api::reference(*snapshot.workflow), runtime::EventType::Warning, reason::kNameConflict,
                 "Trigger", "WorkflowRun " + key.name + " exists and is not of this Workflow");
  // The next decision chooses another name, unless this was the other one.
  if (!snapshot.run_names_taken.insert(key.name).second) {
    return Error{ErrorCode::Unavailable,
                 "foreign WorkflowRuns have the names of the run to create: " + key.name};
  }
  return false;
}

Status WorkflowReconciler::cancel_runs(const WorkflowDecision& decision) {
  for (const auto& run : decision.cancel_runs) {
    const Json patch = {{"metadata", {{"uid", run->meta.uid}}},
                        {"spec", {{"cancel", {{"reason", kReplaced}}}}}};
    const auto answer = client_.patch(api::kWorkflowRun, run->meta.key(), patch, {kube::PatchType::Merge});
    if (answer) {
      caches_.runs.overlay(std::make_shared<const api::WorkflowRun>(api::WorkflowRun::from_json(*answer)));
    } else if (answer.error().code != ErrorCode::NotFound && answer.error().code != ErrorCode::Conflict) {
      return answer.error().with_context("cancelling WorkflowRun " + run->meta.key().str());
    }
  }
  return {};
}

ReconcileResult WorkflowReconciler::record(const api::Workflow& workflow, const WorkflowDecision& decision) {
  Duration wait = Duration::zero();
  if (decision.status != workflow.status) {
    if (differs_in_counts_only(workflow.status, decision.status)) {
      wait = pacer_.wait(workflow.meta.uid, clock_.monotonic_now());
    }
    if (wait == Duration::zero()) {
      if (auto written = write(workflow, decision.status); !written) {
        return written.error().code == ErrorCode::NotFound ? ReconcileResult(Done{})
                                                           : ReconcileResult(Retry{written.error()});
      }
    }
  }
  // Which events the runs came from must be in the status before they go.
  if (wait > Duration::zero() && decision.status.past_events != workflow.status.past_events) {
    return RequeueAfter{wait};
  }
  if (auto forgotten = forget(decision); !forgotten) {
    return Retry{forgotten.error()};
  }
  return wait > Duration::zero() ? ReconcileResult(RequeueAfter{wait}) : ReconcileResult(Done{});
}

Status WorkflowReconciler::forget(const WorkflowDecision& decision) {
  for (const auto& run : decision.delete_runs) {
    if (auto removed =
            remove_object(client_, options_.audit, api::kWorkflowRun, run->meta, reason::kHistoryLimit);
        !removed) {
      return removed;
    }
  }
  for (const auto& revision : decision.delete_revisions) {
    if (auto removed = remove_object(client_, options_.audit, api::kControllerRevision, revision->meta,
                                     reason::kHistoryLimit);
        !removed) {
      return removed;
    }
  }
  return {};
}

Status WorkflowReconciler::write(const api::Workflow& workflow, const api::WorkflowStatus& status) {
  const auto answer = client_.update_status(api::kWorkflow, api::status_update(workflow, status));
  if (!answer) {
    return answer.error().with_context("writing the status of Workflow " + workflow.meta.key().str());
  }
  if (const auto entry = audit_entry(workflow, status, *answer); entry && options_.audit != nullptr) {
    options_.audit->record(*entry);
  }
  pacer_.wrote(workflow.meta.uid, clock_.monotonic_now());
  metrics_.status_written(workflow.status, status);
  for (const auto& note : events_between(workflow.status, status)) {
    events_.record(api::reference(workflow), note.type, note.reason, note.action, note.note);
  }
  if (workflow.status.phase != status.phase || workflow.status.current_revision != status.current_revision) {
    log_.info("workflow checked", {{"namespace", workflow.meta.namespace_},
                                   {"name", workflow.meta.name},
                                   {"phase", status.phase},
                                   {"revision", status.current_revision}});
  }
  caches_.workflows.overlay(std::make_shared<const api::Workflow>(api::Workflow::from_json(*answer)));
  return {};
}

// An object that changed or went meanwhile is looked at again when the cache says so.
void WorkflowReconciler::watch(runtime::WorkQueue& queue) {
  const auto priority = [](bool initial) {
    return initial ? runtime::kPriorityLow : runtime::kPriorityNormal;
  };
  caches_.workflows.add_handler(
      [this, &queue, priority](const runtime::Store<api::Workflow>::Change& change) {
        if (change.after) {
          queue.add(change.after->meta.key(), priority(change.initial));
        } else {
          pacer_.forget(change.before->meta.uid);
        }
      });
  caches_.revisions.add_handler(
      [&queue, priority](const runtime::Store<api::ControllerRevision>::Change& change) {
        const auto& meta = (change.after ? change.after : change.before)->meta;
        const auto* owner = meta.controller();
        if (owner != nullptr && owner->kind == api::kWorkflow.kind) {
          queue.add({meta.namespace_, owner->name}, priority(change.initial));
        }
      });
  caches_.runs.add_handler([this, &queue](const runtime::Store<api::WorkflowRun>::Change& change) {
    const auto& run = change.after ? *change.after : *change.before;
    const bool matters =
        !change.before || !change.after || change.before->status.phase != change.after->status.phase;
    if (matters && !run.spec.workflow_name.empty()) {
      queue.add_after({run.meta.namespace_, run.spec.workflow_name}, options_.gather, runtime::kPriorityLow);
    }
  });
}

}  // namespace convoke::workflow
