"""Reads the Kubernetes API's objects: Deployments, pods, Services and what belongs to them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator

from dsri.kustomize import Object

# Where the API has each kind that may run the application: (path, plural).
KINDS = {
    "Deployment": ("/apis/apps/v1", "deployments"),
    "CronJob": ("/apis/batch/v1", "cronjobs"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
    "Job": ("/apis/batch/v1", "jobs"),
    "DeploymentConfig": ("/apis/apps.openshift.io/v1", "deploymentconfigs"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "Pod": ("/api/v1", "pods"),
}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
Need = tuple[str, str, list[str]]  # secret or configmap, its name, the keys that have to be in it


def name_of(item: Object) -> str:
    """Return an object's name."""
    return str(item["metadata"]["name"])


def labels_of(item: Object) -> dict[str, str]:
    """Return an object's labels."""
    return item.get("metadata", {}).get("labels") or {}


def pod_of(workload: Object | None) -> Object:
    """Return the pod, with its labels, that a Deployment, CronJob, … makes; a Pod is its own."""
    if workload is None:
        return {}
    if workload.get("kind") == "Pod":
        return workload
    spec = workload.get("spec", {})
    pod: Object = spec.get("jobTemplate", {}).get("spec", spec).get("template", {})
    return pod


def template_of(workload: Object | None) -> Object:
    """Return the pod's specification of a Deployment, a CronJob or the like."""
    spec: Object = pod_of(workload).get("spec", {})
    return spec


def owned(items: Iterable[Object], owner: Object) -> list[Object]:
    """Return those of `items` that `owner` has made."""
    uid = owner["metadata"]["uid"]
    found = []
    for item in items:
        references = item["metadata"].get("ownerReferences", [])
        if any(reference.get("uid") == uid for reference in references):
            found.append(item)
    return found


def is_ending(item: Object) -> bool:
    """Tell whether an object is being deleted."""
    return bool(item["metadata"].get("deletionTimestamp"))


def is_settled(pod: Object) -> bool:
    """Tell whether a pod does its work: it is ready, or has done it."""
    status = pod.get("status", {})
    ready = condition(pod, "Ready", status="True")
    return bool(ready) or status.get("phase") == "Succeeded"


def conditions(item: Object) -> list[Object]:
    """Return the conditions of an object's status."""
    return item.get("status", {}).get("conditions") or []


def condition(item: Object, *types: str, status: str = "") -> Object | None:
    """Return the first condition of one of these types, and of this status where one is given."""
    for one in conditions(item):
        if one["type"] in types and status in ("", one["status"]):
            return one
    return None


def container_statuses(pod: Object) -> Iterator[Object]:
    """Yield the status of each container of a pod, those of init containers first."""
    status = pod.get("status", {})
    yield from status.get("initContainerStatuses") or []
    yield from status.get("containerStatuses") or []


def is_running(pod: Object) -> bool:
    """Tell whether any container of a pod runs."""
    return any("running" in status.get("state", {}) for status in container_statuses(pod))


def when(text: str | None) -> datetime.datetime | None:
    """Return a time as the API or a header of GitHub's writes it; None where it is none."""
    match = re.match(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)", text or "")
    if not match:
        return None
    numbers = [int(number) for number in match.groups()]
    return datetime.datetime(*numbers, tzinfo=datetime.timezone.utc)  # type: ignore[arg-type, misc]


def image_host(image_id: str) -> str:
    """Return an image's name as a node gives it, without a scheme such as docker-pullable://."""
    return re.sub(r"^.*://", "", image_id)


def digest_in(text: str | None) -> str:
    """Return the digest in an image's name; "" where there is none."""
    match = re.search(r"sha256:[0-9a-f]{64}", text or "")
    return match[0] if match else ""


def chosen(labels: dict[str, str], selector: dict[str, str]) -> bool:
    """Tell whether a selector's labels are all among these."""
    return all(labels.get(key) == value for key, value in selector.items())


def leading(services: list[Object] | None, labels: dict[str, str]) -> list[Object]:
    """Return the Services that lead to pods with these labels."""
    found = []
    for service in services or []:
        selector = service["spec"].get("selector")
        if selector and chosen(labels, selector):
            found.append(service)
    return found


