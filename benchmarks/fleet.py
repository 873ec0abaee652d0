"""A release of the template, brought into repositories made from five older versions and edited.

    python benchmarks/fleet.py [REPOSITORIES]

The older versions are this repository's own history and one made up; the release bumps the base
images, an action and a manifest rule, and adds a question with a file. Each repository is made by
plain cookiecutter, edited in one of ten ways, committed, and updated by `dsri update`; beside it a
copy is updated by `cruft update`, for the time. Every file is then compared with what `git
merge-file` makes of it. Ends with status 1 where an update is wrong or unsaid, where a line of the
owner's is gone, or where it takes more than 1.5 times cruft's time.

Baseline, 2026-11, 2 cores that others used as well: 100 repositories, 71 updated, 29 shown as a
conflict, 0 wrong, 0 lines lost; 1.31 of cruft's time.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from commands import TEMPLATE
from cookiecutter.main import cookiecutter

from dsri.update.template import hushed

ADDRESS = "https://github.com/MaastrichtU-IDS/cookiecutter-dsri"
STAGED = Path("{{cookiecutter.repo_name}}") / "cookiecutter-stacks"
QUESTIONS = "cookiecutter.json"
STATE = ".cruft.json"
LAYOUT = (QUESTIONS, "hooks", STAGED.parts[0])  # what cookiecutter takes of the template
OLDER = 4  # versions that are taken from the history
MADE_UP = f"v{OLDER + 1}.0.0"
RELEASE = f"v{OLDER + 2}.0.0"
SLOWEST = 1.5  # times cruft's time
NEAR = 4  # lines below the one that the release changes
EDITS = [
    "far",
    "near",
    "beside",
    "at",
    "moved",
    "deleted",
    "line ends",
    "reformatted",
    "answers",
    "new file's place",
]
WORKFLOW = ".github/workflows/publish.yml"
DEPLOYMENT, CRONJOB = "openshift/deployment.yaml", "openshift/cronjob.yaml"
EDITED = ["Dockerfile", WORKFLOW, DEPLOYMENT]  # in turn; CRONJOB where a stack has none of it
CHANGED_LINE = {
    "Dockerfile": "FROM ",
    WORKFLOW: "docker/login-action",
    DEPLOYMENT: "allowPrivilegeEscalation",
    CRONJOB: "allowPrivilegeEscalation",
}
MINE = b"# mine\n"

Files = dict[str, bytes]  # what is in the files of a folder, by their path in it


def git(folder: Path, *words: str) -> bytes:
    """Return what Git prints in a folder; the benchmark ends where it fails."""
    done = subprocess.run(
        ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"git {' '.join(words)}: {done.stderr.decode()}")
    return done.stdout


def commit_all(folder: Path, message: str) -> None:
    """Commit all that is in a folder, what Git would ignore as well."""
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)


def replace(path: Path, old: str, new: str) -> None:
    """Replace a pattern in a file; the benchmark ends where the file has none."""
    text = path.read_text(encoding="utf-8")
    changed = re.sub(old, new, text)
    if changed == text:
        sys.exit(f"{path} has no {old}: the release of this benchmark has to follow the template")
    path.write_text(changed, encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write an object into a file."""
    path.write_text(json.dumps(value), encoding="utf-8")


def generate(version: str, stack: str, folder: Path, answers: dict[str, str] | None = None) -> Path:
    """Return the repository that plain cookiecutter makes in `folder` of a version of the template.

    What is not answered is not asked. Raises what cookiecutter raises.
    """
    folder.mkdir(parents=True)
    config = folder / "config.yaml"
    config.write_text(
        f"cookiecutters_dir: '{folder}/cookiecutters'\nreplay_dir: '{folder}/replay'\n",
        encoding="utf-8",
    )
    with hushed():
        made = cookiecutter(
            ADDRESS,
            checkout=version,
            no_input=True,
            output_dir=folder,
            config_file=str(config),
            extra_context={"repo_name": "kg", "stack": stack, **(answers or {})},
        )
    return Path(made)


