#include "reconcilers/task/scheduler.h"

#include <utility>

#include "controller/runtime/work_queue.h"
#include "reconcilers/task/task_metrics.h"

namespace convoke::task {

Scheduler::Scheduler(Clock& clock, TaskMetrics& metrics) : clock_(clock), metrics_(metrics) {}

void Scheduler::set_listener(Listener listener) {
  listener_ = std::move(listener);
}

template <class Change>
void Scheduler::apply(Change change) {
  News news;
  {
    const MutexLock lock(mutex_);
    change(board_);
    news = settle();
  }
  tell(news);
}

void Scheduler::start() {
  {
    const MutexLock lock(mutex_);
    started_ = true;
  }
  apply([](MatchBoard&) {});
}

void Scheduler::upsert_task(const api::Task& task) {
  const Demand demand = demand_of(task, clock_.wall_now());
  const MonotonicTime now = clock_.monotonic_now();
  apply([&](MatchBoard& board) { board.upsert_task(task, demand, now); });
}

void Scheduler::remove_task(const kube::ObjectKey& key, const std::string& uid) {
  apply([&](MatchBoard& board) { board.remove_task(key, uid); });
}

void Scheduler::upsert_agent(const api::Agent& agent) {
  apply([&](MatchBoard& board) { board.upsert_agent(agent); });
}

void Scheduler::remove_agent(const kube::ObjectKey& key, const std::string& uid) {
  apply([&](MatchBoard& board) { board.remove_agent(key, uid); });
}

void Scheduler::release(const kube::ObjectKey& key, const std::string& uid) {
  apply([&](MatchBoard& board) { board.release(key, uid); });
}

Outlook Scheduler::outlook(const kube::ObjectKey& key, const std::string& uid) const {
  const MutexLock lock(mutex_);
  const TaskEntry* entry = board_.find(key, uid);
  Outlook outlook;
  if (entry == nullptr || entry->demand_class == nullptr) {
    return outlook;
  }
  outlook.waited = clock_.monotonic_now() - entry->waiting_since;
  if (entry->state == TaskEntry::State::Reserved) {
    outlook.reservation = entry->reservation;
  } else {
    outlook.explanation = board_.explain(*entry);
  }
  return outlook;
}

Scheduler::News Scheduler::settle() {
  News news;
  if (started_) {
    news = {board_.match_all(clock_.monotonic_now()), board_.take_flips()};
  }
  metrics_.scheduler_waiting(board_.waiting());
  return news;
}

void Scheduler::tell(const News& news) {
  for (const MatchBoard::Match& match : news.matches) {
    metrics_.matched(match.waited);
    if (listener_) {
      listener_(match.key, runtime::kPriorityHigh);
    }
  }
  for (const kube::ObjectKey& key : news.flips) {
    if (listener_) {
      listener_(key, runtime::kPriorityLow);
    }
  }
}

}  // namespace convoke::task
