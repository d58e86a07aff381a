"""What a stage is: artifacts in, one artifact out. Declarations import neither torch nor transformers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from langwright.artifacts import Artifact, Kind, Made, Making
from langwright.runlog import RunLog
from langwright.settings import Settings
from langwright.training.together import Place

if TYPE_CHECKING:
    from langwright.training.preflight import Preflight


@dataclass(frozen=True)
class Input:
    """One input of a stage."""

    role: str
    kind: Kind | Literal["source"]  # "source": raw files or folders, given to the stage as paths
    help: str
    many: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Work:
    """What a stage's `run` is handed."""

    settings: Any  # an instance of the stage's settings model
    artifacts: Mapping[str, tuple[Artifact, ...]]
    sources: Mapping[str, tuple[Path, ...]]
    making: Making
    log: RunLog
    command: str = ""
    cache: Path | None = None  # of the workspace: what can be made again, such as token stores, shared by runs
    place: Place | None = None  # where this process stands among several that train together

    def one(self, role: str) -> Artifact:
        """The only artifact of a role."""
        return self.artifacts[role][0]

    @property
    def out(self) -> Path:
        """The directory to write into."""
        return self.making.path


@dataclass(frozen=True)
class Stage:
    """A declaration; one settings model is the command's options, the recipe, the job's body and the form."""

    name: str
    version: int  # raised when the same settings and inputs would give another output
    summary: str
    settings: type[Settings]
    inputs: tuple[Input, ...]
    makes: Kind
    run: Callable[[Work], Made]
    next: str  # template of the next command, with {out}
    options: Mapping[str, str] = field(default_factory=dict)  # short option -> dotted setting
    check: Callable[[Work], Preflight | None] | None = (
        None  # what `langwright check` shows of the inputs, without the work
    )
    changeable: tuple[
        str, ...
    ] = ()  # settings that a run which was begun may go on with others of, where that is asked for
    together: bool = False  # several processes may train it; `run` calls `fit` once and hands `Work.place` on

    @property
    def words(self) -> str:
        """Its command: its name with a blank for the first dash."""
        return self.name.replace("-", " ", 1)
