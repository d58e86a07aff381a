"""A loaded model: what it writes, scores, embeds and fills, and the tasks it can do by one of their solvers."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Unpack, overload

from langwright.artifacts import Artifact
from langwright.data.schemas import Message
from langwright.errors import UserError, unknown
from langwright.inference.protocol import Beams, Sampling, Search
from langwright.tasks import SOLVERS, TASKS
from langwright.tasks.declaration import Task, TaskInput, TaskOutput, not_blank
from langwright.tasks.front.conversation import Conversation, as_prompt
from langwright.tasks.front.options import Ways, Writing, sampling_of, writing_of
from langwright.tasks.front.verbs import Verbs
from langwright.tasks.solving.solvers import NEEDED, Need, Solver
from langwright.tasks.solving.telling import Told, telling
from langwright.wording import Language, Phrase, Term, say

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from langwright.inference.remote.model import RemoteStream, RemoteText
    from langwright.inference.scoring.embedding import Embedded, Pooling
    from langwright.inference.texts.text import TextModel, TextStream
    from langwright.inference.texts.written import TextCompletion, TextScore
    from langwright.tasks.front.asking import AsyncModel
    from langwright.tasks.front.backbone import Backbone
    from langwright.tasks.front.filling import Filled, Filler
    from langwright.tasks.front.headed import Headed


class Model(Verbs):
    """A loaded model. What it cannot do it says, with the command that makes one that can."""

    def __init__(
        self,
        name: str,
        artifact: Artifact | None,
        *,
        text: TextModel | RemoteText | None = None,
        headed: Headed | None = None,
        filler: Filler | None = None,
        backbone: Backbone | None = None,
    ) -> None:
        """A model of a folder, without one behind a URL, or none at all, which does what needs no model.

        text        for a model that writes
        headed      for one with a trained head
        filler      for one that fills blanks
        backbone    for one without a head
        """
        self.name = name
        self.artifact = artifact
        self.text = text
        self.headed = headed
        self.filler = filler
        self.backbone: Backbone | None = backbone or filler

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
        from langwright.tasks.front.asking import AsyncModel

        return AsyncModel(self)

    @property
    def abilities(self) -> dict[str, str]:
        """Task -> the solver it would use, where the model itself has a part in it."""
        found = {task.name: self.solver_of(task.name) for task in TASKS.values()}
        return {task: solver.name for task, solver in found.items() if solver is not None and solver.needs != "nothing"}

    def solver_of(self, task: str) -> Solver | None:
        """The first of a task's solvers that this model can be used with."""
        solvers = (SOLVERS[name] for name in TASKS[task].solvers)
        return next((solver for solver in solvers if self.has(solver.needs, TASKS[task])), None)

    def has(self, need: Need, task: Task) -> bool:
        """Whether it has what a solver needs for a task."""
        writes = self.text is not None
        if need == "head":
            return self.headed is not None and of_task(self.headed, task) and of_labels(self.headed, task)
        if need == "taught":
            return self.converses if task.name == "chat" else writes and self.was_taught(task)
        has: dict[Need, bool] = {
            "nothing": True,
            "text": writes,
            "probabilities": writes and not self.remote,
            "entailment": self.entails,
            "blanks": self.filler is not None,
            "backbone": self.backbone is not None or (writes and not self.remote),
            "vectors": self.headed is not None or self.backbone is not None or (writes and not self.remote),
        }
        return has[need]

    def was_taught(self, task: Task) -> bool:
        """Whether its card says that it was taught to write this."""
        card = self.artifact.card if self.artifact is not None else None
        return card is not None and any(task.done_by(ability.task, TASKS) for ability in card.abilities)

    @property
    def entails(self) -> bool:
        """Whether it has a head for pairs, one of whose labels is that the second text follows from the first."""
        from langwright.tasks.solving.zero_shot import ENTAILS, named

        return (
            self.headed is not None
            and bool({"pair", "entailment"} & set(self.headed.taught))
            and bool(named(self.headed.labels, ENTAILS))
        )

    @property
    def remote(self) -> bool:
        """Whether it stands behind a URL."""
        return self.text is not None and not hasattr(self.text, "engine")

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
        from langwright.inference.texts.candidates import drawn, searched

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

    # --- tasks ---------------------------------------------------------------------------------

    def solve(
        self, task: str, asked: TaskInput, solver: str | None = None, *, progress: Told | None = None
    ) -> TaskOutput:
        """Do any task by its name, with an instance of its input.

        solver    which of the task's solvers; the first that this model can be used with when left out
        progress  is told how far a text is that is read in parts
        raises    UserError for an unknown task or solver, or one this model cannot do or be used with
        """
        chosen = self.require(task, solver)
        with telling(progress):
            return chosen.solve(self, TASKS[task], not_blank(TASKS[task], asked))

    def solve_all(self, task: str, inputs: Sequence[TaskInput], solver: str | None = None) -> list[TaskOutput]:
        """Do a task on many inputs, side by side where the solver can; outputs in the order of the inputs."""
        chosen = self.require(task, solver)
        given = [not_blank(TASKS[task], asked) for asked in inputs]
        if chosen.solve_all is not None:
            return chosen.solve_all(self, TASKS[task], given)
        return [chosen.solve(self, TASKS[task], asked) for asked in given]

    @property
    def taught(self) -> tuple[str, ...]:
        """The tasks that it was taught by name: by its head, or as its card says."""
        if self.headed is not None:
            return self.headed.taught
        card = self.artifact.card if self.artifact is not None else None
        return tuple(ability.task for ability in card.abilities) if card else ()

    def require(self, task: str, solver: str | None = None) -> Solver:
        """The solver this model would do a task with.

        raises  UserError for an unknown task or solver, or one this model cannot do or be used with
        """
        if task not in TASKS:
            raise unknown("task", task, TASKS)
        if solver is not None and solver not in TASKS[task].solvers:
            raise unknown("solver", solver, TASKS[task].solvers)
        found = self.solver_of(task) if solver is None else SOLVERS[solver]
        if found is None or not self.has(found.needs, TASKS[task]):
            if self.headed is not None and of_task(self.headed, TASKS[task]):
                raise other_labels(self.name, self.headed, TASKS[task])
            raise self.cannot(task, found or SOLVERS[TASKS[task].solvers[0]])
        return found

    def doubts(self, task: str, asked: TaskInput) -> tuple[str, ...]:
        """What to know before trusting the answer to an input: that it is in a language the model never saw."""
        from langwright.tasks.front.doubts import doubts_of

        return doubts_of(self, TASKS[task], asked)

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
        embed = (self.headed or self.backbone or self.writer("embed")).embed
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
        if self.text is None:
            raise self.cannot(doing, SOLVERS["generation"] if doing == "chat" else SOLVERS["likelihood"], "text")
        return self.text

    def local(self, doing: str) -> TextModel:
        """The model as one that writes here, with its tokenizer and engine.

        raises  UserError when it does not write, NotOffered when it stands behind a URL
        """
        from langwright.inference.remote.model import RemoteText
        from langwright.inference.remote.wire import not_offered

        text = self.writer(doing)
        if isinstance(text, RemoteText):
            raise not_offered(self.name, doing)
        return text

    def cannot(self, doing: str, solver: Solver, needs: Need | None = None) -> UserError:
        """Which kind of model can, and the command that makes one."""
        if self.remote:
            from langwright.inference.remote.wire import not_offered

            return not_offered(self.name, doing)
        if not self.name:
            return UserError(
                "{doing} needs {needed}",
                fix="make one with `{maker}`, and name it: `langwright predict MODEL {task} INPUT`",
                doing=Term(doing),
                needed=Term(NEEDED[needs or solver.needs]),
                maker=solver.maker.format(task=doing),
                task=doing,
            )
        return UserError(
            "{name} cannot do {doing}: it is {kind}, and that needs {needed}",
            fix="make one with `{maker}`",
            name=self.name,
            doing=Term(doing),
            kind=Phrase(self.kind),
            needed=Term(NEEDED[needs or solver.needs]),
            maker=solver.maker.format(task=doing),
        )

    def kind(self, lang: Language | None = None) -> str:
        """What it is, in words."""
        if self.text is not None:
            return say("a language model", lang=lang)
        if self.headed is not None:
            return say("a model with a head for {tasks}", lang=lang, tasks=", ".join(self.headed.taught))
        if self.backbone is not None:
            return say("an encoder", lang=lang)
        return say("no model", lang=lang)


def of_task(headed: Headed, task: Task) -> bool:
    """Whether a head was taught what is taught as this task is."""
    return any(task.done_by(taught, TASKS) for taught in headed.taught)


def of_labels(headed: Headed, task: Task) -> bool:
    """Whether a head was taught this task by its name, or has labels that are those of it."""
    return not task.named or task.name in headed.taught or all(map(task.knows, headed.labels))


def other_labels(name: str, headed: Headed, task: Task) -> UserError:
    """For a head whose labels say something else than those of a task."""
    return UserError(
        "{name} was taught other labels than those of {task}: {labels}",
        fix="ask it for {taught}, or make a model for this with `langwright finetune MODEL DATASET OUT --task {task}`",
        name=name, task=task.name, labels=", ".join(headed.labels[:20]), taught=headed.taught[0],
    )  # fmt: skip
