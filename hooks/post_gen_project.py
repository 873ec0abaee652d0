"""Puts the chosen parts in place, keeps whatever was there, prints the next steps.

Cookiecutter renders this file, then runs it in the repository. There it finds the template's files
staged, a folder a part: what every stack has, the stack, the licence, the storage. Which parts were
chosen, and the text of the files that carry answers, stand in RENDERED. Only these two are removed.
"""
import os
import sys

# A hook runs from the temporary folder, where others may have put a json.py.
if os.path.dirname(__file__) in sys.path:
    sys.path.remove(os.path.dirname(__file__))
import json
import re
import shlex
import textwrap

CONTEXT = json.loads(r"""{{ cookiecutter | tojson }}""")
STAGING, RENDERED = ".cookiecutter-stacks", ".cookiecutter-rendered"
POSIX = os.name != "nt" or "MSYSTEM" in os.environ  # MSYSTEM is set in Git Bash
HIDDEN = []  # what is in git and not here, by a sparse checkout
FILL = {"width": 78, "initial_indent": "  ", "subsequent_indent": "  ", "break_long_words": False,
        "break_on_hyphens": False}


def staged():
    """({path: where it is staged}, answers filled in, a later part first; [what updates leave])"""
    with open(RENDERED, encoding="utf-8") as file:
        chosen = json.load(file)
    for path, text in chosen["rendered"].items():
        with open(os.path.join(STAGING, path), "w", encoding="utf-8", newline="") as file:
            file.write(text)
    found = {}
    for top in [os.path.join(STAGING, part) for part in chosen["parts"]]:
        for folder, _, names in os.walk(top):
            paths = [os.path.join(folder, name) for name in names]
            found.update({os.path.relpath(path, top): path for path in paths})
    return dict(sorted(found.items())), chosen["yours"]


def taken(path):
    """What stands where `path` would go, or None: its name in any case, another name for the same
    thing (two of them would contradict each other), a link or a file in place of a folder."""
    folder, name = os.path.split(path)
    here = ""
    for step in folder.split(os.sep) if folder else []:
        here = os.path.join(here, step)
        if os.path.islink(here) or (os.path.lexists(here) and not os.path.isdir(here)):
            return here
    same = CONTEXT["_same"].get(name, "")
    others = os.listdir(folder or ".") if os.path.isdir(folder or ".") else []
    others += [os.path.basename(hidden) for hidden in HIDDEN if os.path.dirname(hidden) == folder]
    for other in sorted(others):
        if other.lower() == name.lower() or re.fullmatch(same, other, re.IGNORECASE):
            return os.path.join(folder, other)
    return None


def place(files):
    """Move staged files to where nothing stands. ([added], [what stands where others would go])"""
    added, kept = [], set()
    for path, source in files.items():
        other = taken(path)
        if other:
            kept.add(other)
            continue
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        os.rename(source, path)
        added.append(path)
    return added, sorted(kept)


def findings(dockerfile):
    """What in the Dockerfile that was there would not run on the cluster: [(what, how to fix)]."""
    import runpy  # here, and subprocess below: a new folder, a common case, needs neither

    with open(dockerfile, encoding="utf-8", errors="replace") as mine:
        port = CONTEXT["port"] if "web" in CONTEXT["_stacks"][CONTEXT["stack"]]["parts"] else None
        anyuid = CONTEXT["service_account"] == "anyuid"
        reader = runpy.run_path(os.path.join(STAGING, "hook", "dockerfile.py"))
        return reader["findings"](mine.read(), port, anyuid)


def git(*words):
    """What git answers, "" where there is none; it is only asked."""
    import subprocess

    try:
        answer = subprocess.run(["git", *words], capture_output=True).stdout
    except OSError:
        return ""
    return answer.decode("utf-8", "surrogateescape").strip()


def origin(files, yours):
    """{".cruft.json": where it is staged}, what updates start from, in cruft's form; {} where cruft
    writes it (_commit) or it is not known (a zip, a local folder, cookiecutter before 2.2)."""
    clone, path = CONTEXT.get("_repo_dir", ""), os.path.join(STAGING, ".cruft.json")
    if "_commit" in CONTEXT or clone == CONTEXT["_template"] or not os.path.isdir(clone + "/.git"):
        return {}
    url = git("-C", clone, "config", "remote.origin.url")
    url = re.sub("^(ssh://)?git@([^:/]+)[:/]", r"https://\2/", url)
    about = {"template": re.sub("//[^/]*@", "//", url), "checkout": CONTEXT.get("_checkout"),
             "commit": git("-C", clone, "rev-parse", "HEAD"),
             "context": {"cookiecutter": {k: v for k, v in CONTEXT.items() if k[0] != "_"}},
             "skip": sorted({*yours, *(p.replace(os.sep, "/") for p in files if taken(p))})}
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(json.dumps(about, ensure_ascii=False, indent=2) + "\n")
    return {".cruft.json": path} if url.startswith("https://") else {}


def command(*words):
    """The line of a command, its words quoted for the user's shell."""
    def quoted(word):
        if POSIX:
            return shlex.quote(word.replace("\\", "/") if os.name == "nt" else word)
        plain = re.fullmatch(r"-?[\w/:\\][\w./:\\-]*", word, re.ASCII)
        return word if plain else "'" + word.replace("'", "''") + "'"

    return "    " + " ".join(map(quoted, words))


