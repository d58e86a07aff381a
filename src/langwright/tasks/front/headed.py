"""Models with a trained head, asked directly: labels and numbers of texts and pairs, choices, tags, answers.

Shapes    B rows    T positions    C labels    U judged tokens    L layers
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from langwright.artifacts import Ability, read_card
from langwright.data.encoder import Encoded, Encoder, Place, Window
from langwright.data.hints import hints_from
from langwright.data.schemas import Span
from langwright.data.tags import LAYER, OUTSIDE
from langwright.data.word_tags import untagged
from langwright.errors import UserError
from langwright.inference.precision import Numbers
from langwright.inference.scoring.embedding import Embedded, Pooling, embed_texts
from langwright.measures import Calibration
from langwright.models.task_heads import ENDINGS, OF_TASK
from langwright.tasks.solving.telling import counted

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from langwright.inference.reading.ready import Ready
    from langwright.objectives.texts import TextBatch

Floats = NDArray[np.float32]
Said = Sequence[str] | Sequence[tuple[str, str]] | Sequence[Encoded]
LONGEST_ANSWER = 48  # tokens


@dataclass(frozen=True)
class Found:
    """An answer that stands in a passage.

    text   "" where the passage does not say
    start  its first character; -1 where it does not say
    score  how much likelier it is than no answer, in logits
    """

    text: str
    start: int
    score: float


@dataclass(frozen=True)
class Headed:
    """A model with a head, and its tokenizer as in training.

    name    what it is called in messages
    taught  names of the tasks that its head was trained for; several where a folder does not say which
    calibration  how its scores become confidences, where that was fitted
    ready   how the model was made ready for many texts; None of one that computes as it came
    """

    model: PreTrainedModel
    encoder: Encoder
    name: str = ""
    taught: tuple[str, ...] = ()
    calibration: Calibration | None = None
    ready: Ready | None = None

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(str(self.model.config.id2label[place]) for place in range(self.model.config.num_labels))

    @property
    def several(self) -> bool:
        """Whether a text may have several labels, or none."""
        return bool(self.model.config.problem_type == "multi_label_classification")

    @property
    def thresholds(self) -> dict[str, float]:
        """The probability from which each label is given, where a text may have several: chosen on held-out rows, else one half."""
        chosen = getattr(self.model.config, "thresholds", None) or {}
        return {label: float(chosen.get(label, 0.5)) for label in self.labels}

    @property
    def one_by_one(self) -> bool:
        """Whether each text has to be read by itself."""
        return self.ready is not None and self.ready.alone

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """What cuts texts into tokens."""
        return self.encoder.tokenizer

    def rows(self, said: Said) -> list[Encoded]:
        """Texts and pairs as the model is given them; what is too long for it is cut. Rows stay as they are."""
        if all(isinstance(one, Encoded) for one in said):
            return list(said)  # type: ignore[arg-type]
        if all(isinstance(one, str) for one in said):
            return self.encoder.texts(said)  # type: ignore[arg-type]
        return self.encoder.pairs(said)  # type: ignore[arg-type]

    def embed(
        self, texts: Sequence[str], *, pooling: Pooling = "mean", normalise: bool = False, truncate: bool = False
    ) -> Embedded:
        """One vector a text from its last hidden states; see `embedding.embed_texts`."""
        return embed_texts(
            self.model,
            self.tokenizer,
            texts,
            self.encoder.length,
            pooling=pooling,
            normalise=normalise,
            truncate=truncate,
            alone=self.one_by_one,
        )

    def batches(self, rows: Sequence[Encoded], max_batch: int) -> Iterator[tuple[list[int], TextBatch]]:
        """(row numbers, those rows), rows of like length together.

        raises  UserError for a row without tokens
        """
        from langwright.objectives.texts import TextBatch, laid, padded

        for places in counted(list(by_length(with_tokens(rows), 1 if self.one_by_one else max_batch))):
            some = [rows[place] for place in places]
            tokens_BT, mask_BT = padded([row.ids for row in some], self.encoder.pad_id)
            types_BT = padded([row.types for row in some], 0)[0] if self.encoder.told else None
            terms = [row.terms for row in some if row.terms is not None]
            yield places, TextBatch(tokens_BT, mask_BT, types_BT=types_BT, terms=laid(terms) if terms else None)

    def probabilities(self, texts: Said, max_batch: int = 32) -> Floats:
        """Of each label, (B, C): of one among all, or of each by itself where a text may have several."""
        logits_BC = self.logits(texts, max_batch)
        if self.several:
            each_BC: Floats = (1 / (1 + np.exp(-logits_BC))).astype(np.float32)
            return each_BC
        return softmax(logits_BC / (self.calibration.temperature if self.calibration else 1.0))

    def of_parts(self, text: str, max_batch: int = 32) -> Floats:
        """Of each label, (C,): the mean over parts of whole sentences that are short enough, each counted by its length."""
        from langwright.data.passages import chunks

        def size(part: str) -> int:
            return len(self.tokenizer(part, verbose=False)["input_ids"])

        parts = chunks(text, self.encoder.length, measure=size)
        rows_PC = self.probabilities([text[one.start : one.end] for one in parts], max_batch)
        found_C: Floats = np.average(rows_PC, axis=0, weights=[one.new for one in parts]).astype(np.float32)
        return found_C

    def given(self, texts: Said, max_batch: int = 32) -> list[tuple[str, ...]]:
        """The labels of each text: the likeliest, or every one from its threshold on."""
        rows = self.probabilities(texts, max_batch)
        if not self.several:
            return [(self.labels[int(row.argmax())],) for row in rows]
        cuts = self.thresholds
        return [tuple(label for label, p in zip(self.labels, row, strict=True) if p >= cuts[label]) for row in rows]

    def values(self, texts: Said, max_batch: int = 32) -> list[float]:
        """The number of each text, from a head for one."""
        return [float(value) for value in self.logits(texts, max_batch)[:, 0]]

    def says_most(self, texts: Sequence[str], max_batch: int = 64) -> list[tuple[int, int]]:
        """Start and end of the sentence or clause of each text that a head for summaries rates highest."""
        from langwright.tasks.extraction.pieces import candidates

        places = [candidates(text) for text in texts]
        values = iter(
            self.values([text[a:b] for text, some in zip(texts, places, strict=True) for a, b in some], max_batch)
        )
        return [max(some, key=lambda place: next(values)) for some in places]

    def logits(self, texts: Said, max_batch: int) -> Floats:
        """Shape (B, C), in the order given."""
        rows = self.rows(texts)
        found_BC = np.zeros((len(rows), self.model.config.num_labels), dtype=np.float32)
        for places, said in self.read(rows, max_batch):
            found_BC[places] = said.logits.float().cpu().numpy()
        return found_BC

    def choose(self, questions: Sequence[tuple[str, Sequence[str]]], max_batch: int = 32) -> list[int]:
        """Which of its answers each question's is, from 0. A context stands before its question."""
        return [int(shares.argmax()) for shares in self.choice_probabilities(questions, max_batch)]

    def choice_probabilities(self, questions: Sequence[tuple[str, Sequence[str]]], max_batch: int = 32) -> list[Floats]:
        """Of each of a question's answers, one array a question."""
        from langwright.models.parity import is_nested

        rows = [self.encoder.pair(question, one) for question, choices in questions for one in choices]
        scores = np.zeros(len(rows), dtype=np.float32)
        nested = is_nested(self.model)
        for places, said in self.read(rows, max_batch, nested=nested):
            scores[places] = said.logits.float().squeeze(-1).cpu().numpy()
        ends = np.cumsum([len(choices) for _, choices in questions])
        return [softmax(part[None])[0] for part in np.split(scores, ends[:-1])]

    def tag(self, texts: Sequence[str], max_batch: int = 32) -> list[list[Span]]:
        """The spans of each text, in order; of several labels, where they were taught in layers, they may overlap."""
        cut = self.encoder.all_words(texts)
        outputs = self.model.config.num_labels
        scores = [np.zeros((len(places), outputs), dtype=np.float32) for places, _, _ in cut]  # (T, C) each
        asked = [(number, window) for number, (_, _, made) in enumerate(cut) for window in made]
        for places, said in self.read([window.row for _, window in asked], max_batch):
            for place, logits_TC in zip(places, said.logits.float().cpu().numpy(), strict=True):
                number, window = asked[place]
                first, last = window.owned
                shift = window.offset - window.first
                scores[number][first:last] = logits_TC[first + shift : last + shift]
        return [
            self.spans(text, where, judged, known_TC[judged])
            for text, (where, judged, _), known_TC in zip(texts, cut, scores, strict=True)
        ]

    def spans(self, text: str, places: list[Place], judged: list[int], scores_UC: Floats) -> list[Span]:
        """What the scores of judged tokens say of a text."""
        import torch

        from langwright.models.chain import chain_of
        from langwright.models.loading import tags_of

        if not judged:
            return []
        kind = tags_of(self.model.config)
        if kind == "nested":
            best_UL = scores_UC.reshape(len(scores_UC), -1, len(LAYER)).argmax(-1)
            names = [name.partition("-")[2] for name in self.labels[:: len(LAYER)]]
            layers = [
                [OUTSIDE if not number else f"{LAYER[number]}-{label}" for number in best_UL[:, layer].tolist()]
                for layer, label in enumerate(names)
            ]
        else:
            best = (
                chain_of(self.model).best(torch.from_numpy(scores_UC))
                if kind == "crf"
                else scores_UC.argmax(-1).tolist()
            )
            layers = [[self.labels[number] for number in best]]
        found = [span for tags in layers for span in untagged(text, places, judged, tags)]
        return sorted(found, key=lambda span: (span.start, -span.end, span.label))

    def answer(self, asked: Sequence[tuple[str, str]], max_batch: int = 16) -> list[Found]:
        """The answer to each (question, context) that stands in its context."""
        cut = [self.encoder.passage(question, context) for question, context in asked]
        windows = [(number, window) for number, (_, made) in enumerate(cut) for window in made]
        best: list[tuple[float, int, int]] = [(-np.inf, 0, 0)] * len(asked)  # score, first and last token
        nothing = [np.inf] * len(asked)
        for places, said in self.read([window.row for _, window in windows], max_batch):
            starts_BT, ends_BT = (logits.float().cpu().numpy() for logits in (said.start_logits, said.end_logits))
            for place, starts_T, ends_T in zip(places, starts_BT, ends_BT, strict=True):
                number, window = windows[place]
                best[number] = max(best[number], best_span(window, starts_T, ends_T))
                nothing[number] = min(nothing[number], float(starts_T[0] + ends_T[0]))
        found = []
        for (_, context), (where, _), (score, first, last), none in zip(asked, cut, best, nothing, strict=True):
            start, end = (where[first][0], where[last][1]) if where else (0, 0)
            said_it = bool(where) and score > none and start < end
            found.append(Found(context[start:end] if said_it else "", start if said_it else -1, float(score - none)))
        return found

    def read(self, rows: Sequence[Encoded], max_batch: int, *, nested: bool = False) -> Iterator[tuple[list[int], Any]]:
        """(numbers of rows, what the model says of them), rows of like length together.

        raises  UserError for a row without tokens
        """
        import torch

        from langwright.objectives.texts import TextBatch, read_by

        for places, batch in self.batches(rows, max_batch):
            if nested:
                types_BT = None if batch.types_BT is None else batch.types_BT[:, None]
                batch = TextBatch(batch.tokens_BT[:, None], batch.mask_BT[:, None], types_BT=types_BT)
            with torch.inference_mode():
                yield places, read_by(self.model, batch)


