"""Finding strategies: each module of this package that has a `STRATEGY` is one, by its name."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from .strategy import Strategy


def find_kinds() -> dict[str, Strategy[Any, Any]]:
    """Return every kind of strategy that there is, by its name, in the order of the names."""
    package = import_module(__package__)
    found = {}
    for module in sorted(iter_modules(package.__path__), key=lambda module: module.name):
        strategy = getattr(import_module(f".{module.name}", __package__), "STRATEGY", None)
        if isinstance(strategy, Strategy):
            found[module.name] = strategy
    return found
