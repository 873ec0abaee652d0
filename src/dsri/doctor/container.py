"""The container: whether it starts, stays and answers, and as whom."""

import re

from dsri.doctor.case import settled, when
from dsri.doctor.hide import hide, tail
from dsri.doctor.pod import claims_of, missing_config

ENDED = (
    "out-of-memory",
    "exec-format",
    "command-missing",
    "volume-read-only",
    "root-read-only",
    "low-port",
    "permission",
    "liveness",
    "crash",
)
PROBED = ("Unhealthy", "ProbeError")  # the second one is OpenShift's
DENIED = r"permission denied|EACCES|PermissionError|errno 13|operation not permitted|EPERM"
READ_ONLY = r"read-only file system|EROFS|errno 30|unable to open database file|readonly database"
LOW_PORT = r"(bind|listen|port)[^\n]*(permission denied|EACCES|errno 13)|permission denied[^\n]*(bind|listen|:\d{2,3}\b)|PermissionError[^\n]*\n?[^\n]*(bind|listen)"


def starting(case):
    """Containers that cannot be made, or that end by themselves."""
    for pod, status in case.statuses(
        [p for p in case.broken if p["status"].get("reason") != "Evicted"]
    ):
        state = status.get("state", {})
        waiting = state.get("waiting", {})
        reason, said = waiting.get("reason", ""), case.say(waiting.get("message"))
        if reason == "CreateContainerConfigError":
            text = waiting.get("message", "")
            absent = re.search(
                r'(secret|configmap) "([^"]+)" not found', text, re.IGNORECASE
            ) or re.search(
                r"couldn't find key (\S+) in (Secret|ConfigMap) (?:\S+/)?([\w.-]+)",
                text,
                re.IGNORECASE,
            )
            if re.search(r"runAsNonRoot|non-numeric|run as root", text):
                case.add(
                    "user-not-numeric",
                    "The image's user is root, or a name.",
                    "The cluster has to see from a number that it is not root.",
                    ["in the Dockerfile, before CMD: USER 1001:0", case.publish()],
                    said,
                )
            elif absent:
                missing_config(
                    case,
                    *absent.groups()[-2:],
                    said,
                    key=absent[1] if len(absent.groups()) == 3 else None,
                )
            else:
                case.add(
                    "config-missing",
                    "Something that the container's settings name is not there.",
                    "",
                    [case.command(f"describe pod {pod['metadata']['name']}")],
                    said,
                )
            continue
        if reason in ("CreateContainerError", "RunContainerError"):
            cannot_start(
                case,
                pod,
                status,
                waiting.get("message", ""),
                case.say(waiting.get("message"), ours=False),
            )
            continue
        ended = state.get("terminated") or status.get("lastState", {}).get("terminated")
        if (
            not ended
            or "running" in state
            and ended.get("reason") != "OOMKilled"
            and not case_loops(case, status)
        ):
            continue
        if ended.get("reason") in ("StartError", "ContainerCannotRun"):
            cannot_start(
                case,
                pod,
                status,
                ended.get("message", ""),
                case.say(ended.get("message"), ours=False),
            )
        elif case.kind in ("CronJob", "Job") and ended.get("exitCode") == 0:
            continue
        else:
            why_it_ended(case, pod, status, ended)
    for (kind, name), there in (
        case.facts["there"].items() if case.broken else []
    ):  # the kubelet says one thing at a time
        if not there:
            missing_config(case, kind, name, [])
    for pod in case.failed:
        ended = max(
            (
                when(c.get("lastTransitionTime"))
                for c in pod["status"].get("conditions") or []
                if c.get("lastTransitionTime")
            ),
            default=case.now,
        )
        if pod["status"].get("reason") == "Evicted" and (case.now - ended).total_seconds() < 86400:
            evicted(case, pod["status"].get("message", ""))


def case_loops(case, status):
    """Whether a container that runs is between two ends: the cluster waits at most five minutes between them."""
    began = when(status["state"]["running"].get("startedAt"))
    return status.get("restartCount", 0) >= 2 and (
        not began or (case.now - began).total_seconds() < 600
    )


