"""The one kind of error a person can put right."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from langwright.wording import Language, Term, say


class UserError(Exception):
    """Something the person can put right: shown in two lines without a traceback; the process exits with 2.

    problem  template of one sentence that names the thing as the person gave it, with its value
    fix      template of what to do about it
    values   the named fields of both
    """

    def __init__(self, problem: str, *, fix: str, **values: object) -> None:
        super().__init__(problem, fix, values)
        self.problem_template = problem
        self.fix_template = fix
        self.values = values

    @property
    def code(self) -> str:
        """A stable name for programs: the words of the problem's template without its fields.

        >>> UserError("{path} already exists", fix="remove it", path="a").code
        'already-exists'
        """
        words = re.findall(r"[a-z0-9]+", re.sub(r"\{[^}]*\}", " ", self.problem_template.lower()))
        return "-".join(words[:8])

    @property
    def params(self) -> dict[str, str | int | float | bool | None]:
        """The named values, as JSON can hold them."""
        plain = (str, int, float, bool, type(None))
        return {name: value if isinstance(value, plain) else str(value) for name, value in self.values.items()}

    def problem(self, lang: Language | None = None) -> str:
        """What was wrong, in the language in force or in `lang`."""
        return say(self.problem_template, lang=lang, **self.values)

    def fix(self, lang: Language | None = None) -> str:
        """What to do about it, in the language in force or in `lang`."""
        return say(self.fix_template, lang=lang, **self.values)

    def __str__(self) -> str:
        return f"{self.problem()}\n  {say('fix')}: {self.fix()}"


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The one way we say 'no such thing': what was asked for, the nearest match, every choice."""
    choices = sorted(set(known))
    near = get_close_matches(name, choices, n=1)
    if near:
        return UserError(
            "no {kind} called {name!r}",
            fix="did you mean {near!r}? choose one of: {choices}",
            kind=Term(kind),
            name=name,
            near=near[0],
            choices=", ".join(choices),
        )
    return UserError(
        "no {kind} called {name!r}",
        fix="choose one of: {choices}",
        kind=Term(kind),
        name=name,
        choices=", ".join(choices),
    )
