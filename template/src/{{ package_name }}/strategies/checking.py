"""Checking settings: all that they have against them, at once."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from .strategy import Config, Fault, Market, Params, Strategy


def check(
    strategy: Strategy[Any, Any],
    given: Mapping[str, Any],
    market: Market,
    timeframe_seconds: int,
    price: Decimal | None,
    version: int = 1,
) -> tuple[Config[Any] | None, list[Fault]]:
    """Return the configuration with these settings, or None and every fault that they have.

    `price` is the market's present one; without it, what depends on it is not looked at.
    """
    params: Params
    found = [
        Fault(name, "has a character that can't be stored")
        for name, value in given.items()
        if name in strategy.params_type.model_fields and not _is_storable(value)
    ]
    try:
        params = strategy.params_type.model_validate(dict(given))
    except ValidationError as error:
        known = {fault.param for fault in found}
        found += [fault for fault in faults_of(error, strategy) if fault.param not in known]
        wrong = {fault.param for fault in found}
        fields = strategy.params_type.model_fields
        if any(fields[name].is_required() for name in wrong if name in fields):
            return None, found
        rest = {name: value for name, value in given.items() if name not in wrong}
        params = strategy.params_type.model_validate(rest)
    config = Config(params, market, timeframe_seconds, version)
    wrong = {fault.param for fault in found}
    found += [
        fault
        for fault in strategy.faults(config, price)
        if wrong.isdisjoint({fault.param, *fault.about})
    ]
    return (None if found else config), found


def read_settings(texts: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Return the settings that are written as NAME=VALUE, and what is wrong with the writing."""
    given: dict[str, str] = {}
    wrong: list[str] = []
    for text in texts:
        name, is_there, value = (part.strip() for part in text.partition("="))
        if not is_there or not name:
            wrong.append(f"{text!r} is not NAME=VALUE")
        elif name in given:
            wrong.append(f"{name} is there twice")
        else:
            given[name] = value
    return given, wrong


def _is_storable(value: Any) -> bool:
    """Tell whether a database and JSON can have it: no NUL, and no half of a surrogate pair."""
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= one <= "\udfff" for one in value)
    if isinstance(value, Mapping):
        return all(_is_storable(part) for pair in value.items() for part in pair)
    return not isinstance(value, list | tuple) or all(map(_is_storable, value))


def in_words(faults: Iterable[Fault]) -> str:
    """Return the faults in one line."""
    return "; ".join(f"{fault.param}: {fault.message}".removeprefix(": ") for fault in faults)


def faults_of(error: ValidationError, strategy: Strategy[Any, Any]) -> list[Fault]:
    """Return what is wrong with settings, one fault for each of them."""
    found: dict[str, Fault] = {}
    for detail in error.errors(include_url=False, include_context=False):
        name = str(detail["loc"][0]) if detail["loc"] else ""
        if detail["type"] == "extra_forbidden":
            message = strategy.refusals().get(name, "there is no such setting")
        else:
            message = detail["msg"].removeprefix("Value error, ")
        found.setdefault(name, Fault(name, message))
    return list(found.values())