def named_ports(containers: Iterable[Object]) -> dict[str | None, int]:
    """Return {name: number} of the ports that containers name; the first one of a name counts."""
    found: dict[str | None, int] = {}
    for container in containers:
        for port in container.get("ports") or []:
            found.setdefault(port.get("name"), port["containerPort"])
    return found


def port_numbers(containers: Iterable[Object]) -> list[int]:
    """Return the numbers of the ports that containers name, in order."""
    found = set()
    for container in containers:
        found |= {port["containerPort"] for port in container.get("ports") or []}
    return sorted(found)


def target_of(port: Object, containers: Iterable[Object]) -> int | None:
    """Return the number that a Service's port leads to; None for a name that no container has."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    return named_ports(containers).get(target)


def probes_in(container: Object) -> list[Object]:
    """Return the probes of a container."""
    return [container[probe] for probe in PROBES if probe in container]


def asked_port(probe: Object) -> object:
    """Return the port that a probe asks, a number or a name; None where it runs a command."""
    return (probe.get("httpGet") or probe.get("tcpSocket") or probe.get("grpc") or {}).get("port")


def probed_ports(container: Object) -> list[object]:
    """Return the ports that a container's probes ask.

    A name stays a name where no port of the container has it."""
    numbers = named_ports([container])
    asked = [asked_port(probe) for probe in probes_in(container)]
    return [numbers.get(str(port), port) for port in asked if port is not None]


class Needs:
    """Collects the Secrets and ConfigMaps that a pod needs to start, and their keys."""

    def __init__(self) -> None:
        """Start with none."""
        self.found: dict[tuple[str, str], list[str]] = {}

    def add(self, kind: str, source: Object | None, key: str = "name") -> None:
        """Add one source of variables or files, unless the pod can start without it."""
        if not source or not source.get(key) or source.get("optional"):
            return
        keys = self.found.setdefault((kind, source[key]), [])
        if "key" in source:
            keys.append(source["key"])
        else:
            keys += [item["key"] for item in source.get("items") or []]

    def add_container(self, container: Object) -> None:
        """Add what a container's variables come from."""
        for source in container.get("envFrom") or []:
            self.add("secret", source.get("secretRef"))
            self.add("configmap", source.get("configMapRef"))
        for variable in container.get("env") or []:
            source = variable.get("valueFrom", {})
            self.add("secret", source.get("secretKeyRef"))
            self.add("configmap", source.get("configMapKeyRef"))

    def add_volume(self, volume: Object) -> None:
        """Add what a volume's files come from."""
        self.add("secret", volume.get("secret"), "secretName")
        for source in [volume, *volume.get("projected", {}).get("sources", [])]:
            self.add("secret", source.get("secret"))
            self.add("configmap", source.get("configMap"))


def needs_of(template: Object) -> list[Need]:
    """Return the Secrets and ConfigMaps, with their keys, that a pod needs to start."""
    needs = Needs()
    for container in all_containers(template):
        needs.add_container(container)
    for volume in template.get("volumes") or []:
        needs.add_volume(volume)
    return [(kind, name, list(dict.fromkeys(keys))) for (kind, name), keys in needs.found.items()]


def all_containers(template: Object) -> list[Object]:
    """Return a pod's containers, the init containers first."""
    return [*(template.get("initContainers") or []), *template.get("containers", [])]


def pull_secrets(
    template: Object, accounts: list[Object] | None
) -> tuple[list[str], list[tuple[str, str]]]:
    """Return (the pull secrets of a pod, [(account, secret)] of other accounts).

    A pod takes those that it names itself, else those of its account (Kubernetes, Add
    ImagePullSecrets to a service account). OpenShift's own are left out."""
    own = template.get("serviceAccountName") or "default"
    of_own: list[str] = []
    of_others: list[tuple[str, str]] = []
    for account in accounts or []:
        for secret in account.get("imagePullSecrets") or []:
            if re.search(r"-dockercfg-[a-z0-9]{5}$", secret["name"]):
                continue
            if name_of(account) == own:
                of_own.append(secret["name"])
            else:
                of_others.append((name_of(account), secret["name"]))
    named = [secret["name"] for secret in template.get("imagePullSecrets") or []]
    return named or of_own, of_others
