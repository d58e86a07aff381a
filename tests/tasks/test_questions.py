"""Exam items, answers with evidence, and translation with a glossary: what is checked, and what is drawn again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.tasks.tiny import write_writer
from tests.tasks.told import Front, Plain, Script, ask

from langwright.inference.protocol import Sampling
from langwright.tasks.classification import ClassificationInput, ClassificationOutput
from langwright.tasks.composition import Composition, CompositionInput
from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.tasks.front.loading import load
from langwright.tasks.grounded import Grounded, GroundedInput
from langwright.tasks.qa import QaInput, QaOutput
from langwright.tasks.questions import Questions, QuestionsInput
from langwright.tasks.reply import Reply, ReplyInput
from langwright.tasks.solving.solvers import Need
from langwright.tasks.solving.telling import Told
from langwright.tasks.terms import TermsInput, Translated

DRAW = Sampling(temperature=1, max_new_tokens=600)
TEXT = "The lighthouse was built in 1820. Its keeper was called Mara, and she wrote a diary."
TEXT_ZH = "灯塔建于1820年。守塔人名叫马拉，她每天写日记。"


def item(question: str, answer: str, *wrong: str) -> str:
    return json.dumps({"question": question, "answer": answer, "distractors": wrong}, ensure_ascii=False)


def reader(**answers: str) -> Callable[[str], str | None]:
    """Answers by a word of the question, where the passage and the question alone are shown."""

    def read(prompt: str) -> str | None:
        if "Answer with the few" not in prompt and "只用材料中的几个字" not in prompt:
            return None
        question = re.split("Question:|问题：", prompt)[-1]
        return next((said for word, said in answers.items() if word in question), None)

    return read


@pytest.mark.spec(
    "AP13",
    "an item is kept where its answer stands in the text, its wrong answers differ, and the question asked again gives the answer back",
)
def test_items_are_checked_and_drawn_again() -> None:
    right = item("Who kept the lighthouse?", "Mara", "Anna", "Jon", "Tom")
    script = Script(
        item("Who kept the lighthouse?", "Maria", "Anna", "Jon", "Tom"),  # does not stand in the text
        item("Who was Mara?", "Mara", "Anna", "Jon", "Tom"),  # gives its answer away
        item("Who kept the lighthouse?", "Mara", "mara!", "Jon", "Tom"),  # the same twice
        item("Who kept the lighthouse", "Mara", "Anna", "Jon", "Tom"),  # no question
        item("When was it built?", "a diary", "1", "2", "3"),  # another answer comes back
        right,
        answer=reader(kept="Mara.", built="1820"),
    )
    found = ask(script, QuestionsInput(text=TEXT, tries=9, sampling=DRAW))
    assert isinstance(found, Questions) and len(found.items) == 1
    only = found.items[0]
    assert only.holds and only.answer == "Mara" and only.given_back == "Mara."
    assert TEXT[only.start : only.end] == "Mara"
    asked = [prompt for prompt in script.asked if "Answer with the few" in prompt]
    assert len(asked) == 2 and all("Anna" not in prompt for prompt in asked)  # the reader sees no choices
    choices, place = only.choices(seed=1)
    assert (
        choices[place] == "Mara"
        and set(choices) == {"Mara", "Anna", "Jon", "Tom"}
        and only.choices(1) == (choices, place)
    )


@pytest.mark.spec("AP13", "several open questions about a Chinese text differ from each other")
def test_several_open_questions_in_chinese() -> None:
    who, when = item("守塔人叫什么名字？", "马拉"), item("灯塔建于哪一年？", "1820年")
    script = Script(who, who, when, answer=reader(守塔人="马拉", 灯塔="1820年"))
    found = ask(script, QuestionsInput(text=TEXT_ZH, n=2, distractors=0, sampling=DRAW))
    assert isinstance(found, Questions) and [one.answer for one in found.items] == ["马拉", "1820年"]
    assert all(one.holds for one in found.items) and "改写" not in script.asked[0]
    assert found.lines()[0] == "1. 守塔人叫什么名字？"


def test_an_item_that_never_holds_says_why() -> None:
    script = Script(item("Who kept it?", "Mara", "Anna"), answer=reader(kept="nobody"))
    found = ask(script, QuestionsInput(text=TEXT, distractors=1, tries=2, sampling=DRAW))
    assert isinstance(found, Questions)
    wrong = [check for check in found.items[0].checks if not check.held]
    assert [check.check for check in wrong] == ["round trip"] and "nobody" in wrong[0].said
    unasked = ask(script, QuestionsInput(text=TEXT, distractors=1, agree=0, sampling=DRAW))
    assert isinstance(unasked, Questions) and unasked.items[0].holds and unasked.items[0].given_back == ""


@pytest.mark.spec(
    "AP12",
    "a question is answered in words with the stretch of the passage it rests on, or it is said that the passage does not say",
)
def test_answers_rest_on_evidence() -> None:
    question = "Who kept the lighthouse and what did she write?"
    evidence = "Its keeper was called Mara, and she wrote a diary."
    script = Script(f"{evidence}\nMara kept it for 30 years.", f"{evidence}\nShe was called Mara and wrote a diary.")
    found = ask(script, GroundedInput(question=question, passage=TEXT, sampling=DRAW))
    assert isinstance(found, Grounded) and found.stated and found.answer == "She was called Mara and wrote a diary."
    assert TEXT[found.start : found.end] == found.evidence == evidence
    silent = ask(Script("-"), GroundedInput(question="How high is it?", passage=TEXT, sampling=DRAW))
    assert isinstance(silent, Grounded) and not silent.stated and silent.answer == "" and silent.start == -1
    assert all(check.held for check in silent.checks)
    invented = ask(Script(f"{evidence}\nIt is 40 metres high."), GroundedInput(question="How high is it?", passage=TEXT, sampling=DRAW))  # fmt: skip
    assert isinstance(invented, Grounded) and not invented.stated  # what does not hold is not given
    assert [check.check for check in invented.checks if not check.held] == ["support"]


def test_evidence_of_a_passage_of_several_lines_in_chinese() -> None:
    passage = TEXT_ZH.replace("。守", "。\n守")
    found = ask(Script("守塔人名叫马拉，她每天写日记\n守塔人叫马拉"), GroundedInput(question="守塔人是谁？", passage=passage, sampling=DRAW))  # fmt: skip
    assert isinstance(found, Grounded) and found.stated and passage[found.start : found.end] == found.evidence


def test_any_model_takes_evidence_from_the_passage(tmp_path: Path) -> None:
    with load(write_writer(tmp_path, context=900)) as model:
        for seed in range(3):
            drawn = Sampling(temperature=1, max_new_tokens=500, seed=seed)
            made = model.solve(
                "grounded-answer", GroundedInput(question="Who?", passage=TEXT, tries=1, support=0, sampling=drawn)
            )
            assert isinstance(made, Grounded)
            held = {check.check: check for check in made.checks}
            assert "does not stand in the text" not in held["evidence"].said


GLOSSARY = {"language model": "语言模型", "model": "模特", "training": "训练", "loss": "损失"}


@pytest.mark.spec(
    "AP16",
    "terms of a glossary that stand in the source stand in the translation as they should, or it is said which do not",
)
def test_terms_are_translated_as_they_should_be() -> None:
    asked = TermsInput(text="Training a language model", source_language="en", target_language="zh", glossary=GLOSSARY, sampling=DRAW)  # fmt: skip
    assert asked.terms == {"language model": "语言模型", "training": "训练"}  # model stands only inside the longer term
    script = Script("培养一个语言模型", "训练一个语言模型")
    found = ask(script, asked)
    assert isinstance(found, Translated) and found.text == "训练一个语言模型" and all(one.used for one in found.terms)
    assert "language model = 语言模型" in script.asked[0] and "loss" not in script.asked[0]
    never = ask(Script("培养一个模型"), asked.model_copy(update={"tries": 2}))
    assert isinstance(never, Translated) and [one.used for one in never.terms] == [False, False]
    assert any("语言模型" in line for line in never.lines())


def test_a_term_that_stands_by_itself_too_is_asked_for() -> None:
    both = TermsInput(
        text="The model is no language model.", source_language="en", target_language="zh", glossary=GLOSSARY
    )
    assert set(both.terms) == {"language model", "model"}
    inside = TermsInput(text="A remodelled house", source_language="en", target_language="zh", glossary=GLOSSARY)
    assert inside.terms == {}
    chinese = TermsInput(
        text="训练语言模型", source_language="zh", target_language="en", glossary={"语言模型": "language model"}
    )
    assert chinese.terms == {"语言模型": "language model"}


def test_decoding_writes_the_terms(tmp_path: Path) -> None:
    asked = TermsInput(text="a loss", source_language="en", target_language="zh", glossary=GLOSSARY, tries=1, sampling=Sampling(max_new_tokens=40, seed=2))  # fmt: skip
    with load(write_writer(tmp_path, context=500)) as model:
        found = model.solve("terms", asked)
    assert isinstance(found, Translated) and found.terms[0].used and "损失" in found.text


@pytest.mark.spec(
    "AP18",
    "a subject in one language gives a text in the other, both ways, and one in the wrong language is drawn again",
)
@pytest.mark.parametrize(("subject", "language", "wrong", "right"), [
    ("a lost key", "zh", "The key was lost. Nobody knew where. It rained.", "钥匙丢了。谁也不知道在哪里。外面下着雨。"),
    ("丢失的钥匙", "en", "钥匙丢了。谁也不知道在哪里。外面下着雨。", "The key was lost. Nobody knew where. It rained."),
])  # fmt: skip
def test_a_text_in_another_language(subject: str, language: str, wrong: str, right: str) -> None:
    asked = CompositionInput(subject=subject, language=language, at_least=3, sampling=DRAW)  # type: ignore[arg-type]
    for front in (Front, Plain):
        script = Script(wrong, right)
        found = ask(front(script), asked)
        assert isinstance(found, Composition) and found.text == right and subject in script.asked[0]


class WithHeads(Front):
    """The script with a head for questions and one for emotions beside it."""

    def has(self, need: Need, task: Task) -> bool:
        return need in ("head", "text")

    def solve(
        self, task: str, asked: TaskInput, solver: str | None = None, *, progress: Told | None = None
    ) -> TaskOutput:
        if isinstance(asked, QaInput):
            return QaOutput(text="Mara" if "Who" in asked.question else "", start=0, end=4, solver="head")
        if isinstance(asked, ClassificationInput):
            return ClassificationOutput(label="joy", labels=("joy",), probabilities={"joy": 1.0}, solver="head")
        return super().solve(task, asked, solver, progress=progress)


def test_heads_read_and_feel_where_there_are_some() -> None:
    script = Script(item("Who kept it?", "Mara", "Anna"))
    found = ask(WithHeads(script), QuestionsInput(text=TEXT, distractors=1, sampling=DRAW))
    assert isinstance(found, Questions) and found.items[0].holds and found.items[0].given_back == "Mara"
    assert len(script.asked) == 1  # the model itself is not asked to read
    reply = ask(WithHeads(Script("How good to hear that!")), ReplyInput(text="I passed the exam!", sampling=DRAW))
    assert isinstance(reply, Reply) and (reply.emotion, reply.found_by) == ("joy", "head")
