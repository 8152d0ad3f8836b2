"""Convoke as Pods on a real node: kubelet, containerd, probes, the credentials and the address that a Pod is given."""

import json

import pytest
import yaml
from harness.container import images, service_account
from harness.dev_cluster import NodeCluster
from harness.helm import CHART, Helm
from harness.waiting import wait_until
from harness.world import World, run, shell_step, workflow
from test_main_job import DIAMOND

RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "runAsNonRoot": True,
              "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    cluster = NodeCluster(tmp_path_factory.mktemp("node"))
    try:
        cluster.up()
        cluster.load(*images().values())
        yield cluster
    finally:
        cluster.down()


@pytest.fixture
def world(node, tmp_path):
    world = World(node, tmp_path).install()
    yield world
    world.empty()


def deployment(name, namespace, account, container, replicas, volumes=()):
    labels = {"app": name}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels},
                "spec": {"serviceAccountName": account, "volumes": list(volumes),
                         "containers": [{"name": "convoke", "imagePullPolicy": "Never", "securityContext": RESTRICTED, **container}]}}}}


def probe(path):
    return {"httpGet": {"path": path, "port": 8080}, "periodSeconds": 1}


def deploy_operator(world):
    """Two replicas in a namespace that admits restricted Pods only."""
    world.kubectl("label", "--overwrite", "namespace", "convoke-system", "pod-security.kubernetes.io/enforce=restricted")
    world.apply(deployment("convoke-operator", "convoke-system", "convoke-operator", {
        "image": images()["convoke-operator"], "livenessProbe": probe("/healthz"), "readinessProbe": probe("/readyz"),
        "args": ["--leader-election-lease-duration=5s", "--leader-election-renew-deadline=3s", "--leader-election-retry-period=500ms"],
    }, replicas=2))


def deploy_worker(world):
    config = {"agent": {"name": "worker", "capacity": 4, "heartbeat": {"interval": "1s", "timeout": "5s"}}, "shell": True}
    world.apply(service_account("worker", "default"),
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "worker", "namespace": "default"},
                 "data": {"runner.yaml": yaml.safe_dump(config)}})
    world.allow_agent_to("system:serviceaccount:default:worker", "worker")
    world.apply(deployment("worker", "default", "worker", {
        "image": images()["convoke-runner"], "args": ["--config=/etc/convoke/runner.yaml"],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/convoke"}, {"name": "tmp", "mountPath": "/tmp"}],
    }, 1, [{"name": "config", "configMap": {"name": "worker"}}, {"name": "tmp", "emptyDir": {}}]))


def operator_pods(world):
    return world.list("pods", "-l", "app=convoke-operator", namespace="convoke-system")


def leader(world):
    lease = world.get("lease", "convoke-operator", "convoke-system")
    holder = (lease or {}).get("spec", {}).get("holderIdentity") or ""
    return next((p["metadata"]["name"] for p in operator_pods(world) if holder.startswith(p["metadata"]["name"])), None)


def explain(world):
    return world.kubectl("get", "pods,events", "-A", check=False).stdout


def test_convoke_runs_as_pods_and_outlives_its_leader(world):
    deploy_operator(world)
    deploy_worker(world)
    for namespace, name in (("convoke-system", "convoke-operator"), ("default", "worker")):
        done = world.kubectl("-n", namespace, "rollout", "status", f"deployment/{name}", "--timeout=90s", check=False)
        assert done.returncode == 0, explain(world)
    world.wait_phase("cag", "worker", "Ready", 30)

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
    assert wait_until(lambda: leader(world), 30, lambda: explain(world)) != first

    world.kubectl("-n", "convoke-system", "rollout", "status", "deployment/convoke-operator", "--timeout=60s")
    for pod in operator_pods(world):
        assert [c["restartCount"] for c in pod["status"]["containerStatuses"]] == [0], explain(world)
    said = world.kubectl("-n", "convoke-system", "logs", leader(world)).stdout.splitlines()
    assert json.loads(said[0])["message"] == "starting"


def test_the_chart_installs_itself_rolls_and_passes_its_own_test(world, node):
    """With a runner; --take-ownership, since kubectl has installed CRDs and policies before."""
    helm = Helm(node)
    world.kubectl("-n", "convoke-system", "delete", "deployments", "--all", "--cascade=foreground")  # one operator is enough
    repository, tag = images()["convoke-operator"].rsplit(":", 1)
    values = ["--set", f"image.repository={repository},image.tag={tag},image.pullPolicy=Never",
              "--set", f"runnerImage.repository={images()['convoke-runner'].rsplit(':', 1)[0]},runnerImage.tag={tag}",
              "--set", "runnerImage.pullPolicy=Never,runners[0].name=builder,runners[0].config.shell=true"]
    wait = ["--wait", "--timeout", "120s"]
    try:
        done = helm.run("install", "convoke", CHART, "--take-ownership", *values, *wait)
        assert done.returncode == 0, f"{done.stderr}\n{explain(world)}"
        done = helm.run("test", "convoke", "--logs")
        assert done.returncode == 0 and "passed after" in done.stdout, f"{done.stdout}{done.stderr}\n{explain(world)}"
        world.kubectl("-n", "convoke-system", "wait", "cag/builder", "--for=condition=Ready", "--timeout=60s")
        before = {p["metadata"]["name"] for p in chart_pods(world)}
        helm.do("upgrade", "convoke", CHART, *values, *wait, "--set", "podAnnotations.rolled=yes")
        wait_until(lambda: not before & {p["metadata"]["name"] for p in chart_pods(world)}, 90, lambda: explain(world))
        assert all(s["restartCount"] == 0 for p in chart_pods(world) for s in p["status"]["containerStatuses"]), explain(world)
    finally:
        helm.do("uninstall", "convoke", "--wait", "--timeout", "120s")


def chart_pods(world):
    return world.list("pods", "-l", "app.kubernetes.io/component=operator", namespace="convoke-system")
