"""Promise 5: what is added fits what was there, and changes how none of it is read."""

import os
import shutil

import pytest
import yaml
from conftest import BASE, bake, committed, run
from placing.repository import Repository
from placing.selection import is_manifest

READ_FOR_ALL = (".dockerignore", ".gitattributes", ".gitignore")
BATCH = b"@echo off\r\ngoto end\r\n:end\r\n"
SETTINGS = [
    {"core.autocrlf": autocrlf, "core.eol": eol}
    for autocrlf in ("true", "false", "input")
    for eol in ("lf", "crlf")
]
DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: mine\n"


@pytest.fixture
def there(tmp_path):
    """A function: a repository with these files, committed as they stand."""

    def make(**files):
        path = tmp_path / "Kg_Demo.v1"
        for name, content in {"src__app.txt": "mine\n", **files}.items():
            file = path / name.replace("__", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        committed(path)
        return path

    return make


def add(path, *, stack="own-dockerfile", **answers):
    """What is said when the template is added to a repository, which is committed then."""
    made = bake(path.parent, "-f", "-s", stack=stack, **answers)
    assert made.status == 0, made.text
    committed(path)
    return " ".join(made.text.split())


def checked_out(path, settings):
    """{name: bytes} of a new clone under git's settings."""
    place = path.parent / "clone"
    options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    assert run("git", *options, "clone", "-q", str(path), str(place)).returncode == 0
    found = {
        file.relative_to(place).as_posix(): file.read_bytes()
        for file in place.rglob("*")
        if file.is_file() and ".git" not in file.relative_to(place).parts
    }
    shutil.rmtree(place)
    return found


@pytest.mark.parametrize("stack", ["own-dockerfile", "r-shiny", "react"])
def test_what_was_there_is_checked_out_as_before(there, stack):
    path = there(**{"run.bat": BATCH, "mixed.txt": b"a\r\nb\n", "unix.sh": b"#!/bin/sh\n"})
    before = [checked_out(path, settings) for settings in SETTINGS]
    add(path, stack=stack)
    for settings, then in zip(SETTINGS, before):
        now = checked_out(path, settings)
        assert {name: now[name] for name in then} == then
        assert b"\r" not in now["openshift/image.py"]
        scripts = [name for name in set(now) - set(then) if name.endswith(".sh")]
        assert [name for name in scripts if b"\r" in now[name]] == []


def test_what_git_sees_of_the_users_files_is_as_before(there):
    path = there(Dockerfile="FROM scratch\n")
    for name in ("data/table.csv", "dist/index.html", ".env", "a.pyc", "x.bat"):
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_bytes(b"mine\r\n")
    words = (
        "status",
        "--porcelain",
        "--untracked-files=all",
        "--",
        "data",
        "dist",
        ".env",
        "*.pyc",
    )
    before = run("git", *words, cwd=path).stdout
    assert len(before.splitlines()) == 4
    bake(path.parent, "-f", "-s", stack="own-dockerfile")
    assert run("git", *words, cwd=path).stdout == before


@pytest.mark.parametrize("has_dockerfile", [True, False])
def test_an_ignore_file_is_added_for_our_own_dockerfile_only(there, has_dockerfile):
    path = there(**({"Dockerfile": "FROM scratch\nCOPY .git /git\n"} if has_dockerfile else {}))
    add(path)
    assert not any((path / name).exists() for name in READ_FOR_ALL)
    assert (path / "Dockerfile.dockerignore").exists() != has_dockerfile
    assert (path / "openshift/.gitattributes").read_text().splitlines()[1:] == [
        "/image.py text eol=lf linguist-vendored linguist-generated"
    ]


@pytest.mark.parametrize("name", ["Dockerfile", "docker__app.Dockerfile"])
def test_what_could_be_built_can_still_be_built(there, docker, name):
    """A `.dockerignore` of ours would take the copied folders out of the build."""
    folders = (".git", ".github", "data", "dist", "openshift")
    texts = {f"{folder}__x": "mine\n" for folder in folders[1:]}
    copies = "".join(f"COPY {folder} /{folder}\n" for folder in folders)
    path = there(**{name: f"FROM {BASE}\n{copies}", **texts})
    build = ("docker", "build", "-q", "-f", name.replace("__", "/"), ".")
    images = [run(*build, cwd=path)]
    add(path)
    images.append(run(*build, cwd=path))
    assert [done.returncode for done in images] == [0, 0], images[-1].stderr
    run("docker", "image", "rm", *{done.stdout.strip() for done in images})


def test_our_own_dockerfile_is_built_without_secrets_all_the_same(there, docker):
    path = there(**{".env": "TOKEN=secret\n"})
    add(path)
    (path / "Dockerfile").write_text(f"FROM {BASE}\nCOPY . /x\nRUN ! ls -d /x/.env /x/.git\n")
    built = run("docker", "build", "-q", ".", cwd=path)
    assert built.returncode == 0, built.stderr
    run("docker", "image", "rm", built.stdout.strip())


@pytest.mark.parametrize("commands", [[], [["init", "-q"]]], ids=["new folder", "git init"])
def test_a_new_repository_gets_them_all(tmp_path, commands):
    path = tmp_path / "Kg_Demo.v1"
    for command in commands:
        assert run("git", *command, str(path)).returncode == 0
    made = bake(tmp_path, *(["-f", "-s"] if commands else []))
    assert all((path / name).is_file() for name in READ_FOR_ALL), made.text
    assert not list(path.rglob("Dockerfile.dockerignore"))
    assert not (path / "openshift/.gitattributes").exists()


def test_a_folder_whose_name_has_other_capitals_is_in_the_way(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "OpenShift").mkdir()
    place = os.path.join("openshift", "image.py")
    assert Repository.here({}).taken(place) == "OpenShift"


@pytest.mark.parametrize(
    "name, text",
    [
        ("deployment.yaml", DEPLOYMENT),
        ("deployment.yaml", "# empty\n"),
        ("service.yml", DEPLOYMENT.replace("Deployment", "Service")),
        ("Kustomization", "resources: []\n"),
        ("kustomization.yml", "resources: []\n"),
        ("base__web.yaml", DEPLOYMENT),
        ("template.json", '{\n  "apiVersion": "template.openshift.io/v1"}\n'),
        ("Chart.yaml", "apiVersion: v2\nname: mine\n"),
        ("all.yaml", "---\n# mine\n---\n" + DEPLOYMENT),
        ("image.py", "mine\n"),
    ],
)
def test_the_manifests_are_added_together_or_not_at_all(there, name, text):
    path = there(**{f"openshift__{name}": text})
    said = add(path)
    shown = f"openshift/{name}".replace("__", "/")
    assert [file for file in (path / "openshift").rglob("*") if file.is_file()] == [path / shown]
    assert f"Your own manifests are in the way in openshift/: {shown} " in said
    assert "rename what is listed" in said
    assert "oc apply" not in said and "gh repo create" not in said
    for needs in (".github/workflows", ".github/sbom.Dockerfile", "README.md", ".cruft.json"):
        assert not (path / needs).exists()


def test_a_file_in_place_of_the_folder_is_in_the_way_too(there):
    path = there(openshift="mine\n")
    assert "in the way in openshift/: openshift " in add(path)
    assert not (path / ".github/workflows/publish.yml").exists()


def test_once_they_are_out_of_the_way_ours_are_added(there):
    path = there(openshift__deployment__yaml="")
    (path / "openshift/deployment").rename(path / "openshift/deployment.d")
    (path / "openshift/deployment.yaml").write_text(DEPLOYMENT)
    assert "in the way" in add(path)
    (path / "openshift/deployment.yaml").rename(path / "mine.yaml")
    assert "in the way" not in add(path)
    assert (path / "openshift/kustomization.yaml").is_file()
    assert (path / ".github/workflows/publish.yml").is_file()


@pytest.mark.parametrize("name", ["README.md", "notes.txt", "values.yaml", "icon.svg"])
def test_what_is_no_manifest_is_in_nobodys_way(there, name):
    path = there(**{f"openshift__{name}": "a: text\n"})
    assert "in the way" not in add(path)
    assert (path / "openshift/deployment.yaml").is_file()


def test_what_an_interrupted_run_placed_is_no_manifest_of_the_users(there):
    path = there()
    add(path)
    for name in ("service.yaml", "kustomization.yaml"):
        (path / "openshift" / name).unlink()
    assert "in the way" not in add(path)
    assert (path / "openshift/service.yaml").is_file()


def test_an_edited_manifest_does_not_hide_the_steps_of_a_second_run(there):
    path = there()
    add(path)
    with (path / "openshift/deployment.yaml").open("a") as file:
        file.write("# mine\n")
    assert "oc apply -k openshift" in add(path)


def test_a_manifest_that_is_not_checked_out_is_taken_for_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_manifest(os.path.join("openshift", "web.yaml"))
    assert not is_manifest(os.path.join("openshift", "notes.md"))


LICENCES = [
    *("LICENSE", "LICENCE", "license.md", "LICENSE.rst", "LICENSE.txt", "Licence.TXT"),
    *("COPYING", "COPYING.LESSER", "UNLICENSE", "LICENSE-APACHE", "MIT-LICENSE.txt"),
    *("LICENSES__GPL-3.0-or-later.txt", "COPYRIGHT", "REUSE.toml", "LICENSE_GPL"),
]


@pytest.mark.parametrize(
    "name, answer", [*((name, "MIT") for name in LICENCES), ("COPYING", "none")]
)
def test_what_is_said_of_the_licence_agrees_with_the_file_that_was_kept(there, name, answer):
    path = there(**{name: "GPL\n"})
    add(path, license=answer)
    kept = name.partition("__")[0]
    assert "license" not in yaml.safe_load((path / "CITATION.cff").read_text())
    readme = (path / "README.md").read_text()
    assert f"](<{kept}>)" in readme
    assert "[MIT]" not in readme and "All rights reserved" not in readme
    assert kept == "LICENSE" or not (path / "LICENSE").exists()


@pytest.mark.parametrize(
    "name", ["check-license.py", "license.json", "THIRD_PARTY_LICENSES.txt", "licensing.md"]
)
def test_what_is_no_licence_is_not_taken_for_one(there, name):
    path = there(**{name: "x\n"})
    add(path)
    assert (path / "LICENSE").is_file()
    assert yaml.safe_load((path / "CITATION.cff").read_text())["license"] == "MIT"
    assert "[MIT](LICENSE), by" in (path / "README.md").read_text()


@pytest.mark.parametrize(
    "name, ours",
    [
        *((name, "README.md") for name in ("README", "README.rst", "readme.txt", "ReadMe.adoc")),
        *((name, "CITATION.cff") for name in ("CITATION", "CITATION.bib", "citation.md")),
        ("codemeta.json", "CITATION.cff"),
    ],
)
def test_a_file_of_another_name_counts_as_there(there, name, ours):
    path = there(**{name: "mine\n"})
    said = add(path)
    assert name in said.split("Added:")[0] and not (path / ours).exists()
    if ours == "CITATION.cff":
        assert f"](<{name}>)" in (path / "README.md").read_text()
