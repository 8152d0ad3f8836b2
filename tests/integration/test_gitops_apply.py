"""A repository of manifests, applied again and again in any order by kubectl in each of its ways, converges: nothing differs after
an apply, a second one writes nothing, and neither the tool nor the operator touches the other's fields."""

import json
import os
import random
import subprocess

import pytest
import yaml
from harness.gitops import GITOPS, assert_each_has_its_fields
from harness.processes import REPO
from harness.waiting import wait_until
from harness.world import FINISHED, run, shell_step, task, workflow

# Counters before what they count, for they are read in this order.
KINDS = ("agents", "tasks", "workflows", "workflowruns")
ENDED = (*FINISHED, "Compensated")
# All that an Agent and a Workflow count is written in its own time.
QUICK = {"agent": {"statusInterval": "1s"}, "workflow": {"statusInterval": "1s"}}
# Objections to an agent that has come meanwhile.
OUTDATED = ("was never seen", "there is no agent", "is Offline")
# What the set is named after; also what is left of a repository when all else is removed from it.
PARENT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "about-the-repository", "namespace": "default"}}


def repository():
    """Every shape that a manifest can have, and the samples that are shipped."""
    files = sorted(f for f in (GITOPS / "repository").glob("*.yaml") if f.name != "kustomization.yaml")
    files += sorted((REPO / "crds/samples").glob("*.yaml"))
    documents = [d for f in files for d in yaml.safe_load_all(f.read_text()) if d]
    for document in documents:
        document["metadata"]["namespace"] = "default"
    return documents


def kubectl(world, *arguments, documents, check=True):
    text = yaml.safe_dump_all(documents, allow_unicode=True)
    done = subprocess.run([world.cluster.kubectl, "--kubeconfig", str(world.cluster.kubeconfig), *arguments, "-f", "-"], input=text, text=True,
                          capture_output=True, check=False, env={**os.environ, "KUBECTL_APPLYSET": "true"})
    assert done.returncode == 0 or not check, f"kubectl {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done


def apply_as_a_set(world, documents):
    return kubectl(world, "apply", "--server-side", "--field-manager=git", "--namespace=default", "--prune",
                   "--applyset=configmaps/repository", documents=[PARENT, *documents])


WAYS = {
    "client-side": ["apply"],
    "server-side": ["apply", "--server-side", "--field-manager=git"],
}
DIFFS = {
    "client-side": ["diff"],
    "server-side": ["diff", "--server-side", "--field-manager=git"],
}


def assert_no_diff(world, way, documents):
    done = kubectl(world, *DIFFS[way], documents=documents, check=False)
    assert done.returncode == 0, f"after an apply, kubectl diff ({way}) still finds:\n{done.stdout}{done.stderr}"


def applied(world, documents):
    return {(d["kind"], d["metadata"]["name"]): world.get(d["kind"], d["metadata"]["name"]) for d in documents}


def has_counted_all(agent, tasks):
    outcomes = [a["outcome"] for t in tasks for a in t["status"].get("attempts", []) if a["agentName"] == agent["metadata"]["name"]]
    status, failed = agent["status"], sum(outcomes.count(o) for o in ("Failed", "Timeout", "AgentLost"))
    counted = status.get("activeTasks"), status.get("completedTasks", 0), status.get("failedTasks", 0)
    return counted == (0, outcomes.count("Succeeded"), failed)


def tells_the_last_run(definition, runs):
    own = [r for r in runs if r["spec"].get("workflowName") == definition["metadata"]["name"]]
    last = max(own, key=lambda r: (r["metadata"]["creationTimestamp"], r["status"].get("startedAt", ""), r["metadata"]["name"]),
               default=None)
    status = definition["status"]
    told = status.get("activeRuns", 0), status.get("lastRun", ""), status.get("lastRunPhase", "")
    return told == (sum(r["status"]["phase"] not in ENDED for r in own),
                    last["metadata"]["name"] if last else "", last["status"]["phase"] if last else "")


def wait_settled(world, documents):
    """Until the operator has nothing more to say: all work that has an agent is done, and every number is the last one."""
    def settled():
        state = {kind: world.list(kind) for kind in KINDS}
        ended = [o for kind in ("tasks", "workflowruns") for o in state[kind] if o["status"]["phase"] in FINISHED]
        # The release pipeline needs agents that are not in the repository.
        waiting = [o for kind in ("tasks", "workflowruns") for o in state[kind]
                   if o["metadata"].get("labels", {}).get("convoke.dev/workflow") == "release-pipeline"]
        return (len(ended) + len(waiting) == len(state["tasks"]) + len(state["workflowruns"])
                and all(o["status"]["observedGeneration"] == o["metadata"]["generation"] for k in KINDS for o in state[k])
                and len(waiting) == 2 and any(o["status"].get("reason") == "NoEligibleAgent" for o in waiting)
                and not any(word in json.dumps(o["status"]) for o in waiting for word in OUTDATED)
                and all(tells_the_last_run(o, state["workflowruns"]) for o in state["workflows"])
                and all(o["status"].get("lastRunPhase", "") in ("", "Succeeded", "Running") for o in state["workflows"])
                and all(has_counted_all(o, state["tasks"]) for o in state["agents"])
                and {o["metadata"]["name"]: o["status"]["phase"] for o in state["agents"]} == {"worker": "Ready"})
    wait_until(settled, 120, lambda: "the repository does not settle:\n" + world.kubectl("get", "convoke").stdout + world.logs(), 0.2)
    return applied(world, documents)


