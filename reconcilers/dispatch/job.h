// batch/v1 Job and what is read of its Pods, as far as Tasks are concerned. Plain values.
#pragma once

#include <optional>
#include <string>

#include "controller/kube/json.h"
#include "controller/kube/object.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/task.h"
#include "reconcilers/dispatch/http_answer.h"

namespace convoke::dispatch {

inline const kube::ResourceType kJob{"batch", "v1", "jobs", "Job", true};
inline const kube::ResourceType kPod{"", "v1", "pods", "Pod", true};

// On Jobs and their Pods.
inline constexpr char kTaskUidLabel[] = "convoke.dev/task-uid";
// On Pods: what /convoke/task.json holds.
inline constexpr char kTaskAnnotation[] = "convoke.dev/task";

struct Job {
  kube::ObjectMeta meta;
  std::string finished;  // "Complete" or "Failed"; empty: neither
  std::string reason;    // of that
  std::string message;

  static Job from_json(const Json& object);
};

// The same name for the same assignment, so that a Job that is created twice is one.
std::string job_name(const api::Task& task);

// The whole Job. Error Invalid if the template has no container to work in.
Result<Json> make_job(const api::Task& task, const api::Agent& agent, Duration left);

// How a Job that has finished ended, by the Pod of it that came last (null: there is none any more).
Outcome outcome_of(const Job& job, const Json& pod, const std::string& container);
// What a Pod that has not ended waits for, for people; empty if it runs.
std::string waits_for(const Json& pod);
bool is_running(const Json& pod);

}  // namespace convoke::dispatch
