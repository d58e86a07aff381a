"""The kinds of adapters and what each can be told. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from langwright.settings import Settings

RANK = "Rank of the update of each matrix"
DROPOUT = "Dropout before the adapter"
TARGETS = "Names of the matrices that get an adapter, or all-linear"
Targets = Annotated[str | tuple[str, ...], Field(description=TARGETS)]


class Lora(Settings):
    """Low-rank adapters: the update of a matrix is alpha / rank · B·A (Hu et al. 2021, arXiv:2106.09685, equation 3)."""

    kind: Literal["lora"] = "lora"
    rank: Annotated[int, Field(ge=1, description=RANK)] = 8
    alpha: Annotated[float, Field(gt=0, description="Scale of the update, divided by the rank")] = 16.0
    dropout: Annotated[float, Field(ge=0, lt=1, description=DROPOUT)] = 0.0
    targets: Targets = "all-linear"


class RsLora(Settings):
    """Low-rank adapters whose update is alpha / √rank · B·A, so that high ranks learn too (Kalajdzievski 2023, arXiv:2312.03732)."""

    kind: Literal["rslora"] = "rslora"
    rank: Annotated[int, Field(ge=1, description=RANK)] = 8
    alpha: Annotated[float, Field(gt=0, description="Scale of the update, divided by the root of the rank")] = 16.0
    dropout: Annotated[float, Field(ge=0, lt=1, description=DROPOUT)] = 0.0
    targets: Targets = "all-linear"


class Dora(Settings):
    """A matrix as lengths times directions; lengths are trained, directions by low rank (Liu et al. 2024, arXiv:2402.09353, equation 5)."""

    kind: Literal["dora"] = "dora"
    rank: Annotated[int, Field(ge=1, description=RANK)] = 8
    alpha: Annotated[float, Field(gt=0, description="Scale of the update, divided by the rank")] = 16.0
    dropout: Annotated[float, Field(ge=0, lt=1, description=DROPOUT)] = 0.0
    targets: Targets = "all-linear"


class IA3(Settings):
    """Keys, values and feed-forward activations times trained vectors that begin at one (Liu et al. 2022, arXiv:2205.05638, section 3.3)."""

    kind: Literal["ia3"] = "ia3"
    targets: Annotated[
        tuple[str, ...],
        Field(description="Names of the matrices whose outputs are scaled; by the model's family when left out"),
    ] = ()
    feedforward: Annotated[
        tuple[str, ...], Field(description="Names of those whose inputs are scaled instead; by family when left out")
    ] = ()


class Prefix(Settings):
    """Trained keys and values before every text, in every layer (Li & Liang 2021, arXiv:2101.00190, section 4)."""

    kind: Literal["prefix"] = "prefix"
    length: Annotated[int, Field(ge=1, description="Virtual tokens before the text")] = 16
    projection: Annotated[
        bool, Field(description="Train them through a small network, which is steadier, and keep only what it gives")
    ] = False


class Prompt(Settings):
    """Trained embeddings before every text, at the input alone (Lester et al. 2021, arXiv:2104.08691, section 2)."""

    kind: Literal["prompt"] = "prompt"
    length: Annotated[int, Field(ge=1, description="Virtual tokens before the text")] = 16
    from_vocabulary: Annotated[
        bool, Field(description="Begin with embeddings of tokens drawn from the vocabulary, else with random ones")
    ] = True


Adapter = Lora | RsLora | Dora | IA3 | Prefix | Prompt
VIRTUAL = (Prefix, Prompt)  # these stand before the text: rows cannot be packed, and nothing can be merged
