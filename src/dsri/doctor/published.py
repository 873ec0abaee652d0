"""Whether what runs is what was published last, and what GitHub says of the token."""

from __future__ import annotations

from dataclasses import dataclass

from dsri.doctor import commands
from dsri.doctor.case import Case
from dsri.doctor.credentials import NAME, REFUSED
from dsri.doctor.facts import ImageAnswer, Objects, TokenAnswer
from dsri.doctor.finding import Words
from dsri.doctor.objects import digest_in, image_host, is_settled, when
from dsri.doctor.registry import OK, host_of, split

SHOWN = len("sha256:") + 12  # characters of a digest
SOON = 30  # days before a token's end
KEEPS_OLD = (
    " With imagePullPolicy: IfNotPresent a node keeps the image it has: pin a digest, or use "
    "Always."
)


def digests_of(pods: Objects) -> dict[str, set[str]]:
    """Return {container: the digests of its image} that these pods run."""
    found: dict[str, set[str]] = {}
    for pod in pods:
        for status in pod.get("status", {}).get("containerStatuses") or []:
            digest = digest_in(status.get("imageID"))
            if digest and status.get("ready"):
                found.setdefault(status["name"], set()).add(digest)
    return found


def has_others_name(pods: Objects, container: str, image: str) -> bool:
    """Tell whether a node gives the image under another repository's name.

    It does so where both have the same content."""
    for pod in pods:
        for status in pod["status"].get("containerStatuses") or []:
            name = image_host(status.get("imageID") or "")
            if status["name"] == container and split(name)[:2] != split(image)[:2]:
                return True
    return False


@dataclass
class RunningImage:
    """The image of one container, as ready pods run it."""

    case: Case
    pods: Objects
    container: str
    digests: set[str]

    def __post_init__(self) -> None:
        """Look up the manifest's image, and what the registry says of it."""
        about = self.case.containers.get(self.container, {})
        self.image: str = about.get("image", "")
        self.answer = self.case.facts.registry.get(self.image)
        keeps_old = about.get("imagePullPolicy") == "IfNotPresent"
        self.policy = KEEPS_OLD if keeps_old else ""
        self.shown = sorted(self.digests)[0][:SHOWN]

    def check(self) -> None:
        """Find whether pods run an old image, different ones, or one that is gone."""
        if self.answer:
            self.would_not_start(self.answer)
            self.is_old(self.answer)
        has_other_name = has_others_name(self.pods, self.container, self.image)
        if len(self.digests) > 1 and not has_other_name:
            self.case.add("mixed-images", policy=self.policy)
        if not self.answer and "@" not in self.image:
            self.was_published_since()

    def would_not_start(self, answer: ImageAnswer) -> None:
        """Find an image that runs and could not be pulled again."""
        status = answer.manifest.status
        if status == OK:
            return
        asked = "Asked just now without a login: no secret is for this registry."
        if answer.secret:
            asked = "Asked just now with the secret's own credentials."
        host = host_of(self.image)
        words: Words = {"host": host, "status": status, "image": self.image, "asked": asked}
        if status in REFUSED:
            lines = commands.new_secret(self.case, answer.secret or NAME, host)
            self.case.add("token-refused/would-not-start", new_secret=lines, **words)
        else:
            self.case.add("image-missing/would-not-start", **words)

    def is_old(self, answer: ImageAnswer) -> None:
        """Find an image that is not the one that its tag, or latest, is now."""
        all_names = set(self.digests)
        for digest in self.digests:
            all_names |= set(answer.running.get(digest, []))
        is_known = any(answer.running.values())
        if has_others_name(self.pods, self.container, self.image) and not is_known:
            return
        published = answer.manifest.digests
        newest = answer.newest.digests if answer.newest else []
        if published and not all_names & set(published) and "@" not in self.image:
            self.case.add(
                "old-image/tag",
                tag=split(self.image)[2],
                running=self.shown,
                published=published[0][:SHOWN],
                policy=self.policy,
            )
        elif newest and not all_names & set(newest):
            self.case.add("old-image/pinned", running=self.shown, newest=newest[0][:SHOWN])

    def was_published_since(self) -> None:
        """Find an image that was published after the pods started, by the publish runs."""
        runs = self.case.facts.runs or []
        done = [when(run.updated) for run in runs if run.conclusion == "success"]
        starts = [when(pod["status"].get("startTime")) for pod in self.pods]
        began = min((start for start in starts if start), default=None)
        if not done or not done[0] or not began or done[0] <= began:
            return
        self.case.add(
            "old-image/published-since",
            published=f"{done[0]:%Y-%m-%d %H:%M}",
            started=f"{began:%Y-%m-%d %H:%M}",
            policy=self.policy,
        )


def image(case: Case) -> None:
    """Find whether what runs is what was published last."""
    ready = [pod for pod in case.current if is_settled(pod)]
    if case.is_run or not ready:
        return
    if case.older and case.broken and not case.findings:
        return
    for container, digests in digests_of(ready).items():
        RunningImage(case, ready, container, digests).check()


def token(case: Case) -> None:
    """Find a token that ends soon or may too much, where GitHub was asked."""
    for answer in case.facts.registry.values():
        if answer.token and answer.token.status == OK and answer.secret:
            check_token(case, answer.secret, answer.token)


def check_token(case: Case, secret: str, about: TokenAnswer) -> None:
    """Find what is wrong with the valid token in a pull secret."""
    ends = when(about.ends)
    days = (ends - case.now).days if ends else SOON
    lines = commands.new_secret(case, secret)
    if ends and days < SOON:
        in_days = f"in {days} days" if days > 0 else "today"
        words: Words = {"secret": secret, "in_days": in_days, "day": f"{ends:%Y-%m-%d}"}
        case.add("token-ends", new_secret=lines, **words)
    wide = sorted(set(about.scopes or []) - {"read:packages"})
    if wide:
        case.add("token-too-wide", secret=secret, scopes=", ".join(wide), new_secret=lines)
