"""Stages that go on training a model there is: other text, more tokens, and adapters beside each other."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file
from tests.stages.test_training_stages import EN, ZH, make, world  # noqa: F401
from transformers import AutoModelForCausalLM

from langwright.errors import UserError
from langwright.models.loading import load_model
from langwright.runlog import Chosen, Resumed, Stepped, Warned, read_events
from langwright.settings import read_settings
from langwright.stages.adapt import AdaptSettings
from langwright.stages.finetune import FinetuneSettings
from langwright.stages.keeping import Kept, Learning, TextEWC
from langwright.stages.sequences.settings import Replay
from langwright.tasks.front.loading import load
from langwright.tokenizers.loading import load_tokenizer

LAW = ["合同当事人应当按照约定全面履行自己的义务。", "人民法院审理案件，应当公开进行。", "The court heard the case."]


@pytest.fixture(scope="module")
def domain(world):  # noqa: F811
    rows = [{"text": " ".join([*LAW, str(i)]) * 3, "id": str(i)} for i in range(60)]
    (world.folder / "law.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    make(world, "data-read", {"source": ["law.jsonl"]}, "law", schema_name="text")
    return world


def values(artifact):
    return {measure.name: measure for measure in artifact.card.results}


@pytest.fixture(scope="module")
def lawyer(domain):
    inputs = {"model": ["base"], "dataset": ["law"], "origin": ["text"]}
    return make(domain, "adapt", inputs, "lawyer", steps=20, learning_rate=3e-3, length=32)


@pytest.mark.spec(
    "P13",
    "a model goes on pre-training on a domain's text: the domain gets likelier, with a paired interval, the source domain is measured beside it",
)
def test_going_on_with_a_domain(domain, lawyer):
    found = values(lawyer)
    change = found["target domain: change of bits per byte"]
    assert change.value < -0.3 and change.high < 0 and change.n >= 5
    before, after = found["target domain: bits per byte before"], found["target domain: bits per byte after"]
    assert after.value - before.value == pytest.approx(change.value)
    assert "source domain: change of bits per byte" in found and "source domain: perplexity after" in found
    assert [ability.task for ability in lawyer.card.abilities] == ["generate"]
    steps = [e for e in read_events(lawyer.path / "run" / "events.jsonl") if isinstance(e, Stepped)]
    assert steps[-1].loss < steps[0].loss and "bits_per_byte" in steps[0].metrics
    with load(lawyer.path) as model:
        assert model.generate("The court", max_new_tokens=4)


def test_the_text_before_is_measured_with_the_model_as_it_was(domain, lawyer):
    """What the card says of before and after is what a measurement of both models finds."""
    from langwright.data.dataset import open_dataset
    from langwright.evaluation.measuring.sampling import drawn
    from langwright.metrics.likelihood import bits_per_byte
    from langwright.stages.adapt import scored

    texts = drawn(open_dataset(domain.folder / "law").texts("validation"), 200, 42)
    for when, folder in (("before", domain.folder / "base"), ("after", lawyer.path)):
        scores = scored(load_model(folder), load_tokenizer(folder), texts)
        assert bits_per_byte(scores, seed=42).value == pytest.approx(
            values(lawyer)[f"target domain: bits per byte {when}"].value, rel=1e-4
        )


@pytest.mark.spec(
    "P13",
    "a vocabulary grows for Chinese: fewer tokens a character, old texts keep their ids, and the run is resumable",
)
def test_more_tokens_for_the_text(domain):
    inputs, options = {"model": ["base"], "dataset": ["law"]}, {"steps": 3, "length": 32, "vocabulary.tokens": 40}
    whole = make(domain, "adapt", inputs, "wide-whole", dtype="float32", **options)

    def dies(event):
        if isinstance(event, Stepped) and event.step == 2:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        make(domain, "adapt", inputs, "wide", listeners=(dies,), dtype="float32", **options)
    artifact = make(domain, "adapt", inputs, "wide", dtype="float32", **options)
    one, other = load_file(whole.path / "model.safetensors"), load_file(artifact.path / "model.safetensors")
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(isinstance(event, Resumed) for event in read_events(artifact.path / "run" / "events.jsonl"))
    found = values(artifact)
    assert found["tokens per character after"].value < 0.7 * found["tokens per character before"].value
    old, new = load_tokenizer(domain.folder / "base"), load_tokenizer(artifact.path)
    assert len(new) == len(old) + 40 == artifact.card.model.vocab_size
    assert new("Zq 79 §")["input_ids"] == old("Zq 79 §")["input_ids"]
    assert len(new(LAW[0])["input_ids"]) < len(old(LAW[0])["input_ids"])
    assert load_model(artifact.path).config.vocab_size == len(new)
    with load(artifact.path) as model:
        assert model.generate(LAW[0][:4], max_new_tokens=3)


KEEPING = {
    "replay": {"keeping.kind": "replay", "keeping.rows": 50, "keeping.share": 0.5},
    "ewc": {"keeping.kind": "ewc", "keeping.fisher_rows": 30},
    "a-gem": {"keeping.kind": "a-gem", "keeping.rows": 50, "keeping.batch_rows": 16},
}


@pytest.mark.spec("F9", "text of the domain that a language model comes from is replayed while it learns another")
@pytest.mark.spec(
    "F10", "a language model that goes on with another domain is held by the first one's Fisher information"
)
@pytest.mark.parametrize("kind", KEEPING)
def test_less_is_forgotten_of_the_domain_before(domain, lawyer, kind):
    inputs = {"model": ["base"], "dataset": ["law"], "origin": ["text"]}
    found = make(domain, "adapt", inputs, f"kept-by-{kind}", steps=20, learning_rate=3e-3, length=32, **KEEPING[kind])
    before, after = (values(one)["source domain: change of bits per byte"].value for one in (lawyer, found))
    assert after < before and values(found)["target domain: change of bits per byte"].high < -0.3
    if kind == "a-gem":
        events = read_events(found.path / "run" / "events.jsonl")
        assert any(event.metrics["projected"] for event in events if isinstance(event, Stepped))


@pytest.mark.heavy
@pytest.mark.spec("F10", "a run that a domain's Fisher information holds, and that died, is resumed bit for bit")
@pytest.mark.parametrize("kind", KEEPING)
def test_a_run_that_keeps_is_resumed(domain, kind):
    inputs = {"model": ["base"], "dataset": ["law"], "origin": ["text"]}
    options = {"steps": 4, "length": 32, "dtype": "float32", "compare_rows": 0, "batch_rows": 4, **KEEPING[kind]}
    whole = make(domain, "adapt", inputs, f"whole-{kind}", **options)

    def dies(event):
        if isinstance(event, Stepped) and event.step == 3:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        make(domain, "adapt", inputs, f"cut-{kind}", listeners=(dies,), **options)
    again = make(domain, "adapt", inputs, f"cut-{kind}", **options)
    one, other = load_file(whole.path / "model.safetensors"), load_file(again.path / "model.safetensors")
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(isinstance(event, Resumed) for event in read_events(again.path / "run" / "events.jsonl"))


def test_what_keeps_needs_text_to_keep(domain):
    with pytest.raises(UserError, match="= ewc needs text of the domain") as error:
        make(domain, "adapt", {"model": ["base"], "dataset": ["law"]}, "no", steps=1, **KEEPING["ewc"])
    assert "behind the one to learn from" in error.value.fix()
    assert not (domain.folder / "no").exists()


def test_what_keeps_and_objectives_that_it_does_not_go_with():
    class Comparing:
        separable = False

    for keeping, words in ((Replay(), "batches of two texts"), (TextEWC(), "has no logits")):
        with pytest.raises(UserError, match=words):
            Kept(keeping, [], 0).around(Learning(Comparing(), None), Comparing(), None, None)


def test_an_adapter_learns_a_domain_and_leaves_the_weights(domain):
    artifact = make(
        domain,
        "adapt",
        {"model": ["base"], "dataset": ["law"]},
        "beside",
        steps=6,
        length=32,
        method="lora",
        merge=False,
        compile="on",
    )
    said = [e.message for e in read_events(artifact.path / "run" / "events.jsonl") if isinstance(e, Warned)]
    assert any(message.startswith("compile = on is left out") for message in said)
    assert values(artifact)["target domain: change of bits per byte"].value < 0
    base, kept = load_file(domain.folder / "base" / "model.safetensors"), load_file(artifact.path / "model.safetensors")
    assert all(torch.equal(base[name], kept[name]) for name in base)
    assert artifact.card.abilities[0].adapter == "generate"


@pytest.mark.spec("P13", "an encoder goes on with masked language modelling, its own objective")
def test_an_encoder_goes_on_with_its_own_objective(domain):
    make(
        domain, "pretrain", {"dataset": ["text"], "tokenizer": ["tok"]}, "encoder", preset="bert-tiny", length=32, steps=2,
        batch_rows=4,
    )  # fmt: skip
    artifact = make(
        domain,
        "adapt",
        {"model": ["encoder"], "dataset": ["law"]},
        "encoder-law",
        length=32,
        steps=8,
        learning_rate=1e-3,
    )
    steps = [e.loss for e in read_events(artifact.path / "run" / "events.jsonl") if isinstance(e, Stepped)]
    assert steps[-1] < steps[0]
    assert "MaskedLM" in artifact.card.model.architecture
    assert not any("domain" in name for name in values(artifact))


def test_an_objective_of_another_family_is_refused(domain):
    with pytest.raises(UserError, match=r"not allowed|not trained with"):
        make(domain, "adapt", {"model": ["base"], "dataset": ["law"]}, "no", steps=1, objective="masked")
    assert not (domain.folder / "no").exists()


def test_what_a_tokenizer_digest_covers(domain, tmp_path):
    """GPT-2's two files, too: another vocabulary must not find the tokens of the first in the cache."""
    from langwright.stages.fitting import tokenizer_digest

    (tmp_path / "vocab.json").write_text("{}")
    (tmp_path / "merges.txt").write_text("a b")
    first = tokenizer_digest(tmp_path)
    (tmp_path / "merges.txt").write_text("a c")
    assert first and tokenizer_digest(tmp_path) != first


