"""Records docs/session.svg, which moves, and docs/session.txt, the same as text: cookiecutter's questions, then the printed commands, pasted, to a Ready pod.

    python docs/session.py

Needs what tests/cluster needs, and the real `oc` on PATH. Everything is run. Three things that a test machine lacks have a
stand-in: a folder for github.com; for the workflow its own commands (build, `openshift/image.py test`, push); a Route's host
by hand for OpenShift's router. A wait longer than PAUSE seconds is shown as that long.
"""

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pexpect

HERE = Path(__file__).resolve().parent
OWNER, NAME, PROJECT = "MaastrichtU-IDS", "clinical-trial-graph", "demo-project"
TEMPLATE = f"https://github.com/{OWNER}/cookiecutter-dsri"
TYPED = {
    "Name of the project": "Clinical trial graph",
    "What it does": "A knowledge graph of clinical trials.",
    "Your GitHub account": "octocat",
    "Your name": "Mona Octocat",
    "Your e-mail": "mona@example.org",
    "Project on DSRI": PROJECT,
}
COLUMNS, ROWS, PAUSE, END = 80, 20, 2.5, 8
WIDTH, HEIGHT, TOP, LEFT = 8.4, 19, 40, 14  # of a character; of the bar above; beside the text
COLOURS = {
    "2": "#8b949e",
    "30": "#6e7681",
    "31": "#ff7b72",
    "32": "#7ee787",
    "33": "#e3b341",
    "34": "#79c0ff",
    "35": "#d2a8ff",
    "36": "#76e3ea",
    "37": "#f0f6fc",
    "90": "#8b949e",
}
STYLES = {"1": "b", **{number: "c" + number for number in COLOURS}}


class Log:
    """What a terminal got, with the time."""

    def __init__(self):
        self.got = []

    def write(self, text):
        self.got.append((time.monotonic(), text))

    def flush(self):
        pass