def evicted(case, text):
    """One that another pod has followed is a warning: that one may go the same way."""
    volume, limit = (
        re.search(r'EmptyDir volume "([^"]+)" exceeds', text),
        re.search(r"limit(s of containers)?\b", text),
    )
    what = (
        f"emptyDir.sizeLimit of the volume {volume[1]}: more"
        if volume
        else "resources.limits.ephemeral-storage: more"
        if limit
        else "a higher request for what the message names"
    )
    one = next(iter(case.containers.values())) if len(case.containers) == 1 else {}
    more = double(one.get("resources", {}).get("limits", {}).get("ephemeral-storage"))
    case.add(
        "evicted",
        "A pod was put off its node.",
        "",
        case.change(
            f"{what}; or write less",
            f"set resources {case.kind.lower()}/{case.name} --limits=ephemeral-storage={more}"
            if one and limit and not volume
            else None,
        ),
        case.say(text),
        warning=any(settled(p) for p in case.current),
    )


def cannot_start(case, pod, status, text, said):
    """The runtime could not begin the container's command."""
    if re.search(r"exec format error", text, re.IGNORECASE):
        exec_format(case, pod, status, said)
    elif re.search(r"error mounting|prepare subPath", text):
        case.add(
            "volume-not-mounted",
            "A volume cannot be mounted at its place.",
            "A file and a folder do not go over each other: a subPath that its volume does not have is made as a folder.",
            case.change("the mountPath and the subPath of its volumeMounts"),
            said,
            of=status["name"],
        )
    elif re.search(r"no such file|not found", text, re.IGNORECASE):
        command_missing(case, status, said)
    elif re.search(r"permission denied", text, re.IGNORECASE):
        not_to_be_run(case, status, said)
    elif re.search(r"deadline exceeded|timed? ?out", text, re.IGNORECASE) and claims_of(case):
        case.add(
            "volume-not-mounted",
            "The container is not made in time.",
            "A large volume is relabelled at each start, unless its pod has runtimeClassName: selinux.",
            case.change(
                'runtimeClassName: selinux, with the annotation io.kubernetes.cri-o.TrySkipVolumeSELinuxLabel: "true"'
            ),
            said,
        )
    else:
        case.add(
            "crash",
            "The container cannot be started.",
            "",
            [case.command(f"describe pod {pod['metadata']['name']}")],
            said,
            of=status["name"],
        )


def exec_format(case, pod, status, said):
    image = next(
        (c.get("image", "") for n, c in case.containers.items() if n == status["name"]), "IMAGE"
    ).partition("@")[0]
    case.add(
        "exec-format",
        "The image was built for another processor (exec format error).",
        "DSRI is linux/amd64; a Mac with an M chip builds for arm64. A script without its #! line says the same.",
        [
            "git push (the workflow builds for linux/amd64)"
            if case.expected
            else f"docker build --platform linux/amd64 -t {image} . && docker push {image}"
        ]
        + case.restart(),
        said,
        of=status["name"],
    )


def not_to_be_run(case, status, said):
    """What the container starts is there, and its user may not start it."""
    case.add(
        "permission",
        "The container's command may not be run by a user of group 0.",
        "",
        [
            "in the Dockerfile: RUN chmod +x COMMAND && chgrp -R 0 FOLDER && chmod -R g=u FOLDER",
            case.publish(),
        ],
        said,
        of=status["name"],
    )


def command_missing(case, status, said):
    case.add(
        "command-missing",
        "The container's command is not in the image.",
        "A typing error, a file left out by .dockerignore, or Windows line ends in a script.",
        case.change("command", None)
        if case.containers.get(status["name"], {}).get("command")
        else ["correct CMD or ENTRYPOINT in the Dockerfile", case.publish()],
        said,
        of=status["name"],
    )


