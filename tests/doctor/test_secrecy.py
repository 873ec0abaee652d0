"""Nothing that came out of a Secret is printed, wherever in it a token stands."""

import base64
import copy
import io
import json
import sys

import pytest

from dsri.doctor import cluster as asked_cluster
from dsri.doctor import command
from dsri.doctor.hide import conceal, looks_like_a_token
from dsri.doctor.pull_secret import place_shown, read_secret
from dsri.processes import Done

TOKENS = {
    "classic": "ghp_" + "a1B2c3" * 6,
    "of an app": "gho_" + "a1B2c3" * 6,
    "of a user": "ghu_" + "a1B2c3" * 6,
    "of a workflow": "ghs_" + "a1B2c3" * 6,
    "refresh": "ghr_" + "a1B2c3" * 6,
    "fine-grained": "github_pat_" + "11ABCDEFG0" * 3 + "_" + "a1B2c3" * 9,
    "old": "0123456789abcdef0123456789abcdef01234567",
    "GitLab": "glpat-a1B2c3d4E5f6g7H8i9J0",
    "Docker": "dckr_pat_a1B2c3d4E5f6g7H8i9J0a1B2c3d",
    "npm": "npm_" + "a1B2c3" * 6,
    "OpenShift": "sha256~" + "a1B2c3d4" * 5 + "abc",
    "JWT": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJvY3RvIn0.c2lnbmF0dXJlLXgx",
    "UUID": "3b241101-e2bb-4255-8caf-4136c566a962",
    "random": "aB3dE6gH9jK2mN5p",
    "short": "Xk3vQ9zR2w",
    "a password": "correct horse battery",
    "a password like a login": "hunter2hunter",
}


def auth(text):
    return {"auth": base64.b64encode(text.encode()).decode()}


PLACES = {
    "the user's name": lambda t: {"auths": {"ghcr.io": {"username": t, "password": t}}},
    "the user's name, and no password": lambda t: {"auths": {"ghcr.io": {"username": t}}},
    "user and password swapped": lambda t: {
        "auths": {"ghcr.io": {"username": t, "password": "octocat"}}
    },
    "auth alone": lambda t: {"auths": {"ghcr.io": auth(t)}},
    "auth swapped": lambda t: {"auths": {"ghcr.io": auth(t + ":octocat")}},
    "auth twice": lambda t: {"auths": {"ghcr.io": auth(f"{t}:{t}")}},
    "auth not encoded": lambda t: {"auths": {"ghcr.io": {"auth": t}}},
    "the password": lambda t: {"auths": {"ghcr.io": {"username": "octocat", "password": t}}},
    "the registry's login": lambda t: {
        "auths": {f"https://octocat:{t}@ghcr.io": {"username": "octocat", "password": t}}
    },
    "the registry's name": lambda t: {"auths": {t: {"username": "octocat", "password": "x"}}},
    "the registry's path": lambda t: {"auths": {"ghcr.io/" + t: {"username": t, "password": t}}},
    "another registry": lambda t: {"auths": {f"quay.io/{t}": {"username": t, "password": t}}},
    "an identity token": lambda t: {
        "auths": {"ghcr.io": {"username": t, "identitytoken": t, "email": t}}
    },
    "no auths": lambda t: {"ghcr.io": {"username": t, "password": t}},
    "a list": lambda t: {"auths": [t]},
    "a text": lambda t: {"auths": {"ghcr.io": t}},
    "text": lambda t: t,
}


def secret(config, token, kind="kubernetes.io/dockerconfigjson"):
    """The Secret as the API gives it, with the token wherever metadata may have it, too."""
    text = json.dumps(config)
    return {
        "type": kind,
        "metadata": {
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": text},
            "labels": {"token": token},
        },
        "data": {
            ".dockerconfigjson": base64.b64encode(text.encode()).decode(),
            token: base64.b64encode(token.encode()).decode(),
        },
    }


