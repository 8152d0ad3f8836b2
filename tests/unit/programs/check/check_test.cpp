#include "programs/check/check.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <unistd.h>

#include "controller/kube/client_metrics.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/common.h"
#include "reconcilers/api/task.h"
#include "reconcilers/api/workflow.h"
#include "reconcilers/api/workflow_run.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/fake_api_types.h"
#include "tests/fakes/fake_clock.h"

namespace convoke::check {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const kube::ObjectKey kRunKey{"default", "convoke-check-1"};

class CheckTest : public ::testing::Test {
 protected:
  CheckTest() { fakes::register_convoke_types(server_); }

  // A second after the check began, `status` is what the operator says of the run.
  Status check_with(Json status, const CheckConfig& config) {
    const auto operator_thread = clock_.start_thread("operator", [this, status = std::move(status)] {
      StopSignal never(clock_);
      never.sleep_for(1s);
      server_.edit(api::kWorkflowRun, kRunKey, [&](Json& run) { run["status"] = status; });
    });
    auto outcome = run_check(client_, clock_, config, "1", out_);
    operator_thread->join();
    return outcome;
  }

  bool nothing_is_left() const {
    return server_.objects(api::kWorkflow).empty() && server_.objects(api::kWorkflowRun).empty();
  }

  fakes::FakeClock clock_;
  fakes::FakeApiServer server_{clock_};
  std::unique_ptr<Random> random_ = make_seeded_random(1);
  prometheus::Registry registry_;
  kube::ClientMetrics metrics_{registry_, "fake"};
  std::unique_ptr<kube::Transport> transport_ = server_.connect("check");
  kube::Client client_{*transport_, clock_, *random_, metrics_, {"convoke-check"}};
  std::ostringstream out_;
};

TEST_F(CheckTest, PassesWhenTheRunSucceedsWithTheAnswerAndLeavesNothing) {
  server_.put(api::kAgent,
              {{"metadata", {{"name", "test"}, {"namespace", "default"}}}, {"spec", Json::object()}});
  CheckConfig config;
  config.agent = "test";
  config.delete_agent = true;
  const auto outcome = check_with({{"phase", "Succeeded"}, {"outputs", {{"answer", "ready"}}}}, config);
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_THAT(out_.str(), HasSubstr("passed after"));
  EXPECT_TRUE(nothing_is_left());
  EXPECT_THAT(server_.objects(api::kAgent), IsEmpty());
}

TEST_F(CheckTest, AnotherAnswerIsAFailure) {
  const auto outcome = check_with({{"phase", "Succeeded"}, {"outputs", {{"answer", "perhaps"}}}}, {});
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().message, HasSubstr("\"perhaps\""));
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(CheckTest, ARunThatFailedIsExplainedByItsTasks) {
  server_.put(
      api::kTask,
      {{"metadata",
        {{"name", "convoke-check-1-first"},
         {"namespace", "default"},
         {"labels", {{api::label::kRun, kRunKey.name}}}}},
       {"spec", {{"type", "shell"}}},
       {"status",
        {{"phase", "Queued"},
         {"reason", "NoEligibleAgent"},
         {"message", "no agent fits"},
         {"assignment",
          {{"rejected", Json::array({{{"agentName", "builder"}, {"reason", "it lacks shell"}}})}}}}}});
  const auto outcome =
      check_with({{"phase", "Failed"}, {"reason", "Timeout"}, {"message", "too slow"}}, CheckConfig{});
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().message,
              AllOf(HasSubstr("Failed (Timeout: too slow)"),
                    HasSubstr("Task convoke-check-1-first is Queued (NoEligibleAgent: no agent fits)"),
                    HasSubstr("agent builder: it lacks shell")));
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(CheckTest, WithoutAnOperatorItEndsAndSaysSo) {
  CheckConfig config;
  config.timeout = 5s;
  const auto outcome = run_check(client_, clock_, config, "1", out_);
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().message, AllOf(HasSubstr("after 5s"), HasSubstr("not seen by the operator")));
  EXPECT_TRUE(nothing_is_left());
}

TEST(CheckAnswer, PassesTheParameterOn) {
  const std::string file = ::testing::TempDir() + "check-answer-" + std::to_string(::getpid()) + ".json";
  ::setenv("CONVOKE_OUTPUT", file.c_str(), 1);
  ::setenv("CONVOKE_PARAM_ANSWER", "from \"first\"", 1);
  ASSERT_TRUE(write_answer());
  std::ifstream in(file);
  EXPECT_EQ(Json::parse(in), (Json{{"answer", "from \"first\""}}));
  ::unsetenv("CONVOKE_OUTPUT");
  const auto without = write_answer();
  ASSERT_FALSE(without);
  EXPECT_THAT(without.error().message, HasSubstr("CONVOKE_OUTPUT is not set"));
}

}  // namespace
}  // namespace convoke::check
