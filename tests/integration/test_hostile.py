"""Broken and hostile objects: each gets a clear condition and an Event, everything else goes on, and nothing spins."""

import json

import pytest

from harness.waiting import wait_until
from harness.world import run, shell_step, task, workflow


@pytest.fixture
def working(world):
    """A world in which an ordinary run must still succeed at the end, with few reconciles."""
    world.runner("worker")
    world.op = world.operator()
    yield world
    world.apply(workflow("ordinary", [shell_step("only", "true")]), run("ordinary-1", "ordinary"))
    assert world.wait_finished("cwr", "ordinary-1")["phase"] == "Succeeded"
    assert_calm(world.op)


def assert_calm(operator):
    """Once the queues are empty no object causes further reconciles (but for timers that are due, a few)."""
    import time
    wait_until(lambda: operator.metric("workqueue_depth") == 0, 20, lambda: "the work queue does not run empty")
    before, started = operator.metric("controller_runtime_reconcile_total"), time.monotonic()
    wait_until(lambda: time.monotonic() - started > 3, 10)  # an observation needs a span of time
    assert operator.metric("controller_runtime_reconcile_total") - before < 30, "a hot loop"


def assert_invalid(world, name, *words):
    world.kubectl("wait", f"cwf/{name}", "--for=condition=Stalled", "--timeout=20s")
    ready = world.condition("cwf", name, "Ready")
    assert ready["status"] == "False" and ready["reason"] == "InvalidDefinition", ready
    for word in words:
        assert word in ready["message"], ready
    assert world.wait_event(name, "InvalidDefinition")


def test_a_cycle(working):
    working.apply(workflow("cyclic", [shell_step("a", "true", ["c"]), shell_step("b", "true", ["a"]), shell_step("c", "true", ["b"])]))
    assert_invalid(working, "cyclic", "a", "b", "c")


def test_an_unknown_step_and_an_unknown_placeholder(working):
    working.apply(workflow("unknown-step", [shell_step("a", "true", ["nowhere"])]))
    assert_invalid(working, "unknown-step", "nowhere", "a")
    working.apply(workflow("unknown-name", [shell_step("a", "echo $(params.nothing)")]))
    assert_invalid(working, "unknown-name", "params.nothing", "a")


def test_an_expression_that_cannot_work_and_one_that_would_never_end(working):
    working.apply(workflow("no-expression", [shell_step("a", "echo $(size(run.name) +)")]))
    assert_invalid(working, "no-expression", "expected a value", "a")
    working.apply(workflow("no-function", [shell_step("a", "echo $(run.name.shout())")]))
    assert_invalid(working, "no-function", "there is no function shout()", "a")
    endless = "$(lists.range(90000).all(x, lists.range(90000).all(y, x + y >= 0)))"
    working.apply(workflow("endless", [shell_step("a", "true", parameters={"x": endless})]))
    working.apply(run("endless-1", "endless"))
    status = working.wait_finished("cwr", "endless-1")
    assert (status["phase"], status["steps"][0]["reason"]) == ("Failed", "ExpressionTooExpensive"), status


def test_an_invalid_definition_heals_when_it_is_mended(working):
    working.apply(workflow("mended", [shell_step("a", "true", ["nowhere"])]))
    assert_invalid(working, "mended", "nowhere")
    working.apply(run("mended-1", "mended"))
    working.apply(workflow("mended", [shell_step("a", "true")]))
    assert working.wait_finished("cwr", "mended-1")["phase"] == "Succeeded"
    working.kubectl("wait", "cwf/mended", "--for=condition=Ready", "--timeout=10s")


def test_a_run_that_comes_before_its_workflow(working):
    working.apply(run("early", "late"))
    status = wait_until(lambda: (s := working.status("cwr", "early")).get("reason") == "WorkflowNotFound" and s, 20,
                        lambda: working.status("cwr", "early"))
    assert status["phase"] == "Pending", status
    working.apply(workflow("late", [shell_step("only", "true")]))
    assert working.wait_finished("cwr", "early")["phase"] == "Succeeded"


def test_parameters_of_a_mebibyte(working):
    big = task("big", parameters={"command": "true", "ballast": "x" * (1024 * 1024)})
    working.create(big)
    assert working.wait_finished("ctk", "big")["phase"] == "Succeeded"


