"""Who gets which Task, and how it is explained: the six strategies, and rules of Tasks and of the configuration. The agents
are objects and heartbeats only; nobody works, so that the assignments stay to be looked at."""

import json
import re

import pytest
import yaml

from harness.waiting import wait_until
from harness.world import task

SAME_ZONE = {"name": "same-zone", "expression": "agent.metadata.labels['zone'] == task.spec.parameters.zone",
             "message": "must be in the task's zone"}


def add_agent(world, name, capabilities=("build",), labels=None, statistics=None, **spec):
    """An agent that is Ready for as long as a test takes."""
    meta = {"name": name, "namespace": "default"}
    world.apply(
        {"apiVersion": "convoke.dev/v1alpha1", "kind": "Agent", "metadata": {**meta, "labels": labels or {}},
         "spec": {"capabilities": list(capabilities), "heartbeat": {"interval": "5m", "timeout": "15m"}, **spec}},
        {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
         "metadata": {"name": f"convoke-agent-{name}", "namespace": "default", "labels": {"convoke.dev/agent": name}},
         "spec": {"holderIdentity": name, "leaseDurationSeconds": 900, "renewTime": "2026-01-01T00:00:00.000000Z"}})
    world.wait_phase("cag", name, "Ready", 30)
    if statistics:
        world.kubectl("patch", "cag", name, "--subresource=status", "--type=merge", "-p",
                      json.dumps({"status": {"statistics": [{"type": "build", "tasks": 10, **statistics}]}}))


def give(world, name, **spec):
    """Creates a Task; its assignment once it has one."""
    world.apply(task(name, "build", **spec))
    status = world.wait_phase("ctk", name, "Assigned", 30)
    return status["agentName"], status["assignment"]


def wait_refused(world, name, reason="NoEligibleAgent"):
    """The reasons for each agent, once the Task is Queued because nobody fits."""
    status = wait_until(lambda: (s := world.status("ctk", name)).get("reason") == reason and s, 30,
                        lambda: f"{world.status('ctk', name)}\n{world.logs()}")
    return {r["agentName"]: r["reason"] for r in status.get("assignment", {}).get("rejected", [])}


def note(world, name, reason="Assigned"):
    """What the Event says; earlier tests had objects of the same name."""
    uid = world.get("ctk", name)["metadata"]["uid"]
    events = wait_until(lambda: [e for e in world.events(name) if e["reason"] == reason and e["regarding"]["uid"] == uid], 20)
    return events[0]["note"]


def configure_rules(operator, *rules):
    operator.reconfigure({"assignment": {"rules": list(rules)}})


# --- strategies -----------------------------------------------------------------------------------------------------------


def test_capability_match_prefers_who_names_the_capability_and_explains_itself(world):
    world.operator()
    add_agent(world, "any", ["*"])
    add_agent(world, "builder")
    add_agent(world, "tester", ["test"])
    agent, why = give(world, "t")
    assert agent == "builder"
    assert (why["strategy"], why["score"], why["candidates"]) == ("CapabilityMatch", "10", 2)
    assert why["rejected"] == [{"agentName": "tester", "reason": "lacks capability build"}]
    assert note(world, "t") == ("assigned to builder (CapabilityMatch, score 10, 2 candidates); "
                                "rejected: tester lacks capability build")


def test_round_robin_gives_each_agent_its_turn(world):
    world.operator()
    for name in "abc":
        add_agent(world, name)
    turns = [give(world, f"t{i}", assignment={"strategy": "RoundRobin"}) for i in range(6)]
    assert "".join(agent for agent, _ in turns) == "abcabc"
    assert all(why["strategy"] == "RoundRobin" and why["candidates"] == 3 for _, why in turns)
    assert turns[5][1]["score"] == "2", "two others were served since its last turn"


def test_least_loaded_looks_at_the_part_of_the_capacity_in_use(world):
    world.operator()
    add_agent(world, "large", capacity=10)
    add_agent(world, "small", capacity=2)
    agents = [give(world, f"t{i}", assignment={"strategy": "LeastLoaded"}) for i in range(4)]
    assert [agent for agent, _ in agents] == ["large", "small", "large", "large"]
    assert agents[3][1]["score"] == "0.8"
    assert "(LeastLoaded, score 0.8, 2 candidates)" in note(world, "t3")


