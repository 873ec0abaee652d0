"""The fleet report, against a stand-in of GitHub's REST API with a hundred repositories that answers, refuses and limits as GitHub does."""

import base64
import collections
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.parse

import pytest
from conftest import run, until
from standin import Handler, served

from dsri.fleet.github import Client, Unreadable
from dsri.fleet.kept import State
from dsri.fleet.repositories import TEMPLATE, names
from dsri.fleet.row import Row
from dsri.update.description import BRANCH, CONFLICTS

TOKEN = "ghp_canary0123456789"
COMMITS = [f"{n:040x}" for n in range(1, 301)]  # oldest first; a release every fifty
TAGS = {f"v1.{n}.0": COMMITS[50 * n + 49] for n in range(6)}
BROKEN = "the connection ends without an answer"
ORIGIN = f"https://github.com/{TEMPLATE}"


def pull(number, **more):
    return {
        "number": number,
        "html_url": f"https://github.com/x/y/pull/{number}",
        "state": "open",
        "draft": False,
        "merged_at": None,
        "body": None,
        "base": {"repo": {"private": False}},
        **more,
    }


class Answer(Handler):
    """Answers as the server's attributes say: see `github`."""

    def do_GET(self):
        stand, url = self.server, urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        with stand.lock:
            stand.seen.append((time.time(), self.path, self.headers.get("Authorization")))
            stand.busy += 1
            stand.most_busy = max(stand.most_busy, stand.busy)
            limit = stand.limits.pop(0) if stand.limits else None
        time.sleep(0.01)
        try:
            if limit == BROKEN:
                self.close_connection = True
            else:
                self.reply(*(limit or self.answer(url.path, query)))
        finally:
            with stand.lock:
                stand.busy -= 1

    def answer(self, path, query):
        if path in (
            f"/repos/{TEMPLATE}/tags",
            f"/repos/{TEMPLATE}/commits",
            "/orgs/octo/repos",
            "/users/mona/repos",
        ):
            items = {
                "tags": [
                    {"name": name, "commit": {"sha": sha}} for name, sha in self.server.tags.items()
                ],
                "commits": [
                    {"sha": sha, "parents": [{"sha": parent}] if parent else []}
                    for parent, sha in zip([None, *COMMITS], COMMITS)
                ][::-1],
                "repos": [
                    {"full_name": name, "archived": name.endswith("9"), "fork": name.endswith("8")}
                    for name in self.server.cruft
                ],
            }[path.rpartition("/")[2]]
            size, page = int(query["per_page"]), int(query.get("page", 1))
            more = (
                {
                    "Link": f'<http://{self.headers["Host"]}{path}?per_page={size}&page={page + 1}>; rel="next"'
                }
                if size * page < len(items)
                else {}
            )
            return 200, items[size * (page - 1) : size * page], more
        owner, name, *rest = path.split("/")[2:]
        cruft = self.server.cruft.get(f"{owner}/{name}", 404)
        if rest == ["pulls"]:
            assert query["head"] == f"{owner}:{BRANCH}" and query["state"] == "all"
            return (
                200,
                [self.server.pulls[f"{owner}/{name}"]]
                if f"{owner}/{name}" in self.server.pulls
                else [],
                {},
            )
        if isinstance(cruft, int):
            return (
                (200, {}, {})
                if not rest and cruft == 410
                else (404 if cruft == 410 else cruft, {"message": "no"}, {})
            )
        text = cruft if isinstance(cruft, str) else json.dumps(cruft)
        return (
            (200, {"content": base64.encodebytes(text.encode()).decode()}, {})
            if rest
            else (200, {}, {})
        )


@pytest.fixture
def github():
    """`cruft`: {repository: .cruft.json, or the status of the refusal}; `pulls`: {repository: its last update}; `limits`: what is answered instead, in turn."""
    with served(Answer) as stand:
        stand.cruft, stand.pulls, stand.tags, stand.limits, stand.seen, stand.lock = (
            {},
            {},
            {**TAGS, "latest": COMMITS[-1]},
            [],
            [],
            threading.Lock(),
        )
        stand.busy = stand.most_busy = 0
        yield stand


