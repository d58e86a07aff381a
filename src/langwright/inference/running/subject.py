"""The model an engine works with, and what the engine needs to know of it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from transformers import PretrainedConfig, PreTrainedModel

from langwright.errors import UserError
from langwright.inference.kernels.preparing import Report
from langwright.inference.precision import Preparation
from langwright.inference.protocol import Kind
from langwright.inference.running.custody import Turns, custody_of
from langwright.inference.running.lora import Adapters
from langwright.models.adapters import virtual_tokens


@dataclass(frozen=True)
class Beginning:
    """What a decoder begins with and never writes, as the model's generation settings say.

    start      ids that the decoder reads first
    forced     how many of them, at the end, belong to what is written: the first token, where it is forced
    ends       whether an end token takes the last place of a text that reaches its limit
    forbidden  ids that are never written
    """

    start: tuple[int, ...]
    forced: int
    ends: bool
    forbidden: tuple[int, ...]

    @property
    def silent(self) -> tuple[int, ...]:
        """What it begins with without what belongs to the text."""
        return self.start[: len(self.start) - self.forced]


class Subject:
    """A model in evaluation mode. `begin` makes it ready, `release` gives it back as it was; for who has the turn."""

    def __init__(
        self, model: PreTrainedModel, context: int | None = None, preparation: Preparation = Preparation()
    ) -> None:
        """context: where the model's own limit is not wanted or not known."""
        self.model: PreTrainedModel = getattr(model, "_orig_mod", model)  # compiled: shapes change at every step here
        self.context = (context or context_of(self.model.config)) - virtual_tokens(self.model)
        self.vocab_size = int(self.model.get_input_embeddings().num_embeddings)
        self.kind = kind_of(self.model)
        self.unable = why_unable(self.model, self.kind)
        self.beginning: Beginning | None = (
            beginning_of(self.model) if self.kind == "rewrites" and self.unable is None else None
        )
        self.preparation = preparation
        self.report: Report | None = None  # what was done to the model, once it is ready
        self.custody = custody_of(self.model)
        self.adapters = Adapters(self.model, preparation.strict)
        self._was_training = self.model.training
        self.model.eval()

    @property
    def turns(self) -> Turns:
        """Whoever runs the model, or changes what it is made of, has the turn."""
        return self.custody.turns

    def check(self) -> None:
        """UserError where another engine works with the model in other numbers."""
        self.custody.check(self, self.preparation)

    def begin(self) -> None:
        """Make the model ready, or share what was made of it."""
        self.report = self.custody.take(self, self.model, self.preparation, self._was_training)

    def renew(self) -> None:
        """Forget adapters and what was made of the weights, which were changed.

        raises  UserError where another engine shares what was made of them
        """
        if self.preparation.changes and self.custody.others(self):
            raise UserError(
                "the model is at work in another engine, with what was made of its weights",
                fix="close that engine before they change",
            )
        self.adapters.release()
        self.custody.put_back()
        self.adapters = Adapters(self.model, self.preparation.strict)

    @property
    def begun(self) -> tuple[int, ...] | None:
        """What a decoder begins with before it writes; None where the prompt is what it begins with."""
        return None if self.beginning is None else self.beginning.silent

    @property
    def positions(self) -> int:
        """Most positions that one request may take."""
        return self.context if self.beginning is None else 2 * self.context

    def refuse_unable(self) -> None:
        """UserError when this model cannot continue a text."""
        if self.unable is not None:
            raise self.unable

    def release(self) -> None:
        """Put the model back into the state and the mode it came in."""
        self.adapters.release()
        self.custody.leave(self, self.model)


def kind_of(model: PreTrainedModel) -> Kind:
    """What a model does with a text."""
    if model.config.is_encoder_decoder:
        return "rewrites"
    return "continues" if model.can_generate() else "reads"


def why_unable(model: PreTrainedModel, kind: Kind) -> UserError | None:
    """Why a model cannot write in this engine, or None when it can."""
    if not model.can_generate():
        return UserError(
            "models of type {type} do not write: they read",
            fix="use a causal language model, such as Llama, Qwen, Mistral, Gemma or GPT-2, or an encoder-decoder, "
            "such as T5 or BART",
            type=model.config.model_type,
        )
    if kind == "rewrites" and virtual_tokens(model):
        return UserError(
            "a prefix or prompt before an encoder-decoder cannot be used in writing here",
            fix="teach it with --method lora instead",
        )
    return None


def beginning_of(model: PreTrainedModel) -> Beginning:
    """Read the generation settings of an encoder-decoder.

    raises  UserError when they do not say what its decoder begins with
    """
    told = model.generation_config
    named = (told.decoder_start_token_id, getattr(model.config, "decoder_start_token_id", None), told.bos_token_id)
    start = next((id for id in named if isinstance(id, int)), None)
    if start is None:
        raise UserError(
            "the model's settings do not say which token its decoder begins with",
            fix="name it in generation_config.json: decoder_start_token_id",
        )
    forced = () if told.forced_bos_token_id is None else (int(told.forced_bos_token_id),)
    alone = [words[0] for words in told.bad_words_ids or () if len(words) == 1]
    forbidden = (*alone, *(told.suppress_tokens or ()))
    return Beginning((start, *forced), len(forced), told.forced_eos_token_id is not None, forbidden)


def pad_of(model: PreTrainedModel) -> int:
    """The token that stands where a row of a batch has none; 0 where a model names none of its own."""
    settings = (getattr(model, "generation_config", None), model.config)
    told = (getattr(where, "pad_token_id", None) for where in settings)
    known = range(int(model.get_input_embeddings().num_embeddings))
    return next((id for id in told if isinstance(id, int) and id in known), 0)


def context_of(config: PretrainedConfig) -> int:
    """The positions a model was made for; UserError where its config does not say."""
    text = config.get_text_config()
    for name in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"):
        found = getattr(text, name, None)
        if isinstance(found, int) and found > 0:
            return found
    raise UserError(
        "the model's config does not say how long its context is",
        fix="give it: context=2048, or whatever the model was trained with",
    )


def arguments_of(model: PreTrainedModel) -> frozenset[str]:
    """Names of the arguments a model's forward pass knows; of the model inside, where adapters wrap it."""
    inside = getattr(model, "get_base_model", lambda: model)()  # peft's
    return frozenset(inspect.signature(inside.forward).parameters)
