"""The pull secrets: whether there is one, whether it can be used, and why a registry refuses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dsri.doctor import commands
from dsri.doctor.case import Case
from dsri.doctor.facts import ImageAnswer, Login, PullSecret, TokenAnswer
from dsri.doctor.image_streams import INSIDE
from dsri.doctor.objects import name_of, pull_secrets
from dsri.doctor.pull_secret import KEYS
from dsri.doctor.registry import OK, host_of, serves, split

NAME = "github-ghcr-secret"  # of the printed steps
REFUSED = (401, 403)
PULL_SCOPES = {"read:packages", "write:packages"}
# Kinds of token that are wrong wherever they stand, and those that only a failed pull shows.
NEVER_TAKEN = ("fine-grained", "of-a-workflow")
SELDOM_TAKEN = ("empty", "with-spaces", "placeholder", "of-openshift", *NEVER_TAKEN)
SECRET_FINDINGS = (
    "pull-secret-missing",
    "pull-secret-not-linked",
    "no-pull-secret",
    "pull-secret-type",
    "pull-secret-registry",
    "pull-secret-broken",
    "pull-secret-user",
    "pull-secret-token",
)


def accounts(case: Case) -> None:
    """Find a service account that is not there."""
    if case.facts.accounts is None or not case.template:
        return
    if case.account in [name_of(account) for account in case.facts.accounts]:
        return
    ask = "ask dsri-support-l@maastrichtuniversity.nl to add the account anyuid to the project"
    case.add("no-account", ask=[ask] if case.account == "anyuid" else [])


def login_for(secret: PullSecret | None, image: str) -> Login | None:
    """Return the login of a pull secret that is used for an image."""
    for place, login in (secret.registries if secret else {}).items():
        if serves(place, image):
            return login
    return None


@dataclass
class Check:
    """The look at one pull secret, for one image."""

    case: Case
    name: str
    image: str
    # Whether a pull was refused. Where pods run without the secret, only a form that ghcr.io never
    # takes is said, as a warning.
    is_certain: bool

    @property
    def host(self) -> str:
        """The image's registry."""
        return host_of(self.image)

    @property
    def secret(self) -> PullSecret | None:
        """What is known of the secret; None where it is not there."""
        return self.case.facts.secrets.get(self.name)

    def add(self, key: str, replace: bool = False, why: str = "", **words: Any) -> bool:
        """Add a finding, with the lines that make the secret again."""
        then = commands.restart(self.case) if self.is_certain else []
        lines = commands.new_secret(self.case, self.name, self.host, then, replace)
        self.case.add(
            key,
            warning=not self.is_certain,
            secret=self.name,
            host=self.host,
            why=why,
            new_secret=lines,
            **words,
        )
        return True

    def wrong_as_a_whole(self, secret: PullSecret) -> bool:
        """Add what keeps a secret from being used at all; tell whether there was something."""
        if secret.type not in KEYS:
            kind = f"the type {secret.type}" if secret.type else "a type"
            return self.add("pull-secret-type", replace=True, type=kind)
        if secret.broken or not secret.registries:
            return self.add("pull-secret-broken")
        if login_for(secret, self.image):
            return False
        places = ", ".join(place for place in sorted(secret.registries) if place)
        is_hub = any("docker.io" in place for place in secret.registries)
        why = "Without --docker-server a secret is for DockerHub." if is_hub else ""
        return self.add(
            "pull-secret-registry", why=why, places=places or "what is no name of a registry"
        )

    def wrong(self) -> bool:
        """Add what is wrong with the secret by its form; tell whether there was something."""
        secret = self.secret
        if not secret:
            return False
        if self.is_certain and self.wrong_as_a_whole(secret):
            return True
        login = login_for(secret, self.image)
        if not login:
            return False
        if login.user_is == "token":
            return self.add("pull-secret-user")
        wrong_kinds = SELDOM_TAKEN if self.is_certain else NEVER_TAKEN
        if self.host != "ghcr.io" or login.token not in wrong_kinds:
            return False
        is_elsewhere = login.token == "empty" and secret.elsewhere
        return self.add(f"pull-secret-token/{'elsewhere' if is_elsewhere else login.token}")


def check_unused(case: Case, image: str, names: list[str]) -> None:
    """Look at the secrets of pods that run: one that only stands ready is seldom a fault."""
    host = host_of(image)
    for name in names:
        check = Check(case, name, image, is_certain=False)
        check.wrong()
        is_private = host == "ghcr.io" and not case.current and not case.is_run
        if check.secret is None and name in case.facts.secrets and is_private:
            lines = commands.new_secret(case, name, host)
            case.add("pull-secret-missing/unused", secret=name, new_secret=lines)


