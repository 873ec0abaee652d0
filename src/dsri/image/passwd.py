"""Gives the container's user a line in /etc/passwd, as the cluster's CRI-O does.

Source: cri-o, utils.GeneratePasswd, and setupContainerUser in server/container_create.go.
"""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path

from dsri.image.manifests import Subject
from dsri.image.options import ANY_UID, has_own_user
from dsri.kustomize import Object
from dsri.processes import run, written_by

OTHERS_WRITE = 0o022  # group or others may write the file: CRI-O leaves it as it is then


def user_id(subject: Subject, about: Object) -> str:
    """Return the number of the container's user; "" where the image's user has a name.

    `about` is what `docker image inspect` says of the image."""
    user = ANY_UID
    if has_own_user(subject.pod):
        user = about["Config"].get("User") or "0"
    number = user.partition(":")[0]
    return number if number.isdigit() else ""


def home_of(about: Object, known: dict[str, str]) -> str:
    """Return the folder that the line names: HOME of the container or of its image, else /."""
    if known.get("HOME"):
        return known["HOME"]
    for setting in about["Config"].get("Env") or []:
        name, _, value = setting.partition("=")
        if name == "HOME" and value:
            return str(value)
    return "/"


def passwd_of(image: str) -> tuple[bytes, int]:
    """Return (what the image's /etc/passwd holds, its mode); nothing where there is none."""
    created = run("docker", "create", image, "never-started")
    name = created.output.strip()
    if created.status:
        return b"", 0
    archive = written_by("docker", "cp", "--follow-link", f"{name}:/etc/passwd", "-")
    run("docker", "rm", "--volumes", name)
    if archive is None:
        return b"", 0
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        entry = files.next()
        held = files.extractfile(entry) if entry else None
        return (held.read(), entry.mode) if entry and held else (b"", 0)


def is_covered(container: Object) -> bool:
    """Tell whether the manifest mounts something in the place of the image's /etc/passwd."""
    mounted = {mount["mountPath"].rstrip("/") for mount in container.get("volumeMounts", [])}
    return bool(mounted & {"/etc", "/etc/passwd"})


def with_line(held: bytes, mode: int, user: str, home: str) -> bytes | None:
    """Return what /etc/passwd holds with a line for the user; None where CRI-O adds none.

    It adds none to a file that is not there, is empty, knows the user, or may be written by its
    group or by others."""
    is_known = re.search(rb"(?m)^[^:\n]*:[^:\n]*:%s:" % user.encode(), held)
    if not held or is_known or mode & OTHERS_WRITE:
        return None
    return held + f"{user}:x:{user}:0:{user} user:{home}:/sbin/nologin\n".encode()


def passwd_options(
    image: str, about: Object, subject: Subject, known: dict[str, str], folder: Path
) -> list[str]:
    """Return the options that give the container's user its line; the file is made in `folder`.

    `known` are the container's environment variables."""
    user = user_id(subject, about)
    if not user or is_covered(subject.container):
        return []
    held, mode = passwd_of(image)
    changed = with_line(held, mode, user, home_of(about, known))
    if changed is None:
        return []
    file = folder / "passwd"
    file.write_bytes(changed)
    file.chmod(mode)
    return ["--volume", f"{file}:/etc/passwd:ro"]
