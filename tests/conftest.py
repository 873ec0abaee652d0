"""What the tests share: generating as a user does, and the words for what a machine lacks."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from base_images import docker_runs, images_of, is_available

TEMPLATE = Path(__file__).resolve().parent.parent
STAGED = TEMPLATE / "{{cookiecutter.repo_name}}" / "cookiecutter-stacks"
sys.path.insert(0, str(STAGED))  # the package `placing`, which the hook runs
sys.dont_write_bytecode = True  # what lies in the template's folder is staged
ANSWERS = {
    "repo_name": "Kg_Demo.v1",
    "openshift_project": "demo-project",
    "github_username": "octocat",
}
QUESTIONS = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
FACTS = QUESTIONS["_stacks"]
STACKS = list(FACTS)
BASE = re.search(
    "(?m)^FROM (.*)", (STAGED / "own-dockerfile/Dockerfile.j2").read_text(encoding="utf-8")
)[1]
# A shell lets what it starts in the background ignore Ctrl-C, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
collect_ignore = ["golden"]  # what users get, their tests too
ADDRESS = "https://github.com/MaastrichtU-IDS/cookiecutter-dsri"


def need(have, what):
    """Skip, saying what to install; where DSRI_TESTS=all everything has to be there, so fail."""
    if not have:
        (pytest.fail if os.environ.get("DSRI_TESTS") == "all" else pytest.skip)("needs " + what)


LONG = os.environ.get("DSRI_TESTS") in ("long", "all")
# What repeats in other circumstances what a shorter test or another level shows already.
long = pytest.mark.skipif(not LONG, reason="needs DSRI_TESTS=long, as it repeats what others show")


def tool(name, how):
    """The path of a program: beside this Python, or on PATH."""
    path = shutil.which(
        name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    )
    need(path, f"{name}: {how}")
    return path


def run(*command, **options):
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", **options
    )


def until(wanted, seconds=60, why=lambda: ""):
    """The first answer of `wanted` that is true; where none is in time, the test fails with what `why` gives."""
    end = time.monotonic() + seconds
    while not (found := wanted()):
        assert time.monotonic() < end, f"not in {seconds} seconds: {why()}"
        time.sleep(0.2)
    return found


class Generated:
    """A run of cookiecutter: its exit status, what it printed, the repository's folder."""

    def __init__(self, done, path):
        self.status, self.text, self.path = done.returncode, done.stdout + done.stderr, path

    def __truediv__(self, name):
        return self.path / name

    def files(self):
        return sorted(
            p.relative_to(self.path).as_posix()
            for p in self.path.rglob("*")
            if p.is_file() and ".git" not in p.relative_to(self.path).parts
        )


def listed(stack):
    """(the owner's paths, the template's): what cookiecutter.json says of the stack and its parts."""
    entries = {**QUESTIONS["_parts"], **FACTS}
    yours, templates = set(), set()
    for part in ("every", *FACTS[stack]["parts"], stack):
        yours.update(entries.get(part, {}).get("yours", {}))
        templates.update(entries.get(part, {}).get("templates", []))
    return yours, templates


def is_web(stack):
    """Whether a stack listens on a port; else it is a job, which ends."""
    return "web" in FACTS[stack]["parts"]


def workload(made):
    """(the Deployment or CronJob, its pod's specification) of a generated repository."""
    name = next(
        name
        for name in ("deployment.yaml", "cronjob.yaml")
        if (made.path / "openshift" / name).exists()
    )
    item = yaml.safe_load((made.path / "openshift" / name).read_text(encoding="utf-8"))
    spec = item["spec"]
    return item, spec.get("jobTemplate", {"spec": spec})["spec"]["template"]["spec"]


def hook(name, **context):
    """The names that a hook's file defines, cookiecutter's context being this one; what the hook does is not done."""
    namespace = {"__name__": "hook", "__file__": "hook"}
    exec(
        (TEMPLATE / "hooks" / f"{name}.py")
        .read_text(encoding="utf-8")
        .replace("{{ cookiecutter | tojson }}", json.dumps(context)),
        namespace,
    )
    return namespace


