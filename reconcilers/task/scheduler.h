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
// Order: priority, then age, over all Tasks that some agent has room for. Nothing is matched before start(),
// so that a new leader sees all of the queue before it gives out the first place.
//
// Thread safety: all methods from every thread; one mutex. The listener is called outside of it.
// Ownership: clock and metrics outlive it; objects are copied from as needed.
// Errors: none.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/mutex.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/task.h"
#include "reconcilers/task/match_board.h"

namespace convoke::task {

class TaskMetrics;

// What the scheduler knows about one Task now.
struct Outlook {
  std::optional<Reservation> reservation;
  std::optional<Explanation> explanation;  // while it waits: why it has no agent
  Duration waited = {};                    // since it was first seen to want one
};

class Scheduler {
 public:
  // Called with a Task that should be looked at: matched (kPriorityHigh), or still waiting for another reason
  // than before (kPriorityLow).
  using Listener = std::function<void(const kube::ObjectKey& task, int priority)>;

  Scheduler(Clock& clock, TaskMetrics& metrics);

  // Before the first event.
  void set_listener(Listener listener);
  // On leadership, when the caches are synced.
  void start();

  // News of older resourceVersions are ignored; the same one again re-evaluates what depends on time
  // (retryAt), and offers a released Task again.
  void upsert_task(const api::Task& task);
  void remove_task(const kube::ObjectKey& key, const std::string& uid);
  void upsert_agent(const api::Agent& agent);
  void remove_agent(const kube::ObjectKey& key, const std::string& uid);

  Outlook outlook(const kube::ObjectKey& key, const std::string& uid) const;
  // The assignment cannot be written: the agent's place is free again, and the Task keeps its own in the
  // queue but is not offered before its next upsert.
  void release(const kube::ObjectKey& key, const std::string& uid);

 private:
  struct News {
    std::vector<MatchBoard::Match> matches;
    std::vector<kube::ObjectKey> flips;
  };
  // Makes one change of the board under the lock, serves whom it can, and tells the listener after it.
  template <class Change>
  void apply(Change change) EXCLUDES(mutex_);
  News settle() REQUIRES(mutex_);
  void tell(const News& news) EXCLUDES(mutex_);

  Clock& clock_;
  TaskMetrics& metrics_;
  Listener listener_;
  mutable Mutex mutex_;
  MatchBoard board_ GUARDED_BY(mutex_);
  bool started_ GUARDED_BY(mutex_) = false;
};

}  // namespace convoke::task
