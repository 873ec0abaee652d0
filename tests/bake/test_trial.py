"""Promise 1: what `image.py test` does with what Docker says; here a stand-in says it.

The stand-in knows the commands that a trial uses, and refuses any other one. tests/image has the
same with Docker itself."""

import json

import pytest
from conftest import TEMPLATE

from dsri.image import advice, passwd, trial
from dsri.image.manifests import Subject
from dsri.processes import NOT_THERE, Done
from dsri.start_rules import start_rule

IMAGE = "ghcr.io/me/mine:latest"
LINUX = [{"Os": "linux", "Architecture": "amd64", "Config": {}}]
STARTED = Done(0, "id")
RUNS = {"Running": True, "ExitCode": 0}


class Docker:
    """Answers the commands of a trial: an image, a container that starts, its states, its log."""

    def __init__(self, states, log="", image=LINUX, start=STARTED):
        self.states, self.log, self.image, self.start = list(states), log, image, start
        self.removed = []

    def __call__(self, *command, **_):
        words = " ".join(command[1:3])
        if command[0] != "docker":
            raise AssertionError(command)
        if words == "image inspect":
            return self.image if isinstance(self.image, Done) else Done(0, json.dumps(self.image))
        if command[1] == "create":
            return Done(1, "")
        if command[1] == "run":
            return self.start
        if command[1] == "inspect" and command[2] != "--format":
            state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            return Done(0, json.dumps([{"State": state}]))
        if command[1] == "logs":
            return Done(0, self.log)
        if command[1] == "port":
            return Done(0, "127.0.0.1:1\n")
        if command[1] == "rm":
            self.removed.append(command[-1])
            return Done(0, "")
        if command[1] in ("exec", "inspect"):
            return Done(1, "")
        raise AssertionError(command)


def workload(kind):
    container = {"name": "mine", "image": IMAGE, "ports": [{"containerPort": 8080}]}
    spec = {"template": {"spec": {"containers": [container]}}}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    return [{"kind": kind, "metadata": {"name": "mine"}, "spec": spec}]


@pytest.fixture
def tried(monkeypatch, capsys):
    """A function: (exit status, output, errors) of a trial of this kind of workload."""

    def run(docker, kind="Deployment", found=None):
        monkeypatch.setattr(trial, "manifests", lambda folder: workload(kind))
        monkeypatch.setattr(trial, "run", docker)
        monkeypatch.setattr(advice, "run", docker)
        monkeypatch.setattr(passwd, "run", docker)
        monkeypatch.setattr(trial, "probe", lambda *_: found() if callable(found) else found)
        monkeypatch.setattr(trial, "DEADLINE", 0.2)
        monkeypatch.setattr(trial.time, "sleep", lambda seconds: None)
        try:
            trial.test(IMAGE, TEMPLATE / "openshift")
            status = 0
        except SystemExit as ended:
            status = ended.code
        return (status, *capsys.readouterr())

    return run


@pytest.mark.parametrize(
    "image, status, words",
    [
        (Done(NOT_THERE, "", "no docker"), 2, "docker is not installed"),
        (Done(1, "Error: No such image: x"), 2, "There is no image"),
        (Done(1, "[permission denied]\n"), 2, "permission denied"),
        ([{**LINUX[0], "Architecture": "arm64"}], 1, "for linux/arm64, the cluster for linux/amd6"),
    ],
)
def test_an_image_that_cannot_be_tried(tried, image, status, words):
    found, _, errors = tried(Docker([RUNS], image=image))
    assert found == status
    assert words in errors


def test_a_service_that_is_ready(tried):
    docker = Docker([RUNS])
    status, out, _ = tried(docker)
    assert status == 0
    assert "passed: ready on port 8080 as user 1000650000:0" in out
    assert docker.removed


def test_a_page_that_fails_behind_an_open_port(tried):
    answers = iter([None, "status 500"])
    docker = Docker([RUNS], "sqlite3.OperationalError: unable to open database file")
    status, out, _ = tried(docker, found=lambda: next(answers))
    assert status == 0
    assert "But / answers status 500. It writes to its own file system" in out


@pytest.mark.parametrize(
    "state, log, words",
    [
        ({"Running": False, "ExitCode": 3}, "", "It ended by itself with status 3; on the cluster"),
        ({"Running": False, "ExitCode": 1}, "Read-only file system", "It writes to its own file"),
        ({"Running": False, "OOMKilled": True}, "", "It was ended for using more memory"),
    ],
)
def test_a_service_that_ends(tried, state, log, words):
    docker = Docker([state], log)
    status, out, errors = tried(docker)
    assert status == 1
    assert f"FAILED: {words}" in errors
    assert f"--- the container's log ---\n{log}\n---" in out
    assert docker.removed


def test_a_service_that_does_not_answer(tried):
    status, _, errors = tried(Docker([RUNS]), found="no answer (refused)")
    assert status == 1
    assert "FAILED: Nothing answers on port 8080 (no answer (refused))." in errors


@pytest.mark.parametrize("kind", ["Deployment", "CronJob"])
def test_a_container_that_cannot_be_started(tried, kind):
    refused = Done(127, 'exec: "none-such": not found')
    docker = Docker([RUNS], start=refused)
    status, _, errors = tried(docker, kind)
    assert status == 1
    assert "FAILED: The command, or a file that it needs, is not in the image" in errors
    assert docker.removed


