#!/usr/bin/env python3
# Generated; do not edit it: `dsri update` renews it. Its source is src/dsri/image of
# https://github.com/MaastrichtU-IDS/cookiecutter-dsri, and what that imports.
"""Runs an image here as the cluster will, and says in words what would go wrong there.

    python3 openshift/image.py test IMAGE              start IMAGE as openshift/ says, and ask its
                                                       readiness probe; a job's image has to end
                                                       well on what example/ holds
    python3 openshift/image.py rollout IMAGE@DIGEST    print the commands that bring IMAGE to the
                                                       cluster

Needs Python 3.9, Docker, and kubectl or oc. Exit status 0: it works; 1: it does not, and the reason
is printed; 2: it was not tried.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

# dsri.processes

NOT_THERE = 127  # a shell's exit status for a command that it does not find


@dataclass
class Done:
    """What a command came to."""

    status: int
    output: str
    error: str = ""


def run(*command: str, text: str = "", seconds: float | None = None, merged: bool = False) -> Done:
    """Run a command and return its exit status and what it said.

    `text` is its whole input: without one, a tool could ask in the terminal and wait. With
    `merged`, its error output stands in `output`, in the order in which it was written. A command
    that is not there, or takes longer than `seconds`, has the status NOT_THERE.
    """
    try:
        done = subprocess.run(
            command,
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Done(NOT_THERE, "", str(error))
    return Done(done.returncode, done.stdout, done.stderr or "")


def written_by(*command: str) -> bytes | None:
    """Run a command and return what it wrote, byte for byte; None where it failed."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except OSError:
        return None
    return None if done.returncode else done.stdout


# dsri.kustomize

Object = dict[str, Any]  # an object of the Kubernetes API, as its JSON reads


class UnreadableManifests(Exception):
    """What the tool said of a folder of manifests that it cannot read."""


def objects_in(text: str) -> list[Object]:
    """Return the objects of what `kubectl -o json` prints: one JSON value after the other."""
    decoder = json.JSONDecoder()
    found: list[Object] = []
    rest = text[text.index("{") :] if "{" in text else ""
    while rest:
        value, end = decoder.raw_decode(rest)
        found += value["items"] if value["kind"] == "List" else [value]
        rest = rest[end:].lstrip()
    return found


def build(tool: str, folder: Path) -> list[Object]:
    """Return every object that `TOOL apply -k FOLDER` would send.

    UnreadableManifests holds what the tool says where it cannot."""
    built = run(tool, "kustomize", str(folder))
    if built.status:
        raise UnreadableManifests(built.error or built.output)
    # Removing a label that is not there changes nothing; what is wanted is the same objects as
    # JSON, which Python reads. No cluster is asked, so no login is read: a broken one would fail.
    words = ["label", "--local", f"--kubeconfig={os.devnull}", "-f", "-", "-o", "json"]
    converted = run(tool, *words, "none-such-", text=built.output)
    if converted.status:
        raise UnreadableManifests(converted.error or converted.output)
    return objects_in(converted.output)


# dsri.image.manifests