def files(folder: Path) -> Files:
    """Return what is in the files of a folder, without Git's own."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and ".git" not in name.parts:
            found[name.as_posix()] = path.read_bytes()
    return found


def is_rendered(data: bytes) -> bool:
    """Tell whether nothing of the template's own language is left in a file."""
    return b"{{ cookiecutter." not in data and b"\n#% " not in data


def works(work: Path, version: str, stacks: list[str]) -> bool:
    """Tell whether a version generates every stack, and leaves nothing unrendered."""
    folder = Path(tempfile.mkdtemp(dir=work))
    try:
        for stack in stacks:
            made = files(generate(version, stack, folder / stack))
            if not all(map(is_rendered, made.values())):
                return False
        return True
    except Exception:
        return False
    finally:
        shutil.rmtree(folder)


def clear(folder: Path) -> None:
    """Remove the template from a folder, and leave Git's own there."""
    for name in LAYOUT:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def put(folder: Path) -> None:
    """Put the template into a folder as it is here, in place of the one there."""
    clear(folder)
    for name in LAYOUT:
        source = TEMPLATE / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder)


def put_commit(folder: Path, commit: str) -> None:
    """Put the template into a folder as of a commit, in the layout of its time."""
    clear(folder)
    archive = git(TEMPLATE, "archive", commit, "--", *LAYOUT)
    with tarfile.open(fileobj=io.BytesIO(archive)) as files_then:
        files_then.extractall(folder)


@dataclass(frozen=True)
class Template:
    """The stacks of the template, and the commits of its history that are older versions."""

    stacks: list[str]
    commits: list[str]


def make_template(work: Path) -> Template:
    """Make a repository of the template in `work`, which Git finds under the template's address.

    It has five older versions, tagged v1.0.0 to v5.0.0, and the release, v6.0.0.
    """
    folder = work / "cookiecutter-dsri"
    folder.mkdir()
    put(folder)
    git(folder, "init", "-q", "-b", "main")
    commit_all(folder, "The template")
    os.environ.update(
        {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{folder}.insteadOf",
            "GIT_CONFIG_VALUE_0": ADDRESS,
        }
    )
    stacks = read_json(folder / QUESTIONS)["stack"]
    commits = tag_older_versions(work, folder, stacks)
    put(folder)
    tag_made_up_version(folder)
    tag_release(folder, stacks)
    return Template(stacks, commits)


