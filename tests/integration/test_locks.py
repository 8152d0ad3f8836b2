"""Locks on a real API server: who has one says so in a file when it begins and when it ends, so that the file shows whether two
ever had it at once. Then crashes of everybody who takes part, a person who breaks a lock, and others who hold one."""

import base64
import json
import time

import pytest
from harness.service import Service, make_certificates
from harness.waiting import wait_until
from harness.world import FINISHED, task

QUICK = {"limit": 20, "on": ["Failed", "Timeout", "AgentLost"], "backoff": {"type": "Fixed", "base": "100ms", "max": "1s"}}
EXCLUSIVE = [{"name": "deploy"}]


def shared(permits=0):
    return [{"name": "pool", "mode": "Shared", **({"permits": permits} if permits else {})}]


class Diary:
    """What the Tasks wrote of themselves: (begin or end, name, token of the lock), in order."""

    def __init__(self, world, name="diary"):
        self.path = world.directory / name
        self.path.touch()

    def work(self, seconds=0.02, lock="DEPLOY", gate=None):
        wait = f"while [ ! -e {gate} ]; do sleep 0.02; done" if gate else f"sleep {seconds}"
        return {"command": f'echo "begin $CONVOKE_TASK_NAME $CONVOKE_FENCING_{lock}" >> {self.path}; {wait}; '
                           f'echo "end $CONVOKE_TASK_NAME $CONVOKE_FENCING_{lock}" >> {self.path}'}

    def entries(self):
        return [line.split() for line in self.path.read_text().splitlines()]

    def began(self):
        return [entry[1] for entry in self.entries() if entry[0] == "begin"]

    def most_at_once(self):
        most, now = 0, 0
        for entry in self.entries():
            now += 1 if entry[0] == "begin" else -1
            most = max(most, now)
        return most

    def tokens(self):
        return [int(entry[2]) for entry in self.entries() if entry[0] == "begin"]


def lock(world, name="deploy"):
    return world.get("lease", f"convoke-lock-{name}") or {"metadata": {}, "spec": {}}


def holders(world, name="deploy"):
    text = lock(world, name)["metadata"].get("annotations", {}).get("convoke.dev/lock-holders", "[]")
    return [holder["task"] for holder in json.loads(text)]


def create_tasks(world, names, diary, locks=EXCLUSIVE, **spec):
    world.apply(*(task(name, parameters=spec.pop("parameters", None) or diary.work(), locks=locks, retry=QUICK, **spec) for name in names))


def assert_all_succeeded(world, names, timeout=90):
    def finished():
        phases = {t["metadata"]["name"]: t.get("status", {}).get("phase") for t in world.list("ctk")}
        return all(phases.get(name) in FINISHED for name in names) and phases

    phases = wait_until(finished, timeout, lambda: str([(t["metadata"]["name"], t.get("status", {}).get("phase"), t.get("status", {}).get("message"))
                                                        for t in world.list("ctk")]) + world.logs(), interval=0.3)
    assert {phases[name] for name in names} == {"Succeeded"}, phases


def assert_nothing_held(world):
    def free():
        leases = world.list("leases", "-l", "convoke.dev/lock")
        return leases and not any(lease["spec"].get("holderIdentity") or "convoke.dev/lock-holders" in lease["metadata"].get("annotations", {})
                                  for lease in leases)

    wait_until(free, 20, lambda: str(world.list("leases", "-l", "convoke.dev/lock")))


def test_twenty_tasks_take_turns_at_one_lock_with_rising_tokens(world):
    operator = world.operator()
    world.runner("worker", agent={"capacity": 30})
    diary = Diary(world)
    names = [f"t{i}" for i in range(20)]
    create_tasks(world, names, diary)
    assert_all_succeeded(world, names)
    assert sorted(diary.began()) == sorted(names) and diary.most_at_once() == 1, diary.entries()
    tokens = diary.tokens()
    assert all(a < b for a, b in zip(tokens, tokens[1:])), tokens
    assert lock(world)["metadata"]["labels"]["convoke.dev/lock"] == "deploy"
    assert_nothing_held(world)
    assert operator.metric("convoke_lock_grants_total") == 20
    assert operator.metric("convoke_lock_wait_seconds_count") == 20
    wait_until(lambda: operator.metric("convoke_locks_held") == 0 == operator.metric("convoke_lock_waiting_tasks"), 20)


