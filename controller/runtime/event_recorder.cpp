#include "controller/runtime/event_recorder.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include "controller/base/mutex.h"
#include "controller/runtime/event_aggregator.h"
#include "controller/runtime/metric_names.h"

namespace convoke::runtime {

namespace {

// convoke_events_sent_total and convoke_events_dropped_total{reason}.
struct EventCounters {
  explicit EventCounters(prometheus::Registry& registry)
      : EventCounters(registry, prometheus::BuildCounter()
                                    .Name(metric::kEventsDropped)
                                    .Help("Events that were not sent, by why.")
                                    .Register(registry)) {}

  prometheus::Counter& of(EventDrop drop) {
    return drop == EventDrop::BufferFull ? buffer_full : object_rate;
  }

  prometheus::Counter& sent;
  prometheus::Counter& buffer_full;
  prometheus::Counter& object_rate;
  prometheus::Counter& namespace_terminating;
  prometheus::Counter& error;
  prometheus::Counter& shutdown;

 private:
  EventCounters(prometheus::Registry& registry, prometheus::Family<prometheus::Counter>& dropped)
      : sent(prometheus::BuildCounter()
                 .Name(metric::kEventsSent)
                 .Help("Events that the API server took, updates of a series included.")
                 .Register(registry)
                 .Add({})),
        buffer_full(dropped.Add({{"reason", "buffer_full"}})),
        object_rate(dropped.Add({{"reason", "object_rate"}})),
        namespace_terminating(dropped.Add({{"reason", "namespace_terminating"}})),
        error(dropped.Add({{"reason", "error"}})),
        shutdown(dropped.Add({{"reason", "shutdown"}})) {}
};

bool is_namespace_terminating(const Error& error) {
  return std::any_of(error.causes.begin(), error.causes.end(),
                     [](const ErrorCause& cause) { return cause.reason == "NamespaceTerminating"; });
}

}  // namespace

struct ApiEventRecorder::Impl {
  Impl(kube::Client& client, Clock& clock, Logger log, prometheus::Registry& registry, EventOptions options)
      : client_(client),
        clock_(clock),
        log_(std::move(log)),
        counters_(registry),
        changed_(clock.make_condition()),
        aggregator_(std::move(options), EventLimits{}, clock.monotonic_now()) {}

  void run();
  std::optional<OutgoingEvent> wait_for_next();
  void send(const OutgoingEvent& event);
  Status request(const OutgoingEvent& event);

  kube::Client& client_;
  Clock& clock_;
  const Logger log_;
  EventCounters counters_;

  Mutex mutex_;
  std::unique_ptr<Condition> changed_;
  EventAggregator aggregator_ GUARDED_BY(mutex_);
  bool stopped_ GUARDED_BY(mutex_) = false;
  MonotonicTime give_up_at_ GUARDED_BY(mutex_);  // once stopped

  std::unique_ptr<Thread> thread_;
};

void ApiEventRecorder::Impl::run() {
  while (const auto event = wait_for_next()) send(*event);
}

// None once stopped and nothing is left, or no time.
std::optional<OutgoingEvent> ApiEventRecorder::Impl::wait_for_next() {
  const MutexLock lock(mutex_);
  for (;;) {
    const auto now = clock_.monotonic_now();
    if (stopped_ && now >= give_up_at_) return std::nullopt;
    if (auto event = aggregator_.next(now, stopped_)) return event;
    const auto due = aggregator_.next_due(now, stopped_);
    if (due) {
      changed_->wait_until(mutex_, stopped_ ? std::min(*due, give_up_at_) : *due);
    } else if (stopped_) {
      return std::nullopt;
    } else {
      changed_->wait(mutex_);
    }
  }
}

void ApiEventRecorder::Impl::send(const OutgoingEvent& event) {
  const Status status = request(event);
  if (status) return counters_.sent.Increment();

  const Error& error = status.error();
  (is_namespace_terminating(error) ? counters_.namespace_terminating : counters_.error).Increment();
  log_.debug("event dropped", {{"namespace", event.key.namespace_},
                               {"event", event.key.name},
                               {"reason", event.object.value("reason", "")},
                               {"error", error.describe()}});
  const MutexLock lock(mutex_);
  aggregator_.failed(event.id);
}

Status ApiEventRecorder::Impl::request(const OutgoingEvent& event) {
  if (!event.first) {
    const auto patched = client_.patch(kEvent, event.key, {{"series", event.object["series"]}}, {});
    if (patched) return {};
    // The API server forgets Events after an hour; then the series starts again.
    if (patched.error().code != ErrorCode::NotFound) return patched.error();
  }
  const auto created = client_.create(kEvent, event.object);
  // The name says all that makes the Event: it was taken before and its answer was lost.
  if (created || created.error().code == ErrorCode::AlreadyExists) return {};
  return created.error();
}

ApiEventRecorder::ApiEventRecorder(kube::Client& client, Clock& clock, Logger log,
                                   prometheus::Registry& registry, EventOptions options)
    : impl_(std::make_unique<Impl>(client, clock, std::move(log), registry, std::move(options))) {}

ApiEventRecorder::~ApiEventRecorder() {
  stop(Duration::zero());
}

void ApiEventRecorder::record(const kube::ObjectReference& regarding, EventType type,
                              const std::string& reason, const std::string& action, const std::string& note) {
  const Instant now{impl_->clock_.monotonic_now(), impl_->clock_.wall_now()};
  const MutexLock lock(impl_->mutex_);
  if (impl_->stopped_) return impl_->counters_.shutdown.Increment();
  const auto due_before = impl_->aggregator_.next_due(now.monotonic, false);
  const auto dropped = impl_->aggregator_.add({regarding, type, reason, action, note}, now);
  if (dropped) impl_->counters_.of(*dropped).Increment();
  if (impl_->aggregator_.next_due(now.monotonic, false) != due_before) impl_->changed_->notify_one();
}

void ApiEventRecorder::start() {
  impl_->thread_ = impl_->clock_.start_thread("events", [impl = impl_.get()] { impl->run(); });
}

void ApiEventRecorder::set_rates(const EventOptions& options) {
  const MutexLock lock(impl_->mutex_);
  impl_->aggregator_.set_rates(options, impl_->clock_.monotonic_now());
  impl_->changed_->notify_one();
}

void ApiEventRecorder::stop(Duration timeout) {
  {
    const MutexLock lock(impl_->mutex_);
    if (impl_->stopped_) return;
    impl_->stopped_ = true;
    impl_->give_up_at_ = impl_->clock_.monotonic_now() + timeout;
    impl_->changed_->notify_one();
  }
  if (impl_->thread_) impl_->thread_->join();
  impl_->thread_.reset();

  const MutexLock lock(impl_->mutex_);
  impl_->counters_.shutdown.Increment(static_cast<double>(impl_->aggregator_.waiting()));
}

}  // namespace convoke::runtime
