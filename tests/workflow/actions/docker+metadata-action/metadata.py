"""The tags that docker/metadata-action 6 makes of the rules in its inputs `tags` and `flavor`; a rule unknown here ends it."""

import json
import os
import re

PRIORITY = {"semver": 900, "ref": 600, "raw": 200, "sha": 100}
# semver.org's own expression, with the v that the action takes.
SEMVER = re.compile(
    r"v?(?P<version>(?P<major>0|[1-9]\d*)\.(?P<minor>0|[1-9]\d*)\.(?P<patch>0|[1-9]\d*)(?P<pre>-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?)(\+[0-9A-Za-z.-]+)?"
)


def value(rule, ref, sha, default_branch):
    """What a rule makes of this event, or None."""
    kind, rule = rule["type"], {k: v for k, v in rule.items() if k != "type"}
    branch = ref[len("refs/heads/") :] if ref.startswith("refs/heads/") else None
    if kind == "sha" and not rule:
        return "sha-" + sha[:7]
    if kind == "ref" and rule == {"event": "branch"}:
        return branch
    if kind == "ref" and rule == {"event": "pr"}:
        return "pr-" + ref.split("/")[2] if ref.startswith("refs/pull/") else None
    if kind == "semver" and set(rule) == {"pattern"}:
        found = SEMVER.fullmatch(ref[len("refs/tags/") :]) if ref.startswith("refs/tags/") else None
        return found and (
            found["version"]
            if found["pre"]
            else re.sub(r"{{(\w+)}}", lambda name: found[name[1]], rule["pattern"])
        )
    if (
        kind == "raw"
        and rule.get("value")
        and rule.get("enable") in (None, "{{is_default_branch}}")
    ):
        return rule["value"] if branch == default_branch or "enable" not in rule else None
    raise SystemExit(f"no stand-in for type={kind}, {rule}")


def main():
    if os.environ["FLAVOR"].split() != ["latest=false"]:
        raise SystemExit(f"no stand-in for flavor {os.environ['FLAVOR']!r}")
    with open(os.environ["GITHUB_EVENT_PATH"], encoding="utf-8") as event:
        default_branch = json.load(event)["repository"]["default_branch"]
    rules = [
        dict(field.split("=", 1) for field in line.strip().split(","))
        for line in os.environ["TAGS"].splitlines()
        if line.strip()
    ]
    rules.sort(key=lambda rule: -PRIORITY[rule["type"]])
    made = [
        value(rule, os.environ["GITHUB_REF"], os.environ["GITHUB_SHA"], default_branch)
        for rule in rules
    ]
    # An image's tag begins with a word character and holds word characters, dots and hyphens (OCI distribution).
    names = dict.fromkeys(re.sub(r"[^a-zA-Z0-9._-]+", "-", name) for name in made if name)
    image = os.environ["IMAGES"].strip().lower()
    if not image:
        raise SystemExit("the real one gives tags without an image, which no step can use")
    tags = [f"{image}:{name}" for name in names]
    print("tags<<end", *tags, "end", sep="\n")
    print(
        "labels=org.opencontainers.image.source=https://github.com/"
        + os.environ["GITHUB_REPOSITORY"]
    )
    print("json=" + json.dumps({"tags": tags}))


main()
