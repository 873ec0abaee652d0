"""The way to it, and which image it runs."""

import difflib
import json
import re

from dsri.doctor import registry
from dsri.doctor.case import settled, when
from dsri.doctor.look import leading, pod_of, target_of
from dsri.doctor.pull import asked


def network(case):
    """The Service and the Route that lead to the pods."""
    labels = pod_of(case.workload or {}).get("metadata", {}).get("labels") or {}
    services = case.facts["services"] or []
    for kind, name in case.expected.get("objects", []) if case.workload else []:
        have = {"Service": case.facts["services"], "Route": case.facts["routes"]}.get(kind)
        if have is not None and name not in [thing["metadata"]["name"] for thing in have]:
            case.add(
                "object-missing",
                f"The {kind} {name} is not there.",
                f"{case.expected['folder']}/ has it; it was deleted, or never applied.",
                [case.apply()],
            )
    mine = leading(services, labels)
    mine += [s for s in services if s["metadata"]["name"] == case.name and s not in mine]
    # One that a Route of the application's name leads to is meant for it, too.
    to = [
        r["spec"].get("to", {}).get("name")
        for r in case.facts["routes"] or []
        if r["metadata"]["name"] == case.name
    ]
    mine += [s for s in services if s["metadata"]["name"] in to and s not in mine]
    if case.kind in ("CronJob", "Job"):
        mine = []
    chooses = ((case.workload or {}).get("spec", {}).get("selector") or {}).get("matchLabels")
    for service in mine:
        chosen = service["spec"].get("selector") or {}
        name = service["metadata"]["name"]
        if not chosen or not labels:
            continue
        if not all(labels.get(k) == v for k, v in chosen.items()):
            case.add(
                "service-no-pods",
                f"The Service {name} leads to no pod of {case.name}.",
                "Its selector is "
                + ", ".join(f"{k}={v}" for k, v in chosen.items())
                + ", which the pods are not labelled with.",
                [case.apply()]
                if case.expected
                else [
                    case.command(
                        f"set selector service {name} "
                        + ",".join(f"{k}={v}" for k, v in chooses.items())
                    )
                ]
                if chooses
                else [case.command(f"edit service {name}")],
            )
            continue
        strangers = [
            p["metadata"]["name"]
            for p in case.facts["besides"]
            if all(p["metadata"].get("labels", {}).get(k) == v for k, v in chosen.items())
            and settled(p)
        ]
        if strangers:
            case.add(
                "service-shared",
                f"The Service {name} leads to another application's pods, too: {', '.join(strangers[:3])}.",
                "They have the same labels.",
                [
                    case.command(
                        f"get pods --show-labels -l {','.join(f'{k}={v}' for k, v in chosen.items())}"
                    ),
                    "give each application a label of its own, in its selector, its pods and its Service",
                ],
                warning=True,
            )
        service_ports(case, service)
    policies(case, labels, mine)
    ports = {p["containerPort"] for c in case.containers.values() for p in c.get("ports") or []}
    # A Route of the same name, or to a Service that leads here.
    for route in case.facts["routes"] or []:
        name, to = route["metadata"]["name"], route["spec"].get("to", {}).get("name")
        ours = [s["metadata"]["name"] for s in mine]
        mistyped = to not in [
            s["metadata"]["name"] for s in services
        ] and difflib.get_close_matches(to or "", ours, 1, 0.8)
        if name != case.name and to not in ours and not mistyped:
            continue
        service = next((s for s in services if s["metadata"]["name"] == to), None)
        target = route["spec"].get("port", {}).get("targetPort")
        entries = [
            c
            for i in route.get("status", {}).get("ingress") or []
            for c in i.get("conditions") or []
            if c["type"] == "Admitted"
        ]
        age = (
            case.now - (when(route["metadata"].get("creationTimestamp")) or case.now)
        ).total_seconds()
        no = next((c for c in entries if c["status"] == "False"), None)
        if case.facts["services"] is not None and not service:
            case.add(
                "route-service",
                f"The Route {name} leads to the Service {to}, which is not there.",
                "",
                [case.apply()]
                if case.expected
                else [
                    case.command(
                        f"patch route {name} --type=merge -p '"
                        + f'{{"spec":{{"to":{{"name":"{(mistyped or ours)[0]}"}}}}}}\''
                    )
                ]
                if mine
                else [
                    case.command(
                        f"expose {case.kind.lower()} {case.name} --name={to} --port=80 --target-port=PORT".replace(
                            "PORT", str(min(ports, default="PORT"))
                        )
                    )
                ],
            )
        elif (
            service
            and target is not None
            and target
            not in [
                v
                for p in service["spec"].get("ports") or []
                for v in (p.get("name"), p["port"], p.get("targetPort"))
            ]
        ):
            have = [p.get("name", p["port"]) for p in service["spec"].get("ports") or []]
            case.add(
                "service-port",
                f"The Route {name} leads to the port {target}, which the Service {to} does not have.",
                f"It has {', '.join(map(str, have))}.",
                [case.apply()]
                if case.expected
                else [
                    case.command(
                        f"patch route {name} --type=merge -p '"
                        + json.dumps(
                            {"spec": {"port": {"targetPort": have[0]}}}, separators=(",", ":")
                        )
                        + "'"
                    )
                ],
                of=f"route/{name}",
            )
        if no and not any(c["status"] == "True" for c in entries):
            case.add(
                "route-refused",
                f"The router does not take the Route {name} ({no.get('reason')}).",
                "Another Route has this host: leave host out, and the cluster gives one."
                if no.get("reason") == "HostAlreadyClaimed"
                else "",
                [
                    case.command(f"delete route {name}"),
                    case.apply()
                    if case.expected
                    else case.command(f"create route edge {name} --service={to}"),
                ],
                case.say(no.get("message")),
            )
        elif not route["spec"].get("host") and age > 10:
            case.add(
                "route-no-host",
                f"The Route {name} has no host, so there is no address.",
                "The cluster gives one when a Route is made without; its first label, route and project together, holds 63 characters.",
                [
                    case.command(f"delete route {name}"),
                    case.apply()
                    if case.expected
                    else case.command(f"create route edge {name} --service={to}"),
                ],
            )


