"""Pods that the API server refuses."""

import pytest
from situation import IMAGE, event, fixes, healthy, no_pods, stateful, template, verdict

# What the API server refuses, and why
FORBIDDEN = [
    (
        'pods "kg-demo-1-" is forbidden: unable to validate against any security context constraint: [provider "anyuid": Forbidden: not usable by user or serviceaccount, provider restricted-v2: '
        ".spec.securityContext.fsGroup: Invalid value: []int64{999}: 999 is not an allowed group, provider restricted-v2: .containers[0].runAsUser: Invalid value: 999: must be in the ranges: "
        '[1000680000, 1000689999], provider "restricted": Forbidden: not usable by user or serviceaccount]',
        "security-context",
    ),  # pulp/pulp-operator#1319
    (
        'pods "kg-demo-1-" is forbidden: violates PodSecurity "restricted:latest": runAsUser=0 (pod must not set runAsUser=0)',
        "security-context",
    ),
    (
        'pods "kg-demo-1-" is forbidden: exceeded quota: dsri, requested: limits.memory=1Ti, used: limits.memory=10Gi, limited: limits.memory=1Ti',
        "quota",
    ),
    (
        'pods "kg-demo-1-" is forbidden: maximum ephemeral-storage usage per Container is 2Gi, but limit is 3000Mi',
        "maxima",
    ),  # mariadb-operator/mariadb-operator#639
    ('admission webhook "x" denied the request: no', "pod-refused"),
]


@pytest.mark.parametrize("message, name", FORBIDDEN)
def test_pods_that_are_refused(message, name):
    facts = healthy()
    facts["pods"] = []
    facts["sets"][0]["status"]["conditions"] = [
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    ]
    assert verdict(facts) == [name]


def test_a_refusal_that_is_over_is_not_said():
    facts = healthy()
    facts["events"] = [event("FailedCreate", FORBIDDEN[0][0], "s")]
    assert verdict(facts) == []


@pytest.mark.parametrize(
    "message, change, names",
    [
        (
            "failed quota: dsri: must specify limits.cpu",
            lambda c, pod: c["resources"]["limits"].pop("cpu"),
            ["resources-missing"],
        ),  # kubernetes/kubernetes#110956
        (
            "maximum memory usage per Container is 512Gi",
            lambda c, pod: c["resources"]["limits"].update(memory="0.6Ti"),
            ["maxima"],
        ),
        (
            "failed quota: dsri: must specify limits.cpu",
            lambda c, pod: (
                c["resources"]["limits"].pop("cpu"),
                c["resources"]["requests"].update(cpu="33"),
                pod.update(securityContext={"runAsUser": 0}),
            ),
            ["resources-missing", "maxima", "security-context"],
        ),
    ],
)
def test_a_manifest_that_is_refused(message, change, names):
    facts = healthy()
    facts["pods"] = []
    pod = facts["workload"]["spec"]["template"]["spec"]
    change(pod["containers"][0], pod)
    facts["sets"][0]["status"]["conditions"] = [
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    ]
    assert verdict(facts) == names


def test_a_pod_of_which_nothing_is_deployed_yet():
    """Before the first `apply`: what it needs is looked at already."""
    facts = healthy()
    facts["expected"] = {
        "folder": "openshift",
        "project": "demo",
        "user": "octocat",
        "workload": facts["workload"],
        "objects": [],
    }
    facts.update(workload=None, pods=[], sets=[])
    facts["secrets"]["github-ghcr-secret"] = None
    assert verdict(facts) == ["no-workload", "pull-secret-missing"]


