"""Adapters chosen per request: the base's matrices once for all rows, and beside them each row's own low-rank update.

Source    Hu et al. 2021, arXiv:2106.09685, equation 3; rsLoRA: Kalajdzievski 2023, arXiv:2312.03732, theorem 3.2;
          one pass over rows of several adapters: Chen et al. 2023, arXiv:2310.18547, section 4 (there a kernel; here
          two products for each adapter and matrix, over the positions of its rows)
Differs   DoRA, (IA)³, prefixes, and modules trained whole are refused: they change more than an addition to a product
Shapes    N positions of a pass, those of all rows one after the other    I, O widths of a matrix    R rank
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from langwright.errors import UserError, unknown
from langwright.inference.kernels.steady import tiled_product
from langwright.models.adapters import BASE, CONFIG, WEIGHTS, Base, check_adapter, fingerprint

PREFIX = "base_model.model."  # peft's, before the name of a module


@dataclass(frozen=True, eq=False)
class Adapter:
    """One adapter in memory, which rows hold for as long as they run, also when its name is gone.

    pairs  module's name -> (R, I) and (O, R), the second with the scale in it
    """

    name: str
    pairs: dict[str, tuple[Tensor, Tensor]]
    bank: Adapters
    number: int = field(default_factory=count().__next__)  # tells it from another that had its name before

    @property
    def root(self) -> str:
        """What keys and values depend on beside the tokens."""
        return f"{self.number}"


@dataclass
class Pass:
    """Whose positions a forward pass is made of.

    owners   of each row
    lengths  positions of each row; None where all rows have as many, whatever part of the model runs
    """

    owners: Sequence[Adapter | None]
    lengths: Sequence[int] | None
    places: dict[int, list[tuple[Adapter, Tensor]]] = field(default_factory=dict)

    def segments(self, number: int, device: torch.device) -> list[tuple[Adapter, Tensor]]:
        """Each adapter with the places of its positions among `number`."""
        if number not in self.places:
            lengths = self.lengths
            if lengths is None:
                if number % len(self.owners):
                    raise RuntimeError(f"{number} positions are not those of {len(self.owners)} rows")
                lengths = [number // len(self.owners)] * len(self.owners)
            if sum(lengths) != number:
                raise RuntimeError(f"{number} positions reached a matrix, and the rows have {sum(lengths)}")
            found: dict[Adapter, list[int]] = {}
            begin = 0
            for owner, length in zip(self.owners, lengths, strict=True):
                if owner is not None:
                    found.setdefault(owner, []).extend(range(begin, begin + length))
                begin += length
            self.places[number] = [(one, torch.tensor(at, device=device)) for one, at in found.items()]
        return self.places[number]


class Adapters:
    """The adapters of one model by name; their updates are added while a pass is under way that needs them."""

    def __init__(self, model: PreTrainedModel, strict: bool = False) -> None:
        """strict: a row's update does not depend on which rows run with the same adapter."""
        self.model = model
        self._product = tiled_product if strict else F.linear
        self.base = fingerprint(model)  # before anything is done to its weights
        self.loaded: dict[str, Adapter] = {}
        self._hooks: dict[str, Any] = {}
        self._now: Pass | None = None
        self._reached: set[str] = set()

    def __getitem__(self, name: str) -> Adapter:
        """One by name; UserError when it is not loaded."""
        if name not in self.loaded:
            raise unknown("adapter", name, self.loaded)
        return self.loaded[name]

    def add(self, adapter: Adapter) -> None:
        """Have requests find it."""
        if adapter.name in self.loaded:
            raise UserError(
                "an adapter called {name!r} is loaded already",
                fix="unload it first, or give another name",
                name=adapter.name,
            )
        for name in adapter.pairs:
            if name not in self._hooks:
                module = self.model.get_submodule(name)
                self._hooks[name] = module.register_forward_hook(self._hook_of(name))
        self._check_reached(adapter)
        self.loaded[adapter.name] = adapter

    def remove(self, name: str) -> None:
        """Have requests find it no more; those that run with it go on."""
        del self.loaded[self[name].name]

    def _check_reached(self, adapter: Adapter) -> None:
        """UserError where a matrix is not multiplied with all positions, or not at all: found by a pass of three tokens."""
        ids_1T = torch.zeros((1, 3), dtype=torch.long, device=next(self.model.parameters()).device)
        rewrites = self.model.config.is_encoder_decoder
        extra = {"decoder_input_ids": ids_1T} if rewrites else {}
        self._reached = set()
        try:
            with self.during([adapter], None if rewrites else [3]):
                self.model(input_ids=ids_1T, use_cache=False, **extra)
        except RuntimeError as error:
            raise unmixable(Path(adapter.name), str(error)) from error
        missed = sorted(set(adapter.pairs) - self._reached)
        if missed:
            raise unmixable(Path(adapter.name), f"{missed[0]} is not reached")

    def release(self) -> None:
        """Leave the model as it was."""
        for hook in self._hooks.values():
            hook.remove()
        self._hooks, self.loaded = {}, {}

    def read(self, name: str, folder: Path) -> Adapter:
        """An adapter from peft's files; the model is looked at and not changed.

        raises  UserError when the folder holds none, one of another base, or one of a kind that cannot be mixed
        """
        from safetensors.torch import load_file

        check_adapter(folder)
        self._check_base(folder)
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        refuse_unmixable(folder, config)
        modules = dict(self.model.named_modules())
        halves: dict[str, dict[str, Tensor]] = {}
        for key, weight in load_file(folder / WEIGHTS).items():
            module, _, half = key.removeprefix(PREFIX).removesuffix(".weight").rpartition(".")
            if half not in ("lora_A", "lora_B") or module not in modules:
                raise does_not_fit(folder, self.model, f"it has {key}")
            halves.setdefault(module, {})[half] = weight
        pairs = {module: self._pair(folder, config, module, modules[module], both) for module, both in halves.items()}
        return Adapter(name, pairs, self)

    def _pair(
        self, folder: Path, config: dict[str, Any], name: str, module: nn.Module, both: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The two matrices of a module, the second scaled, in the model's number format."""
        like = self.model.get_input_embeddings().weight
        if set(both) != {"lora_A", "lora_B"}:
            raise does_not_fit(folder, self.model, f"{name} has one matrix of two")
        if module is self.model.get_output_embeddings() or isinstance(module, nn.Embedding):
            raise unmixable(folder, f"it changes {name}")
        down_RI, up_OR = both["lora_A"], both["lora_B"]
        widths = widths_of(module)
        if widths is not None and widths != (down_RI.shape[1], up_OR.shape[0]):
            raise does_not_fit(
                folder, self.model, f"{name} is {widths[0]} to {widths[1]}, not {down_RI.shape[1]} to {up_OR.shape[0]}"
            )
        scale = scale_of(config, name, down_RI.shape[0])
        dtype = like.dtype if like.dtype.is_floating_point else torch.float32
        return down_RI.to(like.device, dtype), (up_OR.float() * scale).to(like.device, dtype)

    def _check_base(self, folder: Path) -> None:
        """UserError for an adapter that says it was trained beside other weights."""
        if not (folder / BASE).is_file():
            return  # of another program: its shapes are all that can be compared
        if Base.model_validate_json((folder / BASE).read_bytes()).fingerprint != self.base:
            raise UserError(
                "the adapter in {folder} was trained beside other weights than this {architecture} has",
                fix="give the model it was trained beside; once that was trained on, its adapters no longer fit",
                folder=folder,
                architecture=type(self.model).__name__,
            )

    def _hook_of(self, name: str) -> Any:
        def add_updates(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
            if self._now is None:
                return None
            self._reached.add(name)
            x_NI = given[0].reshape(-1, given[0].shape[-1])
            changed_NO: Tensor | None = None
            for adapter, places in self._now.segments(len(x_NI), x_NI.device):
                pair = adapter.pairs.get(name)
                if pair is None:
                    continue
                if changed_NO is None:
                    changed_NO = output.reshape(-1, output.shape[-1]).clone()
                down_RI, up_OR = pair
                update = self._product(self._product(x_NI[places].to(down_RI.dtype), down_RI, None), up_OR, None)
                changed_NO.index_add_(0, places, update.to(changed_NO.dtype))
            return None if changed_NO is None else changed_NO.view_as(output)

        return add_updates

    @contextmanager
    def during(self, owners: Sequence[Adapter | None], lengths: Sequence[int] | None) -> Iterator[None]:
        """The passes of this block are those of these rows."""
        self._now = Pass(owners, lengths)
        try:
            yield
        finally:
            self._now = None


@contextmanager
def at_work(owners: Sequence[Adapter | None], lengths: Sequence[int] | None = None) -> Iterator[None]:
    """Add the updates of these rows' adapters to the passes of the block; nothing where no row has one.

    lengths  positions of each row in the pass; None where all rows have as many
    """
    one = next((owner for owner in owners if owner is not None), None)
    if one is None:
        yield
        return
    with one.bank.during(owners, lengths):
        yield


def scale_of(config: dict[str, Any], module: str, rank: int) -> float:
    """What an update is multiplied with: alpha over the rank, or over its root.

    >>> scale_of({"lora_alpha": 16}, "q_proj", 8), scale_of({"lora_alpha": 16, "use_rslora": True}, "q_proj", 4)
    (2.0, 8.0)
    """
    from peft.utils.other import get_pattern_key

    patterns = config.get("alpha_pattern") or {}
    alpha = patterns.get(get_pattern_key(patterns.keys(), module), config.get("lora_alpha", rank))
    return float(alpha / rank**0.5 if config.get("use_rslora") else alpha / rank)


def widths_of(module: nn.Module) -> tuple[int, int] | None:
    """Width of what goes into a matrix and of what comes out; None where the module does not say."""
    if hasattr(module, "in_features"):
        return int(module.in_features), int(module.out_features)  # type: ignore[arg-type]
    if hasattr(module, "nx"):  # as GPT-2's
        return int(module.nx), int(module.nf)  # type: ignore[arg-type]
    return None


def refuse_unmixable(folder: Path, config: dict[str, Any]) -> None:
    """UserError for what cannot be added row by row."""
    if config.get("peft_type") != "LORA":
        raise unmixable(folder, f"its kind is {config.get('peft_type')}")
    if config.get("use_dora"):
        raise unmixable(folder, "its kind is DoRA")
    if config.get("modules_to_save"):
        raise unmixable(folder, f"it changes {', '.join(config['modules_to_save'])} as a whole")
    if config.get("bias", "none") != "none":
        raise unmixable(folder, "it changes bias terms")


def unmixable(folder: Path, reason: str) -> UserError:
    """For adapters that are more than an addition to products."""
    return UserError(
        "the adapter in {folder} cannot be chosen per request: {reason}",
        fix="open the model with it alone: langwright.load(MODEL, adapter=NAME)",
        folder=folder,
        reason=reason,
    )


def does_not_fit(folder: Path, model: PreTrainedModel, reason: str) -> UserError:
    """For adapters of another architecture."""
    return UserError(
        "the adapter in {folder} does not fit this {architecture}: {reason}",
        fix="give the model it was trained beside",
        folder=folder,
        architecture=type(model).__name__,
        reason=reason,
    )
