"""What a run of pre-training leaves open: the model's size, its updates and how they are cut, by a probe of this machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from langwright.models.presets import PRESETS
from langwright.objectives.settings import compilable
from langwright.runlog import Chosen
from langwright.stages.declaration import Work

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from langwright.stages.pretrain import PretrainSettings, Text
    from langwright.training.devices import DtypeName
    from langwright.training.feed import StoreExamples
    from langwright.training.fit import Plan


def fresh_model(
    settings: PretrainSettings, preset: str, tokenizer: PreTrainedTokenizerBase, length: int
) -> PreTrainedModel:
    """The model with random weights."""
    from langwright.models.building import build_model

    model = build_model(
        PRESETS[preset], len(tokenizer), length, settings.seed, tokenizer,
        head=settings.course.head, dropout=settings.dropout,
    )  # fmt: skip
    if settings.gradient_checkpointing:
        model.activation_checkpointing_enable()
    return model


def plan(work: Work, text: Text) -> Plan:
    """Preset, steps and all else that this machine and this data decide, with a word on why."""
    from langwright.training.planning import steps_for

    settings: PretrainSettings = work.settings
    course = settings.course
    if settings.minutes is not None:
        return plan_for_minutes(work, text, course.presets if settings.preset == "auto" else (settings.preset,))
    name = course.usual if settings.preset == "auto" else settings.preset
    length = settings.length or PRESETS[name].max_position_embeddings
    train = text.rows("train", length)
    probed = probe(text, name, train, length)
    steps = steps_for(settings.steps, settings.epochs, len(train), probed.batch_rows)
    return probed.plan(settings, name, steps, work)


def plan_for_minutes(work: Work, text: Text, names: tuple[str, ...]) -> Plan:
    """Size and steps from the time there is; see `training.budget`."""
    from langwright.models.sizes import estimate
    from langwright.training.budget import Candidate, choose

    settings: PretrainSettings = work.settings
    course = settings.course
    assert settings.minutes is not None
    length = {name: settings.length or PRESETS[name].max_position_embeddings for name in names}
    rows = {name: text.rows("train", length[name]) for name in names}
    probes: dict[str, Probed] = {}

    def probed(name: str) -> Probed:
        if name not in probes:
            probes[name] = probe(text, name, rows[name], length[name])
        return probes[name]

    candidates = []
    for name in names:
        size = estimate(
            PRESETS[name], length[name], vocab_size=len(text.tokenizer), context=length[name],
            predicted=course.predicted(settings.learning),
        )  # fmt: skip
        candidates.append(Candidate(name, size.parameters, size.flops_per_token, length[name]))
    fixed = settings.batch_rows
    choice = choose(
        settings.minutes,
        candidates,
        speed=lambda name: probed(name).tokens_per_second,
        corpus_tokens=rows[names[0]].store.facts.tokens,
        tokens_per_update=(lambda name: fixed * length[name]) if fixed else None,
    )
    work.log.write(Chosen(message=choice.message, values=dict(choice.values)))
    return probed(choice.preset).cut_to(choice.batch_rows).plan(settings, choice.preset, choice.steps, work)


@dataclass(frozen=True)
class Probed:
    """What one micro-batch of a model showed on this machine."""

    length: int
    batch_rows: int
    micro_rows: int
    parameters: int
    seconds: float  # forward and backward of a micro-batch, uncompiled
    memory_bytes: int  # at the most, in an update
    separable: bool  # whether an update may be cut
    dtype: DtypeName
    device: str

    @property
    def tokens_per_second(self) -> float:
        """Speed of forward and backward, uncompiled."""
        return self.micro_rows * self.length / self.seconds

    def cut_to(self, batch_rows: int) -> Probed:
        """The same with updates of this many rows."""
        most = self.micro_rows if self.separable else batch_rows
        micro_rows = max(rows for rows in range(1, most + 1) if batch_rows % rows == 0)
        return replace(
            self, batch_rows=batch_rows, micro_rows=micro_rows, seconds=self.seconds * micro_rows / self.micro_rows
        )

    def plan(self, settings: PretrainSettings, preset: str, steps: int, work: Work) -> Plan:
        """The plan for this many updates."""
        from langwright.training.cores import physical_cores
        from langwright.training.devices import compile_available
        from langwright.training.fit import Plan, worth_compiling
        from langwright.training.planning import evaluation_rows, pretraining_rate

        seconds_per_update = self.seconds * self.batch_rows / self.micro_rows
        return Plan(
            preset=preset,
            steps=steps,
            batch_rows=self.batch_rows,
            micro_rows=self.micro_rows,
            length=self.length,
            learning_rate=settings.learning_rate or pretraining_rate(self.parameters),
            dtype=self.dtype,
            compile=worth_compiling(
                settings.compile,
                steps * seconds_per_update,
                settings.course.one_shape and compile_available() and compilable(settings.around),
                work.log,
            ),
            threads=physical_cores(),
            device=self.device,
            evaluate_rows=evaluation_rows(
                settings.evaluate_rows, steps, self.batch_rows, settings.evaluate_every_share
            ),
            seconds_per_update=seconds_per_update,
            memory_bytes=self.memory_bytes,
        )


TOKENS_PER_UPDATE = 8192


def probe(text: Text, preset: str, rows: StoreExamples, length: int) -> Probed:
    """Run micro-batches of a fresh model, and note what they take; rows at once are limited by free memory."""
    import torch

    from langwright.models.sizes import estimate
    from langwright.training.cores import physical_cores
    from langwright.training.devices import choose_device, compute_dtype
    from langwright.training.probing import probe as probe_rows

    settings = text.settings
    device = choose_device(settings.device)
    torch.set_num_threads(physical_cores())
    dtype = compute_dtype(settings.dtype, device)
    model = fresh_model(settings, preset, text.tokenizer, length)
    model = model.to(device)
    size = estimate(
        model.config, length, dtype=dtype, checkpointing=settings.gradient_checkpointing,
        predicted=settings.course.predicted(settings.learning),
    )  # fmt: skip
    batch_rows = settings.batch_rows or max(1, TOKENS_PER_UPDATE // length)
    objective = text.objective(model)
    found = probe_rows(
        model,
        objective,
        rows,
        batch_rows=batch_rows,
        micro_rows=settings.micro_rows,
        length=length,
        size=size,
        dtype=dtype,
        device=device,
    )
    return Probed(
        length=length,
        batch_rows=batch_rows,
        micro_rows=found.micro_rows,
        parameters=size.parameters,
        seconds=found.seconds,
        memory_bytes=found.memory_bytes,
        separable=objective.separable,
        dtype=dtype,
        device=str(device),
    )
