"""The README's test command passes on any machine; what is missing is skipped, with its name."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from base_images import base_images, docker_runs, dockerfile, is_available
from conftest import STACKS, TEMPLATE, long, run

# Something of each level, and all that once took a program for granted.
SELECTION = [
    "tests/bake/test_hostile.py",
    "tests/bake/test_existing.py::test_a_full_disk_loses_nothing",
    "tests/bake/test_existing.py::test_skipping_alone_is_refused_and_changes_nothing",
    "tests/cluster",
    "tests/doctor/test_asking.py",
    "tests/image",
    "tests/maintain/test_kind.py",
    "tests/maintain/test_release.py::test_without_a_token_nothing_is_pushed_and_that_is_said",
    "tests/maintain/test_updates.py::test_requirements_are_resolved_by_their_own_commands",
    "tests/shell/test_posix.py",
    "tests/update/test_origin.py::test_from_a_zip_or_a_folder_it_is_left_out_and_one_line_says_so",
    "tests/versions/test_versions.py::test_the_hooks_run_with_every_python_alike",
    "tests/workflow",
]


GIVEN = ("DSRI_TESTS", "GHCR_", "KUBECONFIG", "PYTEST_")  # what only a prepared machine has


@pytest.fixture
def bare(tmp_path):
    """A function: run these tests where only Python, git and `programs` are on PATH."""
    if os.name == "nt":
        pytest.skip("needs links to programs, which Windows keeps for administrators")
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "python3").symlink_to(os.path.realpath(sys.executable))

    def test(*names, programs=(), **given):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(GIVEN)}
        for program in (shutil.which("git"), *programs):
            (folder / Path(program).name).symlink_to(program)
        return run(
            *(sys.executable, "-m", "pytest", "-q", "-rs", "--numprocesses=0", *names),
            cwd=TEMPLATE,
            env={**kept, "PATH": str(folder), **given},
        )

    return test


@long  # a run on a bare machine shows it as well
def test_with_python_and_git_alone_nothing_fails_and_every_skip_says_what_it_needs(bare):
    done = bare(*SELECTION)
    assert done.returncode == 0, done.stdout
    passed, skipped = re.search(r"(?m)^(\d+) passed, (\d+) skipped in", done.stdout).groups()
    assert int(passed) > 50 and int(skipped) > 200, done.stdout
    reasons = re.findall(r"(?m)^SKIPPED \[\d+\] [^ ]+: (.*)$", done.stdout)
    assert reasons and all(re.match("needs [^ ]", reason) for reason in reasons), reasons


def test_where_everything_has_to_be_there_a_skip_is_a_failure(bare):
    name = "tests/shell/test_posix.py::test_gh_knows_what_is_printed_for_it"
    done = bare(name, DSRI_TESTS="all")
    assert done.returncode == 1 and "Failed: needs gh: cli.github.com" in done.stdout, done.stdout


# A Docker that answers: it has the images of HAS, and its registry those of OFFERED.
DOCKER = """#!{python}
import os, sys
words = sys.argv[1:]
images = {{"image": os.environ["HAS"], "buildx": os.environ["OFFERED"]}}
known = words == ["version"] or words[-1] in images.get(words[0], "").split()
sys.exit(0 if known else 1)
"""


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """The path of a stand-in for Docker that has no image, and whose registries do not answer."""
    if os.name == "nt":
        pytest.skip("needs Linux or macOS, where a script is a program")
    program = tmp_path / "docker"
    program.write_text(DOCKER.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("HAS", "")
    monkeypatch.setenv("OFFERED", "")
    return str(program)


def test_an_image_is_available_here_or_from_a_registry_that_answers(docker, monkeypatch):
    assert docker_runs(docker) and not docker_runs(docker + "-that-is-not-there")
    monkeypatch.setenv("HAS", "quay.io/here:1 quay.io/both:1")
    monkeypatch.setenv("OFFERED", "quay.io/there:1 quay.io/both:1")
    found = {
        name: is_available(f"quay.io/{name}:1", docker)
        for name in ("here", "there", "both", "nowhere")
    }
    assert found == {"here": True, "there": True, "both": True, "nowhere": False}


@pytest.mark.parametrize("stack", STACKS)
def test_the_base_images_of_a_stack_are_those_that_its_dockerfile_names(stack):
    images = base_images(dockerfile(stack))
    text = dockerfile(stack).read_text(encoding="utf-8")
    assert images and all("/" in image and f"FROM {image}" in text for image in images)
    assert len(images) == (2 if stack == "react" else 1)


def test_without_base_images_a_test_names_the_one_that_is_missing(bare, docker):
    node, nginx = base_images(dockerfile("react"))
    names = ["tests/image/test_react.py", "tests/image/test_compose.py", "tests/workflow"]
    done = bare(*names, programs=[docker], HAS=node)
    assert done.returncode == 0, done.stdout
    reasons = re.findall(r"(?m)^SKIPPED \[\d+\] [^ ]+: (.*)$", done.stdout)
    assert f"needs the base image {nginx}: docker pull {nginx}" in reasons, done.stdout
    assert not any(node in reason for reason in reasons)
    assert "a running Docker" not in done.stdout
