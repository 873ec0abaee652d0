"""Names for the same thing: README.md and readme.rst, compose.yaml and docker-compose.yml."""

from __future__ import annotations

import re
from collections.abc import Mapping


def is_same_thing(name: str, other: str, same: Mapping[str, str]) -> bool:
    """Tell whether a file's name is another in any case, or another name for the same thing.

    `same` is `_same` of cookiecutter.json: a name, and the pattern of its other names."""
    if other.lower() == name.lower():
        return True
    return bool(re.fullmatch(same.get(name, ""), other, re.IGNORECASE))
