"""Who may see more of the service than whether it is healthy."""

from collections.abc import Awaitable, Callable

from fastapi import Request

from ..errors import ErrorCode, TradingException

IsAdmin = Callable[[Request, str], Awaitable[bool]]
"""Whether an API key, given as text, has the scope `admin`."""


async def require_details(request: Request) -> None:
    """FastAPI dependency: 401 for whoever may not see details."""
    if request.app.state.settings.environment == "development":
        return
    is_admin: IsAdmin | None = getattr(request.app.state, "is_admin", None)
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if is_admin is None or scheme.lower() != "bearer" or not await is_admin(request, key.strip()):
        raise TradingException(
            ErrorCode.UNAUTHENTICATED,
            "Send an API key that has the scope admin, as `Authorization: Bearer <key>`",
            headers={"WWW-Authenticate": "Bearer"},
        )
