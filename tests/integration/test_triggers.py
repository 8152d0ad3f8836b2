"""Triggers: schedules that survive kill -9, changes, and CloudEvents that are accepted only once they are stored."""

import datetime
import json
import re
import subprocess
import threading
import time

import pytest

from harness.waiting import wait_until
from harness.world import run, shell_step, workflow

EACH_MINUTE = "* * * * *"


def schedule(**options):
    return [{"type": "Schedule", "schedule": {"cron": EACH_MINUTE, **options}}]


def runs_of(world, name):
    found = [r for r in world.list("cwr") if r["spec"].get("workflowName") == name]
    return sorted(found, key=lambda r: r["metadata"]["name"])


def phases_of(world, name):
    return [r["status"]["phase"] for r in runs_of(world, name)]


def wait_for_runs(world, name, count, timeout=90):
    return wait_until(lambda: [r for r in [runs_of(world, name)] if len(r) >= count], timeout,
                      lambda: f"{name} has {phases_of(world, name)}: {json.dumps(world.status('cwf', name), indent=1)}", interval=0.2)[0]


def row(world, name):
    return world.status("cwf", name)["triggers"][0]


def test_schedules_survive_kill_9_and_keep_their_concurrency_policy(world):
    worker = world.runner("worker", agent={"capacity": 20})
    operator = world.operator()
    long = [shell_step("long", "sleep 600")]
    wait_until(lambda: 1 <= datetime.datetime.now().second < 40, 30)  # all are accepted within one minute
    world.apply(workflow("allow", [shell_step("only", "true")], triggers=schedule(), historyLimits={"succeeded": 0, "failed": 0}),
                workflow("forbid", long, triggers=schedule(concurrencyPolicy="Forbid")),
                workflow("replace", long, triggers=schedule(concurrencyPolicy="Replace")),
                workflow("suspended", long, triggers=schedule(), suspend=True),
                workflow("kept", [shell_step("only", "true")], triggers=schedule(timeZone="Europe/Berlin"),
                         historyLimits={"succeeded": 10, "failed": 10}))
    world.kubectl("wait", "cwf/kept", "--for=jsonpath={.status.nextScheduleTime}", "--timeout=20s")
    assert world.status("cwf", "kept")["nextScheduleTime"] in world.kubectl("get", "cwf", "kept").stdout
    wait_for_runs(world, "kept", 1)
    operator.kill()
    operator.start().wait_ready()
    first = wait_for_runs(world, "replace", 1)[0]["metadata"]["name"]
    wait_for_runs(world, "forbid", 1)
    world.wait_phase("cwr", first, "Running")

    kept = wait_for_runs(world, "kept", 2)
    operator.kill()
    operator.start().wait_ready()
    assert world.wait_finished("cwr", first)["phase"] == "Cancelled", "Replace cancels the run of the minute before"
    second = wait_for_runs(world, "replace", 2)[1]
    assert second["metadata"]["annotations"]["convoke.dev/scheduled-at"] == kept[1]["metadata"]["annotations"]["convoke.dev/scheduled-at"]
    wait_until(lambda: row(world, "forbid").get("skipped", 0) >= 1, 20, lambda: row(world, "forbid"))
    assert len(runs_of(world, "forbid")) == 1
    assert runs_of(world, "suspended") == []

    wait_until(lambda: row(world, "kept")["lastRun"] >= kept[1]["metadata"]["name"], 20, lambda: row(world, "kept"))
    minutes = [int(re.fullmatch(r"kept-(\d+)", r["metadata"]["name"]).group(1)) for r in kept]
    assert minutes[1] == minutes[0] + 1 and "missed" not in row(world, "kept")
    wanted = [f"allow-{m}-only" for m in minutes]
    journal = wait_until(lambda: [j for j in [[e["task"] for e in worker.started()]] if set(j) >= set(wanted)], 30,
                         lambda: f"{wanted} of {worker.started()}")[0]
    assert all(journal.count(task) == 1 for task in wanted), "its runs are not kept, and none ran twice"


