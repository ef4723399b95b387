"""One validated settings object, read once from the environment and `.env`.

A group is a nested model: `DB_POOL_SIZE` is `settings.db.pool_size`.
"""

from functools import lru_cache
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class ConfigurationError(Exception):
    """The settings can't be used. `faults` maps an environment name to what is wrong with it.

    Neither holds a value that was set: those may be secrets.
    """

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {fault}" for name, fault in faults.items()))
        self.faults = faults


class Group(BaseModel):
    """A group of settings that share the first word of their environment names."""

    model_config = ConfigDict(hide_input_in_errors=True, frozen=True)


class DatabaseSettings(Group):
    host: str = Field("localhost", description="Host name of PostgreSQL, or its socket directory")
    port: Port = Field(5432, description="Port of PostgreSQL")
    user: str = Field("postgres", min_length=1, description="Role to connect as")
    password: SecretStr | None = Field(None, description="Password of the role")
    name: str = Field("trading", min_length=1, description="Database name")
    pool_size: int = Field(5, ge=1, le=500, description="Connections kept open")
    max_overflow: int = Field(10, ge=0, le=500, description="Further connections under load")
    pool_timeout: Seconds = Field(10, description="Seconds to wait for a free connection")
    pool_recycle: int = Field(
        1800, ge=-1, description="Seconds after which a connection is renewed; -1 is never"
    )
    connect_timeout: Seconds = Field(5, description="Seconds to wait for a new connection")
    statement_timeout: Seconds = Field(30, description="Seconds one SQL statement may take")
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


class RedisSettings(Group):
    url: SecretStr | None = Field(
        None, description="redis://, rediss:// or unix:// URL; used instead of the parts below"
    )
    host: str = Field("localhost", description="Host name of Redis")
    port: Port = Field(6379, description="Port of Redis")
    db: int = Field(0, ge=0, description="Number of the logical database")
    password: SecretStr | None = Field(None, description="Password of Redis")
    max_connections: int = Field(50, ge=1, le=10_000, description="Connections at most")
    timeout: Seconds = Field(1, description="Seconds to wait for Redis, or for a free connection")


class HttpSettings(Group):
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 is every one")
    port: Port = Field(8000, description="Port to listen on")
    max_body_size: int = Field(
        1_048_576, ge=1, description="Bytes a request body may have; a larger one answers 413"
    )


class LogSettings(Group):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe level that is logged"
    )
    format: Literal["auto", "console", "json"] = Field(
        "auto", description="console, json, or auto: console in development, json elsewhere"
    )


class HealthSettings(Group):
    timeout: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.5, description="Seconds PostgreSQL or Redis may take to answer a health check"
    )


class Settings(BaseSettings):
    """Settings every service has. Raises pydantic's ValidationError; `load` is friendlier."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    environment: Literal["development", "staging", "production"] = Field(
        "development", description="Where this runs; production demands real credentials"
    )
    debug: bool = Field(False, description="Log every SQL statement; always off in production")
    database_url: SecretStr | None = Field(
        None, description="postgresql:// URL; used instead of DB_HOST, DB_USER and so on"
    )
    db: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    health: HealthSettings = HealthSettings()

    @classmethod
    def load(cls, **values: Any) -> Self:
        """Read the environment and `.env`; `values` win. Raises ConfigurationError."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigurationError(_faults(error)) from None
        except SettingsError:
            raise ConfigurationError({"environment": "a value is not valid JSON"}) from None

    @model_validator(mode="before")
    @classmethod
    def _no_debug_in_production(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("environment") == "production":
            return {**values, "debug": False}
        return values

    @model_validator(mode="after")
    def _production_needs_credentials(self) -> Self:
        missing = self._missing_credentials() if self.environment == "production" else []
        if missing:
            raise ValueError(f"production needs {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _urls_are_urls(self) -> Self:
        try:
            url = self.sqlalchemy_url
        except (ArgumentError, ValueError):
            raise ValueError("DATABASE_URL must look like postgresql://user@host/name") from None
        if url.get_backend_name() != "postgresql":
            raise ValueError("DATABASE_URL must start with postgresql://")
        redis_url = self.redis.url.get_secret_value() if self.redis.url else "redis://"
        if not redis_url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("REDIS_URL must start with redis://, rediss:// or unix://")
        return self

    def _missing_credentials(self) -> list[str]:
        if self.database_url:
            return []
        given = {"DB_HOST": "host" in self.db.model_fields_set, "DB_PASSWORD": self.db.password}
        return [name for name, value in given.items() if not value]

    @property
    def sqlalchemy_url(self) -> URL:
        """The database's address for SQLAlchemy with asyncpg, from DATABASE_URL or from DB_*."""
        if self.database_url:
            text = self.database_url.get_secret_value()
            if text.startswith("postgres://"):  # a spelling SQLAlchemy does not know
                text = "postgresql" + text.removeprefix("postgres")
            url = make_url(text)
            if url.get_backend_name() != "postgresql":
                return url
            return url.set(drivername="postgresql+asyncpg")
        db = self.db
        is_socket = db.host.startswith("/")
        return URL.create(
            "postgresql+asyncpg",
            username=db.user,
            password=db.password.get_secret_value() if db.password else None,
            host=None if is_socket else db.host,
            port=None if is_socket else db.port,
            database=db.name,
            query={"host": db.host, "port": str(db.port)} if is_socket else {},
        )

    @property
    def log_as_json(self) -> bool:
        if self.log.format == "auto":
            return self.environment != "development"
        return self.log.format == "json"


def _faults(error: ValidationError) -> dict[str, str]:
    faults: dict[str, str] = {}
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        name = "_".join(str(part) for part in fault["loc"]).upper() or "settings"
        text = fault["msg"].removeprefix("Value error, ")
        faults[name] = f"{faults[name]}; {text}" if name in faults else text
    return faults


_SettingsT = TypeVar("_SettingsT", bound=type[Settings])
_registered: list[type[Settings]] = [Settings]


def settings_of_service(cls: _SettingsT) -> _SettingsT:
    """Class decorator: `get_settings()` returns an instance of this subclass from now on."""
    _registered.append(cls)
    get_settings.cache_clear()
    return cls


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read at the first call. Raises ConfigurationError."""
    return _registered[-1].load()
