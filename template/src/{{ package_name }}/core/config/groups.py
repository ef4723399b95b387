"""The groups of settings: a group's fields share the first word of their environment names."""

from ipaddress import ip_network
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator
from pydantic_settings import NoDecode

from .addresses import Host, HostOrFolder, Port, Text, origin
from .credentials import credential_faults, given, given_in_database_url
from .faults import Faults
from .urls import redis_options

Seconds = Annotated[float, Field(gt=0, le=3600)]
SchemaName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
Share = Annotated[float, Field(gt=0, le=1)]
Rate = Annotated[float, Field(ge=0, le=1_000_000)]
Component = Literal["database", "redis"]


def parts_of(value: Any) -> Any:
    """Return the parts of a text with commas between them; anything else as it is."""
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


class Group(BaseModel):
    """A group of settings that share the first word of their environment names.

    A service has it by a field: `okx: OkxSettings = OkxSettings()` reads OKX_API_KEY.
    """

    model_config = ConfigDict(hide_input_in_errors=True, frozen=True)

    @classmethod
    def missing_credentials(cls, _values: dict[str, Any], _needed_by: str) -> Faults:
        """Return the credentials of the group that are missing, or not real.

        Called where real ones are needed; `needed_by` is the setting that needs them. `values` are
        all settings before they are validated, for `given(values, "OKX_API_KEY")`.
        """
        return {}

    @property
    def notes(self) -> list[str]:
        """Sentences about these settings for the person who starts the service."""
        return []


