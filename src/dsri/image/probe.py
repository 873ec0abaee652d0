"""Asks what a manifest's probe asks, as the kubelet would."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from dsri.kustomize import Object
from dsri.processes import run

FIRST_ERROR = 400  # status of HTTP


class SameHostOnly(urllib.request.HTTPRedirectHandler):
    """Takes a redirection to another host for an answer, as the kubelet does."""

    def redirect_request(
        self,
        request: urllib.request.Request,
        *rest: Any,  # file, code, message, headers, address: as urllib passes them
    ) -> urllib.request.Request | None:
        """Return the request to follow, or None."""
        wanted = urllib.parse.urlsplit(rest[-1]).hostname
        if wanted != urllib.parse.urlsplit(request.full_url).hostname:
            return None
        return super().redirect_request(request, *rest)


def command_fails(name: str, command: list[str]) -> str | None:
    """Return what a command in the container said when it failed; None where it did not."""
    done = run("docker", "exec", name, *command, merged=True)
    if not done.status:
        return None
    return f"its command ended with status {done.status}: {done.output.strip()[-300:]}"


def http_fails(port: int, check: Object, seconds: float) -> str | None:
    """Return how an HTTP probe failed; None where it passed."""
    scheme, path = check.get("scheme", "http").lower(), check.get("path", "/")
    headers = {h["name"]: h["value"] for h in check.get("httpHeaders", [])}
    request = urllib.request.Request(f"{scheme}://127.0.0.1:{port}{path}", headers=headers)
    # The kubelet knows no certificate of a pod, either.
    anybody = ssl.create_default_context()
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=anybody),
        SameHostOnly,
    )
    try:
        opener.open(request, timeout=seconds).close()
    except urllib.error.HTTPError as error:
        failed = error.code >= FIRST_ERROR or "infinite loop" in str(error)
        return f"status {error.code}" if failed else None
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"no answer ({error})"
    return None


def connection_fails(port: int, seconds: float) -> str | None:
    """Return how a TCP probe failed; None where it passed."""
    with socket.socket() as connection:
        connection.settimeout(seconds)
        try:
            connection.connect(("127.0.0.1", port))
            # Docker's proxy takes every connection, and closes it at once where nothing listens.
            connection.settimeout(1)
            return None if connection.recv(1) else "closed at once"
        except socket.timeout:
            return None
        except OSError as error:
            return f"no answer ({error})"


def probe(name: str, port: int, check: Object) -> str | None:
    """Return how a probe failed; None where it passed.

    `check` is the manifest's probe, `name` the container, `port` this machine's port."""
    seconds = check.get("timeoutSeconds", 1)
    if "exec" in check:
        return command_fails(name, check["exec"]["command"])
    if "httpGet" in check:
        return http_fails(port, check["httpGet"], seconds)
    return connection_fails(port, seconds)
