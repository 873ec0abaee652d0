"""Promise 1: the image runs as the cluster runs it, and one that does not is stopped, with the reason in words."""

import json
import re
import shutil
import sys

import pytest
from conftest import (
    BASE,
    FACTS,
    STACKS,
    as_the_cluster,
    bake,
    is_web,
    listed,
    need,
    run,
    tool,
    until,
)


def build(folder, name, *options):
    done = run(
        "docker",
        "buildx",
        "build",
        "--builder",
        "default",
        "--provenance=mode=max",
        *options,
        "--load",
        "-t",
        name,
        str(folder),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


def check(repository, name):
    return run(sys.executable, str(repository / "openshift/image.py"), "test", name)


@pytest.fixture(scope="module")
def image(docker, repository, stack):
    name = f"ghcr.io/maastrichtu-ids/test-{stack}:latest"
    # As a clone is where the umask is 077: nobody but its owner may read it.
    modes = {
        path: path.stat().st_mode for path in repository.path.rglob("*") if not path.is_symlink()
    }
    for path in modes:
        path.chmod(0o700 if path.is_dir() else 0o600)
    try:
        build(repository.path, name)
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    yield name
    run("docker", "image", "rm", "--force", name)


def test_its_own_tests_pass(docker, repository, stack):
    if "AS test" not in (repository / "Dockerfile").read_text(encoding="utf-8"):
        pytest.skip(f"{stack} has no stage named test")
    done = run(
        "docker",
        "buildx",
        "build",
        "--builder",
        "default",
        "--target",
        "test",
        "--output",
        "type=cacheonly",
        str(repository.path),
    )
    assert done.returncode == 0, done.stderr


def test_it_works_as_the_cluster_runs_it(image, repository, stack):
    tool("kubectl", "kubernetes.io/docs/tasks/tools")
    done = check(repository, image)
    what = "ready on port 8080" if is_web(stack) else "ended with status 0"
    assert done.returncode == 0 and f"passed: {what} as user 1000650000:0" in done.stdout, (
        done.stdout + done.stderr
    )
    assert is_web(stack) or "3 of 3 done, 0 failed" in done.stdout, done.stdout


@pytest.mark.parametrize("user", ["1000650000:0", "0", "1001"])
def test_it_ends_on_sigterm_as_any_user(image, stack, user):
    if not is_web(stack):
        pytest.skip(f"{stack} listens on no port; it has a test of its own")
    with as_the_cluster(image, "--tmpfs", FACTS[stack].get("storage_path", "/data"), user=user) as (
        name,
        _,
    ):
        run("docker", "stop", "--signal", "SIGTERM", "--time", "5", name)
        state = json.loads(run("docker", "inspect", name).stdout)[0]["State"]
        assert state["ExitCode"] in (0, 143), state


def dependency_step(dockerfile):
    """The instruction that installs the dependencies, on one line: the RUN after the first COPY; None without a COPY."""
    instructions = re.sub(r"\\\n", "", dockerfile).splitlines()
    copied = [n for n, line in enumerate(instructions) if line.startswith("COPY ")]
    if not copied:
        return None
    steps = [line for line in instructions[copied[0] :] if line.startswith("RUN ")]
    return " ".join(steps[0].split())


def source_file(made, stack):
    """A file of the application: the first in a folder that the stack's entry leaves to its owner."""
    folders = sorted(path for path in listed(stack)[0] if (made / path).is_dir())
    assert folders, f"cookiecutter.json, _stacks, {stack}, yours: no folder of the application's"
    return min(path for path in (made / folders[0]).rglob("*") if path.is_file())


def test_a_change_of_source_runs_no_dependency_step_again(image, repository, stack, tmp_path):
    command = dependency_step((repository / "Dockerfile").read_text(encoding="utf-8"))
    if not command:
        pytest.skip(f"{stack} has no dependencies")
    folder = shutil.copytree(repository.path, tmp_path / "changed")
    with source_file(folder, stack).open("a", encoding="utf-8") as source:
        source.write("\n")
    log = build(folder, image, "--progress=plain")
    lines = [" ".join(line.split()) for line in log.splitlines()]
    step = next(line.split()[0] for line in lines if command in line)
    assert f"{step} CACHED" in log and len(re.findall(r"(?m)^#\d+ DONE", log)) > 1


SLOW = """
import pathlib, time
SUFFIX = ".json"
def work(source):
    with open(source.parents[1] / "calls", "a") as file:
        file.write(source.name + "\\n")
    time.sleep(60 if source.name == "slow" and not pathlib.Path(source.parents[1] / "quick").exists() else 0)
    return b"{}"
"""


@pytest.mark.parametrize("user", ["1000650000:0", "0", "1001"])
@pytest.mark.parametrize("job", [stack for stack in STACKS if not is_web(stack)])
def test_a_job_ends_on_sigterm_and_the_next_run_does_what_is_left(docker, tmp_path, job, user):
    """The storage is a folder of this machine, as the volume is one for all pods."""
    made, name = bake(tmp_path, stack=job), f"ghcr.io/maastrichtu-ids/test-slow-{job}:latest"
    (made / "app/work.py").write_text(SLOW, encoding="utf-8")
    build(made.path, name)
    data = tmp_path / "data"
    (data / "inputs").mkdir(parents=True)
    for item in ["slow", *map(str, range(40))]:
        (data / "inputs" / item).write_text("x", encoding="utf-8")
    for folder in (data, data / "inputs"):
        folder.chmod(0o777)
    options = [
        "--user",
        user,
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--read-only",
        "--tmpfs",
        "/tmp",
        "--volume",
        f"{data}:/data",
    ]
    first = run("docker", "run", "--detach", *options, name).stdout.strip()
    try:
        until((data / "failures/slow.jsonl").exists, why=lambda: run("docker", "logs", first))
        run("docker", "stop", "--time", "5", first)
        state = json.loads(run("docker", "inspect", first).stdout)[0]["State"]
        assert state["ExitCode"] == 143, (state, run("docker", "logs", first).stdout)
        done = {path.name for path in (data / "results").iterdir()}
        assert "slow.json" not in done and all(path.endswith(".json") for path in done)
        (data / "quick").touch()
        second = run("docker", "run", "--rm", *options, name)
        assert second.returncode == 0 and "finished: 41 of 41 done, 0 failed" in second.stdout, (
            second.stdout + second.stderr
        )
        calls = (data / "calls").read_text(encoding="utf-8").split()
        assert len(list((data / "results").iterdir())) == 41 and not list(
            (data / "failures").iterdir()
        )
        assert sorted(calls) == sorted(["slow", "slow", *map(str, range(40))])
    finally:
        run("docker", "rm", "--force", first)
        # What another user wrote there, only that user may remove.
        run(
            "docker",
            "run",
            "--rm",
            *options,
            name,
            "rm",
            "-r",
            "/data/results",
            "/data/failures",
            "/data/calls",
        )
        run("docker", "image", "rm", "--force", name)


BROKEN_JOBS = {
    "fails": (
        'CMD ["python3", "-c", "raise SystemExit(3)"]',
        "It ended by itself with status 3; a run that ends with another status than 0 has failed",
    ),
    "its root": (
        'CMD ["python3", "-c", "open(\'/opt/x\', \'w\')"]',
        "It writes to its own file system",
    ),
    "no such command": (
        'CMD ["none-such"]',
        "The command, or a file that it needs, is not in the image",
    ),
    "no inputs": ("", "It ended by itself with status 2"),
    "does not end": ('CMD ["sleep", "300"]', "It did not end within 3 seconds"),
}


@pytest.mark.parametrize("what", BROKEN_JOBS)
def test_a_broken_job_is_stopped_and_told_why(docker, tmp_path, what):
    tool("kubectl", "kubernetes.io/docs/tasks/tools")
    lines, told = BROKEN_JOBS[what]
    made = bake(tmp_path, stack="batch-job")
    name = "ghcr.io/maastrichtu-ids/broken-job:" + what.replace(" ", "-")
    if lines:
        (made / "Dockerfile").write_text(f"FROM {BASE}\n{lines}\n", encoding="utf-8")
    else:
        for path in sorted((made / "example/inputs").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    if "not end" in what:  # the others end by themselves, when the machine lets them
        script = made / "openshift/image.py"
        script.write_text(
            re.sub("(?m)^DEADLINE = 120", "DEADLINE = 3", script.read_text(encoding="utf-8")),
            encoding="utf-8",
        )
    build(made.path, name)
    done = check(made, name)
    run("docker", "image", "rm", "--force", name)
    assert done.returncode == 1 and "FAILED: " + told in done.stderr, done.stdout + done.stderr


BROKEN = {
    "root only": (
        "RUN printf '#!/bin/sh\\nchown 0:0 /tmp/x || { echo chown: Operation not permitted; exit 1; }\\n' > /run.sh && chmod +x /run.sh\nCMD [\"/run.sh\"]",
        "It needs root",
    ),
    "another port": (
        'CMD ["python3", "-m", "http.server", "8000"]',
        "It listens on 8000, not on 8080",
    ),
    "another port, without a shell's tools": (
        'RUN rm "$(command -v cat)"\nCMD ["python3", "-m", "http.server", "8000"]',
        "It listens on 8000, not on 8080",
    ),
    "a port below 1024": (
        'CMD ["python3", "-m", "http.server", "80"]',
        "It listens on a port below 1024",
    ),
    "its root": (
        'CMD ["python3", "-c", "open(\'/opt/x\', \'w\')"]',
        "It writes to its own file system",
    ),
    "a volume of the image": (
        'RUN mkdir -m 777 /state\nVOLUME /state\nCMD ["python3", "-c", "open(\'/state/x\', \'w\')"]',
        "It writes to its own file system",
    ),
    "fills tmp": (
        "CMD [\"python3\", \"-c\", \"f = open('/tmp/x', 'wb'); [f.write(b'x' * 2**20) for _ in range(600)]\"]",
        "It writes more to /tmp",
    ),
    "loopback only": (
        'CMD ["python3", "-m", "http.server", "8080", "--bind", "127.0.0.1"]',
        "It listens on 127.0.0.1:8080 only",
    ),
    "ends": ('CMD ["true"]', "It ended by itself with status 0"),
    "no such command": (
        'CMD ["none-such"]',
        "The command, or a file that it needs, is not in the image",
    ),
    "health path gone": (
        'CMD ["python3", "-m", "http.server", "8080", "--directory", "/tmp"]',
        "The readiness probe's path /healthz answers status 404",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_image_is_stopped_and_told_why(docker, tmp_path, what):
    tool("kubectl", "kubernetes.io/docs/tasks/tools")
    lines, told = BROKEN[what]
    made = bake(tmp_path, stack="fastapi" if "health" in what else "own-dockerfile")
    if told.startswith(
        ("It listens", "The readiness")
    ):  # the others end by themselves, when the machine lets them
        manifest = made / "openshift/deployment.yaml"
        manifest.write_text(
            manifest.read_text(encoding="utf-8").replace(
                "failureThreshold: 60", "failureThreshold: 3"
            ),
            encoding="utf-8",
        )
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "Dockerfile").write_text(f"FROM {BASE}\n{lines}\n", encoding="utf-8")
    name = "ghcr.io/maastrichtu-ids/broken:" + re.sub("[^a-z0-9]+", "-", what)
    build(tmp_path / "image", name)
    done = check(made, name)
    run("docker", "image", "rm", "--force", name)
    assert done.returncode == 1 and "FAILED: " + told in done.stderr, done.stdout + done.stderr


SERVE = "exec python3 -m http.server 8080"
SCRIPT = f"RUN mkdir /app && printf '#!/bin/sh\\n{SERVE}\\n' > /app/run.sh"
RUN_IT = 'ENTRYPOINT ["/app/run.sh"]'
CANNOT_START = {  # what: (the Dockerfile's lines, what is told, the lines with the advice applied)
    "no execute bit": (
        f"{SCRIPT}\n{RUN_IT}",
        "What it starts may not be executed by its user",
        f"{SCRIPT}\nRUN chmod a+rx /app/run.sh\n{RUN_IT}",
    ),
    "no execute bit, in a shell": (
        f"{SCRIPT}\nCMD /app/run.sh",
        "What it starts may not be executed by its user",
        f"{SCRIPT}\nRUN chmod a+rx /app/run.sh\nCMD /app/run.sh",
    ),
    "a closed folder": (
        f"{SCRIPT}\nRUN chmod 755 /app/run.sh && chmod 700 /app\n{RUN_IT}",
        "What it starts may not be executed by its user",
        f"{SCRIPT}\nRUN chmod 755 /app/run.sh && chmod 700 /app\n"
        f"RUN chmod a+rx /app/run.sh /app\n{RUN_IT}",
    ),
    "a folder": (
        f'{SCRIPT}\nENTRYPOINT ["/app"]',
        "What it starts may not be executed by its user",
        f"{SCRIPT}\nRUN chmod a+rx /app/run.sh\n{RUN_IT}",
    ),
    "not in PATH for want of the bit": (
        f'{SCRIPT}\nRUN cp /app/run.sh /usr/local/bin\nCMD ["run.sh"]',
        "The command, or a file that it needs, is not in the image",
        f'{SCRIPT}\nRUN cp /app/run.sh /usr/local/bin\nRUN chmod a+rx /usr/local/bin/run.sh\nCMD ["run.sh"]',
    ),
    "Windows line ends": (
        f"{SCRIPT}\nRUN chmod a+rx /app/run.sh && sed -i 's/$/\\r/' /app/run.sh\n{RUN_IT}",
        "What it starts is there, but not the program that reads it",
        f"{SCRIPT}\nRUN chmod a+rx /app/run.sh && sed -i 's/$/\\r/' /app/run.sh\n"
        f"RUN sed -i 's/\\r$//' /app/run.sh\n{RUN_IT}",
    ),
    "Windows line ends, and env": (
        f"{SCRIPT}\nRUN chmod a+rx /app/run.sh && sed -i '1c #!/usr/bin/env bash\\r' /app/run.sh\n{RUN_IT}",
        "What it starts is there, but not the program that reads it",
        f"{SCRIPT}\nRUN chmod a+rx /app/run.sh && sed -i '1c #!/usr/bin/env bash\\r' /app/run.sh\n"
        f"RUN sed -i 's/\\r$//' /app/run.sh\n{RUN_IT}",
    ),
    "no first line": (
        f"RUN mkdir /app && echo '{SERVE}' > /app/run.sh && chmod 755 /app/run.sh\n{RUN_IT}",
        "It was built for another processor, or it is a script",
        f"{SCRIPT}\nRUN chmod a+rx /app/run.sh\n{RUN_IT}",
    ),
    "one word": (
        'CMD ["python3 -m http.server 8080"]',
        "Its command and the arguments are written as one word",
        'CMD ["python3", "-m", "http.server", "8080"]',
    ),
    "no command": (
        "ENTRYPOINT []\nCMD []",
        "The image says no command",
        'CMD ["python3", "-m", "http.server", "8080"]',
    ),
    "asks for its user, whose file others write": (
        f"RUN chmod 664 /etc/passwd\nCMD whoami && {SERVE}",
        "It asks for the name of its user",
        f"RUN chmod 664 /etc/passwd\nRUN chmod 644 /etc/passwd\nCMD whoami && {SERVE}",
    ),
    "asks for its user, and there is no such file": (
        f"RUN rm /etc/passwd\nCMD python3 -c 'import getpass; getpass.getuser()' && {SERVE}",
        "It asks for the name of its user",
        "RUN rm /etc/passwd\nRUN echo root:x:0:0:root:/root:/sbin/nologin > /etc/passwd\n"
        f"CMD python3 -c 'import getpass; getpass.getuser()' && {SERVE}",
    ),
}


@pytest.mark.parametrize("what", CANNOT_START)
def test_an_image_that_cannot_be_started_works_once_the_advice_is_applied(docker, tmp_path, what):
    tool("kubectl", "kubernetes.io/docs/tasks/tools")
    lines, told, fixed = CANNOT_START[what]
    made = bake(tmp_path, stack="own-dockerfile")
    folder = tmp_path / "image"
    folder.mkdir()
    name = "ghcr.io/maastrichtu-ids/not-started:" + re.sub("[^a-z0-9]+", "-", what.lower())
    found = []
    for text in (lines, fixed):
        (folder / "Dockerfile").write_text(f"FROM {BASE}\n{text}\n", encoding="utf-8")
        build(folder, name)
        found.append(check(made, name))
        run("docker", "image", "rm", "--force", name)
    broken, works = found
    assert broken.returncode == 1, broken.stdout + broken.stderr
    assert "FAILED: " + told in broken.stderr, broken.stdout + broken.stderr
    assert works.returncode == 0, works.stdout + works.stderr


SERVES_500 = """
import http.server, sqlite3
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            sqlite3.connect("/opt/x.db").execute("create table x (x)")
        except sqlite3.Error as error:
            print(repr(error), flush=True)
            self.send_error(500)
http.server.HTTPServer(("", 8080), Page).serve_forever()
"""


def test_a_page_that_fails_behind_an_open_port_is_told(docker, tmp_path):
    tool("kubectl", "kubernetes.io/docs/tasks/tools")
    made, name = bake(tmp_path, stack="own-dockerfile"), "ghcr.io/maastrichtu-ids/page-500:latest"
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "page.py").write_text(SERVES_500, encoding="utf-8")
    (tmp_path / "image" / "Dockerfile").write_text(
        f'FROM {BASE}\nCOPY --chmod=755 page.py /\nCMD ["python3", "/page.py"]\n', encoding="utf-8"
    )
    build(tmp_path / "image", name)
    done = check(made, name)
    run("docker", "image", "rm", "--force", name)
    assert (
        done.returncode == 0
        and "But / answers status 500. It writes to its own file system" in done.stdout
    ), done.stdout + done.stderr


def test_what_a_users_dockerfile_copies_is_still_there(docker, tmp_path):
    """No ignore file is added that could leave out a part of the application."""
    mine = tmp_path / "mine"
    for name in ("data/table.csv", "dist/index.html", "fit.RData"):
        (mine / name).parent.mkdir(parents=True, exist_ok=True)
        (mine / name).write_text("x", encoding="utf-8")
    (mine / "Dockerfile").write_text("FROM scratch\nCOPY data dist fit.RData /\n", encoding="utf-8")
    made = bake(tmp_path, "-f", "-s", repo_name="mine", stack="own-dockerfile")
    assert not {".dockerignore", ".gitignore"} & set(made.files())
    build(mine, "ghcr.io/maastrichtu-ids/copies:latest")
    run("docker", "image", "rm", "--force", "ghcr.io/maastrichtu-ids/copies:latest")
    run("git", "init", "-q", cwd=mine)
    assert (
        run(
            "git", "check-ignore", "data/table.csv", "dist/index.html", "fit.RData", cwd=mine
        ).stdout
        == ""
    )


def test_a_login_that_cannot_be_read_is_not_in_the_way(tmp_path, monkeypatch):
    need(shutil.which("kubectl") or shutil.which("oc"), "kubectl: kubernetes.io/docs/tasks/tools")
    (tmp_path / "login").write_text("no: [login", encoding="utf-8")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "login"))
    made = bake(tmp_path, repo_name="offline", openshift_project="offline")
    done = run(sys.executable, str(made / "openshift/image.py"), "rollout", "ghcr.io/a/b@sha256:c")
    assert (
        done.stdout == "oc -n offline set image deployment/offline offline=ghcr.io/a/b@sha256:c\n"
    ), done.stderr