def test_resources_are_set_for_the_container_that_lacks_them():
    facts = healthy()
    facts["pods"] = []
    template(facts)["initContainers"] = [
        {"name": "migrate", "image": IMAGE, "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}
    ]
    facts["sets"][0]["status"]["conditions"] = [
        {
            "type": "ReplicaFailure",
            "status": "True",
            "message": "failed quota: dsri: must specify limits.ephemeral-storage",
        }
    ]
    assert fixes(facts) == [
        "oc -n demo set resources deployment/kg-demo -c migrate --requests=ephemeral-storage=256Mi --limits=ephemeral-storage=1Gi"
    ]


def test_what_the_manifest_lacks_is_seen_without_events():
    facts = stateful(healthy())
    facts["pods"] = []
    facts["workload"]["metadata"]["creationTimestamp"] = "2026-11-24T11:00:00Z"
    template(facts)["containers"][0]["resources"]["limits"].pop("cpu")
    assert verdict(facts) == ["resources-missing"]


def test_a_host_path():
    facts = healthy()
    facts["pods"] = []
    template(facts)["volumes"].append({"name": "data", "hostPath": {"path": "/etc"}})
    facts["sets"][0]["status"]["conditions"] = [
        {
            "type": "ReplicaFailure",
            "status": "True",
            "message": 'pods "kg-demo-1-" is forbidden: violates PodSecurity "restricted:latest": restricted volume types',
        }
    ]
    assert verdict(facts) == ["security-context"] and fixes(facts)[1:] == [
        "there: take out the hostPath volume data"
    ]


@pytest.mark.parametrize(
    "message, field",
    [
        (
            'pods "kg-demo-1-" is forbidden: no PriorityClass with name none-such was found',
            "priorityClassName",
        ),
        (
            'pods "kg-demo-1-" is forbidden: pod rejected: RuntimeClass "none-such" not found',
            "runtimeClassName",
        ),
    ],
)
def test_a_class_that_the_cluster_does_not_have(message, field):
    facts = no_pods(healthy(), message)
    template(facts)[field] = "none-such"
    assert verdict(facts) == ["pod-refused"] and f"/spec/template/spec/{field}" in fixes(facts)[0]


@pytest.mark.parametrize(
    "message, mend",
    [
        ("maximum memory usage per Container is 256Mi, but limit is 1Gi", "--limits=memory=256Mi"),
        ("minimum cpu usage per Container is 2, but request is 1", "--requests=cpu=2"),
        (
            "[maximum cpu usage per Container is 500m, but limit is 1, maximum memory usage per Container is 256Mi, but limit is 1Gi]",
            "--limits=cpu=500m,memory=256Mi",
        ),
    ],
)
def test_a_limit_range(message, mend):
    facts = no_pods(healthy(), f'pods "kg-demo-1-" is forbidden: {message}')
    assert verdict(facts) == ["maxima"] and fixes(facts) == [
        f"oc -n demo set resources deployment/kg-demo {mend}"
    ]


def test_a_quota_that_a_rollout_does_not_fit_in():
    facts = healthy()
    facts["pods"][0]["metadata"]["ownerReferences"] = [{"uid": "s0"}]
    facts["sets"][0]["status"]["conditions"] = [
        {
            "type": "ReplicaFailure",
            "status": "True",
            "message": "exceeded quota: small, requested: pods=1, used: pods=4, limited: pods=4",
        }
    ]
    assert (
        verdict(facts) == ["quota"]
        and "{maxSurge: 0, maxUnavailable: 1}" in fixes(facts)[1]
        and fixes(facts)[2] == "oc -n demo rollout restart deployment/kg-demo"
    )


@pytest.mark.parametrize(
    "pods, requested, mend",
    [
        (1, "limits.memory=1Gi", ["oc -n demo scale deployment/kg-demo --replicas=1"]),
        (
            0,
            "pods=1",
            [
                "oc -n demo get deployments,statefulsets,jobs,pods",
                "there: end what is no longer needed",
                "oc -n demo rollout restart deployment/kg-demo",
            ],
        ),
        (
            0,
            "limits.memory=1Gi",
            [
                "oc -n demo edit deployment kg-demo",
                "there: smaller resources, or end what else is no longer needed",
            ],
        ),
    ],
)
def test_a_quota(pods, requested, mend):
    facts = healthy()
    facts["workload"]["spec"]["replicas"] = 2
    kept = facts["pods"][:pods]
    facts = no_pods(facts, f"exceeded quota: small, requested: {requested}, used: x, limited: x")
    facts["pods"] = kept
    assert verdict(facts) == ["quota"] and fixes(facts) == [
        "oc -n demo describe quota small",
        *mend,
    ]
