#include "reconcilers/dispatch/http_answer.h"

#include <gtest/gtest.h>

namespace convoke::dispatch {
namespace {

using api::ReportState;
using AnswerKind = Answer::Kind;

Answer post(int status, const std::string& body = {}, std::map<std::string, std::string> headers = {}) {
  return read_answer(Question::Post, {status, std::move(headers), body});
}
Answer poll(int status, const std::string& body = {}) {
  return read_answer(Question::Poll, {status, {}, body});
}

TEST(HttpAnswer, OutputsAreTheResult) {
  const Answer answer = post(200, R"({"outputs": {"a": 1}, "message": "fine"})");
  EXPECT_EQ(answer.kind, AnswerKind::Final);
  EXPECT_EQ(answer.outcome.state, ReportState::Succeeded);
  EXPECT_EQ(answer.outcome.outputs, R"({"a":1})");
  EXPECT_EQ(answer.outcome.message, "fine");
}

TEST(HttpAnswer, NothingAtAllIsSuccess) {
  EXPECT_EQ(post(204).outcome.state, ReportState::Succeeded);
  EXPECT_EQ(post(200, " \n").outcome.state, ReportState::Succeeded);
}

TEST(HttpAnswer, AnErrorSaysWhetherToTryAgain) {
  const Answer answer = post(200, R"({"error": {"code": "X", "message": "m", "retryable": false}})");
  EXPECT_EQ(answer.outcome, (Outcome{ReportState::Failed, 0, "", "", "X", "m", false}));
  EXPECT_TRUE(post(200, R"({"error": "m"})").outcome.error_retryable);
}

TEST(HttpAnswer, ARejectionIsOne) {
  const Answer answer = post(200, R"({"state": "Rejected", "message": "too big"})");
  EXPECT_EQ(answer.kind, AnswerKind::Final);
  EXPECT_EQ(answer.outcome.state, ReportState::Rejected);
}

TEST(HttpAnswer, WhatMakesNoSenseIsAFailure) {
  for (const char* body : {"{", "[]", "3", "null", R"({"outputs": []})", R"({"state": "Perhaps"})",
                           R"({"state": "Running"})", "\xff", R"({"outputs": {"a": 1e999}})"}) {
    const Answer answer = post(200, body);
    EXPECT_EQ(answer.kind, AnswerKind::Final) << body;
    EXPECT_EQ(answer.outcome.error_code, "InvalidAnswer") << body;
  }
}

TEST(HttpAnswer, AcceptedWorkHasALocationOrNone) {
  EXPECT_EQ(post(202).kind, AnswerKind::Accepted);
  EXPECT_EQ(post(202, "", {{"location", "/x"}}).location, "/x");
  EXPECT_EQ(post(202, R"({"progress": 250.5, "message": 7})").outcome.progress, 100);
}

TEST(HttpAnswer, APollSaysHowFarItIs) {
  const Answer answer = poll(200, R"({"state": "Running", "progress": 30})");
  EXPECT_EQ(answer.kind, AnswerKind::Running);
  EXPECT_EQ(answer.outcome.progress, 30);
  EXPECT_EQ(poll(202).kind, AnswerKind::Running);
  EXPECT_EQ(poll(404).outcome.error_code, "HTTP404");
}

TEST(HttpAnswer, WhatPassesIsTriedAgain) {
  for (const int status : {408, 425, 429, 500, 502, 503, 599})
    EXPECT_EQ(post(status).kind, AnswerKind::TryAgain);
  EXPECT_EQ(post(429, "", {{"retry-after", "7"}}).retry_after, std::chrono::seconds(7));
  for (const char* odd : {"-1", "soon", "99999999999999999999", ""}) {
    EXPECT_FALSE(post(429, "", {{"retry-after", odd}}).retry_after) << odd;
  }
  EXPECT_TRUE(post(429).not_carried_out);
  EXPECT_FALSE(post(500).not_carried_out);
}

TEST(HttpAnswer, APollThatMayNotAskKnowsNothing) {
  for (const int status : {301, 307, 401, 403}) EXPECT_EQ(poll(status).kind, AnswerKind::TryAgain) << status;
}

TEST(HttpAnswer, OnlyWhatTheServiceSaysItselfIsNotOurVerdict) {
  EXPECT_TRUE(poll(404).is_our_verdict);
  EXPECT_TRUE(poll(200, "[]").is_our_verdict);
  EXPECT_TRUE(post(200, R"({"state": "Running"})").is_our_verdict);
  EXPECT_FALSE(poll(200, R"({"error": "m"})").is_our_verdict);
  EXPECT_FALSE(post(422).is_our_verdict);
}

TEST(HttpAnswer, ARefusalIsFinal) {
  for (const int status : {300, 301, 307, 400, 401, 403, 404, 409, 422}) {
    const Answer answer = post(status);
    EXPECT_EQ(answer.kind, AnswerKind::Final) << status;
    EXPECT_EQ(answer.outcome.error_code, "HTTP" + std::to_string(status));
    EXPECT_FALSE(answer.outcome.error_retryable);
  }
  EXPECT_EQ(post(422, R"({"error": {"message": "no"}})").outcome.error_message, "no");
}

TEST(HttpAnswer, LongTextsAreCut) {
  const Answer answer = post(200, R"({"message": ")" + std::string(5000, 'x') + "\"}");
  EXPECT_EQ(answer.outcome.message.size(), 1024U);
}

TEST(Location, IsResolvedAgainstTheUrl) {
  const std::string url = "https://h.example/a/tasks";
  EXPECT_EQ(*resolve_location(url, "/s/1?x=2"), "https://h.example:443/s/1?x=2");
  EXPECT_EQ(*resolve_location(url, "s/1"), "https://h.example:443/a/s/1");
  EXPECT_EQ(*resolve_location(url, "https://H.EXAMPLE:443/s"), "https://H.EXAMPLE:443/s");
  EXPECT_EQ(*resolve_location(url, "//h.example/s"), "https://h.example/s");
  EXPECT_EQ(*resolve_location("http://h", "s"), "http://h:80/s");
}

TEST(Location, OfAnotherOriginIsRefused) {
  const std::string url = "https://h.example/a/tasks";
  for (const std::string bad :
       {"http://h.example/s", "https://h.example:444/s", "https://evil.example/", "//evil.example/s",
        "https://h.example@evil.example/", "https://h.example.evil.example/", "ftp://h.example/", "s\r\nX: y",
        "/a b", "/a#b", "https:///x", "http://[::1]:/"}) {
    EXPECT_FALSE(resolve_location(url, bad)) << bad;
  }
  // What looks odd and is a path stays one.
  EXPECT_EQ(*resolve_location(url, "\\\\evil"), "https://h.example:443/a/\\\\evil");
  EXPECT_FALSE(resolve_location(url, "/" + std::string(3000, 'x')));
}

}  // namespace
}  // namespace convoke::dispatch
