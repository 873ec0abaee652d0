"""From facts to findings: what is wrong, why, and the command that mends it, in the order in which to mend. Nothing here asks anybody anything.

Reasons, status codes and fields decide; a sentence is read only where the cluster gives nothing else, and by the words that containerd, CRI-O
and OpenShift have in common."""

import difflib
import re

from dsri_doctor.case import ORDER, Case, Finding, settled
from dsri_doctor.container import jobs, running, starting
from dsri_doctor.hide import hide
from dsri_doctor.outside import image, network, token_of
from dsri_doctor.pod import admission, scheduling, storage
from dsri_doctor.pull import accounts, publishing, pull


def findings(facts, now=None):
    """All that is wrong, in the order in which to mend it."""
    case = Case(facts, now)
    if not project(case):
        return case.findings
    for look in (workload, publishing, accounts, pull, admission, storage, scheduling, starting, running, jobs, network, image, token_of, unexplained):
        look(case)
    return sorted(case.findings, key=lambda f: (f.warning, ORDER.index(f.name)))


def cannot_look(name, said):
    """The finding for a cluster that could not be asked."""
    about = {
        "no-tool": ("There is no oc and no kubectl here that runs.", "", ["install oc: the question mark on top of https://console.dsri.unimaas.nl, Command line tools"]),
        "no-manifests": ("The folder openshift cannot be read here.", "Run this in the application's repository, or name it.", ["dsri-doctor --project PROJECT --name NAME"]),
        "bad-config": ("The configuration for the cluster cannot be used.", "It is the file in KUBECONFIG, else ~/.kube/config.",
                       ["mend what it says, or move that file away and log in again: https://console.dsri.unimaas.nl, your name, Copy login command"]),
        "not-logged-in": ("You are not logged in, or the login has expired.", "A login ends after some time.", ["https://console.dsri.unimaas.nl: your name, Copy login command; paste it here"]),
        "unreachable": ("The cluster does not answer.", "It is reachable from the university's network and its VPN only.", ["connect to the VPN, then run this again"]),
    }[name]
    said = re.sub(r"\s+", " ", hide(said)).strip()
    return Finding(name, *about, [said[:300]] if said else [])


def project(case):
    """Whether there is a project to look into."""
    unseen = case.facts["project_is"] == "Forbidden" and "deployments" in case.facts["unseen"]
    if case.facts["project_is"] != "NotFound" and not unseen:
        return True
    near = difflib.get_close_matches(case.project, case.facts["others"], 3)
    case.add("no-project", f"There is no project {case.project}, or you have no access to it.", f"You have: {', '.join(near)}." if near else "",
             [case.command(f"new-project {case.project}", project=False) if case.facts["tool"] == "oc" else "make it at https://console.dsri.unimaas.nl, Home, Projects"])
    return False


def workload(case):
    if not case.workload:
        near = difflib.get_close_matches(case.name, case.facts["others"], 3, 0.5)
        case.add("no-workload", f"{case.name} is not deployed in {case.project}.", f"What is there: {', '.join(near or case.facts['others'][:5])}." if case.facts["others"] else "",
                 [case.apply()] if case.expected else [case.command("get deployments,cronjobs,statefulsets")])
        return
    spec = case.workload["spec"]
    if spec.get("replicas") == 0:
        case.add("scaled-down", "It is switched off: it has 0 replicas.", "", [case.command(f"scale {case.kind.lower()}/{case.name} --replicas=1")])
    if case.kind == "Deployment" and spec.get("paused"):
        case.add("paused", "Its rollout is paused: changes wait.", "", [case.command(f"rollout resume deployment/{case.name}")])


def unexplained(case):
    """What is not well and has no reason yet."""
    if case.findings and not all(f.warning for f in case.findings):
        return
    if not case.workload or case.kind in ("CronJob", "Job"):
        return
    status = case.workload.get("status", {})
    wanted = case.workload["spec"].get("replicas", 1)
    late = next((c for c in status.get("conditions") or [] if c["type"] == "Progressing" and c.get("reason") == "ProgressDeadlineExceeded"), None)
    well = [p for p in case.current if settled(p)]
    if late:
        case.add("rollout-stuck", "The rollout does not come to its end.", "", [case.command(f"rollout undo deployment/{case.name}"), case.command(f"describe deployment {case.name}")], case.say(late.get("message")))
    elif len(well) < wanted or case.older:
        case.add("starting", f"It is starting: {len(well)} of {wanted} pods are ready" + (f", {len(case.older)} of the release before still run." if case.older else "."), "",
                 [case.command(f"rollout status {case.kind.lower()}/{case.name}")])


def running_still(facts):
    """What still answers while the newest release does not: the release before."""
    case = Case(facts)
    return [p for p in case.older if settled(p)] if case.broken or case.newest and not case.current else []
