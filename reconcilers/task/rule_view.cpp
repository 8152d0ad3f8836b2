#include "reconcilers/task/rule_view.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/api/json_writer.h"
#include "reconcilers/task/strategy.h"

namespace convoke::task {
namespace {

using Path = std::vector<std::string>;

constexpr char kTask[] = "task";
constexpr char kAgent[] = "agent";

Json metadata_of(const kube::ObjectMeta& meta) {
  return {{"name", meta.name},
          {"namespace", meta.namespace_},
          {"labels", meta.labels},
          {"annotations", meta.annotations}};
}

std::string money(double amount) {
  return format_score(api::Strategy::CostOptimized, amount);
}

Json agent_spec(const api::AgentSpec& spec) {
  Json json = {{"type", spec.type},
               {"capabilities", spec.capabilities},
               {"capacity", spec.capacity},
               {"cordoned", spec.cordoned},
               {"cost", {{"perTask", money(spec.cost.per_task)}, {"perMinute", money(spec.cost.per_minute)}}},
               {"heartbeat",
                {{"interval", format_duration(spec.heartbeat_interval)},
                 {"timeout", format_duration(spec.heartbeat_timeout)}}},
               {"circuitBreaker",
                {{"failureThreshold", spec.circuit_breaker.failure_threshold},
                 {"openFor", format_duration(spec.circuit_breaker.open_for)},
                 {"halfOpenTasks", spec.circuit_breaker.half_open_tasks}}}};
  if (spec.rate_limit) {
    json["rateLimit"] = {{"tasksPerMinute", spec.rate_limit->tasks_per_minute}};
    api::put_number(json["rateLimit"], "burst", spec.rate_limit->burst);
  }
  return json;
}

Json agent_status(const api::Agent& agent) {
  const Json all = api::status_update(agent, agent.status)["status"];
  Json json = Json::object();
  for (const std::string_view field : kAgentStatusOfRules) {
    const auto found = all.find(std::string(field));
    if (found != all.end()) {
      json[std::string(field)] = *found;
    }
  }
  return json;
}

// With the defaults that the CRD would have filled in.
Json task_spec(const api::TaskSpec& spec) {
  Json json = api::spec_to_json(spec);
  json["priority"] = spec.priority;
  json["timeout"] = format_duration(spec.timeout);
  json["deadline"] = format_duration(spec.deadline);
  json["assignment"]["strategy"] = to_string(spec.strategy);
  json["delivery"] = to_string(spec.delivery);
  json["suspend"] = spec.suspend;
  if (!json.contains("parameters")) {
    json["parameters"] = Json::object();
  }
  return json;
}

// Parameters can be large; they are read only if somebody asks.
bool may_name_parameters(const cel::Reference& reference) {
  const std::vector<std::string> parameters{kTask, "spec", "parameters"};
  const auto& path = reference.path;
  const auto common = static_cast<std::ptrdiff_t>(std::min(path.size(), parameters.size()));
  return std::equal(path.begin(), path.begin() + common, parameters.begin());
}

// Copies what lies at path[from...] of `source` into `target`, as far as it is there.
void copy_part(const Json& source, const std::vector<std::string>& path, std::size_t from, Json& target) {
  if (from == path.size() || !source.is_object()) {
    target = source;
    return;
  }
  if (!target.is_object()) {
    target = Json::object();
  }
  const auto found = source.find(path[from]);
  if (found != source.end()) {
    copy_part(*found, path, from + 1, target[path[from]]);
  }
}

// The longest first: what a shorter one copies as a whole must not be thinned out by a longer one.
Json parts_of(const Json& whole, std::vector<const Path*> paths) {
  std::sort(paths.begin(), paths.end(), [](const Path* a, const Path* b) { return a->size() > b->size(); });
  Json parts = Json::object();
  for (const Path* path : paths) {
    copy_part(whole, *path, 1, parts);
  }
  return parts;
}

Json agent_parts(const api::Agent& agent, const AgentPaths& paths) {
  std::vector<const Path*> named;
  bool names_spec = false;
  bool names_status = false;
  for (auto path = paths.begin(); path != paths.end(); path = paths.upper_bound(*path)) {
    named.push_back(&*path);
    names_spec = names_spec || path->size() == 1 || path->at(1) == "spec";
    names_status = names_status || path->size() == 1 || path->at(1) == "status";
  }
  Json whole = {{"metadata", metadata_of(agent.meta)}};
  if (names_spec) {
    whole["spec"] = agent_spec(agent.spec);
  }
  if (names_status) {
    whole["status"] = agent_status(agent);
  }
  return parts_of(whole, std::move(named));
}

}  // namespace

AgentPaths agent_paths(const std::vector<cel::Reference>& references) {
  AgentPaths paths;
  for (const cel::Reference& reference : references) {
    if (reference.path.front() == kAgent) {
      paths.insert(reference.path);
    }
  }
  return paths;
}

bool looks_alike(const api::Agent& a, const api::Agent& b, const AgentPaths& paths) {
  return paths.empty() || agent_parts(a, paths) == agent_parts(b, paths);
}

Json agent_view(const api::Agent& agent) {
  return {{"metadata", metadata_of(agent.meta)},
          {"spec", agent_spec(agent.spec)},
          {"status", agent_status(agent)}};
}

Json task_view(const api::Task& task, const std::vector<cel::Reference>& references) {
  std::vector<const cel::Reference*> of_task;
  for (const cel::Reference& reference : references) {
    if (reference.path.front() == kTask) {
      of_task.push_back(&reference);
    }
  }
  if (of_task.empty()) {
    return Json::object();
  }
  api::TaskSpec spec = task.spec;
  if (std::none_of(of_task.begin(), of_task.end(),
                   [](const auto* one) { return may_name_parameters(*one); })) {
    spec.parameters.clear();
  }
  const Json whole = {{"metadata", metadata_of(task.meta)}, {"spec", task_spec(spec)}};
  std::vector<const Path*> paths;
  std::transform(of_task.begin(), of_task.end(), std::back_inserter(paths),
                 [](const cel::Reference* one) { return &one->path; });
  return parts_of(whole, std::move(paths));
}

}  // namespace convoke::task
