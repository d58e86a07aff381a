"""Masked pre-training speed beside transformers' `Trainer` with its collator: the same model, weights, rows and masking.

    python -m benchmarks.masked [--rounds 5] [--only bert-small-16] [--steps 4] [--out report.json]

Rows are full, 15 % of their tokens are hidden 80/10/10. Ours is the library's own loop with the plan that a long
run would get; the head is computed at hidden tokens alone. Theirs is `Trainer` with DataCollatorForLanguageModeling,
bf16=True, with and without torch_compile=True, the rest as it comes. How turns are taken and counted:
benchmarks/contest.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.contest import Conductor, Contest, by_the_loop, prepare_machine, run, turns
from benchmarks.pretraining import write_rows

SETTINGS = {"bert-mini-16": ("bert-mini", 16, 256), "bert-small-16": ("bert-small", 16, 256)}  # preset, rows, length
PAD, FIRST, LAST, MASK = 0, 1, 2, 3


def prepare(name: str, folder: Path) -> None:
    """The rows of a setting."""
    from langwright.models.presets import PRESETS

    preset, rows, length = SETTINGS[name]
    write_rows(folder / "store", PRESETS[preset].vocab_size, 80 * rows * length)


def fresh_model(name: str) -> Any:
    """The model with random weights, the same for everyone."""
    from langwright.models.building import build_model
    from langwright.models.presets import PRESETS

    preset, _, length = SETTINGS[name]
    return build_model(PRESETS[preset], context=length, seed=1, head="masked")


def examples(name: str, folder: Path) -> Any:
    """The masked rows of the store."""
    from langwright.data.packing import plan_blocks
    from langwright.data.store import open_store
    from langwright.models.presets import PRESETS
    from langwright.objectives.masked import Marks, MaskedExamples
    from langwright.objectives.masking import Masking, ordinary_ids

    preset, _, length = SETTINGS[name]
    store = open_store(folder / "store")
    ordinary = ordinary_ids(PRESETS[preset].vocab_size, [PAD, FIRST, LAST, MASK])
    masking = Masking(0.15, 0.8, 0.1, MASK, ordinary)
    return MaskedExamples(store, plan_blocks(store, length - 2), Marks(FIRST, LAST, PAD), masking, None, False, True, 0)


def by_langwright(name: str, folder: Path, conductor: Conductor) -> None:
    """The library's own loop."""
    from langwright.data.order import Order
    from langwright.objectives.masked import Masked
    from langwright.training.feed import Feed

    _, rows, _ = SETTINGS[name]
    prepare_machine()
    read, model = examples(name, folder), fresh_model(name)
    feed = Feed(read, Order(0, len(read)), rows, rows)
    by_the_loop(conductor, model, lambda compiled: Masked(model, compiled=compiled), feed, lambda step: step.positions)


def by_trainer(name: str, folder: Path, conductor: Conductor, *, compiled: bool) -> None:
    """transformers' Trainer with its collator, in bfloat16."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast, Trainer, TrainingArguments

    from langwright.data.order import Order

    _, rows, length = SETTINGS[name]
    read = examples(name, folder)
    model = fresh_model(name)
    model.set_attn_implementation("sdpa")
    words = {"[PAD]": PAD, "[CLS]": FIRST, "[SEP]": LAST, "[MASK]": MASK} | {f"w{n}": n for n in range(4, model.config.vocab_size)}  # fmt: skip
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(words, unk_token="[PAD]")), pad_token="[PAD]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]",
    )  # fmt: skip
    order = Order(0, len(read))

    class Rows(torch.utils.data.IterableDataset):  # type: ignore[type-arg]
        def __iter__(self) -> Iterator[dict[str, list[int]]]:
            for position in range(10**9):
                sample = read.plan.row(read.store, order.at(position))
                yield {"input_ids": [FIRST, *sample.ids.tolist(), LAST]}

    arguments = TrainingArguments(
        output_dir=str(folder / "trainer"), per_device_train_batch_size=rows, max_steps=10**6, learning_rate=3e-4, bf16=True,
        torch_compile=compiled, use_cpu=True, save_strategy="no", report_to="none", disable_tqdm=True, logging_steps=1,
    )  # fmt: skip
    collate = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)
    Trainer(
        model=model,
        args=arguments,
        train_dataset=Rows(),
        data_collator=collate,
        callbacks=[turns(conductor, lambda: rows * length)],
    ).train()


CONTEST = Contest(
    module="benchmarks.masked",
    not_shown="GPUs, other processors, other sizes, rows with padding; how good the models become",
    settings={name: f"preset {p}, {r} rows of {n} tokens, random weights" for name, (p, r, n) in SETTINGS.items()},
    prepare=prepare,
    ours={"langwright": by_langwright},
    peers={"Trainer": partial(by_trainer, compiled=False), "Trainer, compiled": partial(by_trainer, compiled=True)},
)

if __name__ == "__main__":
    run(CONTEST, (__doc__ or "").splitlines()[0])
