"""A Task's life: when it starts, how often, with whom, whose result it has, and what its subtasks add up to."""

import datetime
import json

from harness.processes import REPO
from harness.waiting import wait_until
from harness.world import task

QUICK = {"limit": 3, "backoff": {"type": "Fixed", "base": "100ms", "max": "1s"}}


def gated(world, name, then="true"):
    """A command that ends when the file is there."""
    return f"while [ ! -e {world.directory / name} ]; do sleep 0.05; done; {then}"


def shell(name, command, **spec):
    return task(name, parameters={"command": command}, **spec)


def whole(name, commands, aggregation=None, **spec):
    subtasks = [{"name": sub, "task": {"type": "shell", "parameters": {"command": command}}} for sub, command in commands.items()]
    return task(name, "whole", subtasks=subtasks, aggregation=aggregation or {"strategy": "All"}, **spec)


def patch(world, name, **spec):
    world.kubectl("patch", "ctk", name, "--type=merge", "-p", json.dumps({"spec": spec}))


def wait_reason(world, name, reason, timeout=30):
    return wait_until(lambda: world.status("ctk", name).get("reason") == reason and world.status("ctk", name), timeout,
                      lambda: f"{name} is not {reason}: {world.status('ctk', name)}\n{world.logs()}", interval=0.1)


def outcomes(status):
    return [a["outcome"] for a in status.get("attempts", [])]


def starts(runner, name):
    return [e for e in runner.started() if e["task"] == name]


# --- delivery AtMostOnce ---


def test_at_most_once_is_not_repeated_when_its_agent_dies(world):
    first = world.runner("first")
    world.operator()
    world.apply(shell("precious", gated(world, "never"), delivery="AtMostOnce", retry=QUICK),
                shell("usual", gated(world, "gate"), retry=QUICK))
    for name in ("precious", "usual"):
        world.wait_phase("ctk", name, "Running")
    second = world.runner("second")
    first.kill()
    status = world.wait_finished("ctk", "precious", 30)
    assert status["phase"] == "Failed" and status["reason"] == "OutcomeUnknown", status
    assert outcomes(status) == ["AgentLost"]
    (world.directory / "gate").touch()
    assert world.wait_finished("ctk", "usual")["phase"] == "Succeeded"
    assert starts(second, "usual") and not starts(second, "precious")
    first.start()
    world.wait_phase("cag", "first", "Ready")
    assert len(starts(first, "precious")) == 1


def test_at_most_once_that_failed_timed_out_or_never_began(world):
    runner = world.runner("worker")
    operator = world.operator()
    world.apply(shell("fails", "exit 3", delivery="AtMostOnce", retry=QUICK),
                shell("slow", gated(world, "never"), delivery="AtMostOnce", timeout="2s", retry=QUICK))
    fails, slow = world.wait_finished("ctk", "fails"), world.wait_finished("ctk", "slow")
    assert (fails["reason"], slow["reason"]) == ("Failed", "OutcomeUnknown"), (fails, slow)
    assert len(starts(runner, "fails")) == len(starts(runner, "slow")) == 1
    # Given to an agent that is dead already: it has not begun, so another one may have it.
    runner.kill()
    world.apply(shell("unbegun", "true", delivery="AtMostOnce", retry=QUICK))
    world.wait_phase("ctk", "unbegun", ("Assigned", "Queued"))  # Queued: its loss was noticed before
    world.runner("other")
    assert world.wait_finished("ctk", "unbegun")["phase"] == "Succeeded"
    assert operator.metric("convoke_tasks_finished_total", phase="Failed", reason="OutcomeUnknown") == 1


# --- notBefore and suspend ---


def test_nothing_starts_before_its_time(world):
    runner = world.runner("worker")
    world.operator()
    start = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=15)
    world.apply(shell("later", "true", notBefore=start.strftime("%Y-%m-%dT%H:%M:%SZ")))
    status = wait_reason(world, "later", "NotBefore")
    assert status["phase"] == "Queued" and not starts(runner, "later")
    assert world.wait_finished("ctk", "later")["phase"] == "Succeeded"
    assert datetime.datetime.now(datetime.timezone.utc) >= start.replace(microsecond=0)
    world.apply(shell("never", "true", notBefore="2200-01-01T00:00:00Z"))
    assert "deadline" in wait_reason(world, "never", "NotBefore")["message"]


