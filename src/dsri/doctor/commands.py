"""The lines that tell a reader how to fix something: commands, and sentences between them."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from dsri.doctor.objects import name_of
from dsri.kustomize import Object

if TYPE_CHECKING:
    from dsri.doctor.case import Case

TOKEN_PAGE = "https://github.com/settings/tokens/new?scopes=read:packages"
LOGIN_PAGE = "https://console.dsri.unimaas.nl: your name, Copy login command; paste it here"
# What YAML 1.1 does not read as a text (yaml.org/type: bool, null).
NO_WORDS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
# Kinds that do not replace a pod which is not ready.
KEEP_BROKEN_PODS = ("StatefulSet", "ReplicaSet")


def word(text: str) -> str:
    """Return a text as YAML; in quotes where YAML 1.1 would not read it as a text without."""
    is_plain = re.fullmatch(r"[A-Za-z/][\w./~-]*", text)
    if is_plain and text.lower() not in NO_WORDS:
        return text
    return "'" + text.replace("'", "''") + "'"


def flow(value: Any) -> str:
    """Return lists, mappings, texts and numbers as YAML in one line, without double quotes."""
    if isinstance(value, dict):
        pairs = [f"{word(key)}: {flow(one)}" for key, one in value.items()]
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        return word(value)
    return "null" if value is None else str(value)


def list_argument(patch: list[Object]) -> str:
    """Return a JSON patch as one word of a command line; see `patch_argument`."""
    return f'"{flow(patch)}"'


def patch_argument(key: str, value: object) -> str:
    """Return a patch of one field as one word, for POSIX shells and every PowerShell alike.

    It is YAML, as PowerShell before 7.3 takes the double quotes of JSON away (openshift/oc#813).
    The tools take what begins with a brace for JSON (k8s.io/apimachinery, util/yaml), so it begins
    with the field's name."""
    return f'"{key}: {flow(value)}"'


def for_cluster(case: Case, words: str, in_project: bool = True) -> str:
    """Return a command for the cluster, with the options that this was started with."""
    project = ["-n", case.project] if in_project else []
    return " ".join([case.facts.tool, *map(shlex.quote, case.facts.options), *project, words])


def for_openshift(case: Case, project: str, words: str) -> str:
    """Return a command of `oc` for a project that need not be the application's."""
    return " ".join(["oc", *map(shlex.quote, case.facts.options), "-n", project, words])


def apply(case: Case) -> list[str]:
    """Return the command that applies the manifests in this repository."""
    if not case.expected:
        return []
    # Manifests that name no project go where the login's own one is, which may be another.
    words = f"apply -k {shlex.quote(case.expected.folder)}"
    return [for_cluster(case, words, in_project=not case.expected.project)]


def publish(case: Case) -> list[str]:
    """Return the line that publishes the image again."""
    if case.expected:
        return ["git push (the workflow publishes the image)"]
    return ["build and push the image again"]


def restart_cron_job(case: Case) -> list[str]:
    """Return the commands that start one more run now."""
    lines = []
    # One that still tries would run beside the new one.
    if case.facts.jobs and not case.ended("Failed", "Complete"):
        lines.append(for_cluster(case, f"delete job {name_of(case.facts.jobs[-1])}"))
    run = f"create job {case.name}-{case.now:%m%d%H%M} --from=cronjob/{case.name}"
    return [*lines, for_cluster(case, run)]


def restart(case: Case) -> list[str]:
    """Return the commands that start the application's pods again."""
    kind = case.kind
    if kind == "CronJob":
        return restart_cron_job(case)
    if kind == "Job":  # until it has ended, its pod tries again by itself
        ended = case.ended("Failed", "Complete")
        return [for_cluster(case, f"delete job {case.name}"), "make it again"] if ended else []
    if kind == "DeploymentConfig":
        return [for_cluster(case, f"rollout latest dc/{case.name}")]
    if kind == "Pod":
        return [for_cluster(case, f"delete pod {case.name}"), "make it again"]
    if kind == "ReplicaSet":
        pods = case.broken or case.current
        return [for_cluster(case, f"delete pod {name_of(pod)}") for pod in pods]
    if not case.workload:
        return []
    return [for_cluster(case, f"rollout restart {case.target}")]


def after_a_change(case: Case) -> list[str]:
    """Return the commands that a change of the manifest needs, as nothing else starts pods."""
    if case.kind in KEEP_BROKEN_PODS and case.broken:
        names = " ".join(name_of(pod) for pod in case.broken)
        return [for_cluster(case, f"delete pod {names}")]
    if case.kind == "CronJob" and case.facts.jobs:
        return restart(case)
    return []


def manifest_file(case: Case) -> str:
    """Return the path of the workload's manifest in this repository."""
    name = "cronjob" if case.kind == "CronJob" else "deployment"
    return f"{case.expected.folder}/{name}.yaml" if case.expected else ""


def change(case: Case, what: str, command: str = "") -> list[str]:
    """Return the lines that change the workload: in its file, where there is one, else by command.

    `what` is the change in words, `command` the words of the command that makes it; without one
    the reader edits the object."""
    if case.expected:
        return [f"in {manifest_file(case)}: {what}", *apply(case), *after_a_change(case)]
    if case.kind in ("Job", "Pod"):  # whose specification cannot be changed
        delete = for_cluster(case, f"delete {case.kind.lower()} {case.name}")
        return [delete, f"make it again with: {what}"]
    if command:
        return [for_cluster(case, command), *after_a_change(case)]
    edit = for_cluster(case, f"edit {case.kind.lower()} {case.name}")
    return [edit, f"there: {what}", *after_a_change(case)]


def take_out(case: Case, field: str) -> list[str]:
    """Return the lines that leave a field out of the pod's specification."""
    patch = list_argument([{"op": "remove", "path": f"/spec/template/spec/{field}"}])
    command = f"patch {case.kind.lower()} {case.name} --type=json -p {patch}"
    return change(case, f"take out {field}", "" if case.kind == "CronJob" else command)


def option_for(case: Case, container: str) -> str:
    """Return the option that names one container of several."""
    return f" -c {container}" if len(case.containers) > 1 else ""


def logs(case: Case, pod: Object, container: str, previous: bool = False) -> str:
    """Return the command that shows a container's log; with `previous` that of its last run."""
    # Of several pods the tools take one that is ready.
    is_only = len(case.pods) + len(case.facts.besides) == 1 and not case.is_run
    words = f"logs {case.target}" if is_only else f"logs {name_of(pod)}"
    words += option_for(case, container)
    return for_cluster(case, f"{words} --previous" if previous else words)


def link(case: Case, secret: str) -> list[str]:
    """Return the command that links a pull secret to the pod's account."""
    if case.facts.tool == "oc":
        return [for_cluster(case, f"secrets link {case.account} {secret} --for=pull")]
    names = [*case.linked_secrets(case.account), secret]
    patch = patch_argument("imagePullSecrets", [{"name": name} for name in names])
    return [for_cluster(case, f"patch serviceaccount {case.account} -p {patch}")]


def user_for(case: Case, name: str, host: str) -> str:
    """Return the user of a pull secret at a registry, or what stands for it."""
    if case.expected and case.expected.user:
        return case.expected.user
    secret = case.facts.secrets.get(name)
    for place, login in (secret.registries if secret else {}).items():
        if host in place and login.user:
            return login.user
    return "GITHUB_USER"


def before_new_secret(case: Case, name: str, host: str, user: str, replace: bool) -> list[str]:
    """Return what the reader has to know before a pull secret is made again."""
    lines = []
    if host == "ghcr.io":
        lines.append(f"a classic token of {user}, read:packages only: {TOKEN_PAGE}")
    secret = case.facts.secrets.get(name)
    places = sorted(secret.registries) if secret else []
    others = [place for place in places if place and host not in place]
    if others and len(others) < len([p for p in places if p]) and not replace:
        lines.append(
            f"{name} has logins for {', '.join(others)}, too; this leaves them out: "
            "put them into a secret of their own"
        )
    if case.expected:
        lines.append("in PowerShell: openshift/README.md, step 4, then the last line; else:")
    return lines


def new_secret(
    case: Case,
    name: str,
    host: str = "ghcr.io",
    then: list[str] | None = None,
    replace: bool = False,
) -> list[str]:
    """Return the lines that put a new token in a pull secret, and then do what `then` says.

    They leave no token in the shell's history, and are to be pasted whole. With `replace` the
    secret is deleted first, as its type cannot be changed."""
    user = user_for(case, name, host)
    create = f"create secret docker-registry {name} --docker-server={host} --docker-username={user}"
    password = '--docker-password="$GHCR_TOKEN" --dry-run=client -o yaml |'
    commands = [for_cluster(case, f"delete secret {name}")] if replace else []
    commands += [
        for_cluster(case, f"{create} {password}"),
        "  " + for_cluster(case, "apply --server-side --force-conflicts -f -"),
        *(then or []),
    ]
    lines = [
        *before_new_secret(case, name, host, user, replace),
        "( trap 'stty echo' EXIT; trap 'exit 130' INT",
        "  stty -echo; printf 'Token: '; read -r GHCR_TOKEN; stty echo; echo",
    ]
    for command in commands[:-1]:
        lines.append(f"  {command}" if command.endswith("|") else f"  {command} &&")
    return [*lines, f"  {commands[-1]} )"]
