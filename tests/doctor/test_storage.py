"""Claims and volumes."""

import pytest
from situation import NOW, event, findings_of, fixes, healthy, stateful, status, template, verdict

VOLUMES = [
    (
        "FailedMount",
        'MountVolume.SetUp failed for volume "token" : secret "kg-demo-key" not found',
        "config-missing",
    ),  # openshift/release#21397
    (
        "FailedMount",
        'MountVolume.SetUp failed for volume "config" : configmaps "labels" not found',
        "config-missing",
    ),  # openshift/release#2016
    (
        "FailedAttachVolume",
        'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) kg-demo-0-a',
        "volume-held",
    ),
    (
        "FailedAttachVolume",
        'AttachVolume.Attach failed for volume "pvc-1" : timed out waiting for external-attacher of cephfs.csi.ceph.com CSI driver',
        "volume-not-mounted",
    ),  # ceph/ceph-csi#3476
]


@pytest.mark.parametrize("reason, message, name", VOLUMES)
def test_volumes(reason, message, name):
    facts = status(healthy(), waiting={"reason": "ContainerCreating"})
    facts["events"] = [event(reason, message)]
    assert verdict(facts) == [name]


def test_storage_that_is_not_bound():
    facts = status(healthy(), waiting={"reason": "ContainerCreating"})
    facts["workload"]["spec"]["template"]["spec"]["volumes"].append(
        {"name": "data", "persistentVolumeClaim": {"claimName": "kg-demo"}}
    )
    assert verdict(facts) == ["claim-missing"]
    facts["claims"] = [
        {
            "metadata": {"name": "kg-demo", "uid": "c"},
            "spec": {"storageClassName": "other", "resources": {"requests": {"storage": "5Gi"}}},
            "status": {"phase": "Pending"},
        }
    ]
    facts["events"] = [
        event("ProvisioningFailed", 'storageclass.storage.k8s.io "other" not found', "c")
    ]
    assert verdict(facts) == ["claim-not-bound"]


def test_the_storage_of_a_stateful_set():
    facts = stateful(healthy())
    facts["workload"]["spec"]["volumeClaimTemplates"] = [{}]
    facts["pods"][0]["spec"]["volumes"].append(
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-kg-demo-0"}}
    )
    facts["pods"][0]["status"] = {
        "phase": "Pending",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "message": "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found",
            }
        ],
    }
    facts["claims"] = [
        {
            "metadata": {"name": "data-kg-demo-0", "uid": "c"},
            "spec": {
                "storageClassName": "none-such",
                "resources": {"requests": {"storage": "5Gi"}},
            },
            "status": {"phase": "Pending"},
        }
    ]
    assert verdict(facts) == ["claim-not-bound"] and fixes(facts)[:2] == [
        "oc -n demo delete statefulset kg-demo",
        "oc -n demo delete pvc data-kg-demo-0",
    ]


def test_storage_that_was_deleted_under_a_pod_that_runs():
    facts = healthy()
    template(facts)["volumes"].append(
        {"name": "data", "persistentVolumeClaim": {"claimName": "kg-demo"}}
    )
    template(facts)["containers"][0]["volumeMounts"].append({"name": "data", "mountPath": "/data"})
    facts["claims"] = [
        {
            "metadata": {
                "name": "kg-demo",
                "uid": "c",
                "deletionTimestamp": "2026-11-24T11:50:00Z",
            },
            "spec": {},
            "status": {"phase": "Bound"},
        }
    ]
    found = findings_of(facts, NOW)
    assert [(f.name, f.warning) for f in found] == [("claim-ending", True)]
    assert (
        found[0].fix[0]
        == "oc -n demo exec kg-demo-1-a -c kg-demo -- tar -C /data -cf - . > kg-demo.tar"
    )
