"""The user's shell: how it wants words quoted and long commands continued."""

from __future__ import annotations

import os
import re
import shlex
import textwrap
from dataclasses import dataclass

WIDTH = 80  # columns of a terminal
INDENT = "  "
COMMAND_INDENT = "    "


@dataclass(frozen=True)
class Shell:
    """A POSIX shell, or PowerShell; `is_windows`: its paths have backslashes."""

    is_posix: bool
    is_windows: bool = False

    @classmethod
    def here(cls) -> Shell:
        """Give the shell that this was probably started from; Git Bash sets MSYSTEM."""
        is_windows = os.name == "nt"
        return cls(not is_windows or "MSYSTEM" in os.environ, is_windows)

    @property
    def name(self) -> str:
        """The name by which the steps' templates know it."""
        return "posix" if self.is_posix else "powershell"

    def command(self, *words: str) -> str:
        """Give a command's line, each word quoted where this shell would read something in it."""
        return " ".join(map(self.quoted, words))

    def quoted(self, word: str) -> str:
        """Give a word as this shell takes it for one word."""
        if self.is_posix:
            return shlex.quote(word.replace("\\", "/") if self.is_windows else word)
        if re.fullmatch(r"-?[\w/:\\][\w./:\\-]*", word, re.ASCII):
            return word
        return "'" + word.replace("'", "''") + "'"

    def wrapped(self, line: str) -> str:
        """Give a line as lines of at most 80 columns, but for addresses.

        A command, which is indented by four, is continued as this shell continues one.
        """
        if len(line) <= WIDTH or " https://" in line:
            return line
        if not line.startswith(COMMAND_INDENT):
            return filled(line.strip())
        indent = line[: len(line) - len(line.lstrip())]
        words = re.findall(r"""(?:[^\s"']|"[^"]*"|'[^']*')+""", line)
        # A quoted word is not broken at its spaces.
        unbroken = " ".join(word.replace(" ", "\0") for word in words)
        lines = wrapped_lines(unbroken, indent, indent + INDENT)
        return (" \\\n" if self.is_posix else " `\n").join(lines).replace("\0", " ")


def filled(text: str) -> str:
    """Give text as lines that are indented by two and fit the terminal."""
    return "\n".join(wrapped_lines(text, INDENT, INDENT))


def wrapped_lines(text: str, first: str, later: str) -> list[str]:
    """Break text at its spaces, `first` and `later` being what the lines begin with.

    Two columns stay free, for what continues a command.
    """
    return textwrap.wrap(
        text,
        width=WIDTH - 2,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )
