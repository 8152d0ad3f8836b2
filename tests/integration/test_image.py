"""The container images: what is in them, and that Convoke does its main job in them with the rights that it is given."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile

import pytest
import yaml
from harness.container import (OPERATOR_RBAC, USER, ContainerOperator, ContainerRunner, ServiceAccount, build_images, docker, images,
                               operator_rules, service_account)
from harness.processes import REPO
from harness.waiting import wait_until
from harness.world import OPERATOR_USER, run, shell_step, task, workflow
from test_main_job import DIAMOND

JOBS_RBAC = REPO / "charts/convoke/files/dispatch-jobs-rbac.yaml"
SIZE_LIMIT = 60_000_000
KEPT_REVISIONS = 10  # kKeptRevisions in reconcilers/workflow/history.h
# What the engine adds to a container, and no image holds.
ADDED = re.compile(r"(\.dockerenv|dev|proc|sys|etc/(hosts|hostname|resolv\.conf|mtab))(/.*)?$")


# --- what is in them --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def operator_files(tmp_path_factory):
    """The files of the operator's image as a tar archive."""
    path = tmp_path_factory.mktemp("image") / "files.tar"
    container = docker("create", images()["convoke-operator"]).stdout.strip()
    try:
        docker("export", "-o", path, container)
    finally:
        docker("rm", container)
    with tarfile.open(path) as archive:
        yield archive


def members(archive):
    return [m for m in archive.getmembers() if not ADDED.match(m.name)]


def inspect(image):
    return json.loads(docker("image", "inspect", image).stdout)[0]


def test_the_operators_image_is_small_and_holds_nothing_to_break_in_with(operator_files):
    facts = inspect(images()["convoke-operator"])
    assert facts["Size"] < SIZE_LIMIT, f"{facts['Size'] / 1e6:.1f} MB"
    assert facts["Config"]["User"] == USER
    programs = {m.name for m in members(operator_files) if m.isfile() and m.mode & 0o111 and not re.search(r"\.so(\.|$)", m.name)}
    assert programs == {f"usr/bin/{name}" for name in ("convoke-operator", "convoke-runner", "convoke-check", "kubectl-convoke")}
    for member in members(operator_files):
        assert (member.uid, member.gid) == (0, 0), member.name
        assert member.issym() or member.mode & 0o6022 == 0, f"{member.name}: {member.mode:o}"


def test_the_runners_image_has_a_shell_and_is_not_root_either():
    assert inspect(images()["convoke-runner"])["Config"]["User"] == USER
    said = docker("run", "--rm", "--read-only", "--network", "none", "--entrypoint", "/bin/sh", images()["convoke-runner"], "-c", "id -u")
    assert said.stdout.strip() == "65532"


def test_the_operators_image_has_the_plugin_which_needs_nothing_else(world):
    def plugin(*arguments, check=True):
        return docker("run", "--rm", "--read-only", "--cap-drop", "ALL", "--network", "host", "--user", os.getuid(),
                      "-v", f"{world.cluster.kubeconfig}:/kubeconfig:ro", "-e", "KUBECONFIG=/kubeconfig", "-v", f"{REPO}/crds/samples:/samples:ro",
                      "--entrypoint", "kubectl-convoke", images()["convoke-operator"], *arguments, check=check)

    assert plugin("--version").stdout.startswith("kubectl-convoke ")
    assert plugin("lint", "/samples/hello.yaml").returncode == 0
    world.apply(workflow("seen", [shell_step("only", "true")]))
    assert "seen" in plugin("tree", "-A").stdout
    missing = plugin("tree", "run/absent", check=False)
    assert missing.returncode == 2 and "absent" in missing.stderr


