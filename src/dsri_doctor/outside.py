"""The way to it, and which image it runs."""

import re

from dsri_doctor import registry
from dsri_doctor.case import settled, when
from dsri_doctor.pull import asked


def network(case):
    """The Service and the Route that lead to the pods."""
    labels = {}
    for holder in (case.workload or {}).get("spec", {}), (case.workload or {}).get("spec", {}).get("jobTemplate", {}).get("spec", {}):
        labels = labels or holder.get("template", {}).get("metadata", {}).get("labels") or {}
    services = case.facts["services"] or []
    for kind, name in case.expected.get("objects", []) if case.workload else []:
        have = {"Service": case.facts["services"], "Route": case.facts["routes"]}.get(kind)
        if have is not None and name not in [thing["metadata"]["name"] for thing in have]:
            case.add("object-missing", f"The {kind} {name} is not there.", f"{case.expected['folder']}/ has it; it was deleted, or never applied.", [case.apply()])
    mine = [s for s in services if s["metadata"]["name"] == case.name] or \
        [s for s in services if s["spec"].get("selector") and all(labels.get(k) == v for k, v in s["spec"]["selector"].items())]
    # One that a Route of the application's name leads to is meant for it, too.
    to = [r["spec"].get("to", {}).get("name") for r in case.facts["routes"] or [] if r["metadata"]["name"] == case.name]
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
            case.add("service-no-pods", f"The Service {name} leads to no pod of {case.name}.", "Its selector is " + ", ".join(f"{k}={v}" for k, v in chosen.items()) + ", which the pods are not labelled with.",
                     [case.apply()] if case.expected else [case.command(f"set selector service {name} " + ",".join(f"{k}={v}" for k, v in chooses.items()))] if chooses else [case.command(f"edit service {name}")])
            continue
        strangers = [p["metadata"]["name"] for p in case.facts["besides"] if all(p["metadata"].get("labels", {}).get(k) == v for k, v in chosen.items()) and settled(p)]
        if strangers:
            case.add("service-shared", f"The Service {name} leads to another application's pods, too: {', '.join(strangers[:3])}.", "They have the same labels.",
                     [case.command(f"get pods --show-labels -l {','.join(f'{k}={v}' for k, v in chosen.items())}"), "give each application a label of its own, in its selector, its pods and its Service"], warning=True)
        names = {p.get("name") for c in case.containers.values() for p in c.get("ports") or []}
        numbers = {p["containerPort"] for c in case.containers.values() for p in c.get("ports") or []}
        for place, port in enumerate(service["spec"].get("ports") or []):
            target = port.get("targetPort", port["port"])
            if isinstance(target, str) and target not in names or isinstance(target, int) and numbers and target not in numbers:
                case.add("service-port", f"The Service {name} leads to the port {target}, which the container does not have.", f"It has {', '.join(str(n) for n in sorted(numbers))}." if numbers else "It names no port.",
                         ["in openshift/service.yaml: targetPort: http", case.apply()] if case.expected else
                         [case.command(f"patch service {name} --type=json -p '" + f'[{{"op":"replace","path":"/spec/ports/{place}/targetPort","value":{min(numbers)}}}]\'')] if len(numbers) == 1 else
                         [case.command(f"edit service {name}"), "there: targetPort: the number of the port that it listens on"])
    ports = {p["containerPort"] for c in case.containers.values() for p in c.get("ports") or []}
    # A Route of the same name, or to a Service that leads here.
    for route in case.facts["routes"] or []:
        name, to = route["metadata"]["name"], route["spec"].get("to", {}).get("name")
        if name != case.name and to not in [s["metadata"]["name"] for s in mine]:
            continue
        service = next((s for s in services if s["metadata"]["name"] == to), None)
        target = route["spec"].get("port", {}).get("targetPort")
        entries = [c for i in route.get("status", {}).get("ingress") or [] for c in i.get("conditions") or [] if c["type"] == "Admitted"]
        age = (case.now - (when(route["metadata"].get("creationTimestamp")) or case.now)).total_seconds()
        no = next((c for c in entries if c["status"] == "False"), None)
        if case.facts["services"] is not None and not service:
            case.add("route-service", f"The Route {name} leads to the Service {to}, which is not there.", "", [case.apply()] if case.expected else
                     [case.command(f"patch route {name} --type=merge -p '" + f'{{"spec":{{"to":{{"name":"{mine[0]["metadata"]["name"]}"}}}}}}\'')] if mine else
                     [case.command(f"expose {case.kind.lower()} {case.name} --name={to} --port=80 --target-port=PORT".replace("PORT", str(min(ports, default="PORT"))))])
        elif service and target is not None and target not in [v for p in service["spec"].get("ports") or [] for v in (p.get("name"), p["port"], p.get("targetPort"))]:
            case.add("service-port", f"The Route {name} leads to the port {target}, which the Service {to} does not have.", "", [case.apply()] if case.expected else [case.command(f"edit route {name}")])
        if no and not any(c["status"] == "True" for c in entries):
            case.add("route-refused", f"The router does not take the Route {name} ({no.get('reason')}).", "Another Route has this host: leave host out, and the cluster gives one." if no.get("reason") == "HostAlreadyClaimed" else "",
                     [case.command(f"delete route {name}"), case.apply() if case.expected else case.command(f"create route edge {name} --service={to}")], case.say(no.get("message")))
        elif not route["spec"].get("host") and age > 10:
            case.add("route-no-host", f"The Route {name} has no host, so there is no address.", "The cluster gives one when a Route is made without; its first label, route and project together, holds 63 characters.",
                     [case.command(f"delete route {name}"), case.apply() if case.expected else case.command(f"create route edge {name} --service={to}")])


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
    ids = [s.get("imageID") or "" for p in pods for s in p["status"].get("containerStatuses") or [] if s["name"] == name]
    return any(registry.split(re.sub(r"^.*://", "", i))[:2] != registry.split(image_)[:2] for i in ids)


