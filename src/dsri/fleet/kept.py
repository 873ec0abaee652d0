"""What was read of repositories, kept for the next run."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dsri.fleet.row import FOREIGN, Row


@dataclass
class Known:
    """A row, and when it was read (time.time())."""

    at: float
    row: Row


def known_in(line: str) -> Known | None:
    """Return what a line holds; None for the last one of a run that ended while it wrote."""
    try:
        read = json.loads(line)
        return Known(read["at"], Row(**read["row"]))
    except (ValueError, KeyError, TypeError):
        return None


class State:
    """The rows that were read, a line each as soon as it is known.

    So an interrupted run goes on where it ended."""

    def __init__(self, path: Path, longest_age: float, fresh: bool = False) -> None:
        """Take the file, and how old (in seconds) a row may be; with `fresh` none counts."""
        self.path = Path(path)
        self.rows: dict[str, Known] = {}
        self.reused: list[float] = []  # when the rows that were used again had been read
        lines = []
        if self.path.exists() and not fresh:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        now = time.time()
        for known in map(known_in, lines):
            if known and 0 <= now - known.at <= longest_age:
                self.rows[known.row.repository.lower()] = known
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Only its owner may read which repositories there are.
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(descriptor, "w", encoding="utf-8")
        for known in self.rows.values():
            self._write(known)

    def _write(self, known: Known) -> None:
        self._file.write(json.dumps({"at": known.at, "row": asdict(known.row)}) + "\n")
        self._file.flush()

    def row(self, name: str) -> Row | None:
        """Return what is known of a repository; None where it has to be read."""
        known = self.rows.get(name.lower())
        if not known:
            return None
        self.reused.append(known.at)
        return replace(known.row, repository=name)

    def keep(self, row: Row) -> None:
        """Keep what was read to the end; a refusal may be another one the next time."""
        if not row.problem or row.problem in FOREIGN:
            self._write(Known(time.time(), row))

    def close(self) -> None:
        """Let the file go; the rows stay."""
        self._file.close()
