"""What pretraining and fine-tuning share: stores, samples as the model learns, measures of the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from langwright.data.schemas import Message
from langwright.files import sha256_of
from langwright.measures import Measure
from langwright.runlog import RunLog, Warned
from langwright.stages.declaration import Work
from langwright.wording import Term

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from langwright.data.dataset import Dataset
    from langwright.data.store import TokenStore
    from langwright.training.fit import Outcome, Plan
    from langwright.training.preflight import Piece

SAMPLE_TOKENS = 48


def tokenizer_digest(folder: Path) -> str:
    """A digest of a tokenizer's own files, in its artifact or beside a model."""
    names = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "vocab.txt")
    return "-".join(sha256_of(folder / name)[:16] for name in names if (folder / name).is_file())


def open_split(
    work: Work, dataset: Dataset, split: str, tokenizer: PreTrainedTokenizerBase, folder: Path, *, texts: bool
) -> TokenStore:
    """The token store of a split, from the workspace's cache or built now.

    folder  where the tokenizer lies
    texts   conversations as running text too
    """
    from langwright.data.documents import documents
    from langwright.data.store import cached_store, store_key
    from langwright.tokenizers.templates import template_sha256

    assert work.cache is not None  # the executor always gives one
    key = store_key(work.one("dataset").digest, tokenizer_digest(folder), template_sha256(tokenizer), split, texts)
    return cached_store(
        work.cache / "stores", key, lambda: documents(dataset, split, tokenizer, work.log, texts), len(tokenizer)
    )


def keep_documents_apart(model: PreTrainedModel, log: RunLog) -> bool:
    """Whether a model's attention stops at documents; said, where its family is not known to follow it."""
    from langwright.models.attention import FAMILIES

    if model.config.model_type not in FAMILIES:
        log.write(
            Warned(
                message="documents of a row see each other: attention that stops between them is not known to work for {family}",
                values={"family": model.config.model_type},
            )
        )
        return False
    return True


@dataclass(frozen=True)
class Samples:
    """Shows what a model says: greedy, so that two looks at the same weights show the same."""

    tokenizer: PreTrainedTokenizerBase
    prompts: tuple[str | tuple[Message, ...], ...]

    def __call__(self, model: nn.Module) -> Iterable[tuple[str, str]]:
        """(prompt, continuation) pairs."""
        return list(self.read(model))

    def read(self, model: nn.Module) -> Iterator[tuple[str, str]]:
        """One pair at a time; the engine is closed at the end."""
        from langwright.inference.engine import TorchEngine
        from langwright.inference.protocol import Sampling
        from langwright.inference.texts.text import TextModel

        engine = TorchEngine(model)
        try:
            text_model = TextModel(engine, self.tokenizer, "now")
            for prompt in self.prompts:
                ids = text_model.tokenize(prompt) if isinstance(prompt, str) else text_model.render(prompt)
                if not 0 < len(ids) < text_model.context:
                    continue  # nothing of it fits the model
                said = text_model.complete(prompt, Sampling(max_new_tokens=SAMPLE_TOKENS))
                shown = prompt if isinstance(prompt, str) else prompt[-1].content
                yield shown, said.text
        finally:
            engine.close()


@dataclass(frozen=True)
class Rewritten:
    """Shows what an encoder-decoder writes of some texts: greedy, as in `Samples`."""

    tokenizer: PreTrainedTokenizerBase
    texts: tuple[str, ...]

    def __call__(self, model: nn.Module) -> Iterable[tuple[str, str]]:
        """(text, what is written) pairs."""
        import torch

        found = []
        for text in self.texts:
            given = ended(self.tokenizer(text)["input_ids"], self.tokenizer.eos_token_id)
            if len(given) > (getattr(model.config, "max_position_embeddings", None) or len(given)):
                continue  # the model cannot read all of it
            ids_BS = torch.tensor([given], device=next(model.parameters()).device)
            with torch.no_grad():
                ids = model.generate(  # type: ignore[operator]
                    input_ids=ids_BS,
                    attention_mask=torch.ones_like(ids_BS),
                    max_new_tokens=SAMPLE_TOKENS,
                    do_sample=False,
                )
            found.append((text, self.tokenizer.decode(ids[0], skip_special_tokens=True)))
        return found


def pieces_of_pair(tokenizer: PreTrainedTokenizerBase, read: Sequence[int], told: Sequence[int]) -> tuple[Piece, ...]:
    """What an encoder reads and what its decoder is to write, as text."""
    from langwright.training.preflight import Piece

    return (
        Piece(text=tokenizer.decode(list(read)), supervised=False),
        Piece(text=tokenizer.decode(list(told)), supervised=True),
    )


def ended(ids: list[int], end: int) -> list[int]:
    """The ids with the token that ends a text behind them, once."""
    return ids if ids and ids[-1] == end else [*ids, end]


def beginnings(dataset: Dataset, split: str, count: int = 2) -> tuple[str, ...]:
    """The first words of some rows of a split, of different languages where there are some, as prompts."""
    from itertools import islice

    found: dict[str, str] = {}
    for row in islice(dataset.rows(split), 500):
        text = getattr(row, "text", "").strip()
        if len(text) >= 40 and row.language not in found:
            found[row.language] = text[:8] if row.language == "zh" else text[:24].rsplit(" ", 1)[0]
        if len(found) == count:
            break
    return tuple(found.values())


