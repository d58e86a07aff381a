"""/v1/stages: what can be made of what, and the settings of each, for forms and programs."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, JsonValue
from pydantic_core import PydanticUndefined, to_jsonable_python

from langwright.data.schemas import SCHEMAS
from langwright.errors import unknown
from langwright.serving.access.scopes import needs
from langwright.serving.complaints import ApiError
from langwright.serving.house import House, query
from langwright.serving.jobs.routes import Nothing
from langwright.settings import entries
from langwright.stages import STAGES
from langwright.stages.declaration import Stage
from langwright.wording import say


class InputShown(BaseModel):
    """One input of a stage; `kind` is that of an artifact, or `source` for uploaded files."""

    role: str
    kind: str
    help: str
    many: bool
    optional: bool


class StageShown(BaseModel):
    """One stage, in the caller's language.

    options     settings that have an option of their own on the command line, by the option: the important ones
    changeable  settings that a run which was begun may go on with others of
    together    several processes may train it
    """

    object: Literal["stage"] = "stage"
    name: str
    command: str
    summary: str
    makes: str
    inputs: list[InputShown]
    options: dict[str, str]
    changeable: list[str]
    together: bool


class SettingShown(BaseModel):
    """One setting as a form shows it.

    allowed  what a value may be, in words
    choices  (key, kind) of the choices that it is inside of
    """

    key: str
    help: str
    allowed: str
    required: bool
    default: JsonValue
    choices: list[tuple[str, str]]


class StageDetails(StageShown):
    """One stage with its settings: each in words, and the JSON schema of them all."""

    settings: list[SettingShown]
    settings_schema: dict[str, Any]


class StageList(BaseModel):
    """The answer of GET /v1/stages."""

    object: Literal["list"] = "list"
    data: list[StageShown]


class RowSchema(BaseModel):
    """One kind of rows: what a data set holds."""

    name: str
    row_schema: dict[str, Any]


class RowSchemas(BaseModel):
    """The answer of GET /v1/schemas."""

    object: Literal["list"] = "list"
    data: list[RowSchema]


def stage_routes(house: House) -> APIRouter:
    """The routes; they ask nothing of the house."""
    router = APIRouter(tags=["Stages"])

    @router.get("/v1/stages", dependencies=[needs("read")])
    async def list_stages(request: Request) -> StageList:
        """What can be made of what."""
        query(request, Nothing)
        return StageList(data=[shown(stage) for stage in STAGES.values()])

    @router.get("/v1/stages/{name}", dependencies=[needs("read")])
    async def one_stage(name: str, request: Request) -> StageDetails:
        """One stage with its settings, for a form."""
        query(request, Nothing)
        if name not in STAGES:
            raise ApiError(unknown("stage", name, STAGES), status=404, param="name")
        stage = STAGES[name]
        return StageDetails(
            **shown(stage).model_dump(), settings=settings(stage), settings_schema=stage.settings.model_json_schema()
        )

    @router.get("/v1/schemas", dependencies=[needs("read")])
    async def list_schemas(request: Request) -> RowSchemas:
        """The kinds of rows that a data set may hold."""
        query(request, Nothing)
        found = [RowSchema(name=name, row_schema=row.model_json_schema()) for name, row in SCHEMAS.items()]
        return RowSchemas(data=found)

    return router


def shown(stage: Stage) -> StageShown:
    """A stage in the caller's language."""
    inputs = [
        InputShown(role=one.role, kind=one.kind, help=say(one.help), many=one.many, optional=one.optional)
        for one in stage.inputs
    ]
    return StageShown(
        name=stage.name, command=f"langwright {stage.words}", summary=say(stage.summary), makes=stage.makes, inputs=inputs,
        options={"--" + option.lstrip("-").replace("_", "-"): key for option, key in stage.options.items()},
        changeable=list(stage.changeable), together=stage.together,
    )  # fmt: skip


def settings(stage: Stage) -> list[SettingShown]:
    """The settings of a stage, in the order they are declared."""
    return [
        SettingShown(
            key=entry.key, help=say(entry.help), allowed=entry.allowed(), required=entry.default is PydanticUndefined,
            default=None if entry.default is PydanticUndefined else to_jsonable_python(entry.default),
            choices=list(entry.choices),
        )
        for entry in entries(stage.settings)
    ]  # fmt: skip
