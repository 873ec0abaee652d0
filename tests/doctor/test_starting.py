"""Containers that do not start, or end."""

import copy

import pytest
from situation import (
    NOW,
    PROBES,
    crashes,
    event,
    findings_of,
    fixes,
    healthy,
    status,
    template,
    verdict,
)

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


def test_a_path_is_not_the_name_of_what_was_refused():
    assert verdict(crashes(healthy(), "/app/import.sh: Permission denied")) == ["permission"]


def test_out_of_memory():
    found = findings_of(crashes(healthy(), "", 137, "OOMKilled"), NOW)
    assert [f.name for f in found] == ["out-of-memory"]
    assert found[0].fix == [
        "oc -n demo set resources deployment/kg-demo -c kg-demo --limits=memory=2Gi"
    ]


def test_a_killing_probe():
    facts = crashes(healthy(), "", 137)
    facts["events"] = [
        event(
            "ProbeError",
            'Liveness probe error: Get "http://10.0.0.8:8080/": context deadline exceeded\nbody: token=hunter2',
        )
    ]
    found = findings_of(facts, NOW)
    assert [f.name for f in found] == ["liveness"] and "hunter2" not in str(found)


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


def test_a_container_that_was_just_started_again():
    """It is between two ends for want of memory: that it does not answer yet is no second fault."""
    facts = status(healthy(), last={"exitCode": 137, "reason": "OOMKilled"}, restarts=1)
    facts["events"] = [event("Unhealthy", PROBES[-2][0])]
    facts["ports"] = {"kg-demo-1-a/kg-demo": []}
    assert verdict(facts) == ["out-of-memory"]


def test_a_pod_that_was_put_off_its_node():
    facts = healthy()
    facts["pods"][0]["status"] = {
        "phase": "Failed",
        "reason": "Evicted",
        "message": 'Usage of EmptyDir volume "tmp" exceeds the limit "512Mi".',
    }
    found = findings_of(facts, NOW)
    assert [f.name for f in found] == ["evicted"] and "512Mi" in found[0].says[0]


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
    found = [f for f in findings_of(facts, NOW) if f.name != "starting"]
    assert [f.name for f in found] == names and all(
        f.warning == warning and "sizeLimit" in f.fix[1] for f in found
    )


def test_an_eviction_for_its_limit():
    facts = healthy()
    facts["pods"][0]["status"] = {
        "phase": "Failed",
        "reason": "Evicted",
        "message": "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
    }
    assert fixes(facts) == [
        "oc -n demo set resources deployment/kg-demo --limits=ephemeral-storage=2Gi"
    ]


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
    found = findings_of(facts, NOW)
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


def test_a_command_that_was_given_as_one_word():
    facts = status(
        healthy(),
        waiting={
            "reason": "RunContainerError",
            "message": 'exec: "serve --password=hunter2 --port 80": executable file not found in $PATH: unknown',
        },
    )
    found = findings_of(facts, NOW)
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
