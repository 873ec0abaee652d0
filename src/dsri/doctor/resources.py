"""The requests and limits of containers, against what DSRI asks for and allows."""

from __future__ import annotations

from collections.abc import Callable

from dsri.doctor import commands
from dsri.doctor.case import Case
from dsri.kustomize import Object
from dsri.quantities import amount

Amounts = dict[str, dict[str, str]]  # requests or limits → cpu, memory, … → quantity
Choice = Callable[[Object, str, str], bool]  # whether an amount of a container is meant

PARTS = ("requests", "limits")
KINDS = ("cpu", "memory", "ephemeral-storage")
# What DSRI's admission allows a container at most.
MAXIMA: Amounts = {
    "limits": {"cpu": "128", "memory": "512Gi", "ephemeral-storage": "50Gi"},
    "requests": {"cpu": "32", "memory": "128Gi"},
}
DEFAULTS: Amounts = {
    "requests": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "256Mi"},
    "limits": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"},
}


def quantity_in(container: Object, part: str, kind: str) -> object:
    """Return the quantity that a container has; None where it has none."""
    return (container.get("resources", {}).get(part) or {}).get(kind)


def number_in(container: Object, part: str, kind: str) -> float:
    """Return the amount that a container has as a number; 0 where it has none."""
    try:
        return amount(quantity_in(container, part, kind) or 0)
    except ValueError:
        return 0.0


def lacks(container: Object, part: str, kind: str) -> bool:
    """Tell whether a container leaves out an amount that DSRI asks for.

    A limit stands for a request, too (Kubernetes, Resource Management for Pods)."""
    if quantity_in(container, part, kind) is not None:
        return False
    return part == "limits" or quantity_in(container, "limits", kind) is None


def exceeds(container: Object, part: str, kind: str) -> bool:
    """Tell whether an amount of a container is above DSRI's maximum."""
    return number_in(container, part, kind) > amount(MAXIMA[part][kind])


def lacking(case: Case) -> list[str]:
    """Return the amounts that containers leave out, in words."""
    found = []
    for name, container in case.containers.items():
        where = f" ({name})" if len(case.containers) > 1 else ""
        for part in PARTS:
            for kind in KINDS:
                if lacks(container, part, kind):
                    found.append(f"{part}.{kind}{where}")
    return found


def too_much(case: Case) -> list[str]:
    """Return the amounts that are above DSRI's maxima, in words."""
    found = []
    for container in case.containers.values():
        for part, kinds in MAXIMA.items():
            for kind, most in kinds.items():
                if exceeds(container, part, kind):
                    given = quantity_in(container, part, kind)
                    found.append(f"{part}.{kind} is {given}, at most {most}")
    return found


def options_of(container: Object, amounts: Amounts, is_meant: Choice) -> str:
    """Return the options of `set resources` for one container."""
    options = []
    for part, kinds in amounts.items():
        values = [f"{k}={most}" for k, most in kinds.items() if is_meant(container, part, k)]
        if values:
            options.append(f"--{part}={','.join(values)}")
    return " ".join(options)


def set_resources(case: Case, amounts: Amounts, is_meant: Choice) -> str:
    """Return the words of `set resources`; "" where one command is not enough."""
    found = []
    for name, container in case.containers.items():
        options = options_of(container, amounts, is_meant)
        if options:
            found.append(f"{commands.option_for(case, name)} {options}")
    return f"set resources {case.target}{found[0]}" if len(found) == 1 else ""


def doubled(limit: object) -> str:
    """Return twice a limit of memory or storage, in its own unit; 2Gi where there is none."""
    text = str(limit or "")
    number = text.rstrip("kKMGTPEim")
    if not number.isdigit():
        return "2Gi"
    return f"{int(number) * 2}{text[len(number) :]}"
