"""Checks every answer before a file is written; says all that is wrong at once, and exits with 1.

Cookiecutter renders this file, then runs it in the new folder, where nothing is staged yet: it
stands alone. Answers come in as data, never as source text.
"""

import os
import sys

# A hook runs from the temporary folder, where others may have put a json.py.
if os.path.dirname(__file__) in sys.path:
    sys.path.remove(os.path.dirname(__file__))
import json  # noqa: E402 - only now it is Python's own
import re  # noqa: E402 - the same
from collections.abc import Iterable  # noqa: E402 - the same
from typing import Any, Callable, NamedTuple, NoReturn  # noqa: E402 - the same

CONTEXT: "dict[str, Any]" = json.loads(r"""{{ cookiecutter | tojson }}""")
STACKS: "dict[str, dict[str, Any]]" = CONTEXT.get("_stacks", {})
FACTS = STACKS.get(CONTEXT.get("stack", ""), {})
STAGING = "cookiecutter-stacks"  # what post_gen_project.py removes
OLDEST = (2, 1, 1)  # the first cookiecutter that has all that the template uses
OLDEST_PYTHON = (3, 9)
WINDOWS = os.name == "nt" and "MSYSTEM" not in os.environ  # MSYSTEM is set in Git Bash
GITHUB = ("github.com", "www.github.com", "ssh.github.com")  # the last is for port 443
ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")
SHOWN = 60  # characters of a wrong answer

# Unicode: controls, line and paragraph separators, bidirectional controls (UAX 9), the byte order
# mark, surrogates, and what YAML 1.2 (5.1) does not take.
HIDDEN = (
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
    "\ufdd0-\ufdef\ufeff\ufff9-\uffff]"
)
LOGIN = "(?!.{40})[A-Za-z0-9]+(-[A-Za-z0-9]+)*"
MANAGED = "(_[A-Za-z0-9]{3,8})"  # an enterprise's short code ends its managed accounts' names
LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"  # RFC 1123 (Kubernetes, Object Names and IDs)
LABEL_LENGTH = 63  # characters (DNS, RFC 1035)
DOMAIN = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"

# What a unit of a quantity stands for (Kubernetes, apimachinery, resource.Quantity).
UNITS: "dict[str, float]" = {
    "": 1,
    "m": 0.001,
    **{unit: 1000**power for power, unit in enumerate("kMGTPE", 1)},
    **{unit + "i": 1024**power for power, unit in enumerate("KMGTPE", 1)},
}
QUANTITY = r"\+?([0-9]{1,20}(\.[0-9]{0,9})?|\.[0-9]{1,9})([KMGTPE]i|[mkMGTPE]?|[eE][+-]?[0-9]{1,2})"
LARGEST = 10 * 1024**4  # bytes a claim (DSRI, openshift-storage)


def anything(_answer: str) -> bool:
    """Allow whatever matches the pattern."""
    return True


class Rule(NamedTuple):  # to import dataclasses takes as long as the rest of this hook
    """What an answer may be.

    `pattern` matches the whole answer, `check` says what else must hold, `allowed` says both in
    words.
    """

    pattern: str
    allowed: str
    check: Callable[[str], bool] = anything

    def takes(self, answer: str) -> bool:
        """Whether the rule allows this answer."""
        return bool(re.fullmatch(self.pattern, answer)) and self.check(answer)


def is_plain(text: str) -> bool:
    """Whether nothing in a text is invisible, and no space is at its ends."""
    return text == text.strip() and not re.search(HIDDEN, text)


def bytes_of(quantity: str) -> float:
    """Give a quantity in bytes; a test compares it with what openshift/image.py reads."""
    number, unit = re.findall(r"([0-9.]+)(.*)", quantity)[0]
    if unit in UNITS:
        return float(number) * UNITS[unit]
    return float(number + unit)  # an exponent, as in 1e3


def is_possible_storage(size: str) -> bool:
    """Whether a claim of this size can be made; `none` is one where the stack can do without."""
    if size == "none":
        return not FACTS.get("needs_storage")
    return 0 < bytes_of(size) <= LARGEST


def text(longest: int) -> Rule:
    """Give the rule for a free text: any script, any sign; nothing that hides or breaks a line."""
    allowed = (
        f"1 to {longest} characters on one line, no space at either end; "
        "no control or bidirectional characters"
    )
    return Rule("(?s).{1," + str(longest) + "}", allowed, is_plain)


def one_of(*choices: str) -> Rule:
    """Give the rule for a choice."""
    return Rule("|".join(map(re.escape, choices)), "one of: " + ", ".join(choices))


