"""Promise 2, 4 and 7: the printed commands, pasted into a terminal, bring a private image up as a Ready pod."""

import contextlib
import json
import os
import re
import sys
import time
import uuid
from pathlib import Path

import pytest
from asking import asking
from browser import Browser, sees
from conftest import BASE, FACTS, STACKS, bake, is_web, later, need, run, until
from terminal import blocks, paste, shell

USER, READ = (os.environ.get(name) for name in ("GHCR_USER", "GHCR_READ_TOKEN"))


@pytest.fixture
def bring_up(cluster):
    """A function that publishes a repository's image, pastes the printed steps 3 to 5, and gives the Ready pod and its Service's address."""
    done = []

    def bring(made, project, app):
        image = f"ghcr.io/maastrichtu-ids/{made.path.name.lower()}:latest"
        done.append((made, image, project, app))
        for command in (
            ["buildx", "build", "--builder", "default", "--load", "-t", image, str(made.path)],
            ["push", "--quiet", image],
        ):
            built = run("docker", *command)
            assert built.returncode == 0, built.stderr
        checked = run(sys.executable, str(made / "openshift/image.py"), "test", image)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        steps = blocks(made.text)
        terminal = shell(cluster, made.path)
        seen = []
        deploy, watch = steps["5"][0], ""
        if deploy.rstrip().endswith(" -w"):  # it ends when the person ends it
            deploy, watch = re.fullmatch(r"(?s)(.*\n)( +oc .* -w\n*)", deploy).groups()
        try:
            seen.append(paste(terminal, steps["3"][0]))
            seen.append(paste(terminal, steps["4"][0], ("Token: ", READ)))
            seen.append(
                paste(terminal, steps["4"][0], ("Token: ", READ))
            )  # a renewal is the same command
            seen.append(paste(terminal, deploy))
            if watch:
                terminal.send(watch.strip() + "\n")
                terminal.expect(r" (Complete|Failed) +\d+/\d+", timeout=300)
                seen.append(terminal.before + terminal.after)
                terminal.sendintr()
        finally:
            terminal.close(force=True)
        assert re.search("successfully rolled out| Complete +32/32", seen[-1]), "\n".join(seen)
        assert READ not in "".join(seen)
        if watch:
            return f"{app}-fs", None
        pod = json.loads(
            run(
                "kubectl",
                "-n",
                project,
                "get",
                "pod",
                "-l",
                f"app.kubernetes.io/name={app}",
                "-o",
                "json",
            ).stdout
        )["items"][0]["metadata"]["name"]
        return pod, run(
            "kubectl", "-n", project, "get", "service", app, "-o", "jsonpath={.spec.clusterIP}"
        ).stdout

    yield bring
    for made, image, project, app in done:
        run(
            "kubectl",
            "-n",
            project,
            "delete",
            f"secret/{app}-token",
            f"pod/{app}-fs",
            "--ignore-not-found",
        )
        run("kubectl", "delete", "-k", str(made / "openshift"), "--wait=false")
        run("docker", "image", "rm", "--force", image)


