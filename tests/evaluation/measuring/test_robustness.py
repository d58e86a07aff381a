"""Noise and attacks: what may change in a text, and the attack against the closed form of a linear classifier."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from torch import nn
from transformers import PreTrainedTokenizerFast

from langwright.data.drawing import draws
from langwright.data.encoder import Encoder
from langwright.errors import UserError
from langwright.evaluation.measuring.robustness import attacked, mistyped, noisy
from langwright.tasks.front.headed import Headed

# --- noise ---------------------------------------------------------------------------------------

texts = st.text(st.sampled_from("abcXYZ 129酒店服务很好，。"), min_size=1, max_size=60)


@given(texts, st.integers(0, 1000))
def test_no_noise_changes_nothing_and_some_keeps_a_text(text: str, seed: int) -> None:
    assert mistyped(text, 0.0, draws(seed, 0, 0)) == text
    changed = mistyped(text, 0.9, draws(seed, 0, 0))
    assert changed.strip() or not text.strip()
    assert {c for c in changed if not (c.isascii() and c.isalnum())} <= set(text)  # only letters and digits are new
    assert changed.count(" ") == text.count(" ") or not text.strip()  # words stay apart


def test_the_share_of_characters_that_change_is_as_asked() -> None:
    """Each of 40,000 characters is touched with probability 0.1; a replaced one may be the same by chance."""
    text = "".join(chr(0x4E00 + number) for number in range(2000)) * 20
    dropped = len(text) - len(mistyped(text, 0.1, draws(1, 0, 0)))
    assert abs(dropped) < 4 * (0.05 * 40_000) ** 0.5  # leaving out and doubling are equally likely
    pairs = zip(text, mistyped(text, 0.1, draws(1, 0, 0)), strict=False)
    first = next(number for number, (a, b) in enumerate(pairs) if a != b)
    assert first < 100


def test_every_text_has_its_own_draws() -> None:
    one, other = noisy(["今天天气很好我们去公园"] * 2, 0.5, seed=3)
    assert one != other
    assert noisy(["今天天气很好我们去公园"], 0.5, seed=3) == [one]


# --- attack --------------------------------------------------------------------------------------


class Linear(nn.Module):
    """Two logits, linear in the sum of a text's word embeddings: 0 and w · Σ e."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.embeddings = nn.Embedding(12, 4)
        self.embeddings.weight.data = torch.randn(12, 4, generator=generator)
        self.w = nn.Parameter(torch.tensor([1.0, -2.0, 0.5, 0.25]))
        self.config = SimpleNamespace(num_labels=2, problem_type=None, id2label={0: "bad", 1: "good"})

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embeddings

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, use_cache: bool) -> SimpleNamespace:
        score_B = (self.embeddings(input_ids) * attention_mask[..., None]).sum(1) @ self.w
        return SimpleNamespace(logits=torch.stack([torch.zeros_like(score_B), score_B], -1))


def spelled() -> PreTrainedTokenizerFast:
    """A tokenizer whose ids are digits, 0 the padding."""
    tokenizer = Tokenizer(WordLevel({str(digit): digit for digit in range(10)}, unk_token="0"))
    tokenizer.pre_tokenizer = Split(Regex("."), "isolated")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="0")


@pytest.fixture(scope="module")
def classifier() -> Headed:
    return Headed(Linear(), Encoder(spelled(), 16), "linear")  # type: ignore[arg-type]


@pytest.mark.spec("S9", "a text of a linear classifier is lost exactly where its margin is below ε ‖w‖ √T")
@pytest.mark.parametrize("epsilon", [0.1, 0.5, 1.0, 2.0, 4.0])
def test_the_attack_finds_the_closed_form_of_a_linear_classifier(classifier: Headed, epsilon: float) -> None:
    generator = np.random.default_rng(0)
    rows = ["".join(map(str, generator.integers(1, 10, length))) for length in (3, 5, 9, 4, 2, 7, 6, 3, 8, 5)]
    scores = [float(classifier.probabilities([row])[0, 1]) for row in rows]
    right = ["good" if score > 0.5 else "bad" for score in scores]
    margins = np.array([abs(np.log(score / (1 - score))) for score in scores])
    reach = epsilon * classifier.model.w.norm().item() * np.sqrt([len(row) for row in rows])  # type: ignore[operator]
    assert (np.abs(margins - reach) > 0.02).all()  # no text stands on the edge
    found = attacked(classifier, rows, right, epsilon=epsilon, steps=10, seed=1)
    assert [label != wanted for label, wanted in zip(found, right, strict=True)] == (margins < reach).tolist()
    assert all(weight.requires_grad for weight in classifier.model.parameters())


def test_a_text_that_is_wrong_without_an_attack_stays_wrong(classifier: Headed) -> None:
    score = float(classifier.probabilities(["123"])[0, 1])
    wrong = "bad" if score > 0.5 else "good"
    assert attacked(classifier, ["123"], [wrong], epsilon=1e-6, steps=2, seed=0) != [wrong]


def test_a_label_that_the_head_does_not_know(classifier: Headed) -> None:
    with pytest.raises(UserError, match="no label called 'god'"):
        attacked(classifier, ["12"], ["god"], epsilon=1.0, steps=2, seed=0)
