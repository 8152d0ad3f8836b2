#include "reconcilers/dispatch/job.h"

#include <algorithm>
#include <utility>

#include "reconcilers/api/json_writer.h"
#include "reconcilers/dispatch/http_request.h"
#include "reconcilers/dispatch/reasons.h"

namespace convoke::dispatch {
namespace {

constexpr char kVolume[] = "convoke-task";
constexpr char kMountPath[] = "/convoke";
constexpr char kVariablePrefix[] = "CONVOKE_";
constexpr std::size_t kMaxNamePart = 24;
constexpr std::size_t kMaxJobName = 63;
constexpr std::size_t kMaxJobMessageBytes = 1024;
// The kernel takes 128 KiB for one string of the environment: with more, no container starts.
constexpr std::size_t kMaxVariableBytes = std::size_t{100} * 1024;
// The Task's own timeout comes first.
constexpr std::chrono::seconds kGrace{10};

// The value at that key if it is an object; an empty one otherwise.
Json object_at(const Json& parent, const char* key) {
  const auto found = parent.is_object() ? parent.find(key) : parent.end();
  return parent.is_object() && found != parent.end() && found->is_object() ? *found : Json::object();
}
Json list_at(const Json& parent, const char* key) {
  const auto found = parent.is_object() ? parent.find(key) : parent.end();
  return parent.is_object() && found != parent.end() && found->is_array() ? *found : Json::array();
}
std::string text_at(const Json& parent, const char* key) {
  const auto found = parent.is_object() ? parent.find(key) : parent.end();
  return parent.is_object() && found != parent.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string upper_name(const std::string& prefix, const std::string& name) {
  std::string text = prefix;
  for (const char c : name) {
    const bool lower = c >= 'a' && c <= 'z';
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    text += lower ? static_cast<char>(c - 'a' + 'A') : plain ? c : '_';
  }
  return text;
}

// Kubernetes expands $(NAME) in values, which would let a parameter read other variables.
std::string literal(const std::string& value) {
  std::string text;
  for (std::size_t i = 0; i < value.size(); ++i) {
    text += value[i];
    if (value[i] == '$') text += '$';
  }
  return text;
}

void put_variable(Json& variables, const std::string& name, const std::string& value) {
  variables.push_back({{"name", name}, {"value", literal(value)}});
}

Json variables_of(const api::Task& task) {
  Json variables = Json::array();
  const Result<Json> parameters = parse_json(task.spec.parameters.empty() ? "{}" : task.spec.parameters);
  if (parameters && parameters->is_object()) {
    for (const auto& [name, value] : parameters->items()) {
      if (value.is_object() || value.is_array() || value.is_null()) continue;
      const std::string text = value.is_string() ? value.get<std::string>() : dump_json(value);
      if (text.size() <= kMaxVariableBytes && text.find('\0') == std::string::npos) {
        put_variable(variables, upper_name("CONVOKE_PARAM_", name), text);
      }
    }
  }
  put_variable(variables, "CONVOKE_TASK_NAME", task.meta.name);
  put_variable(variables, "CONVOKE_TASK_NAMESPACE", task.meta.namespace_);
  put_variable(variables, "CONVOKE_TASK_UID", task.meta.uid);
  put_variable(variables, "CONVOKE_TASK_TYPE", task.spec.type);
  put_variable(variables, "CONVOKE_TASK_ATTEMPT", std::to_string(task.status.attempt));
  put_variable(variables, "CONVOKE_ASSIGNMENT_ID", task.status.assignment.id);
  put_variable(variables, "CONVOKE_TRACEPARENT", traceparent(task.meta.uid, task.status.assignment.id));
  for (const auto& [lock, token] : task.status.assignment.fencing) {
    put_variable(variables, upper_name("CONVOKE_FENCING_", lock), std::to_string(token));
  }
  return variables;
}

// Null if there is no such container.
Json* find_container(Json& pod_spec, const std::string& name) {
  const auto containers = pod_spec.find("containers");
  if (containers == pod_spec.end() || !containers->is_array()) return nullptr;
  for (Json& container : *containers) {
    if (container.is_object() && (name.empty() || text_at(container, "name") == name)) return &container;
  }
  return nullptr;
}

void equip(Json& container, const api::Task& task) {
  Json env = Json::array();
  for (const Json& variable : list_at(container, "env")) {
    if (text_at(variable, "name").rfind(kVariablePrefix, 0) != 0) env.push_back(variable);
  }
  for (Json& variable : variables_of(task)) env.push_back(std::move(variable));
  container["env"] = std::move(env);
  Json mounts = list_at(container, "volumeMounts");
  mounts.push_back({{"name", kVolume}, {"mountPath", kMountPath}, {"readOnly", true}});
  container["volumeMounts"] = std::move(mounts);
  // So that a container that fails without a message says at least what it logged last.
  if (!container.contains("terminationMessagePolicy")) {
    container["terminationMessagePolicy"] = "FallbackToLogsOnError";
  }
}

Json task_volume() {
  const Json item = {
      {"path", "task.json"},
      {"fieldRef", {{"fieldPath", std::string("metadata.annotations['") + kTaskAnnotation + "']"}}}};
  return {{"name", kVolume}, {"downwardAPI", {{"items", Json::array({item})}}}};
}

Result<Json> make_template(const api::Task& task, const api::Agent& agent, const Json& labels,
                           Duration left) {
  const api::JobDispatch& wanted = agent.spec.dispatch.job;
  const Result<Json> given = parse_json(wanted.template_);
  if (!given) return Error{ErrorCode::Invalid, "spec.dispatch.job.template: " + given.error().message};
  Json pod = *given;
  Json meta = object_at(pod, "metadata");
  Json all_labels = object_at(meta, "labels");
  all_labels.update(labels);
  meta["labels"] = std::move(all_labels);
  Json annotations = object_at(meta, "annotations");
  annotations[kTaskAnnotation] = task_body(task, left);
  meta["annotations"] = std::move(annotations);
  pod["metadata"] = std::move(meta);
  Json spec = object_at(pod, "spec");
  spec["restartPolicy"] = "Never";
  Json* const container = find_container(spec, wanted.container);
  if (container == nullptr) {
    return Error{ErrorCode::Invalid, "spec.dispatch.job.template has no container" +
                                         (wanted.container.empty() ? "" : " " + wanted.container)};
  }
  equip(*container, task);
  Json volumes = list_at(spec, "volumes");
  volumes.push_back(task_volume());
  spec["volumes"] = std::move(volumes);
  pod["spec"] = std::move(spec);
  return pod;
}

// The status of the container that counts; null if there is none.
Json container_status(const Json& pod, const std::string& name) {
  const Json containers = list_at(object_at(pod, "spec"), "containers");
  const std::string first = containers.empty() ? "" : text_at(containers[0], "name");
  const std::string wanted = name.empty() ? first : name;
  for (const Json& status : list_at(object_at(pod, "status"), "containerStatuses")) {
    if (text_at(status, "name") == wanted) return status;
  }
  return {};
}

Outcome succeeded(const std::string& message) {
  Outcome outcome;
  outcome.state = api::ReportState::Succeeded;
  const Result<Json> json = parse_json(message);
  if (json && json->is_object()) {
    outcome.outputs = dump_json(*json);
  } else if (message.find_first_not_of(" \t\r\n") != std::string::npos) {
    outcome.outputs = dump_json({{"message", message}});
  }
  return outcome;
}

Outcome exited(const Json& terminated) {
  const auto given = terminated.find("exitCode");
  const int exit_code = given != terminated.end() && given->is_number_integer() ? given->get<int>() : -1;
  const std::string message = text_at(terminated, "message");
  if (exit_code == 0) return succeeded(message);
  const std::string reason = text_at(terminated, "reason");
  const bool usual = reason.empty() || reason == "Error" || reason == "Completed";
  const std::string what = "the container ended with exit code " + std::to_string(exit_code);
  return failure(usual ? "ExitCode" + std::to_string(exit_code) : reason,
                 message.empty() ? what + (usual ? "" : " (" + reason + ")") : message, true);
}

}  // namespace

Job Job::from_json(const Json& object) {
  Job job;
  job.meta = kube::meta_from_json(object);
  for (const Json& condition : list_at(object_at(object, "status"), "conditions")) {
    const std::string type = text_at(condition, "type");
    if ((type == "Complete" || type == "Failed") && text_at(condition, "status") == "True") {
      job.finished = type;
      job.reason = text_at(condition, "reason");
      job.message = text_at(condition, "message");
    }
  }
  return job;
}

std::string job_name(const api::Task& task) {
  std::string name = task.meta.name.substr(0, kMaxNamePart) + "-" + task.status.assignment.id;
  std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c == '.' ? '-' : c; });
  return name.substr(0, kMaxJobName);
}