def cluster(pull_secret, failing):
    """What answers a project's questions: one Deployment, one pod that cannot pull its image."""
    pod = {
        "containers": [{"name": "x", "image": "ghcr.io/a/b:latest", "env": []}],
        "imagePullSecrets": [{"name": "pull"}],
    }
    waiting = {"reason": "ImagePullBackOff", "message": "403 Forbidden"}
    state = {"waiting": waiting} if failing else {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    about = {"name": "x-1", "uid": "p", "creationTimestamp": "2026-01-01T00:00:00Z"}
    owner = {"uid": "s", "name": "x-1", "kind": "ReplicaSet"}
    status = {
        "phase": "Pending" if failing else "Running",
        "startTime": "2026-01-01T00:00:00Z",
        "conditions": [{"type": "Ready", "status": "False" if failing else "True"}],
        "containerStatuses": [{"name": "x", "ready": not failing, "state": state}],
    }
    deployment = {
        "metadata": {"name": "x", "uid": "w"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": pod}},
    }
    replicas = {"metadata": {"name": "x-1", "uid": "s", "ownerReferences": [{"uid": "w"}]}}
    return {
        "/deployments/x": deployment,
        "/secrets/pull": pull_secret,
        "/replicasets?labelSelector=a%3Db": {"items": [{**replicas, "spec": {}, "status": {}}]},
        "/pods?labelSelector=a%3Db": {
            "items": [
                {"metadata": {**about, "ownerReferences": [owner]}, "spec": pod, "status": status}
            ]
        },
        "/serviceaccounts": {"items": [{"metadata": {"name": "default"}}]},
    }


def printed(monkeypatch, capsys, things, *options):
    """All that the command prints where the cluster answers with `things`."""

    def run(*words, **_):
        found = [thing for end, thing in things.items() if words[-1].endswith(end)]
        return Done(0, json.dumps(found[0] if found else {"items": []}), "")

    monkeypatch.setattr(asked_cluster, "run", run)
    monkeypatch.setattr(command, "find_tool", lambda wanted: "oc")
    words = ["none-such", "--project", "demo", "--name", "x", "--no-github", *options]
    assert command.main(words) in (0, 1)
    out, err = capsys.readouterr()
    return out + err


@pytest.mark.parametrize("failing", [True, False], ids=["refused", "running"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", TOKENS)
def test_no_token_is_printed(monkeypatch, capsys, form, place, failing):
    token = TOKENS[form]
    things = cluster(secret(PLACES[place](token), token), failing)
    for options in [(), ("--json",)]:
        text = printed(monkeypatch, capsys, things, *options)
        assert token not in text
        assert token.lower() not in text.lower()
        assert base64.b64encode(token.encode()).decode().rstrip("=") not in text
        assert failing == ("create secret docker-registry pull" in text) or not failing


@pytest.mark.parametrize("place", ["the user's name", "auth alone", "auth twice"])
def test_it_says_that_a_token_stands_there_and_what_to_do(monkeypatch, capsys, place):
    token = TOKENS["classic"]
    things = cluster(secret(PLACES[place](token), token), failing=True)
    text = printed(monkeypatch, capsys, things)
    assert "a token stands where the user name should be" in " ".join(text.split())
    assert "--docker-username=GITHUB_USER" in text


@pytest.mark.parametrize("user", ["octocat", "jdoe_acme", "MaastrichtU-IDS", "a-1-b"])
def test_a_login_is_shown(user):
    config = {"auths": {"ghcr.io": {"username": user, "password": TOKENS["classic"]}}}
    assert read_secret(secret(config, "x"))[0].registries["ghcr.io"].user == user


def test_a_token_in_the_secrets_type_is_not_shown():
    known, _ = read_secret(secret({}, "x", TOKENS["classic"]))
    assert known.type == ""


@pytest.mark.parametrize(
    "place, shown",
    [
        ("ghcr.io", "ghcr.io"),
        ("https://index.docker.io/v1/", "https://index.docker.io/v1/"),
        ("https://octocat:tok@ghcr.io/v2/", "https://ghcr.io/v2/"),
        ("localhost:5000", "localhost:5000"),
        ("*.example.org/team", "*.example.org/team"),
        ("ghcr.io?token=x", "ghcr.io"),
        ("two words", ""),
    ],
)
def test_which_part_of_a_registrys_name_is_shown(place, shown):
    assert place_shown(place) == shown


@pytest.mark.parametrize(
    "name", ["octocat", "jan-2003-peeters", "maastrichtu-ids", "v2", "kg4life"]
)
def test_a_name_does_not_look_like_a_token(name):
    assert not looks_like_a_token(name)


def test_an_environments_value_and_an_event_show_no_token(monkeypatch, capsys):
    token = TOKENS["npm"]
    things = cluster(secret(PLACES["the password"](token), token), failing=True)
    pod = things["/pods?labelSelector=a%3Db"]["items"][0]
    pod["spec"]["containers"][0]["env"] = [{"name": "PLAIN", "value": token}]
    waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]
    waiting["message"] = f"403 Forbidden for octocat with {token}"
    text = printed(monkeypatch, capsys, things)
    assert "403 Forbidden" in text and token not in text


def test_a_fault_of_its_own_shows_no_value(monkeypatch, capsys):
    token = TOKENS["classic"]

    def fail(*_):
        raise ValueError(token)

    monkeypatch.setattr(command, "look", fail)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert command.main(["--project", "a", "--name", "b"]) == 2
    said = capsys.readouterr().err
    assert "ValueError" in said and token not in said


def test_a_value_of_a_secret_is_taken_out_of_a_sentence():
    assert conceal("It is hunter22 here.", {"hunter22"}) == "It is [hidden] here."


def places_of_text(item, path=()):
    """The path of each text in an object."""
    if isinstance(item, str):
        yield path
    pairs = (
        item.items()
        if isinstance(item, dict)
        else enumerate(item if isinstance(item, list) else [])
    )
    for key, value in pairs:
        yield from places_of_text(value, (*path, key))


def with_text_at(item, path, text):
    """The object with another text at a path."""
    copied = copy.deepcopy(item)
    place = copied
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = text
    return copied


def application_of(token, failing):
    """A project with everything of an application in which somebody may have put a token."""
    things = cluster(secret(PLACES["the password"](token), "x"), failing)
    pod = things["/pods?labelSelector=a%3Db"]["items"][0]
    deployment = things["/deployments/x"]
    for spec in (pod["spec"], deployment["spec"]["template"]["spec"]):
        asked = {"path": "/p", "port": 80, "httpHeaders": [{"name": "a", "value": "b"}]}
        spec["containers"][0].update(
            command=["a", "b"],
            env=[{"name": "PLAIN", "value": "a"}],
            readinessProbe={"httpGet": asked},
        )
        spec["volumes"] = [{"name": "v", "secret": {"secretName": "s"}}]
    trigger = {"from": {"kind": "ImageStreamTag", "name": "kg"}, "fieldPath": "containers[0]"}
    annotations = {"image.openshift.io/triggers": json.dumps([trigger]), "note": "a"}
    deployment["metadata"]["annotations"] = annotations
    conditions = [{"type": "ImportSuccess", "status": "False", "message": "401"}]
    things["/imagestreams/kg"] = {
        "spec": {"tags": [{"name": "latest", "from": {"kind": "DockerImage", "name": "a.io/b/c"}}]},
        "status": {"tags": [{"tag": "latest", "conditions": conditions}]},
    }
    return things


@pytest.mark.parametrize("failing", [True, False], ids=["refused", "running"])
@pytest.mark.parametrize("form", ["classic", "random", "a password like a login"])
def test_no_token_is_printed_from_any_field_of_any_object(monkeypatch, capsys, form, failing):
    token = TOKENS[form]
    things = application_of(token, failing)
    for key in [key for key in things if key != "/secrets/pull"]:
        for path in places_of_text(things[key]):
            changed = {**things, key: with_text_at(things[key], path, token)}
            assert token not in printed(monkeypatch, capsys, changed), path
            assert token not in printed(monkeypatch, capsys, changed, "--json"), path
