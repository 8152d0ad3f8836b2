#include "controller/serve/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include "controller/serve/process_metrics.h"

namespace convoke::serve {
namespace {

using testing::HasSubstr;

TEST(Routes, UnknownPathIsNotFoundAndSaysWhatThereIs) {
  const Health health;
  const auto answer = make_routes(health, {})({"GET", "/debug", ""});
  EXPECT_EQ(answer.status, 404);
  EXPECT_THAT(answer.body, HasSubstr("/metrics"));
}

TEST(Routes, HealthIsServed) {
  const Health health;
  EXPECT_EQ(make_routes(health, {})({"GET", "/healthz", ""}).body, "ok");
}

TEST(Routes, MetricsOfAllSourcesAreServedTogether) {
  auto registry = std::make_shared<prometheus::Registry>();
  prometheus::BuildCounter()
      .Name("convoke_things_total")
      .Help("Things.")
      .Register(*registry)
      .Add({})
      .Increment(3);
  const Health health;
  const auto answer =
      make_routes(health, {registry, std::make_shared<ProcessMetrics>()})({"GET", "/metrics", ""});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(answer.body, HasSubstr("# TYPE convoke_things_total counter\nconvoke_things_total 3\n"));
  EXPECT_THAT(answer.body, HasSubstr("process_open_fds "));
}

}  // namespace
}  // namespace convoke::serve
