"""What people annotate, in the shapes in which it is published, as fields of our rows.

pair            {"sentence1": "…", "sentence2": "…", "label": "…"}; premise and hypothesis, question1 and question2
regression      {"text": "…", "score": 3.5}
tagging         {"text": "…", "spans": [{"start": 0, "end": 2, "label": "…"}]}     ours, end exclusive
                {"text": "…", "entities": [[0, 2, "…"]]}                           spaCy
                {"text": "…", "label": {"name": {"叶老桂": [[9, 11]]}}}              CLUENER, end inclusive
                {"tokens": ["…"], "tags": ["B-name"]}                              CoNLL, and `ner_tags` as words
qa              {"question": "…", "context": "…", "answers": [{"text": "…", "start": 3}]}
                {"answers": {"text": ["…"], "answer_start": [3]}}; SQuAD's and CMRC's nested files
choice          {"question": "…", "choices": ["…", "…"], "answer": 1}; "query" and "gold"; the answer as a letter or in words
relation        {"text": "…", "first": [0, 2], "second": [5, 9], "label": "…"}     ends exclusive; head and tail, h and t
preference      {"prompt": "…", "chosen": "…", "rejected": "…"}, or the turns before as a list of role and content
classification  {"text": "…", "labels": ["…", "…"]}, or "a|b" in a column
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from langwright.data.conll import joined
from langwright.data.conversations import spoken
from langwright.data.encoding import clean_text
from langwright.data.records import Malformed, Record
from langwright.data.schemas import SCHEMAS
from langwright.data.tags import spans_of

ALIASES: dict[str, dict[str, tuple[str, ...]]] = {
    "text": {"text": ("content", "body", "正文", "内容")},
    "classification": {
        "text": ("sentence", "review", "content", "comment", "tweet", "文本", "内容", "评论", "句子"),
        "label": ("category", "class", "intent", "topic", "sentiment", "emotion", "标签", "类别", "情感"),
    },
    "translation": {
        "text": ("source", "src", "source_text", "原文"),
        "translation": ("target", "tgt", "target_text", "译文"),
    },
    "summary": {
        "text": ("document", "article", "dialogue", "content", "正文", "原文"),
        "summary": ("highlights", "abstract", "headline", "title", "摘要", "标题"),
    },
    "pair": {
        "text_a": ("sentence1", "premise", "question1", "text1", "query"),
        "text_b": ("sentence2", "hypothesis", "question2", "text2", "document"),
        "label": ("gold_label",),
        "score": ("similarity",),
    },
    "regression": {"text": ("sentence", "review"), "score": ("rating", "stars", "value", "label")},
    "tagging": {"tags": ("ner_tags",)},
    "qa": {"context": ("passage", "paragraph"), "question": ("query",)},
    "relation": {"first": ("head", "h", "subject"), "second": ("tail", "t", "object"), "label": ("relation",)},
    "choice": {
        "question": ("query", "ctx"),
        "choices": ("options", "endings"),
        "answer": ("gold", "label"),
        "context": ("passage", "article"),
    },
    "correction": {"text": ("source", "original", "wrong"), "correction": ("correct", "corrected", "target")},
}
"""By schema and field: names under which others publish it, tried in this order."""

NEEDED: dict[str, tuple[str, ...]] = {
    "pair": ("text_a", "text_b"), "regression": ("text", "score"), "tagging": (), "qa": ("question", "context"),
    "choice": ("question", "choices", "answer"), "code": (), "relation": ("text", "label"),
    "preference": ("prompt", "chosen", "rejected"),
}  # fmt: skip
"""By schema: columns that a table must have."""

SHAPES = {
    "tagging": frozenset({"spans", "entities", "tokens", "tags", "label"}),
    "qa": frozenset({"answers", "answer", "answer_start", "is_impossible", "data", "paragraphs"}),
    "classification": frozenset({"labels"}),
    "code": frozenset({"prompt", "test", "entry_point", "canonical_solution", "test_list", "test_setup_code"}),
}
"""By schema: further columns that a row may be made of."""

EMPTY_FIELD = "it has no text in column"
NO_NUMBER = "it has no number in column"
SAME_PLACE = "the two things of it overlap"
NO_SPANS = "it has none of spans, entities, tokens and tags, or a label table"
BAD_SPAN = "a span is not written as start, end and label"
OUTSIDE = "a span lies outside the text"
UNEQUAL = "it has another number of tags than of tokens"
BAD_ANSWERS = "its answers are not written as text and start"
NOT_THERE = "its answer does not stand in the context where it says"
BAD_CHOICES = "its choices are not a list of at least two texts"
NO_ANSWER = "its answer is none of the choices"
BAD_TESTS = "its tests are not a list of texts"
BAD_LABELS = "its labels are not a list of texts"


def columns_of(schema: str) -> frozenset[str]:
    """Names of columns that rows of a schema may be made of."""
    aliases = ALIASES.get(schema, {})
    return frozenset(aliases) | {name for names in aliases.values() for name in names} | SHAPES.get(schema, frozenset())


def other_names(schema: str) -> set[str]:
    """Names of columns that are used only where a field is missing."""
    aliases = ALIASES.get(schema, {})
    fields = {*SCHEMAS[schema].model_fields, *aliases, *SHAPES.get(schema, ())}
    return {name for names in aliases.values() for name in names} - fields


def guesses(schema: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Field -> the column it is read from, where a record has a field under another name only."""
    found: dict[str, str] = {}
    for field, names in ALIASES.get(schema, {}).items():
        column = next((name for name in names if name in values), None)
        if column is not None and field not in values and not (field == "label" and "labels" in values):
            found[field] = column
    return found


