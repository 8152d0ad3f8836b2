#include "programs/runner/runner_reconciler.h"

#include <csignal>
#include <utility>

#include "controller/base/time_format.h"
#include "programs/runner/command.h"
#include "programs/runner/report.h"

namespace convoke::runner {

namespace {

using runtime::Done;
using runtime::RequeueAfter;
using runtime::Retry;

constexpr Duration kLookAgain = std::chrono::seconds(1);
constexpr char kInvalidReport[] = "InvalidReport";

Outcome restarted() {
  return failure("AgentRestarted",
                 "the agent was restarted while it worked on this; what became of it is unknown", true);
}

Outcome shut_down() {
  return failure("AgentShutdown", "the agent was shut down before the command ended", true);
}

Json end_of(const CommandEnd* end) {
  if (end == nullptr) return Json::object();
  return end->signal != 0 ? Json{{"signal", end->signal}} : Json{{"exit", end->exit_code}};
}

std::string describe(const CommandEnd* end) {
  if (end == nullptr) return "it could not start";
  return end->signal != 0 ? "signal " + std::to_string(end->signal)
                          : "exit " + std::to_string(end->exit_code);
}

}  // namespace

RunnerReconciler::RunnerReconciler(Parts parts) : parts_(std::move(parts)), config_(parts_.workshop.config) {}

void RunnerReconciler::advance_to(Mode mode) {
  auto current = mode_.load();
  while (current < mode && !mode_.compare_exchange_weak(current, mode)) {
  }
}

runtime::ReconcileResult RunnerReconciler::reconcile(const kube::ObjectKey& key) {
  for (;;) {
    const auto task = parts_.tasks.get(key);
    const auto plan = parts_.executions.plan(key, task, facts_about(task.get()));
    if (plan.decision.action != Action::Forget) return act(task.get(), plan);
    parts_.executions.forget(key);
  }
}

RunnerFacts RunnerReconciler::facts_about(const api::Task* task) const {
  RunnerFacts facts;
  facts.agent_name = config_.name;
  facts.mode = mode_;
  facts.capacity = config_.capacity;
  facts.heartbeat_lost = parts_.heartbeat_lost();
  if (task != nullptr) facts.unsupported = unsupported(config_, *task);
  return facts;
}

runtime::ReconcileResult RunnerReconciler::act(const api::Task* task, const Executions::Plan& plan) {
  switch (plan.decision.action) {
    case Action::Claim:
      return claim(*plan.execution);
    case Action::Reject:
      return reject(*task, plan.execution.get(), plan.decision.why);
    case Action::FailOrphan:
      return fail_orphan(*task);
    case Action::Watch:
      return watch(*plan.execution);
    case Action::ReportEnd:
      return report_end(*plan.execution);
    case Action::Kill:
      return kill(*plan.execution, std::nullopt);
    case Action::Stop:
      return kill(*plan.execution, shut_down());
    case Action::Wait:
      return RequeueAfter{kLookAgain};
    case Action::None:
    case Action::Forget:
      break;
  }
  return Done{};
}

runtime::ReconcileResult RunnerReconciler::claim(Execution& execution) {
  const auto answer =
      parts_.reporter.send(execution.task().meta.key(), running_patch(execution.subject(), Progress{}));
  if (answer.reception != Reception::Accepted) return not_taken(execution.task(), &execution, answer);
  start(execution);
  return RequeueAfter{config_.progress_interval};
}

void RunnerReconciler::start(Execution& execution) {
  const auto& task = execution.task();
  log_of(task).info("starting the command", {{"type", task.spec.type}});
  parts_.journal.write("start", task);
  execution.start(parts_.workshop, [this, &task](const CommandEnd* end) { on_end(task, end); });
}

// On the thread that supervises the command, or within start() if there is none.
void RunnerReconciler::on_end(const api::Task& task, const CommandEnd* end) {
  parts_.journal.write("end", task, end_of(end));
  log_of(task).info("the command has ended", {{"how", describe(end)}});
  parts_.executions.moved();
  parts_.enqueue(task.meta.key());
}

runtime::ReconcileResult RunnerReconciler::watch(Execution& execution) {
  const auto news = execution.news();
  if (!news) return RequeueAfter{config_.progress_interval};
  const auto answer =
      parts_.reporter.send(execution.task().meta.key(), running_patch(execution.subject(), *news));
  switch (answer.reception) {
    case Reception::Accepted:
    case Reception::Malformed:  // not worth a second try, and no reason to end the command
      execution.said(*news);
      return RequeueAfter{config_.progress_interval};
    case Reception::Refused:
    case Reception::Later:
      break;
  }
  return not_taken(execution.task(), &execution, answer);
}

runtime::ReconcileResult RunnerReconciler::report_end(Execution& execution) {
  const auto& task = execution.task();
  const auto outcome = execution.outcome();
  const auto patch = outcome_patch(execution.subject(), outcome, execution.progress(),
                                   format_micro_time(parts_.clock.wall_now()));
  const auto answer = parts_.reporter.send(task.meta.key(), patch);
  if (answer.reception == Reception::Malformed && outcome.error_code != kInvalidReport) {
    log_of(task).error("the API server does not take the outcome", {{"error", answer.error.describe()}});
    execution.fail(failure(kInvalidReport, answer.error.message, false));
    return RequeueAfter{Duration::zero()};
  }
  if (answer.reception != Reception::Accepted) return not_taken(task, &execution, answer);
  parts_.journal.write("reported", task, {{"state", outcome.succeeded ? "Succeeded" : "Failed"}});
  log_of(task).info("the outcome is reported",
                    {{"state", outcome.succeeded ? "Succeeded" : "Failed"}, {"code", outcome.error_code}});
  parts_.executions.forget(task.meta.key());
  return Done{};
}

runtime::ReconcileResult RunnerReconciler::reject(const api::Task& task, Execution* execution,
                                                  const std::string& why) {
  const auto answer =
      parts_.reporter.send(task.meta.key(), rejected_patch({task.status.assignment.id, ""}, why));
  if (answer.reception != Reception::Accepted) return not_taken(task, execution, answer);
  log_of(task).info("rejected", {{"why", why}});
  if (execution != nullptr) parts_.executions.forget(task.meta.key());
  return Done{};
}

runtime::ReconcileResult RunnerReconciler::fail_orphan(const api::Task& task) {
  const auto& report = task.status.report;
  const auto patch =
      outcome_patch({report.assignment_id, report.started_at}, restarted(), {report.progress, report.message},
                    format_micro_time(parts_.clock.wall_now()));
  const auto answer = parts_.reporter.send(task.meta.key(), patch);
  if (answer.reception != Reception::Accepted) return not_taken(task, nullptr, answer);
  parts_.journal.write("reported", task, {{"state", "Failed"}, {"code", restarted().error_code}});
  log_of(task).warn("a previous run of this agent had started it: reported as Failed");
  return Done{};
}

runtime::ReconcileResult RunnerReconciler::kill(Execution& execution, std::optional<Outcome> instead) {
  const auto step =
      execution.next_kill_step(parts_.clock.monotonic_now(), config_.kill_after, std::move(instead));
  if (step.signal != 0) {
    parts_.journal.write("killed", execution.task(), {{"signal", step.signal}});
    log_of(execution.task())
        .info("ending the command", {{"signal", step.signal == SIGKILL ? "SIGKILL" : "SIGTERM"}});
    execution.send(step.signal);
  }
  return RequeueAfter{step.again_after};
}

runtime::ReconcileResult RunnerReconciler::not_taken(const api::Task& task, Execution* execution,
                                                     const Reporter::Answer& answer) {
  if (answer.reception == Reception::Later) return Retry{answer.error};
  parts_.journal.write("refused", task, {{"error", answer.error.describe()}});
  log_of(task).warn("the API server refuses the report: the assignment is not ours any more",
                    {{"error", answer.error.describe()}});
  if (execution == nullptr) return Done{};
  execution->refuse();
  return RequeueAfter{Duration::zero()};
}

Logger RunnerReconciler::log_of(const api::Task& task) const {
  return parts_.log.with({{"namespace", task.meta.namespace_},
                          {"task", task.meta.name},
                          {"attempt", task.status.attempt},
                          {"assignment", task.status.assignment.id}});
}

}  // namespace convoke::runner
