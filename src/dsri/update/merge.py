"""The repository's side of an update: git's own three-way merge of what the template made then, what it makes now, and what
the owner made of it.

`cruft update` applies a patch: one file that was moved or has no common blob makes it leave `.rej` files for all of them, with
status 0, and a new file whose name is taken is dropped. Git's merge follows a moved file and marks a conflict in its place.
"""

import dataclasses
import fnmatch
import os
import posixpath
import re
import subprocess
from pathlib import Path, PurePosixPath

from . import Stopped
from .template import git

WORKFLOWS = ".github/workflows/"


def within(path, places):
    """Whether a path is one of these, in one of these, or matches one with a `*`, as cruft's `skip` means it."""
    steps = [path, *map(str, PurePosixPath(path).parents)]
    return any(
        fnmatch.fnmatchcase(step, place) if "*" in place else step == place.rstrip("/")
        for place in places
        for step in steps
    )


@dataclasses.dataclass
class Outcome:
    """What is to be said of an update, by path."""

    merged: list = dataclasses.field(default_factory=list)
    conflicts: dict = dataclasses.field(
        default_factory=dict
    )  # path: the file with its markers, or why there are none
    taken: dict = dataclasses.field(
        default_factory=dict
    )  # what the template ships now: what stands there
    removed: list = dataclasses.field(
        default_factory=list
    )  # not there any more, changed in the template
    unshipped: list = dataclasses.field(
        default_factory=list
    )  # not in the template any more, changed here
    left: list = dataclasses.field(
        default_factory=list
    )  # the owner's by agreement, changed in the template
    held: dict = dataclasses.field(
        default_factory=dict
    )  # workflow file: its change, which this token may not push


