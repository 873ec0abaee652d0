"""What holds for all findings: their order, their words, the screen."""

import copy
import re
import shlex
from pathlib import Path

import pytest
import yaml
from quoting import arguments_that_powershell_changes
from situation import (
    IMAGE,
    NOW,
    crashes,
    facts_of,
    findings_of,
    healthy,
    run_of,
    template,
    verdict,
)

from dsri.doctor import catalogue, commands
from dsri.doctor.case import Case
from dsri.doctor.catalogue import ORDER
from dsri.doctor.cluster import CannotLook
from dsri.doctor.findings import cannot_look
from dsri.doctor.screen import page


def test_findings_come_in_the_order_in_which_to_mend():
    facts = crashes(healthy(), "Read-only file system")
    facts["routes"][0].update(spec={"to": {"name": "kg-demo"}}, status={})
    facts["accounts"] = []
    facts["runs"] = [run_of("failure")]
    names = verdict(facts)
    assert (
        names
        == ["publish-failed", "no-account", "root-read-only", "route-no-host"]
        == sorted(names, key=ORDER.index)
    )


def test_the_screen_has_80_columns_but_for_commands():
    facts = crashes(healthy(), "Read-only file system " + "word " * 100)
    facts["accounts"] = []
    found = findings_of(facts, NOW)
    text = page("title", found, ["note " * 30])
    commands = [line for f in found for line in f.fix]
    assert (
        all(
            len(line) <= 80
            for line in text.splitlines()
            if not any(command in line for command in commands)
        )
        and "\x1b" not in text
    )


def test_every_entry_of_the_catalogue_is_used_and_each_that_is_used_is_there():
    folder = Path(catalogue.__file__).parent
    files = [file for file in folder.glob("*.py") if file.name != "catalogue.py"]
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    literals = set(re.findall(r'"([a-z0-9-]+(?:/[a-z0-9-]+)?)"', source))
    prefixes = set(re.findall(r'f"([a-z-]+/)\{', source))
    ends = tuple(re.findall(r'f"\{\w+\}(/[a-z-]+)"', source))
    for key in catalogue.ENTRIES:
        made = any(key.startswith(prefix) for prefix in prefixes) or key.endswith(ends)
        assert key in literals or made or key in catalogue.COULD_NOT_LOOK, key
    added = set(re.findall(r'case\.add\(\s*"([a-z0-9/-]+)"', source))
    assert added <= set(catalogue.ENTRIES)


@pytest.mark.parametrize("key", catalogue.ENTRIES)
def test_every_shell_passes_a_command_of_the_catalogue_on(key):
    entry = catalogue.ENTRIES[key]
    for line in [*entry.fix, *entry.fix_in_repository, entry.command]:
        assert arguments_that_powershell_changes(line) == []


@pytest.mark.parametrize(
    "value",
    [
        {"a": None, "b": 8080, "c": [{"d": "e"}]},
        {"on": "yes", "8": "0x1f", "true": "null"},
        {"a": "it's", "b": "two words", "c": "1.5", "d": "", "e": ".5", "f": "x: y", "g": "[z]"},
        {"op": "remove", "path": "/metadata/labels/a~1b", ".dockerconfigjson": "VALUE"},
    ],
)
def test_a_patch_is_yaml_that_reads_as_it_was_meant(value):
    assert yaml.safe_load(commands.flow(value)) == value
    assert yaml.safe_load(shlex.split(commands.patch_argument("spec", value))[0]) == {"spec": value}
    assert yaml.safe_load(shlex.split(commands.list_argument([value]))[0]) == [value]
    # What begins so is JSON to the tools.
    assert not shlex.split(commands.patch_argument("spec", value))[0].startswith("{")


def test_its_commands_go_to_the_cluster_and_project_that_were_looked_at():
    facts = healthy()
    facts["options"] = ["--context", "demo/api:6443/me"]
    facts["workload"]["spec"]["replicas"] = 0
    assert findings_of(facts, NOW)[0].fix == [
        "oc --context demo/api:6443/me -n demo scale deployment/kg-demo --replicas=1"
    ]
    facts["expected"] = {
        "folder": "openshift",
        "project": None,
        "user": None,
        "workload": facts["workload"],
        "objects": [],
    }
    lines = commands.apply(Case(facts_of(facts)))
    assert lines == ["oc --context demo/api:6443/me -n demo apply -k openshift"]


def test_containers_are_named_where_there_are_several():
    facts = healthy()
    template(facts)["containers"].append({**template(facts)["containers"][0], "name": "side"})
    template(facts)["initContainers"] = [
        {"name": "migrate", "image": IMAGE, "resources": {"limits": {"memory": "256Mi"}}}
    ]
    ended = {
        "ready": False,
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 4, "reason": "Error"}},
    }
    facts["pods"][0]["status"].update(
        conditions=[],
        containerStatuses=[{"name": "kg-demo", **ended}, {"name": "side", **ended}],
        initContainerStatuses=[
            {
                "name": "migrate",
                **ended,
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            }
        ],
    )
    facts["pods"].append(
        {
            **copy.deepcopy(facts["pods"][0]),
            "metadata": {**facts["pods"][0]["metadata"], "name": "kg-demo-1-b", "uid": "p2"},
        }
    )
    found = findings_of(facts, NOW)
    assert [f.what for f in found] == [
        "The container migrate took more memory than its limit of 256Mi, and was ended.",
        "The container kg-demo ends by itself, with status 4.",
        "The container side ends by itself, with status 4.",
    ]
    assert found[0].fix == [
        "oc -n demo set resources deployment/kg-demo -c migrate --limits=memory=512Mi"
    ]
    # Of several pods `logs deployment/…` takes the one that is ready.
    assert found[2].fix == ["oc -n demo logs kg-demo-1-a -c side --previous"]


@pytest.mark.parametrize(
    "said, words",
    [
        (
            "The connection to the server 10.0.0.1:6443 was refused HTTPS_PROXY is set.",
            "unset HTTPS_PROXY https_proxy",
        ),
        (
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "log in again",
        ),
    ],
)
def test_why_a_cluster_may_not_answer(said, words):
    assert words in str(cannot_look(CannotLook("unreachable", said)).fix)
