"""Puts the chosen parts in place, keeps whatever was there, prints the next steps.

Cookiecutter renders this file, then runs it in the repository. The template's files stand in a staging folder, one
folder a part: what every stack has, the stack, the licence, the storage. Only that folder is ever emptied.
"""
import json
import os
import re
import shlex
import shutil
import sys
import textwrap

CONTEXT = json.loads(r"""{{ cookiecutter | tojson }}""")
STAGING = ".cookiecutter-stacks"
POSIX = os.name != "nt" or "MSYSTEM" in os.environ  # MSYSTEM is set in Git Bash
# Other names under which a tool finds the same thing: two of them would contradict each other.
SAME = {
    "LICENSE": r"(licen[cs]e|copying)([.-].*)?",
    "compose.yaml": r"(docker-)?compose\.ya?ml",
    "kustomization.yaml": r"kustomization(\.ya?ml)?",
    "dependabot.yml": r"dependabot\.ya?ml",
}


def parts():
    """The folders of the staging folder that these answers choose; a later one's file goes before an earlier one's."""
    chosen = ["every", *CONTEXT["_stacks"][CONTEXT["stack"]]["parts"], CONTEXT["stack"], CONTEXT["license"]]
    chosen += ["storage"] if CONTEXT["storage"] != "none" else []
    return [part for part in chosen if os.path.isdir(os.path.join(STAGING, part))]


def staged():
    """{path in the repository: where it is staged} for every file of the chosen parts."""
    found = {}
    for part in parts():
        top = os.path.join(STAGING, part)
        for folder, _, names in os.walk(top):
            found.update({os.path.relpath(os.path.join(folder, name), top): os.path.join(folder, name) for name in names})
    return dict(sorted(found.items()))


def taken(path):
    """What stands where `path` would go, or None: the same name in any case, another name for it, a link or a file
    in place of a folder."""
    folder, name = os.path.split(path)
    here = ""
    for step in folder.split(os.sep) if folder else []:
        here = os.path.join(here, step)
        if os.path.islink(here) or (os.path.lexists(here) and not os.path.isdir(here)):
            return here
    pattern = SAME.get(name, re.escape(name))
    for other in sorted(os.listdir(folder or ".")) if os.path.isdir(folder or ".") else []:
        if re.fullmatch(pattern, other, re.IGNORECASE):
            return os.path.join(folder, other)
    return None


def place(files):
    """Move each staged file to its place where nothing stands. ([added], {not added: what stands there})"""
    added, kept = [], {}
    for path, source in files.items():
        other = taken(path)
        if other:
            kept[path] = other
            continue
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        shutil.move(source, path)
        added.append(path)
    return added, kept


def dockerfile_findings(files):
    """What in the Dockerfile that was there would not run on the cluster, found by the script that the repository gets."""
    with open("Dockerfile", encoding="utf-8", errors="replace") as mine, open(files[os.path.join("openshift", "image.py")], encoding="utf-8") as script:
        check = {"__name__": "image", "__file__": os.path.abspath("image.py")}
        exec(compile(script.read(), "image.py", "exec"), check)
        return check["findings"](mine.read(), CONTEXT["port"])


def remote():
    """Whether this folder is a git repository with a remote; git is only asked."""
    if not os.path.lexists(".git"):
        return False
    import subprocess  # here: a new folder, the common case, does not need it

    try:
        return bool(subprocess.run(["git", "remote"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.strip())
    except OSError:
        return False


def quoted(word):
    """`word` as one word of the user's shell."""
    if POSIX:
        return shlex.quote(word.replace("\\", "/") if os.name == "nt" else word)
    return word if re.fullmatch(r"-?[\w/:\\][\w./:\\-]*", word, re.ASCII) else "'" + word.replace("'", "''") + "'"


def wrapped(line):
    """A command's line, continued in the user's shell where it passes 80 columns; never inside quotes."""
    if len(line) <= 80 or not line.startswith("    "):
        return line
    indent = line[: len(line) - len(line.lstrip())]
    words = re.findall(r"""(?:[^\s"']|"[^"]*"|'[^']*')+""", line)
    lines = textwrap.wrap(" ".join(word.replace(" ", "\0") for word in words), 78, initial_indent=indent,
                          subsequent_indent=indent + "  ", break_long_words=False, break_on_hyphens=False)
    return (" \\\n" if POSIX else " `\n").join(lines).replace("\0", " ")


def command(*words):
    """The line of a command, its words quoted."""
    return "    " + " ".join(map(quoted, words))


def steps(documentation, was_empty, added):
    """The numbered steps, out of the documentation that the repository gets."""
    sections = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", documentation, re.MULTILINE | re.DOTALL))
    publish = sections["Publish"].strip("\n")
    if not was_empty and os.path.lexists(".git"):
        mine = [command("git", "add", "--", *added)] if added else []
        mine.append(command("git", "commit", "-q", "-m", "Start from cookiecutter-dsri"))
        if remote():
            text = "\n".join(mine + [command("git", "push", "-u", "origin", "HEAD")])
            publish = publish.split("\n\n")[0] + "\n\n" + text
        else:
            publish = re.sub(r"(?s)    git init.*?(?=    gh )", lambda _: "\n".join(mine) + "\n", publish)
    folder, start = os.path.split(os.getcwd())[::-1]
    here = folder if os.path.realpath(os.environ.get("PWD", "")) == os.path.realpath(start) else os.getcwd()
    publish = publish.replace("\n\n", "\n\n" + command("cd", here) + "\n", 1)
    return publish + "\n\n" + sections["Deploy from " + ("Linux, macOS or Git Bash" if POSIX else "PowerShell")].strip("\n")


def show(text):
    """Print Markdown: headings without their signs, bold on a terminal; no console's encoding stops it."""
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ and (POSIX or "WT_SESSION" in os.environ)
    encoding = sys.stdout.encoding or "ascii"
    text = "\n".join(map(wrapped, text.splitlines()))
    text = re.sub(r"(?m)^### (.*)\n*", "\033[1m\\1\033[0m\n" if colour else r"\1\n", text)
    print(text.rstrip("\n").encode(encoding, "backslashreplace").decode(encoding))


def main():
    was_empty = os.listdir() == [STAGING]
    files = staged()
    with open(files[os.path.join("openshift", "README.md")], encoding="utf-8") as source:
        documentation = source.read()
    script = files[os.path.join("openshift", "image.py")]
    had_dockerfile = os.path.isfile("Dockerfile")
    findings = dockerfile_findings(files) if had_dockerfile and script else []
    added, kept = place(files)
    shutil.rmtree(STAGING)
    if not was_empty:
        wrap = {"width": 78, "initial_indent": "  ", "subsequent_indent": "  ", "break_long_words": False, "break_on_hyphens": False}
        if kept:
            print("Kept, they are yours:\n" + textwrap.fill(" ".join(sorted(set(kept.values()))), **wrap))
        print("Added:\n" + (textwrap.fill(" ".join(added), **wrap) if added else "  nothing"))
        if findings:
            print("\nYour Dockerfile would not run on the cluster as it is:")
            for what, cure in findings:
                print(textwrap.fill("- %s; %s" % (what, cure), **wrap))
        print()
    if CONTEXT["stack"] == "own-dockerfile" and was_empty:
        print("Replace in Dockerfile what its comments name, when you have code.\n")
    show(steps(documentation, was_empty, added))


if __name__ == "__main__":
    main()
