"""Promise 6: whatever is answered, it is refused by name and leaves nothing, or every file is valid and every text arrives.

DSRI_DRAWS=2000 python -m pytest tests/bake/test_hostile.py --hypothesis-seed=1
"""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import jinja2
import pytest
import yaml
from conftest import LONG, STACKS, STAGED, TEMPLATE, is_web, long, need
from cookiecutter.exceptions import CookiecutterException
from cookiecutter.main import cookiecutter

from dsri.update.template import hushed

hypothesis = pytest.importorskip("hypothesis")
kubernetes_validate = pytest.importorskip("kubernetes_validate")
st = hypothesis.strategies
try:
    import tomllib
except ImportError:
    import tomli as tomllib

SIGNS = [
    "'",
    '"',
    "`",
    "\\",
    "$(id)",
    "${x}",
    "`id`",
    "%PATH%",
    "!x",
    ": ",
    " #",
    "- ",
    "!!int 1",
    "&a",
    "*a",
    "| ",
    "> ",
    "{{ 1 }}",
    "{% x %}",
    "{# y #}",
    "{{",
    "}}",
    "#% if",
    "<b>",
    "&amp;",
    "</script>",
    "# h",
    "[x](y)",
    "| a |",
    "日本",
    "é",
    "e\u0301",
    "👩‍🚀",
    "\u200b",
    "\u202e",
    "\u2028",
    "\ufeff",
    "\ud800",
    "\x85",
    "\xa0",
    "'''",
    '"""',
    "\\N{DASH}",
    "\\u0041",
    "%s",
    "{0}",
    *map(chr, [*range(32), 127]),
]
WORDS = [
    "null",
    "on",
    "yes",
    "~",
    "1e3",
    "0x1F",
    "0o7",
    "2024-01-01",
    "12:30",
    ".inf",
    "true",
    "False",
    "None",
    "x" * 10000,
    "-",
    "--",
    "=",
    "a\\",
    "\\",
    "'",
    '"',
    "a\"b'c",
]
hostile = st.one_of(
    st.sampled_from(WORDS),
    st.text(max_size=40),
    st.lists(st.one_of(st.sampled_from(SIGNS), st.text("ab 1", max_size=3)), max_size=6).map(
        "".join
    ),
)
BAD = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\uffff]"
)
awkward = hostile.map(lambda text: BAD.sub("", text).strip()[:90]).filter(bool)
names = st.one_of(
    st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,30}\Z"),
    st.sampled_from(
        [
            "CON",
            "nul.x",
            "x.git",
            "default",
            "kube-system",
            "1e3",
            "0x1F",
            "null",
            "on",
            "2024-01-01",
            "a" * 64,
            "é",
        ]
    ),
)
label = st.from_regex(r"\A[a-z][a-z0-9-]{0,20}[a-z0-9]\Z")


def mostly(good, bad=hostile):
    """Good ones nineteen times in twenty, or hardly a draw of all the answers together would be taken."""
    return st.integers(0, 19).flatmap(lambda n: bad if n == 13 else good)


ANSWERS = st.fixed_dictionaries(
    {
        "project_name": mostly(awkward),
        "description": mostly(awkward),
        "full_name": mostly(awkward),
        "repo_name": mostly(
            st.from_regex(r"\A[A-Za-z0-9]+([._-][A-Za-z0-9]+){0,2}\Z").filter(
                lambda s: len(s) < 30
            ),
            names,
        ),
        "stack": st.sampled_from(STACKS),
        "github_owner": mostly(
            st.from_regex(r"\A[A-Za-z0-9]+(-[A-Za-z0-9]+)?\Z").filter(lambda s: len(s) < 30)
        ),
        "github_username": mostly(
            st.from_regex(r"\A[A-Za-z0-9]+(-[A-Za-z0-9]+)?\Z").filter(lambda s: len(s) < 30)
        ),
        "email": mostly(st.from_regex(r"\A[a-z0-9]+([.+_-][a-z0-9]+)?@[a-z]+\.nl\Z")),
        "openshift_project": mostly(label, names),
        "service_account": st.sampled_from(["default", "anyuid"]),
        "pull_secret_name": mostly(label, names),
        "port": mostly(st.integers(1024, 65535).map(str)),
        "storage": mostly(
            st.sampled_from(["none", "5Gi", "1e3", "500M", "0.5Ti", "10Ti", "1E2"]),
            st.sampled_from(["11Ti", "0", "5GB", "", "-1"]),
        ),
        "license": st.sampled_from(["MIT", "Apache-2.0", "BSD-3-Clause", "none"]),
    }
)


