"""Says in words which rule of the cluster an image broke, and how to fix it."""

from __future__ import annotations

import re
from pathlib import Path

from dsri.kustomize import Object
from dsri.log_rules import broken_rule
from dsri.ports import TABLES, Port, listening_ports
from dsri.processes import run
from dsri.start_rules import start_rule

NEEDS_ROOT = (
    "It needs root; the cluster starts it as a random user of group 0, without capabilities.\n"
    "Fix: leave out what needs root (chown, su, gosu, a port below 1024), or deploy with the "
    "service account anyuid."
)
# Exit status of a shell for a command that may not be executed, or is not there.
SHELL_COULD_NOT_START = (126, 127)
# What to say of each rule of dsri.log_rules.
ADVICE = {
    "no-space": (
        "It writes more to /tmp, or to another emptyDir, than that may hold; the cluster ends such "
        "a pod.\nFix: write to the storage, or raise sizeLimit in openshift/."
    ),
    "read-only": (
        "It writes to its own file system, which is read-only on the cluster.\n"
        "Fix: write to /tmp, or to the storage's folder; set HOME and the caches of your tools to "
        "a place below /tmp."
    ),
    "low-port": (
        "It listens on a port below 1024, which only root may.\n"
        "Fix: let it listen on 8080 or above."
    ),
    "needs-root": NEEDS_ROOT,
    "not-permitted": NEEDS_ROOT,
    "denied": (
        "It reads or writes what a random user of group 0 may not.\n"
        "Fix, in the Dockerfile: RUN chgrp -R 0 DIR && chmod -R g=u DIR"
    ),
    "exec-format": (
        "It was built for another processor.\nFix: docker build --platform linux/amd64"
    ),
    "user-name": (
        "It asks for the name of its user, which has none: the cluster adds a line for it to the "
        "image's /etc/passwd, unless that is missing, empty, or written by more than its owner.\n"
        "Fix, in the Dockerfile: RUN chmod 644 /etc/passwd, or, where there is no such file, COPY "
        "one with the line root:x:0:0:root:/root:/sbin/nologin"
    ),
    "other-service": (
        "It needs another service, such as a database, at its start, which is not there where the "
        "image is tried.\nFix: let it start without, and connect when it is asked something."
    ),
    "not-found": (
        "The command, or a file that it needs, is not in the image (or has Windows line ends)."
    ),
    "": "",
}


def rule(log: str) -> str:
    """Return the rule that a log says was broken, and the fix; "" where it says none."""
    return ADVICE[broken_rule(log)]


def why_it_did_not_start(message: str) -> str:
    """Return why a container's command could not be started, from Docker's message, and the fix."""
    found = start_rule(message)
    if found:
        return f"{found.what}\nFix: {found.fix}"
    return "Docker cannot start it, and says above why."


def why_its_command_did_not_start(state: Object, log: str) -> str:
    """Return the same where the runtime, or a shell, wrote it into the log; "" where none did."""
    last_lines = log.strip().splitlines()[-2:]
    is_runtime_s = any(re.match(r"exec \S+: ", line) for line in last_lines)
    if not is_runtime_s and state.get("ExitCode") not in SHELL_COULD_NOT_START:
        return ""
    for line in reversed(last_lines):
        if start_rule(line):
            return why_it_did_not_start(line)
    return ""


def listening(name: str) -> list[Port]:
    """Return the ports that a container listens on, from its /proc/net.

    None are found where the image has no `cat` and this machine does not see its process."""
    asked = run("docker", "exec", name, "cat", *TABLES, merged=True)
    if not asked.status:
        return listening_ports(asked.output)
    place = run("docker", "inspect", "--format", "/proc/{{.State.Pid}} {{.Id}}", name)
    process, _, number = place.output.strip().partition(" ")
    try:
        # Where Docker has a machine of its own, that number is another process's here.
        if number and number in Path(process, "cgroup").read_text():
            tables = [Path(process, "net", table).read_text() for table in ("tcp", "tcp6")]
            return listening_ports("".join(tables))
    except OSError:
        pass
    return []


def why_it_ended(state: Object, log: str, is_job: bool, unknown: list[str]) -> str:
    """Return why a container most likely ended by itself, and the fix.

    `state` is Docker's, `unknown` the names of what only the cluster sets."""
    if state.get("OOMKilled"):
        file = "cronjob.yaml" if is_job else "deployment.yaml"
        return (
            "It was ended for using more memory than its limit.\n"
            f"Fix: raise resources.limits.memory in openshift/{file}."
        )
    found = why_its_command_did_not_start(state, log) or rule(log)
    if found:
        return found
    then = "on the cluster it would be started again and again"
    if is_job:
        then = "a run that ends with another status than 0 has failed"
    text = f"It ended by itself with status {state['ExitCode']}; {then}. Its log says why."
    if unknown:
        text += f"\nThese come from the cluster and are not set here: {', '.join(unknown)}."
    return text


def why_no_answer(name: str, log: str, check: Object, port: int, found: str | None) -> str:
    """Return why a container that runs most likely does not pass its probe, and the fix.

    `found` is what the probe found last."""
    if found and found.startswith("its command"):
        return (
            f"The readiness probe does not pass: {found}.\n"
            "Fix: correct that command, in openshift/deployment.yaml, or what it looks at."
        )
    ports = listening(name)
    if Port(port, local=True) in ports and Port(port, local=False) not in ports:
        return (
            f"It listens on 127.0.0.1:{port} only, which nothing outside the container reaches.\n"
            "Fix: listen on 0.0.0.0."
        )
    others = sorted({one.number for one in ports})
    if ports and port not in others:
        return (
            f"It listens on {', '.join(map(str, others))}, not on {port}.\n"
            f"Fix: let it listen on $PORT ({port}), or name its port in openshift/deployment.yaml "
            "(containerPort and PORT)."
        )
    if found and found.startswith("status"):
        path = check["httpGet"].get("path", "/")
        return (
            f"The readiness probe's path {path} answers {found}.\n"
            "Fix: answer 200 there, or name another path in openshift/deployment.yaml."
        )
    return rule(log) or f"Nothing answers on port {port} ({found}).\nFix: listen on 0.0.0.0:{port}."
