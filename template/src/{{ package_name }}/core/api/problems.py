"""One shape for every error: `application/problem+json` of RFC 9457."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpx
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from ..database.transactions.commit import CommitOutcomeUnknownError
from ..database.transactions.retry import RetryableTransactionError, is_left_to_the_caller
from ..errors.context import context_of
from ..errors.exceptions import ErrorCode, ErrorCodeBase, TradingException
from ..errors.middleware import get_request_id
from .answers import CONTENDED, answer_to, constraint_of
from .plain import plain_json
from .routing import allowed_methods

PROBLEM_JSON = "application/problem+json"

_log = structlog.get_logger(__name__)


class Problem(BaseModel):
    """Body of every error response."""

    type: str = Field(description="The code again, as a URN")
    title: str = Field(description="The code in words")
    status: int = Field(description="Status of the response")
    detail: str = Field(description="This error in words, for people")
    instance: str = Field(description="Path of the request")
    code: str = Field(description="Stable name of the error")
    request_id: str = Field(description="Also in X-Request-ID and in the log")
    timestamp: datetime = Field(description="When the error was answered, UTC")
    details: dict[str, Any] = Field(description="Figures and fields that belong to the error")


def problem_of(
    path: str,
    code: ErrorCodeBase,
    detail: str,
    *,
    status: int | None = None,
    details: Mapping[str, Any] | None = None,
) -> Problem:
    """Return what is answered. `status` is the code's own unless given."""
    status = status or code.status
    return Problem(
        type=f"urn:problem:{code.lower().replace('_', '-')}",
        title=code.summary,
        status=status,
        detail=plain_json(detail),
        instance=path,
        code=code,
        request_id=get_request_id(),
        timestamp=datetime.now(UTC),
        details=plain_json(details or {}),
    )


def problem_response(
    path: str,
    code: ErrorCodeBase,
    detail: str,
    *,
    status: int | None = None,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return a response in the shape of `Problem`. `status` is the code's own unless given."""
    problem = problem_of(path, code, detail, status=status, details=details)
    return JSONResponse(
        problem.model_dump(mode="json"),
        status_code=problem.status,
        headers=dict(headers or {}),
        media_type=PROBLEM_JSON,
    )


def install_error_handlers(app: FastAPI) -> None:
    """Answer every error of `app`, the framework's own included, as a `Problem`."""
    app.add_exception_handler(TradingException, _trading_exception)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _validation_error)
    for error in (OSError, RedisError, PoolTimeoutError, DBAPIError, httpx.HTTPError):
        app.add_exception_handler(error, _server_error)
    app.add_exception_handler(RetryableTransactionError, _conflict)
    app.add_exception_handler(CommitOutcomeUnknownError, _server_error)
    app.add_exception_handler(ExceptionGroup, _group)
    app.add_exception_handler(Exception, _server_error)


# Starlette types a handler's second argument as Exception, hence the assertions.


async def _trading_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TradingException)
    _log.info(
        "refused",
        code=error.code,
        detail=error.message,
        details=error.details,
        context=context_of(error),
    )
    return _answer(
        request, error, error.code, error.message, details=error.details, headers=error.headers
    )


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code in _BODILESS:
        return Response(status_code=error.status_code, headers=error.headers)
    headers = dict(error.headers or {})
    if error.status_code == ErrorCode.METHOD_NOT_ALLOWED.status:
        headers["Allow"] = ", ".join(allowed_methods(request))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
    is_ours = error.status_code >= 500
    default = ErrorCode.INTERNAL_ERROR if is_ours else ErrorCode.BAD_REQUEST
    code = _CODE_OF_STATUS.get(error.status_code, default)
    detail: Any = error.detail or HTTPStatus(error.status_code).phrase
    log = _log.error if is_ours else _log.info
    log("refused", code=code, detail=detail, context=context_of(error))
    return _answer(
        request,
        error,
        code,
        detail if isinstance(detail, str) else code.summary,
        status=error.status_code,
        details=None if isinstance(detail, str) else {"detail": detail},
        headers=headers,
    )


