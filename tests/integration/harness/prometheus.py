"""A real Prometheus that scrapes operators of a test each second, and its promtool."""

import functools
import json
import pathlib
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import yaml

from .processes import REPO, Process
from .waiting import wait_until


@functools.lru_cache(maxsize=None)
def programs():
    """The folder with prometheus and promtool."""
    done = subprocess.run([REPO / "hack/prometheus/install"], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return pathlib.Path(done.stdout.strip())


def promtool(*arguments, input=None):
    done = subprocess.run([programs() / "promtool", *map(str, arguments)], input=input, text=True, capture_output=True,
                          check=False)
    assert done.returncode == 0, f"promtool {' '.join(map(str, arguments))}:\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


class Prometheus(Process):
    """With the alerts of `rules`, which fire as soon as their expression holds (without their `for`)."""

    def __init__(self, directory, rules):
        self.targets_path = directory / "targets.json"
        rules_path, config_path = directory / "rules.yaml", directory / "prometheus.yaml"
        rules_path.write_text(yaml.safe_dump(at_once(rules)))
        config_path.write_text(yaml.safe_dump({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rules_path)],
            "scrape_configs": [{"job_name": "convoke", "file_sd_configs": [{"files": [str(self.targets_path)]}]}],
        }))
        self.scrape()
        super().__init__("prometheus", directory, [
            programs() / "prometheus", f"--config.file={config_path}", f"--storage.tsdb.path={directory / 'tsdb'}",
            "--web.listen-address=127.0.0.1:0", "--log.level=info"])

    def scrape(self, *operators):
        """From now on these are scraped, and no others."""
        targets = [{"targets": [operator.address() for operator in operators]}] if operators else []
        temporary = self.targets_path.with_suffix(".new")
        temporary.write_text(json.dumps(targets))
        temporary.rename(self.targets_path)

    def wait_ready(self):
        wait_until(self._answers, 30, lambda: f"Prometheus is not ready:\n{self.log_tail()}")
        return self

    def _answers(self):
        try:
            return self._address() and self.query("vector(1)")
        except (OSError, AssertionError):  # it says that it is starting
            return False

    def _address(self):
        found = re.search(r'msg="Listening on" address=(\S+)', self.log())
        return found and found.group(1)

    def get(self, path, **parameters):
        url = f"http://{self._address()}/api/v1/{path}?{urllib.parse.urlencode(parameters, doseq=True)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path} {parameters}: {error.read().decode()}") from None

    def query(self, expression):
        """The samples of an instant query: [(labels, value)]."""
        data = self.get("query", query=expression)
        return [(sample["metric"], float(sample["value"][1])) for sample in data["result"]]

    def series(self, selector):
        return self.get("series", **{"match[]": selector})

    def firing(self):
        return {alert["labels"]["alertname"] for alert in self.get("alerts")["alerts"] if alert["state"] == "firing"}

    def wait_firing(self, *names, timeout=30):
        wait_until(lambda: set(names) <= self.firing(), timeout,
                   lambda: f"alerts {sorted(set(names) - self.firing())} do not fire, only {sorted(self.firing())}", interval=0.2)


def at_once(rules):
    return {"groups": [{**group, "rules": [{**rule, "for": "0s"} for rule in group["rules"]]} for group in rules["groups"]]}
