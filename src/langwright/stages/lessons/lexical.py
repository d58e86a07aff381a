"""A classification head that is told of words: what is known, what the weights begin with, how much each part counts in the end."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from langwright.data.lexicon_settings import Runs
from langwright.errors import UserError
from langwright.runlog import Chosen
from langwright.stages.declaration import Work

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn
    from transformers import PreTrainedModel

    from langwright.data.encoder import Encoder
    from langwright.data.lexicon import Lexicon, Terms

    Floats = NDArray[np.float32]

ROUNDS = 200  # of the logistic regression, which is a beginning only


def told_of_words(
    work: Work, model: PreTrainedModel, encoder: Encoder, texts: Sequence[str], right_NC: Floats, *, several: bool
) -> Encoder:
    """The encoder that goes with the model, which is told of words from now on where the settings say so.

    texts     training texts
    right_NC  1 for each label that holds
    several   whether a text may have several labels
    raises    UserError when no run of words stands in enough texts
    """
    import torch

    from langwright.data.lexicon import fit_lexicon
    from langwright.models.lexical import LexicalHead, add_lexical

    settings = work.settings.lexical
    if not isinstance(settings, Runs):
        return encoder
    lexicon = fit_lexicon(texts, settings)
    if not len(lexicon.keys):
        raise UserError(
            "no run of words stands in {fewest} training texts",
            fix="lower lexical.fewest, or leave lexical out",
            fewest=settings.fewest,
        )
    weight_FC, bias_C = regressed([lexicon.terms(text) for text in texts], right_NC, lexicon, settings, several=several)
    head = LexicalHead(*weight_FC.shape, words=settings.words, letters=settings.letters, hidden=settings.hidden)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight_FC))
        head.bias.copy_(torch.from_numpy(bias_C))
        head.keys.copy_(torch.from_numpy(lexicon.keys))
        head.idf.copy_(torch.from_numpy(lexicon.idf))
    add_lexical(model, head)
    work.log.write(Chosen(message="{count} runs of words are known to the head", values={"count": len(lexicon.keys)}))
    return replace(encoder, lexicon=lexicon)


def regressed(
    terms: Sequence[Terms], right_NC: Floats, lexicon: Lexicon, settings: Runs, *, several: bool
) -> tuple[Floats, Floats]:
    """Weights (F, C) and bias (C,) of a logistic regression on training texts; of labels each by itself where there are several."""
    import numpy as np
    from scipy.sparse import csr_matrix
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    ends = np.cumsum([0, *(len(one.places) for one in terms)])
    places, weights = (np.concatenate([one[part] for one in terms]) for part in (0, 1))
    seen_NF = csr_matrix((weights, places, ends), shape=(len(terms), len(lexicon.keys)))
    size = right_NC.shape[1]
    weight_FC, bias_C = np.zeros((len(lexicon.keys), size), np.float32), np.zeros(size, np.float32)

    def fitted(right_N: NDArray[Any]) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the run goes on from here
            return LogisticRegression(C=settings.strength, max_iter=ROUNDS).fit(seen_NF, right_N)

    if several:
        for label in range(size):
            if 0 < right_NC[:, label].sum() < len(terms):
                found = fitted(right_NC[:, label])
                weight_FC[:, label], bias_C[label] = found.coef_[0], found.intercept_[0]
        return weight_FC, bias_C
    found = fitted(right_NC.argmax(1))
    if size == 2:  # one row of weights, for the second label against the first
        halves = np.array([-0.5, 0.5], np.float32)
        return np.outer(found.coef_[0], halves).astype(np.float32), (found.intercept_[0] * halves).astype(np.float32)
    return np.ascontiguousarray(found.coef_.T, np.float32), found.intercept_.astype(np.float32)


def weigh_parts(
    work: Work, encoder: Encoder, texts: Sequence[str], right_NC: Floats, several: bool, model: nn.Module
) -> None:
    """Fit on held-out rows what the model's logits and the words' are multiplied with, by cross-entropy, and keep it.

    Nothing where the head is not told of words. Neither part can count against itself.
    """
    import torch

    from langwright.models.lexical import lexical_of
    from langwright.objectives.losses import binary_cross_entropy, cross_entropy
    from langwright.objectives.texts import laid
    from langwright.tasks.front.headed import Headed

    head = lexical_of(model)
    if head is None or encoder.lexicon is None:
        return
    model.eval()
    both_BC = torch.from_numpy(Headed(model, encoder).logits(texts, 32)).double()
    with torch.no_grad():
        parts = [head.said(*laid([encoder.lexicon.terms(text)])) for text in texts]
    words_BC = torch.cat(parts).cpu().double()
    parts_2BC = torch.stack([both_BC - words_BC, words_BC])
    right_BC = torch.from_numpy(right_NC)
    logs_2 = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([logs_2], max_iter=100, line_search_fn="strong_wolfe")

    def lost() -> torch.Tensor:
        search.zero_grad()
        logits_BC = torch.einsum("p,pbc->bc", logs_2.exp(), parts_2BC)
        loss = binary_cross_entropy(logits_BC, right_BC) if several else cross_entropy(logits_BC, right_BC.argmax(1))
        total = loss.mean() + 0.5 * logs_2.square().sum() / len(texts)  # few rows tell little: shares stay near 1
        total.backward()  # type: ignore[no-untyped-call]
        return total

    search.step(lost)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        head.shares.copy_(logs_2.exp())
    deep, wide = (round(float(share), 3) for share in head.shares)
    work.log.write(
        Chosen(
            message="on {rows} held-out rows the model's own logits count {model} times and those of its words {words} times",
            values={"rows": len(texts), "model": deep, "words": wide},
        )
    )
