"""Every shape of work on a real API server, each with the way it fails before the way it succeeds: conditions, fan-outs,
repeats, waits, approvals, state machines, runs of runs, finally, compensation, further rounds. And what must hold of them when
the operator is killed in the middle: nothing is done twice, and all is undone in exactly the reverse order.

One operator and one runner serve all tests of this file; each run has a name of its own."""

import datetime
import itertools
import json
import re
import threading
from http.client import HTTPException

import pytest

from harness.api import GROUP, Api
from harness.waiting import wait_until
from harness.world import FINISHED, World, run, shell_step, workflow

ENDED = (*FINISHED, "Compensated")
ONCE = {"limit": 0}
RBAC = "rbac.authorization.k8s.io"


class Flows:
    """Convoke in a cluster, and what the tests say about runs in one word each."""

    def __init__(self, world):
        self.world = world
        # A killed operator is followed by the next one at once: nobody waits for a Lease to run out.
        self.operator = world.operator(settings={"leaderElection": {"enabled": False}})
        self.runner = world.runner("worker", agent={"capacity": 100, "heartbeat": {"interval": "1s", "timeout": "10s"}})
        self.api = Api(world.cluster.kubeconfig)

    def begin(self, name, steps, run_spec=None, **spec):
        self.world.apply(run(name, workflowSpec={"steps": steps, "retry": ONCE, **spec}, **(run_spec or {})))

    def end(self, name, phase="Succeeded", timeout=60):
        status = self.world.wait_phase("cwr", name, ENDED, timeout)
        assert status["phase"] == phase, status
        return status

    def play(self, name, steps, phase="Succeeded", **spec):
        self.begin(name, steps, **spec)
        return self.end(name, phase)

    def wait_row(self, name, step, **wanted):
        def found():
            row = rows(self.world.status("cwr", name)).get(step, {})
            return row if wanted.items() <= row.items() else None
        return wait_until(found, 30, lambda: f"{step} of {name} is not {wanted}: {self.world.status('cwr', name)}", interval=0.1)

    def patch(self, name, **spec):
        self.world.kubectl("patch", "cwr", name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def say(self, name, step, user, decision="Approve", check=True, **more):
        """As a person does with kubectl: an entry is added to what was said before."""
        entry = {"step": step, "user": user, "decision": decision, **more}
        said = self.world.get("cwr", name)["spec"].get("approvals")
        patch = {"op": "add", "path": "/spec/approvals" + ("/-" if said else ""), "value": entry if said else [entry]}
        return self.world.kubectl("patch", "cwr", name, "--type=json", "-p", json.dumps([patch]), user=user, check=check)

    def started(self, name):
        """What the runner has begun of a run, in its own order, by the names of the Tasks without the run's."""
        return [e["task"].removeprefix(f"{name}-") for e in self.runner.started() if e["task"].startswith(f"{name}-")]

    def most_at_once(self, name):
        now = most = 0
        for entry in self.runner.journal():
            if entry["task"].startswith(f"{name}-"):
                now += {"start": 1, "end": -1}.get(entry["event"], 0)
                most = max(most, now)
        return most

    def gate(self, name):
        return self.world.directory / name

    def gated(self, name, then="true"):
        """A command that ends when that gate is open."""
        return f"while [ ! -e {self.gate(name)} ]; do sleep 0.05; done; {then}"

    def open(self, *names):
        for name in names:
            self.gate(name).touch()


def rows(status):
    return {row["name"]: row for row in status.get("steps", [])}


def phases(status):
    return {row["name"]: row["phase"] for row in status["steps"]}


def say_json(value):
    return f"echo '{json.dumps(value)}' > $CONVOKE_OUTPUT"


def bare(name, depends_on=(), **step):
    """A step that is no task."""
    return {"name": name, **({"dependsOn": list(depends_on)} if depends_on else {}), **step}


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@pytest.fixture(scope="module")
def convoke(cluster, tmp_path_factory):
    world = World(cluster, tmp_path_factory.mktemp("flows")).install()
    try:
        yield Flows(world)
    finally:
        world.stop()
        world.empty()


@pytest.fixture
def flows(convoke):
    """Convoke, alive again whatever the last test did."""
    for process in (convoke.operator, convoke.runner):
        if not process.alive():
            process.start()
    convoke.operator.wait_ready()
    return convoke


# --- conditions and outcomes ----------------------------------------------------------------------------------------------


def test_a_condition_that_cannot_be_evaluated_fails_its_step_and_a_false_one_skips_it(flows):
    steps = [shell_step("count", say_json({"n": 4})), shell_step("many", "true", ["count"], when="steps.count.outputs.m > 3")]
    status = flows.play("unknown", steps, "Failed")
    assert phases(status) == {"count": "Succeeded", "many": "Failed"} and rows(status)["many"]["reason"] == "UnknownName", status

    steps = [shell_step("count", say_json({"n": 4})),
             shell_step("many", "true", ["count"], when="steps.count.outputs.n > 3"),
             shell_step("few", "true", ["count"], when="steps.count.outputs.n <= 3"),
             shell_step("after-few", "true", ["few"]),
             shell_step("only-after-few", "true", ["few.Succeeded"]),
             shell_step("instead-of-few", "true", ["few.Skipped"])]
    status = flows.play("when", steps)
    assert phases(status) == {"count": "Succeeded", "many": "Succeeded", "few": "Skipped", "after-few": "Succeeded",
                              "only-after-few": "Skipped", "instead-of-few": "Succeeded"}
    assert rows(status)["few"]["reason"] == "ConditionFalse" and rows(status)["only-after-few"]["reason"] == "OutcomeNotMet"
    assert sorted(flows.started("when")) == ["after-few", "count", "instead-of-few", "many"]


def test_a_failure_may_be_what_a_step_waits_for(flows):
    steps = [shell_step("try", "exit 1"), shell_step("rescue", "true", ["try.Failed"]), shell_step("close", "true", ["try.Ended"]),
             shell_step("praise", "true", ["try.Succeeded"]), shell_step("next", "true", ["try"])]
    wanted = {"try": "Failed", "rescue": "Succeeded", "close": "Succeeded", "praise": "Skipped"}
    status = flows.play("outcome", steps, "Failed", onFailure="Continue")
    assert phases(status) == {**wanted, "next": "Skipped"}
    assert status["reason"] == "StepFailed" and rows(status)["next"]["reason"] == "DependencyFailed", status
    steps[0]["optional"] = True
    assert phases(flows.play("outcome-optional", steps)) == {**wanted, "next": "Succeeded"}


# --- forEach --------------------------------------------------------------------------------------------------------------


def each(command, name="each", **for_each):
    return shell_step(name, command, parameters={"item": "$(item)", "index": "$(index)"}, forEach=for_each)


def test_an_item_that_fails_ends_the_fan_out_unless_the_run_continues(flows):
    began = flows.gate("each-abort-began")
    fails_first = (f"if [ $CONVOKE_PARAM_INDEX = 0 ]; then while [ ! -e {began} ]; do sleep 0.05; done; exit 7; fi; "
                   f"touch {began}; {flows.gated('each-abort')}")
    status = flows.play("each-abort", [each(fails_first, range={"from": 1, "to": 6}, parallelism=2)], "Failed")
    row = rows(status)["each"]
    assert row["items"] == "1f1c4k" and row["reason"] == "ItemsFailed", status
    assert "1 of 6 items failed; item 0: Failed" in status["message"], status
    assert len(flows.started("each-abort")) == 2

    fails_first = "[ $CONVOKE_PARAM_INDEX != 0 ] || exit 7"
    status = flows.play("each-on", [each(fails_first, range={"from": 1, "to": 6}, parallelism=2)], "Failed", onFailure="Continue")
    assert rows(status)["each"]["items"] == "1f5s" and len(flows.started("each-on")) == 6, status


def test_items_are_of_a_list_a_map_or_a_range_and_give_a_list_of_outputs(flows):
    status = flows.play("each-wrong", [each("true", items="$(params.list)")], "Failed",
                        parameters=[{"name": "list", "type": "Number", "default": 3}])
    assert rows(status)["each"]["reason"] == "WrongType", status

    echo = "printf '{\"at\": %s, \"is\": \"%s\"}' $CONVOKE_PARAM_INDEX $CONVOKE_PARAM_ITEM > $CONVOKE_OUTPUT"
    pair = {"item": "$(item.key)=$(item.value)", "index": "$(index)"}
    steps = [each(echo, "of-list", items="$(params.list)"),
             shell_step("of-map", echo, parameters=pair, forEach={"items": {"b": 2, "a": 1}}),
             each(echo, "of-range", range={"from": "$(size(params.list))", "to": 4}),
             each(echo, "of-nothing", range={"from": 1, "to": 0}),
             shell_step("after", "true", ["of-nothing"])]
    status = flows.play("each", steps, parameters=[{"name": "list", "type": "Array", "default": ["one", "two"]}],
                        outputs=[{"name": "list", "value": "$(steps['of-list'].outputs)"},
                                 {"name": "map", "value": "$(steps['of-map'].outputs.map(o, o.is))"},
                                 {"name": "range", "value": "$(steps['of-range'].outputs.map(o, o.is))"}])
    assert status["outputs"] == {"list": [{"at": 0, "is": "one"}, {"at": 1, "is": "two"}], "map": ["a=1", "b=2"], "range": ["2", "3", "4"]}
    assert phases(status)["of-nothing"] == phases(status)["after"] == "Succeeded"


def test_no_more_items_are_under_way_than_may_be(flows):
    flows.play("each-by-three", [each("sleep 0.5", range={"from": 1, "to": 20}, parallelism=3)], parallelism=50)
    assert 2 <= flows.most_at_once("each-by-three") <= 3
    flows.play("each-by-run", [each("sleep 0.5", name, range={"from": 1, "to": 8}) for name in "abc"], parallelism=4)
    assert 3 <= flows.most_at_once("each-by-run") <= 4


def test_five_hundred_items_take_one_short_row(flows):
    steps = [each("true", range={"from": 1, "to": 500}, parallelism=60), shell_step("after", "true", ["each"])]
    flows.begin("each-500", steps, parallelism=100)
    status = flows.end("each-500", timeout=300)
    assert rows(status)["each"]["items"] == "500s"
    assert len(json.dumps(status)) < 3000, status
    started = flows.started("each-500")
    assert len(started) == len(set(started)) == 501 and started[-1] == "after"


def test_an_item_costs_few_writes(flows, say):
    def writes():
        return flows.operator.metric("convoke_object_writes_total")

    # How many items are written as Running, because they take longer than this, is a matter of the machine's speed.
    flows.operator.reconfigure({"task": {"runningWriteDelay": "1m"}})
    try:
        before = writes()
        flows.play("each-100", [each("true", range={"from": 1, "to": 100}, parallelism=20)], parallelism=100)
        wait_until(lambda: flows.operator.metric("workqueue_depth") == 0, 30)
        per_item, agent_writes = (writes() - before) / 100, 2
    finally:
        flows.operator.reconfigure({"task": {"runningWriteDelay": "300ms"}})
    say(f"one run of 100 items: for each item {per_item:.2f} writes of the operator, and {agent_writes} of the agent")
    assert per_item + agent_writes <= 6


def test_an_item_has_another_name_than_a_step_that_is_called_like_it(flows):
    steps = [shell_step("build-1", "true"), {**each("true", "build", range={"from": 0, "to": 3}), "dependsOn": ["build-1"]},
             shell_step("build-3", "true", ["build"])]
    flows.play("names", steps)
    tasks = flows.world.list("ctk", "-l", "convoke.dev/run=names")
    assert len(tasks) == len(flows.started("names")) == 6
    assert all(t["status"]["phase"] == "Succeeded" for t in tasks)


# --- repeat ---------------------------------------------------------------------------------------------------------------


def test_a_repeat_fails_after_its_last_iteration_and_ends_when_its_condition_holds(flows):
    count = "printf '{\"at\": %s}' $CONVOKE_PARAM_I > $CONVOKE_OUTPUT"

    def poll(until, **repeat):
        return [shell_step("poll", count, parameters={"i": "$(iteration)"}, repeat={"until": until, **repeat})]

    status = flows.play("in-vain", poll("steps.poll.outputs.at > 5", maxIterations=2), "Failed")
    assert rows(status)["poll"]["reason"] == "MaxIterations" and rows(status)["poll"]["iteration"] == 2, status
    assert flows.started("in-vain") == ["poll-1", "poll-2"]

    status = flows.play("repeat", poll("steps.poll.outputs.at >= 3", delay="1s"),
                        outputs=[{"name": "at", "value": "$(steps.poll.outputs.at)"}])
    assert status["outputs"] == {"at": 3} and rows(status)["poll"]["taskName"] == "repeat-poll-3", status
    assert flows.started("repeat") == ["poll-1", "poll-2", "poll-3"]
    times = [moment(e["time"]) for e in flows.runner.started() if e["task"].startswith("repeat-poll-")]
    assert all(b - a >= 0.9 for a, b in itertools.pairwise(times)), times


def test_each_item_is_repeated_on_its_own(flows):
    count = "printf '{\"at\": %s}' $CONVOKE_PARAM_I > $CONVOKE_OUTPUT"
    step = {**each(count, range={"from": 1, "to": 3}, parallelism=2), "repeat": {"until": "steps.each.outputs.at >= item", "maxIterations": 3}}
    step["task"]["parameters"]["i"] = "$(iteration)"
    status = flows.play("polls", [step], outputs=[{"name": "all", "value": "$(steps.each.outputs)"}])
    assert status["outputs"] == {"all": [{"at": 1}, {"at": 2}, {"at": 3}]}, status
    assert rows(status)["each"]["items"] == "3s" and "itemIterations" not in rows(status)["each"], status
    assert sorted(flows.started("polls")) == ["each-0-1", "each-1-1", "each-1-2", "each-2-1", "each-2-2", "each-2-3"]
    assert flows.most_at_once("polls") <= 2

    step["repeat"] = {"until": "item < 3", "maxIterations": 2}
    status = flows.play("polls-in-vain", [step], "Failed")
    assert rows(status)["each"]["reason"] == "MaxIterations" and "item 2: `until` did not hold after 2" in status["message"], status

    step["repeat"] = {"until": "steps.other.outputs.at"}
    assert "other" in flows.play("polls-wrong", [step], "Failed")["message"]


def test_an_iteration_of_an_item_that_is_deleted_by_hand_is_not_done_again(flows):
    step = {**each(flows.gated("$CONVOKE_PARAM_GATE"), range={"from": 0, "to": 1}), "repeat": {"until": "iteration == 3"}}
    step["task"]["parameters"]["gate"] = "lost-$(index)-$(iteration)"
    flows.open("lost-0-1", "lost-1-1", "lost-1-2", "lost-1-3")
    flows.begin("lost", [step], onFailure="Continue")
    flows.wait_row("lost", "each", items="1r1s", itemIterations="0:2")
    flows.world.wait_phase("ctk", "lost-each-0-2", "Running")
    flows.world.kubectl("delete", "ctk", "lost-each-0-2")
    status = flows.end("lost", "Failed")
    assert rows(status)["each"]["items"] == "1f1s" and "its Task was deleted" in status["message"], status
    assert [name for name in flows.started("lost") if name.startswith("each-0")] == ["each-0-1", "each-0-2"]


# --- wait -----------------------------------------------------------------------------------------------------------------


def test_a_wait_ends_after_a_duration_at_a_time_or_by_a_condition(flows):
    status = flows.play("wait-wrong", [bare("pause", wait={"duration": "$(run.name)"})], "Failed")
    assert rows(status)["pause"]["reason"] == "WrongType", status
    status = flows.play("wait-long", [bare("pause", wait={"until": "now < timestamp('2020-01-01T00:00:00Z')"}, timeout="1s")], "Failed")
    assert rows(status)["pause"]["reason"] == "Timeout", status

    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)
    steps = [bare("pause", wait={"duration": "$(string(5 + 5) + 's')"}),
             bare("at", wait={"until": "timestamp(params.at)"}),
             bare("met", wait={"until": "now > timestamp('2020-01-01T00:00:00Z')"}),
             shell_step("after", "true", ["pause", "at", "met"])]
    flows.begin("wait", steps, {"parameters": {"at": at.strftime("%Y-%m-%dT%H:%M:%SZ")}}, parameters=[{"name": "at"}])
    assert flows.wait_row("wait", "pause", phase="Running")["reason"] == "Waiting"
    status = flows.end("wait")
    pause = rows(status)["pause"]
    assert moment(pause["completedAt"]) - moment(pause["startedAt"]) >= 9, status
    started = next(e["time"] for e in flows.runner.started() if e["task"] == "wait-after")
    assert moment(started) >= at.timestamp() - 1


