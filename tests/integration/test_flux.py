"""Flux's kustomize-controller, the real one, syncs a repository with Convoke's kinds from a source on loopback."""

import functools
import hashlib
import http.server
import io
import json
import tarfile
import threading

import pytest
import yaml
from harness.gitops import GITOPS, Flux, assert_each_has_its_fields, build
from harness.processes import REPO
from harness.waiting import wait_until
from harness.world import shell_step, workflow

KINDS = ("agents", "tasks", "workflows", "workflowruns")
MEMBERS = [("cag", "worker"), ("ctk", "plain"), ("ctk", "explicit"), ("cwf", "shapes"), ("cwf", "in-sequence"), ("cwf", "hello"),
           ("cwr", "of-shapes"), ("cwr", "of-itself")]


class Source:
    """What Flux's source-controller would do for a GitRepository: offers a folder's files as an archive over HTTP."""

    def __init__(self, world):
        self.world = world
        self.folder = world.directory / "source"
        self.folder.mkdir()

        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=self.folder))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def publish(self, files):
        """The repository is now {name: text}; returns its revision."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name, text in sorted(files.items()):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(text.encode()), 0o644
                archive.addfile(entry, io.BytesIO(text.encode()))
        content = buffer.getvalue()
        digest = hashlib.sha256(content).hexdigest()
        (self.folder / f"{digest}.tar.gz").write_bytes(content)
        artifact = {"path": f"{digest}.tar.gz", "url": f"http://127.0.0.1:{self.server.server_port}/{digest}.tar.gz",
                    "revision": f"main@sha256:{digest}", "digest": f"sha256:{digest}", "size": len(content),
                    "lastUpdateTime": "2026-01-01T00:00:00Z"}
        self.world.kubectl("patch", "gitrepository", "repository", "--subresource=status", "--type=merge", "-p",
                           json.dumps({"status": {"artifact": artifact, "observedGeneration": 1}}))
        return artifact["revision"]


@pytest.fixture
def flux(world):
    """Flux, and a Kustomization that waits for all that it applied and prunes."""
    world.kubectl("apply", "--server-side", "-f", build("flux") / "crds")
    world.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")
    world.apply({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": {"name": "repository", "namespace": "default"},
                 "spec": {"interval": "1h", "url": "https://git.example.com/repository"}},
                {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": "repository", "namespace": "default"},
                 "spec": {"interval": "1h", "path": "./", "prune": True, "wait": True, "timeout": "180s",
                          "sourceRef": {"kind": "GitRepository", "name": "repository"}}})
    process = Flux(world.directory, world.cluster.kubeconfig)
    world.processes.append(process)
    world.source = Source(world)
    process.start()
    yield world
    process.kill()
    world.kubectl("patch", "kustomization", "repository", "--type=merge", "-p", '{"metadata": {"finalizers": []}}')
    world.kubectl("delete", "kustomization,gitrepository", "repository")
    world.source.server.shutdown()


def ready(world):
    conditions = world.get("kustomization", "repository").get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == "Ready"), {})


def wait_synced(world, revision):
    def synced():
        status = world.get("kustomization", "repository").get("status", {})
        return status.get("lastAppliedRevision") == revision and ready(world)["status"] == "True"
    wait_until(synced, 180, lambda: f"{ready(world)}\n{world.kubectl('get', 'convoke').stdout}\n{world.logs()}", 0.2)


def repository():
    files = {f.name: f.read_text() for f in (GITOPS / "repository").glob("*.yaml")}
    return {**files, "hello.yaml": (REPO / "crds/samples/hello.yaml").read_text()}


def with_resources(files):
    kustomization = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namespace": "default",
                     "resources": sorted(set(files) - {"kustomization.yaml"})}
    return {**files, "kustomization.yaml": yaml.safe_dump(kustomization)}


def members(world):
    return {(kind, name): world.get(kind, name) for kind, name in MEMBERS}


# All that ended has been counted where it is counted.
def counted(world, tasks):
    agent = world.status("cag", "worker")
    return agent["activeTasks"] == 0 and agent.get("completedTasks") == tasks and all(
        status["activeRuns"] == 0 and status.get("lastRunPhase") == "Succeeded"
        for status in (world.status("cwf", name) for name in ("hello", "shapes")))


def test_flux_syncs_waits_and_prunes(flux):
    flux.operator()
    runner = flux.runner("worker", start=False)
    revision = flux.source.publish(with_resources(repository()))

    # It is not ready before all work in it is done, which needs the agent.
    wait_until(lambda: flux.get("cag", "worker") and flux.status("ctk", "plain").get("reason") == "NoEligibleAgent", 30,
               lambda: flux.logs(), 0.2)
    assert ready(flux)["status"] == "Unknown", ready(flux)
    runner.start()
    wait_synced(flux, revision)
    before = members(flux)
    for (kind, name), o in before.items():
        assert {"cag": "Ready", "cwf": "Ready"}.get(kind, "Succeeded") == o["status"]["phase"], (name, o["status"])

    # A second reconcile changes nothing. Counts are written in their own time.
    wait_until(lambda: counted(flux, len(flux.list("ctk"))), 60,
               lambda: f"{flux.status('cag', 'worker')}\n{flux.kubectl('get', 'convoke').stdout}")
    before = members(flux)
    flux.kubectl("annotate", "kustomization", "repository", "reconcile.fluxcd.io/requestedAt=again")
    wait_until(lambda: flux.get("kustomization", "repository")["status"].get("lastHandledReconcileAt") == "again", 30)
    wait_synced(flux, revision)
    after = members(flux)
    assert {k: o["metadata"]["resourceVersion"] for k, o in after.items()} == {k: o["metadata"]["resourceVersion"] for k, o in before.items()}
    assert_each_has_its_fields(after.values(), "kustomize-controller")

    # A definition that cannot work fails the Kustomization, which names it; the object says why.
    broken = workflow("broken", [shell_step("a", "true", ["nowhere"])])
    flux.source.publish(with_resources({**repository(), "broken.yaml": yaml.safe_dump(broken)}))
    wait_until(lambda: ready(flux)["status"] == "False", 60, lambda: f"{ready(flux)}\n{flux.logs()}", 0.2)
    assert "Workflow/default/broken" in ready(flux)["message"] and "Failed" in ready(flux)["message"], ready(flux)
    assert "nowhere" in flux.condition("cwf", "broken", "Stalled")["message"]

    # What leaves the repository leaves the cluster, with all that came of it.
    left = {name: text for name, text in repository().items() if name in ("agents.yaml", "workflows.yaml")}
    wait_synced(flux, flux.source.publish(with_resources(left)))
    wait_until(lambda: [len(flux.list(kind)) for kind in KINDS] == [1, 0, 2, 0], 60, lambda: flux.kubectl("get", "convoke").stdout)
