"""What can be seen of containers that are still starting: no verdict yet, but a first word."""

from __future__ import annotations

from dataclasses import dataclass, field

from dsri.doctor.case import Case
from dsri.doctor.hide import tail
from dsri.doctor.running import Running
from dsri.kustomize import Object
from dsri.ports import Port


@dataclass
class Seen:
    """What can be seen so far, in sentences, in others' words, and what to do if it stays so."""

    sentences: list[str] = field(default_factory=list)
    says: list[str] = field(default_factory=list)
    fix: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All sentences, marked as not final."""
        if not self.sentences:
            return "So far, and not final:" if self.says else ""
        return f"So far, and not final: {' '.join(self.sentences)}"


def look_at_ports(seen: Seen, container: Running, subject: str) -> None:
    """Note on which port a container listens, and which one its probe asks."""
    ports, asked = container.ports, container.port
    if ports is None or asked is None:
        return
    if Port(asked, local=False) in ports:
        seen.sentences.append(f"{subject} listens on {asked}, which its probe asks.")
    elif Port(asked, local=True) in ports:
        seen.sentences.append(f"{subject} listens on 127.0.0.1:{asked} only, where no probe gets.")
        seen.fix.append("if it stays so: let the application listen on 0.0.0.0")
    elif ports:
        numbers = sorted({port.number for port in ports})
        listed = ", ".join(map(str, numbers))
        seen.sentences.append(f"{subject} listens on {listed}; its probe asks {asked}.")
        seen.fix.append(
            f"if it stays so: let the application listen on {asked}, or set containerPort and PORT "
            f"to {numbers[0]}"
        )
    else:
        seen.sentences.append(f"{subject} listens on no port yet; its probe asks {asked}.")


def look_at(case: Case, seen: Seen, pod: Object, status: Object) -> None:
    """Note what can be seen of one container that is not ready."""
    name = status["name"]
    subject = f"The container {name}" if len(case.containers) > 1 else "It"
    state = status.get("state", {})
    waits_for = state.get("waiting", {}).get("reason")
    if waits_for:
        seen.sentences.append(f"{subject} waits: {waits_for}.")
    if "running" not in state:
        return
    container = Running(case, pod, status)
    look_at_ports(seen, container, subject)
    seen.says += container.said
    seen.says += tail(case.log(pod, name), case.known_secrets, 1)


def seen_so_far(case: Case) -> Seen:
    """Return what can be seen of the containers that are starting, of each once."""
    seen = Seen()
    names = set()
    for pod, status in case.statuses(case.broken):
        if not status.get("ready") and status["name"] not in names:
            names.add(status["name"])
            look_at(case, seen, pod, status)
    return seen