def tag_older_versions(work: Path, folder: Path, stacks: list[str]) -> list[str]:
    """Commit and tag four older versions, spread over the history; return their commits.

    The benchmark ends where the history has fewer that generate every stack.
    """
    history = git(TEMPLATE, "log", "--format=%H", "--", STAGED.parts[0]).decode().split()
    step = max(1, len(history) // (2 * OLDER))
    found: list[str] = []
    for commit in history[step::step]:
        put_commit(folder, commit)
        commit_all(folder, f"As of {commit[:7]}")
        tag = f"v{len(found) + 1}.0.0"
        git(folder, "tag", "-f", tag)
        if works(work, tag, stacks):
            found.append(commit)
        if len(found) == OLDER:
            return found
    sys.exit(
        f"Only {len(found)} older versions of the history generate every stack; "
        "git clone without --depth."
    )


def tag_made_up_version(folder: Path) -> None:
    """Commit and tag a version that differs from the template of today by one line."""
    ignored = STAGED / "every/.gitignore"
    replace(folder / ignored, r"dist/\n", "dist/\nout/\n")
    commit_all(folder, "A made-up version")
    git(folder, "tag", "-f", MADE_UP)
    shutil.copy(TEMPLATE / ignored, folder / ignored)


def tag_release(folder: Path, stacks: list[str]) -> None:
    """Commit and tag the release: the template of today, with what a release changes."""
    every = folder / STAGED / "every"
    for stack in stacks:
        [dockerfile] = (folder / STAGED / stack).glob("Dockerfile*")
        replace(dockerfile, r"(?m)\A((?:#.*\n|\n)*FROM \S+)", r"\1-next")
    login = r"\g<1>" + "b" * 40 + " # v99.0.0"
    replace(every / WORKFLOW, r"(docker/login-action@)\w{40} # v\S+", login)
    replace(
        folder / STAGED / "pod/container.yaml.j2",
        r"(?m)^( *)allowPrivilegeEscalation: false",
        r"\1allowPrivilegeEscalation: false\n\1privileged: false",
    )
    region = every / "openshift/region.txt.j2"
    region.write_text("{{ cookiecutter.region }}\n", encoding="utf-8")
    questions = read_json(folder / QUESTIONS)
    questions["region"] = "eu of {{ cookiecutter.repo_name }}"
    write_json(folder / QUESTIONS, questions)
    commit_all(folder, "The release")
    git(folder, "tag", RELEASE)


def edited_lines(kind: str, lines: list[bytes], at: int) -> list[bytes]:
    """Return a file's lines as an edit of that kind leaves them; the release changes line `at`."""
    if kind == "far":
        return [*lines, MINE]
    if kind == "near":
        return [*lines[: at + NEAR], MINE, *lines[at + NEAR :]]
    if kind == "beside":
        return [*lines[:at], MINE, *lines[at:]]
    if kind == "at":
        return [*lines[:at], lines[at].rstrip(b"\n") + b" " + MINE, *lines[at + 1 :]]
    if kind == "line ends":
        return [line.replace(b"\n", b"\r\n") for line in lines]
    if kind == "reformatted":
        return [b"  " + line if line.strip() else line for line in lines]
    return lines


def change_answers(folder: Path) -> None:
    """Change answers in what is kept for updates, as an owner does to have others applied."""
    state = read_json(folder / STATE)
    answers = state["context"]["cookiecutter"]
    answers.update(description="Described anew.", port="9001", storage="20Gi")
    write_json(folder / STATE, state)


def edit(folder: Path, kind: str, path: str) -> dict[str, str]:
    """Edit the file at `path` of a repository as its owner would, in a way of EDITS.

    Returns where a file that was moved is now, by the path where it was.
    """
    target = folder / path
    lines = target.read_bytes().splitlines(keepends=True)
    changed = CHANGED_LINE[path].encode()
    at = next(number for number, line in enumerate(lines) if changed in line)
    target.write_bytes(b"".join(edited_lines(kind, lines, at)))
    with open(folder / "README.md", "ab") as readme:
        readme.write(b"\nMine.\n")
    if kind == "moved":
        moved = f"elsewhere/{target.name}"
        (folder / "elsewhere").mkdir()
        target.rename(folder / moved)
        return {path: moved}
    if kind == "line ends":
        (folder / ".gitattributes").write_bytes(b"* -text\n")
    elif kind == "deleted":
        target.unlink()
    elif kind == "answers":
        change_answers(folder)
    elif kind == "new file's place":
        (folder / "openshift/region.txt").write_bytes(b"mine\r\n")
    return {}


@dataclass(frozen=True)
class Repository:
    """A repository of the fleet, made from a version of the template and edited."""

    number: int
    kind: str  # of the edit, one of EDITS
    stack: str
    version: str
    base: Files  # as it was made
    theirs: Files  # as the release makes it of its answers
    moved: dict[str, str]  # where a file is now, by the path where it was

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.number}: {self.stack}, {self.version}, {self.kind}"


def made_folder(work: Path, number: int) -> Path:
    """Return the folder that a repository of the fleet is made in."""
    return work / f"made{number}"


def cruft_folder(work: Path, number: int) -> Path:
    """Return the folder of the copy that cruft updates."""
    return work / f"cruft{number}"


