"""What a command works with: the connection, made when it is first needed, and how answers are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, LiteralString, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from psycopg.types.datetime import IntervalLoader, TimestamptzLoader

from .errors import CommandError

Row = dict[str, Any]
Connection = psycopg.Connection[Row]


SETTINGS = """
SELECT set_config('datestyle', 'ISO', false), set_config('intervalstyle', 'postgres', false), set_config('jit', 'off', false)"""


class _Timestamptz(TimestamptzLoader):
    """Years that Python has not, and infinity, stay text."""

    def load(self, data: Any) -> datetime:
        try:
            return super().load(data)
        except psycopg.DataError:
            return cast("datetime", bytes(data).decode())


class _Interval(IntervalLoader):
    """Intervals that Python has not stay text."""

    def load(self, data: Any) -> Any:
        try:
            return super().load(data)
        except (psycopg.DataError, OverflowError):
            return bytes(data).decode()


class Session:
    """The connection of one call of pgagentctl. *json*: answers are JSON."""

    def __init__(self, conninfo: str = "", json: bool = False) -> None:
        self.conninfo = conninfo
        self.json = json

    @cached_property
    def connection(self) -> Connection:
        """The connection, in autocommit mode."""
        return connect(self.conninfo)

    def rows(self, query: LiteralString, *values: Any) -> list[Row]:
        """Return the rows of a query."""
        return self.connection.execute(query, values or None).fetchall()

    def row(self, query: LiteralString, *values: Any) -> Row:
        """Return the only row of a query."""
        (row,) = self.rows(query, *values)
        return row

    def value(self, query: LiteralString, *values: Any) -> Any:
        """Return the only value of a query."""
        (value,) = self.row(query, *values).values()
        return value

    def pages(self, query: LiteralString, values: Sequence[Any] = (), size: int = 500) -> Iterator[list[Row]]:
        """Yield the rows of a query in pages, the first as soon as the server has it."""
        with self.connection.transaction(), self.connection.cursor("pgagentctl") as cursor:
            cursor.execute(query, values or None)
            while page := cursor.fetchmany(size):
                yield page

    def close(self) -> None:
        """End the connection, if there is one."""
        if "connection" in self.__dict__:
            self.connection.close()


def connect(conninfo: str) -> Connection:
    """Return a connection by libpq's environment and *conninfo*: key words, a URI, or the name of a database as psql takes it."""
    if conninfo and "=" not in conninfo and "://" not in conninfo:
        conninfo = psycopg.conninfo.make_conninfo(dbname=conninfo)
    try:
        conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        # libpq's own message shows parts of the string: one may be a password.
        hint = "Give key words, such as 'host=db1 dbname=jobs', a URI, or the name of a database."
        raise CommandError("-d has no valid connection string", hint) from None
    connection = psycopg.connect(
        conninfo,
        autocommit=True,
        row_factory=dict_row,
        fallback_application_name="pgagentctl",
        client_encoding="UTF8",
    )
    # The loaders read ISO alone, whatever is set for the role or the database. To compile a plan takes longer than most listings.
    connection.execute(SETTINGS)
    connection.adapters.register_loader("timestamptz", _Timestamptz)
    connection.adapters.register_loader("interval", _Interval)
    return connection
