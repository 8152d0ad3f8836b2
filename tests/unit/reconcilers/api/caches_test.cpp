#include "reconcilers/api/caches.h"

#include <gtest/gtest.h>

#include "tests/unit/reconcilers/api/manifests.h"

namespace convoke::api {
namespace {

template <class T>
std::shared_ptr<const T> object_with(const std::string& name, const std::function<void(T&)>& change) {
  T object;
  object.meta.namespace_ = "team-a";
  object.meta.name = name;
  object.meta.uid = "uid-" + name;
  object.meta.resource_version = "1";
  change(object);
  return std::make_shared<const T>(std::move(object));
}

std::shared_ptr<const Task> task_on_agent(const std::string& name, TaskPhase phase,
                                          const std::string& agent) {
  return object_with<Task>(name, [&](Task& task) {
    task.status.phase = phase;
    task.status.agent_name = agent;
  });
}

std::shared_ptr<const Task> owned_task(const std::string& name, const kube::OwnerReference& owner) {
  return object_with<Task>(name, [&](Task& task) { task.meta.owner_references = {owner}; });
}

TEST(Caches, FindTheTasksThatAnAgentHasInHand) {
  Caches caches;
  caches.tasks.apply(task_on_agent("queued", TaskPhase::Queued, ""));
  caches.tasks.apply(task_on_agent("assigned", TaskPhase::Assigned, "builder-1"));
  caches.tasks.apply(task_on_agent("running", TaskPhase::Running, "builder-1"));
  caches.tasks.apply(task_on_agent("done", TaskPhase::Succeeded, "builder-1"));
  caches.tasks.apply(task_on_agent("other", TaskPhase::Running, "builder-2"));
  EXPECT_EQ(caches.tasks.count_by_index(index::kTasksByAgent, "team-a/builder-1"), 2U);
  EXPECT_EQ(caches.tasks.count_by_index(index::kTasksByAgent, "team-a/"), 0U);
  EXPECT_EQ(caches.tasks.count_by_index(index::kTasksByAgent, "team-b/builder-1"), 0U);
}

TEST(Caches, FindTheTasksThatARunControls) {
  Caches caches;
  caches.tasks.apply(owned_task("child", {"convoke.dev/v1alpha1", "WorkflowRun", "r", "uid-r", true, false}));
  caches.tasks.apply(
      owned_task("guest", {"convoke.dev/v1alpha1", "WorkflowRun", "r", "uid-r", false, false}));
  caches.tasks.apply(owned_task("alien", {"example.com/v1", "WorkflowRun", "r", "uid-r", true, false}));
  const auto children = caches.tasks.by_index(index::kTasksByRun, "uid-r");
  ASSERT_EQ(children.size(), 1U);
  EXPECT_EQ(children[0]->meta.name, "child");
}

TEST(Caches, FindTheSubtasksOfATask) {
  Caches caches;
  caches.tasks.apply(owned_task("part", {"convoke.dev/v1alpha1", "Task", "whole", "uid-w", true, false}));
  caches.tasks.apply(owned_task("step", {"convoke.dev/v1alpha1", "WorkflowRun", "r", "uid-w", true, false}));
  const auto parts = caches.tasks.by_index(index::kTasksByParent, "uid-w");
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_EQ(parts[0]->meta.name, "part");
}

TEST(Caches, FindTheTasksWithAnIdempotencyKey) {
  Caches caches;
  caches.tasks.apply(object_with<Task>("keyed", [](Task& task) { task.spec.idempotency_key = "k"; }));
  caches.tasks.apply(object_with<Task>("plain", [](Task&) {}));
  EXPECT_EQ(caches.tasks.count_by_index(index::kTasksByKey, "team-a/k"), 1U);
  EXPECT_EQ(caches.tasks.count_by_index(index::kTasksByKey, "team-a/"), 0U);
}

TEST(Caches, FindTheLiveTasksThatShouldGoToAnotherAgent) {
  Caches caches;
  const auto pinned = [](const std::string& name, const std::string& has, TaskPhase phase) {
    return object_with<Task>(name, [&](Task& task) {
      task.spec.agent_name = "builder-2";
      task.status.agent_name = has;
      task.status.phase = phase;
    });
  };
  caches.tasks.apply(pinned("moved", "builder-1", TaskPhase::Running));
  caches.tasks.apply(pinned("there", "builder-2", TaskPhase::Running));
  caches.tasks.apply(pinned("waits", "", TaskPhase::Queued));
  const auto found = caches.tasks.by_index(index::kTasksByWantedAgent, "team-a/builder-2");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0]->meta.name, "moved");
}

TEST(Caches, FindTheRunsOfAWorkflow) {
  Caches caches;
  caches.runs.apply(
      object_with<WorkflowRun>("by-name", [](WorkflowRun& run) { run.spec.workflow_name = "release"; }));
  caches.runs.apply(
      object_with<WorkflowRun>("inline", [](WorkflowRun& run) { run.spec.workflow_spec = "{}"; }));
  EXPECT_EQ(caches.runs.count_by_index(index::kRunsByWorkflow, "team-a/release"), 1U);
  EXPECT_EQ(caches.runs.count_by_index(index::kRunsByWorkflow, "team-a/"), 0U);
}

TEST(Caches, FindTheRevisionsOfAWorkflow) {
  Caches caches;
  caches.revisions.apply(object_with<ControllerRevision>("r1", [](ControllerRevision& revision) {
    revision.meta.owner_references = {{"convoke.dev/v1alpha1", "Workflow", "release", "uid-w", true, false}};
  }));
  EXPECT_EQ(caches.revisions.count_by_index(index::kRevisionsByOwner, "uid-w"), 1U);
}

}  // namespace
}  // namespace convoke::api
