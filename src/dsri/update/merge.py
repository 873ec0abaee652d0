"""The repository's side of an update: git's own three-way merge.

Its sides are what the template made then, what it makes now, and what the owner made of it. `cruft
update` applies a patch instead: one file that was moved or has no common blob makes it leave `.rej`
files for all of them, with status 0, and a new file whose name is taken is dropped. Git's merge
follows a moved file and marks a conflict in its place."""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from dsri.same_names import is_same_thing
from dsri.update import Stopped
from dsri.update.git import environment, git, git_bytes

WORKFLOWS = ".github/workflows/"
STATE = ".cruft.json"
Entry = tuple[str, ...]  # a file as git keeps it: mode, kind, object
Files = dict[str, Entry]  # by path
# Stages of a path in conflict (git-merge-tree): what both began with, the owner's, the template's.
BOTH_CHANGED = {1, 2, 3}
GONE_HERE = {1, 3}
GONE_IN_TEMPLATE = {1, 2}
# A patch that `git apply` takes, whatever the user likes to see in one (git-diff-tree(1)).
PATCH = (
    *("-r", "-p", "--binary", "--full-index", "--no-renames", "--no-color"),
    *("--no-ext-diff", "--no-textconv", "--no-relative", "--src-prefix=a/", "--dst-prefix=b/"),
    *("--unified=3", "--inter-hunk-context=0", "--diff-algorithm=myers", "--indent-heuristic"),
    *("--submodule=short", "--ignore-submodules=none", "-O/dev/null"),
)


def within(path: str, places: Iterable[str]) -> bool:
    """Tell whether a path is one of these places, in one, or matches one with a `*`.

    That is how cruft means its `skip`."""
    steps = [path, *map(str, PurePosixPath(path).parents)]
    for place in places:
        if "*" in place:
            if any(fnmatch.fnmatchcase(step, place) for step in steps):
                return True
        elif place.rstrip("/") in steps:
            return True
    return False


@dataclass
class Outcome:
    """What is to be said of an update, by path."""

    merged: list[str] = field(default_factory=list)
    # path → the file with its marks, or why there are none
    conflicts: dict[str, str] = field(default_factory=dict)
    # what the template ships now → what stands there
    taken: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)  # gone here, changed in the template
    unshipped: list[str] = field(default_factory=list)  # gone in the template, changed here
    left: list[str] = field(default_factory=list)  # the owner's by agreement, changed there
    # workflow file → its change, which this token may not push
    held: dict[str, str] = field(default_factory=dict)


@dataclass
class Rules:
    """What an update has to leave alone."""

    skip: set[str]  # the paths that are left to the owner (see `within`)
    same: Mapping[str, str]  # other names for the same thing (`_same` of cookiecutter.json)
    may_write_workflows: bool  # without it the template's workflows wait in Outcome.held
    name: str = "template"  # what conflict marks call the template's side


@dataclass
class Conflict:
    """A path that git could not merge."""

    stages: set[int] = field(default_factory=set)
    said: list[str] = field(default_factory=list)


