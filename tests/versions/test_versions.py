"""Promise 8: plain cookiecutter is enough, from 2.1.1 on; an older one gets one sentence and leaves nothing."""

import subprocess
import sys

import pytest
from conftest import ANSWERS, TEMPLATE, bake, need, run


def install(folder, version):
    """A virtual environment with that cookiecutter; its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = next(p for p in (folder / "bin" / "python", folder / "Scripts" / "python.exe") if p.exists())
    done = run(str(python), "-m", "pip", "install", "-q", f"cookiecutter=={version}", "setuptools<80")
    need(done.returncode == 0, f"the package index, for cookiecutter {version}")
    return str(python)


def generate(python, folder):
    folder.mkdir()
    return run(python, "-m", "cookiecutter", "--no-input", str(TEMPLATE), *[f"{k}={v}" for k, v in ANSWERS.items()], cwd=folder)


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("version", ["2.1.1", "2.3.0", "2.6.0"])
def test_every_version_gives_the_same_bytes(tmp_path, version):
    newest = bake(tmp_path)
    done = generate(install(tmp_path / "v", version), tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert content(tmp_path / "out" / ANSWERS["repo_name"]) == content(newest.path) != {}


def test_an_old_one_gets_one_sentence_and_leaves_nothing(tmp_path):
    done = generate(install(tmp_path / "v", "1.7.3"), tmp_path / "out")
    assert done.returncode == 1 and "needs cookiecutter 2.1.1 or newer" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr and list((tmp_path / "out").iterdir()) == []
