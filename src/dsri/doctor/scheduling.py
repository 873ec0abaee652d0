"""Pods that no node takes."""

from __future__ import annotations

import re

from dsri.doctor import commands
from dsri.doctor.case import Case
from dsri.doctor.objects import condition, is_settled, name_of, owned, when
from dsri.doctor.resources import number_in
from dsri.doctor.storage import held
from dsri.kustomize import Object

# What a pod may ask of a node → the scheduler's words for it.
WISHES = {
    "schedulingGates": "gates",
    "topologySpreadConstraints": "topology spread",
    "nodeSelector": "node affinity/selector|node selector",
    "affinity": "affinity",
}
LESS = {"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "256Mi"}
DEFAULT = "default-scheduler"
PATIENCE = 20  # seconds that a scheduler may take


def wish_in(case: Case, text: str | None = None) -> str:
    """Return what the pod asks of a node, and a message names; "" where it is none of WISHES.

    Without a message it is the first thing that the pod asks for."""
    for field, words in WISHES.items():
        if case.template.get(field) and (text is None or re.search(words, text)):
            return field
    return ""


def daemon_set(case: Case) -> None:
    """Find a DaemonSet that no node takes a pod of."""
    if case.kind != "DaemonSet" or case.wanted() != 0:
        return
    wish = wish_in(case)
    if wish:
        case.add("not-scheduled/wish", wish=wish, lines=commands.take_out(case, wish))
    else:
        case.add("not-scheduled/daemon-set")


def other_scheduler(case: Case, pod: Object) -> None:
    """Find a pod that waits for a scheduler which does not look at it."""
    scheduler = case.template.get("schedulerName", DEFAULT)
    made = when(pod["metadata"].get("creationTimestamp")) or case.now
    is_late = (case.now - made).total_seconds() > PATIENCE
    if scheduler != DEFAULT and not pod["spec"].get("nodeName") and is_late:
        lines = commands.take_out(case, "schedulerName")
        case.add("not-scheduled/scheduler", scheduler=scheduler, lines=lines)


def waits_for_claim(case: Case, text: str) -> None:
    """Add that the pod waits for its storage."""
    being = re.search(r'persistentvolumeclaim "([^"]+)" is being deleted', text)
    if being:
        case.add("claim-missing/ending", case.say(text), claim=being[1])
    elif not case.has("claim-missing", "claim-not-bound"):
        case.add("claim-not-bound/pod", case.say(text))


def largest_container(case: Case, kinds: list[str]) -> str:
    """Return the container that requests most of these kinds of resources."""

    def most(name: str) -> float:
        amounts = [number_in(case.containers[name], "requests", kind) for kind in kinds]
        return max(amounts, default=0.0)

    return str(max(case.containers, key=most))


def no_room(case: Case, text: str) -> None:
    """Add that no node has free what the pod requests."""
    found = re.findall(r"Insufficient ([\w./-]+)", text)
    short = sorted({kind.rstrip(".") for kind in found})
    devices = [kind for kind in short if kind not in LESS]
    words = ", ".join(short)
    if devices:
        case.add("no-room/devices", case.say(text), short=words, devices=", ".join(devices))
        return
    case.add(
        "no-room/resources",
        case.say(text),
        short=words,
        container=commands.option_for(case, largest_container(case, short)),
        less=",".join(f"{kind}={LESS[kind]}" for kind in short),
    )


def no_node(case: Case, pod: Object, text: str) -> None:
    """Add that no node fits what the pod asks for."""
    wish = wish_in(case, text)
    lines = commands.take_out(case, wish) if wish else []
    before = []
    for one in case.facts.sets:
        if any(is_settled(other) for other in owned(case.pods, one)):
            before.append(name_of(one))
    if "anti-affinity" in text and before and (wish or case.older):
        # The pods that are there keep the new ones off, by the rule that they were made with.
        delete = f"delete replicaset {' '.join(before)} --cascade=foreground"
        lines += [commands.for_cluster(case, delete), *commands.restart(case)]
    if not lines:
        case.add("not-scheduled/pod", case.say(text), pod=name_of(pod))
        return
    key = "not-scheduled/wish" if wish else "not-scheduled/rule-before"
    case.add(key, case.say(text), wish=wish, lines=lines)


def not_scheduled(case: Case, pod: Object, text: str) -> None:
    """Find why the scheduler found no node for a pod, from its message."""
    if "ReadWriteOncePod" in text:
        held(case, text)
    elif re.search(r"persistentvolumeclaim", text, re.IGNORECASE):
        waits_for_claim(case, text)
    elif "Insufficient" in text:
        no_room(case, text)
    elif re.search(r"Too many pods|were unschedulable|node\.kubernetes\.io/", text):
        case.add("no-room/pods", case.say(text))
    else:
        no_node(case, pod, text)


def scheduling(case: Case) -> None:
    """Find pods that no node takes."""
    daemon_set(case)
    for pod in case.broken:
        scheduled = condition(pod, "PodScheduled")
        if not scheduled:
            other_scheduler(case, pod)
        elif scheduled["status"] == "False" and not pod["spec"].get("nodeName"):
            not_scheduled(case, pod, scheduled.get("message", ""))
