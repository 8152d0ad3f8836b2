#include "tests/unit/reconcilers/api/manifests.h"

namespace convoke::api::manifests {
namespace {

Json conditions() {
  return Json::parse(R"json([{"type": "Ready", "status": "True", "reason": "Fine", "message": "all is well",
                          "observedGeneration": 3, "lastTransitionTime": "2026-01-31T12:00:00Z"}])json");
}

Json retry() {
  return Json::parse(R"json({"limit": 5, "on": ["Timeout", "Failed"],
                         "backoff": {"type": "Fixed", "base": "7s", "max": "1m10s"}})json");
}

Json object(const char* kind, Json spec, Json status) {
  status["conditions"] = conditions();
  status["observedGeneration"] = 3;
  return {{"apiVersion", "convoke.dev/v1alpha1"},
          {"kind", kind},
          {"metadata",
           {{"name", "sample"},
            {"namespace", "team-a"},
            {"uid", "7d0c7f5e-6e39-4b07-9d9b-6f0c1d8b2a11"},
            {"resourceVersion", "41"},
            {"generation", 3}}},
          {"spec", std::move(spec)},
          {"status", std::move(status)}};
}

}  // namespace

Json agent() {
  return object("Agent", Json::parse(R"json({
      "type": "builder", "capabilities": ["compile", "unit-test"], "capacity": 4,
      "heartbeat": {"interval": "10s", "timeout": "45s"}, "cordoned": true})json"),
                Json::parse(R"json({
      "phase": "Draining", "lastHeartbeatTime": "2026-01-31T12:00:00.123456Z", "activeTasks": 2})json"));
}

Json task() {
  Json spec = Json::parse(R"json({
      "type": "code_review", "title": "Prüfe \u2603", "description": "all of it",
      "parameters": {"path": "src", "depth": [1, 2.5, {"x": null}]}, "priority": 5,
      "requires": {"capabilities": ["review"],
                   "agentSelector": {"matchLabels": {"tier": "gpu"},
                                     "matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}},
      "agentName": "builder-1", "timeout": "10m", "deadline": "2h", "suspend": true,
      "cancel": {"reason": "not needed"}, "ttlAfterFinished": "1h30m"})json");
  spec["retry"] = retry();
  return object("Task", std::move(spec), Json::parse(R"json({
      "phase": "Running", "reason": "Reported", "message": "at work", "attempt": 2, "agentName": "builder-1",
      "assignment": {"id": "abc-2", "strategy": "CapabilityMatch", "score": "10.5", "candidates": 3,
                     "time": "2026-01-31T12:00:01Z",
                     "rejected": [{"agentName": "builder-2", "reason": "is full (10 of 10)"
}]
}
, "report" : {
  "assignmentID" : "abc-2",
  "state" : "Failed",
  "progress" : 40,
  "message" : "half",
  "outputs" : {"sha256" : "00ff", "files" : [ 1, 2 ]},
  "error" : {"code" : "Exit", "message" : "exit status 2", "retryable" : false},
  "startedAt" : "2026-01-31T12:00:02Z",
  "finishedAt" : "2026-01-31T12:00:09Z",
  "extra" : [1]
},
             "queuedAt" : "2026-01-31T12:00:00Z",
                          "assignedAt" : "2026-01-31T12:00:01Z",
                                         "startedAt" : "2026-01-31T12:00:02Z",
                                                       "completedAt" : "2026-01-31T12:00:09Z",
                                                                       "retryAt" : "2026-01-31T12:01:00Z",
                                                                                   "attempts"
    : [ {
      "attempt" : 1,
      "agentName" : "builder-2",
      "assignmentID" : "abc-1",
      "outcome" : "AgentLost",
      "reason" : "AgentLost",
      "message" : "no heartbeat for 90s",
      "assignedAt" : "2026-01-31T11:00:00Z",
      "startedAt" : "2026-01-31T11:00:01Z",
      "finishedAt" : "2026-01-31T11:02:00Z"
    } ]
})json"));
}

Json workflow() {
  Json spec = Json::parse(R"json({
      "description": "builds and ships",
      "parameters": [{"name": "version", "type": "Number", "default": 1.5, "required": true,
                      "enum": [1.5, 2], "description": "which one"}],
      "mode": "Sequential", "parallelism": 4, "timeout": "2h", "onFailure": "Continue",
      "steps": [{"name": "build", "dependsOn": ["fetch"], "task": {"type": "compile"}, "timeout": "5m",
                 "optional": true}],
      "outputs": [{"name": "image", "value": "$(steps.build.outputs.image)"}],
      "triggers": [{"type": "Create"}], "historyLimits": {"succeeded": 1, "failed": 2}, "suspend": true
})json");
  spec["retry"] = retry();
  spec["steps"][0]["retry"] = retry();
  return object("Workflow", std::move(spec), Json::parse(R"json({
      "phase": "Ready", "currentRevision": "sample-5f6d", "currentRevisionNumber": 2, "createdRun": "sample-1",
      "activeRuns": 1, "lastRun": "sample-1", "lastRunPhase": "Running"})json"));
}

Json workflow_run() {
  return object("WorkflowRun", Json::parse(R"json({
      "workflowName": "release", "workflowSpec": {"steps": []}, "revision": "release-5f6d",
      "parameters": {"version": "1.2"}, "triggeredBy": "alice", "suspend": true,
      "cancel": {"reason": "wrong version"}})json"),
                Json::parse(R"json({
      "phase": "Running", "reason": "StepsRunning", "message": "1 of 3 steps", "revision": "release-5f6d",
      "parameters": {"version": "1.2", "push": false},
      "steps": [{"name": "build", "phase": "Failed", "reason": "Exit", "message": "exit status 2",
                 "taskName": "sample-build", "startedAt": "2026-01-31T12:00:02Z",
                 "completedAt": "2026-01-31T12:00:09Z"}],
      "counts": {"total": 21, "pending": 6, "running": 5, "succeeded": 4, "failed": 3, "skipped": 2,
                 "cancelled": 1},
      "progress": "15/21", "outputs": {"image": "x"}, "startedAt": "2026-01-31T12:00:00Z",
      "completedAt": "2026-01-31T12:10:00Z"})json"));
}

}  // namespace convoke::api::manifests
