"""`python -m benchmarks.stretching MODEL DATASET`: how well a model reads far positions when its own are scaled.

Bits a byte of held-out text. Near: the second half of the context that the model was trained with; far: the last tokens of
the longer one, as many, beside the model as it is, which reads the same tokens after what fits before them. Rows of the
dataset are joined to texts of the longest length that is tried.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

from langwright.data.dataset import open_dataset
from langwright.models.stretching import Stretch
from langwright.tasks.front.loading import load
from langwright.tasks.front.model import Model
from langwright.workspace import Workspace

FACTORS = (2.0, 4.0)
TEXTS = 12


def texts_of(name: str, model: Model, longest: int, count: int) -> list[list[int]]:
    """Token rows of `longest`, each from text of its own."""
    data = open_dataset(Workspace().path(name))
    split = "validation" if "validation" in data.splits else data.splits[0]
    ids = [id for text in data.texts(split) for id in model.local("measure").tokenize(text + "\n")]
    return [ids[at : at + longest] for at in range(0, len(ids) - longest + 1, longest)][:count]


def bits(model: Model, rows: Sequence[Sequence[int]], begin: int, end: int) -> float:
    """Bits a byte of the tokens from `begin` to `end` of each row."""
    text = model.local("measure")
    nats = size = 0.0
    for row in rows:
        values = text.engine.score([list(row[:end])])[0]
        nats -= sum(values[max(0, begin - 1) :])
        size += sum(len(text.token_bytes(id)) for id in row[max(1, begin) : end])
    return nats / math.log(2) / size


def main(name: str, dataset: str) -> None:
    """Measure each way at each factor, beside the model as it is, which reads the same tokens with what fits before them."""
    with load(name, max_batch=1) as plain:
        context = plain.local("measure").context
        rows = texts_of(dataset, plain, int(context * max(FACTORS)), TEXTS)
        print(f"{len(rows)} texts of {len(rows[0])} tokens; context {context}; bits a byte")
        print(f"as it is     near {bits(plain, rows, context // 2, context):.3f}")
        for factor in FACTORS:
            end = int(context * factor)
            windows = [row[end - context : end] for row in rows]
            print(f"as it is     far ×{factor:g} {bits(plain, windows, context // 2, context):.3f}")
    for factor in FACTORS:
        end = int(context * factor)
        for kind in ("linear", "ntk", "yarn"):
            stretch = Stretch.model_validate({"kind": kind, "factor": factor})
            with load(name, max_batch=1, stretch=stretch) as model:
                near, far = bits(model, rows, context // 2, context), bits(model, rows, end - context // 2, end)
            print(f"{kind:6s} ×{factor:g}   near {near:.3f}, far {far:.3f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
