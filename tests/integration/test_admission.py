"""RBAC and the admission policies on a real API server: each refusal, and that the way that is allowed works."""

import pytest

from harness.dev_cluster import REPO
from harness.kubectl import Kubectl
from harness.waiting import wait_until
from harness.world import OPERATOR_USER as OPERATOR
from harness.world import filled_in

FILES = REPO / "charts/convoke/files"
RBAC = "rbac.authorization.k8s.io"
ID = "3f1c-1"  # the current assignment of the Task in these tests


def task(name):
    return {"apiVersion": "convoke.dev/v1alpha1", "kind": "Task", "metadata": {"name": name}, "spec": {"type": "build"}}


def agent(name):
    return {"apiVersion": "convoke.dev/v1alpha1", "kind": "Agent", "metadata": {"name": name}, "spec": {}}


def lease(name, label=None, holder="me"):
    metadata = {"name": name, **({"labels": {"convoke.dev/agent": label}} if label else {})}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": {"holderIdentity": holder}}


def release(name, **spec):
    """A run; of the Workflow `release`, if nothing else is said."""
    spec = spec if "workflowSpec" in spec else {"workflowName": "release", **spec}
    return {"apiVersion": "convoke.dev/v1alpha1", "kind": "WorkflowRun", "metadata": {"name": name}, "spec": spec}


def role(name, *rules):
    return {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": name},
            "rules": [dict(zip(("apiGroups", "resources", "verbs", "resourceNames"), rule)) for rule in rules]}


def binding(name, user, kind, role_name):
    return {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role_name},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}]}


def agent_identity(name):
    """What agent-example.yaml gives, for the user agent-NAME."""
    return [role(f"report-{name}", [["convoke.dev"], ["agents"], ["report"], [name]]),
            binding(f"report-{name}", f"agent-{name}", "Role", f"report-{name}"),
            binding(f"protocol-{name}", f"agent-{name}", "ClusterRole", "convoke-agent")]


def meddler_identity():
    """Somebody whom RBAC lets write everything, so that only the policies are left to refuse."""
    return [role("meddler", [["convoke.dev"], ["*"], ["get", "list", "create", "update", "patch"]],
                 [["coordination.k8s.io"], ["leases"], ["get", "create", "update", "patch", "delete"]]),
            binding("meddler", "meddler", "Role", "meddler")]


def approver_identities():
    """Who may write runs, and approve those of one Workflow; and who may approve those without a Workflow too."""
    rules = [["convoke.dev"], ["workflowruns"], ["get", "list", "create", "update", "patch"]]
    return [role("approver", rules, [["convoke.dev"], ["workflows"], ["approve"], ["release"]]),
            role("approver-of-all", rules, [["convoke.dev"], ["workflows"], ["approve"]]),
            binding("approver-ann", "ann", "Role", "approver"), binding("approver-bob", "bob", "Role", "approver-of-all")]


class People:
    """kubectl of everybody who plays a part, in one namespace."""

    def __init__(self, cluster, namespace):
        def as_user(name):
            return Kubectl(cluster.user(name), cluster.kubectl, namespace)

        self.admin = Kubectl(cluster.kubeconfig, cluster.kubectl, namespace)
        self.operator = as_user(OPERATOR)
        self.builder = as_user("agent-builder-1")  # has the Task
        self.stranger = as_user("agent-builder-2")  # an agent too, but another one
        self.meddler = as_user("meddler")
        self.nobody = as_user("nobody")
        self.ann, self.bob = as_user("ann"), as_user("bob")  # may approve what Workflow `release` does


@pytest.fixture(scope="module")
def installed(cluster):
    """RBAC and policies, in force: it takes the API server a moment to notice new ones."""
    admin = Kubectl(cluster.kubeconfig, cluster.kubectl)
    for name in ("operator-rbac.yaml", "agent-rbac.yaml", "admission-policies.yaml"):
        admin.do("apply", "--server-side", "-f", FILES / name)
    admin.do("apply", "--server-side", "-f", "-", document=filled_in("operator-fence.yaml"))
    admin.do("create", "namespace", "admission")
    people = People(cluster, "admission")
    people.admin.apply([*agent_identity("builder-1"), *agent_identity("builder-2"), *meddler_identity(), *approver_identities()])
    people.admin.create([task("probe"), agent("probe")])
    wait_for_rights(people)
    wait_for_policies(people.meddler)
    wait_for_fence(people.operator)
    return cluster


