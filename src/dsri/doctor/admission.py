"""Pods that the API server refuses to make."""

from __future__ import annotations

import re

from dsri.doctor import commands
from dsri.doctor.case import Case
from dsri.doctor.objects import conditions, when
from dsri.doctor.resources import (
    DEFAULTS,
    MAXIMA,
    Amounts,
    exceeds,
    lacking,
    lacks,
    number_in,
    set_resources,
    too_much,
)
from dsri.kustomize import Object
from dsri.quantities import amount

OLD = 60  # seconds after which a workload without pods is said to be refused
FIXED = ("runAsUser", "runAsGroup", "fsGroup", "supplementalGroups", "seLinuxOptions")
PRIVILEGES = ("privileged", "allowPrivilegeEscalation")
OF_THE_HOST = ("hostNetwork", "hostPID", "hostIPC")
ANYUID = "or, for an image that needs a fixed user: the account anyuid (ask DSRI's support)"
ONE_POD_LESS = {
    "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
}


def holder_of_pods(case: Case) -> Object | None:
    """Return the object that makes the pods: a ReplicaSet, a Job, or the workload itself."""
    if case.newest:
        return case.newest
    return case.facts.jobs[-1] if case.facts.jobs else case.workload


def refusals_of(item: Object) -> list[str]:
    """Return the messages of an object whose pods were refused."""
    found = []
    for one in conditions(item):
        if one["type"] == "ReplicaFailure" and one["status"] == "True":
            found.append(one.get("message", ""))
    return found


def refusals_of_controllers(case: Case) -> list[str]:
    """Return the last refusal of the ReplicationController that a DeploymentConfig made last."""
    version = (case.workload or {}).get("status", {}).get("latestVersion")
    messages = []
    for event in case.events:
        about = event.get("involvedObject", {})
        is_its_own = about.get("kind") == "ReplicationController"
        is_newest = about.get("name") == f"{case.name}-{version}"
        if is_its_own and is_newest and event.get("reason") == "FailedCreate" and not case.current:
            messages.append(event.get("message", ""))
    return messages[-1:]


def refusals(case: Case, holder: Object) -> list[str]:
    """Return what the API server said; [""] where only the manifest shows that it refuses."""
    messages = refusals_of(holder)
    if case.newest is None and case.kind == "Deployment" and case.workload:
        messages += refusals_of(case.workload)
    if case.kind == "DeploymentConfig":
        messages += refusals_of_controllers(case)
    spec = holder.get("spec", {})
    wanted = spec.get("replicas", spec.get("parallelism", 1)) or 0
    if not messages and len(case.current) < wanted:
        events = case.events_of(holder, ("FailedCreate",))
        messages = [event.get("message", "") for event in events[-1:]]
    if messages or case.current or not wanted:
        return messages
    # Events are kept for an hour, and not for everybody; what the manifest lacks can be seen
    # without them.
    made = when(holder["metadata"].get("creationTimestamp")) or case.now
    is_old = (case.now - made).total_seconds() > OLD
    return [""] if is_old and (lacking(case) or too_much(case)) else []


def admission(case: Case) -> None:
    """Find why the API server refuses the pods."""
    holder = holder_of_pods(case)
    if not holder:
        return
    for text in refusals(case, holder):
        says = case.say(text)
        if case.without_image and "whitespace" in text:
            continue  # a blank in the place of an image, which was said
        names_the_account = re.search(r"service ?account", text, re.IGNORECASE)
        if case.has("no-account") and names_the_account and not is_over_quota(text):
            continue
        say_refusal(case, text, says)
        say_amounts(case, says)


def is_over_quota(text: str) -> bool:
    """Tell whether a message is about the quota."""
    return bool(re.search("exceeded quota", text, re.IGNORECASE))


def say_refusal(case: Case, text: str, says: list[str]) -> None:
    """Add what one message of the API server is about."""
    wrong_amounts = bool(lacking(case) or too_much(case))
    if is_over_quota(text):
        over_quota(case, text, says)
    elif re.search(r"security context constraint|violates PodSecurity", text, re.IGNORECASE):
        security_context(case, says)
    elif wrong_amounts:
        return
    elif re.search(r"\b(maxim|minim)(um|a)\b|\bmax limit to request ratio", text, re.IGNORECASE):
        out_of_bounds(case, text, says)
    else:
        refused_otherwise(case, text, says)


