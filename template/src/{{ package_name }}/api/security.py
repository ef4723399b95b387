"""The caller of a route, and its rights."""

from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPBearer, SecurityScopes

from ..core.api.admission import Admission
from ..core.database.session import Database
from ..core.errors import ErrorCode, TradingException
from ..trading.accounts import Account
from ..trading.api_keys import ApiKey, Scope, known_api_key


class KeyHolder(HTTPBearer):
    """The account of a request's API key. One with the scheme: each dependency costs time."""

    async def __call__(  # type: ignore[override]
        self, request: Request, needed: SecurityScopes
    ) -> Account:
        """Return the account of the request's API key.

        Raises TradingException UNAUTHENTICATED without a known key, FORBIDDEN without the scope,
        RATE_LIMITED while too many requests of the account are being served.
        """
        credentials = await super().__call__(request)
        seconds = request.app.resources.settings.key_cache_seconds
        key = await _look_up(request, credentials.credentials, seconds) if credentials else None
        if key is None:
            raise TradingException(
                ErrorCode.UNAUTHENTICATED,
                "Send a valid API key in the header Authorization, as `Bearer <key>`",
                headers={"WWW-Authenticate": "Bearer"},
            )
        admission: Admission = request.app.admission
        await admission.key_known(request, key.id, key.account_id)
        missing = sorted(set(needed.scopes) - set(key.scopes))
        if missing:
            raise TradingException(
                ErrorCode.FORBIDDEN,
                f"This API key lacks the scope {', '.join(missing)}",
                {"missing_scopes": missing},
            )
        return key.account


async def is_admin(request: Request, key: str) -> bool | None:
    """Tell whether the API key may see details of the service's health; None: no such key."""
    admission: Admission = request.app.admission
    found = await _look_up(request, key) if admission.may_look_up(request) else None
    return None if found is None else Scope.ADMIN in found.scopes


async def _look_up(request: Request, key: str, seconds: float = 0) -> ApiKey | None:
    """Return the key as it was at most `seconds` ago."""
    database: Database = request.app.resources.database
    found = await known_api_key(database, key, seconds)
    if found is None:
        admission: Admission = request.app.admission
        admission.key_unknown(request)
    return found


_key_holder = KeyHolder(
    scheme_name="HTTPBearer",
    auto_error=False,
    description="An API key: `Authorization: Bearer <key>`",
)
ReadAccount = Annotated[Account, Security(_key_holder, scopes=[Scope.READ])]
TradeAccount = Annotated[Account, Security(_key_holder, scopes=[Scope.TRADE])]
AdminAccount = Annotated[Account, Security(_key_holder, scopes=[Scope.ADMIN])]
