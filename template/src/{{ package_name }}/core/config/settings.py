"""One validated settings object, read once.

A value comes from, the first that has it: an argument, an environment variable, the file `.env`,
a file in SECRETS_DIR (`/run/secrets`) whose name is the variable's. A group is a nested model:
`DB_POOL_SIZE` is `settings.db.pool_size`.
"""

import os
from functools import lru_cache
from typing import Any, ClassVar, Literal, Self, TypeVar

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)
from sqlalchemy.engine import URL

from . import constraints, credentials
from .faults import Faults, hidden, pack, unpack
from .groups import (
    AlertSettings,
    DatabaseSettings,
    HealthSettings,
    HttpSettings,
    LogSettings,
    MonitorSettings,
    OkxSettings,
    RedisSettings,
    SchemaName,
)
from .misspellings import misspellings
from .names import setting_names
from .sources import FOREIGN, ORIGINS, OriginsSource, SecretFilesSource
from .urls import database_url, redis_options, stated_in_redis_url, with_parts


class Settings(BaseSettings):
    """Settings every service has.

    Raises pydantic's ValidationError with every fault at once, by environment name; it holds no
    value that was set, since that may be a secret.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    exchanges: ClassVar[frozenset[str]] = frozenset({"paper"})
    """The exchanges this service has an adapter for."""
    slug: ClassVar[str] = ""
    """Name of the service whose settings these are. Its tables are nobody else's."""

    environment: Literal["development", "staging", "production"] = Field(
        "development", description="Where this runs; staging and production need real credentials"
    )
    debug: bool = Field(False, description="Log every SQL statement; always off in production")
    exchange: Literal["paper", "okx"] = Field("paper", description="Where orders are sent")
    trading_mode: Literal["paper", "live"] = Field(
        "paper", description="live trades real money, and needs EXCHANGE to be a real one too"
    )
    database_url: SecretStr | None = Field(
        None, description="postgresql:// URL, instead of DB_HOST, DB_USER and so on"
    )
    # Not a field of the group: there, `schema` is a name of pydantic's.
    db_schema: SchemaName = Field(
        "public", description="Schema of the service's tables; two services must not share one"
    )
    db: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    health: HealthSettings = HealthSettings()
    alerts: AlertSettings = AlertSettings()
    monitor: MonitorSettings = MonitorSettings()
    okx: OkxSettings = OkxSettings()

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    _notes: list[str] = PrivateAttr(default_factory=list)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise hidden(unpack(error)) from None
        except UnicodeDecodeError:
            raise hidden({".env": "is not text in UTF-8; save it as such"}) from None
        except OSError as error:
            raise hidden({".env": f"can't be read: {error.strerror}"}) from None
        except SettingsError as error:
            name = str(error).partition('field "')[2].partition('"')[0]
            raise hidden({name.upper(): "must be JSON"}) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        folder = os.environ.get("SECRETS_DIR") or "/run/secrets"
        try:
            secrets = SecretFilesSource(
                file_secret_settings, secrets_dir=folder, secrets_dir_missing="ok"
            )
        except (OSError, SettingsError):
            raise hidden({"SECRETS_DIR": "is no folder that can be read"}) from None
        origins = OriginsSource(settings_cls, init_settings, env_settings, dotenv_settings, secrets)
        return init_settings, env_settings, dotenv_settings, secrets, origins

    @model_validator(mode="wrap")
    @classmethod
    def _report_every_fault_at_once(
        cls, values: Any, validate: ModelWrapValidatorHandler[Self]
    ) -> Self:
        origins, foreign = values.pop(ORIGINS, {}), sorted(values.pop(FOREIGN, ()))
        notes = []
        is_production = values.get("environment") == "production"
        if is_production and constraints.is_on(values.get("debug", False)):
            values["debug"] = False
            notes.append("DEBUG is off: it always is in production")
        faults: Faults = misspellings(setting_names(cls), foreign) | cls.missing_credentials(values)
        try:
            settings = validate(values)
        except ValidationError as error:
            raise pack(unpack(error) | faults) from None
        faults |= constraints.contradictions(settings) | constraints.pool_constraints(settings)
        faults |= constraints.alert_constraints(settings) | constraints.live_trading(settings)
        if faults:
            raise pack(faults)
        settings._origins = origins
        settings._notes = notes
        return settings

    @classmethod
    def missing_credentials(cls, values: dict[str, Any]) -> Faults:
        """What `values` lack, before they are validated. Extend it for credentials of your own."""
        return credentials.missing_credentials(values)

    @field_validator("database_url")
    @classmethod
    def _database_url_is_one(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            database_url(value.get_secret_value())
        return value

    @property
    def sqlalchemy_url(self) -> URL:
        """The database's address for SQLAlchemy with asyncpg, from DATABASE_URL and DB_*."""
        parts = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in self.db
            if name in {"host", "port", "user", "password", "name"} and value is not None
        }
        if not self.database_url:
            return with_parts(URL.create("postgresql+asyncpg"), parts)
        given = {name: value for name, value in parts.items() if name in self.db.model_fields_set}
        return with_parts(database_url(self.database_url.get_secret_value()), given)

    @property
    def redis_options(self) -> dict[str, Any]:
        """Redis' address as options of a redis-py connection, from REDIS_URL and REDIS_*."""
        redis = self.redis
        stated = redis_options(redis.url.get_secret_value()) if redis.url else {}
        parts = {
            "host": redis.host,
            "port": redis.port,
            "db": redis.db,
            "password": redis.password.get_secret_value() if redis.password else None,
        }
        known = stated_in_redis_url(stated)
        return {name: value for name, value in parts.items() if name not in known} | stated

    @property
    def drain(self) -> float:
        """Seconds, from HTTP_DRAIN; where nobody waits for a load balancer there are none."""
        if self.http.drain is None:
            return 0 if self.environment == "development" else 5
        return self.http.drain

    @property
    def log_as_json(self) -> bool:
        if self.log.format == "auto":
            return self.environment != "development"
        return self.log.format == "json"

    @property
    def notes(self) -> list[str]:
        """What was decided against a setting, to be told to whoever starts the service."""
        return list(self._notes)

    def origin(self, name: str) -> str:
        """Where the value of an environment name comes from, "default" if it was set nowhere."""
        return self._origins.get(name, "default")


_SettingsT = TypeVar("_SettingsT", bound=type[Settings])
_registered: list[type[Settings]] = [Settings]


def settings_of_service(cls: _SettingsT) -> _SettingsT:
    """Class decorator: `get_settings()` returns an instance of this subclass from now on."""
    _registered.append(cls)
    get_settings.cache_clear()
    return cls


def settings_class() -> type[Settings]:
    """Return the class of this service's settings."""
    return _registered[-1]


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process, read at the first call. Raises ValidationError."""
    return settings_class()()
