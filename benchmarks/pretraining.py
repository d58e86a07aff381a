"""Pre-training speed beside transformers' `Trainer`: the same model, weights, rows and batch.

    python -m benchmarks.pretraining [--rounds 5] [--only small-8 base-4] [--steps 4] [--out report.json]

Ours is the library's own loop with the plan that a long run would get: uncompiled modules of transformers,
attention "langwright", autocast where bfloat16 is faster, torch.compile, fused AdamW, clipping. Theirs is
`Trainer` with bf16=True, with and without torch_compile=True, the rest as it comes, and loops written by hand
(benchmarks/hand). How turns are taken and counted: benchmarks/contest.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contest import Conductor, Contest, Contestant, by_the_loop, prepare_machine, run, turns
from benchmarks.hand import HAS_FAST, HAS_LITGPT, Loss, around_fast, around_litgpt, around_transformers, train_by_hand

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from langwright.objectives.next_token import RowExamples

DOCUMENT_TOKENS = 400  # mean
PAD = 0


@dataclass(frozen=True)
class Setting:
    """What is trained."""

    preset: str
    rows: int  # of an update
    length: int

    @property
    def name(self) -> str:
        return f"{self.preset}-{self.rows}"

    @property
    def words(self) -> str:
        return f"preset {self.preset}, {self.rows} rows of {self.length} tokens, random weights"


SETTINGS = {
    s.name: s
    for s in (
        Setting("small", 8, 512),
        Setting("small", 16, 512),
        Setting("gpt2-small", 8, 512),
        Setting("qwen3-small", 8, 512),
        Setting("base", 4, 1024),
    )
}


def fresh_model(setting: Setting) -> PreTrainedModel:
    """The model with random weights, the same for everyone."""
    from transformers import Qwen3Config

    from langwright.models.building import build_model
    from langwright.models.presets import PRESETS

    if setting.preset != "qwen3-small":
        return build_model(PRESETS[setting.preset], context=setting.length, seed=1)
    shape = PRESETS["small"]
    config = Qwen3Config(
        vocab_size=shape.vocab_size, hidden_size=shape.hidden_size, intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.num_hidden_layers, num_attention_heads=shape.num_attention_heads,
        num_key_value_heads=shape.num_attention_heads // 2, head_dim=shape.head_dim, tie_word_embeddings=True,
        max_position_embeddings=setting.length, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    return build_model(config, seed=1)


def flops_of(setting: Setting) -> float:
    """Floating-point operations of a trained token."""
    from langwright.models.sizes import estimate

    return float(estimate(fresh_model(setting).config, setting.length).flops_per_token)


# --- the rows --------------------------------------------------------------------------------------


def write_rows(folder: Path, vocab_size: int, count: int) -> None:
    """A store of documents whose tokens are drawn by Zipf's law, which is how tokens of text are spread."""
    from langwright.data.store import Document, build_store

    draw = random.Random(0)
    weights = [1 / rank for rank in range(1, vocab_size)]

    def documents() -> Iterator[Document]:
        left = count
        while left > 0:
            length = min(left, max(2, int(draw.expovariate(1 / DOCUMENT_TOKENS))))
            left -= length
            yield Document(draw.choices(range(1, vocab_size), weights, k=length), None, length)

    build_store(folder, documents(), vocab_size)


def prepare(name: str, folder: Path) -> None:
    """The rows of a setting."""
    from langwright.models.presets import PRESETS

    setting = SETTINGS[name]
    shape = PRESETS[setting.preset.replace("qwen3-", "")]
    write_rows(folder / "store", shape.vocab_size, 80 * setting.rows * setting.length)


def open_rows(folder: Path, length: int, *, stop_at_documents: bool) -> RowExamples:
    """The store as rows of a stream."""
    from langwright.data.packing import plan_stream
    from langwright.data.store import open_store
    from langwright.objectives.next_token import RowExamples

    store = open_store(folder / "store")
    return RowExamples(store, plan_stream(store, length), PAD, stop_at_documents)


# --- contestants: each makes updates when it is told to ----------------------------------------------


