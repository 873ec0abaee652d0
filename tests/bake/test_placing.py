"""Promise 5 and 2: the package that the hook runs (cookiecutter-stacks/placing), called without cookiecutter."""

import os
from pathlib import Path

import jinja2
import pytest
from conftest import QUESTIONS, STAGED
from placing.origin import public_address
from placing.project import Project
from placing.repository import Repository
from placing.shell import Shell
from placing.staging import FOLDER, chosen, environment, fill_in
from placing.steps import printed_steps
from placing.terminal import plain

ANSWERS = {key: value for key, value in QUESTIONS.items() if key.startswith("_")}
ANSWERS.update(
    stack="fastapi",
    license="MIT",
    storage="none",
    port="8080",
    service_account="default",
    repo_name="kg",
    github_owner="mona",
    github_username="mona",
    email="mona@example.org",
    openshift_project="kg-project",
    pull_secret_name="pull",
    __app_name="kg",
    __image="ghcr.io/mona/kg",
    __storage_path="/data",
)


def project(**answers):
    return Project({**ANSWERS, **answers})


@pytest.fixture
def staged(tmp_path, monkeypatch):
    """A function: a staging folder with these files, as the current folder has it."""
    monkeypatch.chdir(tmp_path)

    def make(**texts):
        for path, text in texts.items():
            file = tmp_path / FOLDER / path.replace("__", "/").replace("_j2", ".j2")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")

    return make


def test_a_later_part_goes_before_an_earlier_one(staged):
    staged(every__a="every's", web__a_j2="web's", web__b="web's", other__b="not chosen")
    files = {file.target: file.source for file in chosen(["every", "web", "none"])}
    assert files == {"a": os.path.join("web", "a.j2"), "b": os.path.join("web", "b")}


def test_answers_are_never_rendered(staged):
    hostile = "{{ 7 * 7 }} {% if %}\n#% if x"
    staged(every__a_j2="{{ cookiecutter.description }}\n", every__b="{{ 7 * 7 }}\n")
    files = chosen(["every"])
    fill_in(files, environment(project(description=hostile)))
    texts = [Path(FOLDER, file.source).read_text(encoding="utf-8") for file in files]
    assert texts == [hostile + "\n", "{{ 7 * 7 }}\n"]


def test_a_name_that_is_not_there_writes_nothing(staged):
    staged(every__a_j2="{{ cookiecutter.stack }}", every__b_j2="{{ cookiecutter.descriptoin }}")
    with pytest.raises(jinja2.UndefinedError, match="descriptoin"):
        fill_in(chosen(["every"]), environment(project()))
    assert Path(FOLDER, "every", "a.j2").read_text(encoding="utf-8") == "{{ cookiecutter.stack }}"


@pytest.mark.parametrize(
    "there, path, what",
    [
        ("readme.MD", "README.md", "readme.MD"),
        ("docker-compose.yml", "compose.yaml", "docker-compose.yml"),
        ("openshift", os.path.join("openshift", "image.py"), "openshift"),
        ("Dockerfile.dev", "Dockerfile", None),
    ],
)
def test_what_is_in_the_way_is_named(tmp_path, monkeypatch, there, path, what):
    monkeypatch.chdir(tmp_path)
    (tmp_path / there).write_text("mine", encoding="utf-8")
    assert Repository.here(QUESTIONS["_same"]).taken(path) == what


@pytest.mark.parametrize(
    "remote, address",
    [
        ("https://x:t0ken@github.com/a/b.git", "https://github.com/a/b.git"),
        ("git@github.com:a/b", "https://github.com/a/b"),
        ("ssh://git@github.com/a/b", "https://github.com/a/b"),
    ],
)
def test_an_address_has_no_login(remote, address):
    assert public_address(remote) == address


@pytest.mark.parametrize(
    "shell, quoted",
    [
        (Shell(is_posix=True), "'it'\"'\"'s' a/b"),
        (Shell(is_posix=True, is_windows=True), "'it'\"'\"'s' a/b"),
        (Shell(is_posix=False, is_windows=True), "'it''s' a/b"),
    ],
)
def test_words_are_quoted_for_the_shell(shell, quoted):
    assert shell.command("it's", "a/b") == quoted


def test_a_long_command_is_continued_and_its_quoted_words_stay_whole():
    line = "    " + "word " * 14 + "'a quoted word'"
    for is_posix, sign in ((True, "\\"), (False, "`")):
        shown = Shell(is_posix).wrapped(line)
        assert f" {sign}\n      " in shown and "'a quoted word'" in shown


@pytest.mark.parametrize("has_gh", [True, False])
def test_the_steps_name_one_way_only(tmp_path, monkeypatch, has_gh):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("placing.steps.has_gh", lambda: has_gh)
    templates = environment(project(), folder=str(STAGED))
    repository = Repository(True, frozenset(), {})
    text = printed_steps(project(), templates, Shell(is_posix=True), repository, [])
    assert ("gh repo create mona/kg" in text) == has_gh
    assert ("Make it, empty, at" in text) != has_gh
    assert "Without gh" not in text and "    cd " in text


def test_headings_are_shown_without_their_signs():
    text = "### 1. Do this\n\n    command"
    assert plain(text, Shell(is_posix=True), colour=False) == "1. Do this\n    command"
    assert "\033[1m1. Do this\033[0m" in plain(text, Shell(is_posix=True), colour=True)
