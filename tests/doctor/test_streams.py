"""Images that come from an image stream, as DSRI's older applications have them."""

import json

import pytest
from situation import facts_of, findings_of, fixes, healthy, no_pods, status, template, verdict

from dsri.doctor import cluster as asked_cluster
from dsri.doctor.gathering import Question, gather
from dsri.doctor.image_streams import sources_of
from dsri.doctor.screen import page
from dsri.processes import Done

BLANK = 'Pod "kg-demo-1-a" is invalid: spec.containers[0].image: Invalid value: " ": must not have leading or trailing whitespace'
NAMED = 'spec.template.spec.containers[?(@.name=="kg-demo")].image'


def stream(tag="latest", origin=None, items=None, failed=None):
    """An ImageStream with one tag."""
    conditions = [{"type": "ImportSuccess", "status": "False", "message": failed}] if failed else []
    wanted = [{"name": tag, "from": {"kind": "DockerImage", "name": origin}}] if origin else []
    return {
        "metadata": {"name": "kg"},
        "spec": {"tags": wanted},
        "status": {"tags": [{"tag": tag, "items": items, "conditions": conditions}]},
    }


def triggered(path=NAMED, image=" ", streams=None, **more):
    """A Deployment whose image a trigger fills in, and that has no pod yet."""
    facts = no_pods(healthy(), BLANK)
    trigger = {"from": {"kind": "ImageStreamTag", "name": "kg:latest"}, "fieldPath": path, **more}
    facts["workload"]["metadata"]["annotations"]["image.openshift.io/triggers"] = json.dumps(
        [trigger]
    )
    template(facts)["containers"][0]["image"] = image
    facts["streams"] = {("demo", "kg"): None} if streams is None else streams
    return facts


def config(facts, automatic=True):
    """The same application as a DeploymentConfig."""
    workload = facts["workload"]
    workload["kind"] = "DeploymentConfig"
    del workload["metadata"]["annotations"]
    about = {
        "automatic": automatic,
        "containerNames": ["kg-demo"],
        "from": {"kind": "ImageStreamTag", "name": "kg:latest"},
    }
    workload["spec"]["triggers"] = [
        {"type": "ConfigChange"},
        {"type": "ImageChange", "imageChangeParams": about},
    ]
    facts.update(sets=[], pods=[])
    return facts


@pytest.mark.parametrize(
    "path", [NAMED, NAMED.replace('"', "'"), "spec.template.spec.containers[0].image"]
)
@pytest.mark.parametrize("image", [" ", "", "kg:latest"])
@pytest.mark.parametrize("kind", ["Deployment", "DeploymentConfig"])
@pytest.mark.parametrize(
    "known",
    [None, stream("v1"), stream("latest", items=[]), {"metadata": {"name": "kg"}, "spec": {}}],
    ids=["no stream", "another tag", "an empty tag", "nothing"],
)
def test_the_missing_tag_is_named_and_no_token_is_asked_for(path, image, kind, known):
    facts = triggered(path, image, {("demo", "kg"): known})
    if kind == "DeploymentConfig":
        config(facts)
    assert verdict(facts) == ["image-stream"]
    found = findings_of(facts)[0]
    assert "ImageStreamTag kg:latest" in found.what and not found.warning
    assert found.fix[0] == "oc -n demo tag REGISTRY/OWNER/NAME:TAG kg:latest"
    text = page("t", [found])
    assert "docker.io" not in text and "token" not in text and "  ," not in text


def test_a_pod_that_asks_dockerhub_for_the_placeholder():
    facts = triggered(image="kg:latest")
    facts["pods"] = healthy()["pods"]
    status(
        facts,
        waiting={
            "reason": "ImagePullBackOff",
            "message": "requested access to the resource is denied: unauthorized: docker.io/library/kg:latest",
        },
    )
    assert verdict(facts) == ["image-stream"]


REFUSED = "Internal error occurred: ghcr.io/o/kg:1: unauthorized: authentication required"
NO_SUCH = 'dockerimage.image.openshift.io "docker.io/o/kg:1" not found'
LIMIT = "Internal error occurred: docker.io/o/kg:1: toomanyrequests: You have reached your pull rate limit."
HUB = 'you may not have access to the container image "docker.io/o/kg:1": unauthorized'
AWAY = "Internal error occurred: Get https://quay.io/v2/: dial tcp: i/o timeout"


