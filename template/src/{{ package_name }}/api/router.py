"""Every route below `/v1`. Each handler asks for the account of an API key with a scope."""

from fastapi import APIRouter

from .accounts import router as accounts
from .instruments import router as instruments
from .orders import router as orders

# isort: split
# yours below

router = APIRouter(prefix="/v1")
router.include_router(orders)
router.include_router(accounts)
router.include_router(instruments)
# yours below
