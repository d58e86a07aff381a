"""Rating sheets: what raters see, what is read back, and what comes of it."""

from __future__ import annotations

import csv
import io
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.evaluation.pipeline import whole_pipeline

from langwright.errors import UserError
from langwright.evaluation.people.rated import rated
from langwright.evaluation.people.rating import Key, make_sheets, read_key, read_sheets, texts_of

PROMPTS = [f"问题 {number}?" for number in range(8)]


def source(folder: Path, name: str, quality: int, prompts: list[str] = PROMPTS) -> Path:
    """Texts that say how good they are."""
    file = folder / f"{name}.jsonl"
    file.write_text("".join(json.dumps({"prompt": one, "text": f"={quality}, 答"}) + "\n" for one in prompts))
    return file


def sheets(folder: Path, kind: str = "ratings", raters: int = 2, **options: int | None) -> tuple[Path, Key]:
    sources = [source(folder, name, quality) for name, quality in (("good", 5), ("middling", 3), ("bad", 1))]
    given = {"highest": 5, "limit": None, "seed": 3, **options}
    return folder / "sheets", make_sheets(sources, folder / "sheets", kind=kind, raters=raters, **given)


def cells(file: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(file.read_bytes().decode("utf-8-sig"))))


def fill(folder: Path, answer: Callable[[int, list[str]], str], encoding: str = "utf-8", mark: str = ",") -> None:
    """Fill every sheet as a spreadsheet would save it."""
    for number, file in enumerate(sorted(folder.glob("*.csv")), 1):
        head, *rows = cells(file)
        with file.open("w", encoding=encoding, newline="") as stream:
            writer = csv.writer(stream, delimiter=mark)
            writer.writerow(head)
            writer.writerows([[*row[:-2], answer(number, row), ""] for row in rows])


def quality(cell: str) -> int:
    return int(cell.removeprefix("'=")[0])


@pytest.mark.spec("EV4", "raters get blind sheets, each in its own order and with sides drawn by chance")
def test_sheets_tell_nobody_whose_text_it_is(tmp_path: Path) -> None:
    folder, key = sheets(tmp_path, "pairs", raters=4)
    assert sorted(file.name for file in folder.iterdir()) == ["key.json", *(f"sheet-{n}.csv" for n in range(1, 5))]
    orders = []
    for number in range(1, 5):
        head, *rows = cells(folder / f"sheet-{number}.csv")
        assert len(head) == 6 and len(rows) == 8 * 3 and all(row[4:] == ["", ""] for row in rows)
        assert not any(name in cell for row in rows for cell in row for name in ("good", "middling", "bad"))
        assert all(cell.startswith("'=") for row in rows for cell in row[2:4])  # no spreadsheet computes it
        orders.append([row[1] for row in rows])
    assert len({tuple(order) for order in orders}) == 4
    lefts = Counter(row.models[0] for row in key.rows)
    assert all(18 <= count <= 46 for count in lefts.values()) and sum(lefts.values()) == 96
    assert read_key(folder) == key


