"""Adapters beside frozen weights, through peft; saved as peft's own files, merged through the parity gate.

Sources   LoRA: Hu et al. 2021, arXiv:2106.09685, equation 3; rsLoRA: Kalajdzievski 2023, arXiv:2312.03732, theorem 3.2
          DoRA: Liu et al. 2024, arXiv:2402.09353, equation 5; (IA)³: Liu et al. 2022, arXiv:2205.05638, section 3.3
          prefix tuning: Li & Liang 2021, arXiv:2101.00190, section 4; prompt tuning: Lester et al. 2021, arXiv:2104.08691
Differs   (IA)³ scales the fused queries, keys and values of GPT-2 as one; a prefix is trained without the network
          that the paper puts before it, unless `projection` asks for that
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from pydantic import BaseModel, ConfigDict, ValidationError

from langwright.errors import UserError, unknown
from langwright.measures import Measure
from langwright.models.adapter_settings import IA3, Adapter, Dora, Lora, Prefix, Prompt, RsLora
from langwright.models.heads import Head
from langwright.models.task_heads import ENDINGS

if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from langwright.models.parity import Tolerance

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
BASE = "base.json"
SAMPLED = 64  # values of each weight that tell one base from another


class Base(BaseModel):
    """`base.json` beside an adapter: which weights it was trained beside."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: str


