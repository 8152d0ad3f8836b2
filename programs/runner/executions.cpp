#include "programs/runner/executions.h"

#include <algorithm>

#include "controller/base/time_format.h"

namespace convoke::runner {

namespace {

// Far more than can be old news in a watch; the API server's `test` guards the rest.
constexpr std::size_t kMaxPutAway = 4096;

}  // namespace

Executions::Executions(Clock& clock) : clock_(clock), moved_(clock.make_condition()) {}

Executions::Plan Executions::plan(const kube::ObjectKey& key, const std::shared_ptr<const api::Task>& task,
                                  RunnerFacts facts) {
  MutexLock lock(mutex_);
  const auto found = by_task_.find(key);
  auto execution = found == by_task_.end() ? nullptr : found->second;
  facts.active = count_active();
  facts.put_away = task != nullptr && put_away_.contains(task->status.assignment.id);
  auto decision = decide(task.get(), execution ? std::optional(execution->facts()) : std::nullopt, facts);
  if (decision.action == Action::Claim && execution == nullptr) {
    execution = std::make_shared<Execution>(task, format_micro_time(clock_.wall_now()));
    by_task_[key] = execution;
  }
  return {std::move(decision), std::move(execution)};
}

void Executions::forget(const kube::ObjectKey& key) {
  std::shared_ptr<Execution> gone;
  MutexLock lock(mutex_);
  const auto found = by_task_.find(key);
  if (found == by_task_.end()) return;
  put_away(found->second->subject().assignment_id);
  gone = std::move(found->second);
  by_task_.erase(found);
  moved_->notify_all();
}

void Executions::clear() {
  std::map<kube::ObjectKey, std::shared_ptr<Execution>> gone;
  MutexLock lock(mutex_);
  gone.swap(by_task_);
}

std::vector<kube::ObjectKey> Executions::keys() const {
  MutexLock lock(mutex_);
  std::vector<kube::ObjectKey> out;
  for (const auto& [key, execution] : by_task_) out.push_back(key);
  return out;
}

int Executions::active() const {
  MutexLock lock(mutex_);
  return count_active();
}

void Executions::moved() {
  MutexLock lock(mutex_);
  moved_->notify_all();
}

bool Executions::wait_idle(Duration timeout) {
  const auto deadline = clock_.monotonic_now() + timeout;
  MutexLock lock(mutex_);
  while (count_active() > 0) {
    if (!moved_->wait_until(mutex_, deadline)) return count_active() == 0;
  }
  return true;
}

int Executions::count_active() const {
  const auto active = std::count_if(by_task_.begin(), by_task_.end(), [](const auto& entry) {
    return entry.second->facts().stage != Stage::Closed;
  });
  return static_cast<int>(active);
}

void Executions::put_away(const std::string& assignment_id) {
  if (!put_away_.insert(assignment_id).second) return;
  put_away_order_.push_back(assignment_id);
  if (put_away_order_.size() <= kMaxPutAway) return;
  put_away_.erase(put_away_order_.front());
  put_away_order_.pop_front();
}

}  // namespace convoke::runner
