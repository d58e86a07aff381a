"""Opening models and writing them: any local Hugging Face folder, or a model of the Hub by name.

Weights are safetensors and nothing else: a pickle can run code when it is opened. Code that comes with
a checkpoint is never run.
"""

from __future__ import annotations

import errno
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from langwright.errors import UserError
from langwright.models.dropout import with_dropout
from langwright.models.heads import Head, Tags
from langwright.models.stretching import Stretch, stretched
from langwright.models.task_heads import ENDINGS, class_for, fitted, fresh, renamed_body
from langwright.tokenizers.loading import save_tokenizer

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

Attention = Literal["auto", "langwright", "sdpa", "eager"]

OTHER_WORK = ("ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering",
              "ForMultipleChoice", "ForConditionalGeneration", "ForPreTraining")  # fmt: skip
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle", "*.h5", "*.msgpack")
FETCHED = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.model", "*.txt", "*.jinja")


def locate(name: str) -> Path:
    """The folder of a model: a local one as given, else one of the Hub, fetched if it is not in the cache.

    name    a local folder, `hf:owner/name`, or `owner/name` where there is nothing of that name here;
            only the last two touch the network, and not when HF_HUB_OFFLINE=1
    raises  UserError when there is none
    """
    if not name.startswith("hf:"):
        path = Path(name)
        owner, slash, rest = name.partition("/")
        remote = slash and rest and "/" not in rest and owner not in ("", ".", "..", "~") and not Path(owner).exists()
        if path.exists() or not remote:
            return existing_folder(path)
    return fetch(name.removeprefix("hf:"))


def existing_folder(path: Path) -> Path:
    """The path if it is a folder; UserError otherwise."""
    if not path.is_dir():
        raise UserError(
            "there is no model folder {path}",
            fix="check the path; a model of the Hugging Face Hub is named hf:owner/name",
            path=path,
        )
    return path


def fetch(repository: str) -> Path:
    """The local copy of a Hub repository, its safetensors, configuration and tokenizer only.

    raises  UserError when it does not exist, or is not cached and the network is off or unreachable
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the library is first imported
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, allow_patterns=list(FETCHED)))
    except LocalEntryNotFoundError as error:
        raise UserError(
            "{repository} is not on this machine and the Hugging Face Hub was not reached",
            fix="connect to the network and unset HF_HUB_OFFLINE, or give a local folder",
            repository=repository,
        ) from error
    except (HfHubHTTPError, HFValidationError, httpx.HTTPError) as error:
        raise UserError(
            "{repository} cannot be had from the Hugging Face Hub: {reason}",
            fix="check the name; a private model needs HF_TOKEN in the environment",
            repository=repository,
            reason=str(error).strip().splitlines()[0],
        ) from error


def load_model(
    path: Path,
    head: Head = "causal",
    labels: Sequence[str] = (),
    *,
    attention: Attention = "auto",
    dtype: torch.dtype | None = None,
    seed: int = 0,
    dropout: float | None = None,
    tags: Tags | None = None,
    stretch: Stretch | None = None,
) -> PreTrainedModel:
    """A model of a local folder, on the CPU, in evaluation mode.

    head       see `heads.auto_class`; a decoder's classification reads the last token that is not padding
    labels     names of the classes or tags, where the head is to be made anew, without words that it was told of; a
               model knows its own
    attention  auto takes "langwright" for the families it is tested with, else transformers' own choice
    dtype      float32 when left out
    seed       draws the weights of a head that is made anew; torch's own generator is left as it was
    dropout    share of activations set to zero in training; the model's own when left out
    tags       how a tagging head is to be read; as the folder says when left out
    stretch    scales its rotary positions for a longer context
    raises     UserError when the folder holds no model that can be opened so
    """
    import torch
    from safetensors import SafetensorError

    from langwright.models.building import generator_kept

    config = read_config(path) if stretch is None else stretched(read_config(path), stretch)
    check_work(path, config, head)
    check_weights(path)
    options: dict[str, Any] = {
        "dtype": torch.float32 if dtype is None else dtype,
        "attn_implementation": chosen_attention(config, attention),
        "local_files_only": True,
        "use_safetensors": True,
        "trust_remote_code": False,
    }
    if head in ENDINGS:
        config = fitted(head, config, path, labels)
        if config.pad_token_id is None:  # by which the last token of a text is found
            config.pad_token_id = pad_id_of(path, config)
    if dropout is not None:
        config = with_dropout(config, dropout)
    if tags is not None:
        config.tags = tags
    try:
        auto = class_for(head, config)
        if head == "span":
            options["key_mapping"] = renamed_body(auto, config)
        with quiet(), generator_kept():
            torch.default_generator.manual_seed(seed)
            found, report = auto.from_pretrained(str(path), config=config, output_loading_info=True, **options)
    except (ValueError, OSError, RuntimeError, ImportError, SafetensorError) as error:
        raise unreadable(path, config, head, error) from error
    model: PreTrainedModel = found
    check_complete(path, model, report["missing_keys"], head)
    if head == "tagging" and tags_of(model.config) == "crf":
        add_chain(model, kept_beside(path, "chain"))
    if getattr(model.config, "lexical", None):
        if head == "classification" and not labels:
            add_kept_lexical(model, path)
        else:
            model.config.lexical = None
    return model.eval()


def tags_of(config: PreTrainedConfig) -> Tags:
    """How a tagging head is read."""
    found: Tags = getattr(config, "tags", "independent")
    return found


def add_chain(model: PreTrainedModel, kept: dict[str, Tensor]) -> None:
    """Put a conditional random field beside a tagging head, so that it is trained and saved with it.

    kept  its weights; of another number of tags, or none, they begin at 0
    """
    from langwright.models.chain import NAME, Chain

    chain = Chain([str(model.config.id2label[place]) for place in range(model.config.num_labels)])
    if {name: weight.shape for name, weight in kept.items()} == {n: w.shape for n, w in chain.state_dict().items()}:
        chain.load_state_dict(kept)
    model.add_module(NAME, chain.to(next(model.parameters()).device))


def add_kept_lexical(model: PreTrainedModel, path: Path) -> None:
    """Put what a folder's head is told of words beside it again; UserError where it is damaged."""
    from langwright.models.lexical import NAME, add_lexical, made_lexical

    try:
        add_lexical(model, made_lexical(model.config, kept_beside(path, NAME)))
    except (ValueError, TypeError) as error:
        raise UserError(
            "{path} is said to know words, and what it knows of them cannot be read: {reason}",
            fix="fetch or make the model again",
            path=path,
            reason=error,
        ) from error