def fingerprint(model: PreTrainedModel) -> str:
    """Names, shapes and some values of every weight of a model's body, heads left out; the same for the same weights.

    A pooler belongs to the head: where there is a new one, so is it.

    Of the plain model: before an adapter is put beside it.
    """
    digest = hashlib.sha256()
    for name, weight in sorted(model.base_model.named_parameters()):
        if "pooler" in name.split("."):
            continue
        flat = weight.detach().flatten()
        # a copy, since memory that numpy looks at can no longer be resized, as FSDP does
        some = flat[:: max(1, flat.numel() // SAMPLED)].float().cpu().clone().numpy()
        digest.update(f"{name}{tuple(weight.shape)}".encode() + some.tobytes())
    return digest.hexdigest()


def add_adapter(model: PreTrainedModel, settings: Adapter, task: Head = "causal", seed: int = 0) -> PeftModel:
    """Freeze the model and put an adapter beside it; a classification head stays trainable.

    all-linear takes every matrix but the head's. The model itself is changed and lies inside what is returned.

    seed    draws what begins at random; torch's own generator is left as it was
    raises  UserError when the model has no matrix of a name that was asked for, or cannot take this kind
    """
    import torch
    from peft import get_peft_model

    from langwright.models.building import generator_kept
    from langwright.models.loading import quiet

    config = peft_config(model, settings, task)
    with quiet(), generator_kept():
        torch.default_generator.manual_seed(seed)
        adapted = get_peft_model(model, config)
    for part in adapted.peft_config.values():
        part.base_model_name_or_path = ""  # where the model lay is nobody's business, and would be looked up
    return virtual_aside(adapted)


def peft_config(model: PreTrainedModel, settings: Adapter, task: Head) -> PeftConfig:
    """What peft is told; UserError for what this model cannot take."""
    from peft import IA3Config, LoraConfig, PrefixTuningConfig, PromptTuningConfig, TaskType
    from transformers.pytorch_utils import Conv1D

    kind: dict[str, Any] = {"task_type": TaskType(TASK_TYPES.get(task, "SEQ_CLS" if task in ENDINGS else "CAUSAL_LM"))}
    heads = new_modules(model) if task in ENDINGS else []
    transposed = any(isinstance(module, Conv1D) for module in model.modules())  # as GPT-2 stores its matrices
    match settings:
        case Lora() | RsLora() | Dora():
            check_targets(model, settings.targets)
            names = settings.targets if isinstance(settings.targets, str) else list(settings.targets)
            return LoraConfig(
                r=settings.rank,
                lora_alpha=settings.alpha,
                lora_dropout=settings.dropout,
                target_modules=[names] if isinstance(names, str) and names != "all-linear" else names,
                use_dora=isinstance(settings, Dora),
                use_rslora=isinstance(settings, RsLora),
                fan_in_fan_out=transposed,
                modules_to_save=heads or None,
                exclude_modules=rf"(.*\.)?({'|'.join(heads)})(\..*)?" if heads else None,
                **kind,
            )
        case IA3():
            targets, inputs = scaled_matrices(model, settings)
            return IA3Config(
                target_modules=targets, feedforward_modules=inputs, fan_in_fan_out=transposed,
                modules_to_save=heads or None, **kind,
            )  # fmt: skip
        case Prefix():
            return PrefixTuningConfig(num_virtual_tokens=settings.length, prefix_projection=settings.projection, **kind)
        case Prompt():
            if task in ("classification", "score") and not model.config.is_encoder_decoder and decides_last(model):
                raise UserError(
                    "prompt tuning does not go with a {architecture}: it finds the last token of a text by its id, and "
                    "a prompt has none",
                    fix="choose --method prefix or lora",
                    architecture=type(model).__name__,
                )
            start = "SAMPLE_VOCAB" if settings.from_vocabulary else "RANDOM"
            return PromptTuningConfig(num_virtual_tokens=settings.length, prompt_tuning_init=start, **kind)
    assert_never(settings)


def decides_last(model: PreTrainedModel) -> bool:
    """Whether a classifier takes its decision at the last token, as decoders do, and not at the first."""
    return hasattr(model, "score")


def scaled_matrices(model: PreTrainedModel, settings: IA3) -> tuple[list[str], list[str]]:
    """The matrices that (IA)³ scales, and those of them whose input it scales.

    raises  UserError where neither the settings nor peft know them for this family
    """
    from peft.utils.constants import (
        TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING,
        TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING,
    )

    family = model.config.model_type
    targets = list(settings.targets) or TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING.get(family)
    inputs = list(settings.feedforward) or TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING.get(family, [])
    if not targets:
        raise UserError(
            "it is not known which matrices (IA)³ scales in models of kind {family}",
            fix='name them: --set \'method.targets=["k_proj", "v_proj", "down_proj"]\' and method.feedforward',
            family=family,
        )
    if settings.targets:
        check_targets(model, settings.targets)
    return list(targets), [name for name in inputs if name in targets]


# --- what stands before the text ---------------------------------------------------------------------


def virtual_tokens(model: nn.Module) -> int:
    """Virtual tokens that an adapter puts before every text; 0 where it puts none."""
    config = getattr(model, "peft_config", {}).get(getattr(model, "active_adapter", ""), None)
    return int(config.num_virtual_tokens) if config is not None and config.is_prompt_learning else 0


def virtual_aside(adapted: PeftModel) -> PeftModel:
    """Have a model with virtual tokens give logits of the text's own tokens alone."""
    if virtual_tokens(adapted) == 0:
        return adapted

    def own_positions(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        named.pop("position_ids", None)  # they are counted anew from the first virtual token
        return given, named

    def own_logits(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any], output: Any) -> Any:
        width = named["input_ids"].shape[1]
        if output.logits.dim() == 3 and output.logits.shape[1] > width:
            output.logits = output.logits[:, -width:]
        return output

    if adapted.active_peft_config.peft_type == "PROMPT_TUNING":  # a prefix is a past, and peft counts on from it
        adapted.register_forward_pre_hook(own_positions, with_kwargs=True)
    adapted.register_forward_hook(own_logits, with_kwargs=True)
    return adapted


def virtual_past(model: PeftModel) -> list[tuple[Tensor, Tensor]]:
    """Keys and values of the virtual tokens in every layer, each (1, H, n, D): what every text begins with."""
    import torch

    with torch.no_grad():
        found = model.get_prompt(1)
        if isinstance(found, torch.Tensor):  # embeddings: the model itself says what their keys and values are
            found = model.get_base_model()(inputs_embeds=found, use_cache=True).past_key_values
        return [(layer.keys, layer.values) for layer in found.layers]


# --- heads -------------------------------------------------------------------------------------------

TASK_TYPES: dict[Head, str] = {"seq2seq": "SEQ_2_SEQ_LM", "tagging": "TOKEN_CLS", "span": "QUESTION_ANS"}


def new_modules(model: PreTrainedModel) -> list[str]:
    """Modules that a head brings, which are trained whole beside an adapter: all outside the body, and its pooler."""
    body = model.base_model_prefix
    outside = [
        name for name, module in model.named_children() if name != body and any(True for _ in module.parameters())
    ]
    inside = [name for name, _ in getattr(model, body).named_children() if name == "pooler"]
    return outside + inside


# --- matrices ----------------------------------------------------------------------------------------


def check_targets(model: PreTrainedModel, targets: str | tuple[str, ...]) -> None:
    """UserError for a name that no matrix of the model has."""
    matrices = {name.rpartition(".")[2] for name, module in model.named_modules() if is_matrix(module)}
    for name in (targets,) if isinstance(targets, str) else targets:
        if name != "all-linear" and name not in matrices:
            raise unknown("matrix", name, matrices | {"all-linear"})


def is_matrix(module: object) -> bool:
    """Whether a module multiplies with a matrix of its own."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, (nn.Linear, Conv1D))


# --- files -------------------------------------------------------------------------------------------


def save_adapter(model: PeftModel, out: Path, name: str, base: str | None = None) -> Path:
    """Write the adapter into `out/adapters/NAME/` as peft's own files, in safetensors; returns that folder.

    base  `fingerprint` of the model it was trained beside; loading compares it
    """
    folder = out / "adapters" / name
    model.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # peft's unfilled form; the artifact has a model card of its own
    if base is not None:
        (folder / BASE).write_text(Base(fingerprint=base).model_dump_json(indent=2) + "\n", encoding="utf-8")
    return folder


def load_adapter(model: PreTrainedModel, folder: Path, *, trainable: bool = False) -> PeftModel:
    """Put a saved adapter of any kind that peft knows beside a model's matrices.

    raises  UserError when the folder holds none in safetensors, or one made for another model
    """
    from peft import PeftModel

    from langwright.models.loading import quiet

    check_adapter(folder)
    check_base(folder, model)
    try:
        with quiet():
            warnings.filterwarnings("error", ".*missing.*adapter", UserWarning)
            return virtual_aside(
                PeftModel.from_pretrained(model, str(folder), is_trainable=trainable, local_files_only=True)
            )
    except (ValueError, RuntimeError, KeyError, TypeError, UserWarning) as error:
        raise UserError(
            "the adapter in {folder} does not fit this {architecture}: {reason}",
            fix="give the model it was trained beside",
            folder=folder,
            architecture=type(model).__name__,
            reason=str(error).strip().splitlines()[0],
        ) from error


def check_base(folder: Path, model: PreTrainedModel) -> None:
    """UserError for an adapter that says it was trained beside other weights."""
    if not (folder / BASE).is_file():
        return  # of another program: its shapes are all that can be compared
    try:
        base = Base.model_validate_json((folder / BASE).read_bytes())
    except ValidationError as error:
        raise UserError(
            "{file} cannot be read: {reason}",
            fix="fetch or make the model again",
            file=folder / BASE,
            reason=str(error).splitlines()[0],
        ) from None
    if base.fingerprint != fingerprint(model):
        raise UserError(
            "the adapter in {folder} was trained beside other weights than this {architecture} has",
            fix="give the model it was trained beside; once that was trained on, its adapters no longer fit",
            folder=folder,
            architecture=type(model).__name__,
        )


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


def opened(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """A model with a saved adapter at work, in evaluation mode: merged in memory, or around it where it cannot be."""
    adapted = load_adapter(model, folder)
    whole: PreTrainedModel = adapted if virtual_tokens(adapted) else adapted.merge_and_unload(safe_merge=True)
    return whole.eval()


def named_adapter(folder: Path, name: str) -> Path:
    """Where an adapter of a model folder lies; UserError when it has none of that name."""
    found = folder / "adapters" / name
    if not (found / CONFIG).is_file():
        raise unknown("adapter", name, (path.name for path in (folder / "adapters").glob("*")))
    return found


def without_adapter(model: PeftModel) -> PreTrainedModel:
    """The base as it was: peft puts layers of its own into it, where an adapter works inside."""
    base: PreTrainedModel = model.get_base_model() if virtual_tokens(model) else model.unload()
    return base


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

    if virtual_tokens(model):
        raise UserError(
            "a prefix or prompt cannot be merged: it stands before the text, and no weight could hold it",
            fix="keep it beside the model with --set merge=false",
        )
    before = record(model, rows)
    with quiet():
        merged: PreTrainedModel = model.merge_and_unload(safe_merge=True)
    for weight in merged.parameters():
        weight.requires_grad_(True)
    return merged, compare(before, record(merged, rows), "merge", tolerance)
