"""What the probes of a container ask, and what the cluster says of their answers."""

from __future__ import annotations

from dsri.doctor.case import Case
from dsri.kustomize import Object

REASONS = ("Unhealthy", "ProbeError")  # the second one is OpenShift's


def probe_events(case: Case, pod: Object, container: str) -> list[Object]:
    """Return the events of a container's probes, oldest first."""
    found = []
    for event in case.events_of(pod, REASONS):
        place = event["involvedObject"].get("fieldPath", container)
        if place.endswith((container, f"{{{container}}}")):
            found.append(event)
    return found
