"""Sections of a report about how something was made: data, tokenizer, training, cost, origins, commands, versions."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from langwright.artifacts import Origin
from langwright.data.cleaning import Drops
from langwright.evaluation.pages.bilingual import Words, both, plain, translated
from langwright.evaluation.pages.charts import Series, legend, line_chart
from langwright.evaluation.pages.gathering import Opened
from langwright.evaluation.pages.measured import measures_table
from langwright.evaluation.pages.numbers import duration, quantity, share, short, size, value_of
from langwright.evaluation.pages.page import (
    Block,
    Cell,
    Commands,
    Facts,
    Figure,
    Figures,
    Fold,
    Node,
    Paragraph,
    Row,
    Section,
    Table,
    Tree,
)
from langwright.runlog import Chosen, Evaluated, Resumed, Sampled, Stepped, Stopped, Warned

TIMES = 5  # looks at a model that are shown of each prompt
EXAMPLE = 120  # characters of a dropped row

# --- data ----------------------------------------------------------------------------------------


def data_blocks(opened: Opened) -> list[Block]:
    """What a dataset holds and what was dropped on the way."""
    facts = opened.card.dataset
    if facts is None:
        return []
    uses = {"train": both("Rows to train on"), "validation": both("Rows for validation"), "test": both("Rows for a test")}  # fmt: skip
    items: list[tuple[Words, Cell]] = [
        (both("Kind of rows"), translated(facts.schema_name)),
        *((uses.get(split, plain(split)), f"{count:,}") for split, count in facts.splits.items()),
        (both("Text"), size(facts.bytes)),
        (both("Made in"), duration(opened.card.seconds)),
    ]
    blocks: list[Block] = [Facts(tuple(items))]
    if opened.drops is not None:
        blocks += drop_blocks(opened.drops)
    elif facts.dropped:
        rows = tuple(Row((translated(rule), f"{count:,}")) for rule, count in facts.dropped.items())
        blocks.append(Table(both("Left out while reading"), (both("Reason"), both("Rows")), rows, frozenset({1})))
    return blocks


def drop_blocks(drops: Drops) -> list[Block]:
    """What cleaning dropped by which rule, with examples."""
    if not drops.counts:
        return [Paragraph(both("Cleaning looked at {rows} rows and dropped none.", rows=f"{drops.rows:,}"))]
    ordered = sorted(drops.counts.items(), key=lambda entry: -entry[1])
    rows = tuple(Row((translated(rule), f"{count:,}", share(count / drops.rows))) for rule, count in ordered)
    caption = both("Dropped by cleaning: {dropped} of {rows} rows", dropped=f"{drops.rows - drops.kept:,}", rows=f"{drops.rows:,}")  # fmt: skip
    table = Table(caption, (both("Rule"), both("Rows"), both("Share")), rows, frozenset({1, 2}))
    shown = tuple(
        Row((translated(rule), example.text[:EXAMPLE], example.value, example.source))
        for rule, _ in ordered
        for example in drops.examples.get(rule, ())[:2]
    )
    columns = (both("Rule"), both("Begins"), both("What the rule saw"), both("Source"))
    examples = Table(both("Examples of what was dropped"), columns, shown)
    return [table, Fold(both("Examples of what was dropped"), (examples,))] if shown else [table]


# --- tokenizer -----------------------------------------------------------------------------------


def tokenizer_blocks(opened: Opened) -> list[Block]:
    """What a tokenizer is and how tightly it packs text."""
    facts = opened.card.tokenizer
    items: list[tuple[Words, Cell]] = []
    if facts is not None:
        items += [
            (both("Method"), translated(facts.algorithm)),
            (both("Vocabulary"), f"{facts.vocab_size:,}"),
            (both("Chat template"), facts.template_sha256[:12] if facts.template_sha256 else "–"),
        ]
    items += [(translated(m.name), value_of(m)) for m in opened.measures]
    items.append((both("Made in"), duration(opened.card.seconds)))
    return [Facts(tuple(items))]


# --- training ------------------------------------------------------------------------------------


def training_blocks(opened: Opened) -> list[Block]:
    """A model: what it is, what was decided for the run, its curves, what it said as it learned."""
    blocks: list[Block] = [Facts(tuple(model_facts(opened)))]
    blocks += [
        Paragraph(both(e.message, **e.values), "caution" if isinstance(e, Warned) else "note")
        for e in opened.events
        if isinstance(e, (Chosen, Warned))
    ]
    blocks += breaks(opened)
    blocks += curves(opened)
    blocks += through_time(opened)
    if opened.measures:
        blocks.append(Fold(both("Measures of the run"), (measures_table(opened.measures),)))
    return blocks


def model_facts(opened: Opened) -> list[tuple[Words, Cell]]:
    """Names and values of a model's card."""
    facts = opened.card.model
    items: list[tuple[Words, Cell]] = []
    if facts is not None:
        items += [
            (both("Architecture"), facts.architecture),
            (both("Parameters"), short(facts.parameters)),
            (both("Context"), both("{count} tokens", count=f"{facts.context:,}")),
            (both("Vocabulary"), f"{facts.vocab_size:,}"),
        ]
    steps = [e for e in opened.events if isinstance(e, Stepped)]
    if steps:
        positions = sum(e.tokens for e in steps)
        useful = sum(e.useful * e.tokens for e in steps) / max(positions, 1)
        items += [(both("Updates"), f"{steps[-1].step:,}"), (both("Useful tokens"), share(useful))]
    items.append((both("Made in"), duration(opened.card.seconds)))
    return items


