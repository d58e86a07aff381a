"""What is left of a classifier's accuracy when its texts are mistyped, or its embeddings moved against it.

Source    Belinkov & Bisk 2018, arXiv:1711.02173, section 4 (noise of letters: swapped, left out, put in, replaced)
          Madry et al. 2018, arXiv:1706.06083, section 2.1 and appendix B (projected gradient ascent inside a ball, from
          a random point, in steps of 2.5 ε / K)
Differs   a text counts as lost when any of the K points is labelled wrongly, as an attacker would stop there; the ball
          is that of the word embeddings, which no typed text may reach: a bound, not a text
Shapes    B texts    T positions    D width
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from langwright.data.drawing import draws
from langwright.errors import unknown

if TYPE_CHECKING:
    from langwright.tasks.front.headed import Headed

STEP = 2.5  # of a step, times ε / K
LETTERS = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"


def mistyped(text: str, share: float, generator: np.random.Generator) -> str:
    """The text with this share of its characters, spaces aside, swapped with the next, left out, doubled or replaced.

    A letter is replaced by a letter, a digit by a digit, any other character by one of the same text.
    """
    found: list[str] = []
    place = 0
    while place < len(text):
        character = text[place]
        place += 1
        if character.isspace() or generator.random() >= share:
            found.append(character)
            continue
        match generator.integers(4):
            case 0 if place < len(text) and not text[place].isspace():
                found += [text[place], character]
                place += 1
            case 1:
                continue
            case 2:
                found += [character, character]
            case _:
                found.append(another(character, text, generator))
    return "".join(found) if any(not c.isspace() for c in found) else text


def another(character: str, text: str, generator: np.random.Generator) -> str:
    """A character of the same kind."""
    kind = LETTERS if character.lower() in LETTERS else DIGITS if character in DIGITS else "".join(text.split())
    chosen = kind[int(generator.integers(len(kind)))]
    return chosen.upper() if character.isupper() else chosen


def noisy(texts: Sequence[str], share: float, seed: int) -> list[str]:
    """Every text mistyped, each by its own draws."""
    return [mistyped(text, share, draws(seed, 0, row, "noise")) for row, text in enumerate(texts)]


def attacked(
    classifier: Headed, texts: Sequence[str], right: Sequence[str], *, epsilon: float, steps: int, seed: int
) -> list[str]:
    """The label of each text under K steps of projected gradient ascent: the first wrong one that is found, else the right.

    epsilon  radius of the ball around a text's word embeddings, Euclidean over all its positions
    raises   UserError for a right label that the head does not know
    """
    import torch
    from torch.nn import functional as F

    from langwright.objectives.adversarial import embeddings_changed, inside, unit
    from langwright.objectives.texts import read_by

    number = {label: index for index, label in enumerate(classifier.labels)}
    for label in right:
        if label not in number:
            raise unknown("label", label, classifier.labels)
    found = list(right)
    model, generator = classifier.model, torch.Generator().manual_seed(seed)
    was_trainable = [weight.requires_grad for weight in model.parameters()]
    model.requires_grad_(False)
    device = next(model.parameters()).device
    for rows, batch in classifier.batches([classifier.encoder.text(text) for text in texts], 32):
        labels_B = torch.tensor([number[right[row]] for row in rows], device=device)
        real_BT1 = batch.mask_BT[..., None].float().to(device)
        width = model.get_input_embeddings().embedding_dim
        start_BTD = torch.randn(*batch.tokens_BT.shape, width, generator=generator).to(device) * real_BT1
        length_B11 = torch.rand(len(rows), 1, 1, generator=generator).to(device) * epsilon
        change_BTD = unit(start_BTD) * length_B11
        for step in range(steps + 1):
            with embeddings_changed(model, change_BTD) as seen:
                logits_BC = read_by(model, batch).logits.float()
            for row, guess, label in zip(rows, logits_BC.argmax(-1).tolist(), labels_B.tolist(), strict=True):
                if guess != label and found[row] == right[row]:
                    found[row] = classifier.labels[guess]
            if step < steps:
                loss = F.cross_entropy(logits_BC, labels_B, reduction="sum")
                (up_BTD,) = torch.autograd.grad(loss, seen[0])
                ahead_BTD = unit(up_BTD * real_BT1) * (STEP * epsilon / steps)
                change_BTD = inside(change_BTD + ahead_BTD, epsilon)
    for weight, trainable in zip(model.parameters(), was_trainable, strict=True):
        weight.requires_grad_(trainable)
    return found
