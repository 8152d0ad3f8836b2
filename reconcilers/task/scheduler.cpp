#include "reconcilers/task/scheduler.h"

#include <algorithm>
#include <utility>

#include "controller/runtime/work_queue.h"
#include "reconcilers/task/aging.h"
#include "reconcilers/task/task_metrics.h"

namespace convoke::task {
namespace {

// Agents that change one after the other cost those that wait one look, and one write at most.
constexpr Duration kNewsInterval = std::chrono::seconds(10);

}  // namespace

Scheduler::Scheduler(Clock& clock, TaskMetrics& metrics, Random& random)
    : clock_(clock), metrics_(metrics), random_(random) {}

void Scheduler::set_listener(Listener listener) {
  listener_ = std::move(listener);
}

template <class Change>
void Scheduler::apply(Change change, const kube::ObjectKey* untold) {
  News news;
  {
    const MutexLock lock(mutex_);
    change(board_);
    news = settle();
  }
  tell(news, untold);
}

void Scheduler::set_waker(Waker waker) {
  waker_ = std::move(waker);
}

void Scheduler::start(const std::vector<RecentAssignment>& recent) {
  const MonotonicTime now = clock_.monotonic_now();
  {
    const MutexLock lock(mutex_);
    board_.replay(recent, now);
    board_.forget_news();  // who waits is looked at anyway
    started_ = true;
  }
  apply([](MatchBoard&) {});
}

void Scheduler::wake() {
  {
    const MutexLock lock(mutex_);
    wake_due_.reset();
  }
  apply([](MatchBoard&) {});
}

void Scheduler::upsert_task(const api::Task& task) {
  upsert(task, nullptr);
}

void Scheduler::review_task(const api::Task& task) {
  const kube::ObjectKey key = task.meta.key();
  upsert(task, &key);
}

void Scheduler::upsert(const api::Task& task, const kube::ObjectKey* untold) {
  const WallTime wall_now = clock_.wall_now();
  Demand demand = demand_of(task, wall_now);
  demand.priority = effective_priority(task, aging_.get(), wall_now);
  if (demand.kind == Demand::Kind::Waiting) {
    rules_.add_rules(task, demand.requirement);
  }
  const MonotonicTime now = clock_.monotonic_now();
  const auto change = [&](MatchBoard& board) {
    // The rules change only under this lock: what was required under others would wait for nothing.
    if (demand.kind == Demand::Kind::Waiting && demand.requirement.rules_revision != rules_.revision()) {
      rules_.add_rules(task, demand.requirement);
    }
    board.upsert_task(task, demand, now);
  };
  apply(change, untold);
}

void Scheduler::remove_task(const kube::ObjectKey& key, const std::string& uid) {
  apply([&](MatchBoard& board) { board.remove_task(key, uid); });
}

void Scheduler::upsert_agent(const api::Agent& agent) {
  const MonotonicTime now = clock_.monotonic_now();
  apply([&](MatchBoard& board) { board.upsert_agent(agent, now); });
}

void Scheduler::remove_agent(const kube::ObjectKey& key, const std::string& uid) {
  apply([&](MatchBoard& board) { board.remove_agent(key, uid); });
}

void Scheduler::set_lock(const kube::ObjectKey& lock, const LockRecord& record) {
  apply([&](MatchBoard& board) { board.set_lock(lock, record); });
}

void Scheduler::release(const kube::ObjectKey& key, const std::string& uid) {
  apply([&](MatchBoard& board) { board.release(key, uid); });
}

bool Scheduler::set_rules(std::vector<AssignmentRule> rules) {
  bool changed = false;
  apply([&](MatchBoard& board) {
    changed = rules_.set(std::move(rules));
    board.set_rules_revision(rules_.revision());
  });
  return changed;
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
  } else if (entry->state == TaskEntry::State::Blocked) {
    outlook.lock_wait = board_.lock_wait(*entry);
  } else {
    outlook.explanation = board_.explain(*entry);
  }
  return outlook;
}

bool Scheduler::has_room_elsewhere(const api::Task& task) const {
  api::Task waiting = task;
  waiting.status.phase = api::TaskPhase::Queued;
  Demand demand = demand_of(waiting, clock_.wall_now());
  rules_.add_rules(task, demand.requirement);
  const MutexLock lock(mutex_);
  return board_.has_room_elsewhere(task, demand);
}

Scheduler::News Scheduler::settle() {
  News news;
  if (started_) {
    const MonotonicTime now = clock_.monotonic_now();
    news = {board_.match_all(now, random_), board_.take_flips(), {}};
    add_reasons(news, now);
    auto wake = board_.next_wake();
    if (reasons_due_) {
      wake = std::min(wake.value_or(*reasons_due_), *reasons_due_);
    }
    if (wake && (!wake_due_ || *wake < *wake_due_)) {
      wake_due_ = wake;
      news.wake_in = *wake - now;
    }
  }
  metrics_.scheduler_waiting(board_.waiting(), board_.waiting_for_locks());
  return news;
}

void Scheduler::add_reasons(News& news, MonotonicTime now) {
  if (!reasons_due_ && board_.has_news()) {
    reasons_due_ = now + kNewsInterval;
  }
  if (reasons_due_ && *reasons_due_ <= now) {
    reasons_due_.reset();
    for (kube::ObjectKey& key : board_.take_news()) {
      news.flips.push_back(std::move(key));
    }
  }
}

void Scheduler::tell(const News& news, const kube::ObjectKey* untold) {
  if (news.wake_in && waker_) {
    waker_(*news.wake_in);
  }
  for (const MatchBoard::Match& match : news.matches) {
    metrics_.matched(match.waited);
    if (listener_ && (untold == nullptr || match.key != *untold)) {
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
