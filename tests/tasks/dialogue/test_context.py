"""What of a conversation a model is given: never more than fits, never part of a turn unsaid, never a lost branch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tasks.told import Front, Script

from langwright.data.schemas import Message
from langwright.errors import UserError
from langwright.inference.fake import letters
from langwright.tasks.dialogue.context import Context, Said, Summary, fitted
from langwright.tasks.dialogue.settings import ContextSettings
from langwright.tasks.dialogue.shortening import halves, shortened, whole_at
from langwright.tasks.dialogue.summaries import extracted, refused, writer_of
from langwright.tasks.front.model import Model
from langwright.tokenizers.templates import render


@dataclass(frozen=True)
class One:
    id: str
    role: str
    content: str


def talk(*contents: str) -> list[One]:
    """A conversation whose first turn is the user's."""
    return [One(f"t{n}", "assistant" if n % 2 else "user", said) for n, said in enumerate(contents)]


def words(messages: Sequence[Message]) -> int:
    """A count that is easy by hand: words, and two for each turn."""
    return sum(len(one.content.split()) + 2 for one in messages)


def short(before: Summary | None, turns: Sequence[Said], fits: Callable[[str], bool]) -> Summary | None:
    """As much as fits: ten words for every turn, or one, or one for all."""
    names = [one.id for one in turns]
    text = next((one for one in (" ".join(names * 10), " ".join(names), "x") if fits(one)), None)
    return None if text is None else Summary(text, turns[-1].id, len(turns), "model")


def fit(turns: Sequence[One], context: int = 60, answer: int = 10, **given: object) -> Context:
    settings = ContextSettings.model_validate({"summary_share": 0.4, **given.pop("settings", {})})  # type: ignore[dict-item]
    return fitted(
        turns, pinned="be kind", count=words, context=context, answer=answer, write=short, settings=settings, **given
    )  # type: ignore[arg-type]


LONG = talk(*("one two three four five six" for _ in range(11)))  # 8 counted words a turn


@pytest.mark.spec("DM1", "what fits is given whole; what does not leaves in whole turns, a question never without its answer, and a summary takes their place")  # fmt: skip
def test_older_turns_give_way_to_a_summary() -> None:
    whole = fit(LONG[:5])
    assert [one.role for one in whole.messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert whole.counts.given == 4 + 5 * 8 and whole.counts.turns == 5 and whole.summary is None
    cut = fit(LONG)
    assert cut.made and cut.summary is not None and cut.summary.upto == LONG[7].id and cut.summary.turns == 8
    assert cut.messages[0].content.startswith("be kind\n\nSummary of the conversation before (8 turns):\nt0 t1")
    assert [one.content for one in cut.messages[1:]] == [one.content for one in LONG[8:]]  # three turns: 24 of 30
    counts = cut.counts
    assert (counts.room, counts.turns, counts.summed, counts.dropped, counts.left_out) == (50, 3, 8, 0, 0)
    assert counts.given == counts.pinned + counts.summary + counts.recent <= counts.room and counts.recent == 24


def test_a_summary_is_made_again_only_when_more_turns_fall_out() -> None:
    first = fit(LONG)
    assert first.summary is not None
    again = fit(LONG, kept=[first.summary])
    assert again.summary == first.summary and not again.made
    more = [*LONG, One("t11", "assistant", "yes"), One("t12", "user", "and then")]
    kept = fit(more, kept=[first.summary])
    assert not kept.made and kept.counts.turns == 5
    much = [*more, *(One(f"u{n}", "user" if n % 2 else "assistant", "one two three four five") for n in range(4))]
    anew = fit(much, kept=[first.summary])
    assert anew.made and anew.summary is not None and anew.summary.turns > first.summary.turns


@pytest.mark.spec("DM4", "a summary belongs to the branches that go through the last turn it covers, and to no other")
def test_a_summary_of_another_branch_is_left_alone() -> None:
    other = Summary("what was never said here", "elsewhere", 8, "model")
    found = fit(LONG, kept=[other])
    assert found.made and found.summary is not None and "never" not in found.summary.text


def test_no_room_for_a_summary_says_how_many_turns_are_missing() -> None:
    found = fit(LONG, settings={"summary_share": 0.0})
    assert found.summary is None and found.counts.dropped == 8 and found.messages[0].content == "be kind"


@pytest.mark.spec("DM1", "a last turn that does not fit is refused with the numbers, or its middle left out with a mark that says so")  # fmt: skip
def test_a_turn_that_does_not_fit() -> None:
    long = talk("a", "b", " ".join(["很长"] * 80))
    with pytest.raises(UserError) as told:
        fit(long)
    assert told.value.params == {"tokens": 86, "room": 50, "answer": 10}
    found = fit(long, settings={"long_turns": "cut"})
    last = found.messages[-1].content
    assert "此处省略了" in last and str(found.counts.left_out) in last and found.counts.given <= 50
    assert found.counts.dropped == 2
    with pytest.raises(UserError):
        fit(long, context=12, settings={"long_turns": "cut"})


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=25), context=st.integers(40, 200),
    share=st.sampled_from([0.0, 0.2, 0.5]), keep=st.sampled_from([0.3, 0.6, 1.0]),
)  # fmt: skip
def test_never_more_than_fits_and_never_part_of_a_turn(
    sizes: list[int], context: int, share: float, keep: float
) -> None:
    turns = talk(*(" ".join(["w"] * size) for size in (sizes if len(sizes) % 2 else sizes[1:] or [1])))
    try:
        found = fit(turns, context, settings={"summary_share": share, "keep_share": keep})
    except UserError:
        assert words([Message(role="user", content=turns[-1].content)]) + 4 > context - 10
        return
    counts = found.counts
    assert words(found.messages) == counts.given == counts.pinned + counts.summary + counts.recent <= context - 10
    assert counts.turns + counts.summed + counts.dropped == len(turns)
    recent = [one.content for one in found.messages if one.role != "system"]
    assert recent == [one.content for one in turns[len(turns) - len(recent) :]]
    assert found.messages[1].role == "user"


