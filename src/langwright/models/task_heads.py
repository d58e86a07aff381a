"""The heads of tasks: how many outputs each has and which of a folder's weights it brings. Imports nothing heavy at the top.

Source    Devlin et al. 2019, arXiv:1810.04805, section 4: one linear layer over the hidden states for each task;
          Radford et al. 2018 (GPT), section 3.3: the same over a decoder's last token, and a choice as one score an
          answer, each read by itself
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from langwright.errors import UserError
from langwright.models.heads import Head, auto_class

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedConfig

ENDINGS: dict[Head, str] = {
    "classification": "ForSequenceClassification",
    "score": "ForSequenceClassification",
    "tagging": "ForTokenClassification",
    "span": "ForQuestionAnswering",
    "choice": "ForMultipleChoice",
}
"""How transformers' classes with a head for a task are called, by the head."""

OF_TASK: dict[str, Head] = {
    "classification": "classification", "pair": "classification", "regression": "score", "similarity": "score",
    "tagging": "tagging", "qa": "span", "choice": "choice", "relation": "classification",
    "summarization": "score",
}  # fmt: skip
"""By lesson that a head is trained in: the head. A pair with a number has that of regression."""


def class_for(head: Head, config: PreTrainedConfig) -> Any:
    """The class that opens a model of this config with this head.

    A choice needs one number an answer; families without a class of their own for it, the decoders, get it from a
    sequence head with one output, which is the same thing.
    """
    found = auto_class(head)
    if head == "choice" and type(config) not in found._model_mapping:
        return auto_class("score")
    return found


def has_own(head: Head, config: PreTrainedConfig) -> bool:
    """Whether the folder's model has this head already."""
    return any(str(own).endswith(ENDINGS[head]) for own in config.architectures or ())


def fitted(head: Head, config: PreTrainedConfig, path: Path, labels: Sequence[str]) -> PreTrainedConfig:
    """The config with as many outputs as the head needs, each with its name.

    raises  UserError when labels are needed and fewer than two were given, or one was given twice
    """
    if head in ("classification", "tagging"):
        if not has_own(head, config) and len(labels) < 2:
            raise UserError(
                "{path} has no {head} head, and fewer than two labels were given",
                fix="`langwright finetune MODEL DATASET OUT --task {task}` makes one",
                path=path,
                head=head,
                task=next(task for task, of in OF_TASK.items() if of == head),
            )
        if len(set(labels)) < len(labels):
            raise UserError("a label was given twice: {labels}", fix="give each label once", labels=", ".join(labels))
    elif head == "span":
        labels = ("start", "end")
    else:
        labels = ("score",)
        config.problem_type = "regression" if head == "score" else None
    if labels:
        config.id2label = dict(enumerate(labels))
        config.label2id = {label: index for index, label in enumerate(labels)}
    return config


def fresh(prefix: str, missing: Iterable[str]) -> set[str]:
    """Of the weights that a folder lacks, those that a head brings: what lies outside the body, and a pooler inside it."""
    return {name for name in missing if not name.startswith(prefix + ".") or "pooler" in name.split(".")}


def renamed_body(auto: Any, config: PreTrainedConfig) -> dict[str, str] | None:
    """How a body's weights are to be renamed: some families call it `model`, and `transformer` beside this head."""
    own = auto._model_mapping.get(type(config), None)
    return {r"^model\.": "transformer."} if getattr(own, "base_model_prefix", "") == "transformer" else None


def most_positions(config: PreTrainedConfig) -> int:
    """Tokens that a model can read at once; RoBERTa's family counts its positions from behind the padding's id."""
    offset = "roberta" in config.model_type or config.model_type in ("camembert", "longformer")
    if config.model_type == "t5":  # positions are relative, and its config may name none
        return int(getattr(config, "max_position_embeddings", getattr(config, "n_positions", 512)))
    return int(config.max_position_embeddings) - ((config.pad_token_id or 0) + 1 if offset else 0)
