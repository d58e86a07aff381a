"""Evaluations end to end with models whose every answer is known beforehand."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.tables import Bigrams, table

from langwright.data.dataset import Dataset, DatasetWriter, open_dataset
from langwright.data.schemas import ChatRow, ClassificationRow, Message, Row, TextRow
from langwright.errors import UserError
from langwright.evaluation.baselines.word_counts import Guess
from langwright.evaluation.measuring.findings import Findings
from langwright.evaluation.measuring.perplexity import token_ids
from langwright.evaluation.running import evaluate
from langwright.evaluation.settings import EvaluateSettings
from langwright.inference.fake import letters, parrot
from langwright.inference.texts.text import TextModel
from langwright.measures import Measure
from langwright.metrics.intervals import wilson
from langwright.runlog import Progressed, RunLog, Sampled, Warned

NO_BASELINES = EvaluateSettings(baselines=False)


def dataset_of(folder: Path, schema: str, rows: dict[str, Sequence[Row]]) -> Dataset:
    """A dataset on disk with these rows by split."""
    with DatasetWriter(folder, schema) as writer:
        for split, of_split in rows.items():
            for row in of_split:
                writer.write(row, split)
    return open_dataset(folder)


def tabled() -> TextModel:
    """A model of bytes whose every probability is written down."""
    tokenizer = letters()
    return TextModel(Bigrams(table(len(tokenizer), seed=3), context=64), tokenizer, "tabled")


def run(dataset: Dataset, settings: EvaluateSettings, model: TextModel | None = None, events: list | None = None, predictor: Callable | None = None) -> Findings:  # fmt: skip
    """Evaluate with a model that writes, or one that labels."""

    def refuse(*_: object) -> TextModel:
        raise AssertionError("this task asks for another kind of model")

    return evaluate(
        dataset, settings, name="m", log=RunLog(None, *([events.append] if events is not None else [])), command="again",
        writer=(lambda: model) if model else refuse, predictor=predictor or refuse,
    )  # fmt: skip


def named(findings: Findings, name: str, model: str = "m", data: str | None = None) -> Measure:
    """One measure."""
    (found,) = [
        m for m in findings.measures if m.name == name and m.model == model and (data is None or m.data == data)
    ]
    return found


ZH = [f"第{i}回：宝玉听了这话，{i}个人都笑了起来，慢慢走回园子里去。" for i in range(12)]
EN = [f"Chapter {i}. It was a bright cold day, and {i} clocks were striking in the hall." for i in range(12)]


def rows_of(texts: Sequence[str], language: str) -> list[TextRow]:
    return [TextRow(id=str(i), text=text, language=language) for i, text in enumerate(texts)]


@pytest.fixture
def texts(tmp_path: Path) -> Dataset:
    """Chinese and English rows, train and validation."""
    train = rows_of(ZH[:8], "zh") + rows_of(EN[:8], "en")
    validation = rows_of(ZH[8:], "zh") + rows_of(EN[8:], "en")
    return dataset_of(tmp_path / "tales", "text", {"train": train, "validation": validation})


def chain_bits(model: TextModel, texts: Sequence[str]) -> float:
    """Bits of texts by the table's chain rule, the end token first."""
    total = 0.0
    for _, ids in token_ids(model.tokenizer, texts):
        whole = [model.tokenizer.eos_token_id, *ids]
        total -= sum(model.engine.logp_VV[a, b] for a, b in itertools.pairwise(whole))
    return total / math.log(2)


# --- text ----------------------------------------------------------------------------------------


