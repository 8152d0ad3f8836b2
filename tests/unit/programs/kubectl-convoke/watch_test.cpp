#include "programs/kubectl-convoke/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/programs/kubectl-convoke/plugin_world.h"

namespace convoke::plugin {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

class WatchTest : public ::testing::Test {
 protected:
  // Two seconds after the watch began, then two seconds later, the run gets on.
  void goes_on(Json first, Json second, bool break_watches = false) {
    person_ = world_.clock.start_thread("person", [this, first, second, break_watches] {
      StopSignal never(world_.clock);
      for (const auto& status : {first, second}) {
        never.sleep_for(2s);
        if (break_watches) world_.server.break_watches();
        world_.server.edit(api::kWorkflowRun, {"default", "r"}, [&](Json& run) { run["status"] = status; });
      }
    });
  }

  static Json status(const std::string& phase, const std::string& step) {
    return {{"phase", phase}, {"steps", {{{"name", "a"}, {"phase", step}}}}};
  }

  Result<int> watch(bool json = false) {
    auto result = watch_run(world_.context(json), "r", {});
    if (person_) person_->join();
    return result;
  }

  PluginWorld world_;
  std::unique_ptr<Thread> person_;
};

TEST_F(WatchTest, TellsEachChangeOnceAndEndsWithTheRun) {
  world_.put(api::kWorkflowRun, "r", {{"workflowName", "w"}}, status("Running", "Pending"));
  goes_on(status("Running", "Running"), status("Succeeded", "Succeeded"));
  const auto result = watch();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(*result, kDone);
  EXPECT_THAT(world_.out.str(), AllOf(HasSubstr("r/a  . Pending\n"), HasSubstr("r/a  * Running\n"),
                                      HasSubstr("r/a  + Succeeded\n")));
}

TEST_F(WatchTest, SurvivesWatchesThatBreak) {
  world_.put(api::kWorkflowRun, "r", {{"workflowName", "w"}}, status("Running", "Pending"));
  goes_on(status("Running", "Running"), status("Failed", "Failed"), true);
  const auto result = watch();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(*result, kSaysNo);
  EXPECT_THAT(world_.err.str(), HasSubstr("The run is Failed"));
}

TEST_F(WatchTest, FollowsTheTasksOfARunThatItsRowsName) {
  const auto run = world_.put(api::kWorkflowRun, "r", {{"workflowName", "w"}}, status("Running", "Running"));
  Json task = {{"metadata",
                {{"name", "r-a"},
                 {"namespace", "default"},
                 {"labels", {{"convoke.dev/run", "r"}, {"convoke.dev/step", "a"}}},
                 {"ownerReferences",
                  {{{"apiVersion", "convoke.dev/v1alpha1"},
                    {"kind", "WorkflowRun"},
                    {"name", "r"},
                    {"uid", run["metadata"]["uid"]}}}}}},
               {"spec", {{"type", "t"}}},
               {"status", {{"phase", "Running"}, {"agentName", "worker"}, {"report", {{"progress", 50}}}}}};
  world_.server.put(api::kTask, task);
  goes_on(status("Running", "Running"), status("Succeeded", "Succeeded"));
  ASSERT_TRUE(watch(true));
  EXPECT_THAT(world_.out.str(), AllOf(HasSubstr(R"("agent":"worker")"), HasSubstr(R"("progress":"50%")")));
}

TEST_F(WatchTest, ARunThatIsDeletedIsAnError) {
  world_.put(api::kWorkflowRun, "r", {{"workflowName", "w"}}, status("Running", "Pending"));
  person_ = world_.clock.start_thread("person", [this] {
    StopSignal never(world_.clock);
    never.sleep_for(2s);
    world_.server.remove(api::kWorkflowRun, {"default", "r"});
  });
  const auto result = watch();
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("was deleted"));
}

}  // namespace
}  // namespace convoke::plugin
