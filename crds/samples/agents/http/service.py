#!/usr/bin/env python3
"""A service that Tasks are sent to: an agent without a Kubernetes client, and nothing but Python 3.

It takes `word-count` (answered at once) and `countdown` (accepted, and asked for at its Location until it ends).

Usage: service.py [PORT]     default 8900; $SERVICE_TOKEN: the bearer token that it asks for, if set
"""
import http.server
import json
import os
import sys
import threading
import time

TOKEN = os.environ.get("SERVICE_TOKEN")
countdowns = {}  # assignment id -> when it ends; a real service would keep this where a restart does not lose it
lock = threading.Lock()


class Wrong(Exception):
    """What the Task asks for cannot be done, now or later."""


def take(order):
    """(status, headers, body) for a Task that was posted. The same assignment may come twice: it is begun once."""
    task, assignment = order["task"], order["assignmentID"]
    parameters = task["parameters"]
    if task["type"] == "word-count":
        if not isinstance(parameters.get("text"), str):
            raise Wrong("parameters.text: must be a text")
        return 200, {}, {"outputs": {"words": len(parameters["text"].split())}}
    if task["type"] == "countdown":
        if not isinstance(parameters.get("seconds"), (int, float)):
            raise Wrong("parameters.seconds: must be a number")
        with lock:
            begun = time.monotonic()
            countdowns.setdefault(assignment, (begun, begun + parameters["seconds"]))
        return 202, {"Location": f"/countdowns/{assignment}"}, {}
    return 200, {}, {"state": "Rejected", "message": f"there is no type {task['type']} here"}


def look(assignment):
    with lock:
        begin, end = countdowns.get(assignment, (None, None))
    if begin is None:
        return 404, {}, {}
    now = time.monotonic()
    if now < end:
        return 200, {}, {"state": "Running", "progress": int(100 * (now - begin) / (end - begin)), "message": f"{end - now:.0f} s left"}
    return 200, {}, {"state": "Succeeded", "outputs": {"lasted": round(end - begin, 3)}}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.reply(lambda: take(json.loads(body)))

    def do_GET(self):
        if self.path == "/healthz":
            self.reply(lambda: (200, {}, {}))
        else:
            self.reply(lambda: look(self.path.rsplit("/", 1)[-1]))

    def do_DELETE(self):
        def forget():
            with lock:
                countdowns.pop(self.path.rsplit("/", 1)[-1], None)
            return 204, {}, {}
        self.reply(forget)

    def reply(self, work):
        if TOKEN and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            status, headers, body = 401, {}, {}
        else:
            try:
                status, headers, body = work()
            except Wrong as error:
                status, headers, body = 422, {}, {"error": {"code": "WrongParameters", "message": str(error)}}
        data = b"" if status == 204 else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8900
    server = http.server.ThreadingHTTPServer(("", port), Handler)
    print(f"serving on port {server.server_address[1]}", flush=True)
    server.serve_forever()
