"""GitHub's REST API for many readers at once.

There is one pool of connections, and one rate limit that all of them respect."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import requests

TRIES = 3  # of one request: a server that is busy, a connection that broke
SECONDS = (10, 30)  # to connect, and to be answered
CONNECTIONS = 64
MINUTE = 60
OK, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, LIMITED, FOR_LAW, SERVER = 200, 401, 403, 404, 429, 451, 500
REFUSALS = {
    UNAUTHORIZED: "the token is refused",
    FORBIDDEN: "this token may not read it",
    NOT_FOUND: "not there, or this token cannot see it",
    FOR_LAW: "blocked for legal reasons",
}
NO_SSO = "the token is not authorised for the organisation's single sign-on"


class Unreadable(Exception):
    """What cannot be read, in words for a table's cell."""

    def __init__(self, why: str, status: int | None = None) -> None:
        """Take the reason, and the status of HTTP where there was an answer."""
        super().__init__(why)
        self.status = status


class Exhausted(Unreadable):
    """The rate limit leaves nothing for longer than may be waited."""


def address() -> str:
    """Return where the API is: GitHub's, or that of an Enterprise server, as on its runners."""
    return os.environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")


def find_token() -> str | None:
    """Return the token from the environment or from `gh`; None for none. It is never printed."""
    token = os.environ.get("GH_TOKEN") or os.environ.get("GITHUB_TOKEN")
    if not token and shutil.which("gh"):
        host = (urllib.parse.urlsplit(address()).hostname or "").removeprefix("api.")
        command = ["gh", "auth", "token", "--hostname", host]
        token = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return token or None


def no_notice(until: float) -> None:
    """Tell nobody that the rate limit makes all wait."""


def is_limited(answer: requests.Response) -> bool:
    """Tell whether a request was refused for the rate limit."""
    if answer.status_code == LIMITED:
        return True
    if answer.status_code != FORBIDDEN:
        return False
    headers = answer.headers
    nothing_remains = headers.get("X-RateLimit-Remaining") == "0"
    return "Retry-After" in headers or nothing_remains or "secondary rate limit" in answer.text


def wait_until(answer: requests.Response, attempt: int) -> float | None:
    """Return until when (time.time()) an answer makes all wait; None where it does not.

    Retry-After counts first, then X-RateLimit-Reset where nothing remains, else it is a minute, and
    more from one attempt to the next (docs.github.com, REST API, rate limits)."""
    after = answer.headers.get("Retry-After", "")
    reset = answer.headers.get("X-RateLimit-Reset", "")
    if is_limited(answer) and after.isdigit():
        return time.time() + int(after)
    if answer.headers.get("X-RateLimit-Remaining") == "0" and reset.isdigit():
        return int(reset) + 1
    if is_limited(answer):
        return time.time() + float(MINUTE * 2 ** (attempt - 1))
    return None


def refusal(answer: requests.Response) -> Unreadable:
    """Return why an answer has not what was asked for."""
    status = answer.status_code
    if "X-GitHub-SSO" in answer.headers:
        return Unreadable(NO_SSO, status)
    return Unreadable(REFUSALS.get(status, f"GitHub answers {status}"), status)


class Client:
    """Reads GitHub's API, by many threads at once.

    Unreadable is what cannot be read, Exhausted what may be read later."""

    def __init__(
        self,
        token: str | None = None,
        longest_wait: float = 900,
        on_wait: Callable[[float], object] = no_notice,
    ) -> None:
        """Take a token, and for how many seconds the rate limit may be waited for.

        `on_wait` is told until when (time.time()) the limit makes all of them wait."""
        self.api = address()
        url = urllib.parse.urlsplit(self.api)
        if url.scheme != "https" and url.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise Unreadable(f"{self.api} is not https: the token would be readable on its way")
        self.longest_wait = longest_wait
        self.on_wait = on_wait
        self.requests = 0
        self._lock = threading.Lock()
        self._resume = 0.0
        self._stopped = threading.Event()
        # A proxy of the environment's does not reach loopback.
        self._session = self._new_session(token, trust_environment=url.scheme == "https")

    def _new_session(self, token: str | None, trust_environment: bool) -> requests.Session:
        session = requests.Session()
        session.trust_env = trust_environment
        session.mount(self.api, requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS))
        session.headers["Accept"] = "application/vnd.github+json"
        session.headers["X-GitHub-Api-Version"] = "2022-11-28"
        session.headers["User-Agent"] = "dsri-fleet"
        if token:

            def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
                request.headers["Authorization"] = f"Bearer {token}"
                return request

            # Not a header of the session's: a .netrc would go before it.
            session.auth = authorize
        return session

    def stop(self) -> None:
        """Let nobody wait or ask any longer."""
        self._stopped.set()

    def get(self, path: str, **parameters: Any) -> Any:
        """Return the JSON of a path."""
        return self._get(self.api + path, parameters).json()

    def pages(self, path: str, **parameters: Any) -> Iterator[Any]:
        """Yield the items of a list, page by page, as they are asked for."""
        url: str | None = self.api + path
        parameters = {"per_page": 100, **parameters}
        while url:
            answer = self._get(url, parameters)
            yield from answer.json()
            url, parameters = answer.links.get("next", {}).get("url"), {}

    def _get(self, url: str, parameters: dict[str, Any]) -> requests.Response:
        for attempt in range(1, TRIES + 1):
            answer = self._try(url, parameters, attempt)
            if answer is None:
                continue
            limited = self._note_limit(answer, attempt)
            if answer.status_code == OK:
                return answer
            if limited:
                continue
            if answer.status_code < SERVER or attempt == TRIES:
                raise refusal(answer)
            self._pause(attempt)
        raise Unreadable("the rate limit goes on refusing", LIMITED)

    def _try(self, url: str, parameters: dict[str, Any], attempt: int) -> requests.Response | None:
        """Return the answer; None where the connection broke, and another try is due."""
        self._wait()
        with self._lock:
            self.requests += 1
        try:
            return self._session.get(url, params=parameters, timeout=SECONDS)
        except requests.RequestException as error:
            if attempt == TRIES:
                raise Unreadable(f"no answer ({type(error).__name__})") from None
            self._pause(attempt)
            return None

    @staticmethod
    def _pause(attempt: int) -> None:
        time.sleep(0.5 * 2 ** (attempt - 1))

    def _note_limit(self, answer: requests.Response, attempt: int) -> bool:
        """Let all wait where the limit is reached; tell whether this answer was refused for it."""
        until = wait_until(answer, attempt)
        if until:
            with self._lock:
                self._resume = max(self._resume, until)
        return is_limited(answer)

    def _wait(self) -> None:
        """Wait until the rate limit ends; Exhausted where that is too long."""
        while not self._stopped.is_set():
            left = self._resume - time.time()
            if left <= 0:
                return
            if left > self.longest_wait:
                end = time.strftime("%H:%M", time.localtime(self._resume))
                raise Exhausted(f"the rate limit ends at {end}: run again then", LIMITED)
            self.on_wait(self._resume)
            self._stopped.wait(min(left, 1))
        raise Unreadable("interrupted")