@pytest.fixture
def fleet(github):
    """A hundred repositories: on every release, between two, unreadable in every way; their updates in every state."""
    for n in range(90):
        commit = COMMITS[50 * (n % 6) + 49 - (n % 4 == 3) * 7]
        github.cruft[f"octo/r{n:03}"] = {
            "template": [
                "gh:" + TEMPLATE,
                ORIGIN,
                ORIGIN + ".git",
                f"git@github.com:{TEMPLATE}.git",
            ][n % 4],
            "commit": commit,
            "checkout": None,
        }
    states = [
        pull(1),
        pull(2, draft=True),
        pull(3, base={"repo": {"private": True}}, body=f"From a to b.\n\n{CONFLICTS}\n\nBoth"),
        pull(4, state="closed", merged_at="2026-11-01T00:00:00Z"),
        pull(5, state="closed"),
        pull(6, body=CONFLICTS),
    ]
    for n, state in enumerate(states):
        github.pulls[f"octo/r{n:03}"] = state
    for name, what in {
        "gone": 404,
        "bare": 410,
        "secret": 403,
        "legal": 451,
        "broken": "{",
        "list": "[]",
        "alien": {"template": "https://github.com/a/b", "commit": COMMITS[0]},
        "lost": {"template": ORIGIN, "commit": "f" * 40},
        "short": {"template": ORIGIN, "commit": "\x1b[31m"},
        "down": 502,
    }.items():
        github.cruft[f"octo/x-{what if isinstance(what, int) else name}"] = what
    return github


def call(github, folder, *words, text=None, **env):
    """Run dsri fleet in a process of its own, with the stand-in's repositories as its list unless told otherwise."""
    listed = folder / "fleet.txt"
    listed.write_text(
        text if text is not None else "# ours\n" + "".join(f"{name}\n" for name in github.cruft),
        encoding="utf-8",
    )
    clean = {k: v for k, v in os.environ.items() if k not in ("GH_TOKEN", "GITHUB_TOKEN")}
    return run(
        sys.executable,
        "-m",
        "dsri",
        "fleet",
        *(words or [str(listed)]),
        "--state",
        str(folder / "state"),
        env={
            **clean,
            "GITHUB_API_URL": github.url,
            "GH_TOKEN": TOKEN,
            "COLUMNS": "160",
            "HTTP_PROXY": "http://127.0.0.1:9",
            **env,
        },
    )


def test_a_hundred_repositories_are_read_in_seconds_and_every_row_is_right(fleet, tmp_path):
    start = time.monotonic()
    done = call(fleet, tmp_path, str(tmp_path / "fleet.txt"), "--json")
    assert time.monotonic() - start < 20 and done.returncode == 1, done.stderr
    said = json.loads(done.stdout)
    rows = {row["repository"].partition("/")[2]: row for row in said["repositories"]}
    assert len(rows) == 100 and said["newest"] == "v1.5.0"
    for n in range(90):
        row, between = rows[f"r{n:03}"], n % 4 == 3
        older = f"v1.{n % 6 - 1}.0+" if n % 6 else "before v1.0.0"
        assert (row["version"], row["behind"], row["problem"]) == (
            older if between else f"v1.{n % 6}.0",
            5 - n % 6 + between,
            None,
        )
    assert [rows[f"r{n:03}"]["update"] for n in range(6)] == [
        "open",
        "conflicting",
        "conflicting",
        "merged",
        "closed",
        "open",
    ]
    problems = {name[2:]: rows[name]["problem"] for name in rows if name.startswith("x-")}
    assert (
        problems["404"] == "not there, or this token cannot see it"
        and problems["410"].startswith("no .cruft.json")
        and problems["403"] == "this token may not read it"
    )
    assert (
        problems["451"] == "blocked for legal reasons"
        and problems["502"] == "GitHub answers 502"
        and problems["alien"] == "made by another template"
    )
    assert problems["lost"] == "commit fffffff is not in the template's history" and all(
        problems[name] == ".cruft.json is not what cruft writes"
        for name in ("broken", "list", "short")
    )
    assert 1 < fleet.most_busy <= 12 and {auth for _, _, auth in fleet.seen} == {f"Bearer {TOKEN}"}
    assert len(fleet.seen) < 2 * 100 + 20 and not any(
        "commits" in path and "page=4" in path for _, path, _ in fleet.seen
    )


def test_the_table_puts_first_what_needs_somebody_and_never_shows_the_token(fleet, tmp_path):
    done = call(fleet, tmp_path)
    lines = done.stdout.splitlines()
    at = {
        name: next(n for n, line in enumerate(lines) if line.startswith(name))
        for name in ("octo/x-404", "octo/r001", "octo/r000", "octo/r005")
    }
    assert list(at) == sorted(at, key=at.get) and re.search(
        r"octo/r001 +v1\.1\.0 +4 +conflicting #2", done.stdout
    )
    assert (
        "100 repositories: 8 on v1.5.0, 82 behind, 2 open, 2 conflicting, 10 not read"
        in done.stdout
    )
    assert (
        TOKEN not in done.stdout + done.stderr
        and TOKEN not in (tmp_path / "state").read_text(encoding="utf-8")
        and "\x1b[31m" not in done.stdout
    )


