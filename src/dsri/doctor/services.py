"""The Services: whether they lead to the application's pods, at a port where it listens."""

from __future__ import annotations

from dataclasses import dataclass

from dsri.doctor import commands
from dsri.doctor.case import Case
from dsri.doctor.finding import Words
from dsri.doctor.objects import (
    chosen,
    is_settled,
    labels_of,
    name_of,
    named_ports,
    port_numbers,
    target_of,
    when,
)
from dsri.kustomize import Object
from dsri.ports import Port

# How many seconds a pod runs until what it listens on is taken for all; and where it is nothing.
LISTENS_AFTER, NOTHING_AFTER = 30, 120


def words_of(selector: dict[str, str], joint: str = ", ") -> str:
    """Return a selector in words, or with a comma alone in the words of a command."""
    return joint.join(f"{key}={value}" for key, value in selector.items())


def check_service(case: Case, service: Object, labels: dict[str, str]) -> None:
    """Find what is wrong with one Service."""
    selector = service["spec"].get("selector") or {}
    if not selector or not labels:
        return
    if not chosen(labels, selector):
        leads_nowhere(case, service, selector)
        return
    strangers = []
    for pod in case.facts.besides:
        if chosen(labels_of(pod), selector) and is_settled(pod):
            strangers.append(name_of(pod))
    if strangers:
        case.add(
            "service-shared",
            service=name_of(service),
            strangers=", ".join(strangers[:3]),
            selector=words_of(selector, ","),
        )
    for place, port in enumerate(service["spec"].get("ports") or []):
        ServicePort(case, service, place, port).check()


def leads_nowhere(case: Case, service: Object, selector: dict[str, str]) -> None:
    """Add that a Service chooses none of the application's pods."""
    name = name_of(service)
    own = ((case.workload or {}).get("spec", {}).get("selector") or {}).get("matchLabels")
    select = f"edit service {name}"
    if own:
        select = f"set selector service {name} {words_of(own, ',')}"
    case.add("service-no-pods", service=name, selector=words_of(selector), select=select)


@dataclass
class ServicePort:
    """One port of a Service that leads to the application's pods."""

    case: Case
    service: Object
    place: int  # among the Service's ports
    port: Object

    def __post_init__(self) -> None:
        """Look up what the port leads to, and what the pods listen on."""
        self.containers = list(self.case.containers.values())
        self.name = name_of(self.service)
        self.target = self.port.get("targetPort", self.port["port"])
        self.number = target_of(self.port, self.containers)
        self.listening = listens(self.case)
        self.open = sorted({one.number for one in self.listening or [] if not one.local})
        self.named = port_numbers(self.containers)

    def leads_to_silence(self) -> bool:
        """Tell whether it is known that nothing listens where the port leads."""
        is_headless = self.service["spec"].get("clusterIP") == "None"
        is_tcp = self.port.get("protocol", "TCP") == "TCP"
        is_open = not self.number or self.number in self.open
        return self.listening is not None and is_tcp and not is_headless and not is_open

    def is_not_named(self) -> bool:
        """Tell whether the port leads to one that the containers do not name.

        A container may listen on a port that it does not name, so this counts only where each
        container names some, and it is not known what they listen on."""
        if self.number is None:
            return self.target not in named_ports(self.containers)
        if self.listening or self.number in self.named:
            return False
        return all(one.get("ports") for one in self.case.template.get("containers", []))

    def check(self) -> None:
        """Find whether the port leads to where the application listens."""
        if not self.leads_to_silence():
            if self.is_not_named():
                self.add_wrong_port("service-port/not-named", nothing_listens=False)
        elif Port(self.number or 0, local=True) in (self.listening or []):
            self.case.add("wrong-port/local", port=self.number)
        elif not self.listening:
            pod, container = self.case.current[0], self.containers[-1]["name"]
            logs = commands.logs(self.case, pod, container)
            words: Words = {"service": self.name, "port": self.number, "logs": logs}
            self.case.add("wrong-port/no-port", **words)
        else:
            self.add_wrong_port("service-port/nothing-listens", nothing_listens=True)

    def better_ports(self) -> list[int]:
        """Return the ports that it could lead to instead."""
        both = [number for number in self.open if number in self.named]
        return both or self.open or self.named

    def another_port_works(self) -> bool:
        """Tell whether another port of the Service leads to where something listens."""
        ports = self.service["spec"].get("ports") or []
        return any(target_of(port, self.containers) in self.open for port in ports)

    def add_wrong_port(self, key: str, nothing_listens: bool) -> None:
        """Add that the port leads to a wrong one."""
        is_besides = nothing_listens and self.another_port_works()
        have = self.open or self.named
        verb = "listens on" if self.open else "has"
        why = f"It {verb} {', '.join(map(str, have))}." if have else "It names no port."
        self.case.add(
            key,
            of=f"{self.name}/{self.place}",
            warning=is_besides,
            service=self.name,
            target_port=str(self.target),
            why=why,
            lines=self.fix(nothing_listens, is_besides),
        )

    def fix(self, nothing_listens: bool, is_besides: bool) -> list[str]:
        """Return the lines that let the port lead to where the application listens."""
        case, better = self.case, self.better_ports()
        edit = commands.for_cluster(case, f"edit service {self.name}")
        if is_besides:
            number = self.port["port"]
            return [edit, f"there: take out the port {number}, if nothing is to listen there"]
        if case.expected and not nothing_listens:
            return ["in openshift/service.yaml: targetPort: http", *commands.apply(case)]
        if case.expected and better:
            change = commands.change(case, f"containerPort and PORT: {better[0]}")
            return [f"let the application listen on {self.number}, or:", *change]
        if len(better) == 1:
            path = f"/spec/ports/{self.place}/targetPort"
            patch = commands.list_argument([{"op": "replace", "path": path, "value": better[0]}])
            words = f"patch service {self.name} --type=json -p {patch}"
            return [commands.for_cluster(case, words)]
        return [edit, "there: targetPort: the number of the port that it listens on"]


def seconds_of_running(case: Case, pod: Object) -> float:
    """Return for how many seconds all containers of a pod have run; 0 where none does."""
    ages = []
    for _, status in case.statuses([pod]):
        began = when(status.get("state", {}).get("running", {}).get("startedAt"))
        if began:
            ages.append((case.now - began).total_seconds())
    return min(ages, default=0)


def listens(case: Case) -> list[Port] | None:
    """Return what a pod listens on that has been ready for a while.

    None where that is not known. An empty list is waited for longer."""
    for pod in case.current:
        age = seconds_of_running(case, pod)
        for key, ports in case.facts.ports.items():
            if ports is None or not key.startswith(f"{name_of(pod)}/") or not is_settled(pod):
                continue
            if age > (LISTENS_AFTER if ports else NOTHING_AFTER):
                return ports
    return None
