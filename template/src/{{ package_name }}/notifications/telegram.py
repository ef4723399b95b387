"""Alerts as messages of a Telegram bot to one person."""

import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, SecretStr, field_validator

from ..core.alerts.notices import Notice
from ..core.config import Settings
from ..core.config.credentials import credential_faults, given, why_real
from ..core.config.faults import Faults
from ..core.config.groups import Group

if TYPE_CHECKING:
    from .http import Http

_LIMIT = 4096  # UTF-16 code units
_TOKEN = re.compile(r"\d{5,16}:[\w-]{30,64}", re.ASCII)
_EXAMPLES = {  # of Telegram's documentation
    "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11",
    "110201543:AAHdqTcvCH1vGWJxfSeofSAPK0PALDsaw",
    "4839574812:AAFD39kkdpWt3ywyRZergyOLMaJhac60qcK",
}
_TODO = {
    400: "OWNER_ID has to be the number of a person who has pressed Start in the bot's chat",
    401: "TELEGRAM_BOT_TOKEN is not valid (any more); get it from @BotFather",
    403: "the person of OWNER_ID has to press Start in the bot's chat, or to unblock it",
    404: "TELEGRAM_BOT_TOKEN is not valid; get it from @BotFather",
}


class TelegramGroup(Group):
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


class TelegramSettings(Settings):
    telegram: TelegramGroup = TelegramGroup()
    owner_id: Annotated[int, Field(ge=1, lt=2**52)] | None = Field(
        None,
        description="Telegram's number of the person who gets the alerts; the bot's getUpdates "
        "has it as from.id",
    )

    @classmethod
    def missing_credentials(cls, values: dict[str, Any]) -> Faults:
        faults = super().missing_credentials(values)
        if not (reason := why_real(values)):
            return faults
        token = given(values, "TELEGRAM_BOT_TOKEN")
        owner = str(values.get("owner_id") or "").strip()
        # What follows the colon is the secret; the documentation's own is none.
        secret = "example" if token in _EXAMPLES else (token and token.partition(":")[2]) or token
        faults |= credential_faults({"TELEGRAM_BOT_TOKEN": secret}, reason)
        if not owner or "1234567890".startswith(owner):
            state = "is a placeholder" if owner else "is missing"
            faults["OWNER_ID"] = f"{state}; {reason} needs the real one"
        return faults

    @property
    def notes(self) -> list[str]:
        pair = {"TELEGRAM_BOT_TOKEN": self.telegram.bot_token, "OWNER_ID": self.owner_id}
        missing = " and ".join(name for name, value in pair.items() if not value)
        if not missing:
            return super().notes
        return [*super().notes, f"No alert is sent to Telegram: {missing} not set"]


class Telegram:
    """A channel."""

    name = "telegram"

    def __init__(self, http: "Http", owner_id: int) -> None:
        self._http = http
        self._owner_id = owner_id

    @classmethod
    def configured(cls, settings: TelegramSettings) -> Self | None:
        """The channel, if its credentials are set."""
        token, owner_id = settings.telegram.bot_token, settings.owner_id
        if not token or not owner_id:
            return None
        from .http import Http, SecretUrl  # noqa: PLC0415  # httpx takes a quarter of a second to import

        api = f"{settings.telegram.api_url}/bot"
        url = SecretStr(f"{api}{token.get_secret_value()}/sendMessage")
        shown = f"{api}***/sendMessage"
        return cls(Http(SecretUrl(url, shown), settings.alerts.timeout), owner_id)

    async def send(self, notice: Notice) -> None:
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
    """The object that it is, or that it holds as JSON; else an empty one."""
    if isinstance(value, bytes):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    return value if isinstance(value, dict) else {}
