"""Promise 1: openshift/image.py reads any manifest as the cluster does, and dsri.dockerfile any
Dockerfile as BuildKit does; here without Docker."""

import http.server
import runpy
import threading

import pytest
from conftest import TEMPLATE

from dsri import dockerfile
from dsri.image import command
from dsri.quantities import amount

SCRIPT = runpy.run_path(
    str(TEMPLATE / "{{cookiecutter.repo_name}}/cookiecutter-stacks/every/openshift/image.py")
)
WITHOUT = "without the build argument"
HUB, END = "is pulled from DockerHub", "\nUSER 1001\nEXPOSE 8080\n"
DOCKERFILES = {  # what: (a Dockerfile, what is found)
    "nothing to find": ("FROM quay.io/x" + END, []),
    "a here-document is no instruction": (
        "FROM quay.io/x\nRUN psql <<-'SQL' && <<B true\n\tselect *\n\tFROM users\n\tSQL\nUSER b\nB"
        + END,
        [],
    ),
    "a here-document at the end": (
        "FROM quay.io/x" + END + "COPY <<EOF /x\nUSER b\nFROM y\nEOF",
        [],
    ),
    "no here-document": ("FROM quay.io/x\nRUN cat <<<EOF; echo $((1 <<EOF))" + END, []),
    "a stage has what its base has": (
        "FROM quay.io/x AS Base"
        + END
        + "FROM quay.io/y AS build\nUSER root\nFROM base\nCOPY --from=build /a /a",
        [],
    ),
    "and not what another has": (
        "FROM quay.io/x AS one" + END + "FROM quay.io/y",
        ["its last stage has no numeric USER", "it has no EXPOSE 8080"],
    ),
    "a comment goes on on no other line": (
        "# docker build \\\n#  .\\\nFROM python" + END,
        [f"FROM python {HUB}"],
    ),
    "comments and blank lines between": ("FROM \\\n# c\n\n  python" + END, [f"FROM python {HUB}"]),
    "tab, lower case, CRLF, byte order mark": (
        "\ufefffrom\tpython\r\n" + END,
        [f"FROM python {HUB}"],
    ),
    "another escape": ("# escape=`\nFROM quay.io/x\nRUN a `\n  USER b\nWORKDIR C:\\" + END, []),
    "a second directive": (
        "# check=skip=all\n#Syntax = docker/dockerfile:1\nFROM quay.io/x" + END,
        ["its syntax line is pulled from DockerHub (docker/dockerfile:1)"],
    ),
    "no directive after a comment": ("# c\n# syntax=docker/dockerfile:1\nFROM quay.io/x" + END, []),
    "a stage that is not built": (
        "FROM quay.io/x AS b\nFROM b AS dev\nCOPY --from=tools /a /a\nFROM php AS unused\nFROM b"
        + END,
        [],
    ),
    "stages that are": (
        "FROM node AS b\nFROM ruby AS c\nFROM php AS Test\nFROM quay.io/x\nCOPY --from=0 /a /a\nRUN --mount=from=c,target=/x true"
        + END,
        [f"FROM {image} {HUB}" for image in ("node", "ruby", "php")],
    ),
    "a mount": (
        "FROM quay.io/x\nRUN --mount=type=bind,from=nginx:1,target=/x --mount=from=ghcr.io/y,target=/y true"
        + END,
        [f"RUN --mount=from=nginx:1 {HUB}"],
    ),
    "a mount of a stage": (
        "FROM quay.io/x AS b\nFROM quay.io/x\nRUN --mount=from=B,target=/x --mount=from=0,target=/y true"
        + END,
        [],
    ),
    "what BuildKit sets": (
        "FROM quay.io/x AS base-amd64\nFROM --platform=$BUILDPLATFORM base-${TARGETARCH}" + END,
        [],
    ),
    "an image in two stages": (
        "FROM php AS b\nFROM php\nCOPY --from=b /a /a" + END,
        [f"FROM php {HUB}"],
    ),
    "a default, quoted": ("ARG V='3'\nFROM \"python:$V\" AS x" + END, [f"FROM python:3 {HUB}"]),
    "an alternative": ("ARG V=3\nFROM ${V:+ghcr.io/}python${W:+:1}" + END, []),
    "not known": ("ARG BASE\nFROM $BASE" + END, [f"FROM $BASE names no image {WITHOUT} BASE"]),
    "an ARG without a value is empty": (
        "ARG HUB\nFROM ${HUB}node:22-slim" + END,
        [f"FROM node:22-slim {HUB}"],
    ),
    "and one that there is none of": (
        "FROM $HUB/node" + END,
        [f"FROM $HUB/node names no image {WITHOUT} HUB"],
    ),
    "an empty tag": (
        "ARG TAG\nFROM quay.io/x:${TAG}" + END,
        [f"FROM quay.io/x:${{TAG}} names no image {WITHOUT} TAG"],
    ),
    "an empty end that does no harm": ("ARG HUB\nFROM ${HUB}quay.io/x" + END, []),
    "a stage's ARG is not FROM's": (
        "FROM quay.io/x AS a\nARG V=quay.io/\nFROM ${V}node" + END,
        [f"FROM node {HUB}"],
    ),
    "a stage knows the first ARG once it asks for it": (
        "ARG PORT=8080\nFROM quay.io/x\nARG PORT\nUSER 1001\nEXPOSE $PORT",
        [],
    ),
    "and not before": (
        "ARG PORT=8080\nFROM quay.io/x\nUSER 1001\nEXPOSE $PORT",
        ["it has no EXPOSE 8080 (but $PORT)"],
    ),
    "a user that an empty ARG names": (
        "FROM quay.io/x\nARG MY_UID\nUSER $MY_UID\nEXPOSE 8080",
        ["its last stage has no numeric USER"],
    ),
    "what a stage sets, its children have": (
        "FROM quay.io/x AS a\nARG P=8080\nENV U=1001\nFROM a\nUSER $U\nEXPOSE ${P}",
        [],
    ),
    "ENV before ARG": ("FROM quay.io/x\nENV U=1001 P=8080\nUSER $U\nEXPOSE $P", []),
    "a quoted blank": ('FROM quay.io/x\nENV A="b c" P=8080\nUSER 1001\nEXPOSE $P', []),
    "no value for --platform": (
        "ARG P\nFROM --platform=$P quay.io/x" + END,
        [f"FROM --platform=$P is empty {WITHOUT} P"],
    ),
    "a value that has to be there": (
        "ARG V\nFROM quay.io/x:${V:?which}" + END,
        [f"its build stops {WITHOUT} V"],
    ),
    "one that RUN asks for": (
        'FROM quay.io/x\nARG V\nRUN test -n "$V"\nARG W\nRUN echo ${W:?no W}\nARG X\nRUN [ -n "$X" ] || true'
        + END,
        [f"its build stops {WITHOUT} V", f"its build stops {WITHOUT} W"],
    ),
    "ONBUILD is another build's": ("FROM quay.io/x\nONBUILD COPY --from=node /a /a" + END, []),
    "secrets and keys": (
        "FROM quay.io/x\nRUN --mount=type=secret,id=pip,required=true --mount=type=secret,id=npm true\n"
        "RUN --mount=type=secret,target=/run/secrets/key,required true\nRUN --mount=type=ssh true"
        + END,
        [
            "its build needs the secret pip",
            "its build can use the secret npm",
            "its build needs the secret key",
            "its build needs an SSH key, which the workflow does not have",
        ],
    ),
    "a secret of a stage that is not built": (
        "FROM quay.io/x AS dev\nRUN --mount=type=secret,id=pip true\nFROM quay.io/x" + END,
        [],
    ),
    "DockerHub's other name": (
        "FROM registry.hub.docker.com/library/python" + END,
        [f"FROM registry.hub.docker.com/library/python {HUB}"],
    ),
    "the old form of ENV": ("FROM quay.io/x\nENV PORT 8080\nUSER 1001\nEXPOSE $PORT", []),
    "a number and a group's name": ("FROM quay.io/x\nUSER 1001:root\nEXPOSE 8080", []),
    "the base image's number": ("FROM quay.io/x\nUSER ${NB_UID}\nEXPOSE 8080", []),
    "root by its number": (
        "FROM quay.io/x\nUSER 0:0\nEXPOSE 8080",
        ["its last stage runs as root (USER 0)"],
    ),
    "a range, quoted": ("FROM quay.io/x\nUSER '1001'\nEXPOSE \"8000-8100/TCP\"", []),
    "not TCP": (
        "FROM quay.io/x\nUSER 1001\nEXPOSE 8080/udp",
        ["it has no EXPOSE 8080 (but 8080/udp)"],
    ),
    "nothing": ("\\", ["its last stage has no numeric USER", "it has no EXPOSE 8080"]),
}


