"""Checkpoints: everything a run needs to go on exactly where it was, in safetensors and JSON with hashes.

    checkpoints/step-00000120/model.safetensors      trainable weights (float32 masters) and buffers
                              optimizer.safetensors  the optimizer's tensors, by weight name
                              state.json             step, random generators, objective, best value so far
                              manifest.json          name, size and sha256 of each; written last

A folder is written as `step-N.new` and renamed when whole, so a kill at any moment leaves whole ones only.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, JsonValue
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from langwright.artifacts import FileRecord
from langwright.errors import UserError
from langwright.files import sync_folder
from langwright.training.averaging import Average
from langwright.training.crew import ALONE, Crew
from langwright.training.gradients import GradientRule
from langwright.training.loss import Objective
from langwright.training.scaling import LossScale
from langwright.training.trainable import Unfreezing

FORMAT = 1


class State(BaseModel):
    """`state.json`: what is not a tensor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    step: int
    tokens: int  # positions computed so far, padding included
    seconds: float  # of training so far, pauses left out
    best: float | None = None  # lowest validation loss so far
    best_step: int | None = None
    losses: tuple[float, ...] = ()  # of the evaluations so far
    evaluating: float = 0.0  # seconds
    saving: float = 0.0  # seconds, of the checkpoints before this one
    joules: float = 0.0
    threads: int = 0  # of torch when it was saved
    python_random: list[JsonValue]
    numpy_random: list[JsonValue]
    optimizer_values: dict[str, dict[str, float | int | bool]] = {}  # weight -> what its state holds besides tensors


class Manifest(BaseModel):
    """`manifest.json`: what a whole checkpoint consists of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    files: dict[str, FileRecord]


@dataclass(frozen=True)
class Progress:
    """Where a run is, besides weights and generators; `threads` were torch's when it was saved, 0 in a new run."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best: float | None = None
    best_step: int | None = None
    losses: tuple[float, ...] = ()
    evaluating: float = 0.0
    saving: float = 0.0
    joules: float = 0.0
    threads: int = 0


@dataclass(frozen=True)
class Trained:
    """What a run changes, besides its progress.

    optimizer  None where only weights are to be taken back
    average    the running mean of the weights, where one is kept
    rule       what lies between backward and the optimizer
    unfreezing the weights that join later, where some do; they are saved from the beginning
    scale      of the loss, in float16
    """

    model: nn.Module
    objective: Objective[Any]
    optimizer: torch.optim.Optimizer | None = None
    average: Average | None = None
    rule: GradientRule | None = None
    unfreezing: Unfreezing | None = None
    scale: LossScale | None = None


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return folder / f"step-{step:08d}"


# --- writing -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """A checkpoint that became whole."""

    path: Path
    seconds: float
    bytes: int


def save_checkpoint(
    folder: Path, trained: Trained, progress: Progress, keep: int, crew: Crew = ALONE
) -> Written | None:
    """Write the run's whole state, then let go of checkpoints that are neither among the last `keep` nor the best.

    Of several processes all take part in putting it together, and the first one writes; None in the others.
    """
    began = time.perf_counter()
    tensors = tensors_to_save(trained, crew)
    if crew.rank:
        return None
    final = checkpoint_path(folder, progress.step)
    scratch = final.with_name(final.name + ".new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        records = {
            name: write_synced(scratch / name, data) for name, data in contents(tensors, trained, progress).items()
        }
        write_synced(scratch / "manifest.json", Manifest(files=records).model_dump_json(indent=2).encode())
    except OSError:
        shutil.rmtree(scratch, ignore_errors=True)  # a full disk: give the space back, the last whole one stays
        raise
    if final.exists():  # the same step was saved before a stop
        shutil.rmtree(final)
    scratch.rename(final)
    sync_folder(folder)
    drop_old(folder, keep, progress.best_step)
    return Written(final, time.perf_counter() - began, sum(record.size for record in records.values()))


def tensors_to_save(trained: Trained, crew: Crew) -> dict[str, dict[str, Tensor]]:
    """The tensors of a checkpoint by file, whole and in the machine's memory, their names led by what they belong to."""
    average = trained.average.state_dict() if trained.average else {}
    return {
        "model.safetensors": stored(trained_tensors(trained), crew=crew),
        "optimizer.safetensors": stored(optimizer_tensors(trained), crew=crew)
        | generator_states()
        | stored(trained.objective.state_dict(), "objective.", crew=crew)
        | stored(average, "average.", crew=crew)
        | stored(trained.rule.state_dict() if trained.rule else {}, "gradients.", crew=crew)
        | stored(trained.scale.state_dict() if trained.scale else {}, "scale.", crew=crew),
    }


