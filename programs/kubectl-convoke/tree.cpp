#include "programs/kubectl-convoke/tree.h"

#include <algorithm>
#include <array>
#include <ostream>
#include <set>

#include "controller/base/time_format.h"
#include "programs/kubectl-convoke/json_view.h"
#include "reconcilers/api/workflow_run.h"

namespace convoke::plugin {
namespace {

constexpr int kMaxTreeDepth = 20;  // of runs in runs

std::string phase_or(const Json& row, const char* otherwise) {
  const auto phase = text_at(row, "/phase");
  return phase.empty() ? otherwise : phase;
}

// Messages of what goes well say nothing that the phase does not.
std::string worth_saying(const std::string& phase, const std::string& reason, const std::string& message) {
  if (phase == "Succeeded" || (phase == "Running" && reason == "Running") || phase == "Assigned") return "";
  const bool told = message.empty() || message.find(reason) != std::string::npos || reason == phase;
  return one_line(told ? (message.empty() && reason != phase ? reason : message) : reason + ": " + message);
}

TreeNode attempt_node(const Json& attempt) {
  TreeNode node{"Attempt", "attempt " + text_at(attempt, "/attempt")};
  node.phase = text_at(attempt, "/outcome");
  node.agent = text_at(attempt, "/agentName");
  node.started_at = text_at(attempt, "/startedAt");
  if (node.started_at.empty()) node.started_at = text_at(attempt, "/assignedAt");
  node.ended_at = text_at(attempt, "/finishedAt");
  node.message = worth_saying(node.phase, text_at(attempt, "/reason"), text_at(attempt, "/message"));
  return node;
}

std::string report_progress(const Json& task) {
  if (phase_of(task) != "Running" || !value_at(task, "/status/report/progress").is_number()) return "";
  return text_at(task, "/status/report/progress") + "%";
}

void fill_from_task(TreeNode& node, const Json& task) {
  node.object = "task/" + name_of(task);
  node.phase = phase_of(task);
  node.agent = text_at(task, "/status/agentName");
  node.attempt = number_at(task, "/status/attempt");
  node.progress = report_progress(task);
  node.started_at = text_at(task, "/status/startedAt");
  if (node.started_at.empty()) node.started_at = text_at(task, "/status/assignedAt");
  node.ended_at = text_at(task, "/status/completedAt");
  node.message = worth_saying(node.phase, text_at(task, "/status/reason"), text_at(task, "/status/message"));
  if (node.phase == "Running") node.message = one_line(text_at(task, "/status/report/message"));
}

// Where one attempt was all there was, the Task's own line says it.
void add_attempts(TreeNode& node, const Json& task) {
  const auto attempts = objects_at(task, "/status/attempts");
  const bool told = attempts.empty() || (attempts.size() == 1 && has_ended(task));
  if (told) return;
  for (const auto& attempt : attempts) node.children.push_back(attempt_node(attempt));
}

int rank_of(const TreeNode& node) {
  if (node.phase == "Failed") return 0;
  if (node.phase == "Running" || node.phase == "Assigned") return 1;
  return node.phase == "Succeeded" ? 3 : 2;
}

// The most telling ones stay, in their order; the others become one line.
void limit(std::vector<TreeNode>& nodes, const TreeOptions& options) {
  if (options.max_children == 0 || nodes.size() <= options.max_children) return;
  std::vector<std::size_t> order(nodes.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return rank_of(nodes[a]) < rank_of(nodes[b]); });
  order.resize(options.max_children);
  std::sort(order.begin(), order.end());
  std::vector<TreeNode> kept;
  kept.reserve(order.size() + 1);
  for (const auto i : order) kept.push_back(std::move(nodes[i]));
  kept.push_back(
      {"More", "... and " + std::to_string(nodes.size() - kept.size()) + " more (--all shows them)"});
  nodes = std::move(kept);
}

class TreeBuilder {
 public:
  TreeBuilder(const World& world, const TreeOptions& options) : world_(world), options_(options) {}

  TreeNode run(const Json& object, int depth) const {
    TreeNode node{"WorkflowRun", name_of(object), "run/" + name_of(object), phase_of(object)};
    node.progress = text_at(object, "/status/progress");
    node.started_at = text_at(object, "/status/startedAt");
    node.ended_at = text_at(object, "/status/completedAt");
    node.message =
        worth_saying(node.phase, text_at(object, "/status/reason"), text_at(object, "/status/message"));
    if (depth > kMaxTreeDepth) return node;
    std::set<std::string> told;
    const auto tasks = world_.tasks_of(uid_of(object));
    const auto runs = world_.runs_of(uid_of(object));
    for (const auto& row : objects_at(object, "/status/steps")) {
      node.children.push_back(step(row, tasks, runs, told, depth));
    }
    add_untold(node, tasks, runs, told, depth);
    return node;
  }

