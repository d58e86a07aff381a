"""What always stands in front of a conversation: the system's text, what is known, and how to answer just now."""

from __future__ import annotations

from collections.abc import Mapping

from langwright.tasks.dialogue.feelings import Strategy
from langwright.tasks.solving.languages import language_of
from langwright.wording import Language

KNOWN: dict[Language, str] = {"en": "What the user let you remember:", "zh": "用户允许你记住的信息："}
NOTED: dict[Language, str] = {"en": "What is known in this conversation:", "zh": "本次对话中已知："}
NOW: dict[Language, str] = {"en": "For your next answer: ", "zh": "关于接下来的回答："}


def pinned(
    system: str, strategy: Strategy | None, facts: Mapping[str, str], notes: Mapping[str, str], said: str
) -> str:
    """The parts that there are, one behind the other; "" where there is none.

    said  what is to be answered, whose language is taken
    """
    language = language_of(said)
    parts = [system] if system else []
    parts += listed(KNOWN[language], facts) + listed(NOTED[language], notes)
    if strategy is not None:
        parts.append(NOW[language] + strategy.instruction)
    return "\n\n".join(parts)


def listed(head: str, facts: Mapping[str, str]) -> list[str]:
    """Facts below a heading, a line each.

    >>> listed("Known:", {"name": "Ada"}), listed("Known:", {})
    (['Known:\\n- name: Ada'], [])
    """
    return ["\n".join([head, *(f"- {name}: {said}" for name, said in facts.items())])] if facts else []
