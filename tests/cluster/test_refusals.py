"""Promise 2 and 7: what the cluster refuses, made for real: its reasons are found in the table of the generated openshift/README.md,
and what the table says to do makes the pod Ready. Reasons and status codes are compared, never a runtime's sentences."""

import base64
import copy
import json
import os
import re
import time
import uuid
from pathlib import Path

import pytest
import yaml
from conftest import FACTS, TEMPLATE, bake, need, run
from terminal import blocks, paste, shell

USER, TOKEN, READ = (os.environ.get(name) for name in ("GHCR_USER", "GHCR_TOKEN", "GHCR_READ_TOKEN"))
PROJECT, WITH_ANYUID = "demo-project", "anyuid-project"
PASSWORDS = Path(os.environ.get("DSRI_RIG") or "/tmp/dsri-rig") / "auth" / "passwords"
PUBLIC = re.search(r"(?m)^FROM (\S+)", (TEMPLATE / "{{cookiecutter.repo_name}}/.cookiecutter-stacks/own-dockerfile/Dockerfile").read_text(encoding="utf-8"))[1]


def oc(project, *words, **options):
    return run("kubectl", "-n", project, *words, **options)


def table(made):
    """[(its reasons, words of its message, why, what to do)] of the rows of "When it does not start"."""
    section = (made / "openshift/README.md").read_text(encoding="utf-8").split("## When it does not start")[1]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in section.splitlines() if line.startswith("|")][2:]
    return [(re.findall("`(.*?)`", reason) or [reason], re.findall("`(?!oc )(.*?)`", message), why, cure) for reason, message, why, cure in rows]


def row(rows, reasons, text):
    """The number of the first row that fits."""
    for number, (wanted, words, _, _) in enumerate(rows):
        if reasons & set(wanted) and (not words or any(re.search(rf"\b{re.escape(word)}\b", text) for word in words)):
            return number
    return None