def page(address, path="/"):
    """What the Service answers; kube-proxy may learn of a Ready pod a second later."""
    done = run(
        "curl",
        "-sSf",
        "--max-time",
        "10",
        "--retry",
        "8",
        "--retry-delay",
        "1",
        "--retry-all-errors",
        f"http://{address}{path}",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# All four for two stacks, for the others two; what the server takes is tried for every one (test_refusals.py).
EVERY = [
    (stack, account, storage)
    for stack in ("fastapi", "own-dockerfile")
    for account in ("default", "anyuid")
    for storage in ("5Gi", "none")
]
TWO = [
    (stack, account, storage if not FACTS[stack].get("needs_storage") else "5Gi")
    for stack in STACKS
    for account, storage in (("default", "5Gi"), ("anyuid", "none"))
]


@pytest.mark.parametrize("stack, account, storage", sorted({*EVERY, *TWO}))
def test_the_printed_commands_bring_up_a_ready_pod(bring_up, tmp_path, stack, account, storage):
    name, project = (
        f"Kg_{stack}.{uuid.uuid4().hex[:6]}",
        "anyuid-project" if account == "anyuid" else "demo-project",
    )
    made = bake(
        tmp_path,
        repo_name=name,
        stack=stack,
        service_account=account,
        storage=storage,
        github_username=USER,
        openshift_project=project,
    )
    assert made.status == 0, made.text
    if account == "anyuid":
        dockerfile = made / "Dockerfile"
        dockerfile.write_text(
            dockerfile.read_text(encoding="utf-8").replace("USER 1001:0", "USER 0"),
            encoding="utf-8",
        )
    app = re.sub("[^a-z0-9]+", "-", name.lower())
    pod, address = bring_up(made, project, app)
    assert run("kubectl", "-n", project, "exec", pod, "--", "id", "-u").stdout.strip() == (
        "0" if account == "anyuid" else "1000650000"
    )
    if not is_web(stack):
        results = run(
            "kubectl", "-n", project, "exec", pod, "--", "find", "/data/results", "-type", "f"
        ).stdout.split()
        assert sorted(results) == [
            f"/data/results/{item}.json" for item in ("heart.txt", "lung.txt", "senses/eye.txt")
        ]
        return
    assert all(
        page(address, path)
        for path in (
            ["/", "/healthz"] if stack == "fastapi" else [FACTS[stack]["health_path"] or "/"]
        )
    )
    if storage != "none":
        file = FACTS[stack].get("storage_path", "/data") + "/file"
        run("kubectl", "-n", project, "exec", pod, "--", "sh", "-c", f"echo kept > {file}")
        rolls = account == "default" and FACTS[stack]["update_with_storage"] == "RollingUpdate"
        with (
            asking(address, FACTS[stack]["health_path"])
            if rolls
            else contextlib.nullcontext(([], [])) as (asked, failures)
        ):
            run("kubectl", "-n", project, "rollout", "restart", f"deployment/{app}")
            assert (
                run(
                    "kubectl",
                    "-n",
                    project,
                    "rollout",
                    "status",
                    f"deployment/{app}",
                    "--timeout=120s",
                ).returncode
                == 0
            )
            if rolls:
                assert (
                    run(
                        "kubectl",
                        "-n",
                        project,
                        "wait",
                        "--for=delete",
                        f"pod/{pod}",
                        "--timeout=60s",
                    ).returncode
                    == 0
                )
        assert failures == [] and (len(asked) > 250 or not rolls), (len(asked), failures)
        assert (
            run("kubectl", "-n", project, "exec", f"deployment/{app}", "--", "cat", file).stdout
            == "kept\n"
        )


DIGEST = re.compile("sha256:[0-9a-f]{64}")
WHEEL = """
import pathlib, zipfile
with zipfile.ZipFile("mine-1-py3-none-any.whl", "w") as wheel:
    wheel.writestr("mine.py", "")
    wheel.writestr("mine-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: mine\\nVersion: 1\\n")
    wheel.writestr("mine-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("mine-1.dist-info/RECORD", "mine.py,,\\nmine-1.dist-info/METADATA,,\\nmine-1.dist-info/WHEEL,,\\nmine-1.dist-info/RECORD,,\\n")
"""


@pytest.mark.builds("jupyterlab")
def test_a_cell_runs_over_the_websocket_and_what_it_installs_outlives_the_pod(bring_up, tmp_path):
    name = f"jupyterlab-{uuid.uuid4().hex[:6]}"
    made = bake(
        tmp_path,
        repo_name=name,
        stack="jupyterlab",
        github_username=USER,
        openshift_project="demo-project",
    )
    assert made.status == 0, made.text
    _, address = bring_up(made, "demo-project", name)
    oc = ["kubectl", "-n", "demo-project"]

    def token():
        return run(
            *oc,
            "get",
            "secret",
            f"{name}-token",
            "-o",
            "go-template={{.data.token | base64decode}}",
        ).stdout

    def cell(code, token):
        return run(
            "docker",
            "run",
            "--rm",
            "-i",
            "--network",
            "host",
            "-e",
            f"JUPYTER_TOKEN={token}",
            "-v",
            f"{Path(__file__).parent / 'cell.py'}:/cell.py:ro",
            f"ghcr.io/maastrichtu-ids/{name}:latest",
            "python",
            "/cell.py",
            f"http://{address}",
            input=code,
        )

    secret = token()
    assert (
        re.fullmatch("[0-9a-f]{48}", secret)
        and secret not in run(*oc, "logs", f"deployment/{name}").stdout
    )
    page(address, "/api")
    assert cell("print(1)", "wrong").returncode != 0
    said = cell(
        WHEEL
        + "%pip install -q --no-index ./mine-1-py3-none-any.whl\nimport mine, os\nprint(mine.__file__, 'JUPYTER_TOKEN' in os.environ, pathlib.Path('notebooks/start.ipynb').exists())",
        secret,
    )
    assert said.returncode == 0 and re.search(
        r"/home/jovyan/\.local/\S+ False True", said.stdout
    ), said.stdout + said.stderr
    again = run(*oc, "create", "secret", "generic", f"{name}-token", "--from-literal=token=another")
    assert again.returncode != 0 and token() == secret
    run(*oc, "rollout", "restart", f"deployment/{name}")
    assert run(*oc, "rollout", "status", f"deployment/{name}", "--timeout=120s").returncode == 0
    page(address, "/api")
    said = cell("import mine\nprint(mine.__file__)", secret)
    assert said.returncode == 0 and said.stdout.startswith("/home/jovyan/.local/"), (
        said.stdout + said.stderr
    )


def test_the_documented_database_serves_the_service_and_outlives_its_pod(
    bring_up, cluster, tmp_path
):
    name = f"api-{uuid.uuid4().hex[:6]}"
    made = bake(tmp_path, repo_name=name, stack="fastapi", github_username=USER)
    section = (
        (made / "README.md")
        .read_text(encoding="utf-8")
        .split("### With a database")[1]
        .split("\n## ")[0]
    )
    database, variable = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    secret, backup = re.findall(r"(?m)(?:^    .*\n)+", re.sub(r"(?s)```yaml.*?```", "", section))
    (made / "database.yaml").write_text(database, encoding="utf-8")
    manifest = made / "openshift/deployment.yaml"
    manifest.write_text(
        manifest.read_text(encoding="utf-8").replace(
            "          env:\n", "          env:\n" + variable
        ),
        encoding="utf-8",
    )
    settings, setting = made / "app/settings.py", re.search("`(database_url: .*?)`", section)[1]
    settings.write_text(
        settings.read_text(encoding="utf-8").replace(
            "    log_level", f"    {setting}\n    log_level"
        ),
        encoding="utf-8",
    )
    terminal = shell(cluster, made.path)
    try:
        seen = paste(terminal, secret) + paste(
            terminal,
            f"    oc -n demo-project apply -f database.yaml\n    oc -n demo-project rollout status deployment/{name}-db --timeout=2m\n",
        )
        assert "successfully rolled out" in seen, seen
        pod, _ = bring_up(made, "demo-project", name)
        oc = ["kubectl", "-n", "demo-project"]
        database_pod = [*oc, "exec", f"deployment/{name}-db", "--", "sh", "-c"]
        # The address as the service has it, used from a pod that has a client.
        address = run(
            *oc,
            "exec",
            pod,
            "--",
            "python",
            "-c",
            "from app.settings import settings; print(settings.database_url)",
        ).stdout.strip()
        assert address.startswith("postgresql://app:") and address.rpartition(":")[0] not in seen
        assert (
            run(
                *database_pod, f"psql '{address}' -c 'create table t as select 42 as kept'"
            ).returncode
            == 0
        )
        run(*oc, "rollout", "restart", f"deployment/{name}-db")
        assert (
            run(*oc, "rollout", "status", f"deployment/{name}-db", "--timeout=120s").returncode == 0
        )
        page(
            f"{run(*oc, 'get', 'service', name, '-o', 'jsonpath={.spec.clusterIP}').stdout}",
            "/healthz",
        )
        said = paste(terminal, backup)
        assert terminal.match[1] == "0", said
        assert "42" in (made / "database.sql").read_text(encoding="utf-8")
    finally:
        terminal.close(force=True)
        run(
            "kubectl",
            "-n",
            "demo-project",
            "exec",
            f"deployment/{name}-db",
            "--",
            "sh",
            "-c",
            "rm -rf /var/lib/pgsql/data/*",
        )  # a volume may serve another test
        run(
            "kubectl",
            "-n",
            "demo-project",
            "delete",
            "-f",
            str(made / "database.yaml"),
            "--wait=false",
        )
        run("kubectl", "-n", "demo-project", "delete", "secret", f"{name}-db")


def evict(pod):
    """The API server's answer to an eviction, as at a node's drain."""
    eviction = json.dumps(
        {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": "demo-project"},
        }
    )
    return run(
        "kubectl",
        "create",
        "--raw",
        f"/api/v1/namespaces/demo-project/pods/{pod}/eviction",
        "-f",
        "-",
        input=eviction,
    )


@pytest.fixture
def deployed(bring_up, cluster, tmp_path):
    """A service that runs, and all that is asked of it: the repository, a terminal there, the Service's address, kubectl's answers."""

    class Deployed:
        name = f"life-{uuid.uuid4().hex[:6]}"
        image = f"ghcr.io/maastrichtu-ids/{name}"
        made = bake(tmp_path, repo_name=name, stack="fastapi", storage="5Gi", github_username=USER)
        assert made.status == 0, made.text
        pod, address = bring_up(made, "demo-project", name)
        terminal, later, steps, seen = shell(cluster, made.path), later(made), blocks(made.text), ""

        def paste(self, block, *typed):
            done = paste(self.terminal, block, *typed)
            self.seen += done
            return done

        def of(self, kind, path, *words):
            return run(
                "kubectl", "-n", "demo-project", "get", kind, *words, "-o", f"jsonpath={path}"
            ).stdout

        def here(self, path, *words):
            return self.of(f"deployment/{self.name}", path, *words)

        def pods(self):
            return set(
                self.of(
                    "pod", "{.items[*].metadata.name}", "-l", f"app.kubernetes.io/name={self.name}"
                ).split()
            )

        def rolled_out(self):
            assert (
                run(
                    "kubectl",
                    "-n",
                    "demo-project",
                    "rollout",
                    "status",
                    f"deployment/{self.name}",
                    "--timeout=120s",
                ).returncode
                == 0
            )

        def apply(self, *options):
            done = run("kubectl", "apply", "-k", str(self.made / "openshift"), *options)
            assert done.returncode == 0, done.stderr

        def edit(self, file, old, new):
            text = (self.made / file).read_text(encoding="utf-8")
            assert text.count(old) == 1, (file, old)
            (self.made / file).write_text(text.replace(old, new), encoding="utf-8")

    service = Deployed()
    yield service
    service.terminal.close(force=True)
    run(
        "kubectl",
        "-n",
        "demo-project",
        "delete",
        f"secret/{service.name}-settings",
        f"hpa/{service.name}",
        f"pdb/{service.name}",
        "--ignore-not-found",
    )


def test_a_secret_reaches_the_application_and_stays(deployed):
    text = (
        (deployed.made / "openshift/README.md")
        .read_text(encoding="utf-8")
        .split("### A setting, a secret")[1]
    )
    first, typed = [
        block for block in deployed.later["A setting, a secret"] if "Read-Host" not in block
    ]
    secrets = {
        "API_KEY": f"s3cret'\"$(id)={uuid.uuid4().hex}",
        "TITLE": f"Of {deployed.name}",
    }  # `title` is a setting of the stack's
    deployed.paste(first)
    for name, value in secrets.items():
        deployed.paste(typed.replace("API_KEY", name), ("Value: ", value))
    lines = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1]
    deployed.edit(
        "openshift/deployment.yaml",
        "          imagePullPolicy: Always\n",
        "          imagePullPolicy: Always\n" + lines,
    )
    for _ in range(2):  # a later one keeps them
        deployed.paste("    oc apply -k openshift\n")
        deployed.rolled_out()
    assert (
        run(
            "kubectl",
            "-n",
            "demo-project",
            "exec",
            f"deployment/{deployed.name}",
            "--",
            "printenv",
            "API_KEY",
        ).stdout
        == secrets["API_KEY"] + "\n"
    )
    until(lambda: secrets["TITLE"] in page(deployed.address))
    assert not [value for value in secrets.values() if value in deployed.seen]
    deployed.paste(typed.replace("API_KEY", "TITLE"), ("Value: ", "Another title"))
    deployed.paste("    " + re.search(r"`(oc -n \S+ rollout restart \S+)`", text)[1] + "\n")
    deployed.rolled_out()
    until(lambda: "Another title" in page(deployed.address))


