"""Services, Routes and network policies."""

import copy

import pytest
from situation import (
    NOW,
    SIDECAR,
    findings_of,
    fixes,
    healthy,
    policy,
    template,
    verdict,
)


def test_a_route():
    facts = healthy()
    facts["routes"][0]["status"]["ingress"][0]["conditions"][0].update(
        status="False",
        reason="HostAlreadyClaimed",
        message="route prometheus already exposes kg-demo.example.org and is older",
    )  # openshift/origin#17419
    assert verdict(facts) == ["route-refused"]
    facts["routes"][0].update(spec={"to": {"name": "kg-demo"}}, status={})
    assert verdict(facts) == ["route-no-host"]
    facts["routes"][0]["spec"]["to"]["name"] = "none-such"
    assert verdict(facts) == ["route-service", "route-no-host"]


def test_objects_of_the_manifests_that_are_not_there():
    facts = healthy()
    facts["expected"] = {
        "folder": "openshift",
        "project": "demo",
        "user": "octocat",
        "workload": facts["workload"],
        "objects": [["Service", "kg-demo"], ["Route", "kg-demo"]],
    }
    assert verdict(facts) == []
    facts["routes"] = []
    found = findings_of(facts, NOW)
    assert [f.name for f in found] == ["object-missing"] and found[0].fix == [
        "oc apply -k openshift"
    ]


def test_the_service_of_another_application_is_not_looked_at():
    facts = healthy()
    facts["services"].append(
        {
            "metadata": {"name": "other"},
            "spec": {"selector": {"app": "other"}, "ports": [{"port": 80, "targetPort": 99}]},
        }
    )
    facts["routes"].append(
        {"metadata": {"name": "other"}, "spec": {"to": {"name": "other"}}, "status": {}}
    )
    assert verdict(facts) == []


@pytest.mark.parametrize(
    "target, names", [(8080, []), ("http", []), ("web", ["service-port"]), (8000, ["service-port"])]
)
def test_the_port_of_a_service(target, names):
    facts = healthy()
    facts["services"][0]["spec"]["ports"][0]["targetPort"] = target
    assert verdict(facts) == names


def test_a_service_of_another_name():
    facts = healthy()
    facts["workload"]["spec"]["selector"] = {"matchLabels": {"app.kubernetes.io/name": "kg-demo"}}
    facts["services"] = [
        {
            "metadata": {"name": "web"},
            "spec": {
                "selector": {"app": "kg-demoo"},
                "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
            },
        }
    ]
    facts["routes"][0]["spec"]["to"]["name"] = "web"
    assert verdict(facts) == ["service-no-pods"] and fixes(facts) == [
        "oc -n demo set selector service web app.kubernetes.io/name=kg-demo"
    ]
    facts["services"][0]["spec"].update(
        selector={"app.kubernetes.io/name": "kg-demo"},
        ports=[{"name": "http", "port": 80, "targetPort": 9090}],
    )
    assert verdict(facts) == ["service-port"] and fixes(facts) == [
        'oc -n demo patch service web --type=json -p "[{op: replace, path: /spec/ports/0/targetPort, value: 8080}]"'
    ]
    facts["services"] = []
    assert verdict(facts) == ["route-service"] and fixes(facts) == [
        "oc -n demo expose deployment kg-demo --name=web --port=80 --target-port=8080"
    ]


def test_a_service_that_leads_to_two_applications():
    facts = healthy()
    facts["besides"] = [
        {
            **copy.deepcopy(facts["pods"][0]),
            "metadata": {"name": "other-a", "labels": {"app.kubernetes.io/name": "kg-demo"}},
        }
    ]
    found = findings_of(facts, NOW)
    assert [f.name for f in found] == ["service-shared"] and found[0].warning


