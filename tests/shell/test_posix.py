"""Promises 2 and 4: what is printed, pasted into a real shell at a terminal, is read as what it says; the token that is
typed is nowhere afterwards.

`oc` and `gh` are recorded, not run (tests/cluster runs them); git is real, with a folder in place of github.com.
"""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from conftest import FACTS, STACKS, bake, is_web, later, long, need, run, until

pexpect = pytest.importorskip("pexpect")
if os.name != "posix":
    pytest.skip("needs a pseudo-terminal: Linux or macOS", allow_module_level=True)

CANARY = "ghp_canary0123456789'\"$(id)\\"
HISTORY = "set -o history; HISTSIZE=1000; HISTFILESIZE=1000"
SHELLS = {  # what starts it, and what makes it keep a history and take a paste without brackets
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        f"bind 'set enable-bracketed-paste off'; {HISTORY}",
    ),
    "dash": (["dash", "-i"], ":"),
    "zsh": (
        ["zsh", "-f", "-i"],
        "unset zle_bracketed_paste; SAVEHIST=1000 HISTSIZE=1000; setopt inc_append_history",
    ),
    "busybox": (["busybox", "sh", "-i"], ":"),
}
RECORDER = """#!/bin/sh
printf '%s\\2' "${0##*/}$(printf '\\1%s' "$@")" >> "$RECORD"
case "$*" in
  *--dry-run=client*) echo "the secret's manifest" ;;
  *'-f -') cat >/dev/null ;;
esac
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A home, a temporary folder and recorded programs; what the shell may see of this machine."""
    for name in ("home", "tmp", "bin", "here", "github"):
        (tmp_path / name).mkdir()
    for name in ("oc", "gh"):
        (tmp_path / "bin" / name).write_text(RECORDER, encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / ".gitconfig").write_text(
        f'[user]\n name = a\n email = a@example.org\n[url "{tmp_path}/github/"]\n insteadOf = https://github.com/\n',
        encoding="utf-8",
    )
    return tmp_path


def need_shell(shell):
    need(shutil.which(SHELLS[shell][0][0]), f"{shell}: a package of that name")


def at_a_terminal(shell, place, text, typed=CANARY):
    """Paste every block of the printed steps, whole; (what was recorded of each call, what the terminal showed)."""
    command, prepare = SHELLS[shell]
    need_shell(shell)
    env = {
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "HOME": str(place / "home"),
        "TMPDIR": str(place / "tmp"),
        "HISTFILE": str(place / "home" / "history"),
        "PS1": "ready> ",
        "ENV": "",
        "TERM": "dumb",
        "RECORD": str(place / "record"),
        "LANG": "C.UTF-8",
    }
    child = pexpect.spawn(
        command[0],
        command[1:],
        cwd=str(place / "here"),
        env=env,
        encoding="utf-8",
        timeout=20,
        dimensions=(50, 250),
    )
    child.delaybeforesend = None  # the token is there as soon as it is asked for
    seen = ""
    for block in [f"    {prepare}"] + re.findall(r"(?m)(?:^    .*\n?)+", text):
        child.send("".join(line[4:] + "\n" for line in block.rstrip("\n").split("\n")))
        if "read -r" in block:
            child.expect("(?<!')(Token|Value): ")
            seen += child.before
            child.sendline(typed)
        child.send("echo do''ne-$?\n")
        child.expect(r"done-(\d+)\D")
        seen += child.before
    child.sendline("exit")
    child.expect(pexpect.EOF)
    child.close()
    calls = [
        call.split("\1")
        for call in (place / "record").read_text(encoding="utf-8").split("\2")
        if call
    ]
    return calls, seen + child.before


def expected(stack, account, name, app):
    """The words of every recorded call, in order."""
    oc, secret = ["oc", "-n", "demo-project"], "github-ghcr-secret"
    calls = [
        ["gh", "repo", "create", f"Mona/{name}", "--private", "--source", ".", "--push"],
        ["gh", "run", "watch"],
        ["oc", "get", "namespace", "demo-project"],
        [
            *oc,
            "create",
            "secret",
            "docker-registry",
            secret,
            "--docker-server=ghcr.io",
            "--docker-username=octocat",
            f"--docker-password={CANARY}",
            "--docker-email=name@example.org",
            "--dry-run=client",
            "-o",
            "yaml",
        ],
        ["oc", "apply", "--server-side", "--force-conflicts", "-f", "-"],
        [*oc, "secrets", "link", account, secret, "--for=pull"],
    ]
    if FACTS[stack].get("token_variable"):
        calls.append(
            [*oc, "create", "secret", "generic", f"{app}-token", "--from-literal=token=<48 digits>"]
        )
    if not is_web(stack):
        return calls + [
            ["oc", "apply", "-k", "openshift"],
            [*oc, "replace", "--force", "-f", "openshift/files.yaml"],
            [*oc, "wait", "--for=condition=Ready", f"pod/{app}-fs", "--timeout=5m"],
            [*oc, "cp", "example/inputs", f"{app}-fs:/data/"],
            [*oc, "create", "job", f"{app}-1", f"--from=cronjob/{app}"],
            [*oc, "get", "job", f"{app}-1", "-w"],
        ]
    return (
        calls
        + [
            ["oc", "apply", "-k", "openshift"],
            [*oc, "rollout", "status", f"deployment/{app}", "--timeout=5m"],
            [*oc, "get", "route", app, "-o", "jsonpath=https://{.spec.host}{'\\n'}"],
        ]
        + (
            [[*oc, "extract", f"secret/{app}-token", "--to=-"]]
            if FACTS[stack].get("token_variable")
            else []
        )
    )