def test_more_pods_by_hand_and_by_load_outlive_an_apply(deployed):
    by_hand, by_load, budget, back = deployed.later["More pods"]
    deployed.paste(by_hand)
    deployed.rolled_out()
    for options in ((), ("--server-side", "--force-conflicts"), ()):
        deployed.apply(*options)
        assert deployed.here("{.spec.replicas} {.status.readyReplicas}") == "3 3"
    file = run(
        "kubectl",
        "-n",
        "demo-project",
        "exec",
        f"deployment/{deployed.name}",
        "--",
        "sh",
        "-c",
        "echo shared > /data/file",
    )
    assert file.returncode == 0
    for pod in deployed.pods():
        assert (
            run("kubectl", "-n", "demo-project", "exec", pod, "--", "cat", "/data/file").stdout
            == "shared\n"
        )
    deployed.paste(back)
    until(lambda: len(deployed.pods()) == 1)
    deployed.paste(by_load)
    assert (
        deployed.of(
            f"hpa/{deployed.name}",
            "{.spec.minReplicas} {.spec.maxReplicas} {.spec.metrics[*].resource.target.averageUtilization}",
        )
        == "2 6 70"
    )
    until(
        lambda: deployed.here("{.spec.replicas} {.status.readyReplicas}") == "2 2"
    )  # the least, which needs no measuring
    deployed.apply()
    assert deployed.here("{.spec.replicas}") == "2"
    deployed.paste(budget)
    until(lambda: deployed.of(f"pdb/{deployed.name}", "{.status.disruptionsAllowed}") == "1")
    evicted = [evict(pod) for pod in deployed.pods()]
    assert [done.returncode for done in evicted] == [0, 1] and "disruption budget" in evicted[
        1
    ].stderr, evicted
    deployed.paste(back)
    assert deployed.here("{.spec.replicas}") == "1" and deployed.name not in deployed.of(
        "hpa,pdb", "{.items[*].metadata.name}"
    )


