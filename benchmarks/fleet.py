"""A release of the template, brought into repositories made from five older versions and edited since.

    python benchmarks/fleet.py [REPOSITORIES]

The older versions are this repository's own history and one made up; the release bumps the base images, an action and a
manifest rule, and adds a question with a file. Each repository is made by plain cookiecutter, edited in one of ten ways,
committed, and updated by `dsri update`; beside it a copy is updated by `cruft update`, for the time. Every file is then
compared with what `git merge-file` makes of it. Ends with status 1 where an update is wrong or unsaid, where a line of the
owner's is gone, or where it takes more than 1.5 times cruft's time.

Baseline, 2026-11, 2 cores that others used as well: 100 repositories, 71 updated, 29 shown as a conflict, 0 wrong, 0 lines
lost; 1.31 of cruft's time.
"""

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
from pathlib import Path

from cookiecutter.main import cookiecutter

from dsri.update.template import hushed

TOP = Path(__file__).resolve().parent.parent
ADDRESS = "https://github.com/MaastrichtU-IDS/cookiecutter-dsri"
STAGED = Path("{{cookiecutter.repo_name}}") / "cookiecutter-stacks"
LAYOUT = ("cookiecutter.json", "hooks", STAGED.parts[0])  # what cookiecutter takes of the template
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
CHANGED_LINE = {
    "Dockerfile": "FROM ",
    WORKFLOW: "docker/login-action",
    "openshift/deployment.yaml": "allowPrivilegeEscalation",
    "openshift/cronjob.yaml": "allowPrivilegeEscalation",
}


def git(folder, *words):
    done = subprocess.run(
        ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words],
        cwd=folder,
        capture_output=True,
    )
    if done.returncode:
        sys.exit(f"git {' '.join(words)}: {done.stderr.decode()}")
    return done.stdout


def committed(folder, message):
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)


def replace(path, old, new):
    text = path.read_text(encoding="utf-8")
    changed = re.sub(old, new, text)
    if changed == text:
        sys.exit(f"{path} has no {old}: the release of this benchmark has to follow the template")
    path.write_text(changed, encoding="utf-8")


def generate(version, stack, folder, answers=()):
    """The repository that plain cookiecutter makes of the answers and what is not asked."""
    config = Path(folder) / "config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text(
        f"cookiecutters_dir: '{folder}/cookiecutters'\nreplay_dir: '{folder}/replay'\n",
        encoding="utf-8",
    )
    with hushed():
        return cookiecutter(
            ADDRESS,
            checkout=version,
            no_input=True,
            output_dir=folder,
            config_file=str(config),
            extra_context={"repo_name": "kg", "stack": stack, **dict(answers)},
        )


def files(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in Path(folder).rglob("*")
        if p.is_file() and ".git" not in p.relative_to(folder).parts
    }


def works(work, version, stacks):
    """Whether a version generates every stack, and leaves nothing unrendered."""
    folder = Path(tempfile.mkdtemp(dir=work))
    try:
        for stack in stacks:
            if any(
                b"{{ cookiecutter." in data or b"\n#% " in data
                for data in files(generate(version, stack, folder / stack)).values()
            ):
                return False
        return True
    except Exception:
        return False
    finally:
        shutil.rmtree(folder)