  TreeNode task(const Json& object) const {
    TreeNode node{"Task", name_of(object)};
    fill_from_task(node, object);
    node.name = "task " + node.name;
    add_task_children(node, object);
    return node;
  }

 private:
  void add_task_children(TreeNode& node, const Json& object) const {
    add_attempts(node, object);
    std::vector<TreeNode> subtasks;
    for (const auto& row : objects_at(object, "/status/subtasks")) subtasks.push_back(subtask(row));
    limit(subtasks, options_);
    std::move(subtasks.begin(), subtasks.end(), std::back_inserter(node.children));
  }

  TreeNode subtask(const Json& row) const {
    TreeNode node{"Subtask", text_at(row, "/name")};
    node.phase = phase_or(row, "Pending");
    node.message = worth_saying(node.phase, text_at(row, "/reason"), "");
    if (const Json* object = world_.task(text_at(row, "/taskName"))) {
      fill_from_task(node, *object);
      add_task_children(node, *object);
    }
    return node;
  }

  TreeNode step(const Json& row, const std::vector<const Json*>& tasks, const std::vector<const Json*>& runs,
                std::set<std::string>& told, int depth) const {
    TreeNode node{"Step", text_at(row, "/name")};
    node.phase = phase_or(row, "Pending");
    node.started_at = text_at(row, "/startedAt");
    node.ended_at = text_at(row, "/completedAt");
    node.progress = describe_items(text_at(row, "/items"));
    node.message = worth_saying(node.phase, text_at(row, "/reason"), text_at(row, "/message"));
    std::vector<const Json*> own;
    for (const Json* task : tasks) {
      const bool named = name_of(*task) == text_at(row, "/taskName");
      if (named || text_at(*task, "/metadata/labels/convoke.dev~1step") == node.name) own.push_back(task);
    }
    for (const Json* task : own) told.insert(uid_of(*task));
    add_tasks(node, row, own);
    for (const Json* run : runs) {
      const bool named = name_of(*run) == text_at(row, "/runName");
      if (!named && text_at(*run, "/metadata/labels/convoke.dev~1step") != node.name) continue;
      told.insert(uid_of(*run));
      node.children.push_back(this->run(*run, depth + 1));
    }
    if (const auto iteration = number_at(row, "/iteration"); iteration > 0) {
      node.progress += (node.progress.empty() ? "" : ", ") + ("iteration " + std::to_string(iteration));
    }
    return node;
  }

  // The Task that the row names is on the step's own line, unless it is one of many items.
  void add_tasks(TreeNode& node, const Json& row, const std::vector<const Json*>& own) const {
    const Json* of_row = world_.task_of_row(row, own);
    const bool fans_out = !text_at(row, "/items").empty();
    const Json* named = nullptr;
    for (const Json* task : own) {
      const bool only = own.size() == 1 && !is_undo(*task);
      if (!fans_out && (only || task == of_row)) named = task;
    }
    std::vector<TreeNode> others;
    for (const Json* task : own) {
      if (task != named) others.push_back(execution(*task));
    }
    if (named != nullptr) put_on_line(node, *named);
    limit(others, options_);
    std::move(others.begin(), others.end(), std::back_inserter(node.children));
  }

  void put_on_line(TreeNode& node, const Json& object) const {
    const TreeNode of_row = node;
    fill_from_task(node, object);
    // The row is what the run goes by; an optional or a skipped step may differ from its Task.
    const bool row_ended = !of_row.phase.empty() && of_row.phase != "Running" && of_row.phase != "Pending";
    if (row_ended) node.phase = of_row.phase;
    if (!of_row.message.empty()) node.message = of_row.message;
    add_task_children(node, object);
  }

  static bool is_undo(const Json& task) {
    return text_at(task, "/metadata/labels/convoke.dev~1undo") == "true";
  }

  // One of several Tasks of a step, called by what makes it differ: "item 3", "iteration 2, round 1", "undo".
  TreeNode execution(const Json& object) const {
    TreeNode node = task(object);
    std::string what = is_undo(object) ? "undo" : "";
    for (const char* part : {"item", "iteration", "round"}) {
      const auto number = text_at(object, std::string("/metadata/labels/convoke.dev~1") + part);
      if (!number.empty()) what += (what.empty() ? "" : ", ") + (part + (" " + number));
    }
    if (what.empty()) return node;
    node.kind = "Execution";
    node.name = what;
    return node;
  }

