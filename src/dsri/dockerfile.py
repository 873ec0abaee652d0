"""Reads a Dockerfile as BuildKit does, and lists what in it would not run on the cluster.

The format is that of docs.docker.com/reference/dockerfile. Only the standard library is needed: a
copy of this file is part of the template (tools/build_image.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

Finding = tuple[str, str]  # what would not run, how to fix it
DIRECTIVE = r"#\s*(syntax|escape|check)\s*="
HERE_DOCUMENT = r"(?:^|\s)\d*<<(-?)([\"']?)(\w+)\2"
VARIABLE = r"\$(?:(\w+)|\{(\w+)(?::?([-+])([^}]*))?\})"
# What BuildKit sets by itself. With what the file sets, it is all that the workflow's build knows.
PLATFORM = {
    "TARGETPLATFORM": "linux/amd64",
    "TARGETOS": "linux",
    "TARGETARCH": "amd64",
    "BUILDPLATFORM": "linux/amd64",
    "BUILDOS": "linux",
    "BUILDARCH": "amd64",
}
# DockerHub's own hosts, by which an image may name it: known here to be warned of.
DOCKERHUB_HOSTS = (
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "registry.hub.docker.com",
)


@dataclass
class Stage:
    """A build stage: what it sets, and what it takes from other stages and images."""

    user: str = ""
    exposed: list[str] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    pulls: list[Finding] = field(default_factory=list)


def directives_of(lines: list[str]) -> dict[str, str]:
    """Take the parser directives off the top of a Dockerfile's lines, and return them."""
    found: dict[str, str] = {}
    while lines and re.match(DIRECTIVE, lines[0], re.IGNORECASE):
        key, _, given = lines.pop(0).lstrip("#").partition("=")
        found[key.strip().lower()] = given.strip()
    return found


def drop_here_documents(instruction: str, lines: list[str]) -> None:
    """Take the here-documents that an instruction begins off the lines after it."""
    for tabs, _, word in re.findall(HERE_DOCUMENT, instruction):
        for place, line in enumerate(lines):
            if (line.lstrip("\t") if tabs else line) == word:
                del lines[: place + 1]
                break


