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
NAME = re.compile(r"\$(\w+)|\$\{(\w+)")
OPERATOR = re.compile(r":?[-+?]|##?|%%?|//?")
# A name that a registry can have an image by (distribution/reference).
PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
REFERENCE = rf"(?:[\w.-]+(?::\d+)?/)?{PART}(?:/{PART})*(?::\w[\w.-]*)?(?:@[\w+.-]+:\w+)?"
BUILD_INPUTS = "(openshift/README.md, What the build needs)"
# What BuildKit sets by itself. With what the file sets, it is all that the workflow's build knows.
PLATFORM = {
    "TARGETPLATFORM": "linux/amd64",
    "TARGETOS": "linux",
    "TARGETARCH": "amd64",
    "BUILDPLATFORM": "linux/amd64",
    "BUILDOS": "linux",
    "BUILDARCH": "amd64",
    "TARGETVARIANT": "",
    "BUILDVARIANT": "",
}
# DockerHub's own hosts, by which an image may name it: known here to be warned of.
DOCKERHUB_HOSTS = (
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "registry.hub.docker.com",
)


@dataclass
class Scope:
    """The variables that one place of a Dockerfile knows.

    Before the first FROM, and in FROM, every other variable is empty. In a stage, only one that an
    ARG without a value declares is: the image that the stage is made from may set the others."""

    known: dict[str, str] = field(default_factory=dict)
    declared: set[str] = field(default_factory=set)
    is_global: bool = False

    def is_empty(self, name: str) -> bool:
        """Tell whether a variable without a value is empty here."""
        return self.is_global or name in self.declared


@dataclass
class Stage:
    """A build stage: what it sets, and what it takes from other stages and images."""

    user: str = ""
    exposed: list[str] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    wrong: list[Finding] = field(default_factory=list)
    scope: Scope = field(default_factory=Scope)


def shell_pattern(pattern: str, greedy: bool) -> str:
    """Return a shell's pattern (* and ?) as a regular expression."""
    anything = ".*" if greedy else ".*?"
    signs = {"*": anything, "?": "."}
    return "".join(signs.get(sign) or re.escape(sign) for sign in pattern)


def without_end(value: str, pattern: str, longest: bool) -> str:
    """Return a value without the end that fits a shell's pattern."""
    places = range(len(value) + 1)
    for place in places if longest else reversed(places):
        if re.fullmatch(shell_pattern(pattern, True), value[place:], re.DOTALL):
            return value[:place]
    return value


class Expansion:
    """A word of a Dockerfile, read as BuildKit's shell lexer reads it.

    `result` is the word without its quotes, its variables replaced; `missing` are the variables
    that were empty for want of a value, `refused` those that may not be (`${NAME:?why}`)."""

    def __init__(self, word: str, scope: Scope, escape: str = "\\") -> None:
        """Read a whole word."""
        self.word, self.scope, self.escape = word, scope, escape
        self.place = 0
        self.missing: list[str] = []
        self.refused: list[str] = []
        self.result = self.read_until("")

    def next(self) -> str:
        """Take the next sign off the word; "" at its end."""
        sign = self.word[self.place : self.place + 1]
        self.place += 1
        return sign

    def read_until(self, stops: str) -> str:
        """Read up to one of these signs, and over it, or to the end."""
        read = ""
        while self.place < len(self.word):
            sign = self.next()
            if sign in stops:
                break
            read += self.after(sign)
        return read

    def after(self, sign: str) -> str:
        """Return what a sign, and what belongs to it, stand for."""
        if sign == self.escape:
            return self.next()
        if sign == "'":
            return self.plain_until("'")
        if sign == '"':
            return self.quoted()
        return self.variable() if sign == "$" else sign

    def plain_until(self, stop: str) -> str:
        """Return what stands before a sign, as it is, and go over that sign."""
        text, _, _ = self.word[self.place :].partition(stop)
        self.place += len(text) + 1
        return text

    def quoted(self) -> str:
        """Read up to the closing double quote."""
        read = ""
        while self.place < len(self.word):
            sign = self.next()
            if sign == '"':
                break
            if sign == self.escape and self.word[self.place : self.place + 1] in ('"', "$", sign):
                sign = self.next()
            elif sign == "$":
                sign = self.variable()
            read += sign
        return read

    def variable(self) -> str:
        """Read a variable, whose $ has been read."""
        start = self.place - 1
        found = NAME.match(self.word, start)
        if not found:
            return "$"
        self.place = found.end()
        name = found[1] or found[2]
        operator = ""
        if found[2]:
            match = OPERATOR.match(self.word, self.place)
            operator = match[0] if match else ""
            self.place += len(operator)
        pattern = self.read_until("/") if operator in ("/", "//") else ""
        word = self.read_until("}") if found[2] else ""
        value = self.scope.known.get(name)
        if operator[-1:] in ("-", "+", "?") and operator:
            return self.chosen(name, value, operator, word)
        if value is not None:
            return changed(value, operator, pattern, word)
        if not self.scope.is_empty(name):
            return self.word[start : self.place]
        self.missing.append(name)
        return ""

    def chosen(self, name: str, value: str | None, operator: str, word: str) -> str:
        """Return what `-`, `+` or `?` make of a value; with a colon, an empty one is none."""
        is_there = value is not None and (value != "" or operator[0] != ":")
        if operator.endswith("+"):
            return word if is_there else ""
        if is_there:
            return value or ""
        if operator.endswith("?"):
            self.refused.append(name)
            return ""
        return word


