"""Settings of the domain."""

from typing import Annotated

from pydantic import Field, StringConstraints

from ..core.config import Settings


class TradingSettings(Settings):
    cell: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,8}$")] = Field(
        "a",
        description="Name of this database, where each of several has a part of the accounts; new "
        "API keys begin with sk_<cell>_",
    )
