#include "controller/runtime/leader_election.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "controller/base/mutex.h"
#include "controller/base/time_format.h"
#include "controller/runtime/metric_names.h"

namespace convoke::runtime {

namespace {

// The part of the lease that is kept back by may_write(): a write needs time to arrive, and clocks drift.
constexpr int kMarginDivisor = 10;

enum class WriteVerb { Create, Update };

prometheus::Gauge& leader_gauge(prometheus::Registry& registry, const std::string& name) {
  return prometheus::BuildGauge()
      .Name(metric::kLeaderStatus)
      .Help(
          "Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 indicates "
          "master.")
      .Register(registry)
      .Add({{"name", name}});
}

// Of the Lease, not of this process, so that it tells of changes that this process did not see.
prometheus::Family<prometheus::Gauge>& transitions_family(prometheus::Registry& registry) {
  return prometheus::BuildGauge()
      .Name(metric::kLeaderTransitions)
      .Help("Changes of the leader so far, as the lease counts them; absent until the lease was read")
      .Register(registry);
}

// Whether anybody touched the record. A change of labels alone is not a sign of life.
bool same_record(const kube::Lease& a, const kube::Lease& b) {
  return a.meta.uid == b.meta.uid && a.holder_identity == b.holder_identity && a.renew_time == b.renew_time &&
         a.acquire_time == b.acquire_time && a.lease_transitions == b.lease_transitions &&
         a.lease_duration_seconds == b.lease_duration_seconds;
}

}  // namespace

struct LeaderElector::Impl {
  Impl(kube::Client& client, Clock& clock, Random& random, const Logger& log, prometheus::Registry& registry,
       LeaderElectionOptions options, Callbacks callbacks)
      : client_(client),
        clock_(clock),
        random_(random),
        log_(log.with({{"lease", options.lease.str()}, {"identity", options.identity}})),
        gauge_(leader_gauge(registry, options.lease.name)),
        transitions_(transitions_family(registry)),
        options_(std::move(options)),
        callbacks_(std::move(callbacks)),
        changed_(clock.make_condition()) {}

  // The election's own thread.
  void run();
  bool acquire();
  bool keep();  // false: lost
  bool try_acquire_or_renew();
  Status write(WriteVerb verb, const kube::Lease& lease);
  void accept_own(const Json& answer, MonotonicTime asked_at);
  void observe(kube::Lease lease);
  bool held_by_other() const;
  kube::Lease record_of_ours(kube::Lease lease) const;
  void note_failure(const Error& error);
  bool sleep_until(MonotonicTime time);
  bool wait_for_turn(MonotonicTime time);
  std::optional<kube::Lease> next_seen(MonotonicTime until);
  MonotonicTime runs_out_at() const;

  // The thread that stops, after the election's own has ended.
  void release();

  void set_leading(bool leading);
  bool leading() const;

  kube::Client& client_;
  Clock& clock_;
  Random& random_;
  const Logger log_;
  prometheus::Gauge& gauge_;
  prometheus::Family<prometheus::Gauge>& transitions_;
  const LeaderElectionOptions options_;
  const Callbacks callbacks_;

  // Only the election's thread, later only the thread that stops, looks at these.
  kube::Lease observed_;
  MonotonicTime observed_at_;
  std::string last_failure_;

  mutable Mutex mutex_;
  std::unique_ptr<Condition> changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool leading_ GUARDED_BY(mutex_) = false;
  std::int64_t epoch_ GUARDED_BY(mutex_) = 0;    // leaseTransitions under which this process leads
  MonotonicTime renewed_at_ GUARDED_BY(mutex_);  // when the last renewal that succeeded was *asked for*
  std::string leader_ GUARDED_BY(mutex_);
  std::optional<kube::Lease> seen_ GUARDED_BY(mutex_);  // by a watch, not looked at yet

