// What must hold of the runs that schedules start: a model of their own, in whole minutes.
//
//   - no time has two runs, not even when the first was deleted; no run comes before its time;
//   - from one recorded status to the next every time is accounted for: it has its run, or was missed, or
//   left
//     out. Only times after which another came are missed, or those whose startingDeadline has passed; only
//     Forbid leaves one out, and only while a run goes on;
//   - with Forbid and Replace no run begins beside another one, and nobody but Replace ends one;
//   - while nothing goes wrong, each time has its run soon.
//
// Thread safety: as Observer. Errors: each finding is handed to `violated`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controller/base/clock.h"
#include "controller/kube/json.h"

namespace convoke::simulation {

class ScheduleRules {
 public:
  using Violated = std::function<void(const Json& object, const std::string& rule)>;
  explicit ScheduleRules(Violated violated) : violated_(std::move(violated)) {}

  // A Workflow, by whomever it was written; null `before`: created.
  void see_workflow(const Json* before, const Json& after, bool by_operator, WallTime now);
  void see_run_created(const Json& run, WallTime now);
  void see_run_changed(const Json& before, const Json& after, bool by_operator, WallTime now);
  void see_run_deleted(const Json& run, bool by_operator);
  // Nothing went wrong, and nobody edited the Workflow, between these two.
  void judge_calm(const Json& workflow, WallTime from, WallTime to);

 private:
  using Minute = std::int64_t;  // since 1970
  struct Run {
    std::string name;
    WallTime created;
    std::optional<WallTime> ended = {};
    bool retried = false;  // by people, who may do that at any time
    bool deleted = false;
  };
  using Runs = std::map<Minute, Run>;
  struct Schedule {
    std::string trigger;  // its name
    std::string policy;
    std::optional<Duration> deadline;
    Minute period = 1;
    Minute offset = 0;  // of its zone from UTC

    bool has(Minute minute) const { return (minute + offset) % period == 0; }
    Minute next_after(Minute minute) const { return minute + period - (minute + offset) % period; }
  };

  static std::vector<Schedule> schedules_of(const Json& workflow);
  const Schedule* schedule_of(const Json& run) const;
  Runs& siblings_of(const Json& run);
  Run* find(const Json& run);
  void judge_row(const Json& before, const Json& after, const Schedule& schedule, WallTime now);
  void judge_times(const Json& workflow, const Json& before, const Json& row, const Schedule& schedule,
                   WallTime now);
  // The last of those that were due.
  void judge_latest(const Json& workflow, const Json& row, const Schedule& schedule, Minute latest,
                    bool was_left_out, WallTime now);
  static bool went_on(const Runs& runs, Minute from, WallTime to);
  static WallTime free_from(const Schedule& schedule, const Runs& runs, Minute time, WallTime to);

  Violated violated_;
  std::map<std::pair<std::string, std::string>, Runs> runs_;  // by Workflow and trigger
  std::map<std::string, std::vector<Schedule>> schedules_;    // by Workflow
};

}  // namespace convoke::simulation
