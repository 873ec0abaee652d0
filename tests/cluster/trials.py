"""What the cluster refuses, made for real: Deployments that are each wrong in one thing, all at once, for the tests that look at them."""

import base64
import contextlib
import copy
import json
import os
import re
import time
import uuid

import pytest
import yaml
from conftest import TEMPLATE, bake, need, run
from terminal import paste, shell

USER, TOKEN, READ = (
    os.environ.get(name) for name in ("GHCR_USER", "GHCR_TOKEN", "GHCR_READ_TOKEN")
)
PROJECT, WITH_ANYUID = "demo-project", "anyuid-project"
PASSWORDS = os.environ.get("GHCR_PASSWORDS")
PUBLIC = re.search(
    r"(?m)^FROM (\S+)",
    (
        TEMPLATE / "{{cookiecutter.repo_name}}/cookiecutter-stacks/own-dockerfile/Dockerfile.j2"
    ).read_text(encoding="utf-8"),
)[1]


def oc(project, *words, **options):
    return run("kubectl", "-n", project, *words, **options)


def table(made):
    """[(its reasons, words of its message, why, what to do)] of the rows of "When it does not start"."""
    section = (
        (made / "openshift/README.md")
        .read_text(encoding="utf-8")
        .split("## When it does not start")[1]
    )
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in section.splitlines()
        if line.startswith("|")
    ][2:]
    return [
        (
            re.findall("`(.*?)`", reason) or [reason],
            re.findall("`(?!oc )(.*?)`", message),
            why,
            cure,
        )
        for reason, message, why, cure in rows
    ]


def row(rows, reasons, text):
    """The number of the first row that fits."""
    for number, (wanted, words, _, _) in enumerate(rows):
        if reasons & set(wanted) and (
            not words or any(re.search(rf"\b{re.escape(word)}\b", text) for word in words)
        ):
            return number
    return None


def pull_secret(name, project, password):
    login = {
        "username": USER,
        "password": password,
        "auth": base64.b64encode(f"{USER}:{password}".encode()).decode(),
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": name, "namespace": project},
        "stringData": {".dockerconfigjson": json.dumps({"auths": {"ghcr.io": login}})},
    }


def login(host, password):
    """A pull secret of the right type."""
    return lambda name: {
        **pull_secret(name, PROJECT, password),
        "stringData": {
            ".dockerconfigjson": json.dumps(
                {"auths": {host: {"username": USER, "password": password}}}
            )
        },
    }


# Pull secrets that are each wrong in one thing that can be seen without using them.
SECRETS = {
    "opaque": lambda name: {**pull_secret(name, PROJECT, READ), "type": "Opaque"},
    "dockerhub": login("https://index.docker.io/v1/", READ),
    "empty": login("ghcr.io", ""),
    "fine-grained": login("ghcr.io", "github_pat_none_such_0123456789"),
}


