"""Columns of amounts."""

from sqlalchemy import CheckConstraint, Numeric

AMOUNT = Numeric(38, 18)


def bounded(column: str, lowest: str = ">= 0") -> CheckConstraint:
    """A range check with an upper bound: PostgreSQL sorts NaN above every number."""
    return CheckConstraint(f"{column} {lowest} AND {column} < 1e20", name=f"{column}_range")
