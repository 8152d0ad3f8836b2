"""kubectl convoke, as a person types it: the program on PATH, a real API server, operator and agents."""

import json
import os
import pty
import re
import subprocess
import threading

import pytest
import yaml

from harness.processes import BIN
from harness.proxy import Proxy
from harness.waiting import wait_until
from harness.world import run, shell_step, task, workflow

GATED = "while [ ! -e {gate} ]; do sleep 0.1; done"


class Plugin:
    """`kubectl convoke ...` of one person."""

    def __init__(self, world, kubeconfig=None):
        self.kubectl = str(world.cluster.kubectl)
        self.environment = {**os.environ, "KUBECONFIG": str(kubeconfig or world.cluster.kubeconfig),
                            "PATH": f"{BIN}:{os.environ['PATH']}"}

    def command(self, *arguments):
        return [self.kubectl, "convoke", *map(str, arguments)]

    def run(self, *arguments, expect=0, input=None):
        done = subprocess.run(self.command(*arguments), input=input, text=True, capture_output=True, check=False,
                              env=self.environment, timeout=120)
        assert done.returncode == expect, f"kubectl convoke {arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done

    def out(self, *arguments, **options):
        return self.run(*arguments, **options).stdout

    def json(self, *arguments, **options):
        return json.loads(self.out(*arguments, "-o", "json", **options))

    def refused(self, *arguments):
        return self.run(*arguments, expect=2).stderr

    def start(self, *arguments):
        return subprocess.Popen(self.command(*arguments), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environment)


@pytest.fixture
def plugin(world):
    return Plugin(world)


GREETING = workflow("greet", [
    shell_step("greet", 'printf \'{"greeting": "Hello, %s!"}\' "$CONVOKE_PARAM_WHO" > $CONVOKE_OUTPUT', parameters={"who": "$(params.who)"}),
    shell_step("count", 'echo "{\\"sum\\": $CONVOKE_PARAM_COUNT}" > $CONVOKE_OUTPUT', ["greet"], {"count": "$(params.times * 2)"}, retry={"limit": 0})],
    parameters=[{"name": "who", "required": True}, {"name": "times", "type": "Number", "default": 1}],
    outputs=[{"name": "greeting", "value": "$(steps.greet.outputs.greeting)"}, {"name": "sum", "value": "$(steps.count.outputs.sum)"}])


def test_a_run_is_started_with_typed_parameters_and_followed_to_its_end(world, plugin):
    world.runner("worker")
    world.operator()
    world.apply(GREETING)
    world.kubectl("wait", "cwf/greet", "--for=condition=Ready", "--timeout=20s")
    out = plugin.out("run", "greet", "-p", "who=007", "-p", "times=21", "--name", "greet-1", "--wait")
    status = world.status("cwr", "greet-1")
    assert status["outputs"] == {"greeting": "Hello, 007!", "sum": 42}
    assert world.get("cwr", "greet-1")["spec"]["parameters"] == {"who": "007", "times": 21}
    assert "greet-1/greet  + Succeeded  worker" in out and "Hello, 007!" in out, out
    tree = plugin.out("tree", "greet-1")
    assert re.search(r"^greet-1 +\+ Succeeded +2/2", tree) and "`- count task/greet-1-count" in tree, tree
    assert plugin.json("tree", "run/greet-1")["children"][0]["agent"] == "worker"
    assert "greet-1" in plugin.out("tree") and "greet-1" in plugin.out("tree", "workflow/greet") and "default/greet" in plugin.out("tree", "-A")
    assert "It succeeded" in plugin.out("why", "run/greet-1")
    graph = plugin.out("graph", "greet-1")
    assert ":::Succeeded" in graph and "s0 --> s1" in graph
    assert 'digraph "greet"' in plugin.out("graph", "greet", "-o", "dot")


