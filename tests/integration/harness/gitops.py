"""What the tools of the GitOps world take an object for: the kstatus library, Argo CD's health checks, and Flux itself."""

import json
import pathlib
import subprocess

from .processes import REPO, Process

GITOPS = REPO / "tests/gitops"
CHECKS = REPO / "charts/convoke/files/argocd"


def build(program):
    """The folder of a program of tests/gitops, built if it is not there."""
    done = subprocess.run([GITOPS / "build", program], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return pathlib.Path(done.stdout.strip())


def kstatus(objects):
    """[(status, message)] of the objects, as the kstatus library computes them."""
    text = "\n".join(json.dumps(o) for o in objects)
    done = subprocess.run([build("kstatus") / "kstatus"], input=text, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(objects), done.stdout
    return [(line["status"], line["message"]) for line in lines]


# Argo CD's interpreter has the base and the table library. A check that touches a global of its own is a mistake.
LUA = """
local base = {ipairs = ipairs, pairs = pairs, tostring = tostring, tonumber = tonumber, type = type, next = next,
              select = select, unpack = unpack, table = table}
getmetatable("").__index = nil
local function quoted(text) return (string.gsub(string.format("%q", text), "\\\\\\n", "\\\\n")) end
local function health(check, object)
  local environment = {obj = object}
  local refuse = function(_, name) error("the check sets the global " .. name) end
  setmetatable(environment, {__index = base, __newindex = refuse})
  local hs = setfenv(check, environment)()
  print(quoted(hs.status) .. "\\t" .. quoted(hs.message))
end
"""


def argo_health(objects):
    """[(status, message)] of the objects, as Argo CD finds them with the checks that are shipped."""
    script = LUA + "local checks = {}\n"
    for check in sorted(CHECKS.glob("*.lua")):
        script += f"checks.{check.stem} = assert(loadfile({lua(str(check))}))\n"
    for o in objects:
        script += f"health(checks.{o['kind']}, {lua(o)})\n"
    done = subprocess.run(["lua5.1", "-"], input=script, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(rows) == len(objects), done.stdout
    return [(json.loads(status), json.loads(message)) for status, message in rows]


def lua(value):
    """A JSON value as Lua text. A field that is null is none."""
    if isinstance(value, dict):
        return "{" + ",".join(f"[{lua(k)}]={lua(v)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, list):
        return "{" + ",".join(lua(v) for v in value) + "}"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nil"}[value]
    if isinstance(value, str):
        return '"' + "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\' else f"\\{b:03d}" for b in value.encode()) + '"'
    return repr(value)


def assert_each_has_its_fields(objects, applier):
    """Who applies has spec, labels and annotations, the operator has status, an agent its report; nobody has another's."""
    for o in objects:
        owned = {}
        for entry in o["metadata"]["managedFields"]:
            manager = entry["manager"].split("/")[0]  # each leader of the operator adds its number
            owned.setdefault((manager, entry.get("subresource", "")), []).append(entry["fieldsV1"])
        where = f"{o['kind']} {o['metadata']['name']}: {owned}"
        for fields in owned.pop((applier, "")):
            assert set(fields) <= {"f:metadata", "f:spec"}, where
        for fields in owned.pop(("convoke-operator", "status")):
            assert set(fields) == {"f:status"}, where
        for fields in owned.pop(("convoke-runner", "status"), []):
            assert set(fields) == {"f:status"} and set(fields["f:status"]) == {"f:report"}, where
        assert not owned, where


class Watch:
    """Every state that the objects of a kind go through, as `kubectl get --watch` tells it."""

    def __init__(self, world, kind):
        self.path = world.directory / f"{kind}.states"
        self.complaints = world.directory / f"{kind}.watch-log"
        command = [world.cluster.kubectl, "--kubeconfig", world.cluster.kubeconfig, "-n", "default", "get", kind, "--watch",
                   "-o", "json"]
        with open(self.path, "wb") as out, open(self.complaints, "wb") as err:
            self.child = subprocess.Popen([str(c) for c in command], stdout=out, stderr=err)

    def states(self):
        """Those seen so far; one that is being written counts once it is whole."""
        text, found, position = self.path.read_text(), [], 0
        decoder = json.JSONDecoder()
        while True:
            position = next((i for i in range(position, len(text)) if not text[i].isspace()), len(text))
            try:
                state, position = decoder.raw_decode(text, position)
            except ValueError:
                return found
            found.append(state)

    def stop(self):
        self.child.kill()
        self.child.wait()


class Flux(Process):
    """Flux's kustomize-controller, with an administrator's rights."""

    def __init__(self, directory, kubeconfig):
        self.folder = build("flux")
        super().__init__("flux", directory, [
            self.folder / "kustomize-controller", "--metrics-addr=0", "--health-addr=0", "--log-level=debug"],
            {"KUBECONFIG": str(kubeconfig), "RUNTIME_NAMESPACE": "default", "TMPDIR": str(directory)})
