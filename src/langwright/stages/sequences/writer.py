"""Generative replay: a second model that writes texts like those of earlier tasks, labelled by the old classifier.

Source    Shin et al. 2017, arXiv:1705.08690, section 3: the writer learns each task's texts mixed with its own of the
          tasks before; what it writes is labelled by the classifier as it was
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from langwright.objectives.classification import TextExamples
from langwright.objectives.forgetting import HeadATask
from langwright.stages.sequences import settings as kinds
from langwright.stages.sequences.methods import Ground, Naive, Study, joined, with_old

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from langwright.runlog import RunLog
    from langwright.training.fit import Plan

TEXTS_AT_ONCE = 16


class GenerativeReplay(Naive):
    """New rows and written ones."""

    def __init__(
        self,
        ground: Ground,
        own: kinds.GenerativeReplay,
        *,
        writer: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        plan: Plan,
        folder: Path,
        log: Callable[[str], RunLog],
    ) -> None:
        """writer  a model that goes on from a text; it learns along with the classifier
        plan    of the classifier's training; the writer's differs in its steps
        folder  where the writer's texts and checkpoints may lie, one folder a task
        log     opens the log of a part of the run
        """
        super().__init__(ground)
        self.own, self.writer, self.tokenizer = own, writer, tokenizer
        self.plan, self.folder, self.log = plan, folder, log
        self.written: list[list[str]] = []  # for each earlier task

    def study(self, task: int) -> Study:
        """See `Naive.study`. What is written depends on the writer as the last task left it, and on the seed."""
        study = super().study(task)
        if task == 0:
            return study
        self.written = [self.write(number) for number in range(task)]
        old = joined([self.labelled(texts, number) for number, texts in enumerate(self.written)])
        return with_old(study, old, self.own.share, self.ground.seed + task)

    def learned(self, task: int) -> None:
        """Teach the writer this task's texts, and those it wrote of the tasks before; nothing after the last task."""
        if task + 1 == len(self.ground.tasks):
            return
        texts = [headed(self.ground.tasks[task].name, text) for text in self.ground.tasks[task].texts]
        for number, written in enumerate(self.written):
            texts += [headed(self.ground.tasks[number].name, text) for text in written]
        self.teach(texts, task)

    def teach(self, texts: Sequence[str], task: int) -> None:
        """Next-token training of the writer, with checkpoints of its own."""
        from langwright.data.documents import text_documents
        from langwright.data.order import Order
        from langwright.data.packing import saved_plan
        from langwright.data.store import build_store
        from langwright.objectives.next_token import NextToken, RowExamples
        from langwright.training.feed import Feed
        from langwright.training.fit import Fit, fit
        from langwright.training.planning import steps_for

        folder = self.folder / str(task)
        shutil.rmtree(folder / "texts", ignore_errors=True)
        store = build_store(folder / "texts", text_documents(iter(texts), self.tokenizer), len(self.tokenizer))
        rows = saved_plan(store, "single", self.plan.length)
        examples = RowExamples(store, rows, self.tokenizer.pad_token_id, stop_at_documents=False)
        steps = steps_for(None, self.own.epochs, len(examples), self.plan.batch_rows)
        log = self.log(f"{task}-writer")
        try:
            fit(
                Fit(
                    model=self.writer,
                    objective=NextToken(),
                    feed=Feed(
                        examples, Order(self.ground.seed, len(examples)), self.plan.batch_rows, self.plan.micro_rows
                    ),
                    validation=None,
                    plan=self.plan.model_copy(update={"steps": steps}),
                    settings=self.ground.settings,
                    checkpoints=folder / "checkpoints",
                    run=folder,
                    log=log,
                )
            )
        finally:
            log.close()

    def write(self, number: int) -> list[str]:
        """Texts like those of an earlier task, the same for the same writer and seed; empty ones are left out."""
        from langwright.inference.engine import TorchEngine
        from langwright.inference.protocol import Sampling
        from langwright.inference.texts.text import TextModel

        self.writer.eval()
        engine = TorchEngine(self.writer)
        try:
            model = TextModel(engine, self.tokenizer, "writer")
            head = headed(self.ground.tasks[number].name, "")
            room = min(self.plan.length, model.context - len(model.tokenize(head)) - 1)
            found: list[str] = []
            for start in range(0, self.own.rows, TEXTS_AT_ONCE):
                streams = [
                    model.stream(
                        head,
                        Sampling(temperature=self.own.temperature, max_new_tokens=room, seed=self.ground.seed + one),
                    )
                    for one in range(start, min(start + TEXTS_AT_ONCE, self.own.rows))
                ]
                found += [stream.result().text.strip() for stream in streams]
        finally:
            engine.close()
        return [text for text in found if text] or [self.ground.tasks[number].name]

    def labelled(self, texts: Sequence[str], number: int) -> TextExamples:
        """Texts with what the classifier, as it is now, says of them."""
        ground = self.ground
        encoded = [
            np.array(ids[: self.plan.length], dtype=np.int64) for ids in self.tokenizer(list(texts))["input_ids"]
        ]
        asked = self.asked(number)
        labels = np.full(len(encoded), asked[0], dtype=np.int64)
        types = None if ground.tasks[0].train.types is None else [np.zeros_like(ids) for ids in encoded]
        examples = TextExamples(encoded, labels, ground.tasks[0].train.pad_id, types)
        ground.model.eval()
        with torch.no_grad():
            for start in range(0, len(encoded), TEXTS_AT_ONCE):
                rows = np.arange(start, min(start + TEXTS_AT_ONCE, len(encoded)), dtype=np.int64)
                logits_BC = ground.objective.logits(ground.model, examples.batch(rows))
                examples.labels[rows] = np.array(asked)[logits_BC[:, asked].argmax(-1).cpu().numpy()]
        return examples

    def asked(self, number: int) -> list[int]:
        """The classes a written text may have: its task's where each task has its own, else all learned so far."""
        if isinstance(self.ground.objective, HeadATask):
            return list(self.ground.tasks[number].classes)
        return sorted({one for task in self.ground.tasks[: len(self.written)] for one in task.classes})

    def state_dict(self) -> dict[str, Tensor]:
        """The writer's weights."""
        return {name: weight.detach() for name, weight in self.writer.named_parameters()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        with torch.no_grad():
            for name, weight in self.writer.named_parameters():
                weight.copy_(state[name])


def headed(task: str, text: str) -> str:
    """A text under the name of its task."""
    return f"{task}\n{text}"
