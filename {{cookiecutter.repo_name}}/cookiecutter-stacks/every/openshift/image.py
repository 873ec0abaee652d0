#!/usr/bin/env python3
"""Runs an image here as the cluster will, and says in words what would go wrong there.

    python3 openshift/image.py test IMAGE              start IMAGE as openshift/ says, and ask its readiness probe;
                                                       a job's image has to end well on what example/ holds
    python3 openshift/image.py rollout IMAGE@DIGEST    print the commands that bring IMAGE to the cluster
    python3 openshift/image.py dockerfile FILE [PORT]  list what in a Dockerfile would not run there

Needs Python 3.9, Docker, and kubectl or oc. Exit status 0: it works; 1: it does not, and why is said; 2: it was not tried.
"""

import base64
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
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


def pods(objects):
    """(Deployment or CronJob, its pod's specification) of each."""
    for item in objects:
        if item["kind"] in PODS:
            pod = item
            for step in PODS[item["kind"]]:
                pod = pod[step]
            yield item, pod


def is_of(container, image):
    """Whether a container is of an image's repository, whatever the tag."""
    one, other = (re.sub("(:[^:/]*)?(@.*)?$", "", name) for name in (container["image"], image))
    return one == other


def workload(objects, image=""):
    """(Deployment or CronJob, its pod's specification, its container) that runs `image`; where none or several do, the
    application's own: the kustomization calls everything a part of it, and the container has its name (the Deployment may
    have another one, by an overlay)."""
    found = []
    for item, pod in pods(objects):
        application = item["metadata"].get("labels", {}).get("app.kubernetes.io/part-of", item["metadata"]["name"])
        found += [((not is_of(c, image), c["name"] != application), item, pod, c) for c in pod["containers"]]
    if not found:
        stop("openshift/ has no Deployment and no CronJob.")
    return min(found, key=lambda one: one[0])[1:]


def filled_in(text, known):
    """A value, or a word of a command, with Kubernetes' $(NAME) replaced; $$ stands for $."""
    return re.sub(r"\$\$|\$\(([\w.-]+)\)", lambda m: "$" if m[0] == "$$" else known.get(m[1], m[0]), text)


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
            known[variable["name"]] = filled_in(str(variable.get("value", "")), known)
        elif reference.get("key") in maps.get(reference.get("name"), {}):
            known[variable["name"]] = maps[reference["name"]][reference["key"]]
        else:
            unknown.append(variable["name"])
    return known, unknown


def bytes_of(quantity):
    """A Kubernetes quantity in bytes."""
    number, unit = re.fullmatch(r"\+?([0-9.]+)([eE][+-]?[0-9]+|[A-Za-z]*)", str(quantity)).groups()
    if unit[1:].lstrip("+-").isdigit():
        return int(float(number + unit))
    return int(float(number) * (0.001 if unit == "m" else (1024 if unit[1:] else 1000) ** " KMGTPE".index((unit or " ")[0].upper())))


def content(volume, objects):
    """{file: its bytes} of a volume that is a ConfigMap or a Secret; None of another kind, or where only the cluster has it."""
    kind, about = ("ConfigMap", volume["configMap"]) if "configMap" in volume else ("Secret", volume.get("secret", {}))
    for item in objects:
        if item["kind"] == kind and item["metadata"]["name"] in (about.get("name"), about.get("secretName")):
            encoded = item.get("binaryData", {}) if kind == "ConfigMap" else item.get("data", {})
            plain = item.get("data", {}) if kind == "ConfigMap" else item.get("stringData", {})
            held = {**{key: base64.b64decode(text) for key, text in encoded.items()}, **{key: text.encode() for key, text in plain.items()}}
            return {one["path"]: held[one["key"]] for one in about["items"] if one["key"] in held} if "items" in about else held
    return None


