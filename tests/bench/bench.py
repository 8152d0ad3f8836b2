"""The phases of hack/bench: runs convoke-bench and convoke-operator against the cluster of $KUBECONFIG."""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests/integration"))

from harness.processes import Operator  # noqa: E402
from harness.waiting import wait_until  # noqa: E402
from table import table  # noqa: E402

# By the garbage collector, which asks no more than this of the API server: it is a matter of the cluster, and the default
# of 20 a second would take ten minutes for what is measured here.
GARBAGE_COLLECTOR = ["--controller-manager-arg=--kube-api-qps=1000", "--controller-manager-arg=--kube-api-burst=2000"]

MICROSECONDS = {"ns": 0.001, "us": 1, "ms": 1000, "s": 1e6}


class Bench:
    def __init__(self, args):
        self.args = args
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="convoke-bench-"))
        self.scale = 10 if args.quick else 1
        self.numbers = {}

    def say(self, text):
        print(f"    {text}", file=sys.stderr, flush=True)

    def load(self, *arguments):
        done = subprocess.run([f"{self.args.bin}/convoke-bench", *map(str, arguments)], stdout=subprocess.PIPE, check=False)
        if done.returncode != 0:
            sys.exit(f"convoke-bench {arguments[0]} failed")
        return json.loads(done.stdout)

    def operator(self, name="operator"):
        settings = {"log": {"level": "Info"}, "leaderElection": {"enabled": False}}
        os.environ["CONVOKE_BIN"] = self.args.bin
        return Operator(name, self.directory, os.environ["KUBECONFIG"], settings)

    def parts(self):
        """The scheduler and the expressions by themselves: microseconds of CPU."""
        self.say("decisions of the scheduler and expressions, each alone")
        decisions = {}
        for name, value in self.benchmark("scheduler-benchmark", "--benchmark_filter=/(500|5000)$" if self.args.quick else "").items():
            _, kind, tasks = name.split("/")
            decisions.setdefault(kind, {})[f"tasks_{tasks}"] = value
        self.numbers["parts"] = {"decision_us": decisions, "cel_us": self.benchmark("cel-benchmark")}

    def benchmark(self, program, *options):
        command = [f"{self.args.bin}/{program}", "--benchmark_format=json", *filter(None, options)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        found = json.loads(done.stdout)["benchmarks"] if done.returncode == 0 else []
        if not found or any(one.get("error_occurred") for one in found):
            sys.exit(f"{program} failed")
        return {one["name"]: one["cpu_time"] * MICROSECONDS[one["time_unit"]] for one in found}

    def ceiling(self):
        self.say("the ceiling: creates and status patches with nobody else at work")
        self.numbers["ceiling"] = self.load("ceiling", "--count", 3000 // self.scale)

    def runs(self):
        operator = self.operator().start().wait_ready()
        self.load("runs", "--count", 50, "--prefix", "warm-")
        for name, count, shape in (("one_step", 1000, ["--shape", "chain", "--size", 1]),
                                   ("chain_10", 100, ["--shape", "chain", "--size", 10]),
                                   ("fan_out_100", 10, ["--shape", "fan-out", "--size", 100, "--parallelism", 100])):
            count = max(2, count // self.scale)
            self.say(f"{count} runs of {name} as fast as possible")
            self.numbers[name] = self.measured(operator, ["--count", count, "--prefix", f"fast-{name}-".replace("_", "-"), *shape])
        self.paced("one_step", "half_of_what_it_reached", self.numbers["one_step"]["runs_per_s"] / 2, 1)
        self.paced("one_step", "quarter_of_the_ceiling", self.numbers["one_step"]["runs_per_s_at_ceiling"] / 4, 1)
        self.paced("one_step", "half_of_the_ceiling", self.numbers["one_step"]["runs_per_s_at_ceiling"] / 2, 1)
        self.paced("chain_10", "half_of_what_it_reached", self.numbers["chain_10"]["runs_per_s"] / 2, 10)
        operator.stop()

    def measured(self, operator, arguments):
        """Runs of one shape, with what they cost: everything by step, which is a Task."""
        before, cpu_before = operator_writes(operator), operator.metric("process_cpu_seconds_total")
        result = self.load("runs", *arguments)
        if result["failed"]:
            sys.exit(f"{result['failed']} of {result['runs']} runs failed: {' '.join(map(str, arguments))}")
        wait_until(lambda: settled(operator), 30)
        await_events(operator)
        after, cpu_after = operator_writes(operator), operator.metric("process_cpu_seconds_total")
        writes = {key: after[key] - before[key] for key in after}
        writes |= {"agents": result["agent_writes"], "users": result["runs"]}
        at_ceiling = result["runs"] / self.seconds_at_ceiling(writes, result["tasks"])
        return {
            **{key: result[key] for key in ("runs", "failed", "took_s", "runs_per_s", "run_status_writes", "largest_run_bytes")},
            "runs_per_s_at_ceiling": at_ceiling, "ratio_to_ceiling": result["runs_per_s"] / at_ceiling,
            "writes_per_run": sum(writes.values()) / result["runs"],
            "writes_per_step": sum(writes.values()) / result["tasks"],
            "writes_per_step_by": {writer: count / result["tasks"] for writer, count in writes.items()},
            "operator_cpu_ms_per_step": 1000 * (cpu_after - cpu_before) / result["tasks"],
        }

    def seconds_at_ceiling(self, writes, tasks):
        """What the API server would take for as many writes. All that are no creations are on a status."""
        creates = writes["users"] + tasks + writes["events"]
        patches = writes["operator"] + writes["agents"] - tasks
        return creates / self.numbers["ceiling"]["creates_per_s"] + patches / self.numbers["ceiling"]["status_patches_per_s"]

    def paced(self, name, load, rate, size):
        count = max(20, int(rate * 12 / self.scale))
        self.say(f"{count} runs of {name} at {load.replace('_', ' ')}, {rate:.1f} a second")
        result = self.load("runs", "--count", count, "--rate", rate, "--prefix", f"paced-{name}-{load}-".replace("_", "-"), "--size", size)
        self.numbers[name].setdefault("paced", {})[load] = {
            "runs_per_s": rate, **{key: value for key, value in result.items() if key.startswith("create_to_")}}

    def locks(self):
        operator = self.operator("locks").start().wait_ready()
        found = {}
        for name, count, locks in (("one", 500 // self.scale, 1), ("hundred", 1000 // self.scale, 100)):
            self.say(f"{count} Tasks that take turns at {locks} lock{'s'[:locks - 1]}")
            before = operator_writes(operator)["operator"]
            found[name] = self.load("locks", "--count", count, "--locks", locks, "--prefix", f"{name}-")
            wait_until(lambda: settled(operator), 30)
            found[name]["operator_writes_per_grant"] = (operator_writes(operator)["operator"] - before) / count
        operator.stop()
        self.numbers["locks"] = found

    def subtasks(self):
        operator = self.operator("subtasks").start().wait_ready()
        self.say("Tasks with ten subtasks, one after the other")
        self.load("subtasks", "--count", 3, "--prefix", "warm-")
        self.numbers["ten_subtasks"] = self.load("subtasks", "--count", 50 // self.scale, "--prefix", "whole-")
        operator.stop()

    def fresh_cluster(self, *options):
        """Only the Tasks of the next phase shall be there, and deleting thousands of objects takes longer than a new cluster."""
        subprocess.run([REPO / "hack/dev-cluster", "up", "--fresh", "--dir", self.args.dir, "--crds", REPO / "crds", *options],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)

    def memory(self):
        self.fresh_cluster()
        operator = self.operator("memory").start().wait_ready()
        memory, made = {}, 0
        for count in (0, 1000 // self.scale, 10000 // self.scale):
            self.say(f"memory with {count} Tasks")
            if count > made:
                self.load("tasks", "--from", made, "--to", count)
                made = count
            wait_until(lambda n=count: operator.metric("convoke_tasks", phase="Queued") >= n and settled(operator), 120)
            memory[f"tasks_{count}"] = at_rest_mb(operator) if count else operator.resident_mb()
        operator.stop()
        self.numbers["memory_mb"] = memory
        self.startup(made)

    def startup(self, count):
        self.say(f"start-up with {count} Tasks")
        samples = []
        for i in range(3):
            begin = time.monotonic()
            operator = self.operator(f"startup-{i}").start().wait_ready()
            samples.append(time.monotonic() - begin)
            self.numbers["memory_mb"]["after_restart"] = operator.resident_mb()
            operator.stop()
        self.numbers["startup_s"] = {f"tasks_{count}": sorted(samples)[1]}

    def sizes(self):
        """One run as large as runs may be, twice, each with an operator and a cluster of its own; then its deletion."""
        self.numbers["size"] = {}
        for shape, size, parallelism in (("fan-out", 10000 // self.scale, 1000), ("graph", 2000 // self.scale, 100)):
            name = f"{shape}_{size}".replace("-", "_")
            self.fresh_cluster(*GARBAGE_COLLECTOR)
            operator = self.operator(name).start().wait_ready()
            self.say(f"one run, a {shape} of {size}")
            found = self.measured(operator, ["--count", 1, "--prefix", "large-", "--shape", shape, "--size", size,
                                             "--parallelism", parallelism, "--capacity", 500, "--longest", self.args.longest])
            found["peak_mb"] = peak_mb(operator)
            found["largest_object_bytes"] = {"WorkflowRun": found["largest_run_bytes"], **self.definition_bytes()}
            self.say("its deletion")
            found["deletion"] = self.deletion(operator)
            self.numbers["size"][name] = found
            operator.stop()

    def raw(self, path):
        return subprocess.run([f"{self.args.dir}/bin/kubectl", "get", "--raw", path], stdout=subprocess.PIPE, check=True).stdout

    def definition_bytes(self):
        lists = {"Workflow": "/apis/convoke.dev/v1alpha1/namespaces/default/workflows",
                 "ControllerRevision": "/apis/apps/v1/namespaces/default/controllerrevisions"}
        return {kind: max(len(json.dumps(item, separators=(",", ":"))) for item in json.loads(self.raw(path))["items"])
                for kind, path in lists.items()}

    def deletion(self, operator):
        def left():
            page = json.loads(self.raw("/apis/convoke.dev/v1alpha1/namespaces/default/tasks?limit=1"))
            return len(page["items"]) + page["metadata"].get("remainingItemCount", 0)

        before, begin = requests(operator), time.monotonic()
        subprocess.run([f"{self.args.dir}/bin/kubectl", "delete", "cwr", "large-0", "--wait=false"],
                       stdout=subprocess.DEVNULL, check=True)
        wait_until(lambda: left() == 0, 300, lambda: f"{left()} Tasks are left", interval=0.5)
        took = time.monotonic() - begin
        wait_until(lambda: settled(operator), 30)
        return {"took_s": took, "operator_requests": requests(operator) - before}


def operator_writes(operator):
    """Writes so far; renewals of its Lease are not counted, since they belong to no run."""
    return {"operator": operator.metric("convoke_object_writes_total"), "events": operator.metric("convoke_events_sent_total")}


def await_events(operator, longest=15):
    """They go out behind everything else, and not too many at once."""
    end, sent = time.monotonic() + longest, -1
    while time.monotonic() < end and sent != (sent := operator.metric("convoke_events_sent_total")):
        time.sleep(1)


def requests(operator):
    """Those for Events are not counted: some of the run's own may still be on their way when it is deleted."""
    return operator.metric("rest_client_requests_total") - operator.metric("convoke_events_sent_total")


def peak_mb(operator):
    text = pathlib.Path(f"/proc/{operator.child.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text).group(1)) / 1024


def at_rest_mb(operator):
    """What stays once the heap was trimmed, which the operator does twice a minute."""
    high = operator.resident_mb()
    end = time.monotonic() + 35
    while time.monotonic() < end and operator.resident_mb() > 0.97 * high:
        time.sleep(1)
    return operator.resident_mb()


def settled(operator):
    return operator.metric("workqueue_depth") == 0 and operator.metric("controller_runtime_active_workers") == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--longest", type=int, default=600, help="seconds that a large run may take")
    parser.add_argument("--json")
    bench = Bench(parser.parse_args())
    try:
        bench.parts()
        bench.ceiling()
        bench.runs()
        bench.locks()
        bench.subtasks()
        bench.memory()
        bench.sizes()
    finally:
        shutil.rmtree(bench.directory, ignore_errors=True)
    print(table(bench.numbers))
    if bench.args.json:
        pathlib.Path(bench.args.json).write_text(json.dumps(bench.numbers, indent=2) + "\n")


if __name__ == "__main__":
    main()
