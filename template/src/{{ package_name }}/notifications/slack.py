"""Alerts as messages in a Slack channel, by an incoming webhook."""

import re
from html import escape
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, SecretStr, field_validator

from ..core.config.credentials import credential_faults, given
from ..core.config.faults import Faults
from ..core.config.groups import Group

if TYPE_CHECKING:
    from ..core.alerts.notices import Notice
    from . import NotificationSettings
    from .http import Http

_LIMIT = 4000  # Slack advises against more, and cuts at 40,000
_URL = re.compile(r"https?://[^\s/?#@]+/[^\s?#]+")
_SLACKS_OWN = re.compile(
    r"https://hooks\.slack(-gov)?\.com/services/(?P<secret>T\w+/B\w+/\w+)", re.ASCII
)
_TODO = {
    403: "the webhook was revoked, or an administrator forbids it; make a new SLACK_WEBHOOK_URL",
    404: "there is no such webhook or channel any more; make a new SLACK_WEBHOOK_URL",
    410: "its channel was archived; make a webhook for another one",
}


class SlackSettings(Group):
    webhook_url: SecretStr | None = Field(
        None,
        description="Incoming webhook that alerts are sent to, https://hooks.slack.com/services/...",
    )

    @field_validator("webhook_url")
    @classmethod
    def _is_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _URL.fullmatch(value.get_secret_value()):
            raise ValueError("must be an address such as https://hooks.slack.com/services/...")
        return value

    @classmethod
    def missing_credentials(cls, values: dict[str, Any], needed_by: str) -> Faults:
        url = given(values, "SLACK_WEBHOOK_URL")
        own = _SLACKS_OWN.fullmatch(url) if url else None
        if url and not own:
            fault = "must be an https://hooks.slack.com/services/... address"
            return {"SLACK_WEBHOOK_URL": f"{fault}; {needed_by} needs the real one"}
        secret = own["secret"].rpartition("/")[2] if own else None
        return credential_faults({"SLACK_WEBHOOK_URL": secret}, needed_by)

    @property
    def notes(self) -> list[str]:
        if self.webhook_url:
            return []
        return ["No alert is sent to Slack: SLACK_WEBHOOK_URL is not set"]


class Slack:
    """A channel of Slack, with an incoming webhook."""

    name = "slack"

    def __init__(self, http: "Http") -> None:
        self._http = http

    @classmethod
    def configured(cls, settings: "NotificationSettings") -> Self | None:
        """Return the channel, if its credentials are set."""
        url = settings.slack.webhook_url
        if not url:
            return None
        from .http import Http, SecretUrl  # noqa: PLC0415  # httpx takes a quarter of a second to import

        server = "/".join(url.get_secret_value().split("/")[:3])
        return cls(Http(SecretUrl(url, f"{server}/***"), settings.alerts.timeout))

    async def send(self, notice: "Notice") -> None:
        """Raise DeliveryError if it did not arrive."""
        text = notice.text(_LIMIT, lambda character: len(_escape(character)))
        # Without mrkdwn, an asterisk or a backtick in a value stays one.
        response = await self._http.post({"text": _escape(text), "mrkdwn": False})
        if response.status_code == 200 and response.text.strip() == "ok":
            return
        todo = _TODO.get(response.status_code)
        answer = response.text.strip() or "nothing"
        raise self._http.refusal(response, f"{answer}; {todo}" if todo else answer)

    async def close(self) -> None:
        await self._http.close()


def _escape(text: str) -> str:
    """Escape the characters that Slack takes for mark-up: <!channel> would call everybody."""
    return escape(text, quote=False)