def test_wrong_parameters_start_nothing(world, plugin):
    world.apply(GREETING)
    assert "who: is required" in plugin.refused("run", "greet")
    assert 'did you mean "times"?' in plugin.refused("run", "greet", "-p", "who=x", "-p", "tmies=3")
    assert 'did you mean "greet"?' in plugin.refused("run", "gret", "-p", "who=x")
    parameters = world.directory / "parameters.yaml"
    parameters.write_text("who: me\ntimes: often\n")
    assert "type Number" in plugin.refused("run", "greet", "-f", parameters)
    assert json.loads(plugin.out("run", "greet", "-f", parameters, "-p", "times=3", "--dry-run"))["spec"]["parameters"] == {"who": "me", "times": 3}
    assert world.list("cwr") == []


def test_a_run_is_started_again_as_it_was_or_with_other_parameters(world, plugin):
    world.runner("worker")
    world.operator()
    world.apply(GREETING)
    world.kubectl("wait", "cwf/greet", "--for=condition=Ready", "--timeout=20s")
    plugin.run("run", "greet", "-p", "who=007", "-p", "times=21", "--name", "greet-1", "--wait")
    assert 'did you mean "times"?' in plugin.refused("rerun", "greet-1", "-p", "tmies=3")
    out = plugin.out("rerun", "greet-1", "-p", "times=2", "--same-revision", "--name", "greet-2", "--wait")
    again = world.get("cwr", "greet-2")
    assert again["status"]["outputs"] == {"greeting": "Hello, 007!", "sum": 4}, out
    assert again["spec"]["parameters"] == {"who": "007", "times": 2}
    assert again["spec"]["revision"] == world.status("cwr", "greet-1")["revision"]
    assert again["spec"]["triggeredBy"] == "kubectl convoke rerun of greet-1" and again["spec"]["createdBy"]
    assert "revision" not in plugin.json("rerun", "greet-1", "--dry-run")["spec"]
    world.kubectl("delete", "cwf/greet")
    assert "Apply the Workflow again" in plugin.refused("rerun", "greet-2")


def test_a_run_that_fails_is_told_by_the_exit_status_and_explained(world, plugin):
    world.runner("worker")
    world.operator()
    world.apply(workflow("bad", [shell_step("break", "echo 'no such file: x.c' >&2; exit 3", retry={"limit": 0}), shell_step("after", "true", ["break"])]))
    world.kubectl("wait", "cwf/bad", "--for=condition=Ready", "--timeout=20s")
    failed = plugin.run("run", "bad", "--name", "bad-1", "--wait", expect=1)
    assert "The run is Failed" in failed.stderr and "kubectl convoke why run/bad-1" in failed.stderr
    assert "no such file: x.c" in plugin.out("tree", "bad-1")
    world.wait_event("bad-1", "StepFailed")
    why = plugin.json("why", "run/bad-1")
    assert why["phase"] == "Failed" and "no such file: x.c" in str(why["because"]), why
    assert any("kubectl convoke retry bad-1" in action for action in why["actions"])
    assert any("StepFailed" in event for event in why["events"]), why
    assert "Attempt 1 on worker: Failed" in plugin.out("why", "task/bad-1-break")


def test_why_names_each_agent_and_what_it_lacks(world, plugin):
    world.operator()
    world.runner("worker")  # waits until it is Ready
    world.apply(task("lonely", "gpu-render"))
    world.wait_phase("ctk", "lonely", "Queued")
    wait_until(lambda: "NoEligibleAgent" in str(world.status("ctk", "lonely")))
    world.wait_event("lonely", "NoEligibleAgent")
    why = plugin.json("why", "lonely")
    assert why["agents"] == [{"agentName": "worker", "reason": "lacks capability gpu-render", "fits": False}]
    text = plugin.out("why", "lonely")
    assert "No agent can take it: it needs gpu-render." in text and "worker  lacks capability gpu-render" in text
    assert "NoEligibleAgent" in text.split("Last Events")[1], text


def test_why_says_who_holds_the_lock(world, plugin):
    world.runner("worker")
    world.operator()
    gate = world.directory / "gate"
    lock = [{"name": "prod"}]
    world.apply(task("first", parameters={"command": GATED.format(gate=gate)}, locks=lock))
    world.wait_phase("ctk", "first", "Running")
    world.apply(task("second", parameters={"command": "true"}, locks=lock))
    wait_until(lambda: world.status("ctk", "second").get("waitingForLock"))
    why = plugin.json("why", "task/second")
    assert 'waits for the lock "prod"' in why["because"][0] and "first" in why["because"][0], why
    gate.touch()
    world.wait_finished("ctk", "second")