def test_one_command_goes_forth_and_one_back(deployed):
    older = DIGEST.search(
        run("docker", "buildx", "imagetools", "inspect", f"{deployed.image}:latest").stdout
    )[0]
    built = run(
        "docker",
        "buildx",
        "build",
        "--builder",
        "default",
        "--load",
        "-t",
        f"{deployed.image}:latest",
        "-",
        input=f"FROM {deployed.image}:latest\nENV TITLE=newer\n",
    )
    assert built.returncode == 0, built.stderr
    assert run("docker", "push", "--quiet", f"{deployed.image}:latest").returncode == 0
    newer = DIGEST.search(
        run("docker", "buildx", "imagetools", "inspect", f"{deployed.image}:latest").stdout
    )[0]
    for digest, title in ((newer, "newer"), (older, "My DSRI project")):
        command = run(
            sys.executable,
            str(deployed.made / "openshift/image.py"),
            "rollout",
            f"{deployed.image}@{digest}",
        ).stdout
        deployed.paste("    " + command)
        deployed.rolled_out()
        assert deployed.here("{.spec.template.spec.containers[0].image}").endswith(digest)
        until(lambda: f"<title>{title}" in page(deployed.address))


def test_a_token_is_renewed_under_running_pods(deployed):
    renew = deployed.steps["4"][0]
    deployed.paste(
        renew, ("Token: ", uuid.uuid4().hex)
    )  # the registry refuses it, as it does one that has ended
    page(deployed.address, "/healthz")
    with asking(deployed.address, "/healthz") as (asked, failures):
        assert (
            run(
                "kubectl", "-n", "demo-project", "rollout", "restart", f"deployment/{deployed.name}"
            ).returncode
            == 0
        )
        selected = ("pod", "-l", f"app.kubernetes.io/name={deployed.name}")
        until(
            lambda: (
                "ImagePull"
                in deployed.of(
                    selected[0],
                    "{.items[*].status.containerStatuses[*].state.waiting.reason}",
                    *selected[1:],
                )
            )
        )
        deployed.paste(renew, ("Token: ", READ))
        assert deployed.pod in deployed.pods()
        deployed.rolled_out()
        assert (
            run(
                "kubectl",
                "-n",
                "demo-project",
                "wait",
                "--for=delete",
                f"pod/{deployed.pod}",
                "--timeout=60s",
            ).returncode
            == 0
        )
    assert failures == [] and len(asked) > 250, (len(asked), failures)


