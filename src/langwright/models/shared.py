"""One body with several heads: models that share a trunk, written as a plain model with more heads beside it.

    model.safetensors …           a plain Hugging Face folder: the trunk with the first head
    heads/NAME/config.json        the class and labels of another head
    heads/NAME/head.safetensors   its weights, without the trunk's

Source    Caruana 1997, Machine Learning 28:41 (hard sharing)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file
from torch import nn

from langwright.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

HEAD = "head.safetensors"


class SharedTrunk(nn.Module):
    """Models that have one body in common, each with a head of its own."""

    def __init__(self, heads: Mapping[str, PreTrainedModel]) -> None:
        """heads: whole models of one family by task; the body with the most weights becomes that of all.

        Tasks whose answer is written (`can_generate`) have no head of their own: what they ask stands in the text, and
        they share one whole model.

        raises  UserError for a model without a body of its own beside others
        """
        super().__init__()
        self.names = list(heads)
        written = {type(model): model for model in reversed(list(heads.values())) if model.can_generate()}
        models = [written.get(type(model), model) for model in heads.values()]
        alone = [model for model in models if model.base_model is model]
        if alone and len({id(model) for model in models}) > 1:
            raise UserError(
                "{architectures} have no body in common",
                fix="teach these tasks apart, with `langwright finetune`",
                architectures=", ".join(sorted({type(model).__name__ for model in models})),
            )
        if not alone:
            trunk = max((model.base_model for model in models), key=size_of)
            for model in models:
                setattr(model, model.base_model_prefix, trunk)
                model.tie_weights()
        self.heads = nn.ModuleList(models)  # a name may hold what a module's may not

    @property
    def trunk(self) -> Any:
        """The body."""
        return self.heads[0].base_model

    def head(self, task: str) -> Any:
        """The whole model of a task."""
        return self.heads[self.names.index(task)]

    def get_input_embeddings(self) -> nn.Module:
        """The trunk's."""
        found: nn.Module = self.trunk.get_input_embeddings()
        return found


def size_of(module: nn.Module) -> int:
    """Its weights."""
    return sum(weight.numel() for weight in module.parameters())


def own_tensors(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """What a model has besides its body; a matrix tied to the body's embeddings is the body's."""
    body = {id(weight) for weight in model.base_model.parameters()}
    return {
        name: weight.detach().cpu().contiguous() for name, weight in model.named_parameters() if id(weight) not in body
    }


def beside_first(model: SharedTrunk) -> tuple[str, ...]:
    """Names of the tasks that the first one's model cannot do as it is."""
    return tuple(name for name in model.names if model.head(name) is not model.heads[0])


def save_heads(model: SharedTrunk, out: Path) -> None:
    """Write every head but the first, which is the folder's own, under heads/."""
    for name in beside_first(model):
        folder = out / "heads" / name
        folder.mkdir(parents=True)
        one = model.head(name)
        config = one.config
        config.architectures = [type(one).__name__]
        config._name_or_path = ""
        config.save_pretrained(folder)
        save_file(own_tensors(one), folder / HEAD)


def heads_of(path: Path) -> tuple[str, ...]:
    """Names of the heads beside a model's own."""
    return tuple(sorted(file.parent.name for file in path.glob(f"heads/*/{HEAD}")))


def open_head(path: Path, name: str) -> PreTrainedModel:
    """The model of a folder with one of the heads beside its own, on the CPU, in evaluation mode.

    raises  UserError when there is no such head
    """
    import transformers

    from langwright.models.loading import add_chain, chosen_attention, load_model, quiet, read_config, tags_of

    known = heads_of(path)
    if name not in known:
        raise UserError(
            "{path} has no head called {name}",
            fix="it has {known} besides its own; leave the name out for that one",
            path=path,
            name=name,
            known=", ".join(known) or "-",
        )
    folder = path / "heads" / name
    config = read_config(folder)
    with quiet():
        kind = getattr(transformers, config.architectures[0])
        model: PreTrainedModel = kind._from_config(
            config, dtype=torch.float32, attn_implementation=chosen_attention(config, "auto")
        )
    if tags_of(config) == "crf":
        add_chain(model, {})
    setattr(model, model.base_model_prefix, load_model(path, head="backbone"))
    model.load_state_dict(load_tensors((folder / HEAD).read_bytes()), strict=False)
    model.tie_weights()
    return model.eval()
