"""The template's side of an update: its versions, its questions, and what it makes of the answers."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from . import Stopped

VERSION = re.compile(r"v\d+\.\d+\.\d+")


def git(*words, cwd=None, **options):
    """What git prints; Stopped with what it says where it fails."""
    options = {"encoding": "utf-8", "errors": "surrogateescape", **options}
    done = subprocess.run(["git", *words], cwd=cwd, capture_output=True, **options)
    if done.returncode:
        said = done.stderr if isinstance(done.stderr, str) else done.stderr.decode(errors="replace")
        raise Stopped(f"git {words[0]}: {said.strip()}")
    return done.stdout


@contextlib.contextmanager
def hushed():
    """Keep what this process and the hooks print; gives a function that reads it."""
    sys.stdout.flush(), sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        saved = os.dup(1), os.dup(2)
        os.dup2(kept.fileno(), 1), os.dup2(kept.fileno(), 2)

        def read():
            sys.stdout.flush(), sys.stderr.flush()
            kept.seek(0)
            return kept.read().decode("utf-8", "replace")

        try:
            yield read
        finally:
            sys.stdout.flush(), sys.stderr.flush()
            for copy, number in zip(saved, (1, 2)):
                os.dup2(copy, number)
                os.close(copy)


def typed(answer):
    """`answer` as cookiecutter takes it, which renders what it gets."""
    if not isinstance(answer, str):
        return answer
    return re.sub("^#%", "{{ '#' }}%", re.sub(r"\{(?=[{%#])", "{{ '{' }}", answer))


class Template:
    """A copy of the template's repository, made in a folder; Stopped where the address cannot be cloned."""

    def __init__(self, address, folder):
        self.address, self.folder = address, folder / "template"
        git("clone", "-q", "--mirror", "--", address, str(self.folder))

    def git(self, *words):
        return git(*words, cwd=self.folder)

    def commit(self, name):
        """The commit that a branch, a tag or a commit's number names, or None."""
        with contextlib.suppress(Stopped):
            return self.git(
                "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
            ).strip()

    def target(self, state, wanted=None):
        """(what to update to, its commit): `wanted`; else the branch that the repository follows; else the newest release;
        else, before the first one, the default branch."""
        follows = state.get("checkout")
        if not wanted and follows and self.commit(f"refs/heads/{follows}"):
            wanted = follows
        if not wanted:
            tags = filter(
                VERSION.fullmatch, self.git("tag", "--list", "--sort=-version:refname").split()
            )
            newest = next(tags, None)
            if newest and self.git("merge-base", newest, state["commit"]).strip() == self.commit(
                newest
            ):
                return follows, state["commit"]  # generated from what comes after that release
            wanted = newest
        found = self.commit(wanted or "HEAD")
        if not found:
            raise Stopped(f"The template has no {wanted}.")
        return wanted, found

    def name(self, commit):
        """A commit as its release, or as the commits after one."""
        return self.git("describe", "--tags", "--always", "--match", "v*", commit).strip()

    def read(self, commit, path):
        """A file's text at a commit; empty where there is none."""
        with contextlib.suppress(Stopped):
            return self.git("show", f"{commit}:{path}")
        return ""

    def questions(self, commit):
        """What a commit's cookiecutter.json holds."""
        return json.loads(self.read(commit, "cookiecutter.json"))

    def generate(self, commit, answers, folder):
        """(the folder with what the template makes of the answers, its whole context); Stopped with the hook's words where it refuses."""
        from cookiecutter.exceptions import (
            FailedHookException,
        )  # these take half a second, and most runs find nothing new
        from cruft import create

        with hushed() as said:
            try:
                made = create(
                    str(self.folder),
                    folder,
                    checkout=commit,
                    default_config=True,
                    extra_context={key: typed(value) for key, value in answers.items()},
                )
            except Exception as error:  # cookiecutter's, the hooks', Jinja's
                words = said().partition("\nThis asks again")[0].strip()
                if words and isinstance(error, FailedHookException):
                    raise Stopped(
                        f"{words}\n\nChange that answer in .cruft.json and commit it; the next update applies it. Nothing was changed."
                    ) from None
                # An error of Jinja's carries the whole context.
                raise Stopped(
                    f"{type(error).__name__}: {str(error).partition(' Context: ')[0]}"
                ) from None
        context = json.loads((made / ".cruft.json").read_text(encoding="utf-8"))["context"][
            "cookiecutter"
        ]
        return Path(made), context

    def changes(self, old, new):
        """What the changelog gained between two commits, else their list."""
        before = set(sections(self.read(old, "CHANGELOG.md")))
        gained = [text for text in sections(self.read(new, "CHANGELOG.md")) if text not in before]
        if gained:
            return "\n\n".join(gained)
        commits = self.git("log", "--format=%s", "-n51", f"{old}..{new}").splitlines()
        lines = [f"- `{subject.replace('`', chr(39))}`" for subject in commits[:50]]
        return "\n".join(lines + ["- …"] * (len(commits) > 50))


def sections(changelog):
    """The parts of a changelog (keepachangelog.com) below a heading of a version, those that say something."""
    return [
        text.strip()
        for text in re.split(r"(?m)^(?=## )", changelog)[1:]
        if re.search(r"(?m)^[-*] ", text)
    ]


def answered(old, questions):
    """(the answers of an older version in the words of this one, [what became of them])

    `_renamed` in cookiecutter.json says what a question ({"old": "new"}) or a choice ({"question": {"old": "new"}}) is called
    now. A choice that is gone without a successor is the owner's to replace."""
    answers, said, renamed = dict(old), [], questions.get("_renamed", {})
    for before, after in renamed.items():
        if isinstance(after, str) and before in answers and before not in questions:
            answers.setdefault(after, answers.pop(before))
            answers.pop(before, None)
            said.append(f"`{before}` is now called `{after}`")
    for key, value in list(answers.items()):
        if key not in questions:
            said.append(f"`{key}` is no longer asked")
            del answers[key]
        elif isinstance(questions[key], list) and value not in questions[key]:
            after = renamed.get(key, {}).get(value)
            if after not in questions[key]:
                raise Stopped(
                    f"{key}: {value!r} is no longer offered; there is: {', '.join(map(str, questions[key]))}.\n"
                    f"Put one of these in .cruft.json and commit it; the next update applies it. Nothing was changed."
                )
            answers[key] = after
            said.append(f"`{key}`: `{value}` is now `{after}`")
    return answers, said