def login() -> Rule:
    """Give the rule for an account's name (docs.github.com, username considerations)."""
    allowed = (
        "a GitHub login: letters, digits and single hyphens inside, at most 39 characters; one "
        "underscore before the short code of an enterprise that manages the account"
    )
    return Rule(LOGIN + MANAGED + "?", allowed)


RULES = {
    "project_name": text(100),
    "repo_name": Rule(
        # GitHub: 100 of A-Z a-z 0-9 . _ -, no .git; OCI distribution: the joints; Windows: devices.
        r"(?ai)(?!.{101})(?!.*\.git$)(?!(con|prn|aux|nul|com\d|lpt\d)(\.|$))"
        r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*",
        "letters and digits, joined by single . or _ or by -; at most 100; no .git at the end; "
        "no name that Windows reserves",
    ),
    "description": text(350),
    "stack": one_of(*STACKS),
    "github_owner": login(),
    "github_username": login(),
    "full_name": text(100),
    "email": Rule(
        # A dot-atom (RFC 5321) without what a shell would read.
        r"(?a)(?!.{255})\w+([.+-][\w+-]+)*@" + DOMAIN + r"(\." + DOMAIN + ")+",
        "a plain address such as name@example.org, without quotes or spaces",
    ),
    "openshift_project": Rule(
        # OpenShift keeps some names and wants two characters (DNS-1123 label otherwise).
        "(?!(default|openshift)$|kube-|openshift-)(?=.{2,63}$)" + LABEL,
        "2 to 63 of a-z, 0-9 and -, a letter or digit at both ends; not default, openshift, "
        "kube-... or openshift-...",
    ),
    "service_account": one_of("default", "anyuid"),
    "pull_secret_name": Rule(
        "(?!.{254})" + LABEL + r"(\." + LABEL + ")*",
        "a-z, 0-9, - and ., a letter or digit at both ends of each part; at most 253 characters",
    ),
    "port": Rule(
        "[1-9][0-9]{3,4}",
        "a whole number from 1024 to 65535; for a lower one let your application listen on 8080 "
        "or above",
        lambda port: 1024 <= int(port) <= 65535,  # noqa: PLR2004 - said in words above
    ),
    "storage": Rule(
        "none|" + QUANTITY,
        "this stack keeps its results there: a size above 0 and at most 10Ti, such as 5Gi"
        if FACTS.get("needs_storage")
        else "none, or a size above 0 and at most 10Ti, such as 5Gi",
        is_possible_storage,
    ),
    "license": one_of("MIT", "Apache-2.0", "BSD-3-Clause", "none"),
}


def right(key: str, answer: str) -> bool:
    """Whether the question `key` allows this answer."""
    return RULES[key].takes(answer)


def problems(answers: "dict[str, str]") -> "dict[str, str]":
    """Give, for the question of every wrong answer, what is allowed."""
    wrong = {key: rule.allowed for key, rule in RULES.items() if not rule.takes(answers[key])}
    for key, allowed in problems_together(answers).items():
        wrong.setdefault(key, allowed)
    return wrong


def problems_together(answers: "dict[str, str]") -> "dict[str, str]":
    """Give the same for answers that are right by themselves, but not beside the others."""
    wrong = {}
    name = CONTEXT["__app_name"]
    # Behind a job's name stand the run and the pod.
    longest = FACTS.get("longest_name", LABEL_LENGTH)
    if len(name) > longest:
        wrong["repo_name"] = (
            f"a shorter one: {name} has {len(name)} characters; {longest} are possible"
        )
    if answers["pull_secret_name"] in (name + "-token", name + "-settings"):
        wrong["pull_secret_name"] = "another one: the application's own secret has that name"
    # The router makes the address's first label of these two.
    label = name + "-" + answers["openshift_project"]
    has_route = "route.yaml" in FACTS.get("resources", ["route.yaml"])
    has_name = "repo_name" not in wrong and right("repo_name", answers["repo_name"])
    if has_route and has_name and len(label) > LABEL_LENGTH:
        wrong["openshift_project"] = (
            f"a shorter one, or a shorter repo_name: the address starts with {label}, which has "
            f"{len(label)} characters; {LABEL_LENGTH} are possible"
        )
    return wrong


