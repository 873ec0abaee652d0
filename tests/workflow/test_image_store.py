"""Promise 1: on a runner whose Docker keeps images in a store that refuses attestations, the workflow switches the store.

The step's own script runs here with programs that behave as a runner's do, and with the real Docker Engine 28 where that
is the one on this machine (with the rig: DSRI_DOCKER=28). What the file daemon.json says already is kept.
"""

import json
import os
import shutil
from pathlib import Path

import pytest
from conftest import need, run, tool
from steps import script

STEP = "Make sure that Docker can keep an image with its attestations"
SWITCHED = {"features": {"containerd-snapshotter": True}}
# A Docker whose store is what the daemon.json said when it was last started, as long as that file can be read.
DOCKER = """
[ -e "$RUNNER/no-docker" ] && { echo "Cannot connect to the Docker daemon" >&2; exit 1; }
case "$1 $2" in
"info --format") cat "$RUNNER/store" ;;
"ps --quiet") cat "$RUNNER/containers" 2>/dev/null ;;
esac
exit 0
"""
SYSTEMCTL = """
[ "$*" = "restart docker" ] || exit 64
echo restarted >> "$RUNNER/restarts"
if grep -q storage-driver "$RUNNER/etc/docker/daemon.json" && grep -q snapshotter "$RUNNER/etc/docker/daemon.json"; then
  touch "$RUNNER/no-docker"; exit 1
fi
rm -f "$RUNNER/no-docker"
jq -e '.features["containerd-snapshotter"]' "$RUNNER/etc/docker/daemon.json" >/dev/null || exit 0
echo "[[driver-type io.containerd.snapshotter.v1]]" > "$RUNNER/store"
"""
SUDO = """
[ -e "$RUNNER/no-sudo" ] && { echo "sudo: a password is required" >&2; exit 1; }
exec "$@"
"""
# What the step and the programs above call.
CALLED = ["bash", "cat", "grep", "jq", "mkdir", "rm", "sh", "sleep", "tee", "test", "timeout"]
CALLED += ["touch", "true"]