def with_tokens(rows: Sequence[Encoded]) -> Sequence[Encoded]:
    """The rows; UserError for one without tokens."""
    if any(not len(row.ids) for row in rows):
        raise UserError("there is nothing to label: the text has no tokens", fix="give a text that is not empty")
    return rows


def by_length(rows: Sequence[Encoded], max_batch: int) -> Iterator[list[int]]:
    """Numbers of rows, like lengths together: at most so many, and so few positions that little of them is padding."""
    from langwright.inference.scoring.likelihood import READ_POSITIONS, groups

    for some in groups([len(row.ids) for row in rows], READ_POSITIONS):
        yield from (some[begin : begin + max_batch] for begin in range(0, len(some), max_batch))


def softmax(logits_BC: Floats) -> Floats:
    """exp(l) / sum exp(l) along the last axis, safe for large values."""
    grown_BC = np.exp(logits_BC - logits_BC.max(-1, keepdims=True))
    shares_BC: Floats = (grown_BC / grown_BC.sum(-1, keepdims=True)).astype(np.float32)
    return shares_BC


def best_span(window: Window, starts_T: Floats, ends_T: Floats) -> tuple[float, int, int]:
    """(score, first token, last token) of the likeliest span of a window's stretch of the passage."""
    size = window.last - window.first
    if size <= 0:
        return -np.inf, 0, 0
    inside = slice(window.offset, window.offset + size)
    scores_TT = starts_T[inside, None] + ends_T[None, inside]
    allowed_TT = np.triu(np.ones((size, size), dtype=bool)) & ~np.triu(
        np.ones((size, size), dtype=bool), LONGEST_ANSWER
    )
    first, last = divmod(int(np.where(allowed_TT, scores_TT, -np.inf).argmax()), size)
    return float(scores_TT[first, last]), window.first + first, window.first + last


