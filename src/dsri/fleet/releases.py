"""The template's releases and its history."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dsri.fleet.github import Client
from dsri.fleet.row import Row

Place = tuple["str | None", "int | None"]  # the version, how many releases it is behind


def version_key(tag: str) -> tuple[int, ...] | None:
    """Return a release's place among the others; None for another tag."""
    numbers = re.fullmatch(r"v(\d+)\.(\d+)\.(\d+)", tag)
    return tuple(map(int, numbers.groups())) if numbers else None


class Releases:
    """The template's releases: for a commit its version, and those that it has not got."""

    def __init__(self, client: Client, template: str) -> None:
        """Read the releases of a template, OWNER/NAME."""
        tags = {}
        for tag in client.pages(f"/repos/{template}/tags"):
            key = version_key(tag["name"])
            if key:
                tags[key] = (tag["name"], tag["commit"]["sha"])
        self.tags: dict[str, str] = dict(tags[key] for key in sorted(tags))  # oldest first
        self._history = client.pages(f"/repos/{template}/commits")
        self._parents: dict[str, list[str]] = {}
        self._ancestors: dict[str, set[str]] = {}

    @property
    def newest(self) -> str | None:
        """The newest release; None before the first one."""
        return next(reversed(self.tags), None)

    def _walk(self, wanted: Iterable[str]) -> None:
        """Read the history, newest first, until every commit in `wanted` was met."""
        missing = set(wanted) - set(self._parents)
        while missing:
            commit = next(self._history, None)
            if commit is None:
                return
            self._parents[commit["sha"]] = [parent["sha"] for parent in commit["parents"]]
            missing.discard(commit["sha"])

    def _with_ancestors(self, commit: str) -> set[str]:
        """Return a commit and all that it has in it, as far as they were read."""
        if commit not in self._ancestors:
            found: set[str] = set()
            left = [commit]
            while left:
                one = left.pop()
                if one not in found:
                    found.add(one)
                    left += self._parents.get(one, [])
            self._ancestors[commit] = found
        return self._ancestors[commit]

    def _between_releases(self, commit: str) -> Place:
        """Return the place of a commit that is no release."""
        newer = [tag for tag, sha in self.tags.items() if commit in self._with_ancestors(sha)]
        older = [tag for tag, sha in self.tags.items() if sha in self._with_ancestors(commit)]
        if older:
            return f"{older[-1]}+", len(newer)
        first = next(iter(self.tags), None)
        return (f"before {first}" if first else "unreleased"), len(newer)

    def places(self, commits: Iterable[str]) -> dict[str, Place]:
        """Return {commit: its place}; (None, None) for one that the history has not got."""
        wanted = set(commits)
        tagged = {sha: tag for tag, sha in self.tags.items()}
        if wanted - set(tagged):
            self._walk(wanted | set(tagged))
        versions = list(self.tags)
        found: dict[str, Place] = {}
        for commit in wanted:
            if commit in tagged:
                version = tagged[commit]
                found[commit] = version, len(versions) - 1 - versions.index(version)
            elif commit in self._parents:
                found[commit] = self._between_releases(commit)
            else:
                found[commit] = None, None
        return found


def urgency(row: Row) -> tuple[bool, bool, int, str]:
    """Return a row's place in the report: those that need somebody come first."""
    behind = row.behind or 0
    return not row.problem, row.update != "conflicting", -behind, row.repository.lower()


def report(rows: list[Row], releases: Releases) -> list[Row]:
    """Return the rows with version and distance, those that need somebody first."""
    places = releases.places(row.commit for row in rows if row.commit)
    for row in rows:
        row.version, row.behind = places.get(row.commit or "", (None, None))
        if row.commit and not row.version:
            row.problem = f"commit {row.commit[:7]} is not in the template's history"
    return sorted(rows, key=urgency)
