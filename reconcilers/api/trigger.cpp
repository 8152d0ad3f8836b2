#include "reconcilers/api/trigger.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "reconcilers/api/json_writer.h"

namespace convoke::api {
namespace {

constexpr EnumNames<TriggerType, 4> kTypes{{{TriggerType::Create, "Create"},
                                            {TriggerType::Change, "Change"},
                                            {TriggerType::Schedule, "Schedule"},
                                            {TriggerType::Event, "Event"}}};

constexpr EnumNames<ConcurrencyPolicy, 3> kPolicies{{{ConcurrencyPolicy::Allow, "Allow"},
                                                     {ConcurrencyPolicy::Forbid, "Forbid"},
                                                     {ConcurrencyPolicy::Replace, "Replace"}}};

constexpr Duration kShortestDeadline = std::chrono::seconds(1);

ScheduleTrigger read_schedule(const FieldReader& reader) {
  ScheduleTrigger schedule;
  reader.read("cron", schedule.cron);
  reader.read("timeZone", schedule.time_zone);
  reader.read("concurrencyPolicy", schedule.concurrency_policy, kPolicies);
  reader.read("startingDeadline", schedule.starting_deadline, kShortestDeadline);
  reader.read_raw_object("parameters", schedule.parameters);
  return schedule;
}

EventTrigger read_event(const FieldReader& reader) {
  EventTrigger event;
  reader.read("type", event.type);
  reader.read("source", event.source);
  reader.read("filter", event.filter);
  reader.read_raw_object("parameters", event.parameters);
  return event;
}

// Nothing without a known type: that is among the problems then.
std::optional<Trigger> read_trigger(const FieldReader& reader) {
  std::optional<TriggerType> type;
  reader.read("type", type, kTypes);
  if (!type) {
    return std::nullopt;
  }
  Trigger trigger;
  trigger.type = *type;
  reader.read("name", trigger.name);
  if (const auto schedule = reader.optional_object("schedule")) {
    trigger.schedule = read_schedule(*schedule);
  }
  if (const auto event = reader.optional_object("event")) {
    trigger.event = read_event(*event);
  }
  return trigger;
}

TriggerStatus read_row(const FieldReader& reader) {
  TriggerStatus row;
  reader.read("name", row.name);
  reader.read("type", row.type);
  reader.read("schedule", row.schedule);
  reader.read("lastScheduleTime", row.last_schedule_time);
  reader.read("nextScheduleTime", row.next_schedule_time);
  reader.read("missed", row.missed);
  reader.read("skipped", row.skipped);
  reader.read("revisionNumber", row.revision_number);
  reader.read("lastRun", row.last_run);
  reader.read("message", row.message);
  return row;
}

}  // namespace

const char* to_string(TriggerType type) {
  return name_of(kTypes, type);
}

std::string Trigger::key() const {
  if (!name.empty()) {
    return name;
  }
  std::string key = to_string(type);
  std::transform(key.begin(), key.end(), key.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  return key;
}

std::string Trigger::cause() const {
  return name.empty() ? to_string(type) : std::string(to_string(type)) + "/" + name;
}

std::vector<Trigger> read_triggers(const FieldReader& parent, std::vector<Trigger> defaults) {
  if (!parent.has_list("triggers")) {
    return defaults;
  }
  std::vector<Trigger> triggers;
  parent.each_object("triggers", [&](const FieldReader& item) {
    if (auto trigger = read_trigger(item)) {
      triggers.push_back(std::move(*trigger));
    }
  });
  return triggers;
}

std::vector<TriggerStatus> read_trigger_rows(const FieldReader& status) {
  std::vector<TriggerStatus> rows;
  status.each_object("triggers", [&](const FieldReader& item) { rows.push_back(read_row(item)); });
  return rows;
}

Json trigger_rows_to_json(const std::vector<TriggerStatus>& rows) {
  Json list = Json::array();
  for (const auto& row : rows) {
    Json json = Json::object();
    put_text(json, "name", row.name);
    put_text(json, "type", row.type);
    put_text(json, "schedule", row.schedule);
    put_text(json, "lastScheduleTime", row.last_schedule_time);
    put_text(json, "nextScheduleTime", row.next_schedule_time);
    put_number(json, "missed", row.missed);
    put_number(json, "skipped", row.skipped);
    put_number(json, "revisionNumber", row.revision_number);
    put_text(json, "lastRun", row.last_run);
    put_text(json, "message", row.message);
    list.push_back(std::move(json));
  }
  return list;
}

}  // namespace convoke::api
