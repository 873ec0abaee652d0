"""One package, one command: `dsri`, and `python -m dsri`."""

import subprocess
import sys

import pytest

from dsri import cli


def run(*words):
    return subprocess.run([sys.executable, "-m", "dsri", *words], capture_output=True, text=True)


def test_it_lists_its_subcommands():
    done = run("--help")
    assert done.returncode == 0
    for name, what in cli.SUBCOMMANDS.items():
        assert name in done.stdout
        assert what in done.stdout


@pytest.mark.parametrize("name", cli.SUBCOMMANDS)
def test_each_has_its_own_help(name):
    done = run(name, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: dsri {name} ")


@pytest.mark.parametrize("words", [(), ("none-such",)])
def test_what_is_no_subcommand_is_refused(words):
    done = run(*words)
    assert done.returncode == 2
    assert "usage: dsri" in done.stderr