def mounts(pod, container, objects, folder):
    """The options of `docker run` for the container's mounts: what openshift/ holds is laid in `folder`, the rest is empty."""
    volumes, options = {volume["name"]: volume for volume in pod.get("volumes", [])}, []
    for mount in container.get("volumeMounts", []):
        volume, where = volumes.get(mount["name"], {}), mount["mountPath"]
        files = content(volume, objects)
        if files is None:
            limit = volume.get("emptyDir", {}).get("sizeLimit")
            options += ["--tmpfs", where + ":exec,mode=1777" + (f",size={bytes_of(limit)}" if limit else "")]
            continue
        top = Path(folder, mount["name"])
        for name, data in files.items():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_bytes(data)
        for path in [top, *top.rglob("*")]:
            path.chmod(0o755)  # whatever this machine's umask
        options += ["--volume", f"{top / mount.get('subPath', '')}:{where}:ro"]
    return options


def image_volumes(about, container):
    """The options of `docker run` for the image's VOLUMEs, which are writable here and on the cluster folders of the image
    (cri-o, crio.conf, image_volumes): as read-only as the rest of it."""
    tops = [mount["mountPath"].rstrip("/") for mount in container.get("volumeMounts", [])]
    paths = [path.rstrip("/") for path in about["Config"].get("Volumes") or {}] if container.get("securityContext", {}).get("readOnlyRootFilesystem") else []
    own = [path for path in paths if not any(f"{path}/".startswith(f"{top}/") or f"{top}/".startswith(f"{path}/") for top in tops)]
    return [word for path in own for word in ("--mount", f"type=volume,destination={path},readonly")]


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
    # Docker lets anybody take a port below 1024; the cluster's CRI-O does not (cri-o/cri-o#10050).
    options += ["--sysctl", "net.ipv4.ip_unprivileged_port_start=1024"]
    if security.get("readOnlyRootFilesystem"):
        options.append("--read-only")
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


def job_options(pod, container, folder):
    """The options of `docker run` that make one container the whole Job, with the examples on its storage."""
    options = ["--env", "JOB_COMPLETION_INDEX=0"]
    if any(variable["name"] == "JOB_COMPLETIONS" for variable in container.get("env", [])):
        options += ["--env", "JOB_COMPLETIONS=1"]
    storage = {v["name"] for v in pod.get("volumes", []) if "persistentVolumeClaim" in v}
    for mount in container.get("volumeMounts", []):
        if mount["name"] in storage and EXAMPLE.is_dir():
            for path in sorted(EXAMPLE.iterdir()):
                if not all(one.stat().st_mode & 0o004 for one in [path, *path.rglob("*")]):
                    # This machine's umask keeps it from the container's user: a copy that it may read.
                    path = Path(shutil.copytree(path, Path(folder, path.name)) if path.is_dir() else shutil.copy(path, folder))
                    for one in [path, *path.rglob("*")]:
                        one.chmod(0o755)
                options += ["--volume", f"{path}:{mount['mountPath']}/{path.name}:ro"]
    return options


class HereOnly(urllib.request.HTTPRedirectHandler):
    """A redirection to another host is not followed, and is an answer, as the kubelet has it."""

    def redirect_request(self, request, file, code, message, headers, address):
        same = urllib.parse.urlsplit(address).hostname == urllib.parse.urlsplit(request.full_url).hostname
        return super().redirect_request(request, file, code, message, headers, address) if same else None


def probe(name, port, check):
    """None where the probe is content, else what it found. `check` is the manifest's probe of the container `name`, `port` this machine's."""
    wait = check.get("timeoutSeconds", 1)
    if "exec" in check:
        status, said = run("docker", "exec", name, *check["exec"]["command"])
        return f"its command ended with status {status}: {said.strip()[-300:]}" if status else None
    if "httpGet" in check:
        address = f"{check['httpGet'].get('scheme', 'http').lower()}://127.0.0.1:{port}{check['httpGet'].get('path', '/')}"
        headers = {h["name"]: h["value"] for h in check["httpGet"].get("httpHeaders", [])}
        anybody = ssl.create_default_context()
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE  # as the kubelet, which knows no certificate of a pod
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=anybody), HereOnly)
            opener.open(urllib.request.Request(address, headers=headers), timeout=wait).close()
            return None
        except urllib.error.HTTPError as error:
            return f"status {error.code}" if error.code >= 400 or "infinite loop" in str(error) else None
        except (OSError, ValueError, http.client.HTTPException) as error:
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
    """The addresses that the container listens on, from its /proc/net; empty where neither the image has a `cat` nor this
    machine sees its process."""
    found, (status, text) = set(), run("docker", "exec", name, "cat", "/proc/net/tcp", "/proc/net/tcp6")
    if status:
        process, _, number = run("docker", "inspect", "--format", "/proc/{{.State.Pid}} {{.Id}}", name)[1].strip().partition(" ")
        try:
            # Where Docker has a machine of its own, that number is another process's here.
            if number and number in Path(process, "cgroup").read_text():
                text = "".join(Path(process, "net", table).read_text() for table in ("tcp", "tcp6"))
        except OSError:
            pass
    for line in text.splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[3] == "0A":
            address, _, port = fields[1].partition(":")
            local = address in ("0100007F", "00000000000000000000000001000000")
            found.add((int(port, 16), local))
    return found


