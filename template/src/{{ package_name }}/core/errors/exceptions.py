"""Errors that have a code, so that a client can act on them and a person can search for them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self


class ErrorCodeBase(StrEnum):
    """Base of every enumeration of error codes: a member is its name, its HTTP status, a summary.

    Where the error has details, an example of them comes last, for the documentation. A team's own
    codes are another subclass, beside the code that raises them:

        class GridError(ErrorCodeBase):
            GRID_TOO_NARROW = "GRID_TOO_NARROW", 422, "Grid too narrow", {"min_step": "0.5"}
    """

    status: int
    summary: str
    details: Mapping[str, Any]
    """An example."""

    def __new__(
        cls, code: str, status: int, summary: str, details: Mapping[str, Any] | None = None
    ) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.status = status
        member.summary = summary
        member.details = details or {}
        return member


class ErrorCode(ErrorCodeBase):
    """Codes of every service."""

    BAD_REQUEST = "BAD_REQUEST", 400, "Bad request"
    UNAUTHENTICATED = "UNAUTHENTICATED", 401, "API key needed"
    FORBIDDEN = "FORBIDDEN", 403, "Not allowed", {"missing_scopes": ["trade"]}
    NOT_FOUND = "NOT_FOUND", 404, "Not found"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED", 405, "Method not allowed"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT", 408, "Request not received in time"
    CONFLICT = "CONFLICT", 409, "Conflict", {"kind": "unique", "constraint": "uq_accounts_name"}
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE", 413, "Request body too large"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE", 415, "Request body not JSON"
    RATE_LIMITED = "RATE_LIMITED", 429, "Too many requests", {"reason": "key"}
    HEADERS_TOO_LARGE = "HEADERS_TOO_LARGE", 431, "Request headers too large"
    VALIDATION_FAILED = (
        "VALIDATION_FAILED",
        422,
        "Request not valid",
        {"errors": [{"field": "query.limit", "message": "Input should be less than 501"}]},
    )
    REFERENCE_NOT_FOUND = (
        "REFERENCE_NOT_FOUND",
        422,
        "What it refers to does not exist",
        {"kind": "foreign_key", "constraint": "fk_orders_symbol_instruments"},
    )
    CONSTRAINT_VIOLATED = (
        "CONSTRAINT_VIOLATED",
        422,
        "A value is missing or out of its range",
        {"kind": "check", "constraint": "ck_orders_qty_range"},
    )
    ORDER_FAILED = "ORDER_FAILED", 422, "Order failed"
    CLIENT_GONE = "CLIENT_GONE", 499, "Client gone"
    INTERNAL_ERROR = "INTERNAL_ERROR", 500, "Internal error"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN", 500, "Outcome unknown"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE", 503, "Service unavailable"
    OVERLOADED = "OVERLOADED", 503, "Overloaded"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED", 504, "Took too long"


class TradingException(Exception):  # noqa: N818  # the name that teams know
    """An error to tell the client about: it answers `code.status` with this message and details.

    `details` goes to the client as it is, so put figures in it and never a secret. `headers` are
    added to the response.
    """

    def __init__(
        self,
        code: ErrorCodeBase,
        message: str,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = dict(details or {})
        self.headers = dict(headers or {})