def test_expanded_parameters_that_no_object_can_hold(working):
    steps = [shell_step("a", "head -c 60000 /dev/zero | tr '\\0' x | sed 's/.*/{\"x\": \"&\"}/' > $CONVOKE_OUTPUT"),
             shell_step("b", "true", ["a"], {f"copy{i}": "$(steps.a.outputs.x)" for i in range(60)}, retry={"limit": 0, "on": []})]
    working.apply(workflow("swelling", steps), run("swelling-1", "swelling"))
    status = working.wait_finished("cwr", "swelling-1")
    assert status["phase"] == "Failed"
    assert any(s["name"] == "b" and s["phase"] == "Failed" and s.get("message") for s in status["steps"]), status


def test_wrong_types_where_the_schema_is_open(working):
    working.apply(task("odd", parameters={"command": {"not": ["a", "command"]}}, retry={"limit": 0, "on": []}))
    status = wait_until(lambda: (s := working.status("ctk", "odd")).get("attempts") and s, 20, lambda: working.status("ctk", "odd"))
    assert status["attempts"][0]["outcome"] == "Rejected", status
    working.kubectl("patch", "ctk", "odd", "--type=merge", "-p", '{"spec":{"cancel":{"reason":"test"}}}')
    assert working.wait_finished("ctk", "odd")["phase"] == "Cancelled"


def test_unicode_and_names_at_the_limit(working):
    working.apply(task("unicode", title="Größe 🚀 \u202eevil", description="日本語\u0000".replace("\u0000", ""),
                       parameters={"command": "echo '{\"ü\": \"ß🚀\"}' > $CONVOKE_OUTPUT"}))
    assert working.wait_finished("ctk", "unicode")["phase"] == "Succeeded"
    assert json.dumps(working.status("ctk", "unicode")["report"]["outputs"], ensure_ascii=False) == '{"ü": "ß🚀"}'
    long_name, long_step = "w" * 63, "s" * 63
    working.apply(workflow(long_name, [shell_step(long_step, "true")]))
    working.apply(run("r" * 63, long_name))
    status = working.wait_finished("cwr", "r" * 63)
    assert status["phase"] == "Succeeded" and len(status["steps"][0]["taskName"]) <= 63, status


def test_five_hundred_steps_in_a_chain(working):
    steps = [shell_step(f"s{i}", "true", [f"s{i - 1}"] if i else []) for i in range(500)]
    working.apply(workflow("chain", steps), run("chain-1", "chain"))
    status = working.wait_finished("cwr", "chain-1", timeout=600)
    assert status["phase"] == "Succeeded" and status["counts"]["succeeded"] == 500


def test_an_ownerless_child_is_a_task_of_its_own(working):
    working.apply(workflow("parent", [shell_step("only", "true")]), run("parent-1", "parent"))
    assert working.wait_finished("cwr", "parent-1")["phase"] == "Succeeded"
    stray = task("stray", parameters={"command": "true"})
    stray["metadata"]["labels"] = {"convoke.dev/run": "parent-1", "convoke.dev/step": "only",
                                   "convoke.dev/run-uid": working.get("cwr", "parent-1")["metadata"]["uid"]}
    working.apply(stray)
    assert working.wait_finished("ctk", "stray")["phase"] == "Succeeded"
    assert working.status("cwr", "parent-1")["counts"]["total"] == 1


def test_a_status_wiped_by_hand(working):
    gate = working.directory / "gate"
    working.apply(workflow("wiped", [shell_step("one", "true"), shell_step("two", f"while [ ! -e {gate} ]; do sleep 0.1; done", ["one"]),
                                     shell_step("three", "true", ["two"])]), run("wiped-1", "wiped"))
    working.wait_phase("ctk", "wiped-1-two", "Running")
    working.kubectl("patch", "cwr", "wiped-1", "--subresource=status", "--type=json", "-p", '[{"op":"remove","path":"/status"}]')
    wait_until(lambda: working.status("cwr", "wiped-1").get("counts", {}).get("succeeded") == 1, 20, lambda: working.status("cwr", "wiped-1"))
    gate.touch()
    status = working.wait_finished("cwr", "wiped-1")
    assert status["phase"] == "Succeeded" and status["progress"] == "3/3", status


