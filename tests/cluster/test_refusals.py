"""Promise 2 and 7: what the cluster refuses, made for real: its reasons are found in the table of the generated openshift/README.md,
and what the table says to do makes the pod Ready. Reasons and status codes are compared, never a runtime's sentences."""

import json
import os
import re
import uuid
from pathlib import Path

import pytest
from conftest import FACTS, bake, need, run
from terminal import blocks
from trials import PASSWORDS, PROJECT, READ, TOKEN, USER, WITH_ANYUID, oc, pull_secret, row

NO_SECRET, NO_TOKEN, NO_IMAGE, RESOURCES = (
    "no secret of the name",
    "The pod has no token",
    "no such image or tag",
    "`resources` leaves one out",
)
CASES = [
    ("wrong", NO_TOKEN),
    ("unlinked", NO_TOKEN),
    ("stale", NO_TOKEN),
    ("nowhere", NO_SECRET),
    ("elsewhere", NO_SECRET),
    ("no-tag", NO_IMAGE),
    ("no-image", NO_IMAGE),
    ("capitals", "capital letter"),
    ("fixed-user", "fixes a user or group ID"),
    ("fixed-group", "fixes a user or group ID"),
    ("no-account", "no account of that name"),
    ("no-resources", RESOURCES),
    ("no-limit", RESOURCES),
    ("too-much", RESOURCES),
    ("too-many", "No node has free"),
    ("no-class", "storage is not there"),
    ("no-secret", "A Secret or ConfigMap"),
    ("memory", "more memory than its limit"),
    ("no-read", "any user of group 0"),
    ("no-write", "any user of group 0"),
    ("low-port", "any user of group 0"),
    ("ends", "ends by itself"),
    ("other-port", "does not listen"),
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
    section = (
        (made / "openshift/README.md")
        .read_text(encoding="utf-8")
        .split("## When it does not start")[1]
    )
    return ["    " + command for command in dict.fromkeys(re.findall("`(oc .*?)`", section))]


def restart(made):
    return next(command for command in commands(made) if "rollout restart" in command)


@pytest.mark.parametrize(
    "case, why, steps",
    [("missing", NO_SECRET, "Step 4."), ("mistyped", NO_TOKEN, "Steps 3 and 4.")],
)
def test_what_the_table_says_to_do_makes_the_pod_ready(trials, case, why, steps):
    _, _, _, cure = trials.symptom(case, why)
    assert cure.startswith(steps)
    made = getattr(trials, case)
    trials.paste(made, [blocks(made.text)["4"][0], ("Token: ", READ)], [restart(made)])
    trials.ready(case)


def test_a_token_that_ends_stops_the_next_pull(trials):
    need(
        PASSWORDS,
        "GHCR_PASSWORDS, the file with the passwords of a registry of one's own: `w PASSWORD` may publish, `r PASSWORD` read",
    )
    passwords = Path(PASSWORDS)
    password = uuid.uuid4().hex
    trials.objects = []
    trials.add(pull_secret(trials.name("expired"), PROJECT, password))
    trials.trial("expired", "expired")
    with passwords.open("a") as lines:
        lines.write(f"r {password}\n")
    try:
        trials.start()
        trials.ready("expired")
    finally:
        others = [line for line in passwords.read_text().splitlines(True) if password not in line]
        replaced = passwords.with_name(password)
        replaced.write_text("".join(others))
        os.replace(replaced, passwords)
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
        users.append(
            oc(
                WITH_ANYUID, "exec", f"deployment/{trials.name(case)}", "--", "id", "-u"
            ).stdout.strip()
        )
    assert users[0] == "1001" and re.fullmatch(r"\d{10}", users[1]), users


def test_the_newest_image_comes_with_the_command_for_it(trials):
    name, image = trials.name("control"), f"ghcr.io/maastrichtu-ids/{trials.name('control')}:latest"
    trials.ready("control")
    page = ["exec", f"deployment/{name}", "--", "cat", "public/index.html"]
    older = oc(PROJECT, *page).stdout
    newer = run(
        "docker",
        "buildx",
        "build",
        "--builder",
        "default",
        "--load",
        "-t",
        image,
        "-",
        input=f"FROM {trials.images[0]}\nUSER 0\nRUN echo newer > public/index.html\nUSER 1001:0\n",
    )
    assert newer.returncode == 0, newer.stderr
    assert run("docker", "push", "--quiet", image).returncode == 0
    assert oc(PROJECT, *page).stdout == older
    trials.paste(trials.made, [restart(trials.made).replace(trials.made.path.name, name)])
    trials.ready("control")
    assert oc(PROJECT, *page).stdout == "newer\n" != older


def test_every_row_of_the_table_was_seen(trials):
    if not {"push", *[case for case, _ in CASES]} <= trials.asked:
        pytest.skip("needs all the tests of this file")
    # Only a router says that an answer took too long, and a cluster for tests has none.
    routers = {number for number, row_ in enumerate(trials.rows) if "The router waits" in row_[2]}
    assert len(routers) == 1
    assert trials.found == set(range(len(trials.rows))) - routers


def test_every_command_beside_the_table_runs(trials):
    trials.ready("control")
    assert len(commands(trials.made)) >= 6
    ours, control = trials.made.path.name, trials.name("control")
    route = (trials.made / "openshift/route.yaml").read_text(encoding="utf-8")
    applied = oc(PROJECT, "apply", "-f", "-", input=route.replace(ours, control))
    assert applied.returncode == 0, applied.stderr
    trials.paste(
        trials.made, *[[command.replace(ours, control)] for command in commands(trials.made)]
    )
    assert oc(PROJECT, "delete", "route", control).returncode == 0


@pytest.mark.parametrize("account", ["default", "anyuid"])
@pytest.mark.parametrize(
    "stack, storage",
    [
        (stack, storage)
        for stack in FACTS
        for storage in ("none", "5Gi")
        if storage != "none" or not FACTS[stack].get("needs_storage")
    ],
)
def test_the_server_takes_every_combination(cluster, tmp_path, stack, account, storage):
    project = WITH_ANYUID if account == "anyuid" else PROJECT
    made = bake(
        tmp_path,
        stack=stack,
        service_account=account,
        storage=storage,
        github_username=USER,
        openshift_project=project,
    )
    assert made.status == 0, made.text
    done = run("kubectl", "apply", "-k", str(made / "openshift"), "--dry-run=server", "-o", "json")
    assert done.returncode == 0 and "Warning" not in done.stderr, done.stderr
    # A workload is taken whatever its pods are: they are asked for by themselves.
    specs = [item.get("spec", {}) for item in json.loads(done.stdout)["items"]]
    pods = [
        spec["template"]
        for spec in [spec.get("jobTemplate", {}).get("spec", spec) for spec in specs]
        if "template" in spec
    ]
    assert pods
    for pod in pods:
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"generateName": "dry-run-", "namespace": project, **pod["metadata"]},
            "spec": pod["spec"],
        }
        asked = run("kubectl", "create", "--dry-run=server", "-f", "-", input=json.dumps(pod))
        assert asked.returncode == 0, asked.stderr
