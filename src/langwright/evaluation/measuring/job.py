"""What every evaluation is handed: the rows of one split of one dataset, the settings, a log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from langwright.data.dataset import Dataset
from langwright.data.schemas import Row
from langwright.errors import UserError
from langwright.evaluation.measuring.sampling import blocks, drawn, share_within
from langwright.evaluation.settings import EvaluateSettings
from langwright.runlog import Progressed, RunLog, Warned

if TYPE_CHECKING:
    from langwright.inference.protocol import Sampling
    from langwright.inference.texts.text import Prompt, TextModel
    from langwright.inference.texts.written import TextCompletion

TEXTS_AT_ONCE = 16  # begun together, so that the engine can write them side by side


@dataclass(frozen=True)
class Job:
    """One split of one dataset to measure on."""

    dataset: Dataset
    split: str
    settings: EvaluateSettings
    log: RunLog

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The rows drawn; UserError when the split has none."""
        settings = self.settings
        group: Callable[[Row], str] | None = (lambda row: row.language) if settings.limit_by == "language" else None
        rows = tuple(drawn(self.dataset.rows(self.split), settings.limit, settings.seed, group))
        if not rows:
            raise UserError(
                "the {split} split of {path} has no rows to measure on",
                fix="choose another split with --set split=NAME, or another dataset",
                split=self.split,
                path=self.dataset.path,
            )
        return rows

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What tells each row drawn from the others, whichever are drawn: its id, counted where it comes again."""
        seen: Counter[str] = Counter()
        found = []
        for row in self.rows:
            seen[row.id] += 1
            found.append(row.id if seen[row.id] == 1 else f"{row.id} ({seen[row.id]})")
        return tuple(found)

    @cached_property
    def can_learn(self) -> bool:
        """Whether baselines are wanted and have a train split beside the rows measured; a word in the log if not."""
        if not self.settings.baselines:
            return False
        if self.split != "train" and "train" in self.dataset.splits:
            return True
        self.log.write(
            Warned(message="no baselines: they learn from the train split, and there is none beside the rows measured")
        )
        return False

    @cached_property
    def train_share(self) -> float:
        """Which share of the train split the baselines learn from."""
        return share_within(self.dataset, "train", self.settings.baseline_megabytes)

    def named(self, group: str = "") -> str:
        """How the data, or a group of it, is called in measures."""
        return f"{self.dataset.path.name}/{self.split}" + (f" ({group})" if group else "")


def write(model: TextModel, prompts: Sequence[Prompt], sampling: Sampling, seed: int, job: Job) -> list[TextCompletion]:
    """Continue each prompt, the i-th with seed + i, so that the same command writes the same texts."""
    found: list[TextCompletion] = []
    for block in blocks(enumerate(prompts), TEXTS_AT_ONCE):
        streams = [
            model.stream(prompt, sampling.model_copy(update={"seed": seed + number})) for number, prompt in block
        ]
        found += [stream.result() for stream in streams]
        job.log.write(Progressed(what="writing texts", done=len(found), total=len(prompts)))
    return found