# What the log says → the rule that was broken, and the cure; the first that fits is said.
SIGNS = [
    (r"no space left|ENOSPC|errno 28", "It writes more to /tmp, or to another emptyDir, than that may hold; the cluster ends such a pod.\nCure: write to the storage, or raise sizeLimit in openshift/."),
    (r"read-only file system|EROFS|errno 30|unable to open database file|readonly database", "It writes to its own file system, which is read-only on the cluster.\nCure: write to /tmp, or to the storage's folder; set HOME and the caches of your tools to a place below /tmp."),
    (r"(bind|listen|\bport\b|createTcp|connection to \()[^\n]*(permission denied|EACCES)|\.bind\(([^\n]*\n){1,2}[^\n]*permission denied|permission denied[^\n]*(bind|:80\b)", "It listens on a port below 1024, which only root may.\nCure: let it listen on 8080 or above."),
    (r"must be run as root|(need|require)s? root|not root|run (it |this )?as root|operation not permitted|EPERM|setuid|setgid|chown", "It needs root; the cluster starts it as a random user of group 0, without capabilities.\nCure: leave out what needs root (chown, su, gosu, a port below 1024), or deploy with the service account anyuid."),
    (r"permission denied|EACCES|PermissionError|AccessDenied|errno 13|cannot (open|create|write)", "It reads or writes what a random user of group 0 may not.\nCure, in the Dockerfile: RUN chgrp -R 0 DIR && chmod -R g=u DIR"),
    (r"exec format error", "It was built for another processor.\nCure: docker build --platform linux/amd64"),
    (r"getpw|get_passwd|no username set|uid not found|user (exists )?for (uid|user id)|name for user id", "It asks for the name of its user; a random one has none.\nCure, in the Dockerfile: ENV USER=app LOGNAME=app HOME=/tmp, where that is enough for what asks (the log says who)."),
    (r"connection refused|ECONNREFUSED|name or service not known|name resolution|(translate|resolve) host|getaddrinfo|UnknownHost|no such host", "It needs another service, such as a database, at its start, which is not there where the image is tried.\nCure: let it start without, and connect when it is asked something."),
    (r"no such file or directory|not found", "The command, or a file that it needs, is not in the image (or has Windows line ends)."),
]


def rule(log):
    """The rule that was broken, as the log has it, and the cure; "" where it says none."""
    return next((cure for sign, cure in SIGNS if re.search(sign, log, re.IGNORECASE)), "")


def why_it_ended(state, log, file, then, unknown):
    """The rule that was most likely broken by what ended by itself, and the cure, in words."""
    if state.get("OOMKilled"):
        return f"It was ended for using more memory than its limit.\nCure: raise resources.limits.memory in openshift/{file}."
    extra = f"\nThese come from the cluster and are not set here: {', '.join(unknown)}." if unknown else ""
    return rule(log) or f"It ended by itself with status {state['ExitCode']}; {then}. Its log says why.{extra}"


