"""Agents of the mode Job: a Job for each assignment. There is no node here; the tests say of the Pods what a kubelet would."""

import json

import pytest
from harness.waiting import wait_until
from harness.world import FILES, task

NO_RETRY = {"limit": 0}


@pytest.fixture
def jobs(world):
    world.kubectl("apply", "--server-side", "-f", FILES / "dispatch-jobs-rbac.yaml")
    wait_until(lambda: world.get("serviceaccount", "default"), 30)
    try:
        yield world
    finally:
        world.kubectl("-n", "default", "delete", "jobs", "--all", "--wait=false")
        world.kubectl("-n", "default", "delete", "pods", "--all", "--wait=false", "--force", "--grace-period=0")


def agent(name="builder", containers=None, **job):
    containers = containers or [{"name": "main", "image": "builder:1"}]
    return {"apiVersion": "convoke.dev/v1alpha1", "kind": "Agent", "metadata": {"name": name, "namespace": "default"},
            "spec": {"capabilities": [name], "dispatch": {"mode": "Job", "job": {"template": {"spec": {"containers": containers}}, **job}}}}


def start(world, *agents):
    operator = world.operator(settings={"dispatch": {"jobs": True}})
    world.apply(*(agents or [agent()]))
    for manifest in agents or [agent()]:
        world.wait_phase("cag", manifest["metadata"]["name"], "Ready", 30)
    return operator


def job_of(world, task_name):
    """The Job of the current assignment."""
    def found():
        name = world.status("ctk", task_name).get("dispatch", {}).get("jobName")
        return world.get("job", name) if name else None
    return wait_until(found, 30, lambda: f"no Job for {task_name}: {world.status('ctk', task_name)}")


def assignment_of(world, task_name):
    return wait_until(lambda: world.status("ctk", task_name).get("assignment", {}).get("id"), 30)


def pod_of(world, task_name):
    uid = job_of(world, task_name)["metadata"]["uid"]
    return wait_until(lambda: world.list("pods", "-l", f"batch.kubernetes.io/controller-uid={uid}"), 30,
                      lambda: f"no Pod for {task_name}")[0]


def set_pod(world, task_name, phase, state=None, **status):
    """What a kubelet would report."""
    pod = pod_of(world, task_name)
    statuses = [{"name": c["name"], "image": c["image"], "imageID": "", "ready": False, "restartCount": 0, "state": state or {}}
                for c in pod["spec"]["containers"]]
    patch = {"status": {"phase": phase, "containerStatuses": statuses, **status}}
    world.kubectl("-n", "default", "patch", "pod", pod["metadata"]["name"], "--subresource=status", "--type=merge", "-p", json.dumps(patch))


def ended(exit_code, message="", reason=None):
    return {"terminated": {"exitCode": exit_code, "message": message, "reason": reason or ("Completed" if exit_code == 0 else "Error")}}


def test_a_job_gets_the_task_and_its_termination_message_is_the_result(jobs):
    world = jobs
    start(world)
    world.apply(task("build", "builder", parameters={"target": "all", "jobs": 2}, timeout="10m"))
    job = job_of(world, "build")
    owner = job["metadata"]["ownerReferences"][0]
    assert owner["kind"] == "Task" and owner["uid"] == world.get("ctk", "build")["metadata"]["uid"]
    assert job["spec"]["backoffLimit"] == 0 and 500 < job["spec"]["activeDeadlineSeconds"] <= 611
    pod = pod_of(world, "build")
    environment = {v["name"]: v["value"] for v in pod["spec"]["containers"][0]["env"]}
    status = world.status("ctk", "build")
    assert environment["CONVOKE_PARAM_TARGET"] == "all" and environment["CONVOKE_PARAM_JOBS"] == "2"
    assert environment["CONVOKE_ASSIGNMENT_ID"] == status["assignment"]["id"]
    assert json.loads(pod["metadata"]["annotations"]["convoke.dev/task"])["task"]["parameters"] == {"target": "all", "jobs": 2}
    world.wait_phase("ctk", "build", "Running")
    set_pod(world, "build", "Succeeded", ended(0, '{"image": "x:1"}'))
    status = world.wait_finished("ctk", "build")
    assert status["phase"] == "Succeeded" and status["report"]["outputs"] == {"image": "x:1"}, status


