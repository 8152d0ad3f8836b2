#include "controller/kube/client_metrics.h"

#include <optional>
#include <sstream>

#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace convoke::kube {
namespace {

using namespace std::chrono_literals;

// The value of the line that starts with `name`, if there is one.
std::optional<double> value_of(const prometheus::Registry& registry, const std::string& name) {
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, registry.Collect());
  std::istringstream lines(text.str());
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(name + " ", 0) == 0) return std::stod(line.substr(name.size()));
  }
  return std::nullopt;
}

TEST(ClientMetrics, CountersExistAtZeroBeforeTheFirstRequest) {
  prometheus::Registry registry;
  const ClientMetrics metrics(registry, "h:1");
  EXPECT_EQ(value_of(registry, R"(rest_client_requests_total{code="409",host="h:1",method="PUT"})"), 0.0);
  EXPECT_EQ(value_of(registry, R"(rest_client_requests_total{code="<error>",host="h:1",method="GET"})"), 0.0);
  EXPECT_EQ(value_of(registry, R"(rest_client_request_duration_seconds_count{host="h:1",verb="PATCH"})"),
            0.0);
}

TEST(ClientMetrics, CountsEveryRequestOnce) {
  prometheus::Registry registry;
  ClientMetrics metrics(registry, "h:1");
  metrics.observe("GET", "200", 20ms);
  metrics.observe("GET", "200", 3s);
  metrics.observe("GET", "418", 1s);
  EXPECT_EQ(value_of(registry, R"(rest_client_requests_total{code="200",host="h:1",method="GET"})"), 2.0);
  EXPECT_EQ(value_of(registry, R"(rest_client_requests_total{code="418",host="h:1",method="GET"})"), 1.0);
  EXPECT_EQ(value_of(registry, R"(rest_client_request_duration_seconds_count{host="h:1",verb="GET"})"), 3.0);
  EXPECT_EQ(
      value_of(registry, R"(rest_client_request_duration_seconds_bucket{host="h:1",verb="GET",le="0.025"})"),
      1.0);
}

TEST(ClientMetrics, OnlyWhatTheServerThrottledCountsAsThrottled) {
  prometheus::Registry registry;
  ClientMetrics metrics(registry, "h:1");
  EXPECT_EQ(value_of(registry, R"(rest_client_request_retries_total{code="429",host="h:1",verb="PUT"})"),
            0.0);
  EXPECT_EQ(value_of(registry, R"(convoke_api_throttle_wait_seconds_total{host="h:1"})"), 0.0);
  metrics.retried("PUT", "429", 2s);
  metrics.retried("GET", "<error>", 7s);
  EXPECT_EQ(value_of(registry, R"(rest_client_request_retries_total{code="429",host="h:1",verb="PUT"})"),
            1.0);
  EXPECT_EQ(value_of(registry, R"(rest_client_request_retries_total{code="<error>",host="h:1",verb="GET"})"),
            1.0);
  EXPECT_EQ(value_of(registry, R"(convoke_api_throttle_wait_seconds_total{host="h:1"})"), 2.0);
}

}  // namespace
}  // namespace convoke::kube
