"""What the server says when it refuses: one JSON shape, in the caller's language.

The shape is OpenAI's (message, type, param, code) with the parts that programs and people need
beside it: `params`, `problem` and `fix`.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterator, Mapping
from typing import Union, get_args, get_origin

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from langwright.errors import UserError, unknown
from langwright.settings import describe
from langwright.wording import LANGUAGES, Language, current_language, say

KINDS = {
    401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error",
    500: "server_error", 503: "overloaded_error",
}  # fmt: skip
SHOWN = 80  # characters of a refused value that are echoed


class ErrorDetail(BaseModel):
    """One refusal."""

    message: str  # problem and fix in one sentence
    type: str
    param: str | None  # dotted path of the field, where there is one
    code: str  # stable name for programs
    params: dict[str, str | int | float | bool | None]  # the values in the sentence
    problem: str
    fix: str


class ErrorBody(BaseModel):
    """The body of every answer that is not a success."""

    error: ErrorDetail


class ApiError(Exception):
    """A refusal with its HTTP status; what went wrong is the UserError inside."""

    def __init__(
        self, error: UserError, *, status: int = 400, param: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error, status, param)
        self.error = error
        self.status = status
        self.param = param
        self.headers = headers

    def body(self) -> ErrorBody:
        """The refusal in words, in the language in force (that of the request)."""
        problem, fix = self.error.problem(), self.error.fix()
        return ErrorBody(
            error=ErrorDetail(
                message=say("{problem} ({fix})", problem=problem, fix=fix),
                type=KINDS.get(self.status, "invalid_request_error"),
                param=self.param,
                code=self.error.code,
                params=self.error.params,
                problem=problem,
                fix=fix,
            )
        )

    def response(self) -> JSONResponse:
        """The refusal as an HTTP answer."""
        headers = {"Content-Language": current_language(), **(self.headers or {})}
        return JSONResponse(self.body().model_dump(), self.status, headers)


class NotDone:
    """Marks a field of OpenAI's interface that this version does not do; only its neutral value is accepted."""


NOT_DONE = NotDone()


def preferred(accept_language: str) -> Language | None:
    """The language of an Accept-Language header, weights observed; None where it names neither of ours.

    >>> preferred("fr, en;q=0.5, zh-CN;q=0.9")
    'zh'
    """
    best: Language | None = None
    best_weight = 0.0
    for part in accept_language.split(","):
        tag, _, parameter = part.strip().partition(";")
        weight = weight_of(parameter)
        for language in LANGUAGES:
            if tag.lower().split("-")[0] == language and weight > best_weight:
                best, best_weight = language, weight
    return best


def weight_of(parameter: str) -> float:
    """The number of `q=0.8`; 1 where there is none, 0 where it cannot be read.

    >>> weight_of("q=0.8"), weight_of(""), weight_of("q=x")
    (0.8, 1.0, 0.0)
    """
    name, equals, number = parameter.strip().partition("=")
    if not equals:
        return 1.0
    try:
        return float(number) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0


# --- what pydantic found, as one of ours ---------------------------------------------------------


def refused(model: type[BaseModel], error: ValidationError) -> ApiError:
    """The first thing that is wrong with a body: 400 when it is not JSON or asks for what is not done, else 422."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        place = re.search(r"line (\d+) column (\d+)", first["msg"])
        line, column = place.groups() if place else ("1", "0")
        return ApiError(
            UserError(
                "the body is not valid JSON: it cannot be read at line {line}, column {column}",
                fix="send one JSON object, in UTF-8",
                line=int(line),
                column=int(column),
            )
        )
    if not first["loc"]:
        return ApiError(UserError("the body is not a JSON object", fix="send one JSON object, in UTF-8"), status=422)
    path, fields = locate(model, first)
    param = ".".join(path)
    if any(NOT_DONE in field.metadata for field in fields):
        return not_done(param)
    return ApiError(complaint(model, first, param, fields[-1] if fields else None), status=422, param=param)


def not_done(param: str) -> ApiError:
    """A part of OpenAI's interface that this version does not do."""
    return ApiError(
        UserError(
            "this version does not do {field!r} of the OpenAI interface",
            fix="leave {field!r} out; nothing is ignored in silence",
            field=param,
        ),
        param=param,
    )


def complaint(model: type[BaseModel], error: ErrorDetails, param: str, field: FieldInfo | None) -> UserError:
    """pydantic's complaint about one field in our words."""
    if error["type"] == "extra_forbidden":
        if len(error["loc"]) == 1:
            return unknown("field", param, asked_for(model))
        return UserError("there is no field {field!r}", fix="leave {field!r} out", field=param)
    if error["type"] == "missing":
        return UserError("the field {field!r} is missing", fix="add {field!r} to the body", field=param)
    if field is not None and field.examples:
        example = field.examples[0]
        return UserError(
            "{field} = {value} is not allowed",
            fix="give something like {example}",
            field=param,
            value=shown(error["input"]),
            example=str(example),
        )
    return UserError(
        "{field} = {value} is not allowed",
        fix="give {allowed}",
        field=param,
        value=shown(error["input"]),
        allowed=Allowed(field) if field is not None else error["msg"],
    )


class Allowed:
    """What a field accepts, put in words in the language of the sentence it stands in."""

    def __init__(self, field: FieldInfo) -> None:
        self.field = field

    def __str__(self) -> str:
        return describe(self.field)


def asked_for(model: type[BaseModel]) -> list[str]:
    """The fields of a request that this version does."""
    return [name for name, field in model.model_fields.items() if NOT_DONE not in field.metadata]


def locate(model: type[BaseModel], error: ErrorDetails) -> tuple[list[str], list[FieldInfo]]:
    """The path of a complaint as the caller wrote it, without the names of union members, and the fields on it."""
    path: list[str] = []
    fields: list[FieldInfo] = []
    models: list[type[BaseModel]] = [model]
    for part in error["loc"]:
        if isinstance(part, int):
            path.append(str(part))
            continue
        field = next((inner.model_fields[part] for inner in models if part in inner.model_fields), None)
        if field is not None:
            path.append(part)
            fields.append(field)
            models = list(models_within(field.annotation))
    if error["type"] == "extra_forbidden":
        path.append(str(error["loc"][-1]))
    return path, fields


def models_within(annotation: object) -> Iterator[type[BaseModel]]:
    """The models that an annotation names, through unions and tuples."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, types.UnionType, tuple):
        for part in get_args(annotation):
            yield from models_within(part)


def shown(value: object) -> str:
    """A refused value as JSON, short enough to echo."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