def test_a_wait_for_an_event_takes_the_one_that_matches(flows):
    def event_step(**more):
        return bare("ready", wait={"event": {"type": "job.done", "filter": "event.data.ok"}}, **more)

    status = flows.play("event-never", [event_step(timeout="1s")], "Failed")
    assert rows(status)["ready"]["reason"] == "Timeout", status

    def deliver(text):
        flows.world.kubectl("annotate", "cwr", "event", "--overwrite", f"event.convoke.dev/ready={text}")

    flows.begin("event", [event_step(), shell_step("load", "true", ["ready"], parameters={"file": "$(steps.ready.outputs.data.file)"})],
                outputs=[{"name": "event", "value": "$(steps.ready.outputs.data)"}])
    flows.wait_row("event", "ready", reason="WaitingForEvent")
    for wrong in ("no JSON", '{"type": "job.begun", "data": {"ok": true}}', '{"type": "job.done", "data": {"ok": false}}', '{"type": "job.done"}'):
        deliver(wrong)
    assert phases(flows.world.status("cwr", "event")) == {"ready": "Running", "load": "Pending"}
    deliver('{"type": "job.done", "data": {"ok": true, "file": "x.csv"}}')
    assert flows.end("event")["outputs"] == {"event": {"ok": True, "file": "x.csv"}}
    assert flows.world.get("ctk", "event-load")["spec"]["parameters"]["file"] == "x.csv"


