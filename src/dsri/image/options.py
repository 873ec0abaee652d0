"""The options of `docker run` that give a container what the cluster will give it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from dsri.image.manifests import Subject, content, environment
from dsri.kustomize import Object
from dsri.quantities import bytes_of

# What OpenShift's restricted-v2 gives a pod: a UID out of the project's range, and group 0.
ANY_UID = "1000650000:0"
# CRI-O's default capabilities, which a container that drops none has (cri-o, crio.conf,
# default_capabilities).
CRIO_CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "KILL",
)
EVERYBODY_READS = 0o755  # whatever this machine's umask


def has_own_user(pod: Object) -> bool:
    """Tell whether the cluster starts the pod as the image's own user."""
    return bool(pod.get("serviceAccountName") == "anyuid")


def user_options(pod: Object, security: Object) -> list[str]:
    """Return the options for the user and the capabilities."""
    if not has_own_user(pod):
        return ["--user", ANY_UID, "--cap-drop", "ALL"]
    options = ["--cap-drop", "ALL"]
    if "ALL" not in security.get("capabilities", {}).get("drop", []):
        options += [f"--cap-add={capability}" for capability in CRIO_CAPABILITIES]
    return options


def container_options(pod: Object, container: Object, objects: list[Object]) -> list[str]:
    """Return the options for what a container is given, but for its volumes."""
    security = container.get("securityContext", {})
    options: list[str] = []
    if security.get("allowPrivilegeEscalation") is False:
        options += ["--security-opt", "no-new-privileges"]
    options += user_options(pod, security)
    # Docker lets anybody take a port below 1024; the cluster's CRI-O does not (cri-o/cri-o#10050).
    options += ["--sysctl", "net.ipv4.ip_unprivileged_port_start=1024"]
    if security.get("readOnlyRootFilesystem"):
        options.append("--read-only")
    for name, value in environment(container, objects)[0].items():
        options += ["--env", f"{name}={value}"]
    limit = container.get("resources", {}).get("limits", {}).get("memory")
    if limit:
        options += ["--memory", str(bytes_of(limit))]
    if container.get("workingDir"):
        options += ["--workdir", container["workingDir"]]
    if container.get("command"):
        options += ["--entrypoint", container["command"][0]]
    return options


def make_readable(paths: Iterable[Path]) -> None:
    """Let the container's user read these files and folders."""
    for path in paths:
        path.chmod(EVERYBODY_READS)


def lay_out(files: dict[str, bytes], top: Path) -> None:
    """Write files below a folder, as a volume has them."""
    for name, data in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(data)
    make_readable([top, *top.rglob("*")])


def mounts(pod: Object, container: Object, objects: list[Object], folder: Path) -> list[str]:
    """Return the options for the container's mounts.

    What the manifests hold is laid out in `folder`; every other volume is empty."""
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
    options: list[str] = []
    for mount in container.get("volumeMounts", []):
        volume, where = volumes.get(mount["name"], {}), mount["mountPath"]
        files = content(volume, objects)
        if files is None:
            limit = volume.get("emptyDir", {}).get("sizeLimit")
            size = f",size={bytes_of(limit)}" if limit else ""
            options += ["--tmpfs", f"{where}:exec,mode=1777{size}"]
            continue
        top = Path(folder, mount["name"])
        lay_out(files, top)
        options += ["--volume", f"{top / mount.get('subPath', '')}:{where}:ro"]
    return options


def overlap(one: str, other: str) -> bool:
    """Tell whether one path is the other, or is in it."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def image_volumes(about: Object, container: Object) -> list[str]:
    """Return the options for the image's VOLUMEs, which are as read-only as the rest of it.

    Docker makes them writable; on the cluster they are folders of the image (cri-o, crio.conf,
    image_volumes). `about` is what `docker image inspect` says of the image."""
    if not container.get("securityContext", {}).get("readOnlyRootFilesystem"):
        return []
    mounted = [mount["mountPath"].rstrip("/") for mount in container.get("volumeMounts", [])]
    options: list[str] = []
    for path in about["Config"].get("Volumes") or {}:
        plain = path.rstrip("/")
        if not any(overlap(plain, one) for one in mounted):
            options += ["--mount", f"type=volume,destination={plain},readonly"]
    return options


def readable(path: Path, folder: Path) -> Path:
    """Return an example that the container's user can read: itself, or a copy in `folder`."""
    everything = [path, *path.rglob("*")]
    if all(one.stat().st_mode & 0o004 for one in everything):
        return path
    copied = shutil.copytree(path, folder / path.name) if path.is_dir() else None
    copy = Path(copied or shutil.copy(path, folder))
    make_readable([copy, *copy.rglob("*")])
    return copy


def job_options(subject: Subject, examples: Path, folder: Path) -> list[str]:
    """Return the options that make one container the whole Job, with `examples` on its storage."""
    container = subject.container
    options = ["--env", "JOB_COMPLETION_INDEX=0"]
    if any(variable["name"] == "JOB_COMPLETIONS" for variable in container.get("env", [])):
        options += ["--env", "JOB_COMPLETIONS=1"]
    volumes = subject.pod.get("volumes", [])
    storage = {volume["name"] for volume in volumes if "persistentVolumeClaim" in volume}
    for mount in container.get("volumeMounts", []):
        if mount["name"] not in storage or not examples.is_dir():
            continue
        for path in sorted(examples.iterdir()):
            source = readable(path, folder)
            options += ["--volume", f"{source}:{mount['mountPath']}/{path.name}:ro"]
    return options
