"""Promise 5: nothing of the user's is lost."""

import os
import shlex
import shutil
import subprocess

import pytest
from conftest import STACKS, TEMPLATE, bake, need, run, snapshot

STAGING = "cookiecutter-stacks"
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs Linux or macOS")


def changed(before, folder):
    """What of a snapshot is no longer as it was."""
    after = snapshot(folder)
    return {
        path: (what, after.get(path)) for path, what in before.items() if after.get(path) != what
    }


def clear(folder):
    """Remove what an interrupted run left, as it is told to."""
    if (folder / STAGING).exists():
        shutil.rmtree(folder / STAGING)


@pytest.mark.parametrize(
    "stack, options", [("own-dockerfile", ("-f",)), *[(stack, ("-f", "-s")) for stack in STACKS]]
)
def test_every_byte_of_a_users_repository_stays(mine, options, stack):
    before = snapshot(mine)
    made = bake(mine.parent, *options, stack=stack, storage="5Gi")
    assert made.status == 0, made.text
    assert changed(before, mine) == {}
    assert (mine / ".github/workflows/publish.yml").is_file()
    assert not (mine / STAGING).exists()
    said = made.text.split("Kept, they are yours:")[1].split("Added:")[0]
    assert all(
        name in said
        for name in (
            "Dockerfile",
            "readme.md",
            "docker-compose.yml",
            "COPYING",
            "CITATION.cff",
            ".gitignore",
        )
    )
    assert not {"README.md", "compose.yaml", "LICENSE"} & set(os.listdir(mine))


def test_skipping_alone_is_refused_and_changes_nothing(mine):
    before = snapshot(mine)
    made = bake(mine.parent, "-s", stack="own-dockerfile")
    assert made.status == 1 and snapshot(mine) == before


@pytest.mark.parametrize("stack", ["fastapi", "batch-job"])
def test_a_users_file_at_every_path_of_the_template_stays(tmp_path, stack):
    other = tmp_path / "other"
    other.mkdir()
    paths = bake(other, stack=stack, storage="5Gi").files()
    mine = tmp_path / "Kg_Demo.v1"
    for path in paths:
        (mine / path).parent.mkdir(parents=True, exist_ok=True)
        (mine / path).write_bytes(b"mine\r\n")
    before = snapshot(mine)
    made = bake(tmp_path, "-f", "-s", stack=stack, storage="5Gi")
    assert made.status == 0 and snapshot(mine) == before, made.text
    assert "Added:\n  nothing" in made.text
    assert set(paths) <= set(made.text.split("Kept, they are yours:")[1].split("Added:")[0].split())


def test_what_in_a_users_dockerfile_would_not_run_is_said(mine):
    text = " ".join(bake(mine.parent, "-f", "-s", stack="own-dockerfile").text.split())
    assert (
        "FROM python:3.12 is pulled from DockerHub" in text
        and "(public.ecr.aws/docker/library/python:3.12 is its copy)" in text
    )
    assert "no numeric USER (app)" in text and "no EXPOSE 8080 (but 8501)" in text


def test_one_named_dockerfile_is_looked_at_too_and_under_anyuid_keeps_its_user(mine):
    (mine / "Dockerfile").rename(mine / "dockerfile")
    text = " ".join(
        bake(mine.parent, "-f", "-s", stack="own-dockerfile", service_account="anyuid").text.split()
    )
    assert (
        "FROM python:3.12 is pulled from DockerHub" in text
        and "no EXPOSE 8080" in text
        and "USER" not in text.split("1. ")[0]
    )


def test_the_added_files_are_added_to_git_by_name(mine):
    run(
        "git",
        "remote",
        "add",
        "origin",
        "https://github.com/MaastrichtU-IDS/Kg_Demo.v1.git",
        cwd=mine,
    )
    text = bake(mine.parent, "-f", "-s", stack="own-dockerfile").text
    assert (
        "git add -f -- .github" in text
        and "git push -u origin HEAD" in text
        and "gh repo create" not in text
    )


def test_another_branch_of_another_remote_is_pushed_and_what_publishes_it_is_said(mine):
    for command in (
        ["remote", "add", "upstream", "https://github.com/MaastrichtU-IDS/Kg_Demo.v1.git"],
        ["symbolic-ref", "refs/remotes/upstream/HEAD", "refs/remotes/upstream/main"],
        ["checkout", "-q", "-b", "idea"],
    ):
        assert run("git", *command, cwd=mine).returncode == 0
    text = " ".join(bake(mine.parent, "-f", "-s", stack="own-dockerfile").text.split())
    assert (
        " git push -u upstream HEAD Merge this branch into main; that publishes. 2. " in text
        and "gh repo create" not in text
    )


