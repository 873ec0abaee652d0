"""Records docs/session.svg, which moves, and docs/session.txt, the same as text.

They show cookiecutter's questions, then the printed commands, pasted, to a Ready pod.

    python docs/session.py

Needs what tests/cluster needs, and the real `oc` on PATH. Everything is run. Three things that a
test machine lacks have a stand-in: a folder for github.com; for the workflow its own commands
(build, `openshift/image.py test`, push); a Route's host by hand for OpenShift's router. A wait
longer than PAUSE seconds is shown as that long.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, zip_longest
from pathlib import Path
from typing import NamedTuple

import pexpect

HERE = Path(__file__).resolve().parent
OWNER, NAME, PROJECT = "MaastrichtU-IDS", "clinical-trial-graph", "demo-project"
ACCOUNT = f"https://github.com/{OWNER}"
TEMPLATE = f"{ACCOUNT}/cookiecutter-dsri"
IMAGE = f"ghcr.io/{OWNER.lower()}/{NAME}:latest"
TYPED = {
    "Name of the project": "Clinical trial graph",
    "What it does": "A knowledge graph of clinical trials.",
    "Your GitHub account": "octocat",
    "Your name": "Mona Octocat",
    "Your e-mail": "mona@example.org",
    "Project on DSRI": PROJECT,
}
LAST_QUESTION = " Licence of your code"
PROMPT = r"\n\$ "
COLOUR_CODE = r"\x1b\[[0-9;]*m"
COLUMNS, ROWS = 80, 20  # of the terminal, in characters
PAUSE, END = 2.5, 8  # the longest wait that is shown, and how long the end is shown, in seconds
WIDTH, HEIGHT = 8.4, 19  # of a character, in the picture's units, as are all that follow
TOP, LEFT = 40, 14  # the height of the bar above; the space beside the text
BOTTOM = 12  # the space below the text
BASELINE = 14  # from the top of a line to the foot of its letters
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


class Printed(NamedTuple):
    """What a terminal got at once, and when: seconds of a clock that only runs forward."""

    when: float
    text: str


class Log:
    """A file for pexpect that keeps what a terminal got, with the time."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.got: list[Printed] = []

    def write(self, text: str) -> None:
        """Keep what a terminal got just now."""
        self.got.append(Printed(time.monotonic(), text))

    def flush(self) -> None:
        """Do nothing: pexpect calls it, and all is kept already."""

    def text(self) -> str:
        """Return all that the terminal got."""
        return "".join(printed.text for printed in self.got)


@dataclass(frozen=True)
class Machine:
    """The folders of a user's machine, and the one that stands in for github.com."""

    home: Path
    tools: Path
    github: Path

    @property
    def repository(self) -> Path:
        """The folder that cookiecutter makes."""
        return self.home / NAME


def machine(folder: Path) -> Machine:
    """Return a machine in `folder`: Git knows the template and github.com, and has a user's name.

    The template is the last commit of this checkout, under the template's address.
    """
    made = Machine(folder / "home", folder / "bin", folder / "github")
    for path in (made.home, made.tools, made.github):
        path.mkdir()
    bare = made.github / f"{NAME}.git"
    subprocess.run(["git", "init", "-q", "--bare", str(bare)], check=True)
    settings = [
        "[user]",
        " name = Mona Octocat",
        " email = mona@example.org",
        f'[url "{HERE.parent}"]',
        f" insteadOf = {TEMPLATE}.git",
        f'[url "{made.github}/"]',
        f" insteadOf = {ACCOUNT}/",
    ]
    text = "\n".join(settings) + "\n"
    (made.home / ".gitconfig").write_text(text, encoding="utf-8")
    (made.tools / "cookiecutter").symlink_to(Path(sys.executable).parent / "cookiecutter")
    for tool in ("git", "oc", "stty"):  # no gh: it would ask the real GitHub
        (made.tools / tool).symlink_to(shutil.which(tool))
    return made


