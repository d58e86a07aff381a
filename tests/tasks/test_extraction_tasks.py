"""Keywords, summaries, triples, events, relations and reading in context, as tasks: asked, quoted, said where from."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.tasks.told import Front, Script

from langwright.data.schemas import Span
from langwright.errors import UserError
from langwright.tasks.analysis import AnalyzeOutput
from langwright.tasks.events import EventsOutput, events_of
from langwright.tasks.front.model import Model
from langwright.tasks.keywords import KeywordsOutput
from langwright.tasks.relation import RelationInput, RelationOutput, marked, pairs_of
from langwright.tasks.solving.quoting import form_of
from langwright.tasks.summarization import SummaryOutput
from langwright.tasks.triples import TriplesOutput

ENGLISH = (
    "Mara Lind founded the Norvik brewery. The brewery makes ale. In May a storm hit the Norvik brewery. "
    "The storm broke its roof. Mara Lind repaired the roof."
)
CHINESE = "林青在海州开了一家书店。书店卖旧书。去年台风吹坏了书店的屋顶。林青修好了屋顶。"
NOBODY = Model("", None)


# --- without a model ---------------------------------------------------------------------------------


@pytest.mark.spec("AP20", "keywords of a text by methods without a model, in both languages, each with its places")
@pytest.mark.parametrize("solver", ["tf-idf", "textrank", "rake"])
@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_keywords_stand_where_they_say(text: str, solver: str) -> None:
    found = NOBODY.do("keywords", text, count=3, solver=solver)
    assert isinstance(found, KeywordsOutput) and found.solver == solver and 0 < len(found.keywords) <= 3
    for one in found.keywords:
        assert all(text[a:b].casefold() == one.text.casefold() for a, b in one.places)


@pytest.mark.spec("AP15", "a summary of sentences as they stand, with their places, by three methods without a model")
@pytest.mark.parametrize("solver", ["textrank", "lexrank", "lead"])
@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_summaries_quote_whole_sentences(text: str, solver: str) -> None:
    found = NOBODY.do("summarization", text, sentences=2, solver=solver)
    assert isinstance(found, SummaryOutput) and found.solver == solver and len(found.sentences) == 2
    assert all(text[one.start : one.end] == one.text and one.text in found.text for one in found.sentences)
    assert NOBODY.summarize(text, sentences=1) in text  # the first method that needs no model


def test_what_needs_a_model_says_so() -> None:
    with pytest.raises(UserError, match="a model that writes"):
        NOBODY.do("triples", ENGLISH)
    with pytest.raises(UserError, match="turns texts into vectors"):
        NOBODY.do("keywords", ENGLISH, solver="nearest")


# --- a model that writes -----------------------------------------------------------------------------


def writer(reply: Any) -> Model:
    """A model that says one thing whatever it is asked; JSON where it is not a text."""
    return Front(Script(reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False)))


@pytest.mark.spec("AP8", "what a model writes is found in the text, and what it makes up is left out and counted")
def test_triples_quote_the_text() -> None:
    said = [
        {"subject": "Mara Lind", "relation": "founded", "object": "the Norvik brewery"},
        {"subject": "Olaf", "relation": "owns", "object": "the brewery"},  # who is that?
        {"subject": "mara lind", "relation": "repaired", "object": "the roof"},
    ]
    found = writer({"triples": said}).do("triples", ENGLISH)
    assert isinstance(found, TriplesOutput) and found.left_out == 1 and found.solver == "quoting"
    assert [(one.subject.text, one.relation, one.object.text) for one in found.triples] == [
        ("Mara Lind", "founded", "the Norvik brewery"), ("Mara Lind", "repaired", "the roof"),
    ]  # fmt: skip
    assert all(ENGLISH[one.object.start : one.object.end] == one.object.text for one in found.triples)


@pytest.mark.spec(
    "AP9", "events that a model writes: type, trigger and participants with roles, each found in the text"
)
def test_events_that_are_written() -> None:
    said = [{"type": "灾害", "trigger": "吹坏", "participants": [{"role": "受损者", "quote": "屋顶"}]}]
    found = writer({"events": said}).do("events", CHINESE)
    assert isinstance(found, EventsOutput)
    (event,) = found.events
    assert (event.trigger.start, event.trigger.end) == (CHINESE.index("吹坏"), CHINESE.index("吹坏") + 2)
    assert [(part.role, part.quote.text) for part in event.participants] == [("受损者", "屋顶")]


@pytest.mark.spec("AP8", "relations that a model writes between things of the text")
def test_relations_that_are_written() -> None:
    said = [{"first": "林青", "second": "书店", "label": "创办"}, {"first": "张三", "second": "书店", "label": "创办"}]
    found = writer({"relations": said}).do("relation", CHINESE)
    assert isinstance(found, RelationOutput) and found.left_out == 1
    assert found.lines() == ["林青 – 创办 – 书店"]
    assert found.relations[0].probability is None


def test_the_form_that_a_model_writes_has_quotes_as_strings_and_nothing_else() -> None:
    form = form_of(RelationOutput)
    item = form["properties"]["relations"]["items"]
    assert set(item["properties"]) == {"first", "second", "label"} == set(item["required"])
    assert all(field["type"] == "string" and field["maxLength"] for field in item["properties"].values())
    parts = form_of(EventsOutput)["properties"]["events"]["items"]["properties"]["participants"]
    assert parts["type"] == "array" and set(parts["items"]["properties"]) == {"role", "quote"}


# --- events and relations of a head ------------------------------------------------------------------


def test_participants_belong_to_the_nearest_trigger_of_their_event() -> None:
    text = "台风吹坏屋顶，洪水冲走小桥，风停了"
    spans = [
        Span(start=0, end=2, label="灾害.起因"), Span(start=2, end=4, label="灾害"), Span(start=4, end=6, label="灾害.受损者"),
        Span(start=7, end=9, label="灾害.起因"), Span(start=9, end=11, label="灾害"), Span(start=11, end=13, label="灾害.受损者"),
        Span(start=14, end=15, label="会议.时间"),
    ]  # fmt: skip
    found = events_of(text, spans, "head")
    assert [event.trigger.text for event in found.events] == ["吹坏", "冲走"]
    assert [[part.quote.text for part in event.participants] for event in found.events] == [
        ["台风", "屋顶"],
        ["洪水", "小桥"],
    ]
    assert [(part.role, part.quote.text) for part in found.alone] == [("会议.时间", "风")]
    assert events_of(text, spans, "head", ["会议"]).events == ()


def test_pairs_are_marked_in_order_and_asked_both_ways() -> None:
    assert marked("Ann leads Acme", (10, 14), (0, 3)) == "#Ann# leads @Acme@"
    asked = RelationInput(text="Ann leads Acme with Bo", things=("Ann", "Acme", "Bo"))
    assert len(pairs_of(asked)) == 6
    overlapping = RelationInput(text="Acme Ltd", things=("Acme", "Acme Ltd"))
    assert pairs_of(overlapping) == []
    for things, words in ((("Ann",), "and 1 were given"), (("Ann", "Cy"), "'Cy' does not stand in the text")):
        with pytest.raises(UserError, match=words):
            pairs_of(RelationInput(text="Ann leads Acme", things=things))


# --- reading in context ------------------------------------------------------------------------------


@pytest.mark.spec(
    "AP5", "without a model: the context's related sentences by BM25 and keywords, and what each part stands on"
)
def test_analysis_without_a_model() -> None:
    found = NOBODY.analyze("The storm was strong in Norvik.", ENGLISH, count=2)
    assert isinstance(found, AnalyzeOutput)
    assert found.stands_on == {"keywords": "tf-idf", "related": "bm25"}
    assert [one.quote.text for one in found.related] == [
        "In May a storm hit the Norvik brewery.",
        "The storm broke its roof.",
    ]
    assert all(ENGLISH[one.quote.start : one.quote.end] == one.quote.text for one in found.related)
    assert (found.entities, found.sentiment, found.explanation) == ((), None, "")
    alone = NOBODY.analyze(CHINESE)
    assert isinstance(alone, AnalyzeOutput) and alone.related == () and alone.stands_on == {"keywords": "tf-idf"}


@pytest.mark.spec(
    "AP5", "with a model that writes: an explanation, and the context by the model's vectors where it has some"
)
def test_analysis_with_a_model_that_writes() -> None:
    found = writer("It was a hard year.").analyze("屋顶怎么了？", CHINESE)
    assert isinstance(found, AnalyzeOutput)
    assert found.explanation == "It was a hard year." and found.stands_on["explanation"] == "writing"
    assert len(found.related) == 4 or found.stands_on["related"] == "bm25"
    assert found.lines()[0] == "It was a hard year."


# --- long texts --------------------------------------------------------------------------------------


@pytest.mark.spec(
    "DM9", "a text longer than the context is summarized in parts that overlap, and the parts' summaries are read again"
)
def test_long_texts_are_summarized_in_parts() -> None:
    text = " ".join(f"Day {number}: it rained in town {number}." for number in range(40))
    script = Script(answer=lambda prompt: prompt[:8].strip())  # the first words of what is to be summarized
    model = Front(script, context=600)
    found = model.do("summarization", text, solver="writing", sampling={"max_new_tokens": 60}, overlap=0.2)
    assert isinstance(found, SummaryOutput)
    assert found.parts > 2 and found.solver == "writing" and len(script.asked) > found.parts
    read = "".join(script.asked)
    assert all(f"in town {number}." in read for number in range(40))  # nothing of the text is skipped
    assert sum(read.count(f"in town {number}.") for number in range(40)) > 40  # and parts share sentences
    assert all(len(model.local("write").ids_of(prompt)) <= 600 - 60 for prompt in script.prompts)
    short = model.do("summarization", "It rained.", solver="writing")
    assert isinstance(short, SummaryOutput) and short.parts == 1


def test_a_context_without_room_says_so() -> None:
    with pytest.raises(UserError, match="of them without the text"):
        Front(Script("x"), context=30).do("summarization", "It rained. " * 20, solver="writing")