@pytest.fixture(scope="module", autouse=True)
def gh(tmp_path_factory):
    """A `gh` on PATH, without which the hook prints other steps; nothing calls it."""
    need(shutil.which("sh") or os.name == "nt", "sh: a POSIX shell")
    folder = tmp_path_factory.mktemp("gh")
    (folder / "gh").write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
    (folder / "gh").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(folder), prepend=os.pathsep)
        yield


def as_answer(text):
    """What gives `text` after cookiecutter has rendered an answer from the command line."""
    return re.sub(r"(?m)^(\s*)#%", r"\1{{ '#' }}%", text.replace("{", "{{ '{' }}"))


def generate(folder, answers):
    """(exit status, what was printed) of cookiecutter, in this process; its hooks' output is caught as well."""
    with hushed() as said:
        try:
            cookiecutter(
                str(TEMPLATE),
                no_input=True,
                extra_context={k: as_answer(v) for k, v in answers.items()},
                output_dir=folder,
                default_config=True,
            )
        except (CookiecutterException, ValueError, OSError) as error:
            return 1, said() + str(error)
        return 0, said()


def schema():
    import check_jsonschema

    return json.loads(
        next(Path(check_jsonschema.__file__).parent.rglob("citation-file-format.json")).read_text(
            encoding="utf-8"
        )
    )


def check_files(top, answers):
    """Every file parses in its own language; the manifests pass the strict schema; the texts are read back."""
    import jsonschema

    texts = {
        path.relative_to(top).as_posix(): path.read_bytes().decode("utf-8")
        for path in top.rglob("*")
        if path.is_file()
    }
    for name, text in texts.items():
        assert "cookiecutter." not in text.replace("cookiecutter-dsri", "") or any(
            "cookiecutter." in answers[k] for k in answers
        ), name
        if name.endswith((".yaml", ".yml", ".cff")):
            data = yaml.safe_load(text)
            if data.get("kind") in (
                "Deployment",
                "CronJob",
                "Pod",
                "Service",
                "PersistentVolumeClaim",
            ):
                kubernetes_validate.validate(data, "1.34", strict=True)
        elif name.endswith(".py"):
            ast.parse(text)
    name, description, author = (
        answers["project_name"],
        answers["description"],
        answers["full_name"],
    )
    citation = yaml.safe_load(texts["CITATION.cff"])
    jsonschema.validate(json.loads(json.dumps(citation, default=str)), schema())
    assert (citation["title"], citation["abstract"], citation["authors"][0]["name"]) == (
        name,
        description,
        author,
    )
    notes = yaml.safe_load(
        texts["openshift/deployment.yaml" if is_web(answers["stack"]) else "openshift/cronjob.yaml"]
    )["metadata"]["annotations"]
    assert (notes["openshift.io/display-name"], notes["openshift.io/description"]) == (
        name,
        description,
    )
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", texts["README.md"].split("\n")[0]) == "# " + name
    if "pyproject.toml" in texts:
        project = tomllib.loads(texts["pyproject.toml"])["project"]
        assert (project["description"], project["authors"][0]["name"]) == (description, author)
    if answers["stack"] == "fastapi":
        values = {
            n.target.id: n.value.value
            for n in ast.walk(ast.parse(texts["app/settings.py"]))
            if isinstance(n, ast.AnnAssign) and isinstance(n.value, ast.Constant)
        }
        assert (values["title"], values["description"], values["author"]) == (
            name,
            description,
            author,
        )
    if "src/about.json" in texts:
        assert json.loads(texts["src/about.json"]) == {
            "name": name,
            "description": description,
            "author": author,
        }
    if "R/project.R" in texts:
        assert r_strings(texts["R/project.R"]) == {
            "title": name,
            "description": description,
            "author": author,
        }


def r_strings(code):
    """The named strings of R code; R knows no other escape in what `__escaped` gives (its manual, NewQuotes)."""
    return {
        key: re.sub(r'\\([\\"])', r"\1", value)
        for key, value in re.findall(r'(?m)^  (\w+) = "((?:[^"\\]|\\[\\"])*)",?$', code)
    }


def words(text):
    """The words of every oc, git and gh command that a real shell makes of the printed steps; nothing else is run."""
    code = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    stubs = "".join(
        f"{name}() {{ printf '{name}'; printf '\\0%s' \"$@\"; printf '\\n'; }}; "
        for name in ("oc", "git", "gh")
    )
    done = subprocess.run(
        ["sh"],
        input=f"cd() {{ :; }}; stty() {{ :; }}; od() {{ :; }}; tr() {{ :; }}; GHCR_TOKEN=; {stubs}\nexport PATH=\n{code}\n",
        capture_output=True,
        encoding="utf-8",
        timeout=20,
    )
    return [
        line.split("\0") for line in done.stdout.replace("Token: ", "").split("\n") if line
    ], done.stderr


