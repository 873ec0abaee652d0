"""Resolves the stacks' compiled requirements again.

Each is resolved by the command in its own first lines, in a copy whose placeholders are filled in:
neither Renovate nor Dependabot can, since uv refuses a pyproject.toml whose name is a placeholder.

    python tools/relock.py [STACK...]

What may be too new to be trusted is left out where UV_EXCLUDE_NEWER says so (docs.astral.sh/uv,
settings).
"""

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent
STAGED = TEMPLATE / "{{cookiecutter.repo_name}}" / "cookiecutter-stacks"
COMMAND = re.compile(r"(?m)\A(?:#.*\n)*?# +(uv pip compile .*)$")
PIN = re.compile(r"(?m)^([A-Za-z0-9._-]+)==([^\s;\\]+)")


def locks(stack):
    """A stack's compiled requirements, those first that constrain others."""
    found = {
        path: COMMAND.search(path.read_text(encoding="utf-8"))
        for path in (STAGED / stack).glob("requirements*.txt")
    }
    return sorted(
        ((path, command[1]) for path, command in found.items() if command),
        key=lambda lock: ("-c " in lock[1], lock[0]),
    )


def relock(stack, uv):
    """Compile a stack's requirements; (file, {package: (old, new)}) of each."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(STAGED / stack, Path(folder) / "stack"))
        project = copy / "pyproject.toml.j2"
        if project.exists():
            text = re.sub(r"\{\{.*?\}\}", "x", project.read_text(encoding="utf-8"))
            (copy / "pyproject.toml").write_text(text, encoding="utf-8")
        for path, command in locks(stack):
            subprocess.run(
                [uv, *shlex.split(command)[1:], "--upgrade", "--quiet"], cwd=copy, check=True
            )
            old, new = (
                path.read_text(encoding="utf-8"),
                (copy / path.name).read_text(encoding="utf-8"),
            )
            path.write_bytes(new.encode("utf-8"))
            before, after = dict(PIN.findall(old)), dict(PIN.findall(new))
            yield (
                path,
                {
                    name: (before.get(name), after.get(name))
                    for name in sorted({*before, *after})
                    if before.get(name) != after.get(name)
                },
            )


def main(*stacks):
    """Resolve these stacks again (all, where none is named), and print what is newer."""
    uv = shutil.which("uv")
    if not uv:
        sys.exit("needs uv: pip install uv")
    for stack in stacks or sorted(path.name for path in STAGED.iterdir() if locks(path.name)):
        for path, changed in relock(stack, uv):
            news = [
                f"{name} {old or 'new'} → {new or 'gone'}" for name, (old, new) in changed.items()
            ]
            print(f"- `{stack}/{path.name}`: {', '.join(news) or 'nothing newer'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
