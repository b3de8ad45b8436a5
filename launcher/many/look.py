"""Looks at databases that are not served now: which there are, where something has happened, what one of them needs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import psycopg
from psycopg.conninfo import make_conninfo

from ..conninfo import CONTROL_OPTIONS, Params, add_options
from ..primary import Connection

LOOK_SECONDS = 10.0  # for the connection and its queries

# Each database with what changes when something happens in it: the count of its transactions, which a session tells of when it
# ends or after a while, and when one of its sessions was last active. $1 NULL: all, else their names.
DATABASES = """
SELECT d.oid::int8, d.datname::text, coalesce(s.xact_commit + s.xact_rollback, 0)::int8, coalesce(a.active, 0)::float8,
       d.datname = current_database()
  FROM pg_catalog.pg_database d
  LEFT JOIN pg_catalog.pg_stat_database s ON s.datid = d.oid
  LEFT JOIN (SELECT a.datid, extract(epoch FROM max(a.state_change)) AS active FROM pg_catalog.pg_stat_activity a
              WHERE a.backend_type = 'client backend' AND a.pid <> pg_backend_pid() GROUP BY a.datid) a ON a.datid = d.oid
 WHERE d.datallowconn AND d.datconnlimit <> -2
   AND CASE WHEN %s::text[] IS NULL THEN NOT d.datistemplate ELSE d.datname = ANY (%s::text[]) END"""

HAS_EXTENSION = "SELECT EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname OPERATOR(pg_catalog.=) 'pgagent_py')"
WANTED_IN = "SELECT pgagent_py.wanted_in()"
# What that fails by in a database whose extension is older, or was dropped since the last look.
GONE = (
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedTable,
    psycopg.errors.InvalidSchemaName,
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A database as seen from outside: transactions until now, last activity of a session, whether we see it from there."""

    oid: int
    name: str
    transactions: int
    active: float
    home: bool


@dataclass(frozen=True, slots=True)
class Need:
    """What a look has found. *wanted_in*: seconds, None when nothing is foreseen. *transactions*: that the look has made."""

    extension: bool
    wanted_in: float | None
    transactions: int


async def databases(connection: Connection, names: list[str] | None) -> list[Seen]:
    """Return the databases that there are, or those of these names. Raises psycopg.Error."""
    cursor = await connection.execute(DATABASES.encode(), [names, names])
    return [Seen(*row) for row in await cursor.fetchall()]


async def look(params: Params, known: bool) -> Need:
    """Look what the database of *params* needs. *known*: it has the extension. Raises psycopg.Error, OSError, TimeoutError."""
    async with asyncio.timeout(LOOK_SECONDS):
        if "," in str(params.get("host", "")):
            params = {**params, "target_session_attrs": params.get("target_session_attrs") or "read-write"}
        conninfo = make_conninfo("", **(params | add_options(params, CONTROL_OPTIONS)))
        connection = await psycopg.AsyncConnection.connect(conninfo, autocommit=True, prepare_threshold=None)
        transactions = 1  # the login
        try:
            if not known:
                transactions += 1
                ((known,),) = await (await connection.execute(HAS_EXTENSION)).fetchall()
            if not known:
                return Need(False, None, transactions)
            transactions += 1
            try:
                ((seconds,),) = await (await connection.execute(WANTED_IN)).fetchall()
            except GONE:
                transactions += 1
                ((there,),) = await (await connection.execute(HAS_EXTENSION)).fetchall()
                if not there:
                    return Need(False, None, transactions)
                seconds = 0.0  # an older extension: the agent says what to do
            return Need(True, None if seconds is None else float(seconds), transactions)
        finally:
            await connection.close()