@pytest.mark.parametrize("what", DOCKERFILES)
def test_a_dockerfile_is_read_as_buildkit_reads_it(what):
    text, expected = DOCKERFILES[what]
    assert [found for found, _ in dockerfile.findings(text, "8080")] == expected


EXPANSIONS = {  # a word: what BuildKit makes of it, where A=a.b.c, E is empty, and N has no value
    "$A ${A}": "a.b.c a.b.c",
    "${N:-y}${N-y}${E:-y}${E-y}${A:-y}": "yyya.b.c",
    "${N:+y}${N+y}${E:+y}${E+y}${A:+y}": "yy",
    "${N:-${E:-${A}}}": "a.b.c",
    "${N:-'}'}x": "}x",
    '${N:-"$A d"}': "a.b.c d",
    "${A#*.}${A##*.}": "b.cc",
    "${A%.*} ${A%%.*}": "a.b a",
    "${A/./-} ${A//./-}": "a-b.c a-b-c",
    "${A/b/$E}": "a..c",
    "${A#x}${A%x}": "a.b.ca.b.c",
    "\\$A \\${A}": "$A ${A}",
    "'$A'\"$A\"": "$Aa.b.c",
    '"\\$A \\x"': "$A \\x",
    "$N|${N}": "|",
    "$": "$",
    "a$.b": "a$.b",
}


