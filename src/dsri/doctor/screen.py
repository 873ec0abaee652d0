"""What is printed: one screen of plain text, whose order and words say all, or JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from dsri.doctor.facts import Facts
from dsri.doctor.finding import Finding
from dsri.doctor.hide import conceal
from dsri.doctor.objects import digest_in, is_settled

WIDTH = 80
DIGEST = len("sha256:") + 12  # characters of a digest that are shown


@dataclass
class Report:
    """What one look came to."""

    title: str
    status: int
    findings: list[Finding]
    notes: list[str] = field(default_factory=list)
    facts: Facts | None = None

    def without_secrets(self) -> Report:
        """Return the report without any value that came out of a pull secret."""
        values = self.facts.withheld if self.facts else set()
        notes = [conceal(note, values) for note in self.notes]
        found = [without_values(finding, values) for finding in self.findings]
        return Report(conceal(self.title, values), self.status, found, notes, self.facts)


def without_values(finding: Finding, values: set[str]) -> Finding:
    """Return a finding without these values, whatever it was made from."""
    return Finding(
        finding.name,
        conceal(finding.what, values),
        conceal(finding.why, values),
        [conceal(line, values) for line in finding.fix],
        [conceal(line, values) for line in finding.says],
        finding.warning,
    )


def wrapped(text: str, first: str, rest: str) -> str:
    """Return a text in lines of at most WIDTH columns, which begin as given."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def labelled(label: str, text: str) -> str:
    """Return a text with a label before it."""
    return wrapped(text, f"   {label:<6}", " " * 9)


def lines_of(finding: Finding, mark: str) -> list[str]:
    """Return the lines of one finding; a command stays on one line, so that it can be pasted."""
    what = f"Warning: {finding.what}" if finding.warning else finding.what
    lines = [wrapped(what, f"{mark:<3}", "   ")]
    if finding.why:
        lines.append(labelled("Why", finding.why))
    for place, command in enumerate(finding.fix):
        lines.append(f"   {'' if place else 'Fix':<6}{command}")
    for place, said in enumerate(finding.says):
        lines.append(labelled("" if place else "Says", said))
    return [*lines, ""]


def page(title: str, found: list[Finding], notes: Iterable[str] = ()) -> str:
    """Return the screen."""
    lines = [title, ""]
    for number, finding in enumerate(found, 1):
        lines += lines_of(finding, f"{number}." if len(found) > 1 else "-")
    lines += [textwrap.fill(note, WIDTH) for note in notes]
    return "\n".join(lines).rstrip() + "\n"


def as_json(report: Report) -> str:
    """Return the report for machines."""
    facts = report.facts
    return json.dumps(
        {
            "project": facts.project if facts else None,
            "name": facts.name if facts else None,
            "tool": facts.tool if facts else None,
            "status": report.status,
            "findings": [asdict(finding) for finding in report.findings],
            "notes": report.notes,
        },
        indent=2,
    )


def number_of(things: int, name: str) -> str:
    """Return how many things there are, in words."""
    return f"{things} {name}" if things == 1 else f"{things} {name}s"


def count(found: list[Finding]) -> str:
    """Return how many findings there are, in words."""
    if not found:
        return "all is well"
    warnings = len([finding for finding in found if finding.warning])
    wrong = len(found) - warnings
    parts = []
    if wrong:
        parts.append(f"{number_of(wrong, 'thing')} to fix" + (", in this order" * (wrong > 1)))
    if warnings:
        parts.append(number_of(warnings, "warning"))
    return "; ".join(parts)


def last_run(facts: Facts, status: dict[str, str]) -> str:
    """Return what became of the last run of a CronJob or Job."""
    if facts.jobs:
        job = facts.jobs[-1]
        done = job["status"].get("succeeded", 0)
        wanted = job["spec"].get("completions", 1)
        return f"The last run is {job['metadata']['name']}: {done} of {wanted} done."
    if status.get("lastScheduleTime"):
        return f"Of its runs none is kept; the last one was at {status['lastScheduleTime']}."
    return "No run was started yet."


def images_of(facts: Facts) -> list[str]:
    """Return the digests of the images that the pods run, shortened."""
    found = set()
    for pod in facts.pods:
        for status in pod.get("status", {}).get("containerStatuses") or []:
            found.add(digest_in(status.get("imageID"))[:DIGEST])
    return sorted(found - {""})


def summary(facts: Facts) -> list[str]:
    """Return what runs, in one line; none where there is no workload."""
    workload = facts.workload
    if not workload:
        return []
    status = workload.get("status", {})
    if workload["kind"] in ("CronJob", "Job"):
        return [last_run(facts, status)]
    ready = status.get("readyReplicas", status.get("numberReady", 0))
    if workload["kind"] == "Pod":
        ready = len([pod for pod in facts.pods if is_settled(pod)])
    wanted = workload["spec"].get("replicas", status.get("desiredNumberScheduled", 1))
    images = images_of(facts)
    which = f"; image {', '.join(images)}." if images else "."
    return [f"{ready} of {wanted} pods ready{which}"]