def why(name, state, log, check, port, last, unknown):
    """The rule that was most likely broken, and the cure, in words."""
    if not state["Running"]:
        return why_it_ended(state, log, "deployment.yaml", "on the cluster it would be started again and again", unknown)
    if last and last.startswith("its command"):
        return f"The readiness probe is not content: {last}.\nCure: correct that command, in openshift/deployment.yaml, or what it looks at."
    open_ports = listening(name)
    if (port, True) in open_ports and (port, False) not in open_ports:
        return f"It listens on 127.0.0.1:{port} only, which nothing outside the container reaches.\nCure: listen on 0.0.0.0."
    others = sorted({p for p, _ in open_ports})
    if open_ports and port not in others:
        return f"It listens on {', '.join(map(str, others))}, not on {port}.\nCure: let it listen on $PORT ({port}), or name its port in openshift/deployment.yaml (containerPort and PORT)."
    if last and last.startswith("status"):
        return f"The readiness probe's path {check['httpGet'].get('path', '/')} answers {last}.\nCure: answer 200 there, or name another path in openshift/deployment.yaml."
    return rule(log) or f"Nothing answers on port {port} ({last}).\nCure: listen on 0.0.0.0:{port}."


def test(image):
    """Start `image` as openshift/ says the cluster will; its failure is said in words."""
    objects = manifests()
    item, pod, container = workload(objects, image)
    status, text = run("docker", "image", "inspect", image)
    if status:
        stop(f"There is no image {image} here: docker build -t {image} ." if re.search("(?i)no such image|image not known", text) else text.strip("[] \n"), 2)
    about = json.loads(text)[0]
    if (about["Os"], about["Architecture"]) != ("linux", "amd64"):
        stop(f"FAILED: the image is for {about['Os']}/{about['Architecture']}, the cluster for linux/amd64.\nCure: docker build --platform linux/amd64")
    known, unknown = environment(container, objects)
    container = {**container, **{key: [filled_in(word, known) for word in container[key]] for key in ("command", "args") if key in container}}
    if unknown:
        print(f"Not set here, as only the cluster knows it: {', '.join(unknown)}")
    if len(pod["containers"]) > 1 or "initContainers" in pod:
        print(f"Not run here: {', '.join(c['name'] for c in [*pod.get('initContainers', []), *pod['containers']] if c['name'] != container['name'])}")
    options, user = docker_options(pod, container, objects), "the image’s own user" if pod.get("serviceAccountName") == "anyuid" else "user " + ANY_UID
    with tempfile.TemporaryDirectory() as folder:
        options += mounts(pod, container, objects, folder) + image_volumes(about, container) + (job_options(pod, container, folder) if item["kind"] == "CronJob" else [])
        (test_job if item["kind"] == "CronJob" else test_service)(image, container, options, unknown, user)


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


def test_job(image, container, options, unknown, user):
    """One pod in place of all: it has to end with status 0."""
    name, started, log = start(options, image, container)
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
        run("docker", "rm", "--force", "--volumes", name)


def test_service(image, container, options, unknown, user):
    """The image's readiness probe has to be content."""
    ports = {p.get("name"): p["containerPort"] for p in container.get("ports", [])}
    check = container.get("readinessProbe") or {"tcpSocket": {"port": next(iter(ports.values()), 8080)}}
    wanted = (check.get("httpGet") or check.get("tcpSocket") or check.get("grpc") or {"port": next(iter(ports.values()), 8080)})["port"]
    port = ports.get(wanted, wanted)
    if "grpc" in check:
        print("The readiness probe is grpc; here it is only seen whether something listens.")
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
                last = probe(name, int(bound), check) if bound.isdigit() else "no port"
                # A path that answers wrongly while the start goes on may come; one that does so for long will not.
                if last and last.startswith("status 4") and time.monotonic() > end - seconds + 20:
                    break
                time.sleep(0.3 if last else 0)
            state = state_of(name)
            log = run("docker", "logs", "--tail", "200", name)[1]
        if last is None and state["Running"]:
            print(f"passed: ready on port {port} as {user}")
            # That a port is open says little. What the page there answers decides nothing, but is seen here first.
            page = probe(name, int(bound), {"httpGet": {"path": "/"}, "timeoutSeconds": 5}) if "tcpSocket" in check else None
            if page and page.startswith("status 5"):
                log = run("docker", "logs", "--tail", "200", name)[1]
                print(f"--- the container's log ---\n{log}\n---\nBut / answers {page}. {rule(log)}")
            return
        fail(log, why(name, state, log, check, port, last, unknown))
    finally:
        run("docker", "rm", "--force", "--volumes", name)