def test_what_was_due_while_no_operator_ran_is_made_up_for_within_its_deadline(world):
    operator = world.operator()
    step = [shell_step("only", "true")]
    wait_until(lambda: datetime.datetime.now().second < 40, 30)  # so that nothing is due before it is killed
    world.apply(workflow("patient", step, triggers=schedule()), workflow("strict", step, triggers=schedule(startingDeadline="1s")))
    for name in ("patient", "strict"):
        world.kubectl("wait", f"cwf/{name}", "--for=jsonpath={.status.nextScheduleTime}", "--timeout=20s")
    operator.kill()
    made = {name: {r["metadata"]["name"] for r in runs_of(world, name)} for name in ("patient", "strict")}
    due = datetime.datetime.fromisoformat(world.status("cwf", "strict")["nextScheduleTime"].replace("Z", "+00:00"))
    wait_until(lambda: datetime.datetime.now(datetime.timezone.utc) > due + datetime.timedelta(seconds=3), 70)
    operator.start().wait_ready()

    minute = f"{int(due.timestamp()) // 60}"
    wait_until(lambda: f"patient-{minute}" in {r["metadata"]["name"] for r in runs_of(world, "patient")} - made["patient"], 30,
               lambda: f"{minute}: {row(world, 'patient')}\n{operator.log_tail()}")
    wait_until(lambda: row(world, "strict").get("missed") == 1, 30, lambda: f"{minute}: {row(world, 'strict')}\n{operator.log_tail()}")
    assert "no run was started for 1 scheduled time that had passed already" in world.wait_event("strict", "ScheduleMissed")[0]["note"]
    assert f"strict-{minute}" not in {r["metadata"]["name"] for r in runs_of(world, "strict")}
    assert "missed" not in row(world, "patient")


@pytest.mark.parametrize("trigger, complaint", [
    ({"type": "Schedule", "schedule": {"cron": "0 25 * * *"}}, 'spec.triggers[0].schedule.cron: hour: expected 0 to 23, got "25"'),
    ({"type": "Schedule", "schedule": {"cron": "0 0 30 2 *"}}, "never comes"),
    ({"type": "Schedule", "name": "x", "schedule": {"cron": "@daily", "timeZone": "Mars/Olympus"}},
     "spec.triggers[x].schedule.timeZone: expected"),
    ({"type": "Event", "event": {"type": "push", "filter": "event.data =="}}, "spec.triggers[0].event.filter:"),
    ({"type": "Event", "event": {"type": "push", "parameters": {"branch": 1}}}, "the workflow has no such parameter"),
])
def test_a_trigger_that_cannot_work_is_said_in_a_condition(world, trigger, complaint):
    world.operator()
    world.apply(workflow("bad", [shell_step("only", "true")], triggers=[trigger]))
    world.wait_phase("cwf", "bad", "Invalid")
    ready = world.condition("cwf", "bad", "Ready")
    assert ready["reason"] == "InvalidDefinition" and complaint in ready["message"], ready
    world.apply(workflow("bad", [shell_step("only", "true")]))
    world.wait_phase("cwf", "bad", "Ready")


def test_the_schema_knows_which_block_goes_with_which_type(world):
    for trigger in ({"type": "Schedule"}, {"type": "Event"}, {"type": "Create", "schedule": {"cron": "@daily"}},
                    {"type": "Change", "event": {"type": "push"}}, {"type": "Schedule", "schedule": {"cron": ""}}):
        manifest = json.dumps(workflow("bad", [shell_step("only", "true")], triggers=[trigger]))
        assert world.kubectl("apply", "-f", "-", input=manifest, check=False).returncode != 0, trigger


def test_each_accepted_change_starts_one_run(world):
    world.runner("worker")
    operator = world.operator()
    manifest = workflow("changing", [shell_step("only", "true")], triggers=[{"type": "Change"}],
                        historyLimits={"succeeded": 0, "failed": 0})
    world.apply(manifest)
    world.wait_phase("cwf", "changing", "Ready")
    for number in range(2, 5):
        manifest["spec"]["steps"] = [shell_step(f"step-{number}", "true")]
        world.apply(manifest)
        if number == 3:
            operator.kill()
            operator.start().wait_ready()
        wait_until(lambda: row(world, "changing").get("revisionNumber") == number, 30, lambda: row(world, "changing"))
    manifest["spec"]["historyLimits"] = {"succeeded": 1, "failed": 1}
    world.apply(manifest)
    world.kubectl("wait", "cwf/changing", "--for=jsonpath={.status.observedGeneration}=5", "--timeout=20s")
    started = lambda: sorted(e["task"].rsplit("-step-", 1)[1] for e in world.processes[0].started())
    wait_until(lambda: started() == ["2", "3", "4"], 30, lambda: f"started were {started()}")


# --- CloudEvents ------------------------------------------------------------------------------------------------------


