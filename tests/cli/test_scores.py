"""`score`, `fill`, `embed`, `watermark` and `templates` from the command line."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Run
from tests.tasks.front.test_filling import masked_model
from tests.tasks.tiny import write_labeller, write_writer

from langwright.inference.fake import letters
from langwright.tasks.front.loading import load
from langwright.tokenizers.marks import add_marks


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    write_writer(root / "base", template=False)
    write_labeller(root / "labeller")
    ours = letters()
    add_marks(ours)
    ours.save_pretrained(root / "filler")
    masked_model(len(ours)).save_pretrained(root / "filler")
    return root


@pytest.mark.spec(
    "T30",
    "log-probability, surprisal and alternatives of each token, perplexity and bits per byte, from the command line",
)
def test_score(run: Run, models: Path) -> None:
    found = run("score", str(models / "base"), "你好 world", "--top", "3", "--json").json
    assert found["log_probability"] == pytest.approx(sum(token["logprob"] for token in found["tokens"]))
    assert found["perplexity"] == pytest.approx(math.exp(-found["log_probability"] / len(found["tokens"])))
    assert found["bits_per_byte"] == pytest.approx(-found["log_probability"] / math.log(2) / len("你好 world".encode()))
    for token in found["tokens"]:
        assert token["bits"] == pytest.approx(-token["logprob"] / math.log(2))
        values = [value for _, value in token["top"]]
        assert len(values) == 3 and values == sorted(values, reverse=True) and values[0] >= token["logprob"] - 1e-6
    with load(models / "base") as model:
        assert found["log_probability"] == pytest.approx(model.score("你好 world").log_probability, abs=1e-5)
    after = run("score", str(models / "base"), "b", "--given", "a", "--json").json
    with load(models / "base") as model:
        assert after["log_probability"] == pytest.approx(model.score("b", "a").log_probability, abs=1e-5)


def test_score_for_a_person(run: Run, models: Path) -> None:
    said = run("score", str(models / "base"), "abcd\nefg")
    above, below, *_ = said.out.splitlines()
    assert above == "abcd⏎efg" and len(below) == len(above) and set(below) <= set("▁▂▃▄▅▆▇█")
    table = run("score", str(models / "base"), "ab", "--table").out.splitlines()
    assert table[1].startswith("'a'") and table[2].startswith("'b'")
    Path("long.txt").write_text("ab " * 100)
    assert (
        run("score", str(models / "base"), "@long.txt", "--json").json["bytes"] == 300
    )  # rolls over the context of 96
    assert run("score", str(models / "labeller"), "a").code == 2
    assert (
        run("score", str(models / "base"), "a", "--top", "-1", "--json").json["error"]["code"]
        == "setting-is-not-allowed"
    )


def test_rolling_scores_every_token_once(models: Path) -> None:
    text = "".join(chr(97 + number % 26) for number in range(180))
    with load(models / "base") as model:
        found = model.score(text, rolling=True)
        assert "".join(token for token, _ in found.tokens) == text
        first = model.score(text[:95])
        assert found.tokens[:95] == tuple((token, pytest.approx(value, abs=1e-4)) for token, value in first.tokens)


@pytest.mark.spec("P3", "blanks are filled from the command line")
def test_fill(run: Run, models: Path) -> None:
    found = run("fill", str(models / "filler"), "a[MASK]c[MASK]", "--top", "4", "--json").json
    assert len(found["fillings"]) == 4 and len(found["blanks"]) == 2
    values = [one["probability"] for one in found["fillings"]]
    assert values == sorted(values, reverse=True) and all(len(one["words"]) == 2 for one in found["fillings"])
    chosen = run("fill", str(models / "filler"), "a[MASK]c", "--words", "x,山", "--json").json
    assert {one["text"] for one in chosen["fillings"]} == {"axc", "a山c"}
    said = run("fill", str(models / "filler"), "a[MASK]c[MASK]")
    assert said.code == 0 and "blank 2 alone" in said.out
    assert run("fill", str(models / "filler"), "a", "--json").json["error"]["code"] == "the-text-has-no-blank"
    assert run("fill", str(models / "base"), "a[MASK]").code == 2


@pytest.mark.spec("T31", "a file of texts becomes numpy's array or lines of JSON, and its width and cuts are said")
def test_embed(run: Run, models: Path) -> None:
    Path("texts.txt").write_text("ab\n\n你好\n" + "x" * 60, encoding="utf-8")
    refused = run("embed", str(models / "filler"), "texts.txt", "out.npy", "--json").json["error"]
    assert refused["code"] == "the-text-has-tokens-and-the-model-s" and not Path("out.npy").exists()
    found = run("embed", str(models / "filler"), "texts.txt", "out.npy", "--truncate", "--normalise", "--json").json
    assert found == {"texts": 3, "width": 32, "pooling": "mean", "normalised": True, "truncated": 1, "out": "out.npy"}
    vectors = np.load("out.npy")
    assert vectors.shape == (3, 32) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    Path("texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in ("ab", "你好")))
    said = run("embed", str(models / "filler"), "texts.jsonl", "out.jsonl", "--pooling", "cls")
    assert "2 vectors of 32 numbers" in said.out and "cls" in said.out
    rows = [json.loads(line) for line in Path("out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["text"] for row in rows] == ["ab", "你好"] and [row["tokens"] for row in rows] == [4, 8]
    for words, code in (
        (("texts.txt", "out.npy"), "already-exists"),
        (("texts.txt", "out.bin"), "is-neither-npy-nor-jsonl"),
        (("texts.txt", "none/out.npy"), "there-is-no-folder"),
        (("gone.txt", "new.npy"), "cannot-be-read"),
        (("texts.txt", "new.npy", "--pooling", "max"), "no-called"),
    ):
        assert run("embed", str(models / "filler"), *words, "--json").json["error"]["code"] == code
    Path("bad.jsonl").write_text('{"text": "a"}\n{"txt": "b"}\n')
    assert run("embed", str(models / "filler"), "bad.jsonl", "new.npy", "--json").json["error"]["params"]["number"] == 2
    Path("empty.txt").write_text("\n")
    assert (
        run("embed", str(models / "filler"), "empty.txt", "new.npy", "--json").json["error"]["code"] == "holds-no-text"
    )
    assert not Path("new.npy").exists()


@pytest.mark.spec("S3", "a text written under a key is found with it, and not with another, from the command line")
def test_watermark(run: Run, models: Path) -> None:
    made = run("watermark", "key", "keys/mine.json", "--set", "bias=6", "--json").json
    assert made["mark"]["bias"] == 6 and "key" not in made
    assert run("watermark", "key", "keys/mine.json").code == 2
    secret = json.loads(Path("keys/mine.json").read_text())["key"]
    assert len(secret) == 64
    run("watermark", "key", "keys/other.json")
    command = ["generate", str(models / "base"), "ab", "--max-new-tokens", "80", "--temperature", "2", "--seed", "3"]
    marked = run(*command, "--watermark", "keys/mine.json", "--json")
    assert secret not in marked.out + marked.err
    Path("text.txt").write_text(marked.json["text"], encoding="utf-8")
    detect = ["watermark", "detect", "@text.txt", "--model", str(models / "base")]
    found = run(*detect, "--key-file", "keys/mine.json", "--false-positives", "0.001", "--json").json
    assert found["verdict"] == "marked" and found["z"] > found["threshold"] and found["p_value"] < 1e-3
    other = run(*detect, "--key-file", "keys/other.json", "--false-positives", "0.001", "--json").json
    assert other["verdict"] == "not marked"
    said = run(*detect, "--key-file", "keys/mine.json")
    assert said.code == 0 and said.out.startswith("marked\n") and secret not in said.out
    short = run(
        "watermark", "detect", "ab", "--model", str(models / "base"), "--key-file", "keys/mine.json", "--json"
    ).json
    assert short["verdict"] == "too short to tell" and short["threshold"] is None
    assert run(*detect, "--key-file", "text.txt", "--json").json["error"]["code"] == "is-not-a-key-file-of-a-watermark"
    assert run(*detect, "--key-file", "keys/mine.json", "--false-positives", "2").code == 2


def test_a_tournament_needs_drawing(run: Run, models: Path) -> None:
    run("watermark", "key", "s.json", "--kind", "synthid", "--set", "depth=8")
    command = ["generate", str(models / "base"), "abcd", "--watermark", "s.json", "--max-new-tokens", "4", "--json"]
    assert run(*command).json["error"]["code"].startswith("a-synthid-watermark")
    assert run(*command, "--temperature", "1").code == 0
    assert (
        run("watermark", "key", "t.json", "--kind", "other", "--json").json["error"]["code"] == "setting-is-not-allowed"
    )


@pytest.mark.spec("G6", "templates are listed, shown, added and used from the command line")
def test_templates(run: Run, models: Path) -> None:
    listed = run("templates", "list", "--json").json["templates"]
    assert {"summary", "story"} <= {one["name"] for one in listed}
    assert "summary@1" in run("templates", "list").out
    shown = run("templates", "show", "story").out
    assert "Once upon a time in {place}" in shown and "从前，在{place}" in shown
    story = ["generate", str(models / "base"), "--template", "story", "--max-new-tokens", "6", "--json"]
    filled = run(*story, "--field", "place=Rome", "--field", "hero=a fox").json["text"]
    plain = run(
        "generate", str(models / "base"), "Once upon a time in Rome there was a fox.", "--max-new-tokens", "6", "--json"
    )
    assert filled == plain.json["text"]
    zh = run(*story, "--field", "place=洛阳", "--field", "hero=狐狸", "--template-language", "zh").json["text"]
    assert (
        zh
        == run("generate", str(models / "base"), "从前，在洛阳，有狐狸。", "--max-new-tokens", "6", "--json").json[
            "text"
        ]
    )
    Path("drizzle.1.toml").write_text(
        'version = 1\nabout = { en = "A poem", zh = "诗" }\ntext = { en = "Rain", zh = "雨" }\n', encoding="utf-8"
    )
    assert run("templates", "add", "drizzle.1.toml", "--json").json["name"] == "drizzle"
    assert run("templates", "show", "drizzle").code == 0 and Path("templates/drizzle.1.toml").is_file()
    for words, code in (
        (("--field", "place=x"), "template-lacks-its-field"),
        (("--field", "x"), "field-has-no"),
        (("--template-language", "fr", "--field", "place=x", "--field", "hero=y"), "no-called"),
    ):
        assert run(*story, *words).json["error"]["code"].startswith(code)
    assert (
        run("generate", str(models / "base"), "a", "--field", "b=c", "--json")
        .json["error"]["code"]
        .startswith("field-fills")
    )
