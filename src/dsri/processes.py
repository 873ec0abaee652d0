"""Runs the tools that this asks: oc, kubectl, docker, gh."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

NOT_THERE = 127  # a shell's exit status for a command that it does not find


@dataclass
class Done:
    """What a command came to."""

    status: int
    output: str
    error: str = ""


def run(*command: str, text: str = "", seconds: float | None = None, merged: bool = False) -> Done:
    """Run a command and return its exit status and what it said.

    `text` is its whole input: without one, a tool could ask in the terminal and wait. With
    `merged`, its error output stands in `output`, in the order in which it was written. A command
    that is not there, or takes longer than `seconds`, has the status NOT_THERE.
    """
    try:
        done = subprocess.run(
            command,
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Done(NOT_THERE, "", str(error))
    return Done(done.returncode, done.stdout, done.stderr or "")


def written_by(*command: str) -> bytes | None:
    """Run a command and return what it wrote, byte for byte; None where it failed."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except OSError:
        return None
    return None if done.returncode else done.stdout
