"""How agents are treated by how they do: circuits, rate limits, numbers, rebalancing, draining; and who waits for whom."""

import datetime
import json

from harness.waiting import wait_until
from harness.world import task

STEADY = {"limit": 9, "on": ["Failed", "Timeout", "AgentLost"], "backoff": {"type": "Fixed", "base": "100ms", "max": "1s"}}
QUICK = {"agent": {"statusInterval": "1s"}}


def agent(name, **spec):
    spec = {"heartbeat": {"interval": "500ms", "timeout": "10s"}, "capacity": 4, **spec}
    return {"apiVersion": "convoke.dev/v1alpha1", "kind": "Agent", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def worker(world, name, command, **spec):
    """A runner whose Agent is as given; it runs `command` for Tasks of type job."""
    world.apply(agent(name, capabilities=["job"], **spec))
    return world.runner(name, tasks={"job": {"command": ["sh", "-c", command]}})


def silent_agent(world, name, **spec):
    """An agent that beat once, will be believed for a while, and never begins anything."""
    world.apply(agent(name, capabilities=["job"], heartbeat={"interval": "1m", "timeout": "5m"}, **spec))
    world.apply({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                 "metadata": {"name": f"convoke-agent-{name}", "namespace": "default", "labels": {"convoke.dev/agent": name}},
                 "spec": {"holderIdentity": "test", "leaseDurationSeconds": 300,
                          "renewTime": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}})
    world.wait_phase("cag", name, "Ready", 20)


def patch(world, kind, name, value):
    world.kubectl("patch", kind, name, "--type=merge", "-p", json.dumps(value))


def wait_circuit(world, name, state, timeout=30):
    return wait_until(lambda: (s := world.status("cag", name)).get("circuit") == state and s, timeout,
                      lambda: f"the circuit is not {state}: {world.status('cag', name)}\n{world.logs()}", interval=0.1)


def restart(operator):
    operator.kill()
    operator.start().wait_ready()


def attempts_of(world, name):
    """(succeeded, failed) attempts, as the Tasks tell."""
    outcomes = [a["outcome"] for t in world.list("ctk") for a in t["status"].get("attempts", []) if a["agentName"] == name]
    return outcomes.count("Succeeded"), sum(outcomes.count(o) for o in ("Failed", "Timeout", "AgentLost"))


def counted(world, name):
    status = world.status("cag", name)
    return status.get("completedTasks", 0), status.get("failedTasks", 0)


def assert_numbers_are_exact(world, name):
    wait_until(lambda: counted(world, name) == attempts_of(world, name), 20,
               lambda: f"{name} counts {counted(world, name)}, its Tasks {attempts_of(world, name)}")


def test_an_agent_that_fails_everything_is_spared_and_tried_again_also_after_crashes(world):
    gate = world.directory / "mended"
    breaker = {"failureThreshold": 3, "openFor": "4s", "halfOpenTasks": 2}
    operator = world.operator(settings=QUICK)
    worker(world, "bad", f"test -e {gate}", circuitBreaker=breaker)
    worker(world, "good", "true")
    names = [f"t{i}" for i in range(12)]
    world.apply(*[task(name, "job", retry=STEADY) for name in names])
    opened = wait_circuit(world, "bad", "Open")
    assert opened["phase"] == "Degraded", opened
    assert world.wait_event("bad", "CircuitOpen")
    restart(operator)
    for name in names:
        assert world.wait_finished("ctk", name)["phase"] == "Succeeded"
        assert world.status("ctk", name)["agentName"] == "good"
    # One failure on trial is enough to open it again.
    wait_circuit(world, "bad", "HalfOpen")
    restart(operator)
    assert world.status("cag", "bad")["circuit"] == "HalfOpen"
    patch(world, "cag", "bad", {"spec": {"circuitBreaker": {"openFor": "10m"}}})  # it shall be open while it is looked at
    world.apply(task("trial", "job", agentName="bad", retry={"limit": 0}))
    assert world.wait_finished("ctk", "trial")["phase"] == "Failed"
    wait_circuit(world, "bad", "Open")
    world.apply(task("early", "job", agentName="bad"))
    rejected = world.wait_phase("ctk", "early", "Queued")["assignment"]["rejected"]
    assert "its circuit is open" in rejected[0]["reason"], rejected
    # Mended: two successes close it.
    gate.touch()
    patch(world, "cag", "bad", {"spec": {"circuitBreaker": {"openFor": "4s"}}})
    world.apply(*[task(f"again-{i}", "job", agentName="bad") for i in range(3)])
    closed = wait_circuit(world, "bad", "Closed")
    assert closed["phase"] == "Ready" and closed.get("consecutiveFailures", 0) == 0, closed
    restart(operator)
    for name in ("early", "again-0", "again-1", "again-2"):
        assert world.wait_finished("ctk", name)["phase"] == "Succeeded"
    assert world.status("cag", "bad")["circuit"] == "Closed"
    for name in ("bad", "good"):
        assert_numbers_are_exact(world, name)
    statistics = world.status("cag", "good")["statistics"]
    assert [s["type"] for s in statistics] == ["job"] and statistics[0]["successRate"] == "1", statistics
    assert operator.metric("convoke_agent_circuits", circuit="Closed") == 2


def test_numbers_stay_exact_over_crashes(world):
    operator = world.operator(settings=QUICK)
    worker(world, "worker", 'test "$CONVOKE_PARAM_OK" = yes', circuitBreaker={"failureThreshold": 0})
    for life in range(4):
        names = [f"life-{life}-{i}" for i in range(8)]
        world.apply(*[task(name, "job", parameters={"ok": "no" if i % 4 == 0 else "yes"}, retry={"limit": 0})
                      for i, name in enumerate(names)])
        for name in names[:4 + life]:
            world.wait_finished("ctk", name)
        restart(operator)
    for t in world.list("ctk"):
        world.wait_finished("ctk", t["metadata"]["name"])
    assert attempts_of(world, "worker") == (24, 8)
    assert_numbers_are_exact(world, "worker")
    restart(operator)
    assert_numbers_are_exact(world, "worker")


def test_a_rate_limit_holds_over_a_burst_and_a_crash(world):
    operator = world.operator()
    worker(world, "slowly", "true", capacity=100, rateLimit={"tasksPerMinute": 60, "burst": 3})
    names = [f"t{i}" for i in range(10)]
    world.apply(*[task(name, "job") for name in names])
    wait_until(lambda: sum("assignedAt" in t["status"] for t in world.list("ctk")) >= 3, 20)
    waiting = [t["metadata"]["name"] for t in world.list("ctk") if "assignedAt" not in t.get("status", {})]
    for name in waiting[:1]:  # none where the machine was slow
        status = wait_until(lambda: (s := world.status("ctk", name)) and ("assignedAt" in s or s.get("reason")) and s, 20)
        assert "assignedAt" in status or (status["reason"] == "AgentsBusy" and "rate limit" in str(status)), status
    restart(operator)
    for name in names:
        assert world.wait_finished("ctk", name)["phase"] == "Succeeded"
    times = sorted(datetime.datetime.fromisoformat(t["status"]["assignedAt"].replace("Z", "+00:00")) for t in world.list("ctk"))
    for i, first in enumerate(times):
        for j in range(i, len(times)):
            seconds = (times[j] - first).total_seconds()
            assert j - i + 1 <= 3 + seconds + 0.5, f"{j - i + 1} Tasks within {seconds} s: {times}"


def test_what_an_agent_does_not_begin_goes_to_one_that_has_room(world):
    operator = world.operator(settings={"task": {"rebalanceAfter": "2s"}})
    silent_agent(world, "a-silent")
    world.apply(task("stuck", "job"))
    world.wait_phase("ctk", "stuck", "Assigned")
    world.apply(task("pinned", "job", agentName="a-silent"))
    world.wait_phase("ctk", "pinned", "Assigned")
    restart(operator)
    worker(world, "b-worker", "true")
    status = world.wait_finished("ctk", "stuck")
    assert status["phase"] == "Succeeded" and status["agentName"] == "b-worker", status
    assert [(a["outcome"], a["agentName"]) for a in status["attempts"]] == [("Rebalanced", "a-silent"), ("Succeeded", "b-worker")]
    assert status["attempts"][0]["reason"] == "NotStarted" and status["attempt"] == 1, status
    assert world.status("ctk", "pinned")["agentName"] == "a-silent"
    assert world.wait_event("stuck", "Rebalanced")
    assert counted(world, "a-silent") == (0, 0)


def test_a_cordoned_agent_finishes_what_it_began_and_gives_back_the_rest(world):
    gate = world.directory / "gate"
    world.operator()
    busy = world.runner("busy", tasks={"long": {"command": ["sh", "-c", f"while [ ! -e {gate} ]; do sleep 0.05; done"]}})
    world.apply(task("began", "long"))
    world.wait_phase("ctk", "began", "Running")
    silent_agent(world, "a-silent")
    world.apply(task("not-begun", "job"))
    world.wait_phase("ctk", "not-begun", "Assigned")
    worker(world, "b-worker", "true")
    for name in ("busy", "a-silent"):
        patch(world, "cag", name, {"spec": {"cordoned": True}})
    status = world.wait_finished("ctk", "not-begun")
    assert status["agentName"] == "b-worker" and status["attempts"][0]["reason"] == "Cordoned", status
    world.apply(task("late", "long"))
    assert world.wait_phase("ctk", "late", "Queued")["reason"] == "NoEligibleAgent"
    assert world.status("ctk", "began")["phase"] == "Running"
    gate.touch()
    status = world.wait_finished("ctk", "began")
    assert status["phase"] == "Succeeded" and status["agentName"] == "busy" and len(status["attempts"]) == 1, status
    assert len(busy.started()) == 1
    patch(world, "cag", "busy", {"spec": {"cordoned": False}})
    assert world.wait_finished("ctk", "late")["phase"] == "Succeeded"


def test_a_silent_agents_tasks_are_lost_when_begun_and_offered_at_once_when_not(world):
    world.operator()
    lost = world.runner("lost", tasks={"long": {"command": ["sleep", "600"]}},
                        agent={"heartbeat": {"interval": "500ms", "timeout": "15s"}})
    world.apply(task("began", "long", retry=STEADY))
    world.wait_phase("ctk", "began", "Running")
    lost.freeze()
    world.apply(task("not-begun", "long"))
    world.wait_phase("ctk", "not-begun", "Assigned")
    world.runner("heir", tasks={"long": {"command": ["true"]}})
    began = world.wait_finished("ctk", "began")
    not_begun = world.wait_finished("ctk", "not-begun")
    assert [a["outcome"] for a in began["attempts"]] == ["AgentLost", "Succeeded"] and began["attempt"] == 2, began
    assert [a["outcome"] for a in not_begun["attempts"]] == ["Rebalanced", "Succeeded"] and not_begun["attempt"] == 1, not_begun


def test_a_few_tasks_of_one_workflow_do_not_wait_for_the_many_of_another(world):
    operator = world.operator()
    many = [task(f"many-{i}", "job") for i in range(60)]
    few = [task(f"few-{i}", "job") for i in range(5)]
    for manifest in many + few:
        manifest["metadata"]["labels"] = {"convoke.dev/workflow": manifest["metadata"]["name"].split("-")[0]}
    world.apply(*many)
    world.apply(*few)
    wait_until(lambda: operator.metric("convoke_scheduler_waiting") == 65, 20)
    restart(operator)
    wait_until(lambda: operator.metric("convoke_scheduler_waiting") == 65, 20)
    runner = worker(world, "worker", "true", capacity=1)
    for manifest in few:
        assert world.wait_finished("ctk", manifest["metadata"]["name"])["phase"] == "Succeeded"
    order = [entry["name"] if "name" in entry else entry["task"] for entry in runner.started()]
    last = max(i for i, name in enumerate(order) if name.startswith("few-"))
    assert last < 12, order
