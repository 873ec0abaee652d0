"""The pages for people: tables as the script makes them, links that lead somewhere, a recording of the questions of now, commands that work."""

import html
import os
import re
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
import tables
import yaml
from conftest import FACTS, STACKS, STAGED, TEMPLATE, run

README = (TEMPLATE / "README.md").read_text(encoding="utf-8")
SOURCES = {
    line.split("  ")[0]
    for line in (Path(__file__).parent / "sources.txt").read_text(encoding="utf-8").splitlines()
    if line[:1] != "#"
}
OURS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "tests/README.md")
PAGES = (
    [TEMPLATE / name for name in OURS]
    + [STAGED / "README.md"]
    + sorted((TEMPLATE / "tests" / "golden").glob("**/README.md"))
)
# What the answers of tests/golden name: it is there when the user has made it.
ANSWERED = re.compile(
    r"https://github\.com/(orgs/MaastrichtU-IDS/packages/container/kg_demo\.v1|MaastrichtU-IDS/Kg_Demo\.v1)(/|\.git|$)"
)


def test_the_tables_are_what_the_script_makes():
    assert tables.filled(README) == README, "python tools/tables.py"


def test_a_path_without_a_reason_and_a_reason_without_its_path_are_refused():
    for found, said in (
        (tables.paths("fastapi") + ["app/new.py"], "no reason for ['app/new.py']"),
        (tables.paths("fastapi")[1:], "no longer there: ['.dockerignore']"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            tables.tree(found)


def test_every_question_stack_promise_and_file_has_its_row():
    for key in tables.QUESTIONS:
        assert key.startswith("_") or f"\n| `{key}` | " in tables.questions(), key
    assert [row.split("`")[1] for row in tables.stacks().splitlines()[2:]] == STACKS == list(FACTS)
    assert [int(row.split("|")[1]) for row in tables.promises().splitlines()[2:]] == list(
        range(1, 11)
    )
    assert (
        len(re.findall(r"(?m)[├└]── .*[^/\n]$", tables.tree())) == len(tables.paths("fastapi")) + 1
    )


def text_of(page):
    """A page without its blocks and words of code, which are no links."""
    text = re.sub(r"(?ms)^```.*?^```", "", page.read_text(encoding="utf-8"))
    return re.sub(r"`[^`\n]+`", "`", re.sub(r"(?m)^ {4,}.*$", "", text))


def anchors(page):
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(
        r"(?m)^#+ (.*)", re.sub(r"(?ms)^```.*?^```", "", page.read_text(encoding="utf-8"))
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_there(page, path):
    """Whether a link of a page leads to a file or folder; tests/golden lists the ones that it does not hold."""
    golden = TEMPLATE / "tests" / "golden"
    if (page.parent / unquote(path)).exists():
        return True
    if golden not in page.parents:
        return False
    stack = page.relative_to(golden).parts[0]
    return os.path.normpath((page.parent / path).relative_to(golden / stack)).replace(
        os.sep, "/"
    ) in tables.paths(stack)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(TEMPLATE).as_posix())
def test_every_link_leads_somewhere(page):
    text = text_of(page)
    targets = (
        re.findall(r"\]\(([^)\s]+)\)", text)
        + re.findall(r"(?m)^\[[^]]+\]: (\S+)", text)
        + re.findall(r"(?m)(?<![(\w`])https?://[^\s)|>]+", text)
    )
    assert targets or "golden" in page.parts
    for target in {target.rstrip(".,;:") for target in targets}:
        if re.match("https?:", target):
            known = (
                target in SOURCES
                or target.split("?")[0] in SOURCES
                or ANSWERED.match(target)
                or target.startswith("http://127.0.0.1:")
            )
            assert known, f"{target}: confirm it, then write it into tests/maintain/sources.txt"
            continue
        # GitHub's pages of a repository, as seen from its README: a badge that works for a private one, and after a change of name.
        path, _, anchor = re.sub(
            r"^\.\./\.\./actions/(workflows/[\w-]+\.yml)(/badge\.svg)?$", r".github/\1", target
        ).partition("#")
        assert is_there(page, path), f"{target} is not in the repository"
        if anchor:
            assert anchor in anchors(page.parent / unquote(path) if path else page), (
                f"{target}: no such heading"
            )


def test_every_source_is_used():
    used = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert {source for source in SOURCES if source not in used} == set()


def test_the_source_has_lines_that_people_can_read():
    assert [
        line
        for line in README.splitlines()
        if len(line) > 120 and not line.startswith(("|", "    "))
    ] == []


def test_the_recording_asks_what_is_asked_now_and_ends_with_a_ready_pod():
    text = " ".join((TEMPLATE / "docs/session.txt").read_text(encoding="utf-8").split())
    for key, prompt in tables.QUESTIONS["__prompts__"].items():
        for words in [prompt] if isinstance(prompt, str) else prompt.values():
            assert words in text, f"{key}: python docs/session.py records it anew"
    assert (
        re.search(r"NAME READY STATUS RESTARTS AGE \S+ 1/1 Running \d+ \d+s$", text)
        and "successfully rolled out" in text
    )
    picture = (TEMPLATE / "docs/session.svg").read_text(encoding="utf-8")
    last = "".join(html.unescape(words) for words in re.findall(r">([^<>]*)</text>", picture))
    assert re.search(r"1/1\s+Running", last) and text.rpartition("AGE ")[2].split()[0] in last
    for name in ("session.svg", "flow.svg"):
        outside = re.findall(
            r"(?:href|src|url)\W+(?:https?:)?//\S+|<(?:script|image|foreignObject)\b",
            (TEMPLATE / "docs" / name).read_text(encoding="utf-8"),
        )
        assert outside == [], "GitHub shows a picture that loads nothing"


def test_answers_from_elsewhere_arrive(published, tmp_path):
    """The section's file and lines, run as they stand; what is asked is taken with Enter."""
    section = README.split("## Answers from elsewhere\n")[1].split("\n## ")[0]
    (tmp_path / "ids.yaml").write_text(
        re.search(r"(?s)```yaml\n(.*?)```", section)[1], encoding="utf-8"
    )
    lines = re.findall(r"(?m)^    (cookiecutter .*)$", section)
    assert len(lines) == 4
    (tmp_path / "home").mkdir()
    env = {
        **os.environ,
        "HOME": str(tmp_path / "home"),
        "USERPROFILE": str(tmp_path / "home"),
        "PWD": str(tmp_path),
        "PYTHONUTF8": "1",
    }

    def answers(line, folder):
        done = run(sys.executable, "-m", *line.split(), cwd=tmp_path, env=env, input="\n" * 20)
        assert done.returncode == 0, done.stdout + done.stderr
        return yaml.safe_load((tmp_path / folder / ".cruft.json").read_text(encoding="utf-8"))[
            "context"
        ]["cookiecutter"]

    group, some, script, again = lines
    found = answers(group, "my-dsri-project")
    assert (
        found.items()
        >= yaml.safe_load((tmp_path / "ids.yaml").read_text(encoding="utf-8"))[
            "default_context"
        ].items()
    )
    found = answers(some, "trial-graph")
    assert (found["stack"], found["full_name"]) == ("react", "Institute of Data Science")
    (tmp_path / "trial-graph").rename(tmp_path / "before")
    found = answers(script, "trial-graph")
    assert found["stack"] == "r-shiny" and (tmp_path / "trial-graph/app.R").exists()
    assert answers(again, "elsewhere/trial-graph") == found
    # As ~/.cookiecutterrc the file holds unnamed, and a word on the command line goes before it.
    (tmp_path / "home/.cookiecutterrc").write_bytes((tmp_path / "ids.yaml").read_bytes())
    found = answers(script.replace("trial-graph", "other license=MIT"), "other")
    assert (found["github_username"], found["license"]) == ("OUR-MACHINE-ACCOUNT", "MIT")
