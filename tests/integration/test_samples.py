"""Every sample workflow, run as its own comment says, with the result that it promises. The runner has the configuration of
crds/samples/agents/worker.yaml."""

import itertools
import json
import re
import subprocess
import urllib.request

import pytest
import yaml

from harness.processes import BIN, REPO, Process
from harness.waiting import wait_until
from harness.world import FINISHED, World, run

SAMPLES = REPO / "crds/samples"
ENDED = (*FINISHED, "Compensated")


class Samples:
    """Convoke, and runs of its samples."""

    def __init__(self, world):
        self.world = world
        self.operator = world.operator(settings={"cloudEvents": {"address": "127.0.0.1:0", "allowAnonymous": True}})
        self.events = itertools.count(1)
        self.start_agent("worker")

    def start_agent(self, name, environment=None):
        config = SAMPLES / f"agents/{name}.yaml"
        command = [BIN / "convoke-runner", "--config", config, "--kubeconfig", self.world.allow_agent(name)]
        agent = Process(name, self.world.directory, command, environment)
        self.world.processes.append(agent)
        agent.start()
        self.world.wait_phase("cag", name, "Ready", 30)
        return agent

    def apply(self, file):
        """The names of its Workflows, once they are accepted."""
        self.world.kubectl("apply", "-f", SAMPLES / file)
        names = [document["metadata"]["name"] for document in yaml.safe_load_all((SAMPLES / file).read_text())]
        for name in names:
            self.world.kubectl("wait", f"cwf/{name}", "--for=condition=Ready", "--timeout=20s")
        return names

    def created_run(self, workflow_name):
        """The run that applying the Workflow has started."""
        self.world.kubectl("wait", f"cwf/{workflow_name}", "--for=jsonpath={.status.createdRun}", "--timeout=20s")
        return self.world.status("cwf", workflow_name)["createdRun"]

    def create(self, name, workflow_name, **spec):
        self.world.create(run(name, workflow_name, **spec))
        return name

    def send(self, kind, data):
        """A CloudEvent; the name of the run that it started, or that waited for it."""
        (address,) = re.findall(r'"receiving CloudEvents".*"address":"([^"]+)"', self.operator.log())
        event = {"specversion": "1.0", "id": str(next(self.events)), "source": "/samples", "type": kind, "data": data}
        request = urllib.request.Request(f"http://{address}/events", json.dumps(event).encode(),
                                         {"Content-Type": "application/cloudevents+json"})
        answer = urllib.request.urlopen(request, timeout=20)
        assert answer.status == 202, answer.read()
        (found,) = json.loads(answer.read())["runs"]
        return found["name"]

    def end(self, name, phase="Succeeded", timeout=60):
        status = self.world.wait_phase("cwr", name, ENDED, timeout)
        assert status["phase"] == phase, status
        return status

    def tasks(self, run_name):
        """Those of a run, by their names without the run's, in the order in which they began."""
        found = [t for t in self.world.list("ctk") if t["metadata"]["name"].startswith(run_name + "-")]
        found.sort(key=lambda t: (t["status"].get("assignedAt", "9"), t["metadata"]["name"]))
        return {t["metadata"]["name"].removeprefix(run_name + "-"): t for t in found}


def rows(status):
    return {row["name"]: row for row in status["steps"]}


def phases(status):
    return {row["name"]: row["phase"] for row in status["steps"]}


@pytest.fixture(scope="module")
def samples(cluster, tmp_path_factory):
    world = World(cluster, tmp_path_factory.mktemp("samples")).install()
    try:
        yield Samples(world)
    finally:
        world.stop()
        world.empty()


def test_hello(samples):
    samples.apply("hello.yaml")
    assert samples.end(samples.created_run("hello"))["outputs"] == {"greeting": "Hello, world!"}