def test_a_run_is_held_let_go_and_cancelled(world, plugin):
    world.runner("worker")
    world.operator()
    gate = world.directory / "gate"
    world.apply(workflow("held", [shell_step("one", GATED.format(gate=gate)), shell_step("two", "sleep 600", ["one"])]))
    world.apply(run("held-1", "held"))
    world.wait_phase("ctk", "held-1-one", "Running")
    assert "run/held-1 is suspended" in plugin.out("suspend", "held-1")
    world.wait_phase("cwr", "held-1", "Suspended")
    assert "kubectl convoke resume run/held-1" in plugin.json("why", "held-1")["actions"]
    gate.touch()
    world.wait_phase("ctk", "held-1-one", "Succeeded")
    assert world.get("ctk", "held-1-two") is None
    plugin.run("resume", "held-1")
    world.wait_phase("ctk", "held-1-two", "Running")
    assert "two" in str(plugin.json("why", "run/held-1")["because"])
    plugin.run("cancel", "held-1", "--reason", "not needed")
    status = world.wait_finished("cwr", "held-1")
    assert status["phase"] == "Cancelled"
    assert world.get("cwr", "held-1")["spec"]["cancel"]["reason"] == "not needed"
    assert "has ended already" in plugin.refused("cancel", "held-1")
    assert "kubectl convoke rerun held-1" in plugin.refused("retry", "held-1")
    assert plugin.run("watch", "held-1", expect=1)
    plugin.run("suspend", "workflow/held")
    assert world.get("cwf", "held")["spec"]["suspend"] is True


def test_a_finally_that_hangs_is_ended_with_force(world, plugin):
    world.runner("worker")
    world.operator()
    clean = shell_step("clean", GATED.format(gate=world.directory / "never"))
    world.apply(workflow("hanging", [shell_step("one", "true")], **{"finally": [clean]}))
    world.apply(run("hanging-1", "hanging"))
    world.wait_phase("ctk", "hanging-1-clean", "Running")
    plugin.run("cancel", "hanging-1", "--reason", "it hangs", "--force")
    status = world.wait_finished("cwr", "hanging-1")
    assert status["phase"] == "Cancelled" and status["message"] == "cancelled: it hangs", status
    assert world.wait_finished("ctk", "hanging-1-clean")["phase"] == "Cancelled"


def let_approve(world, *users):
    """The role that the chart gives to approvers, and what reads the definition."""
    rbac = "rbac.authorization.k8s.io/v1"
    world.apply(
        {"apiVersion": rbac, "kind": "Role", "metadata": {"name": "approver", "namespace": "default"}, "rules": [
            {"apiGroups": ["convoke.dev"], "resources": ["workflowruns"], "verbs": ["get", "list", "watch", "patch"]},
            {"apiGroups": ["convoke.dev"], "resources": ["workflows"], "verbs": ["get", "approve"]}]},
        {"apiVersion": rbac, "kind": "RoleBinding", "metadata": {"name": "approver", "namespace": "default"},
         "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user} for user in users],
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "approver"}})
    return [Plugin(world, world.cluster.user(user)) for user in users]


