#include "reconcilers/workflow/workflow_decide.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/workflow/child_name.h"
#include "reconcilers/workflow/revision.h"
#include "tests/unit/reconcilers/workflow/specs.h"

namespace convoke::workflow {
namespace {

using specs::spec;
using specs::step;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

// A Workflow that is decided on generation by generation.
class WorkflowPlay {
 public:
  explicit WorkflowPlay(const Json& spec) {
    workflow_.meta = {"ns", "flow", "flow-uid", "1", 0, {}, {}, {}, {}, {}, {}};
    edit(spec);
  }

  void edit(const Json& spec) {
    Json object = {{"metadata", {{"name", "flow"}, {"namespace", "ns"}, {"uid", "flow-uid"}}},
                   {"spec", spec}};
    auto next = api::Workflow::from_json(object);
    next.meta.generation = workflow_.meta.generation + 1;
    next.status = workflow_.status;
    workflow_ = std::move(next);
  }

  WorkflowDecision next() {
    auto decision =
        decide({std::make_shared<const api::Workflow>(workflow_),
                parse_definition(workflow_.spec_json, "spec"), runs, revisions, revision_name_taken,
                run_names_taken, runs_refused, WallTime(std::chrono::seconds(1'767'225'600))});
    if (decision.create_revision) {
      revisions.push_back(std::make_shared<const api::ControllerRevision>(*decision.create_revision));
    }
    events = events_between(workflow_.status, decision.status);
    workflow_.status = decision.status;
    return decision;
  }

  const api::WorkflowStatus& status() const { return workflow_.status; }
  std::string ready_message() const {
    return api::find_condition(workflow_.status.conditions, api::condition::kReady)->message;
  }
  bool condition(const char* type) const {
    return api::find_condition(workflow_.status.conditions, type)->status;
  }

  Runs runs;
  Revisions revisions;
  bool revision_name_taken = false;
  std::set<std::string> run_names_taken;
  std::map<std::string, Error> runs_refused;
  std::vector<EventNote> events;

 private:
  api::Workflow workflow_;
};

TEST(WorkflowDecide, AnInvalidDefinitionStallsAndIsSaidOnceForEachGeneration) {
  WorkflowPlay play(spec({step("a", {"b"}), step("b", {"a"})}));
  auto decision = play.next();
  EXPECT_EQ(play.status().phase, "Invalid");
  EXPECT_FALSE(play.condition(api::condition::kReady));
  EXPECT_TRUE(play.condition(api::condition::kStalled));
  EXPECT_THAT(play.ready_message(), HasSubstr("a → b → a"));
  EXPECT_FALSE(decision.create_revision);
  EXPECT_THAT(decision.create_runs, IsEmpty());
  ASSERT_EQ(play.events.size(), 1u);
  EXPECT_EQ(play.events[0].reason, "InvalidDefinition");
  EXPECT_EQ(play.events[0].type, runtime::EventType::Warning);
  play.next();
  EXPECT_TRUE(play.events.empty());
  play.edit(spec({step("a"), step("a")}));
  play.next();
  EXPECT_EQ(play.events.size(), 1u);
}

TEST(WorkflowDecide, AnInvalidEditKeepsTheLastRevisionAndHeals) {
  WorkflowPlay play(spec({step("a")}));
  play.next();
  const auto revision = play.status().current_revision;
  play.edit(spec({}));
  play.next();
  EXPECT_EQ(play.status().phase, "Invalid");
  EXPECT_EQ(play.status().current_revision, revision);
  play.edit(spec({step("a")}));
  EXPECT_FALSE(play.next().create_revision) << "the same content is the same revision";
  EXPECT_EQ(play.status().phase, "Ready");
  EXPECT_EQ(play.status().current_revision, revision);
}

TEST(WorkflowDecide, CreateRunsOnceInTheLifeOfAWorkflow) {
  WorkflowPlay play(spec({step("a")}));
  const auto first = play.next();
  ASSERT_THAT(first.create_runs, SizeIs(1));
  const Json& run = first.create_runs[0].manifest;
  EXPECT_EQ(run["metadata"]["name"], created_run_name("flow", "flow-uid"));
  EXPECT_EQ(run["metadata"]["ownerReferences"][0]["uid"], "flow-uid");
  EXPECT_EQ(run["spec"]["workflowName"], "flow");
  EXPECT_EQ(run["spec"]["revision"], play.status().current_revision);
  EXPECT_EQ(run["spec"]["triggeredBy"], "Create");
  EXPECT_EQ(play.status().created_run, run["metadata"]["name"]);
  EXPECT_THAT(play.ready_message(), HasSubstr("trigger Create made run flow-"));
  EXPECT_THAT(play.next().create_runs, IsEmpty());
  play.edit(spec({step("b")}));
  EXPECT_THAT(play.next().create_runs, IsEmpty());
}

TEST(WorkflowDecide, ARunThatWasMadeBeforeACrashIsOnlyRecorded) {
  WorkflowPlay play(spec({step("a")}));
  auto run = std::make_shared<api::WorkflowRun>();
  run->meta.name = created_run_name("flow", "flow-uid");
  run->meta.owner_references.push_back({"convoke.dev/v1alpha1", "Workflow", "flow", "flow-uid", true, false});
  play.runs.push_back(run);
  EXPECT_THAT(play.next().create_runs, IsEmpty());
  EXPECT_EQ(play.status().created_run, run->meta.name);
  EXPECT_EQ(play.status().active_runs, 1);
}

TEST(WorkflowDecide, CreateWaitsWhileSuspended) {
  WorkflowPlay play(spec({step("a")}, {{"suspend", true}}));
  EXPECT_THAT(play.next().create_runs, IsEmpty());
  EXPECT_EQ(play.status().phase, "Suspended");
  EXPECT_TRUE(play.condition(api::condition::kReady));
  play.edit(spec({step("a")}));
  EXPECT_THAT(play.next().create_runs, SizeIs(1));
}

TEST(WorkflowDecide, ARequiredParameterMeansByHand) {
  WorkflowPlay play(spec({step("a")}, {{"parameters", {{{"name", "env"}, {"required", true}}}}}));
  EXPECT_THAT(play.next().create_runs, IsEmpty());
  EXPECT_EQ(play.status().phase, "Ready");
  EXPECT_THAT(play.ready_message(), HasSubstr("parameter \"env\" is required and has no default"));
}

TEST(WorkflowDecide, NoTriggersMeanByHand) {
  WorkflowPlay play(spec({step("a")}, {{"triggers", Json::array()}}));
  EXPECT_THAT(play.next().create_runs, IsEmpty());
  EXPECT_THAT(play.ready_message(), HasSubstr("runs start by hand"));
}

TEST(WorkflowDecide, RevisionsAreNumberedAndComeBack) {
  WorkflowPlay play(spec({step("a")}, {{"triggers", Json::array()}}));
  EXPECT_TRUE(play.next().create_revision);
  EXPECT_EQ(play.status().current_revision_number, 1);
  const auto first = play.status().current_revision;
  play.edit(spec({step("b")}, {{"triggers", Json::array()}}));
  EXPECT_TRUE(play.next().create_revision);
  EXPECT_EQ(play.status().current_revision_number, 2);
  play.edit(spec({step("a")}, {{"triggers", Json::array()}}));
  const auto back = play.next();
  EXPECT_FALSE(back.create_revision);
  ASSERT_TRUE(back.renumber_revision);
  EXPECT_EQ(back.renumber_revision->meta.name, first);
  EXPECT_EQ(back.revision_number, 3);
  EXPECT_EQ(play.status().current_revision, first);
}

TEST(WorkflowDecide, EditsThatDoNotConcernRunsMakeNoRevision) {
  WorkflowPlay play(spec({step("a")}));
  play.next();
  play.edit(spec({step("a")}, {{"description", "better"}, {"historyLimits", {{"succeeded", 1}}}}));
  EXPECT_FALSE(play.next().create_revision);
  EXPECT_EQ(play.status().observed_generation, 2);
}

TEST(WorkflowDecide, ADeletedRevisionIsMadeAgain) {
  WorkflowPlay play(spec({step("a")}));
  play.next();
  play.revisions.clear();
  EXPECT_TRUE(play.next().create_revision);
}

TEST(WorkflowDecide, TakenNamesGiveWay) {
  WorkflowPlay play(spec({step("a")}));
  play.revision_name_taken = true;
  play.run_names_taken = {created_run_name("flow", "flow-uid")};
  const auto decision = play.next();
  ASSERT_TRUE(decision.create_revision);
  ASSERT_THAT(decision.create_runs, SizeIs(1));
  EXPECT_NE(decision.create_runs[0].name, created_run_name("flow", "flow-uid"));
  EXPECT_EQ(play.status().current_revision, decision.create_revision->meta.name);
  EXPECT_FALSE(play.next().create_revision);
}

TEST(WorkflowDecide, CountsRunsAndNamesTheLast) {
  WorkflowPlay play(spec({step("a")}, {{"triggers", Json::array()}}));
  play.next();
  const auto before = play.status();
  for (const char* name : {"one", "two"}) {
    auto run = std::make_shared<api::WorkflowRun>();
    run->meta.name = name;
    run->meta.creation_timestamp = std::string("2026-01-01T00:00:0") + (name[0] == 'o' ? "1Z" : "2Z");
    run->status.phase = name[0] == 'o' ? api::RunPhase::Running : api::RunPhase::Succeeded;
    play.runs.push_back(run);
  }
  play.next();
  EXPECT_EQ(play.status().active_runs, 1);
  EXPECT_EQ(play.status().last_run, "two");
  EXPECT_EQ(play.status().last_run_phase, "Succeeded");
  EXPECT_TRUE(differs_in_counts_only(before, play.status()));
  play.edit(spec({step("a")}));
  play.next();
  EXPECT_FALSE(differs_in_counts_only(before, play.status()));
}

}  // namespace
}  // namespace convoke::workflow
