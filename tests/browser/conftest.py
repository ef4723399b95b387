"""A service that is no developer's own, and a tab of a browser."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
import trading_service
from chromium import Browser, browser
from trading_service.core.process.dev_servers import Postgres, RedisServer

HERE = Path(__file__).parent
LEAKY = Path(trading_service.__file__).parent / "api" / "reports.py"
PROGRAM = Path(sys.executable).with_name("trading-service")


@dataclass
class Service:
    url: str
    key: str
    redis: RedisServer
    process: subprocess.Popen[bytes]
    client: httpx.Client

    def trade(self, number: int) -> None:
        order = {
            "client_order_id": f"b{number}",
            "symbol": ("BTC-USDT", "ETH-USDT")[number % 2],
            "side": ("buy", "buy", "sell")[number % 3],
            "qty": "0.01",
            "limit_price": ("2000", "2000", "90000")[number % 3],  # and so it rests
        }
        self.client.post("/v1/orders", json=order)
        self.client.get("/v1/orders?limit=20")
        if number % 5 == 0:
            self.client.get("/v1/slow")
        if number % 11 == 0:
            self.client.get("/nowhere")


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service that is no developer's own, with a PostgreSQL and a Redis, and quick checks."""
    with TemporaryDirectory() as folder, socket.socket() as probe:
        postgres, redis = Postgres(Path(folder) / "pg"), RedisServer(Path(folder) / "redis")
        postgres.start()
        redis.start()
        environment = {**os.environ, **postgres.environment, **redis.environment}
        environment |= {"LOG_LEVEL": "ERROR", "DB_POOL_SIZE": "4", "DB_MAX_OVERFLOW": "4"}
        environment |= {"HEALTH_INTERVAL": "0.5", "MONITOR_INTERVAL": "0.5"}
        environment |= {"DB_LEAK_THRESHOLD": "2"}

        def run(*command: str) -> str:
            return subprocess.run(
                [PROGRAM, *command], env=environment, check=True, capture_output=True, text=True
            ).stdout

        run("migrate")
        run("seed-demo")
        key = run("keys", "create", "--scopes", "read,trade,admin").split()[-1]
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        shutil.copy(HERE / "reports.py", LEAKY)
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "trading_service.api.reports:app", f"--port={port}"],
            env=environment | STAGING,
        )
        url = f"http://127.0.0.1:{port}"
        client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"})
        service = Service(url, key, redis, process, client)
        try:
            deadline = time.monotonic() + 30
            while not is_ready(client):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield service
        finally:
            client.close()
            process.terminate()
            process.wait()
            LEAKY.unlink()
            redis.stop()
            postgres.stop()


# The servers are a developer's and ask for no password, but the service wants one.
STAGING = {
    "ENVIRONMENT": "staging",
    "DB_PASSWORD": "R7yq0cZkVd2m",
    "REDIS_PASSWORD": "",
}


def is_ready(client: httpx.Client) -> bool:
    with suppress(httpx.TransportError):
        return client.get("/health/ready").status_code == 200
    return False


@pytest.fixture
def tab() -> Iterator[Browser]:
    with browser() as tab:
        yield tab
