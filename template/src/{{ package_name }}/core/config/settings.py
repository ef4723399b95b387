"""One validated settings object, read once.

A value comes from, the first that has it: an argument, an environment variable, the file `.env`,
a file in SECRETS_DIR (`/run/secrets`) whose name is the variable's. A group is a nested model:
`DB_POOL_SIZE` is `settings.db.pool_size`.

A service adds groups and fields in a subclass. A check of its own extends `why_real`,
`missing_credentials` or `contradictions`.
"""

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar

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
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from . import constraints
from .faults import Faults, hidden, pack, unpack
from .groups import (
    AlertSettings,
    DatabaseSettings,
    Group,
    HealthSettings,
    HttpSettings,
    LogSettings,
    MetricsSettings,
    MonitorSettings,
    RedisSettings,
    SchemaName,
)
from .misspellings import misspellings
from .names import setting_names
from .sources import FOUND, FindingsSource, Found, LiteralDotEnvSource, SecretFilesSource
from .urls import (
    database_url,
    elsewhere,
    empty_database_url,
    redis_options,
    stated_in_redis_url,
    with_parts,
)
from .weaknesses import weaknesses

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


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

    slug: ClassVar[str] = ""
    """Name of the service whose settings these are. Its tables are nobody else's."""

    environment: Literal["development", "staging", "production"] = Field(
        "development", description="Where this runs; staging and production need real credentials"
    )
    debug: bool = Field(False, description="Log every SQL statement; always off in production")
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
    metrics: MetricsSettings = MetricsSettings()

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
        assert isinstance(env_settings, EnvSettingsSource)
        assert isinstance(dotenv_settings, DotEnvSettingsSource)
        dotenv = LiteralDotEnvSource(settings_cls, env_file=dotenv_settings.env_file)
        folder = os.environ.get("SECRETS_DIR")
        try:
            secrets = SecretFilesSource(
                file_secret_settings,
                secrets_dir=folder or "/run/secrets",
                secrets_dir_missing="error" if folder else "ok",
            )
        except (OSError, SettingsError):
            raise hidden({"SECRETS_DIR": "is no folder that can be read"}) from None
        sources = {"environment": env_settings, ".env": dotenv, "secret file": secrets}
        findings = FindingsSource(settings_cls, init_settings, sources)
        return init_settings, *sources.values(), findings

    @model_validator(mode="wrap")
    @classmethod
    def _report_every_fault_at_once(
        cls, values: Any, validate: ModelWrapValidatorHandler[Self]
    ) -> Self:
        found: Found = values.pop(FOUND, Found())
        notes = list(found.notes)
        is_production = values.get("environment") == "production"
        if is_production and constraints.is_on(values.get("debug", False)):
            values["debug"] = False
            notes.append("DEBUG is off: it always is in production")
        faults = found.faults | misspellings(setting_names(cls), sorted(found.foreign))
        faults |= cls.missing_credentials(values)
        try:
            settings = validate(values)
        except ValidationError as error:
            raise pack(unpack(error) | faults) from None
        faults |= settings.contradictions()
        if faults:
            raise pack(faults)
        settings._origins = found.origins
        settings._notes = notes
        return settings

    @classmethod
    def why_real(cls, values: dict[str, Any]) -> str:
        """Return the setting that makes real credentials necessary; "" if none does.

        `values` are not validated yet. Extend it for a reason of your own.
        """
        environment = values.get("environment")
        return f"ENVIRONMENT={environment}" if environment in {"staging", "production"} else ""

    @classmethod
    def missing_credentials(cls, values: dict[str, Any]) -> Faults:
        """Return the credentials that are missing or not real, if real ones are needed.

        `values` are not validated yet. Each group answers for its own.
        """
        faults: Faults = {}
        if needed_by := cls.why_real(values):
            for field in cls.model_fields.values():
                if isinstance(field.default, Group):
                    faults |= type(field.default).missing_credentials(values, needed_by)
        return faults

    def contradictions(self) -> Faults:
        """Return the settings that do not fit each other. Extend it for settings of your own."""
        return (
            constraints.address_constraints(self)
            | constraints.pool_constraints(self)
            | constraints.alert_constraints(self)
        )

    @field_validator("database_url")
    @classmethod
    def _database_url_is_one(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            database_url(value.get_secret_value())
        return value

    @property
    def sqlalchemy_url(self) -> "URL":
        """Address of the database for SQLAlchemy with asyncpg, from DATABASE_URL and DB_*."""
        parts = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in self.db
            if name in {"host", "port", "user", "password", "name"} and value is not None
        }
        if not self.database_url:
            return with_parts(empty_database_url(), parts)
        given = {name: value for name, value in parts.items() if name in self.db.model_fields_set}
        return with_parts(database_url(self.database_url.get_secret_value()), given)

    @property
    def direct(self) -> Self:
        """The same settings for PostgreSQL itself, where DB_HOST or DB_PORT is of a PgBouncer.

        They are these settings where neither DB_DIRECT_HOST nor DB_DIRECT_PORT is set.
        """
        host, port = self.db.direct_host, self.db.direct_port
        if host is None and port is None:
            return self
        url = elsewhere(self.sqlalchemy_url, host, port)
        secret = SecretStr(url.render_as_string(hide_password=False))
        db = self.db.model_copy(update={"behind_pgbouncer": False})
        # The parts of the address are all in the URL.
        return self.model_copy(update={"database_url": secret, "db": db})

    @property
    def target_session_attrs(self) -> str:
        """Kind of server to connect to, from DB_TARGET_SESSION_ATTRS or the URL."""
        url = self.sqlalchemy_url
        if stated := self.db.target_session_attrs or url.query.get("target_session_attrs"):
            return str(stated)
        hosts = url.query.get("host", "")
        are_several = isinstance(hosts, tuple) or "," in hosts
        needs_primary = are_several or self.environment != "development"
        # PgBouncer chooses the server, and for each transaction anew.
        return "read-write" if needs_primary and not self.db.behind_pgbouncer else "any"

    @property
    def redis_options(self) -> dict[str, Any]:
        """Address of Redis as options of a redis-py connection, from REDIS_URL and REDIS_*."""
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
    def shows_docs(self) -> bool:
        """Tell whether /docs and /openapi.json are there, from HTTP_DOCS."""
        if self.http.docs is None:
            return self.environment != "production"
        return self.http.docs

    @property
    def log_as_json(self) -> bool:
        """Tell whether a log line is JSON, from LOG_FORMAT."""
        if self.log.format == "auto":
            return self.environment != "development"
        return self.log.format == "json"

    @property
    def notes(self) -> list[str]:
        """Sentences about the settings for the person who starts the service."""
        groups = [value for _, value in self if isinstance(value, Group)]
        own = (note for group in groups for note in group.notes)
        return [*self._notes, *weaknesses(self), *own, *constraints.budget_notes(self)]

    def origin(self, name: str) -> str:
        """Return the source of the value of an environment name; "default" if it is set nowhere."""
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