class Terminal:
    """A user's shell on a machine, and what can be seen of it."""

    def __init__(self, user_machine: Machine) -> None:
        """Start the shell; TIMEOUT (pexpect) where it has no prompt, here and in what follows."""
        self.log = Log()
        self.shell = pexpect.spawn(
            shutil.which("bash"),
            ["--norc", "--noprofile", "--noediting"],
            cwd=str(user_machine.home),
            encoding="utf-8",
            timeout=120,
            dimensions=(ROWS, COLUMNS),
            env={
                "TERM": "xterm-256color",
                "COLUMNS": str(COLUMNS),
                "PATH": str(user_machine.tools),
                "HOME": str(user_machine.home),
                "KUBECONFIG": os.environ["KUBECONFIG"],
                "PS1": "\n$ ",
            },
        )
        self.shell.logfile_read = self.log
        self.shell.expect(r"\$ ")

    def type(self, text: str) -> None:
        """Type a line as a person does, and press Enter."""
        time.sleep(0.4)
        for sign in text:
            self.shell.send(sign)
            time.sleep(0.03)
        time.sleep(0.2)
        self.shell.sendline()

    def paste(self, block: str, wait: float = 1.0) -> None:
        """Paste a block of commands, as it is printed, line by line; then wait some seconds."""
        commands = re.sub(r"(?m)^    ", "", block).rstrip("\n")
        for line in commands.split("\n"):
            self.shell.sendline(line)
            self.shell.expect([r"\n(\$|>) ", "Token: "])
        time.sleep(wait)

    def answer_unseen(self, text: str) -> None:
        """Answer a command that turned the echo off."""
        self.shell.sendline(text)
        self.shell.expect(PROMPT)
        time.sleep(1)

    def answer_questions(self) -> None:
        """Answer cookiecutter's questions: those of TYPED in words, the others with Enter."""
        while self.shell.expect([r"\)\x1b\[0m: ", PROMPT]) == 0:
            question = re.sub(COLOUR_CODE, "", self.shell.before).rpartition("] ")[2]
            self.type(answer_to(question))

    def close(self) -> None:
        """End the shell and what runs in it."""
        self.shell.close(force=True)


def answer_to(question: str) -> str:
    """Return what is typed for a question; nothing for one that TYPED has not."""
    for start, answer in TYPED.items():
        if question.startswith(start):
            return answer
    return ""


def printed_commands(text: str) -> dict[str, list[str]]:
    """Return the blocks of commands in the printed steps, by the number of the step.

    `text` is all that the terminal got; the steps follow the last question.
    """
    without_codes = re.sub(rf"{COLOUR_CODE}|\r", "", text)
    after_questions = without_codes.split(LAST_QUESTION)[1]
    steps = re.findall(r"(?m)^(\d)\. (.*(?:\n(?!\d\. ).*)*)", after_questions)
    return {number: re.findall(r"(?m)(?:^    .*\n?)+", step) for number, step in steps}


def run(*command: str) -> None:
    """Run a command out of sight; CalledProcessError where it fails."""
    subprocess.run(command, check=True, capture_output=True)


def log_in(user: str, token: str) -> None:
    """Let Docker push to the registry; CalledProcessError where it refuses the token."""
    subprocess.run(
        ["docker", "login", "ghcr.io", "-u", user, "--password-stdin"],
        input=token,
        text=True,
        check=True,
        capture_output=True,
    )


def publish(repository: Path) -> None:
    """Do what the workflow does for a push: build the image, test it and publish it."""
    build = ["docker", "buildx", "build", "--builder", "default", "--load", "--quiet"]
    run(*build, "-t", IMAGE, str(repository))
    run(sys.executable, str(repository / "openshift/image.py"), "test", IMAGE)
    run("docker", "push", "--quiet", IMAGE)


def give_route_a_host() -> None:
    """Do what OpenShift's router does: give the Route a host."""
    host = json.dumps({"spec": {"host": f"{NAME}-{PROJECT}.apps.example.org"}})
    run("oc", "-n", PROJECT, "patch", "route", NAME, "--type=merge", "-p", host)


def follow_steps(terminal: Terminal, user_machine: Machine, read_token: str) -> None:
    """Do what the printed steps say, up to a Ready pod."""
    blocks = printed_commands(terminal.log.text())
    for block in blocks["1"]:
        terminal.paste(block)
    publish(user_machine.repository)
    terminal.paste(blocks["3"][0])
    terminal.paste(blocks["4"][0], 0.5)
    terminal.answer_unseen(read_token)
    for line in blocks["5"][0].rstrip("\n").split("\n"):
        terminal.paste(line, 0.5)
        if " apply " in line:
            give_route_a_host()
    terminal.paste(f"oc -n {PROJECT} get pods -l app.kubernetes.io/name={NAME}")


def clean_up(user_machine: Machine) -> None:
    """Remove from the cluster and from Docker what the session made, as far as it is there."""
    manifests = str(user_machine.repository / "openshift")
    for command in (
        ["oc", "delete", "-k", manifests, "--wait=false"],
        ["docker", "image", "rm", "--force", IMAGE],
    ):
        subprocess.run(command, check=False, capture_output=True)


