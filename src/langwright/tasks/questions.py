"""Questions and exam items from a text: a question, its answer from the text, wrong answers to choose among, all checked.

Source    Alberti et al. 2019, arXiv:1906.05416, section 3: round-trip consistency: an item is kept where a model that
          reads the text and the question alone gives the same answer back
Differs   question and answer are drawn together and not by two models one after the other; the answer that comes back is
          the same where its words are (articles, case and punctuation aside), or share at least `agree` of F1 with it
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from langwright.inference.control.settings import Control
from langwright.tasks.declaration import Task, TaskOutput
from langwright.tasks.solving.checks import in_language, language_or
from langwright.tasks.solving.drafting import NAME, Check, Draft, DraftInput, Held, Pen, Wanted, complaints
from langwright.wording import Language, say

ROUND_TRIP = "round trip"


class QuestionsInput(DraftInput):
    """A text to ask about."""

    text: Annotated[str, Field(min_length=1, description="The text to ask about")]
    n: Annotated[int, Field(ge=1, le=50, description="How many questions")] = 1
    distractors: Annotated[
        int, Field(ge=0, le=8, description="How many wrong answers to each; 0 for open questions")
    ] = 3
    agree: Annotated[
        float,
        Field(ge=0, le=1, description="F1 that the answer given back shares with the item's at least; 0 asks nobody"),
    ] = 1.0
    language: Annotated[Language | None, Field(description="Language to write in; that of the text when left out")] = (
        None
    )

    def written(self, pen: Pen) -> Questions:
        language = language_or(self.language, self.text)
        fields = {"text": self.text, "distractors": str(self.distractors)}
        prompt = pen.prompt("question", language, fields)
        given_back: dict[str, str] = {}
        checks = [Check("exam item", item_wrong), Check("in the text", self.stands), Check("distractors", self.apart)]
        checks.append(Check("language", lambda text: in_language(language).judge(asked_in(text))))
        if self.agree > 0:
            checks.append(Check(ROUND_TRIP, lambda text: self.given_back(pen, text, given_back)))
        wanted = Wanted(prompt, Control(json_schema=item_schema(self.distractors)), tuple(checks), 0.2, trimmed=tidy)
        found = [item for draft in pen.drafts(wanted, self.n) if (item := item_of(draft, self.text, given_back))]
        return Questions(items=tuple(found), solver=NAME)

    def stands(self, text: str) -> str:
        """Whether the answer stands in the text, and not in the question."""
        item = parsed(text)
        if item is None:
            return say("it is not whole JSON")
        if item["answer"] not in self.text:
            return say("{quote} does not stand in the text", quote=item["answer"])
        return (
            say("the question gives its answer away")
            if item["answer"].casefold() in item["question"].casefold()
            else ""
        )

    def apart(self, text: str) -> str:
        """Whether wrong answers differ from the right one and from each other."""
        from langwright.metrics.answers import answer_words

        item = parsed(text)
        if item is None:
            return say("it is not whole JSON")
        said = [tuple(answer_words(one)) for one in (item["answer"], *item["distractors"])]
        same = len(set(said)) < len(said) or () in said
        return say("two of the answers to choose from are the same") if same else ""

    def given_back(self, pen: Pen, text: str, found: dict[str, str]) -> str:
        """Whether a reader of the text gives the same answer; asked only of items that hold so far.

        found  text of an item -> the answer given back, written down here
        """
        from langwright.metrics.answers import answer_f1

        if item_wrong(text) or self.stands(text) or self.apart(text):
            return say("not asked: the item does not hold")
        item = json.loads(text)
        back = found[text] = reader(pen)(item["question"], self.text)
        if answer_f1(back, [item["answer"]]) >= self.agree:
            return ""
        return say("asked again, the answer is {answer}", answer=back or "-")


def reader(pen: Pen) -> Callable[[str, str], str]:
    """What answers a question from a text: a head that was trained for it where the model has one, else its own words."""
    from langwright.tasks import TASKS
    from langwright.tasks.qa import QaInput
    from langwright.tasks.solving.languages import language_of

    def read(question: str, text: str) -> str:
        if pen.model.has("head", TASKS["qa"]):
            found = pen.model.solve("qa", QaInput(question=question, context=text), "head")
            return str(found.text)  # type: ignore[attr-defined]
        prompt = pen.prompt("answer-short", language_of(question), {"passage": text, "question": question})
        return pen.write(prompt, Control(regex=r"[^\n\x00-\x1f]{1,120}"))

    return read


class Item(BaseModel):
    """A question with its answers."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    question: Annotated[str, Field(description="The question")]
    answer: Annotated[str, Field(description="The right answer, as it stands in the text")]
    start: Annotated[
        int, Field(description="Where it begins in the text, in characters; -1 where it does not stand there")
    ]
    end: Annotated[int, Field(description="Where it ends, this character not included")]
    distractors: Annotated[tuple[str, ...], Field(description="Wrong answers to choose among")]
    given_back: Annotated[str, Field(description="What a reader of the text answered; empty where nobody was asked")]
    checks: Annotated[tuple[Held, ...], Field(description="What each verifier found")]
    seed: Annotated[int, Field(description="The seed in use, given or drawn")]

    @property
    def holds(self) -> bool:
        """Whether every verifier holds."""
        return all(one.held for one in self.checks)

    def choices(self, seed: int = 0) -> tuple[tuple[str, ...], int]:
        """All answers in an order drawn by the seed, and the place of the right one, from 0."""
        every = [self.answer, *self.distractors]
        random.Random(f"{seed} {self.question}").shuffle(every)
        return tuple(every), every.index(self.answer)


