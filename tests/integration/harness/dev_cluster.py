"""The real control plane of hack/dev-cluster, for tests."""

import os
import pathlib
import subprocess

REPO = pathlib.Path(__file__).resolve().parents[3]


class DevCluster:
    """A running cluster, with the CRDs of this tree unless told otherwise. `environment` makes it the cluster of kubectl and etcdctl."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.kubeconfig = self.directory / "kubeconfig"
        self.kubectl = self.directory / "bin/kubectl"
        self.environment = {}
        self._users = {}

    def up(self, *options, crds=True):
        self.dev_cluster("up", *options, *(["--crds", REPO / "crds"] if crds else []))
        self.environment = self._environment()
        return self

    def down(self):
        self.dev_cluster("down")

    def user(self, name):
        """The path of a kubeconfig for a user of that name, who can do what RBAC allows."""
        if name not in self._users:
            self._users[name] = pathlib.Path(self.dev_cluster("user", name).strip())
        return self._users[name]

    def dev_cluster(self, *arguments):
        """Runs a command of hack/dev-cluster on this cluster."""
        command = [REPO / "hack/dev-cluster", *arguments, "--dir", self.directory]
        done = subprocess.run([str(part) for part in command], text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"hack/dev-cluster {' '.join(map(str, arguments))} failed:\n{done.stderr}")
        return done.stdout

    def _environment(self):
        script = f"{self.dev_cluster('env')}\nenv -0"
        done = subprocess.run(["bash", "-c", script], capture_output=True, check=True, env=os.environ)
        return dict(entry.split("=", 1) for entry in done.stdout.decode().split("\0") if "=" in entry)