def test_a_child_task_deleted_by_hand(working):
    working.apply(workflow("bereft", [shell_step("only", "sleep 600")]), run("bereft-1", "bereft"))
    working.wait_phase("ctk", "bereft-1-only", "Running")
    working.kubectl("wait", "cwr/bereft-1", "--for=jsonpath={.status.steps[0].taskName}", "--timeout=20s")
    working.kubectl("delete", "ctk", "bereft-1-only")
    status = working.wait_finished("cwr", "bereft-1")
    assert status["phase"] == "Failed" and status["steps"][0]["reason"] == "TaskDeleted", status
    assert working.get("ctk", "bereft-1-only") is None


def test_two_workflows_whose_child_names_would_collide(working):
    working.apply(workflow("first", [shell_step("b-c", "true")]), workflow("second", [shell_step("c", "true")]))
    working.apply(run("a", "first"), run("a-b", "second"))
    for name in ("a", "a-b"):
        assert working.wait_finished("cwr", name)["phase"] == "Succeeded"
    names = {working.status("cwr", name)["steps"][0]["taskName"] for name in ("a", "a-b")}
    assert len(names) == 2 and "a-b-c" in names


def test_strict_validation_names_what_is_not_there(working):
    refused = working.kubectl("apply", "-f", "-", input=json.dumps(task("typo", prioritty=3)), check=False)
    assert refused.returncode != 0 and "prioritty" in refused.stderr
    for spec in ({"priority": 9}, {"timeout": "soon"}, {"title": "x" * 501}, {"retry": {"limit": -1}}):
        refused = working.kubectl("apply", "-f", "-", input=json.dumps(task("bad", **spec)), check=False)
        assert refused.returncode != 0 and list(spec)[0] in refused.stderr, refused.stderr


def nested(levels):
    value = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def test_parameters_that_are_nested_far_too_deeply(working):
    """The operator reads all Tasks in one list and one watch: one of them must not keep it from the others."""
    deep = task("deep", parameters={"command": "true", "deep": nested(500)})
    working.kubectl("create", "-f", "-", input=json.dumps(deep))
    working.kubectl("wait", "ctk/deep", "--for=condition=Stalled", "--timeout=20s")
    assert "spec.parameters: is nested deeper than 150 levels" in working.condition("ctk", "deep", "Ready")["message"]
    working.op.kill()
    working.op.start().wait_ready()
    working.apply(task("shallow", parameters={"command": "true"}))
    assert working.wait_finished("ctk", "shallow")["phase"] == "Succeeded"


def report(world, name, **content):
    """As an agent by hand: of whatever form the schema takes."""
    status = wait_until(lambda: (s := world.status("ctk", name)).get("phase") in ("Assigned", "Running") and s, 20,
                        lambda: world.status("ctk", name))
    content["assignmentID"] = status["assignment"]["id"]
    patch = world.directory / "patch.json"  # too long for an argument
    patch.write_text(json.dumps([{"op": "add", "path": "/status/report", "value": content}], ensure_ascii=False))
    world.kubectl("patch", "ctk", name, "--subresource=status", "--type=json", "--patch-file", patch)


def by_hand(world, name="by-hand", **spec):
    """An agent that is only a Lease."""
    world.apply({"apiVersion": "convoke.dev/v1alpha1", "kind": "Agent", "metadata": {"name": name, "namespace": "default"},
                 "spec": {"capabilities": [name], "heartbeat": {"interval": "1h", "timeout": "2h"}, **spec}},
                {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                 "metadata": {"name": f"convoke-agent-{name}", "namespace": "default", "labels": {"convoke.dev/agent": name}},
                 "spec": {"holderIdentity": "a person", "leaseDurationSeconds": 3600, "renewTime": "2026-01-01T00:00:00.000000Z"}})
    world.wait_phase("cag", name, "Ready", 20)


