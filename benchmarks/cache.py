"""What the build cache in the registry saves: a publish from nothing, and one after a change of the source, for each stack.

    python benchmarks/cache.py [STACK ...]

It runs the generated publish.yml twice with act, on a Docker whose build cache is emptied before each run and whose base
images are there, and adds the time that the cache's own layers take at 50 MB/s, since a registry on this machine moves them
for nothing. It needs what tests/workflow needs (GHCR_USER and so on), and DELETES the build cache of the Docker it uses.

Printed for each stack: the seconds of both runs, without and with the transfers; the second run over the first; the bytes
that the first run adds to the registry for the cache alone; the seconds of each step in both runs.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "workflow")]
import conftest  # noqa: E402
from base_images import base_images  # noqa: E402
from steps import PUBLISH  # noqa: E402
from test_workflow import API, TOKEN, USER, local_actions  # noqa: E402

ACT = str(Path(sys.executable).with_name("act"))
BYTES_A_SECOND = 50e6
# What an owner changes from day to day, in each stack.
SOURCES = {
    "fastapi": "app/page.html",
    "own-dockerfile": "Dockerfile",
    "jupyterlab": "notebooks/start.ipynb",
    "react": "src/index.css",
    "batch-job": "app/work.py",
    "r-shiny": "app.R",
}


def docker(*arguments):
    """What Docker prints; it has to succeed."""
    return subprocess.run(
        ["docker", *arguments], check=True, capture_output=True, text=True
    ).stdout


def publish(made, folder):
    """(seconds, log) of the workflow's run for a push, on a Docker that has built nothing yet."""
    docker("buildx", "prune", "--all", "--force")
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
    return time.monotonic() - begin, done.stdout


def steps(log):
    """{step: seconds}, as act says them."""
    took = re.findall(r"Success - Main (.+) \[([\d.]+)(ms|m?s)\]", log)
    return {name: float(time) / (1000 if unit == "ms" else 1) for name, time, unit in took}


def layers(reference):
    """{digest: bytes} of the layers behind a name in the registry; empty where it is not there."""
    done = conftest.run("docker", "buildx", "imagetools", "inspect", "--raw", reference)
    if done.returncode:
        return {}
    manifest = json.loads(done.stdout)
    if "manifests" in manifest:
        name = reference.rpartition(":")[0]
        inner = [layers(f"{name}@{one['digest']}") for one in manifest["manifests"]]
        return {digest: size for found in inner for digest, size in found.items()}
    return {layer["digest"]: layer["size"] for layer in manifest["layers"]}


def measure(stack):
    """Print the line of a stack."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repo_name = f"cache-{uuid.uuid4().hex[:6]}"
        made = conftest.bake(folder, repo_name=repo_name, github_owner=USER, stack=stack)
        assert made.status == 0, made.text
        conftest.committed(made.path)
        remote = f"https://github.com/{USER}/{repo_name}.git"
        conftest.run("git", "remote", "add", "origin", remote, cwd=made.path)
        for base in base_images(made / "Dockerfile"):
            docker("pull", "--quiet", base)
        first, log = publish(made, folder)
        image = f"ghcr.io/{USER}/{repo_name}".lower()
        published = layers(f"{image}:latest")
        kept = {**layers(f"{image}:buildcache"), **layers(f"{image}:buildcache-test")}
        added = sum(size for digest, size in kept.items() if digest not in published)
        before = steps(log)
        source = made.path / SOURCES[stack]
        text = source.read_text(encoding="utf-8")
        changed = text.replace("It runs", "It still runs") if stack == "own-dockerfile" else text
        source.write_text(changed + ("" if stack == "jupyterlab" else "\n"), encoding="utf-8")
        conftest.committed(made.path)
        second, log = publish(made, folder)
        after = steps(log)
    transfer = added / BYTES_A_SECOND
    ratio = (second + transfer) / (first + transfer)
    print(
        f"{stack:15} {first:6.1f} s, then {second:6.1f} s: {second / first:.2f}; with transfers {ratio:.2f};"
        f" cache alone {added / 1e6:.1f} MB",
        flush=True,
    )
    for name, took in before.items():
        if took + after[name] > 1:
            print(f"    {took:6.1f} {after[name]:6.1f}  {name}", flush=True)


if __name__ == "__main__":
    for chosen in sys.argv[1:] or SOURCES:
        measure(chosen)