def test_a_run_goes_on_where_the_last_one_ended(fleet, tmp_path):
    first = call(fleet, tmp_path)
    with (tmp_path / "state").open("a", encoding="utf-8") as state:
        state.write('{"at": 1')  # a run that was ended while it wrote
    fleet.seen.clear()
    second = call(fleet, tmp_path)
    asked = {path.split("/")[3] for _, path, _ in fleet.seen if path.startswith("/repos/octo/")}
    assert second.stdout.splitlines()[:-2] == first.stdout.splitlines()[:-1] and asked == {
        f"x-{name}" for name in ("404", "403", "451", "502", "broken", "list", "short")
    }
    assert second.stdout.endswith(
        "93 of them as read up to 0 minutes ago; --fresh reads them again\n"
    )
    if os.name == "posix":
        assert (tmp_path / "state").stat().st_mode & 0o777 == 0o600
    fleet.seen.clear()
    assert (
        "as read up to" not in call(fleet, tmp_path, str(tmp_path / "fleet.txt"), "--fresh").stdout
        and len(fleet.seen) > 180
    )


@pytest.mark.parametrize(
    "status, headers",
    [
        (429, {"Retry-After": "3"}),
        (403, {"Retry-After": "3"}),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": None}),
    ],
)
def test_all_wait_for_the_rate_limit(github, tmp_path, status, headers):
    for n in range(30):
        github.cruft[f"octo/r{n}"] = {"template": ORIGIN, "commit": COMMITS[-1]}
    headers = {name: value or str(int(time.time()) + 4) for name, value in headers.items()}
    github.limits = [None] * 10 + [(status, {"message": "limited"}, headers)]
    done = call(github, tmp_path)
    times = sorted(at for at, _, _ in github.seen)
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    assert done.returncode == 0 and "30 on v1.5.0" in done.stdout and max(gaps) >= 1.5, (
        done.stdout,
        max(gaps),
    )
    assert times[gaps.index(max(gaps))] - times[10] < 1  # those under way, and nobody after them


def test_a_limit_that_lasts_longer_than_may_be_waited_ends_the_run_and_the_next_goes_on(
    github, tmp_path
):
    for n in range(30):
        github.cruft[f"octo/r{n}"] = {"template": ORIGIN, "commit": COMMITS[-1]}
    github.limits = [None] * 20 + [
        (403, {}, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 3600)})
    ]
    done = call(github, tmp_path, str(tmp_path / "fleet.txt"), "--wait", "5")
    assert (
        done.returncode == 1
        and re.search(r"the rate limit ends at \d\d:\d\d: run again then", done.stdout)
        and len(github.seen) < 60
    )
    left = collections.Counter(
        "rate limit" in line for line in done.stdout.splitlines() if line.startswith("octo/")
    )
    assert 0 < left[True] < 30
    github.seen.clear()
    again = call(github, tmp_path)
    assert (
        again.returncode == 0
        and "30 on v1.5.0" in again.stdout
        and sum("contents" in path for _, path, _ in github.seen) == left[True]
    )


@pytest.fixture
def client(github, monkeypatch):
    """A client that is stopped where it would wait; `waits` has how long."""
    monkeypatch.setenv("GITHUB_API_URL", github.url)
    monkeypatch.setattr("dsri.fleet.github.time.sleep", lambda seconds: None)
    made = Client(on_wait=lambda until: made.waits.append(until - time.time()) or made.stop())
    made.waits = []
    return made


@pytest.mark.parametrize("once", [(502, {}, {}), BROKEN])
def test_what_fails_is_asked_again_three_times_at_most(github, client, once):
    github.limits = [once, once]
    assert next(client.pages("/orgs/octo/repos"), None) is None and len(github.seen) == 3
    github.limits = [once] * 3
    with pytest.raises(Unreadable, match=r"GitHub answers 502|no answer \(ConnectionError\)"):
        client.get("/orgs/octo/repos")
    assert len(github.seen) == 6


def test_a_token_without_single_sign_on_is_told_apart(github, client):
    github.limits = [(403, {}, {"X-GitHub-SSO": "required; url=x"})]
    with pytest.raises(Unreadable, match="not authorised for the organisation's single sign-on"):
        client.get("/orgs/octo/repos")