class DatabaseSettings(Group):
    host: HostOrFolder = Field(
        "localhost", description="Host name of PostgreSQL, or its socket directory"
    )
    port: Port = Field(5432, description="Port of PostgreSQL")
    user: Text = Field("postgres", description="Role to connect as")
    password: SecretStr | None = Field(None, description="Password of the role")
    name: Text = Field("trading", description="Database name")
    pool_size: int = Field(
        5, ge=1, le=500, description="Connections a process keeps open; too few make requests wait"
    )
    max_overflow: int = Field(
        10,
        ge=0,
        le=500,
        description="Further connections of a process, closed when none was needed for a minute",
    )
    connection_budget: int | None = Field(
        None,
        ge=1,
        description="Connections that PostgreSQL has for the service. A start is refused that could"
        " open more: (HTTP_REPLICAS + HTTP_SURGE) x HTTP_WORKERS x (DB_POOL_SIZE + DB_MAX_OVERFLOW"
        " + 1), and 2 for migrations",
    )
    pool_timeout: Seconds = Field(
        2, description="Seconds to wait for a free connection; then the request answers 503"
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
        2, description="Seconds to wait for a new connection; at most DB_POOL_TIMEOUT"
    )
    statement_timeout: Seconds = Field(
        30, description="Seconds one SQL statement may take; then PostgreSQL ends it"
    )
    lock_timeout: Seconds = Field(
        2,
        description="Seconds a statement may wait for a lock. Longer waits fail with 55P03, and the"
        " request answers 503; more than DB_STATEMENT_TIMEOUT has no effect",
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
    prepared_statements: bool = Field(
        False,
        description="Whether PgBouncer keeps prepared statements: it does from 1.21 on, with "
        "max_prepared_statements above 0. PostgreSQL then plans each of them less often",
    )
    direct_host: HostOrFolder | None = Field(
        None,
        description="Where PostgreSQL itself is, if DB_HOST is a PgBouncer: `migrate` connects to "
        "it. Without it, a migration can build no index while the service serves",
    )
    direct_port: Port | None = Field(
        None, description="Port of PostgreSQL itself, if DB_PORT is PgBouncer's"
    )
    migrate_timeout: Seconds = Field(
        600,
        description="Seconds `migrate` waits for another one to end; then it fails. Fewer than a "
        "migration takes make the others fail meanwhile",
    )
    migrate_lock_timeout: Seconds = Field(
        0.3,
        description="Seconds a migration waits for a lock on a table, since all who come later "
        "wait behind it; then it lets them pass and tries again, 30 times. Too few never get it",
    )
    target_session_attrs: (
        Literal["any", "primary", "read-write", "standby", "read-only", "prefer-standby"] | None
    ) = Field(
        None,
        description="What a server has to be to be connected to: read-write, so no standby, unless"
        " set; any in development and behind PgBouncer",
    )
    tag_queries: bool = Field(
        False, description="Add the request id to each statement as a comment; costs plan caching"
    )

    @classmethod
    def missing_credentials(cls, values: dict[str, Any], needed_by: str) -> Faults:
        stated = {name: given(values, name) for name in ("DB_HOST", "DB_PASSWORD")}
        return credential_faults(stated | given_in_database_url(values), needed_by)


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
    host: Host = Field(
        "127.0.0.1",
        description="Address to listen on; 0.0.0.0 is every one of IPv4, :: of IPv4 and IPv6",
    )
    port: Port = Field(8000, description="Port to listen on")
    workers: int = Field(
        1, ge=1, le=64, description="Processes that serve; each has pools of its own"
    )
    replicas: int = Field(
        1, ge=1, le=10_000, description="Copies of the service that run, for DB_CONNECTION_BUDGET"
    )
    surge: int = Field(
        1,
        ge=0,
        le=10_000,
        description="Copies that a rollout starts before it stops an old one, likewise",
    )
    max_body_size: int = Field(
        1_048_576, ge=1, description="Bytes a request body may have; a larger one answers 413"
    )
    max_in_flight: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Requests that a process works on at a time, four times its connections to the"
        " database unless set; others wait, or answer 503",
    )
    queue_timeout: Seconds = Field(
        1,
        description="Seconds that a request waits at most for others to be done; who would wait for"
        " longer is refused at once. More than clients wait for an answer serves nobody in a rush",
    )
    account_in_flight: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Requests of one account that a process works on at a time, half its "
        "connections to the database unless set; others wait likewise, or answer 429",
    )
    key_rate: Rate = Field(
        1000,
        description="Requests a second of one API key that all processes serve together, and each"
        " without Redis; further ones answer 429. 0 is no limit",
    )
    client_rate: Rate = Field(
        2000,
        description="Requests a second with a key, of one client address, that a process serves; "
        "further ones answer 429. 0 is no limit",
    )
    unknown_keys: Rate = Field(
        60,
        description="Unknown API keys that a client address may try in a minute at a process; then"
        " keys that the process does not know answer 429. 0 is no limit",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Addresses or networks of the proxies whose X-Forwarded-For and "
        "X-Forwarded-Proto are believed, such as 10.0.0.7,10.1.0.0/16",
    )
    max_body_keys: int = Field(
        4000,
        ge=1,
        description="Keys a JSON body may have, counted by its colons; more answer 413. Each one "
        "that a schema does not know takes time while nothing else is served",
    )
    keep_alive: int = Field(
        75,
        ge=1,
        le=3600,
        description="Seconds a connection may wait for its next request: more than the load "
        "balancer keeps its own (mostly 60), or it sends requests into closed ones and answers 502",
    )
    client_timeout: Seconds = Field(
        30,
        description="Seconds in which a client has to send a request, body included, and to go on "
        "reading its answer; else the connection is closed",
    )
    max_connections: int = Field(
        10_000,
        ge=16,
        description="Connections of a process, less where its limit of open files is lower. At the "
        "limit the one that has waited for its client the longest is closed for a new one",
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
    root_path: Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9._~-]+)*$")] = Field(
        "",
        description="Path below which a proxy shows the service, such as /trading, if it takes it "
        "off before it asks here",
    )
    docs: bool | None = Field(
        None,
        description="Show /docs and /openapi.json to everybody: not in production, unless set",
    )

    _split = field_validator("cors_origins", "trusted_proxies", mode="before")(parts_of)

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                ip_network(text)
            except ValueError:
                raise ValueError(
                    "must be IP addresses or networks, such as 10.0.0.7,10.1.0.0/16"
                ) from None
        return value

    @field_validator("cors_origins")
    @classmethod
    def _as_browsers_send_them(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(origin(text) for text in value)


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
    ready_patience: Annotated[float, Field(ge=0, le=600)] = Field(
        10,
        description="Seconds for which a required component may be down before /health/ready says"
        " no, after it has said yes; with too few, a short pause of a shared server takes every"
        " process away from its load balancer",
    )
    required: Annotated[tuple[Component, ...], NoDecode, Field(min_length=1)] = Field(
        ("database",),
        description="Components that a request can't be served without: database,redis are all. "
        "Without another one the service is degraded, and still ready",
    )

    _split = field_validator("required", mode="before")(parts_of)

    @property
    def server_timeout(self) -> float:
        """Seconds that PostgreSQL and Redis get to answer."""
        return round(self.timeout * 0.7, 3)


class MetricsSettings(Group):
    token: Annotated[SecretStr, Field(min_length=16)] | None = Field(
        None,
        description="What a scraper of /metrics has to send, as a bearer token. Without one "
        "/metrics is closed in production, and open elsewhere",
    )


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
