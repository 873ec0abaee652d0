"""Publish runs, and whether what runs was published last."""

import copy
import datetime

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


WRITE = "ghcr.io/o/r: denied: installation not allowed to Write organization package"


@pytest.mark.parametrize(
    "conclusion, names, is_warning",
    [
        ("success", [], False),
        ("failure", ["publish-failed"], False),
        ("timed_out", ["publish-failed"], False),
        ("startup_failure", ["publish-not-started"], False),
        ("cancelled", ["publish-unfinished"], True),
        ("stale", ["publish-unfinished"], True),
        ("action_required", ["publish-waits"], True),
        ("something_new", ["publish-unfinished"], True),
        ("skipped", ["publish-failed"], False),  # what was before it counts
        ("neutral", ["publish-failed"], False),
    ],
)
def test_every_end_of_a_run_has_a_verdict(conclusion, names, is_warning):
    facts = healthy()
    facts["runs"] = [run_of(conclusion)]
    if conclusion in ("skipped", "neutral"):
        facts["runs"].append(run_of("failure", log="a\tb\tno"))
    found = findings_of(facts)
    assert [f.name for f in found] == names
    assert all(f.warning == is_warning and f.fix for f in found)
    assert all("{" not in line.replace("${{", "") for f in found for line in f.fix)


@pytest.mark.parametrize(
    "status_, minutes, names",
    [
        ("queued", 5, []),
        ("in_progress", 50, []),
        ("requested", 5, []),
        ("pending", 5, []),
        ("waiting", 1, ["publish-waits"]),
        ("queued", 50, ["publish-waits"]),
        ("pending", 50, ["publish-waits"]),
    ],
)
def test_a_run_that_has_not_ended(status_, minutes, names):
    facts = healthy()
    began = NOW - datetime.timedelta(minutes=minutes)
    going = {**run_of("", f"{began:%Y-%m-%dT%H:%M:%SZ}"), "status": status_}
    facts["runs"] = [going, run_of("failure")]
    assert verdict(facts) == names


@pytest.mark.parametrize("conclusion", ["cancelled", "stale", "action_required"])
def test_what_did_not_publish_a_wanted_image_is_no_warning(conclusion):
    facts = status(healthy(), waiting={"reason": "ErrImagePull", "message": "manifest unknown"})
    facts["runs"] = [run_of(conclusion)]
    assert verdict(facts)[1] == "image-missing" and not findings_of(facts)[0].warning


@pytest.mark.parametrize(
    "said, words",
    [
        # Another repository's package, or one that was first pushed by hand (tuna-os/tunaOS#642)
        (
            "Error: writing blob: initiating layer upload to /v2/o/r/blobs/uploads/ in ghcr.io: denied: permission_denied: write_package",
            "Manage Actions access: o/r, Write",
        ),
        ("#15 ERROR: denied: permission_denied: write_package", "Manage Actions access"),
        # The organisation's policy (docker/build-push-action#606, atlanhq/application-sdk#2680)
        (
            "ERROR: failed to push ghcr.io/o/r:main: denied: installation not allowed to Create organization package",
            "https://github.com/organizations/o/settings/packages",
        ),
        (
            "The push refers to repository [ghcr.io/o/r]\ndenied: installation not allowed to Create organization package",
            "https://github.com/organizations/o/settings/packages",
        ),
        ("denied: permission_denied: create_package", "organizations/o/settings/packages"),
        # A token that may only read: a fork's, Dependabot's, a job's without the permission
        (f"ERROR: failed to push {WRITE}", "packages: write"),
        # A personal token (daltoniam/switchboard#139, docker/build-push-action#254)
        (
            "denied: permission_denied: The token provided does not match expected scopes.",
            "write:packages",
        ),
        ("server message: insufficient_scope: authorization failed", "write:packages"),
        (
            "denied: Resource protected by organization SAML enforcement. You must grant your token access",
            "Configure SSO",
        ),
        # A token that has ended, or is wrong
        (
            'Error response from daemon: Get "https://ghcr.io/v2/": denied: denied',
            "new classic token",
        ),
        (
            "failed to push ghcr.io/o/r:latest: unexpected status from POST request: 401 Unauthorized",
            "new classic token",
        ),
        # Nobody can tell
        (
            "failed to push ghcr.io/o/r:latest: unexpected status from HEAD request to https://ghcr.io/v2/o/r/blobs/sha256:1: 403 Forbidden",
            "Manage Actions access",
        ),
    ],
)
def test_what_the_registry_refuses_has_advice_of_its_own(said, words):
    facts = healthy()
    log = "".join(f"Build, prove, publish\tPublish\t2026 {line}\n" for line in said.splitlines())
    facts["runs"] = [run_of("failure", log=log)]
    found = findings_of(facts)
    assert [f.name for f in found] == ["publish-denied"] and words in str(found[0].fix)
    assert "gh run rerun 7 --failed --repo o/r" in found[0].fix
    # A package that is not there yet has no settings, and a policy is none of the token's.
    if "reate" in said:
        assert "Manage Actions access" not in str(found) and "classic" not in str(found)


@pytest.mark.parametrize(
    "said, name, words",
    [
        (
            "a/b@v1 is not allowed to be used in o/r. Actions in this workflow must be: within a repository owned by o.",
            "publish-not-allowed",
            "https://github.com/organizations/o/settings/actions",
        ),
        (
            "The action a/b@v1 is not allowed in o/r because all actions must be from a repository owned by your enterprise",
            "publish-not-allowed",
            "https://github.com/organizations/o/settings/actions",
        ),
        (
            "ERROR: failed to solve: ghcr.io/o/base:1: failed to resolve source metadata for ghcr.io/o/base:1: denied: denied",
            "publish-failed",
            "Manage Actions access: o/r, Read",
        ),
        ("npm ERR! permission denied, open '/app/package.json'", "publish-failed", "--log-failed"),
        ("test: GET /private answered 403 Forbidden", "publish-failed", "--log-failed"),
        ("", "publish-failed", "gh run view 7 --repo o/r"),
    ],
)
def test_a_run_that_failed_for_another_reason(said, name, words):
    facts = healthy()
    facts["runs"] = [run_of("failure", log=f"Build\tPush the image\t2026 {said}" if said else "")]
    found = findings_of(facts)
    assert [f.name for f in found] == [name] and words in str(found[0].fix)


def test_only_branches_were_pushed():
    facts = status(healthy(), waiting={"reason": "ErrImagePull", "message": "manifest unknown"})
    facts["runs"] = [run_of("skipped")]
    assert verdict(facts) == ["never-published", "image-missing"]
