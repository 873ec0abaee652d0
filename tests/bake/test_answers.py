"""Promise 6: a wrong answer is refused, all at once; any text arrives as it was typed."""

import json
import os
import re
import runpy
import subprocess
import sys

import pytest
import yaml
from conftest import STAGED, TEMPLATE, bake, hook, run, tool

WRONG = {
    "project_name": ["", " x", "a\tb", "a\u202eb", "a\u2028b", "x" * 101],
    "repo_name": [
        "-x",
        "a b",
        "x.git",
        "x.GIT",
        "CON",
        "nul.v1",
        "a..b",
        "x.",
        "_x",
        "x" * 101,
        "é",
        "..",
        "a/b",
    ],
    "description": ["", "x" * 351, "a\x7fb"],
    "stack": ["flask", ""],
    "github_owner": ["-a", "a-", "a--b", "a_b", "_acme", "a_bcd_efg", "a" * 40, "my org"],
    "github_username": ["-a", "a--b", "a b", "a" * 40, "é"],
    "full_name": ["", "x" * 101],
    "email": [
        "x",
        "a@b",
        "a b@c.nl",
        "a'b@c.nl",
        "a@b.nl;ls",
        "$(id)@b.nl",
        '"a"@b.nl',
        "a@b..nl",
        "-a@b.nl",
    ],
    "openshift_project": [
        "default",
        "openshift",
        "openshift-x",
        "kube-system",
        "Upper",
        "a_b",
        "-a",
        "a-",
        "a" * 64,
        "a",
    ],
    "service_account": ["root"],
    "pull_secret_name": ["A", "a_b", ".a", "a.", "a..b", "x" * 254],
    "port": ["80", "1023", "65536", "08080", "http", "8080.0", "-8080", "１２３４"],
    "storage": ["0", "0Gi", "-5Gi", "5GB", "5 Gi", "11Ti", "10241Gi", "1e99", "", "Gi", "5gi"],
    "license": ["GPL"],
}
RIGHT = {
    "repo_name": ["Kg_Demo.v1", "a", "x__y", "a--b", "console"],
    "github_owner": ["octocat", "a-b", "jdoe_acme"],
    "github_username": ["octocat", "a-b", "mona_octo"],
    "email": ["a.b+c@um.nl", "x@sub.maastrichtuniversity.nl"],
    "openshift_project": ["ab", "2024-study"],
    "port": ["1024", "65535", "8501"],
    "storage": ["none", "5Gi", "10Ti", "500M", "1e3", "0.5Gi", ".5Gi", "5.", "1099511627776"],
    "pull_secret_name": ["a.b-c", "github-ghcr-secret"],
    "project_name": [
        "日本語 👩‍🚀",
        "a\u200cb",
        "'\"`$()\\",
        "{{ x }} {% y %}",
        "x" * 100,
        "null",
        "1e3",
    ],
}


PRE = hook("pre_gen_project", _stacks={"fastapi": {}, "own-dockerfile": {}}, __app_name="app")
right = PRE["right"]


@pytest.mark.parametrize("key, answer", [(k, a) for k, many in WRONG.items() for a in many])
def test_refused(key, answer):
    assert not right(key, answer)


@pytest.mark.parametrize("key, answer", [(k, a) for k, many in RIGHT.items() for a in many])
def test_taken(key, answer):
    assert right(key, answer)


