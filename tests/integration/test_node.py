"""The chart's own Pods on a real node (hack/dev-cluster up --node): kubelet, containerd, probes, and the identity, the files and
the address of the API server that a Pod is given; and the Pods of an agent of the mode Job."""

import json

import pytest
import yaml
from harness.container import images
from harness.dev_cluster import DevCluster
from harness.helm import CHART, Helm
from harness.waiting import wait_until
from harness.world import World, run, shell_step, task, workflow
from test_main_job import DIAMOND

VALUES = {
    "config": {"leaderElection": {"leaseDuration": "8s", "renewDeadline": "6s", "retryPeriod": "500ms"}, "dispatch": {"jobs": True}},
    "networkPolicy": {"enabled": True},
    "runners": [{"name": "worker", "namespace": "default", "config": {
        "agent": {"capacity": 4, "heartbeat": {"interval": "1s", "timeout": "10s"}}, "shell": True}}],
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A cluster with a node that holds the images, and namespaces that take Pods of the standard `restricted` only."""
    directory = tmp_path_factory.mktemp("node")
    cluster = DevCluster(directory / "cluster")
    try:
        cluster.up("--node", crds=False)
        cluster.dev_cluster("load", *images().values())
        world = World(cluster, directory)
        world.kubectl("create", "namespace", "convoke-system")
        for namespace in ("convoke-system", "default"):
            world.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
        yield world
    finally:
        cluster.down()


@pytest.fixture(scope="module")
def release(world):
    """The chart's release, whose Pods are ready; it leaves none when it is uninstalled."""
    values = world.directory / "values.yaml"
    values.write_text(yaml.safe_dump(VALUES))
    helm(world, "install", "convoke", CHART, "--values", values, "--wait", "--timeout", "5m")
    world.wait_phase("cag", "worker", "Ready", 30)
    yield values
    helm(world, "uninstall", "convoke", "--wait", "--timeout", "5m")
    wait_until(lambda: operator_pods(world) == [], 60, lambda: explain(world))  # --wait does not wait for their last seconds


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


def test_the_charts_pods_do_the_main_job_outlive_their_leader_and_roll(world, release):
    assert len(operator_pods(world)) == 2
    helm(world, "test", "convoke", "--timeout", "5m")

    world.apply(workflow("diamond", DIAMOND, parameters=[{"name": "version", "type": "String", "default": "1"}],
                         outputs=[{"name": "both", "value": "$(steps.bottom.outputs.both)"}]))
    world.apply(run("diamond-1", "diamond", parameters={"version": "9"}))
    assert world.wait_finished("cwr", "diamond-1")["outputs"] == {"both": ["left of 9", 7]}

    first = wait_until(lambda: leader(world), 30, lambda: explain(world))
    seen = world.kubectl("-n", "convoke-system", "exec", first, "--", "kubectl-convoke", "tree", "diamond-1", "-n", "default").stdout
    assert "diamond-1" in seen and "bottom" in seen and "Succeeded" in seen, seen
    world.apply(workflow("slow", [shell_step("one", "sleep 20"), shell_step("two", "true", ["one"])]))
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
    before = {pod["metadata"]["name"] for pod in operator_pods(world)}
    helm(world, "upgrade", "convoke", CHART, "--values", release, "--set", "podAnnotations.rolled=yes", "--wait", "--timeout", "5m")
    wait_until(lambda: not before & {pod["metadata"]["name"] for pod in operator_pods(world)}, 60, lambda: explain(world))


# --- an agent of the mode Job ----------------------------------------------------------------------------------------------

# What it does follows from the Task's parameter; what it saw of the Task becomes the outputs.
IN_A_JOB = """
case "$CONVOKE_PARAM_DO" in
  report) printf '{"variables": ["%s", "%s"], "file": %s}' "$CONVOKE_PARAM_DO" "$CONVOKE_PARAM_COUNT" "$(cat /convoke/task.json)" \
    >/dev/termination-log ;;
  fail) echo "there is no such target" >&2; exit 1 ;;
  sleep) sleep 600 ;;
esac
"""


def job_agent(name):
    """Has Tasks done in containers that the standard `restricted` lets pass. Their image is here, as they bring a shell."""
    container = {"name": "main", "image": images()["convoke-runner"], "imagePullPolicy": "Never", "command": ["/bin/sh", "-euc", IN_A_JOB],
                 "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}}
    spec = {"containers": [container], "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}}
    return {"apiVersion": "convoke.dev/v1alpha1", "kind": "Agent", "metadata": {"name": name, "namespace": "default"},
            "spec": {"capabilities": [name], "dispatch": {"mode": "Job", "job": {"template": {"spec": spec}}}}}


def job_task(name, do, **spec):
    return task(name, "in-a-job", parameters={"do": do, "count": 7, "list": ["a b", {"c": "$(HOME)"}]}, retry={"limit": 0}, **spec)


def jobs_and_pods(world, name):
    selector = ("-l", f"convoke.dev/task-uid={world.get('ctk', name)['metadata']['uid']}")
    return world.list("jobs", *selector), world.list("pods", *selector)


def explain_jobs(world):
    logs = world.kubectl("logs", "-l", "convoke.dev/agent=in-a-job", "--prefix", check=False)
    tasks = world.kubectl("get", "ctk,jobs,pods", "-o", "yaml", check=False)
    return "\n".join([logs.stdout, logs.stderr, explain(world), tasks.stdout])


def finished_in_a_job(world, name):
    wait_until(lambda: world.status("ctk", name).get("completedAt"), 60, lambda: explain_jobs(world))
    return world.status("ctk", name)


def test_an_agent_of_the_mode_job_does_tasks_in_containers_of_a_real_node(world, release):
    world.apply(job_agent("in-a-job"))
    world.wait_phase("cag", "in-a-job", "Ready", 30)
    world.apply(job_task("reports", "report"), job_task("fails", "fail"), job_task("sleeps", "sleep"))

    status = finished_in_a_job(world, "reports")
    assert status["phase"] == "Succeeded", explain_jobs(world)
    outputs = status["report"]["outputs"]
    assert outputs["variables"] == ["report", "7"]
    assert outputs["file"]["task"]["parameters"] == {"do": "report", "count": 7, "list": ["a b", {"c": "$(HOME)"}]}
    assert outputs["file"]["task"]["uid"] == world.get("ctk", "reports")["metadata"]["uid"]

    status = finished_in_a_job(world, "fails")
    assert status["phase"] == "Failed" and status["report"]["error"]["code"] == "ExitCode1", explain_jobs(world)
    assert "there is no such target" in status["message"], status

    wait_until(lambda: [p["status"]["phase"] for p in jobs_and_pods(world, "sleeps")[1]] == ["Running"], 60, lambda: explain_jobs(world))
    world.kubectl("patch", "ctk", "sleeps", "--type=merge", "-p", '{"spec":{"cancel":{"reason":"not needed"}}}')
    assert finished_in_a_job(world, "sleeps")["phase"] == "Cancelled"
    wait_until(lambda: jobs_and_pods(world, "sleeps") == ([], []), 60, lambda: explain_jobs(world))
