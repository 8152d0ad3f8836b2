#include "programs/kubectl-convoke/operator_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::plugin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kSteps = R"("steps": [{"name": "a", "task": {"type": "t"}}])";
const std::string kWrongTrigger = R"("triggers": [{"type": "Schedule", "schedule": {"cron": "61 * * * *"}}])";

OperatorCheck check(const std::string& spec, Triggers triggers = Triggers::Checked) {
  return check_as_operator(Json::parse("{" + spec + "}"), "spec", triggers);
}

TEST(OperatorCheck, AGoodDefinitionIsThereToBeUsed) {
  const auto checked = check(kSteps);
  EXPECT_NE(checked.definition, nullptr);
  EXPECT_THAT(checked.problems, IsEmpty());
}

TEST(OperatorCheck, TriggersAreChecked) {
  EXPECT_THAT(check(kSteps + "," + kWrongTrigger).problems,
              ElementsAre(HasSubstr("spec.triggers[0].schedule.cron: minute")));
  EXPECT_THAT(check(kSteps + "," + kWrongTrigger, Triggers::Ignored).problems, IsEmpty());
}

TEST(OperatorCheck, OneProblemDoesNotHideAnother) {
  EXPECT_THAT(check(R"("timeout": "1d", "steps": [{"name": "a", "dependsOn": ["b"], "task":)"
                    R"( {"type": "t", "requires": {"rule": "agent >"}}}],)" +
                    kWrongTrigger)
                  .problems,
              ElementsAre(HasSubstr("spec.timeout"), HasSubstr("spec.steps[a].dependsOn"),
                          HasSubstr("spec.triggers[0]"), HasSubstr("spec.steps[a].task.requires.rule")));
}

TEST(OperatorCheck, WhatCouldNotBeReadIsNotCheckedFurther) {
  const auto checked = check(R"("mode": "Statemachine", "steps": [{"name": "a", "task": {"type": "t"},)"
                             R"( "transitions": [{"to": "a"}]}])");
  EXPECT_EQ(checked.definition, nullptr);
  EXPECT_THAT(checked.problems, ElementsAre(HasSubstr("spec.mode")));
}

}  // namespace
}  // namespace convoke::plugin
