"""Every route below `/v1`. Each handler asks for the account of an API key with a scope.

A handler's name is the name of its operation in generated clients: `place_order`. Each is there
once; where a name can't be, pass `operation_id=`.
"""

from fastapi import APIRouter

from ..core.api import errors
from ..core.errors import ErrorCode
from .accounts import router as accounts
from .audit import router as audit
from .backtests import router as backtests
from .candles import router as candles
from .fills import router as fills
from .instruments import router as instruments
from .orders import router as orders
from .paper import router as paper
from .positions import router as positions
from .reconciliations import router as reconciliations
from .strategies import router as strategies
from .stream import router as stream
from .trading_state import router as trading_state

# isort: split
# yours below

TAGS = [
    {"name": "orders", "description": "Place, look up and cancel."},
    {"name": "fills", "description": "The trades of orders."},
    {"name": "positions", "description": "What they come to, and what they have made."},
    {"name": "accounts", "description": "Whose money it is, and how much."},
    {"name": "instruments", "description": "What can be traded, and its prices."},
    {"name": "candles", "description": "What prices were."},
    {"name": "stream", "description": "What happens, as it happens."},
    {"name": "trading state", "description": "Whether orders may be placed."},
    {"name": "reconciliations", "description": "The books and the exchange, compared."},
    {"name": "audit", "description": "Who has changed what."},
    {"name": "strategies", "description": "What trades by itself, and why it did."},
    {"name": "backtests", "description": "Strategies on candles of the past."},
    {"name": "paper", "description": "The paper venue's prices and faults."},
    # yours below
]
"""Groups of routes in the documentation, in their order."""

router = APIRouter(
    prefix="/v1",
    responses=errors(
        ErrorCode.UNAUTHENTICATED,
        ErrorCode.FORBIDDEN,
        ErrorCode.VALIDATION_FAILED,
        ErrorCode.RATE_LIMITED,
        ErrorCode.OVERLOADED,
        ErrorCode.SERVICE_UNAVAILABLE,
        ErrorCode.DEADLINE_EXCEEDED,
    ),
)
router.include_router(orders)
router.include_router(fills)
router.include_router(positions)
router.include_router(accounts)
router.include_router(instruments)
router.include_router(candles)
router.include_router(stream)
router.include_router(trading_state)
router.include_router(reconciliations)
router.include_router(audit)
router.include_router(strategies)
router.include_router(backtests)
router.include_router(paper)
# yours below
