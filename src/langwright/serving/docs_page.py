"""GET /docs: what the server does, as one plain page without scripts or anything from elsewhere."""

from __future__ import annotations

import html
import json

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from langwright.serving.access.bodies import KeyRequest
from langwright.serving.complaints import asked_for
from langwright.serving.doing.tasks import TaskRequest
from langwright.serving.doing.tutorials import ClassifyRequest, GenerateRequest, TranslateRequest
from langwright.serving.house import House
from langwright.serving.openai.bodies import CompletionRequest
from langwright.serving.openai.chat import ChatRequest
from langwright.serving.openai.embeddings import EmbeddingRequest
from langwright.serving.openai.tokens import DetokenizeRequest, TokenizeRequest
from langwright.settings import describe
from langwright.wording import current_language, say

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
STYLE = """
body{font:16px/1.6 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;max-width:54rem;margin:2rem auto;
padding:0 1rem;color:#1c1c1c;background:#fff}
code,pre{font:14px/1.5 ui-monospace,Menlo,Consolas,monospace;background:#f3f3f0;border-radius:4px}
code{padding:.1em .3em}pre{padding:.8rem;overflow-x:auto}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #ddd}
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#161616}code,pre{background:#262626}th,td{border-color:#3a3a3a}}
"""
BODIES: dict[str, type[BaseModel]] = {
    "/v1/chat/completions": ChatRequest,
    "/v1/completions": CompletionRequest,
    "/v1/embeddings": EmbeddingRequest,
    "/v1/tokenize": TokenizeRequest,
    "/v1/detokenize": DetokenizeRequest,
    "/v1/tasks/{task}": TaskRequest,
    "/generate": GenerateRequest,
    "/translate": TranslateRequest,
    "/classify": ClassifyRequest,
    "/v1/keys": KeyRequest,
}
OTHERS = {
    "GET /v1/models": "The models that can be asked",
    "GET /v1/tasks": "The tasks that can be done, with the fields of their input, and by which model",
    "GET /v1/keys, DELETE /v1/keys/{id}": "The keys without their secrets; revoke one",
    "GET /v1/audit": "Who asked which model, when, and what was decided",
    "GET /v1/me": "What this key allows, and what it used today",
    "GET /v1/me/data, DELETE /v1/me/data": "Everything that is kept of the caller; delete it",
    "/v1/conversations": "Conversations that are kept: begun, talked in, edited, answered again, branched, exported, deleted",
    "/v1/profile": "What is remembered of who asks, by their consent; DELETE forgets it",
    "/v1/feedback": "What who asks thinks of answers",
    "GET /v1/jobs": "What waits, runs or is finished; POST starts any stage, with a stream of its events",
    "GET /v1/stages": "What can be made of what, with every setting",
    "GET /v1/datasets": "Files that were uploaded, with PUT, and the data sets read from such",
    "GET /v1/samples": "Small files to begin with; POST puts one among those that were uploaded",
    "POST /v1/preflight": "What a job would read and learn, before it is begun",
    "GET /v1/runs": "What was made, from what, with which results",
    "GET /v1/served": "Models that are served; POST loads one of the workspace",
    "GET /health/live": "Says that the process runs; asks no model",
    "GET /health/ready": "Has every model make one token; 503 when one does not in time, or the server is stopping",
    "GET /metrics": "What the server counts, in Prometheus' text form",
    "GET /v1/alerts": "Each alert and the state it is in",
    "GET /v1/drift": "Whether what is asked of each model has changed",
    "GET /v1/checks": "Models that are evaluated again, with what came of it",
    "GET /v1/served/{name}/versions": "Which models a name led to",
    "POST /v1/served/{name}/exchange": "Have a name lead to another model while the server runs",
    "POST /v1/served/{name}/rollback": "Have it lead to the model before",
    "GET /openapi.json": "This interface for programs",
}


def docs_routes(house: House) -> APIRouter:
    """The page, in the caller's language."""
    router = APIRouter(include_in_schema=False)

    @router.get("/docs", response_class=HTMLResponse)
    async def docs() -> HTMLResponse:
        """The page."""
        return HTMLResponse(
            page(list(house.models or house.doing), list(house.doing)), headers={"Content-Security-Policy": POLICY}
        )

    return router


def page(writers: list[str], models: list[str]) -> str:
    """The whole page.

    writers  models that write, by whose first the examples ask
    """
    title = say("What this server does")
    first = writers[0] if writers else "MODEL"
    parts = [
        f"<h1>{title}</h1>",
        f"<p>{say('Models')}: {', '.join(code(name) for name in models)}</p>",
        f"<p>{say('Fields that are not listed are refused by name; nothing is ignored in silence.')}</p>",
    ]
    for path, body in BODIES.items():
        parts += [f"<h2>POST {path}</h2>", f"<pre>{html.escape(curl(path, first))}</pre>", table(body)]
    rows = "".join(f"<tr><td>{code(path)}</td><td>{html.escape(say(text))}</td></tr>" for path, text in OTHERS.items())
    parts.append(f"<h2>{say('Also')}</h2><table>{rows}</table>")
    return (
        f'<!doctype html><html lang="{current_language()}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title><style>{STYLE}</style></head>'
        f"<body>{''.join(parts)}</body></html>"
    )


def table(body: type[BaseModel]) -> str:
    """The fields of a request: name, what it is, what it may be."""
    rows = []
    for name in asked_for(body):
        field = body.model_fields[name]
        allowed = str(field.examples[0]) if field.examples else describe(field)
        help = html.escape(say(field.description or ""))
        rows.append(f"<tr><td>{code(name)}</td><td>{help}</td><td>{html.escape(allowed)}</td></tr>")
    return f"<table>{''.join(rows)}</table>"


def curl(path: str, model: str, url: str = "http://localhost:8000") -> str:
    """A command that calls an endpoint."""
    hello = say("Hello")
    bodies: dict[str, object] = {
        "/v1/chat/completions": {"model": model, "messages": [{"role": "user", "content": hello}], "temperature": 0},
        "/v1/completions": {"model": model, "prompt": hello, "max_tokens": 40},
        "/v1/embeddings": {"model": model, "input": hello},
        "/v1/tasks/{task}": {"model": model, "input": {"text": hello, "labels": ["A", "B"]}},
        "/generate": {"text": hello, "max_length": 40},
        "/translate": {"source_text": hello},
        "/classify": {"text": hello, "labels": ["A", "B"]},
        "/v1/tokenize": {"model": model, "prompt": hello},
        "/v1/detokenize": {"model": model, "tokens": [0, 1, 2]},
        "/v1/keys": {"name": "notes", "purpose": say("drafts of letters")},
    }
    body = json.dumps(bodies[path], ensure_ascii=False).replace("'", "'\\''")
    return f"curl {url}{path.format(task='classification')} -H 'Content-Type: application/json' -d '{body}'"


def code(text: str) -> str:
    """Text as code."""
    return f"<code>{html.escape(text)}</code>"
