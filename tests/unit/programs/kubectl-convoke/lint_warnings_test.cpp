#include "programs/kubectl-convoke/lint_warnings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/programs/kubectl-convoke/lint_texts.h"

namespace convoke::plugin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using texts::lint;
using texts::object;
using texts::workflow;

TEST(LintWarnings, ARunHasTheTimeOfItsApprovalsAndWaitsToo) {
  EXPECT_THAT(
      lint(workflow("  - {name: a, approval: {timeout: 24h}}\n  - {name: b, wait: {duration: 5h}}\n")),
      IsEmpty());
  EXPECT_THAT(lint(object("Workflow", "{name: w}",
                          "{triggers: [], timeout: 2h, steps: [{name: a, approval: {timeout: 24h}}]}")),
              ElementsAre(HasSubstr("warning spec.steps[a].approval.timeout: the whole run ends after 2h")));
}

TEST(LintWarnings, SubtasksAreTasksToo) {
  const auto task = [](const std::string& subtask) {
    return object("Task", "{name: t}", "{type: x, subtasks: [{name: s, task: {type: w, " + subtask + "}}]}");
  };
  EXPECT_THAT(lint(task("delivery: AtMostOnce, retry: {limit: 2}")),
              ElementsAre(HasSubstr("warning spec.subtasks[s].task.retry: with delivery AtMostOnce")));
  EXPECT_THAT(lint(object("Agent", "{name: a}", "{type: x, capabilities: [x, z]}") + "---\n" + task("")),
              ElementsAre(HasSubstr("warning spec.subtasks[s].task.type: no Agent of these files")));
}

TEST(LintWarnings, AnAttemptOfAStepTakesWhatTheStepSays) {
  EXPECT_THAT(lint(workflow("  - {name: a, timeout: 5m, task: {type: t, deadline: 30m}}\n")), IsEmpty());
  EXPECT_THAT(
      lint(workflow("  - {name: a, timeout: 40m, task: {type: t, deadline: 30m}}\n")),
      ElementsAre(HasSubstr("warning spec.steps[a].task.deadline: the whole task has less time (30m)")));
}

TEST(LintWarnings, AgentsOfAnotherNamespaceAreNotBeside) {
  EXPECT_THAT(lint(object("Agent", "{name: a, namespace: b}", "{type: x, capabilities: [x]}") + "---\n" +
                   object("Task", "{name: t, namespace: c}", "{type: w}")),
              IsEmpty());
}

}  // namespace
}  // namespace convoke::plugin