def expected_later(app, scales):
    """The same of what comes after the first deployment."""
    oc, old = ["oc", "-n", "demo-project"], ["oc", "-n", "OLD-PROJECT"]
    calls = [
        [*oc, "create", "secret", "generic", f"{app}-settings"],
        [*oc, "set", "data", f"secret/{app}-settings", f"API_KEY={CANARY}"],
        [*oc, "delete", "secret", "github-ghcr-secret"],
        [*old, "delete", "all,route,pvc", "-l", f"app.kubernetes.io/part-of={app}"],
    ]
    return calls + scales * [
        [*oc, "scale", f"deployment/{app}", "--replicas", "3"],
        [*oc, "autoscale", f"deployment/{app}", "--min", "2", "--max", "6", "--cpu-percent", "70"],
        [
            *oc,
            "create",
            "poddisruptionbudget",
            app,
            "--selector",
            f"app.kubernetes.io/name={app}",
            "--max-unavailable",
            "1",
        ],
        [*oc, "delete", "hpa,pdb", app, "--ignore-not-found"],
        [*oc, "scale", f"deployment/{app}", "--replicas", "1"],
    ]


def files_with(word, *folders):
    return [
        path
        for folder in folders
        for path in Path(folder).rglob("*")
        if path.is_file() and not path.is_symlink() and word.encode() in path.read_bytes()
    ]


EVERY = [(stack, shell) for stack in STACKS for shell in SHELLS]
# One shell reads every stack's steps, and every shell those of a service and of a job.
FIRST = [pair for pair in EVERY if pair[1] == "bash" or pair[0] in ("fastapi", "batch-job")]


@pytest.mark.parametrize(
    "stack, shell", [pytest.param(*pair, marks=[] if pair in FIRST else long) for pair in EVERY]
)
def test_a_real_shell_reads_the_steps_as_what_they_say(place, shell, stack):
    need_shell(shell)
    account, name = ("anyuid" if shell in ("dash", "zsh") else "default"), f"Kg_{stack}.v1"
    app = re.sub("[^a-z0-9]+", "-", name.lower())
    made = bake(
        place / "here",
        home=place / "home",
        stack=stack,
        service_account=account,
        repo_name=name,
        github_owner="Mona",
    )
    assert made.status == 0, made.text
    scales = FACTS[stack]["storage"] == "none"
    after = [
        block for blocks in later(made).values() for block in blocks if "Read-Host" not in block
    ]
    calls, seen = at_a_terminal(shell, place, made.text + "\n" + "\n".join(after))
    assert not re.search(r"(?i)syntax error|unexpected|not found", seen), seen
    found = [
        [re.sub("token=[0-9a-f]{48}$", "token=<48 digits>", word) for word in call]
        for call in calls
    ]
    assert sorted(found) == sorted(
        expected(stack, account, name, app) + expected_later(app, scales)
    ), seen  # two ends of a pipe have no order
    assert (
        sorted(run("git", "ls-tree", "-r", "--name-only", "main", cwd=made.path).stdout.split())
        == made.files()
    )
    # Promise 4: neither shown nor kept.
    assert "ghp_canary" not in seen
    assert files_with("ghp_canary", made.path, place / "home", place / "tmp", place / "here") == []
    if shell in ("bash", "zsh"):
        assert files_with("create secret docker-registry", place / "home"), (
            "this shell was to keep a history"
        )


