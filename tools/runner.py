"""Whether GitHub's runner still has what the workflows need.

GitHub publishes a list of the software in each image that it runs. The needs stand in
tools/runner.yaml: tools/pins.py compares them with the list of today, the tests with what the list
said at the date in that file.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from dsri.fleet.github import Client

NEEDS = Path(__file__).with_name("runner.yaml")
# github.com/actions/runner-images: README.md has a row for each image, with its labels and a link
# to its list.
REPOSITORY = "actions/runner-images"


@dataclass(frozen=True)
class Program:
    """A program that the workflows call. Versions are as it prints them, such as 29.4.2."""

    name: str
    listed: str  # its name in GitHub's list
    oldest: str  # the oldest version with which the workflows were seen to work
    had: str  # the version in the list at the date in tools/runner.yaml


@dataclass(frozen=True)
class Needs:
    """The label in `runs-on`, and the programs that are expected behind it."""

    label: str
    programs: tuple[Program, ...]


class Changed(Exception):
    """GitHub's list is not where it was, or has another form; the text says what was not found."""


def needs() -> Needs:
    """Return what tools/runner.yaml says."""
    read = yaml.safe_load(NEEDS.read_text(encoding="utf-8"))
    programs = tuple(Program(name, **about) for name, about in read["programs"].items())
    return Needs(read["label"], programs)


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers at a version's start: 8.18.0-1ubuntu2.3 gives (8, 18, 0)."""
    start = re.match(r"\d+(?:\.\d+)*", version)[0]
    return tuple(int(part) for part in start.split("."))


def is_old(version: str, oldest: str) -> bool:
    """Tell whether `version` is older than `oldest`, by their numbers."""
    return numbers(version) < numbers(oldest)


def list_path(readme: str, label: str) -> str:
    """Return the path, in GitHub's repository, of the list of the image behind a label.

    `readme` is the text of that repository's README.md. Raises Changed where it has no row for the
    label, or no link in that row.
    """
    rows = [line for line in readme.splitlines() if line.startswith("|") and f"`{label}`" in line]
    if not rows:
        raise Changed(f"{REPOSITORY} names no image for {label}")
    link = re.search(r"\[([^\]]+)\]\s*\|\s*$", rows[0])
    target = link and re.search(rf"(?m)^\[{re.escape(link[1])}\]:.*/blob/[^/]+/(\S+)$", readme)
    if not target:
        raise Changed(f"{REPOSITORY} has no link to the list of {label}'s image")
    return target[1]


def version_in(software: str, listed: str) -> str | None:
    """Return the version of a program in a list of software; None where it is not listed.

    The list, `software`, says it as `- jq 1.8.1` or `| curl | 8.18.0-1 |`.
    """
    name = re.escape(listed)
    found = re.search(rf"(?m)^(?:- {name} |\| {name} +\| )(\d\S*)", software)
    return found and found[1]


def wrong_program(software: str, program: Program) -> str | None:
    """Return what is wrong with a program in a list of software; None where nothing is."""
    version = version_in(software, program.listed)
    if version is None:
        return f"{program.name} is not in the list of its software"
    if is_old(version, program.oldest):
        needed = f"the workflows need {program.oldest} or newer"
        return f"{program.name} is {version} there, and {needed}"
    return None


def published_list(client: Client, label: str) -> str:
    """Return the list of software, as Markdown, of the image that GitHub runs for a label now.

    Raises Changed, or dsri.fleet.github.Unreadable.
    """
    readme = text_of(client, "README.md")
    return text_of(client, list_path(readme, label))


def text_of(client: Client, path: str) -> str:
    """Return the text of a file in the repository of GitHub's runner images.

    The answer's form is that of docs.github.com, REST API, repository contents. Raises
    dsri.fleet.github.Unreadable.
    """
    answer = client.get(f"/repos/{REPOSITORY}/contents/{path}")
    return base64.b64decode(answer["content"]).decode("utf-8")
