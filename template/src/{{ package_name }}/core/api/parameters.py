"""The query parameters of a route, and no others."""

from collections.abc import Iterator
from itertools import starmap

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_parameterless_sub_dependant
from fastapi.exceptions import RequestValidationError
from fastapi.security import APIKeyQuery
from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo


class QueryParameters:
    """A dependency that refuses what neither a handler nor its dependencies declare.

    FastAPI would ignore it, and a client that misspells a filter would get everything.
    """

    def __init__(self, dependant: Dependant) -> None:
        parts = [*_with_dependencies(dependant)]
        self._names = {part.call.model.name for part in parts if isinstance(part.call, APIKeyQuery)}
        self._takes_any = False
        for field in (field for part in parts for field in part.query_params):
            model = field.field_info.annotation
            if isinstance(model, type) and issubclass(model, BaseModel):
                self._names.update(*starmap(_names_of, model.model_fields.items()))
                self._takes_any |= model.model_config.get("extra") == "allow"
            else:
                self._names.update(_names_of(field.alias, field.field_info))

    async def __call__(self, request: Request) -> None:
        """Raise RequestValidationError if the request has a parameter that nothing reads."""
        if self._takes_any:
            return
        if unknown := [name for name in request.query_params if name not in self._names]:
            known = ", ".join(sorted(self._names))
            advice = (
                f"No such parameter; there are: {known}" if known else "There are no parameters"
            )
            raise RequestValidationError(
                [
                    {"type": "extra_forbidden", "loc": ("query", name), "msg": advice}
                    for name in unknown
                ]
            )


def refuse_others(dependant: Dependant) -> None:
    """Have the handler's own dependencies be followed by one that refuses other parameters."""
    dependencies = dependant.dependencies
    if not (dependencies and isinstance(dependencies[-1].call, QueryParameters)):
        depends = Depends(QueryParameters(dependant))
        dependencies.append(get_parameterless_sub_dependant(depends=depends, path=""))


def _names_of(name: str, parameter: FieldInfo) -> list[str]:
    """Return the names under which a client may send it."""
    alias = parameter.validation_alias or parameter.alias
    if isinstance(alias, AliasChoices):
        return [choice for choice in alias.choices if isinstance(choice, str)]
    return [alias if isinstance(alias, str) else name]


def _with_dependencies(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for dependency in dependant.dependencies:
        yield from _with_dependencies(dependency)
