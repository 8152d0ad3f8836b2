#include "reconcilers/dispatch/job.h"

#include <gtest/gtest.h>

namespace convoke::dispatch {
namespace {

using api::ReportState;

api::Task task_with_parameters() {
  api::Task task;
  task.meta.namespace_ = "default";
  task.meta.name = "build.a";
  task.meta.uid = "0123";
  task.spec.parameters = R"({"path": "$(HOME)/x", "count": 3, "on": true, "list": [1], "none": null})";
  task.status.assignment.id = "0123-1-abcd";
  task.status.assignment.fencing = {{"deploy-prod", 7}};
  task.status.attempt = 1;
  return task;
}

api::Agent some_agent(const std::string& pod_spec, const std::string& container = {}) {
  api::Agent agent;
  agent.meta.name = "builder";
  agent.spec.dispatch.mode = api::DispatchMode::Job;
  agent.spec.dispatch.job = {R"({"metadata": {"labels": {"mine": "yes"}}, "spec": )" + pod_spec + "}",
                             container};
  return agent;
}

std::map<std::string, std::string> environment_of(const Json& container) {
  std::map<std::string, std::string> environment;
  for (const Json& variable : container["env"]) environment[variable["name"]] = variable["value"];
  return environment;
}

Json pod_with(const Json& state, const std::string& container = "main") {
  return {{"spec", {{"containers", {{{"name", "main"}}, {{"name", "sidecar"}}}}}},
          {"status", {{"containerStatuses", {{{"name", container}, {"state", state}}}}}}};
}

Json terminated(int exit_code, const std::string& message, const std::string& reason = "Error") {
  return {{"terminated", {{"exitCode", exit_code}, {"message", message}, {"reason", reason}}}};
}

Job finished(const std::string& how) {
  Job job;
  job.finished = how;
  job.reason = how == "Failed" ? "BackoffLimitExceeded" : "";
  job.message = "Job has reached the specified backoff limit";
  return job;
}

TEST(MakeJob, GivesTheContainerTheTask) {
  const auto agent = some_agent(R"({"containers": [{"name": "a"}, {"name": "b", "env": [
      {"name": "MINE", "value": "1"}, {"name": "CONVOKE_TASK_UID", "value": "forged"}]}]})",
                                "b");
  const Json job = *make_job(task_with_parameters(), agent, std::chrono::milliseconds(1500));
  EXPECT_EQ(job["metadata"]["name"], "build-a-0123-1-abcd");
  EXPECT_EQ(job["metadata"]["ownerReferences"][0]["uid"], "0123");
  EXPECT_EQ(job["spec"]["backoffLimit"], 0);
  EXPECT_EQ(job["spec"]["activeDeadlineSeconds"], 12);
  const Json& pod = job["spec"]["template"];
  EXPECT_EQ(pod["metadata"]["labels"]["mine"], "yes");
  EXPECT_EQ(pod["metadata"]["labels"]["convoke.dev/agent"], "builder");
  EXPECT_EQ(pod["spec"]["restartPolicy"], "Never");
  EXPECT_FALSE(pod["spec"]["containers"][0].contains("env"));
  const auto environment = environment_of(pod["spec"]["containers"][1]);
  EXPECT_EQ(environment.at("MINE"), "1");
  EXPECT_EQ(environment.at("CONVOKE_TASK_UID"), "0123");
  EXPECT_EQ(environment.at("CONVOKE_PARAM_COUNT"), "3");
  EXPECT_EQ(environment.at("CONVOKE_PARAM_ON"), "true");
  EXPECT_EQ(environment.at("CONVOKE_PARAM_PATH"), "$$(HOME)/x") << "Kubernetes would expand it";
  EXPECT_EQ(environment.at("CONVOKE_FENCING_DEPLOY_PROD"), "7");
  EXPECT_FALSE(environment.contains("CONVOKE_PARAM_LIST"));
  EXPECT_EQ(pod["spec"]["containers"][1]["volumeMounts"][0]["mountPath"], "/convoke");
  const std::string file = pod["metadata"]["annotations"][kTaskAnnotation];
  EXPECT_EQ((*parse_json(file))["task"]["parameters"]["list"][0], 1);
}

