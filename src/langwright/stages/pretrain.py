"""`langwright pretrain DATASET TOKENIZER OUT`: a language model from running text, from random weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, field_validator, model_validator

from langwright.artifacts import Ability, Made, ModelFacts
from langwright.errors import UserError
from langwright.models.presets import preset_named
from langwright.objectives.settings import LearningSettings, compilable, wrapped
from langwright.runlog import Chosen, Warned
from langwright.stages.declaration import Input, Stage, Work

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from langwright.data.dataset import Dataset
    from langwright.objectives.next_token import RowExamples
    from langwright.training.devices import DtypeName
    from langwright.training.fit import Plan
    from langwright.training.preflight import Preflight


class PretrainSettings(LearningSettings):
    """How a language model is trained from scratch."""

    preset: Annotated[
        str, Field(description="Shape of the model; auto lets `minutes` choose, or takes mini where no time is given")
    ] = "auto"
    minutes: Annotated[
        float | None,
        Field(gt=0, description="Time to spend on training; a probe of this machine then chooses size and steps"),
    ] = None
    epochs: Annotated[
        float | None,
        Field(gt=0, description="Passes over the training rows, where neither steps nor minutes are given"),
    ] = None
    length: Annotated[
        int | None, Field(ge=8, description="Tokens in a row, and the context of the model; the preset's when left out")
    ] = None
    stop_at_documents: Annotated[
        bool,
        Field(
            description="Attention stops at the beginning of a document, so that a row's documents do not see each other"
        ),
    ] = True
    prompts: Annotated[
        tuple[str, ...],
        Field(
            description="What the model goes on from when it is shown as it learns; taken from the data when left out"
        ),
    ] = ()

    @field_validator("preset")
    @classmethod
    def known_preset(cls, name: str) -> str:
        """UserError with the nearest preset for a name that is none."""
        return name if name == "auto" else preset_named(name).name

    @model_validator(mode="after")
    def one_length_of_run(self) -> Self:
        """Steps, minutes and epochs say the same thing; at most one may be given."""
        given = [name for name in ("steps", "minutes", "epochs") if getattr(self, name) is not None]
        if len(given) > 1:
            raise UserError(
                "{names} were given together, and each says how long to train",
                fix="keep one of them",
                names=" and ".join(given),
            )
        return self


def run(work: Work) -> Made:
    """Train and write the model; see the module."""
    from langwright.data.dataset import open_dataset
    from langwright.data.order import Order
    from langwright.models.loading import save_model
    from langwright.objectives.next_token import NextToken
    from langwright.stages.fitting import Samples, beginnings, run_measures, training_flops
    from langwright.tokenizers.loading import load_tokenizer
    from langwright.training.devices import choose_device
    from langwright.training.feed import Feed
    from langwright.training.fit import Fit, fit
    from langwright.training.planning import read_plan, save_plan

    settings: PretrainSettings = work.settings
    dataset = open_dataset(work.one("dataset").path)
    folder = work.one("tokenizer").path
    tokenizer = load_tokenizer(folder)
    resolved = read_plan(work.making.run) if work.making.resumed else None
    if resolved is None:
        resolved = plan(work, dataset, tokenizer)
        save_plan(work.making.run, resolved)
    train, validation = examples(work, dataset, tokenizer, resolved.length)
    model = fresh_model(settings, resolved.preset, tokenizer, resolved.length).to(choose_device(resolved.device))
    facts = train.store.facts
    prompts = settings.prompts or beginnings(dataset, "validation" if "validation" in dataset.splits else "train")
    outcome = fit(
        Fit(
            model=model,
            objective=wrapped(NextToken(compiled=resolved.compile), settings.around, model),
            feed=Feed(train, Order(settings.seed, len(train)), resolved.batch_rows, resolved.micro_rows),
            validation=validation,
            plan=resolved,
            settings=settings,
            checkpoints=work.making.checkpoints,
            run=work.making.run,
            log=work.log,
            bytes_per_unit=facts.bytes / facts.tokens,
            sampler=Samples(tokenizer, prompts) if prompts else None,
        )
    )
    save_model(model, tokenizer, work.out)
    flops = training_flops(model, resolved.length, outcome.progress.tokens)
    return Made(
        results=run_measures(outcome, resolved, flops, dataset.path.name, work.command, settings.seed),
        abilities=(Ability(task="generate", solver="generation"),),
        model=ModelFacts(
            architecture=type(model).__name__,
            parameters=sum(weight.numel() for weight in model.parameters()),
            context=resolved.length,
            vocab_size=len(tokenizer),
        ),
    )


# --- what the run trains on ----------------------------------------------------------------------


def examples(
    work: Work, dataset: Dataset, tokenizer: PreTrainedTokenizerBase, length: int
) -> tuple[RowExamples, RowExamples | None]:
    """Training rows and, where there is such a split, validation rows."""
    from langwright.data.packing import saved_plan
    from langwright.objectives.next_token import RowExamples
    from langwright.stages.fitting import open_split

    settings: PretrainSettings = work.settings
    folder = work.one("tokenizer").path

    def rows(split: str) -> RowExamples:
        store = open_split(work, dataset, split, tokenizer, folder, texts=True)
        layout = saved_plan(store, "stream", length)
        return RowExamples(store, layout, tokenizer.pad_token_id, settings.stop_at_documents)

    if "validation" not in dataset.splits:
        work.log.write(Warned(message="this dataset has no validation split, so nothing is measured on held-out text"))
        return rows("train"), None
    return rows("train"), rows("validation")


def check(work: Work) -> Preflight:
    """What `langwright check pretrain` shows: the rows as training would see them."""
    from langwright.data.dataset import open_dataset
    from langwright.models.presets import PRESETS
    from langwright.tokenizers.loading import load_tokenizer
    from langwright.training.preflight import count_leaks, inspect_rows

    settings: PretrainSettings = work.settings
    dataset = open_dataset(work.one("dataset").path)
    tokenizer = load_tokenizer(work.one("tokenizer").path)
    preset = PRESETS["mini" if settings.preset == "auto" else settings.preset]
    train, _ = examples(work, dataset, tokenizer, settings.length or preset.max_position_embeddings)
    leaked = count_leaks(dataset.texts("train"), dataset.texts("validation")) if "validation" in dataset.splits else 0
    return inspect_rows(train.store, train.plan, tokenizer, leaked=leaked)


# --- what the run leaves open ----------------------------------------------------------------------


def fresh_model(
    settings: PretrainSettings, preset: str, tokenizer: PreTrainedTokenizerBase, length: int
) -> PreTrainedModel:
    """The model with random weights."""
    from langwright.models.building import build_model
    from langwright.models.presets import PRESETS

    model = build_model(
        PRESETS[preset], vocab_size=len(tokenizer), context=length, seed=settings.seed, tokenizer=tokenizer
    )
    if settings.gradient_checkpointing:
        model.activation_checkpointing_enable()
    return model


def plan(work: Work, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Plan:
    """Preset, steps and all else that this machine and this data decide, with a word on why."""
    from langwright.models.presets import PRESETS
    from langwright.training.planning import steps_for

    settings: PretrainSettings = work.settings
    if settings.minutes is not None:
        names = [settings.preset] if settings.preset != "auto" else ["tiny", "mini", "small", "base"]
        return plan_for_minutes(work, dataset, tokenizer, names)
    name = "mini" if settings.preset == "auto" else settings.preset
    length = settings.length or PRESETS[name].max_position_embeddings
    train, _ = examples(work, dataset, tokenizer, length)
    probed = probe(settings, name, tokenizer, train)
    steps = steps_for(settings.steps, settings.epochs, len(train), probed.batch_rows)
    return probed.plan(settings, name, steps, work)


def plan_for_minutes(work: Work, dataset: Dataset, tokenizer: PreTrainedTokenizerBase, names: list[str]) -> Plan:
    """Size and steps from the time there is; see `training.budget`."""
    from langwright.models.presets import PRESETS
    from langwright.models.sizes import estimate
    from langwright.training.budget import Candidate, choose

    settings: PretrainSettings = work.settings
    assert settings.minutes is not None
    length = {name: settings.length or PRESETS[name].max_position_embeddings for name in names}
    rows = {name: examples(work, dataset, tokenizer, length[name])[0] for name in names}
    probes: dict[str, Probed] = {}

    def probed(name: str) -> Probed:
        if name not in probes:
            probes[name] = probe(settings, name, tokenizer, rows[name])
        return probes[name]

    candidates = []
    for name in names:
        size = estimate(PRESETS[name], length[name], vocab_size=len(tokenizer), context=length[name])
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
    dtype: DtypeName
    device: str

    @property
    def tokens_per_second(self) -> float:
        """Speed of forward and backward, uncompiled."""
        return self.micro_rows * self.length / self.seconds

    def cut_to(self, batch_rows: int) -> Probed:
        """The same with updates of this many rows."""
        micro_rows = max(rows for rows in range(1, self.micro_rows + 1) if batch_rows % rows == 0)
        return replace(
            self, batch_rows=batch_rows, micro_rows=micro_rows, seconds=self.seconds * micro_rows / self.micro_rows
        )

    def plan(self, settings: PretrainSettings, preset: str, steps: int, work: Work) -> Plan:
        """The plan for this many updates."""
        from langwright.training.devices import compile_available, physical_cores
        from langwright.training.fit import Plan, worth_compiling
        from langwright.training.planning import evaluation_rows, pretraining_rate

        seconds = steps * self.seconds * self.batch_rows / self.micro_rows
        return Plan(
            preset=preset,
            steps=steps,
            batch_rows=self.batch_rows,
            micro_rows=self.micro_rows,
            length=self.length,
            learning_rate=settings.learning_rate or pretraining_rate(self.parameters),
            dtype=self.dtype,
            compile=worth_compiling(
                settings.compile, seconds, compile_available() and compilable(settings.around), work.log
            ),
            threads=physical_cores(),
            device=self.device,
            evaluate_rows=evaluation_rows(
                settings.evaluate_rows, steps, self.batch_rows, settings.evaluate_every_share
            ),
        )


TOKENS_PER_UPDATE = 8192


def probe(settings: PretrainSettings, preset: str, tokenizer: PreTrainedTokenizerBase, rows: RowExamples) -> Probed:
    """Run one micro-batch of a fresh model, and note how long it takes; rows at once are limited by free memory."""
    import numpy as np
    import torch

    from langwright.models.sizes import estimate
    from langwright.objectives.next_token import NextToken
    from langwright.training.devices import available_memory, choose_device, compute_dtype, physical_cores
    from langwright.training.fit import probe_seconds
    from langwright.training.planning import rows_that_fit

    length = rows.plan.length
    device = choose_device(settings.device)
    torch.set_num_threads(physical_cores())
    dtype = compute_dtype(settings.dtype, device)
    model = fresh_model(settings, preset, tokenizer, length).to(device)
    size = estimate(model.config, length, dtype=dtype, checkpointing=settings.gradient_checkpointing)
    batch_rows = settings.batch_rows or max(1, TOKENS_PER_UPDATE // length)
    micro_rows = settings.micro_rows or rows_that_fit(
        batch_rows, size.activation_bytes_per_token * length, size.fixed_bytes, available_memory(device)
    )
    batch = rows.batch(np.arange(min(micro_rows, len(rows)), dtype=np.int64))
    seconds = probe_seconds(model, wrapped(NextToken(), settings.around, model), batch, dtype)
    return Probed(length, batch_rows, micro_rows, size.parameters, seconds, dtype, str(device))


STAGE = Stage(
    name="pretrain",
    version=1,
    summary="Train a language model from scratch on running text",
    settings=PretrainSettings,
    inputs=(
        Input("dataset", "dataset", "The text to learn from"),
        Input("tokenizer", "tokenizer", "The tokenizer that cuts it"),
    ),
    makes="model",
    run=run,
    next="langwright generate {out} 'Once upon a time'",
    options={"--preset": "preset", "--steps": "steps", "--minutes": "minutes", "--seed": "seed"},
    check=check,
)
