"""The image: whether it was published, whether it may be pulled, and with what."""

import re

from dsri.doctor import registry
from dsri.doctor.hide import tail
from dsri.doctor.look import pull_secrets

REFUSED = re.compile(
    r"\b40[13]\b|unauthori[sz]ed|\bdenied\b|forbidden|authentication required|invalid username/password|no basic auth",
    re.IGNORECASE,
)
MISSING = re.compile(
    r"\b404\b|not found|manifest unknown|name unknown|manifest_unknown|name_unknown", re.IGNORECASE
)
LIMIT = re.compile(r"\b429\b|toomanyrequests|too many requests|rate limit", re.IGNORECASE)
PLATFORM = re.compile(
    r"no match for platform|no image found in (image index|manifest list)|does not match the specified platform|architecture \S+, variant",
    re.IGNORECASE,
)
NETWORK = re.compile(
    r"no such host|timed? ?out|deadline exceeded|refused|x509|\bEOF\b|unreachable|\b50[0234]\b|server misbehaving",
    re.IGNORECASE,
)
PULL = {
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "RegistryUnavailable",
    "ImageInspectError",
    "InvalidImageName",
    "SignatureValidationFailed",
}
KINDS_OF_REFUSAL = (
    ("platform", PLATFORM),
    ("limit", LIMIT),
    ("refused", REFUSED),
    ("missing", MISSING),
    ("network", NETWORK),
)


def publishing(case):
    """The last publish run, where `gh` tells of it."""
    runs = case.facts["runs"]
    if runs is None:
        return
    if not runs:
        if not case.workload or pull_failures(case):
            case.add(
                "never-published",
                "The image was never published: the workflow publish.yml has not run.",
                "",
                ["git push"],
            )
        return
    last = runs[0]
    if last["conclusion"] == "failure":
        log = last.get("log", "")
        # What was refused by the registry, in one line with its name or the push's: a test's own "permission denied" is none of it.
        if re.search(
            r"(?i)(ghcr\.io|push|package|container registry)[^\n]*(\bdenied|unauthorized|\b403\b)|(\bdenied|unauthorized|\b403\b)[^\n]*(ghcr\.io|push|package)",
            log,
        ):
            case.add(
                "publish-denied",
                "The last publish run was not allowed to write the package.",
                "Actions may not write it, for example because it was first pushed by hand.",
                [
                    "the package's settings, Manage Actions access: this repository, Write",
                    f"gh run rerun {last['databaseId']} --failed",
                ],
                tail(log, case.literal, 3),
            )
        else:
            case.add(
                "publish-failed",
                "The last publish run failed, so what was pushed last is not published.",
                last["url"],
                [f"gh run view {last['databaseId']} --log-failed"],
                tail(log, case.literal, 4),
            )


def accounts(case):
    names = [a["metadata"]["name"] for a in case.facts["accounts"] or []]
    if case.facts["accounts"] is not None and case.template and case.account not in names:
        ask = "ask dsri-support-l@maastrichtuniversity.nl to add the account anyuid to the project"
        case.add(
            "no-account",
            f"The project has no service account {case.account}.",
            "No pod is made for an account that is not there.",
            ([ask] if case.account == "anyuid" else [])
            + case.change(
                "serviceAccountName: default",
                f"set serviceaccount {case.kind.lower()}/{case.name} default",
            ),
        )


def pull_failures(case):
    """[(pod, container's status, image, what kind of failure, message)] of containers whose image is not pulled."""
    found = []
    for pod, status in case.statuses(case.current):
        waiting = status.get("state", {}).get("waiting", {})
        if waiting.get("reason") in PULL:
            events = [
                e.get("message", "")
                for e in case.events_of(
                    pod,
                    reasons=(
                        "Failed",
                        "InspectFailed",
                        "FailedToRetrieveImagePullSecret",
                        "InvalidImageName",
                    ),
                )
            ]
            spec = {
                c["name"]: c
                for c in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]
            }
            image = spec.get(status["name"], {}).get("image", status.get("image", ""))
            # What holds now goes before what was said earlier.
            for text in [waiting.get("message", ""), *reversed(events)]:
                kind = next(
                    (
                        kind
                        for kind, pattern in KINDS_OF_REFUSAL
                        if pattern.search(without_image(text, image))
                    ),
                    None,
                )
                if (
                    waiting["reason"] == "InvalidImageName"
                    or re.search(r"[A-Z]", image.partition("@")[0].rpartition(":")[0] or image)
                    or re.search(r"ambiguous list|short-name", text)
                ):
                    kind = "name"
                if kind:
                    break
            else:
                text = waiting.get("message", "")
            found.append((pod, status, image, kind, text))
    return found


