"""A conversation at the keyboard or from a pipe: turns, and commands that begin with a slash, in English and Chinese.

Lines are read whole: what an input method composes reaches the program only once it is chosen, and Enter while
composing never sends. A line that ends in a backslash goes on in the next one.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from langwright.cli.screen import Screen
from langwright.cli.way import guessed_of, way_of
from langwright.data.schemas import Message
from langwright.errors import UserError, unknown
from langwright.inference.protocol import Sampling, Token
from langwright.settings import parse_value, read_settings
from langwright.tasks.front.options import Writing
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.tasks.front.loading import Model

ALTERNATIVES = 3  # beside each token of a reply


@dataclass(frozen=True)
class Order:
    """One command: its names, what it is followed by, what it does.

    names  the English one first
    run    (conversation, what stood behind the name)
    """

    names: tuple[str, ...]
    takes: str
    help: str
    run: Callable[[Conversation, str], None]


class Conversation:
    """The turns so far, and how they go on.

    open_with    opens the model anew with one of its adapters
    interactive  someone sits at a keyboard: turns are asked for, and a mistake does not end the talk
    slide        drop the oldest turns where they no longer fit, instead of refusing
    """

    def __init__(
        self,
        screen: Screen,
        model: Model,
        sampling: Sampling,
        system: str | None,
        open_with: Callable[[str | None], Model],
        *,
        interactive: bool,
        slide: bool = False,
    ) -> None:
        self.screen = screen
        self.model = model
        self.sampling = sampling
        self.slide = slide
        self.opening = [Message(role="system", content=system)] if system else []
        self.messages = list(self.opening)
        self.interactive = interactive
        self.open_with = open_with
        self.tokens: tuple[Token, ...] = ()  # of the last reply

    def go(self, first: str | list[Message] | None = None) -> None:
        """Until /quit, or the end of the input.

        first  turns that are answered before anything is asked for
        """
        if first is not None:
            said = [Message(role="user", content=first)] if isinstance(first, str) else first
            self.answer([*(self.messages if said[0].role != "system" else ()), *said], self.sampling)
        if self.interactive:
            self.screen.note(say("type a message; /help shows the commands, /quit leaves, Ctrl-C cuts a reply short"))
        for line in self.lines():
            if not line:
                continue
            if line[0] not in "/／":  # the second is the wide one of Chinese input methods
                self.turn(line)
                continue
            name, _, rest = line[1:].partition(" ")
            if name in QUIT:
                return
            self.obey(name, rest.strip(), line)

    def obey(self, name: str, rest: str, line: str) -> None:
        """Do what a command says; a mistake is shown and changes nothing."""
        order = ORDERS.get(name)
        if order is None:
            self.screen.note(say("({command} is no command: /help shows them)", command=line.split()[0]))
            return
        try:
            order.run(self, rest)
        except UserError as error:
            if not self.interactive:
                raise
            self.screen.error(error)

    # --- what the person says --------------------------------------------------------------------

    def lines(self) -> Iterator[str]:
        """What the person says, a line a turn."""
        if not self.interactive:
            yield from joined(line.rstrip("\n") for line in sys.stdin)
            return
        edit_lines()
        yield from joined(self.typed())

    def typed(self) -> Iterator[str]:
        """Lines from the keyboard; Ctrl-C gives up the line, twice in a row it leaves, as Ctrl-D does."""
        stopped = False
        while True:
            try:
                yield input("> ")
                stopped = False
            except EOFError:
                self.screen.line()
                return
            except KeyboardInterrupt as interrupt:
                self.screen.line()
                if stopped or interrupt.args:  # SIGTERM carries its name
                    return
                stopped = True
                self.screen.note(say("(Ctrl-C again, Ctrl-D or /quit leaves)"))

    # --- what the model says ---------------------------------------------------------------------

    def turn(self, text: str) -> None:
        """One turn of the person's and the model's."""
        self.answer([*self.messages, Message(role="user", content=text)], self.sampling)

    def answer(self, asked: list[Message], sampling: Sampling) -> None:
        """Have the model answer these turns, which become the conversation with its answer."""
        try:
            reply = self.reply(asked, sampling)
        except UserError as error:
            if not self.interactive:
                raise
            self.screen.error(error)
            self.screen.note(say("(that turn was left out; /reset begins anew)"))
            return
        self.messages = [*asked, Message(role="assistant", content=reply)]

    def reply(self, asked: list[Message], sampling: Sampling) -> str:
        """The model's turn as it is written; Ctrl-C ends it and keeps what was said."""
        said: list[str] = []
        tokens: list[Token] = []
        try:
            with self.model.stream(asked, sampling, **self.ways()) as stream:
                for piece in stream:
                    said.append(piece.text)
                    tokens += piece.tokens
                    self.screen.piece(piece.text)
        except KeyboardInterrupt as interrupt:
            if not self.interactive or interrupt.args:  # SIGTERM carries its name
                raise
            self.screen.note(say("(cut short)"))
        self.screen.line()
        self.tokens = tuple(tokens)
        return "".join(said)

    def ways(self) -> Writing:
        """What a reply is asked for beside its sampling."""
        here = self.interactive and self.model.artifact is not None
        return Writing(slide=self.slide, top_logprobs=ALTERNATIVES if here else 0)