@pytest.mark.parametrize(
    "origin, message, words",
    [
        ("ghcr.io/o/kg:1", REFUSED, "create secret docker-registry"),
        ("docker.io/o/kg:1", NO_SUCH, "tag REGISTRY/OWNER/NAME:TAG kg:latest"),
        ("docker.io/o/kg:1", LIMIT, "tag REGISTRY/OWNER/NAME:TAG kg:latest"),
        ("docker.io/o/kg:1", HUB, "tag REGISTRY/OWNER/NAME:TAG kg:latest"),
        ("o/kg:1", HUB, "tag REGISTRY/OWNER/NAME:TAG kg:latest"),
        ("quay.io/o/kg:1", AWAY, "oc -n demo import-image kg:latest"),
    ],
)
@pytest.mark.parametrize("kind", ["Deployment", "DeploymentConfig"])
def test_an_import_that_failed(origin, message, words, kind):
    facts = triggered(streams={("demo", "kg"): stream(origin=origin, failed=message)})
    if kind == "DeploymentConfig":
        config(facts)
    found = findings_of(facts)
    assert [f.name for f in found] == ["image-stream"] and not found[0].warning
    assert words in "\n".join(found[0].fix) and "import-image kg:latest" in found[0].fix[-1]
    assert message.split(": ")[-1][:20] in found[0].says[0]
    assert ("GHCR_TOKEN" in str(found[0].fix)) == (message == REFUSED)


def test_an_import_that_failed_of_what_runs_is_a_warning():
    facts = healthy()
    facts["workload"]["metadata"]["annotations"]["image.openshift.io/triggers"] = json.dumps(
        [{"from": {"kind": "ImageStreamTag", "name": "kg"}, "fieldPath": NAMED}]
    )
    facts["streams"] = {("demo", "kg"): stream(origin="ghcr.io/o/kg:1", items=[{}], failed=REFUSED)}
    found = findings_of(facts)
    assert [(f.name, f.warning) for f in found] == [("image-stream", True)]
    facts["streams"] = {("demo", "kg"): stream(origin="ghcr.io/o/kg:1", items=[{}])}
    assert verdict(facts) == []


@pytest.mark.parametrize(
    "more, fix",
    [
        ({"paused": True}, "oc -n demo set triggers deployment/kg-demo --auto"),
        ({"pause": "true"}, "oc -n demo set triggers deployment/kg-demo --auto"),
        (
            {"paused": "false"},
            "oc -n demo set triggers deployment/kg-demo --from-image=demo/kg:latest --containers=kg-demo",
        ),
    ],
)
def test_a_tag_whose_image_is_not_put_in(more, fix):
    facts = triggered(streams={("demo", "kg"): stream(items=[{"image": "sha256:1"}])}, **more)
    assert verdict(facts) == ["image-stream"] and fixes(facts) == [fix]


def test_a_deployment_config_that_waits_for_somebody():
    facts = config(triggered(streams={("demo", "kg"): stream(items=[{}])}), automatic=False)
    assert verdict(facts) == ["image-stream"]
    assert fixes(facts) == ["oc -n demo rollout latest dc/kg-demo"]


def test_a_stream_of_another_project_that_may_not_be_read():
    facts = triggered(streams={})
    trigger = {"kind": "ImageStreamTag", "name": "kg:1", "namespace": "shared"}
    facts["workload"]["metadata"]["annotations"]["image.openshift.io/triggers"] = json.dumps(
        [{"from": trigger, "fieldPath": NAMED}]
    )
    assert verdict(facts) == ["image-stream"]
    assert fixes(facts)[0] == "oc -n shared get imagestreamtag kg:1"


@pytest.mark.parametrize("annotation", [None, "", "{", "[1]", "null", '[{"from":{}}]'])
def test_a_blank_that_nothing_fills_in(annotation):
    facts = triggered()
    facts["workload"]["metadata"]["annotations"]["image.openshift.io/triggers"] = annotation
    assert verdict(facts) == ["image-stream"]
    assert fixes(facts) == [
        "oc -n demo set image deployment/kg-demo kg-demo=REGISTRY/OWNER/NAME:TAG"
    ]


def test_an_image_of_the_clusters_own_registry_without_its_tag():
    facts = healthy()
    image = "image-registry.openshift-image-registry.svc:5000/demo/kg:latest"
    template(facts)["containers"][0]["image"] = image
    status(facts, waiting={"reason": "ErrImagePull", "message": "authentication required"})
    facts["streams"] = {("demo", "kg"): stream("v1")}
    assert verdict(facts) == ["image-stream"]


