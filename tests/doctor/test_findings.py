"""The doctor's verdict from facts alone: no cluster, no network. What the cluster says is in the words of containerd and of CRI-O, OpenShift's
runtime, as people reported them (the issue stands beside each)."""

import copy
import datetime
import re
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from dsri.doctor import findings as doctor  # noqa: E402
from dsri.doctor.command import page  # noqa: E402
from dsri.doctor.hide import hide, tail  # noqa: E402
from dsri.doctor.look import read_ports  # noqa: E402
from dsri.doctor.pull_secret import decoded, kind_of_token  # noqa: E402
from dsri.doctor.registry import serves, split  # noqa: E402

NOW = datetime.datetime(2026, 11, 24, 12, 0, tzinfo=datetime.timezone.utc)
IMAGE = "ghcr.io/maastrichtu-ids/kg-demo:latest"
DIGEST = "sha256:" + "ab" * 32


def healthy():
    """A Deployment that the template made, and that runs."""
    resources = {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"}
    container = {
        "name": "kg-demo",
        "image": IMAGE,
        "imagePullPolicy": "Always",
        "resources": {"requests": dict(resources), "limits": dict(resources)},
        "env": [{"name": "PORT", "value": "8080"}],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    spec = {
        "serviceAccountName": "default",
        "imagePullSecrets": [{"name": "github-ghcr-secret"}],
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    labels = {"app.kubernetes.io/name": "kg-demo"}
    revision = {"deployment.kubernetes.io/revision": "2"}
    return {
        "tool": "oc",
        "options": [],
        "project": "demo",
        "name": "kg-demo",
        "expected": {},
        "unseen": [],
        "project_is": None,
        "others": [],
        "workload": {
            "kind": "Deployment",
            "metadata": {"name": "kg-demo", "uid": "w", "annotations": revision},
            "status": {"readyReplicas": 1},
            "spec": {"replicas": 1, "template": {"metadata": {"labels": labels}, "spec": spec}},
        },
        "sets": [
            {
                "metadata": {
                    "name": "kg-demo-1",
                    "uid": "s",
                    "annotations": revision,
                    "ownerReferences": [{"uid": "w"}],
                },
                "spec": {"replicas": 1},
                "status": {},
            }
        ],
        "pods": [
            {
                "metadata": {
                    "name": "kg-demo-1-a",
                    "uid": "p",
                    "creationTimestamp": "2026-11-24T11:00:00Z",
                    "ownerReferences": [{"uid": "s"}],
                },
                "spec": copy.deepcopy(spec),
                "status": {
                    "phase": "Running",
                    "startTime": "2026-11-24T11:00:00Z",
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "containerStatuses": [
                        {
                            "name": "kg-demo",
                            "ready": True,
                            "restartCount": 0,
                            "imageID": f"ghcr.io/maastrichtu-ids/kg-demo@{DIGEST}",
                            "state": {"running": {"startedAt": "2026-11-24T11:00:00Z"}},
                            "lastState": {},
                        }
                    ],
                },
            }
        ],
        "jobs": [],
        "besides": [],
        "there": {},
        "ending": None,
        "policies": [],
        "accounts": [{"metadata": {"name": "default"}}],
        "claims": [],
        "services": [
            {
                "metadata": {"name": "kg-demo"},
                "spec": {
                    "selector": labels,
                    "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
                },
            }
        ],
        "routes": [
            {
                "metadata": {"name": "kg-demo", "creationTimestamp": "2026-11-24T11:00:00Z"},
                "spec": {
                    "host": "kg-demo-demo.apps.example.org",
                    "to": {"name": "kg-demo"},
                    "port": {"targetPort": "http"},
                },
                "status": {"ingress": [{"conditions": [{"type": "Admitted", "status": "True"}]}]},
            }
        ],
        "events": [],
        "secrets": {
            "github-ghcr-secret": {
                "type": "kubernetes.io/dockerconfigjson",
                "registries": {"ghcr.io": {"user": "octocat", "token": "classic"}},
            }
        },
        "used": ["github-ghcr-secret"],
        "logs": {},
        "ports": {},
        "registry": {},
        "runs": None,
    }


def verdict(facts):
    return [f.name for f in doctor.findings(facts, NOW)]


def status(facts, waiting=None, terminated=None, last=None, running=None, restarts=0):
    """The facts with a pod whose container is in this state, and not ready."""
    pod = facts["pods"][0]["status"]
    pod["conditions"] = [{"type": "Ready", "status": "False"}]
    state = (
        {"waiting": waiting}
        if waiting
        else {"terminated": terminated}
        if terminated
        else {"running": running or {"startedAt": "2026-11-24T11:00:00Z"}}
    )
    pod["containerStatuses"][0].update(
        ready=False,
        state=state,
        lastState={"terminated": last} if last else {},
        restartCount=restarts,
    )
    return facts


def event(reason, message, uid="p"):
    return {
        "reason": reason,
        "message": message,
        "involvedObject": {"uid": uid},
        "lastTimestamp": "2026-11-24T11:59:00Z",
    }


def crashes(facts, log="", code=1, reason="Error"):
    facts["logs"] = {"kg-demo-1-a/kg-demo": log}
    return status(
        facts,
        waiting={
            "reason": "CrashLoopBackOff",
            "message": "back-off 10s restarting failed container",
        },
        last={"exitCode": code, "reason": reason},
        restarts=3,
    )


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


# (what the runtime says of a pull, the finding)
PULLS = [
    # containerd
    (
        'rpc error: code = NotFound desc = failed to pull and unpack image "I": failed to resolve reference "I": I: not found',
        "image-missing",
    ),
    (
        'failed to pull and unpack image "I": failed to resolve reference "I": failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized',
        "token-refused",
    ),
    (
        'failed to pull and unpack image "I": failed to resolve reference "I": unexpected status from HEAD request to https://ghcr.io/v2/x/manifests/latest: 403 Forbidden',
        "token-refused",
    ),
    (
        'failed to pull image "I": failed to do request: Head "https://ghcr.io/v2/x/manifests/latest": dial tcp: lookup ghcr.io on 10.0.0.1:53: no such host',
        "registry-unreachable",
    ),
    ("no match for platform in manifest: not found", "image-platform"),
    # CRI-O
    (
        "rpc error: code = Unknown desc = Error reading manifest latest in R: errors: denied: requested access to the resource is denied unauthorized: authentication required",
        "token-refused",
    ),  # thoth-station/thoth-application#2057
    (
        "unable to retrieve auth token: invalid username/password: authentication required",
        "token-refused",
    ),  # NVIDIA/k8s-nim-operator#343
    (
        "parsing image configuration: unable to retrieve auth token: invalid username/password: unauthorized: unauthenticated: User cannot be authenticated with the token provided.",
        "token-refused",
    ),  # yannh/kubeconform#117
    (
        "initializing source docker://I: Requesting bearer token: invalid status code from registry 403 (Forbidden)",
        "token-refused",
    ),  # k0sproject/k0sctl#981
    (
        "Requesting bearer token: received unexpected HTTP status: 403 Forbidden",
        "token-refused",
    ),  # mccutchen/go-httpbin#223
    (
        "rpc error: code = Unknown desc = initializing source docker://I: reading manifest latest in R: manifest unknown",
        "image-missing",
    ),  # okd-project/okd#2194
    (
        "rpc error: code = Unknown desc = Error reading manifest 1.0 in R: manifest unknown: manifest unknown",
        "image-missing",
    ),  # openshift/origin#25763
    (
        "rpc error: code = Unknown desc = Error reading manifest latest in R: toomanyrequests: You have reached your pull rate limit.",
        "pull-limit",
    ),  # red-hat-storage/ocs-ci#4494
    (
        "short name mode is enforcing, but image name synology/synology-csi:v1.2.0 returns ambiguous list",
        "image-name",
    ),  # SynologyOpenSource/synology-csi#128
    (
        "Error initializing source docker://I: unexpected http code: 500 (Internal Server Error), URL: https://quay.io/v2/auth",
        "registry-unreachable",
    ),  # cri-o/cri-o#3786
    (
        'error pinging docker registry ghcr.io: Get "https://ghcr.io/v2/": x509: certificate is valid for *.apps.example.org, not ghcr.io',
        "registry-unreachable",
    ),  # openshift/origin#25763
    (
        "unable to pull image or OCI artifact: pull image err: initializing source docker://I: Requesting bearer token: received unexpected HTTP status: 403 Forbidden; artifact err: not found",
        "token-refused",
    ),  # its form: openshift/ovn-kubernetes#3192
    (
        "image pull failed for I because the signature validation failed: Source image rejected: A signature was required, but no signature exists",
        "pull-failed",
    ),  # openshift/ovn-kubernetes#3192
]


@pytest.mark.parametrize("says, name", PULLS)
@pytest.mark.parametrize("where", ["state", "event"])
def test_pulls(says, name, where):
    says = re.sub(r"\bI\b", IMAGE, says).replace(" R:", f" {IMAGE[:-7]}:")
    facts = status(
        healthy(),
        waiting={
            "reason": "ImagePullBackOff",
            "message": f'Back-off pulling image "{IMAGE}"'
            + (f": ErrImagePull: {says}" if where == "state" else ""),
        },
    )
    if where == "event":  # older kubelets say it there only
        facts["events"] = [event("Failed", f'Failed to pull image "{IMAGE}": {says}')]
    assert verdict(facts) == [name]


def test_an_images_own_name_says_nothing():
    facts = healthy()
    image = "ghcr.io/maastrichtu-ids/denied-403:404"
    for spec in (facts["workload"]["spec"]["template"]["spec"], facts["pods"][0]["spec"]):
        spec["containers"][0]["image"] = image
    message = f'Back-off pulling image "{image}": ErrImagePull: initializing source docker://{image}: reading manifest 404 in ghcr.io/maastrichtu-ids/denied-403: manifest unknown'
    assert verdict(status(facts, waiting={"reason": "ImagePullBackOff", "message": message})) == [
        "image-missing"
    ]


def refused(facts):
    return status(
        facts, waiting={"reason": "ErrImagePull", "message": "unexpected status: 401 Unauthorized"}
    )


SECRETS = [
    (None, "pull-secret-missing"),
    (
        {"type": "Opaque", "registries": {"ghcr.io": {"user": "octocat", "token": "classic"}}},
        "pull-secret-type",
    ),
    (
        {"type": "kubernetes.io/dockerconfigjson", "registries": {}, "broken": True},
        "pull-secret-broken",
    ),
    (
        {
            "type": "kubernetes.io/dockerconfigjson",
            "registries": {"https://index.docker.io/v1/": {"user": "octocat", "token": "classic"}},
        },
        "pull-secret-registry",
    ),
    (
        {
            "type": "kubernetes.io/dockerconfigjson",
            "registries": {"ghcr.io": {"user": "octocat", "token": "fine-grained"}},
        },
        "pull-secret-token",
    ),
    (
        {
            "type": "kubernetes.io/dockerconfigjson",
            "registries": {"https://ghcr.io/v2/": {"user": "octocat", "token": "classic"}},
        },
        "token-refused",
    ),
]


@pytest.mark.parametrize("secret, name", SECRETS)
def test_secrets(secret, name):
    facts = refused(healthy())
    facts["secrets"]["github-ghcr-secret"] = secret
    assert verdict(facts) == [name]


def test_one_good_secret_of_several_is_enough_to_look_at():
    facts = refused(healthy())
    facts["workload"]["spec"]["template"]["spec"]["imagePullSecrets"].append({"name": "other"})
    facts["secrets"]["other"] = None
    assert verdict(facts) == ["token-refused"]


def test_a_secret_of_another_account():
    facts = refused(healthy())
    del facts["workload"]["spec"]["template"]["spec"]["imagePullSecrets"]
    assert verdict(facts) == ["no-pull-secret"]
    facts["accounts"] += [
        {
            "metadata": {"name": "builder"},
            "imagePullSecrets": [
                {"name": "builder-dockercfg-abcde"},
                {"name": "github-ghcr-secret"},
            ],
        }
    ]
    found = doctor.findings(facts, NOW)
    assert [f.name for f in found] == ["pull-secret-not-linked"] and "account builder" in found[
        0
    ].what
    assert found[0].mend[0] == "oc -n demo secrets link default github-ghcr-secret --for=pull"
    facts["tool"] = "kubectl"
    facts["accounts"][0]["imagePullSecrets"] = [{"name": "default-dockercfg-abcde"}]
    assert (
        doctor.findings(facts, NOW)[0]
        .mend[0]
        .endswith(
            """-p '{"imagePullSecrets":[{"name":"default-dockercfg-abcde"},{"name":"github-ghcr-secret"}]}'"""
        )
    )


def test_what_a_user_name_can_tell():
    facts = refused(healthy())
    facts["expected"] = {
        "folder": "openshift",
        "project": "demo",
        "user": "hubot",
        "workload": facts["workload"],
        "objects": [],
    }
    assert (
        "user is octocat; this repository's steps say hubot" in doctor.findings(facts, NOW)[0].why
    )
    facts["expected"]["user"] = "OctoCat"
    assert "octocat;" not in doctor.findings(facts, NOW)[0].why


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


CONTAINERS = [
    (
        {"reason": "CreateContainerConfigError", "message": 'secret "kg-demo-token" not found'},
        "config-missing",
    ),
    (
        {
            "reason": "CreateContainerConfigError",
            "message": "couldn't find key token in Secret demo/kg-demo-token",
        },
        "config-missing",
    ),
    (
        {
            "reason": "CreateContainerConfigError",
            "message": "container has runAsNonRoot and image has non-numeric user (nobody), cannot verify user is non-root",
        },
        "user-not-numeric",
    ),  # prometheus/statsd_exporter#406
    (
        {
            "reason": "CreateContainerConfigError",
            "message": "container has runAsNonRoot and image will run as root",
        },
        "user-not-numeric",
    ),  # goharbor/harbor-operator#82
    (
        {
            "reason": "CreateContainerError",
            "message": 'container create failed: starting container process caused "exec: \\"uid_entrypoint\\": executable file not found in $PATH"',
        },
        "command-missing",
    ),  # RHsyseng/container-rhel-examples#102
    (
        {
            "reason": "CreateContainerError",
            "message": "container create failed: executable file `uvicorn` not found in $PATH: No such file or directory",
        },
        "command-missing",
    ),  # containers/crun#1664
    (
        {
            "reason": "RunContainerError",
            "message": 'failed to create containerd task: OCI runtime create failed: exec: "/app/run": permission denied',
        },
        "permission",
    ),
]


@pytest.mark.parametrize("waiting, name", CONTAINERS)
def test_containers_that_are_not_made(waiting, name):
    assert verdict(status(healthy(), waiting=waiting)) == [name]


LOGS = [
    (
        "exec /usr/bin/container-entrypoint: exec format error",
        1,
        "exec-format",
    ),  # christianh814/gitops-examples#7
    (
        "standard_init_linux.go:219: exec user process caused: exec format error",
        1,
        "exec-format",
    ),  # madhuakula/kubernetes-goat#47
    ("nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)", 1, "low-port"),
    ("Error: listen EACCES: permission denied 0.0.0.0:80", 1, "low-port"),
    ("PermissionError: [Errno 13] Permission denied: '/app/cache'", 1, "permission"),
    (
        "mkdir: cannot create directory '/var/cache/nginx/client_temp': Permission denied",
        1,
        "permission",
    ),
    ("", 126, "permission"),
    ("OSError: [Errno 30] Read-only file system: '/app/x'", 1, "root-read-only"),
    ("sh: uvicorn: not found", 127, "command-missing"),
    ("Traceback (most recent call last):\nKeyError: 'DATABASE'", 1, "crash"),
    ("", 0, "crash"),
]


@pytest.mark.parametrize("log, code, name", LOGS)
def test_containers_that_end(log, code, name):
    assert verdict(crashes(healthy(), log, code)) == [name]


def test_out_of_memory():
    found = doctor.findings(crashes(healthy(), "", 137, "OOMKilled"), NOW)
    assert [f.name for f in found] == ["out-of-memory"]
    assert found[0].mend == [
        "oc -n demo set resources deployment/kg-demo -c kg-demo --limits=memory=2Gi"
    ]


PROBES = [
    ("Readiness probe failed: HTTP probe failed with statuscode: 404", "health-path"),
    (
        'Readiness probe error: Get "https://10.0.0.8:6443/healthz": dial tcp 10.0.0.8:6443: connect: connection refused\nbody: \n',
        "wrong-port",
    ),  # openshift/origin#26766
    ("Readiness probe failed: HTTP probe failed with statuscode: 503", "probe-failed"),
    (
        'Startup probe failed: Get "http://10.128.0.80:8080/healthz": dial tcp 10.128.0.80:8080: connect: connection refused',
        "wrong-port",
    ),
    (
        'Readiness probe failed: Get "http://10.128.0.80:8080/healthz": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
        "probe-failed",
    ),
]


@pytest.mark.parametrize("message, name", PROBES)
def test_containers_that_do_not_answer(message, name):
    facts = status(healthy())
    facts["events"] = [event("ProbeError" if " error" in message else "Unhealthy", message)]
    assert verdict(facts) == [name]


@pytest.mark.parametrize(
    "ports, words",
    [
        ([(8000, False)], "listens on 8000; the probe asks 8080"),
        ([(8080, True)], "127.0.0.1:8080 only"),
    ],
)
def test_what_a_container_listens_on(ports, words):
    facts = status(healthy())
    facts["ports"] = {"kg-demo-1-a/kg-demo": ports}
    found = doctor.findings(facts, NOW)
    assert [f.name for f in found] == ["wrong-port"] and words in found[0].what


def test_a_pod_that_has_just_started_is_starting():
    facts = status(healthy(), running={"startedAt": "2026-11-24T11:59:55Z"})
    facts["events"] = [event("Unhealthy", PROBES[-2][0])]
    assert verdict(facts) == ["starting"]


def test_a_slow_start_has_the_time_that_its_probe_gives():
    facts = status(healthy(), running={"startedAt": "2026-11-24T11:58:20Z"})
    facts["events"] = [event("Unhealthy", PROBES[-2][0])]
    facts["workload"]["spec"]["template"]["spec"]["containers"][0]["startupProbe"] = {
        "httpGet": {"path": "/", "port": "http"},
        "periodSeconds": 2,
        "failureThreshold": 60,
    }
    assert verdict(facts) == ["starting"]
    facts["ports"] = {"kg-demo-1-a/kg-demo": [(8000, False)]}
    assert verdict(facts) == ["wrong-port"]


def test_a_killing_probe():
    facts = crashes(healthy(), "", 137)
    facts["events"] = [
        event(
            "ProbeError",
            'Liveness probe error: Get "http://10.0.0.8:8080/": context deadline exceeded\nbody: token=hunter2',
        )
    ]
    found = doctor.findings(facts, NOW)
    assert [f.name for f in found] == ["liveness"] and "hunter2" not in str(found)


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


def test_a_volume_that_is_mounted_read_only():
    facts = crashes(healthy(), "sh: cannot create /data/x: Read-only file system")
    pod = facts["workload"]["spec"]["template"]["spec"]
    pod["volumes"].append(
        {"name": "data", "persistentVolumeClaim": {"claimName": "kg-demo", "readOnly": True}}
    )
    pod["containers"][0]["volumeMounts"].append({"name": "data", "mountPath": "/data"})
    facts["claims"] = [
        {
            "metadata": {"name": "kg-demo", "uid": "c"},
            "spec": {"accessModes": ["ReadWriteMany"]},
            "status": {"phase": "Bound"},
        }
    ]
    assert verdict(facts) == ["volume-read-only"]


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


def test_anyuid_that_fell_to_another_scc():
    facts = healthy()
    facts["accounts"].append({"metadata": {"name": "anyuid"}})
    facts["workload"]["spec"]["template"]["spec"].update(
        serviceAccountName="anyuid", securityContext={"seccompProfile": {"type": "RuntimeDefault"}}
    )
    facts["pods"][0]["metadata"]["annotations"] = {"openshift.io/scc": "anyuid"}
    facts["pods"][0]["spec"]["securityContext"] = {"runAsUser": 1000650000}
    assert verdict(facts) == []
    facts["pods"][0]["metadata"]["annotations"] = {"openshift.io/scc": "restricted-v2"}
    found = doctor.findings(facts, NOW)
    assert (
        [f.name for f in found] == ["anyuid-lost"]
        and "SCC restricted-v2" in found[0].what
        and "seccompProfile is set in the pod" in found[0].why
    )


def test_a_route():
    facts = healthy()
    facts["routes"][0]["status"]["ingress"][0]["conditions"][0].update(
        status="False",
        reason="HostAlreadyClaimed",
        message="route prometheus already exposes kg-demo.example.org and is older",
    )  # openshift/origin#17419
    assert verdict(facts) == ["route-refused"]
    facts["routes"][0].update(spec={"to": {"name": "kg-demo"}}, status={})
    assert verdict(facts) == ["route-no-host"]
    facts["routes"][0]["spec"]["to"]["name"] = "none-such"
    assert verdict(facts) == ["route-service", "route-no-host"]


def run_of(conclusion, updated="2026-11-24T10:00:00Z", log=""):
    return {
        "databaseId": 7,
        "status": "completed",
        "conclusion": conclusion,
        "event": "push",
        "updatedAt": updated,
        "url": "https://github.com/o/r/actions/runs/7",
        "log": log,
    }


@pytest.mark.parametrize(
    "runs, names",
    [
        ([run_of("success")], []),
        ([], []),  # published in another way: the image is there
        ([run_of("success", "2026-11-24T11:30:00Z")], ["old-image"]),
        ([run_of("failure", log="ERROR: test failed")], ["publish-failed"]),
        (
            [
                run_of(
                    "failure",
                    log="failed to push ghcr.io/o/r: denied: permission_denied: write_package",
                )
            ],
            ["publish-denied"],
        ),
    ],
)
def test_the_publish_run(runs, names):
    facts = healthy()
    facts["runs"] = runs
    assert verdict(facts) == names


def test_an_image_that_was_never_published():
    facts = status(healthy(), waiting={"reason": "ErrImagePull", "message": "manifest unknown"})
    facts["runs"] = []
    assert verdict(facts) == ["never-published", "image-missing"]


@pytest.mark.parametrize(
    "answer, names",
    [
        ({"status": 200, "digests": [DIGEST]}, []),
        ({"status": 200, "digests": ["sha256:" + "cd" * 32]}, ["old-image"]),
        ({"status": 403, "secret": "github-ghcr-secret", "at": "login"}, ["token-refused"]),
        ({"status": 404, "secret": "github-ghcr-secret", "at": "image"}, ["image-missing"]),
        (
            {
                "status": 200,
                "digests": [DIGEST],
                "secret": "github-ghcr-secret",
                "token": {
                    "status": 200,
                    "ends": "2026-12-01 08:00:00 UTC",
                    "scopes": ["read:packages"],
                },
            },
            ["token-ends"],
        ),
        (
            {
                "status": 200,
                "digests": [DIGEST],
                "secret": "github-ghcr-secret",
                "token": {"status": 200, "ends": None, "scopes": ["read:packages", "repo"]},
            },
            ["token-too-wide"],
        ),
        (
            {
                "status": 200,
                "digests": [DIGEST],
                "secret": "github-ghcr-secret",
                "token": {
                    "status": 200,
                    "ends": "2027-11-01 08:00:00 UTC",
                    "scopes": ["read:packages"],
                },
            },
            [],
        ),
    ],
)
def test_what_the_registry_answers(answer, names):
    facts = healthy()
    facts["registry"] = {IMAGE: answer}
    found = doctor.findings(facts, NOW)
    assert [f.name for f in found] == names and all(f.warning for f in found)


@pytest.mark.parametrize(
    "facts, names",
    [
        ({"project_is": "NotFound", "others": ["demo-1"]}, ["no-project"]),
        ({"project_is": "Forbidden", "unseen": ["deployments", "events"]}, ["no-project"]),
        ({"workload": None, "pods": [], "sets": [], "others": ["kg-demo-2"]}, ["no-workload"]),
        ({"accounts": []}, ["no-account"]),
        ({"accounts": None, "unseen": ["accounts"]}, []),  # not allowed to see them
    ],
)
def test_where_to_look(facts, names):
    assert verdict({**healthy(), **facts}) == names


def test_a_run_of_a_job():
    facts = healthy()
    template = facts["workload"]["spec"]["template"]
    facts["workload"] = {
        "kind": "CronJob",
        "metadata": {"name": "kg-demo", "uid": "w"},
        "spec": {
            "suspend": True,
            "schedule": "0 0 30 2 *",
            "jobTemplate": {"spec": {"template": template}},
        },
        "status": {},
    }
    facts.update(services=[], routes=[], sets=[], pods=[])
    assert verdict(facts) == []
    facts["jobs"] = [
        {
            "metadata": {"name": "kg-demo-1", "uid": "j"},
            "spec": {"parallelism": 8},
            "status": {
                "failedIndexes": "3,7",
                "conditions": [
                    {
                        "type": "Failed",
                        "status": "True",
                        "reason": "FailedIndexes",
                        "message": "Job has failed indexes",
                    }
                ],
            },
        }
    ]
    found = doctor.findings(facts, NOW)
    assert [f.name for f in found] == ["job-failed"] and "shares 3,7" in found[0].what


def test_findings_come_in_the_order_in_which_to_mend():
    facts = crashes(healthy(), "Read-only file system")
    facts["routes"][0].update(spec={"to": {"name": "kg-demo"}}, status={})
    facts["accounts"] = []
    facts["runs"] = [run_of("failure")]
    names = verdict(facts)
    assert (
        names
        == ["publish-failed", "no-account", "root-read-only", "route-no-host"]
        == sorted(names, key=doctor.ORDER.index)
    )


def test_what_is_known_of_a_secret_holds_no_token():
    import base64
    import json

    token = "ghp_" + "x" * 36
    config = {
        "auths": {"ghcr.io": {"auth": base64.b64encode(f"octocat:{token}".encode()).decode()}}
    }
    known, logins = decoded(
        {
            "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
            "data": {".dockerconfigjson": base64.b64encode(json.dumps(config).encode()).decode()},
        }
    )
    assert logins == {"ghcr.io": ("octocat", token)} and token not in json.dumps(known)
    assert known["registries"] == {"ghcr.io": {"user": "octocat", "token": "classic"}}
    assert decoded(
        {
            "type": "kubernetes.io/dockerconfigjson",
            "metadata": {},
            "data": {".dockerconfigjson": "!"},
        }
    )[0]["broken"]


@pytest.mark.parametrize(
    "token, kind",
    [
        ("ghp_abc", "classic"),
        ("github_pat_abc", "fine-grained"),
        ("", "empty"),
        ("\n", "empty"),
        ("ghp_abc\n", "with-spaces"),
        ("$GHCR_TOKEN", "placeholder"),
        ("tok3n", "unknown"),
    ],
)
def test_the_form_of_a_token(token, kind):
    assert kind_of_token(token) == kind


@pytest.mark.parametrize(
    "place, image, yes",
    [
        ("ghcr.io", IMAGE, True),
        ("https://ghcr.io", IMAGE, True),
        ("https://ghcr.io/v1/", IMAGE, True),
        ("ghcr.io/maastrichtu-ids", IMAGE, True),
        ("ghcr.io/maastrichtu", IMAGE, False),
        ("*.io", IMAGE, True),
        ("docker.io", IMAGE, False),
        ("https://index.docker.io/v1/", "python:3.13", True),
        ("quay.io", "quay.io:443/a/b", False),
    ],
)
def test_which_login_serves_an_image(place, image, yes):
    assert serves(place, image) == yes


@pytest.mark.parametrize(
    "image, parts",
    [
        ("python", ("docker.io", "library/python", "latest")),
        ("octo/app:1", ("docker.io", "octo/app", "1")),
        (IMAGE, ("ghcr.io", "maastrichtu-ids/kg-demo", "latest")),
        (f"ghcr.io/a/b@{DIGEST}", ("ghcr.io", "a/b", DIGEST)),
        ("localhost:5000/a/b", ("localhost:5000", "a/b", "latest")),
        (f"ghcr.io/a/b:1@{DIGEST}", ("ghcr.io", "a/b", DIGEST)),
    ],
)
def test_the_parts_of_an_images_name(image, parts):
    assert split(image) == parts


def test_listening_ports():
    text = """  sl  local_address rem_address   st
   0: 00000000:1F90 00000000:0000 0A
   1: 0100007F:1F91 00000000:0000 0A
   2: 0100007F:1F92 0100007F:9999 01
   3: 00000000000000000000000001000000:1F93 00000000000000000000000000000000:0000 0A"""
    assert read_ports(text) == [(8080, False), (8081, True), (8083, True)]


HIDE = [
    "password=hunter2",
    '"password": "hunter2"',
    "DB_PASSWORD: hunter2",
    "token is hunter2",
    "http://0.0.0.0:8888/lab?token=hunter2",
    "postgres://app:hunter2@db:5432/x",
    "Authorization: Bearer hunter2",
    "export API_KEY='hunter2'",
    "Cookie: session=hunter2; a=b",
    "ghp_hunter2hunter2hunter2hunter2",
    "github_pat_hunter2hunter2_hunter2",
    "sha256~hunter2hunter2",
    "eyJhunter2.eyJhunter2.hunter2x",
    "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----",
    "hunter2hunter2hunter2hunter2hunter2hunter2hunter2",
    "AWS_SECRET_ACCESS_KEY=hunter2",
    "the value KNOWN-hunter2 as it is",
    "serve --db-password hunter2 --port 80",
    "with AZURE_CLIENT_SECRET hunter2hunter2",
    "{'pw': 'hunter2'}",
    "-token 'hunter2'",
]


@pytest.mark.parametrize("text", HIDE)
def test_what_could_be_a_secret_is_not_shown(text):
    assert "hunter2" not in hide(text, known={"KNOWN-hunter2"}) and "[hidden]" in hide(
        text, known={"KNOWN-hunter2"}
    )


@pytest.mark.parametrize(
    "text",
    [
        "PermissionError: [Errno 13] Permission denied: '/app/data'",
        "OSError: [Errno 30] Read-only file system: '/opt/app-root/lib64/python3.13/site-packages/some_module_of_length/x'",
        "nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)",
        "uvicorn running on http://0.0.0.0:8080 (Press CTRL+C to quit)",
        f"image {DIGEST}",
    ],
)
def test_what_is_no_secret_is_shown(text):
    assert hide(text) == text


@pytest.mark.parametrize("text", ["--token-", "password ", 'x="', "- ", "-a"])
def test_no_log_keeps_it_busy(text):
    began = time.process_time()
    hide(text * (40_000 // len(text)))
    assert time.process_time() - began < 1


def test_a_log_is_bounded_and_plain():
    lines = tail(
        "\x1b[31mred\x1b[0m\n"
        + "\x1b]0;title\x07x" * 3
        + "\n"
        + "y" * 5000
        + "\n\n"
        + "\n".join(f"line {n}" for n in range(100))
    )
    assert len(lines) == 6 and lines[-1] == "line 99" and tail("\x1b[31mred\x1b[0m") == ["red"]
    assert all(len(line) <= 160 for line in tail("ab " * 5000))


def test_the_screen_has_80_columns_but_for_commands():
    facts = crashes(healthy(), "Read-only file system " + "word " * 100)
    facts["accounts"] = []
    found = doctor.findings(facts, NOW)
    text = page("title", found, ["note " * 30])
    commands = [line for f in found for line in f.mend]
    assert (
        all(
            len(line) <= 80
            for line in text.splitlines()
            if not any(command in line for command in commands)
        )
        and "\x1b" not in text
    )


def test_all_findings_are_named_in_the_order():
    source = "".join(
        file.read_text(encoding="utf-8") for file in Path(doctor.__file__).parent.glob("*.py")
    )
    named = (
        set(re.findall(r'add\(\s*"([a-z-]+)"', source))
        | set(re.findall(r'^        "([a-z-]+)": \(\s*"', source, re.MULTILINE))
        | set(re.findall(r'"(token-refused|image-missing|wrong-port|probe-failed)"', source))
    )
    assert named == set(doctor.ORDER)


def test_a_container_that_was_just_started_again():
    """It is between two ends for want of memory: that it does not answer yet is no second fault."""
    facts = status(healthy(), last={"exitCode": 137, "reason": "OOMKilled"}, restarts=1)
    facts["events"] = [event("Unhealthy", PROBES[-2][0])]
    facts["ports"] = {"kg-demo-1-a/kg-demo": []}
    assert verdict(facts) == ["out-of-memory"]


@pytest.mark.parametrize(
    "image_id, running, names",
    [
        (
            f"ghcr.io/maastrichtu-ids/kg-demo@{DIGEST}",
            {DIGEST: []},
            ["old-image"],
        ),  # cleaned up since
        (f"ghcr.io/maastrichtu-ids/kg-demo@{DIGEST}", {DIGEST: ["sha256:c2"]}, ["old-image"]),
        (
            f"ghcr.io/maastrichtu-ids/kg-demo@{DIGEST}",
            {DIGEST: ["sha256:c1"]},
            [],
        ),  # the same content, built again
        (
            f"ghcr.io/maastrichtu-ids/other@{DIGEST}",
            {DIGEST: ["sha256:c1"]},
            [],
        ),  # the same content, under the node's other name for it
        (f"ghcr.io/maastrichtu-ids/other@{DIGEST}", {}, []),  # not to be known
    ],
)
def test_an_older_image_is_one_of_other_content(image_id, running, names):
    facts = healthy()
    facts["pods"][0]["status"]["containerStatuses"][0]["imageID"] = image_id
    facts["registry"] = {
        IMAGE: {"status": 200, "digests": ["sha256:d1", "sha256:c1"], "running": running}
    }
    assert verdict(facts) == names


def test_what_holds_now_goes_before_what_was_said_earlier():
    """The token was refused, was renewed, and now the tag is missing."""
    facts = status(
        healthy(),
        waiting={
            "reason": "ImagePullBackOff",
            "message": f'Back-off pulling image "{IMAGE}": ErrImagePull: manifest unknown',
        },
    )
    facts["events"] = [event("Failed", "unexpected status: 401 Unauthorized")]
    assert verdict(facts) == ["image-missing"]
    facts["pods"][0]["status"]["containerStatuses"][0]["state"]["waiting"]["message"] = (
        "Back-off pulling image"
    )
    facts["events"] += [event("Failed", "manifest unknown")]
    assert verdict(facts) == ["image-missing"]


def test_a_denial_in_a_test_is_none_of_the_package():
    facts = healthy()
    facts["runs"] = [
        run_of(
            "failure",
            log="image\tRun it as the cluster will\tPermissionError: [Errno 13] Permission denied: '/app'\nimage\tpush\tskipped",
        )
    ]
    assert verdict(facts) == ["publish-failed"]


def test_a_pod_that_was_put_off_its_node():
    facts = healthy()
    facts["pods"][0]["status"] = {
        "phase": "Failed",
        "reason": "Evicted",
        "message": 'Usage of EmptyDir volume "tmp" exceeds the limit "512Mi".',
    }
    found = doctor.findings(facts, NOW)
    assert [f.name for f in found] == ["evicted"] and "512Mi" in found[0].says[0]


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
    assert verdict(facts) == ["image-missing"] and [
        p["metadata"]["name"] for p in doctor.running_still(facts)
    ] == ["kg-demo-0-a"]


def test_objects_of_the_manifests_that_are_not_there():
    facts = healthy()
    facts["expected"] = {
        "folder": "openshift",
        "project": "demo",
        "user": "octocat",
        "workload": facts["workload"],
        "objects": [["Service", "kg-demo"], ["Route", "kg-demo"]],
    }
    assert verdict(facts) == []
    facts["routes"] = []
    found = doctor.findings(facts, NOW)
    assert [f.name for f in found] == ["object-missing"] and found[0].mend == [
        "oc apply -k openshift"
    ]


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


@pytest.mark.parametrize(
    "condition, name", [({"paused": True}, "paused"), ({"replicas": 0}, "scaled-down")]
)
def test_what_is_switched_off(condition, name):
    facts = healthy()
    facts["workload"]["spec"].update(condition)
    assert verdict(facts) == [name]


def test_the_service_of_another_application_is_not_looked_at():
    facts = healthy()
    facts["services"].append(
        {
            "metadata": {"name": "other"},
            "spec": {"selector": {"app": "other"}, "ports": [{"port": 80, "targetPort": 99}]},
        }
    )
    facts["routes"].append(
        {"metadata": {"name": "other"}, "spec": {"to": {"name": "other"}}, "status": {}}
    )
    assert verdict(facts) == []


@pytest.mark.parametrize(
    "target, names", [(8080, []), ("http", []), ("web", ["service-port"]), (8000, ["service-port"])]
)
def test_the_port_of_a_service(target, names):
    facts = healthy()
    facts["services"][0]["spec"]["ports"][0]["targetPort"] = target
    assert verdict(facts) == names


def test_pods_of_different_images():
    facts = healthy()
    facts["workload"]["spec"]["replicas"] = 2
    second = copy.deepcopy(facts["pods"][0])
    second["metadata"].update(name="kg-demo-1-b", uid="p2")
    second["status"]["containerStatuses"][0]["imageID"] = (
        "ghcr.io/maastrichtu-ids/kg-demo@sha256:" + "cd" * 32
    )
    facts["pods"].append(second)
    assert verdict(facts) == ["mixed-images"]


def test_its_commands_go_to_the_cluster_and_project_that_were_looked_at():
    facts = healthy()
    facts["options"] = ["--context", "demo/api:6443/me"]
    facts["workload"]["spec"]["replicas"] = 0
    assert doctor.findings(facts, NOW)[0].mend == [
        "oc --context demo/api:6443/me -n demo scale deployment/kg-demo --replicas=1"
    ]
    facts["expected"] = {
        "folder": "openshift",
        "project": None,
        "user": None,
        "workload": facts["workload"],
        "objects": [],
    }
    assert doctor.Case(facts).apply() == "oc --context demo/api:6443/me -n demo apply -k openshift"


def template(facts):
    return facts["workload"]["spec"]["template"]["spec"]


def mends(facts):
    return [line for finding in doctor.findings(facts, NOW) for line in finding.mend]


def stateful(facts):
    facts["workload"].update(kind="StatefulSet", status={"updateRevision": "kg-demo-2"})
    facts["pods"][0]["metadata"].update(
        name="kg-demo-0", labels={"controller-revision-hash": "kg-demo-2"}
    )
    facts["sets"] = []
    return facts


def run_of_a_job(facts, conditions=(), kind="Job", spec=()):
    pod = facts["workload"]["spec"]["template"]
    job = {
        "kind": "Job",
        "metadata": {"name": "kg-demo-1" if kind == "CronJob" else "kg-demo", "uid": "j"},
        "spec": {"template": pod, **dict(spec)},
        "status": {"conditions": list(conditions)},
    }
    facts["workload"] = (
        job
        if kind == "Job"
        else {
            "kind": kind,
            "metadata": {"name": "kg-demo", "uid": "w"},
            "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": pod}}},
        }
    )
    facts.update(jobs=[job], sets=[], services=[], routes=[])
    return facts


FAILED = {
    "type": "Failed",
    "status": "True",
    "reason": "BackoffLimitExceeded",
    "message": "Job has reached the specified backoff limit",
}


def test_containers_are_named_where_there_are_several():
    facts = healthy()
    template(facts)["containers"].append({**template(facts)["containers"][0], "name": "side"})
    template(facts)["initContainers"] = [
        {"name": "migrate", "image": IMAGE, "resources": {"limits": {"memory": "256Mi"}}}
    ]
    ended = {
        "ready": False,
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 4, "reason": "Error"}},
    }
    facts["pods"][0]["status"].update(
        conditions=[],
        containerStatuses=[{"name": "kg-demo", **ended}, {"name": "side", **ended}],
        initContainerStatuses=[
            {
                "name": "migrate",
                **ended,
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            }
        ],
    )
    facts["pods"].append(
        {
            **copy.deepcopy(facts["pods"][0]),
            "metadata": {**facts["pods"][0]["metadata"], "name": "kg-demo-1-b", "uid": "p2"},
        }
    )
    found = doctor.findings(facts, NOW)
    assert [f.what for f in found] == [
        "The container migrate took more memory than its limit of 256Mi, and was ended.",
        "The container kg-demo ends by itself, with status 4.",
        "The container side ends by itself, with status 4.",
    ]
    assert found[0].mend == [
        "oc -n demo set resources deployment/kg-demo -c migrate --limits=memory=512Mi"
    ]
    # Of several pods `logs deployment/…` takes the one that is ready.
    assert found[2].mend == ["oc -n demo logs kg-demo-1-a -c side --previous"]


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
    assert mends(facts) == [
        "oc -n demo set resources deployment/kg-demo -c migrate --requests=ephemeral-storage=256Mi --limits=ephemeral-storage=1Gi"
    ]


