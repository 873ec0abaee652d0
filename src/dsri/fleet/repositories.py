"""Reads the repositories: which there are, and the row of each."""

from __future__ import annotations

import base64
import concurrent.futures
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dsri.fleet.github import NOT_FOUND, Client, Exhausted, Unreadable
from dsri.fleet.kept import State
from dsri.fleet.row import ANOTHER, NO_ORIGIN, Row
from dsri.update.description import BRANCH, CONFLICTS

TEMPLATE = "MaastrichtU-IDS/cookiecutter-dsri"
WORKERS = 12  # GitHub allows 100 requests at a time and asks for few
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?/[A-Za-z0-9._-]{1,100}")


def names(text: str) -> list[str]:
    """Return the repositories of a list: OWNER/NAME or an address on GitHub a line.

    `#` begins a comment. ValueError names a wrong line."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        plain = line.partition("#")[0].strip()
        name = re.sub(r"^(https://|git@)github\.com[/:]|\.git$|/$", "", plain)
        if name and not NAME.fullmatch(name):
            raise ValueError(f"line {number}: {line.strip()[:60]!r} is not OWNER/NAME")
        if name:
            found.setdefault(name.lower(), name)
    return list(found.values())


def of_owner(client: Client, owner: str) -> list[str]:
    """Return the repositories of an organisation or a user that can change.

    Archives and forks are left out."""
    try:
        repositories = list(client.pages(f"/orgs/{owner}/repos", type="all"))
    except Unreadable as error:
        if error.status != NOT_FOUND:
            raise
        repositories = list(client.pages(f"/users/{owner}/repos", type="owner"))
    found = [r["full_name"] for r in repositories if not r["archived"] and not r["fork"]]
    return sorted(found, key=str.lower)


def template_of(address: object) -> str:
    """Return OWNER/NAME of a template's address, whatever its form (gh:, https://, git@)."""
    pattern = r"^(gh:|https://[^/]+/|(ssh://)?git@[^/:]+[/:])|\.git$|/$"
    return re.sub(pattern, "", str(address))


def update_of(pull: dict[str, Any]) -> str:
    """Return what became of an update's pull request."""
    if pull["merged_at"]:
        return "merged"
    if pull["state"] == "closed":
        return "closed"
    # A draft until the conflicts are settled; a private repository may have no drafts, then the
    # text tells.
    is_private = pull["base"]["repo"]["private"]
    has_conflicts = pull["draft"] or (is_private and CONFLICTS in (pull["body"] or ""))
    return "conflicting" if has_conflicts else "open"


@dataclass
class Reader:
    """Reads the rows of repositories."""

    client: Client
    template: str = TEMPLATE
    is_listed: bool = False  # whether the repositories are known to be there

    def read(self, name: str) -> Row:
        """Return a repository's row; Exhausted where the rate limit ends it."""
        row = Row(name)
        try:
            self.fill(row)
        except Exhausted:
            raise
        except Unreadable as error:
            row.problem = str(error)
        except (ValueError, KeyError, TypeError):
            row.problem = ".cruft.json is not what cruft writes"
        return row

    def cruft_of(self, name: str) -> dict[str, Any] | None:
        """Return what a repository's .cruft.json holds; None where it has none."""
        try:
            file = self.client.get(f"/repos/{name}/contents/.cruft.json")
        except Unreadable as error:
            if error.status != NOT_FOUND:
                raise
            if not self.is_listed:
                # A repository that is not there is 404 as well.
                self.client.get(f"/repos/{name}")
            return None
        found: dict[str, Any] = json.loads(base64.b64decode(file["content"]))
        return found

    def fill(self, row: Row) -> None:
        """Fill a row with what is read; ValueError and the like where it has another form."""
        cruft = self.cruft_of(row.repository)
        if cruft is None:
            row.problem = NO_ORIGIN
            return
        commit = str(cruft["commit"])
        if template_of(cruft["template"]).lower() != self.template.lower():
            row.problem = ANOTHER
            return
        if not re.fullmatch("[0-9a-f]{40}", commit):
            raise ValueError(commit)
        row.commit = commit
        pulls = self.client.get(
            f"/repos/{row.repository}/pulls",
            head=f"{row.repository.partition('/')[0]}:{BRANCH}",
            state="all",
            sort="created",
            direction="desc",
            per_page=1,
        )
        if pulls:
            row.update, row.pull_request = update_of(pulls[0]), pulls[0]["html_url"]


def read_all(
    reader: Reader, repositories: list[str], state: State, on_row: Callable[[Row], object]
) -> list[Row]:
    """Return the rows of all repositories, in any order; those in `state` are not read again.

    Where the rate limit ends it, the rest say so."""
    rows: list[Row] = []

    def add(row: Row) -> None:
        rows.append(row)
        on_row(row)

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        asked = {}
        for name in repositories:
            known = state.row(name)
            if known:
                add(known)
            else:
                asked[pool.submit(reader.read, name)] = name
        try:
            for done in concurrent.futures.as_completed(asked):
                add(row_of(done, asked[done], state))
        except BaseException:
            reader.client.stop()
            raise
    return rows


def row_of(done: concurrent.futures.Future[Row], name: str, state: State) -> Row:
    """Return the row that was read, and keep it; or one that says why it was not."""
    try:
        row = done.result()
    except Exhausted as error:
        return Row(name, problem=str(error))
    state.keep(row)
    return row
