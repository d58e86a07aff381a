"""Prediction beside transformers' own pipelines, and beside plain batched model calls where there is no pipeline.

    python -m benchmarks.prediction [--rounds 5] [--size mini] [--texts 128] [--only tagging] [--out report.json]

The same weights, tokenizer and texts; lengths are mixed, drawn evenly in their logarithm. All run in this process and
take turns within a round, so that what else goes on on the machine falls on all alike. That they answer the same is
checked first; of what is computed in bfloat16, ours and theirs, nine of ten answers have to be the same. A pipeline runs
as it comes, one text after the other, and with batches of 32; plain calls are batches of 32 in the order given, padded to
the longest. Reported are medians over rounds with the smallest and the largest.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from langwright.measures import Measure, write_report

COMMAND = "python -m benchmarks.prediction"
NOT_SHOWN = "GPUs, other sizes, texts of one length; one text at a time, as a person asks"
SIZES = {"tiny": (32, 2, 2), "mini": (256, 4, 4), "small": (512, 4, 8)}  # width, layers, heads
LABELS = ("news", "sport", "art", "trade")
OURS, NARROW = "langwright", "bfloat16"
CONTEXT, BATCH, NEW = 512, 32, 32  # positions, rows of a peer's batch, tokens to write

Run = Callable[[], list[Any]]


@dataclass(frozen=True)
class Trial:
    """One kind of prediction.

    build  (folder, size, vocabulary) -> None: writes the model
    runs   (folder, texts) -> by name what answers all texts; ours is the first
    most   words of the longest text
    same   whether two answers are the same
    """

    build: Callable[[Path, str, int], None]
    runs: Callable[[Path, Sequence[str]], dict[str, Run]]
    most: int
    same: Callable[[Any, Any], bool]


# --- models and texts --------------------------------------------------------------------------------


def write_tokenizer(folder: Path, kind: str) -> int:
    """A byte-level BPE over the shipped examples; how many tokens it has."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
    from tokenizers.models import BPE
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[CLS]", "[SEP]", "[MASK]"]
    made = Tokenizer(BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(sentences(), trainers.BpeTrainer(vocab_size=4000, special_tokens=special, initial_alphabet=alphabet, show_progress=False))  # fmt: skip
    ends = [(token, special.index(token)) for token in ("[CLS]", "[SEP]")]
    if kind == "encoder":
        made.post_processor = TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", ends)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]",
        eos_token="[SEP]", model_max_length=CONTEXT, clean_up_tokenization_spaces=False,
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


def sentences() -> list[str]:
    """What the shipped examples say."""
    import json

    from langwright.tasks import TASKS
    from langwright.tasks.examples import example_lines

    rows = [json.loads(line) for task in TASKS.values() for line in example_lines(task)]
    return [
        value
        for row in rows
        for value in row.values()
        if isinstance(value, str) and len(value) > 20 and "[MASK]" not in value
    ]


def mixed(count: int, most: int) -> list[str]:
    """Texts of 4 to so many words, lengths drawn evenly in their logarithm."""
    draw, said = random.Random(0), sentences()
    words = [word for sentence in said for word in sentence.split()]
    texts = []
    for _ in range(count):
        size, start = round(4 * (most / 4) ** draw.random()), draw.randrange(len(words) - most)
        texts.append(" ".join(words[start : start + size]))
    return texts


def encoder(kind: str, **more: Any) -> Callable[[Path, str, int], None]:
    """Writes a BERT of transformers' class `Bert<kind>`, with random weights."""

    def build(folder: Path, size: str, vocabulary: int) -> None:
        import transformers

        width, layers, heads = SIZES[size]
        config = transformers.BertConfig(
            vocab_size=vocabulary, hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
            intermediate_size=4 * width, max_position_embeddings=CONTEXT, pad_token_id=0, **more,
        )  # fmt: skip
        getattr(transformers, f"Bert{kind}")(config).eval().save_pretrained(folder)

    return build


def decoder(folder: Path, size: str, vocabulary: int) -> None:
    """Writes a Llama with random weights, large enough that the likeliest token is no near tie."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    width, layers, heads = SIZES[size]
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary, hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
            num_key_value_heads=heads, intermediate_size=4 * width, max_position_embeddings=CONTEXT, pad_token_id=0,
            eos_token_id=None, bos_token_id=None,
        )
    )  # fmt: skip
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2)
    model.eval().save_pretrained(folder)


# --- contestants -------------------------------------------------------------------------------------


def piped(kind: str, **calling: Any) -> Callable[[Path, Sequence[str]], dict[str, Run]]:
    """transformers' pipeline as it comes, with batches, and in bfloat16."""

    def runs(folder: Path, texts: Sequence[str]) -> dict[str, Run]:
        import torch
        from transformers import pipeline

        made, narrow = (
            pipeline(kind, model=str(folder), tokenizer=str(folder), device="cpu", dtype=dtype)
            for dtype in (torch.float32, torch.bfloat16)
        )
        return {
            "pipeline": lambda: list(made(list(texts), **calling)),
            f"pipeline, batch_size={BATCH}": lambda: list(made(list(texts), batch_size=BATCH, **calling)),
            f"pipeline, {NARROW}": lambda: list(narrow(list(texts), **calling)),
        }

    return runs


def called(kind: str, answer: Callable[[Any, Any, Any], list[Any]], pairs: bool = True) -> Callable[[Path, Sequence[str]], dict[str, Run]]:  # fmt: skip
    """Plain calls of a model, 32 rows at a time in the order given.

    answer  (the tokenizer's batch, what the model says, texts) -> one answer a row
    """

    def runs(folder: Path, texts: Sequence[str]) -> dict[str, Run]:
        import torch
        import transformers

        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

        def run(model: Any) -> list[Any]:
            found = []
            for start in range(0, len(texts), BATCH):
                some = list(texts[start : start + BATCH])
                both = ([one[:40] for one in some], some) if pairs else (some,)
                batch = tokenizer(
                    *both, padding=True, truncation=True, return_tensors="pt", return_offsets_mapping=True
                )
                places = batch.pop("offset_mapping")
                with torch.inference_mode():
                    found += answer((batch, places), model(**batch), some)
            return found

        named = {f"model calls, {BATCH} rows": torch.float32, f"model calls, {BATCH} rows, {NARROW}": torch.bfloat16}
        models = {
            name: getattr(transformers, kind).from_pretrained(folder, dtype=dtype).eval()
            for name, dtype in named.items()
        }
        return {name: partial(run, model) for name, model in models.items()}

    return runs


def ours(task: str, asked: Callable[[str], Any], said: Callable[[Any], Any]) -> Callable[[Path, Sequence[str]], dict[str, Run]]:  # fmt: skip
    """The front door, all texts at once, in float32 and in bfloat16."""

    def runs(folder: Path, texts: Sequence[str]) -> dict[str, Run]:
        inputs = [asked(text) for text in texts]
        return {
            name: lambda model=model: [said(one) for one in model.solve_all(task, inputs)]  # type: ignore[misc]
            for name, model in both(folder).items()
        }

    return runs


def both(folder: Path) -> dict[str, Any]:
    """Our model in float32, as it comes, and in bfloat16."""
    from langwright.inference.precision import Numbers
    from langwright.tasks.front.loading import load

    return {
        OURS: load(folder, max_batch=BATCH),
        f"{OURS}, {NARROW}": load(folder, max_batch=BATCH, numbers=Numbers(precision="bfloat16")),
    }


def together(*parts: Callable[[Path, Sequence[str]], dict[str, Run]]) -> Callable[[Path, Sequence[str]], dict[str, Run]]:  # fmt: skip
    """Contestants of several kinds."""
    return lambda folder, texts: {name: run for part in parts for name, run in part(folder, texts).items()}


def labelled(text: str) -> Any:
    """What is asked of a text with a label."""
    from langwright.tasks.classification import ClassificationInput

    return ClassificationInput(text=text)


def paired(text: str) -> Any:
    """What is asked of a pair."""
    from langwright.tasks.pair import PairInput

    return PairInput(text_a=text[:40], text_b=text)


def tagged(text: str) -> Any:
    """What is asked of a text with names."""
    from langwright.tasks.tagging import TaggingInput

    return TaggingInput(text=text)


def blanked(text: str) -> str:
    """A text with a blank in its middle."""
    words = text.split()
    return " ".join([*words[: len(words) // 2], "[MASK]", *words[len(words) // 2 + 1 :]])


def filled(text: str) -> Any:
    """What is asked of a text with a blank."""
    from langwright.tasks.fill import FillInput

    return FillInput(text=text)


def vectors(folder: Path, texts: Sequence[str]) -> dict[str, Run]:
    """Ours: the mean of the last hidden states."""
    return {
        name: lambda model=model: list(model.embed(list(texts), truncate=True))  # type: ignore[misc]
        for name, model in both(folder).items()
    }


def meant(folder: Path, texts: Sequence[str]) -> dict[str, Run]:
    """The feature-extraction pipeline, its states meant; with padding it gives the states of padding too, and is left out."""
    import numpy as np

    found = piped("feature-extraction", truncation=True)(folder, texts)
    return {
        name: lambda run=run: [np.asarray(states[0], np.float32).mean(0) for states in run()]  # type: ignore[misc]
        for name, run in found.items()
        if "batch" not in name
    }


def written(folder: Path, texts: Sequence[str]) -> dict[str, Run]:
    """Ours: all texts to the engine, greedy, which takes them in as places become free.

    Asked in ids: our texts keep to whole characters, which random weights and the pipeline do not.
    """
    from langwright.inference.protocol import Request, Sampling
    from langwright.tasks.front.loading import load

    text = load(folder, max_batch=BATCH).text
    prompts = [text.tokenize(one) for one in texts]  # type: ignore[union-attr]
    sampling = Sampling(max_new_tokens=NEW, temperature=0.0)

    def run() -> list[Any]:
        streams = [text.engine.submit(Request(prompt, sampling)) for prompt in prompts]  # type: ignore[union-attr]
        return [[token.id for token in stream] for stream in streams]

    return {OURS: run}


def continued(folder: Path, texts: Sequence[str]) -> dict[str, Run]:
    """The text-generation pipeline, greedy; ids are compared, as random weights write bytes that are no text."""
    calling = {"max_new_tokens": NEW, "do_sample": False, "return_tensors": True}
    return {
        name: lambda run=run: [list(one[0]["generated_token_ids"])[-NEW:] for one in run()]  # type: ignore[misc]
        for name, run in piped("text-generation", **calling)(folder, texts).items()
        if NARROW not in name  # another text, for random weights have many near ties
    }


def near(one: Any, other: Any) -> bool:
    """Vectors that differ by rounding alone."""
    import numpy as np

    return bool(np.linalg.norm(one - other) <= 0.02 * np.linalg.norm(one))


def equal(one: Any, other: Any) -> bool:
    """The same answer."""
    return bool(one == other)


def of_pipe(runs: Callable[[Path, Sequence[str]], dict[str, Run]], said: Callable[[Any], Any]) -> Callable[[Path, Sequence[str]], dict[str, Run]]:  # fmt: skip
    """What a pipeline says, as it is compared."""
    return lambda folder, texts: {
        name: lambda run=run: [said(one) for one in run()] for name, run in runs(folder, texts).items()  # type: ignore[misc]
    }  # fmt: skip


NAMES = {"id2label": dict(enumerate(LABELS)), "label2id": {name: place for place, name in enumerate(LABELS)}}
TAGS = ("O", "B-who", "I-who")
TAGGED = {"id2label": dict(enumerate(TAGS)), "label2id": {name: place for place, name in enumerate(TAGS)}}
TRIALS: dict[str, Trial] = {
    "text-classification": Trial(
        encoder("ForSequenceClassification", **NAMES),
        together(
            ours("classification", labelled, lambda out: out.label),
            of_pipe(piped("text-classification", truncation=True), lambda one: one["label"]),
        ),
        300, equal,
    ),
    "token-classification": Trial(
        encoder("ForTokenClassification", **TAGGED),
        together(
            ours("tagging", tagged, lambda out: None),  # words are put together by other rules: none are compared
            of_pipe(piped("token-classification", aggregation_strategy="simple"), lambda one: None),
        ),
        120, equal,
    ),
    "feature-extraction": Trial(encoder("Model"), together(vectors, meant), 300, near),
    "fill-mask": Trial(
        encoder("ForMaskedLM"),
        lambda folder, texts: together(
            ours("fill", filled, lambda out: None),  # byte-level pieces that break a character are not given by us
            of_pipe(piped("fill-mask", top_k=5), lambda one: None),
        )(folder, [blanked(text) for text in texts]),
        120, equal,
    ),
    "text-generation": Trial(decoder, together(written, continued), 120, equal),
    "pairs": Trial(
        encoder("ForSequenceClassification", **NAMES),
        together(
            ours("pair", paired, lambda out: out.label),
            called("AutoModelForSequenceClassification", lambda batch, said, some: [LABELS[best] for best in said.logits.argmax(-1).tolist()]),
        ),
        300, equal,
    ),
}  # fmt: skip


# --- measuring ---------------------------------------------------------------------------------------


def side_by_side(name: str, trial: Trial, size: str, count: int, rounds: int) -> list[Measure]:
    """Texts a second of each, in turn, and ours over each peer."""
    import contextlib
    import os

    texts = mixed(count, trial.most)
    with tempfile.TemporaryDirectory() as made, contextlib.ExitStack() as stack:
        folder = Path(made)
        trial.build(folder, size, write_tokenizer(folder, "decoder" if name == "text-generation" else "encoder"))
        quiet = stack.enter_context(Path(os.devnull).open("w"))
        with contextlib.redirect_stderr(quiet):
            runs = trial.runs(folder, texts)
            answers = {who: run() for who, run in runs.items()}
            first = next(iter(answers.values()))
            for who, found in answers.items():
                apart = sum(not trial.same(one, other) for one, other in zip(first, found, strict=True))
                if apart > count // (10 if NARROW in who else 20):  # rounding may turn a near tie
                    print(
                        f"{name}: {who} answers {apart} of {count} texts otherwise; speeds cannot be compared",
                        flush=True,
                    )
                    return []
            rates: dict[str, list[float]] = {who: [] for who in runs}
            for _ in range(rounds):
                for who, run in runs.items():
                    began = time.perf_counter()
                    run()
                    rates[who].append(count / (time.perf_counter() - began))
    on = f"{size}, random weights, {count} texts of 4 to {trial.most} words"
    measures = [over_rounds(f"{name}: {who}", rates[who], "texts/s", on) for who in rates]
    for mine, peer in itertools.product(rates, rates):
        if mine.startswith(OURS) and not peer.startswith(OURS):
            ratios = [a / b for a, b in zip(rates[mine], rates[peer], strict=True)]
            measures.append(over_rounds(f"{name}: {mine} over {peer}", ratios, "ratio", on))
    return measures


def over_rounds(name: str, values: Sequence[float], unit: str, on: str) -> Measure:
    """The median with the smallest and the largest round."""
    return Measure(
        name=name, value=statistics.median(values), low=min(values), high=max(values), n=len(values), unit=unit,
        better="higher", model=on, command=COMMAND, does_not_show=NOT_SHOWN,
        method=f"texts over wall time; median, smallest and largest of {len(values)} interleaved rounds",
    )  # fmt: skip


def main() -> None:
    """Measure, print, and write a report where one is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", choices=SIZES, default="mini")
    parser.add_argument("--texts", type=int, default=128)
    parser.add_argument("--only", nargs="+", choices=TRIALS, default=list(TRIALS))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    measures: list[Measure] = []
    for name in given.only:
        found = side_by_side(name, TRIALS[name], given.size, given.texts, given.rounds)
        for one in found:
            print(f"{one.name:<75} {one.value:10.2f} {one.unit:<8} [{one.low:.2f}, {one.high:.2f}]", flush=True)
        measures += found
    if given.out:
        write_report(given.out, tuple(measures))


if __name__ == "__main__":
    main()