def test_what_the_manifest_lacks_is_seen_without_events():
    facts = stateful(healthy())
    facts["pods"] = []
    facts["workload"]["metadata"]["creationTimestamp"] = "2026-11-24T11:00:00Z"
    template(facts)["containers"][0]["resources"]["limits"].pop("cpu")
    assert verdict(facts) == ["resources-missing"]


@pytest.mark.parametrize(
    "ended, pods, names, warning",
    [
        ("2026-11-24T11:00:00Z", True, ["evicted"], True),
        ("2026-11-20T11:00:00Z", True, [], None),
        ("2026-11-24T11:00:00Z", False, ["evicted"], False),
    ],
)
def test_pods_that_have_failed_and_stay(ended, pods, names, warning):
    """As the kubelet 1.34 leaves them: with containers that ended."""
    facts = healthy()
    gone = copy.deepcopy(facts["pods"][0])
    gone["metadata"].update(name="kg-demo-1-z", uid="z")
    gone["status"].update(
        phase="Failed",
        reason="Evicted",
        message='Usage of EmptyDir volume "tmp" exceeds the limit "10Mi". ',
        conditions=[{"type": "Ready", "status": "False", "lastTransitionTime": ended}],
        containerStatuses=[
            {
                "name": "kg-demo",
                "ready": False,
                "state": {"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}},
            }
        ],
    )
    facts["pods"] = [*facts["pods"], gone] if pods else [gone]
    found = [f for f in doctor.findings(facts, NOW) if f.name != "starting"]
    assert [f.name for f in found] == names and all(
        f.warning == warning and "sizeLimit" in f.mend[1] for f in found
    )


def test_an_eviction_for_its_limit():
    facts = healthy()
    facts["pods"][0]["status"] = {
        "phase": "Failed",
        "reason": "Evicted",
        "message": "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
    }
    assert mends(facts) == [
        "oc -n demo set resources deployment/kg-demo --limits=ephemeral-storage=2Gi"
    ]


def test_a_stateful_set_waits_for_a_broken_pod_of_the_release_before():
    facts = status(
        stateful(healthy()), waiting={"reason": "ImagePullBackOff", "message": "manifest unknown"}
    )
    assert (
        verdict(facts) == ["image-missing"]
        and mends(facts)[-1] == "oc -n demo delete pod kg-demo-0"
    )
    facts["pods"][0]["metadata"]["labels"]["controller-revision-hash"] = "kg-demo-1"
    assert verdict(facts) == ["rollout-stuck"] and mends(facts) == [
        "oc -n demo delete pod kg-demo-0"
    ]


@pytest.mark.parametrize(
    "more, end",
    [
        (
            {"finalizers": ["example.org/keep"]},
            'patch pod kg-demo-0 --type=merge -p \'{"metadata":{"finalizers":null}}\'',
        ),
        ({}, "delete pod kg-demo-0 --force --grace-period=0"),
    ],
)
def test_a_pod_that_does_not_go(more, end):
    facts = stateful(healthy())
    facts["pods"][0]["metadata"].update(deletionTimestamp="2026-11-24T11:50:00Z", **more)
    assert verdict(facts) == ["terminating"] and mends(facts)[0] == f"oc -n demo {end}"
    facts["pods"][0]["metadata"]["deletionTimestamp"] = "2026-11-24T11:59:50Z"
    assert verdict(facts) == ["starting"]


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
    assert verdict(facts) == ["claim-not-bound"] and mends(facts)[:2] == [
        "oc -n demo delete statefulset kg-demo",
        "oc -n demo delete pvc data-kg-demo-0",
    ]


@pytest.mark.parametrize(
    "message, name, first",
    [
        (
            "0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.",
            "volume-held",
            'oc -n demo patch deployment kg-demo -p \'{"spec":{"strategy":',
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
            'oc -n demo patch deployment kg-demo --type=json -p \'[{"op":"remove","path":"/spec/template/spec/nodeSelector"}]\'',
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
    assert verdict(facts) == [name] and mends(facts)[0].startswith(first)
    assert "gpu" not in message or not any("--requests" in line for line in mends(facts))


@pytest.mark.parametrize(
    "waiting, message, mend",
    [
        (
            {
                "reason": "CreateContainerConfigError",
                "message": "couldn't find key pin in ConfigMap demo/settings",
            },
            "",
            'patch configmap settings -p \'{"data":{"pin":"VALUE"}}\'',
        ),
        (
            {
                "reason": "CreateContainerConfigError",
                "message": "couldn't find key pin in Secret demo/key",
            },
            "",
            'patch secret key -p \'{"stringData":{"pin":"VALUE"}}\'',
        ),
        (
            {"reason": "ContainerCreating"},
            'MountVolume.SetUp failed for volume "conf" : configmap references non-existent config key: pin',
            'patch configmap settings -p \'{"data":{"pin":"VALUE"}}\'',
        ),
        (
            {"reason": "ContainerCreating"},
            'MountVolume.SetUp failed for volume "keys" : references non-existent secret key: pin',
            'patch secret key -p \'{"stringData":{"pin":"VALUE"}}\'',
        ),
    ],
)
def test_a_key_that_is_not_there(waiting, message, mend):
    facts = status(healthy(), waiting=waiting)
    facts["pods"][0]["spec"]["volumes"] += [
        {"name": "conf", "configMap": {"name": "settings"}},
        {"name": "keys", "secret": {"secretName": "key"}},
    ]
    facts["events"] = [event("FailedMount", message)] if message else []
    assert verdict(facts) == ["config-missing"] and mends(facts) == [f"oc -n demo {mend}"]


@pytest.mark.parametrize(
    "probe, message, name, words",
    [
        (
            {"exec": {"command": ["check"]}},
            "Readiness probe failed: db refused token=hunter2",
            "probe-failed",
            "its probe's command fails",
        ),
        ({"exec": {"command": ["check"]}}, None, "probe-failed", "its probe's command fails"),
        (
            {"httpGet": {"path": "/?token=hunter2", "port": 8080}},
            'Readiness probe failed: Get "http://10.0.0.8:8080/?token=hunter2": context deadline exceeded',
            "probe-failed",
            "does not answer",
        ),
        (
            {"httpGet": {"path": "/?token=hunter2", "port": 8080}},
            "Readiness probe failed: HTTP probe failed with statuscode: 404",
            "health-path",
            "answers 404",
        ),
        (
            {"httpGet": {"path": "/", "port": 8080}},
            'Readiness probe failed: Get "https://10.0.0.8:8080/": tls: first record does not look like a TLS handshake',
            "probe-failed",
            "not as its probe asks",
        ),
        (
            {"httpGet": {"path": "/", "port": 8080}},
            None,
            "probe-failed",
            "does not succeed",
        ),  # events are kept for an hour
        (
            {"httpGet": {"path": "/", "port": 8080}, "initialDelaySeconds": 7200},
            None,
            "starting",
            "starting",
        ),
    ],
)
def test_what_a_probe_says(probe, message, name, words):
    facts = status(healthy())
    template(facts)["containers"][0]["readinessProbe"] = probe
    facts["events"] = [event("Unhealthy", message)] if message else []
    found = doctor.findings(facts, NOW)
    assert (
        [f.name for f in found] == [name] and words in found[0].what and "hunter2" not in str(found)
    )


@pytest.mark.parametrize(
    "reason, message, name, words",
    [
        (
            "Unhealthy",
            'Startup probe failed: Get "http://10.0.0.8:8080/": dial tcp 10.0.0.8:8080: connect: connection refused',
            "liveness",
            "startup probe never succeeds",
        ),
        ("FailedPostStartHook", "PostStartHook failed", "crash", "postStart hook fails"),
        ("BackOff", "Back-off restarting failed container", "crash", "with status 137"),
    ],
)
def test_who_ended_it(reason, message, name, words):
    facts = crashes(healthy(), "", 137)
    template(facts)["containers"][0]["lifecycle"] = {"postStart": {"exec": {"command": ["x"]}}}
    facts["events"] = [event(reason, message)]
    found = doctor.findings(facts, NOW)
    assert [f.name for f in found] == [name] and words in found[0].what


@pytest.mark.parametrize("ran, name", [("118", "liveness"), ("20", "crash")])
def test_a_server_that_ends_well_when_its_startup_probe_gives_up(ran, name):
    """gunicorn on another port: SIGTERM ends it with status 0, Go with 2; a crash comes earlier."""
    facts = crashes(healthy(), "Listening at: http://0.0.0.0:8000", 0)
    template(facts)["containers"][0]["startupProbe"] = {
        "tcpSocket": {"port": "http"},
        "periodSeconds": 2,
        "failureThreshold": 60,
    }
    ended = facts["pods"][0]["status"]["containerStatuses"][0]["lastState"]["terminated"]
    ended.update(
        startedAt="2026-11-24T11:00:00Z",
        finishedAt=f"2026-11-24T11:{int(ran) // 60:02}:{int(ran) % 60:02}Z",
    )
    facts["events"] = [
        event(
            "Unhealthy", "Startup probe failed: dial tcp 10.0.0.8:8080: connect: connection refused"
        )
    ]
    assert verdict(facts) == [name]


def test_a_probe_of_another_container_is_none_of_it():
    facts = crashes(healthy(), "", 1)
    facts["events"] = [
        event("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500")
    ]
    facts["events"][0]["involvedObject"]["fieldPath"] = "spec.containers{side}"
    assert verdict(facts) == ["crash"]


def test_a_command_that_was_given_as_one_word():
    facts = status(
        healthy(),
        waiting={
            "reason": "RunContainerError",
            "message": 'exec: "serve --password=hunter2 --port 80": executable file not found in $PATH: unknown',
        },
    )
    found = doctor.findings(facts, NOW)
    assert (
        [f.name for f in found] == ["command-missing"]
        and "hunter2" not in str(found)
        and "--port 80" in found[0].says[0]
    )


def test_a_container_that_was_restarted_long_ago_does_not_loop():
    facts = status(
        healthy(),
        last={"exitCode": 1, "reason": "Error", "finishedAt": "2026-11-20T11:00:00Z"},
        restarts=2,
    )
    facts["events"] = [event("Unhealthy", PROBES[2][0])]
    assert verdict(facts) == ["probe-failed"]


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
    found = doctor.findings(facts, NOW)
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
    found = doctor.findings(facts, NOW)
    assert (
        [f.name for f in found] == ["starting"]
        and found[0].says == ["waiting for db"]
        and found[0].mend == ["oc -n demo logs deployment/kg-demo -c wait-db"]
    )


def test_a_job_is_made_again():
    """The specification of its pods cannot be changed."""
    facts = crashes(run_of_a_job(healthy(), [FAILED]), "", 137, "OOMKilled")
    assert verdict(facts) == ["out-of-memory"] and mends(facts) == [
        "oc -n demo delete job kg-demo",
        "make it again with: resources.limits.memory: 2Gi, or less in memory",
    ]
    facts = run_of_a_job(healthy(), [{**FAILED, "reason": "DeadlineExceeded"}])
    facts["pods"] = []
    assert (
        verdict(facts) == ["job-failed"]
        and mends(facts)[-1] == "make it again with: a longer activeDeadlineSeconds"
    )
    assert verdict(run_of_a_job(healthy(), spec={"suspend": True})) == ["paused"]


def test_a_run_that_still_tries_gives_way_to_the_new_one():
    facts = status(
        run_of_a_job(healthy(), kind="CronJob"),
        waiting={"reason": "ImagePullBackOff", "message": "manifest unknown"},
    )
    facts["pods"][0]["spec"]["containers"][0]["image"] = IMAGE.replace("latest", "none-such")
    assert mends(facts)[-3:] == [
        f"oc -n demo set image cronjob/kg-demo kg-demo={IMAGE}",
        "oc -n demo delete job kg-demo-1",
        "oc -n demo create job kg-demo-11241200 --from=cronjob/kg-demo",
    ]


def test_a_secret_for_more_than_one_registry():
    facts = refused(healthy())
    facts["secrets"]["github-ghcr-secret"]["registries"]["https://index.docker.io/v1/"] = {
        "user": "me",
        "token": "unknown",
    }
    assert [
        line for line in mends(facts) if "has logins for https://index.docker.io/v1/, too" in line
    ]
    facts["secrets"]["github-ghcr-secret"]["registries"] = {
        "ghcr.io": {"user": "", "user_is": "email", "token": "classic"}
    }
    assert (
        "--docker-username=GITHUB_USER " in str(mends(facts))
        and "should be the account's name" in doctor.findings(facts, NOW)[0].why
    )


def test_a_secret_out_of_a_docker_configuration_without_logins():
    import base64
    import json

    text = json.dumps({"auths": {"ghcr.io": {}}, "credsStore": "desktop"})
    facts = refused(healthy())
    facts["secrets"]["github-ghcr-secret"] = decoded(
        {
            "type": "kubernetes.io/dockerconfigjson",
            "metadata": {},
            "data": {".dockerconfigjson": base64.b64encode(text.encode()).decode()},
        }
    )[0]
    found = doctor.findings(facts, NOW)
    assert [f.name for f in found] == ["pull-secret-token"] and "credsStore" in found[0].why


@pytest.mark.parametrize(
    "image, name",
    [
        ("https://ghcr.io/octo/app:V1", "ghcr.io/octo/app:V1"),
        ("ghcr.io/Octo/app:V1", "ghcr.io/octo/app:V1"),
        ("ghcr.io/octo/app:1:2", "REGISTRY/OWNER/NAME:TAG"),
        ("ghcr.io/octo/app@sha256:abc", "REGISTRY/OWNER/NAME:TAG"),
        ("ghcr.io/octo/app :1", "REGISTRY/OWNER/NAME:TAG"),
    ],
)
def test_a_name_that_cannot_be_pulled(image, name):
    facts = status(
        healthy(),
        waiting={
            "reason": "InvalidImageName",
            "message": f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": invalid reference format',
        },
    )
    facts["pods"][0]["spec"]["containers"][0]["image"] = image
    assert verdict(facts) == ["image-name"] and mends(facts) == [
        f"oc -n demo set image deployment/kg-demo kg-demo={name}"
    ]


def test_a_service_of_another_name():
    facts = healthy()
    facts["workload"]["spec"]["selector"] = {"matchLabels": {"app.kubernetes.io/name": "kg-demo"}}
    facts["services"] = [
        {
            "metadata": {"name": "web"},
            "spec": {
                "selector": {"app": "kg-demoo"},
                "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
            },
        }
    ]
    facts["routes"][0]["spec"]["to"]["name"] = "web"
    assert verdict(facts) == ["service-no-pods"] and mends(facts) == [
        "oc -n demo set selector service web app.kubernetes.io/name=kg-demo"
    ]
    facts["services"][0]["spec"].update(
        selector={"app.kubernetes.io/name": "kg-demo"},
        ports=[{"name": "http", "port": 80, "targetPort": 9090}],
    )
    assert verdict(facts) == ["service-port"] and mends(facts) == [
        """oc -n demo patch service web --type=json -p '[{"op":"replace","path":"/spec/ports/0/targetPort","value":8080}]'"""
    ]
    facts["services"] = []
    assert verdict(facts) == ["route-service"] and mends(facts) == [
        "oc -n demo expose deployment kg-demo --name=web --port=80 --target-port=8080"
    ]


def test_a_service_that_leads_to_two_applications():
    facts = healthy()
    facts["besides"] = [
        {
            **copy.deepcopy(facts["pods"][0]),
            "metadata": {"name": "other-a", "labels": {"app.kubernetes.io/name": "kg-demo"}},
        }
    ]
    found = doctor.findings(facts, NOW)
    assert [f.name for f in found] == ["service-shared"] and found[0].warning


def test_what_is_paused_is_resumed_first():
    """Nothing can be restarted before."""
    facts = refused(healthy())
    facts["workload"]["spec"]["paused"] = True
    assert verdict(facts) == ["paused", "token-refused"]


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
    assert verdict(facts) == ["security-context"] and mends(facts)[1:] == [
        "there: take out the hostPath volume data"
    ]


def test_a_run_that_ended_well_after_all():
    """What failed on the way is over."""
    facts = crashes(run_of_a_job(healthy(), [{"type": "Complete", "status": "True"}]), "no", 1)
    facts["pods"][0]["status"]["phase"] = "Failed"
    assert verdict(facts) == []


def test_a_run_that_failed_before_the_one_that_is_under_way():
    facts = run_of_a_job(healthy(), kind="CronJob")
    facts["jobs"].insert(
        0,
        {
            "metadata": {"name": "kg-demo-0", "uid": "j0"},
            "spec": {},
            "status": {"conditions": [FAILED]},
        },
    )
    found = doctor.findings(facts, NOW)
    assert [(f.name, f.warning) for f in found] == [("job-failed", True)] and found[0].mend == [
        "oc -n demo logs job/kg-demo-0"
    ]
    facts["jobs"][1]["status"]["conditions"] = [{"type": "Complete", "status": "True"}]
    assert verdict(facts) == []


def of_kind(facts, kind):
    facts["workload"].update(kind=kind, status={})
    facts["sets"], facts["pods"][0]["metadata"]["ownerReferences"] = [], [{"uid": "w"}]
    return facts


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
    assert mends(crashes(of_kind(healthy(), kind), "", 137, "OOMKilled")) == mend


def test_a_daemon_set_for_no_node():
    facts = of_kind(healthy(), "DaemonSet")
    facts["workload"]["spec"].pop("replicas")
    facts["workload"]["status"]["desiredNumberScheduled"] = 0
    facts["pods"], template(facts)["nodeSelector"] = [], {"gpu": "yes"}
    assert verdict(facts) == ["not-scheduled"]
    assert mends(facts) == [
        'oc -n demo patch daemonset kg-demo --type=json -p \'[{"op":"remove","path":"/spec/template/spec/nodeSelector"}]\''
    ]


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
    assert verdict(facts) == ["crash"] and mends(facts) == ["oc -n demo logs pod/kg-demo"]
    pod["status"].update(
        reason="Evicted",
        message="Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
    )
    assert verdict(facts) == ["evicted"] and mends(facts)[0] == "oc -n demo delete pod kg-demo"


def no_pods(facts, message):
    facts["pods"] = []
    facts["sets"][0]["status"]["conditions"] = [
        {"type": "ReplicaFailure", "status": "True", "message": message}
    ]
    return facts


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
    assert verdict(facts) == ["pod-refused"] and f"/spec/template/spec/{field}" in mends(facts)[0]


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
    assert verdict(facts) == ["maxima"] and mends(facts) == [
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
        and '"maxSurge":0' in mends(facts)[1]
        and mends(facts)[2] == "oc -n demo rollout restart deployment/kg-demo"
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
    assert verdict(facts) == ["quota"] and mends(facts) == [
        "oc -n demo describe quota small",
        *mend,
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
    assert not wish or f'"/spec/template/spec/{wish}"' in mends(facts)[0]


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
    assert verdict(facts) == ["not-scheduled"] and mends(facts) == [
        "oc -n demo delete replicaset kg-demo-0 --cascade=foreground",
        "oc -n demo rollout restart deployment/kg-demo",
    ]


def test_a_key_of_a_projected_volume():
    facts = status(healthy(), waiting={"reason": "ContainerCreating"})
    facts["pods"][0]["spec"]["volumes"].append(
        {
            "name": "all",
            "projected": {
                "sources": [
                    {"configMap": {"name": "settings"}},
                    {"secret": {"name": "other"}},
                    {"secret": {"name": "keys", "items": [{"key": "pin", "path": "pin"}]}},
                ]
            },
        }
    )
    facts["events"] = [
        event(
            "FailedMount",
            'MountVolume.SetUp failed for volume "all" : references non-existent secret key: pin',
        )
    ]
    assert verdict(facts) == ["config-missing"] and mends(facts) == [
        'oc -n demo patch secret keys -p \'{"stringData":{"pin":"VALUE"}}\''
    ]


def test_all_that_is_absent_is_said():
    """The kubelet says one thing at a time."""
    facts = status(
        healthy(),
        waiting={"reason": "CreateContainerConfigError", "message": 'secret "a" not found'},
    )
    facts["there"] = {("secret", "a"): False, ("configmap", "b"): False, ("configmap", "c"): True}
    template(facts)["containers"][0]["env"] += [
        {"name": k, "valueFrom": {"configMapKeyRef": {"name": "b", "key": k}}}
        for k in ("one", "two")
    ]
    assert mends(facts) == [
        "oc -n demo create secret generic a --from-literal=KEY=VALUE",
        "oc -n demo create configmap b --from-literal=one=VALUE --from-literal=two=VALUE",
    ]
    facts["there"] = {("secret", "a"): True}
    assert verdict(facts) == ["starting"]


def test_a_mount_at_a_place_that_does_not_take_it():
    facts = status(
        healthy(),
        waiting={"reason": "CrashLoopBackOff"},
        last={
            "exitCode": 128,
            "reason": "StartError",
            "message": 'runc create failed: error mounting "/x/volume-subpaths/conf/app/0" to rootfs at "/app/conf.yaml": not a directory: Are you trying to mount a directory onto a file (or vice-versa)?',
        },
    )
    assert verdict(facts) == ["volume-not-mounted"]


def test_all_services_that_lead_to_it():
    facts = healthy()
    selector_ = facts["services"][0]["spec"]["selector"]
    for name, target in (("one", "web"), ("two", "none")):
        facts["services"].append(
            {
                "metadata": {"name": name},
                "spec": {"selector": selector_, "ports": [{"port": 80, "targetPort": target}]},
            }
        )
    facts["routes"].append(
        {"metadata": {"name": "public"}, "spec": {"host": "h", "to": {"name": "onne"}}}
    )
    facts["services"][1]["metadata"]["name"] = "only-one"
    facts["routes"][1]["spec"]["to"]["name"] = "onlyone"
    found = doctor.findings(facts, NOW)
    assert [f.name for f in found] == ["service-port", "service-port", "route-service"]
    assert found[2].mend == [
        """oc -n demo patch route public --type=merge -p '{"spec":{"to":{"name":"only-one"}}}'"""
    ]


SIDECAR = {"name": "metrics", "image": IMAGE, "resources": {}, "ports": [{"containerPort": 9113}]}


@pytest.mark.parametrize(
    "listens, target, names, words",
    [
        (
            [(8080, False), (9113, False)],
            8080,
            [],
            "",
        ),  # a container may listen on a port that it does not name
        (None, 8080, [], ""),
        ([(8000, False), (9113, False)], 8080, ["service-port"], "on which nothing listens"),
        ([(8080, True), (9113, False)], 8080, ["wrong-port"], "127.0.0.1:8080 only"),
        ([(8000, False)], "metrics", ["service-port"], "the container does not have"),
        ([], 8080, ["wrong-port"], "listens on no port"),
    ],
)
def test_a_service_leads_to_what_listens(listens, target, names, words):
    facts = healthy()
    template(facts)["containers"] = [{**template(facts)["containers"][0], "ports": []}, SIDECAR]
    facts["services"][0]["spec"]["ports"][0]["targetPort"] = target
    facts["routes"], facts["ports"] = [], {"kg-demo-1-a/kg-demo": listens}
    found = doctor.findings(facts, NOW)
    assert [f.name for f in found] == names and all(words in f.what for f in found)


def test_a_sidecar_that_does_not_answer():
    """Its pod listens on the port of the other container, too."""
    facts = healthy()
    template(facts)["containers"].append(
        {**SIDECAR, "readinessProbe": {"httpGet": {"path": "/", "port": 9113}}}
    )
    facts["pods"][0]["status"].update(conditions=[{"type": "Ready", "status": "False"}])
    facts["pods"][0]["status"]["containerStatuses"].append(
        {
            "name": "metrics",
            "ready": False,
            "restartCount": 0,
            "state": {"running": {"startedAt": "2026-11-24T11:00:00Z"}},
        }
    )
    facts["events"] = [
        event(
            "Unhealthy",
            'Readiness probe failed: Get "http://10.128.0.243:9113/": dial tcp 10.128.0.243:9113: connect: connection refused',
        )
    ]
    facts["events"][0]["involvedObject"]["fieldPath"] = "spec.containers{metrics}"
    facts["ports"] = {"kg-demo-1-a/metrics": [(8080, False)]}
    found = doctor.findings(facts, NOW)
    assert (
        [f.name for f in found] == ["wrong-port"]
        and found[0].what == "The container metrics runs, and nothing answers on port 9113."
        and found[0].mend == ["oc -n demo logs deployment/kg-demo -c metrics"]
    )


def test_a_headless_service_need_lead_to_nothing():
    facts = healthy()
    facts["services"][0]["spec"]["clusterIP"] = "None"
    facts["routes"], facts["ports"] = [], {"kg-demo-1-a/kg-demo": []}
    assert verdict(facts) == []


def test_an_image_of_another_project_in_the_clusters_own_registry():
    facts = refused(healthy())
    for spec in (template(facts), facts["pods"][0]["spec"]):
        spec["containers"][0]["image"] = (
            "image-registry.openshift-image-registry.svc:5000/builds/kg-demo:latest"
        )
    facts["secrets"] = {}
    assert verdict(facts) == ["no-pull-secret"]
    assert (
        mends(facts)[0]
        == "oc create rolebinding demo-default-pulls --clusterrole=system:image-puller --serviceaccount=demo:default -n builds"
    )


def test_one_port_of_several_on_which_nothing_listens():
    facts = healthy()
    facts["services"][0]["spec"]["ports"].append({"name": "metrics", "port": 9113})
    facts["ports"] = {"kg-demo-1-a/kg-demo": [(8080, False)]}
    found = doctor.findings(facts, NOW)
    assert [(f.name, f.warning) for f in found] == [("service-port", True)] and found[0].mend[
        0
    ] == "oc -n demo edit service kg-demo"


def policy(**spec):
    return {"metadata": {"name": "shut"}, "spec": spec}


@pytest.mark.parametrize(
    "policies, names",
    [
        ([policy(podSelector={})], ["network-policy"]),
        (
            [
                policy(
                    podSelector={
                        "matchExpressions": [
                            {
                                "key": "app.kubernetes.io/name",
                                "operator": "In",
                                "values": ["kg-demo"],
                            }
                        ]
                    },
                    ingress=[{"from": [{"podSelector": {}}]}],
                )
            ],
            ["network-policy"],
        ),
        ([policy(podSelector={"matchLabels": {"app": "other"}})], []),
        ([policy(podSelector={}, policyTypes=["Egress"])], []),
        ([policy(podSelector={}), policy(podSelector={}, ingress=[{}])], []),
        (
            [
                policy(podSelector={}),
                policy(
                    podSelector={},
                    ingress=[
                        {
                            "from": [
                                {
                                    "namespaceSelector": {
                                        "matchLabels": {
                                            "policy-group.network.openshift.io/ingress": ""
                                        }
                                    }
                                }
                            ]
                        }
                    ],
                ),
            ],
            [],
        ),
    ],
)
def test_network_policies(policies, names):
    facts = healthy()
    facts["policies"] = policies
    assert verdict(facts) == names
    facts["policies"], facts["routes"] = (
        [policy(podSelector={}, ingress=[{"from": [{"podSelector": {}}]}])],
        [],
    )
    assert verdict(facts) == []


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
    found = doctor.findings(facts, NOW)
    assert [(f.name, f.warning) for f in found] == [("claim-ending", True)]
    assert (
        found[0].mend[0]
        == "oc -n demo exec kg-demo-1-a -c kg-demo -- tar -C /data -cf - . > kg-demo.tar"
    )


def test_what_is_being_deleted():
    facts = healthy()
    facts["workload"]["metadata"].update(
        deletionTimestamp="2026-11-24T11:50:00Z", finalizers=["example.org/keep"]
    )
    assert (
        verdict(facts) == ["terminating"]
        and mends(facts)[0]
        == 'oc -n demo patch deployment kg-demo --type=merge -p \'{"metadata":{"finalizers":null}}\''
    )
    facts = healthy()
    facts["ending"] = [
        "Some content in the namespace has finalizers remaining: example.org/keep in 1 resource instances"
    ]
    found = doctor.findings(facts, NOW)
    assert [f.name for f in found] == ["project-ending"] and "example.org/keep" in found[0].says[0]


@pytest.mark.parametrize("unseen", ["pods", "deployments"])
def test_what_may_not_be_seen_is_not_wrong(unseen):
    facts = healthy()
    facts.update(
        unseen=[unseen], pods=[], **({"workload": None} if unseen == "deployments" else {})
    )
    assert verdict(facts) == []


@pytest.mark.parametrize(
    "said, words",
    [
        (
            "The connection to the server 10.0.0.1:6443 was refused HTTPS_PROXY is set.",
            "unset HTTPS_PROXY https_proxy",
        ),
        (
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "log in again",
        ),
    ],
)
def test_why_a_cluster_may_not_answer(said, words):
    assert words in str(doctor.cannot_look("unreachable", said).mend)
