"""Reads a pull secret, and decides what may be said of it.

Everything in a Secret may be a token that was put in the wrong place. So what comes out of one is
kept for the screen only where it has the form of what it is said to be, and does not look like a
token. The rest is described in a word.
"""

from __future__ import annotations

import base64
import binascii
import json
import re

from dsri.doctor.facts import Login, PullSecret
from dsri.doctor.hide import looks_like_a_token
from dsri.kustomize import Object

KEYS = {
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
    "kubernetes.io/dockercfg": ".dockercfg",
}
# docs.github.com, username considerations; `_code` is the suffix of an enterprise-managed user.
LOGIN = re.compile(r"(?!.{40})[A-Za-z0-9]+(-[A-Za-z0-9]+)*(_[A-Za-z0-9]+)?")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]+")
SECRET_TYPE = re.compile(r"[a-z][a-z.-]*(/[a-z][a-z.-]*)?|Opaque")
# A name without a dot or a port is none of a registry's (distribution, reference).
HOST = re.compile(r"(?=.*[.:]|localhost$)[a-z0-9*]([a-z0-9.*-]*[a-z0-9*])?(:\d+)?")
PLACE = re.compile(r"(?P<scheme>https?://)?(?P<login>.*@)?(?P<host>[^/?#@]*)(?P<path>[^?#@]*).*")
PATH = re.compile(r"(/[a-z0-9._-]*)*")
Credentials = tuple[str, str]  # a user's name and the token
TOKEN_FORMS = (
    ("github_pat_", "fine-grained"),
    ("ghs_", "of-a-workflow"),
    ("ghp_", "classic"),
    ("gho_", "of-an-app"),
    ("ghu_", "of-an-app"),
    ("sha256~", "of-openshift"),
)


def kind_of_token(token: str) -> str:
    """Return what the form of a token says of it.

    GitHub's forms are those of docs.github.com, About authentication to GitHub."""
    if not token.strip():
        return "empty"
    if token != token.strip() or re.search(r"\s", token):
        return "with-spaces"
    for start, kind in TOKEN_FORMS:
        if token.startswith(start):
            return kind
    if re.fullmatch(r"[0-9a-f]{40}", token):
        return "classic"  # as GitHub made them until April 2021
    if re.fullmatch(r"[$<{%].*|TOKEN|GHCR_TOKEN|xxx+|\.\.\.|changeme", token):
        return "placeholder"
    return "unknown"


def kind_of_user(user: str, token: str) -> str:
    """Return what stands where the user name should be: login, email, token, none or other.

    Only a `login` may be shown. What cannot be told from a password is `other`: with a password
    that has no token's form, the two may have changed places."""
    if not user.strip():
        return "none"
    if looks_like_a_token(user) or user == token:
        return "token"
    if EMAIL.fullmatch(user):
        return "email"
    if not LOGIN.fullmatch(user):
        return "other"
    return "other" if kind_of_token(token) in ("unknown", "empty", "with-spaces") else "login"


def place_shown(place: str) -> str:
    """Return a registry as a pull secret names it, but for a login; "" where it is no host's name.

    The kubelet leaves a login in the address out, too (kubernetes, credentialprovider/keyring)."""
    found = PLACE.fullmatch(place)
    if not found:
        return ""
    host = found["host"].lower()
    if not HOST.fullmatch(host) or any(map(looks_like_a_token, re.split("[.:]", host))):
        return ""
    path = found["path"]
    if not PATH.fullmatch(path) or any(map(looks_like_a_token, path.split("/"))):
        path = ""
    return (found["scheme"] or "") + host + path


def type_shown(kind: str | None) -> str:
    """Return a Secret's type, or "" where it is no type's name."""
    if not kind or not SECRET_TYPE.fullmatch(kind) or looks_like_a_token(kind):
        return ""
    return kind


def login_of(entry: Object) -> Credentials:
    """Return (user, token) of one entry; without a colon in `auth`, all of it is the user."""
    if entry.get("auth"):
        text = base64.b64decode(entry["auth"]).decode("utf-8", "replace")
        user, _, token = text.partition(":")
        return user, token
    return entry.get("username", ""), entry.get("password", "")


def login_shown(user: str, token: str) -> Login:
    """Return what may be known of one login."""
    kind = kind_of_user(user, token)
    return Login(user if kind == "login" else "", kind_of_token(token), kind)


def read_configuration(name: str, encoded: str, secret: PullSecret) -> dict[str, Credentials]:
    """Add what may be known of one Docker configuration to `secret`; return its logins.

    `name` is the key in the Secret's data. A configuration that cannot be read makes the secret
    `broken`: what is wrong with it is not looked at, as an error's words could show it."""
    logins: dict[str, Credentials] = {}
    try:
        config = json.loads(base64.b64decode(encoded))
        entries = config.get("auths", {}) if name == ".dockerconfigjson" else config
        secret.elsewhere = bool(config.get("credsStore") or config.get("credHelpers"))
        for place, entry in entries.items():
            login = login_of(entry)
            secret.registries[place_shown(place)] = login_shown(*login)
            logins[place_shown(place)] = login
    except (ValueError, AttributeError, TypeError, RecursionError, binascii.Error):
        secret.broken = True
    return logins


def read_secret(item: Object) -> tuple[PullSecret, dict[str, Credentials]]:
    """Return (what may be known of a Secret, {registry: (user, token)}); the first has no token."""
    secret = PullSecret(type_shown(item.get("type")))
    data = item.get("data") or {}
    key = KEYS.get(item.get("type", ""))
    logins: dict[str, Credentials] = {}
    for name in [key] if key else KEYS.values():
        if name in data:
            logins.update(read_configuration(name, data[name], secret))
    return secret, logins


def withheld(logins: dict[str, Credentials]) -> set[str]:
    """Return the values of logins that no output may have in it, as they are and encoded."""
    values = set()
    for user, token in logins.values():
        values |= {token, encoded_in_base64(f"{user}:{token}")}
        if kind_of_user(user, token) != "login":
            values |= {user, encoded_in_base64(user)}
    return {value for value in values if kind_of_token(value) != "placeholder"}


def encoded_in_base64(text: str) -> str:
    """Return a text as `auth` has it."""
    return base64.b64encode(text.encode()).decode()
