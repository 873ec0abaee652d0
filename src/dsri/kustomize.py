"""The objects of a folder of manifests, as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from dsri.processes import run

Object = dict[str, Any]  # an object of the Kubernetes API, as its JSON reads


class UnreadableManifests(Exception):
    """What the tool said of a folder of manifests that it cannot read."""


def objects_in(text: str) -> list[Object]:
    """Return the objects of what `kubectl -o json` prints: one JSON value after the other."""
    decoder = json.JSONDecoder()
    found: list[Object] = []
    rest = text[text.index("{") :] if "{" in text else ""
    while rest:
        value, end = decoder.raw_decode(rest)
        found += value["items"] if value["kind"] == "List" else [value]
        rest = rest[end:].lstrip()
    return found


def build(tool: str, folder: Path) -> list[Object]:
    """Return every object that `TOOL apply -k FOLDER` would send.

    UnreadableManifests holds what the tool says where it cannot."""
    built = run(tool, "kustomize", str(folder))
    if built.status:
        raise UnreadableManifests(built.error or built.output)
    # Removing a label that is not there changes nothing; what is wanted is the same objects as
    # JSON, which Python reads. No cluster is asked, so no login is read: a broken one would fail.
    words = ["label", "--local", f"--kubeconfig={os.devnull}", "-f", "-", "-o", "json"]
    converted = run(tool, *words, "none-such-", text=built.output)
    if converted.status:
        raise UnreadableManifests(converted.error or converted.output)
    return objects_in(converted.output)