def wait_for_rights(people):
    for kubectl, verb, what in ((people.builder, "report", "agents/builder-1"), (people.stranger, "report", "agents/builder-2"),
                                (people.meddler, "patch", "tasks"), (people.operator, "drive", "tasks"),
                                (people.ann, "approve", "workflows/release"), (people.bob, "approve", "workflows")):
        wait_until(lambda k=kubectl, v=verb, w=what: k.run("auth", "can-i", v, w).stdout.strip() == "yes")


def wait_for_policies(meddler):
    """Each of them refuses what RBAC lets through."""
    patch = ("--subresource=status", "--type=merge", "--dry-run=server", "-p", '{"status":{"observedGeneration":1}}')
    for arguments, document in ((("patch", "task", "probe", *patch), None), (("patch", "agent", "probe", *patch), None),
                                (("create", "--dry-run=server", "-f", "-"), release("probe", createdBy="somebody else")),
                                (("create", "--dry-run=server", "-f", "-"), lease("convoke-agent-probe", "probe"))):
        wait_until(lambda a=arguments, d=document: "ValidatingAdmissionPolicy" in meddler.run(*a, document=d).stderr,
                   describe=lambda a=arguments: f"no policy refuses kubectl {' '.join(a)}")


def wait_for_fence(operator):
    wait_until(lambda: "ValidatingAdmissionPolicy" in operator.run("create", "--dry-run=server", "-f", "-", document=lease("x")).stderr)


@pytest.fixture
def people(installed):
    people = People(installed, "admission")
    yield people
    people.admin.do("delete", "agents,tasks,workflows,workflowruns,leases,controllerrevisions", "--all")


@pytest.fixture
def assigned(people):
    """The Task `work`, assigned to builder-1 by the operator."""
    people.admin.create(task("work"))
    write_status(people, {"phase": "Assigned", "agentName": "builder-1", "attempt": 1, "reason": "Assigned",
                          "assignment": {"id": ID, "strategy": "CapabilityMatch", "candidates": 2}})
    return people


def write_status(people, status):
    """A write as the operator makes it: the whole status by PUT. (It reads by its watches, and may not get.)"""
    body = {**people.admin.get("task", "work"), "status": status}
    people.operator.do("replace", "--subresource=status", "-f", "-", document=body)


def report_patch(report, test=ID):
    """The JSON Patch of the protocol."""
    return [{"op": "test", "path": "/status/assignment/id", "value": test},
            {"op": "add", "path": "/status/report", "value": {"assignmentID": ID, **report}}]


def report(kubectl, patch):
    return kubectl.patch("task", "work", patch, status=True)


def refusal_of(kubectl, patch):
    return kubectl.expect_patch_refused("task", "work", patch, status=True)


def status_of(people):
    return people.admin.get("task", "work").get("status")


# --- the way that is allowed ----------------------------------------------------------------------------------------------


def test_an_agent_reports_by_the_protocol_from_start_to_end(assigned):
    before = status_of(assigned)
    report(assigned.builder, report_patch({"state": "Running", "startedAt": "2026-01-31T12:00:00Z"}))
    report(assigned.builder, report_patch({"state": "Running", "progress": 40, "message": "at work"}))
    write_status(assigned, {**status_of(assigned), "phase": "Running"})
    final = {"state": "Succeeded", "progress": 100, "outputs": {"sha256": "00ff", "files": [1, {"a": None}]}}
    report(assigned.builder, report_patch(final))
    assert status_of(assigned) == {**before, "phase": "Running", "report": {"assignmentID": ID, **final}}


def test_an_agent_may_reject_and_may_fail(assigned):
    report(assigned.builder, report_patch({"state": "Rejected", "message": "no disk left"}))
    report(assigned.builder, report_patch({"state": "Failed", "error": {"code": "Exit", "message": "2", "retryable": False}}))
    assert status_of(assigned)["report"]["state"] == "Failed"


def test_an_agent_may_use_a_merge_patch_too(assigned):
    report(assigned.builder, {"status": {"report": {"assignmentID": ID, "state": "Running"}}})
    assert status_of(assigned)["report"]["state"] == "Running"


