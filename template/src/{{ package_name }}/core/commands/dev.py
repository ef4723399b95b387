"""`dev`: a newcomer's first minute, and every minute of work after it."""

import asyncio
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import typer

from ..config import Settings, get_settings
from ..database.migrations import migrate
from ..process.connections import Limits
from ..process.dev_servers import PASSABLE, DevServerError, missing_servers, private_folder
from ..process.server import Interruptible, check_port, run_server
from .service import Seed, Service

STATE = Path(".dev")
HOST = "127.0.0.1"
_ADDRESSES = {
    "PostgreSQL": {"DATABASE_URL": "", "DB_PORT": "5432", "DB_PASSWORD": ""},
    "Redis": {"REDIS_PORT": "6379", "REDIS_DB": "0", "REDIS_PASSWORD": ""},
}
"""Parts of an address that `dev` does not set by itself, by the server it starts."""


def run_dev(service: Service, port: int | None, *, reload: bool) -> None:
    """Start what is missing, serve until a signal, stop what was started.

    `reload` starts the application anew when its code changes; the servers stay up. Raises
    DevServerError, ServerError, OSError or SQLAlchemyError, with everything stopped again.
    """
    port = port or get_settings().http.port
    check_port(HOST, port)
    with Interruptible(), ExitStack() as cleanup:
        cleanup.enter_context(_state_of_its_own())
        _start_missing_servers(get_settings(), cleanup)
        settings = get_settings()
        with _step("Migrating the database"):
            migrate(settings)
        key = asyncio.run(_seed(settings, service.seed))
        typer.echo(f"API key: {key}")
        address = f"http://{HOST}:{port}"
        typer.echo("Try, in a second terminal:")
        for command in service.first_steps(address, key):
            typer.echo(f"  {command}")
        greeting = f"Serving {address}/docs  (Ctrl-C stops everything)"
        run_server(
            service.application,
            HOST,
            port,
            limits=Limits.of(settings),
            greeting=greeting,
            reload=reload,
        )


@contextmanager
def _state_of_its_own() -> Iterator[None]:
    """Hold the state folder: a second run would stop the first one's servers."""
    private_folder(STATE, PASSABLE)
    with (STATE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DevServerError(f"dev is already running, with {STATE.absolute()}") from None
        yield


def _start_missing_servers(settings: Settings, cleanup: ExitStack) -> None:
    """Start the servers that the settings do not name, and have the settings name them."""
    environment: dict[str, str] = {}
    for server in missing_servers(settings, STATE):
        cleanup.callback(server.stop)
        with _step(f"Starting {server.name}"):
            server.start()
        # The user's own, of the environment or of `.env`, must not say where that server is.
        environment |= _ADDRESSES[server.name] | server.environment
    # For other commands while this one runs: `uv run --env-file .dev/env ...`
    (STATE / "env").write_text("".join(f"{name}={value}\n" for name, value in environment.items()))
    os.environ.update(environment)
    get_settings.cache_clear()


@contextmanager
def _step(what: str) -> Iterator[None]:
    started = time.monotonic()
    typer.echo(f"{what} ... ", nl=False)
    try:
        yield
    except BaseException:
        typer.echo("failed")
        raise
    typer.echo(f"done in {time.monotonic() - started:.1f} s")


async def _seed(settings: Settings, seed: Seed) -> str:
    """Return the key that `seed` gives, the same one in every run, and keep it."""
    key_file = STATE / "api-key"
    key = await seed(settings, key_file.read_text() if key_file.exists() else "")
    key_file.touch(mode=0o600)
    key_file.write_text(key)
    return key