class Trials:
    """Deployments made out of one that the template generated; each is asked what it shows once all are there."""

    def __init__(self, folder, environment):
        self.id, self.environment, self.folder = "t" + uuid.uuid4().hex[:8], environment, folder
        self.objects, self.projects, self.images, self.runs, self.admitted = [], {}, [], [], {}
        self.asked, self.found, self.state, self.when = (
            set(),
            set(),
            {PROJECT: [], WITH_ANYUID: []},
            0,
        )
        self.made = self.generate("probe")
        self.repositories = [self.made]
        self.rows = table(self.made)
        self.images.append(f"ghcr.io/maastrichtu-ids/{self.made.path.name}:latest")
        built = run(
            "docker",
            "buildx",
            "build",
            "--builder",
            "default",
            "--load",
            "-t",
            self.images[0],
            str(self.made.path),
        )
        assert built.returncode == 0, built.stderr
        manifests = run("kubectl", "kustomize", str(self.made / "openshift")).stdout
        self.deployment = next(
            d for d in yaml.safe_load_all(manifests) if d["kind"] == "Deployment"
        )
        for name, project, password in (
            ("good", PROJECT, READ),
            ("good", WITH_ANYUID, READ),
            ("wrong", PROJECT, "none-such"),
            ("elsewhere", WITH_ANYUID, READ),
        ):
            self.add(pull_secret(self.name(name), project, password))
        self.add(
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": self.name("plain"), "namespace": PROJECT},
            }
        )
        self.add(
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": self.name("linked"), "namespace": PROJECT},
                "imagePullSecrets": [{"name": self.name("good")}],
            }
        )

    def name(self, case):
        return f"{self.id}-{case}"

    def generate(self, case):
        made = bake(
            self.folder,
            repo_name=self.name(case),
            stack="own-dockerfile",
            github_username=USER,
            openshift_project=PROJECT,
            pull_secret_name=self.name(case),
        )
        assert made.status == 0, made.text
        return made

    def push(self, name):
        image = f"ghcr.io/maastrichtu-ids/{name}:latest"
        assert run("docker", "tag", self.images[0], image).returncode == 0
        self.images.append(image)
        pushed = run("docker", "push", "--quiet", image)
        assert pushed.returncode == 0, pushed.stderr
        return image

    def add(self, thing):
        thing["metadata"].setdefault("labels", {})["trial"] = self.id
        self.objects.append(thing)

    def trial(
        self,
        case,
        secret="good",
        image=None,
        project=PROJECT,
        account=None,
        change=lambda pod, container: None,
    ):
        """The generated Deployment under a name of its own, with an image of its own, changed in one thing."""
        made = copy.deepcopy(self.deployment)
        name, self.projects[case] = self.name(case), project
        made["metadata"].update(name=name, namespace=project)
        template = made["spec"]["template"]
        for labels in (
            made["metadata"]["labels"],
            made["spec"]["selector"]["matchLabels"],
            template["metadata"]["labels"],
        ):
            labels["app.kubernetes.io/name"] = name
        pod, container = template["spec"], template["spec"]["containers"][0]
        pod["imagePullSecrets"] = [{"name": self.name(secret)}] if secret else []
        pod["serviceAccountName"] = account or pod["serviceAccountName"]
        container.update(name=name, image=image or self.push(name))
        container["resources"]["requests"].update(
            cpu="5m", memory="32Mi"
        )  # many at once on a small node
        change(pod, container)
        self.add(made)
        return made

    def way(self, case, host=None, admitted=None, target="http", selected=None):
        """A Service and a Route to a case, as a router would leave them."""
        name = self.name(case)
        self.add(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "namespace": PROJECT},
                "spec": {
                    "selector": {"app.kubernetes.io/name": selected or name},
                    "ports": [{"name": "http", "port": 80, "targetPort": target}],
                },
            }
        )
        self.add(
            {
                "apiVersion": "route.openshift.io/v1",
                "kind": "Route",
                "metadata": {"name": name, "namespace": PROJECT},
                "spec": {
                    **({"host": host} if host else {}),
                    "to": {"kind": "Service", "name": name},
                    "port": {"targetPort": "http"},
                },
            }
        )
        if admitted:
            why = (
                {
                    "reason": "HostAlreadyClaimed",
                    "message": f"route another already exposes {host} and is older",
                }
                if admitted == "False"
                else {}
            )
            self.admitted[name] = {
                "ingress": [
                    {
                        "host": host,
                        "routerName": "default",
                        "conditions": [{"type": "Admitted", "status": admitted, **why}],
                    }
                ]
            }

    def run(self, case, status):
        """A CronJob out of the same pod, and a run of it that ends with a status."""
        made = self.trial(case, image=self.images[1])
        self.objects.remove(made)
        pod = made["spec"]["template"]["spec"]
        pod["restartPolicy"] = "Never"
        for name in ("startupProbe", "readinessProbe", "livenessProbe", "lifecycle"):
            pod["containers"][0].pop(name, None)
        pod["containers"][0]["command"] = ["sh", "-c", f"echo item 7; exit {status}"]
        job = {
            "backoffLimit": 0,
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/name": self.name(case)}},
                "spec": pod,
            },
        }
        self.add(
            {
                "apiVersion": "batch/v1",
                "kind": "CronJob",
                "metadata": {"name": self.name(case), "namespace": PROJECT},
                "spec": {"suspend": True, "schedule": "0 0 30 2 *", "jobTemplate": {"spec": job}},
            }
        )
        self.runs.append(self.name(case))

    def start(self):
        done = run(
            "kubectl",
            "apply",
            "-f",
            "-",
            input=json.dumps({"apiVersion": "v1", "kind": "List", "items": self.objects}),
        )
        assert done.returncode == 0, done.stderr
        runs, admitted, self.runs, self.admitted = self.runs, self.admitted, [], {}
        for name in runs:
            assert (
                oc(PROJECT, "create", "job", name + "-1", f"--from=cronjob/{name}").returncode == 0
            )
        for name, status in admitted.items():
            done = oc(
                PROJECT,
                "patch",
                "route",
                name,
                "--subresource=status",
                "--type=merge",
                "-p",
                json.dumps({"status": status}),
            )
            assert done.returncode == 0, done.stderr

    def look(self):
        """Ask for all pods and events, at most once a second."""
        time.sleep(max(0, self.when + 1 - time.monotonic()))
        self.state = {
            p: json.loads(oc(p, "get", "pods,events,deployments", "-o", "json").stdout)["items"]
            for p in (PROJECT, WITH_ANYUID)
        }
        self.when = time.monotonic()

    def shows(self, case, project=PROJECT):
        """(reasons, messages) of a Deployment's pods and of the events of all that belongs to it, as `oc get` shows them."""
        name, reasons, text = self.name(case), set(), []
        for item in self.state[project]:
            if item["kind"] == "Event" and re.match(name + "(-|$)", item["involvedObject"]["name"]):
                reasons.add(item["reason"])
                text.append(item.get("message", ""))
            if (
                item["kind"] == "Pod"
                and item["metadata"]["labels"].get("app.kubernetes.io/name") == name
            ):
                for status in item["status"].get("containerStatuses", []):
                    for state in (*status["state"].values(), *status.get("lastState", {}).values()):
                        reasons.add(state.get("reason", ""))
                        text.append(state.get("message", ""))
        if "CrashLoopBackOff" in reasons:
            text.append(oc(project, "logs", f"deployment/{name}").stdout)
        return reasons, "\n".join(text)

    def until(self, case, wanted, seconds=300):
        """Wait until `wanted` holds of (reasons, text); what was shown at last, if it never does."""
        end = time.monotonic() + seconds
        while True:
            shown = self.shows(case, self.projects.get(case, PROJECT))
            if wanted(*shown):
                return shown
            if time.monotonic() > end:
                pytest.fail(f"{case}: {shown}")
            self.look()

    def symptom(self, case, why):
        """The row of the table that fits what the case shows: it is the one whose "why" holds these words."""
        wanted = [number for number, row_ in enumerate(self.rows) if why in row_[2]]
        assert len(wanted) == 1, (why, self.rows)
        self.asked.add(case)
        self.until(case, lambda *shown: row(self.rows, *shown) == wanted[0])
        self.found.add(wanted[0])
        return self.rows[wanted[0]]

    def ready(self, case):
        name, project = self.name(case), self.projects.get(case, PROJECT)
        done = oc(project, "rollout", "status", f"deployment/{name}", "--timeout=300s")
        self.look()
        assert done.returncode == 0, (done.stderr, self.shows(case, project))

    def paste(self, made, *pasted):
        """What was printed for each block; each has to end well."""
        terminal, said = shell(self.environment, made.path), []
        try:
            for block in pasted:
                said.append(paste(terminal, *block))
                assert terminal.match[1] == "0", said[-1]
            return said
        finally:
            terminal.close(force=True)

    def unlink(self, secret):
        """What step 4 added to the account is taken out of it; what others have there stays."""
        linked = json.loads(
            oc(PROJECT, "get", "serviceaccount", "default", "-o", "json").stdout
        ).get("imagePullSecrets", [])
        for place in [place for place, other in enumerate(linked) if other["name"] == secret]:
            path = f"/imagePullSecrets/{place}"
            done = oc(
                PROJECT,
                "patch",
                "serviceaccount",
                "default",
                "--type=json",
                "-p",
                json.dumps(
                    [
                        {"op": "test", "path": path, "value": {"name": secret}},
                        {"op": "remove", "path": path},
                    ]
                ),
            )
            assert done.returncode == 0, done.stderr

    def end(self):
        for project in (PROJECT, WITH_ANYUID):
            oc(
                project,
                "delete",
                "deployments,cronjobs,services,routes,persistentvolumeclaims,secrets,serviceaccounts",
                "-l",
                f"trial={self.id}",
                "--wait=false",
            )
        # A secret that was made anew has no label.
        made_anew = [
            name
            for name in oc(PROJECT, "get", "secrets", "-o", "name").stdout.split()
            if name.startswith(f"secret/{self.id}-")
        ]
        if made_anew:
            oc(PROJECT, "delete", *made_anew)
        for made in self.repositories:
            run("kubectl", "delete", "-k", str(made / "openshift"), "--wait=false")
            oc(PROJECT, "delete", "secret", made.path.name, "--ignore-not-found")
            self.unlink(made.path.name)
        for image in self.images:
            run("docker", "image", "rm", "--force", image)


