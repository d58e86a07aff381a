"""What every route is handed: the models, the desk that takes on their work, and the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakKeyDictionary

from fastapi import Request
from pydantic import BaseModel, ValidationError

from langwright.errors import UserError, unknown
from langwright.inference.texts.text import TextModel
from langwright.serving.access.guards import media_type, read_body
from langwright.serving.access.visits import visiting
from langwright.serving.complaints import ApiError, refused
from langwright.serving.jobs.keeping import Jobs
from langwright.serving.monitoring.rounds import Rounds
from langwright.serving.resources.served import Served
from langwright.serving.settings import ServingSettings
from langwright.serving.stores.opening import Stores
from langwright.serving.streaming import Desk
from langwright.tasks import SOLVERS
from langwright.tasks.front.model import Model

M = TypeVar("M", bound=BaseModel)
JSON = ("application/json",)
DIGESTS: WeakKeyDictionary[Model, str] = WeakKeyDictionary()


@dataclass(frozen=True)
class House:
    """One server's models and means.

    models  those that write, by the name that requests ask for
    doing   all of them, as what does tasks
    stores  keys, the audit log, conversations, feedback, profiles
    rounds  looks after alerts, drift, and the log of requests
    jobs    of the workspace
    served  loads and unloads these models
    """

    models: dict[str, TextModel]
    doing: dict[str, Model]
    desk: Desk
    settings: ServingSettings
    stores: Stores
    rounds: Rounds
    jobs: Jobs
    served: Served

    def model(self, name: str) -> TextModel:
        """A model that writes, by name; ApiError 404 with the nearest one when there is none."""
        if name not in self.models:
            model = self.doer(name)
            raise ApiError(model.cannot("write", SOLVERS["likelihood"], "text"), param="model")
        return self.models[self.on_record(name)]

    def doer(self, name: str) -> Model:
        """A model of any kind by name; ApiError 404 with the nearest one when there is none."""
        if name not in self.doing:
            raise ApiError(unknown("model", name, self.doing), status=404, param="model")
        return self.doing[self.on_record(name)]

    def on_record(self, name: str) -> str:
        """Let the audit log say which model was asked."""
        visit = visiting()
        if visit is not None:
            visit.model = name
        return name

    def digest(self, name: str) -> str:
        """The digest of the files of a model, found once; "" for one without files here. Blocks."""
        model = self.doing.get(name)
        if model is None or model.artifact is None:
            return ""
        if model not in DIGESTS:
            DIGESTS[model] = model.artifact.digest
        return DIGESTS[model]

    def check_new_tokens(self, asked: int) -> None:
        """UserError when a caller asks for more new tokens than the server makes in one answer."""
        if asked > self.settings.max_new_tokens:
            raise UserError(
                "{asked} new tokens are more than this server makes in one answer",
                fix="ask for at most {limit}, or start it with a larger max_new_tokens",
                asked=asked,
                limit=self.settings.max_new_tokens,
            )

    async def read(self, request: Request, model: type[M]) -> M:
        """The JSON body of a request.

        raises  ApiError 400 for what is not JSON or not done, 413, 415, 422 for what the model does not allow
        """
        refuse_query(request)
        media_type(request, "application/json")
        return parse(model, await read_body(request, self.settings.max_body_bytes))


def parse(model: type[M], body: bytes) -> M:
    """A JSON body as a request; ApiError for what is wrong with it."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise refused(model, error) from None


def query(request: Request, model: type[M]) -> M:
    """What stands after the question mark.

    raises  ApiError 422 for what the model does not allow, or a name that is given twice
    """
    pairs = request.query_params.multi_items()
    twice = next((name for name, _ in pairs if len(request.query_params.getlist(name)) > 1), None)
    if twice is not None:
        raise ApiError(
            UserError("the field {field!r} is given twice", fix="give it once", field=twice), status=422, param=twice
        )
    try:
        return model.model_validate_strings(dict(pairs))
    except ValidationError as error:
        raise refused(model, error) from None


def refuse_query(request: Request) -> None:
    """ApiError 422 when a POST has something after the question mark: nothing here reads it."""
    if request.query_params:
        name = next(iter(request.query_params))
        raise ApiError(
            UserError("nothing reads {name!r} after the '?'", fix="send it in the body", name=name),
            status=422,
            param=name,
        )


def asked_of(model: type[BaseModel]) -> dict[str, object]:
    """The OpenAPI entry of what may stand after the question mark."""
    schema = model.model_json_schema()
    return {
        "parameters": [
            {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": field}
            for name, field in schema["properties"].items()
        ]
    }


def documented(model: type[BaseModel], *kinds: str) -> dict[str, object]:
    """The OpenAPI entry of a body that the route reads itself; its schema is put beside the others by the app."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema} for kind in kinds or JSON}}}
