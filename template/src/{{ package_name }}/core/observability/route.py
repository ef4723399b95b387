"""The path of a request, and the template of the route that served it."""

from starlette.types import Scope

UNMATCHED = "unmatched"

_POLLED = ("/health/", "/metrics/", "/status/data/")
_BEGINNINGS = tuple(path.rstrip("/") for path in _POLLED)


def route_template(scope: Scope) -> str:
    """Return the path as it was declared, such as `/v1/orders/{order_id}`, or "unmatched".

    Unlike the path itself it says nothing of the caller, and there are only so many of them.
    """
    # FastAPI keeps a route's path without the prefixes of the routers around it. The whole path
    # is in its own scope entry, for which it has no public name.
    context = scope.get("fastapi", {}).get("effective_route_context")
    route = context or scope.get("route")
    return getattr(route, "path", UNMATCHED) if route else _path_without_parameters(scope)


def own_path(scope: Scope) -> str:
    """Return the path without that of a proxy, HTTP_ROOT_PATH, which may leave its own on."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def is_polled(path: str) -> bool:
    """Tell whether machines ask for the path all the time, so that it would fill the logs."""
    return path.startswith(_BEGINNINGS) and f"{path}/".startswith(_POLLED)


def _path_without_parameters(scope: Scope) -> str:
    """Return the path of one of Starlette's own routes, such as `/docs`, or "unmatched".

    These leave no other trace in the scope than that a route was found.
    """
    if "endpoint" in scope:
        path = own_path(scope)
        if any(getattr(route, "path", None) == path for route in scope["app"].routes):
            return path
    return UNMATCHED
