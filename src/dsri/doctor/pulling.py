"""Pulls of the image that failed, as the cluster tells of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dsri.doctor import commands
from dsri.doctor.case import Case
from dsri.doctor.credentials import check_secrets, refused
from dsri.doctor.github_runs import last_to_publish
from dsri.doctor.objects import name_of
from dsri.doctor.registry import host_of, split
from dsri.kustomize import Object

# The reasons of a container that waits for its image (kubelet, pkg/kubelet/images/types.go).
REASONS = (
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "RegistryUnavailable",
    "ImageInspectError",
    "InvalidImageName",
    "SignatureValidationFailed",
)
EVENTS = ("Failed", "InspectFailed", "FailedToRetrieveImagePullSecret", "InvalidImageName")
# The kind of failure → the words that containerd and CRI-O use for it. The first that fits counts.
KINDS_OF_FAILURE = {
    "platform": (
        r"no match for platform|no image found in (image index|manifest list)"
        r"|does not match the specified platform|architecture \S+, variant"
    ),
    "limit": r"\b429\b|toomanyrequests|too many requests|rate limit",
    "refused": (
        r"\b40[13]\b|unauthori[sz]ed|\bdenied\b|forbidden|authentication required"
        r"|invalid username/password|no basic auth"
    ),
    "missing": (r"\b404\b|not found|manifest unknown|name unknown|manifest_unknown|name_unknown"),
    "network": (
        r"no such host|timed? ?out|deadline exceeded|refused|x509|\bEOF\b|unreachable"
        r"|\b50[0234]\b|server misbehaving"
    ),
}


@dataclass
class Failure:
    """A container whose image is not pulled."""

    pod: Object
    container: str
    image: str
    reason: str  # of the container's state
    kind: str  # one of KINDS_OF_FAILURE, "name", or "" where it cannot be told
    message: str


def without_image(text: str, image: str) -> str:
    """Return a message without the image's own name, which may hold any word or number."""
    host, name, reference = split(image)
    words = {image, image.rpartition(":")[0], image.partition("@")[0], name, reference}
    words.add(f"{host}/{name}")
    for word in sorted(words, key=len, reverse=True):
        if len(word) > 3:  # noqa: PLR2004 - shorter ones are in too many words
            text = text.replace(word, "")
    # CRI-O tries an image as an artifact, too, and says both errors; the first one counts.
    return re.sub(r"sha256:[0-9a-f]+", "", text.partition("artifact err:")[0])


def kind_of_failure(text: str, image: str, reason: str) -> str:
    """Return the kind of failure that a message tells of; "" where it tells of none."""
    has_capitals = re.search("[A-Z]", image.partition("@")[0].rpartition(":")[0] or image)
    if (
        reason == "InvalidImageName"
        or has_capitals
        or re.search(r"ambiguous list|short-name", text)
    ):
        return "name"
    said = without_image(text, image)
    for kind, pattern in KINDS_OF_FAILURE.items():
        if re.search(pattern, said, re.IGNORECASE):
            return kind
    return ""


def failure_of(case: Case, pod: Object, status: Object) -> Failure:
    """Return how the pull of one container's image failed."""
    waiting, name = status["state"]["waiting"], status["name"]
    image = status.get("image", "")
    for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
        if container["name"] == name:
            image = container.get("image", image)
    now = waiting.get("message", "")
    before = [event.get("message", "") for event in case.events_of(pod, EVENTS)]
    # What holds now goes before what was said earlier.
    for text in [now, *reversed(before)]:
        kind = kind_of_failure(text, image, waiting["reason"])
        if kind:
            return Failure(pod, name, image, waiting["reason"], kind, text)
    return Failure(pod, name, image, waiting["reason"], "", now)


def pull_failures(case: Case) -> list[Failure]:
    """Return the containers whose image is not pulled."""
    found = []
    for pod, status in case.statuses(case.current):
        if status.get("state", {}).get("waiting", {}).get("reason") in REASONS:
            found.append(failure_of(case, pod, status))
    return found