def test_another_name_and_another_project(deployed):
    volume = deployed.of(f"pvc/{deployed.name}", "{.spec.volumeName}")
    assert volume
    # Another owner or name: the lines that the text names.
    text = (
        (deployed.made / "openshift/README.md")
        .read_text(encoding="utf-8")
        .split("### Another owner")[1]
        .split("\n2. ")[0]
    )
    image = f"ghcr.io/{USER}/{deployed.name}-renamed"
    old, files = re.search(r"`(ghcr\.io/\S+)`", text)[1], re.findall(r"`(openshift/\S+)`", text)
    assert run("docker", "tag", f"{deployed.image}:latest", f"{image}:latest").returncode == 0
    try:
        assert run("docker", "push", "--quiet", f"{image}:latest").returncode == 0
        for file in files:
            deployed.edit(file, old, image)
        assert (
            len(files) == 2
            and run("grep", "-rl", old, "--include=*.yaml", str(deployed.made / "openshift")).stdout
            == ""
        )
        deployed.paste("    oc apply -k openshift\n")
        deployed.rolled_out()
        assert deployed.here("{.spec.template.spec.containers[0].image}") == f"{image}:latest"
        assert deployed.of(f"pvc/{deployed.name}", "{.spec.volumeName}") == volume
        # Another project: the line that the text names, and the steps with its name.
        deployed.edit("openshift/kustomization.yaml", "demo-project", "anyuid-project")
        for step, *typed in (("3",), ("4", ("Token: ", READ)), ("5",)):
            said = deployed.paste(
                deployed.steps[step][0].replace("demo-project", "anyuid-project"), *typed
            )
        assert "successfully rolled out" in said, said
        deployed.paste(deployed.later["Another project"][0].replace("OLD-PROJECT", "demo-project"))
        objects = (
            "all,route,pvc",
            "{.items[*].metadata.name}",
            "-l",
            f"app.kubernetes.io/part-of={deployed.name}",
        )
        until(lambda: not deployed.of(*objects))
        assert (
            run(
                "kubectl",
                "-n",
                "anyuid-project",
                "get",
                "deployment",
                deployed.name,
                "-o",
                "jsonpath={.status.readyReplicas}",
            ).stdout
            == "1"
        )
    finally:
        run("docker", "image", "rm", "--force", f"{image}:latest")