def test_release_pipeline(samples):
    environment = {"SAMPLE_DIR": str(SAMPLES / "release-pipeline"), "WORK_DIR": str(samples.world.directory)}
    for agent in ("builder", "tester", "publisher"):
        samples.start_agent(agent, environment)
    samples.apply("release-pipeline.yaml")
    outputs = samples.end(samples.created_run("release-pipeline"), timeout=120)["outputs"]
    assert outputs["testsPassed"] > 0 and len(outputs["sha256"]) == 64 and "1.0.0" in outputs["archive"], outputs


def test_matrix_test(samples):
    samples.apply("matrix-test.yaml")
    outputs = samples.end(samples.created_run("matrix-test"))["outputs"]
    cells = [f"{system}-{version}" for system in ("debian", "alpine", "fedora") for version in ("1.0", "1.1", "2.0")]
    assert outputs == {"cells": cells, "allPassed": True}
    samples.create("matrix-beos", "matrix-test", parameters={"systems": ["beos", "debian"], "versions": ["1", "2"]})
    status = samples.end("matrix-beos", "Failed")
    assert rows(status)["test"]["items"] == "2f2s" and "there is no beos here" in status["message"], status


def test_data_load(samples):
    samples.apply("data-load.yaml")
    created = samples.created_run("data-load")
    assert samples.end(created)["outputs"] == {"files": [f"part-{i}.csv" for i in range(1, 7)], "rows": 2100}
    assert list(samples.tasks(created))[-1] == "check" and len(samples.tasks(created)) == 8


def test_trip_booking(samples):
    samples.apply("trip-booking.yaml")
    assert samples.end(samples.created_run("trip-booking"))["outputs"] == {"left": 450}
    samples.create("poor", "trip-booking", parameters={"budget": 500})
    status = samples.end("poor", "Compensated")
    assert phases(status) == {"flight": "Compensated", "hotel": "Compensated", "car": "Failed"}
    assert 'a car costs 100; undone: "flight", "hotel"' in status["message"] or "a car costs 100" in status["message"], status
    undone = samples.tasks("poor")
    assert undone["hotel-undo"]["status"]["completedAt"] <= undone["flight-undo"]["status"]["assignedAt"]
    assert undone["hotel-undo"]["spec"]["title"] == f"Cancel hotel-{undone['hotel']['metadata']['uid']}"


def approve(samples, name, user, decision="Approve"):
    entry = {"step": "release", "decision": decision, "user": user}
    patch = [{"op": "add", "path": "/spec/approvals", "value": [entry]}]
    return samples.world.kubectl("patch", "cwr", name, "--type=json", "-p", json.dumps(patch), user=user, check=False)


def test_approved_deployment(samples):
    rbac = {"apiGroup": "rbac.authorization.k8s.io", "name": "deployers"}
    rules = [{"apiGroups": ["convoke.dev"], "resources": ["workflowruns"], "verbs": ["get", "create", "patch"]},
             {"apiGroups": ["convoke.dev"], "resources": ["workflows"], "verbs": ["get", "approve"]}]
    meta = {"name": "deployers", "namespace": "default"}
    samples.world.apply({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta, "rules": rules},
                        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta,
                         "roleRef": {**rbac, "kind": "Role"}, "subjects": [{**rbac, "kind": "User", "name": u} for u in ("ann", "bob")]})
    samples.apply("approved-deployment.yaml")
    for name, decision, phase in (("deploy-1", "Reject", "Failed"), ("deploy-2", "Approve", "Succeeded")):
        manifest = json.dumps(run(name, "approved-deployment", createdBy="ann"))
        wait_until(lambda m=manifest: samples.world.kubectl("create", "-f", "-", input=m, user="ann", check=False).returncode == 0, 20)
        wait_until(lambda n=name: 'step "release": 0 of 1 approvals' in samples.world.status("cwr", n).get("message", ""), 30,
                   lambda n=name: samples.world.status("cwr", n))
        assert "ann created this run" in approve(samples, name, "ann", decision).stderr
        assert approve(samples, name, "bob", decision).returncode == 0
        status = samples.end(name, phase)
        assert ("production" in samples.tasks(name)) == (phase == "Succeeded")
    assert status["outputs"] == {"note": "1.0.0, approved by bob"}


