"""How the other feels, and what is done about it: a stated policy from emotions to instructions, which is shown.

A policy is a TOML file, `NAME.toml`. Those that come with the package lie in `dialogue/policies`, a person's own in the
workspace's `policies/`, and these win. An emotion that was found with too little certainty is treated as none.

Source    Ekman 1992, Cognition and Emotion 6(3-4):169, for the six emotions that are asked for where none are named
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from langwright.errors import UserError, unknown
from langwright.inference.control.settings import Control
from langwright.settings import Settings, parse_toml, validate
from langwright.tasks.solving.languages import language_of
from langwright.tasks.solving.prompting import InBoth
from langwright.wording import Language
from langwright.workspace import Workspace

if TYPE_CHECKING:
    from langwright.tasks.front.model import Model
    from langwright.tasks.solving.drafting import Pen

FOLDER = "policies"
EMOTIONS: dict[Language, tuple[str, ...]] = {
    "en": ("joy", "sadness", "anger", "fear", "surprise", "disgust", "neutral"),
    "zh": ("喜悦", "悲伤", "愤怒", "恐惧", "惊讶", "厌恶", "平静"),
}
"""Ekman's six and none, where no others are given."""


# --- what the other feels ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Felt:
    """An emotion.

    share     its probability; None where none was told
    found_by  head for a trained one, likelihood, or choice for a model that only writes
    """

    emotion: str
    share: float | None
    found_by: str


def felt(pen: Pen, text: str, language: Language, emotions: tuple[str, ...] = ()) -> Felt:
    """The emotion of what was said.

    emotions  to choose from; those a trained head knows, or seven, when left out
    """
    from langwright.tasks import TASKS
    from langwright.tasks.classification import ClassificationInput, ClassificationOutput

    model, task = pen.model, TASKS["classification"]
    head = model.has("head", task) and not emotions
    labels = emotions or EMOTIONS[language]
    if head or model.has("probabilities", task):
        asked = ClassificationInput(text=text) if head else ClassificationInput(text=text, labels=labels)
        solver = "head" if head else "likelihood"
        found = model.solve("classification", asked, solver)
        assert isinstance(found, ClassificationOutput)
        label = found.label or found.labels[0]  # a head of several labels names none as the one
        return Felt(label, found.probabilities[label], solver)
    prompt = pen.prompt("label", language, {"text": text, "labels": ", ".join(labels)})
    return Felt(pen.write(prompt, Control(choices=labels)), None, "choice")


# --- what is done about it ---------------------------------------------------------------------------


class Rule(Settings):
    """What is done about some emotions."""

    emotions: Annotated[
        tuple[str, ...], Field(min_length=1, description="Their names, in every language and of every head")
    ]
    at_least: Annotated[float, Field(ge=0, le=1, description="Probability from which the rule holds")] = 0.0
    instruction: Annotated[InBoth, Field(description="What the model is told")]


class Policy(Settings):
    """A policy file."""

    about: Annotated[InBoth, Field(description="What it is for")]
    rules: Annotated[tuple[Rule, ...], Field(description="The first that names the emotion holds")]
    otherwise: Annotated[InBoth, Field(description="What the model is told where no rule holds")]


@dataclass(frozen=True)
class Strategy:
    """What was found, and what the model is told for it.

    rule  which of the policy's, from 1; 0 where none holds
    """

    policy: str
    emotion: str
    share: float | None
    found_by: str
    rule: int
    instruction: str

    def facts(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)


def strategy(policy: str, rules: Policy, found: Felt, language: Language) -> Strategy:
    """What a policy says to an emotion.

    policy  its name
    """
    for number, rule in enumerate(rules.rules, 1):
        known = found.emotion.casefold() in (name.casefold() for name in rule.emotions)
        if known and (found.share is None or found.share >= rule.at_least):
            return Strategy(policy, found.emotion, found.share, found.found_by, number, rule.instruction.in_(language))
    return Strategy(policy, found.emotion, found.share, found.found_by, 0, rules.otherwise.in_(language))


def strategy_for(model: Model, text: str, policy: str, workspace: Workspace | None = None) -> Strategy:
    """What is done about what was said, by the emotion that this model finds in it.

    raises  UserError for a policy that is not there
    """
    from langwright.tasks.solving.drafting import Pen

    language = language_of(text)
    return strategy(policy, policy_named(policy, workspace), felt(Pen(model), text, language), language)


def policy_named(name: str, workspace: Workspace | None = None) -> Policy:
    """A policy by its name; UserError with the nearest one where there is none, or it cannot be read."""
    found = policies(workspace)
    if name not in found:
        raise unknown("policy", name, found)
    try:
        return validate(Policy, parse_toml(found[name].read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            "{path} cannot be read: {reason}", fix="check the file; a policy is UTF-8 text", path=found[name], reason=error
        ) from None  # fmt: skip


def policies(workspace: Workspace | None = None) -> dict[str, Path]:
    """Name -> file; a person's own win."""
    ours = Path(str(resources.files("langwright.tasks").joinpath("dialogue", FOLDER)))
    yours = (workspace or Workspace()).folder / FOLDER
    return {file.stem: file for folder in (ours, yours) for file in sorted(folder.glob("*.toml"))}