def test_a_public_image_needs_no_secret_but_one_that_has_ended_is_in_the_way(cluster, tmp_path):
    need(
        os.environ.get("GHCR_PASSWORDS"),
        "GHCR_PASSWORDS, that is a registry of one's own, where octo-public's images are public",
    )
    name = f"public-{uuid.uuid4().hex[:6]}"
    made = bake(
        tmp_path,
        repo_name=name,
        stack="own-dockerfile",
        github_owner="octo-public",
        github_username=USER,
        pull_secret_name=f"{name}-pull",
    )
    assert made.status == 0, made.text
    image, oc = f"ghcr.io/octo-public/{name}:latest", ["kubectl", "-n", "demo-project"]
    terminal = shell(cluster, made.path)
    try:
        for command in (
            [
                "docker",
                "buildx",
                "build",
                "--builder",
                "default",
                "--load",
                "-t",
                image,
                str(made.path),
            ],
            ["docker", "push", "--quiet", image],
            [
                *oc,
                "create",
                "secret",
                "docker-registry",
                f"{name}-pull",
                "--docker-server=ghcr.io",
                f"--docker-username={USER}",
                "--docker-password=ended",
            ],
            ["kubectl", "apply", "-k", str(made / "openshift")],
        ):
            done = run(*command)
            assert done.returncode == 0, done.stderr
        until(
            lambda: (
                "ImagePull"
                in run(
                    *oc,
                    "get",
                    "pod",
                    "-l",
                    f"app.kubernetes.io/name={name}",
                    "-o",
                    "jsonpath={.items[*].status.containerStatuses[*].state.waiting.reason}",
                ).stdout
            )
        )
        paste(terminal, later(made)["Public, private"][0])
        assert run(*oc, "rollout", "status", f"deployment/{name}", "--timeout=120s").returncode == 0
    finally:
        terminal.close(force=True)
        run("kubectl", "delete", "-k", str(made / "openshift"), "--wait=false")
        run(*oc, "delete", "secret", f"{name}-pull", "--ignore-not-found")
        run("docker", "image", "rm", "--force", image)


@pytest.mark.builds("react", "fastapi")
def test_two_repositories_are_one_application_in_a_browser(bring_up, tmp_path):
    page_name, api_name = (f"{what}-{uuid.uuid4().hex[:6]}" for what in ("page", "api"))
    front = bake(tmp_path, repo_name=page_name, stack="react", github_username=USER)
    back = bake(tmp_path, repo_name=api_name, stack="fastapi", github_username=USER)
    assert front.status == back.status == 0, front.text + back.text
    manifest = front / "openshift/deployment.yaml"
    text, count = re.subn(
        r'("BACKEND_URL"\n +value: )""',
        rf'\1"http://{api_name}"',
        manifest.read_text(encoding="utf-8"),
    )
    assert count == 1
    manifest.write_text(text, encoding="utf-8")
    # As fastapi's README says: no Route of its own.
    kustomization = back / "openshift/kustomization.yaml"
    kustomization.write_text(
        kustomization.read_text(encoding="utf-8").replace("  - route.yaml\n", ""), encoding="utf-8"
    )
    _, address = bring_up(front, "demo-project", page_name)
    page(address)
    sees(f"http://{address}/", "The backend does not answer (status 502).")
    bring_up(back, "demo-project", api_name)
    page(address, "/api/healthz")
    sees(f"http://{address}/any/route", '{"status":"ok"}')


@pytest.mark.builds("r-shiny")
def test_a_shiny_session_is_held_and_goes_on_in_another_pod_when_its_own_ends(bring_up, tmp_path):
    name, title = f"r-shiny-{uuid.uuid4().hex[:6]}", 'Penguins <of> "Palmer"'
    made = bake(
        tmp_path,
        repo_name=name,
        stack="r-shiny",
        project_name=title,
        github_username=USER,
        openshift_project="demo-project",
    )
    assert made.status == 0, made.text
    with Browser() as browser:
        _, address = bring_up(made, "demo-project", name)
        oc = ["kubectl", "-n", "demo-project"]
        run(*oc, "scale", f"deployment/{name}", "--replicas=2")
        assert run(*oc, "rollout", "status", f"deployment/{name}", "--timeout=120s").returncode == 0
        page(address, "/healthz")

        def drawn(measure):
            return f"(document.querySelector('#plot img[src^=\"data:image/png;base64,\"]')?.alt ?? '').includes('{measure}')"

        browser.open(f"http://{address}/")
        browser.wait(drawn("bill length"))
        assert (
            browser.value("document.title")
            == browser.value("document.querySelector('h1').textContent")
            == title
        )
        session = browser.value("Shiny.shinyapp.config.sessionId")
        time.sleep(5)  # as somebody who reads
        browser.value("document.querySelector('input[value=flipper_len]').click()")
        browser.wait(drawn("flipper length"))
        assert browser.value("Shiny.shinyapp.config.sessionId") == session
        # As with a new image: both pods are replaced; the browser's new session gets what was chosen.
        run(*oc, "rollout", "restart", f"deployment/{name}")
        assert run(*oc, "rollout", "status", f"deployment/{name}", "--timeout=120s").returncode == 0
        browser.wait(
            f"Shiny.shinyapp.isConnected() && Shiny.shinyapp.config.sessionId !== '{session}' && {drawn('flipper length')}"
        )
        assert (
            browser.value("document.querySelector('input[name=measure]:checked').value")
            == "flipper_len"
        )


