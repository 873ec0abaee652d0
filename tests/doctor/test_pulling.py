"""Images that are not pulled."""

import re

import pytest
from situation import DIGEST, IMAGE, event, fixes, healthy, status, verdict

from dsri.doctor.registry import split

# (what the runtime says of a pull, the finding)
PULLS = [
    # containerd
    (
        'rpc error: code = NotFound desc = failed to pull and unpack image "I": failed to resolve reference "I": I: not found',
        "image-missing",
    ),
    (
        'failed to pull and unpack image "I": failed to resolve reference "I": failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized',
        "token-refused",
    ),
    (
        'failed to pull and unpack image "I": failed to resolve reference "I": unexpected status from HEAD request to https://ghcr.io/v2/x/manifests/latest: 403 Forbidden',
        "token-refused",
    ),
    (
        'failed to pull image "I": failed to do request: Head "https://ghcr.io/v2/x/manifests/latest": dial tcp: lookup ghcr.io on 10.0.0.1:53: no such host',
        "registry-unreachable",
    ),
    ("no match for platform in manifest: not found", "image-platform"),
    # CRI-O
    (
        "rpc error: code = Unknown desc = Error reading manifest latest in R: errors: denied: requested access to the resource is denied unauthorized: authentication required",
        "token-refused",
    ),  # thoth-station/thoth-application#2057
    (
        "unable to retrieve auth token: invalid username/password: authentication required",
        "token-refused",
    ),  # NVIDIA/k8s-nim-operator#343
    (
        "parsing image configuration: unable to retrieve auth token: invalid username/password: unauthorized: unauthenticated: User cannot be authenticated with the token provided.",
        "token-refused",
    ),  # yannh/kubeconform#117
    (
        "initializing source docker://I: Requesting bearer token: invalid status code from registry 403 (Forbidden)",
        "token-refused",
    ),  # k0sproject/k0sctl#981
    (
        "Requesting bearer token: received unexpected HTTP status: 403 Forbidden",
        "token-refused",
    ),  # mccutchen/go-httpbin#223
    (
        "rpc error: code = Unknown desc = initializing source docker://I: reading manifest latest in R: manifest unknown",
        "image-missing",
    ),  # okd-project/okd#2194
    (
        "rpc error: code = Unknown desc = Error reading manifest 1.0 in R: manifest unknown: manifest unknown",
        "image-missing",
    ),  # openshift/origin#25763
    (
        "rpc error: code = Unknown desc = Error reading manifest latest in R: toomanyrequests: You have reached your pull rate limit.",
        "pull-limit",
    ),  # red-hat-storage/ocs-ci#4494
    (
        "short name mode is enforcing, but image name synology/synology-csi:v1.2.0 returns ambiguous list",
        "image-name",
    ),  # SynologyOpenSource/synology-csi#128
    (
        "Error initializing source docker://I: unexpected http code: 500 (Internal Server Error), URL: https://quay.io/v2/auth",
        "registry-unreachable",
    ),  # cri-o/cri-o#3786
    (
        'error pinging docker registry ghcr.io: Get "https://ghcr.io/v2/": x509: certificate is valid for *.apps.example.org, not ghcr.io',
        "registry-unreachable",
    ),  # openshift/origin#25763
    (
        "unable to pull image or OCI artifact: pull image err: initializing source docker://I: Requesting bearer token: received unexpected HTTP status: 403 Forbidden; artifact err: not found",
        "token-refused",
    ),  # its form: openshift/ovn-kubernetes#3192
    (
        "image pull failed for I because the signature validation failed: Source image rejected: A signature was required, but no signature exists",
        "pull-failed",
    ),  # openshift/ovn-kubernetes#3192
]


@pytest.mark.parametrize("says, name", PULLS)
@pytest.mark.parametrize("where", ["state", "event"])
def test_pulls(says, name, where):
    says = re.sub(r"\bI\b", IMAGE, says).replace(" R:", f" {IMAGE[:-7]}:")
    facts = status(
        healthy(),
        waiting={
            "reason": "ImagePullBackOff",
            "message": f'Back-off pulling image "{IMAGE}"'
            + (f": ErrImagePull: {says}" if where == "state" else ""),
        },
    )
    if where == "event":  # older kubelets say it there only
        facts["events"] = [event("Failed", f'Failed to pull image "{IMAGE}": {says}')]
    assert verdict(facts) == [name]


def test_an_images_own_name_says_nothing():
    facts = healthy()
    image = "ghcr.io/maastrichtu-ids/denied-403:404"
    for spec in (facts["workload"]["spec"]["template"]["spec"], facts["pods"][0]["spec"]):
        spec["containers"][0]["image"] = image
    message = f'Back-off pulling image "{image}": ErrImagePull: initializing source docker://{image}: reading manifest 404 in ghcr.io/maastrichtu-ids/denied-403: manifest unknown'
    assert verdict(status(facts, waiting={"reason": "ImagePullBackOff", "message": message})) == [
        "image-missing"
    ]


@pytest.mark.parametrize(
    "image, parts",
    [
        ("python", ("docker.io", "library/python", "latest")),
        ("octo/app:1", ("docker.io", "octo/app", "1")),
        (IMAGE, ("ghcr.io", "maastrichtu-ids/kg-demo", "latest")),
        (f"ghcr.io/a/b@{DIGEST}", ("ghcr.io", "a/b", DIGEST)),
        ("localhost:5000/a/b", ("localhost:5000", "a/b", "latest")),
        (f"ghcr.io/a/b:1@{DIGEST}", ("ghcr.io", "a/b", DIGEST)),
    ],
)
def test_the_parts_of_an_images_name(image, parts):
    assert split(image) == parts


def test_what_holds_now_goes_before_what_was_said_earlier():
    """The token was refused, was renewed, and now the tag is missing."""
    facts = status(
        healthy(),
        waiting={
            "reason": "ImagePullBackOff",
            "message": f'Back-off pulling image "{IMAGE}": ErrImagePull: manifest unknown',
        },
    )
    facts["events"] = [event("Failed", "unexpected status: 401 Unauthorized")]
    assert verdict(facts) == ["image-missing"]
    facts["pods"][0]["status"]["containerStatuses"][0]["state"]["waiting"]["message"] = (
        "Back-off pulling image"
    )
    facts["events"] += [event("Failed", "manifest unknown")]
    assert verdict(facts) == ["image-missing"]


@pytest.mark.parametrize(
    "image, name",
    [
        ("https://ghcr.io/octo/app:V1", "ghcr.io/octo/app:V1"),
        ("ghcr.io/Octo/app:V1", "ghcr.io/octo/app:V1"),
        ("ghcr.io/octo/app:1:2", "REGISTRY/OWNER/NAME:TAG"),
        ("ghcr.io/octo/app@sha256:abc", "REGISTRY/OWNER/NAME:TAG"),
        ("ghcr.io/octo/app :1", "REGISTRY/OWNER/NAME:TAG"),
    ],
)
def test_a_name_that_cannot_be_pulled(image, name):
    facts = status(
        healthy(),
        waiting={
            "reason": "InvalidImageName",
            "message": f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": invalid reference format',
        },
    )
    facts["pods"][0]["spec"]["containers"][0]["image"] = image
    assert verdict(facts) == ["image-name"] and fixes(facts) == [
        f"oc -n demo set image deployment/kg-demo kg-demo={name}"
    ]