def service_ports(case, service):
    """Whether a Service leads to a port on which the application listens, as far as that is known, else to one that its containers name."""
    name, containers = service["metadata"]["name"], list(case.containers.values())
    names = {p.get("name") for c in containers for p in c.get("ports") or []}
    numbers = sorted({p["containerPort"] for c in containers for p in c.get("ports") or []})
    listening = listens(case)
    wide = sorted({p for p, local in listening or [] if not local})
    ports = service["spec"].get("ports") or []
    for place, port in enumerate(ports):
        target, number = port.get("targetPort", port["port"]), target_of(port, containers)
        nobody = (
            listening is not None
            and service["spec"].get("clusterIP") != "None"
            and number
            and number not in wide
            and port.get("protocol", "TCP") == "TCP"
        )
        # A container may listen on a port that it does not name.
        unnamed = (
            number is None
            and target not in names
            or not listening
            and number not in numbers
            and all(c.get("ports") for c in case.template.get("containers", []))
        )
        if nobody and (number, True) in listening:
            case.add(
                "wrong-port",
                f"It listens on 127.0.0.1:{number} only, which nothing outside its pod reaches.",
                "",
                ["let the application listen on 0.0.0.0"],
            )
        elif nobody and not listening:
            case.add(
                "wrong-port",
                f"It runs, and listens on no port; the Service {name} leads to {number}.",
                "",
                [case.logs(case.current[0], containers[-1]["name"])],
            )
        elif nobody or unnamed:
            fit = [n for n in wide if n in numbers] or wide or numbers
            besides = bool(nobody) and any(target_of(p, containers) in wide for p in ports)
            patch = f'[{{"op":"replace","path":"/spec/ports/{place}/targetPort","value":{fit[0] if fit else 0}}}]'
            case.add(
                "service-port",
                f"The Service {name} leads to the port {target}, "
                + ("on which nothing listens." if nobody else "which the container does not have."),
                f"It {'listens on' if wide else 'has'} {', '.join(map(str, wide or numbers))}."
                if fit
                else "It names no port.",
                [
                    case.command(f"edit service {name}"),
                    f"there: take out the port {port['port']}, if nothing is to listen there",
                ]
                if besides
                else ["in openshift/service.yaml: targetPort: http", case.apply()]
                if case.expected and not nobody
                else [
                    f"let the application listen on {number}, or:",
                    *case.change(f"containerPort and PORT: {fit[0]}"),
                ]
                if case.expected and fit
                else [case.command(f"patch service {name} --type=json -p '{patch}'")]
                if len(fit) == 1
                else [
                    case.command(f"edit service {name}"),
                    "there: targetPort: the number of the port that it listens on",
                ],
                warning=besides,
                of=f"{name}/{place}",
            )


