"""All that is known of one application, as it was read from the cluster, GitHub and the registry.

Objects of the Kubernetes API stay as their JSON reads (dsri.kustomize.Object)."""

from __future__ import annotations

from dataclasses import dataclass, field

from dsri.kustomize import Object
from dsri.ports import Port

Objects = list[Object]


@dataclass
class Expected:
    """What the repository's manifests say should run."""

    workload: Object
    name: str
    folder: str
    project: str | None = None
    user: str | None = None  # of the printed steps: the login of the pull secret
    others: list[str] = field(default_factory=list)  # the names of its other workloads
    objects: list[tuple[str, str]] = field(default_factory=list)  # (kind, name) of all objects


@dataclass
class Login:
    """What may be known of one login in a pull secret; a user that may not be shown is empty."""

    user: str
    token: str  # a kind of token: see pull_secret.kind_of_token
    user_is: str = "login"  # see pull_secret.kind_of_user


@dataclass
class PullSecret:
    """What may be known of a pull secret; nothing in it is a secret."""

    type: str
    registries: dict[str, Login] = field(default_factory=dict)
    elsewhere: bool = False  # its Docker configuration keeps the logins in another place
    broken: bool = False


@dataclass
class ManifestAnswer:
    """What a registry answers to the question for one image."""

    status: int  # of HTTP; 0 where nobody answers
    at: str = ""  # what was refused: the login or the image
    digests: list[str] = field(default_factory=list)  # by which a node may know the image
    platforms: list[str] = field(default_factory=list)  # where linux/amd64 is none of them


@dataclass
class TokenAnswer:
    """What GitHub says of a token."""

    status: int
    ends: str | None = None  # a time
    scopes: list[str] | None = None


@dataclass
class ImageAnswer:
    """What a registry says of a container's image, with the pull secret's own login."""

    manifest: ManifestAnswer
    secret: str | None = None  # the name of the pull secret that has a login for it
    newest: ManifestAnswer | None = None  # of the tag latest, where the image has a digest
    running: dict[str, list[str]] = field(default_factory=dict)  # digest that runs → its others
    without: int | None = None  # the status without the login, where the login was refused
    token: TokenAnswer | None = None


@dataclass
class PublishRun:
    """One run of the workflow publish.yml, as `gh run list` has it."""

    number: int
    status: str
    conclusion: str
    event: str
    updated: str
    url: str
    log: str = ""


@dataclass
class Facts:
    """All that the findings are made from."""

    tool: str
    options: list[str]
    project: str
    name: str
    expected: Expected | None = None
    project_state: str = ""  # why the project could not be read: NotFound, Forbidden
    ending: list[str] | None = None  # what a project that is being deleted waits for
    unseen: list[str] = field(default_factory=list)  # the kinds that may not be read
    others: list[str] = field(default_factory=list)  # names of what is there instead
    workload: Object | None = None
    pods: Objects = field(default_factory=list)
    besides: Objects = field(default_factory=list)  # other applications' pods of the same labels
    sets: Objects = field(default_factory=list)  # a Deployment's ReplicaSets
    jobs: Objects = field(default_factory=list)  # oldest first
    policies: Objects = field(default_factory=list)
    accounts: Objects | None = None
    claims: Objects | None = None
    services: Objects | None = None
    routes: Objects | None = None
    events: Objects | None = None
    used: list[str] = field(default_factory=list)  # the names of the pull secrets of the pods
    secrets: dict[str, PullSecret | None] = field(default_factory=dict)
    existing: dict[tuple[str, str], bool] = field(default_factory=dict)  # (kind, name) → is there
    logs: dict[str, str] = field(default_factory=dict)  # "pod/container" → the end of its log
    ports: dict[str, list[Port] | None] = field(default_factory=dict)  # by "pod/container"
    registry: dict[str, ImageAnswer] = field(default_factory=dict)  # by image
    runs: list[PublishRun] | None = None  # newest first
    # (project, image stream) → the stream, None where it is not there.
    streams: dict[tuple[str, str], Object | None] = field(default_factory=dict)
    # Values out of pull secrets, which no output may have in it.
    withheld: set[str] = field(default_factory=set, repr=False)