def put(folder, commit=None):
    """Put the template into a folder: as of a commit, whole and in the layout of its time, or as it is here."""
    for name in LAYOUT:
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
        else:
            (folder / name).unlink(missing_ok=True)
    if commit:
        archive = git(TOP, "archive", commit, "--", *LAYOUT)
        with tarfile.open(fileobj=io.BytesIO(archive)) as files_then:
            files_then.extractall(folder)
        return
    for name in LAYOUT:
        if (TOP / name).is_dir():
            shutil.copytree(TOP / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(TOP / name, folder)


def template(work):
    """The stacks of a template repository under its address, with five older versions v1.0.0 to v5.0.0 and the release v6.0.0."""
    folder = work / "cookiecutter-dsri"
    folder.mkdir()
    put(folder)
    git(folder, "init", "-q", "-b", "main")
    committed(folder, "The template")
    os.environ.update(
        {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{folder}.insteadOf",
            "GIT_CONFIG_VALUE_0": ADDRESS,
        }
    )
    stacks = json.loads((folder / "cookiecutter.json").read_text(encoding="utf-8"))["stack"]
    history = git(TOP, "log", "--format=%H", "--", STAGED.parts[0]).decode().split()
    wanted, found = max(1, len(history) // 8), []
    for commit in history[wanted::wanted]:
        put(folder, commit)
        committed(folder, f"As of {commit[:7]}")
        tag = f"v{len(found) + 1}.0.0"
        git(folder, "tag", "-f", tag)
        if works(work, tag, stacks):
            found.append(commit)
        if len(found) == 4:
            break
    if len(found) < 4:
        sys.exit(
            f"Only {len(found)} older versions of the history generate every stack; git clone without --depth."
        )
    put(folder)
    replace(folder / STAGED / "every/.gitignore", r"dist/\n", "dist/\nout/\n")
    committed(folder, "A made-up version")
    git(folder, "tag", "-f", "v5.0.0")
    shutil.copy(TOP / STAGED / "every/.gitignore", folder / STAGED / "every/.gitignore")
    for stack in stacks:
        [dockerfile] = (folder / STAGED / stack).glob("Dockerfile*")
        replace(
            dockerfile,
            r"(?m)\A((?:#.*\n|\n)*FROM \S+)",
            r"\1-next",
        )
    replace(
        folder / STAGED / "every" / WORKFLOW,
        r"(docker/login-action@)\w{40} # v\S+",
        r"\g<1>" + "b" * 40 + " # v99.0.0",
    )
    replace(
        folder / STAGED / "pod/container.yaml.j2",
        r"(?m)^( *)allowPrivilegeEscalation: false",
        r"\1allowPrivilegeEscalation: false\n\1privileged: false",
    )
    (folder / STAGED / "every/openshift/region.txt.j2").write_text(
        "{{ cookiecutter.region }}\n", encoding="utf-8"
    )
    questions = json.loads((folder / "cookiecutter.json").read_text(encoding="utf-8"))
    questions["region"] = "eu of {{ cookiecutter.repo_name }}"
    (folder / "cookiecutter.json").write_text(json.dumps(questions), encoding="utf-8")
    committed(folder, "The release")
    git(folder, "tag", "v6.0.0")
    return stacks, found


def edited(folder, kind, path):
    """Edit a repository as its owner would; {where a file was: where it is now}."""
    target = folder / path
    text = target.read_bytes()
    lines = text.splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if CHANGED_LINE[path].encode() in line)
    with open(folder / "README.md", "ab") as readme:
        readme.write(b"\nMine.\n")
    moved = {}
    if kind == "far":
        lines.append(b"# mine\n")
    elif kind == "near":
        lines.insert(min(at + 4, len(lines)), b"# mine\n")
    elif kind == "beside":
        lines.insert(at, b"# mine\n")
    elif kind == "at":
        lines[at] = lines[at].rstrip(b"\n") + b" # mine\n"
    elif kind == "line ends":
        (folder / ".gitattributes").write_bytes(b"* -text\n")
        lines = [line.replace(b"\n", b"\r\n") for line in lines]
    elif kind == "reformatted":
        lines = [b"  " + line if line.strip() else line for line in lines]
    target.write_bytes(b"".join(lines))
    if kind == "moved":
        moved = {path: f"elsewhere/{target.name}"}
        (folder / "elsewhere").mkdir()
        target.rename(folder / moved[path])
    elif kind == "deleted":
        target.unlink()
    elif kind == "answers":
        state = json.loads((folder / ".cruft.json").read_text(encoding="utf-8"))
        state["context"]["cookiecutter"].update(
            description="Described anew.", port="9001", storage="20Gi"
        )
        (folder / ".cruft.json").write_text(json.dumps(state), encoding="utf-8")
    elif kind == "new file's place":
        (folder / "openshift/region.txt").write_bytes(b"mine\r\n")
    return moved


def make(work, number, stacks):
    """(the number, its kind, stack, version, what it was made as, what the release makes of its answers, {moved})"""
    kind, stack, version = (
        EDITS[number % 10],
        stacks[(number // 2 + number // 10) % len(stacks)],
        f"v{(number // 10 + number) % 5 + 1}.0.0",
    )
    path = ["Dockerfile", WORKFLOW, "openshift/deployment.yaml"][number // 10 % 3]
    made = Path(generate(version, stack, work / f"made{number}"))
    base = files(made)
    if path not in base:
        path = "openshift/cronjob.yaml"
    git(made, "init", "-q", "-b", "main")
    git(made, "config", "core.autocrlf", "false")
    committed(made, "Start")
    moved = edited(made, kind, path)
    committed(made, "Mine")
    shutil.copytree(made, work / f"cruft{number}", symlinks=True)
    kept = json.loads((made / ".cruft.json").read_text(encoding="utf-8"))["context"]["cookiecutter"]
    theirs = files(
        generate(
            "v6.0.0",
            stack,
            work / f"theirs{number}",
            [(key, value) for key, value in kept.items() if key not in ("repo_name", "stack")],
        )
    )
    return number, kind, stack, version, base, theirs, moved


def three_way(work, mine, base, theirs):
    """(git's merge of three files, whether they conflict)"""
    names = [work / name for name in ("mine", "base", "theirs")]
    for name, data in zip(names, (mine, base, theirs)):
        name.write_bytes(data)
    done = subprocess.run(["git", "merge-file", "-p", *map(str, names)], capture_output=True)
    return done.stdout, done.returncode != 0


def judged(work, base, theirs, mine, result, moved, skip, said):
    """([what is silently wrong], [lines of the owner's that are gone], [paths in conflict])"""
    wrong, lost, conflicts = [], [], []
    back = {new: old for old, new in moved.items()}
    for path in sorted({*base, *theirs, *mine, *result} - {".cruft.json"} - set(moved)):
        old = back.get(path, path)
        b, t, m, r = base.get(old), theirs.get(old), mine.get(path), result.get(path)
        told = f"`{path}`" in said
        if any(path == place or path.startswith(place + "/") for place in skip) or b == t or t == m:
            expected = m
        elif m == b:
            expected = t
        elif b is None or t is None or m is None:
            expected = m
            if not told:
                wrong.append(f"{path}: kept or left away, not said")
        else:
            expected, conflict = three_way(work, m, b, t)
            if b"<<<<<<< yours" in (r or b"") and told and "## Conflicts" in said:
                conflicts.append(path)
                gone = set(m.splitlines()) - set(b.splitlines()) - set(r.splitlines())
                lost += [f"{path}: {line!r}" for line in gone]
                continue
            if conflict:
                wrong.append(f"{path}: a conflict, not said")
                continue
        if r != expected:
            wrong.append(f"{path}: not what git makes of it")
        if m is not None and r is None and expected is not None:
            lost.append(path)
    return wrong, lost, conflicts


def timed(folder, *words):
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True
    )
    return time.perf_counter() - start, done


def main(count=100):
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        stacks, versions = template(work)
        print(
            f"{count} repositories, stacks {', '.join(stacks)}, versions {', '.join(v[:7] for v in versions)} and a made-up one",
            file=sys.stderr,
        )
        with (
            concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool,
            contextlib.redirect_stderr(io.StringIO()),
        ):
            repositories = list(pool.map(make, [work] * count, range(count), [stacks] * count))
        totals = {"updated": 0, "conflict": 0}
        wrong, lost, ours, theirs_time = [], [], 0.0, 0.0
        for number, kind, stack, version, base, theirs, moved in repositories:
            folder = work / f"made{number}" / "kg"
            mine = files(folder)
            seconds, done = timed(folder, "dsri", "update")
            ours += seconds
            theirs_time += timed(work / f"cruft{number}", "cruft", "update", "-y")[0]
            what = f"{number}: {stack}, {version}, {kind}"
            if done.returncode:
                wrong.append(f"{what}: not updated: {done.stdout}{done.stderr}")
                continue
            state = json.loads((folder / ".cruft.json").read_text(encoding="utf-8"))
            if state["checkout"] != "v6.0.0" or "region" not in state["context"]["cookiecutter"]:
                wrong.append(f"{what}: .cruft.json is not the release's")
            bad, gone, conflicts = judged(
                work, base, theirs, mine, files(folder), moved, state["skip"], done.stdout
            )
            wrong += [f"{what}: {line}" for line in bad]
            lost += [f"{what}: {line}" for line in gone]
            totals["conflict" if conflicts else "updated"] += 1
            print(
                f"{number + 1}/{count} {what}: {'conflict in ' + ', '.join(conflicts) if conflicts else 'updated'}",
                file=sys.stderr,
            )
        for line in wrong + lost:
            print(line)
        print(
            f"{count} repositories: {totals['updated']} updated, {totals['conflict']} shown as a conflict, {len(wrong)} silently wrong or not updated, {len(lost)} lines of the owner's lost; "
            f"{ours / count:.2f} s each, {ours / theirs_time:.2f} of {theirs_time / count:.2f} s for cruft update"
        )
        return 1 if wrong or lost or ours > 1.5 * theirs_time else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
