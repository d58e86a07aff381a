"""Datasets come back as they were written, in bounded memory, and refuse what is none."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.data import dataset as module
from langwright.data.dataset import DatasetWriter, arrow_schema, open_dataset, text_of
from langwright.data.schemas import (
    SCHEMAS,
    Answer,
    ChatRow,
    ChoiceRow,
    ClassificationRow,
    CodeRow,
    CorrectionRow,
    Message,
    PairRow,
    PreferenceRow,
    QaRow,
    RegressionRow,
    RelationRow,
    Row,
    Span,
    SummaryRow,
    TaggingRow,
    TextRow,
    TranslationRow,
)
from langwright.errors import UserError

EXAMPLES: dict[str, list[Row]] = {
    "text": [TextRow(id="1", source="a", licence="CC0-1.0", language="zh", text="你好\n世界 😀"), TextRow(text="")],
    "chat": [
        ChatRow(messages=(Message(role="user", content="q"), Message(role="assistant", content="答")), expect="答"),
        ChatRow(messages=(Message(role="system", content=""), Message(role="user", content="q"))),
    ],
    "classification": [ClassificationRow(text="x", label="正"), ClassificationRow(text="y", labels=("负", "长"))],
    "pair": [PairRow(text_a="a", text_b="b", label="x"), PairRow(text_a="一", text_b="二", score=-1.5)],
    "regression": [RegressionRow(text="a", score=0.5), RegressionRow(text="b", score=-2.0)],
    "tagging": [TaggingRow(text="北京", spans=(Span(start=0, end=2, label="地点"),)), TaggingRow(text="x", spans=())],
    "qa": [
        QaRow(question="q", context="ab", answers=(Answer(text="b", start=1), Answer(text="a", start=0))),
        QaRow(question="q", context="c", answers=()),
    ],
    "choice": [
        ChoiceRow(question="q", choices=("a", "b"), answer=1),
        ChoiceRow(question="q", context="c", choices=("a", "b", "c"), answer=0),
    ],
    "translation": [
        TranslationRow(language="en", text="One", translation="一", target_language="zh"),
        TranslationRow(language="zh", text="二", translation="deux", target_language="fr"),
    ],
    "summary": [SummaryRow(text="long", summary="short"), SummaryRow(text="长文", summary="短")],
    "relation": [
        RelationRow(text="甲生于乙", first_start=0, first_end=1, second_start=3, second_end=4, label="出生地"),
        RelationRow(text="a of b", first_start=5, first_end=6, second_start=0, second_end=1, label="has"),
    ],
    "correction": [CorrectionRow(text="teh", correction="the"), CorrectionRow(text="好", correction="好")],
    "code": [
        CodeRow(
            text="one", code="def one():\n    return 1\n", tests=("assert one() == 1",), setup="n = 1", entry="one"
        ),
        CodeRow(text="空", code="pass"),
    ],
    "preference": [
        PreferenceRow(prompt=(Message(role="user", content="q"),), chosen="好", rejected="bad"),
        PreferenceRow(
            prompt=(Message(role="system", content="s"), Message(role="user", content="问")), chosen="a", rejected="b"
        ),
    ],
}


@pytest.mark.spec("D14", "rows of every schema come back as they were written")
@pytest.mark.parametrize("schema", SCHEMAS)
def test_rows_come_back(tmp_path: Path, schema: str) -> None:
    first, second = EXAMPLES[schema]
    with DatasetWriter(tmp_path, schema) as writer:
        writer.write(first, "train")
        writer.write(second, "validation")
        writer.write(first, "train")
    facts = writer.close()
    assert facts.splits == {"train": 2, "validation": 1}
    assert facts.bytes == sum(len(text_of(row).encode()) for row in (first, second, first))
    found = open_dataset(tmp_path)
    assert found.schema_name == schema
    assert found.schema is SCHEMAS[schema]
    assert found.splits == ("train", "validation")
    assert (found.count("train"), found.count("test")) == (2, 0)
    assert list(found.rows("train")) == [first, first]
    assert list(found.rows("validation")) == [second]
    assert list(found.texts("train")) == [text_of(first)] * 2


@given(texts=st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=1, max_size=30))
def test_any_text_comes_back_in_order_over_groups_and_shards(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("d")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "GROUP_ROWS", 3)
        patch.setattr(module, "SHARD_BYTES", 40)
        with DatasetWriter(folder, "text") as writer:
            for text in texts:
                writer.write(TextRow(text=text), "train")
    assert list(open_dataset(folder).texts("train")) == texts


def test_large_sets_are_cut_into_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUP_BYTES", 1000)
    monkeypatch.setattr(module, "SHARD_BYTES", 5000)
    with DatasetWriter(tmp_path, "text") as writer:
        for number in range(100):
            writer.write(TextRow(text=f"{number:03} " + "x" * 196), "train")
    assert [file.name for file in sorted((tmp_path / "data").iterdir())] == [f"train-{n:05}.parquet" for n in range(4)]
    assert [text[:3] for text in open_dataset(tmp_path).texts("train")] == [f"{n:03}" for n in range(100)]


def test_the_same_rows_make_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with DatasetWriter(tmp_path / name, "chat") as writer:
            for row in EXAMPLES["chat"]:
                writer.write(row, "train")
    one, other = (tmp_path / name / "data" / "train-00000.parquet" for name in ("a", "b"))
    assert one.read_bytes() == other.read_bytes()


def test_labels(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path, "classification") as writer:
        for label in ("正", "", "负"):
            writer.write(ClassificationRow(text="x", label=label), "train")
        writer.write(EXAMPLES["classification"][1], "test")
    assert list(open_dataset(tmp_path).labels("train")) == ["正", "", "负"]
    with pytest.raises(UserError, match="no single label"):
        list(open_dataset(tmp_path).labels("test"))


def test_columns_follow_the_models() -> None:
    assert arrow_schema(ChatRow, "chat").field("messages").type == pa.list_(
        pa.struct([("role", pa.string()), ("content", pa.string())])
    )
    assert arrow_schema(ChatRow, "chat").field("expect").type == pa.string()
    for name, schema in SCHEMAS.items():
        assert arrow_schema(schema, name).names[:4] == ["id", "source", "licence", "language"]


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no schema called 'chats'"):
        DatasetWriter(tmp_path, "chats")
    with DatasetWriter(tmp_path, "text") as writer:
        writer.write(TextRow(text="a"), "train")
        with pytest.raises(UserError, match="no split called 'dev'"):
            writer.write(TextRow(text="a"), "dev")
    with pytest.raises(UserError, match="has no split called 'test'"):
        list(open_dataset(tmp_path).rows("test"))


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no dataset"):
        open_dataset(tmp_path)
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "data" / "train-00000.parquet")
    with pytest.raises(UserError, match="holds no dataset"):
        open_dataset(tmp_path)
    (tmp_path / "data" / "train-00000.parquet").write_bytes(b"PAR1 damaged")
    with pytest.raises(UserError, match=r"train-00000\.parquet cannot be read"):
        open_dataset(tmp_path)
