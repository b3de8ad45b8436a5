"""Connection poolers, for example PgBouncer, between the launcher and a server.

A pooler tells clients numbers of its own for the process ids of backends. In session mode a client keeps its backend. In
transaction mode the pooler gives it to others in between: then settings and ids that a client has made are theirs, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from .sql_connection import SqlConnection

BACKEND_PID = "SELECT pg_catalog.pg_backend_pid()"

CHECK_SECONDS = 2.0  # in which a pooler that gives backends away has one for a second connection
CHECK_ROUNDS = 3  # other clients may have taken the backend at the moment

Ask: TypeAlias = Callable[[str], Awaitable[int | None]]

SHARED = (
    "the connection leads through a pooler that gives it to others between transactions: "
    "connect to the server itself, or set pool_mode = session for this user and database"
)


def asker(connection: SqlConnection) -> Ask:
    """Return the function that asks on a connection."""

    async def ask(query: str) -> int | None:
        answer = await connection.ask(query)
        return None if answer is None else int(answer)

    return ask


async def is_shared(first: Ask, second: Ask) -> bool:
    """Return whether the pooler between gives the backend of one connection to another, while the first is idle.

    Each argument sends a query, and returns the number in its last row. It returns None when the pooler refuses the query.
    """
    known = await first(BACKEND_PID)
    for _ in range(CHECK_ROUNDS):
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                taken = await second(f"BEGIN; {BACKEND_PID}")  # keeps the backend for now
        except TimeoutError:
            return False  # there is none for the second one: the first keeps its own
        if taken is None or taken == known:
            return True
        await second("ROLLBACK")
        if await first(BACKEND_PID) != known:
            return True
    return False