def pull_secret(name, project, password):
    login = {"username": USER, "password": password, "auth": base64.b64encode(f"{USER}:{password}".encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "metadata": {"name": name, "namespace": project},
            "stringData": {".dockerconfigjson": json.dumps({"auths": {"ghcr.io": login}})}}


class Trials:
    """Deployments made out of one that the template generated; each is asked what it shows once all are there."""

    def __init__(self, folder, environment):
        self.id, self.environment, self.folder = "t" + uuid.uuid4().hex[:8], environment, folder
        self.objects, self.projects, self.images = [], {}, []
        self.asked, self.found, self.state, self.when = set(), set(), {PROJECT: [], WITH_ANYUID: []}, 0
        self.made = self.generate("probe")
        self.repositories = [self.made]
        self.rows = table(self.made)
        self.images.append(f"ghcr.io/maastrichtu-ids/{self.made.path.name}:latest")
        built = run("docker", "buildx", "build", "--builder", "default", "--load", "-t", self.images[0], str(self.made.path))
        assert built.returncode == 0, built.stderr
        manifests = run("kubectl", "kustomize", str(self.made / "openshift")).stdout
        self.deployment = next(d for d in yaml.safe_load_all(manifests) if d["kind"] == "Deployment")
        for name, project, password in (("good", PROJECT, READ), ("good", WITH_ANYUID, READ), ("wrong", PROJECT, "none-such"), ("elsewhere", WITH_ANYUID, READ)):
            self.add(pull_secret(self.name(name), project, password))
        self.add({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": self.name("plain"), "namespace": PROJECT}})
        self.add({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": self.name("linked"), "namespace": PROJECT},
                  "imagePullSecrets": [{"name": self.name("good")}]})

    def name(self, case):
        return f"{self.id}-{case}"

    def generate(self, case):
        made = bake(self.folder, repo_name=self.name(case), stack="own-dockerfile", github_username=USER, openshift_project=PROJECT, pull_secret_name=self.name(case))
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

    def trial(self, case, secret="good", image=None, project=PROJECT, account=None, change=lambda pod, container: None):
        """The generated Deployment under a name of its own, with an image of its own, changed in one thing."""
        made = copy.deepcopy(self.deployment)
        name, self.projects[case] = self.name(case), project
        made["metadata"].update(name=name, namespace=project)
        template = made["spec"]["template"]
        for labels in (made["metadata"]["labels"], made["spec"]["selector"]["matchLabels"], template["metadata"]["labels"]):
            labels["app.kubernetes.io/name"] = name
        pod, container = template["spec"], template["spec"]["containers"][0]
        pod["imagePullSecrets"] = [{"name": self.name(secret)}] if secret else []
        pod["serviceAccountName"] = account or pod["serviceAccountName"]
        container.update(name=name, image=image or self.push(name))
        container["resources"]["requests"].update(cpu="5m", memory="32Mi")  # many at once on a small node
        change(pod, container)
        self.add(made)

    def start(self):
        done = run("kubectl", "apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": self.objects}))
        assert done.returncode == 0, done.stderr

    def look(self):
        """Ask for all pods and events, at most once a second."""
        time.sleep(max(0, self.when + 1 - time.monotonic()))
        self.state = {p: json.loads(oc(p, "get", "pods,events,deployments", "-o", "json").stdout)["items"] for p in (PROJECT, WITH_ANYUID)}
        self.when = time.monotonic()

    def shows(self, case, project=PROJECT):
        """(reasons, messages) of a Deployment's pods and of the events of all that belongs to it, as `oc get` shows them."""
        name, reasons, text = self.name(case), set(), []
        for item in self.state[project]:
            if item["kind"] == "Event" and re.match(name + "(-|$)", item["involvedObject"]["name"]):
                reasons.add(item["reason"])
                text.append(item.get("message", ""))
            if item["kind"] == "Pod" and item["metadata"]["labels"].get("app.kubernetes.io/name") == name:
                for status in item["status"].get("containerStatuses", []):
                    for state in (*status["state"].values(), *status.get("lastState", {}).values()):
                        reasons.add(state.get("reason", ""))
                        text.append(state.get("message", ""))
        if "CrashLoopBackOff" in reasons:
            text.append(oc(project, "logs", f"deployment/{name}").stdout)
        return reasons, "\n".join(text)

    def until(self, case, wanted, seconds=100):
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
        done = oc(project, "rollout", "status", f"deployment/{name}", "--timeout=100s")
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
        linked = json.loads(oc(PROJECT, "get", "serviceaccount", "default", "-o", "json").stdout).get("imagePullSecrets", [])
        for place in [place for place, other in enumerate(linked) if other["name"] == secret]:
            path = f"/imagePullSecrets/{place}"
            done = oc(PROJECT, "patch", "serviceaccount", "default", "--type=json", "-p",
                      json.dumps([{"op": "test", "path": path, "value": {"name": secret}}, {"op": "remove", "path": path}]))
            assert done.returncode == 0, done.stderr

    def end(self):
        for project in (PROJECT, WITH_ANYUID):
            oc(project, "delete", "deployments,persistentvolumeclaims,secrets,serviceaccounts", "-l", f"trial={self.id}", "--wait=false")
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
    amounts["ephemeral-storage"] = "1Gi"
    return lambda pod, container: container.update(resources={"requests": amounts, "limits": amounts}, **({"command": command} if command else {}))


def low_port(pod, container):
    container["env"][0]["value"] = "80"
    container["ports"][0]["containerPort"] = 80


def claim(pod, container):
    container["volumeMounts"].append({"name": "data", "mountPath": "/data"})
    pod["volumes"].append({"name": "data", "persistentVolumeClaim": {"claimName": container["name"]}})


def random_user(pod, container):
    pod["securityContext"] = {"seccompProfile": {"type": "RuntimeDefault"}}
    container["securityContext"] = {"allowPrivilegeEscalation": False}


def own_user(pod, container):
    pod["securityContext"], container["securityContext"] = {}, {"allowPrivilegeEscalation": False}


@pytest.fixture(scope="module")
def trials(cluster, tmp_path_factory):
    """All the cases, started at once."""
    t = Trials(tmp_path_factory.mktemp("refusals"), cluster)
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
        # Images
        t.trial("no-tag", image=f"ghcr.io/maastrichtu-ids/{t.name('control')}:none-such")
        t.trial("no-image", image=f"ghcr.io/maastrichtu-ids/{t.name('none-such')}:latest")
        t.trial("capitals", image=f"ghcr.io/MaastrichtU-IDS/{t.name('control')}:latest")
        # What the project does not allow, or does not have
        here = f"ghcr.io/maastrichtu-ids/{t.name('control')}:latest"
        t.trial("fixed-user", image=here, change=lambda pod, container: pod["securityContext"].update(runAsUser=1000))
        t.trial("fixed-group", image=here, change=lambda pod, container: pod["securityContext"].update(fsGroup=1000))
        t.trial("no-account", image=here, account="anyuid")
        t.trial("no-resources", image=here, change=lambda pod, container: container.pop("resources"))
        t.trial("no-limit", image=here, change=lambda pod, container: container["resources"]["limits"].pop("ephemeral-storage"))
        t.trial("too-much", image=here, change=lambda pod, container: container["resources"]["limits"].update(memory="600Gi"))
        t.trial("too-many", image=here, change=resources(cpu="30", memory="120Gi"))
        t.trial("no-class", image=here, change=claim)
        t.add({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": t.name("no-class"), "namespace": PROJECT},
               "spec": {"accessModes": ["ReadWriteMany"], "storageClassName": "none-such", "resources": {"requests": {"storage": "1Gi"}}}})
        # What the application does
        t.trial("no-secret", image=here, change=lambda pod, container: container["env"].append(
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "none-such", "key": "key"}}}))
        t.trial("memory", image=here, change=resources(["python3", "-c", "bytearray(10**9)"], cpu="5m", memory="64Mi"))
        t.trial("no-read", image=here, change=command("cat /etc/shadow"))
        t.trial("no-write", image=here, change=command("echo > /app/public/written"))
        t.trial("low-port", image=here, change=low_port)
        t.trial("ends", image=here, change=command("sleep 1"))
        t.trial("other-port", image=here, change=lambda pod, container: container["env"][0].update(value="8081"))
        # Users
        t.trial("random-user", project=WITH_ANYUID, account="anyuid", change=random_user)
        t.trial("own-user", project=WITH_ANYUID, account="anyuid", change=own_user)
        t.start()
        # Whole repositories, as their users have them
        t.missing, t.mistyped = t.generate("missing"), t.generate("mistyped")
        for made in (t.missing, t.mistyped):
            t.repositories.append(made)
            t.push(made.path.name)
        oc(PROJECT, "create", "-f", "-", input=json.dumps(pull_secret(t.mistyped.path.name, PROJECT, "none-such")))
        for made in (t.missing, t.mistyped):
            assert run("kubectl", "apply", "-k", str(made / "openshift")).returncode == 0
        reasons, _ = t.until("unlinked", lambda reasons, text: reasons & {"ErrImagePull", "ImagePullBackOff", "Started"})
        need("Started" not in reasons, "a node without a login of its own (its kubelet reads ~/.docker/config.json): this one pulls private images without a secret")
        yield t
    finally:
        t.end()


