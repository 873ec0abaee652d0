"""What generation costs beside other templates: interleaved, the median of the ratios.

    python benchmarks/generation.py [PAIRS] [TEMPLATE...]

The others are a one-file template without hooks, one that asks the same questions, and those whose
folders are named. Wanted: 2.0 at most beside one file, 1.2 at most beside cookiecutter-pypackage.

Figures, 2026-11, 2 cores that others used as well, in memory, medians: 1.52 beside one file and
1.18 beside cookiecutter-pypackage (7 pairs). In CPU time, which the others disturb less: 1.58 to
1.81 (before the hook rendered the files, 1.36 to 1.57), and 1.17 to 1.19.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from commands import TEMPLATE, generate

OURS_ALONE = ("_copy_without_render", "_parts", "_same")  # what is no question to others


def seconds(template: Path, folder: str) -> float:
    """Return the wall time of one generation into `folder`, in seconds."""
    start = time.perf_counter()
    generate(folder, template=template)
    return time.perf_counter() - start


def one_file(folder: Path, questions: dict[str, object]) -> Path:
    """Return a template of one file, made in `folder`, that asks these questions."""
    generated = folder / "{{cookiecutter.repo_name}}"
    generated.mkdir(parents=True)
    (folder / "cookiecutter.json").write_text(json.dumps(questions), encoding="utf-8")
    (generated / "README.md").write_text("{{ cookiecutter.repo_name }}\n", encoding="utf-8")
    return folder


def other_templates(folder: Path, named: tuple[str, ...]) -> dict[str, Path]:
    """Return what to compare with, by name: two made in `folder`, and the named folders."""
    ours = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    same = {key: answer for key, answer in ours.items() if key not in OURS_ALONE}
    others = {
        "one file and one question": one_file(folder / "one", {"repo_name": "x"}),
        "one file and the same questions": one_file(folder / "same", same),
    }
    for name in named:
        template = Path(name).resolve()
        others[template.name] = template
    return others


def main(pairs: int = 15, *named: str) -> None:
    """Print the ratios of `pairs` rounds; each round generates every template once."""
    with tempfile.TemporaryDirectory() as folder:
        others = other_templates(Path(folder), named)
        ratios: dict[str, list[float]] = {name: [] for name in others}
        for n in range(pairs):
            took = seconds(TEMPLATE, f"{folder}/a{n}")
            for number, (name, template) in enumerate(others.items()):
                ratios[name].append(took / seconds(template, f"{folder}/b{number}-{n}"))
            latest = ", ".join(f"{found[-1]:.2f}" for found in ratios.values())
            print(f"{n + 1}/{pairs}: {latest}", file=sys.stderr)
    for name, found in ratios.items():
        print(
            f"beside {name}: median {statistics.median(found):.2f} of {pairs} pairs "
            f"(from {min(found):.2f} to {max(found):.2f})"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), *sys.argv[2:])
