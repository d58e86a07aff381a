"""Solving by a trained head: one logit a label, over the model's last token or its pooled state.

Shapes    B texts    T positions    C labels    D model width
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from langwright.artifacts import read_card
from langwright.errors import UserError, unknown
from langwright.inference.embedding import Embedded, Pooling, embed_texts
from langwright.tasks.classification import ClassificationInput, ClassificationOutput
from langwright.tasks.solvers import Solver

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Classifier:
    """A model with a classification head, its tokenizer, and its labels in the order of the logits."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    labels: tuple[str, ...]
    name: str
    context: int  # tokens

    def probabilities(self, texts: Sequence[str], max_batch: int = 32) -> NDArray:  # type: ignore[type-arg]
        """Of each label, float32 (B, C), texts cut to the context; row order as given."""
        from langwright.data.encoder import Encoder
        from langwright.tasks.headed import Headed

        return Headed(self.model, Encoder(self.tokenizer, self.context)).probabilities(texts, max_batch)

    def embed(
        self, texts: Sequence[str], *, pooling: Pooling = "mean", normalise: bool = False, truncate: bool = False
    ) -> Embedded:
        """One vector a text from its last hidden states; see `embedding.embed_texts`."""
        return embed_texts(
            self.model, self.tokenizer, texts, self.context, pooling=pooling, normalise=normalise, truncate=truncate
        )

    def batches(self, texts: Sequence[str], max_batch: int) -> Iterator[tuple[list[int], Tensor, Tensor]]:
        """(row numbers, token ids (B, T) padded at the end, mask (B, T)), texts of like length together."""
        import torch

        ids = [self.encode(text) for text in texts]
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        device = next(self.model.parameters()).device
        for start in range(0, len(order), max_batch):
            rows = order[start : start + max_batch]
            width = max(len(ids[row]) for row in rows)
            pad = self.tokenizer.pad_token_id
            tokens_BT = torch.tensor([ids[row] + [pad] * (width - len(ids[row])) for row in rows], device=device)
            mask_BT = torch.tensor([[1] * len(ids[row]) + [0] * (width - len(ids[row])) for row in rows], device=device)
            yield rows, tokens_BT, mask_BT

    def encode(self, text: str) -> list[int]:
        """A text as ids, as in training: with what stands around it, cut to the context.

        raises  UserError for a text without tokens
        """
        from langwright.data.encoder import Encoder

        ids: list[int] = Encoder(self.tokenizer, self.context).text(text).ids.tolist()
        if not ids:
            raise UserError("there is nothing to label: the text has no tokens", fix="give a text that is not empty")
        return ids

    def truncates(self, text: str) -> bool:
        """Whether a text is longer than the context."""
        return len(self.tokenizer(text)["input_ids"]) > self.context


def open_classifier(path: Path, name: str = "", adapter: str | None = None, head: str | None = None) -> Classifier:
    """Open a model folder that has a classification head. Texts are cut where training cut them.

    adapter  name of one of its adapters; the one its card names when left out
    head     name of one of the heads beside its own; its own when left out
    raises   UserError when it has none
    """
    from langwright.models.adapters import named_adapter, opened
    from langwright.models.loading import load_model
    from langwright.models.shared import open_head
    from langwright.models.task_heads import most_positions
    from langwright.tokenizers.loading import load_tokenizer

    card = read_card(path)
    model = load_model(path, head="classification") if head is None else open_head(path, head)
    abilities = card.abilities if card else ()
    named = [ability.adapter for ability in abilities if ability.solver == HEAD.name and ability.adapter]
    if adapter or named:
        model = opened(model, named_adapter(path, adapter or named[0]))
    labels = tuple(str(model.config.id2label[index]) for index in range(model.config.num_labels))
    learned = card.settings.get("length") if card else None
    most = most_positions(model.config)
    context = min(most, learned) if isinstance(learned, int) else most
    return Classifier(model, load_tokenizer(path), labels, name or path.name, context)


def classify(classifier: Classifier, asked: ClassificationInput, converses: bool = False) -> ClassificationOutput:
    """The label of a text; with `labels`, the likeliest among those, which must be among the head's.

    raises  UserError for a label the head does not know, or when several labels are asked for
    """
    several = classifier.model.config.problem_type == "multi_label_classification"
    if asked.multi_label and not several:
        raise UserError(
            "{name} was trained to give one label a text",
            fix="leave multi_label out, or ask a model that writes: it judges each label by itself",
            name=classifier.name,
        )
    for label in asked.labels:
        if label not in classifier.labels:
            raise unknown("label", label, classifier.labels)
    kept = [index for index, label in enumerate(classifier.labels) if not asked.labels or label in asked.labels]
    row_C = classifier.probabilities([asked.text])[0]
    if several:
        return each_by_itself({classifier.labels[index]: float(row_C[index]) for index in kept}, asked, classifier)
    total = float(row_C[kept].sum())
    probabilities = {classifier.labels[index]: float(row_C[index]) / total for index in kept}
    best = max(probabilities, key=lambda label: probabilities[label])
    return ClassificationOutput(
        label=best, labels=(best,), probabilities=probabilities, solver=HEAD.name,
        truncated=classifier.truncates(asked.text),
    )  # fmt: skip


def each_by_itself(
    probabilities: dict[str, float], asked: ClassificationInput, classifier: Classifier
) -> ClassificationOutput:
    """Every label that fits, likeliest first."""
    ranked = sorted(probabilities, key=lambda label: -probabilities[label])
    return ClassificationOutput(
        label=None, labels=tuple(label for label in ranked if probabilities[label] >= asked.threshold),
        probabilities=probabilities, solver=HEAD.name, truncated=classifier.truncates(asked.text),
    )  # fmt: skip


HEAD = Solver(
    name="head",
    summary="A head trained on labelled texts gives each label a probability",
    needs="head",
    maker="langwright finetune MODEL DATASET OUT --task classification",
    solve=classify,
)
