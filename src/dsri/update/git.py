"""Runs git."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from dsri.update import Stopped


def git_bytes(
    *words: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    text: bytes | None = None,
) -> bytes:
    """Return what git prints, in bytes; Stopped with what it says where it fails.

    `text` is what it reads."""
    done = subprocess.run(
        ["git", *words], cwd=cwd, env=env, input=text, capture_output=True, check=False
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise Stopped(f"git {words[0]}: {said}")
    return done.stdout


def git(
    *words: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    text: str | None = None,
) -> str:
    """Return what git prints; Stopped with what it says where it fails.

    A path that is no UTF-8 stays as it is, by Python's `surrogateescape`."""
    given = None if text is None else text.encode("utf-8", "surrogateescape")
    return git_bytes(*words, cwd=cwd, env=env, text=given).decode("utf-8", "surrogateescape")
