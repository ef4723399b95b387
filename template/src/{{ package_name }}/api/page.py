"""What the schemas of every noun have in common."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

ItemT = TypeVar("ItemT")


class Page(BaseModel, Generic[ItemT]):
    """Part of a list. If `next_cursor` is not null there is more: ask with `after` set to it."""

    items: list[ItemT]
    next_cursor: str | None = None


class FromRow(BaseModel):
    """A schema that is made of a row of a table."""

    model_config = ConfigDict(from_attributes=True)
