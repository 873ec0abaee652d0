"""The command `dsri doctor`: looks, and prints one screen.

It ends with 0 (all is well), 1 (something is to be fixed) or 2 (it could not look)."""

from __future__ import annotations

import argparse
import re
import sys
import traceback
from pathlib import Path

from dsri.doctor.cluster import CannotLook, find_tool
from dsri.doctor.facts import Expected, Facts
from dsri.doctor.findings import cannot_look, findings, release_before_answers
from dsri.doctor.gathering import Question, gather
from dsri.doctor.repository import expected_in, has_manifests
from dsri.doctor.screen import Report, as_json, count, page, summary

WELL, TO_BE_FIXED, COULD_NOT_LOOK = 0, 1, 2
NAME = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?"  # RFC 1123 (Kubernetes, Object Names and IDs)
NOT_ALL = "nothing is found, but not all could be looked at"
OPTIONS = {
    "--project": "the project, where it is not the manifests' own",
    "--name": (
        "the Deployment, CronJob, StatefulSet, Job, ... or a pod, where it is not the manifests' "
        "own"
    ),
    "--context": "the context of that tool's configuration",
}


def arguments(words: list[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="dsri doctor",
        description=(
            "Says what is wrong with an application on DSRI, why, and how to fix it. It changes "
            "nothing. In a repository that cookiecutter-dsri made it needs no options."
        ),
        epilog="Exit status 0: all is well; 1: something is to be fixed; 2: it could not look.",
    )
    parser.add_argument(
        "folder", nargs="?", default="openshift", help="the manifests' folder (default: openshift)"
    )
    for option, what in OPTIONS.items():
        parser.add_argument(option, help=what)
    parser.add_argument(
        "--tool",
        choices=["oc", "kubectl"],
        help="what asks the cluster (default: oc, else kubectl)",
    )
    parser.add_argument(
        "--registry",
        action="store_true",
        help=(
            "also try the pull secret's own login at its registry, and at api.github.com for a "
            "token of ghcr.io; the token is never shown"
        ),
    )
    parser.add_argument(
        "--no-github", action="store_true", help="do not ask `gh` for the publish runs"
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    return parser.parse_args(words)


def checked_name(word: str) -> str:
    """Return a name; CannotLook where it is none."""
    if not re.fullmatch(NAME, word):
        raise CannotLook("no-manifests", f"{word} is no name of a project or an application")
    return word


def look(options: argparse.Namespace) -> Facts:
    """Return all that is known of the application that the options, or the manifests, name."""
    tool = find_tool(options.tool)
    folder = Path(options.folder)
    expected: Expected | None = None
    project, name = options.project, options.name
    if has_manifests(folder):
        expected = expected_in(tool, folder, name)
        project, name = project or expected.project, name or expected.name
    if not project or not name:
        why = "" if expected else f"there is no {options.folder}/kustomization.yaml"
        raise CannotLook("no-manifests", why)
    # Manifests of another application, or another project's, are no help: what they would send
    # is not what should run.
    if expected and (expected.name != name or expected.project not in (None, project)):
        expected = None
    question = Question(
        tool=tool,
        project=checked_name(project),
        name=checked_name(name),
        options=["--context", options.context] if options.context else [],
        expected=expected,
        ask_registry=options.registry,
        github=not options.no_github,
    )
    return gather(question)


def notes_on(facts: Facts) -> list[str]:
    """Return what is said below the findings."""
    notes = summary(facts)
    if facts.expected and facts.expected.others:
        others = ", ".join(facts.expected.others)
        notes.append(f"Not looked at: {others}; --name looks at one.")
    if release_before_answers(facts):
        notes.append("The release before still answers, until the newest one is ready.")
    return notes


def report_on(facts: Facts) -> Report:
    """Return what was found of an application."""
    found = findings(facts)
    status = TO_BE_FIXED if found else WELL
    notes = notes_on(facts)
    if facts.unseen and not any(finding.name == "no-project" for finding in found):
        unseen = ", ".join(facts.unseen)
        notes.append(f"Not looked at, as the cluster does not show them to you: {unseen}.")
        if not found and {"pods", "deployments"} & set(facts.unseen):
            status = COULD_NOT_LOOK
    result = count(found) if found or status == WELL else NOT_ALL
    title = f"{facts.name} in {facts.project}: {result}"
    return Report(title, status, found, notes, facts)


def report(options: argparse.Namespace) -> Report:
    """Return what was found, or why nothing could be."""
    try:
        return report_on(look(options))
    except CannotLook as problem:
        title = "dsri doctor could not look"
        return Report(title, COULD_NOT_LOOK, [cannot_look(problem)])


def show(text: str) -> bool:
    """Print a text; tell whether that was possible, or nobody wants it any more (`| head -1`)."""
    try:
        print(text, end="", flush=True)
    except OSError as error:
        # Python would try once more at its end.
        sys.stdout = None
        if not isinstance(error, BrokenPipeError):
            print(f"dsri doctor: {error}", file=sys.stderr)
            return False
    return True


def run(options: argparse.Namespace) -> int:
    """Look, print, and return the exit status."""
    found = report(options).without_secrets()
    text = page(found.title, found.findings, found.notes)
    if options.json:
        text = as_json(found) + "\n"
    return found.status if show(text) else COULD_NOT_LOOK


def main(words: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = arguments(words)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        return run(options)
    except Exception as error:  # noqa: BLE001 - its words may hold a secret: only places are shown
        places = "".join(traceback.format_list(traceback.extract_tb(error.__traceback__)))
        print("dsri doctor has a fault of its own; please report it:", file=sys.stderr)
        print(f"{places}{type(error).__name__}", file=sys.stderr)
        return COULD_NOT_LOOK
