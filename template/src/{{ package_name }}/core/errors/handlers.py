"""One shape for every error: `application/problem+json` of RFC 9457."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from ..database.commit import CommitOutcomeUnknownError
from ..database.retry import (
    LOCK_NOT_AVAILABLE,
    Retry,
    RetryableTransactionError,
    will_be_replayed,
)
from .exceptions import ErrorCode, ErrorCodeBase, TradingException
from .middleware import get_request_id

_log = structlog.get_logger(__name__)


class Problem(BaseModel):
    """The body of every error response."""

    type: str = Field(examples=["urn:problem:not-found"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no order 7f000001"])
    instance: str = Field(description="Path of the request", examples=["/v1/orders/7f000001"])
    code: str = Field(description="Stable name of the error", examples=["NOT_FOUND"])
    request_id: str = Field(description="Also in X-Request-ID and in the log")
    timestamp: datetime = Field(description="When the error was answered, UTC")
    details: dict[str, Any] = Field(description="Figures and fields that belong to the error")


def problem_response(
    path: str,
    code: ErrorCodeBase,
    detail: str,
    *,
    status: int | None = None,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A response in the shape of `Problem`. `status` is the code's own unless given."""
    status = status or code.status
    problem = Problem(
        type=f"urn:problem:{code.lower().replace('_', '-')}",
        title=code.summary,
        status=status,
        detail=detail,
        instance=path,
        code=code,
        request_id=get_request_id(),
        timestamp=datetime.now(UTC),
        details=dict(details or {}),
    )
    return JSONResponse(
        problem.model_dump(mode="json"),
        status_code=status,
        headers=dict(headers or {}),
        media_type="application/problem+json",
    )


def install_error_handlers(app: FastAPI) -> None:
    """Answer every error of `app`, the framework's own included, as a `Problem`."""
    app.add_exception_handler(TradingException, _trading_exception)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _validation_error)
    for unreachable in (OSError, RedisError, PoolTimeoutError, DBAPIError):
        app.add_exception_handler(unreachable, _dependency_error)
    app.add_exception_handler(RetryableTransactionError, _conflict)
    app.add_exception_handler(CommitOutcomeUnknownError, _unknown_outcome)
    app.add_exception_handler(Exception, _unhandled)


# Starlette types a handler's second argument as Exception, hence the assertions.


async def _trading_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TradingException)
    _log.info("refused", code=error.code, detail=error.message, details=error.details)
    return problem_response(
        request.url.path, error.code, error.message, details=error.details, headers=error.headers
    )


async def _http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _CODE_OF_STATUS.get(error.status_code)
    if code is None:
        server_side = error.status_code >= 500
        code = ErrorCode.INTERNAL_ERROR if server_side else ErrorCode.BAD_REQUEST
    return problem_response(
        request.url.path,
        code,
        error.detail or HTTPStatus(error.status_code).phrase,
        status=error.status_code,
        headers=error.headers,
    )


_CODE_OF_STATUS = {code.status: code for code in reversed(ErrorCode) if code != "ORDER_FAILED"}


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # Only where and why, since the input itself may be a secret.
    faults = [
        {"field": ".".join(str(part) for part in fault["loc"]), "message": _reason(fault)}
        for fault in error.errors()
    ]
    _log.info("refused", code=ErrorCode.VALIDATION_FAILED, details=faults)
    return problem_response(
        request.url.path,
        ErrorCode.VALIDATION_FAILED,
        "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults),
        details={"errors": faults},
    )


def _reason(fault: Mapping[str, Any]) -> str:
    return str(fault["msg"]).removeprefix("Value error, ")


async def _conflict(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RetryableTransactionError)
    if will_be_replayed(error):
        raise error
    return _try_again(request)


_CONFLICT = Retry(also={LOCK_NOT_AVAILABLE})


def _try_again(request: Request) -> JSONResponse:
    return problem_response(
        request.url.path,
        ErrorCode.SERVICE_UNAVAILABLE,
        "Too many requests want to change the same data; try again",
        headers={"Retry-After": "1"},
    )


async def _unknown_outcome(request: Request, error: Exception) -> JSONResponse:
    """No 503, which would have clients and proxies send the request again by themselves."""
    _log.error("commit outcome unknown", exc_info=error)
    return problem_response(
        request.url.path,
        ErrorCode.OUTCOME_UNKNOWN,
        "The database was lost while it stored the result; look whether it is there",
    )


async def _dependency_error(request: Request, error: Exception) -> JSONResponse:
    """PostgreSQL or Redis does not serve us; what else they say is our own fault, a 500."""
    if _CONFLICT.applies_to(error):
        return _try_again(request)
    if isinstance(error, PoolTimeoutError):
        detail = "Every connection to PostgreSQL is in use; try again"
    elif isinstance(error, DBAPIError) and not _is_unavailable(error):
        return await _unhandled(request, error)
    else:
        detail = "A server this service needs can't be reached; try again"
    _log.error("dependency unavailable", exc_info=error)
    return problem_response(
        request.url.path,
        ErrorCode.SERVICE_UNAVAILABLE,
        detail,
        headers={"Retry-After": "1"},
    )


# Classes of SQLSTATE: connection, credentials, no such database, resources, operator's doing.
_UNAVAILABLE = ("08", "28", "3D", "53", "57P")


def _is_unavailable(error: DBAPIError) -> bool:
    sqlstate = getattr(error.orig, "sqlstate", None) or ""
    return error.connection_invalidated or sqlstate.startswith(_UNAVAILABLE)


async def _unhandled(request: Request, error: Exception) -> JSONResponse:
    _log.error("unhandled error", exc_info=error)
    return problem_response(
        request.url.path,
        ErrorCode.INTERNAL_ERROR,
        "Something went wrong on our side; the request id finds it in the log",
    )
