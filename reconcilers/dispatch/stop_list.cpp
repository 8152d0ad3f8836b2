#include "reconcilers/dispatch/stop_list.h"

#include <iterator>
#include <string>

namespace convoke::dispatch {
namespace {

constexpr char kSeparator = '/';
constexpr Duration kFirstStopPause = std::chrono::seconds(1);
constexpr int kMaxTries = 5;

// As a service; a Job is stopped without its agent.
bool was_brought_to(const api::Task& task, const api::Agent& agent) {
  const api::TaskDispatch& dispatch = task.status.dispatch;
  return !dispatch.assignment_id.empty() && dispatch.job_name.empty() &&
         dispatch.agent_name == agent.meta.name && task.meta.namespace_ == agent.meta.namespace_;
}

}  // namespace

kube::ObjectKey StopList::key_of(const api::Task& task) {
  return {task.meta.namespace_, task.meta.name + kSeparator + task.status.dispatch.assignment_id};
}

bool StopList::is_key(const kube::ObjectKey& key) {
  return key.name.find(kSeparator) != std::string::npos;
}

bool StopList::add(const api::Task& task) {
  const MutexLock lock(mutex_);
  Stop& stop = stops_[key_of(task)];
  if (stop.task != nullptr) return false;
  stop.task = std::make_shared<const api::Task>(task);
  return true;
}

void StopList::keep_agent(const AgentPtr& agent, const std::vector<TaskPtr>& tasks) {
  const MutexLock lock(mutex_);
  for (const TaskPtr& task : tasks) {
    if (!was_brought_to(*task, *agent)) continue;
    Stop& stop = stops_[key_of(*task)];
    if (stop.former == nullptr) stop.former = agent;
  }
  for (auto& [key, stop] : stops_) {
    const bool is_its = stop.task != nullptr && was_brought_to(*stop.task, *agent);
    if (is_its && stop.former == nullptr) stop.former = agent;
  }
}

std::optional<StopList::Order> StopList::get(const kube::ObjectKey& key) const {
  const MutexLock lock(mutex_);
  const auto found = stops_.find(key);
  if (found == stops_.end() || found->second.task == nullptr || found->second.is_over) return {};
  return Order{found->second.task, found->second.former};
}

bool StopList::is_over(const api::Task& task) const {
  const MutexLock lock(mutex_);
  const auto found = stops_.find(key_of(task));
  return found != stops_.end() && found->second.is_over;
}

std::optional<Duration> StopList::tried(const kube::ObjectKey& key, bool done) {
  const MutexLock lock(mutex_);
  const auto found = stops_.find(key);
  if (found == stops_.end()) return {};
  Stop& stop = found->second;
  if (!done && ++stop.tries < kMaxTries) return kFirstStopPause * (1 << stop.tries);
  stop.is_over = true;
  return {};
}

void StopList::sweep(const kube::ObjectKey& task_key, const api::Task* task) {
  const std::string prefix = task_key.name + kSeparator;
  const MutexLock lock(mutex_);
  auto it = stops_.lower_bound({task_key.namespace_, prefix});
  while (it != stops_.end() && it->first.namespace_ == task_key.namespace_ &&
         it->first.name.starts_with(prefix)) {
    const bool is_named = task != nullptr && key_of(*task) == it->first;
    const TaskPtr& stopped = it->second.task;
    const bool is_needless = stopped == nullptr || it->second.is_over;
    // The Job of a Task that is gone goes with it.
    const bool goes_along =
        task == nullptr && stopped != nullptr && !stopped->status.dispatch.job_name.empty();
    it = (is_needless && !is_named) || goes_along ? stops_.erase(it) : std::next(it);
  }
}

}  // namespace convoke::dispatch