def contents(tensors: Mapping[str, dict[str, Tensor]], trained: Trained, progress: Progress) -> dict[str, bytes]:
    """The files of a checkpoint."""
    algorithm, keys, *rest = np.random.get_state(legacy=True)
    version, internal, gauss = random.getstate()
    state = State(
        step=progress.step,
        tokens=progress.tokens,
        seconds=progress.seconds,
        best=progress.best,
        best_step=progress.best_step,
        losses=progress.losses,
        evaluating=progress.evaluating,
        saving=progress.saving,
        joules=progress.joules,
        threads=torch.get_num_threads(),
        python_random=[version, list(internal), gauss],
        numpy_random=[str(algorithm), [int(word) for word in keys], *rest],
        optimizer_values=optimizer_values(trained),
    )
    return {
        **{name: save_tensors(found) for name, found in tensors.items()},
        "state.json": state.model_dump_json().encode(),
    }


def stored(tensors: Mapping[str, Tensor], prefix: str = "", crew: Crew = ALONE) -> dict[str, Tensor]:
    """Tensors as safetensors wants them, their names led by a prefix.

    In the order of their names: what a checkpoint gave comes in any order, and putting parts together is done by all
    processes at once.
    """
    return {prefix + name: crew.whole(t.detach()).cpu().contiguous() for name, t in sorted(tensors.items())}


def led_by(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those that `stored` led by this prefix; an optimizer's have a bar in their names."""
    return {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix) and "|" not in k}


