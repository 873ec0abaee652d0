"""From facts to findings: what is wrong, why, and the command that mends it, in the order in which to mend. Nothing here asks anybody anything.

Reasons, status codes and fields decide; a sentence is read only where the cluster gives nothing else, and by the words that containerd, CRI-O
and OpenShift have in common."""

import difflib
import re

from dsri.doctor.case import ORDER, Case, Finding, settled, when
from dsri.doctor.container import jobs, running, starting
from dsri.doctor.hide import hide, tail
from dsri.doctor.outside import image, network, token_of
from dsri.doctor.pod import admission, scheduling, storage
from dsri.doctor.pull import accounts, publishing, pull


NEVER = "0 0 30 2 *"  # the schedule of a CronJob that is started by hand
YOUNG = 300  # seconds in which a pod may start, while others answer


def findings(facts, now=None):
    """All that is wrong, in the order in which to mend it."""
    case = Case(facts, now)
    if not project(case):
        return case.findings
    for look in (
        workload,
        publishing,
        accounts,
        pull,
        admission,
        storage,
        scheduling,
        starting,
        running,
        jobs,
        network,
        image,
        token_of,
        terminating,
        unexplained,
    ):
        look(case)
    return sorted(case.findings, key=lambda f: (f.warning, ORDER.index(f.name)))


def cannot_look(name, said):
    """The finding for a cluster that could not be asked."""
    about = {
        "no-tool": (
            "There is no oc and no kubectl here that runs.",
            "",
            [
                "install oc: the question mark on top of https://console.dsri.unimaas.nl, Command line tools"
            ],
        ),
        "no-manifests": (
            "The folder openshift cannot be read here.",
            "Run this in the application's repository, or name it.",
            ["dsri doctor --project PROJECT --name NAME"],
        ),
        "bad-config": (
            "The configuration for the cluster cannot be used.",
            "It is the file in KUBECONFIG, else ~/.kube/config.",
            [
                "mend what it says, or move that file away and log in again: https://console.dsri.unimaas.nl, your name, Copy login command"
            ],
        ),
        "not-logged-in": (
            "You are not logged in, or the login has expired.",
            "A login ends after some time.",
            ["https://console.dsri.unimaas.nl: your name, Copy login command; paste it here"],
        ),
        "unreachable": (
            "The cluster does not answer.",
            "It is reachable from the university's network and its VPN only.",
            ["connect to the VPN, then run this again"],
        ),
        "cluster-unwell": (
            "The cluster answers, but not as it should.",
            "It has too much to do, or is being updated.",
            [
                "run this again in some minutes; if it stays so, ask dsri-support-l@maastrichtuniversity.nl"
            ],
        ),
    }[name]
    if name == "unreachable" and "HTTPS_PROXY" in said:
        about = (
            about[0],
            "It is asked through the proxy that HTTPS_PROXY names.",
            [
                "unset HTTPS_PROXY https_proxy, where that proxy does not lead to it; then:",
                *about[2],
            ],
        )
    elif name == "unreachable" and "x509" in said:
        about = (
            about[0],
            "What answers has another certificate than the login was made for: it is another server, or the login is an old one.",
            [
                *about[2],
                "where it says the same: log in again: https://console.dsri.unimaas.nl, your name, Copy login command",
            ],
        )
    said = re.sub(r"\s+", " ", hide(said)).strip()
    return Finding(name, *about, [said[:300]] if said else [])


def project(case):
    """Whether there is a project to look into."""
    unseen = case.facts["project_is"] == "Forbidden" and "deployments" in case.facts["unseen"]
    if case.facts["project_is"] != "NotFound" and not unseen:
        return True
    near = difflib.get_close_matches(case.project, case.facts["others"], 3)
    case.add(
        "no-project",
        f"There is no project {case.project}, or you have no access to it.",
        f"You have: {', '.join(near)}." if near else "",
        [
            case.command(f"new-project {case.project}", project=False)
            if case.facts["tool"] == "oc"
            else "make it at https://console.dsri.unimaas.nl, Home, Projects"
        ],
    )
    return False


def workload(case):
    if case.facts["ending"] is not None:
        case.add(
            "project-ending",
            f"The project {case.project} is being deleted, with all that is in it.",
            "",
            [
                case.command(
                    f"get project {case.project} -w"
                    if case.facts["tool"] == "oc"
                    else f"get namespace {case.project} -w",
                    project=False,
                ),
                "make it again once it has gone",
            ],
            case.say(" ".join(case.facts["ending"])),
        )
    if not case.workload and (
        case.facts["ending"] is not None or "deployments" in case.facts["unseen"]
    ):
        return
    if not case.workload:
        near = difflib.get_close_matches(case.name, case.facts["others"], 3, 0.5)
        case.add(
            "no-workload",
            f"{case.name} is not deployed in {case.project}.",
            f"What is there: {', '.join(near or case.facts['others'][:5])}."
            if case.facts["others"]
            else "",
            [case.apply()]
            if case.expected
            else [case.command("get deployments,cronjobs,statefulsets")],
        )
        return
    spec = case.workload["spec"]
    if spec.get("replicas") == 0:
        case.add(
            "scaled-down",
            "It is switched off: it has 0 replicas.",
            "",
            [case.command(f"scale {case.kind.lower()}/{case.name} --replicas=1")],
        )
    if spec.get("suspend") and spec.get("schedule") != NEVER:
        case.add(
            "paused",
            "It is suspended: nothing runs.",
            "",
            [
                case.command(
                    f'patch {case.kind.lower()} {case.name} -p \'{{"spec":{{"suspend":false}}}}\''
                )
            ],
            warning=case.kind == "CronJob",
        )
    if case.kind == "Deployment" and spec.get("paused"):
        case.add(
            "paused",
            "Its rollout is paused: changes wait.",
            "",
            [case.command(f"rollout resume deployment/{case.name}")],
        )


