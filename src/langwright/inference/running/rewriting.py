"""Models that read one text and write another: the encoder runs once a request, the decoder steps beside the others.

What cross-attention reads of a source is computed with the encoder and kept until the request ends, one row a
request; the decoder's own keys and values are kept as a causal model's are. Decoders whose positions are learned
or sinusoidal count them from the length of the cache, which is one for all rows: here each row gets its own.

Source    Raffel et al. 2020, arXiv:1910.10683, section 2.1; Lewis et al. 2020, arXiv:1910.13461, section 2.1
Shapes    B rows    S source positions    T decoder positions    H heads    D head width    V vocabulary    W width
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from transformers import Cache, DynamicCache, EncoderDecoderCache, PretrainedConfig, PreTrainedModel
from transformers.cache_utils import DynamicLayer
from transformers.modeling_outputs import BaseModelOutput

from langwright.inference.memory.cache import Columns, RunningCache, causal_mask
from langwright.inference.protocol import Token
from langwright.inference.running.lora import at_work
from langwright.inference.running.padded import PREFILL_POSITIONS, Forward, PaddedRunner
from langwright.inference.running.rows import Row
from langwright.inference.running.subject import Beginning

WIDTH_STEP = 64  # sources are given room in steps of so many positions


class SourceCache:
    """Keys and values of the sources of the running rows, in one buffer a layer; what lies behind a source is zero."""

    def __init__(self, device: torch.device, width: int) -> None:
        """width: W, of the encoder's states."""
        self.device = device
        self.lengths: list[int] = []
        self.mask_BS = torch.zeros(0, 0, dtype=torch.long, device=device)
        self.layers = Cache(layers=[])
        self._buffers: list[tuple[Tensor, Tensor]] = []
        self._nothing = torch.zeros(1, 1, width, device=device)

    @property
    def states_BSW(self) -> Tensor:
        """Stands for the encoder's states, of which the decoder reads no more than the shape; takes no memory."""
        rows, width = self.mask_BS.shape
        return self._nothing.expand(rows, width, -1)

    def join(self, parts: Sequence[tuple[Tensor, Tensor]], lengths: Sequence[int]) -> None:
        """Add sources, padded on the right, behind the running ones: keys and values (B, H, S, D) of each layer."""
        have, width = len(self.lengths), max(lengths)
        self._make_room(have + len(lengths), width, parts)
        for buffers, pair in zip(self._buffers, parts, strict=True):
            for buffer_BHSD, part_BHSD in zip(buffers, pair, strict=True):
                for row, length in enumerate(lengths):
                    buffer_BHSD[have + row, :, :length] = part_BHSD[row, :, :length]
                    buffer_BHSD[have + row, :, length:] = 0  # a masked column still takes part as 0 × what stands there
        self.lengths += lengths
        self._show()

    def leave(self, row: int) -> None:
        """Take out a row; the last one takes its place."""
        last = len(self.lengths) - 1
        if row != last:
            for pair in self._buffers:
                for buffer_BHSD in pair:
                    buffer_BHSD[row] = buffer_BHSD[last]
        self.lengths[row] = self.lengths[last]
        self.lengths.pop()
        self._show()

    def release(self) -> None:
        """Give all memory back; for when nothing runs."""
        self.lengths, self._buffers, self.layers = [], [], Cache(layers=[])

    def _make_room(self, rows: int, width: int, like: Sequence[tuple[Tensor, Tensor]]) -> None:
        width = -(-width // WIDTH_STEP) * WIDTH_STEP
        if self._buffers:
            have_rows, _, have_width, _ = self._buffers[0][0].shape
            if rows <= have_rows and width <= have_width:
                return
            rows, width = max(rows, have_rows), max(width, have_width)
        rows = 1 << (rows - 1).bit_length()
        old, running = self._buffers, len(self.lengths)
        self._buffers = [(keys.new_zeros(rows, keys.shape[1], width, keys.shape[3]),
                          values.new_zeros(rows, values.shape[1], width, values.shape[3])) for keys, values in like]  # fmt: skip
        for fresh, before in zip(self._buffers, old, strict=bool(old)):
            for buffer_BHSD, part_BHSD in zip(fresh, before, strict=True):
                buffer_BHSD[:running, :, : part_BHSD.shape[2]] = part_BHSD[:running]

    def _show(self) -> None:
        """Have the model see the rows that run, as wide as the longest of them."""
        rows, width = len(self.lengths), max(self.lengths, default=0)
        lengths_B = torch.tensor(self.lengths, device=self.device, dtype=torch.long)
        self.mask_BS = (torch.arange(width, device=self.device) < lengths_B[:, None]).long()
        layers = []
        for keys, values in self._buffers:
            layer = DynamicLayer()
            layer.keys, layer.values = keys[:rows, :, :width], values[:rows, :, :width]
            layer.dtype, layer.device, layer.is_initialized = keys.dtype, keys.device, True
            layers.append(layer)
        self.layers = Cache(layers=layers)


class WritingCache:
    """What a decoder keeps of the running rows: its own keys and values, and those of their sources."""

    def __init__(self, own: RunningCache, sources: SourceCache) -> None:
        self.own = own
        self.sources = sources

    @property
    def columns(self) -> Columns:
        return self.own.columns

    @property
    def max_rows(self) -> int:
        return self.own.max_rows

    def join(self, filled: EncoderDecoderCache, started: int, sources: Sequence[int]) -> None:
        """Add rows that were just begun with `started` positions, whose sources have these lengths."""
        self.own.join(filled.self_attention_cache, [started] * len(sources))
        crossed = [(layer.keys, layer.values) for layer in filled.cross_attention_cache.layers]
        self.sources.join(crossed, sources)

    def leave(self, row: int) -> None:
        self.own.leave(row)
        self.sources.leave(row)

    def fit(self, longest: int) -> None:
        self.own.fit(longest)

    def advance(self) -> None:
        self.own.advance()

    def release(self) -> None:
        self.own.release()
        self.sources.release()


class DecoderForward(Forward):
    """The passes of an encoder-decoder: sources read together, and one position of every running decoder."""

    def __init__(self, model: PreTrainedModel, beginning: Beginning) -> None:
        super().__init__(model)
        self.beginning = beginning
        self.forbidden = torch.tensor(beginning.forbidden, device=self.device, dtype=torch.long)

    def read(self, sources: Sequence[Sequence[int]]) -> tuple[Tensor, EncoderDecoderCache]:
        """Logits behind each token that the decoder begins with, (B, T, V), and what is kept of the rows."""
        longest = max(len(source) for source in sources)
        padded = [[*source, *[self.pad] * (longest - len(source))] for source in sources]
        ids_BS = torch.tensor(padded, device=self.device)
        lengths_B = torch.tensor([len(source) for source in sources], device=self.device)
        mask_BS = (torch.arange(longest, device=self.device) < lengths_B[:, None]).long()
        states = self.model.get_encoder()(input_ids=ids_BS, attention_mask=mask_BS)
        filled = EncoderDecoderCache(DynamicCache(), DynamicCache())
        start_BT = torch.tensor([self.beginning.start] * len(sources), device=self.device)
        output = self.model(
            encoder_outputs=BaseModelOutput(last_hidden_state=states.last_hidden_state), attention_mask=mask_BS,
            decoder_input_ids=start_BT, past_key_values=filled, use_cache=True,
        )  # fmt: skip
        return self.without_forbidden(output.logits), filled

    def last_logits(self, ids_BT: Tensor, positions_BT: Tensor, mask_BT: Tensor, cache: object) -> Tensor:
        """Logits of the last column, what is never written ruled out; shape (B, V)."""
        return self.without_forbidden(self.own_logits(ids_BT, positions_BT, mask_BT, cache))

    def own_logits(self, ids_BT: Tensor, positions_BT: Tensor, mask_BT: Tensor, cache: object) -> Tensor:
        """Logits of the last column as the model gives them, shape (B, V)."""
        assert isinstance(cache, WritingCache)
        alone = cache.max_rows == 1  # then the model counts them right by itself
        with nullcontext() if alone else positions_set(self.model, positions_BT):
            output = self.model(
                encoder_outputs=BaseModelOutput(last_hidden_state=cache.sources.states_BSW),
                attention_mask=cache.sources.mask_BS,
                decoder_input_ids=ids_BT,
                decoder_attention_mask=mask_BT,
                past_key_values=EncoderDecoderCache(cache.own, cache.sources.layers),
                use_cache=True,
            )
        logits_BV: Tensor = output.logits[:, -1]
        return logits_BV

    def without_forbidden(self, logits: Tensor) -> Tensor:
        """Logits (…, V) with what is never written at minus infinity."""
        return logits.index_fill(-1, self.forbidden, -torch.inf) if len(self.forbidden) else logits


@contextmanager
def positions_set(model: PreTrainedModel, positions_BT: Tensor) -> Iterator[None]:
    """Have a decoder that adds a vector to each position add these positions' while the block runs."""
    module = getattr(model.get_decoder(), "embed_positions", None)
    if module is None:  # relative positions, or none
        yield
        return
    table_PW = module.weight if isinstance(module, nn.Embedding) else module.weights
    own_BT = positions_BT + getattr(module, "offset", 0)
    handle = module.register_forward_hook(lambda *_: table_PW[own_BT])
    try:
        yield
    finally:
        handle.remove()


class RewritingRunner(PaddedRunner):
    """Running rows of an encoder-decoder."""

    forward: DecoderForward
    cache: WritingCache  # type: ignore[assignment]

    def __init__(self, model: PreTrainedModel, max_rows: int, max_tokens: int, beginning: Beginning) -> None:
        self.beginning = beginning
        super().__init__(model, max_rows, max_tokens)

    def prepare(self, model: PreTrainedModel, max_rows: int) -> None:
        self.forward = DecoderForward(model, self.beginning)
        self.cache = writing_cache(self.forward, max_rows)

    def admit(self, rows: Sequence[Row]) -> None:
        """Read the sources of these rows together, hand out their first tokens, and let those that go on join."""
        start, silent = self.beginning.start, len(self.beginning.silent)
        with at_work([row.adapter for row in rows]):
            logits_BTV, filled = self.forward.read([row.request.prompt for row in rows])
        for place in range(silent, len(start)):
            logprob_B = logits_BTV[:, place - 1].float().log_softmax(-1)[:, start[place]].tolist()
            for row, logprob in zip(rows, logprob_B, strict=True):
                row.say(Token(start[place], logprob))
        chosen = self._choose(rows)(logits_BTV[:, -1])
        for row, token in zip(rows, chosen.tokens, strict=True):
            if not row.ended:
                row.take(token)
            row.computed = len(start)
        self.cache.join(filled, len(start), [len(row.request.prompt) for row in rows])
        self.rows.extend(rows)
        started_B = torch.full((len(rows),), len(start), device=self.forward.device)
        self._lengths_B = torch.cat([self._lengths_B, started_B])
        self._last_B = torch.cat([self._last_B, chosen.ids_B])
        self._chooser = self._choose(self.rows)
        self.drop_ended()

    def fits(self, row: Row, others: Sequence[Row]) -> bool:
        """True when this row could still run to its end beside these and the running ones, and be read with these."""
        longest = max(len(one.request.prompt) for one in (*others, row))
        return (not others or (len(others) + 1) * longest <= PREFILL_POSITIONS) and super().fits(row, others)


def decoder_layers(config: PretrainedConfig) -> int:
    """How many layers the decoder has; families name that differently."""
    named = (getattr(config, name, None) for name in ("num_decoder_layers", "decoder_layers", "num_hidden_layers"))
    return next(count for count in named if isinstance(count, int))


def writing_cache(forward: DecoderForward, max_rows: int) -> WritingCache:
    """An empty one for this model."""
    width = forward.model.get_encoder().config.hidden_size
    return WritingCache(
        RunningCache([None] * decoder_layers(forward.config), max_rows), SourceCache(forward.device, width)
    )


SOURCES, SAID = (7, 3), (3, 1)  # positions that are tried


def tried(model: PreTrainedModel) -> tuple[list[list[int]], list[list[int]]]:
    """Two sources, and what their decoders say of them, to try a model with."""
    vocabulary = int(model.get_input_embeddings().num_embeddings)
    sources = [[(7 * place + 3) % vocabulary for place in range(count)] for count in SOURCES]
    return sources, [[(5 * place + 11) % vocabulary for place in range(count)] for count in SAID]


def joined_logits(model: PreTrainedModel, beginning: Beginning) -> Tensor:
    """Logits behind what two rows of different lengths said, of which the second joined the first; shape (2, V)."""
    forward = DecoderForward(model, beginning)
    return together(forward, writing_cache(forward, 2), *tried(model))


def lone_logits(model: PreTrainedModel, beginning: Beginning) -> Tensor:
    """The same of each row alone, without a cache; shape (2, V)."""
    device = next(model.parameters()).device
    found = []
    for source, said in zip(*tried(model), strict=True):
        told = torch.tensor([[*beginning.start, *said]], device=device)
        found.append(model(input_ids=torch.tensor([source], device=device), decoder_input_ids=told).logits[0, -1])
    return torch.stack(found)


def together(forward: DecoderForward, cache: WritingCache, sources: list[list[int]], said: list[list[int]]) -> Tensor:
    """Logits behind what each row said last, (B, V), the second row having joined at the first one's last token."""
    _, filled = forward.read(sources[:1])
    cache.join(filled, len(forward.beginning.start), [len(sources[0])])
    lengths = [len(forward.beginning.start)]
    logits_BV = torch.zeros(0)
    for step, token in enumerate(said[0]):
        tokens = [token]
        if step == len(said[0]) - 1:
            _, filled = forward.read(sources[1:])
            cache.join(filled, len(forward.beginning.start), [len(sources[1])])
            lengths.append(len(forward.beginning.start))
            tokens.append(said[1][0])
        cache.fit(max(lengths))
        lengths_B = torch.tensor(lengths, device=forward.device)
        mask_BT = causal_mask(lengths_B + 1, cache.columns.width + 1).long()
        ids_B1 = torch.tensor(tokens, device=forward.device)[:, None]
        logits_BV = forward.own_logits(ids_B1, lengths_B[:, None], mask_BT, cache)
        cache.advance()
        lengths = [length + 1 for length in lengths]
    return logits_BV