def record() -> list[Printed]:
    """Return all that the terminal of a session gets, with the address of github.com.

    KeyError where one of GHCR_READ_TOKEN, GHCR_TOKEN, GHCR_USER, KUBECONFIG is not set.
    """
    read_token = os.environ["GHCR_READ_TOKEN"]
    log_in(token=os.environ["GHCR_TOKEN"], user=os.environ["GHCR_USER"])
    with tempfile.TemporaryDirectory() as folder:
        user_machine = machine(Path(folder))
        terminal = Terminal(user_machine)
        terminal.type(f"cookiecutter gh:{OWNER}/cookiecutter-dsri")
        terminal.answer_questions()
        time.sleep(PAUSE)
        try:
            follow_steps(terminal, user_machine, read_token)
        finally:
            terminal.close()
            clean_up(user_machine)
    assert read_token not in terminal.log.text()
    here = str(user_machine.github)
    return [Printed(when, text.replace(here, ACCOUNT)) for when, text in terminal.log.got]


class Cell(NamedTuple):
    """A place on the screen: its sign, and the classes of its style, apart by spaces."""

    sign: str
    style: str


def plain(cells: Iterable[Cell]) -> str:
    """Return the signs of some cells."""
    return "".join(cell.sign for cell in cells)


class Screen:
    """A terminal's lines, all that ever were."""

    def __init__(self, columns: int | None) -> None:
        """Begin with an empty line. `columns`: where a line goes on below; None for nowhere."""
        self.columns = columns
        self.lines: list[list[Cell]] = [[]]
        self.column = 0
        self.style = ""

    def feed(self, text: str) -> set[int]:
        """Take what a program printed; return the numbers of the lines that changed."""
        changed = set()
        for code, sign in re.findall(r"\x1b\[([0-9;?]*[A-Za-z])|([^\x1b])", text):
            if sign:
                self._show(sign)
            elif code.endswith("m"):
                self._set_style(code[:-1] or "0")
            elif code == "K":
                del self.lines[-1][self.column :]
            else:
                continue
            changed.add(len(self.lines) - 1)
        return changed

    def _set_style(self, numbers: str) -> None:
        """Change the style by the numbers of a code (ECMA-48, SGR), such as `1;32`."""
        for number in numbers.split(";"):
            if number == "0":
                self.style = ""
            else:
                self.style += f" {STYLES.get(number, '')}"

    def _begin_line(self) -> None:
        self.lines.append([])
        self.column = 0

    def _show(self, sign: str) -> None:
        """Take one sign, or the end or the start of a line."""
        if sign == "\n":
            self._begin_line()
            return
        if sign == "\r":
            self.column = 0
            return
        if self.column == self.columns:
            self._begin_line()
        cell = Cell(sign, " ".join(self.style.split()))
        self.lines[-1][self.column : self.column + 1] = [cell]
        self.column += 1


class Shown(NamedTuple):
    """What a line shows from a time on, in seconds from the start."""

    when: float
    cells: list[Cell]


class Scrolled(NamedTuple):
    """The first line that is seen from a time on, in seconds from the start."""

    when: float
    first: int


@dataclass(frozen=True)
class Film:
    """A session in the time that it is shown in."""

    lines: dict[int, list[Shown]]  # by the number of the line
    scrolled: list[Scrolled]
    length: float  # in seconds

    def share(self, when: float) -> str:
        """Return how far into the film a time is, as CSS: 12.50%."""
        return f"{100 * when / self.length:.2f}%"


def film(got: list[Printed]) -> Film:
    """Return the film of a session, in which no wait is longer than PAUSE seconds."""
    screen = Screen(COLUMNS)
    lines: dict[int, list[Shown]] = {}
    scrolled = [Scrolled(0.0, 0)]
    clock, before = 0.0, got[0].when
    for when, text in got:
        clock += min(when - before, PAUSE)
        before = when
        for number in screen.feed(text):
            earlier = [shown for shown in lines.get(number, []) if shown.when < clock]
            lines[number] = [*earlier, Shown(clock, list(screen.lines[number]))]
        first = len(screen.lines) - ROWS
        if first > scrolled[-1].first:
            scrolled.append(Scrolled(clock, first))
    return Film(lines, scrolled, clock + END)


def line_of(cells: list[Cell], row: int) -> str:
    """Return one line as SVG; `row` is its number.

    There is a text for each run of one style, as wide as its columns whatever the font.
    """
    out, start = "", 0
    for style, run_of_cells in groupby(cells, key=lambda cell: cell.style):
        text = plain(run_of_cells)
        out += text_of(text, style, start, row)
        start += len(text)
    return out


