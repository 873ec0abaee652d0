"""What keeps the template's own files current: Renovate's configuration, and the requirements that are resolved anew."""

import json
import os
import re
import shutil
from pathlib import Path

import pins
import pytest
import relock
import yaml
from conftest import STACKS, TEMPLATE, run, tool

RENOVATE = json.loads((TEMPLATE / ".github/renovate.json").read_text(encoding="utf-8"))
UV = """#!/bin/sh
# Stands for uv: writes down how it was called and on what, and resolves to a newer version.
echo "$@" >> "$CALLS"
[ ! -e pyproject.toml ] || head -2 pyproject.toml | tail -1 >> "$CALLS"
for name in requirements*.txt; do case "$*" in *"-o $name "*) sed -i 's/^ruff==.*/ruff==99.0 \\\\/' "$name";; esac; done
"""


@pytest.mark.parametrize("image", pins.found(TEMPLATE)[1])
def test_every_base_image_s_tag_has_an_order_that_renovate_knows(image):
    name, _, tag = image.partition("@")[0].rpartition(":")
    rules = [
        rule["versioning"]
        for rule in RENOVATE["packageRules"]
        for pattern in rule.get("matchPackageNames", [])
        if re.fullmatch(pattern.replace("**", ".*"), name)
    ]
    # docs.renovatebot.com, versioning docker: numbers, then perhaps a suffix; a name that moves by itself needs no update.
    pattern = (
        rules[0].removeprefix("regex:").replace("(?<", "(?P<")
        if rules
        else r"v?\d+(\.\d+)*(-\D.*)?|stable"
    )
    assert len(rules) <= 1 and re.fullmatch(pattern, tag)


@pytest.fixture
def staged(tmp_path, monkeypatch):
    """A copy of the stacks, a uv that writes down its calls."""
    if os.name != "posix":
        pytest.skip("a shell script stands for uv")
    for program in ("sed", "head", "tail"):
        tool(program, "a package of that name, or coreutils")
    shutil.copytree(relock.STAGED, tmp_path / "stacks")
    monkeypatch.setattr(relock, "STAGED", tmp_path / "stacks")
    (tmp_path / "uv").write_text(UV, encoding="utf-8")
    (tmp_path / "uv").chmod(0o755)
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_requirements_are_resolved_by_their_own_commands(staged, capsys):
    before = {path: path.read_bytes() for path in staged.glob("stacks/*/pyproject.toml.j2")}
    relock.main()
    calls = (staged / "calls").read_text(encoding="utf-8").splitlines()
    commands = [call for call in calls if call.startswith("pip compile ")]
    assert len(commands) == len(list(relock.STAGED.glob("*/requirements*.txt"))) > 2 and all(
        call.endswith("--upgrade --quiet") for call in commands
    )
    assert set(calls) - set(commands) == {'name = "x"'}
    text = capsys.readouterr().out
    assert (
        re.search(r"`fastapi/requirements-dev\.txt`: ruff [\d.]+ → 99\.0\n", text)
        and "`fastapi/requirements.txt`: nothing newer" in text
    )
    for stack in {path.parent.name for path in before}:
        compiled = [call for call in commands if "pyproject.toml" in call]
        assert compiled and text.index(f"`{stack}/requirements.txt`") < text.index(
            f"`{stack}/requirements-dev.txt`"
        )
        assert "ruff==99.0 \\\n    --hash=" in (
            relock.STAGED / stack / "requirements-dev.txt"
        ).read_text(encoding="utf-8")
    assert before == {path: path.read_bytes() for path in before}


def test_every_compiled_file_has_its_command():
    files = [path for stack in STACKS for path in (relock.STAGED / stack).glob("requirements*.txt")]
    assert files and sorted(files) == sorted(
        path for stack in STACKS for path, _ in relock.locks(stack)
    )


@pytest.mark.parametrize("there, may_open", [("", True), ("", False), ("7", True)])
def test_what_is_newer_becomes_one_pull_request(tmp_path, there, may_open):
    """The workflow's own script, with a bare repository for GitHub's and a gh that writes down how it was called."""
    if os.name != "posix":
        pytest.skip("runs on GitHub's Linux runners")
    steps = yaml.safe_load((TEMPLATE / ".github/workflows/relock.yml").read_text(encoding="utf-8"))[
        "jobs"
    ]["relock"]["steps"]
    step = next(step for step in steps if "gh pr create" in step.get("run", ""))
    (tmp_path / "gh").write_text(
        f'#!/bin/sh\ncase "$1 $2" in "pr list") echo "{there}";; *) echo "$1 $2 $3" >> "$CALLS";; esac\n[ "$2" != create ] || {str(may_open).lower()}\n',
        encoding="utf-8",
    )
    (tmp_path / "gh").chmod(0o755)
    env = {
        **os.environ,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "CALLS": str(tmp_path / "calls"),
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "octo/x",
        "BRANCH": step["env"]["BRANCH"],
        "TITLE": step["env"]["TITLE"],
        "HOME": str(tmp_path),
    }

    def bash(script, where):
        return run(tool("bash", "any bash"), "-eo", "pipefail", "-c", script, cwd=where, env=env)

    made = bash(
        "git init -q --bare -b main remote && git clone -q remote copy && cd copy && echo 1 > a && git add a && git -c user.name=a -c user.email=a@b.c commit -qm a && git push -q origin HEAD",
        tmp_path,
    )
    assert made.returncode == 0, made.stderr
    assert (
        bash(step["run"], tmp_path / "copy").stdout == "Nothing newer.\n"
        and not Path(env["CALLS"]).exists()
    )
    (tmp_path / "copy/a").write_text("2\n", encoding="utf-8")
    done = bash(step["run"], tmp_path / "copy")
    assert done.returncode == 0, done.stderr
    assert run("git", "--git-dir", str(tmp_path / "remote"), "show", "relock:a").stdout == "2\n"
    assert Path(env["CALLS"]).read_text(encoding="utf-8").splitlines() == [
        f"pr edit {env['BRANCH']}" if there else "pr create --head",
        "workflow run test.yml",
    ]
    assert ("Open it: https://github.com/octo/x/compare/relock?expand=1" in done.stdout) == (
        not may_open
    )