# Where the objects that start pods keep what a pod is.
POD_IN = {
    "Deployment": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
FAILED, NOT_TRIED = 1, 2  # exit status


@dataclass
class Subject:
    """What runs an image: a Deployment or CronJob, its pod's specification, its container."""

    workload: Object
    pod: Object
    container: Object

    @property
    def is_job(self) -> bool:
        """Whether it ends by itself."""
        return bool(self.workload["kind"] == "CronJob")


def stop(text: str, status: int = FAILED) -> NoReturn:
    """Print why it ends, and end with this exit status."""
    print(text, file=sys.stderr)
    raise SystemExit(status)


def manifests(folder: Path) -> list[Object]:
    """Return every object that `oc apply -k FOLDER` would send; ends where there is no tool."""
    tool = shutil.which("kubectl") or shutil.which("oc")
    if not tool:
        stop("kubectl or oc is needed, and neither is installed.", NOT_TRIED)
    try:
        return build(tool, folder)
    except UnreadableManifests as error:
        stop(f"{folder.name}/ cannot be read:\n{error}")


def pods(objects: list[Object]) -> Iterator[tuple[Object, Object]]:
    """Yield (Deployment or CronJob, its pod's specification) of each."""
    for item in objects:
        if item["kind"] in POD_IN:
            pod = item
            for step in POD_IN[item["kind"]]:
                pod = pod[step]
            yield item, pod


def without_tag(image: str) -> str:
    """Return an image's name without its tag and digest."""
    return re.sub("(:[^:/]*)?(@.*)?$", "", image)


def runs(container: Object, image: str) -> bool:
    """Tell whether a container is of an image's repository, whatever the tag."""
    return without_tag(container["image"]) == without_tag(image)


def subject_of(objects: list[Object], image: str = "") -> Subject:
    """Return what runs `image`; where nothing or several things do, the application's own.

    The kustomization calls everything a part of the application, and the application's container
    has its name. The Deployment may have another name, by an overlay."""
    best: Subject | None = None
    best_rank = (True, True)
    for item, pod in pods(objects):
        name = item["metadata"]["name"]
        application = item["metadata"].get("labels", {}).get("app.kubernetes.io/part-of", name)
        for container in pod["containers"]:
            rank = (not runs(container, image), container["name"] != application)
            if best is None or rank < best_rank:
                best, best_rank = Subject(item, pod, container), rank
    if best is None:
        stop("openshift/ has no Deployment and no CronJob.")
    return best


def filled_in(text: str, known: dict[str, str]) -> str:
    """Return a value, or a word of a command, with Kubernetes' $(NAME) replaced; $$ is a $."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return known.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([\w.-]+)\)", value, text)


def environment(container: Object, objects: list[Object]) -> tuple[dict[str, str], list[str]]:
    """Return ({name: value}, the names that only the cluster knows) of a container."""
    maps = {o["metadata"]["name"]: o.get("data", {}) for o in objects if o["kind"] == "ConfigMap"}
    known: dict[str, str] = {}
    unknown: list[str] = []
    for source in container.get("envFrom", []):
        name = source.get("configMapRef", {}).get("name")
        if name in maps:
            prefix = source.get("prefix", "")
            known.update({prefix + key: value for key, value in maps[name].items()})
        else:
            unknown.append(name or source.get("secretRef", {}).get("name", "?"))
    for variable in container.get("env", []):
        reference = variable.get("valueFrom", {}).get("configMapKeyRef", {})
        values = maps.get(reference.get("name"), {})
        if "valueFrom" not in variable:
            known[variable["name"]] = filled_in(str(variable.get("value", "")), known)
        elif reference.get("key") in values:
            known[variable["name"]] = values[reference["key"]]
        else:
            unknown.append(variable["name"])
    return known, unknown


def data_of(item: Object) -> dict[str, bytes]:
    """Return {key: its bytes} of a ConfigMap or a Secret."""
    is_map = item["kind"] == "ConfigMap"
    encoded = item.get("binaryData" if is_map else "data") or {}
    plain = item.get("data" if is_map else "stringData") or {}
    held = {key: base64.b64decode(text) for key, text in encoded.items()}
    held.update({key: text.encode() for key, text in plain.items()})
    return held


def content(volume: Object, objects: list[Object]) -> dict[str, bytes] | None:
    """Return {file: its bytes} of a volume that is a ConfigMap or a Secret of these objects.

    None for another kind of volume, and where only the cluster has the ConfigMap or Secret."""
    kind = "ConfigMap" if "configMap" in volume else "Secret"
    about = volume["configMap"] if kind == "ConfigMap" else volume.get("secret", {})
    names = (about.get("name"), about.get("secretName"))
    for item in objects:
        if item["kind"] != kind or item["metadata"]["name"] not in names:
            continue
        held = data_of(item)
        if "items" not in about:
            return held
        return {one["path"]: held[one["key"]] for one in about["items"] if one["key"] in held}
    return None


# dsri.image.rollout

def job_name(name: str, image: str) -> str:
    """Return a name for a run of this image that is the same in every shell."""
    version = re.sub("[^a-z0-9]+", "-", image.rpartition(":")[2].lower())
    return f"{name}-{version[:8].strip('-')}"


def rollout(image: str, folder: Path) -> None:
    """Print the commands that bring `image` to whatever runs it, by the manifests in `folder`."""
    objects = manifests(folder)
    own = subject_of(objects, image)
    about = own.workload["metadata"]
    project = about.get("namespace")
    oc = f"oc -n {project}" if project else "oc"
    for item, pod in pods(objects):
        containers = [*pod.get("initContainers", []), *pod["containers"]]
        names = [container["name"] for container in containers if runs(container, image)]
        if item is own.workload and not names:
            names = [own.container["name"]]
        if names:
            what = f"{item['kind'].lower()}/{item['metadata']['name']}"
            print(f"{oc} set image {what} " + " ".join(f"{name}={image}" for name in names))
    if own.is_job:
        name = about["name"]
        print(f"{oc} create job {job_name(name, image)} --from=cronjob/{name}")


# dsri.log_rules

REFUSED = r"(permission denied|\bEACCES\b|errno 13\b)"
# Words of their own: not a part of another word, nor of a path (`/app/import.sh`, `bind mount`).
OWN_WORD = r"(?<![\w/.\\-])"
LISTENS = OWN_WORD + r"(bind|binding|listen|listening|make_sock)(?![\w/\\-]|\.\w| mount)"
LOW = r"\d{1,3}(?![\d:])"  # a port below 1000, and no part of a time or of another number
PORT = rf"{OWN_WORD}(privileged port|port[ :=#]{{1,3}}{LOW})"
HOST = r"((?<![\w.])(\d+(\.\d+){3}|\*|localhost)|\[[\da-f:]*\]|(?<![\w:.\])]))"
PAIR = rf"\('[^'\n]*', {LOW}\)"  # as Python writes an address
SAME_LINE = r"[^\n]{0,200}"  # bounded, as a line may be a whole file
LISTENING = rf"({LISTENS}|createTcp|{PORT}|{HOST}:{LOW}|{PAIR})"

# The rule → how a log says that it was broken. Where several fit, the first one counts.
SIGNS = {
    "no-space": r"no space left|\bENOSPC\b|errno 28\b",
    "read-only": (
        r"read-only file system|\bEROFS\b|errno 30\b"
        r"|unable to open database file|readonly database"
    ),
    "low-port": (
        rf"{LISTENING}{SAME_LINE}{REFUSED}|{REFUSED}{SAME_LINE}{LISTENING}"
        # The next lines of a traceback: Python's, Java's; and gunicorn, which gives no reason.
        r"|\.bind\(([^\n]*\n){1,2}[^\n]*permission denied"
        rf"|{REFUSED}{SAME_LINE}\n\s*at {SAME_LINE}\.(bind|listen)"
        rf"|can't connect to {PAIR}"
    ),
    "needs-root": (
        r"must be run as root|(need|require)s? root\b|\bnot root\b|run (it |this )?as root\b"
        r"|(?<![\w/-])(set[ug]id|[fl]?chown)(?![\w/-]|\.\w)"
    ),
    "not-permitted": r"operation not permitted|\bEPERM\b",
    "denied": rf"{REFUSED}|PermissionError|AccessDenied|cannot (open|create|write)",
    "exec-format": r"exec format error",
    "user-name": (
        r"getpw(?!nam)|get_passwd|no username set|uid not found"
        r"|user (exists )?for (uid|user id)|name for user id"
    ),
    "other-service": (
        r"connection refused|ECONNREFUSED|name or service not known|name resolution"
        r"|(translate|resolve) host|getaddrinfo|UnknownHost|no such host"
    ),
    "not-found": r"no such file or directory|not found",
}


def says(log: str, rule: str) -> bool:
    """Tell whether a log says that this rule of SIGNS was broken."""
    return bool(re.search(SIGNS[rule], log, re.IGNORECASE))


def broken_rule(log: str) -> str:
    """Return the first rule of SIGNS that a log says was broken; "" where it says none."""
    for rule in SIGNS:
        if says(log, rule):
            return rule
    return ""


# dsri.ports

# proc(5), /proc/net/tcp: the state LISTEN, and 127.0.0.1 and ::1 in the kernel's byte order.
STATE = 3  # the column
LISTEN = "0A"
LOOPBACK = ("0100007F", "00000000000000000000000001000000")
TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


class Port(NamedTuple):
    """A port that is listened on; a `local` one is reached from the same pod only."""

    number: int
    local: bool


def listening_ports(text: str) -> list[Port]:
    """Return the ports that are listened on, in order, out of the text of TABLES."""
    found = set()
    for line in text.splitlines():
        fields = line.split()
        if len(fields) > STATE and fields[STATE] == LISTEN:
            address, _, port = fields[1].partition(":")
            found.add(Port(int(port, 16), address in LOOPBACK))
    return sorted(found)


# dsri.start_rules

@dataclass(frozen=True)
class StartRule:
    """Why a command cannot be started, and what to do.

    `name` is the rule's, `sign` the words by which a message shows it."""

    name: str
    sign: str
    what: str
    fix: str


# Where several fit, the first one counts.
START_RULES = (
    StartRule(
        "exec-format",
        r"exec format error",
        "It was built for another processor, or it is a script whose first line is not #!/bin/sh "
        "or the like (nothing may stand before it, not even a byte order mark).",
        "docker build --platform linux/amd64; for a script, write #!/bin/sh as its first line.",
    ),
    StartRule(
        "user",
        r"unable to find (user|group)|no matching entries in (passwd|group) file",
        "The image's USER is a name that its /etc/passwd or /etc/group does not have.",
        "in the Dockerfile, write USER 1001:0 instead.",
    ),
    StartRule(
        "mount",
        r"error mounting|prepare subPath",
        "A folder or file of the manifests cannot be mounted where it should be.",
        "in openshift/, correct mountPath and subPath: a file is mounted on a file, a folder on a "
        "folder.",
    ),
    StartRule(
        "folder",
        r"chdir|mkdir cwd|cannot mkdir|\bcwd\b[^\n]*(denied|no such|not a directory)",
        "It cannot be started in its working folder.",
        "in the Dockerfile, let WORKDIR name a folder, and open it: RUN chmod a+rx FOLDER.",
    ),
    StartRule(
        "no-command",
        r"no command specified",
        "The image says no command.",
        'in the Dockerfile, write CMD ["PROGRAM", "ARGUMENT"].',
    ),
    StartRule(
        "one-word",
        r'exec: "[^"\n/]\S* [^"\n]*": executable file not found',
        "Its command and the arguments are written as one word, and no program has that name.",
        'give each a word of its own: CMD ["PROGRAM", "ARGUMENT"] in the Dockerfile, or command in '
        "openshift/.",
    ),
    StartRule(
        "library",
        r"error while loading shared libraries",
        "A library that it needs is not in the image.",
        "in the Dockerfile, install the package that has the file that is named above.",
    ),
    StartRule(
        "interpreter",
        r"(?m)^exec (container process[^\n]*?`?)?\S+: no such file"
        r"|(env|sh): [^\n]*: no such file or directory[^\n]*|bad interpreter",
        "What it starts is there, but not the program that reads it: a script has Windows line "
        "ends, or its first line (#!) names a program that is not in the image; a program needs "
        "another C library.",
        "in the Dockerfile, RUN sed -i 's/\\r$//' SCRIPT, and in git a line `*.sh text eol=lf` in "
        ".gitattributes; or install the program that its first line names.",
    ),
    StartRule(
        "not-executable",
        r"permission denied|is a directory",
        "What it starts may not be executed by its user: it has no execute bit, it is a folder, or "
        "it lies in a folder that only its owner may enter.",
        "in the Dockerfile, COPY --chmod=755 SCRIPT /, or RUN chmod a+rx SCRIPT and each folder "
        "above it.",
    ),
    StartRule(
        "missing",
        r"no such file|not found|not a directory",
        "The command, or a file that it needs, is not in the image, or not in $PATH, or it has no "
        "execute bit.",
        "correct CMD or ENTRYPOINT in the Dockerfile (command in openshift/, where it is said "
        "there); see that .dockerignore does not leave the file out; RUN chmod a+rx FILE.",
    ),
)


def start_rule(message: str) -> StartRule | None:
    """Return why a command cannot be started, as a runtime's message says; None where unknown."""
    for rule in START_RULES:
        if re.search(rule.sign, message, re.IGNORECASE):
            return rule
    return None


# dsri.image.advice

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


# dsri.quantities

DECIMAL_UNITS = "kMGTPE"
BINARY_UNITS = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def amount(quantity: object) -> float:
    """Return a Kubernetes quantity as a number: bytes of memory, cores of CPU, or a plain count.

    The form is that of k8s.io/apimachinery, resource.Quantity: a number, then a decimal unit, a
    binary unit, `m` for a thousandth, or a decimal exponent. ValueError where it has no such form.
    """
    match = re.fullmatch(r"\+?([0-9.]+)([eE][+-]?[0-9]+|[A-Za-z]*)", str(quantity))
    if not match:
        raise ValueError(f"{quantity!r} is not a Kubernetes quantity")
    number, unit = match.groups()
    if unit == "":
        return float(number)
    if unit == "m":
        return float(number) / 1000
    if unit in BINARY_UNITS:
        return float(number) * 1024.0 ** (BINARY_UNITS.index(unit) + 1)
    if unit in DECIMAL_UNITS:
        return float(number) * 1000.0 ** (DECIMAL_UNITS.index(unit) + 1)
    return float(number + unit)


def bytes_of(quantity: object) -> int:
    """Return a Kubernetes quantity in whole bytes, rounded down. ValueError as for `amount`."""
    return int(amount(quantity))


# dsri.image.options

# What OpenShift's restricted-v2 gives a pod: a UID out of the project's range, and group 0.
ANY_UID = "1000650000:0"
# CRI-O's default capabilities, which a container that drops none has (cri-o, crio.conf,
# default_capabilities).
CRIO_CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "KILL",
)
EVERYBODY_READS = 0o755  # whatever this machine's umask