def why_it_ended(case, pod, status, ended):
    """One container that ended by itself: the first rule that its status or its log shows."""
    name, code = status["name"], ended.get("exitCode")
    container = case.containers.get(name, {})
    log = hide(case.facts["logs"].get(f"{pod['metadata']['name']}/{name}", ""), case.literal)
    said = tail(log, case.literal) or case.say(ended.get("message"))
    show = [case.logs(pod, name, previous="terminated" not in status.get("state", {}))]
    if ended.get("reason") == "OOMKilled":
        limit = container.get("resources", {}).get("limits", {}).get("memory")
        more = double(limit)
        case.add(
            "out-of-memory",
            f"It took more memory than its limit{f' of {limit}' if limit else ''}, and was ended.",
            "",
            case.change(
                f"resources.limits.memory: {more}, or less in memory",
                f"set resources {case.kind.lower()}/{case.name} -c {name} --limits=memory={more}",
            ),
            said[-2:],
            of=name,
        )
    elif re.search(r"exec format error", log, re.IGNORECASE):
        exec_format(case, pod, status, said)
    elif killed_by_probe(case, pod, name):
        case.add(
            "liveness",
            "The liveness probe fails, so the cluster ends the container again and again.",
            "",
            case.change(
                "livenessProbe: the path and port that it answers on; a startupProbe, where it starts slowly"
            )
            + show,
            case.say(killed_by_probe(case, pod, name), ours=False),
            of=name,
        )
    elif never_started(case, pod, status, ended):
        case.add(
            "liveness",
            "The startup probe never succeeds, so the cluster ends the container again and again.",
            "",
            case.change(
                "startupProbe: the path and port that it answers on, or a higher failureThreshold"
            )
            + show,
            case.say(never_started(case, pod, status, ended), ours=False),
            of=name,
        )
    elif (
        case.events_of(pod, reasons=("FailedPostStartHook",))
        and (container.get("lifecycle") or {}).get("postStart")
        and code in (137, 143)
    ):
        case.add(
            "crash",
            "Its postStart hook fails, so the cluster ends it.",
            "",
            case.change("lifecycle.postStart: a command that ends well") + show,
            said,
            of=name,
        )
    elif re.search(READ_ONLY, log, re.IGNORECASE):
        read_only(case, name, container, log, said)
    elif (
        low_ports(container)
        and re.search(DENIED, log, re.IGNORECASE)
        or re.search(LOW_PORT, log, re.IGNORECASE)
    ):
        case.add(
            "low-port",
            "It listens on a port below 1024, which only root may.",
            "",
            case.change("containerPort and PORT: 8080 (the application has to listen there)"),
            said,
            of=name,
        )
    elif code == 126:
        not_to_be_run(case, status, said)
    elif re.search(DENIED, log, re.IGNORECASE):
        case.add(
            "permission",
            "It reads or writes what a random user of group 0 may not.",
            f"It runs as user {pod['spec'].get('securityContext', {}).get('runAsUser', 'of the project')}, group 0.",
            [
                "in the Dockerfile: RUN chgrp -R 0 FOLDER && chmod -R g=u FOLDER; HOME and caches below /tmp",
                case.publish(),
            ],
            said,
            of=name,
        )
    elif code == 127:
        command_missing(case, status, said)
    elif case.kind in ("CronJob", "Job"):
        return
    else:
        what = (
            "It ends by itself, with status 0: a service has to keep running."
            if code == 0
            else f"It ends by itself, with status {code}."
        )
        why = "Its log says why." if said else "Its log is empty."
        if code in (137, 143):
            why += " It was ended from outside: by its liveness probe, or for want of memory on the node."
        case.add("crash", what, why, show, said, of=name)


def double(limit):
    match = re.fullmatch(r"(\d+)([A-Za-z]*)", str(limit or ""))
    return f"{int(match[1]) * 2}{match[2]}" if match else "2Gi"


def low_ports(container):
    return [
        p["containerPort"] for p in container.get("ports") or [] if p["containerPort"] < 1024
    ] or [
        v["value"]
        for v in container.get("env") or []
        if v["name"] == "PORT" and str(v.get("value", "")).isdigit() and int(v["value"]) < 1024
    ]


def probed(container):
    """The ports that a container's probes ask; a name stays where no port of the container has it."""
    names = {p.get("name"): p["containerPort"] for p in container.get("ports") or []}
    probes = [
        container[p] for p in ("startupProbe", "readinessProbe", "livenessProbe") if p in container
    ]
    return [
        names.get(p, p)
        for probe in probes
        for p in [
            (probe.get("httpGet") or probe.get("tcpSocket") or probe.get("grpc") or {}).get("port")
        ]
        if p is not None
    ]


