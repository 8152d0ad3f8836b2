#include "reconcilers/workflow/trigger_decide.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/trigger_run.h"
#include "reconcilers/workflow/workflow_decide.h"
#include "tests/unit/reconcilers/workflow/specs.h"

namespace convoke::workflow {
namespace {

using namespace std::chrono_literals;
using specs::spec;
using specs::step;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Json hourly(const Json& more = Json::object()) {
  Json schedule = {{"cron", "0 * * * *"}};
  schedule.update(more);
  return {{"type", "Schedule"}, {"schedule", std::move(schedule)}};
}

Json with_triggers(std::vector<Json> triggers, const Json& more = Json::object()) {
  Json result = spec({step("a")}, {{"triggers", std::move(triggers)}});
  result.update(more);
  return result;
}

// A Workflow on a wall clock of its own, whose runs live until they are ended.
class TriggerPlay {
 public:
  explicit TriggerPlay(const Json& spec, const std::string& now = "2026-01-01T00:10:00Z")
      : now_(*parse_time(now)) {
    workflow_.meta = {"ns", "flow", "flow-uid", "1", 0, {}, {}, {}, {}, {}, {}};
    edit(spec);
    next();
  }

  void edit(const Json& spec) {
    auto next = api::Workflow::from_json(
        {{"metadata", {{"name", "flow"}, {"namespace", "ns"}, {"uid", "flow-uid"}}}, {"spec", spec}});
    next.meta.generation = workflow_.meta.generation + 1;
    next.status = workflow_.status;
    workflow_ = std::move(next);
  }

  void set_clock(const std::string& now) { now_ = *parse_time(now); }

  // The names of the runs that are started. `crash`: before the status is written.
  std::vector<std::string> next(bool crash = false) {
    const auto decision = decide({std::make_shared<const api::Workflow>(workflow_),
                                  parse_definition(workflow_.spec_json, "spec"), runs, revisions_, false,
                                  names_taken, refused, now_});
    if (decision.create_revision) {
      revisions_.push_back(std::make_shared<const api::ControllerRevision>(*decision.create_revision));
    }
    std::vector<std::string> names;
    for (const auto& start : decision.create_runs) {
      names.push_back(start.name);
      auto manifest = start.manifest;
      last_manifest = manifest;
      runs.push_back(std::make_shared<const api::WorkflowRun>(api::WorkflowRun::from_json(manifest)));
    }
    for (const auto& run : decision.cancel_runs) {
      change(run->meta.name, [](auto& changed) { changed.spec.cancel.emplace(); });
    }
    cancelled = decision.cancel_runs.size();
    wake = decision.wake ? format_time(*decision.wake) : "";
    notes.clear();
    if (!crash) {
      for (const auto& note : events_between(workflow_.status, decision.status)) {
        notes.push_back(note.reason + ": " + note.note);
      }
      // As it is read again.
      const Json written = api::status_update(workflow_, decision.status);
      workflow_.status = api::Workflow::from_json(written).status;
      EXPECT_EQ(workflow_.status, decision.status);
    }
    return names;
  }
  std::vector<std::string> at(const std::string& now) {
    set_clock(now);
    return next();
  }

  void end_run(const std::string& name) {
    change(name, [](auto& run) { run.status.phase = api::RunPhase::Succeeded; });
  }
  void delete_runs() { runs.clear(); }

  const api::WorkflowStatus& status() const { return workflow_.status; }
  const api::TriggerStatus& row(std::size_t i = 0) const { return workflow_.status.triggers.at(i); }
  std::string ready_message() const {
    return api::find_condition(workflow_.status.conditions, api::condition::kReady)->message;
  }

  Runs runs;
  std::set<std::string> names_taken;
  std::map<std::string, Error> refused;
  std::size_t cancelled = 0;
  std::string wake;
  std::vector<std::string> notes;
  Json last_manifest;

 private:
  template <class F>
  void change(const std::string& name, F how) {
    for (auto& run : runs) {
      if (run->meta.name == name) {
        auto changed = *run;
        how(changed);
        run = std::make_shared<const api::WorkflowRun>(std::move(changed));
      }
    }
  }

