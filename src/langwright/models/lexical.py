"""What the words of a text say of its labels, beside what a model says: a weight for each known run and label.

Source    Cheng et al. 2016, arXiv:1606.07792, section 3.3: the outputs of a wide and of a deep part are added, and both
          learn together from one loss
          Neverova et al. 2016, arXiv:1501.00102 (ModDrop: a part is hidden from some examples, so that
          the other does not rely on it)
          Wolpert 1992, Neural Networks 5:241 (stacked generalisation): how much each part counts is fitted on held-out rows
Differs   the wide part begins at the weights of a logistic regression and not at 0, and is trained on by the optimizer
          of the run
Shapes    B texts    K runs of a text    F known runs    C labels
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from langwright.data.lexicon import Lexicon

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAME = "lexical"  # of the module in a model and of its entry in the config, so of its weights in the file


class LexicalHead(nn.Module):
    """Adds what the words say to a model's logits."""

    def __init__(self, known: int, labels: int, *, words: int, letters: int, hidden: float) -> None:
        super().__init__()
        self.words, self.letters, self.hidden = words, letters, hidden
        self.weight = nn.Parameter(torch.zeros(known, labels))
        self.bias = nn.Parameter(torch.zeros(labels))
        self.register_buffer("keys", torch.zeros(known, dtype=torch.int64))
        self.register_buffer("idf", torch.zeros(known))
        self.register_buffer("shares", torch.ones(2))
        self.keys: Tensor
        self.idf: Tensor
        self.shares: Tensor  # what the model's logits and the words' are multiplied with

    def forward(self, logits_BC: Tensor, places_BK: Tensor, weights_BK: Tensor) -> Tensor:
        """Shape (B, C), float32; in training, the model's own logits for the share of texts whose words are hidden.

        places_BK   int64
        weights_BK  0 where a text has no further runs
        """
        said_BC = self.said(places_BK, weights_BK)
        if self.training and self.hidden:
            seen_B1 = torch.rand(len(said_BC), 1, device=said_BC.device) >= self.hidden
            said_BC = said_BC * seen_B1
        return self.shares[0] * logits_BC.float() + self.shares[1] * said_BC

    def said(self, places_BK: Tensor, weights_BK: Tensor) -> Tensor:
        """What the words say by themselves, shape (B, C), float32."""
        device = self.weight.device
        summed_BC = F.embedding_bag(
            places_BK.to(device), self.weight.float(), per_sample_weights=weights_BK.to(device), mode="sum"
        )
        return summed_BC + self.bias.float()

    @property
    def lexicon(self) -> Lexicon:
        """What cuts texts into runs and knows which there are."""
        return Lexicon(self.words, self.letters, self.keys.cpu().numpy(), self.idf.float().cpu().numpy())


def add_lexical(model: PreTrainedModel, head: LexicalHead) -> None:
    """Put it beside a classification head, so that it is trained and saved with it."""
    model.add_module(NAME, head.to(next(model.parameters()).device))
    model.config.lexical = {"words": head.words, "letters": head.letters, "hidden": head.hidden}


def made_lexical(config: Any, kept: dict[str, Tensor]) -> LexicalHead:
    """The one that a config tells of, with the weights that were kept.

    raises  ValueError where they are not all there, or do not fit
    """
    if "weight" not in kept:
        raise ValueError(f"{NAME}.weight is missing")
    head = LexicalHead(*kept["weight"].shape, **getattr(config, NAME))
    try:
        head.load_state_dict(kept)
    except RuntimeError as error:
        raise ValueError(" ".join(str(error).split())) from error
    return head


def lexical_of(model: Any) -> Any:
    """A model's lexical head, beside an adapter the one that is trained; None where it has none."""
    for name, module in model.named_modules():
        if name.rpartition(".")[2] == NAME:
            return module  # or peft's stand-in, which hands on to one
    return None
