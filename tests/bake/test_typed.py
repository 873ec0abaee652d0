"""Promise 6, at a terminal: the questions as a person sees them, what is typed taken as it is, Ctrl-C without a trace."""

import json
import os
import re
import sys
import time

import pytest
import yaml
from conftest import TEMPLATE

pexpect = pytest.importorskip("pexpect")
QUESTIONS = [
    key
    for key in json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    if not key.startswith("_")
]


@pytest.fixture
def terminal(tmp_path):
    """Cookiecutter at a terminal of 80 columns, in an empty folder; and that folder."""
    if os.name != "posix":
        pytest.skip("needs a pseudo-terminal: Linux or macOS")
    (tmp_path / "config.yaml").write_text(
        f"cookiecutters_dir: '{tmp_path}/c'\nreplay_dir: '{tmp_path}/r'\n", encoding="utf-8"
    )
    here = tmp_path / "here"
    here.mkdir()
    child = pexpect.spawn(
        sys.executable,
        ["-m", "cookiecutter", "--config-file", str(tmp_path / "config.yaml"), str(TEMPLATE)],
        cwd=str(here),
        encoding="utf-8",
        timeout=30,
        dimensions=(50, 80),
        env={**os.environ, "PWD": str(here), "TERM": "dumb"},
    )
    yield child, here
    child.close(force=True)


def answer(child, **typed):
    """Type these answers, Enter for the others; all that the terminal showed."""
    seen = ""
    for key in QUESTIONS:
        child.expect(r"\)(\x1b\[0m)?: ")
        seen += child.before + child.after
        child.sendline(typed.get(key, ""))
    child.expect(pexpect.EOF)
    child.close()
    return seen + child.before


def test_enter_all_the_way_down(terminal):
    child, here = terminal
    text = answer(child)
    assert child.exitstatus == 0 and os.listdir(here) == ["my-dsri-project"], text
    assert all(f"{n}. " in text for n in range(1, 7)) and "    cd my-dsri-project" in text
    assert "\x1b" not in text, "a terminal that is dumb gets no control characters"
    flat = " ".join(text.split())
    prompts = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))[
        "__prompts__"
    ]
    for prompt in prompts.values():
        assert all(
            line in flat for line in (prompt.values() if isinstance(prompt, dict) else [prompt])
        )


def test_what_is_typed_is_not_rendered(terminal):
    child, here = terminal
    name = "{{ 7 * 7 }} {% if x %} \"q\" 'it' \\"
    text = answer(child, project_name=name, repo_name="typed")
    assert child.exitstatus == 0, text
    assert (
        yaml.safe_load((here / "typed/CITATION.cff").read_text(encoding="utf-8"))["title"] == name
    )


def test_a_wrong_answer_is_refused_on_the_screen(terminal):
    child, here = terminal
    text = answer(child, port="80", email="x y")
    assert child.exitstatus == 1 and not os.listdir(here)
    assert re.search(
        r"2 answers cannot be used; nothing was written\.\s+email: 'x y'\s+allowed: a plain address",
        text,
    ), text


@pytest.mark.parametrize("question", [0, 3, 13])
def test_ctrl_c_leaves_nothing(terminal, question):
    child, here = terminal
    for _ in range(question):
        child.expect(r"\)(\x1b\[0m)?: ")
        child.sendline("")
    child.expect(r"\)(\x1b\[0m)?: ")
    time.sleep(0.3)  # the prompt is there before its reader is
    child.sendintr()
    child.expect(pexpect.EOF)
    assert not os.listdir(here)
