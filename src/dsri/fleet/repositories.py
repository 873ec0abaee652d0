"""What stands in the table: read per repository, then set beside the template's releases."""

import base64
import concurrent.futures
import json
import os
import re
import time
from pathlib import Path

from dsri.update.description import BRANCH, CONFLICTS

from .github import Exhausted, Unreadable

TEMPLATE = "MaastrichtU-IDS/cookiecutter-dsri"
WORKERS = 12  # GitHub allows 100 requests at a time and asks for few
NO_ORIGIN = "no .cruft.json: not made by this template, or from a copy of it without git"
ANOTHER = "made by another template"
FOREIGN = (NO_ORIGIN, ANOTHER)
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?/[A-Za-z0-9._-]{1,100}")


def names(text):
    """The repositories of a list: OWNER/NAME or an address on GitHub a line, `#` begins a comment. ValueError names a wrong line."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        name = re.sub(
            r"^(https://|git@)github\.com[/:]|\.git$|/$", "", line.partition("#")[0].strip()
        )
        if name and not NAME.fullmatch(name):
            raise ValueError(f"line {number}: {line.strip()[:60]!r} is not OWNER/NAME")
        if name:
            found.setdefault(name.lower(), name)
    return list(found.values())


def of_owner(client, owner):
    """All repositories of an organisation or a user that can change: no archives, no forks."""
    try:
        repositories = list(client.pages(f"/orgs/{owner}/repos", type="all"))
    except Unreadable as error:
        if error.status != 404:
            raise
        repositories = list(client.pages(f"/users/{owner}/repos", type="owner"))
    return sorted(
        (r["full_name"] for r in repositories if not r["archived"] and not r["fork"]), key=str.lower
    )


def template_of(address):
    """OWNER/NAME of a template's address, whatever its form (gh:, https://, git@)."""
    return re.sub(r"^(gh:|https://[^/]+/|(ssh://)?git@[^/:]+[/:])|\.git$|/$", "", str(address))


def update(pull):
    """What became of an update's pull request."""
    if pull["merged_at"]:
        return "merged"
    if pull["state"] == "closed":
        return "closed"
    # A draft until the conflicts are settled; a private repository may have no drafts, then the text tells.
    undrafted = pull["base"]["repo"]["private"] and CONFLICTS in (pull["body"] or "")
    return "conflicting" if pull["draft"] or undrafted else "open"


def read(client, name, template=TEMPLATE, listed=False):
    """A repository's row; what cannot be read is told in its `problem`. A `listed` one is known to be there."""
    row = {
        "repository": name,
        "commit": None,
        "update": None,
        "pull_request": None,
        "problem": None,
    }
    try:
        try:
            file = client.get(f"/repos/{name}/contents/.cruft.json")
        except Unreadable as error:
            if error.status == 404:
                row["problem"] = NO_ORIGIN
                if not listed:
                    client.get(f"/repos/{name}")  # a repository that is not there is 404 as well
                return row
            raise
        cruft = json.loads(base64.b64decode(file["content"]))
        commit = str(cruft["commit"])
        if template_of(cruft["template"]).lower() != template.lower():
            row["problem"] = ANOTHER
            return row
        if not re.fullmatch("[0-9a-f]{40}", commit):
            raise ValueError(commit)
        row["commit"] = commit
        pulls = client.get(
            f"/repos/{name}/pulls",
            head=f"{name.partition('/')[0]}:{BRANCH}",
            state="all",
            sort="created",
            direction="desc",
            per_page=1,
        )
        if pulls:
            row.update(update=update(pulls[0]), pull_request=pulls[0]["html_url"])
    except Exhausted:
        raise
    except Unreadable as error:
        row["problem"] = str(error)
    except (ValueError, KeyError, TypeError):
        row["problem"] = ".cruft.json is not what cruft writes"
    return row


def read_all(client, repositories, state, template=TEMPLATE, listed=False, on_row=lambda row: None):
    """The rows of all repositories, in any order; those in `state` are not read again. Where the rate limit ends it, the rest say so."""
    rows = []
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        asked = {}
        for name in repositories:
            known = state.row(name)
            if known:
                rows.append(known)
                on_row(known)
            else:
                asked[pool.submit(read, client, name, template, listed)] = name
        try:
            for done in concurrent.futures.as_completed(asked):
                try:
                    row = done.result()
                    state.keep(row)
                except Exhausted as error:
                    row = {
                        "repository": asked[done],
                        "commit": None,
                        "update": None,
                        "pull_request": None,
                        "problem": str(error),
                    }
                rows.append(row)
                on_row(row)
        except BaseException:
            client.stop()
            raise
    return rows