# --- methods of fine-tuning --------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["rslora", "dora", "ia3", "prefix", "prompt", "last", "pattern", "gradual"])
@pytest.mark.spec(
    "F5", "a causal model is fine-tuned by every method: adapters of six kinds, chosen weights, layers one by one"
)
def test_every_method_teaches_conversations(domain, method):
    artifact = make(
        domain,
        "finetune",
        {"model": ["base"], "dataset": ["chat-data"]},
        f"by-{method}",
        method=method,
        steps=4,
        dropout=0.1,
    )
    base, found = (
        load_file(domain.folder / "base" / "model.safetensors"),
        load_file(artifact.path / "model.safetensors"),
    )
    same = {name for name in base if torch.equal(base[name], found[name])}
    if method in ("prefix", "prompt"):
        assert same == base.keys() and artifact.card.abilities[0].adapter == "chat"
        assert AutoModelForCausalLM.from_pretrained(artifact.path).config.model_type == "llama"  # still a plain folder
    elif method == "last":
        assert not any("layers.3." in name for name in same) and any("layers.2." in name for name in same)
    elif method == "gradual":
        said = [e for e in read_events(artifact.path / "run" / "events.jsonl") if isinstance(e, Chosen)]
        assert sum("more weights" in e.message for e in said) == 2 and "model.norm.weight" not in same
    else:
        assert same != base.keys() and not (artifact.path / "adapters").exists()
    with load(artifact.path) as model:
        assert isinstance(model.chat("What is red?", max_new_tokens=4), str)


