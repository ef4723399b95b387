"""The OpenAPI document: what it says of errors, and how operations are called."""

from collections import defaultdict
from collections.abc import Iterable
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

    Every route that has a 422 of its own may answer VALIDATION_FAILED too.
    """
    by_status: defaultdict[int, list[ErrorCodeBase]] = defaultdict(list)
    for code in codes:
        by_status[code.status].append(code)
    general = ErrorCode.VALIDATION_FAILED
    if general.status in by_status and general not in by_status[general.status]:
        by_status[general.status].append(general)
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
    schemas = document.get("components", {}).get("schemas", {})
    for path in document.get("paths", {}).values():
        for operation in path.values():
            responses = operation["responses"]
            for status, response in list(responses.items()):
                content = response.get("content", {})
                if content.get("application/json", {}).get("schema") == _FASTAPIS_OWN:
                    del content["application/json"]  # which is never answered
                    if not content:
                        del responses[status]
            content = responses["default"]["content"]
            content[PROBLEM_JSON] = content.pop("application/json")
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return document


_FASTAPIS_OWN = {"$ref": "#/components/schemas/HTTPValidationError"}
