"""Runs by time: those of a span, found without an index on the time."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from tests.helpers import Db, rows, value

START = datetime(2026, 3, 1, tzinfo=UTC)
BETWEEN = "SELECT jlgid FROM pgagent_py.runs_between(%s, %s, %s) ORDER BY jlgid"


def at(minutes: float) -> datetime:
    """Return a time in minutes after the start of the history."""
    return START + timedelta(minutes=minutes)


def add_runs(db: Db, runs: list[tuple[int, int, float, float | None]]) -> None:
    """Put runs into the log: id, job, start and duration in minutes."""
    for id_, job, start, minutes in runs:
        db.execute(
            "INSERT INTO pgagent.pga_joblog (jlgid, jlgjobid, jlgstatus, jlgstart, jlgduration) VALUES (%s, %s, %s, %s, %s)",
            [id_, job, "r" if minutes is None else "s", at(start), minutes and timedelta(minutes=minutes)],
        )


def test_a_span_has_the_runs_that_went_on_in_it(db: Db) -> None:
    a, b = (value(db, "SELECT pgagent_py.add_job(%s)", name) for name in "ab")
    assert rows(db, BETWEEN, at(0), at(9), None) == []
    add_runs(db, [(2, a, 0, 1), (5, b, 1, 100), (6, a, 3, 2), (900, a, 10, 1), (901, a, 20, None)])
    for span, expected in {
        (0, 1): [2],
        (0.5, 3): [2, 5],
        (3, 10): [5, 6],
        (5, 10): [5],
        (10.5, 11): [5, 900],
        (30, 40): [5, 901],
        (101, 102): [901],
    }.items():
        assert [id_ for (id_,) in rows(db, BETWEEN, *map(at, span), None)] == expected, span
    assert rows(db, BETWEEN, at(0), at(99), a) == [(2,), (6,), (900,), (901,)]
    of_several = BETWEEN.replace("%s, %s, %s", "%s, %s, jobs => %s")
    assert rows(db, of_several, at(2), at(9), [b, 77]) == [(5,)]
    assert rows(db, of_several, at(0), at(99), []) == []
    assert value(db, "SELECT count(*) FROM pgagent_py.runs_between('-infinity')") == 5
    assert value(db, "SELECT count(*) FROM pgagent_py.runs_between('infinity')") == 1


@pytest.mark.parametrize("seed", range(5))
def test_a_span_is_found_in_a_log_with_holes(db: Db, seed: int) -> None:
    random = Random(seed)
    job = value(db, "SELECT pgagent_py.add_job('a')")
    ids = sorted(random.sample(range(1, 2**31), 40))
    add_runs(db, [(id_, job, 10 * n, random.uniform(0, 9)) for n, id_ in enumerate(ids)])
    history = rows(db, "SELECT jlgid, jlgstart, jlgstart + jlgduration FROM pgagent.pga_joblog")
    for _ in range(20):
        since, until = sorted(at(random.uniform(-20, 420)) for _ in range(2))
        expected = sorted(id_ for id_, start, end in history if start < until and end > since)
        assert [id_ for (id_,) in rows(db, BETWEEN, since, until, None)] == expected


def test_a_role_sees_its_own_runs_only(db: Db) -> None:
    db.execute("CREATE ROLE runner_up IN ROLE pgagent_py_user")
    try:
        add_runs(db, [(1, value(db, "SELECT pgagent_py.add_job('a')"), 0, 1)])
        db.execute("SET ROLE runner_up")
        add = value(db, "SELECT pgagent_py.add_job('mine', sql => 'SELECT 1')")
        db.execute("RESET ROLE")
        add_runs(db, [(2, add, 1, 1)])
        db.execute("SET ROLE runner_up")
        assert rows(db, BETWEEN, at(-1), at(9), None) == [(2,)]
        assert rows(db, "SELECT jlgid FROM pgagent_py.visible_run") == [(2,)]
        db.execute("RESET ROLE")
    finally:
        db.execute("DROP OWNED BY runner_up; DROP ROLE runner_up")
