#include "tests/simulation/schedule_rules.h"

#include <algorithm>
#include <chrono>
#include <string_view>

#include "controller/base/time_format.h"
#include "tests/simulation/object_text.h"

namespace convoke::simulation {
namespace {

using namespace std::chrono_literals;

// How long after its time a run comes when nothing goes wrong.
constexpr Duration kSoon = 20s;

// From the decision that a run begins in time to its create, with the client's own attempts to send it again.
constexpr Duration kSendingTakes = 15s;

bool run_has_ended(const Json& run) {
  return has_ended(text_at(run, "/status/phase"));
}

std::string scheduled_at(const Json& run) {
  return text_at(run, "/metadata/annotations/convoke.dev~1scheduled-at");
}

WallTime time_of(std::int64_t minute) {
  return WallTime(std::chrono::minutes(minute));
}

std::string show(std::int64_t minute) {
  return format_time(time_of(minute));
}

std::int64_t minute_of(WallTime time) {
  return std::chrono::floor<std::chrono::minutes>(time).time_since_epoch().count();
}

// None: not there, or no whole minute.
std::optional<std::int64_t> whole_minute(const std::string& time) {
  const auto parsed = time.empty() ? Result<WallTime>(ErrorCode::Invalid, "") : parse_time(time);
  if (!parsed || time_of(minute_of(*parsed)) != *parsed) return std::nullopt;
  return minute_of(*parsed);
}

// Of the few forms that schedules() in flows.cpp has.
std::int64_t period_of(const std::string& cron) {
  constexpr std::string_view kEvery = "*/";
  return cron.rfind(kEvery, 0) == 0 ? std::stoll(cron.substr(kEvery.size())) : 1;
}

Json row_of(const Json& workflow, const std::string& trigger) {
  for (const Json& row : workflow.value("/status/triggers"_json_pointer, Json::array())) {
    if (row["name"] == trigger) return row;
  }
  return Json::object();
}

std::int64_t rise(const Json& before, const Json& after, const char* count) {
  return after.value(count, std::int64_t{0}) - before.value(count, std::int64_t{0});
}

}  // namespace

std::vector<ScheduleRules::Schedule> ScheduleRules::schedules_of(const Json& workflow) {
  constexpr Minute kKathmandu = 5 * 60 + 45;
  std::vector<Schedule> found;
  for (const Json& trigger : workflow["spec"].value("triggers", Json::array())) {
    if (trigger["type"] != "Schedule") continue;
    const Json& wanted = trigger["schedule"];
    Schedule schedule{trigger.value("name", "schedule"),
                      wanted.value("concurrencyPolicy", "Allow"),
                      {},
                      period_of(wanted["cron"]),
                      wanted.contains("timeZone") ? kKathmandu : 0};
    if (wanted.contains("startingDeadline"))
      schedule.deadline = *parse_duration(wanted["startingDeadline"].get<std::string>());
    found.push_back(std::move(schedule));
  }
  return found;
}

const ScheduleRules::Schedule* ScheduleRules::schedule_of(const Json& run) const {
  const auto found = schedules_.find(text_at(run, "/spec/workflowName"));
  if (found == schedules_.end()) return nullptr;
  for (const Schedule& schedule : found->second) {
    if (schedule.trigger == text_at(run, "/metadata/labels/convoke.dev~1trigger")) return &schedule;
  }
  return nullptr;
}

ScheduleRules::Runs& ScheduleRules::siblings_of(const Json& run) {
  return runs_[{text_at(run, "/spec/workflowName"), text_at(run, "/metadata/labels/convoke.dev~1trigger")}];
}

ScheduleRules::Run* ScheduleRules::find(const Json& run) {
  const auto minute = whole_minute(scheduled_at(run));
  if (!minute || schedule_of(run) == nullptr) return nullptr;
  Runs& runs = siblings_of(run);
  const auto found = runs.find(*minute);
  return found == runs.end() ? nullptr : &found->second;
}

// --- Runs ---

void ScheduleRules::see_run_created(const Json& run, WallTime now) {
  if (text_at(run, "/spec/triggeredBy").rfind("Schedule", 0) != 0) return;
  const auto* schedule = schedule_of(run);
  const auto minute = whole_minute(scheduled_at(run));
  if (schedule == nullptr || !minute || !schedule->has(*minute)) {
    return violated_(run, "is for " + scheduled_at(run) + ", which is no time of its schedule");
  }
  Runs& runs = siblings_of(run);
  const auto name = text_at(run, "/metadata/name");
  if (const auto known = runs.find(*minute);
      known != runs.end() && known->second.name == name && !known->second.deleted) {
    return;  // the answer to the first one was lost, and the API server refuses the second: a name is given
             // once
  }
  if (time_of(*minute) > now) violated_(run, "begins before its time " + show(*minute));
  if (text_at(run, "/spec/parameters/at") != scheduled_at(run)) violated_(run, "has the time of another");
  if (schedule->deadline && now > time_of(*minute) + *schedule->deadline + kSendingTakes) {
    violated_(run, "begins later than its startingDeadline after " + show(*minute));
  }
  for (const auto& [other, sibling] : runs) {
    const bool goes_on = !sibling.ended && !sibling.deleted && !sibling.retried;
    if (schedule->policy != "Allow" && goes_on && other != *minute) {
      violated_(run, "begins beside the run for " + show(other) + ", with " + schedule->policy);
    }
  }
  if (!runs.try_emplace(*minute, Run{.name = name, .created = now}).second) {
    violated_(run, "is the second one for " + show(*minute));
  }
}

void ScheduleRules::see_run_changed(const Json& before, const Json& after, bool by_operator, WallTime now) {
  Run* run = find(after);
  if (run == nullptr) return;
  run->retried = run->retried || after["spec"].contains("retryFrom");
  if (!run_has_ended(after)) {
    run->ended.reset();
  } else if (!run->ended) {
    run->ended = now;
  }
  if (!by_operator || before["spec"].contains("cancel") || !after["spec"].contains("cancel")) return;
  const auto* schedule = schedule_of(after);
  const Minute next = schedule->next_after(*whole_minute(scheduled_at(after)));
  if (schedule->policy != "Replace" || time_of(next) > now) {
    violated_(after, "is cancelled by the operator, and nothing replaces it");
  }
}

void ScheduleRules::see_run_deleted(const Json& run, bool by_operator) {
  Run* known = find(run);
  if (known == nullptr) return;
  known->deleted = true;
  if (by_operator && !run_has_ended(run)) violated_(run, "is deleted before it has ended");
}

bool ScheduleRules::went_on(const Runs& runs, Minute from, WallTime to) {
  return std::any_of(runs.begin(), runs.end(), [&](const auto& entry) {
    const Run& run = entry.second;
    return run.created <= to && (!run.ended || *run.ended >= time_of(from));
  });
}

// --- What is recorded ---

void ScheduleRules::see_workflow(const Json* before, const Json& after, bool by_operator, WallTime now) {
  auto& schedules = schedules_[text_at(after, "/metadata/name")];
  schedules = schedules_of(after);
  if (before == nullptr || !by_operator) return;
  for (const Schedule& schedule : schedules) judge_row(*before, after, schedule, now);
}

void ScheduleRules::judge_row(const Json& before, const Json& after, const Schedule& schedule, WallTime now) {
  const Json old_row = row_of(before, schedule.trigger);
  const Json row = row_of(after, schedule.trigger);
  const bool was_armed = old_row.contains("nextScheduleTime");
  if (was_armed && row.contains("nextScheduleTime")) return judge_times(after, old_row, row, schedule, now);
  if (rise(old_row, row, "missed") != 0 || rise(old_row, row, "skipped") != 0) {
    violated_(after, "left times out while its schedule was suspended");
  }
  if (!row.contains("nextScheduleTime")) {
    if (!after["spec"].value("suspend", false)) violated_(after, "knows no next time");
    return;
  }
  // It begins now: what came before was never due.
  const auto next = whole_minute(row["nextScheduleTime"]);
  const auto last = whole_minute(row.value("lastScheduleTime", ""));
  if (!next || !schedule.has(*next) || *next > schedule.next_after(minute_of(now)) ||
      (last && *next <= *last)) {
    violated_(after, "begins its schedule with " + row["nextScheduleTime"].get<std::string>());
  }
}

void ScheduleRules::judge_times(const Json& workflow, const Json& before, const Json& row,
                                const Schedule& schedule, WallTime now) {
  const auto from = whole_minute(before["nextScheduleTime"]);
  const auto to = whole_minute(row["nextScheduleTime"]);
  if (!from || !to || !schedule.has(*to) || *to < *from || *to > schedule.next_after(minute_of(now))) {
    return violated_(workflow, "goes from " + before["nextScheduleTime"].get<std::string>() + " to " +
                                   row["nextScheduleTime"].get<std::string>());
  }
  const Runs& runs = runs_[{text_at(workflow, "/metadata/name"), schedule.trigger}];
  std::int64_t times = 0;
  std::int64_t made = 0;
  std::optional<Minute> latest;
  for (Minute time = *from; time < *to; time = schedule.next_after(time)) {
    ++times;
    made += runs.contains(time) ? 1 : 0;
    latest = time;
  }
  const auto missed = rise(before, row, "missed");
  const auto left_out = rise(before, row, "skipped");
  if (times != made + missed + left_out || missed < 0 || left_out < 0 || left_out > 1) {
    violated_(workflow, "passed " + std::to_string(times) + " times from " + show(*from) + ": " +
                            std::to_string(made) + " have runs, " + std::to_string(missed) + " are missed, " +
                            std::to_string(left_out) + " left out");
  }
  if (latest) judge_latest(workflow, row, schedule, *latest, left_out > 0, now);
}

void ScheduleRules::judge_latest(const Json& workflow, const Json& row, const Schedule& schedule,
                                 Minute latest, bool was_left_out, WallTime now) {
  const Runs& runs = runs_[{text_at(workflow, "/metadata/name"), schedule.trigger}];
  if (runs.contains(latest)) {
    if (row.value("lastScheduleTime", "") != show(latest))
      violated_(workflow, "does not record " + show(latest));
  } else if (was_left_out) {
    if (schedule.policy != "Forbid" || !went_on(runs, latest, now)) {
      violated_(workflow, "leaves " + show(latest) + " out, and no run goes on");
    }
  } else if (!schedule.deadline || now <= time_of(latest) + *schedule.deadline) {
    violated_(workflow, "missed " + show(latest) + ", which it could make up for");
  }
}

// --- While nothing goes wrong ---

// With Replace a run comes when those before it have ended, however long that takes.
WallTime ScheduleRules::free_from(const Schedule& schedule, const Runs& runs, Minute time, WallTime to) {
  WallTime free = time_of(time);
  for (const auto& [other, run] : runs) {
    if (schedule.policy == "Replace" && other < time) free = std::max(free, run.ended.value_or(to));
  }
  return free;
}

void ScheduleRules::judge_calm(const Json& workflow, WallTime from, WallTime to) {
  for (const Schedule& schedule : schedules_of(workflow)) {
    const Runs& runs = runs_[{text_at(workflow, "/metadata/name"), schedule.trigger}];
    for (Minute time = schedule.next_after(minute_of(from)); time_of(time) + kSoon <= to;
         time = schedule.next_after(time)) {
      const WallTime free = free_from(schedule, runs, time, to);
      const auto run = runs.find(time);
      const bool came = run != runs.end() && run->second.created <= free + kSoon;
      const bool is_left_out = schedule.policy == "Forbid" && went_on(runs, time, time_of(time) + kSoon);
      const bool is_replaced = free + kSoon > std::min(to, time_of(schedule.next_after(time)));
      if (!came && !is_left_out && !is_replaced) {
        violated_(workflow,
                  "has no run of " + schedule.trigger + " for " + show(time) + ", and nothing went wrong");
      }
    }
  }
}

}  // namespace convoke::simulation
