"""From facts to findings: what is wrong, why, and the command that mends it, in the order in which to mend. Nothing here asks anybody anything.

Reasons, status codes and fields decide; a sentence is read only where the cluster gives nothing else, and by the words that containerd, CRI-O
and OpenShift have in common."""

import datetime
import difflib
import re
from collections import namedtuple

from dsri_doctor import registry
from dsri_doctor.hide import hide, tail
from dsri_doctor.look import owned, pull_secrets, template_of

Finding = namedtuple("Finding", "name what why mend says warning", defaults=([], [], False))

# The order in which to mend: what stands earlier hides what stands later.
ORDER = """no-tool no-manifests not-logged-in unreachable no-project no-workload publish-denied publish-failed never-published
no-account no-pull-secret pull-secret-missing pull-secret-broken pull-secret-type pull-secret-registry pull-secret-token pull-secret-not-linked
image-name image-missing token-refused image-platform pull-limit registry-unreachable pull-failed
scaled-down paused quota resources-missing maxima security-context pod-refused
claim-missing claim-not-bound volume-not-mounted volume-held no-room not-scheduled
config-missing user-not-numeric evicted out-of-memory exec-format command-missing volume-read-only root-read-only low-port permission
liveness crash job-failed probe-port wrong-port health-path probe-failed rollout-stuck starting
anyuid-lost object-missing service-port service-no-pods route-service route-no-host route-refused mixed-images old-image
token-ends token-too-wide restarted""".split()

REFUSED = re.compile(r"\b40[13]\b|unauthori[sz]ed|\bdenied\b|forbidden|authentication required|invalid username/password|no basic auth", re.IGNORECASE)
MISSING = re.compile(r"\b404\b|not found|manifest unknown|name unknown|manifest_unknown|name_unknown", re.IGNORECASE)
LIMIT = re.compile(r"\b429\b|toomanyrequests|too many requests|rate limit", re.IGNORECASE)
PLATFORM = re.compile(r"no match for platform|no image found in (image index|manifest list)|does not match the specified platform|architecture \S+, variant", re.IGNORECASE)
NETWORK = re.compile(r"no such host|timed? ?out|deadline exceeded|refused|x509|\bEOF\b|unreachable|\b50[0234]\b|server misbehaving", re.IGNORECASE)
PULL = {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError", "InvalidImageName", "SignatureValidationFailed"}

ENDED = ("out-of-memory", "exec-format", "command-missing", "volume-read-only", "root-read-only", "low-port", "permission", "liveness", "crash")
DENIED = r"permission denied|EACCES|PermissionError|errno 13|operation not permitted|EPERM"
READ_ONLY = r"read-only file system|EROFS|errno 30"
LOW_PORT = r"(bind|listen|port)[^\n]*(permission denied|EACCES|errno 13)|permission denied[^\n]*(bind|listen|:\d{2,3}\b)|PermissionError[^\n]*\n?[^\n]*(bind|listen)"
MAXIMA = {"limits": {"cpu": "128", "memory": "512Gi", "ephemeral-storage": "50Gi"}, "requests": {"cpu": "32", "memory": "128Gi"}}
TOKEN_PAGE = "https://github.com/settings/tokens/new?scopes=read:packages"


def amount(quantity):
    """A Kubernetes quantity as a number."""
    match = re.fullmatch(r"([0-9.]+(?:[eE][0-9]+)?)(m|[kKMGTPE]i?)?", str(quantity))
    if not match:
        return 0.0
    suffix = match[2] or ""
    if suffix == "m":
        return float(match[1]) / 1000
    return float(match[1]) * (1024 if suffix.endswith("i") else 1000) ** " KMGTPE".index((suffix or " ")[0].upper())


def when(text):
    """A time as the API writes it, or GitHub's header."""
    match = re.match(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)", text or "")
    return datetime.datetime(*map(int, match.groups()), tzinfo=datetime.timezone.utc) if match else None


class Case:
    """One application's facts, with the names that all findings need."""

    def __init__(self, facts, now=None):
        self.facts, self.now = facts, now or datetime.datetime.now(datetime.timezone.utc)
        self.project, self.name, self.expected = facts["project"], facts["name"], facts["expected"]
        self.workload = facts["workload"]
        self.kind = self.workload["kind"] if self.workload else (self.expected.get("workload") or {}).get("kind", "Deployment")
        self.template = template_of(self.workload or self.expected.get("workload") or {})
        self.account = self.template.get("serviceAccountName") or "default"
        self.containers = {c["name"]: c for c in self.template.get("containers", [])}
        self.pods = [p for p in facts["pods"] if not p["metadata"].get("deletionTimestamp")]
        self.newest = None
        if self.kind == "Deployment" and self.workload:
            revision = self.workload["metadata"].get("annotations", {}).get("deployment.kubernetes.io/revision")
            self.newest = next((s for s in facts["sets"] if s["metadata"].get("annotations", {}).get("deployment.kubernetes.io/revision") == revision), None)
        self.older = [p for p in self.pods if self.newest and not owned([p], self.newest)]
        self.current = [p for p in self.pods if p not in self.older]
        self.broken = [p for p in self.current if not settled(p)]
        self.events = facts["events"] or []
        self.literal = {v["value"] for c in self.containers.values() for v in c.get("env") or []
                        if v.get("value") and re.search(r"(?i)pass|secret|token|key|credential|dsn|cookie", v["name"])}
        self.findings = []

    # Words for people

    def command(self, words, project=True):
        return f"{self.facts['tool']} {f'-n {self.project} ' if project else ''}{words}"

    def file(self):
        return f"{self.expected['folder']}/{'cronjob' if self.kind == 'CronJob' else 'deployment'}.yaml" if self.expected else None

    def apply(self):
        return self.command(f"apply -k {self.expected['folder']}", project=False)

    def change(self, what, command=None):
        """The lines that change the workload: in the file, where there is one, else by a command."""
        if self.expected:
            return [f"in {self.file()}: {what}", self.apply()]
        return [self.command(command)] if command else [self.command(f"edit {self.kind.lower()} {self.name}"), f"there: {what}"]

    def publish(self):
        return "git push (the workflow publishes the image)" if self.expected else "build and push the image again"

    def restart(self):
        if self.kind == "CronJob":
            return [self.command(f"create job {self.name}-{self.now:%m%d%H%M} --from=cronjob/{self.name}")]
        if self.kind == "Job":
            return [self.command(f"delete job {self.name}") + ", then make it again"]
        if self.kind == "DeploymentConfig":
            return [self.command(f"rollout latest dc/{self.name}")]
        return [self.command(f"rollout restart {self.kind.lower()}/{self.name}")] if self.workload else []

    def secret(self, name, replace=False, host="ghcr.io", then=()):
        """The lines that put a new token in the pull secret, leave none in the shell's history, and go on; to be pasted whole."""
        known = (self.facts["secrets"].get(name) or {}).get("registries", {})
        user = self.expected.get("user") or next((entry["user"] for place, entry in known.items() if host in place), None) or "GITHUB_USER"
        lines = [f"a classic token of {user}, read:packages only: {TOKEN_PAGE}"] if host == "ghcr.io" else []
        lines += ["in PowerShell: openshift/README.md, step 4, then the last line; else:"] if self.expected else []
        create = f"create secret docker-registry {name} --docker-server={host} --docker-username={user}"
        commands = [self.command(f"delete secret {name}")] if replace else []
        commands += [self.command(f'{create} --docker-password="$GHCR_TOKEN" --dry-run=client -o yaml |'), "  " + self.command("apply --server-side --force-conflicts -f -"), *then]
        joined = [f"  {command}" + ("" if command.endswith("|") else " &&") for command in commands[:-1]] + [f"  {commands[-1]} )"]
        return [*lines, "( trap 'stty echo' EXIT; trap 'exit 130' INT", "  printf 'Token: '; stty -echo; read -r GHCR_TOKEN; stty echo; echo", *joined]

    def link(self, secret):
        if self.facts["tool"] == "oc":
            return [self.command(f"secrets link {self.account} {secret} --for=pull")]
        links = [*self.links(self.account), secret]
        return [self.command(f"patch serviceaccount {self.account} -p ") + "'{\"imagePullSecrets\":[" + ",".join(f'{{"name":"{n}"}}' for n in links) + "]}'"]

    def logs(self, pod, container, previous=False):
        words = f"logs {pod['metadata']['name']}" if self.kind in ("CronJob", "Job") else f"logs {self.kind.lower()}/{self.name}"
        return self.command(words + (f" -c {container}" if len(self.containers) > 1 else "") + (" --previous" if previous else ""))

    def say(self, text, image=None):
        """A message of the cluster, bounded, with nothing secret in it; an image's name is not repeated in it."""
        text = re.sub(r"\s+", " ", hide(text or "", self.literal, ours=True)).strip()
        if image:
            text = re.sub(rf'(: )?"?{re.escape(image)}"?(?=[: ]|$)', lambda m: m[1] or "it", text)
        return [text if len(text) <= 400 else text[:399] + "…"] if text else []

    def add(self, name, what, why="", mend=(), says=(), warning=False):
        assert name in ORDER, name
        if name not in [f.name for f in self.findings]:
            self.findings.append(Finding(name, what, why, list(mend), list(says), warning))

    def has(self, *names):
        return any(f.name in names for f in self.findings)

    # What several findings ask

    def links(self, account):
        return [s["name"] for a in self.facts["accounts"] or [] if a["metadata"]["name"] == account for s in a.get("imagePullSecrets") or []]

    def events_of(self, *things, reasons=()):
        uids = {t["metadata"]["uid"] for t in things}
        found = [e for e in self.events if e.get("involvedObject", {}).get("uid") in uids and (not reasons or e.get("reason") in reasons)]
        return sorted(found, key=lambda e: e.get("lastTimestamp") or e.get("eventTime") or "")

    def statuses(self, pods):
        """(pod, its container's status) of all containers of these pods."""
        for pod in pods:
            for status in (pod.get("status", {}).get("initContainerStatuses") or []) + (pod.get("status", {}).get("containerStatuses") or []):
                yield pod, status


def settled(pod):
    """Whether a pod does its work: it is ready, or has done it."""
    status = pod.get("status", {})
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or [])
    return ready or status.get("phase") == "Succeeded"


