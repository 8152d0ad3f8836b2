#include "programs/runner/heartbeat.h"

#include <algorithm>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/api/agent.h"

namespace convoke::runner {

namespace {

constexpr Duration kSoon = std::chrono::seconds(2);
constexpr Duration kVerySoon = std::chrono::milliseconds(100);

bool same_record(const kube::Lease& a, const kube::Lease& b) {
  return a.meta.uid == b.meta.uid && a.holder_identity == b.holder_identity && a.renew_time == b.renew_time &&
         a.lease_transitions == b.lease_transitions;
}

// Rounded up: a record must not look older than it is.
std::int64_t whole_seconds(Duration duration) {
  return std::chrono::ceil<std::chrono::seconds>(duration).count();
}

}  // namespace

Heartbeat::Heartbeat(kube::Client& client, Clock& clock, const Logger& log, HeartbeatOptions options,
                     std::function<void(const std::string&)> on_deposed)
    : client_(client),
      clock_(clock),
      log_(log),
      options_(std::move(options)),
      key_{options_.agent.namespace_, api::heartbeat_lease_name(options_.agent.name)},
      on_deposed_(std::move(on_deposed)),
      acquiring_(clock),
      renewing_(clock) {}

Heartbeat::~Heartbeat() {
  stop();
}

bool Heartbeat::acquire() {
  while (!acquiring_.stopped()) {
    const auto attempt = try_to_hold();
    if (attempt == Attempt::Held) return true;
    const auto wait = attempt == Attempt::Failed ? kSoon : std::min(until_expiry(), kSoon);
    acquiring_.sleep_for(std::max(std::min(wait, options_.interval), kVerySoon));
  }
  return false;
}

void Heartbeat::start() {
  thread_ = clock_.start_thread("heartbeat", [this] { renew_for_ever(); });
}

void Heartbeat::stop_waiting() {
  acquiring_.stop();
}

void Heartbeat::stop() {
  renewing_.stop();
  if (thread_) thread_->join();
}

void Heartbeat::release() {
  if (held_.meta.resource_version.empty()) return;
  const auto released = client_.remove(kube::kLease, key_, {held_.meta.uid, held_.meta.resource_version});
  if (!released)
    log_.warn("the heartbeat's Lease is left to run out", {{"error", released.error().describe()}});
}

bool Heartbeat::is_lost() const {
  MutexLock lock(mutex_);
  return clock_.monotonic_now() - renewed_at_ > options_.timeout;
}

void Heartbeat::renew_for_ever() {
  Duration wait = options_.interval;
  while (renewing_.sleep_for(wait)) {
    const auto attempt = try_to_hold();
    if (attempt == Attempt::HeldByOther) {
      log_.error("another process is this agent now", {{"holder", other_.holder_identity}});
      return on_deposed_(other_.holder_identity);
    }
    wait = attempt == Attempt::Held ? options_.interval : std::min(options_.interval, kSoon);
  }
}

Heartbeat::Attempt Heartbeat::try_to_hold() {
  if (!held_.meta.resource_version.empty()) {
    const auto attempt = write(held_, true);
    // Only a lost race (see write) says that the record is not as we know it.
    if (attempt == Attempt::Held || !held_.meta.resource_version.empty()) return attempt;
  }
  auto current = client_.get(kube::kLease, key_);
  if (current) return take_over_or_wait(kube::Lease::from_json(*current));
  if (current.error().code != ErrorCode::NotFound) return failed(current.error());
  kube::Lease fresh;
  fresh.meta.namespace_ = key_.namespace_;
  fresh.meta.name = key_.name;
  if (const auto owned = own(fresh); !owned) return failed(owned.error());
  return write(fresh, false);
}

// Somebody else's record is ours once nobody has touched it for as long as it says.
Heartbeat::Attempt Heartbeat::take_over_or_wait(kube::Lease current) {
  const bool ours = current.holder_identity == options_.identity;
  if (!ours && !current.holder_identity.empty()) {
    if (!same_record(current, other_)) {
      if (current.holder_identity != other_.holder_identity) {
        log_.warn("another process holds this agent's Lease: waiting until it runs out",
                  {{"holder", current.holder_identity}});
      }
      other_ = current;
      other_since_ = clock_.monotonic_now();
    }
    if (until_expiry() > Duration::zero()) return Attempt::HeldByOther;
  }
  if (const auto owned = own(current); !owned) return failed(owned.error());
  if (!ours) ++current.lease_transitions;
  return write(current, true);
}

Heartbeat::Attempt Heartbeat::write(const kube::Lease& lease, bool exists) {
  const auto asked_at = clock_.monotonic_now();
  const auto now = format_micro_time(clock_.wall_now());
  auto renewed = lease;
  if (renewed.holder_identity != options_.identity) renewed.acquire_time = now;
  renewed.holder_identity = options_.identity;
  renewed.lease_duration_seconds = whole_seconds(options_.timeout);
  renewed.renew_time = now;
  const auto answer = exists ? client_.update(kube::kLease, renewed.to_json())
                             : client_.create(kube::kLease, renewed.to_json());
  if (!answer) {
    const auto code = answer.error().code;
    const bool record_changed = code == ErrorCode::Conflict || code == ErrorCode::NotFound;
    if (!record_changed) return failed(answer.error());
    held_ = {};
    return Attempt::Failed;
  }
  if (!last_failure_.empty()) log_.info("the heartbeat is well again");
  last_failure_.clear();
  held_ = kube::Lease::from_json(*answer);
  MutexLock lock(mutex_);
  renewed_at_ = asked_at;
  return Attempt::Held;
}

// Labels it for the operator, and makes it go with its Agent.
Status Heartbeat::own(kube::Lease& lease) {
  const auto agent = client_.get(api::kAgent, options_.agent);
  if (!agent) return agent.error();
  kube::OwnerReference owner{api::kAgent.api_version(), api::kAgent.kind, options_.agent.name,
                             kube::meta_from_json(*agent).uid};
  lease.meta.labels[api::label::kAgent] = options_.agent.name;
  lease.meta.owner_references = {std::move(owner)};
  return {};
}

Heartbeat::Attempt Heartbeat::failed(const Error& error) {
  const auto text = error.describe();
  if (text != last_failure_) log_.warn("the heartbeat's Lease cannot be renewed", {{"error", text}});
  last_failure_ = text;
  return Attempt::Failed;
}

Duration Heartbeat::until_expiry() const {
  const auto said = std::chrono::seconds(other_.lease_duration_seconds);
  const Duration duration = said > std::chrono::seconds(0) ? Duration(said) : options_.timeout;
  return other_since_ + duration - clock_.monotonic_now();
}

}  // namespace convoke::runner
