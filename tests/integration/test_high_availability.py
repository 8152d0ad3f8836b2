"""Two operators, one leads: it is killed, frozen, cut off, or its clock is wrong, and both are upgraded, all under a steady
load. Afterwards every Task and run has succeeded at its first attempt, and the runners' journals show that none ran twice.
How long nobody decided is printed; only generous bounds are asserted."""

import json
import time

import pytest

from harness.api import Api, Sightings
from harness.load import Load
from harness.proxy import Proxy
from harness.waiting import wait_until
from harness.world import OPERATOR_USER, task

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
QUICK = {"leaseDuration": "5s", "renewDeadline": "4s", "retryPeriod": "300ms"}
STANDARD = {"leaseDuration": "15s", "renewDeadline": "10s", "retryPeriod": "2s"}


class Pair:
    """Operators that lead and stand by, each behind a proxy of its own, with two agents and a steady load."""

    def __init__(self, world):
        self.world = world.fence()
        self.api = Api(world.cluster.kubeconfig)
        self.sightings = Sightings(self.api)
        self.operators, self.proxies = [], {}
        beat = {"heartbeat": {"interval": "1s", "timeout": "30s"}}
        self.runners = [world.runner(name, start=False, agent=beat) for name in ("builder-1", "builder-2")]
        self.load = None

    def add(self, name, settings=None, election=None, restart=True, **options):
        user = self.world.cluster.user(OPERATOR_USER)
        self.proxies[name] = proxy = Proxy.of(user)
        kubeconfig = proxy.kubeconfig(user, self.world.directory / f"{name}.kubeconfig")
        settings = {"leaderElection": election or QUICK, **(settings or {})}
        operator = self.world.operator(name, settings, kubeconfig=kubeconfig, **options)
        self.operators.append(operator)
        return operator.restart_when_it_ends() if restart else operator

    def start_load(self):
        for runner in self.runners:
            runner.start()
        for runner in self.runners:
            self.world.wait_phase("cag", runner.name, "Ready", 30)
        self.load = Load(self.world, self.api)
        self.wait_decision()
        return self

    def leader_and_standby(self):
        """The one that leads, and another that is ready to."""
        def found():
            ready = [o for o in self.operators if o.alive() and o.ready()]
            leading = [o for o in ready if o.leads()]
            return len(leading) == 1 and len(ready) == 2 and (leading[0], *(o for o in ready if o is not leading[0]))
        return wait_until(found, 60, lambda: f"no leader and standby:\n{self.world.logs()}")

    def wait_decision(self, moment=None):
        """Until an assignment was made after that moment, which is now if none is given."""
        moment = moment or time.monotonic()
        wait_until(lambda: self.sightings.assigned_after(moment), 40, lambda: f"nothing was assigned:\n{self.world.logs()}")

    def pause(self, since):
        """The longest pause between two decisions since then, in seconds, once a successor has decided."""
        self.wait_decision()
        return self.sightings.longest_pause(since)

    def assert_nothing_lost_or_doubled(self, others=0):
        self.load.assert_all_done_once(self.runners, others)

    def close(self):
        self.sightings.close()
        if self.load:
            self.load.stop()
        for proxy in self.proxies.values():
            proxy.heal()
            proxy.close()


@pytest.fixture
def pair(world):
    pair = Pair(world)
    try:
        yield pair
    finally:
        pair.close()


def test_the_leader_is_killed_with_the_standard_lease(pair, say):
    for name in ("operator-a", "operator-b"):
        pair.add(name, election=STANDARD)
    pair.start_load()
    leader, standby = pair.leader_and_standby()
    began, before = time.monotonic(), [cpu(o) for o in (leader, standby)]
    tasks = pair.load.tasks
    wait_until(lambda: pair.load.tasks > tasks + 50, 60)
    shares = [100 * (cpu(o) - b) / (time.monotonic() - began) for o, b in zip((leader, standby), before)]
    say(f"ten Tasks and two runs a second: the leader takes {leader.resident_mb():.0f} MB and {shares[0]:.1f} % of a core, the "
        f"standby {standby.resident_mb():.0f} MB and {shares[1]:.1f} %")
    killed_at = time.monotonic()
    leader.kill()
    wait_until(lambda: standby.leads(), 40, standby.log_tail)
    pause = pair.pause(killed_at)
    say(f"killed, lease of 15 s: no decision for {pause:.1f} s")
    assert pause < 40
    leader.start()
    pair.leader_and_standby()
    pair.assert_nothing_lost_or_doubled()