class Merge:
    """A git directory beside the owner's, which reads that one's objects and writes none into it."""

    def __init__(self, repository, folder):
        self.top, self.dir = repository, folder / "merge.git"
        git("init", "-q", "--bare", str(self.dir))
        objects = (
            Path(repository) / git("rev-parse", "--git-path", "objects", cwd=repository).strip()
        ).resolve()
        (self.dir / "objects" / "info" / "alternates").write_text(f"{objects}\n", encoding="utf-8")
        for key, value in {
            "user.name": "x",
            "user.email": "x",
            "core.autocrlf": "false",
            "core.quotePath": "false",
            "merge.conflictStyle": "diff3",
            "merge.directoryRenames": "false",
        }.items():
            self.git("config", key, value)

    def git(self, *words, work=None, index=None, **options):
        """template.git in this git directory, with a work tree and an index of its own where given."""
        places = {"GIT_DIR": self.dir, "GIT_WORK_TREE": work, "GIT_INDEX_FILE": index}
        return git(
            *words,
            cwd=work or self.dir,
            env={**os.environ, **{name: str(place) for name, place in places.items() if place}},
            **options,
        )

    def files(self, tree):
        """{path: (mode, kind, object)} of a tree: what the methods below call files."""
        lines = (
            line.partition("\t")
            for line in self.git("ls-tree", "-r", "-z", tree).split("\0")
            if line
        )
        return {path: tuple(what.split()) for what, _, path in lines}

    def of_folder(self, folder):
        """The files of a folder as git would keep them there."""
        index = self.dir / "folder-index"
        self.git("add", "-A", "-f", ".", work=folder, index=index)
        files = self.files(self.git("write-tree", index=index).strip())
        index.unlink()
        return files

    def tree(self, files):
        """The tree that holds these files."""
        index = self.dir / "tree-index"
        lines = "".join(f"{mode} {blob}\t{path}\0" for path, (mode, _, blob) in files.items())
        self.git("update-index", "-z", "--index-info", index=index, input=lines)
        tree = self.git("write-tree", index=index).strip()
        index.unlink(missing_ok=True)
        return tree

    def blob(self, text):
        """A text as a file's (mode, kind, object)."""
        return "100644", "blob", self.git("hash-object", "-w", "--stdin", input=text).strip()

    def content(self, entry):
        """A file's text."""
        return self.git("cat-file", "blob", entry[2])

    def diff(self, old, new):
        """The patch, in bytes, from one tree to another, for `git apply`."""
        return self.git(
            "diff", "--binary", "--full-index", "--no-renames", old, new, encoding=None, errors=None
        )

    def merge(self, base, mine, theirs, name, skip, same, may_write_workflows):
        """(the Outcome, the files) of bringing what changed from `base` to `theirs` into `mine`.

        `name` is what conflict marks call the template's side; `skip` the paths that are left to the owner (see `within`);
        `same` {name: other names for the same thing}, of cookiecutter.json; without `may_write_workflows` theirs wait in `held`."""
        out, base, theirs = Outcome(), dict(base), dict(theirs)
        folders = {str(parent) for path in mine for parent in PurePosixPath(path).parents}
        for path in sorted({*base, *theirs}):
            stands = occupant(path, mine, folders, None if path in base else same)
            if path == ".cruft.json" or within(path, skip):
                if path != ".cruft.json" and theirs.get(path) not in (
                    base.get(path),
                    mine.get(path),
                ):
                    out.left.append(path)
            elif stands:
                if path in theirs and theirs[path] not in (base.get(path), mine.get(path)):
                    out.taken[path] = stands
            else:
                continue
            base.pop(path, None), theirs.pop(path, None)
        first = self._commit(base)
        for branch, files in {"yours": mine, name: theirs}.items():
            self.git("update-ref", f"refs/heads/{branch}", self._commit(files, "-p", first))
        result, conflicts = self._three_way("yours", name)

        def keep(path):
            """Have of a path what the owner has."""
            result.pop(path, None)
            result.update({path: mine[path]} if path in mine else {})

        for path, (stages, message) in conflicts.items():
            text = self.content(result[path]) if path in result and stages == {1, 2, 3} else ""
            if "<<<<<<< " in text and "\n>>>>>>> " in text:
                out.conflicts[path] = text
                continue
            keep(path)  # git may leave either side, or both under other names
            if stages == {1, 3}:
                out.removed.append(path)
            elif stages == {1, 2}:
                out.unshipped.append(path)
            else:
                out.conflicts[path] = message
        # Whatever git made of it: no file of the owner's goes that the template did not make and take back, and nothing
        # comes that neither side has.
        for path in mine:
            if path not in result and (path not in base or path in theirs):
                keep(path)
        result = {path: entry for path, entry in result.items() if path in mine or path in theirs}
        for path in sorted({*result, *mine}):
            if result.get(path) == mine.get(path):
                continue
            if path.startswith(WORKFLOWS) and not may_write_workflows:
                only = [
                    self.tree({path: files[path]} if path in files else {})
                    for files in (mine, result)
                ]
                out.held[path] = self.diff(*only).decode("utf-8", "replace")
                keep(path)
                out.conflicts.pop(path, None)
            elif path not in out.conflicts:
                out.merged.append(path)
        return out, result

    def _commit(self, files, *parent):
        return self.git("commit-tree", "-m", "x", *parent, self.tree(files)).strip()

    def _three_way(self, ours, theirs):
        """(the files, {path: ({stages in conflict}, what git says)}) of a merge; git-merge-tree(1), OUTPUT."""
        done = subprocess.run(
            ["git", "merge-tree", "--write-tree", "-z", ours, theirs],
            cwd=self.dir,
            env={**os.environ, "GIT_DIR": str(self.dir)},
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
        )
        if done.returncode not in (0, 1):
            raise Stopped(
                f"This needs git 2.38 or newer; {git('--version').strip()} says: {done.stderr.strip()}"
            )
        tree, *rest = done.stdout.split("\0")
        conflicts = {}
        while rest and rest[0]:
            what, _, path = rest.pop(0).partition("\t")
            conflicts.setdefault(path, (set(), []))[0].add(int(what.split()[2]))
        rest = rest[1:]
        while len(rest) > 1:
            count = int(rest[0])
            paths, message = rest[1 : 1 + count], rest[2 + count]
            rest = rest[3 + count :]
            for path in paths:
                if path in conflicts:
                    conflicts[path][1].append(message.strip())
        return self.files(tree), {
            path: (stages, "\n".join(said)) for path, (stages, said) in conflicts.items()
        }


def occupant(path, mine, folders, same):
    """What keeps a file of the template from its place: a file where a folder goes, a folder where a file goes; and, with
    `same` (of cookiecutter.json), whatever has its name in any case or is another name for the same thing."""
    for parent in PurePosixPath(path).parents:
        if str(parent) in mine:
            return str(parent)
    if path in folders:
        return path
    folder, name = posixpath.split(path)
    if same is not None:
        for other in mine:
            place, other_name = posixpath.split(other)
            if place == folder and (
                other_name.lower() == name.lower()
                or re.fullmatch(same.get(name, ""), other_name, re.IGNORECASE)
            ):
                return other
    return None
