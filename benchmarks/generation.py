"""What generation costs beside other templates: interleaved, the median of the ratios.

    python benchmarks/generation.py [PAIRS] [TEMPLATE...]

The others are a one-file template without hooks, one that asks the same questions, and those whose
folders are named. Wanted: 2.0 at most beside one file, 1.2 at most beside cookiecutter-pypackage.

Figures, 2026-11, 2 cores that others used as well, in memory, medians: 1.52 beside one file and 1.18
beside cookiecutter-pypackage (7 pairs). In CPU time, which the others disturb less: 1.58 to 1.81
(before the hook rendered the files, 1.36 to 1.57), and 1.17 to 1.19.
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


def main(pairs=15, *templates):
    """Print the ratios of `pairs` rounds; each round generates every template once."""
    ours = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    same = {
        key: ours[key] for key in ours if key not in ("_copy_without_render", "_parts", "_same")
    }
    with tempfile.TemporaryDirectory() as folder:
        others = {
            "one file and one question": one_file(Path(folder) / "one", {"repo_name": "x"}),
            "one file and the same questions": one_file(Path(folder) / "same", same),
            **{Path(template).resolve().name: Path(template).resolve() for template in templates},
        }
        ratios = {name: [] for name in others}
        for n in range(pairs):
            took = seconds(TEMPLATE, f"{folder}/a{n}")
            for number, (name, template) in enumerate(others.items()):
                ratios[name].append(took / seconds(template, f"{folder}/b{number}-{n}"))
            print(
                f"{n + 1}/{pairs}: " + ", ".join(f"{found[-1]:.2f}" for found in ratios.values()),
                file=sys.stderr,
            )
        for name, found in ratios.items():
            print(
                f"beside {name}: median {statistics.median(found):.2f} of {pairs} pairs "
                f"(from {min(found):.2f} to {max(found):.2f})"
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), *sys.argv[2:])
