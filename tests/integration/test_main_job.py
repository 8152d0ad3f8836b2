"""The main job: what is applied with kubectl runs to completion on real agents."""

from harness.processes import assert_no_attempt_ran_twice
from harness.world import run, shell_step, task, workflow

DIAMOND = [
    shell_step("top", 'echo "{\\"version\\": \\"$CONVOKE_PARAM_VERSION\\"}" > $CONVOKE_OUTPUT', parameters={"version": "$(params.version)"}),
    shell_step("left", 'echo "{\\"text\\": \\"left of $CONVOKE_PARAM_V\\"}" > $CONVOKE_OUTPUT', ["top"],
               {"v": "$(steps.top.outputs.version)"}),
    shell_step("right", 'echo "{\\"number\\": 7}" > $CONVOKE_OUTPUT', ["top"]),
    shell_step("bottom", 'cat > $CONVOKE_OUTPUT', ["left", "right"],
               {"both": ["$(steps.left.outputs.text)", "$(steps.right.outputs.number)"]}),
]


def test_outputs_flow_through_a_diamond(world):
    runner = world.runner("worker")
    world.operator()
    world.apply(workflow("diamond", DIAMOND, parameters=[{"name": "version", "type": "String", "default": "1.2.3"}],
                         outputs=[{"name": "both", "value": "$(steps.bottom.outputs.both)"},
                                  {"name": "summary", "value": "v$(params.version): $(steps.left.outputs.text)"},
                                  {"name": "sum", "value": "$(steps.right.outputs.number + size(steps.bottom.outputs.both))"}]))
    world.apply(run("diamond-by-hand", "diamond", parameters={"version": "9"}))
    status = world.wait_finished("cwr", "diamond-by-hand")
    assert status["phase"] == "Succeeded", status
    assert status["outputs"] == {"both": ["left of 9", 7], "summary": "v9: left of 9", "sum": 9}
    assert status["progress"] == "4/4"
    starts = {e["task"]: e["time"] for e in runner.started()}
    assert starts["diamond-by-hand-bottom"] > starts["diamond-by-hand-left"] > starts["diamond-by-hand-top"]
    assert_no_attempt_ran_twice([runner])
    # kstatus, as `kubectl wait`, Flux and Argo CD read it.
    world.kubectl("wait", "cwr/diamond-by-hand", "--for=condition=Ready", "--timeout=5s")


def test_the_create_trigger_runs_once_in_a_workflows_life(world):
    world.runner("worker")
    world.operator()
    manifest = workflow("auto", [shell_step("only", "true")])
    del manifest["spec"]["triggers"]
    world.apply(manifest)
    created = wait_created_run(world, "auto")
    assert world.wait_finished("cwr", created)["phase"] == "Succeeded"
    manifest["spec"]["steps"].append(shell_step("second", "true"))
    world.apply(manifest)
    world.kubectl("wait", "cwf/auto", "--for=jsonpath={.status.observedGeneration}=2", "--timeout=20s")
    world.kubectl("delete", "cwr", created)
    world.kubectl("annotate", "cwf", "auto", "touched=yes")
    assert world.list("cwr") == []


def wait_created_run(world, name):
    world.kubectl("wait", f"cwf/{name}", "--for=jsonpath={.status.createdRun}", "--timeout=20s")
    return world.status("cwf", name)["createdRun"]


def test_a_failed_step_says_why_and_is_retried_as_asked(world):
    runner = world.runner("worker")
    world.operator()
    retry = {"limit": 2, "on": ["Failed"], "backoff": {"type": "Fixed", "base": "200ms", "max": "1s"}}
    world.apply(workflow("failing", [shell_step("bad", "echo 'no such file: x.c' >&2; exit 3", retry=retry),
                                     shell_step("after", "true", ["bad"])]))
    world.apply(run("failing-1", "failing"))
    status = world.wait_finished("cwr", "failing-1")
    assert status["phase"] == "Failed"
    assert "bad" in status["message"] and "no such file: x.c" in str(status), status
    bad = world.status("ctk", "failing-1-bad")
    assert bad["attempt"] == 3 and [a["outcome"] for a in bad["attempts"]] == ["Failed"] * 3, bad
    assert {s["name"]: s["phase"] for s in status["steps"]}["after"] in ("Skipped", "Cancelled")
    stalled = world.condition("cwr", "failing-1", "Stalled")
    assert stalled and stalled["status"] == "True"
    assert len(runner.started()) == 3
    assert world.wait_event("failing-1", "StepFailed")


def test_cancelling_a_run_ends_its_commands(world):
    runner = world.runner("worker")
    world.operator()
    world.apply(workflow("long", [shell_step("sleep", "trap '' TERM; sleep 600 & echo $! > $CONVOKE_PARAM_PIDFILE; wait; sleep 600",
                                             parameters={"pidfile": str(world.directory / "pid")})]))
    world.apply(run("long-1", "long"))
    world.wait_phase("ctk", "long-1-sleep", "Running")
    pid = wait_for_file(world.directory / "pid")
    world.kubectl("patch", "cwr", "long-1", "--type=merge", "-p", '{"spec":{"cancel":{"reason":"not needed"}}}')
    assert world.wait_finished("cwr", "long-1")["phase"] == "Cancelled"
    wait_gone(pid)
    assert "killed" in [e["event"] for e in runner.journal()]


def wait_for_file(path):
    from harness.waiting import wait_until
    return int(wait_until(lambda: path.exists() and path.read_text().strip(), 20))


