// The queue between "something changed" and "reconcile this key": each key is held at most once, is never
// given to two workers at once, and comes back with per-key exponential backoff. After client-go's workqueue
// (queue, dirty and processing sets and a waiting heap), with priorities as controller-runtime's priority
// queue. Delays need no thread: they are part of what get() waits for.
//
// Within a priority the namespaces take turns, by weight (fair_share.h), so that ten thousand keys of one do
// not delay the few of another; within a namespace it is first in, first out.
//
// A queue that is held (a standby has no workers) only notes its keys, each once, and lets go of those whose
// object is gone: what it holds is bounded by the objects that there are.
//
// A key has at most one next time: adding it at once makes a delay of it moot, and while it is ready a new
// delay is ignored, because the reconcile to come decides anew.
//
// Thread safety: all methods from every thread. One mutex, one condition.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "controller/base/clock.h"
#include "controller/kube/object.h"

namespace convoke::runtime {

class WorkQueueMetrics;  // work_queue_metrics.h: workqueue_*

// Higher first.
inline constexpr int kPriorityLow = -100;  // initial list and resync
inline constexpr int kPriorityNormal = 0;
inline constexpr int kPriorityHigh = 100;  // a decision waits to be written

struct BackoffOptions {
  Duration base = std::chrono::milliseconds(5);
  Duration max = std::chrono::seconds(1000);
};

class WorkQueue {
 public:
  WorkQueue(Clock& clock, WorkQueueMetrics& metrics, BackoffOptions backoff = {});
  ~WorkQueue();

  // Until release(), keys are only noted. `exists` says whether a key is worth it; none: every key is. It is
  // asked under the queue's lock, from any thread, and not for each key: as soon as there are twice as many
  // as after it was asked last. A key without a namespace is no object's, and is kept.
  void hold(std::function<bool(const kube::ObjectKey&)> exists);
  // All that was noted is added now: at kPriorityLow like an initial list, except what waits to be written.
  void release();
  // For who would gather what only a worker gets rid of.
  bool is_held() const;

  // Adding a key that waits keeps the higher of both priorities; one that is processed is queued again at
  // done().
  void add(const kube::ObjectKey& key, int priority = kPriorityNormal);
  // Adds after `delay`; the earlier of several delays wins.
  void add_after(const kube::ObjectKey& key, Duration delay, int priority = kPriorityNormal);
  // Adds after the key's backoff, which doubles each time until forget(), but not before `at_least`.
  void add_rate_limited(const kube::ObjectKey& key, int priority = kPriorityNormal, Duration at_least = {});
  void forget(const kube::ObjectKey& key);
  int failures(const kube::ObjectKey& key) const;

  // Blocks for the next key; none once shut down. Every key got must be given to done().
  std::optional<kube::ObjectKey> get();
  void done(const kube::ObjectKey& key);

  // How many turns a namespace gets; 1 if it is not among them. Weights are positive.
  void set_weights(std::map<std::string, double> weights);

  // No further keys are handed out; get() returns none to every waiting worker. Adds are ignored.
  void shut_down();
  // Ready keys (not the delayed ones); those that are noted while it is held.
  std::size_t size() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace convoke::runtime
