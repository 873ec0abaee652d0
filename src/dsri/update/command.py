"""The command `dsri update`: brings what changed in the template into this repository."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsri.update import Stopped
from dsri.update.answers import answered
from dsri.update.description import description
from dsri.update.git import git, git_bytes
from dsri.update.merge import STATE, WORKFLOWS, Files, Merge, Outcome, Repository, Rules
from dsri.update.template import Answers, Template

State = dict[str, Any]  # what .cruft.json holds
# It reads a patch as `diff-tree` makes it, whatever the user's settings for other patches.
APPLY = ("apply", "--index", "--binary", "-p1", "--whitespace=nowarn", "--no-ignore-whitespace")


@dataclass
class Update:
    """What an update comes to. Nothing is changed yet: the patch does that."""

    version: str  # the name of what it updates to
    text: str  # the pull request's text, or why there is nothing to do
    outcome: Outcome | None = None  # None where there is nothing to do
    patch: bytes = b""


def recorded(text: str) -> State:
    """Return the state that a .cruft.json's text holds; Stopped where it is none."""
    try:
        state: State = json.loads(text)
        is_known = "cookiecutter" in state["context"] and {"template", "commit"} <= set(state)
    except (ValueError, KeyError, TypeError):
        is_known = False
    if not is_known:
        raise Stopped(f"{STATE} is not what cruft or the template writes.")
    return state


def questions_in(context: Answers) -> Answers:
    """Return the answers in a context, without the template's own facts."""
    return {key: value for key, value in context.items() if not key.startswith("_")}


def answers_of(state: State) -> Answers:
    """Return the answers in a state, where cruft keeps the template's own facts, too."""
    return questions_in(state["context"]["cookiecutter"])


def first_answers(state: State) -> Answers:
    """Return the answers that the files were made with.

    They are those of the first commit that has this state's version."""
    found = answers_of(state)
    for commit in git("rev-list", "HEAD", "--", STATE).split():
        try:
            older = recorded(git("cat-file", "blob", f"{commit}:./{STATE}"))
        except Stopped:
            break
        if (older["commit"], older.get("round")) != (state["commit"], state.get("round")):
            break
        found = answers_of(older)
    return found


def yours(context: Answers) -> set[str]:
    """Return the paths that the template leaves to their owner.

    Older versions, and stacks that are gone, have none."""
    entries = {**context.get("_parts", {}), **context.get("_stacks", {})}
    stack = context.get("stack")
    found: set[str] = set()
    for part in ["every", *entries.get(stack, {}).get("parts", []), stack]:
        found |= set(entries.get(part, {}).get("yours", {}))
    return found


def state_here() -> State:
    """Return the state of the repository in this folder; Stopped where it cannot be updated."""
    if git("status", "--porcelain").strip():
        raise Stopped(
            "There are changes that are not committed; commit them, or put them aside "
            "(git stash -u)."
        )
    if git("rev-parse", "--show-prefix").strip():
        raise Stopped("Run this in the repository's top folder.")
    if not Path(STATE).is_file():
        raise Stopped(f"No {STATE} here, so it is not known what this repository was made from.")
    return recorded(Path(STATE).read_text(encoding="utf-8"))


def as_json(value: Any) -> str:
    """Return an answer as .cruft.json has it."""
    return json.dumps(value, ensure_ascii=False)


