"""Breaks each promise in a copy of the template, one at a time, and shows the test that notices.

    python tools/promises.py [NUMBER…]

Needs what the tests of that level need (README.md, Test the template). Exit status 1: a break that
no test noticed.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent
STAGED = "{{cookiecutter.repo_name}}/cookiecutter-stacks/"
PROMISES = {
    1: (
        "**It runs as it is.** Nothing that is generated has to be edited: the first push "
        "publishes, the printed commands deploy. What in a Dockerfile of yours would not run "
        "is listed."
    ),
    2: (
        "**What is printed works.** Every command can be pasted into your own shell, and a "
        "test has done so."
    ),
    3: "**No DockerHub**: at run time, at build time, or by a tool that the workflow starts.",
    4: (
        "**No secret is asked for, stored or shown**: not in an answer, a file, the screen or "
        "the shell's history."
    ),
    5: (
        "**Nothing of yours is lost.** Into a repository that exists, with `-f -s`, no byte "
        "of yours changes."
    ),
    6: (
        "**A wrong answer is refused before anything is written**: all of them at once, in "
        "words that say what is allowed."
    ),
    7: (
        "**The cluster accepts it**: every manifest, under the restricted profile and DSRI's "
        "rules for resources."
    ),
    8: (
        "**Plain cookiecutter is enough**, from 2.1.1 on, without another package; older ones "
        "get one clear sentence."
    ),
    9: (
        "**Nothing that you did not choose is left behind**: no dead option, no alternative "
        "in a comment."
    ),
    10: (
        "**It keeps improving**: a change of the template reaches the repositories that it "
        "made before."
    ),
}
BREAKS = [  # promise, file, what is there, what breaks it, the tests that have to notice
    (
        1,
        STAGED + "own-dockerfile/Dockerfile.j2",
        'public \\"$PORT\\"',
        "public 8000",
        ["tests/image/test_image.py", "-k", "works_as_the_cluster and own and none"],
    ),
    (
        2,
        STAGED + "steps/deploy.md.j2",
        " --for=pull )",
        " )",
        ["tests/shell/test_posix.py", "-k", "real_shell and fastapi-bash"],
    ),
    (
        3,
        STAGED + "fastapi/Dockerfile.j2",
        "FROM ghcr.io/astral-sh/uv:",
        "FROM python:",
        ["tests/bake/test_repository.py", "-k", "dockerhub and fastapi-none"],
    ),
    (
        4,
        STAGED + "steps/deploy.md.j2",
        "stty -echo; ",
        "",
        ["tests/shell/test_posix.py", "-k", "real_shell and fastapi-dash"],
    ),
    (
        5,
        STAGED + "placing/repository.py",
        "            other = self.taken(file.target)\n",
        "            other = None\n",
        ["tests/bake/test_existing.py", "-k", "every_byte and own"],
    ),
    (
        6,
        "hooks/pre_gen_project.py",
        "1024 <= int(port)",
        "1 <= int(port)",
        ["tests/bake/test_answers.py", "-k", "test_refused and port"],
    ),
    (
        7,
        STAGED + "pod/container.yaml.j2",
        '    ephemeral-storage: "{{ limits.ephemeral_storage }}"\n',
        "",
        ["tests/cluster/test_refusals.py", "-k", "server_takes and fastapi and none and default"],
    ),
    (
        8,
        "cookiecutter.json",
        '  "_same"',
        '  "_extensions": ["jinja2_time.TimeExtension"],\n  "_same"',
        ["tests/versions/test_versions.py", "-k", "same_bytes and 2.6.0"],
    ),
    (
        9,
        STAGED + "fastapi/Dockerfile.j2",
        '#% if cookiecutter.storage != "none"\n',
        "#% if true\n",
        ["tests/bake/test_repository.py", "-k", "without_storage and fastapi"],
    ),
    (
        10,
        STAGED + "placing/origin.py",
        '"commit": git("-C", clone, "rev-parse", "HEAD")',
        '"commit": "HEAD"',
        ["tests/update/test_origin.py", "-k", "the_commit"],
    ),
]


def noticed(path, before, after, tests):
    """The tests that fail once `before` is `after`; none fail without the change."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / TEMPLATE.name
        subprocess.run(["git", "clone", "-q", str(TEMPLATE), str(copy)], check=True)
        text = (copy / path).read_text(encoding="utf-8")
        if before not in text:
            sys.exit(f"{path} has no longer {before!r}")
        shutil.rmtree(copy / ".git" / "hooks", ignore_errors=True)
        results = []
        for change in (text, text.replace(before, after)):
            (copy / path).write_text(change, encoding="utf-8")
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", *tests],
                cwd=copy,
                env={"DSRI_TESTS": "long", **os.environ},
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
            results.append(done.stdout)
        if "failed" in results[0] or "passed" not in results[0]:
            sys.exit(f"without a change {' '.join(tests)} does not pass:\n{results[0]}")
        return re.findall(r"(?m)^FAILED (\S+)", results[1])


def main(numbers):
    """Break these promises (all, where none is named); 1 where no test notices."""
    missed = 0
    for promise, path, before, after, tests in BREAKS:
        if not numbers or promise in numbers:
            found = noticed(path, before, after, tests)
            missed += not found
            print(
                f"{promise}: {path}: {before.strip()!r} → {after.strip()!r}\n"
                f"    {', '.join(found) or 'NOT NOTICED'}",
                flush=True,
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main({int(number) for number in sys.argv[1:]}))
