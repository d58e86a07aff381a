"""Classifier-guided decoding: a token is as likely as the model finds it, times how likely the text then has an attribute.

Source    Yang & Klein 2021, arXiv:2104.05218 (FUDGE), equation 3: P(x_i | x_<i, a) ∝ P(a | x_1:i) P(x_i | x_<i), over
          the likeliest tokens alone (section 3.2: 200), with a classifier that was trained on beginnings of texts
Differs   the classifier is a transformer with a head, where theirs is an LSTM; a strength above 1 is a power of P(a | ·);
          the other tokens are put far below the candidates and not ruled out, in case a constraint rules out those
Shapes    V ids of the vocabulary    K candidates    C labels
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from langwright.errors import UserError, unknown

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

CANDIDATES = 50
BELOW = 1000.0  # nats


class Future(Protocol):
    """What tells whether a text will have an attribute. One serves one continuation at a time."""

    def logprobs(self, ids: Sequence[int], candidates_K: Tensor) -> Tensor:
        """Log-probability of the attribute behind these ids and each candidate, shape (K,)."""
        ...


class FutureOf(Protocol):
    """What makes one for each continuation."""

    def begin(self, model: PreTrainedModel, prompt: Sequence[int]) -> Future: ...


@dataclass(frozen=True)
class Towards:
    """`Guide` towards an attribute.

    strength    of the attribute; 1 is Bayes' rule
    candidates  likeliest tokens that are looked at; the others come only where a constraint rules these out
    """

    attribute: FutureOf
    strength: float = 1.0
    candidates: int = CANDIDATES

    def start(self, model: PreTrainedModel, prompt: Sequence[int]) -> TowardsGuidance:
        return TowardsGuidance(self, self.attribute.begin(model, prompt), tuple(prompt))


@dataclass(frozen=True)
class TowardsGuidance:
    """`Guidance` towards an attribute."""

    towards: Towards
    future: Future
    ids: tuple[int, ...]

    def steered(self, logits_V: Tensor) -> Tensor:
        """The logits of the candidates, each with what the text would be like behind it."""
        top = logits_V.topk(min(self.towards.candidates, len(logits_V)))
        told_K = self.future.logprobs(self.ids, top.indices)
        steered_V = logits_V - BELOW
        steered_V[top.indices] = top.values + self.towards.strength * told_K.to(logits_V)
        return steered_V

    def after(self, id: int) -> TowardsGuidance:
        """Behind a token."""
        return TowardsGuidance(self.towards, self.future, (*self.ids, id))


@dataclass(frozen=True)
class Labelled:
    """The attribute of having a label, by a decoder with a classification head and the same tokenizer.

    raises  UserError, when a continuation begins, for another kind of model or vocabulary, or an unknown label
    """

    classifier: PreTrainedModel
    label: str

    def begin(self, model: PreTrainedModel, prompt: Sequence[int]) -> LabelledFuture:
        from langwright.inference.scoring.likelihood import cache_or_none

        labels = [str(self.classifier.config.id2label[index]) for index in range(self.classifier.config.num_labels)]
        if self.label not in labels:
            raise unknown("label", self.label, labels)
        sizes = [one.get_input_embeddings().num_embeddings for one in (self.classifier, model)]
        if not hasattr(self.classifier, "score") or cache_or_none(self.classifier) is None or sizes[0] != sizes[1]:
            raise UserError(
                "this classifier cannot guide this model: it reads {found} tokens and is a {type}, the model reads {size}",
                fix="fine-tune one from the model itself: `langwright finetune MODEL DATASET OUT --task classification "
                "--set beginnings=true`",
                found=sizes[0],
                type=self.classifier.config.model_type,
                size=sizes[1],
            )
        return LabelledFuture(self.classifier, labels.index(self.label))


class LabelledFuture:
    """`Future` of a label. What was read stays in a cache, so that a candidate costs one position."""

    def __init__(self, classifier: PreTrainedModel, label: int) -> None:
        from langwright.inference.scoring.likelihood import cache_or_none

        self.classifier: Any = classifier
        self.label = label
        self._empty: Callable[[], Any] = partial(cache_or_none, classifier)
        self._cache, self._read = self._empty(), 0
        self._ids: list[int] = []

    def logprobs(self, ids: Sequence[int], candidates_K: Tensor) -> Tensor:
        """See `Future`."""
        import torch

        device = next(self.classifier.parameters()).device
        with torch.inference_mode():
            if self._ids != list(ids[: len(self._ids)]):
                self._cache, self._ids = self._empty(), []
            if fresh := list(ids[len(self._ids) :]):
                self._hidden(torch.tensor([fresh], device=device), self._cache)
                self._ids = list(ids)
            several = copy.deepcopy(self._cache)
            assert several is not None
            several.batch_repeat_interleave(len(candidates_K))
            hidden_KD = self._hidden(candidates_K.to(device)[:, None], several)
            told_KC: Tensor = self.classifier.score(hidden_KD).float().log_softmax(-1)
            return told_KC[:, self.label]

    def _hidden(self, ids_BT: Tensor, cache: object) -> Tensor:
        hidden_BTD: Tensor = self.classifier.base_model(
            input_ids=ids_BT, past_key_values=cache, use_cache=True
        ).last_hidden_state
        return hidden_BTD[:, -1]
