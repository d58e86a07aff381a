"""Opening and writing models: any local folder or Hub name in, a plain Hugging Face folder out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from langwright.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Head = Literal["causal", "classification", "backbone"]


def locate(name: str) -> Path:
    """The folder of a model: a local path, or `hf:owner/name` (or `owner/name` that is no local path) from the Hub.

    raises  UserError when there is neither
    """
    path = Path(name)
    if path.exists():
        return path
    repository = name.removeprefix("hf:")
    if repository.count("/") != 1:
        raise UserError("there is no {path}", fix="give a folder, or hf:owner/name for a model on the Hub", path=name)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, allow_patterns=["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model"]))
    except Exception as error:
        raise UserError(
            "{name} could not be had from the Hub: {error}",
            fix="check the name and the connection, or give a local folder",
            name=name,
            error=str(error).splitlines()[0],
        ) from error


def load_model(
    path: Path, head: Head = "causal", labels: Sequence[str] = (), dtype: torch.dtype | None = None
) -> PreTrainedModel:
    """A model with the head that is asked for; a classification head that the folder lacks is made anew from `labels`.

    raises  UserError when there are no safetensors weights or the architecture has no such head
    """
    import torch
    import transformers

    if not list(path.glob("*.safetensors")):
        raise UserError(
            "{path} has no weights in safetensors",
            fix="convert the checkpoint with its own library's save_pretrained; pickle files are not read",
            path=path,
        )
    classes = {
        "causal": transformers.AutoModelForCausalLM,
        "classification": transformers.AutoModelForSequenceClassification,
        "backbone": transformers.AutoModel,
    }
    extra: dict[str, object] = {}
    if head == "classification" and labels:
        extra = {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
    model: PreTrainedModel = classes[head].from_pretrained(
        path, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=dtype or torch.float32, **extra
    )
    return model


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, out: Path) -> None:
    """Write a plain Hugging Face folder: configuration, safetensors, tokenizer and chat template."""
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
