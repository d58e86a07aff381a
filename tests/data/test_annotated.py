"""What people annotate becomes rows, in every shape it is published in; what cannot be is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from langwright.data.dataset import text_of
from langwright.data.reading import Reader
from langwright.data.schemas import Answer, Span
from langwright.data.settings import ReadSettings
from langwright.data.splitting import Splitter
from langwright.errors import UserError
from langwright.runlog import Chosen, Event, RunLog


def read(path: Path, schema: str, **settings: Any) -> list[Any]:
    options = ReadSettings(schema_name=schema, **settings)  # type: ignore[arg-type]
    return [found.row for found in Reader(options, RunLog(None)).rows([path])]


def one(tmp_path: Path, schema: str, record: object, name: str = "t.jsonl", **settings: Any) -> Any:
    path = tmp_path / name
    path.write_text(record if isinstance(record, str) else json.dumps(record, ensure_ascii=False), encoding="utf-8")
    (row,) = read(path, schema, **settings)
    return row


# --- shapes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "record",
    [
        {
            "text": "李明在北京。",
            "spans": [{"start": 3, "end": 5, "label": "地点"}, {"start": 0, "end": 2, "label": "人"}],
        },
        {"text": "李明在北京。", "entities": [[0, 2, "人"], [3, 5, "地点"]]},
        {"text": "李明在北京。", "label": {"地点": {"北京": [[3, 4]]}, "人": {"李明": [[0, 1]]}}},
        {"tokens": ["李明", "在", "北京", "。"], "tags": ["B-人", "O", "B-地点", "O"]},
        {"tokens": list("李明在北京。"), "ner_tags": ["B-人", "E-人", "O", "B-地点", "E-地点", "O"]},
        "李 B-人\n明 I-人\n在 O\n北 B-地点\n京 I-地点\n。 O\n",
        "-DOCSTART-\tO\n\n李明\tx\tB-人\n在\tx\tO\n北京\tx\tB-地点\n。\tx\tO\n\n",
    ],
)
def test_every_shape_of_spans(tmp_path: Path, record: object) -> None:
    row = one(tmp_path, "tagging", record, "t.conll" if isinstance(record, str) else "t.jsonl")
    assert row.text == "李明在北京。" and row.language == "zh"
    assert row.spans == (Span(start=0, end=2, label="人"), Span(start=3, end=5, label="地点"))


def test_spans_follow_what_cleaning_takes_away(tmp_path: Path) -> None:
    row = one(tmp_path, "tagging", {"text": "a\u0000b\r\nin Ko\u0308ln.", "spans": [[8, 13, "place"]]})
    assert row.text == "ab\nin Köln." and row.text[row.spans[0].start : row.spans[0].end] == "Köln"


SQUAD = {"question": "Where?", "context": "He lives in Bonn, in Bonn."}


@pytest.mark.parametrize(
    ("record", "answers"),
    [
        ({"answers": [{"text": "Bonn", "start": 21}]}, [("Bonn", 21)]),
        ({"answers": [{"text": "Bonn", "answer_start": 12}, {"text": "Bonn", "answer_start": 12}]}, [("Bonn", 12)]),
        ({"answers": {"text": ["Bonn", "in Bonn"], "answer_start": [12, 9]}}, [("Bonn", 12), ("in Bonn", 9)]),
        ({"answer": "Bonn"}, [("Bonn", 12)]),
        ({"answers": []}, []),
        ({"answers": [], "is_impossible": True}, []),
    ],
)
def test_every_shape_of_answers(tmp_path: Path, record: dict[str, Any], answers: list[tuple[str, int]]) -> None:
    row = one(tmp_path, "qa", {**SQUAD, **record})
    assert row.answers == tuple(Answer(text=text, start=start) for text, start in answers)
    assert text_of(row) == "Where?\nHe lives in Bonn, in Bonn."


def test_a_whole_file_of_squads_layout(tmp_path: Path) -> None:
    paragraph = {"context": "春天来了。", "qas": [
        {"id": "q1", "question": "什么来了？", "answers": [{"text": "春天", "answer_start": 0}]},
        {"id": "q2", "question": "谁？", "answers": [], "is_impossible": True},
    ]}  # fmt: skip
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"version": "2.0", "data": [{"title": "x", "paragraphs": [paragraph]}]}))
    first, second = read(path, "qa")
    assert (first.id, second.id) == ("q1", "q2") and first.answers[0].text == "春天" and second.answers == ()


@pytest.mark.parametrize(
    "record",
    [
        {"text_a": "一", "text_b": "二", "label": 1},
        {"sentence1": "一", "sentence2": "二", "label": "1"},
        {"premise": "一", "hypothesis": "二", "gold_label": "1"},
    ],
)
def test_every_shape_of_pairs(tmp_path: Path, record: dict[str, Any]) -> None:
    row = one(tmp_path, "pair", record)
    assert (row.text_a, row.text_b, row.label, row.score) == ("一", "二", "1", None)


def test_a_pair_with_a_number_and_a_text_with_one(tmp_path: Path) -> None:
    assert one(tmp_path, "pair", "a\tb\t3.5", "t.tsv", columns=("text_a", "text_b", "score")).score == 3.5
    assert one(tmp_path, "pair", {"text_a": "a", "text_b": "b", "label": 2.5}, fields={"score": "label"}).score == 2.5
    assert one(tmp_path, "regression", {"text": "好", "stars": 4}).score == 4.0


@pytest.mark.parametrize("answer", [2, "2", "C", "c", "red"])
def test_every_shape_of_choices(tmp_path: Path, answer: object) -> None:
    row = one(tmp_path, "choice", {"query": "Which?", "choices": ["blue", "green", "red"], "gold": answer})
    assert row.answer == 2 and row.question == "Which?" and row.context == ""


@pytest.mark.parametrize(
    ("name", "record", "labels"),
    [
        ("t.jsonl", {"text": "x", "labels": ["a", "b", "a"]}, ("a", "b")),
        ("t.jsonl", {"text": "x", "labels": []}, ()),
        ("t.csv", "text,labels\nx,a|b", ("a", "b")),
        ("t.csv", 'text,labels\nx,"[""a"", ""b""]"', ("a", "b")),
        ("t.csv", "text,labels\nx,", ()),
    ],
)
def test_several_labels(tmp_path: Path, name: str, record: object, labels: tuple[str, ...]) -> None:
    row = one(tmp_path, "classification", record, name)
    assert row.labels == labels and row.label == ""


def test_several_labels_with_another_sign_between_them(tmp_path: Path) -> None:
    row = one(tmp_path, "classification", 'text,labels\nx,"4,a|b"', "t.csv", separator=",", labels={"4": "joy"})
    assert row.labels == ("joy", "a|b")


def test_a_guessed_column_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"premise": "a", "hypothesis": "b", "label": "x"}\n' * 2)
    seen: list[Event] = []
    log = RunLog(None, seen.append)
    assert len(list(Reader(ReadSettings(schema_name="pair"), log).rows([path]))) == 2
    said = [event.values for event in seen if isinstance(event, Chosen)]
    assert said == [{"column": "premise", "field": "text_a"}, {"column": "hypothesis", "field": "text_b"}]


@pytest.mark.parametrize(
    ("schema", "table", "fields"),
    [
        ("classification", "review,category\ngood film,pos\n", {"text": "good film", "label": "pos"}),
        ("classification", "评论,标签\n很好看,正面\n", {"text": "很好看", "label": "正面"}),
        ("classification", 'sentence,labels,class\nx,"a|b",c\n', {"text": "x", "labels": ("a", "b")}),
        ("summary", "article,highlights\nA long text.,Short.\n", {"text": "A long text.", "summary": "Short."}),
        ("translation", "source,target\nHallo,hello\n", {"text": "Hallo", "translation": "hello", "source": "t.csv"}),
        ("text", "content,id\nrain,7\n", {"text": "rain", "id": "7"}),
    ],
)
def test_columns_are_guessed_and_shown(tmp_path: Path, schema: Any, table: str, fields: dict[str, object]) -> None:
    path = tmp_path / "t.csv"
    path.write_text(table, encoding="utf-8")
    seen: list[Event] = []
    (read,) = Reader(ReadSettings(schema_name=schema), RunLog(None, seen.append)).rows([path])
    assert {name: getattr(read.row, name) for name in fields} == fields
    columns = table.split("\n")[0].split(",")
    said = {str(event.values["field"]): event.values["column"] for event in seen if isinstance(event, Chosen)}
    assert said and set(said.values()) <= set(columns)
    assert "labels" not in columns or "label" not in said


def test_spans_may_overlap_and_stand_in_order_once_each(tmp_path: Path) -> None:
    spans = [[4, 6, "place"], [0, 2, "place"], [0, 4, "firm"], [0, 2, "place"], [1, 5, "x"]]
    row = one(tmp_path, "tagging", {"text": "北京大学东门", "spans": spans})
    assert [(span.start, span.end, span.label) for span in row.spans] == [
        (0, 4, "firm"), (0, 2, "place"), (1, 5, "x"), (4, 6, "place")
    ]  # fmt: skip


# --- refused by name -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "record", "words"),
    [
        ("tagging", {"text": "abc", "spans": [[1, 4, "x"]]}, r"row 1: a span lies outside the text \(x 1–4, 3\)"),
        ("tagging", {"text": "abc", "spans": [[2, 2, "x"]]}, "outside the text"),
        ("tagging", {"text": "abc", "spans": [{"start": 0, "label": "x"}]}, "not written as start, end and label"),
        ("tagging", {"text": "abc"}, "none of spans, entities"),
        ("tagging", {"tokens": ["a", "b"], "tags": ["O"]}, r"another number of tags than of tokens \(1 ≠ 2\)"),
        ("qa", {**SQUAD, "answers": [{"text": "Rome", "start": 3}]}, r"does not stand in the context where it says \(Rome\)"),
        ("qa", {**SQUAD, "answers": [{"text": "Bonn", "start": 11}]}, "does not stand in the context"),
        ("qa", {**SQUAD, "answers": "Bonn"}, "not written as text and start"),
        ("qa", {"question": "?", "answers": []}, "no column called 'context'"),
        ("choice", {"question": "?", "choices": ["a"], "answer": 0}, "at least two texts"),
        ("choice", {"question": "?", "choices": ["a", "b"], "answer": "C"}, r"none of the choices \(C\)"),
        ("pair", {"text_a": "a", "label": "x"}, "no column called 'text_b'"),
        ("pair", {"text_a": "a", "text_b": "b"}, r"no number in column|no label in column"),
        ("regression", {"text": "a", "score": "high"}, r"no number in column \(score\)"),
        ("regression", {"text": "a", "score": "nan"}, "no number in column"),
        ("classification", {"text": "a", "labels": 3}, "not a list of texts"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_row(tmp_path: Path, schema: str, record: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        one(tmp_path, schema, record)
    assert refused.value.problem("zh") != refused.value.problem("en")
    path = tmp_path / "t.jsonl"
    path.write_text(path.read_text() + "\n" + path.read_text())
    with pytest.raises(UserError, match="no rows were found"):
        read(path, schema, skip_bad=True)


def test_a_table_without_a_needed_column(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("sentence1,label\na,x\n")
    with pytest.raises(UserError, match="no column called 'text_b'"):
        read(tmp_path / "t.csv", "pair")


def test_a_line_without_a_tag(tmp_path: Path) -> None:
    (tmp_path / "t.conll").write_text("a O\n\nb O\nc\n")
    with pytest.raises(UserError, match=r"row 3: it has another number of columns \(c\)"):
        read(tmp_path / "t.conll", "tagging")


def test_places_of_characters_in_words_are_left_out(tmp_path: Path) -> None:
    """Weibo's file says 北0 京1; where a line has none, or they do not count up, they belong to the word."""
    row = one(tmp_path, "tagging", "去0\tO\n北0\tB-地点\n京1\tI-地点\n", "a.conll")
    assert row.text == "去北京" and row.spans == (Span(start=1, end=3, label="地点"),)
    assert one(tmp_path, "tagging", "A1 O\nB2 B-x\n", "b.conll").text == "A1 B2"
    assert one(tmp_path, "tagging", "A0 O\nwent B-x\n", "c.conll").text == "A0 went"