@pytest.mark.parametrize("word", EXPANSIONS)
def test_a_variable_is_replaced_as_buildkit_replaces_it(word):
    scope = dockerfile.Scope({"A": "a.b.c", "E": ""}, is_global=True)
    assert dockerfile.Expansion(word, scope).result == EXPANSIONS[word]


def test_a_port_that_cannot_be_asked_for_is_not_offered():
    cures = [
        dockerfile.findings(f"FROM quay.io/x\nUSER 1001\nEXPOSE {port}", "8080")[0][1]
        for port in (80, 8501)
    ]
    cure = "let the application listen on 8080 and add EXPOSE 8080"
    assert cures == [cure, cure + ", or generate with the port it has"]


LOGS = {  # what a program says: the rule that it broke
    "nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)": "It listens on a port below 1024",
    "    self.socket.bind(self.server_address)\n    ~~~~~~~~~~~~~~~~^^^^^\nPermissionError: [Errno 13] Permission denied": "It listens on a port below 1024",
    "[ERROR] connection to ('0.0.0.0', 80) failed: [Errno 13] Permission denied": "It listens on a port below 1024",
    "Error: listen EACCES: permission denied 0.0.0.0:80": "It listens on a port below 1024",
    "import x\nPermissionError: [Errno 13] Permission denied: '/app/x'": "It reads or writes what a random user",
    "java.nio.file.AccessDeniedException: /opt/x": "It reads or writes what a random user",
    "django.db.utils.OperationalError: unable to open database file": "It writes to its own file system",
    "sqlite3.OperationalError: attempt to write a readonly database": "It writes to its own file system",
    "KeyError: 'getpwuid(): uid not found: 1000650000'": "It asks for the name of its user",
    "SystemError: uv_os_get_passwd returned ENOENT (no such file or directory)": "It asks for the name of its user",
    "OSError: No username set in the environment": "It asks for the name of its user",
    'could not translate host name "db" to address: Name or service not known': "It needs another service",
    "Error: connect ECONNREFUSED 127.0.0.1:5432": "It needs another service",
    "Error: getaddrinfo ENOTFOUND db": "It needs another service",
    "exec /run.sh: no such file or directory": "The command, or a file that it needs",
    "ValueError: 3": "",
}


