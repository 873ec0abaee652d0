"""The container: whether it starts, stays and answers, and as whom."""

import re

from dsri_doctor.case import settled, when
from dsri_doctor.hide import hide, tail
from dsri_doctor.pod import claims_of, missing_config

ENDED = ("out-of-memory", "exec-format", "command-missing", "volume-read-only", "root-read-only", "low-port", "permission", "liveness", "crash")
PROBED = ("Unhealthy", "ProbeError")  # the second one is OpenShift's
DENIED = r"permission denied|EACCES|PermissionError|errno 13|operation not permitted|EPERM"
READ_ONLY = r"read-only file system|EROFS|errno 30"
LOW_PORT = r"(bind|listen|port)[^\n]*(permission denied|EACCES|errno 13)|permission denied[^\n]*(bind|listen|:\d{2,3}\b)|PermissionError[^\n]*\n?[^\n]*(bind|listen)"


def starting(case):
    """Containers that cannot be made, or that end by themselves."""
    for pod, status in case.statuses(case.broken):
        state = status.get("state", {})
        waiting = state.get("waiting", {})
        reason, said = waiting.get("reason", ""), case.say(waiting.get("message"))
        if reason == "CreateContainerConfigError":
            text = waiting.get("message", "")
            absent = re.search(r'(secret|configmap) "([^"]+)" not found', text, re.IGNORECASE) or re.search(r"couldn't find key \S+ in (Secret|ConfigMap) (?:\S+/)?([\w.-]+)", text, re.IGNORECASE)
            if re.search(r"runAsNonRoot|non-numeric|run as root", text):
                case.add("user-not-numeric", "The image's user is root, or a name.", "The cluster has to see from a number that it is not root.", ["in the Dockerfile, before CMD: USER 1001:0", case.publish()], said)
            elif absent:
                missing_config(case, absent[1], absent[2], said)
            else:
                case.add("config-missing", "Something that the container's settings name is not there.", "", [case.command(f"describe pod {pod['metadata']['name']}")], said)
            continue
        if reason in ("CreateContainerError", "RunContainerError"):
            cannot_start(case, pod, status, waiting.get("message", ""), said)
            continue
        ended = state.get("terminated") or status.get("lastState", {}).get("terminated")
        if not ended or "running" in state and ended.get("reason") != "OOMKilled" and not case_loops(status):
            continue
        if ended.get("reason") in ("StartError", "ContainerCannotRun"):
            cannot_start(case, pod, status, ended.get("message", ""), case.say(ended.get("message")))
        elif case.kind in ("CronJob", "Job") and ended.get("exitCode") == 0:
            continue
        else:
            why_it_ended(case, pod, status, ended)
    for pod in case.current:
        if pod.get("status", {}).get("reason") == "Evicted" and (case.broken == case.current or not any(settled(p) for p in case.current)):
            case.add("evicted", "The pod was put off its node.", "", case.change("a higher request for what the message names, or write less to /tmp"), case.say(pod["status"].get("message")))


def case_loops(status):
    return status.get("restartCount", 0) >= 2


def cannot_start(case, pod, status, text, said):
    """The runtime could not begin the container's command."""
    if re.search(r"exec format error", text, re.IGNORECASE):
        exec_format(case, pod, status, said)
    elif re.search(r"no such file|not found", text, re.IGNORECASE):
        command_missing(case, status, said)
    elif re.search(r"permission denied", text, re.IGNORECASE):
        case.add("permission", "The container's command may not be run by any user of group 0.", "", ["in the Dockerfile: RUN chmod +x COMMAND && chgrp -R 0 FOLDER && chmod -R g=u FOLDER", case.publish()], said)
    elif re.search(r"deadline exceeded|timed? ?out", text, re.IGNORECASE) and claims_of(case):
        case.add("volume-not-mounted", "The container is not made in time.", "A large volume is relabelled at each start, unless its pod has runtimeClassName: selinux.",
                 case.change("runtimeClassName: selinux, with the annotation io.kubernetes.cri-o.TrySkipVolumeSELinuxLabel: \"true\""), said)
    else:
        case.add("crash", "The container cannot be started.", "", [case.command(f"describe pod {pod['metadata']['name']}")], said)


