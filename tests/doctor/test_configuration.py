"""Secrets and ConfigMaps that are not there."""

import pytest
from situation import event, fixes, healthy, status, template, verdict


@pytest.mark.parametrize(
    "waiting, message, mend",
    [
        (
            {
                "reason": "CreateContainerConfigError",
                "message": "couldn't find key pin in ConfigMap demo/settings",
            },
            "",
            'patch configmap settings -p "data: {pin: VALUE}"',
        ),
        (
            {
                "reason": "CreateContainerConfigError",
                "message": "couldn't find key pin in Secret demo/key",
            },
            "",
            'patch secret key -p "stringData: {pin: VALUE}"',
        ),
        (
            {"reason": "ContainerCreating"},
            'MountVolume.SetUp failed for volume "conf" : configmap references non-existent config key: pin',
            'patch configmap settings -p "data: {pin: VALUE}"',
        ),
        (
            {"reason": "ContainerCreating"},
            'MountVolume.SetUp failed for volume "keys" : references non-existent secret key: pin',
            'patch secret key -p "stringData: {pin: VALUE}"',
        ),
    ],
)
def test_a_key_that_is_not_there(waiting, message, mend):
    facts = status(healthy(), waiting=waiting)
    facts["pods"][0]["spec"]["volumes"] += [
        {"name": "conf", "configMap": {"name": "settings"}},
        {"name": "keys", "secret": {"secretName": "key"}},
    ]
    facts["events"] = [event("FailedMount", message)] if message else []
    assert verdict(facts) == ["config-missing"] and fixes(facts) == [f"oc -n demo {mend}"]


def test_a_key_of_a_projected_volume():
    facts = status(healthy(), waiting={"reason": "ContainerCreating"})
    facts["pods"][0]["spec"]["volumes"].append(
        {
            "name": "all",
            "projected": {
                "sources": [
                    {"configMap": {"name": "settings"}},
                    {"secret": {"name": "other"}},
                    {"secret": {"name": "keys", "items": [{"key": "pin", "path": "pin"}]}},
                ]
            },
        }
    )
    facts["events"] = [
        event(
            "FailedMount",
            'MountVolume.SetUp failed for volume "all" : references non-existent secret key: pin',
        )
    ]
    assert verdict(facts) == ["config-missing"] and fixes(facts) == [
        'oc -n demo patch secret keys -p "stringData: {pin: VALUE}"'
    ]


def test_all_that_is_absent_is_said():
    """The kubelet says one thing at a time."""
    facts = status(
        healthy(),
        waiting={"reason": "CreateContainerConfigError", "message": 'secret "a" not found'},
    )
    facts["existing"] = {
        ("secret", "a"): False,
        ("configmap", "b"): False,
        ("configmap", "c"): True,
    }
    template(facts)["containers"][0]["env"] += [
        {"name": k, "valueFrom": {"configMapKeyRef": {"name": "b", "key": k}}}
        for k in ("one", "two")
    ]
    assert fixes(facts) == [
        "oc -n demo create secret generic a --from-literal=KEY=VALUE",
        "oc -n demo create configmap b --from-literal=one=VALUE --from-literal=two=VALUE",
    ]
    facts["existing"] = {("secret", "a"): True}
    assert verdict(facts) == ["starting"]


def test_a_mount_at_a_place_that_does_not_take_it():
    facts = status(
        healthy(),
        waiting={"reason": "CrashLoopBackOff"},
        last={
            "exitCode": 128,
            "reason": "StartError",
            "message": 'runc create failed: error mounting "/x/volume-subpaths/conf/app/0" to rootfs at "/app/conf.yaml": not a directory: Are you trying to mount a directory onto a file (or vice-versa)?',
        },
    )
    assert verdict(facts) == ["volume-not-mounted"]
