"""What GitOps tools make of Convoke's objects. Every kind is driven into every phase on a real API server, each state that the
objects went through is kept, and the kstatus library (which Flux waits with) and the health checks for Argo CD must say of each
what a person would say."""

import subprocess
import sys

import yaml
from harness.gitops import CHECKS, Watch, argo_health, kstatus
from harness.processes import REPO
from harness.waiting import wait_until
from harness.world import run, shell_step, task, workflow

KINDS = {"agents": "Agent", "tasks": "Task", "workflows": "Workflow", "workflowruns": "WorkflowRun"}

# What a person would say of each phase: to kstatus and to Argo CD.
IN_PROGRESS, CURRENT, FAILED = ("InProgress", "Progressing"), ("Current", "Healthy"), ("Failed", "Degraded")
VERDICTS = {
    "Agent": {"Pending": IN_PROGRESS, "Ready": CURRENT, "Degraded": IN_PROGRESS, "Draining": CURRENT,
              "Offline": FAILED},
    "Task": {"Pending": IN_PROGRESS, "Queued": IN_PROGRESS, "Assigned": IN_PROGRESS, "Running": IN_PROGRESS, "Succeeded": CURRENT,
             "Failed": FAILED, "Cancelled": FAILED},
    "Workflow": {"Pending": IN_PROGRESS, "Ready": CURRENT, "Suspended": CURRENT, "Invalid": FAILED},
    "WorkflowRun": {"Pending": IN_PROGRESS, "Running": IN_PROGRESS, "Suspended": IN_PROGRESS, "Succeeded": CURRENT,
                    "Failed": FAILED, "Cancelled": FAILED, "Compensating": IN_PROGRESS, "Compensated": FAILED},
}


def verdict_on(state):
    status = state["status"]
    if "deletionTimestamp" in state["metadata"]:
        return "Terminating", None
    if status["observedGeneration"] != state["metadata"]["generation"]:
        return IN_PROGRESS
    flux, argo = VERDICTS[state["kind"]][status["phase"]]
    waits_for_a_person = state["kind"] in ("Task", "WorkflowRun") and ready_of(state)["reason"] == "Suspended"
    return flux, "Suspended" if waits_for_a_person else argo


def ready_of(state):
    return next(c for c in state["status"]["conditions"] if c["type"] == "Ready")


def check(states):
    """Both tools say of every state what a person would, and why."""
    for state, (flux, message), (argo, argo_message) in zip(states, kstatus(states), argo_health(states), strict=True):
        expected, expected_argo = verdict_on(state)
        where = f"{state['kind']} {state['metadata']['name']}: {state['status']}"
        assert flux == expected, f"kstatus says {flux} ({message}) instead of {expected} of {where}"
        if expected_argo:
            assert argo == expected_argo, f"Argo CD says {argo} ({argo_message}) instead of {expected_argo} of {where}"
        if flux == "Failed":
            assert message == ready_of(state)["message"], where
        if argo in ("Degraded", "Healthy"):
            assert argo_message == f"{ready_of(state)['reason']}: {ready_of(state)['message']}", where


def reached(watch):
    return {s["status"]["phase"] for s in watch.states()}


