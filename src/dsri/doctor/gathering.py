"""Reads all that the findings need, in one pass.

The cluster is asked through `oc` or `kubectl`, the workflow's runs through `gh`, and the registry
only when that was asked for. Questions that do not depend on each other are asked at once."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dsri.doctor import registry
from dsri.doctor.cluster import (
    Answer,
    CannotLook,
    Cluster,
    address,
    listening_in,
    log_of,
    projects,
)
from dsri.doctor.facts import Expected, Facts, Objects, PublishRun
from dsri.doctor.github_runs import publish_runs, repository_of
from dsri.doctor.image_streams import API as STREAMS
from dsri.doctor.image_streams import sources_of
from dsri.doctor.objects import (
    KINDS,
    asked_port,
    container_statuses,
    is_ending,
    labels_of,
    leading,
    name_of,
    needs_of,
    owned,
    pod_of,
    pull_secrets,
    target_of,
    template_of,
)
from dsri.doctor.pull_secret import read_secret, withheld
from dsri.kustomize import Object

# What is read of the whole project: the field in Facts → (path, plural).
LISTS = {
    "accounts": ("/api/v1", "serviceaccounts"),
    "claims": ("/api/v1", "persistentvolumeclaims"),
    "services": ("/api/v1", "services"),
    "routes": ("/apis/route.openshift.io/v1", "routes"),
    "events": ("/api/v1", "events?fieldSelector=type%3DWarning"),
}
THREADS = 8
MOST_LOGS = 4
EXPECTED_REFUSALS = ("", "NotFound", "NoSuchKind", "Forbidden")


@dataclass
class Question:
    """What is asked for: which application, with which tool, and whom else."""

    tool: str
    project: str
    name: str
    options: list[str]
    expected: Expected | None = None
    ask_registry: bool = False
    github: bool = True


def selector(labels: dict[str, str]) -> str:
    """Return the parameter of a question for what has these labels."""
    pairs = [f"{key}={value}" for key, value in sorted(labels.items())]
    return "labelSelector=" + quote(",".join(pairs), safe="")


def without_managed_fields(item: Object) -> Object:
    """Return an object without the record of who wrote which field, which is long."""
    metadata = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    return {**item, "metadata": metadata}


def failing(pod: Object) -> list[tuple[str, bool]]:
    """Return [(container, whether its log before the last start is wanted)] of those that fail."""
    found = []
    succeeded = pod.get("status", {}).get("phase") == "Succeeded"
    for status in container_statuses(pod):
        state = status.get("state", {})
        last = status.get("lastState", {}).get("terminated")
        ended_well = state.get("terminated", {}).get("exitCode") == 0 and succeeded
        if status.get("ready") or ended_well:
            continue
        if "terminated" in state or ("running" in state and not last):
            found.append((status["name"], False))
        elif last:
            found.append((status["name"], True))
    return found


def runs_now(pod: Object, container: str) -> bool:
    """Tell whether a container of a pod runs."""
    for status in pod["status"].get("containerStatuses") or []:
        if status["name"] == container:
            return "running" in status.get("state", {})
    return False


class Gathering:
    """The questions of one pass, and what was answered so far."""

    def __init__(self, question: Question, pool: ThreadPoolExecutor) -> None:
        """Take what is asked for, and the threads that ask."""
        self.question = question
        self.pool = pool
        self.cluster = Cluster(question.tool, question.options)
        self.expected = question.expected
        self.logins: registry.Logins = {}
        self.facts = Facts(
            tool=Path(question.tool).stem,
            options=list(question.options),
            project=question.project,
            name=question.name,
            expected=question.expected,
        )

    def ask(self, path: str) -> Future[Answer]:
        """Ask for a path, and go on."""
        return self.pool.submit(self.cluster.get, path)

    def ask_within(self, path: str, plural: str) -> Future[Answer]:
        """Ask for what the project has of a kind, and go on."""
        return self.ask(f"{path}/namespaces/{self.question.project}/{plural}")

    def ask_for_object(self, kind: str) -> Future[Answer]:
        """Ask for the workload of a kind, and go on."""
        return self.ask(address(kind, self.question.project, self.question.name))

    def gather(self) -> Facts:
        """Return all that is known; CannotLook where nothing can be."""
        runs = self.ask_for_runs(self.expected.workload if self.expected else None)
        project = self.ask(f"/api/v1/namespaces/{self.question.project}")
        # Nearly always it is the first kind; the others are asked for where it is not.
        first = self.expected.workload["kind"] if self.expected else "Deployment"
        workload = {first: self.ask_for_object(first)}
        lists = {field: self.ask_within(*place) for field, place in LISTS.items()}
        self.read_project(*project.result())
        if self.facts.project_state == "NotFound":
            self.facts.others = projects(self.cluster)
            return self.facts
        self.read_workload(workload)
        self.follow_owners()
        self.read_lists(lists)
        # Who may see nothing in a project is told so for one that is not there, too.
        if "deployments" in self.facts.unseen and self.facts.project_state == "Forbidden":
            self.facts.others = projects(self.cluster)
            return self.facts
        self.read_the_rest(runs)
        return self.facts

    def read_the_rest(self, runs: Future[list[PublishRun] | None] | None) -> None:
        """Read what depends on the workload: pods, secrets, logs, runs, the registry."""
        workload = self.facts.workload
        streams = self.ask_for_streams(workload)
        if workload:
            template = template_of(workload)
            self.read_pods(workload)
        else:
            template = template_of(self.expected.workload if self.expected else None)
            self.read_other_names()
        runs = runs or self.ask_for_runs(workload)
        self.read_secrets(template)
        self.read_streams(streams)
        self.read_logs()
        if any(pod.get("status", {}).get("phase") == "Pending" for pod in self.facts.pods):
            self.facts.existing = self.look_for_needs(template)
        if self.question.ask_registry:
            self.facts.registry = registry.ask(self.facts, template, self.logins)
        self.facts.runs = runs.result() if runs else None

    def ask_for_streams(self, workload: Object | None) -> dict[tuple[str, str], Future[Answer]]:
        """Ask for the image streams that a workload names, mostly none, and go on."""
        asked = {}
        for source in sources_of(workload, self.question.project):
            path = f"{STREAMS}/namespaces/{source.project}/imagestreams/{source.stream}"
            asked[source.key] = self.ask(path)
        return asked

    def read_streams(self, asked: dict[tuple[str, str], Future[Answer]]) -> None:
        """Note the image streams that are there, and those that are not."""
        for key, answer in asked.items():
            found, why = answer.result()
            if found or why == "NotFound":
                self.facts.streams[key] = found

    def ask_for_runs(self, workload: Object | None) -> Future[list[PublishRun] | None] | None:
        """Ask for the publish runs of a workload's image, where `gh` may be asked."""
        repository = repository_of(workload)
        if not repository or not self.question.github:
            return None
        return self.pool.submit(publish_runs, repository)

    def read_project(self, project: Object | None, why: str) -> None:
        """Note the project's state, and what it waits for where it is being deleted."""
        if why == "NoSuchKind":
            raise CannotLook("unreachable", "What answers is no Kubernetes API.")
        if why not in ("", "NotFound", "Forbidden"):
            raise CannotLook("cluster-unwell", f"It answers {why}.")
        self.facts.project_state = why
        status = (project or {}).get("status", {})
        if status.get("phase") == "Terminating":
            found = status.get("conditions") or []
            self.facts.ending = [c.get("message", "") for c in found if c["status"] == "True"]

    def read_workload(self, asked: dict[str, Future[Answer]]) -> None:
        """Find the workload, of whatever kind it is."""
        if not any(answer.result()[0] for answer in asked.values()):
            asked.update({kind: self.ask_for_object(kind) for kind in KINDS if kind not in asked})
        refusals = []
        for kind, answer in asked.items():
            found, why = answer.result()
            if found and not self.facts.workload:
                self.facts.workload = {**found, "kind": kind}
            if why == "Forbidden" and kind == "Deployment":
                self.facts.unseen.append("deployments")
            elif why not in EXPECTED_REFUSALS:
                refusals.append(why)
        if refusals and not self.facts.workload:
            raise CannotLook("cluster-unwell", f"It answers {refusals[0]}.")

    def follow_owners(self) -> None:
        """Go from a pod, by the name that `get pods` shows, to what made it."""
        while self.facts.workload and self.facts.workload["kind"] in ("Pod", "ReplicaSet"):
            owner = self.controller_of(self.facts.workload)
            if not owner:
                return
            place = address(owner["kind"], self.question.project, owner["name"])
            found = self.cluster.get(place)[0]
            if not found:
                return
            self.facts.workload = {**found, "kind": owner["kind"]}
            self.facts.name = owner["name"]

    @staticmethod
    def controller_of(item: Object) -> Object | None:
        """Return the reference to what controls an object, where it is of a known kind."""
        for reference in item["metadata"].get("ownerReferences") or []:
            if reference.get("controller") and reference["kind"] in KINDS:
                found: Object = reference
                return found
        return None

    def read_lists(self, lists: dict[str, Future[Answer]]) -> None:
        """Note what the project has of each kind in LISTS; None of what may not be read."""
        for field, answer in lists.items():
            found, why = answer.result()
            if found:
                setattr(self.facts, field, [without_managed_fields(i) for i in found["items"]])
            no_openshift = field == "routes" and why in ("NoSuchKind", "Forbidden")
            if why and not no_openshift:
                self.facts.unseen.append(field)

    def read_other_names(self) -> None:
        """Note what is deployed in the project, as the wanted workload is not."""
        kinds = ("Deployment", "CronJob", "StatefulSet")
        answers = [self.ask(address(kind, self.question.project)) for kind in kinds]
        names: list[str] = []
        for answer in answers:
            found, _ = answer.result()
            names += [name_of(item) for item in found["items"]] if found else []
        self.facts.others = sorted(names)

    def read_jobs(self, workload: Object) -> None:
        """Note the runs of a CronJob, oldest first; a Job is its own."""
        if workload["kind"] == "Job":
            self.facts.jobs = [workload]
            return
        found, _ = self.cluster.get(address("Job", self.question.project))
        if found:
            jobs = owned(found["items"], workload)
            self.facts.jobs = sorted(jobs, key=lambda job: job["metadata"]["creationTimestamp"])

    def labels_of_pods(self, workload: Object) -> dict[str, str]:
        """Return the labels by which a workload finds its pods."""
        if workload["kind"] in ("CronJob", "Job"):
            return {"batch.kubernetes.io/job-name": name_of(self.facts.jobs[-1])}
        chosen: Object = workload["spec"].get("selector") or {}
        if workload["kind"] == "DeploymentConfig":
            return chosen
        labels: dict[str, str] = chosen.get("matchLabels", {})
        return labels

    def read_pods(self, workload: Object) -> None:
        """Note the pods of the workload, and what stands between."""
        kind = workload["kind"]
        if kind in ("CronJob", "Job"):
            self.read_jobs(workload)
            if not self.facts.jobs:
                return
        asked: dict[str, Future[Answer]] = {}
        if kind == "Pod":
            self.facts.pods = [workload]
        else:
            labels = selector(self.labels_of_pods(workload))
            asked["pods"] = self.ask_within("/api/v1", f"pods?{labels}")
            if kind == "Deployment":
                asked["sets"] = self.ask_within("/apis/apps/v1", f"replicasets?{labels}")
        if leading(self.facts.services, labels_of(pod_of(workload))):
            asked["policies"] = self.ask_within("/apis/networking.k8s.io/v1", "networkpolicies")
        for field, answer in asked.items():
            found, why = answer.result()
            if why not in ("", "Forbidden"):
                raise CannotLook("cluster-unwell", f"It answers {why}.")
            if why:
                self.facts.unseen.append(field)
            setattr(self.facts, field, found["items"] if found else [])
        self.keep_own_pods(workload)

    def keep_own_pods(self, workload: Object) -> None:
        """Part the workload's own pods from others of the same labels.

        What owns no pod itself (a DeploymentConfig, what may not be read) keeps them all."""
        owners: Objects = []
        if workload["kind"] == "Deployment":
            owners = self.facts.sets = owned(self.facts.sets, workload)
        elif workload["kind"] in ("StatefulSet", "DaemonSet", "ReplicaSet"):
            owners = [workload]
        if not owners:
            return
        own: Objects = []
        for owner in owners:
            own += owned(self.facts.pods, owner)
        self.facts.besides = [pod for pod in self.facts.pods if pod not in own]
        self.facts.pods = own

    def read_secrets(self, template: Object) -> None:
        """Read the pull secrets that the pods use, else those of other accounts, and no others.

        Their tokens are not kept in the facts, but in `logins`."""
        self.facts.used, elsewhere = pull_secrets(template, self.facts.accounts)
        names = self.facts.used or [secret for _, secret in elsewhere]
        asked = {name: self.ask_within("/api/v1", f"secrets/{name}") for name in names}
        for name, answer in asked.items():
            secret, why = answer.result()
            if secret:
                self.facts.secrets[name], self.logins[name] = read_secret(secret)
                self.facts.withheld |= withheld(self.logins[name])
            elif why == "NotFound":
                self.facts.secrets[name] = None
            elif "secrets" not in self.facts.unseen:
                self.facts.unseen.append("secrets")

    def look_for_needs(self, template: Object) -> dict[tuple[str, str], bool]:
        """Return {(secret or configmap, name): whether it is there} of those that a pod needs.

        Only whether they are there is kept, and only as far as that may be known."""
        place = f"/api/v1/namespaces/{self.question.project}"
        asked = {
            (kind, name): self.pool.submit(self.cluster.raw, f"{place}/{kind}s/{name}")
            for kind, name, _ in needs_of(template)
        }
        reasons = {need: answer.result()[1] for need, answer in asked.items()}
        return {need: why == "" for need, why in reasons.items() if why in ("", "NotFound")}

    def ask_for_ports(self, pod: str, container: str) -> Future[Any]:
        """Ask what a container listens on, and go on."""
        return self.pool.submit(listening_in, self.cluster, self.question.project, pod, container)

    def read_logs(self) -> None:
        """Read the logs of containers that fail, and the ports of those that run unanswered."""
        logs: dict[str, Future[str]] = {}
        ports: dict[str, Future[Any]] = {}
        pods = [pod for pod in self.facts.pods if not is_ending(pod)]
        pods.sort(key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)
        containers = [(pod, *one) for pod in pods for one in failing(pod)]
        for pod, container, previous in containers[:MOST_LOGS]:
            name = name_of(pod)
            place = f"/api/v1/namespaces/{self.question.project}/pods/{name}"
            path = f"{place}/log?container={container}&tailLines=80"
            key = f"{name}/{container}"
            logs[key] = self.pool.submit(log_of, self.cluster, path, previous)
            if runs_now(pod, container):
                ports[key] = self.ask_for_ports(name, container)
        for name, container in unproven(self.facts)[:1]:
            ports[f"{name}/{container}"] = self.ask_for_ports(name, container)
        self.facts.logs = {key: answer.result() for key, answer in logs.items()}
        self.facts.ports = {key: answer.result() for key, answer in ports.items()}


