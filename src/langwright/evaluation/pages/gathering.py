"""What a report reads of artifacts: cards, events, drops, measures, details. Nothing else is opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from langwright.artifacts import Artifact, Card, Origin, open_artifact, read_card
from langwright.data.cleaning import Drops
from langwright.errors import UserError
from langwright.evaluation.experiments.trials import Trials, read_trials
from langwright.evaluation.measuring.findings import Details, read_details
from langwright.measures import Measure, read_report
from langwright.runlog import Event, read_events


@dataclass(frozen=True)
class Opened:
    """One artifact as a report sees it."""

    path: Path
    card: Card
    digest: str
    events: tuple[Event, ...]
    drops: Drops | None
    measures: tuple[Measure, ...]  # of its report.json, else of its card
    details: Details | None
    trials: Trials | None = None  # where it is a search

    @property
    def name(self) -> str:
        """What it is called: the name of its folder."""
        return self.path.resolve().name

    def measure(self, name: str) -> Measure | None:
        """One of its measures."""
        return next((m for m in self.measures if m.name == name), None)

    def origins(self) -> Iterator[Origin]:
        """Everything it was made from, however far back."""
        return descend(self.card.inputs)


def descend(origins: Iterable[Origin]) -> Iterator[Origin]:
    """Origins and their own origins."""
    for origin in origins:
        yield origin
        yield from descend(origin.inputs)


def gather(artifacts: Sequence[Artifact], *, follow: bool = True) -> list[Opened]:
    """The artifacts, and with `follow` all that they were made from and that still lies unchanged where it was.

    returns  in the order in which they were made
    raises   UserError for an artifact without a card, or with files that cannot be read
    """
    found: dict[str, Opened] = {}
    for artifact in artifacts:
        opened = look_at(artifact)
        found.setdefault(opened.digest, opened)
        for origin in opened.origins() if follow else ():
            if origin.kind != "source" and origin.digest not in found and (lying := still_there(origin)) is not None:
                found[origin.digest] = lying
    return sorted(found.values(), key=lambda opened: (opened.card.made_at, len(list(opened.origins()))))


def look_at(artifact: Artifact) -> Opened:
    """Read what a report needs of one artifact."""
    path, card = artifact.path, artifact.card
    if card is None:
        raise UserError(
            "{path} has no card that says how it was made, so there is nothing to report on",
            fix="name artifacts that langwright made; what was measured on such a model has one",
            path=path,
        )
    is_report = (path / "report.json").is_file()
    return Opened(
        path=path,
        card=card,
        digest=artifact.digest,
        events=tuple(read_events(path / "run" / "events.jsonl")),
        drops=read_drops(path / "drops.json"),
        measures=read_report(path / "report.json").measures if is_report else card.results,
        details=read_details(path / "details.json") if (path / "details.json").is_file() else None,
        trials=read_trials(path / "trials.json") if (path / "trials.json").is_file() else None,
    )


def still_there(origin: Origin) -> Opened | None:
    """The artifact of an origin, if it lies where it was and is still the same."""
    path = Path(origin.path)
    if not path.is_dir() or read_card(path) is None:
        return None
    try:
        artifact = open_artifact(path)
    except UserError:
        return None  # moved, unfinished or damaged since: the report does without it, its origin is still shown
    return look_at(artifact) if artifact.digest == origin.digest else None


def read_drops(file: Path) -> Drops | None:
    """What was dropped, with examples; None where there is no such file."""
    if not file.is_file():
        return None
    try:
        return Drops.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            "{path} is not a list of drops this version can read: {error}",
            fix="make the dataset again with `langwright data clean`",
            path=file,
            error=str(error).splitlines()[0],
        ) from None
