"""Opening a tokenizer from a local folder: our own artifacts and the files other projects publish."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langwright.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def load_tokenizer(path: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder, always with a pad token.

    Takes `tokenizer.json`; `vocab.json` with `merges.txt` (GPT-2's form); `vocab.txt` (BERT's); and a SentencePiece
    `.model`. Only local files are read, and none of the folder's own code is run.

    raises  UserError when the folder holds none that can be read
    """
    if not path.is_dir():
        raise UserError(
            "there is no tokenizer folder {path}",
            fix="check the path, or make one with `langwright tokenizer train DATASET OUT`",
            path=path,
        )
    models = sorted(path.glob("*.model"))
    try:
        if (path / "tokenizer.json").is_file():
            tokenizer = automatic(path)
        elif (path / "vocab.json").is_file() and (path / "merges.txt").is_file():
            tokenizer = gpt2(path)
        elif (path / "vocab.txt").is_file():
            tokenizer = bert(path)
        elif models:
            tokenizer = from_sentencepiece(models[0])
        else:
            raise UserError(
                "{path} holds no tokenizer: none of tokenizer.json, vocab.json with merges.txt, vocab.txt, *.model",
                fix="check the path, or make one with `langwright tokenizer train DATASET OUT`",
                path=path,
            )
    except UserError:
        raise
    except Exception as error:  # the readers of four formats raise whatever a damaged file makes them raise
        raise UserError(
            "the tokenizer in {path} cannot be read: {error}",
            fix="its files are damaged or of a kind that transformers does not know",
            path=path,
            error=(str(error).strip() or type(error).__name__).splitlines()[0],
        ) from error
    ensure_padding(tokenizer)
    return tokenizer


def automatic(path: Path) -> PreTrainedTokenizerBase:
    """Whatever class the folder's configuration names."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    if (path / "tokenizer_config.json").is_file() or (path / "config.json").is_file():
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(str(path), local_files_only=True)
        return tokenizer
    return PreTrainedTokenizerFast(tokenizer_file=str(path / "tokenizer.json"))


def gpt2(path: Path) -> PreTrainedTokenizerBase:
    """Byte-level BPE in GPT-2's two files."""
    from transformers import AutoTokenizer, GPT2Tokenizer

    if (path / "tokenizer_config.json").is_file() or (path / "config.json").is_file():
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(str(path), local_files_only=True)
        return tokenizer
    return GPT2Tokenizer.from_pretrained(str(path), local_files_only=True)


def bert(path: Path) -> PreTrainedTokenizerBase:
    """WordPiece; lower case unless a configuration says otherwise, as in BERT's own loader."""
    from transformers import BertTokenizer

    return BertTokenizer.from_pretrained(str(path), local_files_only=True)


def from_sentencepiece(file: Path) -> PreTrainedTokenizerBase:
    """A SentencePiece model with the marks its file names."""
    from transformers import PreTrainedTokenizerFast

    from langwright.tokenizers.sentencepiece import read_model, to_tokenizer

    model = read_model(file)
    ids = {"unk_token": model.unk_id, "bos_token": model.bos_id, "eos_token": model.eos_id, "pad_token": model.pad_id}
    marks: dict[str, Any] = {name: model.pieces[id][0] for name, id in ids.items() if 0 <= id < len(model.pieces)}
    return PreTrainedTokenizerFast(tokenizer_object=to_tokenizer(model), clean_up_tokenization_spaces=False, **marks)


def ensure_padding(tokenizer: PreTrainedTokenizerBase) -> None:
    """Choose a pad token in memory where a tokenizer has none, such as GPT-2's; losses ignore padding in any case."""
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token or tokenizer.bos_token
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(0)


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write `tokenizer.json`, `tokenizer_config.json` and, where there is a template, `chat_template.jinja`.

    The class is written under the name that transformers 4 knows too, and nothing of how the tokenizer was opened.
    """
    tokenizer.save_pretrained(str(folder))
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    config = {name: value for name, value in config.items() if name not in ("is_local", "local_files_only")}
    if config.get("tokenizer_class") == "TokenizersBackend":
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
    file.write_text(json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
