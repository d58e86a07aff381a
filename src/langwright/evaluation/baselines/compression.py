"""What a general compressor makes of held-out text after it has seen the training text: a bar any model should clear.

size(xz(train + validation)) - size(xz(train)), in bits per byte of validation, at `xz -9e`. Documents are
joined without a separator, so neither side is charged for where one ends. The dictionary of -9 is 64 MiB:
of a longer training text only the last 64 MiB help.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from langwright.runlog import Progressed, RunLog

PRESET = 9 | lzma.PRESET_EXTREME
BLOCK = 1 << 20  # bytes handed to the compressor together


@dataclass(frozen=True)
class Compressed:
    """Sizes in bytes."""

    train: int
    validation: int
    train_packed: int  # size(xz(train))
    both_packed: int  # size(xz(train + validation))

    @property
    def bits_per_byte(self) -> float:
        """Bits the compressor spends on a byte of validation, given train. ZeroDivisionError without validation."""
        return 8 * (self.both_packed - self.train_packed) / self.validation


def conditional_xz(train: Iterable[str], validation: Iterable[str], log: RunLog | None = None) -> Compressed:
    """Compress train alone, and train followed by validation, in one pass over the texts.

    A compressor cannot be copied half-way, so the two run side by side, one thread each; about 0.7 GB each.
    """
    log = log or RunLog(None)
    alone, both = (lzma.LZMACompressor(format=lzma.FORMAT_XZ, preset=PRESET) for _ in range(2))
    sizes = [0, 0]
    packed = [0, 0]
    with ThreadPoolExecutor(max_workers=2) as pool:
        for block in blocks(train):
            parts = pool.map(lambda compressor: len(compressor.compress(block)), (alone, both))  # noqa: B023
            packed = [before + new for before, new in zip(packed, parts, strict=True)]
            sizes[0] += len(block)
            log.write(Progressed(what="compressing bytes", done=sizes[0]))
    packed[0] += len(alone.flush())
    for block in blocks(validation):
        packed[1] += len(both.compress(block))
        sizes[1] += len(block)
        log.write(Progressed(what="compressing bytes", done=sum(sizes)))
    packed[1] += len(both.flush())
    return Compressed(sizes[0], sizes[1], packed[0], packed[1])


def blocks(texts: Iterable[str]) -> Iterator[bytes]:
    """The texts as UTF-8, end to end, in blocks of about a megabyte."""
    waiting = bytearray()
    for text in texts:
        waiting += text.encode("utf-8")
        if len(waiting) >= BLOCK:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)
