"""What the manifests say of the container that runs an image."""

from __future__ import annotations

import base64
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from dsri.kustomize import Object, UnreadableManifests, build

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
