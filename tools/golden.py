"""What users get, kept under version control.

There is one repository a stack in tests/golden, so that a pull request shows what it changes.

    python tools/golden.py

writes it again. A file that carries answers is kept as it is generated; of a file that is copied as
it stands, `copied.txt` says out of which part of the template. What a day changes has a fixed
value.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent
GOLDEN = TEMPLATE / "tests" / "golden"
STAGED = TEMPLATE / "{{cookiecutter.repo_name}}" / "cookiecutter-stacks"
STORAGE = "5Gi"
FIXED = {
    "CITATION.cff": (r'(?m)^(date-released: )".*"', r'\1"2026-01-01"'),
    "LICENSE": (r"(?m)^( *Copyright (?:\(c\) )?)\d{4}", r"\g<1>2026"),
}


def golden(folder, names, stack):
    """{path: text} to keep of a stack's generated repository."""
    parts = [STAGED / stack, *sorted(STAGED.iterdir())]
    kept, copied = {}, []
    for name in names:
        data = (folder / name).read_bytes()
        part = next(
            (
                part.name
                for part in parts
                if (part / name).is_file() and (part / name).read_bytes() == data
            ),
            None,
        )
        if part:
            copied.append(f"{name}  {part}\n")
        else:
            kept[name] = re.sub(*FIXED.get(name, ("(?!)", "")), data.decode("utf-8"))
    return {**kept, "copied.txt": "".join(copied)}


def stored(stack):
    """What is kept of a stack."""
    return {
        path.relative_to(GOLDEN / stack).as_posix(): path.read_bytes().decode("utf-8")
        for path in (GOLDEN / stack).rglob("*")
        if path.is_file()
    }


def main():
    """Write what the template makes of the tests' own answers."""
    sys.path.insert(0, str(TEMPLATE / "tests"))
    from conftest import STACKS, bake  # noqa: PLC0415 - found by the line above

    # A tool's cache there would be generated too, here and at no user's.
    stray = subprocess.run(
        ["git", "ls-files", "--others", "--ignored", "--exclude-standard", str(STAGED)],
        cwd=TEMPLATE,
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout
    if stray:
        sys.exit(f"Remove first:\n{stray}")
    shutil.rmtree(GOLDEN, ignore_errors=True)
    for stack in STACKS:
        with tempfile.TemporaryDirectory() as folder:
            made = bake(Path(folder), stack=stack, storage=STORAGE)
            if made.status:
                sys.exit(made.text)
            for name, text in golden(made.path, made.files(), stack).items():
                (GOLDEN / stack / name).parent.mkdir(parents=True, exist_ok=True)
                (GOLDEN / stack / name).write_bytes(text.encode("utf-8"))
        print(f"{GOLDEN.relative_to(TEMPLATE) / stack}: {len(stored(stack))} files")


if __name__ == "__main__":
    main()
