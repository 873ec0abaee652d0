"""The answers, and what cookiecutter.json says of the stack that was chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Project:
    """What cookiecutter hands to the hook.

    `context` is cookiecutter's own dictionary: every answer under the name of its question, and
    the template's own facts under names that begin with an underscore.
    """

    context: dict[str, Any]

    @property
    def stack(self) -> str:
        """The name of the stack."""
        return str(self.context["stack"])

    @property
    def repo_name(self) -> str:
        """The name of the repository on GitHub, and of its folder."""
        return str(self.context["repo_name"])

    @property
    def github_owner(self) -> str:
        """The account on GitHub that owns the repository."""
        return str(self.context["github_owner"])

    @property
    def facts(self) -> dict[str, Any]:
        """The stack's entry in cookiecutter.json."""
        entry: dict[str, Any] = self.context["_stacks"][self.stack]
        return entry

    @property
    def parts(self) -> list[str]:
        """The staged folders to place; a file of a later one replaces that of an earlier one."""
        parts = ["every", *self.facts["parts"], self.stack, str(self.context["license"])]
        if self.context["storage"] != "none":
            parts.append("storage")
        return parts

    @property
    def yours(self) -> set[str]:
        """The paths that belong to the repository's owner, which updates leave alone."""
        entries = {**self.context["_parts"], **self.context["_stacks"]}
        return {path for part in self.parts for path in entries.get(part, {}).get("yours", {})}

    @property
    def same(self) -> dict[str, str]:
        """A file's name, and the pattern of other names for the same thing."""
        patterns: dict[str, str] = self.context["_same"]
        return patterns

    @property
    def port(self) -> str | None:
        """The port that the application listens on; None for a job, which listens on none."""
        return str(self.context["port"]) if "web" in self.facts["parts"] else None

    @property
    def runs_as_any_user(self) -> bool:
        """Whether the service account lets the image choose its user."""
        return bool(self.context["service_account"] == "anyuid")

    @property
    def answers(self) -> dict[str, Any]:
        """The answers alone, as cruft keeps them."""
        return {key: value for key, value in self.context.items() if not key.startswith("_")}

    @property
    def is_cruft(self) -> bool:
        """Whether cruft runs cookiecutter; it then writes .cruft.json itself."""
        return "_commit" in self.context
