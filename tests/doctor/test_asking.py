"""What the doctor asks, and whom: the cluster's refusals, the registry's questions, where a token may go. Nothing here leaves the machine."""

import base64
import http.server
import io
import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dsri import processes
from dsri.doctor import cluster, command, github_runs, registry, repository
from dsri.doctor.cluster import CannotLook, Cluster, listening_in, log_of
from dsri.doctor.facts import Expected, ManifestAnswer, PublishRun, TokenAnswer
from dsri.doctor.gathering import Question, gather
from dsri.ports import Port
from dsri.processes import Done


def looked_at(name, project="demo", **more):
    """The facts that are gathered of an application."""
    return gather(Question("oc", project, name, [], github=False, **more))


REFUSALS = [  # as kubectl 1.34 and oc 4.21 say it
    ("error: You must be logged in to the server (Unauthorized)", "not-logged-in"),
    (
        "error: unable to read certificate-authority /none/ca.crt for dsri due to open /none/ca.crt: no such file or directory",
        "bad-config",
    ),
    (
        "error: You must be logged in to the server (the server has asked for the client to provide credentials)",
        "not-logged-in",
    ),
    (
        'Error from server (Forbidden): pods is forbidden: User "system:anonymous" cannot list resource "pods"',
        "not-logged-in",
    ),
    ("Please enter Username: error: EOF", "not-logged-in"),
    (
        'error: error loading config file "/home/a/.kube/config": yaml: mapping values are not allowed in this context',
        "bad-config",
    ),
    (
        "Error in configuration: \n* context was not found for specified context: none-such\n* cluster has no server defined",
        "bad-config",
    ),
    (
        "Error in configuration: \n* unable to read client-cert /none/x.crt for researcher due to open /none/x.crt: no such file or directory",
        "bad-config",
    ),
    ('error: context "none-such" does not exist', "bad-config"),
    (
        "Unable to connect to the server: getting credentials: exec: executable oidc-login not found",
        "bad-config",
    ),
    (
        "Error from server (ServiceUnavailable): the server is currently unable to handle the request",
        "cluster-unwell",
    ),
    (
        "Error from server (NotFound): the server could not find the requested resource",
        "unreachable",
    ),
    ("", "unreachable"),
    (
        "error: Missing or incomplete configuration info.  Please point to an existing, complete config file:",
        "not-logged-in",
    ),
    (
        "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
        "not-logged-in",
    ),
    (
        "The connection to the server api.dsri.unimaas.nl:6443 was refused - did you specify the right host or port?",
        "unreachable",
    ),
    (
        "Unable to connect to the server: dial tcp: lookup api.dsri.unimaas.nl on 10.0.0.1:53: no such host",
        "unreachable",
    ),
    ("Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout", "unreachable"),
    (
        "Unable to connect to the server: tls: failed to verify certificate: x509: certificate signed by unknown authority",
        "unreachable",
    ),
]


@pytest.mark.parametrize("error, name", REFUSALS)
def test_a_cluster_that_is_not_to_be_asked(monkeypatch, capsys, error, name):
    monkeypatch.setattr(cluster, "run", lambda *_, **__: Done(1, "", error))
    monkeypatch.setattr(command, "find_tool", lambda wanted: "oc")
    assert command.main(["none-such", "--project", "demo", "--name", "kg-demo", "--json"]) == 2
    assert [f["name"] for f in json.loads(capsys.readouterr().out)["findings"]] == [name]


@pytest.mark.parametrize(
    "answer, name",
    [
        ((127, "", "[Errno 8] Exec format error: 'oc'"), "no-tool"),
        ((0, "<html>", ""), "unreachable"),
        ((127, "", "Command 'oc' timed out after 10 seconds"), "unreachable"),
    ],
)
def test_what_is_no_answer(monkeypatch, capsys, answer, name):
    monkeypatch.setattr(cluster, "run", lambda *_, **__: Done(*answer))
    monkeypatch.setattr(command, "find_tool", lambda wanted: "oc")
    assert command.main(["none-such", "--project", "demo", "--name", "kg-demo", "--json"]) == 2
    assert [f["name"] for f in json.loads(capsys.readouterr().out)["findings"]] == [name]


def test_a_project_that_is_not_there(monkeypatch, capsys):
    """As an administrator is told it; others are told that they may not see it."""
    monkeypatch.setattr(
        cluster,
        "run",
        lambda *_, **__: Done(1, "", 'Error from server (NotFound): namespaces "demo" not found'),
    )
    monkeypatch.setattr(command, "find_tool", lambda wanted: "oc")
    assert command.main(["none-such", "--project", "demo", "--name", "kg-demo", "--json"]) == 1
    assert [f["name"] for f in json.loads(capsys.readouterr().out)["findings"]] == ["no-project"]


