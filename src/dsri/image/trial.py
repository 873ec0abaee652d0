"""Starts an image locally as the cluster will, and says in words what would go wrong there."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from dsri.image.advice import rule, why_it_did_not_start, why_it_ended, why_no_answer
from dsri.image.manifests import (
    NOT_TRIED,
    Subject,
    environment,
    filled_in,
    manifests,
    stop,
    subject_of,
)
from dsri.image.options import (
    ANY_UID,
    container_options,
    has_own_user,
    image_volumes,
    job_options,
    mounts,
)
from dsri.image.passwd import passwd_options
from dsri.image.probe import probe
from dsri.kustomize import Object
from dsri.processes import NOT_THERE, run

DEADLINE = 120  # seconds, where the manifest's startup probe does not say
PATIENCE = 20  # seconds in which a path may answer with a client's error, as the start goes on


@dataclass
class Trial:
    """An image, and how it is started."""

    image: str
    subject: Subject
    options: list[str]
    unknown: list[str]  # names of variables that only the cluster sets
    user: str
    name: str = field(default_factory=lambda: f"image-test-{os.getpid()}-{time.monotonic_ns()}")

    def start(self, *more: str) -> str | None:
        """Start the container; return what Docker said where it could not be started."""
        options = [*more, *self.options]
        container = self.subject.container
        words = [*container.get("command", [])[1:], *container.get("args", [])]
        command = ["docker", "run", "--detach", "--name", self.name, *options, self.image, *words]
        done = run(*command, merged=True)
        if done.status:
            return done.output
        print(f"docker run {' '.join(options)} {self.image}")
        return None

    def state(self) -> Object:
        """Return the container's state, as Docker has it."""
        state: Object = json.loads(run("docker", "inspect", self.name).output)[0]["State"]
        return state

    def log(self) -> str:
        """Return the end of the container's log."""
        return run("docker", "logs", "--tail", "200", self.name, merged=True).output

    def remove(self) -> None:
        """Remove the container and its volumes."""
        run("docker", "rm", "--force", "--volumes", self.name)

    def local_port(self, port: int) -> int | None:
        """Return this machine's port that leads to the container's; None until there is one."""
        said = run("docker", "port", self.name, f"{port}/tcp").output
        number = said.rpartition(":")[2].strip()
        return int(number) if number.isdigit() else None


def fail(log: str, reason: str, whose: str = "the container's log") -> NoReturn:
    """Show the log, or what else says it (`whose`), say the reason, and end."""
    print(f"--- {whose} ---\n{log}\n---")
    stop("FAILED: " + reason)


def inspect(image: str) -> Object:
    """Return what Docker knows of an image; ends where it has none, or one for another machine."""
    done = run("docker", "image", "inspect", image, merged=True)
    if done.status == NOT_THERE:
        stop("docker is not installed; this needs it.", NOT_TRIED)
    if done.status and re.search("(?i)no such image|image not known", done.output):
        stop(f"There is no image {image} here: docker build -t {image} .", NOT_TRIED)
    if done.status:
        stop(done.output.strip("[] \n"), NOT_TRIED)
    about: Object = json.loads(done.output)[0]
    if (about["Os"], about["Architecture"]) != ("linux", "amd64"):
        stop(
            f"FAILED: the image is for {about['Os']}/{about['Architecture']}, the cluster for "
            "linux/amd64.\nFix: docker build --platform linux/amd64"
        )
    return about


def with_variables(subject: Subject, known: dict[str, str]) -> Subject:
    """Return the same, with the variables in the container's command filled in."""
    container = dict(subject.container)
    for key in ("command", "args"):
        if key in container:
            container[key] = [filled_in(word, known) for word in container[key]]
    return Subject(subject.workload, subject.pod, container)


def say_what_is_left_out(subject: Subject, unknown: list[str]) -> None:
    """Print what the cluster will start or set, and this trial does not."""
    if unknown:
        print(f"Not set here, as only the cluster knows it: {', '.join(unknown)}")
    containers = [*subject.pod.get("initContainers", []), *subject.pod["containers"]]
    own = subject.container["name"]
    others = [one["name"] for one in containers if one["name"] != own]
    if others:
        print(f"Not run here: {', '.join(others)}")