def exec_format(case, pod, status, said):
    image = next((c.get("image", "") for n, c in case.containers.items() if n == status["name"]), "IMAGE").partition("@")[0]
    case.add("exec-format", "The image was built for another processor (exec format error).", "DSRI is linux/amd64; a Mac with an M chip builds for arm64. A script without its #! line says the same.",
             ["git push (the workflow builds for linux/amd64)" if case.expected else f"docker build --platform linux/amd64 -t {image} . && docker push {image}"] + case.restart(), said)


def command_missing(case, status, said):
    case.add("command-missing", "The container's command is not in the image.", "A typing error, a file left out by .dockerignore, or Windows line ends in a script.",
             case.change("command", None) if case.containers.get(status["name"], {}).get("command") else ["correct CMD or ENTRYPOINT in the Dockerfile", case.publish()], said)


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
        case.add("out-of-memory", f"It took more memory than its limit{f' of {limit}' if limit else ''}, and was ended.", "",
                 case.change(f"resources.limits.memory: {more}, or less in memory", f"set resources {case.kind.lower()}/{case.name} -c {name} --limits=memory={more}"), said[-2:])
    elif re.search(r"exec format error", log, re.IGNORECASE):
        exec_format(case, pod, status, said)
    elif killed_by_probe(case, pod):
        case.add("liveness", "The liveness probe fails, so the cluster ends the container again and again.", "", case.change("livenessProbe: the path and port that it answers on, or more time") + show, case.say(killed_by_probe(case, pod)))
    elif re.search(READ_ONLY, log, re.IGNORECASE):
        read_only(case, container, log, said)
    elif low_ports(container) and re.search(DENIED, log, re.IGNORECASE) or re.search(LOW_PORT, log, re.IGNORECASE):
        case.add("low-port", "It listens on a port below 1024, which only root may.", "",
                 case.change("containerPort and PORT: 8080 (the application has to listen there)"), said)
    elif re.search(DENIED, log, re.IGNORECASE) or code == 126:
        case.add("permission", "It reads or writes what a random user of group 0 may not.", f"It runs as user {pod['spec'].get('securityContext', {}).get('runAsUser', 'of the project')}, group 0.",
                 ["in the Dockerfile: RUN chgrp -R 0 FOLDER && chmod -R g=u FOLDER; HOME and caches below /tmp", case.publish()], said)
    elif code == 127:
        command_missing(case, status, said)
    elif case.kind in ("CronJob", "Job"):
        return
    else:
        what = "It ends by itself, with status 0: a service has to keep running." if code == 0 else f"It ends by itself, with status {code}."
        case.add("crash", what, "Its log says why." if said else "Its log is empty.", show, said)


def double(limit):
    match = re.fullmatch(r"(\d+)([A-Za-z]*)", str(limit or ""))
    return f"{int(match[1]) * 2}{match[2]}" if match else "2Gi"


def low_ports(container):
    return [p["containerPort"] for p in container.get("ports") or [] if p["containerPort"] < 1024] or \
        [v["value"] for v in container.get("env") or [] if v["name"] == "PORT" and str(v.get("value", "")).isdigit() and int(v["value"]) < 1024]


def killed_by_probe(case, pod):
    events = case.events_of(pod, reasons=PROBED)
    return next((e["message"] for e in events if e.get("message", "").startswith("Liveness")), None)


