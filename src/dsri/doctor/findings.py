"""From facts to findings, in the order in which to fix them. Nothing here asks anybody anything.

Reasons, status codes and fields decide. A sentence is read only where the cluster gives nothing
else, and by the words that containerd, CRI-O and OpenShift have in common."""

from __future__ import annotations

import datetime
import re

from dsri.doctor.admission import admission
from dsri.doctor.case import Case
from dsri.doctor.catalogue import COULD_NOT_LOOK, ORDER
from dsri.doctor.cluster import CannotLook
from dsri.doctor.credentials import accounts
from dsri.doctor.facts import Facts
from dsri.doctor.finding import Finding
from dsri.doctor.hide import hide
from dsri.doctor.job import jobs
from dsri.doctor.objects import is_settled
from dsri.doctor.published import image, token
from dsri.doctor.publishing import publishing
from dsri.doctor.pulling import pulling
from dsri.doctor.routing import network
from dsri.doctor.running import running
from dsri.doctor.scheduling import scheduling
from dsri.doctor.starting import starting
from dsri.doctor.storage import storage
from dsri.doctor.streams import streams
from dsri.doctor.workload import has_project, terminating, unexplained, workload

# Each looks at one subject, and may ask what those before it have found.
SUBJECTS = (
    workload,
    publishing,
    accounts,
    streams,
    pulling,
    admission,
    storage,
    scheduling,
    starting,
    running,
    jobs,
    network,
    image,
    token,
    terminating,
    unexplained,
)
LONGEST = 300  # characters of what a tool says


def findings(facts: Facts, now: datetime.datetime | None = None) -> list[Finding]:
    """Return all that is wrong, in the order in which to fix it; warnings come last.

    `now` is the time at which the facts were read (default: now)."""
    case = Case(facts, now)
    if not has_project(case):
        return case.findings
    for look_at in SUBJECTS:
        look_at(case)
    return sorted(case.findings, key=lambda one: (one.warning, ORDER.index(one.name)))


def cannot_look(problem: CannotLook) -> Finding:
    """Return the finding for a cluster that could not be asked."""
    key = problem.finding
    if key == "unreachable" and "HTTPS_PROXY" in problem.said:
        key = "unreachable/proxy"
    elif key == "unreachable" and "x509" in problem.said:
        key = "unreachable/certificate"
    entry = COULD_NOT_LOOK[key]
    said = re.sub(r"\s+", " ", hide(problem.said)).strip()
    says = [said[:LONGEST]] if said else []
    return Finding(problem.finding, entry.what, entry.why, list(entry.fix), says)


def release_before_answers(facts: Facts) -> bool:
    """Tell whether the release before still answers while the newest one does not."""
    case = Case(facts)
    has_no_new_pod = case.newest is not None and not case.current
    if not case.broken and not has_no_new_pod:
        return False
    return any(is_settled(pod) for pod in case.older)
