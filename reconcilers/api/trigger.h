// What starts runs of a Workflow, and what is known of each such trigger. Plain values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reconcilers/api/common.h"
#include "reconcilers/api/field_reader.h"

namespace convoke::api {

enum class TriggerType { Create, Change, Schedule, Event };
const char* to_string(TriggerType type);

// What happens at a scheduled time while a run of the same trigger goes on.
enum class ConcurrencyPolicy { Allow, Forbid, Replace };

struct ScheduleTrigger {
  std::string cron;
  std::string time_zone;  // empty: UTC
  ConcurrencyPolicy concurrency_policy = ConcurrencyPolicy::Allow;
  std::optional<Duration> starting_deadline;  // absent: however late
  RawJson parameters;                         // an object; its strings may hold placeholders
};

struct EventTrigger {
  std::string type;
  std::string source;  // empty: any
  std::string filter;  // CEL; empty: all
  RawJson parameters;  // as above
};

struct Trigger {
  TriggerType type = TriggerType::Create;
  std::string name;
  // Each is there for its own type only.
  std::optional<ScheduleTrigger> schedule;
  std::optional<EventTrigger> event;

  // Its name in runs and in status; that of its type if it has none: "schedule".
  std::string key() const;
  // What the runs that it starts have as `triggeredBy`: "Schedule/nightly", "Create".
  std::string cause() const;
};

// What has become of one trigger of the types Schedule and Change.
struct TriggerStatus {
  std::string name;  // Trigger::key()
  std::string type;
  // Schedule: what nextScheduleTime belongs to; a changed schedule begins anew.
  std::string schedule;
  std::string last_schedule_time;
  std::string next_schedule_time;  // what is due from then on is not started yet; empty while suspended
  std::int64_t missed = 0;         // times that no run was started for, because nobody could in time
  std::int64_t skipped = 0;        // times that concurrencyPolicy Forbid left out
  // Change: the newest revision that it has seen.
  std::int64_t revision_number = 0;
  std::string last_run;
  std::string message;  // why the last time could not be started; empty if it was
  bool operator==(const TriggerStatus&) const = default;
};

// An absent list means the default triggers; an empty one means none.
std::vector<Trigger> read_triggers(const FieldReader& parent, std::vector<Trigger> defaults);
std::vector<TriggerStatus> read_trigger_rows(const FieldReader& status);
Json trigger_rows_to_json(const std::vector<TriggerStatus>& rows);

}  // namespace convoke::api
