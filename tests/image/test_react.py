"""The react stack's image: how it caches, compresses and guards what it serves; its backend named at run time; any text arrives."""

import concurrent.futures
import gzip
import html.parser
import http.client
import json
import re
import uuid

import pytest
from browser import sees
from conftest import BASE, as_the_cluster, bake, run, until

NAME = "Quotes \" ' \\ {{ x }} </script> ${x} `y` 🚀 %MODE%"
DESCRIPTION = (
    "<!-- &amp; <b> --> \\u0041 $& $1 import.meta.env.MODE process.env.NODE_ENV  two spaces"
)
AUTHOR = "Zoë </title> O'Neill \\"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# Says what it was asked, and sends headers of its own.
BACKEND = """
import http.server, json, time
class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("asked", self.path, flush=True)
        time.sleep(3 if "slow" in self.path else 0)
        body = json.dumps({"path": self.path, **self.headers}).encode()
        self.send_response(307 if "away" in self.path else 200)
        for name, value in {"X-Frame-Options": "SAMEORIGIN", "Strict-Transport-Security": "max-age=1", "Cache-Control": "max-age=7", "Location": "http://" + self.headers["Host"] + "/there", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        left, got = int(self.headers["Content-Length"]), 0
        while got < left:
            got += len(self.rfile.read(min(65536, left - got)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(got).encode())
http.server.HTTPServer(("", 8000), Echo).serve_forever()
"""


pytestmark = pytest.mark.builds("react")


@pytest.fixture(scope="module")
def image(docker, tmp_path_factory):
    made = bake(
        tmp_path_factory.mktemp("react"),
        stack="react",
        project_name=NAME.replace("{{ x }}", "{{ '{{ x }}' }}"),
        description=DESCRIPTION,
        full_name=AUTHOR,
    )
    assert made.status == 0, made.text
    name = "ghcr.io/maastrichtu-ids/test-react-texts:latest"
    done = run(
        "docker", "buildx", "build", "--builder", "default", "--load", "-t", name, str(made.path)
    )
    assert done.returncode == 0, done.stderr
    yield name
    run("docker", "image", "rm", "--force", name)


@pytest.fixture(scope="module")
def network(docker):
    name = f"react-{uuid.uuid4().hex[:6]}"
    assert run("docker", "network", "create", name).returncode == 0
    yield name
    run("docker", "network", "rm", "--force", name)


@pytest.fixture(scope="module")
def alone(image):
    """The address of a pod without a backend."""
    with as_the_cluster(image) as (_, address):
        yield address


def ask(address, path, method="GET", body=None, **headers):
    """(status, headers, body) of one answer; a redirect is not followed."""
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request(
        method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
    )
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def asset(address, kind):
    """The path of the page's script or style sheet."""
    return re.search(rf"/assets/[\w.-]+\.{kind}", ask(address, "/")[2].decode())[0]


def test_a_name_with_a_hash_is_kept_for_ever_and_the_page_is_asked_for_again(alone):
    for kind in ("js", "css"):
        assert (
            ask(alone, asset(alone, kind))[1]["Cache-Control"]
            == "public, max-age=31536000, immutable"
        )
    status, headers, _ = ask(alone, "/")
    assert status == 200 and headers["Cache-Control"] == "no-cache"
    again, kept, body = ask(alone, "/", If_None_Match=headers["ETag"])
    assert (again, kept["Cache-Control"], body) == (304, "no-cache", b"")
    assert ask(alone, "/config.json")[1]["Cache-Control"] == "no-store"
    status, headers, _ = ask(alone, "/assets/gone-00000000.js")
    assert status == 404 and headers["Cache-Control"] == "no-cache"


def test_every_other_address_is_the_page(alone):
    page = ask(alone, "/")
    for path in ("/a/deep/route", "/item/v1.2?x=1"):
        status, headers, body = ask(alone, path)
        assert (status, headers["Content-Type"], body) == (200, "text/html; charset=utf-8", page[2])
        assert headers["Cache-Control"] == "no-cache"


def test_it_is_compressed_where_the_browser_can_read_that(alone):
    for kind in ("js", "css"):
        path = asset(alone, kind)
        plain, packed = ask(alone, path), ask(alone, path, Accept_Encoding="gzip")
        assert (
            "Content-Encoding" not in plain[1]
            and packed[1]["Content-Encoding"] == "gzip"
            and "Accept-Encoding" in packed[1]["Vary"]
        )
        assert gzip.decompress(packed[2]) == plain[2] and len(packed[2]) < len(plain[2]) / 2


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/", 200),
        ("GET", "/healthz", 200),
        ("GET", "/config.json", 200),
        ("GET", "/assets/gone.js", 404),
        ("GET", "/api/x", 404),
        ("GET", "/api", 301),
        ("POST", "/", 405),
        ("GET", "/%00", 400),
    ],
)
def test_every_answer_has_the_security_headers(alone, method, path, status):
    got, headers, _ = ask(alone, path, method)
    assert got == status and {name: headers.get_all(name) for name in HEADERS} == {
        name: [value] for name, value in HEADERS.items()
    }
    assert headers["Server"] == "nginx" and not re.match("https?:", headers.get("Location", ""))


