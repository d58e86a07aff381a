"""Share of drafts that keep their form, decoding kept to it and not, by a model that was trained on poems.

    python -m benchmarks.verse prepare zh-text-poetry poems [--most 4000]
    langwright run recipes/poems.toml
    python -m benchmarks.verse measure runs/poems/base [--drafts 50] [--out report.json]

`prepare` writes poems of regulated forms behind the question of the template `poem`, so that a model that only goes on
from texts learns to answer it. `measure` draws each poem once, without drawing again, about titles of poems that were
held out. People's own held-out poems stand beside, judged alike,
and the same with their characters shuffled.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from langwright.measures import Measure, write_report
from langwright.metrics.held import held
from langwright.tasks.poems import Keep, PoemInput, scheme
from langwright.tasks.verse.chinese import CHINESE, lines_of
from langwright.tasks.verse.sounds import Readings

COMMAND = "python -m benchmarks.verse measure"
SHAPES = {(4, 5): "五言绝句", (4, 7): "七言绝句", (8, 5): "五言律诗", (8, 7): "七言律诗"}
READINGS: tuple[Readings, ...] = ("new", "old")
KEEPS: tuple[Keep, ...] = ("nothing", "lines", "tones", "rhymes")
HELD_OUT = 200  # poems of each form


def poems(data: Path) -> Iterator[tuple[str, str, str]]:
    """(form, title, poem) of Tang poems whose lines are those of a regulated form."""
    with gzip.open(data / "tang.jsonl.gz", "rt", encoding="utf-8") as rows:
        for row in map(json.loads, rows):
            lines = lines_of("".join(row["paragraphs"]))
            form = SHAPES.get((len(lines), len(lines[0]))) if lines else None
            if form and len({len(line) for line in lines}) == 1 and row["title"]:
                yield form, row["title"], "".join(line + "，。"[n % 2] for n, line in enumerate(lines))


def question(form: str, title: str) -> str:
    """What is asked of a model that goes on from texts."""
    from langwright.tasks.solving.prompting import Templates

    fields = {"subject": title, "form": form, "scheme": scheme(form)}  # type: ignore[arg-type]
    (turn,) = Templates().get("poem").fill("zh", fields)
    return turn.content + "\n"  # type: ignore[union-attr]


def prepare(data: Path, out: Path, most: int) -> None:
    """Write training rows, and the held-out poems beside."""
    found = list(poems(data))
    random.Random(1).shuffle(found)
    apart: list[tuple[str, str, str]] = []
    for form in SHAPES.values():
        apart += [one for one in found if one[0] == form][:HELD_OUT]
    kept = set(apart)
    rows = [{"text": question(form, title) + poem} for form, title, poem in found if (form, title, poem) not in kept]
    for folder, name, lines in (
        (out, "poems.jsonl", rows[:most]),
        (out.with_name(out.name + "-held-out"), "poems.jsonl", [dict(zip(("form", "title", "text"), one, strict=True)) for one in apart]),
    ):  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / name).write_text(text, encoding="utf-8")


def measure(model: str, apart: Path, drafts: int, forms: Sequence[str], temperature: float) -> list[Measure]:
    """The share of drafts that hold each thing, by how much decoding is kept to."""
    from langwright.inference.protocol import Sampling
    from langwright.tasks.front.loading import load

    rows = [json.loads(line) for line in apart.joinpath("poems.jsonl").read_text(encoding="utf-8").splitlines()]
    found: list[Measure] = []
    for form in forms:
        of_form = [row["text"] for row in rows if row["form"] == form]
        for kind in READINGS:
            found += shares(f"people, {kind} readings, {form}", [judged(form, text, kind) for text in of_form])
            found += shares(
                f"shuffled, {kind} readings, {form}", [judged(form, shuffled(text), kind) for text in of_form]
            )
    if not model:
        return found
    with load(model) as opened:
        for form in forms:
            some = [row for row in rows if row["form"] == form][:drafts]
            for keep in KEEPS:
                checks = []
                for number, row in enumerate(some):
                    sampling = Sampling(temperature=temperature, max_new_tokens=200, seed=number)
                    asked = PoemInput(subject=row["title"], form=form, keep=keep, script="traditional", readings="old", tries=1, sampling=sampling)  # type: ignore[arg-type]  # fmt: skip
                    made = opened.solve("poem", asked)
                    checks.append({one.check: one.held for one in made.checks})  # type: ignore[attr-defined]
                found += shares(f"{model}, kept to {keep}, {form}", checks)
    return found


def shuffled(text: str) -> str:
    """The same characters in another order, signs where they are."""
    letters = [letter for letter in text if letter not in "，。"]
    random.Random(text).shuffle(letters)
    rest = iter(letters)
    return "".join(letter if letter in "，。" else next(rest) for letter in text)


def judged(form: str, text: str, kind: Readings) -> dict[str, bool]:
    """What a poem holds."""
    from langwright.tasks.verse.chinese import faults

    assert form in CHINESE
    return {name: not wrong for name, wrong in faults(text, form, kind).items()}


def shares(what: str, checks: Sequence[dict[str, bool]]) -> list[Measure]:
    """The share that holds all, and that holds each thing."""
    names = list(dict.fromkeys(name for one in checks for name in one))
    every = [held([all(one.values()) for one in checks])]
    every += [held([one[name] for one in checks]).model_copy(update={"name": f"checks held: {name}"}) for name in names]
    return [one.model_copy(update={"model": what, "command": COMMAND}) for one in every]


def main() -> None:
    """Prepare the rows, or measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    making = verbs.add_parser("prepare")
    making.add_argument("data", type=Path)
    making.add_argument("out", type=Path)
    making.add_argument("--most", type=int, default=100_000)
    measuring = verbs.add_parser("measure")
    measuring.add_argument("model", nargs="?", default="", help="none to judge people's poems alone")
    measuring.add_argument("--held-out", type=Path, default=Path("poems-held-out"))
    measuring.add_argument("--drafts", type=int, default=50)
    measuring.add_argument("--forms", nargs="+", default=list(SHAPES.values()))
    measuring.add_argument("--temperature", type=float, default=0.8)
    measuring.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.verb == "prepare":
        prepare(given.data, given.out, given.most)
        return
    measures = measure(given.model, given.held_out, given.drafts, given.forms, given.temperature)
    for found in measures:
        print(f"{found.model:<44} {found.name:<22} {found.value:6.2f} [{found.low:.2f}, {found.high:.2f}] n {found.n}")
    if given.out:
        write_report(given.out, tuple(measures))


if __name__ == "__main__":
    main()
