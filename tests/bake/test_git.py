"""Promise 6: an answer that contradicts what git says of the repository is refused, before anything is written."""

import shlex

import pytest
from conftest import bake, committed, hook, run, snapshot

PRE = hook("pre_gen_project", _stacks={"fastapi": {}}, __app_name="app")


@pytest.fixture
def repository_with(tmp_path):
    """A function: a repository with these remotes, in a folder of this name."""

    def make(folder="Kg_Demo.v1", **remotes):
        path = tmp_path / folder
        path.mkdir()
        (path / "app.py").write_text("print(1)\n")
        committed(path)
        for name, address in remotes.items():
            assert run("git", "remote", "add", name, address, cwd=path).returncode == 0
        return path

    return make


def generate(path, **answers):
    """Generate into a repository; where it is refused, nothing changed."""
    before = snapshot(path)
    answers = {"github_owner": "acme", "repo_name": path.name, "stack": "own-dockerfile", **answers}
    made = bake(path.parent, "-f", "-s", **answers)
    if made.status:
        assert snapshot(path) == before, made.text
    return made


ADDRESSES = [
    "https://github.com/acme/Kg_Demo.v1",
    "https://github.com/ACME/kg_demo.V1.git",
    "https://github.com/acme/Kg_Demo.v1.git/",
    "https://me:s3cret@github.com/acme/Kg_Demo.v1.git",
    "https://github.com:443/acme/Kg_Demo.v1.git",
    "http://www.github.com/acme/Kg_Demo.v1",
    "git://github.com/acme/Kg_Demo.v1.git",
    "git@github.com:acme/Kg_Demo.v1.git",
    "git@GitHub.com:/acme/Kg_Demo.v1",
    "org-123@github.com:acme/Kg_Demo.v1.git",
    "github.com:acme/Kg_Demo.v1.git",
    "git@github.com-work:acme/Kg_Demo.v1.git",
    "git@github-work:acme/Kg_Demo.v1.git",
    "ssh://git@github.com/acme/Kg_Demo.v1.git",
    "ssh://git@github.com:22/acme/Kg_Demo.v1.git",
    "ssh://git@ssh.github.com:443/acme/Kg_Demo.v1.git",
    "git+ssh://git@github.com/acme/Kg_Demo.v1.git",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_on_github_is_read(address):
    assert PRE["place_of"](address).repository.lower() == "acme/kg_demo.v1"


@pytest.mark.parametrize(
    "address, host",
    [
        ("https://gitlab.com/acme/kg.git", "gitlab.com"),
        ("https://gitlab.um.nl:8443/group/sub/kg.git", "gitlab.um.nl"),
        ("git@bitbucket.org:acme/kg.git", "bitbucket.org"),
        ("ssh://git@codeberg.org/acme/kg", "codeberg.org"),
        ("https://github.um.nl/acme/kg", "github.um.nl"),
        ("https://acme.ghe.com/acme/kg", "acme.ghe.com"),
        ("https://github.com.example.org/acme/kg", "github.com.example.org"),
        ("https://example.org/github.com/acme/kg", "example.org"),
        ("https://gist.github.com/acme/kg", "gist.github.com"),
        ("https://github.com@example.org/acme/kg", "example.org"),
        ("/srv/git/github.com/acme/kg.git", ""),
        ("../acme/kg", ""),
        ("file:///srv/acme/kg.git", ""),
        (r"C:\git\kg", ""),
        ("C:/acme/kg", ""),
        ("ext::ssh github.com acme/kg", ""),
        ("no_push", ""),
    ],
)
def test_an_address_elsewhere_is_no_repository_on_github(address, host):
    place = PRE["place_of"](address)
    assert (place.host, place.repository) == (host, "")


@pytest.mark.parametrize(
    "remotes",
    [
        {},
        {"origin": "git@github.com:Acme/kg_demo.v1.git"},
        {"github": "https://github.com/acme/Kg_Demo.v1", "origin": "https://gitlab.com/a/b"},
        {"origin": "git@github.com:me/Kg_Demo.v1", "upstream": "git@github.com:acme/Kg_Demo.v1"},
    ],
    ids=["none", "origin", "gitlab too", "fork"],
)
def test_what_agrees_is_taken_and_the_push_goes_there(repository_with, remotes):
    made = generate(repository_with(**remotes))
    assert made.status == 0, made.text
    goes_to = "github" if "github" in remotes else "origin"
    assert (f"git push -u {goes_to} HEAD" in made.text) == bool(remotes)
    assert ("gh repo create" in made.text or "github.com/new" in made.text) != bool(remotes)
    assert ("Merge this branch into acme/Kg_Demo.v1" in made.text) == ("upstream" in remotes)


def test_another_owner_is_refused_with_the_command_that_works(repository_with):
    path = repository_with(origin="https://me:s3cret@github.com/Other-Lab/Kg_Demo.v1.git")
    made = generate(path, port="80")
    assert made.status == 1 and "2 answers cannot be used; nothing was written." in made.text
    assert "Other-Lab, as the repository's remote on github.com says" in made.text
    assert "s3cret" not in made.text
    [command] = [line for line in made.text.splitlines() if " -f -s " in line]
    assert "github_owner=Other-Lab" in shlex.split(command) and " port=" not in command
    assert generate(path, github_owner="Other-Lab").status == 0


def test_another_name_is_refused_with_the_folder_to_rename(repository_with):
    path = repository_with("trial", origin="git@github.com:acme-lab/Trial.Graph.git")
    made = generate(path)
    assert made.status == 1 and "Trial.Graph, as the repository's remote" in made.text
    [move] = [line for line in made.text.splitlines() if line.startswith("    mv ")]
    assert run(*shlex.split(move)).returncode == 0
    [command] = [line for line in made.text.splitlines() if " -f -s " in line]
    answers = dict(word.split("=", 1) for word in shlex.split(command) if "=" in word)
    assert (answers["github_owner"], answers["repo_name"]) == ("acme-lab", "Trial.Graph")
    there = path.parent / "Trial.Graph"
    assert generate(there, github_owner="acme-lab").status == 0
    assert "ghcr.io/acme-lab/trial.graph" in (there / "openshift/deployment.yaml").read_text()


def test_a_name_that_no_image_can_have_is_said(repository_with):
    made = generate(repository_with("x", origin="git@github.com:acme/_x.git"))
    assert made.status == 1 and "Rename it on GitHub" in made.text


@pytest.mark.parametrize(
    "address",
    [
        "https://token:s3cret@gitlab.com/group/sub/kg.git",
        "git@bitbucket.org:acme/Kg_Demo.v1.git",
        "https://github.um.nl/acme/Kg_Demo.v1",
        "/srv/git/acme/Kg_Demo.v1.git",
    ],
)
def test_a_repository_elsewhere_is_refused_until_it_is_on_github_too(repository_with, address):
    path = repository_with(origin=address)
    made = generate(path)
    assert (
        made.status == 1 and "No remote of this repository is on github.com: origin (" in made.text
    )
    assert "s3cret" not in made.text
    [add] = [line for line in made.text.splitlines() if " remote add github " in line]
    assert run(*shlex.split(add)).returncode == 0
    made = generate(path)
    assert made.status == 0 and "git push -u github HEAD" in made.text


@pytest.mark.parametrize("is_push", [False, True])
def test_what_a_push_address_or_a_shorthand_leads_to_counts(repository_with, is_push):
    path = repository_with(origin="work:acme/Kg_Demo.v1.git")
    words = ("remote.origin.pushurl", "git@gitlab.com:acme/Kg_Demo.v1.git")
    if not is_push:
        words = ("url.https://github.com/.insteadOf", "work:")
    assert run("git", "config", *words, cwd=path).returncode == 0
    assert generate(path).status == (1 if is_push else 0)


def test_a_push_that_is_forbidden_leaves_the_address_to_say_it(repository_with):
    path = repository_with(origin="git@github.com:acme/Kg_Demo.v1.git")
    assert run("git", "config", "remote.origin.pushurl", "no_push", cwd=path).returncode == 0
    assert generate(path).status == 0


def test_a_folder_of_another_repository_is_refused(repository_with, tmp_path):
    top = repository_with("Mono", origin="git@github.com:Lab/Mono.git")
    (top / "api").mkdir()
    (top / "api/app.py").write_text("print(1)\n")
    committed(top)
    made = generate(top / "api")
    assert made.status == 1 and "git init" not in made.text
    assert f"is inside another git repository, {top}; nothing was written." in made.text
    [command] = [line for line in made.text.splitlines() if " -f -s " in line]
    words = shlex.split(command)
    assert {"repo_name=Mono", "github_owner=Lab"} <= set(words)
    assert words[words.index("-o") + 1] == str(tmp_path)


def test_a_clone_of_the_same_repository_around_it_is_refused(repository_with):
    top = repository_with(origin="git@github.com:acme/Kg_Demo.v1.git")
    made = bake(top, home=top.parent, github_owner="acme")
    assert made.status == 1 and "is inside another git repository" in made.text
    assert not (top / "Kg_Demo.v1").exists()


@pytest.mark.parametrize("is_ignored", [False, True])
def test_a_new_folder_in_another_repository_becomes_one_of_its_own(repository_with, is_ignored):
    top = repository_with("home")
    if is_ignored:
        (top / ".gitignore").write_text("*\n")
    made = bake(top, home=top.parent)
    said = " ".join(made.text.split())
    assert made.status == 0 and "git init -q -b main" in said
    assert (f"inside another git repository, {top}." in said) != is_ignored


def test_a_repository_without_files_of_its_own_is_refused(tmp_path):
    path = tmp_path / "Kg_Demo.v1"
    assert run("git", "init", "-q", "--bare", str(path)).returncode == 0
    made = generate(path)
    assert made.status == 1 and "Generate into a clone of it" in made.text


def cloned(path, *words):
    """A clone of a repository in a folder of the same name, with its remote on GitHub."""
    place = path.parent / "clones" / path.name
    source = f"file://{path}"
    assert run("git", "clone", "-q", *words, source, str(place)).returncode == 0
    address = f"https://github.com/acme/{path.name}.git"
    assert run("git", "remote", "set-url", "origin", address, cwd=place).returncode == 0
    return place


def test_a_shallow_clone_works_and_is_said(repository_with):
    path = repository_with()
    committed(path, "another")
    made = generate(cloned(path, "--depth=1"))
    assert made.status == 0 and "This clone is shallow." in made.text
    assert "git push -u origin HEAD" in made.text


@pytest.mark.parametrize("has_branch", [False, True])
def test_a_detached_head_gets_a_branch_that_can_be_pushed(repository_with, has_branch):
    place = cloned(repository_with())
    assert run("git", "checkout", "-q", "--detach", cwd=place).returncode == 0
    if has_branch:
        assert run("git", "branch", "add-dsri", cwd=place).returncode == 0
    made = generate(place)
    name = "add-dsri-2" if has_branch else "add-dsri"
    commands = made.text.partition("\n1. ")[2]
    assert f"    git checkout -q -b {name}\n    git add" in commands
    assert "Merge this branch into main; that publishes." in commands


def test_a_default_branch_of_another_name_needs_nothing(repository_with):
    path = repository_with()
    assert run("git", "branch", "-m", "trunk", cwd=path).returncode == 0
    made = generate(cloned(path))
    assert made.status == 0 and "Merge this branch" not in made.text
    assert "git push -u origin HEAD" in made.text


def test_a_worktree_is_a_repository_of_its_own(repository_with):
    path = repository_with("elsewhere", origin="git@github.com:acme/Kg_Demo.v1.git")
    place = path.parent / "Kg_Demo.v1"
    assert run("git", "worktree", "add", "-q", str(place), cwd=path).returncode == 0
    made = generate(place)
    assert made.status == 0 and "git push -u origin HEAD" in made.text
    other = path.parent / "idea"
    assert run("git", "worktree", "add", "-q", str(other), cwd=path).returncode == 0
    made = generate(other)
    assert made.status == 1 and "This folder is a worktree or a submodule" in made.text
    assert "    mv " not in made.text


def test_a_submodule_is_a_repository_of_its_own_and_is_said(repository_with):
    source, top = repository_with("source"), repository_with("top")
    words = ("git", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
    assert run(*words, str(source), "Kg_Demo.v1", cwd=top).returncode == 0
    place = top / "Kg_Demo.v1"
    address = "https://github.com/acme/Kg_Demo.v1"
    assert run("git", "remote", "set-url", "origin", address, cwd=place).returncode == 0
    made = generate(place)
    assert made.status == 0 and f"This is a submodule of {top}:" in " ".join(made.text.split())


def test_without_git_nothing_is_compared(repository_with, monkeypatch):
    path = repository_with(origin="https://gitlab.com/a/b")
    monkeypatch.setenv("PATH", str(path))
    made = bake(path.parent, "-f", "-s", stack="own-dockerfile")
    assert made.status == 0, made.text


def test_what_a_git_hook_has_set_leads_to_no_other_repository(repository_with, monkeypatch):
    path = repository_with(origin="git@github.com:acme/Kg_Demo.v1.git")
    other = repository_with("other", origin="git@gitlab.com:a/b.git")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    assert generate(path).status == 0
