"""Templates of benchmarks: jinja2 in a sandbox that can reach nothing but the row."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from langwright.errors import UserError
from langwright.evaluation.benchmarks.declaration import Row


@cache
def environment() -> ImmutableSandboxedEnvironment:
    """A sandbox with the one filter that lm-evaluation-harness adds."""
    made = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    made.filters["regex_replace"] = regex_replace
    return made


def regex_replace(text: str, pattern: str, replacement: str, count: int = 0) -> str:
    """`re.sub`, as a filter."""
    return re.sub(pattern, replacement, text, count=count)


@cache
def compiled(template: str) -> Template:
    """A template ready to be filled; UserError where it is none."""
    try:
        return environment().from_string(template)
    except TemplateSyntaxError as error:
        raise UserError(
            "{template!r} is no template: {error}",
            fix="write it as jinja2 does, with columns in double braces: {{{{question}}}}",
            template=template,
            error=error,
        ) from None


def filled(template: str, row: Row) -> str:
    """A template with the columns of a row.

    raises  UserError for a column that the row does not have, and for what a template may not do
    """
    try:
        return compiled(template).render(**row)
    except UndefinedError as error:
        raise UserError(
            "the template {template!r} cannot be filled: {error}; the row has {columns}",
            fix="name columns that the rows have",
            template=template,
            error=error,
            columns=", ".join(row),
        ) from None
    except SecurityError as error:
        raise UserError(
            "the template {template!r} asks for what a template may not do: {error}",
            fix="use columns of the row, and no attribute that begins with an underscore",
            template=template,
            error=error,
        ) from None
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, re.error) as error:
        raise UserError(
            "the template {template!r} cannot be filled: {error}; the row has {columns}",
            fix="see that it does with each column what its values allow",
            template=template,
            error=f"{type(error).__name__}: {error}",
            columns=", ".join(row),
        ) from None


def literal(text: str) -> Any:
    """What a text spells as Python writes it, such as a list of texts; the text itself where it spells nothing."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return text