def record():
    """[(time, text)] of a session."""
    read, write, user = (
        os.environ[name] for name in ("GHCR_READ_TOKEN", "GHCR_TOKEN", "GHCR_USER")
    )
    image = f"ghcr.io/{OWNER.lower()}/{NAME}:latest"
    subprocess.run(
        ["docker", "login", "ghcr.io", "-u", user, "--password-stdin"],
        input=write,
        text=True,
        check=True,
        capture_output=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        home, tools, github = (Path(folder) / name for name in ("home", "bin", "github"))
        for path in (home, tools, github):
            path.mkdir()
        subprocess.run(["git", "init", "-q", "--bare", str(github / f"{NAME}.git")], check=True)
        # The last commit of this checkout, under the template's address.
        (home / ".gitconfig").write_text(
            f'[user]\n name = Mona Octocat\n email = mona@example.org\n[url "{HERE.parent}"]\n insteadOf = {TEMPLATE}.git\n'
            f'[url "{github}/"]\n insteadOf = https://github.com/{OWNER}/\n',
            encoding="utf-8",
        )
        (tools / "cookiecutter").symlink_to(Path(sys.executable).parent / "cookiecutter")
        for tool in ("git", "oc", "stty"):  # no gh: it would ask the real GitHub
            (tools / tool).symlink_to(shutil.which(tool))
        log = Log()
        shell = pexpect.spawn(
            shutil.which("bash"),
            ["--norc", "--noprofile", "--noediting"],
            cwd=str(home),
            encoding="utf-8",
            timeout=120,
            dimensions=(ROWS, COLUMNS),
            env={
                "TERM": "xterm-256color",
                "COLUMNS": str(COLUMNS),
                "PATH": str(tools),
                "HOME": str(home),
                "KUBECONFIG": os.environ["KUBECONFIG"],
                "PS1": "\n$ ",
            },
        )
        shell.logfile_read = log

        def type_(text):
            time.sleep(0.4)
            for sign in text:
                shell.send(sign)
                time.sleep(0.03)
            time.sleep(0.2)
            shell.sendline()

        def paste(block, wait=1.0):
            for line in re.sub(r"(?m)^    ", "", block).rstrip("\n").split("\n"):
                shell.sendline(line)
                shell.expect([r"\n(\$|>) ", "Token: "])
            time.sleep(wait)

        shell.expect(r"\$ ")
        type_(f"cookiecutter gh:{OWNER}/cookiecutter-dsri")
        while shell.expect([r"\)\x1b\[0m: ", r"\n\$ "]) == 0:
            question = re.sub(r"\x1b\[[0-9;]*m", "", shell.before).rpartition("] ")[2]
            type_(
                next((answer for start, answer in TYPED.items() if question.startswith(start)), "")
            )
        text = re.sub(r"\x1b\[[0-9;]*m|\r", "", "".join(part for _, part in log.got))
        time.sleep(PAUSE)
        steps = dict(
            re.findall(
                r"(?m)^(\d)\. (.*(?:\n(?!\d\. ).*)*)", text.split(" Licence of your code")[1]
            )
        )
        blocks = {
            number: re.findall(r"(?m)(?:^    .*\n?)+", step) for number, step in steps.items()
        }
        try:
            for block in blocks["1"]:
                paste(block)
            made = home / NAME
            for command in (
                [
                    "docker",
                    "buildx",
                    "build",
                    "--builder",
                    "default",
                    "--load",
                    "--quiet",
                    "-t",
                    image,
                    str(made),
                ],
                [sys.executable, str(made / "openshift/image.py"), "test", image],
                ["docker", "push", "--quiet", image],
            ):
                subprocess.run(command, check=True, capture_output=True)
            paste(blocks["3"][0])
            paste(blocks["4"][0], 0.5)
            shell.sendline(read)  # not shown: the command turned the echo off
            shell.expect(r"\n\$ ")
            time.sleep(1)
            for line in blocks["5"][0].rstrip("\n").split("\n"):
                paste(line, 0.5)
                if " apply " in line:
                    host = '{"spec": {"host": "%s-%s.apps.example.org"}}' % (NAME, PROJECT)
                    subprocess.run(
                        ["oc", "-n", PROJECT, "patch", "route", NAME, "--type=merge", "-p", host],
                        check=True,
                        capture_output=True,
                    )
            paste(f"oc -n {PROJECT} get pods -l app.kubernetes.io/name={NAME}")
        finally:
            shell.close(force=True)
            subprocess.run(
                ["oc", "delete", "-k", str(home / NAME / "openshift"), "--wait=false"],
                capture_output=True,
            )
            subprocess.run(["docker", "image", "rm", "--force", image], capture_output=True)
        assert read not in "".join(part for _, part in log.got)
        return [
            (when, part.replace(str(github), f"https://github.com/{OWNER}"))
            for when, part in log.got
        ]


class Screen:
    """A terminal's lines, all that ever were, each a list of (sign, style)."""

    def __init__(self, columns):
        self.columns, self.lines, self.column, self.style = columns, [[]], 0, ""

    def feed(self, text):
        """Take what a program printed; the numbers of the lines that changed."""
        changed = set()
        for code, sign in re.findall(r"\x1b\[([0-9;?]*[A-Za-z])|([^\x1b])", text):
            if code.endswith("m"):
                for number in (code[:-1] or "0").split(";"):
                    self.style = "" if number == "0" else f"{self.style} {STYLES.get(number, '')}"
            elif code == "K":
                del self.lines[-1][self.column :]
            elif code:
                continue
            elif sign == "\n":
                self.lines.append([])
                self.column = 0
            elif sign == "\r":
                self.column = 0
            else:
                if self.column == self.columns:
                    self.lines.append([])
                    self.column = 0
                self.lines[-1][self.column : self.column + 1] = [
                    (sign, " ".join(self.style.split()))
                ]
                self.column += 1
            changed.add(len(self.lines) - 1)
        return changed


def versions(got):
    """({line: [(time, what it shows)]}, [(time, the first line that is seen)], how long it takes)"""
    screen, seen, offsets, clock, before = Screen(COLUMNS), {}, [(0.0, 0)], 0.0, got[0][0]
    for when, text in got:
        clock, before = clock + min(when - before, PAUSE), when
        for number in screen.feed(text):
            shown = seen.setdefault(number, [])
            shown[:] = [(at, line) for at, line in shown if at < clock] + [
                (clock, list(screen.lines[number]))
            ]
        if len(screen.lines) - ROWS > offsets[-1][1]:
            offsets.append((clock, len(screen.lines) - ROWS))
    return seen, offsets, clock + END


def line_of(signs, row):
    """One line as SVG: a text for each run of one style, as wide as its columns whatever the font."""
    out, start = "", 0
    while start < len(signs):
        end = start
        while end < len(signs) and signs[end][1] == signs[start][1]:
            end += 1
        text = "".join(sign for sign, _ in signs[start:end])
        bare = text.strip()
        if bare:
            x = LEFT + (start + len(text) - len(text.lstrip())) * WIDTH
            style = f' class="{signs[start][1]}"' if signs[start][1] else ""
            out += f'<text x="{x:g}" y="{row * HEIGHT + 14}" textLength="{len(bare) * WIDTH:g}"{style}>{html.escape(bare, quote=False)}</text>'
        start = end
    return out


def picture(got):
    """The session as an SVG that plays it over and over; without motion it shows the end."""
    seen, offsets, length = versions(got)

    def share(when):
        return f"{100 * when / length:.2f}%"

    rules, body = [], []
    for number, shown in sorted(seen.items()):
        for index, (when, signs) in enumerate(shown):
            inner = line_of(signs, number)
            if not inner:
                continue
            name, last = f"l{number}-{index}", index == len(shown) - 1
            rules.append(
                f"@keyframes {name}{{0%{{opacity:0}}{share(when)}{{opacity:1}}"
                + ("" if last else f"{share(shown[index + 1][0])},to{{opacity:0}}")
                + "}"
            )
            body.append(
                f'<g style="animation-name:{name}{"" if last else ";opacity:0"}">{inner}</g>'
            )
    rules.append(
        "@keyframes scroll{"
        + "".join(
            f"{share(when)}{{transform:translateY({-first * HEIGHT}px)}}" for when, first in offsets
        )
        + "}"
    )
    colours = "".join(f".c{number}{{fill:{colour}}}" for number, colour in COLOURS.items())
    width, height = COLUMNS * WIDTH + 2 * LEFT, TOP + ROWS * HEIGHT + 12
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" width="{width:g}" height="{height}" role="img">
<title>A recorded session: cookiecutter's questions, the printed commands, the pod Ready</title>
<!-- Made by docs/session.py. -->
<style>
text{{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#e6edf3;white-space:pre}}
.b{{font-weight:700}}{colours}
g[style]{{animation:{length:.2f}s step-end infinite}}
@media (prefers-reduced-motion:reduce){{g[style]{{animation:none}}}}
{"".join(rules)}
</style>
<rect x=".5" y=".5" width="{width - 1:g}" height="{height - 1}" rx="8" fill="#0d1117" stroke="#57606a"/>
<circle cx="20" cy="20" r="6" fill="#ff5f57"/><circle cx="40" cy="20" r="6" fill="#febc2e"/><circle cx="60" cy="20" r="6" fill="#28c840"/>
<text x="{width / 2:g}" y="25" text-anchor="middle" class="c90">from answers to a Ready pod</text>
<svg y="{TOP}" width="{width:g}" height="{ROWS * HEIGHT}">
<g style="animation-name:scroll;transform:translateY({-offsets[-1][1] * HEIGHT}px)">
{chr(10).join(body)}
</g></svg></svg>
"""


def transcript(got):
    """The session as plain text, whose lines end where the programs ended them."""
    screen = Screen(None)
    screen.feed("".join(text for _, text in got))
    return (
        "\n".join("".join(sign for sign, _ in line).rstrip() for line in screen.lines).strip("$\n ")
        + "\n"
    )


if __name__ == "__main__":
    session = record()
    (HERE / "session.svg").write_text(picture(session), encoding="utf-8")
    (HERE / "session.txt").write_text(transcript(session), encoding="utf-8")
