"""Where a model lies, and what its own class is, before any of it is opened."""

from __future__ import annotations

import json
from pathlib import Path

from langwright.artifacts import Artifact
from langwright.workspace import Workspace


def find_model(name: str | Path, workspace: Workspace | None = None) -> Path:
    """Where a model lies: a folder, the name of a run, or a model of the Hub, fetched only if the name says so.

    raises  UserError when there is none
    """
    workspace = workspace or Workspace()
    if workspace.names_remote(name):
        from langwright.models.loading import locate

        return locate(str(name))
    return workspace.path(name)


def has_class(artifact: Artifact, *endings: str) -> bool:
    """Whether the name of a model's own class ends so."""
    config = json.loads((artifact.path / "config.json").read_text(encoding="utf-8"))
    return any(str(name).endswith(endings) for name in config.get("architectures") or ())


def is_bare(artifact: Artifact) -> bool:
    """Whether a model's own class is one without a head, such as BertModel."""
    return has_class(artifact, "Model") and not has_class(artifact, "LMHeadModel", "HeadsModel")
