"""`langwright tokenizer train DATASET OUT`: learn a vocabulary from a dataset's training rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from langwright.artifacts import Made, TokenizerFacts
from langwright.stages.declaration import Input, Stage, Work
from langwright.tokenizers.settings import TokenizerSettings

if TYPE_CHECKING:
    from langwright.data.dataset import Dataset


def run(work: Work) -> Made:
    """Train, save and inspect; see the module."""
    from langwright.data.dataset import open_dataset
    from langwright.runlog import Chosen
    from langwright.tokenizers.inspection import inspection_measures, report_on
    from langwright.tokenizers.loading import save_tokenizer
    from langwright.tokenizers.templates import template_sha256
    from langwright.tokenizers.training import train_tokenizer

    settings: TokenizerSettings = work.settings
    dataset = open_dataset(work.one("dataset").path)
    card = work.one("dataset").card
    total = card.dataset.bytes if card and card.dataset else 0
    wanted = settings.max_megabytes * 1_000_000
    share = min(1.0, wanted / total) if total else 1.0
    if share < 1:
        work.log.write(
            Chosen(
                message="learning from {share:.0%} of the rows, taken evenly: max_megabytes is {megabytes}",
                values={"share": share, "megabytes": settings.max_megabytes},
            )
        )
    texts = evenly(dataset.texts("train"), share)
    tokenizer = train_tokenizer(texts, settings, work.log, int(total * share) or None)
    save_tokenizer(tokenizer, work.out)
    report = report_on(tokenizer, held_out(dataset))
    (work.out / "inspection.json").write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    facts = TokenizerFacts(
        algorithm="bytes and characters" if settings.unit == "character" else "byte-level BPE",
        vocab_size=len(tokenizer),
        template_sha256=template_sha256(tokenizer),
    )
    return Made(results=inspection_measures(report, dataset.path.name, work.command), tokenizer=facts)


def evenly(texts: Iterator[str], share: float) -> Iterator[str]:
    """A share of the texts, spread evenly over the whole; all of them when the share is 1."""
    for number, text in enumerate(texts):
        if int((number + 1) * share) > int(number * share):
            yield text


HELD_OUT_CHARACTERS = 400_000


def held_out(dataset: Dataset) -> dict[str, str]:
    """Validation text by group, Chinese, English and code, a bounded amount of each."""
    from langwright.data.dataset import text_of
    from langwright.data.sources import is_code

    found: dict[str, list[str]] = {"zh": [], "en": [], "code": []}
    sizes = dict.fromkeys(found, 0)
    if "validation" not in dataset.splits:
        return {}
    for row in dataset.rows("validation"):
        group = "code" if is_code(row.source) else row.language
        if group in found and sizes[group] < HELD_OUT_CHARACTERS:
            found[group].append(text_of(row))
            sizes[group] += len(found[group][-1])
    return {group: "\n".join(texts) for group, texts in found.items() if texts}


STAGE = Stage(
    name="tokenizer-train",
    version=1,
    summary="Learn a vocabulary that suits the dataset: byte-level, for Chinese, English and code alike",
    settings=TokenizerSettings,
    inputs=(Input("dataset", "dataset", "The text to learn from; only its training rows are read"),),
    makes="tokenizer",
    run=run,
    next="langwright pretrain DATASET {out} runs/base",
    options={"vocab-size": "vocab_size"},
)
