"""A cluster with Convoke in it, as a platform team would have set it up: CRDs, RBAC, admission policies, an operator
with its own rights, and agents that may do no more than an agent may."""

import json
import subprocess

import yaml

from .processes import REPO, Operator, Runner
from .waiting import wait_until

FILES = REPO / "charts/convoke/files"
OPERATOR_USER = "system:serviceaccount:convoke-system:convoke-operator"
FINISHED = ("Succeeded", "Failed", "Cancelled")


def filled_in(name):
    """A file of policies for the operator of these tests, as the chart fills it in for its own."""
    text = (FILES / name).read_text().replace("LEASE-NAMESPACE", "convoke-system").replace("LEASE-NAME", "convoke-operator")
    return text.replace("OPERATOR-USER", OPERATOR_USER)


class World:
    def __init__(self, cluster, directory):
        self.cluster = cluster
        self.directory = directory
        self.processes = []

    # --- kubectl ------------------------------------------------------------------------------------------------------

    def kubectl(self, *arguments, input=None, check=True, user=None):
        kubeconfig = self.cluster.user(user) if user else self.cluster.kubeconfig
        done = subprocess.run([self.cluster.kubectl, "--kubeconfig", str(kubeconfig), *map(str, arguments)], input=input,
                              text=True, capture_output=True, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(map(str, arguments))} failed: {done.stderr}")
        return done

    def apply(self, *manifests):
        text = "\n---\n".join(m if isinstance(m, str) else yaml.safe_dump(m, allow_unicode=True) for m in manifests)
        return self.kubectl("apply", "--server-side", "-f", "-", input=text)

    def create(self, manifest):
        return self.kubectl("create", "-f", "-", input=yaml.safe_dump(manifest))

    def get(self, kind, name, namespace="default"):
        done = self.kubectl("-n", namespace, "get", kind, name, "-o", "json", "--ignore-not-found", "--show-managed-fields", check=False)
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else None

    def list(self, kind, *selectors, namespace="default"):
        return json.loads(self.kubectl("-n", namespace, "get", kind, "-o", "json", *selectors).stdout)["items"]

    def status(self, kind, name):
        return (self.get(kind, name) or {}).get("status", {})

    def condition(self, kind, name, type_):
        for condition in self.status(kind, name).get("conditions", []):
            if condition["type"] == type_:
                return condition
        return None

    def events(self, name):
        return [e for e in self.list("events.events.k8s.io") if e.get("regarding", {}).get("name") == name]

    # --- waiting ------------------------------------------------------------------------------------------------------

    def wait_phase(self, kind, name, phases, timeout=60):
        if isinstance(phases, str):
            phases = (phases,)

        def reached():
            status = self.status(kind, name)
            return status if status.get("phase") in phases else None

        return wait_until(reached, timeout, lambda: f"{kind} {name} is not {'/'.join(phases)} but "
                          f"{json.dumps(self.status(kind, name), indent=1)[:3000]}\n{self.logs()}", interval=0.1)

    def wait_finished(self, kind, name, timeout=60):
        return self.wait_phase(kind, name, FINISHED, timeout)

    def wait_event(self, name, reason, timeout=20):
        return wait_until(lambda: [e for e in self.events(name) if e["reason"] == reason], timeout,
                          lambda: f"no Event {reason} on {name}, only {[e['reason'] for e in self.events(name)]}", interval=0.2)

    def logs(self):
        return "\n".join(f"--- {p.name} ({'alive' if p.alive() else 'ended'})\n{p.log_tail(15)}" for p in self.processes)

    # --- Convoke ------------------------------------------------------------------------------------------------------

    def install(self):
        for name in ("operator-rbac.yaml", "agent-rbac.yaml", "admission-policies.yaml"):
            self.kubectl("apply", "--server-side", "-f", FILES / name)
        self.kubectl("apply", "--server-side", "-f", "-", input=filled_in("operator-fence.yaml"))
        return self

    def fence(self):
        """What makes the API server refuse the writes of former leaders."""
        self.kubectl("apply", "--server-side", "-f", "-", input=filled_in("leader-fence.yaml"))
        return self

    def operator(self, name="operator", settings=None, start=True, kubeconfig=None, **options):
        kubeconfig = kubeconfig or self.cluster.user(OPERATOR_USER)
        operator = Operator(name, self.directory, kubeconfig, settings, **options)
        self.processes.append(operator)
        return operator.start().wait_ready() if start else operator

    def allow_agent(self, name, namespace="default"):
        """What lets the user agent-NAME act as the agent NAME, and as no other."""
        self.allow_agent_to(f"agent-{name}", name, namespace)
        return self.cluster.user(f"agent-{name}")

    def allow_agent_to(self, user_name, name, namespace="default"):
        """The same for a user of any name, such as that of a ServiceAccount."""
        user = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user_name}
        meta = {"name": f"convoke-agent-{name}", "namespace": namespace}
        rbac = "rbac.authorization.k8s.io/v1"
        self.apply(
            {"apiVersion": rbac, "kind": "Role", "metadata": meta,
             "rules": [{"apiGroups": ["convoke.dev"], "resources": ["agents"], "resourceNames": [name], "verbs": ["report"]}]},
            {"apiVersion": rbac, "kind": "RoleBinding", "metadata": meta, "subjects": [user],
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": meta["name"]}},
            {"apiVersion": rbac, "kind": "RoleBinding", "metadata": {**meta, "name": meta["name"] + "-protocol"},
             "subjects": [user],
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "convoke-agent"}})

    def runner(self, name, start=True, **options):
        runner = Runner(name, self.directory, self.allow_agent(name), **options)
        self.processes.append(runner)
        if start:
            runner.start()
        if start and any(isinstance(p, Operator) and p.alive() for p in self.processes):
            self.wait_phase("cag", name, "Ready", 30)
        return runner

    def empty(self):
        """Removes what a test made."""
        kinds = "workflows.convoke.dev,workflowruns.convoke.dev,tasks.convoke.dev,agents.convoke.dev,leases"
        self.kubectl("-n", "default", "delete", kinds, "--all", "--wait=false")
        # Of Workflows that were deleted without their dependents.
        self.kubectl("-n", "default", "delete", "controllerrevisions", "-l", "convoke.dev/workflow", "--wait=false")
        self.kubectl("-n", "convoke-system", "delete", "leases", "--all")
        wait_until(lambda: not any(self.list(kind) for kind in kinds.split(",")), 60, lambda: "objects of the last test stay")

    def stop(self):
        for process in self.processes:
            if process.child is not None:
                process.wake()
                process.kill()


def workflow(name, steps, **spec):
    return {"apiVersion": "convoke.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": name, "namespace": "default"},
            "spec": {"triggers": [], **spec, "steps": steps}}


def run(name, workflow_name=None, **spec):
    if workflow_name:
        spec["workflowName"] = workflow_name
    return {"apiVersion": "convoke.dev/v1alpha1", "kind": "WorkflowRun", "metadata": {"name": name, "namespace": "default"},
            "spec": spec}


def task(name, type_="shell", **spec):
    return {"apiVersion": "convoke.dev/v1alpha1", "kind": "Task", "metadata": {"name": name, "namespace": "default"},
            "spec": {"type": type_, **spec}}


def shell_step(name, command, depends_on=(), parameters=None, **step):
    result = {"name": name, "task": {"type": "shell", "parameters": {"command": command, **(parameters or {})}}, **step}
    if depends_on:
        result["dependsOn"] = list(depends_on)
    return result
