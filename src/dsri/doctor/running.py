"""Containers that run: whether they answer, have been started again, and as which user they run."""

from __future__ import annotations

import re
from typing import Any

from dsri.doctor import commands
from dsri.doctor.case import Case
from dsri.doctor.finding import Words
from dsri.doctor.hide import hide, tail
from dsri.doctor.objects import name_of, port_numbers, probed_ports, probes_in, when
from dsri.doctor.probing import probe_events
from dsri.doctor.resources import doubled, quantity_in
from dsri.kustomize import Object
from dsri.ports import Port

# Findings that say why a container has ended: one that was just started again after such an end
# need not answer yet.
ENDS = (
    "out-of-memory",
    "exec-format",
    "command-missing",
    "volume-read-only",
    "root-read-only",
    "low-port",
    "permission",
    "liveness",
    "crash",
)
OTHER_PATH = ("404", "405", "301", "302", "308", "401", "403")
OTHER_SCHEME = r"tls: first record does not look like|malformed HTTP response"
PATIENCE = 30  # seconds in which a container without a startup probe need not answer
AFTER_DELAY = 60  # seconds after the probes' own delay
DAY = 86_400  # seconds
FIRST_OF_PROJECTS = 1_000_000_000  # OpenShift's UIDs of projects begin here


class Running:
    """A container that runs and is not ready."""

    def __init__(self, case: Case, pod: Object, status: Object) -> None:
        """Take the container's status."""
        self.case = case
        self.pod = pod
        self.status = status
        self.name: str = status["name"]
        self.container = case.containers.get(self.name, {})
        self.probes = probes_in(self.container)
        self.events = probe_events(case, pod, self.name)
        self.text: str = self.events[-1].get("message", "") if self.events else ""
        # What its probe says may hold a secret.
        self.said = case.say(self.text, ours=False)
        self.log = tail(case.log(pod, self.name), case.known_secrets, 4)
        self.logs = commands.logs(case, pod, self.name)
        self.wanted = probed_ports(self.container)

    @property
    def port(self) -> int | None:
        """The port that the probes ask; None where they run a command."""
        return int(str(self.wanted[0])) if self.wanted else None

    @property
    def path(self) -> str:
        """The path that the probes ask, without what could be a secret in it."""
        for probe in self.probes:
            if "httpGet" in probe:
                return hide(probe["httpGet"].get("path", "/"), self.case.known_secrets)
        return "/"

    @property
    def budget(self) -> int:
        """The seconds that it has to start."""
        startup = self.container.get("startupProbe")
        if not startup:
            return PATIENCE
        return int(startup.get("periodSeconds", 10) * startup.get("failureThreshold", 3))

    @property
    def age(self) -> float | None:
        """For how many seconds it has run; None where that is not known."""
        began = when(self.status["state"]["running"].get("startedAt"))
        return (self.case.now - began).total_seconds() if began else None

    @property
    def time_used(self) -> float:
        """How many seconds of its budget it has used: all of it, once it was started again."""
        if self.age is None or self.status.get("restartCount"):
            return self.budget
        return self.age

    @property
    def is_young(self) -> bool:
        """Whether it may still be starting."""
        return self.time_used < min(self.budget, PATIENCE)

    @property
    def is_silent(self) -> bool:
        """Whether it is late and there are no events, which are kept for an hour only."""
        delay = max((probe.get("initialDelaySeconds", 0) for probe in self.probes), default=0)
        late = max(self.budget, delay + AFTER_DELAY)
        return not self.events and self.age is not None and self.age >= late

    @property
    def ports(self) -> list[Port] | None:
        """What it listens on; None where that is not known.

        A pod's containers share its ports: what another one names, or is asked for, is its own."""
        ports = self.case.facts.ports.get(f"{name_of(self.pod)}/{self.name}")
        if not ports:
            return ports
        others: set[object] = set()
        for name, container in self.case.containers.items():
            if name != self.name:
                others |= {*port_numbers([container]), *probed_ports(container)}
        return [port for port in ports if port.number not in others]

    def add(self, key: str, lines: list[str], **words: Any) -> None:
        """Add a finding of this container."""
        words = {"port": self.port, "path": self.path, "logs": self.logs, **words}
        self.case.add(key, lines, of=self.name, **words)

    def explain(self) -> None:
        """Add why it is not ready."""
        names = [port for port in self.wanted if not str(port).isdigit()]
        status = re.search(r"statuscode: (\d+)", self.text)
        if names:
            self.case.add("probe-port", port=str(names[0]))
        elif status:
            self.wrong_status(status[1])
        elif re.search(OTHER_SCHEME, self.text):
            scheme = "HTTP" if "tls: first" in self.text else "HTTPS"
            self.add("probe-failed/scheme", self.said, scheme=scheme)
        elif not self.listens_elsewhere():
            self.no_answer()

    def wrong_status(self, status: str) -> None:
        """Add that the probe's path answers with an error."""
        if status in OTHER_PATH:
            self.add("health-path", self.said, status=status)
        elif not self.is_young:
            self.add("probe-failed/status", self.said + self.log, status=status)

    def listens_elsewhere(self) -> bool:
        """Add that it listens on another port, or locally only; tell whether it is that."""
        ports, port = self.ports, self.port
        if not ports or not port or self.is_young or Port(port, local=False) in ports:
            return False
        if Port(port, local=True) in ports:
            self.add("wrong-port/local", self.said)
            return True
        numbers = sorted({one.number for one in ports})
        listening = ", ".join(map(str, numbers))
        self.add("wrong-port/other", self.said, listening=listening, first=numbers[0])
        return True

    def no_answer(self) -> None:
        """Add that its probe gets no answer."""
        if not self.probes:
            return
        lines = self.said + self.log
        has_failed = bool(self.events)
        if not self.port:
            if self.is_silent or (has_failed and not self.is_young):
                self.add("probe-failed/command", lines)
            return
        if not self.is_silent and not (has_failed and self.time_used >= self.budget):
            return
        if re.search(r"refused|no route|reset", self.text) or self.ports == []:
            self.add("wrong-port/nothing-answers", lines)
        elif self.text:
            self.add("probe-failed/slow", lines)
        else:
            self.add("probe-failed/silent", lines)


