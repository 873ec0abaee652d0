"""What generation costs beside a one-file template without hooks, and beside one that asks the same questions: interleaved, the
median of the ratios.

    python benchmarks/generation.py [PAIRS]

Wanted: 1.35 at most. Baseline, 2026-11, 2 cores, six stacks, an environment with cookiecutter alone: medians of 1.46 to 1.56 with
the repositories in memory (TMPDIR=/dev/shm), of 1.56 to 1.66 on a disk; beside a one-file template that asks the same questions
1.41 to 1.47 and 1.48 to 1.58. In memory, the questions are 0.05 of it, two hooks that only read their answers 0.2, copying and
rendering without any hook 0.2, what the hooks do the rest.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent


def seconds(template, folder):
    """Wall time of one generation, in seconds."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "cookiecutter", "--no-input", str(template), "-o", folder],
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - start


def one_file(folder, questions):
    """A template of one file, in `folder`, that asks these questions."""
    (folder / "{{cookiecutter.repo_name}}").mkdir(parents=True)
    (folder / "cookiecutter.json").write_text(json.dumps(questions), encoding="utf-8")
    (folder / "{{cookiecutter.repo_name}}" / "README.md").write_text(
        "{{ cookiecutter.repo_name }}\n", encoding="utf-8"
    )
    return folder


def main(pairs=15):
    ours = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        others = {
            "one question": {"repo_name": "x"},
            "the same questions": {
                key: ours[key]
                for key in ours
                if key not in ("_copy_without_render", "_parts", "_same")
            },
        }
        plain = {
            name: one_file(Path(folder) / name.replace(" ", "-"), questions)
            for name, questions in others.items()
        }
        ratios = {name: [] for name in plain}
        for n in range(pairs):
            took = seconds(TEMPLATE, f"{folder}/a{n}")
            for number, (name, template) in enumerate(plain.items()):
                ratios[name].append(took / seconds(template, f"{folder}/b{number}-{n}"))
            print(
                f"{n + 1}/{pairs}: " + ", ".join(f"{found[-1]:.2f}" for found in ratios.values()),
                file=sys.stderr,
            )
        for name, found in ratios.items():
            print(
                f"beside one that asks {name}: median {statistics.median(found):.2f} of {pairs} pairs (from {min(found):.2f} to {max(found):.2f})"
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