def test_permits_are_not_exceeded_and_readers_and_writers_exclude_each_other(world):
    world.operator()
    world.runner("worker", agent={"capacity": 30})
    diary, both = Diary(world), Diary(world, "both")
    three = [f"permit{i}" for i in range(12)]
    create_tasks(world, three, diary, shared(3), parameters=diary.work(0.3, "POOL"))
    readers, writers = [f"reader{i}" for i in range(6)], [f"writer{i}" for i in range(3)]
    for name in readers:
        world.apply(task(name, parameters=both.work(0.3, "BOOK"), locks=[{"name": "book", "mode": "Shared"}]))
    for name in writers:
        world.apply(task(name, parameters=both.work(0.1, "BOOK"), locks=[{"name": "book"}]))
    assert_all_succeeded(world, [*three, *readers, *writers])
    assert diary.most_at_once() in (2, 3), diary.entries()
    inside = set()
    for what, name, _ in both.entries():
        (inside.add if what == "begin" else inside.remove)(name)
        assert len(inside) == 1 or not inside & set(writers), inside
    assert_nothing_held(world)


def test_the_most_urgent_is_next_and_the_others_say_what_they_wait_for(world):
    world.operator()
    world.runner("worker", agent={"capacity": 30})
    diary, gate = Diary(world), world.directory / "gate"
    world.apply(task("holder", parameters=diary.work(gate=gate), locks=EXCLUSIVE))
    world.wait_phase("ctk", "holder", "Running")
    for name, priority in (("low", 1), ("high", 5), ("middle", 3)):
        world.apply(task(name, parameters=diary.work(), locks=EXCLUSIVE, priority=priority))
    for name in ("low", "middle", "high"):
        wait_until(lambda n=name: world.status("ctk", n).get("reason") == "WaitingForLock", 20)
    status = wait_until(lambda: (s := world.status("ctk", "high")).get("waitingForLock", {}).get("position") == 1 and s, 20)
    assert status["waitingForLock"] == {"name": "deploy", "position": 1, "heldBy": "Task holder (Exclusive)"}
    assert "position 1, held by Task holder (Exclusive)" in status["message"]
    world.wait_event("high", "WaitingForLock")
    assert holders(world) == ["holder"]
    assert lock(world)["spec"]["holderIdentity"] == world.get("ctk", "holder")["metadata"]["uid"]
    gate.touch()
    assert_all_succeeded(world, ["holder", "high", "middle", "low"])
    assert diary.began() == ["holder", "high", "middle", "low"]
    assert_nothing_held(world)


def test_two_locks_in_either_order_while_the_operator_is_killed_again_and_again(world):
    operator = world.operator()
    world.runner("worker", agent={"capacity": 30})
    diary = Diary(world)
    names = [f"t{i}" for i in range(24)]
    one, other = [{"name": "deploy"}, {"name": "other"}], [{"name": "other"}, {"name": "deploy"}]
    for i, name in enumerate(names):
        world.apply(task(name, parameters=diary.work(0.05), locks=one if i % 2 else other, retry=QUICK))
    for _ in range(6):
        before = len(diary.began())
        operator.kill()  # at whatever it is just doing: taking, assigning, freeing
        operator.start().wait_ready()
        wait_until(lambda: len(diary.began()) > before or len(diary.began()) == len(names), 60, world.logs, interval=0.05)
    assert_all_succeeded(world, names)
    assert sorted(diary.began()) == sorted(names) and diary.most_at_once() == 1, diary.entries()
    tokens = diary.tokens()
    assert all(a < b for a, b in zip(tokens, tokens[1:])), tokens
    assert_nothing_held(world)