def listens(case):
    """[(port, whether only its own pod reaches it)] of a pod that has been ready for a while, and longer where there is none; None where that is not known."""
    for pod in case.current:
        began = [
            when(s["state"]["running"].get("startedAt"))
            for _, s in case.statuses([pod])
            if "running" in s.get("state", {})
        ]
        runs = min(((case.now - b).total_seconds() for b in began if b), default=0)
        for key, ports in case.facts["ports"].items():
            if (
                ports is not None
                and key.startswith(pod["metadata"]["name"] + "/")
                and settled(pod)
                and runs > (30 if ports else 120)
            ):
                return ports
    return None


def chosen_by(labels, selector):
    """Whether a NetworkPolicy's podSelector chooses pods with these labels."""
    return all(labels.get(k) == v for k, v in (selector.get("matchLabels") or {}).items()) and all(
        {
            "In": labels.get(e["key"]) in (e.get("values") or []),
            "NotIn": labels.get(e["key"]) not in (e.get("values") or []),
            "Exists": e["key"] in labels,
            "DoesNotExist": e["key"] not in labels,
        }[e["operator"]]
        for e in selector.get("matchExpressions") or []
    )


def policies(case, labels, services):
    """Whether the project's network policies let anybody in: the router, where there is a Route, else the project's other pods."""
    names = [s["metadata"]["name"] for s in services]
    routed = any(r["spec"].get("to", {}).get("name") in names for r in case.facts["routes"] or [])
    over = [
        p
        for p in case.facts["policies"] or []
        if "Ingress" in p["spec"].get("policyTypes", ["Ingress"])
        and chosen_by(labels, p["spec"].get("podSelector") or {})
    ]
    rules = [rule for p in over for rule in p["spec"].get("ingress") or []]
    if (
        not services
        or not over
        or any(
            not rule.get("from")
            or not routed
            or any("namespaceSelector" in peer or "ipBlock" in peer for peer in rule["from"])
            for rule in rules
        )
    ):
        return
    peer = (
        {"namespaceSelector": {"matchLabels": {"policy-group.network.openshift.io/ingress": ""}}}
        if routed
        else {"podSelector": {}}
    )
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"{case.name}-reached"},
        "spec": {"podSelector": {"matchLabels": labels}, "ingress": [{"from": [peer]}]},
    }
    who = "the router not" if routed else "nobody"
    case.add(
        "network-policy",
        f"The project's network policies let {who} reach it: {', '.join(p['metadata']['name'] for p in over)}.",
        "Its address gets no answer." if routed else "",
        [f"echo '{json.dumps(policy, separators=(',', ':'))}' | " + case.command("apply -f -")],
    )


def digests_of(pods):
    """{container: {digest}} that these pods run."""
    found = {}
    for pod in pods:
        for status in pod.get("status", {}).get("containerStatuses") or []:
            match = re.search(r"sha256:[0-9a-f]{64}", status.get("imageID") or "")
            if match and status.get("ready"):
                found.setdefault(status["name"], set()).add(match[0])
    return found


def others_name(pods, name, image_):
    """Whether a node gives the image under another repository's name, as it does where both have the same content."""
    ids = [
        s.get("imageID") or ""
        for p in pods
        for s in p["status"].get("containerStatuses") or []
        if s["name"] == name
    ]
    return any(
        registry.split(re.sub(r"^.*://", "", i))[:2] != registry.split(image_)[:2] for i in ids
    )


