"""1,000 Tasks over 20 agents and 100 runs at once: all complete, with little memory and few writes, which are printed."""

import json

import yaml

from harness.processes import assert_no_attempt_ran_twice
from harness.waiting import wait_until
from harness.world import run, shell_step, task, workflow

TASKS, AGENTS, RUNS = 1000, 20, 100


def finished(world, kind):
    # A column each: less to print and to parse than whole objects.
    done = world.kubectl("get", kind, "-o", "jsonpath={range .items[*]}{.status.phase}{\"\\n\"}{end}")
    phases = done.stdout.split("\n")
    return phases.count("Succeeded"), phases.count("Failed")


def test_a_thousand_tasks_and_a_hundred_runs(world, say):
    runners = [world.runner(f"agent-{i:02d}", start=False, agent={"capacity": 5, "heartbeat": {"interval": "5s", "timeout": "30s"}})
               for i in range(AGENTS)]
    operator = world.operator()
    for runner in runners:
        runner.start()
    world.apply(workflow("two", [shell_step("one", "true"), shell_step("two", "true", ["one"])],
                         historyLimits={"succeeded": 1000, "failed": 1000}))
    world.kubectl("wait", "cwf/two", "--for=condition=Ready", "--timeout=20s")
    world.kubectl("create", "-f", "-", input="\n---\n".join(json.dumps(run(f"run-{i}", "two")) for i in range(RUNS)))
    world.kubectl("create", "-f", "-", input="\n---\n".join(
        yaml.safe_dump(task(f"task-{i}", parameters={"command": "true"})) for i in range(TASKS)))
    wait_until(lambda: finished(world, "cwr")[0] == RUNS and finished(world, "ctk")[0] == TASKS + 2 * RUNS, 400,
               lambda: f"runs {finished(world, 'cwr')}, tasks {finished(world, 'ctk')}\n{world.logs()}", interval=2)
    assert len(assert_no_attempt_ran_twice(runners)) == TASKS + 2 * RUNS
    writes = operator.metric("convoke_object_writes_total")
    say(f"{TASKS} Tasks and {RUNS} runs of two steps: operator memory {operator.resident_mb():.1f} MB, "
        f"{writes:.0f} object writes ({writes / (TASKS + 2 * RUNS):.2f} a Task), "
        f"{operator.metric('process_cpu_seconds_total'):.1f} s of CPU")
    assert all(a["status"].get("phase") == "Ready" for a in world.list("cag"))