def has_own_user(pod: Object) -> bool:
    """Tell whether the cluster starts the pod as the image's own user."""
    return bool(pod.get("serviceAccountName") == "anyuid")


def user_options(pod: Object, security: Object) -> list[str]:
    """Return the options for the user and the capabilities."""
    if not has_own_user(pod):
        return ["--user", ANY_UID, "--cap-drop", "ALL"]
    options = ["--cap-drop", "ALL"]
    if "ALL" not in security.get("capabilities", {}).get("drop", []):
        options += [f"--cap-add={capability}" for capability in CRIO_CAPABILITIES]
    return options


def container_options(pod: Object, container: Object, objects: list[Object]) -> list[str]:
    """Return the options for what a container is given, but for its volumes."""
    security = container.get("securityContext", {})
    options: list[str] = []
    if security.get("allowPrivilegeEscalation") is False:
        options += ["--security-opt", "no-new-privileges"]
    options += user_options(pod, security)
    # Docker lets anybody take a port below 1024; the cluster's CRI-O does not (cri-o/cri-o#10050).
    options += ["--sysctl", "net.ipv4.ip_unprivileged_port_start=1024"]
    if security.get("readOnlyRootFilesystem"):
        options.append("--read-only")
    for name, value in environment(container, objects)[0].items():
        options += ["--env", f"{name}={value}"]
    limit = container.get("resources", {}).get("limits", {}).get("memory")
    if limit:
        options += ["--memory", str(bytes_of(limit))]
    if container.get("workingDir"):
        options += ["--workdir", container["workingDir"]]
    if container.get("command"):
        options += ["--entrypoint", container["command"][0]]
    return options


