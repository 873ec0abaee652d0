"""Why a container has ended: by its status, the events of its probes, and its log."""

from __future__ import annotations

import re
from typing import Any

from dsri.doctor import commands
from dsri.doctor.case import Case
from dsri.doctor.hide import hide, tail
from dsri.doctor.objects import name_of, when
from dsri.doctor.probing import probe_events
from dsri.doctor.resources import doubled, quantity_in
from dsri.kustomize import Object
from dsri.log_rules import SIGNS, says

# Exit status: of a shell for a command that may not be run, or is not there; 128 and a signal.
NOT_EXECUTABLE, NO_COMMAND = 126, 127
KILLED = (137, 143)
FIRST_FREE_PORT = 1024  # below it a port is root's
FILES_OF_THE_CLUSTER = ("configMap", "secret", "projected")


def exec_format(case: Case, name: str, lines: list[str]) -> None:
    """Add that the image was built for another processor."""
    image = case.containers.get(name, {}).get("image", "IMAGE").partition("@")[0]
    case.add("exec-format", lines, of=name, image=image)


def not_executable(case: Case, name: str, lines: list[str]) -> None:
    """Add that what the container starts is there, and its user may not start it."""
    case.add("permission/command", lines, of=name)


def command_missing(case: Case, name: str, lines: list[str]) -> None:
    """Add that the container's command is not in the image."""
    is_in_manifest = case.containers.get(name, {}).get("command")
    case.add(f"command-missing/{'manifest' if is_in_manifest else 'image'}", lines, of=name)


def names_low_port(container: Object) -> bool:
    """Tell whether a container's manifest has a port that is root's."""
    if any(port["containerPort"] < FIRST_FREE_PORT for port in container.get("ports") or []):
        return True
    for variable in container.get("env") or []:
        value = str(variable.get("value", ""))
        if variable["name"] == "PORT" and value.isdigit() and int(value) < FIRST_FREE_PORT:
            return True
    return False


def ran_as_long_as_its_startup_probe(probe: Object, ended: Object) -> bool:
    """Tell whether a container ran for as long as its startup probe lets it.

    A program that ends well on SIGTERM has a status of its own; how long it ran tells, too."""
    began, end = when(ended.get("startedAt")), when(ended.get("finishedAt"))
    if not probe or not began or not end:
        return False
    budget = (probe.get("failureThreshold", 3) - 1) * probe.get("periodSeconds", 10)
    return bool((end - began).total_seconds() >= budget)


