"""What is known of one repository."""

from __future__ import annotations

from dataclasses import dataclass

NO_ORIGIN = "no .cruft.json: not made by this template, or from a copy of it without git"
ANOTHER = "made by another template"
FOREIGN = (NO_ORIGIN, ANOTHER)


@dataclass
class Row:
    """A repository's row in the report. What cannot be read is told in its `problem`."""

    repository: str  # OWNER/NAME
    commit: str | None = None  # of the template, from which it was made
    update: str | None = None  # what became of its last update: open, conflicting, merged, closed
    pull_request: str | None = None  # its address
    problem: str | None = None
    version: str | None = None  # of the template
    behind: int | None = None  # how many releases
