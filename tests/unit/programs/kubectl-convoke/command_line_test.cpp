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
                              "resume", "retry", "run", "lint", "plan"}) {
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

}  // namespace
}  // namespace convoke::plugin