_BODILESS = {204, 205, 304}
_SPECIAL = {
    ErrorCode.REFERENCE_NOT_FOUND,
    ErrorCode.CONSTRAINT_VIOLATED,
    ErrorCode.ORDER_FAILED,
    ErrorCode.OUTCOME_UNKNOWN,
}
_CODE_OF_STATUS = {code.status: code for code in ErrorCode if code not in _SPECIAL}


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    if _is_no_json(error):
        code, detail = ErrorCode.UNSUPPORTED_MEDIA_TYPE, _SEND_JSON
        _log.info("refused", code=code, detail=detail, context=context_of(error))
        return _answer(request, error, code, detail)
    faults = [
        {"field": _field(fault), "message": _reason(fault)}
        for fault in error.errors()[:_MAX_FAULTS]
    ]
    _log.info(
        "refused",
        code=ErrorCode.VALIDATION_FAILED,
        details=faults,
        context=context_of(error),
    )
    return _answer(
        request,
        error,
        ErrorCode.VALIDATION_FAILED,
        "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults),
        details={"errors": faults},
    )


_MAX_FAULTS = 20
_SEND_JSON = "Send the body as JSON, with the header `Content-Type: application/json`"


def _is_no_json(error: RequestValidationError) -> bool:
    """Tell whether a body that should be JSON was not said to be: FastAPI leaves it as bytes."""
    is_of_body = any(fault["loc"][0] == "body" for fault in error.errors())
    return is_of_body and isinstance(error.body, bytes)


def _field(fault: Mapping[str, Any]) -> str:
    """Tell where the fault is, in names of ours: those of the client may be secrets, as values."""
    location = fault["loc"]
    if fault["type"] == "extra_forbidden":
        name = str(location[-1])
        is_plain = len(name) <= 40 and name.isidentifier() and name.islower()
        location = (*location[:-1], name if is_plain else "(unknown field)")
    return ".".join(str(part)[:100] for part in location)


def _reason(fault: Mapping[str, Any]) -> str:
    return str(fault["msg"]).removeprefix("Value error, ")[:500]


async def _conflict(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RetryableTransactionError)
    if is_left_to_the_caller(error):
        raise error
    return await _server_error(request, error)


async def _group(request: Request, error: Exception) -> Response:
    """Answer one error that a task group has wrapped as itself, several as a 500."""
    cause = error
    while isinstance(cause, ExceptionGroup) and len(cause.exceptions) == 1:
        cause = cause.exceptions[0]
    if isinstance(cause, ExceptionGroup):
        return await _server_error(request, error)
    if cause.__cause__ is None:
        cause.__cause__ = error  # for what was said around the group to be found
    handlers = request.app.exception_handlers
    handler = next(handlers[kind] for kind in type(cause).__mro__ if kind in handlers)
    answer: Response = await handler(request, cause)
    return answer


async def _server_error(request: Request, error: Exception) -> JSONResponse:
    """Answer anything else: what the client may know of it is decided by its kind alone."""
    code, detail, advice = answer_to(error)
    if code.status < 500 or detail is CONTENDED:
        _log.warning("conflict", code=code, exc_info=error, context=context_of(error))
    elif advice:
        reason = str(error).partition("\n")[0]
        _log.error("not set up", advice=advice, reason=reason, context=context_of(error))
    else:
        event = "unhandled error" if code is ErrorCode.INTERNAL_ERROR else "dependency unavailable"
        _log.error(event, code=code, exc_info=error, context=context_of(error))
    headers = {"Retry-After": "1"} if code is ErrorCode.SERVICE_UNAVAILABLE else None
    details = constraint_of(error) if isinstance(error, DBAPIError) else None
    return _answer(request, error, code, detail, details=details, headers=headers)


def _answer(
    request: Request, error: Exception, code: ErrorCodeBase, detail: str, **options: Any
) -> JSONResponse:
    public: frozenset[str] = request.app.public_context
    shown = {name: value for name, value in context_of(error).items() if name in public}
    if shown:
        options["details"] = {**(options.get("details") or {}), "context": shown}
    return problem_response(request.url.path, code, detail, **options)
