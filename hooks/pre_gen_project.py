"""Checks every answer before a file is written; says all that is wrong at once, and exits with status 1.

Cookiecutter renders this file, then runs it in the new folder. The answers come in as data, never as source text.
"""
import json
import os
import re
import sys

CONTEXT = json.loads(r"""{{ cookiecutter | tojson }}""")
STAGING = ".cookiecutter-stacks"  # the folder of the template that post_gen_project.py empties and removes
OLDEST = (2, 1, 1)  # the first cookiecutter that has all that the template uses
WINDOWS = os.name == "nt" and "MSYSTEM" not in os.environ  # MSYSTEM is set in Git Bash, which is a POSIX shell


def stop(text):
    """Print `text`, in a way that no console refuses, and end without having written anything."""
    encoding = sys.stderr.encoding or "ascii"
    sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.exit(1)


def cookiecutter_version():
    """The running cookiecutter's version as three numbers; the oldest supported one where it cannot be known."""
    # The name of the installed distribution says it; importlib.metadata gives the same at five times a hook's own time.
    for folder in filter(os.path.isdir, sys.path):
        for name in os.listdir(folder):
            found = re.fullmatch(r"cookiecutter-(\d+)\.(\d+)\.(\d+).*\.(dist|egg)-info", name)
            if found:
                return tuple(map(int, found.groups()[:3]))
    return OLDEST


def is_text(longest):
    """A rule for free text: any script, quotes and signs; nothing that hides, reorders or breaks a line."""
    # Unicode: C0 and C1 controls, line and paragraph separators, bidirectional controls (UAX 9), the byte order mark,
    # surrogates and the noncharacters, which YAML 1.2 (5.1) does not take.
    bad = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\uffff]")
    return lambda s: 0 < len(s) <= longest and s == s.strip() and not bad.search(s) and all(ord(c) & 0xFFFE != 0xFFFE for c in s)


def is_repository(name):
    """GitHub: 1 to 100 of A-Z a-z 0-9 . _ -, no .git at the end. OCI distribution: parts joined by one . or _, by __
    or by hyphens. Windows: no device name, whatever the extension."""
    return (len(name) <= 100 and re.fullmatch(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*", name, re.ASCII | re.IGNORECASE)
            and not name.lower().endswith(".git")
            and not re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name, re.IGNORECASE))


def is_login(name, managed=False):
    """GitHub logins: letters, digits, single hyphens inside, at most 39; an account that an enterprise manages
    ends in _ and its short code (docs.github.com, username considerations)."""
    code = "(_[a-z0-9]{3,8})?" if managed else ""
    return len(name) <= 39 and re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*" + code, name, re.ASCII | re.IGNORECASE)


def is_project(name):
    """RFC 1123 label (Kubernetes, Names); OpenShift keeps some names and wants two characters."""
    return (2 <= len(name) <= 63 and re.fullmatch("[a-z0-9]([-a-z0-9]*[a-z0-9])?", name, re.ASCII)
            and name not in ("default", "openshift") and not name.startswith(("kube-", "openshift-")))


def is_subdomain(name):
    """RFC 1123 subdomain, as a Secret's name is (Kubernetes, Object Names and IDs)."""
    label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
    return len(name) <= 253 and re.fullmatch(label + r"(\." + label + ")*", name, re.ASCII)


def is_email(text):
    """A plain address: dot-atom (RFC 5321) without what a shell would read."""
    return len(text) <= 254 and re.fullmatch(
        r"[a-z0-9_]+([.+-][a-z0-9_+-]+)*@[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+", text, re.ASCII | re.IGNORECASE)


def is_storage(text):
    """A Kubernetes quantity (apimachinery, resource.Quantity) above 0 and at most 10Ti (DSRI, openshift-storage)."""
    if text == "none":
        return True
    found = re.fullmatch(r"\+?([0-9]{1,20}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})(?:([KMGTPE]i|[mkMGTPE]?)|[eE]([+-]?[0-9]{1,2}))", text, re.ASCII)
    if not found:
        return False
    from fractions import Fraction  # here, and shlex below: most runs need neither, and each costs a tenth of a hook's time

    number, suffix, exponent = found.groups()
    scale = Fraction(10) ** int(exponent) if exponent else Fraction(1)
    if suffix:
        scale = Fraction(1, 1000) if suffix == "m" else Fraction(1024 if suffix[1:] else 1000) ** (" kmgtpe".index(suffix[0].lower()))
    return 0 < Fraction(number.rstrip(".") if number[0] != "." else "0" + number) * scale <= 10 * 1024**4


def is_port(text):
    return re.fullmatch("[1-9][0-9]{3,4}", text, re.ASCII) and 1024 <= int(text) <= 65535


