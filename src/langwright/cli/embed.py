"""`langwright embed MODEL FILE OUT`: one vector a line of text, as numpy's array or JSON lines."""

from __future__ import annotations

import io
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from langwright.cli.screen import screen_of
from langwright.cli.teaching import Command
from langwright.errors import UserError, unknown
from langwright.inference.scoring.embedding import POOLINGS
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.inference.scoring.embedding import Embedded

FORMS = (".npy", ".jsonl")


def embed(
    ctx: typer.Context,
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model: its folder, the name of a run, or hf:owner/name")
    ],
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="Texts, one a line; .jsonl takes the field text of each; - is standard input"
        ),
    ],
    out: Annotated[str, typer.Argument(metavar="OUT", help="File to make: .npy for numpy, .jsonl for lines of JSON")],
    pooling: Annotated[
        str | None,
        typer.Option(
            "--pooling", metavar="mean|cls|last", help="What of the last hidden states; the model's own when left out"
        ),
    ] = None,
    normalise: Annotated[bool, typer.Option("--normalise", help="Scale each vector to length 1")] = False,
    truncate: Annotated[
        bool, typer.Option("--truncate", help="Cut texts that are too long for the model instead of refusing them")
    ] = False,
) -> None:
    """Read the texts, ask the model, write the file whole or not at all."""
    screen = screen_of(ctx)
    chosen = next((one for one in POOLINGS if one == pooling), None)
    if pooling is not None and chosen is None:
        raise unknown("option", pooling, POOLINGS)
    path = Path(out)
    refuse_out(path)
    texts = read_texts(file)
    from langwright.files import write_whole
    from langwright.tasks.front.loading import load

    with load(model) as opened:
        found = opened.embeddings(texts, pooling=chosen, normalise=normalise, truncate=truncate)
    write_whole(path, as_bytes(found, texts, path.suffix))
    cut = sum(found.truncated)
    screen.line(
        say("{texts} vectors of {width} numbers in {out}: {pooling} of the last hidden states",
            texts=len(texts), width=found.width, out=out, pooling=found.pooling)
    )  # fmt: skip
    if cut:
        screen.line(say("{cut} texts were cut to {tokens} tokens", cut=cut, tokens=max(found.tokens)))
    answer = {
        "texts": len(texts), "width": found.width, "pooling": found.pooling, "normalised": found.normalised,
        "truncated": cut, "out": out,
    }  # fmt: skip
    screen.answer(answer, next=shlex.join(["langwright", "score", model, "TEXT"]))


def refuse_out(path: Path) -> None:
    """UserError for a file that is there already, or of a kind that is not written."""
    if path.suffix not in FORMS:
        raise UserError("{path} is neither .npy nor .jsonl", fix="name the file OUT.npy or OUT.jsonl", path=path)
    if path.exists():
        raise UserError("{path} already exists", fix="name another file, or remove it first", path=path)
    if not path.parent.is_dir():
        raise UserError("there is no folder {path}", fix="make it first, or name another", path=path.parent)


def read_texts(file: str) -> list[str]:
    """The texts of a file.

    raises  UserError when it cannot be read, a line is no JSON with a text, or there is none
    """
    from langwright.cli.sampling import read_input

    lines = read_input("-" if file == "-" else f"@{file}").splitlines()
    if file.endswith(".jsonl"):
        lines = [field_of(line, number, file) for number, line in enumerate(lines, 1) if line.strip()]
    texts = [line for line in lines if line.strip()]
    if not texts:
        raise UserError("{file} holds no text", fix="write one text a line", file=file)
    return texts


def field_of(line: str, number: int, file: str) -> str:
    """The field `text` of a line of JSON."""
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    text = found.get("text") if isinstance(found, dict) else None
    if not isinstance(text, str):
        raise UserError(
            "line {number} of {file} has no text", fix='write each line as {{"text": "..."}}', number=number, file=file
        )
    return text


def as_bytes(found: Embedded, texts: list[str], form: str) -> bytes:
    """The vectors as a file's content."""
    import numpy as np

    if form == ".npy":
        stream = io.BytesIO()
        np.save(stream, found.vectors, allow_pickle=False)
        return stream.getvalue()
    rows = zip(texts, found.vectors.tolist(), found.tokens, found.truncated, strict=True)
    lines = [
        json.dumps({"text": text, "vector": vector, "tokens": tokens, "truncated": cut}, ensure_ascii=False)
        for text, vector, tokens, cut in rows
    ]
    return "".join(line + "\n" for line in lines).encode()


EMBED = Command(
    name="embed",
    section="Use a model",
    summary="Turn texts into vectors",
    examples=(
        "langwright embed runs/encoder notes.txt vectors.npy --normalise",
        "langwright embed runs/base questions.jsonl vectors.jsonl --pooling last --truncate",
    ),
    run=embed,
)