def text_in(values: Mapping[str, Any], field: str) -> str:
    """A text that must be there, cleaned."""
    value = values.get(field)
    if not isinstance(value, str) or not value.strip():
        raise Malformed(EMPTY_FIELD, field)
    return clean_text(value).strip()


def number_in(values: Mapping[str, Any], field: str) -> float:
    """A finite number that must be there."""
    try:
        number = float(values[field])
    except (KeyError, TypeError, ValueError):
        raise Malformed(NO_NUMBER, field) from None
    if number != number or number in (float("inf"), float("-inf")):
        raise Malformed(NO_NUMBER, field)
    return number


def labels_in(value: object, separator: str = "|") -> tuple[str, ...]:
    """Several labels, or none: a list, or in a column of a table `a|b` or a JSON list.

    separator  what stands between them in a table
    """
    if isinstance(value, str):
        value = json_list(value) if value.startswith("[") else value.split(separator)
    if not isinstance(value, list):
        raise Malformed(BAD_LABELS, str(value)[:40])
    return tuple(dict.fromkeys(clean_text(str(label)).strip() for label in value if str(label).strip()))


def json_list(text: str) -> object:
    """A JSON list in a cell of a table; the text itself where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


# --- two texts, and a number -------------------------------------------------------------------------


def pair(values: Mapping[str, Any]) -> dict[str, Any]:
    """Two texts with a label, or with a number where there is no label."""
    texts = {field: text_in(values, field) for field in ("text_a", "text_b")}
    if values.get("label") in (None, "") or values.get("score") not in (None, ""):
        return {**texts, "score": number_in(values, "score")}
    return texts


def regression(values: Mapping[str, Any]) -> dict[str, Any]:
    """A text with a number."""
    return {"text": text_in(values, "text"), "score": number_in(values, "score")}


# --- spans -----------------------------------------------------------------------------------------


def tagging(values: Mapping[str, Any]) -> dict[str, Any]:
    """A text with its spans, in order, of two that begin together the longer first; they may overlap."""
    if isinstance(values.get("tokens"), list):
        text, found = tagged_words(values)
    else:
        text = values.get("text", "")
        if not isinstance(text, str) or not text.strip():
            raise Malformed(EMPTY_FIELD, "text")
        found = list(span_records(values))
    cleaned = clean_text(text)
    moved_spans = [moved(text, cleaned, span) for span in dict.fromkeys(found)]
    spans = sorted(moved_spans, key=lambda span: (span["start"], -span["end"]))
    return {"text": cleaned, "spans": spans}


def tagged_words(values: Mapping[str, Any]) -> tuple[str, list[tuple[int, int, str]]]:
    """Words with a tag each, as a text with spans of characters."""
    words, tags = values["tokens"], values.get("tags")
    if not isinstance(tags, list) or len(tags) != len(words):
        raise Malformed(UNEQUAL, f"{len(tags) if isinstance(tags, list) else 0} ≠ {len(words)}")
    if not all(isinstance(part, str) for part in (*words, *tags)):
        raise Malformed(BAD_SPAN, str(tags)[:40])
    text, places = joined(words)
    return text, [(places[first][0], places[last - 1][1], label) for first, last, label in spans_of(tags)]


def span_records(values: Mapping[str, Any]) -> Iterator[tuple[int, int, str]]:
    """(start, end exclusive, label) of a record's spans, whatever shape they have."""
    given = next((values[name] for name in ("spans", "entities", "label") if values.get(name) is not None), None)
    given = json_list(given) if isinstance(given, str) else given
    if isinstance(given, dict):
        for label, surfaces in given.items():
            for places in surfaces.values() if isinstance(surfaces, dict) else ():
                yield from ((start, last + 1, label) for start, last in map(two, places))
    elif isinstance(given, list):
        for span in given:
            yield three(span)
    else:
        raise Malformed(NO_SPANS)