@pytest.mark.parametrize("log", LOGS)
def test_a_program_s_words_lead_to_the_rule_that_it_broke(log):
    assert SCRIPT["rule"](log).startswith(LOGS[log]) and bool(SCRIPT["rule"](log)) == bool(
        LOGS[log]
    )


def test_a_path_is_not_the_name_of_what_was_refused():
    assert SCRIPT["broken_rule"]("/app/import.sh: Permission denied") == "denied"
    assert SCRIPT["broken_rule"]("/app/listen/x: Permission denied") == "denied"
    assert SCRIPT["broken_rule"]("cannot bind to port 80: Permission denied") == "low-port"


def test_under_anyuid_the_image_s_own_user_is_right():
    assert [
        found for found, _ in dockerfile.findings("FROM quay.io/x\nUSER root\n", None, True)
    ] == []


@pytest.mark.parametrize(
    "quantity, expected",
    [
        ("512Mi", 512 << 20),
        ("0.5Gi", 1 << 29),
        ("1e9", 10**9),
        ("1E1", 10),
        ("2E", 2 * 10**18),
        ("5000m", 5),
        ("1k", 1000),
        (1048576, 1 << 20),
        ("+1Ki", 1024),
    ],
)
def test_a_quantity_is_what_kubernetes_takes_it_for(quantity, expected):
    assert SCRIPT["bytes_of"](quantity) == expected


def test_what_is_no_quantity_is_refused():
    with pytest.raises(ValueError, match="not a Kubernetes quantity"):
        amount("a lot")


def test_the_command_lists_what_would_not_run(tmp_path, capsys):
    path = tmp_path / "Dockerfile"
    path.write_text("FROM quay.io/x")
    assert command.main(["dockerfile", str(path), "8080"]) == 1
    assert "its last stage has no numeric USER\n  fix: add" in capsys.readouterr().out
    path.write_text("FROM quay.io/x" + END)
    assert command.main(["dockerfile", str(path), "8080"]) == 0
    with pytest.raises(SystemExit) as ended:
        command.main(["dockerfile", str(tmp_path / "none"), "8080"])
    assert ended.value.code == 2


def deployment(name, *containers):
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "mine"}},
        "spec": {
            "template": {
                "spec": {"containers": [{"name": c, "image": image} for c, image in containers]}
            }
        },
    }


@pytest.mark.parametrize(
    "image", ["ghcr.io/me/mine@sha256:12", "ghcr.io/me/mine:sha-1", "localhost:5000/other", ""]
)
def test_the_application_is_found_beside_what_its_owner_added(image):
    """kubectl sorts by kind and name: a database may come first."""
    objects = [
        deployment("a-database", ("a-database", "localhost:5000/postgres")),
        deployment("mine", ("proxy", "quay.io/proxy"), ("mine", "ghcr.io/me/mine:latest")),
    ]
    found = SCRIPT["subject_of"](objects, image)
    assert found.workload["metadata"]["name"] == "mine"
    assert found.container["name"] == "mine"


def test_whatever_runs_the_image_is_brought_to_it(monkeypatch, capsys):
    """A worker and a migration of the same image stay no older than the pages."""
    mine, worker, database = (
        deployment("mine", ("mine", "ghcr.io/me/mine:latest")),
        deployment("worker", ("w", "ghcr.io/me/mine")),
        deployment("a-database", ("a-database", "quay.io/postgres")),
    )
    mine["spec"]["template"]["spec"]["initContainers"] = [
        {"name": "migrate", "image": "ghcr.io/me/mine:latest"}
    ]
    monkeypatch.setitem(
        SCRIPT["rollout"].__globals__, "manifests", lambda folder: [database, mine, worker]
    )
    for image, wanted in (
        (
            "ghcr.io/me/mine@sha256:1",
            ["deployment/mine migrate={0} mine={0}", "deployment/worker w={0}"],
        ),
        ("ghcr.io/new/name@sha256:1", ["deployment/mine mine={0}"]),
    ):
        SCRIPT["rollout"](image, TEMPLATE)
        assert capsys.readouterr().out.splitlines() == [
            "oc set image " + line.format(image) for line in wanted
        ]