class State:
    """The rows that were read, a line each as soon as it is known, so that an interrupted run goes on where it ended."""

    def __init__(self, path, longest_age, fresh=False):
        self.path, self.rows, self.reused = Path(path), {}, []
        now = time.time()
        lines = (
            self.path.read_text(encoding="utf-8").splitlines()
            if self.path.exists() and not fresh
            else []
        )
        for line in lines:
            try:
                read = json.loads(line)
                if 0 <= now - read["at"] <= longest_age:
                    self.rows[read["row"]["repository"].lower()] = read
            except (ValueError, KeyError, TypeError):
                continue  # the last line of a run that was ended while it wrote
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Only its owner may read which repositories there are.
        self._file = os.fdopen(
            os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        )
        for read in self.rows.values():
            self._write(read)

    def _write(self, read):
        self._file.write(json.dumps(read) + "\n")
        self._file.flush()

    def row(self, name):
        """What is known of a repository; `reused` has the times of what was taken from an earlier run."""
        known = self.rows.get(name.lower())
        if known:
            self.reused.append(known["at"])
        return known and {**known["row"], "repository": name}

    def keep(self, row):
        """Keep what was read to the end; a refusal may be another one the next time."""
        if not row["problem"] or row["problem"] in FOREIGN:
            self._write({"at": time.time(), "row": row})

    def close(self):
        """Let the file go; the rows stay."""
        self._file.close()


def version_key(tag):
    """A release's order, None for another tag."""
    numbers = re.fullmatch(r"v(\d+)\.(\d+)\.(\d+)", tag)
    return numbers and tuple(map(int, numbers.groups()))


class Releases:
    """The template's releases and its history: for a commit its version, and the releases that it has not got."""

    def __init__(self, client, template=TEMPLATE):
        tags = {
            tag["name"]: tag["commit"]["sha"]
            for tag in client.pages(f"/repos/{template}/tags")
            if version_key(tag["name"])
        }
        self.tags = dict(sorted(tags.items(), key=lambda tag: version_key(tag[0])))
        self._parents, self._history = {}, client.pages(f"/repos/{template}/commits")
        self._ancestors = {}

    def _walk(self, wanted):
        """Read the history, newest first, until every commit in `wanted` was met."""
        missing = set(wanted) - set(self._parents)
        while missing:
            commit = next(self._history, None)
            if commit is None:
                return
            self._parents[commit["sha"]] = [parent["sha"] for parent in commit["parents"]]
            missing.discard(commit["sha"])

    def _behind(self, commit):
        """The commits that `commit` has in it, as far as they were read, and itself."""
        if commit not in self._ancestors:
            found, left = set(), [commit]
            while left:
                one = left.pop()
                if one not in found:
                    found.add(one)
                    left += self._parents.get(one, [])
            self._ancestors[commit] = found
        return self._ancestors[commit]

    def place(self, commits):
        """{commit: (version, the number of releases it is behind)}; (None, None) for one that the template's history has not got."""
        tagged = {sha: tag for tag, sha in self.tags.items()}
        if set(commits) - set(tagged):
            self._walk(set(commits) | set(tagged))
        versions, places = list(self.tags), {}
        for commit in set(commits):
            if commit in tagged:
                places[commit] = (
                    tagged[commit],
                    len(versions) - 1 - versions.index(tagged[commit]),
                )
            elif commit in self._parents:
                newer = [tag for tag, sha in self.tags.items() if commit in self._behind(sha)]
                older = [tag for tag, sha in self.tags.items() if sha in self._behind(commit)]
                places[commit] = (
                    (
                        older[-1] + "+"
                        if older
                        else "before " + versions[0]
                        if versions
                        else "unreleased"
                    ),
                    len(newer),
                )
            else:
                places[commit] = (None, None)
        return places


def report(rows, releases):
    """The rows with version and distance, those that need somebody first."""
    places = releases.place([row["commit"] for row in rows if row["commit"]])
    for row in rows:
        row["version"], row["behind"] = places.get(row["commit"], (None, None))
        if row["commit"] and not row["version"]:
            row["problem"] = f"commit {row['commit'][:7]} is not in the template's history"
    return sorted(
        rows,
        key=lambda row: (
            not row["problem"],
            row["update"] != "conflicting",
            -(row["behind"] or 0),
            row["repository"].lower(),
        ),
    )
