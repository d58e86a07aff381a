"""Requests drawn from our own OpenAPI by schemathesis, right and wrong ones: no answer is a 5xx, and all are as described."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.python import asgi

from langwright.inference.fake import parrot
from langwright.serving.app import build_app
from langwright.serving.stores.keys import create_key
from langwright.serving.stores.opening import in_memory

AS_DESCRIBED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


@contextmanager
def fuzzed() -> Iterator[tuple[list[Any], Any]]:
    """(the operations of our interface, a client of the application that stays open)."""
    stores = in_memory()
    key = create_key(stores, name="fuzz", purpose="to try everything", scopes=["admin"])
    app = build_app({"parrot": parrot()}, stores=stores)
    schema = schemathesis.openapi.from_dict(app.openapi())
    schema.app = app
    with asgi.get_client(app) as client:
        client.headers["Authorization"] = f"Bearer {key.secret}"  # one that is drawn would close the door to all others
        yield [found.ok() for found in schema.get_all_operations()], client
    assert app.state.desk.taken == 0, "a place was not given back"


def fuzz(cases: int) -> Counter[int]:
    """How many answers had which status, of so many requests, the same number to each operation, half of them wrong."""
    statuses: Counter[int] = Counter()
    load_all_checks()
    checks = CHECKS.get_by_names(AS_DESCRIBED)
    with fuzzed() as (operations, client):
        asked = [
            one for one in operations if one.method == "post" and list(one.body)
        ]  # with something that may be wrong
        for operation in operations:
            each = -(-cases // (2 * len(asked))) if operation in asked else 3
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

                @settings(
                    max_examples=each,
                    deadline=None,
                    derandomize=True,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                )
                @given(case=operation.as_strategy(generation_mode=mode), ours=st.booleans())
                def ask(case: Any, ours: bool) -> None:
                    if ours and isinstance(case.body, dict) and "model" in case.body:
                        case.body["model"] = "parrot"  # past the door, where a drawn name hardly comes
                    answer = case.call(base_url="http://localhost", session=client)
                    statuses[answer.status_code] += 1
                    case.validate_response(answer, checks=checks)

                with suppress(
                    *[Unsatisfiable] * (operation not in asked)
                ):  # nothing can be wrong where nothing is sent
                    ask()
    return statuses


@pytest.mark.spec("SV1", "500 requests drawn from our own description get no 5xx, and answers as described")
def test_500_cases() -> None:
    statuses = fuzz(500)
    assert sum(statuses.values()) >= 450 and max(statuses) < 500, statuses
    assert statuses[200] >= 30 and sum(count for status, count in statuses.items() if status >= 400) >= 100, statuses


@pytest.mark.heavy
@pytest.mark.spec("SV1", "10,000 requests drawn from our own description get no 5xx, and answers as described")
def test_10_000_cases() -> None:
    statuses = fuzz(10_000)
    assert sum(statuses.values()) >= 9_000 and max(statuses) < 500, statuses
