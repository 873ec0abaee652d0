"""The pod: whether the cluster makes it, and finds it a place and its storage."""

import re

from dsri.doctor.case import settled, when
from dsri.doctor.look import named, owned

MAXIMA = {
    "limits": {"cpu": "128", "memory": "512Gi", "ephemeral-storage": "50Gi"},
    "requests": {"cpu": "32", "memory": "128Gi"},
}


def amount(quantity):
    """A Kubernetes quantity as a number."""
    match = re.fullmatch(r"([0-9.]+(?:[eE][0-9]+)?)(m|[kKMGTPE]i?)?", str(quantity))
    if not match:
        return 0.0
    suffix = match[2] or ""
    if suffix == "m":
        return float(match[1]) / 1000
    return float(match[1]) * (1024 if suffix.endswith("i") else 1000) ** " KMGTPE".index(
        (suffix or " ")[0].upper()
    )


def admission(case):
    """Pods that the API server refuses."""
    holder = case.newest or (case.facts["jobs"][-1] if case.facts["jobs"] else case.workload)
    if not holder:
        return
    conditions = [
        c
        for c in holder.get("status", {}).get("conditions") or []
        if c["type"] == "ReplicaFailure" and c["status"] == "True"
    ]
    if case.newest is None and case.kind == "Deployment":
        conditions += [
            c
            for c in case.workload.get("status", {}).get("conditions") or []
            if c["type"] == "ReplicaFailure" and c["status"] == "True"
        ]
    messages = [c.get("message", "") for c in conditions]
    wanted = (
        holder.get("spec", {}).get("replicas", holder.get("spec", {}).get("parallelism", 1)) or 0
    )
    if not messages and len(case.current) < wanted:
        messages = [
            e.get("message", "") for e in case.events_of(holder, reasons=("FailedCreate",))[-1:]
        ]
    # Events are kept for an hour, and not for everybody; what the manifest lacks can be seen without them.
    old = (
        case.now - (when(holder["metadata"].get("creationTimestamp")) or case.now)
    ).total_seconds() > 60
    if not messages and not case.current and wanted and old and (lacking(case) or too_much(case)):
        messages = [""]
    for text in messages:
        said = case.say(text)
        if re.search(r"exceeded quota", text, re.IGNORECASE):
            no_room(case, text, said)
        elif case.has("no-account") and re.search(r"service ?account", text, re.IGNORECASE):
            continue
        elif re.search(r"security context constraint|violates PodSecurity", text, re.IGNORECASE):
            security_context(case, said)
        elif (
            not lacking(case)
            and re.search(
                r"\b(maxim|minim)(um|a)\b|\bmax limit to request ratio", text, re.IGNORECASE
            )
            and not too_much(case)
        ):
            bounds(case, text, said)
        elif not lacking(case) and not too_much(case):
            wish = next(
                (
                    field
                    for field in ("priorityClassName", "runtimeClassName")
                    if case.template.get(field) and field[:-4].lower() in text.lower()
                ),
                None,
            )
            case.add(
                "pod-refused",
                "The API server refuses the pod.",
                f"The cluster has no {wish[:1].upper()}{wish[1:-4]} {case.template[wish]}."
                if wish
                else "",
                take_out(case, wish)
                if wish
                else [case.command(f"describe {case.kind.lower()} {case.name}")],
                said,
            )
        # The server says one thing at a time; what it would say next can be seen in the same manifest.
        if lacking(case):
            default = {
                "requests": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "256Mi"},
                "limits": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"},
            }
            case.add(
                "resources-missing",
                "The cluster refuses a container that leaves out a request or a limit.",
                f"Missing: {', '.join(lacking(case))}.",
                case.change(
                    "requests and limits of cpu, memory and ephemeral-storage",
                    set_resources(case, default, lacks),
                ),
                [] if case.has("security-context") else said,
            )
        if too_much(case):
            case.add(
                "maxima",
                "A container asks for more than DSRI allows.",
                "; ".join(too_much(case)) + ".",
                case.change("no more than the maxima", set_resources(case, MAXIMA, exceeds)),
                [] if case.has("security-context") else said,
            )
        if (
            case.has("resources-missing", "maxima")
            and case.account != "anyuid"
            and fixed_users(case)
        ):
            security_context(case, [])


