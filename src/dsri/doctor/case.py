"""One application's facts with the names that all findings need, and what was found of it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Any

from dsri.doctor import commands
from dsri.doctor.catalogue import ENTRIES
from dsri.doctor.facts import Facts
from dsri.doctor.finding import Entry, Finding, Words, fill
from dsri.doctor.hide import hide, looks_like_a_token
from dsri.doctor.objects import (
    all_containers,
    condition,
    container_statuses,
    is_ending,
    is_settled,
    labels_of,
    name_of,
    owned,
    template_of,
)
from dsri.kustomize import Object

LONGEST = 400  # characters of a message of the cluster's
REVISION = "deployment.kubernetes.io/revision"
SECRET_NAMES = r"(?i)pass|secret|token|key|credential|dsn|cookie"


def secret_values(container: Object) -> set[str]:
    """Return the values of a container's variables that could be secrets."""
    found = set()
    for variable in container.get("env") or []:
        value = variable.get("value")
        if value and (re.search(SECRET_NAMES, variable["name"]) or looks_like_a_token(value)):
            found.add(value)
    return found


class Case:
    """What is known of one application, and the findings so far."""

    def __init__(self, facts: Facts, now: datetime.datetime | None = None) -> None:
        """Take the facts, and the time at which they were read (default: now)."""
        self.facts = facts
        self.now = now or datetime.datetime.now(datetime.timezone.utc)
        self.project = facts.project
        self.name = facts.name
        self.expected = facts.expected
        self.workload = facts.workload
        self.events = facts.events or []
        self.findings: list[Finding] = []
        self._said: set[tuple[str, str | None]] = set()
        # The containers whose image an image stream is to fill in, and does not.
        self.without_image: set[str] = set()
        planned = self.expected.workload if self.expected else None
        self.template = template_of(self.workload or planned)
        self.kind: str = (self.workload or planned or {}).get("kind", "Deployment")
        self.target = f"{self.kind.lower()}/{self.name}"
        self.is_run = self.kind in ("CronJob", "Job")
        self.account: str = self.template.get("serviceAccountName") or "default"
        self.containers = {c["name"]: c for c in all_containers(self.template)}
        self.known_secrets = set(facts.withheld)
        for container in self.containers.values():
            self.known_secrets |= secret_values(container)
        self._sort_pods()

    def _sort_pods(self) -> None:
        """Part the pods into those of the newest release and older ones, and find those that fail.

        A pod that failed as a whole stays to be looked at, but for a run's: its controller has made
        another one."""
        pods = self.facts.pods
        self.failed = [
            pod
            for pod in pods
            if pod.get("status", {}).get("phase") == "Failed" and not self.is_run
        ]
        gone = [] if self.kind == "Pod" else self.failed
        self.pods = [pod for pod in pods if not is_ending(pod) and pod not in gone]
        self.newest = self._newest_set()
        self.older = self._older_pods()
        self.current = [pod for pod in self.pods if pod not in self.older]
        # What failed on the way of a run that has ended well is over.
        self.broken: list[Object] = []
        if not self.ended("Complete"):
            self.broken = [pod for pod in self.current if not is_settled(pod)]

    def _newest_set(self) -> Object | None:
        """Return the ReplicaSet of a Deployment's newest release."""
        if self.kind != "Deployment" or not self.workload:
            return None
        revision = self.workload["metadata"].get("annotations", {}).get(REVISION)
        for one in self.facts.sets:
            if one["metadata"].get("annotations", {}).get(REVISION) == revision:
                return one
        return None

    def _older_pods(self) -> list[Object]:
        """Return the pods of the releases before."""
        status = (self.workload or {}).get("status", {})
        if self.kind == "StatefulSet":
            return self._without("controller-revision-hash", status.get("updateRevision"))
        if self.kind == "DeploymentConfig" and status.get("latestVersion"):
            return self._without("deployment", f"{self.name}-{status['latestVersion']}")
        if not self.newest:
            return []
        mine = owned(self.pods, self.newest)
        return [pod for pod in self.pods if pod not in mine]

    def _without(self, label: str, value: str | None) -> list[Object]:
        """Return the pods that have another value of a label."""
        return [pod for pod in self.pods if labels_of(pod).get(label, value) != value]

    def ended(self, *types: str, run: int = -1) -> Object | None:
        """Return the condition with which a run has ended: the last run, or one before (-2)."""
        if len(self.facts.jobs) < -run:
            return None
        return condition(self.facts.jobs[run], *types, status="True")

    def wanted(self) -> int:
        """Return how many pods there should be."""
        if not self.workload:
            return 1
        status = self.workload.get("status", {})
        return int(self.workload["spec"].get("replicas", status.get("desiredNumberScheduled", 1)))

    def statuses(self, pods: list[Object]) -> Iterator[tuple[Object, Object]]:
        """Yield (pod, its container's status) of all containers of these pods."""
        for pod in pods:
            for status in container_statuses(pod):
                yield pod, status

    def events_of(self, thing: Object, reasons: tuple[str, ...] = ()) -> list[Object]:
        """Return the events of an object, of these reasons where some are given, oldest first."""
        uid = thing["metadata"]["uid"]
        found = []
        for event in self.events:
            is_its_own = event.get("involvedObject", {}).get("uid") == uid
            if is_its_own and (not reasons or event.get("reason") in reasons):
                found.append(event)
        return sorted(found, key=lambda e: e.get("lastTimestamp") or e.get("eventTime") or "")

    def log(self, pod: Object, container: str) -> str:
        """Return the end of a container's log; "" where it was not read."""
        return self.facts.logs.get(f"{name_of(pod)}/{container}", "")

    def linked_secrets(self, account: str) -> list[str]:
        """Return the pull secrets that are linked to a service account."""
        found = []
        for one in self.facts.accounts or []:
            if name_of(one) == account:
                found += [secret["name"] for secret in one.get("imagePullSecrets") or []]
        return found

    def say(self, text: str | None, image: str = "", ours: bool = True) -> list[str]:
        """Return a message of the cluster, bounded, with nothing secret in it.

        An image's name is not repeated in it. Where it has words of the application or its manifest
        in it (a command, an address, a probe's output), it is not `ours`."""
        # OpenShift adds what the application answered to its probe.
        said, body, answer = (text or "").partition("\nbody:")
        said = hide(said, self.known_secrets, ours=ours)
        if body:
            said += " " + hide(answer, self.known_secrets)
        said = re.sub(r"\s+", " ", said).strip()
        if image:
            pattern = rf'(: )?"?{re.escape(image)}"?(?=[: ]|$)'
            said = re.sub(pattern, lambda match: match[1] or "it", said)
        if not said:
            return []
        return [said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"]

    def has(self, *names: str) -> bool:
        """Tell whether one of these findings was made."""
        return any(finding.name in names for finding in self.findings)

    def has_error(self) -> bool:
        """Tell whether a finding was made that is more than a warning."""
        return any(not finding.warning for finding in self.findings)

    def add(
        self,
        key: str,
        says: list[str] | None = None,
        /,
        *,
        of: str | None = None,
        warning: bool | None = None,
        **words: Any,
    ) -> None:
        """Add a finding once; for each container (`of`) of several once, and with its name.

        `key` is the entry's name in the catalogue, `words` stand for its placeholders. `warning` is
        given where the severity depends on the circumstances."""
        entry = ENTRIES[key]
        name = key.partition("/")[0]
        if (name, of) in self._said or (of is None and self.has(name)):
            return
        self._said.add((name, of))
        known = {**self.words(), **words}
        what = fill(entry.what, known)
        if of in self.containers and len(self.containers) > 1:
            what = re.sub(r"^(It|The container)\b", f"The container {of}", what)
        is_warning = entry.warning if warning is None else warning
        fix = self.fix_of(entry, known)
        why = fill(entry.why, known).strip()
        self.findings.append(Finding(name, what, why, fix, says or [], is_warning))

    def words(self) -> Words:
        """Return what stands for the placeholders that every entry may have."""
        return {
            "project": self.project,
            "name": self.name,
            "account": self.account,
            "kind": self.kind,
            "kind_in_commands": self.kind.lower(),
            "target": self.target,
            "folder": self.expected.folder if self.expected else "",
            "apply": commands.apply(self),
            "publish": commands.publish(self),
            "restart": commands.restart(self),
        }

    def fix_of(self, entry: Entry, words: Words) -> list[str]:
        """Return the lines that fix a finding."""
        lines = entry.fix or (("{change}",) if entry.change else ())
        if self.expected and entry.fix_in_repository:
            lines = entry.fix_in_repository
        if entry.change:
            what, command = fill(entry.change, words), fill(entry.command, words)
            words = {**words, "change": commands.change(self, what, command)}
        fix: list[str] = []
        for line in lines:
            alone = re.fullmatch(r"\{([a-z_]+)\}", line)
            value = words[alone[1]] if alone else None
            if isinstance(value, list):
                fix += value
            elif line.startswith("$ "):
                fix.append(commands.for_cluster(self, fill(line[2:], words)))
            else:
                fix.append(fill(line, words))
        return fix