def test_all_services_that_lead_to_it():
    facts = healthy()
    selector_ = facts["services"][0]["spec"]["selector"]
    for name, target in (("one", "web"), ("two", "none")):
        facts["services"].append(
            {
                "metadata": {"name": name},
                "spec": {"selector": selector_, "ports": [{"port": 80, "targetPort": target}]},
            }
        )
    facts["routes"].append(
        {"metadata": {"name": "public"}, "spec": {"host": "h", "to": {"name": "onne"}}}
    )
    facts["services"][1]["metadata"]["name"] = "only-one"
    facts["routes"][1]["spec"]["to"]["name"] = "onlyone"
    found = findings_of(facts, NOW)
    assert [f.name for f in found] == ["service-port", "service-port", "route-service"]
    assert found[2].fix == [
        'oc -n demo patch route public --type=merge -p "spec: {to: {name: only-one}}"'
    ]


@pytest.mark.parametrize(
    "listens, target, names, words",
    [
        (
            [(8080, False), (9113, False)],
            8080,
            [],
            "",
        ),  # a container may listen on a port that it does not name
        (None, 8080, [], ""),
        ([(8000, False), (9113, False)], 8080, ["service-port"], "on which nothing listens"),
        ([(8080, True), (9113, False)], 8080, ["wrong-port"], "127.0.0.1:8080 only"),
        ([(8000, False)], "metrics", ["service-port"], "the container does not have"),
        ([], 8080, ["wrong-port"], "listens on no port"),
    ],
)
def test_a_service_leads_to_what_listens(listens, target, names, words):
    facts = healthy()
    template(facts)["containers"] = [{**template(facts)["containers"][0], "ports": []}, SIDECAR]
    facts["services"][0]["spec"]["ports"][0]["targetPort"] = target
    facts["routes"], facts["ports"] = [], {"kg-demo-1-a/kg-demo": listens}
    found = findings_of(facts, NOW)
    assert [f.name for f in found] == names and all(words in f.what for f in found)


def test_a_headless_service_need_lead_to_nothing():
    facts = healthy()
    facts["services"][0]["spec"]["clusterIP"] = "None"
    facts["routes"], facts["ports"] = [], {"kg-demo-1-a/kg-demo": []}
    assert verdict(facts) == []


def test_one_port_of_several_on_which_nothing_listens():
    facts = healthy()
    facts["services"][0]["spec"]["ports"].append({"name": "metrics", "port": 9113})
    facts["ports"] = {"kg-demo-1-a/kg-demo": [(8080, False)]}
    found = findings_of(facts, NOW)
    assert [(f.name, f.warning) for f in found] == [("service-port", True)] and found[0].fix[
        0
    ] == "oc -n demo edit service kg-demo"


@pytest.mark.parametrize(
    "policies, names",
    [
        ([policy(podSelector={})], ["network-policy"]),
        (
            [
                policy(
                    podSelector={
                        "matchExpressions": [
                            {
                                "key": "app.kubernetes.io/name",
                                "operator": "In",
                                "values": ["kg-demo"],
                            }
                        ]
                    },
                    ingress=[{"from": [{"podSelector": {}}]}],
                )
            ],
            ["network-policy"],
        ),
        ([policy(podSelector={"matchLabels": {"app": "other"}})], []),
        ([policy(podSelector={}, policyTypes=["Egress"])], []),
        ([policy(podSelector={}), policy(podSelector={}, ingress=[{}])], []),
        (
            [
                policy(podSelector={}),
                policy(
                    podSelector={},
                    ingress=[
                        {
                            "from": [
                                {
                                    "namespaceSelector": {
                                        "matchLabels": {
                                            "policy-group.network.openshift.io/ingress": ""
                                        }
                                    }
                                }
                            ]
                        }
                    ],
                ),
            ],
            [],
        ),
    ],
)
def test_network_policies(policies, names):
    facts = healthy()
    facts["policies"] = policies
    assert verdict(facts) == names
    facts["policies"], facts["routes"] = (
        [policy(podSelector={}, ingress=[{"from": [{"podSelector": {}}]}])],
        [],
    )
    assert verdict(facts) == []