def make_readable(paths: Iterable[Path]) -> None:
    """Let the container's user read these files and folders."""
    for path in paths:
        path.chmod(EVERYBODY_READS)


def lay_out(files: dict[str, bytes], top: Path) -> None:
    """Write files below a folder, as a volume has them."""
    for name, data in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(data)
    make_readable([top, *top.rglob("*")])


def mounts(pod: Object, container: Object, objects: list[Object], folder: Path) -> list[str]:
    """Return the options for the container's mounts.

    What the manifests hold is laid out in `folder`; every other volume is empty."""
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
    options: list[str] = []
    for mount in container.get("volumeMounts", []):
        volume, where = volumes.get(mount["name"], {}), mount["mountPath"]
        files = content(volume, objects)
        if files is None:
            limit = volume.get("emptyDir", {}).get("sizeLimit")
            size = f",size={bytes_of(limit)}" if limit else ""
            options += ["--tmpfs", f"{where}:exec,mode=1777{size}"]
            continue
        top = Path(folder, mount["name"])
        lay_out(files, top)
        options += ["--volume", f"{top / mount.get('subPath', '')}:{where}:ro"]
    return options


def overlap(one: str, other: str) -> bool:
    """Tell whether one path is the other, or is in it."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def image_volumes(about: Object, container: Object) -> list[str]:
    """Return the options for the image's VOLUMEs, which are as read-only as the rest of it.

    Docker makes them writable; on the cluster they are folders of the image (cri-o, crio.conf,
    image_volumes). `about` is what `docker image inspect` says of the image."""
    if not container.get("securityContext", {}).get("readOnlyRootFilesystem"):
        return []
    mounted = [mount["mountPath"].rstrip("/") for mount in container.get("volumeMounts", [])]
    options: list[str] = []
    for path in about["Config"].get("Volumes") or {}:
        plain = path.rstrip("/")
        if not any(overlap(plain, one) for one in mounted):
            options += ["--mount", f"type=volume,destination={plain},readonly"]
    return options


def readable(path: Path, folder: Path) -> Path:
    """Return an example that the container's user can read: itself, or a copy in `folder`."""
    everything = [path, *path.rglob("*")]
    if all(one.stat().st_mode & 0o004 for one in everything):
        return path
    copied = shutil.copytree(path, folder / path.name) if path.is_dir() else None
    copy = Path(copied or shutil.copy(path, folder))
    make_readable([copy, *copy.rglob("*")])
    return copy


