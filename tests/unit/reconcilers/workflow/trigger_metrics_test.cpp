#include "reconcilers/workflow/trigger_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace convoke::workflow {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class TriggerMetricsTest : public ::testing::Test {
 protected:
  std::string text() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }
  static std::string series(const std::string& type, const std::string& result, int value) {
    return "convoke_trigger_firings_total{result=\"" + result + "\",type=\"" + type + "\"} " +
           std::to_string(value) + "\n";
  }
  static api::WorkflowStatus with_row(const std::string& type, const std::string& last_run) {
    api::WorkflowStatus status;
    status.created_run = "flow-1";
    status.triggers.resize(1);
    status.triggers[0].name = "mine";
    status.triggers[0].type = type;
    status.triggers[0].last_run = last_run;
    return status;
  }

  prometheus::Registry registry_;
  TriggerMetrics metrics_{registry_};
};

TEST_F(TriggerMetricsTest, EverySeriesThatCanBeExistsAtZero) {
  for (const char* type : {"Create", "Change", "Schedule", "Event"}) {
    EXPECT_THAT(text(), HasSubstr(series(type, "Started", 0)));
    EXPECT_THAT(text(), HasSubstr(series(type, "Refused", 0)));
  }
  EXPECT_THAT(text(), HasSubstr(series("Schedule", "Missed", 0)));
  EXPECT_THAT(text(), HasSubstr(series("Schedule", "Skipped", 0)));
  EXPECT_THAT(text(), Not(HasSubstr("result=\"Missed\",type=\"Event\"")));
}

TEST_F(TriggerMetricsTest, WhatAStatusSaysAnewIsCountedOnce) {
  api::WorkflowStatus created;
  created.created_run = "flow-1";
  metrics_.status_written({}, created);
  auto first = with_row("Schedule", "flow-100");
  first.triggers[0].missed = 2;
  metrics_.status_written(created, first);
  metrics_.status_written(first, first);
  auto second = first;
  second.triggers[0].missed = 5;
  second.triggers[0].skipped = 1;
  metrics_.status_written(first, second);
  EXPECT_THAT(text(), HasSubstr(series("Create", "Started", 1)));
  EXPECT_THAT(text(), HasSubstr(series("Schedule", "Started", 1)));
  EXPECT_THAT(text(), HasSubstr(series("Schedule", "Missed", 5)));
  EXPECT_THAT(text(), HasSubstr(series("Schedule", "Skipped", 1)));
  metrics_.status_written(second, with_row("Change", "flow-rev2"));
  EXPECT_THAT(text(), HasSubstr(series("Change", "Started", 1)));
}

TEST_F(TriggerMetricsTest, WhoeverCountsInTheSameRegistryCountsInTheSameSeries) {
  TriggerMetrics other(registry_);
  metrics_.started(api::TriggerType::Event);
  other.started(api::TriggerType::Event);
  other.refused(api::TriggerType::Event);
  EXPECT_THAT(text(), HasSubstr(series("Event", "Started", 2)));
  EXPECT_THAT(text(), HasSubstr(series("Event", "Refused", 1)));
}

}  // namespace
}  // namespace convoke::workflow
