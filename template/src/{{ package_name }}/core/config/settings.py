"""One validated settings object, read once.

A value comes from, the first that has it: an argument, an environment variable, the file `.env`,
a file in SECRETS_DIR (`/run/secrets`) whose name is the variable's. A group is a nested model:
`DB_POOL_SIZE` is `settings.db.pool_size`.
"""

import os
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
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
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)
from sqlalchemy.engine import URL

from . import checks, credentials
from .faults import Faults, hidden, pack, unpack
from .misspellings import misspellings
from .names import setting_names
from .sources import FOREIGN, ORIGINS, OriginsSource, SecretFilesSource
from .urls import Host, database_url, redis_options, stated_in_redis_url, with_parts

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Share = Annotated[float, Field(gt=0, le=1)]


class Group(BaseModel):
    """A group of settings that share the first word of their environment names."""

    model_config = ConfigDict(hide_input_in_errors=True, frozen=True)


class DatabaseSettings(Group):
    host: Host = Field("localhost", description="Host name of PostgreSQL, or its socket directory")
    port: Port = Field(5432, description="Port of PostgreSQL")
    user: str = Field("postgres", min_length=1, description="Role to connect as")
    password: SecretStr | None = Field(None, description="Password of the role")
    name: str = Field("trading", min_length=1, description="Database name")
    pool_size: int = Field(
        5, ge=1, le=500, description="Connections a process keeps open; too few make requests wait"
    )
    max_overflow: int = Field(
        10, ge=0, le=500, description="Further connections of a process, closed after use"
    )
    connection_budget: int | None = Field(
        None,
        ge=1,
        description="Connections the service may open; a start that could open more is refused",
    )
    pool_timeout: Seconds = Field(
        10, description="Seconds to wait for a free connection; then the request answers 503"
    )
    pool_recycle: int = Field(
        1800, ge=-1, description="Seconds after which a connection is renewed; -1 is never"
    )
    warm_up: int | None = Field(
        None,
        ge=0,
        description="Connections opened before the service is ready, DB_POOL_SIZE unless set; fewer"
        " make the first requests wait for theirs",
    )
    pool_warn_at: Share = Field(
        0.8,
        description="Share of the connections in use at which the pool counts as saturated: an "
        "alert, and health is degraded",
    )
    pool_clear_at: Share = Field(
        0.7, description="Share at which it no longer does; less than DB_POOL_WARN_AT"
    )
    leak_threshold: float = Field(
        60,
        ge=0,
        le=86_400,
        description="Seconds after which a connection that is not given back is reported as a leak;"
        " 0 is never. Too few report slow but sound work",
    )
    connect_timeout: Seconds = Field(
        5, description="Seconds to wait for a new connection; at most DB_POOL_TIMEOUT"
    )
    statement_timeout: Seconds = Field(
        30, description="Seconds one SQL statement may take; then PostgreSQL ends it"
    )
    lock_timeout: Seconds = Field(
        10,
        description="Seconds a statement may wait for a lock. Longer waits fail with 55P03; more "
        "than DB_STATEMENT_TIMEOUT has no effect",
    )
    idle_in_transaction_session_timeout: Seconds = Field(
        60,
        description="Seconds a transaction may stay idle. PostgreSQL then ends its connection; too "
        "few end transactions at work, too many let a stuck one hold its locks",
    )
    behind_pgbouncer: bool = Field(
        False,
        description="true behind PgBouncer in transaction mode: no prepared statement is kept, and "
        "each transaction sets its timeouts. Without it, statements fail at random there",
    )
    tag_queries: bool = Field(
        False, description="Add the request id to each statement as a comment; costs plan caching"
    )