def test_people_approve_in_their_own_names(world, plugin):
    world.runner("worker")
    world.operator()
    ann, bob = let_approve(world, "ann", "bob")
    world.apply(workflow("release", [{"name": "ask", "approval": {"required": 2, "approvers": ["ann", "bob"]}},
                                     shell_step("publish", "true", ["ask"])]))
    world.kubectl("wait", "cwf/release", "--for=condition=Ready", "--timeout=20s")
    plugin.run("run", "release", "--name", "release-1")
    wait_until(lambda: "WaitingForApproval" in str(world.status("cwr", "release-1")))
    assert world.get("cwr", "release-1")["spec"]["createdBy"]
    why = plugin.json("why", "release-1")
    assert "2 approvals by ann or bob; so far: none" in str(why["because"]) and "publish" in str(why["because"]), why
    assert "created this run, and so may not approve" in plugin.refused("approve", "release-1")
    assert "ask approved by ann" in ann.out("approve", "release-1", "--comment", "fine")
    assert "a decision does not change" in ann.refused("reject", "release-1", "ask")
    assert 'step "publish" waits for no approval; run release-1 waits for these: ask' in bob.refused("approve", "release-1", "publish")
    bob.run("approve", "run/release-1")
    assert plugin.run("watch", "release-1").returncode == 0
    said = world.get("cwr", "release-1")["spec"]["approvals"]
    assert [(a["step"], a["user"], a["decision"], a["round"]) for a in said] == [("ask", "ann", "Approve", 0), ("ask", "bob", "Approve", 0)]
    plugin.run("run", "release", "--name", "release-2")
    wait_until(lambda: "WaitingForApproval" in str(world.status("cwr", "release-2")))
    bob.run("reject", "release-2", "-m", "not on a Friday")
    assert world.wait_finished("cwr", "release-2")["phase"] == "Failed"
    assert "waits for no approval" in ann.refused("approve", "release-2") or "has ended" in ann.refused("approve", "release-2")


def test_a_run_that_failed_goes_on_with_retry(world, plugin):
    world.runner("worker")
    world.operator()
    gate = world.directory / "mended"
    world.apply(workflow("mend", [shell_step("first", "true"), shell_step("second", f"test -e {gate}", ["first"], retry={"limit": 0})]))
    world.kubectl("wait", "cwf/mend", "--for=condition=Ready", "--timeout=20s")
    plugin.run("run", "mend", "--name", "mend-1", "--wait", expect=1)
    gate.touch()
    assert 'has no step "thrid"; it has first, second' in plugin.refused("retry", "mend-1", "--step", "thrid")
    assert "is retried: round 1" in plugin.out("retry", "mend-1")
    assert wait_until(lambda: world.status("cwr", "mend-1").get("round") == 1)
    plugin.run("watch", "mend-1")
    assert world.status("cwr", "mend-1")["phase"] == "Succeeded"
    assert re.search("second task/mend-1-second-r1 +. Succeeded", plugin.out("tree", "mend-1"))
    assert "kubectl convoke rerun mend-1" in plugin.refused("retry", "--step", "second", "mend-1")


def test_a_tree_shows_items_sub_runs_and_what_is_undone(world, plugin):
    world.runner("worker", agent={"capacity": 4})
    world.operator()
    world.apply(workflow("inner", [shell_step("work", "true")]))
    world.apply(workflow("outer", [
        {**shell_step("each", "true"), "forEach": {"items": [1, 2, 3]}},
        {"name": "below", "workflow": {"name": "inner"}, "dependsOn": ["each"]},
        {**shell_step("made", "true", ["below"]), "compensate": {"type": "shell", "parameters": {"command": "true"}}},
        shell_step("bad", "exit 1", ["made"], retry={"limit": 0})], onFailure="Compensate"))
    world.kubectl("wait", "cwf/outer", "cwf/inner", "--for=condition=Ready", "--timeout=20s")
    plugin.run("run", "outer", "--name", "outer-1", "--wait", expect=1)
    tree = plugin.json("tree", "outer-1")
    steps = {step["name"]: step for step in tree["children"]}
    assert tree["phase"] == "Compensated", tree
    assert steps["each"]["progress"] == "3 succeeded" and sorted(c["name"] for c in steps["each"]["children"]) == ["item 0", "item 1", "item 2"]
    assert steps["below"]["children"][0]["children"][0]["name"] == "work", tree
    assert steps["made"]["phase"] == "Compensated" and [c["name"] for c in steps["made"]["children"]] == ["undo"], tree
    assert ":::Compensated" in plugin.out("graph", "outer-1")


