"""The chart's own Pods on a real node (hack/dev-cluster up --node): kubelet, containerd, probes, and the identity, the files and
the address of the API server that a Pod is given."""

import json

import pytest
import yaml
from harness.container import images
from harness.dev_cluster import DevCluster
from harness.helm import CHART, Helm
from harness.waiting import wait_until
from harness.world import World, run, shell_step, workflow
from test_main_job import DIAMOND

VALUES = {
    "config": {"leaderElection": {"leaseDuration": "5s", "renewDeadline": "3s", "retryPeriod": "500ms"}},
    "networkPolicy": {"enabled": True},
    "runners": [{"name": "worker", "namespace": "default", "config": {
        "agent": {"capacity": 4, "heartbeat": {"interval": "1s", "timeout": "5s"}}, "shell": True}}],
}


@pytest.fixture
def world(tmp_path):
    """A cluster with a node that holds the images, and namespaces that take Pods of the standard `restricted` only."""
    cluster = DevCluster(tmp_path / "node")
    try:
        cluster.up("--node", crds=False)
        cluster.dev_cluster("load", *images().values())
        world = World(cluster, tmp_path)
        world.kubectl("create", "namespace", "convoke-system")
        for namespace in ("convoke-system", "default"):
            world.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
        yield world
    finally:
        cluster.down()


def operator_pods(world):
    return world.list("pods", "-l", "app.kubernetes.io/component=operator", namespace="convoke-system")


def leader(world):
    """The Pod of the operator that leads. An identity begins with the name of its host, which is the Pod's."""
    (lease, *_) = world.list("leases", namespace="convoke-system") or [{}]
    holder = lease.get("spec", {}).get("holderIdentity") or ""
    return next((p["metadata"]["name"] for p in operator_pods(world) if holder.startswith(p["metadata"]["name"])), None)


def explain(world):
    return world.kubectl("get", "pods,events", "-A", check=False).stdout


def helm(world, *arguments):
    done = Helm(world.cluster).run(*arguments)
    assert done.returncode == 0, f"helm {arguments[0]}: {done.stderr}\n{explain(world)}"
    return done.stdout


def test_the_charts_pods_do_the_main_job_outlive_their_leader_and_roll(world, tmp_path):
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(VALUES))
    helm(world, "install", "convoke", CHART, "--values", values, "--wait", "--timeout", "2m")
    assert len(operator_pods(world)) == 2
    world.wait_phase("cag", "worker", "Ready", 30)
    helm(world, "test", "convoke", "--timeout", "2m")

    world.apply(workflow("diamond", DIAMOND, parameters=[{"name": "version", "type": "String", "default": "1"}],
                         outputs=[{"name": "both", "value": "$(steps.bottom.outputs.both)"}]))
    world.apply(run("diamond-1", "diamond", parameters={"version": "9"}))
    assert world.wait_finished("cwr", "diamond-1")["outputs"] == {"both": ["left of 9", 7]}

    first = wait_until(lambda: leader(world), 30, lambda: explain(world))
    world.apply(workflow("slow", [shell_step("one", "sleep 3"), shell_step("two", "true", ["one"])]))
    world.apply(run("slow-1", "slow"))
    world.wait_phase("ctk", "slow-1-one", "Running")
    world.kubectl("-n", "convoke-system", "delete", "pod", first, "--grace-period=0", "--force")
    assert world.wait_finished("cwr", "slow-1")["phase"] == "Succeeded"
    second = wait_until(lambda: leader(world), 30, lambda: explain(world))
    assert second != first

    world.kubectl("-n", "convoke-system", "rollout", "status", "deployment", "--timeout=60s")
    for pod in operator_pods(world):
        assert [c["restartCount"] for c in pod["status"]["containerStatuses"]] == [0], explain(world)
    said = world.kubectl("-n", "convoke-system", "logs", second).stdout.splitlines()
    assert json.loads(said[0])["message"] == "starting"

    before = {pod["metadata"]["name"] for pod in operator_pods(world)}
    helm(world, "upgrade", "convoke", CHART, "--values", values, "--set", "podAnnotations.rolled=yes", "--wait", "--timeout", "2m")
    wait_until(lambda: not before & {pod["metadata"]["name"] for pod in operator_pods(world)}, 60, lambda: explain(world))
    helm(world, "uninstall", "convoke", "--wait", "--timeout", "2m")
    wait_until(lambda: operator_pods(world) == [], 60, lambda: explain(world))  # --wait does not wait for their last seconds
