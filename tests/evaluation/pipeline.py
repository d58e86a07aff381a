"""A made-up pipeline on disk: two datasets, a tokenizer, two models and three evaluations, with cards and events."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from langwright.artifacts import Artifact, DatasetFacts, Made, ModelFacts, Origin, Request, TokenizerFacts, making
from langwright.data.cleaning import Dropped, Drops
from langwright.evaluation.measuring.findings import Bar, Confusion, Details, Labelled, Reply, Sample
from langwright.measures import Measure, write_report
from langwright.metrics.classification import accuracy, f1
from langwright.metrics.containment import containment
from langwright.metrics.likelihood import DocumentScore, assistant_loss, bits_per_byte, next_token_accuracy, perplexity
from langwright.metrics.origin import copied, valid_utf8
from langwright.metrics.variety import distinct, repetition
from langwright.metrics.yardsticks import signed
from langwright.runlog import Chosen, Evaluated, Event, Resumed, RunLog, Sampled, Started, Stepped, Stopped, Warned
from langwright.training.cost import COUNTED, CostSettings, Spent, cost_measures


def make(
    out: Path,
    kind: str,
    stage: str,
    inputs: Sequence[Artifact | Origin] = (),
    made: Made | None = None,
    events: Sequence[Event] = (),
    write: Callable[[Path], object] = lambda path: (path / "content.txt").write_text(path.name),
    seconds: float = 12.0,
) -> Artifact:
    """One finished artifact through the ordinary door."""
    origins = tuple(i if isinstance(i, Origin) else i.origin(i.kind) for i in inputs)
    names = [origin.path for origin in origins]
    request = Request(
        stage=stage, stage_version=1, inputs=origins, settings={"seed": 7},
        command=("langwright", *stage.split("-"), *names, str(out)),
    )  # fmt: skip
    with making(out, kind, request) as work:
        write(work.path)
        log = RunLog(work.run / "events.jsonl")
        for event in events:
            log.write(event)
        log.close()
        return work.finish(made or Made(), seconds)


def training_events(steps: int) -> list[Event]:
    """A loss that falls, looked at now and then."""
    events: list[Event] = [
        Started(stage="pretrain", pid=1),
        Chosen(message="the model is compiled: the run is long enough to repay about a minute of warm-up"),
        Warned(message="{count} validation texts stand in the training split too", values={"count": 3}),
    ]
    for step in range(1, steps + 1):
        loss = 2.4 + 5 * math.exp(-step / (steps / 5)) + 0.15 * math.sin(step)
        rate = 0.003 * min(1, step / 30) * (0.55 + 0.45 * math.cos(math.pi * step / steps))
        events.append(
            Stepped(
                step=step, steps=steps, loss=loss, learning_rate=rate, gradient_norm=1 + 1 / step, units=8000,
                tokens=8192, useful=0.97, tokens_per_second=21_000 + 900 * math.sin(step / 7), seconds=0.39,
            )
        )  # fmt: skip
        if step == steps // 2:
            events += [Stopped(step=step, reason="SIGTERM"), Resumed(step=step)]
        if step % (steps // 10) == 0:
            held_out = 2.5 + 5 * math.exp(-step / (steps / 5))
            values = {"loss": held_out, "bits_per_byte": held_out / math.log(2) / 3.4}
            events.append(Evaluated(step=step, values=values, best=True))
            said = "时候，" + "他说道：" * (1 + step // (steps // 10) % 3)
            events.append(Sampled(step=step, prompt="春天来的", text=said))
            events.append(Sampled(step=step, prompt="Once upon a", text=f" time there was a <b>{step}</b> & a king"))
    return events


def run_measures(tokens: int) -> tuple[Measure, ...]:
    """What a training run says of itself."""
    return (
        Measure(name="tokens trained on", value=float(tokens), unit="tokens", n=300, method="positions computed, padding included"),
        Measure(name="training compute", value=4.1e14, unit="FLOP", n=tokens),
        Measure(name="peak memory", value=1.93e9, unit="bytes", better="lower", n=1),
        *cost_measures(Spent(120.0, 5.0, 1.0, 3600.0, COUNTED, CostSettings()), flops=4.1e14, rate=6e12, dtype="float32", updates=300, command=""),
    )  # fmt: skip


def text_measures(model: str) -> tuple[Measure, ...]:
    """Measures on text beside a baseline."""
    scores = [DocumentScore(nats=300.0 + 9 * i, tokens=120 + i, bytes=400 + 3 * i, hits=40 + i % 9) for i in range(60)]
    worse = [DocumentScore(nats=s.nats * 1.18, tokens=s.tokens, bytes=s.bytes) for s in scores]
    texts = [f"他说道：“第{i}天的路很长，我们慢慢走。”于是大家又走了{i + 3}里路。" for i in range(20)]
    mine = [bits_per_byte(scores), perplexity(scores), next_token_accuracy(scores), distinct(texts, 2), repetition(texts, 4), copied(texts, texts[:4], 12), valid_utf8(texts)]  # fmt: skip
    zh = signed([bits_per_byte(scores[:30])], data="clean/validation (zh)")
    en = signed([bits_per_byte(scores[30:])], data="clean/validation (en)")
    theirs = signed([bits_per_byte(worse)], model="Kneser-Ney 5-gram")
    people = signed([repetition(["abcd efg hi jk lm"] * 6, 4), copied(texts[5:9], texts[:6], 12)], model="held-out text")  # fmt: skip
    return signed(
        [*mine, *zh, *en, *theirs, *people],
        model=model,
        data="clean/validation",
        command="langwright evaluate base clean out",
    )


def text_details() -> Details:
    prompts = ["话说宝玉", "It was a", "却说那", "春天来了，", "<script>alert(1)</script>"]
    samples = tuple(Sample(prompt=p, text=" 听了这话，只得 & <i>慢慢</i> 走了出来。\n又说：“好。”") for p in prompts)
    return Details(task="text", rows=60, samples=samples)


def chat_findings(model: str) -> tuple[tuple[Measure, ...], Details]:
    """Replies, some right."""
    replies = tuple(
        Reply(
            prompt=f"第{i}个问题：中国的首都是哪里？" if i % 2 else f"Question {i}: what is the capital of France?",
            expect="北京" if i % 2 else "Paris",
            text=("是北京。" if i % 2 else "It is Paris.") if i % 3 else "I do not know. 不知道。",
            right=bool(i % 3),
            language="zh" if i % 2 else "en",
        )
        for i in range(50)
    )
    rate = containment([r.text for r in replies], [r.expect for r in replies])
    parts = [
        m
        for language in ("en", "zh")
        for m in signed(
            [containment([r.text for r in replies if r.language == language], [r.expect for r in replies if r.language == language])],
            data=f"talks/validation ({language})",
        )
    ]  # fmt: skip
    loss = assistant_loss([DocumentScore(30.0 + i, 25, 90) for i in range(50)])
    measures = signed([rate, *parts, loss], model=model, data="talks/validation")
    return measures, Details(task="chat", rows=50, replies=replies)


def label_findings(model: str) -> tuple[tuple[Measure, ...], Details]:
    """Labels, some wrong."""
    names = ["体育", "财经", "科技", "娱乐"]
    right = [names[i % 4] for i in range(120)]
    predicted = [names[(i + (i % 7 == 0)) % 4] for i in range(120)]
    simple = [names[(i + (i % 5 == 0)) % 4] for i in range(120)]
    baseline = signed([accuracy(simple, right), f1(simple, right)[0]], model="TF-IDF and logistic regression")
    measures = signed([accuracy(predicted, right), *f1(predicted, right), *baseline], model=model, data="news/test")
    counts = [[sum(r == a and p == b for r, p in zip(right, predicted, strict=True)) for b in names] for a in names]
    wrong = tuple(
        Labelled(text=f"第{i}条新闻标题", right=r, predicted=p, probability=0.61)
        for i, (r, p) in enumerate(zip(right, predicted, strict=True))
        if r != p
    )
    sure = (Bar(items=50, confidence=0.45, accuracy=0.4), Bar(items=70, confidence=0.85, accuracy=0.95))
    grid = Confusion(labels=tuple(names), counts=tuple(map(tuple, counts)))
    return measures, Details(task="classification", rows=120, mistakes=wrong, confusion=grid, reliability=sure)


def report_files(measures: tuple[Measure, ...], details: Details) -> Callable[[Path], None]:
    """Writes what an evaluation writes."""

    def write(path: Path) -> None:
        write_report(path / "report.json", measures)
        (path / "details.json").write_text(details.model_dump_json(), encoding="utf-8")

    return write


def whole_pipeline(folder: Path) -> dict[str, Artifact]:
    """Everything, by name."""
    source = Origin(role="source", path="novels/红楼梦.txt", kind="source", digest="5" * 64)
    text = make(folder / "text", "dataset", "data-read", [source], Made(dataset=DatasetFacts(schema_name="text", splits={"train": 2100, "validation": 110}, bytes=5_400_000, dropped={"empty": 12})))  # fmt: skip
    drops = Drops(
        rows=2210, kept=2100, counts={"too short": 80, "duplicate": 30},
        examples={"too short": [Dropped(id="a-1", source="a.txt", split="train", value="3", text="第一回")],
                  "duplicate": [Dropped(id="a-9", source="a.txt", split="train", value="a-3", text="<b>又说</b>道")]},
    )  # fmt: skip
    clean = make(
        folder / "clean", "dataset", "data-clean", [text],
        Made(dataset=DatasetFacts(schema_name="text", splits={"train": 2000, "validation": 100}, bytes=5_100_000, dropped=drops.counts)),
        write=lambda path: (path / "drops.json").write_text(drops.model_dump_json(), encoding="utf-8"),
    )  # fmt: skip
    tokenizer = make(
        folder / "tokenizer", "tokenizer", "tokenizer-train", [clean],
        Made(tokenizer=TokenizerFacts(algorithm="byte-level BPE", vocab_size=8192, template_sha256="ab" * 32),
             results=(Measure(name="bytes per token, zh", value=3.9, unit="bytes/token", better="higher"),)),
    )  # fmt: skip
    facts = ModelFacts(architecture="LlamaForCausalLM", parameters=8_300_000, context=512, vocab_size=8192)
    base = make(folder / "base", "model", "pretrain", [clean, tokenizer], Made(model=facts, results=run_measures(2_457_600)), training_events(300), seconds=131.0)  # fmt: skip
    chat = make(folder / "chat", "model", "finetune", [base], Made(model=facts, results=run_measures(100_000)), training_events(40), seconds=45.0)  # fmt: skip
    found = {"text": text, "clean": clean, "tokenizer": tokenizer, "base": base, "chat": chat}
    for name, model, (measures, details) in (
        ("base-measured", base, (text_measures("base"), text_details())),
        ("chat-measured", chat, chat_findings("chat")),
        ("labels-measured", chat, label_findings("chat")),
    ):
        found[name] = make(folder / name, "report", "evaluate", [model, clean], Made(results=measures), write=report_files(measures, details))  # fmt: skip
    return found