def test_questions_about_one_passage_stay_in_one_split(tmp_path: Path) -> None:
    records = [{"question": f"q{i}", "context": f"passage {i // 5}", "answers": []} for i in range(100)]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, records)))
    settings = ReadSettings(schema_name="qa")
    found: dict[str, set[str]] = {}
    for row, split in Splitter(settings.split).split(Reader(settings, RunLog(None)).rows([tmp_path / "t.jsonl"])):
        found.setdefault(row.context, set()).add(split)  # type: ignore[attr-defined]
    assert all(len(splits) == 1 for splits in found.values())
    assert {"train", "validation"} <= set().union(*found.values())


# --- real data -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "file", "schema", "count", "settings"),
    [
        ("zh-ner-cluener", "train.jsonl.gz", "tagging", 10_748, {}),
        ("zh-ner-resume", "dev.char.bmes.gz", "tagging", 463, {}),
        ("en-ner-wnut17", "dev.conll.gz", "tagging", 1009, {}),
        ("zh-ner-weibo", "dev.conll.gz", "tagging", 270, {}),
        ("multi-qa-xquad", "xquad.zh.json.gz", "qa", 1190, {}),
        ("zh-qa-cmrc2018", "cmrc2018_dev.json.gz", "qa", 3043, {"skip_bad": True}),  # 176 name a place that is not theirs
        ("zh-eval-cmmlu", "dev.jsonl.gz", "choice", 165, {}),
        ("en-eval-multichoice", "copa.jsonl.gz", "choice", 100, {}),
        ("zh-pair-lcqmc", "dev.tsv.gz", "pair", 8802, {"columns": ("text_a", "text_b", "label")}),
    ],
)  # fmt: skip
def test_published_files_are_read_as_they_are(
    shared_data: Callable[[str], Path], folder: str, file: str, schema: str, count: int, settings: dict[str, Any]
) -> None:
    rows = read(shared_data(folder) / file, schema, **settings)
    assert len(rows) == count
    if schema == "tagging":
        assert all(0 <= s.start < s.end <= len(row.text) for row in rows for s in row.spans)
    if schema == "qa":
        assert all(row.context[a.start : a.start + len(a.text)] == a.text for row in rows for a in row.answers)
