"""The command `dsri`: finds the subcommand and hands the rest of the line to it."""

from __future__ import annotations

import argparse
import importlib
import sys

# The subcommand → what it does. Its package, dsri.NAME, has the rest, and is imported when it is
# asked for: each needs libraries that the others do not.
SUBCOMMANDS = {
    "doctor": "say what is wrong with an application on DSRI, and how to fix it",
    "update": "bring what changed in the template into this repository",
    "fleet": "list the repositories that the template made, and their versions",
    "image": "try an image locally as the cluster will run it",
}


def main(words: list[str] | None = None) -> int:
    """Run the subcommand that `words` (else the command line) begin with; its exit status."""
    given = sys.argv[1:] if words is None else words
    parser = argparse.ArgumentParser(
        prog="dsri",
        description="Tools for applications on DSRI that cookiecutter-dsri made.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")
    for name, what in SUBCOMMANDS.items():
        # Its own parser has the options, and -h.
        commands.add_parser(name, help=what, add_help=False)
    command = parser.parse_args(given[:1]).command
    module = importlib.import_module(f"dsri.{command}.command")
    status: int = module.main(given[1:])
    return status
