"""Promise 1: an image that could not be scanned is said to be so, with the reason, and never passes for one without findings.

The step's own script runs here, with a scanner that refuses what grype refuses (actions/anchore+scan-action/grype).
"""

import os
import shutil

import pytest
from conftest import run, tool
from steps import script
from test_workflow import STAND_INS

GRYPE = STAND_INS / "anchore+scan-action" / "grype"
DIGEST = "sha256:" + "0" * 64
LOWER = "ghcr.io/maastrichtu-ids/kg"


@pytest.fixture
def scan(tmp_path):
    """A function that runs the step: (its exit status, the run's summary, its log)."""
    if os.name != "posix":
        pytest.skip("runs on GitHub's Linux runners")
    bash = tool("bash", "any bash")
    programs = tmp_path / "bin"
    programs.mkdir()
    # A registry that has one image.
    (programs / "docker").write_text(
        f'#!/bin/sh\n[ "$*" = "buildx imagetools inspect {LOWER}@{DIGEST}" ]\n'
    )
    (programs / "docker").chmod(0o755)

    def of(image=LOWER, digest=DIGEST, grype=GRYPE, **environment):
        summary = tmp_path / "summary"
        summary.write_text("")
        env = {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "RUNNER_TEMP": str(tmp_path),
            "GITHUB_STEP_SUMMARY": str(summary),
            "IMAGE": image,
            "DIGEST": digest,
            "GRYPE": str(grype),
            **environment,
        }
        done = run(bash, "-e", "-c", script("Look for known vulnerabilities"), env=env)
        return done.returncode, summary.read_text(), done.stdout

    return of


def test_the_report_is_in_the_summary(scan):
    status, summary, _ = scan()
    assert status == 0
    assert f"scanned {LOWER}@{DIGEST}" in summary
    assert "not scanned" not in summary


@pytest.mark.parametrize(
    "given, reason",
    [
        ({"grype": ""}, "the scanner could not be downloaded"),
        ({"image": "ghcr.io/MaastrichtU-IDS/kg"}, "could not parse reference: ghcr.io/MaastrichtU"),
        ({"digest": ""}, "could not parse reference: ghcr.io/maastrichtu-ids/kg@"),
        ({"image": "ghcr.io/maastrichtu-ids/other"}, "failed to get image descriptor"),
        ({"NO_DATABASE": "1"}, "unable to update vulnerability database"),
    ],
    ids=["no scanner", "capitals", "no digest", "another image", "no database"],
)
def test_why_it_was_not_scanned_is_one_line_of_the_summary(scan, given, reason):
    status, summary, log = scan(**given)
    assert status == 0, "the image is published already"
    assert summary.startswith("The image was not scanned for known vulnerabilities: ")
    assert reason in summary
    assert summary.count("\n") == 1
    assert f"::warning::{summary}" in log


def test_a_scanner_that_does_not_end_is_stopped(scan, tmp_path):
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 5\n")
    slow.chmod(0o755)
    shortened = tmp_path / "bin" / "timeout"
    shortened.write_text(f'#!/bin/sh\nshift\nexec {shutil.which("timeout")} 0.1 "$@"\n')
    shortened.chmod(0o755)
    status, summary, _ = scan(grype=slow)
    assert status == 0
    assert summary.endswith(": it took more than 10 minutes\n")