def test_pods_of_another_application_with_the_same_labels(monkeypatch):
    def pod(name, owner):
        return {
            "metadata": {
                "name": name,
                "creationTimestamp": "",
                "ownerReferences": [{"uid": owner}],
            },
            "spec": {},
            "status": {},
        }

    things = {
        "deployments/x": {
            "metadata": {"name": "x", "uid": "w"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {}}},
        },
        "replicasets?labelSelector=a%3Db": {
            "items": [
                {"metadata": {"uid": "s", "ownerReferences": [{"uid": "w"}]}},
                {"metadata": {"uid": "other"}},
            ]
        },
        "pods?labelSelector=a%3Db": {"items": [pod("mine", "s"), pod("not-mine", "other")]},
    }
    monkeypatch.setattr(
        Cluster,
        "get",
        lambda self, path: (things.get(path.partition("/namespaces/demo/")[2], {"items": []}), ""),
    )
    facts = looked_at("x")
    assert [pod["metadata"]["name"] for pod in facts.pods] == ["mine"]
    assert [pod["metadata"]["name"] for pod in facts.besides] == ["not-mine"]


def answers(monkeypatch, things):
    """A cluster that has these things, by the ends of their paths; the paths that it was asked for."""
    asked = []

    def get(self, path):
        asked.append(path.partition("/namespaces/demo/")[2])
        found = things.get(
            asked[-1], {"items": []} if "?" in asked[-1] or "/" not in asked[-1] else "NotFound"
        )
        return (None, found) if isinstance(found, str) else (found, "")

    monkeypatch.setattr(Cluster, "get", get)
    monkeypatch.setattr(Cluster, "raw", get)
    monkeypatch.setattr("dsri.doctor.gathering.listening_in", lambda *_: [Port(8080, False)])
    monkeypatch.setattr("dsri.doctor.gathering.log_of", lambda *_: "")
    return asked


def app(kind="Deployment", owner=None, **pod):
    about = {
        "name": "x",
        "uid": kind,
        "labels": {"a": "b"},
        "creationTimestamp": "",
        **(
            {
                "ownerReferences": [
                    {"kind": owner[0], "name": owner[1], "uid": owner[0], "controller": True}
                ]
            }
            if owner
            else {}
        ),
    }
    spec = {"containers": [{"name": "c", **pod}]}
    return {
        "metadata": about,
        "spec": spec
        if kind == "Pod"
        else {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": spec},
        },
        "status": {},
    }


def test_a_pods_name_stands_for_what_made_it(monkeypatch):
    things = {
        "pods/x-1-a": app("Pod", ("ReplicaSet", "x-1")),
        "replicasets/x-1": app("ReplicaSet", ("Deployment", "x")),
        "deployments/x": app(),
    }
    asked = answers(monkeypatch, things)
    facts = looked_at("x-1-a")
    assert "networkpolicies" not in asked  # no Service leads to it
    assert (facts.name, facts.workload["kind"]) == ("x", "Deployment")


def test_a_pod_that_nothing_made(monkeypatch):
    answers(monkeypatch, {"pods/x": app("Pod")})
    facts = looked_at("x")
    assert facts.workload["kind"] == "Pod" and facts.pods == [facts.workload]


@pytest.mark.parametrize(
    "things",
    [
        {"deployments/x": "ServiceUnavailable"},
        {"deployments/x": app(), "pods?labelSelector=a%3Db": "InternalError"},
    ],
)
def test_a_cluster_that_does_not_answer_what_matters(monkeypatch, things):
    answers(monkeypatch, things)
    with pytest.raises(CannotLook, match="cluster-unwell"):
        looked_at("x")