def training_flops(model: PreTrainedModel, length: int, tokens: int, predicted: float = 1.0) -> float:
    """Floating-point operations of a run over this many positions, a share of which are predicted."""
    from langwright.models.sizes import estimate

    return float(estimate(model.config, length=length, predicted=predicted).flops_per_token * tokens)


METRICS: dict[str, tuple[str, str, Literal["lower", "higher", "neither"]]] = {
    "bits_per_byte": (Term("bits per byte"), "bits/byte", "lower"),
    "bits_per_masked_token": (Term("bits per masked token"), "bits/token", "lower"),
    "accuracy": (Term("accuracy"), "share", "higher"),
    "masked_loss": (Term("masked loss"), "nats/token", "lower"),
    "pair_loss": (Term("pair loss"), "nats/pair", "lower"),
    "pair_accuracy": (Term("pair accuracy"), "share", "higher"),
    "generator_loss": (Term("generator loss"), "nats/token", "lower"),
    "detection_loss": (Term("detection loss"), "nats/token", "lower"),
    "detection_accuracy": (Term("detection accuracy"), "share", "higher"),
}
"""What objectives say beside their loss: in words, its unit, and which way is good. Others are in nats a unit."""


def run_measures(outcome: Outcome, plan: Plan, flops: float, data: str, command: str, seed: int) -> tuple[Measure, ...]:
    """What a run says about itself in its card: losses and cost."""
    from langwright.metrics import MEASURES
    from langwright.training.cost import cost_measures
    from langwright.training.devices import matrix_rate, peak_memory_bytes

    progress = outcome.progress
    one_run = "one run with one seed; another seed would give somewhat another number"
    found: list[Measure] = []
    if outcome.train_loss is not None:  # a run that only had to be finished made no update of its own
        found.append(
            Measure(
                name="training loss", value=outcome.train_loss, unit="nats/unit", better="lower", n=progress.tokens, data=data,
                method="mean over the last tenth of the updates", seed=seed, command=command, does_not_show=one_run,
            )
        )  # fmt: skip
    found += [
        Measure(name="training time", value=progress.seconds, unit="s", better="lower", n=progress.step,
                method="sum over updates; evaluation, samples, saving and pauses left out", command=command),
        Measure(name="tokens trained on", value=float(progress.tokens), unit="tokens", n=progress.step,
                method="positions computed, padding included", command=command),
        Measure(name="training speed", value=progress.tokens / max(progress.seconds, 1e-9), unit="tokens/s", better="higher",
                n=progress.step, method="tokens trained on over training time", command=command,
                does_not_show="the speed of another machine, or of this one when it is busy"),
        Measure(name="training compute", value=flops, unit="FLOP", n=progress.tokens, command=command,
                method="three times the forward pass's matrix products, counted from the model's shape"),
        Measure(name="peak memory", value=float(peak_memory_bytes(plan.device)), unit="bytes", better="lower", n=1,
                method="largest resident size of the process, or allocated on the GPU", command=command),
        *cost_measures(outcome.spent, flops=flops, rate=matrix_rate(plan.dtype, plan.device.partition(":")[0]),
                       dtype=plan.dtype, updates=progress.step, command=command),
    ]  # fmt: skip
    if "gradient noise scale" in outcome.measured:
        found.append(
            Measure(
                name="gradient noise scale", value=outcome.measured["gradient noise scale"], unit="units", n=progress.step, data=data,
                method="running means of the noise over the squared gradient, at the last update (McCandlish et al. 2018, appendix A.1)",
                seed=seed, command=command,
                does_not_show="the best batch size: about the one beyond which more rows an update save few updates, here and at this stage of the run",
            )
        )  # fmt: skip
    if outcome.plan.processes > 1:
        manners = {
            "ddp": "training together, each with the whole model",
            "fsdp": "training together, each with a part of it",
        }
        found.append(
            Measure(name="processes", value=float(outcome.plan.processes), unit="processes", n=progress.step,
                    method=manners[outcome.plan.strategy], command=command,
                    does_not_show="memory and energy of the others: those given here are of the first one")
        )  # fmt: skip
    for name, value in outcome.validation.items():
        judged = MEASURES.get(name)
        words, unit, better = METRICS.get(name, (name.replace("_", " "), "nats/unit", "lower"))
        if judged:
            unit, better = judged.unit, judged.better
        found.append(
            Measure(
                name=f"validation {words}",
                value=value,
                unit=unit,
                better=better,
                data=data,
                method="over the validation rows that the training curve uses, at the last update",
                seed=seed,
                command=command,
                does_not_show="the whole split; `langwright evaluate` measures that, with an interval",
            )
        )
    return tuple(found)


def chat_prompts(dataset: Dataset, split: str, count: int = 2) -> tuple[tuple[Message, ...], ...]:
    """The opening of some conversations, of different languages where there are some."""
    from itertools import islice

    from langwright.data.schemas import ChatRow

    found: dict[str, tuple[Message, ...]] = {}
    for row in islice(dataset.rows(split), 500):
        if isinstance(row, ChatRow) and row.language not in found:
            opening = upto_first_user(row.messages)
            if opening:
                found[row.language] = opening
        if len(found) == count:
            break
    return tuple(found.values())


def upto_first_user(messages: Sequence[Message]) -> tuple[Message, ...]:
    """A conversation up to and including the first thing a person says."""
    for number, message in enumerate(messages):
        if message.role == "user":
            return tuple(messages[: number + 1])
    return ()
