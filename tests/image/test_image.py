"""Promise 1: the image runs as the cluster runs it, and one that does not is stopped, with the reason in words."""

import json
import re
import sys

import pytest
from conftest import FACTS, as_the_cluster, bake, run, tool

BASE = "ghcr.io/astral-sh/uv:python3.13-trixie-slim"


def build(folder, name, *options):
    done = run("docker", "buildx", "build", "--builder", "default", "--provenance=mode=max", *options, "--load", "-t", name, str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


def check(repository, name):
    return run(sys.executable, str(repository / "openshift/image.py"), "test", name)


@pytest.fixture(scope="module")
def image(docker, repository, stack):
    name = f"ghcr.io/maastrichtu-ids/test-{stack}:latest"
    build(repository.path, name)
    yield name
    run("docker", "image", "rm", "--force", name)


def test_its_own_tests_pass(docker, repository, stack):
    if "AS test" not in (repository / "Dockerfile").read_text(encoding="utf-8"):
        pytest.skip(f"{stack} has no stage named test")
    done = run("docker", "buildx", "build", "--builder", "default", "--target", "test", "--output", "type=cacheonly", str(repository.path))
    assert done.returncode == 0, done.stderr


def test_it_is_ready_as_the_cluster_runs_it(image, repository):
    tool("kubectl", "kubernetes.io/docs/tasks/tools")
    done = check(repository, image)
    assert done.returncode == 0 and "passed: ready on port 8080 as user 1000650000:0" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("user", ["1000650000:0", "0", "1001"])
def test_it_ends_on_sigterm_as_any_user(image, stack, user):
    with as_the_cluster(image, "--tmpfs", FACTS[stack].get("storage_path", "/data"), user=user) as (name, _):
        run("docker", "stop", "--signal", "SIGTERM", "--time", "5", name)
        state = json.loads(run("docker", "inspect", name).stdout)[0]["State"]
        assert state["ExitCode"] in (0, 143), state


DEPENDENCIES = {  # stack: (a file of its source, what in the step that installs its dependencies is its own)
    "fastapi": ("app/page.html", "uv pip install --require-hashes -r requirements.txt"),
    "jupyterlab": ("notebooks/start.ipynb", "pip install --require-hashes -r /srv/requirements.txt"),
    "react": ("src/App.tsx", "npm ci"),
}


def test_a_change_of_source_runs_no_dependency_step_again(image, repository, stack):
    if stack not in DEPENDENCIES:
        pytest.skip(f"{stack} has no dependencies")
    path, command = DEPENDENCIES[stack]
    source = repository / path
    source.write_text(source.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    log = build(repository.path, image, "--progress=plain")
    step = next(line.split()[0] for line in log.splitlines() if command in line)
    assert f"{step} CACHED" in log and len(re.findall(r"(?m)^#\d+ DONE", log)) > 1


BROKEN = {
    "root only": ("RUN printf '#!/bin/sh\\nchown 0:0 /tmp/x || { echo chown: Operation not permitted; exit 1; }\\n' > /run.sh && chmod +x /run.sh\nCMD [\"/run.sh\"]", "It needs root"),
    "another port": ('CMD ["python3", "-m", "http.server", "8000"]', "It listens on 8000, not on 8080"),
    "its root": ("CMD [\"python3\", \"-c\", \"open('/opt/x', 'w')\"]", "It writes to its own file system"),
    "loopback only": ('CMD ["python3", "-m", "http.server", "8080", "--bind", "127.0.0.1"]', "It listens on 127.0.0.1:8080 only"),
    "ends": ('CMD ["true"]', "It ended by itself with status 0"),
    "no such command": ('CMD ["none-such"]', "The command, or a file that it needs, is not in the image"),
    "health path gone": ('CMD ["python3", "-m", "http.server", "8080", "--directory", "/tmp"]', "The readiness probe's path /healthz answers status 404"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_image_is_stopped_and_told_why(docker, tmp_path, what):
    tool("kubectl", "kubernetes.io/docs/tasks/tools")
    lines, told = BROKEN[what]
    made = bake(tmp_path, stack="fastapi" if "health" in what else "own-dockerfile")
    manifest = made / "openshift/deployment.yaml"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("failureThreshold: 60", "failureThreshold: 3"), encoding="utf-8")
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "Dockerfile").write_text(f"FROM {BASE}\n{lines}\n", encoding="utf-8")
    name = "ghcr.io/maastrichtu-ids/broken:" + what.replace(" ", "-")
    build(tmp_path / "image", name)
    done = check(made, name)
    run("docker", "image", "rm", "--force", name)
    assert done.returncode == 1 and "FAILED: " + told in done.stderr, done.stdout + done.stderr