  std::unique_ptr<Thread> thread_;
};

void LeaderElector::Impl::run() {
  if (!acquire()) return;
  log_.info("became leader", {{"transitions", static_cast<long>(observed_.lease_transitions)}});
  if (callbacks_.on_started_leading) callbacks_.on_started_leading();
  if (keep()) return;
  set_leading(false);
  log_.error("lost leadership", {{"leader", observed_.holder_identity}, {"lastError", last_failure_}});
  if (callbacks_.on_stopped_leading) callbacks_.on_stopped_leading();
}

// True once leading, false if stopped before.
bool LeaderElector::Impl::acquire() {
  log_.info("waiting to become leader");
  for (;;) {
    if (try_acquire_or_renew()) return true;
    const double factor = 1.0 + options_.jitter * random_.uniform();
    const auto pause = std::chrono::duration_cast<Duration>(options_.retry_period * factor);
    if (!wait_for_turn(clock_.monotonic_now() + pause)) return false;
  }
}

// Until `time`, or until the Lease can be had before: it was released, or it ran out. False if stopped.
bool LeaderElector::Impl::wait_for_turn(MonotonicTime time) {
  for (;;) {
    auto seen = next_seen(held_by_other() ? std::min(time, runs_out_at()) : time);
    if (!seen) {
      const MutexLock lock(mutex_);
      return !stopping_;
    }
    // A watch may be behind what was read.
    const auto version = [](const kube::Lease& lease) {
      return kube::resource_version_number(lease.meta.resource_version);
    };
    if (version(*seen) <= version(observed_)) continue;
    observe(std::move(*seen));
    if (!held_by_other()) return true;
  }
}

// None at that time, or when stopped.
std::optional<kube::Lease> LeaderElector::Impl::next_seen(MonotonicTime until) {
  MutexLock lock(mutex_);
  while (!stopping_ && !seen_) {
    if (!changed_->wait_until(mutex_, until)) break;
  }
  return stopping_ ? std::nullopt : std::exchange(seen_, std::nullopt);
}

bool LeaderElector::Impl::keep() {
  bool renewed = true;
  for (;;) {
    const auto deadline = [&] {
      const MutexLock lock(mutex_);
      return renewed_at_ + options_.renew_deadline;
    }();
    const auto next = clock_.monotonic_now() + options_.retry_period;
    if (!sleep_until(renewed ? next : std::min(next, deadline))) return true;
    // A process that slept past the deadline still asks once: if its compare-and-swap succeeds, nobody led
    // meanwhile.
    if (!renewed && clock_.monotonic_now() >= deadline) return false;
    renewed = try_acquire_or_renew();
    if (!renewed && observed_.holder_identity != options_.identity) return false;
  }
}

bool LeaderElector::Impl::try_acquire_or_renew() {
  if (leading()) {
    const auto renewed = write(WriteVerb::Update, record_of_ours(observed_));
    if (renewed) return true;
    // Only these two say that the object is not what we saw; after any other there is no use in reading it.
    const auto code = renewed.error().code;
    if (code != ErrorCode::Conflict && code != ErrorCode::NotFound) return false;
  }

  const auto current = client_.get(kube::kLease, options_.lease);
  if (!current && current.error().code == ErrorCode::NotFound) {
    kube::Lease fresh;
    fresh.meta.namespace_ = options_.lease.namespace_;
    fresh.meta.name = options_.lease.name;
    fresh.lease_transitions = -1;  // of a new record, taking it is no change of holder
    return write(WriteVerb::Create, record_of_ours(std::move(fresh))).has_value();
  }
  if (!current) {
    note_failure(current.error().with_context("reading the leader lease"));
    return false;
  }
  observe(kube::Lease::from_json(*current));
  // Who led and finds another in the record, or nobody, was not the only leader: it may not just go on.
  if (leading() && observed_.holder_identity != options_.identity) return false;
  if (held_by_other()) return false;
  return write(WriteVerb::Update, record_of_ours(observed_)).has_value();
}

// An update is a compare-and-swap: it carries the resourceVersion that was observed.
Status LeaderElector::Impl::write(WriteVerb verb, const kube::Lease& lease) {
  const auto asked_at = clock_.monotonic_now();
  const auto answer = verb == WriteVerb::Create ? client_.create(kube::kLease, lease.to_json())
                                                : client_.update(kube::kLease, lease.to_json());
  if (!answer) {
    note_failure(answer.error().with_context("writing the leader lease"));
    return answer.error();
  }
  accept_own(*answer, asked_at);
  return {};
}

// `lease` as it shall be while this process holds it.
kube::Lease LeaderElector::Impl::record_of_ours(kube::Lease lease) const {
  const std::string now = format_micro_time(clock_.wall_now());
  if (lease.holder_identity != options_.identity) {
    lease.holder_identity = options_.identity;
    lease.acquire_time = now;
    ++lease.lease_transitions;
  }
  lease.renew_time = now;
  lease.lease_duration_seconds =
      std::chrono::duration_cast<std::chrono::seconds>(options_.lease_duration).count();
  return lease;
}

void LeaderElector::Impl::accept_own(const Json& answer, MonotonicTime asked_at) {
  last_failure_.clear();
  kube::Lease lease = kube::Lease::from_json(answer);
  {
    const MutexLock lock(mutex_);
    renewed_at_ = asked_at;
    epoch_ = lease.lease_transitions;
  }
  set_leading(true);
  observe(std::move(lease));
}

void LeaderElector::Impl::observe(kube::Lease lease) {
  if (!same_record(lease, observed_)) observed_at_ = clock_.monotonic_now();
  observed_ = std::move(lease);
  transitions_.Add({{"name", options_.lease.name}}).Set(static_cast<double>(observed_.lease_transitions));
  const std::string& holder = observed_.holder_identity;
  {
    const MutexLock lock(mutex_);
    if (holder.empty() || holder == leader_) return;
    leader_ = holder;
  }
  log_.info("new leader", {{"leader", holder}});
  if (callbacks_.on_new_leader) callbacks_.on_new_leader(holder);
}

bool LeaderElector::Impl::held_by_other() const {
  const std::string& holder = observed_.holder_identity;
  if (holder.empty() || holder == options_.identity) return false;
  return clock_.monotonic_now() < runs_out_at();
}

MonotonicTime LeaderElector::Impl::runs_out_at() const {
  const Duration duration = observed_.lease_duration_seconds > 0
                                ? Duration(std::chrono::seconds(observed_.lease_duration_seconds))
                                : options_.lease_duration;
  return observed_at_ + duration;
}

void LeaderElector::Impl::note_failure(const Error& error) {
  const std::string text = error.describe();
  if (text == last_failure_) return;
  last_failure_ = text;
  log_.warn("leader election: a request failed, trying again", {{"error", text}});
}

bool LeaderElector::Impl::sleep_until(MonotonicTime time) {
  MutexLock lock(mutex_);
  while (!stopping_) {
    if (!changed_->wait_until(mutex_, time)) return !stopping_;
  }
  return false;
}

void LeaderElector::Impl::release() {
  // A second round where something else than a renewal changed the object since we saw it.
  for (int round = 0; round < 2; ++round) {
    if (observed_.holder_identity != options_.identity) return;
    kube::Lease lease = observed_;
    lease.holder_identity.clear();
    lease.lease_duration_seconds = 1;
    lease.renew_time = lease.acquire_time = format_micro_time(clock_.wall_now());
    const auto answer = client_.update(kube::kLease, lease.to_json());
    if (answer) return log_.info("released leadership");
    log_.warn("leadership was not released; others wait until the lease runs out",
              {{"error", answer.error().describe()}});
    if (answer.error().code != ErrorCode::Conflict) return;
    const auto current = client_.get(kube::kLease, options_.lease);
    if (!current) return;
    observed_ = kube::Lease::from_json(*current);
  }
}

void LeaderElector::Impl::set_leading(bool leading) {
  const MutexLock lock(mutex_);
  leading_ = leading;
  gauge_.Set(leading ? 1 : 0);
}

bool LeaderElector::Impl::leading() const {
  const MutexLock lock(mutex_);
  return leading_;
}

LeaderElector::LeaderElector(kube::Client& client, Clock& clock, Random& random, const Logger& log,
                             prometheus::Registry& registry, LeaderElectionOptions options,
                             Callbacks callbacks)
    : impl_(std::make_unique<Impl>(client, clock, random, log, registry, std::move(options),
                                   std::move(callbacks))) {}

LeaderElector::~LeaderElector() {
  stop(false);
}

void LeaderElector::start() {
  impl_->thread_ = impl_->clock_.start_thread("leader", [impl = impl_.get()] { impl->run(); });
}

void LeaderElector::stop(bool release) {
  {
    const MutexLock lock(impl_->mutex_);
    impl_->stopping_ = true;
    impl_->changed_->notify_all();
  }
  if (impl_->thread_) impl_->thread_->join();
  impl_->thread_.reset();
  const bool was_leading = impl_->leading();
  impl_->set_leading(false);
  if (release && was_leading) impl_->release();
}

void LeaderElector::lease_seen(const kube::Lease& lease) {
  const MutexLock lock(impl_->mutex_);
  if (impl_->leading_) return;
  impl_->seen_ = lease;
  impl_->changed_->notify_all();
}

bool LeaderElector::is_leader() const {
  return impl_->leading();
}

std::string LeaderElector::leader() const {
  const MutexLock lock(impl_->mutex_);
  return impl_->leader_;
}

Status LeaderElector::may_write() {
  const auto now = impl_->clock_.monotonic_now();
  const auto& options = impl_->options_;
  const MutexLock lock(impl_->mutex_);
  if (!impl_->leading_) {
    return Error{ErrorCode::Cancelled,
                 "not written: this process does not lead (lease " + options.lease.str() +
                     (impl_->leader_.empty() ? ")" : ", leader " + impl_->leader_ + ")")};
  }
  const Duration age = now - impl_->renewed_at_;
  if (age < options.lease_duration - options.lease_duration / kMarginDivisor) return {};
  return Error{ErrorCode::Cancelled, "not written: the leader lease " + options.lease.str() +
                                         " was last renewed " + human_duration(age) +
                                         " ago and may have run out"};
}

std::string LeaderElector::signature() const {
  const MutexLock lock(impl_->mutex_);
  return impl_->leading_ ? "/" + std::to_string(impl_->epoch_) : "";
}

}  // namespace convoke::runtime
