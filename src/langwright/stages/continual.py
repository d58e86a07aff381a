"""`langwright continual MODEL DATASET... OUT`: learn tasks one after the other, methods against forgetting side by side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from langwright.artifacts import Made
from langwright.stages.declaration import Input, Stage, Work
from langwright.stages.sequences.settings import ContinualSettings, GenerativeReplay

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from langwright.evaluation.experiments.sequences import Learned
    from langwright.stages.sequences.learning import Programme
    from langwright.stages.sequences.tasks import Curriculum
    from langwright.training.fit import Plan


def run(work: Work) -> Made:
    """Learn, and write `report.json`, `matrices.json`, `report.html` and, where wanted, `models/`; see the module."""
    from langwright.evaluation.experiments.sequences import measures_of, sequence_report
    from langwright.evaluation.pages.report import Made as HowMade
    from langwright.files import write_whole
    from langwright.measures import write_report
    from langwright.metrics.yardsticks import signed
    from langwright.settings import flat
    from langwright.stages.sequences.learning import learn_all
    from langwright.wording import current_language

    settings: ContinualSettings = work.settings
    programme = prepared(work)
    found = []
    for learned, model in learn_all(programme):
        found.append(learned)
        if settings.keep_models and learned.seed == settings.seed:
            keep(work, programme, learned, model)
    names = [task.name for task in programme.curriculum.tasks]
    measures = tuple(
        measure
        for one in measures_of(found, settings.seed)
        for measure in signed([one], model=one.model, data=", ".join(names), command=work.command)
    )
    write_report(work.out / "report.json", measures)
    write_whole(work.out / "matrices.json", matrices(found, names))
    how = HowMade(
        command=work.making.request.command,
        origins=work.making.request.inputs,
        settings=flat(settings.model_dump(mode="json")),
    )
    write_whole(work.out / "report.html", sequence_report(found, names, measures, how, current_language()).encode())
    return Made(results=measures)


def prepared(work: Work) -> Programme:
    """Everything the runs share; UserError before anything is learned."""
    from langwright.models.loading import load_model, read_config
    from langwright.objectives.classification import Classification
    from langwright.objectives.forgetting import HeadATask
    from langwright.stages.lessons.lesson import row_length
    from langwright.stages.sequences.learning import Programme
    from langwright.stages.sequences.tasks import read_curriculum
    from langwright.tokenizers.loading import load_tokenizer
    from langwright.training.devices import choose_device
    from langwright.training.planning import read_plan, save_plan

    settings: ContinualSettings = work.settings
    folder = work.one("model").path
    tokenizer = load_tokenizer(folder)
    curriculum = read_curriculum(work, tokenizer, row_length(settings, read_config(folder)))
    device = choose_device(settings.device)

    def fresh(seed: int) -> PreTrainedModel:
        model = load_model(folder, head="classification", labels=curriculum.labels, seed=seed).to(device)
        if settings.gradient_checkpointing:
            model.activation_checkpointing_enable()
        return model

    if any(isinstance(method, GenerativeReplay) for method in settings.methods):
        load_model(folder)  # refused now where it cannot go on from a text
    plan = read_plan(work.making.run) if work.making.resumed else None
    if plan is None:
        plan = planned(work, curriculum, fresh(settings.seed))
        save_plan(work.making.run, plan)
    own_heads = curriculum.scenario == "task"
    return Programme(
        work, curriculum, plan,
        HeadATask([task.classes for task in curriculum.tasks]) if own_heads else Classification(),
        tokenizer, fresh, lambda: load_model(folder).to(device),
    )  # fmt: skip


TEXTS_PER_UPDATE = 32


def planned(work: Work, curriculum: Curriculum, model: PreTrainedModel) -> Plan:
    """What this machine decides; the steps are each task's own."""
    from langwright.models.sizes import estimate
    from langwright.training.cores import physical_cores
    from langwright.training.devices import available_memory, choose_device, compute_dtype
    from langwright.training.fit import Plan
    from langwright.training.planning import USUAL_EVALUATION, finetuning_rate, rows_that_fit

    settings: ContinualSettings = work.settings
    device = choose_device(settings.device)
    dtype = compute_dtype(settings.dtype, device)
    length = curriculum.length
    size = estimate(model.config, length, dtype=dtype, checkpointing=settings.gradient_checkpointing)
    batch_rows = settings.batch_rows or min(TEXTS_PER_UPDATE, *(len(task.train) for task in curriculum.tasks))
    micro_rows = settings.micro_rows or rows_that_fit(
        batch_rows, size.activation_bytes_per_token * length, size.fixed_bytes, available_memory(device)
    )
    return Plan(
        steps=0, batch_rows=batch_rows, micro_rows=micro_rows, length=length,
        learning_rate=settings.learning_rate or finetuning_rate(size.parameters, adapter=False),
        dtype=dtype, compile=False, threads=physical_cores(), device=str(device), evaluate_rows=settings.evaluate_rows or USUAL_EVALUATION,
    )  # fmt: skip


def keep(work: Work, programme: Programme, learned: Learned, model: PreTrainedModel) -> None:
    """A plain Hugging Face folder under models/."""
    from langwright.models.loading import save_model

    folder = work.out / "models" / learned.method
    folder.mkdir(parents=True, exist_ok=True)
    save_model(model, programme.tokenizer, folder)


def matrices(found: list[Learned], tasks: list[str]) -> bytes:
    """Every accuracy, as JSON."""
    from dataclasses import asdict

    return json.dumps({"tasks": tasks, "runs": [asdict(one) for one in found]}, ensure_ascii=False, indent=1).encode()


STAGE = Stage(
    name="continual",
    version=1,
    summary="Learn several tasks one after the other, methods against forgetting side by side, and measure what is kept",
    settings=ContinualSettings,
    inputs=(
        Input("model", "model", "The model to start from"),
        Input("dataset", "dataset", "Labelled texts, one dataset a task, in the order of learning", many=True),
    ),
    makes="report",
    run=run,
    next="python3 -m webbrowser {out}/report.html",
    options={"--scenario": "scenario", "--seeds": "seeds", "--steps": "steps", "--seed": "seed"},
)
