"""The code is as CONTRIBUTING.md says: linted, formatted, typed, in short functions."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TEMPLATE

LONGEST = 40  # lines of a function
LINTED = ["src", "tools"]
LINTED_TESTS = [
    "tests/bake/test_image_script.py",
    "tests/bake/test_trial.py",
    "tests/doctor",
    "tests/maintain/test_built.py",
    "tests/maintain/test_code.py",
    "tests/maintain/test_command.py",
    "tests/maintain/test_fleet.py",
    "tests/update",
]
# What is not yet redone: no function in it is measured.
SOURCES = [path for folder in LINTED for path in sorted((TEMPLATE / folder).rglob("*.py"))]
NOT_YET = {"tools/pins.py"}


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
        ("ruff", "check", *LINTED, *LINTED_TESTS),
        ("ruff", "format", "--check", *LINTED, *LINTED_TESTS),
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
        if name not in NOT_YET:
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
    for path in sorted((TEMPLATE / "src").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(TEMPLATE)}:{line}" for line in nested(tree)]
    assert found == []
