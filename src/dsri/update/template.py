"""The template's side of an update: its versions, its questions, what it makes of the answers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dsri.update import Stopped
from dsri.update.git import environment, fixed_settings, git

VERSION = re.compile(r"v\d+\.\d+\.\d+")
MOST_COMMITS = 50  # that are listed
Answers = dict[str, Any]  # of cookiecutter: a question, and its answer


def flush() -> None:
    """Write what this process has printed so far."""
    sys.stdout.flush()
    sys.stderr.flush()


@contextlib.contextmanager
def hushed() -> Iterator[Callable[[], str]]:
    """Keep what this process and the hooks print; give a function that returns it."""
    flush()
    with tempfile.TemporaryFile() as kept:
        saved = os.dup(1), os.dup(2)
        os.dup2(kept.fileno(), 1)
        os.dup2(kept.fileno(), 2)

        def read() -> str:
            flush()
            kept.seek(0)
            return kept.read().decode("utf-8", "replace")

        try:
            yield read
        finally:
            flush()
            for copy, number in zip(saved, (1, 2)):
                os.dup2(copy, number)
                os.close(copy)


def typed(answer: Any) -> Any:
    """Return an answer as cookiecutter takes it, which renders what it gets."""
    if not isinstance(answer, str):
        return answer
    return re.sub("^#%", "{{ '#' }}%", re.sub(r"\{(?=[{%#])", "{{ '{' }}", answer))


class Template:
    """A copy of the template's repository."""

    def __init__(self, address: str, folder: Path) -> None:
        """Copy it into a folder; Stopped where the address cannot be cloned."""
        self.address = address
        self.folder = folder / "template"
        words = ("clone", "-q", "--mirror", "--", address, str(self.folder))
        git(*words, env=environment(GIT_TEMPLATE_DIR=""))

    def git(self, *words: str) -> str:
        """Return what git says of the template's repository."""
        return git(*words, cwd=self.folder, env=environment(True, GIT_DIR=str(self.folder)))

    def commit(self, name: str) -> str | None:
        """Return the commit that a branch, a tag or a commit's number names; None for none."""
        words = ["rev-parse", "--verify", "--quiet", "--end-of-options"]
        with contextlib.suppress(Stopped):
            return self.git(*words, f"{name}^{{commit}}").strip()
        return None

    def newest_release(self) -> str | None:
        """Return the tag of the newest release; None before the first one."""
        words = ("--format=%(refname:strip=2)", "--sort=-version:refname", "refs/tags")
        tags = self.git("for-each-ref", *words).split()
        releases = [tag for tag in tags if VERSION.fullmatch(tag)]
        return releases[0] if releases else None

    def has(self, tag: str, commit: str) -> bool:
        """Tell whether a commit comes after a tag, or is its own."""
        return self.git("merge-base", tag, commit).strip() == self.commit(tag)

    def target(self, state: dict[str, Any], wanted: str | None = None) -> tuple[str | None, str]:
        """Return (the name of what to update to, its commit).

        It is `wanted`; else the branch that the repository follows; else the newest release; else,
        before the first one, the default branch. Stopped where there is no such thing."""
        follows: str | None = state.get("checkout")
        if not wanted and follows and self.commit(f"refs/heads/{follows}"):
            wanted = follows
        if not wanted:
            wanted = self.newest_release()
            if wanted and self.has(wanted, state["commit"]):
                # It was generated from what comes after that release.
                return follows, state["commit"]
        found = self.commit(wanted or "HEAD")
        if not found:
            raise Stopped(f"The template has no {wanted}.")
        return wanted, found

    def name(self, commit: str) -> str:
        """Return a commit as its release, or as the commits after one."""
        return self.git("describe", "--tags", "--always", "--match", "v*", commit).strip()

    def read(self, commit: str, path: str) -> str:
        """Return a file's text at a commit; empty where there is none."""
        with contextlib.suppress(Stopped):
            return self.git("cat-file", "blob", f"{commit}:{path}")
        return ""

    def questions(self, commit: str) -> Answers:
        """Return what a commit's cookiecutter.json holds."""
        found: Answers = json.loads(self.read(commit, "cookiecutter.json"))
        return found

    def generate(self, commit: str, answers: Answers, folder: Path) -> tuple[Path, Answers]:
        """Return (the folder with what the template makes of the answers, its whole context).

        Stopped with the hook's words where it refuses the answers."""
        # These take half a second, and most runs find nothing new.
        from cookiecutter.exceptions import FailedHookException  # noqa: PLC0415 - see above
        from cruft import create  # noqa: PLC0415 - see above

        given = {key: typed(value) for key, value in answers.items()}
        with hushed() as said, fixed_settings():
            try:
                made = create(
                    str(self.folder),
                    folder,
                    checkout=commit,
                    default_config=True,
                    extra_context=given,
                )
            except Exception as error:
                words = said().partition("\nThis asks again")[0].strip()
                if words and isinstance(error, FailedHookException):
                    raise Stopped(
                        f"{words}\n\nChange that answer in .cruft.json and commit it; the next "
                        "update applies it. Nothing was changed."
                    ) from None
                # An error of Jinja's carries the whole context.
                short = str(error).partition(" Context: ")[0]
                raise Stopped(f"{type(error).__name__}: {short}") from None
        state = json.loads((made / ".cruft.json").read_text(encoding="utf-8"))
        return Path(made), state["context"]["cookiecutter"]

    def changes(self, old: str, new: str) -> str:
        """Return what the changelog gained between two commits, else their list."""
        before = set(sections(self.read(old, "CHANGELOG.md")))
        gained = [text for text in sections(self.read(new, "CHANGELOG.md")) if text not in before]
        if gained:
            return "\n\n".join(gained)
        words = ["--no-commit-header", "--format=%s", f"-n{MOST_COMMITS + 1}", f"{old}..{new}"]
        commits = self.git("rev-list", *words).splitlines()
        lines = [f"- `{subject.replace('`', chr(39))}`" for subject in commits[:MOST_COMMITS]]
        if len(commits) > MOST_COMMITS:
            lines.append("- …")
        return "\n".join(lines)


def sections(changelog: str) -> list[str]:
    """Return the parts of a changelog (keepachangelog.com) below a version that say something."""
    parts = re.split(r"(?m)^(?=## )", changelog)[1:]
    return [text.strip() for text in parts if re.search(r"(?m)^[-*] ", text)]
