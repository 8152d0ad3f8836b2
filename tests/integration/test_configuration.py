"""The configuration file: what is wrong is refused by name and place, and what may change is followed while it runs."""

import signal
import subprocess

import pytest
import yaml

from harness.processes import BIN, ConfigVolume
from harness.waiting import wait_until
from harness.world import task

OPERATOR, RUNNER = BIN / "convoke-operator", BIN / "convoke-runner"


def start(program, *arguments):
    return subprocess.run([str(program), *map(str, arguments)], text=True, capture_output=True, check=False, timeout=30)


@pytest.mark.parametrize("text, complaint", [
    ("workers:\n  tasks: 3\n", "2:3: workers.tasks: there is no such key; did you mean workers.task?"),
    ("leaseDuration: 3s\n", "1:1: leaseDuration: there is no such key; did you mean leaderElection.leaseDuration?"),
    ("drain: 1s\ndrain: 2s\n", "2:1: drain: is there twice"),
    ("drain: soon\n", '1:8: drain: "soon" is not a duration'),
    ("workers: {task: 1000}\n", "1:17: workers.task: 1000 is not between 1 and 256"),
    ("log: [Debug]\n", "1:6: log: is not a map of keys"),
    ("log: {level: Debug\n", "2:1: this is not YAML"),
    ("leaderElection:\n  leaseDuration: 5s\n", "must be shorter than leaderElection.leaseDuration (5s, "),
])
def test_the_operator_refuses_a_bad_file_and_names_line_and_key(tmp_path, text, complaint):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    done = start(OPERATOR, "--config", path)
    assert done.returncode == 2 and done.stdout == ""
    assert complaint in done.stderr and str(path) in done.stderr, done.stderr
    assert all(line.startswith("convoke-operator: ") for line in done.stderr.splitlines()), done.stderr


@pytest.mark.parametrize("text, complaint", [
    ("agent: {name: a}\ntaks: {}\n", "2:1: taks: there is no such key; did you mean tasks?"),
    ("agent: {name: a, name: b}\n", "1:18: agent.name: is there twice"),
    ("agent: {name: a, capacity: many}\n", "1:28: agent.capacity: expected a whole number"),
    ("agent: {name: a, capacity: 0}\n", "1:28: agent.capacity: must be from 1 to 1000, not 0"),
    ("agent: {name: a, labels: {x: y, x: z}}\n", "1:33: agent.labels.x: is there twice"),
    ("agent: {name: a\n", "2:1: this is not YAML"),
])
def test_the_runner_refuses_a_bad_file_and_names_line_and_key(tmp_path, text, complaint):
    path = tmp_path / "runner.yaml"
    path.write_text(text)
    done = start(RUNNER, "--config", path)
    assert done.returncode == 2
    assert f"{path}:{complaint}" in done.stderr, done.stderr


def test_a_bad_flag_is_refused_with_the_one_that_was_meant(tmp_path):
    done = start(OPERATOR, "--leader-election-lease-durations", "15s")
    assert done.returncode == 2 and "did you mean --leader-election-lease-duration?" in done.stderr, done.stderr
    done = start(OPERATOR, "--config", tmp_path / "none.yaml")
    assert done.returncode == 2 and "none.yaml: the configuration file cannot be read" in done.stderr


def test_what_is_printed_can_be_read_and_every_key_in_it_is_also_a_flag(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("workers: {task: 7}\n")
    printed = start(OPERATOR, "--config", path, "--log-level", "warn", "--print-config").stdout
    document = yaml.safe_load(printed)
    assert document["workers"]["task"] == 7 and document["log"]["level"] == "Warn"
    path.write_text(printed)
    assert start(OPERATOR, "--config", path, "--print-config").stdout == printed
    keys = [f"{section}.{key}" for section, rest in document.items() if isinstance(rest, dict) for key in rest]
    text = start(OPERATOR, "--help").stdout
    assert len(keys) > 20 and all(f"({key}:" in text for key in keys), text


def reloads(operator, result):
    return operator.metric("convoke_config_reload_total", result=result)


def test_a_mounted_file_is_followed_while_the_operator_runs(world, tmp_path):
    world.runner("worker")
    operator = world.operator(settings={"log": {"level": "Info"}}, volume=ConfigVolume(tmp_path / "mounted"))
    assert operator.metric("convoke_config_last_reload_successful") == 1
    world.apply(task("before", parameters={"command": "true"}))
    assert world.wait_finished("ctk", "before")["phase"] == "Succeeded"
    assert '"level":"debug"' not in operator.log()

    # A mistake changes nothing, not even what is right beside it.
    operator.write_configuration(yaml.safe_dump({**operator.settings, "log": {"level": "Debug"}}) + "drian: 3s\n")
    wait_until(lambda: reloads(operator, "error") == 1, 20, operator.log_tail)
    assert operator.metric("convoke_config_last_reload_successful") == 0
    wait_until(lambda: "drian: there is no such key; did you mean drain?" in operator.log(), 20, operator.log_tail)
    assert '"level":"debug"' not in operator.log()

    # What is hot takes effect, for what is there already too.
    operator.configure({"log": {"level": "Debug"}, "task": {"ttlAfterSuccess": "1s"}})
    wait_until(lambda: reloads(operator, "success") == 1, 20, operator.log_tail)
    assert operator.metric("convoke_config_last_reload_successful") == 1
    wait_until(lambda: world.get("ctk", "before") is None, 20, lambda: world.get("ctk", "before"))
    assert '"level":"debug"' in operator.log()

    # What is not hot keeps its value and says so, in a log line, a metric and an Event.
    operator.configure({"workers": {"task": 3}, "task": {"ttlAfterSuccess": "1h"}})
    wait_until(lambda: reloads(operator, "restart_required") == 1, 20, operator.log_tail)
    assert operator.metric("convoke_config_restart_required") == 1
    wait_until(lambda: 'workers.task from \\"16\\" to \\"3\\"' in operator.log(), 20, operator.log_tail)
    assert operator.metric("controller_runtime_max_concurrent_reconciles", controller="task") == 16
    events = wait_until(lambda: {e["reason"]: e["note"] for e in world.list("events.events.k8s.io", namespace="convoke-system")
                                 if e["reason"].startswith("Configuration")}, 20)
    wait_until(lambda: {"ConfigurationRefused", "ConfigurationReloaded", "ConfigurationNeedsRestart"}
               <= {e["reason"] for e in world.list("events.events.k8s.io", namespace="convoke-system")}, 20, lambda: events)

    # A request reads it at once; work went on all the time.
    operator.signal(signal.SIGHUP)
    wait_until(lambda: reloads(operator, "restart_required") == 2, 20, operator.log_tail)
    world.apply(task("after", parameters={"command": "true"}))
    assert world.wait_finished("ctk", "after")["phase"] == "Succeeded"
    operator.stop()
    operator.start().wait_ready()
    assert operator.metric("controller_runtime_max_concurrent_reconciles", controller="task") == 3
