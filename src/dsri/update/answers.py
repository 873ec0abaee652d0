"""The answers of an older version of the template in the words of a newer one."""

from __future__ import annotations

from typing import Any

from dsri.update import Stopped
from dsri.update.template import Answers


def rename_questions(answers: Answers, questions: Answers) -> list[str]:
    """Give answers the names that their questions have now; return what became of them."""
    said = []
    for before, after in questions.get("_renamed", {}).items():
        if isinstance(after, str) and before in answers and before not in questions:
            answer = answers.pop(before)
            answers.setdefault(after, answer)
            said.append(f"`{before}` is now called `{after}`")
    return said


def choice_now(key: str, value: Any, questions: Answers) -> Any:
    """Return what a choice that is gone is called now; Stopped where it has no successor.

    A choice without one is the owner's to replace."""
    offered = questions[key]
    after = questions.get("_renamed", {}).get(key, {}).get(value)
    if after in offered:
        return after
    there = ", ".join(map(str, offered))
    raise Stopped(
        f"{key}: {value!r} is no longer offered; there is: {there}.\n"
        "Put one of these in .cruft.json and commit it; the next update applies it. "
        "Nothing was changed."
    )


def answered(old: Answers, questions: Answers) -> tuple[Answers, list[str]]:
    """Return (the answers of an older version in the words of this one, [what became of them]).

    `_renamed` in cookiecutter.json says what a question ({"old": "new"}) or a choice
    ({"question": {"old": "new"}}) is called now. Stopped where a choice is gone."""
    answers = dict(old)
    said = rename_questions(answers, questions)
    for key, value in list(answers.items()):
        if key not in questions:
            said.append(f"`{key}` is no longer asked")
            del answers[key]
        elif isinstance(questions[key], list) and value not in questions[key]:
            answers[key] = choice_now(key, value, questions)
            said.append(f"`{key}`: `{value}` is now `{answers[key]}`")
    return answers, said
