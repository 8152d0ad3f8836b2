"""The CRDs on a real API server: what they take, what they refuse and how they say so, and how they look in kubectl."""

import subprocess
import sys

import pytest
import yaml

from harness.dev_cluster import REPO

FILES = sorted((REPO / "crds").glob("*.yaml"))
CRDS = {crd["spec"]["names"]["kind"]: crd for crd in (yaml.safe_load(file.read_text()) for file in FILES)}
KINDS = ("Agent", "Task", "Workflow", "WorkflowRun")

STEP = {"name": "build", "task": {"type": "compile"}}


def manifest(kind, name, spec, **metadata):
    return {"apiVersion": "convoke.dev/v1alpha1", "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}


def schema(kind):
    return CRDS[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def fields(node, path=""):
    """Every field and item of a schema with its path."""
    for name, child in node.get("properties", {}).items():
        yield f"{path}.{name}", child
        yield from fields(child, f"{path}.{name}")
    for part in ("items", "additionalProperties"):
        if isinstance(node.get(part), dict):
            yield f"{path}[]", node[part]
            yield from fields(node[part], f"{path}[]")


# --- the files ------------------------------------------------------------------------------------------------------------


def test_there_is_one_file_for_each_kind_and_none_is_large():
    assert set(CRDS) == set(KINDS)
    assert all(file.stat().st_size < 256 * 1024 for file in FILES)


def test_files_are_what_the_generator_writes():
    subprocess.run([sys.executable, REPO / "hack/generate-crds", "--check"], check=True)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_a_description(kind):
    bare = [path for path, field in fields(schema(kind)) if not field.get("description") and path != ".metadata"]
    assert bare == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_text_and_every_list_is_bounded(kind):
    for path, field in fields(schema(kind)["properties"]["spec"]):
        if field.get("type") == "string":
            assert "maxLength" in field or "enum" in field, path
        if field.get("type") == "array":
            assert "maxItems" in field and "x-kubernetes-list-type" in field, path


def test_a_run_carries_the_same_definition_as_a_workflow():
    workflow = schema("Workflow")["properties"]["spec"]
    inline = schema("WorkflowRun")["properties"]["spec"]["properties"]["workflowSpec"]
    assert {**workflow, "description": ""} == {**inline, "description": ""}


def defaults_in_lists(node, path="", in_list=False, keys=()):
    """A key of a list-map must be there, so it may have one."""
    found = [path] if in_list and "default" in node else []
    for name, field in node.get("properties", {}).items():
        found += defaults_in_lists(field, f"{path}.{name}", in_list) if name not in keys else []
    return found + (defaults_in_lists(node["items"], f"{path}[]", True, node.get("x-kubernetes-list-map-keys", ())) if "items" in node else [])


@pytest.mark.parametrize("kind", KINDS)
def test_what_lies_in_a_list_has_no_default(kind):
    """A client-side apply compares lists as they are written: with a default it would find a difference for ever."""
    assert defaults_in_lists(schema(kind)) == []


# --- in the cluster -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_crd_is_established(admin, kind):
    name = CRDS[kind]["metadata"]["name"]
    conditions = {c["type"]: c["status"] for c in admin.get("crd", name)["status"]["conditions"]}
    assert conditions["Established"] == "True" and conditions["NamesAccepted"] == "True"
    assert "NonStructuralSchema" not in conditions


def step(**more):
    return {"steps": [{**STEP, **more}]}


def bare(**kind):
    return {"steps": [{"name": "gate", **kind}]}


def said(**more):
    return {"step": "gate", "user": "ann", "decision": "Approve", **more}


REFUSED = [
    ("Agent", {"dispatch": {"mode": "Webhook"}}, "spec.dispatch.mode"),
    ("Agent", {"dispatch": {"mode": "HTTP"}}, "http is needed with the mode HTTP"),
    ("Agent", {"webhook": {}}, 'unknown field "spec.webhook"'),
    ("Agent", {"capacity": 0}, "spec.capacity"),
    ("Agent", {"capacity": "many"}, "spec.capacity"),
    ("Agent", {"capabilities": ["a", "a"]}, "spec.capabilities[1]: Duplicate value"),
    ("Agent", {"heartbeat": {"interval": "soon"}}, "spec.heartbeat.interval"),
    ("Agent", {"heartbeat": {"interval": "0s"}}, "must be longer than 0s"),
    ("Agent", {"heartbeat": {"interval": "2m"}}, "timeout must be longer than interval"),
    ("Task", {}, "spec.type: Required value"),
    ("Task", {"type": ""}, "spec.type"),
    ("Task", {"type": "x", "prioritty": 3}, 'unknown field "spec.prioritty"'),
    ("Task", {"type": "x", "lock": []}, 'unknown field "spec.lock"'),
    ("Task", {"type": "x", "locks": [{"name": "a"}, {"name": "a"}]}, "spec.locks[1]: Duplicate value"),
    ("Task", {"type": "x", "locks": [{"name": "a", "permits": 2}]}, "permits belong to mode Shared"),
    ("Task", {"type": "x", "assignment": {"strategy": "Fastest"}}, 'spec.assignment.strategy: Unsupported value: "Fastest"'),
    ("Task", {"type": "x", "requires": {"rule": "a" * 4097}}, "spec.requires.rule: Too long: may not be more than 4096"),
    ("Agent", {"cost": {"perTask": "-1"}}, "spec.cost.perTask"),
    ("Task", {"type": "x", "priority": 6}, "spec.priority"),
    ("Task", {"type": "x", "title": "t" * 501}, "spec.title: Too long: may not be more than 500"),
    ("Task", {"type": "x", "parameters": [1]}, "spec.parameters"),
    ("Task", {"type": "x", "timeout": "90"}, "spec.timeout"),
    ("Task", {"type": "x", "timeout": "99999999h"}, "spec.timeout"),
    ("Task", {"type": "x", "deadline": "0s"}, "must be longer than 0s"),
    ("Task", {"type": "x", "ttlAfterFinished": "-1h"}, "spec.ttlAfterFinished"),
    ("Task", {"type": "x", "agentName": "No Name"}, "spec.agentName"),
    ("Task", {"type": "x", "retry": {"on": ["Moon"]}}, "spec.retry.on[0]"),
    ("Task", {"type": "x", "retry": {"limit": -1}}, "spec.retry.limit"),
    ("Task", {"type": "x", "retry": {"backoff": {"base": "2m"}}}, "base (default 5s) must not be longer than max (default 60s)"),
    ("Task", {"type": "x", "requires": {"agentSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}},
     "values are needed with In"),
    ("Workflow", {"steps": []}, "spec.steps"),
    ("Workflow", {"steps": [{"name": "build"}]}, "a step is exactly one of task, approval, wait and workflow"),
    ("Workflow", {"steps": [{**STEP, "approval": {}}]}, "a step is exactly one of task, approval, wait and workflow"),
    ("Workflow", {"steps": [{"name": "a", "wait": {"duration": "1s"}, "workflow": {"name": "b"}}]}, "a step is exactly one of"),
    ("Workflow", {"steps": [STEP, STEP]}, "spec.steps[1]: Duplicate value"),
    ("Workflow", {"steps": [{**STEP, "name": "Build It"}]}, "spec.steps[0].name"),
    ("Workflow", {"steps": [{**STEP, "dependsOn": ["a.Done"]}]}, "spec.steps[0].dependsOn[0]"),
    ("Workflow", {"steps": [{**STEP, "dependsOn": ["a", "a"]}]}, "spec.steps[0].dependsOn[1]: Duplicate value"),
    ("Workflow", step(when=""), "spec.steps[0].when"),
    ("Workflow", step(when="a" * 4097), "spec.steps[0].when: Too long: may not be more than 4096"),
    ("Workflow", step(forEach={}), "spec.steps[0].forEach"),
    ("Workflow", step(forEach={"items": [], "range": {"from": 1, "to": 2}}), "spec.steps[0].forEach"),
    ("Workflow", step(forEach={"range": {"from": 1}}), "spec.steps[0].forEach.range.to: Required value"),
    ("Workflow", step(forEach={"range": {"from": 1, "to": 2.5}}), "spec.steps[0].forEach.range.to"),
    ("Workflow", step(forEach={"items": [], "as": "the item"}), "spec.steps[0].forEach.as"),
    ("Workflow", step(forEach={"items": [], "parallelism": 0}), "spec.steps[0].forEach.parallelism"),
    ("Workflow", step(forEach={"items": [], "parallelism": 10001}), "spec.steps[0].forEach.parallelism"),
    ("Workflow", step(repeat={}), "spec.steps[0].repeat.until: Required value"),
    ("Workflow", step(repeat={"until": "true", "maxIterations": 0}), "spec.steps[0].repeat.maxIterations"),
    ("Workflow", step(repeat={"until": "true", "delay": "soon"}), "spec.steps[0].repeat.delay"),
    ("Workflow", step(compensate={}), "spec.steps[0].compensate.type: Required value"),
    ("Workflow", step(compensate={"type": "x", "retry": {"limit": 101}}), "spec.steps[0].compensate.retry.limit"),
    ("Workflow", step(compensate={"type": "x", "timeout": "0s"}), "must be longer than 0s"),
    ("Workflow", step(transitions=[{"when": "true"}]), "spec.steps[0].transitions[0].to: Required value"),
    ("Workflow", step(transitions=[{"to": "a"}] * 65), "spec.steps[0].transitions: Too many"),
    ("Workflow", bare(approval={"required": 0}), "spec.steps[0].approval.required"),
    ("Workflow", bare(approval={"required": 101}), "spec.steps[0].approval.required"),
    ("Workflow", bare(approval={"approvers": ["a", "a"]}), "spec.steps[0].approval.approvers[1]: Duplicate value"),
    ("Workflow", bare(approval={"timeout": "0s"}), "must be longer than 0s"),
    ("Workflow", bare(approval={"onTimeout": "Wait"}), 'spec.steps[0].approval.onTimeout: Unsupported value: "Wait"'),
    ("Workflow", bare(wait={}), "exactly one of duration, until and event is needed"),
    ("Workflow", bare(wait={"duration": "1s", "until": "true"}), "exactly one of duration, until and event is needed"),
    ("Workflow", bare(wait={"event": {}}), "spec.steps[0].wait.event.type: Required value"),
    ("Workflow", bare(workflow={}), "spec.steps[0].workflow.name: Required value"),
    ("Workflow", bare(workflow={"name": "w", "parameters": [1]}), "spec.steps[0].workflow.parameters"),
    ("Workflow", {"steps": [STEP], "finally": [STEP, STEP]}, "spec.finally[1]: Duplicate value"),
    ("Workflow", {"steps": [STEP], "finally": [{"name": "a"}]}, "a step is exactly one of task, approval, wait and workflow"),
    ("Workflow", {"steps": [STEP], "finally": [{**STEP, "name": f"s{i}"} for i in range(101)]}, "spec.finally: Too many"),
    ("Workflow", {"steps": [STEP], "maxTransitions": 0}, "spec.maxTransitions"),
    ("Workflow", {"steps": [STEP], "maxTransitions": 10001}, "spec.maxTransitions"),
    ("Workflow", {"steps": [{"name": "a", "task": {"type": "x", "priority": 9}}]}, "must be from 1 to 5"),
    ("Workflow", {"steps": [{"name": "a", "task": {"type": "x", "priority": "high"}}]}, "or a placeholder"),
    ("Workflow", {"steps": [STEP], "mode": "Random"}, "spec.mode"),
    ("Workflow", {"steps": [STEP], "onFailure": "Ignore"}, "spec.onFailure"),
    ("Workflow", {"steps": [STEP], "triggers": [{"type": "Sometimes"}]}, "spec.triggers[0].type"),
    ("Workflow", {"steps": [STEP], "triggers": [{"type": "Schedule"}]}, "needs schedule, and no other has it"),
    ("Workflow", {"steps": [STEP], "triggers": [{"type": "Create", "event": {"type": "x"}}]}, "needs event, and no other has it"),
    ("Workflow", {"steps": [STEP], "parallelism": 0}, "spec.parallelism"),
    ("Workflow", {"steps": [STEP], "parameters": [{"name": "a", "type": "Date"}]}, "spec.parameters[0].type"),
    ("Workflow", {"steps": [STEP], "historyLimits": {"failed": -1}}, "spec.historyLimits.failed"),
    ("WorkflowRun", {}, "exactly one of workflowName and workflowSpec"),
    ("WorkflowRun", {"workflowName": "a", "workflowSpec": {"steps": [STEP]}}, "exactly one of workflowName and workflowSpec"),
    ("WorkflowRun", {"workflowSpec": {"steps": [STEP]}, "revision": "r"}, "revision needs workflowName"),
    ("WorkflowRun", {"workflowName": "a", "retryFrom": {}}, "spec.retryFrom.round: Required value"),
    ("WorkflowRun", {"workflowName": "a", "retryFrom": {"round": 0}}, "spec.retryFrom.round"),
    ("WorkflowRun", {"workflowName": "a", "retryFrom": {"round": 1001}}, "spec.retryFrom.round"),
    ("WorkflowRun", {"workflowName": "a", "retryFrom": {"round": 1, "steps": ["a", "a"]}}, "spec.retryFrom.steps[1]: Duplicate value"),
    ("WorkflowRun", {"workflowName": "a", "createdBy": ""}, "spec.createdBy"),
    ("WorkflowRun", {"workflowName": "a", "createdBy": "u" * 254}, "spec.createdBy: Too long: may not be more than 253"),
    ("WorkflowRun", {"workflowName": "a", "approvals": [{"step": "s", "user": "u"}]}, "spec.approvals[0].decision: Required value"),
    ("WorkflowRun", {"workflowName": "a", "approvals": [said(decision="Maybe")]}, 'decision: Unsupported value: "Maybe"'),
    ("WorkflowRun", {"workflowName": "a", "approvals": [said(), said(decision="Reject")]}, "spec.approvals[1]: Duplicate value"),
    ("WorkflowRun", {"workflowName": "a", "approvals": [said(round=-1)]}, "spec.approvals[0].round"),
    ("WorkflowRun", {"workflowName": "a", "approvals": [said(comment="c" * 1025)]}, "comment: Too long: may not be more than 1024"),
    ("WorkflowRun", {"workflowName": "a", "cancel": {"compensate": "yes"}}, "spec.cancel.compensate"),
]


@pytest.mark.parametrize("kind,spec,complaint", REFUSED, ids=[f"{kind}-{i}" for i, (kind, _, _) in enumerate(REFUSED)])
def test_what_is_wrong_is_refused_and_named(admin, kind, spec, complaint):
    assert complaint in admin.expect_refused("apply", "-f", "-", document=manifest(kind, "wrong", spec))
    assert admin.list(kind) == []


@pytest.mark.parametrize("kind,spec", [("Agent", {}), ("Workflow", {"steps": [STEP]})])
def test_names_that_become_label_values_have_at_most_63_characters(admin, kind, spec):
    admin.create(manifest(kind, "n" * 63, spec))
    complaint = admin.expect_refused("create", "-f", "-", document=manifest(kind, "n" * 64, spec))
    assert "may have at most 63 characters" in complaint


@pytest.mark.parametrize("kind,spec", [("Task", {"type": "x"}), ("WorkflowRun", {"workflowName": "a"})])
def test_other_names_may_be_as_long_as_the_server_allows(admin, kind, spec):
    admin.create(manifest(kind, "n" * 253, spec))


@pytest.mark.parametrize("kind,given,taken", [
    ("Agent", {}, {"capacity": 10, "heartbeat": {"interval": "30s", "timeout": "90s"}, "cordoned": False}),
    ("Task", {"type": "x"}, {
        "type": "x", "priority": 3, "timeout": "1h", "deadline": "24h", "suspend": False,
        "retry": {"limit": 3, "on": ["Failed", "Timeout", "AgentLost"],
                  "backoff": {"type": "Exponential", "base": "5s", "max": "60s"}}}),
    ("Workflow", {"steps": [STEP], "parameters": [{"name": "p"}], "retry": {"limit": 1}}, {
        "steps": [STEP], "parameters": [{"name": "p"}], "retry": {"limit": 1},
        "mode": "Graph", "parallelism": 10, "onFailure": "Abort", "maxTransitions": 100, "triggers": [{"type": "Create"}],
        "historyLimits": {"succeeded": 3, "failed": 3}, "suspend": False}),
    ("WorkflowRun", {"workflowName": "a"}, {"workflowName": "a", "suspend": False}),
], ids=KINDS)
def test_defaults(admin, kind, given, taken):
    admin.create(manifest(kind, "plain", given))
    assert admin.get(kind, "plain")["spec"] == taken


def test_an_empty_list_of_triggers_stays_empty(admin):
    admin.create(manifest("Workflow", "by-hand", {"steps": [STEP], "triggers": []}))
    assert admin.get("Workflow", "by-hand")["spec"]["triggers"] == []


def test_unicode_and_free_form_values_come_back_as_they_were(admin):
    parameters = {"größe": "🚀\u202e日本語", "deep": {"a": [{"b": [1, 2.5, True, {}]}]}, "": "", "$ref": [], "apiVersion": 1}
    admin.create(manifest("Task", "odd", {"type": "x", "title": "Prüfe ☃ " * 50, "parameters": parameters}))
    assert admin.get("Task", "odd")["spec"]["parameters"] == parameters
    values = {"a": 1, "b": [None, "$(params.p)"]}
    admin.create(manifest("Workflow", "odd", {
        "steps": [STEP], "outputs": [{"name": "o", "value": values}],
        "parameters": [{"name": "p", "type": "Object", "default": {"x": [1]}, "enum": [{"x": [1]}, 2, "three"]}]}))
    spec = admin.get("Workflow", "odd")["spec"]
    assert spec["outputs"][0]["value"] == values and spec["parameters"][0]["enum"] == [{"x": [1]}, 2, "three"]


def test_parameters_of_a_mebibyte_are_taken_and_can_be_worked_with(admin):
    admin.create(manifest("Task", "big", {"type": "x", "parameters": {"x": "y" * 1024 * 1024}}))
    admin.patch("Task", "big", {"spec": {"suspend": True}})
    admin.patch("Task", "big", {"status": {"phase": "Queued"}}, status=True)
    assert len(admin.get("Task", "big")["spec"]["parameters"]["x"]) == 1024 * 1024


def test_a_chain_of_two_thousand_steps_is_taken_and_no_longer_one(admin):
    chain = [{**STEP, "name": f"s{i}", "dependsOn": [f"s{i - 1}"] if i else [], "retry": {"limit": 1}} for i in range(2001)]
    complaint = admin.expect_refused("create", "-f", "-", document=manifest("Workflow", "chain", {"steps": chain}))
    assert "must have at most 2000 items" in complaint
    admin.create(manifest("Workflow", "chain", {"steps": chain[:2000]}))
    admin.create(manifest("WorkflowRun", "chain", {"workflowSpec": {"steps": chain[:2000]}}))
    admin.patch("WorkflowRun", "chain", {"spec": {"suspend": True}})


# --- changes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field,value", [
    ("type", "other"), ("title", "new"), ("title", None), ("description", "new"), ("parameters", {"a": 2}),
    ("parameters", {"b": {"c": 3}}), ("parameters", None), ("requires", {"capabilities": ["y"]}),
    ("requires", {"rule": "true"}), ("assignment", {"strategy": "Random"}), ("timeout", "2h"), ("retry", {"limit": 9}),
])
def test_what_a_task_is_cannot_be_changed(admin, field, value):
    admin.create(manifest("Task", "t", {"type": "x", "title": "old", "parameters": {"a": 1, "b": {"c": [2]}}}))
    complaint = admin.expect_patch_refused("Task", "t", {"spec": {field: value}})
    assert f"spec.{field}: Forbidden: {field} cannot be changed after creation" in complaint


def test_what_may_be_changed_in_a_task(admin):
    admin.create(manifest("Task", "t", {"type": "x", "parameters": {"a": 1, "b": {"c": [2, {"d": None}]}}}))
    change = {"priority": 5, "deadline": "48h", "suspend": True, "ttlAfterFinished": "0s", "cancel": {}}
    admin.patch("Task", "t", {"spec": change})
    assert change.items() <= admin.get("Task", "t")["spec"].items()
    admin.patch("Task", "t", {"spec": {"cancel": {"reason": "said later"}}})


@pytest.mark.parametrize("kind,spec", [("Task", {"type": "x"}), ("WorkflowRun", {"workflowName": "a"})])
def test_a_cancellation_cannot_be_taken_back(admin, kind, spec):
    admin.create(manifest(kind, "c", spec))
    admin.patch(kind, "c", {"spec": {"cancel": {}}})
    assert "a cancellation cannot be taken back" in admin.expect_patch_refused(kind, "c", {"spec": {"cancel": None}})


@pytest.mark.parametrize("patch", [
    [{"op": "replace", "path": "/spec/workflowSpec/steps/0/task/type", "value": "other"}],
    [{"op": "replace", "path": "/spec/workflowSpec/steps/0/task/parameters/x", "value": 2}],
    [{"op": "add", "path": "/spec/parameters", "value": {"a": 1}}],
    [{"op": "add", "path": "/spec/triggeredBy", "value": "me"}],
    [{"op": "add", "path": "/spec/createdBy", "value": "me"}],
    [{"op": "add", "path": "/spec/event", "value": {"id": "1"}}],
], ids=["step", "step-parameters", "parameters", "triggered-by", "created-by", "event"])
def test_what_a_run_executes_cannot_be_changed(admin, patch):
    steps = [{"name": "a", "task": {"type": "x", "parameters": {"x": 1}}}]
    admin.create(manifest("WorkflowRun", "r", {"workflowSpec": {"steps": steps}}))
    assert "cannot be changed after creation" in admin.expect_patch_refused("WorkflowRun", "r", patch)


def test_what_may_be_changed_in_a_run(admin):
    admin.create(manifest("WorkflowRun", "r", {"workflowName": "a"}))
    me = admin.do("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
    approval = {**said(user=me), "round": 0}
    change = {"suspend": True, "retryFrom": {"round": 2, "steps": ["gate"]}, "approvals": [approval], "cancel": {"compensate": True}}
    admin.patch("WorkflowRun", "r", {"spec": change})
    assert change.items() <= admin.get("WorkflowRun", "r")["spec"].items()
    assert "rounds only count up" in admin.expect_patch_refused("WorkflowRun", "r", {"spec": {"retryFrom": {"round": 1}}})


def test_steps_of_every_shape_are_taken_and_come_back_as_they_were(admin):
    spec = {"steps": [
        {**STEP, "when": "true", "dependsOn": ["gate.Ended", "pause"], "optional": True, "timeout": "5m", "retry": {"limit": 0},
         "forEach": {"items": {"a": [1, None]}, "as": "module", "parallelism": 2},
         "compensate": {"type": "undo", "timeout": "1m", "retry": {"limit": 9}}, "transitions": [{"when": "false", "to": "gate"}]},
        {**STEP, "name": "poll", "repeat": {"until": "true", "maxIterations": 3, "delay": "1s"}},
        {**STEP, "name": "count", "forEach": {"range": {"from": 1, "to": "$(params.n)"}, "as": "i"}},
        {"name": "gate", "approval": {"required": 2, "approvers": ["ann", "$(params.owner)"], "timeout": "1h", "onTimeout": "Skip"}},
        {"name": "pause", "wait": {"event": {"type": "done", "filter": "event.ok"}}},
        {"name": "sub", "workflow": {"name": "$(params.which)", "parameters": {"x": [1]}}}],
        "finally": [{**STEP, "name": "last"}], "mode": "Graph", "maxTransitions": 7}
    admin.create(manifest("Workflow", "shapes", spec))
    assert spec.items() <= admin.get("Workflow", "shapes")["spec"].items()


def test_a_workflow_may_be_edited(admin):
    admin.create(manifest("Workflow", "w", {"steps": [STEP]}))
    admin.patch("Workflow", "w", {"spec": {"mode": "Parallel", "steps": [{**STEP, "name": "other"}]}})
    assert admin.get("Workflow", "w")["metadata"]["generation"] == 2


def test_two_managers_share_the_steps_of_a_workflow(admin):
    admin.apply(manifest("Workflow", "w", {"steps": [STEP, {"name": "test", "task": {"type": "test"}}]}), "team-a")
    admin.apply(manifest("Workflow", "w", {"steps": [{"name": "scan", "task": {"type": "scan"}}],
                                           "parameters": [{"name": "deep"}]}), "team-b")
    admin.apply(manifest("Workflow", "w", {"steps": [{"name": "build", "task": {"type": "make"}}]}), "team-a")
    steps = admin.get("Workflow", "w")["spec"]["steps"]
    assert {step["name"]: step["task"]["type"] for step in steps} == {"build": "make", "scan": "scan"}


def test_status_and_spec_are_written_apart(admin):
    admin.create({**manifest("Task", "t", {"type": "x"}), "status": {"phase": "Succeeded"}})
    assert admin.get("Task", "t")["status"] == {"phase": "Pending", "observedGeneration": -1}
    admin.patch("Task", "t", {"spec": {"priority": 5}, "status": {"phase": "Queued"}}, status=True)
    task = admin.get("Task", "t")
    assert task["spec"]["priority"] == 3 and task["status"] == {"phase": "Queued", "observedGeneration": -1}
    assert task["metadata"]["generation"] == 1


# --- how it looks ---------------------------------------------------------------------------------------------------------

READY = [{"type": "Ready", "status": "False", "reason": "BecauseOfThat", "message": "in words",
          "lastTransitionTime": "2026-01-31T12:00:00Z"}]

SAMPLES = {
    "Agent": ({"type": "builder", "capacity": 4}, {"phase": "Offline", "activeTasks": 0, "conditions": READY}),
    "Task": ({"type": "x", "agentName": "b"}, {
        "phase": "Running", "agentName": "builder-1", "attempt": 2, "reason": "Reported", "message": "in words",
        "report": {"progress": 40}}),
    "Workflow": ({"steps": [STEP]}, {
        "phase": "Invalid", "currentRevisionNumber": 3, "lastRun": "w-1", "lastRunPhase": "Failed", "conditions": READY}),
    "WorkflowRun": ({"workflowName": "release"}, {
        "phase": "Failed", "progress": "3/12", "reason": "StepFailed", "message": "in words"}),
}


def create_sample(admin, kind, name="sample"):
    spec, status = SAMPLES[kind]
    admin.create(manifest(kind, name, spec))
    admin.patch(kind, name, {"status": status}, status=True)


@pytest.mark.parametrize("kind,columns", [
    ("Agent", {"PHASE": "Offline", "TYPE": "builder", "CAPACITY": "4", "ACTIVE": "0", "REASON": "BecauseOfThat"}),
    ("Task", {"PHASE": "Running", "AGENT": "builder-1", "PROGRESS": "40", "ATTEMPT": "2", "REASON": "Reported"}),
    ("Workflow", {"PHASE": "Invalid", "REASON": "BecauseOfThat", "REVISION": "3", "LAST RUN": "w-1", "RUN PHASE": "Failed"}),
    ("WorkflowRun", {"WORKFLOW": "release", "PHASE": "Failed", "PROGRESS": "3/12", "REASON": "StepFailed"}),
], ids=KINDS)
def test_columns_say_whether_it_is_fine_and_if_not_why(admin, kind, columns):
    create_sample(admin, kind)
    row = admin.row(kind, "sample")
    assert columns.items() <= row.items() and "AGE" in row
    assert admin.row(kind, "sample", wide=True)["MESSAGE"] == "in words"


@pytest.mark.parametrize("kind,field,value", [
    ("Task", "status.agentName", "builder-1"), ("Task", "status.phase", "Running"), ("Task", "spec.type", "x"),
    ("Task", "spec.agentName", "b"), ("WorkflowRun", "spec.workflowName", "release"), ("WorkflowRun", "status.phase", "Failed"),
    ("Agent", "spec.type", "builder"), ("Agent", "status.phase", "Offline"), ("Workflow", "status.phase", "Invalid"),
])
def test_objects_are_selected_by_field(admin, kind, field, value):
    create_sample(admin, kind)
    admin.create(manifest(kind, "other", {"steps": [STEP]} if kind == "Workflow" else
                          {"workflowName": "other"} if kind == "WorkflowRun" else {"type": "other"}))
    assert [o["metadata"]["name"] for o in admin.list(kind, "--field-selector", f"{field}={value}")] == ["sample"]


def test_short_names_and_the_category(admin):
    for kind, short in zip(KINDS, ("cag", "ctk", "cwf", "cwr")):
        create_sample(admin, kind)
        assert len(admin.list(short)) == 1
    assert {o["kind"] for o in admin.list("convoke")} == set(KINDS)