def instructions(text: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return ({directive: value}, [(INSTRUCTION, the rest of it)]) of a Dockerfile."""
    lines = text.lstrip("\ufeff").replace("\r\n", "\n").split("\n")
    directives = directives_of(lines)
    continued = re.escape(directives.get("escape", "\\")) + r"[ \t]*$"
    found: list[tuple[str, str]] = []
    joined = ""
    while lines:
        line = lines.pop(0)
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        joined += re.sub(continued, " ", line)
        if (re.search(continued, line) and lines) or not joined.strip():
            continue
        name, *rest = joined.split(None, 1)
        found.append((name.upper(), "".join(rest).strip()))
        if name.upper() in ("RUN", "COPY", "ADD"):
            drop_here_documents(joined, lines)
        joined = ""
    return directives, found


def is_dockerhub(image: str) -> bool:
    """Tell whether DockerHub answers for an image's name: it has no registry before its slash."""
    host, slash, _ = image.partition("/")
    if image in ("scratch", "") or image[0] in "$/":
        return False
    if not slash or not re.search(r"[.:]|^localhost$", host):
        return True
    return host in DOCKERHUB_HOSTS


class Reader:
    """Follows the instructions of a Dockerfile, one after the other."""

    def __init__(self) -> None:
        """Start before the first instruction."""
        self.known = dict(PLATFORM)
        self.stages: dict[str, Stage] = {}
        self.stage = Stage()
        self.name = ""

    def value(self, word: str) -> str:
        """Return a word without quotes, its variables replaced as far as they are known."""
        return re.sub(VARIABLE, self._replaced, word).replace('"', "").replace("'", "")

    def _replaced(self, match: re.Match[str]) -> str:
        set_to = self.known.get(match[1] or match[2])
        if match[3] == "-":
            return set_to or match[4]
        if match[3] == "+":
            return match[4] if set_to else ""
        return match[0] if set_to is None else set_to

    def is_pulled_from_dockerhub(self, image: str) -> bool:
        """Tell whether an image, its name filled in, is none of the stages and DockerHub's."""
        is_stage = image.isdigit() or image.lower() in self.stages
        return not is_stage and is_dockerhub(image)

    def follow(self, instruction: str, rest: str) -> None:
        """Take one instruction into account."""
        words = rest.split()
        if instruction in ("ARG", "ENV"):
            self.set_variables(instruction, words)
        elif instruction == "FROM":
            self.begin_stage([word for word in words if not word.startswith("--")] or [""])
        elif instruction == "COPY":
            self.take_from(r"--from=(\S+)", "COPY --from", rest)
        elif instruction == "RUN":
            self.take_from(r"--mount=(?:\S*,)?from=([^\s,]+)", "RUN --mount=from", rest)
        elif instruction == "USER" and words:
            self.stage.user = self.value(words[0])
        elif instruction == "EXPOSE":
            self.stage.exposed = self.stage.exposed + [self.value(word) for word in words]

    def set_variables(self, instruction: str, words: list[str]) -> None:
        """Follow ARG and ENV, the latter in its old form (`ENV KEY value`), too."""
        if instruction == "ENV" and words and "=" not in words[0]:
            self.known[words[0]] = self.value(" ".join(words[1:]))
            return
        for word in words:
            key, equals, given = word.partition("=")
            if equals:
                self.known[key] = self.value(given)

    def begin_stage(self, words: list[str]) -> None:
        """Follow FROM: a stage begins with what the one that it is made from has said."""
        image = self.value(words[0])
        has_name = len(words) > 2  # noqa: PLR2004 - IMAGE AS NAME
        name = self.value(words[2]).lower() if has_name else str(len(self.stages))
        base = self.stages.get(image.lower(), Stage())
        stage = Stage(base.user, base.exposed, [image.lower()])
        if self.is_pulled_from_dockerhub(image):
            stage.pulls.append((f"FROM {image} is pulled from DockerHub", other_registry(image)))
        self.stages[name] = stage
        self.stage, self.name = stage, name

    def take_from(self, option: str, shown: str, rest: str) -> None:
        """Follow what an instruction takes from other stages and images."""
        names = list(self.stages)
        for found in re.findall(option, rest):
            image = self.value(found)
            number = int(image) if image.isdigit() else None
            if number is None:
                self.stage.needs.append(image.lower())
            elif number < len(names):
                self.stage.needs.append(names[number])
            if self.is_pulled_from_dockerhub(image):
                what = f"{shown}={found} is pulled from DockerHub"
                self.stage.pulls.append((what, "take it from an image in another registry"))

    def pulls(self) -> list[Finding]:
        """Return what the build pulls from DockerHub, each once.

        Only what the last stage, or the one named test, takes something from is built."""
        built: set[str] = set()
        left = [self.name, "test"]
        while left:
            one = left.pop()
            if one not in built:
                built.add(one)
                left += self.stages.get(one, self.stage if one == "" else Stage()).needs
        found: list[Finding] = []
        for name, stage in [*self.stages.items()] or [("", self.stage)]:
            if name in built:
                found += stage.pulls
        return list(dict.fromkeys(found))


def other_registry(image: str) -> str:
    """Return where else to take DockerHub's image from; AWS has copies of the official ones."""
    official = re.fullmatch(r"(?:[\w.-]*docker\.io/)?(?:library/)?([\w.-]+(?:[:@]\S+)?)", image)
    fix = "take the image from ghcr.io, quay.io or registry.access.redhat.com"
    if official:
        fix += f" (public.ecr.aws/docker/library/{official[1]} is its copy)"
    return fix


def user_finding(user: str) -> list[Finding]:
    """Return what is wrong with the user of the last stage, as the cluster sees it.

    It has to be a number other than 0 (kubelet, runAsNonRoot). A variable whose name ends in UID
    is set by the base image, to a number."""
    if re.fullmatch(r"[1-9]\d*(:.+)?|\$\{?\w*UID\}?(:.+)?", user):
        return []
    what = "its last stage has no numeric USER" + (f" ({user})" if user else "")
    if user.partition(":")[0] == "0":
        what = "its last stage runs as root (USER 0)"
    return [(what, "add the line USER 1001:0 before CMD")]


def port_finding(port: str, exposed: list[str]) -> list[Finding]:
    """Return what is wrong with the ports that the last stage exposes."""
    low = False
    for word in exposed:
        match = re.fullmatch(r"(\d+)(?:-(\d+))?(?:/tcp)?", word, re.IGNORECASE)
        if not match:
            continue
        first, last = int(match[1]), int(match[2] or match[1])
        if first <= int(port) <= last:
            return []
        low = low or first < 1024  # noqa: PLR2004 - below it a port is root's
    others = sorted({re.sub("(?i)/tcp$", "", word) for word in exposed})
    what = f"it has no EXPOSE {port}" + (f" (but {', '.join(others)})" if exposed else "")
    fix = f"let the application listen on {port} and add EXPOSE {port}"
    return [(what, fix if low else f"{fix}, or generate with the port it has")]


def findings(text: str, port: str | None, anyuid: bool = False) -> list[Finding]:
    """Return what in a Dockerfile's text would not run on the cluster.

    `port` is the one that the application listens on, None where it is not known or there is none;
    with `anyuid` it is deployed with the service account of that name, as the image's own user.
    Each finding is (what, how to fix it); there are none where all is well."""
    directives, found = instructions(text)
    reader = Reader()
    for instruction, rest in found:
        reader.follow(instruction, rest)
    wrong: list[Finding] = []
    syntax = directives.get("syntax", "")
    if is_dockerhub(syntax):
        what = f"its syntax line is pulled from DockerHub ({syntax})"
        wrong.append((what, "leave the line out; the builder has a frontend of its own"))
    wrong += reader.pulls()
    if not anyuid:
        wrong += user_finding(reader.stage.user)
    if port:
        wrong += port_finding(port, reader.stage.exposed)
    return wrong
