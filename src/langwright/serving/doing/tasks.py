"""Tasks over HTTP: POST /v1/tasks/{task} does one, GET /v1/tasks says what there is; both from the tasks' declarations."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, JsonValue

from langwright.errors import UserError, unknown
from langwright.inference.texts.text import TextModel
from langwright.serving.access.visits import read, written
from langwright.serving.complaints import ApiError
from langwright.serving.house import House, documented
from langwright.settings import Settings
from langwright.tasks import SOLVERS, TASKS
from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.tasks.front.asked import checked
from langwright.tasks.front.model import Model
from langwright.wording import say


class TaskRequest(Settings):
    """POST /v1/tasks/{task}: do a task on one input."""

    model: Annotated[
        str | None,
        Field(description="Name of the model, one of those in /v1/tasks; left out for a task that needs none"),
    ] = None
    input: Annotated[
        dict[str, JsonValue],
        Field(description="The task's input; its fields are in /v1/tasks", examples=['{"text": "Hello"}']),
    ]
    solver: Annotated[
        str | None, Field(description="Which of the task's solvers; the first that fits the model when left out")
    ] = None


class TaskShown(BaseModel):
    """One task.

    input, output  JSON schemas
    models         the solver that each model would do it with, by the name of the model
    """

    name: str
    summary: str
    input: dict[str, Any]
    output: dict[str, Any]
    solvers: list[str]
    needs_no_model: bool
    models: dict[str, str]


class TaskList(BaseModel):
    """The answer of GET /v1/tasks."""

    object: str = "list"
    data: list[TaskShown]


def task_routes(house: House) -> APIRouter:
    """The routes, over the models of a house."""
    router = APIRouter(tags=["Tasks"])

    @router.get("/v1/tasks")
    async def list_tasks() -> TaskList:
        """What can be done, and by which model."""
        return TaskList(data=[shown(task, house) for task in TASKS.values()])

    @router.post("/v1/tasks/{task}", response_model=dict[str, Any], openapi_extra=documented(TaskRequest))
    async def do_task(task: str, request: Request) -> Response:
        """Do a task on one input; the answer is the task's output, with `warnings` where there is reason to doubt it."""
        if task not in TASKS:
            raise ApiError(unknown("task", task, TASKS), status=404, param="task")
        asked = await house.read(request, TaskRequest)
        given = checked(TASKS[task], asked.input)
        check_length(given, house)
        model = model_for(TASKS[task], asked.model, house)
        model.require(task, asked.solver)
        heed(house, TASKS[task], model, given)
        async with house.desk.place():
            found = await house.desk.aside(partial(model.solve, task, given, asked.solver))
            doubts = await house.desk.aside(partial(model.doubts, task, given))
            await count(house, model, given, found)
        if not doubts:
            return Response(found.model_dump_json(), media_type="application/json")
        return JSONResponse({**found.model_dump(mode="json"), "warnings": doubts})

    return router


async def count(house: House, model: Model, given: TaskInput, found: TaskOutput) -> None:
    """Count what a task read and wrote for the request that asked for it."""
    read(await house.desk.aside(tokens_in, model, given.model_dump()))
    written(await house.desk.aside(tokens_in, model, found.model_dump()))


def tokens_in(model: Model, value: object) -> int:
    """How many tokens the texts of a task's input or output have, by the model's tokenizer; 0 where it has none here."""
    if isinstance(value, Mapping):
        return sum(tokens_in(model, item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return sum(tokens_in(model, item) for item in value)
    if not isinstance(value, str):
        return 0
    if model.text is not None:
        return len(model.text.tokenize(value)) if isinstance(model.text, TextModel) else 0
    reader = model.headed or model.backbone
    return len(reader.tokenizer(value, verbose=False)["input_ids"]) if reader is not None else 0


def model_for(task: Task, name: str | None, house: House) -> Model:
    """The model that a request names; where it names none, no model or the only one that can do the task.

    raises  ApiError for a name that is not there, or none where several models could do it
    """
    if name is not None:
        return house.doer(name)
    able = [name for name, model in house.doing.items() if task.name in model.abilities]
    if len(able) > 1 and needs_model(task):
        raise ApiError(
            UserError("several models can do {task}", fix="name one of: {choices}", task=task.name, choices=", ".join(able)),
            param="model",
        )  # fmt: skip
    return house.doer(able[0]) if able and needs_model(task) else Model("", None)


def heed(house: House, task: Task, model: Model, given: TaskInput) -> None:
    """Let drift see the text that a task is about, where a model does it."""
    text = getattr(given, task.panel[0], None)
    if model.name and isinstance(text, str):
        house.desk.meters.heed(model.name, text)


def needs_model(task: Task) -> bool:
    """Whether no solver of a task does without a model."""
    return all(SOLVERS[name].needs != "nothing" for name in task.solvers)


def shown(task: Task, house: House) -> TaskShown:
    """A task for a program."""
    found = {name: model.abilities.get(task.name) for name, model in house.doing.items()}
    return TaskShown(
        name=task.name, summary=say(task.summary), input=task.input.model_json_schema(),
        output=task.output.model_json_schema(), solvers=list(task.solvers), needs_no_model=not needs_model(task),
        models={name: solver for name, solver in found.items() if solver is not None},
    )  # fmt: skip


def check_length(given: TaskInput, house: House) -> None:
    """UserError when more new tokens are asked for than the server makes in one answer."""
    sampling = getattr(given, "sampling", None)
    if sampling is not None:
        house.check_new_tokens(sampling.max_new_tokens)