def test_the_operator_writes_every_status_and_may_wipe_it(assigned):
    write_status(assigned, {"phase": "Cancelled", "report": {"assignmentID": "other"}})
    write_status(assigned, {})
    assert status_of(assigned) in (None, {})
    step = {"name": "a", "task": {"type": "x"}}
    for kind, spec, phase in (("Agent", {}, "Ready"), ("Workflow", {"steps": [step]}, "Ready"),
                              ("WorkflowRun", {"workflowName": "w"}, "Running")):
        assigned.admin.create({"apiVersion": "convoke.dev/v1alpha1", "kind": kind, "metadata": {"name": "x"}, "spec": spec})
        body = {**assigned.admin.get(kind, "x"), "status": {"phase": phase}}
        assigned.operator.do("replace", "--subresource=status", "-f", "-", document=body)
        assert assigned.admin.get(kind, "x")["status"] == {"phase": phase}


def test_an_administrator_may_wipe_a_status_by_hand(assigned):
    report(assigned.admin, [{"op": "remove", "path": "/status"}])
    assert status_of(assigned) == {"phase": "Pending", "observedGeneration": -1}


# --- refusals: reports ----------------------------------------------------------------------------------------------------


def test_a_stale_assignment_fails_the_test_of_the_patch(assigned):
    complaint = refusal_of(assigned.builder, report_patch({"state": "Running"}, test="3f1c-0"))
    assert complaint.startswith("The request is invalid")
    assert "report" not in status_of(assigned)


def test_a_foreign_agent_is_refused(assigned):
    complaint = refusal_of(assigned.stranger, report_patch({"state": "Succeeded"}))
    assert "this Task is assigned to the agent builder-1, and agent-builder-2 does not hold the verb report" in complaint
    assert "report" not in status_of(assigned)


def test_somebody_without_any_right_is_refused_by_rbac(assigned):
    assert "is forbidden" in refusal_of(assigned.nobody, report_patch({"state": "Running"}))


@pytest.mark.parametrize("change,named", [
    ([{"op": "replace", "path": "/status/phase", "value": "Succeeded"}], "status.phase"),
    ([{"op": "replace", "path": "/status/agentName", "value": "builder-2"}], "status.agentName"),
    ([{"op": "replace", "path": "/status/assignment/id", "value": "3f1c-2"}], "status.assignment"),
    ([{"op": "remove", "path": "/status/assignment"}], "status.assignment"),
    ([{"op": "add", "path": "/status/completedAt", "value": "2026-01-31T12:00:00Z"}], "status.completedAt"),
    ([{"op": "replace", "path": "/status/attempt", "value": 0}], "status.attempt"),
    ([{"op": "remove", "path": "/status/reason"}], "status.reason"),
], ids=["phase", "agentName", "assignment-id", "assignment-removed", "completedAt", "attempt", "reason-removed"])
def test_an_agent_writes_nothing_but_its_report(assigned, change, named):
    before = status_of(assigned)
    complaint = refusal_of(assigned.builder, report_patch({"state": "Succeeded"}) + change)
    assert f"an agent writes status.report only, not {named}" in complaint
    assert status_of(assigned) == before


def test_a_refusal_names_all_that_was_changed(assigned):
    change = [{"op": "replace", "path": "/status/phase", "value": "Failed"}, {"op": "remove", "path": "/status/attempt"}]
    complaint = refusal_of(assigned.builder, report_patch({"state": "Failed"}) + change)
    assert "not status.phase, status.attempt" in complaint


def test_an_agent_cannot_wipe_the_status(assigned):
    assert "an agent writes status.report only" in refusal_of(assigned.builder, [{"op": "remove", "path": "/status"}])


def test_a_late_report_about_an_earlier_assignment_is_refused(assigned):
    late = {"status": {"report": {"assignmentID": "3f1c-0", "state": "Succeeded"}}}
    complaint = refusal_of(assigned.builder, late)
    assert f"must be the id of the current assignment, {ID}, not 3f1c-0" in complaint


def test_a_report_without_an_assignment_is_refused(assigned):
    assert f"{ID}, not absent" in refusal_of(assigned.builder, {"status": {"report": {"state": "Succeeded"}}})


def test_an_agent_cannot_take_its_report_back(assigned):
    report(assigned.builder, report_patch({"state": "Running"}))
    assert "not absent" in refusal_of(assigned.builder, [{"op": "remove", "path": "/status/report"}])


def test_an_agent_that_was_given_up_is_refused(assigned):
    write_status(assigned, {**status_of(assigned), "agentName": "builder-2", "assignment": {"id": "3f1c-2"}})
    assert refusal_of(assigned.builder, report_patch({"state": "Running"})).startswith("The request is invalid")
    forged = {"status": {"report": {"assignmentID": "3f1c-2", "state": "Succeeded"}}}
    assert "is assigned to the agent builder-2" in refusal_of(assigned.builder, forged)


