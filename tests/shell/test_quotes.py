"""No command in a document has an argument that Windows PowerShell 5.1 changes."""

import re
from pathlib import Path

import pytest
from conftest import TEMPLATE
from quoting import arguments_that_powershell_changes

DOCUMENTS = [
    *TEMPLATE.glob("*.md"),
    *(TEMPLATE / "tests/golden").rglob("*.md"),
    *(TEMPLATE / "{{cookiecutter.repo_name}}").rglob("*.md*"),
    TEMPLATE / "docs/session.txt",
]
# In a block of code, or between backticks in a sentence.
COMMAND = re.compile(r"(?m)^\s+(?:\$ )?((?:oc|kubectl|\{\{ oc \}\}) .*)|`((?:oc|kubectl) [^`]*)`")


def test_such_an_argument_is_found():
    for argument in ["""'{"spec":{}}'""", '"{\\"spec\\":{}}"', """'a "b" c'"""]:
        assert arguments_that_powershell_changes(f"oc patch x -p {argument}") == [argument]
    assert not arguments_that_powershell_changes("""oc patch x -p "spec: {a: 'b'}" --all""")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(TEMPLATE)))
def test_powershell_passes_on_what_documents_say(document):
    text = Path(document).read_text(encoding="utf-8")
    for in_block, in_sentence in COMMAND.findall(text):
        assert arguments_that_powershell_changes(in_block or in_sentence) == []