def no_room(case, text, said):
    """The quota leaves no room for one more pod: of a rollout, of several, or at all. A controller that was refused often tries again
    after a quarter of an hour only; a restart at once."""
    quota = re.search(r"exceeded quota: ([\w.-]+)", text)
    counts = re.search(r"requested: ([a-z/.,=0-9-]*\b)?(count/)?pods=", text)
    there, why, workload = len(case.current), "", f"{case.kind.lower()}/{case.name}"
    if case.older and case.kind == "Deployment":
        why = "A rollout starts a pod more before it ends an old one."
        mend = (
            case.change(
                "strategy.rollingUpdate: {maxSurge: 0, maxUnavailable: 1}",
                f'patch deployment {case.name} -p \'{{"spec":{{"strategy":{{"type":"RollingUpdate","rollingUpdate":{{"maxSurge":0,"maxUnavailable":1}}}}}}}}\'',
            )
            + case.restart()
        )
    elif there and case.kind in ("Deployment", "StatefulSet", "ReplicaSet"):
        why = f"It has room for {there} of {case.wanted()} pods."
        mend = case.change(
            f"replicas: {there}, or smaller resources", f"scale {workload} --replicas={there}"
        )
    elif counts:
        mend = [
            case.command("get deployments,statefulsets,jobs,pods"),
            "there: end what is no longer needed",
            *case.restart(),
        ]
    else:
        mend = case.change("smaller resources, or end what else is no longer needed")
    case.add(
        "quota",
        "The project's quota has no room for this pod.",
        why,
        [case.command(f"describe quota {quota[1] if quota else ''}").rstrip(), *mend],
        said,
    )


def bounds(case, text, said):
    """The project's LimitRange: what it says of one container's amount can be set as it says it."""
    amounts = {}
    for kind, bound, part, given in re.findall(
        r"imum ([\w.-]+) usage per Container is (\w+), but (limit|request) is (\w+)", text
    ):
        amounts.setdefault(part + "s", {})[kind] = (bound, given)
    less = re.search(r"\bminimum\b", text)
    bound = {
        part: {kind: most for kind, (most, _) in kinds.items()} for part, kinds in amounts.items()
    }
    words = set_resources(
        case,
        bound,
        lambda c, part, kind: (
            kind in amounts.get(part, {})
            and amount((c.get("resources", {}).get(part) or {}).get(kind))
            == amount(amounts[part][kind][1])
        ),
    )
    case.add(
        "maxima",
        f"A container asks for {'less' if less else 'more'} than the project allows.",
        "",
        case.change(f"{'larger' if less else 'smaller'} resources", words),
        said,
    )


def take_out(case, field):
    """The lines that leave a field out of the pod's specification."""
    remove = f'[{{"op":"remove","path":"/spec/template/spec/{field}"}}]'
    return case.change(
        f"take out {field}",
        f"patch {case.kind.lower()} {case.name} --type=json -p '{remove}'"
        if case.kind != "CronJob"
        else None,
    )


def security_context(case, said):
    fixed = fixed_users(case)
    case.add(
        "security-context",
        "OpenShift refuses what the pod asks for.",
        f"It sets {', '.join(fixed)}."
        if fixed
        else "It asks for a fixed user or group, or for privileges.",
        case.change(f"take out {', '.join(fixed) if fixed else 'runAsUser, fsGroup and the like'}")
        + (
            []
            if case.account == "anyuid" or fixed and not re.search("runAs|fsGroup", str(fixed))
            else [
                "or, for an image that needs a fixed user: the account anyuid (ask DSRI's support)"
            ]
        ),
        said,
    )


