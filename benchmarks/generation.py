"""What generation costs beside a one-file template without hooks: interleaved pairs, the median of the ratios.

    python benchmarks/generation.py [PAIRS]

Wanted: 1.35 at most. Baseline, 2026-11, 2 cores, six stacks: 1.53 with the repositories in memory (TMPDIR=/dev/shm), 1.75 on a busy disk.
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
    subprocess.run([sys.executable, "-m", "cookiecutter", "--no-input", str(template), "-o", folder], check=True, capture_output=True)
    return time.perf_counter() - start


def main(pairs=15):
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain"
        (plain / "{{cookiecutter.repo_name}}").mkdir(parents=True)
        (plain / "cookiecutter.json").write_text(json.dumps({"repo_name": "x"}), encoding="utf-8")
        (plain / "{{cookiecutter.repo_name}}" / "README.md").write_text("{{ cookiecutter.repo_name }}\n", encoding="utf-8")
        ratios = []
        for n in range(pairs):
            ratios.append(seconds(TEMPLATE, f"{folder}/a{n}") / seconds(plain, f"{folder}/b{n}"))
            print(f"{n + 1}/{pairs}: {ratios[-1]:.2f}", file=sys.stderr)
    print(f"median {statistics.median(ratios):.2f} of {pairs} pairs (from {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
