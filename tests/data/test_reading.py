"""Files become rows: every format, every schema, and a clear word for what cannot be read."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from langwright.data.reading import Reader, guess_language, read_sources
from langwright.data.schemas import ChatRow, ClassificationRow, Row, TextRow
from langwright.data.settings import ReadSettings, SplitSettings
from langwright.errors import UserError
from langwright.runlog import Event, Progressed, RunLog, Warned

CLASSES = ReadSettings(schema_name="classification")
CHATS = ReadSettings(schema_name="chat")


def rows(path: Path | list[Path], settings: ReadSettings | None = None) -> list[Any]:
    paths = path if isinstance(path, list) else [path]
    return list(read_sources(paths, settings or ReadSettings(), RunLog(None)))


def written(tmp_path: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


# --- every format --------------------------------------------------------------------------------


@pytest.mark.spec("D10", "text, Markdown, reStructuredText, code, JSONL, JSON, CSV, TSV, Parquet and gzip are read")
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.rst", "a.py", "a.unknown"])
def test_running_text(tmp_path: Path, name: str) -> None:
    (row,) = rows(written(tmp_path, name, "\n第一行\r\n  second line\n"))
    assert row == TextRow(id=f"{name}#1", source=name, language="zh", text="第一行\n  second line")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "tsv", "parquet"])
def test_tables_give_the_same_rows(tmp_path: Path, form: str, packed: bool) -> None:
    records = [{"text": "很好，下次还来", "label": "1"}, {"text": "not good", "label": "0"}]
    path = tmp_path / f"t.{form}"
    if form == "jsonl":
        path.write_text("\n".join(json.dumps(record) for record in records))
    elif form == "json":
        path.write_text(json.dumps(records))
    elif form == "parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    else:
        mark = "," if form == "csv" else "\t"
        path.write_text("\n".join([mark.join(["text", "label"]), *(mark.join(record.values()) for record in records)]))
    if packed:
        data, path = path.read_bytes(), path.with_name(path.name + ".gz")
        path.write_bytes(gzip.compress(data))
    found = rows(path, CLASSES)
    assert [(row.text, row.label, row.language) for row in found] == [
        ("很好，下次还来", "1", "zh"),
        ("not good", "0", "en"),
    ]
    assert len({row.id for row in found}) == 2


@pytest.mark.spec("D12", "a CSV file with text and label columns becomes rows")
def test_a_real_set_with_other_column_names(shared_data: Callable[[str], Path]) -> None:
    settings = ReadSettings(schema_name="classification", fields={"text": "review"}, labels={"0": "差评", "1": "好评"})
    found = rows(shared_data("zh-cls-chnsenticorp") / "dev.csv.gz", settings)
    assert len(found) == 776
    assert {row.label for row in found} == {"差评", "好评"}
    assert {row.language for row in found if len(row.text) > 10} <= {"zh", "en"}


def test_a_real_set_without_a_header(shared_data: Callable[[str], Path]) -> None:
    settings = ReadSettings(schema_name="classification", columns=("sentence", "label"), fields={"text": "sentence"})
    found = rows(shared_data("en-cls-sst2") / "dev.tsv.gz", settings)
    assert len(found) == 872
    assert found[0] == ClassificationRow(
        id="dev.tsv.gz#1", source="dev.tsv.gz", language="en", text="one long string of cliches", label="0"
    )


@pytest.mark.spec("D15", "pairs of sentences in two languages are read from a table, each with its language")
def test_real_sentence_pairs(shared_data: Callable[[str], Path]) -> None:
    settings = ReadSettings(schema_name="translation", columns=("text", "translation"))
    found = rows(shared_data("mt-en-zh-tatoeba") / "en-zh.tsv.gz", settings)
    assert len(found) == 20133
    assert (found[0].text, found[0].language) == ("Doctors refused to perform a second operation.", "en")
    assert (found[0].translation, found[0].target_language) == ("医生们拒绝做第二次手术。", "zh")


def test_lines_of_parallel_files_belong_together(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    (tmp_path / "a.en.txt").write_text("One\n\nThree\n", encoding="utf-8")
    settings = ReadSettings(schema_name="translation", language="en", target_language="de", parallel={".en": ".de"})
    with pytest.raises(UserError, match=r"a\.en\.txt has no parallel file: a\.de\.txt"):
        rows(tmp_path / "a.en.txt", settings)
    (tmp_path / "a.de.txt").write_text("Eins\n\nDrei\n", encoding="utf-8")
    found = rows(tmp_path / "a.en.txt", settings)
    assert [(row.text, row.translation, row.id) for row in found] == [
        ("One", "Eins", "a.en.txt#1"),
        ("Three", "Drei", "a.en.txt#3"),
    ]
    (tmp_path / "a.de.txt").write_text("Eins\n\n", encoding="utf-8")
    with pytest.raises(UserError, match="different numbers of lines"):
        rows(tmp_path / "a.en.txt", settings)
    real = rows(shared_data("mt-multi30k") / "val.en.gz", settings)
    assert len(real) == 1014 and real[1].translation == "Ein Mann schläft in einem grünen Raum auf einem Sofa."


def test_real_summaries(shared_data: Callable[[str], Path]) -> None:
    settings = ReadSettings(schema_name="summary", fields={"text": "dialogue"})
    found = rows(shared_data("en-sum-dialogsum") / "dialogsum.dev.jsonl.gz", settings)
    assert len(found) == 500 and all(len(row.summary) < len(row.text) for row in found)
    titles = ReadSettings(schema_name="summary", columns=("task", "text", "summary"))
    chinese = rows(shared_data("zh-sum-csl") / "ts.train.tsv.gz", titles)
    assert len(chinese) == 1000 and sum(row.language == "zh" for row in chinese) > 950


def test_sentences_in_a_list_are_one_text(shared_data: Callable[[str], Path]) -> None:
    """SciTLDR: the sentences of an abstract, and several summaries, of which the first is taken."""
    settings = ReadSettings(schema_name="summary", fields={"text": "source", "summary": "target"})
    found = rows(shared_data("en-sum-scitldr") / "dev.jsonl.gz", settings)
    assert len(found) == 619 and found[0].text.startswith("Mixed precision training (MPT) is")
    assert "on training. Unfortunately, existing" in found[0].text
    assert found[0].summary.startswith("We devise adaptive loss scaling") and found[0].summary.endswith("results.")


def test_a_pair_without_its_second_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("en,zh\nOne,一\nTwo,\n", encoding="utf-8")
    settings = ReadSettings(schema_name="translation", fields={"text": "en", "translation": "zh"})
    with pytest.raises(UserError, match=r"row 3: it has no text to be written in column \(zh\)"):
        rows(tmp_path / "pairs.csv", settings)
    with pytest.raises(UserError, match=r"no column called 'translation'.*'en', 'zh'"):
        rows(tmp_path / "pairs.csv", ReadSettings(schema_name="translation", fields={"text": "en"}))


def test_the_language_of_a_translation_can_be_told(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("text,translation\nOne,Eins\n", encoding="utf-8")
    (found,) = rows(tmp_path / "pairs.csv", ReadSettings(schema_name="translation", target_language="de"))
    assert (found.language, found.target_language) == ("en", "de")
    (tmp_path / "own.jsonl").write_text('{"text": "One", "translation": "Un", "target_language": "fr"}')
    (found,) = rows(tmp_path / "own.jsonl", ReadSettings(schema_name="translation", target_language="de"))
    assert found.target_language == "fr"


def test_real_instructions_become_conversations(shared_data: Callable[[str], Path]) -> None:
    found = rows(
        [shared_data("instruct-alpaca-demo") / f"alpaca_{language}.jsonl.gz" for language in ("en", "zh")], CHATS
    )
    assert len(found) == 1700
    assert all(isinstance(row, ChatRow) and row.messages[-1].role == "assistant" for row in found)
    assert {row.language for row in found} == {"en", "zh"}


def test_what_a_row_says_of_itself_is_kept(tmp_path: Path) -> None:
    record = {"text": "Bonjour", "id": 7, "source": "letters", "licence": "CC0-1.0", "language": "fr"}
    path = written(tmp_path, "a.jsonl", json.dumps(record) + '\n{"text": "Hello"}')
    first, second = rows(path, ReadSettings(licence="CC-BY-4.0", language="en"))
    assert first == TextRow(id="7", source="letters", licence="CC0-1.0", language="fr", text="Bonjour")
    assert second == TextRow(id="a.jsonl#2", source="a.jsonl", licence="CC-BY-4.0", language="en", text="Hello")


def test_labels_of_any_plain_kind_are_texts(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "a.jsonl",
        "\n".join(f'{{"text": "x", "label": {label}}}' for label in ('"a"', "1", "1.0", "0.5", "true")),
    )
    assert [row.label for row in rows(path, CLASSES)] == ["a", "1", "1", "0.5", "True"]


def test_empty_rows_are_counted_and_left_out(tmp_path: Path) -> None:
    reader = Reader(CLASSES, RunLog(None))
    path = written(tmp_path, "a.csv", "text,label\n,1\nx,0\n  ,1\n")
    assert [read.row.text for read in reader.rows([path])] == ["x"]  # type: ignore[attr-defined]
    assert reader.left_out == {"empty": 2}


def test_units_and_long_texts(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", "one\ntwo\n\nthree")
    assert [row.text for row in rows(path, ReadSettings(unit="line"))] == ["one", "two", "three"]
    assert [row.text for row in rows(path, ReadSettings(unit="paragraph"))] == ["one\ntwo", "three"]
    long = written(tmp_path, "b.txt", "字" * 250)
    found = rows(long, ReadSettings(document_characters=100))
    assert [len(row.text) for row in found] == [100, 100, 50]
    assert [row.id for row in found] == ["b.txt#1", "b.txt#2", "b.txt#3"]


def test_unused_columns_are_named_once(tmp_path: Path) -> None:
    events: list[Event] = []
    path = written(tmp_path, "a.csv", "text,label,topic,year\nx,1,a,2\ny,0,b,3\n")
    list(read_sources([path], CLASSES, RunLog(None, events.append)))
    said = [event.values["columns"] for event in events if isinstance(event, Warned)]
    assert said == ["topic, year"]


def test_progress_reaches_the_size_of_the_files(tmp_path: Path) -> None:
    events: list[Event] = []
    path = written(tmp_path, "a.txt", "some words. " * 1_000_000)
    list(read_sources([path], ReadSettings(), RunLog(None, events.append)))
    progress = [event for event in events if isinstance(event, Progressed)]
    assert [event.done for event in progress] == sorted(event.done for event in progress)
    assert progress[-1].done == progress[-1].total == path.stat().st_size
    assert len(progress) > 2


# --- bad input -----------------------------------------------------------------------------------


def refused(path: Path, settings: ReadSettings | None = None) -> UserError:
    with pytest.raises(UserError) as caught:
        rows(path, settings)
    assert caught.value.problem("zh") != caught.value.problem("en")
    assert caught.value.fix("zh") != caught.value.fix("en")
    return caught.value


def test_missing_empty_and_unreadable(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.png").write_bytes(b"\x89PNG")
    assert "there is no" in refused(tmp_path / "none").problem("en")
    assert "is empty" in refused(written(tmp_path, "a.txt", "")).problem("en")
    assert "nothing in" in refused(tmp_path / "folder").problem("en")
    assert "no rows were found" in refused(written(tmp_path, "b.txt", " \n\n\t")).problem("en")
    assert "no rows were found" in refused(written(tmp_path, "c.csv", "text,label\n"), CLASSES).problem("en")


@pytest.mark.parametrize("skip", [False, True])
def test_a_bad_row_is_named_or_counted(tmp_path: Path, skip: bool) -> None:
    path = written(tmp_path, "a.jsonl", '{"text": "one"}\n{"text": "two"\n{"text": 3}\n{"text": "four"}\n')
    if not skip:
        error = refused(path)
        assert error.values["row"] == 2
        assert "a.jsonl, row 2: it is not valid JSON (Expecting ',' delimiter" in error.problem("en")
        assert "--skip-bad" in error.fix("en")
        return
    events: list[Event] = []
    reader = Reader(ReadSettings(skip_bad=True), RunLog(None, events.append))
    assert [read.row.text for read in reader.rows([path])] == ["one", "four"]  # type: ignore[attr-defined]
    assert reader.left_out == {"cannot be read": 2}
    assert [event.values["count"] for event in events if isinstance(event, Warned)] == [2]


@pytest.mark.parametrize(
    ("name", "text", "settings", "problem"),
    [
        ("a.csv", "label,remark\n1,x\n", CLASSES, "has no column called 'text'; it has 'label', 'remark'"),
        ("a.csv", "txt,label\nx,1\n", CLASSES, "has no column called 'text'"),
        ("a.csv", "text,lable\nx,1\n", CLASSES, "has no column called 'label'"),
        ("a.jsonl", '{"txt": "a"}', ReadSettings(), "a.jsonl has no column called 'text'; it has 'txt'"),
        ("a.jsonl", '{"text": "a"}', CLASSES, "a.jsonl has no column called 'label'; it has 'text'"),
        ("a.jsonl", '{"text": "a", "label": null}', CLASSES, "row 1: it has no label"),
        ("a.jsonl", '{"text": "a"}', CHATS, "row 1: it has none of messages"),
        ("a.txt", "some text", CHATS, "is running text, and chat rows come from tables"),
        ("a.csv", "text,label\nx,1,2\n", CLASSES, "row 2: it has another number of columns (3 ≠ 2)"),
    ],
)
def test_wrong_shapes_are_named(tmp_path: Path, name: str, text: str, settings: ReadSettings, problem: str) -> None:
    assert problem in refused(written(tmp_path, name, text), settings).problem("en")


def test_a_near_column_is_offered(tmp_path: Path) -> None:
    assert "--set fields.text=texts" in refused(written(tmp_path, "a.csv", "texts,label\nx,1\n"), CLASSES).fix("en")


def test_broken_utf_8_is_refused_or_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("好".encode() * 500 + b"\xff" + "好".encode() * 400)
    assert refused(path).values["offset"] == 1500
    events: list[Event] = []
    (row,) = read_sources([path], ReadSettings(max_broken=0.01), RunLog(None, events.append))
    assert isinstance(row, TextRow)
    assert row.text.count("\ufffd") == 1
    assert [event.values["offset"] for event in events if isinstance(event, Warned)] == [1500]


def test_gbk_is_read_without_being_told(tmp_path: Path) -> None:
    text = "我们在河边的小店里吃了一顿很好的早饭，然后就回来了。"
    assert rows(written(tmp_path, "a.txt", text, "gbk"))[0].text == text
    path = written(tmp_path, "b.csv", f"label,review\n1,{text}\n", "gbk")
    found = rows(path, ReadSettings(schema_name="classification", fields={"text": "review"}))
    assert found[0].text == text


def one_long_line(path: Path, megabytes: int) -> None:
    with path.open("wb") as stream:
        for _ in range(megabytes):
            stream.write(b"abcde fg" * (1 << 17))


def read_in_bounded_memory(path: Path, megabytes: int, peak_limit: int) -> None:
    one_long_line(path, megabytes)
    tracemalloc.start()
    characters = 0
    for row in read_sources([path], ReadSettings(unit="line"), RunLog(None)):
        assert isinstance(row, TextRow)
        assert len(row.text) <= 20_000
        characters += len(row.text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert characters > 0.99 * (megabytes << 20)
    assert peak < peak_limit


def test_a_long_single_line_is_read_in_pieces(tmp_path: Path) -> None:
    read_in_bounded_memory(tmp_path / "a.txt", megabytes=12, peak_limit=10 << 20)


@pytest.mark.heavy
def test_a_line_of_200_megabytes_is_read_in_pieces(tmp_path: Path) -> None:
    read_in_bounded_memory(tmp_path / "a.txt", megabytes=200, peak_limit=10 << 20)


def long_row(path: Path, megabytes: int) -> None:
    with path.open("wb") as stream:
        stream.write(b'{"text": "first"}\n{"text": "')
        for _ in range(megabytes):
            stream.write(b"x" * (1 << 20))
        stream.write(b'"}\n{"text": "last"}\n')


@pytest.mark.parametrize("megabytes", [20, pytest.param(200, marks=pytest.mark.heavy)])
def test_a_row_longer_than_the_limit_is_bad_and_not_held(tmp_path: Path, megabytes: int) -> None:
    path = tmp_path / "a.jsonl"
    long_row(path, megabytes)
    tracemalloc.start()
    error = refused(path, ReadSettings(max_row_megabytes=2))
    assert "row 2: it is longer than max_row_megabytes" in error.problem("en")
    found = rows(path, ReadSettings(max_row_megabytes=2, skip_bad=True))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [row.text for row in found] == ["first", "last"]
    assert peak < 12 << 20


# --- splits and languages ------------------------------------------------------------------------


def test_files_and_columns_may_name_the_split(tmp_path: Path) -> None:
    for name in ("train", "dev", "more"):
        written(tmp_path, f"{name}.csv", f"text,label\n{name},1\n")
    settings = ReadSettings(schema_name="classification", split=SplitSettings(files={"validation": "*dev*"}))
    paths = [tmp_path / f"{name}.csv" for name in ("train", "dev", "more")]
    assert [read.split for read in Reader(settings, RunLog(None)).rows(paths)] == [None, "validation", None]
    path = written(tmp_path, "a.csv", "text,label,part\na,1,train\nb,1,Dev\nc,0,test\nd,1,other\n")
    settings = ReadSettings(schema_name="classification", skip_bad=True, split=SplitSettings(column="part"))
    reader = Reader(settings, RunLog(None))
    assert [read.split for read in reader.rows([path])] == ["train", "validation", "test"]
    assert reader.left_out == {"cannot be read": 1}


@pytest.mark.spec("T6", "Chinese rows are known as Chinese")
@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("今天天气很好", "zh"),
        ("It is fine today", "en"),
        ("用 Python 写的一段代码 print(x)", "zh"),
        ("The word 茶 means tea, and so does the word 茗 in older books.", "en"),
        ("123 + 456", "en"),
        ("１２３。", "en"),
        ("", "en"),
    ],
)
def test_guessed_languages(text: str, language: str) -> None:
    assert guess_language(text) == language


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    for name in ("b/x.txt", "a/y.md", "c.py"):
        written(tmp_path, f"root/{name}", f"text of {name}")
    first: list[Row] = rows(tmp_path / "root")
    assert first == rows(tmp_path / "root")
    assert [row.source for row in first] == ["root/c.py", "root/a/y.md", "root/b/x.txt"]


def test_reading_a_table_leaves_the_csv_module_as_it_was(tmp_path):
    import csv

    from langwright.data.records import separated

    before = csv.field_size_limit()
    assert len(list(separated(iter(["text,label\nhello,a\n"]), ",", (), 50))) == 1
    assert csv.field_size_limit() == before