@pytest.mark.spec("EV5", "text: bits per byte by language, and what is written beside as much by people")
def test_text_is_measured_over_all_rows_and_by_language(texts: Dataset):
    model, events = tabled(), []
    found = run(texts, NO_BASELINES.model_copy(update={"samples": 3, "max_new_tokens": 12}), model, events)
    for data, of in (("tales/validation", ZH[8:] + EN[8:]), ("tales/validation (zh)", ZH[8:]), ("tales/validation (en)", EN[8:])):  # fmt: skip
        size = len("".join(of).encode())
        measure = named(found, "bits per byte", data=data)
        assert measure.value == pytest.approx(chain_bits(model, of) / size)
        assert measure.n == size
        assert (measure.model, measure.command) == ("m", "again")
    best_V = model.engine.logp_VV.argmax(axis=1)
    hits = tokens = 0
    for _, ids in token_ids(model.tokenizer, ZH[8:] + EN[8:]):
        whole = [model.tokenizer.eos_token_id, *ids]
        hits += sum(best_V[a] == b for a, b in itertools.pairwise(whole))
        tokens += len(ids)
    assert named(found, "next-token accuracy", data="tales/validation").value == pytest.approx(hits / tokens)
    assert found.details.task == "text"
    assert found.details.rows == 8
    assert len(found.details.samples) == 3
    assert [e.text for e in events if isinstance(e, Sampled)] == [s.text for s in found.details.samples]
    assert any(isinstance(e, Progressed) and e.what == "scoring texts" and e.done == e.total == 8 for e in events)


def test_what_is_written_is_measured_beside_as_much_by_people(texts: Dataset):
    found = run(texts, NO_BASELINES.model_copy(update={"samples": 8, "max_new_tokens": 40}), parrot())
    for sample in found.details.samples:
        assert sample.text == sample.prompt  # a parrot says the beginning again
    mine, theirs = named(found, "distinct-1"), named(found, "distinct-1", model="held-out text")
    assert mine.n == theirs.n == 8 * 8
    assert named(found, "repetition-4").value == 0
    assert named(found, "valid UTF-8").value == 1
    vocabulary = named(found, "vocabulary coverage")
    assert 0 < vocabulary.value < 1
    assert f"{len(letters()) - len(letters().all_special_ids)} entries" in vocabulary.method


def test_copied_text_is_found_in_the_train_split(tmp_path: Path):
    lines = [f"天地玄黄宇宙洪荒日月盈昃辰宿列张{i}" for i in range(9)]
    data = dataset_of(tmp_path / "d", "text", {"train": rows_of(lines, "zh"), "validation": rows_of([lines[0] * 3], "zh")})  # fmt: skip
    model = parrot(reply=lambda prompt: lines[4])
    found = run(data, NO_BASELINES.model_copy(update={"samples": 1, "max_new_tokens": 200}), model)
    assert found.details.samples[0].text == lines[4]
    assert named(found, "copied 12-grams").value == 1
    assert named(found, "frequent characters").value == 1


def test_baselines_stand_beside_the_model_on_the_same_rows(texts: Dataset):
    model = tabled()
    found = run(texts, EvaluateSettings(samples=0), model)
    ours, ngrams = (
        named(found, "bits per byte", data="tales/validation"),
        named(found, "bits per byte", "Kneser-Ney 5-gram"),
    )
    xz = named(found, "bits per byte", "conditional xz -9e")
    gap = named(found, "difference in bits per byte", "tabled − Kneser-Ney 5-gram")
    assert ours.n == ngrams.n == xz.n
    assert gap.value == pytest.approx(ours.value - ngrams.value)
    assert gap.low > 0  # a random table knows less than counting
    assert 0 < ngrams.value < ours.value
    assert 0 < xz.value < 8


def test_a_uniform_model_needs_log2_v_bits_a_token(texts: Dataset):
    tokenizer = letters()
    size = len(tokenizer)
    model = TextModel(Bigrams(np.full((size, size), -math.log(size)), context=64), tokenizer, "uniform")
    found = run(texts, NO_BASELINES.model_copy(update={"samples": 0}), model)
    assert named(found, "perplexity", data="tales/validation").value == pytest.approx(size)
    assert named(found, "bits per byte", data="tales/validation").value == pytest.approx(
        math.log2(size)
    )  # a byte a token


def test_the_same_settings_give_the_same_findings(texts: Dataset):
    settings = EvaluateSettings(samples=2, max_new_tokens=5, limit=5, seed=3)
    assert run(texts, settings, tabled()) == run(texts, settings, tabled())
    assert run(texts, settings, tabled()).details.rows == 5


