"""What a finding is, and how one is made from its entry in the catalogue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Words = dict[str, Any]  # placeholder → a text, a number, or the list of lines that it stands for


@dataclass
class Finding:
    """One thing that is wrong, as it is shown."""

    name: str
    what: str
    why: str = ""
    fix: list[str] = field(default_factory=list)  # commands, and sentences for people
    says: list[str] = field(default_factory=list)  # what the cluster or a log says
    warning: bool = False


@dataclass(frozen=True)
class Entry:
    """What the catalogue has of a finding.

    `{name}` in a text is a placeholder. A line of `fix` that begins with `$ ` is a command for the
    cluster; one that is a placeholder alone stands for a list of lines. `fix_in_repository` goes
    before `fix` where the application's own manifests are here. `change` is what to change in the
    workload's manifest, and `command` the command that does it without the manifest; together they
    make the lines of `{change}`, which is the `fix` where there is no other."""

    what: str
    why: str = ""
    fix: tuple[str, ...] = ()
    fix_in_repository: tuple[str, ...] = ()
    change: str = ""
    command: str = ""
    warning: bool = False


def fill(text: str, words: Mapping[str, Any]) -> str:
    """Return a text with its placeholders replaced; KeyError for an unknown one."""
    return re.sub(r"\{([a-z_]+)\}", lambda match: str(words[match[1]]), text)
