"""What dsri doctor says of each situation on the cluster, one by one and in pairs: all that is wrong, nothing else, and how to fix it."""

import json
import os
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import TEMPLATE, need, run, until
from terminal import paste, shell
from test_refusals import CASES
from trials import PROJECT, READ, USER, oc

sys.path.insert(0, str(TEMPLATE / "src"))
from dsri.doctor.cluster import Cluster  # noqa: E402
from dsri.doctor.findings import findings  # noqa: E402
from dsri.doctor.gathering import LISTS, Question, gather  # noqa: E402

VERDICTS = {
    # What is well
    "control": [],
    "public": [],
    "named": [],
    "linked": [],
    "own-user": [],
    "whole": [],
    "run-ends": [],
    # Pull secrets
    "wrong": ["token-refused"],
    "stale": ["token-refused"],
    "nowhere": ["pull-secret-missing"],
    "elsewhere": ["pull-secret-missing"],
    "unlinked": ["pull-secret-not-linked"],
    "opaque": ["pull-secret-type"],
    "dockerhub": ["pull-secret-registry"],
    "empty": ["pull-secret-token"],
    "fine-grained": ["pull-secret-token"],
    # Images
    "no-tag": ["image-missing"],
    "no-image": ["image-missing"],
    "capitals": ["image-name"],
    "no-registry": ["registry-unreachable"],
    "newer": ["image-missing"],
    # What the project does not allow, or does not have
    "fixed-user": ["security-context"],
    "fixed-group": ["security-context"],
    "no-account": ["no-account"],
    "no-resources": ["resources-missing"],
    "first-bare": ["resources-missing"],
    "no-limit": ["resources-missing"],
    "too-much": ["maxima"],
    "over-quota": ["quota"],
    "too-many": ["no-room"],
    "no-class": ["claim-not-bound"],
    "no-claim": ["claim-missing"],
    "random-user": ["anyuid-lost"],
    # What the application does
    "no-secret": ["config-missing"],
    "no-file": ["config-missing"],
    "memory": ["out-of-memory"],
    "no-read": ["permission"],
    "no-write": ["root-read-only"],
    "read-only": ["volume-read-only"],
    "low-port": ["low-port"],
    "ends": ["crash"],
    "status-3": ["crash"],
    "other-processor": ["exec-format"],
    "no-program": ["command-missing"],
    "not-alive": ["liveness"],
    "other-port": ["wrong-port"],
    "only-local": ["wrong-port"],
    "other-path": ["health-path"],
    "no-such-port": ["probe-port"],
    "run-fails": ["job-failed"],
    # The way to it, and its releases
    "no-host": ["route-no-host"],
    "host-taken": ["route-refused"],
    "no-way": ["service-port"],
    "unprobed": ["service-port"],
    "other-labels": ["service-no-pods"],
    "off": ["scaled-down"],
    "paused": ["paused"],
    # Two at once, in the order in which to fix them
    "two-pulls": ["token-refused", "route-no-host"],
    "two-files": ["no-account", "claim-missing"],
    "two-rules": ["resources-missing", "security-context"],
    "two-containers": ["image-missing", "out-of-memory"],
    "two-ways": ["crash", "service-port", "route-refused"],
    "two-secrets": ["resources-missing", "pull-secret-missing"],
}


def verdict(trials, case, **options):
    project, name = trials.projects.get(case, PROJECT), trials.name(case)
    return findings(gather(Question("kubectl", project, name, [], github=False, **options)))


class Once(Cluster):
    """Asks for what is the same for all cases of a project once a pass."""

    kept = {}

    def raw(self, path):
        if not path.endswith((*[plural for _, plural in LISTS.values()], PROJECT)):
            return super().raw(path)
        if path not in self.kept:
            self.kept[path] = super().raw(path)
        return self.kept[path]