@pytest.mark.parametrize("phase", ["Queued", "Succeeded", "Failed", "Cancelled"])
def test_a_report_comes_only_while_the_task_is_live(assigned, phase):
    write_status(assigned, {**status_of(assigned), "phase": phase})
    complaint = refusal_of(assigned.builder, report_patch({"state": "Succeeded"}))
    assert f"an agent reports on a Task that is Assigned or Running; this one is {phase}" in complaint


def test_a_task_without_an_agent_takes_no_report(people):
    people.admin.create(task("work"))
    complaint = refusal_of(people.builder, {"status": {"report": {"assignmentID": "", "state": "Running"}}})
    assert "this Task is not assigned to an agent" in complaint


def test_an_agent_cannot_change_the_task_itself(assigned):
    builder = assigned.builder
    assert "is forbidden" in builder.expect_patch_refused("task", "work", {"spec": {"priority": 5}})
    assert "is forbidden" in builder.expect_refused("delete", "task", "work")
    assert "is forbidden" in builder.expect_refused("create", "-f", "-", document=task("own"))
    body = builder.get("task", "work")
    assert "is forbidden" in builder.expect_refused("replace", "--subresource=status", "-f", "-", document=body)
    patch = report_patch({"state": "Running"})
    patch += [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}, {"op": "replace", "path": "/spec/priority", "value": 5}]
    report(builder, patch)
    after = assigned.admin.get("task", "work")
    assert after["spec"]["priority"] == 3 and "labels" not in after["metadata"]


@pytest.mark.parametrize("kind,spec", [("Agent", {}), ("Workflow", {"steps": [{"name": "a", "task": {"type": "x"}}]}),
                                       ("WorkflowRun", {"workflowName": "w"})])
def test_other_statuses_are_the_operators(people, kind, spec):
    people.admin.create({"apiVersion": "convoke.dev/v1alpha1", "kind": kind, "metadata": {"name": "x"}, "spec": spec})
    complaint = people.meddler.expect_patch_refused(kind, "x", {"status": {"phase": "Pending"}}, status=True)
    assert f"the status of a {kind} is written by the operator only; meddler does not hold the verb drive" in complaint
    complaint = people.builder.expect_patch_refused(kind, "x", {"status": {"phase": "Pending"}}, status=True)
    assert "is forbidden" in complaint


def test_rights_on_tasks_alone_do_not_make_an_agent(assigned):
    complaint = refusal_of(assigned.meddler, report_patch({"state": "Succeeded"}))
    assert "meddler does not hold the verb report on agents.convoke.dev/builder-1" in complaint


# --- heartbeats -----------------------------------------------------------------------------------------------------------


def test_an_agent_keeps_its_heartbeat(people):
    people.builder.create(lease("convoke-agent-builder-1", "builder-1"))
    people.builder.patch("lease", "convoke-agent-builder-1", {"spec": {"renewTime": "2026-01-31T12:00:00.000000Z"}})
    body = people.builder.get("lease", "convoke-agent-builder-1")
    people.builder.do("replace", "-f", "-", document=body)
    people.builder.do("delete", "lease", "convoke-agent-builder-1")


def test_anothers_heartbeat_is_out_of_reach(people):
    foreign = "does not hold the verb report on agents.convoke.dev/builder-1"
    assert foreign in people.stranger.expect_refused("create", "-f", "-", document=lease("convoke-agent-builder-1", "builder-1"))
    people.builder.create(lease("convoke-agent-builder-1", "builder-1"))
    assert foreign in people.stranger.expect_patch_refused("lease", "convoke-agent-builder-1", {"spec": {"holderIdentity": "x"}})
    assert foreign in people.stranger.expect_refused("annotate", "lease", "convoke-agent-builder-1", "a=b")
    assert foreign in people.stranger.expect_refused("delete", "lease", "convoke-agent-builder-1")
    assert people.admin.get("lease", "convoke-agent-builder-1")["spec"]["holderIdentity"] == "me"


@pytest.mark.parametrize("name,label", [
    ("convoke-agent-builder-2", "builder-1"),  # its own name, another's label
    ("convoke-agent-builder-2", None),
    ("anything", "builder-2"),
])
def test_name_and_label_of_a_heartbeat_must_agree(people, name, label):
    complaint = people.stranger.expect_refused("create", "-f", "-", document=lease(name, label))
    assert "is a Lease convoke-agent-NAME with the label convoke.dev/agent: NAME" in complaint