def findings(facts, now=None):
    """All that is wrong, in the order in which to mend it."""
    case = Case(facts, now)
    if not project(case):
        return case.findings
    for look in (workload, publishing, accounts, pull, admission, storage, scheduling, starting, running, jobs, network, image, token_of, unexplained):
        look(case)
    return sorted(case.findings, key=lambda f: (f.warning, ORDER.index(f.name)))


def cannot_look(name, said, tool="oc"):
    """The finding for a cluster that could not be asked."""
    about = {
        "no-tool": ("There is no oc and no kubectl here.", "", ["install oc: the question mark on top of https://console.dsri.unimaas.nl, Command line tools"]),
        "no-manifests": ("The folder openshift cannot be read here.", "Run this in the application's repository, or name it.", ["dsri-doctor --project PROJECT --name NAME"]),
        "not-logged-in": ("You are not logged in, or the login has expired.", "A login ends after some time.", ["https://console.dsri.unimaas.nl: your name, Copy login command; paste it here"]),
        "unreachable": ("The cluster does not answer.", "It is reachable from the university's network and its VPN only.", ["connect to the VPN, then run this again"]),
    }[name]
    said = re.sub(r"\s+", " ", hide(said)).strip()
    return Finding(name, *about, [said[:300]] if said else [])


def project(case):
    """Whether there is a project to look into."""
    unseen = case.facts["project_is"] == "Forbidden" and "deployments" in case.facts["unseen"]
    if case.facts["project_is"] != "NotFound" and not unseen:
        return True
    near = difflib.get_close_matches(case.project, case.facts["others"], 3)
    case.add("no-project", f"There is no project {case.project}, or you have no access to it.", f"You have: {', '.join(near)}." if near else "",
             [case.command(f"new-project {case.project}", project=False) if case.facts["tool"] == "oc" else "make it at https://console.dsri.unimaas.nl, Home, Projects"])
    return False


def workload(case):
    if not case.workload:
        near = difflib.get_close_matches(case.name, case.facts["others"], 3, 0.5)
        case.add("no-workload", f"{case.name} is not deployed in {case.project}.", f"What is there: {', '.join(near or case.facts['others'][:5])}." if case.facts["others"] else "",
                 [case.apply()] if case.expected else [case.command("get deployments,cronjobs,statefulsets")])
        return
    spec = case.workload["spec"]
    if spec.get("replicas") == 0:
        case.add("scaled-down", "It is switched off: it has 0 replicas.", "", [case.command(f"scale {case.kind.lower()}/{case.name} --replicas=1")])
    if case.kind == "Deployment" and spec.get("paused"):
        case.add("paused", "Its rollout is paused: changes wait.", "", [case.command(f"rollout resume deployment/{case.name}")])


def publishing(case):
    """The last publish run, where `gh` tells of it."""
    runs = case.facts["runs"]
    if runs is None:
        return
    if not runs:
        if not case.workload or pull_failures(case):
            case.add("never-published", "The image was never published: the workflow publish.yml has not run.", "", ["git push"])
        return
    last = runs[0]
    if last["conclusion"] == "failure":
        log = last.get("log", "")
        # What was refused by the registry, in one line with its name or the push's: a test's own "permission denied" is none of it.
        if re.search(r"(?i)(ghcr\.io|push|package|container registry)[^\n]*(\bdenied|unauthorized|\b403\b)|(\bdenied|unauthorized|\b403\b)[^\n]*(ghcr\.io|push|package)", log):
            case.add("publish-denied", "The last publish run was not allowed to write the package.", "Actions may not write it, for example because it was first pushed by hand.",
                     ["the package's settings, Manage Actions access: this repository, Write", f"gh run rerun {last['databaseId']} --failed"], tail(log, case.literal, 3))
        else:
            case.add("publish-failed", "The last publish run failed, so what was pushed last is not published.", last["url"],
                     [f"gh run view {last['databaseId']} --log-failed"], tail(log, case.literal, 4))


def accounts(case):
    names = [a["metadata"]["name"] for a in case.facts["accounts"] or []]
    if case.facts["accounts"] is not None and case.template and case.account not in names:
        ask = "ask dsri-support-l@maastrichtuniversity.nl to add the account anyuid to the project"
        case.add("no-account", f"The project has no service account {case.account}.", "No pod is made for an account that is not there.",
                 ([ask] if case.account == "anyuid" else []) + case.change("serviceAccountName: default", f"set serviceaccount {case.kind.lower()}/{case.name} default"))


# Pulling the image

KINDS_OF_REFUSAL = (("platform", PLATFORM), ("limit", LIMIT), ("refused", REFUSED), ("missing", MISSING), ("network", NETWORK))


