"""The parts that the schemas of every noun have in common."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

ItemT = TypeVar("ItemT")


class Page(BaseModel, Generic[ItemT]):
    """Part of a list. Each noun has a class of its own, whose name generated clients see."""

    items: list[ItemT]
    next_cursor: str | None = Field(
        None, description="If it is not null there is more: ask with `after` set to it"
    )


class FromRow(BaseModel):
    """Schema that is made of a row of a table."""

    model_config = ConfigDict(from_attributes=True)


def example(**values: Any) -> dict[str, Any]:
    """Return a schema's `json_schema_extra` with this example, which the documentation shows."""
    return {"examples": [values]}