def without_image(text, image):
    """The message without the image's own name, which may hold any word or number."""
    for word in sorted(
        {
            image,
            image.rpartition(":")[0],
            image.partition("@")[0],
            "/".join(registry.split(image)[:2]),
            registry.split(image)[1],
            registry.split(image)[2],
        },
        key=len,
        reverse=True,
    ):
        if len(word) > 3:
            text = text.replace(word, "")
    # CRI-O tries an image as an artifact, too, and says both errors; the first one counts.
    return re.sub(r"sha256:[0-9a-f]+", "", text.partition("artifact err:")[0])


def pull(case):
    images = sorted({c.get("image", "") for c in case.containers.values()})
    for image in images:
        check_secrets(case, image)
    for pod, status, image, kind, text in pull_failures(case):
        reason, said = status["state"]["waiting"]["reason"], case.say(text, image)
        if kind == "name":
            name = image.partition("@")[0]
            plain = re.sub(r"^\w+://", "", name)
            path, colon, tag = (
                plain.rpartition(":") if ":" in plain.rpartition("/")[2] else (plain, "", "")
            )
            small = path.lower() + colon + tag
            small = (
                small
                if small != name
                else "REGISTRY/" + name
                if re.fullmatch(r"[\w.-]+(/[\w.-]+)*(:[\w.-]+)?", name)
                and registry.split(name)[0] == "docker.io"
                else "REGISTRY/OWNER/NAME:TAG"
            )
            case.add(
                "image-name",
                f"The image's name is not one that can be pulled: {image}",
                "A name is REGISTRY/OWNER/NAME:TAG, without https:// and capital letters.",
                case.change(
                    f"image: {small}" + (" (and in kustomization.yaml)" if case.expected else ""),
                    f"set image {case.kind.lower()}/{case.name} {status['name']}={small}",
                ),
                said,
                of=status["name"],
            )
        elif kind == "platform":
            case.add(
                "image-platform",
                f"{image} is not built for the cluster's processors.",
                "DSRI is linux/amd64.",
                [
                    f"docker build --platform linux/amd64 -t {image.partition('@')[0]} . && docker push {image.partition('@')[0]}"
                ],
                said,
            )
        elif kind == "limit":
            case.add(
                "pull-limit",
                f"{registry.split(image)[0]} has answered that there were too many pulls (429).",
                "DockerHub limits the whole university's pulls together."
                if registry.split(image)[0] == "docker.io"
                else "",
                ["publish the image on ghcr.io, or take it from ghcr.io or quay.io"],
                said,
            )
        elif kind == "refused":
            refused(case, image, said)
        elif reason == "ErrImageNeverPull":
            case.add(
                "pull-failed",
                f"The image {image} is not on the node, and is not to be pulled.",
                "imagePullPolicy is Never.",
                case.change("imagePullPolicy: Always"),
                said,
                of=status["name"],
            )
        elif kind == "missing":
            missing(case, image, status["name"], said)
        elif kind == "network":
            case.add(
                "registry-unreachable",
                f"The cluster does not reach {registry.split(image)[0]}.",
                "The name may be wrong, or the registry down.",
                [
                    case.command(
                        f"get events --field-selector involvedObject.name={pod['metadata']['name']}"
                    )
                ],
                said,
            )
        elif text.strip():
            case.add(
                "pull-failed",
                f"The image {image} is not pulled ({reason}).",
                "",
                [case.command(f"describe pod {pod['metadata']['name']}")],
                said,
            )


