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
MOST = 30  # runs that are looked at
LONGEST_LOG = 20_000  # characters, from its end
COMPLETED = "completed"
# A push to another branch than the default one ends so: it was not to publish anything.
NOT_TO_PUBLISH = ("skipped", "neutral")
ENDS_WITH_A_LOG = ("failure", "timed_out")


def repository_of(workload: Object | None) -> str | None:
    """Return owner/name on GitHub of a workload's image on ghcr.io."""
    for container in template_of(workload).get("containers", []):
        image = container.get("image", "")
        match = re.match(r"ghcr\.io/([\w.-]+/[\w.-]+?)([:@]|$)", image, re.IGNORECASE)
        if match:
            return match[1]
    return None


def last_to_publish(runs: list[PublishRun]) -> PublishRun | None:
    """Return the newest run that was to publish the image; None where there was none."""
    for one in runs:
        if one.conclusion not in NOT_TO_PUBLISH:
            return one
    return None


def publish_runs(repository: str | None) -> list[PublishRun] | None:
    """Return the last publish runs of owner/name, newest first; None where `gh` cannot tell."""
    if not repository or not shutil.which("gh"):
        return None
    where = ["--repo", repository]
    words = ["run", "list", *where, "--workflow", "publish.yml", "--limit", str(MOST)]
    done = run("gh", *words, "--json", FIELDS, seconds=8)
    if done.status:
        return None
    answer = json.loads(done.output)
    runs = []
    for one in answer:
        if one["event"] != "pull_request":
            number, updated = one.pop("databaseId"), one.pop("updatedAt")
            runs.append(PublishRun(number=number, updated=updated, **one))
    last = last_to_publish(runs)
    if not last and len(answer) == MOST:
        return None  # there may be one further back
    if last and last.conclusion in ENDS_WITH_A_LOG:
        words = ["run", "view", str(last.number), *where, "--log-failed"]
        last.log = run("gh", *words, seconds=10).output[-LONGEST_LOG:]
    return runs