class End:
    """The end of one container, and what is known of it."""

    def __init__(self, case: Case, pod: Object, status: Object, ended: Object) -> None:
        """Take the container's status, and the state with which it ended."""
        self.case = case
        self.pod = pod
        self.status = status
        self.ended = ended
        self.name: str = status["name"]
        self.code = ended.get("exitCode")
        self.container = case.containers.get(self.name, {})
        self.full_log = hide(case.log(pod, self.name), case.known_secrets)
        self.lines = tail(self.full_log, case.known_secrets) or case.say(ended.get("message"))
        is_previous = "terminated" not in status.get("state", {})
        self.logs = commands.logs(case, pod, self.name, previous=is_previous)

    def says(self, *rules: str) -> bool:
        """Tell whether the log says that one of these rules was broken."""
        return any(says(self.full_log, rule) for rule in rules)

    def probe_message(self, start: str) -> str:
        """Return what a probe's event of this start said; "" where there is none."""
        for event in probe_events(self.case, self.pod, self.name):
            message = event.get("message", "")
            if message.startswith(start):
                return str(message)
        return ""

    def startup_message(self) -> str:
        """Return what a startup probe said that had the container ended; "" where none did.

        What a running container listens on tells more than that."""
        key = f"{name_of(self.pod)}/{self.name}"
        if "running" in self.status.get("state", {}) and self.case.facts.ports.get(key):
            return ""
        probe = self.container.get("startupProbe") or {}
        if self.code in KILLED or ran_as_long_as_its_startup_probe(probe, self.ended):
            return self.probe_message("Startup")
        return ""

    def hook_failed(self) -> bool:
        """Tell whether its postStart hook had the container ended."""
        has_hook = (self.container.get("lifecycle") or {}).get("postStart")
        events = self.case.events_of(self.pod, ("FailedPostStartHook",))
        return bool(events and has_hook and self.code in KILLED)

    def add(self, key: str, lines: list[str] | None = None, **words: Any) -> None:
        """Add a finding of this container."""
        shown = self.lines if lines is None else lines
        self.case.add(key, shown, of=self.name, logs=self.logs, **words)

    def explain(self) -> None:
        """Add the first rule that the status, the events or the log shows to be broken."""
        if not self.ended_from_outside():
            self.broke_a_rule()

    def ended_from_outside(self) -> bool:
        """Add what the cluster ended the container for; tell whether it was that."""
        if self.ended.get("reason") == "OOMKilled":
            self.out_of_memory()
        elif self.says("exec-format"):
            exec_format(self.case, self.name, self.lines)
        elif self.probe_message("Liveness"):
            message = self.probe_message("Liveness")
            self.add("liveness/liveness", self.case.say(message, ours=False))
        elif self.startup_message():
            self.add("liveness/startup", self.case.say(self.startup_message(), ours=False))
        elif self.hook_failed():
            self.add("crash/hook")
        else:
            return False
        return True

    def broke_a_rule(self) -> None:
        """Add the rule that the exit status or the log shows to be broken."""
        is_denied = self.says("denied", "not-permitted")
        if self.says("read-only"):
            self.read_only()
        elif self.says("low-port") or (names_low_port(self.container) and is_denied):
            self.add("low-port")
        elif self.code == NOT_EXECUTABLE:
            not_executable(self.case, self.name, self.lines)
        elif is_denied:
            context = self.pod["spec"].get("securityContext", {})
            self.add("permission/files", user=str(context.get("runAsUser", "of the project")))
        elif self.code == NO_COMMAND:
            command_missing(self.case, self.name, self.lines)
        elif not self.case.is_run:
            self.crashed()

    def out_of_memory(self) -> None:
        """Add that it took too much memory."""
        limit = quantity_in(self.container, "limits", "memory")
        self.add(
            "out-of-memory/ended",
            self.lines[-2:],
            limit=f" of {limit}" if limit else "",
            more=doubled(limit),
            container=self.name,
        )

    def crashed(self) -> None:
        """Add that it ended by itself, for a reason that only its log knows."""
        key = "crash/status-0" if self.code == 0 else "crash/status"
        if self.code in KILLED:
            key = "crash/from-outside"
        log_says = "Its log says why." if self.lines else "Its log is empty."
        self.add(key, log_says=log_says, status=str(self.code))

    def read_only(self) -> None:
        """Add which file system is read-only: a volume's, or the image's."""
        said = [
            line
            for line in self.full_log.splitlines()
            if re.search(SIGNS["read-only"], line, re.IGNORECASE)
        ]
        for mount in self.container.get("volumeMounts") or []:
            path = mount["mountPath"]
            is_named = re.search(rf"{re.escape(path)}(/|\b)", "\n".join(said))
            key = self.why_read_only(mount)
            if is_named and key:
                self.add(f"volume-read-only/{key}", path=path)
                return
        mounts = self.container.get("volumeMounts") or []
        writable = [mount["mountPath"] for mount in mounts if not mount.get("readOnly")]
        why = f"It may write to {', '.join(writable)}." if writable else ""
        self.add("root-read-only", why=why)

    def why_read_only(self, mount: Object) -> str:
        """Return why a mount cannot be written: it is `marked` so, or of such a `kind`; or ""."""
        volumes = {volume["name"]: volume for volume in self.case.template.get("volumes") or []}
        volume = volumes.get(mount["name"], {})
        claim = volume.get("persistentVolumeClaim") or {}
        if mount.get("readOnly") or claim.get("readOnly"):
            return "marked"
        if any(kind in volume for kind in FILES_OF_THE_CLUSTER):
            return "kind"
        for one in self.case.facts.claims or []:
            is_its_own = name_of(one) == claim.get("claimName")
            if is_its_own and one.get("spec", {}).get("accessModes") == ["ReadOnlyMany"]:
                return "kind"
        return ""


def why_it_ended(case: Case, pod: Object, status: Object, ended: Object) -> None:
    """Add why one container ended by itself."""
    End(case, pod, status, ended).explain()
