"""Hosts, ports and web origins, as a setting may spell them."""

import ipaddress
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

_NAME = re.compile(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?")  # of parts that can be looked up
_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?P<port>:[0-9]+)?/?"
)
_PORT_OF_SCHEME = {"http": ":80", "https": ":443"}
_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://")


def host_alone(text: str) -> str:
    """Return a host's name or address, an IPv6 address without brackets. Raises ValueError."""
    if not text:
        raise ValueError("is empty; leave it out for the default")
    address = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if is_ipv6(address):
        return address
    if _NAME.fullmatch(text):
        return text
    raise ValueError(
        "must be a host alone, such as db.internal: no ://, no port, no @, no blanks, no quotes"
    )


def is_ipv6(text: str) -> bool:
    """Tell whether it is an address of IPv6, without brackets."""
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def host_or_folder(text: str) -> str:
    """Return a host as `host_alone` does, or the folder of a socket. Raises ValueError."""
    return printable(text) if text.startswith("/") else host_alone(text)


def printable(text: str) -> str:
    """Return the text. Raises ValueError if a character of it can't be seen, such as a newline."""
    if not text.isprintable():
        raise ValueError("holds a character that can't be seen, such as a newline; remove it")
    return text


def origin(text: str) -> str:
    """Return a web origin as a browser sends it, or `*`. Raises ValueError."""
    if text == "*":
        return text
    parts = _ORIGIN.fullmatch(text.lower())
    if not parts:
        raise ValueError(
            "must be origins such as https://a.example, with commas between them: each a scheme, "
            "a host and, if it is not the scheme's own, a port; no path. Or * for every origin"
        )
    scheme, host, port = parts["scheme"], parts["host"], parts["port"]
    is_default = port == _PORT_OF_SCHEME.get(scheme)  # which a browser leaves out
    return f"{scheme}://{host}{'' if is_default else port or ''}"


def is_service_link(value: Any) -> bool:
    """Tell whether Kubernetes has set this value, because a Service is named like our prefix."""
    return isinstance(value, str) and _SERVICE_LINK.match(value) is not None


def _no_service_link(value: Any) -> Any:
    if is_service_link(value):
        raise ValueError(
            "was set by Kubernetes, which does so for a Service of that name; set "
            "enableServiceLinks: false in the pod's spec, or give the Service another name"
        )
    return value


Host = Annotated[str, AfterValidator(host_alone)]
"""A host's name or address. It is shown, so a URL, which may hold a password, is refused."""

HostOrFolder = Annotated[str, AfterValidator(host_or_folder)]
"""A host as above, or the folder of a socket."""

Port = Annotated[int, Field(ge=1, le=65535), BeforeValidator(_no_service_link)]

Text = Annotated[str, Field(min_length=1), AfterValidator(printable)]
"""A text that is not empty and can be seen as a whole."""
