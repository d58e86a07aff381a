"""Whether what is asked of a model has changed: lengths, scripts, unknown tokens, and the model's vectors of the texts.

Requests are looked at in windows that do not overlap, each once, against a reference that does not move: texts of a
data set, or the first requests. Each property has its test (metrics/shift.py); a window is called changed in a property
where p is below the stated share of false alarms divided by the number of properties (Bonferroni), so that of windows in
which nothing changed at most that share is called changed in anything, over references and windows. Of a text its
numbers are kept, never the text.

Source   Rabanser, Günnemann & Lipton 2019, arXiv:1810.11953, section 3.2 (a test a dimension with Bonferroni; MMD)
Differs  the properties are ones that a person can act on, in the place of dimensions of a classifier
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langwright.data.scripts import letters_by_script
from langwright.inference.texts.text import TextModel
from langwright.metrics.shift import Shift, discrepancy, pearson, smirnov, stability_index, tallies, tenths
from langwright.serving.monitoring.settings import DriftSettings
from langwright.tasks.front.doubts import tokenizer_of
from langwright.tasks.front.model import Model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHARACTERS = 4000  # of a text whose script is told
VECTORS = 200  # texts of the reference, and of a window, whose vectors are compared
Prompt = str | Sequence[int]


@dataclass(frozen=True)
class Facts:
    """What is kept of one text.

    unknown  share of its tokens that the vocabulary lacks; None where a vocabulary lacks nothing
    script   the one most of its letters are of; "" for a text without letters
    """

    tokens: int
    unknown: float | None
    script: str


@dataclass(frozen=True)
class Finding:
    """One property of a window beside the reference.

    statistic  Smirnov's distance, Pearson's chi-square or the squared discrepancy
    index      population stability index, where there are classes
    """

    property: str
    test: str
    statistic: float
    p: float
    index: float | None
    changed: bool


@dataclass(frozen=True)
class Looked:
    """What came of one window."""

    time: float
    requests: int
    findings: tuple[Finding, ...]

    @property
    def changed(self) -> tuple[str, ...]:
        """The properties that changed."""
        return tuple(finding.property for finding in self.findings if finding.changed)


@dataclass
class Stream:
    """What is asked of one model.

    reference  facts of the texts that others are compared with, and vectors of some of them
    prompts    of the window that is being filled; let go of as soon as it was looked at
    """

    reference: list[Facts] = field(default_factory=list)
    vectors: NDArray[np.float64] | None = None
    prompts: list[Prompt] = field(default_factory=list)
    looks: int = 0
    last: Looked | None = None
    rested: float = 0.0  # when the last window was full, by the monotonic clock


class Drift:
    """What is asked of the models of a server.

    model_of  a model by the name that requests ask for; None for one that is not served any more
    """

    def __init__(self, settings: DriftSettings, model_of: Callable[[str], Model | None]) -> None:
        self.settings, self.model_of = settings, model_of
        self.streams: dict[str, Stream] = {}
        self._lock = threading.Lock()

    def saw(self, name: str, prompt: Prompt) -> None:
        """A model is asked something. Costs next to nothing: windows are looked at later, elsewhere."""
        if not self.settings.window:
            return
        with self._lock:
            stream = self.streams.setdefault(name, Stream())
            if len(stream.prompts) < self.wanted(stream):
                stream.prompts.append(prompt)

    def wanted(self, stream: Stream) -> int:
        """Requests that are gathered before they are looked at."""
        return self.settings.window if stream.reference else self.settings.reference

    def begin(self, name: str, texts: Sequence[str]) -> None:
        """Take texts as the reference of a model, in the place of its first requests. Blocks."""
        model = self.model_of(name)
        if model is not None and len(texts) > 1:
            stream = Stream()
            self.refer(stream, model, texts)
            with self._lock:
                self.streams[name] = stream

    def look(self, now: float, time: float) -> list[tuple[str, Looked]]:
        """Look at the windows that are full, a model at a time. Blocks.

        now, time  seconds of the monotonic clock, and since 1970
        """
        found = []
        for name, stream in list(self.streams.items()):
            model = self.model_of(name)
            if model is None:
                del self.streams[name]
                continue
            if len(stream.prompts) < self.wanted(stream) or now - stream.rested < self.settings.pause_s * bool(
                stream.looks
            ):
                continue
            with self._lock:
                prompts, stream.prompts = stream.prompts, []
            stream.rested = now
            if not stream.reference:
                self.refer(stream, model, prompts)
                continue
            stream.looks += 1
            seed = zlib.crc32(f"{name} {stream.looks}".encode())
            stream.last = Looked(time, len(prompts), self.compare(stream, model, prompts, seed))
            found.append((name, stream.last))
        return found

    def refer(self, stream: Stream, model: Model, prompts: Sequence[Prompt]) -> None:
        """Compare with these from now on."""
        stream.vectors = vectors_of(model, prompts[:VECTORS]) if self.settings.vectors else None
        stream.reference = [facts_of(model, prompt) for prompt in prompts]

    def compare(self, stream: Stream, model: Model, prompts: Sequence[Prompt], seed: int) -> tuple[Finding, ...]:
        """A window beside the reference."""
        before, now = stream.reference, [facts_of(model, prompt) for prompt in prompts]
        lengths = [one.tokens for one in before], [one.tokens for one in now]
        scripts = [one.script for one in before], [one.script for one in now]
        found: list[tuple[str, str, Shift, float | None]] = [
            ("length", "smirnov", smirnov(*lengths, seed=seed), stability_index(*tenths(*lengths))),
            ("script", "pearson", pearson(*scripts, seed=seed), stability_index(*tallies(*scripts))),
        ]
        shares = (
            [one.unknown for one in before if one.unknown is not None],
            [one.unknown for one in now if one.unknown is not None],
        )
        if all(shares):
            found.append(("unknown", "smirnov", smirnov(*shares, seed=seed), None))
        if stream.vectors is not None and (vectors := vectors_of(model, prompts[-VECTORS:])) is not None:
            found.append(("vectors", "discrepancy", discrepancy(stream.vectors, vectors, seed=seed), None))
        limit = self.settings.false_alarms / len(found)
        return tuple(
            Finding(name, test, shift.statistic, shift.p, index, shift.p <= limit) for name, test, shift, index in found
        )

    def changed(self) -> float | None:
        """How many properties changed in the last windows of all models; None before there was one."""
        lasts = [stream.last for stream in list(self.streams.values()) if stream.last is not None]
        return float(sum(len(last.changed) for last in lasts)) if lasts else None


def facts_of(model: Model, prompt: Prompt) -> Facts:
    """The numbers of one text."""
    tokenizer = tokenizer_of(model)
    ids = ids_of(tokenizer, prompt)
    unknown = getattr(tokenizer, "unk_token_id", None)
    share = None if unknown is None else ids.count(unknown) / max(1, len(ids))
    letters = letters_by_script([text_of(model, prompt, CHARACTERS)]).most_common(1)
    return Facts(len(ids), share, letters[0][0] if letters else "")


def ids_of(tokenizer: Any, prompt: Prompt) -> list[int]:
    """A prompt as token ids; characters where a model has no tokenizer here."""
    if not isinstance(prompt, str):
        return list(prompt)
    if tokenizer is None:
        return [ord(character) for character in prompt]
    return list(tokenizer(prompt, add_special_tokens=False, verbose=False)["input_ids"])


def text_of(model: Model, prompt: Prompt, most: int) -> str:
    """A prompt as text, its first characters."""
    if isinstance(prompt, str):
        return prompt[:most]
    return model.text.alphabet.text_of(prompt[:most])[:most] if isinstance(model.text, TextModel) else ""


def vectors_of(model: Model, prompts: Sequence[Prompt]) -> NDArray[np.float64] | None:
    """The model's vectors of texts, (texts, width), those without letters or signs left out; None for a model elsewhere."""
    texts = [text for prompt in prompts if (text := text_of(model, prompt, CHARACTERS)).strip()]
    if model.remote or len(texts) < 2:
        return None
    found: NDArray[np.float64] = model.embed(texts, truncate=True).astype(float)
    return found
