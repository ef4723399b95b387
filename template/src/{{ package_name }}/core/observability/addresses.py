"""The address of a client, as logs and limits have it."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.types import Scope


def client_address(scope: Scope) -> str:
    """Return the client's IP address, or "" where what the server says of it is none.

    A server that believes a proxy takes over whatever text the proxy has passed on.
    """
    client = scope.get("client")
    return _address(client[0]) if client else ""


@lru_cache(maxsize=4096)
def _address(text: str) -> str:
    try:
        return str(ip_address(text.partition("%")[0]))
    except ValueError:
        return ""


@lru_cache(maxsize=4096)
def neighbourhood(address: str) -> str:
    """Return what one client can have all of: an IPv4 address, or the /64 of an IPv6 address."""
    if ":" not in address:
        return address
    known = IPv6Address(address)
    if known.ipv4_mapped:
        return str(known.ipv4_mapped)
    return str(ip_network(f"{address}/64", strict=False))
