#include "controller/kube/errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::kube {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

HttpResponse answer(int status, const std::string& body, std::map<std::string, std::string> headers = {}) {
  return {status, std::move(headers), body};
}

std::string body_with_reason(const std::string& reason, int code) {
  return dump_json(
      {{"kind", "Status"}, {"apiVersion", "v1"}, {"message", "why"}, {"reason", reason}, {"code", code}});
}

TEST(ErrorFromResponse, APageOfAProxyIsQuotedInPart) {
  const auto error =
      error_from_response(answer(502, "<html>bad gateway</html>" + std::string(10'000, 'x') + "\n"));
  EXPECT_EQ(error.code, ErrorCode::Unavailable);
  EXPECT_EQ(error.http_status, 502);
  EXPECT_THAT(error.message, HasSubstr("502: <html>bad gateway"));
  EXPECT_LT(error.message.size(), 400U);
}

TEST(ErrorFromResponse, AnythingElseThanAStatusIsReadByItsNumber) {
  EXPECT_EQ(error_from_response(answer(404, "{}")).code, ErrorCode::NotFound);
  EXPECT_EQ(error_from_response(answer(401, "")).code, ErrorCode::Unauthorized);
  EXPECT_EQ(error_from_response(answer(410, "[]")).code, ErrorCode::Expired);
  EXPECT_EQ(error_from_response(answer(418, "")).code, ErrorCode::Invalid);
  EXPECT_EQ(error_from_response(answer(307, "")).code, ErrorCode::Internal);
}

TEST(ErrorFromResponse, TheReasonTellsApartWhatSharesANumber) {
  const std::vector<std::tuple<std::string, int, ErrorCode>> table{
      {"AlreadyExists", 409, ErrorCode::AlreadyExists},
      {"Conflict", 409, ErrorCode::Conflict},
      {"Expired", 410, ErrorCode::Expired},
      {"Gone", 410, ErrorCode::Expired},
      {"NotFound", 404, ErrorCode::NotFound},
      {"Forbidden", 403, ErrorCode::Forbidden},
      {"Invalid", 422, ErrorCode::Invalid},
      {"BadRequest", 400, ErrorCode::Invalid},
      {"TooManyRequests", 429, ErrorCode::Throttled},
      {"ServerTimeout", 500, ErrorCode::Unavailable},
      {"InternalError", 500, ErrorCode::Unavailable},
      {"Timeout", 504, ErrorCode::Unavailable},
      {"Unauthorized", 401, ErrorCode::Unauthorized},
      {"SomethingNew", 503, ErrorCode::Unavailable},
  };
  for (const auto& [reason, status, code] : table) {
    const auto error = error_from_response(answer(status, body_with_reason(reason, status)));
    EXPECT_EQ(error.code, code) << reason;
    EXPECT_EQ(error.reason, reason);
    EXPECT_EQ(error.message, "why");
  }
}

TEST(ErrorFromResponse, TellsWhenToComeBack) {
  EXPECT_EQ(error_from_response(answer(429, "", {{"retry-after", "7"}})).retry_after, Duration(7s));
  EXPECT_EQ(error_from_response(answer(429, "", {{"retry-after", "soon"}})).retry_after, std::nullopt);
  const std::string body =
      R"({"kind":"Status","code":500,"reason":"ServerTimeout","details":{"retryAfterSeconds":2}})";
  EXPECT_EQ(error_from_response(answer(500, body)).retry_after, Duration(2s));
}

TEST(ErrorFromStatus, ReadsTheCauses) {
  const auto error =
      error_from_status(Json::parse(R"({"kind":"Status","code":422,"reason":"Invalid","message":"m",
      "details":{"causes":[{"field":"spec.priority","message":"too large","reason":"FieldValueInvalid"},7]}})"));
  ASSERT_EQ(error.causes.size(), 1U);
  EXPECT_EQ(error.causes[0].field, "spec.priority");
  EXPECT_EQ(error.causes[0].message, "too large");
}

TEST(ErrorFromStatus, SurvivesGarbage) {
  EXPECT_EQ(error_from_status(Json::parse("7")).code, ErrorCode::Internal);
  EXPECT_EQ(error_from_status(Json::parse(R"({"code":"x","reason":1,"details":[]})")).code,
            ErrorCode::Internal);
}

TEST(ErrorFromStatus, AnExpiredWatchIsExpired) {
  const auto error = error_from_status(
      Json::parse(R"({"kind":"Status","code":410,"reason":"Expired","message":"too old resource version"})"));
  EXPECT_EQ(error.code, ErrorCode::Expired);
}

}  // namespace
}  // namespace convoke::kube
