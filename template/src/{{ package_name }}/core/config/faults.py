"""Faults of a configuration: what is wrong, by environment name, and never a value."""

from collections.abc import Iterable

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

Faults = dict[str, str]
"""Environment name to what is wrong with it and what to set."""

_PACKED = "configuration"


def faults_of(error: ValidationError) -> Faults:
    """Return the faults of an error that Settings raised."""
    return {str(fault["loc"][0]): fault["msg"] for fault in error.errors(include_url=False)}


def hidden(faults: Faults) -> ValidationError:
    """Return an error with these faults and, unlike pydantic's own, without the input."""
    lines = [
        InitErrorDetails(
            type=PydanticCustomError(_PACKED, "{fault}", {"fault": fault}), loc=(name,), input="***"
        )
        for name, fault in faults.items()
    ]
    return ValidationError.from_exception_data("Settings", lines, hide_input=True)


def pack(faults: Faults) -> PydanticCustomError:
    """Return the faults as the one error that a model's validator can raise."""
    return PydanticCustomError(_PACKED, "the configuration is not valid", {"faults": faults})


def unpack(error: ValidationError) -> Faults:
    """Return the faults of an error of pydantic's, packed ones among them."""
    faults: Faults = {}
    for fault in error.errors(include_url=False, include_input=False):
        if fault["type"] == _PACKED:
            context = fault["ctx"]  # of pack(), or of hidden()
            faults |= context.get("faults") or {str(fault["loc"][0]): context["fault"]}
        else:
            text = fault["msg"].removeprefix("Value error, ")
            if fault["type"].startswith("bool"):
                text += "; another program's variable of that name? Unset it"
            faults[_name(fault["loc"])] = text
    return faults


def _name(location: Iterable[int | str]) -> str:
    return "_".join(str(part) for part in location).upper()
