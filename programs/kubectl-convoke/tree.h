// `tree`: a run, its steps, Tasks, subtasks, sub-runs and attempts, one line each.
//
// build_*() and render() are pure. Errors: those of Cluster.
#pragma once

#include <string>
#include <vector>

#include "programs/kubectl-convoke/context.h"
#include "programs/kubectl-convoke/world.h"

namespace convoke::plugin {

struct TreeNode {
  std::string kind;  // "Workflow", "WorkflowRun", "Step", "Task", "Attempt", "More"
  std::string name;
  std::string object = {};  // what stands behind it: "task/hello-1-greet"
  std::string phase = {};
  std::string agent = {};
  std::int64_t attempt = 0;
  std::string progress = {};  // "40%", "3/12", "120 succeeded, 5 running"
  std::string started_at = {};
  std::string ended_at = {};
  std::string message = {};
  std::vector<TreeNode> children = {};
};

struct TreeOptions {
  // Of one step: the Tasks beyond are one line; those that went well are left out first. 0: all.
  std::size_t max_children = 10;
};

TreeNode build_run(const World& world, const Json& run, const TreeOptions& options);
TreeNode build_task(const World& world, const Json& task, const TreeOptions& options);

// `now` ends what has not ended.
std::vector<std::string> render(const TreeNode& root, const Style& style, WallTime now);
Json to_json(const TreeNode& node, WallTime now);

// "120s1f5r9874p": "120 succeeded, 1 failed, 5 running, 9874 pending".
std::string describe_items(const std::string& run_lengths);

// `target` is a run, Workflow or Task; empty: all Workflows of the namespace, their runs, and single Tasks.
Result<int> show_tree(const Context& context, const std::string& target, const TreeOptions& options);

}  // namespace convoke::plugin
