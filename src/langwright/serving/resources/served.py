"""Models that are served: loaded and unloaded while the server runs, each with its tier, memory, digest and lineage.

A model that is unloaded is not found by new requests at once. Those that are open have some seconds to end by
themselves; then they end with an error that says so, and the memory is given back.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from langwright.artifacts import Artifact, Origin, open_artifact
from langwright.errors import UserError, unknown
from langwright.inference.protocol import Tiered
from langwright.inference.texts.text import TextModel
from langwright.serving.complaints import ApiError
from langwright.serving.jobs.keeping import Jobs
from langwright.serving.resources.names import may_exist
from langwright.serving.streaming import Desk
from langwright.tasks.front.model import Model

MAX_BATCH = 8  # of a model that takes the place of another
ROOM = 1.2  # times the bytes of its weights must be free before a model is loaded


@dataclass
class Facts:
    """What is asked of the disk once."""

    digest: str | None
    weights: int  # bytes, on disk
    inputs: tuple[Origin, ...] = ()


@dataclass
class Served:
    """The models of a server, by the name that requests ask for; all changes are made on its event loop.

    writers, doing  those of the house, which are changed here
    """

    writers: dict[str, TextModel]
    doing: dict[str, Model]
    desk: Desk
    jobs: Jobs
    loaded: dict[str, Model] = field(default_factory=dict)  # by this server, which closes them
    _facts: dict[int, Facts] = field(default_factory=dict)
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)  # at a time

    # --- looking -------------------------------------------------------------------------------

    def find(self, name: str) -> Model:
        """A model by name; ApiError 404 when it is not served."""
        if name not in self.doing:
            raise ApiError(unknown("model", name, self.doing), status=404, param="name")
        return self.doing[name]

    def refuse_served(self, folder: Path) -> None:
        """ApiError 409 when a model that is served lies here."""
        for name, model in self.doing.items():
            if model.artifact is not None and model.artifact.path.resolve() == folder.resolve():
                raise ApiError(
                    UserError("{name} is served", fix="unload it first", name=name), status=409, param="name"
                )  # fmt: skip

    def facts(self, model: Model) -> Facts:
        """Digest, size and lineage of a model. Blocks at the first time."""
        if id(model) not in self._facts:
            self._facts[id(model)] = facts_of(model.artifact)
        return self._facts[id(model)]

    # --- changing ------------------------------------------------------------------------------

    async def load(self, name: str, max_batch: int) -> Model:
        """Serve a run that is a model.

        raises  ApiError 404 for no such run, 409 for one that is served, 507 when memory has no room; UserError when it
                cannot be opened
        """
        async with self._one:
            if name in self.doing:
                raise ApiError(
                    UserError("{name} is served already", fix="unload it first, to load it anew", name=name),
                    status=409,
                    param="name",
                )
            folder = await asyncio.to_thread(self.folder_of, name)
            model = await self.desk.aside(opened, folder, name, max_batch)
            self.doing[name] = self.loaded[name] = model
            if isinstance(model.text, TextModel):
                self.writers[name] = model.text
            return model

    async def unload(self, name: str, wait_s: float) -> tuple[int, int]:
        """Serve a model no more; (answers that ended by themselves, answers that were ended).

        raises  ApiError 404 when it is not served, 409 when it is the last one
        """
        async with self._one:
            model = self.find(name)
            mine = [other for other in self.doing if other == name or self.is_twin(other, name)]
            if len(mine) == len(self.doing):
                raise ApiError(
                    UserError("{name} is the only model that is served", fix="load another one first", name=name),
                    status=409, param="name",
                )  # fmt: skip
            texts = [self.writers[one] for one in mine if one in self.writers]
            for one in mine:
                del self.doing[one]
                self.writers.pop(one, None)
            ended = await self.desk.let_go(texts, wait_s)
            is_adapter = name.rpartition(":")[0] in self.doing  # its model stays
            await asyncio.to_thread(forget_adapter if is_adapter else Model.close, model)
            self.loaded.pop(name, None)
            self._facts.pop(id(model), None)
            return ended

    async def exchange(self, name: str, folder: Path, wait_s: float) -> Model:
        """Have a name lead to another model, opened beside the old one, with which open answers end; closes the old one.

        raises  ApiError 404 for a name that is not served, 409 for one with adapters, 400 for a model of another kind,
                507 when memory has no room for both; UserError when it cannot be opened
        """
        async with self._one:
            old = self.find(name)
            if ":" in name or any(self.is_twin(other, name) for other in self.doing):
                raise ApiError(
                    UserError("{name} is served with adapters beside it", fix="unload those first", name=name),
                    status=409, param="name",
                )  # fmt: skip
            model = await self.desk.aside(opened, folder, name, MAX_BATCH)
            if isinstance(old.text, TextModel) != isinstance(model.text, TextModel):
                await asyncio.to_thread(model.close)
                raise ApiError(
                    UserError(
                        "one of {name} and {other} writes, and the other does not", fix="take a model of the same kind",
                        name=name, other=folder.name,
                    ), param="run",
                )  # fmt: skip
            self.doing[name] = self.loaded[name] = model
            if isinstance(model.text, TextModel):
                self.writers[name] = model.text
            if isinstance(old.text, TextModel):
                await self.desk.let_go([old.text], wait_s)
            await asyncio.to_thread(old.close)
            self._facts.pop(id(old), None)
            return model

    async def add_adapter(self, name: str, adapter: str, run: str | None) -> Model:
        """Serve a model with one of its adapters beside it, as `NAME:ADAPTER`.

        run     where the adapter lies, when that is not the model itself
        raises  ApiError 404 for a model, run or adapter that is not there, 409 when it is served
        """
        async with self._one:
            model = self.find(name)
            called = f"{name}:{adapter}"
            if called in self.doing:
                raise ApiError(
                    UserError("{name} is served already", fix="unload it first, to load it anew", name=called),
                    status=409,
                    param="adapter",
                )
            found = await asyncio.to_thread(self.adapter_folder, model, adapter, run)
            twin = await self.desk.aside(with_adapter, model, adapter, found)
            self.doing[called] = Model(called, model.artifact, text=twin)
            self.writers[called] = twin
            return self.doing[called]

    def folder_of(self, name: str) -> Path:
        """Where a model of the workspace lies, made here or not; ApiError 404 when there is none, 409 unless it is whole."""
        folder = self.jobs.workspace.runs_folder / name
        if may_exist(name) and (folder / "config.json").is_file():
            return folder
        known = [*folder.parent.glob("*/config.json")] if may_exist(name) else []
        run = next((run for run in self.jobs.workspace.runs() if run.name == name), None)
        if run is None:
            raise ApiError(unknown("model", name, [file.parent.name for file in known]), status=404, param="name")
        self.jobs.refuse_unless(run, "finished")
        return run.out

    def adapter_folder(self, model: Model, adapter: str, run: str | None) -> Path:
        """Where an adapter lies; ApiError 404 when it does not."""
        from langwright.models.adapters import named_adapter

        if run is not None:
            found = self.jobs.find(run)
            self.jobs.refuse_unless(found, "finished")
            folder = found.out
        elif model.artifact is not None:
            folder = model.artifact.path
        else:
            raise ApiError(unknown("adapter", adapter, ()), status=404, param="adapter")
        known = [item.name for item in (folder / "adapters").glob("*") if item.is_dir()]
        if adapter not in known:
            raise ApiError(unknown("adapter", adapter, known), status=404, param="adapter")
        return named_adapter(folder, adapter)

    def is_twin(self, other: str, name: str) -> bool:
        """Whether a model is another one with an adapter."""
        return other.startswith(f"{name}:")

    def close(self) -> None:
        """Close what was loaded here."""
        for model in self.loaded.values():
            model.close()


def facts_of(artifact: Artifact | None) -> Facts:
    """What a model's folder says; nothing for a model that has none."""
    if artifact is None:
        return Facts(None, 0)
    return Facts(artifact.digest, weights_of(artifact.path), artifact.card.inputs if artifact.card else ())


