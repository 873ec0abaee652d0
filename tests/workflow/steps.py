"""The scripts of the publish workflow's steps, to be run one at a time."""

import yaml
from conftest import STAGED

PUBLISH = STAGED / "every" / ".github" / "workflows" / "publish.yml"


def script(name, job="image"):
    """The script of the step of that name."""
    jobs = yaml.safe_load(PUBLISH.read_text(encoding="utf-8"))["jobs"]
    return next(step["run"] for step in jobs[job]["steps"] if step["name"] == name)
