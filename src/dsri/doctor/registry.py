"""Asks the registry, with the pull secret's own login, and only when that was asked for.

A token goes to its own registry, and a GitHub token to GitHub, in a header: it is in no process
list, no file and no answer."""

from __future__ import annotations

import base64
import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from email.message import Message
from typing import Any

from dsri.doctor.facts import Facts, ImageAnswer, ManifestAnswer, TokenAnswer
from dsri.doctor.objects import image_host
from dsri.doctor.pull_secret import Credentials
from dsri.kustomize import Object

# The media types of images (OCI image specification; distribution, schema 2).
ACCEPT = ", ".join(
    f"application/vnd.{kind}"
    for kind in (
        "oci.image.index.v1+json",
        "docker.distribution.manifest.list.v2+json",
        "oci.image.manifest.v1+json",
        "docker.distribution.manifest.v2+json",
    )
)
GITHUB = "https://api.github.com"
SECONDS = 8
OK, UNAUTHORIZED = 200, 401
Logins = dict[str, dict[str, Credentials]]  # pull secret → registry → login
Reply = tuple[int, Mapping[str, str], bytes]  # status (0 where nobody answers), headers, body


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, which would take the header with the token to another host."""

    def redirect_request(self, *_: Any) -> None:
        """Return no request to follow."""
        return


def dict_of(headers: Message) -> dict[str, str]:
    """Return an answer's headers by their names in small letters."""
    return {name.lower(): value for name, value in headers.items()}


def fetch(address: str, headers: Mapping[str, str]) -> Reply:
    """Return what an address answers. An error's text is not kept: it may hold a header."""
    opener = urllib.request.build_opener(NoRedirect)
    try:
        request = urllib.request.Request(address, headers=dict(headers))
        with opener.open(request, timeout=SECONDS) as answer:
            return answer.status, dict_of(answer.headers), answer.read(2_000_000)
    except urllib.error.HTTPError as error:
        return error.code, dict_of(error.headers), error.read(100_000)
    except (OSError, ValueError, http.client.HTTPException):
        return 0, {}, b""


def json_in(body: bytes) -> Object:
    """Return the JSON object of an answer; an empty one where it is none."""
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def split(image: str) -> tuple[str, str, str]:
    """Return (registry, repository, tag or digest) of an image's name, as Docker reads it."""
    rest, at, digest = image.partition("@")
    host, slash, path = rest.partition("/")
    if not slash or not re.search(r"[.:]|^localhost$", host):
        host, path = "docker.io", rest if slash else "library/" + rest
    name, _, tag = path.partition(":")
    return host, name, digest if at else tag or "latest"


def host_of(image: str) -> str:
    """Return the registry of an image."""
    return split(image)[0]


def serves(place: str, image: str) -> bool:
    """Tell whether a login for `place`, as a pull secret names it, is used for an image.

    The rules are the kubelet's (kubernetes, credentialprovider/keyring.go)."""
    host, name, _ = split(image)
    place = re.sub(r"^https?://", "", place).rstrip("/")
    place = re.sub(r"/v[12]$", "", place)
    if place in ("index.docker.io", "registry-1.docker.io"):
        place = "docker.io"
    wanted, _, path = place.partition("/")
    pattern = ".".join("[^.]+" if part == "*" else re.escape(part) for part in wanted.split("."))
    return bool(re.fullmatch(pattern, host)) and (not path or f"{name}/".startswith(f"{path}/"))


def basic(login: Credentials) -> str:
    """Return the header's value of a login."""
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()


def organisation(host: str) -> list[str]:
    """Return the last two labels of a host's name."""
    return host.partition(":")[0].split(".")[-2:]


def bearer(host: str, name: str, login: Credentials | None) -> tuple[int, str | None]:
    """Return (status, a token for pulling one image) from the registry's own token service.

    The registry names that service itself (distribution, Token Authentication)."""
    status, headers, _ = fetch(f"https://{host}/v2/", {})
    challenge = headers.get("www-authenticate") or ""
    if status != UNAUTHORIZED or not challenge.lower().startswith("bearer"):
        return status, None
    parts = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = urllib.parse.urlsplit(parts.get("realm", ""))
    # The login goes to the registry's own organisation, over TLS, and nowhere else.
    if realm.scheme != "https" or organisation(realm.hostname or "") != organisation(host):
        return 0, None
    scope = {"service": parts.get("service", host), "scope": f"repository:{name}:pull"}
    headers = {"Authorization": basic(login)} if login else {}
    status, _, body = fetch(f"{parts['realm']}?{urllib.parse.urlencode(scope)}", headers)
    if status != OK:
        return status, None
    answer = json_in(body)
    return OK, answer.get("token") or answer.get("access_token")


