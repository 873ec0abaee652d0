"""The steps to a running pod, for one user's situation.

Their text is in the folder `steps`, from which openshift/README.md has them too.
"""

from __future__ import annotations

import os

from jinja2 import Environment

from .repository import Repository, git
from .shell import Shell


def printed_steps(
    templates: Environment, shell: Shell, repository: Repository, added: list[str]
) -> str:
    """Give the steps as Markdown, a heading a step.

    `templates` is the environment of the staged files; `added` are the paths that were placed.
    """
    continues = not repository.was_empty and os.path.lexists(".git")
    remote = first_remote() if continues else ""
    first = [shell.command("cd", folder_to_enter())]
    if continues and added:
        first += commit_commands(shell, repository, added)
    if remote:
        first.append(shell.command("git", "push", "-u", remote, "HEAD"))
    text = templates.get_template("steps/printed.md.j2").render(
        shell=shell.name,
        first=first,
        is_new=not continues,
        merge_into=branch_that_publishes(remote) if remote else "",
        ways=[] if remote else [way_to_github()],
        has_gh=has_gh(),
    )
    return text.rstrip("\n")


def way_to_github() -> str:
    """Give the way by which the repository gets to GitHub, as the steps' templates name it."""
    return "gh" if has_gh() else "browser"


def has_gh() -> bool:
    """Whether GitHub's command line is installed."""
    # Not shutil.which: that import costs more than the rest of this module.
    name = "gh.exe" if os.name == "nt" else "gh"
    return any(os.access(os.path.join(folder, name), os.X_OK) for folder in os.get_exec_path())


def folder_to_enter() -> str:
    """Give what `cd` takes: the repository's name where the shell is beside it, else its path."""
    start, folder = os.path.split(os.getcwd())
    is_beside = os.path.realpath(os.environ.get("PWD", "")) == os.path.realpath(start)
    return folder if is_beside else os.getcwd()


def commit_commands(shell: Shell, repository: Repository, added: list[str]) -> list[str]:
    """Give the commands that commit what was added; what the user has staged stays staged."""
    sparse = ["--sparse"] if repository.hidden else []
    only = ["--", *added] if git("diff", "--cached", "--name-only", "--no-ext-diff") else []
    return [
        shell.command("git", "add", "-f", *sparse, "--", *added),
        shell.command("git", "commit", "-q", "-m", "Start from cookiecutter-dsri", *only),
    ]


def first_remote() -> str:
    """Give the remote `origin`, or else the first one; "" where there is none."""
    remotes = git("remote").split()
    if "origin" in remotes:
        return "origin"
    return min(remotes, default="")


def branch_that_publishes(remote: str) -> str:
    """Give the remote's default branch; "" where it is the current one, or is not known."""
    default = git("symbolic-ref", "--short", f"refs/remotes/{remote}/HEAD")
    if default in ("", remote + "/" + git("branch", "--show-current")):
        return ""
    return default.partition("/")[2]
