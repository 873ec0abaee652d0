"""The command `dsri fleet`: the version of every repository that the template made."""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from dsri.fleet.github import Client, Unreadable, find_token
from dsri.fleet.kept import State
from dsri.fleet.releases import Releases, report
from dsri.fleet.repositories import TEMPLATE, Reader, names, of_owner, read_all
from dsri.fleet.row import FOREIGN, Row

STYLES = {"open": "cyan", "conflicting": "red", "merged": "green", "closed": "yellow"}
HOUR = 3600  # seconds for which a row counts
ALL_READ, SOME_NOT_READ, NO_REPORT, INTERRUPTED = 0, 1, 2, 130
NO_TOKEN = (
    "No token (GH_TOKEN, GITHUB_TOKEN, gh auth login): public repositories only, 60 requests an "
    "hour."
)


def cache_folder() -> Path:
    """Return where the platform keeps what may be lost."""
    home = Path.home()
    if sys.platform == "win32":
        place = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        place = home / "Library" / "Caches"
    else:
        place = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return place / "dsri-fleet"


def arguments(words: list[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="dsri fleet",
        description=(
            "Shows which version of the template every generated repository is on, and what "
            "became of its last update."
        ),
        epilog=(
            "The token comes from GH_TOKEN, GITHUB_TOKEN or `gh auth token`; reading private "
            "repositories needs one that may. Exit status: 0 all was read, 1 some repositories "
            "could not be, 2 there is no report."
        ),
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "file",
        nargs="?",
        help="a list of repositories, OWNER/NAME a line; - reads it from the input",
    )
    which.add_argument(
        "--organisation",
        "--org",
        metavar="OWNER",
        help="all repositories of an organisation that this template made; a user's public ones",
    )
    add_options(parser)
    return parser.parse_args(words)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen besides the repositories."""
    parser.add_argument("--json", action="store_true", help="the report as JSON instead of a table")
    parser.add_argument(
        "--template",
        default=TEMPLATE,
        metavar="OWNER/NAME",
        help="the template's own repository (default: %(default)s)",
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="read everything again, also what the last hour's run read",
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="where what was read is kept (default: the user's cache folder)",
    )
    parser.add_argument(
        "--wait",
        type=int,
        default=900,
        metavar="SECONDS",
        help="wait for the rate limit at most so long (default: %(default)s)",
    )


def last_update(row: Row) -> Text:
    """Return the cell of a row's last update."""
    if not row.update:
        return Text("none", "dim")
    number = (row.pull_request or "").rpartition("/")[2]
    return Text(f"{row.update} #{number}", f"{STYLES[row.update]} link {row.pull_request}")


def table(rows: list[Row]) -> Table:
    """Return the report for a terminal."""
    shown = Table(header_style="bold", box=None, pad_edge=False)
    shown.add_column("repository", overflow="fold")
    shown.add_column("version")
    shown.add_column("behind", justify="right")
    shown.add_column("last update")
    shown.add_column("note", overflow="fold")
    for row in rows:
        behind = "" if row.behind is None else str(row.behind)
        shown.add_row(
            Text(row.repository),
            Text(row.version or ""),
            Text(behind, "yellow" if row.behind else ""),
            last_update(row),
            Text(row.problem or "", "red"),
        )
    return shown


def summary(rows: list[Row], newest: str | None) -> str:
    """Return the report in one sentence."""
    read = [row for row in rows if not row.problem]
    parts = ["the template has no release yet"]
    if newest:
        current = len([row for row in read if row.behind == 0])
        behind = len([row for row in read if row.behind])
        parts = [f"{current} on {newest}", f"{behind} behind"]
    updates = collections.Counter(row.update for row in rows)
    for what in ("open", "conflicting"):
        if updates[what]:
            parts.append(f"{updates[what]} {what}")
    if len(read) < len(rows):
        parts.append(f"{len(rows) - len(read)} not read")
    noun = "repository" if len(rows) == 1 else "repositories"
    return f"{len(rows)} {noun}: {', '.join(parts)}"


class Run:
    """One run of the command."""

    def __init__(self, given: argparse.Namespace) -> None:
        """Take the options of the command line."""
        self.given = given
        self.out = Console()
        self.err = Console(stderr=True)
        self.started = time.monotonic()
        self.state: State | None = None
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.err,
            transient=True,
            disable=not self.err.is_terminal,
        )
        self.task = self.progress.add_task("asking GitHub", total=None)

    def say_wait(self, until: float) -> None:
        """Show until when the rate limit makes all wait."""
        end = time.strftime("%H:%M:%S", time.localtime(until))
        self.progress.update(self.task, description=f"rate limit: going on at {end}")

    def say_row(self, row: Row) -> None:
        """Show that a repository was read."""
        self.progress.update(self.task, advance=1, description=row.repository)

    def client(self) -> Client:
        """Return what reads GitHub's API."""
        token = find_token()
        client = Client(token, self.given.wait, self.say_wait)
        if not token:
            self.err.print(NO_TOKEN)
        return client

    def wanted(self, client: Client) -> list[str]:
        """Return the repositories that were asked for."""
        if not self.given.file:
            return of_owner(client, self.given.organisation)
        if self.given.file == "-":
            return names(sys.stdin.read())
        return names(Path(self.given.file).read_text(encoding="utf-8"))

    def read(self, client: Client) -> tuple[list[Row], Releases, State]:
        """Return (the rows of the report, the template's releases, what was kept)."""
        template = self.given.template
        wanted = self.wanted(client)
        key = hashlib.sha256(f"{client.api} {template}".encode()).hexdigest()[:12]
        path = self.given.state or cache_folder() / f"{key}.jsonl"
        self.state = State(path, longest_age=HOUR, fresh=self.given.fresh)
        self.progress.update(self.task, total=len(wanted))
        releases = Releases(client, template)
        reader = Reader(client, template, is_listed=bool(self.given.organisation))
        rows = report(read_all(reader, wanted, self.state, self.say_row), releases)
        return rows, releases, self.state

    def show(self, rows: list[Row], newest: str | None, requests: int, state: State) -> None:
        """Print the report."""
        if self.given.json:
            shown = [asdict(row) for row in rows]
            about = {"template": self.given.template, "newest": newest, "repositories": shown}
            print(json.dumps(about, indent=2))
            return
        seconds = time.monotonic() - self.started
        self.out.print(table(rows))
        self.out.print()
        self.out.print(Text(f"{summary(rows, newest)}; {requests} requests, {seconds:.1f} s"))
        if state.reused:
            minutes = (time.time() - min(state.reused)) / 60
            self.out.print(
                Text(
                    f"{len(state.reused)} of them as read up to {minutes:.0f} minutes ago; "
                    "--fresh reads them again"
                )
            )

    def run(self) -> int:
        """Read, print the report, and return the exit status."""
        try:
            with self.progress:
                client = self.client()
                rows, releases, state = self.read(client)
        except KeyboardInterrupt:
            self.err.print("Interrupted; the same command goes on from here.")
            return INTERRUPTED
        except (Unreadable, OSError, ValueError) as error:
            self.err.print(Text(f"No report: {error}"))
            return NO_REPORT
        finally:
            if self.state:
                self.state.close()
        if self.given.organisation:
            # What was not made by this template is not of its fleet.
            rows = [row for row in rows if row.problem not in FOREIGN]
        self.show(rows, releases.newest, client.requests, state)
        return SOME_NOT_READ if any(row.problem for row in rows) else ALL_READ


def main(words: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return Run(arguments(words)).run()
