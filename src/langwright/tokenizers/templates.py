"""Chat templates: conversations as token ids, and which of those ids are to be learned.

The mask comes from rendering prefixes: an assistant turn is what a rendering up to and including it has beyond the
rendering of all before it with the generation prompt. So any template works whose renderings are prefixes of each
other, and the training prompt is, character for character, the prompt that is given when the model is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from langwright.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DEFAULT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
PLAIN_TEMPLATE = (
    "{% for message in messages %}"
    "{{ message['role'] | capitalize + ': ' + message['content'] }}"
    "{{ eos_token if message['role'] == 'assistant' else '' }}{{ '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
BREAK = "\u200b"  # put into a special token's name where a person wrote it, so that it is text and nothing else


class Turn(Protocol):
    """One message of a conversation."""

    @property
    def role(self) -> str: ...

    @property
    def content(self) -> str: ...


@dataclass(frozen=True)
class Probe:
    """A message of our own, for finding out what a template does."""

    role: str
    content: str


def template_sha256(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """The hash of the template's text, or None when there is no template."""
    template = tokenizer.chat_template
    return hashlib.sha256(template.encode()).hexdigest() if isinstance(template, str) else None


def ensure_template(tokenizer: PreTrainedTokenizerBase) -> str:
    """Give a tokenizer without a template one that needs no new tokens: ChatML where it has its marks, else plain.

    returns  the template in force
    """
    if not isinstance(tokenizer.chat_template, str):
        known = tokenizer.get_vocab()
        marked = "<|im_start|>" in known and "<|im_end|>" in known
        tokenizer.chat_template = DEFAULT_TEMPLATE if marked else PLAIN_TEMPLATE
    return str(tokenizer.chat_template)


def render_text(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Turn], add_generation_prompt: bool = True
) -> str:
    """The conversation as the template writes it.

    Names of special tokens inside a message are broken up: a person cannot write the end of a turn.

    raises  UserError when there is no template, or it refuses the conversation
    """
    plain = [{"role": message.role, "content": disarm(tokenizer, message.content)} for message in messages]
    return applied(tokenizer, plain, add_generation_prompt)


def applied(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[dict[str, Any]],
    add_generation_prompt: bool,
    tools: list[dict[str, Any]] | None = None,
) -> str:
    """What the template makes of messages as transformers has them, and of tools.

    raises  UserError when there is no template, or it refuses the conversation
    """
    import jinja2

    if not isinstance(tokenizer.chat_template, str):
        raise UserError(
            "this tokenizer has no chat template",
            fix="fine-tune with `langwright finetune --task chat`, which adds one",
        )
    try:
        text = tokenizer.apply_chat_template(
            list(messages), tools=tools, tokenize=False, add_generation_prompt=add_generation_prompt
        )
    except (jinja2.TemplateError, TypeError) as error:
        raise UserError(
            "the chat template refuses a conversation with roles {roles}: {error}",
            fix="give the roles in the order the template expects, or use another template",
            roles=", ".join(message["role"] for message in messages),
            error=error,
        ) from None
    return str(text)


def render(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Turn], add_generation_prompt: bool = True
) -> list[int]:
    """The conversation as token ids, ready for the model to go on from."""
    return text_ids(tokenizer, render_text(tokenizer, messages, add_generation_prompt))


@dataclass(frozen=True)
class Span:
    """What the template writes for one assistant turn, in characters of the whole rendering."""

    begin: int
    said: int  # where the assistant's own words end
    end: int


def encode_conversation(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Turn]) -> tuple[list[int], list[bool]]:
    """Token ids of a whole conversation, and which are to be learned: each assistant turn and the mark that ends it.

    raises  UserError when the template's renderings are not prefixes of each other
    """
    whole = render_text(tokenizer, messages, add_generation_prompt=False)
    spans = supervised_spans(tokenizer, messages, whole)
    encoding = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
    ids: list[int] = list(encoding["input_ids"])
    begins = [begin for begin, _ in encoding["offset_mapping"]]
    supervised = [False] * len(ids)
    special = special_ids(tokenizer)
    place = 0
    for span in spans:
        while place < len(ids) and begins[place] < span.begin:
            place += 1
        while place < len(ids) and begins[place] < span.end:
            supervised[place] = True
            place += 1
            if ids[place - 1] in special and begins[place - 1] >= span.said:
                break  # the turn is over; what the template writes after its mark belongs to nobody
    return ids, supervised


def supervised_spans(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Turn], whole: str) -> list[Span]:
    """Where each assistant turn stands in `whole`."""
    spans = []
    for number, message in enumerate(messages):
        if message.role != "assistant":
            continue
        words = disarm(tokenizer, message.content).strip()  # templates may strip what is said
        upto = render_text(tokenizer, messages[: number + 1], add_generation_prompt=False)
        if number:
            before = render_text(tokenizer, messages[:number], add_generation_prompt=True)
        else:  # nothing was asked: what stands before the words is the template's
            before = upto[: max(upto.find(words), 0)]
        if not upto.startswith(before) or not whole.startswith(upto):
            raise UserError(
                "the chat template does not write message {number} the same way when more follows",
                fix="use a template whose renderings are prefixes of each other, such as the default ChatML",
                number=number + 1,
            )
        found = upto.find(words, len(before))
        said = found + len(words) if found >= 0 else len(before)
        spans.append(Span(len(before), said, len(upto)))
    return spans


def end_of_turn_ids(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Ids at which a reply is over: what the template writes after an assistant's words, and the end of text."""
    stops = {tokenizer.eos_token_id} if tokenizer.eos_token_id is not None else set()
    if isinstance(tokenizer.chat_template, str):
        turns = [Probe("user", "a"), Probe("assistant", "b")]
        ids, supervised = encode_conversation(tokenizer, turns)
        special = special_ids(tokenizer)
        stops |= {token for token, learned in zip(ids, supervised, strict=True) if learned and token in special}
    return frozenset(stops)


def special_ids(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Ids of the marks that are no text."""
    return frozenset(id for id, token in tokenizer.added_tokens_decoder.items() if token.special)


def text_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Ids of a text in which names of special tokens mean those tokens, and nothing is added."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def disarm(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """The text with every special token's name in it broken by a zero-width space."""
    for token in tokenizer.added_tokens_decoder.values():
        if token.special and len(token.content) > 1 and token.content in text:
            text = text.replace(token.content, token.content[0] + BREAK + token.content[1:])
    return text


def ends_of(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Tokens after which nothing belongs to a text: its end, and the end of a turn."""
    try:
        return end_of_turn_ids(tokenizer)
    except UserError:  # a template whose turns cannot be told apart; what the model's own settings name remains
        return frozenset(() if tokenizer.eos_token_id is None else (tokenizer.eos_token_id,))