def test_a_volume_of_the_image_is_as_read_only_as_the_rest():
    about = {"Config": {"Volumes": {"/data/": {}, "/tmp/cache": {}, "/srv": {}}}}
    container = {
        "securityContext": {"readOnlyRootFilesystem": True},
        "volumeMounts": [{"mountPath": "/tmp"}, {"mountPath": "/srv/files"}],
    }
    assert SCRIPT["image_volumes"](about, container) == [
        "--mount",
        "type=volume,destination=/data,readonly",
    ]
    assert (
        SCRIPT["image_volumes"](about, {})
        == SCRIPT["image_volumes"]({"Config": {}}, container)
        == []
    )


def test_variables_are_filled_in_as_kubernetes_does():
    container = {
        "env": [
            {"name": "A", "value": "$(B) $$(A)"},
            {"name": "B", "value": "$(A)!"},
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ]
    }
    known, unknown = SCRIPT["environment"](container, [])
    assert known == {"A": "$(B) $(A)", "B": "$(B) $(A)!"} and unknown == ["POD"]
    assert SCRIPT["filled_in"]("--port=$(A) $(C)", {"A": "1"}) == "--port=1 $(C)"


def test_what_the_manifests_hold_is_mounted_and_an_emptydir_has_its_limit(tmp_path):
    objects = [
        {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a.conf": "a", "b": "b"}},
        {"kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "c2VjcmV0"}},
    ]
    pod = {
        "volumes": [
            {
                "name": "conf",
                "configMap": {"name": "c", "items": [{"key": "a.conf", "path": "x/y"}]},
            },
            {"name": "all", "configMap": {"name": "c"}},
            {"name": "secret", "secret": {"secretName": "s"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "1Mi"}},
            {"name": "theirs", "secret": {"secretName": "unknown"}},
        ]
    }
    container = {
        "volumeMounts": [
            {"name": "conf", "mountPath": "/conf"},
            {"name": "all", "mountPath": "/etc/b", "subPath": "b"},
            {"name": "secret", "mountPath": "/s"},
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "theirs", "mountPath": "/t"},
        ]
    }
    options = SCRIPT["mounts"](pod, container, objects, tmp_path)
    assert options == [
        "--volume",
        f"{tmp_path / 'conf'}:/conf:ro",
        "--volume",
        f"{tmp_path / 'all' / 'b'}:/etc/b:ro",
        "--volume",
        f"{tmp_path / 'secret'}:/s:ro",
        "--tmpfs",
        "/tmp:exec,mode=1777,size=1048576",
        "--tmpfs",
        "/t:exec,mode=1777",
    ]
    assert [(tmp_path / name).read_text() for name in ("conf/x/y", "all/b", "secret/k")] == [
        "a",
        "b",
        "secret",
    ]


class Pages(http.server.BaseHTTPRequestHandler):
    """Redirections of three kinds, an error, and something that is no HTTP."""

    def do_GET(self):
        if self.path == "/nonsense":
            self.wfile.write(b"nonsense\r\n\r\n")
            return
        self.send_response({"/": 200, "/gone": 404}.get(self.path, 302))
        self.send_header(
            "Location",
            {"/out": "http://login.invalid/", "/in": "/", "/wrong": "/gone"}.get(
                self.path, self.path
            ),
        )
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(
    "path, found",
    [
        ("/", None),
        ("/out", None),
        ("/in", None),
        ("/wrong", "status 404"),
        ("/loop", "status 302"),
        ("/nonsense", "no answer (nonsense\r\n)"),
    ],
)
def test_a_probe_is_content_with_what_contents_the_kubelet(path, found):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            assert (
                SCRIPT["probe"](
                    "",
                    server.server_port,
                    {"httpGet": {"path": path, "port": "http"}, "timeoutSeconds": 5},
                )
                == found
            )
        finally:
            server.shutdown()