def ports_of(container):
    """The ports that a container names, and those that its probes ask."""
    return [p["containerPort"] for p in container.get("ports") or []] + probed(container)


def probes_of(case, pod, name):
    """The events of a container's probes."""
    return [
        e
        for e in case.events_of(pod, reasons=PROBED)
        if e["involvedObject"].get("fieldPath", name).endswith((name, f"{{{name}}}"))
    ]


def killed_by_probe(case, pod, name):
    """What a liveness probe said that had the container ended; None where none did."""
    return next(
        (
            e["message"]
            for e in probes_of(case, pod, name)
            if e.get("message", "").startswith("Liveness")
        ),
        None,
    )


def never_started(case, pod, status, ended):
    """What a startup probe said that had the container ended. What a running one listens on tells more than that."""
    key = f"{pod['metadata']['name']}/{status['name']}"
    # A program that ends well on SIGTERM has a status of its own; how long it ran tells, too.
    probe, began, end = (
        case.containers.get(status["name"], {}).get("startupProbe"),
        when(ended.get("startedAt")),
        when(ended.get("finishedAt")),
    )
    told = (
        probe
        and began
        and end
        and (end - began).total_seconds()
        >= (probe.get("failureThreshold", 3) - 1) * probe.get("periodSeconds", 10)
    )
    if (told or ended.get("exitCode") in (137, 143)) and not (
        "running" in status.get("state", {}) and case.facts["ports"].get(key)
    ):
        return next(
            (
                e["message"]
                for e in probes_of(case, pod, status["name"])
                if e.get("message", "").startswith("Startup")
            ),
            None,
        )
    return None


def read_only(case, name, container, log, said):
    """Which file system is read-only: the image's, or a volume's."""
    claims = {c["metadata"]["name"]: c for c in case.facts["claims"] or []}
    volumes = {v["name"]: v for v in case.template.get("volumes") or []}
    lines = "\n".join(
        line for line in log.splitlines() if re.search(READ_ONLY, line, re.IGNORECASE)
    )
    for mount in container.get("volumeMounts") or []:
        claim = volumes.get(mount["name"], {}).get("persistentVolumeClaim")
        fixed = claim and (
            claims.get(claim["claimName"], {}).get("spec", {}).get("accessModes")
            == ["ReadOnlyMany"]
            or claim.get("readOnly")
        )
        if re.search(rf"{re.escape(mount['mountPath'])}(/|\b)", lines) and (
            mount.get("readOnly")
            or fixed
            or any(
                k in volumes.get(mount["name"], {}) for k in ("configMap", "secret", "projected")
            )
        ):
            case.add(
                "volume-read-only",
                f"It writes to {mount['mountPath']}, which is mounted read-only.",
                "",
                case.change(
                    "take readOnly: true out of the volume"
                    if mount.get("readOnly") or claim and claim.get("readOnly")
                    else "another volume; this kind cannot be written"
                ),
                said,
                of=name,
            )
            return
    writable = [
        m["mountPath"] for m in container.get("volumeMounts") or [] if not m.get("readOnly")
    ]
    case.add(
        "root-read-only",
        "It writes to its own file system, which is read-only.",
        f"It may write to {', '.join(writable)}." if writable else "",
        [
            "let it write there; set HOME and the caches of your tools to a place below /tmp",
            case.publish(),
        ],
        said,
        of=name,
    )