def test_without_a_train_split_there_are_no_baselines_and_the_log_says_so(tmp_path: Path):
    data = dataset_of(tmp_path / "d", "text", {"validation": rows_of(EN, "en")})
    events: list = []
    found = run(data, EvaluateSettings(samples=0), tabled(), events)
    assert {m.model for m in found.measures} == {"m"}
    assert any(isinstance(e, Warned) and e.message.startswith("no baselines") for e in events)


def test_measuring_on_the_train_split_is_warned_about(texts: Dataset):
    events: list = []
    found = run(texts, EvaluateSettings(samples=0, split="train"), tabled(), events)
    assert found.measures[0].data == "tales/train"
    assert any(isinstance(e, Warned) and "train split" in e.message for e in events)


# --- conversation --------------------------------------------------------------------------------


def talk(question: str, answer: str | None, expect: str | None, language: str) -> ChatRow:
    turns = [Message(role="user", content=question)]
    turns += [Message(role="assistant", content=answer)] if answer else []
    return ChatRow(messages=tuple(turns), expect=expect, language=language)


@pytest.fixture
def talks(tmp_path: Path) -> Dataset:
    rows = [
        talk("法国的首都？", "是巴黎。", "巴黎", "zh"),
        talk("二加二？", "等于四。", "四", "zh"),
        talk("Capital of France?", None, "paris", "en"),
        talk("Two plus two?", "Four.", "four", "en"),
        talk("Hello", "Hello!", None, "en"),
    ]
    return dataset_of(tmp_path / "talks", "chat", {"validation": rows})


def answers(prompt: str) -> str:
    return {"法国的首都？": "应该是 巴 黎", "Capital of France?": "It is ＰＡＲＩＳ.", "Two plus two?": "Five."}.get(
        prompt, "?"
    )


@pytest.mark.spec("EV5", "chat: share of greedy replies with the expected phrase, by language, with Wilson intervals")
def test_replies_are_looked_through_for_the_expected_phrase(talks: Dataset):
    events: list = []
    found = run(talks, EvaluateSettings(), parrot(reply=answers), events)
    measure = named(found, "replies with the expected phrase", data="talks/validation")
    assert (measure.value, measure.n) == (2 / 4, 4)
    assert (measure.low, measure.high) == wilson(2, 4)
    assert named(found, "replies with the expected phrase", data="talks/validation (zh)").value == 1 / 2
    assert named(found, "replies with the expected phrase", data="talks/validation (en)").value == 1 / 2
    assert [r.right for r in found.details.replies] == [True, False, True, False]
    assert found.details.replies[2].prompt == "Capital of France?"
    assert sum(isinstance(e, Sampled) for e in events) == 4


