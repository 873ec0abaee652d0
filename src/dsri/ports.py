"""The ports that a container listens on, as the Linux kernel lists them."""

from __future__ import annotations

from typing import NamedTuple

# proc(5), /proc/net/tcp: the state LISTEN, and 127.0.0.1 and ::1 in the kernel's byte order.
STATE = 3  # the column
LISTEN = "0A"
LOOPBACK = ("0100007F", "00000000000000000000000001000000")
TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


class Port(NamedTuple):
    """A port that is listened on; a `local` one is reached from the same pod only."""

    number: int
    local: bool


def listening_ports(text: str) -> list[Port]:
    """Return the ports that are listened on, in order, out of the text of TABLES."""
    found = set()
    for line in text.splitlines():
        fields = line.split()
        if len(fields) > STATE and fields[STATE] == LISTEN:
            address, _, port = fields[1].partition(":")
            found.add(Port(int(port, 16), address in LOOPBACK))
    return sorted(found)
