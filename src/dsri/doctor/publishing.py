"""What became of the last publish run on GitHub, where `gh` tells of it."""

from __future__ import annotations

import re

from dsri.doctor.case import Case
from dsri.doctor.facts import PublishRun
from dsri.doctor.finding import Words
from dsri.doctor.github_runs import COMPLETED, last_to_publish
from dsri.doctor.hide import tail
from dsri.doctor.objects import when
from dsri.doctor.pulling import pull_failures

# The case of publish-denied → the registry's words for it, as people reported them
# (actions/runner#1039, docker/build-push-action#606, tuna-os/tunaOS#642). The first one counts.
REFUSALS = {
    "publish-denied/create": r"not allowed to create organi[sz]ation package|create_package",
    "publish-denied/read-only": r"not allowed to write organi[sz]ation package",
    "publish-denied/package": r"permission_denied: \w*(write|read)_package",
    "publish-denied/scope": r"does not match expected scopes|insufficient_scope",
    "publish-denied/sso": r"organi[sz]ation SAML|SAML (SSO|enforcement)",
    "publish-denied/address": r"\bIP allow ?list\b",
}
# What a registry refuses stands in one line with its name or the push's: a test's own "permission
# denied" is none of it.
PLACE = r"(ghcr\.io|failed to push|error pushing|container registry)"
REFUSAL = r"(\bdenied|unauthorized|authentication required|\b40[13]\b)"
DENIED = re.compile(rf"{PLACE}[^\n]*{REFUSAL}|{REFUSAL}[^\n]*{PLACE}", re.IGNORECASE)
BAD_LOGIN = re.compile(
    r"denied: denied|\b401\b|unauthorized|authentication required|bad credentials", re.IGNORECASE
)
OF_A_BASE_IMAGE = re.compile(
    rf"(source metadata for|load metadata for|pull access denied|error pulling)[^\n]*{REFUSAL}",
    re.IGNORECASE,
)
# GitHub's words for an action that a policy forbids, then and now (actions/runner#1247,
# github/gh-aw#9260).
FORBIDDEN_ACTION = re.compile(
    r"not allowed to be used in|is not allowed in \S+ because all actions"
)
# `gh` puts the job's and the step's names before each line of a log.
NAMES = re.compile(r"(?m)^[^\t\n]*\t[^\t\n]*\t")
# How a run has ended without publishing → the finding; docs.github.com, REST API, workflow runs.
ENDS = {
    "cancelled": "publish-unfinished/cancelled",
    "stale": "publish-unfinished/stale",
    "timed_out": "publish-failed/time",
    "startup_failure": "publish-not-started",
    "action_required": "publish-waits/approval",
}
# What it waits for, where somebody has to do something; the others come by themselves.
WAITS_FOR_REVIEW = "waiting"
NOT_TAKEN = ("queued", "requested", "pending")
PATIENCE = 1800  # seconds that a run may wait for a runner


def reason_of_refusal(log: str) -> str:
    """Return the case of publish-denied that a log tells of; "" where the registry refused nothing.

    What it refuses to a build is another thing than what it refuses to the push."""
    for key, pattern in REFUSALS.items():
        if re.search(pattern, log, re.IGNORECASE):
            return key
    refused = [line for line in log.splitlines() if DENIED.search(line)]
    if not refused:
        return ""
    is_login = any(BAD_LOGIN.search(line) for line in refused)
    return "publish-denied/login" if is_login else "publish-denied/unknown"


def why_it_failed(log: str) -> str:
    """Return the finding for a run that failed, by its log."""
    said = NAMES.sub("", log)
    if FORBIDDEN_ACTION.search(said):
        return "publish-not-allowed"
    if OF_A_BASE_IMAGE.search(said):
        return "publish-failed/base-image"
    if not said.strip():
        return "publish-failed/no-log"
    return reason_of_refusal(said) or "publish-failed/step"


def why_it_waits(case: Case, run: PublishRun) -> str:
    """Return the finding for a run that has not ended; "" where nothing is to be done."""
    if run.status == WAITS_FOR_REVIEW:
        return "publish-waits/review"
    changed = when(run.updated)
    is_late = changed is not None and (case.now - changed).total_seconds() > PATIENCE
    if run.status in NOT_TAKEN and is_late:
        return "publish-waits/runner"
    return ""


def what_became_of(case: Case, run: PublishRun) -> str:
    """Return the finding for a run, whatever became of it; "" where all is well."""
    if run.status != COMPLETED:
        return why_it_waits(case, run)
    if run.conclusion == "success":
        return ""
    if run.conclusion == "failure":
        return why_it_failed(run.log)
    return ENDS.get(run.conclusion, "publish-unfinished/other")


def publishing(case: Case) -> None:
    """Find a publish run that did not publish, or that there was none."""
    if case.facts.runs is None:
        return
    is_needed = not case.workload or bool(pull_failures(case))
    last = last_to_publish(case.facts.runs)
    if not last:
        if is_needed:
            case.add("never-published")
        return
    key = what_became_of(case, last)
    if not key:
        return
    page = re.match(r"https://[^/]+/(([^/]+)/[^/]+)/", last.url)
    words: Words = {
        "url": last.url,
        "run": last.number,
        "ended": last.conclusion.replace("_", " "),
        "repository": page[1] if page else "OWNER/NAME",
        "owner": page[2] if page else "OWNER",
    }
    # What waits, or was ended by somebody, is no fault while the image that is wanted is there.
    is_warning = key.startswith(("publish-waits", "publish-unfinished")) and not is_needed
    says = tail(NAMES.sub("", last.log), case.known_secrets, 4)
    case.add(key, says, warning=is_warning, **words)
