"""How many items a second the batch-job stack does with 1, 2 and 4 pods, on the cluster of KUBECONFIG.

    GHCR_USER=… GHCR_TOKEN=… python benchmarks/batch.py PROJECT [ITEMS [SECONDS_AN_ITEM]]

An item sleeps, so that a small machine's processors are not what is measured. The project has the pull secret already.
Baseline, 2026-11, one node of 2 cores, 120 items of 1 s in 8 shares, each share's start and end included:
0.79 items a second with 1 pod, 1.51 with 2, 2.88 with 4.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent
NAME = "batch-benchmark"
WORK = """import time

SUFFIX = ".json"


def work(source):
    time.sleep({seconds})
    return b"{{}}"
"""


def run(*command, **options):
    return subprocess.run(
        command, check=True, capture_output=True, encoding="utf-8", **options
    ).stdout


def main(project, items=120, seconds=1.0):
    oc = ["kubectl", "-n", project]
    image = f"ghcr.io/{os.environ['GHCR_USER']}/{NAME}:latest".lower()
    with tempfile.TemporaryDirectory() as folder:
        run(
            sys.executable,
            "-m",
            "cookiecutter",
            "--no-input",
            str(TEMPLATE),
            "-o",
            folder,
            "stack=batch-job",
            f"repo_name={NAME}",
            f"openshift_project={project}",
            f"github_owner={os.environ['GHCR_USER']}",
        )
        made = Path(folder) / NAME
        (made / "app/work.py").write_text(WORK.format(seconds=seconds), encoding="utf-8")
        run(
            "docker",
            "login",
            "ghcr.io",
            "-u",
            os.environ["GHCR_USER"],
            "--password-stdin",
            input=os.environ["GHCR_TOKEN"],
        )
        run(
            "docker", "buildx", "build", "--builder", "default", "--load", "--tag", image, str(made)
        )
        run("docker", "push", "--quiet", image)
        manifest = made / "openshift/cronjob.yaml"
        text = (
            manifest.read_text(encoding="utf-8")
            .replace("completions: 32", "completions: 8")
            .replace('cpu: "500m"', 'cpu: "50m"')
        )
        try:
            run("kubectl", "apply", "-k", str(made / "openshift"))
            run(*oc, "replace", "--force", "-f", str(made / "openshift/files.yaml"))
            run(*oc, "wait", "--for=condition=Ready", f"pod/{NAME}-fs", "--timeout=5m")
            run(
                *oc,
                "exec",
                f"{NAME}-fs",
                "--",
                "sh",
                "-ec",
                f"mkdir /data/inputs; for n in $(seq {items}); do echo $n > /data/inputs/$n; done",
            )
            for pods in (1, 2, 4):
                manifest.write_text(
                    text.replace("parallelism: 8", f"parallelism: {pods}"), encoding="utf-8"
                )
                run("kubectl", "apply", "-k", str(made / "openshift"))
                run(*oc, "exec", f"{NAME}-fs", "--", "rm", "-rf", "/data/results")
                start = time.monotonic()
                run(*oc, "create", "job", f"{NAME}-{pods}", f"--from=cronjob/{NAME}")
                run(*oc, "wait", "--for=condition=Complete", f"job/{NAME}-{pods}", "--timeout=30m")
                took = time.monotonic() - start
                found = int(
                    run(*oc, "exec", f"{NAME}-fs", "--", "sh", "-c", "ls /data/results | wc -l")
                )
                assert found == items, f"{found} results"
                status = json.loads(run(*oc, "get", "job", f"{NAME}-{pods}", "-o", "json"))[
                    "status"
                ]
                assert status["succeeded"] == 8, status
                print(
                    f"{pods} at once: {items} items in {took:.0f} s, {items / took:.2f} a second",
                    flush=True,
                )
        finally:
            subprocess.run(
                [
                    *oc,
                    "delete",
                    "--ignore-not-found",
                    f"pod/{NAME}-fs",
                    f"cronjob/{NAME}",
                    f"pvc/{NAME}",
                ],
                check=False,
            )


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]), *map(float, sys.argv[3:4]))