def later(made):
    """{heading: its blocks of commands} of "Later" in the generated openshift/README.md."""
    section = (
        (made / "openshift/README.md")
        .read_text(encoding="utf-8")
        .split("\n## Later\n")[1]
        .split("\n## ")[0]
    )
    parts = re.findall(r"(?ms)^### (.*?)\n(.*?)(?=^### |\Z)", re.sub(r"(?s)```.*?```", "", section))
    return {heading: re.findall(r"(?m)(?:^    .*\n)+", part) for heading, part in parts}


def bake(folder, *options, home=None, python=sys.executable, template=TEMPLATE, **answers):
    """Run the cookiecutter command in `folder`, as a user does, with the answers on top of ANSWERS. What cookiecutter
    keeps of its own is kept in `home`, by default that folder."""
    answers, home = {**ANSWERS, **answers}, home or folder
    config = home / ".config.yaml"
    config.write_text(
        f"cookiecutters_dir: '{home / '.c'}'\nreplay_dir: '{home / '.r'}'\n", encoding="utf-8"
    )
    done = run(
        python,
        "-m",
        "cookiecutter",
        "--config-file",
        str(config),
        "--no-input",
        *options,
        str(template),
        *[f"{k}={v}" for k, v in answers.items()],
        cwd=folder,
        env={**os.environ, "PWD": str(folder), "PYTHONUTF8": "1"},
    )
    return Generated(done, folder / answers["repo_name"])


GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "core.autocrlf=false"]


def committed(folder, message="x", *options):
    """The commit of all that is in a folder, a repository from then on."""
    for command in ([] if (folder / ".git").exists() else [["init", "-q", "-b", "main"]]) + [
        ["add", "-A"],
        ["commit", "-q", "--allow-empty", "-m", message, *options],
    ]:
        done = run(*GIT, *command, cwd=folder)
        assert done.returncode == 0, done.stderr
    return run("git", "rev-parse", "HEAD", cwd=folder).stdout.strip()


@pytest.fixture
def published(tmp_path, monkeypatch):
    """The template's repository under its address on GitHub, as git finds it: a folder to change and commit."""
    folder = tmp_path / "published" / "cookiecutter-dsri.git"
    folder.mkdir(parents=True)
    for name in (
        "cookiecutter.json",
        "hooks",
        "pyproject.toml",
        "README.md",
        "src",
        "{{cookiecutter.repo_name}}",
    ):
        if (TEMPLATE / name).is_dir():
            shutil.copytree(
                TEMPLATE / name,
                folder / name,
                ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"),
            )
        else:
            shutil.copy(TEMPLATE / name, folder / name)
    committed(folder, "The template")
    addresses = [
        f"{start}{end}"
        for start in (
            ADDRESS,
            ADDRESS.replace("//", "//me:s3cret@"),
            "git@github.com:MaastrichtU-IDS/cookiecutter-dsri",
        )
        for end in (".git", "")
    ]
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(addresses)))
    for number, address in enumerate(addresses):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", f"url.{folder.as_posix()}.insteadOf")
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", address)
    return folder


@pytest.fixture(scope="session", params=STACKS)
def stack(request):
    return request.param


@pytest.fixture(scope="session", params=["5Gi", "none"])
def storage(request):
    return request.param


@pytest.fixture(scope="session")
def repository(stack, storage, tmp_path_factory):
    """One repository a stack, with storage and without."""
    made = bake(tmp_path_factory.mktemp(stack), stack=stack, storage=storage)
    assert made.status == 0, made.text
    return made