class Questions(TaskOutput):
    """Questions about a text."""

    items: Annotated[tuple[Item, ...], Field(description="The questions; those that hold everything first")]

    def lines(self) -> list[str]:
        found = []
        for number, item in enumerate(self.items, 1):
            choices, right = item.choices()
            found.append(f"{number}. {item.question}")
            found += (
                [f"   {'ABCDEFGHI'[place]}. {choice}" for place, choice in enumerate(choices)]
                if item.distractors
                else []
            )
            found.append(f"   → {'ABCDEFGHI'[right] + '. ' if item.distractors else ''}{item.answer}")
            found += [f"   {line}" for line in complaints(item.checks)]
        return found


def item_schema(distractors: int) -> dict[str, Any]:
    """The JSON that an item is written in."""
    text = {"type": "string", "minLength": 1, "maxLength": 200}
    wrong = {"type": "array", "items": text, "minItems": distractors, "maxItems": distractors}
    return {
        "type": "object",
        "properties": {"question": text, "answer": text, "distractors": wrong},
        "required": ["question", "answer", "distractors"],
        "additionalProperties": False,
    }


def tidy(text: str) -> str:
    """An item without blanks around its parts; as it is where it is no item."""
    item = parsed(text.strip())
    if item is None:
        return text.strip()
    clean = {
        name: [one.strip() for one in said] if isinstance(said, list) else said.strip() for name, said in item.items()
    }
    return json.dumps(clean, ensure_ascii=False)


def parsed(text: str) -> dict[str, Any] | None:
    """An item as it was written; None where it is not whole."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) and {"question", "answer", "distractors"} <= found.keys() else None


def asked_in(text: str) -> str:
    """The question of an item."""
    item = parsed(text)
    return str(item["question"]) if item else ""


def item_wrong(text: str) -> str:
    """An item that was cut, or a question that is none."""
    item = parsed(text)
    if item is None or not item["answer"]:
        return say("it is not whole JSON")
    return "" if item["question"][-1:] in tuple("?？") else say("the question does not end with a question mark")


def item_of(draft: Draft, source: str, given_back: dict[str, str]) -> Item | None:
    """The item that was written; None where it was cut."""
    item = parsed(draft.text)
    if item is None:
        return None
    start = source.find(item["answer"]) if item["answer"] else -1
    return Item(
        question=item["question"], answer=item["answer"], start=start, end=start + len(item["answer"]) if start >= 0 else -1,
        distractors=tuple(item["distractors"]), given_back=given_back.get(draft.text, ""), checks=draft.checks, seed=draft.seed,
    )  # fmt: skip


QUESTIONS = Task(
    name="questions",
    summary="Write questions and exam items about a text, with answers that are checked",
    dataset="",
    input=QuestionsInput,
    output=Questions,
    solvers=(NAME,),
    panel=("text", "n", "distractors"),
)