def read_only(case, container, log, said):
    """Which file system is read-only: the image's, or a volume's."""
    claims = {c["metadata"]["name"]: c for c in case.facts["claims"] or []}
    volumes = {v["name"]: v for v in case.template.get("volumes") or []}
    lines = "\n".join(line for line in log.splitlines() if re.search(READ_ONLY, line, re.IGNORECASE))
    for mount in container.get("volumeMounts") or []:
        claim = volumes.get(mount["name"], {}).get("persistentVolumeClaim")
        fixed = claim and (claims.get(claim["claimName"], {}).get("spec", {}).get("accessModes") == ["ReadOnlyMany"] or claim.get("readOnly"))
        if re.search(rf"{re.escape(mount['mountPath'])}(/|\b)", lines) and (mount.get("readOnly") or fixed or any(k in volumes.get(mount["name"], {}) for k in ("configMap", "secret", "projected"))):
            case.add("volume-read-only", f"It writes to {mount['mountPath']}, which is mounted read-only.", "",
                     case.change("take readOnly: true out of the volume" if mount.get("readOnly") or claim and claim.get("readOnly") else "another volume; this kind cannot be written"), said)
            return
    writable = [m["mountPath"] for m in container.get("volumeMounts") or [] if not m.get("readOnly")]
    case.add("root-read-only", "It writes to its own file system, which is read-only.", f"It may write to {', '.join(writable)}." if writable else "",
             ["let it write there; set HOME and the caches of your tools to a place below /tmp", case.publish()], said)


def running(case):
    """Containers that run, and are not ready."""
    for pod, status in case.statuses(case.broken):
        # One that was just started again, after an end that has its reason, need not answer yet.
        ended = status.get("lastState", {}).get("terminated") and case.has(*ENDED)
        if "running" not in status.get("state", {}) or status.get("ready") or ended:
            continue
        name = status["name"]
        container, ports = case.containers.get(name, {}), case.facts["ports"].get(f"{pod['metadata']['name']}/{name}")
        events = case.events_of(pod, reasons=PROBED)
        probes = [container[p] for p in ("startupProbe", "readinessProbe", "livenessProbe") if p in container]
        names = {p.get("name"): p["containerPort"] for p in container.get("ports") or []}
        wanted = [names.get(p, p) for probe in probes for p in [(probe.get("httpGet") or probe.get("tcpSocket") or probe.get("grpc") or {}).get("port")] if p is not None]
        path = next((probe["httpGet"].get("path", "/") for probe in probes if "httpGet" in probe), "/")
        if any(not str(p).isdigit() for p in wanted):
            case.add("probe-port", f"The probe asks the port {next(p for p in wanted if not str(p).isdigit())}, and the container names none so.", "", case.change("the probe's port"))
            continue
        port = int(wanted[0]) if wanted else None
        began = when(status["state"]["running"].get("startedAt"))
        startup = container.get("startupProbe") or {}
        budget = startup.get("periodSeconds", 10) * startup.get("failureThreshold", 3) if startup else 30
        runs = (case.now - began).total_seconds() if began and not status.get("restartCount") else budget
        young = runs < min(budget, 30)
        text = events[-1].get("message", "") if events else ""
        code = re.search(r"statuscode: (\d+)", text)
        if code:
            if code[1] in ("404", "405", "301", "302", "308", "401", "403"):
                case.add("health-path", f"The probe's path {path} answers {code[1]}.", "The probe wants a status from 200 to 399, without a login.", case.change(f"the path of the three probes (it is {path})"), case.say(text))
            elif not young:
                case.add("probe-failed", f"The probe's path {path} answers {code[1]}.", "Its log says why.", [case.logs(pod, name)], case.say(text) + tail(case.facts["logs"].get(f"{pod['metadata']['name']}/{name}", ""), case.literal, 4))
        elif ports and port and not any(p == port and not local for p, local in ports) and not young:
            listening = sorted({p for p, _ in ports})
            only_local = any(p == port for p, _ in ports)
            case.add("wrong-port", f"It listens on 127.0.0.1:{port} only, which nothing outside its pod reaches." if only_local else f"It listens on {', '.join(map(str, listening))}; the probe asks {port}.", "",
                     ["let the application listen on 0.0.0.0"] if only_local else [f"let the application listen on {port}, or:"] + case.change(f"containerPort and PORT: {listening[0]}"), case.say(text))
        elif events and runs >= budget:
            refusal = re.search(r"refused|no route|reset", text)
            case.add("wrong-port" if refusal else "probe-failed", f"It runs, and nothing answers on port {port}." if refusal else "It runs, and does not answer its probe in time.",
                     "It listens on another port, on 127.0.0.1 only, or has not come so far." if refusal else "", [case.logs(pod, name)],
                     case.say(text) + tail(case.facts["logs"].get(f"{pod['metadata']['name']}/{name}", ""), case.literal, 4))
    for pod, status in case.statuses(case.current):
        last = status.get("lastState", {}).get("terminated")
        ended = when((last or {}).get("finishedAt"))
        if last and status.get("ready") and ended and (case.now - ended).total_seconds() < 86400:
            limit = case.containers.get(status["name"], {}).get("resources", {}).get("limits", {}).get("memory")
            if last.get("reason") == "OOMKilled":
                case.add("out-of-memory", f"It runs, but was ended at {last['finishedAt']} for more memory than its limit of {limit}.", f"Restarts: {status.get('restartCount')}.",
                         case.change(f"resources.limits.memory: {double(limit)}", f"set resources {case.kind.lower()}/{case.name} -c {status['name']} --limits=memory={double(limit)}"), warning=True)
            else:
                case.add("restarted", f"It runs, but ended at {last['finishedAt']} with status {last.get('exitCode')} ({status.get('restartCount')} restarts).", "",
                         [case.logs(pod, status["name"], previous=True)], warning=True)
    seccomp(case)


