"""Runs git in such a way that the user's settings change neither what it does nor what it prints.

What a user needs for git to work at all stays: credentials, proxies, `url.….insteadOf`, names."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from dsri.update import Stopped

NOWHERE = "/dev/null"  # git for Windows knows it by that name, too
# In every repository; git-config(1) says what each is for.
SETTINGS = {
    "color.ui": "false",
    "commit.gpgSign": "false",
    "core.abbrev": "auto",
    "core.fsmonitor": "false",
    "core.hooksPath": NOWHERE,
    "core.quotePath": "false",
    "diff.ignoreSubmodules": "none",
    "diff.suppressBlankEmpty": "false",
    "i18n.logOutputEncoding": "UTF-8",
    "init.templateDir": "",
    "log.showSignature": "false",
    "status.showUntrackedFiles": "normal",
    "submodule.recurse": "false",
}
# In repositories of our own, too. In the user's, line endings and attributes stay theirs.
OWN_SETTINGS = {
    "core.attributesFile": NOWHERE,
    "core.autocrlf": "false",
    "core.eol": "lf",
    "core.excludesFile": NOWHERE,
    "core.safecrlf": "false",
    "diff.algorithm": "myers",
    "diff.renameLimit": "1000",
    "diff.renames": "true",
    "merge.conflictStyle": "diff3",
    "merge.default": "text",
    "merge.directoryRenames": "false",
    "merge.renameLimit": "7000",
    "merge.renames": "true",
    "merge.renormalize": "false",
    "protocol.file.allow": "always",
}
# Who commits and when are fixed, too: a conflict's marks have the commit's number in them.
OWN_VARIABLES = {
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_AUTHOR_DATE": "2000-01-01T00:00:00Z",
    "GIT_AUTHOR_EMAIL": "x",
    "GIT_AUTHOR_NAME": "x",
    "GIT_COMMITTER_DATE": "2000-01-01T00:00:00Z",
    "GIT_COMMITTER_EMAIL": "x",
    "GIT_COMMITTER_NAME": "x",
    "GIT_TEMPLATE_DIR": "",
}
# They point git elsewhere, or change what it prints. A git hook has some of them.
UNWANTED = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_ATTR_SOURCE",
    "GIT_COMMON_DIR",
    "GIT_DEFAULT_HASH",
    "GIT_DIFF_OPTS",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_GLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_INDEX_FILE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
}


def environment(is_own: bool = False, **more: str) -> dict[str, str]:
    """Return the environment in which git has fixed settings.

    `is_own` where the repository is one that we made; `more` are further variables."""
    found = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    settings = {**SETTINGS, **(OWN_SETTINGS if is_own else {})}
    count = int(found.get("GIT_CONFIG_COUNT") or 0)
    for number, (key, value) in enumerate(settings.items(), count):
        found[f"GIT_CONFIG_KEY_{number}"] = key
        found[f"GIT_CONFIG_VALUE_{number}"] = value
    found["GIT_CONFIG_COUNT"] = str(count + len(settings))
    if is_own:
        found.update(OWN_VARIABLES)
    return {**found, **more}


@contextlib.contextmanager
def fixed_settings() -> Iterator[None]:
    """Have what this process starts use git with the settings of our own repositories."""
    before = dict(os.environ)
    fixed = environment(is_own=True)
    try:
        os.environ.clear()
        os.environ.update(fixed)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def git_bytes(
    *words: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    text: bytes | None = None,
    fine: tuple[int, ...] = (0,),
) -> bytes:
    """Return what git prints, in bytes; Stopped with what it says where it fails.

    `env` is from `environment`, by default that of the user's repositories; `text` is what git
    reads; `fine` are the exit statuses that are no failure."""
    env = environment() if env is None else env
    command = ["git", "--no-pager", *words]
    done = subprocess.run(
        command, cwd=cwd, env=dict(env), input=text, capture_output=True, check=False
    )
    if done.returncode not in fine:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise Stopped(f"git {words[0]}: {said}")
    return done.stdout


def git(
    *words: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    text: str | None = None,
    fine: tuple[int, ...] = (0,),
) -> str:
    """Return what git prints; Stopped with what it says where it fails (see git_bytes).

    A path that is no UTF-8 stays as it is, by Python's `surrogateescape`."""
    given = None if text is None else text.encode("utf-8", "surrogateescape")
    printed = git_bytes(*words, cwd=cwd, env=env, text=given, fine=fine)
    return printed.decode("utf-8", "surrogateescape")