def make(work: Path, number: int, stacks: list[str]) -> Repository:
    """Make a repository of the fleet in `work`, and the copy for cruft; its number says which."""
    tens = number // len(EDITS)
    kind = EDITS[number % len(EDITS)]
    stack = stacks[(number // 2 + tens) % len(stacks)]
    version = f"v{(tens + number) % (OLDER + 1) + 1}.0.0"
    made = generate(version, stack, made_folder(work, number))
    base = files(made)
    path = EDITED[tens % len(EDITED)]
    if path not in base:
        path = CRONJOB
    git(made, "init", "-q", "-b", "main")
    git(made, "config", "core.autocrlf", "false")
    commit_all(made, "Start")
    moved = edit(made, kind, path)
    commit_all(made, "Mine")
    shutil.copytree(made, cruft_folder(work, number), symlinks=True)
    answers = dict(read_json(made / STATE)["context"]["cookiecutter"])
    del answers["repo_name"], answers["stack"]
    theirs = files(generate(RELEASE, stack, work / f"theirs{number}", answers))
    return Repository(number, kind, stack, version, base, theirs, moved)


@dataclass(frozen=True)
class Sides:
    """The versions of one file; None where there is none."""

    base: bytes | None  # as it was made
    theirs: bytes | None  # as the release makes it
    mine: bytes | None  # as the owner had it
    result: bytes | None  # after the update


@dataclass
class Verdict:
    """What is to be said of one update."""

    wrong: list[str] = field(default_factory=list)  # silently
    lost: list[str] = field(default_factory=list)  # lines of the owner's, or a whole file
    conflicts: list[str] = field(default_factory=list)  # paths


@dataclass(frozen=True)
class Update:
    """An update of a repository: what went in, what came out, and what it said."""

    repository: Repository
    mine: Files  # before
    result: Files  # after
    skip: list[str]  # the paths that it leaves alone
    said: str

    def paths(self) -> list[str]:
        """Return the paths of all files to judge, as they are now."""
        repository = self.repository
        known = {*repository.base, *repository.theirs, *self.mine, *self.result}
        return sorted(known - {STATE} - set(repository.moved))

    def sides(self, path: str) -> Sides:
        """Return the versions of the file that is at `path` now."""
        back = {new: old for old, new in self.repository.moved.items()}
        old = back.get(path, path)
        return Sides(
            base=self.repository.base.get(old),
            theirs=self.repository.theirs.get(old),
            mine=self.mine.get(path),
            result=self.result.get(path),
        )

    def is_skipped(self, path: str) -> bool:
        """Tell whether the update leaves a path alone, or a folder above it."""
        return any(path == place or path.startswith(place + "/") for place in self.skip)

    def names(self, path: str) -> bool:
        """Tell whether the update said anything of a path."""
        return f"`{path}`" in self.said

    def shows_conflict(self, path: str) -> bool:
        """Tell whether the update left a conflict in a file, and said so."""
        marked = b"<<<<<<< yours" in (self.result.get(path) or b"")
        return marked and self.names(path) and "## Conflicts" in self.said


@dataclass(frozen=True)
class Merge:
    """What Git makes of three versions of a file, and whether they conflict."""

    data: bytes
    conflicts: bool


def merge(work: Path, sides: Sides) -> Merge:
    """Return what Git makes of a file that all three have; `work` is for its versions."""
    versions = {"mine": sides.mine, "base": sides.base, "theirs": sides.theirs}
    for name, data in versions.items():
        (work / name).write_bytes(data)
    paths = [str(work / name) for name in versions]
    command = ["git", "merge-file", "-p", *paths]
    done = subprocess.run(command, check=False, capture_output=True)
    return Merge(done.stdout, done.returncode != 0)


def judge(work: Path, update: Update) -> Verdict:
    """Return what is wrong with an update, what it lost, and where it shows a conflict."""
    verdict = Verdict()
    for path in update.paths():
        judge_file(work, update, path, verdict)
    return verdict


def judge_file(work: Path, update: Update, path: str, verdict: Verdict) -> None:
    """Add to the verdict what is to be said of one file."""
    sides = update.sides(path)
    if update.is_skipped(path) or sides.theirs in (sides.base, sides.mine):
        expected = sides.mine
    elif sides.mine == sides.base:
        expected = sides.theirs
    elif None in (sides.base, sides.theirs, sides.mine):
        expected = sides.mine
        if not update.names(path):
            verdict.wrong.append(f"{path}: kept or left away, not said")
    elif update.shows_conflict(path):
        verdict.conflicts.append(path)
        verdict.lost += [f"{path}: {line!r}" for line in gone_lines(sides)]
        return
    else:
        merged = merge(work, sides)
        expected = merged.data
        if merged.conflicts:
            verdict.wrong.append(f"{path}: a conflict, not said")
            return
    if sides.result != expected:
        verdict.wrong.append(f"{path}: not what git makes of it")
    if sides.mine is not None and sides.result is None and expected is not None:
        verdict.lost.append(path)


def gone_lines(sides: Sides) -> list[bytes]:
    """Return the owner's own lines that a file has no longer."""
    own = set(sides.mine.splitlines()) - set(sides.base.splitlines())
    return sorted(own - set(sides.result.splitlines()))


@dataclass
class Totals:
    """What is to be said of all updates; times in seconds."""

    count: int
    updated: int = 0
    conflict: int = 0
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    ours: float = 0.0
    cruft: float = 0.0

    def summary(self) -> str:
        """Return the totals in one line."""
        wrong = f"{len(self.wrong)} silently wrong or not updated"
        lost = f"{len(self.lost)} lines of the owner's lost"
        ratio = f"{self.ours / self.cruft:.2f} of {self.cruft / self.count:.2f} s for cruft update"
        return (
            f"{self.count} repositories: {self.updated} updated, "
            f"{self.conflict} shown as a conflict, {wrong}, {lost}; "
            f"{self.ours / self.count:.2f} s each, {ratio}"
        )

    def has_failed(self) -> bool:
        """Tell whether any update was wrong or lost a line, or all took too long."""
        return bool(self.wrong or self.lost or self.ours > SLOWEST * self.cruft)


@dataclass(frozen=True)
class Timed:
    """A command that has ended, and how many seconds it took."""

    seconds: float
    done: subprocess.CompletedProcess[str]


def run_module(folder: Path, *words: str) -> Timed:
    """Run a module of Python, with its arguments, in a folder."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, check=False, capture_output=True, text=True
    )
    return Timed(time.perf_counter() - start, done)


def update_one(work: Path, repository: Repository, totals: Totals) -> None:
    """Update a repository by `dsri update` and its copy by cruft; add to the totals what came."""
    number = repository.number
    folder = made_folder(work, number) / "kg"
    mine = files(folder)
    update = run_module(folder, "dsri", "update")
    totals.ours += update.seconds
    totals.cruft += run_module(cruft_folder(work, number), "cruft", "update", "-y").seconds
    done = update.done
    if done.returncode:
        totals.wrong.append(f"{repository}: not updated: {done.stdout}{done.stderr}")
        return
    state = read_json(folder / STATE)
    if state["checkout"] != RELEASE or "region" not in state["context"]["cookiecutter"]:
        totals.wrong.append(f"{repository}: {STATE} is not the release's")
    result = files(folder)
    verdict = judge(work, Update(repository, mine, result, state["skip"], done.stdout))
    totals.wrong += [f"{repository}: {line}" for line in verdict.wrong]
    totals.lost += [f"{repository}: {line}" for line in verdict.lost]
    if verdict.conflicts:
        totals.conflict += 1
        outcome = f"conflict in {', '.join(verdict.conflicts)}"
    else:
        totals.updated += 1
        outcome = "updated"
    print(f"{number + 1}/{totals.count} {repository}: {outcome}", file=sys.stderr)


def make_all(work: Path, count: int, stacks: list[str]) -> list[Repository]:
    """Make the repositories of the fleet, several at once, and say nothing meanwhile."""
    quiet = contextlib.redirect_stderr(io.StringIO())
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool, quiet:
        return list(pool.map(make, [work] * count, range(count), [stacks] * count))


def main(count: int = 100) -> int:
    """Update a fleet of `count` repositories, and print what is wrong and the totals.

    Returns the exit status.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        template = make_template(work)
        stacks = ", ".join(template.stacks)
        versions = ", ".join(commit[:7] for commit in template.commits)
        print(
            f"{count} repositories, stacks {stacks}, versions {versions} and a made-up one",
            file=sys.stderr,
        )
        totals = Totals(count)
        for repository in make_all(work, count, template.stacks):
            update_one(work, repository, totals)
    for line in totals.wrong + totals.lost:
        print(line)
    print(totals.summary())
    return 1 if totals.has_failed() else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
