"""A model in conversation: whether its greedy replies contain what a right one must, and its loss on assistant turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from langwright.data.dataset import text_of
from langwright.data.schemas import ChatRow, Message
from langwright.errors import UserError
from langwright.evaluation.measuring.findings import MOST_SHOWN, Details, Findings, Item, Reply
from langwright.evaluation.measuring.groups import groups_of
from langwright.evaluation.measuring.job import Job, write
from langwright.evaluation.measuring.perplexity import Document, score_documents
from langwright.inference.protocol import Sampling
from langwright.inference.texts.text import TextModel
from langwright.measures import Measure
from langwright.metrics.containment import CONTAINMENT, containment, contains
from langwright.metrics.likelihood import assistant_loss
from langwright.metrics.origin import valid_utf8
from langwright.metrics.yardsticks import signed
from langwright.runlog import Progressed, Sampled, Warned
from langwright.tokenizers.templates import encode_conversation, ensure_template

LOGGED = 5


@dataclass(frozen=True)
class Question:
    """A conversation up to where the assistant is to speak, and the phrase that a right reply contains."""

    messages: tuple[Message, ...]
    expect: str
    row: ChatRow


def evaluate_chat(model: TextModel, job: Job) -> Findings:
    """Ask every question that has an expected phrase, and score every assistant turn.

    raises  UserError when no row has either
    """
    if not model.chats:
        ensure_template(model.tokenizer)
        job.log.write(Warned(message="{name} has no chat template; it is asked with a plain one", values={"name": model.name}))  # fmt: skip
    rows = [row for row in job.rows if isinstance(row, ChatRow)]
    asked = questions(model, rows, job)
    replies = ask(model, asked, job)
    measures = list(of_replies(replies, [question.row for question in asked], job))
    measures += loss(model, rows, job)
    if not measures:
        raise UserError(
            "no conversation of the {split} split of {path} has an expected phrase or an assistant turn",
            fix="give rows an 'expect' phrase, or the assistant's turn",
            split=job.split,
            path=job.dataset.path,
        )
    items = tuple(items_of(asked, replies, job))
    return Findings(tuple(measures), Details(task="chat", rows=len(rows), replies=tuple(replies)), items)


def items_of(asked: Sequence[Question], replies: Sequence[Reply], job: Job) -> Iterator[Item]:
    """Whether each reply has its phrase."""
    names = {id(row): name for row, name in zip(job.rows, job.names, strict=True)}
    for question, reply in zip(asked, replies, strict=True):
        yield Item(
            data=job.named(), name=names[id(question.row)], asked=reply.prompt[:MOST_SHOWN], right=reply.expect,
            said=reply.text[:MOST_SHOWN], marks={CONTAINMENT.name: (float(reply.right), 1.0)},
        )  # fmt: skip


# --- replies -------------------------------------------------------------------------------------


def questions(model: TextModel, rows: Sequence[ChatRow], job: Job) -> list[Question]:
    """The rows with an expected phrase, up to the assistant's last turn; those too long for the model are left out."""
    found, too_long = [], 0
    for row in rows:
        if row.expect is None:
            continue
        last = row.messages[-1]
        messages = row.messages[:-1] if last.role == "assistant" else row.messages
        if not messages or len(model.render(messages)) >= model.context:
            too_long += 1
            continue
        found.append(Question(messages, row.expect, row))
    if too_long:
        job.log.write(
            Warned(
                message="{count} conversations have no question or are longer than the model's context, and were left out",
                values={"count": too_long},
            )
        )
    return found


def ask(model: TextModel, asked: Sequence[Question], job: Job) -> list[Reply]:
    """The model's greedy reply to each question."""
    sampling = Sampling(max_new_tokens=job.settings.max_new_tokens)
    completions = write(model, [question.messages for question in asked], sampling, job.settings.seed, job)
    replies = []
    for question, completion in zip(asked, completions, strict=True):
        reply = Reply(
            prompt=question.messages[-1].content,
            expect=question.expect,
            text=completion.text,
            right=contains(completion.text, question.expect),
            language=question.row.language,
        )
        replies.append(reply)
        if len(replies) <= LOGGED:
            job.log.write(Sampled(step=0, prompt=reply.prompt, text=reply.text))
    return replies


def of_replies(replies: Sequence[Reply], rows: Sequence[ChatRow], job: Job) -> Iterator[Measure]:
    """Share of replies with the expected phrase, over all and by group, and share that is whole characters.

    rows  what each reply is to
    """
    if not replies:
        return
    yield rate(replies)
    for group, places in groups_of(rows, job.settings.groups):
        yield from signed([rate([replies[place] for place in places])], data=job.named(group))
    yield valid_utf8([reply.text for reply in replies])


def rate(replies: Sequence[Reply]) -> Measure:
    """Share of replies with their phrase."""
    return containment([reply.text for reply in replies], [reply.expect for reply in replies])


# --- loss ----------------------------------------------------------------------------------------


def loss(model: TextModel, rows: Sequence[ChatRow], job: Job) -> Iterator[Measure]:
    """Nats per assistant token, over all rows and by group; nothing where no row has an assistant turn."""
    spoken = [row for row in rows if any(message.role == "assistant" for message in row.messages)]
    if not spoken:
        return
    documents = (conversation(model, row) for row in spoken)
    scores = []
    for score in score_documents(model.engine, documents, length=job.settings.length, stride=job.settings.stride):
        scores.append(score)
    job.log.write(Progressed(what="scoring conversations", done=len(scores), total=len(spoken)))
    yield assistant_loss(scores, seed=job.settings.seed)
    for group, places in groups_of(spoken, job.settings.groups):
        those = [scores[place] for place in places]
        yield from signed([assistant_loss(those, seed=job.settings.seed)], data=job.named(group))


def conversation(model: TextModel, row: ChatRow) -> Document:
    """A conversation as it is scored: assistant turns and the marks that end them count."""
    ids, supervised = encode_conversation(model.tokenizer, row.messages)
    return Document(ids, len(text_of(row).encode()), counted=supervised[1:])