NO_SECRET, NO_TOKEN, NO_IMAGE, RESOURCES = "no secret of the name", "The pod has no token", "no such image or tag", "`resources` leaves one out"
CASES = [
    ("wrong", NO_TOKEN), ("unlinked", NO_TOKEN), ("stale", NO_TOKEN), ("nowhere", NO_SECRET), ("elsewhere", NO_SECRET),
    ("no-tag", NO_IMAGE), ("no-image", NO_IMAGE), ("capitals", "capital letter"),
    ("fixed-user", "fixes a user or group ID"), ("fixed-group", "fixes a user or group ID"), ("no-account", "no account of that name"),
    ("no-resources", RESOURCES), ("no-limit", RESOURCES), ("too-much", RESOURCES), ("too-many", "No node has free"), ("no-class", "storage is not there"),
    ("no-secret", "A Secret or ConfigMap"), ("memory", "more memory than its limit"), ("no-read", "any user of group 0"), ("no-write", "any user of group 0"), ("low-port", "any user of group 0"),
    ("ends", "ends by itself"), ("other-port", "does not listen"),
]


@pytest.mark.parametrize("case, why", CASES)
def test_the_table_has_what_the_cluster_shows(trials, case, why):
    trials.symptom(case, why)


@pytest.mark.parametrize("case", ["control", "named", "linked"])
def test_a_private_image_is_pulled(trials, case):
    trials.ready(case)


def test_a_public_image_is_pulled_without_the_secret_that_the_pod_names(trials):
    trials.ready("public")
    _, _, why, _ = trials.symptom("public", NO_SECRET)
    assert "A public image needs none" in why


def commands(made):
    """The commands in and beside the table, as blocks to paste."""
    section = (made / "openshift/README.md").read_text(encoding="utf-8").split("## When it does not start")[1]
    return ["    " + command for command in dict.fromkeys(re.findall("`(oc .*?)`", section))]


def restart(made):
    return next(command for command in commands(made) if "rollout restart" in command)


@pytest.mark.parametrize("case, why, steps", [("missing", NO_SECRET, "Step 4."), ("mistyped", NO_TOKEN, "Steps 3 and 4.")])
def test_what_the_table_says_to_do_makes_the_pod_ready(trials, case, why, steps):
    _, _, _, cure = trials.symptom(case, why)
    assert cure.startswith(steps)
    made = getattr(trials, case)
    trials.paste(made, [blocks(made.text)["4"][0], ("Token: ", READ)], [restart(made)])
    trials.ready(case)