def ports_that_probes_ask(containers: Objects) -> set[int | None]:
    """Return the ports that readiness probes ask of a pod's containers."""
    found = set()
    for container in containers:
        port = asked_port(container.get("readinessProbe") or {})
        found.add(target_of({"port": 0, "targetPort": port or 0}, [container]))
    return found


def ports_that_services_lead_to(facts: Facts, containers: Objects) -> set[int | None]:
    """Return the TCP ports of the workload's pods that Services lead to."""
    found = set()
    for service in leading(facts.services, labels_of(pod_of(facts.workload))):
        for port in service["spec"].get("ports") or []:
            if port.get("protocol", "TCP") == "TCP":
                found.add(target_of(port, containers))
    return found


def unproven(facts: Facts) -> list[tuple[str, str]]:
    """Return [(pod, container)] of ready pods with a Service at a port that no probe asks."""
    if not facts.workload or facts.workload["kind"] in ("CronJob", "Job"):
        return []
    containers = template_of(facts.workload).get("containers", [])
    targets = ports_that_services_lead_to(facts, containers)
    if not targets - ports_that_probes_ask(containers) - {None}:
        return []
    found = []
    for pod in facts.pods:
        statuses = pod["status"].get("containerStatuses") or [{}]
        if not is_ending(pod) and all(status.get("ready") for status in statuses):
            found.append((name_of(pod), containers[0]["name"]))
    return found


def gather(question: Question) -> Facts:
    """Return all that is known of one application; CannotLook where nothing can be."""
    with ThreadPoolExecutor(THREADS) as pool:
        return Gathering(question, pool).gather()
