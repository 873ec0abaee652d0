"""The project's network policies: whether they let anybody reach the application."""

from __future__ import annotations

import json

from dsri.doctor import commands
from dsri.doctor.case import Case
from dsri.doctor.facts import Objects
from dsri.doctor.objects import chosen, name_of
from dsri.kustomize import Object

INGRESS = {"policy-group.network.openshift.io/ingress": ""}  # OpenShift's label of the router


def fits(labels: dict[str, str], expression: Object) -> bool:
    """Tell whether labels fit one matchExpression (Kubernetes, Labels and Selectors)."""
    key, operator = expression["key"], expression["operator"]
    values = expression.get("values") or []
    if operator == "In":
        return bool(labels.get(key) in values)
    if operator == "NotIn":
        return bool(labels.get(key) not in values)
    return bool((key in labels) == (operator == "Exists"))


def is_chosen(labels: dict[str, str], selector: Object) -> bool:
    """Tell whether a NetworkPolicy's podSelector chooses pods with these labels."""
    if not chosen(labels, selector.get("matchLabels") or {}):
        return False
    return all(fits(labels, one) for one in selector.get("matchExpressions") or [])


def policies_over(case: Case, labels: dict[str, str]) -> Objects:
    """Return the policies that decide who may reach pods with these labels."""
    found = []
    for policy in case.facts.policies:
        spec = policy["spec"]
        is_about_ingress = "Ingress" in spec.get("policyTypes", ["Ingress"])
        if is_about_ingress and is_chosen(labels, spec.get("podSelector") or {}):
            found.append(policy)
    return found


def lets_in(policy: Object, is_routed: bool) -> bool:
    """Tell whether a policy lets anybody in: the router, where there is a Route."""
    for rule in policy["spec"].get("ingress") or []:
        peers = rule.get("from")
        if not peers or not is_routed:
            return True
        if any("namespaceSelector" in peer or "ipBlock" in peer for peer in peers):
            return True
    return False


def policies(case: Case, labels: dict[str, str], services: Objects) -> None:
    """Find policies that let nobody in: not the router, where there is a Route."""
    over = policies_over(case, labels)
    names = [name_of(service) for service in services]
    routes = case.facts.routes or []
    is_routed = any(route["spec"].get("to", {}).get("name") in names for route in routes)
    if not services or not over or any(lets_in(policy, is_routed) for policy in over):
        return
    peer: Object = {"podSelector": {}}
    if is_routed:
        peer = {"namespaceSelector": {"matchLabels": INGRESS}}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"{case.name}-reached"},
        "spec": {"podSelector": {"matchLabels": labels}, "ingress": [{"from": [peer]}]},
    }
    text = json.dumps(policy, separators=(",", ":"))
    allow = f"echo '{text}' | " + commands.for_cluster(case, "apply -f -")
    key = "network-policy/router" if is_routed else "network-policy/nobody"
    case.add(key, policies=", ".join(name_of(one) for one in over), allow=allow)