def pull_failures(case):
    """[(pod, container's status, image, what kind of failure, message)] of containers whose image is not pulled."""
    found = []
    for pod, status in case.statuses(case.current):
        waiting = status.get("state", {}).get("waiting", {})
        if waiting.get("reason") in PULL:
            events = [e.get("message", "") for e in case.events_of(pod, reasons=("Failed", "InspectFailed", "FailedToRetrieveImagePullSecret", "InvalidImageName"))]
            spec = {c["name"]: c for c in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]}
            image = spec.get(status["name"], {}).get("image", status.get("image", ""))
            # What holds now goes before what was said earlier.
            for text in [waiting.get("message", ""), *reversed(events)]:
                kind = next((kind for kind, pattern in KINDS_OF_REFUSAL if pattern.search(without_image(text, image))), None)
                if waiting["reason"] == "InvalidImageName" or re.search(r"[A-Z]", image.partition("@")[0].rpartition(":")[0] or image) or re.search(r"ambiguous list|short-name", text):
                    kind = "name"
                if kind:
                    break
            else:
                text = waiting.get("message", "")
            found.append((pod, status, image, kind, text))
    return found


def without_image(text, image):
    """The message without the image's own name, which may hold any word or number."""
    for word in sorted({image, image.rpartition(":")[0], image.partition("@")[0], "/".join(registry.split(image)[:2]), registry.split(image)[1], registry.split(image)[2]}, key=len, reverse=True):
        if len(word) > 3:
            text = text.replace(word, "")
    return re.sub(r"sha256:[0-9a-f]+", "", text)


def pull(case):
    images = sorted({c.get("image", "") for c in case.containers.values()})
    for image in images:
        check_secrets(case, image)
    for pod, status, image, kind, text in pull_failures(case):
        reason, said = status["state"]["waiting"]["reason"], case.say(text, image)
        if kind == "name":
            name = image.partition("@")[0]
            small = name.lower() if name != name.lower() else "REGISTRY/" + name
            case.add("image-name", f"The image's name is not one that can be pulled: {image}", "Names have no capital letters, and begin with their registry.",
                     case.change(f"image: {small}" + (" (and in kustomization.yaml)" if case.expected else ""), f"set image {case.kind.lower()}/{case.name} {status['name']}={small}"), said)
        elif kind == "platform":
            case.add("image-platform", f"{image} is not built for the cluster's processors.", "DSRI is linux/amd64.", [f"docker build --platform linux/amd64 -t {image.partition('@')[0]} . && docker push {image.partition('@')[0]}"], said)
        elif kind == "limit":
            case.add("pull-limit", f"{registry.split(image)[0]} has answered that there were too many pulls (429).",
                     "DockerHub limits the whole university's pulls together." if registry.split(image)[0] == "docker.io" else "", ["publish the image on ghcr.io, or take it from ghcr.io or quay.io"], said)
        elif kind == "refused":
            refused(case, image, said)
        elif kind == "missing":
            missing(case, image, status["name"], said)
        elif kind == "network":
            case.add("registry-unreachable", f"The cluster does not reach {registry.split(image)[0]}.", "The name may be wrong, or the registry down.", [case.command(f"get events --field-selector involvedObject.name={pod['metadata']['name']}")], said)
        elif text.strip():
            case.add("pull-failed", f"The image {image} is not pulled ({reason}).", "", [case.command(f"describe pod {pod['metadata']['name']}")], said)


def check_secrets(case, image):
    """What can be known of the pull secrets without using them. One that only stands ready for a public image is not a fault."""
    failing = any(broken == image and kind == "refused" for _, _, broken, kind, _ in pull_failures(case))
    host = registry.split(image)[0]
    used, elsewhere = pull_secrets(case.template, case.facts["accounts"])
    # In a project that nothing is deployed in yet, what the manifests name has to be there.
    early = not case.workload and host == "ghcr.io"
    if not failing and not early:
        for name in used:
            suspicious(case, name, image, certain=False)
            if case.facts["secrets"].get(name, "") is None and not case.current and host == "ghcr.io" and case.kind not in ("CronJob", "Job"):
                case.add("pull-secret-missing", f"The project has no secret {name}, which the pod names; a private image needs it.", "", case.secret(name, host=host), warning=True)
        return
    secrets = case.facts["secrets"]
    seen = [n for n in used if n in secrets]
    if not seen and "secrets" not in case.facts["unseen"] and case.facts["accounts"] is not None:
        fit = [(a, s) for a, s in elsewhere if any(registry.serves(place, image) for place in (secrets.get(s) or {}).get("registries", {}))]
        if fit:
            account, secret = fit[0]
            case.add("pull-secret-not-linked", f"The pull secret {secret} is linked to the account {account}; the pod runs as {case.account}.",
                     "A pod takes what it names itself under imagePullSecrets, or else what its own account has.", case.link(secret) + case.restart())
        else:
            name = "github-ghcr-secret"
            case.add("no-pull-secret", f"Neither the pod nor its account {case.account} names a pull secret.", f"{host} has to be shown a token for {image}.",
                     case.secret(name, host=host, then=case.link(name) + case.restart()))
        return
    gone = [n for n in seen if secrets[n] is None]
    if gone and len(gone) == len(seen):
        case.add("pull-secret-missing", f"The project has no secret {gone[0]}, which the pod names to pull its image.", "One in another project does not count.",
                 case.secret(gone[0], host=host, then=case.restart()))
        return
    for name in seen:
        if secrets[name] and any(registry.serves(place, image) for place in secrets[name]["registries"]) and not suspicious(case, name, image, certain=True):
            return
    for name in seen:
        if secrets[name]:
            suspicious(case, name, image, certain=True)


def suspicious(case, name, image, certain):
    """Add what is wrong with a secret by its form; whether there was something. Where pods run without it (`certain` is false), only a
    form that ghcr.io never takes is said, as a warning."""
    secret, host = case.facts["secrets"].get(name), registry.split(image)[0]
    if not secret:
        return False
    entry = next((e for place, e in secret["registries"].items() if registry.serves(place, image)), None)
    if certain and secret.get("type") not in ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"):
        case.add("pull-secret-type", f"The secret {name} is of the type {secret.get('type')}, which no pull looks at.", "A pull secret is made by `create secret docker-registry`.",
                 case.secret(name, replace=True, host=host, then=case.restart()))
        return True
    if certain and (secret.get("broken") or not secret["registries"]):
        case.add("pull-secret-broken", f"The secret {name} holds no login that can be read.", "", case.secret(name, host=host, then=case.restart()))
        return True
    if certain and not entry:
        case.add("pull-secret-registry", f"The secret {name} is for {', '.join(sorted(secret['registries']))}; the image comes from {host}.",
                 "Without --docker-server a secret is for DockerHub." if any("docker.io" in r for r in secret["registries"]) else "", case.secret(name, host=host, then=case.restart()))
        return True
    why = {
        "empty": "The token in it is empty.", "with-spaces": "The token in it has a space or a line's end in it.", "placeholder": "What stands in it is a placeholder.",
        "fine-grained": "The token in it is a fine-grained one, which ghcr.io does not take.", "of-openshift": "The token in it is one of OpenShift's.",
        "of-a-workflow": "The token in it is a workflow's own, which ended with its run.",
    }.get(entry["token"]) if entry and host == "ghcr.io" else None
    if why and (certain or entry["token"] in ("fine-grained", "of-a-workflow")):
        case.add("pull-secret-token", f"The secret {name} has no token that {host} takes.", why, case.secret(name, host=host, then=case.restart() if certain else []), warning=not certain)
        return True
    return False


def asked(case, image):
    return case.facts["registry"].get(image) or {}


