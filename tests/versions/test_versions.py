"""Promise 8: plain cookiecutter is enough, from 2.1.1 on; an older one gets one sentence and leaves nothing."""

import subprocess
import sys

import pytest
from conftest import ANSWERS, TEMPLATE, bake, need, run, snapshot


SUPPORTED = ["2.1.1", "2.2.3", "2.3.1", "2.4.0", "2.5.0", "2.6.0"]
TOO_OLD = ["1.7.3", "2.1.0"]


@pytest.fixture(scope="module")
def python(request, tmp_path_factory):
    """The Python of a virtual environment with the cookiecutter that the test names."""
    folder = tmp_path_factory.mktemp("v" + request.param)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = next(p for p in (folder / "bin" / "python", folder / "Scripts" / "python.exe") if p.exists())
    done = run(str(python), "-m", "pip", "install", "-q", f"cookiecutter=={request.param}", "setuptools<80")
    need(done.returncode == 0, f"the package index, for cookiecutter {request.param}")
    return str(python)


def generate(python, folder, *options):
    folder.mkdir(exist_ok=True)
    return run(python, "-m", "cookiecutter", "--no-input", *options, str(TEMPLATE), *[f"{k}={v}" for k, v in ANSWERS.items()], cwd=folder)


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("python", SUPPORTED, indirect=True)
def test_every_version_gives_the_same_bytes(python, tmp_path):
    newest = bake(tmp_path)
    done = generate(python, tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert content(tmp_path / "out" / ANSWERS["repo_name"]) == content(newest.path) != {}


@pytest.mark.parametrize("python", SUPPORTED, indirect=True)
@pytest.mark.parametrize("options", [("-f",), ("-f", "-s")])
def test_every_version_spares_a_users_repository(python, mine, options):
    before = snapshot(mine)
    done = generate(python, mine.parent, *options)
    assert done.returncode == 0 and "Kept, they are yours:" in done.stdout, done.stdout + done.stderr
    after = snapshot(mine)
    assert {path: after.get(path) for path in before} == before and len(after) > len(before)


@pytest.mark.parametrize("python", TOO_OLD, indirect=True)
def test_an_old_one_gets_one_sentence_and_leaves_nothing(python, tmp_path):
    done = generate(python, tmp_path / "out")
    assert done.returncode == 1 and "needs cookiecutter 2.1.1 or newer" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr and list((tmp_path / "out").iterdir()) == []