@pytest.mark.parametrize(
    "limit, seconds",
    [
        ((429, {}, {}), 60),
        ((403, {"message": "You have exceeded a secondary rate limit."}, {}), 60),
        ((200, [], {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": None}), 31),
    ],
)
def test_how_long_a_limit_lasts(github, client, limit, seconds):
    github.limits = [
        (
            *limit[:2],
            {name: value or str(int(time.time()) + 30) for name, value in limit[2].items()},
        )
    ]
    with pytest.raises(Unreadable, match="interrupted"):
        for _ in range(2):
            client.get("/orgs/octo/repos", per_page=1)
    assert len(client.waits) == len(github.seen) == 1 and seconds - 5 < client.waits[0] <= seconds


def test_an_organisation_shows_what_the_template_made(fleet, tmp_path):
    done = call(fleet, tmp_path, "--organisation", "octo")
    assert "octo/r001" in done.stdout and not [
        name for name in ("x-410", "alien", "octo/r009", "octo/r008") if name in done.stdout
    ]  # made otherwise, archived, forked
    assert "/repos/octo/x-410" not in [path for _, path, _ in fleet.seen], "it is known to be there"
    assert "octo/r001" in call(fleet, tmp_path, "--organisation", "mona").stdout, "a user's"
    assert (
        call(fleet, tmp_path, "--organisation", "nobody").stderr.strip()
        == "No report: not there, or this token cannot see it"
    )


def test_before_the_first_release_nobody_is_behind(github, tmp_path):
    github.tags, github.cruft["octo/r"] = (
        {"latest": COMMITS[-1]},
        {"template": ORIGIN, "commit": COMMITS[7]},
    )
    done = call(github, tmp_path)
    assert (
        done.returncode == 0
        and re.search(r"octo/r +unreleased +0 +none", done.stdout)
        and "1 repository: the template has no release yet;" in done.stdout
    )


def test_what_cannot_be_a_report_is_said(github, tmp_path):
    done = call(github, tmp_path, text="octo/fine\nocto/../x\n")
    assert (
        done.returncode == 2
        and done.stderr.strip() == "No report: line 2: 'octo/../x' is not OWNER/NAME"
    )
    done = call(github, tmp_path, GITHUB_API_URL="http://example.org", text="octo/fine\n")
    assert done.returncode == 2 and "is not https" in done.stderr
    github.limits = [(401, {}, {})]
    done = call(github, tmp_path, text="octo/fine\n")
    assert done.returncode == 2 and done.stderr.strip() == "No report: the token is refused"


def test_the_token_may_come_from_gh(github, tmp_path):
    github.cruft["octo/r"] = {"template": ORIGIN, "commit": COMMITS[-1]}
    if os.name != "posix":
        pytest.skip("a shell script stands for gh")
    gh = tmp_path / "gh"
    gh.write_text(
        f'#!/bin/sh\n[ "$*" = "auth token --hostname 127.0.0.1" ] && echo {TOKEN}-of-gh\n',
        encoding="utf-8",
    )
    gh.chmod(0o755)
    done = call(github, tmp_path, GH_TOKEN="", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert (
        done.returncode == 0
        and {auth for _, _, auth in github.seen} == {f"Bearer {TOKEN}-of-gh"}
        and TOKEN not in done.stdout + done.stderr
    )


def test_an_interrupted_run_ends_at_once(github, tmp_path):
    if os.name != "posix":
        pytest.skip("sends SIGINT")
    github.cruft["octo/r"] = {"template": ORIGIN, "commit": COMMITS[-1]}
    github.limits = [None, (429, {}, {"Retry-After": "600"})]
    (tmp_path / "list").write_text("octo/r\n", encoding="utf-8")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "dsri",
            "fleet",
            str(tmp_path / "list"),
            "--state",
            str(tmp_path / "state"),
        ],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "GITHUB_API_URL": github.url, "GH_TOKEN": TOKEN},
    )
    until(lambda: len(github.seen) == 2)
    time.sleep(0.5)  # it has the answer, and waits
    process.send_signal(2)
    _, text = process.communicate(timeout=5)
    assert (
        process.returncode == 130
        and text.strip() == "Interrupted; the same command goes on from here."
    )


def test_what_was_read_too_long_ago_is_read_again(tmp_path):
    (tmp_path / "state").write_text(
        "".join(
            json.dumps({"at": time.time() - age, "row": {"repository": name}}) + "\n"
            for name, age in (("octo/old", 3601), ("octo/new", 3500))
        ),
        encoding="utf-8",
    )
    state = State(tmp_path / "state", longest_age=3600)
    state.close()
    assert (
        state.row("octo/old") is None
        and state.row("Octo/new") == Row("Octo/new")
        and len(state.reused) == 1
    )


def test_a_list_takes_addresses_and_comments():
    assert names(
        "# all\nhttps://github.com/Octo/A.git\nocto/a  # the same\n\ngit@github.com:octo/b\n"
    ) == ["Octo/A", "octo/b"]
