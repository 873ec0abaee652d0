"""Asks the cluster through `oc` or `kubectl`; only questions that read."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable
from typing import Any

from dsri.doctor.objects import KINDS
from dsri.ports import TABLES, Port, listening_ports
from dsri.processes import NOT_THERE, run

SLOW = 10  # seconds that one question may take; the tools themselves wait for minutes
EXEC_SECONDS = 1.5
NOT_LOGGED_IN = (
    r"system:anonymous|Unauthorized|must be logged in|provide credentials"
    r"|token (has )?expired|No valid credentials"
)
# The finding → what a tool says that got no answer from the cluster. The first that fits counts.
NO_ANSWER = {
    "not-logged-in": (
        r"incomplete configuration|localhost:8080|no configuration|Username|error: EOF"
    ),
    "bad-config": (
        r"error loading config|unable to read|Error in configuration|current-context"
        r"|context .* does not exist|no context|getting credentials"
    ),
    "unreachable": r"timed? ?out|deadline exceeded",
}
Answer = tuple[Any, str]  # what is there, or None; why not: NotFound, Forbidden, …, or ""


class CannotLook(Exception):
    """Why nothing can be said: a finding's name, and what the tool said."""

    def __init__(self, finding: str, said: str) -> None:
        """Take the finding's name and what was said."""
        super().__init__(finding, said)
        self.finding = finding
        self.said = said


def find_tool(wanted: str | None) -> str:
    """Return the path of the tool that asks the cluster; CannotLook where there is none."""
    for name in [wanted] if wanted else ["oc", "kubectl"]:
        path = shutil.which(name)
        if path:
            return path
    raise CannotLook("no-tool", f"{wanted or 'oc or kubectl'} is not on PATH")


def why_no_answer(status: int, error: str) -> CannotLook:
    """Return what is wrong where a tool got no answer from the cluster."""
    finding = "no-tool" if status == NOT_THERE else "unreachable"
    for name, pattern in reversed(NO_ANSWER.items()):
        if re.search(pattern, error, re.IGNORECASE):
            finding = name
    # The tools do not say that it was a proxy which they did not reach.
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    if finding == "unreachable" and proxy:
        error += " HTTPS_PROXY is set."
    return CannotLook(finding, error)


class Cluster:
    """The API server, asked with one tool and its options."""

    def __init__(self, tool: str, options: Iterable[str] = ()) -> None:
        """Take the tool's path and the options that it needs to find the cluster."""
        self.tool = tool
        self.options = list(options)

    def raw(self, path: str) -> tuple[str | None, str]:
        """Return (the text at a path, ""), or (None, why not).

        CannotLook where the server does not answer, or nobody is logged in."""
        timeout = f"--request-timeout={SLOW - 2}s"
        done = run(self.tool, *self.options, "get", timeout, "--raw", path, seconds=SLOW)
        if done.status == 0:
            return done.output, ""
        if re.search(NOT_LOGGED_IN, done.error, re.IGNORECASE):
            raise CannotLook("not-logged-in", done.error)
        if "could not find the requested resource" in done.error:
            return None, "NoSuchKind"
        reason = re.search(r"Error from server \((\w+)\)", done.error)
        if reason:
            return None, reason[1]
        raise why_no_answer(done.status, done.error)

    def get(self, path: str) -> Answer:
        """Return (the object or list at a path, ""), or (None, why not)."""
        said, why = self.raw(path)
        try:
            return (json.loads(said) if said else None), why
        except ValueError as error:
            raise CannotLook("unreachable", "What answers is no Kubernetes API.") from error


def log_of(cluster: Cluster, path: str, previous: bool) -> str:
    """Return a container's log: with `previous` that before its last start, if there is one."""
    for address in [f"{path}&previous=true", path] if previous else [path]:
        said, _ = cluster.raw(address)
        if said:
            # A line may be a whole file; it is cut at its end, so that no part of a secret loses
            # the name before it.
            return "\n".join(line[:500] for line in said.split("\n"))
    return ""


def listening_in(cluster: Cluster, project: str, pod: str, container: str) -> list[Port] | None:
    """Return what a container listens on, from its own /proc: it reads, though by `exec`.

    None where the image has no `cat`, or that is not allowed."""
    words = ["-n", project, "exec", pod, "-c", container, "--", "cat", *TABLES]
    done = run(cluster.tool, *cluster.options, *words, seconds=EXEC_SECONDS)
    return listening_ports(done.output) if done.output else None


def address(kind: str, project: str, name: str = "") -> str:
    """Return the API's path of an object, or of all of its kind in the project."""
    api, plural = KINDS[kind]
    path = f"{api}/namespaces/{project}/{plural}"
    return f"{path}/{name}" if name else path


def projects(cluster: Cluster) -> list[str]:
    """Return the projects that this user may see, on OpenShift."""
    found, _ = cluster.get("/apis/project.openshift.io/v1/projects")
    return sorted(item["metadata"]["name"] for item in found["items"]) if found else []