def seccomp(case):
    """anyuid allows no seccomp profile: a pod that sets one falls to restricted-v2, and to a random user, without a word."""
    if case.account != "anyuid":
        return
    set_in = [n for n, c in [("the pod", case.template), *case.containers.items()] if (c.get("securityContext") or {}).get("seccompProfile")]
    for pod in case.current:
        granted = pod["metadata"].get("annotations", {}).get("openshift.io/scc")
        given = (pod["spec"].get("securityContext") or {}).get("runAsUser")
        random = given is not None and given >= 1_000_000_000 and "runAsUser" not in (case.template.get("securityContext") or {})
        if granted and granted != "anyuid" or not granted and random:
            case.add("anyuid-lost", f"It runs as a random user{f' (SCC {granted})' if granted else ''}, although its account is anyuid.",
                     f"A seccompProfile is set in {', '.join(set_in)}, which anyuid does not allow." if set_in else "Its security context asks for something that anyuid does not allow.",
                     case.change("take out seccompProfile" if set_in else "an empty securityContext") )
            return


def jobs(case):
    if not case.facts["jobs"]:
        return
    job = case.facts["jobs"][-1]
    name = job["metadata"]["name"]
    failed = next((c for c in job.get("status", {}).get("conditions") or [] if c["type"] == "Failed" and c["status"] == "True"), None)
    bad = [(pod, s, s["state"]["terminated"]) for pod, s in case.statuses(case.broken) if s.get("state", {}).get("terminated", {}).get("exitCode")]
    if failed or bad and not case.has("permission", "out-of-memory", "exec-format", "command-missing", "root-read-only", "volume-read-only"):
        shares = job["status"].get("failedIndexes")
        said = tail(case.facts["logs"].get(f"{bad[-1][0]['metadata']['name']}/{bad[-1][1]['name']}", ""), case.literal, 4) if bad else []
        why = f"{failed.get('reason')}: {hide(failed.get('message', ''))}" if failed else f"A pod ended with status {bad[-1][2]['exitCode']}."
        mend = [case.command(f"logs {bad[-1][0]['metadata']['name']}")] if bad else [case.command(f"describe job {name}")]
        case.add("job-failed", f"The run {name} {'has failed' if failed else 'has pods that failed'}{f' (shares {shares})' if shares else ''}.", why, mend + case.restart() if failed else mend, said, warning=not failed)
