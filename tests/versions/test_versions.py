"""Promise 8: plain cookiecutter is enough, from 2.1.1 on; an older one gets one sentence and leaves nothing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jinja2
import markupsafe
import pytest
from conftest import ADDRESS, ANSWERS, TEMPLATE, bake, long, need, run, snapshot
from cookiecutter.environment import StrictEnvironment
from cookiecutter.main import cookiecutter

BETWEEN = ["2.2.3", "2.3.1", "2.4.0", "2.5.0", "2.6.0"]  # and the newest, which all other tests run
SUPPORTED = ["2.1.1", *[pytest.param(version, marks=long) for version in BETWEEN]]
TOO_OLD = [pytest.param("1.7.3", marks=long), "2.1.0"]  # 2.0.2 is not on the package index
PYTHONS = ["3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]


@pytest.fixture(scope="module")
def python(request, tmp_path_factory):
    """The Python of a virtual environment with the cookiecutter that the test names."""
    folder = tmp_path_factory.mktemp("v" + request.param)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = next(
        p for p in (folder / "bin" / "python", folder / "Scripts" / "python.exe") if p.exists()
    )
    done = run(
        str(python), "-m", "pip", "install", "-q", f"cookiecutter=={request.param}", "setuptools<80"
    )
    need(done.returncode == 0, f"the package index, for cookiecutter {request.param}")
    return str(python)


def content(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.mark.parametrize("python", SUPPORTED, indirect=True)
def test_every_version_gives_the_same_bytes(python, tmp_path):
    folders = [tmp_path / "newest", tmp_path / "this"]
    for folder in folders:
        folder.mkdir()
    # Braces and a sign that begins a Jinja line, and what only some versions would take for a boolean.
    answers = {
        "project_name": "A \"q\" {{ '{{' }} é 👩‍🚀",
        "description": "{{ '#' }}% on",
        "full_name": "null",
        "storage": "5Gi",
    }
    made = [
        bake(folder, python=which, **answers)
        for folder, which in zip(folders, (sys.executable, python))
    ]
    assert [m.status for m in made] == [0, 0], made[1].text
    assert content(made[1].path) == content(made[0].path) != {}
    assert made[1].text.replace(str(folders[1]), "") == made[0].text.replace(str(folders[0]), "")


@pytest.mark.parametrize("python", SUPPORTED, indirect=True)
@pytest.mark.parametrize(
    "options", [pytest.param(("-f",), marks=long), pytest.param(("-s",), marks=long), ("-f", "-s")]
)
def test_every_version_spares_a_users_repository(python, mine, options):
    before = snapshot(mine)
    made = bake(mine.parent, *options, python=python)
    after = snapshot(mine)
    assert {path: after.get(path) for path in before} == before
    if "-f" in options:
        assert (
            made.status == 0 and "Kept, they are yours:" in made.text and len(after) > len(before)
        ), made.text
    else:
        assert made.status == 1 and after == before


@pytest.mark.parametrize("python", SUPPORTED, indirect=True)
def test_every_version_spares_a_users_file_at_every_path(python, tmp_path):
    first = bake(tmp_path, storage="5Gi")
    for path in first.files():
        (first / path).write_bytes(b"mine\r\n")
    before = snapshot(first.path)
    made = bake(tmp_path, "-f", "-s", python=python, storage="5Gi")
    assert made.status == 0 and snapshot(first.path) == before, made.text


@pytest.mark.parametrize("python", SUPPORTED, indirect=True)
def test_every_version_that_can_tell_says_what_the_repository_was_made_from(
    python, published, tmp_path
):
    made = bake(tmp_path, python=python, template=ADDRESS)
    told = (made / ".cruft.json").exists() and json.loads(
        (made / ".cruft.json").read_text(encoding="utf-8")
    )["template"] == ADDRESS
    oldest = run(python, "-m", "cookiecutter", "--version").stdout.split()[1] == "2.1.1"
    assert made.status == 0 and told != oldest and ("No .cruft.json" in made.text) == oldest, (
        made.text
    )


@pytest.mark.parametrize("python", TOO_OLD, indirect=True)
def test_an_old_one_gets_one_sentence_and_leaves_nothing(python, tmp_path):
    made = bake(tmp_path, python=python)
    assert made.status == 1 and "needs cookiecutter 2.1.1 or newer" in made.text
    assert "Traceback" not in made.text and not made.path.exists()


def interpreter(version):
    """A Python of that version: on PATH, or one of pyenv's; None where there is none."""
    places = [
        shutil.which(f"python{version}"),
        *Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(
            f"versions/{version}.*/bin/python{version}"
        ),
    ]
    return next(
        (str(place) for place in places if place and run(str(place), "-c", "").returncode == 0),
        None,
    )


@pytest.mark.parametrize(
    "version", [PYTHONS[0], *[pytest.param(v, marks=long) for v in PYTHONS[1:]]]
)
def test_the_hooks_run_with_every_python_alike(tmp_path, version):
    """The hooks alone, with no package but Jinja2: what cookiecutter renders, run by another Python."""
    python = interpreter(version)
    if not python:
        pytest.skip(
            f"needs Python {version}"
        )  # in CI as well: which ones there are is the machine's affair
    expected = bake(tmp_path)
    staged = tmp_path / "staged"
    staged.mkdir()
    (tmp_path / "config.yaml").write_text(
        f"replay_dir: '{tmp_path / 'replay'}'\n", encoding="utf-8"
    )
    cookiecutter(
        str(TEMPLATE),
        no_input=True,
        extra_context=ANSWERS,
        output_dir=str(staged),
        accept_hooks=False,
        config_file=str(tmp_path / "config.yaml"),
    )
    context = json.loads(
        (tmp_path / "replay" / f"{TEMPLATE.name}.json").read_text(encoding="utf-8")
    )
    there = staged / ANSWERS["repo_name"]
    (tmp_path / "empty").mkdir()
    packages = tmp_path / "packages"
    for package in (jinja2, markupsafe):
        folder = Path(package.__file__).parent
        # Without what was compiled for this Python; MarkupSafe can do without.
        shutil.copytree(
            folder, packages / folder.name, ignore=shutil.ignore_patterns("*.so", "*.pyd")
        )
    for hook, cwd in (("pre_gen_project", tmp_path / "empty"), ("post_gen_project", there)):
        text = (
            StrictEnvironment(context=context, line_statement_prefix="#%")
            .from_string((TEMPLATE / "hooks" / f"{hook}.py").read_text(encoding="utf-8"))
            .render(**context)
        )
        (tmp_path / f"{hook}.py").write_text(text, encoding="utf-8")
        start = "import runpy, sys; sys.path.append(sys.argv[1]); runpy.run_path(sys.argv[2], run_name='__main__')"
        done = run(python, "-I", "-S", "-c", start, packages, tmp_path / f"{hook}.py", cwd=cwd)
        assert done.returncode == 0, done.stderr
    assert content(there) == content(expected.path)