@pytest.mark.parametrize("method", ["prefix", "lora"])
def test_a_classifier_with_an_adapter_beside_it(domain, method):
    artifact = make(
        domain, "finetune", {"model": ["base"], "dataset": ["labels"]}, f"judge-{method}", task="classification",
        method=method, steps=30, learning_rate=5e-3, adapter="tongue",
    )  # fmt: skip
    assert (artifact.path / "adapters" / "tongue" / "base.json").is_file()
    with load(artifact.path) as model:
        assert model.predict(ZH[0]).label == "中文" and model.predict(EN[0]).label == "english"
        assert model.embed(["a", "房间"]).shape == (2, 128)


@pytest.mark.spec("F17", "several adapters on one model, each opened by its name, the weights untouched")
def test_several_adapters_on_one_model(domain):
    one = make(
        domain, "finetune", {"model": ["base"], "dataset": ["chat-data"]}, "one", method="lora", adapter="first", steps=30,
        learning_rate=5e-3,
    )  # fmt: skip
    two = make(
        domain,
        "adapt",
        {"model": ["one"], "dataset": ["law"]},
        "two",
        method="prefix",
        adapter="second",
        steps=2,
        length=32,
    )
    assert [(a.task, a.adapter) for a in two.card.abilities] == [("generate", "second"), ("chat", "first")]
    assert sorted(path.name for path in (two.path / "adapters").iterdir()) == ["first", "second"]
    answers = []
    for path, adapter in ((one.path, None), (two.path, "first"), (two.path, "second")):
        with load(path, adapter=adapter) as model:
            answers.append(model.generate([{"role": "user", "content": "What is red?"}], max_new_tokens=8))
    assert answers[0] == answers[1] != answers[2]
    with pytest.raises(UserError, match="called first already"):
        make(domain, "adapt", {"model": ["two"], "dataset": ["law"]}, "no", method="lora", adapter="first", steps=1)
    full = make(domain, "adapt", {"model": ["two"], "dataset": ["law"]}, "full", steps=1, length=32)
    assert not (full.path / "adapters").exists() and [a.adapter for a in full.card.abilities] == [None]
    warned = [e for e in read_events(full.path / "run" / "events.jsonl") if isinstance(e, Warned)]
    assert any("left behind" in e.message for e in warned)


@pytest.mark.parametrize(
    "sets, words",
    [
        (["method=prefix", "merge=true"], "merge = true and method = prefix"),
        (["merge=true"], "method = full trains none"),
        (["adapter=x"], "method = full trains none"),
        (["method=lora", "merge=true", "adapter=x"], "merge = true and adapter = x"),
        (["rates={'*.bias'=-1.0}"], r"rates.*is less than 0"),
        (["method=lorra"], "lorra"),
    ],
)
def test_contradictions_are_refused(sets, words):
    for settings in (FinetuneSettings, AdaptSettings):
        with pytest.raises(UserError, match=words) as refused:
            read_settings(settings, sets=sets)
        assert refused.value.problem("zh") != refused.value.problem("en")