@given(st.text(alphabet="a你e\u0301👍🏽👨\u200d👩\u200d👧🇨🇳\r\n", max_size=60), st.integers(0, 60))
def test_nothing_is_cut_inside_a_character(text: str, kept: int) -> None:
    shown, count = halves(text, min(kept, len(text)), "en")
    before, _, rest = shown.partition("\n[… ")
    after = rest.partition(" …]\n")[2]
    assert text.startswith(before) and text.endswith(after) and len(text) - len(before) - len(after) == count
    assert whole_at(text, len(before)) and whole_at(text, len(text) - len(after))


def test_shortening_keeps_as_much_as_fits() -> None:
    text, count = shortened("你" * 1000, lambda said: len(said.encode()) <= 300, "zh")
    assert count + text.count("你") == 1000 and 280 < len(text.encode()) <= 300
    assert shortened("ab", lambda said: True, "en") == ("ab", 0)


# --- summaries -------------------------------------------------------------------------------------

TRIP = talk(
    "I want to travel to Kyoto in April with my two children. The budget is 3000 euros.",
    "Kyoto in April is busy. Book the hotel early.",
    "My daughter cannot eat nuts. Please remember that.",
    "I will look for restaurants that can cook without nuts.",
)


@pytest.mark.spec("DM1", "an extract is sentences as they were said, each with its speaker, and fits")
def test_an_extract_is_what_was_said() -> None:
    found = extracted(TRIP, lambda text: len(text) < 160)
    assert found is not None and found.by == "extract" and found.turns == 4 and len(found.text) < 160
    for line in found.text.splitlines():
        speaker, _, sentence = line.partition(": ")
        assert any(sentence in one.content and speaker.lower() == one.role for one in TRIP)
    assert extracted(TRIP, lambda text: False) is None


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("The user wants to travel to Kyoto with two children and 3000 euros; no nuts.", ""),
        ("The user wants to travel to Kyoto with 9000 euros and two children.", "adds numbers: 9000"),
        ("Quantum chromodynamics describes gluons, quarks, hadrons and confinement.", "something else"),
        ("用户想带孩子去京都。", "not in English"),
        ("", "cut or empty"),
    ],
)
def test_what_a_model_sums_up_is_looked_at(text: str, wrong: str) -> None:
    source = " ".join(one.content for one in TRIP)
    told = refused(text, True, source, lambda said: True, "en")
    assert (told == "") == (wrong == "") and wrong in told
    assert "cut" in refused("The user wants", False, source, lambda said: True, "en")
    assert "too long" in refused("Kyoto", True, source, lambda said: False, "en")


def test_the_model_sums_up_where_it_holds_and_else_sentences_stand() -> None:
    good = "The user wants to go to Kyoto in April with two children; the daughter cannot eat nuts."
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return good

    fits: Callable[[str], bool] = lambda text: True  # noqa: E731
    model = Front(Script(answer=answer))
    found = writer_of(model)(None, TRIP, fits)
    assert found is not None and (found.by, found.text, found.why) == ("model", good, "")
    later = writer_of(model)(found, [*TRIP, One("t4", "user", "And two nights in Nara.")], fits)
    assert later is not None and later.turns == 5
    assert good in asked[-1] and "Nara" in asked[-1] and "3000" not in asked[-1]  # what is summed up is not read again
    liar = writer_of(Front(Script("They have 12345 children.")))(None, TRIP, fits)
    assert liar is not None and liar.by == "extract" and "12345" in liar.why
    small = writer_of(Front(Script(good), context=200))(None, TRIP, fits)
    assert small is not None and small.by == "extract" and "too long" in small.why


def test_a_model_that_does_not_converse_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Model, "converses", property(lambda _: False))
    found = writer_of(Front(Script("Anything.")))(None, TRIP, lambda text: True)
    assert found is not None and found.by == "extract" and "not taught" in found.why


def test_tokens_are_those_of_the_chat_template() -> None:
    tokenizer = letters()
    found = fitted(
        TRIP[:3], pinned="", count=lambda messages: len(render(tokenizer, messages)), context=1000, answer=100, write=short
    )  # fmt: skip
    assert found.counts.given == len(render(tokenizer, found.messages)) and found.counts.pinned == 0
