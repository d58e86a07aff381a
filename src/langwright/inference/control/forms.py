"""Texts of a given form: JSON of a schema, a regular expression, a grammar, one of several strings.

Source   llguidance 1.8 (MIT licence): lazily built lexers of regex derivatives and an Earley parser over them, walked
         along the trie of the tokenizer's tokens; here it is given the bytes of the tokens, so that any tokenizer will do

What the next token may be is computed by another thread while the model computes: the parser lets go of the
interpreter's lock. The work is bounded by fuel, which is counted and not timed, so that what is refused does not
depend on the machine.
"""

from __future__ import annotations

import json
import re
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from langwright.errors import UserError
from langwright.inference.control.settings import Control

if TYPE_CHECKING:
    from llguidance import LLMatcher
    from numpy.typing import NDArray

    from langwright.inference.control.vocabulary import Vocabulary
    from langwright.inference.protocol import FinishReason

MOST_LETTERS = {"json_schema": 262_144, "regex": 16_384, "grammar": 65_536, "choices": 262_144}
MOST_REPEATS = 10_000
DEEPEST = 64  # tables and lists inside each other, brackets inside each other
SEPARATORS = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}  # as Python writes JSON
LIMITS = {
    "initial_lexer_fuel": 4_000_000,  # a second of work; forms of verse take a fifth of it
    "step_lexer_fuel": 200_000,
    "step_max_items": 50_000,
    "max_items_in_row": 2_000,
    "max_lexer_states": 50_000,
    "max_grammar_size": 500_000,
    "verbose_errors": False,
}


def form_of(vocabulary: Vocabulary, control: Control) -> Form | None:
    """The constraint of the form that is asked for; None where none is.

    raises  UserError for what cannot be read, is not supported, or is too large
    """
    return None if control.form is None else Form(vocabulary, grammar_of(control), control.form)


class Form:
    """`Constraint` of a grammar; each continuation begins with a copy of its parser."""

    def __init__(self, vocabulary: Vocabulary, grammar: str, kind: str) -> None:
        from llguidance import LLMatcher, LLParserLimits

        self.size = vocabulary.size
        self._matcher = LLMatcher(vocabulary.parser, grammar, log_level=0, limits=LLParserLimits(**LIMITS))
        if self._matcher.is_error():
            raise unreadable(kind, self._matcher.get_error())

    def start(self) -> FormCursor:
        return FormCursor(Walk(self._matcher.deep_copy(), self.size), 0)


class Walk:
    """A parser and how many tokens it has read. Used by one thread at a time, under its lock."""

    def __init__(self, matcher: LLMatcher, size: int, read: int = 0) -> None:
        self.matcher = matcher
        self.size = size
        self.read = read
        self.over = False
        self.lock = threading.Lock()

    def mask(self, at: int) -> NDArray[np.bool_] | UserError:
        """Which ids may follow the first so many tokens, shape (V,)."""
        with self.lock:
            matcher = self._back(at)
            packed = np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8)
            if matcher.is_error():
                error = matcher.get_error()
                return nothing_follows() if "NoExtension" in error else too_hard(error)
        allowed: NDArray[np.bool_] = np.unpackbits(packed, bitorder="little", count=self.size).astype(np.bool_)
        return allowed if allowed.any() else nothing_follows()

    def step(self, at: int, id: int) -> Walk:
        """The walk behind one more token: this one where it stands there, else a copy of it, taken back."""
        with self.lock:
            walk = self if self.read == at else Walk(self._back(at), self.size)
            walk.matcher.consume_token(id)
            walk.read = at + 1
            walk.over = walk.matcher.is_stopped() and not walk.matcher.is_error()
        return walk

    def _back(self, at: int) -> LLMatcher:
        if self.read == at:
            return self.matcher
        matcher = self.matcher.deep_copy()
        matcher.rollback(self.read - at)
        return matcher


class FormCursor:
    """`Cursor` of a form."""

    def __init__(self, walk: Walk, at: int) -> None:
        self._walk = walk
        self._at = at
        self._over = walk.over
        self._allowed: Future[NDArray[np.bool_] | UserError] | None = None
        if not self._over:
            self._allowed = beside().submit(walk.mask, at)

    @property
    def ended(self) -> FinishReason | None:
        """stop where nothing can be added."""
        return "stop" if self._over else None

    def allowed(self) -> NDArray[np.bool_]:
        """Which ids may come next, shape (V,)."""
        found = self._allowed.result() if self._allowed is not None else nothing_follows()
        if isinstance(found, UserError):
            raise found
        return found

    def after(self, id: int) -> FormCursor:
        """The cursor behind a token."""
        return FormCursor(self._walk.step(self._at, id), self._at + 1)


