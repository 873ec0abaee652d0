"""Pods that no node takes."""

import copy

import pytest
from situation import fixes, healthy, of_kind, template, verdict


@pytest.mark.parametrize(
    "message, name",
    [
        (
            "0/6 nodes are available: 3 Insufficient cpu, 3 node(s) had untolerated taint {node-role.kubernetes.io/master: }.",
            "no-room",
        ),
        (
            "0/6 nodes are available: 6 node(s) didn't match Pod's node affinity/selector.",
            "not-scheduled",
        ),
        (
            "0/6 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
            "claim-not-bound",
        ),
    ],
)
def test_pods_without_a_node(message, name):
    facts = healthy()
    facts["pods"][0]["status"] = {
        "phase": "Pending",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": message,
            }
        ],
    }
    assert verdict(facts) == [name]


@pytest.mark.parametrize(
    "message, name, first",
    [
        (
            "0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.",
            "volume-held",
            'oc -n demo patch deployment kg-demo -p "spec: {strategy: ',
        ),
        (
            '0/1 nodes are available: persistentvolumeclaim "kg-demo" is being deleted.',
            "claim-missing",
            "oc -n demo describe pvc kg-demo",
        ),
        (
            "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
            "no-room",
            "wait until others end",
        ),
        ("0/1 nodes are available: 1 Insufficient memory.", "no-room", "wait until others end"),
        (
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
            "not-scheduled",
            'oc -n demo patch deployment kg-demo --type=json -p "[{op: remove, path: /spec/template/spec/nodeSelector}]"',
        ),
    ],
)
def test_what_mends_a_pod_without_a_node(message, name, first):
    facts = healthy()
    template(facts)["nodeSelector"] = {"gpu": "yes"}
    facts["pods"][0]["status"] = {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "message": message}],
    }
    assert verdict(facts) == [name] and fixes(facts)[0].startswith(first)
    assert "gpu" not in message or not any("--requests" in line for line in fixes(facts))


def test_a_daemon_set_for_no_node():
    facts = of_kind(healthy(), "DaemonSet")
    facts["workload"]["spec"].pop("replicas")
    facts["workload"]["status"]["desiredNumberScheduled"] = 0
    facts["pods"], template(facts)["nodeSelector"] = [], {"gpu": "yes"}
    assert verdict(facts) == ["not-scheduled"]
    assert fixes(facts) == [
        'oc -n demo patch daemonset kg-demo --type=json -p "[{op: remove, path: /spec/template/spec/nodeSelector}]"'
    ]


@pytest.mark.parametrize(
    "message, fields, names, wish",
    [
        (
            "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label).",
            {"topologySpreadConstraints": [{}]},
            ["not-scheduled"],
            "topologySpreadConstraints",
        ),
        (
            "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.",
            {"nodeSelector": {"a": "b"}, "affinity": {"podAntiAffinity": {}}},
            ["not-scheduled"],
            "affinity",
        ),
        (
            "Scheduling is blocked due to non-empty scheduling gates",
            {"schedulingGates": [{}]},
            ["not-scheduled"],
            "schedulingGates",
        ),
        ("", {"schedulerName": "none-such"}, ["not-scheduled"], "schedulerName"),
        ("0/1 nodes are available: 1 Too many pods.", {}, ["no-room"], None),
        (
            "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unschedulable: }.",
            {"nodeSelector": {"a": "b"}},
            ["no-room"],
            None,
        ),
    ],
)
def test_what_keeps_a_pod_off_all_nodes(message, fields, names, wish):
    facts = healthy()
    template(facts).update(fields)
    facts["pods"][0]["status"] = {
        "phase": "Pending",
        **(
            {"conditions": [{"type": "PodScheduled", "status": "False", "message": message}]}
            if message
            else {}
        ),
    }
    assert verdict(facts) == names
    assert not wish or f"path: /spec/template/spec/{wish}}}" in fixes(facts)[0]


def test_pods_of_the_release_before_that_keep_new_ones_off():
    facts = healthy()
    facts["pods"].append(copy.deepcopy(facts["pods"][0]))
    facts["pods"][1]["metadata"].update(
        name="kg-demo-0-a", uid="o", ownerReferences=[{"uid": "s0"}]
    )
    facts["sets"].append({"metadata": {"name": "kg-demo-0", "uid": "s0"}, "spec": {}})
    facts["pods"][0]["status"] = {
        "phase": "Pending",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "message": "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules.",
            }
        ],
    }
    assert verdict(facts) == ["not-scheduled"] and fixes(facts) == [
        "oc -n demo delete replicaset kg-demo-0 --cascade=foreground",
        "oc -n demo rollout restart deployment/kg-demo",
    ]
