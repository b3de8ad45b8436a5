"""Ending the session of a step that takes no cancel request: its server is asked on a second connection, as the same role.

A role may end its own sessions, on any server. That it is the right one, and not one that a pooler's pid leads to, shows in
the text that it executes.
"""

from __future__ import annotations

import asyncio

import psycopg
from psycopg.conninfo import make_conninfo

from .sql_connection import SqlConnection

SECONDS = 3.0  # for all of it
END_MILLISECONDS = 1500  # that the session may take to end

END = """
SELECT pg_terminate_backend(a.pid, %s) FROM pg_stat_activity a
 WHERE a.pid = %s AND a.usename = session_user AND starts_with(%s, a.query)"""


async def end_session(conninfo: str, connection: SqlConnection) -> str:
    """End the session of *connection*, which was made with *conninfo*; return why it may go on, '' if it has ended."""
    try:
        async with asyncio.timeout(SECONDS):
            return await _end(conninfo, connection)
    except TimeoutError:
        return "the server does not answer"
    except (psycopg.Error, UnicodeError) as error:
        return str(error).strip()


async def _end(conninfo: str, connection: SqlConnection) -> str:
    pgconn = connection.conn.pgconn
    place = {"host": pgconn.host, "hostaddr": pgconn.hostaddr, "port": pgconn.port}
    given = {keyword: value.decode() for keyword, value in place.items() if value}
    text = connection.text.decode()
    async with await psycopg.AsyncConnection.connect(
        make_conninfo(conninfo, **given), autocommit=True
    ) as second:
        # The owner of the database sets the path, and must not get its functions called.
        await second.execute("SET search_path = pg_catalog, pg_temp")
        found = await (await second.execute(END, [END_MILLISECONDS, pgconn.backend_pid, text])).fetchone()
    if found is None:
        return "the server does not show it"
    return "" if found[0] else "it does not react to that either"
