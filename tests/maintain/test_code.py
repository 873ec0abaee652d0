"""The code is as CONTRIBUTING.md says: linted, formatted, typed, in short functions."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import STAGED, TEMPLATE

LONGEST = 40  # lines of a function
PLACING = STAGED / "placing"
# Every Python file of ours; what users get is linted where it is generated (tests/bake/test_tools.py).
LINTED = ["benchmarks", "docs", "hooks", "src", "tests", "tools", str(PLACING)]
# Where a function has to be short: all that runs for users and maintainers.
MEASURED = [TEMPLATE / "hooks", TEMPLATE / "src", TEMPLATE / "tools", PLACING]
SOURCES = [path for folder in MEASURED for path in sorted(folder.rglob("*.py"))]


def run(*command):
    """What a tool says of the template."""
    program = shutil.which(command[0], path=os.path.dirname(sys.executable)) or command[0]
    done = subprocess.run(
        [program, *command[1:]],
        cwd=TEMPLATE,
        capture_output=True,
        text=True,
        env={**os.environ, "RUFF_NO_CACHE": "true"},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", *LINTED),
        ("ruff", "format", "--check", *LINTED),
        ("mypy", "--strict", "--cache-dir", os.devnull, "src"),
    ],
    ids=["lint", "format", "types"],
)
def test_the_tools_find_nothing(command):
    status, said = run(*command)
    assert status == 0, said


def functions_of(path: Path):
    """The functions of a file, each with its number of lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.end_lineno - node.lineno + 1


def test_functions_are_short():
    long = []
    for path in SOURCES:
        name = path.relative_to(TEMPLATE).as_posix()
        long += [(name, *one) for one in functions_of(path) if one[1] > LONGEST]
    assert long == []


def is_comprehension(node):
    """Whether a node is a comprehension of any kind."""
    return isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp))


def nested(tree):
    """The lines with an expression of two kinds in another one of its own kind."""
    for node in ast.walk(tree):
        inside = [child for child in ast.walk(node) if child is not node]
        if isinstance(node, ast.IfExp) and any(isinstance(one, ast.IfExp) for one in inside):
            yield node.lineno
        if is_comprehension(node) and any(map(is_comprehension, inside)):
            yield node.lineno


def test_no_conditional_expression_or_comprehension_is_in_another():
    found = []
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(TEMPLATE)}:{line}" for line in nested(tree)]
    assert found == []
