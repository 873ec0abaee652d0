"""What may be shown of a text that others wrote: no secret, no escape sequence, not too much."""

import re

HIDDEN = "[hidden]"
# Tokens that can be told by their form: GitHub, GitLab, Docker, npm, PyPI, OpenShift, JWT, AWS, Slack, OpenAI, Hugging Face, Google.
TOKENS = re.compile(
    r"gh[pousr]_\w{10,}|github_pat_\w{10,}|gl[a-z]{2,5}-[\w-]{10,}|dckr_[a-z]+_[\w-]{10,}|npm_\w{10,}|pypi-[\w-]{16,}|sha256~[\w-]{10,}|eyJ[\w-]{5,}\.[\w-]{5,}(\.[\w-]*)?"
    r"|A(KI|SI)A[0-9A-Z]{12,}|xox[a-z]-[\w-]{10,}|\bsk-[\w-]{16,}|\bhf_\w{16,}|AIza[\w-]{30,}"
)
TOKEN_STARTS = re.compile(
    r"(gh[a-z]_|github_|gl[a-z]{2,5}-|dckr_|npm_|pypi-|sha256~|eyJ|A(KI|SI)A|xox[a-z]-|sk-|hf_|AIza).",
    re.IGNORECASE,
)
NAMED = re.compile(
    r"""(?ix)(["']?[\w.-]{0,40}(?:passw(?:or)?d|passwd|pwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key
    |credential|cookie|session|dsn|connection[_-]?string)[\w.-]{0,40}["']?(?:\s{0,9}(?:=>?|:)\s{0,9}|\s+is\s+))("[^"]*"|'[^']*'|[^\s,;&}"']+)"""
)
# The words of a command line: `--db-password hunter2`.
OPTION = re.compile(
    r"(?i)((?<![\w-])--?[\w-]{0,40}(?:passw(?:or)?d|passphrase|secret|token|api-?key|access-?key|credential|dsn)[\w-]{0,40}\s{1,9})(\"[^\"]*\"|'[^']*'|[^\s,;]+)"
)
# A variable's name, and then something with letters and digits.
VARIABLE = re.compile(
    r"(\b[A-Z0-9_]{0,40}(?:SECRET|PASSWORD|TOKEN|KEY)[A-Z0-9_]{0,40}\s{1,9})(?=[^\s\d]{0,99}\d)(?=[^\sA-Za-z]{0,99}[A-Za-z])\S{8,}"
)
# By itself; as a part of a word it is in many others.
PW = re.compile(r"""(?i)(\bpw["']?\s{0,9}[:=]\s{0,9})("[^"]*"|'[^']*'|[^\s,;&}]+)""")
AUTHORIZATION = re.compile(
    r"(?i)(authorization[\"']?\s*[:=]\s*|\bbearer\s+|\bbasic\s+(?=[\w+/=]{12,})).+"
)
IN_ADDRESS = re.compile(r"(?<=://)[^\s/@]+@")
# Long runs of letters and digits are keys more often than words; a digest or a commit is neither.
LONG = re.compile(
    r"(?<![\w:@/.+=-])(?!sha\d+:)(?![0-9a-f]{40}\b)(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Za-z])[A-Za-z0-9+/=_-]{40,}"
)
KEY = re.compile(r"-----BEGIN [^-]*KEY-----.*?(-----END [^-]*KEY-----|\Z)", re.DOTALL)
ESCAPES = re.compile(
    r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)


def hide(text, known=(), ours=False):
    """The text without what could be a secret: tokens by form, logins in addresses, and the values in `known`; and, but in the
    cluster's own sentences (`ours`), which hold none, whatever has a secret's name or a key's length."""
    text = KEY.sub(HIDDEN, ESCAPES.sub("", text))
    for value in sorted(known, key=len, reverse=True):
        if len(value) > 3:
            text = text.replace(value, HIDDEN)
    text = TOKENS.sub(HIDDEN, IN_ADDRESS.sub(HIDDEN + "@", text))
    if ours:
        return text
    text = AUTHORIZATION.sub(lambda m: m[1] + HIDDEN, text)
    text = PW.sub(lambda m: m[1] + HIDDEN, VARIABLE.sub(lambda m: m[1] + HIDDEN, text))
    text = OPTION.sub(lambda m: m[1] + HIDDEN, NAMED.sub(lambda m: m[1] + HIDDEN, text))
    return LONG.sub(HIDDEN, text)


def tail(log, known=(), lines=6, width=160):
    """The last lines of a log that say something."""
    said = [line.strip() for line in hide(log[-20000:], known).splitlines() if line.strip()]
    return [line if len(line) <= width else line[: width - 1] + "…" for line in said[-lines:]]


def looks_like_a_token(word):
    """Whether a word could be a token rather than a name: it begins as one, or looks random.

    A mistake on the safe side costs a placeholder in a command; one on the other side a secret."""
    if TOKEN_STARTS.match(word):
        return True
    plain = re.sub(r"[^A-Za-z0-9]", "", word)
    digits = sum(sign.isdigit() for sign in plain)
    if len(plain) >= 16 and digits >= 4 or re.fullmatch(r"[0-9a-fA-F]{16,}", plain):
        return True
    changes = len(re.findall(r"(?<=[a-z])[A-Z0-9]|(?<=[A-Z])[0-9]|(?<=[0-9])[A-Za-z]", plain))
    return len(plain) >= 10 and changes >= 4


def conceal(text, values):
    """One of our own sentences or commands, without tokens and the values that came out of a Secret.

    A short word of letters is left: it may be a word of the sentence."""
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= (6 if re.search(r"\d", value) else 8):
            text = re.sub(rf"(?<![\w-]){re.escape(value)}(?![\w-])", HIDDEN, text)
    return TOKENS.sub(HIDDEN, text)
