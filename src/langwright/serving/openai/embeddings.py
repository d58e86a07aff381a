"""OpenAI's /v1/embeddings: one vector a text."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from langwright.errors import UserError
from langwright.inference.scoring.embedding import Embedded, Pooling
from langwright.inference.texts.text import TextModel
from langwright.serving.access.visits import read
from langwright.serving.complaints import ApiError
from langwright.serving.house import House, documented
from langwright.serving.openai.bodies import TokenId, Unset
from langwright.settings import Settings

MOST_TEXTS = 2048  # OpenAI's own limit


class EmbeddingRequest(Settings):
    """POST /v1/embeddings: turn texts into vectors."""

    model: Annotated[
        str,
        Field(description="Name of the model, one of those in /v1/models", examples=['"chat" (a name in /v1/models)']),
    ]
    input: Annotated[
        str
        | Annotated[tuple[TokenId, ...], Field(min_length=1)]
        | Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_TEXTS)]
        | Annotated[
            tuple[Annotated[tuple[TokenId, ...], Field(min_length=1)], ...], Field(min_length=1, max_length=MOST_TEXTS)
        ],
        Field(
            description="The text, or a list of texts; token ids, or a list of lists of them, will do too",
            examples=['"Once upon a time"'],
        ),
    ]
    encoding_format: Annotated[
        Literal["float", "base64"] | None,
        Field(description="Numbers, or float32 in little-endian order as base64; default float"),
    ] = "float"
    dimensions: Annotated[
        int | None, Field(ge=1, description="Numbers in a vector; only the model's own width is given")
    ] = None
    pooling: Annotated[
        Literal["mean", "cls", "last"] | None,
        Field(description="What of the last hidden states; default mean. Not in OpenAI's interface"),
    ] = "mean"
    normalise: Annotated[
        bool | None,
        Field(description="Scale each vector to length 1; default true, as OpenAI's are. Not in OpenAI's interface"),
    ] = True
    user: Unset = None

    @property
    def texts(self) -> tuple[str | tuple[int, ...], ...]:
        """The texts as a tuple of texts or ids."""
        if isinstance(self.input, str):
            return (self.input,)
        if isinstance(self.input[0], int):
            return (self.input,)
        return self.input


class Embedding(BaseModel):
    """One vector."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsage(BaseModel):
    """Tokens read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(BaseModel):
    """The answer of /v1/embeddings."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


def embedding_routes(house: House) -> APIRouter:
    """The route, over the models of a house."""
    router = APIRouter(tags=["OpenAI"])

    @router.post("/v1/embeddings", response_model=EmbeddingList, openapi_extra=documented(EmbeddingRequest))
    async def embeddings(request: Request) -> Response:
        """Turn texts into vectors."""
        asked = await house.read(request, EmbeddingRequest)
        model = house.model(asked.model)
        async with house.desk.place():
            found = await house.desk.aside(partial(embed, model, asked.texts, asked.pooling or "mean", asked.normalise))
        read(sum(found.tokens))
        if asked.dimensions not in (None, found.width):
            raise ApiError(
                UserError(
                    "vectors of {dimensions} numbers are not made: this model's have {width}",
                    fix="leave dimensions out, or give {width}",
                    dimensions=asked.dimensions,
                    width=found.width,
                ),
                param="dimensions",
            )
        return Response(answer(found, asked).model_dump_json(), media_type="application/json")

    return router


def embed(
    model: TextModel, texts: Sequence[str | tuple[int, ...]], pooling: Pooling, normalise: bool | None
) -> Embedded:
    """The vectors; texts longer than the context are refused, as by OpenAI."""
    rows = [model.tokenize(text) if isinstance(text, str) else text for text in texts]
    return model.embed_ids(rows, pooling=pooling, normalise=normalise is not False)


def answer(found: Embedded, asked: EmbeddingRequest) -> EmbeddingList:
    """The body."""
    if asked.encoding_format == "base64":
        vectors: list[list[float] | str] = [
            base64.b64encode(vector.astype("<f4").tobytes()).decode() for vector in found.vectors
        ]
    else:
        vectors = found.vectors.tolist()
    data = [Embedding(index=index, embedding=vector) for index, vector in enumerate(vectors)]
    tokens = sum(found.tokens)
    return EmbeddingList(
        data=data, model=asked.model, usage=EmbeddingUsage(prompt_tokens=tokens, total_tokens=tokens)
    )  # fmt: skip