def contents(objects):
    return {key: (o["metadata"]["generation"], o["metadata"]["labels"], o["spec"], o["status"]) for key, o in objects.items()}


@pytest.fixture
def working(world):
    """With an operator and the agent `worker`, which a test starts once its Agent is applied."""
    world.operator(settings=QUICK)
    world.worker = world.runner("worker", start=False)
    yield world
    world.kubectl("delete", "configmap", "--ignore-not-found", "repository", PARENT["metadata"]["name"])


def any_order():
    seed = random.randrange(10**6)
    print("seed", seed)
    return random.Random(seed)


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_repository_applied_as_a_set_in_any_order(working, attempt):
    print("attempt", attempt)
    documents = repository()
    order = any_order()
    order.shuffle(documents)
    apply_as_a_set(working, documents)
    working.worker.start()
    before = wait_settled(working, documents)
    assert_each_has_its_fields(before.values(), "git")
    assert_no_diff(working, "server-side", documents)
    order.shuffle(documents)
    apply_as_a_set(working, documents)
    assert contents(applied(working, documents)) == contents(before), "a second apply changed something"
    working.worker.stop()
    # What leaves the repository leaves the cluster, with all that came of it.
    apply_as_a_set(working, [])
    wait_until(lambda: not any(working.list(kind) for kind in KINDS), 60, lambda: working.kubectl("get", "convoke").stdout)


def without_nulls(value):
    if isinstance(value, dict):
        return {key: without_nulls(v) for key, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value


def test_a_repository_applied_in_every_way_in_turn(working):
    """Without nulls: kubectl itself leaves them out of a client-side apply, and sends them in a server-side one."""
    documents = without_nulls(repository())
    any_order().shuffle(documents)
    settled = None
    for way in ("client-side", "client-side", "server-side", "server-side", "client-side", "server-side"):
        kubectl(working, *WAYS[way], documents=documents)
        if not settled:
            working.worker.start()
            settled = wait_settled(working, documents)
        for other in DIFFS:
            assert_no_diff(working, other, documents)
    for key, o in applied(working, documents).items():
        assert o["spec"] == settled[key]["spec"] and o["metadata"]["generation"] == 1, key
        assert o["status"] == settled[key]["status"], key


def test_what_is_applied_is_what_is_there(working):
    """Lists, maps and defaults: a later apply replaces what an earlier one, or a default, has put there."""
    steps = [shell_step(name, "true") for name in ("c", "a", "b")]
    working.apply(workflow("merged", steps, mode="Sequential", retry={"limit": 1, "on": ["AgentLost", "Timeout"]}))
    steps = [shell_step("b", "false"), shell_step("c", "true", retry={"on": ["Timeout"]})]
    working.apply(workflow("merged", steps, mode="Sequential", retry={"on": ["Failed"]}))
    spec = working.get("cwf", "merged")["spec"]
    assert [s["name"] for s in spec["steps"]] == ["b", "c"]
    assert spec["retry"] == {"on": ["Failed"]} and spec["steps"][1]["retry"] == {"on": ["Timeout"]}
    assert spec["triggers"] == [] and spec["historyLimits"] == {"succeeded": 3, "failed": 3}
    working.apply(workflow("merged", list(reversed(steps)), mode="Sequential"))
    spec = working.get("cwf", "merged")["spec"]
    assert [s["name"] for s in spec["steps"]] == ["c", "b"] and "retry" not in spec


def test_references_that_arrive_late_heal_by_event(working):
    """Nothing is looked at again of its own accord within five minutes, so what heals within seconds was told."""
    operator = working.processes[0]
    working.apply(run("first", "second"), task("first", parameters={"command": "true"}))
    wait_until(lambda: working.status("cwr", "first").get("reason") == "WorkflowNotFound", 20)
    wait_until(lambda: working.status("ctk", "first").get("reason") == "NoEligibleAgent", 20)
    working.apply(workflow("second", [shell_step("only", "true")]))
    wait_until(lambda: working.status("ctk", "first-only").get("reason") == "NoEligibleAgent", 20)
    reconciles = operator.metric("controller_runtime_reconcile_total")
    working.worker.start()
    assert working.wait_finished("cwr", "first", 60)["phase"] == "Succeeded"
    assert working.wait_finished("ctk", "first", 60)["phase"] == "Succeeded"
    assert operator.metric("controller_runtime_reconcile_total") - reconciles < 100
