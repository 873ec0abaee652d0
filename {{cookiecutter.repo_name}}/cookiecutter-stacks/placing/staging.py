"""The staging folder: which files are chosen, what they say once the answers are in them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .project import Project

FOLDER = "cookiecutter-stacks"
CARRIES_ANSWERS = ".j2"


@dataclass(frozen=True)
class StagedFile:
    """A file that waits for its place.

    `target` is its path in the repository, `source` its path in the staging folder; both have the
    separators of this system.
    """

    target: str
    source: str


def chosen(parts: list[str]) -> list[StagedFile]:
    """Give the files of these parts, sorted, one for each target: that of the last part wins."""
    found: dict[str, StagedFile] = {}
    for part in parts:
        top = os.path.join(FOLDER, part)
        for folder, _, names in os.walk(top):
            for name in names:
                source = os.path.join(part, os.path.relpath(os.path.join(folder, name), top))
                target = os.path.relpath(source, part)
                if target.endswith(CARRIES_ANSWERS):
                    target = target[: -len(CARRIES_ANSWERS)]
                found[target] = StagedFile(target, source)
    return [found[target] for target in sorted(found)]


def environment(
    project: Project, folder: str = FOLDER, kept: Mapping[str, str] = MappingProxyType({})
) -> Environment:
    """Give the Jinja environment of the `.j2` files, with the answers as `cookiecutter`.

    `kept` gives, for the template's name of a file, the user's own that stands for it.

    A file extends and includes another one by its path in the staging folder. A name that does not
    exist is an error. The answers are values, so nothing in them is rendered.
    """
    made = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        line_statement_prefix="#%",  # a comment in YAML, in Python and in a Dockerfile
        autoescape=False,  # noqa: S701 - no HTML is made from the answers
        optimized=False,  # each file is rendered once: optimising takes longer than it saves
    )
    made.globals.update(cookiecutter=project.context, kept=kept)
    return made


def fill_in(files: list[StagedFile], templates: Environment) -> None:
    """Put the answers into the files that carry some, where they are staged.

    All are rendered before one is written: a file may extend another one of them.
    """
    texts = {
        file.source: templates.get_template(file.source.replace(os.sep, "/")).render()
        for file in files
        if file.source.endswith(CARRIES_ANSWERS)
    }
    for source, text in texts.items():
        with open(os.path.join(FOLDER, source), "w", encoding="utf-8", newline="") as file:
            file.write(text)


def remove() -> None:
    """Remove the staging folder, and nothing else."""
    for folder, _, names in os.walk(FOLDER, topdown=False):
        for name in names:
            os.remove(os.path.join(folder, name))
        os.rmdir(folder)