@pytest.fixture(scope="session")
def docker(tmp_path_factory):
    """A running Docker, with logins of the tests' own: the user's are neither used nor changed."""
    need(docker_runs(), "a running Docker: docs.docker.com/get-docker")
    need(
        "io.containerd.snapshotter" in run("docker", "info", "-f", "{{.DriverStatus}}").stdout,
        "Docker with the containerd image store (Docker Engine 29)",
    )
    theirs, ours = (
        Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"),
        tmp_path_factory.mktemp("docker"),
    )
    for name in ("cli-plugins", "contexts", "buildx"):
        if (theirs / name).is_dir():
            (ours / name).symlink_to(theirs / name)
    settings = (
        json.loads((theirs / "config.json").read_text(encoding="utf-8"))
        if (theirs / "config.json").is_file()
        else {}
    )
    (ours / "config.json").write_text(
        json.dumps(
            {k: v for k, v in settings.items() if k not in ("auths", "credsStore", "credHelpers")}
        ),
        encoding="utf-8",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_CONFIG", str(ours))
        yield


def pytest_runtest_setup(item):
    """Ask for the base images of what a test builds, before its fixtures build it."""
    if "docker" in item.fixturenames and docker_runs():
        for image in images_of(item):
            need(is_available(image), f"the base image {image}: docker pull {image}")


def has_what_its_stack_needs(item):
    """Whether the storage that a test is given is one that the stack takes."""
    given = item.callspec.params if hasattr(item, "callspec") else {}
    without = given.get("storage") == "none"
    return not (without and FACTS.get(given.get("stack"), {}).get("needs_storage"))


def pytest_collection_modifyitems(items):
    """Leave out what no user can have: a stack that keeps its results on storage, without any."""
    items[:] = [item for item in items if has_what_its_stack_needs(item)]


@pytest.fixture(scope="session")
def cluster(docker):
    """The shell's environment in which the printed commands run: a cluster, a registry that takes images, `oc`."""
    need(
        os.environ.get("KUBECONFIG") and shutil.which("kubectl"),
        "KUBECONFIG, of a cluster to try on, and kubectl",
    )
    user, token, read = (
        os.environ.get(name) for name in ("GHCR_USER", "GHCR_TOKEN", "GHCR_READ_TOKEN")
    )
    need(
        user and token and read,
        "GHCR_USER, GHCR_TOKEN (may publish) and GHCR_READ_TOKEN (may read)",
    )
    env = {**os.environ, "PS1": "ready> ", "TERM": "dumb", "HISTFILE": ""}
    if not shutil.which("oc"):
        env["PATH"] = f"{TEMPLATE / 'tests' / 'cluster'}{os.pathsep}{env['PATH']}"
    assert (
        run("docker", "login", "ghcr.io", "-u", user, "--password-stdin", input=token).returncode
        == 0
    )
    return env


@pytest.fixture(scope="session")
def trials(cluster, tmp_path_factory):
    """What the cluster refuses, made once for all the tests that look at it."""
    from trials import started  # it imports this file

    with started(tmp_path_factory.mktemp("trials"), cluster) as made:
        yield made


@contextlib.contextmanager
def as_the_cluster(image, *options, user="1000650000:0", port=8080):
    """Run an image under the cluster's constraints, until the end of the block: (the container, its address), once it answers there."""
    started = run(
        "docker",
        "run",
        "-d",
        "--user",
        user,
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--read-only",
        "--tmpfs",
        "/tmp",
        "--publish",
        f"127.0.0.1::{port}",
        *options,
        image,
    )
    assert started.returncode == 0, started.stderr
    name = started.stdout.strip()
    try:
        address = run("docker", "port", name, f"{port}/tcp").stdout.strip()
        assert address, run("docker", "logs", name)
        until(lambda: answers(address), why=lambda: run("docker", "logs", name))
        yield name, address
    finally:
        run("docker", "rm", "-f", name)


def answers(address):
    """Whether something speaks HTTP there, whatever it says."""
    try:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"http://{address}/", timeout=5
        ).close()
    except urllib.error.HTTPError:
        pass
    except OSError:
        return False
    return True


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """One process has all that shares the cluster, one what times this machine's Docker, one the versions of cookiecutter,
    one what looks at the same repository; the rest goes where there is room."""
    from xdist.scheduler import LoadScopeScheduling

    class ByWhatIsShared(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = Path(nodeid.split("::")[0])
            repository = re.search(r"\[(.*)\]$", nodeid)
            if file.name == "test_repository.py" and repository:
                return repository[1]
            if file.name == "test_tools.py":
                return nodeid.split("::")[0]
            return {
                "cluster": "cluster",
                "image": "docker",
                "workflow": "docker",
                "versions": "versions",
            }.get(file.parent.name, nodeid)

    return ByWhatIsShared(config, log)


def pytest_terminal_summary(terminalreporter):
    """What ran, by level, and how long its tests took (two processes share the machine, so their sum is not the clock's)."""
    levels = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            level = levels.setdefault(Path(report.nodeid.split("::")[0]).parent.name, {})
            level[outcome] = level.get(outcome, 0) + 1
    for reports in terminalreporter.stats.values():
        for report in reports:
            if hasattr(report, "duration"):
                level = levels.setdefault(Path(report.nodeid.split("::")[0]).parent.name, {})
                level["seconds"] = level.get("seconds", 0) + report.duration
    for name, level in sorted(levels.items()):
        counts = ", ".join(
            f"{count} {outcome}" for outcome, count in level.items() if outcome != "seconds"
        )
        terminalreporter.write_line(f"level {name}: {counts}; {level.get('seconds', 0):.0f} s")


def snapshot(folder):
    """{path: what it is} of everything below a folder: bytes, mode, time of content; links by their target."""
    found = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        what = (
            os.readlink(path)
            if path.is_symlink()
            else path.read_bytes()
            if path.is_file()
            else None
        )
        found[path.relative_to(folder).as_posix()] = (
            what,
            about.st_mode,
            about.st_mtime_ns if not path.is_dir() or path.is_symlink() else 0,
        )
    return found


@pytest.fixture
def mine(somebodys, tmp_path):
    """A repository of somebody's, in a folder of the test's own."""
    return shutil.copytree(somebodys, tmp_path / somebodys.name, symlinks=True)


@pytest.fixture(scope="session")
def somebodys(tmp_path_factory):
    """A repository with a Dockerfile on port 8501 and all that a working copy may hold."""
    for program in ("basename", "sed", "uname") if os.name == "posix" else ():
        need(shutil.which(program), f"{program}, for git submodule: coreutils' or sed's package")
    top = tmp_path_factory.mktemp("somebody") / "Kg_Demo.v1"
    (top / "src").mkdir(parents=True)
    texts = {
        "Dockerfile": "FROM python:3.12\nUSER app\nEXPOSE 8501/tcp\nCMD python app.py\n",
        "readme.md": "mine\r\n",
        "docker-compose.yml": "services: {}\n",
        "COPYING": "GPL\n",
        "src/app.py": "print(1)\n",
        "src/crlf.txt": "a\r\nb\r\n",
        ".stacks": "mine\n",
        ".gitignore": "*.ignored\n",
        "secret.ignored": "x\n",
        "run.sh": "#!/bin/sh\n",
    }
    for name, text in texts.items():
        (top / name).write_bytes(text.encode())
    (top / "src" / "binary").write_bytes(bytes(range(256)))
    (top / "run.sh").chmod(0o755)
    (top / "src" / "app.py").chmod(0o444)
    (top / ".dockerignore").mkdir()  # a folder where a file would go
    (top / ".dockerignore" / "x").write_bytes(b"x")
    if os.name == "posix":
        (top / "CITATION.cff").symlink_to("nowhere")
        (top / "link").symlink_to("src/app.py")
    git = [
        "git",
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.org",
        "-c",
        "protocol.file.allow=always",
    ]
    for where, command in [
        (top / "src", ["init", "-q", "-b", "main"]),
        (top / "src", ["add", "app.py"]),
        (top / "src", ["commit", "-q", "-m", "x"]),
        (top, ["init", "-q", "-b", "main"]),
        (top, ["submodule", "--quiet", "add", str(top / "src"), "sub"]),
        (top, ["add", "Dockerfile", "run.sh", "readme.md"]),
        (top, ["commit", "-q", "-m", "x"]),
        (top, ["tag", "v1"]),
    ]:
        assert run(*git, *command, cwd=where).returncode == 0
    shutil.rmtree(top / "src" / ".git")
    (top / "run.sh").write_bytes(b"#!/bin/sh\necho dirty\n")
    (top / "staged").write_bytes(b"staged\n")
    assert run("git", "add", "staged", cwd=top).returncode == 0
    return top
