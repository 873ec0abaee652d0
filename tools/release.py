"""Prepares a release, and checks that its tag, version and changelog agree.

The version stands in pyproject.toml; the tag and the newest section of CHANGELOG.md agree with it.

    python tools/release.py prepare 1.2.0    make [Unreleased] the section of that version, and set
                                             the version
    python tools/release.py notes v1.2.0     print that section, where all agree
"""

import datetime
import re
import sys
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent
SEMANTIC = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
VERSION = re.compile(r'(?m)^version = "(.*)"$')
SECTION = re.compile(r"(?ms)^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?\n+(.*?)\n*(?=^## |\Z)")


def numbers(version):
    """A version's order."""
    return tuple(map(int, version.split(".")))


def prepare(version, project, changelog, today):
    """Return (pyproject.toml, CHANGELOG.md) as the release `version` has them.

    ValueError says what is in the way."""
    if not re.fullmatch(SEMANTIC, version):
        raise ValueError(f"{version} is not three numbers such as 1.2.0")
    sections = {name: text for name, _, text in SECTION.findall(changelog)}
    if not sections.get("Unreleased"):
        raise ValueError("CHANGELOG.md has nothing under [Unreleased]")
    released = [name for name in sections if name != "Unreleased"]
    if released and numbers(version) <= numbers(released[0]):
        raise ValueError(f"{version} is not above {released[0]}")
    return (
        VERSION.sub(f'version = "{version}"', project, count=1),
        changelog.replace("## [Unreleased]\n", f"## [Unreleased]\n\n## [{version}] - {today}\n", 1),
    )


def notes(tag, project, changelog):
    """Return the changelog's section of the version that is tagged.

    ValueError says what does not agree."""
    version = VERSION.search(project)[1]
    if tag != "v" + version:
        raise ValueError(f"the tag is {tag}, the version in pyproject.toml {version}")
    sections = [section for section in SECTION.findall(changelog) if section[0] != "Unreleased"]
    if not sections or sections[0][0] != version or not sections[0][1]:
        newest = f"[{sections[0][0]}]" if sections else "missing"
        raise ValueError(
            f"the newest section of CHANGELOG.md is {newest}, not [{version}] with its date"
        )
    if not sections[0][2]:
        raise ValueError(f"the section [{version}] of CHANGELOG.md is empty")
    return sections[0][2] + "\n"


def main(action, version):
    """Do what `action` says, prepare or notes, for a version."""
    files = [TEMPLATE / "pyproject.toml", TEMPLATE / "CHANGELOG.md"]
    texts = [file.read_text(encoding="utf-8") for file in files]
    if action == "notes":
        sys.stdout.buffer.write(notes(version, *texts).encode("utf-8"))
    elif action == "prepare":
        today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
        for file, text in zip(files, prepare(version, *texts, today)):
            file.write_bytes(text.encode("utf-8"))
        print(f"pyproject.toml and CHANGELOG.md are those of {version}.")
    else:
        raise ValueError(f"{action}: prepare or notes")


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004 - the name, an action, a version
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except ValueError as problem:
        sys.exit(f"Not released: {problem}.")
