"""Who waits for whom, by the operator's configuration: weights of namespaces, and age against priority."""

import datetime
import json

from harness.waiting import wait_until
from harness.world import task

from test_agents import silent_agent

OTHER = "team-b"
EACH = 40


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def in_namespace(manifest, namespace):
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}


def beat(world, name, namespace):
    """An agent that beats once, will be believed for a while, and never begins anything."""
    world.apply({"apiVersion": "convoke.dev/v1alpha1", "kind": "Agent", "metadata": {"name": name, "namespace": namespace},
                 "spec": {"capabilities": ["job"], "capacity": 100, "heartbeat": {"interval": "1m", "timeout": "5m"}}},
                {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                 "metadata": {"name": f"convoke-agent-{name}", "namespace": namespace, "labels": {"convoke.dev/agent": name}},
                 "spec": {"holderIdentity": "test", "leaseDurationSeconds": 300, "renewTime": now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")}})


def cordon(world, name, namespace, value):
    world.kubectl("-n", namespace, "patch", "cag", name, "--type=merge", "-p", json.dumps({"spec": {"cordoned": value}}))


def order_of_assignment(world, *namespaces):
    """Namespaces, one entry for each Task, as the API server saw them assigned."""
    tasks = [t for n in namespaces for t in world.list("ctk", namespace=n)]
    assert all(t["status"]["phase"] == "Assigned" for t in tasks), [t["status"] for t in tasks]
    return [t["metadata"]["namespace"] for t in sorted(tasks, key=lambda t: int(t["metadata"]["resourceVersion"]))]


def phases(world, namespace):
    return {t.get("status", {}).get("phase") for t in world.list("ctk", namespace=namespace)}


def test_a_namespace_gets_turns_by_its_weight(world):
    world.kubectl("create", "namespace", OTHER)
    try:
        # One worker: each has to wait for its turn.
        operator = world.operator(settings={"fairness": {"namespaceWeights": {OTHER: 4}}, "workers": {"task": 1}})
        namespaces = ("default", OTHER)
        for namespace in namespaces:
            beat(world, "worker", namespace)
        for namespace in namespaces:
            wait_until(lambda n=namespace: (world.get("cag", "worker", n).get("status") or {}).get("phase") == "Ready", 20, operator.log_tail)
            cordon(world, "worker", namespace, True)
        # Those of the heavier one come last, and by their names too.
        for namespace in namespaces:
            world.apply(*(in_namespace(task(f"t-{i:02}", "job"), namespace) for i in range(EACH)))
        for namespace in namespaces:
            wait_until(lambda n=namespace: phases(world, n) == {"Queued"}, 30, operator.log_tail)

        # Both are free at once for an operator that starts.
        operator.kill()
        for namespace in namespaces:
            cordon(world, "worker", namespace, False)
        operator.start().wait_ready()
        for namespace in namespaces:
            wait_until(lambda n=namespace: phases(world, n) == {"Assigned"}, 30, operator.log_tail)
        order = order_of_assignment(world, *namespaces)
        share = order[:EACH].count(OTHER)
        assert share >= EACH * 0.7, f"of the first {EACH}, {share} are of the namespace with four turns of five: {order}"
    finally:
        world.kubectl("-n", OTHER, "delete", "tasks.convoke.dev,agents.convoke.dev,leases", "--all", check=False)
        world.kubectl("delete", "namespace", OTHER, "--wait=false", check=False)


def first_assigned(world, operator, name, *names):
    """An agent with room for one Task comes: the name of the Task that it gets."""
    silent_agent(world, name, capacity=1)
    wait_until(lambda: any(world.status("ctk", n)["phase"] == "Assigned" for n in names), 20, operator.log_tail)
    return [n for n in names if world.status("ctk", n).get("agentName") == name]


def test_age_outweighs_priority_if_it_may(world):
    operator = world.operator(settings={"fairness": {"agingInterval": "0s"}})
    world.apply(task("old", "job", priority=1))
    world.wait_phase("ctk", "old", "Queued")
    since = now()
    wait_until(lambda: now() - since > datetime.timedelta(seconds=4), 10)
    world.apply(task("urgent", "job", priority=3), task("urgent-too", "job", priority=3))
    for name in ("urgent", "urgent-too"):
        world.wait_phase("ctk", name, "Queued")
    assert len(first_assigned(world, operator, "a", "old", "urgent", "urgent-too")) == 1
    assert world.status("ctk", "old")["phase"] == "Queued", "age does not count where it is switched off"

    # It is four intervals older than the others, which is more than what they are ahead.
    operator.reconfigure({"fairness": {"agingInterval": "1s"}})
    assert first_assigned(world, operator, "b", "old", "urgent", "urgent-too") == ["old"]
