"""Which base images a test builds on, and whether this machine can have them."""

import functools
import re
import shutil
import subprocess
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent
SECONDS_TO_ANSWER = 30  # for a registry


def staged(path):
    """The file that users get at this path of a stack's folder, or of the one for every stack."""
    return next(TEMPLATE.glob(f"{{{{cookiecutter.repo_name}}}}/*cookiecutter-stacks/{path}*"))


def dockerfile(stack):
    """The Dockerfile that users of a stack get."""
    return staged(f"{stack}/Dockerfile")


def base_images(path):
    """The images that a Dockerfile is built on, in their order; a stage of its own is none."""
    stages, images = set(), []
    lines = re.findall(r"(?m)^FROM (\S+)(?: AS (\S+))?", path.read_text(encoding="utf-8"))
    for image, stage in lines:
        if image not in stages | set(images):
            images.append(image)
        stages.add(stage)
    return images


def succeeds(*command):
    """Whether a command ends with status 0, in time."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS_TO_ANSWER)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


@functools.cache
def docker_runs(docker="docker"):
    """Whether there is a Docker whose engine answers."""
    return bool(shutil.which(docker)) and succeeds(docker, "version")


@functools.cache
def is_available(image, docker="docker"):
    """Whether Docker has the image, or its registry answers that it does."""
    return succeeds(docker, "image", "inspect", image) or succeeds(
        docker, "buildx", "imagetools", "inspect", image
    )


def built_stacks(item):
    """The stacks whose image a test builds: of its parameter, its markers, or the simplest one."""
    parameters = getattr(item, "callspec", None)
    named = [parameters.params.get(name) for name in ("stack", "job")] if parameters else []
    for marker in item.iter_markers("builds"):
        named += marker.args
    return [stack for stack in named if stack] or ["own-dockerfile"]


def images_of(item):
    """The base images of all that a test builds; the workflow's level builds the scanner too."""
    files = [dockerfile(stack) for stack in built_stacks(item)]
    if item.path.parent.name == "workflow":
        files.append(staged("every/.github/sbom.Dockerfile"))
    return [image for file in files for image in base_images(file)]
