#include "controller/runtime/controller.h"

#include <atomic>
#include <optional>
#include <stdexcept>
#include <vector>

#include "controller/runtime/metric_builders.h"
#include "controller/runtime/metric_names.h"
#include "controller/runtime/work_queue_metrics.h"

namespace convoke::runtime {
namespace {

thread_local unsigned long reconcile_id = 0;

// Names the reconcile of this thread while it lasts.
class ReconcileScope {
 public:
  explicit ReconcileScope(unsigned long id) { reconcile_id = id; }
  ~ReconcileScope() { reconcile_id = 0; }
  ReconcileScope(const ReconcileScope&) = delete;
  ReconcileScope& operator=(const ReconcileScope&) = delete;
};

// controller-runtime's buckets, in seconds.
prometheus::Histogram::BucketBoundaries reconcile_buckets() {
  return {0.005, 0.01, 0.025, 0.05, 0.1,  0.15, 0.2,  0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6,
          0.7,   0.8,  0.9,   1.0,  1.25, 1.5,  1.75, 2.0,  2.5, 3.0,  3.5, 4.0,  4.5, 5,
          6,     7,    8,     9,    10,   15,   20,   25,   30,  40,   50,  60};
}

struct ControllerMetrics {
  ControllerMetrics(prometheus::Registry& registry, const std::string& controller, int workers)
      : succeeded(total(registry, controller, "success")),
        requeued_after(total(registry, controller, "requeue_after")),
        failed(total(registry, controller, "error")),
        errors(make_counter(registry, metric::kReconcileErrors, "Reconciles that ended with an error",
                            {{"controller", controller}})),
        terminal_errors(make_counter(registry, metric::kReconcileTerminalErrors,
                                     "Reconciles that ended with an error that is not retried",
                                     {{"controller", controller}})),
        panics(make_counter(registry, metric::kReconcilePanics, "Reconciles that threw an exception",
                            {{"controller", controller}})),
        time(make_histogram(registry, metric::kReconcileTime, "How long reconciles took",
                            {{"controller", controller}}, reconcile_buckets())),
        active_workers(make_gauge(registry, metric::kActiveWorkers, "Workers that are reconciling now",
                                  {{"controller", controller}})) {
    make_gauge(registry, metric::kMaxConcurrent, "Workers of the controller", {{"controller", controller}})
        .Set(workers);
  }

  static prometheus::Counter& total(prometheus::Registry& registry, const std::string& controller,
                                    const char* result) {
    return make_counter(registry, metric::kReconcileTotal, "Reconciles by how they ended",
                        {{"controller", controller}, {"result", result}});
  }

  prometheus::Counter& succeeded;
  prometheus::Counter& requeued_after;
  prometheus::Counter& failed;
  prometheus::Counter& errors;
  prometheus::Counter& terminal_errors;
  prometheus::Counter& panics;
  prometheus::Histogram& time;
  prometheus::Gauge& active_workers;
};

}  // namespace

unsigned long current_reconcile_id() {
  return reconcile_id;
}

struct Controller::Impl {
  Impl(ControllerOptions a_options, Reconciler& a_reconciler, Clock& a_clock, const Logger& a_log,
       prometheus::Registry& registry)
      : options(std::move(a_options)),
        reconciler(a_reconciler),
        clock(a_clock),
        log(a_log.with({{"controller", options.name}})),
        metrics(registry, options.name, options.workers),
        queue_metrics(registry, options.name),
        queue(a_clock, queue_metrics, options.backoff),
        worker_ended(a_clock.make_condition()) {
    queue.hold(options.exists);
  }

  void work();
  void process(const kube::ObjectKey& key);
  ReconcileResult reconcile(const kube::ObjectKey& key);
  void settle(const kube::ObjectKey& key, const Done& done);
  void settle(const kube::ObjectKey& key, const RequeueAfter& requeue);
  void settle(const kube::ObjectKey& key, const Retry& retry);
  void settle(const kube::ObjectKey& key, const Terminal& terminal);
  void log_failure(const char* message, const kube::ObjectKey& key, const Error& error);

  const ControllerOptions options;
  Reconciler& reconciler;
  Clock& clock;
  const Logger log;
  ControllerMetrics metrics;
  WorkQueueMetrics queue_metrics;
  WorkQueue queue;
  std::atomic<unsigned long> last_id{0};

