"""The caller of a route, and its rights."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from ..core.database.session import Database
from ..core.errors import ErrorCode, TradingException
from ..trading.accounts import Account
from ..trading.api_keys import Scope, find_api_key

_bearer = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer <key>`")


async def get_caller(
    request: Request,
    needed: SecurityScopes,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Account:
    """Return the account of the request's API key.

    Raises TradingException UNAUTHENTICATED without a known key, FORBIDDEN without the scope.
    """
    database: Database = request.app.resources.database
    # A session of its own: the handler's begins with the handler's first statement.
    async with database.sessions() as session:
        key = await find_api_key(session, credentials.credentials) if credentials else None
    if key is None:
        raise TradingException(
            ErrorCode.UNAUTHENTICATED,
            "Send a valid API key in the header Authorization, as `Bearer <key>`",
            headers={"WWW-Authenticate": "Bearer"},
        )
    missing = sorted(set(needed.scopes) - set(key.scopes))
    if missing:
        raise TradingException(
            ErrorCode.FORBIDDEN,
            f"This API key lacks the scope {', '.join(missing)}",
            {"missing_scopes": missing},
        )
    return key.account


async def is_admin(request: Request, key: str) -> bool:
    """Tell whether the API key may see details of the service's health."""
    database: Database = request.app.resources.database
    async with database.sessions() as session:
        found = await find_api_key(session, key)
    return found is not None and Scope.ADMIN in found.scopes


ReadAccount = Annotated[Account, Security(get_caller, scopes=[Scope.READ])]
TradeAccount = Annotated[Account, Security(get_caller, scopes=[Scope.TRADE])]
AdminAccount = Annotated[Account, Security(get_caller, scopes=[Scope.ADMIN])]
