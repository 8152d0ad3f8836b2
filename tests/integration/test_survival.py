"""What must survive: crashes, freezes, restarts and cuts, each while a run is under way. Afterwards the run has completed
and the runners' journals show that no attempt ran twice."""

import subprocess

from harness.processes import assert_no_attempt_ran_twice
from harness.waiting import wait_until
from harness.world import run, shell_step, task, workflow

STEPS = 6
STEADY = {"limit": 3, "on": ["Failed", "Timeout", "AgentLost"], "backoff": {"type": "Fixed", "base": "100ms", "max": "1s"}}


def start_chain(world, name="chain"):
    """A run of several short steps, each of which waits for a file that `release` makes."""
    steps = []
    for i in range(STEPS):
        gate = world.directory / f"{name}-gate-{i}"
        steps.append(shell_step(f"s{i}", f"while [ ! -e {gate} ]; do sleep 0.05; done", [f"s{i - 1}"] if i else [], retry=STEADY))
    world.apply(workflow(name, steps))
    world.apply(run(name, name))
    world.wait_phase("ctk", f"{name}-s0", "Running")


def release(world, name="chain", first=0, last=STEPS):
    for i in range(first, last):
        (world.directory / f"{name}-gate-{i}").touch()


def assert_chain_succeeded_without_doubles(world, runners, name="chain", timeout=60):
    assert world.wait_finished("cwr", name, timeout)["phase"] == "Succeeded"
    attempts = assert_no_attempt_ran_twice(runners)
    assert len(attempts) == STEPS, attempts


def test_operator_killed_in_the_middle_of_a_run(world):
    runner = world.runner("worker")
    operator = world.operator()
    start_chain(world)
    for i in range(STEPS):
        operator.kill()
        release(world, first=i, last=i + 1)
        operator.start().wait_ready()
        if i + 1 < STEPS:
            world.wait_phase("ctk", f"chain-s{i + 1}", ("Running", "Assigned"), 40)
    assert_chain_succeeded_without_doubles(world, [runner])


def test_api_server_and_etcd_restarted(world):
    runner = world.runner("worker")
    world.operator().restart_when_it_ends()
    start_chain(world)
    for component in ("kube-apiserver", "etcd"):
        world.cluster.dev_cluster("kill", component)
    release(world, last=3)
    for component in ("etcd", "kube-apiserver"):
        world.cluster.dev_cluster("start", component)
    world.wait_phase("ctk", "chain-s3", ("Assigned", "Running"))
    world.cluster.dev_cluster("stop", "kube-apiserver")
    release(world)
    world.cluster.dev_cluster("start", "kube-apiserver")
    assert_chain_succeeded_without_doubles(world, [runner])


def test_watches_cut_and_history_compacted(world):
    runner = world.runner("worker")
    operator = world.operator().restart_when_it_ends()
    start_chain(world)
    # While the operator cannot read: changes that it will have missed, and no history to catch up with.
    operator.freeze()
    release(world, last=2)
    world.wait_phase("cag", "worker", "Ready")
    wait_until(lambda: world.status("ctk", "chain-s0").get("report", {}).get("state") == "Succeeded", 20)
    world.cluster.dev_cluster("stop", "kube-apiserver")
    compact(world)
    world.cluster.dev_cluster("start", "kube-apiserver")
    operator.wake()
    release(world)
    assert_chain_succeeded_without_doubles(world, [runner])


def compact(world):
    environment = world.cluster.environment
    status = subprocess.run(["etcdctl", "endpoint", "status", "-w", "json"], env=environment, text=True, capture_output=True, check=True)
    import json
    revision = json.loads(status.stdout)[0]["Status"]["header"]["revision"]
    subprocess.run(["etcdctl", "compact", "--physical", str(revision)], env=environment, check=True, capture_output=True)


def test_the_frozen_leader_wakes_behind_its_successor(world):
    runner = world.runner("worker")
    first = world.operator("operator-a")
    wait_until(first.leads, 30)
    second = world.operator("operator-b")
    start_chain(world)
    first.freeze()
    release(world, last=3)
    wait_until(second.leads, 30)
    world.wait_phase("ctk", "chain-s3", ("Assigned", "Running"))
    first.wake()
    release(world)
    assert_chain_succeeded_without_doubles(world, [runner])
    wait_until(lambda: not first.leads(), 20, lambda: "the deposed leader still leads")
    assert second.alive() and second.leading()


def test_the_leader_hands_over_when_it_is_shut_down(world):
    runner = world.runner("worker")
    patient = {"leaderElection": {"leaseDuration": "60s", "renewDeadline": "40s"}}
    first = world.operator("operator-a", patient)
    wait_until(first.leads, 30)
    second = world.operator("operator-b", patient)
    start_chain(world)
    assert first.stop() == 0
    wait_until(second.leads, 30, lambda: "the Lease was not released")
    release(world)
    assert_chain_succeeded_without_doubles(world, [runner])


def test_a_lost_agent_is_replaced_and_its_late_report_refused(world):
    lost = world.runner("lost")
    world.operator()
    gate = world.directory / "gate"
    world.apply(task("job", parameters={"command": f"while [ ! -e {gate} ]; do sleep 0.05; done"}, retry=STEADY))
    world.wait_phase("ctk", "job", "Running")
    first = world.status("ctk", "job")["assignment"]["id"]
    heir = world.runner("heir")
    lost.freeze()
    status = wait_until(lambda: (s := world.status("ctk", "job")).get("agentName") == "heir" and s["phase"] == "Running" and s, 60,
                        lambda: world.status("ctk", "job"))
    assert status["attempt"] == 2 and status["attempts"][0]["outcome"] == "AgentLost", status
    # The API server itself refuses what the first agent still has to say.
    report = [{"op": "test", "path": "/status/assignment/id", "value": first},
              {"op": "add", "path": "/status/report", "value": {"assignmentID": first, "state": "Succeeded"}}]
    late = patch_status(world, "job", report, "agent-lost")
    assert late.returncode != 0
    forged = patch_status(world, "job", report[1:], "agent-lost")
    assert forged.returncode != 0 and "denied" in forged.stderr, forged.stderr
    lost.wake()
    wait_until(lambda: {"killed", "refused"} & {e["event"] for e in lost.journal()}, 20, lambda: lost.journal())
    gate.touch()
    status = world.wait_finished("ctk", "job")
    assert status["phase"] == "Succeeded" and status["agentName"] == "heir", status
    attempts = assert_no_attempt_ran_twice([lost, heir])
    assert len(attempts) == 2


def patch_status(world, name, patch, user):
    import json
    return world.kubectl("patch", "ctk", name, "--subresource=status", "--type=json", "-p", json.dumps(patch), user=user, check=False)


def test_an_agent_killed_and_restarted_says_that_it_does_not_know(world):
    runner = world.runner("worker")
    world.operator()
    gate = world.directory / "gate"
    world.apply(task("job", parameters={"command": f"while [ ! -e {gate} ]; do sleep 0.05; done"}, retry=STEADY))
    world.wait_phase("ctk", "job", "Running")
    runner.kill()
    runner.start()
    wait_until(lambda: world.status("ctk", "job").get("attempt") == 2, 60, lambda: world.status("ctk", "job"))
    gate.touch()
    assert world.wait_finished("ctk", "job")["phase"] == "Succeeded"
    assert len(assert_no_attempt_ran_twice([runner])) == 2
