"""Whether what the template counts on is what it says.

The commit of an action is that of the version in its comment, the name of a base image is there for
linux/amd64, and GitHub's runner has the programs that the workflows call (runner.py). It asks
GitHub and the registries, so it runs by schedule (.github/workflows/pins.yml), not with the tests.

    python tools/pins.py

Exit status: 0 all agree, 1 something does not, 2 something could not be asked.
"""

from __future__ import annotations

import concurrent.futures
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import requests
import runner

from dsri.fleet.github import FORBIDDEN, NOT_FOUND, OK, UNAUTHORIZED, Client, Unreadable, find_token

TEMPLATE = Path(__file__).resolve().parent.parent
CLUSTER = "tests/cluster/kind"  # the tests' own cluster
FOLDERS = (".github", "{{cookiecutter.repo_name}}", CLUSTER)
USES = re.compile(r"^\s*(?:- )?uses:\s*(?!\./)(\S+?)(?:@(\S+))?(?:\s+#\s*(\S+).*)?$")
FROM = re.compile(r"^FROM\s+(?:--\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?\s*$", re.IGNORECASE)
IMAGE = re.compile(r"^\s*image: (\S+)$")
IMAGE_NAME = re.compile(
    r"(?P<host>[^/@]+\.[^/@]+)/(?P<name>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
INDEX = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
SECONDS = (10, 30)  # to connect to a registry, and to be answered
AT_ONCE = 8  # questions


class Action(NamedTuple):
    """An action as a workflow names it."""

    name: str  # owner/repository, and a path in it where there is one
    commit: str | None
    version: str | None  # in the comment

    def __str__(self) -> str:
        """Return it as it stands in the workflow."""
        text = f"{self.name}@{self.commit}" if self.commit else self.name
        return f"{text} # {self.version}" if self.version else text


class Found(NamedTuple):
    """The pins of the template, each with the places where it stands, as path:line."""

    actions: dict[Action, list[str]]
    images: dict[str, list[str]]


def actions_of(lines: list[str]) -> Iterator[tuple[int, Action]]:
    """Yield the actions that a workflow names, each with the number of its line."""
    for number, line in enumerate(lines, 1):
        if match := USES.match(line):
            yield number, Action(*match.groups())


def images_of_manifest(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the images that a file of the tests' cluster names, each with its line's number."""
    for number, line in enumerate(lines, 1):
        if match := IMAGE.match(line):
            yield number, match[1]


def images_of_dockerfile(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the base images of a Dockerfile, each with the number of its line; no stage is one."""
    stages = {"scratch"}
    for number, line in enumerate(lines, 1):
        if match := FROM.match(line):
            if match[1] not in stages:
                yield number, match[1]
            stages.add(match[2])


def found(top: Path) -> Found:
    """Return the pins of a template's workflows, actions and Dockerfiles, and of its own cluster.

    `top` is the template's folder.
    """
    pins = Found({}, {})
    for folder in FOLDERS:
        for path in sorted((top / folder).rglob("*")):
            if path.is_file():
                add_pins(pins, path, path.relative_to(top).as_posix())
    return pins


def add_pins(pins: Found, path: Path, name: str) -> None:
    """Add the pins of a file to `pins`; `name` is its path in the template."""
    is_workflow = path.suffix in (".yml", ".yaml") and ".github" in Path(name).parts
    is_of_cluster = path.suffix == ".yaml" and name.startswith(f"{CLUSTER}/")
    if not is_workflow and not is_of_cluster and "Dockerfile" not in path.name:
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    if is_workflow:
        for number, action in actions_of(lines):
            pins.actions.setdefault(action, []).append(f"{name}:{number}")
        return
    images = images_of_manifest(lines) if is_of_cluster else images_of_dockerfile(lines)
    for number, image in images:
        pins.images.setdefault(image, []).append(f"{name}:{number}")


def wrong_action(client: Client, action: Action) -> str | None:
    """Return what is wrong with an action's pin; None where nothing is.

    Raises Unreadable where GitHub does not answer.
    """
    pinned, version = action.commit or "", action.version or ""
    if not re.fullmatch("[0-9a-f]{40}", pinned):
        return "is not pinned by a commit"
    if not re.fullmatch(r"v?\d+(\.\d+)*", version):
        return "has no version in its comment"
    repository = "/".join(action.name.split("/")[:2])
    try:
        commit = commit_of(client, repository, version)
    except Unreadable as error:
        if error.status == NOT_FOUND:
            return f"names {version}, which {repository} has not got"
        raise
    return None if commit == pinned else f"names {version}, which is {commit}"


def commit_of(client: Client, repository: str, tag: str) -> str:
    """Return the commit behind a tag of a repository on GitHub, annotated or not.

    Raises Unreadable, with the status 404 where there is no such tag.
    """
    target = client.get(f"/repos/{repository}/git/ref/tags/{tag}")["object"]
    while target["type"] == "tag":
        target = client.get(f"/repos/{repository}/git/tags/{target['sha']}")["object"]
    return target["sha"]


def registry(host: str) -> str:
    """Return the address of a registry."""
    return f"https://{host}"


def ask(session: requests.Session, url: str, accept: Iterable[str]) -> requests.Response:
    """Return a registry's answer, in one of the media types `accept`.

    Where it wants a token, it gets the anonymous one that it hands out (distribution.github.io,
    token authentication); where it hands out none, that refusal is the answer.
    """
    headers = {"Accept": ", ".join(accept)}
    answer = session.get(url, headers=headers, timeout=SECONDS)
    challenge = answer.headers.get("WWW-Authenticate", "")
    if answer.status_code != UNAUTHORIZED or not challenge.lower().startswith("bearer "):
        return answer
    fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    given = session.get(fields.pop("realm"), params=fields, timeout=SECONDS)
    if given.status_code != OK:
        return given
    token = given.json().get("token") or given.json()["access_token"]
    headers["Authorization"] = f"Bearer {token}"
    return session.get(url, headers=headers, timeout=SECONDS)


def wrong_image(session: requests.Session, image: str) -> str | None:
    """Return what is wrong with a base image's name; None where nothing is.

    Raises Unreadable where the registry does not answer.
    """
    match = IMAGE_NAME.fullmatch(image)
    if not match or not (match["tag"] or match["digest"]):
        return "names no registry, or no tag"
    host, digest = match["host"], match["digest"]
    repository = f"{registry(host)}/v2/{match['name']}"
    answer = ask(session, f"{repository}/manifests/{match['tag'] or digest}", INDEX + MANIFEST)
    if answer.status_code in (UNAUTHORIZED, FORBIDDEN, NOT_FOUND):
        return f"is not there, or not for everybody (the registry answers {answer.status_code})"
    refuse_other_than_ok(answer, host)
    has = answer.headers.get("Docker-Content-Digest")
    if digest and has != digest:
        return f"has the digest {has}"
    for platform in platforms_of(session, repository, answer, host):
        if (platform.get("os"), platform.get("architecture")) == ("linux", "amd64"):
            return None
    return "is not for linux/amd64"


def platforms_of(
    session: requests.Session, repository: str, answer: requests.Response, host: str
) -> list[dict[str, str]]:
    """Return the platforms of an image, each with `os` and `architecture` (OCI image index).

    `answer` has the manifest of the image in `repository`, the address of its repository at `host`.
    Raises Unreadable where the registry does not answer.
    """
    manifest = answer.json()
    if manifest.get("mediaType", answer.headers.get("Content-Type")) in INDEX:
        return [entry.get("platform", {}) for entry in manifest["manifests"]]
    blob = ask(session, f"{repository}/blobs/{manifest['config']['digest']}", ("*/*",))
    refuse_other_than_ok(blob, host)
    return [blob.json()]


def refuse_other_than_ok(answer: requests.Response, host: str) -> None:
    """Raise Unreadable where a registry's answer is not what was asked for."""
    if answer.status_code != OK:
        raise Unreadable(f"{host} answers {answer.status_code}")


def wrong_runner(client: Client) -> str | None:
    """Return what GitHub's runner lacks of what the workflows call; None where it has all.

    What they call is in runner.yaml. Raises Unreadable where GitHub does not answer.
    """
    needed = runner.needs()
    try:
        software = runner.published_list(client, needed.label)
    except runner.Changed as error:
        return f"cannot be compared with what GitHub runs: {error}"
    problems = [runner.wrong_program(software, program) for program in needed.programs]
    return "; ".join(problem for problem in problems if problem) or None


@dataclass(frozen=True)
class Check:
    """A question to GitHub or a registry; the answer is what is wrong, or None."""

    what: str
    where: list[str]  # the places where that stands
    ask: Callable[[], str | None]


@dataclass(frozen=True)
class Outcome:
    """What is wrong with a pin, if anything, and the exit status for that."""

    wrong: str | None
    status: int


def checks(pins: Found) -> list[Check]:
    """Return every check that the pins ask for, and that of the runner."""
    client, session = Client(find_token()), requests.Session()
    made = []
    for action, where in pins.actions.items():
        made.append(Check(str(action), where, partial(wrong_action, client, action)))
    for image, where in pins.images.items():
        made.append(Check(image, where, partial(wrong_image, session, image)))
    table = f"tools/{runner.NEEDS.name}"
    made.append(Check(runner.needs().label, [table], partial(wrong_runner, client)))
    return made


def outcome(answer: concurrent.futures.Future[str | None]) -> Outcome:
    """Return what came of a check."""
    try:
        wrong = answer.result()
    except (Unreadable, requests.RequestException, KeyError, ValueError) as error:
        return Outcome(f"could not be asked: {error}", 2)
    return Outcome(wrong, 1 if wrong else 0)


def main() -> int:
    """Print what is wrong with the pins as a Markdown list, and how many there are.

    Returns the exit status: 0 nothing, 1 something, 2 something could not be asked.
    """
    pins = found(TEMPLATE)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [(check, pool.submit(check.ask)) for check in checks(pins)]
    status = 0
    for check, answer in asked:
        came = outcome(answer)
        status = max(status, came.status)
        if came.wrong:
            print(f"- `{check.what}` {came.wrong}")
            for where in check.where:
                print(f"  - {where}")
    print(f"{len(pins.actions)} pins of actions and {len(pins.images)} base images asked.")
    return status


if __name__ == "__main__":
    sys.exit(main())
