"""The grammar that holds an answer to calls of given tools, or to a text that is none.

Source   llguidance 1.9, docs/syntax.md, "Tool calling": lazy lexemes end free text at the first mark of a call

Names are those of the tools and arguments are JSON of the tool's schema, so that a model cannot invent either. Marks
that are special tokens of the tokenizer are asked for by their ids, since no text can spell them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langwright.inference.calling.forms import ID, WILD, CallForm, Tool
from langwright.inference.control.forms import SEPARATORS

FREE = "(.|\\n)*"


@dataclass(frozen=True)
class Allowed:
    """What an answer may be.

    tools    that may be called
    must     whether it is a call in any case
    several  whether it may be more than one
    answer   JSON schema of an answer that is no call; None for any text
    """

    tools: tuple[Tool, ...]
    must: bool = False
    several: bool = True
    answer: dict[str, Any] | bool | None = None


def grammar_of(form: CallForm, allowed: Allowed, special: Mapping[str, int]) -> str:
    """In the notation of Lark.

    special  ids of special tokens, by their names
    """
    again = form.joint is not None and allowed.several
    joint = f" ({terms(form.joint, special)} call)*" if again and form.joint is not None else ""
    calls = [json_call(tool, form, special) for tool in allowed.tools]
    opening = terms(form.opening, special)
    lines = ["%llguidance {}"]
    if allowed.must:
        lines += ["start: calls", f"begin: {opening}"]
    elif allowed.answer is not None:
        lines += ["start: answer | calls", f"answer: {json_of(allowed.answer)}", f"begin: {opening}"]
    else:
        lines += ["start: text | calls", *free(form, special)]
    lines += [f"calls: begin call{joint} {terms(form.closing, special)}", f"call: {' | '.join(calls)}"]
    return "\n".join(lines) + "\n"


def free(form: CallForm, special: Mapping[str, int]) -> list[str]:
    """Rules of any text, and of a text up to where calls begin."""
    mark = form.mark
    marks = [name for name in special if name in mark]
    if marks:  # no text can spell it, so that a text ends by itself before it
        first = min(marks, key=mark.index)
        rest = form.opening[form.opening.index(first) :]
        return ["text: TEXT", f"TEXT: /{FREE}/", f"begin: TEXT {terms(rest, special)}"]
    if mark:
        rest = terms(form.opening[len(mark) :], special)
        return ["text: TEXT", f"TEXT: /{FREE}/", f"head[lazy]: TEXT {json.dumps(mark)}", f"begin: head {rest}"]
    other = expression(form.opening)
    return ["text: TEXT", f"TEXT: /{FREE}/ & ~/{other}{FREE}/", f"begin: {terms(form.opening, special)}"]


def json_call(tool: Tool, form: CallForm, special: Mapping[str, int]) -> str:
    """A name and its arguments."""
    between = terms(form.between, special)
    return f"{json.dumps(tool.name)} {between} {json_of(tool.parameters)}"


def json_of(schema: dict[str, Any] | bool) -> str:
    """JSON of a schema, written as Python writes it."""
    given: dict[str, Any] = {} if schema is True else {"not": {}} if schema is False else schema
    return f"%json {json.dumps({**given, 'x-guidance': SEPARATORS})}"


def terms(text: str, special: Mapping[str, int]) -> str:
    """A piece of a form: strings, ids of special tokens, and anything in the place of an id."""
    found = []
    names = sorted(filter(text.__contains__, special), key=len, reverse=True)
    wild = WILD * ID
    for part in re.split(f"({'|'.join(map(re.escape, [*names, wild]))})", text):
        if part in special:
            found.append(f"<[{special[part]}]>")
        elif part == wild:
            found.append(f"/[a-zA-Z0-9]{{{ID}}}/")
        elif part:
            found.append(json.dumps(part))
    return " ".join(found)


def expression(text: str) -> str:
    """A piece of a form as a regular expression between slashes."""
    escaped = re.sub(r"([^\w\s\0])", r"\\\1", text).replace("\n", "\\n")
    return escaped.replace(WILD, "[a-zA-Z0-9]")