@pytest.fixture(scope="module")
def verdicts(trials):
    """The verdict on each case, once it is the expected one; the last one, if it never is."""
    newer = trials.name("newer")
    trials.ready("newer")
    done = oc(
        PROJECT,
        "set",
        "image",
        f"deployment/{newer}",
        f"{newer}=ghcr.io/maastrichtu-ids/{trials.name('control')}:none-such",
    )
    assert done.returncode == 0, done.stderr
    found, end = {}, time.monotonic() + 300
    with ThreadPoolExecutor(4) as pool, pytest.MonkeyPatch.context() as patch:
        patch.setattr("dsri.doctor.gathering.Cluster", Once)
        while time.monotonic() < end:
            open_ = [
                case
                for case, wanted in VERDICTS.items()
                if case not in found or [f.name for f in found[case]] != wanted
            ]
            if not open_:
                break
            Once.kept.clear()
            found.update(zip(open_, pool.map(lambda case: verdict(trials, case), open_)))
    return found


@pytest.mark.parametrize("case", VERDICTS)
def test_the_verdict(verdicts, case):
    assert [f.name for f in verdicts[case]] == VERDICTS[case], verdicts[case]


def test_there_are_enough_situations():
    assert (
        len([case for case, names in VERDICTS.items() if len(names) == 1]) >= 25
        and len([case for case, names in VERDICTS.items() if len(names) > 1]) >= 5
    )


def test_each_row_of_the_table_has_findings_of_its_own():
    rows = {}
    for case, why in CASES:
        if case in VERDICTS:
            rows.setdefault(why, set()).update(VERDICTS[case])
    assert set(rows) == {why for _, why in CASES}
    names = [name for found in rows.values() for name in found]
    # A secret that is not linked and one that is refused are one row there: both show as the same refusal.
    assert len(names) == len(set(names)), rows


def test_nothing_secret_is_shown(verdicts):
    text = str(verdicts["status-3"])
    assert "hunter2" not in text and "ghp_" not in text and "password=[hidden]" in text


def doctor(trials, tool, *words, cwd=None, **env):
    program = shutil.which("dsri", path=os.path.dirname(sys.executable))
    need(program, "dsri: pip install -e .")
    began, before = time.monotonic(), os.times()
    done = run(
        program,
        "doctor",
        *words,
        *(["--tool", tool] if tool else []),
        cwd=cwd,
        env={**trials.environment, **env},
    )
    took, after = time.monotonic() - began, os.times()
    # On a machine that has more to do, a look takes as long as the others let it: there what it does itself counts.
    if os.getloadavg()[0] > os.cpu_count():
        took = (
            after.children_user
            + after.children_system
            - before.children_user
            - before.children_system
        )
    return done, took


@pytest.fixture(params=["oc", "kubectl"])
def tool(request, trials):
    # tests/cluster/oc stands in for oc by kubectl, where oc is not installed.
    need(shutil.which(request.param, path=trials.environment["PATH"]), request.param)
    return request.param


@pytest.mark.parametrize("case, status", [("control", 0), ("two-containers", 1)])
def test_the_command(trials, verdicts, tool, case, status):
    done, seconds = doctor(
        trials, tool, "--project", PROJECT, "--name", trials.name(case), "--json"
    )
    said = json.loads(done.stdout)
    assert (done.returncode, [f["name"] for f in said["findings"]], said["tool"]) == (
        status,
        VERDICTS[case],
        tool,
    )
    assert seconds < 3


def test_the_command_in_a_repository(trials, tool):
    """It takes project, name and user from the manifests and the printed steps; here the registry is asked, too."""
    made = trials.mistyped
    trials.until("mistyped", lambda reasons, text: reasons & {"ErrImagePull", "ImagePullBackOff"})
    done, seconds = doctor(trials, tool, "--registry", cwd=made.path)
    assert done.returncode == 1 and "2 things to fix, in this order" in done.stdout.splitlines()[0]
    # Where GitHub's API can be asked, it says so of the token; elsewhere the registry's own answer has to do.
    assert re.search(r"1\. ghcr\.io refuses the token in the secret", done.stdout)
    assert re.search(
        "refuses the login itself|GitHub says that the token is wrong",
        " ".join(done.stdout.split()),
    )
    assert f"--docker-username={USER}" in done.stdout and "The Route" in done.stdout
    assert "none-such" not in done.stdout, "the token is shown"
    assert seconds < 3


