"""Texts of a kind, for a reader, and replies that take note of a feeling."""

from __future__ import annotations

import pytest
from tests.tasks.told import Script, ask

from langwright.inference.protocol import Sampling
from langwright.tasks.composition import SHAPES, Composition, CompositionInput, Profile
from langwright.tasks.dialogue.feelings import EMOTIONS
from langwright.tasks.front.model import Model
from langwright.tasks.reply import Reply, ReplyInput

DRAW = Sampling(temperature=1, max_new_tokens=900)
NEWS = "Library opens its garden\nThe town library opens its garden on Monday. It has 12 benches and a pond. Everybody may come in and sit and read there until the evening, and there is water for those who are thirsty."
NEWS_ZH = (
    "图书馆花园下周开放\n本市图书馆的花园将于下周一向公众开放。园内设有12张长椅和一个池塘，读者可以在那里阅读到傍晚。"
)
SCRIPT = "ANN: Where is the key?\nBEN: Under the mat, I think.\nANN: There is no mat here, and it is raining on both of us, so please think again about where you put it.\nBEN: Then it is in the car, and the car is at home with my brother."


@pytest.mark.parametrize(("text", "subject", "fact"), [(NEWS, "the library", "The garden has 12 benches."), (NEWS_ZH, "图书馆", "花园有12张长椅。")])  # fmt: skip
@pytest.mark.spec("G13", "news that lacks a headline or makes up a number is drawn again, in both languages")
def test_news_makes_up_no_numbers(text: str, subject: str, fact: str) -> None:
    script = Script(text.partition("\n")[2], text.replace("12", "40"), text)
    found = ask(script, CompositionInput(subject=subject, kind="news", facts=(fact,), sampling=DRAW))
    assert isinstance(found, Composition) and found.text == text and all(one.held for one in found.checks)
    assert len(script.asked) == 3 and fact in script.asked[0]


@pytest.mark.spec("G14", "a text is written for a stated reader: their words and level are asked for and looked at")
def test_a_profile_is_asked_for_and_looked_at() -> None:
    profile = Profile(reader="a child of nine", interests=("rockets",), avoid=("sugar",), level="simple")
    hard = "Although it had been raining for a week without a pause the small rocket in the garden of our neighbours flew over the house, the school, the river and the whole town. It was fine. It was very fine indeed, they said."
    sweet = "The rocket is small. It flies up. It eats sugar and sings. " * 5
    good = "The rocket is small. It flies up. It sees the town. It comes home. " * 4
    script = Script(hard, sweet, good)
    found = ask(script, CompositionInput(subject="a rocket", profile=profile, sampling=DRAW, at_least=30))
    assert isinstance(found, Composition) and found.text == good.strip()
    assert "a child of nine" in script.asked[0] and "rockets" in script.asked[0] and "easy words" in script.asked[0]


@pytest.mark.spec("G12", "stories and scripts are looked at for their form")
def test_forms() -> None:
    found = ask(Script("A rainy street.", SCRIPT), CompositionInput(subject="a lost key", kind="script", sampling=DRAW))
    assert isinstance(found, Composition) and found.text == SCRIPT and found.checks[1].held
    wrong = {
        "script": "ANN: Hello.\nANN: Hello again.\nANN: And again.", "news": "One line alone", "blog": "Title\nOne paragraph.",
        "story": "It rained. The end.", "marketing email": "Dear all.", "article": "No title here.\nA paragraph.",
    }  # fmt: skip
    right = {
        "script": SCRIPT, "news": NEWS, "blog": "Title\nOne.\nTwo.", "story": "从前有座山。山里有座庙。庙里有个和尚。",
        "marketing email": "Spring sale\nDear all, come in.", "article": "茶的历史\n茶起源于中国。",
    }  # fmt: skip
    assert all(SHAPES[kind].wrong(text) for kind, text in wrong.items())  # type: ignore[index]
    assert not any(SHAPES[kind].wrong(text) for kind, text in right.items())  # type: ignore[index]


def test_words_that_have_to_appear_and_length() -> None:
    asked = CompositionInput(subject="新茶上市", kind="advertisement", keep=("春芽",), at_least=8, at_most=20, tries=2, sampling=DRAW)  # fmt: skip
    found = ask(Script("清明前采摘，今日到店。", "春芽新茶，清明前采摘，今日到店。"), asked)
    assert isinstance(found, Composition) and "春芽" in found.text and all(one.held for one in found.checks)
    long = ask(Script("春芽新茶，" * 9), asked)
    assert isinstance(long, Composition) and {one.check for one in long.checks if not one.held} == {
        "whole",
        "word count",
    }


@pytest.mark.spec("DM3", "the emotion of what was said is found first, and the reply is asked for with it")
def test_a_reply_takes_note_of_a_feeling(monkeypatch: pytest.MonkeyPatch) -> None:
    here = ask(
        Script("I am sorry to hear that. What happened?"), ReplyInput(text="My cat died yesterday.", sampling=DRAW)
    )
    assert isinstance(here, Reply) and here.found_by == "likelihood" and here.emotion in EMOTIONS["en"]
    monkeypatch.setattr(Model, "remote", property(lambda _: True))  # which says nothing of probabilities
    script = Script(
        "I am sorry to hear that. What happened?",
        answer=lambda prompt: "sadness" if "Which of these" in prompt else None,
    )
    found = ask(script, ReplyInput(text="My cat died yesterday.", sampling=DRAW))
    assert isinstance(found, Reply) and (found.emotion, found.found_by) == ("sadness", "choice")
    assert "They feel: sadness" in script.asked[-1] and found.turn().role == "assistant"
    echo = Script("我的猫昨天死了。", "听到这个我很难过，它陪了你多久？")
    given = ask(echo, ReplyInput(text="我的猫昨天死了。", emotion="悲伤", sampling=DRAW))
    assert isinstance(given, Reply) and given.found_by == "given" and given.text.startswith("听到")
    assert len(EMOTIONS["en"]) == len(EMOTIONS["zh"])
