"""A headless Chromium, driven over its DevTools protocol: what a person sees of a page, and what they do there."""

import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request

from conftest import need
from websocket import WebSocket

QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Browser:
    """with Browser() as browser: browser.open(ADDRESS); browser.wait(JAVASCRIPT)"""

    def __enter__(self):
        program = next(
            filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
        )
        need(program, "Chromium or Chrome on PATH")
        self.folder = tempfile.mkdtemp()
        self.process = subprocess.Popen(
            [
                program,
                *QUIET,
                "--no-proxy-server",
                "--window-size=1200,720",
                f"--user-data-dir={self.folder}",
                "--remote-debugging-port=0",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
        port = next(
            found[1]
            for found in (
                re.search(r"DevTools listening on ws://[^:]+:(\d+)/", line)
                for line in self.process.stderr
            )
            if found
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"http://127.0.0.1:{port}/json/list"
        ) as answer:
            self.socket = WebSocket(
                next(
                    tab["webSocketDebuggerUrl"]
                    for tab in json.load(answer)
                    if tab["type"] == "page"
                )
            )
        self.number, self.failed = 0, []
        self.call("Network.enable")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stderr.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, **parameters):
        """A command of the protocol (chromedevtools.github.io/devtools-protocol), and its result."""
        self.number += 1
        self.socket.send({"id": self.number, "method": method, "params": parameters})
        while True:
            message = self.socket.receive()
            if message.get("method") == "Network.loadingFailed":
                self.failed.append(message["params"]["errorText"])
            if message.get("id") == self.number:
                return message["result"]

    def open(self, address):
        """Go there; again where Chromium gave requests up because a network interface came or went, as one does with every container here."""
        for _ in range(5):
            self.failed.clear()
            self.call("Page.navigate", url=address)
            self.wait("document.readyState === 'complete'")
            if "net::ERR_NETWORK_CHANGED" not in self.failed:
                break

    def value(self, expression):
        """What JavaScript has for an expression; None where that fails."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)[
            "result"
        ].get("value")

    def wait(self, expression, seconds=30):
        """Until an expression is true, its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.value(expression)
            if found:
                return found
            time.sleep(0.1)
        raise TimeoutError(
            f"{expression} was not true in {seconds} seconds; requests failed: {self.failed}; the page says: {self.value('document.body.innerText')}"
        )


def sees(address, text):
    """The page that a person sees there, as markup, once it shows a text."""
    with Browser() as browser:
        browser.open(address)
        browser.wait(f"document.body.innerText.includes({json.dumps(text)})")
        return browser.value("document.documentElement.outerHTML")
