"""The query parameters that a route reads."""

from collections.abc import Iterable, Iterator

from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.security import APIKeyQuery
from pydantic import AliasChoices, BaseModel


class QueryParameters:
    """The names of the query parameters that a handler and its dependencies declare."""

    def __init__(self, dependant: Dependant) -> None:
        self.dependant = dependant
        self._names = {
            name
            for field in get_flat_params(dependant)
            if isinstance(field.field_info, Query)
            for name in _names_of(field.field_info, field.alias)
        }
        self._takes_any = False
        for part in _with_dependencies(dependant):
            if isinstance(part.call, APIKeyQuery):
                self._names.add(part.call.model.name)
            # A model may say that it takes what it does not name.
            models = (field.field_info.annotation for field in part.query_params)
            self._takes_any |= any(
                isinstance(model, type)
                and issubclass(model, BaseModel)
                and model.model_config.get("extra") == "allow"
                for model in models
            )
        known = ", ".join(sorted(self._names))
        self.advice = (
            f"No such parameter; there are {known}" if known else "There are no parameters"
        )

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Return those of the names, each once, that nothing here reads."""
        if self._takes_any:
            return []
        return [name for name in dict.fromkeys(names) if name not in self._names]


def _names_of(parameter: Query, name: str) -> list[str]:
    alias = parameter.validation_alias
    if isinstance(alias, AliasChoices):
        return [choice for choice in alias.choices if isinstance(choice, str)]
    return [alias if isinstance(alias, str) else name]


def _with_dependencies(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for dependency in dependant.dependencies:
        yield from _with_dependencies(dependency)