def test_the_same_seed_makes_the_same_sheets_and_a_limit_draws_prompts(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    one, key = sheets(tmp_path / "a", limit=3)
    other, again = sheets(tmp_path / "b", limit=3)
    assert key == again and (one / "sheet-1.csv").read_bytes() == (other / "sheet-1.csv").read_bytes()
    assert len({row[1] for row in cells(one / "sheet-1.csv")[1:]}) == 3


@pytest.mark.spec("EV4", "ratings come back from what spreadsheets save, with agreement and a mean for each model")
@pytest.mark.parametrize(("encoding", "mark"), [("utf-8", ","), ("utf-8-sig", ";"), ("gb18030", "\t")])
def test_ratings(tmp_path: Path, encoding: str, mark: str) -> None:
    folder, key = sheets(tmp_path)
    # the second rater gives one point less to the best
    fill(folder, lambda rater, row: str(quality(row[2]) - (rater == 2 and quality(row[2]) == 5)), encoding, mark)
    judged = read_sheets(folder, key)
    assert len(judged) == len(key.rows) == 48
    found = rated(judged, key, data="sheets")
    means = {m.model: m.value for m in found if m.name == "mean rating"}
    assert means == {"good": 4.5, "middling": 3, "bad": 1} and list(means) == ["good", "middling", "bad"]
    alpha, kappa, *_ = found
    assert (alpha.name, kappa.name) == ("Krippendorff's alpha", "Cohen's kappa")
    assert 0.9 < alpha.value < 1 and 0.85 < kappa.value < 1 and all(m.data == "sheets" for m in found)


@pytest.mark.spec("EV4", "pairwise choices become ratings of models, whichever side they stood on")
def test_pairs(tmp_path: Path) -> None:
    folder, key = sheets(tmp_path, "pairs", raters=3)
    drawing = random.Random(0)

    def better(rater: int, row: list[str]) -> str:
        if drawing.random() < 0.2:
            return drawing.choice(["left", "右", "TIE"])
        return "左" if quality(row[2]) > quality(row[3]) else "right"

    fill(folder, better)
    found = rated(read_sheets(folder, key), key)
    for name in ("Bradley-Terry rating", "Elo rating"):
        assert [m.model for m in found if m.name == name] == ["good", "middling", "bad"]
    assert [m.name for m in found[:2]] == ["Krippendorff's alpha", "Fleiss' kappa"]
    assert 0.4 < found[0].value < 0.95


def test_a_rater_who_only_likes_the_left_side_rates_nobody_up(tmp_path: Path) -> None:
    folder, key = sheets(tmp_path, "pairs", raters=6)
    fill(folder, lambda rater, row: "left")
    ratings = [m for m in rated(read_sheets(folder, key), key) if m.name == "Bradley-Terry rating"]
    assert max(m.value for m in ratings) - min(m.value for m in ratings) < 120
    assert all(m.low < 1000 < m.high for m in ratings)


def test_rows_left_empty_are_left_out_and_one_rater_has_nobody_to_agree_with(tmp_path: Path) -> None:
    folder, key = sheets(tmp_path)
    fill(folder, lambda rater, row: str(quality(row[2])) if rater == 1 else "")
    judged = read_sheets(folder, key)
    assert len(judged) == 24 and {m.name for m in rated(judged, key)} == {"mean rating"}
    fill(folder, lambda rater, row: "")
    with pytest.raises(UserError, match="no sheet"):
        rated(read_sheets(folder, key), key)


def test_a_row_name_that_a_spreadsheet_shortened_is_known(tmp_path: Path) -> None:
    folder, key = sheets(tmp_path)
    fill(folder, lambda rater, row: "3")
    file = folder / "sheet-1.csv"
    file.write_text("\n".join(line.lstrip("0") for line in file.read_text().splitlines()))
    assert len(read_sheets(folder, key)) == 48


@pytest.mark.parametrize(
    ("kind", "answer", "problem"),
    [("ratings", "6", "1 to 5"), ("ratings", "2.5", "1 to 5"), ("ratings", "nan", "1 to 5"), ("ratings", "good", "1 to 5"), ("pairs", "both", "none of left")],
)  # fmt: skip
def test_what_is_no_answer_is_refused(tmp_path: Path, kind: str, answer: str, problem: str) -> None:
    folder, key = sheets(tmp_path, kind)
    fill(folder, lambda rater, row: answer if row[0] == "00005" else "")
    with pytest.raises(UserError, match=problem) as refused:
        read_sheets(folder, key)
    assert refused.value.values["line"] == 6


def test_sheets_that_were_mixed_up_are_refused(tmp_path: Path) -> None:
    folder, key = sheets(tmp_path)
    fill(folder, lambda rater, row: "3")
    (folder / "copy.csv").write_bytes((folder / "sheet-1.csv").read_bytes())
    with pytest.raises(UserError, match="twice"):
        read_sheets(folder, key)
    (folder / "copy.csv").write_text("row\n99999,x,y,3,\n")
    with pytest.raises(UserError, match="no sheet of this folder"):
        read_sheets(folder, key)
    with pytest.raises(UserError, match="not a folder of rating sheets"):
        read_key(tmp_path)


def test_sources(tmp_path: Path) -> None:
    made = whole_pipeline(tmp_path / "runs")
    name, texts = texts_of(made["chat-measured"].path)
    assert name == "chat" and texts
    options = {"kind": "pairs", "raters": 1, "highest": 5, "limit": None, "seed": 0}
    a, b = source(tmp_path, "a", 1), source(tmp_path, "b", 2, ["another"])
    for sources, problem in (([a], "two models"), ([a, b], "no prompt in common"), ([a, a], "both called a"), ([tmp_path / "c.jsonl"], "cannot be read")):  # fmt: skip
        with pytest.raises(UserError, match=problem):
            make_sheets(sources, tmp_path / "out", **options)
    for text, problem in (("", "no texts"), ('{"prompt": "x"}', "line 1"), ("\n[1]", "line 2"), ("{", "line 1")):
        b.write_text(text)
        with pytest.raises(UserError, match=problem):
            texts_of(b)
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="already exists"):
        make_sheets([a], tmp_path / "out", **{**options, "kind": "ratings"})
