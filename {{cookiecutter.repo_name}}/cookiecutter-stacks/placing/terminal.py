"""How the steps look on a terminal."""

from __future__ import annotations

import os
import re
import sys

from .shell import Shell

SCREEN = 44  # lines that the steps may take with empty lines between a heading and its commands


def show(text: str, shell: Shell) -> None:
    """Print Markdown so that any console can show it."""
    encoding = sys.stdout.encoding or "ascii"
    shown = plain(text, shell, is_colour(shell))
    print(shown.encode(encoding, "backslashreplace").decode(encoding))


def is_colour(shell: Shell) -> bool:
    """Whether the terminal shows bold print; Windows Terminal sets WT_SESSION."""
    if "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty():
        return False
    return shell.is_posix or "WT_SESSION" in os.environ


def plain(text: str, shell: Shell, colour: bool) -> str:
    """Give Markdown as a terminal shows it: headings without their signs, lines that fit."""
    text = "\n".join(map(shell.wrapped, text.splitlines()))
    heading = "\033[1m\\1\033[0m\n" if colour else r"\1\n"
    text = re.sub(r"(?m)^### (.*)\n*", heading, text)
    text = re.sub(r"\n\n(?=    )", "\n", text)
    is_long = text.rpartition("\n1. ")[2].count("\n") > SCREEN  # very long names make it so
    return text.replace("\n\n", "\n") if is_long else text
