"""Situations that the tests of the doctor begin with: facts of an application, and what changes.

What the cluster says is in the words of containerd and of CRI-O, OpenShift's runtime, as people
reported them (the issue stands beside each)."""

import copy
import datetime

from quoting import arguments_that_powershell_changes

from dsri.doctor.facts import (
    Expected,
    Facts,
    ImageAnswer,
    Login,
    ManifestAnswer,
    PublishRun,
    PullSecret,
    TokenAnswer,
)
from dsri.doctor.findings import findings
from dsri.ports import Port

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
        "project_state": None,
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
        "existing": {},
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
    return [f.name for f in findings_of(facts, NOW)]


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


def refused(facts):
    return status(
        facts, waiting={"reason": "ErrImagePull", "message": "unexpected status: 401 Unauthorized"}
    )


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


def template(facts):
    return facts["workload"]["spec"]["template"]["spec"]


def fixes(facts):
    return [line for finding in findings_of(facts, NOW) for line in finding.fix]


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


def of_kind(facts, kind):
    facts["workload"].update(kind=kind, status={})
    facts["sets"], facts["pods"][0]["metadata"]["ownerReferences"] = [], [{"uid": "w"}]
    return facts


def no_pods(facts, message):
    facts["pods"] = []
    facts["sets"][0]["status"]["conditions"] = [
        {"type": "ReplicaFailure", "status": "True", "message": message}
    ]
    return facts


SIDECAR = {"name": "metrics", "image": IMAGE, "resources": {}, "ports": [{"containerPort": 9113}]}


def policy(**spec):
    return {"metadata": {"name": "shut"}, "spec": spec}


def secret_of(known):
    """A pull secret from a test's dictionary."""
    if known is None or isinstance(known, PullSecret):
        return known
    logins = {place: Login(**login) for place, login in known.get("registries", {}).items()}
    return PullSecret(**{"type": "", **known, "registries": logins})


def image_answer_of(known):
    """A registry's answer from a test's dictionary, which has all of it in one."""
    parts = {key: known[key] for key in ("at", "digests", "platforms") if key in known}
    newest, token = known.get("newest"), known.get("token")
    return ImageAnswer(
        manifest=ManifestAnswer(known["status"], **parts),
        secret=known.get("secret"),
        newest=ManifestAnswer(200, **newest) if newest else None,
        running=known.get("running", {}),
        without=known.get("without"),
        token=TokenAnswer(**token) if token else None,
    )


def run_of_gh(known):
    """A publish run from a test's dictionary, which has the names of `gh`."""
    known = dict(known)
    number, updated = known.pop("databaseId"), known.pop("updatedAt")
    return PublishRun(number=number, updated=updated, **{"event": "push", **known})


def facts_of(known):
    """The facts that a test's dictionary describes."""
    known = {key: value for key, value in known.items() if value is not None}
    expected = known.pop("expected", None)
    if expected:
        own = expected["workload"]
        objects = [tuple(one) for one in expected.get("objects", [])]
        name = own["metadata"]["name"] if own else ""
        expected = Expected(**{"name": name, **expected, "objects": objects})
    facts = Facts(**known, expected=expected or None)
    facts.secrets = {name: secret_of(one) for name, one in facts.secrets.items()}
    facts.registry = {image: image_answer_of(one) for image, one in facts.registry.items()}
    for key, ports in facts.ports.items():
        facts.ports[key] = None if ports is None else [Port(*port) for port in ports]
    if facts.runs is not None:
        facts.runs = [run_of_gh(run) for run in facts.runs]
    return facts


def findings_of(facts, now=NOW):
    """The findings of a situation; every shell passes their commands on as they are."""
    found = findings(facts_of(copy.deepcopy(facts)), now)
    for command in [line for finding in found for line in finding.fix]:
        if command.lstrip().startswith(("oc ", "kubectl ")):
            assert arguments_that_powershell_changes(command) == []
    return found