@pytest.mark.parametrize("program", ["convoke-operator", "convoke-runner"])
def test_the_programs_say_what_they_are(program):
    image = images()[program]
    said = docker("run", "--rm", "--read-only", "--network", "none", "--cap-drop", "ALL", image, "--version").stdout
    labels = inspect(image)["Config"]["Labels"]
    version = re.search(r'CONVOKE_VERSION "(.*?)"', (REPO / "CMakeLists.txt").read_text()).group(1)
    assert said.startswith(f"{program} {version}\n")
    assert labels["org.opencontainers.image.version"] == version == image.split(":")[1]
    assert f"\ncommit:    {labels['org.opencontainers.image.revision']}\n" in said
    assert f"\nbuilt:     {labels['org.opencontainers.image.created']}\n" in said
    assert re.search(r"\ncompiler:  g\+\+ 12\..*\nlibraries: .*OpenSSL 3\.", said), said


def test_the_list_of_parts_is_complete_and_right(operator_files):
    sbom = json.load(operator_files.extractfile("usr/share/convoke/sbom.spdx.json"))
    assert sbom["spdxVersion"] == "SPDX-2.3" and sbom["dataLicense"] == "CC0-1.0" and sbom["SPDXID"] == "SPDXRef-DOCUMENT"
    assert json.loads((REPO / "build/image/sbom.spdx.json").read_text()) == sbom
    parts = {part["SPDXID"]: part for part in [*sbom["packages"], *sbom["files"]]}
    assert len(parts) == len(sbom["packages"]) + len(sbom["files"]), "ids are not unique"
    assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", name) for name in parts)
    for relation in sbom["relationships"]:
        for end in ("spdxElementId", "relatedSpdxElement"):
            assert relation[end] in parts or relation[end] == "SPDXRef-DOCUMENT", relation
    owners = {r["relatedSpdxElement"]: r["spdxElementId"] for r in sbom["relationships"] if r["relationshipType"] == "CONTAINS"}

    listed = {file["fileName"].removeprefix("./"): file for file in sbom["files"]}
    in_image = {m.name: m for m in members(operator_files) if m.isfile() and m.name != "usr/share/convoke/sbom.spdx.json"}
    assert set(listed) == set(in_image)
    for name, member in in_image.items():
        digests = {c["algorithm"]: c["checksumValue"] for c in listed[name]["checksums"]}
        content = operator_files.extractfile(member).read()
        assert digests == {"SHA1": hashlib.sha1(content).hexdigest(), "SHA256": hashlib.sha256(content).hexdigest()}, name
        owner = parts[owners[listed[name]["SPDXID"]]]
        if re.search(r"\.so(\.|$)", name):
            purl = owner["externalRefs"][0]["referenceLocator"]
            assert re.fullmatch(r"pkg:deb/debian/[^@]+@[^?]+\?arch=\w+&distro=debian-12", purl), name
            assert f"usr/share/doc/{owner['name']}/copyright" in in_image, f"the licence of {owner['name']} is missing"
    names = {package["name"] for package in sbom["packages"]}
    assert {"convoke", "libssl3", "libcpprest2.10", "libc6", "tzdata", "ca-certificates"} <= names
    assert {"nlohmann-json3-dev", "libcli11-dev", "libexpected-dev"} <= names, "what was compiled in is missing"


def test_two_builds_are_the_same(tmp_path):
    """The second one in another folder, at another time, without the engine's cache of what follows the compile."""
    facts = inspect(images()["convoke-operator"])
    labels = facts["Config"]["Labels"]
    copy = tmp_path / "elsewhere"
    files = subprocess.run(["git", "-C", REPO, "ls-files", "-co", "--exclude-standard"], check=True, capture_output=True, text=True)
    for name in filter(lambda name: (REPO / name).is_file(), files.stdout.splitlines()):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPO / name, copy / name)
    (copy / "hack/container/unlike-before").touch()
    epoch = subprocess.run(["date", "-d", labels["org.opencontainers.image.created"], "+%s"], check=True, capture_output=True, text=True)
    again = build_images(copy, "operator", "--tag", "again", "--commit", labels["org.opencontainers.image.revision"],
                         environment={**os.environ, "SOURCE_DATE_EPOCH": epoch.stdout.strip()})["convoke-operator"]
    try:
        assert inspect(again)["RootFS"]["Layers"] == facts["RootFS"]["Layers"]
    finally:
        docker("image", "rm", again)