def terminating(case):
    """What should have gone: the application itself; pods, as a StatefulSet makes no other one of the same name, and a volume may be held."""
    about = case.workload["metadata"] if case.workload else {}
    if about.get("deletionTimestamp") and case.kind != "Pod":
        held = [f for f in about.get("finalizers") or [] if "/" in f]
        what = f"{case.kind.lower()} {case.name}"
        case.add(
            "terminating",
            f"The {case.kind} {case.name} is being deleted, since {about['deletionTimestamp']}.",
            f"It waits for {', '.join(held)}." if held else "",
            [
                case.command(
                    f'patch {what} --type=merge -p \'{{"metadata":{{"finalizers":null}}}}\''
                )
                if held
                else case.command(f"get {what} -w"),
                case.apply() if case.expected else "make it again once it has gone",
            ],
            of=case.name,
        )
    for pod in case.facts["pods"]:
        about, ends = pod["metadata"], when(pod["metadata"].get("deletionTimestamp"))
        if ends and (case.now - ends).total_seconds() > 60:
            held = about.get("finalizers")
            case.add(
                "terminating",
                f"The pod {about['name']} should have ended at {about['deletionTimestamp']}, and is still there.",
                f"It waits for {', '.join(held)}." if held else "Its node may not answer.",
                [
                    case.command(
                        f'patch pod {about["name"]} --type=merge -p \'{{"metadata":{{"finalizers":null}}}}\''
                    )
                    if held
                    else case.command(f"delete pod {about['name']} --force --grace-period=0")
                ],
                warning=case.kind != "StatefulSet" and bool(case.current) and not case.broken,
            )
    if (
        case.kind != "StatefulSet"
        or case.workload["spec"].get("updateStrategy", {}).get("type") == "OnDelete"
    ):
        return
    for pod in case.older:
        if not settled(pod):
            case.add(
                "rollout-stuck",
                f"It waits for the pod {pod['metadata']['name']}, which is of the release before and not ready.",
                "A StatefulSet does not replace such a pod by itself.",
                [case.command(f"delete pod {pod['metadata']['name']}")],
            )


def unexplained(case):
    """What is not well and has no reason yet."""
    if case.findings and not all(f.warning for f in case.findings):
        return
    if not case.workload or case.kind in ("CronJob", "Job") or "pods" in case.facts["unseen"]:
        return
    status = case.workload.get("status", {})
    wanted = case.wanted()
    late = next(
        (
            c
            for c in status.get("conditions") or []
            if c["type"] == "Progressing" and c.get("reason") == "ProgressDeadlineExceeded"
        ),
        None,
    )
    well, broken = [p for p in case.current if settled(p)], case.broken
    since = max(
        (case.now - (when(p["metadata"].get("creationTimestamp")) or case.now) for p in broken),
        default=case.now - case.now,
    ).total_seconds()
    init = next(
        (
            (p, s["name"])
            for p in broken
            for s in p["status"].get("initContainerStatuses") or []
            if "running" in s.get("state", {})
            and case.containers.get(s["name"], {}).get("restartPolicy") != "Always"
        ),
        None,
    )
    if init and (late or since > 20):
        pod, name = init
        case.add(
            "starting",
            f"It is starting: {len(well)} of {wanted} pods are ready, and the init container {name} still runs.",
            "Its log says what it waits for.",
            [case.logs(pod, name)],
            tail(case.facts["logs"].get(f"{pod['metadata']['name']}/{name}", ""), case.literal, 3),
            warning=since < YOUNG,
        )
    elif since < YOUNG and any(settled(p) for p in case.pods) and not late:
        return  # a rollout, or more pods than before: what answers goes on to answer
    elif late:
        undo = (
            [case.command(f"rollout undo deployment/{case.name}")]
            if len(case.facts["sets"]) > 1
            else []
        )
        case.add(
            "rollout-stuck",
            "The rollout does not come to its end.",
            "",
            [*undo, case.command(f"describe deployment {case.name}")],
            case.say(late.get("message")),
        )
    elif len(well) < wanted or case.older and case.kind == "Deployment":
        case.add(
            "starting",
            f"It is starting: {len(well)} of {wanted} pods are ready"
            + (f", {len(case.older)} of the release before still run." if case.older else "."),
            "",
            [
                case.command(
                    f"{'get' if case.kind in ('Pod', 'ReplicaSet') else 'rollout status'} {case.kind.lower()}/{case.name}"
                )
            ],
            warning=since < YOUNG,
        )


def running_still(facts):
    """What still answers while the newest release does not: the release before."""
    case = Case(facts)
    return (
        [p for p in case.older if settled(p)]
        if case.broken or case.newest and not case.current
        else []
    )
