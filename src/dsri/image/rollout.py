"""Prints the commands that bring an image to the cluster."""

from __future__ import annotations

import re
from pathlib import Path

from dsri.image.manifests import manifests, pods, runs, subject_of


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
