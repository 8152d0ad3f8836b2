"""A steady load, and the proof afterwards that nothing of it was lost or done twice."""

import itertools
import threading

from .processes import assert_no_attempt_ran_twice
from .waiting import wait_until
from .world import FINISHED, run, shell_step, task, workflow

WORKFLOW = "load"


class Load:
    """Tasks at a steady pace, and with every fifth a run of two steps, until stop()."""

    def __init__(self, world, api, period=0.1):
        self.world, self.api, self.period = world, api, period
        self.tasks = self.runs = 0
        self.failure = None
        self._stopped = threading.Event()
        world.apply(workflow(WORKFLOW, [shell_step("one", "true"), shell_step("two", "true", ["one"])],
                             historyLimits={"succeeded": 1000, "failed": 1000}))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            for number in itertools.count():
                if self._stopped.wait(self.period):
                    return
                self.api.create(task(f"load-{number}", parameters={"command": "true"}))
                self.tasks += 1
                if number % 5 == 0:
                    self.api.create(run(f"load-run-{number}", WORKFLOW))
                    self.runs += 1
        except Exception as failure:  # told by stop()
            self.failure = failure

    def stop(self):
        self._stopped.set()
        self._thread.join()
        assert self.failure is None, self.failure

    def assert_all_done_once(self, runners, others=0, timeout=180):
        """All succeeded, at the first attempt, and the runners' journals show one start for each Task. `others`: Tasks that
        are not of the load."""
        self.stop()
        expected = self.tasks + 2 * self.runs + others
        wait_until(lambda: self._finished("ctk") == expected and self._finished("cwr") == self.runs, timeout,
                   lambda: f"{self._finished('ctk')} of {expected} Tasks, {self._finished('cwr')} of {self.runs} runs\n"
                           f"{self.world.logs()}", interval=0.5)
        for kind in ("ctk", "cwr"):
            for item in self.world.list(kind):
                assert item["status"]["phase"] == "Succeeded", item["status"]
                assert item["status"].get("attempt", 1) == 1, item["status"]
        assert len(assert_no_attempt_ran_twice(runners)) == expected

    def _finished(self, kind):
        phases = self.world.kubectl("get", kind, "-o", "jsonpath={range .items[*]}{.status.phase}{\"\\n\"}{end}").stdout
        return sum(phase in FINISHED for phase in phases.split("\n"))