def test_random_reaches_everybody_and_nobody_else(world):
    world.operator()
    for name in ("a", "b", "c"):
        add_agent(world, name, capacity=100)
    add_agent(world, "other", ["test"])
    tasks = [f"t{i}" for i in range(40)]
    world.apply(*[task(name, "build", assignment={"strategy": "Random"}) for name in tasks])
    seen = {world.wait_phase("ctk", name, "Assigned")["agentName"] for name in tasks}
    assert seen == {"a", "b", "c"}, "40 draws miss one of three once in 3.7 million times"
    assert world.status("ctk", "t0")["assignment"]["strategy"] == "Random"


def test_performance_weighs_what_agents_did_before_and_the_operators_restart_forgets_nothing(world):
    operator = world.operator()
    add_agent(world, "fast", statistics={"successRate": "0.9", "meanDuration": "1024ms", "p95Duration": "2s"})
    add_agent(world, "slow", statistics={"successRate": "1", "meanDuration": "4096ms", "p95Duration": "5s"})
    operator.kill()
    operator.start().wait_ready()
    agent, why = give(world, "t", assignment={"strategy": "PerformanceBased"})
    assert (agent, why["score"]) == ("fast", "0.96"), why
    add_agent(world, "unknown")
    agent, why = give(world, "t2", assignment={"strategy": "PerformanceBased"})
    assert (agent, why["score"], why["candidates"]) == ("unknown", "1", 3), why


def test_the_cheapest_agent_is_found_by_price_and_expected_minutes(world):
    world.operator()
    add_agent(world, "slow", cost={"perMinute": "1"},
              statistics={"successRate": "1", "meanDuration": "10m", "p95Duration": "10m"})
    add_agent(world, "fast", cost={"perTask": "0.5", "perMinute": "2"}, capacity=1,
              statistics={"successRate": "1", "meanDuration": "1m", "p95Duration": "1m"})
    agent, why = give(world, "t", assignment={"strategy": "CostOptimized"})
    assert (agent, why["score"]) == ("fast", "2.5"), why
    assert "assigned to fast (CostOptimized, cost 2.5, 2 candidates)" in note(world, "t")
    agent, why = give(world, "t2", assignment={"strategy": "CostOptimized"})
    assert (agent, why["score"]) == ("slow", "10"), why
    assert why["rejected"] == [{"agentName": "fast", "reason": "is full (1 of 1)"}]


# --- rules ----------------------------------------------------------------------------------------------------------------


def test_a_tasks_rule_compares_it_with_each_agent(world):
    world.operator()
    add_agent(world, "a", labels={"zone": "z1"})
    add_agent(world, "b", labels={"zone": "z2"})
    add_agent(world, "c")
    rule = {"rule": SAME_ZONE["expression"]}
    agent, why = give(world, "t", requires=rule, parameters={"zone": "z2"})
    assert agent == "b" and why["candidates"] == 1
    reasons = {r["agentName"]: r["reason"] for r in why["rejected"]}
    assert reasons["a"] == "requires.rule does not hold"
    assert re.match(r"requires.rule cannot be evaluated: line 1, column \d+: .*zone", reasons["c"]), reasons
    # It stays in the queue with the reasons, and goes to an agent as soon as that fits.
    world.apply(task("waits", "build", requires=rule, parameters={"zone": "z3"}))
    assert wait_refused(world, "waits").keys() == {"a", "b", "c"}
    world.kubectl("label", "cag", "c", "zone=z3")
    assert world.wait_phase("ctk", "waits", "Assigned")["agentName"] == "c"


@pytest.mark.parametrize("rule, complaint", [
    ("agent.spec.capacity >", "spec.requires.rule: line 1, column 22: "),
    ("true && run.name == 'x'", 'spec.requires.rule: line 1, column 9: there is no name "run" in a rule'),
    ("agent.status.activeTasks < 3", "spec.requires.rule: line 1, column 1: rules know no agent.status.activeTasks"),
])
def test_a_rule_that_cannot_work_waits_for_a_person(world, rule, complaint):
    world.operator()
    add_agent(world, "a")
    world.apply(task("bad", "build", requires={"rule": rule}), task("good", "build"))
    stalled = wait_until(lambda: (c := world.condition("ctk", "bad", "Stalled")) and c["status"] == "True" and c, 20)
    assert stalled["reason"] == "InvalidSpec" and complaint in stalled["message"], stalled
    assert complaint in note(world, "bad", "InvalidSpec")
    assert world.wait_phase("ctk", "good", "Assigned")["agentName"] == "a"


