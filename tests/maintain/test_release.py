"""Releases: what has to agree, and the example repository that every release makes anew."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import release
import yaml
from conftest import TEMPLATE, committed, run, tool

PROJECT = '[project]\nname = "x"\nversion = "1.1.0"\n'
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- New.\n\n## [1.1.0] - 2026-01-02\n\n- Two.\n\n## [1.0.0] - 2026-01-01\n\n- One.\n"


def test_a_release_is_prepared_and_its_notes_are_its_section():
    project, changelog = release.prepare("1.2.0", PROJECT, CHANGELOG, "2026-02-03")
    assert (
        'version = "1.2.0"' in project
        and "## [Unreleased]\n\n## [1.2.0] - 2026-02-03\n\n### Added\n\n- New.\n\n## [1.1.0]"
        in changelog
    )
    assert release.notes("v1.2.0", project, changelog) == "### Added\n\n- New.\n"


@pytest.mark.parametrize(
    "version, changelog, words",
    [
        ("1.2", CHANGELOG, "is not three numbers"),
        ("01.2.0", CHANGELOG, "is not three numbers"),
        ("1.1.0", CHANGELOG, "is not above 1.1.0"),
        ("1.0.9", CHANGELOG, "is not above 1.1.0"),
        ("1.2.0", CHANGELOG.replace("### Added\n\n- New.\n\n", ""), "nothing under [Unreleased]"),
    ],
)
def test_what_cannot_be_prepared_is_said(version, changelog, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        release.prepare(version, PROJECT, changelog, "2026-02-03")


@pytest.mark.parametrize(
    "tag, changelog, words",
    [
        ("v1.2.0", CHANGELOG, "the tag is v1.2.0, the version in pyproject.toml 1.1.0"),
        ("1.1.0", CHANGELOG, "the tag is 1.1.0"),
        (
            "v1.1.0",
            CHANGELOG.replace("[1.1.0] - 2026-01-02", "[1.1.0]"),
            "not [1.1.0] with its date",
        ),
        ("v1.1.0", CHANGELOG.replace("[1.1.0]", "[1.1.1]"), "is [1.1.1], not [1.1.0]"),
        ("v1.1.0", CHANGELOG.replace("- Two.\n\n", ""), "is empty"),
        ("v1.1.0", "# Changelog\n", "is missing"),
    ],
)
def test_what_does_not_agree_is_no_release(tag, changelog, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        release.notes(tag, PROJECT, changelog)


def test_the_changelog_and_the_version_of_now_can_become_a_release():
    project, changelog = (
        (TEMPLATE / name).read_text(encoding="utf-8") for name in ("pyproject.toml", "CHANGELOG.md")
    )
    sections = [name for name, _, _ in release.SECTION.findall(changelog)]
    assert sections[0] == "Unreleased" and all(
        re.fullmatch(release.SEMANTIC, name) for name in sections[1:]
    )
    assert sections[1:] == sorted(sections[1:], key=release.numbers, reverse=True)
    version = release.VERSION.search(project)[1]
    if sections[1:]:
        assert version == sections[1]
    assert release.VERSION.sub("", project) == project.replace(f'version = "{version}"', "", 1)


@pytest.fixture
def example(tmp_path):
    """tools/example with repositories of this machine's for GitHub's, one of them empty, and the environment that the workflow gives."""
    if os.name != "posix":
        pytest.skip("runs on GitHub's Linux runners")
    for program in ("bash", "mktemp", "mv", "tee"):
        tool(program, "a package of that name")
    template = tmp_path / "octo/template.git"
    for name in ("hooks", "{{cookiecutter.repo_name}}"):
        shutil.copytree(TEMPLATE / name, template / name)
    shutil.copy(TEMPLATE / "cookiecutter.json", template)
    committed(template)
    for words in (["tag", "v1.2.0"], ["tag", "v1.3.0"]):
        assert run("git", "-C", str(template), *words).returncode == 0
    assert (
        run(
            "git", "init", "-q", "--bare", "-b", "main", str(tmp_path / "octo/dsri-example.git")
        ).returncode
        == 0
    )
    env = {
        **os.environ,
        "GITHUB_SERVER_URL": f"file://{tmp_path}",
        "EXAMPLE_REPOSITORY": "octo/dsri-example",
        "EXAMPLE_TOKEN": "ghp_canary",
        "GITHUB_REPOSITORY": "octo/template",
        "GITHUB_REF_NAME": "v1.2.0",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    return lambda **more: run(
        "bash", str(TEMPLATE / "tools/example"), env={**env, **more}, cwd=tmp_path
    )


def test_without_a_token_nothing_is_pushed_and_that_is_said(example, tmp_path):
    done = example(EXAMPLE_TOKEN="")
    assert (
        done.returncode == 0
        and "lacks the variable EXAMPLE_REPOSITORY or the secret EXAMPLE_TOKEN" in done.stdout
    )
    assert "No example repository" in (tmp_path / "summary").read_text(encoding="utf-8")


def test_the_example_is_what_the_template_generates(example, tmp_path):
    bare = tmp_path / "octo/dsri-example.git"

    def git(*words):
        return run("git", "-C", str(bare), *words).stdout.strip()

    first = example()
    assert first.returncode == 0 and "octo/dsri-example is what v1.2.0 generates" in first.stdout, (
        first.stderr
    )
    assert {".github/workflows/publish.yml", "Dockerfile", "openshift/deployment.yaml"} <= set(
        git("ls-tree", "-r", "--name-only", "main").split()
    )
    assert "ghcr.io/octo/dsri-example" in git("show", "main:openshift/deployment.yaml")
    assert (
        "octo/dsri-example is current." in example().stdout
        and git("rev-list", "--count", "main") == "1"
    )
    # What somebody left there, and an older generation's file, go with the next release.
    subprocess.run(
        f"git clone -q {bare} {tmp_path}/c && cd {tmp_path}/c && echo old > Dockerfile && echo x > left && git add . && git -c user.name=a -c user.email=a@b.c commit -qm x && git push -q",
        shell=True,
        check=True,
    )
    again = example(GITHUB_REF_NAME="v1.3.0")
    assert (
        again.returncode == 0
        and git("log", "-1", "--format=%s", "main") == "Generate with cookiecutter-dsri v1.3.0"
    )
    assert set(git("diff", "--name-only", "main~2", "main").split()) <= {
        ".cruft.json"
    }  # which names the version
    assert "ghp_canary" not in first.stdout + first.stderr + again.stdout + again.stderr


def test_the_release_asks_for_no_more_than_it_does():
    jobs = yaml.safe_load((TEMPLATE / ".github/workflows/release.yml").read_text(encoding="utf-8"))[
        "jobs"
    ]
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "agree": {"contents": "read"},
        "test": {"contents": "read"},
        "release": {"contents": "write"},
        "example": {"actions": "write"},
    }
    assert (
        jobs["test"]["needs"] == "agree"
        and jobs["release"]["needs"] == "test"
        and jobs["example"]["needs"] == "release"
    )


def test_the_release_is_made_from_the_changelog(tmp_path):
    """The workflow's own scripts, with a gh that writes down how it was called: a new release, then one that is there."""
    if os.name != "posix":
        pytest.skip("runs on GitHub's Linux runners")
    workflow = yaml.safe_load(
        (TEMPLATE / ".github/workflows/release.yml").read_text(encoding="utf-8")
    )
    agree, script = (
        next(
            step["run"]
            for step in workflow["jobs"][job]["steps"]
            if "release.py" in step.get("run", "")
        )
        for job in ("agree", "release")
    )
    assert workflow["defaults"]["run"]["shell"] == "bash"  # which GitHub runs as below
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/release.py").write_bytes((TEMPLATE / "tools/release.py").read_bytes())
    (tmp_path / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG, encoding="utf-8")
    (tmp_path / "gh").write_text(
        '#!/bin/sh\n[ "$2" != view ] || exec test -e made\n: > made\necho "$@" >> calls\nfor notes; do :; done\ncat "$notes" >> calls\n',
        encoding="utf-8",
    )
    (tmp_path / "gh").chmod(0o755)
    env = {
        **os.environ,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }

    def bash(script, tag):
        return run(
            tool("bash", "any bash"),
            "-eo",
            "pipefail",
            "-c",
            script,
            cwd=tmp_path,
            env={**env, "GITHUB_REF_NAME": tag},
        )

    assert (
        bash(agree, "v1.2.0").returncode == 1
        and bash(script, "v1.2.0").returncode == 1
        and not (tmp_path / "calls").exists()
    )
    assert (
        bash(agree, "v1.1.0").stdout
        == "- Two.\n"
        == (tmp_path / "summary").read_text(encoding="utf-8")
    )
    for _ in range(2):
        done = bash(script, "v1.1.0")
        assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text(encoding="utf-8")
    assert calls == "".join(
        f"release {made} --title v1.1.0 --notes-file {tmp_path}/notes.md\n- Two.\n"
        for made in ("create v1.1.0 --verify-tag", "edit v1.1.0")
    )
