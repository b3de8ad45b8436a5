"""Waiting for an event."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg

from .sql import rows

T = TypeVar("T")
# Seconds that a test waits for an event before it fails. It measures nothing: the machine may be slow and busy.
PATIENCE = 60.0


def wait_for(
    condition: Callable[[], T | None],
    timeout: float = PATIENCE,
    what: str = "the condition",
    every: float = 0.02,
) -> T:
    """Return the first true value of condition(), asked every so many seconds; fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {timeout:g} s for {what}; it is still {value!r}"
        time.sleep(every)
    return value


def wait_for_row(
    db: psycopg.Connection[Any], query: str, *parameters: Any, timeout: float = PATIENCE
) -> tuple[Any, ...]:
    """Return the first row that `query` gives, asking until there is one; `db` must be in autocommit mode."""
    found = wait_for(lambda: rows(db, query, *parameters), timeout, f"a row of: {query}")
    return found[0]


def wait_for_statistics(db: psycopg.Connection[Any]) -> None:
    """Wait until the server's statistics have what this session has done until now."""
    if db.info.server_version >= 150000:
        db.execute("SELECT pg_stat_force_next_flush()")
        return
    # It reports all at once, at the end of a statement, but twice a second at most.
    db.execute("CREATE TEMP TABLE reported AS SELECT 1")
    wait_for_row(db, "SELECT FROM pg_stat_all_tables WHERE relid = 'reported'::regclass AND n_tup_ins > 0")
    db.execute("DROP TABLE reported")
