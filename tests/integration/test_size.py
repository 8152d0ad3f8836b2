"""Runs of very many Tasks on a real API server: small objects, few writes, little memory, and nothing left after their deletion.

The agents are those of hack/bench, in one process, for convoke-runner starts a program for each Task.
"""

import json
import os
import re
import subprocess

import pytest

from harness.processes import BIN
from harness.waiting import wait_until

KIND_PATHS = {"WorkflowRun": "/apis/convoke.dev/v1alpha1/namespaces/default/workflowruns",
              "Workflow": "/apis/convoke.dev/v1alpha1/namespaces/default/workflows",
              "ControllerRevision": "/apis/apps/v1/namespaces/default/controllerrevisions"}
TASKS = "/apis/convoke.dev/v1alpha1/namespaces/default/tasks"
LARGEST_OBJECT = 256 * 1024
FIXED_BYTES, STEP_BYTES, ITEM_BYTES = 4096, 160, 2  # of a WorkflowRun, whose items have a letter and mostly a number
STATUS_INTERVAL = 1.0  # seconds between writes of a run's rows
IDLE_MB, MB_PER_TASK = 40, 0.02  # at most, sanitizers aside


def raw(world, path):
    return json.loads(world.kubectl("get", "--raw", path).stdout)


def tasks_left(world):
    page = raw(world, f"{TASKS}?limit=1")
    return len(page["items"]) + page["metadata"].get("remainingItemCount", 0)


def largest_objects(world):
    """Bytes as the API server keeps them, managed fields included."""
    return {kind: max(len(json.dumps(item, separators=(",", ":"))) for item in raw(world, path)["items"])
            for kind, path in KIND_PATHS.items()}


def peak_mb(process):
    with open(f"/proc/{process.child.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) / 1024


def carry_out(world, shape, size):
    """One run of that shape to its end; what hack/bench says of it."""
    done = subprocess.run([BIN / "convoke-bench", "runs", "--count", "1", "--prefix", "large-", "--shape", shape, "--size", str(size),
                           "--parallelism", "200", "--agents", "4", "--capacity", "100", "--longest", "400"],
                          env={**os.environ, "KUBECONFIG": str(world.cluster.kubeconfig)}, text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{world.status('cwr', 'large-0')}\n{world.logs()}"
    return json.loads(done.stdout)


def delete_run(world, operator):
    """Returns how many requests the operator sent because of it."""
    before = operator.metric("rest_client_requests_total", method="DELETE") + operator.metric("convoke_object_writes_total")
    world.kubectl("delete", "cwr", "large-0", "--wait=false")
    wait_until(lambda: tasks_left(world) == 0, 180, lambda: f"{tasks_left(world)} Tasks are left\n{world.logs()}", interval=1)
    return operator.metric("rest_client_requests_total", method="DELETE") + operator.metric("convoke_object_writes_total") - before


@pytest.mark.parametrize(("shape", "size"), [("fan-out", 1000), ("graph", 600)])
def test_a_large_run(world, say, shape, size):
    # How many are written as Running is a matter of the machine's speed.
    operator = world.operator(settings={"log": {"level": "Info"}, "task": {"runningWriteDelay": "1m"}})
    before = operator.metric("convoke_object_writes_total")
    result = carry_out(world, shape, size)
    writes = operator.metric("convoke_object_writes_total") - before
    objects, memory = largest_objects(world), peak_mb(operator)
    status = world.status("cwr", "large-0")
    deletion = delete_run(world, operator)
    say(f"a {shape} of {size}: {result['took_s']:.0f} s; writes for each Task: operator {writes / size:.2f}, agents "
        f"{result['agent_writes'] / size:.2f}; {result['run_status_writes']} writes of the run; operator at most {memory:.0f} MB; "
        f"largest run {result['largest_run_bytes']} bytes, others {objects}; {deletion:.0f} writes because of its deletion")

    assert status["phase"] == "Succeeded"
    assert status["counts"]["succeeded"] == status["counts"]["total"]
    assert max(result["largest_run_bytes"], *objects.values()) < LARGEST_OBJECT
    assert result["largest_run_bytes"] < FIXED_BYTES + size * (STEP_BYTES if shape == "graph" else ITEM_BYTES)
    assert result["agent_writes_refused"] == 0
    # A Task is created, assigned, and ends; some writes meet the agent's own. The rest goes by time: the run's status, and agents'.
    assert writes < 3.5 * size + 2 * result["took_s"]
    assert result["run_status_writes"] <= result["took_s"] / STATUS_INTERVAL + 5
    assert memory < IDLE_MB + MB_PER_TASK * size
    assert deletion < 20
