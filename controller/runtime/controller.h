// A named work queue, its workers and the reconciler they call.
//
// Until start() the queue only notes its keys, since a standby may wait for weeks; all that exists then is
// reconciled.
//
// Thread safety: enqueue and queue() from every thread; start and stop once.
// A reconcile that throws is a defect: it is caught, logged, counted in
// controller_runtime_reconcile_panics_total and retried with backoff; no other key is disturbed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/runtime/reconciler.h"
#include "controller/runtime/work_queue.h"

namespace prometheus {
class Registry;
}

namespace convoke::runtime {

struct ControllerOptions {
  std::string name;  // label of its metrics and logs: "task"
  int workers = 4;
  BackoffOptions backoff = {};  // of a key whose reconcile failed
  // Whether the object of a key is there: until start(), the queue keeps only those (WorkQueue::hold()).
  // None: it keeps every key.
  std::function<bool(const kube::ObjectKey&)> exists = {};
};

class Controller {
 public:
  Controller(ControllerOptions options, Reconciler& reconciler, Clock& clock, const Logger& log,
             prometheus::Registry& registry);
  ~Controller();

  WorkQueue& queue();
  const std::string& name() const;

  void start();
  // Lets running reconciles end, for `drain` at most; true if all ended.
  bool stop(Duration drain);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace convoke::runtime
