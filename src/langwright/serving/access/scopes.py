"""What a key allows: each route names the scope that it needs, and here it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

from fastapi import Depends
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from langwright.errors import UserError
from langwright.serving.access.visits import caller
from langwright.serving.complaints import ApiError

Scope = Literal["ask", "read", "data", "train", "manage", "admin"]
SCOPES: dict[Scope, str] = {
    "ask": "use models, keep conversations, give feedback, see and delete one's own data",
    "read": "look at runs, jobs, data sets, reports, metrics and alerts",
    "data": "upload and delete data sets",
    "train": "start, cancel, resume and delete runs",
    "manage": "load and unload models",
    "admin": "make and revoke keys, read the audit log, and all of the above",
}
assert tuple(SCOPES) == get_args(Scope)
ASSETS = "/assets/"  # the studio's files, which are open as its page is
OPEN = frozenset({"/", "/docs", "/openapi.json", "/health/live", "/health/ready"})  # without a key, and unrecorded


class Needed:
    """Asks whether the caller's key allows a scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self) -> None:
        """ApiError 403 when it does not."""
        asks = caller()
        if self.scope not in asks.scopes and "admin" not in asks.scopes:
            raise ApiError(
                UserError(
                    "the key {key} may not do this: it lacks the scope {scope}",
                    fix="use a key that has it, or have one made: `langwright keys create --scope {scope}`",
                    key=asks.key,
                    scope=self.scope,
                ),
                status=403,
            )


def needs(scope: Scope) -> Any:
    """The dependency of a route: `dependencies=[needs("read")]`."""
    return Depends(Needed(scope))


def is_open(path: str) -> bool:
    """Whether a path is answered without a key, and without a row in the audit log."""
    return path in OPEN or path.startswith(ASSETS)


def undeclared(routes: Iterable[BaseRoute]) -> list[str]:
    """Paths that name no scope and are not open: a key for anything would open them."""
    return [
        route.path
        for route in routes
        if isinstance(route, APIRoute)
        and not is_open(route.path)
        and not any(isinstance(one.dependency, Needed) for one in route.dependencies)
    ]
