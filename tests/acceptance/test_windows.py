"""A real launcher wakes at the opening of a window and at its end, also in a night when clocks change."""

from datetime import datetime, timedelta

import pytest

from tests.conftest import StartLauncher
from tests.helpers import Db, add_job, alter_job, output, rows, serving, value, wait_for_row, wait_for_start

LASTS = timedelta(seconds=6)
ENDED = """
    SELECT l.jlgstart, l.jlgstart + l.jlgduration FROM pgagent.pga_joblog l WHERE l.jlgjobid = %s AND l.jlgstatus = 'd'
     UNION ALL
    SELECT NULL, NULL FROM pgagent.pga_job j
     WHERE j.jobid = %s AND j.jobagentid IS NULL AND clock_timestamp() > %s + interval '1 s'
     ORDER BY 1"""


def of_posix(seconds: int) -> str:
    """Return an offset from UTC as POSIX writes it: what is east of Greenwich is negative."""
    sign, left = ("-" if seconds > 0 else ""), abs(seconds)
    return f"{sign}{left // 3600}:{left // 60 % 60:02}:{left % 60:02}"


def zone_that_changes(opens: datetime, at: datetime, hours: int) -> str:
    """Return a time zone in which *opens*, of UTC, is a whole minute, and that goes forward or back by so many hours *at*."""
    wall = at - timedelta(seconds=opens.second)
    days = [(day.replace(year=2027)).timetuple().tm_yday for day in (wall, wall - timedelta(days=100))]
    offset = -opens.second
    return (
        f"AAA{of_posix(offset)}BBB{of_posix(offset + 3600 * hours)},J{days[0]}/{wall:%H:%M:%S},J{days[1]}/0"
    )


def add_window(db: Db, hours: int) -> tuple[datetime, datetime]:
    """Add a window that opens in some seconds, and in whose middle clocks change; return its begin and end."""
    db.execute("SELECT pgagent_py.alter_job(jobid, enabled => false, \"window\" => '') FROM pgagent.pga_job")
    db.execute("SELECT pgagent_py.drop_window(w.name) FROM pgagent_py.windows w")
    begin: datetime = value(db, "SELECT date_trunc('second', clock_timestamp()) + interval '3 s'")
    opens: datetime = value(db, "SELECT %s::timestamptz AT TIME ZONE 'UTC'", begin)
    wall = opens.replace(second=0)
    db.execute(
        "SELECT pgagent_py.add_window('night', minutes => %s, hours => %s, duration => %s, timezone => %s)",
        [[wall.minute], [wall.hour], LASTS, zone_that_changes(opens, opens + LASTS / 2, hours)],
    )
    return begin, begin + LASTS


@pytest.mark.parametrize("hours", [pytest.param(1), pytest.param(-1, marks=pytest.mark.long)])
def test_a_night_when_clocks_change_keeps_its_hours(
    database: str, db: Db, launcher: StartLauncher, hours: int
) -> None:
    serving(launcher("-t", "60", database))
    job = add_job(db, "job", "SELECT pg_sleep(600)", enabled=False)
    begin, end = add_window(db, hours)
    started = None
    while started is None:
        alter_job(db, job, window="night", at_window_end="stop")
        db.execute("UPDATE pgagent.pga_job SET jobnextrun = now() - interval '1 h', jobenabled = true")
        started, ended = wait_for_row(db, ENDED, job, job, end)
        if started is None:  # the machine is too busy: the launcher came after the end
            begin, end = add_window(db, hours)
    assert begin <= started < end <= ended
    due = "SELECT h.due < %s - interval '50 min' FROM pgagent_py.run_history h"
    assert rows(db, due, begin) == [(True,)]
    assert (
        f"at the end of its window: night. The rest of it: SELECT pgagent_py.run_now({job}, from_step"
        in output(db, job)
    )
    # Outside, and nobody stops it.
    db.execute("SELECT pgagent_py.run_now(%s)", [job])
    wait_for_start(db, job)
    assert value(db, "SELECT window_opens > clock_timestamp() FROM pgagent_py.job_status")
    assert rows(db, "SELECT * FROM pgagent_py.cancelled_runs()") == []
