"""The loop's one caller: resume, cadence of logging, evaluation, samples and saving, and stopping."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as save_tensors
from torch import nn

from langwright.errors import UserError
from langwright.files import write_whole
from langwright.runlog import Chosen, Evaluated, Resumed, RunLog, Sampled, Saved, Stepped, Stopped, Warned
from langwright.training.averaging import Average, NoAverage
from langwright.training.before import foretell, refuse_unwatched
from langwright.training.checkpoints import (
    Found,
    Progress,
    Trained,
    checkpoint_path,
    generator_states,
    load_checkpoint,
    newest_whole,
    save_checkpoint,
    set_generators,
    step_of,
)
from langwright.training.cost import Spent, meter
from langwright.training.crew import ALONE, Crew, assembled
from langwright.training.devices import autocast_type, forget_peak_memory, keep_freed_memory, peak_memory_bytes
from langwright.training.evaluating import bits_per_byte, evaluate_loss
from langwright.training.feed import Examples, Feed, whole_epoch
from langwright.training.gradients import GradientRule, build_rule
from langwright.training.loop import NonFinite, Step, train
from langwright.training.loss import Objective, tensors_of
from langwright.training.optimizers import build_optimizer, embedding_names, parameter_groups
from langwright.training.plan import Plan as Plan
from langwright.training.scaling import scale_for
from langwright.training.schedules import rate_factor
from langwright.training.settings import TrainingSettings
from langwright.training.stopping import StopFlag, StopRequested, stop_flag
from langwright.training.together import Place
from langwright.training.trainable import Gradual, Unfreezing, rate_factors

Sampler = Callable[[nn.Module], Iterable[tuple[str, str]]]
Judge = Callable[[nn.Module, int], dict[str, float]]  # (model, most rows) -> measures of the task, by name


@dataclass(frozen=True)
class Fit:
    """Everything a run of training needs.

    bytes_per_unit  UTF-8 bytes a unit of loss stands for, where the loss is over text; gives bits per byte
    sampler         what to show of the model as it learns: (prompt, text) pairs
    judge           what to measure beside the loss, on validation rows, with the model asked as in use
    gradual         how the trainable weights join one layer after another; all at once where None
    checkpoints     folder of this run's checkpoints
    run             folder of plan and events
    gradients       the rule between backward and the optimizer; the settings' own when left out
    place           where this process stands among several that train together; None for one alone
    """

    model: nn.Module
    objective: Objective[Any]
    feed: Feed
    validation: Examples | None
    plan: Plan
    settings: TrainingSettings
    checkpoints: Path
    run: Path
    log: RunLog
    bytes_per_unit: float | None = None
    sampler: Sampler | None = None
    judge: Judge | None = None
    gradients: GradientRule | None = None
    gradual: Gradual | None = None
    place: Place | None = None


class Dismissed(Exception):
    """This process's part is done: what remains of the stage is the first one's work."""


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    progress: Progress
    train_loss: float | None  # per unit, mean over the last tenth of this process's updates; None where it made none
    validation: dict[str, float]  # the last evaluation
    spent: Spent
    measured: dict[str, float]  # by the gradient rule, at the last update
    plan: Plan  # as it was carried out


def fit(job: Fit) -> Outcome:
    """Train to the plan's last step, from the newest whole checkpoint if there is one.

    raises  NonFinite with the last good state saved and the batch written to run/bad-batch.safetensors;
            StopRequested after saving when SIGTERM or Ctrl-C came;
            UserError when one of several processes stopped;
            Dismissed in every process but the first
    """
    from langwright.training.sharing import placed

    job = placed(job)
    with assembled(job.place, job.plan.device, job.run) as crew:
        outcome = fit_together(job, crew)
    torch.set_num_threads(job.plan.threads)
    if crew.rank:
        raise Dismissed
    return outcome


def fit_together(job: Fit, crew: Crew) -> Outcome:
    """See `fit`, in each of the processes."""
    from langwright.training.sharing import drawn_apart

    plan, settings = job.plan, job.settings
    refuse_unwatched(job)
    torch.set_num_threads(max(1, plan.threads // (job.place.beside if job.place else 1)))
    keep_freed_memory()
    forget_peak_memory(plan.device)
    model = crew.prepared(job.model, job.objective.parameters())
    average = None if isinstance(settings.average, NoAverage) else Average(settings.average, model, plan.steps)
    rule = job.gradients or build_rule(settings.gradients, settings.seed)
    trained = prepared(replace(job, model=model), average, rule)
    progress = resume(job, trained, crew)
    if progress.step > plan.steps:
        raise UserError(
            "{done} updates were made before, and steps = {steps}",
            fix="give as many steps or more, or add --restart to begin anew",
            done=progress.step,
            steps=plan.steps,
        )
    if progress.step == 0:
        torch.manual_seed(settings.seed)  # dropout draws from here on; a resume takes the generator's state instead
        foretell(plan, job.log)
    model.train()
    session = Session(job, trained, progress, crew)
    forward = torch.compile(model, dynamic=False) if plan.compile else model
    stream = train(
        forward,  # type: ignore[arg-type]
        job.objective,
        drawn_apart(job.feed.updates(progress.step), progress.step, settings.seed, crew.rank),
        trained.optimizer,  # type: ignore[arg-type]
        rate=session.rate,
        start=progress.step,
        steps=plan.steps,
        clip=settings.clip,
        clip_value=settings.clip_value,
        gradients=rule,
        autocast=autocast_type(plan.dtype),
        crew=crew,
        scale=trained.scale,
    )
    with stop_flag() as flag:
        try:
            while not session.over and (step := next(stream, None)) is not None:
                session.after(step, flag)
        except NonFinite as error:
            set_generators(session.generators)  # the update that failed has drawn from them
            session.save()
            if error.rank in (None, crew.rank):  # whose it was is not always known: then everyone's
                name = "bad-batch" if error.rank is not None or crew.rank == 0 else f"bad-batch-{crew.rank}"
                write_whole(job.run / f"{name}.safetensors", save_tensors(tensors_of(error.batches)))
            crew.gather("kept")  # the first to leave would end the others
            raise
    session.settle()
    crew.finish(job.model)
    return session.outcome()


def prepared(job: Fit, average: Average | None, rule: GradientRule) -> Trained:
    """The model with its optimizer; what joins later is frozen from here on."""
    plan, settings = job.plan, job.settings
    embeddings = embedding_names(job.model)
    objectives = {f"objective.{number}": weight for number, weight in enumerate(job.objective.parameters())}
    factors = rate_factors(job.model, settings.layer_decay, settings.rates, list(objectives))
    unfreezing = None
    if job.gradual is not None:
        groups = partial(parameter_groups, settings.optimizer, embeddings=embeddings, factors=factors)
        unfreezing = Unfreezing(job.model, job.gradual, plan.steps, len(job.feed.examples) / plan.batch_rows, groups)
    named = [*job.model.named_parameters(), *objectives.items()]
    optimizer = build_optimizer(settings.optimizer, named, plan.learning_rate, embeddings, factors)
    scale = scale_for(plan.dtype, rule)
    return Trained(job.model, job.objective, optimizer, average, rule, unfreezing, scale)


def join(trained: Trained, made: int) -> int:
    """Let the weights join that are due after this many updates; how many numbers they hold."""
    if trained.unfreezing is None or trained.optimizer is None:
        return 0
    return trained.unfreezing.join(made, trained.optimizer)


def resume(job: Fit, trained: Trained, crew: Crew = ALONE) -> Progress:
    """Take up the newest whole checkpoint; say which damaged ones were passed over."""
    found = newest_whole(job.checkpoints) if crew.rank == 0 else Found(None, ())
    for path, name in found.damaged:
        job.log.write(
            Warned(
                message="checkpoint {path} is damaged in {name}; an earlier one is used",
                values={"path": path.name, "name": name},
            )
        )
    name = crew.gather(found.path.name if found.path else None)[0]
    if name is None:
        return Progress()
    join(trained, step_of(job.checkpoints / name))
    progress = load_checkpoint(job.checkpoints / name, trained, crew)
    job.log.write(Resumed(step=progress.step))
    if progress.threads not in (0, threads := torch.get_num_threads()):
        job.log.write(
            Warned(
                message="saved by {before} threads and resumed with {now}: sums are parted otherwise, and the last bits of the "
                "weights will not be those of a run without interruption; OMP_NUM_THREADS={before} gives the same",
                values={"before": progress.threads, "now": threads},
            )
        )
    return progress


class Session:
    """What this process keeps track of while a run goes on."""

    def __init__(self, job: Fit, trained: Trained, progress: Progress, crew: Crew = ALONE) -> None:
        self.job = job
        self.crew = crew
        self.trained = trained
        self.progress = progress
        self.saved_step = progress.step
        self.next_save = 0.0  # time.monotonic(); the first save follows the first step
        self.meter = meter(
            job.settings.cost,
            device=job.plan.device,
            cores=job.plan.threads,
            gigabytes=peak_memory_bytes(job.plan.device) / 1e9,
        )
        self.losses: list[tuple[float, int]] = []
        self.validation: dict[str, float] = {}
        self.measured: dict[str, float] = {}
        self.generators = generator_states()

    def rate(self, update: int) -> float:
        """The learning rate of an update, given how many were made before it."""
        plan, feed = self.job.plan, self.job.feed
        return plan.learning_rate * rate_factor(
            self.job.settings.schedule,
            update,
            plan.steps,
            updates_an_epoch=len(feed.examples) / plan.batch_rows,
            losses=self.progress.losses,
        )

    @property
    def over(self) -> bool:
        """True when the validation loss has not become better for as many evaluations as are put up with."""
        patience, losses = self.job.settings.patience, self.progress.losses
        return patience is not None and bool(losses) and len(losses) - 1 - losses.index(min(losses)) >= patience

    def after(self, step: Step, flag: StopFlag) -> None:
        """Log the step, then whatever is due: evaluation, samples, a checkpoint, the end."""
        job, settings = self.job, self.job.settings
        done, steps = step.number, job.plan.steps
        self.progress = replace(
            self.progress,
            step=done,
            tokens=self.progress.tokens + step.positions,
            seconds=self.progress.seconds + step.seconds,
            joules=self.progress.joules + self.meter.lap(),
        )
        self.generators = generator_states()
        if self.trained.average is not None:
            self.trained.average.update(done)
        self.record(step)
        began = time.perf_counter()
        if due(done, steps, settings.evaluate_every_share) and job.validation is not None:
            self.evaluate()
        if due(done, steps, settings.sample_every_share) and job.sampler is not None:
            self.sample()
        self.progress = replace(self.progress, evaluating=self.progress.evaluating + time.perf_counter() - began)
        wishes = self.crew.gather([flag.reason, time.monotonic() >= self.next_save])
        reason = next((asked for asked, _ in wishes if asked), None)  # of whoever was asked to stop
        if reason or done == steps or self.progress.best_step == done or wishes[0][1]:
            self.save()
        if reason and done < steps:
            job.log.write(Stopped(step=done, reason=reason))
            raise StopRequested(reason)
        if count := join(self.trained, done):
            job.log.write(Chosen(message="from update {step} on {count} more weights are trained", values={"step": done + 1, "count": count}))  # fmt: skip

    def record(self, step: Step) -> None:
        """One event, with metrics per unit."""
        self.losses.append((step.total.item(), step.units))
        metrics = {name: value.item() / max(step.units, 1) for name, value in step.metrics.items()}
        if self.job.bytes_per_unit:
            metrics["bits_per_byte"] = bits_per_byte(step.loss, self.job.bytes_per_unit)
        self.measured = {name: value.item() for name, value in step.measured.items()}
        self.job.log.write(
            Stepped(
                step=step.number,
                steps=self.job.plan.steps,
                loss=step.loss,
                metrics=metrics | self.measured,
                learning_rate=step.learning_rate,
                gradient_norm=step.gradient_norm.item(),
                units=step.units,
                tokens=step.positions,
                useful=step.useful,
                tokens_per_second=step.tokens_per_second,
                seconds=step.seconds,
            )
        )

    def evaluate(self) -> None:
        """Loss on validation rows, and whether it is the best so far."""
        job = self.job
        assert job.validation is not None
        rows = whole_epoch(job.validation, job.plan.micro_rows, job.plan.evaluate_rows, self.crew.rank, self.crew.size)
        with self.averaged():
            self.validation = evaluate_loss(self.trained.model, job.objective, rows, job.plan.dtype, self.crew)
            if job.judge is not None:
                with self.crew.filled(job.model):
                    judged = job.judge(job.model, job.plan.evaluate_rows) if self.crew.rank == 0 else {}
                self.validation |= judged
        if "loss" not in self.validation:  # nothing in these rows is supervised
            return
        loss = self.validation["loss"]
        if job.bytes_per_unit:
            self.validation["bits_per_byte"] = bits_per_byte(loss, job.bytes_per_unit)
        best = self.progress.best is None or loss < self.progress.best
        self.progress = replace(self.progress, losses=(*self.progress.losses, loss))
        if best:
            self.progress = replace(self.progress, best=loss, best_step=self.progress.step)
        job.log.write(Evaluated(step=self.progress.step, values=self.validation, best=best))

    def averaged(self) -> AbstractContextManager[None]:
        """Within the block the model has the weights it would end with now."""
        return nullcontext() if self.trained.average is None else self.trained.average.applied()

    def sample(self) -> None:
        """What the model says now; training's own generators are left as they were."""
        job = self.job
        assert job.sampler is not None
        job.model.eval()
        with self.averaged(), self.crew.filled(job.model):
            for prompt, text in job.sampler(job.model) if self.crew.rank == 0 else ():
                job.log.write(Sampled(step=self.progress.step, prompt=prompt, text=text))
        job.model.train()
        set_generators(self.generators)

    def save(self) -> None:
        """A checkpoint, unless this step has one; the next is due when saving has cost 4 % of the time, in 10 minutes at most."""
        if self.progress.step == self.saved_step:
            return
        job = self.job
        kept = job.settings.keep_checkpoints
        written = save_checkpoint(job.checkpoints, self.trained, self.progress, kept, self.crew)
        self.saved_step = self.progress.step
        if written is None:
            return
        self.progress = replace(self.progress, saving=self.progress.saving + written.seconds)
        self.next_save = time.monotonic() + min(600.0, max(15.0, 25 * written.seconds))
        job.log.write(Saved(step=self.progress.step, seconds=written.seconds, bytes=written.bytes))

    def settle(self) -> None:
        """Leave the model with the weights that the run is to end with."""
        job, average = self.job, self.trained.average
        if self.over and self.progress.step < job.plan.steps:
            job.log.write(
                Chosen(
                    message="training ends after update {step}: the validation loss has not fallen for {patience} evaluations",
                    values={"step": self.progress.step, "patience": job.settings.patience or 0},
                )
            )
        best = self.progress.best_step
        if job.settings.ends_with_best and best is not None and best != self.progress.step:
            load_checkpoint(checkpoint_path(job.checkpoints, best), replace(self.trained, optimizer=None), self.crew)
            job.log.write(Chosen(message="the weights are those of update {step}, where the validation loss was lowest", values={"step": best}))  # fmt: skip
        if average is not None:
            average.copy(average.mean)

    def outcome(self) -> Outcome:
        """What to report at the end."""
        tail = self.losses[-max(1, len(self.losses) // 10) :]
        units = sum(count for _, count in tail)
        loss = sum(total for total, _ in tail) / units if units else None
        done = replace(self.progress, joules=self.progress.joules + self.meter.lap())
        spent = Spent(
            done.seconds, done.evaluating, done.saving, done.joules, self.meter.counted, self.job.settings.cost
        )
        return Outcome(done, loss, self.validation, spent, self.measured, self.job.plan)


def due(done: int, steps: int, every_share: float) -> bool:
    """Whether step `done` of `steps` completes another `every_share` of the run."""
    return done == steps or math.floor(done / steps / every_share) > math.floor((done - 1) / steps / every_share)


# --- resolving a plan --------------------------------------------------------------------------


def worth_compiling(setting: str, seconds: float, available: bool, log: RunLog) -> bool:
    """Whether a run of this many uncompiled seconds repays the compiler's warm-up of about a minute."""
    if setting == "off" or (setting == "auto" and (not available or seconds < REPAYS_AFTER_S)):
        return False
    if not available:
        log.write(Warned(message="compile = on, but no C++ compiler was found; the run goes on uncompiled"))
        return False
    log.write(Chosen(message="the model is compiled: the run is long enough to repay about a minute of warm-up"))
    return True


REPAYS_AFTER_S = 240.0