# --- what it may do ---------------------------------------------------------------------------------------------------


@pytest.fixture
def pod_world(world, tmp_path):
    """A world whose operator and agents are containers with the identities of ServiceAccounts."""
    world.apply(service_account("worker", "default"))
    world.allow_agent_to("system:serviceaccount:default:worker", "worker")
    world.operator_account = ServiceAccount(world.cluster, tmp_path / "operator-account", "convoke-system", "convoke-operator")
    world.worker_account = ServiceAccount(world.cluster, tmp_path / "worker-account", "default", "worker")
    return world


def start_operator(world, settings=None):
    operator = ContainerOperator("operator", world.directory, world.operator_account, images()["convoke-operator"], settings)
    world.processes.append(operator)
    return operator.start().wait_ready()


def start_runner(world):
    runner = ContainerRunner("worker", world.directory, world.worker_account, images()["convoke-runner"])
    world.processes.append(runner)
    runner.start()
    world.wait_phase("cag", "worker", "Ready", 30)
    return runner


def test_the_main_job_needs_every_right_and_no_other(pod_world):
    world = pod_world
    # Without streamed lists, as API servers are that have them turned off: then it lists and watches.
    world.cluster.dev_cluster("up", "--audit", "--apiserver-arg=--feature-gates=WatchList=false")
    try:
        world.kubectl("apply", "--server-side", "-f", JOBS_RBAC)
        operator = start_operator(world, {"dispatch": {"jobs": True}})
        runner = start_runner(world)
        do_all_that_needs_a_right(world, runner)
        first = json.loads(operator.log().splitlines()[0])
        assert first["message"] == "starting" and first["commit"] and first["built"], first
        assert operator.metric("convoke_build_info", commit=first["commit"]) == 1
        assert operator.stop() == 0
        requests = operators_requests(world.cluster)
    finally:
        world.cluster.dev_cluster("up", "--no-audit", "--apiserver-arg=--feature-gates=WatchList=true")
    assert [r for r in requests if r[-1] == 403] == [], "a right is missing"
    rights = operator_rules() | operator_rules(JOBS_RBAC)
    used = {right for right in rights if any(is_by(right, request) for request in requests)}
    # `drive`: see the next test. The rest is asked for when a Job has ended or was made twice, for which there is no node here.
    elsewhere = {(None, "convoke.dev", "tasks", "drive", None), (None, "", "pods", "list", None), (None, "batch", "jobs", "get", None)}
    unused = rights - used - elsewhere
    assert unused == set(), "nothing uses these rights"