def test_what_a_sparse_checkout_leaves_out_is_there(tmp_path):
    mine = tmp_path / "Kg_Demo.v1"
    for path in ("src/app.py", "README.md", "licence.txt", ".github/dependabot.yml"):
        (mine / path).parent.mkdir(parents=True, exist_ok=True)
        (mine / path).write_text("mine\n", encoding="utf-8")
    git = ["git", "-C", str(mine), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["commit", "-q", "-m", "x"],
        ["sparse-checkout", "set", "--no-cone", "src"],
    ):
        assert run(*git, *words).returncode == 0
    made = bake(tmp_path, "-f", "-s", stack="own-dockerfile")
    kept, added = made.text.split("Kept, they are yours:")[1].split("Added:")
    assert (
        set(kept.split()) == {"README.md", "licence.txt", os.path.join(".github", "dependabot.yml")}
        and "Dockerfile is a start" in added
    )
    [add] = [
        line
        for line in made.text.replace("\\\n", "").splitlines()
        if line.startswith("    git add")
    ]
    assert run(*git, *shlex.split(add)[1:]).returncode == 0
    assert {line[:2] for line in run(*git, "status", "--porcelain").stdout.splitlines()} == {"A "}


def test_a_workflow_of_ones_own_that_publishes_no_image_is_said(tmp_path):
    workflow = tmp_path / "Kg_Demo.v1/.github/workflows/publish.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text("on: push\n", encoding="utf-8")
    told = "Your publish.yml does not publish the image"
    assert told in bake(tmp_path, "-f", "-s").text
    workflow.rename(workflow.with_name("release.yml"))
    assert [told in bake(tmp_path, "-f", "-s").text for _ in range(2)] == [False, False]


@pytest.mark.parametrize("is_folder", [True, False])
def test_a_taken_staging_name_is_refused(mine, is_folder):
    if is_folder:
        (mine / STAGING).mkdir()
        (mine / STAGING / "mine").write_text("x", encoding="utf-8")
    else:
        (mine / STAGING).write_text("x", encoding="utf-8")
    before = snapshot(mine)
    made = bake(mine.parent, "-f", "-s")
    assert made.status == 1 and f"{STAGING} is already in" in made.text
    assert snapshot(mine) == before


def test_a_refused_answer_changes_nothing_there(mine):
    before = snapshot(mine)
    made = bake(mine.parent, "-f", "-s", port="80")
    assert made.status == 1 and snapshot(mine) == before
    assert " -f -s " in made.text


# Imported by every Python that the run starts: at its nth move of a file the hook is killed, or the disk is full.
ENDING = """
import errno, os, signal
move, moves = os.rename, []
def ending(*arguments):
    moves.append(1)
    if len(moves) > int(os.environ["ENDS_AT"]):
        if os.environ["ENDS_BY"] == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.kill(os.getpid(), signal.SIGKILL)
    return move(*arguments)
os.rename = ending
"""


@POSIX
@pytest.mark.parametrize("at, by", [(0, "kill"), (2, "kill"), (2, "full")])
def test_a_run_that_ends_half_way_loses_nothing_and_can_be_run_again(mine, monkeypatch, at, by):
    aside = mine.parent / "aside"
    aside.mkdir()
    (aside / "sitecustomize.py").write_text(ENDING, encoding="utf-8")
    before = snapshot(mine)
    with monkeypatch.context() as patched:
        for name, value in {"PYTHONPATH": str(aside), "ENDS_AT": str(at), "ENDS_BY": by}.items():
            patched.setenv(name, value)
        ended = bake(mine.parent, "-f", "-s", stack="own-dockerfile")
    assert (
        ended.status == 1
        and changed(before, mine) == {}
        and len(set(snapshot(mine)) - set(before)) > at
    )
    if by == "full":
        assert (
            "Not finished: [Errno 28] No space left on device. Nothing of yours was changed."
            in ended.text
        )
    again = bake(mine.parent, "-f", "-s", stack="own-dockerfile")
    assert again.status == 1 and "If an interrupted run left it there, remove it" in " ".join(
        again.text.split()
    )
    clear(mine)
    done = bake(mine.parent, "-f", "-s", stack="own-dockerfile")
    assert done.status == 0 and changed(before, mine) == {}
    missing = {
        path for path in bake(aside, stack="own-dockerfile").files() if not (mine / path).exists()
    }
    assert {path.split("/")[0] for path in missing} == {
        "README.md",
        "LICENSE",
        "CITATION.cff",
        "compose.yaml",
        ".gitattributes",
    }  # what `mine` has by another name


@POSIX
@pytest.mark.parametrize("room", ["a part of the staging folder", "the staging folder"])
def test_a_full_disk_loses_nothing(mine, room):
    need(
        os.geteuid() == 0 and shutil.which("mount") and shutil.which("umount"),
        "root and mount: a small file system is filled",
    )
    disk = mine.parent / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], check=True)
    try:
        there = disk / mine.name
        shutil.copytree(mine, there, symlinks=True)
        before, used = snapshot(there), shutil.disk_usage(disk).used
        shutil.copytree(TEMPLATE / "{{cookiecutter.repo_name}}" / STAGING, disk / "staged")
        staged = shutil.disk_usage(disk).used - used
        shutil.rmtree(disk / "staged")
        # Once its answers are in them, a batch-job's files need more room than when they are staged.
        size = used + (staged // 2 if "part" in room else staged)
        subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)
        made = bake(disk, "-f", "-s", home=mine.parent, stack="batch-job")
        assert (
            made.status == 1
            and "No space left on device" in made.text
            and changed(before, there) == {}
        ), made.text
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        clear(there)
        assert (
            bake(disk, "-f", "-s", home=mine.parent, stack="batch-job").status == 0
            and changed(before, there) == {}
        )
    finally:
        subprocess.run(["umount", str(disk)], check=True)
