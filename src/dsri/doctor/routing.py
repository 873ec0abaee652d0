"""The way to the application: its Services, Routes and network policies."""

from __future__ import annotations

import difflib

from dsri.doctor import commands
from dsri.doctor.case import Case
from dsri.doctor.facts import Objects
from dsri.doctor.finding import Words
from dsri.doctor.objects import condition, labels_of, leading, name_of, pod_of, port_numbers, when
from dsri.doctor.policies import policies
from dsri.doctor.services import check_service
from dsri.kustomize import Object

HOST_GIVEN_AFTER = 10  # seconds


def missing_objects(case: Case) -> None:
    """Find Services and Routes of the manifests that are not there."""
    if not case.workload or not case.expected:
        return
    there = {"Service": case.facts.services, "Route": case.facts.routes}
    for kind, name in case.expected.objects:
        have = there.get(kind)
        if have is not None and name not in [name_of(item) for item in have]:
            case.add("object-missing", object_kind=kind, object=name)


def own_services(case: Case, labels: dict[str, str]) -> Objects:
    """Return the Services that lead to the application, or are meant to.

    Meant for it is one of its name, and one that a Route of its name leads to."""
    if case.is_run:
        return []
    services = case.facts.services or []
    meant = {case.name}
    for route in case.facts.routes or []:
        if name_of(route) == case.name:
            meant.add(route["spec"].get("to", {}).get("name"))
    found = leading(services, labels)
    return found + [one for one in services if name_of(one) in meant and one not in found]


def network(case: Case) -> None:
    """Find what is wrong on the way from the router to the pods."""
    missing_objects(case)
    labels = labels_of(pod_of(case.workload))
    services = own_services(case, labels)
    for service in services:
        check_service(case, service, labels)
    policies(case, labels, services)
    for route in case.facts.routes or []:
        check_route(case, route, services)


class WayIn:
    """A Route of the application's name, or to a Service that leads to the application."""

    def __init__(self, case: Case, route: Object, services: Objects) -> None:
        """Take a Route, and the Services that lead to the application."""
        self.case = case
        self.route = route
        self.services = services
        self.name = name_of(route)
        self.to: str = route["spec"].get("to", {}).get("name") or ""
        self.ours = [name_of(service) for service in services]
        self.all = {name_of(service): service for service in case.facts.services or []}
        self.service = self.all.get(self.to)

    def meant(self) -> list[str]:
        """Return the Service that a Route to one that is not there is meant for, by its name."""
        if self.service:
            return []
        return difflib.get_close_matches(self.to, self.ours, 1, 0.8)

    def is_ours(self) -> bool:
        """Tell whether the Route is the application's."""
        return self.name == self.case.name or self.to in self.ours or bool(self.meant())

    def check(self) -> None:
        """Find what is wrong with the Route."""
        if self.case.facts.services is not None and not self.service:
            self.leads_nowhere()
        elif self.service:
            self.check_port(self.service)
        self.check_admission()

    def leads_nowhere(self) -> None:
        """Add that the Route's Service is not there."""
        case = self.case
        numbers = port_numbers(case.containers.values())
        port = numbers[0] if numbers else "PORT"
        lead = f"expose {case.kind.lower()} {case.name} --name={self.to} --port=80"
        lead += f" --target-port={port}"
        if self.services:
            to = {"name": (self.meant() or self.ours)[0]}
            patch = commands.patch_argument("spec", {"to": to})
            lead = f"patch route {self.name} --type=merge -p {patch}"
        case.add("route-service", route=self.name, service=self.to, lead=lead)

    def check_port(self, service: Object) -> None:
        """Find a port of the Route that its Service does not have."""
        target = self.route["spec"].get("port", {}).get("targetPort")
        ports = service["spec"].get("ports") or []
        known = []
        for port in ports:
            known += [port.get("name"), port["port"], port.get("targetPort")]
        if target is None or target in known:
            return
        have = [port.get("name", port["port"]) for port in ports]
        port = {"targetPort": have[0]} if have else {}
        patch = commands.patch_argument("spec", {"port": port})
        self.case.add(
            "service-port/route",
            of=f"route/{self.name}",
            route=self.name,
            target_port=str(target),
            service=self.to,
            have=", ".join(map(str, have)),
            patch=patch,
        )

    def check_admission(self) -> None:
        """Find a Route that the router refuses, or that has no host."""
        admitted = []
        for ingress in self.route.get("status", {}).get("ingress") or []:
            found = condition({"status": ingress}, "Admitted")
            if found:
                admitted.append(found)
        refusals = [one for one in admitted if one["status"] == "False"]
        words: Words = {"route": self.name, "service": self.to}
        if refusals and len(refusals) == len(admitted):
            reason = refusals[0].get("reason")
            is_taken = reason == "HostAlreadyClaimed"
            key = "route-refused/taken" if is_taken else "route-refused/other"
            says = self.case.say(refusals[0].get("message"))
            self.case.add(key, says, reason=str(reason), **words)
            return
        made = when(self.route["metadata"].get("creationTimestamp")) or self.case.now
        age = (self.case.now - made).total_seconds()
        if not self.route["spec"].get("host") and age > HOST_GIVEN_AFTER:
            self.case.add("route-no-host", **words)


def check_route(case: Case, route: Object, services: Objects) -> None:
    """Find what is wrong with a Route, if it is the application's."""
    way = WayIn(case, route, services)
    if way.is_ours():
        way.check()