def for_the_cluster(about: Object) -> str | None:
    """Return the digest of the image for linux/amd64 in an index; None where there is none."""
    for entry in about["manifests"]:
        platform = entry.get("platform", {})
        if platform.get("os") == "linux" and platform.get("architecture") == "amd64":
            return str(entry["digest"])
    return None


def platforms_in(about: Object) -> list[str]:
    """Return the processors that an index has an image for."""
    found = {one.get("platform", {}).get("architecture", "?") for one in about["manifests"]}
    return sorted(found - {"unknown"})


def manifest(image: str, login: Credentials | None) -> ManifestAnswer:
    """Ask for an image with a login, or with none."""
    host, name, reference = split(image)
    status, token = bearer(host, name, login)
    if status != OK:
        return ManifestAnswer(status, at="login")
    headers = {"Accept": ACCEPT}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    address = f"https://{host}/v2/{name}/manifests/"
    status, got, body = fetch(address + reference, headers)
    if status != OK:
        return ManifestAnswer(status, at="image")
    about = json_in(body)
    digests = {got.get("docker-content-digest") or ""}
    if about.get("manifests"):
        digest = for_the_cluster(about)
        if digest is None:
            return ManifestAnswer(OK, platforms=platforms_in(about))
        digests.add(digest)
        about = json_in(fetch(address + digest, headers)[2])
    digests.add(about.get("config", {}).get("digest", ""))
    return ManifestAnswer(OK, digests=sorted(digests - {""}))


def about_token(token: str, github: str = GITHUB) -> TokenAnswer:
    """Ask GitHub about a token.

    It says so in the headers of any answer; this one counts against no limit."""
    headers = {"Authorization": f"Bearer {token}", "User-Agent": "dsri-doctor"}
    status, got, _ = fetch(f"{github}/rate_limit", headers)
    given = got.get("x-oauth-scopes")
    scopes = None
    if given is not None:
        scopes = [scope.strip() for scope in given.split(",") if scope.strip()]
    return TokenAnswer(status, got.get("github-authentication-token-expiration"), scopes)


def login_for(image: str, used: list[str], logins: Logins) -> tuple[str | None, Credentials | None]:
    """Return (the name of the first pull secret that has a login for an image, that login)."""
    for name in used:
        for place, login in logins.get(name, {}).items():
            if serves(place, image):
                return name, login
    return None, None


def digests_that_run(facts: Facts, container: str, image: str, known: list[str]) -> list[str]:
    """Return the names with a digest that nodes give a container's image, but those `known`.

    A node names an image by any of the names and digests that it had for the same content."""
    found = set()
    for pod in facts.pods:
        for status in pod.get("status", {}).get("containerStatuses") or []:
            name = image_host(status.get("imageID") or "")
            is_here = status["name"] == container and name.startswith(host_of(image) + "/")
            if is_here and "@sha256:" in name and name.partition("@")[2] not in known:
                found.add(name)
    return sorted(found)


def ask_image(
    facts: Facts, container: str, image: str, name: str | None, login: Credentials | None
) -> ImageAnswer:
    """Ask all that is of use about one container's image, with the login of the secret `name`."""
    host, repository, reference = split(image)
    answer = ImageAnswer(manifest(image, login), name)
    if answer.manifest.status == OK:
        if reference.startswith("sha256:"):
            answer.newest = manifest(f"{host}/{repository}:latest", login)
        for other in digests_that_run(facts, container, image, answer.manifest.digests)[:3]:
            answer.running[other.partition("@")[2]] = manifest(other, login).digests
    elif login:
        # Whether the secret is at fault, or the image is private.
        answer.without = manifest(image, None).status
    if login and host == "ghcr.io":
        answer.token = about_token(login[1])
    return answer


def ask(facts: Facts, template: Object, logins: Logins) -> dict[str, ImageAnswer]:
    """Return what the registry answers for each image of a pod; no token is in it."""
    found: dict[str, ImageAnswer] = {}
    for container in template.get("containers", []):
        image = container.get("image", "")
        if image.strip() and image not in found:
            name, login = login_for(image, facts.used, logins)
            found[image] = ask_image(facts, container["name"], image, name, login)
    return found
