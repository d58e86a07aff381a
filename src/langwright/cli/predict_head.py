"""`langwright predict` for models that were taught a task with a head of its own."""

from __future__ import annotations

from collections.abc import Sequence

from langwright.errors import UserError
from langwright.wording import say

Answer = dict[str, object]


def said_by_head(
    model: str, task: str, text: str, second: str | None, choices: Sequence[str], head: str | None = None
) -> tuple[Answer, list[str]]:
    """What a model's head says, as an object and as lines for a person.

    text, second  a text, or two of a pair, or a question and its passage
    choices       what a question's answer is chosen from
    head          which of a model's heads; its own when left out
    raises        UserError when the task needs what is not given
    """
    from langwright.tasks.finding import find_model
    from langwright.tasks.headed import open_headed

    if task in ("pair", "qa") and not second:
        raise UserError(
            "{task} is asked of two texts, and one was given",
            fix="give the second text of the pair, or the passage, with --with TEXT or --with @FILE",
            task=task,
        )
    if task == "choice" and len(choices) < 2:
        raise UserError(
            "choice needs at least two answers to choose from", fix="give them with --labels A,B,...", task=task
        )
    opened = open_headed(find_model(model), task, head)
    if task == "tagging":
        (spans,) = opened.tag([text])
        lines = [f"{text[span.start : span.end]}  {span.label}  {span.start}–{span.end}" for span in spans]
        return {"spans": [span.model_dump() for span in spans]}, lines or [say("nothing was found")]
    if task == "qa":
        (found,) = opened.answer([(text, second or "")])
        return {"text": found.text, "start": found.start, "score": found.score}, [
            found.text or say("the passage does not say")
        ]
    if task == "choice":
        (place,) = opened.choose([(text, choices)])
        return {"answer": place, "text": choices[place]}, [choices[place]]
    asked: list[str] | list[tuple[str, str]] = [(text, second)] if second else [text]
    if opened.model.config.num_labels == 1:
        (value,) = opened.values(asked)
        return {"score": value}, [f"{value:.4g}"]
    (row,) = opened.probabilities(asked)
    (given,) = opened.given(asked)
    shares = {label: float(share) for label, share in zip(opened.labels, row, strict=True)}
    return {"labels": given, "probabilities": shares}, [", ".join(given)]
