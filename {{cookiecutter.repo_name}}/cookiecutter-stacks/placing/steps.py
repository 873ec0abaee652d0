"""The steps to a running pod, for one user's situation.

Their text is in the folder `steps`, from which openshift/README.md has them too.
"""

from __future__ import annotations

import os
import re

from jinja2 import Environment

from .project import Project
from .repository import Repository, git
from .shell import Shell

# A host of GitHub's, or one of ssh's names for it, such as github.com-work.
ON_GITHUB = r"(?im)(^|@|//)((www|ssh)\.)?github(\.com)?([-_][\w-]+)?[:/]"
BRANCH = "add-dsri"  # made where none is checked out


def printed_steps(
    project: Project,
    templates: Environment,
    shell: Shell,
    repository: Repository,
    added: list[str],
) -> str:
    """Give the steps as Markdown, a heading a step.

    `templates` is the environment of the staged files; `added` are the paths that were placed.
    """
    continues = not repository.was_empty and os.path.lexists(".git")
    remote = remote_to_push(project) if continues else ""
    first = [shell.command("cd", folder_to_enter())]
    if continues and is_detached():
        first.append(shell.command("git", "checkout", "-q", "-b", new_branch()))
    if continues and added:
        first += commit_commands(shell, repository, added)
    if remote:
        first.append(shell.command("git", "push", "-u", remote, "HEAD"))
    text = templates.get_template("steps/printed.md.j2").render(
        shell=shell.name,
        first=first,
        is_new=not continues,
        merge_into=branch_that_publishes(project, remote) if remote else "",
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


def remote_to_push(project: Project) -> str:
    """Give the remote to push to; "" where there is none.

    The answered repository's, or `origin` where that is a fork of it: one's own, whose changes get
    to the other one by a pull request. The first hook has seen that one of them fits.
    """
    names = sorted(git("remote").split(), key=lambda name: (name != "origin", name))
    on_github = [name for name in names if re.search(ON_GITHUB, addresses_of(name))]
    for name in on_github:
        if name == "origin" and leads_to(name, "[^/:]+", project.repo_name):
            return name
    for name in on_github or names:
        if leads_to(name, re.escape(project.github_owner), project.repo_name):
            return name
    return names[0] if names else ""


def addresses_of(remote: str) -> str:
    """Give where a push to a remote goes, as it is written and as git changes it; a line each."""
    written = git("config", "--get-all", f"remote.{remote}.pushurl")
    written = written or git("config", "--get-all", f"remote.{remote}.url")
    return written + "\n" + git("remote", "get-url", "--push", "--all", remote)


def leads_to(remote: str, owner: str, name: str) -> bool:
    """Whether a remote is this repository; `owner` is a pattern."""
    pattern = rf"(?im)(^|[/:]){owner}/{re.escape(name)}(\.git)?/?$"
    return bool(re.search(pattern, addresses_of(remote)))


def is_detached() -> bool:
    """Whether no branch is checked out, so that a push would not know where to go."""
    return not git("symbolic-ref", "--quiet", "HEAD")


def new_branch() -> str:
    """Give the name of a branch that does not exist."""
    name, number = BRANCH, 1
    while git("rev-parse", "--verify", "--quiet", "refs/heads/" + name):
        number += 1
        name = f"{BRANCH}-{number}"
    return name


def branch_that_publishes(project: Project, remote: str) -> str:
    """Give what the branch is to be merged into; "" where it publishes itself."""
    if not leads_to(remote, re.escape(project.github_owner), project.repo_name):
        return f"{project.github_owner}/{project.repo_name}"
    default = git("symbolic-ref", "--short", f"refs/remotes/{remote}/HEAD")
    if is_detached():
        return default.partition("/")[2] or "the default branch"
    if default in ("", remote + "/" + git("symbolic-ref", "--short", "HEAD")):
        return ""
    return default.partition("/")[2]


def said_of_git(repository: Repository) -> list[str]:
    """Give the sentences on a git repository of a kind that needs to be known about."""
    here = os.getcwd()
    if repository.was_empty or not os.path.lexists(".git"):
        return said_of_outer(os.path.dirname(here))
    said = []
    outer = git("rev-parse", "--show-superproject-working-tree")
    if outer:
        said.append(
            f"This is a submodule of {outer}: after the push, commit its new state there, too."
        )
    if git("rev-parse", "--is-shallow-repository") == "true":
        said.append(
            "This clone is shallow. That is enough for these steps; `git fetch --unshallow` "
            "gets the rest of the history, which updates need later."
        )
    return said


def said_of_outer(folder: str) -> list[str]:
    """Give the sentence on the git repository around a new one; none where it ignores that."""
    above = folder
    while not os.path.lexists(os.path.join(above, ".git")):
        if above == os.path.dirname(above):
            return []
        above = os.path.dirname(above)
    here = os.getcwd()
    top = git("-C", folder, "rev-parse", "--show-toplevel")
    if not top or git("-C", folder, "check-ignore", here):
        return []
    return [
        f"This folder is inside another git repository, {top}. Step 1 makes it a repository of its "
        "own, as GitHub runs only the workflows in a repository's top folder. To add the template "
        f"to {os.path.basename(top)} instead, remove this folder and generate into the other one: "
        f"`repo_name={os.path.basename(top)} -f -s`, beside it."
    ]