def refused(case, image, said):
    """The registry has refused (401, 403): what is wrong with the secret was said, or it is the token itself."""
    if case.has("pull-secret-missing", "pull-secret-not-linked", "no-pull-secret", "pull-secret-type", "pull-secret-registry", "pull-secret-broken", "pull-secret-token"):
        return
    host = registry.split(image)[0]
    names = pull_secrets(case.template, case.facts["accounts"])[0]
    name = next((n for n in names if case.facts["secrets"].get(n)), names[0] if names else "github-ghcr-secret")
    answer, about = asked(case, image), asked(case, image).get("token") or {}
    entry = next((e for place, e in ((case.facts["secrets"].get(name) or {}).get("registries") or {}).items() if registry.serves(place, image)), {})
    user, wanted = entry.get("user"), case.expected.get("user")
    if answer.get("status") == 200:
        why = f"Asked just now with the secret {name}, {host} gives the image: the secret was renewed since."
        case.add("token-refused", f"{host} has refused the pull.", why, case.restart(), said)
        return
    if about.get("status") == 401:
        why = "GitHub says that the token is wrong, has ended or was taken back."
    elif about.get("scopes") is not None and not {"read:packages", "write:packages"} & set(about["scopes"]):
        why = "The token lacks read:packages."
    elif about.get("status") == 200:
        why = f"The token is valid, but may not read {registry.split(image)[1]}: the account lacks access to the package, or the token lacks SSO."
    elif answer.get("without") == 200:
        why = "Without a login the image is given: the token is wrong or has ended. ghcr.io refuses such a token for a public image, too."
    elif answer.get("at") == "login" and answer["status"] in (401, 403):
        why = f"Asked just now, {host} refuses the login itself: the token is wrong, has ended or is fine-grained."
    elif answer.get("at") == "image" and answer["status"] in (401, 403, 404):
        why = f"Asked just now, {host} takes the login and refuses the image: the account lacks access to the package, or the token lacks SSO or read:packages."
    else:
        why = "The token is wrong, has ended, is fine-grained, lacks SSO, or its account may not read this package."
        if not answer:
            why += " (dsri-doctor --registry asks which.)"
    if user and wanted and user.lower() != wanted.lower():
        why += f" The secret's user is {user}; this repository's steps say {wanted}."
    elif user and "@" in user:
        why += " The secret's user is an e-mail address; it should be the account's name."
    if case.facts["runs"] is not None and not any(r["conclusion"] == "success" for r in case.facts["runs"]):
        why += " No publish run has ended well, so there may be no package yet."
    case.add("token-refused", f"{host} refuses the token in the secret {name} for {image}.", why, case.secret(name, host=host, then=case.restart()), said)


def missing(case, image, container, said):
    host, repository, reference = registry.split(image)
    runs = case.facts["runs"]
    mend = [f"gh run list --workflow publish.yml --repo {repository}"] if host == "ghcr.io" else []
    if reference != "latest" and host == "ghcr.io":
        mend.append(case.command(f"set image {case.kind.lower()}/{case.name} {container}={host}/{repository}:latest"))
    why = "It was not published yet, or was cleaned up."
    if runs and runs[0]["status"] != "completed":
        why, mend = "The publish run is under way.", [f"gh run watch {runs[0]['databaseId']} --repo {repository}"]
    elif runs and runs[0]["conclusion"] == "success":
        why = "The last publish run ended well, so the name or the tag is another one, or the image was cleaned up."
    case.add("image-missing", f"{host} has no image {repository}{'@' if reference.startswith('sha256:') else ':'}{reference}.", why, mend, said)


# Making the pod