def test_a_lock_outlives_its_operator_and_the_api_server(world):
    operator = world.operator()
    world.runner("worker", agent={"heartbeat": {"interval": "1s", "timeout": "60s"}})
    diary, gate = Diary(world), world.directory / "gate"
    world.apply(task("holder", parameters=diary.work(gate=gate), locks=EXCLUSIVE))
    world.wait_phase("ctk", "holder", "Running")
    world.apply(task("next", parameters=diary.work(), locks=EXCLUSIVE))
    token = lock(world)["spec"]["leaseTransitions"]
    operator.kill()
    world.cluster.dev_cluster("kill", "kube-apiserver")
    world.cluster.dev_cluster("start", "kube-apiserver")
    renewed = lock(world)["spec"]["renewTime"]
    operator.start().wait_ready()
    wait_until(lambda: lock(world)["spec"]["renewTime"] != renewed, 60, world.logs, interval=0.5)
    assert holders(world) == ["holder"] and lock(world)["spec"]["leaseTransitions"] == token
    assert diary.began() == ["holder"] and world.status("ctk", "holder")["attempt"] == 1
    gate.touch()
    assert_all_succeeded(world, ["holder", "next"])
    assert diary.most_at_once() == 1
    assert_nothing_held(world)


@pytest.fixture
def assignments(world, tmp_path):
    """A webhook that is asked before a Task becomes Assigned, and hangs: by then the Task has its locks."""
    def allow(request):
        if not service.released.is_set():
            service.hang()
        review = request.json
        return 200, {"Content-Type": "application/json"}, {
            "apiVersion": review["apiVersion"], "kind": review["kind"],
            "response": {"uid": review["request"]["uid"], "allowed": True}}

    ca, certificate = make_certificates(tmp_path)
    service = Service(allow, tls=certificate)
    world.apply({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
                 "metadata": {"name": "assignments"},
                 "webhooks": [{"name": "assignments.test.convoke.dev", "sideEffects": "None", "admissionReviewVersions": ["v1"],
                               "timeoutSeconds": 30, "failurePolicy": "Fail",
                               "clientConfig": {"url": f"{service.origin}/", "caBundle": base64.b64encode(ca.read_bytes()).decode()},
                               "matchConditions": [{"name": "assigned", "expression": "object.status.phase == 'Assigned'"}],
                               "rules": [{"apiGroups": ["convoke.dev"], "apiVersions": ["*"], "resources": ["tasks/status"],
                                          "operations": ["UPDATE"]}]}]})
    try:
        yield service
    finally:
        service.stop()
        world.kubectl("delete", "validatingwebhookconfiguration", "assignments")


@pytest.mark.parametrize("who", ["the API server", "the operator", "both"])
def test_between_taking_a_lock_and_assigning_its_task_there_is_an_end_of(world, assignments, who):
    operator = world.operator()
    if who == "the API server":
        operator.restart_when_it_ends()  # as it does when it cannot renew its leadership
    world.runner("worker", agent={"heartbeat": {"interval": "1s", "timeout": "60s"}})
    diary = Diary(world)
    world.apply(task("first", parameters=diary.work(), locks=EXCLUSIVE))
    wait_until(lambda: assignments.requests, 30, world.logs, interval=0.02)
    assert holders(world) == ["first"] and world.status("ctk", "first")["phase"] != "Assigned"
    token = lock(world)["spec"]["leaseTransitions"]
    if who != "the API server":
        operator.kill()
    if who != "the operator":
        world.cluster.dev_cluster("kill", "kube-apiserver")
    assignments.released.set()
    if who != "the operator":
        world.cluster.dev_cluster("start", "kube-apiserver")
    world.apply(task("second", parameters=diary.work(), locks=EXCLUSIVE, priority=5))
    if who != "the API server":
        operator.start().wait_ready()
    assert_all_succeeded(world, ["first", "second"])
    assert sorted(diary.began()) == ["first", "second"] and diary.most_at_once() == 1, diary.entries()
    tokens = diary.tokens()
    assert tokens[0] < tokens[1] and tokens[0] >= token, tokens
    assert_nothing_held(world)


