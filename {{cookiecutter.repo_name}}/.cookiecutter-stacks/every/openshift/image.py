#!/usr/bin/env python3
"""Runs an image here as the cluster will, and says in words what would go wrong there.

    python3 openshift/image.py test IMAGE              start IMAGE as openshift/ says, and ask its readiness probe;
                                                       a job's image has to end well on what example/ holds
    python3 openshift/image.py rollout IMAGE@DIGEST    print the commands that bring IMAGE to the cluster
    python3 openshift/image.py dockerfile FILE [PORT]  list what in a Dockerfile would not run there

Needs Python 3.9, Docker, and kubectl or oc. Exit status 0: it works; 1: it does not, and why is said; 2: it was not tried.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What OpenShift's restricted-v2 gives a pod: a UID out of the project's range, and group 0.
ANY_UID = "1000650000:0"
# CRI-O's default capabilities, which a container that drops none has (cri-o, crio.conf, default_capabilities).
CRIO = ["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "SETGID", "SETUID", "SETPCAP", "NET_BIND_SERVICE", "KILL"]
DEADLINE = 120  # seconds, where the manifest's startup probe does not say
# Where the objects that start pods keep what a pod is.
PODS = {"Deployment": ("spec", "template", "spec"), "CronJob": ("spec", "jobTemplate", "spec", "template", "spec")}
# What a job's test run finds on the storage, in place of what people put there.
EXAMPLE = HERE.parent / "example"


def stop(text, status=1):
    print(text, file=sys.stderr)
    raise SystemExit(status)


def run(*command, text=None):
    """(exit status, standard output and error) of a command."""
    try:
        done = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
    except FileNotFoundError:
        stop(f"{command[0]} is not installed; this needs it.", 2)
    return done.returncode, done.stdout


def manifests():
    """Every object that `oc apply -k openshift` would send, as dictionaries."""
    tool = shutil.which("kubectl") or shutil.which("oc") or stop("kubectl or oc is needed, and neither is installed.", 2)
    status, text = run(tool, "kustomize", str(HERE))
    if status:
        stop("openshift/ cannot be read:\n" + text)
    # A label that is removed changes nothing; what is wanted is the same objects as JSON, which Python reads.
    # No cluster is asked, so no login is read: one that cannot be read would end it.
    status, text = run(tool, "label", "--local", f"--kubeconfig={os.devnull}", "-f", "-", "-o", "json", "none-such-", text=text)
    if status:
        stop("openshift/ cannot be read:\n" + text)
    objects, decoder = [], json.JSONDecoder()
    text = text[text.index("{"):] if "{" in text else ""
    while text:
        found, end = decoder.raw_decode(text)
        objects += found["items"] if found["kind"] == "List" else [found]
        text = text[end:].lstrip()
    return objects


def workload(objects):
    """(Deployment or CronJob, its pod's specification, its container): the container has the object's name."""
    for item in objects:
        if item["kind"] in PODS:
            pod = item
            for step in PODS[item["kind"]]:
                pod = pod[step]
            named = [c for c in pod["containers"] if c["name"] == item["metadata"]["name"]]
            return item, pod, (named or pod["containers"])[0]
    stop("openshift/ has no Deployment and no CronJob.")


def environment(container, objects):
    """({name: value}, names that only the cluster knows) of the container."""
    maps = {o["metadata"]["name"]: o.get("data", {}) for o in objects if o["kind"] == "ConfigMap"}
    known, unknown = {}, []
    for source in container.get("envFrom", []):
        name = source.get("configMapRef", {}).get("name")
        if name in maps:
            known.update({source.get("prefix", "") + k: v for k, v in maps[name].items()})
        else:
            unknown.append(name or source.get("secretRef", {}).get("name", "?"))
    for variable in container.get("env", []):
        reference = variable.get("valueFrom", {}).get("configMapKeyRef", {})
        if "valueFrom" not in variable:
            known[variable["name"]] = variable.get("value", "")
        elif reference.get("key") in maps.get(reference.get("name"), {}):
            known[variable["name"]] = maps[reference["name"]][reference["key"]]
        else:
            unknown.append(variable["name"])
    return known, unknown


def bytes_of(quantity):
    """A Kubernetes quantity in bytes."""
    number, suffix = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(quantity)).groups()
    return int(float(number) * (1024 if suffix[1:] else 1000) ** " KMGTPE".index((suffix or " ")[0].upper()))


def docker_options(pod, container, objects):
    """The options of `docker run` that give the container what the cluster will give it."""
    security = container.get("securityContext", {})
    options = ["--security-opt", "no-new-privileges"] if security.get("allowPrivilegeEscalation") is False else []
    if pod.get("serviceAccountName") != "anyuid":
        options += ["--user", ANY_UID, "--cap-drop", "ALL"]
    else:
        options += ["--cap-drop", "ALL"]
        if "ALL" not in security.get("capabilities", {}).get("drop", []):
            options += [f"--cap-add={capability}" for capability in CRIO]
    if security.get("readOnlyRootFilesystem"):
        options.append("--read-only")
    for mount in container.get("volumeMounts", []):
        options += ["--tmpfs", mount["mountPath"] + ":exec,mode=1777"]
    for name, value in environment(container, objects)[0].items():
        options += ["--env", f"{name}={value}"]
    limit = container.get("resources", {}).get("limits", {}).get("memory")
    if limit:
        options += ["--memory", str(bytes_of(limit))]
    if container.get("workingDir"):
        options += ["--workdir", container["workingDir"]]
    if container.get("command"):
        options += ["--entrypoint", container["command"][0]]
    return options


def job_options(pod, container):
    """The options of `docker run` that make one container the whole Job, with the examples on its storage."""
    options = ["--env", "JOB_COMPLETION_INDEX=0"]
    if any(variable["name"] == "JOB_COMPLETIONS" for variable in container.get("env", [])):
        options += ["--env", "JOB_COMPLETIONS=1"]
    storage = {v["name"] for v in pod.get("volumes", []) if "persistentVolumeClaim" in v}
    for mount in container.get("volumeMounts", []):
        if mount["name"] in storage and EXAMPLE.is_dir():
            for path in sorted(EXAMPLE.iterdir()):
                options += ["--volume", f"{path}:{mount['mountPath']}/{path.name}:ro"]
    return options


def probe(port, check):
    """None where the probe is content, else what it found. `check` is the manifest's probe, `port` this machine's."""
    wait = check.get("timeoutSeconds", 1)
    if "httpGet" in check:
        address = f"http://127.0.0.1:{port}{check['httpGet'].get('path', '/')}"
        headers = {h["name"]: h["value"] for h in check["httpGet"].get("httpHeaders", [])}
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            opener.open(urllib.request.Request(address, headers=headers), timeout=wait).close()
            return None
        except urllib.error.HTTPError as error:
            return f"status {error.code}"
        except (OSError, ValueError) as error:
            return f"no answer ({error})"
    with socket.socket() as s:
        s.settimeout(wait)
        try:
            s.connect(("127.0.0.1", port))
            # Docker's proxy takes every connection and closes it at once where nothing listens behind it.
            s.settimeout(1)
            return None if s.recv(1) else "closed at once"
        except socket.timeout:
            return None
        except OSError as error:
            return f"no answer ({error})"


def listening(name):
    """The addresses that the container listens on, from its /proc/net; empty where the image has no `cat`."""
    found = set()
    for line in run("docker", "exec", name, "cat", "/proc/net/tcp", "/proc/net/tcp6")[1].splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[3] == "0A":
            address, _, port = fields[1].partition(":")
            local = address in ("0100007F", "00000000000000000000000001000000")
            found.add((int(port, 16), local))
    return found


# What the log says → the rule that was broken, and the cure; the first that fits is said.
SIGNS = [
    (r"read-only file system|EROFS|errno 30", "It writes to its own file system, which is read-only on the cluster.\nCure: write to /tmp, or to the storage's folder; set HOME and the caches of your tools to a place below /tmp."),
    (r"(bind|listen|port)[^\n]*(permission denied|EACCES)|permission denied[^\n]*(bind|:80\b)", "It listens on a port below 1024, which only root may.\nCure: let it listen on 8080 or above."),
    (r"must be run as root|(need|require)s? root|not root|run (it |this )?as root|operation not permitted|EPERM|setuid|setgid|chown", "It needs root; the cluster starts it as a random user of group 0, without capabilities.\nCure: leave out what needs root (chown, su, gosu, a port below 1024), or deploy with the service account anyuid."),
    (r"permission denied|EACCES|PermissionError|errno 13|cannot (open|create|write)", "It reads or writes what a random user of group 0 may not.\nCure, in the Dockerfile: RUN chgrp -R 0 DIR && chmod -R g=u DIR"),
    (r"exec format error", "It was built for another processor.\nCure: docker build --platform linux/amd64"),
    (r"no such file or directory|not found", "The command, or a file that it needs, is not in the image (or has Windows line ends)."),
]


def why_it_ended(state, log, file, then, unknown):
    """The rule that was most likely broken by what ended by itself, and the cure, in words."""
    if state.get("OOMKilled"):
        return f"It was ended for using more memory than its limit.\nCure: raise resources.limits.memory in openshift/{file}."
    for sign, cure in SIGNS:
        if re.search(sign, log, re.IGNORECASE):
            return cure
    extra = f"\nThese come from the cluster and are not set here: {', '.join(unknown)}." if unknown else ""
    return f"It ended by itself with status {state['ExitCode']}; {then}. Its log says why.{extra}"


def why(name, state, log, check, port, last, unknown):
    """The rule that was most likely broken, and the cure, in words."""
    if not state["Running"]:
        return why_it_ended(state, log, "deployment.yaml", "on the cluster it would be started again and again", unknown)
    open_ports = listening(name)
    if (port, True) in open_ports and (port, False) not in open_ports:
        return f"It listens on 127.0.0.1:{port} only, which nothing outside the container reaches.\nCure: listen on 0.0.0.0."
    others = sorted({p for p, _ in open_ports})
    if open_ports and port not in others:
        return f"It listens on {', '.join(map(str, others))}, not on {port}.\nCure: let it listen on $PORT ({port}), or name its port in openshift/deployment.yaml (containerPort and PORT)."
    if last and last.startswith("status"):
        return f"The readiness probe's path {check['httpGet'].get('path', '/')} answers {last}.\nCure: answer 200 there, or name another path in openshift/deployment.yaml."
    for sign, cure in SIGNS:
        if re.search(sign, log, re.IGNORECASE):
            return cure
    return f"Nothing answers on port {port} ({last}).\nCure: listen on 0.0.0.0:{port}."


def test(image):
    """Start `image` as openshift/ says the cluster will; its failure is said in words."""
    objects = manifests()
    item, pod, container = workload(objects)
    status, text = run("docker", "image", "inspect", image)
    if status:
        stop(f"There is no image {image} here: docker build -t {image} .", 2)
    about = json.loads(text)[0]
    if (about["Os"], about["Architecture"]) != ("linux", "amd64"):
        stop(f"FAILED: the image is for {about['Os']}/{about['Architecture']}, the cluster for linux/amd64.\nCure: docker build --platform linux/amd64")
    unknown = environment(container, objects)[1]
    if unknown:
        print(f"Not set here, as only the cluster knows it: {', '.join(unknown)}")
    options, user = docker_options(pod, container, objects), "the image’s own user" if pod.get("serviceAccountName") == "anyuid" else "user " + ANY_UID
    (test_job if item["kind"] == "CronJob" else test_service)(image, pod, container, options, unknown, user)


def start(options, image, container):
    """(the container's name, whether it could be started, what Docker said) of `docker run --detach`."""
    name = f"image-test-{os.getpid()}-{time.monotonic_ns()}"
    status, said = run("docker", "run", "--detach", "--name", name, *options, image, *container.get("command", [])[1:], *container.get("args", []))
    if not status:
        print("docker run %s %s" % (" ".join(options), image))
    return name, not status, said


def state_of(name):
    return json.loads(run("docker", "inspect", name)[1])[0]["State"]


def fail(log, reason):
    print("--- the container's log ---\n" + log + "\n---")
    stop("FAILED: " + reason)


def test_job(image, pod, container, options, unknown, user):
    """One pod in place of all: it has to end with status 0."""
    name, started, log = start(options + job_options(pod, container), image, container)
    try:
        state, begin = {"Running": False, "ExitCode": "125 of Docker"}, time.monotonic()
        if started:
            state = state_of(name)
            while state["Running"] and time.monotonic() < begin + DEADLINE:
                time.sleep(0.3)
                state = state_of(name)
            log = run("docker", "logs", "--tail", "200", name)[1]
        if state["Running"]:
            fail(log, f"It did not end within {DEADLINE} seconds.\nCure: keep example/ small; it is there to show that the image can work.")
        if state["ExitCode"] != 0:
            fail(log, why_it_ended(state, log, "cronjob.yaml", "a run that ends with another status than 0 has failed", unknown))
        print(f"passed: ended with status 0 as {user}; the end of its log:\n" + "\n".join(log.splitlines()[-3:]))
    finally:
        run("docker", "rm", "--force", name)


def test_service(image, pod, container, options, unknown, user):
    """The image's readiness probe has to be content."""
    ports = {p.get("name"): p["containerPort"] for p in container.get("ports", [])}
    check = container.get("readinessProbe") or {"tcpSocket": {"port": next(iter(ports.values()), 8080)}}
    wanted = (check.get("httpGet") or check.get("tcpSocket") or stop("The readiness probe is neither httpGet nor tcpSocket; this cannot ask it.", 2))["port"]
    port = ports.get(wanted, wanted)
    started = container.get("startupProbe", {})
    seconds = started.get("periodSeconds", 10) * started["failureThreshold"] if "failureThreshold" in started else DEADLINE
    name, is_started, log = start(["--publish", f"127.0.0.1::{port}", *options], image, container)
    try:
        last, state = None, {"Running": False, "ExitCode": "125 of Docker"}
        if is_started:
            end = time.monotonic() + seconds
            last = "not asked"
            while last and time.monotonic() < end:
                state = state_of(name)
                if not state["Running"]:
                    break
                bound = run("docker", "port", name, f"{port}/tcp")[1].rpartition(":")[2].strip()
                last = probe(int(bound), check) if bound.isdigit() else "no port"
                # A path that answers wrongly while the start goes on may come; one that does so for long will not.
                if last and last.startswith("status 4") and time.monotonic() > end - seconds + 20:
                    break
                time.sleep(0.3 if last else 0)
            state = state_of(name)
            log = run("docker", "logs", "--tail", "200", name)[1]
        if last is None and state["Running"]:
            print(f"passed: ready on port {port} as {user}")
            return
        fail(log, why(name, state, log, check, port, last, unknown))
    finally:
        run("docker", "rm", "--force", name)


def rollout(image):
    """Print the commands that bring `image` to the project and the Deployment or CronJob that openshift/ names."""
    item, _, container = workload(manifests())
    name, kind, oc = item["metadata"]["name"], item["kind"].lower(), f"oc -n {item['metadata']['namespace']}"
    print(f"{oc} set image {kind}/{name} {container['name']}={image}")
    if kind == "cronjob":
        # A name that is the same in every shell; the second time, a person gives another one.
        print(f"{oc} create job {name}-{re.sub('[^a-z0-9]+', '-', image.rpartition(':')[2].lower())[:8].strip('-')} --from=cronjob/{name}")


def findings(text, port):
    """What in a Dockerfile's text would not run on the cluster: a list of (what, cure)."""
    lines = re.sub(r"\\[ \t]*\r?\n(\s*#[^\n]*\r?\n)*", " ", text).splitlines()
    found, stages, arguments, user, exposed = [], set(), {}, "", set()
    syntax = re.match(r"#\s*syntax\s*=\s*(\S+)", text)
    if syntax and dockerhub(syntax[1]):
        found.append((f"its syntax line is pulled from DockerHub ({syntax[1]})", "leave the line out; the builder has a frontend of its own"))

    def value(word):
        return re.sub(r"\$\{?(\w+)(?::?-([^}]*))?\}?", lambda m: arguments.get(m[1], m[2] or m[0]), word)

    for line in lines:
        instruction, _, rest = line.strip().partition(" ")
        instruction, words = instruction.upper(), rest.split()
        if instruction in ("ARG", "ENV"):
            for pair in words:
                key, equals, given = pair.partition("=")
                if equals:
                    arguments[key] = given.strip("\"'")
        elif instruction == "FROM":
            words = [w for w in words if not w.startswith("--")]
            base = value(words[0]) if words else ""
            if dockerhub(base) and base.lower() not in stages:
                found.append((f"FROM {base} is pulled from DockerHub", "take the image from ghcr.io, quay.io or registry.access.redhat.com"))
            if len(words) > 2:
                stages.add(words[2].lower())
            user, exposed = "", set()
        elif instruction == "COPY":
            source = re.search(r"--from=(\S+)", rest)
            if source and not source[1].isdigit() and value(source[1]).lower() not in stages and dockerhub(value(source[1])):
                found.append((f"COPY --from={source[1]} is pulled from DockerHub", "take it from an image in another registry"))
        elif instruction == "USER" and words:
            user = value(words[0])
        elif instruction == "EXPOSE":
            exposed |= {value(w).partition("/")[0] for w in words}
    if not re.fullmatch(r"\d+(:\d+)?", user):
        found.append(("its last stage has no numeric USER" + (f" ({user})" if user else ""), "add the line USER 1001:0 before CMD"))
    if port and str(port) not in exposed:
        found.append((f"it has no EXPOSE {port}" + (f" (but {', '.join(sorted(exposed))})" if exposed else ""), f"let the application listen on {port} and add EXPOSE {port}, or generate with the port it has"))
    return found


def dockerhub(image):
    """Whether an image's name is one that DockerHub answers for: no registry's host before the first slash."""
    host, slash, _ = image.partition("/")
    if image in ("scratch", "") or image.startswith("$"):
        return False
    return not slash or not re.search(r"[.:]|^localhost$", host) or host in ("docker.io", "index.docker.io", "registry-1.docker.io")


def main(arguments):
    commands = {"test": (test, (1,)), "rollout": (rollout, (1,)), "dockerfile": (dockerfile, (1, 2))}
    command, counts = commands.get(arguments[0] if arguments else "", (None, ()))
    if len(arguments) - 1 not in counts:
        stop(__doc__.strip(), 2)
    command(*arguments[1:])


def dockerfile(path, port=None):
    """Print what in the Dockerfile at `path` would not run on the cluster, for an application that listens on `port`."""
    found = findings(Path(path).read_text(encoding="utf-8", errors="replace"), port)
    for what, cure in found:
        print(f"{what}\n  cure: {cure}")
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
