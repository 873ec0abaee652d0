"""Asks the registry, with the pull secret's own credentials and only when that was asked for. A token goes to its own registry, and a GitHub
token to GitHub, in a header: it is in no process list, no file and no answer."""

import base64
import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request

ACCEPT = ", ".join(
    "application/vnd." + kind
    for kind in (
        "oci.image.index.v1+json",
        "docker.distribution.manifest.list.v2+json",
        "oci.image.manifest.v1+json",
        "docker.distribution.manifest.v2+json",
    )
)
GITHUB = "https://api.github.com"


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take the header with the token to another host."""

    def redirect_request(self, *_):
        return None


def fetch(address, headers, method="GET"):
    """(status, headers, body); status 0 where nobody answers."""
    opener = urllib.request.build_opener(NoRedirect)
    try:
        with opener.open(
            urllib.request.Request(address, headers=headers, method=method), timeout=8
        ) as answer:
            return answer.status, answer.headers, answer.read(2_000_000)
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read(100_000)
    except (OSError, ValueError, http.client.HTTPException):
        return 0, {}, b""  # an error's text may hold the header that it is about


def split(image):
    """(registry, repository, tag or digest) of an image's name."""
    rest, at, digest = image.partition("@")
    host, slash, path = rest.partition("/")
    if not slash or not re.search(r"[.:]|^localhost$", host):
        host, path = "docker.io", rest if slash else "library/" + rest
    name, _, tag = path.partition(":")
    return host, name, digest if at else tag or "latest"


def serves(place, image):
    """Whether a login for `place`, as a pull secret names it, is used for an image."""
    host, name, _ = split(image)
    place = re.sub(r"^https?://", "", place).rstrip("/")
    place = re.sub(r"/v[12]$", "", place)
    if place in ("index.docker.io", "registry-1.docker.io"):
        place = "docker.io"
    wanted, _, path = place.partition("/")
    pattern = ".".join("[^.]+" if part == "*" else re.escape(part) for part in wanted.split("."))
    return bool(re.fullmatch(pattern, host)) and (not path or (name + "/").startswith(path + "/"))


def basic(login):
    return "Basic " + base64.b64encode(":".join(login).encode()).decode() if login else None


def bearer(host, name, login):
    """(status, a token for pulling one image) from the registry's token service, which it names itself."""
    status, headers, _ = fetch(f"https://{host}/v2/", {})
    challenge = headers.get("www-authenticate") or ""
    if status != 401 or not challenge.lower().startswith("bearer"):
        return status, None
    parts = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = urllib.parse.urlsplit(parts.get("realm", ""))
    # The credentials go to the registry's own organisation, over TLS, and nowhere else.
    if (
        realm.scheme != "https"
        or (realm.hostname or "").split(".")[-2:] != host.split(":")[0].split(".")[-2:]
    ):
        return 0, None
    query = urllib.parse.urlencode(
        {"service": parts.get("service", host), "scope": f"repository:{name}:pull"}
    )
    status, _, body = fetch(
        f"{parts['realm']}?{query}", {"Authorization": basic(login)} if login else {}
    )
    if status != 200:
        return status, None
    answer = json.loads(body)
    return 200, answer.get("token") or answer.get("access_token")


def manifest(image, login):
    """{status, digests}: all the digests by which a node may know the image; `at` says whether the login or the image was refused."""
    host, name, reference = split(image)
    status, token = bearer(host, name, login)
    if status != 200:
        return {"status": status, "at": "login"}
    headers = (
        {"Authorization": "Bearer " + token, "Accept": ACCEPT} if token else {"Accept": ACCEPT}
    )
    address = f"https://{host}/v2/{name}/manifests/"
    status, got, body = fetch(address + reference, headers)
    if status != 200:
        return {"status": status, "at": "image"}
    about, digests = json.loads(body), {got.get("docker-content-digest") or ""}
    for entry in about.get("manifests", []):
        if (
            entry.get("platform", {}).get("os") == "linux"
            and entry["platform"].get("architecture") == "amd64"
        ):
            digests.add(entry["digest"])
            about = json.loads(fetch(address + entry["digest"], headers)[2] or "{}")
            break
    else:
        if about.get("manifests"):
            return {
                "status": 200,
                "digests": [],
                "platforms": sorted(
                    {e.get("platform", {}).get("architecture", "?") for e in about["manifests"]}
                    - {"unknown"}
                ),
            }
    digests.add(about.get("config", {}).get("digest", ""))
    return {"status": 200, "digests": sorted(digests - {""})}


def about_token(token, github=GITHUB):
    """{status, ends, scopes} of a GitHub token: GitHub says them in the headers of any answer; this one counts against no limit."""
    status, headers, _ = fetch(
        github + "/rate_limit", {"Authorization": "Bearer " + token, "User-Agent": "dsri-doctor"}
    )
    scopes = headers.get("x-oauth-scopes")
    return {
        "status": status,
        "ends": headers.get("github-authentication-token-expiration"),
        "scopes": None if scopes is None else [s.strip() for s in scopes.split(",") if s.strip()],
    }


def ask(facts, template, logins):
    """What the registry answers for each image: {image: {secret, status, digests, newest, token}}; no token is in it."""
    found = {}
    for container in template.get("containers", []):
        image = container.get("image", "")
        if not image or image in found:
            continue
        name, login = next(
            (
                (n, one)
                for n in facts["used"]
                for place, one in logins.get(n, {}).items()
                if serves(place, image)
            ),
            (None, None),
        )
        host, repository, reference = split(image)
        found[image] = {"secret": name, **manifest(image, login)}
        if reference.startswith("sha256:") and found[image]["status"] == 200:
            found[image]["newest"] = manifest(f"{host}/{repository}:latest", login)
        # A node names an image by any of the names and digests that it had for the same content: what runs is asked for by that name.
        ids = {
            re.sub(r"^.*://", "", s.get("imageID") or "")
            for p in facts["pods"]
            for s in p.get("status", {}).get("containerStatuses") or []
            if s["name"] == container["name"]
        }
        others = [
            i
            for i in ids
            if "@sha256:" in i
            and i.startswith(host + "/")
            and i.partition("@")[2] not in found[image].get("digests", [])
        ]
        found[image]["running"] = (
            {i.partition("@")[2]: manifest(i, login).get("digests", []) for i in others[:3]}
            if found[image]["status"] == 200
            else {}
        )
        if login:
            # Whether the secret is at fault, or the image is private: the same question without it.
            found[image]["without"] = (
                manifest(image, None)["status"] if found[image]["status"] != 200 else None
            )
            if host == "ghcr.io":
                found[image]["token"] = about_token(login[1])
    return found
