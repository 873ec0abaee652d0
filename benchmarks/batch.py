"""How many items a second the batch-job stack does with 1, 2 and 4 pods.

    GHCR_USER=… GHCR_TOKEN=… python benchmarks/batch.py PROJECT [ITEMS [SECONDS_AN_ITEM]]

It runs on the cluster of KUBECONFIG, in a project that has the pull secret already. An item sleeps,
so that a small machine's processors are not what is measured.

Baseline, 2026-11, one node of 2 cores, 120 items of 1 s in 8 shares, each share's start and end
included: 0.79 items a second with 1 pod, 1.51 with 2, 2.88 with 4.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from commands import build_image, generate, run

NAME = "batch-benchmark"
FILES = f"{NAME}-fs"  # the pod through which files are reached
PODS = (1, 2, 4)
SHARES = 8  # that the items are divided into
WORK = """import time

SUFFIX = ".json"


def work(source):
    time.sleep({seconds})
    return b"{{}}"
"""


@dataclass(frozen=True)
class Cluster:
    """A project on the cluster of KUBECONFIG."""

    project: str

    def command(self, *words: str) -> list[str]:
        """Return a command of kubectl in the project."""
        return ["kubectl", "-n", self.project, *words]

    def run(self, *words: str) -> str:
        """Return what a command of kubectl prints; CalledProcessError where it fails."""
        return run(*self.command(*words))

    def run_in_files(self, *words: str) -> str:
        """Return what a command prints in the pod of the files."""
        return self.run("exec", FILES, "--", *words)

    def clean_up(self) -> None:
        """Remove what the benchmark made, as far as it is there."""
        made = [f"pod/{FILES}", f"cronjob/{NAME}", f"pvc/{NAME}"]
        subprocess.run(self.command("delete", "--ignore-not-found", *made), check=False)


def make_repository(folder: str, project: str, seconds: float) -> Path:
    """Return a repository, made in `folder`, in which an item takes that many seconds."""
    generate(
        folder,
        "stack=batch-job",
        f"repo_name={NAME}",
        f"openshift_project={project}",
        f"github_owner={os.environ['GHCR_USER']}",
    )
    made = Path(folder) / NAME
    (made / "app/work.py").write_text(WORK.format(seconds=seconds), encoding="utf-8")
    return made


def publish(repository: Path) -> None:
    """Build the repository's image and push it to the registry."""
    user = os.environ["GHCR_USER"]
    image = f"ghcr.io/{user}/{NAME}:latest".lower()
    log_in = ["docker", "login", "ghcr.io", "-u", user, "--password-stdin"]
    run(*log_in, send=os.environ["GHCR_TOKEN"])
    build_image(image, str(repository))
    run("docker", "push", "--quiet", image)


def deploy(cluster: Cluster, repository: Path, items: int) -> None:
    """Deploy the repository, with as many items to work on."""
    run("kubectl", "apply", "-k", str(repository / "openshift"))
    cluster.run("replace", "--force", "-f", str(repository / "openshift/files.yaml"))
    cluster.run("wait", "--for=condition=Ready", f"pod/{FILES}", "--timeout=5m")
    make_items = f"for n in $(seq {items}); do echo $n > /data/inputs/$n; done"
    cluster.run_in_files("sh", "-ec", f"mkdir /data/inputs; {make_items}")


def seconds_of_job(cluster: Cluster, job: str, items: int) -> float:
    """Return how many seconds a job takes for all items; AssertionError where it misses any."""
    cluster.run_in_files("rm", "-rf", "/data/results")
    start = time.monotonic()
    cluster.run("create", "job", job, f"--from=cronjob/{NAME}")
    cluster.run("wait", "--for=condition=Complete", f"job/{job}", "--timeout=30m")
    took = time.monotonic() - start
    found = int(cluster.run_in_files("sh", "-c", "ls /data/results | wc -l"))
    assert found == items, f"{found} results"
    status = json.loads(cluster.run("get", "job", job, "-o", "json"))["status"]
    assert status["succeeded"] == SHARES, status
    return took


def measure(cluster: Cluster, repository: Path, items: int) -> None:
    """Print a line for each number of pods at once."""
    manifest = repository / "openshift/cronjob.yaml"
    text = manifest.read_text(encoding="utf-8")
    text = text.replace("completions: 32", f"completions: {SHARES}")
    text = text.replace('cpu: "500m"', 'cpu: "50m"')
    deploy(cluster, repository, items)
    for pods in PODS:
        at_once = text.replace("parallelism: 8", f"parallelism: {pods}")
        manifest.write_text(at_once, encoding="utf-8")
        run("kubectl", "apply", "-k", str(repository / "openshift"))
        took = seconds_of_job(cluster, f"{NAME}-{pods}", items)
        each_second = f"{items / took:.2f} a second"
        print(f"{pods} at once: {items} items in {took:.0f} s, {each_second}", flush=True)


def main(project: str, items: int = 120, seconds: float = 1.0) -> None:
    """Measure in a project, with that many items of so many seconds each."""
    cluster = Cluster(project)
    with tempfile.TemporaryDirectory() as folder:
        repository = make_repository(folder, project, seconds)
        publish(repository)
        try:
            measure(cluster, repository, items)
        finally:
            cluster.clean_up()


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]), *map(float, sys.argv[3:4]))
