#include "programs/check/check.h"

#include <cstdlib>
#include <fstream>
#include <optional>
#include <ostream>

#include "controller/base/time_format.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/common.h"
#include "reconcilers/api/task.h"
#include "reconcilers/api/workflow.h"
#include "reconcilers/api/workflow_run.h"

namespace convoke::check {

namespace {

using namespace std::chrono_literals;

constexpr Duration kPollInterval = 250ms;
constexpr char kAnswer[] = "ready";
// For agents whose `shell` runs the parameter `command`; for others the type says what is run.
constexpr char kShellCommand[] =
    R"(printf '{"answer": "%s"}' "${CONVOKE_PARAM_ANSWER:-ready}" > "$CONVOKE_OUTPUT")";

Json step(const CheckConfig& config, const std::string& name, const Json& parameters) {
  Json task = {{"type", config.type}, {"parameters", parameters}};
  if (!config.agent.empty()) task["agentName"] = config.agent;
  return {{"name", name}, {"task", std::move(task)}};
}

Json workflow(const CheckConfig& config, const std::string& name) {
  Json second =
      step(config, "second", {{"command", kShellCommand}, {"answer", "$(steps.first.outputs.answer)"}});
  second["dependsOn"] = Json::array({"first"});
  const Json outputs = {{"name", "answer"}, {"value", "$(steps.second.outputs.answer)"}};
  return {{"metadata", {{"name", name}, {"namespace", config.namespace_}}},
          {"spec",
           {{"description", "A sample that convoke-check made, and removes when it ends."},
            {"triggers", Json::array()},
            {"steps", Json::array({step(config, "first", {{"command", kShellCommand}}), std::move(second)})},
            {"outputs", Json::array({outputs})}}}};
}

Json workflow_run(const CheckConfig& config, const std::string& name) {
  return {{"metadata", {{"name", name}, {"namespace", config.namespace_}}},
          {"spec", {{"workflowName", name}}}};
}

std::string text_at(const Json& object, const char* path) {
  const auto pointer = Json::json_pointer(path);
  if (!object.contains(pointer)) return {};
  const Json& value = object.at(pointer);
  return value.is_string() ? value.get<std::string>() : dump_json(value);
}

// "Queued (NoEligibleAgent: no agent can do ...)"
std::string state_of(const Json& object) {
  std::string text = text_at(object, "/status/phase");
  if (text.empty()) return "not seen by the operator: is it running, and does it lead?";
  const auto reason = text_at(object, "/status/reason");
  const auto message = text_at(object, "/status/message");
  if (!reason.empty() || !message.empty()) {
    text += " (" + reason + (reason.empty() || message.empty() ? "" : ": ") + message + ")";
  }
  return text;
}

// One check: its objects, which go with it.
class Check {
 public:
  Check(kube::Client& client, Clock& clock, const CheckConfig& config, const std::string& suffix,
        std::ostream& out)
      : client_(client),
        clock_(clock),
        config_(config),
        key_{config.namespace_, "convoke-check-" + suffix},
        out_(out) {}
  Check(const Check&) = delete;
  Check& operator=(const Check&) = delete;

  Status run() {
    auto outcome = create();
    if (outcome) outcome = wait();
    const auto removed = remove();
    return outcome ? removed : outcome;
  }

 private:
  Status create() {
    out_ << "creating the Workflow and WorkflowRun " << key_.str() << std::endl;
    if (const auto made = client_.create(api::kWorkflow, workflow(config_, key_.name)); !made)
      return made.error();
    if (const auto made = client_.create(api::kWorkflowRun, workflow_run(config_, key_.name)); !made) {
      return made.error();
    }
    return {};
  }

  Status wait() {
    const auto deadline = clock_.monotonic_now() + config_.timeout;
    std::string told;
    StopSignal never(clock_);
    while (true) {
      const auto run = client_.get(api::kWorkflowRun, key_);
      if (!run && !run.error().is_transient()) return run.error();
      if (run) {
        const auto state = state_of(*run);
        if (state != told) out_ << "the run is " << state << std::endl;
        told = state;
        const auto phase = text_at(*run, "/status/phase");
        if (phase == "Succeeded") return expect_answer(*run);
        if (phase == "Failed" || phase == "Cancelled") return failure("the run ended as " + state);
      }
      if (clock_.monotonic_now() >= deadline) {
        const auto state = run ? "is " + state_of(*run) : "cannot be read: " + run.error().describe();
        return failure("after " + format_duration(config_.timeout) + " the run " + state);
      }
      never.sleep_for(kPollInterval);
    }
  }

  Status expect_answer(const Json& run) {
    const auto answer = text_at(run, "/status/outputs/answer");
    if (answer != kAnswer) {
      return failure("the run succeeded, but its output `answer` is \"" + answer + "\" and not \"" + kAnswer +
                     '"');
    }
    return {};
  }

  // With what is known of the Tasks, since the reason is mostly there.
  Error failure(std::string message) {
    kube::ListOptions of_run;
    of_run.label_selector = std::string(api::label::kRun) + "=" + key_.name;
    const auto tasks = client_.list(api::kTask, config_.namespace_, of_run);
    if (!tasks) return Error{ErrorCode::Internal, message + "\n  its Tasks: " + tasks.error().describe()};
    if (tasks->items.empty()) message += "\n  it has no Tasks";
    for (const auto& task : tasks->items) {
      message += "\n  Task " + text_at(task, "/metadata/name") + " is " + state_of(task);
      if (!task.contains("/status/assignment/rejected"_json_pointer)) continue;
      for (const auto& rejected : task.at("/status/assignment/rejected"_json_pointer)) {
        message += "\n    agent " + text_at(rejected, "/agentName") + ": " + text_at(rejected, "/reason");
      }
    }
    return Error{ErrorCode::Internal, message};
  }

  Status remove() {
    Status outcome = remove_one(api::kWorkflowRun, key_);
    if (const auto removed = remove_one(api::kWorkflow, key_); !removed) outcome = removed;
    if (config_.delete_agent) {
      if (const auto removed = remove_one(api::kAgent, {config_.namespace_, config_.agent}); !removed)
        outcome = removed;
    }
    return outcome;
  }

  Status remove_one(const kube::ResourceType& type, const kube::ObjectKey& key) {
    auto removed = client_.remove(type, key);
    if (removed || removed.error().code == ErrorCode::NotFound) return {};
    return removed;
  }

  kube::Client& client_;
  Clock& clock_;
  const CheckConfig& config_;
  const kube::ObjectKey key_;
  std::ostream& out_;
};

}  // namespace

Status run_check(kube::Client& client, Clock& clock, const CheckConfig& config, const std::string& suffix,
                 std::ostream& out) {
  const auto begun = clock.monotonic_now();
  auto outcome = Check(client, clock, config, suffix, out).run();
  if (outcome) {
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(clock.monotonic_now() - begun);
    out << "passed after " << format_duration(took) << std::endl;
  }
  return outcome;
}

Status write_answer() {
  const char* file = std::getenv("CONVOKE_OUTPUT");
  if (file == nullptr) {
    return {ErrorCode::Invalid, "--answer is the command of a Task: CONVOKE_OUTPUT is not set"};
  }
  const char* answer = std::getenv("CONVOKE_PARAM_ANSWER");
  std::ofstream out(file);
  out << dump_json({{"answer", answer == nullptr ? kAnswer : answer}});
  out.close();
  if (!out) return {ErrorCode::Unavailable, std::string("cannot write ") + file};
  return {};
}

}  // namespace convoke::check