def say_amounts(case: Case, says: list[str]) -> None:
    """Add what is wrong with requests and limits.

    The server says one thing at a time; what it would say next can be seen in the same manifest."""
    if case.has("security-context"):
        says = []
    if lacking(case):
        command = set_resources(case, DEFAULTS, lacks)
        case.add("resources-missing", says, missing=", ".join(lacking(case)), command=command)
    if too_much(case):
        command = set_resources(case, MAXIMA, exceeds)
        case.add("maxima/of-dsri", says, amounts="; ".join(too_much(case)), command=command)
    has_amounts = case.has("resources-missing", "maxima")
    if has_amounts and case.account != "anyuid" and fixed_fields(case):
        security_context(case, [])


def refused_otherwise(case: Case, text: str, says: list[str]) -> None:
    """Add a refusal of another kind; one of a class that the cluster has not is told."""
    for field in ("priorityClassName", "runtimeClassName"):
        kind = field[: -len("Name")]
        if case.template.get(field) and kind.lower() in text.lower():
            wish = kind[:1].upper() + kind[1:]
            lines = commands.take_out(case, field)
            case.add(
                "pod-refused/class", says, wish=wish, value=case.template[field], take_out=lines
            )
            return
    case.add("pod-refused/other", says)


def over_quota(case: Case, text: str, says: list[str]) -> None:
    """Add that the quota leaves no room for one more pod: of a rollout, of several, or at all.

    A controller that was refused often tries again after a quarter of an hour only; a restart at
    once."""
    found = re.search(r"exceeded quota: ([\w.-]+)", text)
    words = f"describe quota {found[1]}" if found else "describe quota"
    quota = commands.for_cluster(case, words)
    there = len(case.current)
    if case.older and case.kind == "Deployment":
        patch = commands.patch_argument("spec", ONE_POD_LESS)
        case.add("quota/rollout", says, quota=quota, patch=patch)
    elif there and case.kind in ("Deployment", "StatefulSet", "ReplicaSet"):
        case.add("quota/several", says, quota=quota, there=there, wanted=case.wanted())
    elif re.search(r"requested: ([a-z/.,=0-9-]*\b)?(count/)?pods=", text):
        case.add("quota/pods", says, quota=quota)
    else:
        case.add("quota/resources", says, quota=quota)


def out_of_bounds(case: Case, text: str, says: list[str]) -> None:
    """Add what the project's LimitRange says: its own bound can be set as it says it."""
    bounds: Amounts = {}
    given: Amounts = {}
    pattern = r"imum ([\w.-]+) usage per Container is (\w+), but (limit|request) is (\w+)"
    for kind, bound, part, is_now in re.findall(pattern, text):
        bounds.setdefault(f"{part}s", {})[kind] = bound
        given.setdefault(f"{part}s", {})[kind] = is_now

    def is_meant(container: Object, part: str, kind: str) -> bool:
        return number_in(container, part, kind) == amount(given[part][kind])

    is_less = bool(re.search(r"\bminimum\b", text))
    case.add(
        "maxima/of-the-project",
        says,
        more_or_less="less" if is_less else "more",
        larger_or_smaller="larger" if is_less else "smaller",
        command=set_resources(case, bounds, is_meant),
    )


def security_context(case: Case, says: list[str]) -> None:
    """Add that OpenShift refuses the pod's security context."""
    fields = fixed_fields(case)
    why = "It asks for a fixed user or group, or for privileges."
    if fields:
        why = f"It sets {', '.join(fields)}."
    fixes_a_user = not fields or re.search("runAs|fsGroup", str(fields))
    offers_anyuid = case.account != "anyuid" and fixes_a_user
    case.add(
        "security-context",
        says,
        why=why,
        fields=", ".join(fields) or "runAsUser, fsGroup and the like",
        anyuid=[ANYUID] if offers_anyuid else [],
    )


def fixed_in(context: Object) -> list[str]:
    """Return the fields of a security context that fix a user or group, or ask for privileges."""
    found = [field for field in FIXED if field in context]
    found += [field for field in PRIVILEGES if context.get(field)]
    if (context.get("capabilities") or {}).get("add"):
        found.append("capabilities.add")
    return found


def fixed_fields(case: Case) -> list[str]:
    """Return the fields of a pod that fix a user or a group, or ask for privileges, in words."""
    holders = {"pod": case.template, **case.containers}
    found = []
    for where, holder in holders.items():
        context = holder.get("securityContext") or {}
        found += [f"{field} ({where})" for field in fixed_in(context)]
    for name, container in case.containers.items():
        if any(port.get("hostPort") for port in container.get("ports") or []):
            found.append(f"hostPort ({name})")
    found += [field for field in OF_THE_HOST if case.template.get(field)]
    for volume in case.template.get("volumes") or []:
        if "hostPath" in volume:
            found.append(f"the hostPath volume {volume['name']}")
    return found