@cache
def beside() -> ThreadPoolExecutor:
    """The thread that computes what may come next while the model computes."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="langwright-form")


# --- reading what is asked for -------------------------------------------------------------------


def grammar_of(control: Control) -> str:
    """What is asked for, in the parser's own language.

    raises  UserError for what is too large or too deep, and for a schema that is none
    """
    from llguidance import LLMatcher

    ((kind, asked),) = control.forms.items()
    text = asked if isinstance(asked, str) else json.dumps(asked, ensure_ascii=False)
    if len(text) > MOST_LETTERS[kind]:
        raise UserError(
            "the {kind} has {letters} characters, and {most} is the most",
            fix="give a smaller one",
            kind=kind,
            letters=len(text),
            most=MOST_LETTERS[kind],
        )
    deep = depth(asked) if kind == "json_schema" else brackets(text)
    if kind != "choices" and deep > DEEPEST:
        raise UserError(
            "the {kind} is {depth} levels deep, and {most} is the most",
            fix="give a flatter one",
            kind=kind,
            depth=deep,
            most=DEEPEST,
        )
    times = repeats(patterns(asked) if kind == "json_schema" else text)
    if kind != "choices" and times > MOST_REPEATS:
        raise UserError(
            "the {kind} repeats something {times} times by counts inside counts, and {most} is the most",
            fix="give smaller counts",
            kind=kind,
            times=times,
            most=MOST_REPEATS,
        )
    if kind == "json_schema":
        from langwright.inference.control.checking import check_schema

        check_schema(asked)
    written: str = {
        "regex": LLMatcher.grammar_from_regex,
        "grammar": LLMatcher.grammar_from_lark,
        "choices": lambda _: LLMatcher.grammar_from_lark(f"start: {' | '.join(map(quoted, asked))}"),
        "json_schema": lambda _: LLMatcher.grammar_from_json_schema(
            "{}" if asked is True else text, overrides=SEPARATORS
        ),
    }[kind](text)
    return written


def quoted(text: str) -> str:
    """A string as grammars have it."""
    return json.dumps(text, ensure_ascii=False)


def depth(value: Any) -> int:
    """How many tables and lists lie inside each other.

    >>> depth({"a": [1, {}]})
    3
    """
    deepest, level = 0, [value]
    while level:
        inside = [one for one in level if isinstance(one, dict | list | tuple)]
        deepest += bool(inside)
        level = [item for one in inside for item in (one.values() if isinstance(one, dict) else one)]
    return deepest


def brackets(text: str) -> int:
    """How many brackets are open at once, at most.

    >>> brackets("((a)(b))")
    2
    """
    deepest = now = 0
    for letter in re.sub(r"\\.", "", text):
        now += (letter in "([{") - (letter in ")]}")
        deepest = max(deepest, now)
    return deepest


_REPEAT = re.compile(r"\{(?:(\d+)(?:,(\d*))?|,(\d+))\}")
_ATOM = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)


def repeats(text: str) -> int:
    """How often something is repeated by counts inside counts, at most.

    >>> repeats("(a{3}b{2}){4}"), repeats("a{3}{5}"), repeats("[{9}]{2}")
    (12, 15, 2)
    """
    most, inside, last, at = 1, [1], 1, 0  # per open group, the most inside it; of the atom before
    while at < len(text):
        count = _REPEAT.match(text, at)
        if count:
            last *= max(1, *(int(number) for number in count.groups() if number))
            inside[-1] = max(inside[-1], last)
            most, at = max(most, last), count.end()
            continue
        atom = _ATOM.match(text, at)
        assert atom is not None
        at = atom.end()
        if atom[0] == "(":
            inside.append(1)
        last = inside.pop() if atom[0] == ")" and len(inside) > 1 else 1
        inside[-1] = max(inside[-1], last)
    return most


def patterns(schema: Any) -> str:
    """All regular expressions in a schema, one a line."""
    found, waiting = [], [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            found += [one["pattern"]] if isinstance(one.get("pattern"), str) else []
            found += list(inner) if isinstance(inner := one.get("patternProperties"), dict) else []
        waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list | tuple) else ()
    return "\n".join(found)


_KEYWORDS = re.compile(r"Unimplemented keys: \[(?P<names>[^\]]*)\]")


def unreadable(kind: str, error: str) -> UserError:
    """What is said of a form that the parser refuses."""
    found = _KEYWORDS.search(error)
    if found:
        return UserError(
            "the JSON schema uses {keywords}, which is not supported",
            fix="leave it out; docs/en/control.md lists what is supported",
            keywords=found["names"].replace('"', ""),
        )
    return UserError(
        "the {kind} cannot be used: {reason}",
        fix="correct or simplify it; docs/en/control.md says what is supported",
        kind=kind,
        reason=" ".join(error.split())[:300],
    )


def too_hard(error: str) -> UserError:
    """What is said of a form whose next step takes more work than is allowed."""
    return UserError(
        "what may come next takes too long to find out: {reason}",
        fix="give a simpler pattern, schema or grammar",
        reason=" ".join(error.split())[:200],
    )


def nothing_follows() -> UserError:
    """What is said where no token of the vocabulary can go on."""
    return UserError(
        "no token of this model can go on with what was asked for",
        fix="ask for something that its tokenizer can write, and for nothing that contradicts itself",
    )
