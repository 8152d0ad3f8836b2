#include "reconcilers/task/rule_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/task/demand.h"
#include "reconcilers/task/rule_view.h"
#include "tests/unit/reconcilers/task/builders.h"

namespace convoke::task {
namespace {

using namespace testing;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const AssignmentRule kSameZone{"same-zone",
                               {},
                               "agent.metadata.labels['zone'] == task.spec.parameters.zone",
                               "must be in the task's zone"};

api::Agent agent_in(const std::string& zone) {
  api::Agent agent = make_agent("a");
  agent.meta.labels = {{"zone", zone}};
  return agent;
}

api::Task task_in(const std::string& zone, const std::string& name = "build") {
  api::Task task = make_task(name);
  task.spec.parameters = R"({"zone":")" + zone + R"(","file":")" + name + R"("})";
  return task;
}

class RuleBookTest : public ::testing::Test {
 protected:
  Requirement required(const api::Task& task) {
    Requirement requirement = demand_of(task, kNow).requirement;
    book.add_rules(task, requirement);
    return requirement;
  }
  std::string objection(const api::Task& task, const api::Agent& agent) {
    const auto rules = required(task).rules;
    return rules == nullptr ? "" : rules->objection(agent_view(agent));
  }
  RuleBook book;
};

TEST_F(RuleBookTest, WithoutRulesThereIsNothingToCheck) {
  EXPECT_EQ(required(make_task()).rules, nullptr);
}

TEST_F(RuleBookTest, ARefusalNamesTheRuleAndItsMessage) {
  book.set({kSameZone});
  EXPECT_EQ(objection(task_in("z1"), agent_in("z1")), "");
  EXPECT_EQ(objection(task_in("z1"), agent_in("z2")), "rule same-zone: must be in the task's zone");
  book.set({{"never", {}, "false", ""}});
  EXPECT_EQ(objection(task_in("z1"), agent_in("z1")), "rule never does not hold");
}

TEST_F(RuleBookTest, ATasksOwnRuleIsCheckedToo) {
  api::Task task = task_in("z1");
  task.spec.requires_.rule = "agent.spec.capacity > 20";
  EXPECT_EQ(objection(task, agent_in("z1")), "requires.rule does not hold");
  task.spec.requires_.rule = "agent.spec.capacity > 5";
  EXPECT_EQ(objection(task, agent_in("z1")), "");
  book.set({kSameZone});
  EXPECT_THAT(objection(task, agent_in("z2")), StartsWith("rule same-zone"));
}

TEST_F(RuleBookTest, ARuleThatFailsRefusesThatAgentAndSaysWhy) {
  book.set({kSameZone});
  EXPECT_THAT(objection(task_in("z1"), make_agent("a")),
              StartsWith("rule same-zone cannot be evaluated: line 1, column "));
  EXPECT_THAT(objection(task_in("z1"), make_agent("a")), HasSubstr("zone"));
  book.set({{"number", {}, "agent.spec.capacity", ""}});
  EXPECT_THAT(objection(task_in("z1"), agent_in("z1")), StartsWith("rule number cannot be evaluated: "));
}

TEST_F(RuleBookTest, ARuleThatIsTooExpensiveRefuses) {
  std::string list = "[0";
  for (int i = 1; i < 100; ++i) {
    list += "," + std::to_string(i);
  }
  list += "]";
  book.set({{"slow", {}, list + ".all(x, " + list + ".all(y, x + y >= 0))", ""}});
  EXPECT_THAT(objection(task_in("z1"), agent_in("z1")), StartsWith("rule slow cannot be evaluated: "));
}

TEST_F(RuleBookTest, RulesApplyInTheirNamespacesOnly) {
  AssignmentRule rule{"never", {"team-a"}, "false", ""};
  book.set({rule});
  EXPECT_EQ(objection(task_in("z1"), agent_in("z1")), "");
  rule.namespaces.emplace_back("default");
  book.set({rule});
  EXPECT_EQ(objection(task_in("z1"), agent_in("z1")), "rule never does not hold");
}

TEST_F(RuleBookTest, TasksThatAreAlikeToTheRulesHaveTheSameKey) {
  book.set({kSameZone});
  EXPECT_EQ(required(task_in("z1", "t1")).key(), required(task_in("z1", "t2")).key());
  EXPECT_NE(required(task_in("z1", "t1")).key(), required(task_in("z2", "t1")).key());
  api::Task own = task_in("z1", "t1");
  own.spec.requires_.rule = "true";
  EXPECT_NE(required(own).key(), required(task_in("z1", "t1")).key());
}

TEST_F(RuleBookTest, OnlyOtherRulesAreANewRevision) {
  EXPECT_TRUE(book.set({kSameZone}));
  const std::string before = required(task_in("z1")).key();
  EXPECT_FALSE(book.set({kSameZone}));
  EXPECT_EQ(required(task_in("z1")).key(), before);
  EXPECT_TRUE(book.set({}));
  EXPECT_NE(required(task_in("z1")).key(), before);
}

TEST_F(RuleBookTest, ARuleThatDoesNotCompileRefusesEverybody) {
  book.set({{"broken", {}, "1 +", ""}});
  EXPECT_THAT(objection(task_in("z1"), agent_in("z1")), StartsWith("rule broken does not compile: line 1"));
}

}  // namespace
}  // namespace convoke::task