def job_options(subject: Subject, examples: Path, folder: Path) -> list[str]:
    """Return the options that make one container the whole Job, with `examples` on its storage."""
    container = subject.container
    options = ["--env", "JOB_COMPLETION_INDEX=0"]
    if any(variable["name"] == "JOB_COMPLETIONS" for variable in container.get("env", [])):
        options += ["--env", "JOB_COMPLETIONS=1"]
    volumes = subject.pod.get("volumes", [])
    storage = {volume["name"] for volume in volumes if "persistentVolumeClaim" in volume}
    for mount in container.get("volumeMounts", []):
        if mount["name"] not in storage or not examples.is_dir():
            continue
        for path in sorted(examples.iterdir()):
            source = readable(path, folder)
            options += ["--volume", f"{source}:{mount['mountPath']}/{path.name}:ro"]
    return options


# dsri.image.passwd

OTHERS_WRITE = 0o022  # group or others may write the file: CRI-O leaves it as it is then


def user_id(subject: Subject, about: Object) -> str:
    """Return the number of the container's user; "" where the image's user has a name.

    `about` is what `docker image inspect` says of the image."""
    user = ANY_UID
    if has_own_user(subject.pod):
        user = about["Config"].get("User") or "0"
    number = user.partition(":")[0]
    return number if number.isdigit() else ""