def from_another_project(case: Case, image: str) -> bool:
    """Add that the account may not pull from another project; tell whether that is it."""
    inside = INSIDE.match(image)
    if not inside or inside[1] == case.project:
        return False
    words = (
        f"create rolebinding {case.project}-{case.account}-pulls "
        f"--clusterrole=system:image-puller --serviceaccount={case.project}:{case.account} "
        f"-n {inside[1]}"
    )
    grant = commands.for_cluster(case, words, in_project=False)
    case.add("no-pull-secret/another-project", other=inside[1], grant=grant)
    return True


def none_is_named(case: Case, image: str, elsewhere: list[tuple[str, str]]) -> None:
    """Add that neither the pod nor its account names a pull secret."""
    for account, secret in elsewhere:
        if login_for(case.facts.secrets.get(secret), image):
            lines = commands.link(case, secret)
            case.add("pull-secret-not-linked", secret=secret, other=account, link=lines)
            return
    host = host_of(image)
    then = [*commands.link(case, NAME), *commands.restart(case)]
    lines = commands.new_secret(case, NAME, host, then)
    case.add("no-pull-secret/none", host=host, image=image, new_secret=lines)


def check_secrets(case: Case, image: str, is_refused: bool) -> None:
    """Find what can be known of the pull secrets for an image without using them."""
    host = host_of(image)
    used, elsewhere = pull_secrets(case.template, case.facts.accounts)
    # In a project that nothing is deployed in yet, what the manifests name has to be there.
    is_early = not case.workload and host == "ghcr.io"
    if not is_refused and not is_early:
        check_unused(case, image, used)
        return
    if is_refused and from_another_project(case, image):
        return
    secrets = case.facts.secrets
    seen = [name for name in used if name in secrets]
    may_be_known = "secrets" not in case.facts.unseen and case.facts.accounts is not None
    if not seen and may_be_known:
        none_is_named(case, image, elsewhere)
        return
    gone = [name for name in seen if secrets[name] is None]
    if gone and len(gone) == len(seen):
        lines = commands.new_secret(case, gone[0], host, commands.restart(case))
        case.add("pull-secret-missing/needed", secret=gone[0], new_secret=lines)
        return
    check_used(case, image, [name for name in seen if secrets[name]])


def check_used(case: Case, image: str, names: list[str]) -> None:
    """Look at the secrets that are there; one that is in order is enough."""
    for name in names:
        check = Check(case, name, image, is_certain=True)
        if login_for(check.secret, image) and not check.wrong():
            return
    for name in names:
        Check(case, name, image, is_certain=True).wrong()


def reason_of_github(about: TokenAnswer | None) -> str:
    """Return the case of token-refused that GitHub's answer about a token tells; "" for none."""
    if not about:
        return ""
    if about.status == 401:  # noqa: PLR2004 - HTTP: unauthorized
        return "ended"
    if about.scopes is not None and not PULL_SCOPES & set(about.scopes):
        return "scope"
    return "valid" if about.status == OK else ""


def reason_of_registry(answer: ImageAnswer | None) -> str:
    """Return the case of token-refused that the registry's answer tells; "" for none."""
    if not answer:
        return ""
    if answer.without == OK:
        return "public"
    if answer.manifest.at == "login" and answer.manifest.status in REFUSED:
        return "login"
    if answer.manifest.at == "image" and answer.manifest.status in (*REFUSED, 404):
        return "image"
    return ""


def more_about_the_user(case: Case, login: Login | None) -> str:
    """Return what the user's name in a pull secret can tell."""
    if not login:
        return ""
    wanted = case.expected.user if case.expected else None
    if login.user and wanted and login.user.lower() != wanted.lower():
        return f" The secret's user is {login.user}; this repository's steps say {wanted}."
    if login.user_is == "email":
        return " The secret's user is an e-mail address; it should be the account's name."
    return ""


def more_about_the_runs(case: Case) -> str:
    """Return what the publish runs can tell of a pull that was refused."""
    runs = case.facts.runs
    if runs is None or any(run.conclusion == "success" for run in runs):
        return ""
    return " No publish run has ended well, so there may be no package yet."


def refused(case: Case, image: str, says: list[str]) -> None:
    """Add why the registry has refused a pull (401, 403).

    Either what is wrong with the secret was said, or it is the token itself."""
    if case.has(*SECRET_FINDINGS):
        return
    host, repository, _ = split(image)
    names = pull_secrets(case.template, case.facts.accounts)[0]
    there = [name for name in names if case.facts.secrets.get(name)]
    name = (there or names or [NAME])[0]
    answer = case.facts.registry.get(image)
    if answer and answer.manifest.status == OK:
        case.add("token-refused/renewed", says, host=host, secret=name)
        return
    reason = reason_of_github(answer.token if answer else None) or reason_of_registry(answer)
    more = "" if answer else " (dsri doctor --registry asks which.)"
    more += more_about_the_user(case, login_for(case.facts.secrets.get(name), image))
    more += more_about_the_runs(case)
    case.add(
        f"token-refused/{reason or 'unknown'}",
        says,
        host=host,
        secret=name,
        image=image,
        repository=repository,
        more=more,
        new_secret=commands.new_secret(case, name, host, commands.restart(case)),
    )
