"""GitHub's REST API for many readers at once: one pool of connections, one rate limit that all of them respect."""

import os
import shutil
import subprocess
import threading
import time
import urllib.parse

import requests

TRIES = 3  # of one request: a server that is busy, a connection that broke


class Unreadable(Exception):
    """What cannot be read, in words for a table's cell."""

    def __init__(self, why, status=None):
        super().__init__(why)
        self.status = status


class Exhausted(Unreadable):
    """The rate limit leaves nothing for longer than may be waited."""


def address():
    """Where the API is: GitHub's, or that of an Enterprise server, as on its runners."""
    return os.environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")


def find_token():
    """The token from the environment or from `gh`; None where there is none. It is never printed."""
    token = os.environ.get("GH_TOKEN") or os.environ.get("GITHUB_TOKEN")
    if not token and shutil.which("gh"):
        host = urllib.parse.urlsplit(address()).hostname.removeprefix("api.")
        token = subprocess.run(
            ["gh", "auth", "token", "--hostname", host], capture_output=True, text=True
        ).stdout.strip()
    return token or None


class Client:
    """Reads GitHub's API, by many threads at once; Unreadable is what cannot be read, Exhausted (`longest_wait`, in seconds) what may
    be read later. `on_wait` is told until when (time.time()) the limit makes all of them wait."""

    def __init__(self, token=None, longest_wait=900, on_wait=lambda until: None):
        self.api = address()
        url = urllib.parse.urlsplit(self.api)
        if url.scheme != "https" and url.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise Unreadable(f"{self.api} is not https: the token would be readable on its way")
        self.longest_wait, self.on_wait = longest_wait, on_wait
        self.requests = 0
        self._lock, self._resume, self._stopped = threading.Lock(), 0.0, threading.Event()
        self._session = requests.Session()
        self._session.trust_env = (
            url.scheme == "https"
        )  # a proxy of the environment's does not reach loopback
        self._session.mount(self.api, requests.adapters.HTTPAdapter(pool_maxsize=64))
        self._session.headers.update(
            {
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
                "User-Agent": "dsri-fleet",
            }
        )
        if token:
            # Not a header of the session's: a .netrc would go before it.
            self._session.auth = lambda request: (
                request.headers.update({"Authorization": f"Bearer {token}"}) or request
            )

    def stop(self):
        """Let nobody wait or ask any longer."""
        self._stopped.set()

    def get(self, path, **parameters):
        """The JSON of a path."""
        return self._get(self.api + path, parameters).json()

    def pages(self, path, **parameters):
        """The items of a list, page by page, as they are asked for."""
        url, parameters = self.api + path, {"per_page": 100, **parameters}
        while url:
            answer = self._get(url, parameters)
            yield from answer.json()
            url, parameters = answer.links.get("next", {}).get("url"), {}

    def _get(self, url, parameters):
        for attempt in range(1, TRIES + 1):
            self._wait()
            with self._lock:
                self.requests += 1
            try:
                answer = self._session.get(url, params=parameters, timeout=(10, 30))
            except requests.RequestException as error:
                if attempt == TRIES:
                    raise Unreadable(f"no answer ({type(error).__name__})") from None
                time.sleep(0.5 * 2 ** (attempt - 1))
                continue
            limited = self._limit(answer, attempt)
            if answer.status_code == 200:
                return answer
            if limited or (answer.status_code >= 500 and attempt < TRIES):
                if not limited:
                    time.sleep(0.5 * 2 ** (attempt - 1))
                continue
            sso = (
                "the token is not authorised for the organisation's single sign-on"
                if "X-GitHub-SSO" in answer.headers
                else None
            )
            raise Unreadable(
                sso or REFUSALS.get(answer.status_code, f"GitHub answers {answer.status_code}"),
                answer.status_code,
            )
        raise Unreadable("the rate limit goes on refusing", 429)

    def _limit(self, answer, attempt):
        """Let all wait where the answer says that the limit is reached; whether this answer was refused for it."""
        # docs.github.com, REST API, rate limits: Retry-After first, else X-RateLimit-Reset where nothing remains, else a minute.
        refused = answer.status_code == 429 or (
            answer.status_code == 403
            and (
                "Retry-After" in answer.headers
                or answer.headers.get("X-RateLimit-Remaining") == "0"
                or "secondary rate limit" in answer.text
            )
        )
        after = answer.headers.get("Retry-After", "")
        until = None
        if refused and after.isdigit():
            until = time.time() + int(after)
        elif (
            answer.headers.get("X-RateLimit-Remaining") == "0"
            and answer.headers.get("X-RateLimit-Reset", "").isdigit()
        ):
            until = int(answer.headers["X-RateLimit-Reset"]) + 1
        elif refused:
            until = time.time() + 60 * 2 ** (attempt - 1)
        if until:
            with self._lock:
                self._resume = max(self._resume, until)
        return refused

    def _wait(self):
        while (left := self._resume - time.time()) > 0:
            if left > self.longest_wait:
                raise Exhausted(
                    f"the rate limit ends at {time.strftime('%H:%M', time.localtime(self._resume))}: run again then",
                    429,
                )
            self.on_wait(self._resume)
            self._stopped.wait(min(left, 1))
            if self._stopped.is_set():
                break
        if self._stopped.is_set():
            raise Unreadable("interrupted")


REFUSALS = {
    401: "the token is refused",
    403: "this token may not read it",
    404: "not there, or this token cannot see it",
    451: "blocked for legal reasons",
}
