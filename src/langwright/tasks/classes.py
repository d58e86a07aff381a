"""What kind of model a folder holds, by the class its config names."""

from __future__ import annotations

import json

from langwright.artifacts import Artifact


def has_class(artifact: Artifact, *endings: str) -> bool:
    """Whether the name of a model's own class ends so."""
    config = json.loads((artifact.path / "config.json").read_text(encoding="utf-8"))
    return any(str(name).endswith(endings) for name in config.get("architectures") or ())


def is_bare(artifact: Artifact) -> bool:
    """Whether a model's own class is one without a head, such as BertModel."""
    return has_class(artifact, "Model") and not has_class(artifact, "LMHeadModel", "HeadsModel")
