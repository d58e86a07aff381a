"""The model card: a `README.md` in each model's folder, written from `card.json` and nothing else."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from langwright.artifacts import Artifact, Card, Origin
from langwright.files import write_whole
from langwright.measures import Measure
from langwright.wording import Language, say


def write_model_card(artifact: Artifact) -> None:
    """Write the card of a model beside its weights, in English and then in Chinese."""
    if artifact.card is None or artifact.card.model is None:
        return
    text = "\n".join(
        [
            *model_card(artifact.card, artifact.path.name, "en"),
            "---",
            "",
            *model_card(artifact.card, artifact.path.name, "zh"),
        ]
    )
    write_whole(artifact.path / "README.md", text.encode())


def model_card(card: Card, name: str, lang: Language) -> Iterator[str]:
    """The lines of a model card in one language."""
    assert card.model is not None
    yield f"# {name}"
    yield ""
    yield say(
        "A model of {parameters:,} weights ({architecture}), with a context of {context:,} tokens and a vocabulary of {vocabulary:,}. It was made by Langwright on {day}.",
        lang=lang, parameters=card.model.parameters, architecture=card.model.architecture, context=card.model.context,
        vocabulary=card.model.vocab_size, day=card.made_at[:10],
    )  # fmt: skip
    yield ""
    abilities = ", ".join(f"{ability.task} ({ability.solver})" for ability in card.abilities)
    yield say("It can do: {abilities}.", lang=lang, abilities=abilities or "-")
    yield ""
    yield f"## {say('What it was made from', lang=lang)}"
    yield ""
    yield from origin_lines(card.inputs)
    yield ""
    yield f"## {say('How to make it again', lang=lang)}"
    yield ""
    yield f"    {shlex.join(card.command) or card.stage}"
    yield ""
    yield f"## {say('What was measured', lang=lang)}"
    yield ""
    yield from result_lines(card.results, lang)
    yield ""
    yield f"## {say('What it is not fit for', lang=lang)}"
    yield ""
    yield say(
        "Nothing here shows that what the model says is true, fair or safe. Measure it for your use with `langwright evaluate`, and let a person check what matters.",
        lang=lang,
    )
    yield ""


def origin_lines(origins: tuple[Origin, ...], depth: int = 0) -> Iterator[str]:
    """The inputs and theirs, as a nested list."""
    for origin in origins:
        made = f", {origin.stage}" if origin.stage else ""
        yield f"{'  ' * depth}- {origin.role}: `{origin.path}` ({origin.kind}{made}, sha256 {origin.digest[:12]}…)"
        yield from origin_lines(origin.inputs, depth + 1)


def result_lines(results: tuple[Measure, ...], lang: Language) -> Iterator[str]:
    """The measures as a table."""
    yield f"| {say('measure', lang=lang)} | {say('value', lang=lang)} | {say('unit', lang=lang)} | {say('data', lang=lang)} |"
    yield "| --- | ---: | --- | --- |"
    for measure in results:
        yield f"| {measure.name} | {measure.value:.4g} | {measure.unit} | {measure.data} |"
