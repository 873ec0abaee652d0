"""How much each stack's image adds to its base image, on the disk and as it is pushed, as a Markdown table.

    python benchmarks/sizes.py [STACK…]

An image is generated, built, saved, and its layers read; its base is what its last stage begins with. MB are 10⁶ bytes.

Baseline, 2026-11. Every base was a stand-in of Debian packages under the public name, so its own size says nothing of the
real one's; r-shiny's had the packages that the real one lacks (shiny, ggplot2, bslib), so what it adds is known only there.

| stack | base image | base, MB | as pushed | added, MB | as pushed |
|---|---|---:|---:|---:|---:|
| `fastapi` | `ghcr.io/astral-sh/uv:python3.13-trixie-slim` | 419.2 | 186.6 | 18.1 | 5.9 |
| `own-dockerfile` | `ghcr.io/astral-sh/uv:python3.13-trixie-slim` | 419.2 | 186.6 | 0.0 | 0.0 |
| `jupyterlab` | `quay.io/jupyter/minimal-notebook:2026-10-05` | 908.3 | 356.6 | 239.9 | 73.5 |
| `react` | `ghcr.io/nginx/nginx-unprivileged:stable` | 346.1 | 156.0 | 0.3 | 0.1 |
| `batch-job` | `ghcr.io/astral-sh/uv:python3.13-trixie-slim` | 419.2 | 186.6 | 11.7 | 4.2 |
| `r-shiny` | `ghcr.io/rocker-org/r-ver:4.6.0` | 706.6 | 398.7 | 0.0 | 0.0 |
"""

import gzip
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent
STACKS = list(json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))["_stacks"])


def run(*command, **options):
    return subprocess.run(
        command, check=True, capture_output=True, encoding="utf-8", **options
    ).stdout


def build(name, *arguments, **options):
    run(
        "docker",
        "buildx",
        "build",
        "--builder",
        "default",
        "--platform",
        "linux/amd64",
        "--provenance=false",
        "--load",
        "--tag",
        name,
        *arguments,
        **options,
    )
    return json.loads(run("docker", "image", "inspect", name))[0]["RootFS"]["Layers"]


def base_of(dockerfile):
    """The image that the last stage begins with, through the stages before it."""
    stages, image = {}, None
    for image, stage in re.findall(r"(?mi)^FROM\s+(\S+)(?:\s+AS\s+(\S+))?", dockerfile):
        image = stages.get(image, image)
        stages[stage] = image
    return image


def layers_of(name, folder):
    """[(bytes as pushed, bytes unpacked)] of an image's layers, the lowest first."""
    run("docker", "image", "save", "--output", f"{folder}/image.tar", name)
    with tarfile.open(f"{folder}/image.tar") as saved:

        def blob(descriptor):
            return saved.extractfile("blobs/" + descriptor["digest"].replace(":", "/"))

        found = json.load(saved.extractfile("index.json"))
        while "manifests" in found:
            found = json.load(blob(found["manifests"][0]))
        sizes = []
        for layer in found["layers"]:
            with gzip.open(blob(layer)) as unpacked:
                sizes.append(
                    (layer["size"], sum(map(len, iter(lambda: unpacked.read(1 << 20), b""))))
                )
        return sizes


def measure(stack):
    """A line of the table."""
    image, base_image = f"localhost/sizes-{stack}", f"localhost/sizes-{stack}-base"
    try:
        with tempfile.TemporaryDirectory() as folder:
            run(
                sys.executable,
                "-m",
                "cookiecutter",
                "--no-input",
                str(TEMPLATE),
                "-o",
                folder,
                f"stack={stack}",
                "repo_name=sizes",
            )
            base = base_of((Path(folder) / "sizes/Dockerfile").read_text(encoding="utf-8"))
            below, all_of_it = (
                build(base_image, "-", input=f"FROM {base}\n"),
                build(image, f"{folder}/sizes"),
            )
            assert all_of_it[: len(below)] == below, f"{stack} is not built on {base}"
            sizes = layers_of(image, folder)
    finally:
        for name in (image, base_image):
            subprocess.run(["docker", "image", "rm", "--force", name], capture_output=True)
    parts = [
        sum(layer[kind] for layer in part) / 1e6
        for part in (sizes[: len(below)], sizes[len(below) :])
        for kind in (1, 0)
    ]
    return f"| `{stack}` | `{base}` | " + " | ".join(f"{part:.1f}" for part in parts) + " |"


def main(stacks):
    print(
        "| stack | base image | base, MB | as pushed | added, MB | as pushed |\n|---|---|---:|---:|---:|---:|"
    )
    for stack in stacks or STACKS:
        print(measure(stack), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