@pytest.mark.parametrize("shell", SHELLS)
def test_ctrl_c_at_the_token_gives_the_terminal_back(place, shell):
    command, prepare = SHELLS[shell]
    need_shell(shell)
    made = bake(place / "here", home=place / "home")
    block = next(b for b in re.findall(r"(?m)(?:^    .*\n?)+", made.text) if "read -r" in b)
    child = pexpect.spawn(
        command[0],
        command[1:],
        cwd=str(place / "here"),
        env={
            "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
            "HOME": str(place / "home"),
            "PS1": "ready> ",
            "TERM": "dumb",
            "RECORD": str(place / "record"),
        },
        encoding="utf-8",
        timeout=20,
        dimensions=(50, 250),
    )
    child.send(prepare + "\n" + "".join(line[4:] + "\n" for line in block.rstrip("\n").split("\n")))
    child.expect("(?<!')Token: ")
    child.sendintr()
    child.expect("ready> ")

    def echoes():  # dash asks for the next command while what it has interrupted still ends
        child.send("stty -a | grep -o '[-]*echo '; echo do''ne\n")
        child.expect("done\r")
        return re.search(r"(?m)^echo ", child.before)

    until(echoes, seconds=20, why=lambda: child.before)
    child.close(force=True)
    assert not (place / "record").exists()


@pytest.mark.parametrize("staged", [False, True])
def test_a_repository_that_was_there_is_pushed_with_what_was_added(place, staged):
    need_shell("bash")
    mine = place / "here" / "Kg_Demo.v1"
    mine.mkdir()
    (mine / "it's mine.txt").write_text("x", encoding="utf-8")
    (mine / ".gitignore").write_text(
        "/openshift/\n*.yml\n", encoding="utf-8"
    )  # what is added is added all the same
    bare = place / "github" / "Mona" / "Kg_Demo.v1.git"
    for command in (
        ["init", "-q", "--bare", "-b", "main", str(bare)],
        ["init", "-q", "-b", "main", str(mine)],
    ):
        assert run("git", *command).returncode == 0
    for command in (
        ["add", "-A"],
        ["commit", "-q", "-m", "x"],
        ["remote", "add", "origin", "https://github.com/Mona/Kg_Demo.v1.git"],
    ):
        assert run("git", *command, cwd=mine).returncode == 0
    (mine / "unfinished").write_text("x", encoding="utf-8")
    if staged:
        assert run("git", "add", "unfinished", cwd=mine).returncode == 0
    made = bake(
        place / "here", "-f", "-s", home=place / "home", stack="own-dockerfile", github_owner="Mona"
    )
    calls, seen = at_a_terminal("bash", place, made.text)
    assert [call[:2] for call in calls][:1] == [["gh", "run"]], seen
    pushed = run("git", "ls-tree", "-r", "--name-only", "main", cwd=bare).stdout.splitlines()
    assert set(pushed) == set(made.files()) - {"unfinished"}
    assert run("git", "status", "--short", cwd=mine).stdout == (
        "A  unfinished\n" if staged else "?? unfinished\n"
    )


def test_without_gh_the_browser_makes_the_repository(place, monkeypatch):
    (place / "bin" / "gh").unlink()
    need_shell("bash")
    for name in ("git", "sh", "python3"):
        (place / "bin" / name).symlink_to(shutil.which(name))
    bare = place / "github" / "Mona" / "Kg_Demo.v1.git"
    assert run("git", "init", "-q", "--bare", "-b", "main", str(bare)).returncode == 0
    with monkeypatch.context() as patched:
        patched.setenv("PATH", str(place / "bin"))
        made = bake(place / "here", home=place / "home", github_owner="Mona")
    assert (
        "gh " not in made.text
        and "  Make it, empty, at https://github.com/new?owner=Mona&name=Kg_Demo.v1" in made.text
    )
    at_a_terminal("bash", place, made.text)
    assert (
        sorted(run("git", "ls-tree", "-r", "--name-only", "main", cwd=bare).stdout.split())
        == made.files()
    )


def test_gh_knows_what_is_printed_for_it(tmp_path):
    need(shutil.which("gh"), "gh: cli.github.com")
    text = bake(tmp_path).text
    commands = re.findall(r"(?m)^    (gh .*)$", text)
    assert commands
    for words in map(str.split, commands):
        help_text = run(*words[:3], "--help").stdout
        assert help_text and all(
            re.search(rf"(?m)^ +(-\w, )?{word}\b", help_text)
            for word in words[3:]
            if word.startswith("--")
        ), words


def test_the_steps_are_the_documentation(place):
    """What is printed stands in openshift/README.md too, word for word (but for the folder that `cd` names)."""
    made = bake(place / "here", home=place / "home")
    document = (made / "openshift/README.md").read_text(encoding="utf-8")
    words = json.dumps(document.replace("\n", " ").split())
    for line in made.text[made.text.index("1. ") :].splitlines():
        line = line.rstrip("\\").split()
        assert line[:1] == ["cd"] or json.dumps(line)[1:-1] in words, line