def serve(pod, container):
    """A page from an image that has Python and no code of its own."""
    container["command"] = ["sh", "-c", 'cd /tmp && exec python3 -m http.server "$PORT"']


def command(line):
    return lambda pod, container: container.update(command=["sh", "-c", line])


def resources(command=None, **amounts):
    """Requests and limits of the same amounts."""
    amounts = {**amounts, "ephemeral-storage": "1Gi"} if amounts else {}
    return lambda pod, container: container.update(
        resources={"requests": amounts, "limits": amounts},
        **({"command": command} if command else {}),
    )


def low_port(pod, container):
    container["env"][0]["value"] = "80"
    container["ports"][0]["containerPort"] = 80


def probes(path):
    """All three probes ask a path."""

    def change(pod, container):
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            container[name].pop("tcpSocket")
            container[name]["httpGet"] = {"path": path, "port": "http"}

    return change


def two_large(pod, container):
    """Two containers that are each within the maxima, and together take the whole of the project's quota."""
    container["resources"]["limits"]["memory"] = "512Gi"
    pod["containers"].append({**copy.deepcopy(container), "name": "second", "ports": []})
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        pod["containers"][1].pop(probe)


def two_containers(pod, container):
    """The first one takes too much memory, the second one's image is not there."""
    pod["containers"].append(
        {
            **copy.deepcopy(container),
            "name": "second",
            "ports": [],
            "image": container["image"].replace(":latest", ":none-such"),
        }
    )
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        pod["containers"][1].pop(probe)
    resources(["python3", "-c", "bytearray(10**9)"], cpu="5m", memory="64Mi")(pod, container)