def open_headed(
    path: Path,
    task: str | None = None,
    head: str | None = None,
    *,
    adapter: str | None = None,
    name: str = "",
    numbers: Numbers | None = None,
) -> Headed:
    """Open a model folder with a trained head. Texts are cut where training cut them.

    task     what it was trained for; the card says, or else the model's class, where it is left out
    head     name of one of the heads that `langwright multitask` puts beside the model's own
    adapter  name of one of its adapters; the one its card names when left out
    name     what it is called in messages; the folder's name when left out
    numbers  what it computes in, made ready for many texts; as transformers computes, in float32, when left out
    raises   UserError when it has no such head
    """
    from langwright.inference.reading.ready import made_ready
    from langwright.models.adapters import named_adapter, opened
    from langwright.models.loading import load_model
    from langwright.models.shared import open_head
    from langwright.tokenizers.loading import load_tokenizer

    card = read_card(path)
    ability = ability_of(path, head)
    taught = (task,) if task else (ability.task,) if ability else taught_by_class(path)
    if not taught or lesson_of(taught[0]) not in OF_TASK:
        raise UserError(
            "it is not known what {path} was trained for",
            fix="say so with task=, one of: {choices}",
            path=path,
            choices=", ".join(OF_TASK),
        )
    one_number = ability is not None and not ability.labels
    kind = "score" if lesson_of(taught[0]) == "pair" and one_number else OF_TASK[lesson_of(taught[0])]
    model = load_model(path, head=kind) if head is None else open_head(path, head)
    chosen = adapter or (ability.adapter if ability else None)
    if chosen:
        model = opened(model, named_adapter(path, chosen))
    if model.config.num_labels == 1 and taught[0] in ("classification", "pair"):
        taught = {"pair": ("similarity",), "classification": ("regression", "similarity")}[taught[0]]
    learned = card.settings.get("length") if card else None
    encoder = encoder_for(model, load_tokenizer(path), learned if isinstance(learned, int) else None)
    ready = None if numbers is None else made_ready(model, numbers, encoder.tokenizer, encoder.length)
    return Headed(model, encoder, name or path.name, taught, ability.calibration if ability else None, ready)


