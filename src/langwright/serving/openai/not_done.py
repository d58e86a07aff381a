"""The families of OpenAI's interface that this server does not do: each path of theirs is refused by its name."""

from __future__ import annotations

from fastapi import APIRouter, Request

from langwright.errors import UserError
from langwright.serving.complaints import ApiError
from langwright.serving.house import House

FAMILIES = (
    "agents", "assistants", "audio", "batches", "chat/completions/{rest:path}", "chatkit", "containers",
    "content_provenance_checks", "conversations", "decisions", "evals", "files", "fine_tuning", "images", "live",
    "moderations", "organization", "projects", "realtime", "responses", "safety", "skills", "threads", "uploads",
    "vaults", "vector_stores", "videos", "webhook_endpoints", "webhook_event_types",
)  # fmt: skip
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def not_done_routes(house: House) -> APIRouter:
    """The routes; they stand behind all others, so that what is done one day comes first."""
    router = APIRouter(include_in_schema=False)

    async def refuse(request: Request) -> None:
        """Says that this is known, and not done."""
        raise ApiError(
            UserError(
                "this version does not do {method} {path} of the OpenAI interface",
                fix="GET /docs lists what it does",
                method=request.method,
                path=request.url.path,
            )
        )

    for family in FAMILIES:
        paths = [family] if "{" in family else [family, f"{family}/{{rest:path}}"]
        for path in paths:
            router.add_api_route(f"/v1/{path}", refuse, methods=METHODS)
    return router
