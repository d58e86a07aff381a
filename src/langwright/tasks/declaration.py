"""What a task is: what a model does for a person. How it is done is a solver, shared by tasks.

Declarations import neither torch nor transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from langwright.wording import Language


@dataclass(frozen=True)
class Task:
    """A declaration that gives training, prediction, metrics, a REST endpoint and a studio panel.

    dataset   name of the row schema it trains and evaluates on
    input     model of what a person gives; output: of what they get
    solvers   names in `SOLVERS`, the first is the default for training
    measures  names in `MEASURES`
    templates by language, for solvers that ask in words; fields in braces
    """

    name: str
    summary: str
    dataset: str
    input: type[BaseModel]
    output: type[BaseModel]
    solvers: tuple[str, ...]
    measures: tuple[str, ...]
    templates: Mapping[Language, str]
    panel: tuple[str, ...] = ()  # input fields in the order a form shows them