  WallTime now_;
  api::Workflow workflow_;
  Revisions revisions_;
};

std::string run_at(const std::string& time, const std::string& prefix = "flow-") {
  return prefix +
         std::to_string(
             std::chrono::duration_cast<std::chrono::minutes>(parse_time(time)->time_since_epoch()).count());
}

TEST(ScheduleTrigger, StartsOneRunForEachTime) {
  TriggerPlay play(with_triggers({hourly()}));
  EXPECT_THAT(play.runs, IsEmpty()) << "00:00 was before the Workflow";
  EXPECT_EQ(play.status().next_schedule_time, "2026-01-01T01:00:00Z");
  EXPECT_EQ(play.wake, "2026-01-01T01:00:00Z");
  EXPECT_THAT(play.at("2026-01-01T00:59:59Z"), IsEmpty());
  EXPECT_THAT(play.at("2026-01-01T01:00:00Z"), ElementsAre(run_at("2026-01-01T01:00:00Z")));
  EXPECT_EQ(play.row().last_schedule_time, "2026-01-01T01:00:00Z");
  EXPECT_EQ(play.row().last_run, run_at("2026-01-01T01:00:00Z"));
  EXPECT_EQ(play.status().next_schedule_time, "2026-01-01T02:00:00Z");
  EXPECT_THAT(play.notes, ElementsAre(HasSubstr("RunCreated: trigger Schedule \"schedule\" made run flow-")));
  EXPECT_THAT(play.next(), IsEmpty());
  EXPECT_THAT(play.notes, IsEmpty());
  EXPECT_THAT(play.at("2026-01-01T02:00:01Z"), SizeIs(1)) << "Allow: whether the first has ended or not";
  EXPECT_EQ(play.row().missed, 0);
}

TEST(ScheduleTrigger, TheRunSaysWhyItIsThere) {
  TriggerPlay play(with_triggers({{{"type", "Schedule"},
                                   {"name", "nightly"},
                                   {"schedule",
                                    {{"cron", "0 3 * * *"},
                                     {"timeZone", "Europe/Berlin"},
                                     {"parameters", {{"day", "$(schedule.time)"}}}}}}},
                                 {{"parameters", {{{"name", "day"}, {"required", true}}}}}));
  ASSERT_THAT(play.at("2026-01-01T02:00:05Z"), ElementsAre(run_at("2026-01-01T02:00:00Z", "flow-nightly-")));
  const Json& run = play.last_manifest;
  EXPECT_EQ(run["spec"]["triggeredBy"], "Schedule/nightly");
  EXPECT_EQ(run["spec"]["parameters"]["day"], "2026-01-01T02:00:00Z");
  EXPECT_EQ(run["spec"]["revision"], play.status().current_revision);
  EXPECT_EQ(run["metadata"]["annotations"]["convoke.dev/scheduled-at"], "2026-01-01T02:00:00Z");
  EXPECT_EQ(run["metadata"]["labels"]["convoke.dev/trigger"], "nightly");
  EXPECT_EQ(run["metadata"]["ownerReferences"][0]["uid"], "flow-uid");
  EXPECT_THAT(play.ready_message(), HasSubstr("0 3 * * * Europe/Berlin"));
}

TEST(ScheduleTrigger, ARestartBetweenTheRunAndTheStatusStartsNoSecondRun) {
  TriggerPlay play(with_triggers({hourly()}));
  play.set_clock("2026-01-01T01:00:00Z");
  EXPECT_THAT(play.next(true), SizeIs(1));
  EXPECT_THAT(play.at("2026-01-01T01:00:30Z"), IsEmpty());
  EXPECT_EQ(play.row().last_schedule_time, "2026-01-01T01:00:00Z");
  EXPECT_EQ(play.row().missed, 0);
}

TEST(ScheduleTrigger, ARunThatWasMadeBeforeARestartWasNotMissed) {
  TriggerPlay play(with_triggers({hourly()}));
  play.set_clock("2026-01-01T01:00:00Z");
  play.next(true);
  EXPECT_THAT(play.at("2026-01-01T02:00:30Z"), SizeIs(1));
  EXPECT_EQ(play.row().missed, 0);
}

TEST(ScheduleTrigger, ADeletedRunIsNotStartedAgain) {
  TriggerPlay play(with_triggers({hourly()}));
  EXPECT_THAT(play.at("2026-01-01T01:00:00Z"), SizeIs(1));
  play.delete_runs();
  EXPECT_THAT(play.at("2026-01-01T01:00:20Z"), IsEmpty());
}

TEST(ScheduleTrigger, AClockThatIsSetBackFiresNothingAgain) {
  TriggerPlay play(with_triggers({hourly()}));
  EXPECT_THAT(play.at("2026-01-01T01:00:00Z"), SizeIs(1));
  play.delete_runs();
  EXPECT_THAT(play.at("2026-01-01T00:30:00Z"), IsEmpty());
  EXPECT_THAT(play.at("2026-01-01T01:00:10Z"), IsEmpty());
  play.edit(with_triggers({hourly()}, {{"suspend", true}}));
  play.at("2026-01-01T00:20:00Z");
  play.edit(with_triggers({hourly()}));
  play.at("2026-01-01T00:20:00Z");
  EXPECT_EQ(play.status().next_schedule_time, "2026-01-01T02:00:00Z");
}

TEST(ScheduleTrigger, AfterDowntimeTheLatestTimeIsMadeUpForAndTheOthersAreCounted) {
  TriggerPlay play(with_triggers({hourly()}));
  EXPECT_THAT(play.at("2026-01-01T05:30:00Z"), ElementsAre(run_at("2026-01-01T05:00:00Z")));
  EXPECT_EQ(play.row().missed, 4);
  EXPECT_THAT(
      play.notes,
      Contains(HasSubstr("ScheduleMissed: trigger Schedule \"schedule\": no run was started for 4 ")));
  EXPECT_EQ(play.status().next_schedule_time, "2026-01-01T06:00:00Z");
  EXPECT_THAT(play.at("2028-01-01T05:30:00Z"), SizeIs(1)) << "two years";
  EXPECT_THAT(play.notes, Contains(HasSubstr("at least 100 scheduled times")));
}

TEST(ScheduleTrigger, AfterTheStartingDeadlineATimeIsOnlyMissed) {
  TriggerPlay play(with_triggers({hourly({{"startingDeadline", "10m"}})}));
  EXPECT_THAT(play.at("2026-01-01T02:10:01Z"), IsEmpty());
  EXPECT_EQ(play.row().missed, 2);
  EXPECT_EQ(play.row().last_schedule_time, "");
  EXPECT_EQ(play.status().next_schedule_time, "2026-01-01T03:00:00Z");
  EXPECT_THAT(play.at("2026-01-01T03:10:00Z"), SizeIs(1)) << "within it";
}

TEST(ScheduleTrigger, ForbidLeavesOutATimeWhileARunGoesOn) {
  TriggerPlay play(with_triggers({hourly({{"concurrencyPolicy", "Forbid"}})}));
  const auto first = play.at("2026-01-01T01:00:00Z");
  EXPECT_THAT(play.at("2026-01-01T02:00:00Z"), IsEmpty());
  EXPECT_EQ(play.row().skipped, 1);
  EXPECT_THAT(play.notes, ElementsAre(HasSubstr("ScheduleSkipped")));
  play.end_run(first[0]);
  EXPECT_THAT(play.at("2026-01-01T02:10:00Z"), IsEmpty()) << "it is not made up for";
  EXPECT_THAT(play.at("2026-01-01T03:00:00Z"), SizeIs(1));
}

TEST(ScheduleTrigger, ARunThatWasStartedByHandDoesNotForbid) {
  TriggerPlay play(with_triggers({hourly({{"concurrencyPolicy", "Forbid"}})}));
  auto by_hand = std::make_shared<api::WorkflowRun>();
  by_hand->meta.name = "by-hand";
  by_hand->spec.workflow_name = "flow";
  play.runs.push_back(by_hand);
  EXPECT_THAT(play.at("2026-01-01T01:00:00Z"), SizeIs(1));
}

TEST(ScheduleTrigger, ReplaceCancelsTheRunThatGoesOnAndStartsWhenItHasEnded) {
  TriggerPlay play(with_triggers({hourly({{"concurrencyPolicy", "Replace"}})}));
  const auto first = play.at("2026-01-01T01:00:00Z");
  EXPECT_THAT(play.at("2026-01-01T02:00:00Z"), IsEmpty());
  EXPECT_EQ(play.cancelled, 1u);
  EXPECT_THAT(play.at("2026-01-01T02:00:01Z"), IsEmpty());
  EXPECT_EQ(play.cancelled, 0u) << "once is enough";
  play.end_run(first[0]);
  EXPECT_THAT(play.at("2026-01-01T02:00:02Z"), ElementsAre(run_at("2026-01-01T02:00:00Z")));
  EXPECT_THAT(play.next(), IsEmpty());
  EXPECT_EQ(play.cancelled, 0u);
}

TEST(ScheduleTrigger, WhatWasDueWhileSuspendedIsNotCaughtUp) {
  TriggerPlay play(with_triggers({hourly()}));
  play.edit(with_triggers({hourly()}, {{"suspend", true}}));
  EXPECT_THAT(play.at("2026-01-01T00:20:00Z"), IsEmpty());
  EXPECT_EQ(play.status().next_schedule_time, "");
  EXPECT_EQ(play.wake, "");
  EXPECT_THAT(play.at("2026-01-01T03:20:00Z"), IsEmpty());
  play.edit(with_triggers({hourly()}));
  EXPECT_THAT(play.at("2026-01-01T03:20:00Z"), IsEmpty());
  EXPECT_EQ(play.row().missed, 0);
  EXPECT_EQ(play.status().next_schedule_time, "2026-01-01T04:00:00Z");
}

TEST(ScheduleTrigger, AChangedScheduleBeginsAnew) {
  TriggerPlay play(with_triggers({hourly({{"cron", "0 9 * * *"}})}));
  play.edit(with_triggers({hourly({{"cron", "*/5 * * * *"}})}));
  EXPECT_THAT(play.at("2026-01-01T08:01:00Z"), IsEmpty())
      << "nothing was missed by a schedule that was not there";
  EXPECT_EQ(play.status().next_schedule_time, "2026-01-01T08:05:00Z");
}

TEST(ScheduleTrigger, ARefusedRunStaysDueAndSaysWhy) {
  TriggerPlay play(with_triggers({hourly()}));
  play.refused["schedule"] = Error{ErrorCode::Forbidden, "exceeded quota: runs"};
  EXPECT_THAT(play.at("2026-01-01T01:00:00Z"), IsEmpty());
  EXPECT_THAT(play.row().message, HasSubstr("exceeded quota"));
  EXPECT_THAT(play.notes, ElementsAre(HasSubstr("TriggerFailed")));
  EXPECT_THAT(play.at("2026-01-01T01:01:00Z"), IsEmpty());
  EXPECT_THAT(play.notes, IsEmpty()) << "said once";
  play.refused.clear();
  EXPECT_THAT(play.at("2026-01-01T01:02:00Z"), ElementsAre(run_at("2026-01-01T01:00:00Z")));
  EXPECT_EQ(play.row().message, "");
}

TEST(ScheduleTrigger, AForeignRunOfThatNameGivesTheRunAnotherName) {
  TriggerPlay play(with_triggers({hourly()}));
  play.names_taken = {run_at("2026-01-01T01:00:00Z")};
  const auto names = play.at("2026-01-01T01:00:00Z");
  ASSERT_THAT(names, SizeIs(1));
  EXPECT_NE(names[0], run_at("2026-01-01T01:00:00Z"));
  EXPECT_THAT(play.next(), IsEmpty());
}

TEST(ScheduleTrigger, SeveralHaveNamesAndTheNextTimeIsTheFirstOfAll) {
  Json a = hourly();
  a["name"] = "a";
  Json b = hourly({{"cron", "30 * * * *"}});
  b["name"] = "b";
  TriggerPlay play(with_triggers({a, b}));
  EXPECT_EQ(play.status().next_schedule_time, "2026-01-01T00:30:00Z");
  EXPECT_THAT(play.at("2026-01-01T01:00:00Z"), ElementsAre(run_at("2026-01-01T01:00:00Z", "flow-a-"),
                                                           run_at("2026-01-01T00:30:00Z", "flow-b-")));
}

TEST(ScheduleTrigger, LongNamesFit) {
  api::Workflow workflow;
  workflow.meta.name = std::string(63, 'w');
  api::Trigger trigger;
  trigger.name = std::string(63, 't');
  const auto name = scheduled_run_name(workflow, trigger, *parse_time("2026-01-01T01:00:00Z"));
  EXPECT_LE(name.size(), 63u);
  EXPECT_THAT(name, ::testing::EndsWith("-29453820"));
}

const Json kChange = {{"type", "Change"}};

Json changed(const std::string& step_name, const Json& more = Json::object()) {
  Json result = spec({step(step_name)}, {{"triggers", {kChange}}});
  result.update(more);
  return result;
}

TEST(ChangeTrigger, StartsOneRunForEachNewRevisionButTheFirst) {
  TriggerPlay play(changed("a"));
  EXPECT_THAT(play.runs, IsEmpty());
  play.edit(changed("b"));
  EXPECT_THAT(play.next(), ElementsAre(::testing::StartsWith("flow-rev2-")));
  EXPECT_EQ(play.last_manifest["spec"]["triggeredBy"], "Change");
  EXPECT_EQ(play.last_manifest["spec"]["revision"], play.status().current_revision);
  EXPECT_THAT(play.notes, Contains(HasSubstr("RunCreated: trigger Change")));
  EXPECT_THAT(play.next(), IsEmpty());
  play.edit(changed("b", {{"historyLimits", {{"succeeded", 1}}}}));
  EXPECT_THAT(play.next(), IsEmpty()) << "runs execute the same";
  play.delete_runs();
  play.edit(changed("a"));
  EXPECT_THAT(play.next(), ElementsAre(::testing::StartsWith("flow-rev3-"))) << "back to the first";
  EXPECT_THAT(play.next(), IsEmpty());
}

TEST(ChangeTrigger, ARestartBetweenTheRunAndTheStatusStartsNoSecondRun) {
  TriggerPlay play(changed("a"));
  play.edit(changed("b"));
  EXPECT_THAT(play.next(true), SizeIs(1));
  EXPECT_THAT(play.next(), IsEmpty());
  EXPECT_THAT(play.row().last_run, ::testing::StartsWith("flow-rev2-"));
}

TEST(ChangeTrigger, AChangeWhileSuspendedIsNotCaughtUp) {
  TriggerPlay play(changed("a"));
  play.edit(changed("b", {{"suspend", true}}));
  EXPECT_THAT(play.next(), IsEmpty());
  play.edit(changed("b"));
  EXPECT_THAT(play.next(), IsEmpty());
  play.edit(changed("c"));
  EXPECT_THAT(play.next(), SizeIs(1));
}

TEST(ChangeTrigger, AnInvalidChangeStartsNothingUntilItIsMended) {
  TriggerPlay play(changed("a"));
  play.edit(spec({step("a", {"nowhere"})}, {{"triggers", {kChange}}}));
  EXPECT_THAT(play.next(), IsEmpty());
  play.edit(changed("b"));
  EXPECT_THAT(play.next(), SizeIs(1));
}

TEST(ChangeTrigger, OneThatIsAddedTakesWhatIsThereForSeen) {
  TriggerPlay play(spec({step("a")}, {{"triggers", Json::array()}}));
  play.edit(changed("a"));
  EXPECT_THAT(play.next(), IsEmpty());
  play.edit(changed("b"));
  EXPECT_THAT(play.next(), SizeIs(1));
}

TEST(ChangeTrigger, WithCreateTheFirstRevisionHasOneRun) {
  TriggerPlay play(spec({step("a")}, {{"triggers", {{{"type", "Create"}}, kChange}}}));
  EXPECT_THAT(play.runs, SizeIs(1));
  play.edit(spec({step("b")}, {{"triggers", {{{"type", "Create"}}, kChange}}}));
  EXPECT_THAT(play.next(), SizeIs(1));
  EXPECT_THAT(play.runs, SizeIs(2));
}

TEST(EventTrigger, EventsWhoseRunsAreDeletedAreRemembered) {
  TriggerPlay play(with_triggers({{{"type", "Event"}, {"event", {{"type", "push"}}}}},
                                 {{"historyLimits", {{"succeeded", 0}}}}));
  EXPECT_THAT(play.ready_message(), HasSubstr("trigger Event waits for events of the type \"push\""));
  for (int i = 0; i < 250; ++i) {
    auto run = std::make_shared<api::WorkflowRun>();
    run->meta.name = "flow-" + std::to_string(i);
    run->meta.annotations["convoke.dev/event-key"] = "key-" + std::to_string(i);
    run->status.phase = api::RunPhase::Succeeded;
    run->status.completed_at = format_time(*parse_time("2026-01-01T00:00:00Z") + std::chrono::seconds(i));
    play.runs.push_back(run);
  }
  play.next();
  EXPECT_THAT(play.status().past_events, SizeIs(200));
  EXPECT_EQ(play.status().past_events.back(), "key-249");
  play.next();
  EXPECT_THAT(play.status().past_events, SizeIs(200)) << "each once";
}

}  // namespace
}  // namespace convoke::workflow
