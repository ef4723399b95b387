import tomllib
import warnings
from decimal import Decimal
from pathlib import Path

import pytest
from dirty_equals import IsPositiveInt

from trading_service.core.api.application import ServiceAPI
from trading_service.desk import report
from trading_service.desk.feed import Feed, open_feed
from trading_service.main import create_app
from trading_service.market.words import Side
from trading_service.notifications import channels
from trading_service.settings import Settings
from trading_service.strategies.drift import decide

from ..core.support.live import until

pytestmark = pytest.mark.desk


async def test_the_feed_is_open_while_the_service_runs_and_looked_at(settings: Settings) -> None:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        feed = app.resources[open_feed]
        await until(lambda: feed.looks)
        assert feed.is_open

    assert not feed.is_open
    assert feed.looks == IsPositiveInt


def test_a_strategy_sells_what_has_risen() -> None:
    feed = Feed()
    feed.prices["BTC-USDT"] = Decimal(3)

    assert decide(feed, "BTC-USDT", [Decimal(2)]) is Side.SELL
    assert decide(feed, "BTC-USDT", [Decimal(3)]) is None


def test_the_desk_has_settings_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_NAME", "nine")

    assert Settings().desk.name == "nine"


def test_the_pager_is_a_channel_where_it_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert channels(Settings()) == []
    monkeypatch.setenv("PAGER_NUMBER", "9")

    assert [channel.name for channel in channels(Settings())] == ["pager"]


def test_the_report_says_what_for(capsys: pytest.CaptureFixture[str]) -> None:
    report.main()

    assert "make 1.0 million" in capsys.readouterr().out


def test_what_the_desk_warns_of_is_no_error() -> None:
    warnings.warn("of our desk", stacklevel=1)


def test_tools_of_the_desk_find_their_settings() -> None:
    pyproject = Path(__file__).parents[2] / "pyproject.toml"

    assert tomllib.loads(pyproject.read_text())["tool"]["desk"] == {"name": "nine"}


async def test_the_feed_stands_beside_what_core_holds(app: ServiceAPI) -> None:
    assert app.resources[open_feed].prices == {}