def wrapped(line):
    """A line of at most 80 columns, addresses apart; a command continued in the user's shell."""
    if len(line) <= 80 or " https://" in line:
        return line
    if not line.startswith("    "):
        return textwrap.fill(line.strip(), **FILL)
    indent = line[: len(line) - len(line.lstrip())]
    words = re.findall(r"""(?:[^\s"']|"[^"]*"|'[^']*')+""", line)
    fill = {**FILL, "initial_indent": indent, "subsequent_indent": indent + "  "}
    lines = textwrap.wrap(" ".join(word.replace(" ", "\0") for word in words), **fill)
    return (" \\\n" if POSIX else " `\n").join(lines).replace("\0", " ")


def steps(documentation, was_empty, added):
    """The numbered steps, out of the documentation that the repository gets."""
    sections = dict(re.findall(r"(?ms)^## ([^\n]+)\n+(.*?)\n*(?=^## |\Z)", documentation))
    deploy = sections["Deploy from " + ("Linux, macOS or Git Bash" if POSIX else "PowerShell")]
    publish, browser = sections["Publish"].split("\n\n  Without gh: m")
    # Not shutil.which: that import costs more than the rest of this function.
    gh = "gh.exe" if os.name == "nt" else "gh"
    if not any(os.access(os.path.join(folder, gh), os.X_OK) for folder in os.get_exec_path()):
        publish = publish.rpartition("\n")[0] + "\n  M" + browser
        deploy = deploy.replace("    gh run watch\n\n  Or look", "  Look")
    folder, start = os.path.basename(os.getcwd()), os.path.dirname(os.getcwd())
    near = os.path.realpath(os.environ.get("PWD", "")) == os.path.realpath(start)
    first = [command("cd", folder if near else os.getcwd())]
    if not was_empty and os.path.lexists(".git"):
        # What they have staged themselves stays staged.
        only = ["--", *added] if git("diff", "--cached", "--name-only") else []
        commit = command("git", "commit", "-q", "-m", "Start from cookiecutter-dsri", *only)
        sparse = ["--sparse"] if HIDDEN else []
        first += [command("git", "add", "-f", *sparse, "--", *added), commit] if added else []
        publish = re.sub(r"    git init.*\n.*\n?", "", publish)
        for remote in sorted(git("remote").split(), key="origin".__ne__)[:1]:  # or another
            first += [command("git", "push", "-u", remote, "HEAD")]
            publish = publish.split("\n\n")[0] + "\n\n"
            default = git("symbolic-ref", "--short", "refs/remotes/%s/HEAD" % remote)
            if default not in ("", remote + "/" + git("branch", "--show-current")):
                into = default.partition("/")[2]
                first += ["", "  Merge this branch into %s; that publishes." % into]
    publish = publish.replace("\n\n", "\n\n" + "\n".join(first) + "\n", 1).rstrip()
    return publish + "\n\n" + deploy


def show(text):
    """Print Markdown: headings without their signs, bold on a terminal; any console can do it."""
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty()
    colour = not plain and (POSIX or "WT_SESSION" in os.environ)  # what Windows Terminal sets
    encoding = sys.stdout.encoding or "ascii"
    text = "\n".join(map(wrapped, text.splitlines()))
    text = re.sub(r"(?m)^### (.*)\n*", "\033[1m\\1\033[0m\n" if colour else r"\1\n", text)
    text = re.sub(r"\n\n(?=    )", "\n", text)
    if text.rpartition("\n1. ")[2].count("\n") > 44:  # very long names
        text = text.replace("\n\n", "\n")
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def main():
    was_empty = set(os.listdir()) == {STAGING, RENDERED}
    if not was_empty:
        entries = git("ls-files", "-t", "-z").split("\0")
        HIDDEN.extend(os.path.normpath(entry[2:]) for entry in entries if entry[:2] == "S ")
    files, yours = staged()
    with open(files[os.path.join("openshift", "README.md")], encoding="utf-8") as source:
        documentation = source.read()
    mine = taken("Dockerfile") or ""  # Docker takes one named dockerfile, too
    wrong = findings(mine) if os.path.isfile(mine) else []
    files.update(origin(files, yours))
    added, kept = place(files)
    for folder, _, names in os.walk(STAGING, topdown=False):
        for name in names:
            os.remove(os.path.join(folder, name))
        os.rmdir(folder)
    os.remove(RENDERED)
    lines = []
    if kept:
        lines += ["Kept, they are yours:", textwrap.fill(" ".join(kept), **FILL)]
    workflow = os.path.join(".github", "workflows", "publish.yml")
    if workflow in kept and os.path.isfile(workflow):
        with open(workflow, encoding="utf-8", errors="replace") as file:
            if "openshift/image.py" not in file.read():
                lines += ["Your publish.yml does not publish the image: rename it, run this again."]
    if not was_empty:
        lines += ["Added:", textwrap.fill(" ".join(added) or "nothing", **FILL), ""]
    if wrong:
        lines += ["In your Dockerfile, what the cluster may refuse:"]
        lines += [textwrap.fill("- %s; %s" % finding, **FILL) for finding in wrong] + [""]
    if CONTEXT["stack"] == "own-dockerfile" and "Dockerfile" in added:
        lines += ["Dockerfile is a start: replace in it what its comments name.", ""]
    if ".cruft.json" not in files and "_commit" not in CONTEXT:
        lines += ["No .cruft.json, so no updates: no git address, or cookiecutter before 2.2.", ""]
    show("\n".join(lines + [steps(documentation, was_empty, added)]))


if __name__ == "__main__":
    try:
        main()
    except (OSError, KeyboardInterrupt) as error:
        sys.exit("Not finished: %s. Nothing of yours was changed. When that is mended, remove %s "
                 "and %s from %s and run the same command again: it adds what is still missing."
                 % (error or "interrupted", STAGING, RENDERED, os.getcwd()))