  // What no row tells: Tasks that undo steps, what was created a moment ago.
  void add_untold(TreeNode& node, const std::vector<const Json*>& tasks, const std::vector<const Json*>& runs,
                  const std::set<std::string>& told, int depth) const {
    std::vector<TreeNode> nodes;
    for (const Json* task : tasks) {
      if (!told.contains(uid_of(*task))) nodes.push_back(this->task(*task));
    }
    for (const Json* run : runs) {
      if (!told.contains(uid_of(*run))) nodes.push_back(this->run(*run, depth + 1));
    }
    limit(nodes, options_);
    std::move(nodes.begin(), nodes.end(), std::back_inserter(node.children));
  }

  const World& world_;
  const TreeOptions& options_;
};

std::string duration_of(const TreeNode& node, WallTime now) {
  const auto begin = parse_time(node.started_at);
  if (!begin) return "";
  const auto end = parse_time(node.ended_at);
  return human_duration(std::max(Duration::zero(), (end ? *end : now) - *begin));
}

std::vector<std::string> columns_of(const TreeNode& node, const std::string& prefix, const Style& style,
                                    WallTime now) {
  std::string name = prefix + (prefix.empty() ? style.bold(node.name) : node.name);
  const bool names_another = !node.object.empty() && node.kind != "WorkflowRun" && node.kind != "Task";
  if (names_another) name += " " + style.dim(node.object);
  const std::string attempt =
      node.attempt > 1 && node.kind != "Attempt" ? "attempt " + std::to_string(node.attempt) : "";
  return {name,
          style.phase(node.phase),
          node.agent,
          attempt,
          node.progress,
          duration_of(node, now),
          node.phase == "Failed" ? style.red(node.message) : node.message};
}

void add_rows(const TreeNode& node, const std::string& prefix, const std::string& below, const Style& style,
              WallTime now, std::vector<std::vector<std::string>>& rows) {
  rows.push_back(columns_of(node, prefix, style, now));
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    const bool last = i + 1 == node.children.size();
    add_rows(node.children[i], below + style.branch(last), below + style.trunk(last), style, now, rows);
  }
}

std::vector<Json> by_age(std::vector<Json> objects) {
  std::stable_sort(objects.begin(), objects.end(), [](const Json& a, const Json& b) {
    return text_at(a, "/metadata/creationTimestamp") < text_at(b, "/metadata/creationTimestamp");
  });
  return objects;
}

}  // namespace

TreeNode build_run(const World& world, const Json& run, const TreeOptions& options) {
  return TreeBuilder(world, options).run(run, 0);
}

TreeNode build_task(const World& world, const Json& task, const TreeOptions& options) {
  return TreeBuilder(world, options).task(task);
}

std::vector<std::string> render(const TreeNode& root, const Style& style, WallTime now) {
  std::vector<std::vector<std::string>> rows;
  add_rows(root, "", "", style, now, rows);
  return align(rows);
}

Json to_json(const TreeNode& node, WallTime now) {
  Json json = {{"kind", node.kind}, {"name", node.name}};
  const auto put = [&](const char* field, const std::string& text) {
    if (!text.empty()) json[field] = text;
  };
  put("object", node.object);
  put("phase", node.phase);
  put("agent", node.agent);
  if (node.attempt > 0) json["attempt"] = node.attempt;
  put("progress", node.progress);
  put("startedAt", node.started_at);
  put("completedAt", node.ended_at);
  put("duration", duration_of(node, now));
  put("message", node.message);
  for (const auto& child : node.children) json["children"].push_back(to_json(child, now));
  return json;
}

std::string describe_items(const std::string& run_lengths) {
  constexpr std::array<std::pair<char, const char*>, 8> kNames{{{'s', "succeeded"},
                                                                {'f', "failed"},
                                                                {'r', "running"},
                                                                {'p', "pending"},
                                                                {'c', "cancelled"},
                                                                {'k', "skipped"},
                                                                {'u', "undone"},
                                                                {'x', "not undone"}}};
  std::array<std::int64_t, kNames.size()> counts{};
  std::int64_t number = 0;
  bool has_number = false;
  for (const char c : run_lengths) {
    if (c >= '0' && c <= '9') {
      constexpr std::int64_t kMost = 1'000'000'000;
      number = std::min(kMost, number * 10 + (c - '0'));
      has_number = true;
      continue;
    }
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      if (kNames[i].first == c) counts[i] += has_number ? number : 1;
    }
    number = 0;
    has_number = false;
  }
  std::string text;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (counts[i] > 0) {
      text += (text.empty() ? "" : ", ") + std::to_string(counts[i]) + " " + kNames[i].second;
    }
  }
  return text;
}

