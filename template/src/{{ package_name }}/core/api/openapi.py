"""The OpenAPI document: what it says of errors, and how operations are called."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from fastapi.routing import APIRoute

from ..errors.exceptions import ErrorCode, ErrorCodeBase
from .problems import PROBLEM_JSON, Problem, problem_of

HEALTH_TAG = {"name": "health", "description": "How the service does, for probes and people."}

_SCHEMA = {"$ref": f"#/components/schemas/{Problem.__name__}"}
_AT = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
_REQUEST_ID = "6f71250b36cb4be6ea3009b8808969cc"


def operation_id(route: APIRoute) -> str:
    """Return the name of a route in the document and in generated clients: its function's.

    FastAPI's own has the path in it, and would change with it.
    """
    return route.name


def errors(*codes: ErrorCodeBase) -> dict[int | str, dict[str, Any]]:
    """Return a route's `responses=` for these errors, by status and with an example of each.

    The errors of every route with parameters or a body need not be named.
    """
    by_status: defaultdict[int, list[ErrorCodeBase]] = defaultdict(list)
    for code in codes:
        by_status[code.status].append(code)
    return {status: _response(of_status) for status, of_status in by_status.items()}


def _response(codes: Iterable[ErrorCodeBase]) -> dict[str, Any]:
    return {
        "description": ", ".join(f"`{code}`" for code in codes),
        "content": {
            PROBLEM_JSON: {
                "schema": _SCHEMA,
                "examples": {
                    str(code): {"summary": code.summary, "value": _example(code)} for code in codes
                },
            }
        },
    }


def _example(code: ErrorCodeBase) -> dict[str, Any]:
    problem = problem_of("/v1/orders", code, code.summary, details=code.details)
    told = problem.model_copy(update={"request_id": _REQUEST_ID, "timestamp": _AT})
    return told.model_dump(mode="json")


def with_problems(document: dict[str, Any]) -> dict[str, Any]:
    """Return FastAPI's document with errors as what they are: `Problem`, as problem+json."""
    document["components"]["schemas"][Problem.__name__]["examples"] = [
        _example(ErrorCode.NOT_FOUND)
    ]
    for path in document["paths"].values():
        for operation in path.values():
            responses = operation["responses"]
            content = responses["default"]["content"]
            [answered_as] = content  # JSON, or what a stream is
            content[PROBLEM_JSON] = content.pop(answered_as)
            for code in _errors_of_requests(operation):
                _add(responses, code)
    for schema in document["components"]["schemas"].values():
        _show_nulls(schema)
    return document


def _show_nulls(schema: dict[str, Any]) -> None:
    """Put back what is null in a schema's examples: FastAPI leaves it out."""
    for name, shape in schema.get("properties", {}).items():
        if {"type": "null"} in shape.get("anyOf", ()):
            for example in schema.get("examples", ()):
                example.setdefault(name, None)


def _errors_of_requests(operation: dict[str, Any]) -> Iterator[ErrorCode]:
    """Name what is answered before the handler runs, to a request that can't be read."""
    body = operation.get("requestBody")
    if body:
        yield ErrorCode.BAD_REQUEST
        yield ErrorCode.PAYLOAD_TOO_LARGE
        if "application/json" in body["content"]:
            yield ErrorCode.UNSUPPORTED_MEDIA_TYPE
    # A route with a 422 of its own refuses query parameters, too.
    if body or "parameters" in operation or "422" in operation["responses"]:
        yield ErrorCode.VALIDATION_FAILED


def _add(responses: dict[str, Any], code: ErrorCode) -> None:
    """Add an error to the responses of an operation, which may have its status already."""
    added = _response([code])
    response = responses.setdefault(str(code.status), added)
    content = response.setdefault("content", {}).setdefault(PROBLEM_JSON, {"schema": _SCHEMA})
    shown = content.setdefault("examples", {})
    if code not in shown:
        response["description"] += f", {added['description']}"
        shown.update(added["content"][PROBLEM_JSON]["examples"])