def cpu(operator):
    return operator.metric("process_cpu_seconds_total")


def test_the_leader_is_frozen_past_its_lease_and_woken(pair, say):
    for name in ("operator-a", "operator-b"):
        pair.add(name)
    pair.start_load()
    leader, standby = pair.leader_and_standby()
    restarts, frozen_at = leader.restarts, time.monotonic()
    leader.freeze()
    wait_until(lambda: standby.leads(), 30, standby.log_tail)
    say(f"frozen, lease of 5 s: no decision for {pair.pause(frozen_at):.1f} s")
    leader.wake()
    wait_until(lambda: leader.restarts > restarts, 20, lambda: "the deposed leader goes on")
    pair.leader_and_standby()
    pair.assert_nothing_lost_or_doubled()


FAULTS = {
    "all is held back": lambda proxy: proxy.stall(),
    "connections are reset": lambda proxy: proxy.cut(),
    "answers are held back": lambda proxy: proxy.stall(requests=False),
    "connections are half closed, then reset": lambda proxy: (proxy.half_close(), proxy.cut()),
}


def test_the_leader_is_cut_off_from_the_api_server(pair, say):
    for name in ("operator-a", "operator-b"):
        pair.add(name)
    pair.start_load()
    for name, fault in FAULTS.items():
        leader, standby = pair.leader_and_standby()
        proxy, restarts, cut_at = pair.proxies[leader.name], leader.restarts, time.monotonic()
        fault(proxy)
        wait_until(lambda: standby.leads(), 30, standby.log_tail)
        pause = pair.pause(cut_at)
        # Now what the former leader had sent arrives, late.
        proxy.heal()
        wait_until(lambda: leader.restarts > restarts, 40, lambda: f"the deposed leader goes on:\n{leader.log_tail()}")
        say(f"cut off, lease of 5 s, {name}: no decision for {pause:.1f} s; the former leader ended "
            f"{time.monotonic() - cut_at:.1f} s after the cut")
    pair.assert_nothing_lost_or_doubled()


def test_what_a_former_leader_sent_is_refused_however_late(pair):
    world = pair.world
    for name in ("operator-a", "operator-b"):
        pair.add(name, restart=False)
    leader, standby = pair.leader_and_standby()
    world.apply(task("held", parameters={"command": "true"}))
    wait_until(lambda: world.status("ctk", "held").get("reason") == "NoEligibleAgent", 40)
    leader.kill()
    wait_until(lambda: standby.leads(), 30, standby.log_tail)

    # An assignment as the former leader may have sent it before it died: everything in it is right, but for who sends it.
    late = {"metadata": {"resourceVersion": world.get("ctk", "held")["metadata"]["resourceVersion"]},
            "status": {"phase": "Assigned", "agentName": "builder-1", "assignment": {"id": "late"}}}
    first, second = (send_as(world, f"convoke-operator/{leader}", late) for leader in (0, 1))
    assert first.returncode != 0 and "this write is of a former leader (convoke-operator/0)" in first.stderr, first
    assert second.returncode == 0, second.stderr

    pair.start_load()
    world.wait_phase("ctk", "held", "Succeeded")
    signed = {entry["manager"] for entry in world.get("ctk", "held")["metadata"]["managedFields"]}
    assert {"convoke-operator/0", "convoke-operator/1"} <= signed, signed
    pair.assert_nothing_lost_or_doubled(others=1)


