"""The audit log of a real operator, replayed, is what a watch saw, across rotation and a kill."""

import json

from harness.processes import Process
from harness.waiting import wait_until
from harness.world import run, shell_step, task, workflow

PLURALS = ("agents", "tasks", "workflows", "workflowruns")
RETRY_ONCE = {"limit": 1, "on": ["Failed"], "backoff": {"type": "Fixed", "base": "100ms", "max": "1s"}}


class Watch(Process):
    """All that the API server tells of one kind in the namespace default, a line for each event."""

    def __init__(self, world, plural):
        self.plural = plural
        path = f"/apis/convoke.dev/v1alpha1/namespaces/default/{plural}"
        # From now on, however late it connects.
        now = json.loads(world.kubectl("get", "--raw", f"{path}?limit=1").stdout)["metadata"]["resourceVersion"]
        super().__init__(f"watch-{plural}", world.directory, [
            world.cluster.kubectl, "--kubeconfig", world.cluster.kubeconfig, "get", "--raw",
            f"{path}?watch=true&resourceVersion={now}"])

    def statuses(self):
        """{uid: [(resourceVersion, phase)]} of each change, in their order; the phase is "" before the operator wrote one."""
        found = {}
        for line in self.log().rpartition("\n")[0].splitlines():
            event = json.loads(line)
            assert event["type"] in ("ADDED", "MODIFIED", "DELETED"), event
            if event["type"] != "DELETED":
                meta, status = event["object"]["metadata"], event["object"].get("status", {})
                written = status.get("observedGeneration", -1) >= 0
                found.setdefault(meta["uid"], []).append((meta["resourceVersion"], status["phase"] if written else ""))
        return found


def lines_of(*paths):
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def without_repeats(values):
    values = list(values)
    return [value for i, value in enumerate(values) if i == 0 or value != values[i - 1]]


def assert_tells_what_happened(lines, watches):
    told = {}
    for line in lines:
        if line["action"] == "Status":
            told.setdefault(line["uid"], []).append(line)
    for watch in watches:
        for uid, seen in watch.statuses().items():
            phases = without_repeats([""] + [phase for _, phase in seen])
            log = told.pop(uid, [])
            assert without_repeats([""] + [line["to"] for line in log]) == phases, (watch.plural, log, seen)
            for before, line in zip([{"to": ""}, *log], log):
                assert line.get("from", "") == before["to"], (before, line)
                assert (line["resourceVersion"], line["to"]) in seen, f"{line} is not what the API server has: {seen}"
    assert not told, f"objects that nobody saw: {told}"


def assert_numbered(lines):
    """Each operator numbers its lines without a gap; returns the operators."""
    operators = {}
    for line in lines:
        operators.setdefault(line["operator"], []).append(line["number"])
    for numbers in operators.values():
        assert numbers == list(range(1, len(numbers) + 1))
    return operators


def test_replayed_it_is_what_a_watch_saw_across_rotation_and_a_kill(world):
    path = world.directory / "audit.log"
    rotated = world.directory / "audit.log.1"
    watches = [Watch(world, plural).start() for plural in PLURALS]
    world.processes += watches
    operator = world.operator(settings={"audit": {"path": str(path)}})
    world.runner("worker")
    gate = world.directory / "gate"
    world.apply(workflow("audited", [shell_step("first", f"while [ ! -e {gate} ]; do sleep 0.05; done"),
                                     shell_step("bad", "exit 3", ["first"], retry=RETRY_ONCE)]),
                run("audited-1", "audited"),
                task("nobody-can", "gpu"),
                task("waits", parameters={"command": "sleep 600"}))
    for name in ("audited-1-first", "waits"):
        world.wait_phase("ctk", name, "Running")
    world.wait_phase("ctk", "nobody-can", "Queued")
    path.rename(rotated)
    world.kubectl("patch", "ctk", "waits", "--type=merge", "-p", '{"spec":{"cancel":{"reason":"enough"}}}')
    world.wait_phase("ctk", "waits", "Cancelled")
    wait_until(lambda: idle(operator), 20, lambda: "the operator does not come to rest")
    operator.kill()
    operator.start().wait_ready()
    gate.touch()
    assert world.wait_finished("cwr", "audited-1")["phase"] == "Failed"
    world.kubectl("delete", "ctk", "nobody-can")
    wait_until(lambda: all(caught_up(world, watch) for watch in watches), 20, lambda: "the watches do not catch up")

    lines = lines_of(rotated, path)
    assert_tells_what_happened(lines, watches)
    assert len(assert_numbered(lines)) == 2
    check_causes(lines)


def idle(operator):
    return operator.metric("workqueue_depth") == 0 and operator.metric("controller_runtime_active_workers") == 0


def caught_up(world, watch):
    """The watch has the last change of each object that is there now."""
    seen = watch.statuses()
    return all(seen.get(o["metadata"]["uid"], [("", "")])[-1][0] == o["metadata"]["resourceVersion"]
               for o in world.list(f"{watch.plural}.convoke.dev"))


def check_causes(lines):
    def only(name, **fields):
        found = [line for line in lines if line["name"] == name and fields.items() <= line.items()]
        assert len(found) == 1, (name, fields, found, [line for line in lines if line["name"] == name])
        return found[0]

    cancelled = only("waits", to="Cancelled")
    assert (cancelled["by"], cancelled["who"]) == ("user", "kubectl-patch"), cancelled
    running = only("waits", to="Running")
    assert (running["by"], running["who"]) == ("agent", "worker"), running
    assigned = only("waits", to="Assigned")
    assert assigned["by"] == "operator" and assigned["agent"] == "worker" and assigned["attempt"] == 1
    assert {"id", "strategy", "score", "candidates"} <= set(assigned["assignment"]), assigned
    queued = only("nobody-can", reason="NoEligibleAgent")
    assert [r["agent"] for r in queued["assignment"]["rejected"]] == ["worker"], queued
    only("audited-1-bad", action="Created", owner="WorkflowRun/audited-1")
    assert only("audited-1-bad", reason="Retrying")["by"] == "agent"
    assert only("audited-1", to="Failed")["reason"] == "StepFailed"
    assert only("worker", kind="Agent", to="Ready")["by"] == "agent"


def test_a_path_that_cannot_be_written_refuses_to_start(world):
    operator = world.operator(settings={"audit": {"path": str(world.directory / "missing/audit.log")}}, start=False).start()
    assert operator.child.wait(20) != 0
    assert "missing/audit.log" in operator.log()