def test(image: str, folder: Path) -> None:
    """Start `image` as the manifests in `folder` say; ends with status 1 where it does not work.

    A service has to pass its readiness probe, a job to end with status 0 on what the folder
    `example` beside the manifests holds."""
    objects = manifests(folder)
    found = subject_of(objects, image)
    about = inspect(image)
    known, unknown = environment(found.container, objects)
    subject = with_variables(found, known)
    say_what_is_left_out(subject, unknown)
    user = "the image’s own user" if has_own_user(subject.pod) else f"user {ANY_UID}"
    options = container_options(subject.pod, subject.container, objects)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        options += mounts(subject.pod, subject.container, objects, place)
        options += image_volumes(about, subject.container)
        options += passwd_options(image, about, subject, known, place)
        if subject.is_job:
            options += job_options(subject, folder.parent / "example", place)
        trial = Trial(image, subject, options, unknown, user)
        try:
            test_job(trial) if subject.is_job else test_service(trial)
        finally:
            trial.remove()


def test_job(trial: Trial) -> None:
    """Let one pod do the whole job: it has to end with status 0."""
    said = trial.start()
    if said is not None:
        fail(said, why_it_did_not_start(said), "what Docker says")
    begin = time.monotonic()
    state = trial.state()
    while state["Running"] and time.monotonic() < begin + DEADLINE:
        time.sleep(0.3)
        state = trial.state()
    log = trial.log()
    if state["Running"]:
        fail(
            log,
            f"It did not end within {DEADLINE} seconds.\n"
            "Fix: keep example/ small; it is there to show that the image can work.",
        )
    if state["ExitCode"] != 0:
        fail(log, why_it_ended(state, log, True, trial.unknown))
    end_of_log = "\n".join(log.splitlines()[-3:])
    print(f"passed: ended with status 0 as {trial.user}; the end of its log:\n{end_of_log}")


def readiness(container: Object) -> tuple[Object, int]:
    """Return (the probe that decides, the container's port that it asks).

    Without a readiness probe, it is whether something listens on the first port."""
    ports = {port.get("name"): port["containerPort"] for port in container.get("ports", [])}
    first = next(iter(ports.values()), 8080)
    check = container.get("readinessProbe") or {"tcpSocket": {"port": first}}
    asked = check.get("httpGet") or check.get("tcpSocket") or check.get("grpc") or {"port": first}
    return check, ports.get(asked["port"], asked["port"])


def time_to_start(container: Object) -> float:
    """Return the seconds that the manifest's startup probe gives, else DEADLINE."""
    startup = container.get("startupProbe", {})
    if "failureThreshold" not in startup:
        return DEADLINE
    return float(startup.get("periodSeconds", 10) * startup["failureThreshold"])


def wait_until_ready(trial: Trial, check: Object, port: int, seconds: float) -> str | None:
    """Ask the probe until it passes, the container ends, or the time is over.

    Return what the probe found last; None where it passed."""
    begin = time.monotonic()
    found: str | None = "not asked"
    while found and time.monotonic() < begin + seconds and trial.state()["Running"]:
        bound = trial.local_port(port)
        found = "no port" if bound is None else probe(trial.name, bound, check)
        # A path that answers wrongly may come; one that does so for long will not.
        if found and found.startswith("status 4") and time.monotonic() > begin + PATIENCE:
            break
        if found:
            time.sleep(0.3)
    return found


def test_service(trial: Trial) -> None:
    """Start a service: its readiness probe has to pass."""
    container = trial.subject.container
    check, port = readiness(container)
    if "grpc" in check:
        print("The readiness probe is grpc; here it is only seen whether something listens.")
    said = trial.start("--publish", f"127.0.0.1::{port}")
    if said is not None:
        fail(said, why_it_did_not_start(said), "what Docker says")
    found = wait_until_ready(trial, check, port, time_to_start(container))
    state = trial.state()
    if not state["Running"]:
        log = trial.log()
        fail(log, why_it_ended(state, log, False, trial.unknown))
    if found is not None:
        log = trial.log()
        fail(log, why_no_answer(trial.name, log, check, port, found))
    print(f"passed: ready on port {port} as {trial.user}")
    if "tcpSocket" in check:
        say_what_the_page_answers(trial, port)


def say_what_the_page_answers(trial: Trial, port: int) -> None:
    """Print a server error of the page /, which decides nothing, but is seen here first."""
    bound = trial.local_port(port)
    if bound is None:
        return
    page = probe(trial.name, bound, {"httpGet": {"path": "/"}, "timeoutSeconds": 5})
    if page and page.startswith("status 5"):
        log = trial.log()
        print(f"--- the container's log ---\n{log}\n---\nBut / answers {page}. {rule(log)}")
