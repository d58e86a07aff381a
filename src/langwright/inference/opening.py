"""Opening a model that reads and writes: an artifact of ours, or any Hugging Face folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from langwright.artifacts import Artifact, open_artifact
from langwright.inference.engine import TorchEngine
from langwright.inference.precision import Numbers, Preparation
from langwright.inference.protocol import Speculation
from langwright.inference.texts.text import TextModel
from langwright.models.adapters import named_adapter, opened
from langwright.models.heads import Head
from langwright.models.loading import load_model, read_config
from langwright.models.stretching import Stretch
from langwright.tokenizers.loading import load_tokenizer
from langwright.training.devices import choose_device

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from langwright.inference.protocol import Watermark


def open_text_model(
    path: Path,
    *,
    max_batch: int = 8,
    max_tokens: int | None = None,
    context: int | None = None,
    numbers: Numbers = Numbers(),
    device: str = "auto",
    name: str | None = None,
    adapter: str | None = None,
    speculation: Speculation | None = None,
    draft: Path | None = None,
    stretch: Stretch | None = None,
) -> TextModel:
    """A model with its tokenizer and an engine of its own; close it when it is no longer needed.

    The texts it writes end at the tokenizer's end token, at its template's end of turn, and at whatever
    the model's own `generation_config.json` names. Where the card says that writing was learned by an
    adapter, or one is asked for, it is merged in memory, or works beside the model where it cannot be.

    max_batch   most continuations made at the same time; max_tokens, context: see `TorchEngine`
    numbers     what it computes in; float32 when left out
    device      auto takes a GPU where there is one, else the CPU
    name        what it is called in answers; the folder's name when left out
    adapter     name of one of the model's adapters; the one its card names when left out, none when ""
    speculation guess several tokens at a time; draft: folder of the smaller model that guesses, where one does
    stretch     scales its rotary positions for a longer context
    raises      UserError when the folder is no model, or cannot be read
    """
    artifact = open_artifact(path, "model")
    tokenizer = load_tokenizer(path)
    model = read_model(artifact, adapter, stretch).to(choose_device(device))
    preparation = Preparation(numbers.precision, numbers.strict, keep=False)  # nobody else has the model
    engine = TorchEngine(
        model,
        max_batch=max_batch,
        max_tokens=max_tokens,
        context=context,
        preparation=preparation,
        speculation=speculation,
        draft=None if draft is None else read_model(open_artifact(draft, "model")).to(model.device),
    )
    return TextModel(engine, tokenizer, name or path.resolve().name, stop_ids=named_ends(model), kind=engine.kind)


def named_ends(model: PreTrainedModel) -> frozenset[int]:
    """The end tokens that the model's generation settings name."""
    ends = model.generation_config.eos_token_id if model.generation_config is not None else None
    if ends is None:
        return frozenset()
    return frozenset(ends if isinstance(ends, list) else [ends])


def read_model(artifact: Artifact, adapter: str | None = None, stretch: Stretch | None = None) -> PreTrainedModel:
    """The weights of an artifact, with an adapter at work: the one asked for, else the one its card names for writing."""
    abilities = artifact.card.abilities if artifact.card else ()
    learned = [ability.adapter for ability in abilities if ability.solver == "generation" and ability.adapter]
    name = (learned[0] if learned else None) if adapter is None else adapter
    head = head_of(artifact.path)
    if not name:
        return load_model(artifact.path, head, stretch=stretch)
    return opened(load_model(artifact.path, head, stretch=stretch), named_adapter(artifact.path, name))


def head_of(path: Path) -> Head:
    """What a model folder that writes is opened as."""
    return "seq2seq" if read_config(path).is_encoder_decoder else "causal"


def open_served(path: Path, log: Path, watermark: Watermark | None = None) -> TextModel:
    """A model with its tokenizer, and vLLM's server of it as the engine; closing the one ends the other.

    log     what vLLM says
    raises  UserError when vLLM is not installed or does not start, NotOffered for a watermark
    """
    from langwright.inference.remote.served import start_vllm
    from langwright.inference.remote.wire import not_offered

    if watermark is not None:
        raise not_offered(path.name, "mark what it writes")
    tokenizer = load_tokenizer(path)
    engine = start_vllm(path, log)
    return TextModel(engine, tokenizer, path.resolve().name)