  Mutex mutex;
  std::unique_ptr<Condition> worker_ended;
  int running_workers GUARDED_BY(mutex) = 0;

  std::vector<std::unique_ptr<Thread>> threads;  // the last member: the workers use all the others
};

void Controller::Impl::work() {
  while (const std::optional<kube::ObjectKey> key = queue.get()) {
    metrics.active_workers.Increment();
    process(*key);
    queue.done(*key);
    metrics.active_workers.Decrement();
  }
  MutexLock lock(mutex);
  --running_workers;
  worker_ended->notify_all();
}

void Controller::Impl::process(const kube::ObjectKey& key) {
  const ReconcileScope scope(++last_id);
  const MonotonicTime start = clock.monotonic_now();
  const ReconcileResult result = reconcile(key);
  const Duration took = clock.monotonic_now() - start;
  metrics.time.Observe(seconds(took));
  std::visit([this, &key](const auto& outcome) { settle(key, outcome); }, result);
  log.debug("reconciled", {{"namespace", key.namespace_},
                           {"name", key.name},
                           {"reconcileID", current_reconcile_id()},
                           {"took", took}});
}

// An exception is a defect of the reconciler. It becomes an error like any other, so that only its key
// suffers.
ReconcileResult Controller::Impl::reconcile(const kube::ObjectKey& key) {
  std::string what = "something that is not a std::exception";
  try {
    return reconciler.reconcile(key);
  } catch (const std::exception& exception) {
    what = exception.what();
  } catch (...) {
  }
  metrics.panics.Increment();
  return Retry{{ErrorCode::Internal, "the reconciler threw an exception, which is a defect: " + what}};
}

void Controller::Impl::settle(const kube::ObjectKey& key, const Done&) {
  queue.forget(key);
  metrics.succeeded.Increment();
}

void Controller::Impl::settle(const kube::ObjectKey& key, const RequeueAfter& requeue) {
  if (!requeue.keeps_backoff) queue.forget(key);
  queue.add_after(key, requeue.delay);
  metrics.requeued_after.Increment();
}

void Controller::Impl::settle(const kube::ObjectKey& key, const Retry& retry) {
  queue.add_rate_limited(key, kPriorityNormal, retry.error.retry_after.value_or(Duration::zero()));
  if (retry.at_most) {
    queue.add_after(key, *retry.at_most);
  }
  metrics.errors.Increment();
  metrics.failed.Increment();
  log_failure("reconcile failed; it will be tried again", key, retry.error);
}

void Controller::Impl::settle(const kube::ObjectKey& key, const Terminal& terminal) {
  queue.forget(key);
  metrics.terminal_errors.Increment();
  metrics.errors.Increment();
  metrics.failed.Increment();
  log_failure("reconcile failed; it will not be tried again until something changes", key, terminal.error);
}

void Controller::Impl::log_failure(const char* message, const kube::ObjectKey& key, const Error& error) {
  log.warn(message, {{"namespace", key.namespace_},
                     {"name", key.name},
                     {"reconcileID", current_reconcile_id()},
                     {"failures", queue.failures(key)},
                     {"error", error.describe()}});
}

Controller::Controller(ControllerOptions options, Reconciler& reconciler, Clock& clock, const Logger& log,
                       prometheus::Registry& registry)
    : impl_(std::make_unique<Impl>(std::move(options), reconciler, clock, log, registry)) {}

Controller::~Controller() {
  impl_->queue.shut_down();
  impl_->threads.clear();
}

WorkQueue& Controller::queue() {
  return impl_->queue;
}

const std::string& Controller::name() const {
  return impl_->options.name;
}

void Controller::start() {
  {
    MutexLock lock(impl_->mutex);
    impl_->running_workers = impl_->options.workers;
  }
  impl_->queue.release();
  for (int i = 0; i < impl_->options.workers; ++i) {
    impl_->threads.push_back(impl_->clock.start_thread(impl_->options.name + "-" + std::to_string(i),
                                                       [impl = impl_.get()] { impl->work(); }));
  }
}

bool Controller::stop(Duration drain) {
  impl_->queue.shut_down();
  const MonotonicTime deadline = impl_->clock.monotonic_now() + drain;
  MutexLock lock(impl_->mutex);
  while (impl_->running_workers > 0) {
    if (!impl_->worker_ended->wait_until(impl_->mutex, deadline)) {
      return impl_->running_workers == 0;
    }
  }
  return true;
}

}  // namespace convoke::runtime
