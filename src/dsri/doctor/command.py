"""The command: looks, prints one screen, ends with 0 (well), 1 (something is to be mended) or 2 (it could not look)."""

import argparse
import json
import re
import sys
import textwrap
import traceback
from pathlib import Path

from dsri.doctor.case import settled
from dsri.doctor.findings import cannot_look, findings, running_still
from dsri.doctor.hide import conceal
from dsri.doctor.look import CannotLook, look, repository, tool_named

WIDTH = 80


def arguments(words):
    parser = argparse.ArgumentParser(
        prog="dsri doctor",
        description=(
            "Says what is wrong with an application on DSRI, why, and the command that mends it. It changes nothing. In a repository that "
            "cookiecutter-dsri made it needs no options."
        ),
        epilog="Exit status 0: all is well; 1: something is to be mended; 2: it could not look.",
    )
    parser.add_argument(
        "folder", nargs="?", default="openshift", help="the manifests' folder (default: openshift)"
    )
    parser.add_argument("--project", help="the project, where it is not the manifests' own")
    parser.add_argument(
        "--name",
        help="the Deployment, CronJob, StatefulSet, Job, ... or a pod, where it is not the manifests' own",
    )
    parser.add_argument(
        "--tool",
        choices=["oc", "kubectl"],
        help="what asks the cluster (default: oc, else kubectl)",
    )
    parser.add_argument("--context", help="the context of that tool's configuration")
    parser.add_argument(
        "--registry",
        action="store_true",
        help=(
            "also try the pull secret's own login at its registry, and at api.github.com for a token of ghcr.io; the token is never shown"
        ),
    )
    parser.add_argument(
        "--no-github", action="store_true", help="do not ask `gh` for the publish runs"
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    return parser.parse_args(words)


def diagnose(options):
    """(facts, findings)."""
    tool = tool_named(options.tool)
    expected, project, name = None, options.project, options.name
    if (
        Path(options.folder, "kustomization.yaml").is_file()
        or Path(options.folder, "kustomization.yml").is_file()
    ):
        expected = repository(tool, options.folder, name)
        project, name = project or expected["project"], name or expected["name"]
        # The manifests are those of another application, or another project's: what they would send is no help.
        if name != expected["name"] or expected["project"] not in (None, project):
            expected = None
    if not project or not name:
        raise CannotLook(
            "no-manifests", "" if expected else f"there is no {options.folder}/kustomization.yaml"
        )
    bad = [
        word
        for word in (project, name)
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", word)
    ]
    if bad:
        raise CannotLook("no-manifests", f"{bad[0]} is no name of a project or an application")
    facts = look(
        tool,
        project,
        name,
        ["--context", options.context] if options.context else [],
        expected,
        options.registry,
        not options.no_github,
    )
    return facts, findings(facts)


def wrapped(label, text, width=WIDTH):
    return textwrap.fill(
        text,
        width,
        initial_indent=f"   {label:<6}",
        subsequent_indent=" " * 9,
        break_long_words=False,
        break_on_hyphens=False,
    )


def page(title, found, notes=()):
    """The screen: plain text, whose order and words say all."""
    lines = [title, ""]
    for number, finding in enumerate(found, 1):
        mark = f"{number}." if len(found) > 1 else "-"
        lines.append(
            textwrap.fill(
                ("Warning: " if finding.warning else "") + finding.what,
                WIDTH,
                initial_indent=f"{mark:<3}",
                subsequent_indent="   ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
        if finding.why:
            lines.append(wrapped("Why", finding.why))
        for place, command in enumerate(finding.mend):
            # A command stays on one line, so that it can be pasted.
            lines.append(f"   {'Mend' if not place else '':<6}{command}")
        for place, said in enumerate(finding.says):
            lines.append(wrapped("Says" if not place else "", said))
        lines.append("")
    return "\n".join(lines + [textwrap.fill(note, WIDTH) for note in notes]).rstrip() + "\n"


def count(found):
    wrong, warnings = len([f for f in found if not f.warning]), len([f for f in found if f.warning])
    if not found:
        return "all is well"
    parts = (
        [
            f"{wrong} thing{'s' if wrong > 1 else ''} to mend"
            + (", in this order" if wrong > 1 else "")
        ]
        if wrong
        else []
    )
    return "; ".join(
        parts + ([f"{warnings} warning{'s' if warnings > 1 else ''}"] if warnings else [])
    )


def summary(facts):
    """What runs, in one line."""
    workload = facts["workload"]
    if not workload:
        return []
    status = workload.get("status", {})
    images = sorted(
        {
            m[0][:19]
            for p in facts["pods"]
            for s in p.get("status", {}).get("containerStatuses") or []
            for m in [re.search(r"sha256:[0-9a-f]{64}", s.get("imageID") or "")]
            if m
        }
    )
    if workload["kind"] in ("CronJob", "Job"):
        job = facts["jobs"][-1] if facts["jobs"] else None
        return (
            [
                f"The last run is {job['metadata']['name']}: {job['status'].get('succeeded', 0)} of {job['spec'].get('completions', 1)} done."
            ]
            if job
            else [
                f"Of its runs none is kept; the last one was at {status['lastScheduleTime']}."
                if status.get("lastScheduleTime")
                else "No run was started yet."
            ]
        )
    ready = (
        status.get("readyReplicas", status.get("numberReady", 0))
        if workload["kind"] != "Pod"
        else sum(map(settled, facts["pods"]))
    )
    wanted = workload["spec"].get("replicas", status.get("desiredNumberScheduled", 1))
    return [
        f"{ready} of {wanted} pods ready" + (f"; image {', '.join(images)}." if images else ".")
    ]


def shown(finding, values):
    """A finding without the values that came out of a Secret, whatever it is made from."""
    return finding._replace(
        what=conceal(finding.what, values),
        why=conceal(finding.why, values),
        mend=[conceal(line, values) for line in finding.mend],
        says=[conceal(line, values) for line in finding.says],
    )


def main(words=None):
    try:
        return answer(words)
    except Exception:
        # A traceback's last line may hold anything; only its places are said.
        places = traceback.extract_tb(sys.exc_info()[2])
        print("dsri doctor has a fault of its own; please report it:", file=sys.stderr)
        print("".join(traceback.format_list(places)) + sys.exc_info()[0].__name__, file=sys.stderr)
        return 2


def answer(words):
    options = arguments(words)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    facts = None
    try:
        facts, found = diagnose(options)
        status = 1 if found else 0
        notes = list(summary(facts))
        if facts["expected"].get("others"):
            notes.append(
                f"Not looked at: {', '.join(facts['expected']['others'])}; --name looks at one."
            )
        if running_still(facts):
            notes.append("The release before still answers, until the newest one is ready.")
        if facts["unseen"] and not any(f.name == "no-project" for f in found):
            notes.append(
                f"Not looked at, as the cluster does not show them to you: {', '.join(facts['unseen'])}."
            )
            status = status or 2 if {"pods", "deployments"} & set(facts["unseen"]) else status
        title = f"{facts['name']} in {facts['project']}: {count(found) if found or not status else 'nothing is found, but not all could be looked at'}"
    except CannotLook as problem:
        found, status, notes = [cannot_look(*problem.args)], 2, []
        title = "dsri doctor could not look"
    values = facts["withheld"] if facts else set()
    found = [shown(finding, values) for finding in found]
    notes, title = [conceal(note, values) for note in notes], conceal(title, values)
    if options.json:
        text = (
            json.dumps(
                {
                    "project": facts and facts["project"],
                    "name": facts and facts["name"],
                    "tool": facts and facts["tool"],
                    "status": status,
                    "findings": [f._asdict() for f in found],
                    "notes": notes,
                },
                indent=2,
            )
            + "\n"
        )
    else:
        text = page(title, found, notes)
    try:
        print(text, end="", flush=True)
    except OSError as error:
        # Who reads has gone (`| head -1`), or the disk is full; Python would try once more at its end.
        sys.stdout = None
        if not isinstance(error, BrokenPipeError):
            print(f"dsri doctor: {error}", file=sys.stderr)
            return 2
    return status