def running(case: Case) -> None:
    """Find what is wrong with containers that run."""
    for pod, status in case.statuses(case.broken):
        runs = "running" in status.get("state", {}) and not status.get("ready")
        has_ended = status.get("lastState", {}).get("terminated") and case.has(*ENDS)
        if runs and not has_ended:
            Running(case, pod, status).explain()
    for pod, status in case.statuses(case.current):
        restarted(case, pod, status)
    lost_anyuid(case)


def restarted(case: Case, pod: Object, status: Object) -> None:
    """Find a container that runs, and has ended during the last day."""
    last = status.get("lastState", {}).get("terminated")
    ended = when((last or {}).get("finishedAt"))
    if not status.get("ready") or not ended or (case.now - ended).total_seconds() >= DAY:
        return
    name, restarts = status["name"], status.get("restartCount")
    words: Words = {"ended": last["finishedAt"], "restarts": restarts}
    if last.get("reason") == "OOMKilled":
        limit = quantity_in(case.containers.get(name, {}), "limits", "memory")
        more = doubled(limit)
        words = {**words, "limit": str(limit), "more": more, "container": name}
        case.add("out-of-memory/restarted", of=name, **words)
        return
    logs = commands.logs(case, pod, name, previous=True)
    case.add("restarted", of=name, status=str(last.get("exitCode")), logs=logs, **words)


def fell_to_another_user(case: Case, pod: Object, granted: str | None) -> bool:
    """Tell whether a pod runs as another user than the image's own, by another SCC than anyuid."""
    if granted:
        return granted != "anyuid"
    user = (pod["spec"].get("securityContext") or {}).get("runAsUser")
    asked_for = "runAsUser" in (case.template.get("securityContext") or {})
    return user is not None and user >= FIRST_OF_PROJECTS and not asked_for


def lost_anyuid(case: Case) -> None:
    """Find a pod that fell to restricted-v2, and so to a random user, without a word.

    anyuid allows no seccomp profile: a pod that sets one is admitted by another SCC."""
    if case.account != "anyuid":
        return
    holders = {"the pod": case.template, **case.containers}
    set_in = [
        name
        for name, holder in holders.items()
        if (holder.get("securityContext") or {}).get("seccompProfile")
    ]
    why = "Its security context asks for something that anyuid does not allow."
    if set_in:
        why = f"A seccompProfile is set in {', '.join(set_in)}, which anyuid does not allow."
    for pod in case.current:
        granted = pod["metadata"].get("annotations", {}).get("openshift.io/scc")
        if fell_to_another_user(case, pod, granted):
            case.add(
                "anyuid-lost",
                granted=f" (SCC {granted})" if granted else "",
                why=why,
                what_to_change="take out seccompProfile" if set_in else "an empty securityContext",
            )
            return