def running(case):
    """Containers that run, and are not ready."""
    for pod, status in case.statuses(case.broken):
        # One that was just started again, after an end that has its reason, need not answer yet.
        ended = status.get("lastState", {}).get("terminated") and case.has(*ENDED)
        if "running" not in status.get("state", {}) or status.get("ready") or ended:
            continue
        name = status["name"]
        container, ports = (
            case.containers.get(name, {}),
            case.facts["ports"].get(f"{pod['metadata']['name']}/{name}"),
        )
        # A pod's containers share its ports: what another one names, or is asked for, is that one's.
        others = {p for n, c in case.containers.items() if n != name for p in ports_of(c)}
        ports = [p for p in ports if p[0] not in others] if ports else ports
        events = probes_of(case, pod, name)
        probes = [
            container[p]
            for p in ("startupProbe", "readinessProbe", "livenessProbe")
            if p in container
        ]
        wanted = probed(container)
        path = next(
            (probe["httpGet"].get("path", "/") for probe in probes if "httpGet" in probe), "/"
        )
        if any(not str(p).isdigit() for p in wanted):
            case.add(
                "probe-port",
                f"The probe asks the port {next(p for p in wanted if not str(p).isdigit())}, and the container names none so.",
                "",
                case.change("the probe's port"),
            )
            continue
        port = int(wanted[0]) if wanted else None
        began = when(status["state"]["running"].get("startedAt"))
        startup = container.get("startupProbe") or {}
        budget = (
            startup.get("periodSeconds", 10) * startup.get("failureThreshold", 3) if startup else 30
        )
        runs = (
            (case.now - began).total_seconds()
            if began and not status.get("restartCount")
            else budget
        )
        young = runs < min(budget, 30)
        # Events are kept for an hour, and not for everybody.
        delay = max((probe.get("initialDelaySeconds", 0) for probe in probes), default=0)
        silent = (
            not events and began and (case.now - began).total_seconds() >= max(budget, delay + 60)
        )
        text = events[-1].get("message", "") if events else ""
        # What its probe or its address says may hold a secret; the path may, too.
        said, path, log = (
            case.say(text, ours=False),
            hide(path, case.literal),
            tail(case.facts["logs"].get(f"{pod['metadata']['name']}/{name}", ""), case.literal, 4),
        )
        code = re.search(r"statuscode: (\d+)", text)
        if code:
            if code[1] in ("404", "405", "301", "302", "308", "401", "403"):
                case.add(
                    "health-path",
                    f"The probe's path {path} answers {code[1]}.",
                    "The probe wants a status from 200 to 399, without a login.",
                    case.change(f"the path of its probes (it is {path})"),
                    said,
                    of=name,
                )
            elif not young:
                case.add(
                    "probe-failed",
                    f"The probe's path {path} answers {code[1]}.",
                    "Its log says why.",
                    [case.logs(pod, name)],
                    said + log,
                    of=name,
                )
        elif re.search(r"tls: first record does not look like|malformed HTTP response", text):
            scheme = "HTTP" if "tls: first" in text else "HTTPS"
            case.add(
                "probe-failed",
                f"It answers on port {port}, but not as its probe asks.",
                f"It speaks {scheme}.",
                case.change(f"scheme: {scheme} in the httpGet of its probes"),
                said,
                of=name,
            )
        elif (
            ports and port and not any(p == port and not local for p, local in ports) and not young
        ):
            listening = sorted({p for p, _ in ports})
            only_local = any(p == port for p, _ in ports)
            case.add(
                "wrong-port",
                f"It listens on 127.0.0.1:{port} only, which nothing outside its pod reaches."
                if only_local
                else f"It listens on {', '.join(map(str, listening))}; the probe asks {port}.",
                "",
                ["let the application listen on 0.0.0.0"]
                if only_local
                else [f"let the application listen on {port}, or:"]
                + case.change(f"containerPort and PORT: {listening[0]}"),
                said,
                of=name,
            )
        elif (events and not young or silent) and probes and not port:
            case.add(
                "probe-failed",
                "It runs, and its probe's command fails.",
                "",
                [case.logs(pod, name)],
                said + log,
                of=name,
            )
        elif probes and (events and runs >= budget or silent):
            refusal = re.search(r"refused|no route|reset", text) or port and ports == []
            case.add(
                "wrong-port" if refusal else "probe-failed",
                f"It runs, and nothing answers on port {port}."
                if refusal
                else "It runs, and does not answer its probe in time."
                if text
                else "It runs, and its probe does not succeed.",
                "It listens on another port, on 127.0.0.1 only, or has not come so far."
                if refusal
                else "",
                [case.logs(pod, name)],
                said + log,
                of=name,
            )
    for pod, status in case.statuses(case.current):
        last = status.get("lastState", {}).get("terminated")
        ended = when((last or {}).get("finishedAt"))
        if last and status.get("ready") and ended and (case.now - ended).total_seconds() < 86400:
            limit = (
                case.containers.get(status["name"], {})
                .get("resources", {})
                .get("limits", {})
                .get("memory")
            )
            if last.get("reason") == "OOMKilled":
                case.add(
                    "out-of-memory",
                    f"It runs, but was ended at {last['finishedAt']} for more memory than its limit of {limit}.",
                    f"Restarts: {status.get('restartCount')}.",
                    case.change(
                        f"resources.limits.memory: {double(limit)}",
                        f"set resources {case.kind.lower()}/{case.name} -c {status['name']} --limits=memory={double(limit)}",
                    ),
                    warning=True,
                    of=status["name"],
                )
            else:
                case.add(
                    "restarted",
                    f"It runs, but ended at {last['finishedAt']} with status {last.get('exitCode')} ({status.get('restartCount')} restarts).",
                    "",
                    [case.logs(pod, status["name"], previous=True)],
                    warning=True,
                    of=status["name"],
                )
    seccomp(case)


