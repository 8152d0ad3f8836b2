"""Convoke's images, and its programs as containers: locked down as in a Pod of the restricted profile, on the network of this
machine, with the credentials of a real ServiceAccount where a Pod finds them."""

import functools
import json
import pathlib
import signal
import subprocess
import uuid

import yaml

from .processes import REPO, Operator, Runner

USER = "65532:65532"
OPERATOR_RBAC = REPO / "charts/convoke/files/operator-rbac.yaml"
CREDENTIALS = "/var/run/secrets/kubernetes.io/serviceaccount"


def docker(*arguments, check=True):
    done = subprocess.run(["docker", *map(str, arguments)], text=True, capture_output=True, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"docker {' '.join(map(str, arguments))} failed: {done.stderr}")
    return done


def build_images(repo=REPO, *arguments, environment=None):
    """Runs hack/image; returns {program: image}."""
    done = subprocess.run([str(repo / "hack/image"), *arguments], text=True, capture_output=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    images = [line.split()[0] for line in done.stdout.splitlines()]
    return {image.split(":")[0]: image for image in images}


@functools.cache
def images():
    """Those of this tree, built once a session."""
    return build_images()


class ServiceAccount:
    """The files that a Pod of that ServiceAccount finds in CREDENTIALS, and its environment."""

    def __init__(self, cluster, directory, namespace, name):
        kubectl = [cluster.kubectl, "--kubeconfig", cluster.kubeconfig, "-n", namespace]
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        token = subprocess.run([*kubectl, "create", "token", name, "--duration=1h"], check=True, capture_output=True).stdout
        ca = subprocess.run([*kubectl, "get", "configmap", "kube-root-ca.crt", "-o", "jsonpath={.data.ca\\.crt}"], check=True,
                            capture_output=True).stdout
        for file, content in (("token", token), ("ca.crt", ca), ("namespace", namespace.encode())):
            (self.directory / file).write_bytes(content)
        self.directory.chmod(0o755)
        host, port = cluster.environment["CONVOKE_APISERVER_URL"].removeprefix("https://").split(":")
        self.arguments = ["-v", f"{self.directory}:{CREDENTIALS}:ro", "-e", f"KUBERNETES_SERVICE_HOST={host}",
                          "-e", f"KUBERNETES_SERVICE_PORT={port}"]


class _Container:
    """Makes a Process one that runs in a container: `arguments` become those of `docker run`."""

    def run_in(self, image, options):
        self.container = f"convoke-test-{uuid.uuid4().hex[:12]}"
        self.arguments = ["docker", "run", "--rm", "--name", self.container, "--network", "host", "--read-only", "--user", USER,
                          "--cap-drop", "ALL", "--security-opt", "no-new-privileges", *map(str, options), image, *self.arguments]

    def signal(self, number):
        if number in (signal.SIGSTOP, signal.SIGCONT):
            docker("pause" if number == signal.SIGSTOP else "unpause", self.container, check=False)
        else:
            docker("kill", "--signal", int(number), self.container)

    def kill(self):
        docker("rm", "--force", self.container, check=False)
        super().kill()

    def inspect(self):
        return json.loads(docker("inspect", self.container).stdout)[0]


class ContainerOperator(_Container, Operator):
    """convoke-operator in its image. It finds the API server and who it is by itself, as in a Pod."""

    def __init__(self, name, directory, account, image, settings=None):
        super().__init__(name, directory, "", settings)
        path = directory / f"{name}.yaml"
        config = yaml.safe_load(path.read_text())
        del config["kubeconfig"], config["leaderElection"]["namespace"]
        path.write_text(yaml.safe_dump(config))
        path.chmod(0o644)
        self.arguments = ["--config", "/etc/convoke/config.yaml"]
        self.run_in(image, [*account.arguments, "-v", f"{path}:/etc/convoke/config.yaml:ro"])


class ContainerRunner(_Container, Runner):
    """convoke-runner in its image, with a /tmp as only place to write to; its journal is there too."""

    def __init__(self, name, directory, account, image, **options):
        super().__init__(name, directory, "", **options)
        config = directory / f"{name}.yaml"
        config.chmod(0o644)
        journal = directory / f"{name}-journal"
        journal.mkdir()
        journal.chmod(0o777)
        self.journal_path = journal / "journal"
        self.arguments = ["--config", "/etc/convoke/runner.yaml", "--journal", "/journal/journal"]
        self.run_in(image, [*account.arguments, "-v", f"{config}:/etc/convoke/runner.yaml:ro", "-v", f"{journal}:/journal",
                            "--tmpfs", "/tmp:uid=65532,mode=0700"])


def service_account(name, namespace):
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}


def operator_rules(path=OPERATOR_RBAC):
    """(namespace or None, apiGroup, resource, verb, name or None) of each right in a file such as operator-rbac.yaml."""
    rights = set()
    for manifest in yaml.safe_load_all(path.read_text()):
        for rule in manifest.get("rules", []):
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    for verb in rule["verbs"]:
                        for name in rule.get("resourceNames", [None]):
                            rights.add((manifest["metadata"].get("namespace"), group, resource, verb, name))
    return rights
