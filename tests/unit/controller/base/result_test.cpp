#include "controller/base/result.h"

#include <gtest/gtest.h>

namespace convoke {
namespace {

Result<int> half_of(int number) {
  if (number % 2 != 0) {
    return {ErrorCode::Invalid, std::to_string(number) + " is odd"};
  }
  return number / 2;
}

TEST(Result, CarriesTheErrorOfAFailure) {
  const auto result = half_of(3);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Invalid);
  EXPECT_EQ(result.error().describe(), "Invalid: 3 is odd");
}

TEST(Result, CarriesTheValueOfASuccess) {
  const auto result = half_of(4);
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, 2);
}

TEST(Result, StatusIsASuccessByDefault) {
  EXPECT_TRUE(Status());
  EXPECT_FALSE(Status(ErrorCode::Internal, "broken"));
}

TEST(Error, DescribesItselfWithoutAMessage) {
  EXPECT_EQ((Error{ErrorCode::Timeout, ""}.describe()), "Timeout");
}

TEST(Error, ContextComesBeforeTheMessageAndKeepsTheRest) {
  const Error error{ErrorCode::Conflict, "the object has been modified", "Conflict", 409};
  const Error wrapped = error.with_context("updating Task ns/a");
  EXPECT_EQ(wrapped.message, "updating Task ns/a: the object has been modified");
  EXPECT_EQ(wrapped.code, ErrorCode::Conflict);
  EXPECT_EQ(wrapped.reason, "Conflict");
  EXPECT_EQ(wrapped.http_status, 409);
}

TEST(Error, OnlyFailuresThatPassByThemselvesAreTransient) {
  for (const auto code : {ErrorCode::Throttled, ErrorCode::Unavailable, ErrorCode::Timeout}) {
    EXPECT_TRUE((Error{code, ""}.is_transient())) << to_string(code);
  }
  for (const auto code : {ErrorCode::NotFound, ErrorCode::AlreadyExists, ErrorCode::Conflict,
                          ErrorCode::Expired, ErrorCode::Unauthorized, ErrorCode::Forbidden,
                          ErrorCode::Invalid, ErrorCode::Cancelled, ErrorCode::Internal}) {
    EXPECT_FALSE((Error{code, ""}.is_transient())) << to_string(code);
  }
}

}  // namespace
}  // namespace convoke