def rollout(image):
    """Print the commands that bring `image` to the project and the Deployments and CronJobs in openshift/ that run it."""
    objects = manifests()
    own, _, container = workload(objects, image)
    name, project = own["metadata"]["name"], own["metadata"].get("namespace")
    oc = f"oc -n {project}" if project else "oc"
    for item, pod in pods(objects):
        names = [c["name"] for c in [*pod.get("initContainers", []), *pod["containers"]] if is_of(c, image)]
        if names or item is own:
            print(f"{oc} set image {item['kind'].lower()}/{item['metadata']['name']} " + " ".join(f"{one}={image}" for one in names or [container["name"]]))
    if own["kind"] == "CronJob":
        # A name that is the same in every shell; the second time, a person gives another one.
        print(f"{oc} create job {name}-{re.sub('[^a-z0-9]+', '-', image.rpartition(':')[2].lower())[:8].strip('-')} --from=cronjob/{name}")


def instructions(text):
    """(the header's directives, [(INSTRUCTION, the rest of it)]) of a Dockerfile, as BuildKit reads it."""
    lines, directives = text.lstrip("\ufeff").replace("\r\n", "\n").split("\n"), {}
    while lines and re.match(r"#\s*(syntax|escape|check)\s*=", lines[0], re.IGNORECASE):
        key, _, given = lines.pop(0).lstrip("#").partition("=")
        directives[key.strip().lower()] = given.strip()
    goes_on, found, joined = re.escape(directives.get("escape", "\\")) + r"[ \t]*$", [], ""
    while lines:
        line = lines.pop(0)
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        joined += re.sub(goes_on, " ", line)
        if (re.search(goes_on, line) and lines) or not joined.strip():
            continue
        name, *rest = joined.split(None, 1)
        found.append((name.upper(), (rest or [""])[0].strip()))
        if found[-1][0] in ("RUN", "COPY", "ADD"):
            for tabs, _, word in re.findall(r"(?:^|\s)\d*<<(-?)([\"']?)(\w+)\2", joined):
                ends = [n for n, other in enumerate(lines) if (other.lstrip("\t") if tabs else other) == word]
                del lines[:ends[0] + 1 if ends else 0]
        joined = ""
    return directives, found


