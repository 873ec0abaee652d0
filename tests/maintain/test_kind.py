"""The template's own cluster (tests/cluster/kind), as far as it can be looked at without kind; GitHub's job `cluster` brings it up."""

import base64
import json
import re
import socket
import subprocess
import sys

import kubernetes_validate
import pytest
import yaml
from conftest import TEMPLATE, run, tool

KIND = TEMPLATE / "tests" / "cluster" / "kind"
NODE = yaml.safe_load((KIND / "kind.yaml").read_text(encoding="utf-8"))
RULES = yaml.safe_load((KIND / "dsri.yaml").read_text(encoding="utf-8"))["items"]
SERVICES = yaml.safe_load((KIND / "compose.yaml").read_text(encoding="utf-8"))["services"]
STAGED = "\n".join(
    path.read_text(encoding="utf-8")
    for pattern in ("*Dockerfile", "*Dockerfile.j2", "*.yaml", "*.yaml.j2")
    for path in (TEMPLATE / "{{cookiecutter.repo_name}}").rglob(pattern)
)
PUBLIC = set(re.findall(r"(?m)^FROM (ghcr\.io/\S+)", STAGED))


def test_the_rules_are_valid_on_its_kubernetes_which_has_their_betas_on():
    version = re.search(r":v(\d+\.\d+)\.\d+@sha256:", NODE["nodes"][0]["image"])[1]
    for item in RULES:
        kubernetes_validate.validate(item, version, strict=True)
    assert set(NODE["runtimeConfig"]) == {
        item["apiVersion"] for item in RULES if "beta" in item["apiVersion"]
    }
    assert set(NODE["featureGates"]) == {
        item["kind"].removesuffix("Binding") for item in RULES if "beta" in item["apiVersion"]
    }


def test_the_rules_have_what_tests_and_manifests_name():
    names = {
        (item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"])
        for item in RULES
    }
    texts = "\n".join(
        path.read_text(encoding="utf-8") for path in (TEMPLATE / "tests" / "cluster").glob("*.py")
    )
    projects = set(re.findall(r'"([a-z]+-project)"', texts))
    assert len(projects) == 2
    for project in projects:
        assert {
            ("Namespace", None, project),
            ("ResourceQuota", project, "project"),
            ("RoleBinding", project, "researcher"),
        } <= names
    assert ("ServiceAccount", "anyuid-project", "anyuid") in names and (
        "ServiceAccount",
        "default",
        "researcher",
    ) in names
    assert {name for kind, _, name in names if kind == "StorageClass"} == set(
        re.findall(r"storageClassName: (\S+)", STAGED)
    )
    assert {name for kind, _, name in names if kind == "RuntimeClass"} == set(
        re.findall(r"runtimeClassName: (\S+)", STAGED)
    )


def test_images_are_pinned_and_the_token_service_runs_in_a_base_image():
    images = [NODE["nodes"][0]["image"], *(service["image"] for service in SERVICES.values())]
    assert all(
        re.match(r"(ghcr\.io|mirror\.gcr\.io)/", image) and ("@sha256:" in image or image in PUBLIC)
        for image in images
    )


def test_both_jobs_together_run_every_level():
    jobs = yaml.safe_load((TEMPLATE / ".github/workflows/test.yml").read_text(encoding="utf-8"))[
        "jobs"
    ]
    test, cluster = (
        next(step["run"] for step in jobs[name]["steps"] if step.get("name") == "Test")
        for name in ("test", "cluster")
    )
    left_out = re.findall(r"--ignore=(\S+)", test)
    assert sorted(left_out) == sorted(re.findall(r"tests/\w+", cluster)) and all(
        (TEMPLATE / level).is_dir() for level in left_out
    )


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """A function: what the token service, asked for scopes with a password, gives of each; its status, where that is not 200."""
    if sys.platform != "linux":
        pytest.skip("runs in a Linux container")
    folder, openssl, curl = (
        tmp_path_factory.mktemp("tls"),
        tool("openssl", "your system's package"),
        tool("curl", "your system's package"),
    )
    certificate, listed = folder / "certificate.pem", folder / "list"
    made = (
        re.search(r"(?s)\nopenssl (req .*?) 2>", (KIND / "up").read_text(encoding="utf-8"))[1]
        .replace("\\\n", "")
        .replace("$DSRI_KIND/tls", str(folder))
        .replace('"', "")
    )
    assert run(openssl, *made.split()).returncode == 0
    (folder / "public.pem").write_text(
        run(openssl, "x509", "-in", str(certificate), "-noout", "-pubkey").stdout, encoding="utf-8"
    )
    listed.write_text("w may-write\nr may-read\n", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def ask(*scopes, password=None):
        done = run(
            curl,
            "-sS",
            "--retry",
            "50",
            "--retry-delay",
            "1",
            "--retry-connrefused",
            "--cacert",
            str(certificate),
            "--resolve",
            f"ghcr.io:{port}:127.0.0.1",
            "-w",
            "\n%{http_code}",
            *(["-u", f"octocat:{password}"] if password else []),
            f"https://ghcr.io:{port}/token?service=ghcr.io"
            + "".join(f"&scope=repository:{scope}" for scope in scopes),
        )
        text, _, status = done.stdout.rpartition("\n")
        if status != "200":
            return status
        signed, _, signature = json.loads(text)["token"].rpartition(".")
        (folder / "signature").write_bytes(base64.urlsafe_b64decode(signature + "=="))
        assert (
            run(
                openssl,
                "dgst",
                "-sha256",
                "-verify",
                str(folder / "public.pem"),
                "-signature",
                str(folder / "signature"),
                input=signed,
            ).returncode
            == 0
        )
        return [
            access["actions"]
            for access in json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))[
                "access"
            ]
        ]

    ask.passwords = listed
    with subprocess.Popen(
        [
            sys.executable,
            str(KIND / "tokens.py"),
            f"127.0.0.1:{port}",
            "ghcr.io",
            str(folder),
            str(listed),
        ],
        stderr=subprocess.DEVNULL,
    ) as service:
        yield ask
        service.terminate()


@pytest.mark.parametrize(
    "password, scope, gives",
    [
        (None, "astral-sh/uv:pull", ["pull"]),
        (None, "astral-sh/uv:pull,push", ["pull"]),
        (None, "maastrichtu-ids/x:pull", []),
        ("may-read", "maastrichtu-ids/x:pull,push", ["pull"]),
        ("may-write", "maastrichtu-ids/x:pull,push", ["pull", "push"]),
        ("none-such", "maastrichtu-ids/x:pull", None),
        ("none-such", "astral-sh/uv:pull", None),
    ],
)
def test_a_token_gives_what_its_password_may(ask, password, scope, gives):
    assert ask(scope, password=password) == ("401" if gives is None else [gives])


def test_base_images_are_public_and_a_password_ends(ask):
    assert len(PUBLIC) > 3 and ask(
        *[re.sub("^ghcr.io/|:.*", "", image) + ":pull" for image in PUBLIC]
    ) == [["pull"]] * len(PUBLIC)
    before = ask.passwords.read_text(encoding="utf-8")
    ask.passwords.write_text(before + "r soon-gone\n", encoding="utf-8")
    assert ask("a/b:pull", password="soon-gone") == [["pull"]]
    ask.passwords.write_text(before, encoding="utf-8")
    assert ask("a/b:pull", password="soon-gone") == "401"
