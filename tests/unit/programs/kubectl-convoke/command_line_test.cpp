#include "programs/kubectl-convoke/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::plugin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<Invocation> read(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "kubectl-convoke");
  return read_command_line(static_cast<int>(arguments.size()), arguments.data());
}

TEST(CommandLine, EveryCommandHasHelp) {
  for (const char* command : {"tree", "watch", "graph", "why", "approve", "reject", "cancel", "suspend",
                              "resume", "retry", "rerun", "run", "lint", "plan"}) {
    EXPECT_THAT(read({"--help"})->print, HasSubstr(command));
    const auto invocation = read({command, "--help"});
    ASSERT_TRUE(invocation) << command;
    EXPECT_THAT(invocation->print, HasSubstr(command));
    const bool offline = std::string(command) == "lint";
    EXPECT_EQ(invocation->print.find("--kubeconfig") == std::string::npos, offline) << command;
  }
}

TEST(CommandLine, ReadsParametersAndFlags) {
  const auto run = read({"run", "w", "-p", "a=1", "-p", "b=x y", "-n", "team", "--wait", "-o", "json"});
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_EQ(run->command, Command::Run);
  EXPECT_THAT(run->parameters, ElementsAre("a=1", "b=x y"));
  EXPECT_EQ(run->namespace_, "team");
  EXPECT_TRUE(run->wait);
  EXPECT_TRUE(run->json());
}

TEST(CommandLine, AFlagTakesOneValueAndLeavesTheArgumentBehindIt) {
  const auto run = read({"run", "-p", "env=prod", "deploy", "--wait"});
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_EQ(run->target, "deploy");
  EXPECT_THAT(run->parameters, ElementsAre("env=prod"));
  const auto plan = read({"plan", "-p", "a=1", "-p", "b=2", "f.yaml", "g.yaml"});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(plan->parameters, ElementsAre("a=1", "b=2"));
  EXPECT_THAT(plan->files, ElementsAre("f.yaml", "g.yaml"));
  const auto rerun = read({"rerun", "-p", "a=1", "r"});
  ASSERT_TRUE(rerun) << rerun.error().message;
  EXPECT_EQ(rerun->target, "r");
  const auto retry = read({"retry", "--step", "a", "--step", "b", "r"});
  ASSERT_TRUE(retry) << retry.error().message;
  EXPECT_EQ(retry->target, "r");
  EXPECT_THAT(retry->steps, ElementsAre("a", "b"));
}

TEST(CommandLine, CompensateIsAskedForOrAgainst) {
  EXPECT_FALSE(read({"cancel", "r"})->compensate.has_value());
  EXPECT_EQ(read({"cancel", "r", "--compensate", "false"})->compensate, false);
}

TEST(CommandLine, MistakesPointToTheHelp) {
  for (const auto& wrong : std::vector<std::vector<const char*>>{
           {}, {"tre"}, {"why"}, {"graph"}, {"tree", "-o", "xml"}, {"tree", "r", "-A"}, {"lint"}}) {
    EXPECT_FALSE(read(wrong));
  }
}

TEST(CommandLine, AnUnknownCommandIsNamedWithTheOneThatWasMeant) {
  EXPECT_EQ(read({"lnt", "x"}).error().message,
            "there is no command \"lnt\"; did you mean \"lint\"? (see --help)");
  EXPECT_THAT(read({"frobnicate"}).error().message,
              HasSubstr("there is no command \"frobnicate\"; there are "));
}

TEST(CommandLine, RerunTakesTheFlagsOfRunAndOneRevision) {
  EXPECT_FALSE(read({"rerun"}));
  EXPECT_FALSE(read({"rerun", "r", "--revision", "w-1", "--same-revision"}));
  const auto rerun = read({"rerun", "r", "-p", "a=1", "--name", "n", "--same-revision", "-w", "--dry-run"});
  ASSERT_TRUE(rerun) << rerun.error().message;
  EXPECT_EQ(rerun->command, Command::Rerun);
  EXPECT_THAT(rerun->parameters, ElementsAre("a=1"));
  EXPECT_TRUE(rerun->same_revision && rerun->wait && rerun->dry_run);
}

TEST(CommandLine, CancelSaysThatNothingIsUndoneByDefault) {
  EXPECT_THAT(read({"cancel", "--help"})->print, HasSubstr("Empty: nothing is undone"));
}

}  // namespace
}  // namespace convoke::plugin