def asked_of(monkeypatch, workload):
    """The paths that are asked for, where the cluster has this workload and no other kind."""
    asked = []

    def run(*words, **_):
        path = words[-1]
        asked.append(path)
        if path.endswith(f"/{workload['kind'].lower()}s/x"):
            return Done(0, json.dumps(workload), "")
        if "openshift.io" in path:
            return Done(1, "", "could not find the requested resource")
        if path.rpartition("/")[2].partition("?")[0].endswith("s"):
            return Done(0, json.dumps({"items": []}), "")
        return Done(0, "{}", "") if path.endswith("/demo") else Done(1, "", NOT_FOUND)

    monkeypatch.setattr(asked_cluster, "run", run)
    facts = gather(Question("oc", "demo", "x", [], github=False))
    return facts, [path for path in asked if "image.openshift.io" in path]


NOT_FOUND = 'Error from server (NotFound): "x" not found'


def deployment(annotations):
    pod = {"spec": {"containers": [{"name": "kg-demo", "image": " "}]}}
    return {
        "kind": "Deployment",
        "metadata": {"name": "x", "uid": "w", "annotations": annotations},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": pod},
    }


def test_streams_are_asked_for_where_a_workload_names_them_and_only_there(monkeypatch):
    facts, asked = asked_of(monkeypatch, deployment({}))
    assert asked == [] and facts.streams == {} and facts.unseen == []
    trigger = {"from": {"kind": "ImageStreamTag", "name": "kg:latest"}, "fieldPath": NAMED}
    facts, asked = asked_of(
        monkeypatch, deployment({"image.openshift.io/triggers": json.dumps([trigger])})
    )
    assert asked == ["/apis/image.openshift.io/v1/namespaces/demo/imagestreams/kg"]
    # A cluster without the kind has nothing to say of it.
    assert facts.streams == {} and facts.unseen == []


def test_what_the_server_refuses_a_deployment_config():
    facts = healthy()
    facts["workload"].update(kind="DeploymentConfig", status={"latestVersion": 2})
    facts.update(sets=[], pods=[])
    about = {"kind": "ReplicationController", "name": "kg-demo-2", "uid": "r"}
    message = "pods is forbidden: exceeded quota: small, requested: pods=1, used: pods=4"
    facts["events"] = [
        {"reason": "FailedCreate", "message": message, "involvedObject": about},
        {
            "reason": "FailedCreate",
            "message": "of the release before",
            "involvedObject": {**about, "name": "kg-demo-1"},
        },
    ]
    assert verdict(facts) == ["quota"]
    assert fixes(facts)[-1] == "oc -n demo rollout latest dc/kg-demo"


def test_pods_of_a_deployment_configs_release_before_are_older():
    facts = healthy()
    facts["workload"].update(
        kind="DeploymentConfig", status={"latestVersion": 2, "readyReplicas": 1}
    )
    facts["sets"] = []
    facts["pods"][0]["metadata"]["labels"] = {"deployment": "kg-demo-2"}
    facts["pods"].append(
        {
            **facts["pods"][0],
            "metadata": {
                **facts["pods"][0]["metadata"],
                "name": "kg-demo-1-z",
                "labels": {"deployment": "kg-demo-1"},
            },
        }
    )
    facts["pods"][1] = json.loads(json.dumps(facts["pods"][1]))
    facts["pods"][1]["status"]["conditions"][0]["status"] = "False"
    assert verdict(facts) == []
    facts["workload"]["spec"]["paused"] = True
    assert fixes(facts) == ["oc -n demo rollout resume deploymentconfig/kg-demo"]


@pytest.mark.parametrize(
    "reference",
    [
        {"name": "kg; rm -rf ~:1"},
        {"name": "kg:$(id)"},
        {"name": "kg:1", "namespace": "a`id`"},
        {"name": "../../secrets:1"},
        {"name": "kg?x:1"},
        {"name": None},
    ],
)
def test_what_is_no_name_goes_into_no_command(reference):
    facts = triggered()
    facts["workload"]["metadata"]["annotations"]["image.openshift.io/triggers"] = json.dumps(
        [{"from": {"kind": "ImageStreamTag", **reference}, "fieldPath": NAMED}]
    )
    assert sources_of(facts_of(facts).workload, "demo") == []
    assert verdict(facts) == ["image-stream"]


def test_an_origins_login_and_a_message_show_no_token():
    origin = "https://octocat:hunter2hunter@ghcr.io/o/kg:1"
    facts = triggered(
        streams={("demo", "kg"): stream(origin=origin, failed="401 for token: hunter2hunter")}
    )
    assert "hunter2" not in str(findings_of(facts)) and "401" in str(findings_of(facts))


def test_a_workload_without_triggers_has_no_source():
    assert sources_of(facts_of(healthy()).workload, "demo") == []