RUNC = "OCI runtime create failed: runc create failed: unable to start container process: "
START_ERRORS = {  # what a runtime says: the rule
    f'{RUNC}exec: "/app/run.sh": permission denied: unknown': "not-executable",
    f'{RUNC}exec: "/app/run.sh": stat /app/run.sh: permission denied: unknown': "not-executable",
    f'{RUNC}exec: "/app": is a directory': "not-executable",
    "crun: open executable: Permission denied: OCI permission denied": "not-executable",
    f'{RUNC}exec: "none": executable file not found in $PATH: unknown': "missing",
    f'{RUNC}exec: "/x": stat /x: no such file or directory: unknown': "missing",
    f'{RUNC}exec: "/x/y": stat /x/y: not a directory: unknown': "missing",
    "crun: executable file `none` not found in $PATH: No such file or directory": "missing",
    f'{RUNC}exec: "python3 -m app": executable file not found in $PATH': "one-word",
    "exec /app/run.sh: no such file or directory": "interpreter",
    "exec container process `/app/run.sh`: No such file or directory": "interpreter",
    "env: 'bash\\r': No such file or directory": "interpreter",
    "/bin/sh: ./run.sh: /bin/bash^M: bad interpreter: No such file": "interpreter",
    "exec /app/run.sh: exec format error": "exec-format",
    "exec container process `/app/x`: Exec format error": "exec-format",
    "unable to find user app: no matching entries in passwd file": "user",
    "get exec user: unable to find group web: no matching entries in group file": "user",
    f'{RUNC}chdir to cwd ("/work") set in config.json failed: permission denied': "folder",
    "crun: chdir to `/work`: Permission denied": "folder",
    f'{RUNC}mkdir cwd "/work": not a directory': "folder",
    "Cannot mkdir: /work is not a directory": "folder",
    "docker: Error response from daemon: no command specified": "no-command",
    'error mounting "/x" to rootfs at "/etc/y": not a directory': "mount",
    "app: error while loading shared libraries: libpq.so.5: cannot open": "library",
    "Minimum memory limit allowed is 6MB": "",
}


@pytest.mark.parametrize("message", START_ERRORS)
def test_a_runtime_s_words_have_rules_of_their_own(message):
    found = start_rule(message)
    assert (found.name if found else "") == START_ERRORS[message]
    shown = advice.why_it_did_not_start(message)
    assert "chgrp" not in shown
    assert ("Fix: " in shown) == bool(found)


@pytest.mark.parametrize(
    "code, log, words",
    [
        (126, "/bin/sh: 1: /app/run.sh: Permission denied", "What it starts may not be executed"),
        (127, "sh: 1: none: not found", "The command, or a file that it needs, is not in the ima"),
        (127, "x: Permission denied\nsh: 1: none: not found", "The command, or a file that it nee"),
        (127, "env: 'sh\\r': No such file or directory\nenv: use -[v]S", "What it starts is there"),
        (1, "exec /app/run.sh: exec format error", "It was built for another processor, or it is"),
        (1, "open /app/x: Permission denied", "It reads or writes what a random user"),
    ],
)
def test_what_a_shell_could_not_start_is_no_error_of_the_program(tried, code, log, words):
    status, _, errors = tried(Docker([{"Running": False, "ExitCode": code}], log))
    assert status == 1
    assert f"FAILED: {words}" in errors


ROOT = b"root:x:0:0:root:/root:/bin/sh\n"
LINE = b"1000650000:x:1000650000:0:1000650000 user:/:/sbin/nologin\n"


@pytest.mark.parametrize(
    "held, mode, expected",
    [
        (ROOT, 0o644, ROOT + LINE),
        (ROOT, 0o444, ROOT + LINE),
        (ROOT.rstrip(), 0o644, ROOT.rstrip() + LINE),  # CRI-O adds no line break either
        (ROOT, 0o664, None),
        (ROOT, 0o646, None),
        (b"", 0o644, None),
        (ROOT + b"app:x:1000650000:0::/:/bin/sh\n", 0o644, None),
    ],
)
def test_the_user_has_a_line_where_cri_o_gives_it_one(held, mode, expected):
    assert passwd.with_line(held, mode, "1000650000", "/") == expected


def subject(account="default", **container):
    return Subject({"kind": "Deployment"}, {"serviceAccountName": account}, container)


def test_the_line_names_the_user_and_the_home_that_the_container_has(monkeypatch, tmp_path):
    about = {"Config": {"User": "1001:0", "Env": ["PATH=/bin", "HOME=/home/app"]}}
    monkeypatch.setattr(passwd, "passwd_of", lambda image: (ROOT, 0o644))

    def line(one, known=None):
        options = passwd.passwd_options(IMAGE, about, one, known or {}, tmp_path)
        file = tmp_path / "passwd"
        text = file.read_text().splitlines()[-1] if options else ""
        return text.replace(":/sbin/nologin", "")

    assert line(subject()) == "1000650000:x:1000650000:0:1000650000 user:/home/app"
    assert line(subject(), {"HOME": "/tmp"}) == "1000650000:x:1000650000:0:1000650000 user:/tmp"
    assert line(subject("anyuid")) == "1001:x:1001:0:1001 user:/home/app"
    assert line(subject(volumeMounts=[{"mountPath": "/etc/"}])) == ""
    about["Config"]["User"] = "app"
    assert line(subject("anyuid")) == ""


def test_a_job_that_ends_well(tried):
    docker = Docker([RUNS, {"Running": False, "ExitCode": 0}], "one\n2 of 2 done")
    status, out, _ = tried(docker, "CronJob")
    assert status == 0
    assert out.endswith("the end of its log:\none\n2 of 2 done\n")


@pytest.mark.parametrize(
    "state, words",
    [
        ({"Running": False, "ExitCode": 3}, "It ended by itself with status 3; a run that ends"),
        (RUNS, "It did not end within 0.2 seconds."),
    ],
)
def test_a_job_that_does_not_end_well(tried, state, words):
    status, _, errors = tried(Docker([state]), "CronJob")
    assert status == 1
    assert f"FAILED: {words}" in errors
