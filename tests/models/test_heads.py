"""Every head on every family: new over the body's own weights, and read back as it was written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.models.families import DECODERS, FAMILIES, write_family

from langwright.errors import UserError
from langwright.models.loading import load_model, save_model

LABELS = {"classification": ("a", "b", "c"), "tagging": ("O", "B-x", "I-x")}
OUTPUTS = {"classification": 3, "score": 1, "tagging": 3, "span": 2, "choice": 1}
IDS = torch.arange(3, 19)[None]


@pytest.mark.parametrize("head", OUTPUTS)
@pytest.mark.parametrize("name", FAMILIES)
def test_every_head_on_every_family(name: str, head: str, tmp_path: Path) -> None:
    folder = write_family(name, tmp_path / "base")
    model = load_model(folder, head, LABELS.get(head, ()))  # type: ignore[arg-type]
    body = {key.partition(".")[2]: value for key, value in load_file(folder / "model.safetensors").items()}
    mine = dict(model.base_model.named_parameters())
    kept = [key for key in mine if key in body]
    assert len(kept) >= 0.8 * len(mine) and all(torch.equal(mine[key], body[key]) for key in kept)
    ids = IDS[:, None] if type(model).__name__.endswith("MultipleChoice") else IDS
    with torch.no_grad():
        said = model(input_ids=ids, attention_mask=torch.ones_like(ids))
        logits = torch.stack([said.start_logits, said.end_logits], -1) if head == "span" else said.logits
        assert logits.shape[-1] == OUTPUTS[head]
        save_model(model, None, tmp_path / "taught")
        again = load_model(tmp_path / "taught", head)(input_ids=ids, attention_mask=torch.ones_like(ids))  # type: ignore[arg-type]
    torch.testing.assert_close(again.start_logits if head == "span" else again.logits, logits[..., 0] if head == "span" else logits)  # fmt: skip


@pytest.mark.parametrize("name", DECODERS)
def test_a_body_with_a_hole_is_no_head(name: str, tmp_path: Path) -> None:
    file = write_family(name, tmp_path) / "model.safetensors"
    weights = load_file(file)
    gone = next(key for key in weights if "layers.1" in key or "h.1" in key)
    save_file({key: value for key, value in weights.items() if key != gone}, file, metadata={"format": "pt"})
    for head in ("classification", "span"):
        with pytest.raises(UserError, match="weights are missing"):
            load_model(tmp_path, head, LABELS.get(head, ()))  # type: ignore[arg-type]
