"""What `langwright evaluate` can be told. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from langwright.errors import unknown
from langwright.inference.precision import Precision
from langwright.sandbox.settings import Sandbox
from langwright.settings import Settings
from langwright.tasks import TASKS
from langwright.tasks.solving.few_shot import FewShot, NoExamples


class EvaluateSettings(Settings):
    """How a model is measured on a dataset."""

    task: Annotated[
        str,
        Field(
            description="What to measure: text (how well it foresees text, and what it writes), or a task with a dataset, "
            "as `langwright tasks` lists them; auto goes by what the dataset holds and the model was taught"
        ),
    ] = "auto"
    split: Annotated[
        Literal["auto", "train", "validation", "test"],
        Field(description="Rows to measure on; auto takes validation, else test, else train"),
    ] = "auto"
    precision: Annotated[Precision, Field(description="Numbers the model computes in")] = "float32"
    limit: Annotated[
        int | None, Field(ge=1, description="Most rows to measure on, drawn by the seed; all when left out")
    ] = None
    limit_by: Annotated[
        Literal["all", "language"],
        Field(description="Whether the limit counts all rows together, or those of each language"),
    ] = "all"
    groups: Annotated[
        tuple[str, ...],
        Field(description="Columns whose values are measured apart, such as source; languages always are"),
    ] = ()
    length: Annotated[
        int | None, Field(ge=2, description="Tokens of a scoring window; the model's context when left out")
    ] = None
    stride: Annotated[
        int | None, Field(ge=1, description="New tokens that each window scores; half of it when left out")
    ] = None
    samples: Annotated[int, Field(ge=0, description="Texts to let the model write from the beginnings of rows")] = 20
    max_new_tokens: Annotated[int, Field(ge=1, description="Most tokens of each text or reply it writes")] = 128
    temperature: Annotated[
        float, Field(ge=0, le=10, description="Temperature of the texts it writes; replies in chat are always greedy")
    ] = 0.8
    top_p: Annotated[
        float, Field(gt=0, le=1, description="Texts are sampled among the likeliest tokens of this total probability")
    ] = 0.95
    baselines: Annotated[
        bool,
        Field(
            description="Measure simple methods beside the model, on the same rows: xz and a Kneser-Ney 5-gram for text, "
            "TF-IDF with logistic regression for labels; they learn from the train split"
        ),
    ] = True
    baseline_megabytes: Annotated[
        float, Field(gt=0, description="Most training text the baselines learn from, taken evenly from the whole")
    ] = 64.0
    sandbox: Annotated[Sandbox, Field(description="Whether and how programs that the model writes are run")] = Sandbox()
    programs: Annotated[int, Field(ge=1, description="Programs that it writes for each problem")] = 1
    pass_at: Annotated[
        tuple[int, ...], Field(min_length=1, description="For which k to estimate that one of k programs passes")
    ] = (1,)
    few_shot: FewShot = NoExamples()
    expense: Annotated[
        bool,
        Field(
            description="Measure peak memory and size on disk too, and of labels the time a text; "
            "these differ a little each time"
        ),
    ] = False
    noise: Annotated[
        float,
        Field(
            ge=0, lt=1, description="Measure labels once more with this share of the characters mistyped; 0 does not"
        ),
    ] = 0.0
    attack: Annotated[
        float,
        Field(
            ge=0,
            description="Measure labels of a trained head once more under projected gradient ascent in its word embeddings, "
            "within this distance; 0 does not",
        ),
    ] = 0.0
    attack_steps: Annotated[int, Field(ge=1, description="Steps of the attack")] = 10
    head: Annotated[
        str | None, Field(description="Which head of a model that was taught several tasks; its own when left out")
    ] = None
    seed: Annotated[int, Field(ge=0, description="Seed of drawn rows, written texts and bootstrap intervals")] = 0

    @field_validator("task")
    @classmethod
    def known(cls, task: str) -> str:
        """UserError for a task that is not there, or has no dataset."""
        tasks = (one.name for one in TASKS.values() if one.dataset and one.measures)
        measured = ["auto", "text", *tasks]
        if task not in measured:
            raise unknown("task", task, measured)
        return task
