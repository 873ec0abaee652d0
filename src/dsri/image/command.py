"""The command `dsri image`."""

from __future__ import annotations

import argparse
from pathlib import Path

from dsri.dockerfile import findings
from dsri.image.manifests import FAILED, NOT_TRIED, stop
from dsri.image.rollout import rollout
from dsri.image.trial import test


def arguments(words: list[str]) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="dsri image",
        description="Tries an image locally as the cluster will run it, and helps to deploy it.",
        epilog="Exit status 0: it works; 1: it does not, and the reason is printed; "
        "2: it was not tried.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, what in (
        ("test", "start IMAGE as the manifests say, and see whether it works"),
        ("rollout", "print the commands that bring IMAGE to the cluster"),
    ):
        one = commands.add_parser(name, help=what, description=what.capitalize() + ".")
        one.add_argument("image")
        one.add_argument("--folder", default="openshift", help="the manifests' folder")
    what = "list what in a Dockerfile would not run on the cluster"
    reader = commands.add_parser("dockerfile", help=what, description=what.capitalize() + ".")
    reader.add_argument("file", metavar="FILE")
    reader.add_argument("port", nargs="?", help="the port that the application listens on")
    return parser.parse_args(words)


def show_findings(path: str, port: str | None) -> int:
    """Print what in the Dockerfile at `path` would not run on the cluster; the exit status."""
    if port and not port.isdigit():
        stop(f"{port} is not a port.", NOT_TRIED)
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        stop(f"{path} cannot be read: {error.strerror}", NOT_TRIED)
    found = findings(text, port)
    for what, fix in found:
        print(f"{what}\n  fix: {fix}")
    return FAILED if found else 0


def main(words: list[str]) -> int:
    """Run the command; return its exit status."""
    given = arguments(words)
    if given.command == "dockerfile":
        return show_findings(given.file, given.port)
    run = test if given.command == "test" else rollout
    run(given.image, Path(given.folder).resolve())
    return 0
