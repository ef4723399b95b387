"""A statement that is compiled once, and executed without SQLAlchemy's `Connection`.

The pool is SQLAlchemy's, and so are the types, the driver's adapter and the errors. What is left
out is what it does anew for each statement, which is twice what sending one costs. How it tells
what an error means for the connection, the pool and its listeners has no public name.
"""

import logging
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Dialect, Engine, Row
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.engine.result import result_tuple
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import ExecutableReturnsRows


class Prepared:
    """A statement for `execute_single` whose text does not depend on its values.

    So it has no list of any length (`in_`), and each of its values has a type. It returns rows.
    """

    def __init__(self, statement: ExecutableReturnsRows) -> None:
        self.statement = statement
        self._compiled: WeakKeyDictionary[Dialect, Compiled] = WeakKeyDictionary()

    def compiled(self, engine: Engine) -> "Compiled":
        """Return it in the words of the engine's dialect."""
        found = self._compiled.get(engine.dialect)
        if found is None:
            found = self._compiled[engine.dialect] = Compiled(self.statement, engine.dialect)
        return found


class Compiled:
    """A statement in the words of a dialect. Its functions run within SQLAlchemy's greenlet."""

    def __init__(self, statement: ExecutableReturnsRows, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        assert compiled.positiontup is not None
        self._text = str(compiled)
        self._binds = [
            (
                bind.key,
                bind.required,
                bind.value,
                bind.type.dialect_impl(dialect).bind_processor(dialect),
            )
            for bind in map(compiled.binds.__getitem__, compiled.positiontup)
        ]
        columns = statement.exported_columns
        self._row = result_tuple(columns.keys())
        self._types = [column.type.dialect_impl(dialect) for column in columns]
        self._processes: list[Any] | None = None

    def execute(
        self, engine: Engine, connection: PoolProxiedConnection, values: dict[str, Any]
    ) -> Sequence[Row[Any]]:
        """Execute it in a transaction of its own, give the connection back, and return the rows.

        Raises what `Connection.execute` would.
        """
        dialect, cursor = engine.dialect, None
        try:
            assert connection.dbapi_connection is not None
            dialect.set_isolation_level(connection.dbapi_connection, "AUTOCOMMIT")
            parameters = self._parameters(values)
            cursor = connection.cursor()
            cursor.execute(self._text, parameters)
            return self._rows(cursor, dialect)
        except BaseException as error:
            # Once it is sent, what is no error of the driver, such as a timeout, stays as it is.
            is_wrapped = cursor is None or isinstance(error, dialect.loaded_dbapi.Error)
            text = self._text if is_wrapped else None
            as_connection = Connection(engine, connection)
            as_connection._handle_dbapi_exception(error, text, None, cursor, None)
        finally:
            if connection.dbapi_connection is not None:  # unless it is lost
                dialect.reset_isolation_level(connection.dbapi_connection)
            connection.close()

    def _parameters(self, values: dict[str, Any]) -> list[Any]:
        found = []
        for name, is_required, default, process in self._binds:
            value = values[name] if is_required else values.get(name, default)
            found.append(value if process is None else process(value))
        return found

    def _rows(self, cursor: DBAPICursor, dialect: Dialect) -> list[Row[Any]]:
        found = cursor.fetchall()
        if not found:
            return []
        if self._processes is None:
            self._processes = [
                type_.result_processor(dialect, column[1])
                for type_, column in zip(self._types, cursor.description, strict=True)
            ]
        return [
            self._row(
                [
                    value if process is None else process(value)
                    for value, process in zip(row, self._processes, strict=True)
                ]
            )
            for row in found
        ]


def connect(engine: Engine) -> PoolProxiedConnection:
    """Take a connection out of the pool. Raises what `Engine.connect` would."""
    try:
        return engine.raw_connection()
    except engine.dialect.loaded_dbapi.Error as error:
        Connection._handle_dbapi_exception_noconnection(error, engine.dialect, engine)


def is_heard(engine: Engine) -> bool:
    """Tell whether somebody listens to the statements of the engine, which takes a `Connection`.

    So does the log with DEBUG=true.
    """
    heard = engine.dispatch
    is_logged = engine.logger.isEnabledFor(logging.INFO)
    return bool(heard.before_cursor_execute or heard.after_cursor_execute or is_logged)