@pytest.mark.parametrize("name,label", [("convoke-agent-builder-1", "builder-2"), ("convoke-agent-builder-1", None),
                                        ("anything", "builder-1")])
def test_the_name_of_a_heartbeat_cannot_be_forged(people, name, label):
    complaint = people.stranger.expect_refused("create", "-f", "-", document=lease(name, label))
    assert "agent-builder-2 does not hold the verb report" in complaint


def test_a_heartbeat_cannot_be_relabelled(people):
    people.stranger.create(lease("convoke-agent-builder-2", "builder-2"))
    for label in ("builder-1", None):
        patch = {"metadata": {"labels": {"convoke.dev/agent": label}}}
        complaint = people.stranger.expect_patch_refused("lease", "convoke-agent-builder-2", patch)
        assert "is a Lease convoke-agent-NAME with the label" in complaint


def test_other_leases_are_nobodys_business_here(people):
    people.stranger.create(lease("some-lock"))
    people.stranger.do("annotate", "lease", "some-lock", "a=b")
    people.stranger.do("delete", "lease", "some-lock")


def test_a_namespace_with_heartbeats_can_be_deleted(installed):
    admin = Kubectl(installed.kubeconfig, installed.kubectl)
    admin.do("create", "namespace", "passing")
    admin.namespace = "passing"
    admin.create(lease("convoke-agent-builder-1", "builder-1"))
    admin.do("delete", "namespace", "passing", "--timeout=120s")


# --- locks ----------------------------------------------------------------------------------------------------------------


def lock_lease(holders=None, holder="uid-1", label="deploy"):
    metadata = {"name": "convoke-lock-deploy", "labels": {"convoke.dev/lock": label}}
    if holders:
        metadata["annotations"] = {"convoke.dev/lock-holders": holders}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": {"holderIdentity": holder}}


HOLDERS = '[{"uid":"uid-1","task":"a"}]'


def test_a_lock_that_a_task_holds_is_changed_by_the_operator_only_but_others_may_ask_to_break_it(people):
    people.operator.create(lock_lease(HOLDERS))
    held = "is held by a Task, so only the operator changes it"
    for spec in ({"holderIdentity": "thief"}, {"holderIdentity": None}, {"renewTime": "2026-01-31T12:00:00.000000Z"}):
        assert held in people.meddler.expect_patch_refused("lease", "convoke-lock-deploy", {"spec": spec})
    assert held in people.meddler.expect_patch_refused("lease", "convoke-lock-deploy", {"metadata": {"labels": {"convoke.dev/lock": None}}})
    forged = people.meddler.expect_patch_refused("lease", "convoke-lock-deploy", {"metadata": {"annotations": {"convoke.dev/lock-holders": None}}})
    assert "is written by the operator only" in forged
    assert "must not begin anew" in people.meddler.expect_refused("delete", "lease", "convoke-lock-deploy")
    people.meddler.do("annotate", "lease", "convoke-lock-deploy", "convoke.dev/break-lock=stuck")
    people.operator.do("replace", "-f", "-", document=lock_lease(holder=""))


def test_a_lock_that_no_task_holds_may_be_taken_by_anybody_but_not_in_a_tasks_name(people):
    assert "is written by the operator only" in people.meddler.expect_refused("create", "-f", "-", document=lock_lease(HOLDERS))
    assert "with the label convoke.dev/lock: NAME" in people.meddler.expect_refused("create", "-f", "-", document=lock_lease(label="x"))
    people.meddler.create(lock_lease(holder="their-program"))
    people.meddler.patch("lease", "convoke-lock-deploy", {"spec": {"renewTime": "2026-01-31T12:00:00.000000Z"}})
    assert "is written by the operator only" in people.meddler.expect_patch_refused(
        "lease", "convoke-lock-deploy", {"metadata": {"annotations": {"convoke.dev/lock-holders": HOLDERS}}})
    people.meddler.patch("lease", "convoke-lock-deploy", {"spec": {"holderIdentity": None}})


# --- the operator's own account -------------------------------------------------------------------------------------------