class Updating:
    """One update of the repository in this folder."""

    def __init__(self, state: State, temporary: Path, may_write_workflows: bool) -> None:
        """Take the repository's state, and a folder for what is made on the way."""
        self.state = state
        self.temporary = temporary
        self.may_write_workflows = may_write_workflows
        self.was: str = state["commit"]
        self.address: str = state["template"]
        self.pending: str | None = state.get("workflows")  # whose workflows are here
        self.source = Template(self.address, temporary)
        if not self.source.commit(self.was):
            raise Stopped(
                f"{self.address} has no commit {self.was}, from which this repository was made."
            )
        self.before = first_answers(state)
        self.now = answers_of(state)
        self.repository = Repository(Path.cwd(), temporary)

    def update(self, wanted: str | None, checks: bool) -> Update:
        """Return the update to `wanted`: a branch, tag or commit; see Template.target."""
        checkout, target = self.source.target(self.state, wanted)
        new = self.source.name(target)
        has_pending = bool(self.pending and self.may_write_workflows)
        if target == self.was and self.before == self.now and not has_pending:
            waits = ", but for the workflow changes of an earlier update." if self.pending else "."
            return Update(new, f"Up to date{waits}")
        answers, said = answered(self.now, self.source.questions(target))
        old_folder, old = self.source.generate(self.was, self.before, self.temporary / "old")
        new_folder, context = self.source.generate(target, answers, self.temporary / "new")
        asked = questions_in(context)
        said += self.said_of_answers(asked, answers)
        skip, left = self.skipped(old, context)
        rules = Rules(skip, context.get("_same", {}), self.may_write_workflows)
        mine = self.repository.files(git("rev-parse", "HEAD^{tree}").strip())
        theirs = self.repository.of_folder(new_folder)
        out, files = Merge(self.repository, self.base(old_folder), mine, theirs).run(rules)
        changed = {
            "checkout": checkout,
            "commit": target,
            "context": {"cookiecutter": dict(sorted(asked.items()))},
            "skip": sorted(left),
        }
        files[STATE] = self.repository.blob(self.next_state(changed, out))
        versions = (self.source.name(self.was), new)
        changes = self.source.changes(self.was, target)
        command = f"uvx --from git+{self.address.removesuffix('.git')} dsri update"
        text = description(out, changes, said, versions, command, self.address, checks)
        return Update(new, text, out, self.repository.diff(mine, files))

    def said_of_answers(self, asked: Answers, answers: Answers) -> list[str]:
        """Return what became of the answers, for the reader."""
        said = []
        for key, value in asked.items():
            if key not in answers:
                said.append(
                    f"`{key}` is new: `{as_json(value)}`; another answer goes into `{STATE}`, and "
                    "the next update applies it"
                )
        for key, value in asked.items():
            was_changed = key in self.before and self.before[key] != value
            if was_changed and self.now.get(key) == value:
                said.append(f"`{key}`: `{as_json(self.before[key])}` became `{as_json(value)}`")
        return said

    def skipped(self, old: Answers, new: Answers) -> tuple[set[str], set[str]]:
        """Return (the paths that this update leaves alone, those that the next one does)."""
        ours, theirs = yours(old), yours(new)
        skip = set(self.state.get("skip", ours)) | (theirs - ours)
        return skip, skip - (ours - theirs)

    def base(self, old_folder: Path) -> Files:
        """Return the files that the template made then; its workflows those that are here."""
        base = self.repository.of_folder(old_folder)
        if not self.pending:
            return base
        base = {path: entry for path, entry in base.items() if not path.startswith(WORKFLOWS)}
        # That version may have other choices; then what changed is said and stays.
        with contextlib.suppress(Stopped):
            folder = self.temporary / "pending"
            made, _ = self.source.generate(self.pending, self.before, folder)
            then = self.repository.of_folder(made)
            base.update({path: e for path, e in then.items() if path.startswith(WORKFLOWS)})
        return base

    def next_state(self, changed: State, out: Outcome) -> str:
        """Return the text of the next .cruft.json."""
        state = {**self.state, **changed, "round": None, "workflows": None}
        if changed["commit"] == self.was:
            # It tells answers that were applied from those before.
            state["round"] = self.state.get("round", 0) + 1
        if out.held:
            state["workflows"] = self.pending or self.was
        kept = {
            key: value for key, value in state.items() if value is not None or key == "checkout"
        }
        return json.dumps(kept, ensure_ascii=False, indent=2) + "\n"


def update(wanted: str | None, may_write_workflows: bool, checks: bool) -> Update:
    """Return the update of the repository in this folder; Stopped says why there is none.

    For `checks` see description."""
    state = state_here()
    with tempfile.TemporaryDirectory() as folder:
        return Updating(state, Path(folder), may_write_workflows).update(wanted, checks)


def arguments(words: list[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="dsri update",
        description=(
            "Brings what changed in the template into this repository. Run it in the folder with "
            ".cruft.json, everything committed. The changes are staged; conflicts are marked in "
            "their files."
        ),
    )
    parser.add_argument(
        "--checkout",
        metavar="NAME",
        help="the branch, tag or commit of the template (default: its newest release)",
    )
    parser.add_argument(
        "--hand-over",
        type=Path,
        metavar="FOLDER",
        help=(
            "change nothing here: put the patch and the pull request into this folder, for the "
            "workflow"
        ),
    )
    parser.add_argument(
        "--without-workflows",
        action="store_true",
        help="leave .github/workflows, which not every token may push, for a later run",
    )
    return parser.parse_args(words)


def hand_over(folder: Path, made: Update, out: Outcome) -> None:
    """Write the patch and the pull request into a folder."""
    conflicts = " (conflicts)" if out.conflicts else ""
    title = f"Update from the template to {made.version}{conflicts}"
    pull = {"title": title, "body": made.text, "draft": bool(out.conflicts)}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "patch").write_bytes(made.patch)
    (folder / "pull.json").write_text(json.dumps(pull, indent=2), encoding="utf-8")


def main(words: list[str] | None = None) -> int:
    """Run the command; it ends with the reason, and status 1, where there is no update."""
    given = arguments(words)
    without = given.without_workflows
    try:
        made = update(given.checkout, not without, checks=without)
        if made.outcome and not given.hand_over:
            git_bytes(*APPLY, text=made.patch)
    except Stopped as why:
        sys.exit(str(why))
    if made.outcome and given.hand_over:
        hand_over(given.hand_over, made, made.outcome)
    print(made.text)
    return 0
