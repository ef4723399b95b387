"""A client whose own cost hardly counts."""

import asyncio
import json
from typing import Any


def request(method: str, path: str, key: str, body: Any = None) -> bytes:
    text = json.dumps(body) if body is not None else ""
    head = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {key}",
        "Content-Type: application/json",
        f"Content-Length: {len(text)}",
    ]
    return ("\r\n".join(head) + "\r\n\r\n" + text).encode()


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: bytes
) -> tuple[int, bytes]:
    writer.write(message)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return int(head[9:12]), await reader.readexactly(length)