def set_resources(case, amounts, wanted):
    """The words of `set resources` for the amounts that are wanted; None where one command is not enough."""
    options = {
        name: " ".join(
            f"--{part}={values}"
            for part, kinds in amounts.items()
            for values in [
                ",".join(f"{kind}={most}" for kind, most in kinds.items() if wanted(c, part, kind))
            ]
            if values
        )
        for name, c in case.containers.items()
    }
    options = {name: words for name, words in options.items() if words}
    return (
        f"set resources {case.kind.lower()}/{case.name}"
        + "".join(f"{case.one(name)} {words}" for name, words in options.items())
        if len(options) == 1
        else None
    )


def fixed_users(case):
    """The fields that fix a user or a group, or ask for privileges."""
    found = []
    for where, context in [("pod", case.template.get("securityContext") or {})] + [
        (n, c.get("securityContext") or {}) for n, c in case.containers.items()
    ]:
        found += [
            f"{field} ({where})"
            for field in (
                "runAsUser",
                "runAsGroup",
                "fsGroup",
                "supplementalGroups",
                "seLinuxOptions",
            )
            if field in context
        ]
        found += [
            f"{field} ({where})"
            for field in ("privileged", "allowPrivilegeEscalation")
            if context.get(field)
        ]
        found += (
            [f"capabilities.add ({where})"]
            if (context.get("capabilities") or {}).get("add")
            else []
        )
    found += [
        f"hostPort ({where})"
        for where, c in case.containers.items()
        if any(p.get("hostPort") for p in c.get("ports") or [])
    ]
    return (
        found
        + [field for field in ("hostNetwork", "hostPID", "hostIPC") if case.template.get(field)]
        + [
            f"the hostPath volume {v['name']}"
            for v in case.template.get("volumes") or []
            if "hostPath" in v
        ]
    )


def lacking(case):
    return [
        f"{part}.{kind}" + (f" ({name})" if len(case.containers) > 1 else "")
        for name, c in case.containers.items()
        for part in ("requests", "limits")
        for kind in ("cpu", "memory", "ephemeral-storage")
        if lacks(c, part, kind)
    ]


def lacks(container, part, kind):
    """Whether DSRI asks for an amount that a container leaves out; a limit stands for a request, too."""
    given = container.get("resources", {})
    return kind not in (given.get(part) or {}) and not (
        part == "requests" and kind in (given.get("limits") or {})
    )


def exceeds(container, part, kind):
    """Whether an amount of a container is above DSRI's maximum."""
    return amount((container.get("resources", {}).get(part) or {}).get(kind, 0)) > amount(
        MAXIMA[part][kind]
    )


def too_much(case):
    return [
        f"{part}.{kind} is {c['resources'][part][kind]}, at most {most}"
        for c in case.containers.values()
        for part, kinds in MAXIMA.items()
        for kind, most in kinds.items()
        if exceeds(c, part, kind)
    ]


def claims_of(case):
    """The claims of its pods, as a StatefulSet names them for each, and of those to come."""
    return sorted(
        {
            v["persistentVolumeClaim"]["claimName"]
            for spec in [case.template, *(p["spec"] for p in case.current)]
            for v in spec.get("volumes") or []
            if "persistentVolumeClaim" in v
        }
    )