def kept_beside(path: Path, name: str) -> dict[str, Tensor]:
    """The weights of a module of ours in a folder, such as a conditional random field; none where it has no such thing."""
    from safetensors import safe_open

    found: dict[str, Tensor] = {}
    for file in sorted(path.glob("model*.safetensors")):
        with safe_open(file, "pt") as weights:
            names = [one for one in weights.keys() if one.startswith(f"{name}.")]  # noqa: SIM118  not a dict
            found |= {one.removeprefix(f"{name}."): weights.get_tensor(one) for one in names}
    return found


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase | None, out: Path) -> None:
    """Write a plain Hugging Face folder: config.json, safetensors, and the tokenizer with its chat template.

    Nothing in it names the folder the model came from.
    """
    named = model.config._name_or_path
    model.config._name_or_path = ""
    try:
        with quiet():
            model.save_pretrained(str(out))
    finally:
        model.config._name_or_path = named
    if tokenizer is not None:
        save_tokenizer(tokenizer, out)


# --- what load_model looks at first --------------------------------------------------------------


def read_config(path: Path) -> PreTrainedConfig:
    """The config of a model folder; UserError when there is none, it is damaged, or its architecture is unknown."""
    from transformers import AutoConfig

    file = existing_folder(path) / "config.json"
    if not file.is_file():
        raise UserError(
            "{path} holds no model: it has no config.json",
            fix="give a folder that `langwright pretrain` wrote, or one in Hugging Face's layout",
            path=path,
        )
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UserError(
            "{file} cannot be read: {reason}", fix="fetch or make the model again", file=file, reason=error
        ) from None
    if not isinstance(content, dict) or ("auto_map" in content and content.get("model_type") is None):
        raise foreign_code(path)
    try:
        return AutoConfig.from_pretrained(str(path), local_files_only=True, trust_remote_code=False)
    except ValueError as error:
        if "trust_remote_code" in str(error) or "auto_map" in content:
            raise foreign_code(path) from error
        raise UserError(
            "{path} is of a kind that is not known here: {kind}",
            fix="a causal language model of Hugging Face transformers is needed; a newer version may know this one",
            path=path,
            kind=content.get("model_type", "?"),
        ) from error


