"""Agents that are services: Tasks are posted to them, and they may answer what they like."""

import base64
import json
import re
import threading
import time

import pytest
import yaml
from harness.processes import REPO, Process
from harness.service import Service, make_certificates
from harness.waiting import wait_until
from harness.world import OPERATOR_USER, task

SETTINGS = {"dispatch": {"allowLoopback": True}}
NO_RETRY = {"limit": 0}


@pytest.fixture
def services():
    """Starts services that end with the test."""
    running = []

    def start(answer, **options):
        running.append(Service(answer, **options))
        return running[-1]

    yield start
    for service in running:
        service.stop()


def agent(name, service, heartbeat=None, capacity=10, **http):
    return {"apiVersion": "convoke.dev/v1alpha1", "kind": "Agent", "metadata": {"name": name, "namespace": "default"},
            "spec": {"capabilities": [name], "capacity": capacity, "heartbeat": heartbeat or {"interval": "1s", "timeout": "10s"},
                     "dispatch": {"mode": "HTTP", "http": {"url": f"{service.origin}/tasks", "pollInterval": "300ms", **http}}}}


def done(request, **outputs):
    return 200, {}, {"outputs": outputs, "message": "well done"}


def start(world, *agents):
    operator = world.operator(settings=SETTINGS)
    for manifest in agents:
        world.apply(manifest)
        world.wait_phase("cag", manifest["metadata"]["name"], "Ready", 30)
    return operator


def test_a_service_gets_the_task_and_answers_with_its_result(world, services):
    service = services(lambda r: done(r, sum=r.json["task"]["parameters"]["a"] + 1))
    operator = start(world, agent("adder", service))
    world.apply(task("add", "adder", title="Add one", parameters={"a": 41}, timeout="5m"))
    status = world.wait_finished("ctk", "add")
    assert status["phase"] == "Succeeded" and status["report"]["outputs"] == {"sum": 42}, status
    assert status["report"]["message"] == "well done"
    (request,) = service.asked("POST")
    body = request.json
    uid = world.get("ctk", "add")["metadata"]["uid"]
    assert {k: body["task"][k] for k in ("namespace", "name", "uid", "type", "title")} == {
        "namespace": "default", "name": "add", "uid": uid, "type": "adder", "title": "Add one"}
    assert body["assignmentID"] == request.headers["idempotency-key"] == status["assignment"]["id"]
    assert body["attempt"] == 1 and body["fencing"] == {} and body["timeout"].startswith("4m") and body["deadline"]
    version, trace, span, flags = request.headers["traceparent"].split("-")
    assert (version, trace, flags) == ("00", uid.replace("-", ""), "01") and len(span) == 16
    assert operator.metric("convoke_dispatch_requests_total", mode="HTTP", result="2xx") >= 1


def test_accepted_work_is_polled_at_its_location_until_it_ends(world, services):
    progress = iter([10, 60])

    def answer(r):
        if r.method == "POST":
            return 202, {"Location": "/state/7?of=" + r.task}, ""
        percent = next(progress, None)
        if percent is None:
            return 200, {}, {"state": "Succeeded", "outputs": {"at": r.path}}
        return 200, {}, {"state": "Running", "progress": percent, "message": f"{percent} percent"}

    service = services(answer)
    start(world, agent("poller", service))
    world.apply(task("polled", "poller"))
    status = world.wait_finished("ctk", "polled")
    assert status["phase"] == "Succeeded" and status["report"]["outputs"] == {"at": "/state/7?of=polled"}, status
    assert len(service.asked("POST")) == 1
    assert status["dispatch"]["location"] == f"{service.origin}/state/7?of=polled"


def test_accepted_work_is_reported_by_the_services_own_patch(world, services):
    def answer(r):
        threading.Thread(target=report, args=(r.json,), daemon=True).start()
        return 202, {}, ""

    def report(body):
        patch = [{"op": "test", "path": "/status/assignment/id", "value": body["assignmentID"]},
                 {"op": "add", "path": "/status/report", "value": {
                     "assignmentID": body["assignmentID"], "state": "Succeeded", "outputs": {"by": "patch"}}}]
        wait_until(lambda: world.status("ctk", body["task"]["name"]).get("dispatch", {}).get("acceptedAt"), 20)
        world.kubectl("-n", "default", "patch", "ctk", body["task"]["name"], "--subresource=status", "--type=json",
                      "-p", json.dumps(patch), user="agent-patcher")

    service = services(answer)
    world.allow_agent("patcher")
    start(world, agent("patcher", service))
    world.apply(task("patched", "patcher"))
    status = world.wait_finished("ctk", "patched")
    assert status["phase"] == "Succeeded" and status["report"]["outputs"] == {"by": "patch"}, status


