"""Publish runs, and whether what runs was published last."""

import copy

import pytest
from situation import DIGEST, IMAGE, NOW, findings_of, healthy, run_of, status, verdict


@pytest.mark.parametrize(
    "runs, names",
    [
        ([run_of("success")], []),
        ([], []),  # published in another way: the image is there
        ([run_of("success", "2026-11-24T11:30:00Z")], ["old-image"]),
        ([run_of("failure", log="ERROR: test failed")], ["publish-failed"]),
        (
            [
                run_of(
                    "failure",
                    log="failed to push ghcr.io/o/r: denied: permission_denied: write_package",
                )
            ],
            ["publish-denied"],
        ),
    ],
)
def test_the_publish_run(runs, names):
    facts = healthy()
    facts["runs"] = runs
    assert verdict(facts) == names


def test_an_image_that_was_never_published():
    facts = status(healthy(), waiting={"reason": "ErrImagePull", "message": "manifest unknown"})
    facts["runs"] = []
    assert verdict(facts) == ["never-published", "image-missing"]


@pytest.mark.parametrize(
    "answer, names",
    [
        ({"status": 200, "digests": [DIGEST]}, []),
        ({"status": 200, "digests": ["sha256:" + "cd" * 32]}, ["old-image"]),
        ({"status": 403, "secret": "github-ghcr-secret", "at": "login"}, ["token-refused"]),
        ({"status": 404, "secret": "github-ghcr-secret", "at": "image"}, ["image-missing"]),
        (
            {
                "status": 200,
                "digests": [DIGEST],
                "secret": "github-ghcr-secret",
                "token": {
                    "status": 200,
                    "ends": "2026-12-01 08:00:00 UTC",
                    "scopes": ["read:packages"],
                },
            },
            ["token-ends"],
        ),
        (
            {
                "status": 200,
                "digests": [DIGEST],
                "secret": "github-ghcr-secret",
                "token": {"status": 200, "ends": None, "scopes": ["read:packages", "repo"]},
            },
            ["token-too-wide"],
        ),
        (
            {
                "status": 200,
                "digests": [DIGEST],
                "secret": "github-ghcr-secret",
                "token": {
                    "status": 200,
                    "ends": "2027-11-01 08:00:00 UTC",
                    "scopes": ["read:packages"],
                },
            },
            [],
        ),
    ],
)
def test_what_the_registry_answers(answer, names):
    facts = healthy()
    facts["registry"] = {IMAGE: answer}
    found = findings_of(facts, NOW)
    assert [f.name for f in found] == names and all(f.warning for f in found)


@pytest.mark.parametrize(
    "image_id, running, names",
    [
        (
            f"ghcr.io/maastrichtu-ids/kg-demo@{DIGEST}",
            {DIGEST: []},
            ["old-image"],
        ),  # cleaned up since
        (f"ghcr.io/maastrichtu-ids/kg-demo@{DIGEST}", {DIGEST: ["sha256:c2"]}, ["old-image"]),
        (
            f"ghcr.io/maastrichtu-ids/kg-demo@{DIGEST}",
            {DIGEST: ["sha256:c1"]},
            [],
        ),  # the same content, built again
        (
            f"ghcr.io/maastrichtu-ids/other@{DIGEST}",
            {DIGEST: ["sha256:c1"]},
            [],
        ),  # the same content, under the node's other name for it
        (f"ghcr.io/maastrichtu-ids/other@{DIGEST}", {}, []),  # not to be known
    ],
)
def test_an_older_image_is_one_of_other_content(image_id, running, names):
    facts = healthy()
    facts["pods"][0]["status"]["containerStatuses"][0]["imageID"] = image_id
    facts["registry"] = {
        IMAGE: {"status": 200, "digests": ["sha256:d1", "sha256:c1"], "running": running}
    }
    assert verdict(facts) == names


def test_a_denial_in_a_test_is_none_of_the_package():
    facts = healthy()
    facts["runs"] = [
        run_of(
            "failure",
            log="image\tRun it as the cluster will\tPermissionError: [Errno 13] Permission denied: '/app'\nimage\tpush\tskipped",
        )
    ]
    assert verdict(facts) == ["publish-failed"]


def test_pods_of_different_images():
    facts = healthy()
    facts["workload"]["spec"]["replicas"] = 2
    second = copy.deepcopy(facts["pods"][0])
    second["metadata"].update(name="kg-demo-1-b", uid="p2")
    second["status"]["containerStatuses"][0]["imageID"] = (
        "ghcr.io/maastrichtu-ids/kg-demo@sha256:" + "cd" * 32
    )
    facts["pods"].append(second)
    assert verdict(facts) == ["mixed-images"]
