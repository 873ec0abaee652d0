"""Whether GitHub's runner still has what the workflows need, by the list of software that GitHub publishes of its image.

The needs stand in tools/runner.yaml. tools/pins.py asks GitHub; the tests compare with what the list said at the date there.
"""

import base64
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

NEEDS = Path(__file__).with_name("runner.yaml")
# github.com/actions/runner-images: README.md has a row for each image, with its labels and a link to its list.
REPOSITORY = "actions/runner-images"


@dataclass(frozen=True)
class Program:
    """A program that the workflows call: its name in GitHub's list and two versions, such as 29.4.2."""

    name: str
    listed: str
    oldest: str
    had: str


@dataclass(frozen=True)
class Needs:
    """The label in `runs-on`, and the programs that are expected behind it."""

    label: str
    programs: tuple[Program, ...]


class Changed(Exception):
    """GitHub's list is not where it was, or has another form; the text says what was not found."""


def needs():
    """What tools/runner.yaml says."""
    read = yaml.safe_load(NEEDS.read_text(encoding="utf-8"))
    programs = tuple(Program(name, **about) for name, about in read["programs"].items())
    return Needs(read["label"], programs)


def numbers(version):
    """The numbers at the start of a version, to be compared: 8.18.0-1ubuntu2.3 gives (8, 18, 0)."""
    return tuple(int(part) for part in re.match(r"\d+(?:\.\d+)*", version)[0].split("."))


def is_old(version, oldest):
    """Whether `version` is older than `oldest`."""
    return numbers(version) < numbers(oldest)


def list_path(readme, label):
    """Where in the repository the list of the image behind `label` is, by the table in its README.md."""
    rows = [line for line in readme.splitlines() if line.startswith("|") and f"`{label}`" in line]
    if not rows:
        raise Changed(f"{REPOSITORY} names no image for {label}")
    link = re.search(r"\[([^\]]+)\]\s*\|\s*$", rows[0])
    target = link and re.search(rf"(?m)^\[{re.escape(link[1])}\]:.*/blob/[^/]+/(\S+)$", readme)
    if not target:
        raise Changed(f"{REPOSITORY} has no link to the list of {label}'s image")
    return target[1]


def version_in(software, listed):
    """The version of a program in a list of software, such as `- jq 1.8.1` or `| curl | 8.18.0-1 |`; None where it is not listed."""
    name = re.escape(listed)
    found = re.search(rf"(?m)^(?:- {name} |\| {name} +\| )(\d\S*)", software)
    return found and found[1]


def wrong_program(software, program):
    """What is wrong with a program in a list of software, or None."""
    version = version_in(software, program.listed)
    if version is None:
        return f"{program.name} is not in the list of its software"
    if is_old(version, program.oldest):
        return (
            f"{program.name} is {version} there, and the workflows need {program.oldest} or newer"
        )
    return None


def published_list(client, label):
    """The list of software, as Markdown, of the image that GitHub runs for `label` now.

    `client` reads GitHub's API (dsri.fleet.github.Client). Raises Unreadable, or Changed.
    """
    return text_of(client, list_path(text_of(client, "README.md"), label))


def text_of(client, path):
    """The text of a file in the repository of GitHub's runner images (docs.github.com, REST, repository contents)."""
    answer = client.get(f"/repos/{REPOSITORY}/contents/{path}")
    return base64.b64decode(answer["content"]).decode("utf-8")
