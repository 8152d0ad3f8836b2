"""Real Helm, which hack/helm builds, against a cluster."""

import json
import pathlib
import subprocess

import yaml

REPO = pathlib.Path(__file__).resolve().parents[3]
CHART = REPO / "charts/convoke"


class Helm:
    def __init__(self, cluster, namespace="convoke-system"):
        done = subprocess.run([REPO / "hack/helm", "--build"], text=True, capture_output=True, check=False)
        assert done.returncode == 0, f"Helm cannot be built:\n{done.stderr}"
        self.program = done.stdout.strip()
        self.kubeconfig = str(cluster.kubeconfig)
        self.namespace = namespace
        # Helm looks for plugins, repositories and a cache; there are none.
        self.environment = {**cluster.environment, **{f"HELM_{v}_HOME": str(cluster.directory / "helm" / v.lower())
                                                      for v in ("CACHE", "CONFIG", "DATA")}}

    def run(self, *arguments):
        command = [self.program, "--kubeconfig", self.kubeconfig, "--namespace", self.namespace, *map(str, arguments)]
        return subprocess.run(command, text=True, capture_output=True, check=False, env=self.environment)

    def do(self, *arguments):
        done = self.run(*arguments)
        assert done.returncode == 0, f"helm {' '.join(map(str, arguments))}: {done.stderr}\n{done.stdout[-2000:]}"
        return done.stdout

    def refused(self, *arguments):
        done = self.run(*arguments)
        assert done.returncode != 0, f"helm {' '.join(map(str, arguments))} was not refused"
        return done.stderr

    def template(self, chart=CHART, *arguments, release="convoke"):
        """The rendered objects."""
        text = self.do("template", release, chart, *arguments)
        return [document for document in yaml.safe_load_all(text) if document]

    def revision(self, release="convoke"):
        return json.loads(self.do("status", release, "-o", "json"))["version"]
