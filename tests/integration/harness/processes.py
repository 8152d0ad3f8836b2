"""Convoke's own programs as child processes of a test: started, killed, frozen and woken like a user's."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading
import urllib.request

import yaml

from .waiting import wait_until

REPO = pathlib.Path(__file__).resolve().parents[3]
BIN = pathlib.Path(os.environ.get("CONVOKE_BIN", REPO / "build/release/bin"))


class Process:
    """One program with its log; `start` after `kill` gives the same program a new life."""

    def __init__(self, name, directory, arguments, environment=None):
        self.name = name
        self.arguments = [str(a) for a in arguments]
        self.log_path = directory / f"{name}.log"
        self.environment = {**os.environ, **(environment or {})}
        self.child = None
        self.given_up = False  # the test ended it

    def start(self):
        self.given_up = False
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(self.arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                          env=self.environment, start_new_session=True)
        return self

    def alive(self):
        return self.child is not None and self.child.poll() is None

    def signal(self, number):
        self.child.send_signal(number)

    def kill(self):
        """As a crash does: nothing is cleaned up."""
        self.given_up = True
        if self.alive():
            self.child.kill()
        self.child.wait()

    def stop(self, timeout=60):
        """As a shutdown does; returns the exit status."""
        self.given_up = True
        if self.alive():
            self.child.send_signal(signal.SIGCONT)
            self.child.terminate()
        try:
            return self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {timeout} s of SIGTERM:\n{self.log_tail()}") from None

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def wake(self):
        self.signal(signal.SIGCONT)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines=30):
        return "\n".join(self.log().splitlines()[-lines:])

    def resident_mb(self):
        text = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) / 1024


def merged(settings, changes):
    """Sections are merged, all else is replaced."""
    result = dict(settings)
    for key, value in changes.items():
        result[key] = {**result.get(key, {}), **value} if isinstance(value, dict) else value
    return result


class ConfigVolume:
    """A folder with one file, replaced as a kubelet does with a mounted ConfigMap: the file is a symbolic link below
    `..data`, which is a symbolic link to a folder of its own for each version, and is swapped by a rename."""

    def __init__(self, directory):
        self.directory = directory
        self.path = directory / "config.yaml"
        self.version = 0

    def write(self, text):
        old = self.directory / f"..version-{self.version}"
        self.version += 1
        new = self.directory / f"..version-{self.version}"
        new.mkdir(parents=True)
        (new / "config.yaml").write_text(text)
        (self.directory / "..data_tmp").symlink_to(new.name)
        (self.directory / "..data_tmp").rename(self.directory / "..data")
        if not self.path.is_symlink():
            self.path.symlink_to("..data/config.yaml")
        shutil.rmtree(old, ignore_errors=True)


class Operator(Process):
    """convoke-operator on a free port of loopback, with quick leases so that failures show soon. It ends when it loses its
    leadership; with `restart`, it is then started again, as a kubelet would do. `volume` is where its configuration lies,
    else it is a plain file."""

    def __init__(self, name, directory, kubeconfig, settings=None, environment=None, volume=None):
        self.settings = merged({
            "kubeconfig": str(kubeconfig),
            "serve": {"address": "127.0.0.1:0"},
            "log": {"level": "Debug", "format": "Json"},
            "leaderElection": {"enabled": True, "namespace": "convoke-system", "name": "convoke-operator",
                               "leaseDuration": "6s", "renewDeadline": "5s", "retryPeriod": "500ms"},
        }, settings or {})
        self.volume = volume
        self.path = volume.path if volume else directory / f"{name}.yaml"
        self.configure({})
        super().__init__(name, directory, [BIN / "convoke-operator", "--config", self.path], environment)
        self.log_start = 0
        self.restarts = 0

    def configure(self, changes):
        """Writes its file with these changes, which stay for later calls."""
        self.settings = merged(self.settings, changes)
        self.write_configuration(yaml.safe_dump(self.settings))

    def reconfigure(self, changes):
        """Hot changes of one that runs; returns when they have taken effect."""
        before = self.metric("convoke_config_reload_total", result="success")
        self.configure(changes)
        wait_until(lambda: self.metric("convoke_config_reload_total", result="success") > before, 20, self.log_tail)

    def write_configuration(self, text):
        if self.volume:
            self.volume.write(text)
        else:
            self.path.write_text(text)

    def restart_when_it_ends(self):
        threading.Thread(target=self._restart_for_ever, daemon=True).start()
        return self

    def _restart_for_ever(self):
        while not self.given_up:
            self.child.wait()
            if not self.given_up:
                self.restarts += 1
                self.start()

    def start(self):
        self.log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        return super().start()

    def address(self):
        """Where it serves in this life; the operator logs the port that it was given."""
        log = self.log_path.read_bytes() if self.log_path.exists() else b""
        for line in log[self.log_start:].decode(errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry.get("message") == "serving":
                return entry["address"]
        return None

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.address()}{path}", timeout=15) as answer:
            return answer.read().decode()

    def ready(self):
        try:
            return self.address() is not None and self.get("/readyz") is not None
        except OSError:
            return False

    def wait_ready(self, timeout=30):
        wait_until(lambda: self.ready() or self._must_live(), timeout, lambda: f"{self.name} is not ready:\n{self.log_tail()}")
        return self

    def _must_live(self):
        assert self.alive(), f"{self.name} ended with {self.child.returncode}:\n{self.log_tail()}"
        return False

    def leads(self):
        """As leading(); one that ends at this moment does not."""
        try:
            return self.leading()
        except OSError:
            return False

    def leading(self):
        return self.metric("leader_election_master_status") == 1

    def metrics(self):
        """{'name{labels}': value} of one scrape."""
        found = {}
        for line in self.get("/metrics").splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                found[name] = float(value)
        return found

    def metric(self, name, **labels):
        """The sum over all series of that name that carry the labels."""
        total = 0.0
        for series, value in self.metrics().items():
            if re.split(r"[{ ]", series)[0] == name and all(f'{k}="{v}"' in series for k, v in labels.items()):
                total += value
        return total


class Runner(Process):
    """convoke-runner with a journal that proves what it ran."""

    def __init__(self, name, directory, kubeconfig, tasks=None, settings=None, agent=None, environment=None):
        self.agent = name
        self.journal_path = directory / f"{name}.journal"
        config = {
            "agent": {"name": name, "capacity": 4, "heartbeat": {"interval": "500ms", "timeout": "10s"}, **(agent or {})},
            "shell": True,
            "killAfter": "2s",
            "progressInterval": "200ms",
            **(settings or {}),
        }
        if tasks:
            config["tasks"] = tasks
        path = directory / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config))
        super().__init__(name, directory, [BIN / "convoke-runner", "--config", path, "--kubeconfig", kubeconfig,
                                           "--journal", self.journal_path], environment)

    def journal(self):
        if not self.journal_path.exists():
            return []
        return [json.loads(line) for line in self.journal_path.read_text().splitlines() if line]

    def started(self):
        return [entry for entry in self.journal() if entry["event"] == "start"]


def assert_no_attempt_ran_twice(runners):
    """Each (Task, attempt) was started at most once over all runners and all their lives."""
    seen = {}
    for runner in runners:
        for entry in runner.started():
            key = (entry["uid"], entry["attempt"])
            assert key not in seen, f"attempt ran twice: {seen[key]} and {entry}"
            seen[key] = entry
    return seen
