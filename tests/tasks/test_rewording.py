"""Paraphrases, rewriting in several ways, styles and advice: what is asked, what is looked at, what is drawn again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.tasks.tiny import write_writer
from tests.tasks.told import Front, Plain, Script, ask

from langwright.errors import UserError
from langwright.inference.protocol import Sampling
from langwright.tasks import TASKS
from langwright.tasks.advice import Advice, AdviceInput
from langwright.tasks.front.loading import load
from langwright.tasks.rewording import ParaphraseInput, Reworded, RewritingInput, Rewritten, StyleInput
from langwright.tasks.solving.checks import has_all, has_none, in_language, keeps_numbers, length_between, size_between
from langwright.tasks.solving.drafting import DRAFTING, Check, Pen, Wanted, alike

LATE = "The train of 10:30 is 12 minutes late today."
SAID = "Today the 10:30 train comes 12 minutes after its time."
LATE_ZH, SAID_ZH = "今天10:30的火车晚点12分钟。", "10:30那趟列车今日迟到12分钟。"


@pytest.mark.parametrize(("text", "said"), [(LATE, SAID), (LATE_ZH, SAID_ZH)])
@pytest.mark.spec("G11", "a paraphrase that repeats the text or changes its numbers is drawn again")
def test_a_paraphrase_is_looked_at_and_drawn_again(text: str, said: str) -> None:
    script = Script(text, said.replace("12", "20"), said)
    found = ask(script, ParaphraseInput(text=text))
    assert isinstance(found, Reworded) and found.text == said and found.drafts[0].holds
    assert len(script.asked) == 3 and text in script.asked[0]
    assert ("改写" in script.asked[0]) == (text == LATE_ZH)


def test_what_never_holds_is_given_with_what_was_found() -> None:
    script = Script("这是另一回事，与原文毫无关系。")
    found = ask(script, ParaphraseInput(text=LATE, tries=3))
    assert isinstance(found, Reworded) and len(script.asked) == 3
    wrong = {check.check: check.said for check in found.drafts[0].checks if not check.held}
    assert set(wrong) == {"language", "numbers"} and "10:30" in wrong["numbers"]


@pytest.mark.spec("G11", "n suggestions are n different texts: near copies of each other are drawn again")
def test_several_paraphrases_are_apart() -> None:
    near, far = SAID.replace("Today the", "Today that"), "12 minutes of delay are announced for the train at 10:30."
    found = ask(Script(SAID, near, SAID, far), ParaphraseInput(text=LATE, n=2))
    assert isinstance(found, Reworded)
    assert [draft.text for draft in found.drafts] == [SAID, far]


def test_a_text_that_is_cut_does_not_hold() -> None:
    asked = ParaphraseInput(text=LATE, tries=2, sampling=Sampling(temperature=1, max_new_tokens=20))
    found = ask(Script(SAID), asked)
    assert isinstance(found, Reworded) and not found.drafts[0].holds
    assert found.drafts[0].checks[0].said == "it was cut at the most tokens allowed"


def test_greedy_is_drawn_once_and_gives_one() -> None:
    script = Script(LATE)
    greedy = Sampling(max_new_tokens=99)
    ask(script, ParaphraseInput(text=LATE, sampling=greedy))
    assert len(script.asked) == 1
    with pytest.raises(UserError, match="temperature 0"):
        ask(script, ParaphraseInput(text=LATE, n=2, sampling=greedy))


def test_ways_and_styles_are_asked_for_and_sized() -> None:
    text = "We would be very grateful if you could come to our little party at eight."
    short, formal = (
        "Come to our party at eight.",
        "We request the honour of your presence at our small reception at eight.",
    )
    script = Script(f"{formal} {formal}", short, formal)
    found = ask(script, RewritingInput(text=text, ways=("shorter", "more formal")))
    assert isinstance(found, Rewritten)
    assert [one.draft.text for one in found.suggestions] == [short, formal]  # the first is too long to be shorter
    assert "nothing that can be spared" in script.asked[0] and "letter to an office" in script.asked[-1]
    styled = Script(formal)
    ask(styled, StyleInput(text=text, style="as a pirate"))
    assert "as a pirate" in styled.asked[0]


def test_a_model_that_does_not_converse_is_asked_in_running_text() -> None:
    script = Script(f"{SAID}\n\nAnd then something else.")
    found = ask(Plain(script), ParaphraseInput(text=LATE))
    assert isinstance(found, Reworded) and found.text == SAID
    assert "<|im_start|>" not in script.asked[0]


def test_a_real_model_keeps_what_must_stay(tmp_path: Path) -> None:
    with load(write_writer(tmp_path, context=300)) as model:
        asked = ParaphraseInput(text="Ann is in", keep=("Ann",), tries=1, sampling=Sampling(max_new_tokens=24, seed=1))
        found = model.solve("paraphrase", asked)
        again = model.solve("paraphrase", asked)
    assert isinstance(found, Reworded) and "Ann" in found.text
    assert found == again


@pytest.mark.spec("G11", "advice on grammar and wording says where in the text, and what stands there instead")
def test_advice_says_where() -> None:
    text = "He go home. He go out."
    items = [
        {"quote": "go", "kind": "grammar", "replacement": "goes", "reason": "third person"},
        {"quote": "go", "kind": "grammar", "replacement": "goes", "reason": "third person"},
    ]
    lost = json.dumps([{**items[0], "quote": "gone"}])
    script = Script(lost, json.dumps(items))
    found = ask(script, AdviceInput(text=text))
    assert isinstance(found, Advice) and len(script.asked) == 2
    assert [(item.start, item.end) for item in found.items] == [(3, 5), (15, 17)]
    assert all(text[item.start : item.end] == item.quote for item in found.items)
    assert found.applied(text) == "He goes home. He goes out."


def test_advice_in_chinese_and_none_at_all() -> None:
    text = "他们正在讨伦这个问题。"
    item = {"quote": "讨伦", "kind": "spelling", "replacement": "讨论", "reason": "错别字"}
    found = ask(Script(json.dumps([item], ensure_ascii=False)), AdviceInput(text=text))
    assert isinstance(found, Advice) and found.applied(text) == "他们正在讨论这个问题。"
    empty = ask(Script("[]"), AdviceInput(text=text))
    assert isinstance(empty, Advice) and empty.items == ()


def test_advice_is_json_from_any_model(tmp_path: Path) -> None:
    asked = AdviceInput(
        text="a b", most=1, tries=2, kinds=("style",), sampling=Sampling(temperature=1, max_new_tokens=500, seed=3)
    )
    with load(write_writer(tmp_path, context=900)) as model:
        found = model.solve("advice", asked)
        with pytest.raises(UserError, match="more than the model"):
            model.solve("advice", asked.model_copy(update={"text": "long " * 200}))
    assert isinstance(found, Advice) and found.checks[1].said != "it is not whole JSON"


def test_checks() -> None:
    assert not keeps_numbers("3.5 kg in 2024").judge("In 2024: 3.5 kilograms")
    assert keeps_numbers("3.5 kg").judge("3 kg") and keeps_numbers("none").judge("1")
    assert size_between("a b c d", 0.5, 1).judge("a") and not size_between("a b c d", 0.5, 1).judge("a b")
    assert in_language("zh").judge("hello") and not in_language("zh").judge("你好 ok")
    assert has_all(["Ann", "春"]).judge("ann") == "it lacks 春"
    assert has_none(["art", "春"]).judge("smart 青春") == "it has 春"
    assert length_between(2, 3).judge("春") and not length_between(2, 3).judge("春天 ok")


def test_alike_is_between_nothing_and_the_same() -> None:
    assert alike("a b c", "a b c") == 1 and alike("a b", "c d") == 0 and alike("!", "?") == 1
    assert alike("a b c d", "a x c y") == pytest.approx(0.5)


def test_drafts_that_fail_are_ranked_by_how_much_they_hold() -> None:
    checks = (
        Check("one", lambda text: "" if "1" in text else "no"),
        Check("two", lambda text: "" if "2" in text else "no"),
    )
    pen = Pen(Front(Script("0", "1", "0", "0")), Sampling(temperature=1, max_new_tokens=9), tries=4)
    (best,) = pen.drafts(Wanted("x", checks=checks))
    assert best.text == "1" and [check.held for check in best.checks] == [True, True, False]


def test_the_tasks_are_there() -> None:
    assert {name for name, task in TASKS.items() if task.solvers == (DRAFTING.name,)} >= {
        "paraphrase", "style", "rewriting", "advice",
    }  # fmt: skip
