"""What a folder has already, and how staged files get to where nothing stands."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from .staging import FOLDER, StagedFile

ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")
FIXED = (
    *("-c", "color.ui=false", "-c", "column.ui=never", "-c", "core.fsmonitor=false"),
    *("-c", "core.quotePath=false", "-c", "diff.ignoreSubmodules=none", "-c", "core.pager=cat"),
)


def git(*words: str) -> str:
    """Give what git answers, without white space at the ends; "" where there is no git.

    It is only asked: no command changes anything. What a user has set changes no answer, and what
    a git hook has set (GIT_DIR and the like) leads to no other repository.
    """
    import subprocess  # noqa: PLC0415 - a new folder, the common case, does not need it

    env = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    env["GIT_OPTIONAL_LOCKS"] = "0"
    command = ["git", "--no-pager", *FIXED, *words]
    try:
        answer = subprocess.run(command, env=env, capture_output=True, check=False).stdout
    except OSError:
        return ""
    return answer.decode("utf-8", "surrogateescape").strip()


@dataclass(frozen=True)
class Placed:
    """What became of the staged files: paths that were added, and what stood in the way."""

    added: list[str]
    kept: list[str]


@dataclass(frozen=True)
class Repository:
    """The current folder, as it was before anything was placed in it.

    `was_empty` where it had not even a git directory. `hidden` are the paths that are in git but
    not here, because of a sparse checkout. `same` gives for a file's name the pattern of other
    names for the same thing. `has_files` where somebody's files or commits are there.
    """

    was_empty: bool
    hidden: frozenset[str]
    same: dict[str, str]
    has_files: bool = False

    @classmethod
    def here(cls, same: dict[str, str]) -> Repository:
        """Look at the current folder."""
        if set(os.listdir()) == {FOLDER}:
            return cls(True, frozenset(), same)
        entries = git("ls-files", "-t", "-z").split("\0")
        hidden = (os.path.normpath(entry[2:]) for entry in entries if entry.startswith("S "))
        has_files = bool(set(os.listdir()) - {FOLDER, ".git"}) or has_commits()
        return cls(False, frozenset(hidden), same, has_files)

    def taken(self, path: str) -> str | None:
        """Give what stands where `path` would go, or None.

        That is a file of its name in any case, another name for the same thing (the two would
        contradict each other), or a link or a file in place of one of its folders.
        """
        folder, name = os.path.split(path)
        obstacle = no_folder(folder)
        if obstacle:
            return obstacle
        same = self.same.get(name, "")
        for other in self.names_in(folder):
            if other.lower() == name.lower() or re.fullmatch(same, other, re.IGNORECASE):
                return os.path.join(folder, other)
        return None

    def kept_in_place_of(self, names: Iterable[str]) -> dict[str, str]:
        """Give, for each of these names whose place is taken, what stands there."""
        places = {name: self.taken(name) for name in names}
        return {name: place for name, place in places.items() if place}

    def names_in(self, folder: str) -> list[str]:
        """Give the names in a folder, sorted, with those that a sparse checkout leaves out."""
        names = os.listdir(folder or ".") if os.path.isdir(folder or ".") else []
        hidden = [os.path.basename(path) for path in self.hidden if os.path.dirname(path) == folder]
        return sorted(names + hidden)

    def place(self, files: list[StagedFile]) -> Placed:
        """Move staged files to where nothing stands."""
        added: list[str] = []
        kept: set[str] = set()
        for file in files:
            other = self.taken(file.target)
            if other:
                kept.add(other)
                continue
            os.makedirs(os.path.dirname(file.target) or ".", exist_ok=True)
            os.rename(os.path.join(FOLDER, file.source), file.target)
            added.append(file.target)
        return Placed(added, sorted(kept))


def has_commits() -> bool:
    """Whether the current branch of the repository in this folder has a commit."""
    return bool(git("rev-parse", "--verify", "--quiet", "HEAD"))


def no_folder(path: str) -> str | None:
    """Give the first step of `path` that is no folder of that name, or None.

    That is a link, a file, or a folder whose name has other capitals: Windows and macOS would take
    the two for one.
    """
    above = ""
    for step in path.split(os.sep) if path else []:
        here = os.path.join(above, step)
        if os.path.islink(here) or (os.path.lexists(here) and not os.path.isdir(here)):
            return here
        for name in os.listdir(above or "."):
            if name != step and name.lower() == step.lower():
                return os.path.join(above, name)
        if not os.path.isdir(here):
            return None
        above = here
    return None