def two(place: object) -> tuple[int, int]:
    """Two whole numbers."""
    if not (isinstance(place, list) and len(place) == 2 and all(type(part) is int for part in place)):
        raise Malformed(BAD_SPAN, str(place)[:40])
    return place[0], place[1]


def three(span: object) -> tuple[int, int, str]:
    """Start, end and label of a span written as a table or as a list."""
    parts = [span.get(name) for name in ("start", "end", "label")] if isinstance(span, dict) else span
    if not (isinstance(parts, list) and len(parts) == 3 and isinstance(parts[2], str) and parts[2].strip()):
        raise Malformed(BAD_SPAN, str(span)[:40])
    return *two(parts[:2]), parts[2].strip()


def moved(text: str, cleaned: str, span: tuple[int, int, str]) -> dict[str, Any]:
    """A span of a text in the cleaned text, where removed characters have moved it."""
    start, end, label = span
    if not 0 <= start < end <= len(text):
        raise Malformed(OUTSIDE, f"{label} {start}–{end}, {len(text)}")
    if cleaned != text:
        start, end = len(clean_text(text[:start])), len(clean_text(text[:end]))
    return {"start": start, "end": end, "label": clean_text(label)}


def relation(values: Mapping[str, Any]) -> dict[str, Any]:
    """A text with two stretches that do not overlap, each as [start, end], or with its words as {"text", "start"}, or in
    fields of their own as in our rows, first_start and so on."""
    text = values.get("text")
    if not isinstance(text, str) or not text.strip():
        raise Malformed(EMPTY_FIELD, "text")
    cleaned = clean_text(text)
    places: dict[str, int] = {}
    for side in ("first", "second"):
        given = values.get(side, [values.get(f"{side}_start"), values.get(f"{side}_end")])
        given = json_list(given) if isinstance(given, str) else given
        if isinstance(given, dict) and isinstance(given.get("text"), str) and type(given.get("start")) is int:
            given = [given["start"], given["start"] + len(given["text"])]
        elif isinstance(given, dict):
            given = [given.get("start"), given.get("end")]
        span = moved(text, cleaned, (*two(given), side))
        places |= {f"{side}_start": span["start"], f"{side}_end": span["end"]}
    if places["first_start"] < places["second_end"] and places["second_start"] < places["first_end"]:
        raise Malformed(SAME_PLACE)
    return {"text": cleaned, **places}


# --- questions ---------------------------------------------------------------------------------------


def unfolded(record: Record) -> Iterator[Record]:
    """The questions of a record that is a whole file of SQuAD's layout; any other record as it is."""
    articles = record.values.get("data", [record.values] if "paragraphs" in record.values else None)
    if not isinstance(articles, list):
        yield record
        return
    row = 0
    for article in articles:
        for paragraph in article.get("paragraphs", ()) if isinstance(article, dict) else ():
            for asked in paragraph.get("qas", ()) if isinstance(paragraph, dict) else ():
                row += 1
                if isinstance(asked, dict):
                    yield Record(row, {**asked, "context": paragraph.get("context")})
                else:
                    yield Record(row, problem=BAD_ANSWERS)


def qa(values: Mapping[str, Any]) -> dict[str, Any]:
    """A question with a passage and every answer that stands in it; none where the passage has none."""
    question, context = text_in(values, "question"), values.get("context")
    if not isinstance(context, str) or not context.strip():
        raise Malformed(EMPTY_FIELD, "context")
    cleaned = clean_text(context)
    answers = []
    for text, start in () if values.get("is_impossible") in (True, "true", "True") else answer_records(values):
        begins = context.find(text) if start is None else start
        if not text or begins < 0 or context[begins : begins + len(text)] != text:
            raise Malformed(NOT_THERE, text[:40])
        span = moved(context, cleaned, (begins, begins + len(text), ""))
        answer = {"text": cleaned[span["start"] : span["end"]], "start": span["start"]}
        if answer not in answers:
            answers.append(answer)
    return {"question": question, "context": cleaned, "answers": answers}


