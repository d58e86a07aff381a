"""The stages data-read, data-clean and tokenizer-train, one after the other, and what they refuse."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from langwright.artifacts import Artifact, open_artifact, partial_of, verify
from langwright.data.dataset import open_dataset
from langwright.data.duplicates import content_key
from langwright.data.schemas import ClassificationRow
from langwright.data.settings import CleanSettings, ReadSettings, SplitSettings
from langwright.data.shipped import conversations_path, paraphrases_path, prose_paths
from langwright.errors import UserError
from langwright.runlog import Chosen, Progressed, read_events
from langwright.settings import Settings, read_settings, to_toml
from langwright.stages.data_clean import STAGE as CLEAN
from langwright.stages.data_read import STAGE as READ
from langwright.stages.declaration import Stage
from langwright.stages.execution import execute
from langwright.stages.tokenizer_train import STAGE as TRAIN
from langwright.stages.tokenizer_train import evenly
from langwright.tokenizers.loading import load_tokenizer
from langwright.tokenizers.settings import TokenizerSettings
from langwright.workspace import Workspace


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Artifact]:
    """`make(stage, inputs, name, settings)` carries a stage out in a workspace of its own."""

    def run(stage: Stage, inputs: Sequence[Path], name: str, settings: Settings | None = None) -> Artifact:
        role = stage.inputs[0].role
        return execute(
            stage, {role: list(inputs)}, tmp_path / "runs" / name, settings or stage.settings(),
            workspace=Workspace(tmp_path), command=("langwright", *stage.name.split("-")),
        )  # fmt: skip

    return run


@pytest.mark.spec("D10", "files become a dataset artifact that says where it came from")
@pytest.mark.spec("D1", "raw text in, cleaned text and a report of what was dropped out")
@pytest.mark.spec("T2", "a dataset becomes a tokenizer artifact that AutoTokenizer opens")
def test_from_prose_to_tokenizer(make: Callable[..., Artifact], tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text(
        "短。\n\n短。\n\n" + prose_paths()[0].read_text(encoding="utf-8"), encoding="utf-8"
    )
    read = make(READ, [prose_paths()[0].parent, tmp_path / "more.txt"], "text", ReadSettings(unit="paragraph"))
    assert read.card is not None and read.card.dataset is not None
    assert read.card.dataset.schema_name == "text"
    assert [origin.kind for origin in read.card.inputs] == ["source", "source"]
    assert set(read.card.dataset.splits) == {"train", "validation"}
    assert verify(read) == []
    events = read_events(read.path / "run" / "events.jsonl")
    assert [event for event in events if isinstance(event, Progressed)]
    (chosen,) = (event for event in events if isinstance(event, Chosen))
    assert chosen.values["train"] == read.card.dataset.splits["train"]

    clean = make(CLEAN, [read.path], "clean")
    assert clean.card is not None and clean.card.dataset is not None
    dropped = clean.card.dataset.dropped
    assert dropped["duplicate"] >= 15
    assert dropped["too short"] >= 2
    drops = json.loads((clean.path / "drops.json").read_text(encoding="utf-8"))
    assert drops["counts"] == dropped
    assert drops["rows"] - drops["kept"] == sum(dropped.values())
    assert drops["kept"] == sum(clean.card.dataset.splits.values())
    assert all(int(example["value"]) < 20 for example in drops["examples"]["too short"])
    shares = {measure.name: measure.value for measure in clean.card.results}
    assert shares["dropped: duplicate"] == pytest.approx(dropped["duplicate"] / drops["rows"])
    found = open_dataset(clean.path)
    keys = [content_key(row) for split in found.splits for row in found.rows(split)]
    assert len(keys) == len(set(keys))

    trained = make(TRAIN, [clean.path], "tokenizer", TokenizerSettings(vocab_size=1500))
    assert trained.card is not None and trained.card.tokenizer is not None
    assert trained.card.tokenizer.vocab_size == 1500
    assert trained.card.tokenizer.template_sha256
    assert len(load_tokenizer(trained.path)) == 1500
    costs = {(m.name, m.data): m.value for m in trained.card.results}
    assert costs["bytes per token, zh", "our sample text"] > 2
    assert costs["bytes per token, zh", "clean validation"] > 2
    report = json.loads((trained.path / "inspection.json").read_text(encoding="utf-8"))
    assert report["vocab_size"] == 1500
    assert len(report["longest"]) == 20
    assert open_artifact(trained.path, "tokenizer").card == trained.card


@pytest.mark.spec("D14", "the same inputs and settings make the same dataset")
def test_making_twice_gives_the_same_digest(make: Callable[..., Artifact]) -> None:
    inputs = [conversations_path("zh"), conversations_path("en")]
    settings = ReadSettings(schema_name="chat")
    assert make(READ, inputs, "one", settings).digest == make(READ, inputs, "two", settings).digest


def test_the_shipped_conversations_and_paraphrases(make: Callable[..., Artifact]) -> None:
    made = make(READ, [conversations_path("zh"), paraphrases_path()], "chat", ReadSettings(schema_name="chat"))
    rows = [row for split in open_dataset(made.path).splits for row in open_dataset(made.path).rows(split)]
    assert all(row.expect and row.licence == "CC0-1.0" for row in rows)  # type: ignore[attr-defined]
    assert any(row.id == "zh-001" for row in rows)


@pytest.mark.spec("D12", "a real CSV file with labels becomes a dataset with every label in every split")
@pytest.mark.spec("D13", "validation rows are chosen by what they say; none is also trained on")
def test_a_real_classification_set(make: Callable[..., Artifact], shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("zh-cls-waimai")
    settings = ReadSettings(schema_name="classification", fields={"text": "review"}, labels={"0": "差评", "1": "好评"})
    dataset = open_dataset(make(READ, [folder / "train.csv.gz"], "waimai", settings).path)
    assert sum(dataset.counts.values()) == 9589
    assert dataset.count("validation") / 9589 == pytest.approx(0.1, abs=0.01)
    keys = {split: {content_key(row) for row in dataset.rows(split)} for split in dataset.splits}
    assert not keys["train"] & keys["validation"]
    assert set(dataset.labels("train")) == set(dataset.labels("validation")) == {"差评", "好评"}


@pytest.mark.spec("D13", "files that come with a split of their own keep it")
def test_a_set_with_its_own_split(make: Callable[..., Artifact], shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("en-cls-sst2")
    settings = ReadSettings(
        schema_name="classification", columns=("text", "label"), split=SplitSettings(files={"validation": "dev*"})
    )
    made = make(READ, [folder / "train.tsv.gz", folder / "dev.tsv.gz"], "sst2", settings)
    assert open_dataset(made.path).counts == {"train": 6920, "validation": 872}


# --- refused, with nothing left behind -------------------------------------------------------------


def untouched(tmp_path: Path, name: str) -> bool:
    return not (tmp_path / "runs" / name).exists() and not partial_of(tmp_path / "runs" / name).exists()


@pytest.mark.parametrize(
    ("data", "settings", "problem"),
    [
        (b"", ReadSettings(), "is empty"),
        (
            b"abc \xff\xfe\xe4 def",
            ReadSettings(encoding="utf-8"),
            "characters are broken in utf-8, the first at byte 4",
        ),
        (b'{"text": "a"}\n{"text": }\n', ReadSettings(), "row 2: it is not valid JSON"),
        (b'{"text": "a"}\n', ReadSettings(schema_name="chat"), "row 1: it has none of messages"),
    ],
)
def test_a_mistake_in_reading_leaves_nothing(
    make: Callable[..., Artifact], tmp_path: Path, data: bytes, settings: ReadSettings, problem: str
) -> None:
    (tmp_path / "a.jsonl").write_bytes(data)
    with pytest.raises(UserError, match=problem):
        make(READ, [tmp_path / "a.jsonl"], "out", settings)
    assert untouched(tmp_path, "out")


def test_bad_rows_are_counted_in_the_card(make: Callable[..., Artifact], tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n{"text": }\n{"text": "two"}\n{"text": " "}\n')
    card = make(READ, [tmp_path / "a.jsonl"], "out", ReadSettings(skip_bad=True)).card
    assert card is not None and card.dataset is not None
    assert card.dataset.dropped == {"cannot be read": 1, "empty": 1}


def test_an_existing_output_is_kept(make: Callable[..., Artifact], tmp_path: Path) -> None:
    (tmp_path / "runs" / "out").mkdir(parents=True)
    (tmp_path / "runs" / "out" / "precious").touch()
    with pytest.raises(UserError, match="already exists"):
        make(READ, prose_paths(), "out")
    assert (tmp_path / "runs" / "out" / "precious").exists()


def test_cleaning_that_leaves_nothing_is_an_error(make: Callable[..., Artifact], tmp_path: Path) -> None:
    read = make(READ, prose_paths()[:1], "text")
    with pytest.raises(UserError, match="most by the rule 'too short'"):
        make(CLEAN, [read.path], "clean", CleanSettings(min_characters=10**6))
    assert untouched(tmp_path, "clean")


def test_a_vocabulary_too_large_leaves_nothing(make: Callable[..., Artifact], tmp_path: Path) -> None:
    read = make(READ, prose_paths()[:1], "text")
    with pytest.raises(UserError, match="the text allows a vocabulary of"):
        make(TRAIN, [read.path], "tokenizer", TokenizerSettings(vocab_size=100_000))
    assert untouched(tmp_path, "tokenizer")


def test_the_wrong_kind_of_artifact_names_the_command_that_makes_the_right_one(
    make: Callable[..., Artifact], tmp_path: Path
) -> None:
    read = make(READ, prose_paths()[:3], "text")
    tokenizer = make(TRAIN, [read.path], "tokenizer", TokenizerSettings(vocab_size=600))
    with pytest.raises(UserError, match="is a tokenizer, and a dataset is needed here") as caught:
        make(CLEAN, [tokenizer.path], "clean")
    assert "langwright data read" in caught.value.fix("en")


# --- the parts -----------------------------------------------------------------------------------


def test_only_training_rows_teach_the_tokenizer(make: Callable[..., Artifact], tmp_path: Path) -> None:
    rows = [f'{{"text": "文字{"训练" * 30}{n}", "part": "train"}}' for n in range(20)]
    rows += [f'{{"text": "{"验证" * 30}{n}", "part": "validation"}}' for n in range(20)]
    (tmp_path / "a.jsonl").write_text("\n".join(rows), encoding="utf-8")
    read = make(READ, [tmp_path / "a.jsonl"], "text", ReadSettings(split=SplitSettings(column="part")))
    tokenizer = load_tokenizer(make(TRAIN, [read.path], "tokenizer", TokenizerSettings(vocab_size=268)).path)
    assert len(tokenizer("训练")["input_ids"]) < len(tokenizer("验证")["input_ids"])


def test_a_share_of_the_rows_is_taken_evenly() -> None:
    texts = [str(number) for number in range(100)]
    assert list(evenly(iter(texts), 1.0)) == texts
    quarter = [int(text) for text in evenly(iter(texts), 0.25)]
    assert len(quarter) == 25
    assert {later - earlier for earlier, later in itertools.pairwise(quarter)} == {4}


def test_rows_with_labels_in_chinese_survive_a_recipe() -> None:
    settings = read_settings(ReadSettings, sets=["labels={'1'='好评','0'='差评'}", "split.files={dev='*dev*'}"])
    assert settings.labels == {"1": "好评", "0": "差评"}
    assert read_settings(ReadSettings, recipe=to_toml(settings)) == settings


def test_every_option_is_a_setting() -> None:
    for stage in (READ, CLEAN, TRAIN):
        known = set(stage.settings.model_fields)
        assert {dotted.split(".")[0] for dotted in stage.options.values()} <= known


def test_classification_rows_keep_short_texts(make: Callable[..., Artifact], tmp_path: Path) -> None:
    lines = [f"{text},{label}" for text, label in (("好", "1"), ("差", "0"), ("不错", "1"), ("好", "1"), ("一般", "0"))]
    (tmp_path / "a.csv").write_text("text,label\n" + "\n".join(lines), encoding="utf-8")
    read = make(READ, [tmp_path / "a.csv"], "rows", ReadSettings(schema_name="classification"))
    dataset = open_dataset(make(CLEAN, [read.path], "clean").path)
    rows = [row for split in dataset.splits for row in dataset.rows(split)]
    assert sorted(row.text for row in rows if isinstance(row, ClassificationRow)) == ["一般", "不错", "好", "差"]
