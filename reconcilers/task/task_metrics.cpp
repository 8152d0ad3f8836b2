#include "reconcilers/task/task_metrics.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "controller/base/time_format.h"
#include "controller/runtime/bounded_series.h"
#include "controller/runtime/metric_builders.h"
#include "reconcilers/api/metric_names.h"
#include "reconcilers/task/reasons.h"

namespace convoke::task {
namespace {

using runtime::BoundedSeries;
using CounterFamily = prometheus::Family<prometheus::Counter>;
using HistogramFamily = prometheus::Family<prometheus::Histogram>;

constexpr std::size_t kPhaseCount = static_cast<std::size_t>(api::TaskPhase::Cancelled) + 1;
constexpr std::size_t kOutcomes = static_cast<std::size_t>(api::AttemptOutcome::LockLost) + 1;
constexpr int kPriorities = 5;

const prometheus::Histogram::BucketBoundaries kMatchBuckets{
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800};
const prometheus::Histogram::BucketBoundaries kQueueBuckets{0.005, 0.025, 0.1, 0.5, 1,   5,
                                                            15,    60,    300, 900, 3600};
const prometheus::Histogram::BucketBoundaries kAttemptBuckets{0.1, 0.5, 1,   2.5,  5,        10,       30,
                                                              60,  300, 900, 3600, 4 * 3600, 24 * 3600};

// How a Task can end.
constexpr std::pair<api::TaskPhase, const char*> kEnds[] = {
    {api::TaskPhase::Succeeded, reason::kSucceeded},   {api::TaskPhase::Failed, reason::kFailed},
    {api::TaskPhase::Failed, reason::kTimeout},        {api::TaskPhase::Failed, reason::kAgentLost},
    {api::TaskPhase::Failed, reason::kOutputTooLarge}, {api::TaskPhase::Failed, reason::kDeadlineExceeded},
    {api::TaskPhase::Failed, reason::kOutcomeUnknown}, {api::TaskPhase::Failed, reason::kSubtasksFailed},
    {api::TaskPhase::Failed, reason::kLockLost},       {api::TaskPhase::Failed, reason::kSubtaskNotCreated},
    {api::TaskPhase::Cancelled, reason::kCancelled},
};

std::size_t index_of(api::AttemptOutcome outcome) {
  return static_cast<std::size_t>(outcome);
}

CounterFamily& counters(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

HistogramFamily& histograms(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

// Of one Task type: how long it waits, by priority.
struct TypeSeries {
  TypeSeries(HistogramFamily& family, const std::string& type) {
    for (int i = 0; i < kPriorities; ++i) {
      by_priority[static_cast<std::size_t>(i)] =
          &family.Add({{"type", type}, {"priority", std::to_string(i + 1)}}, kQueueBuckets);
    }
  }
  std::array<prometheus::Histogram*, kPriorities> by_priority{};
};

// Of one agent: what it did, and how long that took.
struct AgentSeries {
  AgentSeries(CounterFamily& attempts, CounterFamily& time, const std::string& agent)
      : seconds(&time.Add({{"agent", agent}})) {
    for (std::size_t i = 0; i < kOutcomes; ++i) {
      by_outcome[i] =
          &attempts.Add({{"agent", agent}, {"outcome", api::to_string(static_cast<api::AttemptOutcome>(i))}});
    }
  }
  prometheus::Counter* seconds;
  std::array<prometheus::Counter*, kOutcomes> by_outcome{};
};

double seconds_between(const std::string& from, const std::string& to) {
  const auto begin = parse_time(from);
  const auto end = parse_time(to);
  return begin && end ? std::max(0.0, runtime::seconds(*end - *begin)) : 0.0;
}

}  // namespace

struct TaskMetrics::Impl {
  explicit Impl(prometheus::Registry& registry);

  std::array<prometheus::Gauge*, kPhaseCount> tasks{};
  std::map<std::pair<api::TaskPhase, std::string>, prometheus::Counter*> ends;
  std::array<prometheus::Counter*, kOutcomes> attempts{};

  HistogramFamily& wait_family;
  HistogramFamily& attempt_family;
  CounterFamily& agent_attempts;
  CounterFamily& agent_seconds;
  BoundedSeries<TypeSeries> by_type;
  BoundedSeries<prometheus::Histogram*> by_agent_type;
  BoundedSeries<AgentSeries> by_agent;

  prometheus::Histogram& queue;
  prometheus::Gauge& waiting;
  prometheus::Gauge& lock_waiting;
  prometheus::Counter& decisions;
};

TaskMetrics::Impl::Impl(prometheus::Registry& registry)
    : wait_family(histograms(registry, metric::kTaskAssignSeconds,
                             "From when a Task was seen to want an agent until it was assigned")),
      attempt_family(histograms(registry, metric::kTaskAttemptSeconds,
                                "From the assignment of an attempt until it ended, in whatever way")),
      agent_attempts(counters(registry, metric::kAgentAttempts,
                              "Attempts that ended, by agent (namespace/name) and outcome")),
      agent_seconds(counters(registry, metric::kAgentAttemptSeconds,
                             "Time from assignment to end of all attempts that an agent had")),
      by_type(kMaxTaskTypes, [this](const std::string& type) { return TypeSeries(wait_family, type); }),
      by_agent_type(kMaxAgentTypes,
                    [this](const std::string& type) {
                      return &attempt_family.Add({{"agent_type", type}}, kAttemptBuckets);
                    }),
      by_agent(
          kMaxAgents,
          [this](const std::string& agent) { return AgentSeries(agent_attempts, agent_seconds, agent); },
          [this](AgentSeries& gone) {
            agent_seconds.Remove(gone.seconds);
            for (auto* counter : gone.by_outcome) agent_attempts.Remove(counter);
          }),
      queue(runtime::make_histogram(registry, metric::kTaskQueueSeconds,
                                    "From when a Task was seen to want an agent until it was matched", {},
                                    kMatchBuckets)),
      waiting(runtime::make_gauge(registry, metric::kSchedulerWaiting,
                                  "Tasks that want an agent and have none", {})),
      lock_waiting(runtime::make_gauge(registry, metric::kLockWaiting,
                                       "Tasks whose turn at one of their locks has not come", {})),
      decisions(runtime::make_counter(registry, metric::kSchedulerDecisions,
                                      "Tasks that were matched with an agent", {})) {
  for (std::size_t i = 0; i < kPhaseCount; ++i) {
    tasks[i] = &runtime::make_gauge(registry, metric::kTasks, "Tasks by phase",
                                    {{"phase", api::to_string(static_cast<api::TaskPhase>(i))}});
  }
  for (const auto& [phase, why] : kEnds) {
    ends[{phase, why}] =
        &runtime::make_counter(registry, metric::kTasksFinished, "Tasks that ended, by phase and reason",
                               {{"phase", api::to_string(phase)}, {"reason", why}});
  }
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    attempts[i] = &runtime::make_counter(registry, metric::kTaskAttempts, "Attempts that ended, by outcome",
                                         {{"outcome", api::to_string(static_cast<api::AttemptOutcome>(i))}});
  }
}

TaskMetrics::TaskMetrics(prometheus::Registry& registry) : impl_(std::make_unique<Impl>(registry)) {}
TaskMetrics::~TaskMetrics() = default;

void TaskMetrics::task_changed(const api::Task* before, const api::Task* after) {
  if (before != nullptr) {
    impl_->tasks[static_cast<std::size_t>(before->status.phase)]->Decrement();
  }
  if (after != nullptr) {
    impl_->tasks[static_cast<std::size_t>(after->status.phase)]->Increment();
  }
  if (before == nullptr && after != nullptr && !api::is_terminal(after->status.phase)) {
    impl_->by_type.expect(after->spec.type);
  }
}

void TaskMetrics::agent_changed(const api::Agent* before, const api::Agent* after) {
  if (after == nullptr) {
    impl_->by_agent.forget(before->meta.key().str());
  } else if (before == nullptr) {
    impl_->by_agent.expect(after->meta.key().str());
    impl_->by_agent_type.expect(after->spec.type);
  }
}

void TaskMetrics::finished(const api::TaskStatus& before, const api::TaskStatus& after) {
  if (api::is_terminal(before.phase) || !api::is_terminal(after.phase)) {
    return;
  }
  if (const auto end = impl_->ends.find({after.phase, after.reason}); end != impl_->ends.end()) {
    end->second->Increment();
  }
}

void TaskMetrics::attempt_ended(const api::Task& task, const api::AttemptRecord& attempt,
                                const api::Agent* agent) {
  const std::size_t outcome = index_of(attempt.outcome);
  const double took = seconds_between(attempt.assigned_at, attempt.finished_at);
  impl_->attempts[outcome]->Increment();
  impl_->by_agent_type.with(agent == nullptr ? "" : agent->spec.type,
                            [took](prometheus::Histogram* series) { series->Observe(took); });
  if (agent == nullptr) {
    return;
  }
  impl_->by_agent.with(task.meta.namespace_ + "/" + attempt.agent_name, [&](AgentSeries& series) {
    series.by_outcome[outcome]->Increment();
    series.seconds->Increment(took);
  });
}

void TaskMetrics::assigned(const api::Task& task, Duration after) {
  const auto priority = static_cast<std::size_t>(std::clamp(task.spec.priority, 1, kPriorities) - 1);
  impl_->by_type.with(task.spec.type, [&](TypeSeries& series) {
    series.by_priority[priority]->Observe(runtime::seconds(after));
  });
}

void TaskMetrics::matched(Duration after) {
  impl_->queue.Observe(runtime::seconds(after));
  impl_->decisions.Increment();
}

void TaskMetrics::scheduler_waiting(std::size_t tasks, std::size_t for_locks) {
  impl_->waiting.Set(static_cast<double>(tasks));
  impl_->lock_waiting.Set(static_cast<double>(for_locks));
}

}  // namespace convoke::task
