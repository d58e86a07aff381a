"""GET /: the studio's built files, from `web/` beside this file; where they were not built, a page that says how to."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from langwright.errors import UserError
from langwright.serving.access.scopes import ASSETS
from langwright.serving.complaints import ApiError
from langwright.serving.docs_page import POLICY as PLAIN_POLICY
from langwright.serving.docs_page import STYLE
from langwright.serving.house import House
from langwright.wording import current_language, say

WEB = Path(__file__).with_name("web")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
ASSET = re.compile(r"[\w-]+(\.[\w-]+)+")
TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
FOREVER = "public, max-age=31536000, immutable"  # the name of an asset holds the hash of what is in it


def studio_routes(house: House) -> APIRouter:
    """The page and what it loads; they ask nothing of the house, and what they show comes over the API."""
    router = APIRouter(include_in_schema=False)

    @router.get("/", response_class=HTMLResponse)
    def page() -> Response:
        """The studio, or how to get it."""
        index = WEB / "index.html"
        if not index.is_file():
            return HTMLResponse(missing(), headers={"Content-Security-Policy": PLAIN_POLICY})
        return FileResponse(
            index, media_type="text/html; charset=utf-8", headers={**HEADERS, "Cache-Control": "no-cache"}
        )

    @router.get(ASSETS + "{name}")
    def asset(name: str, request: Request) -> Response:
        """One of its files."""
        file = WEB / "assets" / name
        kind = TYPES.get(name.rpartition(".")[2])
        if kind is None or not ASSET.fullmatch(name) or not file.is_file():
            raise ApiError(
                UserError(
                    "the studio has no file {name!r}", fix="load the page again: it may have been built anew", name=name[:80]
                ), status=404,
            )  # fmt: skip
        return FileResponse(file, media_type=kind, headers={**HEADERS, "Cache-Control": FOREVER})

    return router


def missing() -> str:
    """A page for a server whose studio was not built."""
    parts = [
        f"<h1>{say('The server runs; the studio was not built')}</h1>",
        f"<p>{say('The studio is a web page that is built once, with Node 20.19 or newer:')}</p>",
        "<pre>make studio</pre>",
        f"<p>{say('Without Node on this computer that command fetches one into the virtual environment. A wheel brings the studio built.')}</p>",
        f"<p><a href='docs'>{say('What the server does without it')}</a></p>",
    ]
    return (
        f'<!doctype html><html lang="{current_language()}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>Langwright</title><style>{STYLE}</style></head>'
        f"<body>{''.join(parts)}</body></html>"
    )
