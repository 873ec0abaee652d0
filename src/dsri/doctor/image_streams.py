"""Reads which image streams fill in the images of a workload's containers, and what is in them.

OpenShift's older way (OpenShift, Triggering updates on image stream changes): the manifest has a
placeholder, often a blank, and OpenShift puts the image in once the stream's tag has one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from dsri.doctor.objects import all_containers, name_of, template_of
from dsri.doctor.registry import split
from dsri.kustomize import Object

API = "/apis/image.openshift.io/v1"
ANNOTATION = "image.openshift.io/triggers"
# The place of a container in a pod, by its name or its number.
FIELD = re.compile(r"""(containers|initContainers)\[(?:\?\(@\.name==["']([^"']+)["']\)|(\d+))\]""")
# The cluster's own registry, and the project and stream whose image it is.
INSIDE = re.compile(
    r"(?:image-registry\.openshift-image-registry\.svc"
    r"|default-route-openshift-image-registry\.)[^/]*/([^/]+)/([^/:@]+)"
)
# Of a project and a stream (RFC 1123), and of a tag (distribution, reference).
NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
Stream = tuple[str, str]  # project, name


@dataclass(frozen=True)
class Source:
    """The ImageStreamTag that a container's image comes from."""

    container: str
    project: str
    stream: str
    tag: str
    is_paused: bool = False

    @property
    def key(self) -> Stream:
        """The stream, as Facts has it."""
        return self.project, self.stream

    @property
    def name(self) -> str:
        """The ImageStreamTag's name."""
        return f"{self.stream}:{self.tag}"


def is_blank(image: str) -> bool:
    """Tell whether an image is OpenShift's placeholder, or nothing."""
    return not image.strip()


def source_of(reference: Object, container: str, project: str, paused: bool) -> Source | None:
    """Return what a trigger refers to; None where it is no ImageStreamTag."""
    stream, _, tag = str(reference.get("name", "")).partition(":")
    place = str(reference.get("namespace") or project)
    # They go into commands, and whoever wrote the annotation may have put anything there.
    are_names = NAME.fullmatch(place) and NAME.fullmatch(stream) and TAG.fullmatch(tag or "latest")
    if reference.get("kind") != "ImageStreamTag" or not are_names:
        return None
    return Source(container, place, stream, tag or "latest", paused)


def annotated(workload: Object) -> list[Object]:
    """Return the triggers in a workload's annotation; none where it cannot be read."""
    text = (workload.get("metadata", {}).get("annotations") or {}).get(ANNOTATION)
    try:
        found = json.loads(text or "[]")
    except ValueError:
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def container_at(workload: Object, path: str) -> str:
    """Return the name of the container that a trigger's `fieldPath` means; "" for none."""
    found = FIELD.search(path)
    if not found:
        return ""
    if found[2]:
        return found[2]
    containers = template_of(workload).get(found[1]) or []
    number = int(found[3])
    return name_of({"metadata": containers[number]}) if number < len(containers) else ""


def by_annotation(workload: Object, project: str) -> Iterator[Source]:
    """Yield the sources that a Deployment or the like names in its annotation."""
    for trigger in annotated(workload):
        container = container_at(workload, str(trigger.get("fieldPath", "")))
        # Some write the boolean as a text, and some `pause`.
        paused = trigger.get("paused", trigger.get("pause"))
        is_paused = str(paused).lower() == "true"
        source = source_of(trigger.get("from") or {}, container, project, is_paused)
        if source:
            yield source


def by_deployment_config(workload: Object, project: str) -> Iterator[Source]:
    """Yield the sources of a DeploymentConfig's image-change triggers."""
    for trigger in workload.get("spec", {}).get("triggers") or []:
        about = trigger.get("imageChangeParams") or {}
        for container in about.get("containerNames") or []:
            is_paused = not about.get("automatic", False)
            source = source_of(about.get("from") or {}, container, project, is_paused)
            if source:
                yield source


def in_own_registry(workload: Object) -> Iterator[Source]:
    """Yield the sources of images that are named as the cluster's own registry has them."""
    for container in all_containers(template_of(workload)):
        image = container.get("image", "")
        found = INSIDE.match(image)
        if found and "@" not in image:
            yield Source(container["name"], found[1], found[2], split(image)[2])


def sources_of(workload: Object | None, project: str) -> list[Source]:
    """Return the ImageStreamTags that a workload's images come from, one for each container."""
    if not workload:
        return []
    found: dict[str, Source] = {}
    for source in (
        *by_annotation(workload, project),
        *by_deployment_config(workload, project),
        *in_own_registry(workload),
    ):
        if source.container:
            found.setdefault(source.container, source)
    return list(found.values())


def wanted(stream: Object, tag: str) -> Object:
    """Return what a stream's specification has of a tag; nothing where it has none."""
    for one in stream.get("spec", {}).get("tags") or []:
        if one.get("name") == tag:
            return dict(one)
    return {}


def imported(stream: Object, tag: str) -> Object:
    """Return what a stream's status has of a tag; nothing where it has none."""
    for one in stream.get("status", {}).get("tags") or []:
        if one.get("tag") == tag:
            return dict(one)
    return {}


def has_image(stream: Object, tag: str) -> bool:
    """Tell whether a tag has an image; one that only refers to it is never imported."""
    return bool(imported(stream, tag).get("items") or wanted(stream, tag).get("reference"))


def failed_import(stream: Object, tag: str) -> str | None:
    """Return what the cluster says of a tag's import that has failed; None where none has."""
    for one in imported(stream, tag).get("conditions") or []:
        if one.get("type") == "ImportSuccess" and one.get("status") == "False":
            return str(one.get("message", ""))
    return None
