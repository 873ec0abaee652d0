"""Promise 10: a repository knows what it was made from, and no more than that."""

import json
import shutil

import cookiecutter
import pytest
from conftest import ADDRESS, bake, committed, run
from cruft import create

NOTICE = "No .cruft.json, so no updates: no git address, or cookiecutter before 2.2."
pytestmark = pytest.mark.skipif(
    cookiecutter.__version__ == "2.1.1",
    reason="needs cookiecutter 2.2, which tells the hook where the template is",
)


def state(made):
    return json.loads((made / ".cruft.json").read_text(encoding="utf-8"))


def test_it_is_the_address_the_commit_and_the_answers(published, tmp_path):
    commit = run("git", "rev-parse", "HEAD", cwd=published).stdout.strip()
    made = bake(
        tmp_path, template="gh:MaastrichtU-IDS/cookiecutter-dsri", project_name='"é" {{ "{{" }}'
    )
    found = state(made)
    questions = json.loads((published / "cookiecutter.json").read_text(encoding="utf-8"))
    answers = found["context"].pop("cookiecutter")
    assert (
        set(answers) == {key for key in questions if not key.startswith("_")}
        and answers["project_name"] == '"é" {{'
        and answers["repo_name"] == "Kg_Demo.v1"
    )
    assert found == {
        "template": ADDRESS + ".git",
        "checkout": None,
        "commit": commit,
        "context": {},
        "skip": [
            "CITATION.cff",
            "LICENSE",
            "README.md",
            "app",
            "pyproject.toml",
            "requirements-dev.txt",
            "requirements.txt",
            "tests",
        ],
    }
    assert (
        str(tmp_path) not in (made / ".cruft.json").read_text(encoding="utf-8")
        and NOTICE not in made.text
    )


@pytest.mark.parametrize(
    "address",
    [
        ADDRESS.replace("//", "//me:s3cret@") + ".git",
        "git@github.com:MaastrichtU-IDS/cookiecutter-dsri.git",
    ],
)
def test_neither_a_password_nor_an_account_is_kept_and_the_tag_is(published, tmp_path, address):
    run("git", "tag", "v1.0.0", cwd=published)
    commit = run("git", "rev-parse", "HEAD", cwd=published).stdout.strip()
    committed(published, "Later")
    made = bake(tmp_path, "--checkout", "v1.0.0", template=address)
    assert made.status == 0, made.text
    assert (state(made)["template"], state(made)["checkout"], state(made)["commit"]) == (
        ADDRESS + ".git",
        "v1.0.0",
        commit,
    )


def test_what_a_user_had_is_left_to_them_by_updates_too(published, tmp_path):
    (tmp_path / "Kg_Demo.v1" / ".github").mkdir(parents=True)
    for name in ("Dockerfile", "docker-compose.yml", ".github/dependabot.yaml"):
        (tmp_path / "Kg_Demo.v1" / name).write_text("mine\n", encoding="utf-8")
    made = bake(tmp_path, "-f", "-s", template=ADDRESS, stack="own-dockerfile")
    assert state(made)["skip"] == [
        ".dockerignore",
        ".gitattributes",
        ".github/dependabot.yml",
        ".gitignore",
        "CITATION.cff",
        "Dockerfile",
        "LICENSE",
        "README.md",
        "compose.yaml",
    ]
    (made / ".cruft.json").write_text("mine\n", encoding="utf-8")
    again = bake(tmp_path, "-f", "-s", template=ADDRESS, stack="own-dockerfile")
    assert (
        again.status == 0
        and (made / ".cruft.json").read_text(encoding="utf-8") == "mine\n"
        and NOTICE not in again.text
    )


def test_from_a_zip_or_a_folder_it_is_left_out_and_one_line_says_so(published, tmp_path):
    (tmp_path / "files").mkdir()
    shutil.copytree(
        published, tmp_path / "files" / "cookiecutter-dsri", ignore=shutil.ignore_patterns(".git")
    )
    archive = shutil.make_archive(
        str(tmp_path / "cookiecutter-dsri"), "zip", tmp_path / "files", "cookiecutter-dsri"
    )
    for number, template in enumerate((archive, published)):
        folder = tmp_path / str(number)
        folder.mkdir()
        made = bake(folder, template=template)
        assert (
            made.status == 0
            and made.text.count(NOTICE) == 1
            and not (made / ".cruft.json").exists()
        ), made.text


def test_cruft_writes_its_own(published, tmp_path, capfd):
    path = create(ADDRESS, tmp_path, default_config=True)
    found = json.loads((path / ".cruft.json").read_text(encoding="utf-8"))
    assert (
        found["template"] == ADDRESS
        and "_stacks" in found["context"]["cookiecutter"]
        and NOTICE not in capfd.readouterr().out
    )
