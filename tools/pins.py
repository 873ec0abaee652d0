"""Whether what the template counts on is what it says: the commit of an action is that of the version in its comment, a base
image's name is there for linux/amd64, and GitHub's runner has the programs that the workflows call (runner.py). It asks GitHub
and the registries, so it runs by schedule (.github/workflows/pins.yml), not with the tests.

    python tools/pins.py

Exit status: 0 all agree, 1 something does not, 2 something could not be asked.
"""

import concurrent.futures
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Optional

import requests

import runner
from dsri.fleet.github import Client, Unreadable, find_token

TEMPLATE = Path(__file__).resolve().parent.parent
FOLDERS = (".github", "{{cookiecutter.repo_name}}", "tests/cluster/kind")
USES = re.compile(r"^\s*(?:- )?uses:\s*(?!\./)(\S+?)(?:@(\S+))?(?:\s+#\s*(\S+).*)?$")
FROM = re.compile(r"^FROM\s+(?:--\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?\s*$", re.IGNORECASE)
IMAGE = re.compile(r"^\s*image: (\S+)$")
INDEX = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


def found(top):
    """({(action, commit, version): [where]}, {image: [where]}) of the template's workflows, actions and Dockerfiles, and of its own cluster."""
    actions, images = {}, {}
    for folder in FOLDERS:
        for path in sorted((top / folder).rglob("*")):
            workflow = path.suffix in (".yml", ".yaml") and ".github" in path.parts
            ours = folder == FOLDERS[2] and path.suffix == ".yaml"
            if not path.is_file() or not (workflow or ours or "Dockerfile" in path.name):
                continue
            stages = set()
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                where = f"{path.relative_to(top).as_posix()}:{number}"
                if workflow and (match := USES.match(line)):
                    actions.setdefault(match.groups(), []).append(where)
                elif ours and (match := IMAGE.match(line)):
                    images.setdefault(match[1], []).append(where)
                elif not workflow and not ours and (match := FROM.match(line)):
                    if match[1] not in stages and match[1] != "scratch":
                        images.setdefault(match[1], []).append(where)
                    stages.add(match[2])
    return actions, images


def wrong_action(client, action, commit, version):
    """What is wrong with an action's pin, or None."""
    if not re.fullmatch("[0-9a-f]{40}", commit or ""):
        return "is not pinned by a commit"
    if not re.fullmatch(r"v?\d+(\.\d+)*", version or ""):
        return "has no version in its comment"
    repository = "/".join(action.split("/")[:2])
    try:
        target = client.get(f"/repos/{repository}/git/ref/tags/{version}")["object"]
        while target["type"] == "tag":
            target = client.get(f"/repos/{repository}/git/tags/{target['sha']}")["object"]
    except Unreadable as error:
        if error.status == 404:
            return f"names {version}, which {repository} has not got"
        raise
    return None if target["sha"] == commit else f"names {version}, which is {target['sha']}"


def registry(host):
    """The address of a registry."""
    return f"https://{host}"


def ask(session, url, accept):
    """A registry's answer, with an anonymous token where it wants one (distribution.github.io, token authentication)."""
    answer = session.get(url, headers={"Accept": ", ".join(accept)}, timeout=(10, 30))
    challenge = answer.headers.get("WWW-Authenticate", "")
    if answer.status_code == 401 and challenge.lower().startswith("bearer "):
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        token = session.get(fields.pop("realm"), params=fields, timeout=(10, 30))
        if token.status_code != 200:
            return token
        answer = session.get(
            url,
            timeout=(10, 30),
            headers={
                "Accept": ", ".join(accept),
                "Authorization": f"Bearer {token.json().get('token') or token.json()['access_token']}",
            },
        )
    return answer


def wrong_image(session, image):
    """What is wrong with a base image's name, or None."""
    match = re.fullmatch(
        r"([^/@]+\.[^/@]+)/([^:@]+)(?::([^@]+))?(?:@(sha256:[0-9a-f]{64}))?", image
    )
    if not match or not (match[3] or match[4]):
        return "names no registry, or no tag"
    host, name, tag, digest = match.groups()
    answer = ask(session, f"{registry(host)}/v2/{name}/manifests/{tag or digest}", INDEX + MANIFEST)
    if answer.status_code in (401, 403, 404):
        return f"is not there, or not for everybody (the registry answers {answer.status_code})"
    if answer.status_code != 200:
        raise Unreadable(f"{host} answers {answer.status_code}")
    if digest and answer.headers.get("Docker-Content-Digest") != digest:
        return f"has the digest {answer.headers.get('Docker-Content-Digest')}"
    manifest = answer.json()
    if manifest.get("mediaType", answer.headers.get("Content-Type")) in INDEX:
        platforms = [entry.get("platform", {}) for entry in manifest["manifests"]]
    else:
        blob = ask(
            session, f"{registry(host)}/v2/{name}/blobs/{manifest['config']['digest']}", ("*/*",)
        )
        if blob.status_code != 200:
            raise Unreadable(f"{host} answers {blob.status_code}")
        platforms = [blob.json()]
    if not any((p.get("os"), p.get("architecture")) == ("linux", "amd64") for p in platforms):
        return "is not for linux/amd64"
    return None


def wrong_runner(client):
    """What GitHub's runner lacks of what the workflows call (runner.yaml), or None."""
    needed = runner.needs()
    try:
        software = runner.published_list(client, needed.label)
    except runner.Changed as error:
        return f"cannot be compared with what GitHub runs: {error}"
    problems = [runner.wrong_program(software, program) for program in needed.programs]
    return "; ".join(problem for problem in problems if problem) or None


@dataclass(frozen=True)
class Check:
    """A question to GitHub or a registry: what it is about, where that stands, how to ask it (the answer is what is wrong)."""

    what: str
    where: list[str]
    ask: Callable[[], Optional[str]]


def checks(actions, images):
    """Every check that the pins ask for, and that of the runner."""
    client, session = Client(find_token()), requests.Session()
    made = []
    for (action, commit, version), where in actions.items():
        name = f"{action}@{commit}" if commit else action
        name += f" # {version}" if version else ""
        made.append(Check(name, where, partial(wrong_action, client, action, commit, version)))
    for image, where in images.items():
        made.append(Check(image, where, partial(wrong_image, session, image)))
    table = f"tools/{runner.NEEDS.name}"
    made.append(Check(runner.needs().label, [table], partial(wrong_runner, client)))
    return made


def main():
    actions, images = found(TEMPLATE)
    status = 0
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = [(check, pool.submit(check.ask)) for check in checks(actions, images)]
    for check, answer in asked:
        try:
            wrong, worst = answer.result(), 1
        except (Unreadable, requests.RequestException, KeyError, ValueError) as error:
            wrong, worst = f"could not be asked: {error}", 2
        if wrong:
            status = max(status, worst)
            print(f"- `{check.what}` {wrong}")
            for where in check.where:
                print(f"  - {where}")
    print(f"{len(actions)} pins of actions and {len(images)} base images asked.")
    return status


if __name__ == "__main__":
    sys.exit(main())
