#include "reconcilers/dispatch/job_carrier.h"

#include <utility>

#include "controller/base/time_format.h"
#include "controller/kube/errors.h"
#include "reconcilers/dispatch/reasons.h"

namespace convoke::dispatch {
namespace {

// Until its Pod runs; then the end of the Job is news.
constexpr Duration kLookAgain = std::chrono::seconds(5);
constexpr Duration kLookSeldom = std::chrono::minutes(1);

kube::ObjectKey key_of(const api::Task& task) {
  return {task.meta.namespace_, task.status.dispatch.job_name};
}

// A Job is made once, however often it is asked for.
Delivery try_again(const Error& error) {
  Delivery delivery;
  delivery.trouble = error.message;
  delivery.not_carried_out = true;
  delivery.retry_after = error.retry_after;
  return delivery;
}

bool is_owned_by(const Job& job, const api::Task& task) {
  const kube::OwnerReference* owner = job.meta.controller();
  return owner != nullptr && owner->uid == task.meta.uid;
}

}  // namespace

api::TaskDispatch JobCarrier::announce(const api::Task& task, const api::Agent& agent) {
  api::TaskDispatch dispatch;
  dispatch.assignment_id = task.status.assignment.id;
  dispatch.agent_name = agent.meta.name;
  dispatch.job_name = job_name(task);
  return dispatch;
}

Delivery JobCarrier::send(const api::Task& task, const api::Agent& agent, Duration left, kube::HttpCancel&) {
  const auto job = make_job(task, agent, left);
  if (!job) return final_delivery(failure(code::kJobNotAccepted, job.error().message, false));
  const MonotonicTime begin = clock_.monotonic_now();
  const Result<Json> answer = client_.create(kJob, *job);
  const bool exists = !answer && answer.error().code == ErrorCode::AlreadyExists;
  metrics_.job_asked(answer || exists, clock_.monotonic_now() - begin);
  if (exists) {
    if (auto foreign = check_owner(task)) return *foreign;
  } else if (!answer) {
    if (!kube::is_about_the_object(answer.error())) return try_again(answer.error());
    return final_delivery(failure(code::kJobNotAccepted, answer.error().message, false));
  }
  return accepted(task, agent);
}

std::optional<Delivery> JobCarrier::check_owner(const api::Task& task) {
  const Result<Json> there = client_.get(kJob, {task.meta.namespace_, job_name(task)});
  if (!there) return try_again(there.error());
  if (is_owned_by(Job::from_json(*there), task)) return {};
  return final_delivery(
      failure(code::kJobNotAccepted, "there is a Job " + job_name(task) + " that is not the Task's", true));
}

Delivery JobCarrier::accepted(const api::Task& task, const api::Agent& agent) {
  Delivery delivery;
  delivery.kind = Delivery::Kind::Accepted;
  delivery.dispatch = announce(task, agent);
  delivery.dispatch.accepted_at = format_micro_time(clock_.wall_now());
  delivery.ask_after = kLookAgain;
  return delivery;
}

// Null: there is none, or it is somebody else's.
Result<std::shared_ptr<const Job>> JobCarrier::find(const api::Task& task) {
  auto job = jobs_.get(key_of(task));
  if (job == nullptr) {
    // The watch may be late.
    const Result<Json> there = client_.get(kJob, key_of(task));
    if (!there && there.error().code != ErrorCode::NotFound) return there.error();
    if (there) job = std::make_shared<const Job>(Job::from_json(*there));
  }
  return job != nullptr && is_owned_by(*job, task) ? job : nullptr;
}

Delivery JobCarrier::ask(const api::Task& task, const api::Agent& agent, Duration, kube::HttpCancel&) {
  const auto found = find(task);
  if (!found) return try_again(found.error());
  const auto& job = *found;
  if (job == nullptr || job->meta.being_deleted()) {
    return final_delivery(failure(code::kJobDeleted, "Job " + key_of(task).name + " was deleted", true));
  }
  const auto pod = last_pod(*job);
  if (!pod) return try_again(pod.error());
  if (!job->finished.empty()) {
    return final_delivery(outcome_of(*job, *pod, agent.spec.dispatch.job.container));
  }
  Delivery delivery;
  delivery.kind = Delivery::Kind::Running;
  delivery.outcome.message = waits_for(*pod);
  delivery.ask_after = is_running(*pod) ? kLookSeldom : kLookAgain;
  return delivery;
}

Result<Json> JobCarrier::last_pod(const Job& job) {
  kube::ListOptions options;
  options.label_selector = "batch.kubernetes.io/controller-uid=" + job.meta.uid;
  options.limit = 10;
  const auto page = client_.list(kPod, job.meta.namespace_, options);
  if (!page) return page.error();
  Json last;
  std::string created;
  for (const Json& pod : page->items) {
    const kube::ObjectMeta meta = kube::meta_from_json(pod);
    if (meta.creation_timestamp >= created) {
      created = meta.creation_timestamp;
      last = pod;
    }
  }
  return last;
}

bool JobCarrier::stop(const api::Task& task, const api::Agent&, kube::HttpCancel&) {
  const auto job = find(task);
  if (!job) return false;
  if (*job == nullptr) return true;
  const Status removed = client_.remove(kJob, key_of(task), {(*job)->meta.uid, {}, {}});
  return removed || removed.error().code == ErrorCode::NotFound;
}

}  // namespace convoke::dispatch
