"""The items on the storage: inputs/ITEM, results/ITEM.json and, until there is a result, failures/ITEM.jsonl.

Any number of pods and runs may share one storage: a result appears whole or not at all, and an item that one process
works on is locked for all others.
"""

import contextlib
import datetime
import hashlib
import json
import os
import platform
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where no second process may work on the same folder
    fcntl = None


class Busy(Exception):
    """Another process works on the item, or has just done so."""


class Store:
    def __init__(self, top: Path, suffix: str):
        self.inputs, self.results, self.failures = top / "inputs", top / "results", top / "failures"
        self.suffix = suffix

    def prepare(self) -> None:
        for folder in (self.inputs, self.results, self.failures):
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.R_OK | os.X_OK | (os.W_OK if folder != self.inputs else 0)):
                raise PermissionError(f"no access to {folder}")

    def items(self) -> Iterator[str]:
        """The path of every file below inputs/, hidden ones left out."""
        folders = [str(self.inputs)]
        start = len(folders[0]) + 1
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.is_file():
                        yield entry.path[start:].replace(os.sep, "/")

    def share(self, index: int, of: int) -> tuple[list[str], int]:
        """(the items of a share, in a fixed order; how many items there are in all).

        An item's name alone says whose it is: what else is there, or arrives while a run goes on, changes no other
        item's share, and no pod has to hold the whole list. The order is by hash, too: items of one kind, which may
        all be bad, do not follow each other.
        """
        mine, count = [], 0
        for item in self.items():
            count += 1
            digest = hashlib.sha256(item.encode("utf-8", "surrogateescape")).digest()
            if int.from_bytes(digest[:8]) % of == index:
                mine.append((digest, item))
        return [item for _, item in sorted(mine)], count

    def result(self, item: str) -> Path:
        return self.results / (item + self.suffix)

    def record(self, item: str) -> Path:
        return self.failures / (item + ".jsonl")

    def is_done(self, item: str) -> bool:
        return self.result(item).exists()

    @contextlib.contextmanager
    def attempt(self, item: str) -> Iterator[Callable[[bytes], None]]:
        """One attempt at an item: gives the function that keeps its result, and records what ends it otherwise.

        The record is begun before the work, so that what kills the process, too, is found by the next attempt.
        """
        record = self.record(item)
        record.parent.mkdir(parents=True, exist_ok=True)
        with record.open("a+", encoding="utf-8") as notes:
            lock(notes)
            # Whoever had the lock before may have finished the item, and removed this record.
            if self.is_done(item) or not is_at(notes, record):
                self.forget(item)
                raise Busy(item)
            note(notes, event="started")
            try:
                yield lambda content: write(self.result(item), content)
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                note(notes, event="failed", reason=reason, traceback=traceback.format_exc())
                raise
            except BaseException as error:
                note(notes, event="interrupted", reason=repr(error))
                raise
            self.forget(item)

    def forget(self, item: str) -> None:
        """Remove the record of an item that has its result."""
        if self.is_done(item):
            self.record(item).unlink(missing_ok=True)


def lock(file) -> None:
    """Lock an open file until it is closed; the kernel does so when the process dies, CephFS when the node is lost."""
    if fcntl:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy from None


def is_at(file, path: Path) -> bool:
    """Whether the open file is still the one at that path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def note(file, **fields) -> None:
    """Append a line to an item's record."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    file.write(json.dumps({"time": now, "host": platform.node(), **fields}) + "\n")
    file.flush()


def write(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, whatever happens meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, since only within a file system one name can take another's place; hidden, so never an item.
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