def test_a_repository_that_was_there_comes_up_with_its_own_dockerfile(bring_up, tmp_path):
    name = f"mine-{uuid.uuid4().hex[:6]}"
    (tmp_path / name).mkdir()
    mine = tmp_path / name / "Dockerfile"
    mine.write_text(
        f"FROM {BASE}\nWORKDIR /srv\nRUN echo mine > index.html\nEXPOSE 8501\nCMD python3 -m http.server 8501\n",
        encoding="utf-8",
    )
    before = mine.read_bytes()
    made = bake(
        tmp_path,
        "-f",
        "-s",
        repo_name=name,
        stack="own-dockerfile",
        port="8501",
        github_username=USER,
    )
    assert made.status == 0 and mine.read_bytes() == before, made.text
    _, address = bring_up(made, "demo-project", name)
    assert page(address) == "mine\n"


def test_a_run_keeps_what_the_manifest_says_and_a_broken_one_stops_at_once(bring_up, tmp_path):
    name = f"batch-{uuid.uuid4().hex[:6]}"
    made = bake(
        tmp_path,
        repo_name=name,
        stack="batch-job",
        github_username=USER,
        openshift_project="demo-project",
    )
    assert made.status == 0, made.text
    pod, _ = bring_up(made, "demo-project", name)
    oc = ["kubectl", "-n", "demo-project"]

    def look(kind, name):
        return json.loads(run(*oc, "get", kind, name, "-o", "json").stdout)

    template, job = (
        look("cronjob", name)["spec"]["jobTemplate"]["spec"],
        look("job", f"{name}-1")["spec"],
    )
    assert {key: job[key] for key in template if key != "template"} == {
        key: template[key] for key in template if key != "template"
    }
    assert (
        job["template"]["spec"] == template["template"]["spec"] and job["backoffLimitPerIndex"] == 2
    )
    # An apply starts nothing, and changes no run.
    assert run("kubectl", "apply", "-k", str(made / "openshift")).returncode == 0
    # The second run finds no inputs, which no further attempt would change.
    assert run(*oc, "exec", pod, "--", "rm", "-r", "/data/inputs").returncode == 0
    commands = run(
        sys.executable,
        str(made / "openshift/image.py"),
        "rollout",
        f"ghcr.io/maastrichtu-ids/{name}@"
        + DIGEST.search(
            run(
                "docker",
                "buildx",
                "imagetools",
                "inspect",
                f"ghcr.io/maastrichtu-ids/{name}:latest",
            ).stdout
        )[0],
    )
    shell = run("sh", "-e", input=commands.stdout.replace("oc ", "kubectl "))
    assert shell.returncode == 0, shell.stderr
    started = re.search(r"create job (\S+)", commands.stdout)[1]
    assert (
        run(*oc, "wait", f"job/{started}", "--for=condition=Failed", "--timeout=120s").returncode
        == 0
    )
    condition = next(
        c for c in look("job", started)["status"]["conditions"] if c["type"] == "Failed"
    )
    assert condition["reason"] == "PodFailurePolicy" and "exit code 2" in condition["message"], (
        condition
    )
    assert "@sha256:" in look("job", started)["spec"]["template"]["spec"]["containers"][0]["image"]
    assert (
        len(
            json.loads(
                run(*oc, "get", "jobs", "-l", f"app.kubernetes.io/name={name}", "-o", "json").stdout
            )["items"]
        )
        == 2
    )


WORK = '''
import json, os, platform, time
from pathlib import Path

SUFFIX = ".json"


def note(source: Path, what: str) -> None:
    """Append to the log that is kept of each item: when, where, what."""
    calls = Path(os.environ["DATA_DIR"]) / "calls"
    calls.mkdir(exist_ok=True)
    with (calls / source.name).open("a") as file:
        file.write(f"{time.time()} {platform.node()} {what}\\n")


def work(source: Path) -> bytes:
    note(source, "begin")
    # In the middle of its first item until told, however long the others take to come.
    while source.name.startswith("item-") and not Path(os.environ["DATA_DIR"], "go").exists():
        time.sleep(0.1)
    if source.name == "item-077":
        raise ValueError("the one that always fails")
    note(source, "end")
    return json.dumps({"host": platform.node()}).encode()
'''


