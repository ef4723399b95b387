"""Settings of the desk."""

from pydantic import Field

from ..core.config.groups import Group


class DeskSettings(Group):
    name: str = Field("", description="Name of the desk")
    limit: int = Field(10, description="Notes that an account may have")