def send_as(world, manager, status_patch):
    """What the API server would say of that write of an operator."""
    return world.kubectl("patch", "ctk", "held", "--subresource=status", "--type=merge", "--dry-run=server", "-p",
                         json.dumps(status_patch), f"--field-manager={manager}", check=False)


def test_the_standby_whose_watches_died_silently_leads_with_fresh_caches(pair, say):
    leader = pair.add("operator-a", restart=False)
    wait_until(lambda: leader.leads(), 40)
    standby = pair.add("operator-b", settings={"watch": {"idleTimeout": "3s"}})
    pair.start_load()
    pair.proxies["operator-b"].stall_established()
    tasks = pair.load.tasks
    wait_until(lambda: pair.load.tasks > tasks + 20, 40)  # which the dead watches do not show
    asked_at = time.monotonic()
    assert leader.stop() == 0
    wait_until(lambda: standby.leads(), 30, standby.log_tail)
    say(f"SIGTERM while the standby's watches are dead: no decision for {pair.pause(asked_at):.1f} s")
    pair.assert_nothing_lost_or_doubled()


def test_the_clock_of_the_leaders_node_is_set_by_an_hour(pair, say):
    offset = pair.world.directory / "offset"
    set_clock(offset, "+0s")
    shifted = pair.add("operator-a", restart=False, environment={
        "LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
    wait_until(lambda: shifted.leads(), 20, shifted.log_tail)
    other = pair.add("operator-b", restart=False)
    pair.start_load()
    gate = pair.world.directory / "gate"
    pair.world.apply(task("long", parameters={"command": f"while [ ! -e {gate} ]; do sleep 0.1; done"},
                          timeout="10m", deadline="30m"))
    pair.world.wait_phase("ctk", "long", "Running")
    for change, notice in (("+1h", "does not agree with"), ("+0s", "agrees with"), ("+1h", "does not agree with")):
        notices = shifted.log().count(f"clock {notice} the API server's")
        set_clock(offset, change)
        wait_until(lambda: shifted.log().count(f"clock {notice} the API server's") > notices, 20, shifted.log_tail)
        pair.wait_decision()
        assert shifted.leads(), shifted.log_tail()
    asked_at = time.monotonic()
    assert shifted.stop() == 0
    wait_until(lambda: other.leads(), 20, other.log_tail)
    say(f"SIGTERM, the leader's clock is an hour ahead: no decision for {pair.pause(asked_at):.1f} s")
    # The one with the wrong clock takes over again, this time from one that was killed.
    shifted.start().wait_ready()  # (an hour behind would make the cluster's new certificates not valid yet)
    killed_at = time.monotonic()
    other.kill()
    wait_until(lambda: shifted.leads(), 20, shifted.log_tail)
    say(f"killed, lease of 5 s, the successor's clock is an hour ahead: no decision for {pair.pause(killed_at):.1f} s")
    gate.touch()
    pair.assert_nothing_lost_or_doubled(others=1)


def set_clock(path, offset):
    new = path.with_suffix(".new")
    new.write_text(offset + "\n")
    new.rename(path)


def test_both_operators_are_upgraded_one_after_the_other(pair, say):
    for name in ("old-a", "old-b"):
        pair.add(name, election=STANDARD, restart=False)
    pair.start_load()
    leader, standby = pair.leader_and_standby()
    for number, operator in enumerate((leader, standby)):
        pair.add(f"new-{number}", election=STANDARD, restart=False)  # a surge: the new one is ready first
        led, asked_at = operator.leads(), time.monotonic()
        assert operator.stop() == 0, operator.log_tail()
        ended = time.monotonic() - asked_at
        pause = pair.pause(asked_at)
        say(f"upgrade under load, lease of 15 s: the {'leader' if led else 'standby'} ended {ended:.2f} s after SIGTERM; no "
            f"decision for {pause:.2f} s")
        assert pause < 14  # the lease has 15 s: it was released
    wait_until(lambda: sum(o.leads() for o in pair.operators if o.alive()) == 1, 40)
    pair.assert_nothing_lost_or_doubled()
