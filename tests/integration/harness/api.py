"""The API server without kubectl: cheap enough for a steady load, and with watches that say when something happened."""

import base64
import json
import ssl
import tempfile
import threading
import time
import urllib.parse
import http.client

import yaml

GROUP = "/apis/convoke.dev/v1alpha1/namespaces/default"


class Api:
    """One user of a kubeconfig with client certificates. Thread-safe: each call has a connection of its own thread."""

    def __init__(self, kubeconfig):
        document = yaml.safe_load(open(kubeconfig))
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        url = urllib.parse.urlparse(cluster["server"])
        self._address = (url.hostname, url.port)
        self._tls = ssl.create_default_context(cadata=_data(cluster, "certificate-authority").decode())
        with tempfile.NamedTemporaryFile() as both:
            both.write(_data(user, "client-certificate") + b"\n" + _data(user, "client-key"))
            both.flush()
            self._tls.load_cert_chain(both.name)
        self._local = threading.local()

    def request(self, method, path, body=None):
        """The decoded answer; fails if it is not a success."""
        if not hasattr(self._local, "connection"):
            self._local.connection = self._connect()
        connection = self._local.connection
        connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status < 300, f"{method} {path}: {answer.status} {text[:500]}"
        return json.loads(text)

    def create(self, manifest):
        plural = manifest["kind"].lower() + "s"
        return self.request("POST", f"{GROUP}/{plural}", manifest)

    def watch(self, path):
        """Yields (type, object) until close() of the connection that comes first."""
        connection = self._connect(timeout=None)
        connection.request("GET", path + "?watch=1")
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        yield "CONNECTED", connection
        while line := answer.readline():
            event = json.loads(line)
            yield event["type"], event["object"]

    def _connect(self, timeout=20):
        return http.client.HTTPSConnection(*self._address, context=self._tls, timeout=timeout)


def _data(entry, name):
    if name + "-data" in entry:
        return base64.b64decode(entry[name + "-data"])
    return open(entry[name], "rb").read()


class Sightings:
    """Every state of every Task that a watch delivered, with the monotonic time at which it did."""

    def __init__(self, api):
        self._api = api
        self._lock = threading.Lock()
        self._seen = []  # (time, name, status)
        self._connected = threading.Event()
        self._connection = None
        threading.Thread(target=self._run, daemon=True).start()
        assert self._connected.wait(20), "no watch of Tasks"

    def _run(self):
        try:
            for kind, item in self._api.watch(f"{GROUP}/tasks"):
                if kind == "CONNECTED":
                    self._connection = item
                    self._connected.set()
                elif kind in ("ADDED", "MODIFIED"):
                    with self._lock:
                        self._seen.append((time.monotonic(), item["metadata"]["name"], item.get("status", {})))
        except (OSError, ValueError, http.client.HTTPException):
            pass  # closed

    def close(self):
        if self._connection is not None and self._connection.sock is not None:
            self._connection.sock.close()

    def assigned_after(self, moment):
        """Whether an assignment was seen first after that moment."""
        return any(seen_at > moment for seen_at in self._assignments())

    def longest_pause(self, since):
        """The longest time without a new assignment, from the last one before that moment on."""
        times = self._assignments()
        last = max((t for t in times if t <= since), default=since)
        times = [last, *(t for t in times if t > since)]
        return max(after - before for before, after in zip(times, times[1:]))

    def _assignments(self):
        """When each assignment was seen first."""
        with self._lock:
            seen = {}
            for seen_at, _, status in self._seen:
                if assignment := status.get("assignment", {}).get("id"):
                    seen.setdefault(assignment, seen_at)
        return sorted(seen.values())
