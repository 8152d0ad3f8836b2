#include "programs/runner/decide.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/programs/runner/runner_fixtures.h"

namespace convoke::runner {
namespace {

using ::testing::HasSubstr;

class Decide : public ::testing::Test {
 protected:
  Action action(const std::optional<ExecutionFacts>& execution = {}) const {
    return decision(execution).action;
  }
  RunnerDecision decision(const std::optional<ExecutionFacts>& execution = {}) const {
    const auto task = api::Task::from_json(object);
    return decide(&task, execution, facts);
  }
  static ExecutionFacts with(Stage stage, const std::string& id = "id-1") { return {id, stage}; }

  Json object = task_json("a", "id-1");
  RunnerFacts facts{.agent_name = "builder-1", .capacity = 2};
};

// --- What is not ours, or not any more ---

TEST_F(Decide, ATaskOfAnotherAgentIsNoBusinessOfOurs) {
  object["status"]["agentName"] = "builder-2";
  EXPECT_EQ(action(), Action::None);
}

TEST_F(Decide, ATaskWithoutAnAssignmentIsLeftAlone) {
  object["status"].erase("assignment");
  EXPECT_EQ(action(), Action::None);
}

TEST_F(Decide, AWipedStatusIsLeftAlone) {
  object.erase("status");
  EXPECT_EQ(action(), Action::None);
  EXPECT_EQ(action(with(Stage::Running)), Action::Kill);
}

TEST_F(Decide, ARunningCommandIsKilledWhenItsTaskDoesNotWantItAnyMore) {
  EXPECT_EQ(decide(nullptr, with(Stage::Running), facts).action, Action::Kill);
  EXPECT_EQ(action(with(Stage::Running, "id-0")), Action::Kill) << "another assignment";
  const Json before = object;
  for (const char* phase : {"Cancelled", "Failed", "Succeeded", "Queued", "Pending"}) {
    object["status"]["phase"] = phase;
    EXPECT_EQ(action(with(Stage::Running)), Action::Kill) << phase;
  }
  object = before;
  object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  EXPECT_EQ(action(with(Stage::Running)), Action::Kill);
  object = before;
  object["spec"]["cancel"] = {{"reason", "too slow"}};
  EXPECT_EQ(action(with(Stage::Running)), Action::Kill);
}

TEST_F(Decide, WhatDoesNotRunIsForgottenWhenItIsNotWantedAnyMore) {
  for (const auto stage : {Stage::Claiming, Stage::Ended, Stage::Closed}) {
    EXPECT_EQ(decide(nullptr, with(stage), facts).action, Action::Forget);
    EXPECT_EQ(action(with(stage, "id-0")), Action::Forget);
  }
}

TEST_F(Decide, ARefusedReportEndsTheWorkWhateverTheCacheSays) {
  EXPECT_EQ(action(ExecutionFacts{"id-1", Stage::Running, true}), Action::Kill);
  EXPECT_EQ(action(ExecutionFacts{"id-1", Stage::Claiming, true}), Action::Forget);
  EXPECT_EQ(action(ExecutionFacts{"id-1", Stage::Ended, true}), Action::Forget);
}

TEST_F(Decide, AnAssignmentThatWasPutAwayIsNeverTakenUpAgain) {
  facts.put_away = true;
  EXPECT_EQ(action(), Action::None);
  object["status"]["report"] = {{"assignmentID", "id-1"}, {"state", "Running"}};
  EXPECT_EQ(action(), Action::None);
}

// --- Taking up work ---

TEST_F(Decide, AFullAgentRejects) {
  facts.active = 2;
  EXPECT_EQ(action(), Action::Reject);
  EXPECT_THAT(decision().why, HasSubstr("full (2 of 2)"));
}

TEST_F(Decide, AnUnknownTypeIsRejectedWithTheReason) {
  facts.unsupported = "no command";
  EXPECT_EQ(action(), Action::Reject);
  EXPECT_EQ(decision().why, "no command");
}

TEST_F(Decide, NothingIsTakenUpWhileTheHeartbeatIsLost) {
  facts.heartbeat_lost = true;
  EXPECT_EQ(action(), Action::Wait);
  EXPECT_EQ(action(with(Stage::Running)), Action::Watch);
}

TEST_F(Decide, AnAssignedTaskIsClaimed) {
  EXPECT_EQ(action(), Action::Claim);
  object["status"]["report"] = {{"assignmentID", "id-0"}, {"state", "Failed"}};
  EXPECT_EQ(action(), Action::Claim) << "the report of an earlier assignment";
}

TEST_F(Decide, WhatAPreviousLifeStartedIsReportedAsFailed) {
  object["status"]["report"] = {{"assignmentID", "id-1"}, {"state", "Running"}};
  EXPECT_EQ(action(), Action::FailOrphan);
  object["status"]["phase"] = "Running";
  EXPECT_EQ(action(), Action::FailOrphan);
}

TEST_F(Decide, WhatIsReportedAlreadyIsLeftToTheOperator) {
  for (const char* state : {"Succeeded", "Failed", "Rejected"}) {
    object["status"]["report"] = {{"assignmentID", "id-1"}, {"state", state}};
    EXPECT_EQ(action(), Action::None) << state;
  }
}

TEST_F(Decide, AnAssignmentIsFollowedToItsEnd) {
  EXPECT_EQ(action(with(Stage::Claiming)), Action::Claim);
  EXPECT_EQ(action(with(Stage::Running)), Action::Watch);
  EXPECT_EQ(action(with(Stage::Ended)), Action::ReportEnd);
  EXPECT_EQ(action(with(Stage::Closed)), Action::Forget);
}

// --- The end of the runner ---

TEST_F(Decide, ADrainingAgentRejectsAndFinishesWhatItHas) {
  facts.mode = Mode::Draining;
  EXPECT_EQ(action(), Action::Reject);
  EXPECT_THAT(decision().why, HasSubstr("shutting down"));
  EXPECT_EQ(action(with(Stage::Claiming)), Action::Reject);
  EXPECT_EQ(action(with(Stage::Running)), Action::Watch);
  EXPECT_EQ(action(with(Stage::Ended)), Action::ReportEnd);
}

TEST_F(Decide, AStoppingAgentEndsCommandsAndReportsIt) {
  facts.mode = Mode::Stopping;
  EXPECT_EQ(action(with(Stage::Running)), Action::Stop);
  EXPECT_EQ(action(with(Stage::Ended)), Action::ReportEnd);
}

TEST_F(Decide, ADeposedAgentEndsCommandsAndSaysNothing) {
  facts.mode = Mode::Deposed;
  EXPECT_EQ(action(), Action::None);
  EXPECT_EQ(action(with(Stage::Running)), Action::Kill);
  EXPECT_EQ(action(with(Stage::Ended)), Action::Forget);
}

}  // namespace
}  // namespace convoke::runner