def foreign_code(path: Path) -> UserError:
    """For a checkpoint that brings its own Python code."""
    return UserError(
        "{path} needs code of its own to be run, which is never done here",
        fix="convert it to an architecture that transformers itself has",
        path=path,
    )


def check_work(path: Path, config: PreTrainedConfig, head: Head) -> None:
    """UserError when a model made for other work is asked to go on from a text."""
    other = [str(name) for name in config.architectures or () if str(name).endswith(OTHER_WORK)]
    if head == "causal" and other:
        raise UserError(
            "{path} is a {architecture}, which cannot go on from a text",
            fix="give a causal language model, such as one that `langwright pretrain` makes",
            path=path,
            architecture=other[0],
        )


def check_weights(path: Path) -> None:
    """UserError unless the folder holds safetensors."""
    if any((path / name).is_file() for name in WEIGHTS):
        return
    pickles = sorted(file.name for pattern in PICKLES for file in path.glob(pattern))
    if pickles:
        raise UserError(
            "{path} holds its weights as {name}, which can run code when it is opened",
            fix="convert it in a place you trust: load it there with transformers and call save_pretrained, "
            "which writes model.safetensors",
            path=path,
            name=pickles[0],
        )
    raise UserError(
        "{path} holds no weights: model.safetensors is missing", fix="fetch or make the model again", path=path
    )


def chosen_attention(config: PreTrainedConfig, attention: Attention) -> str | None:
    """What to tell transformers; importing the module registers "langwright"."""
    from langwright.models.attention import FAMILIES, attention_for

    if attention == "auto":
        return attention_for(config)
    if attention == "langwright" and config.model_type not in FAMILIES:
        raise UserError(
            "attention inside documents is not tested with models of kind {kind}",
            fix="leave the attention on auto; known kinds: {kinds}",
            kind=config.model_type,
            kinds=", ".join(sorted(FAMILIES)),
        )
    return attention


def pad_id_of(path: Path, config: PreTrainedConfig) -> int:
    """The pad token of the folder's tokenizer, else the end of text, else the first id."""
    from langwright.tokenizers.loading import load_tokenizer

    if (path / "tokenizer.json").is_file() or (path / "tokenizer_config.json").is_file():
        return int(load_tokenizer(path).pad_token_id)
    end = config.eos_token_id
    return int(end) if isinstance(end, int) else 0


def check_complete(path: Path, model: PreTrainedModel, missing: Sequence[str], head: Head) -> None:
    """UserError when weights that are not a new head's were not in the folder."""
    new = fresh(model.base_model_prefix, missing) if head in ENDINGS else set()
    if head == "backbone":  # masked language models have none, and it is learned anew where it is used
        new = {name for name in missing if name.startswith("pooler.")}
    absent = sorted(set(missing) - new)
    if absent:
        raise UserError(
            "{path} is not a whole {architecture}: {count} weights are missing, the first is {name}",
            fix="give the model it was meant for, or fetch it again",
            path=path,
            architecture=type(model).__name__,
            count=len(absent),
            name=absent[0],
        )


def unreadable(path: Path, config: PreTrainedConfig, head: Head, error: Exception) -> UserError:
    """transformers' complaint as ours."""
    if "Unrecognized configuration class" in str(error):
        return UserError(
            "{path} is a {kind}, which cannot be used as a {head} model",
            fix="give a causal language model, such as one that `langwright pretrain` makes",
            path=path,
            kind=config.model_type,
            head=head,
        )
    closed = [file for file in sorted(path.glob("*.safetensors")) if not os.access(file, os.R_OK)]
    if closed:  # safetensors says of such a file that it does not exist
        return UserError(
            "{file} cannot be read: {reason}",
            fix="let this account read it: chmod -R a+rX {path}",
            file=closed[0],
            path=path,
            reason=os.strerror(errno.EACCES),
        )
    return UserError(
        "the weights of {path} cannot be read: {reason}",
        fix="fetch or make the model again",
        path=path,
        reason=str(error).strip().splitlines()[0],
    )


@contextmanager
def quiet() -> Iterator[None]:
    """transformers and peft without progress bars, load reports and notices of deprecation between the two.

    What matters in them is raised as a UserError.
    """
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