def test_a_token_that_ends_stops_the_next_pull(trials):
    need(PASSWORDS.is_file(), f"a registry whose passwords are lines of {PASSWORDS}")
    password = uuid.uuid4().hex
    trials.objects = []
    trials.add(pull_secret(trials.name("expired"), PROJECT, password))
    trials.trial("expired", "expired")
    with PASSWORDS.open("a") as lines:
        lines.write(f"r {password}\n")
    try:
        trials.start()
        trials.ready("expired")
    finally:
        others = [line for line in PASSWORDS.read_text().splitlines(True) if password not in line]
        replaced = PASSWORDS.with_name(password)
        replaced.write_text("".join(others))
        os.replace(replaced, PASSWORDS)
    assert oc(PROJECT, "rollout", "restart", f"deployment/{trials.name('expired')}").returncode == 0
    trials.symptom("expired", NO_TOKEN)


def test_a_token_that_may_only_read_does_not_push(trials):
    login = ["docker", "login", "ghcr.io", "-u", USER, "--password-stdin"]
    image = trials.images[0].replace(":latest", ":read-only")
    trials.images.append(image)
    assert run("docker", "tag", trials.images[0], image).returncode == 0
    try:
        assert run(*login, input=READ).returncode == 0
        pushed = run("docker", "push", image)
    finally:
        assert run(*login, input=TOKEN).returncode == 0
    assert pushed.returncode != 0
    trials.asked.add("push")
    number = row(trials.rows, {"the publish run"}, pushed.stdout + pushed.stderr)
    assert "Actions may not write" in trials.rows[number][2]
    trials.found.add(number)


def test_a_seccomp_profile_makes_anyuid_a_random_user(trials):
    users = []
    for case in ("own-user", "random-user"):
        trials.ready(case)
        users.append(oc(WITH_ANYUID, "exec", f"deployment/{trials.name(case)}", "--", "id", "-u").stdout.strip())
    assert users[0] == "1001" and re.fullmatch(r"\d{10}", users[1]), users


def test_the_newest_image_comes_with_the_command_for_it(trials):
    name, image = trials.name("control"), f"ghcr.io/maastrichtu-ids/{trials.name('control')}:latest"
    trials.ready("control")
    page = ["exec", f"deployment/{name}", "--", "cat", "public/index.html"]
    older = oc(PROJECT, *page).stdout
    newer = run("docker", "buildx", "build", "--builder", "default", "--load", "-t", image, "-", input=f"FROM {trials.images[0]}\nUSER 0\nRUN echo newer > public/index.html\nUSER 1001:0\n")
    assert newer.returncode == 0, newer.stderr
    assert run("docker", "push", "--quiet", image).returncode == 0
    assert oc(PROJECT, *page).stdout == older
    trials.paste(trials.made, [restart(trials.made).replace(trials.made.path.name, name)])
    trials.ready("control")
    assert oc(PROJECT, *page).stdout == "newer\n" != older


def test_every_row_of_the_table_was_seen(trials):
    if not {"push", *[case for case, _ in CASES]} <= trials.asked:
        pytest.skip("needs all the tests of this file")
    assert trials.found == set(range(len(trials.rows)))


def test_every_command_beside_the_table_runs(trials):
    trials.ready("control")
    assert len(commands(trials.made)) >= 6
    trials.paste(trials.made, *[[command.replace(trials.made.path.name, trials.name("control"))] for command in commands(trials.made)])


@pytest.mark.parametrize("account", ["default", "anyuid"])
@pytest.mark.parametrize("stack, storage", [(stack, storage) for stack in FACTS for storage in ("none", "5Gi") if storage != "none" or not FACTS[stack].get("needs_storage")])
def test_the_server_takes_every_combination(cluster, tmp_path, stack, account, storage):
    project = WITH_ANYUID if account == "anyuid" else PROJECT
    made = bake(tmp_path, stack=stack, service_account=account, storage=storage, github_username=USER, openshift_project=project)
    assert made.status == 0, made.text
    done = run("kubectl", "apply", "-k", str(made / "openshift"), "--dry-run=server", "-o", "json")
    assert done.returncode == 0 and "Warning" not in done.stderr, done.stderr
    # A workload is taken whatever its pods are: they are asked for by themselves.
    specs = [item.get("spec", {}) for item in json.loads(done.stdout)["items"]]
    pods = [spec["template"] for spec in [spec.get("jobTemplate", {}).get("spec", spec) for spec in specs] if "template" in spec]
    assert pods
    for pod in pods:
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "dry-run-", "namespace": project, **pod["metadata"]}, "spec": pod["spec"]}
        asked = run("kubectl", "create", "--dry-run=server", "-f", "-", input=json.dumps(pod))
        assert asked.returncode == 0, asked.stderr