class Repository:
    """A git directory beside the owner's, which reads that one's objects and writes none to it."""

    def __init__(self, top: Path, folder: Path) -> None:
        """Make it in a folder, for the owner's repository at `top`."""
        self.top = top
        self.dir = folder / "merge.git"
        kind = git("rev-parse", "--show-object-format", cwd=top).strip()
        own = environment(is_own=True)
        git("init", "-q", "--bare", f"--object-format={kind}", str(self.dir), env=own)
        place = git("rev-parse", "--git-path", "objects", cwd=top).strip()
        objects = (top / place).resolve()
        alternates = self.dir / "objects" / "info" / "alternates"
        alternates.write_text(f"{objects}\n", encoding="utf-8")

    def environment(self, work: Path | None = None, index: Path | None = None) -> dict[str, str]:
        """Return the environment in which git uses this directory."""
        places = {"GIT_DIR": self.dir, "GIT_WORK_TREE": work, "GIT_INDEX_FILE": index}
        own = {name: str(place) for name, place in places.items() if place}
        return environment(is_own=True, **own)

    def git(
        self,
        *words: str,
        work: Path | None = None,
        index: Path | None = None,
        text: str | None = None,
    ) -> str:
        """Return what git says here, with a work tree and an index of its own where given."""
        env = self.environment(work, index)
        return git(*words, cwd=work or self.dir, env=env, text=text)

    def files(self, tree: str) -> Files:
        """Return the files of a tree."""
        found: Files = {}
        for line in self.git("ls-tree", "-r", "-z", tree).split("\0"):
            if line:
                what, _, path = line.partition("\t")
                found[path] = tuple(what.split())
        return found

    def of_folder(self, folder: Path) -> Files:
        """Return the files of a folder as git would keep them there."""
        index = self.dir / "folder-index"
        self.git("add", "-A", "-f", ".", work=folder, index=index)
        files = self.files(self.git("write-tree", index=index).strip())
        index.unlink()
        return files

    def tree(self, files: Files) -> str:
        """Return the tree that holds these files."""
        index = self.dir / "tree-index"
        lines = [f"{mode} {blob}\t{path}\0" for path, (mode, _, blob) in files.items()]
        self.git("update-index", "-z", "--index-info", index=index, text="".join(lines))
        tree = self.git("write-tree", index=index).strip()
        index.unlink(missing_ok=True)
        return tree

    def blob(self, text: str) -> Entry:
        """Return a text as a file."""
        return "100644", "blob", self.git("hash-object", "-w", "--stdin", text=text).strip()

    def content(self, entry: Entry) -> str:
        """Return a file's text."""
        return self.git("cat-file", "blob", entry[2])

    def diff(self, old: Files, new: Files) -> bytes:
        """Return the patch from some files to others, for `git apply`."""
        trees = self.tree(old), self.tree(new)
        return git_bytes("diff-tree", *PATCH, *trees, cwd=self.dir, env=self.environment())

    def commit(self, files: Files, *parent: str) -> str:
        """Return a commit of these files."""
        return self.git("commit-tree", "-m", "x", *parent, self.tree(files)).strip()

    def three_way(self, ours: str, theirs: str) -> tuple[Files, dict[str, Conflict]]:
        """Return (the files, {path: its conflict}) of a merge of two branches.

        The form of what git prints is that of git-merge-tree(1), OUTPUT."""
        words = ("merge-tree", "--write-tree", "-z", ours, theirs)
        try:
            printed = git(*words, cwd=self.dir, env=self.environment(), fine=(0, 1))
        except Stopped as why:
            version = git("--version").strip()
            raise Stopped(f"This needs git 2.38 or newer; {version} says: {why}") from None
        tree, *rest = printed.split("\0")
        return self.files(tree), conflicts_in(rest)


def conflicts_in(rest: list[str]) -> dict[str, Conflict]:
    """Return the conflicts of what `git merge-tree -z` prints after the tree."""
    conflicts: dict[str, Conflict] = {}
    while rest and rest[0]:
        what, _, path = rest.pop(0).partition("\t")
        conflicts.setdefault(path, Conflict()).stages.add(int(what.split()[2]))
    rest = rest[1:]
    while len(rest) > 1:
        count = int(rest[0])
        paths, message = rest[1 : 1 + count], rest[2 + count]
        rest = rest[3 + count :]
        for path in paths:
            if path in conflicts:
                conflicts[path].said.append(message.strip())
    return conflicts


