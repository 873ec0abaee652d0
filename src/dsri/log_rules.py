"""What a container's log says of the rule of the cluster that the container broke."""

from __future__ import annotations

import re

REFUSED = r"(permission denied|EACCES|errno 13)"
# Words of their own: not a part of another word, nor of a path (`/app/import.sh`).
LISTENS = r"(?<![\w/-])(bind|binding|listen|listening|port)(?![\w/-]|\.\w)"
ADDRESS = r"(?<!\w)([\d.]+|\[[\da-f:]*\]|\*|localhost)?:\d{2,3}\b"

# The rule → how a log says that it was broken. Where several fit, the first one counts.
SIGNS = {
    "no-space": r"no space left|ENOSPC|errno 28",
    "read-only": (
        r"read-only file system|EROFS|errno 30"
        r"|unable to open database file|readonly database"
    ),
    "low-port": (
        rf"({LISTENS}|createTcp|connection to \()[^\n]*{REFUSED}"
        r"|\.bind\(([^\n]*\n){1,2}[^\n]*permission denied"
        rf"|permission denied[^\n]*({LISTENS}|{ADDRESS})"
        rf"|PermissionError[^\n]*\n?[^\n]*{LISTENS}"
    ),
    "needs-root": (
        r"must be run as root|(need|require)s? root|not root|run (it |this )?as root"
        r"|setuid|setgid|chown"
    ),
    "not-permitted": r"operation not permitted|EPERM",
    "denied": rf"{REFUSED}|PermissionError|AccessDenied|cannot (open|create|write)",
    "exec-format": r"exec format error",
    "user-name": (
        r"getpw(?!nam)|get_passwd|no username set|uid not found"
        r"|user (exists )?for (uid|user id)|name for user id"
    ),
    "other-service": (
        r"connection refused|ECONNREFUSED|name or service not known|name resolution"
        r"|(translate|resolve) host|getaddrinfo|UnknownHost|no such host"
    ),
    "not-found": r"no such file or directory|not found",
}


def says(log: str, rule: str) -> bool:
    """Tell whether a log says that this rule of SIGNS was broken."""
    return bool(re.search(SIGNS[rule], log, re.IGNORECASE))


def broken_rule(log: str) -> str:
    """Return the first rule of SIGNS that a log says was broken; "" where it says none."""
    for rule in SIGNS:
        if says(log, rule):
            return rule
    return ""
