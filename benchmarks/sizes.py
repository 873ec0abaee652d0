"""How much each stack's image adds to its base image, on the disk and as it is pushed.

    python benchmarks/sizes.py [STACK…]

It prints a Markdown table. An image is generated, built, saved, and its layers read; its base is
what its last stage begins with. MB are 10⁶ bytes.

Baseline, 2026-11. Every base was a stand-in of Debian packages under the public name, so its own
size says nothing of the real one's; r-shiny's had the packages that the real one lacks (shiny,
ggplot2, bslib), so what it adds is known only there.

| stack | base image | base, MB | as pushed | added, MB | as pushed |
|---|---|---:|---:|---:|---:|
| `fastapi` | `ghcr.io/astral-sh/uv:python3.13-trixie-slim` | 419.2 | 186.6 | 18.1 | 5.9 |
| `own-dockerfile` | `ghcr.io/astral-sh/uv:python3.13-trixie-slim` | 419.2 | 186.6 | 0.0 | 0.0 |
| `jupyterlab` | `quay.io/jupyter/minimal-notebook:2026-10-05` | 908.3 | 356.6 | 239.9 | 73.5 |
| `react` | `ghcr.io/nginx/nginx-unprivileged:stable` | 346.1 | 156.0 | 0.3 | 0.1 |
| `batch-job` | `ghcr.io/astral-sh/uv:python3.13-trixie-slim` | 419.2 | 186.6 | 11.7 | 4.2 |
| `r-shiny` | `ghcr.io/rocker-org/r-ver:4.6.0` | 706.6 | 398.7 | 0.0 | 0.0 |
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from commands import TEMPLATE, build_image, generate, run

STACKS = list(json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))["_stacks"])
MB = 1e6  # bytes
CHUNK = 1 << 20  # bytes that are unpacked at once
HEAD = """\
| stack | base image | base, MB | as pushed | added, MB | as pushed |
|---|---|---:|---:|---:|---:|"""


@dataclass(frozen=True)
class Size:
    """The size of a layer, or of several, in bytes."""

    pushed: int  # compressed, as a registry keeps it
    unpacked: int  # on the disk


def build(name: str, *arguments: str, send: str | None = None) -> list[str]:
    """Build an image; return the digests of its unpacked layers, the lowest first.

    `arguments` and `send` are those of commands.build_image.
    """
    options = ["--platform", "linux/amd64", "--provenance=false"]
    build_image(name, *options, *arguments, send=send)
    return json.loads(run("docker", "image", "inspect", name))[0]["RootFS"]["Layers"]


def base_of(dockerfile: str) -> str | None:
    """Return the image that the last stage begins with, through the stages before it.

    `dockerfile` is the text; None where it has no stage.
    """
    stages: dict[str, str] = {}
    base = None
    for image, stage in re.findall(r"(?mi)^FROM\s+(\S+)(?:\s+AS\s+(\S+))?", dockerfile):
        base = stages.get(image, image)
        stages[stage] = base
    return base


def blob(saved: tarfile.TarFile, descriptor: dict[str, str]) -> IO[bytes]:
    """Return what a descriptor stands for in a saved image (OCI image layout)."""
    return saved.extractfile("blobs/" + descriptor["digest"].replace(":", "/"))


def unpacked_size(layer: IO[bytes]) -> int:
    """Return how many bytes a compressed layer is on the disk."""
    size = 0
    with gzip.open(layer) as unpacked:
        while chunk := unpacked.read(CHUNK):
            size += len(chunk)
    return size


def layers_of(name: str, folder: str) -> list[Size]:
    """Return the sizes of an image's layers, the lowest first; `folder` is for what is saved."""
    run("docker", "image", "save", "--output", f"{folder}/image.tar", name)
    with tarfile.open(f"{folder}/image.tar") as saved:
        found = json.load(saved.extractfile("index.json"))
        while "manifests" in found:
            found = json.load(blob(saved, found["manifests"][0]))
        return [
            Size(pushed=layer["size"], unpacked=unpacked_size(blob(saved, layer)))
            for layer in found["layers"]
        ]


def columns(layers: Iterable[Size]) -> str:
    """Return two columns of the table: the layers' size on the disk, then as pushed."""
    pushed = unpacked = 0
    for layer in layers:
        pushed += layer.pushed
        unpacked += layer.unpacked
    return f"{unpacked / MB:.1f} | {pushed / MB:.1f}"


def measure(stack: str) -> str:
    """Return a stack's line of the table. AssertionError where its base is not below it."""
    image, base_image = f"localhost/sizes-{stack}", f"localhost/sizes-{stack}-base"
    try:
        with tempfile.TemporaryDirectory() as folder:
            generate(folder, f"stack={stack}", "repo_name=sizes")
            base = base_of((Path(folder) / "sizes/Dockerfile").read_text(encoding="utf-8"))
            below = build(base_image, "-", send=f"FROM {base}\n")
            all_of_it = build(image, f"{folder}/sizes")
            assert all_of_it[: len(below)] == below, f"{stack} is not built on {base}"
            layers = layers_of(image, folder)
    finally:
        for name in (image, base_image):
            remove = ["docker", "image", "rm", "--force", name]
            subprocess.run(remove, check=False, capture_output=True)
    height = len(below)
    return f"| `{stack}` | `{base}` | {columns(layers[:height])} | {columns(layers[height:])} |"


def main(stacks: list[str]) -> None:
    """Print the table of these stacks, or of all."""
    print(HEAD)
    for stack in stacks or STACKS:
        print(measure(stack), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
