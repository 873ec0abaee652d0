"""The storage: whether the claims are there and bound, and the volumes can be mounted."""

from __future__ import annotations

import re

from dsri.doctor import commands
from dsri.doctor.case import Case
from dsri.doctor.configuration import add_missing, add_missing_key, holder_of_key
from dsri.doctor.finding import Words
from dsri.doctor.objects import is_ending, is_running, name_of
from dsri.kustomize import Object

CLUSTER_CLASS = "ocs-storagecluster-cephfs"  # DSRI's storage class
NO_KEY = re.compile(
    r'volume "([^"]+)" : (?:references non-existent (secret) key'
    r"|(configmap) references non-existent config key): (\S+)"
)
NOT_THERE = re.compile(r'(secret|configmap)s? "([^"]+)" not found')


def claims_of(case: Case) -> list[str]:
    """Return the claims of the pods, as a StatefulSet names them for each, and of those to come."""
    names = set()
    for spec in [case.template, *(pod["spec"] for pod in case.current)]:
        for volume in spec.get("volumes") or []:
            if "persistentVolumeClaim" in volume:
                names.add(volume["persistentVolumeClaim"]["claimName"])
    return sorted(names)


def mount_of_claim(case: Case, name: str) -> tuple[str, str] | None:
    """Return (container, path) where a claim is mounted first."""
    volumes = set()
    for volume in case.template.get("volumes") or []:
        if volume.get("persistentVolumeClaim", {}).get("claimName") == name:
            volumes.add(volume["name"])
    for container in case.template.get("containers", []):
        for mount in container.get("volumeMounts") or []:
            if mount["name"] in volumes:
                return container["name"], mount["mountPath"]
    return None


def claim_ending(case: Case, name: str) -> None:
    """Add that a claim goes, with its data, when no pod uses it any more."""
    place = mount_of_claim(case, name)
    copy: list[str] = []
    if place and case.current:
        container, path = place
        pod = name_of(case.current[0])
        words = f"exec {pod} -c {container} -- tar -C {path} -cf - . > {name}.tar"
        copy = [commands.for_cluster(case, words)]
    case.add("claim-ending", of=name, claim=name, copy=copy)


def claim_not_bound(case: Case, claim: Object) -> None:
    """Add that a claim has no volume."""
    name, spec = name_of(claim), claim["spec"]
    phase = claim["status"].get("phase", "Pending")
    kind = spec.get("storageClassName")
    other_class = kind != CLUSTER_CLASS
    if other_class:
        why = f"Its class is {kind}; DSRI's is {CLUSTER_CLASS}."
        fit = f"storageClassName: {CLUSTER_CLASS}"
        lines = []
    else:
        modes = ", ".join(spec.get("accessModes") or [])
        why = f"It asks for {spec['resources']['requests']['storage']}, {modes}."
        fit = "what the class can give"
        lines = [commands.for_cluster(case, f"describe pvc {name}")]
    delete = commands.for_cluster(case, f"delete pvc {name}")
    if case.workload and case.workload["spec"].get("volumeClaimTemplates"):
        # These cannot be changed.
        lines.append(commands.for_cluster(case, f"delete statefulset {case.name}"))
        lines += [delete, f"make both again with {fit}"]
    elif other_class or phase != "Lost":
        if case.expected:
            lines.append(f"in {case.expected.folder}/pvc.yaml: {fit}")
        lines += [delete, *(commands.apply(case) or [f"make it again with {fit}"])]
    events = case.events_of(claim)
    says = case.say(events[-1].get("message", "")) if events else []
    words: Words = {"claim": name, "phase": phase.lower(), "why": why}
    case.add("claim-not-bound/claim", says, of=name, lines=lines, **words)


def check_claim(case: Case, name: str, claim: Object | None) -> None:
    """Find what is wrong with one claim of the pods."""
    if not claim:
        if case.workload:
            case.add("claim-missing/none", of=name, claim=name)
        return
    if is_ending(claim) and not case.broken:
        claim_ending(case, name)
        return
    phase = claim.get("status", {}).get("phase")
    if phase == "Lost" or (phase != "Bound" and case.broken):
        claim_not_bound(case, claim)


def not_mounted(case: Case, pod: Object, says: list[str]) -> None:
    """Add that a volume cannot be mounted."""
    is_relabelled = case.template.get("runtimeClassName") != "selinux" and claims_of(case)
    key = "volume-not-mounted/relabelled" if is_relabelled else "volume-not-mounted/other"
    case.add(key, says, pod=name_of(pod))


def check_mount(case: Case, pod: Object, text: str) -> None:
    """Find what an event about mounting a volume tells."""
    says = case.say(text)
    no_key, absent = NO_KEY.search(text), NOT_THERE.search(text)
    if no_key:
        volume, kind, key = no_key[1], no_key[2] or no_key[3], no_key[4]
        add_missing_key(case, kind, holder_of_key(pod, volume, kind, key), key, says)
    elif "Multi-Attach" in text or re.search(r"already (used|exclusively attached)", text):
        held(case, text)
    elif is_running(pod):
        return
    elif absent:
        add_missing(case, absent[1], absent[2], says)
    else:
        not_mounted(case, pod, says)


def storage(case: Case) -> None:
    """Find what is wrong with the pods' storage."""
    if case.facts.claims is not None:
        there = {name_of(claim): claim for claim in case.facts.claims}
        for name in claims_of(case):
            check_claim(case, name, there.get(name))
    for pod in case.broken:
        for event in case.events_of(pod, ("FailedMount", "FailedAttachVolume")):
            check_mount(case, pod, event.get("message", ""))


def held(case: Case, text: str) -> None:
    """Add that a volume that one pod, or one node, may have is another's."""
    is_pods = "ReadWriteOncePod" in text
    words: Words = {
        "holder": "pod" if is_pods else "node",
        "mode": "ReadWriteOncePod" if is_pods else "ReadWriteOnce",
    }
    if case.workload and case.workload["spec"].get("replicas", 1) > 1:
        case.add("volume-held/several", case.say(text), **words)
        return
    # The other strategy's settings, as each kind names them, may not stay.
    settings = "rollingParams" if case.kind == "DeploymentConfig" else "rollingUpdate"
    strategy = {"type": "Recreate", settings: None}
    patch = commands.patch_argument("spec", {"strategy": strategy})
    case.add("volume-held/rollout", case.say(text), patch=patch, **words)