def revision(name, owner=None, label="small"):
    """As the operator keeps what a Workflow was."""
    metadata = {"name": name, **({"labels": {"convoke.dev/workflow": label}} if label else {})}
    if owner:
        metadata["ownerReferences"] = [{"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
                                        "uid": owner["metadata"]["uid"], "controller": True}]
    return {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": metadata, "revision": 1, "data": {"steps": []}}


def test_the_operator_writes_no_lease_but_locks_and_the_one_by_which_it_leads(people):
    refused = "the operator writes no Lease but locks (convoke-lock-NAME) and the one by which it leads (convoke-system/convoke-operator)"
    # The last one has the right name in another namespace.
    for other in (lease("kube-scheduler"), lease("convoke-agent-builder-1", "builder-1"), lease("convoke-operator")):
        complaint = people.operator.expect_refused("create", "-f", "-", document=other)
        assert f"{refused}, not admission/{other['metadata']['name']}" in complaint
        people.admin.create(other)
        body = people.admin.get("lease", other["metadata"]["name"])
        assert refused in people.operator.expect_refused("replace", "-f", "-", document=body)
    people.operator.create(lock_lease(HOLDERS))
    people.operator.do("replace", "-f", "-", document=people.operator.get("lease", "convoke-lock-deploy"))


def test_the_operator_writes_no_revision_but_those_of_workflows(people):
    refused = "the operator writes no ControllerRevision but those of Workflows"
    step = {"name": "a", "task": {"type": "x"}}
    people.admin.create({"apiVersion": "convoke.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": "small"}, "spec": {"steps": [step]}})
    owner = people.admin.get("Workflow", "small")
    people.admin.create(agent("small"))
    people.operator.create(revision("small-1", owner))
    people.operator.patch("controllerrevision", "small-1", {"revision": 2})
    for name, other in (("ownerless", revision("ownerless")), ("unlabelled", revision("unlabelled", owner, None)),
                        ("foreign", revision("foreign", people.admin.get("Agent", "small")))):
        assert refused in people.operator.expect_refused("create", "-f", "-", document=other)
        people.admin.create(other)
        assert refused in people.operator.expect_patch_refused("controllerrevision", name, {"revision": 2})
        adopted = {"metadata": revision(name, owner)["metadata"]}
        assert refused in people.operator.expect_patch_refused("controllerrevision", name, adopted)
        assert refused in people.operator.expect_refused("delete", "controllerrevision", name)
    given_away = {"metadata": {"labels": {"convoke.dev/workflow": None}}}
    assert refused in people.operator.expect_patch_refused("controllerrevision", "small-1", given_away)
    people.operator.do("delete", "controllerrevision", "small-1")


# --- approvals ------------------------------------------------------------------------------------------------------------


def entry(user, decision="Approve", **more):
    return {"step": "gate", "user": user, "decision": decision, **more}


def first(*entries):
    return [{"op": "add", "path": "/spec/approvals", "value": list(entries)}]


def further(said):
    return [{"op": "add", "path": "/spec/approvals/-", "value": said}]


def approvals_of(people):
    return people.admin.get("WorkflowRun", "release").get("spec").get("approvals", [])


@pytest.fixture
def waiting(people):
    """A run that the meddler has created, and on which Bob has had his say."""
    people.meddler.create(release("release", createdBy="meddler"))
    people.bob.patch("WorkflowRun", "release", first(entry("bob", comment="go")))
    return people


def test_everybody_approves_and_rejects_for_themselves(waiting):
    waiting.ann.patch("WorkflowRun", "release", further(entry("ann", "Reject", comment="not on a Friday")))
    waiting.ann.patch("WorkflowRun", "release", further(entry("ann", round=1)))
    assert approvals_of(waiting) == [entry("bob", comment="go", round=0), entry("ann", "Reject", comment="not on a Friday", round=0),
                                     entry("ann", round=1)]


def test_an_approval_in_anothers_name_is_refused(waiting):
    for name in ("bob", "carl", "system:admin", ""):
        complaint = waiting.ann.expect_patch_refused("WorkflowRun", "release", further(entry(name, round=1)))
        assert "everybody approves for themselves: user must be ann" in complaint or "spec.approvals[1].user" in complaint
    both = [*further(entry("ann", round=1)), *further(entry("carl", round=1))]
    assert "user must be ann" in waiting.ann.expect_patch_refused("WorkflowRun", "release", both)
    # The operator neither: its right to write every status is no right to approve.
    assert "is forbidden" in waiting.stranger.expect_patch_refused("WorkflowRun", "release", further(entry("agent-builder-2")))
    complaint = waiting.operator.expect_patch_refused("WorkflowRun", "release", further(entry("ann")))
    assert "everybody approves for themselves" in complaint
    assert len(approvals_of(waiting)) == 1