def test_nightly_report(samples):
    samples.apply("nightly-report.yaml")
    armed = wait_until(lambda: samples.world.status("cwf", "nightly-report").get("triggers"), 30)
    assert armed[0]["nextScheduleTime"], armed
    # The night in which the clocks in Berlin went forward: there it is Monday, elsewhere it is not.
    samples.create("berlin", "nightly-report", parameters={"at": "2026-03-29T23:30:00Z"})
    samples.create("lisbon", "nightly-report", parameters={"at": "2026-03-29T22:30:00Z", "timeZone": "Europe/Lisbon"})
    assert samples.end("berlin")["outputs"] == {"daily": "Sunday the 29.", "weekly": "the last week"}
    status = samples.end("lisbon")
    assert status["outputs"] == {"daily": "Saturday the 28."}
    assert phases(status) == {"daily": "Succeeded", "weekly": "Skipped", "clean-up": "Succeeded"}


def test_incident(samples):
    samples.apply("incident.yaml")
    created = samples.created_run("incident")
    assert samples.end(created)["outputs"] == {"note": "well after 2 looks"}
    samples.create("stubborn", "incident", parameters={"wellAfter": 9})
    status = samples.end("stubborn")
    assert status["outputs"] == {"called": "on-call"} and status["transitions"] == 5, status
    assert set(samples.tasks("stubborn")) == {"diagnose-1", "restart-1", "diagnose-2", "replace-1", "diagnose-3", "escalate-1"}


def test_ingest(samples):
    def wait_waiting(name):
        wait_until(lambda: "WaitingForEvent" in json.dumps(samples.world.status("cwr", name)), 30,
                   lambda: json.dumps(samples.world.status("cwr", name), indent=1))

    samples.apply("ingest.yaml")
    assert samples.end(samples.send("file.arrived", {"name": "holiday.png", "bytes": 99}))["outputs"] == {"note": "holiday.png is no data"}
    arrived = samples.send("file.arrived", {"name": "people.csv", "bytes": 4000})
    wait_waiting(arrived)
    assert samples.send("file.stored", {"name": "people.csv", "rows": 70}) == arrived
    assert samples.end(arrived)["outputs"] == {"rows": 70}
    # By hand.
    samples.create("ingest-1", "ingest", parameters={"file": {"name": "orders.csv", "bytes": 1200}})
    wait_waiting("ingest-1")
    samples.world.kubectl("annotate", "cwr", "ingest-1", 'event.convoke.dev/stored={"type": "file.stored", "data": {"name": "orders.csv", "rows": 40}}')
    assert samples.end("ingest-1")["outputs"] == {"rows": 40}


def test_canary(samples):
    samples.apply("canary.yaml")
    assert samples.end(samples.created_run("canary"))["outputs"] == {"serving": "2.0.0"}
    samples.create("sick", "canary", parameters={"errorsPerThousand": 25, "watchFor": "1s"})
    status = samples.end("sick", "Compensated")
    assert "25 of 1000 requests failed" in status["message"], status
    assert samples.tasks("sick")["shift-a-little-undo"]["spec"]["title"] == "All traffic back to 1.9.0"
    assert "shift-all" not in samples.tasks("sick")


def test_sub_workflows(samples):
    samples.apply("sub-workflows.yaml")
    created = samples.created_run("web-site")
    assert samples.end(created)["outputs"] == {"links": "/welcome.html /prices.html /contact.html"}
    pages = samples.world.list("cwr", "-l", "convoke.dev/workflow=render-page")
    assert len(pages) == 3 and all(page["spec"]["triggeredBy"] == f"WorkflowRun/{created}" for page in pages)


def test_flaky_service(samples):
    samples.apply("flaky-service.yaml")
    created = samples.created_run("flaky-service")
    status = samples.end(created)
    assert status["outputs"] == {"attempts": 3} and phases(status)["ask-for-prices"] == "Failed", status
    attempts = samples.world.status("ctk", f"{created}-ask")["attempts"]
    assert [a["outcome"] for a in attempts][:2] == ["Failed", "Failed"] and "503" in attempts[0]["message"], attempts


