"""What in a Dockerfile that was there would not run on the cluster."""

from __future__ import annotations

import os

from .project import Project


def findings(project: Project, path: str | None) -> list[tuple[str, str]]:
    """Give (what is wrong, what to do about it) for the Dockerfile at a path; none without one."""
    if not path or not os.path.isfile(path):
        return []
    from . import dockerfile as reader  # noqa: PLC0415 - a new folder, the common case, needs none

    with open(path, encoding="utf-8", errors="replace") as file:
        return reader.findings(file.read(), project.port, project.runs_as_any_user)
