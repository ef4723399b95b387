"""Values that a person types."""

from collections.abc import Callable
from typing import Any

import typer
from pydantic import TypeAdapter, ValidationError


def valid(kind: Any) -> Callable[[str], Any]:
    """Return a parser for typer that takes what an API field of that type takes.

    `Annotated[Decimal, typer.Option(parser=valid(PositiveAmount))]`.
    """
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def parse(text: str) -> Any:
        try:
            return adapter.validate_python(text)
        except ValidationError as error:
            reason = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
            raise typer.BadParameter(reason) from None

    return parse