def test_loss_counts_assistant_turns_and_the_marks_that_end_them(talks: Dataset):
    model = tabled()
    found = run(talks, NO_BASELINES.model_copy(update={"max_new_tokens": 3}), model)
    logp_VV = model.engine.logp_VV
    nats, tokens = 0.0, 0
    for question, answer in (
        ("法国的首都？", "是巴黎。"),
        ("二加二？", "等于四。"),
        ("Two plus two?", "Four."),
        ("Hello", "Hello!"),
    ):
        tokenizer = model.tokenizer
        head = tokenizer(f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n")["input_ids"]
        said = tokenizer(f"{answer}<|im_end|>")["input_ids"]
        whole = [*head, *said]
        nats -= sum(logp_VV[whole[i - 1], whole[i]] for i in range(len(head), len(whole)))
        tokens += len(said)
    measure = named(found, "loss on assistant tokens", data="talks/validation")
    assert measure.value == pytest.approx(nats / tokens)
    assert measure.n == tokens


def test_conversations_beyond_the_context_are_left_out_and_counted(tmp_path: Path):
    rows = [talk("x" * 300, None, "y", "en"), talk("short?", None, "short", "en")]
    data = dataset_of(tmp_path / "d", "chat", {"validation": rows})
    tokenizer, events = letters(), []
    model = TextModel(Bigrams(table(len(tokenizer)), context=64), tokenizer, "m")
    found = run(data, NO_BASELINES.model_copy(update={"max_new_tokens": 2}), model, events)
    assert named(found, "replies with the expected phrase").n == 1
    (warned,) = [e for e in events if isinstance(e, Warned)]
    assert warned.values == {"count": 1}


def test_a_model_without_a_template_is_asked_with_a_plain_one(talks: Dataset):
    model, events = parrot(reply=answers), []
    model.tokenizer.chat_template = None
    found = run(talks, NO_BASELINES, model, events)
    assert named(found, "replies with the expected phrase", data="talks/validation").n == 4
    assert any(isinstance(e, Warned) and "plain one" in e.message for e in events)


def test_conversations_with_nothing_to_measure_are_refused(tmp_path: Path):
    data = dataset_of(tmp_path / "d", "chat", {"validation": [talk("hi", None, None, "en")]})
    with pytest.raises(UserError, match="expected phrase"):
        run(data, NO_BASELINES, parrot())


def test_conversations_may_be_measured_as_running_text(talks: Dataset):
    found = run(talks, EvaluateSettings(task="text", samples=0, baselines=False), tabled())
    assert found.details.task == "text"


# --- labels --------------------------------------------------------------------------------------


@pytest.fixture
def topics(tmp_path: Path) -> Dataset:
    def rows(count: int) -> list[ClassificationRow]:
        return [
            ClassificationRow(
                text=("球队赢了比赛" if i % 3 else "股市大涨") + str(i), label="体育" if i % 3 else "财经"
            )
            for i in range(count)
        ]

    return dataset_of(tmp_path / "news", "classification", {"train": rows(60), "test": rows(30)})


@pytest.mark.spec("EV5", "classification: accuracy, F1 and confusion beside TF-IDF with logistic regression")
def test_labels_are_compared_and_word_counts_stand_beside(topics: Dataset):
    def lazy(texts: Sequence[str]) -> list[Guess]:
        return [Guess("体育", {"体育": 0.9, "财经": 0.1}) for _ in texts]

    asked: list[tuple[str, ...]] = []
    found = run(topics, EvaluateSettings(), predictor=lambda labels: asked.append(labels) or lazy)
    assert asked == [("体育", "财经")]
    accuracy = named(found, "accuracy")
    assert accuracy.value == pytest.approx(20 / 30)
    assert named(found, "F1 of 财经").value == 0
    assert named(found, "accuracy", "TF-IDF and logistic regression").value == 1
    assert named(found, "accuracy", "always the commonest label").value == pytest.approx(20 / 30)
    gap = named(found, "difference in accuracy", "m − TF-IDF and logistic regression")
    assert gap.value == pytest.approx(-10 / 30)
    assert named(found, "McNemar p-value", "m − TF-IDF and logistic regression").value == pytest.approx(2 / 2**10)
    assert found.details.confusion.counts == ((20, 0), (10, 0))
    assert len(found.details.mistakes) == 10
    # always 0.9 sure, and right 20 times of 30
    assert named(found, "calibration error").value == pytest.approx(0.9 - 20 / 30)
    assert named(found, "Brier score").value == pytest.approx((20 * 2 * 0.1**2 + 10 * 2 * 0.9**2) / 30)
    assert named(found, "macro ROC AUC").value == 0.5
    assert named(found, "accuracy on the surest 80%").value == pytest.approx(20 / 30)  # all equally sure
    (bar,) = found.details.reliability
    assert (bar.items, bar.confidence, bar.accuracy) == pytest.approx((30, 0.9, 20 / 30))
    assert found.details.mistakes[0].probability == 0.9


# --- what cannot be done -------------------------------------------------------------------------


def test_rows_that_cannot_serve_the_task_are_refused(texts: Dataset):
    with pytest.raises(UserError, match="schema text, which cannot serve the task chat"):
        run(texts, EvaluateSettings(task="chat"), parrot())


def test_a_split_that_is_not_there_is_refused(texts: Dataset):
    with pytest.raises(UserError, match="no split called 'test'"):
        run(texts, EvaluateSettings(split="test"), parrot())


def test_rows_without_text_are_refused(tmp_path: Path):
    data = dataset_of(tmp_path / "d", "text", {"validation": rows_of(["", ""], "en")})
    with pytest.raises(UserError, match="no rows to measure on"):
        run(data, NO_BASELINES, parrot())
