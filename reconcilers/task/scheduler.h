// The scheduler: which agent gets which Task. Start here to read how Convoke assigns work; match_board.h
// explains the algorithm and what it costs.
//
// There is one for each process. It is an index over the caches, fed by their events and never by scanning,
// so nothing in it is the truth: a restart builds it anew. It decides; it writes nothing. A decision is a
// Reservation: the agent's place is held until the Task's own news say that it is Assigned (or that it needs
// no agent any more), until the agent can no longer take it, or until release().
//
//   upsert_task / upsert_agent ...  -> match -> listener(key, kPriorityHigh) -> the Task's reconcile ->
//   outlook()
//
// Order: priority (which rises with age, aging.h), then the workflows of a namespace in turns
// (workflow_turns.h), then age, over all Tasks that some agent has room for. Nothing is matched before
// start(), so that a new leader sees all of the queue before it gives out the first place.
//
// Thread safety: all methods from every thread; one mutex. The listener is called outside of it.
// Ownership: clock, metrics and random outlive it; objects are copied from as needed.
// Errors: none.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/live.h"
#include "controller/base/mutex.h"
#include "controller/base/random.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/task.h"
#include "reconcilers/task/match_board.h"
#include "reconcilers/task/rule_book.h"

namespace convoke::task {

class TaskMetrics;

// What the scheduler knows about one Task now.
struct Outlook {
  std::optional<Reservation> reservation;
  std::optional<Explanation> explanation;  // while it waits: why it has no agent
  Duration waited = {};                    // since it was first seen to want one
  std::optional<api::LockWait> lock_wait;  // while it is not its turn at one of its locks
};

class Scheduler {
 public:
  // Called with a Task that should be looked at: matched (kPriorityHigh), or still waiting for another reason
  // than before (kPriorityLow).
  using Listener = std::function<void(const kube::ObjectKey& task, int priority)>;

  // Called when wake() should be: after that time, or sooner.
  using Waker = std::function<void(Duration)>;

  Scheduler(Clock& clock, TaskMetrics& metrics, Random& random);

  // Before the first event.
  void set_listener(Listener listener);
  void set_waker(Waker waker);
  // On leadership, when the caches are synced. `recent`: what counts against the agents' rate limits.
  void start(const std::vector<RecentAssignment>& recent = {});
  // Time has passed: agents have their next tokens.
  void wake();

  // For Tasks that are looked at from now on; zero: none.
  void set_aging(Duration interval) { aging_.set(interval); }

  // News of older resourceVersions are ignored; the same one again re-evaluates what depends on time
  // (retryAt), and offers a released Task again.
  void upsert_task(const api::Task& task);
  // The same by the Task's own reconcile, which asks for the outlook next. The listener is not told of this
  // Task: one whose assignment cannot be written would be looked at again at once, and for ever.
  void review_task(const api::Task& task);
  void remove_task(const kube::ObjectKey& key, const std::string& uid);
  void upsert_agent(const api::Agent& agent);
  void remove_agent(const kube::ObjectKey& key, const std::string& uid);
  // What the Lease of a lock says: `lock` is the namespace and the lock's name.
  void set_lock(const kube::ObjectKey& lock, const LockRecord& record);

  // The assignment rules of the configuration. False if they are the same as before. Tasks that wait get no
  // agent under the new ones before their next upsert, which the caller sees to.
  bool set_rules(std::vector<AssignmentRule> rules);

  Outlook outlook(const kube::ObjectKey& key, const std::string& uid) const;
  // Whether an agent other than the one that it is assigned to, and that did not refuse it before, could take
  // the Task at once. O(agents of the namespace).
  bool has_room_elsewhere(const api::Task& task) const;
  // The assignment cannot be written: the agent's place is free again, and the Task keeps its own in the
  // queue but is not offered before its next upsert.
  void release(const kube::ObjectKey& key, const std::string& uid);

 private:
  struct News {
    std::vector<MatchBoard::Match> matches;
    std::vector<kube::ObjectKey> flips;
    std::optional<Duration> wake_in;
  };
  // Makes one change of the board under the lock, serves whom it can, and tells the listener after it.
  template <class Change>
  void apply(Change change, const kube::ObjectKey* untold = nullptr) EXCLUDES(mutex_);
  void upsert(const api::Task& task, const kube::ObjectKey* untold);
  News settle() REQUIRES(mutex_);
  // Those that wait for reasons of another kind than before, now and then.
  void add_reasons(News& news, MonotonicTime now) REQUIRES(mutex_);
  void tell(const News& news, const kube::ObjectKey* untold) EXCLUDES(mutex_);

  Clock& clock_;
  TaskMetrics& metrics_;
  Random& random_;
  RuleBook rules_;
  Live<Duration> aging_{Duration::zero()};
  Listener listener_;
  Waker waker_;
  mutable Mutex mutex_;
  MatchBoard board_ GUARDED_BY(mutex_);
  bool started_ GUARDED_BY(mutex_) = false;
  std::optional<MonotonicTime> wake_due_ GUARDED_BY(mutex_);  // when wake() will be called at the latest
  std::optional<MonotonicTime> reasons_due_ GUARDED_BY(mutex_);
};

}  // namespace convoke::task
