"""Kubernetes quantities: `500m`, `1Gi`, `2e3`."""

import re

DECIMAL_UNITS = "kMGTPE"
BINARY_UNITS = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def amount(quantity: object) -> float:
    """Return a Kubernetes quantity as a number: bytes of memory, cores of CPU, or a plain count.

    The form is that of k8s.io/apimachinery, resource.Quantity: a number, then a decimal unit, a
    binary unit, `m` for a thousandth, or a decimal exponent. ValueError where it has no such form.
    """
    match = re.fullmatch(r"\+?([0-9.]+)([eE][+-]?[0-9]+|[A-Za-z]*)", str(quantity))
    if not match:
        raise ValueError(f"{quantity!r} is not a Kubernetes quantity")
    number, unit = match.groups()
    if unit == "":
        return float(number)
    if unit == "m":
        return float(number) / 1000
    if unit in BINARY_UNITS:
        return float(number) * 1024.0 ** (BINARY_UNITS.index(unit) + 1)
    if unit in DECIMAL_UNITS:
        return float(number) * 1000.0 ** (DECIMAL_UNITS.index(unit) + 1)
    return float(number + unit)


def bytes_of(quantity: object) -> int:
    """Return a Kubernetes quantity in whole bytes, rounded down. ValueError as for `amount`."""
    return int(amount(quantity))
