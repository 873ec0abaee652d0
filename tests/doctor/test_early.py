"""What is said of a pod that is still starting."""

import pytest
from situation import PROBES, SIDECAR, event, findings_of, healthy, status, template, verdict

REFUSED = PROBES[3][0]
BUSY = "Readiness probe failed: HTTP probe failed with statuscode: 503"
KEY = "kg-demo-1-a/kg-demo"


def starting(ports=None, message=None, log="", seconds=20):
    """A pod whose container began to run so many seconds ago, of which this can be seen."""
    facts = status(healthy(), running={"startedAt": f"2026-11-24T11:59:{60 - seconds:02}Z"})
    facts["pods"][0]["metadata"]["creationTimestamp"] = "2026-11-24T11:59:30Z"
    facts["ports"] = {} if ports is None else {KEY: ports}
    facts["events"] = [event("Unhealthy", message)] if message else []
    facts["logs"] = {KEY: log}
    return facts


@pytest.mark.parametrize("seconds", [2, 20, 29])
@pytest.mark.parametrize(
    "ports, message, log, why, says, fix",
    [
        ([(9000, False)], None, "", "It listens on 9000; its probe asks 8080.", [], "PORT to 9000"),
        (
            [(9000, False), (9100, True)],
            REFUSED,
            "a\nListening on 9000\n",
            "It listens on 9000, 9100; its probe asks 8080.",
            ["connection refused", "Listening on 9000"],
            "listen on 8080",
        ),
        ([(8080, True)], None, "", "It listens on 127.0.0.1:8080 only", [], "0.0.0.0"),
        ([], None, "Loading", "It listens on no port yet; its probe asks 8080.", ["Loading"], ""),
        ([(8080, False)], BUSY, "", "It listens on 8080, which its probe asks.", ["503"], ""),
        (None, REFUSED, "Loading", "So far, and not final:", ["refused", "Loading"], ""),
        (None, None, "", "", [], ""),
    ],
)
def test_what_can_be_seen_is_said_and_marked_as_not_final(
    ports, message, log, why, says, fix, seconds
):
    found = findings_of(starting(ports, message, log, seconds))
    assert [f.name for f in found] == ["starting"] and found[0].warning
    assert why in found[0].why and found[0].why.startswith(
        "So far, and not final:"[: len(found[0].why)]
    )
    assert all(words in said for words, said in zip(says, found[0].says))
    assert len(found[0].says) == len(says)
    assert fix in "".join(found[0].fix) and found[0].fix[0].endswith(
        "rollout status deployment/kg-demo"
    )


def test_a_log_shows_no_secret():
    found = findings_of(starting(log="password=hunter2hunter"))
    assert "hunter2" not in str(found) and found[0].says


def test_of_several_containers_each_is_named():
    facts = starting([(9000, False)])
    template(facts)["containers"].append({**SIDECAR, "ports": []})
    facts["pods"][0]["status"]["containerStatuses"].append(
        {"name": "metrics", "ready": False, "state": {"waiting": {"reason": "ContainerCreating"}}}
    )
    assert findings_of(facts)[0].why == (
        "So far, and not final: The container kg-demo listens on 9000; its probe asks 8080. "
        "The container metrics waits: ContainerCreating."
    )


def test_after_a_while_it_is_a_verdict():
    facts = starting([(9000, False)])
    running = facts["pods"][0]["status"]["containerStatuses"][0]["state"]["running"]
    running["startedAt"] = "2026-11-24T11:59:20Z"
    assert verdict(facts) == ["wrong-port"]
