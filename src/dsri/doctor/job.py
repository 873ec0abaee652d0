"""The runs of a CronJob or a Job: whether they end well."""

from __future__ import annotations

from dsri.doctor import commands
from dsri.doctor.case import Case
from dsri.doctor.finding import Words
from dsri.doctor.hide import hide, tail
from dsri.doctor.objects import name_of
from dsri.doctor.running import ENDS
from dsri.kustomize import Object


def reason_of(condition: Object) -> str:
    """Return why a run has failed, in the cluster's words."""
    return f"{condition.get('reason')}: {hide(condition.get('message', ''))}"


def run_before(case: Case, job: Object) -> None:
    """Find a run that has failed before the one that is under way."""
    failed = case.ended("Failed", run=-2)
    if not failed or case.ended("Failed", "Complete"):
        return
    before = name_of(case.facts.jobs[-2])
    why = reason_of(failed)
    case.add("job-failed/run-before", of=before, before=before, run=name_of(job), why=why)


def last_failed_container(case: Case) -> tuple[Object, str, int] | None:
    """Return (pod, container, exit status) of the last container that ended with an error."""
    found = None
    for pod, status in case.statuses(case.broken):
        code = status.get("state", {}).get("terminated", {}).get("exitCode")
        if code:
            found = (pod, status["name"], code)
    return found


def is_explained(case: Case) -> bool:
    """Tell whether a finding that ends in a new run says already why this one failed."""
    again = commands.restart(case)[0]
    return any(again in finding.fix for finding in case.findings)


def jobs(case: Case) -> None:
    """Find runs that have failed."""
    if not case.facts.jobs:
        return
    job = case.facts.jobs[-1]
    run_before(case, job)
    failed, bad = case.ended("Failed"), last_failed_container(case)
    if failed and is_explained(case):
        return
    if not failed and (not bad or case.has(*ENDS)):
        return
    shares = job["status"].get("failedIndexes")
    words: Words = {"run": name_of(job), "shares": f" (shares {shares})" if shares else ""}
    says: list[str] = []
    logs = commands.for_cluster(case, f"describe job {name_of(job)}")
    why = ""
    if bad:
        pod, container, code = bad
        says = tail(case.log(pod, container), case.known_secrets, 4)
        logs = commands.logs(case, pod, container)
        why = f"A pod ended with status {code}."
    if not failed:
        case.add("job-failed/pods", says, why=why, logs=logs, **words)
        return
    again = commands.restart(case)
    if failed.get("reason") == "DeadlineExceeded":
        again = commands.change(case, "a longer activeDeadlineSeconds")
    case.add("job-failed/run", says, why=reason_of(failed), logs=logs, again=again, **words)
