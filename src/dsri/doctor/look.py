"""Reads all that the findings need, in one pass: the cluster through `oc` or `kubectl`, the workflow through `gh`, the registry when asked."""

import json
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dsri.doctor import registry
from dsri.doctor.hide import looks_like_a_token
from dsri.doctor.pull_secret import decoded, withheld

# Where each kind that may run the application is found, and where it keeps what its pods are.
KINDS = {
    "Deployment": ("/apis/apps/v1", "deployments"),
    "CronJob": ("/apis/batch/v1", "cronjobs"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
    "Job": ("/apis/batch/v1", "jobs"),
    "DeploymentConfig": ("/apis/apps.openshift.io/v1", "deploymentconfigs"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "Pod": ("/api/v1", "pods"),
}
LISTS = {
    "accounts": ("/api/v1", "serviceaccounts"),
    "claims": ("/api/v1", "persistentvolumeclaims"),
    "services": ("/api/v1", "services"),
    "routes": ("/apis/route.openshift.io/v1", "routes"),
    "events": ("/api/v1", "events?fieldSelector=type%3DWarning"),
}
SLOW = 10  # seconds that one question may take; the tools themselves wait for minutes
# (the finding, what a tool says that got no answer from the cluster); the first one that fits.
NO_ANSWER = (
    (
        "not-logged-in",
        r"incomplete configuration|localhost:8080|no configuration|Username|error: EOF",
    ),
    (
        "bad-config",
        r"error loading config|unable to read|Error in configuration|current-context|context .* does not exist|no context|getting credentials",
    ),
    ("unreachable", r"timed? ?out|deadline exceeded"),
)


class CannotLook(Exception):
    """Why nothing can be said: (the finding's name, what was said)."""


def run(*command, text=None, seconds=SLOW):
    """(exit status, output, error) of a command; one that is not there, or too slow, has failed."""
    try:
        # With no input of its own a tool asks for a user name in the terminal, and waits.
        done = subprocess.run(
            command,
            input=text or "",
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 127, "", str(error)
    return done.returncode, done.stdout, done.stderr


class Cluster:
    """The questions that are asked of the API server; only reading ones."""

    def __init__(self, tool, options=()):
        self.tool, self.options = tool, list(options)

    def raw(self, path):
        """(what is there, None), or (None, why not): NotFound, Forbidden, or what else the server says."""
        status, said, error = run(
            self.tool, *self.options, "get", f"--request-timeout={SLOW - 2}s", "--raw", path
        )
        if status == 0:
            return said, None
        reason = re.search(r"Error from server \((\w+)\)", error)
        if "system:anonymous" in error or re.search(
            r"Unauthorized|must be logged in|provide credentials|token (has )?expired|No valid credentials",
            error,
            re.IGNORECASE,
        ):
            raise CannotLook("not-logged-in", error)
        if "could not find the requested resource" in error:
            return None, "NoSuchKind"
        if reason:
            return None, reason[1]
        name = next(
            (name for name, pattern in NO_ANSWER if re.search(pattern, error, re.IGNORECASE)),
            "no-tool" if status == 127 else "unreachable",
        )
        # The tools do not say that it was a proxy which they did not reach.
        proxy = name == "unreachable" and (
            os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
        )
        raise CannotLook(name, error + " HTTPS_PROXY is set." if proxy else error)

    def get(self, path):
        said, why = self.raw(path)
        try:
            return (json.loads(said) if said else None), why
        except ValueError as error:
            raise CannotLook("unreachable", "What answers is no Kubernetes API.") from error


def tool_named(wanted):
    """The path of the tool that asks the cluster."""
    for name in [wanted] if wanted else ["oc", "kubectl"]:
        path = shutil.which(name)
        if path:
            return path
    raise CannotLook("no-tool", f"{wanted or 'oc or kubectl'} is not on PATH")


def manifests(tool, folder):
    """The objects that `apply -k FOLDER` would send; `label` only turns them into JSON, and asks no cluster."""
    status, text, error = run(tool, "kustomize", str(folder))
    if status == 0:
        status, text, error = run(
            tool, "label", "--local", "-f", "-", "-o", "json", "none-such-", text=text
        )
    if status:
        raise CannotLook("no-manifests", error or text)
    objects, decoder, text = [], json.JSONDecoder(), text[text.index("{") :]
    while text:
        found, end = decoder.raw_decode(text)
        objects += found["items"] if found["kind"] == "List" else [found]
        text = text[end:].lstrip()
    return objects


def pod_of(workload):
    """The pod, with its labels, that a Deployment, CronJob, ... makes; a Pod is its own."""
    spec = workload.get("spec", {})
    return (
        workload
        if workload.get("kind") == "Pod"
        else spec.get("jobTemplate", {}).get("spec", spec).get("template", {})
    )


def template_of(workload):
    """The pod's specification of a Deployment, CronJob, ..."""
    return pod_of(workload).get("spec", {})


def repository(tool, folder, name=None):
    """What a repository says that should run: its project, the workload called `name`, or its own, all its objects' names,
    and the user of the printed steps."""
    objects = manifests(tool, folder)
    workloads = [o for o in objects if o["kind"] in KINDS]
    if not workloads:
        raise CannotLook("no-manifests", f"{folder} has no workload: no {', '.join(KINDS)}")
    # Its own has a container called as what the kustomization calls everything a part of; an overlay may have renamed the rest.
    workload = min(
        workloads,
        key=lambda o: (
            o["metadata"]["name"] != name,
            o["metadata"].get("labels", {}).get("app.kubernetes.io/part-of")
            not in [c["name"] for c in template_of(o).get("containers", [])],
        ),
    )
    readme = Path(folder) / "README.md"
    user = (
        re.search(
            r"--docker-username=([\w-]+)", readme.read_text(encoding="utf-8", errors="replace")
        )
        if readme.is_file()
        else None
    )
    return {
        "project": workload["metadata"].get("namespace"),
        "name": workload["metadata"]["name"],
        "user": user[1] if user and not looks_like_a_token(user[1]) else None,
        "folder": Path(folder).as_posix(),
        "workload": workload,
        "others": [o["metadata"]["name"] for o in workloads if o is not workload],
        "objects": [[o["kind"], o["metadata"]["name"]] for o in objects],
    }


def owned(items, owner):
    return [
        i
        for i in items
        if any(
            r.get("uid") == owner["metadata"]["uid"]
            for r in i["metadata"].get("ownerReferences", [])
        )
    ]


def selector(labels):
    return "labelSelector=" + "%2C".join(
        f"{k.replace('/', '%2F')}%3D{v}" for k, v in sorted(labels.items())
    )


def runs_of(repository_name):
    """The last publish runs on GitHub, newest first, as `gh` tells; None where it cannot."""
    if not repository_name or not shutil.which("gh"):
        return None
    status, text, _ = run(
        "gh",
        "run",
        "list",
        "--repo",
        repository_name,
        "--workflow",
        "publish.yml",
        "--limit",
        "10",
        "--json",
        "databaseId,status,conclusion,event,updatedAt,url",
        seconds=8,
    )
    if status:
        return None
    runs = [r for r in json.loads(text) if r["event"] != "pull_request"]
    if runs and runs[0]["conclusion"] == "failure":
        runs[0]["log"] = run(
            "gh",
            "run",
            "view",
            str(runs[0]["databaseId"]),
            "--repo",
            repository_name,
            "--log-failed",
            seconds=10,
        )[1][-20000:]
    return runs


def failing(pod):
    """[(container, whether its log before the last start is wanted)] of a pod's containers that do not do their work."""
    found = []
    for status in (pod.get("status", {}).get("initContainerStatuses") or []) + (
        pod.get("status", {}).get("containerStatuses") or []
    ):
        state, last = status.get("state", {}), status.get("lastState", {})
        if (
            status.get("ready")
            or state.get("terminated", {}).get("exitCode") == 0
            and pod["status"].get("phase") == "Succeeded"
        ):
            continue
        if "terminated" in state or "running" in state and not last.get("terminated"):
            found.append((status["name"], False))
        elif last.get("terminated"):
            found.append((status["name"], True))
    return found


def read_ports(text):
    """[(port, whether only this pod itself reaches it)] out of /proc/net/tcp and tcp6."""
    found = set()
    for line in text.splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[3] == "0A":
            address, _, port = fields[1].partition(":")
            found.add((int(port, 16), address in ("0100007F", "00000000000000000000000001000000")))
    return sorted(found)


def look(tool, project, name, options=(), expected=None, ask_registry=False, github=True):
    """All facts about one application."""
    cluster, within = Cluster(tool, options), f"namespaces/{project}"
    facts = {
        "tool": Path(tool).stem,
        "options": list(options),
        "project": project,
        "name": name,
        "expected": expected or {},
        "unseen": [],
        "workload": None,
        "logs": {},
        "ports": {},
        "secrets": {},
        "used": [],
        "registry": {},
        "runs": None,
        "pods": [],
        "sets": [],
        "jobs": [],
        "others": [],
        "besides": [],
        "there": {},
        "policies": [],
        "ending": None,
        "withheld": set(),
        **dict.fromkeys(LISTS),
    }
    with ThreadPoolExecutor(8) as pool:
        guess = image_repository(expected["workload"]) if expected else None
        runs = pool.submit(runs_of, guess) if github and guess else None
        there = pool.submit(cluster.get, f"/api/v1/{within}")
        # Nearly always it is the first kind; the others are asked for where it is not.
        first = expected["workload"]["kind"] if expected else "Deployment"
        asked = {first: pool.submit(cluster.get, address(first, within, name))}
        lists = {
            key: pool.submit(cluster.get, f"{api}/{within}/{plural}")
            for key, (api, plural) in LISTS.items()
        }
        namespace, facts["project_is"] = there.result()
        if facts["project_is"] == "NoSuchKind":
            raise CannotLook("unreachable", "What answers is no Kubernetes API.")
        if facts["project_is"] not in (None, "NotFound", "Forbidden"):
            raise CannotLook("cluster-unwell", f"It answers {facts['project_is']}.")
        if (namespace or {}).get("status", {}).get("phase") == "Terminating":
            facts["ending"] = [
                c.get("message", "")
                for c in namespace["status"].get("conditions") or []
                if c["status"] == "True"
            ]
        if facts["project_is"] == "NotFound":
            facts["others"] = projects(cluster)
            return facts
        if not asked[first].result()[0]:
            asked.update(
                {
                    kind: pool.submit(cluster.get, address(kind, within, name))
                    for kind in KINDS
                    if kind != first
                }
            )
        refusals = []
        for kind, answer in asked.items():
            thing, why = answer.result()
            if thing and not facts["workload"]:
                facts["workload"] = {**thing, "kind": kind}
            elif why == "Forbidden" and kind == "Deployment":
                facts["unseen"].append("deployments")
            elif why not in (None, "NotFound", "NoSuchKind", "Forbidden"):
                refusals.append(why)
        if refusals and not facts["workload"]:
            raise CannotLook("cluster-unwell", f"It answers {refusals[0]}.")
        # A pod's name, as `get pods` shows it, stands for what made it.
        while (facts["workload"] or {}).get("kind") in ("Pod", "ReplicaSet"):
            owner = next(
                (
                    r
                    for r in facts["workload"]["metadata"].get("ownerReferences") or []
                    if r.get("controller") and r["kind"] in KINDS
                ),
                None,
            )
            thing = cluster.get(address(owner["kind"], within, owner["name"]))[0] if owner else None
            if not thing:
                break
            facts["workload"] = {**thing, "kind": owner["kind"]}
            facts["name"] = owner["name"]
        for key, answer in lists.items():
            thing, why = answer.result()
            facts[key] = (
                [
                    {
                        **i,
                        "metadata": {
                            k: v for k, v in i["metadata"].items() if k != "managedFields"
                        },
                    }
                    for i in thing["items"]
                ]
                if thing
                else None
            )
            if why and not (key == "routes" and why in ("NoSuchKind", "Forbidden")):
                facts["unseen"].append(key)
        # Who may see nothing in a project is told so for one that is not there, too.
        if "deployments" in facts["unseen"] and facts["project_is"] == "Forbidden":
            facts["others"] = projects(cluster)
            return facts
        workload = facts["workload"]
        if not workload:
            answers = [
                pool.submit(cluster.get, f"{KINDS[kind][0]}/{within}/{KINDS[kind][1]}")
                for kind in ("Deployment", "CronJob", "StatefulSet")
            ]
            facts["others"] = sorted(
                i["metadata"]["name"]
                for a in answers
                if a.result()[0]
                for i in a.result()[0]["items"]
            )
            template = template_of(expected["workload"]) if expected else {}
        else:
            template = template_of(workload)
            pods_of(cluster, pool, within, facts)
        if github and not runs and workload:
            runs = pool.submit(runs_of, image_repository(workload))
        logins = read_secrets(cluster, pool, within, facts, template)
        read_logs(cluster, pool, within, facts)
        if any(p.get("status", {}).get("phase") == "Pending" for p in facts["pods"]):
            facts["there"] = there_are(cluster, pool, within, template)
        if ask_registry:
            facts["registry"] = registry.ask(facts, template, logins)
        facts["runs"] = runs.result() if runs else None
    return facts


def address(kind, within, name):
    api, plural = KINDS[kind]
    return f"{api}/{within}/{plural}/{name}"


def projects(cluster):
    """The projects that this user may see, on OpenShift."""
    found, _ = cluster.get("/apis/project.openshift.io/v1/projects")
    return sorted(p["metadata"]["name"] for p in found["items"]) if found else []


def image_repository(workload):
    """owner/name on GitHub of an image on ghcr.io."""
    for container in template_of(workload).get("containers", []):
        match = re.match(
            r"ghcr\.io/([\w.-]+/[\w.-]+?)([:@]|$)", container.get("image", ""), re.IGNORECASE
        )
        if match:
            return match[1]
    return None


def pods_of(cluster, pool, within, facts):
    """The pods of the workload, and what stands between."""
    workload = facts["workload"]
    if workload["kind"] in ("CronJob", "Job"):
        if workload["kind"] == "CronJob":
            jobs, _ = cluster.get(f"/apis/batch/v1/{within}/jobs")
            facts["jobs"] = (
                sorted(
                    owned(jobs["items"], workload), key=lambda j: j["metadata"]["creationTimestamp"]
                )
                if jobs
                else []
            )
        else:
            facts["jobs"] = [workload]
        if not facts["jobs"]:
            return
        labels = {"batch.kubernetes.io/job-name": facts["jobs"][-1]["metadata"]["name"]}
    else:
        chosen = workload["spec"].get("selector", {})
        labels = chosen if workload["kind"] == "DeploymentConfig" else chosen.get("matchLabels", {})
    wanted = (
        {"pods": f"/api/v1/{within}/pods?{selector(labels)}"} if workload["kind"] != "Pod" else {}
    )
    facts["pods"] = [workload] if workload["kind"] == "Pod" else []
    if leading(facts["services"], pod_of(workload).get("metadata", {}).get("labels") or {}):
        wanted["policies"] = f"/apis/networking.k8s.io/v1/{within}/networkpolicies"
    if workload["kind"] == "Deployment":
        wanted["sets"] = f"/apis/apps/v1/{within}/replicasets?{selector(labels)}"
    for key, answer in {
        key: pool.submit(cluster.get, path) for key, path in wanted.items()
    }.items():
        thing, why = answer.result()
        if why not in (None, "Forbidden"):
            raise CannotLook("cluster-unwell", f"It answers {why}.")
        if why:
            facts["unseen"].append(key)
        facts[key] = thing["items"] if thing else []
    if workload["kind"] == "Deployment":
        facts["sets"] = owned(facts["sets"], workload)
    # Another application may have the same labels; what owns no pod here (a DeploymentConfig, what may not be read) keeps them all.
    owners = (
        facts["sets"]
        if workload["kind"] == "Deployment"
        else [workload]
        if workload["kind"] in ("StatefulSet", "DaemonSet", "ReplicaSet")
        else []
    )
    if owners:
        mine = [pod for owner in owners for pod in owned(facts["pods"], owner)]
        facts["besides"], facts["pods"] = [p for p in facts["pods"] if p not in mine], mine


def pull_secrets(template, accounts):
    """(the pull secrets of a pod: those that it names, else its account's; [(account, secret)] of other accounts), without OpenShift's own."""
    linked = [
        (a["metadata"]["name"], s["name"])
        for a in accounts or []
        for s in a.get("imagePullSecrets") or []
        if not re.search(r"-dockercfg-[a-z0-9]{5}$", s["name"])
    ]
    mine = template.get("serviceAccountName") or "default"
    named = [s["name"] for s in template.get("imagePullSecrets") or []]
    return named or [s for a, s in linked if a == mine], [(a, s) for a, s in linked if a != mine]


def read_secrets(cluster, pool, within, facts, template):
    """Only pull secrets are read: those that the pods name, else their account's, else other accounts'. Their tokens are not kept in the facts."""
    facts["used"], elsewhere = pull_secrets(template, facts["accounts"])
    names, logins = facts["used"] or [secret for _, secret in elsewhere], {}
    answers = {
        n: pool.submit(cluster.get, f"/api/v1/{within}/secrets/{n}") for n in dict.fromkeys(names)
    }
    for name, answer in answers.items():
        secret, why = answer.result()
        if secret:
            facts["secrets"][name], logins[name] = decoded(secret)
            facts["withheld"] |= withheld(logins[name])
        elif why == "NotFound":
            facts["secrets"][name] = None
        elif "secrets" not in facts["unseen"]:
            facts["unseen"].append("secrets")
    return logins


def named(template):
    """[(secret or configmap, name, its keys)] that a pod needs to start."""
    found = {}

    def needs(kind, entry, key="name"):
        if entry and entry.get(key) and not entry.get("optional"):
            found.setdefault((kind, entry[key]), []).extend(
                [entry["key"]] if "key" in entry else [i["key"] for i in entry.get("items") or []]
            )

    for container in (template.get("initContainers") or []) + template.get("containers", []):
        for source in container.get("envFrom") or []:
            needs("secret", source.get("secretRef"))
            needs("configmap", source.get("configMapRef"))
        for variable in container.get("env") or []:
            needs("secret", variable.get("valueFrom", {}).get("secretKeyRef"))
            needs("configmap", variable.get("valueFrom", {}).get("configMapKeyRef"))
    for volume in template.get("volumes") or []:
        needs("secret", volume.get("secret"), "secretName")
        for source in [volume, *volume.get("projected", {}).get("sources", [])]:
            needs("secret", source.get("secret"))
            needs("configmap", source.get("configMap"))
    return [(kind, name, list(dict.fromkeys(keys))) for (kind, name), keys in found.items()]


def there_are(cluster, pool, within, template):
    """{(secret or configmap, name): whether it is there}, as far as that may be known, of those that a pod names; nothing in them is kept."""
    answers = {
        (kind, name): pool.submit(cluster.raw, f"/api/v1/{within}/{kind}s/{name}")
        for kind, name, _ in named(template)
    }
    return {
        thing: answer.result()[1] is None
        for thing, answer in answers.items()
        if answer.result()[1] in (None, "NotFound")
    }


def read_logs(cluster, pool, within, facts, most=4):
    """The logs of containers that fail; of one that runs and does not answer, the ports that it listens on, too."""
    wanted, ports = {}, {}
    pods = sorted(
        (p for p in facts["pods"] if not p["metadata"].get("deletionTimestamp")),
        key=lambda p: p["metadata"]["creationTimestamp"],
        reverse=True,
    )
    for pod in pods:
        for container, previous in failing(pod):
            if len(wanted) < most:
                place, key = (
                    f"/api/v1/{within}/pods/{pod['metadata']['name']}",
                    f"{pod['metadata']['name']}/{container}",
                )
                wanted[key] = pool.submit(
                    log, cluster, f"{place}/log?container={container}&tailLines=80", previous
                )
                statuses = {s["name"]: s for s in pod["status"].get("containerStatuses") or []}
                if "running" in statuses.get(container, {}).get("state", {}):
                    ports[key] = pool.submit(
                        listening, cluster, within, pod["metadata"]["name"], container
                    )
    for pod, container in unproven(facts)[:1]:
        ports[f"{pod}/{container}"] = pool.submit(listening, cluster, within, pod, container)
    facts["logs"] = {key: answer.result() for key, answer in wanted.items()}
    facts["ports"] = {key: answer.result() for key, answer in ports.items()}


def leading(services, labels):
    """The Services that lead to pods with these labels."""
    return [
        s
        for s in services or []
        if s["spec"].get("selector")
        and all(labels.get(k) == v for k, v in s["spec"]["selector"].items())
    ]


def target_of(port, containers):
    """The number of the port that a Service's port leads to; None for a name that no container has."""
    target = port.get("targetPort", port["port"])
    return (
        target
        if isinstance(target, int)
        else next(
            (
                p["containerPort"]
                for c in containers
                for p in c.get("ports") or []
                if p.get("name") == target
            ),
            None,
        )
    )


def unproven(facts):
    """[(pod, container)] of ready pods that a Service leads to at a port which no readiness probe has asked."""
    if not facts["workload"] or facts["workload"]["kind"] in ("CronJob", "Job"):
        return []
    containers = template_of(facts["workload"]).get("containers", [])
    probes = [((c.get("readinessProbe") or {}), c.get("ports") or []) for c in containers]
    asked = {
        target_of(
            {
                "port": 0,
                "targetPort": (p.get("httpGet") or p.get("tcpSocket") or {}).get("port", 0),
            },
            [{"ports": ports}],
        )
        for p, ports in probes
    }
    targets = {
        target_of(port, containers)
        for s in leading(
            facts["services"], pod_of(facts["workload"]).get("metadata", {}).get("labels") or {}
        )
        for port in s["spec"].get("ports") or []
        if port.get("protocol", "TCP") == "TCP"
    }
    if not targets - asked - {None}:
        return []
    return [
        (p["metadata"]["name"], containers[0]["name"])
        for p in facts["pods"]
        if not p["metadata"].get("deletionTimestamp")
        and all(s.get("ready") for s in p["status"].get("containerStatuses") or [{}])
    ]


def log(cluster, path, previous):
    """The log before the last start, if there is one, else the present one."""
    for address in [path + "&previous=true", path] if previous else [path]:
        said, _ = cluster.raw(address)
        if said:
            # A line may be a whole file; cut at its end, so that no part of a secret loses the name before it.
            return "\n".join(line[:500] for line in said.split("\n"))
    return ""


def listening(cluster, within, pod, container):
    """What a container listens on, from its own /proc: reading, though by `exec`; None where it has no `cat` or that is not allowed."""
    status, text, _ = run(
        cluster.tool,
        *cluster.options,
        "-n",
        within.partition("/")[2],
        "exec",
        pod,
        "-c",
        container,
        "--",
        "cat",
        "/proc/net/tcp",
        "/proc/net/tcp6",
        seconds=1.5,
    )
    return read_ports(text) if text else None
