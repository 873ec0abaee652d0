"""The workload itself: not there, off, stuck, of other kinds."""

import copy

import pytest
from situation import (
    IMAGE,
    NOW,
    crashes,
    event,
    facts_of,
    findings_of,
    fixes,
    healthy,
    of_kind,
    refused,
    stateful,
    status,
    template,
    verdict,
)

from dsri.doctor.findings import release_before_answers


def test_what_is_well_has_no_finding():
    assert verdict(healthy()) == []


def test_a_start_long_ago_leaves_no_finding():
    facts = healthy()
    facts["events"] = [
        event(
            "Unhealthy", "Startup probe failed: dial tcp 10.0.0.1:8080: connect: connection refused"
        ),
        event(
            "FailedToRetrieveImagePullSecret", "Unable to retrieve some image pull secrets (other)"
        ),
    ]
    facts["pods"][0]["status"]["containerStatuses"][0]["lastState"] = {
        "terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-20T11:00:00Z"}
    }
    assert verdict(facts) == []


@pytest.mark.parametrize(
    "facts, names",
    [
        ({"project_state": "NotFound", "others": ["demo-1"]}, ["no-project"]),
        ({"project_state": "Forbidden", "unseen": ["deployments", "events"]}, ["no-project"]),
        ({"workload": None, "pods": [], "sets": [], "others": ["kg-demo-2"]}, ["no-workload"]),
        ({"accounts": []}, ["no-account"]),
        ({"accounts": None, "unseen": ["accounts"]}, []),  # not allowed to see them
    ],
)
def test_where_to_look(facts, names):
    assert verdict({**healthy(), **facts}) == names


def test_a_rollout_that_does_not_end():
    facts = status(healthy(), waiting={"reason": "ContainerCreating"})
    facts["workload"]["status"]["conditions"] = [
        {
            "type": "Progressing",
            "status": "False",
            "reason": "ProgressDeadlineExceeded",
            "message": "it has timed out",
        }
    ]
    assert verdict(facts) == ["rollout-stuck"]


def test_the_release_before_still_answers():
    facts = status(healthy(), waiting={"reason": "ImagePullBackOff", "message": "manifest unknown"})
    older = copy.deepcopy(healthy()["pods"][0])
    older["metadata"].update(name="kg-demo-0-a", uid="o", ownerReferences=[{"uid": "s0"}])
    facts["pods"].append(older)
    assert verdict(facts) == ["image-missing"]
    assert release_before_answers(facts_of(facts))
    assert not release_before_answers(facts_of(healthy()))


@pytest.mark.parametrize(
    "condition, name", [({"paused": True}, "paused"), ({"replicas": 0}, "scaled-down")]
)
def test_what_is_switched_off(condition, name):
    facts = healthy()
    facts["workload"]["spec"].update(condition)
    assert verdict(facts) == [name]


def test_a_stateful_set_waits_for_a_broken_pod_of_the_release_before():
    facts = status(
        stateful(healthy()), waiting={"reason": "ImagePullBackOff", "message": "manifest unknown"}
    )
    assert (
        verdict(facts) == ["image-missing"]
        and fixes(facts)[-1] == "oc -n demo delete pod kg-demo-0"
    )
    facts["pods"][0]["metadata"]["labels"]["controller-revision-hash"] = "kg-demo-1"
    assert verdict(facts) == ["rollout-stuck"] and fixes(facts) == [
        "oc -n demo delete pod kg-demo-0"
    ]


@pytest.mark.parametrize(
    "more, end",
    [
        (
            {"finalizers": ["example.org/keep"]},
            'patch pod kg-demo-0 --type=merge -p "metadata: {finalizers: null}"',
        ),
        ({}, "delete pod kg-demo-0 --force --grace-period=0"),
    ],
)
def test_a_pod_that_does_not_go(more, end):
    facts = stateful(healthy())
    facts["pods"][0]["metadata"].update(deletionTimestamp="2026-11-24T11:50:00Z", **more)
    assert verdict(facts) == ["terminating"] and fixes(facts)[0] == f"oc -n demo {end}"
    facts["pods"][0]["metadata"]["deletionTimestamp"] = "2026-11-24T11:59:50Z"
    assert verdict(facts) == ["starting"]


