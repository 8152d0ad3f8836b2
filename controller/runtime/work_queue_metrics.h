// workqueue_* of one queue, with upstream's names, labels and buckets.
//
// The two gauges about unfinished work are brought up to date whenever the queue is used, not when they are
// read.
//
// Thread safety: all methods from every thread.
// Ownership: the registry outlives this.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "controller/base/clock.h"

namespace prometheus {
class Registry;
}

namespace convoke::runtime {

class WorkQueueMetrics {
 public:
  // `name` becomes the labels "name" and "controller".
  WorkQueueMetrics(prometheus::Registry& registry, const std::string& name);
  ~WorkQueueMetrics();

  void added();
  void retried();
  void depth(std::size_t ready_keys);
  // A key that waited for `waited` was given to a worker.
  void taken(Duration waited);
  void finished(Duration worked);
  // Of the keys that are with workers now: how long in sum, and the longest.
  void unfinished(Duration total, Duration longest);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace convoke::runtime
