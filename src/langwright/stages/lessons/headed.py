"""What the lessons of heads share: the model with its head, its encoder, a look at the rows, and a judge of the task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from langwright.data.hints import Asked, Hints
from langwright.errors import UserError
from langwright.runlog import Warned
from langwright.stages.declaration import Work
from langwright.stages.lessons.lesson import context_of, row_length, warn_about

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedConfig, PreTrainedModel

    from langwright.data.dataset import Dataset
    from langwright.data.encoder import Encoded, Encoder, Ids
    from langwright.data.schemas import Row
    from langwright.models.heads import Head, Tags
    from langwright.stages.finetune import FinetuneSettings
    from langwright.tasks.front.headed import Headed
    from langwright.training.preflight import Preflight


def with_head(
    work: Work, head: Head, labels: Sequence[str] = (), tags: Tags | None = None
) -> tuple[PreTrainedModel, Encoder]:
    """The work's model with a head, and what encodes texts for it.

    tags  how a tagging head is to be read
    """
    from langwright.models.loading import load_model
    from langwright.tasks.front.headed import encoder_for
    from langwright.tokenizers.loading import load_tokenizer

    settings: FinetuneSettings = work.settings
    folder = work.one("model").path
    model = load_model(folder, head=head, labels=labels, seed=settings.seed, dropout=settings.dropout, tags=tags)
    return model, encoder_for(model, load_tokenizer(folder), row_length(settings, model.config))


def fills_blanks(config: PreTrainedConfig) -> bool:
    """Whether a model of this config can be a masked language model and neither writes nor rewrites."""
    from langwright.models.heads import auto_class

    return (
        type(config) in auto_class("masked")._model_mapping
        and type(config) not in auto_class("seq2seq")._model_mapping
        and not config.is_encoder_decoder
        and not getattr(config, "is_decoder", False)
    )


def hinted(work: Work, model: PreTrainedModel, encoder: Encoder, hints: Hints) -> Encoder:
    """The encoder of a model that is also told hints, which its config keeps.

    raises  UserError where the model has no token types to tell them by
    """
    from langwright.models.token_types import widen

    if not encoder.told or not widen(model, hints.types, like=int(isinstance(hints, Asked))):
        raise UserError(
            "hints are told by token types, and {path} has none",
            fix="leave hints out, or take an encoder such as `langwright pretrain DATASET TOKENIZER OUT --preset bert-mini` makes",
            path=work.one("model").path,
        )
    model.config.hints = hints.told()
    return replace(encoder, hints=hints)


def split_rows(dataset: Dataset) -> dict[str, list[Any]]:
    """The rows of the training and, where there is one, the validation split."""
    return {split: list(dataset.rows(split)) for split in ("train", "validation") if split in dataset.splits}


@dataclass(frozen=True)
class Judged:
    """How well the task itself is done on validation rows: the model is asked as it will be asked in use.

    score  (the model, rows) -> measures by name
    """

    encoder: Encoder
    rows: Sequence[Row]
    score: Callable[[Headed, Sequence[Any]], dict[str, float]]

    def __call__(self, model: nn.Module, limit: int) -> dict[str, float]:
        """Over at most `limit` rows, spread evenly; the model is left in training mode."""
        import numpy as np

        from langwright.tasks.front.headed import Headed

        count = len(self.rows)
        places = range(count) if limit >= count else np.linspace(0, count - 1, limit).astype(int)
        model.eval()
        found = self.score(Headed(model, self.encoder), [self.rows[place] for place in places])
        model.train()
        return found


def looked_at(
    work: Work,
    rows: Sequence[Encoded],
    encoder: Encoder,
    texts: dict[str, list[str]],
    *,
    supervised: float = 1.0,
    labels: dict[str, int] | None = None,
    model: PreTrainedModel,
) -> Preflight:
    """What training is about to see, written down; with a word on what a person should know.

    texts   what the rows of each split say
    raises  UserError for a row without tokens, or where every row is cut and need not be
    """
    from langwright.training.preflight import Preflight, count_leaks

    if len(rows) == len(texts["train"]):  # rows of several windows or answers have special tokens besides
        with_tokens(rows, texts["train"])
    cut, length = sum(row.cut for row in rows), encoder.length
    if cut == len(rows) and length < context_of(model.config):
        raise UserError(
            "every example is longer than a row of {length} tokens, and the model can read {context}",
            fix="raise the row length with --set length=N",
            length=length,
            context=context_of(model.config),
        )
    tokens = sum(len(row.ids) for row in rows)
    unknown = encoder.tokenizer.unk_token_id
    report = Preflight(
        documents=len(rows), tokens=tokens, rows=len(rows), supervised=supervised, padding=0.0, truncated=cut,
        unknown=sum(int((row.ids == unknown).sum()) for row in rows) / tokens if unknown is not None else 0.0,
        doubled=0, leaked=count_leaks(texts["train"], texts.get("validation", [])), labels=labels or {},
    )  # fmt: skip
    warn_about(work, report)
    return report


def as_rows(windows: Sequence[Ids]) -> list[Encoded]:
    """Windows of longer texts as rows of which nothing is cut away."""
    import numpy as np

    from langwright.data.encoder import Encoded

    return [Encoded(ids, np.zeros_like(ids)) for ids in windows]


def with_tokens(rows: Sequence[Encoded], texts: Sequence[str]) -> None:
    """UserError for a row without tokens."""
    for row, text in zip(rows, texts, strict=True):
        if not len(row.ids):
            raise UserError(
                "there is nothing to learn from in a text without tokens: {text!r}",
                fix="remove such rows with `langwright data clean`",
                text=text[:40],
            )


def warn_of_rare(work: Work, counts: dict[str, int]) -> None:
    """Say which classes have a single training example."""
    rare = [label for label, count in counts.items() if count == 1]
    if rare:
        work.log.write(
            Warned(
                message="{count} labels have one training example each, such as {label}: one is not enough to learn from",
                values={"count": len(rare), "label": rare[0]},
            )
        )


def counted(labels: Sequence[str]) -> dict[str, int]:
    """How often each label stands, most frequent first.

    raises  UserError when there are fewer than two
    """
    from langwright.training.preflight import inspect_labels

    return inspect_labels(labels)


def numbered(label: str, known: Sequence[str], row: str, split: str) -> int:
    """The place of a label; UserError for one that no training row has."""
    if label not in known:
        raise UserError(
            "row {row} of the {split} split has label {label!r}, which no training row has",
            fix="the labels are: {labels}",
            row=row,
            split=split,
            label=label,
            labels=", ".join(known),
        )
    return known.index(label)


def spread(spans: Sequence[Sequence[Any]]) -> dict[str, int]:
    """How often each label of spans stands, most frequent first."""
    return dict(Counter(span.label for one in spans for span in one).most_common())
