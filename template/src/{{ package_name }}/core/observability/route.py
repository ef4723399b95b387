"""Which route served a request."""

from starlette.types import Scope


def route_template(scope: Scope) -> str:
    """The path as it was declared, such as `/v1/orders/{order_id}`, or "unmatched".

    Unlike the path itself it says nothing of the caller, and there are only so many of them.
    """
    # FastAPI keeps a route's path without the prefixes of the routers around it. The whole path
    # is in its own scope entry, for which it has no public name.
    context = scope.get("fastapi", {}).get("effective_route_context")
    return getattr(context or scope.get("route"), "path", "unmatched")