def storage(case):
    have = {c["metadata"]["name"]: c for c in case.facts["claims"] or []}
    for name in claims_of(case):
        if case.facts["claims"] is None:
            break
        claim = have.get(name)
        if claim and claim["metadata"].get("deletionTimestamp") and not case.broken:
            volumes = {
                v["name"]
                for v in case.template.get("volumes") or []
                if v.get("persistentVolumeClaim", {}).get("claimName") == name
            }
            mounts = [
                (c["name"], m["mountPath"])
                for c in case.template.get("containers", [])
                for m in c.get("volumeMounts") or []
                if m["name"] in volumes
            ]
            copy = [
                case.command(
                    f"exec {case.current[0]['metadata']['name']} -c {c} -- tar -C {path} -cf - . > {name}.tar"
                )
                for c, path in mounts[:1]
                if case.current
            ]
            case.add(
                "claim-ending",
                f"The storage {name} was deleted, and goes with its data when no pod uses it any more.",
                "Its pods still have it: do not restart them before you have a copy.",
                [
                    *copy,
                    "then make a claim of another name, put the copy there, and name it in the "
                    + case.kind,
                ],
                warning=True,
                of=name,
            )
        elif not claim:
            if case.workload:
                case.add(
                    "claim-missing",
                    f"The storage {name} is not there: the project has no such PersistentVolumeClaim.",
                    "",
                    [case.apply()]
                    if case.expected
                    else [
                        case.command("get pvc"),
                        f"make the claim {name}, or name another one in the {case.kind}",
                    ],
                    of=name,
                )
        elif claim.get("status", {}).get("phase") != "Bound" and (
            case.broken or claim["status"].get("phase") == "Lost"
        ):
            events = [e.get("message", "") for e in case.events_of(claim)][-1:]
            kind = claim["spec"].get("storageClassName")
            spec, other = claim["spec"], kind != "ocs-storagecluster-cephfs"
            why = (
                f"Its class is {kind}; DSRI's is ocs-storagecluster-cephfs."
                if other
                else f"It asks for {spec['resources']['requests']['storage']}, {', '.join(spec.get('accessModes') or [])}."
            )
            fit = (
                "storageClassName: ocs-storagecluster-cephfs"
                if other
                else "what the class can give"
            )
            mend = [] if other else [case.command(f"describe pvc {name}")]
            if case.workload and case.workload["spec"].get(
                "volumeClaimTemplates"
            ):  # they cannot be changed
                mend += [
                    case.command(f"delete statefulset {case.name}"),
                    case.command(f"delete pvc {name}"),
                    f"make both again with {fit}",
                ]
            elif other or claim["status"].get("phase") != "Lost":
                mend += [f"in {case.expected['folder']}/pvc.yaml: {fit}"] if case.expected else []
                mend += [
                    case.command(f"delete pvc {name}"),
                    case.apply() if case.expected else f"make it again with {fit}",
                ]
            case.add(
                "claim-not-bound",
                f"The storage {name} is {claim['status'].get('phase', 'Pending').lower()}: it has no volume.",
                why,
                mend,
                case.say(events[0]) if events else [],
                of=name,
            )
    for pod in case.broken:
        for event in case.events_of(pod, reasons=("FailedMount", "FailedAttachVolume")):
            text = event.get("message", "")
            absent = re.search(r'(secret|configmap)s? "([^"]+)" not found', text)
            no_key = re.search(
                r'volume "([^"]+)" : (?:references non-existent (secret) key|(configmap) references non-existent config key): (\S+)',
                text,
            )
            if no_key:
                missing_config(
                    case,
                    no_key[2] or no_key[3],
                    holder_of(pod, no_key[1], no_key[2] or no_key[3], no_key[4]),
                    case.say(text),
                    key=no_key[4],
                )
            elif absent and not any(
                "running" in s.get("state", {}) for _, s in case.statuses([pod])
            ):
                missing_config(case, absent[1], absent[2], case.say(text))
            elif "Multi-Attach" in text or re.search(r"already (used|exclusively attached)", text):
                held(case, text)
            elif (
                not any("running" in s.get("state", {}) for _, s in case.statuses([pod]))
                and not absent
            ):
                case.add(
                    "volume-not-mounted",
                    "A volume cannot be mounted.",
                    "A large volume is relabelled at each start, unless its pod has runtimeClassName: selinux."
                    if case.template.get("runtimeClassName") != "selinux" and claims_of(case)
                    else "",
                    [case.command(f"describe pod {pod['metadata']['name']}")],
                    case.say(text),
                )