class Merge:
    """The merge of what the template changed into what the owner has."""

    def __init__(self, repository: Repository, base: Files, mine: Files, theirs: Files) -> None:
        """Take what the template made then, what the owner has, and what it makes now."""
        self.repository = repository
        self.base = dict(base)
        self.mine = mine
        self.theirs = dict(theirs)
        self.result: Files = {}
        self.outcome = Outcome()

    def run(self, rules: Rules) -> tuple[Outcome, Files]:
        """Return (what is to be said, the files)."""
        self.leave_alone(rules)
        first = self.repository.commit(self.base)
        for branch, files in {"yours": self.mine, rules.name: self.theirs}.items():
            commit = self.repository.commit(files, "-p", first)
            self.repository.git("update-ref", f"refs/heads/{branch}", commit)
        self.result, conflicts = self.repository.three_way("yours", rules.name)
        for path, conflict in conflicts.items():
            self.settle(path, conflict)
        self.restrain()
        for path in sorted({*self.result, *self.mine}):
            if self.result.get(path) != self.mine.get(path):
                self.note(path, rules)
        return self.outcome, self.result

    def is_news(self, path: str) -> bool:
        """Tell whether the template has changed a path to what the owner does not have."""
        return self.theirs.get(path) not in (self.base.get(path), self.mine.get(path))

    def leave_alone(self, rules: Rules) -> None:
        """Take out of the merge what is the owner's, and what has no place."""
        parents = {str(parent) for path in self.mine for parent in PurePosixPath(path).parents}
        for path in sorted({*self.base, *self.theirs}):
            same = None if path in self.base else rules.same
            stands = occupant(path, self.mine, parents, same)
            is_left = path == STATE or within(path, rules.skip)
            if is_left and path != STATE and self.is_news(path):
                self.outcome.left.append(path)
            if not is_left and stands and path in self.theirs and self.is_news(path):
                self.outcome.taken[path] = stands
            if is_left or stands:
                self.base.pop(path, None)
                self.theirs.pop(path, None)

    def keep(self, path: str) -> None:
        """Have of a path what the owner has."""
        self.result.pop(path, None)
        if path in self.mine:
            self.result[path] = self.mine[path]

    def settle(self, path: str, conflict: Conflict) -> None:
        """Settle a path that git could not merge: by marks in it, or by what the owner has."""
        text = ""
        if path in self.result and conflict.stages == BOTH_CHANGED:
            text = self.repository.content(self.result[path])
        if "<<<<<<< " in text and "\n>>>>>>> " in text:
            self.outcome.conflicts[path] = text
            return
        self.keep(path)  # git may leave either side, or both under other names
        if conflict.stages == GONE_HERE:
            self.outcome.removed.append(path)
        elif conflict.stages == GONE_IN_TEMPLATE:
            self.outcome.unshipped.append(path)
        else:
            self.outcome.conflicts[path] = "\n".join(conflict.said)

    def restrain(self) -> None:
        """Undo what must not be, whatever git made of it.

        No file of the owner's goes that the template did not make and take back, and nothing comes
        that neither side has."""
        for path in self.mine:
            was_taken_back = path in self.base and path not in self.theirs
            if path not in self.result and not was_taken_back:
                self.keep(path)
        for path in list(self.result):
            if path not in self.mine and path not in self.theirs:
                del self.result[path]

    def note(self, path: str, rules: Rules) -> None:
        """Note what became of a path, and hold back what may not be written."""
        if path.startswith(WORKFLOWS) and not rules.may_write_workflows:
            change = self.repository.diff(only(path, self.mine), only(path, self.result))
            self.outcome.held[path] = change.decode("utf-8", "replace")
            self.keep(path)
            self.outcome.conflicts.pop(path, None)
        elif path not in self.outcome.conflicts:
            self.outcome.merged.append(path)


def only(path: str, files: Files) -> Files:
    """Return the one file of this path, if there is one."""
    return {path: files[path]} if path in files else {}


def occupant(
    path: str, mine: Files, folders: set[str], same: Mapping[str, str] | None
) -> str | None:
    """Return what keeps a file of the template from its place; None for nothing.

    That is a file where a folder goes, or a folder where a file goes; and, with `same`, whatever
    has its name in any case or is another name for the same thing."""
    for parent in PurePosixPath(path).parents:
        if str(parent) in mine:
            return str(parent)
    if path in folders:
        return path
    if same is None:
        return None
    folder, name = posixpath.split(path)
    for other in mine:
        place, other_name = posixpath.split(other)
        if place == folder and is_same_thing(name, other_name, same):
            return other
    return None
