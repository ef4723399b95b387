"""Messages to PostgreSQL, counted."""

import asyncio
from contextlib import suppress


class Relay:
    """Stands between a service and PostgreSQL's socket, and counts what waits for an answer."""

    def __init__(self, behind: str, folder: str) -> None:
        self.behind = f"{behind}/.s.PGSQL.5432"
        self.path = f"{folder}/.s.PGSQL.5432"
        self.messages = 0

    async def start(self) -> None:
        await asyncio.start_unix_server(self.connected, self.path)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_unix_connection(self.behind)
        with suppress(asyncio.CancelledError):  # when all is done
            await asyncio.gather(self.requests(reader, forth), self.answers(back, writer))

    async def requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start = await reader.readexactly(4)  # of the message that has no kind
        writer.write(start + await reader.readexactly(int.from_bytes(start) - 4))
        while head := await reader.read(1):
            length = await reader.readexactly(4)
            writer.write(head + length + await reader.readexactly(int.from_bytes(length) - 4))
            self.messages += head in b"QS"  # a query, or the Sync after Parse, Bind and Execute
        writer.close()

    async def answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()