def test_what_a_service_refuses_is_final(world, services):
    def answer(r):
        if r.task == "told":
            return 422, {}, {"error": {"code": "NoSuchRepository", "message": "there is no repository x"}}
        return 400, {}, "<html>bad</html>"

    service = services(answer)
    start(world, agent("picky", service))
    world.apply(task("told", "picky"), task("bare", "picky"))
    told, bare = world.wait_finished("ctk", "told"), world.wait_finished("ctk", "bare")
    assert told["phase"] == bare["phase"] == "Failed"
    assert "NoSuchRepository: there is no repository x" in told["message"], told
    assert bare["report"]["error"]["code"] == "HTTP400" and bare["report"]["error"]["retryable"] is False
    assert len(service.asked("POST")) == 2


def test_what_passes_is_tried_again_within_the_attempt(world, services):
    replies = iter([(503, {}, ""), (500, {}, ""), (429, {"Retry-After": "2"}, "")])
    times = []

    def answer(r):
        times.append(time.monotonic())
        return next(replies, None) or done(r)

    service = services(answer)
    start(world, agent("moody", service))
    world.apply(task("patient", "moody"))
    status = world.wait_finished("ctk", "patient")
    assert status["phase"] == "Succeeded" and status["attempt"] == 1, status
    assert len({r.headers["idempotency-key"] for r in service.requests}) == 1
    assert len({r.headers["traceparent"] for r in service.requests}) == 1
    assert len(times) == 4 and times[3] - times[2] >= 1.9, "Retry-After was not obeyed"


def test_tls_with_a_ca_and_credentials_of_secrets(world, services, tmp_path):
    ca, certificate = make_certificates(tmp_path)
    service = services(lambda r: done(r, authorization=r.headers.get("authorization", "")), tls=certificate)
    untrusted = services(done, tls=certificate)
    operator = start(world)
    allow_secrets(world)
    secret(world, "ca", {"ca.crt": ca.read_text()})
    secret(world, "token", {"token": "s3cr3t-token\n"}, origin=service.origin)
    secret(world, "login", {"username": "ann", "password": "s3cr3t-word"}, origin=service.origin)
    secret(world, "foreign", {"token": "s3cr3t-token"}, origin="https://elsewhere.example")
    of_ca = {"caSecret": {"name": "ca", "key": "ca.crt"}}
    world.apply(agent("bearer", service, **of_ca, tokenSecret={"name": "token", "key": "token"}, healthPath="/healthz"),
                agent("basic", service, **of_ca, basicAuthSecret={"name": "login"}),
                agent("stranger", untrusted, healthPath="/healthz"),
                agent("thief", service, **of_ca, tokenSecret={"name": "foreign", "key": "token"}),
                agent("nothing", service, **of_ca, tokenSecret={"name": "absent", "key": "token"}))
    world.apply(task("by-token", "bearer"), task("by-password", "basic"))
    assert world.wait_finished("ctk", "by-token")["report"]["outputs"] == {"authorization": "Bearer s3cr3t-token"}
    login = "Basic " + base64.b64encode(b"ann:s3cr3t-word").decode()
    assert world.wait_finished("ctk", "by-password")["report"]["outputs"] == {"authorization": login}
    for name, reason, text in (("stranger", "HealthCheckFailed", "certificate"), ("nothing", "SecretNotReadable", "absent"),
                               ("thief", "SecretNotReadable", "convoke.dev/dispatch-origin")):
        condition = wait_reason(world, name, reason)
        assert text in condition["message"], condition
        assert world.status("cag", name)["phase"] == "Pending"
    assert "s3cr3t" not in operator.log(), "a Secret is in the log"


def test_without_the_right_to_read_its_secret_the_agent_says_so(world, services):
    service = services(done)
    world.kubectl("-n", "default", "delete", "rolebinding", "convoke-dispatch", "--ignore-not-found")
    start(world)
    secret(world, "unreadable", {"token": "x"}, origin=service.origin)
    world.apply(agent("mute", service, tokenSecret={"name": "unreadable", "key": "token"}))
    condition = wait_reason(world, "mute", "SecretNotReadable")
    assert condition["status"] == "False" and "may not read Secret unreadable" in condition["message"], condition
    world.wait_event("mute", "SecretNotReadable")
    allow_secrets(world)
    world.wait_phase("cag", "mute", "Ready", 30)