def test_who_does_not_hold_the_verb_cannot_approve(waiting):
    waiting.ann.create(release("other", createdBy="ann"))
    patch = first(entry("meddler"))
    complaint = waiting.meddler.expect_patch_refused("WorkflowRun", "other", patch)
    assert "meddler does not hold the verb approve on workflows.convoke.dev/release" in complaint
    # Ann's right is for one Workflow, so a run that carries its definition itself is not hers to approve.
    inline = {"steps": [{"name": "gate", "approval": {}}]}
    waiting.meddler.create(release("inline", workflowSpec=inline, createdBy="meddler"))
    complaint = waiting.ann.expect_patch_refused("WorkflowRun", "inline", first(entry("ann")))
    assert complaint.strip().endswith("ann does not hold the verb approve on workflows.convoke.dev")
    waiting.bob.patch("WorkflowRun", "inline", first(entry("bob")))
    complaint = waiting.operator.expect_patch_refused("WorkflowRun", "other", first(entry(OPERATOR)))
    assert "does not hold the verb approve" in complaint


def test_who_created_a_run_cannot_approve_it(people):
    people.ann.create(release("release", createdBy="ann"))
    complaint = people.ann.expect_patch_refused("WorkflowRun", "release", first(entry("ann")))
    assert "ann created this run, and so may not approve or reject its steps" in complaint
    born_approved = release("born", createdBy="ann", approvals=[entry("ann")])
    assert "ann created this run" in people.ann.expect_refused("create", "-f", "-", document=born_approved)
    assert "cannot be changed after creation" in people.ann.expect_patch_refused("WorkflowRun", "release", {"spec": {"createdBy": "bob"}})
    assert "cannot be changed after creation" in people.ann.expect_patch_refused("WorkflowRun", "release", {"spec": {"createdBy": None}})


def test_who_created_a_run_cannot_be_forged_nor_said_later(people):
    complaint = people.ann.expect_refused("create", "-f", "-", document=release("release", createdBy="bob"))
    assert "spec.createdBy must be who creates the run, ann, not bob" in complaint
    people.ann.create(release("release"))
    assert "cannot be changed after creation" in people.ann.expect_patch_refused("WorkflowRun", "release", {"spec": {"createdBy": "ann"}})


def test_the_operator_creates_runs_for_the_creator_of_the_run_that_they_are_a_step_of(people):
    people.operator.create(release("release", createdBy="ann"))
    assert "ann created this run" in people.ann.expect_patch_refused("WorkflowRun", "release", first(entry("ann")))


@pytest.mark.parametrize("patch", [
    [{"op": "remove", "path": "/spec/approvals"}],
    [{"op": "remove", "path": "/spec/approvals/0"}],
    [{"op": "replace", "path": "/spec/approvals/0/decision", "value": "Reject"}],
    [{"op": "replace", "path": "/spec/approvals/0/comment", "value": "by order of bob"}],
    [{"op": "replace", "path": "/spec/approvals/0/round", "value": 3}],
    [{"op": "replace", "path": "/spec/approvals/0/user", "value": "ann"}],
    [{"op": "replace", "path": "/spec/approvals", "value": [entry("ann")]}],
], ids=["all-removed", "removed", "decision", "comment", "round", "user", "replaced"])
@pytest.mark.parametrize("who", ["ann", "bob", "admin"])
def test_what_was_said_is_neither_changed_nor_taken_back(waiting, who, patch):
    complaint = getattr(waiting, who).expect_patch_refused("WorkflowRun", "release", patch)
    assert "what was said in spec.approvals is neither changed nor taken back" in complaint
    assert approvals_of(waiting) == [entry("bob", comment="go", round=0)]


def test_a_run_with_approvals_can_be_changed_in_all_other_ways(waiting):
    waiting.meddler.patch("WorkflowRun", "release", {"spec": {"suspend": True}, "metadata": {"labels": {"a": "b"}}})
    waiting.meddler.patch("WorkflowRun", "release", {"spec": {"cancel": {"reason": "enough"}}})
    assert approvals_of(waiting) == [entry("bob", comment="go", round=0)]


# --- rights ---------------------------------------------------------------------------------------------------------------


CONVOKE, LEASES = "convoke.dev", "coordination.k8s.io"