def breaks(opened: Opened) -> list[Block]:
    """Where a run was interrupted and went on, as that is part of how it was made."""
    stops = [e.step for e in opened.events if isinstance(e, Stopped)]
    resumes = [e.step for e in opened.events if isinstance(e, Resumed)]
    if not stops and not resumes:
        return []
    steps = ", ".join(f"{step:,}" for step in resumes or stops)
    return [Paragraph(both("The run was interrupted and went on from update {steps}.", steps=steps), "note")]


def curves(opened: Opened) -> list[Block]:
    """Loss, bits per byte, learning rate and speed over updates."""
    steps = [e for e in opened.events if isinstance(e, Stepped)]
    looks = [e for e in opened.events if isinstance(e, Evaluated)]
    if not steps:
        return []
    update = both("update")
    trained = Series(both("on training rows"), tuple((e.step, e.loss) for e in steps))
    held_out = Series(both("on validation rows"), points(looks, "loss"))
    charts = [
        chart(both("Loss"), update, both("nats per unit"), [trained, held_out]),
        chart(both("Bits per byte on validation rows"), update, both("bits/byte"), [Series(both("bits per byte"), points(looks, "bits_per_byte"))]),
        chart(both("Accuracy on validation rows"), update, both("share"), [Series(both("accuracy"), points(looks, "accuracy"))]),
        chart(both("Learning rate"), update, both("learning rate"), [Series(both("learning rate"), tuple((e.step, e.learning_rate) for e in steps))]),
        chart(both("Speed"), update, both("tokens/s"), [Series(both("tokens/s"), tuple((e.step, e.tokens_per_second) for e in steps))]),
    ]  # fmt: skip
    first = tuple(c for c in charts[:3] if c is not None)
    rest = tuple(c for c in charts[3:] if c is not None)
    blocks: list[Block] = [Figures(first)] if first else []
    return [*blocks, Fold(both("Learning rate and speed"), (Figures(rest),))] if rest else blocks


def points(looks: Sequence[Evaluated], name: str) -> tuple[tuple[float, float], ...]:
    """One held-out measure over updates."""
    return tuple((look.step, look.values[name]) for look in looks if name in look.values)


def chart(title: Words, x: Words, y: Words, series: Sequence[Series]) -> Figure | None:
    """A figure, or None where there is nothing to draw."""
    drawn = [s for s in series if s.points]
    svg = line_chart(title, x, y, drawn)
    return Figure(title, svg, legend(drawn)) if svg else None


def through_time(opened: Opened) -> list[Block]:
    """What the model said at a few moments, prompt by prompt."""
    samples = [e for e in opened.events if isinstance(e, Sampled)]
    if not samples:
        return []
    rows: list[Row] = []
    for prompt in dict.fromkeys(e.prompt for e in samples):
        said = [e for e in samples if e.prompt == prompt]
        rows.append(Row((prompt,), head=True))
        rows += [Row((f"{e.step:,}", e.text)) for e in moments(said)]
    columns = (both("After update"), both("What it wrote"))
    return [Table(both("What it wrote as it learned"), columns, tuple(rows))]


def moments(said: Sequence[Sampled]) -> list[Sampled]:
    """A few of many, evenly spread, first and last among them."""
    last = len(said) - 1
    places = range(len(said)) if last < TIMES else sorted({round(i * last / (TIMES - 1)) for i in range(TIMES)})
    return [said[place] for place in places]


# --- cost, origins, commands ---------------------------------------------------------------------


COSTS: dict[str, Words] = {
    "tokens trained on": both("Tokens"),
    "training compute": both("Computation"),
    "share of the matrix rate": both("Of the matrix rate"),
    "peak memory": both("Peak memory"),
    "energy": both("Energy"),
    "emissions": both("Emissions"),
}