@pytest.mark.parametrize(
    "made, names, warning",
    [("2026-11-24T11:59:00Z", [], None), ("2026-11-24T11:30:00Z", ["starting"], False)],
)
def test_a_rollout_that_goes_on_is_well(made, names, warning):
    """Also a replica that a HorizontalPodAutoscaler has added."""
    facts = healthy()
    facts["workload"]["spec"]["replicas"] = 2
    second = copy.deepcopy(facts["pods"][0])
    second["metadata"].update(name="kg-demo-1-b", uid="p2", creationTimestamp=made)
    second["status"] = {
        "phase": "Pending",
        "containerStatuses": [
            {
                "name": "kg-demo",
                "ready": False,
                "state": {"waiting": {"reason": "ContainerCreating"}},
            }
        ],
    }
    facts["pods"].append(second)
    found = findings_of(facts, NOW)
    assert [(f.name, f.warning) for f in found] == [(name, warning) for name in names]


def test_an_init_container_that_waits():
    facts = status(healthy(), waiting={"reason": "PodInitializing"})
    template(facts)["initContainers"] = [{"name": "wait-db", "image": IMAGE}]
    facts["pods"][0]["status"]["initContainerStatuses"] = [
        {
            "name": "wait-db",
            "ready": False,
            "started": True,
            "state": {"running": {"startedAt": "2026-11-24T11:00:00Z"}},
        }
    ]
    facts["logs"] = {"kg-demo-1-a/wait-db": "waiting for db"}
    found = findings_of(facts, NOW)
    assert (
        [f.name for f in found] == ["starting"]
        and found[0].says == ["waiting for db"]
        and found[0].fix == ["oc -n demo logs deployment/kg-demo -c wait-db"]
    )


def test_what_is_paused_is_resumed_first():
    """Nothing can be restarted before."""
    facts = refused(healthy())
    facts["workload"]["spec"]["paused"] = True
    assert verdict(facts) == ["paused", "token-refused"]


@pytest.mark.parametrize(
    "kind, mend",
    [
        (
            "DaemonSet",
            ["oc -n demo set resources daemonset/kg-demo -c kg-demo --limits=memory=2Gi"],
        ),
        (
            "ReplicaSet",
            [
                "oc -n demo set resources replicaset/kg-demo -c kg-demo --limits=memory=2Gi",
                "oc -n demo delete pod kg-demo-1-a",
            ],
        ),
    ],
)
def test_other_kinds(kind, mend):
    assert verdict(of_kind(healthy(), kind)) == []
    assert fixes(crashes(of_kind(healthy(), kind), "", 137, "OOMKilled")) == mend


def test_a_pod_of_its_own():
    facts = healthy()
    pod = facts["pods"][0]
    pod.update(
        kind="Pod",
        metadata={
            "name": "kg-demo",
            "uid": "p",
            "labels": {"app.kubernetes.io/name": "kg-demo"},
            "creationTimestamp": "2026-11-24T11:00:00Z",
        },
    )
    facts.update(workload=pod, sets=[])
    assert verdict(facts) == []
    status(facts, terminated={"exitCode": 4, "reason": "Error"})
    pod["status"]["phase"] = "Failed"
    assert verdict(facts) == ["crash"] and fixes(facts) == ["oc -n demo logs pod/kg-demo"]
    pod["status"].update(
        reason="Evicted",
        message="Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
    )
    assert verdict(facts) == ["evicted"] and fixes(facts)[0] == "oc -n demo delete pod kg-demo"


def test_what_is_being_deleted():
    facts = healthy()
    facts["workload"]["metadata"].update(
        deletionTimestamp="2026-11-24T11:50:00Z", finalizers=["example.org/keep"]
    )
    assert (
        verdict(facts) == ["terminating"]
        and fixes(facts)[0]
        == 'oc -n demo patch deployment kg-demo --type=merge -p "metadata: {finalizers: null}"'
    )
    facts = healthy()
    facts["ending"] = [
        "Some content in the namespace has finalizers remaining: example.org/keep in 1 resource instances"
    ]
    found = findings_of(facts, NOW)
    assert [f.name for f in found] == ["project-ending"] and "example.org/keep" in found[0].says[0]


@pytest.mark.parametrize("unseen", ["pods", "deployments"])
def test_what_may_not_be_seen_is_not_wrong(unseen):
    facts = healthy()
    facts.update(
        unseen=[unseen], pods=[], **({"workload": None} if unseen == "deployments" else {})
    )
    assert verdict(facts) == []
