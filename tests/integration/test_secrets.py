"""What is secret stays where it was put: canaries are planted in credentials, parameters and the environment, everything that
can go wrong is made to go wrong, and then logs, Events, statuses and metrics are searched for them."""

import json
import pathlib
import urllib.error

import pytest
import yaml
from harness.processes import Operator, Process, BIN
from harness.waiting import wait_until
from harness.world import run, shell_step, task, workflow

CANARY = "canary-7f3a9c-"


def kubeconfig_with(world, path, user):
    """The administrator's kubeconfig with other credentials."""
    config = yaml.safe_load(pathlib.Path(world.cluster.kubeconfig).read_text())
    config["users"][0]["user"] = user
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture
def token(world):
    """A real token of the operator's service account."""
    return world.kubectl("-n", "convoke-system", "create", "token", "convoke-operator").stdout.strip()


def everything_said(world, *processes):
    """What people and monitoring can read, without the specs in which people wrote the canaries themselves."""
    kinds = "agents.convoke.dev,tasks.convoke.dev,workflows.convoke.dev,workflowruns.convoke.dev"
    said = {f"log of {p.name}": p.log() for p in processes}
    for obj in world.list(kinds):
        status = obj.get("status", {})
        if obj["kind"] == "WorkflowRun":
            status.pop("parameters", None)  # what stands in the spec of the same object, with the defaults
        said[f"status of {obj['kind']} {obj['metadata']['name']}"] = json.dumps(status)
    said["Events"] = json.dumps(world.list("events.events.k8s.io"))
    said["Leases"] = json.dumps(world.list("leases")) + json.dumps(world.list("leases", namespace="convoke-system"))
    for process in processes:
        if isinstance(process, Operator) and process.alive():
            said[f"metrics of {process.name}"] = answer(process, "/metrics")
            said[f"readyz of {process.name}"] = answer(process, "/readyz?verbose")
    return said


def answer(operator, path):
    try:
        return operator.get(path)
    except urllib.error.HTTPError as refusal:  # not ready: the reasons are the body
        return refusal.read().decode()
    except OSError:  # it has ended
        return ""


def assert_nowhere(said, *secrets):
    found = [f"{secret[:24]}... in {place}" for place, text in said.items() for secret in secrets if secret in text]
    assert not found, found


def test_a_token_is_in_no_log_whether_it_is_good_or_refused(world, token, tmp_path):
    signature = token.split(".")[2]
    good = Operator("operator-good", tmp_path, kubeconfig_with(world, tmp_path / "good", {"token": token}))
    file = tmp_path / "token"
    file.write_text(CANARY + "tokenfile")
    bad = Operator("operator-bad", tmp_path, kubeconfig_with(world, tmp_path / "bad", {"tokenFile": str(file)}))
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!/bin/sh\necho '{{\"token\": \"{CANARY}plugin'\necho '{CANARY}stderr' >&2\nexit 0\n")
    plugin.chmod(0o700)
    executed = Operator("operator-exec", tmp_path, kubeconfig_with(world, tmp_path / "exec", {"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never",
        "env": [{"name": "PASSWORD", "value": CANARY + "pluginenv"}]}}))
    basic = Operator("operator-key", tmp_path, kubeconfig_with(world, tmp_path / "key", {
        "client-certificate-data": "Y2FuYXJ5", "client-key-data": "Y2FuYXJ5LTdmM2E5Yy1rZXk="}))
    operators = [good, bad, executed, basic]
    world.processes.extend(operators)
    for operator in operators:
        operator.start()
    good.wait_ready()
    wait_until(lambda: "Unauthorized" in bad.log() or "401" in bad.log(), 30, lambda: f"no refusal was logged: {bad.log_tail()}")
    wait_until(lambda: "plugin" in executed.log(), 30, lambda: f"the broken plugin was not logged: {executed.log_tail()}")
    wait_until(lambda: basic.log(), 30, lambda: "the broken key was not logged")
    assert_nowhere(everything_said(world, *operators), token, signature, CANARY + "tokenfile", CANARY + "plugin", CANARY + "pluginenv",
                   CANARY + "key", "Y2FuYXJ5LTdmM2E5Yy1rZXk=")


def test_parameters_are_copied_nowhere_but_into_the_task(world):
    runner = world.runner("worker", start=False, environment={"RUNNER_SECRET": CANARY + "environment"})
    runner.arguments += ["--log-level", "Debug"]
    runner.start()
    operator = world.operator()
    secret = CANARY + "parameter"
    parameters = [{"name": "password", "type": "String", "default": "none"},
                  {"name": "stage", "type": "String", "enum": ["dev", "prod"], "default": "dev"},
                  {"name": "count", "type": "Number", "default": 1}]
    retry = {"limit": 0}
    world.apply(
        workflow("secretive", [shell_step("use", 'test -n "$CONVOKE_PARAM_PASSWORD"', parameters={"password": "$(params.password)"}),
                               shell_step("fail", "exit 3", ["use"], {"password": "$(params.password)"}, optional=True, retry=retry),
                               shell_step("field", "true", ["use"], {"x": "$(params.password.missing)"}, optional=True, retry=retry)],
                 parameters=parameters, historyLimits={"succeeded": 20, "failed": 20}))
    world.apply(run("good", "secretive", parameters={"password": secret}),
                run("wrong-type", "secretive", parameters={"count": secret}),
                run("not-in-enum", "secretive", parameters={"stage": secret}),
                run("unknown", "secretive", parameters={"nothing": secret}),
                run("object", "secretive", parameters={"password": {"deep": secret}}),
                task("alone", "shell", parameters={"command": "exit 4", "password": secret}, retry=retry),
                task("nobody", "unheard-of", parameters={"password": secret}),
                task("odd-command", "shell", parameters={"command": [secret]}, retry=retry))
    for name in ("good", "wrong-type", "not-in-enum", "unknown", "object"):
        world.wait_finished("cwr", name)
    assert world.wait_finished("ctk", "alone")["phase"] == "Failed"
    world.wait_phase("ctk", "nobody", "Queued")
    wait_until(lambda: world.status("ctk", "odd-command").get("attempts"), 30, lambda: "the runner did not reject the odd command")
    assert len(runner.started()) >= 3
    assert_nowhere(everything_said(world, operator, runner), CANARY)


def test_the_command_line_shows_no_secret(world, token, tmp_path):
    """Other users of the machine read /proc/PID/cmdline; a kubeconfig's content must not get there."""
    config = kubeconfig_with(world, tmp_path / "config", {"token": token})
    operator = Operator("operator", tmp_path, config)
    world.processes.append(operator)
    operator.start().wait_ready()
    command = pathlib.Path(f"/proc/{operator.child.pid}/cmdline").read_text()
    assert token not in command
    printed = Process("print", tmp_path, [BIN / "convoke-operator", "--kubeconfig", config, "--print-config"])
    printed.start().child.wait(20)
    assert token not in printed.log()
