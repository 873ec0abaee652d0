"""Secrets and ConfigMaps that a pod names and that are not there."""

from __future__ import annotations

from dsri.doctor import commands
from dsri.doctor.case import Case
from dsri.doctor.objects import needs_of
from dsri.kustomize import Object


def add_missing_key(case: Case, kind: str, name: str, key: str, says: list[str]) -> None:
    """Add that a Secret or ConfigMap has no such key."""
    field = "stringData" if kind.lower() == "secret" else "data"
    case.add(
        "config-missing/key",
        says,
        of=f"{name}/{key}",
        thing=thing(kind),
        config=name,
        config_kind=kind.lower(),
        key=key,
        patch=commands.patch_argument(field, {key: "VALUE"}),
    )


def thing(kind: str) -> str:
    """Return the name of a kind as people write it."""
    return "ConfigMap" if kind.lower() == "configmap" else "Secret"


def add_missing(case: Case, kind: str, name: str, says: list[str]) -> None:
    """Add that a Secret or ConfigMap is not there."""
    kind = kind.lower()
    if case.facts.existing.get((kind, name)):
        return  # it was made since; the kubelet tries again within two minutes
    if case.expected and name == f"{case.name}-token":
        case.add("config-missing/token", says, of=name, thing=thing(kind), config=name)
        return
    keys = ["KEY"]
    for need_kind, need_name, need_keys in needs_of(case.template):
        if (need_kind, need_name) == (kind, name) and need_keys:
            keys = need_keys
    case.add(
        "config-missing/thing",
        says,
        of=name,
        thing=thing(kind),
        config=name,
        make="configmap" if kind == "configmap" else "secret generic",
        literals=" ".join(f"--from-literal={key}=VALUE" for key in keys),
    )


def holder_of_key(pod: Object, volume_name: str, kind: str, key: str) -> str:
    """Return the name of the Secret or ConfigMap of a volume that should have a key.

    It may be one of several that are projected into the volume."""
    volume: Object = {}
    for one in pod["spec"].get("volumes") or []:
        if one["name"] == volume_name:
            volume = one
    field = "secret" if kind == "secret" else "configMap"
    places = [volume, *volume.get("projected", {}).get("sources", [])]
    sources = [place[field] for place in places if field in place]
    source = sources[0] if sources else {}
    for one in sources:
        if key in [item["key"] for item in one.get("items") or []]:
            source = one
            break
    return str(source.get("secretName") or source.get("name") or volume_name)