TEST(MakeJob, AParameterThatNoVariableCanHoldIsInTheFileOnly) {
  auto task = task_with_parameters();
  const std::string large(101 * 1024, 'x');
  task.spec.parameters = Json{{"large", large}, {"small", "x"}}.dump();
  const Json job =
      *make_job(task, some_agent(R"({"containers": [{"name": "main"}]})"), std::chrono::seconds(1));
  const Json& pod = job["spec"]["template"];
  const auto environment = environment_of(pod["spec"]["containers"][0]);
  EXPECT_FALSE(environment.contains("CONVOKE_PARAM_LARGE"));
  EXPECT_EQ(environment.at("CONVOKE_PARAM_SMALL"), "x");
  const std::string file = pod["metadata"]["annotations"][kTaskAnnotation];
  EXPECT_EQ((*parse_json(file))["task"]["parameters"]["large"], large);
}

TEST(MakeJob, NeedsAContainer) {
  for (const char* spec : {"{}", R"({"containers": []})", R"({"containers": 3})", "[]",
                           R"({"containers": [{"name": "other"}]})"}) {
    EXPECT_FALSE(make_job(task_with_parameters(), some_agent(spec, "main"), std::chrono::seconds(1))) << spec;
  }
}

TEST(JobOutcome, TheTerminationMessageIsTheResult) {
  const Outcome object = outcome_of(finished("Complete"), pod_with(terminated(0, R"({"a": 1})")), "");
  EXPECT_EQ(object.state, ReportState::Succeeded);
  EXPECT_EQ(object.outputs, R"({"a":1})");
  EXPECT_EQ(outcome_of(finished("Complete"), pod_with(terminated(0, "done")), "main").outputs,
            R"({"message":"done"})");
  EXPECT_EQ(outcome_of(finished("Complete"), pod_with(terminated(0, "")), "").outputs, "");
  EXPECT_EQ(outcome_of(finished("Complete"), Json(), "").state, ReportState::Succeeded);
}

TEST(JobOutcome, AFailureSaysWhatItWas) {
  const Outcome exit = outcome_of(finished("Failed"), pod_with(terminated(3, "no such file")), "");
  EXPECT_EQ(exit.error_code, "ExitCode3");
  EXPECT_EQ(exit.error_message, "no such file");
  EXPECT_EQ(outcome_of(finished("Failed"), pod_with(terminated(137, "", "OOMKilled")), "").error_code,
            "OOMKilled");
  Json evicted = pod_with(Json::object());
  evicted["status"]["reason"] = "Evicted";
  EXPECT_EQ(outcome_of(finished("Failed"), evicted, "").error_code, "Evicted");
  EXPECT_EQ(outcome_of(finished("Failed"), Json(), "").error_code, "BackoffLimitExceeded");
}

TEST(JobOutcome, OfTheNamedContainerOnly) {
  const Outcome outcome = outcome_of(finished("Complete"), pod_with(terminated(0, "x"), "sidecar"), "main");
  EXPECT_EQ(outcome.outputs, "");
}

TEST(PodTrouble, IsToldToPeople) {
  EXPECT_EQ(
      waits_for(pod_with({{"waiting", {{"reason", "ImagePullBackOff"}, {"message", "no such image"}}}})),
      "container main: ImagePullBackOff: no such image");
  EXPECT_EQ(waits_for(pod_with({{"waiting", {{"reason", "ContainerCreating"}}}})), "");
  Json pending = {
      {"status",
       {{"conditions", {{{"type", "PodScheduled"}, {"status", "False"}, {"message", "0/3 nodes"}}}}}}};
  EXPECT_EQ(waits_for(pending), "the Pod cannot be scheduled: 0/3 nodes");
  EXPECT_EQ(waits_for(Json()), "");
}

}  // namespace
}  // namespace convoke::dispatch
