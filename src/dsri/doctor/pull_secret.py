"""What may be said of a pull secret.

Everything in a Secret may be a token that was put in the wrong place. So what comes out of one is
kept for the screen only where it has the form of what it is said to be, and does not look like a
token. The rest is described in a word.
"""

import base64
import binascii
import json
import re

from dsri.doctor.hide import looks_like_a_token

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
TOKEN_FORMS = (
    ("github_pat_", "fine-grained"),
    ("ghs_", "of-a-workflow"),
    ("ghp_", "classic"),
    ("gho_", "of-an-app"),
    ("ghu_", "of-an-app"),
    ("sha256~", "of-openshift"),
)


def kind_of_token(token):
    """What the form of a token says of it."""
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


def kind_of_user(user, token):
    """What stands where the user name should be: login, email, token, none or other.

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


def place_shown(place):
    """A registry as a pull secret names it, without a login in its address, or "" where it is no
    host's name. The kubelet leaves such a login out, too (kubernetes, credentialprovider/keyring)."""
    found = PLACE.fullmatch(place)
    host = found["host"].lower() if found else ""
    parts = re.split(r"[.:]", host)
    if not HOST.fullmatch(host) or any(map(looks_like_a_token, parts)):
        return ""
    path = found["path"]
    if not PATH.fullmatch(path) or any(map(looks_like_a_token, path.split("/"))):
        path = ""
    return (found["scheme"] or "") + host + path


def type_shown(kind):
    """A Secret's type, or "" where it is no type's name."""
    fits = kind and SECRET_TYPE.fullmatch(kind) and not looks_like_a_token(kind)
    return kind if fits else ""


def login_of(entry):
    """(user, token) of one entry; without a colon in `auth`, all of it stands for the user."""
    if entry.get("auth"):
        text = base64.b64decode(entry["auth"]).decode("utf-8", "replace")
        user, _, token = text.partition(":")
        return user, token
    return entry.get("username", ""), entry.get("password", "")


def entry_shown(user, token):
    """What may be known of one login."""
    kind = kind_of_user(user, token)
    shown = {"user": user if kind == "login" else "", "token": kind_of_token(token)}
    return shown if kind == "login" else {**shown, "user_is": kind}


def decoded(secret):
    """(what may be known of a pull secret, {registry: (user, token)}): the first holds no token."""
    known = {"type": type_shown(secret.get("type")), "registries": {}}
    data, logins = secret.get("data") or {}, {}
    key = KEYS.get(secret.get("type"))
    for name in [key] if key else KEYS.values():
        if name not in data:
            continue
        try:
            config = json.loads(base64.b64decode(data[name]))
            entries = config.get("auths", {}) if name == ".dockerconfigjson" else config
            known["elsewhere"] = bool(config.get("credsStore") or config.get("credHelpers"))
            for place, entry in entries.items():
                login = login_of(entry)
                shown = place_shown(place)
                logins[shown] = login
                known["registries"][shown] = entry_shown(*login)
        except (ValueError, AttributeError, TypeError, RecursionError, binascii.Error):
            known["broken"] = True
    return known, logins


def withheld(logins):
    """The values that no output may have in it: {registry: (user, token)} as texts and encoded."""
    values = set()
    for user, token in logins.values():
        values |= {token, base64.b64encode(f"{user}:{token}".encode()).decode()}
        if kind_of_user(user, token) != "login":
            values |= {user, base64.b64encode(user.encode()).decode()}
    return {value for value in values if kind_of_token(value) != "placeholder"}
