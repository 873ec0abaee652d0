"""Promise 2: what is printed for PowerShell is PowerShell, and says the same as what is printed for POSIX shells."""

import importlib.util
import json
import re
import shlex

import pytest
from conftest import STAGED, TEMPLATE, bake, later, long, need, run
from placing.project import Project
from placing.repository import Repository
from placing.shell import Shell
from placing.staging import environment
from placing.steps import printed_steps

WINDOWS_ONLY = {"Read-Host", "New-Object"}
POSIX_ONLY = {"trap", "printf", "stty", "read", "echo"}


def printed(made, posix, monkeypatch, was_empty=True, added=()):
    """The commands that the hook prints, without what indents them."""
    monkeypatch.chdir(made.path)
    monkeypatch.setenv("PWD", str(made.path.parent))
    answers = json.loads((made.path.parent / ".r" / f"{TEMPLATE.name}.json").read_text("utf-8"))
    project = Project(answers["cookiecutter"])
    templates = environment(project, folder=str(STAGED))
    shell = Shell(is_posix=posix)
    repository = Repository(was_empty, frozenset(), {})
    text = printed_steps(project, templates, shell, repository, list(added))
    return "\n".join(
        shell.wrapped(line)[4:] for line in text.splitlines() if line.startswith("    ")
    )


def powershell(code):
    """Every command's words, as PowerShell's grammar reads them; a syntax error fails."""
    tree_sitter = pytest.importorskip("tree_sitter")
    grammar = pytest.importorskip("tree_sitter_powershell")
    tree = tree_sitter.Parser(tree_sitter.Language(grammar.language())).parse(code.encode())
    found = []

    def word(node):
        text = node.text.decode()
        return (
            re.sub("''", "'", text[1:-1])
            if text[:1] == "'"
            else text[1:-1]
            if text[:1] == '"'
            else text
        )

    def walk(node):
        assert node.type != "ERROR" and not node.is_missing, f"{node.text.decode()!r} in\n{code}"
        if node.type == "command" and node.children[0].type == "command_name":
            found.append(
                [word(node.children[0])]
                + [
                    word(c)
                    for part in node.children[1:]
                    for c in part.children
                    if c.type != "command_argument_sep"
                ]
            )
        for child in node.children:
            walk(child)

    walk(tree.root_node)
    return found


def posix(code):
    """Every command's words, as a POSIX shell reads them."""
    lexer = shlex.shlex(code.replace("\\\n", ""), posix=True, punctuation_chars=";|&()\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
    found, words = [], []
    for token in [*lexer, "\n"]:
        if re.fullmatch(r"[;|&()\n]+", token):
            found += [words] if words else []
            words = []
        else:
            words.append(token)
    return found


@pytest.mark.parametrize("account", ["default", pytest.param("anyuid", marks=long)])
def test_powershells_words_are_the_posix_words(tmp_path, monkeypatch, account, stack):
    need(
        importlib.util.find_spec("tree_sitter_powershell"),
        "tree-sitter-powershell: pip install tree-sitter tree-sitter-powershell",
    )
    made = bake(
        tmp_path,
        stack=stack,
        service_account=account,
        email="a.b+c@example.org",
        pull_secret_name="a.b-c",
    )
    theirs = [c for c in powershell(printed(made, False, monkeypatch)) if c[0] not in WINDOWS_ONLY]
    # The one word that has to differ: each shell makes random digits in its own way.
    ours = [
        [re.sub(r"=\$\(od .*\)$", "=$token", w) for w in c]
        for c in posix(printed(made, True, monkeypatch))
        if c[0] not in POSIX_ONLY
    ]
    assert theirs == ours and len(ours) >= 11
    after = [block for blocks in later(made).values() for block in blocks]
    theirs, ours = (
        words("\n".join(re.sub("(?m)^    ", "", block) for block in after if not mine(block)))
        for words, mine in (
            (powershell, lambda block: "stty" in block),
            (posix, lambda block: "Read-Host" in block),
        )
    )
    assert [c for c in theirs if c[0] not in WINDOWS_ONLY] == [
        c for c in ours if c[0] not in POSIX_ONLY
    ] and len(ours) >= 4


def test_powershell_takes_the_steps_for_a_repository_that_was_there(tmp_path, monkeypatch):
    made = bake(tmp_path)
    assert run("git", "init", "-q", "-b", "main", cwd=made.path).returncode == 0
    added = [
        ".dockerignore",
        "it's/a b.c",
        "openshift/image.py",
        *[f"folder/file{n}" for n in range(20)],
    ]
    assert powershell(printed(made, False, monkeypatch, False, added))[1] == [
        "git",
        "add",
        "-f",
        "--",
        *added,
    ]


def test_no_printed_line_is_long(tmp_path, monkeypatch, stack):
    made = bake(tmp_path, stack=stack)
    for shell_is_posix in (True, False):
        lines = printed(made, shell_is_posix, monkeypatch).splitlines()
        assert all(len(line) <= 76 for line in lines if "https://" not in line)
