"""The last publish run on GitHub, where `gh` tells of it."""

from __future__ import annotations

import re

from dsri.doctor.case import Case
from dsri.doctor.hide import tail
from dsri.doctor.pulling import pull_failures

PACKAGE = r"(ghcr\.io|push|package|container registry)"
REFUSAL = r"(\bdenied|unauthorized|\b403\b)"
# What was refused by the registry stands in one line with its name or the push's: a test's own
# "permission denied" is none of it.
DENIED = re.compile(rf"{PACKAGE}[^\n]*{REFUSAL}|{REFUSAL}[^\n]*{PACKAGE}", re.IGNORECASE)


def publishing(case: Case) -> None:
    """Find a publish run that failed, or that there was none."""
    runs = case.facts.runs
    if runs is None:
        return
    if not runs:
        if not case.workload or pull_failures(case):
            case.add("never-published")
        return
    last = runs[0]
    if last.conclusion != "failure":
        return
    if DENIED.search(last.log):
        case.add("publish-denied", tail(last.log, case.known_secrets, 3), run=last.number)
    else:
        says = tail(last.log, case.known_secrets, 4)
        case.add("publish-failed", says, url=last.url, run=last.number)