def test_a_rule_that_costs_too_much_refuses_and_disturbs_nobody(world):
    world.operator()
    for name in "abc":
        add_agent(world, name)
    numbers = "[" + ",".join(map(str, range(100))) + "]"
    world.apply(*[task(f"slow{i}", "build", requires={"rule": f"{numbers}.all(x, {numbers}.all(y, x + y >= {-i}))"})
                  for i in range(5)])
    assert give(world, "good")[0] == "a"
    for reason in wait_refused(world, "slow4").values():
        assert reason.startswith("requires.rule cannot be evaluated: "), reason


def test_rules_of_the_configuration_hold_for_every_task_and_change_while_it_runs(world):
    operator = world.operator(settings={"assignment": {"rules": [SAME_ZONE]}})
    add_agent(world, "a", labels={"zone": "z1"})
    add_agent(world, "b", labels={"zone": "z2"})
    assert give(world, "t", parameters={"zone": "z2"})[0] == "b"
    world.apply(task("waits", "build", parameters={"zone": "z3"}))
    expected = "rule same-zone: must be in the task's zone"
    assert wait_refused(world, "waits") == {"a": expected, "b": expected}
    assert expected in world.kubectl("describe", "ctk", "waits").stdout
    assert expected in world.status("ctk", "waits")["message"]

    # A mistake in the file changes nothing.
    errors = operator.metric("convoke_config_reload_total", result="error")
    operator.configure({"assignment": {"rules": [SAME_ZONE, {"name": "bad", "expression": "agent."}]}})
    wait_until(lambda: operator.metric("convoke_config_reload_total", result="error") > errors, 20, operator.log_tail)
    wait_until(lambda: "assignment.rules[1].expression: (rule bad) line 1, column " in operator.log(), 20, operator.log_tail)

    # Another rule: what waits is matched anew. One that applies elsewhere only does not count.
    elsewhere = {"name": "nobody", "namespaces": ["elsewhere"], "expression": "false"}
    only_a = {"name": "only-a", "expression": "agent.metadata.name == 'a'"}
    configure_rules(operator, only_a, elsewhere)
    assert world.wait_phase("ctk", "waits", "Assigned", 20)["agentName"] == "a"
    agent, why = give(world, "t2", parameters={"zone": "z2"})
    assert agent == "a" and why["rejected"] == [{"agentName": "b", "reason": "rule only-a does not hold"}]

    configure_rules(operator)
    assert give(world, "t3", parameters={"zone": "z9"}, assignment={"strategy": "LeastLoaded"})[0] == "b"


def test_a_rule_that_does_not_compile_is_a_mistake_of_the_file(world, tmp_path):
    settings = {"assignment": {"rules": [SAME_ZONE, {"name": "bad", "expression": "agent.spec.capacity >"}]}}
    operator = world.operator(settings=settings, start=False)
    operator.start()
    operator.child.wait(20)
    assert operator.child.returncode == 2
    place = yaml.compose(operator.path.read_text()).value
    rules = next(value for key, value in place if key.value == "assignment").value[0][1].value
    mark = rules[1].start_mark
    assert (f"{operator.path}:{mark.line + 1}:{mark.column + 1}: assignment.rules[1].expression: (rule bad) line 1, column 22: "
            in operator.log())


def test_what_waits_because_of_a_rule_waits_on_after_a_crash(world):
    operator = world.operator(settings={"assignment": {"rules": [SAME_ZONE]}})
    add_agent(world, "a", labels={"zone": "z1"})
    world.apply(task("waits", "build", parameters={"zone": "z2"}))
    wait_refused(world, "waits")
    operator.kill()
    operator.start().wait_ready()
    assert give(world, "t", parameters={"zone": "z1"})[0] == "a"
    assert world.status("ctk", "waits")["phase"] == "Queued"
    world.kubectl("label", "cag", "a", "zone=z2", "--overwrite")
    assert world.wait_phase("ctk", "waits", "Assigned")["agentName"] == "a"
