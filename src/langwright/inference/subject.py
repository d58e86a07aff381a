"""The model an engine works with, and what the engine needs to know of it."""

from __future__ import annotations

import inspect

from transformers import PretrainedConfig, PreTrainedModel

from langwright.errors import UserError
from langwright.inference.kernels.preparing import Prepared, Report, prepared
from langwright.inference.precision import Preparation
from langwright.models.adapters import virtual_tokens


class Subject:
    """A model in evaluation mode. `begin` makes it ready, `release` gives it back as it was."""

    def __init__(
        self, model: PreTrainedModel, context: int | None = None, preparation: Preparation = Preparation()
    ) -> None:
        """context: where the model's own limit is not wanted or not known."""
        self.model: PreTrainedModel = getattr(model, "_orig_mod", model)  # compiled: shapes change at every step here
        self.context = (context or context_of(self.model.config)) - virtual_tokens(self.model)
        self.vocab_size = int(self.model.get_input_embeddings().num_embeddings)
        self.unable = why_unable(self.model)
        self.preparation = preparation
        self.report: Report | None = None  # what was done to the model, once it is ready
        self._prepared: Prepared | None = None
        self._was_training = self.model.training
        self.model.eval()

    def begin(self) -> None:
        """Make the model ready; once more after its weights were changed."""
        self._give_back()
        self._prepared = prepared(self.model, self.preparation)
        self.report = self._prepared.report

    def refuse_unable(self) -> None:
        """UserError when this model cannot continue a text."""
        if self.unable is not None:
            raise self.unable

    def release(self) -> None:
        """Put the model back into the state and the mode it came in."""
        self._give_back()
        self.model.train(self._was_training)

    def _give_back(self) -> None:
        if self._prepared is not None:
            self._prepared.release()
            self._prepared = None


def why_unable(model: PreTrainedModel) -> UserError | None:
    """Why a model cannot continue a text in this engine, or None when it can."""
    config = model.config
    if config.is_encoder_decoder or not model.can_generate():
        return UserError(
            "models of type {type} do not continue a text",
            fix="use a causal language model, such as Llama, Qwen, Mistral, Gemma or GPT-2",
            type=config.model_type,
        )
    return None


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
