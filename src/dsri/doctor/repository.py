"""What the repository in this folder says should run."""

from __future__ import annotations

import re
from pathlib import Path

from dsri.doctor.cluster import CannotLook
from dsri.doctor.facts import Expected
from dsri.doctor.hide import looks_like_a_token
from dsri.doctor.objects import KINDS, labels_of, name_of, template_of
from dsri.kustomize import Object, UnreadableManifests, build


def has_manifests(folder: Path) -> bool:
    """Tell whether a folder has a kustomization."""
    names = ("kustomization.yaml", "kustomization.yml")
    return any((folder / name).is_file() for name in names)


def user_of_the_steps(folder: Path) -> str | None:
    """Return the login that the printed steps have, from the README.md of the manifests' folder."""
    readme = folder / "README.md"
    if not readme.is_file():
        return None
    text = readme.read_text(encoding="utf-8", errors="replace")
    found = re.search(r"--docker-username=([\w-]+)", text)
    if not found or looks_like_a_token(found[1]):
        return None
    return found[1]


def is_own(workload: Object) -> bool:
    """Tell whether a workload is the application's own.

    It has a container with the name that the kustomization calls everything a part of; an overlay
    may have renamed the rest."""
    application = labels_of(workload).get("app.kubernetes.io/part-of")
    containers = template_of(workload).get("containers", [])
    return application in [container["name"] for container in containers]


def expected_in(tool: str, folder: Path, name: str | None = None) -> Expected:
    """Return what the manifests in a folder say: of the workload `name`, else of its own one.

    CannotLook where they cannot be read."""
    try:
        objects = build(tool, folder)
    except UnreadableManifests as error:
        raise CannotLook("no-manifests", str(error)) from error
    workloads = [item for item in objects if item["kind"] in KINDS]
    if not workloads:
        kinds = ", ".join(KINDS)
        raise CannotLook("no-manifests", f"{folder} has no workload: no {kinds}")
    workload = min(workloads, key=lambda one: (name_of(one) != name, not is_own(one)))
    return Expected(
        workload=workload,
        name=name_of(workload),
        folder=folder.as_posix(),
        project=workload["metadata"].get("namespace"),
        user=user_of_the_steps(folder),
        others=[name_of(one) for one in workloads if one is not workload],
        objects=[(item["kind"], name_of(item)) for item in objects],
    )
