"""Promise 1: the workflows count on nothing of GitHub's runner that is not known to be there (tools/runner.yaml)."""

import pytest
import runner
import tree_sitter
import tree_sitter_bash
import yaml
from conftest import STAGED, TEMPLATE

WORKFLOWS = [
    *(STAGED / "every/.github/workflows").glob("*.yml"),
    *(TEMPLATE / ".github/workflows").glob("*.yml"),
]
NEEDS = runner.needs()
SHELL = {"[", ".", "cd", "command", "echo", "eval", "exec", "exit", "export", "false", "local"}
SHELL |= {"printf", "read", "return", "set", "shift", "test", "true", "wait", "{", "}"}
COREUTILS = {
    "basename",
    "cat",
    "chmod",
    "cp",
    "cut",
    "date",
    "dirname",
    "head",
    "mkdir",
    "mktemp",
    "mv",
}
COREUTILS |= {"rm", "sleep", "sort", "tail", "tee", "timeout", "touch", "tr"}
# Commands of the shell itself and of the packages that no Debian or Ubuntu goes without.
ALWAYS_THERE = {*SHELL, *COREUTILS, "find", "grep", "sed", "xargs"}
# What a step before brings, by an action or by installing it.
BROUGHT = {"uvx", "python", "pip", "pipx", "uv"}


def scripts(workflow):
    """The shell scripts in a workflow's steps."""
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values()
    steps = [step for job in jobs for step in job.get("steps", [])]
    return [step["run"] for step in steps if "run" in step and step.get("shell", "bash") == "bash"]


def nodes(node):
    """A node of a syntax tree and all below it."""
    yield node
    for child in node.children:
        yield from nodes(child)


def called(script):
    """The programs that a shell script calls by a fixed name, but for the functions that it defines."""
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))
    found = list(nodes(parser.parse(script.encode()).root_node))
    names = {node.text.decode() for node in found if node.type == "command_name"}
    defined = {
        node.child_by_field_name("name").text.decode()
        for node in found
        if node.type == "function_definition"
    }
    return {name for name in names - defined if "/" not in name} - {"{", "}"}  # paths, braces


def test_programs_are_found_in_a_script():
    script = 'one() { jq . <<<"$1"; }\nif ! { one x && gh api x; }; then y=$(curl -s z | tail) || exit 1; fi\n'
    assert called(script) == {"jq", "gh", "curl", "tail", "exit"}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
def test_every_program_that_a_workflow_calls_is_in_the_table(workflow):
    programs = set().union(*[called(script) for script in scripts(workflow)])
    known = {program.name for program in NEEDS.programs} | ALWAYS_THERE | BROUGHT
    assert programs - known == set(), "add it to tools/runner.yaml"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
def test_every_workflow_runs_on_the_label_of_the_table(workflow):
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values()
    labels = {job["runs-on"] for job in jobs if "runs-on" in job}
    labels = {label for label in labels if "matrix" not in label}
    assert labels <= {NEEDS.label}


@pytest.mark.parametrize("program", NEEDS.programs, ids=lambda program: program.name)
def test_the_runner_had_what_the_workflows_need(program):
    assert not runner.is_old(program.had, program.oldest)


@pytest.mark.parametrize(
    "version, oldest, old",
    [
        ("28.0.4", "28.0.4", False),
        ("8.18.0-1ubuntu2.3", "7.88.1", False),
        ("1.10", "1.9", False),
        ("27.5", "28.0.4", True),
        ("1.6", "1.6.1", True),
        ("3", "2.39.5", False),
    ],
)
def test_versions_are_compared_by_their_numbers(version, oldest, old):
    assert runner.is_old(version, oldest) is old


@pytest.mark.parametrize(
    "line, version",
    [
        ("- Docker Server 29.4.2", "29.4.2"),
        ("| Docker Server    | 8.18.0-1ubuntu2.3            |", "8.18.0-1ubuntu2.3"),
        ("- Docker Server Plus 1.0", None),
        ("- My Docker Server 1.0", None),
        ("- docker server 1.0", None),
    ],
)
def test_a_version_is_read_from_a_line_of_the_list(line, version):
    assert runner.version_in(f"# Tools\n{line}\n- Git 2.53.0\n", "Docker Server") == version