def check_secrets(case, image):
    """What can be known of the pull secrets without using them. One that only stands ready for a public image is not a fault."""
    failing = any(
        broken == image and kind == "refused" for _, _, broken, kind, _ in pull_failures(case)
    )
    host = registry.split(image)[0]
    used, elsewhere = pull_secrets(case.template, case.facts["accounts"])
    # In a project that nothing is deployed in yet, what the manifests name has to be there.
    early = not case.workload and host == "ghcr.io"
    if not failing and not early:
        for name in used:
            suspicious(case, name, image, certain=False)
            if (
                case.facts["secrets"].get(name, "") is None
                and not case.current
                and host == "ghcr.io"
                and case.kind not in ("CronJob", "Job")
            ):
                case.add(
                    "pull-secret-missing",
                    f"The project has no secret {name}, which the pod names; a private image needs it.",
                    "",
                    case.secret(name, host=host),
                    warning=True,
                )
        return
    secrets = case.facts["secrets"]
    seen = [n for n in used if n in secrets]
    inside = re.match(
        r"(?:image-registry\.openshift-image-registry\.svc|default-route-openshift-image-registry\.)[^/]*/([^/]+)/",
        image,
    )
    if failing and inside and inside[1] != case.project:
        case.add(
            "no-pull-secret",
            f"The account {case.account} of {case.project} may not pull from the project {inside[1]}.",
            "The cluster's own registry wants no secret, but a right.",
            [
                case.command(
                    f"create rolebinding {case.project}-{case.account}-pulls --clusterrole=system:image-puller --serviceaccount={case.project}:{case.account} -n {inside[1]}",
                    project=False,
                ),
                *case.restart(),
            ],
        )
        return
    if not seen and "secrets" not in case.facts["unseen"] and case.facts["accounts"] is not None:
        fit = [
            (a, s)
            for a, s in elsewhere
            if any(
                registry.serves(place, image)
                for place in (secrets.get(s) or {}).get("registries", {})
            )
        ]
        if fit:
            account, secret = fit[0]
            case.add(
                "pull-secret-not-linked",
                f"The pull secret {secret} is linked to the account {account}; the pod runs as {case.account}.",
                "A pod takes what it names itself under imagePullSecrets, or else what its own account has.",
                case.link(secret) + case.restart(),
            )
        else:
            name = "github-ghcr-secret"
            case.add(
                "no-pull-secret",
                f"Neither the pod nor its account {case.account} names a pull secret.",
                f"{host} gives {image} to nobody without a login, or has no such image.",
                case.secret(name, host=host, then=case.link(name) + case.restart()),
            )
        return
    gone = [n for n in seen if secrets[n] is None]
    if gone and len(gone) == len(seen):
        case.add(
            "pull-secret-missing",
            f"The project has no secret {gone[0]}, which the pod names to pull its image.",
            "One in another project does not count.",
            case.secret(gone[0], host=host, then=case.restart()),
        )
        return
    for name in seen:
        if (
            secrets[name]
            and any(registry.serves(place, image) for place in secrets[name]["registries"])
            and not suspicious(case, name, image, certain=True)
        ):
            return
    for name in seen:
        if secrets[name]:
            suspicious(case, name, image, certain=True)


def suspicious(case, name, image, certain):
    """Add what is wrong with a secret by its form; whether there was something. Where pods run without it (`certain` is false), only a
    form that ghcr.io never takes is said, as a warning."""
    secret, host = case.facts["secrets"].get(name), registry.split(image)[0]
    if not secret:
        return False
    entry = next(
        (e for place, e in secret["registries"].items() if registry.serves(place, image)), None
    )
    if certain and secret.get("type") not in (
        "kubernetes.io/dockerconfigjson",
        "kubernetes.io/dockercfg",
    ):
        case.add(
            "pull-secret-type",
            f"The secret {name} is of {'the type ' + secret['type'] if secret.get('type') else 'a type'}, which no pull looks at.",
            "A pull secret is made by `create secret docker-registry`.",
            case.secret(name, replace=True, host=host, then=case.restart()),
        )
        return True
    if certain and (secret.get("broken") or not secret["registries"]):
        case.add(
            "pull-secret-broken",
            f"The secret {name} holds no login that can be read.",
            "",
            case.secret(name, host=host, then=case.restart()),
        )
        return True
    if certain and not entry:
        case.add(
            "pull-secret-registry",
            f"The secret {name} is for {', '.join(filter(None, sorted(secret['registries']))) or 'what is no name of a registry'}; the image comes from {host}.",
            "Without --docker-server a secret is for DockerHub."
            if any("docker.io" in r for r in secret["registries"])
            else "",
            case.secret(name, host=host, then=case.restart()),
        )
        return True
    if entry and entry.get("user_is") == "token":
        case.add(
            "pull-secret-user",
            f"In the secret {name}, a token stands where the user name should be.",
            "It is not shown here.",
            case.secret(name, host=host, then=case.restart() if certain else []),
            warning=not certain,
        )
        return True
    why = (
        {
            "empty": "It was made from a Docker configuration that keeps its logins elsewhere (credsStore)."
            if secret.get("elsewhere")
            else "The token in it is empty.",
            "with-spaces": "The token in it has a space or a line's end in it.",
            "placeholder": "What stands in it is a placeholder.",
            "fine-grained": "The token in it is a fine-grained one, which ghcr.io does not take.",
            "of-openshift": "The token in it is one of OpenShift's.",
            "of-a-workflow": "The token in it is a workflow's own, which ended with its run.",
        }.get(entry["token"])
        if entry and host == "ghcr.io"
        else None
    )
    if why and (certain or entry["token"] in ("fine-grained", "of-a-workflow")):
        case.add(
            "pull-secret-token",
            f"The secret {name} has no token that {host} takes.",
            why,
            case.secret(name, host=host, then=case.restart() if certain else []),
            warning=not certain,
        )
        return True
    return False


