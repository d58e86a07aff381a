"""Low-rank adapters beside frozen weights, through peft; saved as peft's own files, merged through the parity gate.

Source    Hu et al. 2021, arXiv:2106.09685, equation 3: W x + (alpha / rank) · B A x, with B zero at the start
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from langwright.errors import UserError
from langwright.measures import Measure
from langwright.settings import Settings

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

    from langwright.models.parity import Tolerance

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


class LoraSettings(Settings):
    """Low-rank adapters: the update of a matrix is scale · B·A with few columns and rows."""

    rank: Annotated[int, Field(ge=1, description="Rank of the update of each matrix")] = 8
    alpha: Annotated[float, Field(gt=0, description="Scale of the update, divided by the rank")] = 16.0
    dropout: Annotated[float, Field(ge=0, lt=1, description="Dropout before the adapter")] = 0.0
    targets: Annotated[
        str | tuple[str, ...], Field(description="Names of the matrices that get an adapter, or all-linear")
    ] = "all-linear"


def add_lora(
    model: PreTrainedModel, settings: LoraSettings, task: Literal["causal", "classification"] = "causal", seed: int = 0
) -> PeftModel:
    """Freeze the model and put adapters beside its matrices; a classification head stays trainable.

    all-linear takes every matrix but the head's. The model itself is changed and lies inside what is returned.

    seed    draws A; torch's own generator is left as it was
    raises  UserError when the model has no matrix of a name that was asked for
    """
    import torch
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers.pytorch_utils import Conv1D

    from langwright.models.building import generator_kept
    from langwright.models.loading import quiet

    names = settings.targets if isinstance(settings.targets, str) else list(settings.targets)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=[names] if isinstance(names, str) and names != "all-linear" else names,
        task_type=TaskType.SEQ_CLS if task == "classification" else TaskType.CAUSAL_LM,
        fan_in_fan_out=any(
            isinstance(module, Conv1D) for module in model.modules()
        ),  # GPT-2 stores matrices transposed
    )
    check_targets(model, settings.targets)
    with quiet(), generator_kept():
        torch.default_generator.manual_seed(seed)
        adapted = get_peft_model(model, config)
    for part in adapted.peft_config.values():
        part.base_model_name_or_path = ""  # where the model lay is nobody's business, and would be looked up
    return adapted


def check_targets(model: PreTrainedModel, targets: str | tuple[str, ...]) -> None:
    """UserError for a name that no matrix of the model has."""
    from langwright.errors import unknown

    matrices = {name.rpartition(".")[2] for name, module in model.named_modules() if is_matrix(module)}
    for name in (targets,) if isinstance(targets, str) else targets:
        if name != "all-linear" and name not in matrices:
            raise unknown("matrix", name, matrices | {"all-linear"})


def is_matrix(module: object) -> bool:
    """Whether a module multiplies with a matrix of its own."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, (nn.Linear, Conv1D))


def save_adapter(model: PeftModel, out: Path, name: str) -> Path:
    """Write the adapter into `out/adapters/NAME/` as peft's own files, in safetensors; returns that folder."""
    folder = out / "adapters" / name
    model.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # peft's unfilled form; the artifact has a model card of its own
    return folder


def load_adapter(model: PreTrainedModel, folder: Path, *, trainable: bool = False) -> PeftModel:
    """Put a saved adapter of any kind that peft knows beside a model's matrices.

    raises  UserError when the folder holds none in safetensors, or one made for another model
    """
    from peft import PeftModel

    from langwright.models.loading import quiet

    check_adapter(folder)
    try:
        with quiet():
            warnings.filterwarnings("error", ".*missing.*adapter", UserWarning)
            return PeftModel.from_pretrained(model, str(folder), is_trainable=trainable, local_files_only=True)
    except (ValueError, RuntimeError, KeyError, TypeError, UserWarning) as error:
        raise UserError(
            "the adapter in {folder} does not fit this {architecture}: {reason}",
            fix="give the model it was trained beside",
            folder=folder,
            architecture=type(model).__name__,
            reason=str(error).strip().splitlines()[0],
        ) from error


def check_adapter(folder: Path) -> None:
    """UserError unless the folder holds a whole adapter in safetensors; peft would open a pickle without asking."""
    if (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file():
        try:
            json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        except ValueError as error:
            raise UserError(
                "{file} cannot be read: {reason}",
                fix="fetch or make the model again",
                file=folder / CONFIG,
                reason=error,
            ) from None
        return
    if any(folder.glob("*.bin")):
        raise UserError(
            "{path} holds its weights as {name}, which can run code when it is opened",
            fix="convert it in a place you trust: load it there with peft and call save_pretrained, "
            "which writes adapter_model.safetensors",
            path=folder,
            name="adapter_model.bin",
        )
    raise UserError(
        "{folder} holds no adapter: {config} and {weights} are needed",
        fix="`langwright finetune MODEL DATASET OUT --method lora --set merge=false` makes one",
        folder=folder,
        config=CONFIG,
        weights=WEIGHTS,
    )


def merge_adapter(
    model: PeftModel, rows: Sequence[Sequence[int]], tolerance: Tolerance | None = None
) -> tuple[PreTrainedModel, tuple[Measure, ...]]:
    """Add the adapter's update to the weights it stands beside, and compare what the model says before and after.

    rows     token ids to compare on
    returns  the plain model, all its weights trainable again, and the gate's measures
    raises   UserError when the merged model differs beyond the tolerance; the weights in memory are merged all the same
    """
    from langwright.models.loading import quiet
    from langwright.models.parity import compare, record

    before = record(model, rows)
    with quiet():
        merged: PreTrainedModel = model.merge_and_unload(safe_merge=True)
    for weight in merged.parameters():
        weight.requires_grad_(True)
    return merged, compare(before, record(merged, rows), "merge", tolerance)