def test_what_a_pod_names_and_is_not_there(monkeypatch):
    pod = {**app("Pod", ("Deployment", "x")), "status": {"phase": "Pending"}}
    settings = {
        "envFrom": [
            {"secretRef": {"name": "s1"}},
            {"secretRef": {"name": "s2", "optional": True}},
            {"configMapRef": {"name": "there"}},
        ],
        "env": [
            {"name": "A", "value": "b"},
            {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c1", "key": "k"}}},
        ],
    }
    made = app(**settings)
    made["spec"]["template"]["spec"]["volumes"] = [
        {"name": "v", "secret": {"secretName": "s3"}},
        {
            "name": "w",
            "projected": {"sources": [{"configMap": {"name": "c2"}}, {"serviceAccountToken": {}}]},
        },
    ]
    asked = answers(
        monkeypatch,
        {
            "deployments/x": made,
            "pods?labelSelector=a%3Db": {"items": [pod]},
            "replicasets?labelSelector=a%3Db": {"items": [app("Deployment", ("Deployment", "x"))]},
            "configmaps/there": {"data": {}},
        },
    )
    facts = looked_at("x")
    assert facts.existing == {
        ("secret", "s1"): False,
        ("configmap", "there"): True,
        ("configmap", "c1"): False,
        ("secret", "s3"): False,
        ("configmap", "c2"): False,
    }
    assert "secrets/s2" not in asked


@pytest.mark.parametrize(
    "probe, target, wanted",
    [
        ({"httpGet": {"port": 8080}}, 8080, False),
        ({"tcpSocket": {"port": "web"}}, 8080, False),
        ({"httpGet": {"port": 8080}}, "web", False),
        ({"exec": {}}, 8080, True),
        (None, 8080, True),
        ({"httpGet": {"port": 9000}}, 8080, True),
        (None, "none", False),
    ],
)
def test_what_a_pod_listens_on_is_asked_where_no_probe_has_asked(
    monkeypatch, probe, target, wanted
):
    made = app(
        ports=[{"name": "web", "containerPort": 8080}],
        **({"readinessProbe": probe} if probe else {}),
    )
    pod = {
        **app("Pod", ("Deployment", "x")),
        "status": {"containerStatuses": [{"name": "c", "ready": True, "state": {}}]},
    }
    asked = answers(
        monkeypatch,
        {
            "deployments/x": made,
            "pods?labelSelector=a%3Db": {"items": [pod]},
            "replicasets?labelSelector=a%3Db": {"items": [app("Deployment", ("Deployment", "x"))]},
            "services": {
                "items": [
                    {
                        "metadata": {"name": "s"},
                        "spec": {
                            "selector": {"a": "b"},
                            "ports": [{"port": 80, "targetPort": target}],
                        },
                    }
                ]
            },
        },
    )
    assert bool(looked_at("x").ports) == wanted
    assert "networkpolicies" in asked


@pytest.mark.parametrize("proxy", ["http://me:hunter2@proxy:3128", None])
def test_a_proxy_is_named_and_not_shown(monkeypatch, capsys, proxy):
    """The tools do not say that it was a proxy which they did not reach."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    if proxy:
        monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.setattr(
        cluster,
        "run",
        lambda *_, **__: Done(
            1,
            "",
            "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?",
        ),
    )
    monkeypatch.setattr(command, "find_tool", lambda wanted: "oc")
    assert command.main(["none-such", "--project", "demo", "--name", "x"]) == 2
    out = capsys.readouterr().out
    assert ("HTTPS_PROXY" in out) == bool(proxy) and "hunter2" not in out


def test_what_was_not_looked_at_is_not_well(monkeypatch, capsys):
    answers(monkeypatch, {"deployments/x": "Forbidden"})
    monkeypatch.setattr(command, "find_tool", lambda wanted: "oc")
    assert command.main(["none-such", "--project", "demo", "--name", "x", "--no-github"]) == 2
    assert "not all could be looked at" in capsys.readouterr().out


def test_a_log_of_long_lines_is_cut_at_their_ends(monkeypatch):
    monkeypatch.setattr(
        Cluster, "raw", lambda self, path: ("password=hunter2 " + "x" * 10**6 + "\nend", "")
    )
    assert log_of(Cluster("oc"), "/log", False) == "password=hunter2 " + "x" * 483 + "\nend"


def test_a_tool_that_asks_gets_no_answer():
    """kubectl without a login asks for a user name; on a terminal it would wait for it."""
    assert processes.run(sys.executable, "-c", "print(repr(input()))").status == 1


def test_who_reads_may_go(tmp_path):
    """`dsri doctor | head -1`, and a disk that is full."""
    top = Path(__file__).resolve().parents[2]
    for out, status, said in (
        ("| true", 0, ""),
        ("> /dev/full", 2, "dsri doctor: [Errno 28] No space left on device\n"),
    )[: 1 + Path("/dev/full").exists()]:
        done = subprocess.run(
            ["sh", "-c", f"{sys.executable} -m dsri doctor --project A --name x {out}"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={"PATH": "/bin:/usr/bin", "PYTHONPATH": str(top / "src")},
        )
        assert (done.returncode, done.stderr) == (status, said)


@pytest.mark.parametrize(
    "name, looked",
    [(None, "staging-mine"), ("a-database", "a-database"), ("none-such", "staging-mine")],
)
def test_the_application_is_found_beside_what_its_owner_added(monkeypatch, tmp_path, name, looked):
    """kubectl sorts by kind and name: a database may come first."""
    both = [
        {
            "kind": "Deployment",
            "metadata": {
                "name": name,
                "namespace": "demo",
                "labels": {"app.kubernetes.io/part-of": "mine"},
            },
            "spec": {"template": {"spec": {"containers": [{"name": container}]}}},
        }
        for name, container in (("a-database", "a-database"), ("staging-mine", "mine"))
    ]
    monkeypatch.setattr(repository, "build", lambda *_: both)
    found = repository.expected_in("oc", tmp_path / "staging", name)
    assert found.folder == (tmp_path / "staging").as_posix()  # what is printed works from here
    assert found.name == looked
    assert found.others == [n for n in ("a-database", "staging-mine") if n != looked]


def test_the_manifests_of_another_project_are_no_help(monkeypatch, tmp_path):
    (tmp_path / "kustomization.yaml").touch()
    monkeypatch.setattr(command, "find_tool", lambda wanted: "oc")
    known = Expected({}, "kg-demo", "openshift", "demo")
    monkeypatch.setattr(command, "expected_in", lambda *_: known)

    def stop(question):
        has = "manifests" if question.expected else "none"
        pytest.fail(f"{question.project} {question.name} {has}")

    monkeypatch.setattr(command, "gather", stop)
    for words, wanted in (
        ([], "demo kg-demo manifests"),
        (["--project", "other"], "other kg-demo none"),
        (["--name", "other"], "demo other none"),
    ):
        with pytest.raises(pytest.fail.Exception, match=wanted):
            command.main([str(tmp_path), *words])


@pytest.mark.parametrize(
    "error, why",
    [
        ('Error from server (NotFound): namespaces "x" not found', "NotFound"),
        (
            'Error from server (Forbidden): pods is forbidden: User "r" cannot list resource "pods"',
            "Forbidden",
        ),
    ],
)
def test_what_is_not_there_or_not_allowed(monkeypatch, error, why):
    monkeypatch.setattr(cluster, "run", lambda *_, **__: Done(1, "", error))
    assert Cluster("oc").get("/api") == (None, why)


def test_only_reading_is_asked(monkeypatch):
    """Every command that reaches the cluster is a `get`, but for one `exec` that reads a file of /proc."""
    asked = []

    def run(*command, **_):
        asked.append(command)
        return Done(1, "", 'Error from server (NotFound): x "x" not found')

    monkeypatch.setattr(cluster, "run", run)
    looked_at("kg-demo")
    listening_in(Cluster("oc"), "demo", "pod", "container")
    assert {command[1] for command in asked[:-1]} == {"get"}
    assert asked[-1][-3:] == ("cat", "/proc/net/tcp", "/proc/net/tcp6")


@pytest.mark.parametrize("name", ["../x", "a b", "-n", "x?y", "A"])
def test_a_name_is_a_name(capsys, monkeypatch, name):
    monkeypatch.setattr(command, "find_tool", lambda wanted: "oc")
    assert command.main(["none-such", f"--project={name}", "--name=x"]) == 2


def test_no_tool(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command.main(["--project", "demo", "--name", "x", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["findings"][0]["name"] == "no-tool"


GH = [
    {
        "databaseId": 8,
        "status": "completed",
        "conclusion": "success",
        "event": "pull_request",
        "updatedAt": "2026-11-24T11:00:00Z",
        "url": "u",
    },
    {
        "databaseId": 7,
        "status": "completed",
        "conclusion": "failure",
        "event": "push",
        "updatedAt": "2026-11-24T10:00:00Z",
        "url": "u",
    },
]


@pytest.mark.parametrize(
    "there, answer, wanted",
    [
        (None, (0, json.dumps(GH), ""), None),
        ("/bin/gh", (1, "", "gh auth login"), None),
        ("/bin/gh", (0, "[]", ""), []),
        (
            "/bin/gh",
            (0, json.dumps(GH), ""),
            [
                PublishRun(
                    7, "completed", "failure", "push", "2026-11-24T10:00:00Z", "u", json.dumps(GH)
                )
            ],
        ),
    ],
)
def test_the_publish_runs_as_gh_tells_them(monkeypatch, there, answer, wanted):
    monkeypatch.setattr(github_runs.shutil, "which", lambda name: there)
    monkeypatch.setattr(github_runs, "run", lambda *_, **__: Done(*answer))
    assert github_runs.publish_runs("o/r") == wanted


def test_the_log_is_of_the_newest_run_that_was_to_publish(monkeypatch):
    skipped = {**GH[1], "databaseId": 9, "conclusion": "skipped"}
    asked = []

    def run(*words, **_):
        asked.append(words)
        return Done(0, json.dumps([skipped, *GH]) if "list" in words else "log", "")

    monkeypatch.setattr(github_runs.shutil, "which", lambda name: "/bin/gh")
    monkeypatch.setattr(github_runs, "run", run)
    runs = github_runs.publish_runs("o/r")
    assert [(one.number, one.log) for one in runs] == [(9, ""), (7, "log")]
    assert "7" in asked[1]


def test_only_pull_requests_say_nothing_of_what_was_published(monkeypatch):
    answer = json.dumps([GH[0]] * github_runs.MOST)
    monkeypatch.setattr(github_runs.shutil, "which", lambda name: "/bin/gh")
    monkeypatch.setattr(github_runs, "run", lambda *_, **__: Done(0, answer, ""))
    assert github_runs.publish_runs("o/r") is None


class Answers(dict):
    def get(self, key, default=None):
        return super().get(key.lower(), default)


def registry_of(answers, asked):
    """A registry made of {(address without its query, credentials): (status, headers, body)}."""

    def fetch(address, headers, method="GET"):
        asked.append((address, headers.get("Authorization")))
        status, about, body = answers.get(
            (address.partition("?")[0], headers.get("Authorization")), (404, {}, b"")
        )
        return (
            status,
            Answers(about),
            body if isinstance(body, bytes) else json.dumps(body).encode(),
        )

    return fetch


CHALLENGE = (
    401,
    {"www-authenticate": 'Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="x"'},
    b"",
)
LOGIN = "Basic b2N0b2NhdDp0"  # octocat:t


@pytest.mark.parametrize(
    "answers, login, wanted",
    [
        (
            {
                ("https://ghcr.io/token", LOGIN): (200, {}, {"token": "T"}),
                ("https://ghcr.io/v2/a/b/manifests/latest", "Bearer T"): (
                    200,
                    {"docker-content-digest": "sha256:1"},
                    {"config": {"digest": "sha256:2"}},
                ),
            },
            ("octocat", "t"),
            {"status": 200, "digests": ["sha256:1", "sha256:2"]},
        ),
        (
            {("https://ghcr.io/token", LOGIN): (403, {}, {})},
            ("octocat", "t"),
            {"status": 403, "at": "login"},
        ),
        (
            {
                ("https://ghcr.io/token", LOGIN): (200, {}, {"token": "T"}),
                ("https://ghcr.io/v2/a/b/manifests/latest", "Bearer T"): (403, {}, b""),
            },
            ("octocat", "t"),
            {"status": 403, "at": "image"},
        ),
        (
            {
                ("https://ghcr.io/token", None): (200, {}, {"token": "A"}),
                ("https://ghcr.io/v2/a/b/manifests/latest", "Bearer A"): (404, {}, b""),
            },
            None,
            {"status": 404, "at": "image"},
        ),
        (
            {
                ("https://ghcr.io/token", LOGIN): (200, {}, {"token": "T"}),
                ("https://ghcr.io/v2/a/b/manifests/latest", "Bearer T"): (
                    200,
                    {"docker-content-digest": "sha256:1"},
                    {
                        "manifests": [
                            {
                                "digest": "sha256:9",
                                "platform": {"os": "unknown", "architecture": "unknown"},
                            },
                            {
                                "digest": "sha256:3",
                                "platform": {"os": "linux", "architecture": "amd64"},
                            },
                        ]
                    },
                ),
                ("https://ghcr.io/v2/a/b/manifests/sha256:3", "Bearer T"): (
                    200,
                    {},
                    {"config": {"digest": "sha256:4"}},
                ),
            },
            ("octocat", "t"),
            {"status": 200, "digests": ["sha256:1", "sha256:3", "sha256:4"]},
        ),
    ],
)
def test_what_the_registry_is_asked(monkeypatch, answers, login, wanted):
    asked = []
    monkeypatch.setattr(
        registry, "fetch", registry_of({("https://ghcr.io/v2/", None): CHALLENGE, **answers}, asked)
    )
    assert registry.manifest("ghcr.io/a/b:latest", login) == ManifestAnswer(**wanted)
    assert all(
        "octocat" not in address
        and not (authorization or "").startswith("Basic")
        or address.startswith("https://ghcr.io/token?")
        for address, authorization in asked
    )


@pytest.mark.parametrize(
    "realm",
    ["https://evil.example.org/token", "http://ghcr.io/token", "https://ghcr.io.evil.org/token"],
)
def test_a_login_goes_to_no_other_host(monkeypatch, realm):
    asked = []
    challenge = (401, {"www-authenticate": f'Bearer realm="{realm}",service="ghcr.io"'}, b"")
    monkeypatch.setattr(
        registry, "fetch", registry_of({("https://ghcr.io/v2/", None): challenge}, asked)
    )
    assert registry.manifest("ghcr.io/a/b:latest", ("octocat", "t")).status != 200
    assert not [address for address, authorization in asked if authorization]


@pytest.fixture
def server():
    """A web server on this machine that keeps what it was asked: (its address, [(path, authorization)])."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers.get("Authorization")))
            self.send_response(302 if self.path == "/away" else 200)
            self.send_header("Location", "/landed")
            self.send_header("github-authentication-token-expiration", "2026-12-01 08:00:00 UTC")
            self.send_header("x-oauth-scopes", "read:packages, repo")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}", asked
        made.shutdown()


