// Whatever a service or a container says, the API server takes what is reported of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/dispatch/dispatch_patch.h"
#include "reconcilers/dispatch/job.h"
#include "tests/fakes/crd_schema.h"

namespace convoke::dispatch {
namespace {

using ::testing::IsEmpty;

constexpr char kNow[] = "2026-01-01T12:00:00.000000Z";

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

const std::vector<std::string>& hostile_texts() {
  static const std::vector<std::string> kTexts = {"",
                                                  std::string("\0\x01\x7f\x1b[31m", 8),
                                                  "\xff\xfe no UTF-8 \x80",
                                                  repeated("x", 100'000),
                                                  repeated("\U0001F680", 30'000),
                                                  repeated("\xff", 5'000)};
  return kTexts;
}

api::Task task_with_long_name() {
  api::Task task;
  task.meta.name = std::string(253, 'n');
  task.meta.uid = "0123";
  task.status.assignment.id = "0123-2147483647-0123456789abcdef";
  return task;
}

std::vector<std::string> problems_of(const Outcome& outcome) {
  static const fakes::CrdSchema kSchema("tasks");
  const api::Task task = task_with_long_name();
  return kSchema.problems(
      {{"spec", {{"type", "x"}}}, {"status", {{"report", make_report(task, outcome, kNow)}}}});
}

std::vector<std::string> problems_of(const api::TaskDispatch& dispatch) {
  static const fakes::CrdSchema kSchema("tasks");
  return kSchema.problems(
      {{"spec", {{"type", "x"}}}, {"status", {{"dispatch", api::dispatch_to_json(dispatch)}}}});
}

TEST(DispatchSchema, TextsInTheAnswerOfAService) {
  for (const std::string& text : hostile_texts()) {
    const Json error = {{"code", text}, {"message", text}, {"retryable", text}};
    for (const Json& body :
         {Json{{"state", "Rejected"}, {"message", text}}, Json{{"error", error}}, Json{{"error", text}},
          Json{{"outputs", {{text, text}}}, {"message", text}}, Json{{"state", text}}, Json(text)}) {
      for (const int status : {200, 202, 307, 422, 503}) {
        for (const Question question : {Question::Post, Question::Poll}) {
          EXPECT_THAT(problems_of(read_answer(question, {status, {}, dump_json(body)}).outcome), IsEmpty());
        }
      }
    }
  }
}

TEST(DispatchSchema, NumbersInTheAnswerOfAService) {
  for (const char* number : {"-1", "1e300", "-1e300", "1e999", "99999999999999999999999", "0.5", "100.9",
                             "NaN", "-9223372036854775809", "null", "\"50\"", "[1]"}) {
    const std::string body = std::string(R"({"state": "Running", "progress": )") + number + "}";
    EXPECT_THAT(problems_of(read_answer(Question::Poll, {200, {}, body}).outcome), IsEmpty()) << number;
  }
}

TEST(DispatchSchema, ALocation) {
  for (const std::string& text : hostile_texts()) {
    for (const std::string& location : {text, "/" + text, "http://svc/" + text, "//svc/" + text}) {
      const auto resolved = resolve_location("http://svc/tasks", location);
      api::TaskDispatch dispatch;
      dispatch.location = resolved ? *resolved : "";
      EXPECT_THAT(problems_of(dispatch), IsEmpty());
      const std::string why = resolved ? "" : resolved.error().message;
      EXPECT_THAT(problems_of(failure("X", why, true)), IsEmpty());
    }
  }
}

TEST(DispatchSchema, TheEndOfAContainer) {
  for (const std::string& text : hostile_texts()) {
    for (const std::int64_t exit_code : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 40}) {
      const Json state = {{"terminated", {{"exitCode", exit_code}, {"message", text}, {"reason", text}}}};
      for (const std::string& pod_reason : {std::string(), text}) {
        const Json pod = {{"spec", {{"containers", {{{"name", "main"}}}}}},
                          {"status",
                           {{"reason", pod_reason},
                            {"message", text},
                            {"containerStatuses", {{{"name", "main"}, {"state", state}}}}}}};
        for (const char* how : {"Complete", "Failed"}) {
          Job job;
          job.finished = how;
          job.reason = job.message = text;
          EXPECT_THAT(problems_of(outcome_of(job, pod, "")), IsEmpty());
          EXPECT_THAT(problems_of(outcome_of(job, Json(), "")), IsEmpty());
        }
        Outcome waiting;
        waiting.message = waits_for(pod);
        EXPECT_THAT(problems_of(waiting), IsEmpty());
      }
    }
  }
}

TEST(DispatchSchema, TheNameOfAJob) {
  api::TaskDispatch dispatch;
  dispatch.job_name = job_name(task_with_long_name());
  EXPECT_LE(dispatch.job_name.size(), 63U);
  EXPECT_THAT(problems_of(dispatch), IsEmpty());
}

}  // namespace
}  // namespace convoke::dispatch
