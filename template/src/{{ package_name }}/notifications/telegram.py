"""Alerts as messages of a Telegram bot to one person."""

import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from ..core.config.credentials import credential_faults, given
from ..core.config.faults import Faults
from ..core.config.groups import Group
from ..core.config.weaknesses import is_on_this_machine

if TYPE_CHECKING:
    from ..core.alerts.notices import Notice
    from . import NotificationSettings
    from .http import Http

_LIMIT = 4096  # UTF-16 code units
_TOKEN = re.compile(r"\d{5,16}:[\w-]{30,64}", re.ASCII)
_EXAMPLES = {  # of Telegram's documentation
    "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11",
    "110201543:AAHdqTcvCH1vGWJxfSeofSAPK0PALDsaw",
    "4839574812:AAFD39kkdpWt3ywyRZergyOLMaJhac60qcK",
}
_NOT_SENT = "No alert is sent to Telegram: {} is not set"
_TODO = {
    400: "OWNER_ID has to be the number of a person who has pressed Start in the bot's chat",
    401: "TELEGRAM_BOT_TOKEN is not valid (any more); get it from @BotFather",
    403: "the person of OWNER_ID has to press Start in the bot's chat, or to unblock it",
    404: "TELEGRAM_BOT_TOKEN is not valid; get it from @BotFather",
}


class TelegramSettings(Group):
    bot_token: SecretStr | None = Field(
        None, description="Token of the bot that sends alerts, from @BotFather; 123456:AA..."
    )
    api_url: str = Field(
        "https://api.telegram.org", description="Address of the Bot API, if you run your own"
    )

    @field_validator("bot_token")
    @classmethod
    def _is_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("is no bot token; @BotFather gives one, such as 123456:AA...")
        return value

    @field_validator("api_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
            raise ValueError("must be an address such as https://api.telegram.org")
        return value.rstrip("/")

    @classmethod
    def missing_credentials(cls, values: dict[str, Any], needed_by: str) -> Faults:
        token = given(values, "TELEGRAM_BOT_TOKEN")
        # What follows the colon is the secret; the documentation's own is none.
        secret = "example" if token in _EXAMPLES else (token and token.partition(":")[2]) or token
        return credential_faults({"TELEGRAM_BOT_TOKEN": secret}, needed_by)

    @property
    def notes(self) -> list[str]:
        notes = [] if self.bot_token else [_NOT_SENT.format("TELEGRAM_BOT_TOKEN")]
        address = urlsplit(self.api_url)
        if address.scheme == "http" and not is_on_this_machine(address.hostname or ""):
            notes.append("The bot's token is sent without TLS: TELEGRAM_API_URL is http://")
        return notes


class OwnerSettings(Group):
    """Settings of the person who gets the alerts."""

    id: Annotated[int, Field(ge=1, lt=2**52)] | None = Field(
        None,
        description="Telegram's number of the person who gets the alerts; the bot's getUpdates "
        "has it as from.id",
    )

    @classmethod
    def missing_credentials(cls, values: dict[str, Any], needed_by: str) -> Faults:
        owner = str(given(values, "OWNER_ID") or "").strip()
        if owner and not "1234567890".startswith(owner):
            return {}
        state = "is a placeholder" if owner else "is missing"
        return {"OWNER_ID": f"{state}; {needed_by} needs the real one"}

    @property
    def notes(self) -> list[str]:
        return [] if self.id else [_NOT_SENT.format("OWNER_ID")]


class Telegram:
    """A channel of Telegram: a bot that writes to one person."""

    name = "telegram"

    def __init__(self, http: "Http", owner_id: int) -> None:
        self._http = http
        self._owner_id = owner_id

    @classmethod
    def configured(cls, settings: "NotificationSettings") -> Self | None:
        """Return the channel, if its credentials are set."""
        token, owner_id = settings.telegram.bot_token, settings.owner.id
        if not token or not owner_id:
            return None
        from .http import Http, SecretUrl  # noqa: PLC0415  # httpx takes a quarter of a second to import

        api = f"{settings.telegram.api_url}/bot"
        url = SecretStr(f"{api}{token.get_secret_value()}/sendMessage")
        shown = f"{api}***/sendMessage"
        return cls(Http(SecretUrl(url, shown), settings.alerts.timeout), owner_id)

    async def send(self, notice: "Notice") -> None:
        """Raise DeliveryError if it did not arrive.

        The text is sent as it is, without a parse_mode: nothing has to be escaped, and nothing
        that is cut can break.
        """
        body: dict[str, object] = {
            "chat_id": self._owner_id,
            "text": notice.text(_LIMIT, _utf16_length),
            "link_preview_options": {"is_disabled": True},
        }
        response = await self._http.post(body)
        answer = _object(response.content)
        if response.status_code == 200 and answer.get("ok") is True:
            return
        description = str(answer.get("description") or "it is no answer of the Bot API")
        is_explained = response.status_code != 400 or "chat" in description
        todo = _TODO.get(response.status_code) if is_explained else None
        raise self._http.refusal(
            response,
            f"{description}; {todo}" if todo else description,
            _object(answer.get("parameters")).get("retry_after"),
        )

    async def close(self) -> None:
        await self._http.close()


def _utf16_length(character: str) -> int:
    return 2 if character > "\uffff" else 1


def _object(value: object) -> dict[str, Any]:
    """Return the object that it is, or that it holds as JSON; else an empty one."""
    if isinstance(value, bytes):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    return value if isinstance(value, dict) else {}