def findings(text, port, anyuid=False):
    """What in a Dockerfile's text would not run on the cluster, there under an account of that kind: a list of (what, cure)."""
    (directives, lines), found = instructions(text), []
    # What BuildKit sets by itself; with what the file sets itself, it is all that the workflow's build knows.
    known = {"TARGETPLATFORM": "linux/amd64", "TARGETOS": "linux", "TARGETARCH": "amd64", "BUILDPLATFORM": "linux/amd64", "BUILDOS": "linux", "BUILDARCH": "amd64"}
    stage, stages, needs, pulls, user, exposed = "", {}, {"": []}, [], "", []
    if dockerhub(directives.get("syntax", "")):
        found.append((f"its syntax line is pulled from DockerHub ({directives['syntax']})", "leave the line out; the builder has a frontend of its own"))

    def value(word):
        def filled_in(match):
            set_to = known.get(match[1] or match[2])
            if match[3]:
                return (set_to or match[4]) if match[3] == "-" else (set_to and match[4] or "")
            return match[0] if set_to is None else set_to

        return re.sub(r"\$(?:(\w+)|\{(\w+)(?::?([-+])([^}]*))?\})", filled_in, word).replace('"', "").replace("'", "")

    def pulled(image):
        return dockerhub(value(image)) and not value(image).isdigit() and value(image).lower() not in stages

    for instruction, rest in lines:
        words = rest.split()
        if instruction == "ENV" and words and "=" not in words[0]:
            known[words[0]] = value(" ".join(words[1:]))
        elif instruction in ("ARG", "ENV"):
            known.update((key, value(given)) for key, equals, given in (word.partition("=") for word in words) if equals)
        elif instruction == "FROM":
            words = [word for word in words if not word.startswith("--")] or [""]
            stage = value(words[2]).lower() if len(words) > 2 else str(len(stages))
            if pulled(words[0]):
                official = re.fullmatch(r"(?:[\w.-]*docker\.io/)?(?:library/)?([\w.-]+(?:[:@]\S+)?)", value(words[0]))  # AWS has copies of these
                copy = f" (public.ecr.aws/docker/library/{official[1]} is its copy)" if official else ""
                pulls.append((f"FROM {value(words[0])} is pulled from DockerHub", "take the image from ghcr.io, quay.io or registry.access.redhat.com" + copy, stage))
            # A stage begins with what the one that it is made from has said.
            user, exposed = stages.get(value(words[0]).lower(), ("", []))
            needs[stage] = [value(words[0]).lower()]
        elif instruction in ("COPY", "RUN"):
            option = r"--from=(\S+)" if instruction == "COPY" else r"--mount=(?:\S*,)?from=([^\s,]+)"
            images = re.findall(option, rest)
            needs[stage] += [dict(enumerate(stages)).get(int(one), "") if one.isdigit() else one for one in (value(image).lower() for image in images)]
            for image in filter(pulled, images):
                pulls.append((f"{instruction} {'--from' if instruction == 'COPY' else '--mount=from'}={image} is pulled from DockerHub", "take it from an image in another registry", stage))
        elif instruction == "USER" and words:
            user = value(words[0])
        elif instruction == "EXPOSE":
            exposed = exposed + [value(word) for word in words]
        if instruction in ("FROM", "USER", "EXPOSE") and (stages or instruction == "FROM"):
            stages[stage] = (user, exposed)
    # Only what the last stage, or the one named test, takes something from is built.
    built, more = set(), [stage, "test"]
    while more:
        one = more.pop()
        more += needs.get(one, []) if one not in built else []
        built.add(one)
    found += dict.fromkeys((what, cure) for what, cure, where in pulls if where in built)
    # A variable of that name is set by the base image, to a number.
    if not anyuid and not re.fullmatch(r"[1-9]\d*(:.+)?|\$\{?\w*UID\}?(:.+)?", user):
        what = "its last stage has no numeric USER" + (f" ({user})" if user else "")
        found.append(("its last stage runs as root (USER 0)" if user.partition(":")[0] == "0" else what, "add the line USER 1001:0 before CMD"))
    ranges = [re.fullmatch(r"(\d+)(?:-(\d+))?(?:/tcp)?", word, re.IGNORECASE) for word in exposed]
    if port and not any(m and int(m[1]) <= int(port) <= int(m[2] or m[1]) for m in ranges):
        but = ", ".join(sorted({re.sub("(?i)/tcp$", "", word) for word in exposed}))
        low = any(m and int(m[1]) < 1024 for m in ranges)
        found.append((f"it has no EXPOSE {port}" + (f" (but {but})" if exposed else ""), f"let the application listen on {port} and add EXPOSE {port}" + ("" if low else ", or generate with the port it has")))
    return found


def dockerhub(image):
    """Whether an image's name is one that DockerHub answers for: no registry's host before the first slash."""
    host, slash, _ = image.partition("/")
    if image in ("scratch", "") or image[0] in "$/":
        return False
    # Its own hosts, by which an image may name it: these are known to be warned of, nothing is pulled from there.
    return not slash or not re.search(r"[.:]|^localhost$", host) or host in ("docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")


def main(arguments):
    commands = {"test": (test, (1,)), "rollout": (rollout, (1,)), "dockerfile": (dockerfile, (1, 2))}
    command, counts = commands.get(arguments[0] if arguments else "", (None, ()))
    if len(arguments) - 1 not in counts:
        stop(__doc__.strip(), 2)
    command(*arguments[1:])


def dockerfile(path, port=None):
    """Print what in the Dockerfile at `path` would not run on the cluster, for an application that listens on `port`."""
    if port and not port.isdigit():
        stop(f"{port} is no port.", 2)
    try:
        found = findings(Path(path).read_text(encoding="utf-8", errors="replace"), port)
    except OSError as error:
        stop(f"{path} cannot be read: {error.strerror}", 2)
    for what, cure in found:
        print(f"{what}\n  cure: {cure}")
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
