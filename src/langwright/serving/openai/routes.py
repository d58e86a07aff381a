"""OpenAI's interface: /v1/models, /v1/completions, /v1/chat/completions."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from langwright.inference.protocol import Tiered
from langwright.inference.texts.text import TextModel
from langwright.serving.house import House, documented
from langwright.serving.openai.answers import ChatCompletion, Completion, ModelCard, ModelList, now
from langwright.serving.openai.bodies import CompletionRequest
from langwright.serving.openai.chat import ChatRequest
from langwright.serving.openai.chatting import answer_chat
from langwright.serving.openai.completing import answer_completion
from langwright.tokenizers.templates import template_sha256


def way_of(model: TextModel) -> tuple[str, str]:
    """(how a model's requests run together, why not in a better way)."""
    return model.engine.way("en") if isinstance(model.engine, Tiered) else ("", "")


def openai_routes(house: House) -> APIRouter:
    """The routes, over the models of a house."""
    router = APIRouter(tags=["OpenAI"])
    since: dict[TextModel, int] = {}  # when each model was first shown

    def card(name: str, model: TextModel) -> ModelCard:
        """What a model that is served now is."""
        return ModelCard(
            id=name,
            created=since.setdefault(model, now()),
            context=model.context,
            template_sha256=template_sha256(model.tokenizer),
            watermark=model.watermark.kind if model.watermark is not None else None,
            tier=way_of(model)[0],
            tier_reason=way_of(model)[1],
        )

    @router.get("/v1/models")
    async def list_models() -> ModelList:
        """The models that can be asked."""
        return ModelList(data=[card(name, model) for name, model in house.models.items()])

    @router.get("/v1/models/{name:path}")
    async def show_model(name: str) -> ModelCard:
        """One of them."""
        return card(name, house.model(name))

    @router.post("/v1/completions", response_model=Completion, openapi_extra=documented(CompletionRequest))
    async def complete(request: Request) -> Response:
        """Continue a text."""
        asked = await house.read(request, CompletionRequest)
        return await answer_completion(house, request, asked)

    @router.post("/v1/chat/completions", response_model=ChatCompletion, openapi_extra=documented(ChatRequest))
    async def chat(request: Request) -> Response:
        """The assistant's next turn of a conversation."""
        asked = await house.read(request, ChatRequest)
        return await answer_chat(house, request, asked)

    return router