def ability_of(path: Path, head: str | None = None) -> Ability | None:
    """What a model was trained for by a head, as its card says.

    head  name of one of the heads beside its own
    """
    card = read_card(path)
    abilities = [one for one in (card.abilities if card else ()) if one.head == head]
    return next((one for one in abilities if one.solver == "head" and lesson_of(one.task) in OF_TASK), None)


def taught_by_class(path: Path) -> tuple[str, ...]:
    """What a model's own class says that it was trained for; of labels of texts or of pairs alike."""
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    of_head = {ending: [task for task, of in OF_TASK.items() if of == kind] for kind, ending in ENDINGS.items()}
    of_head["ForSequenceClassification"] = ["classification", "pair"]
    return tuple(
        task
        for name in config.get("architectures") or ()
        for ending, tasks in of_head.items()
        if str(name).endswith(ending)
        for task in tasks
    )


def lesson_of(task: str) -> str:
    """How a task is taught; a task that is not declared is its own lesson."""
    from langwright.tasks import TASKS

    return TASKS[task].lesson if task in TASKS else task


def encoder_for(model: PreTrainedModel, tokenizer: Any, length: int | None) -> Encoder:
    """The encoder of a model: rows of at most `length`, its whole context when left out, with the words its head knows."""
    from langwright.models.lexical import lexical_of
    from langwright.models.task_heads import most_positions

    most = most_positions(model.config)
    told = getattr(model.config, "type_vocab_size", 0) > 1
    encoder = Encoder(tokenizer, min(most, length or most), told)
    head = lexical_of(model)
    hints = hints_from(getattr(model.config, "hints", None))
    lexicon = None if head is None else head.lexicon
    return Encoder(tokenizer, encoder.length, told and encoder.layout.types is not None, hints, lexicon)