def test_no_redirect_is_followed(server, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert registry.fetch(server[0] + "/away", {"Authorization": "Bearer t"})[0] == 302
    assert [path for path, _ in server[1]] == ["/away"]


def test_what_github_says_of_a_token(server, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert registry.about_token("t", server[0]) == TokenAnswer(
        200, "2026-12-01 08:00:00 UTC", ["read:packages", "repo"]
    )
    assert server[1] == [("/rate_limit", "Bearer t")]


def test_nobody_answers():
    status, headers, _ = registry.fetch("http://127.0.0.1:1/", {})
    assert status == 0 and headers.get("x") is None


def test_no_token_is_on_the_screen_nor_in_a_process_list(monkeypatch):
    """Not even where the registry is asked with it."""
    token, commands = "ghp_" + "s3cr3t" * 6, []
    config = base64.b64encode(
        json.dumps({"auths": {"ghcr.io": {"username": "octocat", "password": token}}}).encode()
    ).decode()
    secret = {
        "type": "kubernetes.io/dockerconfigjson",
        "metadata": {},
        "data": {".dockerconfigjson": config},
    }
    pod = {
        "containers": [{"name": "x", "image": "ghcr.io/a/b:latest"}],
        "imagePullSecrets": [{"name": "pull"}],
    }
    things = {
        "/deployments/x": {
            "metadata": {"name": "x", "uid": "w"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": pod}},
        },
        "/secrets/pull": secret,
    }

    def run(*command, **_):
        commands.append(command)
        thing = next(
            (thing for end, thing in things.items() if command[-1].endswith(end)), {"items": []}
        )
        return Done(0, json.dumps(thing), "")

    asked = []
    monkeypatch.setattr(cluster, "run", run)
    monkeypatch.setattr(command, "find_tool", lambda wanted: "oc")
    monkeypatch.setattr(
        registry, "fetch", registry_of({("https://ghcr.io/v2/", None): CHALLENGE}, asked)
    )
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    command.main(
        ["none-such", "--project", "demo", "--name", "x", "--registry", "--json", "--no-github"]
    )
    assert [
        authorization
        for _, authorization in asked
        if authorization
        and base64.b64encode(b"octocat:" + token.encode()).decode() in authorization
    ]
    assert (
        token not in out.getvalue() and token not in str(commands) and config not in out.getvalue()
    )
    assert all(token not in address for address, _ in asked)


def test_the_command_is_named_where_people_look():
    top = Path(__file__).resolve().parents[2]
    line = "uvx --from git+https://github.com/MaastrichtU-IDS/cookiecutter-dsri dsri doctor"
    assert re.search(
        r'(?m)^dsri = "dsri.cli:main"$',
        (top / "pyproject.toml").read_text(encoding="utf-8"),
    )
    for page in (
        "README.md",
        "{{cookiecutter.repo_name}}/cookiecutter-stacks/every/openshift/README.md.j2",
    ):
        assert line in (top / page).read_text(encoding="utf-8")


def test_nothing_but_python_is_needed():
    """All that it imports is Python's own or its own."""
    top = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(top / 'src')!r}); import dsri.doctor.command",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
