"""What launcher and extension must agree on before they work together."""

from __future__ import annotations

import re
from typing import Any

import psycopg

INSTALLED = """
SELECT pg_catalog.pg_is_in_recovery(), current_database(),
       (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'pgagent'),
       (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'pgagent_py')"""


class CannotServeError(Exception):
    """The database can't be served, and trying again does not help."""


async def check(connection: psycopg.AsyncConnection[Any]) -> None:
    """Raise CannotServeError unless the database has the extensions that the launcher needs; a standby is no use yet."""
    ((standby, database, pgagent, pgagent_py),) = await (await connection.execute(INSTALLED)).fetchall()
    if standby:
        raise psycopg.OperationalError("the server is a standby: waiting for it to become the primary")
    if pgagent_py is None:
        raise CannotServeError(
            f"database {database} does not have the extension pgagent_py: run CREATE EXTENSION pgagent_py CASCADE in it"
        )
    if pgagent is None or [int(part) for part in re.findall(r"\d+", pgagent)] < [4, 2]:
        raise CannotServeError(
            f"database {database} has pgagent {pgagent}, 4.2 is needed: run ALTER EXTENSION pgagent UPDATE in it"
        )