def unprobed(pod, container):
    """Ready at once, and listening elsewhere than its Service leads to."""
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        container.pop(probe)
    container["command"] = ["sh", "-c", "cd /tmp && exec python3 -m http.server 8000"]


def read_only(pod, container):
    pod["volumes"].append({"name": "data", "emptyDir": {}})
    container["volumeMounts"].append({"name": "data", "mountPath": "/data", "readOnly": True})
    container["command"] = ["sh", "-c", "echo > /data/written"]


def claim(pod, container):
    container["volumeMounts"].append({"name": "data", "mountPath": "/data"})
    pod["volumes"].append(
        {"name": "data", "persistentVolumeClaim": {"claimName": container["name"]}}
    )


def random_user(pod, container):
    pod["securityContext"] = {"seccompProfile": {"type": "RuntimeDefault"}}
    container["securityContext"] = {"allowPrivilegeEscalation": False}


def own_user(pod, container):
    pod["securityContext"], container["securityContext"] = {}, {"allowPrivilegeEscalation": False}


@contextlib.contextmanager
def started(folder, environment):
    """All the cases, started at once; they end with the block."""
    t = Trials(folder, environment)
    try:
        # Pull secrets
        t.trial("control", "good")
        t.trial("wrong", "wrong")
        t.trial("nowhere", "none-such")
        t.trial("elsewhere", "elsewhere")
        t.trial("public", "none-such", image=PUBLIC, change=serve)
        t.trial("stale", "wrong", image=PUBLIC, change=serve)
        t.trial("named", "good", account=t.name("plain"))
        t.trial("linked", None, account=t.name("linked"))
        t.trial("unlinked", None, account=t.name("plain"))
        for case, secret in SECRETS.items():
            t.add(secret(t.name(case)))
            t.trial(case, case)
        # Images
        t.trial("no-tag", image=f"ghcr.io/maastrichtu-ids/{t.name('control')}:none-such")
        t.trial("no-image", image=f"ghcr.io/maastrichtu-ids/{t.name('none-such')}:latest")
        t.trial("no-registry", image="registry.invalid/maastrichtu-ids/none-such:1")
        t.trial("capitals", image=f"ghcr.io/MaastrichtU-IDS/{t.name('control')}:latest")
        # What the project does not allow, or does not have
        here = f"ghcr.io/maastrichtu-ids/{t.name('control')}:latest"
        t.trial(
            "fixed-user",
            image=here,
            change=lambda pod, container: pod["securityContext"].update(runAsUser=1000),
        )
        t.trial(
            "fixed-group",
            image=here,
            change=lambda pod, container: pod["securityContext"].update(fsGroup=1000),
        )
        t.trial("no-account", image=here, account="anyuid")
        t.trial(
            "no-resources", image=here, change=lambda pod, container: container.pop("resources")
        )
        t.trial(
            "no-limit",
            image=here,
            change=lambda pod, container: container["resources"]["limits"].pop("ephemeral-storage"),
        )
        t.trial(
            "first-bare",
            image=here,
            change=lambda pod, container: pod.update(
                initContainers=[
                    {
                        "name": "first",
                        "image": here,
                        "command": ["true"],
                        "securityContext": container["securityContext"],
                        "volumeMounts": container["volumeMounts"],
                    }
                ]
            ),
        )
        t.trial(
            "too-much",
            image=here,
            change=lambda pod, container: container["resources"]["limits"].update(memory="600Gi"),
        )
        t.trial("too-many", image=here, change=resources(cpu="30", memory="120Gi"))
        t.trial("over-quota", image=here, change=two_large)
        t.trial("no-claim", image=here, change=claim)
        t.trial("no-class", image=here, change=claim)
        t.add(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": t.name("no-class"), "namespace": PROJECT},
                "spec": {
                    "accessModes": ["ReadWriteMany"],
                    "storageClassName": "none-such",
                    "resources": {"requests": {"storage": "1Gi"}},
                },
            }
        )
        # What the application does
        t.trial(
            "no-secret",
            image=here,
            change=lambda pod, container: container["env"].append(
                {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "none-such", "key": "key"}}}
            ),
        )
        t.trial(
            "memory",
            image=here,
            change=resources(["python3", "-c", "bytearray(10**9)"], cpu="5m", memory="64Mi"),
        )
        t.trial("no-read", image=here, change=command("cat /etc/shadow"))
        t.trial("no-write", image=here, change=command("echo > /app/public/written"))
        t.trial("low-port", image=here, change=low_port)
        t.trial("ends", image=here, change=command("sleep 1"))
        t.trial(
            "other-port",
            image=here,
            change=lambda pod, container: container["env"][0].update(value="8081"),
        )
        t.trial(
            "other-processor",
            image=here,
            change=command(
                "printf \"\\177ELF\\002\\001\\001\" > /tmp/x; chmod +x /tmp/x; exec python3 -c \"import os; os.execv('/tmp/x', ['x'])\""
            ),
        )
        t.trial(
            "no-program",
            image=here,
            change=lambda pod, container: container.update(command=["none-such"]),
        )
        t.trial(
            "only-local",
            image=here,
            change=command("cd /tmp && exec python3 -m http.server 8080 --bind 127.0.0.1"),
        )
        t.trial("other-path", image=here, change=probes("/none-such"))
        t.trial(
            "not-alive",
            image=here,
            change=lambda pod, container: container.update(
                livenessProbe={
                    "httpGet": {"path": "/none-such", "port": "http"},
                    "periodSeconds": 1,
                    "failureThreshold": 2,
                },
                lifecycle={},
            ),
        )
        t.trial(
            "no-such-port",
            image=here,
            change=lambda pod, container: container["readinessProbe"]["tcpSocket"].update(
                port="web"
            ),
        )
        t.trial(
            "no-file",
            image=here,
            change=lambda pod, container: (
                pod["volumes"].append({"name": "key", "secret": {"secretName": "none-such"}}),
                container["volumeMounts"].append({"name": "key", "mountPath": "/key"}),
            ),
        )
        t.trial("read-only", image=here, change=read_only)
        t.trial(
            "status-3",
            image=here,
            change=command(
                "echo 'starting with password=hunter2 and ghp_0123456789abcdefghij0123456789abcdef'; exit 3"
            ),
        )
        # The way to it, and its releases
        t.trial("whole", image=here)
        t.way("whole", host="whole.example.org", admitted="True")
        t.trial("no-host", image=here)
        t.way("no-host")
        t.trial("host-taken", image=here)
        t.way("host-taken", host="taken.example.org", admitted="False")
        t.trial("no-way", image=here)
        t.way("no-way", host="way.example.org", admitted="True", target="web")
        t.trial("unprobed", image=here, change=unprobed)
        t.way("unprobed", host="unprobed.example.org", admitted="True")
        t.trial("other-labels", image=here)
        t.way("other-labels", host="labels.example.org", admitted="True", selected="none-such")
        t.trial("off", image=here)["spec"]["replicas"] = 0
        t.trial("paused", image=here)["spec"]["paused"] = True
        t.trial("newer", image=here)
        t.run("run-fails", 3)
        t.run("run-ends", 0)
        # Two at once
        t.trial("two-pulls", "wrong", change=low_port)
        t.way("two-pulls")
        t.trial("two-files", image=here, account="none-such", change=claim)
        t.trial(
            "two-rules",
            image=here,
            change=lambda pod, container: (
                container["resources"]["limits"].pop("memory"),
                pod["securityContext"].update(runAsUser=0),
            ),
        )
        t.trial("two-containers", image=here, change=two_containers)
        t.trial("two-ways", image=here, change=command("exit 3"))
        t.way("two-ways", target="web", host="two.example.org", admitted="False")
        t.trial("two-secrets", "none-such", image=here, change=resources())
        # Users
        t.trial("random-user", project=WITH_ANYUID, account="anyuid", change=random_user)
        t.trial("own-user", project=WITH_ANYUID, account="anyuid", change=own_user)
        t.start()
        # Whole repositories, as their users have them
        t.missing, t.mistyped = t.generate("missing"), t.generate("mistyped")
        for made in (t.missing, t.mistyped):
            t.repositories.append(made)
            t.push(made.path.name)
        oc(
            PROJECT,
            "create",
            "-f",
            "-",
            input=json.dumps(pull_secret(t.mistyped.path.name, PROJECT, "none-such")),
        )
        for made in (t.missing, t.mistyped):
            assert run("kubectl", "apply", "-k", str(made / "openshift")).returncode == 0
        reasons, _ = t.until(
            "unlinked",
            lambda reasons, text: reasons & {"ErrImagePull", "ImagePullBackOff", "Started"},
        )
        need(
            "Started" not in reasons,
            "a node without a login of its own (its kubelet reads ~/.docker/config.json): this one pulls private images without a secret",
        )
        yield t
    finally:
        t.end()
