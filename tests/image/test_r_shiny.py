"""The r-shiny stack's image: texts arrive whole, a session draws over its websocket, a busy R is neither taken for dead nor in the way of an end."""

import contextlib
import http.client
import json
import re
import time
from html.parser import HTMLParser

import pytest
from conftest import as_the_cluster, bake, run, until
from websocket import WebSocket

IMAGE = "ghcr.io/maastrichtu-ids/test-shiny:latest"
TEXTS = {
    "project_name": "\"'`$(id) \\u0041 \\ %s {{ 1 }} </title><script>document.title='x'</script> 👩‍🚀 日本 \\",
    "description": "\\\" \\n </p> &amp; e\u0301 {# y #} %d ${x} 'a' #% if",
    "full_name": "Ångström \\'\"; quit() #",
}
INPUTS = {
    "measure": "bill_len",
    "species": ["Gentoo"],
    ".clientdata_output_plot_width": 600,
    ".clientdata_output_plot_height": 400,
    ".clientdata_output_plot_hidden": False,
    ".clientdata_pixelratio": 1,
}


pytestmark = pytest.mark.builds("r-shiny")


@pytest.fixture(scope="module")
def image(docker, tmp_path_factory):
    answers = {key: text.replace("{", "{{ '{' }}") for key, text in TEXTS.items()}
    made = bake(tmp_path_factory.mktemp("shiny"), stack="r-shiny", **answers)
    assert made.status == 0, made.text
    for options in (["--target", "test", "--output", "type=cacheonly"], ["--load", "-t", IMAGE]):
        built = run("docker", "buildx", "build", "--builder", "default", *options, str(made.path))
        assert built.returncode == 0, built.stderr
    yield IMAGE
    run("docker", "image", "rm", "--force", IMAGE)


def get(address, path, wait=5):
    """(status, text) of what a container answers."""
    connection = http.client.HTTPConnection(address, timeout=wait)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode("utf-8")


def draw(socket, kind, inputs):
    """The plot that Shiny sends for these inputs."""
    socket.send({"method": kind, "data": inputs})
    return socket.until(lambda message: "plot" in message.get("values", {}))["values"]["plot"]


class Texts(HTMLParser):
    """What a browser shows of the title, the heading, the description and the author."""

    def __init__(self, page):
        super().__init__()
        self.found, self.inside = {}, None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.inside = (
            dict(attributes).get("id")
            if tag in ("p", "small")
            else tag
            if tag in ("title", "h1")
            else self.inside
        )

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        self.found[self.inside] = self.found.get(self.inside, "") + data


def test_texts_arrive_whole_and_a_session_draws_what_is_chosen(image):
    with as_the_cluster(image) as (name, address):
        status, page = get(address, "/")
        found = Texts(page).found
        assert status == 200 and found["title"] == found["h1"] == TEXTS["project_name"]
        assert (found["description"], found["author"]) == (TEXTS["description"], TEXTS["full_name"])
        with WebSocket(f"ws://{address}/websocket/") as socket:
            first = draw(socket, "init", INPUTS)
            second = draw(socket, "update", {"measure": "flipper_len"})
            assert (
                first["src"].startswith("data:image/png;base64,iVBOR")
                and second["src"] != first["src"]
            )
            assert second["alt"] == "Body mass against flipper length (mm) of 123 penguins"
            run("docker", "stop", "--time", "5", name)
        assert json.loads(run("docker", "inspect", name).stdout)[0]["State"]["ExitCode"] == 0
        assert run("docker", "logs", name).stderr.endswith("Stopped.\n")


def test_a_pod_that_has_shown_no_page_has_what_a_page_of_another_pod_asks_for(image):
    with as_the_cluster(image) as (name, address):
        paths = re.findall(r'(?:src|href)="([\w./-]+\.(?:js|css))"', get(address, "/")[1])
        run("docker", "restart", "--time", "5", name)
        address = run("docker", "port", name, "8080/tcp").stdout.strip()

        def healthy():  # not the page, with which R would learn of the files
            with contextlib.suppress(OSError, http.client.HTTPException):
                return get(address, "/healthz") == (200, "ok\n")

        until(healthy)
        assert (
            len(paths) > 5 and [path for path in paths if get(address, "/" + path)[0] != 200] == []
        )


def test_a_busy_r_is_healthy_and_ends_in_time(image, tmp_path):
    # R takes no interrupt while a program that it started runs, as in many a long computation.
    (tmp_path / "slow.R").write_text(
        "measured <- function(...) system('echo busy; sleep 60')\n", encoding="utf-8"
    )
    with as_the_cluster(image, "--volume", f"{tmp_path / 'slow.R'}:/srv/R/slow.R:ro") as (
        name,
        address,
    ):
        with WebSocket(f"ws://{address}/websocket/") as socket:
            socket.send({"method": "init", "data": INPUTS})
            until(lambda: "busy" in run("docker", "logs", name).stdout)
            start = time.monotonic()
            assert get(address, "/healthz") == (200, "ok\n") and time.monotonic() - start < 1
            with pytest.raises(OSError):
                get(address, "/", wait=1)
            run("docker", "stop", "--time", "5", name)
        assert json.loads(run("docker", "inspect", name).stdout)[0]["State"]["ExitCode"] == 143