def right_name(image: str) -> str:
    """Return what an image's name that cannot be pulled could be meant to be."""
    name = image.partition("@")[0]
    plain = re.sub(r"^\w+://", "", name)
    path, colon, tag = plain, "", ""
    if ":" in plain.rpartition("/")[2]:
        path, colon, tag = plain.rpartition(":")
    small = path.lower() + colon + tag
    if small != name:
        return small
    is_path = re.fullmatch(r"[\w.-]+(/[\w.-]+)*(:[\w.-]+)?", name)
    if is_path and host_of(name) == "docker.io":
        return f"REGISTRY/{name}"
    return "REGISTRY/OWNER/NAME:TAG"


def missing(case: Case, image: str, container: str, says: list[str]) -> None:
    """Add that the registry has no such image."""
    host, repository, reference = split(image)
    runs = case.facts.runs
    is_ours = host == "ghcr.io" and (case.expected is not None or runs is not None)
    where = f" (https://{host}/{repository} shows them)" if host == "ghcr.io" else ""
    look = f"push it, or name one that is there{where}:"
    if is_ours:
        look = f"gh run list --workflow publish.yml --repo {repository}"
    rename: list[str] = []
    if reference != "latest" or not is_ours:
        tag = "latest" if host == "ghcr.io" and reference != "latest" else "TAG"
        there = f"{host}/{repository}:{tag}"
        command = f"set image {case.target} {container}={there}"
        rename = commands.change(case, f"image: {there}", command)
    key = "image-missing/not-in-registry"
    last = last_to_publish(runs or [])
    if last and last.status == "in_progress":
        key = "image-missing/being-published"
        look = f"gh run watch {last.number} --repo {repository}"
    elif last and last.conclusion == "success":
        key = "image-missing/published"
    joint = "@" if reference.startswith("sha256:") else ":"
    shown = f"{repository}{joint}{reference}"
    case.add(key, says, of=container, host=host, shown=shown, look=look, rename=rename)


def wrong_name(case: Case, failure: Failure, says: list[str]) -> None:
    """Add that the image's name is not one."""
    case.add(
        "image-name",
        says,
        of=failure.container,
        image=failure.image,
        right=right_name(failure.image),
        also=" (and in kustomization.yaml)" if case.expected else "",
        container=failure.container,
    )


def too_many_pulls(case: Case, failure: Failure, says: list[str]) -> None:
    """Add that the registry's limit is reached."""
    host = host_of(failure.image)
    is_hub = host == "docker.io"
    why = "DockerHub limits the whole university's pulls together." if is_hub else ""
    case.add("pull-limit", says, host=host, why=why)


def other_failure(case: Case, failure: Failure, says: list[str]) -> None:
    """Add a failure by the rest of its kinds."""
    pod, image = name_of(failure.pod), failure.image
    if failure.reason == "ErrImageNeverPull":
        case.add("pull-failed/never", says, of=failure.container, image=image)
    elif failure.kind == "missing":
        missing(case, image, failure.container, says)
    elif failure.kind == "network":
        case.add("registry-unreachable", says, host=host_of(image), pod=pod)
    elif failure.message.strip():
        case.add("pull-failed/other", says, image=image, reason=failure.reason, pod=pod)


def pulling(case: Case) -> None:
    """Find why images are not pulled."""
    failures = [one for one in pull_failures(case) if one.container not in case.without_image]
    refusals = {failure.image for failure in failures if failure.kind == "refused"}
    images = {
        container.get("image", "")
        for name, container in case.containers.items()
        if name not in case.without_image
    }
    for image in sorted(images):
        check_secrets(case, image, is_refused=image in refusals)
    for failure in failures:
        says = case.say(failure.message, failure.image)
        if failure.kind == "name":
            wrong_name(case, failure, says)
        elif failure.kind == "platform":
            plain = failure.image.partition("@")[0]
            case.add("image-platform", says, image=failure.image, plain=plain)
        elif failure.kind == "limit":
            too_many_pulls(case, failure, says)
        elif failure.kind == "refused":
            refused(case, failure.image, says)
        else:
            other_failure(case, failure, says)
