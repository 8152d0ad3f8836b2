#include "controller/kube/exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"

namespace convoke::kube {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class ExchangeTest : public testing::Test {
 protected:
  pplx::task<std::size_t> put(Exchange& exchange, const std::string& text) {
    return exchange.put(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  }

  fakes::FakeClock clock;
  Exchange stream{clock, BodyPolicy::HoldBackBeyondLimit, 10};
  Exchange unary{clock, BodyPolicy::RefuseBeyondLimit, 10};
};

TEST_F(ExchangeTest, WithoutAnAnswerTheDeadlineEndsItAndCancelsTheRequest) {
  const auto headers = unary.wait_for_headers(clock.monotonic_now() + 3s);
  ASSERT_FALSE(headers);
  EXPECT_EQ(headers.error().code, ErrorCode::Timeout);
  EXPECT_THAT(headers.error().message, HasSubstr("within 3s"));
  EXPECT_TRUE(unary.token().is_canceled());
}

TEST_F(ExchangeTest, ABodyThatDoesNotEndRunsIntoTheDeadlineToo) {
  unary.on_headers(200, {});
  put(unary, "abc");
  EXPECT_EQ(unary.wait_for_body(clock.monotonic_now() + 3s).error().code, ErrorCode::Timeout);
  EXPECT_TRUE(unary.token().is_canceled());
}

TEST_F(ExchangeTest, AFailureReachesTheOneWhoWaits) {
  unary.on_failure({ErrorCode::Unavailable, "gone"});
  EXPECT_EQ(unary.wait_for_headers(clock.monotonic_now() + 3s).error().message, "gone");
  EXPECT_EQ(unary.read().error().message, "gone");
}

TEST_F(ExchangeTest, AnAnswerBeyondTheLimitIsRefused) {
  unary.on_headers(200, {});
  EXPECT_TRUE(put(unary, "0123456789a").is_done());
  const auto body = unary.wait_for_body(clock.monotonic_now() + 3s);
  ASSERT_FALSE(body);
  EXPECT_THAT(body.error().message, HasSubstr("larger than 10 bytes"));
  EXPECT_TRUE(unary.token().is_canceled());
}

TEST_F(ExchangeTest, AStreamHoldsItsSenderBackUntilItIsRead) {
  stream.on_headers(200, {});
  EXPECT_TRUE(put(stream, "0123456789").is_done());
  const auto beyond = put(stream, "abc");
  EXPECT_FALSE(beyond.is_done());
  EXPECT_EQ(*stream.read(), "0123456789abc");
  EXPECT_EQ(beyond.get(), 3U);
  EXPECT_TRUE(put(stream, "d").is_done());
}

TEST_F(ExchangeTest, CancelFreesTheSenderAndDropsWhatNobodyWillRead) {
  stream.on_headers(200, {});
  const auto beyond = put(stream, "0123456789abc");
  stream.cancel();
  EXPECT_EQ(beyond.get(), 13U);
  EXPECT_EQ(stream.read().error().code, ErrorCode::Cancelled);
  EXPECT_TRUE(put(stream, "late").is_done());
  EXPECT_EQ(stream.read().error().code, ErrorCode::Cancelled);
}

TEST_F(ExchangeTest, CancelWakesAReader) {
  stream.on_headers(200, {});
  std::optional<ErrorCode> outcome;
  const auto reader = clock.start_thread("reader", [&] { outcome = stream.read().error().code; });
  clock.settle();
  EXPECT_EQ(outcome, std::nullopt);
  stream.cancel();
  reader->join();
  EXPECT_EQ(outcome, ErrorCode::Cancelled);
}

TEST_F(ExchangeTest, WhatCameBeforeTheConnectionBrokeIsReadFirst) {
  stream.on_headers(200, {});
  put(stream, "abc");
  stream.on_failure({ErrorCode::Unavailable, "broken"});
  EXPECT_EQ(*stream.read(), "abc");
  EXPECT_EQ(stream.read().error().message, "broken");
}

TEST_F(ExchangeTest, HeadersCountEvenIfTheConnectionBrokeRightAfterThem) {
  stream.on_headers(200, {});
  stream.on_failure({ErrorCode::Unavailable, "broken"});
  EXPECT_TRUE(stream.wait_for_headers(clock.monotonic_now() + 3s));
  EXPECT_FALSE(stream.wait_for_body(clock.monotonic_now() + 3s));
}

TEST_F(ExchangeTest, ARegularEndIsAnEmptyRead) {
  stream.on_headers(200, {});
  put(stream, "abc");
  stream.on_end();
  EXPECT_EQ(*stream.read(), "abc");
  EXPECT_EQ(*stream.read(), "");
  EXPECT_EQ(*stream.read(), "");
}

TEST_F(ExchangeTest, BytesMayComeBeforeTheHeaders) {
  put(unary, "abc");
  unary.on_headers(401, {{"retry-after", "1"}});
  unary.on_end();
  EXPECT_TRUE(unary.wait_for_headers(clock.monotonic_now() + 3s));
  EXPECT_TRUE(unary.wait_for_body(clock.monotonic_now() + 3s));
  EXPECT_EQ(unary.status(), 401);
  EXPECT_EQ(unary.headers().at("retry-after"), "1");
  EXPECT_EQ(unary.take_body(), "abc");
}

TEST(RequestStream, CannotBeRewoundSoThatAWriteIsNeverSentTwice) {
  auto stream = make_request_stream("hello");
  EXPECT_FALSE(stream.can_seek());
  std::vector<std::uint8_t> bytes(8);
  EXPECT_EQ(stream.streambuf().getn(bytes.data(), 3).get(), 3U);
  EXPECT_EQ(stream.streambuf().getn(bytes.data() + 3, 5).get(), 2U);
  EXPECT_EQ(std::string(bytes.begin(), bytes.begin() + 5), "hello");
  EXPECT_EQ(stream.streambuf().getn(bytes.data(), 8).get(), 0U);
}

}  // namespace
}  // namespace convoke::kube
