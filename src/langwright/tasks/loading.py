"""The front door: `langwright.load(name)` gives a model that can be asked in plain strings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Unpack, overload

from langwright.artifacts import Artifact, open_artifact
from langwright.data.schemas import Message
from langwright.errors import UserError, unknown
from langwright.inference.addresses import is_url
from langwright.inference.precision import Numbers
from langwright.inference.protocol import Beams, DraftModel, Sampling, Search, Speculation, Watermark
from langwright.models.task_heads import OF_TASK
from langwright.tasks import SOLVERS, TASKS
from langwright.tasks.backbone import Backbone, open_backbone
from langwright.tasks.classification import ClassificationInput, ClassificationOutput, Normalise
from langwright.tasks.conversation import Conversation, as_prompt
from langwright.tasks.filling import Filled, Filler, open_filler
from langwright.tasks.finding import find_model, has_class, is_bare
from langwright.tasks.head import Classifier, open_classifier
from langwright.tasks.options import Ways, Writing, sampling_of, writing_of
from langwright.tasks.solvers import Solver
from langwright.wording import Term
from langwright.workspace import Workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from langwright.inference.embedding import Embedded, Pooling
    from langwright.inference.remote import RemoteStream, RemoteText
    from langwright.inference.text import TextModel, TextStream
    from langwright.inference.written import TextCompletion, TextScore
    from langwright.tasks.asking import AsyncModel

Backend = Literal["langwright", "vllm"]


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
) -> Model:
    """Open a model: an artifact, a local Hugging Face folder, a workspace name, `hf:owner/name`, or a server's URL.

    max_batch  how many texts are continued at the same time
    adapter    name of one of the model's adapters; the one its card names for the task when left out
    head       name of one of the heads that `langwright multitask` puts beside the model's own
    watermark  left in all that it writes; see langwright.inference.watermark.keys
    numbers    what a model that writes computes in
    backend    vllm starts `vllm serve` for a model that writes, and ends it with the model
    speculation  guess several tokens at a time, by lookup or by a smaller model; the texts stay the same
    raises     UserError when there is no model of that name, or it cannot be opened
    """
    if is_url(name):
        from langwright.inference.remote import open_remote
        from langwright.inference.wire import not_offered

        if watermark is not None:
            raise not_offered(str(name), "mark what it writes")
        if speculation is not None:
            raise not_offered(str(name), "guess tokens")
        return Model(str(name), None, text=open_remote(str(name)))
    artifact = open_artifact(find_model(name, workspace), "model")
    abilities = [one for one in (artifact.card.abilities if artifact.card else ()) if head is None or one.head == head]
    taught = next((one.task for one in abilities if one.solver == "head" and one.task in OF_TASK), None)
    if taught not in (None, "classification"):
        raise UserError(
            "{name} was taught {task}, and that is asked for by `langwright predict` and in Python",
            fix="ask `langwright predict {name} {task} TEXT`, or use langwright.tasks.headed.open_headed",
            name=str(name),
            task=taught,
        )
    if head is not None or has_class(artifact, "ForSequenceClassification"):
        return Model(str(name), artifact, classifier=open_classifier(artifact.path, str(name), adapter, head))
    if has_class(artifact, "ForMaskedLM", "BertForPreTraining"):
        return Model(str(name), artifact, filler=open_filler(artifact.path))
    if is_bare(artifact):
        return Model(str(name), artifact, backbone=open_backbone(artifact.path))
    from langwright.inference.opening import open_served, open_text_model

    if backend == "vllm":
        if adapter is not None or numbers != Numbers() or speculation is not None:
            raise with_vllm()
        log = (workspace or Workspace()).cache / "vllm" / f"{artifact.path.resolve().name}.log"
        return Model(str(name), artifact, text=open_served(artifact.path, log, watermark))
    draft = find_model(speculation.model, workspace) if isinstance(speculation, DraftModel) else None
    text = open_text_model(
        artifact.path, max_batch=max_batch, adapter=adapter, numbers=numbers, speculation=speculation, draft=draft
    )
    text.watermark = watermark
    return Model(str(name), artifact, text=text)


def with_vllm() -> UserError:
    """What is said of options that are ours alone."""
    return UserError(
        "adapters, numbers and strictness are chosen for our own engine, not for vLLM",
        fix="leave --backend out, or pass vLLM its own options where it is started by hand and asked by its URL",
    )


class Model:
    """A loaded model. What it cannot do it says, with the command that makes one that can."""

    def __init__(
        self,
        name: str,
        artifact: Artifact | None,
        *,
        text: TextModel | RemoteText | None = None,
        classifier: Classifier | None = None,
        filler: Filler | None = None,
        backbone: Backbone | None = None,
    ) -> None:
        """A model of a folder, or without one behind a URL.

        text        for a model that writes
        classifier  for one with a trained head
        filler      for one that fills blanks
        backbone    for one without a head
        """
        self.name = name
        self.artifact = artifact
        self.text = text
        self.classifier = classifier
        self.filler = filler
        self.backbone = backbone or filler

    def __repr__(self) -> str:
        return f"Model({self.name!r}, {', '.join(sorted(self.abilities))})"

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def aio(self) -> AsyncModel:
        """The same verbs for an event loop: agenerate, achat, astream, and more."""
        from langwright.tasks.asking import AsyncModel

        return AsyncModel(self)

    @property
    def abilities(self) -> dict[str, str]:
        """Task -> the solver it would use."""
        found = {task.name: self.solver_of(task.name) for task in TASKS.values()}
        return {task: solver.name for task, solver in found.items() if solver is not None}

    def solver_of(self, task: str) -> Solver | None:
        """The first of a task's solvers that this model can be used with."""
        for name in TASKS[task].solvers:
            solver = SOLVERS[name]
            if solver.needs == "head" and self.classifier is not None:
                return solver
            does = self.text is not None and (
                self.artifact is not None or solver.name == "generation"
            )  # a server writes
            if solver.needs == "text" and does and (task != "chat" or self.converses):
                return solver
        return None

    @property
    def converses(self) -> bool:
        """Whether it was taught to answer in a conversation: its card says so; without a card, its chat template."""
        if self.text is None or not self.text.chats:
            return False
        card = self.artifact.card if self.artifact is not None else None
        if card is None:
            return self.text.kind == "continues"
        return any(ability.task == "chat" for ability in card.abilities)

    # --- writing -------------------------------------------------------------------------------

    @overload
    def generate(self, prompt: Conversation, *, beams: int = ..., **ways: Unpack[Ways]) -> str: ...

    @overload
    def generate(
        self, prompt: Conversation, *, n: int, beams: int = ..., best_of: int | None = ..., **ways: Unpack[Ways]
    ) -> list[str]: ...

    def generate(
        self,
        prompt: Conversation,
        *,
        n: int | None = None,
        beams: int = 1,
        best_of: int | None = None,
        **ways: Unpack[Ways],
    ) -> str | list[str]:
        """What the model writes after a prompt, without the prompt; `complete` tells more about it.

        n        so many different texts, as a list: drawn with a temperature, or the best of beams
        beams    search with so many beams instead of taking the likeliest token each time; `candidates` has more
        best_of  draw so many and give the n likeliest by the token
        ways     max_new_tokens (128), temperature (0) and the other settings of `Sampling`; stop: strings that end it;
                 slide: drop the oldest tokens or turns of a prompt that is too long, instead of refusing it; what
                 the text must be like: schema, regex, grammar, choices, length, must, never, contrast; guide: what
                 becomes likelier
        raises   UserError for more than one text from greedy writing
        """
        if n is None and beams == 1 and best_of is None:
            return self.complete(prompt, sampling_of(ways, 128), **writing_of(ways)).text
        search = Beams(width=beams) if beams != 1 else None
        found = self.candidates(
            prompt, sampling_of(ways, 128), n=n or 1, search=search, best_of=best_of, **writing_of(ways)
        )
        return found[0].text if n is None else [made.text for made in found]

    def candidates(
        self,
        prompt: Conversation,
        sampling: Sampling | None = None,
        *,
        n: int = 1,
        search: Search | None = None,
        best_of: int | None = None,
        **writing: Unpack[Writing],
    ) -> list[TextCompletion]:
        """At most n different continuations, best first where they are rated; fewer where there are no more.

        search   by beams or by contrast, instead of drawing
        best_of  draw so many and give the n likeliest by the token
        raises   UserError for greedy writing without a search, or settings that do not go together
        """
        from langwright.inference.candidates import drawn, searched

        asked, sampling = as_prompt(prompt), sampling or Sampling()
        if search is None:
            return drawn(self.writer("write"), asked, sampling, n, best_of or n, **writing)
        if best_of is not None:
            raise UserError(
                "best_of = {best_of} rates texts that were drawn, and a search draws none",
                fix="leave out one of the two",
                best_of=best_of,
            )
        return searched(self.local("search"), asked, sampling, n, search, **writing)

    def complete(
        self, prompt: Conversation, sampling: Sampling | None = None, **writing: Unpack[Writing]
    ) -> TextCompletion:
        """A continuation with its token ids, why it ended, and the seed."""
        return self.writer("write").complete(as_prompt(prompt), sampling, **writing)

    def stream(
        self, prompt: Conversation, sampling: Sampling | None = None, **writing: Unpack[Writing]
    ) -> TextStream | RemoteStream:
        """A continuation as it is written: iterate it for pieces, `cancel()` ends it."""
        return self.writer("write").stream(as_prompt(prompt), sampling, **writing)

    def chat(self, messages: Conversation, **ways: Unpack[Ways]) -> str:
        """The assistant's next turn; a plain string is the user's first one.

        ways    as of `generate`, 256 new tokens at most where they do not say
        raises  UserError when the model has no chat template
        """
        turns = [Message(role="user", content=messages)] if isinstance(messages, str) else messages
        return self.writer("chat").complete(as_prompt(turns), sampling_of(ways, 256), **writing_of(ways)).text

    # --- labelling -----------------------------------------------------------------------------

    def predict(
        self,
        text: str,
        labels: Iterable[str] | None = None,
        *,
        multi_label: bool = False,
        threshold: float = 0.5,
        normalise: Normalise = "pmi",
        task: str = "classification",
    ) -> ClassificationOutput:
        """The label of a text, or with multi_label every one that fits; the answer says which solver found it.

        labels  to choose from; a model with a trained head knows its own
        raises  UserError for labels that the head does not know, or none where they are needed
        """
        asked = ClassificationInput(
            text=text, labels=tuple(labels or ()), multi_label=multi_label, threshold=threshold, normalise=normalise
        )
        return self.solve(task, asked)  # type: ignore[return-value]

    def solve(self, task: str, asked: object) -> object:
        """Do any task by its name, with an instance of its input.

        raises  UserError for an unknown task, or one this model cannot do
        """
        solver = self.require(task)
        model = self.classifier if solver.needs == "head" else self.text
        return solver.solve(model, asked, self.converses)

    def require(self, task: str) -> Solver:
        """The solver this model would do a task with.

        raises  UserError for an unknown task, or one this model cannot do
        """
        if task not in TASKS:
            raise unknown("task", task, TASKS)
        solver = self.solver_of(task)
        if solver is None:
            raise self.cannot(task, SOLVERS[TASKS[task].solvers[0]])
        return solver

    # --- measuring -----------------------------------------------------------------------------

    def score(self, text: str, given: str = "", *, top: int = 0, rolling: bool = False) -> TextScore:
        """How probable the model finds a text, in nats, token by token, and in bits per byte.

        top      how many of the likeliest tokens to report at the place of each
        rolling  score a text longer than the context too
        """
        return self.writer("score").score_text(text, given, top=top, rolling=rolling)

    def embed(
        self,
        texts: str | Sequence[str],
        *,
        pooling: Pooling | None = None,
        normalise: bool = False,
        truncate: bool = False,
    ) -> NDArray:  # type: ignore[type-arg]
        """One vector a text, float32 (texts, width), of its last hidden states; `embeddings` tells more."""
        return self.embeddings(texts, pooling=pooling, normalise=normalise, truncate=truncate).vectors

    def embeddings(
        self,
        texts: str | Sequence[str],
        *,
        pooling: Pooling | None = None,
        normalise: bool = False,
        truncate: bool = False,
    ) -> Embedded:
        """One vector a text, with how many tokens it rests on and whether the text was cut.

        pooling    mean of the last hidden states, cls for the first token's, last for the last one's; the model's
                   own when left out
        normalise  scale each to length 1
        truncate   cut a text that is too long instead of refusing it
        """
        rows = [texts] if isinstance(texts, str) else list(texts)
        embed = (self.classifier or self.backbone or self.writer("embed")).embed
        return embed(rows, pooling=pooling or self.own_pooling, normalise=normalise, truncate=truncate)

    @property
    def own_pooling(self) -> Pooling:
        """The vector that the model was taught to make: the first token's for one taught by pairs, else the mean."""
        card = self.artifact.card if self.artifact else None
        taught = any(ability.solver == "pooled" for ability in card.abilities) if card else False
        return "cls" if taught else "mean"

    def fill(self, text: str, *, top: int = 5, pieces: int = 1, words: Sequence[str] = ()) -> Filled:
        """The best ways to fill the blanks of a text, each written [MASK].

        top     how many
        pieces  most tokens in a blank
        words   to choose from, for a text with one blank
        raises  UserError when the model is no masked language model, or the text has no blank
        """
        if self.filler is None:
            raise UserError(
                "{name} cannot fill blanks: that needs a model that was taught to see both sides of one",
                fix="make one with `langwright pretrain DATASET TOKENIZER OUT --set objective.kind=masked`",
                name=self.name,
            )
        return self.filler.fill(text, top=top, pieces=pieces, words=words)

    def close(self) -> None:
        """Free what it holds."""
        if self.text is not None:
            self.text.close()

    # --- what it cannot do ----------------------------------------------------------------------

    def writer(self, doing: str) -> TextModel | RemoteText:
        """The model as one that writes; UserError when it does not."""
        if self.text is None and self.classifier is None:
            raise UserError(
                "{name} cannot {doing}: it is an encoder, and that needs a model that writes",
                fix="make one with `{maker}`",
                name=self.name,
                doing=Term(doing),
                maker=SOLVERS["likelihood"].maker,
            )
        if self.text is None:
            solver = SOLVERS["generation"] if doing == "chat" else SOLVERS["likelihood"]
            raise self.cannot(doing, solver)
        return self.text

    def local(self, doing: str) -> TextModel:
        """The model as one that writes here, with its tokenizer and engine.

        raises  UserError when it is a classifier, NotOffered when it stands behind a URL
        """
        from langwright.inference.remote import RemoteText
        from langwright.inference.wire import not_offered

        text = self.writer(doing)
        if isinstance(text, RemoteText):
            raise not_offered(self.name, doing)
        return text

    def cannot(self, doing: str, solver: Solver) -> UserError:
        """Which kind of model can, and the command that makes one."""
        if self.artifact is None:
            from langwright.inference.wire import not_offered

            return not_offered(self.name, doing)
        if self.text is not None:
            return UserError(
                "{name} cannot do {doing}: it is a language model, and that needs {needed}",
                fix="make one with `{maker}`",
                name=self.name,
                doing=Term(doing),
                needed=Term(NEEDED[solver.name]),
                maker=solver.maker,
            )
        return UserError(
            "{name} cannot {doing}: it has a head that gives labels, and that needs a model that writes",
            fix="make one with `{maker}`",
            name=self.name,
            doing=Term(doing),
            maker=solver.maker,
        )


NEEDED = {
    "generation": "one that was taught to converse",
    "head": "a trained head",
    "likelihood": "a model that writes",
}
