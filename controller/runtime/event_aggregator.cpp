#include "controller/runtime/event_aggregator.h"

#include <algorithm>

#include "controller/base/time_format.h"

namespace convoke::runtime {

namespace {

// Bounds of the API (pkg/apis/core/validation/events.go).
constexpr std::size_t kMaxNoteBytes = 1024;
constexpr std::size_t kMaxWordBytes = 128;  // reason, action, reportingInstance
constexpr std::size_t kMaxNameBytes = 253;

constexpr char kClusterScopedNamespace[] = "default";

// FNV-1a, 64 bits: the name must be the same in every process, which std::hash does not promise.
std::uint64_t stable_hash(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

std::string hex(std::uint64_t value) {
  std::string out(16, '0');
  for (auto digit = out.rbegin(); digit != out.rend(); ++digit, value >>= 4)
    *digit = "0123456789abcdef"[value & 0xf];
  return out;
}

std::string object_id(const kube::ObjectReference& object) {
  return object.type.group + '\n' + object.type.kind + '\n' + object.namespace_ + '\n' + object.name + '\n' +
         object.uid;
}

std::string occurrence_id(const Occurrence& occurrence) {
  return object_id(occurrence.regarding) + (occurrence.type == EventType::Warning ? "\nW\n" : "\nN\n") +
         occurrence.reason + '\n' + occurrence.action + '\n' + occurrence.note;
}

std::string event_name(const Occurrence& occurrence, WallTime first) {
  const std::string suffix =
      '.' + hex(stable_hash(occurrence_id(occurrence) + '\n' + format_micro_time(first)));
  std::string name = occurrence.regarding.name.substr(0, kMaxNameBytes - suffix.size());
  while (name.ends_with('.') || name.ends_with('-')) name.pop_back();
  return name + suffix;
}

Json reference_to_json(const kube::ObjectReference& object) {
  Json out = {{"apiVersion", object.type.api_version()}, {"kind", object.type.kind}, {"name", object.name}};
  if (!object.namespace_.empty()) out["namespace"] = object.namespace_;
  if (!object.uid.empty()) out["uid"] = object.uid;
  if (!object.resource_version.empty()) out["resourceVersion"] = object.resource_version;
  return out;
}

}  // namespace

std::string cut_note(const std::string& note) {
  static const std::string kEllipsis = "\u2026";
  if (note.size() <= kMaxNoteBytes) return note;
  std::size_t end = kMaxNoteBytes - kEllipsis.size();
  while (end > 0 && (static_cast<unsigned char>(note[end]) & 0xc0U) == 0x80U) --end;
  return note.substr(0, end) + kEllipsis;
}

EventAggregator::EventAggregator(EventOptions options, EventLimits limits, MonotonicTime now)
    : options_(std::move(options)),
      limits_(limits),
      bucket_(options_.events_per_second, options_.burst, now) {}

std::optional<EventDrop> EventAggregator::add(Occurrence occurrence, Instant now) {
  forget_old(now.monotonic);
  occurrence.note = cut_note(occurrence.note);
  if (occurrence.action.empty()) occurrence.action = occurrence.reason;  // the API demands one
  std::string id = occurrence_id(occurrence);
  if (const auto known = entries_.find(id); known != entries_.end()) {
    add_repeat(known->second, now);
    return std::nullopt;
  }
  return add_new(std::move(id), std::move(occurrence), now);
}

std::optional<EventDrop> EventAggregator::add_new(std::string id, Occurrence occurrence, Instant now) {
  if (!within_object_rate(occurrence.regarding, now.monotonic)) return EventDrop::ObjectRate;
  const auto dropped = make_room(occurrence.type);
  if (waiting() >= limits_.waiting) return dropped;

  Entry& entry = entries_[id];
  entry.id = std::move(id);
  entry.occurrence = std::move(occurrence);
  entry.first = entry.last = now.wall;
  const EventType type = entry.occurrence.type;
  const Duration delay = type == EventType::Warning ? Duration::zero() : limits_.merge_delay;
  move_to(entry, queue_for(type), now.monotonic + delay);
  return dropped;
}

void EventAggregator::add_repeat(Entry& entry, Instant now) {
  ++entry.count;
  entry.last = now.wall;
  if (entry.schedule != &remembered_) return;
  if (waiting() >= limits_.waiting) {
    // The count is kept; a later repeat brings it out.
    move_to(entry, remembered_, now.monotonic);
  } else {
    move_to(entry, queue_for(entry.occurrence.type),
            std::max(now.monotonic, entry.sent_at + limits_.series_interval));
  }
}

std::optional<EventDrop> EventAggregator::make_room(EventType type) {
  if (waiting() < limits_.waiting) return std::nullopt;
  if (type == EventType::Warning && !normals_.empty()) forget(*normals_.rbegin()->second);
  return EventDrop::BufferFull;
}

bool EventAggregator::within_object_rate(const kube::ObjectReference& regarding, MonotonicTime now) {
  const std::string id = object_id(regarding);
  if (const auto known = object_index_.find(id); known != object_index_.end()) {
    object_rates_.splice(object_rates_.begin(), object_rates_, known->second);
  } else {
    object_rates_.emplace_front(id, TokenBucket(object_refill_per_second(), options_.burst_per_object, now));
    object_index_[id] = object_rates_.begin();
    if (object_rates_.size() > limits_.objects) {
      object_index_.erase(object_rates_.back().first);
      object_rates_.pop_back();
    }
  }
  return object_rates_.front().second.take(now);
}

double EventAggregator::object_refill_per_second() const {
  return 1.0 / std::chrono::duration<double>(limits_.object_refill).count();
}

void EventAggregator::set_rates(const EventOptions& options, MonotonicTime now) {
  options_.events_per_second = options.events_per_second;
  options_.burst = options.burst;
  options_.burst_per_object = options.burst_per_object;
  bucket_.set_rate(options_.events_per_second, options_.burst, now);
  for (auto& [id, bucket] : object_rates_) {
    bucket.set_rate(object_refill_per_second(), options_.burst_per_object, now);
  }
}

std::optional<OutgoingEvent> EventAggregator::next(MonotonicTime now, bool flush) {
  for (Schedule* queue : {&warnings_, &normals_}) {
    if (queue->empty()) continue;
    const auto& [place, entry] = *queue->begin();
    if (!flush && place.first > now) continue;
    if (!bucket_.take(now)) return std::nullopt;

    auto outgoing = render(*entry);
    entry->created = true;
    entry->sent_at = now;
    move_to(*entry, remembered_, now);
    forget_old(now);
    return outgoing;
  }
  return std::nullopt;
}

std::optional<MonotonicTime> EventAggregator::next_due(MonotonicTime now, bool flush) const {
  std::optional<MonotonicTime> due;
  for (const Schedule* queue : {&warnings_, &normals_}) {
    if (queue->empty()) continue;
    const auto time = flush ? now : queue->begin()->first.first;
    due = due ? std::min(*due, time) : time;
  }
  if (due) due = std::max(*due, bucket_.available_at(now));
  return due;
}

void EventAggregator::failed(const std::string& id) {
  if (const auto known = entries_.find(id); known != entries_.end()) forget(known->second);
}

void EventAggregator::move_to(Entry& entry, Schedule& schedule, MonotonicTime time) {
  take_out(entry);
  entry.schedule = &schedule;
  entry.place = {time, next_sequence_++};
  schedule.emplace(entry.place, &entry);
}

void EventAggregator::take_out(Entry& entry) {
  if (entry.schedule != nullptr) entry.schedule->erase(entry.place);
  entry.schedule = nullptr;
}

void EventAggregator::forget(Entry& entry) {
  take_out(entry);
  entries_.erase(std::string(entry.id));
}

void EventAggregator::forget_old(MonotonicTime now) {
  while (!remembered_.empty()) {
    const auto& [place, entry] = *remembered_.begin();
    if (remembered_.size() <= limits_.remembered && now - place.first < limits_.series_idle) return;
    forget(*entry);
  }
}

OutgoingEvent EventAggregator::render(const Entry& entry) const {
  const Occurrence& what = entry.occurrence;
  const auto& instance =
      options_.reporting_instance.empty() ? options_.reporting_controller : options_.reporting_instance;

  OutgoingEvent out;
  out.id = entry.id;
  out.first = !entry.created;
  out.key.namespace_ =
      what.regarding.namespace_.empty() ? kClusterScopedNamespace : what.regarding.namespace_;
  out.key.name = event_name(what, entry.first);
  out.object = {{"apiVersion", kEvent.api_version()},
                {"kind", kEvent.kind},
                {"metadata", {{"name", out.key.name}, {"namespace", out.key.namespace_}}},
                {"eventTime", format_micro_time(entry.first)},
                {"reportingController", options_.reporting_controller},
                {"reportingInstance", instance.substr(0, kMaxWordBytes)},
                {"type", what.type == EventType::Warning ? "Warning" : "Normal"},
                {"reason", what.reason.substr(0, kMaxWordBytes)},
                {"action", what.action.substr(0, kMaxWordBytes)},
                {"regarding", reference_to_json(what.regarding)},
                {"note", what.note}};
  if (entry.count > 1) {
    out.object["series"] = {{"count", entry.count}, {"lastObservedTime", format_micro_time(entry.last)}};
  }
  return out;
}

}  // namespace convoke::runtime