class Receiver:
    """An operator that receives events, and curl as their sender."""

    def __init__(self, world, name="operator", tls=None):
        self.world = world
        self.tls = tls
        self.tokens = world.directory / "tokens"
        self.tokens.write_text("first-token\n")
        settings = {"cloudEvents": {"address": "127.0.0.1:0", "tokenFile": str(self.tokens), "maxBytes": 200_000}}
        if tls:
            settings["cloudEvents"] |= {"tlsCertFile": f"{tls}/tls.crt", "tlsKeyFile": f"{tls}/tls.key"}
        self.operator = world.operator(name, settings)

    def address(self):
        for line in self.operator.log()[self.operator.log_start:].splitlines():
            if '"receiving CloudEvents"' in line:
                return json.loads(line)["address"]
        return None

    def curl(self, *arguments, body="", token="first-token", path="/events"):
        url = ("https://" if self.tls else "http://") + self.address() + path
        trust = ["--cacert", f"{self.tls}/tls.crt", "--connect-to", f"localhost::{self.address()}"] if self.tls else []
        done = subprocess.run(["curl", "-sS", "--max-time", "20", "-w", "\n%{http_code}", *trust, "-H", f"Authorization: Bearer {token}",
                               *arguments, "--data-binary", "@-", url], input=body, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            return 0, done.stderr
        text, _, code = done.stdout.rpartition("\n")
        return int(code), text

    def structured(self, event, **options):
        return self.curl("-H", "Content-Type: application/cloudevents+json", body=json.dumps(event), **options)


def push(id_, branch="main", **more):
    return {"specversion": "1.0", "id": id_, "source": "/repo", "type": "com.example.push", "data": {"branch": branch}, **more}


def on_push(name="on-push", **spec):
    event = {"type": "com.example.push", "filter": "event.data.branch.startsWith('ma')", "parameters": {"branch": "$(event.data.branch)"}}
    step = shell_step("only", 'echo "{\\"branch\\": \\"$CONVOKE_PARAM_BRANCH of $CONVOKE_PARAM_SOURCE\\"}" > $CONVOKE_OUTPUT',
                      parameters={"branch": "$(params.branch)", "source": "$(event.source)"})
    return workflow(name, [step], triggers=[{"type": "Event", "event": event}], parameters=[{"name": "branch", "required": True}],
                    outputs=[{"name": "branch", "value": "$(steps.only.outputs.branch)"}], **spec)


def wait_armed(world, receiver, name="on-push"):
    world.wait_phase("cwf", name, "Ready")


def test_events_start_runs_and_what_is_no_event_is_refused(world):
    world.runner("worker")
    receiver = Receiver(world)
    world.apply(on_push())
    wait_armed(world, receiver)
    code, text = receiver.structured(push("1"))
    assert code == 202, text
    name = json.loads(text)["runs"][0]["name"]
    assert world.wait_finished("cwr", name)["outputs"] == {"branch": "main of /repo"}
    made = world.get("cwr", name)
    assert made["spec"]["event"] == push("1") and made["spec"]["triggeredBy"] == "Event"

    code, text = receiver.curl("-H", "Content-Type: application/json", "-H", "ce-specversion: 1.0", "-H", "ce-id: 2",
                               "-H", "ce-source: /repo", "-H", "ce-type: com.example.push", "-H", "ce-subject: Euro%20%E2%82%AC",
                               body='{"branch": "master"}')
    assert code == 202, text
    binary = world.get("cwr", json.loads(text)["runs"][0]["name"])
    assert binary["spec"]["event"]["subject"] == "Euro \u20ac" and binary["spec"]["parameters"] == {"branch": "master"}

    for again in (push("1"), push("1", branch="mast")):
        code, text = receiver.structured(again)
        assert code == 202 and json.loads(text)["runs"] == [
            {"duplicate": True, "name": name, "namespace": "default", "trigger": "event", "workflow": "on-push"}]
    assert len(runs_of(world, "on-push")) == 2

    assert receiver.structured(push("3", branch="dev"))[0] == 200, "the filter"
    assert receiver.structured(push("4"), path="/namespaces/elsewhere/events")[0] == 200
    assert receiver.structured(push("5"), token="wrong")[0] == 401
    assert receiver.structured(push("6", data={"branch": "ma" + "x" * 100_000}))[0] == 413, "an event has 64 KiB at most"
    assert receiver.structured(push("7", data={"branch": "ma" + "x" * 300_000}))[0] == 413, "larger than cloudEvents.maxBytes"
    assert receiver.structured({"specversion": "0.3"})[0] == 400
    assert receiver.curl("-H", "Content-Type: application/json", body="{}")[0] == 415
    code, text = receiver.structured(push("8", data={"branch": 7, "x": 1}))
    assert code == 422 and "on-push" in text
    assert world.wait_event("on-push", "EventNotUsable")
    assert len(runs_of(world, "on-push")) == 2
    metric = lambda outcome: receiver.operator.metric("convoke_cloudevents_total", outcome=outcome)
    assert [metric(o) for o in ("started", "duplicate", "unmatched", "unusable", "invalid", "unauthorized")] == [2, 2, 2, 1, 3, 1]

    receiver.tokens.write_text("second-token\n")
    wait_until(lambda: receiver.structured(push("9", branch="dev"), token="second-token")[0] == 200, 20, lambda: "the new token does not hold")
    assert receiver.structured(push("9", branch="dev"))[0] == 401


def test_an_event_is_known_after_its_run_was_deleted(world):
    world.runner("worker")
    receiver = Receiver(world)
    world.apply(on_push(historyLimits={"succeeded": 0, "failed": 0}))
    wait_armed(world, receiver)
    assert receiver.structured(push("1"))[0] == 202
    wait_until(lambda: world.status("cwf", "on-push").get("pastEvents") and not runs_of(world, "on-push"), 60,
               lambda: "the run is not deleted")
    code, text = receiver.structured(push("1"))
    assert code == 202 and json.loads(text)["runs"][0]["duplicate"], text
    assert len(world.processes[0].started()) == 1


def test_a_step_that_waits_for_an_event_gets_it(world):
    world.runner("worker")
    receiver = Receiver(world)
    gate = {"name": "gate", "wait": {"event": {"type": "com.example.approved", "filter": "event.subject == params.subject"}}}
    after = shell_step("after", 'echo "{\\"by\\": \\"$CONVOKE_PARAM_BY\\"}" > $CONVOKE_OUTPUT', ["gate"],
                       {"by": "$(steps.gate.outputs.data.by)"})
    world.apply(workflow("gated", [gate, after], parameters=[{"name": "subject", "required": True}],
                         outputs=[{"name": "by", "value": "$(steps.after.outputs.by)"}]))
    for name in ("one", "two"):
        world.apply(run(f"gated-{name}", "gated", parameters={"subject": name}))
    waits = lambda: all("WaitingForEvent" in json.dumps(world.status("cwr", f"gated-{n}")) for n in ("one", "two"))
    wait_until(waits, 30, lambda: json.dumps(world.status("cwr", "gated-one"), indent=1))
    event = {"specversion": "1.0", "id": "1", "source": "/people", "type": "com.example.approved", "subject": "two", "data": {"by": "ada"}}
    code, text = receiver.structured(event)
    assert code == 202 and [r["name"] for r in json.loads(text)["runs"]] == ["gated-two"], text
    assert world.wait_finished("cwr", "gated-two")["outputs"] == {"by": "ada"}
    assert world.status("cwr", "gated-one")["phase"] == "Running"
    assert receiver.structured(event)[0] == 200, "nobody waits for it any more"


def test_events_come_over_tls_and_to_standbys_too(world):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", world.directory / "tls.key",
                    "-out", world.directory / "tls.crt"], check=True, capture_output=True)
    leader = Receiver(world, tls=world.directory)
    wait_until(leader.operator.leading, 20, lambda: "nobody leads")
    standby = Receiver(world, "standby", tls=world.directory)
    world.apply(on_push())
    wait_armed(world, leader)
    wait_until(lambda: standby.structured(push("1"))[0] == 202, 30, lambda: f"the standby says {standby.structured(push('1'))}")
    assert not standby.operator.leading()
    code, text = leader.structured(push("1"))
    assert code == 202 and json.loads(text)["runs"][0]["duplicate"]
    assert len(runs_of(world, "on-push")) == 1


