"""What an update says of itself: the pull request's text, and the same on a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dsri.update.merge import Outcome

LONGEST = 60_000  # of the 65,536 characters that GitHub takes
LONGEST_BLOCK = 8000  # characters of one code block
BRANCH = "template-update"  # of .github/workflows/template-update.yml in generated repositories
CONFLICTS = "## Conflicts to settle"  # by which `dsri fleet` knows a pull request that has some
HOW_TO_SETTLE = (
    "Both sides changed the same place. Each file below holds both, between `<<<<<<< yours` and "
    "`>>>>>>> template`, and between `|||||||` and `=======` what the template had before: keep "
    "what should stay, delete the marks, push to this branch. Then mark this pull request as ready."
)
HELD = (
    "## Workflow changes that are not in here\n\n"
    "Workflows may be changed by a person, or with a token in the secret `TEMPLATE_UPDATE_TOKEN` "
    "(this repository; Contents, Pull requests and Workflows: read and write). In a clone, before "
    "or after merging this:"
)
START_CHECKS = (
    "Checks do not start by themselves on a pull request of this workflow's: close it and open it "
    "again, or push to it."
)
REST = "…the rest is on the branch."


def fenced(text: str, kind: str = "") -> str:
    """Return a code block that its own content cannot end."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    content = text.rstrip("\n")
    return f"{fence}{kind}\n{content}\n{fence}"


def hunks(text: str) -> str:
    """Return the conflicting places of a file; all of it where it has no marks."""
    return "\n\n".join(re.findall(r"(?ms)^<<<<<<< .*?^>>>>>>> [^\n]*", text)) or text


def code(path: str) -> str:
    """Return a path as Markdown's code, which a backtick in it does not end."""
    return f"`` {path} ``" if "`" in path else f"`{path}`"


def listed(paths: Iterable[str]) -> str:
    """Return a Markdown list of paths."""
    return "\n".join(f"- {code(path)}" for path in paths)


def opening(versions: tuple[str, str], address: str) -> str:
    """Return the sentence that says from which version to which this goes."""
    old, new = versions
    if old == new:
        return (
            f"With {new} of the template, as before: answers that changed, workflow files that "
            "waited."
        )
    compare = ""
    if address.startswith("https://github.com/"):
        compare = f" ([all changes]({address.removesuffix('.git')}/compare/{old}...{new}))"
    return f"From {old} to {new} of the template{compare}."


def conflict_parts(out: Outcome) -> list[str]:
    """Return what is said of conflicts."""
    if not out.conflicts:
        return []
    parts = [f"{CONFLICTS}\n\n{HOW_TO_SETTLE}"]
    for path, text in out.conflicts.items():
        parts.append(f"{code(path)}\n\n{fenced(hunks(text)[:LONGEST_BLOCK])}")
    return parts


def held_parts(out: Outcome, command: str) -> list[str]:
    """Return what is said of workflow changes that are held back."""
    if not out.held:
        return []
    lines = [
        f"    git switch {BRANCH}",
        f"    {command}",
        '    git commit -m "Update the workflows" && git push',
    ]
    parts = [HELD + "\n\n" + "\n".join(lines)]
    for path, text in out.held.items():
        parts.append(f"{code(path)}\n\n{fenced(text[:LONGEST_BLOCK], 'diff')}")
    return parts


def taken_part(out: Outcome) -> str:
    """Return what is said of files whose place was taken."""
    lines = []
    for path, stands in out.taken.items():
        other = f": {code(stands)} stands there" if stands != path else ""
        lines.append(f"- {code(path)}{other}")
    return "\n".join(lines)


def kept_parts(out: Outcome) -> list[str]:
    """Return what is said of all that was left as it is."""
    sections = {
        "## Kept, they are yours; the template now ships them too\n\n": taken_part(out),
        "## Changed in the template, not here any more\n\n"
        "Removed, or moved and rewritten; they stay so.\n\n": listed(out.removed),
        "## Not in the template any more, kept because you changed them\n\n": listed(out.unshipped),
        "## Yours, so not touched; the template's own changed\n\n": listed(out.left),
    }
    return [heading + text for heading, text in sections.items() if text]


def shortened(parts: list[str]) -> str:
    """Return the parts as one text that GitHub takes; a part is left out whole."""
    if len("\n\n".join(parts)) <= LONGEST:
        return "\n\n".join(parts)
    kept = list(parts)
    while len("\n\n".join([*kept, REST])) > LONGEST:
        kept.pop()
    return "\n\n".join([*kept, REST])


def description(
    out: Outcome,
    changes: str,
    questions: list[str],
    versions: tuple[str, str],
    command: str,
    address: str,
    checks: bool,
) -> str:
    """Return the text of the pull request, what needs its reader first.

    `changes` is the changelog's text, `questions` the lines about them, `versions` (old, new),
    `command` what updates locally, `address` the template's. With `checks` it says how to start
    them, as a workflow's push starts none."""
    parts = [opening(versions, address), *conflict_parts(out), *held_parts(out, command)]
    if questions:
        parts.append("## Questions\n\n" + "\n".join(f"- {line}" for line in questions))
    parts += kept_parts(out)
    if changes:
        parts.append("## What changed in the template\n\n" + re.sub("(?m)^##", "###", changes))
    parts.append("## Merged\n\n" + (listed(out.merged) or "Nothing but `.cruft.json`."))
    if checks:
        parts.append(START_CHECKS)
    return shortened(parts)
