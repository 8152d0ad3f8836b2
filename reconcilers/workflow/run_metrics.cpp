#include "reconcilers/workflow/run_metrics.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "controller/base/time_format.h"
#include "controller/runtime/bounded_series.h"
#include "controller/runtime/metric_builders.h"
#include "reconcilers/api/metric_names.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/run_events.h"

namespace convoke::workflow {
namespace {

constexpr std::size_t kRunPhases = static_cast<std::size_t>(api::RunPhase::Compensated) + 1;
constexpr std::size_t kStepPhases = static_cast<std::size_t>(api::StepPhase::Compensated) + 1;

// Of how a run can end: what is not listed is counted as kOther of its phase.
constexpr char kOther[] = "Other";
constexpr std::pair<api::RunPhase, const char*> kEnds[] = {
    {api::RunPhase::Succeeded, reason::kSucceeded},
    {api::RunPhase::Succeeded, kOther},
    {api::RunPhase::Failed, reason::kStepFailed},
    {api::RunPhase::Failed, reason::kTimeout},
    {api::RunPhase::Failed, reason::kInvalidSpec},
    {api::RunPhase::Failed, reason::kInvalidParameters},
    {api::RunPhase::Failed, reason::kCreatorUnknown},
    {api::RunPhase::Failed, reason::kInvalidDefinition},
    {api::RunPhase::Failed, reason::kInvalidOutput},
    {api::RunPhase::Failed, reason::kRevisionNotFound},
    {api::RunPhase::Failed, reason::kStatusTooLarge},
    {api::RunPhase::Failed, kOther},
    {api::RunPhase::Failed, reason::kCompensationFailed},
    {api::RunPhase::Compensated, reason::kStepFailed},
    {api::RunPhase::Compensated, reason::kTimeout},
    {api::RunPhase::Compensated, reason::kCancelled},
    {api::RunPhase::Compensated, kOther},
    {api::RunPhase::Cancelled, reason::kCancelled},
    {api::RunPhase::Cancelled, kOther},
};
constexpr std::array kEndPhases{api::RunPhase::Succeeded, api::RunPhase::Failed, api::RunPhase::Cancelled,
                                api::RunPhase::Compensated};

// Of one Workflow: how its runs ended, in the order of kEndPhases.
using WorkflowSeries = std::array<prometheus::Counter*, kEndPhases.size()>;

// "namespace/workflow"; empty for a run that carries its definition.
std::string workflow_of(const api::WorkflowRun& run) {
  return run.spec.workflow_name.empty() ? "" : run.meta.namespace_ + "/" + run.spec.workflow_name;
}

}  // namespace

struct RunMetrics::Impl {
  explicit Impl(prometheus::Registry& registry)
      : duration(runtime::make_histogram(
            registry, metric::kRunDuration, "From a run's start until it ended, in whatever way", {},
            {0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600, 24 * 3600})),
        workflow_runs(prometheus::BuildCounter()
                          .Name(metric::kWorkflowRuns)
                          .Help("Runs that ended, by Workflow (namespace/name) and phase")
                          .Register(registry)),
        by_workflow(
            kMaxWorkflows, [this](const std::string& workflow) { return make_series(workflow); },
            [this](WorkflowSeries& gone) {
              for (auto* counter : gone) workflow_runs.Remove(counter);
            }) {
    for (const auto& [phase, why] : kEnds) {
      ends[{phase, why}] =
          &runtime::make_counter(registry, metric::kRunsFinished, "Runs that ended, by phase and reason",
                                 {{"phase", api::to_string(phase)}, {"reason", why}});
    }
    for (std::size_t i = 0; i < kRunPhases; ++i) {
      runs[i] = &runtime::make_gauge(registry, metric::kRuns, "WorkflowRuns by phase",
                                     {{"phase", api::to_string(static_cast<api::RunPhase>(i))}});
    }
    for (std::size_t i = 0; i < kStepPhases; ++i) {
      if (api::is_terminal(static_cast<api::StepPhase>(i))) {
        steps[i] = &runtime::make_counter(registry, metric::kSteps, "Steps of runs that ended, by phase",
                                          {{"phase", api::to_string(static_cast<api::StepPhase>(i))}});
      }
    }
  }

  WorkflowSeries make_series(const std::string& workflow) const {
    WorkflowSeries series{};
    for (std::size_t i = 0; i < kEndPhases.size(); ++i) {
      series[i] = &workflow_runs.Add({{"workflow", workflow}, {"phase", api::to_string(kEndPhases[i])}});
    }
    return series;
  }
  void ended(const api::WorkflowRun& run, const api::WorkflowRunStatus& status) {
    const auto exact = ends.find({status.phase, status.reason});
    (exact == ends.end() ? ends.at({status.phase, kOther}) : exact->second)->Increment();
    by_workflow.with(workflow_of(run), [&](WorkflowSeries& series) {
      const auto place = std::find(kEndPhases.begin(), kEndPhases.end(), status.phase) - kEndPhases.begin();
      series[static_cast<std::size_t>(place)]->Increment();
    });
  }

  std::array<prometheus::Gauge*, kRunPhases> runs{};
  std::map<std::pair<api::RunPhase, std::string>, prometheus::Counter*> ends;
  std::array<prometheus::Counter*, kStepPhases> steps{};
  prometheus::Histogram& duration;
  prometheus::Family<prometheus::Counter>& workflow_runs;
  runtime::BoundedSeries<WorkflowSeries> by_workflow;
};

RunMetrics::RunMetrics(prometheus::Registry& registry) : impl_(std::make_unique<Impl>(registry)) {}
RunMetrics::~RunMetrics() = default;

void RunMetrics::run_changed(const api::WorkflowRun* before, const api::WorkflowRun* after) {
  if (before != nullptr) {
    impl_->runs[static_cast<std::size_t>(before->status.phase)]->Decrement();
  }
  if (after != nullptr) {
    impl_->runs[static_cast<std::size_t>(after->status.phase)]->Increment();
  }
  if (before == nullptr && after != nullptr && !api::is_terminal(after->status.phase)) {
    impl_->by_workflow.expect(workflow_of(*after));
  }
}

void RunMetrics::workflow_gone(const kube::ObjectKey& workflow) {
  impl_->by_workflow.forget(workflow.str());
}

void RunMetrics::status_written(const api::WorkflowRun& run, const api::WorkflowRunStatus& after,
                                WallTime now) {
  const api::WorkflowRunStatus& before = run.status;
  for (const auto* row : newly_ended(before, after)) {
    impl_->steps[static_cast<std::size_t>(row->phase)]->Increment();
  }
  if (!api::is_terminal(after.phase) || api::is_terminal(before.phase)) {
    return;
  }
  impl_->ended(run, after);
  if (const auto started = parse_time(after.started_at)) {
    impl_->duration.Observe(runtime::seconds(std::max(now - *started, Duration::zero())));
  }
}

}  // namespace convoke::workflow