def stop(message: str) -> NoReturn:
    """Print a message so that any console can show it, and end; nothing has been written."""
    encoding = sys.stderr.encoding or "ascii"
    sys.stderr.write(message.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.exit(1)


def cookiecutter_version() -> "tuple[int, ...]":
    """Give the running cookiecutter's version as three numbers; OLDEST where it is not known."""
    # The distribution's folder says it; importlib.metadata takes five times a hook's own time.
    folder = re.compile(r"cookiecutter-(\d+)\.(\d+)\.(\d+).*\.(dist|egg)-info")
    for path in filter(os.path.isdir, sys.path):
        for found in filter(None, map(folder.fullmatch, os.listdir(path))):
            return tuple(map(int, found.groups()[:3]))
    return OLDEST


def quoted(word: str) -> str:
    """Give a word as the user's shell takes it for one word."""
    if re.fullmatch(r"[\w./:=@+-]+", word, re.ASCII):
        return word
    return "'" + word.replace("'", "''" if WINDOWS else "'\"'\"'") + "'"


def typed(answer: str) -> str:
    """Give an answer as it is typed on the command line, where cookiecutter renders it."""
    # \x7b is a brace: two of them here would be rendered already.
    answer = re.sub(r"\{(?=[\x7b%#])", "\x7b\x7b '{' \x7d\x7d", answer)
    # Windows PowerShell 5.1 loses a double quote on its way to a program.
    return answer.replace('"', "\x7b\x7b '\\x22' \x7d\x7d") if WINDOWS else answer


def again(answers: "dict[str, str]", wrong: "Iterable[str]", folder: str = "") -> str:
    """Give the command that asks the wrong ones again and keeps the others.

    `folder` is where it generates, by default here.
    """
    from shutil import which  # noqa: PLC0415 - it costs as much as the hook, which rarely needs it

    folder = folder or os.getcwd()
    is_on_path = which("cookiecutter")
    words = ["cookiecutter"] if is_on_path else [sys.executable, "-m", "cookiecutter"]
    words.append(str(CONTEXT.get("_template", "gh:MaastrichtU-IDS/cookiecutter-dsri")))
    if CONTEXT.get("_checkout"):
        words += ["--checkout", str(CONTEXT["_checkout"])]
    if os.listdir(folder):
        words += ["-f", "-s"]
    output = os.path.dirname(folder)
    if os.path.realpath(os.environ.get("PWD", "")) != os.path.realpath(output):
        words += ["-o", output]
    words += [key + "=" + typed(answers[key]) for key in RULES if key not in wrong]
    call = "& " if WINDOWS and not is_on_path else ""
    return call + " ".join(map(quoted, words))


def outdated() -> bool:
    """Whether --replay, which keeps the private facts too, brought those of another template."""
    path = os.path.join(CONTEXT.get("_repo_dir", ""), "cookiecutter.json")
    is_cruft = "_commit" in CONTEXT
    if is_cruft or not os.path.isabs(path) or not os.path.isfile(path):
        return False
    with open(path, encoding="utf-8") as file:
        now = json.load(file)
    facts = [key for key in now if re.match("_[^_]", key)]
    return any(now[key] != CONTEXT.get(key) for key in facts)


def git(*words: str) -> str:
    """Give what git answers, without white space at the ends; "" where it has no answer.

    It is only asked. What a git hook has set (GIT_DIR and the like) leads to no other repository.
    """
    env = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    settings = ("-c", "color.ui=false", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false")
    return output_of(["git", "--no-pager", *settings, *words], env)


def output_of(command: "list[str]", env: "dict[str, str]") -> str:
    """Give what a command prints; "" where it is not there."""
    import subprocess  # noqa: PLC0415 - a new folder, the common case, does not need it

    try:
        answer = subprocess.run(command, env=env, capture_output=True, check=False).stdout
    except OSError:
        return ""
    return answer.decode("utf-8", "surrogateescape").strip()


class Place(NamedTuple):
    """Where an address of a remote leads: a host (none for a folder), and the path there."""

    host: str
    path: str

    @property
    def repository(self) -> str:
        """The repository on github.com as OWNER/NAME; "" where it is none."""
        return self.path if self.host in GITHUB and self.path.count("/") == 1 else ""


class Remote(NamedTuple):
    """A remote of the repository, and where a push to it goes."""

    name: str
    places: "list[Place]"

    @property
    def repository(self) -> str:
        """The repository on github.com as OWNER/NAME; "" where it is none."""
        return next((place.repository for place in self.places if place.repository), "")

    @property
    def host(self) -> str:
        """Where it is, in words."""
        return next((place.host for place in self.places if place.host), "a folder")


def place_of(address: str) -> Place:
    """Read an address (git-fetch(1), GIT URLS); neither a login nor a port is kept."""
    found = re.fullmatch(r"(\w[\w+.-]*)://([^/]*@)?([^/:@]+)(:\d*)?/(.*)", address)
    if found:
        scheme, host, path = found[1], found[3], found[5]
    else:
        # HOST:PATH; one letter is a drive of Windows, two colons name a helper.
        found = re.fullmatch(r"([^/@:]*@)?([^/@:]{2,}):(?!:|//)(.*)", address)
        if not found:
            return Place("", "")
        scheme, host, path = "ssh", found[2], found[3]
    host = host.lower()
    if "ssh" in scheme and host not in GITHUB:
        host = host_behind(host)
    return Place(host, re.sub(r"(?i)\.git$", "", path.strip("/")).strip("/"))


def host_behind(alias: str) -> str:
    """Give the host that ssh's configuration has for a name; it is only asked, not called."""
    said = output_of(["ssh", "-G", "--", alias], dict(os.environ))
    found = re.search(r"(?mi)^hostname (\S+)$", said)
    host = found[1].lower() if found else alias
    # Names for several accounts, as in git@github.com-work:owner/name.
    return "github.com" if re.match(r"github(\.com)?([-_][^.]*)?$", host) else host


def remotes() -> "list[Remote]":
    """Give the repository's remotes, origin first.

    An address counts as it is written and as url.*.insteadOf changes it: either may be a
    shorthand or a mirror.
    """
    addresses: dict[str, dict[str, list[str]]] = {}
    pattern = r"^remote\..*\.(url|pushurl)$"
    for entry in git("config", "-z", "--get-regexp", pattern).split("\0"):
        key, _, address = entry.partition("\n")
        name, _, kind = key.partition(".")[2].rpartition(".")
        if name:
            addresses.setdefault(name, {}).setdefault(kind, []).append(address)
    for line in git("remote", "-v").splitlines():
        name, _, address = line.partition("\t")
        kind = "pushurl" if "pushurl" in addresses.get(name, {}) else "url"
        if name in addresses and " (push)" in address:
            addresses[name].setdefault(kind, []).append(address.rpartition(" (push)")[0])
    found = []
    for name in sorted(addresses, key=lambda name: (name != "origin", name)):
        kinds = addresses[name]
        places = list(map(place_of, kinds.get("pushurl", [])))
        if not any(place.host for place in places):  # also where a push is forbidden: "no_push"
            places += map(place_of, kinds.get("url", []))
        found.append(Remote(name, places))
    return found


def answers_of_git(answers: "dict[str, str]", wrong: "dict[str, str]") -> "dict[str, str]":
    """Give the owner and name that the remotes say where they contradict the answers.

    A fork agrees with the answers by its remote for the original. Stops where no remote is on
    github.com.
    """
    found = remotes()
    wanted = (answers["github_owner"] + "/" + answers["repo_name"]).lower()
    on_github = [remote for remote in found if remote.repository]
    if not found or any(remote.repository.lower() == wanted for remote in on_github):
        return {}
    if not on_github:
        stop(said_of_other_hosts(answers, wrong, found))
    owner, name = on_github[0].repository.split("/")
    if not right("repo_name", name):
        stop(
            f"The remote {on_github[0].name} is github.com/{owner}/{name}; nothing was written.\n"
            f"A repository of that name cannot be used here: {RULES['repo_name'].allowed}.\n"
            "Rename it on GitHub (Settings), then run this with its new name."
        )
    said = {"github_owner": owner, "repo_name": name}
    return {key: said[key] for key in said if said[key].lower() != answers[key].lower()}


def said_of_other_hosts(
    answers: "dict[str, str]", wrong: "dict[str, str]", found: "list[Remote]"
) -> str:
    """Give what is said where the repository is elsewhere than on github.com."""
    listed = ", ".join(f"{remote.name} ({remote.host})" for remote in found)
    owner, name = answers["github_owner"], answers["repo_name"]
    return (
        f"No remote of this repository is on github.com: {listed}. Nothing was written.\n"
        "GitHub builds the image and publishes it, so the repository has to be there, too. Make "
        f"an empty one, at https://github.com/new?owner={owner}&name={name}, and say so:\n\n"
        f"    git -C {quoted(os.getcwd())} remote add github "
        f"https://github.com/{owner}/{name}.git\n\n"
        "Then run this again:\n\n    " + again(answers, wrong) + "\n"
    )


def is_in_git() -> bool:
    """Whether this folder may be in a git repository: it costs no call of git."""
    folder = os.getcwd()
    while not os.path.lexists(os.path.join(folder, ".git")):
        if folder == os.path.dirname(folder):
            return os.path.isfile("HEAD")  # as a bare repository has
        folder = os.path.dirname(folder)
    return True


def check_repository(answers: "dict[str, str]", wrong: "dict[str, str]") -> "dict[str, str]":
    """Give the answers that the repository in this folder contradicts, as they are right.

    `wrong` are those that cannot be used anyway.

    Stops where the folder is not the work tree of a repository of its own, but has to be.
    """
    if not is_in_git():
        return {}
    words = ("--is-bare-repository", "--is-inside-git-dir", "--show-toplevel")
    facts = git("rev-parse", *words).splitlines()
    if "true" in facts[:2]:
        stop(
            f"{os.getcwd()} is a git repository without files of its own (a bare one, or the "
            "inside of .git); nothing was written.\nGenerate into a clone of it (git clone)."
        )
    top = facts[2] if len(facts) == len(words) else ""
    if not top:  # no git, or one that does not trust this folder
        return {}
    if not os.path.samefile(top, os.getcwd()):
        check_subfolder(answers, wrong, os.path.realpath(top))
        return {}
    return answers_of_git(answers, wrong)


def check_subfolder(answers: "dict[str, str]", wrong: "dict[str, str]", top: str) -> None:
    """Stop where this folder belongs to the repository around it.

    It does where that repository has files of it, or is the very one that the answers name.
    Otherwise it becomes a repository of its own.
    """
    wanted = (answers["github_owner"] + "/" + answers["repo_name"]).lower()
    repositories = [remote.repository for remote in remotes() if remote.repository]
    is_same = wanted in map(str.lower, repositories)
    if not is_same and not git("ls-files", "--", "."):
        return
    there = {**answers, "repo_name": os.path.basename(top)}
    if repositories:
        there["github_owner"] = repositories[0].partition("/")[0]
    stop(
        f"{os.getcwd()} is inside another git repository, {top}; nothing was written.\n"
        "GitHub runs only the workflows in a repository's top folder, so nothing would be "
        "published from here. To add the template to that repository:\n\n    "
        + again(there, wrong, top)
        + "\n\nOr move this folder out of it, to where it is a repository of its own, and run "
        "the same command there.\n"
    )


def said_of_folder(name: str) -> "list[str]":
    """Give the lines on the folder, whose name has to be the repository's."""
    here = os.getcwd()
    there = os.path.join(os.path.dirname(here), name)
    if os.path.isfile(".git"):  # a worktree or a submodule: others know where it is
        return [
            f"This folder is a worktree or a submodule. Clone the repository into another folder, "
            f"named {name}, and run this beside it:",
            "",
        ]
    command = "    mv " + quoted(here) + " " + quoted(there)
    return ["The folder has to be named as the repository is:", "", command, ""]


def report(answers: "dict[str, str]", wrong: "dict[str, str]", of_git: "dict[str, str]") -> str:
    """Give what is said of the wrong answers; `of_git` are right ones, as the repository says."""
    count = "1 answer" if len(wrong) == 1 else f"{len(wrong)} answers"
    lines = [count + " cannot be used; nothing was written."]
    for key, allowed in wrong.items():
        answer = answers[key]
        shown = repr(answer[:SHOWN])
        if len(answer) > SHOWN:
            shown += f"... ({len(answer)} characters)"
        lines += ["", f"  {key}: {shown}", "    allowed: " + allowed]
    lines.append("")
    if "repo_name" in of_git:
        lines += said_of_folder(of_git["repo_name"])
    advice = "This asks again; Enter keeps what was right (cookiecutter's own report follows):"
    command = again({**answers, **of_git}, set(wrong) - set(of_git))
    return "\n".join([*lines, advice, "", "    " + command, ""])


def main() -> None:
    """Check the versions, the folder and the answers."""
    if sys.version_info < OLDEST_PYTHON or cookiecutter_version() < OLDEST:
        stop(
            "This template needs cookiecutter 2.1.1 or newer on Python 3.9 or newer: pipx install "
            "--force cookiecutter (or pip install --upgrade cookiecutter)."
        )
    if os.path.lexists(STAGING):
        stop(
            f"{STAGING} is already in {os.getcwd()}, and the template needs that name while it "
            "works.\nIf an interrupted run left it there, remove it; if it is yours, rename it. "
            "Then run the same command again. Nothing was changed."
        )
    answers = {key: str(CONTEXT.get(key, "")) for key in RULES}
    if outdated():
        stop(
            "These answers were kept by another version of the template, and its lists of files "
            "with them; nothing was written.\nThe same answers for this version:\n\n    "
            + again(answers, {})
            + "\n"
        )
    wrong = problems(answers)
    of_git = check_repository(answers, wrong)
    for key, answer in of_git.items():
        wrong[key] = answer + ", as the repository's remote on github.com says"
    if wrong:
        stop(report(answers, wrong, of_git))


if __name__ == "__main__":
    main()
