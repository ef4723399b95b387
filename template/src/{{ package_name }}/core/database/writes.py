"""Writes that PostgreSQL can't do, while it answers: its disk is full, or broken."""

import re
import time
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

from ..alerts.alerts import Alert, Alerts

# Classes of SQLSTATE: insufficient resources (such as 53100, disk full), system error.
_BROKEN = ("53", "58")
# Where the `info` of a connection has the transaction that wrote on it after a failure.
_WROTE_IN = "wrote_in"
_ALERT = "writes:database"
_CHANGE = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM|MERGE INTO)\b", re.IGNORECASE)
# Seconds since the last failure after which what is stored shows that all is well: on a full disk
# some of the writes still find room.
_SETTLED = 3.0
# Seconds after which a failure tells nothing about now: perhaps nobody writes any more.
_REMEMBERED = 60.0


class Writes:
    """Watches an engine: did writes fail lately, and was none committed some seconds later?"""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reason = ""
        self._failed_at = float("-inf")
        self._is_told = False
        self._is_listening = False
        event.listen(engine, "handle_error", self._on_error)

    @property
    def failure(self) -> str:
        """Reason of the last failed write; "" where one was committed later, or it is long ago."""
        return self._reason if time.monotonic() - self._failed_at < _REMEMBERED else ""

    async def check(self, alerts: Alerts) -> None:
        """Tell `alerts` of a failure, and of its end. Called every few seconds."""
        if self.failure and not self._is_told:
            self._is_told = True
            details = {"reason": self.failure}
            alerts.fire(Alert(_ALERT, "PostgreSQL can't store", details, "critical"))
        elif self._is_told and not self.failure:
            self._is_told = False
            alerts.resolve(_ALERT, "PostgreSQL stores again, or nobody has tried lately")
        if not self.failure:
            self._listen(wanted=False)

    @property
    def _has_settled(self) -> bool:
        return bool(self._reason) and time.monotonic() - self._failed_at >= _SETTLED

    def _on_error(self, context: ExceptionContext) -> None:
        sqlstate = getattr(context.original_exception, "sqlstate", None) or ""
        if sqlstate.startswith(_BROKEN) and _is_write(context.statement or ""):
            said = context.original_exception.__cause__ or context.original_exception
            self._reason = f"a write failed with SQLSTATE {sqlstate}: {said}".partition("\n")[0]
            self._failed_at = time.monotonic()
            self._listen(wanted=True)

    def _listen(self, *, wanted: bool) -> None:
        """Listen to statements only after a failure: each of them costs less otherwise."""
        if wanted is not self._is_listening:
            change = event.listen if wanted else event.remove
            change(self._engine, "after_cursor_execute", self._on_statement)
            change(self._engine, "commit", self._on_commit)
            self._is_listening = wanted

    def _on_statement(
        self,
        connection: Connection,
        cursor: Any,
        statement: str,
        _parameters: Any,
        _context: Any,
        is_many: bool,  # then there is no count of rows
    ) -> None:
        if self._has_settled and _is_write(statement) and (is_many or cursor.rowcount > 0):
            if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
                self._reason = ""  # it was a transaction by itself
            else:
                connection.info[_WROTE_IN] = connection.get_transaction()

    def _on_commit(self, connection: Connection) -> None:
        if not self._has_settled:
            return
        if connection.info.pop(_WROTE_IN, None) is connection.get_transaction():
            self._reason = ""  # a COMMIT that fails comes back as an error


def _is_write(statement: str) -> bool:
    if statement.startswith("/*"):  # the request's id, see DB_TAG_QUERIES
        statement = statement.partition("*/")[2]
    (verb, *_) = statement.upper().split(maxsplit=1) or [""]  # "" is a COMMIT
    return bool(_CHANGE.search(statement)) if verb == "WITH" else verb != "SELECT"
