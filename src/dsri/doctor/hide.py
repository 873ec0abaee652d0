"""What may be shown of a text that others wrote: no secret, no escape sequence, not too much."""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "[hidden]"
SHORTEST = 3  # a known value of so few characters is in too many words
# Tokens that can be told by their form. The forms are those that each of these documents.
TOKENS = re.compile(
    r"gh[pousr]_\w{10,}|github_pat_\w{10,}"  # GitHub
    r"|gl[a-z]{2,5}-[\w-]{10,}"  # GitLab
    r"|dckr_[a-z]+_[\w-]{10,}|npm_\w{10,}|pypi-[\w-]{16,}"  # Docker, npm, PyPI
    r"|sha256~[\w-]{10,}"  # OpenShift
    r"|eyJ[\w-]{5,}\.[\w-]{5,}(\.[\w-]*)?"  # JSON Web Token
    r"|A(KI|SI)A[0-9A-Z]{12,}|xox[a-z]-[\w-]{10,}"  # AWS, Slack
    r"|\bsk-[\w-]{16,}|\bhf_\w{16,}|AIza[\w-]{30,}"  # OpenAI, Hugging Face, Google
)
TOKEN_STARTS = re.compile(
    r"(gh[a-z]_|github_|gl[a-z]{2,5}-|dckr_|npm_|pypi-|sha256~|eyJ|A(KI|SI)A|xox[a-z]-|sk-|hf_"
    r"|AIza).",
    re.IGNORECASE,
)
SECRET_WORDS = r"passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|credential|dsn"
QUOTED = r"\"[^\"]*\"|'[^']*'"
# A name with a secret's word in it, and its value: `DB_PASSWORD: hunter2`, `token is hunter2`.
NAMED = re.compile(
    rf"((?:{SECRET_WORDS}|passwd|pwd|private[_-]?key|cookie|session|connection[_-]?string)"
    r"[\w.-]{0,40}[\"']?(?:\s{0,9}(?:=>?|:)\s{0,9}|\s+is\s+))"
    rf"({QUOTED}|[^\s,;&}}\"']+)",
    re.IGNORECASE,
)
# The words of a command line: `--db-password hunter2`.
OPTION = re.compile(
    rf"((?<![\w-])--?[\w-]{{0,40}}(?:{SECRET_WORDS})[\w-]{{0,40}}\s{{1,9}})({QUOTED}|[^\s,;]+)",
    re.IGNORECASE,
)
# A variable's name, and then something with letters and digits.
VARIABLE = re.compile(
    r"((?:SECRET|PASSWORD|TOKEN|KEY)[A-Z0-9_]{0,40}\s{1,9})"
    r"(?=[^\s\d]{0,99}\d)(?=[^\sA-Za-z]{0,99}[A-Za-z])\S{8,}"
)
# By itself; as a part of a word it is in many others.
PW = re.compile(rf"(\bpw[\"']?\s{{0,9}}[:=]\s{{0,9}})({QUOTED}|[^\s,;&}}]+)", re.IGNORECASE)
AUTHORIZATION = re.compile(
    r"(authorization[\"']?\s*[:=]\s*|\bbearer\s+|\bbasic\s+(?=[\w+/=]{12,})).+", re.IGNORECASE
)
IN_ADDRESS = re.compile(r"(?<=://)[^\s/@]+@")
# Long runs of letters and digits are keys more often than words; a digest or a commit is neither.
LONG = re.compile(
    r"(?<![\w:@/.+=-])(?!sha\d+:)(?![0-9a-f]{40}\b)"
    r"(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Za-z])[A-Za-z0-9+/=_-]{40,}"
)
KEY = re.compile(r"-----BEGIN [^-]*KEY-----.*?(-----END [^-]*KEY-----|\Z)", re.DOTALL)
# Escape sequences of terminals (ECMA-48), other controls, and what reorders text (UAX 9).
ESCAPES = re.compile(
    r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)
# How many letters and digits a random word has at least, and how many of them are digits.
LONG_WORD, ITS_DIGITS = 16, 4
# How often a shorter one changes between small letters, capitals and digits.
MIXED_WORD, ITS_CHANGES = 10, 4
# A value out of a Secret is taken out of our own sentences from these lengths on.
WITH_DIGITS, LETTERS_ONLY = 6, 8


def hide(text: str, known: Iterable[str] = (), ours: bool = False) -> str:
    """Return a text without what could be a secret.

    What is left out is a token by its form, a login in an address, the values in `known`, and
    whatever has a secret's name or a key's length; the last two not in the cluster's own sentences
    (`ours`), which hold none."""
    text = KEY.sub(HIDDEN, ESCAPES.sub("", text))
    for value in sorted(known, key=len, reverse=True):
        if len(value) > SHORTEST:
            text = text.replace(value, HIDDEN)
    text = TOKENS.sub(HIDDEN, IN_ADDRESS.sub(f"{HIDDEN}@", text))
    if ours:
        return text
    for named in (AUTHORIZATION, VARIABLE, PW, NAMED, OPTION):
        text = named.sub(lambda match: match[1] + HIDDEN, text)
    return LONG.sub(HIDDEN, text)


def tail(log: str, known: Iterable[str] = (), lines: int = 6, width: int = 160) -> list[str]:
    """Return the last lines of a log that say something, each of at most `width` characters."""
    said = [line.strip() for line in hide(log[-20000:], known).splitlines() if line.strip()]
    return [line if len(line) <= width else f"{line[: width - 1]}…" for line in said[-lines:]]


def looks_like_a_token(word: str) -> bool:
    """Tell whether a word could be a token rather than a name: it begins as one, or looks random.

    A mistake on the safe side costs a placeholder in a command; one on the other side a secret."""
    if TOKEN_STARTS.match(word):
        return True
    plain = re.sub(r"[^A-Za-z0-9]", "", word)
    if re.fullmatch(rf"[0-9a-fA-F]{{{LONG_WORD},}}", plain):
        return True
    digits = sum(sign.isdigit() for sign in plain)
    if len(plain) >= LONG_WORD and digits >= ITS_DIGITS:
        return True
    changes = re.findall(r"(?<=[a-z])[A-Z0-9]|(?<=[A-Z])[0-9]|(?<=[0-9])[A-Za-z]", plain)
    return len(plain) >= MIXED_WORD and len(changes) >= ITS_CHANGES


def conceal(text: str, values: Iterable[str]) -> str:
    """Return one of our own sentences or commands without tokens and values out of a Secret.

    A short word of letters is left: it may be a word of the sentence."""
    for value in sorted(values, key=len, reverse=True):
        shortest = WITH_DIGITS if re.search(r"\d", value) else LETTERS_ONLY
        if len(value) >= shortest:
            text = re.sub(rf"(?<![\w-]){re.escape(value)}(?![\w-])", HIDDEN, text)
    return TOKENS.sub(HIDDEN, text)
