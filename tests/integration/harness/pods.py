"""A stand-in for scheduler and kubelet: runs Convoke's containers as processes on this machine, each with the token of its
Pod's ServiceAccount, its ConfigMaps as folders (swapped when they change, as a kubelet does) and its probes. So Deployments get
ready, roll and pass `helm --wait`, and `helm test` ends, with exactly the rights and the configuration of the manifests.

What it does not do: images, isolation, resources. A container's command must be one of Convoke's programs."""

import base64
import http.client
import json
import re
import ssl
import threading
import urllib.request

import yaml

from .processes import BIN, Process

NODE = "processes"


class Api:
    """The API server, as the administrator; for one thread."""

    def __init__(self, cluster):
        pki = cluster.directory / "pki"
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        server = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        self.server = server
        self.connection = http.client.HTTPSConnection(server.removeprefix("https://"), context=context, timeout=30)

    def call(self, method, path, body=None, type_="application/json"):
        """The answer, or None where there is no such object or it has changed meanwhile."""
        self.connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": type_})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status in (404, 409):
            return None
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {answer.status} {text.decode()[:500]}")
        return json.loads(text)


class Container:
    def __init__(self, spec, process):
        self.spec = spec
        self.process = process

    def address(self):
        found = re.findall(r'"address":"([^"]+)"', self.process.log())
        return found[-1] if found else None

    def ready(self):
        probe = self.spec.get("readinessProbe", {}).get("httpGet")
        if not self.process.alive():
            return False
        if not probe:
            return True
        try:
            with urllib.request.urlopen(f"http://{self.address()}{probe['path']}", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False


class Pod:
    """One Pod's processes and folders."""

    def __init__(self, api, cluster, manifest, directory):
        self.api = api
        self.cluster = cluster
        self.manifest = manifest
        self.namespace, self.name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        self.path = f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"
        self.directory = directory / f"{self.namespace}-{self.name}"
        self.directory.mkdir(parents=True)
        self.versions = {}  # of the ConfigMaps that are mounted
        self.mount()
        kubeconfig = self.kubeconfig()
        spec = manifest["spec"]
        self.sidecars = [self.start(c, kubeconfig) for c in spec.get("initContainers", [])]
        self.containers = [self.start(c, kubeconfig) for c in spec["containers"]]
        self.stopping = None
        self.told = None

    # --- folders and rights

    def mount(self):
        for volume in self.manifest["spec"]["volumes"]:
            folder = self.directory / "volumes" / volume["name"]
            folder.mkdir(parents=True, exist_ok=True)
            if "configMap" in volume:
                self.write_config_map(volume["configMap"]["name"], folder)

    def write_config_map(self, name, folder):
        """As a kubelet: a new folder, to which the link ..data is moved at once."""
        found = self.api.call("GET", f"/api/v1/namespaces/{self.namespace}/configmaps/{name}")
        if not found or self.versions.get(name) == found["metadata"]["resourceVersion"]:
            return  # what is mounted stays
        version = found["metadata"]["resourceVersion"]
        self.versions[name] = version
        data = folder / f"..{version}"
        data.mkdir()
        for key, text in found.get("data", {}).items():
            (data / key).write_text(text)
            if not (folder / key).is_symlink():
                (folder / key).symlink_to(f"..data/{key}")
        (folder / "..data_tmp").symlink_to(data.name)
        (folder / "..data_tmp").rename(folder / "..data")

    def kubeconfig(self):
        account = self.manifest["spec"]["serviceAccountName"]
        token = self.api.call("POST", f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{account}/token",
                              {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                               "spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": self.name}}})
        (self.directory / "token").write_text(token["status"]["token"])
        ca = base64.b64encode((self.cluster.directory / "pki/ca.crt").read_bytes()).decode()
        path = self.directory / "kubeconfig"
        path.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "pod",
            "clusters": [{"name": "pod", "cluster": {"server": self.api.server, "certificate-authority-data": ca}}],
            "contexts": [{"name": "pod", "context": {"cluster": "pod", "user": "pod"}}],
            "users": [{"name": "pod", "user": {"tokenFile": str(self.directory / "token")}}]}))
        return path

    # --- processes

    def start(self, container, kubeconfig):
        places = {m["mountPath"]: str(self.directory / "volumes" / m["name"]) for m in container.get("volumeMounts", [])}

        def here(text):
            for mounted, folder in places.items():
                text = re.sub(rf"(^|=| ){re.escape(mounted)}(?=/|$)", rf"\g<1>{folder}", text)
            return text

        for path in self.directory.glob("volumes/*/..data/runner.yaml"):  # names the folder of its work
            text = path.read_text()
            here_text = re.sub(r"(?<=: )/work\b", lambda _: places["/work"], text) if "/work" in places else text
            if here_text != text:  # at once: another container of the Pod may be reading it
                path.with_suffix(".new").write_text(here_text)
                path.with_suffix(".new").rename(path)
        program, arguments = container["command"][0], container.get("args", [])
        command = [BIN / program, *map(here, arguments)]
        if container.get("ports"):
            command.append("--serve-address=127.0.0.1:0")  # the Pods share the addresses of this machine
        environment = {"KUBECONFIG": str(kubeconfig), "PATH": f"{BIN}:/usr/bin:/bin",
                       **{e["name"]: here(e["value"]) for e in container.get("env", [])}}
        return Container(container, Process(container["name"], self.directory, command, environment).start())

    def everything(self):
        return [*self.sidecars, *self.containers]

    def step(self):
        """Moves on; False when it is gone."""
        found = self.api.call("GET", self.path)
        if not found or found["metadata"]["uid"] != self.manifest["metadata"]["uid"]:
            self.kill()
            return False
        if "deletionTimestamp" in found["metadata"]:
            return self.end()
        self.mount()
        self.restart_what_ended()
        self.tell()
        return True

    def end(self):
        """SIGTERM; when all have ended, the API server is told."""
        if self.stopping is None:
            self.stopping = True
            for container in self.everything():
                if container.process.alive():
                    container.process.child.terminate()
        if any(c.process.alive() for c in self.everything()):
            return True
        self.api.call("DELETE", self.path, {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0})
        return False

    def restart_what_ended(self):
        again = self.containers if self.manifest["spec"]["restartPolicy"] == "Always" else []
        for container in again:
            if not container.process.alive():
                container.process.start()

    def tell(self):
        codes = [c.process.child.poll() for c in self.containers]
        if all(code is not None for code in codes):
            for sidecar in self.sidecars:
                sidecar.process.stop()
            phase, ready = ("Failed" if any(codes) else "Succeeded"), "False"
        else:
            phase, ready = "Running", str(all(c.ready() for c in self.everything()))
        if (phase, ready) == self.told:
            return
        conditions = [{"type": t, "status": ready} for t in ("Ready", "ContainersReady")]
        conditions += [{"type": t, "status": "True"} for t in ("Initialized", "PodScheduled")]
        self.api.call("PATCH", f"{self.path}/status", {"status": {"phase": phase, "conditions": conditions}},
                      "application/strategic-merge-patch+json")
        self.told = (phase, ready)

    def kill(self):
        for container in self.everything():
            container.process.kill()

    def log(self):
        return "\n".join(f"--- {self.name}/{c.spec['name']}\n{c.process.log_tail(25)}" for c in self.everything())