def test_an_agent_lives_while_its_health_path_answers(world, services):
    service = services(done)
    service.health = 503
    world.operator(settings=SETTINGS)
    world.apply(agent("shaky", service, healthPath="/healthz"))
    assert "503" in wait_reason(world, "shaky", "HealthCheckFailed")["message"]
    assert world.status("cag", "shaky")["phase"] == "Pending"
    service.health = 204
    world.wait_phase("cag", "shaky", "Ready", 30)
    port = service.port
    service.stop()
    world.wait_phase("cag", "shaky", "Offline", 30)
    assert "refused" in wait_reason(world, "shaky", "HealthCheckFailed")["message"]
    services(done, port=port)
    world.wait_phase("cag", "shaky", "Ready", 30)


def test_a_service_that_hangs_is_nobody_elses_trouble(world, services):
    hanging = services(lambda r: hanging.hang())
    quick = services(done)
    start(world, agent("hanging", hanging, timeout="60s"), agent("quick", quick))
    world.apply(*[task(f"stuck-{i}", "hanging", timeout="4s", retry=NO_RETRY) for i in range(10)])
    wait_until(lambda: len(hanging.asked("POST")) == 10, 20)
    world.apply(*[task(f"swift-{i}", "quick") for i in range(5)])
    for i in range(5):
        assert world.wait_finished("ctk", f"swift-{i}", 20)["phase"] == "Succeeded"
    for i in range(10):
        assert world.wait_finished("ctk", f"stuck-{i}", 30)["reason"] == "Timeout"
    wait_until(lambda: len(hanging.asked("DELETE")) >= 10, 20, lambda: "the service was not told to stop")


def test_a_cancelled_task_is_deleted_at_the_service(world, services):
    def answer(r):
        if r.method == "POST":
            return 202, {"Location": "state/" + r.task}, ""
        return (204, {}, "") if r.method == "DELETE" else (200, {}, {"state": "Running"})

    service = services(answer)
    start(world, agent("slow", service))
    world.apply(task("unwanted", "slow"), task("deleted", "slow"))
    wait_until(lambda: {r.path for r in service.asked("GET")} >= {"/state/unwanted", "/state/deleted"}, 20)
    world.kubectl("-n", "default", "patch", "ctk", "unwanted", "--type=merge", "-p", '{"spec":{"cancel":{"reason":"no"}}}')
    world.kubectl("-n", "default", "delete", "ctk", "deleted")
    assert world.wait_finished("ctk", "unwanted")["phase"] == "Cancelled"
    wait_until(lambda: {r.path for r in service.asked("DELETE")} == {"/state/unwanted", "/state/deleted"}, 20)
    wait_until(lambda: "dispatch" not in world.status("ctk", "unwanted"), 20)


def test_a_killed_operator_sends_again_under_the_same_key_or_not_at_all(world, services):
    service = services(lambda r: service.hang() if len(service.asked("POST", r.task)) == 1 else done(r))
    operator = start(world, agent("keeper", service, timeout="60s"))
    world.apply(task("repeatable", "keeper"), task("once", "keeper", delivery="AtMostOnce"))
    wait_until(lambda: len(service.asked("POST")) == 2, 20)
    operator.kill()
    operator.start().wait_ready()
    repeatable, once = world.wait_finished("ctk", "repeatable"), world.wait_finished("ctk", "once")
    assert repeatable["phase"] == "Succeeded" and repeatable["attempt"] == 1, repeatable
    assert len({r.headers["idempotency-key"] for r in service.asked("POST", "repeatable")}) == 1
    assert once["phase"] == "Failed" and once["reason"] == "OutcomeUnknown", once
    assert len(service.asked("POST", "once")) == 1


def test_accepted_work_survives_the_operator(world, services):
    ended = threading.Event()

    def answer(r):
        if r.method == "POST":
            return 202, {"Location": "/state"}, ""
        return 200, {}, {"state": "Succeeded" if ended.is_set() else "Running"}

    service = services(answer)
    operator = start(world, agent("steady", service))
    world.apply(task("kept", "steady", delivery="AtMostOnce"))
    wait_until(lambda: service.asked("GET"), 20)
    operator.kill()
    ended.set()
    operator.start().wait_ready()
    assert world.wait_finished("ctk", "kept")["phase"] == "Succeeded"
    assert len(service.asked("POST")) == 1


def test_a_service_that_dies_and_comes_back_gets_the_task(world, services):
    service = services(done)
    start(world, agent("dying", service))
    port = service.port
    service.stop()
    world.apply(task("waiting", "dying"))
    wait_until(lambda: "refused" in world.status("ctk", "waiting").get("report", {}).get("message", ""), 20)
    services(done, port=port)
    status = world.wait_finished("ctk", "waiting")
    assert status["phase"] == "Succeeded" and status["attempt"] == 1, status


def drip(request):
    out = request.handler.wfile
    out.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        out.write(b"x")
        out.flush()
        time.sleep(0.2)