namespace {

bool has_owner(const Json& object) {
  return !objects_at(object, "/metadata/ownerReferences").empty();
}

bool is_run_of(const Json& run, const Json& workflow) {
  return text_at(run, "/spec/workflowName") == name_of(workflow) &&
         text_at(run, "/metadata/namespace") == text_at(workflow, "/metadata/namespace");
}

// Without its steps.
TreeNode run_line(const Json& run, const TreeOptions& options) {
  auto node = build_run({}, run, options);
  node.children.clear();
  return node;
}

TreeNode workflow_node(const Json& workflow, const std::vector<Json>& runs, const TreeOptions& options) {
  TreeNode node{"Workflow", name_of(workflow), "workflow/" + name_of(workflow), phase_of(workflow)};
  for (const auto& condition : objects_at(workflow, "/status/conditions")) {
    const bool trouble = text_at(condition, "/type") == "Ready" && text_at(condition, "/status") == "False";
    if (trouble) node.message = one_line(text_at(condition, "/message"));
  }
  for (const auto& run : runs) {
    if (is_run_of(run, workflow)) node.children.push_back(run_line(run, options));
  }
  return node;
}

Result<std::vector<TreeNode>> build_all(const Cluster& cluster, const TreeOptions& options) {
  const auto workflows = cluster.list(api::kWorkflow);
  if (!workflows) return workflows.error();
  auto runs = cluster.list(api::kWorkflowRun);
  if (!runs) return runs.error();
  auto tasks = cluster.list(api::kTask);
  if (!tasks) return tasks.error();
  std::vector<TreeNode> roots;
  const auto add = [&](TreeNode node, const Json& object) {
    // With all namespaces, names alone say too little.
    if (cluster.namespace_name().empty())
      node.name = text_at(object, "/metadata/namespace") + "/" + node.name;
    roots.push_back(std::move(node));
  };
  const auto by_creation = by_age(std::move(*runs));
  for (const auto& workflow : *workflows) add(workflow_node(workflow, by_creation, options), workflow);
  for (const auto& run : by_creation) {
    const bool told = std::any_of(workflows->begin(), workflows->end(),
                                  [&](const Json& workflow) { return is_run_of(run, workflow); });
    if (!told && !has_owner(run)) add(run_line(run, options), run);
  }
  for (const auto& task : by_age(std::move(*tasks))) {
    if (!has_owner(task)) add(build_task({}, task, options), task);
  }
  return roots;
}

Result<std::vector<TreeNode>> build_one(const Cluster& cluster, const std::string& target,
                                        const TreeOptions& options) {
  const auto found = cluster.find_any({&api::kWorkflowRun, &api::kWorkflow, &api::kTask}, target);
  if (!found) return found.error();
  World world;
  if (*found->type == api::kTask) {
    if (auto loaded = load_task(cluster, found->object, world); !loaded) return loaded.error();
    return std::vector{build_task(world, found->object, options)};
  }
  if (*found->type == api::kWorkflowRun) {
    if (auto loaded = load_run(cluster, found->object, world); !loaded) return loaded.error();
    return std::vector{build_run(world, found->object, options)};
  }
  kube::ListOptions of_workflow;
  of_workflow.field_selector = "spec.workflowName=" + name_of(found->object);
  auto runs = cluster.list(api::kWorkflowRun, of_workflow);
  if (!runs) return runs.error();
  return std::vector{workflow_node(found->object, by_age(std::move(*runs)), options)};
}

}  // namespace

Result<int> show_tree(const Context& context, const std::string& target, const TreeOptions& options) {
  const auto roots =
      target.empty() ? build_all(context.cluster, options) : build_one(context.cluster, target, options);
  if (!roots) return roots.error();
  const auto now = context.clock.wall_now();
  if (context.json) {
    Json json = Json::array();
    for (const auto& root : *roots) json.push_back(to_json(root, now));
    context.out << (target.empty() ? json : json.front()).dump(2, ' ', false, Json::error_handler_t::replace)
                << "\n";
    return kDone;
  }
  if (roots->empty()) {
    context.err << "There are no Workflows, runs or Tasks in namespace " << context.cluster.namespace_name()
                << ".\n";
  }
  for (const auto& root : *roots) {
    for (const auto& line : render(root, context.style, now)) context.out << line << "\n";
  }
  return kDone;
}

}  // namespace convoke::plugin