Result<Json> make_job(const api::Task& task, const api::Agent& agent, Duration left) {
  const Json labels = {{api::label::kAgent, agent.meta.name}, {kTaskUidLabel, task.meta.uid}};
  auto pod = make_template(task, agent, labels, left);
  if (!pod) return pod.error();
  const Json owner = {{"apiVersion", api::kTask.api_version()},
                      {"kind", api::kTask.kind},
                      {"name", task.meta.name},
                      {"uid", task.meta.uid},
                      {"controller", true}};
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(left) + kGrace;
  return Json{{"metadata",
               {{"namespace", task.meta.namespace_},
                {"name", job_name(task)},
                {"labels", labels},
                {"ownerReferences", Json::array({owner})}}},
              {"spec",
               {{"backoffLimit", 0},
                {"activeDeadlineSeconds", seconds.count()},
                {"podReplacementPolicy", "Failed"},
                {"template", std::move(*pod)}}}};
}

Outcome outcome_of(const Job& job, const Json& pod, const std::string& container) {
  const Json terminated = object_at(object_at(container_status(pod, container), "state"), "terminated");
  const Json status = object_at(pod, "status");
  const std::string pod_reason = text_at(status, "reason");
  if (job.finished == "Complete") return terminated.empty() ? succeeded("") : exited(terminated);
  // Evicted, Preempting, NodeLost: why it ended says more than how.
  if (!pod_reason.empty()) {
    const std::string message = text_at(status, "message");
    return failure(pod_reason, message.empty() ? "the Pod ended: " + pod_reason : message, true);
  }
  if (!terminated.empty()) {
    Outcome outcome = exited(terminated);
    if (outcome.state == api::ReportState::Failed) return outcome;
  }
  return failure(job.reason.empty() ? "JobFailed" : job.reason,
                 job.message.empty() ? "the Job failed" : job.message, true);
}

bool is_running(const Json& pod) {
  return text_at(object_at(pod, "status"), "phase") == "Running";
}

std::string waits_for(const Json& pod) {
  const Json status = object_at(pod, "status");
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& container : list_at(status, list)) {
      const Json waiting = object_at(object_at(container, "state"), "waiting");
      const std::string reason = text_at(waiting, "reason");
      if (reason.empty() || reason == "ContainerCreating" || reason == "PodInitializing") continue;
      const std::string message = text_at(waiting, "message");
      return api::cut_text(
          "container " + text_at(container, "name") + ": " + reason + (message.empty() ? "" : ": " + message),
          kMaxJobMessageBytes);
    }
  }
  for (const Json& condition : list_at(status, "conditions")) {
    if (text_at(condition, "type") == "PodScheduled" && text_at(condition, "status") == "False") {
      return api::cut_text("the Pod cannot be scheduled: " + text_at(condition, "message"),
                           kMaxJobMessageBytes);
    }
  }
  return "";
}

}  // namespace convoke::dispatch