def test_suspend_takes_a_running_task_back_and_resume_gives_it_out_again(world):
    runner = world.runner("worker")
    world.operator()
    world.apply(shell("held", gated(world, "gate"), retry={"limit": 0}),
                shell("once", gated(world, "gate"), delivery="AtMostOnce"))
    for name in ("held", "once"):
        world.wait_phase("ctk", name, "Running")
        patch(world, name, suspend=True)
    status = world.wait_phase("ctk", "held", "Pending")
    assert status["reason"] == "Suspended" and outcomes(status) == ["Suspended"]
    wait_until(lambda: [e for e in runner.journal() if e["event"] == "killed"], 20)
    wait_until(lambda: "AtMostOnce" in world.status("ctk", "once")["message"], 20)
    assert world.status("ctk", "once")["phase"] == "Running"
    assert world.wait_event("held", "Suspended")
    patch(world, "held", suspend=False)
    world.wait_phase("ctk", "held", "Running")
    (world.directory / "gate").touch()
    for name in ("held", "once"):
        assert world.wait_finished("ctk", name)["phase"] == "Succeeded"
    assert len(starts(runner, "held")) == 2 and len(starts(runner, "once")) == 1


# --- Delegation ---


def test_delegation_goes_from_agent_to_agent_until_its_limit(world):
    runners = {name: world.runner(name) for name in ("north", "south")}
    world.operator()
    world.apply(shell("moved", gated(world, "gate"), agentName="north", retry={"limit": 0}))
    world.wait_phase("ctk", "moved", "Running")
    patch(world, "moved", agentName="nowhere")
    wait_until(lambda: "nowhere does not exist" in world.status("ctk", "moved")["message"], 20)
    assert world.status("ctk", "moved")["agentName"] == "north"
    for i in range(10):
        to = "south" if i % 2 == 0 else "north"
        patch(world, "moved", agentName=to)
        wait_until(lambda to=to: world.status("ctk", "moved").get("agentName") == to
                   and world.status("ctk", "moved")["phase"] == "Running", 30,
                   lambda: f"{world.status('ctk', 'moved')}\n{world.logs()}", interval=0.1)
    status = world.status("ctk", "moved")
    assert status["delegations"] == 10 and status["attempt"] == 1, status
    assert outcomes(status) == ["Delegated"] * 10
    patch(world, "moved", agentName="south")
    assert world.wait_event("moved", "DelegationLimit")
    patch(world, "moved", agentName="")
    (world.directory / "gate").touch()
    status = world.wait_finished("ctk", "moved")
    assert status["phase"] == "Succeeded" and status["agentName"] == "north"
    assert len(starts(runners["north"], "moved")) == 6 and len(starts(runners["south"], "moved")) == 5
    assert world.wait_event("moved", "Delegated")


# --- idempotencyKey ---


def test_of_tasks_with_one_key_one_runs_and_all_have_its_result(world):
    runner = world.runner("worker")
    operator = world.operator()
    command = gated(world, "gate", "echo '{\"n\": 7}' > $CONVOKE_OUTPUT")
    world.apply(*[shell(f"same-{i}", command, idempotencyKey="k") for i in range(5)], shell("other", "true"))
    world.wait_finished("ctk", "other")
    wait_until(lambda: [t["status"].get("reason") for t in world.list("ctk")].count("DuplicateOf") == 4, 20)
    operator.kill()
    operator.start().wait_ready()
    (world.directory / "gate").touch()
    statuses = [world.wait_finished("ctk", f"same-{i}") for i in range(5)]
    assert all(s["phase"] == "Succeeded" and s["report"]["outputs"] == {"n": 7} for s in statuses), statuses
    ran = {e["task"] for e in runner.started() if e["task"].startswith("same-")}
    assert len(ran) == 1 and len([e for e in runner.started() if e["task"] in ran]) == 1
    assert [s.get("resultFrom") for s in statuses].count(ran.pop()) == 4
    world.apply(shell("same-5", "exit 1", idempotencyKey="k"))
    assert world.wait_finished("ctk", "same-5")["phase"] == "Succeeded"