def changed(value: str, operator: str, pattern: str, word: str) -> str:
    """Return a value without a beginning (#, ##) or an end (%, %%), or with a part replaced."""
    if operator in ("#", "##"):
        start = re.match(shell_pattern(word, operator == "##"), value, re.DOTALL)
        return value[start.end() :] if start else value
    if operator in ("%", "%%"):
        return without_end(value, word, operator == "%%")
    if operator in ("/", "//"):
        times = 1 if operator == "/" else 0
        return re.sub(shell_pattern(pattern, True), lambda _: word, value, count=times)
    return value


def split_words(text: str, escape: str = "\\") -> list[str]:
    """Return the words of an instruction: a blank in quotes, or escaped, separates none."""
    sign = re.escape(escape)
    word = rf"(?:\"(?:{sign}.|[^\"])*\"|'[^']*'|{sign}.|\$\{{[^}}]*\}}|\S)+"
    return re.findall(word, text, re.DOTALL)


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

    def __init__(self, escape: str = "\\") -> None:
        """Start before the first instruction."""
        self.escape = escape
        self.top = Scope(dict(PLATFORM), is_global=True)
        self.stages: dict[str, Stage] = {}
        self.stage = Stage(scope=self.top)
        self.name = ""

    def expanded(self, word: str, scope: Scope | None = None) -> Expansion:
        """Return a word without quotes, its variables replaced as far as they are known."""
        read = Expansion(word, scope or self.stage.scope, self.escape)
        self.stage.wrong += [needs_argument("its build stops", name) for name in read.refused]
        return read

    def value(self, word: str) -> str:
        """Return what a word of the stage stands for."""
        return self.expanded(word).result

    def is_pulled_from_dockerhub(self, image: str) -> bool:
        """Tell whether an image, its name filled in, is none of the stages and DockerHub's."""
        is_stage = image.isdigit() or image.lower() in self.stages
        return not is_stage and is_dockerhub(image)

    def follow(self, instruction: str, rest: str) -> None:
        """Take one instruction into account."""
        words = split_words(rest, self.escape)
        if instruction == "ARG":
            self.set_arguments(words)
        elif instruction == "ENV":
            self.set_variables(words, rest)
        elif instruction == "FROM":
            self.begin_stage(words)
        elif instruction == "COPY":
            self.take_from(r"--from=(\S+)", "COPY --from", rest)
        elif instruction == "RUN":
            self.take_from(r"--mount=(?:\S*,)?from=([^\s,]+)", "RUN --mount=from", rest)
            self.stage.wrong += mounted_inputs(words) + refused_in_shell(self.stage.scope, rest)
        elif instruction == "USER" and words:
            self.stage.user = self.value(words[0])
        elif instruction == "EXPOSE":
            self.stage.exposed = self.stage.exposed + [self.value(word) for word in words]

    def set_arguments(self, words: list[str]) -> None:
        """Follow ARG: in a stage, one without a value has that of the ARG before the first FROM."""
        scope = self.stage.scope
        for word in words:
            key, equals, given = word.partition("=")
            scope.declared.add(key)
            if equals:
                scope.known[key] = self.value(given)
            elif key in self.top.known:
                scope.known[key] = self.top.known[key]

    def set_variables(self, words: list[str], rest: str) -> None:
        """Follow ENV, in its old form (`ENV KEY value`), too."""
        known = self.stage.scope.known
        if words and "=" not in words[0]:
            known[words[0]] = self.value(rest[len(words[0]) :].strip())
            return
        for word in words:
            key, _, given = word.partition("=")
            known[key] = self.value(given)

    def begin_stage(self, words: list[str]) -> None:
        """Follow FROM: a stage begins with what the one that it is made from has said."""
        said = [word for word in words if not word.startswith("--")] or [""]
        read = self.expanded(said[0], self.top)
        image = read.result
        has_name = len(said) > 2  # noqa: PLR2004 - IMAGE AS NAME
        name = said[2].lower() if has_name else str(len(self.stages))
        base = self.stages.get(image.lower(), Stage())
        scope = Scope(dict(base.scope.known), set(base.scope.declared))
        stage = Stage(base.user, base.exposed, [image.lower()], scope=scope)
        is_nameable = image.lower() in self.stages or re.fullmatch(REFERENCE, image)
        if read.missing and not is_nameable:
            stage.wrong += [needs_argument(f"FROM {said[0]} names no image", read.missing[0])]
        elif self.is_pulled_from_dockerhub(image):
            stage.wrong.append((f"FROM {image} is pulled from DockerHub", other_registry(image)))
        stage.wrong += [needs_argument("its build stops", missing) for missing in read.refused]
        stage.wrong += self.platform_findings(words)
        self.stages[name] = stage
        self.stage, self.name = stage, name

    def platform_findings(self, words: list[str]) -> list[Finding]:
        """Return what FROM's --platform needs, and is not given."""
        found: list[Finding] = []
        for word in words:
            if word.startswith("--platform="):
                read = self.expanded(word.partition("=")[2], self.top)
                if read.missing and not read.result:
                    found.append(needs_argument(f"FROM {word} is empty", read.missing[0]))
        return found

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
                self.stage.wrong.append((what, "take it from an image in another registry"))

    def wrong(self) -> list[Finding]:
        """Return what the build pulls from DockerHub or is not given, each once.

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
                found += stage.wrong
        return list(dict.fromkeys(found))


def needs_argument(what: str, name: str) -> Finding:
    """Return that something needs a build argument that has no value."""
    fix = f"give ARG {name} a value, or put {name}=VALUE into the variable BUILD_ARGS"
    return f"{what} without the build argument {name}", f"{fix} {BUILD_INPUTS}"


def refused_in_shell(scope: Scope, command: str) -> list[Finding]:
    """Return the build arguments without a value that a command of RUN stops without."""
    stops = r"\$\{(\w+):?\?|^(?:test|\[) -n \"?\$\{?(\w+)\}?\"?(?= *\]? *(?:&&|;|$))"
    names = [match[1] or match[2] for match in re.finditer(stops, command)]
    left = [name for name in names if name in scope.declared and not scope.known.get(name)]
    return [needs_argument("its build stops", name) for name in left]


def mounted_inputs(words: list[str]) -> list[Finding]:
    """Return the secrets and keys that the mounts of a RUN ask for."""
    found: list[Finding] = []
    for word in words:
        if not word.startswith("--mount="):
            continue
        pairs = [pair.partition("=") for pair in word.partition("=")[2].split(",")]
        given = {key.lower(): value.strip("\"'") for key, _, value in pairs}
        target = given.get("target") or given.get("dst") or given.get("destination") or "secret"
        if given.get("type") == "secret":
            name = given.get("id") or target.rpartition("/")[2]
            is_needed = given.get("required", "false").lower() in ("", "true", "1")
            verb = "needs" if is_needed else "can use"
            fix = f"put {name}=VALUE into the secret BUILD_SECRETS {BUILD_INPUTS}"
            found.append((f"its build {verb} the secret {name}", fix))
        elif given.get("type") == "ssh":
            fix = "take a token instead, as a build secret: --mount=type=secret,id=NAME,env=NAME"
            found.append(("its build needs an SSH key, which the workflow does not have", fix))
    return found


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
    reader = Reader(directives.get("escape", "\\"))
    for instruction, rest in found:
        reader.follow(instruction, rest)
    wrong: list[Finding] = []
    syntax = directives.get("syntax", "")
    if is_dockerhub(syntax):
        what = f"its syntax line is pulled from DockerHub ({syntax})"
        wrong.append((what, "leave the line out; the builder has a frontend of its own"))
    wrong += reader.wrong()
    if not anyuid:
        wrong += user_finding(reader.stage.user)
    if port:
        wrong += port_finding(port, reader.stage.exposed)
    return wrong
