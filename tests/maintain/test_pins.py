"""The check of pins, against a stand-in of GitHub's API and of a registry that wants a token, as ghcr.io and quay.io do."""

import base64
import os
import re
import shutil

import pins
import pytest
import runner
import yaml
from conftest import TEMPLATE, run, tool
from standin import Handler, served

A, B, TAG = "a" * 40, "b" * 40, "c" * 40
DIGEST = "sha256:" + "d" * 64
AMD64, ARM64 = (
    {"os": "linux", "architecture": architecture} for architecture in ("amd64", "arm64")
)
GITHUB = {
    "/repos/octo/light/git/ref/tags/v1.0.0": {"object": {"type": "commit", "sha": A}},
    "/repos/octo/annotated/git/ref/tags/v1.0.0": {"object": {"type": "tag", "sha": TAG}},
    f"/repos/octo/annotated/git/tags/{TAG}": {"object": {"type": "commit", "sha": A}},
}
IMAGES = {
    "octo/index/manifests/1": (
        pins.INDEX[0],
        {"mediaType": pins.INDEX[0], "manifests": [{"platform": ARM64}, {"platform": AMD64}]},
    ),
    "octo/arm/manifests/1": (
        pins.INDEX[1],
        {"mediaType": pins.INDEX[1], "manifests": [{"platform": ARM64}]},
    ),
    "octo/single/manifests/1": (pins.MANIFEST[0], {"config": {"digest": "x"}}),
    "octo/single/blobs/x": ("application/json", AMD64),
}


def contents(text):
    """A file, as GitHub's API gives it."""
    return {"encoding": "base64", "content": base64.b64encode(text.encode()).decode()}


SOFTWARE = "".join(
    f"- {program.listed} {program.had}\n"
    for program in runner.needs().programs
    if program.name != "curl"
)
GITHUB["/repos/actions/runner-images/contents/README.md"] = contents(
    """| Image | Architecture | YAML Label | Included Software |
| Ubuntu 26.04 | x64 | `ubuntu-latest` or `ubuntu-26.04` | [ubuntu-26.04] |
| Ubuntu 24.04 | x64 | `ubuntu-24.04` | [ubuntu-24.04] |
[ubuntu-26.04]: https://github.com/actions/runner-images/blob/main/images/ubuntu/Ubuntu2604-Readme.md
[ubuntu-24.04]: https://github.com/actions/runner-images/blob/main/images/ubuntu/Ubuntu2404-Readme.md
"""
)
LIST = "/repos/actions/runner-images/contents/images/ubuntu/Ubuntu2604-Readme.md"
GITHUB[LIST] = contents(SOFTWARE + "| curl    | 8.18.0-1ubuntu2.3 |\n")


