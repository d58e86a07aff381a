"""`langwright control trial BASE TAUGHT GUIDE JUDGE DATASET OUT`: how often a text is what was asked for, each way of asking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from langwright.artifacts import Made
from langwright.errors import UserError
from langwright.settings import Settings
from langwright.stages.declaration import Input, Stage, Work

if TYPE_CHECKING:
    from langwright.inference.texts.text import TextModel

Name = Literal["prompt", "prefix", "classifier", "contrast", "prefix-contrast", "topics"]
Strength = Annotated[float, Field(ge=0, le=20)]


class TrialSettings(Settings):
    """What is tried."""

    ways: Annotated[
        tuple[Name, ...],
        Field(
            min_length=1,
            description="prompt: the label in words, to the base model; prefix: to the model that was taught codes; "
            "classifier: each token by what a classifier makes of the text then; contrast: away from the other label; "
            "prefix-contrast: both, on the taught model; topics: towards a topic of a topic model",
        ),
    ] = ("prompt", "prefix", "classifier", "contrast", "prefix-contrast")
    labels: Annotated[tuple[str, ...], Field(description="Labels to ask for; all of the dataset when left out")] = ()
    labels_from: Annotated[
        Literal["label", "reading-level"],
        Field(
            description="What the labels are: the rows' own, judged by a classifier, or how hard a text is to read, measured"
        ),
    ] = "label"
    starts: Annotated[int, Field(ge=2, description="Starts of held-out texts that each label is asked for with")] = 50
    start_tokens: Annotated[int, Field(ge=1, description="Tokens of a text that each start has")] = 4
    max_new_tokens: Annotated[int, Field(ge=1, description="Tokens to write")] = 40
    temperature: Annotated[float, Field(gt=0, le=10, description="Temperature of the texts")] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1, description="Share of probability that tokens are drawn from")] = 0.9
    contrast: Annotated[Strength, Field(description="γ of the contrast")] = 2.0
    guidance: Annotated[Strength, Field(description="Strength of the classifier and of the topic")] = 2.0
    topics: Annotated[int, Field(ge=2, description="Topics of the topic model, where one is asked for")] = 10
    seed: Annotated[int, Field(ge=0, description="Seed of drawn starts and written texts")] = 0


def run(work: Work) -> Made:
    """Write, judge, and write `report.json` and `texts.json`; see `evaluation.steered`."""
    import json

    from langwright.data.dataset import open_dataset
    from langwright.evaluation.measuring.sampling import split_of
    from langwright.evaluation.measuring.steered import Trial, Written, measured, tried
    from langwright.files import write_whole
    from langwright.inference.protocol import Sampling
    from langwright.measures import write_report
    from langwright.metrics.yardsticks import signed
    from langwright.runlog import Progressed
    from langwright.stages.lessons.control import told
    from langwright.tasks.front.loading import load

    settings: TrialSettings = work.settings
    dataset = open_dataset(work.one("dataset").path)
    held = split_of(dataset, "auto")
    rows: dict[str, list[Any]] = told({s: list(dataset.rows(s)) for s in dataset.splits}, settings.labels_from)
    known = tuple(sorted({row.label for row in rows["train"]}))
    labels = settings.labels or known
    if wrong := sorted(set(labels) - set(known)):
        raise UserError(
            "no text has the label {label}", fix="choose among: {known}", label=wrong[0], known=", ".join(known)
        )
    with (
        load(work.one("base").path.resolve(), max_batch=16) as base,
        load(work.one("taught").path.resolve(), max_batch=16) as taught,
    ):
        writer, pupil = base.local("write"), taught.local("write")
        judge, judged = judge_of(work, rows["train"])
        sampling = Sampling(
            max_new_tokens=settings.max_new_tokens, temperature=settings.temperature, top_p=settings.top_p,
            seed=settings.seed,
        )  # fmt: skip
        starts = starts_of(writer, [row.text for row in rows[held]], settings)
        trial = Trial(labels, starts, sampling, judge, judged)
        found: dict[str, Written] = {}
        for number, name in enumerate(settings.ways):
            work.log.write(Progressed(what="writing", done=number, total=len(settings.ways)))
            found[name] = tried(trial, way_of(name, work, writer, pupil, rows["train"], labels), writer)
    measures = signed(
        measured(trial, found, seed=settings.seed), data=f"{dataset.path.name}/{held}", command=work.command
    )
    write_report(work.out / "report.json", measures)
    shown = {name: [*zip(trial.pairs(), one.texts, one.hits, strict=True)] for name, one in found.items()}
    write_whole(work.out / "texts.json", json.dumps(shown, ensure_ascii=False, indent=1).encode() + b"\n")
    return Made(results=measures)


def starts_of(model: TextModel, texts: Sequence[str], settings: TrialSettings) -> tuple[str, ...]:
    """The first tokens of some of the texts, drawn by the seed, no two the same."""
    import numpy as np

    found: dict[str, None] = {}
    for number in np.random.default_rng(settings.seed).permutation(len(texts)):
        start = model.alphabet.text_of(model.tokenize(texts[number])[: settings.start_tokens]).strip("\ufffd ")
        if start:
            found[start] = None
        if len(found) == settings.starts:
            break
    return tuple(found)


def judge_of(work: Work, rows: Sequence[Any]) -> tuple[Callable[[Sequence[str], Sequence[str]], list[bool]], str]:
    """What says whether a text is what was asked for, and its name."""
    if work.settings.labels_from == "label":
        from langwright.tasks.front.headed import open_headed

        artifact = work.one("judge")
        classifier = open_headed(artifact.path)

        def by_label(texts: Sequence[str], labels: Sequence[str]) -> list[bool]:
            best_B = classifier.probabilities([text or "." for text in texts]).argmax(1)
            return [classifier.labels[int(best)] == label for best, label in zip(best_B, labels, strict=True)]

        return by_label, f"the classifier {artifact.path.name}"
    from statistics import median

    from langwright.metrics.readability import difficulty
    from langwright.metrics.units import language_of
    from langwright.stages.lessons.control import LEVELS

    scored = [(language_of(row.text), value) for row in rows if (value := difficulty(row.text)) is not None]
    middle = {one: median([value for found, value in scored if found == one]) for one, _ in scored}

    def by_level(texts: Sequence[str], labels: Sequence[str]) -> list[bool]:
        def level(text: str) -> str | None:
            value, language = difficulty(text), language_of(text)
            return LEVELS[language][value > middle[language]] if value is not None and language in middle else None

        return [level(text) == label for text, label in zip(texts, labels, strict=True)]

    return by_level, "its reading level against the middle of the training texts"


def way_of(
    name: Name, work: Work, base: TextModel, taught: TextModel, rows: Sequence[Any], labels: Sequence[str]
) -> Callable[[str, str], Any]:
    """A way by its name."""
    from functools import partial

    from langwright.evaluation.measuring import steered

    settings: TrialSettings = work.settings
    if name in ("prompt", "prefix"):
        return partial(steered.by_prompt, base if name == "prompt" else taught)
    if name in ("contrast", "prefix-contrast"):
        model = base if name == "contrast" else taught

        def contrasted(label: str, start: str) -> steered.Asked:
            others = [other for other in labels if other != label]
            return steered.by_contrast(model, others, settings.contrast, label, start)

        return contrasted
    if name == "classifier":
        from langwright.tasks.front.headed import open_headed

        guide = open_headed(work.one("guide").path).model
        return partial(steered.by_classifier, base, guide, settings.guidance)
    from langwright.inference.control.topics import fit_topics

    topics = fit_topics([row.text for row in rows], settings.topics, seed=settings.seed)
    topics.save(work.out / "topics.json")
    numbers = steered.topic_of_labels(topics, [(row.text, row.label) for row in rows], labels)
    return partial(steered.by_topic, base, topics, numbers, settings.guidance)


STAGE = Stage(
    name="control-trial",
    version=1,
    summary="Measure how often a text is what was asked for, by codes, classifiers, contrast and topics, beside a prompt alone",
    settings=TrialSettings,
    inputs=(
        Input("base", "model", "The model that writes"),
        Input("taught", "model", "The same after `finetune --task control`"),
        Input("guide", "model", "A classifier of beginnings, from the same base, that guides"),
        Input("judge", "model", "A classifier that judges, which no way saw; best of another base and other rows"),
        Input("dataset", "dataset", "Texts with labels: starts from its held-out rows, topics from its training rows"),
    ),
    makes="report",
    run=run,
    next="langwright report {out} {out}-page",
    options={"starts": "starts", "seed": "seed"},
)