def text_of(text: str, style: str, column: int, row: int) -> str:
    """Return as SVG what is in one style; nothing where that is only space."""
    bare = text.strip()
    if not bare:
        return ""
    indent = len(text) - len(text.lstrip())
    x, y = LEFT + (column + indent) * WIDTH, row * HEIGHT + BASELINE
    width = len(bare) * WIDTH
    css_class = f' class="{style}"' if style else ""
    escaped = html.escape(bare, quote=False)
    return f'<text x="{x:g}" y="{y}" textLength="{width:g}"{css_class}>{escaped}</text>'


class Moving(NamedTuple):
    """A line at one time as SVG, and the rule of CSS that shows it then."""

    rule: str
    group: str


def moving_lines(session: Film) -> Iterator[Moving]:
    """Yield what each line of a session shows, from the first line to the last, none empty."""
    for number, shown in sorted(session.lines.items()):
        for index, (now, later) in enumerate(zip_longest(shown, shown[1:])):
            inner = line_of(now.cells, number)
            if not inner:
                continue
            name = f"l{number}-{index}"
            begin = f"0%{{opacity:0}}{session.share(now.when)}{{opacity:1}}"
            end, hidden = "", ""
            if later:
                end, hidden = f"{session.share(later.when)},to{{opacity:0}}", ";opacity:0"
            yield Moving(
                rule=f"@keyframes {name}{{{begin}{end}}}",
                group=f'<g style="animation-name:{name}{hidden}">{inner}</g>',
            )


def scroll_rule(session: Film) -> str:
    """Return the rule of CSS that moves the lines up."""
    steps = [
        f"{session.share(when)}{{transform:translateY({-first * HEIGHT}px)}}"
        for when, first in session.scrolled
    ]
    return f"@keyframes scroll{{{''.join(steps)}}}"


def style_sheet(session: Film, rules: str) -> str:
    """Return the SVG's CSS: the font and the colours, then how the lines move, by `rules`."""
    colours = "".join(f".c{number}{{fill:{colour}}}" for number, colour in COLOURS.items())
    fonts = 'ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace'
    return f"""\
text{{font:14px {fonts};fill:#e6edf3;white-space:pre}}
.b{{font-weight:700}}{colours}
g[style]{{animation:{session.length:.2f}s step-end infinite}}
@media (prefers-reduced-motion:reduce){{g[style]{{animation:none}}}}
{rules}
"""


def window(width: float, height: int) -> str:
    """Return as SVG the window around the text: its frame, its three buttons, its title."""
    frame = f'<rect x=".5" y=".5" width="{width - 1:g}" height="{height - 1}" rx="8"'
    buttons = [
        f'<circle cx="{x}" cy="20" r="6" fill="{colour}"/>'
        for x, colour in ((20, "#ff5f57"), (40, "#febc2e"), (60, "#28c840"))
    ]
    middle = f'<text x="{width / 2:g}" y="25" text-anchor="middle" class="c90">'
    return f"""\
{frame} fill="#0d1117" stroke="#57606a"/>
{"".join(buttons)}
{middle}from answers to a Ready pod</text>
"""


def picture(got: list[Printed]) -> str:
    """Return the session as an SVG that plays it over and over; without motion it shows the end."""
    session = film(got)
    moving = list(moving_lines(session))
    rules = "".join(line.rule for line in moving) + scroll_rule(session)
    groups = "\n".join(line.group for line in moving)
    width, height = COLUMNS * WIDTH + 2 * LEFT, TOP + ROWS * HEIGHT + BOTTOM
    size = f'viewBox="0 0 {width:g} {height}" width="{width:g}" height="{height}"'
    title = "A recorded session: cookiecutter's questions, the printed commands, the pod Ready"
    at_end = f"translateY({-session.scrolled[-1].first * HEIGHT}px)"
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">
<title>{title}</title>
<!-- Made by docs/session.py. -->
<style>
{style_sheet(session, rules)}</style>
{window(width, height)}<svg y="{TOP}" width="{width:g}" height="{ROWS * HEIGHT}">
<g style="animation-name:scroll;transform:{at_end}">
{groups}
</g></svg></svg>
"""


def transcript(got: list[Printed]) -> str:
    """Return the session as plain text, whose lines end where the programs ended them."""
    screen = Screen(None)
    screen.feed("".join(printed.text for printed in got))
    lines = [plain(cells).rstrip() for cells in screen.lines]
    return "\n".join(lines).strip("$\n ") + "\n"


def main() -> None:
    """Write docs/session.svg and docs/session.txt."""
    session = record()
    (HERE / "session.svg").write_text(picture(session), encoding="utf-8")
    (HERE / "session.txt").write_text(transcript(session), encoding="utf-8")


if __name__ == "__main__":
    main()
