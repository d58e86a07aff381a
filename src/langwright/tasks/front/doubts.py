"""What a person should know before trusting an answer: that the model never saw a language like that of the text.

A card says which scripts a model was taught texts in; a model without one is judged by what its vocabulary lacks. German
given to a model of English is not noticed: both are written with the same letters.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from langwright.wording import say

if TYPE_CHECKING:
    from langwright.tasks.declaration import Task, TaskInput
    from langwright.tasks.front.model import Model

LOOKED_AT = 4000  # characters of a text
MOST = 0.5  # share of strange letters, or of unknown tokens, from which on something is said
NAMES = {
    "LATIN": "Latin letters", "CJK": "Chinese characters", "KANA": "Japanese kana", "HANGUL": "Korean letters",
    "CYRILLIC": "Cyrillic letters", "ARABIC": "Arabic letters", "GREEK": "Greek letters", "HEBREW": "Hebrew letters",
    "THAI": "Thai letters", "DEVANAGARI": "Devanagari letters",
}  # fmt: skip


def doubts_of(model: Model, task: Task, asked: TaskInput) -> tuple[str, ...]:
    """What is to be said, in the language in force; nothing for a model behind a URL."""
    text = getattr(asked, task.panel[0], None)
    if not isinstance(text, str) or model.remote or not model.name:
        return ()
    known = known_scripts(model)
    said = in_strange_script(model.name, text[:LOOKED_AT], known) if known else unknown_words(model, text[:LOOKED_AT])
    return (said,) if said else ()


def known_scripts(model: Model) -> tuple[str, ...]:
    """Those of the texts that a model was taught its tasks by, as its card says."""
    card = model.artifact.card if model.artifact is not None else None
    abilities = card.abilities if card is not None else ()
    return tuple(dict.fromkeys(script for ability in abilities for script in ability.scripts))


def in_strange_script(name: str, text: str, known: Iterable[str]) -> str:
    """For a text most letters of which are in scripts that no text was that the model was taught by."""
    from langwright.data.scripts import letters_by_script

    found = letters_by_script([text])
    strange = {script: count for script, count in found.most_common() if script not in known}
    if sum(strange.values()) <= MOST * found.total():
        return ""
    return say(
        "the text is mostly in {found}, and {name} was taught texts in {known}: what it says of others means little",
        found=called(strange), name=name, known=called(known),
    )  # fmt: skip


def called(scripts: Iterable[str]) -> str:
    """Scripts in the language in force."""
    return ", ".join(say(NAMES[script]) if script in NAMES else script.title() for script in scripts)


def unknown_words(model: Model, text: str) -> str:
    """For a text most tokens of which the vocabulary lacks."""
    tokenizer = tokenizer_of(model)
    if tokenizer is None or tokenizer.unk_token_id is None:
        return ""
    ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    share = ids.count(tokenizer.unk_token_id) / len(ids) if ids else 0.0
    if share <= MOST:
        return ""
    return say(
        "{share} of the text is unknown to the vocabulary of {name}: what it says of it means little",
        share=f"{share:.0%}", name=model.name,
    )  # fmt: skip


def tokenizer_of(model: Model) -> Any:
    """What cuts texts into tokens for a model; None where it has none here."""
    holders = (model.headed, model.backbone, model.text)
    return next((holder.tokenizer for holder in holders if holder is not None), None)  # type: ignore[union-attr]