class Stand(Handler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/token":
            assert query == "service=registry&scope=repository%3Aocto%2Fx%3Apull"
            return self.reply(200, {"token": "anonymous"})
        if path.startswith("/repos/"):
            return (
                self.reply(200, GITHUB[path])
                if path in GITHUB
                else self.reply(500 if "broken" in path else 404, {})
            )
        if self.headers.get("Authorization") != "Bearer anonymous":
            realm = f"http://{self.headers['Host']}/token"
            return self.reply(
                401,
                {},
                {
                    "WWW-Authenticate": f'Bearer realm="{realm}",service="registry",scope="repository:octo/x:pull"'
                },
            )
        if "broken" in path:
            return self.reply(503, {})
        kind, body = IMAGES.get(path.removeprefix("/v2/"), (None, {}))
        self.reply(
            200 if kind else 404,
            body,
            {"Content-Type": kind or "application/json", "Docker-Content-Digest": DIGEST},
        )


@pytest.fixture
def asked(tmp_path, monkeypatch, capsys):
    """Check a template of these lines, in a workflow and a Dockerfile: (exit status, what was printed)."""
    monkeypatch.setenv("GH_TOKEN", "ghp_canary")
    monkeypatch.setattr(pins, "TEMPLATE", tmp_path)
    monkeypatch.setattr("dsri.fleet.github.time.sleep", lambda seconds: None)

    def check(uses=(), images=()):
        for name, lines in {
            ".github/workflows/x.yml": [f"      - uses: {line}" for line in uses],
            "{{cookiecutter.repo_name}}/s/Dockerfile": [f"FROM {line}" for line in images],
        }.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return pins.main(), capsys.readouterr().out

    with served(Stand) as server:
        monkeypatch.setenv("GITHUB_API_URL", server.url)
        monkeypatch.setattr(pins, "registry", lambda host: server.url)
        yield check


def test_what_agrees_is_counted(asked):
    status, text = asked(
        [f"octo/light@{A} # v1.0.0", f"octo/annotated/sub@{A} # v1.0.0", "./local"],
        [
            "ghcr.io/octo/index:1 AS base",
            "base",
            "--platform=linux/amd64 quay.io/octo/single:1",
            f"ghcr.io/octo/index:1@{DIGEST}",
            "scratch",
        ],
    )
    assert (status, text) == (0, "2 pins of actions and 3 base images asked.\n")


@pytest.mark.parametrize(
    "line, words",
    [
        (f"octo/light@{B} # v1.0.0", f"names v1.0.0, which is {A}"),
        (f"octo/annotated@{TAG} # v1.0.0", f"names v1.0.0, which is {A}"),
        (f"octo/light@{A} # v2.0.0", "names v2.0.0, which octo/light has not got"),
        ("octo/light@v1.0.0", "is not pinned by a commit"),
        (f"octo/light@{A}", "has no version in its comment"),
        ("octo/light", "is not pinned by a commit"),
    ],
)
def test_an_action_that_is_another_is_said_with_its_place(asked, line, words):
    status, text = asked([line])
    assert (
        status == 1
        and words in text
        and "  - .github/workflows/x.yml:1\n" in text
        and "canary" not in text
    )


@pytest.mark.parametrize(
    "image, words",
    [
        ("ghcr.io/octo/none:1", "is not there, or not for everybody (the registry answers 404)"),
        ("ghcr.io/octo/arm:1", "is not for linux/amd64"),
        ("python:3", "names no registry, or no tag"),
        ("ghcr.io/octo/index", "names no registry, or no tag"),
        ("ghcr.io/octo/index:1@sha256:" + "e" * 64, f"has the digest {DIGEST}"),
    ],
)
def test_an_image_that_is_not_there_is_said_with_its_place(asked, image, words):
    status, text = asked(images=[image])
    assert status == 1 and f"`{image}` {words}" in text and "s/Dockerfile:1" in text


def test_what_could_not_be_asked_is_neither_right_nor_wrong(asked):
    status, text = asked(
        [f"octo/broken@{A} # v1.0.0", f"octo/light@{B} # v1.0.0"], ["ghcr.io/octo/broken:1"]
    )
    assert (
        status == 2
        and text.count("could not be asked") == 2
        and "GitHub answers 500" in text
        and "ghcr.io answers 503" in text
        and "which is" in text
    )


@pytest.mark.parametrize(
    "path, text, words",
    [
        (
            LIST,
            SOFTWARE.replace("jq 1.8.1", "jq 1.5") + "- Docker-Buildx\n",
            [
                "jq is 1.5 there, and the workflows need 1.6 or newer",
                "curl is not in the list of its software",
            ],
        ),
        (LIST, "", ["docker is not in the list of its software"]),
        (
            "/repos/actions/runner-images/contents/README.md",
            "| Ubuntu 28.04 | x64 | `ubuntu-28.04` | [ubuntu-28.04] |",
            ["actions/runner-images names no image for ubuntu-latest"],
        ),
        (
            "/repos/actions/runner-images/contents/README.md",
            "| Ubuntu 28.04 | x64 | `ubuntu-latest` | [ubuntu-28.04] |",
            ["actions/runner-images has no link to the list of ubuntu-latest's image"],
        ),
    ],
)
def test_a_runner_that_lacks_something_is_said(asked, monkeypatch, path, text, words):
    monkeypatch.setitem(GITHUB, path, contents(text))
    status, said = asked()
    assert status == 1
    assert "- `ubuntu-latest` " in said
    assert "  - tools/runner.yaml\n" in said
    for word in words:
        assert word in said


def test_a_list_that_cannot_be_read_is_neither_right_nor_wrong(asked, monkeypatch):
    monkeypatch.delitem(GITHUB, LIST)
    status, said = asked()
    assert status == 2
    assert "`ubuntu-latest` could not be asked" in said


def test_every_pin_of_the_template_is_found():
    actions, images = pins.found(TEMPLATE)
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in pins.FOLDERS
        for path in (TEMPLATE / folder).rglob("*.yml")
        if "workflows" in path.parts
    )
    assert (
        len([line for lines in actions.values() for line in lines])
        == len(re.findall(r"uses: (?!\./)", text))
        > 10
    )
    assert all(re.fullmatch("[0-9a-f]{40}", commit) and version for _, commit, version in actions)
    files = {
        *(TEMPLATE / pins.FOLDERS[1]).rglob("*Dockerfile"),
        *(TEMPLATE / pins.FOLDERS[1]).rglob("*Dockerfile.j2"),
        *(TEMPLATE / pins.FOLDERS[2] / name for name in ("compose.yaml", "kind.yaml")),
    }
    assert {
        TEMPLATE / where.partition(":")[0] for lines in images.values() for where in lines
    } == files


@pytest.mark.parametrize(
    "status, there, called",
    [
        ("1", "", ["issue create --title A pin is not what it says --body-file pins.md"]),
        ("1", "7", ["issue edit 7 --body-file pins.md"]),
        ("0", "7", ["issue close 7 --comment All agree again."]),
        ("0", "", []),
    ],
)
def test_one_issue_is_kept(tmp_path, status, there, called):
    """The workflow's own script, with a gh that writes down how it was called."""
    if os.name != "posix":
        pytest.skip("runs on GitHub's Linux runners")
    steps = yaml.safe_load((TEMPLATE / ".github/workflows/pins.yml").read_text(encoding="utf-8"))[
        "jobs"
    ]["pins"]["steps"]
    step = next(step for step in steps if "gh issue" in step.get("run", ""))
    (tmp_path / "gh").write_text(
        f'#!/bin/sh\nif [ "$2" = list ]; then echo "{there}"; else echo "$@" >> calls; fi\n',
        encoding="utf-8",
    )
    (tmp_path / "gh").chmod(0o755)
    done = run(
        tool("bash", "any bash"),
        "-eo",
        "pipefail",
        "-c",
        step["run"],
        cwd=tmp_path,
        env={
            "PATH": f"{tmp_path}{os.pathsep}{os.path.dirname(shutil.which('sh'))}",
            "STATUS": status,
            "TITLE": step["env"]["TITLE"],
            "RUNNER_TEMP": ".",
        },
    )
    calls = (
        (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
        if (tmp_path / "calls").exists()
        else []
    )
    assert done.returncode == 0 and [call.replace("./", "") for call in calls] == called