def seccomp(case):
    """anyuid allows no seccomp profile: a pod that sets one falls to restricted-v2, and to a random user, without a word."""
    if case.account != "anyuid":
        return
    set_in = [
        n
        for n, c in [("the pod", case.template), *case.containers.items()]
        if (c.get("securityContext") or {}).get("seccompProfile")
    ]
    for pod in case.current:
        granted = pod["metadata"].get("annotations", {}).get("openshift.io/scc")
        given = (pod["spec"].get("securityContext") or {}).get("runAsUser")
        random = (
            given is not None
            and given >= 1_000_000_000
            and "runAsUser" not in (case.template.get("securityContext") or {})
        )
        if granted and granted != "anyuid" or not granted and random:
            case.add(
                "anyuid-lost",
                f"It runs as a random user{f' (SCC {granted})' if granted else ''}, although its account is anyuid.",
                f"A seccompProfile is set in {', '.join(set_in)}, which anyuid does not allow."
                if set_in
                else "Its security context asks for something that anyuid does not allow.",
                case.change("take out seccompProfile" if set_in else "an empty securityContext"),
            )
            return


def jobs(case):
    if not case.facts["jobs"]:
        return
    job, failed, before = case.facts["jobs"][-1], case.ended("Failed"), case.ended("Failed", job=-2)
    name = job["metadata"]["name"]
    if before and not case.ended("Failed", "Complete"):
        name_before = case.facts["jobs"][-2]["metadata"]["name"]
        case.add(
            "job-failed",
            f"The run before, {name_before}, has failed; {name} is under way.",
            f"{before.get('reason')}: {hide(before.get('message', ''))}",
            [case.command(f"logs job/{name_before}")],
            warning=True,
            of=name_before,
        )
    bad = [
        (pod, s, s["state"]["terminated"])
        for pod, s in case.statuses(case.broken)
        if s.get("state", {}).get("terminated", {}).get("exitCode")
    ]
    if (
        failed
        and not any(case.restart()[0] in f.mend for f in case.findings)
        or bad
        and not failed
        and not case.has(*ENDED)
    ):
        shares = job["status"].get("failedIndexes")
        said = (
            tail(
                case.facts["logs"].get(
                    f"{bad[-1][0]['metadata']['name']}/{bad[-1][1]['name']}", ""
                ),
                case.literal,
                4,
            )
            if bad
            else []
        )
        why = (
            f"{failed.get('reason')}: {hide(failed.get('message', ''))}"
            if failed
            else f"A pod ended with status {bad[-1][2]['exitCode']}."
        )
        mend = (
            [case.logs(*bad[-1][:1], bad[-1][1]["name"])]
            if bad
            else [case.command(f"describe job {name}")]
        )
        if failed and failed.get("reason") == "DeadlineExceeded":
            mend += case.change("a longer activeDeadlineSeconds")
        elif failed:
            mend += case.restart()
        case.add(
            "job-failed",
            f"The run {name} {'has failed' if failed else 'has pods that failed'}{f' (shares {shares})' if shares else ''}.",
            why,
            mend,
            said,
            warning=not failed,
        )
