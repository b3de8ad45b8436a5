"""The newest runs of some kind, found from the end of the log.

The planner can't estimate how many runs a view leaves to the role, so it would sort a long log to show the end of it. A piece of
the log at a time is never a long log. If few runs are of this kind, the rest is read at once, for their ids alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .session import Row, Session

KIND = """%(low)s <= r.jlgid AND r.jlgid < %(high)s AND (NOT %(failed)s OR r.run_status IN ('failure', 'aborted'))"""
# DISTINCT takes one of the rows of each run, which come in order.
RUNS = f"""
SELECT DISTINCT ON (r.jlgid) r.* FROM pgagent_py.run_history r
 WHERE {KIND} ORDER BY r.jlgid DESC LIMIT %(limit)s"""
REST = f"""
SELECT r.jlgid FROM pgagent_py.visible_run r
 WHERE {KIND} ORDER BY r.jlgid DESC LIMIT %(limit)s"""
LISTED = """
SELECT DISTINCT ON (r.jlgid) r.* FROM pgagent_py.run_history r
 WHERE r.jlgid = ANY (%s::int4[]) ORDER BY r.jlgid DESC"""
# The first run of the log, or the first that began then; and one more than the last.
ENDS = """
SELECT pgagent_py._first_run(coalesce(%s, '-infinity'::timestamptz)) AS first, pgagent_py._first_run('infinity') AS last"""
PIECES = (1000, 4000, 16_000)
GROWTH, PAGE = 4, 500


def newest_runs(
    session: Session, limit: int, *, job: int | None = None, failed: bool = False, since: object = None
) -> Iterator[list[Row]]:
    """Yield pages of the newest runs: of one *job* only, those that *failed* only, those that began at *since* or later."""
    ends = session.row(ENDS, since)
    first, high = ends["first"], ends["last"]
    if first is None:
        return
    for size in PIECES:
        if high <= first or limit <= 0:
            return
        low = max(first, high - size)
        values = {"low": low, "high": high, "limit": limit, "failed": failed, "job": job}
        if rows := _ask(session, RUNS, values):
            yield rows
        limit -= len(rows)
        high = low
    yield from _rest(session, limit, {"low": first, "high": high, "failed": failed, "job": job})


def _rest(session: Session, limit: int, values: dict[str, Any]) -> Iterator[list[Row]]:
    """Yield pages of the runs from low to high, *limit* in all."""
    most = limit
    while limit > 0 and values["low"] < values["high"]:
        ids = [row["jlgid"] for row in _ask(session, REST, values | {"limit": most})]
        for place in range(0, len(ids), PAGE):
            # A role that may not read the log of steps is shown none of these runs, but those of its own jobs.
            rows = session.rows(LISTED, ids[place : place + PAGE])[:limit]
            if rows:
                yield rows
            limit -= len(rows)
        if len(ids) < most:
            return
        values["high"], most = ids[-1], most * GROWTH


def _ask(session: Session, query: str, values: dict[str, Any]) -> list[Row]:
    if values["job"] is not None:
        query = query.replace("WHERE", "WHERE r.jobid = %(job)s AND")
    return session.connection.execute(query.encode(), values).fetchall()
