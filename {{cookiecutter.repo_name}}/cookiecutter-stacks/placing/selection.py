"""Which staged files suit a repository that has files of its own."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from .repository import Repository
from .staging import FOLDER, StagedFile

# Each changes how git and Docker read every file around it.
READ_FOR_ALL = {".dockerignore", ".gitattributes", ".gitignore"}
MANIFESTS = "openshift"
# These call, describe or update what is in `openshift`.
NEED_MANIFESTS = {
    os.path.join(".github", "sbom.Dockerfile"),
    os.path.join(".github", "workflows", "publish.yml"),
    os.path.join(".github", "workflows", "template-update.yml"),
    "README.md",
}
SCRIPT = os.path.join(MANIFESTS, "image.py")
SCRIPT_ATTRIBUTES = "linguist-vendored linguist-generated"
MANIFEST_ENDINGS = (".yaml", ".yml", ".json")
KUSTOMIZATIONS = ("kustomization", "kustomization.yaml", "kustomization.yml")
IS_MANIFEST = re.compile(r'(?m)^[\s{]*"?apiVersion"?\s*:')


@dataclass(frozen=True)
class Selection:
    """The staged files that go into a repository, and why others do not.

    `left_out` are the paths of the template that are not for this repository, now or later.
    `manifests` are the user's own ones, because of which no manifest of the template is added.
    """

    files: list[StagedFile]
    left_out: frozenset[str] = frozenset()
    manifests: tuple[str, ...] = ()


def select(files: list[StagedFile], repository: Repository) -> Selection:
    """Choose among the staged files, whose answers are filled in; stage what replaces some.

    What has its place taken stays in the selection: it is named among what was kept.
    """
    if not repository.has_files:
        return Selection(files)
    manifests = manifests_in_the_way(files, repository)
    left_out = {file.target for file in files if file.target in READ_FOR_ALL}
    if manifests:
        left_out |= {file.target for file in files if needs_manifests(file.target)}
    suitable = [
        file for file in files if file.target not in left_out or repository.taken(file.target)
    ]
    suitable += own_ignore_file(files, repository)
    suitable += own_attributes(suitable, repository)
    suitable.sort(key=lambda file: file.target)
    return Selection(suitable, frozenset(left_out), manifests)


def needs_manifests(path: str) -> bool:
    """Whether a file is a manifest, or useless without the template's manifests."""
    return path in NEED_MANIFESTS or path.startswith(MANIFESTS + os.sep)


def manifests_in_the_way(files: list[StagedFile], repository: Repository) -> tuple[str, ...]:
    """Give what the user has in `openshift` that the template's manifests would not fit.

    Nothing is in the way where nothing is missing, or where all that is there is the template's.
    """
    ours = [file for file in files if file.target.startswith(MANIFESTS + os.sep)]
    ours = [file for file in ours if os.path.basename(file.target) != "README.md"]
    places = {file: repository.taken(file.target) for file in ours}
    if all(places.values()):
        is_folder = os.path.isdir(MANIFESTS) and not os.path.islink(MANIFESTS)
        return () if is_folder else tuple(sorted({str(place) for place in places.values()}))
    same = {file.target for file, place in places.items() if place and is_as_staged(file, place)}
    taken = {place for place in places.values() if place and place not in same}
    others = {path for path in paths_in(MANIFESTS, repository) if is_manifest(path)}
    return tuple(sorted(taken | (others - same)))


def is_as_staged(file: StagedFile, path: str) -> bool:
    """Whether what stands at a path is the staged file, placed by an earlier run."""
    if path != file.target or not os.path.isfile(path):
        return False
    with open(path, "rb") as there, open(os.path.join(FOLDER, file.source), "rb") as staged:
        return there.read() == staged.read()


def paths_in(top: str, repository: Repository) -> list[str]:
    """Give the files below a folder, with those that a sparse checkout leaves out."""
    found = [path for path in repository.hidden if path.startswith(top + os.sep)]
    for folder, _, names in os.walk(top):
        found += [os.path.join(folder, name) for name in names]
    return found


def is_manifest(path: str) -> bool:
    """Whether a file holds a Kubernetes object, a kustomization or a Helm chart.

    One that cannot be read here is taken for a manifest by its name.
    """
    name = os.path.basename(path).lower()
    if name in KUSTOMIZATIONS:
        return True
    if not name.endswith(MANIFEST_ENDINGS):
        return False
    if not os.path.isfile(path):
        return True
    with open(path, encoding="utf-8", errors="replace") as file:
        return bool(IS_MANIFEST.search(file.read()))


def own_ignore_file(files: list[StagedFile], repository: Repository) -> list[StagedFile]:
    """Give the ignore file for the template's own Dockerfile, where that one is added.

    BuildKit reads `Dockerfile.dockerignore` for this Dockerfile alone, and `.dockerignore` for
    every Dockerfile that is built in the folder (docs.docker.com, Build context).
    """
    sources = {file.target: file.source for file in files}
    needed = ("Dockerfile", ".dockerignore")
    if any(name not in sources or repository.taken(name) for name in needed):
        return []
    return [StagedFile("Dockerfile.dockerignore", sources[".dockerignore"])]


def own_attributes(files: list[StagedFile], repository: Repository) -> list[StagedFile]:
    """Stage, for each folder that gets a script, attributes that name only that script.

    A clone on Windows would have it with CRLF, with which it does not start.
    """
    lines: dict[str, str] = {}
    for file in files:
        if not file.target.endswith(".sh") and file.target != SCRIPT:
            continue
        if repository.taken(file.target):
            continue
        folder, name = os.path.split(file.target)
        more = f" {SCRIPT_ATTRIBUTES}" if file.target == SCRIPT else ""
        lines[folder] = lines.get(folder, "") + f"/{name} text eol=lf{more}\n"
    return [staged_attributes(folder, text) for folder, text in lines.items()]


def staged_attributes(folder: str, text: str) -> StagedFile:
    """Stage the attributes for a folder, and give that file."""
    target = os.path.join(folder, ".gitattributes")
    source = os.path.join("attributes", target)
    os.makedirs(os.path.join(FOLDER, os.path.dirname(source)), exist_ok=True)
    with open(os.path.join(FOLDER, source), "w", encoding="utf-8", newline="") as file:
        file.write("# LF on Windows, too: with CRLF this script does not start.\n" + text)
    return StagedFile(target, source)
