"""The publish runs on GitHub, as `gh` tells of them."""

from __future__ import annotations

import json
import re
import shutil

from dsri.doctor.facts import PublishRun
from dsri.doctor.objects import template_of
from dsri.kustomize import Object
from dsri.processes import run

FIELDS = "databaseId,status,conclusion,event,updatedAt,url"
LONGEST_LOG = 20_000  # characters, from its end


def repository_of(workload: Object | None) -> str | None:
    """Return owner/name on GitHub of a workload's image on ghcr.io."""
    for container in template_of(workload).get("containers", []):
        image = container.get("image", "")
        match = re.match(r"ghcr\.io/([\w.-]+/[\w.-]+?)([:@]|$)", image, re.IGNORECASE)
        if match:
            return match[1]
    return None


def publish_runs(repository: str | None) -> list[PublishRun] | None:
    """Return the last publish runs of owner/name, newest first; None where `gh` cannot tell."""
    if not repository or not shutil.which("gh"):
        return None
    where = ["--repo", repository]
    words = ["run", "list", *where, "--workflow", "publish.yml", "--limit", "10", "--json", FIELDS]
    done = run("gh", *words, seconds=8)
    if done.status:
        return None
    runs = []
    for one in json.loads(done.output):
        if one["event"] != "pull_request":
            number, updated = one.pop("databaseId"), one.pop("updatedAt")
            runs.append(PublishRun(number=number, updated=updated, **one))
    if runs and runs[0].conclusion == "failure":
        words = ["run", "view", str(runs[0].number), *where, "--log-failed"]
        runs[0].log = run("gh", *words, seconds=10).output[-LONGEST_LOG:]
    return runs
