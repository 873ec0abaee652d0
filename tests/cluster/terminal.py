"""A terminal in which the printed commands are pasted, as people do."""

import re

import pytest


def blocks(text):
    """{step's number: its blocks of commands} of the printed steps."""
    found = {}
    for number, step in re.findall(r"(?m)^(\d)\. (.*(?:\n(?!\d\. ).*)*)", text):
        found[number] = re.findall(r"(?m)(?:^    .*\n?)+", step)
    return found


def shell(environment, folder):
    """bash at a terminal, without bracketed paste and without a history."""
    started = pytest.importorskip("pexpect").spawn(
        "bash",
        ["--norc", "--noprofile"],
        env=environment,
        cwd=str(folder),
        encoding="utf-8",
        timeout=60,
        echo=True,
        dimensions=(50, 200),
    )
    started.send("bind 'set enable-bracketed-paste off'; set +o history\n")
    return started


def paste(shell, block, *typed):
    """Paste a block whole, then type; what was printed until the next prompt."""
    shell.send("".join(line[4:] + "\n" for line in block.rstrip("\n").split("\n")))
    for prompt, answer in typed:
        shell.expect(f"(?<!'){prompt}")  # printed, not the echo of what was pasted
        shell.sendline(answer)
    shell.send("echo do''ne-$?\n")
    shell.expect(r"done-(\d+)", timeout=330)
    return shell.before