def cost_blocks(all_opened: Sequence[Opened]) -> list[Block]:
    """Time, tokens, computation, memory, energy and emissions of each step, and what they were reckoned with."""
    rows = []
    for opened in all_opened:
        cells: list[Cell] = [both("{name}, by {stage}", name=opened.name, stage=opened.card.stage), duration(opened.card.seconds)]  # fmt: skip
        found = [opened.measure(name) for name in COSTS]
        rows.append(Row((*cells, *(value_of(one) if one else "–" for one in found))))
    total = duration(sum(opened.card.seconds for opened in all_opened))
    sums = [total_of(all_opened, name) if name in ("energy", "emissions") else "" for name in COSTS]
    rows.append(Row((both("Together"), total, *sums), mark=True))
    columns = (both("Step"), both("Time"), *COSTS.values())
    table = Table(both("Cost"), columns, tuple(rows), frozenset(range(1, len(columns))))
    return [table, *assumptions(all_opened)]


def total_of(all_opened: Sequence[Opened], name: str) -> Cell:
    """A measure summed over the steps that have it; a dash where none has."""
    found = [one for opened in all_opened if (one := opened.measure(name)) is not None]
    return quantity(sum(one.value for one in found), found[0].unit) if found else "–"


def assumptions(all_opened: Sequence[Opened]) -> list[Block]:
    """How energy and emissions were got at, each way said once."""
    found = [one for opened in all_opened for name in ("energy", "emissions") if (one := opened.measure(name))]
    said = dict.fromkeys((one.name, one.method) for one in found if one.method)
    lines = [both("{name}: {how}.", name=translated(name), how=translated(method)) for name, method in said]
    missing = dict.fromkeys(one.does_not_show for one in found if one.does_not_show)
    lines += [both("Does not show: {what}", what=translated(what)) for what in missing]
    return [Paragraph(line, "note") for line in lines]


def origin_tree(all_opened: Sequence[Opened]) -> Tree:
    """The artifacts that nothing else here was made from, with all that they were made from."""
    used = {origin.digest for opened in all_opened for origin in opened.origins()}
    seen: set[str] = set()
    return Tree(tuple(node(whole(opened), seen) for opened in all_opened if opened.digest not in used))


def whole(opened: Opened) -> Origin:
    """An artifact written down like an input."""
    card = opened.card
    return Origin(role="", path=str(opened.path), kind=card.kind, digest=opened.digest, stage=card.stage, inputs=card.inputs)  # fmt: skip


def node(origin: Origin, seen: set[str]) -> Node:
    """One origin with its own; what an artifact was made from is written out once.

    seen  digests written out so far; added to
    """
    kind, digest = translated(origin.kind), origin.digest[:12]
    if origin.stage:
        note = both("{kind}, made by {stage}, {digest}", kind=kind, stage=origin.stage, digest=digest)
    else:
        note = both("{kind}, {digest}", kind=kind, digest=digest)
    if origin.digest in seen and origin.inputs:
        return Node(origin.path, both("{note}, as above", note=note))
    seen.add(origin.digest)
    return Node(origin.path, note, tuple(node(inner, seen) for inner in origin.inputs))


def command_block(all_opened: Sequence[Opened]) -> list[Block]:
    """The commands that make all of it again, in order."""
    lines = tuple(shlex.join(opened.card.command) for opened in all_opened if opened.card.command)
    if not lines:
        return []
    note = both("With the same data, versions and kind of machine these give the same results; on another machine, nearly.")  # fmt: skip
    return [Paragraph(note, "note"), Commands(lines)]


def version_facts(versions: dict[str, str]) -> Facts:
    """Libraries and their versions."""
    return Facts(tuple((plain(name), version) for name, version in versions.items()))


def seeds(all_opened: Sequence[Opened]) -> Words:
    """The seeds used, step by step."""
    named = ", ".join(f"{o.name} {o.card.seed}" for o in all_opened if o.card.seed is not None)
    return both("Seeds: {seeds}", seeds=named) if named else both("No step used chance.")


def made_sections(all_opened: Sequence[Opened]) -> list[Section]:
    """The sections on data, tokenizers and training of a pipeline."""
    found = []
    for index, opened in enumerate(all_opened):
        name = opened.name
        if opened.card.kind == "dataset":
            found.append(Section(f"data{index}", both("Data: {name}", name=name), data_blocks(opened)))
        elif opened.card.kind == "tokenizer":
            found.append(Section(f"tokenizer{index}", both("Tokenizer: {name}", name=name), tokenizer_blocks(opened)))
        elif opened.card.kind == "model":
            found.append(Section(f"model{index}", both("Training: {name}", name=name), training_blocks(opened)))
    return found
