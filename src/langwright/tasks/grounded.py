"""Answering a question in words from a passage, with the sentence it rests on, or saying that the passage does not say.

Decoding keeps the evidence to a stretch of the passage, letter by letter; the answer is free, and looked at: its numbers
stand in the evidence, and enough of its words do. What does not hold after all tries is not given: the passage is then
said not to say.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from langwright.inference.control.settings import Control
from langwright.tasks.declaration import Task, TaskOutput
from langwright.tasks.qa import QaInput, QaOutput
from langwright.tasks.solving.checks import NUMBER, language_or
from langwright.tasks.solving.drafting import NAME, Check, DraftInput, Held, Pen, Wanted, complaints
from langwright.tasks.solving.solvers import Solver
from langwright.wording import Language, say

if TYPE_CHECKING:
    from langwright.tasks.front.model import Model

NOT_STATED = "-"


class GroundedInput(DraftInput):
    """A question, and the passage to answer it from."""

    question: Annotated[str, Field(min_length=1, description="The question")]
    passage: Annotated[str, Field(min_length=1, max_length=20_000, description="What to answer from")]
    support: Annotated[
        float,
        Field(
            ge=0, le=1, description="Share of the answer's words that stand in the evidence or the question at least"
        ),
    ] = 0.5
    language: Annotated[
        Language | None, Field(description="Language to write in; that of the question when left out")
    ] = None

    def written(self, pen: Pen) -> Grounded:
        language = language_or(self.language, self.question)
        prompt = pen.prompt("grounded", language, {"passage": self.flat, "question": self.question})
        checks = (Check("evidence", self.evidence_wrong), Check("support", self.unsupported))
        (draft,) = pen.drafts(Wanted(prompt, Control(grammar=grammar(self.flat)), checks))
        evidence, _, answer = parts(draft.text)
        stated = draft.holds and draft.text != NOT_STATED
        start = self.flat.find(evidence) if stated else -1
        return Grounded(
            answer=answer if stated else "", stated=stated, evidence=evidence if stated else "", start=start,
            end=start + len(evidence) if stated else -1, checks=draft.checks, seed=draft.seed, solver=NAME,
        )  # fmt: skip

    @property
    def flat(self) -> str:
        """The passage in one line, each character at its place."""
        return self.passage.replace("\n", " ").replace("\r", " ")

    def evidence_wrong(self, text: str) -> str:
        """Evidence that is no stretch of the passage, or too short to say anything."""
        evidence, parted, answer = parts(text)
        if text == NOT_STATED:
            return ""
        if not parted or not answer:
            return say("there is no answer below the evidence")
        if evidence not in self.flat:
            return say("{quote} does not stand in the text", quote=evidence)
        return say("the evidence is too short to say anything") if len(words_of(evidence)) < 2 else ""

    def unsupported(self, text: str) -> str:
        """Numbers and words of the answer that the evidence does not have."""
        evidence, _, answer = parts(text)
        if text == NOT_STATED:
            return ""
        made_up = set(NUMBER.findall(answer)) - set(NUMBER.findall(evidence))
        if made_up:
            return say("it adds {words}", words=", ".join(sorted(made_up)))
        said = words_of(answer)
        known = {*words_of(evidence), *words_of(self.question)}
        share = sum(word in known for word in said) / max(1, len(said))
        return say("{share} of the answer is in the evidence", share=f"{share:.0%}") if share < self.support else ""


class Grounded(TaskOutput):
    """An answer with its evidence, or none."""

    answer: Annotated[
        str, Field(description="The answer; empty where the passage does not say, or none was found that holds")
    ]
    stated: Annotated[bool, Field(description="Whether the passage says it")]
    evidence: Annotated[str, Field(description="The stretch of the passage that the answer rests on")]
    start: Annotated[int, Field(description="Where the evidence begins, in characters; -1 for none")]
    end: Annotated[int, Field(description="Where it ends, this character not included")]
    checks: Annotated[tuple[Held, ...], Field(description="What each verifier found")]
    seed: Annotated[int, Field(description="The seed in use, given or drawn")]

    def lines(self) -> list[str]:
        if not self.stated:
            return [say("the passage does not say"), *complaints(self.checks)]
        return [self.answer, f"[{self.start}-{self.end}] {self.evidence}"]


def grammar(passage: str) -> str:
    """Not stated, or a stretch of the passage and an answer below it."""
    pieces = json.dumps({"substring_chars": passage}, ensure_ascii=False)
    return f'start: "{NOT_STATED}" | EVIDENCE "\\n" ANSWER\nEVIDENCE: %regex {pieces}\nANSWER: /[^\\n\\x00-\\x1f]{{1,300}}/\n'


def parts(text: str) -> tuple[str, str, str]:
    """(evidence, the line end between, answer)."""
    evidence, parted, answer = text.partition("\n")
    return evidence.strip(), parted, answer.strip()


def words_of(text: str) -> list[str]:
    """What is compared: words and Chinese characters, as in the F1 of answers."""
    from langwright.metrics.answers import answer_words

    return answer_words(text)


GROUNDED = Task(
    name="grounded-answer",
    summary="Answer a question in words from a passage, with evidence, or say that it does not say",
    dataset="",
    input=GroundedInput,
    output=Grounded,
    solvers=(NAME,),
    panel=("question", "passage"),
)


def answer(model: Model, task: Task, asked: QaInput) -> QaOutput:
    """The same for a question whose answer is looked for in a passage: where it stands there, if it does word for word.

    raises  UserError for no passage, or one that is too long for this
    """
    from langwright.tasks.front.asked import checked

    found = model.solve(GROUNDED.name, checked(GROUNDED, {"question": asked.question, "passage": asked.context}))
    assert isinstance(found, Grounded)
    start = asked.context.find(found.answer) if found.answer else -1
    return QaOutput(
        text=found.answer, start=start if start >= 0 else None, end=start + len(found.answer) if start >= 0 else None,
        solver=GROUNDING.name,
    )  # fmt: skip


GROUNDING = Solver(
    name="grounded",
    summary="A model that writes quotes the stretch of the passage that says it, and answers from that",
    needs="text",
    maker="langwright finetune MODEL DATASET OUT --task chat",
    solve=answer,
)
