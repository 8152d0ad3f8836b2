// Which Events are sent, when and as what: the pure heart of ApiEventRecorder (event_recorder.h).
//
// - A Normal event waits for a second, so that its repeats become one; a Warning is due at once and goes
// before them.
// - An Event that was sent and happens again becomes a series; its count is written every 30 s at most. It is
//   remembered for 6 minutes after it last happened; after that it is a new Event.
// - What waits is bounded. When it is full a Warning takes the place of a waiting Normal event, and a Normal
// event is
//   dropped. One object that floods is held back before it can fill the buffer.
//
// Time comes in as arguments. Not thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "controller/base/clock.h"
#include "controller/kube/object.h"
#include "controller/runtime/event_recorder.h"
#include "controller/runtime/token_bucket.h"

namespace convoke::runtime {

inline const kube::ResourceType kEvent{"events.k8s.io", "v1", "events", "Event", true};

struct EventLimits {
  std::size_t waiting = 1000;
  std::size_t remembered = 2000;
  std::size_t objects = 4096;  // whose own rate is known
  Duration merge_delay = std::chrono::seconds(1);
  Duration series_interval = std::chrono::seconds(30);
  Duration series_idle = std::chrono::minutes(6);
  Duration object_refill = std::chrono::seconds(300);
};

// Something that happened.
struct Occurrence {
  kube::ObjectReference regarding;
  EventType type = EventType::Normal;
  std::string reason;
  std::string action;
  std::string note;
};

struct Instant {
  MonotonicTime monotonic;
  WallTime wall;
};

// NOLINTNEXTLINE(bugprone-exception-escape): moving a Json checks an invariant and throws nothing.
struct OutgoingEvent {
  std::string id;  // for failed()
  kube::ObjectKey key;
  bool first = true;  // to be created; else only `series` is new
  Json object;        // the whole Event
};

enum class EventDrop { BufferFull, ObjectRate };

// Cut to the API's 1,024 bytes, between characters, with "…" at the end if anything was cut.
std::string cut_note(const std::string& note);

class EventAggregator {
 public:
  EventAggregator(EventOptions options, EventLimits limits, MonotonicTime now);

  // Says why an event was dropped: this one, or a waiting Normal one that had to make room.
  std::optional<EventDrop> add(Occurrence occurrence, Instant now);
  // The event to send now, if one is due and the rate allows. `flush`: nothing waits to become due.
  std::optional<OutgoingEvent> next(MonotonicTime now, bool flush);
  // When to ask next() again; none if nothing waits.
  std::optional<MonotonicTime> next_due(MonotonicTime now, bool flush) const;
  // Other rates from now on: `events_per_second`, `burst` and `burst_per_object`.
  void set_rates(const EventOptions& options, MonotonicTime now);
  // The event could not be sent: should it happen again, it is new.
  void failed(const std::string& id);
  std::size_t waiting() const { return warnings_.size() + normals_.size(); }

 private:
  struct Entry;
  // By time, then by arrival.
  using Schedule = std::map<std::pair<MonotonicTime, std::uint64_t>, Entry*>;

  struct Entry {
    std::string id;
    Occurrence occurrence;
    WallTime first;
    WallTime last;
    std::int64_t count = 1;
    bool created = false;
    MonotonicTime sent_at;
    Schedule* schedule = nullptr;  // where it is now, and under which key
    Schedule::key_type place;
  };

  std::optional<EventDrop> add_new(std::string id, Occurrence occurrence, Instant now);
  void add_repeat(Entry& entry, Instant now);
  std::optional<EventDrop> make_room(EventType type);
  bool within_object_rate(const kube::ObjectReference& regarding, MonotonicTime now);
  void move_to(Entry& entry, Schedule& schedule, MonotonicTime time);
  void take_out(Entry& entry);
  void forget(Entry& entry);
  void forget_old(MonotonicTime now);
  Schedule& queue_for(EventType type) { return type == EventType::Warning ? warnings_ : normals_; }
  OutgoingEvent render(const Entry& entry) const;

  double object_refill_per_second() const;

  EventOptions options_;
  const EventLimits limits_;
  TokenBucket bucket_;
  std::uint64_t next_sequence_ = 0;

  std::unordered_map<std::string, Entry> entries_;
  Schedule warnings_;    // waiting, by when they are due
  Schedule normals_;     // likewise
  Schedule remembered_;  // sent, by when they last happened

  // The objects' own rates, the most recently used first.
  using ObjectRates = std::list<std::pair<std::string, TokenBucket>>;
  ObjectRates object_rates_;
  std::unordered_map<std::string, ObjectRates::iterator> object_index_;
};

}  // namespace convoke::runtime
