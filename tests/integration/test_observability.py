"""What a person sees of Convoke from outside: metrics, dashboards and alerts, as a real Prometheus reads them from a real
operator after real work."""

import json
import re
import subprocess
import urllib.error
import urllib.request

import pytest
import yaml

from harness.processes import REPO
from harness.prometheus import Prometheus, promtool
from harness.waiting import wait_until
from harness.world import run, shell_step, task, workflow

CHART = REPO / "charts/convoke"
ALERTS = CHART / "files/alerts.yaml"
SOURCES = REPO / "hack/dashboards"
METRIC = re.compile(r"\b(?:convoke|workqueue|controller_runtime|rest_client|leader_election|process)_\w+")
# Metrics that a healthy operator of this test has no reason to have.
ONLY_IN_A_CONTAINER = {"convoke_memory_limit_bytes"}
NO_RETRY = {"limit": 0}


def alerts():
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def dashboards():
    return {path.stem: json.loads(path.read_text()) for path in sorted((CHART / "files/dashboards").glob("*.json"))}


def queries(dashboard):
    """(panel's title, legend, expression) of each query."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["legendFormat"], target["expr"]


def maybe_empty():
    """(panel's title, legend) of the queries that need not have data."""
    found = set()
    for path in SOURCES.glob("*.yaml"):
        for row in yaml.safe_load(path.read_text())["rows"]:
            for panel in row["panels"]:
                found |= {(panel["title"], legend) for legend in panel.get("maybe_empty", {})}
    return found


def for_prometheus(expression):
    """As Grafana sends it, with all jobs chosen."""
    return expression.replace("$__rate_interval", "1m").replace("$job", ".*")


def test_the_dashboards_are_what_their_sources_say():
    done = subprocess.run([SOURCES / "generate", "--check"], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 1 <= len(dashboards()) <= 3
    assert len({d["uid"] for d in dashboards().values()}) == len(dashboards())


def test_each_alert_is_complete_and_has_a_runbook_and_each_runbook_an_alert():
    text = (CHART / "README.md").read_text()
    section = re.search(r"^## Alerts and runbooks\n(.*?)(?=^## |\Z)", text, re.M | re.S).group(1)
    assert set(re.findall(r"^### (\S+)$", section, re.M)) == set(alerts())
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in ("critical", "warning"), name
        assert rule["annotations"]["summary"] and rule["annotations"]["description"], name
        assert rule["annotations"]["runbook_url"] == f"charts/convoke/README.md#{name.lower()}", name


def test_each_alert_fires_when_it_should_and_only_then():
    promtool("check", "rules", ALERTS)
    tests = REPO / "tests/integration/alerts/alerts_test.yaml"
    promtool("test", "rules", tests)
    fired = set(re.findall(r"Convoke\w+", tests.read_text()))
    assert fired == set(alerts()), "these alerts are not fired by alerts_test.yaml, or do not exist"


@pytest.fixture
def prometheus(world):
    """Goes with the world."""
    process = Prometheus(world.directory, yaml.safe_load(ALERTS.read_text()))
    world.processes.append(process)
    return process.start().wait_ready()


def test_a_real_prometheus_sees_all_that_dashboards_and_alerts_ask_for(world, prometheus):
    runner = world.runner("worker")
    operator = world.operator(settings={"audit": {"path": str(world.directory / "audit.log")},
                                        "cloudEvents": {"address": "127.0.0.1:0", "allowAnonymous": True}})
    world.wait_phase("cag", "worker", "Ready")
    world.kubectl("patch", "cag", "worker", "--type=merge", "-p", '{"spec": {"circuitBreaker": {"failureThreshold": 0}}}')
    prometheus.scrape(operator)
    wait_until(lambda: prometheus.query("convoke_build_info"), 20, lambda: "the operator is not scraped")
    work(world)
    send_events(operator)
    check_exposition(operator)
    # A rate needs a series that was seen twice; the series of a label begin with its first use.
    wait_until(lambda: prometheus.query("convoke_task_assign_seconds_count"), 20, lambda: "the first work is not scraped")
    fail_tasks(world, "fails-again", 8)
    world.apply(run("good-2", "good"), run("bad-again", "bad"))
    for name in ("good-2", "bad-again"):
        world.wait_finished("cwr", name)
    check_dashboards(prometheus)
    check_names(prometheus)
    check_queue(world, operator)
    prometheus.wait_firing("ConvokeTasksFail", "ConvokeRunsFail")
    wait_until(lambda: prometheus.firing() <= {"ConvokeTasksFail", "ConvokeRunsFail"}, 20, lambda: str(prometheus.firing()))
    runner.kill()
    prometheus.wait_firing("ConvokeAgentsOffline")
    # Who may do nothing cannot fill its caches, and so cannot lead.
    powerless = world.operator("powerless", {"kubeconfig": str(world.cluster.user("nobody"))}, start=False).start()
    wait_until(powerless.address, 20)
    operator.stop()
    prometheus.scrape(powerless)
    prometheus.wait_firing("ConvokeCacheNotSynced", "ConvokeNoLeader")
    powerless.kill()
    prometheus.wait_firing("ConvokeOperatorDown")


def work(world):
    """Something of everything: Tasks and runs that succeed, that fail, and that nobody can do."""
    world.apply(workflow("good", [shell_step("one", "true"), shell_step("two", "true", ["one"])]),
                workflow("bad", [shell_step("one", "exit 3", retry=NO_RETRY)], historyLimits={"failed": 10}))
    undone = {"type": "shell", "parameters": {"command": "true"}}
    world.apply(workflow("undone", [shell_step("one", "true", compensate=undone), shell_step("two", "exit 1", ["one"], retry=NO_RETRY)],
                         onFailure="Compensate", triggers=[{"type": "Create"}]),
                workflow("asks", [{"name": "gate", "approval": {}}]),
                workflow("pushed", [shell_step("one", "true")], triggers=[{"type": "Event", "event": {"type": "push"}}]))
    for name in ("bad", "undone", "asks", "pushed"):
        world.wait_phase("cwf", name, "Ready")
    world.apply(run("asks-1", "asks", createdBy="carl"))
    world.apply(run("good-1", "good"), *[run(f"bad-{i}", "bad") for i in range(5)])
    fail_tasks(world, "fails", 8)
    for name in ["good-1", *[f"bad-{i}" for i in range(5)]]:
        world.wait_finished("cwr", name)
    world.wait_phase("cwr", wait_until(lambda: world.status("cwf", "undone").get("createdRun"), 20), "Compensated")
    wait_until(lambda: world.status("cwr", "asks-1").get("steps", [{}])[0].get("reason") == "WaitingForApproval", 30)


def send_events(operator):
    """One that starts a run, and what is none."""
    (address,) = re.findall(r'"receiving CloudEvents".*"address":"([^"]+)"', operator.log())
    for kind, body, code in (("application/cloudevents+json", '{"specversion": "1.0", "id": "1", "source": "/", "type": "push"}', 202),
                             ("application/json", "{}", 415)):
        request = urllib.request.Request(f"http://{address}/events", body.encode(), {"Content-Type": kind})
        try:
            answer = urllib.request.urlopen(request, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        assert answer.status == code, answer.read()


def fail_tasks(world, name, count):
    world.apply(*[task(f"{name}-{i}", parameters={"command": "exit 1"}, retry=NO_RETRY, priority=i % 5 + 1,
                       locks=[{"name": "disk"}] if i < 3 else []) for i in range(count)])
    for i in range(count):
        world.wait_phase("ctk", f"{name}-{i}", "Failed")


def check_exposition(operator):
    text = operator.get("/metrics")
    assert promtool("check", "metrics", input=text) == ""
    assert set(re.findall(r"^# TYPE (\S+)", text, re.M)) == set(re.findall(r"^# HELP (\S+) \S", text, re.M))
    wait_until(lambda: operator.metrics()['convoke_run_oldest_seconds{phase="Pending"}'] == 0, 20,
               lambda: "a run stays Pending")  # the event's begins just now
    # What was never used exists at 0.
    metrics = operator.metrics()
    assert metrics['convoke_tasks_finished_total{phase="Failed",reason="OutputTooLarge"}'] == 0
    assert metrics['convoke_tasks_finished_total{phase="Failed",reason="Failed"}'] == 14
    assert metrics['convoke_runs_finished_total{phase="Failed",reason="StepFailed"}'] == 5
    assert metrics['convoke_agent_attempts_total{agent="default/worker",outcome="Failed"}'] == 14
    assert metrics['convoke_workflow_runs_finished_total{phase="Succeeded",workflow="default/good"}'] == 1
    assert metrics['convoke_runs_finished_total{phase="Compensated",reason="StepFailed"}'] == 1
    assert metrics['convoke_steps_waiting{reason="WaitingForApproval"}'] == 1
    assert metrics['convoke_step_oldest_waiting_seconds{reason="WaitingForApproval"}'] > 0
    assert metrics['convoke_run_oldest_seconds{phase="Running"}'] > 0
    assert metrics['convoke_trigger_firings_total{result="Started",type="Create"}'] == 1
    assert metrics['convoke_trigger_firings_total{result="Started",type="Event"}'] == 1
    assert metrics['convoke_trigger_firings_total{result="Missed",type="Schedule"}'] == 0
    assert metrics['convoke_cloudevent_requests_total{code="202"}'] == metrics['convoke_cloudevent_requests_total{code="415"}'] == 1


def check_dashboards(prometheus):
    def empty():
        return [(dashboard, title, legend) for dashboard, content in dashboards().items()
                for title, legend, expression in queries(content)
                if (title, legend) not in maybe_empty() and not has_data(prometheus.query(for_prometheus(expression)))]

    wait_until(lambda: not empty(), 60, lambda: f"no data for {empty()}")
    for content in dashboards().values():
        for _, _, expression in queries(content):
            prometheus.query(for_prometheus(expression))  # an error of Prometheus fails the test


def has_data(samples):
    """A number: the division of nothing by nothing is none."""
    return any(value == value for _, value in samples)


def check_names(prometheus):
    """Each metric that is asked for exists, with each label that is asked for."""
    expressions = [expression for content in dashboards().values() for _, _, expression in queries(content)]
    expressions += [rule["expr"] for rule in alerts().values()]
    for expression in expressions:
        labels = {}
        for metric in set(METRIC.findall(expression)) - ONLY_IN_A_CONTAINER:
            series = prometheus.series(metric)
            assert series, f"no metric {metric}, which is asked for by {expression}"
            labels[metric] = set().union(*series)
        for metric, matchers in re.findall(rf"({METRIC.pattern})\{{([^}}]*)\}}", expression):
            asked = set(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', matchers))
            assert metric in ONLY_IN_A_CONTAINER or asked <= labels[metric], f"{metric} has no labels {asked - labels[metric]}"
        for names in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
            asked = {name.strip() for name in names.split(",")}
            assert not labels or asked <= set().union(*labels.values()), f"no labels {asked} in {expression}"


def check_queue(world, operator):
    """Where the queue is, and that no label that people choose grows without end."""
    many = [task(f"odd-{i}", f"odd-type-{i}") for i in range(40)]
    world.apply(*many)
    wait_until(lambda: operator.metric("convoke_tasks_waiting", reason="NoEligibleAgent") == 40, 20)
    assert operator.metric("convoke_task_oldest_waiting_seconds", reason="NoEligibleAgent") > 0
    assert operator.metric("convoke_task_oldest_waiting_seconds", reason="AgentsBusy") == 0
    types = set(re.findall(r'convoke_task_assign_seconds_count\{.*?type="([^"]*)"', operator.get("/metrics")))
    assert len(types) == 21 and "other" in types, types
    world.kubectl("-n", "default", "delete", "ctk", *[t["metadata"]["name"] for t in many], "--wait=false")
    wait_until(lambda: operator.metric("convoke_tasks_waiting") == 0, 20)
    assert operator.metric("convoke_task_oldest_waiting_seconds") == 0
