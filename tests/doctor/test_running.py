"""Containers that run and do not answer."""

import pytest
from situation import (
    NOW,
    PROBES,
    SIDECAR,
    crashes,
    event,
    findings_of,
    healthy,
    status,
    template,
    verdict,
)

from dsri.ports import listening_ports


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
    found = findings_of(facts, NOW)
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
    found = findings_of(facts, NOW)
    assert (
        [f.name for f in found] == ["anyuid-lost"]
        and "SCC restricted-v2" in found[0].what
        and "seccompProfile is set in the pod" in found[0].why
    )


def test_listening_ports():
    text = """  sl  local_address rem_address   st
   0: 00000000:1F90 00000000:0000 0A
   1: 0100007F:1F91 00000000:0000 0A
   2: 0100007F:1F92 0100007F:9999 01
   3: 00000000000000000000000001000000:1F93 00000000000000000000000000000000:0000 0A"""
    assert listening_ports(text) == [(8080, False), (8081, True), (8083, True)]


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
    found = findings_of(facts, NOW)
    assert (
        [f.name for f in found] == [name] and words in found[0].what and "hunter2" not in str(found)
    )


def test_a_probe_of_another_container_is_none_of_it():
    facts = crashes(healthy(), "", 1)
    facts["events"] = [
        event("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500")
    ]
    facts["events"][0]["involvedObject"]["fieldPath"] = "spec.containers{side}"
    assert verdict(facts) == ["crash"]


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
    found = findings_of(facts, NOW)
    assert (
        [f.name for f in found] == ["wrong-port"]
        and found[0].what == "The container metrics runs, and nothing answers on port 9113."
        and found[0].fix == ["oc -n demo logs deployment/kg-demo -c metrics"]
    )
