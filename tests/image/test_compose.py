"""Promise 1 at the desk: `docker compose up --build`, as the README says it, runs each stack under the cluster's constraints."""

import contextlib
import re
import urllib.error
import urllib.request
import uuid

import pytest
from conftest import FACTS, STACKS, answers, bake, is_web, need, run, until

PORT = re.compile(r"127\.0\.0\.1:\d+:")
# Each with storage where it has a use for it; without, those whose image or compose.yaml has something else in its place.
CASES = [(stack, "none" if stack == "react" else "5Gi") for stack in STACKS] + [
    ("fastapi", "none"),
    ("jupyterlab", "none"),
]


@contextlib.contextmanager
def compose(folder):
    """A function that runs `docker compose` in a repository, under a name of its own; what it made is gone after the block."""
    need(
        run("docker", "compose", "version").returncode == 0,
        "Docker Compose: docs.docker.com/compose/install",
    )
    name, file = f"compose-{uuid.uuid4().hex[:6]}", folder / "compose.yaml"
    text = file.read_text(encoding="utf-8")
    # Any free port of this machine, as something else may have the one that was asked for.
    file.write_text(PORT.sub("127.0.0.1::", text), encoding="utf-8")

    def call(*arguments):
        done = run("docker", "compose", "--project-name", name, *arguments, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    try:
        yield call
    finally:
        run(
            "docker",
            "compose",
            "--project-name",
            name,
            "down",
            "--volumes",
            "--rmi",
            "local",
            cwd=folder,
        )
        file.write_text(text, encoding="utf-8")  # other tests look at this repository


def address(call):
    """Where the page is on this machine, once something answers there."""
    found = call("port", "app", "8080").strip()
    until(lambda: answers(found), why=lambda: call("logs"))
    return found


def status(url):
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"http://{url}", timeout=10
        ) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("stack, storage", CASES, indirect=True)
def test_compose_runs_it_as_the_cluster_does(docker, repository, stack, storage, tmp_path):
    with compose(repository.path) as call:
        if not is_web(stack):
            assert "3 of 3 done, 0 failed" in call("up", "--build")
            call("cp", "app:/data/results", str(tmp_path))
            assert {path.name for path in (tmp_path / "results").rglob("*.json")} == {
                "heart.txt.json",
                "lung.txt.json",
                "eye.txt.json",
            }
            return
        call("up", "--build", "--detach")
        page = address(call)
        assert status(page + (FACTS[stack]["health_path"] or "/")) == 200
        folder = FACTS[stack].get("storage_path", "/data" if storage != "none" else "/tmp")
        said = call(
            "exec",
            "-T",
            "app",
            "sh",
            "-c",
            f"id -u; grep -E 'CapBnd|NoNewPrivs' /proc/self/status; grep -Eo ' / [a-z]+ r[ow],' /proc/mounts; echo kept > {folder}/kept",
        )
        assert re.fullmatch(r"1000650000\nCapBnd:\t0+\nNoNewPrivs:\t1\n / \w+ ro,\n", said), said
        if "token_variable" in FACTS[stack]:
            token = re.search(r"127\.0\.0\.1:8080/lab\?token=(\w+)", call("logs", "app"))[1]
            assert (
                status(f"{page}/api/contents"),
                status(f"{page}/api/contents?token={token}"),
            ) == (403, 200)
        if storage != "none":
            call("down")
            call("up", "--detach")
            assert call("exec", "-T", "app", "cat", f"{folder}/kept") == "kept\n"


@pytest.mark.builds("react", "fastapi")
def test_two_repositories_are_one_application(docker, tmp_path):
    page, _ = (
        bake(tmp_path, repo_name="page", stack="react"),
        bake(tmp_path, repo_name="my-api", stack="fastapi", storage="5Gi"),
    )
    readme = (page / "README.md").read_text(encoding="utf-8")
    (page / "compose.override.yaml").write_text(
        re.search(r"(?s)```yaml\n(.*?)```", readme)[1], encoding="utf-8"
    )
    with compose(page.path) as call:
        call("up", "--build", "--detach")
        front = address(call)
        until(lambda: status(f"{front}/api/healthz") == 200, why=lambda: call("logs"))
        assert (status(front), status(f"{front}/api/openapi.json")) == (200, 200)
        assert call("exec", "-T", "my-api", "id", "-u") == "1000650000\n"
