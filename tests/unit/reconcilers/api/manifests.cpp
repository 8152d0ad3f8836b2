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
      "cost": {"perTask": "0.002", "perMinute": "1.5"}, "rateLimit": {"tasksPerMinute": 60, "burst": 10},
      "circuitBreaker": {"failureThreshold": 2, "openFor": "10s", "halfOpenTasks": 1},
      "dispatch": {"mode": "HTTP",
                   "http": {"url": "https://h/tasks", "timeout": "5s", "healthPath": "/healthz",
                            "pollInterval": "2s", "caSecret": {"name": "ca", "key": "ca.crt"},
                            "tokenSecret": {"name": "token", "key": "t"}, "basicAuthSecret": {"name": "login"}},
                   "job": {"template": {"spec": {"containers": [{"name": "main"}]}}, "container": "main"}},
      "heartbeat": {"interval": "10s", "timeout": "45s"}, "cordoned": true})json"),
                Json::parse(R"json({
      "phase": "Draining", "lastHeartbeatTime": "2026-01-31T12:00:00.123456Z", "activeTasks": 2,
      "completedTasks": 7, "failedTasks": 3, "successRate": "0.7001", "averageDuration": "1.5s",
      "circuit": "HalfOpen", "consecutiveFailures": 1, "circuitChangedAt": "2026-01-31T12:00:00.123456Z",
      "statistics": [{"type": "compile", "tasks": 10, "successRate": "0.7", "meanDuration": "1.5s",
                      "p95Duration": "4s"}]})json"));
}

