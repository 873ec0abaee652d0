"""What in a Dockerfile that was there would not run on the cluster."""

from __future__ import annotations

import os

from .project import Project
from .staging import FOLDER


def findings(project: Project, dockerfile: str | None) -> list[tuple[str, str]]:
    """Give (what is wrong, what to do about it) for the Dockerfile at a path; none without one."""
    if not dockerfile or not os.path.isfile(dockerfile):
        return []
    import runpy  # noqa: PLC0415 - a new folder, the common case, does not need it

    reader = runpy.run_path(os.path.join(FOLDER, "every", "openshift", "image.py"))
    with open(dockerfile, encoding="utf-8", errors="replace") as file:
        found = reader["findings"](file.read(), project.port, project.runs_as_any_user)
    return list(found)
