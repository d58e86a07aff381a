"""The front door: `langwright.load(name)` gives a model that can be asked in plain strings."""

from __future__ import annotations

from pathlib import Path

from langwright.artifacts import Artifact, open_artifact
from langwright.errors import UserError
from langwright.inference.precision import Numbers
from langwright.inference.protocol import Backend, DraftModel, Speculation, Watermark
from langwright.inference.remote.addresses import is_url
from langwright.models.stretching import Stretch
from langwright.tasks.front.backbone import open_backbone
from langwright.tasks.front.filling import open_filler
from langwright.tasks.front.finding import find_model, has_class, is_bare
from langwright.tasks.front.headed import open_headed, taught_by_class
from langwright.tasks.front.model import Model
from langwright.workspace import Workspace

__all__ = ["Model", "load"]


def load(
    name: str | Path,
    *,
    max_batch: int = 8,
    workspace: Workspace | None = None,
    adapter: str | None = None,
    head: str | None = None,
    watermark: Watermark | None = None,
    numbers: Numbers = Numbers(),
    backend: Backend = "langwright",
    speculation: Speculation | None = None,
    stretch: Stretch | None = None,
) -> Model:
    """Open a model: an artifact, a local Hugging Face folder, a workspace name, `hf:owner/name`, or a server's URL.

    max_batch  how many texts are continued at the same time
    adapter    name of one of the model's adapters; the one its card names for the task when left out
    head       name of one of the heads that `langwright multitask` puts beside the model's own
    watermark  left in all that it writes; see langwright.inference.watermark.keys
    numbers    what it computes in; a head is tried at once, and stays in float32 where it would say something else
    backend    vllm starts `vllm serve` for a model that writes, and ends it with the model
    speculation  guess several tokens at a time, by lookup or by a smaller model; what is drawn keeps its distribution
    stretch    gives a model that writes a longer context than it was trained with, by scaling its positions
    raises     UserError when there is no model of that name, or it cannot be opened
    """
    if is_url(name):
        from langwright.inference.remote.model import open_remote
        from langwright.inference.remote.wire import not_offered

        if watermark is not None:
            raise not_offered(str(name), "mark what it writes")
        if speculation is not None:
            raise not_offered(str(name), "guess tokens")
        if stretch is not None:
            raise not_offered(str(name), "stretch positions")
        if backend != "langwright":
            raise UserError("{name} is a server, which computes by itself", fix="leave --backend out", name=str(name))
        return Model(str(name), None, text=open_remote(str(name)))
    artifact = open_artifact(find_model(name, workspace), "model")
    if stretch is not None and not writes(artifact, head):
        raise UserError(
            "{name} does not write, and only models that do are stretched", fix="leave --stretch out", name=str(name)
        )
    if head is not None or taught_by_class(artifact.path):
        headed = open_headed(artifact.path, head=head, adapter=adapter, name=str(name), numbers=numbers)
        return Model(str(name), artifact, headed=headed)
    if has_class(artifact, "ForMaskedLM", "BertForPreTraining"):
        return Model(str(name), artifact, filler=open_filler(artifact.path, numbers))
    if is_bare(artifact):
        return Model(str(name), artifact, backbone=open_backbone(artifact.path, numbers))
    from langwright.inference.opening import open_served, open_text_model

    if backend == "vllm":
        if adapter is not None or numbers != Numbers() or speculation is not None or stretch is not None:
            raise with_vllm()
        log = (workspace or Workspace()).cache / "vllm" / f"{artifact.path.resolve().name}.log"
        return Model(str(name), artifact, text=open_served(artifact.path, log, watermark))
    draft = find_model(speculation.model, workspace) if isinstance(speculation, DraftModel) else None
    text = open_text_model(
        artifact.path, max_batch=max_batch, adapter=adapter, numbers=numbers, speculation=speculation, draft=draft,
        stretch=stretch,
    )  # fmt: skip
    text.watermark = watermark
    return Model(str(name), artifact, text=text)


def writes(artifact: Artifact, head: str | None) -> bool:
    """Whether a model is opened as one that writes."""
    reads = head is not None or taught_by_class(artifact.path) or is_bare(artifact)
    return not reads and not has_class(artifact, "ForMaskedLM", "BertForPreTraining")


def with_vllm() -> UserError:
    """What is said of options that are ours alone."""
    return UserError(
        "adapters, numbers and strictness are chosen for our own engine, not for vLLM",
        fix="leave --backend out, or pass vLLM its own options where it is started by hand and asked by its URL",
    )
