"""From bytes to clean text: finding the encoding, decoding as a stream, and what is done to every text.

Found in this order, from a bounded sample that begins at the first byte that is not ASCII: a byte-order mark; NUL
bytes at every other place (UTF-16); valid UTF-8; UTF-8 with few broken characters; GB18030 (which holds GBK and
GB2312) with the characters that Chinese text is made of; and only then the guess of charset-normalizer.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from langwright.errors import UserError

CHUNK = 1 << 20  # bytes decoded at a time
SAMPLE = 128 << 10  # bytes looked at to find an encoding
ASCII_SEARCH = 64 << 20  # bytes searched for the first that is not ASCII
MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
REPLACED = "\ufffd"
COMMON = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"
)
WESTERN = frozenset("àâäáãåæçèéêëìíîïñòóôöõøùúûüÿßœÀÂÄÁÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÖÕØÙÚÛÜŒ“”‘’„‚–—…«»°€£§©®™·¿¡ªº²³½×\xa0")
UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ud800-\udfff]")
LINE_ENDS = re.compile("[\x85\u2028\u2029]")


# --- one text ------------------------------------------------------------------------------------


def clean_text(text: str) -> str:
    """NFC, one kind of line end, no control characters but tab and line end, nothing that UTF-8 cannot write."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii():
        return UNWANTED.sub("", text)
    text = UNWANTED.sub(lambda match: REPLACED if match[0] >= "\ud800" and match[0] != "\ufeff" else "", text)
    return unicodedata.normalize("NFC", LINE_ENDS.sub("\n", text))


# --- a file --------------------------------------------------------------------------------------


@dataclass
class Decoding:
    """What was found while a file was decoded."""

    encoding: str
    characters: int = 0
    broken: int = 0  # characters replaced
    first_broken: int | None = None  # byte offset


@contextmanager
def open_bytes(path: Path) -> Iterator[tuple[BinaryIO | gzip.GzipFile, BinaryIO]]:
    """The file's bytes, unpacked where it ends in .gz, and the file itself, whose position shows the progress."""
    with path.open("rb") as raw:
        if path.suffix.lower() == ".gz":
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield unpacked, raw
        else:
            yield raw, raw


def read_text(
    path: Path, encoding: str, max_broken: float, at: Callable[[int], None] = lambda _: None
) -> tuple[Iterator[str], Decoding]:
    """The file as text in chunks with `\\n` line ends, and what is known of it when the chunks are read.

    encoding    "auto", or a name Python knows
    max_broken  share of characters that may be broken
    at          told how many bytes of the file on disk are read
    raises      UserError, here or while reading: unknown or untold encoding, binary file, damaged gzip, more
                broken characters than allowed
    """
    with readable(path):
        found = Decoding(find_encoding(path) if encoding == "auto" else known_encoding(encoding))
    return decoded(path, found, max_broken, at), found


def decoded(path: Path, found: Decoding, max_broken: float, at: Callable[[int], None]) -> Iterator[str]:
    """Chunks of text; broken characters are replaced and counted, and refused at the end when they are too many."""
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    decoder = codecs.getincrementaldecoder(found.encoding)("strict")
    position = 0
    with readable(path), open_bytes(path) as (stream, raw):
        while True:
            block = stream.read(CHUNK)
            text = decode_block(decoder, block, position, found)
            if position == 0:
                text = text.removeprefix("\ufeff")
            position += len(block)
            found.characters += len(text)
            yield newlines.decode(text, final=not block)
            at(raw.tell())
            if not block:
                break
    if found.broken > max_broken * found.characters:
        raise UserError(
            "{path}: {broken} characters are broken in {encoding}, the first at byte {offset}",
            fix="name the right encoding with --set encoding=NAME, or allow more with --set max_broken=SHARE",
            path=path,
            broken=found.broken,
            encoding=found.encoding,
            offset=found.first_broken,
        )


def decode_block(decoder: codecs.IncrementalDecoder, block: bytes, position: int, found: Decoding) -> str:
    """One block's text; where it is broken, the block is decoded again with replacements."""
    before = decoder.getstate()
    try:
        return decoder.decode(block, final=not block)
    except UnicodeDecodeError as error:
        if found.first_broken is None:
            found.first_broken = position - len(before[0]) + error.start
    lenient = codecs.getincrementaldecoder(found.encoding)("replace")
    lenient.setstate(before)
    text = lenient.decode(block, final=not block)
    decoder.setstate(lenient.getstate())
    written = (before[0] + block).count(REPLACED.encode(found.encoding, "ignore") or b"\xff\xff\xff\xff")
    found.broken += max(text.count(REPLACED) - written, 1)
    return text


# --- finding the encoding ------------------------------------------------------------------------


def known_encoding(name: str) -> str:
    """The codec of a name; UserError when Python knows none of it."""
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise UserError(
            "no encoding called {name!r} is known",
            fix="give one such as utf-8, gb18030, big5 or utf-16, or leave it at auto",
            name=name,
        ) from None


