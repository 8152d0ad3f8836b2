"""Fixtures of the tests against a real API server."""

import itertools
import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness.dev_cluster import DevCluster  # noqa: E402
from harness.kubectl import Kubectl  # noqa: E402
from harness.world import World  # noqa: E402


def pytest_configure():
    """Who ends the tests with SIGTERM, as timeout(1) does, wants no cluster left running."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_sessionfinish(session):
    """A test that did not run has shown nothing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A control plane of its own for this session, with the CRDs."""
    cluster = DevCluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield cluster.up()
    finally:
        cluster.down()


@pytest.fixture
def say(record_property):
    """What a test measured, to be told at the end, whichever process ran it."""
    return lambda text: record_property("measured", text)


def pytest_terminal_summary(terminalreporter):
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    measured = [f"    {report.nodeid.rsplit('::')[-1]}: {text}" for report in reports if getattr(report, "when", "") == "call"
                for name, text in report.user_properties if name == "measured"]
    if measured:
        terminalreporter.section("what was measured")
        terminalreporter.write_line("\n".join(measured))


_numbers = itertools.count(1)


@pytest.fixture
def admin(cluster):
    """kubectl of an administrator, in a namespace of its own for each test."""
    namespace = f"test-{next(_numbers)}"
    kubectl = Kubectl(cluster.kubeconfig, cluster.kubectl, namespace)
    kubectl.do("create", "namespace", namespace)
    yield kubectl
    kubectl.do("delete", "namespace", namespace, "--wait=false")


@pytest.fixture
def world(cluster, tmp_path):
    """Convoke as a platform team would have set it up, in the namespace default, which is empty again afterwards."""
    world = World(cluster, tmp_path).install()
    try:
        yield world
    finally:
        world.stop()
        world.empty()
