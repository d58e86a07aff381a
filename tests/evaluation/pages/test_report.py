"""The reports: whole and self-contained HTML in both languages, everything gathered, nothing unescaped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.evaluation.pipeline import (
    chat_findings,
    label_findings,
    make,
    text_details,
    text_measures,
    training_events,
    whole_pipeline,
)

from langwright.artifacts import Artifact, DatasetFacts, Made, ModelFacts, open_artifact
from langwright.errors import UserError
from langwright.evaluation.measuring.findings import Details, Findings
from langwright.evaluation.pages.gathering import gather
from langwright.evaluation.pages.measured import subject
from langwright.evaluation.pages.numbers import duration
from langwright.evaluation.pages.report import Made as HowMade
from langwright.evaluation.pages.report import evaluation_report, pipeline_report

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Checked(HTMLParser):
    """Reads a page, and notes its tags, its visible text in each language, and tags that are not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[tuple[str, str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: dict[str, list[str]] = {"en": [], "zh": []}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs).get("class") or ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self.open.pop()
        assert opened == tag, f"</{tag}> closes <{opened}>"

    def handle_data(self, data: str) -> None:
        if any(tag in ("style", "script", "title") for tag, _ in self.open):
            return
        kinds = {kind for _, classes in self.open for kind in classes.split()}
        for lang, other in (("en", "zh"), ("zh", "en")):
            if other not in kinds:
                self.said[lang].append(data)

    def text(self, lang: str) -> str:
        return " ".join(" ".join(self.said[lang]).split())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    return whole_pipeline(tmp_path_factory.mktemp("pipeline"))


@pytest.fixture(scope="module")
def page(made: dict[str, Artifact]) -> Checked:
    last = [made[name] for name in ("chat", "base-measured", "chat-measured", "labels-measured")]
    return Checked(pipeline_report(last, "en"))


def pages(made: dict[str, Artifact]) -> Iterator[str]:
    yield pipeline_report([made["chat"], made["base-measured"]], "zh")
    for findings in (Findings(text_measures("base"), text_details()), Findings(*chat_findings("chat")), Findings(*label_findings("chat"))):  # fmt: skip
        how = HowMade(("langwright", "evaluate"), made["chat"].card.inputs, {"limit": None}, {"torch": "2"}, 8_300_000)
        yield evaluation_report(findings, findings.measures[0].model, how, "en")


def test_a_page_needs_no_other_file_and_reaches_nowhere(made: dict[str, Artifact]):
    for html in pages(made):
        checked = Checked(html)
        for tag, attributes in checked.tags:
            assert tag not in ("link", "img", "iframe", "object", "embed")
            assert "src" not in attributes
            assert not any(name.startswith("on") for name in attributes)
            if "href" in attributes:
                assert attributes["href"].startswith("#")
        assert not re.search(r"@import|@font-face|url\(|https?:", html)
        ids = [attributes["id"] for _, attributes in checked.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        links = [attributes["href"][1:] for tag, attributes in checked.tags if tag == "a"]
        assert set(links) <= set(ids)


def test_both_languages_are_in_the_file_and_the_asked_one_is_shown(made: dict[str, Artifact]):
    english, chinese = (pipeline_report([made["chat"]], lang) for lang in ("en", "zh"))
    assert '<html lang="en" data-lang="en">' in english
    assert '<html lang="zh-CN" data-lang="zh">' in chinese
    assert "<title>chat 的制作过程</title>" in chinese
    for html in (english, chinese):
        checked = Checked(html)
        assert "What it cost" in checked.text("en")
        assert "花费" in checked.text("zh")
        assert "What it cost" not in checked.text("zh")
        assert "花费" not in checked.text("en")


def test_no_english_sentence_of_ours_is_left_in_the_chinese_page(page: Checked):
    sentences = set(re.findall(r"[A-Za-z]+(?: [A-Za-z]+){3,}", page.text("zh")))
    written = {"I do not know", "time there was a", "what is the capital of France"}  # by the made-up models and people
    assert {s for s in sentences if "langwright" not in s} == written  # commands stay as they are typed


def test_what_models_and_sources_wrote_is_escaped(made: dict[str, Artifact]):
    for html in pages(made):
        body = html[html.index("<main>") : html.index("</main>")]
        assert "<script" not in body
        assert "<b>又说" not in body
        assert "<i>慢慢" not in body
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in evaluation_report(Findings(text_measures("base"), text_details()), "base", HowMade(), "en")  # fmt: skip


@pytest.mark.spec(
    "EV5", "the report of a pipeline shows data, drops, curves, samples, measures, cost, origins, commands"
)
def test_a_pipeline_is_shown_whole(page: Checked):
    text = page.text("en")
    for part in (
        "How chat was made", "Data: text", "Data: clean", "Tokenizer: tokenizer", "Training: base", "Training: chat",
        "Dropped by cleaning: 110 of 2,210 rows", "too short 80", "第一回",
        "3 validation texts stand in the training split too", "The run was interrupted and went on from update 150.",
        "What it wrote as it learned", "time there was a <b>300</b> & a king",
        "base needs", "Kneser-Ney 5-gram", "it has learned more than that",
        "Of 50 questions of talks/validation, chat answers 33 with the expected phrase.",
        "It was trained on 2.56M tokens, 0.31 for each of its 8.3M parameters",
        "base, by pretrain 2 min 11 s 2,457,600 tokens 410 TFLOP 56.9 % 1.93 GB 1 Wh 0.473 g CO2e",
            "energy: counted by the processor, other programs included.", "emissions: 1 Wh · PUE 1.0 · 473.0 g CO2e/kWh.",
        "novels/红楼梦.txt", "langwright data read", "Seeds: text 7", "Confusion matrix", "Does not show:",
    ):  # fmt: skip
        assert part in text, part
    assert f"Together {duration(12 * 6 + 131 + 45).en}" in text
    charts = [tag for tag, _ in page.tags if tag == "svg"]
    assert (
        len(charts) == 2 * 4 + 2 + 1 + 2 + 1
    )  # loss, bits, rate, speed for two models; what has a comparison; reliability


def test_cells_show_the_measure_with_its_interval(made: dict[str, Artifact]):
    measures = text_measures("base")
    text = Checked(evaluation_report(Findings(measures, text_details()), "base", HowMade(), "en")).text("en")
    bits = measures[0]
    assert f"{bits.value:.4g} bits/byte {bits.low:.4g} – {bits.high:.4g} {bits.n:,}" in text
    assert f"95 % interval {bits.low:.4g} – {bits.high:.4g}" in text


def test_an_evaluation_shows_its_command_settings_and_origins(made: dict[str, Artifact]):
    how = HowMade(("langwright", "evaluate", "runs/a b"), made["base"].card.inputs, {"limit": None, "temperature": 0.8}, {"torch": "2.13"}, 500_000_000)  # fmt: skip
    text = Checked(evaluation_report(Findings(*chat_findings("chat")), "chat", how, "en")).text("en")
    assert "langwright evaluate 'runs/a b'" in text
    assert "limit –" in text
    assert "temperature 0.8" in text
    assert "as above" in text  # the dataset stands twice among the origins
    assert "Facts it states still have to be checked" in text


def test_confidence_is_drawn_beside_how_often_it_is_right(made: dict[str, Artifact]):
    *_, labels = pages(made)
    (chart,) = re.findall(r'<svg[^>]*aria-label="[^"]*Reliability.*?</svg>', labels, re.DOTALL)
    assert "可靠性" in chart and "0.85: 0.95" in chart and "0.45: 0.4" in chart


def test_an_evaluation_without_measures_or_texts_is_still_a_page():
    html = evaluation_report(Findings((), Details(task="text", rows=0)), "m", HowMade(), "zh")
    assert "m 的测量" in Checked(html).text("zh")


# --- gathering -----------------------------------------------------------------------------------


def names(opened: list) -> list[str]:
    return [o.name for o in opened]


def test_what_led_to_an_artifact_is_found_in_the_order_it_was_made(made: dict[str, Artifact]):
    assert names(gather([made["chat"]])) == ["text", "clean", "tokenizer", "base", "chat"]
    assert names(gather([made["chat"]], follow=False)) == ["chat"]
    assert names(gather([made["chat"], made["base"], made["chat"]])) == ["text", "clean", "tokenizer", "base", "chat"]


def test_what_was_moved_or_changed_since_is_not_taken_for_the_origin(tmp_path: Path):
    made = whole_pipeline(tmp_path)
    made["text"].path.rename(tmp_path / "elsewhere")
    path = made["tokenizer"].path
    path.rename(tmp_path / "old")
    make(path, "tokenizer", "tokenizer-train", write=lambda p: (p / "content.txt").write_text("another"))
    opened = gather([open_artifact(made["chat"].path)])
    assert names(opened) == ["clean", "base", "chat"]
    text = Checked(pipeline_report([made["chat"]], "en")).text("en")
    assert "novels/红楼梦.txt" in text  # the card remembers


def test_a_damaged_origin_is_left_out(tmp_path: Path):
    made = whole_pipeline(tmp_path)
    (made["clean"].path / "drops.json").write_text("{}", encoding="utf-8")
    assert "clean" not in names(gather([made["chat"]]))


def test_files_that_cannot_be_read_are_named(tmp_path: Path):
    def garbled(path: Path) -> None:
        (path / "drops.json").write_text('{"rows": 1}', encoding="utf-8")

    facts = DatasetFacts(schema_name="text", splits={"train": 1}, bytes=3)
    artifact = make(tmp_path / "d", "dataset", "data-clean", made=Made(dataset=facts), write=garbled)
    with pytest.raises(UserError, match=r"drops\.json is not a list of drops"):
        gather([artifact])

    def torn(path: Path) -> None:
        (path / "report.json").write_text('{"format": 1, "meas', encoding="utf-8")

    with pytest.raises(UserError, match=r"report\.json is not a report"):
        gather([make(tmp_path / "r", "report", "evaluate", write=torn)])

    def odd(path: Path) -> None:
        (path / "details.json").write_bytes(b"\xff\xfe")

    with pytest.raises(UserError, match=r"details\.json is not a report"):
        gather([make(tmp_path / "r2", "report", "evaluate", write=odd)])


def test_a_model_without_a_card_is_refused(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="no card"):
        gather([open_artifact(tmp_path)])


def test_tokens_of_all_models_on_the_way_are_counted_and_of_no_other(tmp_path: Path):
    from tests.evaluation.pipeline import run_measures

    facts = ModelFacts(architecture="L", parameters=1000, context=8, vocab_size=8)
    base = make(tmp_path / "a", "model", "pretrain", made=Made(model=facts, results=run_measures(15_000)))
    other = make(tmp_path / "b", "model", "pretrain", made=Made(model=facts, results=run_measures(70_000)))
    last = make(tmp_path / "c", "model", "finetune", [base], Made(model=facts, results=run_measures(7_000)))
    text = Checked(pipeline_report([other, last], "en")).text("en")
    assert "It was trained on 22k tokens, 22 for each of its 1k parameters" in text
    assert "a larger model could now learn more" in text


def test_a_run_that_was_resumed_shows_each_update_once(tmp_path: Path):
    events = training_events(40)
    resumed = [*events[:30], *events[3:]]
    model = make(tmp_path / "m", "model", "pretrain", events=resumed)
    (opened,) = gather([model])
    steps = [e.step for e in opened.events if e.event == "stepped"]
    assert steps[-1] == 40


def test_baselines_are_named_in_each_language_and_models_by_their_own_name():
    assert subject("chat").zh == "chat"
    assert subject("held-out text").zh == "留出的真实文本"
    assert subject("chat − Kneser-Ney 5-gram").zh == "chat − Kneser-Ney 五元模型"