def test_the_backend_is_named_at_run_time_and_may_come_later(image, network):
    started = None
    with as_the_cluster(image, "--network", network, "--env", "BACKEND_URL=http://api:8000/") as (
        name,
        address,
    ):
        try:
            assert json.loads(ask(address, "/config.json")[2]) == {"backend": "/api"}
            status, headers, _ = ask(address, "/api/x")
            assert status == 502 and headers["X-Frame-Options"] == "DENY"
            started = run(
                "docker",
                "run",
                "-d",
                "--rm",
                "--network",
                network,
                "--network-alias",
                "api",
                BASE,
                "python3",
                "-c",
                BACKEND,
            )
            assert started.returncode == 0, started.stderr
            until(lambda: ask(address, "/api/x")[0] == 200, why=lambda: run("docker", "logs", name))
            status, headers, body = ask(
                address,
                "/api/a%2Fb/é?x=1&y=%20".replace("é", "%C3%A9"),
                X_Forwarded_Proto="https",
                Host="page.example.org",
            )
            said = json.loads(body)
            assert (
                status,
                said["path"],
                said["X-Forwarded-Proto"],
                said["X-Forwarded-Host"],
                said["X-Forwarded-Prefix"],
            ) == (200, "/a%2Fb/%C3%A9?x=1&y=%20", "https", "page.example.org", "/api")
            assert headers.get_all("X-Frame-Options") == ["DENY"] and headers.get_all(
                "Strict-Transport-Security"
            ) == ["max-age=31536000"]
            assert headers.get_all("Cache-Control") == ["max-age=7"]
            status, headers, _ = ask(address, "/api/away")
            assert (status, headers["Location"]) == (307, "/api/there")
            assert ask(address, "/api/upload", "POST", b"x" * 3_000_000)[2] == b"3000000"
            with (
                concurrent.futures.ThreadPoolExecutor() as pool
            ):  # a stop, as the cluster does it, lets what is under way come to its end
                slow = pool.submit(ask, address, "/api/slow")
                until(lambda: "asked /slow" in run("docker", "logs", started.stdout.strip()).stdout)
                run("docker", "stop", "--time", "10", name)
                assert slow.result()[0] == 200
            assert json.loads(run("docker", "inspect", name).stdout)[0]["State"]["ExitCode"] == 0
        finally:
            if started:
                run("docker", "rm", "-f", started.stdout.strip())


@pytest.mark.parametrize(
    "value",
    [
        "http://a b",
        "http://a;}",
        "http://$host",
        'http://a"',
        "http://a\nhttp://b",
        "http://a\\",
        "api",
        "ftp://a",
        "http://",
        "http://u:p@a",
        "http://a/path",
        "http://a:x",
    ],
)
def test_an_address_that_is_none_is_refused_by_name(image, value):
    done = run(
        "docker",
        "run",
        "--rm",
        "--read-only",
        "--tmpfs",
        "/tmp",
        "--env",
        f"BACKEND_URL={value}",
        image,
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        "BACKEND_URL is not an address such as http://my-api or https://example.org:8443, without a path.\n",
    )


POD = "search demo.svc.cluster.local svc.cluster.local cluster.local\nnameserver 172.30.0.10\noptions ndots:5\n"


@pytest.mark.parametrize(
    "resolv, url, backend",
    [
        (POD, "http://my-api", "http://my-api.demo.svc.cluster.local"),
        (POD, "https://my-api:8443/", "https://my-api.demo.svc.cluster.local:8443"),
        (POD, "http://my-api.other.svc:81", "http://my-api.other.svc.cluster.local:81"),
        (POD, "https://api.example.org", "https://api.example.org"),
        (POD, "http://10.1.2.3:81", "http://10.1.2.3:81"),
        (POD, "http://[fd00::1]:81", "http://[fd00::1]:81"),
        (POD, "http://localhost:81", "http://127.0.0.1:81"),
        (
            "nameserver 127.0.0.11\nsearch um.nl\noptions edns0 ndots:0\n",
            "http://api",
            "http://api",
        ),
        ("nameserver fe80::1%eth0\nnameserver fd00::2\n", "http://api", "http://api"),
    ],
)
def test_a_service_name_is_completed_as_the_pod_would(image, tmp_path, resolv, url, backend):
    (tmp_path / "resolv.conf").write_text(resolv, encoding="utf-8")
    (tmp_path / "resolv.conf").chmod(0o644)
    done = run(
        "docker",
        "run",
        "--rm",
        "--volume",
        f"{tmp_path / 'resolv.conf'}:/etc/resolv.conf:ro",
        "--env",
        f"BACKEND_URL={url}",
        image,
        "nginx",
        "-T",
        "-q",
        "-c",
        "/tmp/nginx.conf",
    )
    assert done.returncode == 0 and f'set $backend "{backend}";' in done.stdout, (
        done.stdout + done.stderr
    )
    assert re.search(r"\n  resolver (172\.30\.0\.10|127\.0\.0\.11|\[fd00::2\]) ;\n", done.stdout)


class Text(html.parser.HTMLParser):
    """The text of each element of a page, by the element's name."""

    def __init__(self, page):
        super().__init__()
        self.text, self.open = {}, []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "link"):
            self.open.append(tag)
        elif dict(attributes).get("name") == "description":
            self.text["description"] = dict(attributes)["content"]

    def handle_endtag(self, tag):
        self.open.pop()

    def handle_data(self, data):
        for tag in self.open:
            self.text[tag] = self.text.get(tag, "") + data


def test_any_text_arrives_in_a_browser_and_is_no_markup(alone):
    text = Text(sees(f"http://{alone}/", "No backend is set.")).text
    assert (text["title"], text["h1"], text["description"], text["footer"]) == (
        NAME,
        NAME,
        DESCRIPTION,
        AUTHOR,
    )
    assert DESCRIPTION in text["main"] and "No backend is set." in text["main"] and "b" not in text
