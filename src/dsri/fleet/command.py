"""dsri fleet: which version of the template every generated repository is on, and what became of its last update."""

import argparse
import collections
import hashlib
import json
import os
import sys
import time
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

from .github import Client, Unreadable, find_token
from .report import FOREIGN, TEMPLATE, Releases, State, names, of_owner, read_all, report

STYLES = {"open": "cyan", "conflicting": "red", "merged": "green", "closed": "yellow"}


def cache_folder():
    """Where the platform keeps what may be lost."""
    if sys.platform == "win32":
        return (
            Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "dsri-fleet"
        )
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "dsri-fleet"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dsri-fleet"


def arguments(words):
    """The command line's words, or this process's where they are None, as argparse gives them."""
    parser = argparse.ArgumentParser(
        prog="dsri fleet",
        description=__doc__.partition(": ")[2],
        epilog=(
            "The token comes from GH_TOKEN, GITHUB_TOKEN or `gh auth token`; reading private repositories needs one that may. "
            "Exit status: 0 all was read, 1 some repositories could not be, 2 there is no report."
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
        help="read everything anew, what the last hour's run read as well",
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
    return parser.parse_args(words)


def table(rows):
    """The report for a terminal."""
    shown = Table(header_style="bold", box=None, pad_edge=False)
    for heading, options in {
        "repository": {"overflow": "fold"},
        "version": {},
        "behind": {"justify": "right"},
        "last update": {},
        "note": {"overflow": "fold"},
    }.items():
        shown.add_column(heading, **options)
    for row in rows:
        number = (row["pull_request"] or "").rpartition("/")[2]
        last = (
            Text(
                f"{row['update']} #{number}", f"{STYLES[row['update']]} link {row['pull_request']}"
            )
            if row["update"]
            else Text("none", "dim")
        )
        behind = Text(
            "" if row["behind"] is None else str(row["behind"]),
            "" if not row["behind"] else "yellow",
        )
        shown.add_row(
            Text(row["repository"]),
            Text(row["version"] or ""),
            behind,
            last,
            Text(row["problem"] or "", "red"),
        )
    return shown


def summary(rows, newest):
    """The report in one sentence."""
    read = [row for row in rows if not row["problem"]]
    updates = collections.Counter(row["update"] for row in rows)
    current, behind = (
        sum(row["behind"] == 0 for row in read),
        sum(bool(row["behind"]) for row in read),
    )
    parts = [
        *(
            [f"{current} on {newest}", f"{behind} behind"]
            if newest
            else ["the template has no release yet"]
        ),
        *(
            f"{updates[what]} {words}"
            for what, words in (("open", "open"), ("conflicting", "conflicting"))
            if updates[what]
        ),
    ]
    unread = len(rows) - len(read)
    return f"{len(rows)} {'repository' if len(rows) == 1 else 'repositories'}: " + ", ".join(
        parts + ([f"{unread} not read"] if unread else [])
    )


def main(words=None):
    """Run the command; its exit status (see `arguments`)."""
    given = arguments(words)
    out, err = Console(), Console(stderr=True)
    start, state = time.monotonic(), None
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    ) as progress:
        task = progress.add_task("asking GitHub", total=None)
        try:
            token = find_token()
            client = Client(
                token,
                given.wait,
                lambda until: progress.update(
                    task,
                    description=f"rate limit: going on at {time.strftime('%H:%M:%S', time.localtime(until))}",
                ),
            )
            if not token:
                err.print(
                    "No token (GH_TOKEN, GITHUB_TOKEN, gh auth login): public repositories only, 60 requests an hour."
                )
            if given.file:
                wanted = names(
                    sys.stdin.read()
                    if given.file == "-"
                    else Path(given.file).read_text(encoding="utf-8")
                )
            else:
                wanted = of_owner(client, given.organisation)
            key = hashlib.sha256(f"{client.api} {given.template}".encode()).hexdigest()[:12]
            state = State(
                given.state or cache_folder() / f"{key}.jsonl", longest_age=3600, fresh=given.fresh
            )
            progress.update(task, total=len(wanted))
            releases = Releases(client, given.template)
            rows = read_all(
                client,
                wanted,
                state,
                given.template,
                listed=bool(given.organisation),
                on_row=lambda row: progress.update(task, advance=1, description=row["repository"]),
            )
            rows = report(rows, releases)
        except KeyboardInterrupt:
            err.print("Interrupted; the same command goes on from here.")
            return 130
        except (Unreadable, OSError, ValueError) as error:
            err.print(Text(f"No report: {error}"))
            return 2
        finally:
            if state:
                state.close()
    if given.organisation:  # what was not made by this template is not of its fleet
        rows = [row for row in rows if row["problem"] not in FOREIGN]
    newest = next(reversed(releases.tags), None)
    if given.json:
        print(
            json.dumps(
                {"template": given.template, "newest": newest, "repositories": rows}, indent=2
            )
        )
    else:
        out.print(table(rows))
        out.print()
        out.print(
            Text(
                f"{summary(rows, newest)}; {client.requests} requests, {time.monotonic() - start:.1f} s"
            )
        )
        if state.reused:
            out.print(
                Text(
                    f"{len(state.reused)} of them as read up to {(time.time() - min(state.reused)) / 60:.0f} minutes ago; --fresh reads them anew"
                )
            )
    return 1 if any(row["problem"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