def test_when_the_first_of_a_key_fails_or_goes_the_next_one_runs(world):
    world.runner("worker")
    world.operator()
    world.apply(shell("a", gated(world, "fail-a", "exit 1"), idempotencyKey="k", retry={"limit": 0}))
    world.wait_phase("ctk", "a", ("Assigned", "Running"))
    world.apply(shell("b", gated(world, "never"), idempotencyKey="k"))
    wait_reason(world, "b", "DuplicateOf")
    (world.directory / "fail-a").touch()
    assert world.wait_finished("ctk", "a")["phase"] == "Failed"
    world.wait_phase("ctk", "b", "Running")
    world.apply(shell("c", "echo '{\"ran\": \"c\"}' > $CONVOKE_OUTPUT", idempotencyKey="k"))
    assert "Task b" in wait_reason(world, "c", "DuplicateOf")["message"]
    world.kubectl("delete", "ctk", "b")
    status = world.wait_finished("ctk", "c")
    assert status["phase"] == "Succeeded" and status["report"]["outputs"] == {"ran": "c"}


# --- Subtasks ---


def test_ten_subtasks_are_assigned_at_once_and_add_up(world, say):
    runner = world.runner("worker", agent={"capacity": 20})
    world.operator()
    commands = {f"s{i}": gated(world, "gate", f"echo '{{\"n\": {i}}}' > $CONVOKE_OUTPUT") for i in range(10)}
    world.apply(whole("ten", commands))
    children = wait_until(lambda: (c := world.list("ctk", "-l", "convoke.dev/parent=ten"))
                          and len(c) == 10 and all(t["status"].get("assignedAt") for t in c) and c, 30)
    took = max(moment(t["status"]["assignedAt"]) for t in children) - min(moment(t["status"]["assignment"]["time"]) for t in children)
    say(f"the first of ten subtasks was assigned {took:.3f} s before the last one")
    assert took < 10  # a busy machine may take its time
    status = world.wait_phase("ctk", "ten", "Running")
    assert len(status["subtasks"]) == 10 and "agentName" not in status
    for i in range(10):
        world.wait_phase("ctk", f"ten-s{i}", "Running")
    (world.directory / "gate").touch()
    status = world.wait_finished("ctk", "ten")
    assert status["phase"] == "Succeeded", status
    assert status["report"]["outputs"] == {f"s{i}": {"n": i} for i in range(10)}
    assert status["message"] == "10 of 10 subtasks have succeeded"
    assert len(runner.started()) == 10
    world.kubectl("wait", "ctk/ten", "--for=condition=Ready", "--timeout=5s")
    world.kubectl("delete", "ctk", "ten")
    wait_until(lambda: not world.list("ctk"), 60, lambda: "the subtasks are still there")


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_the_operator_is_killed_while_it_creates_subtasks(world):
    runner = world.runner("worker", agent={"capacity": 60})
    operator = world.operator()
    commands = {f"s{i}": "true" for i in range(50)}
    for round_ in range(3):
        world.create(whole(f"w{round_}", commands))
        wait_until(lambda: world.list("ctk", "-l", f"convoke.dev/parent=w{round_}"), 20, interval=0.01)
        operator.kill()
        operator.start().wait_ready()
    for round_ in range(3):
        status = world.wait_finished("ctk", f"w{round_}", 120)
        assert status["phase"] == "Succeeded", status
        assert len(world.list("ctk", "-l", f"convoke.dev/parent=w{round_}")) == 50
    started = [e["task"] for e in runner.started()]
    assert len(started) == len(set(started)) == 150


def test_a_subtask_that_cannot_be_created_undoes_its_siblings(world):
    world.runner("worker")
    world.operator()
    world.apply(shell("half-b", gated(world, "gate")))
    world.wait_phase("ctk", "half-b", "Running")
    world.apply(whole("half", {"a": gated(world, "never"), "b": "true", "c": "true"}))
    status = world.wait_finished("ctk", "half")
    assert status["reason"] == "SubtaskNotCreated" and '"b"' in status["message"], status
    wait_until(lambda: sorted(t["metadata"]["name"] for t in world.list("ctk")) == ["half", "half-b"], 30)
    assert world.status("ctk", "half-b")["phase"] == "Running"
    (world.directory / "gate").touch()


POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-mining}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules: [{apiGroups: [convoke.dev], apiVersions: [v1alpha1], operations: [CREATE], resources: [tasks]}]
  validations: [{expression: "object.spec.type != 'mine-coins'", message: nobody mines coins here}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-mining}