def test_what_was_answered_with_202_survives_kill_9(world):
    receiver = Receiver(world)
    receiver.operator.restart_when_it_ends()
    world.apply(on_push())
    wait_armed(world, receiver)
    accepted, numbers, lock, over = set(), iter(range(10_000)), threading.Lock(), threading.Event()

    def send():
        while not over.is_set():
            with lock:
                number = str(next(numbers))
            while not over.is_set():
                try:
                    code, _ = receiver.structured(push(number))
                except TypeError:  # it has no address yet
                    code = 0
                if code == 202:
                    accepted.add(number)
                    break
                time.sleep(0.05)

    senders = [threading.Thread(target=send, daemon=True) for _ in range(4)]
    for sender in senders:
        sender.start()
    for _ in range(3):
        before = len(accepted)
        wait_until(lambda: len(accepted) > before + 10, 60, lambda: f"only {len(accepted)} events were accepted")
        receiver.operator.signal(9)
    before = len(accepted)
    wait_until(lambda: len(accepted) > before + 10, 60, lambda: "nothing is accepted any more")
    over.set()
    for sender in senders:
        sender.join()
    stored = [r["spec"]["event"]["id"] for r in runs_of(world, "on-push")]
    assert accepted <= set(stored), "an accepted event is lost"
    assert len(stored) == len(set(stored)), "an event has two runs"
    assert receiver.operator.restarts >= 3
