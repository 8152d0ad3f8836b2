#include "programs/runner/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::runner {
namespace {

using ::testing::HasSubstr;

const ReportSubject kSubject{"id-1", "2026-01-01T00:00:00Z"};

CommandResult exited(int code, const std::string& output_file = "") {
  CommandResult result;
  result.end.exit_code = code;
  result.output_file = output_file;
  return result;
}

// --- How an end is judged ---

TEST(Judge, AnExitCodeIsAFailureWithTheLastLinesOfStandardError) {
  auto result = exited(3);
  result.end.error_tail = "warming up\nfile not found\n";
  const auto outcome = judge(result);
  EXPECT_FALSE(outcome.succeeded);
  EXPECT_EQ(outcome.error_code, "ExitCode3");
  EXPECT_EQ(outcome.error_message, "warming up\nfile not found");
  EXPECT_TRUE(outcome.retryable);
}

TEST(Judge, AFinalExitCodeIsNotRetryable) {
  auto result = exited(64);
  result.exit_code_is_final = true;
  EXPECT_FALSE(judge(result).retryable);
}

TEST(Judge, ASignalIsNamed) {
  CommandResult result;
  result.end.signal = 9;
  EXPECT_EQ(judge(result).error_code, "SignalKILL");
}

TEST(Judge, SilenceOnStandardErrorFallsBackToStandardOutput) {
  auto result = exited(1);
  result.end.output_tail = "said here";
  EXPECT_EQ(judge(result).error_message, "said here");
  EXPECT_NE(judge(exited(1)).error_message, "");
}

TEST(Judge, ALongStandardErrorIsCutToWholeLastLines) {
  auto result = exited(1);
  for (int i = 0; i < 1000; ++i) result.end.error_tail += "line " + std::to_string(i) + "\n";
  const auto message = judge(result).error_message;
  EXPECT_LE(message.size(), 2048U);
  EXPECT_TRUE(message.starts_with("line ")) << message.substr(0, 20);
  EXPECT_TRUE(message.ends_with("line 999"));
}

TEST(Judge, BytesThatAreNotTextAreCleaned) {
  auto result = exited(1);
  result.end.error_tail = std::string("bad \xff\x01 bytes\x1b[31m");
  const auto message = judge(result).error_message;
  EXPECT_THAT(message, HasSubstr("bad "));
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
  EXPECT_EQ(message.find('\xff'), std::string::npos);
}

TEST(Judge, OutputsThatAreNotAJsonObjectFailTheAttempt) {
  EXPECT_EQ(judge(exited(0, "{not json")).error_code, "InvalidOutput");
  EXPECT_EQ(judge(exited(0, "[1, 2]")).error_code, "InvalidOutput");
  EXPECT_THAT(judge(exited(0, "[1, 2]")).error_message, HasSubstr("array"));
  EXPECT_FALSE(judge(exited(0, "\"text\"")).succeeded);
}

TEST(Judge, OutputsAboveTheLimitFailTheAttemptForGood) {
  const auto outcome = judge(exited(0, "{\"a\":\"" + std::string(kMaxOutputBytes, 'x') + "\"}"));
  EXPECT_EQ(outcome.error_code, "OutputTooLarge");
  EXPECT_FALSE(outcome.retryable);
  auto unread = exited(0);
  unread.output_too_large = true;
  EXPECT_EQ(judge(unread).error_code, "OutputTooLarge");
}

TEST(Judge, ExitZeroSucceedsWithTheOutputsOrNone) {
  EXPECT_TRUE(judge(exited(0)).succeeded);
  EXPECT_EQ(judge(exited(0)).outputs, Json::object());
  EXPECT_TRUE(judge(exited(0, " \n")).succeeded);
  const auto outcome = judge(exited(0, R"({"image": "a:1", "n": 2})"));
  EXPECT_TRUE(outcome.succeeded);
  EXPECT_EQ(outcome.outputs, (Json{{"image", "a:1"}, {"n", 2}}));
}

// --- Progress ---

TEST(ParseProgress, ReadsTheLastLine) {
  const Progress before{10, "old"};
  EXPECT_EQ(parse_progress("", before), before);
  EXPECT_EQ(parse_progress("20 a\n40 compiling\n", before), (Progress{40, "compiling"}));
  EXPECT_EQ(parse_progress("55% linking", before), (Progress{55, "linking"}));
  EXPECT_EQ(parse_progress("55 % linking", before), (Progress{55, "linking"}));
  EXPECT_EQ(parse_progress("70", before), (Progress{70, ""}));
  EXPECT_EQ(parse_progress("linking", before), (Progress{10, "linking"}));
  EXPECT_EQ(parse_progress("3rd try", before), (Progress{10, "3rd try"}));
}

TEST(ParseProgress, KeepsToItsBounds) {
  EXPECT_EQ(parse_progress("400 x", {}).percent, 100);
  EXPECT_EQ(parse_progress("-4 x", {}).percent, 0);
  EXPECT_LE(parse_progress(std::string(10000, 'x'), {}).message.size(), 256U);
}

// --- Patches ---

TEST(ReportPatch, EveryPatchIsGuardedByTheAssignment) {
  for (const auto& patch : {running_patch(kSubject, {}), outcome_patch(kSubject, {}, {}, "now"),
                            rejected_patch(kSubject, "full")}) {
    ASSERT_EQ(patch.size(), 2U);
    EXPECT_EQ(patch[0], (Json{{"op", "test"}, {"path", "/status/assignment/id"}, {"value", "id-1"}}));
    EXPECT_EQ(patch[1]["op"], "add");
    EXPECT_EQ(patch[1]["path"], "/status/report");
    EXPECT_EQ(patch[1]["value"]["assignmentID"], "id-1");
  }
}

TEST(ReportPatch, SaysWhatIsTheCase) {
  EXPECT_EQ(running_patch(kSubject, {40, "compiling"})[1]["value"],
            (Json{{"assignmentID", "id-1"},
                  {"state", "Running"},
                  {"progress", 40},
                  {"message", "compiling"},
                  {"startedAt", kSubject.started_at}}));
  const auto failed =
      outcome_patch(kSubject, failure("ExitCode1", "no", false), {40, ""}, "later")[1]["value"];
  EXPECT_EQ(failed["state"], "Failed");
  EXPECT_EQ(failed["progress"], 40);
  EXPECT_EQ(failed["error"], (Json{{"code", "ExitCode1"}, {"message", "no"}, {"retryable", false}}));
  Outcome good;
  good.succeeded = true;
  good.outputs = {{"a", 1}};
  const auto succeeded = outcome_patch(kSubject, good, {40, ""}, "later")[1]["value"];
  EXPECT_EQ(succeeded["state"], "Succeeded");
  EXPECT_EQ(succeeded["progress"], 100);
  EXPECT_EQ(succeeded["outputs"], good.outputs);
  EXPECT_EQ(succeeded["finishedAt"], "later");
  EXPECT_EQ(rejected_patch({"id-1", ""}, "full")[1]["value"],
            (Json{{"assignmentID", "id-1"}, {"state", "Rejected"}, {"message", "full"}}));
}

}  // namespace
}  // namespace convoke::runner
