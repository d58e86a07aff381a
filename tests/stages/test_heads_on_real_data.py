"""Heads on published data: what people annotated survives the way to tokens and back, and is learned from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

from langwright.data.encoder import Encoder, edges_in, tokens_of
from langwright.data.reading import Reader
from langwright.data.settings import ReadSettings
from langwright.data.word_tags import tagged
from langwright.inference.fake import letters
from langwright.runlog import RunLog, Stepped, read_events
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute
from langwright.stages.finetune import FinetuneSettings
from langwright.workspace import Workspace

FILES = {
    "cluener": ("zh-ner-cluener", "train.jsonl.gz", "tagging"),
    "resume": ("zh-ner-resume", "dev.char.bmes.gz", "tagging"),
    "wnut": ("en-ner-wnut17", "dev.conll.gz", "tagging"),
    "cmrc": ("zh-qa-cmrc2018", "cmrc2018_dev.json.gz", "qa"),
    "squad": ("en-qa-squad", "squad_sample.jsonl.gz", "qa"),
    "lcqmc": ("zh-pair-lcqmc", "dev.tsv.gz", "pair"),
}
Shared = Callable[[str], Path]


def rows(shared_data: Shared, name: str, most: int) -> list[Any]:
    folder, file, schema = FILES[name]
    columns = ("text_a", "text_b", "label") if schema == "pair" else ()
    settings = ReadSettings(schema_name=schema, skip_bad=True, columns=columns)  # type: ignore[arg-type]
    found: Iterator[Any] = Reader(settings, RunLog(None)).rows([shared_data(folder) / file])
    return [read.row for read in islice(found, most)]


def by_character(folder: Path, texts: list[str]) -> Path:
    """A small BERT-style model whose vocabulary is the characters of these texts."""
    folder.mkdir()
    seen = sorted({character for text in texts for character in text.lower() if not character.isspace()})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *seen, *(f"##{character}" for character in seen)]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    BertForMaskedLM(BertConfig(vocab_size=len(pieces), max_position_embeddings=128, **shape)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", ["cluener", "resume", "wnut"])
def test_entities_survive_tokens(shared_data: Shared, name: str) -> None:
    """Tokens of single bytes can say every span; what is lost there would be our mistake."""
    encoder = Encoder(letters(), 4096)
    some = rows(shared_data, name, 400)
    lost = sum(tagged(row.text, encoder.words(row.text)[0], row.spans).lost for row in some)
    spans = sum(len(row.spans) for row in some)
    # A span that ends inside a word (CLUENER: “R&B” in “R&Ber”) has no tag of its own.
    assert spans > 100 and lost <= 0.01 * spans, (lost, spans)


@pytest.mark.spec("F4", "on SQuAD and CMRC every answer is found again in a window of its passage, by its characters")
@pytest.mark.parametrize("name", ["cmrc", "squad"])
def test_answers_survive_windows(shared_data: Shared, name: str) -> None:
    encoder = Encoder(letters(), 1024)
    for row in rows(shared_data, name, 100):
        places, windows = encoder.passage(row.question, row.context)
        answer = row.answers[0]
        span = tokens_of(places, answer.start, answer.start + len(answer.text))
        assert span is not None
        edges = [edges_in(window, span) for window in windows]
        assert any(edge != (0, 0) for edge in edges)
        first, last = span
        assert row.context[places[first][0] : places[last][1]].strip() == answer.text.strip()


@pytest.mark.parametrize(("name", "task"), [("resume", "tagging"), ("cmrc", "qa"), ("lcqmc", "pair")])
def test_published_data_is_learned_from(shared_data: Shared, tmp_path: Path, name: str, task: str) -> None:
    some = rows(shared_data, name, 200)
    fields = ("text", "question", "context", "text_a", "text_b")
    by_character(tmp_path / "model", [getattr(row, field) for row in some for field in fields if hasattr(row, field)])
    (tmp_path / "some.jsonl").write_text("\n".join(row.model_dump_json() for row in some), encoding="utf-8")
    workspace = Workspace(tmp_path)
    reading = read_settings(STAGES["data-read"].settings, sets=[f"schema_name={task}"])
    execute(STAGES["data-read"], {"source": [tmp_path / "some.jsonl"]}, tmp_path / "data", reading, workspace=workspace)
    options = [
        f"task={task}",
        "steps=8",
        "batch_rows=16",
        "learning_rate=3e-3",
        "dtype=float32",
        "device=cpu",
        "length=96",
    ]
    options += ["evaluate_every_share=1.0", "evaluate_rows=8", "dropout=0.0"]
    made = execute(
        STAGES["finetune"], {"model": [tmp_path / "model"], "dataset": [tmp_path / "data"]}, tmp_path / "out",
        read_settings(FinetuneSettings, sets=options), workspace=workspace,
    )  # fmt: skip
    losses = [event.loss for event in read_events(made.path / "run" / "events.jsonl") if isinstance(event, Stepped)]
    assert len(losses) == 8 and all(loss < 20 for loss in losses)
    if task != "pair":  # whether two questions ask the same is not seen in eight updates
        assert losses[-1] < 0.9 * losses[0]