def do_all_that_needs_a_right(world, runner):
    invalid = workflow("invalid", [shell_step("a", "true", ["a"])])
    for description in ("first", "second"):  # an Event that happens again becomes a series, which is written after 30 s
        invalid["spec"]["description"] = description
        world.apply(invalid)
        world.wait_event("invalid", "InvalidDefinition")
    world.apply(workflow("diamond", DIAMOND, parameters=[{"name": "version", "type": "String", "default": "1"}],
                         outputs=[{"name": "both", "value": "$(steps.bottom.outputs.both)"}]))
    world.apply(run("diamond-1", "diamond", parameters={"version": "9"}))
    assert world.wait_finished("cwr", "diamond-1")["outputs"] == {"both": ["left of 9", 7]}

    # Its second run cancels the first: waited for at the end, as it takes up to two minutes.
    each_minute = {"cron": "* * * * *", "concurrencyPolicy": "Replace"}
    world.apply(workflow("each-minute", [shell_step("sleep", "sleep 600")], triggers=[{"type": "Schedule", "schedule": each_minute}]))

    world.apply(task("short", parameters={"command": "true"}, ttlAfterFinished="1s"))
    wait_until(lambda: world.get("ctk", "short") is None, 30, lambda: "the Task outlives its ttlAfterFinished")

    world.apply(workflow("long", [shell_step("sleep", "sleep 600")]))
    world.apply(run("long-1", "long"))
    world.wait_phase("ctk", "long-1-sleep", "Running")
    world.kubectl("patch", "cwr", "long-1", "--type=merge", "-p", '{"spec":{"cancel":{"reason":"test"}}}')
    assert world.wait_finished("cwr", "long-1")["phase"] == "Cancelled"

    world.apply(task("locked", parameters={"command": "true"}, locks=[{"name": "deploy"}]))
    assert world.wait_finished("ctk", "locked")["assignment"]["fencing"] == {"deploy": 1}
    # A service that nobody has: that it is being reached is written before it is tried.
    world.apply({"apiVersion": "convoke.dev/v1alpha1", "kind": "Agent", "metadata": {"name": "absent", "namespace": "default"},
                 "spec": {"capabilities": ["absent"], "dispatch": {"mode": "HTTP", "http": {"url": "http://absent.invalid/"}}}},
                task("brought", "absent"))
    wait_until(lambda: "dispatch" in world.status("ctk", "brought"), 30, lambda: "nothing was brought to the agent")
    world.kubectl("-n", "default", "delete", "ctk", "brought")
    make_and_delete_a_job(world)

    edit_and_forget_revisions(world)
    meet_names_that_are_taken(world)

    runner.freeze()
    world.wait_phase("cag", "worker", "Offline", 30)
    runner.wake()
    wait_until(lambda: any(e.get("series", {}).get("count", 0) > 1 for e in world.events("invalid")), 60,
               lambda: "no Event became a series", interval=1)
    replaced = lambda: [r for r in world.list("cwr") if r["spec"].get("workflowName") == "each-minute"
                        and r["status"]["phase"] == "Cancelled"]
    wait_until(replaced, 150, lambda: "no run was replaced", interval=1)


def make_and_delete_a_job(world):
    """There is no node: its Pod waits, and is asked for."""
    template = {"spec": {"containers": [{"name": "main", "image": "none:1"}]}}
    world.apply({"apiVersion": "convoke.dev/v1alpha1", "kind": "Agent", "metadata": {"name": "jobs", "namespace": "default"},
                 "spec": {"capabilities": ["job"], "dispatch": {"mode": "Job", "job": {"template": template}}}},
                task("in-a-job", "job"))
    wait_until(lambda: world.status("ctk", "in-a-job").get("dispatch", {}).get("acceptedAt"), 30, lambda: "no Job was made")
    (job,) = world.list("jobs")
    world.kubectl("-n", "default", "patch", "ctk", "in-a-job", "--type=merge", "-p", '{"spec":{"cancel":{"reason":"test"}}}')
    assert world.wait_finished("ctk", "in-a-job")["phase"] == "Cancelled"
    wait_until(lambda: world.get("job", job["metadata"]["name"]) is None, 30, lambda: "the Job stays")