def check_commands(text, answers):
    found, errors = words(text)
    assert not re.search("syntax|not found|unexpected", errors), errors
    project, app = (
        answers["openshift_project"],
        ("" if answers["repo_name"][0].isalpha() else "app-")
        + re.sub("[^a-z0-9]+", "-", answers["repo_name"].lower()),
    )
    owner, repository = answers["github_owner"], answers["repo_name"]
    assert ["git", "commit", "-q", "-m", "Start from cookiecutter-dsri"] in found
    assert [
        "gh",
        "repo",
        "create",
        f"{owner}/{repository}",
        "--private",
        "--source",
        ".",
        "--push",
    ] in found
    if is_web(answers["stack"]):
        assert [
            "oc",
            "-n",
            project,
            "rollout",
            "status",
            f"deployment/{app}",
            "--timeout=5m",
        ] in found
    else:
        assert ["oc", "-n", project, "create", "job", f"{app}-1", f"--from=cronjob/{app}"] in found
    assert [
        "oc",
        "-n",
        project,
        "secrets",
        "link",
        answers["service_account"],
        answers["pull_secret_name"],
        "--for=pull",
    ] in found


def check(answers):
    """Generate with these answers, and look at all that came of it: "refused" or "taken"."""
    folder = tempfile.mkdtemp()
    try:
        status, text = generate(folder, answers)
        left = os.listdir(folder)
        if status:
            assert not left and any(
                f"  {key}: " in text or f"'{key}'" in text or f"variable {key}" in text
                for key in answers
            ), text
            assert (
                "Traceback" not in text.partition("Stopping generation")[0]
            )  # cookiecutter 2.7 adds its own
            again = re.search(r"(?m)^    (cookiecutter .*)$", text)
            for word in shlex.split(again[1])[1:] if again and os.name == "posix" else []:
                key, equals, value = word.partition("=")
                if equals and key in answers:
                    assert (
                        jinja2.Template(
                            value, keep_trailing_newline=True, line_statement_prefix="#%"
                        ).render()
                        == answers[key]
                    )
        else:
            assert left == [answers["repo_name"]]
            check_files(Path(folder) / answers["repo_name"], answers)
            if os.name == "posix":
                check_commands(text, answers)
        return "refused" if status else "taken"
    finally:
        shutil.rmtree(folder)


@hypothesis.settings(
    max_examples=int(os.environ.get("DSRI_DRAWS", "15" if LONG else "6")),
    deadline=None,
    derandomize="DSRI_DRAWS" not in os.environ,
    suppress_health_check=list(hypothesis.HealthCheck),
)
@hypothesis.given(ANSWERS)
def test_any_answers_are_refused_by_name_or_arrive_whole(answers):
    hypothesis.event(check(answers))


FIXED = [
    "\"'`$(id) %PATH% \\",
    "a: b # c",
    "- x",
    "!!int 3",
    "& * > |",
    "<b>&amp;</b> <script>",
    "null",
    "1e3",
    "0x1F",
    "on",
    "2024-01-01",
    "emoji 👩‍🚀 é 日本",
    "# h *b* [x](y)",
    "trailing\\",
    "{{ cookiecutter.email }} {% if %} {# #}",
    "#% if x",
    "'''\"\"\"",
    "a\u200bb",
    "{",
]


WITH_TEXTS = [  # the stacks whose own files hold them
    stack
    for stack in STACKS
    if any(
        "__escaped" in path.read_text(encoding="utf-8") for path in (STAGED / stack).rglob("*.j2")
    )
]


def group(first, stack):
    """A case; a short run has every second one, in which each text reaches two stacks."""
    is_second = (first // 3 + WITH_TEXTS.index(stack)) % 2 == 1
    return pytest.param(first, stack, marks=long if is_second else ())


@pytest.mark.parametrize(
    "first, stack",
    [group(first, stack) for first in range(0, len(FIXED), 3) for stack in WITH_TEXTS],
)
def test_a_text_that_some_language_would_read_arrives_as_it_is(first, stack):
    """Three texts at once; from stack to stack each moves on by one question."""
    name, description, author = (
        FIXED[(first + WITH_TEXTS.index(stack) + n) % len(FIXED)] for n in range(3)
    )
    good = {
        "repo_name": "Kg_Demo.v1",
        "stack": stack,
        "github_owner": "MaastrichtU-IDS",
        "github_username": "octocat",
        "email": "a@b.nl",
        "openshift_project": "demo",
        "service_account": "default",
        "pull_secret_name": "s",
        "port": "8080",
        "storage": "5Gi",
        "license": "MIT",
        "project_name": name,
        "description": description,
        "full_name": author,
    }
    assert check(good) == "taken"
