"""Pull secrets: what is wrong with them, and what a registry says of them."""

import base64
import json

import pytest
from situation import IMAGE, NOW, findings_of, fixes, healthy, refused, template, verdict

from dsri.doctor.facts import Login
from dsri.doctor.pull_secret import kind_of_token, read_secret
from dsri.doctor.registry import serves

SECRETS = [
    (None, "pull-secret-missing"),
    (
        {"type": "Opaque", "registries": {"ghcr.io": {"user": "octocat", "token": "classic"}}},
        "pull-secret-type",
    ),
    (
        {"type": "kubernetes.io/dockerconfigjson", "registries": {}, "broken": True},
        "pull-secret-broken",
    ),
    (
        {
            "type": "kubernetes.io/dockerconfigjson",
            "registries": {"https://index.docker.io/v1/": {"user": "octocat", "token": "classic"}},
        },
        "pull-secret-registry",
    ),
    (
        {
            "type": "kubernetes.io/dockerconfigjson",
            "registries": {"ghcr.io": {"user": "octocat", "token": "fine-grained"}},
        },
        "pull-secret-token",
    ),
    (
        {
            "type": "kubernetes.io/dockerconfigjson",
            "registries": {"https://ghcr.io/v2/": {"user": "octocat", "token": "classic"}},
        },
        "token-refused",
    ),
]


@pytest.mark.parametrize("secret, name", SECRETS)
def test_secrets(secret, name):
    facts = refused(healthy())
    facts["secrets"]["github-ghcr-secret"] = secret
    assert verdict(facts) == [name]


def test_one_good_secret_of_several_is_enough_to_look_at():
    facts = refused(healthy())
    facts["workload"]["spec"]["template"]["spec"]["imagePullSecrets"].append({"name": "other"})
    facts["secrets"]["other"] = None
    assert verdict(facts) == ["token-refused"]


def test_a_secret_of_another_account():
    facts = refused(healthy())
    del facts["workload"]["spec"]["template"]["spec"]["imagePullSecrets"]
    assert verdict(facts) == ["no-pull-secret"]
    facts["accounts"] += [
        {
            "metadata": {"name": "builder"},
            "imagePullSecrets": [
                {"name": "builder-dockercfg-abcde"},
                {"name": "github-ghcr-secret"},
            ],
        }
    ]
    found = findings_of(facts, NOW)
    assert [f.name for f in found] == ["pull-secret-not-linked"] and "account builder" in found[
        0
    ].what
    assert found[0].fix[0] == "oc -n demo secrets link default github-ghcr-secret --for=pull"
    facts["tool"] = "kubectl"
    facts["accounts"][0]["imagePullSecrets"] = [{"name": "default-dockercfg-abcde"}]
    assert (
        findings_of(facts, NOW)[0]
        .fix[0]
        .endswith(
            '-p "imagePullSecrets: [{name: default-dockercfg-abcde}, {name: github-ghcr-secret}]"'
        )
    )


def test_what_a_user_name_can_tell():
    facts = refused(healthy())
    facts["expected"] = {
        "folder": "openshift",
        "project": "demo",
        "user": "hubot",
        "workload": facts["workload"],
        "objects": [],
    }
    assert "user is octocat; this repository's steps say hubot" in findings_of(facts, NOW)[0].why
    facts["expected"]["user"] = "OctoCat"
    assert "octocat;" not in findings_of(facts, NOW)[0].why


def test_what_is_known_of_a_secret_holds_no_token():
    token = "ghp_" + "x" * 36
    config = {
        "auths": {"ghcr.io": {"auth": base64.b64encode(f"octocat:{token}".encode()).decode()}}
    }
    known, logins = read_secret(
        {
            "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
            "data": {".dockerconfigjson": base64.b64encode(json.dumps(config).encode()).decode()},
        }
    )
    assert logins == {"ghcr.io": ("octocat", token)}
    assert token not in repr(known)
    assert known.registries == {"ghcr.io": Login("octocat", "classic")}
    assert read_secret(
        {
            "type": "kubernetes.io/dockerconfigjson",
            "metadata": {},
            "data": {".dockerconfigjson": "!"},
        }
    )[0].broken


@pytest.mark.parametrize(
    "token, kind",
    [
        ("ghp_abc", "classic"),
        ("github_pat_abc", "fine-grained"),
        ("", "empty"),
        ("\n", "empty"),
        ("ghp_abc\n", "with-spaces"),
        ("$GHCR_TOKEN", "placeholder"),
        ("tok3n", "unknown"),
    ],
)
def test_the_form_of_a_token(token, kind):
    assert kind_of_token(token) == kind


@pytest.mark.parametrize(
    "place, image, yes",
    [
        ("ghcr.io", IMAGE, True),
        ("https://ghcr.io", IMAGE, True),
        ("https://ghcr.io/v1/", IMAGE, True),
        ("ghcr.io/maastrichtu-ids", IMAGE, True),
        ("ghcr.io/maastrichtu", IMAGE, False),
        ("*.io", IMAGE, True),
        ("docker.io", IMAGE, False),
        ("https://index.docker.io/v1/", "python:3.13", True),
        ("quay.io", "quay.io:443/a/b", False),
    ],
)
def test_which_login_serves_an_image(place, image, yes):
    assert serves(place, image) == yes


def test_a_secret_for_more_than_one_registry():
    facts = refused(healthy())
    facts["secrets"]["github-ghcr-secret"]["registries"]["https://index.docker.io/v1/"] = {
        "user": "me",
        "token": "unknown",
    }
    assert [
        line for line in fixes(facts) if "has logins for https://index.docker.io/v1/, too" in line
    ]
    facts["secrets"]["github-ghcr-secret"]["registries"] = {
        "ghcr.io": {"user": "", "user_is": "email", "token": "classic"}
    }
    assert (
        "--docker-username=GITHUB_USER " in str(fixes(facts))
        and "should be the account's name" in findings_of(facts, NOW)[0].why
    )


def test_a_secret_out_of_a_docker_configuration_without_logins():

    text = json.dumps({"auths": {"ghcr.io": {}}, "credsStore": "desktop"})
    facts = refused(healthy())
    facts["secrets"]["github-ghcr-secret"] = read_secret(
        {
            "type": "kubernetes.io/dockerconfigjson",
            "metadata": {},
            "data": {".dockerconfigjson": base64.b64encode(text.encode()).decode()},
        }
    )[0]
    found = findings_of(facts, NOW)
    assert [f.name for f in found] == ["pull-secret-token"] and "credsStore" in found[0].why


def test_an_image_of_another_project_in_the_clusters_own_registry():
    facts = refused(healthy())
    for spec in (template(facts), facts["pods"][0]["spec"]):
        spec["containers"][0]["image"] = (
            "image-registry.openshift-image-registry.svc:5000/builds/kg-demo:latest"
        )
    facts["secrets"] = {}
    assert verdict(facts) == ["no-pull-secret"]
    assert (
        fixes(facts)[0]
        == "oc create rolebinding demo-default-pulls --clusterrole=system:image-puller --serviceaccount=demo:default -n builds"
    )