TEXT = "1 to %d characters on one line, no space at either end; no control or bidirectional characters"
LOGIN = "a GitHub login: letters, digits and single hyphens inside, at most 39 characters"
RULES = {  # question: (rule, what is allowed)
    "project_name": (is_text(100), TEXT % 100),
    "repo_name": (is_repository, "letters and digits, joined by single . or _ or by -; at most 100; no .git at the end; no name that Windows reserves"),
    "description": (is_text(350), TEXT % 350),
    "stack": (CONTEXT.get("_stacks", {}).__contains__, "one of: " + ", ".join(CONTEXT.get("_stacks", {}))),
    "github_owner": (is_login, LOGIN),
    "github_username": (lambda name: is_login(name, managed=True), LOGIN),
    "full_name": (is_text(100), TEXT % 100),
    "email": (is_email, "a plain address such as name@example.org, without quotes or spaces"),
    "openshift_project": (is_project, "2 to 63 of a-z, 0-9 and -, a letter or digit at both ends; not default, openshift, kube-... or openshift-..."),
    "service_account": (("default", "anyuid").__contains__, "one of: default, anyuid"),
    "pull_secret_name": (is_subdomain, "a-z, 0-9, - and ., a letter or digit at both ends of each part; at most 253 characters"),
    "port": (is_port, "a whole number from 1024 to 65535; for a lower one let your application listen on 8080 or above"),
    "storage": (is_storage, "none, or a size above 0 and at most 10Ti, such as 5Gi"),
    "license": (("MIT", "Apache-2.0", "BSD-3-Clause", "none").__contains__, "one of: MIT, Apache-2.0, BSD-3-Clause, none"),
}


def problems(answers):
    """{question: what is allowed} for every wrong answer."""
    wrong = {key: allowed for key, (rule, allowed) in RULES.items() if not rule(answers[key])}
    label = CONTEXT["__app_name"] + "-" + answers["openshift_project"]
    # DNS (RFC 1035) holds 63 characters a label; the router makes the first label of the address of these two.
    if len(label) > 63 and not {"repo_name", "openshift_project"} & set(wrong):
        wrong["openshift_project"] = ("a shorter one, or a shorter repo_name: the address starts with %s, which has %d characters; 63 are possible"
                                      % (label, len(label)))
    return wrong


def shown(answer):
    """The answer, escaped, on one line of bounded length."""
    return repr(answer) if len(answer) <= 60 else "%r... (%d characters)" % (answer[:60], len(answer))


def quoted(word):
    """`word` as one word of the user's shell."""
    if not WINDOWS:
        import shlex

        return shlex.quote(word)
    return word if re.fullmatch(r"[\w./:=@+-]+", word, re.ASCII) else "'" + word.replace("'", "''") + "'"


def again(answers, wrong):
    """The command that asks the wrong ones again and keeps the others."""
    words = ["cookiecutter", str(CONTEXT.get("_template", "gh:MaastrichtU-IDS/cookiecutter-dsri"))]
    if CONTEXT.get("_checkout"):
        words += ["--checkout", str(CONTEXT["_checkout"])]
    if os.listdir():
        words += ["-f", "-s"]
    output = os.path.dirname(os.getcwd())
    if os.path.realpath(os.environ.get("PWD", "")) != os.path.realpath(output):
        words += ["-o", output]
    for key in RULES:
        if key not in wrong:
            # Cookiecutter renders what it gets here, so a brace stands for itself only as an expression; the same way a
            # double quote gets through Windows PowerShell 5.1 unharmed.
            text = answers[key].replace("{", "\x7b\x7b '{' \x7d\x7d") if re.search(r"\{[\x7b%#]", answers[key]) else answers[key]
            text = re.sub("^#%", "\x7b\x7b '#' \x7d\x7d%", text)  # a line statement (cookiecutter.json, _jinja2_env_vars)
            words.append(key + "=" + (text.replace('"', "\x7b\x7b '\\x22' \x7d\x7d") if WINDOWS else text))
    return " ".join(quoted(word) for word in words)


def main():
    if sys.version_info < (3, 9) or cookiecutter_version() < OLDEST:
        stop("This template needs cookiecutter 2.1.1 or newer on Python 3.9 or newer: pipx install --force cookiecutter (or pip install --upgrade cookiecutter).")
    if os.path.lexists(STAGING):
        stop("%s is already in %s, and the template needs that name while it works.\n"
             "If an interrupted run left it there, remove it; if it is yours, rename it. Then run the same command again. Nothing was changed."
             % (STAGING, os.getcwd()))
    answers = {key: str(CONTEXT.get(key, "")) for key in RULES}
    wrong = problems(answers)
    if wrong:
        lines = ["%s cannot be used; nothing was written." % ("1 answer" if len(wrong) == 1 else "%d answers" % len(wrong)), ""]
        for key, allowed in wrong.items():
            lines += ["  %s: %s" % (key, shown(answers[key])), "    allowed: " + allowed]
        stop("\n".join(lines + ["", "This asks again and keeps the other answers (Enter takes what is shown):", "", "    " + again(answers, wrong), ""]))


if __name__ == "__main__":
    main()
