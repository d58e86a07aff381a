"""Opening a tokenizer from a local folder: our own artifacts and the files other projects publish."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from langwright.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def load_tokenizer(path: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder, always with a pad token.

    raises  UserError when the folder holds none that can be read
    """
    from transformers import AutoTokenizer

    if not path.is_dir():
        raise UserError(
            "there is no tokenizer folder {path}",
            fix="check the path, or make one with `langwright tokenizer train DATASET OUT`",
            path=path,
        )
    tokenizer = AutoTokenizer.from_pretrained(str(path), local_files_only=True)
    ensure_padding(tokenizer)
    return tokenizer


def ensure_padding(tokenizer: PreTrainedTokenizerBase) -> None:
    """Choose a pad token in memory where a tokenizer has none, such as GPT-2's; losses ignore padding in any case."""
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token or tokenizer.bos_token
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(0)


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write `tokenizer.json`, `tokenizer_config.json` and, where there is a template, `chat_template.jinja`.

    The class is written under the name that transformers 4 knows too.
    """
    tokenizer.save_pretrained(str(folder))
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    if config.get("tokenizer_class") == "TokenizersBackend":
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
        file.write_text(json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
