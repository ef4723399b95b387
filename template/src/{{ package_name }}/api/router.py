"""Every route below `/v1`. Each handler asks for the account of an API key with a scope."""

from fastapi import APIRouter

from . import accounts, instruments, orders

# yours below

router = APIRouter(prefix="/v1")
router.include_router(accounts.router)
router.include_router(instruments.router)
router.include_router(orders.router)
# yours below