def wait_gone(pid):
    import pathlib

    from harness.waiting import wait_until

    def gone():
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            return True
    wait_until(gone, 20, lambda: f"process {pid} still lives")


def test_suspend_holds_a_run_and_resume_lets_it_finish(world):
    runner = world.runner("worker")
    world.operator()
    gate = world.directory / "gate"
    world.apply(workflow("held", [shell_step("one", f"while [ ! -e {gate} ]; do sleep 0.1; done"), shell_step("two", "true", ["one"])]))
    world.apply(run("held-1", "held"))
    world.wait_phase("ctk", "held-1-one", "Running")
    world.kubectl("patch", "cwr", "held-1", "--type=merge", "-p", '{"spec":{"suspend":true}}')
    world.wait_phase("cwr", "held-1", "Suspended")
    gate.touch()
    world.wait_phase("ctk", "held-1-one", "Succeeded")
    world.kubectl("wait", "cwr/held-1", "--for=jsonpath={.status.steps[0].phase}=Succeeded", "--timeout=20s")
    assert world.get("ctk", "held-1-two") is None
    world.kubectl("patch", "cwr", "held-1", "--type=merge", "-p", '{"spec":{"suspend":false}}')
    assert world.wait_finished("cwr", "held-1")["phase"] == "Succeeded"
    assert len(runner.started()) == 2


def test_editing_a_workflow_changes_no_live_run(world):
    world.runner("worker")
    world.operator()
    gate = world.directory / "gate"
    first = workflow("edited", [shell_step("wait", f"while [ ! -e {gate} ]; do sleep 0.1; done"),
                                shell_step("say", "echo '{\"said\": \"first\"}' > $CONVOKE_OUTPUT", ["wait"])],
                     outputs=[{"name": "said", "value": "$(steps.say.outputs.said)"}])
    world.apply(first)
    world.apply(run("edited-1", "edited"))
    world.wait_phase("ctk", "edited-1-wait", "Running")
    first["spec"]["steps"][1] = shell_step("say", "echo '{\"said\": \"second\"}' > $CONVOKE_OUTPUT", ["wait"])
    world.apply(first)
    world.kubectl("wait", "cwf/edited", "--for=jsonpath={.status.observedGeneration}=2", "--timeout=20s")
    world.apply(run("edited-2", "edited"))
    gate.touch()
    assert world.wait_finished("cwr", "edited-1")["outputs"] == {"said": "first"}
    assert world.wait_finished("cwr", "edited-2")["outputs"] == {"said": "second"}
    revisions = world.list("controllerrevisions", "-l", "convoke.dev/workflow=edited")
    assert len(revisions) == 2
    world.apply(run("edited-3", "edited", revision=world.status("cwr", "edited-1")["revision"]))
    assert world.wait_finished("cwr", "edited-3")["outputs"] == {"said": "first"}


def test_history_limits_remove_the_oldest_finished_runs(world):
    world.runner("worker")
    world.operator()
    world.apply(workflow("kept", [shell_step("only", "true")], historyLimits={"succeeded": 2, "failed": 1}))
    for i in range(4):
        world.apply(run(f"kept-{i}", "kept"))
        world.wait_phase("cwr", f"kept-{i}", "Succeeded") if i < 2 else None
    from harness.waiting import wait_until
    wait_until(lambda: len(world.list("cwr")) == 2, 30, lambda: str([r["metadata"]["name"] for r in world.list("cwr")]))
    wait_until(lambda: len(world.list("ctk")) == 2, 60, lambda: "the Tasks of removed runs are still there")


def test_no_agent_fits_is_explained_and_heals_at_once(world):
    world.runner("worker")
    world.operator()
    world.wait_phase("cag", "worker", "Ready")
    world.apply(task("needs-gpu", "train", requires={"capabilities": ["gpu"]}))
    status = world.wait_phase("ctk", "needs-gpu", "Queued")
    assert status["reason"] == "NoEligibleAgent"
    rejected = {r["agentName"]: r["reason"] for r in status["assignment"]["rejected"]}
    assert "gpu" in rejected["worker"], rejected
    assert world.wait_event("needs-gpu", "NoEligibleAgent")
    world.runner("gpu-box", tasks={"train": {"command": ["true"]}}, agent={"capabilities": ["gpu"]})
    status = world.wait_finished("ctk", "needs-gpu", timeout=30)  # nothing would look again by itself before minutes
    assert status["phase"] == "Succeeded" and status["agentName"] == "gpu-box"


def test_a_one_step_run_costs_at_most_eight_writes(world):
    # What goes by time, and not by runs, is not written meanwhile.
    operator = world.operator(settings={"agent": {"statusInterval": "10m"}, "workflow": {"statusInterval": "10m"}})
    world.runner("worker")  # waits until it is Ready
    world.apply(workflow("small", [shell_step("only", "true")]))
    world.wait_phase("cwf", "small", "Ready")
    before = object_writes(operator)
    world.apply(run("small-1", "small"))
    world.wait_phase("cwr", "small-1", "Succeeded")
    from harness.waiting import wait_until
    wait_until(lambda: operator.metric("workqueue_depth") == 0, 10)
    agent_writes = 2
    assert object_writes(operator) - before + agent_writes <= 8


def object_writes(operator):
    """Without Lease renewals and Events, which belong to no run."""
    return operator.metric("convoke_object_writes_total")