def weights_of(folder: Path) -> int:
    """Bytes of a model's weights."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def opened(folder: Path, name: str, max_batch: int) -> Model:
    """A model, opened as it is served; ApiError 507 when memory has no room for it."""
    import psutil

    from langwright.tasks.front.loading import load

    open_artifact(folder, "model")
    needed, free = int(weights_of(folder) * ROOM), psutil.virtual_memory().available
    if needed > free:
        raise ApiError(
            UserError(
                "{name} needs about {needed} MB of memory, and {free} MB are free", fix="unload another model first",
                name=name, needed=needed >> 20, free=free >> 20,
            ), status=507,
        )  # fmt: skip
    model = load(folder, max_batch=max_batch)
    model.name = name
    if isinstance(model.text, TextModel):
        model.text.name = name
    return model


def with_adapter(model: Model, adapter: str, folder: Path) -> TextModel:
    """The model once more, writing with an adapter; UserError when it does not write, or cannot take it."""
    base = model.local("serve")
    if base.adapter is not None or not hasattr(base.engine, "load_adapter"):
        raise UserError(
            "{name} takes no adapter beside it",
            fix="load the plain model, and the adapter beside that",
            name=model.name,
        )
    base.engine.load_adapter(adapter, folder)
    twin = base.with_adapter(adapter)
    twin.name = f"{base.name}:{adapter}"
    return twin


def forget_adapter(model: Model) -> None:
    """Have an adapter's weights at hand no more."""
    text = model.local("serve")
    if text.adapter is not None:
        text.engine.unload_adapter(text.adapter)  # type: ignore[attr-defined]


def tier_of(model: Model) -> tuple[str, str]:
    """(how its requests run, why not in a better way); both empty where that is not ours to know."""
    engine = getattr(model.text, "engine", None)
    return engine.way() if isinstance(engine, Tiered) else ("", "")
