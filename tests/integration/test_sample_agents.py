"""The sample agents, with the rights of charts/convoke/files/agent-example.yaml and no others, as people would run them."""

import base64
import os
import signal
import subprocess

import pytest
import yaml

from harness.processes import REPO, Process
from harness.waiting import wait_until
from harness.world import FILES, task

AGENTS = REPO / "crds/samples/agents"
RETRY = {"limit": 1, "backoff": {"type": "Fixed", "base": "200ms"}}


class Script(Process):
    def kill(self):
        """With all that it started."""
        self.given_up = True
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()


class SampleAgent:
    """One of them: how it is run, and what it can do."""

    def __init__(self, world, name, directory):
        self.world, self.name = world, name
        self.token, self.cluster = identity(world, name)
        self.process = Script(name, directory, [self.program, name], self.environment(directory))
        world.processes.append(self.process)

    def start(self):
        self.process.start()
        self.world.wait_phase("cag", self.name, "Ready", 30)

    def task(self, name, parameters, **spec):
        self.world.apply(task(name, self.capability, parameters=parameters, retry=RETRY, **spec))
        return name


class Python(SampleAgent):
    program, capability = AGENTS / "python/agent.py", "count-primes"
    short, outputs = {"below": 10000}, {"count": 1229, "largest": 9973}
    wrong, error = {"below": "many"}, {"code": "ValueError", "retryable": False}
    endless = {"below": 10**12}

    def environment(self, directory):
        """As in a Pod."""
        (directory / "token").write_text(self.token)
        (directory / "ca.crt").write_bytes(base64.b64decode(self.cluster["certificate-authority-data"]))
        host, port = self.cluster["server"].removeprefix("https://").rsplit(":", 1)
        return {"SERVICEACCOUNT_DIR": str(directory), "KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port,
                "KUBERNETES_API": ""}


class Shell(SampleAgent):
    program, capability = AGENTS / "shell/agent.sh", "countdown"
    short, outputs = {"from": 2}, {"countedFrom": 2}
    wrong, error = {"from": "a \"quoted\"\n'word'"}, {"code": "ExitCode1", "retryable": False}
    endless = {"from": 10**6}

    def environment(self, directory):
        config = {"apiVersion": "v1", "kind": "Config", "current-context": "c", "clusters": [{"name": "c", "cluster": self.cluster}],
                  "users": [{"name": "u", "user": {"token": self.token}}],
                  "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}
        path = directory / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return {"KUBECONFIG": str(path), "PATH": f"{self.world.cluster.kubectl.parent}:{os.environ['PATH']}"}


def identity(world, name):
    """A token of the ServiceAccount that the example makes, and where the API server is."""
    world.apply((FILES / "agent-example.yaml").read_text().replace("builder-1", name))
    token = world.kubectl("-n", "default", "create", "token", name).stdout.strip()
    return token, yaml.safe_load(world.cluster.kubeconfig.read_text())["clusters"][0]["cluster"]


def group_of(process):
    """What it started and still runs."""
    found = subprocess.run(["ps", "-o", "args=", "--sid", str(process.child.pid)], text=True, capture_output=True, check=False)
    return found.stdout.splitlines()


@pytest.mark.parametrize("kind", [Python, Shell])
def test_a_sample_agent_succeeds_fails_and_lets_go(world, tmp_path, kind):
    world.operator()
    agent = kind(world, f"sample-{kind.__name__.lower()}", tmp_path)
    agent.start()

    good, bad = agent.task("good", agent.short), agent.task("bad", agent.wrong)
    status = world.wait_finished("ctk", good)
    assert status["phase"] == "Succeeded" and status["report"]["outputs"] == agent.outputs, status
    status = world.wait_finished("ctk", bad)
    assert status["phase"] == "Failed" and status["attempt"] == 1, status
    assert status["report"]["error"].items() >= agent.error.items() and status["report"]["error"]["message"], status

    # Cancelled in the middle: it stops, and what it had said stays as it was.
    agent.task("endless", agent.endless)
    wait_until(lambda: "progress" in world.status("ctk", "endless").get("report", {}), 60, lambda: agent.process.log())
    world.kubectl("patch", "ctk", "endless", "--type=merge", "-p", '{"spec":{"cancel":{"reason":"test"}}}')
    assert world.wait_finished("ctk", "endless")["phase"] == "Cancelled"
    wait_until(lambda: "gave up endless" in agent.process.log(), 60, lambda: agent.process.log())
    assert world.status("ctk", "endless")["report"]["state"] == "Running"

    # Restarted in the middle: it says so, and the Task is tried again.
    agent.task("interrupted", agent.endless)
    wait_until(lambda: "progress" in world.status("ctk", "interrupted").get("report", {}), 60, lambda: agent.process.log())
    agent.process.kill()
    agent.process.start()
    wait_until(lambda: world.status("ctk", "interrupted")["attempt"] == 2, 60, lambda: agent.process.log())
    first = world.status("ctk", "interrupted")["attempts"][0]
    assert first["outcome"] == "Failed" and "restarted in the middle" in first["message"], first
    world.kubectl("delete", "ctk", "interrupted")
    wait_until(lambda: "gave up interrupted" in agent.process.log(), 60, lambda: agent.process.log())
    again = agent.task("again", agent.short)
    assert world.wait_finished("ctk", again)["phase"] == "Succeeded"
    agent.process.stop()
    wait_until(lambda: not group_of(agent.process), 30, lambda: f"{group_of(agent.process)} go on after SIGTERM")
