"""What all findings share: one application's facts, and the words in which a finding is said."""

import datetime
import re
import shlex
from collections import namedtuple

from dsri.doctor.hide import hide, looks_like_a_token
from dsri.doctor.look import owned, template_of

Finding = namedtuple("Finding", "name what why mend says warning", defaults=([], [], False))

# The order in which to mend: what stands earlier hides what stands later.
ORDER = """no-tool no-manifests bad-config not-logged-in unreachable cluster-unwell no-project project-ending no-workload scaled-down paused publish-denied publish-failed never-published
no-account no-pull-secret pull-secret-missing pull-secret-broken pull-secret-type pull-secret-registry pull-secret-user pull-secret-token pull-secret-not-linked
image-name image-missing token-refused image-platform pull-limit registry-unreachable pull-failed
quota resources-missing maxima security-context pod-refused
claim-missing claim-not-bound volume-not-mounted volume-held no-room not-scheduled
config-missing user-not-numeric evicted out-of-memory exec-format command-missing volume-read-only root-read-only low-port permission
liveness crash job-failed terminating probe-port wrong-port health-path probe-failed rollout-stuck starting
anyuid-lost object-missing service-port service-no-pods service-shared network-policy route-service route-no-host route-refused claim-ending mixed-images old-image
token-ends token-too-wide restarted""".split()
TOKEN_PAGE = "https://github.com/settings/tokens/new?scopes=read:packages"


def when(text):
    """A time as the API writes it, or GitHub's header."""
    match = re.match(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)", text or "")
    return (
        datetime.datetime(*map(int, match.groups()), tzinfo=datetime.timezone.utc)
        if match
        else None
    )