class RedisSettings(Group):
    url: SecretStr | None = Field(
        None, description="redis://, rediss:// or unix:// URL, instead of the parts below"
    )
    host: Host = Field("localhost", description="Host name of Redis")
    port: Port = Field(6379, description="Port of Redis")
    db: int = Field(0, ge=0, description="Number of the logical database")
    password: SecretStr | None = Field(None, description="Password of Redis")
    max_connections: int = Field(50, ge=1, le=10_000, description="Connections of a process")
    timeout: Seconds = Field(1, description="Seconds to wait for Redis, or for a free connection")
    pool_warn_at: Share = Field(0.8, description="As DB_POOL_WARN_AT, for the connections to Redis")
    pool_clear_at: Share = Field(
        0.7, description="Share at which that is over; less than REDIS_POOL_WARN_AT"
    )
    leak_threshold: float = Field(
        30,
        ge=0,
        le=86_400,
        description="As DB_LEAK_THRESHOLD, in seconds; does not apply to subscriptions",
    )
    slow_ping: Seconds = Field(
        0.1, description="Seconds an answer to PING may take; slower ones, in a row, are an alert"
    )

    @field_validator("url")
    @classmethod
    def _url_is_one(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            redis_options(value.get_secret_value())
        return value


class HttpSettings(Group):
    host: Host = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 is every one")
    port: Port = Field(8000, description="Port to listen on")
    workers: int = Field(
        1, ge=1, le=64, description="Processes that serve; each has pools of its own"
    )
    max_body_size: int = Field(
        1_048_576, ge=1, description="Bytes a request body may have; a larger one answers 413"
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Web pages that may call the API, such as https://a.example,https://b.example",
    )
    drain: float | None = Field(
        None,
        ge=0,
        le=600,
        description="Seconds to go on answering after SIGTERM while /health/ready says 503: 5 if "
        "not set, 0 in development. Too few, and a load balancer still sends requests when nobody "
        "listens any more",
    )
    shutdown_timeout: Seconds = Field(
        10,
        description="Seconds that requests in flight get to end, after the drain; then they are "
        "cancelled",
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return [part.strip() for part in value.split(",") if part.strip()]


class LogSettings(Group):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe level that is logged"
    )
    format: Literal["auto", "console", "json"] = Field(
        "auto", description="console, json, or auto: console in development, json elsewhere"
    )


class HealthSettings(Group):
    timeout: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.8,
        description="Seconds in which a probe is answered. PostgreSQL and Redis get 70 % of it, "
        "the rest is for answering all the probes that wait",
    )
    interval: Seconds = Field(
        5, description="Seconds from one health check of the background to the next"
    )
    max_age: Annotated[float, Field(ge=0, le=5)] = Field(
        0.2,
        description="Seconds for which probes share the outcome of a check; more tells a failure "
        "later, 0 lets each probe ask",
    )
    stall_timeout: Seconds = Field(
        5,
        description="Seconds the event loop may be blocked; then the log says by which code, since "
        "no request is served meanwhile",
    )

    @property
    def server_timeout(self) -> float:
        """Seconds that PostgreSQL and Redis get to answer."""
        return round(self.timeout * 0.7, 3)


class MonitorSettings(Group):
    interval: Seconds = Field(
        5, description="Seconds from one look at the pools of connections to the next"
    )


class AlertSettings(Group):
    cooldown: float = Field(
        300,
        ge=0,
        le=86_400,
        description="Seconds in which an alert that comes and goes is sent once; the next message "
        "says how often it came. 0 sends each",
    )
    repeat: float = Field(
        3600,
        ge=0,
        le=604_800,
        description="Seconds after which an alert that lasts is sent again; 0 is never",
    )
    timeout: Seconds = Field(5, description="Seconds a channel may take to accept a message")
    give_up_after: Seconds = Field(
        900, description="Seconds to go on trying where a channel does not answer; the log has all"
    )
    close_timeout: Annotated[float, Field(gt=0, le=60)] = Field(
        5,
        description="Seconds a stopping process takes to send what is waiting; they count towards "
        "the time that its supervisor leaves it",
    )


class OkxSettings(Group):
    api_key: SecretStr | None = Field(None, description="OKX API key; give it no right to withdraw")
    secret_key: SecretStr | None = Field(None, description="OKX secret key")
    passphrase: SecretStr | None = Field(None, description="OKX passphrase")


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
        if is_production and checks.is_on(values.get("debug", False)):
            values["debug"] = False
            notes.append("DEBUG is off: it always is in production")
        faults: Faults = misspellings(setting_names(cls), foreign) | cls.missing_credentials(values)
        try:
            settings = validate(values)
        except ValidationError as error:
            raise pack(unpack(error) | faults) from None
        faults |= checks.contradictions(settings) | checks.pool_constraints(settings)
        faults |= checks.alert_constraints(settings) | checks.live_trading(settings)
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


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read at the first call. Raises ValidationError."""
    return _registered[-1]()
