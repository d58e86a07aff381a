"""A model made ready to serve in a precision: its linear layers exchanged, tried, and put back at the end.

    float32   weights laid out once for oneDNN; torch's own float32 products, those of MKL, are slow on AMD
    bfloat16  the same
    int8      W8A8, each row of activations scaled on its own
    int4      weights of 4 bits for one to four rows, int8 for more

What a layer cannot be, or is found not to be right in, it is not: it stays in bfloat16, and the report says
why. `strict` makes every row's result independent of the rows beside it, bit for bit.

Source    products.py, rows.py and steady.py name theirs
Shapes    M rows    K inputs    N outputs
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from langwright.errors import UserError
from langwright.inference.kernels.linears import Site, Stand, joined, weighed_alike
from langwright.inference.kernels.machine import error_of, most_error, product_of, why_not, works
from langwright.inference.kernels.products import FEW, Int4, Int8, Kind, Product
from langwright.inference.kernels.quality import Gate, Held, Yardstick, keep_until, own_text
from langwright.inference.kernels.rows import Multiply, Steady, same_bits, trial_rows
from langwright.inference.kernels.sharing import apart, forward, linear_names, shared_inputs, trial_ids
from langwright.inference.kernels.steady import make_steady, undo_steady
from langwright.inference.precision import Precision, Preparation, Rows
from langwright.models import chain, lexical
from langwright.wording import say

WISHES: dict[Precision, tuple[Kind, ...]] = {
    "float32": ("packed", "plain"),
    "bfloat16": ("packed", "plain"),
    "int8": ("int8", "packed", "plain"),
    "int4": ("int4", "int8", "packed", "plain"),
}
"""What each layer is to be, the first that it can be."""
CHEAP: tuple[Kind, ...] = ("int8", "int4")


@dataclass(frozen=True)
class Layer:
    """How one product of a model is computed: one linear layer, or several with the same input.

    shape  outputs, inputs
    error  root mean square error on random rows, as a share of what should come out
    why    why it is not what the precision asks for; None when it is
    """

    names: tuple[str, ...]
    shape: tuple[int, int]
    kind: Kind
    error: float
    why: str | None = None


@dataclass(frozen=True)
class Report:
    """What was done to a model.

    layers    every linear layer
    steady    modules beside them in which rows are kept apart; only where strict
    error     of the logits on random tokens, as a share of their size
    quality   on the rows that were given; None without any
    """

    precision: Precision
    strict: bool
    reads: bool = False
    layers: tuple[Layer, ...] = ()
    steady: tuple[str, ...] = ()
    error: float = 0.0
    quality: Held | None = None

    @property
    def wishes(self) -> tuple[Kind, ...]:
        """What each layer is to be, the first that it can be."""
        return WISHES[self.precision]

    def counts(self) -> dict[Kind, int]:
        """Linear layers of each kind."""
        found: dict[Kind, int] = {}
        for layer in self.layers:
            found[layer.kind] = found.get(layer.kind, 0) + len(layer.names)
        return found


@dataclass
class Prepared:
    """A model made ready, until `release`."""

    model: PreTrainedModel
    report: Report
    undo: list[Callable[[], object]] = field(default_factory=list)

    def release(self) -> None:
        """Give the model back exactly as it came. May be called twice."""
        while self.undo:
            self.undo.pop()()


@dataclass
class Place:
    """Linear layers with the same input, and what stands there now."""

    names: tuple[str, ...]
    originals: tuple[nn.Module, ...]
    layer: Layer
    site: Site
    called: bool = True  # in the forward pass that was watched; else its weight may be asked for by others


def prepared(model: PreTrainedModel, preparation: Preparation, gate: Gate | None = None) -> Prepared:
    """Make a model in evaluation mode ready to serve, in place.

    gate    what int8 and int4 have to hold, of a model that does not write; perplexity of one that does when left out
    raises  UserError for int8, int4 and strict elsewhere than on the CPU
    """
    precision = preparation.precision or ("float32" if model.dtype == torch.float32 else "bfloat16")
    if model.device.type != "cpu" and (preparation.strict or precision in CHEAP):
        raise UserError(
            "{what} is computed on the CPU, and this model is on {device}",
            fix="open it with device cpu, or take bfloat16 without strict",
            what=say("strict mode") if preparation.strict else precision,
            device=str(model.device),
        )
    done = Prepared(model, Report(precision, preparation.strict, preparation.reads))
    if not preparation.changes:
        return done
    try:
        prepare(done, preparation, gate)
    except BaseException:
        done.release()
        raise
    if not preparation.keep:
        done.undo.clear()
    return done


def prepare(done: Prepared, preparation: Preparation, gate: Gate | None) -> None:
    """Exchange layers, cast the rest, and see that the model still says the same."""
    model, report = done.model, done.report
    dtype = torch.float32 if report.precision == "float32" else torch.bfloat16
    expected_TV = forward(model, trial_ids(model))
    yardstick = (gate or yardstick_of(model, preparation.rows)) if report.precision in CHEAP else None
    if report.strict:
        one_expert_at_a_time(done)
    places = exchanged(model, report, dtype) if model.device.type == "cpu" else []
    for place in places:
        install(done, place, dtype)
    cast(done, dtype)
    check_sharing(model, places)
    quality = None if yardstick is None else hold_quality(model, places, yardstick, report, dtype)
    steady = make_steady(model) if report.strict else []
    done.undo.append(partial(undo_steady, model, steady))
    found_TV = forward(model, trial_ids(model))
    error = float((found_TV - expected_TV).norm() / expected_TV.norm().clamp(min=1e-30))
    done.report = replace(
        report, layers=tuple(place.layer for place in places), steady=tuple(steady), error=error, quality=quality
    )


def yardstick_of(model: PreTrainedModel, rows: Rows | None) -> Yardstick | None:
    """What quality is measured on, if it is to be."""
    if rows is None:
        rows = own_text(model) if model.can_generate() and not model.config.is_encoder_decoder else ()
    return Yardstick(model, rows) if len(rows) else None


def exchanged(model: PreTrainedModel, report: Report, dtype: torch.dtype) -> list[Place]:
    """What comes to stand for the linear layers; nothing where all are to be as they are."""
    as_it_is = report.precision == "float32" and not works("packed", "float32")
    if as_it_is and not report.strict:
        return []
    linears = linear_names(model)
    # plain weights stay where they are, and are not copied to lie end to end; what is shared is not for two at once
    groups, called = shared_inputs(model, linears)
    if as_it_is or report.reads:
        groups = [(name,) for name in linears]
    places = [place for names in groups for place in placed([linears[name] for name in names], names, report, dtype)]
    for place in places:
        place.called = called.issuperset(place.names)
    return places


# --- layers --------------------------------------------------------------------------------------


def placed(modules: Sequence[nn.Module], names: tuple[str, ...], report: Report, dtype: torch.dtype) -> list[Place]:
    """What comes to stand for linears with the same input; each alone where they cannot be one."""
    if len(modules) > 1 and not weighed_alike(modules):
        return [place for one, name in zip(modules, names, strict=True) for place in placed([one], (name,), report, dtype)]  # fmt: skip
    weight_NK, bias_N = joined(modules)
    multiply, layer = chosen(weight_NK, bias_N, names, report.wishes, report.strict, dtype)
    site = Site(multiply, layer.kind, [module_outputs(module) for module in modules])
    return [Place(names, tuple(modules), layer, site)]


def module_outputs(module: nn.Module) -> int:
    """Outputs of a linear layer."""
    return joined([module])[0].shape[0]


def chosen(
    weight_NK: Tensor,
    bias_N: Tensor | None,
    names: tuple[str, ...],
    wishes: Sequence[Kind],
    strict: bool,
    dtype: torch.dtype,
    why: str | None = None,
) -> tuple[Multiply, Layer]:
    """The first kind of product that this machine, this shape and these numbers allow.

    why  what is to be said of this layer if nothing else is
    """
    for kind in wishes:
        reason = why_not(kind, weight_NK)
        if reason is None and not works(kind, str(dtype).removeprefix("torch.")):
            reason = say("this processor does not compute {kind} rightly", kind=kind)
        if reason is None:
            cheap = kind in CHEAP
            given = (
                (weight_NK, bias_N) if cheap else (weight_NK.to(dtype), None if bias_N is None else bias_N.to(dtype))
            )
            product = product_of(kind, *given, strict)
            error = error_of(product, weight_NK, bias_N, FEW, dtype)
            if error <= most_error(kind, dtype) or kind == "plain":
                multiply = kept_apart(product, *given, dtype) if strict else product
                return multiply, Layer(names, (weight_NK.shape[0], weight_NK.shape[1]), kind, error, why)
            reason = say("its error in {kind} is {error:.1%}", kind=kind, error=error)
        why = why or reason
    raise AssertionError("a plain product is always possible")


def kept_apart(product: Product, weight_NK: Tensor, bias_N: Tensor | None, dtype: torch.dtype) -> Multiply:
    """A product whose rows do not depend on each other: in tiles, unless its sums are exact as they are."""
    if isinstance(product, Int8) and exact_rows(product, weight_NK.shape[1], dtype):
        return product
    steady = Steady(
        partial(product_of, product.kind, bias_N=bias_N, strict=True), weight_NK, product.kind, bias_N is None
    )
    steady.tiles(dtype)
    return steady


def exact_rows(product: Multiply, inputs: int, dtype: torch.dtype) -> bool:
    """Whether rows come out the same alone and in several numbers, as they must where sums are exact."""
    x_MK = trial_rows(inputs, dtype)[:67]
    y_MN = product(x_MK)
    return all(same_bits(product(x_MK[at : at + size]), y_MN[at : at + size]) for at, size in ((0, 1), (66, 1), (5, 17), (33, 34)))  # fmt: skip


def install(done: Prepared, place: Place, dtype: torch.dtype) -> None:
    """Put the stands of a place where its linears were, wherever in the model those are."""
    for number, original in enumerate(place.originals):
        stand = Stand(place.site, number, original, dtype, place.called)
        for parent in list(done.model.modules()):
            for leaf, child in list(parent._modules.items()):
                if child is original:
                    parent._modules[leaf] = stand
                    done.undo.append(partial(parent._modules.__setitem__, leaf, original))


def check_sharing(model: PreTrainedModel, places: Sequence[Place]) -> None:
    """Compute linears each for itself from now on, where the model does not say the same when they share."""
    sites = [place.site for place in places if len(place.names) > 1]
    if not sites:
        return
    with apart(sites):
        alone_TV = forward(model, trial_ids(model))
    if not same_bits(forward(model, trial_ids(model)), alone_TV):
        for site in sites:
            site.shares = False


# --- the rest of the model -----------------------------------------------------------------------


def cast(done: Prepared, dtype: torch.dtype) -> None:
    """Bring weights and what is saved with them to a type; what a model computes for itself (rotary angles) stays."""
    model = done.model
    saved = set(model.state_dict(keep_vars=False))
    stay = (*(model._keep_in_fp32_modules_strict or ()), chain.NAME, lexical.NAME)
    moved: dict[int, nn.Parameter] = {}  # tied weights stay tied
    for prefix, module in model.named_modules():
        if isinstance(module, Stand) or any(part in prefix.split(".") for part in stay):
            continue
        for table in (module._parameters, module._buffers):
            for name, tensor in table.items():
                full = f"{prefix}.{name}".lstrip(".")
                if tensor is None or not tensor.is_floating_point() or tensor.dtype == dtype or full not in saved:
                    continue
                new = moved.get(id(tensor))
                if new is None:
                    new = tensor.detach().to(dtype)
                    if isinstance(tensor, nn.Parameter):
                        new = nn.Parameter(new, requires_grad=False)
                    moved[id(tensor)] = new
                table[name] = new
                done.undo.append(partial(table.__setitem__, name, tensor))


def one_expert_at_a_time(done: Prepared) -> None:
    """Let experts be computed one after the other, as their own code does: the rows of one are then one product."""
    model = done.model
    before = model.get_experts_implementation()
    if any(value not in (None, "eager") for value in before.values()):
        model.set_experts_implementation("eager")
        done.undo.append(partial(model.set_experts_implementation, before))


# --- quality -------------------------------------------------------------------------------------


def hold_quality(
    model: PreTrainedModel, places: Sequence[Place], yardstick: Gate, report: Report, dtype: torch.dtype
) -> Held:
    """Give layers back to bfloat16 until the model is as near to what it was as is asked for."""
    cheap = {place.names[0]: place for place in places if place.layer.kind in CHEAP}
    head = model.get_output_embeddings()
    down = [name for name, place in cheap.items() if place.layer.shape[0] < place.layer.shape[1]]
    first = [name for name, place in cheap.items() if any(one is head for one in stands(model, place))]

    def give_back(name: str) -> None:
        place = cheap[name]
        why = say("kept in bfloat16 for the quality of the model")
        wishes = WISHES["bfloat16"]
        multiply, place.layer = chosen(*joined(place.originals), place.names, wishes, report.strict, dtype, why)
        place.site.exchange(multiply, place.layer.kind)

    few = [place.site.multiply for place in cheap.values() if isinstance(place.site.multiply, Int4)]
    for product in few:
        product.few = sys.maxsize  # rows are read many at a time here, and one at a time when text is written
    damage = yardstick.damage(
        {name: (stands(model, place)[0], place.originals) for name, place in cheap.items()}, model
    )
    first += sorted((name for name in down if name not in first), key=lambda name: -damage[name])
    keep_until(lambda: yardstick.quality(model).holds(), give_back, damage, first)
    quality = yardstick.quality(model)
    for product in few:
        product.few = sys.maxsize if report.strict else FEW
    return quality


def stands(model: PreTrainedModel, place: Place) -> list[nn.Module]:
    """What stands in the model for the layers of a place."""
    return [model.get_submodule(name) for name in place.names]
