"""The project and the workload: whether they are there, are on, and come to an end."""

from __future__ import annotations

import difflib

from dsri.doctor import commands
from dsri.doctor.case import Case
from dsri.doctor.early import seen_so_far
from dsri.doctor.hide import tail
from dsri.doctor.objects import condition, is_settled, name_of, when
from dsri.kustomize import Object

STARTED_BY_HAND = "0 0 30 2 *"  # the schedule of a CronJob that never starts by itself
YOUNG = 300  # seconds in which a pod may start, while others answer
JUST_MADE = 20  # seconds in which nothing is said of an init container
LATE = 60  # seconds after which a pod that should have ended is said to stay


def has_project(case: Case) -> bool:
    """Tell whether there is a project to look into; add a finding where there is none."""
    facts = case.facts
    may_not_look = facts.project_state == "Forbidden" and "deployments" in facts.unseen
    if facts.project_state != "NotFound" and not may_not_look:
        return True
    near = difflib.get_close_matches(case.project, facts.others, 3)
    make = "make it at https://console.dsri.unimaas.nl, Home, Projects"
    if facts.tool == "oc":
        make = commands.for_cluster(case, f"new-project {case.project}", in_project=False)
    case.add("no-project", near=f"You have: {', '.join(near)}." if near else "", make=make)
    return False


def project_ending(case: Case) -> None:
    """Find a project that is being deleted."""
    if case.facts.ending is None:
        return
    kind = "project" if case.facts.tool == "oc" else "namespace"
    watch = commands.for_cluster(case, f"get {kind} {case.project} -w", in_project=False)
    case.add("project-ending", case.say(" ".join(case.facts.ending)), watch=watch)


def not_deployed(case: Case) -> None:
    """Say that the workload is not there, and what is."""
    if case.facts.ending is not None or "deployments" in case.facts.unseen:
        return
    near = difflib.get_close_matches(case.name, case.facts.others, 3, 0.5)
    there = near or case.facts.others[:5]
    case.add("no-workload", near=f"What is there: {', '.join(there)}." if there else "")


def workload(case: Case) -> None:
    """Find what keeps the workload from running at all."""
    project_ending(case)
    if not case.workload:
        not_deployed(case)
        return
    spec = case.workload["spec"]
    if spec.get("replicas") == 0:
        case.add("scaled-down")
    if spec.get("suspend") and spec.get("schedule") != STARTED_BY_HAND:
        case.add("paused/suspended", warning=case.kind == "CronJob")
    if case.kind in ("Deployment", "DeploymentConfig") and spec.get("paused"):
        case.add("paused/rollout")


def release(case: Case, what: str) -> str:
    """Return the command that takes the finalizers off an object."""
    patch = commands.patch_argument("metadata", {"finalizers": None})
    return commands.for_cluster(case, f"patch {what} --type=merge -p {patch}")


def terminating_workload(case: Case) -> None:
    """Find a workload that is being deleted."""
    about = case.workload["metadata"] if case.workload else {}
    since = about.get("deletionTimestamp")
    if not since or case.kind == "Pod":
        return
    held = [finalizer for finalizer in about.get("finalizers") or [] if "/" in finalizer]
    case.add(
        "terminating/workload-held" if held else "terminating/workload",
        of=case.name,
        since=since,
        held=", ".join(held),
        release=release(case, f"{case.kind.lower()} {case.name}"),
    )


def terminating_pods(case: Case) -> None:
    """Find pods that should have ended; a StatefulSet makes no other one of the same name."""
    # Another pod of the same name, or the one that holds its volume, may wait for it.
    answered = bool(case.current) and not case.broken
    for pod in case.facts.pods:
        about = pod["metadata"]
        ends = when(about.get("deletionTimestamp"))
        if not ends or (case.now - ends).total_seconds() <= LATE:
            continue
        held = about.get("finalizers")
        case.add(
            "terminating/pod-held" if held else "terminating/pod",
            warning=answered and case.kind != "StatefulSet",
            pod=name_of(pod),
            since=about["deletionTimestamp"],
            held=", ".join(held or []),
            release=release(case, f"pod {name_of(pod)}"),
        )


def terminating(case: Case) -> None:
    """Find what should have gone."""
    terminating_workload(case)
    terminating_pods(case)
    if case.kind != "StatefulSet" or not case.workload:
        return
    if case.workload["spec"].get("updateStrategy", {}).get("type") == "OnDelete":
        return
    for pod in case.older:
        if not is_settled(pod):
            case.add("rollout-stuck/pod", pod=name_of(pod))


def running_init_container(case: Case) -> tuple[Object, str] | None:
    """Return (pod, name) of an init container that still runs."""
    for pod in case.broken:
        for status in pod["status"].get("initContainerStatuses") or []:
            container = case.containers.get(status["name"], {})
            # One that always restarts is a sidecar, and runs as long as the pod.
            is_sidecar = container.get("restartPolicy") == "Always"
            if "running" in status.get("state", {}) and not is_sidecar:
                return pod, status["name"]
    return None


def age_of_oldest_broken(case: Case) -> float:
    """Return for how many seconds a pod has been starting."""
    ages = [0.0]
    for pod in case.broken:
        made = when(pod["metadata"].get("creationTimestamp"))
        if made:
            ages.append((case.now - made).total_seconds())
    return max(ages)


def is_explained(case: Case) -> bool:
    """Tell whether there is nothing to explain, or what is wrong was found."""
    if case.has_error() or not case.workload:
        return True
    return case.is_run or "pods" in case.facts.unseen


def late_condition(case: Case) -> Object | None:
    """Return the condition of a Deployment whose rollout takes too long."""
    found = condition(case.workload or {}, "Progressing")
    if found and found.get("reason") == "ProgressDeadlineExceeded":
        return found
    return None


def unexplained(case: Case) -> None:
    """Say what is not well and has no reason yet."""
    if is_explained(case):
        return
    ready = len([pod for pod in case.current if is_settled(pod)])
    late, age, init = late_condition(case), age_of_oldest_broken(case), running_init_container(case)
    is_young = age < YOUNG
    if init and (late or age > JUST_MADE):
        pod, name = init
        case.add(
            "starting/init",
            tail(case.log(pod, name), case.known_secrets, 3),
            warning=is_young,
            ready=ready,
            wanted=case.wanted(),
            init=name,
            logs=commands.logs(case, pod, name),
        )
    elif late:
        undo = commands.for_cluster(case, f"rollout undo deployment/{case.name}")
        has_another = len(case.facts.sets) > 1
        says = case.say(late.get("message"))
        case.add("rollout-stuck/deployment", says, undo=[undo] if has_another else [])
    elif is_young and any(is_settled(pod) for pod in case.pods):
        return  # a rollout, or more pods than before: what answers goes on to answer
    elif ready < case.wanted() or (case.older and case.kind == "Deployment"):
        say_it_is_starting(case, ready, is_young)


def say_it_is_starting(case: Case, ready: int, is_young: bool) -> None:
    """Add that pods are not ready, and nobody knows why."""
    older = f", {len(case.older)} of the release before still run" if case.older else ""
    look = "get" if case.kind in ("Pod", "ReplicaSet") else "rollout status"
    seen = seen_so_far(case)
    case.add(
        "starting/pods",
        seen.says,
        warning=is_young,
        ready=ready,
        wanted=case.wanted(),
        older=older,
        look=look,
        seen=seen.text,
        if_it_stays=seen.fix,
    )
