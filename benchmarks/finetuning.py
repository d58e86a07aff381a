"""Fine-tuning speed on conversations of many lengths beside TRL's `SFTTrainer`: the same model, weights and texts.

    python -m benchmarks.finetuning [--rounds 5] [--only small] [--steps 4] [--out report.json]

Texts have log-normal lengths (mean 180 tokens, 1,024 at most); the second half of each is learned. Counted
are tokens of texts, never padding. Ours is the library's own loop with whole texts packed into rows of 1,024
that do not see each other, 2 rows an update (about the tokens of 8 texts) or 8 rows. Theirs is `SFTTrainer`
with bf16=True, 8 texts an update, or 8 packed rows; the rest as it comes. How turns are taken and counted:
benchmarks/contest.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.contest import Conductor, Contest, by_the_loop, prepare_machine, run, turns

LENGTH = 1024
MEAN, SPREAD = 180, 0.8  # of the log-normal lengths, in tokens
TEXTS = 4000
PAD, END = 0, 1


def texts(vocab_size: int) -> Iterator[list[int]]:
    """Token ids drawn by Zipf's law, the same for everyone."""
    draw = random.Random(0)
    weights = [1 / rank for rank in range(2, vocab_size)]
    for _ in range(TEXTS):
        length = round(math.exp(draw.gauss(math.log(MEAN) - SPREAD**2 / 2, SPREAD)))
        yield draw.choices(range(2, vocab_size), weights, k=min(LENGTH, max(16, length)))


def learned(ids: list[int]) -> list[bool]:
    """The second half of a text."""
    return [place >= len(ids) // 2 for place in range(len(ids))]


def prepare(name: str, folder: Path) -> None:
    """The texts as a token store."""
    from langwright.data.store import Document, build_store
    from langwright.models.presets import PRESETS

    size = PRESETS[name].vocab_size
    build_store(folder / "store", (Document(ids, learned(ids), len(ids)) for ids in texts(size)), size)


def fresh_model(name: str) -> Any:
    """The model with random weights, the same for everyone."""
    from langwright.models.building import build_model
    from langwright.models.presets import PRESETS

    return build_model(PRESETS[name], context=LENGTH, seed=1)


def by_langwright(name: str, folder: Path, conductor: Conductor, *, rows: int) -> None:
    """The library's own loop."""
    from langwright.data.order import Order
    from langwright.data.packing import plan_pack
    from langwright.data.store import open_store
    from langwright.objectives.next_token import NextToken, RowExamples
    from langwright.training.feed import Feed

    prepare_machine()
    store = open_store(folder / "store")
    examples = RowExamples(store, plan_pack(store, LENGTH), PAD, stop_at_documents=True)
    feed = Feed(examples, Order(0, len(examples)), rows, rows)
    objective = lambda compiled: NextToken(compiled=compiled)  # noqa: E731
    by_the_loop(conductor, fresh_model(name), objective, feed, lambda step: step.positions - step.padding)


def tokenizer(size: int) -> Any:
    """A tokenizer that SFTTrainer asks for; the texts are tokens already."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    words = {"<pad>": PAD, "<end>": END} | {f"w{number}": number for number in range(2, size)}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(words, unk_token="<end>")), pad_token="<pad>", eos_token="<end>"
    )


def by_trl(name: str, folder: Path, conductor: Conductor, *, packed: bool) -> None:
    """TRL's SFTTrainer in bfloat16."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    model = fresh_model(name)
    model.set_attn_implementation("sdpa")
    size = model.config.vocab_size
    rows = [{"input_ids": ids, "completion_mask": [int(wanted) for wanted in learned(ids)]} for ids in texts(size)]
    counted: list[int] = []

    arguments = SFTConfig(
        output_dir=str(folder / "trl"), per_device_train_batch_size=8, max_steps=10**6, max_length=LENGTH, learning_rate=3e-4,
        packing=packed, bf16=True, use_cpu=True, save_strategy="no", report_to="none", disable_tqdm=True, logging_steps=1,
    )  # fmt: skip
    trainer = SFTTrainer(
        model=model, args=arguments, train_dataset=Dataset.from_list(rows), processing_class=tokenizer(size), callbacks=[turns(conductor, lambda: counted.pop(0))]
    )  # fmt: skip
    collate = trainer.data_collator

    def counting(examples: list[dict[str, Any]]) -> Any:
        counted.append(sum(len(example["input_ids"]) for example in examples))
        return collate(examples)

    trainer.data_collator = counting
    trainer.train()


CONTEST = Contest(
    module="benchmarks.finetuning",
    not_shown="GPUs, other processors, other lengths of texts; how good the models become",
    settings={"small": f"preset small, random weights; texts of log-normal lengths, mean {MEAN}, at most {LENGTH}"},
    prepare=prepare,
    ours={"langwright, 2 rows": partial(by_langwright, rows=2), "langwright, 8 rows": partial(by_langwright, rows=8)},
    peers={"SFTTrainer": partial(by_trl, packed=False), "SFTTrainer, packed": partial(by_trl, packed=True)},
)

if __name__ == "__main__":
    run(CONTEST, (__doc__ or "").splitlines()[0])