def test_exit_codes_and_the_ends_of_pods_are_told(jobs):
    world = jobs
    start(world)
    names = ("wrong", "hungry", "evicted")
    world.apply(*[task(name, "builder", retry=NO_RETRY) for name in names])
    set_pod(world, "wrong", "Failed", ended(3, "no such target"))
    set_pod(world, "hungry", "Failed", ended(137, "", "OOMKilled"))
    set_pod(world, "evicted", "Failed", ended(137), reason="Evicted", message="The node was low on resource: memory")
    for name, code, text in (("wrong", "ExitCode3", "no such target"), ("hungry", "OOMKilled", "137"), ("evicted", "Evicted", "low on")):
        status = world.wait_finished("ctk", name)
        assert status["phase"] == "Failed" and status["report"]["error"]["code"] == code, status
        assert text in status["message"], status


def test_what_a_pod_waits_for_is_told_while_it_waits(jobs):
    world = jobs
    start(world)
    world.apply(task("imageless", "builder"))
    set_pod(world, "imageless", "Pending", {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}})
    wait_until(lambda: "ImagePullBackOff: no such image" in world.status("ctk", "imageless").get("report", {}).get("message", ""), 30)


def test_a_failed_attempt_gets_another_job(jobs):
    world = jobs
    start(world)
    world.apply(task("twice", "builder", retry={"limit": 1, "backoff": {"type": "Fixed", "base": "100ms"}}))
    first = job_of(world, "twice")["metadata"]["name"]
    set_pod(world, "twice", "Failed", ended(1))
    wait_until(lambda: job_of(world, "twice")["metadata"]["name"] != first, 30)
    set_pod(world, "twice", "Succeeded", ended(0, "second"))
    status = world.wait_finished("ctk", "twice")
    assert status["phase"] == "Succeeded" and status["attempt"] == 2 and status["report"]["outputs"] == {"message": "second"}


def test_a_job_that_somebody_deletes_is_a_failed_attempt(jobs):
    world = jobs
    start(world)
    world.apply(task("robbed", "builder", retry=NO_RETRY))
    world.wait_phase("ctk", "robbed", "Running")
    world.kubectl("-n", "default", "delete", "job", job_of(world, "robbed")["metadata"]["name"])
    status = world.wait_finished("ctk", "robbed")
    assert status["phase"] == "Failed" and status["report"]["error"]["code"] == "JobDeleted", status


def test_cancel_and_timeout_delete_the_job(jobs):
    world = jobs
    start(world)
    world.apply(task("unwanted", "builder"), task("late", "builder", timeout="3s", retry=NO_RETRY))
    names = [f"{name}-{assignment_of(world, name)}" for name in ("unwanted", "late")]  # that of `late` may be gone before a look
    assert job_of(world, "unwanted")["metadata"]["name"] == names[0]
    world.kubectl("-n", "default", "patch", "ctk", "unwanted", "--type=merge", "-p", '{"spec":{"cancel":{"reason":"no"}}}')
    assert world.wait_finished("ctk", "unwanted")["phase"] == "Cancelled"
    late = world.wait_finished("ctk", "late")
    assert late["reason"] == "Timeout" and late["startedAt"], late
    wait_until(lambda: not any(world.get("job", name) for name in names), 30, lambda: "the Jobs stay")


def test_a_killed_operator_makes_no_second_job(jobs):
    world = jobs
    operator = start(world)
    world.apply(*[task(f"kept-{i}", "builder", delivery="AtMostOnce") for i in range(5)])
    job_of(world, "kept-0")
    operator.kill()
    for i in range(5):
        if world.status("ctk", f"kept-{i}").get("dispatch", {}).get("acceptedAt"):
            set_pod(world, f"kept-{i}", "Succeeded", ended(0, f'{{"i": {i}}}'))
    operator.start().wait_ready()
    for i in range(5):
        set_pod(world, f"kept-{i}", "Succeeded", ended(0, f'{{"i": {i}}}'))
        status = world.wait_finished("ctk", f"kept-{i}")
        assert status["phase"] == "Succeeded" and status["report"]["outputs"] == {"i": i}, status
    assert len(world.list("jobs")) == 5


def test_a_template_that_no_job_can_have_fails_the_task_with_the_reason(jobs):
    world = jobs
    start(world, agent("broken", containers=[{"name": "main"}]), agent("odd", container="absent"))
    world.apply(task("no-image", "broken"), task("no-container", "odd"))
    no_image, no_container = world.wait_finished("ctk", "no-image"), world.wait_finished("ctk", "no-container")
    assert no_image["report"]["error"]["code"] == no_container["report"]["error"]["code"] == "JobNotAccepted"
    assert "image" in no_image["message"] and "absent" in no_container["message"]
    assert no_image["attempt"] == 1


def test_an_operator_that_makes_no_jobs_says_so(world):
    world.operator()
    world.apply(agent("idle"))
    wait_until(lambda: (world.condition("cag", "idle", "Ready") or {}).get("reason") == "JobsNotEnabled", 30)
    assert world.status("cag", "idle")["phase"] == "Pending"