def image(case):
    """Whether what runs is what was published last."""
    ready = [p for p in case.current if settled(p)]
    if case.kind in ("CronJob", "Job") or not ready:
        return
    if case.older and case.broken and not case.findings:
        return
    for name, running_ in digests_of(ready).items():
        image_ = case.containers.get(name, {}).get("image", "")
        answer, pods_differ, shown = (
            asked(case, image_),
            len(running_) > 1,
            sorted(running_)[0][:19],
        )
        if answer.get("status") not in (None, 200):
            case.add(
                "token-refused" if answer["status"] in (401, 403) else "image-missing",
                f"It runs, but would not start again: {registry.split(image_)[0]} answers {answer['status']} for {image_}.",
                "Asked just now with the secret's own credentials."
                if answer.get("secret")
                else "Asked just now without a login: no secret is for this registry.",
                case.secret(
                    answer.get("secret") or "github-ghcr-secret", host=registry.split(image_)[0]
                )
                if answer["status"] in (401, 403)
                else ["git push"],
                warning=True,
            )
        published, newest = answer.get("digests"), (answer.get("newest") or {}).get("digests")
        running_ |= {
            d for digest in list(running_) for d in answer.get("running", {}).get(digest, [])
        }
        elsewhere = others_name(ready, name, image_) and not any(answer.get("running", {}).values())
        if published and not running_ & set(published) and "@" not in image_ and not elsewhere:
            case.add(
                "old-image",
                f"An older image runs: {registry.split(image_)[2]} is now another one.",
                f"{shown} runs, {published[0][:19]} is published." + pulls(case, name),
                case.restart(),
                warning=True,
            )
        elif newest and not running_ & set(newest) and not elsewhere:
            case.add(
                "old-image",
                "An older image runs than the newest one published.",
                f"It is pinned to {shown}; latest is {newest[0][:19]}.",
                ["the publish run's summary has the command (gh run view)"],
                warning=True,
            )
        if pods_differ and not others_name(ready, name, image_):
            case.add(
                "mixed-images",
                "Its pods run different images.",
                "They were started before and after a publish." + pulls(case, name),
                case.restart(),
                warning=True,
            )
        if answer or "@" in image_:
            continue
        done = next(
            (
                when(r["updatedAt"])
                for r in case.facts["runs"] or []
                if r["conclusion"] == "success"
            ),
            None,
        )
        began = min((when(p["status"].get("startTime")) for p in ready), default=None)
        if done and began and done > began:
            case.add(
                "old-image",
                "A newer image was published after its pods started.",
                f"Published {done:%Y-%m-%d %H:%M}, started {began:%Y-%m-%d %H:%M} (UTC)."
                + pulls(case, name),
                case.restart(),
                warning=True,
            )


def pulls(case, name):
    policy = case.containers.get(name, {}).get("imagePullPolicy")
    return (
        " With imagePullPolicy: IfNotPresent a node keeps the image it has: pin a digest, or use Always."
        if policy == "IfNotPresent"
        else ""
    )


def token_of(case):
    """What GitHub says of the token, when it was asked."""
    for image_, answer in case.facts["registry"].items():
        about, name = answer.get("token") or {}, answer.get("secret")
        ends = when(about.get("ends"))
        if about.get("status") == 200 and ends and (ends - case.now).days < 30:
            days = (ends - case.now).days
            case.add(
                "token-ends",
                f"The token in {name} ends {'in ' + str(days) + ' days' if days > 0 else 'today'}, on {ends:%Y-%m-%d}.",
                "Running pods keep running; the next pull fails.",
                case.secret(name),
                warning=True,
            )
        wide = sorted(set(about.get("scopes") or []) - {"read:packages"})
        if about.get("status") == 200 and wide:
            case.add(
                "token-too-wide",
                f"The token in {name} may more than read packages: {', '.join(wide)}.",
                "Who reads the project's secrets can use it.",
                case.secret(name),
                warning=True,
            )