def test_two_hundred_items_by_eight_pods_two_killed_one_evicted_and_one_item_that_always_fails(
    bring_up, tmp_path
):
    name = f"batch-{uuid.uuid4().hex[:6]}"
    made = bake(
        tmp_path,
        repo_name=name,
        stack="batch-job",
        github_username=USER,
        openshift_project="demo-project",
    )
    assert made.status == 0, made.text
    (made / "app/work.py").write_text(WORK, encoding="utf-8")
    pod, _ = bring_up(made, "demo-project", name)
    oc = ["kubectl", "-n", "demo-project"]
    manifest = made / "openshift/cronjob.yaml"
    # So little that eight fit on a small node.
    manifest.write_text(
        manifest.read_text(encoding="utf-8")
        .replace("completions: 32", "completions: 16")
        .replace('cpu: "500m"', 'cpu: "50m"'),
        encoding="utf-8",
    )
    assert run("kubectl", "apply", "-k", str(made / "openshift")).returncode == 0
    there = "cd /data && rm -r calls && for n in $(seq -w 0 199); do echo $n > inputs/item-$n; done"
    assert run(*oc, "exec", pod, "--", "sh", "-ec", there).returncode == 0
    assert run(*oc, "create", "job", f"{name}-2", f"--from=cronjob/{name}").returncode == 0

    def job():
        return json.loads(run(*oc, "get", "job", f"{name}-2", "-o", "json").stdout)["status"]

    def at_work():
        """The pods that are in the middle of an item, the newest first."""
        begun = run(
            *oc, "exec", pod, "--", "sh", "-c", "tail -qn 1 /data/calls/* 2>/dev/null"
        ).stdout
        hosts = re.findall(r" (\S+) begin", begun)
        pods = json.loads(run(*oc, "get", "pod", "-l", f"job-name={name}-2", "-o", "json").stdout)[
            "items"
        ]
        pods.sort(key=lambda p: p["status"].get("startTime", ""), reverse=True)
        return [
            p["metadata"]["name"]
            for p in pods
            if p["status"]["phase"] == "Running" and p["spec"]["hostname"] in hosts
        ]

    until(lambda: len(at_work()) >= 8, seconds=240, why=job)
    *killed, evicted = at_work()[:3]
    assert run(*oc, "delete", "pod", killed[0], "--wait=false").returncode == 0
    assert run(*oc, "delete", "pod", killed[1], "--force", "--grace-period=0").returncode == 0
    assert evict(evicted).returncode == 0
    ended = run(
        *oc,
        "wait",
        "--for=delete",
        *[f"pod/{gone}" for gone in (*killed, evicted)],
        "--timeout=60s",
    )
    assert ended.returncode == 0, ended.stderr
    assert run(*oc, "exec", pod, "--", "touch", "/data/go").returncode == 0
    assert (
        run(*oc, "wait", f"job/{name}-2", "--for=condition=Failed", "--timeout=240s").returncode
        == 0
    ), job()

    status = job()
    assert status["failedIndexes"].isdigit() and len(status["failedIndexes"]) <= 2, (
        status
    )  # one share, for its one item
    pods = json.loads(run(*oc, "get", "pod", "-l", f"job-name={name}-2", "-o", "json").stdout)[
        "items"
    ]
    next_of = {
        old: [
            p["metadata"]["annotations"]
            for p in pods
            if p["metadata"]["name"] != old
            and p["metadata"]["name"].startswith(old.rpartition("-")[0] + "-")
        ]
        for old in [*killed, evicted]
    }
    assert all(next_of.values()), (
        next_of
    )  # all three were in the middle of their shares, which another pod went on with
    count = "batch.kubernetes.io/job-index-failure-count"
    assert next_of[killed[0]][0][count] == "1" and next_of[evicted][0][count] == "0", (
        next_of
    )  # an eviction is no fault
    lines = run(
        *oc, "exec", pod, "--", "sh", "-c", "cd /data/calls && grep -H . *"
    ).stdout.splitlines()
    calls = {}
    for line in lines:
        item, _, rest = line.partition(":")
        calls.setdefault(item, []).append(rest.split()[2])
    results = run(
        *oc, "exec", pod, "--", "sh", "-c", "cd /data/results && ls -A | grep item-"
    ).stdout.split()
    assert sorted(results) == sorted(f"item-{n:03}.json" for n in range(200) if n != 77)
    records = run(
        *oc, "exec", pod, "--", "sh", "-c", "cd /data/failures && grep -H reason *"
    ).stdout
    assert (
        set(re.findall(r"(?m)^([^:]+):", records)) == {"item-077.jsonl"}
        and "ValueError: the one that always fails" in records
    )
    assert (
        run(*oc, "exec", pod, "--", "sh", "-c", "find /data/results -name '.*' -type f").stdout
        == ""
    )
    # Every other item was finished once; begun again were at most the three that these pods had under way.
    assert {item for item, what in calls.items() if what.count("end") != 1} == {
        "item-077"
    } and calls["item-077"] == ["begin"] * 3
    again = [item for item, what in calls.items() if what.count("begin") > 1 and item != "item-077"]
    assert len(calls) == 200 and len(again) <= 3, again