def phases_of(kind):
    """Those that the schema has."""
    crd = yaml.safe_load((REPO / f"crds/convoke.dev_{kind}.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return set(schema["properties"]["status"]["properties"]["phase"]["enum"])


def edit(world, kind, name, spec):
    world.kubectl("patch", kind, name, "--type=merge", "-p", yaml.safe_dump({"spec": spec}))


def wait_seen(world, kind, name):
    def seen():
        state = world.get(kind, name)
        return state["status"]["observedGeneration"] == state["metadata"]["generation"]
    wait_until(seen, 20, lambda: f"the operator did not see the edit of {kind} {name}: {world.get(kind, name)}")


def test_every_phase_reads_as_a_person_would_say(world):
    watches = [Watch(world, f"{kind}.convoke.dev") for kind in KINDS]
    try:
        gate = world.directory / "gate"
        work = f"while [ ! -e {gate} ]; do sleep 0.1; done"
        once = {"limit": 0, "on": []}

        # No operator yet: nothing is fine just because it says nothing.
        ghost = {"apiVersion": "convoke.dev/v1alpha1", "kind": "Agent", "metadata": {"name": "ghost", "namespace": "default"},
                 "spec": {}}
        world.apply(ghost, task("work", parameters={"command": work}), run("early", "late"),
                    workflow("broken", [shell_step("a", "true", ["nowhere"])]), workflow("paused", [shell_step("a", "true")], suspend=True))
        unseen = [world.get(kind, name) for kind, name in
                  [("cag", "ghost"), ("ctk", "work"), ("cwr", "early"), ("cwf", "broken")]]
        assert all(o["status"] == {"phase": "Pending", "observedGeneration": -1} for o in unseen), unseen
        check(unseen)

        # An operator, but no agent.
        world.operator()
        world.kubectl("wait", "cwf/broken", "--for=condition=Stalled", "--timeout=20s")
        world.kubectl("wait", "cwf/paused", "--for=condition=Ready", "--timeout=20s")
        world.kubectl("wait", "cag/ghost", "--for=condition=Reconciling", "--timeout=20s")
        world.kubectl("wait", "ctk/work", "--for=jsonpath={.status.reason}=NoEligibleAgent", "--timeout=20s")
        world.kubectl("wait", "cwr/early", "--for=jsonpath={.status.reason}=WorkflowNotFound", "--timeout=20s")
        world.apply(task("on-hold", suspend=True), run("on-hold", "late", suspend=True))
        world.wait_phase("cwr", "on-hold", "Suspended")
        world.kubectl("wait", "ctk/on-hold", "--for=jsonpath={.status.reason}=Suspended", "--timeout=20s")

        # An agent at work.
        runner = world.runner("worker")
        world.wait_phase("ctk", "work", "Running")
        world.apply(workflow("late", [shell_step("a", "true")]), task("bad", parameters={"command": "exit 1"}, retry=once),
                    run("bad", workflowSpec={"steps": [shell_step("a", "exit 1", retry=once)]}),
                    run("stopped", workflowSpec={"steps": [shell_step("a", work)]}))
        undoable = {**shell_step("a", "true"), "compensate": {"type": "shell", "parameters": {"command": "true"}}}
        world.apply(run("undone", workflowSpec={"steps": [undoable, shell_step("b", "exit 1", ["a"], retry=once)],
                                                "onFailure": "Compensate"}))
        world.wait_phase("cwr", "undone", "Compensated")
        world.wait_phase("cwr", "stopped", "Running")
        edit(world, "cwr", "stopped", {"cancel": {"reason": "enough"}})
        edit(world, "ctk", "on-hold", {"cancel": {"reason": "enough"}})
        gate.touch()
        for kind, name, phase in [("cwr", "early", "Succeeded"), ("cwr", "bad", "Failed"), ("cwr", "stopped", "Cancelled"),
                                  ("ctk", "work", "Succeeded"), ("ctk", "bad", "Failed"), ("ctk", "on-hold", "Cancelled")]:
            assert world.wait_finished(kind, name)["phase"] == phase

        # What ended is edited: seen, and otherwise as it was.
        for kind, name in [("cwr", "early"), ("cwr", "bad"), ("ctk", "work")]:
            before = world.status(kind, name)["phase"]
            edit(world, kind, name, {"suspend": True})
            wait_seen(world, kind, name)
            assert world.status(kind, name)["phase"] == before

        # An agent fails once too often.
        edit(world, "cag", "worker", {"circuitBreaker": {"failureThreshold": 1, "openFor": "10m"}})
        wait_seen(world, "cag", "worker")
        world.apply(task("worse", parameters={"command": "exit 1"}, retry=once))
        world.wait_phase("cag", "worker", "Degraded")

        # A definition is mended, an agent is cordoned, then it dies.
        world.apply(workflow("broken", [shell_step("a", "true")]))
        world.wait_phase("cwf", "broken", "Ready")
        edit(world, "cag", "worker", {"cordoned": True})
        world.wait_phase("cag", "worker", "Draining")
        runner.kill()
        world.wait_phase("cag", "worker", "Offline", 30)

        # One that is being deleted.
        world.kubectl("patch", "ctk", "bad", "--type=merge", "-p", '{"metadata": {"finalizers": ["example.com/audit"]}}')
        world.kubectl("delete", "ctk", "bad", "--wait=false")
        assert kstatus([world.get("ctk", "bad")])[0][0] == "Terminating"
        world.kubectl("patch", "ctk", "bad", "--type=merge", "-p", '{"metadata": {"finalizers": []}}')

        for watch, kind in zip(watches, KINDS, strict=True):
            wait_until(lambda w=watch, k=kind: reached(w) == phases_of(k), 20,
                       lambda w=watch, k=kind: f"{k}: the phases seen are {reached(w)}\n{w.complaints.read_text()}")
            check(watch.states())
    finally:
        for watch in watches:
            watch.stop()


def test_the_patch_for_argo_cd_holds_the_checks_and_leaves_the_rest(admin):
    subprocess.run([sys.executable, REPO / "hack/generate-argocd-cm", "--check"], check=True)
    admin.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm"}, "data": {"url": "https://argocd.example.com"}})
    admin.do("patch", "configmap", "argocd-cm", "--patch-file", CHECKS / "argocd-cm.yaml")
    data = admin.get("configmap", "argocd-cm")["data"]
    assert data.pop("url") == "https://argocd.example.com"
    assert data == {f"resource.customizations.health.convoke.dev_{kind}": (CHECKS / f"{kind}.lua").read_text() for kind in KINDS.values()}
