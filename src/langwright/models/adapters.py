"""Small trainable adapters beside frozen weights (Hu et al. 2021, arXiv:2106.09685), through peft."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from langwright.settings import Settings

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


class LoraSettings(Settings):
    """Low-rank adapters: the update of a matrix is scale · B·A with few columns and rows."""

    rank: Annotated[int, Field(ge=1, description="Rank of the update of each matrix")] = 8
    alpha: Annotated[float, Field(gt=0, description="Scale of the update, divided by the rank")] = 16.0
    dropout: Annotated[float, Field(ge=0, lt=1, description="Dropout before the adapter")] = 0.0
    targets: Annotated[str | tuple[str, ...], Field(description="Names of the matrices that get an adapter, or all-linear")] = "all-linear"


def add_lora(model: PreTrainedModel, settings: LoraSettings, task: Literal["causal", "classification"] = "causal") -> PeftModel:
    """Freeze the model and put adapters beside its matrices; a classification head stays trainable."""
    from peft import LoraConfig, TaskType, get_peft_model

    targets = settings.targets if isinstance(settings.targets, str) else list(settings.targets)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=targets,
        task_type=TaskType.SEQ_CLS if task == "classification" else TaskType.CAUSAL_LM,
    )
    return get_peft_model(model, config)
