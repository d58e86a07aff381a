"""A model that reads, made ready for many texts: its products exchanged, its rows laid beside each other, both tried.

What a head or an encoder says is measured before, on a few texts, each read alone; then its linear layers are exchanged
(kernels/preparing.py), and if it is an encoder, rows are laid beside each other (beside.py). Whatever does not say the
same is put back, and the reason kept: no list of names and no flag decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from langwright.inference.kernels.preparing import Prepared, Report, prepared
from langwright.inference.precision import Numbers, Precision, Preparation
from langwright.inference.reading.beside import lay_beside, seen_beside
from langwright.inference.reading.likeness import Likeness, Outputs, trial_rows
from langwright.inference.running.attention import Unpackable
from langwright.inference.running.tiers import Why, refused
from langwright.models.adapters import virtual_tokens
from langwright.wording import Language, say

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Ready:
    """How a model reads.

    beside    whether texts lie beside each other in its layers, without padding
    report    what its products are computed in
    likeness  what it says now, beside what it said; None where nothing was changed
    whys      why it is not all that was asked for
    """

    beside: bool = False
    report: Report = field(default_factory=lambda: Report("float32", strict=False))
    likeness: Likeness | None = None
    whys: tuple[Why, ...] = ()

    @property
    def alone(self) -> bool:
        """Whether each text has to be read by itself, so that what is said of it does not depend on others."""
        return self.report.strict and not self.beside

    def reasons(self, lang: Language | None = None) -> list[str]:
        """Why it is not all that was asked for, in the language in force or in `lang`."""
        return [say(why.problem, lang=lang, **why.values) for why in self.whys]


def made_ready(model: PreTrainedModel, numbers: Numbers, tokenizer: PreTrainedTokenizerBase, length: int) -> Ready:
    """Make a model in evaluation mode ready to read, in place and for good.

    length  most tokens of a row
    raises  UserError for strict, int8 and int4 elsewhere than on the CPU
    """
    rows = trial_rows(tokenizer, length)
    if model.config.is_encoder_decoder or virtual_tokens(model) or not rows:
        return Ready(whys=(Why("its rows are read as transformers reads them"),))
    whys: list[Why] = []
    for precision in dict.fromkeys((numbers.precision, "float32")):
        gate = Outputs(model, rows, precision)
        try:
            done = exchanged(model, precision, numbers.strict, gate)
        except Unpackable as error:
            whys.append(Why(error.problem, error.values))
            continue
        beside = found_beside(model, gate, done.undo, whys)
        done.undo.clear()  # nobody else has the model
        return Ready(beside, done.report, gate.together(model), tuple(whys))
    return Ready(whys=tuple(whys))


def exchanged(model: PreTrainedModel, precision: Precision, strict: bool, gate: Outputs) -> Prepared:
    """The model with other products in its linear layers.

    raises  Unpackable where it does not run so, or says something else; it is as it was then
    """
    preparation = Preparation(precision, strict, reads=True)
    done = refused(lambda: prepared(model, preparation, gate))
    try:
        same_as_ever(refused(lambda: gate.quality(model)), say("in {precision}", precision=precision))
    except BaseException:
        done.release()
        raise
    return done


def found_beside(
    model: PreTrainedModel, gate: Outputs, undo: list[Callable[[], object]], whys: list[Why]
) -> bool:  # fmt: skip
    """Whether texts lie beside each other in the model now; as it was where it does not say the same so."""
    laid: list[Callable[[], object]] = []
    try:
        laid += lay_beside(model)
        with seen_beside(model):
            same_as_ever(refused(lambda: gate.together(model)), say("beside each other"))
    except Unpackable as error:
        for back in reversed(laid):
            back()
        whys.append(Why(error.problem, error.values))
        return False
    undo += laid
    return True


def same_as_ever(found: Likeness, how: str) -> None:
    """Unpackable where outputs are too far from those of the model as it came."""
    if not found.holds():
        raise Unpackable(
            "{how} it says something else: by {apart:.2g} of its outputs, {most:g} is allowed",
            how=how, apart=found.apart, most=found.most,
        )  # fmt: skip
