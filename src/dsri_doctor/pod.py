"""The pod: whether the cluster makes it, and finds it a place and its storage."""

import re

MAXIMA = {"limits": {"cpu": "128", "memory": "512Gi", "ephemeral-storage": "50Gi"}, "requests": {"cpu": "32", "memory": "128Gi"}}


def amount(quantity):
    """A Kubernetes quantity as a number."""
    match = re.fullmatch(r"([0-9.]+(?:[eE][0-9]+)?)(m|[kKMGTPE]i?)?", str(quantity))
    if not match:
        return 0.0
    suffix = match[2] or ""
    if suffix == "m":
        return float(match[1]) / 1000
    return float(match[1]) * (1024 if suffix.endswith("i") else 1000) ** " KMGTPE".index((suffix or " ")[0].upper())


def admission(case):
    """Pods that the API server refuses."""
    holder = case.newest or (case.facts["jobs"][-1] if case.facts["jobs"] else case.workload)
    if not holder:
        return
    conditions = [c for c in holder.get("status", {}).get("conditions") or [] if c["type"] == "ReplicaFailure" and c["status"] == "True"]
    if case.newest is None and case.kind == "Deployment":
        conditions += [c for c in case.workload.get("status", {}).get("conditions") or [] if c["type"] == "ReplicaFailure" and c["status"] == "True"]
    messages = [c.get("message", "") for c in conditions]
    wanted = holder.get("spec", {}).get("replicas", holder.get("spec", {}).get("parallelism", 1)) or 0
    if not messages and len(case.current) < wanted:
        messages = [e.get("message", "") for e in case.events_of(holder, reasons=("FailedCreate",))[-1:]]
    for text in messages:
        said = case.say(text)
        if re.search(r"exceeded quota", text, re.IGNORECASE):
            quota = re.search(r"exceeded quota: ([\w.-]+)", text)
            case.add("quota", "The project's quota has no room for this pod.", "", [case.command(f"describe quota {quota[1] if quota else ''}").rstrip()]
                     + case.change("smaller resources, or fewer replicas", f"scale {case.kind.lower()}/{case.name} --replicas=1" if case.kind == "Deployment" and wanted > 1 else None), said)
        elif case.has("no-account") and re.search(r"service ?account", text, re.IGNORECASE):
            continue
        elif re.search(r"security context constraint|violates PodSecurity", text, re.IGNORECASE):
            security_context(case, said)
        elif not lacking(case) and re.search(r"\bmaxim(um|a)\b", text, re.IGNORECASE) and not too_much(case):
            case.add("maxima", "A container asks for more than the project allows.", "", case.change("smaller resources"), said)
        elif not lacking(case) and not too_much(case):
            case.add("pod-refused", "The API server refuses the pod.", "", [case.command(f"describe {case.kind.lower()} {case.name}")], said)
        # The server says one thing at a time; what it would say next can be seen in the same manifest.
        if lacking(case):
            default = {"requests": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"}}
            case.add("resources-missing", "The cluster refuses a container that leaves out a request or a limit.", f"Missing: {', '.join(lacking(case))}.",
                     case.change("requests and limits of cpu, memory and ephemeral-storage", set_resources(case, default, lambda part, kind: any(w.startswith(f"{part}.{kind}") for w in lacking(case)))), [] if case.has("security-context") else said)
        if too_much(case):
            case.add("maxima", "A container asks for more than DSRI allows.", "; ".join(too_much(case)) + ".",
                     case.change("no more than the maxima", set_resources(case, MAXIMA, lambda part, kind: any(w.startswith(f"{part}.{kind}") for w in too_much(case)))), [] if case.has("security-context") else said)
        if case.has("resources-missing", "maxima") and case.account != "anyuid" and fixed_users(case):
            security_context(case, [])


def security_context(case, said):
    fixed = fixed_users(case)
    case.add("security-context", "OpenShift refuses the pod's security context.", f"It sets {', '.join(fixed)}." if fixed else "It asks for a fixed user or group, or for privileges.",
             case.change(f"take out {', '.join(fixed) if fixed else 'runAsUser, fsGroup and the like'}") +
             ([] if case.account == "anyuid" else ["or, for an image that needs a fixed user: the account anyuid (ask DSRI's support)"]), said)


def set_resources(case, amounts, wanted):
    """The words of `set resources` for the amounts that are wanted."""
    options = {part: ",".join(f"{kind}={most}" for kind, most in kinds.items() if wanted(part, kind)) for part, kinds in amounts.items()}
    return f"set resources {case.kind.lower()}/{case.name} " + " ".join(f"--{part}={values}" for part, values in options.items() if values)


def fixed_users(case):
    """The fields that fix a user or a group, or ask for privileges."""
    found = []
    for where, context in [("pod", case.template.get("securityContext") or {})] + [(n, c.get("securityContext") or {}) for n, c in case.containers.items()]:
        found += [f"{field} ({where})" for field in ("runAsUser", "runAsGroup", "fsGroup", "supplementalGroups", "seLinuxOptions") if field in context]
        found += [f"{field} ({where})" for field in ("privileged", "allowPrivilegeEscalation") if context.get(field)]
        found += [f"capabilities.add ({where})"] if (context.get("capabilities") or {}).get("add") else []
    return found + [field for field in ("hostNetwork", "hostPID", "hostIPC") if case.template.get(field)]


def lacking(case):
    return [f"{part}.{kind}" + (f" ({name})" if len(case.containers) > 1 else "") for name, c in case.containers.items() for part in ("requests", "limits")
            for kind in ("cpu", "memory", "ephemeral-storage")
            if kind not in (c.get("resources", {}).get(part) or {}) and not (part == "requests" and kind in (c.get("resources", {}).get("limits") or {}))]


def too_much(case):
    return [f"{part}.{kind} is {c['resources'][part][kind]}, at most {most}" for c in case.containers.values() for part, kinds in MAXIMA.items() for kind, most in kinds.items()
            if amount((c.get("resources", {}).get(part) or {}).get(kind, 0)) > amount(most)]


def claims_of(case):
    return sorted({v["persistentVolumeClaim"]["claimName"] for v in case.template.get("volumes") or [] if "persistentVolumeClaim" in v})


def storage(case):
    have = {c["metadata"]["name"]: c for c in case.facts["claims"] or []}
    for name in claims_of(case):
        if case.facts["claims"] is None:
            break
        claim = have.get(name)
        if not claim:
            if case.workload:
                case.add("claim-missing", f"The storage {name} is not there: the project has no such PersistentVolumeClaim.", "", [case.apply()] if case.expected else [case.command("get pvc"), f"make the claim {name}, or name another one in the {case.kind}"])
        elif claim.get("status", {}).get("phase") != "Bound" and (case.broken or claim["status"].get("phase") == "Lost"):
            events = [e.get("message", "") for e in case.events_of(claim)][-1:]
            kind = claim["spec"].get("storageClassName")
            why = f"Its class is {kind}; DSRI's is ocs-storagecluster-cephfs." if kind != "ocs-storagecluster-cephfs" else f"It asks for {claim['spec']['resources']['requests']['storage']}."
            recreate = [f"in {case.expected['folder']}/pvc.yaml: storageClassName: ocs-storagecluster-cephfs", case.command(f"delete pvc {name}"), case.apply()] if case.expected else \
                [case.command(f"delete pvc {name}"), "make it again with storageClassName: ocs-storagecluster-cephfs"]
            case.add("claim-not-bound", f"The storage {name} is {claim['status'].get('phase', 'Pending').lower()}: it has no volume.", why,
                     recreate if kind != "ocs-storagecluster-cephfs" else [case.command(f"describe pvc {name}")], case.say(events[0]) if events else [])
    for pod in case.broken:
        for event in case.events_of(pod, reasons=("FailedMount", "FailedAttachVolume")):
            text = event.get("message", "")
            absent = re.search(r'(secret|configmap)s? "([^"]+)" not found', text)
            if absent and not any("running" in s.get("state", {}) for _, s in case.statuses([pod])):
                missing_config(case, absent[1], absent[2], case.say(text))
            elif "Multi-Attach" in text or re.search(r"already (used|exclusively attached)", text):
                case.add("volume-held", "Another pod holds the volume, which only one node may have (ReadWriteOnce).", "With a rolling update the new pod waits for the old one, and the old one for the new one.",
                         case.change("strategy: {type: Recreate}", f"patch deployment {case.name} -p '{{\"spec\":{{\"strategy\":{{\"type\":\"Recreate\",\"rollingUpdate\":null}}}}}}'"), case.say(text))
            elif not any("running" in s.get("state", {}) for _, s in case.statuses([pod])) and not absent:
                case.add("volume-not-mounted", "A volume cannot be mounted.", "A large volume is relabelled at each start, unless its pod has runtimeClassName: selinux." if case.template.get("runtimeClassName") != "selinux" and claims_of(case) else "",
                         [case.command(f"describe pod {pod['metadata']['name']}")], case.say(text))


def scheduling(case):
    for pod in case.broken:
        condition = next((c for c in pod.get("status", {}).get("conditions") or [] if c["type"] == "PodScheduled" and c["status"] == "False"), None)
        if not condition or pod["spec"].get("nodeName"):
            continue
        text = condition.get("message", "")
        if re.search(r"persistentvolumeclaim", text, re.IGNORECASE):
            if not case.has("claim-missing", "claim-not-bound"):
                case.add("claim-not-bound", "The pod waits for its storage.", "", [case.command("describe pvc")], case.say(text))
        elif "Insufficient" in text:
            short = sorted(set(re.findall(r"Insufficient ([\w./-]+)", text)))
            case.add("no-room", f"No node has free what the pod asks for: {', '.join(s.rstrip('.') for s in short)}.", "",
                     ["wait until others end, or:"] + case.change("smaller resources.requests", f"set resources {case.kind.lower()}/{case.name} --requests=cpu=100m,memory=256Mi"), case.say(text))
        else:
            case.add("not-scheduled", "No node takes the pod.", "", [case.command(f"describe pod {pod['metadata']['name']}")], case.say(text))


def missing_config(case, kind, name, said):
    kind = kind.lower()
    make = f"create configmap {name} --from-literal=KEY=VALUE" if kind == "configmap" else f"create secret generic {name} --from-literal=KEY=VALUE"
    step = ["openshift/README.md, step 5, makes it"] if case.expected and name == f"{case.name}-token" else [case.command(make)]
    case.add("config-missing", f"The {'ConfigMap' if kind == 'configmap' else 'Secret'} {name}, which the container names, is not there.", "", step, said)