class Case:
    """One application's facts, with the names that all findings need."""

    def __init__(self, facts, now=None):
        self.facts, self.now = facts, now or datetime.datetime.now(datetime.timezone.utc)
        self.project, self.name, self.expected = facts["project"], facts["name"], facts["expected"]
        self.workload = facts["workload"]
        self.kind = (
            self.workload["kind"]
            if self.workload
            else (self.expected.get("workload") or {}).get("kind", "Deployment")
        )
        self.template = template_of(self.workload or self.expected.get("workload") or {})
        self.account = self.template.get("serviceAccountName") or "default"
        self.containers = {
            c["name"]: c
            for c in (self.template.get("initContainers") or [])
            + self.template.get("containers", [])
        }
        # A pod that failed as a whole stays to be looked at, but for a run's; its controller has made another one.
        self.failed = [
            p
            for p in facts["pods"]
            if p.get("status", {}).get("phase") == "Failed" and self.kind not in ("CronJob", "Job")
        ]
        self.pods = [
            p
            for p in facts["pods"]
            if not p["metadata"].get("deletionTimestamp")
            and (p not in self.failed or self.kind == "Pod")
        ]
        self.newest = None
        if self.kind == "Deployment" and self.workload:
            revision = (
                self.workload["metadata"]
                .get("annotations", {})
                .get("deployment.kubernetes.io/revision")
            )
            self.newest = next(
                (
                    s
                    for s in facts["sets"]
                    if s["metadata"].get("annotations", {}).get("deployment.kubernetes.io/revision")
                    == revision
                ),
                None,
            )
        self.older = [p for p in self.pods if self.newest and not owned([p], self.newest)]
        if self.kind == "StatefulSet" and self.workload:
            revision = self.workload.get("status", {}).get("updateRevision")
            self.older = [
                p
                for p in self.pods
                if p["metadata"].get("labels", {}).get("controller-revision-hash", revision)
                != revision
            ]
        self.current = [p for p in self.pods if p not in self.older]
        # What failed on the way of a run that has ended well is over.
        self.broken = (
            [p for p in self.current if not settled(p)] if not self.ended("Complete") else []
        )
        self.events = facts["events"] or []
        self.literal = {
            v["value"]
            for c in self.containers.values()
            for v in c.get("env") or []
            if v.get("value")
            and (
                re.search(r"(?i)pass|secret|token|key|credential|dsn|cookie", v["name"])
                or looks_like_a_token(v["value"])
            )
        }
        self.literal |= facts.get("withheld") or set()
        self.findings, self.said = [], set()

    def ended(self, *conditions, job=-1):
        """The condition with which a run has ended, the last one or one before."""
        of = (
            (self.facts["jobs"][job].get("status", {}).get("conditions") or [])
            if len(self.facts["jobs"]) >= -job
            else []
        )
        return next((c for c in of if c["type"] in conditions and c["status"] == "True"), None)

    def wanted(self):
        """How many pods there should be."""
        return self.workload["spec"].get(
            "replicas", self.workload.get("status", {}).get("desiredNumberScheduled", 1)
        )

    # Words for people

    def command(self, words, project=True):
        return " ".join(
            [
                self.facts["tool"],
                *map(shlex.quote, self.facts["options"]),
                *(["-n", self.project] if project else []),
                words,
            ]
        )

    def file(self):
        return (
            f"{self.expected['folder']}/{'cronjob' if self.kind == 'CronJob' else 'deployment'}.yaml"
            if self.expected
            else None
        )

    def apply(self):
        # Manifests that name no project go where the login's own one is, which may be another.
        return self.command(
            f"apply -k {shlex.quote(self.expected['folder'])}", project=not self.expected["project"]
        )

    def change(self, what, command=None):
        """The lines that change the workload: in the file, where there is one, else by a command."""
        again = self.restart() if self.kind == "CronJob" and self.facts["jobs"] else []
        if (
            self.kind in ("StatefulSet", "ReplicaSet") and self.broken
        ):  # which do not replace a pod that is not ready
            again = [
                self.command(f"delete pod {' '.join(p['metadata']['name'] for p in self.broken)}")
            ]
        if self.expected:
            return [f"in {self.file()}: {what}", self.apply(), *again]
        if self.kind in ("Job", "Pod"):  # whose specification cannot be changed
            return [
                self.command(f"delete {self.kind.lower()} {self.name}"),
                f"make it again with: {what}",
            ]
        return (
            [self.command(command), *again]
            if command
            else [self.command(f"edit {self.kind.lower()} {self.name}"), f"there: {what}", *again]
        )

    def publish(self):
        return (
            "git push (the workflow publishes the image)"
            if self.expected
            else "build and push the image again"
        )

    def restart(self):
        last = self.facts["jobs"][-1] if self.facts["jobs"] else None
        ended = self.ended("Failed", "Complete")
        if self.kind == "CronJob":
            # One that still tries would run beside the new one.
            return (
                [self.command(f"delete job {last['metadata']['name']}")]
                if last and not ended
                else []
            ) + [
                self.command(
                    f"create job {self.name}-{self.now:%m%d%H%M} --from=cronjob/{self.name}"
                )
            ]
        if self.kind == "Job":  # until it has ended its pod tries again by itself
            return [self.command(f"delete job {self.name}"), "make it again"] if ended else []
        if self.kind == "DeploymentConfig":
            return [self.command(f"rollout latest dc/{self.name}")]
        if self.kind == "Pod":
            return [self.command(f"delete pod {self.name}"), "make it again"]
        if self.kind == "ReplicaSet":
            return [
                self.command(f"delete pod {p['metadata']['name']}")
                for p in self.broken or self.current
            ]
        return (
            [self.command(f"rollout restart {self.kind.lower()}/{self.name}")]
            if self.workload
            else []
        )

    def secret(self, name, replace=False, host="ghcr.io", then=()):
        """The lines that put a new token in the pull secret, leave none in the shell's history, and go on; to be pasted whole."""
        known = (self.facts["secrets"].get(name) or {}).get("registries", {})
        user = (
            self.expected.get("user")
            or next(
                (
                    entry["user"]
                    for place, entry in known.items()
                    if host in place and entry["user"]
                ),
                None,
            )
            or "GITHUB_USER"
        )
        lines = (
            [f"a classic token of {user}, read:packages only: {TOKEN_PAGE}"]
            if host == "ghcr.io"
            else []
        )
        others = [place for place in sorted(known) if place and host not in place and not replace]
        lines += (
            [
                f"{name} has logins for {', '.join(others)}, too; this leaves them out: put them into a secret of their own"
            ]
            if others and any(host in place for place in known)
            else []
        )
        lines += (
            ["in PowerShell: openshift/README.md, step 4, then the last line; else:"]
            if self.expected
            else []
        )
        create = (
            f"create secret docker-registry {name} --docker-server={host} --docker-username={user}"
        )
        commands = [self.command(f"delete secret {name}")] if replace else []
        commands += [
            self.command(f'{create} --docker-password="$GHCR_TOKEN" --dry-run=client -o yaml |'),
            "  " + self.command("apply --server-side --force-conflicts -f -"),
            *then,
        ]
        joined = [
            f"  {command}" + ("" if command.endswith("|") else " &&") for command in commands[:-1]
        ] + [f"  {commands[-1]} )"]
        return [
            *lines,
            "( trap 'stty echo' EXIT; trap 'exit 130' INT",
            "  stty -echo; printf 'Token: '; read -r GHCR_TOKEN; stty echo; echo",
            *joined,
        ]

    def one(self, container):
        """The option of `set resources` that names one container of several."""
        return f" -c {container}" if len(self.containers) > 1 else ""

    def link(self, secret):
        if self.facts["tool"] == "oc":
            return [self.command(f"secrets link {self.account} {secret} --for=pull")]
        links = [*self.links(self.account), secret]
        return [
            self.command(f"patch serviceaccount {self.account} -p ")
            + '\'{"imagePullSecrets":['
            + ",".join(f'{{"name":"{n}"}}' for n in links)
            + "]}'"
        ]

    def logs(self, pod, container, previous=False):
        # Of several pods the tools take one that is ready.
        one = self.kind not in ("CronJob", "Job") and len(self.pods + self.facts["besides"]) == 1
        words = (
            f"logs {self.kind.lower()}/{self.name}" if one else f"logs {pod['metadata']['name']}"
        )
        return self.command(
            words
            + (f" -c {container}" if len(self.containers) > 1 else "")
            + (" --previous" if previous else "")
        )

    def say(self, text, image=None, ours=True):
        """A message of the cluster, bounded, with nothing secret in it; an image's name is not repeated in it. Where it has words of the
        application or its manifest in it (a command, an address, a probe's output), it is not `ours`."""
        # OpenShift adds what the application answered to its probe.
        text, body, answer = (text or "").partition("\nbody:")
        text = re.sub(
            r"\s+",
            " ",
            hide(text, self.literal, ours=ours)
            + (" " + hide(answer, self.literal) if body else ""),
        ).strip()
        if image:
            text = re.sub(rf'(: )?"?{re.escape(image)}"?(?=[: ]|$)', lambda m: m[1] or "it", text)
        return [text if len(text) <= 400 else text[:399] + "…"] if text else []

    def add(self, name, what, why="", mend=(), says=(), warning=False, of=None):
        """Add a finding once; for each container (`of`) of several once, and with its name."""
        assert name in ORDER, name
        if (name, of) in self.said or of is None and self.has(name):
            return
        self.said.add((name, of))
        if of in self.containers and len(self.containers) > 1:
            what = re.sub("^(It|The container)\\b", f"The container {of}", what)
        self.findings.append(Finding(name, what, why, list(mend), list(says), warning))

    def has(self, *names):
        return any(f.name in names for f in self.findings)

    # What several findings ask

    def links(self, account):
        return [
            s["name"]
            for a in self.facts["accounts"] or []
            if a["metadata"]["name"] == account
            for s in a.get("imagePullSecrets") or []
        ]

    def events_of(self, *things, reasons=()):
        uids = {t["metadata"]["uid"] for t in things}
        found = [
            e
            for e in self.events
            if e.get("involvedObject", {}).get("uid") in uids
            and (not reasons or e.get("reason") in reasons)
        ]
        return sorted(found, key=lambda e: e.get("lastTimestamp") or e.get("eventTime") or "")

    def statuses(self, pods):
        """(pod, its container's status) of all containers of these pods."""
        for pod in pods:
            for status in (pod.get("status", {}).get("initContainerStatuses") or []) + (
                pod.get("status", {}).get("containerStatuses") or []
            ):
                yield pod, status


def settled(pod):
    """Whether a pod does its work: it is ready, or has done it."""
    status = pod.get("status", {})
    ready = any(
        c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or []
    )
    return ready or status.get("phase") == "Succeeded"