def joined(lines: Iterator[str]) -> Iterator[str]:
    """Lines without blanks around them, those that end in a backslash with the next one.

    >>> list(joined(iter(["one ", "two\\\\", "three"])))
    ['one', 'two\\nthree']
    """
    held: list[str] = []
    for line in lines:
        if line.endswith("\\"):
            held.append(line[:-1])
            continue
        yield "\n".join([*held, line]).strip()
        held = []
    if held:
        yield "\n".join(held).strip()


def edit_lines() -> None:
    """Give `input` a history and editing that counts characters, not bytes, whatever the locale was."""
    import locale

    try:
        locale.setlocale(locale.LC_CTYPE, "")
    except locale.Error:
        locale.setlocale(locale.LC_CTYPE, "C")
    if "UTF" not in locale.nl_langinfo(locale.CODESET).upper():
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    import readline  # noqa: F401 - importing it gives input() history and editing


# --- commands ------------------------------------------------------------------------------------


def show_help(talk: Conversation, rest: str) -> None:
    """Every command with its help."""
    rows = []
    for order in LIST:
        names = " ".join(f"/{name}" for name in order.names)
        rows.append([f"{names} {order.takes}".rstrip(), say(order.help)])
    talk.screen.table(rows)


def set_system(talk: Conversation, rest: str) -> None:
    """Show or set what the model is told before the conversation; setting it begins anew."""
    if rest:
        talk.opening = [Message(role="system", content=rest)]
        reset(talk, "")
        return
    talk.screen.note(talk.opening[0].content if talk.opening else say("(nothing is told)"))


def set_temperature(talk: Conversation, rest: str) -> None:
    """Show or set the temperature."""
    if rest:
        changed = {**talk.sampling.model_dump(), "temperature": parse_value(rest)}
        talk.sampling = read_settings(
            Sampling, given={key: value for key, value in changed.items() if value is not None}
        )
    talk.screen.note(f"temperature = {talk.sampling.temperature:g}")


def undo(talk: Conversation, rest: str) -> None:
    """Take back the last turn of the person's and its answer."""
    places = [place for place, turn in enumerate(talk.messages) if turn.role == "user"]
    if not places:
        talk.screen.note(say("(there is nothing to take back)"))
        return
    talk.messages, talk.tokens = talk.messages[: places[-1]], ()
    talk.screen.note(say("(taken back; {turns} turns are left)", turns=len(talk.messages) - len(talk.opening)))


def retry(talk: Conversation, rest: str) -> None:
    """Have the last turn answered anew, drawn afresh."""
    places = [place for place, turn in enumerate(talk.messages) if turn.role == "user"]
    if not places:
        talk.screen.note(say("(there is nothing to answer again)"))
        return
    if talk.sampling.temperature == 0:
        talk.screen.note(say("(at temperature 0 the answer is always the same; /temperature 0.8 varies it)"))
    talk.answer(talk.messages[: places[-1] + 1], talk.sampling.model_copy(update={"seed": None}))


