"""The texts that come with the package: conversations, paraphrased questions and Chinese prose, CC0."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from langwright.data.schemas import ChatRow
from langwright.wording import LANGUAGES, Language


def shipped_folder() -> Path:
    """Where the files lie. The package is always installed as plain files, so this is a real path."""
    return Path(str(resources.files("langwright").joinpath("data", "shipped")))


def conversations_path(language: Language) -> Path:
    """The training conversations of a language, JSON Lines."""
    return shipped_folder() / f"conversations.{language}.jsonl"


def paraphrases_path() -> Path:
    """Questions asked in other words, never to be trained on, JSON Lines."""
    return shipped_folder() / "paraphrases.jsonl"


def prose_paths() -> list[Path]:
    """The Chinese prose, Markdown files in order."""
    return sorted((shipped_folder() / "prose.zh").glob("*.md"))


def conversations(language: Language | None = None) -> list[ChatRow]:
    """The training conversations, of one language or of both."""
    chosen = (language,) if language else LANGUAGES
    return [row for one in chosen for row in chat_rows(conversations_path(one))]


def paraphrases() -> list[ChatRow]:
    """The unseen questions, each with the phrase a right reply contains."""
    return chat_rows(paraphrases_path())


def chat_rows(path: Path) -> list[ChatRow]:
    """The rows of one of our own files."""
    with path.open(encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines if line.strip()]
    known = ChatRow.model_fields
    return [ChatRow.model_validate({name: record[name] for name in record if name in known}) for record in records]