def test_long_poll(samples):
    samples.apply("long-poll.yaml")
    status = samples.end(samples.created_run("long-poll"))
    assert status["outputs"] == {"result": "s3://results/17"}
    assert rows(status)["poll"]["iteration"] <= 5, status
    samples.create("longer-poll", "long-poll", parameters={"seconds": 8})
    status = samples.end("longer-poll")
    assert 3 <= rows(status)["poll"]["iteration"] <= 10, status


def test_fleet_rollout(samples):
    samples.apply("fleet-rollout.yaml")
    status = samples.end(samples.created_run("fleet-rollout"))
    assert status["outputs"]["healthy"] == ["eu-west", "us-east", "ap-south"], status
    assert status["outputs"]["questions"][0] == 1, status
    slow = [{"name": "eu-west", "seconds": 0}, {"name": "us-east", "seconds": 8}]
    samples.create("slow-rollout", "fleet-rollout", parameters={"regions": slow})
    questions = samples.end("slow-rollout")["outputs"]["questions"]
    assert questions[0] == 1 and questions[1] >= 2, questions

    never = [{"name": "eu-west", "seconds": 0}, {"name": "nowhere", "seconds": 1000}]
    manifest = yaml.safe_load((SAMPLES / "fleet-rollout.yaml").read_text())["spec"]
    manifest["steps"][1]["repeat"]["maxIterations"] = 2
    manifest.pop("triggers", None)
    samples.world.apply(run("stuck-rollout", workflowSpec=manifest, parameters={"regions": never}))
    status = samples.end("stuck-rollout", "Compensated")
    assert rows(status)["healthy"]["items"] == "1s1f" and rows(status)["roll-out"]["items"] == "2u", status
    assert "did not hold after 2 iterations" in status["message"], status


def test_locks(samples):
    samples.world.kubectl("apply", "-f", SAMPLES / "locks.yaml")
    tasks = {name: samples.world.wait_finished("ctk", name) for name in ("deploy-web", "deploy-api", "check-production")}
    assert {name: status["phase"] for name, status in tasks.items()} == dict.fromkeys(tasks, "Succeeded"), tasks
    # They share no moment: the check may run beside other checks, of which there are none.
    times = sorted((status["assignedAt"], status["completedAt"]) for status in tasks.values())
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(times)), times
    leases = {lease["metadata"]["labels"]["convoke.dev/lock"]: lease for lease in samples.world.list("leases", "-l", "convoke.dev/lock")}
    wait_until(lambda: not samples.world.get("lease", "convoke-lock-production")["spec"].get("holderIdentity"), 20)
    assert leases["production"]["spec"]["leaseTransitions"] >= 3 and leases["licence"]["spec"]["leaseTransitions"] >= 1, leases


@pytest.mark.parametrize("file", ["http/agent.yaml", "job/agent.yaml"])
def test_the_manifests_of_agents_are_what_the_api_server_takes(samples, file):
    path = SAMPLES / "agents" / file
    samples.world.kubectl("apply", "--server-side", "--dry-run=server", "-f", path)
    done = subprocess.run([BIN / "kubectl-convoke", "lint", path], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for manifest in yaml.safe_load_all(path.read_text()):
        if manifest["kind"] != "Agent" or manifest["spec"]["dispatch"]["mode"] != "Job":
            continue
        template = manifest["spec"]["dispatch"]["job"]["template"]
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "as-the-operator-makes-it"},
               "spec": {"template": {**template, "spec": {**template["spec"], "restartPolicy": "Never"}}}}
        samples.world.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", input=json.dumps(job))


def test_every_sample_of_a_workflow_is_run_here_and_is_in_the_table(samples):
    tested = {name for name in globals() if name.startswith("test_")}
    table = (SAMPLES / "README.md").read_text()
    for path in SAMPLES.glob("*.yaml"):
        text = path.read_text()
        assert text.startswith("# ") and f"({path.name})" in table, path.name
        if "kind: Workflow\n" in text:
            assert f"test_{path.stem.replace('-', '_')}" in tested, path.name
