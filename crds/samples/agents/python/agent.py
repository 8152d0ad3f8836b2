#!/usr/bin/env python3
"""A whole Convoke agent, with nothing but Python: it counts prime numbers.

Put your own work into `work`, and its name into CAPABILITY. Usage: agent.py NAME [NAMESPACE], one process of each NAME.
In a Pod it uses the ServiceAccount; elsewhere set KUBERNETES_API to the address of a `kubectl proxy`.
"""
import http.client, itertools, json, os, ssl, sys, threading, time, urllib.error, urllib.request  # noqa: E401

NAME, NAMESPACE, CAPABILITY = sys.argv[1], (sys.argv[2:] or ["default"])[0], "count-primes"
KINDS = f"/apis/convoke.dev/v1alpha1/namespaces/{NAMESPACE}"
WATCH = f"{KINDS}/tasks?watch=1&timeoutSeconds=300&fieldSelector=status.agentName%3D{NAME}"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/convoke-agent-{NAME}"
SECRETS = os.environ.get("SERVICEACCOUNT_DIR", "/var/run/secrets/kubernetes.io/serviceaccount")
SERVER = os.environ.get("KUBERNETES_API") or "https://{KUBERNETES_SERVICE_HOST}:{KUBERNETES_SERVICE_PORT}".format(**os.environ)
TLS = ssl.create_default_context(cafile=f"{SECRETS}/ca.crt") if SERVER.startswith("https:") else None


def work(parameters, progress):
    """Returns the outputs, at most 64 KiB. What it raises becomes the Task's error."""
    below, primes = int(parameters["below"]), []
    for n in range(2, below):
        if all(n % p for p in itertools.takewhile(lambda p: p * p <= n, primes)):
            primes.append(n)
        progress(100 * n // below, f"{len(primes)} primes up to {n}")
    return {"count": len(primes), "largest": primes[-1] if primes else None}


def call(method, path, body=None, form="application/json", timeout=10):
    """The answer of the API server, or None if that is a clear no; asks again until it gives either."""
    while True:
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(SERVER + path, data, {"Content-Type": form}, method=method)
        if TLS:
            request.add_header("Authorization", "Bearer " + open(f"{SECRETS}/token").read())
        try:
            return urllib.request.urlopen(request, timeout=timeout, context=TLS)
        except urllib.error.HTTPError as no:
            print(method, path, no.code, no.read(400).decode(errors="replace"), flush=True)
            if no.code in (400, 403, 404, 422) or (method, no.code) == ("POST", 409):
                return None
        except (OSError, http.client.HTTPException) as problem:
            print(method, path, problem, flush=True)
        time.sleep(1)


def report(task, state, **more):
    """The API server itself compares the assignment, and refuses an agent that has lost the Task."""
    name, assignment = task["metadata"]["name"], task["status"]["assignment"]["id"]
    patch = [{"op": "test", "path": "/status/assignment/id", "value": assignment},
             {"op": "add", "path": "/status/report", "value": {"assignmentID": assignment, "state": state, **more}}]
    if call("PATCH", f"{KINDS}/tasks/{name}/status", patch, "application/json-patch+json") is None:
        print("gave up", name, flush=True)
        sys.exit()  # of the thread that works on it; no `except Exception` in `work` holds it up


def carry_out(task):
    last = time.monotonic()

    def progress(percent, message):
        nonlocal last
        if time.monotonic() > last + 1:  # a report a second is enough; so it also learns when it must stop
            last = time.monotonic()
            report(task, "Running", progress=percent, message=message)

    try:
        if task["status"].get("report", {}).get("state") == "Running":
            raise InterruptedError("the agent was restarted in the middle")
        report(task, "Running")
        report(task, "Succeeded", progress=100, outputs=work(task["spec"].get("parameters", {}), progress))
    except Exception as problem:  # `retryable`: can another attempt help?
        report(task, "Failed", error={"code": type(problem).__name__, "message": str(problem)[:1000],
                                      "retryable": isinstance(problem, OSError)})


def follow_tasks():
    """Every Task that is assigned to us: those that are there, and those that come. A watch ends now and then."""
    seen = set()
    while True:
        try:
            for line in call("GET", WATCH, timeout=330) or ():
                event = json.loads(line)
                status = event["object"].get("status", {}) if event["type"] in ("ADDED", "MODIFIED") else {}
                assignment, reported = status.get("assignment", {}).get("id"), status.get("report", {}).get("state", "")
                if status.get("phase") in ("Assigned", "Running") and reported in ("", "Running") and assignment not in seen:
                    seen.add(assignment)
                    threading.Thread(target=carry_out, args=[event["object"]], daemon=True).start()
        except (OSError, http.client.HTTPException, ValueError) as problem:
            print("watch:", problem, flush=True)
        time.sleep(1)


def keep_alive():
    """The heartbeat. Without it for spec.heartbeat.timeout (90s), the Tasks are given to others."""
    while True:
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
        call("PATCH", f"{LEASE}?fieldManager={NAME}&force=true", {
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": f"convoke-agent-{NAME}", "labels": {"convoke.dev/agent": NAME}},
            "spec": {"holderIdentity": NAME, "renewTime": now}}, "application/apply-patch+yaml")
        time.sleep(10)


call("POST", f"{KINDS}/agents", {  # a clear no, "already exists": after a restart, or because people manage it
    "apiVersion": "convoke.dev/v1alpha1", "kind": "Agent", "metadata": {"name": NAME},
    "spec": {"type": "python", "capabilities": [CAPABILITY], "capacity": 2}})
threading.Thread(target=keep_alive, daemon=True).start()
follow_tasks()
