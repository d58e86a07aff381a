r"""Byte-level byte-pair encoding, good for Chinese, English and code.

Source    Sennrich et al. 2016, arXiv:1508.07909 (byte-pair encoding); Radford et al. 2019, GPT-2, section 2.2
          (bytes as the alphabet: nothing is ever unknown)

Text is cut into pre-tokens first, and no token reaches across a cut. Three cuts, one after the other, as published
with DeepSeek-V3 (arXiv:2412.19437, section 4.1) and known to llama.cpp as `deepseek3-llm`, so that an exported
vocabulary is read there in the same way:

1. `\p{N}`: every digit stands alone. Without single digits, groups of up to three. (A vocabulary learned from single
   digits has no token of two, so it also reads the same where groups of three are cut.)
2. `[一-龥぀-ゟ゠-ヿ]+`: a run of Chinese characters or Japanese kana, apart from Latin letters, spaces and punctuation
   around it, so that 我们用Python写 gives 我们用, Python, 写. Chinese has no spaces: which words become tokens inside a
   run is learned from how often characters stand together, and `max_token_bytes` keeps whole clauses from it.
3. Words with one space or sign before them, runs of punctuation, line ends, runs of spaces (code's indentation).

For a vocabulary of characters every character is cut off by itself: merges join the bytes of one character and never
two characters, and a character too rare to have a token of its own stays bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from langwright.errors import UserError
from langwright.runlog import Progressed, RunLog
from langwright.tokenizers.settings import TokenizerSettings
from langwright.tokenizers.templates import DEFAULT_TEMPLATE

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

END_OF_TEXT = "<|endoftext|>"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"
PADDING = "<|pad|>"
SPECIAL_TOKENS = (END_OF_TEXT, TURN_START, TURN_END, PADDING)

ONE_DIGIT, THREE_DIGITS = r"\p{N}", r"\p{N}{1,3}"
ANY_CHARACTER = r"[\s\S]"
CHINESE_RUN = "[一-龥぀-ゟ゠-ヿ]+"
WORDS = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"  # .append 's
    r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"  # a word, with the space before it
    r"| ?[\p{P}\p{S}]+[\r\n]*"  # punctuation, with the line end after it
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"  # spaces, but for the one that belongs to the next word
    r"|\s+"
)
REPORT_BYTES = 4 << 20


def train_tokenizer(
    texts: Iterator[str], settings: TokenizerSettings, log: RunLog, total_bytes: int | None = None
) -> PreTrainedTokenizerFast:
    """A tokenizer learned from texts, with end-of-text, turn and padding tokens and the ChatML template.

    The same texts in the same order and the same settings give the same tokenizer.

    raises  UserError when the texts do not allow as many tokens as asked for
    """
    from tokenizers import pre_tokenizers, trainers

    tokenizer = untrained(settings)
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocab_size,
        min_frequency=settings.min_frequency,
        max_token_length=settings.max_token_bytes + 1,  # the library keeps below this number
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(counted(texts, log, total_bytes), trainer)
    if tokenizer.get_vocab_size() < settings.vocab_size and settings.unit == "piece":
        raise UserError(
            "the text allows a vocabulary of {largest} tokens at most, and {asked} were asked for",
            fix="ask for at most {largest} with vocab_size, or give more text",
            largest=tokenizer.get_vocab_size(),
            asked=settings.vocab_size,
        )
    return wrap(tokenizer)


def untrained(settings: TokenizerSettings) -> Tokenizer:
    """The rules without a vocabulary."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.BPE())
    pieces = (ONE_DIGIT if settings.split_digits else THREE_DIGITS, CHINESE_RUN, WORDS)
    cuts = (ANY_CHARACTER,) if settings.unit == "character" else pieces
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            *(pre_tokenizers.Split(Regex(cut), "isolated") for cut in cuts),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def wrap(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """The tokenizer as transformers knows it."""
    from transformers import PreTrainedTokenizerFast

    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END_OF_TEXT,
        pad_token=PADDING,
        additional_special_tokens=[TURN_START, TURN_END],
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = DEFAULT_TEMPLATE
    return wrapped


def counted(texts: Iterator[str], log: RunLog, total_bytes: int | None) -> Iterator[str]:
    """The texts, reporting how much was read."""
    done = reported = 0
    for text in texts:
        yield text
        done += len(text.encode())
        if done - reported >= REPORT_BYTES:
            reported = done
            log.write(Progressed(what="reading", done=done, total=total_bytes))
    log.write(Progressed(what="reading", done=done, total=done))