class Runner:
    """A machine with the programs that the step calls, and a daemon.json in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.settings = folder / "etc" / "docker" / "daemon.json"
        self.programs = folder / "bin"
        self.programs.mkdir()
        (folder / "store").write_text("[[Backing Filesystem extfs] [Supports d_type true]]\n")
        for name, text in {"docker": DOCKER, "systemctl": SYSTEMCTL, "sudo": SUDO}.items():
            (self.programs / name).write_text("#!/bin/bash" + text)
            (self.programs / name).chmod(0o755)
        for name in CALLED:
            (self.programs / name).symlink_to(tool(name, "a package of your system"))

    def holds(self, text):
        """Let daemon.json hold this text."""
        self.settings.parent.mkdir(parents=True)
        self.settings.write_text(text)

    def lacks(self, program):
        (self.programs / program).unlink()

    def step(self, environment="github-hosted"):
        """Run the step as GitHub does: what was done."""
        text = script(STEP).replace("/etc/docker", str(self.settings.parent))
        (self.folder / "temp").mkdir(exist_ok=True)
        env = {
            "PATH": str(self.programs),
            "RUNNER": str(self.folder),
            "RUNNER_TEMP": str(self.folder / "temp"),
            "RUNNER_ENVIRONMENT": environment,
        }
        return run(str(self.programs / "bash"), "-e", "-c", text, env=env)

    def restarts(self):
        """How often Docker was started again."""
        path = self.folder / "restarts"
        return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.fixture
def runner(tmp_path):
    if os.name != "posix":
        pytest.skip("runs on GitHub's Linux runners")
    return Runner(tmp_path)


def test_a_docker_that_keeps_attestations_is_left_alone(runner):
    (runner.folder / "store").write_text("[[driver-type io.containerd.snapshotter.v1]]\n")
    done = runner.step()
    assert done.returncode == 0, done
    assert runner.restarts() == 0
    assert not runner.settings.exists()


def test_a_new_runner_without_settings_gets_them(runner):
    done = runner.step()
    assert done.returncode == 0, done
    assert json.loads(runner.settings.read_text()) == SWITCHED
    assert runner.restarts() == 1


@pytest.mark.parametrize(
    "held, expected",
    [
        ("", SWITCHED),
        ("{}", SWITCHED),
        (
            '{"features": {"buildkit": true}}',
            {"features": {"buildkit": True, **SWITCHED["features"]}},
        ),
        (
            '{"registry-mirrors": ["https://mirror.example"], "exec-opts": ["a=b"], "mtu": 1450}',
            {
                "registry-mirrors": ["https://mirror.example"],
                "exec-opts": ["a=b"],
                "mtu": 1450,
                **SWITCHED,
            },
        ),
        ('{"features": {"containerd-snapshotter": false}}', SWITCHED),
    ],
)
def test_what_the_settings_say_already_is_kept(runner, held, expected):
    runner.holds(held)
    done = runner.step()
    assert done.returncode == 0, done
    assert json.loads(runner.settings.read_text()) == expected


@pytest.mark.parametrize(
    "lack, told",
    [
        (
            lambda runner: (runner.folder / "no-docker").touch(),
            "Docker does not answer on this runner.",
        ),
        (lambda runner: runner.lacks("docker"), "Docker does not answer on this runner."),
        (
            lambda runner: (runner.folder / "no-sudo").touch(),
            "has no sudo (without a password) to change that.",
        ),
        (lambda runner: runner.lacks("sudo"), "has no sudo (without a password) to change that."),
        (lambda runner: runner.lacks("systemctl"), "has no systemd to restart Docker with."),
        (lambda runner: runner.holds('{"mtu": 1450,}'), "is not valid JSON."),
    ],
    ids=["Docker stopped", "no Docker", "sudo asks", "no sudo", "no systemd", "broken settings"],
)
def test_a_runner_that_cannot_be_switched_gets_a_sentence(runner, lack, told):
    lack(runner)
    before = runner.settings.read_text() if runner.settings.exists() else None
    done = runner.step()
    assert done.returncode == 1, done
    assert told in done.stdout
    assert "::error::" in done.stdout
    assert "needs Docker Engine 29" in done.stdout
    assert (runner.settings.read_text() if runner.settings.exists() else None) == before
    assert runner.restarts() == 0


def test_settings_with_which_docker_does_not_start_are_taken_back(runner):
    runner.holds('{"storage-driver": "btrfs"}')
    done = runner.step()
    assert done.returncode == 1, done
    assert "its settings are as they were" in done.stdout
    assert json.loads(runner.settings.read_text()) == {"storage-driver": "btrfs"}
    assert runner.restarts() == 2
    assert not (runner.folder / "no-docker").exists(), "Docker runs again"


def test_containers_of_others_on_a_self_hosted_runner_are_not_stopped(runner):
    (runner.folder / "containers").write_text("0123456789ab\n")
    done = runner.step("self-hosted")
    assert done.returncode == 1, done
    assert "would stop the containers" in done.stdout
    assert not runner.settings.exists()
    assert runner.step("github-hosted").returncode == 0


def test_the_real_engine_is_switched_and_keeps_its_other_settings(tmp_path):
    """With the engine of GitHub's Ubuntu 24.04 runners, before the other tests of this folder publish with it."""
    need(shutil.which("docker") and run("docker", "version").returncode == 0, "a running Docker")
    if "io.containerd.snapshotter" in run("docker", "info", "-f", "{{.DriverStatus}}").stdout:
        pytest.skip("this Docker keeps attestations already")
    if not os.environ.get("DSRI_MAY_RESTART_DOCKER"):
        pytest.skip(
            "DSRI_MAY_RESTART_DOCKER is not set, and the test restarts this machine's Docker"
        )
    settings = Path("/etc/docker/daemon.json")
    settings.write_text('{"max-concurrent-downloads": 5, "features": {"buildkit": true}}')
    env = {**os.environ, "RUNNER_TEMP": str(tmp_path)}
    done = run("bash", "-e", "-c", script(STEP), env=env)
    assert done.returncode == 0, done
    assert "io.containerd.snapshotter" in run("docker", "info", "-f", "{{.DriverStatus}}").stdout
    assert json.loads(settings.read_text()) == {
        "max-concurrent-downloads": 5,
        "features": {"buildkit": True, "containerd-snapshotter": True},
    }
