"""Promise 5: nothing of the user's is lost."""

import os

import pytest
from conftest import bake, run, snapshot


@pytest.mark.parametrize("options", [("-f",), ("-f", "-s")])
def test_every_byte_of_a_users_repository_stays(mine, options):
    before = snapshot(mine)
    made = bake(mine.parent, *options, stack="own-dockerfile")
    after = snapshot(mine)
    assert made.status == 0, made.text
    assert {path: after.get(path) for path in before} == before
    assert (mine / ".github/workflows/publish.yml").is_file() and not (mine / ".cookiecutter-stacks").exists()
    kept = made.text.split("Kept, they are yours:")[1].split("Added:")[0]
    assert all(name in kept for name in ("Dockerfile", "readme.md", "docker-compose.yml", "COPYING", "openshift"))
    assert not {"README.md", "compose.yaml", "LICENSE"} & set(os.listdir(mine))


def test_what_in_a_users_dockerfile_would_not_run_is_said(mine):
    text = " ".join(bake(mine.parent, "-f", "-s", stack="own-dockerfile").text.split())
    assert "FROM python:3.12 is pulled from DockerHub" in text
    assert "no numeric USER (app)" in text and "no EXPOSE 8080 (but 8501)" in text


def test_the_added_files_are_added_to_git_by_name(mine):
    run("git", "remote", "add", "origin", "https://example.org/x.git", cwd=mine)
    text = bake(mine.parent, "-f", "-s", stack="own-dockerfile").text
    assert "git add -- .dockerignore" in text and "git push -u origin HEAD" in text and "gh repo create" not in text


@pytest.mark.parametrize("name", [".cookiecutter-stacks", ".cookiecutter-rendered"])
def test_a_taken_staging_name_is_refused(mine, name):
    (mine / name).mkdir()
    (mine / name / "mine").write_text("x", encoding="utf-8")
    before = snapshot(mine)
    made = bake(mine.parent, "-f", "-s")
    assert made.status == 1 and f"{name} is already in" in made.text and snapshot(mine) == before


def test_a_refused_answer_changes_nothing_there(mine):
    before = snapshot(mine)
    made = bake(mine.parent, "-f", "-s", port="80")
    assert made.status == 1 and snapshot(mine) == before
    assert " -f -s " in made.text
