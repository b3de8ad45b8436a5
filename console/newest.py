"""The newest runs of some kind, found from the end of the log.

The planner can't estimate how many runs a view leaves to the role, so it would sort a long log to show the end of it. A piece of
the log at a time is never a long log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .session import Row, Session

# DISTINCT takes one of the rows of each run, which come in order.
RUNS = """
SELECT DISTINCT ON (r.jlgid) r.* FROM pgagent_py.run_history r
 WHERE r.jlgid >= %(low)s AND r.jlgid < %(high)s AND (NOT %(failed)s OR r.run_status IN ('failure', 'aborted'))
 ORDER BY r.jlgid DESC LIMIT %(limit)s"""
OF_JOB = RUNS.replace("WHERE", "WHERE r.jobid = %(job)s AND")
# The first run of the log, or the first that began then; and one more than the last.
ENDS = """
SELECT pgagent_py._first_run(coalesce(%s, '-infinity'::timestamptz)) AS first, pgagent_py._first_run('infinity') AS last"""
FIRST_PIECE, GROWTH = 1000, 4


def newest_runs(
    session: Session, limit: int, *, job: int | None = None, failed: bool = False, since: object = None
) -> Iterator[list[Row]]:
    """Yield pages of the newest runs: of one *job* only, those that *failed* only, those that began at *since* or later."""
    ends = session.row(ENDS, since)
    first, high, size = ends["first"], ends["last"], FIRST_PIECE
    while first is not None and high > first and limit > 0:
        low = max(first, high - size)
        values: Mapping[str, Any] = {"low": low, "high": high, "limit": limit, "failed": failed, "job": job}
        rows = session.connection.execute(RUNS if job is None else OF_JOB, values).fetchall()
        if rows:
            yield rows
        limit -= len(rows)
        high, size = low, size * GROWTH
