"""The file .cruft.json: what a repository was made from, where updates start."""

from __future__ import annotations

import json
import os
import re

from .project import Project
from .repository import Repository, git
from .selection import Selection
from .staging import FOLDER, StagedFile

NAME = ".cruft.json"


def staged_origin(
    project: Project, repository: Repository, selection: Selection
) -> StagedFile | None:
    """Stage .cruft.json in cruft's form, and give it.

    None where cruft writes it, where the manifests are the user's, or where the template's address
    or commit is not known: from a zip, from a local folder, by cookiecutter before 2.2.
    """
    clone = str(project.context.get("_repo_dir", ""))
    is_clone = clone != project.context["_template"] and os.path.isdir(clone + "/.git")
    if project.is_cruft or selection.manifests or not is_clone:
        return None
    address = public_address(git("-C", clone, "config", "remote.origin.url"))
    if not address.startswith("https://"):
        return None
    theirs = {file.target for file in selection.files if repository.taken(file.target)}
    not_ours = {path.replace(os.sep, "/") for path in theirs | selection.left_out}
    about = {
        "template": address,
        "checkout": project.context.get("_checkout"),
        "commit": git("-C", clone, "rev-parse", "HEAD"),
        "context": {"cookiecutter": project.answers},
        "skip": sorted(project.yours | not_ours),
    }
    with open(os.path.join(FOLDER, NAME), "w", encoding="utf-8", newline="") as file:
        file.write(json.dumps(about, ensure_ascii=False, indent=2) + "\n")
    return StagedFile(NAME, NAME)


def public_address(remote: str) -> str:
    """Give a remote's address with https, and without a user's name or token in it."""
    address = re.sub("^(ssh://)?git@([^:/]+)[:/]", r"https://\2/", remote)
    return re.sub("//[^/]*@", "//", address)
