#include "programs/runner/decide.h"

namespace convoke::runner {

namespace {

constexpr char kShuttingDown[] = "the agent is shutting down";

// True while `assignment_id` is what the Task wants done by this agent.
bool is_wanted(const api::Task* task, const std::string& assignment_id, const std::string& agent) {
  return task != nullptr && !task->meta.being_deleted() && !task->spec.cancel &&
         task->status.agent_name == agent && task->status.assignment.id == assignment_id &&
         (task->status.phase == api::TaskPhase::Assigned || task->status.phase == api::TaskPhase::Running);
}

RunnerDecision go_on(Stage stage, Mode mode) {
  switch (stage) {
    case Stage::Claiming:
      if (mode != Mode::Working) return {Action::Reject, kShuttingDown};
      return {Action::Claim};
    case Stage::Running:
      return {mode == Mode::Stopping ? Action::Stop : Action::Watch};
    case Stage::Ended:
      return {Action::ReportEnd};
    case Stage::Closed:
      break;
  }
  return {Action::Forget};
}

RunnerDecision begin(const api::Task& task, const RunnerFacts& runner) {
  const auto& report = task.status.report;
  const bool reported = report.assignment_id == task.status.assignment.id;
  if (reported && report.state == api::ReportState::Running) return {Action::FailOrphan};
  if (reported && report.state != api::ReportState::None) return {};
  if (task.status.phase != api::TaskPhase::Assigned) return {};
  if (runner.mode != Mode::Working) return {Action::Reject, kShuttingDown};
  if (!runner.unsupported.empty()) return {Action::Reject, runner.unsupported};
  if (runner.active >= runner.capacity) {
    return {Action::Reject, "the agent is full (" + std::to_string(runner.active) + " of " +
                                std::to_string(runner.capacity) + ")"};
  }
  return {runner.heartbeat_lost ? Action::Wait : Action::Claim};
}

}  // namespace

RunnerDecision decide(const api::Task* task, const std::optional<ExecutionFacts>& execution,
                      const RunnerFacts& runner) {
  if (execution) {
    const bool ours = runner.mode != Mode::Deposed && !execution->refused;
    if (ours && is_wanted(task, execution->assignment_id, runner.agent_name))
      return go_on(execution->stage, runner.mode);
    return {execution->stage == Stage::Running ? Action::Kill : Action::Forget};
  }
  if (runner.mode == Mode::Deposed || runner.put_away) return {};
  if (task == nullptr || task->status.assignment.id.empty()) return {};
  if (!is_wanted(task, task->status.assignment.id, runner.agent_name)) return {};
  return begin(*task, runner);
}

}  // namespace convoke::runner
