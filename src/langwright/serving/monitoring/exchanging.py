"""A served name is given another model, or the one it had before, while the server runs.

The new model is opened beside the old one; new requests get it at once, open ones end with the old one. A folder is gone
back to only where its files are those that were served.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from langwright.artifacts import open_artifact, verify
from langwright.errors import UserError
from langwright.serving.complaints import ApiError
from langwright.serving.monitoring.versions import Version, Versions, Why, stack
from langwright.serving.resources.served import Served
from langwright.tasks.front.model import Model


class Exchange:
    """Exchanges the models of a server, and keeps which folder a name led to."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.root = served.jobs.workspace.folder
        self.versions = Versions(self.root / ".langwright" / "served.jsonl")

    def note_all(self) -> None:
        """Write down what the server begins with. Blocks."""
        for name, model in list(self.served.doing.items()):
            if model.artifact is not None and ":" not in name:
                self.note(name, model, "served")

    def note(self, name: str, model: Model, why: Why) -> Version:
        """Write down what a name leads to now. Blocks."""
        assert model.artifact is not None
        folder, digest = str(model.artifact.path.resolve()), model.artifact.digest
        version = Version(time=time.time(), name=name, folder=folder, digest=digest, why=why)
        self.versions.note(version)
        return version

    async def to_run(self, name: str, run: str, wait_s: float) -> Version:
        """Have a name lead to another run of the workspace.

        raises  ApiError 404 for a name or run that is not there, 409 for a run that is not finished
        """
        found = await asyncio.to_thread(self.served.jobs.find, run)
        self.served.jobs.refuse_unless(found, "finished")
        return await self.to(name, found.out, "exchanged", wait_s)

    async def back(self, name: str, wait_s: float) -> Version:
        """Have a name lead to what it led to before.

        raises  ApiError 404 for a name that is not served, 409 when there is nothing before, or it is not as it was
        """
        self.served.find(name)
        standing = stack(await asyncio.to_thread(self.versions.of, name))
        if len(standing) < 2:
            raise ApiError(
                UserError("{name} has led to nothing else before", fix="exchange it for another run", name=name),
                status=409, param="name",
            )  # fmt: skip
        before = standing[-2]
        folder = Path(before.folder)
        if not await asyncio.to_thread(as_it_was, folder, before.digest):
            raise ApiError(
                UserError(
                    "{folder} is not any more what {name} led to before", fix="exchange it for another run", name=name,
                    folder=folder.name,
                ), status=409, param="name",
            )  # fmt: skip
        return await self.to(name, folder, "rolled back", wait_s)

    async def to(self, name: str, folder: Path, why: Why, wait_s: float) -> Version:
        """Have a name lead to a folder, and write that down."""
        model = await self.served.exchange(name, folder, wait_s)
        return await asyncio.to_thread(self.note, name, model, why)


def as_it_was(folder: Path, digest: str) -> bool:
    """Whether a folder still holds the very files of a model. Blocks: all of them are read."""
    try:
        artifact = open_artifact(folder, "model")
    except UserError:
        return False
    return artifact.digest == digest and not verify(artifact)