def test_a_watch_survives_a_broken_connection(world):
    world.runner("worker")
    world.operator()
    gate = world.directory / "gate"
    world.apply(workflow("long", [shell_step("one", GATED.format(gate=gate))]))
    world.apply(run("long-1", "long"))
    world.wait_phase("ctk", "long-1-one", "Running")
    proxy = Proxy.of(world.cluster.kubeconfig)
    try:
        plugin = Plugin(world, proxy.kubeconfig(world.cluster.kubeconfig, world.directory / "through-proxy"))
        watch = plugin.start("watch", "long-1")
        lines = []
        threading.Thread(target=lambda: lines.extend(iter(watch.stdout.readline, "")), daemon=True).start()
        wait_until(lambda: any("* Running" in line and "long-1/one" in line for line in lines), 20, lambda: str(lines))
        proxy.cut()
        wait_until(lambda: any("trying again" in line for line in lines), 20, lambda: str(lines))
        gate.touch()
        world.wait_finished("cwr", "long-1")
        proxy.heal()
        assert watch.wait(60) == 0, lines
        wait_until(lambda: any("long-1/one" in line and "+ Succeeded" in line for line in lines), 10, lambda: str(lines))
    finally:
        proxy.close()


def test_on_a_terminal_the_tree_is_drawn_again_in_colour(world, plugin):
    world.runner("worker")
    world.operator()
    world.apply(workflow("short", [shell_step("one", 'echo "40 half way" >> "$CONVOKE_PROGRESS"; sleep 2')]))
    world.apply(run("short-1", "short"))
    ours, theirs = pty.openpty()
    child = subprocess.Popen(plugin.command("watch", "short-1"), stdout=theirs, stderr=theirs, stdin=theirs,
                             env={**plugin.environment, "TERM": "xterm", "NO_COLOR": ""})
    os.close(theirs)
    screen = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:
            break
        if not part:
            break
        screen += part
    assert child.wait(30) == 0
    text = screen.decode()
    assert "\x1b[2K" in text and "✔ Succeeded" in text and "└─" in text, text


def test_plan_says_which_agents_qualify_and_what_it_costs(world, plugin):
    world.operator()
    world.runner("worker")  # waits until it is Ready
    file = world.directory / "plan.yaml"
    file.write_text(yaml.safe_dump(workflow("planned", [
        shell_step("one", "true"), {"name": "two", "dependsOn": ["one"], "task": {"type": "gpu"}}])))
    plan = plugin.json("plan", file)
    one, two = plan["steps"]
    assert [a["agentName"] for a in one["agents"]["qualified"]] == ["worker"] and two["layer"] == 2
    assert two["agents"] == {"qualified": [], "rejected": [{"agentName": "worker", "reason": "lacks capability gpu"}]}
    assert plan["stepsWithoutAgents"] == 1
    table = plugin.out("plan", file)
    assert "nobody now" in table and "worker lacks capability gpu" in table, table
    assert "assignment.rules" in table, table
    assert "agents" not in plugin.json("plan", file, "--offline")["steps"][0]


def test_plan_knows_what_is_in_workflows_that_steps_run(world, plugin):
    world.operator()
    world.runner("worker")
    world.apply(workflow("inner", [shell_step("work", "true")]))
    outer = workflow("outer", [{"name": "below", "workflow": {"name": "inner"}}, {"name": "lost", "workflow": {"name": "nowhere"}}],
                     parameters=[{"name": "who", "required": True}])
    file = world.directory / "outer.yaml"
    file.write_text(yaml.safe_dump(outer))
    plan = plugin.json("plan", file)
    below, lost = plan["steps"]
    assert [a["agentName"] for a in below["plan"]["steps"][0]["agents"]["qualified"]] == ["worker"], plan
    assert "nowhere" in lost["workflowNotKnown"] and not plan["isComplete"], plan
    assert plan["missingParameters"] == [{"name": "who", "type": "String"}]
    file.write_text(yaml.safe_dump({**outer, "kind": "Workflwo"}))
    refused = plugin.run("plan", file, "-o", "json", expect=1)
    assert json.loads(refused.stdout)["findings"][0]["line"] and 'did you mean Workflow?' in refused.stderr
    file.write_text(yaml.safe_dump(outer))
    nowhere = Plugin(world, world.directory / "no-such-file")
    assert "--offline" in nowhere.refused("plan", file)
    assert "no-such-manifest" in nowhere.refused("plan", world.directory / "no-such-manifest")