def save(talk: Conversation, rest: str) -> None:
    """Write the conversation as one row of a chat dataset."""
    path = file_of(rest)
    if path.exists():
        raise UserError("{path} already exists", fix="name another file", path=path)
    turns = [turn.model_dump(include={"role", "content"}) for turn in talk.messages]
    try:
        path.write_text(json.dumps({"messages": turns}, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(
            "{path} cannot be written: {reason}", fix="name another file", path=path, reason=error.strerror
        ) from None
    talk.screen.note(say("(wrote {path})", path=path))


def load(talk: Conversation, rest: str) -> None:
    """Go on with a conversation that was written to a file."""
    path = file_of(rest)
    try:
        turns = json.loads(path.read_text(encoding="utf-8"))["messages"]
        messages = [Message.model_validate(turn) for turn in turns]
    except OSError as error:
        raise UserError(
            "{path} cannot be read: {reason}", fix="check the path", path=path, reason=error.strerror
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            "{path} holds no conversation: {reason}",
            fix="give a file that /save wrote, or one row of a chat dataset",
            path=path,
            reason=str(error).splitlines()[0],
        ) from None
    talk.opening = [turn for turn in messages[:1] if turn.role == "system"]
    talk.messages, talk.tokens = messages, ()
    talk.screen.note(say("({turns} turns read)", turns=len(messages) - len(talk.opening)))


def file_of(rest: str) -> Path:
    """The file that stands behind a command; UserError when there is none."""
    if not rest:
        raise UserError("a file is missing", fix="name one behind the command, as in /save talk.json")
    return Path(rest).expanduser()


def show_tokens(talk: Conversation, rest: str) -> None:
    """The tokens of the last reply with how likely each was, and what else was likely there."""
    if not talk.tokens:
        talk.screen.note(say("(there are no tokens to show: no reply yet, or a server that tells none)"))
        return
    model = talk.model.local("report probabilities")
    rows = []
    for token in talk.tokens:
        others = [(id, value) for id, value in token.top if id != token.id]
        row = [shown(model.token_text(token.id)), percent(token.logprob)]
        rows.append([*row, "  ".join(f"{shown(model.token_text(id))} {percent(value)}" for id, value in others)])
    talk.screen.table(rows)


def shown(text: str) -> str:
    """A token between bars, blanks made visible."""
    return f"[{text}]".replace(" ", "␣").replace("\n", "↵").replace("\t", "⇥")


def percent(logprob: float) -> str:
    """A probability as a person reads it.

    >>> percent(0.0), percent(-1.0), percent(-20.0)
    ('100.0%', '36.8%', '<0.1%')
    """
    share = 100 * math.exp(logprob)
    return f"{share:.1f}%" if share >= 0.05 else "<0.1%"


def set_adapter(talk: Conversation, rest: str) -> None:
    """List the model's adapters, or go on with one of them."""
    folder = talk.model.artifact.path / "adapters" if talk.model.artifact is not None else None
    names = sorted(path.name for path in folder.glob("*") if path.is_dir()) if folder is not None else []
    if not rest:
        talk.screen.note(", ".join(names) or say("(there are no adapters)"))
        return
    if rest not in names:
        raise unknown("adapter", rest, names)
    talk.screen.note(say("loading {name}", name=rest))
    fresh = talk.open_with(rest)
    talk.model.close()
    talk.model, talk.tokens = fresh, ()


def show_engine(talk: Conversation, rest: str) -> None:
    """How replies are computed, and what came of guesses."""
    talk.screen.note(way_of(talk.model) or say("(where {name} runs is not ours to know)", name=talk.model.name))
    if guessed := guessed_of(talk.model):
        talk.screen.note(guessed)


def reset(talk: Conversation, rest: str) -> None:
    """Begin a new conversation."""
    talk.messages, talk.tokens = list(talk.opening), ()
    talk.screen.note(say("(a new conversation)"))


QUIT = ("quit", "exit", "退出")
LIST = (
    Order(("help", "帮助"), "", "Show these commands", show_help),
    Order(
        ("system", "系统"),
        "[TEXT]",
        "Show or set what the model is told beforehand; setting it begins anew",
        set_system,
    ),
    Order(("temperature", "温度"), "[T]", "Show or set the temperature", set_temperature),
    Order(("undo", "撤销"), "", "Take back your last message and its reply", undo),
    Order(("retry", "重试"), "", "Have your last message answered anew", retry),
    Order(("tokens", "词元"), "", "Show the tokens of the last reply and how likely each was", show_tokens),
    Order(("save", "保存"), "FILE", "Write the conversation to a file", save),
    Order(("load", "载入"), "FILE", "Go on with a conversation from a file", load),
    Order(("adapter", "适配器"), "[NAME]", "List the model's adapters, or go on with one of them", set_adapter),
    Order(("engine", "引擎"), "", "Show how replies are computed, and how many guessed tokens were kept", show_engine),
    Order(("reset", "重置"), "", "Begin a new conversation", reset),
    Order(QUIT, "", "Leave", reset),
)
ORDERS = {name: order for order in LIST for name in order.names}