def endless_headers(request):
    out = request.handler.wfile
    out.write(b"HTTP/1.1 200 OK\r\n")
    for i in range(1_000_000):
        out.write(b"X-%d: %s\r\n" % (i, b"y" * 1000))


HOSTILE = {
    "huge": (lambda r: (200, {}, {"outputs": {"x": "y" * 5_000_000}}), "InvalidAnswer"),
    "too-much": (lambda r: done(r, x="y" * 100_000), "OutputTooLarge"),
    "not-json": (lambda r: (200, {}, "{\"outputs\": "), "InvalidAnswer"),
    "not-an-object": (lambda r: (200, {}, "[1, 2]"), "InvalidAnswer"),
    "deep": (lambda r: (200, {}, "{\"outputs\":" + "[" * 100_000), "InvalidAnswer"),
    "redirect": (lambda r: (307, {"Location": "http://169.254.169.254/"}, ""), "HTTP307"),
    "elsewhere": (lambda r: (202, {"Location": "http://169.254.169.254/latest/"}, ""), "InvalidLocation"),
    "headers": (endless_headers, "InvalidAnswer"),
    "not-http": (lambda r: r.handler.wfile.write(b"SSH-2.0-OpenSSH_9\r\n") and None, "InvalidAnswer"),
    "bad-utf8": (lambda r: r.handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"message\":\"\xff") and None, "InvalidAnswer"),
}


def test_hostile_answers_fail_their_own_attempt_only(world, services):
    service = services(lambda r: HOSTILE[r.task][0](r) if r.method == "POST" else (204, {}, ""))
    operator = start(world, agent("hostile", service, timeout="3s"))
    dripping = services(drip)
    world.apply(agent("dripping", dripping, timeout="1s"))
    world.apply(*[task(name, "hostile", retry=NO_RETRY) for name in HOSTILE], task("drip", "dripping", timeout="4s", retry=NO_RETRY))
    for name, (_, expected) in HOSTILE.items():
        status = world.wait_finished("ctk", name)
        assert status["phase"] == "Failed" and expected in json.dumps(status), (name, status)
    assert world.wait_finished("ctk", "drip")["reason"] == "Timeout"
    assert operator.alive() and operator.resident_mb() < 300


def test_addresses_of_the_machine_itself_are_refused_unless_allowed(world, services):
    service = services(done)
    world.operator()
    world.apply(agent("inside", service, healthPath="/healthz"))
    assert "loopback" in wait_reason(world, "inside", "HealthCheckFailed")["message"]
    metadata = agent("metadata", service, healthPath="/")
    metadata["spec"]["dispatch"]["http"]["url"] = "http://169.254.169.254/latest"
    world.apply(metadata)
    assert "link-local" in wait_reason(world, "metadata", "HealthCheckFailed")["message"]


def test_the_sample_service(world):
    folder = REPO / "crds/samples/agents/http"
    program = Process("service", world.directory, [folder / "service.py", "0"])
    world.processes.append(program)
    program.start()
    port = wait_until(lambda: re.search(r"port (\d+)", program.log()), 20)[1]
    manifest = yaml.safe_load((folder / "agent.yaml").read_text())
    manifest["metadata"]["namespace"] = "default"
    manifest["spec"]["dispatch"]["http"]["url"] = f"http://127.0.0.1:{port}/tasks"
    start(world, manifest)
    world.apply(task("words", "word-count", parameters={"text": "to be or not"}),
                task("count", "countdown", parameters={"seconds": 1}), task("wrong", "word-count"))
    assert world.wait_finished("ctk", "words")["report"]["outputs"] == {"words": 4}
    assert world.wait_finished("ctk", "count")["report"]["outputs"] == {"lasted": 1}
    assert "WrongParameters" in world.wait_finished("ctk", "wrong")["message"]


def wait_reason(world, name, reason):
    def found():
        condition = world.condition("cag", name, "Ready")
        return condition if condition and condition["reason"] == reason else None
    return wait_until(found, 30, lambda: f"Agent {name} is not {reason}: {world.status('cag', name)}")


def secret(world, name, values, origin=None):
    annotations = {"convoke.dev/dispatch-origin": origin} if origin else {}
    world.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "default", "annotations": annotations},
                 "stringData": values})


def allow_secrets(world):
    """What the chart makes of dispatch.secrets."""
    meta = {"name": "convoke-dispatch", "namespace": "default"}
    rbac = "rbac.authorization.k8s.io"
    world.apply({"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta,
                 "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]},
                {"apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": meta,
                 "subjects": [{"kind": "User", "apiGroup": rbac, "name": OPERATOR_USER}],
                 "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "convoke-dispatch"}})