@pytest.mark.parametrize(
    "words, env, status, says",
    [
        (["--project", "none-such", "--name", "x"], {}, 1, "There is no project none-such"),
        (["--project", PROJECT, "--name", "none-such"], {}, 1, "none-such is not deployed"),
        (["--project", PROJECT, "--name", "x"], {"KUBECONFIG": "/none-such"}, 2, "not logged in"),
        ([], {}, 2, "openshift cannot be read"),
    ],
)
def test_where_there_is_nothing_to_look_at(trials, tmp_path, tool, words, env, status, says):
    done, _ = doctor(trials, tool, *words, cwd=tmp_path, **env)
    assert done.returncode == status and says in done.stdout, done


def test_an_older_image_is_told_from_the_newest(trials):
    """With the registry asked: what runs, against what the tag is now."""
    case = "whole"
    assert [f.name for f in verdict(trials, case, ask_registry=True)] == []
    image = f"ghcr.io/maastrichtu-ids/{trials.name('control')}:latest"
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
        input=f"FROM {trials.images[0]}\nLABEL newer=yes\n",
    )
    assert newer.returncode == 0, newer.stderr
    assert run("docker", "push", "--quiet", image).returncode == 0
    found = verdict(trials, case, ask_registry=True)
    assert [f.name for f in found] == ["old-image"] and found[0].warning
    assert found[0].fix == [f"kubectl -n {PROJECT} rollout restart deployment/{trials.name(case)}"]


FIXED = ["opaque", "newer", "two-secrets", "no-way", "unprobed", "other-labels", "first-bare"]


def test_what_it_says_to_do_fixes_it(trials, verdicts):
    """Its own commands, pasted whole and in its own order; where it asks for a token, one is typed."""
    terminal = shell(trials.environment, trials.made.path)
    try:
        for case in FIXED:
            for finding in verdicts[case]:
                # What is no command is for people: an address, what to change in a file, the look at the publish run.
                lines = [
                    line.replace("GITHUB_USER", USER)
                    for line in finding.fix
                    if re.match(r" *(kubectl|stty|\() ", line) and "a classic token" not in line
                ]
                assert lines, finding
                paste(
                    terminal,
                    "\n".join("    " + line for line in lines),
                    *([("Token: ", READ)] if "Token: " in str(lines) else []),
                )
                assert terminal.match[1] == "0", (case, lines)
    finally:
        terminal.close(force=True)
    for case in FIXED:
        trials.ready(case)
        assert [f.name for f in verdict(trials, case)] == [], case


def test_it_changes_nothing(trials):
    """It is enough to be allowed to read."""
    name = trials.name("looker")
    made = [
        ("create", "serviceaccount", name),
        ("create", "rolebinding", name, "--clusterrole=view", f"--serviceaccount={PROJECT}:{name}"),
    ]
    try:
        for words in made:
            assert oc(PROJECT, *words).returncode == 0
        token = oc(PROJECT, "create", "token", name).stdout.strip()

        def may(what):
            return run(
                "kubectl", "--token", token, "auth", "can-i", "get", what, "-n", PROJECT
            ).stdout.strip()

        until(lambda: may("pods") == "yes")  # the server learns of a new binding a moment later
        assert may("secrets") == "no"
        config = trials.folder / "looker"
        config.write_text(
            re.sub(r"token: [^}\s]*", f"token: {token}", Path(os.environ["KUBECONFIG"]).read_text())
        )
        done, _ = doctor(
            trials,
            "kubectl",
            "--project",
            PROJECT,
            "--name",
            trials.name("two-containers"),
            "--json",
            KUBECONFIG=str(config),
        )
        said = json.loads(done.stdout)
        assert [f["name"] for f in said["findings"]] == VERDICTS[
            "two-containers"
        ] and "secrets" in said["notes"][-1], done
    finally:
        oc(PROJECT, "delete", "serviceaccount,rolebinding", name)