Json task() {
  Json spec = Json::parse(R"json({
      "type": "code_review", "title": "Prüfe \u2603", "description": "all of it",
      "parameters": {"path": "src", "depth": [1, 2.5, {"x": null}]}, "priority": 5,
      "requires": {"capabilities": ["review"],
                   "agentSelector": {"matchLabels": {"tier": "gpu"},
                                     "matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]},
                   "rule": "agent.spec.capacity > 1"},
      "agentName": "builder-1", "assignment": {"strategy": "LeastLoaded"}, "delivery": "AtMostOnce",
      "notBefore": "2026-01-31T11:00:00Z", "timeout": "10m", "deadline": "2h",
      "locks": [{"name": "deploy-prod"}, {"name": "gpus", "mode": "Shared", "permits": 3}],
      "subtasks": [{"name": "one", "task": {"type": "part", "parameters": {"n": 1}}}],
      "aggregation": {"strategy": "Quorum", "quorum": 1, "timeout": "5m"},
      "idempotencyKey": "review-42", "suspend": true,
      "cancel": {"reason": "not needed"}, "ttlAfterFinished": "1h30m"})json");
  spec["retry"] = retry();
  Json status = Json::parse(R"json({
      "phase": "Running", "reason": "Reported", "message": "at work", "attempt": 2, "agentName": "builder-1",
      "assignment": {"id": "abc-2", "strategy": "CapabilityMatch", "score": "10.5", "candidates": 3,
                     "time": "2026-01-31T12:00:01Z", "fencing": {"deploy-prod": 7, "gpus": 1},
                     "rejected": [{"agentName": "builder-2", "reason": "is full"}]},
      "queuedAt": "2026-01-31T12:00:00Z", "assignedAt": "2026-01-31T12:00:01Z",
      "startedAt": "2026-01-31T12:00:02Z", "completedAt": "2026-01-31T12:00:09Z",
      "retryAt": "2026-01-31T12:01:00Z", "delegations": 1,
      "dispatch": {"assignmentID": "abc-2", "agentName": "builder-1", "acceptedAt": "2026-01-31T12:00:02Z",
                   "location": "https://h/state/1", "jobName": "sample-abc-2"},
      "waitingForLock": {"name": "deploy-prod", "position": 2, "heldBy": "team-a/other"},
      "subtasks": [{"name": "one", "taskName": "sample-one", "phase": "Failed", "reason": "Timeout"},
                   {"name": "two"}],
      "resultFrom": "other"})json");
  status["report"] = Json::parse(R"json({
      "assignmentID": "abc-2", "state": "Failed", "progress": 40, "message": "half",
      "outputs": {"sha256": "00ff", "files": [1, 2]},
      "error": {"code": "Exit", "message": "exit status 2", "retryable": false},
      "startedAt": "2026-01-31T12:00:02Z", "finishedAt": "2026-01-31T12:00:09Z", "extra": [1]})json");
  status["attempts"] = Json::parse(R"json([{
      "attempt": 1, "agentName": "builder-2", "assignmentID": "abc-1", "outcome": "AgentLost",
      "reason": "AgentLost", "message": "no heartbeat for 90s", "assignedAt": "2026-01-31T11:00:00Z",
      "startedAt": "2026-01-31T11:00:01Z", "finishedAt": "2026-01-31T11:02:00Z"}])json");
  return object("Task", std::move(spec), std::move(status));
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
      "triggers": [
          {"type": "Create"},
          {"type": "Schedule", "name": "nightly",
           "schedule": {"cron": "30 3 * * *", "timeZone": "Europe/Berlin", "concurrencyPolicy": "Forbid",
                        "startingDeadline": "10m", "parameters": {"version": 2}}},
          {"type": "Event", "event": {"type": "push", "source": "/repo", "filter": "true",
                                      "parameters": {"version": "$(event.data.version)"}}}],
      "historyLimits": {"succeeded": 1, "failed": 2}, "suspend": true
})json");
  spec["retry"] = retry();
  spec["steps"][0]["retry"] = retry();
  return object("Workflow", std::move(spec), Json::parse(R"json({
      "phase": "Ready", "currentRevision": "sample-5f6d", "currentRevisionNumber": 2, "createdRun": "sample-1",
      "triggers": [
          {"name": "nightly", "type": "Schedule", "schedule": "30 3 * * * Europe/Berlin",
           "lastScheduleTime": "2026-01-30T02:30:00Z", "nextScheduleTime": "2026-01-31T02:30:00Z", "missed": 3,
           "skipped": 2, "lastRun": "sample-nightly-29496150", "message": "exceeded quota"},
          {"name": "change", "type": "Change", "revisionNumber": 2}],
      "nextScheduleTime": "2026-01-31T02:30:00Z", "pastEvents": ["0123456789abcdef0123"],
      "activeRuns": 1, "lastRun": "sample-1", "lastRunPhase": "Running"})json"));
}

Json workflow_run() {
  return object("WorkflowRun", Json::parse(R"json({
      "workflowName": "release", "workflowSpec": {"steps": []}, "revision": "release-5f6d",
      "parameters": {"version": "1.2"}, "triggeredBy": "alice", "event": {"id": "1"}, "suspend": true,
      "ttlAfterFinished": "1h30m",
      "cancel": {"reason": "wrong version"}})json"),
                Json::parse(R"json({
      "phase": "Running", "reason": "StepsRunning", "message": "1 of 3 steps", "revision": "release-5f6d",
      "parameters": {"version": "1.2", "push": false},
      "steps": [{"name": "build", "phase": "Failed", "reason": "Exit", "message": "exit status 2",
                 "taskName": "sample-build", "startedAt": "2026-01-31T12:00:02Z",
                 "completedAt": "2026-01-31T12:00:09Z", "approvedBy": ["ann"]}],
      "counts": {"total": 21, "pending": 6, "running": 5, "succeeded": 4, "failed": 3, "skipped": 2,
                 "cancelled": 1},
      "progress": "15/21", "outputs": {"image": "x"}, "startedAt": "2026-01-31T12:00:00Z",
      "completedAt": "2026-01-31T12:10:00Z", "duration": "10m"})json"));
}

}  // namespace convoke::api::manifests
