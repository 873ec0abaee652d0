"""What a container's log says of the rule of the cluster that the container broke."""

from __future__ import annotations

import re

REFUSED = r"(permission denied|\bEACCES\b|errno 13\b)"
# Words of their own: not a part of another word, nor of a path (`/app/import.sh`, `bind mount`).
OWN_WORD = r"(?<![\w/.\\-])"
LISTENS = OWN_WORD + r"(bind|binding|listen|listening|make_sock)(?![\w/\\-]|\.\w| mount)"
LOW = r"\d{1,3}(?![\d:])"  # a port below 1000, and no part of a time or of another number
PORT = rf"{OWN_WORD}(privileged port|port[ :=#]{{1,3}}{LOW})"
HOST = r"((?<![\w.])(\d+(\.\d+){3}|\*|localhost)|\[[\da-f:]*\]|(?<![\w:.\])]))"
PAIR = rf"\('[^'\n]*', {LOW}\)"  # as Python writes an address
SAME_LINE = r"[^\n]{0,200}"  # bounded, as a line may be a whole file
LISTENING = rf"({LISTENS}|createTcp|{PORT}|{HOST}:{LOW}|{PAIR})"

# The rule → how a log says that it was broken. Where several fit, the first one counts.
SIGNS = {
    "no-space": r"no space left|\bENOSPC\b|errno 28\b",
    "read-only": (
        r"read-only file system|\bEROFS\b|errno 30\b"
        r"|unable to open database file|readonly database"
    ),
    "low-port": (
        rf"{LISTENING}{SAME_LINE}{REFUSED}|{REFUSED}{SAME_LINE}{LISTENING}"
        # The next lines of a traceback: Python's, Java's; and gunicorn, which gives no reason.
        r"|\.bind\(([^\n]*\n){1,2}[^\n]*permission denied"
        rf"|{REFUSED}{SAME_LINE}\n\s*at {SAME_LINE}\.(bind|listen)"
        rf"|can't connect to {PAIR}"
    ),
    "needs-root": (
        r"must be run as root|(need|require)s? root\b|\bnot root\b|run (it |this )?as root\b"
        r"|(?<![\w/-])(set[ug]id|[fl]?chown)(?![\w/-]|\.\w)"
    ),
    "not-permitted": r"operation not permitted|\bEPERM\b",
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
