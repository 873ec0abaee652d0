"""Containers that cannot be made, or that end by themselves."""

from __future__ import annotations

import re

from dsri.doctor.case import Case
from dsri.doctor.configuration import add_missing, add_missing_key
from dsri.doctor.ended import command_missing, exec_format, not_executable, why_it_ended
from dsri.doctor.objects import conditions, is_settled, name_of, when
from dsri.doctor.resources import doubled, quantity_in
from dsri.doctor.storage import claims_of
from dsri.kustomize import Object
from dsri.start_rules import start_rule

CANNOT_START = ("CreateContainerError", "RunContainerError")
NOT_STARTED = ("StartError", "ContainerCannotRun")
NO_START_AT_ALL = ("user", "folder")  # rules of dsri.start_rules that are not the command's
BETWEEN_ENDS = 600  # seconds: the cluster waits at most five minutes between two starts
DAY = 86_400  # seconds
NOT_THERE = re.compile(r'(secret|configmap) "([^"]+)" not found', re.IGNORECASE)
NO_KEY = re.compile(
    r"couldn't find key (\S+) in (Secret|ConfigMap) (?:\S+/)?([\w.-]+)", re.IGNORECASE
)


def cannot_be_configured(case: Case, pod: Object, text: str) -> None:
    """Add what is missing for a container to be made (CreateContainerConfigError)."""
    says = case.say(text)
    absent, no_key = NOT_THERE.search(text), NO_KEY.search(text)
    if re.search(r"runAsNonRoot|non-numeric|run as root", text):
        case.add("user-not-numeric", says)
    elif absent:
        add_missing(case, absent[1], absent[2], says)
    elif no_key:
        add_missing_key(case, no_key[2], no_key[3], no_key[1], says)
    else:
        case.add("config-missing/unknown", says, pod=name_of(pod))


def cannot_start(case: Case, pod: Object, name: str, text: str) -> None:
    """Add why the runtime could not begin a container's command, from its message."""
    says = case.say(text, ours=False)
    rule = start_rule(text)
    key = rule.name if rule else ""
    if key == "exec-format":
        exec_format(case, name, says)
    elif key == "mount":
        case.add("volume-not-mounted/place", says, of=name)
    elif key == "missing":
        command_missing(case, name, says)
    elif key == "not-executable":
        not_executable(case, name, says)
    elif rule:
        finding = "crash" if key in NO_START_AT_ALL else "command-missing"
        case.add(f"{finding}/start", says, of=name, what=rule.what, start_fix=rule.fix)
    elif re.search(r"deadline exceeded|timed? ?out", text, re.IGNORECASE) and claims_of(case):
        case.add("volume-not-mounted/slow", says)
    else:
        case.add("crash/not-started", says, of=name, pod=name_of(pod))


def is_between_ends(case: Case, status: Object) -> bool:
    """Tell whether a container that runs is between two ends."""
    began = when(status["state"]["running"].get("startedAt"))
    if status.get("restartCount", 0) < 2:  # noqa: PLR2004 - one end is no loop
        return False
    return not began or (case.now - began).total_seconds() < BETWEEN_ENDS


def end_to_explain(case: Case, status: Object) -> Object | None:
    """Return how a container ended, where that matters: it does not run again and stay."""
    state = status.get("state", {})
    ended: Object | None = state.get("terminated") or status.get("lastState", {}).get("terminated")
    if not ended:
        return None
    runs_again = "running" in state and ended.get("reason") != "OOMKilled"
    if runs_again and not is_between_ends(case, status):
        return None
    return ended


def check_container(case: Case, pod: Object, status: Object) -> None:
    """Find why one container was not made, or has ended."""
    waiting = status.get("state", {}).get("waiting", {})
    if waiting.get("reason") == "CreateContainerConfigError":
        cannot_be_configured(case, pod, waiting.get("message", ""))
        return
    if waiting.get("reason") in CANNOT_START:
        cannot_start(case, pod, status["name"], waiting.get("message", ""))
        return
    ended = end_to_explain(case, status)
    if not ended:
        return
    if ended.get("reason") in NOT_STARTED:
        cannot_start(case, pod, status["name"], ended.get("message", ""))
    elif not case.is_run or ended.get("exitCode") != 0:
        why_it_ended(case, pod, status, ended)


def last_change(case: Case, pod: Object) -> float:
    """Return how many seconds ago a pod's conditions changed last."""
    times = [when(one.get("lastTransitionTime")) for one in conditions(pod)]
    known = [time for time in times if time]
    return (case.now - max(known, default=case.now)).total_seconds()


def starting(case: Case) -> None:
    """Find why containers do not start, or do not stay."""
    pods = [pod for pod in case.broken if pod["status"].get("reason") != "Evicted"]
    for pod, status in case.statuses(pods):
        check_container(case, pod, status)
    if case.broken:
        # The kubelet says one thing at a time.
        for (kind, name), is_there in case.facts.existing.items():
            if not is_there:
                add_missing(case, kind, name, [])
    for pod in case.failed:
        if pod["status"].get("reason") == "Evicted" and last_change(case, pod) < DAY:
            evicted(case, pod["status"].get("message", ""))


def evicted(case: Case, text: str) -> None:
    """Add that a pod was put off its node.

    One that another pod has followed is a warning: that one may go the same way."""
    volume = re.search(r'EmptyDir volume "([^"]+)" exceeds', text)
    is_warning = any(is_settled(pod) for pod in case.current)
    says = case.say(text)
    if volume:
        case.add("evicted/volume", says, warning=is_warning, volume=volume[1])
    elif re.search(r"limit(s of containers)?\b", text):
        command = ""
        if len(case.containers) == 1:
            only = next(iter(case.containers.values()))
            more = doubled(quantity_in(only, "limits", "ephemeral-storage"))
            command = f"set resources {case.target} --limits=ephemeral-storage={more}"
        case.add("evicted/limit", says, warning=is_warning, command=command)
    else:
        case.add("evicted/request", says, warning=is_warning)
