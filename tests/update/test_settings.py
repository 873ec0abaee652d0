"""Promise 10: an update is the same whatever a user's git settings."""

import os
import stat

import cookiecutter
import pytest
from conftest import run
from test_update import ACTION, APP, BASE, RULE, STAGED, owner  # noqa: F401 - a fixture

pytestmark = pytest.mark.skipif(
    cookiecutter.__version__ == "2.1.1",
    reason="needs cookiecutter 2.2, which tells the hook where the template is",
)
SETTINGS = """
[diff]
    noprefix = true
    mnemonicPrefix = true
    srcPrefix = x/
    dstPrefix = y/
    external = {fails}
    renames = copies
    renameLimit = 1
    algorithm = patience
    context = 0
    interHunkContext = 9
    orderFile = {folder}/order
    ignoreSubmodules = all
    wsErrorHighlight = all
    colorMoved = zebra
    submodule = log
    suppressBlankEmpty = true
    indentHeuristic = false
    relative = true
    wordRegex = .
    statGraphWidth = 3
    tool = {fails}
[color]
    ui = always
    diff = always
    status = always
    branch = always
[column]
    ui = always
[apply]
    whitespace = error
    ignoreWhitespace = change
[core]
    autocrlf = true
    eol = crlf
    safecrlf = true
    quotePath = true
    pager = {fails}
    hooksPath = {folder}/hooks
    attributesFile = {folder}/attributes
    excludesFile = {folder}/excludes
    fileMode = false
    ignoreCase = true
    precomposeUnicode = true
    fsmonitor = {fails}
    untrackedCache = true
    commentChar = ";"
    editor = {fails}
    abbrev = 30
    whitespace = tab-in-indent,cr-at-eol
    askPass = {fails}
[commit]
    gpgSign = true
    verbose = true
    template = {folder}/order
    cleanup = verbatim
    status = false
[merge]
    conflictStyle = merge
    ff = only
    renames = false
    directoryRenames = true
    renormalize = true
    default = broken
    tool = {fails}
    verifySignatures = true
    log = true
[merge "broken"]
    driver = {fails}
[status]
    short = true
    branch = true
    showUntrackedFiles = all
    relativePaths = false
    submoduleSummary = true
[log]
    showSignature = true
    decorate = full
    date = relative
    follow = true
    abbrevCommit = true
[format]
    pretty = fuller
[init]
    defaultBranch = strange
    templateDir = {folder}/template
    defaultObjectFormat = sha256
[user]
    useConfigOnly = true
[tag]
    gpgSign = true
    sort = -refname
[gpg]
    program = {fails}
[pull]
    rebase = true
[fetch]
    prune = true
[rerere]
    enabled = true
    autoUpdate = true
[submodule]
    recurse = true
[blame]
    ignoreRevsFile = {folder}/nothing
[versionsort]
    suffix = -
[safe]
    bareRepository = explicit
[protocol "file"]
    allow = always
[i18n]
    logOutputEncoding = UTF-16
[uploadpack]
    allowFilter = false
"""
HOOKS = (
    *("post-checkout", "post-index-change", "pre-commit", "commit-msg", "post-merge"),
    *("pre-applypatch", "reference-transaction", "pre-push", "post-commit"),
)


@pytest.fixture
def hostile(tmp_path_factory, monkeypatch):
    """A function that turns the hostile settings on; it gives a file that exists once one ran."""
    folder = tmp_path_factory.mktemp("settings")
    fails = folder / "fails"
    programs = [fails, *(folder / "hooks" / name for name in HOOKS)]
    programs += [folder / "template" / "hooks" / name for name in HOOKS]
    for program in programs:
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\necho $0 $@ >> {folder}/called\nexit 1\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (folder / "order").write_text("*.yml\n")
    (folder / "excludes").write_text("*\n")
    (folder / "attributes").write_text(
        "* text eol=crlf ident diff=broken\n*.yaml -text merge=broken whitespace\n"
    )
    text = SETTINGS.replace("{fails}", str(fails)).replace("{folder}", str(folder))
    (folder / "config").write_text(text)

    def turn_on():
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(folder / "config"))
        for name in ("GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_EDITOR"):
            monkeypatch.setenv(name, str(fails))
        monkeypatch.setenv("GIT_DIFF_OPTS", "--unified=0")
        monkeypatch.setenv("GIT_TEMPLATE_DIR", str(folder / "template"))
        return folder / "called"

    return turn_on


CHANGES = (BASE, ACTION, RULE, APP, (STAGED + "every/new.txt", "new\n\n  with blanks \n"))


def updated(mine):
    """What an update of a repository that has changes of its own comes to."""
    mine.edit(
        ("openshift/service.yaml", "kind: Service", "kind: Service # mine"),
        ("openshift/route.yaml", "termination: edge", "termination: passthrough"),
    )
    (mine / ".dockerignore").rename(mine / "moved.txt")
    mine.edit(("Dockerfile", "CMD", "# mine\nCMD"))
    mine.release(*CHANGES, (STAGED + "every/.dockerignore", "data", "data\nmore"))


def outcome(mine, said):
    """(what is said, the tree that is staged, the files), without what differs by the clock."""
    tree = run("git", "write-tree", cwd=mine.path).stdout
    files = {
        path.relative_to(mine.path).as_posix(): path.read_bytes()
        for path in mine.path.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(mine.path).parts
    }
    return said, tree, files


@pytest.mark.skipif(os.name != "posix", reason="needs Linux or macOS: the programs are scripts")
def test_an_update_is_the_same_whatever_the_settings(owner, hostile):  # noqa: F811 - the fixture
    mine = owner()
    updated(mine)
    plain = outcome(mine, mine.update())
    assert run("git", "reset", "-q", "--hard", cwd=mine.path).returncode == 0
    called = hostile()
    said = mine.update()
    for name in ("GIT_CONFIG_GLOBAL", "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS", "GIT_TEMPLATE_DIR"):
        mine.monkeypatch.delenv(name)
    assert outcome(mine, said) == plain
    assert not called.exists(), called.read_text()


def test_a_file_that_is_not_committed_is_seen_whatever_the_settings(owner, tmp_path):  # noqa: F811 - the fixture
    mine = owner()
    (tmp_path / "config").write_text("[status]\n    showUntrackedFiles = no\n")
    mine.monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    (mine / "untracked").write_text("x")
    assert mine.stopped().startswith("There are changes that are not committed")