def asked(case, image):
    return case.facts["registry"].get(image) or {}


def refused(case, image, said):
    """The registry has refused (401, 403): what is wrong with the secret was said, or it is the token itself."""
    if case.has(
        "pull-secret-missing",
        "pull-secret-not-linked",
        "no-pull-secret",
        "pull-secret-type",
        "pull-secret-registry",
        "pull-secret-broken",
        "pull-secret-user",
        "pull-secret-token",
    ):
        return
    host = registry.split(image)[0]
    names = pull_secrets(case.template, case.facts["accounts"])[0]
    name = next(
        (n for n in names if case.facts["secrets"].get(n)),
        names[0] if names else "github-ghcr-secret",
    )
    answer, about = asked(case, image), asked(case, image).get("token") or {}
    entry = next(
        (
            e
            for place, e in (
                (case.facts["secrets"].get(name) or {}).get("registries") or {}
            ).items()
            if registry.serves(place, image)
        ),
        {},
    )
    user, wanted = entry.get("user"), case.expected.get("user")
    if answer.get("status") == 200:
        why = f"Asked just now with the secret {name}, {host} gives the image: the secret was renewed since."
        case.add("token-refused", f"{host} has refused the pull.", why, case.restart(), said)
        return
    if about.get("status") == 401:
        why = "GitHub says that the token is wrong, has ended or was taken back."
    elif about.get("scopes") is not None and not {"read:packages", "write:packages"} & set(
        about["scopes"]
    ):
        why = "The token lacks read:packages."
    elif about.get("status") == 200:
        why = f"The token is valid, but may not read {registry.split(image)[1]}: the account lacks access to the package, or the token lacks SSO."
    elif answer.get("without") == 200:
        why = "Without a login the image is given: the token is wrong or has ended. ghcr.io refuses such a token for a public image, too."
    elif answer.get("at") == "login" and answer["status"] in (401, 403):
        why = f"Asked just now, {host} refuses the login itself: the token is wrong, has ended or is fine-grained."
    elif answer.get("at") == "image" and answer["status"] in (401, 403, 404):
        why = f"Asked just now, {host} takes the login and refuses the image: the account lacks access to the package, or the token lacks SSO or read:packages."
    else:
        why = "The token is wrong, has ended, is fine-grained, lacks SSO, or its account may not read this package."
        if not answer:
            why += " (dsri doctor --registry asks which.)"
    if user and wanted and user.lower() != wanted.lower():
        why += f" The secret's user is {user}; this repository's steps say {wanted}."
    elif entry.get("user_is") == "email":
        why += " The secret's user is an e-mail address; it should be the account's name."
    if case.facts["runs"] is not None and not any(
        r["conclusion"] == "success" for r in case.facts["runs"]
    ):
        why += " No publish run has ended well, so there may be no package yet."
    case.add(
        "token-refused",
        f"{host} refuses the token in the secret {name} for {image}.",
        why,
        case.secret(name, host=host, then=case.restart()),
        said,
    )


def missing(case, image, container, said):
    host, repository, reference = registry.split(image)
    runs = case.facts["runs"]
    ours = host == "ghcr.io" and (case.expected or runs is not None)
    mend = (
        [f"gh run list --workflow publish.yml --repo {repository}"]
        if ours
        else [
            f"push it, or name one that is there{f' (https://{host}/{repository} shows them)' if host == 'ghcr.io' else ''}:"
        ]
    )
    if reference != "latest" or not ours:
        there = f"{host}/{repository}:{'latest' if host == 'ghcr.io' and reference != 'latest' else 'TAG'}"
        mend += case.change(
            f"image: {there}", f"set image {case.kind.lower()}/{case.name} {container}={there}"
        )
    why = "It was not published yet, or was cleaned up."
    if runs and runs[0]["status"] != "completed":
        why, mend = (
            "The publish run is under way.",
            [f"gh run watch {runs[0]['databaseId']} --repo {repository}"],
        )
    elif runs and runs[0]["conclusion"] == "success":
        why = "The last publish run ended well, so the name or the tag is another one, or the image was cleaned up."
    case.add(
        "image-missing",
        f"{host} has no image {repository}{'@' if reference.startswith('sha256:') else ':'}{reference}.",
        why,
        mend,
        said,
        of=container,
    )
