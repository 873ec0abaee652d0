"""Checks every answer before a file is written; says all that is wrong at once, and exits with 1.

Cookiecutter renders this file, then runs it in the new folder. Answers come in as data, never as
source text.
"""
import os
import sys

# A hook runs from the temporary folder, where others may have put a json.py.
if os.path.dirname(__file__) in sys.path:
    sys.path.remove(os.path.dirname(__file__))
import json
import re

CONTEXT = json.loads(r"""{{ cookiecutter | tojson }}""")
FACTS = CONTEXT.get("_stacks", {}).get(CONTEXT.get("stack"), {})
STAGING = "cookiecutter-stacks"  # what post_gen_project.py removes
OLDEST = (2, 1, 1)  # the first cookiecutter that has all that the template uses
WINDOWS = os.name == "nt" and "MSYSTEM" not in os.environ  # MSYSTEM is set in Git Bash
# Unicode: controls, line and paragraph separators, bidirectional controls (UAX 9), the byte order
# mark, surrogates, and what YAML 1.2 (5.1) does not take.
HIDDEN = ("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
          "\ufdd0-\ufdef\ufeff\ufff9-\uffff]")
LOGIN = "[A-Za-z0-9]+(-[A-Za-z0-9]+)*"
LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"  # RFC 1123 (Kubernetes, Object Names and IDs)
DOMAIN = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
SIZES = {"": 1, "m": 1e-3, **{unit: 1000**n for n, unit in enumerate("kMGTPE", 1)},
         **{unit + "i": 1024**n for n, unit in enumerate("KMGTPE", 1)}}


def stop(text):
    """Print `text`, in a way that no console refuses, and end without having written anything."""
    encoding = sys.stderr.encoding or "ascii"
    sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.exit(1)


def cookiecutter_version():
    """The running cookiecutter's version as three numbers; OLDEST where it cannot be known."""
    # The distribution's folder says it; importlib.metadata takes five times a hook's own time.
    folder = re.compile(r"cookiecutter-(\d+)\.(\d+)\.(\d+).*\.(dist|egg)-info")
    names = (name for path in sys.path if os.path.isdir(path) for name in os.listdir(path))
    found = next(filter(None, map(folder.fullmatch, names)), None)
    return tuple(map(int, found.groups()[:3])) if found else OLDEST


def text(longest):
    """The rule for a free text: any script, any sign; nothing that hides, reorders or breaks."""
    return ("(?s).{1,%d}" % longest,
            "1 to %d characters on one line, no space at either end; no control or bidirectional "
            "characters" % longest, lambda s: s == s.strip() and not re.search(HIDDEN, s))


def one_of(*choices):
    """The rule for a choice."""
    return ".*", "one of: " + ", ".join(choices), choices.__contains__


def login(more=""):
    """The rule for an account's name (docs.github.com, username considerations)."""
    return ("(?!.{40})" + LOGIN + more,
            "a GitHub login: letters, digits and single hyphens inside, at most 39 characters")


def bytes_of(quantity):
    """A Kubernetes quantity (apimachinery, resource.Quantity) in bytes; 0 for none."""
    number, unit = re.fullmatch(r"\+?([0-9.]+)(.*)", quantity).groups()
    return float(number) * (SIZES.get(unit) or float("1" + unit))


RULES = {  # question: (what the whole answer matches, what is allowed[, what else must hold])
    "project_name": text(100),
    # GitHub: 100 of A-Z a-z 0-9 . _ -, no .git; OCI distribution: the joints; Windows: devices.
    "repo_name": (r"(?ai)(?!.{101})(?!.*\.git$)(?!(con|prn|aux|nul|com\d|lpt\d)(\.|$))"
                  r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*",
                  "letters and digits, joined by single . or _ or by -; at most 100; no .git at "
                  "the end; no name that Windows reserves"),
    "description": text(350),
    "stack": one_of(*CONTEXT.get("_stacks", {})),
    "github_owner": login(),
    "github_username": login("(_[A-Za-z0-9]{3,8})?"),  # the end: an enterprise's managed account
    "full_name": text(100),
    # A dot-atom (RFC 5321) without what a shell would read.
    "email": (r"(?a)(?!.{255})\w+([.+-][\w+-]+)*@" + DOMAIN + r"(\." + DOMAIN + ")+",
              "a plain address such as name@example.org, without quotes or spaces"),
    # OpenShift keeps some names and wants two characters (DNS-1123 label otherwise).
    "openshift_project": ("(?!(default|openshift)$|kube-|openshift-)(?=.{2,63}$)" + LABEL,
                          "2 to 63 of a-z, 0-9 and -, a letter or digit at both ends; not default, "
                          "openshift, kube-... or openshift-..."),
    "service_account": one_of("default", "anyuid"),
    "pull_secret_name": ("(?!.{254})" + LABEL + r"(\." + LABEL + ")*",
                         "a-z, 0-9, - and ., a letter or digit at both ends of each part; at most "
                         "253 characters"),
    "port": ("[1-9][0-9]{3,4}", "a whole number from 1024 to 65535; for a lower one let your "
             "application listen on 8080 or above", lambda port: 1024 <= int(port) <= 65535),
    # DSRI (openshift-storage): at most 10Ti a claim.
    "storage": (r"none|\+?([0-9]{1,20}(\.[0-9]{0,9})?|\.[0-9]{1,9})([KMGTPE]i|[mkMGTPE]?|[eE][+-]?"
                r"[0-9]{1,2})", "%s above 0 and at most 10Ti, such as 5Gi" % (
                    "this stack keeps its results there: a size" if FACTS.get("needs_storage")
                    else "none, or a size"),
                lambda size: not FACTS.get("needs_storage") if size == "none"
                else 0 < bytes_of(size) <= 10 * 1024**4),
    "license": one_of("MIT", "Apache-2.0", "BSD-3-Clause", "none"),
}