def by_langwright(name: str, folder: Path, conductor: Conductor, *, stop_at_documents: bool = False) -> None:
    """The library's own loop."""
    from langwright.data.order import Order
    from langwright.objectives.next_token import NextToken
    from langwright.training.feed import Feed

    setting = SETTINGS[name]
    prepare_machine()
    examples = open_rows(folder, setting.length, stop_at_documents=stop_at_documents)
    feed = Feed(examples, Order(0, len(examples)), setting.rows, setting.rows)
    by_the_loop(
        conductor,
        fresh_model(setting),
        lambda compiled: NextToken(compiled=compiled),
        feed,
        lambda step: step.positions,
    )


def by_trainer(name: str, folder: Path, conductor: Conductor, *, compiled: bool) -> None:
    """transformers' Trainer in bfloat16."""
    import torch
    from transformers import Trainer, TrainingArguments

    from langwright.data.order import Order
    from langwright.training.feed import Feed

    setting = SETTINGS[name]
    examples = open_rows(folder, setting.length, stop_at_documents=False)
    feed = Feed(examples, Order(0, len(examples)), setting.rows, setting.rows)
    model = fresh_model(setting)
    model.set_attn_implementation("sdpa")

    class Rows(torch.utils.data.IterableDataset):  # type: ignore[type-arg]
        def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
            for (batch,) in feed.updates(0):
                for tokens_T in batch.tokens_BT:  # type: ignore[attr-defined]
                    yield {"input_ids": tokens_T, "labels": tokens_T.clone()}

    arguments = TrainingArguments(
        output_dir=str(folder / "trainer"), per_device_train_batch_size=setting.rows, max_steps=10**6, learning_rate=3e-4,
        bf16=True, torch_compile=compiled, use_cpu=True, save_strategy="no", report_to="none", disable_tqdm=True, logging_steps=1,
    )  # fmt: skip
    Trainer(
        model=model,
        args=arguments,
        train_dataset=Rows(),
        callbacks=[turns(conductor, lambda: setting.rows * setting.length)],
    ).train()


def by_hand(name: str, folder: Path, conductor: Conductor, *, around: Callable[[Any], tuple[Any, Loss]]) -> None:
    """A loop written by hand, with the same settings of the machine as ours."""
    from langwright.data.order import Order
    from langwright.training.feed import Feed

    setting = SETTINGS[name]
    prepare_machine()
    examples = open_rows(folder, setting.length, stop_at_documents=False)
    feed = Feed(examples, Order(0, len(examples)), setting.rows, setting.rows)
    train_by_hand(conductor, *around(fresh_model(setting)), feed)


PEERS: dict[str, Contestant] = {
    "Trainer": partial(by_trainer, compiled=False),
    "Trainer, compiled": partial(by_trainer, compiled=True),
    "by hand, compiled": partial(by_hand, around=around_transformers),
}
if HAS_LITGPT:
    PEERS["litgpt, compiled"] = partial(by_hand, around=around_litgpt)
if HAS_FAST:
    PEERS["by hand, a model written for speed"] = partial(by_hand, around=around_fast)


def of_llamas_alone(name: str) -> frozenset[str]:
    """Contestants that are written for the shape of Llama, where the model has another."""
    another = SETTINGS[name].preset in ("gpt2-small", "qwen3-small")
    return frozenset({"litgpt, compiled", "by hand, a model written for speed"} if another else ())


CONTEST = Contest(
    module="benchmarks.pretraining",
    not_shown="GPUs, other processors, other sizes; how good the models become (both learn from the same rows)",
    settings={name: setting.words for name, setting in SETTINGS.items()},
    prepare=prepare,
    ours={
        "langwright": by_langwright,
        "langwright, attention inside documents": partial(by_langwright, stop_at_documents=True),
    },
    peers=PEERS,
    flops=lambda name: flops_of(SETTINGS[name]),
    lacking=of_llamas_alone,
)

if __name__ == "__main__":
    run(CONTEST, (__doc__ or "").splitlines()[0])
