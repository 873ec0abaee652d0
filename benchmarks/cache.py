"""What the build cache in the registry saves, for each stack.

    python benchmarks/cache.py [STACK ...]

It compares a publish from nothing with one after a change of the source. It runs the generated
publish.yml twice with act, on a Docker whose build cache is emptied before each run and whose base
images are there, and adds the time that the cache's own layers take at 50 MB/s, since a registry on
this machine moves them for nothing. It needs what tests/workflow needs (GHCR_USER and so on), and
DELETES the build cache of the Docker it uses.

Printed for each stack: the seconds of both runs, without and with the transfers; the second run
over the first; the bytes that the first run adds to the registry for the cache alone; the seconds
of each step in both runs.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from commands import run

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "workflow")]
import conftest  # noqa: E402 - needs sys.path
from base_images import base_images  # noqa: E402 - needs sys.path
from steps import PUBLISH  # noqa: E402 - needs sys.path
from test_workflow import API, TOKEN, USER, local_actions  # noqa: E402 - needs sys.path

ACT = str(Path(sys.executable).with_name("act"))
BYTES_A_SECOND = 50e6
MB = 1e6  # bytes
LISTED = 1  # second: a step that takes less in both runs together is not printed
# What an owner changes from day to day, in each stack.
SOURCES = {
    "fastapi": "app/page.html",
    "own-dockerfile": "Dockerfile",
    "jupyterlab": "notebooks/start.ipynb",
    "react": "src/index.css",
    "batch-job": "app/work.py",
    "r-shiny": "app.R",
}


@dataclass(frozen=True)
class Run:
    """A run of the workflow: how many seconds it and each of its steps took."""

    seconds: float
    steps: dict[str, float]


@dataclass(frozen=True)
class Runs:
    """Both runs of a stack's workflow, and the bytes that the first added for the cache alone."""

    first: Run
    second: Run
    added: int


def publish(made: conftest.Generated, folder: Path) -> Run:
    """Run the workflow for a push, on a Docker that has built nothing yet.

    `folder` is for the event. SystemExit, with all that act said, where the run fails.
    """
    run("docker", "buildx", "prune", "--all", "--force")
    repository = {"default_branch": "main", "visibility": "private", "private": True}
    event = folder / "event.json"
    event.write_text(json.dumps({"ref": "refs/heads/main", "repository": repository}))
    command = [ACT, "push", "-W", ".github/workflows/publish.yml", "-e", str(event)]
    command += ["-P", "ubuntu-latest=-self-hosted", "-s", f"GITHUB_TOKEN={TOKEN}", *API]
    command += [*local_actions(PUBLISH), "--actor", USER, "--no-cache-server"]
    begin = time.monotonic()
    done = conftest.run(*command, cwd=made.path)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return Run(time.monotonic() - begin, steps(done.stdout))


def steps(log: str) -> dict[str, float]:
    """Return the seconds of each step that succeeded, as act says them."""
    took = re.findall(r"Success - Main (.+) \[([\d.]+)(ms|m?s)\]", log)
    return {name: float(time) / (1000 if unit == "ms" else 1) for name, time, unit in took}


def layers(reference: str) -> dict[str, int]:
    """Return the bytes of each layer behind a name in the registry, by its digest.

    Empty where the name is not there.
    """
    done = conftest.run("docker", "buildx", "imagetools", "inspect", "--raw", reference)
    if done.returncode:
        return {}
    manifest = json.loads(done.stdout)
    if "manifests" not in manifest:
        return {layer["digest"]: layer["size"] for layer in manifest["layers"]}
    name = reference.rpartition(":")[0]
    found: dict[str, int] = {}
    for one in manifest["manifests"]:
        found.update(layers(f"{name}@{one['digest']}"))
    return found


def cache_alone(image: str) -> int:
    """Return how many bytes the registry keeps for an image's cache and not for the image."""
    published = layers(f"{image}:latest")
    kept = {**layers(f"{image}:buildcache"), **layers(f"{image}:buildcache-test")}
    return sum(size for digest, size in kept.items() if digest not in published)


def make_repository(stack: str, folder: Path) -> conftest.Generated:
    """Return a committed repository of a stack, made in `folder`, with its base images pulled."""
    repo_name = f"cache-{uuid.uuid4().hex[:6]}"
    made = conftest.bake(folder, repo_name=repo_name, github_owner=USER, stack=stack)
    assert made.status == 0, made.text
    conftest.committed(made.path)
    remote = f"https://github.com/{USER}/{repo_name}.git"
    conftest.run("git", "remote", "add", "origin", remote, cwd=made.path)
    for base in base_images(made / "Dockerfile"):
        run("docker", "pull", "--quiet", base)
    return made


def change_source(made: conftest.Generated, stack: str) -> None:
    """Change what an owner changes, and commit; in jupyterlab only the commit is new."""
    source = made.path / SOURCES[stack]
    text = source.read_text(encoding="utf-8")
    if stack == "own-dockerfile":
        text = text.replace("It runs", "It still runs")
    if stack != "jupyterlab":
        text += "\n"
    source.write_text(text, encoding="utf-8")
    conftest.committed(made.path)


def run_twice(stack: str) -> Runs:
    """Publish a stack from nothing, then after a change."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = make_repository(stack, folder)
        first = publish(made, folder)
        added = cache_alone(f"ghcr.io/{USER}/{made.path.name}".lower())
        change_source(made, stack)
        return Runs(first, publish(made, folder), added)


def measure(stack: str) -> None:
    """Print what a stack's two runs took."""
    runs = run_twice(stack)
    first, second = runs.first.seconds, runs.second.seconds
    transfer = runs.added / BYTES_A_SECOND
    ratio = (second + transfer) / (first + transfer)
    print(
        f"{stack:15} {first:6.1f} s, then {second:6.1f} s: {second / first:.2f};"
        f" with transfers {ratio:.2f}; cache alone {runs.added / MB:.1f} MB",
        flush=True,
    )
    for name, took in runs.first.steps.items():
        later = runs.second.steps[name]
        if took + later > LISTED:
            print(f"    {took:6.1f} {later:6.1f}  {name}", flush=True)


if __name__ == "__main__":
    for chosen in sys.argv[1:] or SOURCES:
        measure(chosen)