class PodRunner:
    """Runs every Pod of the cluster until it is stopped. `problem` is what ended it, if anything did."""

    def __init__(self, cluster, directory):
        self.cluster = cluster
        self.directory = directory
        self.api = Api(cluster)
        self.pods = {}   # by uid
        self.logs = {}   # of those that are gone, by name
        self.problem = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        for pod in self.pods.values():
            pod.kill()

    def _run(self):
        try:
            while not self._stop.wait(0.1):
                self._step()
        except Exception as problem:  # pylint: disable=broad-exception-caught
            self.problem = problem

    def _step(self):
        for manifest in self.api.call("GET", "/api/v1/pods?resourceVersion=0")["items"]:
            uid, meta = manifest["metadata"]["uid"], manifest["metadata"]
            if (uid not in self.pods and "deletionTimestamp" not in meta and manifest["status"]["phase"] == "Pending"
                    and self._has_its_config_maps(manifest)):
                self.api.call("POST", f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/binding",
                              {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": meta["name"]},
                               "target": {"apiVersion": "v1", "kind": "Node", "name": NODE}})
                self.pods[uid] = Pod(self.api, self.cluster, manifest, self.directory / uid)
        for uid, pod in list(self.pods.items()):
            if not pod.step():
                self.logs[pod.name] = pod.log()
                del self.pods[uid]

    def _has_its_config_maps(self, manifest):
        """Until then a kubelet waits."""
        names = [v["configMap"]["name"] for v in manifest["spec"]["volumes"] if "configMap" in v]
        return all(self.api.call("GET", f"/api/v1/namespaces/{manifest['metadata']['namespace']}/configmaps/{name}") for name in names)

    def log(self):
        return "\n".join([str(self.problem or ""), *(p.log() for p in list(self.pods.values())), *self.logs.values()])