def holder_of(pod, volume, kind, key):
    """The Secret or ConfigMap of a volume, which may be one of several that are projected into it, that should have a key."""
    volume = next(
        (v for v in pod["spec"].get("volumes") or [] if v["name"] == volume), {"name": volume}
    )
    field = "secret" if kind == "secret" else "configMap"
    sources = [
        s[field] for s in [volume, *volume.get("projected", {}).get("sources", [])] if field in s
    ]
    source = next(
        (s for s in sources if key in [i["key"] for i in s.get("items") or []]),
        sources[0] if sources else {},
    )
    return source.get("secretName") or source.get("name") or volume["name"]


# What a pod may ask of a node, and the scheduler's word for it.
WISHES = (
    ("schedulingGates", "gates"),
    ("topologySpreadConstraints", "topology spread"),
    ("nodeSelector", "node affinity/selector|node selector"),
    ("affinity", "affinity"),
)


def scheduling(case):
    if case.kind == "DaemonSet" and case.wanted() == 0:
        wish = next((field for field, _ in WISHES if case.template.get(field)), None)
        case.add(
            "not-scheduled",
            "No node takes the pod.",
            f"The reason is its {wish}." if wish else "",
            take_out(case, wish) if wish else [case.command(f"describe daemonset {case.name}")],
        )
    for pod in case.broken:
        conditions = {c["type"]: c for c in pod.get("status", {}).get("conditions") or []}
        condition = conditions.get("PodScheduled")
        other = case.template.get("schedulerName", "default-scheduler")
        age = (
            case.now - (when(pod["metadata"].get("creationTimestamp")) or case.now)
        ).total_seconds()
        if (
            not condition
            and other != "default-scheduler"
            and not pod["spec"].get("nodeName")
            and age > 20
        ):
            case.add(
                "not-scheduled",
                "No node takes the pod.",
                f"It waits for the scheduler {other}, which does not look at it.",
                take_out(case, "schedulerName"),
            )
        if not condition or condition["status"] != "False" or pod["spec"].get("nodeName"):
            continue
        text = condition.get("message", "")
        if "ReadWriteOncePod" in text:
            held(case, text)
        elif re.search(r"persistentvolumeclaim", text, re.IGNORECASE):
            being = re.search(r'persistentvolumeclaim "([^"]+)" is being deleted', text)
            if being:
                case.add(
                    "claim-missing",
                    f"The storage {being[1]} is being deleted, and goes when no pod uses it any more.",
                    "Its data goes with it.",
                    [
                        case.command(f"describe pvc {being[1]}"),
                        case.apply()
                        if case.expected
                        else f"make the claim {being[1]} again, once it has gone",
                    ],
                    case.say(text),
                )
            elif not case.has("claim-missing", "claim-not-bound"):
                case.add(
                    "claim-not-bound",
                    "The pod waits for its storage.",
                    "",
                    [case.command("describe pvc")],
                    case.say(text),
                )
        elif "Insufficient" in text:
            short = sorted(set(re.findall(r"Insufficient ([\w./-]+)", text)))
            short = [s.rstrip(".") for s in short]
            other = [s for s in short if s not in ("cpu", "memory", "ephemeral-storage")]
            largest = max(
                case.containers,
                key=lambda n: max(
                    (
                        amount(
                            (case.containers[n].get("resources", {}).get("requests") or {}).get(
                                s, 0
                            )
                        )
                        for s in short
                    ),
                    default=0,
                ),
            )
            less = {"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "256Mi"}
            case.add(
                "no-room",
                f"No node has free what the pod asks for: {', '.join(short)}.",
                "",
                ["wait until others end, or:"]
                + (
                    case.change(
                        f"take out {', '.join(other)}, or ask dsri-support-l@maastrichtuniversity.nl for it"
                    )
                    if other
                    else case.change(
                        "smaller resources.requests",
                        f"set resources {case.kind.lower()}/{case.name}{case.one(largest)} --requests="
                        + ",".join(f"{s}={less[s]}" for s in short),
                    )
                ),
                case.say(text),
            )
        elif re.search(r"Too many pods|were unschedulable|node\.kubernetes\.io/", text):
            case.add(
                "no-room",
                "No node has a place for one more pod, or takes new ones now.",
                "",
                [
                    "wait, or end what is no longer needed:",
                    case.command("get deployments,statefulsets,jobs,pods"),
                ],
                case.say(text),
            )
        else:
            wish = next(
                (
                    field
                    for field, words in WISHES
                    if case.template.get(field) and re.search(words, text)
                ),
                None,
            )
            mend = take_out(case, wish) if wish else []
            before = [
                s["metadata"]["name"]
                for s in case.facts["sets"]
                if any(settled(p) for p in owned(case.pods, s))
            ]
            if "anti-affinity" in text and before and (wish or case.older):
                # The pods that are there keep the new ones off, by the rule that they were made with.
                mend += [
                    case.command(f"delete replicaset {' '.join(before)} --cascade=foreground"),
                    *case.restart(),
                ]
            case.add(
                "not-scheduled",
                "No node takes the pod.",
                f"The reason is its {wish}."
                if wish
                else "The reason is a rule of the release before."
                if mend
                else "",
                mend or [case.command(f"describe pod {pod['metadata']['name']}")],
                case.say(text),
            )


def held(case, text):
    """A volume that one pod, or one node, may have is another's."""
    only = "pod" if "ReadWriteOncePod" in text else "node"
    several = case.workload["spec"].get("replicas", 1) > 1
    case.add(
        "volume-held",
        f"Another pod holds the volume, which only one {only} may have (ReadWriteOnce{'Pod' if only == 'pod' else ''}).",
        "It has several replicas: they need a claim of ReadWriteMany."
        if several
        else "With a rolling update the new pod waits for the old one, and the old one for the new one.",
        [case.command(f"scale {case.kind.lower()}/{case.name} --replicas=1")]
        if several and not case.expected
        else case.change(
            "replicas: 1" if several else "strategy: {type: Recreate}",
            f'patch deployment {case.name} -p \'{{"spec":{{"strategy":{{"type":"Recreate","rollingUpdate":null}}}}}}\'',
        ),
        case.say(text),
    )


def missing_config(case, kind, name, said, key=None):
    """A Secret or ConfigMap, or a `key` of it, that is named and is not there."""
    kind = kind.lower()
    if key:
        field = "stringData" if kind == "secret" else "data"
        case.add(
            "config-missing",
            f"The {'ConfigMap' if kind == 'configmap' else 'Secret'} {name} has no key {key}, which the container names.",
            "",
            [case.command(f'patch {kind} {name} -p \'{{"{field}":{{"{key}":"VALUE"}}}}\'')],
            said,
            of=f"{name}/{key}",
        )
        return
    if case.facts["there"].get(
        (kind, name)
    ):  # it was made since; the kubelet tries again within two minutes
        return
    keys = next(
        (keys for of, its, keys in named(case.template) if (of, its) == (kind, name)), []
    ) or ["KEY"]
    make = f"create {'configmap' if kind == 'configmap' else 'secret generic'} {name} " + " ".join(
        f"--from-literal={key}=VALUE" for key in keys
    )
    step = (
        ["openshift/README.md, step 5, makes it"]
        if case.expected and name == f"{case.name}-token"
        else [case.command(make)]
    )
    case.add(
        "config-missing",
        f"The {'ConfigMap' if kind == 'configmap' else 'Secret'} {name}, which the container names, is not there.",
        "",
        step,
        said,
        of=name,
    )