OPERATOR_MAY = [
    ("drive", CONVOKE, "tasks"), ("watch", CONVOKE, "workflowruns"), ("update", CONVOKE, "workflows/status"),
    ("create", CONVOKE, "tasks"), ("patch", CONVOKE, "tasks"), ("delete", CONVOKE, "workflowruns"), ("patch", CONVOKE, "workflowruns"),
    ("create", "events.k8s.io", "events"), ("create", "apps", "controllerrevisions"), ("watch", LEASES, "leases"),
    ("update", LEASES, "leases"),
]
OPERATOR_MAY_NOT = [
    ("update", CONVOKE, "tasks"), ("update", CONVOKE, "workflows"), ("patch", CONVOKE, "workflows"),
    ("delete", CONVOKE, "workflows"), ("delete", CONVOKE, "agents"), ("create", CONVOKE, "agents"),
    ("approve", CONVOKE, "workflows"), ("report", CONVOKE, "agents"), ("delete", LEASES, "leases"), ("get", "", "secrets"),
    ("get", "", "configmaps"), ("create", "", "pods"), ("impersonate", "", "users"),
]
AGENT_MAY = [("watch", CONVOKE, "tasks"), ("patch", CONVOKE, "tasks/status"), ("create", CONVOKE, "agents"),
             ("create", LEASES, "leases")]
AGENT_MAY_NOT = [("drive", CONVOKE, "tasks"), ("patch", CONVOKE, "tasks"), ("update", CONVOKE, "tasks/status"),
                 ("patch", CONVOKE, "agents"), ("patch", CONVOKE, "agents/status"), ("report", CONVOKE, "agents"),
                 ("list", LEASES, "leases"), ("get", "", "secrets")]


def allowed(admin, user, namespace, questions):
    """Which of them RBAC lets the user do."""
    def review(verb, group, resource):
        what, _, subresource = resource.partition("/")
        return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
            "user": user, "resourceAttributes": {"namespace": namespace, "verb": verb, "group": group, "resource": what,
                                                 "subresource": subresource}}}

    answers = admin.do("create", "-o", "jsonpath={.status.allowed}{'\\n'}", "-f", "-", document=[review(*q) for q in questions])
    return [question for question, answer in zip(questions, answers.split(), strict=True) if answer == "true"]


def test_the_operator_may_do_what_it_needs_and_no_more(installed):
    admin = Kubectl(installed.kubeconfig, installed.kubectl)
    assert allowed(admin, OPERATOR, "default", OPERATOR_MAY + OPERATOR_MAY_NOT) == OPERATOR_MAY


def test_an_agent_may_do_what_it_needs_and_no_more(installed):
    admin = Kubectl(installed.kubeconfig, installed.kubectl)
    assert allowed(admin, "agent-builder-1", "admission", AGENT_MAY + AGENT_MAY_NOT) == AGENT_MAY
    assert allowed(admin, "agent-builder-1", "default", AGENT_MAY + AGENT_MAY_NOT) == []


def test_the_operator_leads_by_a_lease_in_its_own_namespace(installed):
    operator = Kubectl(installed.user(OPERATOR), installed.kubectl, "convoke-system")
    operator.create(lease("convoke-operator"))
    operator.do("replace", "-f", "-", document=operator.get("lease", "convoke-operator"))
    assert "is forbidden" in operator.expect_refused("delete", "lease", "convoke-operator")


def test_the_example_of_an_agent_gives_its_service_account_the_right(installed):
    admin = Kubectl(installed.kubeconfig, installed.kubectl)
    admin.do("apply", "--server-side", "-f", FILES / "agent-example.yaml")
    account = "system:serviceaccount:default:builder-1"

    def answer(verb, what, *more):
        return admin.run("auth", "can-i", verb, what, *more, "--as", account).stdout.strip()

    wait_until(lambda: answer("report", "agents/builder-1") == "yes" and answer("watch", "tasks") == "yes")
    assert answer("patch", "tasks", "--subresource=status") == "yes"
    assert answer("report", "agents/builder-2") == "no" and answer("drive", "tasks") == "no"
    admin.do("delete", "-f", FILES / "agent-example.yaml")


def test_the_policies_are_free_of_type_warnings(people):
    def checked():
        policies = [p for p in people.admin.list("validatingadmissionpolicies") if p["metadata"]["name"].startswith("convoke-")]
        return policies if all("typeChecking" in p.get("status", {}) for p in policies) else None

    policies = wait_until(checked)
    assert len(policies) == 6
    assert [p["status"]["typeChecking"] for p in policies] == [{}] * 6
