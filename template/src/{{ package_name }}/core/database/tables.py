"""The parts of every table: base class, ids, and columns that hold one or some of some words."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from sqlalchemy import BindParameter, CheckConstraint, Enum, MetaData, Row, bindparam
from sqlalchemy.orm import DeclarativeBase, configure_mappers
from sqlalchemy.types import TypeEngine
from uuid_utils.compat import uuid7


class Base(DeclarativeBase):
    """Base class of every table. Constraints are named by rule, so a migration can drop them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )

    @classmethod
    def of_row(cls, row: Row[Any]) -> Self:
        """Return the object of a row with all of the table's columns. It is for reading.

        It is of no session. The constructor would note each value as a change, at twice the cost.
        """
        return cls.of_values(row._mapping)  # type: ignore[arg-type]  # its keys are names

    @classmethod
    def of_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the object with these values of all of the table's columns, as `of_row` does."""
        mapper = cls.__mapper__
        if not mapper.configured:  # no session has been used yet
            configure_mappers()
        found: Self = mapper.class_manager.new_instance()
        found.__dict__.update(values)
        return found


def new_id() -> UUID:
    """Return a new id, a UUID of version 7.

    It begins with the time, so that new rows stand together in an index, and needs no sequence.
    """
    return uuid7()


def given(name: str, type_: TypeEngine[Any]) -> BindParameter[Any]:
    """Return the parameter `given_<name>` of a statement over several tables.

    One with the name of a column would be a value for it, in whatever table.
    """
    return bindparam(f"given_{name}", type_=type_)


def words(enum: type[StrEnum], length: int) -> Enum:
    """Return the type of a column that holds the values of an enumeration, as VARCHAR(length)."""
    return Enum(
        enum,
        length=length,
        native_enum=False,
        create_constraint=False,  # `one_of` makes it, with a name that a migration knows
        values_callable=lambda members: [member.value for member in members],
    )


def one_of(column: str, enum: type[StrEnum]) -> CheckConstraint:
    """Return the check that a column holds one of the enumeration's values."""
    return CheckConstraint(f"{column} IN ({_values(enum)})", name=column)


def some_of(column: str, enum: type[StrEnum]) -> CheckConstraint:
    """Return the check that a column, an array, holds nothing but the enumeration's values."""
    return CheckConstraint(f"{column} <@ ARRAY[{_values(enum)}]::varchar[]", name=column)


def _values(enum: type[StrEnum]) -> str:
    return ", ".join(f"'{member}'" for member in enum)
