"""dsri update: bring what changed in the template into this repository.

Run in the folder with .cruft.json, everything committed. The changes are staged; conflicts are marked in their files.
"""

import argparse
import contextlib
import json
import sys
import tempfile
from pathlib import Path

from . import Stopped
from .merge import WORKFLOWS, Merge
from .report import description
from .template import Template, answered, git

STATE = ".cruft.json"


def recorded(text):
    """The state that a .cruft.json's text holds; Stopped where it is none."""
    try:
        state = json.loads(text)
        state["context"]["cookiecutter"], state["template"], state["commit"]
        return state
    except (ValueError, KeyError, TypeError):
        raise Stopped(f"{STATE} is not what cruft or the template writes.") from None


def answers_of(state):
    """The answers in a state, without the template's own facts, which cruft keeps there too."""
    return {
        key: value
        for key, value in state["context"]["cookiecutter"].items()
        if not key.startswith("_")
    }


def first_answers(state):
    """The answers that the files were made with: those of the first commit that has this state's version."""
    found = answers_of(state)
    for commit in git("log", "--format=%H", "--", STATE).split():
        try:
            older = recorded(git("show", f"{commit}:./{STATE}"))
        except Stopped:
            break
        if (older["commit"], older.get("round")) != (state["commit"], state.get("round")):
            break
        found = answers_of(older)
    return found


def yours(context):
    """The paths that the template leaves to their owner; older ones and other stacks have none."""
    facts = context.get("_yours", {})
    parts = [
        "every",
        *context.get("_stacks", {}).get(context.get("stack"), {}).get("parts", []),
        context.get("stack"),
    ]
    return {path for part in parts for path in facts.get(part, {})}


def state_here():
    """The state of the repository in this folder; Stopped where it cannot be updated."""
    if git("status", "--porcelain").strip():
        raise Stopped(
            "There are changes that are not committed; commit them, or put them aside (git stash -u)."
        )
    if git("rev-parse", "--show-prefix").strip():
        raise Stopped("Run this in the repository's top folder.")
    if not Path(STATE).is_file():
        raise Stopped(f"No {STATE} here, so it is not known what this repository was made from.")
    return recorded(Path(STATE).read_text(encoding="utf-8"))


def update(wanted=None, may_write_workflows=True, checks=False):
    """(new version's name, Outcome, patch, description) or (name, None, b"", why) where there is nothing to do.

    `wanted` is a branch, tag or commit of the template; for `checks` see report.description. Nothing is changed here: the patch
    does that. Stopped says why there is no update."""
    state = state_here()
    was = state["commit"]
    address = state["template"]
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder)
        source = Template(address, temporary)
        if not source.commit(was):
            raise Stopped(f"{address} has no commit {was}, from which this repository was made.")
        checkout, target = source.target(state, wanted)
        new = source.name(target)
        before, now = first_answers(state), answers_of(state)
        pending = state.get("workflows")
        if target == was and before == now and not (pending and may_write_workflows):
            return (
                new,
                None,
                b"",
                "Up to date"
                + (", but for the workflow changes of an earlier update." if pending else "."),
            )
        questions = source.questions(target)
        answers, said = answered(now, questions)
        old_tree, old = source.generate(was, before, temporary / "old")
        new_tree, context = source.generate(target, answers, temporary / "new")
        asked = {key: value for key, value in context.items() if not key.startswith("_")}
        said += [
            f"`{key}` is new: `{json.dumps(value, ensure_ascii=False)}`; another answer goes into `{STATE}`, and the next update applies it"
            for key, value in asked.items()
            if key not in answers
        ]
        said += [
            f"`{key}`: `{json.dumps(before[key], ensure_ascii=False)}` became `{json.dumps(value, ensure_ascii=False)}`"
            for key, value in asked.items()
            if key in before and before[key] != value and now.get(key) == value
        ]

        merge = Merge(Path.cwd(), temporary)
        mine, base, theirs = (
            merge.files(git("rev-parse", "HEAD^{tree}").strip()),
            merge.of_folder(old_tree),
            merge.of_folder(new_tree),
        )
        if pending:
            base = {path: entry for path, entry in base.items() if not path.startswith(WORKFLOWS)}
            with contextlib.suppress(
                Stopped
            ):  # that version may have other choices; then what changed is said and stays
                then = merge.of_folder(source.generate(pending, before, temporary / "pending")[0])
                base.update(
                    {path: entry for path, entry in then.items() if path.startswith(WORKFLOWS)}
                )
        ours, theirs_yours = yours(old), yours(context)
        skip = set(state.get("skip", ours)) | (theirs_yours - ours)
        out, files = merge.merge(
            base, mine, theirs, "template", skip, context.get("_same", {}), may_write_workflows
        )

        state = {
            **state,
            "checkout": checkout,
            "commit": target,
            "context": {"cookiecutter": dict(sorted(asked.items()))},
            "skip": sorted(skip - (ours - theirs_yours)),
        }
        state["round"] = (
            state.get("round", 0) + 1 if target == was else None
        )  # tells answers that were applied from those before
        state["workflows"] = (
            (pending or was) if out.held else None
        )  # the commit whose workflows are here
        state = {
            key: value for key, value in state.items() if value is not None or key == "checkout"
        }
        files[STATE] = merge.blob(json.dumps(state, ensure_ascii=False, indent=2) + "\n")
        patch = merge.diff(merge.tree(mine), merge.tree(files))
        command = f"uvx --from git+{address.removesuffix('.git')} dsri update"
        return (
            new,
            out,
            patch,
            description(
                out,
                source.changes(was, target),
                said,
                (source.name(was), new),
                command,
                address,
                checks,
            ),
        )


def main(words=None):
    """Run the command; ends with the reason, and status 1, where there is no update."""
    parser = argparse.ArgumentParser(prog="dsri update", description=__doc__.partition(": ")[2])
    parser.add_argument(
        "--checkout",
        metavar="NAME",
        help="the branch, tag or commit of the template (default: its newest release)",
    )
    parser.add_argument(
        "--hand-over",
        type=Path,
        metavar="FOLDER",
        help="change nothing here: put the patch and the pull request into this folder, for the workflow",
    )
    parser.add_argument(
        "--without-workflows",
        action="store_true",
        help="leave .github/workflows, which not every token may push, for a later run",
    )
    given = parser.parse_args(words)
    try:
        new, out, patch, text = update(
            given.checkout, not given.without_workflows, checks=given.without_workflows
        )
        if out and not given.hand_over:
            git("apply", "--index", "--binary", input=patch, encoding=None, errors=None)
    except Stopped as why:
        sys.exit(str(why))
    if out and given.hand_over:
        title = f"Update from the template to {new}" + " (conflicts)" * bool(out.conflicts)
        given.hand_over.mkdir(parents=True, exist_ok=True)
        (given.hand_over / "patch").write_bytes(patch)
        (given.hand_over / "pull.json").write_text(
            json.dumps({"title": title, "body": text, "draft": bool(out.conflicts)}, indent=2),
            encoding="utf-8",
        )
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