@pytest.mark.parametrize(
    "quantity, is_bytes",
    [
        ("5Gi", 5 * 1024**3),
        ("0.5Gi", 1024**3 // 2),
        (".5Gi", 1024**3 // 2),
        ("+5.", 5),
        ("10Ti", 10 * 1024**4),
        ("500M", 500 * 1000**2),
        ("5k", 5000),
        ("2E", 2 * 1000**6),
        ("2Ei", 2 * 1024**6),
        ("5000m", 5),
        ("1e3", 1000),
        ("1E+3", 1000),
        ("1099511627776", 1024**4),
    ],
)
def test_a_quantity_is_the_same_everywhere(quantity, is_bytes):
    """The hook stands alone, so it has a reading of its own; openshift/image.py has the other."""
    image = runpy.run_path(str(STAGED / "every/openshift/image.py"))
    assert PRE["bytes_of"](quantity) == image["bytes_of"](quantity) == is_bytes


@pytest.mark.parametrize(
    "sign",
    [
        *map(chr, [*range(32), *range(127, 160)]),
        "\u061c",
        "\u200e",
        "\u2028",
        "\u202e",
        "\u2066",
        "\ufeff",
        "\ufffe",
    ],
)
def test_a_character_that_hides_or_breaks_a_line_is_refused(sign):
    assert not any(right(key, f"a{sign}b") for key in ("project_name", "description", "full_name"))


def test_all_wrong_answers_are_said_at_once_and_nothing_is_left(tmp_path):
    made = bake(
        tmp_path,
        repo_name="a b",
        port="80",
        storage="5GB",
        email="x y",
        project_name="Jinja {{ 1 }} isn't",
    )
    assert made.status == 1 and not made.path.exists()
    for key in ("repo_name: 'a b'", "port: '80'", "storage: '5GB'", "email: 'x y'"):
        assert f"  {key}\n    allowed: " in made.text
    assert "let your application listen on 8080 or above" in made.text
    assert "description" not in made.text.split("This asks again")[0]


def typed(text, folder):
    """The cookiecutter command that was printed, run in a shell; its questions are not asked."""
    command = next(
        line.strip(" &") for line in text.splitlines() if re.match(r"    .*\bcookiecutter \S", line)
    )
    command = command.replace("cookiecutter ", "cookiecutter --no-input ", 1)
    shell = tool("sh", "a POSIX shell")
    return subprocess.run([shell, "-c", command], cwd=folder, capture_output=True, encoding="utf-8")


def test_the_command_that_runs_again_keeps_the_right_answers(tmp_path):
    name = "It's {{ 'x' }} \"q\" $(id) `id` \\"
    first = bake(tmp_path, project_name=name.replace("{{", "{{ '{{' }}"), port="80")
    done = typed(first.text, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        yaml.safe_load((first.path / "CITATION.cff").read_text(encoding="utf-8"))["title"] == name
    )


@pytest.mark.parametrize(
    "name, wrong",
    [("app-token", {"pull_secret_name"}), ("app-settings", {"pull_secret_name"}), ("token", set())],
)
def test_the_pull_secret_has_a_name_of_its_own(name, wrong):
    answers = {
        **{key: many[0] for key, many in RIGHT.items()},
        "project_name": "A",
        "description": "A",
        "full_name": "A",
        "github_owner": "a",
        "stack": "fastapi",
        "service_account": "default",
        "license": "MIT",
        "pull_secret_name": name,
    }
    assert set(PRE["problems"](answers)) == wrong


def test_the_command_that_runs_again_is_found_where_cookiecutter_is_not_on_path(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    answers = dict.fromkeys(PRE["RULES"], "x")
    assert (
        PRE["again"](answers, {}).partition(" -m cookiecutter gh:")[0].strip("&' ")
        == sys.executable
    )
    for name in ("cookiecutter", "cookiecutter.exe"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    assert PRE["again"](answers, {}).startswith("cookiecutter gh:")


def test_a_long_route_label_is_refused(tmp_path):
    made = bake(tmp_path, repo_name="a" * 40, openshift_project="b" * 30)
    assert (
        made.status == 1
        and "has 71 characters; 63 are possible" in made.text
        and not made.path.exists()
    )


def test_answers_kept_by_another_version_are_refused_with_the_command_that_takes_them(tmp_path):
    name = "It's {{ 'kept' }}"
    assert (
        bake(tmp_path, project_name=name.replace("{{", "{{ '{{' }}"), repo_name="kept").status == 0
    )
    replay = [
        sys.executable,
        "-m",
        "cookiecutter",
        "--config-file",
        ".config.yaml",
        "--replay",
        str(TEMPLATE),
        "-o",
    ]
    same = run(*replay, "same", cwd=tmp_path)
    assert same.returncode == 0, same.stderr
    kept = next((tmp_path / ".r").glob("*.json"))
    answers = json.loads(kept.read_text(encoding="utf-8"))
    answers["cookiecutter"]["_parts"]["every"]["templates"].append("gone.md")
    kept.write_text(json.dumps(answers), encoding="utf-8")
    done = run(*replay, "other", cwd=tmp_path, env={**os.environ, "PWD": str(tmp_path)})
    assert (
        done.returncode == 1
        and "kept by another version" in done.stderr
        and not list((tmp_path / "other").iterdir())
    )
    assert typed(done.stderr, tmp_path).returncode == 0
    assert (
        yaml.safe_load((tmp_path / "other/kept/CITATION.cff").read_text(encoding="utf-8"))["title"]
        == name
    )


def test_hooks_import_nothing_from_the_temporary_folder(tmp_path, monkeypatch):
    for module in ("jinja2", "json", "placing", "re", "shlex", "textwrap", "typing"):
        (tmp_path / f"{module}.py").write_text(
            "raise SystemExit('imported from the temporary folder')", encoding="utf-8"
        )
    for variable in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(variable, str(tmp_path))
    (tmp_path / "here").mkdir()
    assert bake(tmp_path / "here").status == 0
