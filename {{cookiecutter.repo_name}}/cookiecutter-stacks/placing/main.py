"""What the hook does, from top to bottom."""

from __future__ import annotations

import os
import sys
from typing import Any

from . import staging
from .origin import NAME as ORIGIN
from .origin import staged_origin
from .own_dockerfile import findings
from .project import Project
from .repository import Placed, Repository
from .shell import Shell, filled
from .steps import printed_steps
from .terminal import show


def main(context: dict[str, Any]) -> None:
    """Place the files and print the next steps; `context` is cookiecutter's.

    Exit status 1, with a sentence, where the disk is full or the user interrupts it.
    """
    try:
        place_and_print(Project(context))
    except (OSError, KeyboardInterrupt) as error:
        sys.exit(
            f"Not finished: {error or 'interrupted'}. Nothing of yours was changed. When that is "
            f"fixed, remove {staging.FOLDER} from {os.getcwd()} and run the same command again: "
            "it adds what is still missing."
        )


def place_and_print(project: Project) -> None:
    """Place the chosen files, remove what was staged, print what was done and the next steps."""
    repository = Repository.here(project.same)
    files = staging.chosen(project.parts)
    templates = staging.environment(project)
    staging.fill_in(files, templates)
    # Docker takes a file that is named dockerfile, too.
    refused = findings(project, repository.taken("Dockerfile"))
    origin = staged_origin(project, repository, files)
    placed = repository.place([*files, origin] if origin else files)
    shell = Shell.here()
    steps = printed_steps(templates, shell, repository, placed.added)
    staging.remove()
    said = said_of_files(repository, placed) + said_of_dockerfile(project, placed, refused)
    if not origin and not project.is_cruft:
        said += said_of_updates()
    show("\n".join([*said, steps]), shell)


def said_of_files(repository: Repository, placed: Placed) -> list[str]:
    """Give the lines on what was kept and what was added."""
    lines = []
    if placed.kept:
        lines += ["Kept, they are yours:", filled(" ".join(placed.kept))]
    if has_other_workflow(placed.kept):
        lines.append("Your publish.yml does not publish the image: rename it, run this again.")
    if not repository.was_empty:
        lines += ["Added:", filled(" ".join(placed.added) or "nothing"), ""]
    return lines


def has_other_workflow(kept: list[str]) -> bool:
    """Whether the user's own publish.yml does something else than the template's."""
    workflow = os.path.join(".github", "workflows", "publish.yml")
    if workflow not in kept or not os.path.isfile(workflow):
        return False
    with open(workflow, encoding="utf-8", errors="replace") as file:
        return "openshift/image.py" not in file.read()


def said_of_dockerfile(
    project: Project, placed: Placed, refused: list[tuple[str, str]]
) -> list[str]:
    """Give the lines on the user's Dockerfile, or on the one that is a start."""
    lines = []
    if refused:
        lines.append("In your Dockerfile, what the cluster may refuse:")
        lines += [filled(f"- {what}; {cure}") for what, cure in refused]
        lines.append("")
    if project.stack == "own-dockerfile" and "Dockerfile" in placed.added:
        lines += ["Dockerfile is a start: replace in it what its comments name.", ""]
    return lines


def said_of_updates() -> list[str]:
    """Give the lines on a repository that cannot be updated."""
    return [f"No {ORIGIN}, so no updates: no git address, or cookiecutter before 2.2.", ""]