def find_encoding(path: Path) -> str:
    """The encoding of a file; UserError when it is not text or cannot be told."""
    sample, first, complete = sample_of(path)
    for mark, name in MARKS:
        if first.startswith(mark):
            return name
    wide = wide_encoding(first)
    if wide:
        return wide
    if b"\0" in first or b"\0" in sample:
        raise UserError(
            "{path} is not text: it holds NUL bytes", fix="leave it out, for a folder with --set exclude", path=path
        )
    guess = encoding_of(sample, complete)
    if guess is None:
        raise UserError(
            "the encoding of {path} cannot be told", fix="name it with --set encoding=NAME, such as gb18030", path=path
        )
    return guess


def sample_of(path: Path) -> tuple[bytes, bytes, bool]:
    """Bytes from the first that is not ASCII, the file's first bytes, and whether the sample reaches the end."""
    with open_bytes(path) as (stream, _):
        block = first = stream.read(CHUNK)
        searched = len(block)
        while block.isascii() and len(block) == CHUNK and searched < ASCII_SEARCH:
            block = stream.read(CHUNK)
            searched += len(block)
        match = re.search(rb"[\x80-\xff]", block)
        sample = block[match.start() :] if match else b""
        if len(sample) < SAMPLE:
            sample += stream.read(SAMPLE - len(sample))
        complete = len(sample) <= SAMPLE and not stream.read(1)
        return sample[:SAMPLE], first[:4096], complete


def wide_encoding(first: bytes) -> str | None:
    """UTF-16 without a mark: ASCII characters among the text leave NULs at every other byte."""
    even, odd = first[0::2].count(0), first[1::2].count(0)
    many = len(first) // 2 * 0.3
    if odd > many and not even:
        return "utf-16-le"
    if even > many and not odd:
        return "utf-16-be"
    return None


def encoding_of(sample: bytes, complete: bool) -> str | None:
    """The encoding of bytes that begin with a character outside ASCII, or None when it cannot be told."""
    if decodes(sample, "utf-8", complete) is not None:
        return "utf-8"
    lenient = codecs.getincrementaldecoder("utf-8")("replace").decode(sample, final=complete)
    wide = sum(character > "\x7f" for character in lenient)
    if wide - lenient.count(REPLACED) >= 20 * lenient.count(REPLACED):
        return "utf-8"
    chinese = decodes(sample, "gb18030", complete)
    if chinese is not None and reads_as_chinese(chinese, sample):
        return "gb18030"
    if reads_as_western(sample):
        return "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(sample, enable_fallback=False).best()
    if best is not None:
        return codecs.lookup(best.encoding).name
    return "utf-8" if wide > 2 * lenient.count(REPLACED) else None


def reads_as_chinese(text: str, sample: bytes) -> bool:
    """Whether a GB18030 reading has what Chinese text has: GB2312's pairs, and its commonest characters."""
    pairs = len(re.findall(rb"[\xa1-\xf7][\xa1-\xfe]", sample))
    wide = [character for character in text if character > "\x7f"]
    chinese = [character for character in wide if "\u4e00" <= character <= "\u9fff"]
    if not chinese or pairs < 0.9 * len(wide):
        return False
    common = sum(character in COMMON for character in chinese) / len(chinese)
    first_level = len(re.findall(rb"[\xb0-\xd7][\xa1-\xfe]", sample)) / max(len(chinese), 1)
    return common >= 0.08 if len(chinese) >= 200 else first_level >= 0.7


def reads_as_western(sample: bytes) -> bool:
    """Whether a Windows-1252 reading has few signs beside the letters and quotes of Western Europe, and many ASCII ones.

    A few accents in an English text fit dozens of single-byte encodings; this one is by far the likeliest.
    """
    text = decodes(sample, "cp1252", complete=True)
    if text is None:
        return False
    wide = [character for character in text if character > "\x7f"]
    return len(wide) < 0.3 * len(text) and sum(character in WESTERN for character in wide) >= 0.98 * len(wide)


def decodes(sample: bytes, encoding: str, complete: bool) -> str | None:
    """The text of bytes that may end inside a character, or None when they are not of this encoding."""
    try:
        return codecs.getincrementaldecoder(encoding)("strict").decode(sample, final=complete)
    except UnicodeDecodeError:
        return None


class readable:
    """Turns what the system or gzip says of a file that cannot be read into a UserError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, (gzip.BadGzipFile, EOFError, zlib.error)):
            raise UserError(
                "{path} is a damaged gzip file: {error}",
                fix="get it again, or leave it out",
                path=self.path,
                error=error,
            ) from None
        if isinstance(error, OSError):
            raise UserError(
                "{path} cannot be read: {error}",
                fix="see that you may read it, or leave it out",
                path=self.path,
                error=error.strerror or error,
            ) from None
