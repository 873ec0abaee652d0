"""Records a session at a terminal as docs/session.svg: cookiecutter's questions, a few answers typed, what is printed.

    python docs/session.py
"""

import io
import json
import re
import sys
import tempfile
from pathlib import Path

import pexpect
from rich.console import Console
from rich.text import Text

HERE = Path(__file__).resolve().parent
ADDRESS = "MaastrichtU-IDS/cookiecutter-dsri"
TYPED = {"project_name": "Clinical trial graph", "github_username": "octocat", "full_name": "Mona Octocat", "email": "mona@example.org"}


def record():
    """What the terminal showed, with its colours."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.yaml").write_text(f"cookiecutters_dir: {folder}/c\nreplay_dir: {folder}/r\n", encoding="utf-8")
        # This checkout's last commit answers in place of github.com, so that the command is the users' own.
        (Path(folder) / ".gitconfig").write_text(f"[url \"{HERE.parent}\"]\n insteadOf = https://github.com/{ADDRESS}.git\n", encoding="utf-8")
        child = pexpect.spawn(sys.executable, ["-m", "cookiecutter", "--config-file", f"{folder}/config.yaml", f"gh:{ADDRESS}"], cwd=folder, encoding="utf-8",
                              timeout=30, dimensions=(60, 100), env={"TERM": "xterm-256color", "PATH": "/usr/bin:/bin", "PWD": folder, "HOME": folder, "COLUMNS": "100"})
        seen = ""
        for key in [key for key in json.loads((HERE.parent / "cookiecutter.json").read_text(encoding="utf-8")) if not key.startswith("_")]:
            child.expect(r"\)(\x1b\[0m)?: ")
            seen += child.before + child.after
            child.sendline(TYPED.get(key, ""))
        child.expect(pexpect.EOF)
        return (seen + child.before).replace(folder + "/", "")



if __name__ == "__main__":
    console = Console(record=True, width=100, file=io.StringIO())
    console.print(Text.from_ansi(f"$ cookiecutter gh:{ADDRESS}\n" + record().replace("\r", "")))
    picture = console.export_svg(title=f"cookiecutter gh:{ADDRESS}")
    # A page that shows the picture loads no font from elsewhere.
    (HERE / "session.svg").write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL), encoding="utf-8")