def home_of(about: Object, known: dict[str, str]) -> str:
    """Return the folder that the line names: HOME of the container or of its image, else /."""
    if known.get("HOME"):
        return known["HOME"]
    for setting in about["Config"].get("Env") or []:
        name, _, value = setting.partition("=")
        if name == "HOME" and value:
            return str(value)
    return "/"


def passwd_of(image: str) -> tuple[bytes, int]:
    """Return (what the image's /etc/passwd holds, its mode); nothing where there is none."""
    created = run("docker", "create", image, "never-started")
    name = created.output.strip()
    if created.status:
        return b"", 0
    archive = written_by("docker", "cp", "--follow-link", f"{name}:/etc/passwd", "-")
    run("docker", "rm", "--volumes", name)
    if archive is None:
        return b"", 0
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        entry = files.next()
        held = files.extractfile(entry) if entry else None
        return (held.read(), entry.mode) if entry and held else (b"", 0)


def is_covered(container: Object) -> bool:
    """Tell whether the manifest mounts something in the place of the image's /etc/passwd."""
    mounted = {mount["mountPath"].rstrip("/") for mount in container.get("volumeMounts", [])}
    return bool(mounted & {"/etc", "/etc/passwd"})


def with_line(held: bytes, mode: int, user: str, home: str) -> bytes | None:
    """Return what /etc/passwd holds with a line for the user; None where CRI-O adds none.

    It adds none to a file that is not there, is empty, knows the user, or may be written by its
    group or by others."""
    is_known = re.search(rb"(?m)^[^:\n]*:[^:\n]*:%s:" % user.encode(), held)
    if not held or is_known or mode & OTHERS_WRITE:
        return None
    return held + f"{user}:x:{user}:0:{user} user:{home}:/sbin/nologin\n".encode()