def test_reports_at_every_limit_of_the_schema(working):
    by_hand(working)
    long, rocket = "x" * 32768, "\U0001F680" * 32768
    reports = {"long": {"state": "Failed", "message": long, "error": {"code": "c" * 253, "message": long}},
               "wide": {"state": "Failed", "message": rocket, "error": {"code": "\U0001F680" * 253, "message": rocket, "retryable": False}},
               "odd": {"state": "Failed", "error": {"message": "\u0001\u001b[31m\u202e\u0000".replace("\u0000", "")}},
               "said": {"state": "Succeeded", "message": rocket, "progress": 100, "startedAt": "0001-01-01T00:00:00Z"},
               "early": {"state": "Succeeded", "startedAt": "1678-01-01T00:00:00Z"},
               "late": {"state": "Succeeded", "startedAt": "2261-01-01T00:00:00Z", "finishedAt": "9999-12-31T23:59:59Z"},
               "deep": {"state": "Succeeded", "outputs": nested(300)},
               "big": {"state": "Succeeded", "outputs": {"x": "y" * 200_000}},
               "no": {"state": "Rejected", "message": rocket}}
    working.apply(*(task(name, "by-hand", retry={"limit": 0}, deadline="40s" if name == "no" else "1h") for name in reports))
    for name, content in reports.items():
        report(working, name, **content)
    for name in reports:
        status = working.wait_finished("ctk", name, 80)
        good = name in ("said", "early", "late")
        assert status["phase"] == ("Succeeded" if good else "Failed"), (name, status)
    assert {working.status("ctk", name)["reason"] for name in ("deep", "big")} == {"OutputTooLarge"}
    # What was counted of them is in the agent's status, too: nothing keeps it from being written.
    wait_until(lambda: working.status("cag", "by-hand").get("completedTasks") == 3, 30, lambda: working.status("cag", "by-hand"))


def test_agents_that_fit_nobody_for_reasons_of_any_length(working):
    for i in range(12):
        by_hand(working, f"narrow-{i}" + "n" * 50)
    long = {f"{'l' * 60}{i}": "v" * 60 for i in range(60)}
    working.apply(task("choosy", f"narrow-1{'n' * 50}", requires={"agentSelector": {"matchLabels": long}, "rule": "agent.metadata.name == '" + "x" * 3000 + "'"}),
                  task("ruled", f"narrow-1{'n' * 50}", requires={"rule": "agent.metadata.name == '" + "x" * 3000 + "'"}))
    for name, word in (("choosy", "does not match selector"), ("ruled", "requires.rule")):
        status = wait_until(lambda n=name: (s := working.status("ctk", n)).get("reason") == "NoEligibleAgent" and s, 20, lambda n=name: working.status("ctk", n))
        assert len(status["assignment"]["rejected"]) == 10
        assert any(word in agent["reason"] for agent in status["assignment"]["rejected"]), status
        working.kubectl("patch", "ctk", name, "--type=merge", "-p", '{"spec":{"cancel":{}}}')
        assert working.wait_finished("ctk", name)["phase"] == "Cancelled"


def test_lock_leases_with_nonsense(working):
    """By somebody who may write Leases. They are foreign holders that do not renew, so that each is free after a while."""
    annotations = {"long": json.dumps([{"uid": "u", "task": "n" * 100_000, "since": "lunch"}]),
                   "no-json": "\U0001F680" * 1000, "no-task": json.dumps([{"uid": "u", "task": "../../secrets"}]),
                   "no-time": json.dumps([{"uid": "u", "task": "gone", "since": "lunch"}, {"uid": "v", "task": "gone-too", "since": 7}])}
    for name, text in annotations.items():
        working.create({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                        "metadata": {"name": f"convoke-lock-{name}", "namespace": "default", "labels": {"convoke.dev/lock": name},
                                     "annotations": {"convoke.dev/lock-holders": text}},
                        "spec": {"holderIdentity": "u", "leaseDurationSeconds": 2}})
        working.apply(task(name, parameters={"command": "true"}, locks=[{"name": name}]))
    for name in annotations:
        assert working.wait_finished("ctk", name, 30)["phase"] == "Succeeded"


def test_a_start_of_centuries_ago(working):
    working.apply(task("ancient", parameters={"command": "true"}, notBefore="1700-01-01T00:00:00Z"))
    assert working.wait_finished("ctk", "ancient")["phase"] == "Succeeded"
