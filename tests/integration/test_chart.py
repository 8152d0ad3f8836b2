"""The Helm chart, with real Helm against a real API server. What its Pods do is done by processes with the Pods' own rights and
configuration (harness/pods.py)."""

import json
import pathlib
import shutil
import subprocess

import pytest
import yaml

from harness.dev_cluster import DevCluster
from harness.helm import CHART, REPO, Helm
from harness.kubectl import Kubectl
from harness.pods import PodRunner
from harness.processes import BIN
from harness.waiting import wait_until

VALUES = pathlib.Path(__file__).parent / "chart-values"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
CONTROLLERS = "--controller-manager-arg=--controllers=deployment-controller,replicaset-controller"


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A cluster without Convoke, whose namespaces take Pods of the standard `restricted` only."""
    cluster = DevCluster(tmp_path_factory.mktemp("chart"))
    try:
        cluster.up(CONTROLLERS, crds=False)
        kubectl = Kubectl(cluster.kubeconfig, cluster.kubectl)
        for name in ("convoke-system", "team-a", "team-b", "monitoring"):
            kubectl.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
        for kind in ("ServiceMonitor", "PrometheusRule"):
            kubectl.create(monitoring_crd(kind))
        yield cluster
    finally:
        cluster.down()


@pytest.fixture
def admin(bare):
    return Kubectl(bare.kubeconfig, bare.kubectl)


@pytest.fixture
def helm(bare):
    return Helm(bare)


def monitoring_crd(kind):
    """As strict as the real one about what the chart writes: with no other field does strict validation let it in."""
    text, texts = {"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}

    def fields(**properties):
        return {"type": "object", "properties": properties}

    def listed(item):
        return {"type": "array", "items": item}

    relabel = fields(sourceLabels=listed(text), targetLabel=text, regex=text, action=text)
    spec = {
        "ServiceMonitor": fields(
            jobLabel=text, selector=fields(matchLabels=texts),
            endpoints=listed(fields(port=text, path=text, interval=text, scrapeTimeout=text, relabelings=listed(relabel),
                                    metricRelabelings=listed(relabel)))),
        "PrometheusRule": fields(groups=listed(fields(
            name=text, interval=text,
            rules=listed({**fields(alert=text, record=text, expr=text, labels=texts, annotations=texts,
                                   keep_firing_for=text, **{"for": text}), "required": ["expr"]})))),
    }[kind]
    plural = kind.lower() + "s"
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": fields(spec=spec)}}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.monitoring.coreos.com"},
            "spec": {"group": "monitoring.coreos.com", "scope": "Namespaced", "versions": [version],
                     "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": kind + "List"}}}


# --- what is rendered ----------------------------------------------------------------------------------------------------


def test_lint_finds_nothing_and_a_package_holds_all(helm, tmp_path):
    for values in sorted(VALUES.glob("*.yaml")):
        helm.do("lint", "--strict", CHART, "--values", values)
    helm.do("package", CHART, "--destination", tmp_path)
    (package,) = tmp_path.glob("convoke-*.tgz")
    assert helm.template(package) == helm.template()


@pytest.mark.parametrize("name", ["default", "minimal", "everything", "namespaced"])
def test_the_api_server_takes_every_manifest(name, helm, admin):
    objects = helm.template(CHART, "--values", VALUES / f"{name}.yaml")
    accounts = [o for o in objects if o["kind"] == "ServiceAccount"]
    if accounts:
        admin.apply(accounts)  # a Pod without its account is refused before all else
    done = admin.run("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", document=objects)
    if accounts:
        admin.do("delete", "-f", "-", "--wait=false", document=accounts)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    assert len(done.stdout.splitlines()) == len(objects)
    keys = [(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects]
    assert len(set(keys)) == len(keys), keys
    for o in objects:
        labels = o["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "Helm" and labels["helm.sh/chart"].startswith("convoke-"), o


def test_the_names_of_a_long_release_in_a_long_namespace_differ(helm):
    objects = helm.template(CHART, "--values", VALUES / "everything.yaml", "--set", "nameOverride=,fullnameOverride=",
                            "--namespace", "platform-engineering-production-eu-1", release="convoke-production-eu-west")
    keys = [(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects]
    assert sorted(set(keys), key=str) == sorted(keys, key=str)
    names = {name for kind, _, name in keys if kind == "ValidatingAdmissionPolicy"}
    assert {fence for fence in ("leader-fence", "operator-fence") if any(name.endswith(fence) for name in names)} == {
        "leader-fence", "operator-fence"}, names
    bound = {o["spec"]["policyName"] for o in objects if o["kind"] == "ValidatingAdmissionPolicyBinding"}
    assert bound == names


def test_extra_labels_and_annotations_are_everywhere(helm):
    for o in helm.template(CHART, "--values", VALUES / "everything.yaml"):
        pod = o.get("spec", {}).get("template", {}).get("metadata")
        for metadata in filter(None, (o["metadata"], pod)):
            assert metadata["labels"]["example.com/team"] == "platform", o
            assert metadata["annotations"]["example.com/owner"] == "platform@example.com", o


def test_a_namespaced_release_asks_for_nothing_in_the_cluster(helm):
    objects = helm.template(CHART, "--values", VALUES / "namespaced.yaml")
    assert not {o["kind"] for o in objects} & {
        "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "ValidatingAdmissionPolicy", "FlowSchema"}
    (config,) = [yaml.safe_load(o["data"]["config.yaml"]) for o in objects if "config.yaml" in o.get("data", {})]
    assert config["namespace"] == "team-a,team-b"


def test_the_crds_and_policies_are_those_of_the_project(helm):
    rendered = {(o["kind"], o["metadata"]["name"]): o.get("spec") for o in helm.template()}
    sources = [*(REPO / "crds").glob("*.yaml"), REPO / "charts/convoke/files/admission-policies.yaml"]
    count = 0
    for source in sources:
        for o in yaml.safe_load_all(source.read_text()):
            assert rendered[o["kind"], o["metadata"]["name"]] == o["spec"]
            count += 1
    assert count == 14


def test_the_fences_are_about_the_releases_own_account_and_lease(helm):
    for values, user, lease in (("default", "convoke-system:convoke", "convoke"), ("everything", "convoke-system:conductor", "leader")):
        objects = helm.template(CHART, "--values", VALUES / f"{values}.yaml")
        policies = json.dumps([o for o in objects if o["kind"].startswith("ValidatingAdmission") and o["metadata"]["name"].endswith("-fence")])
        assert f"request.userInfo.username == 'system:serviceaccount:{user}'" in policies
        assert f"request.namespace == 'convoke-system' && variables.name == '{lease}'" in policies
        assert "OPERATOR-USER" not in policies and "LEASE-NAME" not in policies


def test_the_operator_takes_the_configuration_of_every_values_file(helm, tmp_path):
    for values in VALUES.glob("*.yaml"):
        for o in helm.template(CHART, "--values", values):
            if "config.yaml" not in o.get("data", {}):
                continue
            file = tmp_path / f"{values.stem}.yaml"
            file.write_text(o["data"]["config.yaml"])
            done = subprocess.run([BIN / "convoke-operator", "--config", file, "--print-config"], text=True, capture_output=True,
                                  check=False)
            assert done.returncode == 0, done.stderr
            effective = yaml.safe_load(done.stdout)
            assert contains(effective, yaml.safe_load(file.read_text())), done.stdout


def contains(whole, part):
    if isinstance(part, dict) and isinstance(whole, str):  # weights, which are printed as a text
        return whole == ",".join(f"{key}={value}" for key, value in sorted(part.items()))
    if isinstance(part, dict):
        return all(key in whole and contains(whole[key], value) for key, value in part.items())
    return str(whole) == str(part) or durations_equal(whole, part)


def durations_equal(a, b):
    return {str(a), str(b)} == {"0s", "0"}


def test_the_schema_knows_exactly_the_keys_of_the_configuration():
    """But for `namespace`, which is scope.namespaces."""
    printed = subprocess.run([BIN / "convoke-operator", "--print-config"], text=True, capture_output=True, check=True).stdout
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]["config"]
    assert keys_of_schema(schema) == keys_of(yaml.safe_load(printed)) - {"namespace"}


def keys_of(node, path=""):
    if not isinstance(node, dict):
        return {path}
    return set().union(*(keys_of(value, f"{path}.{key}".lstrip(".")) for key, value in node.items()))


def keys_of_schema(node, path=""):
    if "properties" not in node:
        return {path}
    return set().union(*(keys_of_schema(value, f"{path}.{key}".lstrip(".")) for key, value in node["properties"].items()))


@pytest.mark.parametrize("setting, named", [
    ("replica=3", "replica"),
    ("replicas=-1", "replicas"),
    ("replicas=two", "replicas"),
    ("image.pullPolicy=Sometimes", "pullPolicy"),
    ("image.repository=", "repository"),
    ("image.digest=abc", "digest"),
    ("config.workers.tasks=3", "tasks"),
    ("config.workers.task=0", "task"),
    ("config.drain=soon", "drain"),
    ("config.drain=1m30s", "config.drain (1m30s) must be shorter than terminationGracePeriodSeconds (60 s)"),
    ("terminationGracePeriodSeconds=30", "set terminationGracePeriodSeconds to 60 or more"),
    ("runners[0].name=a,runners[0].config.shell=true,runners[0].config.drain=60s", "config.drain of the runner a (60s) must be shorter"),
    ("config.namespace=a", "namespace"),
    ("config.serve.address=nowhere", "address"),
    ("scope.namespaces={Team}", "namespaces"),
    ("resources.limit.memory=1Gi", "limit"),
    ("networkPolicy.apiServerPorts={70000}", "apiServerPorts"),
    ("networkPolicy.apiServerCIDRs={10.0.0.1}", "apiServerCIDRs"),
    ("flowControl.lendablePercent=101", "lendablePercent"),
    ("podDisruptionBudget.maxUnavailable=some", "maxUnavailable"),
    ("podDisruptionBudget.minAvailable=some", "minAvailable"),
    ("runners[0].config.shell=true", "name"),
    ("runners[0].name=a", "config"),
    ("runners[0].name=a,runners[0].config.agent.name=b", "agent"),
    ("runners[0].name=a,runners[0].config.tasks.x.comand={y}", "comand"),
    ("runners[0].name=a,runners[0].config.shell=true,runners[1].name=a,runners[1].config.shell=true", "a is there twice"),
    ("runners[0].name=a,runners[0].config.shell=true,runners[0].namespace=c,scope.namespaces={b}", "c of a is none of scope.namespaces"),
    ("agents[0].name=a", "subjects"),
    ("serviceAccount.create=false", "serviceAccount.name is missing"),
    ("extraArgs={config}", "extraArgs"),
    ("extraArgs={--leader-election-name=x}", "--leader-election-name is set by config.leaderElection.name"),
    ("tests.timeout=5", "timeout"),
])
def test_a_bad_value_is_refused_by_name(setting, named, helm):
    assert named in helm.refused("template", "convoke", CHART, "--set", setting)


# --- the life of a release -----------------------------------------------------------------------------------------------


def git(*arguments):
    return subprocess.run(["git", "-C", REPO, *map(str, arguments)], text=True, capture_output=True, check=True).stdout.strip()


def previous_chart(directory):
    """The chart as it was before what was changed last; the present one where there was none."""
    changed = git("status", "--porcelain", "--", "charts/convoke")
    commits = git("rev-list", "-2", "HEAD", "--", "charts/convoke").split()
    before = commits[0] if changed or len(commits) == 1 else commits[1]
    if not git("ls-tree", before, "charts/convoke/Chart.yaml"):
        return CHART
    archive = directory / "previous.tar"
    git("archive", "--format=tar", f"--output={archive}", before, "charts/convoke")
    subprocess.run(["tar", "-xf", archive, "-C", directory], check=True)
    return directory / "charts/convoke"


def with_another_crd(directory):
    """A next version of the chart, whose Agents have one more field."""
    chart = directory / "next"
    shutil.copytree(CHART, chart)
    path = chart / "files/crds/convoke.dev_agents.yaml"
    crd = yaml.safe_load(path.read_text())
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["motto"] = {"type": "string"}
    path.write_text(yaml.safe_dump(crd))
    return chart


def has_motto(admin):
    crd = admin.get("crd", "agents.convoke.dev")
    return "motto" in crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]


def wait_phase(admin, kind, name, phase, pods, timeout=60):
    wait_until(lambda: status_of(admin, kind, name).get("phase") == phase, timeout,
               lambda: f"{kind} {name} is {status_of(admin, kind, name)}\n{pods.log()}", interval=0.2)


def status_of(admin, kind, name):
    return json.loads(admin.do("get", kind, name, "-o", "json")).get("status", {})


def hello(name, command="true"):
    step = {"name": "only", "task": {"type": "shell", "parameters": {"command": command}}}
    return [
        {"apiVersion": "convoke.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": name}, "spec": {"triggers": [], "steps": [step]}},
        {"apiVersion": "convoke.dev/v1alpha1", "kind": "WorkflowRun", "metadata": {"name": name}, "spec": {"workflowName": name}}]


RUNNER = ["--set", "runners[0].name=builder,runners[0].config.shell=true"]
WAIT = ["--wait", "--timeout", "90s"]


def test_install_use_upgrade_roll_back_and_uninstall(bare, helm, tmp_path):
    admin = Kubectl(bare.kubeconfig, bare.kubectl, "convoke-system")
    gate = tmp_path / "gate"
    with PodRunner(bare, tmp_path / "pods") as pods:
        try:
            helm.do("install", "convoke", previous_chart(tmp_path), *RUNNER, *WAIT)
            assert status_of(admin, "deployment", "convoke")["readyReplicas"] == 2
            helm.do("test", "convoke")
            admin.create(hello("long", f"while [ ! -e {gate} ]; do sleep 0.1; done"))
            wait_phase(admin, "ctk", "long-only", "Running", pods)

            # An upgrade replaces both operators under a live run. A key that is not reloaded makes it roll.
            old = names_of_pods(admin)
            helm.do("upgrade", "convoke", CHART, *RUNNER, *WAIT, "--set", "config.drain=20s")
            wait_until(lambda: not old & names_of_pods(admin), 60, pods.log)
            gate.touch()
            wait_phase(admin, "cwr", "long", "Succeeded", pods)
            assert status_of(admin, "ctk", "long-only")["attempt"] == 1

            # CRDs follow the release, forth and back.
            assert not has_motto(admin)
            helm.do("upgrade", "convoke", with_another_crd(tmp_path), *RUNNER, *WAIT)
            assert has_motto(admin)
            helm.do("rollback", "convoke", "2", *WAIT)
            assert not has_motto(admin)
            helm.do("test", "convoke")
            assert admin.list("cwf,cwr") and "convoke-check" not in admin.do("get", "cwf,cwr,cag", "-o", "name")
            # Kubernetes' garbage collector notices new kinds after some time only.
            wait_until(lambda: "convoke-check" not in admin.do("get", "ctk", "-o", "name"), 120, pods.log)

            # What people own stays, and a new release takes it over.
            helm.do("uninstall", "convoke", *WAIT)
            # Helm waits for what it deletes itself; the Pods end after it.
            wait_until(lambda: admin.do("get", "deployments,pods,roles,sa", "-l", "app.kubernetes.io/instance=convoke",
                                        "-o", "name") == "", 120, pods.log)
            assert status_of(admin, "cwr", "long")["phase"] == "Succeeded"
            helm.do("install", "convoke", CHART, *RUNNER, *WAIT, "--set", "crds.keep=false")
            admin.create(hello("again"))
            wait_phase(admin, "cwr", "again", "Succeeded", pods)
            admin.do("delete", "cwf,cwr,ctk,cag", "--all")
            helm.do("uninstall", "convoke", *WAIT)
            assert "convoke.dev" not in admin.do("get", "crd", "-o", "name")
            assert pods.problem is None
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{pods.log()}") from problem


def names_of_pods(admin):
    return set(admin.do("get", "pods", "-l", "app.kubernetes.io/component=operator", "-o", "name").split())


def test_without_helm_in_the_cluster_and_in_two_namespaces(bare, helm, tmp_path):
    """What GitOps does: helm template | kubectl apply --server-side, again and again."""
    admin = Kubectl(bare.kubeconfig, bare.kubectl)
    values = ["--values", VALUES / "namespaced.yaml", "--skip-tests", "--set", "crds.install=true,admissionPolicies.install=true"]
    objects = helm.template(CHART, *values)
    with PodRunner(bare, tmp_path / "pods") as pods:
        admin.apply(objects)
        team_a, team_b = (Kubectl(bare.kubeconfig, bare.kubectl, f"team-{x}") for x in "ab")
        elsewhere = Kubectl(bare.kubeconfig, bare.kubectl, "monitoring")
        wait_until(lambda: admin.run("get", "cag,ctk,cwf,cwr", "-A").returncode == 0, 60)
        for namespace in (team_a, team_b, elsewhere):
            namespace.create(hello("here"))
        wait_phase(team_b, "cwr", "here", "Succeeded", pods)
        wait_phase(team_a, "cwr", "here", "Running", pods)  # the agent is in team-b
        assert status_of(elsewhere, "cwr", "here")["observedGeneration"] == -1, "the operator has seen it"
        account = "system:serviceaccount:convoke-system:convoke"
        assert elsewhere.run("auth", "can-i", "list", "tasks.convoke.dev", "--as", account).stdout.strip() == "no"
        assert team_a.run("auth", "can-i", "drive", "tasks.convoke.dev", "--as", account).stdout.strip() == "yes"

        before = versions(admin, objects)
        admin.apply(objects)
        assert versions(admin, objects) == before
        assert pods.problem is None
        admin.do("delete", "-f", "-", document=objects)
        wait_until(lambda: not pods.pods, 60, pods.log)


def versions(admin, objects):
    """resourceVersions of what nobody else writes to."""
    wanted = [o for o in objects if o["kind"] not in ("Deployment", "PodDisruptionBudget", "ValidatingAdmissionPolicy")]
    found = json.loads(admin.do("get", "-f", "-", "-o", "json", document=wanted))["items"]
    return {(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]): o["metadata"]["resourceVersion"] for o in found}