def image(case):
    """Whether what runs is what was published last."""
    ready = [p for p in case.current if settled(p)]
    if case.kind in ("CronJob", "Job") or not ready:
        return
    if case.older and case.broken and not case.findings:
        return
    for name, running_ in digests_of(ready).items():
        image_ = case.containers.get(name, {}).get("image", "")
        answer, pods_differ, shown = asked(case, image_), len(running_) > 1, sorted(running_)[0][:19]
        if answer.get("status") not in (None, 200):
            case.add("token-refused" if answer["status"] in (401, 403) else "image-missing", f"It runs, but would not start again: {registry.split(image_)[0]} answers {answer['status']} for {image_}.",
                     "Asked just now with the secret's own credentials." if answer.get("secret") else "Asked just now without a login: no secret is for this registry.",
                     case.secret(answer.get("secret") or "github-ghcr-secret", host=registry.split(image_)[0]) if answer["status"] in (401, 403) else ["git push"], warning=True)
        published, newest = answer.get("digests"), (answer.get("newest") or {}).get("digests")
        running_ |= {d for digest in list(running_) for d in answer.get("running", {}).get(digest, [])}
        elsewhere = others_name(ready, name, image_) and not any(answer.get("running", {}).values())
        if published and not running_ & set(published) and "@" not in image_ and not elsewhere:
            case.add("old-image", f"An older image runs: {registry.split(image_)[2]} is now another one.", f"{shown} runs, {published[0][:19]} is published." + pulls(case, name), case.restart(), warning=True)
        elif newest and not running_ & set(newest) and not elsewhere:
            case.add("old-image", "An older image runs than the newest one published.", f"It is pinned to {shown}; latest is {newest[0][:19]}.",
                     ["the publish run's summary has the command (gh run view)"], warning=True)
        if pods_differ and not others_name(ready, name, image_):
            case.add("mixed-images", "Its pods run different images.", "They were started before and after a publish." + pulls(case, name), case.restart(), warning=True)
        if answer or "@" in image_:
            continue
        done = next((when(r["updatedAt"]) for r in case.facts["runs"] or [] if r["conclusion"] == "success"), None)
        began = min((when(p["status"].get("startTime")) for p in ready), default=None)
        if done and began and done > began:
            case.add("old-image", "A newer image was published after its pods started.", f"Published {done:%Y-%m-%d %H:%M}, started {began:%Y-%m-%d %H:%M} (UTC)." + pulls(case, name), case.restart(), warning=True)


def pulls(case, name):
    policy = case.containers.get(name, {}).get("imagePullPolicy")
    return " With imagePullPolicy: IfNotPresent a node keeps the image it has: pin a digest, or use Always." if policy == "IfNotPresent" else ""


def token_of(case):
    """What GitHub says of the token, when it was asked."""
    for image_, answer in case.facts["registry"].items():
        about, name = answer.get("token") or {}, answer.get("secret")
        ends = when(about.get("ends"))
        if about.get("status") == 200 and ends and (ends - case.now).days < 30:
            days = (ends - case.now).days
            case.add("token-ends", f"The token in {name} ends {'in ' + str(days) + ' days' if days > 0 else 'today'}, on {ends:%Y-%m-%d}.", "Running pods keep running; the next pull fails.", case.secret(name), warning=True)
        wide = sorted(set(about.get("scopes") or []) - {"read:packages"})
        if about.get("status") == 200 and wide:
            case.add("token-too-wide", f"The token in {name} may more than read packages: {', '.join(wide)}.", "Who reads the project's secrets can use it.", case.secret(name), warning=True)