def generator_states() -> dict[str, Tensor]:
    """Where torch's random generators are."""
    states = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states |= {f"random.cuda.{i}": state for i, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def set_generators(states: Mapping[str, Tensor]) -> None:
    """Put torch's random generators back where `generator_states` found them; other tensors are ignored."""
    torch.set_rng_state(states["random.cpu"])
    if torch.cuda.is_available():
        for name, state in states.items():
            if name.startswith("random.cuda."):
                torch.cuda.set_rng_state(state, int(name.removeprefix("random.cuda.")))


def trained_tensors(trained: Trained) -> dict[str, Tensor]:
    """What training changes: trainable weights of model and objective, and persistent buffers; tied weights once."""
    model = trained.model
    joining = trained.unfreezing.weights if trained.unfreezing else {}
    persistent = model.state_dict(keep_vars=True)
    found: dict[str, Tensor] = {f"model.{n}": w for n, w in model.named_parameters() if w.requires_grad or n in joining}
    found |= {f"buffer.{n}": b for n, b in model.named_buffers() if n in persistent}
    found |= {f"objective.{i}": w for i, w in enumerate(trained.objective.parameters())}
    return found


def optimizer_state(trained: Trained) -> dict[str, dict[str, Tensor | float | int | bool]]:
    """What the optimizer keeps, by the name of its weight."""
    assert trained.optimizer is not None  # a run that is saved has one
    found = {name: dict(trained.optimizer.state.get(w, {})) for name, w in trained_tensors(trained).items()}
    for key, value in ((key, value) for kept in found.values() for key, value in kept.items()):
        if not isinstance(value, (Tensor, bool, int, float)):
            raise TypeError(f"the optimizer keeps {key} as {type(value).__name__}, which a checkpoint cannot hold")
    return found


def optimizer_tensors(trained: Trained) -> dict[str, Tensor]:
    """The optimizer's tensors, as weight|key."""
    return {
        f"{name}|{key}": value
        for name, kept in optimizer_state(trained).items()
        for key, value in kept.items()
        if isinstance(value, Tensor)
    }


def optimizer_values(trained: Trained) -> dict[str, dict[str, float | int | bool]]:
    """What else it keeps."""
    found = {
        name: {key: value for key, value in kept.items() if not isinstance(value, Tensor)}
        for name, kept in optimizer_state(trained).items()
    }
    return {name: kept for name, kept in found.items() if kept}


def write_synced(file: Path, data: bytes) -> FileRecord:
    """Write and flush to the disk."""
    with file.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    return FileRecord(size=len(data), sha256=hashlib.sha256(data).hexdigest())


def drop_old(folder: Path, keep: int, best_step: int | None) -> None:
    """Remove what is neither recent nor best."""
    for path in whole_checkpoints(folder)[keep:]:
        if step_of(path) != best_step:
            # The manifest goes first: a kill in the middle leaves a folder that is not taken for whole.
            (path / "manifest.json").unlink()
            shutil.rmtree(path)


# --- reading -----------------------------------------------------------------------------------


def step_of(path: Path) -> int:
    """The step in a checkpoint folder's name."""
    return int(path.name.removeprefix("step-"))


def whole_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints with a manifest, newest first."""
    found = [
        path
        for path in folder.glob("step-*")
        if re.fullmatch(r"step-\d+", path.name) and (path / "manifest.json").is_file()
    ]
    return sorted(found, key=step_of, reverse=True)


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint, or None: each file is read and compared with the manifest."""
    try:
        manifest = Manifest.model_validate_json((path / "manifest.json").read_bytes())
        for name, record in manifest.files.items():
            data = (path / name).read_bytes()
            if len(data) != record.size or hashlib.sha256(data).hexdigest() != record.sha256:
                return name
    except (OSError, ValueError):
        return "manifest.json"
    return None


@dataclass(frozen=True)
class Found:
    """The newest checkpoint that is whole, and the damaged ones passed over on the way to it."""

    path: Path | None
    damaged: tuple[tuple[Path, str], ...]


def newest_whole(folder: Path) -> Found:
    """Look from the newest back until one passes its hashes.

    raises  UserError when there are checkpoints and every one is damaged
    """
    damaged: list[tuple[Path, str]] = []
    for path in whole_checkpoints(folder):
        wrong = damage(path)
        if wrong is None:
            return Found(path, tuple(damaged))
        damaged.append((path, wrong))
    if damaged:
        raise UserError(
            "every checkpoint under {folder} is damaged, the newest in {name}",
            fix="add --restart to begin anew",
            folder=folder,
            name=damaged[0][1],
        )
    return Found(None, ())


def load_checkpoint(path: Path, trained: Trained, crew: Crew = ALONE) -> Progress:
    """Take back weights and buffers; an average where one is given; with an optimizer its state, the objective's and every generator's."""
    state = State.model_validate_json((path / "state.json").read_bytes())
    weights = load_tensors((path / "model.safetensors").read_bytes())
    targets = trained_tensors(trained)
    if weights.keys() != targets.keys():
        raise UserError(
            "{path} holds other weights than this model: {names}",
            fix="resume with the model it was made with, or add --restart",
            path=path,
            names=", ".join(sorted(weights.keys() ^ targets.keys())[:3]),
        )
    with torch.no_grad():
        for name, target in targets.items():
            target.copy_(crew.part(weights[name], target))
    if trained.optimizer is not None or trained.average is not None:
        tensors = load_tensors((path / "optimizer.safetensors").read_bytes())
        if trained.average is not None:
            trained.average.load_state_dict(
                {n: crew.part(t, trained.average.weights[n]) for n, t in led_by("average.", tensors).items()}
            )
        if trained.optimizer is not None:
            trained.objective.load_state_dict(led_by("objective.", tensors))
            if trained.scale is not None:
                trained.scale.load_state_dict(led_by("scale.", tensors))
            if trained.rule is not None:
                trained.rule.load_state_dict(led_by("gradients.", tensors))
            restore_optimizer(state, tensors, targets, trained.optimizer, crew)
            restore_generators(state, tensors)
    return Progress(**{name: getattr(state, name) for name in Progress.__dataclass_fields__})


def restore_optimizer(
    state: State,
    tensors: Mapping[str, Tensor],
    targets: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    crew: Crew,
) -> None:
    """The optimizer's tensors and values."""
    fields: dict[str, dict[str, Tensor | float | int | bool]] = {
        name: dict(v) for name, v in state.optimizer_values.items()
    }
    for key, tensor in tensors.items():
        name, bar, field = key.partition("|")
        if bar:
            fields.setdefault(name, {})[field] = crew.part(tensor, targets[name])
    numbers = {id(w): i for i, w in enumerate(w for group in optimizer.param_groups for w in group["params"])}
    by_number = {numbers[id(targets[name])]: values for name, values in fields.items()}
    # The optimizer's own loader knows which of its tensors follow the weight to its device.
    optimizer.load_state_dict({"state": by_number, "param_groups": optimizer.state_dict()["param_groups"]})


def restore_generators(state: State, tensors: Mapping[str, Tensor]) -> None:
    """Every random generator as it was."""
    set_generators(tensors)
    version, internal, gauss = json.loads(json.dumps(state.python_random))
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = state.numpy_random
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))  # type: ignore[arg-type]
