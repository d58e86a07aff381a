"""Teaching models to write one text from another: encoder-decoders, and decoders that reply."""

from __future__ import annotations

import gzip
import json
import random
from types import SimpleNamespace

import pytest
from tests.stages.killing import EVENTS, Killable
from tests.stages.test_training_stages import EN, ZH, assert_identical, make, weights
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from langwright.artifacts import partial_of
from langwright.data.schemas import SummaryRow, TranslationRow
from langwright.errors import UserError
from langwright.runlog import Sampled, Stepped, Warned, read_events
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute
from langwright.stages.lessons import rewriting
from langwright.tasks.front.loading import load
from langwright.workspace import Workspace

SMOOTHED = {"loss.kind": "cross-entropy", "loss.smoothing": 0.1}
WORDS = dict(zip(["one", "two", "three", "four", "five", "six"], "一二三四五六", strict=True))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A workspace with pairs of words, summaries, and a base of each family, hardly trained."""
    folder = tmp_path_factory.mktemp("world")
    texts = [*EN, *ZH, *WORDS, *WORDS.values()] * 4
    numbers = random.Random(0)
    pairs = [{"text": f"{i}: {w}", "translation": WORDS[w]} for i, w in enumerate(numbers.choices(list(WORDS), k=160))]
    summaries = [{"text": f"{i} " + " ".join(EN[: i % 2 * 3]), "summary": EN[i % 3][:12]} for i in range(12)]
    for name, rows in (("text", [{"text": text} for text in texts]), ("pairs", pairs), ("summaries", summaries)):
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    workspace = Workspace(folder)
    make(workspace, "data-read", {"source": ["text.jsonl"]}, "text")
    make(workspace, "data-read", {"source": ["pairs.jsonl"]}, "pairs", schema_name="translation")
    make(workspace, "data-read", {"source": ["summaries.jsonl"]}, "summaries", schema_name="summary")
    labels = [{"text": f"{i} {EN[i % 3]}", "label": "ab"[i % 2]} for i in range(12)]
    (folder / "labels.jsonl").write_text("\n".join(map(json.dumps, labels)))
    make(workspace, "data-read", {"source": ["labels.jsonl"]}, "labels", schema_name="classification")
    make(workspace, "tokenizer-train", {"dataset": ["text"]}, "tok", vocab_size=340)
    options = {"steps": 1, "batch_rows": 2, "micro_rows": 2, "dtype": "float32"}
    for preset, length in (("t5-tiny", 48), ("bart-tiny", 48), ("tiny", 96)):
        make(
            workspace,
            "pretrain",
            {"dataset": ["text"], "tokenizer": ["tok"]},
            preset,
            preset=preset,
            length=length,
            **options,
        )
    return workspace


def finetune(world, model, out, data="pairs", **settings):
    options = {
        "task": "translation", "steps": 4, "batch_rows": 8, "micro_rows": 8, "dtype": "float32", "sample_every_share": 1,
        **settings,
    }  # fmt: skip
    return make(world, "finetune", {"model": [model], "dataset": [data]}, out, **options)


def events_of(artifact):
    return read_events(artifact.path / "run" / "events.jsonl")


@pytest.mark.spec(
    "T13", "one prefix says what is to be done: a T5-style model learns to translate from English to Chinese"
)
@pytest.mark.parametrize("model, rate, steps", [("t5-tiny", 4e-3, 60), ("tiny", 3e-3, 30)])
def test_words_are_translated(world, model, rate, steps):
    artifact = finetune(world, model, f"{model}-translates", steps=steps, learning_rate=rate)
    learned = [e.loss for e in events_of(artifact) if isinstance(e, Stepped)]
    assert learned[-1] < learned[0] - 2
    said = [e for e in events_of(artifact) if isinstance(e, Sampled)]
    assert said[-1].prompt.startswith("translate English to Chinese: ")
    assert [ability.task for ability in artifact.card.abilities] == ["translation"]
    sample = json.loads((artifact.path / "run" / "preflight.json").read_text())["sample"]
    marked = "".join(piece["text"] for piece in sample if piece["supervised"])
    assert any(word in marked for word in WORDS.values()) and "translate" not in marked
    if model == "t5-tiny":
        found = {measure.name: measure.value for measure in artifact.card.results}
        assert found["validation accuracy"] > 0.8  # half of the tokens are the end of the text
        assert said[-1].text.strip() in WORDS.values()
        opened, tokenizer = (
            AutoModelForSeq2SeqLM.from_pretrained(artifact.path),
            AutoTokenizer.from_pretrained(artifact.path),
        )
        ids = tokenizer(said[-1].prompt + tokenizer.eos_token, return_tensors="pt").input_ids
        out = opened.generate(ids, max_new_tokens=8, do_sample=False)[0]
        assert tokenizer.decode(out, skip_special_tokens=True) == said[-1].text
        with load(artifact.path) as ours:
            assert ours.generate(said[-1].prompt, max_new_tokens=8) == said[-1].text
            right, wrong = (ours.score(word, given="translate English to Chinese: 1: two") for word in ("二", "三"))
            assert right.log_probability > wrong.log_probability


def test_a_bart_learns_summaries_with_smoothed_labels(world):
    artifact = finetune(
        world, "bart-tiny", "summaries-of", data="summaries", task="summarization", length=32, **SMOOTHED
    )
    warned = [e for e in events_of(artifact) if isinstance(e, Warned)]
    assert any("longer than a row" in e.message for e in warned)
    steps = [e for e in events_of(artifact) if isinstance(e, Stepped)]
    assert steps[-1].loss < steps[0].loss


def test_real_sentences_are_learned_from(world, shared_data):
    (world.folder / "real.tsv").write_bytes(b"\n".join(gzip.decompress((shared_data("mt-en-zh-tatoeba") / "en-zh.tsv.gz").read_bytes()).splitlines()[:300]))  # fmt: skip
    make(
        world, "data-read", {"source": ["real.tsv"]}, "real", schema_name="translation", columns=["text", "translation"]
    )
    artifact = finetune(world, "t5-tiny", "real-model", data="real", steps=12, learning_rate=2e-3)
    steps = [e for e in events_of(artifact) if isinstance(e, Stepped)]
    assert steps[-1].loss < steps[0].loss - 0.5
    report = json.loads((artifact.path / "run" / "preflight.json").read_text())
    assert report["rows"] > 200 and 0.2 < report["supervised"] < 0.8


@pytest.mark.parametrize("model", ["t5-tiny", "bart-tiny"])
def test_adapters_of_an_encoder_decoder_merge_through_the_gate(world, model):
    merged = finetune(world, model, f"{model}-lora", steps=2, **{"method.kind": "lora"})
    assert {"merge: same greedy text", "merge: largest difference of a logit"} <= {m.name for m in merged.card.results}
    kept = finetune(world, model, f"{model}-kept", steps=2, merge=False, **{"method.kind": "lora"})
    assert list((kept.path / "adapters").rglob("*.safetensors"))


@pytest.mark.spec("F8", "tasks told by a prefix: one T5-style model learns to translate and to summarize together")
def test_one_model_learns_tasks_that_their_prefixes_tell_apart(world):
    inputs = {"model": [world.folder / "t5-tiny"], "dataset": [world.folder / "pairs", world.folder / "summaries"]}
    sets = ["device=cpu", "steps=8", "batch_rows=8", "dtype=float32", "learning_rate=0.002"]
    settings = read_settings(STAGES["multitask"].settings, sets=sets)
    artifact = execute(STAGES["multitask"], inputs, world.folder / "both", settings, workspace=world)
    assert [(a.task, a.head) for a in artifact.card.abilities] == [("translation", None), ("summarization", None)]
    assert not (artifact.path / "heads").exists()
    AutoModelForSeq2SeqLM.from_pretrained(artifact.path)
    steps = [e for e in events_of(artifact) if isinstance(e, Stepped)]
    assert steps[-1].metrics["pairs loss"] < steps[0].metrics["pairs loss"]
    assert {m.data for m in artifact.card.results if m.name == "validation loss"} >= {"pairs"}
    mixed = {"model": inputs["model"], "dataset": [world.folder / "pairs", world.folder / "labels"]}
    with pytest.raises(UserError, match="have no body in common"):
        execute(STAGES["multitask"], mixed, world.folder / "refused", settings, workspace=world)


@pytest.mark.spec("TR16", "sequence-to-sequence fine-tuning killed with kill -9 and resumed ends with the same weights")
def test_killed_and_resumed_ends_with_identical_weights(world):
    sets = [
        "device=cpu",
        "compile=off",
        "task=translation",
        "steps=12",
        "batch_rows=8",
        "micro_rows=8",
        "dtype=float32",
        "sample_every_share=1",
    ]
    run = Killable(world, "finetune", {"model": ["t5-tiny"], "dataset": ["pairs"]}, sets)
    assert not run.run("killed", lambda events: events.count(b'"stepped"') >= 3)
    assert not (world.folder / "killed").exists()
    assert run.run("killed") and run.run("never-killed")
    assert b'"resumed"' in (world.folder / "killed" / EVENTS).read_bytes()
    assert_identical(weights(world.folder / "killed"), weights(world.folder / "never-killed"))


# --- what is read and what is written ----------------------------------------------------------------


def test_prefixes_name_the_languages():
    row = TranslationRow(text="One", language="en", translation="一", target_language="zh")
    settings = SimpleNamespace(prefix=None, task="translation")
    assert rewriting.asked(row, settings) == "translate English to Chinese: One"
    assert rewriting.asked(row, SimpleNamespace(prefix="", task="translation")) == "One"
    assert (
        rewriting.asked(row, SimpleNamespace(prefix="译成<target_language>：", task="translation"))
        == "译成Chinese：One"
    )
    other = TranslationRow(text="One", language="en", translation="Jeden", target_language="cs")
    assert rewriting.asked(other, settings) == "translate English to cs: One"
    assert (
        rewriting.asked(SummaryRow(text="Long {x}", summary=""), SimpleNamespace(prefix=None, task="summarization"))
        == "summarize: Long {x}"
    )


def test_a_long_text_is_shortened_until_the_whole_reply_fits(world):
    tokenizer = AutoTokenizer.from_pretrained(world.folder / "tok")
    row = SummaryRow(text=" ".join(EN * 3), summary=EN[0])
    dataset = SimpleNamespace(rows=lambda split: [row, SummaryRow(text="short", summary="s")], count=lambda split: 2)
    told = []
    work = SimpleNamespace(
        settings=SimpleNamespace(prefix=None, task="summarization"), log=SimpleNamespace(write=told.append)
    )
    long, short = rewriting.replies(work, dataset, "train", tokenizer, 128)
    assert 120 <= len(long.ids) <= 129 and len(short.ids) < 40
    reply = tokenizer.decode([i for i, learned in zip(long.ids, long.supervised, strict=True) if learned])
    assert reply.startswith(EN[0])
    assert tokenizer.decode(long.ids).count("summarize: The river bends") == 1
    assert told[0].values == {"cut": 1, "all": 2}


def test_what_does_not_fit_is_refused(world):
    with pytest.raises(UserError, match="schema summary"):
        finetune(world, "t5-tiny", "refused", data="summaries")
    with pytest.raises(UserError, match="every example is longer than a row of 12 tokens, and the model can read 48"):
        finetune(world, "t5-tiny", "refused", length=12)
    with pytest.raises(UserError, match="length = 64 is more than this model's context of 48"):
        finetune(world, "bart-tiny", "refused", length=64)
    with pytest.raises(UserError, match=r"loss\.kind = cross-entropy is for encoder-decoders"):
        finetune(world, "tiny", "refused", **SMOOTHED)
    with pytest.raises(UserError, match=r"loss\.weights = balanced weighs classes"):
        finetune(world, "t5-tiny", "refused", **SMOOTHED, **{"loss.weights": "balanced"})
    with pytest.raises(
        UserError, match="prefix is for writing one text from another, which task = chat is not"
    ) as refused:
        finetune(world, "tiny", "refused", task="chat", prefix="Say: ")
    assert refused.value.problem("zh") != refused.value.problem("en")
    assert not (world.folder / "refused").exists() and not partial_of(world.folder / "refused").exists()
