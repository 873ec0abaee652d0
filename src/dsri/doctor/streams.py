"""Images that OpenShift is to fill in from an image stream, and does not."""

from __future__ import annotations

from dsri.doctor import commands
from dsri.doctor.case import Case
from dsri.doctor.credentials import NAME
from dsri.doctor.finding import Words
from dsri.doctor.hide import hide
from dsri.doctor.image_streams import (
    Source,
    failed_import,
    has_image,
    is_blank,
    sources_of,
    wanted,
)
from dsri.doctor.objects import is_settled
from dsri.doctor.pulling import kind_of_failure
from dsri.doctor.registry import host_of
from dsri.kustomize import Object

PLACEHOLDER = "REGISTRY/OWNER/NAME:TAG"


class FromStream:
    """One container's image, and the ImageStreamTag that it comes from."""

    def __init__(self, case: Case, source: Source) -> None:
        """Take the source, and look up what is known of its stream."""
        self.case = case
        self.source = source
        self.image: str = case.containers.get(source.container, {}).get("image", "")
        self.stream = case.facts.streams.get(source.key)
        self.origin: Object = {}
        if self.stream:
            self.origin = wanted(self.stream, source.tag).get("from") or {}
        # What runs goes on to run without the tag.
        self.is_needed = is_blank(self.image) or not any(map(is_settled, case.current))

    def command(self, words: str) -> str:
        """Return a command of `oc` for the stream's project; kubectl has none for streams."""
        return commands.for_openshift(self.case, self.source.project, words)

    def import_again(self) -> str:
        """Return the command that imports the tag."""
        return self.command(f"import-image {self.source.name}")

    def add(self, key: str, says: list[str], fix: list[str]) -> None:
        """Add a finding; a container that has no image for it is looked at no more."""
        has_none = is_blank(self.image) or not self.has_image()
        if has_none and self.is_needed:
            self.case.without_image.add(self.source.container)
        words: Words = {
            "container": self.source.container,
            "tag": self.source.name,
            "stream": self.source.stream,
            "stream_project": self.source.project,
            "origin": hide(str(self.origin.get("name", "")), self.case.known_secrets),
            "lines": fix,
        }
        is_warning = not self.is_needed or not has_none
        self.case.add(key, says, of=self.source.container, warning=is_warning, **words)

    def has_image(self) -> bool:
        """Tell whether the tag has an image."""
        return self.stream is not None and has_image(self.stream, self.source.tag)

    def check(self) -> None:
        """Find why the image is not filled in, or is an old one."""
        if self.source.key not in self.case.facts.streams:
            self.not_seen()
            return
        if self.stream is None:
            self.add("image-stream/no-stream", [], self.make_the_tag())
            return
        message = failed_import(self.stream, self.source.tag)
        if message is not None:
            self.import_failed(message)
        elif not self.has_image():
            self.has_no_image()
        elif is_blank(self.image):
            self.not_filled_in()

    def not_seen(self) -> None:
        """Add that the image is a blank, where its stream may not be read."""
        if is_blank(self.image):
            look = self.command(f"get imagestreamtag {self.source.name}")
            self.add("image-stream/not-seen", [], [look, *self.make_the_tag()])

    def make_the_tag(self, image: str = PLACEHOLDER) -> list[str]:
        """Return the lines that give the tag an image: from a registry, or by a build."""
        return [
            self.command(f"tag {image} {self.source.name}"),
            f"or, where a BuildConfig makes it: {self.command('start-build NAME')}",
        ]

    def has_no_image(self) -> None:
        """Add that the stream has no image for the tag."""
        kind = self.origin.get("kind")
        if kind == "DockerImage":
            self.add("image-stream/not-imported", [], [self.import_again()])
        elif kind:
            self.add("image-stream/follows", [], self.make_the_tag())
        else:
            self.add("image-stream/no-tag", [], self.make_the_tag())

    def import_failed(self, message: str) -> None:
        """Add that the tag's image could not be imported."""
        origin = str(self.origin.get("name", ""))
        kind = kind_of_failure(message, origin, "")
        host = host_of(origin)
        if kind == "refused" and host != "docker.io" and self.source.project != self.case.project:
            secret = f"a pull secret for {host} in the project {self.source.project}; then:"
            fix = [secret, self.import_again()]
        elif kind == "refused" and host != "docker.io":
            fix = commands.new_secret(self.case, NAME, host, [self.import_again()])
        elif kind == "network":
            fix = [self.import_again()]
        else:
            # DockerHub says "unauthorized" of what it has not, too.
            fix = [self.command(f"tag {PLACEHOLDER} {self.source.name}"), self.import_again()]
        self.add("image-stream/import-failed", self.case.say(message, ours=False), fix)

    def not_filled_in(self) -> None:
        """Add that the tag has an image, and the trigger did not take it."""
        case, source = self.case, self.source
        if case.kind == "DeploymentConfig":
            fix = commands.restart(case)
        elif source.is_paused:
            fix = [commands.for_openshift(case, case.project, f"set triggers {case.target} --auto")]
        else:
            words = f"set triggers {case.target} --from-image={source.project}/{source.name}"
            words += f" --containers={source.container}"
            fix = [commands.for_openshift(case, case.project, words)]
        key = "image-stream/paused" if source.is_paused else "image-stream/not-filled-in"
        self.add(key, [], fix)


def streams(case: Case) -> None:
    """Find containers whose image is not filled in from its image stream."""
    sources = sources_of(case.workload, case.project)
    for source in sources:
        FromStream(case, source).check()
    filled = {source.container for source in sources}
    for name, container in case.containers.items():
        if is_blank(container.get("image", "")) and name not in filled:
            case.without_image.add(name)
            case.add("image-stream/none", of=name, container=name)
