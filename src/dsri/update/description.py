"""What an update says of itself: the pull request's text, and the same on a terminal."""

import re

LONGEST = 60_000  # of the 65,536 characters that GitHub takes
BRANCH = "template-update"  # of .github/workflows/template-update.yml in the generated repositories
CONFLICTS = "## Conflicts to settle"  # by which dsri fleet knows an open pull request that has some


def fenced(text, kind=""):
    """A code block that its own content cannot end."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{kind}\n{text.rstrip(chr(10))}\n{fence}"


def hunks(text):
    """The conflicting places of a file; all of it where it has no marks."""
    return "\n\n".join(re.findall(r"(?ms)^<<<<<<< .*?^>>>>>>> [^\n]*", text)) or text


def code(path):
    """A path as Markdown's code, which a backtick in it does not end."""
    return f"`` {path} ``" if "`" in path else f"`{path}`"


def listed(paths):
    """A Markdown list of paths."""
    return "\n".join(f"- {code(path)}" for path in paths)


def description(out, changes, questions, versions, command, address, checks):
    """The text of the pull request, what needs its reader first.

    `out` is the Outcome, `changes` the changelog's text, `questions` the lines about them, `versions` (old, new), `command` what
    updates at the desk, `address` the template's; with `checks` it says how to start them, as a workflow's push starts none."""
    old, new = versions
    compare = (
        f" ([all changes]({address.removesuffix('.git')}/compare/{old}...{new}))"
        if address.startswith("https://github.com/")
        else ""
    )
    parts = [
        f"From {old} to {new} of the template{compare}."
        if old != new
        else f"With {new} of the template, as before: answers that changed, workflow files that waited."
    ]
    if out.conflicts:
        parts.append(
            f"{CONFLICTS}\n\nBoth sides changed the same place. Each file below holds both, between `<<<<<<< yours` and `>>>>>>> template`, and between `|||||||` and "
            "`=======` what the template had before: keep what should stay, delete the marks, push to this branch. Then mark this pull request as ready."
        )
        parts += [
            f"{code(path)}\n\n{fenced(hunks(text)[:8000])}" for path, text in out.conflicts.items()
        ]
    if out.held:
        parts.append(
            "## Workflow changes that are not in here\n\nWorkflows may be changed by a person, or with a token in the secret `TEMPLATE_UPDATE_TOKEN` (this repository; Contents, Pull requests and "
            f'Workflows: read and write). In a clone, before or after merging this:\n\n    git switch {BRANCH}\n    {command}\n    git commit -m "Update the workflows" && git push'
        )
        parts += [
            f"{code(path)}\n\n{fenced(text[:8000], 'diff')}" for path, text in out.held.items()
        ]
    if questions:
        parts.append("## Questions\n\n" + "\n".join(f"- {line}" for line in questions))
    if out.taken:
        parts.append(
            "## Kept, they are yours; the template now ships them too\n\n"
            + "\n".join(
                f"- {code(path)}" + (f": {code(stands)} stands there" if stands != path else "")
                for path, stands in out.taken.items()
            )
        )
    if out.removed:
        parts.append(
            "## Changed in the template, not here any more\n\nRemoved, or moved and rewritten; they stay so.\n\n"
            + listed(out.removed)
        )
    if out.unshipped:
        parts.append(
            "## Not in the template any more, kept because you changed them\n\n"
            + listed(out.unshipped)
        )
    if out.left:
        parts.append("## Yours, so not touched; the template's own changed\n\n" + listed(out.left))
    if changes:
        parts.append("## What changed in the template\n\n" + re.sub("(?m)^##", "###", changes))
    parts.append("## Merged\n\n" + (listed(out.merged) or "Nothing but `.cruft.json`."))
    if checks:
        parts.append(
            "Checks do not start by themselves on a pull request of this workflow's: close it and open it again, or push to it."
        )
    if len("\n\n".join(parts)) > LONGEST:
        while len("\n\n".join(parts)) > LONGEST - 100:
            parts.pop()  # whole, or a code block stays open
        parts.append("…the rest is on the branch.")
    return "\n\n".join(parts)