def admission(case):
    """Pods that the API server refuses."""
    holder = case.newest or (case.facts["jobs"][-1] if case.facts["jobs"] else case.workload)
    if not holder:
        return
    conditions = [c for c in holder.get("status", {}).get("conditions") or [] if c["type"] == "ReplicaFailure" and c["status"] == "True"]
    if case.newest is None and case.kind == "Deployment":
        conditions += [c for c in case.workload.get("status", {}).get("conditions") or [] if c["type"] == "ReplicaFailure" and c["status"] == "True"]
    messages = [c.get("message", "") for c in conditions]
    wanted = holder.get("spec", {}).get("replicas", holder.get("spec", {}).get("parallelism", 1)) or 0
    if not messages and len(case.current) < wanted:
        messages = [e.get("message", "") for e in case.events_of(holder, reasons=("FailedCreate",))[-1:]]
    for text in messages:
        said = case.say(text)
        if re.search(r"exceeded quota", text, re.IGNORECASE):
            quota = re.search(r"exceeded quota: ([\w.-]+)", text)
            case.add("quota", "The project's quota has no room for this pod.", "", [case.command(f"describe quota {quota[1] if quota else ''}").rstrip()]
                     + case.change("smaller resources, or fewer replicas", f"scale {case.kind.lower()}/{case.name} --replicas=1" if case.kind == "Deployment" and wanted > 1 else None), said)
        elif case.has("no-account") and re.search(r"service ?account", text, re.IGNORECASE):
            continue
        elif re.search(r"security context constraint|violates PodSecurity", text, re.IGNORECASE):
            security_context(case, said)
        elif not lacking(case) and re.search(r"\bmaxim(um|a)\b", text, re.IGNORECASE) and not too_much(case):
            case.add("maxima", "A container asks for more than the project allows.", "", case.change("smaller resources"), said)
        elif not lacking(case) and not too_much(case):
            case.add("pod-refused", "The API server refuses the pod.", "", [case.command(f"describe {case.kind.lower()} {case.name}")], said)
        # The server says one thing at a time; what it would say next can be seen in the same manifest.
        if lacking(case):
            default = {"requests": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"}}
            case.add("resources-missing", "The cluster refuses a container that leaves out a request or a limit.", f"Missing: {', '.join(lacking(case))}.",
                     case.change("requests and limits of cpu, memory and ephemeral-storage", set_resources(case, default, lambda part, kind: any(w.startswith(f"{part}.{kind}") for w in lacking(case)))), [] if case.has("security-context") else said)
        if too_much(case):
            case.add("maxima", "A container asks for more than DSRI allows.", "; ".join(too_much(case)) + ".",
                     case.change("no more than the maxima", set_resources(case, MAXIMA, lambda part, kind: any(w.startswith(f"{part}.{kind}") for w in too_much(case)))), [] if case.has("security-context") else said)
        if case.has("resources-missing", "maxima") and case.account != "anyuid" and fixed_users(case):
            security_context(case, [])


def security_context(case, said):
    fixed = fixed_users(case)
    case.add("security-context", "OpenShift refuses the pod's security context.", f"It sets {', '.join(fixed)}." if fixed else "It asks for a fixed user or group, or for privileges.",
             case.change(f"take out {', '.join(fixed) if fixed else 'runAsUser, fsGroup and the like'}") +
             ([] if case.account == "anyuid" else ["or, for an image that needs a fixed user: the account anyuid (ask DSRI's support)"]), said)


def set_resources(case, amounts, wanted):
    """The words of `set resources` for the amounts that are wanted."""
    options = {part: ",".join(f"{kind}={most}" for kind, most in kinds.items() if wanted(part, kind)) for part, kinds in amounts.items()}
    return f"set resources {case.kind.lower()}/{case.name} " + " ".join(f"--{part}={values}" for part, values in options.items() if values)


def fixed_users(case):
    """The fields that fix a user or a group, or ask for privileges."""
    found = []
    for where, context in [("pod", case.template.get("securityContext") or {})] + [(n, c.get("securityContext") or {}) for n, c in case.containers.items()]:
        found += [f"{field} ({where})" for field in ("runAsUser", "runAsGroup", "fsGroup", "supplementalGroups", "seLinuxOptions") if field in context]
        found += [f"{field} ({where})" for field in ("privileged", "allowPrivilegeEscalation") if context.get(field)]
        found += [f"capabilities.add ({where})"] if (context.get("capabilities") or {}).get("add") else []
    return found + [field for field in ("hostNetwork", "hostPID", "hostIPC") if case.template.get(field)]


def lacking(case):
    return [f"{part}.{kind}" + (f" ({name})" if len(case.containers) > 1 else "") for name, c in case.containers.items() for part in ("requests", "limits")
            for kind in ("cpu", "memory", "ephemeral-storage")
            if kind not in (c.get("resources", {}).get(part) or {}) and not (part == "requests" and kind in (c.get("resources", {}).get("limits") or {}))]


def too_much(case):
    return [f"{part}.{kind} is {c['resources'][part][kind]}, at most {most}" for c in case.containers.values() for part, kinds in MAXIMA.items() for kind, most in kinds.items()
            if amount((c.get("resources", {}).get(part) or {}).get(kind, 0)) > amount(most)]


# Storage and a place

def claims_of(case):
    return sorted({v["persistentVolumeClaim"]["claimName"] for v in case.template.get("volumes") or [] if "persistentVolumeClaim" in v})


def storage(case):
    have = {c["metadata"]["name"]: c for c in case.facts["claims"] or []}
    for name in claims_of(case):
        if case.facts["claims"] is None:
            break
        claim = have.get(name)
        if not claim:
            if case.workload:
                case.add("claim-missing", f"The storage {name} is not there: the project has no such PersistentVolumeClaim.", "", [case.apply()] if case.expected else [case.command("get pvc"), f"make the claim {name}, or name another one in the {case.kind}"])
        elif claim.get("status", {}).get("phase") != "Bound" and (case.broken or claim["status"].get("phase") == "Lost"):
            events = [e.get("message", "") for e in case.events_of(claim)][-1:]
            kind = claim["spec"].get("storageClassName")
            why = f"Its class is {kind}; DSRI's is ocs-storagecluster-cephfs." if kind != "ocs-storagecluster-cephfs" else f"It asks for {claim['spec']['resources']['requests']['storage']}."
            recreate = [f"in {case.expected['folder']}/pvc.yaml: storageClassName: ocs-storagecluster-cephfs", case.command(f"delete pvc {name}"), case.apply()] if case.expected else \
                [case.command(f"delete pvc {name}"), "make it again with storageClassName: ocs-storagecluster-cephfs"]
            case.add("claim-not-bound", f"The storage {name} is {claim['status'].get('phase', 'Pending').lower()}: it has no volume.", why,
                     recreate if kind != "ocs-storagecluster-cephfs" else [case.command(f"describe pvc {name}")], case.say(events[0]) if events else [])
    for pod in case.broken:
        for event in case.events_of(pod, reasons=("FailedMount", "FailedAttachVolume")):
            text = event.get("message", "")
            absent = re.search(r'(secret|configmap)s? "([^"]+)" not found', text)
            if absent and not any("running" in s.get("state", {}) for _, s in case.statuses([pod])):
                missing_config(case, absent[1], absent[2], case.say(text))
            elif "Multi-Attach" in text or re.search(r"already (used|exclusively attached)", text):
                case.add("volume-held", "Another pod holds the volume, which only one node may have (ReadWriteOnce).", "With a rolling update the new pod waits for the old one, and the old one for the new one.",
                         case.change("strategy: {type: Recreate}", f"patch deployment {case.name} -p '{{\"spec\":{{\"strategy\":{{\"type\":\"Recreate\",\"rollingUpdate\":null}}}}}}'"), case.say(text))
            elif not any("running" in s.get("state", {}) for _, s in case.statuses([pod])) and not absent:
                case.add("volume-not-mounted", "A volume cannot be mounted.", "A large volume is relabelled at each start, unless its pod has runtimeClassName: selinux." if case.template.get("runtimeClassName") != "selinux" and claims_of(case) else "",
                         [case.command(f"describe pod {pod['metadata']['name']}")], case.say(text))


def scheduling(case):
    for pod in case.broken:
        condition = next((c for c in pod.get("status", {}).get("conditions") or [] if c["type"] == "PodScheduled" and c["status"] == "False"), None)
        if not condition or pod["spec"].get("nodeName"):
            continue
        text = condition.get("message", "")
        if re.search(r"persistentvolumeclaim", text, re.IGNORECASE):
            if not case.has("claim-missing", "claim-not-bound"):
                case.add("claim-not-bound", "The pod waits for its storage.", "", [case.command("describe pvc")], case.say(text))
        elif "Insufficient" in text:
            short = sorted(set(re.findall(r"Insufficient ([\w./-]+)", text)))
            case.add("no-room", f"No node has free what the pod asks for: {', '.join(s.rstrip('.') for s in short)}.", "",
                     ["wait until others end, or:"] + case.change("smaller resources.requests", f"set resources {case.kind.lower()}/{case.name} --requests=cpu=100m,memory=256Mi"), case.say(text))
        else:
            case.add("not-scheduled", "No node takes the pod.", "", [case.command(f"describe pod {pod['metadata']['name']}")], case.say(text))


def missing_config(case, kind, name, said):
    kind = kind.lower()
    make = f"create configmap {name} --from-literal=KEY=VALUE" if kind == "configmap" else f"create secret generic {name} --from-literal=KEY=VALUE"
    step = ["openshift/README.md, step 5, makes it"] if case.expected and name == f"{case.name}-token" else [case.command(make)]
    case.add("config-missing", f"The {'ConfigMap' if kind == 'configmap' else 'Secret'} {name}, which the container names, is not there.", "", step, said)


# Starting and running

def starting(case):
    """Containers that cannot be made, or that end by themselves."""
    for pod, status in case.statuses(case.broken):
        state = status.get("state", {})
        waiting = state.get("waiting", {})
        reason, said = waiting.get("reason", ""), case.say(waiting.get("message"))
        if reason == "CreateContainerConfigError":
            text = waiting.get("message", "")
            absent = re.search(r'(secret|configmap) "([^"]+)" not found', text, re.IGNORECASE) or re.search(r"couldn't find key \S+ in (Secret|ConfigMap) (?:\S+/)?([\w.-]+)", text, re.IGNORECASE)
            if re.search(r"runAsNonRoot|non-numeric|run as root", text):
                case.add("user-not-numeric", "The image's user is root, or a name.", "The cluster has to see from a number that it is not root.", ["in the Dockerfile, before CMD: USER 1001:0", case.publish()], said)
            elif absent:
                missing_config(case, absent[1], absent[2], said)
            else:
                case.add("config-missing", "Something that the container's settings name is not there.", "", [case.command(f"describe pod {pod['metadata']['name']}")], said)
            continue
        if reason in ("CreateContainerError", "RunContainerError"):
            cannot_start(case, pod, status, waiting.get("message", ""), said)
            continue
        ended = state.get("terminated") or status.get("lastState", {}).get("terminated")
        if not ended or "running" in state and ended.get("reason") != "OOMKilled" and not case_loops(status):
            continue
        if ended.get("reason") in ("StartError", "ContainerCannotRun"):
            cannot_start(case, pod, status, ended.get("message", ""), case.say(ended.get("message")))
        elif case.kind in ("CronJob", "Job") and ended.get("exitCode") == 0:
            continue
        else:
            why_it_ended(case, pod, status, ended)
    for pod in case.current:
        if pod.get("status", {}).get("reason") == "Evicted" and (case.broken == case.current or not any(settled(p) for p in case.current)):
            case.add("evicted", "The pod was put off its node.", "", case.change("a higher request for what the message names, or write less to /tmp"), case.say(pod["status"].get("message")))


def case_loops(status):
    return status.get("restartCount", 0) >= 2


def cannot_start(case, pod, status, text, said):
    """The runtime could not begin the container's command."""
    if re.search(r"exec format error", text, re.IGNORECASE):
        exec_format(case, pod, status, said)
    elif re.search(r"no such file|not found", text, re.IGNORECASE):
        command_missing(case, status, said)
    elif re.search(r"permission denied", text, re.IGNORECASE):
        case.add("permission", "The container's command may not be run by any user of group 0.", "", ["in the Dockerfile: RUN chmod +x COMMAND && chgrp -R 0 FOLDER && chmod -R g=u FOLDER", case.publish()], said)
    elif re.search(r"deadline exceeded|timed? ?out", text, re.IGNORECASE) and claims_of(case):
        case.add("volume-not-mounted", "The container is not made in time.", "A large volume is relabelled at each start, unless its pod has runtimeClassName: selinux.",
                 case.change("runtimeClassName: selinux, with the annotation io.kubernetes.cri-o.TrySkipVolumeSELinuxLabel: \"true\""), said)
    else:
        case.add("crash", "The container cannot be started.", "", [case.command(f"describe pod {pod['metadata']['name']}")], said)


def exec_format(case, pod, status, said):
    image = next((c.get("image", "") for n, c in case.containers.items() if n == status["name"]), "IMAGE").partition("@")[0]
    case.add("exec-format", "The image was built for another processor (exec format error).", "DSRI is linux/amd64; a Mac with an M chip builds for arm64. A script without its #! line says the same.",
             ["git push (the workflow builds for linux/amd64)" if case.expected else f"docker build --platform linux/amd64 -t {image} . && docker push {image}"] + case.restart(), said)


def command_missing(case, status, said):
    case.add("command-missing", "The container's command is not in the image.", "A typing error, a file left out by .dockerignore, or Windows line ends in a script.",
             case.change("command", None) if case.containers.get(status["name"], {}).get("command") else ["correct CMD or ENTRYPOINT in the Dockerfile", case.publish()], said)


def why_it_ended(case, pod, status, ended):
    """One container that ended by itself: the first rule that its status or its log shows."""
    name, code = status["name"], ended.get("exitCode")
    container = case.containers.get(name, {})
    log = hide(case.facts["logs"].get(f"{pod['metadata']['name']}/{name}", ""), case.literal)
    said = tail(log, case.literal) or case.say(ended.get("message"))
    show = [case.logs(pod, name, previous="terminated" not in status.get("state", {}))]
    if ended.get("reason") == "OOMKilled":
        limit = container.get("resources", {}).get("limits", {}).get("memory")
        more = double(limit)
        case.add("out-of-memory", f"It took more memory than its limit{f' of {limit}' if limit else ''}, and was ended.", "",
                 case.change(f"resources.limits.memory: {more}, or less in memory", f"set resources {case.kind.lower()}/{case.name} -c {name} --limits=memory={more}"), said[-2:])
    elif re.search(r"exec format error", log, re.IGNORECASE):
        exec_format(case, pod, status, said)
    elif killed_by_probe(case, pod):
        case.add("liveness", "The liveness probe fails, so the cluster ends the container again and again.", "", case.change("livenessProbe: the path and port that it answers on, or more time") + show, case.say(killed_by_probe(case, pod)))
    elif re.search(READ_ONLY, log, re.IGNORECASE):
        read_only(case, container, log, said)
    elif low_ports(container) and re.search(DENIED, log, re.IGNORECASE) or re.search(LOW_PORT, log, re.IGNORECASE):
        case.add("low-port", "It listens on a port below 1024, which only root may.", "",
                 case.change("containerPort and PORT: 8080 (the application has to listen there)"), said)
    elif re.search(DENIED, log, re.IGNORECASE) or code == 126:
        case.add("permission", "It reads or writes what a random user of group 0 may not.", f"It runs as user {pod['spec'].get('securityContext', {}).get('runAsUser', 'of the project')}, group 0.",
                 ["in the Dockerfile: RUN chgrp -R 0 FOLDER && chmod -R g=u FOLDER; HOME and caches below /tmp", case.publish()], said)
    elif code == 127:
        command_missing(case, status, said)
    elif case.kind in ("CronJob", "Job"):
        return
    else:
        what = "It ends by itself, with status 0: a service has to keep running." if code == 0 else f"It ends by itself, with status {code}."
        case.add("crash", what, "Its log says why." if said else "Its log is empty.", show, said)


def double(limit):
    match = re.fullmatch(r"(\d+)([A-Za-z]*)", str(limit or ""))
    return f"{int(match[1]) * 2}{match[2]}" if match else "2Gi"


def low_ports(container):
    return [p["containerPort"] for p in container.get("ports") or [] if p["containerPort"] < 1024] or \
        [v["value"] for v in container.get("env") or [] if v["name"] == "PORT" and str(v.get("value", "")).isdigit() and int(v["value"]) < 1024]


def killed_by_probe(case, pod):
    events = case.events_of(pod, reasons=("Unhealthy",))
    return next((e["message"] for e in events if e.get("message", "").startswith("Liveness")), None)


def read_only(case, container, log, said):
    """Which file system is read-only: the image's, or a volume's."""
    claims = {c["metadata"]["name"]: c for c in case.facts["claims"] or []}
    volumes = {v["name"]: v for v in case.template.get("volumes") or []}
    lines = "\n".join(line for line in log.splitlines() if re.search(READ_ONLY, line, re.IGNORECASE))
    for mount in container.get("volumeMounts") or []:
        claim = volumes.get(mount["name"], {}).get("persistentVolumeClaim")
        fixed = claim and (claims.get(claim["claimName"], {}).get("spec", {}).get("accessModes") == ["ReadOnlyMany"] or claim.get("readOnly"))
        if re.search(rf"{re.escape(mount['mountPath'])}(/|\b)", lines) and (mount.get("readOnly") or fixed or any(k in volumes.get(mount["name"], {}) for k in ("configMap", "secret", "projected"))):
            case.add("volume-read-only", f"It writes to {mount['mountPath']}, which is mounted read-only.", "",
                     case.change("take readOnly: true out of the volume" if mount.get("readOnly") or claim and claim.get("readOnly") else "another volume; this kind cannot be written"), said)
            return
    writable = [m["mountPath"] for m in container.get("volumeMounts") or [] if not m.get("readOnly")]
    case.add("root-read-only", "It writes to its own file system, which is read-only.", f"It may write to {', '.join(writable)}." if writable else "",
             ["let it write there; set HOME and the caches of your tools to a place below /tmp", case.publish()], said)


def running(case):
    """Containers that run, and are not ready."""
    for pod, status in case.statuses(case.broken):
        # One that was just started again, after an end that has its reason, need not answer yet.
        ended = status.get("lastState", {}).get("terminated") and case.has(*ENDED)
        if "running" not in status.get("state", {}) or status.get("ready") or ended:
            continue
        name = status["name"]
        container, ports = case.containers.get(name, {}), case.facts["ports"].get(f"{pod['metadata']['name']}/{name}")
        events = case.events_of(pod, reasons=("Unhealthy", "ProbeError"))
        probes = [container[p] for p in ("startupProbe", "readinessProbe", "livenessProbe") if p in container]
        names = {p.get("name"): p["containerPort"] for p in container.get("ports") or []}
        wanted = [names.get(p, p) for probe in probes for p in [(probe.get("httpGet") or probe.get("tcpSocket") or probe.get("grpc") or {}).get("port")] if p is not None]
        path = next((probe["httpGet"].get("path", "/") for probe in probes if "httpGet" in probe), "/")
        if any(not str(p).isdigit() for p in wanted):
            case.add("probe-port", f"The probe asks the port {next(p for p in wanted if not str(p).isdigit())}, and the container names none so.", "", case.change("the probe's port"))
            continue
        port = int(wanted[0]) if wanted else None
        began = when(status["state"]["running"].get("startedAt"))
        startup = container.get("startupProbe") or {}
        budget = startup.get("periodSeconds", 10) * startup.get("failureThreshold", 3) if startup else 30
        young = began and (case.now - began).total_seconds() < min(budget, 30) and not status.get("restartCount")
        text = events[-1].get("message", "") if events else ""
        code = re.search(r"statuscode: (\d+)", text)
        if code:
            if code[1] in ("404", "405", "301", "302", "308", "401", "403"):
                case.add("health-path", f"The probe's path {path} answers {code[1]}.", "The probe wants a status from 200 to 399, without a login.", case.change(f"the path of the three probes (it is {path})"), case.say(text))
            elif not young:
                case.add("probe-failed", f"The probe's path {path} answers {code[1]}.", "Its log says why.", [case.logs(pod, name)], case.say(text) + tail(case.facts["logs"].get(f"{pod['metadata']['name']}/{name}", ""), case.literal, 4))
        elif ports and port and not any(p == port and not local for p, local in ports) and not young:
            listening = sorted({p for p, _ in ports})
            only_local = any(p == port for p, _ in ports)
            case.add("wrong-port", f"It listens on 127.0.0.1:{port} only, which nothing outside its pod reaches." if only_local else f"It listens on {', '.join(map(str, listening))}; the probe asks {port}.", "",
                     ["let the application listen on 0.0.0.0"] if only_local else [f"let the application listen on {port}, or:"] + case.change(f"containerPort and PORT: {listening[0]}"), case.say(text))
        elif events and not young:
            refusal = re.search(r"refused|no route|reset", text)
            case.add("wrong-port" if refusal else "probe-failed", f"It runs, and nothing answers on port {port}." if refusal else "It runs, and does not answer its probe in time.",
                     "It listens on another port, on 127.0.0.1 only, or has not come so far." if refusal else "", [case.logs(pod, name)],
                     case.say(text) + tail(case.facts["logs"].get(f"{pod['metadata']['name']}/{name}", ""), case.literal, 4))
    for pod, status in case.statuses(case.current):
        last = status.get("lastState", {}).get("terminated")
        ended = when((last or {}).get("finishedAt"))
        if last and status.get("ready") and ended and (case.now - ended).total_seconds() < 86400:
            limit = case.containers.get(status["name"], {}).get("resources", {}).get("limits", {}).get("memory")
            if last.get("reason") == "OOMKilled":
                case.add("out-of-memory", f"It runs, but was ended at {last['finishedAt']} for more memory than its limit of {limit}.", f"Restarts: {status.get('restartCount')}.",
                         case.change(f"resources.limits.memory: {double(limit)}", f"set resources {case.kind.lower()}/{case.name} -c {status['name']} --limits=memory={double(limit)}"), warning=True)
            else:
                case.add("restarted", f"It runs, but ended at {last['finishedAt']} with status {last.get('exitCode')} ({status.get('restartCount')} restarts).", "",
                         [case.logs(pod, status["name"], previous=True)], warning=True)
    seccomp(case)


def seccomp(case):
    """anyuid allows no seccomp profile: a pod that sets one falls to restricted-v2, and to a random user, without a word."""
    if case.account != "anyuid":
        return
    set_in = [n for n, c in [("the pod", case.template), *case.containers.items()] if (c.get("securityContext") or {}).get("seccompProfile")]
    for pod in case.current:
        granted = pod["metadata"].get("annotations", {}).get("openshift.io/scc")
        given = (pod["spec"].get("securityContext") or {}).get("runAsUser")
        random = given is not None and given >= 1_000_000_000 and "runAsUser" not in (case.template.get("securityContext") or {})
        if granted and granted != "anyuid" or not granted and random:
            case.add("anyuid-lost", f"It runs as a random user{f' (SCC {granted})' if granted else ''}, although its account is anyuid.",
                     f"A seccompProfile is set in {', '.join(set_in)}, which anyuid does not allow." if set_in else "Its security context asks for something that anyuid does not allow.",
                     case.change("take out seccompProfile" if set_in else "an empty securityContext") )
            return


def jobs(case):
    if not case.facts["jobs"]:
        return
    job = case.facts["jobs"][-1]
    name = job["metadata"]["name"]
    failed = next((c for c in job.get("status", {}).get("conditions") or [] if c["type"] == "Failed" and c["status"] == "True"), None)
    bad = [(pod, s, s["state"]["terminated"]) for pod, s in case.statuses(case.broken) if s.get("state", {}).get("terminated", {}).get("exitCode")]
    if failed or bad and not case.has("permission", "out-of-memory", "exec-format", "command-missing", "root-read-only", "volume-read-only"):
        shares = job["status"].get("failedIndexes")
        said = tail(case.facts["logs"].get(f"{bad[-1][0]['metadata']['name']}/{bad[-1][1]['name']}", ""), case.literal, 4) if bad else []
        why = f"{failed.get('reason')}: {hide(failed.get('message', ''))}" if failed else f"A pod ended with status {bad[-1][2]['exitCode']}."
        mend = [case.command(f"logs {bad[-1][0]['metadata']['name']}")] if bad else [case.command(f"describe job {name}")]
        case.add("job-failed", f"The run {name} {'has failed' if failed else 'has pods that failed'}{f' (shares {shares})' if shares else ''}.", why, mend + case.restart() if failed else mend, said, warning=not failed)


# From outside

def network(case):
    """The Service and the Route that lead to the pods."""
    labels = {}
    for holder in (case.workload or {}).get("spec", {}), (case.workload or {}).get("spec", {}).get("jobTemplate", {}).get("spec", {}):
        labels = labels or holder.get("template", {}).get("metadata", {}).get("labels") or {}
    services = case.facts["services"] or []
    for kind, name in case.expected.get("objects", []) if case.workload else []:
        have = {"Service": case.facts["services"], "Route": case.facts["routes"]}.get(kind)
        if have is not None and name not in [thing["metadata"]["name"] for thing in have]:
            case.add("object-missing", f"The {kind} {name} is not there.", f"{case.expected['folder']}/ has it; it was deleted, or never applied.", [case.apply()])
    mine = [s for s in services if s["metadata"]["name"] == case.name] or \
        [s for s in services if s["spec"].get("selector") and all(labels.get(k) == v for k, v in s["spec"]["selector"].items())]
    if case.kind in ("CronJob", "Job"):
        mine = []
    for service in mine:
        chosen = service["spec"].get("selector") or {}
        name = service["metadata"]["name"]
        if not chosen or not labels:
            continue
        if not all(labels.get(k) == v for k, v in chosen.items()):
            case.add("service-no-pods", f"The Service {name} leads to no pod of {case.name}.", "Its selector is " + ", ".join(f"{k}={v}" for k, v in chosen.items()) + ", which the pods are not labelled with.",
                     [case.apply()] if case.expected else [case.command(f"edit service {name}")])
            continue
        names = {p.get("name") for c in case.containers.values() for p in c.get("ports") or []}
        numbers = {p["containerPort"] for c in case.containers.values() for p in c.get("ports") or []}
        for port in service["spec"].get("ports") or []:
            target = port.get("targetPort", port["port"])
            if isinstance(target, str) and target not in names or isinstance(target, int) and numbers and target not in numbers:
                case.add("service-port", f"The Service {name} leads to the port {target}, which the container does not have.", f"It has {', '.join(str(n) for n in sorted(numbers))}.",
                         ["in openshift/service.yaml: targetPort: http", case.apply()] if case.expected else [case.command(f"edit service {name}")])
    # A Route of the same name, or to a Service that leads here.
    for route in case.facts["routes"] or []:
        name, to = route["metadata"]["name"], route["spec"].get("to", {}).get("name")
        if name != case.name and to not in [s["metadata"]["name"] for s in mine]:
            continue
        service = next((s for s in services if s["metadata"]["name"] == to), None)
        target = route["spec"].get("port", {}).get("targetPort")
        entries = [c for i in route.get("status", {}).get("ingress") or [] for c in i.get("conditions") or [] if c["type"] == "Admitted"]
        age = (case.now - (when(route["metadata"].get("creationTimestamp")) or case.now)).total_seconds()
        no = next((c for c in entries if c["status"] == "False"), None)
        if case.facts["services"] is not None and not service:
            case.add("route-service", f"The Route {name} leads to the Service {to}, which is not there.", "", [case.apply()] if case.expected else [case.command(f"edit route {name}")])
        elif service and target is not None and target not in [v for p in service["spec"].get("ports") or [] for v in (p.get("name"), p["port"], p.get("targetPort"))]:
            case.add("service-port", f"The Route {name} leads to the port {target}, which the Service {to} does not have.", "", [case.apply()] if case.expected else [case.command(f"edit route {name}")])
        if no and not any(c["status"] == "True" for c in entries):
            case.add("route-refused", f"The router does not take the Route {name} ({no.get('reason')}).", "Another Route has this host: leave host out, and the cluster gives one." if no.get("reason") == "HostAlreadyClaimed" else "",
                     [case.command(f"delete route {name}"), case.apply() if case.expected else case.command(f"create route edge {name} --service={to}")], case.say(no.get("message")))
        elif not route["spec"].get("host") and age > 10:
            case.add("route-no-host", f"The Route {name} has no host, so there is no address.", "The cluster gives one when a Route is made without; its first label, route and project together, holds 63 characters.",
                     [case.command(f"delete route {name}"), case.apply() if case.expected else case.command(f"create route edge {name} --service={to}")])


# Which image

def digests_of(pods):
    """{container: {digest}} that these pods run."""
    found = {}
    for pod in pods:
        for status in pod.get("status", {}).get("containerStatuses") or []:
            match = re.search(r"sha256:[0-9a-f]{64}", status.get("imageID") or "")
            if match and status.get("ready"):
                found.setdefault(status["name"], set()).add(match[0])
    return found


def others_name(pods, name, image_):
    """Whether a node gives the image under another repository's name, as it does where both have the same content."""
    ids = [s.get("imageID") or "" for p in pods for s in p["status"].get("containerStatuses") or [] if s["name"] == name]
    return any(registry.split(re.sub(r"^.*://", "", i))[:2] != registry.split(image_)[:2] for i in ids)


def image(case):
    """Whether what runs is what was published last."""
    ready = [p for p in case.current if settled(p)]
    if case.kind in ("CronJob", "Job") or not ready:
        return
    if case.older and case.broken and not case.findings:
        return
    for name, running_ in digests_of(ready).items():
        image_ = case.containers.get(name, {}).get("image", "")
        answer, pods_differ, shown = asked(case, image_), len(running_) > 1, sorted(running_)[0][:19]
        if answer.get("status") not in (None, 200):
            case.add("token-refused" if answer["status"] in (401, 403) else "image-missing", f"It runs, but would not start again: {registry.split(image_)[0]} answers {answer['status']} for {image_}.",
                     "Asked just now with the secret's own credentials." if answer.get("secret") else "Asked just now without a login: no secret is for this registry.",
                     case.secret(answer.get("secret") or "github-ghcr-secret", host=registry.split(image_)[0]) if answer["status"] in (401, 403) else ["git push"], warning=True)
        published, newest = answer.get("digests"), (answer.get("newest") or {}).get("digests")
        running_ |= {d for digest in list(running_) for d in answer.get("running", {}).get(digest, [])}
        elsewhere = others_name(ready, name, image_) and not any(answer.get("running", {}).values())
        if published and not running_ & set(published) and "@" not in image_ and not elsewhere:
            case.add("old-image", f"An older image runs: {registry.split(image_)[2]} is now another one.", f"{shown} runs, {published[0][:19]} is published." + pulls(case, name), case.restart(), warning=True)
        elif newest and not running_ & set(newest) and not elsewhere:
            case.add("old-image", "An older image runs than the newest one published.", f"It is pinned to {shown}; latest is {newest[0][:19]}.",
                     ["the publish run's summary has the command (gh run view)"], warning=True)
        if pods_differ and not others_name(ready, name, image_):
            case.add("mixed-images", "Its pods run different images.", "They were started before and after a publish." + pulls(case, name), case.restart(), warning=True)
        if answer or "@" in image_:
            continue
        done = next((when(r["updatedAt"]) for r in case.facts["runs"] or [] if r["conclusion"] == "success"), None)
        began = min((when(p["status"].get("startTime")) for p in ready), default=None)
        if done and began and done > began:
            case.add("old-image", "A newer image was published after its pods started.", f"Published {done:%Y-%m-%d %H:%M}, started {began:%Y-%m-%d %H:%M} (UTC)." + pulls(case, name), case.restart(), warning=True)


def pulls(case, name):
    policy = case.containers.get(name, {}).get("imagePullPolicy")
    return " With imagePullPolicy: IfNotPresent a node keeps the image it has: pin a digest, or use Always." if policy == "IfNotPresent" else ""


def token_of(case):
    """What GitHub says of the token, when it was asked."""
    for image_, answer in case.facts["registry"].items():
        about, name = answer.get("token") or {}, answer.get("secret")
        ends = when(about.get("ends"))
        if about.get("status") == 200 and ends and (ends - case.now).days < 30:
            days = (ends - case.now).days
            case.add("token-ends", f"The token in {name} ends {'in ' + str(days) + ' days' if days > 0 else 'today'}, on {ends:%Y-%m-%d}.", "Running pods keep running; the next pull fails.", case.secret(name), warning=True)
        wide = sorted(set(about.get("scopes") or []) - {"read:packages"})
        if about.get("status") == 200 and wide:
            case.add("token-too-wide", f"The token in {name} may more than read packages: {', '.join(wide)}.", "Who reads the project's secrets can use it.", case.secret(name), warning=True)


def unexplained(case):
    """What is not well and has no reason yet."""
    if case.findings and not all(f.warning for f in case.findings):
        return
    if not case.workload or case.kind in ("CronJob", "Job"):
        return
    status = case.workload.get("status", {})
    wanted = case.workload["spec"].get("replicas", 1)
    late = next((c for c in status.get("conditions") or [] if c["type"] == "Progressing" and c.get("reason") == "ProgressDeadlineExceeded"), None)
    well = [p for p in case.current if settled(p)]
    if late:
        case.add("rollout-stuck", "The rollout does not come to its end.", "", [case.command(f"rollout undo deployment/{case.name}"), case.command(f"describe deployment {case.name}")], case.say(late.get("message")))
    elif len(well) < wanted or case.older:
        case.add("starting", f"It is starting: {len(well)} of {wanted} pods are ready" + (f", {len(case.older)} of the release before still run." if case.older else "."), "",
                 [case.command(f"rollout status {case.kind.lower()}/{case.name}")])


def running_still(facts):
    """What still answers while the newest release does not: the release before."""
    case = Case(facts)
    return [p for p in case.older if settled(p)] if case.broken or case.newest and not case.current else []

