#include "programs/runner/command.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/programs/runner/runner_fixtures.h"

namespace convoke::runner {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

api::Task task_of(const std::string& type, const Json& parameters = Json::object()) {
  return api::Task::from_json(task_json("a", "id-1", type, parameters));
}

class CommandTest : public ::testing::Test {
 protected:
  Command made(const api::Task& task, const std::vector<std::string>& inherited = {}) const {
    return command_for(config, task, folder, inherited);
  }

  RunnerConfig config = test_config();
  AttemptFolder folder = *AttemptFolder::make(::testing::TempDir());
};

TEST_F(CommandTest, ATypeWithoutACommandIsUnsupported) {
  EXPECT_THAT(unsupported(config, task_of("paint")), HasSubstr("\"paint\""));
  EXPECT_THAT(unsupported(config, task_of("shell")), HasSubstr("\"shell\""));
  EXPECT_EQ(unsupported(config, task_of("build")), "");
}

TEST_F(CommandTest, AShellTaskNeedsACommand) {
  config.shell = true;
  EXPECT_THAT(unsupported(config, task_of("shell")), HasSubstr("spec.parameters.command"));
  EXPECT_THAT(unsupported(config, task_of("shell", {{"command", 3}})), HasSubstr("spec.parameters.command"));
  EXPECT_EQ(unsupported(config, task_of("shell", {{"command", "true"}})), "");
}

TEST_F(CommandTest, ParametersThatTheEnvironmentCannotHoldAreLeftOut) {
  const auto command =
      made(task_of("build", {{"large", std::string(200 * 1024, 'x')}, {"nul", std::string("a\0b", 3)}}));
  EXPECT_THAT(command.environment, Not(Contains(StartsWith("CONVOKE_PARAM_LARGE"))));
  EXPECT_THAT(command.environment, Not(Contains(StartsWith("CONVOKE_PARAM_NUL"))));
  EXPECT_GT(command.input.size(), 200U * 1024);
}

TEST_F(CommandTest, ParametersComeInTheEnvironmentAndAsJson) {
  const Json parameters = {{"image-name", "a:1"}, {"count", 3}, {"list", {1, 2}}};
  const auto command = made(task_of("build", parameters));
  EXPECT_THAT(command.arguments, ElementsAre("build-it", "--fast"));
  EXPECT_THAT(command.environment, Contains("CONVOKE_PARAM_IMAGE_NAME=a:1"));
  EXPECT_THAT(command.environment, Contains("CONVOKE_PARAM_COUNT=3"));
  EXPECT_THAT(command.environment, Contains("CONVOKE_PARAM_LIST=[1,2]"));
  EXPECT_EQ(*parse_json(command.input), parameters);
}

TEST_F(CommandTest, TheCommandIsToldWhatItWorksOn) {
  const auto environment = made(task_of("build")).environment;
  for (const auto& entry :
       {std::string("CONVOKE_TASK_NAME=a"), std::string("CONVOKE_TASK_NAMESPACE=default"),
        std::string("CONVOKE_TASK_UID=uid-a"), std::string("CONVOKE_TASK_TYPE=build"),
        std::string("CONVOKE_TASK_ATTEMPT=1"), std::string("CONVOKE_ASSIGNMENT_ID=id-1"),
        "CONVOKE_OUTPUT=" + folder.output_file(), "CONVOKE_PROGRESS=" + folder.progress_file()})
    EXPECT_THAT(environment, Contains(entry));
}

TEST_F(CommandTest, TheCommandGetsTheFencingTokensOfItsLocks) {
  api::Task task = task_of("build");
  task.status.assignment.fencing = {{"deploy-prod", 7}, {"db.main", 12}};
  const auto environment = made(task).environment;
  EXPECT_THAT(environment, Contains("CONVOKE_FENCING_DEPLOY_PROD=7"));
  EXPECT_THAT(environment, Contains("CONVOKE_FENCING_DB_MAIN=12"));
}

TEST_F(CommandTest, WhatIsConfiguredTakesThePlaceOfWhatIsInherited) {
  config.tasks["build"].environment = {{"CC", "gcc"}};
  const auto environment = made(task_of("build"), {"CC=clang", "HOME=/root"}).environment;
  EXPECT_THAT(environment, Contains("CC=gcc"));
  EXPECT_THAT(environment, Not(Contains("CC=clang")));
  EXPECT_THAT(environment, Contains("HOME=/root"));
}

TEST_F(CommandTest, AShellTaskRunsItsText) {
  config.shell = true;
  const auto command = made(task_of("shell", {{"command", "echo hi"}, {"workingDirectory", "/srv"}}));
  EXPECT_THAT(command.arguments, ElementsAre("/bin/sh", "-c", "echo hi"));
  EXPECT_EQ(command.working_directory, "/srv");
  EXPECT_EQ(made(task_of("shell", {{"command", "echo hi"}})).working_directory, folder.scratch());
}

TEST(AttemptFolder, AHugeOutputFileIsNotRead) {
  const auto folder = AttemptFolder::make(::testing::TempDir());
  std::ofstream(folder->output_file()).close();
  std::filesystem::resize_file(folder->output_file(), std::uintmax_t{1} << 40U);
  CommandResult result;
  folder->read_output(result);
  EXPECT_TRUE(result.output_too_large);
  EXPECT_EQ(result.output_file, "");
}

TEST(AttemptFolder, AnythingButAFileIsNoOutput) {
  const auto folder = AttemptFolder::make(::testing::TempDir());
  ASSERT_EQ(::mkfifo(folder->output_file().c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo(folder->progress_file().c_str(), 0600), 0);
  CommandResult result;
  folder->read_output(result);
  EXPECT_EQ(result.output_file, "");
  EXPECT_EQ(folder->progress_tail(), "");
}

TEST(AttemptFolder, IsPrivateAndLeavesNothingBehind) {
  std::string path;
  {
    const auto folder = AttemptFolder::make(::testing::TempDir());
    path = std::filesystem::path(folder->output_file()).parent_path();
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0700U);
    std::ofstream(folder->scratch() + "/left") << "over";
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(AttemptFolder, ALineThatIsStillBeingWrittenIsNotSaidYet) {
  const auto folder = AttemptFolder::make(::testing::TempDir());
  EXPECT_EQ(folder->progress_tail(), "");
  std::ofstream(folder->progress_file()) << "10 a\n20 b\n30";
  EXPECT_EQ(folder->progress_tail(), "10 a\n20 b");
}

}  // namespace
}  // namespace convoke::runner
