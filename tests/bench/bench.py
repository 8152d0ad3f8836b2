"""The phases of hack/bench: runs convoke-bench and convoke-operator against the cluster of $KUBECONFIG."""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests/integration"))

from harness.processes import Operator  # noqa: E402
from harness.waiting import wait_until  # noqa: E402

# The objects that one run has created: itself, by its user, and its Task. Every other write of an object is on a status.
RUNS_PER_RUN, TASKS_PER_RUN = 1, 1


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

    def ceiling(self):
        self.say("the ceiling: creates and status patches with nobody else at work")
        self.numbers["ceiling"] = self.load("ceiling", "--count", 3000 // self.scale)

    def runs(self):
        count = 2000 // self.scale
        self.say(f"{count} one-step runs as fast as possible")
        operator = self.operator().start().wait_ready()
        self.load("runs", "--count", 50, "--prefix", "warm-")
        before, cpu_before = operator_writes(operator), operator.metric("process_cpu_seconds_total")
        result = self.load("runs", "--count", count, "--prefix", "fast-")
        wait_until(lambda: settled(operator), 30)
        after, cpu_after = operator_writes(operator), operator.metric("process_cpu_seconds_total")
        writes = {key: (after[key] - before[key]) / count for key in after}
        writes["agents"] = result["agent_writes"] / count
        self.numbers["one_step"] = self.one_step(result, writes, (cpu_after - cpu_before) / count)
        self.latencies()
        operator.stop()

    def one_step(self, result, writes, cpu):
        objects = writes["operator"] + writes["agents"]
        ceiling = self.numbers["ceiling"]
        creates = RUNS_PER_RUN + TASKS_PER_RUN + writes["events"]
        at_ceiling = 1 / (creates / ceiling["creates_per_s"] + (objects - TASKS_PER_RUN) / ceiling["status_patches_per_s"])
        return {
            "runs": result["runs"], "failed": result["failed"], "runs_per_s": result["runs_per_s"],
            "runs_per_s_at_ceiling": at_ceiling, "ratio_to_ceiling": result["runs_per_s"] / at_ceiling,
            "writes_per_run": objects + writes["events"],
            "writes_per_run_by": {"operator": writes["operator"], "agents": writes["agents"], "events": writes["events"]},
            "create_to_assigned_p99_ms_at_full_speed": result["create_to_assigned_p99_ms"],
            "create_to_finished_p99_ms_at_full_speed": result["create_to_finished_p99_ms"],
            "operator_cpu_ms_per_run": 1000 * cpu,
        }

    def latencies(self):
        one = self.numbers["one_step"]
        rate = one["runs_per_s_at_ceiling"] / 2
        count = max(50, int(rate * 20 / self.scale))
        self.say(f"{count} one-step runs at half of the ceiling, {rate:.0f} a second")
        result = self.load("runs", "--count", count, "--rate", rate, "--prefix", "paced-")
        for key in ("create_to_assigned_p50_ms", "create_to_assigned_p99_ms", "create_to_finished_p50_ms", "create_to_finished_p99_ms"):
            one[key] = result[key]
        one["paced_runs_per_s"] = rate

    def locks(self):
        operator = self.operator("locks").start().wait_ready()
        found = {}
        for name, count, locks in (("one", 500 // self.scale, 1), ("hundred", 2000 // self.scale, 100)):
            self.say(f"{count} Tasks that take turns at {locks} lock{'s'[:locks - 1]}")
            found[name] = self.load("locks", "--count", count, "--locks", locks, "--prefix", f"{name}-")
        operator.stop()
        self.numbers["locks"] = found

    def subtasks(self):
        operator = self.operator("subtasks").start().wait_ready()
        self.say("Tasks with ten subtasks, one after the other")
        self.load("subtasks", "--count", 3, "--prefix", "warm-")
        self.numbers["ten_subtasks"] = self.load("subtasks", "--count", 100 // self.scale, "--prefix", "whole-")
        operator.stop()

    def fresh_cluster(self):
        """Only the Tasks of the next phase shall be there, and deleting thousands of objects takes longer than a new cluster."""
        subprocess.run([REPO / "hack/dev-cluster", "up", "--fresh", "--dir", self.args.dir, "--crds", REPO / "crds"],
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
            memory[f"tasks_{count}"] = at_rest_mb(operator)
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


def operator_writes(operator):
    """Writes so far; renewals of its Lease are not counted, since they belong to no run."""
    return {"operator": operator.metric("convoke_object_writes_total"), "events": operator.metric("convoke_events_sent_total")}


def at_rest_mb(operator):
    """What stays once the heap was trimmed, which the operator does twice a minute."""
    high = operator.resident_mb()
    end = time.monotonic() + 35
    while time.monotonic() < end and operator.resident_mb() > 0.97 * high:
        time.sleep(1)
    return operator.resident_mb()


def settled(operator):
    return operator.metric("workqueue_depth") == 0 and operator.metric("controller_runtime_active_workers") == 0


def table(numbers):
    one, by = numbers["one_step"], numbers["one_step"]["writes_per_run_by"]
    rows = [
        ("ceiling: creates", f"{numbers['ceiling']['creates_per_s']:.0f} /s", ""),
        ("ceiling: status patches", f"{numbers['ceiling']['status_patches_per_s']:.0f} /s", ""),
        ("one-step runs", f"{one['runs_per_s']:.1f} /s", f"{100 * one['ratio_to_ceiling']:.0f} % of the ceiling for as many writes"),
        ("writes per run", f"{one['writes_per_run']:.2f}", f"operator {by['operator']:.2f}, agent {by['agents']:.2f}, Events {by['events']:.2f}"),
        ("create to assigned", f"{one['create_to_assigned_p99_ms']:.0f} ms", f"p99 at half of the ceiling; p50 {one['create_to_assigned_p50_ms']:.0f} ms"),
        ("create to finished", f"{one['create_to_finished_p99_ms']:.0f} ms", f"p99 at half of the ceiling; p50 {one['create_to_finished_p50_ms']:.0f} ms"),
        ("operator CPU per run", f"{one['operator_cpu_ms_per_run']:.2f} ms", ""),
        *[(f"lock grants, {name} lock{'s' * (name != 'one')}", f"{value['grants_per_s']:.0f} /s",
           f"hand-over p50 {value['hand_over_p50_ms']:.0f} ms, p99 {value['hand_over_p99_ms']:.0f} ms")
          for name, value in numbers["locks"].items()],
        ("ten subtasks: create to all assigned", f"{numbers['ten_subtasks']['create_to_all_assigned_p50_ms']:.0f} ms",
         f"p50; p99 {numbers['ten_subtasks']['create_to_all_assigned_p99_ms']:.0f} ms"),
        *[(f"memory, {name.replace('_', ' ')}", f"{value:.1f} MB", "resident") for name, value in numbers["memory_mb"].items()],
        *[(f"start-up, {name.replace('_', ' ')}", f"{value:.2f} s", "to ready") for name, value in numbers["startup_s"].items()],
    ]
    width = max(len(row[0]) for row in rows)
    return "\n".join(f"{name:<{width}}  {value:>12}  {note}".rstrip() for name, value, note in rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json")
    bench = Bench(parser.parse_args())
    try:
        bench.ceiling()
        bench.runs()
        bench.locks()
        bench.subtasks()
        bench.memory()
    finally:
        shutil.rmtree(bench.directory, ignore_errors=True)
    print(table(bench.numbers))
    if bench.args.json:
        pathlib.Path(bench.args.json).write_text(json.dumps(bench.numbers, indent=2) + "\n")


if __name__ == "__main__":
    main()