# --- approval -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def people(convoke):
    """Ann, Bob and Carl may approve, as the chart's role convoke-approver lets them; Dora may write runs, and not approve."""
    def role(name, *rules):
        return {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": name, "namespace": "default"}, "rules":
                [{"apiGroups": ["convoke.dev"], "resources": [resource], "verbs": verbs} for resource, verbs in rules]}

    def binding(name, *users):
        return {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": {"name": name, "namespace": "default"},
                "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
                "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user} for user in users]}

    runs = ("workflowruns", ["get", "list", "watch", "create", "patch"])
    convoke.world.apply(role("approver", runs, ("workflows", ["get", "approve"])), binding("approver", "ann", "bob", "carl"),
                        role("writer", runs), binding("writer", "dora"))
    for user, answer in (("ann", "yes"), ("carl", "yes"), ("dora", "no")):
        wait_until(lambda u=user, a=answer: convoke.world.kubectl("auth", "can-i", "approve", "workflows.convoke.dev", user=u,
                                                                  check=False).stdout.strip() == a, 20)
        wait_until(lambda u=user: convoke.world.kubectl("auth", "can-i", "patch", "workflowruns.convoke.dev", user=u,
                                                        check=False).stdout.strip() == "yes", 20)
    yield convoke
    convoke.world.kubectl("-n", "default", "delete", "role,rolebinding", "approver", "writer")


CREATED = {"createdBy": "carl"}


def gate_steps(**approval):
    return [bare("gate", approval=approval), shell_step("deploy", "true", ["gate"], parameters={"by": "$(steps.gate.outputs.approvedBy)"})]


def test_nothing_is_deployed_when_one_person_rejects(flows, people):
    status = flows.play("approve-nobody", gate_steps(), "Failed")
    assert status["reason"] == "CreatorUnknown" and "createdBy" in status["message"], status

    flows.begin("approve-reject", gate_steps(required=2), CREATED)
    flows.wait_row("approve-reject", "gate", reason="WaitingForApproval")
    flows.say("approve-reject", "gate", "ann")
    flows.say("approve-reject", "gate", "bob", "Reject", comment="not on a Friday")
    row = rows(flows.end("approve-reject", "Failed"))["gate"]
    assert row["reason"] == "Rejected" and row["message"] == "rejected by bob: not on a Friday", row
    assert flows.started("approve-reject") == []


def test_as_many_approve_as_are_needed_and_not_who_created_the_run(flows, people):
    manifest = run("approved", workflowSpec={"steps": gate_steps(required=2)}, **CREATED)
    refused = flows.world.kubectl("create", "-f", "-", input=json.dumps(manifest), user="ann", check=False)
    assert "spec.createdBy must be who creates the run, ann, not carl" in refused.stderr
    flows.world.kubectl("create", "-f", "-", input=json.dumps(manifest), user="carl")
    row = flows.wait_row("approved", "gate", reason="WaitingForApproval")
    assert row["message"].startswith("0 of 2 approvals"), row
    assert "carl created this run" in flows.say("approved", "gate", "carl", check=False).stderr
    assert "dora does not hold the verb approve" in flows.say("approved", "gate", "dora", check=False).stderr
    flows.say("approved", "gate", "ann", comment="looks good")
    wait_until(lambda: "1 of 2 approvals, by ann" in flows.world.status("cwr", "approved")["message"], 20)
    assert flows.started("approved") == []
    flows.say("approved", "gate", "bob")
    assert rows(flows.end("approved"))["gate"]["message"] == "approved by ann, bob"
    assert flows.world.get("ctk", "approved-deploy")["spec"]["parameters"]["by"] == ["ann", "bob"]


def test_only_the_named_approvers_count(flows, people):
    flows.begin("approve-named", gate_steps(approvers=["$(params.owner)"]), CREATED, parameters=[{"name": "owner", "default": "bob"}])
    flows.wait_row("approve-named", "gate", reason="WaitingForApproval")
    flows.say("approve-named", "gate", "ann")
    flows.say("approve-named", "gate", "bob")
    row = rows(flows.end("approve-named"))["gate"]
    assert row["message"] == "approved by bob" and row["approvedBy"] == ["bob"], row
    assert flows.world.get("ctk", "approve-named-deploy")["spec"]["parameters"]["by"] == ["bob"]
    notes = {event["reason"]: event["note"] for event in wait_until(
        lambda: [e for e in flows.world.events("approve-named") if e["reason"] == "Approved"] and flows.world.events("approve-named"))}
    assert notes["WaitingForApproval"].startswith('step "gate": 0 of 1 approvals'), notes
    assert notes["Approved"] == 'step "gate": approved by bob', notes
    assert notes["Approved"] in flows.world.kubectl("describe", "cwr", "approve-named").stdout


def test_an_approval_has_its_time(flows, people):
    for action, run_phase, wanted in (("Fail", "Failed", {"gate": "Failed", "deploy": "Skipped"}),
                                      ("Approve", "Succeeded", {"gate": "Succeeded", "deploy": "Succeeded"}),
                                      ("Skip", "Succeeded", {"gate": "Skipped", "deploy": "Succeeded"})):
        name = f"approve-{action.lower()}"
        steps = [bare("gate", approval={"timeout": "1s", "onTimeout": action}), shell_step("deploy", "true", ["gate"])]
        flows.begin(name, steps, CREATED)
        status = flows.end(name, run_phase)
        assert phases(status) == wanted and rows(status)["gate"]["reason"] == "ApprovalTimeout", status


# --- what stands in the way -----------------------------------------------------------------------------------------------


def let_create(world, tasks):
    """A quota for Tasks, with so many left; no controller counts them here, so it is said what is used."""
    counts = {"count/tasks.convoke.dev": str(tasks)}
    world.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few", "namespace": "default"}, "spec": {"hard": counts}})
    status = {"status": {"hard": counts, "used": {"count/tasks.convoke.dev": "0"}}}
    world.kubectl("patch", "resourcequota", "few", "--subresource=status", "--type=merge", "-p", json.dumps(status))


def test_what_a_quota_forbids_holds_back_nothing_else(flows):
    world = flows.world
    let_create(world, 1)
    try:
        probe = {"apiVersion": "convoke.dev/v1alpha1", "kind": "Task", "metadata": {"name": "probe"}, "spec": {"type": "shell"}}
        create = ("create", "-f", "-", "--dry-run=server")
        wait_until(lambda: world.kubectl(*create, input=json.dumps(probe), check=False).returncode == 0, 30)
        flows.begin("quota", [shell_step("a", "true"), shell_step("b", "true"), bare("pause", wait={"duration": "100ms"})])
        flows.wait_row("quota", "pause", phase="Succeeded")
        status = wait_until(lambda: sorted(phases(world.status("cwr", "quota")).values()) == ["Pending", "Succeeded", "Succeeded"]
                            and world.status("cwr", "quota"), 30, lambda: world.status("cwr", "quota"))
        (held,) = [row for row in status["steps"] if row["phase"] == "Pending"]
        assert held["reason"] == "TaskRefused" and "exceeded quota: few" in held["message"], held
        assert "exceeded quota: few" in status["message"], status
        flows.begin("quota-late", [shell_step("a", "true")], timeout="2s")
        late = flows.end("quota-late", "Failed")
        assert late["reason"] == "Timeout" and world.get("ctk", "quota-late-a") is None, late
        assert world.status("cwr", "quota")["phase"] == "Running"
    finally:
        world.kubectl("delete", "resourcequota", "few")
    flows.end("quota", timeout=180)
    assert sorted(flows.started("quota")) == ["a", "b"]


def test_a_step_may_name_its_lock_and_its_key_by_expressions(flows):
    steps = [shell_step("build", flows.gated("keyed", say_json({"image": "x:1"}))), shell_step("deploy", "true", ["build"])]
    steps[0]["task"]["idempotencyKey"] = "build-$(params.commit)"
    steps[1]["task"]["locks"] = [{"name": "deploy-$(params.environment)"}]
    parameters = [{"name": "commit", "default": "c0ffee"}, {"name": "environment", "default": "prod"}]
    for name in ("keyed-1", "keyed-2"):
        flows.begin(name, steps, parameters=parameters)
        flows.world.wait_phase("ctk", f"{name}-build", ("Running", "Queued", "Pending"))
    flows.open("keyed")
    for name in ("keyed-1", "keyed-2"):
        flows.end(name)
        assert flows.world.get("ctk", f"{name}-deploy")["spec"]["locks"] == [{"name": "deploy-prod"}]
        assert flows.world.status("ctk", f"{name}-deploy")["report"]
    assert flows.started("keyed-1").count("build") + flows.started("keyed-2").count("build") == 1
    builds = [flows.world.status("ctk", f"{name}-build") for name in ("keyed-1", "keyed-2")]
    assert [build.get("resultFrom") for build in builds].count(None) == 1, builds
    assert flows.world.get("lease", "convoke-lock-deploy-prod")


def test_an_output_that_cannot_be_had_fails_the_run(flows):
    outputs = [{"name": "image", "value": "$(steps.build.outputs.image)"}]
    status = flows.play("no-output", [shell_step("build", say_json({"other": 1}))], "Failed", outputs=outputs)
    assert status["reason"] == "InvalidOutput" and "spec.outputs[image].value" in status["message"], status


def test_a_run_says_how_long_it_took_and_goes_when_its_time_is_over(flows):
    flows.begin("brief", [shell_step("a", "sleep 1.1")], {"ttlAfterFinished": "5s"})
    status = flows.end("brief")
    assert re.fullmatch(r"[1-9]\d?(\.\d)?s", status["duration"]), status
    table = flows.world.kubectl("get", "cwr", "brief", check=False).stdout.splitlines()
    assert table == [] or ("DURATION" in table[0] and status["duration"] in table[1].split()), table
    wait_until(lambda: flows.world.get("cwr", "brief") is None, 30)
    wait_until(lambda: flows.world.get("ctk", "brief-a") is None, 30)


# --- state machines -------------------------------------------------------------------------------------------------------


def test_a_state_machine_that_goes_in_circles_is_stopped_and_one_that_finds_its_way_ends(flows):
    circle = [shell_step("a", "true", transitions=[{"to": "b"}]), shell_step("b", "true", transitions=[{"to": "a"}])]
    status = flows.play("circle", circle, "Failed", mode="StateMachine", maxTransitions=4)
    assert status["transitions"] == 4 and "MaxTransitions" in [r.get("reason") for r in status["steps"]], status
    assert flows.started("circle") == ["a-1", "b-1", "a-2", "b-2", "a-3"]

    check = "[ $CONVOKE_PARAM_I -ge 3 ] || exit 1"
    steps = [shell_step("check", check, parameters={"i": "$(iteration)"},
                        transitions=[{"when": "steps.check.phase == 'Failed'", "to": "mend"}, {"to": "closed"}]),
             shell_step("mend", "true", transitions=[{"to": "check"}]),
             shell_step("closed", "true"), shell_step("never", "true")]
    status = flows.play("machine", steps, mode="StateMachine")
    assert phases(status) == {"check": "Succeeded", "mend": "Succeeded", "closed": "Succeeded", "never": "Skipped"}
    assert flows.started("machine") == ["check-1", "mend-1", "check-2", "mend-2", "check-3", "closed-1"]
    assert status["transitions"] == 5 and rows(status)["check"]["iteration"] == 3 and rows(status)["never"]["reason"] == "NotReached"

    steps[0]["task"]["parameters"]["i"] = 0
    steps[0]["transitions"] = [{"when": "steps.check.phase == 'Succeeded'", "to": "closed"}]
    status = flows.play("stuck-machine", steps, "Failed", mode="StateMachine")
    assert phases(status) == {"check": "Failed", "mend": "Skipped", "closed": "Skipped", "never": "Skipped"}


def test_a_state_may_be_a_fan_out(flows):
    step = {**each("[ $CONVOKE_PARAM_I -ge 2 ] || [ $CONVOKE_PARAM_WHICH != b ]", range={"from": 0, "to": 1}),
            "transitions": [{"when": "steps.each.phase == 'Failed'", "to": "mend"}]}
    step["forEach"] = {"items": ["a", "b"]}
    step["task"]["parameters"].update(i="$(iteration)", which="$(item)")
    steps = [step, shell_step("mend", "true", transitions=[{"to": "each"}])]
    status = flows.play("fan-machine", steps, mode="StateMachine")
    assert rows(status)["each"]["items"] == "2s" and rows(status)["each"]["iteration"] == 2, status
    started = flows.started("fan-machine")
    assert sorted(started) == ["each-0-1", "each-0-2", "each-1-1", "each-1-2", "mend-1"] and started[2] == "mend-1", started


# --- runs of runs ---------------------------------------------------------------------------------------------------------


def sub(name, workflow_name, depends_on=(), **parameters):
    return bare(name, depends_on, workflow={"name": workflow_name, **({"parameters": parameters} if parameters else {})})


def test_a_workflow_is_run_as_a_step_and_gives_its_outputs(flows):
    double = "[ $CONVOKE_PARAM_X != 13 ] && printf '{\"twice\": %s}' $$((2 * CONVOKE_PARAM_X)) > $CONVOKE_OUTPUT"
    flows.world.apply(workflow("library", [shell_step("double", double, parameters={"x": "$(params.x)"}, retry=ONCE)],
                               parameters=[{"name": "x", "type": "Number", "required": True}],
                               outputs=[{"name": "twice", "value": "$(steps.double.outputs.twice)"}]))
    status = flows.play("sub-fails", [sub("first", "library", x=13)], "Failed")
    assert "double" in status["message"] and rows(status)["first"]["runName"] == "sub-fails-first", status

    steps = [sub("first", "library", x="$(20 + 1)"), sub("second", "library", ["first"], x="$(steps.first.outputs.twice)"),
             {**sub("each", "library", x="$(item)"), "forEach": {"items": [1, 2, 3]}}]
    status = flows.play("sub", steps, outputs=[{"name": "fourfold", "value": "$(steps.second.outputs.twice)"},
                                              {"name": "all", "value": "$(steps.each.outputs.map(o, o.twice))"}])
    assert status["outputs"] == {"fourfold": 84, "all": [2, 4, 6]}
    child = flows.world.get("cwr", "sub-first")
    assert child["metadata"]["ownerReferences"][0]["name"] == "sub" and child["spec"]["triggeredBy"] == "WorkflowRun/sub"


def test_a_run_of_a_run_is_cancelled_with_it(flows):
    flows.world.apply(workflow("inner", [shell_step("long", flows.gated("never"))]), workflow("middle", [sub("inner", "inner")]))
    flows.begin("sub-cancel", [sub("middle", "middle")])
    inner = "sub-cancel-middle-inner"
    flows.world.wait_phase("ctk", f"{inner}-long", "Running")
    flows.patch("sub-cancel", cancel={"reason": "enough"})
    flows.end("sub-cancel", "Cancelled")
    for name in ("sub-cancel-middle", inner):
        flows.end(name, "Cancelled")
    assert flows.world.status("ctk", f"{inner}-long")["phase"] == "Cancelled"


def test_a_run_of_a_run_goes_on_with_what_failed_as_often_as_retry_says(flows):
    again = {"limit": 1, "backoff": {"type": "Fixed", "base": "1s"}}
    flows.world.apply(workflow("unsteady", [shell_step("fetch", "true", retry=ONCE),
                                            shell_step("load", f"[ -e {flows.gate('unsteady')} ]", ["fetch"], retry=ONCE)]))
    status = flows.play("sub-retry-fails", [{**sub("first", "unsteady"), "retry": again}], "Failed")
    child = "sub-retry-fails-first"
    assert flows.started("sub-retry-fails") == ["first-fetch", "first-load", "first-load-r1"], status
    assert flows.world.status("cwr", child)["round"] == 1

    flows.begin("sub-again", [{**sub("first", "unsteady"), "retry": {**again, "backoff": {"type": "Fixed", "base": "20s"}}}])
    flows.wait_row("sub-again", "first", phase="Running", reason="Retrying")
    flows.open("unsteady")
    flows.end("sub-again")
    assert flows.started("sub-again") == ["first-fetch", "first-load", "first-load-r1"]


def test_a_workflow_that_would_run_itself_is_refused(flows):
    flows.world.apply(workflow("ping", [sub("pong", "pong")]), workflow("pong", [sub("ping", "ping")]), run("recursive", "ping"))
    status = flows.end("recursive", "Failed")
    assert "would run itself: ping/pong/ping" in status["message"], status
    assert rows(flows.world.status("cwr", "recursive-pong"))["ping"]["reason"] == "Recursion"
    assert len([r for r in flows.world.list("cwr") if r["metadata"]["name"].startswith("recursive")]) == 2


# --- finally --------------------------------------------------------------------------------------------------------------


def notify(**more):
    return [shell_step("notify", "true", parameters={"phase": "$(run.phase)", "reason": "$(run.reason)"}, **more)]


def test_finally_runs_after_failure_timeout_cancellation_and_success(flows):
    def told(name):
        told = flows.world.get("ctk", f"{name}-notify")["spec"]["parameters"]
        return told["phase"], told["reason"]

    assert flows.play("last-bad", [shell_step("a", "true")], "Failed",
                      **{"finally": [shell_step("notify", "exit 1")]})["reason"] == "StepFailed"
    flows.play("last-failed", [shell_step("a", "exit 1")], "Failed", **{"finally": notify()})
    assert told("last-failed") == ("Failed", "StepFailed")
    flows.play("last-late", [shell_step("a", flows.gated("never"))], "Failed", timeout="2s", **{"finally": notify()})
    assert told("last-late") == ("Failed", "Timeout")

    flows.begin("last-cancelled", [shell_step("a", flows.gated("never"))], **{"finally": notify()})
    flows.world.wait_phase("ctk", "last-cancelled-a", "Running")
    flows.patch("last-cancelled", cancel={})
    flows.end("last-cancelled", "Cancelled")
    assert told("last-cancelled") == ("Cancelled", "Cancelled")

    status = flows.play("last", [shell_step("a", "true")], **{"finally": notify()})
    assert told("last") == ("Succeeded", "Succeeded") and status["progress"] == "2/2"


def test_a_finally_that_hangs_is_cancelled_with_force_and_a_plain_cancel_lets_it_run(flows):
    hangs = {"finally": [shell_step("clean", flows.gated("never")), shell_step("report", "true", ["clean"])]}
    flows.begin("hanging", [shell_step("a", "true")], **hangs)
    flows.world.wait_phase("ctk", "hanging-clean", "Running")
    flows.patch("hanging", cancel={"reason": "it hangs"})
    flows.play("meanwhile-2", [shell_step("a", "true")])
    assert flows.world.status("cwr", "hanging")["phase"] == "Running"
    flows.patch("hanging", cancel={"force": True})
    status = flows.end("hanging", "Cancelled")
    assert status["message"] == "cancelled: it hangs", status
    assert phases(status) == {"a": "Succeeded", "clean": "Cancelled", "report": "Cancelled"}
    assert flows.started("hanging") == ["a", "clean"]


# --- compensation ---------------------------------------------------------------------------------------------------------


def undoable(name, command="true", depends_on=(), undo="true"):
    return shell_step(name, command, depends_on, compensate={
        "type": "shell", "retry": ONCE, "parameters": {"command": undo, "what": f"$(steps.{name}.outputs.?id.orValue('none'))"}})


def test_what_succeeded_is_undone_in_the_reverse_order(flows):
    steps = [undoable(name, flows.gated(f"saga-{name}", say_json({"id": f"{name}-1"}))) for name in ("flight", "hotel", "car")]
    steps.append(shell_step("pay", "echo no money >&2; exit 1", ["flight", "hotel", "car"]))
    flows.begin("saga", steps, onFailure="Compensate", **{"finally": notify()})
    for name in ("hotel", "car"):
        flows.open(f"saga-{name}")
        flows.wait_row("saga", name, phase="Succeeded")
    flows.open("saga-flight")  # what follows may have undone it before anybody looks
    status = flows.end("saga", "Compensated")
    assert flows.started("saga")[3:] == ["pay", "flight-undo", "car-undo", "hotel-undo", "notify"]
    assert phases(status) == {"flight": "Compensated", "hotel": "Compensated", "car": "Compensated", "pay": "Failed", "notify": "Succeeded"}
    assert "no money" in status["message"] and 'undone: "flight", "hotel", "car"' in status["message"], status
    assert flows.world.get("ctk", "saga-car-undo")["spec"]["parameters"]["what"] == "car-1"
    assert flows.world.condition("cwr", "saga", "Stalled")["status"] == "True"


def test_a_compensation_that_fails_leaves_the_others_to_be_undone(flows):
    steps = [undoable("a"), undoable("b", depends_on=["a"], undo="echo locked >&2; exit 1"), undoable("c", depends_on=["b"]),
             shell_step("d", "exit 1", ["c"])]
    status = flows.play("stuck-saga", steps, "Failed", onFailure="Compensate")
    assert status["reason"] == "CompensationFailed" and 'the effects of "b" stand; undone: "a", "c"' in status["message"], status
    assert flows.started("stuck-saga") == ["a", "b", "c", "d", "c-undo", "b-undo", "a-undo"]
    assert "locked" in rows(status)["b"]["message"]


def test_a_cancelled_run_is_undone_if_that_is_asked_for(flows):
    for name, compensate, phase in (("kept-saga", False, "Cancelled"), ("cancelled-saga", True, "Compensated")):
        flows.begin(name, [undoable("a"), undoable("b", flows.gated("never"), ["a"])])
        flows.world.wait_phase("ctk", f"{name}-b", "Running")
        flows.patch(name, cancel={"reason": "changed my mind", "compensate": compensate})
        flows.end(name, phase)
        assert flows.started(name) == ["a", "b", *(["a-undo"] if compensate else [])]


def test_items_that_succeeded_are_undone_when_another_one_failed(flows):
    step = {**each("[ $CONVOKE_PARAM_INDEX != 2 ] || exit 1; printf '{\"id\": \"i%s\"}' $CONVOKE_PARAM_INDEX > $CONVOKE_OUTPUT",
                   range={"from": 1, "to": 3}, parallelism=1),
            "compensate": {"type": "shell", "parameters": {"command": "true", "what": "$(steps.each.outputs.id) $(item)"}}}
    status = flows.play("item-saga", [step], "Compensated", onFailure="Compensate")
    assert flows.started("item-saga") == ["each-0", "each-1", "each-2", "each-1-undo", "each-0-undo"]
    assert rows(status)["each"]["items"] == "2u1f", status
    assert flows.world.get("ctk", "item-saga-each-1-undo")["spec"]["parameters"]["what"] == "i1 2"


# --- retryFrom ------------------------------------------------------------------------------------------------------------


def test_a_further_round_does_again_what_did_not_succeed(flows):
    steps = [shell_step("fetch", say_json({"file": "x"})), shell_step("load", f"[ -e {flows.gate('round')} ]", ["fetch"],
                                                                     parameters={"file": "$(steps.fetch.outputs.file)"}),
             shell_step("report", "true", ["load"])]
    flows.play("round", steps, "Failed", **{"finally": notify()})
    flows.patch("round", retryFrom={"round": 1})
    wait_until(lambda: flows.world.status("cwr", "round").get("round") == 1, 20)
    flows.end("round", "Failed")
    flows.open("round")
    flows.patch("round", retryFrom={"round": 2})
    wait_until(lambda: flows.world.status("cwr", "round").get("round") == 2, 20)
    status = flows.end("round")
    assert flows.started("round") == ["fetch", "load", "notify", "load-r1", "notify-r1", "load-r2", "report-r2", "notify-r2"]
    assert flows.world.get("ctk", "round-load-r2")["spec"]["parameters"]["file"] == "x"
    assert {name: row.get("round", 0) for name, row in rows(status).items()} == {"fetch": 0, "load": 2, "report": 2, "notify": 2}
    assert flows.world.wait_event("round", "Retried")


def test_named_steps_run_again_with_all_that_follows_and_a_cancelled_run_does_not_go_on(flows):
    steps = [shell_step("a", "true"), shell_step("b", "true", ["a"]), shell_step("x", "true"), shell_step("c", f"[ -e {flows.gate('again')} ]", ["b"])]
    flows.play("again", steps, "Failed")
    flows.open("again")
    flows.patch("again", retryFrom={"round": 1, "steps": ["b"]})
    wait_until(lambda: flows.world.status("cwr", "again").get("round") == 1, 20)
    flows.end("again")
    assert sorted(flows.started("again")) == ["a", "b", "b-r1", "c", "c-r1", "x"]

    flows.begin("gone", [shell_step("a", flows.gated("never"))])
    flows.world.wait_phase("ctk", "gone-a", "Running")
    flows.patch("gone", cancel={})
    flows.end("gone", "Cancelled")
    flows.patch("gone", retryFrom={"round": 1})
    flows.world.wait_event("gone", "RetryRefused")
    assert flows.started("gone") == ["a"] and flows.world.status("cwr", "gone")["phase"] == "Cancelled"


# --- suspended, and meddled with ------------------------------------------------------------------------------------------


def test_a_suspended_run_starts_nothing_of_any_shape(flows, people):
    steps = [bare("pause", wait={"duration": "1ms"}), shell_step("after-pause", "true", ["pause"]),
             each("true", items=[1, 2]), bare("gate", approval={}), shell_step("after-gate", "true", ["gate"]),
             shell_step("poll", "true", repeat={"until": "true"}), sub("sub", "small")]
    flows.world.apply(workflow("small", [shell_step("only", "true")]))
    flows.begin("suspended", steps, {"suspend": True, **CREATED})
    flows.world.wait_phase("cwr", "suspended", "Suspended")
    flows.say("suspended", "gate", "ann")
    flows.play("meanwhile", [shell_step("a", "true")])
    assert flows.started("suspended") == [] and flows.world.list("ctk", "-l", "convoke.dev/run=suspended") == []
    assert flows.world.get("cwr", "suspended-sub") is None
    flows.patch("suspended", suspend=False)
    flows.end("suspended")


def test_a_task_that_is_deleted_by_hand_has_failed_and_a_further_round_does_it_again(flows):
    flows.begin("deleted", [shell_step("a", flows.gated("deleted")), shell_step("b", "true", ["a"])])
    flows.world.wait_phase("ctk", "deleted-a", "Running")
    flows.world.kubectl("delete", "ctk", "deleted-a")
    status = flows.end("deleted", "Failed")
    assert rows(status)["a"]["reason"] == "TaskDeleted", status
    flows.open("deleted")
    flows.patch("deleted", retryFrom={"round": 1})
    wait_until(lambda: flows.world.status("cwr", "deleted").get("round") == 1, 20)
    flows.end("deleted")
    assert flows.started("deleted") == ["a", "a-r1", "b-r1"]

    flows.begin("item-deleted", [each(flows.gated("item-deleted"), range={"from": 0, "to": 2})])
    for item in (0, 1, 2):
        flows.world.wait_phase("ctk", f"item-deleted-each-{item}", "Running")
    flows.world.kubectl("delete", "ctk", "item-deleted-each-1")
    status = flows.end("item-deleted", "Failed")
    assert rows(status)["each"]["items"] == "1c1f1c" and "1 of 3 items failed" in status["message"], status

    steps = [undoable("a", undo=flows.gated("never")), shell_step("b", "exit 1", ["a"])]
    flows.begin("undo-deleted", steps, onFailure="Compensate")
    flows.world.wait_phase("ctk", "undo-deleted-a-undo", "Running")
    flows.world.kubectl("delete", "ctk", "undo-deleted-a-undo")
    assert flows.end("undo-deleted", "Failed")["reason"] == "CompensationFailed"
    assert flows.started("undo-deleted") == ["a", "b", "a-undo"]


# --- the operator is killed -----------------------------------------------------------------------------------------------


class Changes:
    """Counts what a watch of Tasks and of runs delivers about one run: each is a moment at which something was written."""

    def __init__(self, api, name):
        self._api, self._name, self._connections = api, name, []
        self.count = 0
        self.phase = None
        connected = threading.Barrier(3)
        for plural in ("tasks", "workflowruns"):
            threading.Thread(target=self._watch, args=(plural, connected), daemon=True).start()
        connected.wait(20)

    def _watch(self, plural, connected):
        try:
            for kind, item in self._api.watch(f"{GROUP}/{plural}"):
                if kind == "CONNECTED":
                    self._connections.append(item)
                    connected.wait(20)
                elif item["metadata"]["name"].startswith(self._name):
                    if plural == "workflowruns" and item["metadata"]["name"] == self._name:
                        self.phase = item.get("status", {}).get("phase")
                    self.count += 1
        except (OSError, ValueError, HTTPException):
            pass  # closed

    def close(self):
        for connection in self._connections:
            if connection.sock is not None:
                connection.sock.close()


def kill_until_it_ends(flows, name, most=40):
    """Kills the operator at that many changes of the run, each time at another distance from the last one."""
    changes, kills = Changes(flows.api, name), 0
    distances = itertools.cycle((1, 2, 1, 3))
    try:
        while kills < most and changes.phase not in ENDED:
            target = changes.count + next(distances)
            wait_until(lambda t=target: changes.count >= t or changes.phase in ENDED, 60,
                       lambda: f"{name} does not go on: {flows.world.status('cwr', name)}\n{flows.world.logs()}", interval=0.002)
            flows.operator.kill()
            kills += 1
            flows.operator.start()
    finally:
        changes.close()
    assert kills >= 6


def test_a_saga_is_undone_once_and_in_order_though_the_operator_is_killed_again_and_again(flows):
    items = {**each("true", "s2", range={"from": 0, "to": 3}, parallelism=1), "dependsOn": ["s1"],
             "compensate": {"type": "shell", "retry": ONCE, "parameters": {"command": "true"}}}
    steps = [undoable("s0"), undoable("s1", depends_on=["s0"]), items, undoable("s3", depends_on=["s2"]), undoable("s4", depends_on=["s3"]),
             shell_step("fail", "exit 1", ["s4"])]
    done = ["s0", "s1", "s2-0", "s2-1", "s2-2", "s2-3", "s3", "s4"]
    flows.begin("killed-saga", steps, onFailure="Compensate")
    kill_until_it_ends(flows, "killed-saga")
    status = flows.end("killed-saga", "Compensated", 90)
    assert flows.started("killed-saga") == [*done, "fail", *(f"{name}-undo" for name in reversed(done))]
    assert set(phases(status).values()) == {"Compensated", "Failed"} and rows(status)["s2"]["items"] == "4u", status


def test_no_item_is_done_twice_though_the_operator_is_killed_again_and_again(flows):
    flows.begin("killed-each", [each("true", range={"from": 1, "to": 40}, parallelism=4), shell_step("after", "true", ["each"])])
    kill_until_it_ends(flows, "killed-each")
    status = flows.end("killed-each", timeout=90)
    assert rows(status)["each"]["items"] == "40s"
    started = flows.started("killed-each")
    assert sorted(started) == sorted([f"each-{i}" for i in range(40)] + ["after"]) and started[-1] == "after"
    assert flows.most_at_once("killed-each") <= 4


def test_no_iteration_of_an_item_is_done_twice_though_the_operator_is_killed_again_and_again(flows):
    step = {**each("true", range={"from": 1, "to": 10}, parallelism=4), "repeat": {"until": "iteration >= 3"}}
    flows.begin("killed-polls", [step, shell_step("after", "true", ["each"])])
    kill_until_it_ends(flows, "killed-polls")
    status = flows.end("killed-polls", timeout=90)
    assert rows(status)["each"]["items"] == "10s"
    wanted = [f"each-{item}-{iteration}" for item in range(10) for iteration in (1, 2, 3)]
    assert sorted(flows.started("killed-polls")) == sorted([*wanted, "after"])
