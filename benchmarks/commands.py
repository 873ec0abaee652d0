"""What several benchmarks run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent


def run(*command: str, send: str | None = None) -> str:
    """Return what a command prints; `send` is what it reads. CalledProcessError where it fails."""
    done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8", input=send)
    return done.stdout


def generate(folder: str, *answers: str, template: Path = TEMPLATE) -> None:
    """Generate a repository in `folder` by plain cookiecutter, which asks nothing.

    An answer is `question=answer`. CalledProcessError where it is refused.
    """
    cookiecutter = [sys.executable, "-m", "cookiecutter", "--no-input"]
    run(*cookiecutter, str(template), "-o", folder, *answers)


def build_image(name: str, *arguments: str, send: str | None = None) -> None:
    """Build an image of that name with Docker's own builder, and load it.

    `arguments` end with the context; `send` is the Dockerfile where that is `-`.
    CalledProcessError where it fails.
    """
    build = ["docker", "buildx", "build", "--builder", "default"]
    run(*build, "--load", "--tag", name, *arguments, send=send)
