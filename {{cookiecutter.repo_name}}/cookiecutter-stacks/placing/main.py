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
from .selection import MANIFESTS, Selection, select
from .shell import Shell, filled
from .steps import printed_steps, said_of_git
from .terminal import show

SAID_OF = ("CITATION.cff", "LICENSE")  # files that other files name


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
    templates = staging.environment(project, kept=repository.kept_in_place_of(SAID_OF))
    staging.fill_in(files, templates)
    selection = select(files, repository)
    # Docker takes a file that is named dockerfile, too.
    refused = findings(project, repository.taken("Dockerfile"))
    origin = staged_origin(project, repository, selection)
    placed = repository.place([*selection.files, origin] if origin else selection.files)
    shell = Shell.here()
    said = [*said_of_files(repository, placed), *said_of_dockerfile(project, placed, refused)]
    if selection.manifests:
        said += said_of_manifests(selection)
    else:
        if not origin and not project.is_cruft:
            said += said_of_updates()
        for sentence in said_of_git(repository):
            said += [filled(sentence), ""]
        said.append(printed_steps(project, templates, shell, repository, placed.added))
    staging.remove()
    show("\n".join(said), shell)


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


def said_of_manifests(selection: Selection) -> list[str]:
    """Give the lines on the user's own manifests, which the template's would not fit."""
    reason = (
        f"The template's files in {MANIFESTS}/ only work together, and what is listed here is "
        "yours. So none of them was added, nor what needs them: the workflows, a README.md, the "
        "record for updates. No steps are printed, as they are about those files."
    )
    remedy = (
        f"To have them, rename what is listed (or the folder {MANIFESTS}), commit that, and run "
        "the same command again. Then carry over what you need from your files, such as "
        "environment variables and resources; nothing applies both."
    )
    listed = filled(" ".join(selection.manifests))
    return [
        f"Your own manifests are in the way in {MANIFESTS}/:",
        listed,
        filled(reason),
        "",
        filled(remedy),
    ]


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