def passwd_options(
    image: str, about: Object, subject: Subject, known: dict[str, str], folder: Path
) -> list[str]:
    """Return the options that give the container's user its line; the file is made in `folder`.

    `known` are the container's environment variables."""
    user = user_id(subject, about)
    if not user or is_covered(subject.container):
        return []
    held, mode = passwd_of(image)
    changed = with_line(held, mode, user, home_of(about, known))
    if changed is None:
        return []
    file = folder / "passwd"
    file.write_bytes(changed)
    file.chmod(mode)
    return ["--volume", f"{file}:/etc/passwd:ro"]


# dsri.image.probe

FIRST_ERROR = 400  # status of HTTP


class SameHostOnly(urllib.request.HTTPRedirectHandler):
    """Takes a redirection to another host for an answer, as the kubelet does."""

    def redirect_request(
        self,
        request: urllib.request.Request,
        *rest: Any,  # file, code, message, headers, address: as urllib passes them
    ) -> urllib.request.Request | None:
        """Return the request to follow, or None."""
        wanted = urllib.parse.urlsplit(rest[-1]).hostname
        if wanted != urllib.parse.urlsplit(request.full_url).hostname:
            return None
        return super().redirect_request(request, *rest)


def command_fails(name: str, command: list[str]) -> str | None:
    """Return what a command in the container said when it failed; None where it did not."""
    done = run("docker", "exec", name, *command, merged=True)
    if not done.status:
        return None
    return f"its command ended with status {done.status}: {done.output.strip()[-300:]}"


def http_fails(port: int, check: Object, seconds: float) -> str | None:
    """Return how an HTTP probe failed; None where it passed."""
    scheme, path = check.get("scheme", "http").lower(), check.get("path", "/")
    headers = {h["name"]: h["value"] for h in check.get("httpHeaders", [])}
    request = urllib.request.Request(f"{scheme}://127.0.0.1:{port}{path}", headers=headers)
    # The kubelet knows no certificate of a pod, either.
    anybody = ssl.create_default_context()
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=anybody),
        SameHostOnly,
    )
    try:
        opener.open(request, timeout=seconds).close()
    except urllib.error.HTTPError as error:
        failed = error.code >= FIRST_ERROR or "infinite loop" in str(error)
        return f"status {error.code}" if failed else None
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"no answer ({error})"
    return None


def connection_fails(port: int, seconds: float) -> str | None:
    """Return how a TCP probe failed; None where it passed."""
    with socket.socket() as connection:
        connection.settimeout(seconds)
        try:
            connection.connect(("127.0.0.1", port))
            # Docker's proxy takes every connection, and closes it at once where nothing listens.
            connection.settimeout(1)
            return None if connection.recv(1) else "closed at once"
        except socket.timeout:
            return None
        except OSError as error:
            return f"no answer ({error})"


def probe(name: str, port: int, check: Object) -> str | None:
    """Return how a probe failed; None where it passed.

    `check` is the manifest's probe, `name` the container, `port` this machine's port."""
    seconds = check.get("timeoutSeconds", 1)
    if "exec" in check:
        return command_fails(name, check["exec"]["command"])
    if "httpGet" in check:
        return http_fails(port, check["httpGet"], seconds)
    return connection_fails(port, seconds)


# dsri.image.trial

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


# dsri.image.script

COMMANDS = {"test": test, "rollout": rollout}


def main(words: list[str], folder: Path, usage: str) -> None:
    """Run the command that `words` name on the manifests in `folder`."""
    if len(words) != 2 or words[0] not in COMMANDS:
        stop(usage.strip(), NOT_TRIED)
    COMMANDS[words[0]](words[1], folder)


if __name__ == "__main__":
    main(sys.argv[1:], Path(__file__).resolve().parent, __doc__)
