"""Damaged texts: what each noise does, that draws repeat, and that test mistakes are of the other half of the list."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from langwright.data.damage import PIECE, damaged, damaged_rows, half_of, read_mistakes
from langwright.data.damage_settings import DamageSettings, Dropped, Listed, Masked, Mistyped, Noise, Shuffled
from langwright.data.dataset import Dataset, DatasetWriter, open_dataset
from langwright.data.schemas import TextRow
from langwright.errors import UserError

ENGLISH = "The quick brown fox jumps over the lazy dog near the old river."
CHINESE = "他昨天在学校图书馆看了一本很有意思的书。"


def numbers(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
@pytest.mark.parametrize("noise", [Mistyped(share=0.2), Dropped(share=0.3), Masked(), Shuffled(share=0.9)])
def test_each_noise_damages_and_repeats(text: str, noise: Noise) -> None:
    made = [damaged(text, (noise,), {}, numbers(seed)) for seed in range(5)]
    assert made == [damaged(text, (noise,), {}, numbers(seed)) for seed in range(5)]
    assert any(one != text for one in made)
    assert len(set(made)) > 1


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_what_each_noise_keeps(text: str) -> None:
    for seed in range(10):
        mixed = damaged(text, (Shuffled(share=0.9),), {}, numbers(seed))
        assert Counter(PIECE.findall(mixed)) == Counter(PIECE.findall(text))
        covered = damaged(text, (Masked(sign="_"),), {}, numbers(seed))
        assert 1 <= covered.count("_") < len(PIECE.findall(text))
        left = damaged(text, (Dropped(),), {}, numbers(seed))
        assert not Counter(PIECE.findall(left)) - Counter(PIECE.findall(text))


def test_listed_mistakes_keep_capitals() -> None:
    made = damaged("The river and the dog", (Listed(share=1.0),), {"the": ["teh"], "river": ["rivver"]}, numbers())
    assert made == "Teh rivver and teh dog"


def test_a_list_is_read_and_a_bad_line_named(tmp_path: Path) -> None:
    (tmp_path / "list.txt.gz").write_bytes(gzip.compress(b"teh->the\nalot->a lot, allot\n\nhte->the\n"))
    assert read_mistakes([tmp_path / "list.txt.gz"]) == {"the": ["teh", "hte"], "a lot": ["alot"]}
    (tmp_path / "bad.txt").write_text("teh the\n")
    with pytest.raises(UserError, match="line 1"):
        read_mistakes([tmp_path / "bad.txt"])


def made_dataset(folder: Path) -> Dataset:
    """Sentences in three splits."""
    words = [f"word{number}" for number in range(60)]
    with DatasetWriter(folder, "text") as writer:
        for split in ("train", "validation", "test"):
            for start in range(0, 60, 6):
                writer.write(TextRow(id=f"{split}{start}", text=" ".join(words[start : start + 6]) + "."), split)
        writer.close()
    return open_dataset(folder)


@pytest.mark.spec(
    "AP23", "texts are damaged by mistakes, gaps and disorder, and the test split by other mistakes than the rest"
)
def test_test_rows_have_mistakes_of_the_other_half(tmp_path: Path) -> None:
    dataset = made_dataset(tmp_path / "data")
    listed = {f"word{number}": [f"wrod{number}"] for number in range(60)}
    rows = list(damaged_rows(dataset, DamageSettings(noises=(Listed(share=1.0),), untouched=0.2), listed))
    assert {split for _, split in rows} == {"train", "validation", "test"}
    seen: dict[str, set[int]] = {"train": set(), "validation": set(), "test": set()}
    for row, split in rows:
        for wrong, right in zip(row.text.split(), row.correction.split(), strict=True):
            if wrong != right:
                seen[split].add(half_of(right.strip(".")))
    assert seen == {"train": {0}, "validation": {0}, "test": {1}}
    again = list(damaged_rows(dataset, DamageSettings(noises=(Listed(share=1.0),), untouched=0.2), listed))
    assert again == rows
    other = list(damaged_rows(dataset, DamageSettings(noises=(Listed(share=1.0),), untouched=0.2, seed=1), listed))
    assert other != rows


def test_listed_mistakes_need_a_list(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none was given"):
        list(damaged_rows(made_dataset(tmp_path / "data"), DamageSettings(noises=(Listed(),)), {}))