OWNER_S = """
configMapGenerator:
  - name: settings
    literals: ["page.html=theirs"]
"""


def test_what_its_owner_added_to_the_manifests_is_there_in_the_run_test(docker, tmp_path):
    """A ConfigMap's file, another port by $(NAME), a probe that is a command, a database that sorts first."""
    tool("kubectl", "kubernetes.io/docs/tasks/tools")
    made, name = bake(tmp_path, stack="own-dockerfile"), "ghcr.io/maastrichtu-ids/kg_demo.v1:owner"
    folder, manifest = made / "openshift", made / "openshift/deployment.yaml"
    text = manifest.read_text(encoding="utf-8")
    (folder / "database.yaml").write_text(
        re.sub(r"(?s)  annotations:.*?\nspec:", "spec:", text, count=1)
        .replace("kg-demo-v1", "a-database")
        .replace("ghcr.io/maastrichtu-ids/kg_demo.v1", "quay.io/none"),
        encoding="utf-8",
    )
    text = text.replace(
        "          env:\n",
        '          args: ["$(PORT)", "--directory", "/srv/pages"]\n          env:\n',
        1,
    )
    text = text.replace(
        "volumeMounts:\n", "volumeMounts:\n            - {name: pages, mountPath: /srv/pages}\n", 1
    ).replace("volumes:\n", "volumes:\n        - {name: pages, configMap: {name: settings}}\n", 1)
    text = text.replace(
        "      containers:\n",
        "      initContainers:\n        - {name: prepare, image: quay.io/none}\n      containers:\n",
        1,
    )
    start, ready, live = text.partition("readinessProbe:\n")
    ready += (
        "            exec:\n              command: [grep, theirs, /srv/pages/page.html]\n"
        + live.split("port: http\n", 1)[1]
    )
    manifest.write_text(start + ready, encoding="utf-8")
    kustomization = folder / "kustomization.yaml"
    kustomization.write_text(
        kustomization.read_text(encoding="utf-8").replace(
            "resources:\n", "resources:\n  - database.yaml\n"
        )
        + OWNER_S,
        encoding="utf-8",
    )
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "Dockerfile").write_text(
        f'FROM {BASE}\nENTRYPOINT ["python3", "-m", "http.server"]\n', encoding="utf-8"
    )
    build(tmp_path / "image", name)
    done = check(made, name)
    run("docker", "image", "rm", "--force", name)
    assert (
        done.returncode == 0
        and "passed: ready on port 8080" in done.stdout
        and "Not run here: prepare\n" in done.stdout
    ), done.stdout + done.stderr