def right(key, answer):
    """Whether `answer` is one that the question `key` allows."""
    pattern, _, *more = RULES[key]
    return bool(re.fullmatch(pattern, answer)) and all(holds(answer) for holds in more)


def problems(answers):
    """{question: what is allowed} for every wrong answer."""
    wrong = {key: RULES[key][1] for key in RULES if not right(key, answers[key])}
    name = CONTEXT["__app_name"]
    # DNS (RFC 1035) has 63 characters a label; behind a job's name stand the run and the pod.
    if len(name) > FACTS.get("longest_name", 63) and "repo_name" not in wrong:
        wrong["repo_name"] = "a shorter one: %s has %d characters; %d are possible" % (
            name, len(name), FACTS["longest_name"])
    if answers["pull_secret_name"] in (name + "-token", name + "-settings"):
        wrong["pull_secret_name"] = "another one: the application's own secret has that name"
    label = name + "-" + answers["openshift_project"]
    # The router makes the address's first label of these two.
    has_route = "route.yaml" in FACTS.get("resources", ["route.yaml"])
    if has_route and len(label) > 63 and not {"repo_name", "openshift_project"} & set(wrong):
        wrong["openshift_project"] = (
            "a shorter one, or a shorter repo_name: the address starts with %s, which has %d "
            "characters; 63 are possible" % (label, len(label)))
    return wrong


def quoted(word):
    """`word` as one word of the user's shell."""
    if re.fullmatch(r"[\w./:=@+-]+", word, re.ASCII):
        return word
    return "'" + word.replace("'", "''" if WINDOWS else "'\"'\"'") + "'"


def typed(answer):
    """`answer` as cookiecutter takes it on the command line, where it renders what it gets."""
    answer = re.sub(r"\{(?=[\x7b%#])", "\x7b\x7b '{' \x7d\x7d", answer)
    # Windows PowerShell 5.1 loses a double quote on its way to a program.
    return answer.replace('"', "\x7b\x7b '\\x22' \x7d\x7d") if WINDOWS else answer


def again(answers, wrong):
    """The command that asks the wrong ones again and keeps the others."""
    from shutil import which  # here: it costs as much as the hook, which rarely needs it
    words = ["cookiecutter"] if which("cookiecutter") else [sys.executable, "-m", "cookiecutter"]
    words.append(str(CONTEXT.get("_template", "gh:MaastrichtU-IDS/cookiecutter-dsri")))
    words += ["--checkout", str(CONTEXT["_checkout"])] if CONTEXT.get("_checkout") else []
    words += ["-f", "-s"] if os.listdir() else []
    output = os.path.dirname(os.getcwd())
    if os.path.realpath(os.environ.get("PWD", "")) != os.path.realpath(output):
        words += ["-o", output]
    words += [key + "=" + typed(answers[key]) for key in RULES if key not in wrong]
    return "& " * (WINDOWS and "-m" in words) + " ".join(map(quoted, words))


def outdated():
    """Whether --replay, which keeps the private facts too, brought those of another template."""
    path = os.path.join(CONTEXT.get("_repo_dir", ""), "cookiecutter.json")
    if not os.path.isabs(path) or not os.path.isfile(path) or "_commit" in CONTEXT:  # cruft
        return False
    with open(path, encoding="utf-8") as file:
        now = json.load(file)
    return any(now[key] != CONTEXT.get(key) for key in now if re.match("_[^_]", key))


def main():
    if sys.version_info < (3, 9) or cookiecutter_version() < OLDEST:
        stop("This template needs cookiecutter 2.1.1 or newer on Python 3.9 or newer: pipx install "
             "--force cookiecutter (or pip install --upgrade cookiecutter).")
    if os.path.lexists(STAGING):
        stop("%s is already in %s, and the template needs that name while it works.\nIf an "
             "interrupted run left it there, remove it; if it is yours, rename it. Then run the "
             "same command again. Nothing was changed." % (STAGING, os.getcwd()))
    answers = {key: str(CONTEXT.get(key, "")) for key in RULES}
    if outdated():
        stop("These answers were kept by another version of the template, and its lists of files "
             "with them; nothing was written.\nThe same answers for this version:\n\n    "
             + again(answers, {}) + "\n")
    wrong = problems(answers)
    if wrong:
        count = "1 answer" if len(wrong) == 1 else "%d answers" % len(wrong)
        lines = [count + " cannot be used; nothing was written."]
        for key, allowed in wrong.items():
            answer = answers[key]
            shown = repr(answer[:60]) + ("... (%d characters)" % len(answer)) * (len(answer) > 60)
            lines += ["", "  %s: %s" % (key, shown), "    allowed: " + allowed]
        stop("\n".join(lines + ["", "This asks again; Enter keeps what was right (cookiecutter's "
                                "own report follows):", "", "    " + again(answers, wrong), ""]))


if __name__ == "__main__":
    main()