def test_lint_says_before_what_the_api_server_and_the_operator_say_after(world, plugin):
    broken = workflow("broken", [shell_step("a", "true", ["b"]), shell_step("b", "true", ["a"])])
    found = plugin.run("lint", "-", "-o", "json", expect=1, input=yaml.safe_dump(broken))
    finding = json.loads(found.stdout)["findings"][0]
    world.operator()
    world.apply(broken)
    wait_until(lambda: (world.condition("cwf", "broken", "Ready") or {}).get("reason") == "InvalidDefinition", 20)
    message = world.condition("cwf", "broken", "Ready")["message"]
    assert message == f"{finding['field']}: {finding['message']}"
    # And of every manifest that the API server refuses for its schema, lint says it too.
    for spec in ({}, {"type": "t", "priority": 9}, {"type": "t", "timeout": "soon"}, {"type": "t", "locks": [{"name": "a"}, {"name": "a"}]},
                 {"type": "t", "retry": {"backoff": {"base": "10m", "max": "1s"}}}, {"type": "t", "unknown": 1}):
        manifest = {"apiVersion": "convoke.dev/v1alpha1", "kind": "Task", "metadata": {"name": "wrong", "namespace": "default"}, "spec": spec}
        text = yaml.safe_dump(manifest)
        assert world.kubectl("create", "--dry-run=server", "-f", "-", input=text, check=False).returncode != 0, spec
        assert plugin.run("lint", "-", expect=1, input=text).stdout, spec
    # The same of its metadata.
    for metadata in ({"name": 12345}, {"name": "a", "labels": ["a"]}, {"name": "a", "labels": {"bad key!": "x"}},
                     {"name": "a", "annotations": {"n": 5}}, {"name": "a", "finalizers": 3}):
        text = yaml.safe_dump({"apiVersion": "convoke.dev/v1alpha1", "kind": "Task", "metadata": metadata, "spec": {"type": "t"}})
        assert world.kubectl("create", "--dry-run=server", "-f", "-", input=text, check=False).returncode != 0, metadata
        assert plugin.run("lint", "-", expect=1, input=text).stdout, metadata


def test_lint_of_a_folder_reads_its_manifests(world, plugin, tmp_path):
    (tmp_path / "deep").mkdir()
    late = workflow("late", [shell_step("a", "true")])
    late["spec"]["triggers"] = [{"type": "Schedule", "name": "never", "schedule": {"cron": "61 * * * *"}}]
    (tmp_path / "deep" / "cron.yaml").write_text(yaml.safe_dump(late))
    (tmp_path / "latin1.yml").write_bytes(b"a: caf\xe9\n")
    (tmp_path / "values.yaml").write_text("replicas: 3\n")
    found = json.loads(plugin.run("lint", str(tmp_path), "-o", "json", expect=1).stdout)["findings"]
    assert [finding["file"] for finding in found] == [str(tmp_path / "deep" / "cron.yaml"), str(tmp_path / "latin1.yml")]
    assert found[0]["field"] == "spec.triggers[never].schedule.cron"
    for command in (("graph", "-f"), ("plan", "--offline")):
        told = plugin.run(*command, str(tmp_path), expect=1).stderr
        assert "spec.triggers[never].schedule.cron" in told and "0xe9" in told, told


def test_errors_speak_to_people(world, plugin):
    stranger = Plugin(world, world.cluster.user("stranger"))
    refusal = stranger.refused("tree", "some-run")
    assert 'you need the right to get workflowruns.convoke.dev in namespace default (RBAC verb "get")' in refusal, refusal
    nowhere = Plugin(world, world.directory / "no-such-file")
    assert "none of the files in $KUBECONFIG exists" in nowhere.refused("tree")
    assert "is it another --namespace?" in plugin.refused("why", "task/nothing")
    assert 'there is no command "wyh"; did you mean "why"? (see --help)' in plugin.refused("wyh", "x")
    for command in ("tree", "watch", "graph", "why", "approve", "reject", "cancel", "suspend", "resume", "retry", "rerun", "run", "lint", "plan"):
        assert f"kubectl convoke {command}" in plugin.out(command, "--help")