spec: {policyName: no-mining, validationActions: [Deny]}
"""


def test_a_subtask_that_a_policy_refuses_undoes_its_siblings(world):
    world.runner("worker")
    world.operator()
    world.apply(POLICY)
    try:
        probe = json.dumps(task("probe", "mine-coins"))
        wait_until(lambda: world.kubectl("create", "--dry-run=server", "-f", "-", input=probe, check=False).returncode != 0, 30)
        bad = whole("bad", {"a": gated(world, "never"), "b": "true"})
        bad["spec"]["subtasks"].append({"name": "c", "task": {"type": "mine-coins"}})
        world.apply(bad)
        status = world.wait_finished("ctk", "bad")
        assert status["reason"] == "SubtaskNotCreated" and "nobody mines coins here" in status["message"], status
        wait_until(lambda: [t["metadata"]["name"] for t in world.list("ctk")] == ["bad"], 30)
    finally:
        world.kubectl("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", "no-mining")


def test_the_first_success_ends_the_rest_and_a_failure_ends_all(world):
    runner = world.runner("worker", agent={"capacity": 10})
    world.operator()
    def once_all_run(then):
        return gated(world, "all-run", then)
    world.apply(whole("race", {"quick": once_all_run("echo '{\"won\": true}' > $CONVOKE_OUTPUT"), "slow": gated(world, "never")},
                      {"strategy": "FirstSuccess"}),
                whole("strict", {"bad": once_all_run("exit 1"), "slow": gated(world, "never")}),
                whole("most", {"a": once_all_run("true"), "b": once_all_run("true"), "c": gated(world, "never"),
                               "d": once_all_run("exit 1")}, {"strategy": "Quorum", "quorum": 2}))
    for name in ("race-slow", "strict-slow", "most-c"):
        world.wait_phase("ctk", name, "Running")
    for name in ("strict", "most"):
        for child in world.list("ctk", "-l", f"convoke.dev/parent={name}"):
            assert child["metadata"]["ownerReferences"][0]["name"] == name
    (world.directory / "all-run").touch()
    race, most = world.wait_finished("ctk", "race"), world.wait_finished("ctk", "most")
    assert race["phase"] == most["phase"] == "Succeeded", (race, most)
    assert race["report"]["outputs"] == {"quick": {"won": True}}
    for name in ("race-slow", "most-c"):
        assert world.wait_finished("ctk", name)["phase"] == "Cancelled"
    strict = world.wait_finished("ctk", "strict", 90)
    assert strict["reason"] == "SubtasksFailed" and '"bad"' in strict["message"], strict
    assert world.wait_finished("ctk", "strict-slow")["phase"] == "Cancelled"
    wait_until(lambda: {r["name"]: r["phase"] for r in world.status("ctk", "race")["subtasks"]}
               == {"quick": "Succeeded", "slow": "Cancelled"}, 20)
    wait_until(lambda: len({e["assignment"] for e in runner.journal() if e["event"] == "killed"}) == 3, 20)


def test_a_tree_is_suspended_resumed_and_cancelled(world):
    runner = world.runner("worker")
    operator = world.operator()
    world.apply(whole("tree", {"a": gated(world, "never"), "b": gated(world, "never")}))
    for name in ("tree-a", "tree-b"):
        world.wait_phase("ctk", name, "Running")
    patch(world, "tree", suspend=True)
    for name in ("tree", "tree-a", "tree-b"):
        assert world.wait_phase("ctk", name, "Pending")["reason"] == "Suspended"
    operator.kill()
    patch(world, "tree", suspend=False)
    operator.start().wait_ready()
    for name in ("tree", "tree-a", "tree-b"):
        world.wait_phase("ctk", name, "Running")
    patch(world, "tree", cancel={"reason": "enough"})
    for name in ("tree", "tree-a", "tree-b"):
        assert world.wait_finished("ctk", name)["phase"] == "Cancelled"
    wait_until(lambda: len({e["assignment"] for e in runner.journal() if e["event"] == "killed"}) == 4, 20)


def test_time_is_up_for_all_subtasks_together(world):
    world.runner("worker")
    world.operator()
    world.apply(whole("late", {"a": "true", "b": gated(world, "never")}, {"strategy": "All", "timeout": "15s"}),
                whole("enough", {"a": "true", "b": gated(world, "never")}, {"strategy": "Any", "timeout": "15s"}))
    late, enough = world.wait_finished("ctk", "late"), world.wait_finished("ctk", "enough")
    assert late["reason"] == "Timeout" and "1 of 2" in late["message"], late
    assert enough["phase"] == "Succeeded", enough


def test_the_sample_with_subtasks(world):
    world.runner("worker")
    world.operator()
    world.apply((REPO / "crds/samples/subtasks.yaml").read_text())
    status = world.wait_finished("ctk", "survey")
    assert status["phase"] == "Succeeded" and len(status["report"]["outputs"]) >= 2, status