def edit_and_forget_revisions(world):
    """A revision comes back (renumbered), some are too many (deleted), one has its name taken (read)."""
    manifest = workflow("edited", [shell_step("only", "true")], historyLimits={"succeeded": 1, "failed": 1}, triggers=[{"type": "Create"}])
    world.apply(manifest)
    world.kubectl("wait", "cwf/edited", "--for=jsonpath={.status.createdRun}", "--timeout=20s")
    world.wait_phase("cwr", world.status("cwf", "edited")["createdRun"], "Succeeded")
    for generation in range(2, KEPT_REVISIONS + 4):
        manifest["spec"]["steps"] = [shell_step("only", "true" if generation == 3 else f"exit {generation}")]
        world.apply(manifest)
        world.kubectl("wait", "cwf/edited", f"--for=jsonpath={{.status.observedGeneration}}={generation}", "--timeout=20s")
    revisions = wait_until(lambda: [r for r in [world.list("controllerrevisions", "-l", "convoke.dev/workflow=edited")]
                                    if len(r) == KEPT_REVISIONS + 1], 30, lambda: "too many revisions are kept")[0]
    assert 2 not in {r["revision"] for r in revisions}
    manifest["spec"]["steps"] = [shell_step("only", "true")]
    world.apply(manifest)
    for number in (1, 2):
        world.apply(run(f"edited-{number}", "edited"))
        world.wait_phase("cwr", f"edited-{number}", "Succeeded")
    wait_until(lambda: len([r for r in world.list("cwr") if r["spec"].get("workflowName") == "edited"]) == 1, 30,
               lambda: "historyLimits are not kept")
    world.kubectl("delete", "cwf", "edited", "--cascade=orphan")
    world.apply(manifest)
    world.wait_phase("cwf", "edited", "Ready")


def meet_names_that_are_taken(world):
    """Of a step's Task, and of the run that a trigger creates (its name follows from the Workflow's uid)."""
    world.apply(workflow("first", [shell_step("b-c", "true")]), workflow("second", [shell_step("c", "true")]))
    world.apply(run("a", "first"), run("a-b", "second"))
    for name in ("a", "a-b"):
        assert world.wait_finished("cwr", name)["phase"] == "Succeeded"
    manifest = workflow("taken", [shell_step("only", "true")], triggers=[{"type": "Create"}], suspend=True)
    world.apply(manifest)
    uid = world.get("cwf", "taken")["metadata"]["uid"]
    world.apply(run(f"taken-{hashlib.sha256(uid.encode()).hexdigest()[:5]}", "first"))
    manifest["spec"]["suspend"] = False
    world.apply(manifest)
    world.wait_event("taken", "NameConflict")
    wait_until(lambda: [r for r in world.list("cwr") if r["spec"].get("workflowName") == "taken" and r["status"]["phase"] == "Succeeded"], 30,
               lambda: "the Workflow whose run's name was taken has no run")


def operators_requests(cluster):
    """(namespace, group, resource, verb, name, status) of each request of the operator that the API server wrote down."""
    requests = []
    for line in (cluster.directory / "audit.log").read_text().splitlines():
        entry = json.loads(line)
        if entry["user"]["username"] == OPERATOR_USER:
            ref = entry["objectRef"]
            resource = "/".join(filter(None, [ref["resource"], ref.get("subresource")]))
            requests.append((ref.get("namespace"), ref.get("apiGroup", ""), resource, entry["verb"], ref.get("name"),
                             entry.get("responseStatus", {}).get("code")))
    return requests


def is_by(right, request):
    return all(wanted in (None, found) for wanted, found in zip(right[:1] + right[4:], (request[0], request[4]))) \
        and right[1:4] == request[1:4]


def test_without_drive_the_operator_changes_nothing(pod_world):
    world = pod_world
    manifests = list(yaml.safe_load_all(OPERATOR_RBAC.read_text()))
    for manifest in manifests:
        manifest["rules"] = [rule for rule in manifest.get("rules", []) if rule["verbs"] != ["drive"]] or None
    world.apply(*({k: v for k, v in manifest.items() if v is not None} for manifest in manifests))
    operator = start_operator(world)
    world.apply(workflow("refused", [shell_step("only", "true")]))
    wait_until(lambda: "does not hold the verb drive on tasks.convoke.dev" in operator.log(), 30, operator.log_tail)
    assert world.status("cwf", "refused")["observedGeneration"] == -1, "the default, which says that nobody has seen it"
    world.install()
    world.wait_phase("cwf", "refused", "Ready", 60)