def answer_records(values: Mapping[str, Any]) -> Iterator[tuple[str, int | None]]:
    """(text, start) of a record's answers; a start of None where it is to be looked for."""
    given = values.get("answers")
    given = json_list(given) if isinstance(given, str) else given
    if given is None and isinstance(values.get("answer"), str):
        given = [{"text": values["answer"], "start": values.get("answer_start")}] if values["answer"] else []
    if isinstance(given, dict):  # columns of lists
        texts, starts = given.get("text", []), given.get("answer_start", given.get("start"))
        starts = [None] * len(texts) if starts is None else starts
        given = [{"text": text, "start": start} for text, start in zip(texts, starts, strict=False)]
    if not isinstance(given, list):
        raise Malformed(BAD_ANSWERS, str(given)[:40])
    for answer in given:
        start = answer.get("start", answer.get("answer_start")) if isinstance(answer, dict) else None
        if not isinstance(answer, dict) or not isinstance(answer.get("text"), str):
            raise Malformed(BAD_ANSWERS, str(answer)[:40])
        if start is not None and not str(start).lstrip("-").isdigit():
            raise Malformed(BAD_ANSWERS, str(answer)[:40])
        yield answer["text"], None if start is None else int(start)


def choice(values: Mapping[str, Any]) -> dict[str, Any]:
    """A question with what to choose from; the answer as a place among them, from 0."""
    choices = values.get("choices")
    choices = json_list(choices) if isinstance(choices, str) else choices
    if (
        not isinstance(choices, list)
        or len(choices) < 2
        or not all(isinstance(one, str) and one.strip() for one in choices)
    ):
        raise Malformed(BAD_CHOICES, str(choices)[:40])
    texts = [clean_text(one).strip() for one in choices]
    context = values.get("context")
    return {
        "question": text_in(values, "question"),
        "context": clean_text(context).strip() if isinstance(context, str) else "",
        "choices": texts,
        "answer": place_of(values.get("answer"), texts),
    }


def place_of(answer: object, choices: list[str]) -> int:
    """Where an answer stands among choices: as a number from 0, a letter from A, or the choice's own words."""
    said = str(answer).strip()
    if isinstance(answer, str) and said in choices:
        return choices.index(said)
    place = int(said) if said.isdigit() else ord(said.upper()) - ord("A") if len(said) == 1 and said.isascii() else -1
    if not 0 <= place < len(choices):
        raise Malformed(NO_ANSWER, said[:40])
    return place


# --- programs --------------------------------------------------------------------------------------


def code(values: Mapping[str, Any]) -> dict[str, Any]:
    """A wish with a program and its tests: as HumanEval has them, as MBPP has them, or under our own names."""
    if isinstance(values.get("prompt"), str) and isinstance(values.get("test"), str):
        entry = str(values.get("entry_point") or "")
        solution = values["prompt"] + str(values.get("canonical_solution") or "")
        check = [values["test"] + (f"\ncheck({entry})\n" if entry else "")]
        return {"text": values["prompt"], "code": solution, "tests": check, "setup": values["prompt"], "entry": entry}
    wish, program = text_in(values, "text"), text_in(values, "code")
    tests: Any = values.get("tests", values.get("test_list", []))
    tests = json_list(tests) if isinstance(tests, str) else tests
    if not isinstance(tests, list) or not all(isinstance(test, str) for test in tests):
        raise Malformed(BAD_TESTS, str(tests)[:40])
    setup = str(values.get("setup") or values.get("test_setup_code") or "")
    return {"text": wish, "code": program, "tests": tests, "setup": setup, "entry": str(values.get("entry") or "")}


def preference(values: Mapping[str, Any]) -> dict[str, Any]:
    """A conversation up to its last turn, and two ways to answer it; a text is a conversation of one turn."""
    prompt = values.get("prompt")
    turns = spoken([{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt, "role", "content")
    return {"prompt": tuple(turns), "chosen": text_in(values, "chosen"), "rejected": text_in(values, "rejected")}


MAKERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "pair": pair, "regression": regression, "tagging": tagging, "qa": qa, "choice": choice, "code": code,
    "relation": relation, "preference": preference,
}  # fmt: skip
"""By schema: what makes its fields."""