def test_a_killed_agent_and_a_deleted_task_lose_their_locks(world):
    world.operator()
    lost = world.runner("lost")
    diary, gate = Diary(world), world.directory / "gate"
    world.apply(task("first", parameters=diary.work(gate=gate), locks=EXCLUSIVE, agentName="lost", retry={**QUICK, "limit": 0}))
    world.wait_phase("ctk", "first", "Running")
    world.runner("worker")
    for name in ("second", "third"):
        world.apply(task(name, parameters=diary.work(gate=gate), locks=EXCLUSIVE, agentName="worker", priority=4 if name == "second" else 3))
    lost.kill()
    assert world.wait_finished("ctk", "first", 60)["reason"] == "AgentLost"
    world.wait_phase("ctk", "second", "Running")
    assert holders(world) == ["second"]
    world.kubectl("delete", "ctk", "second")
    world.wait_phase("ctk", "third", "Running", 20)
    assert holders(world) == ["third"]
    gate.touch()
    assert_all_succeeded(world, ["third"])
    assert diary.tokens() == [1, 2, 3]
    assert_nothing_held(world)


def test_a_person_breaks_a_lock(world):
    world.operator()
    world.runner("worker")
    diary, gate = Diary(world), world.directory / "gate"
    world.apply(task("stuck", parameters=diary.work(gate=gate), locks=EXCLUSIVE, retry={**QUICK, "limit": 0}))
    world.wait_phase("ctk", "stuck", "Running")
    world.apply(task("next", parameters=diary.work(), locks=EXCLUSIVE))
    world.kubectl("annotate", "lease", "convoke-lock-deploy", "convoke.dev/break-lock=stuck since noon")
    status = world.wait_finished("ctk", "stuck")
    assert status["phase"] == "Failed" and status["reason"] == "LockLost", status
    assert status["attempts"][-1]["outcome"] == "LockLost", status
    assert_all_succeeded(world, ["next"])
    assert world.status("ctk", "next")["assignment"]["fencing"] == {"deploy": 2}
    for name in ("stuck", "convoke-lock-deploy"):
        assert "stuck since noon" in world.wait_event(name, "LockBroken")[0]["note"]
    assert "convoke.dev/break-lock" not in lock(world)["metadata"].get("annotations", {})
    assert_nothing_held(world)


def test_a_foreign_holder_is_honoured_until_it_lets_go_or_is_silent(world):
    world.operator()
    world.runner("worker")
    diary = Diary(world)
    foreign = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "convoke-lock-deploy", "namespace": "default"},
               "spec": {"holderIdentity": "their-program", "leaseDurationSeconds": 10, "leaseTransitions": 41, "renewTime": micro_time()}}
    world.create(foreign)
    world.apply(task("patient", parameters=diary.work(), locks=EXCLUSIVE))

    def renew():
        world.kubectl("patch", "lease", "convoke-lock-deploy", "--type=merge", "-p", json.dumps({"spec": {"renewTime": micro_time()}}))

    until = time.monotonic() + 14  # longer than it would be honoured without renewing
    while time.monotonic() < until:
        renew()
        time.sleep(0.5)  # the foreign program's own pace
        assert diary.began() == [] and lock(world)["spec"]["holderIdentity"] == "their-program"
    renew()
    status = world.status("ctk", "patient")
    assert status["reason"] == "WaitingForLock" and status["waitingForLock"]["heldBy"] == "holder their-program", status
    assert_all_succeeded(world, ["patient"], 60)  # it is silent now
    world.wait_event("convoke-lock-deploy", "LockExpired")
    assert diary.tokens() == [42]
    # It takes the lock again, lets it go, and the next Task has it at once.
    world.kubectl("patch", "lease", "convoke-lock-deploy", "--type=merge", "-p",
                  json.dumps({"spec": {"holderIdentity": "their-program", "leaseDurationSeconds": 300, "renewTime": micro_time()}}))
    world.apply(task("second", parameters=diary.work(), locks=EXCLUSIVE))
    wait_until(lambda: world.status("ctk", "second").get("reason") == "WaitingForLock", 20)
    world.kubectl("patch", "lease", "convoke-lock-deploy", "--type=merge", "-p", '{"spec":{"holderIdentity":null}}')
    assert_all_succeeded(world, ["second"], 20)
    assert_nothing_held(world)


def micro_time():
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() // 1000 % 1_000_000:06d}Z"
