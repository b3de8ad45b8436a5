"""Calendars of dates: attached to schedules, changed, dropped."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from psycopg.errors import DependentObjectsStillExist, InvalidParameterValue

from tests.helpers import Db, add_job, value, wait_for_row
from tests.helpers.protocol import Agent, Result
from tests.helpers.schedules import next_run, runs


def holidays(db: Db) -> None:
    days = [date(2030, 1, 1), date(2030, 1, 3)]
    db.execute("SELECT pgagent_py.add_calendar('holidays', %s)", [days])


def test_attached_calendar_blocks_its_days(db: Db) -> None:
    holidays(db)
    job = add_job(db, "job")
    schedule = value(
        db, "SELECT pgagent_py.add_schedule(%s, 's', cron => '0 8 * * *', timezone => 'UTC')", job
    )
    db.execute("SELECT pgagent_py.attach_calendar(%s, 'holidays')", [schedule])
    days = [run.day for run in runs(db, job, 3, "2030-01-01Z")]
    assert days == [2, 4, 5]
    db.execute("SELECT pgagent_py.detach_calendar(%s, 'holidays')", [schedule])
    assert runs(db, job, 1, "2030-01-01Z")[0].day == 1


def test_only_calendar_lets_nothing_but_its_days_pass(db: Db) -> None:
    holidays(db)
    job = add_job(db, "job")
    schedule = value(
        db, "SELECT pgagent_py.add_schedule(%s, 's', cron => '0 8 * * *', timezone => 'UTC')", job
    )
    db.execute("SELECT pgagent_py.attach_calendar(%s, 'holidays', only_days => true)", [schedule])
    assert [run.day for run in runs(db, job, 9, "2030-01-01Z")] == [1, 3]
    assert next_run(db, job) == datetime(2030, 1, 1, 8, tzinfo=UTC)


def test_only_calendar_without_days_never_fires(db: Db) -> None:
    db.execute("SELECT pgagent_py.add_calendar('empty')")
    job = add_job(db, "job")
    schedule = value(db, "SELECT pgagent_py.add_schedule(%s, 's', cron => '0 8 * * *')", job)
    db.execute("SELECT pgagent_py.attach_calendar(%s, 'empty', only_days => true)", [schedule])
    assert next_run(db, job) is None


def test_next_run_follows_the_days_of_the_calendar(db: Db) -> None:
    holidays(db)
    job = add_job(db, "job")
    schedule = value(
        db, "SELECT pgagent_py.add_schedule(%s, 's', cron => '0 8 * 1 *', timezone => 'UTC')", job
    )
    db.execute("SELECT pgagent_py.attach_calendar(%s, 'holidays', only_days => true)", [schedule])
    db.execute("SELECT pgagent_py.alter_calendar('holidays', add_days => '{2029-01-05}')")
    assert next_run(db, job) == datetime(2029, 1, 5, 8, tzinfo=UTC)
    db.execute("SELECT pgagent_py.alter_calendar('holidays', drop_days => '{2029-01-05}')")
    assert next_run(db, job) == datetime(2030, 1, 1, 8, tzinfo=UTC)


def test_session_that_knows_a_schedule_notices_calendars_that_others_attach_and_change(
    database: str, db: Db
) -> None:
    job = add_job(db, "job")
    schedule = value(
        db,
        "SELECT pgagent_py.add_schedule(%s, 's', '0 8 1-9 * *', start => '2030-01-01Z', timezone => 'UTC')",
        job,
    )

    def found_anew() -> int | None:
        db.execute("UPDATE pgagent.pga_job SET jobnextrun = NULL")
        found = next_run(db, job)
        return found.astimezone(UTC).day if found else None

    assert found_anew() == 1
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("SELECT pgagent_py.add_calendar('holidays')")
        other.execute("SELECT pgagent_py.attach_calendar(%s, 'holidays')", [schedule])
        assert found_anew() == 1
        other.execute("SELECT pgagent_py.alter_calendar('holidays', '{2030-01-01}')")
        assert found_anew() == 2
        other.execute("SELECT pgagent_py.alter_calendar('holidays', '{2030-01-02}')")
        assert found_anew() == 3
        other.execute("SELECT pgagent_py.detach_calendar(%s, 'holidays')", [schedule])
        assert found_anew() == 1


def test_run_that_is_due_stays_due_when_days_of_its_calendar_change(db: Db) -> None:
    """It waits for a launcher, a place or the end of a pause."""
    holidays(db)
    job = add_job(db, "job")
    schedule = value(db, "SELECT pgagent_py.add_schedule(%s, 's', cron => '0 8 * * *')", job)
    db.execute("SELECT pgagent_py.attach_calendar(%s, 'holidays')", [schedule])
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = now() - interval '1 hour'")
    due = next_run(db, job)
    db.execute("SELECT pgagent_py.alter_calendar('holidays', '{2030-12-25}', '{2030-01-01}')")
    assert next_run(db, job) == due


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("alter_calendar('holidays', '{2090-01-01}')", datetime(2090, 1, 2, 12, tzinfo=UTC)),
        ("set_default_timezone('Asia/Tokyo')", datetime(2090, 1, 1, 3, tzinfo=UTC)),
    ],
)
def test_change_waits_for_a_run_that_is_being_ended_and_gives_its_job_the_new_next_run(
    database: str, db: Db, change: str, found: datetime
) -> None:
    db.execute("SELECT pgagent_py.set_default_timezone('UTC'), pgagent_py.add_calendar('holidays')")
    job = add_job(db, "job", "SELECT 1")
    schedule = value(
        db,
        "SELECT pgagent_py.add_schedule(%s, 's', cron => '0 12 * * *', start => '2090-01-01Z')",
        job,
    )
    db.execute("SELECT pgagent_py.attach_calendar(%s, 'holidays')", [schedule])
    agent = Agent(database)
    db.execute("SELECT pgagent_py.run_now(%s)", [job])
    (step,) = agent.run_due(1)
    agent.db.execute("BEGIN")
    agent.run_due(0, Result(step.jlgid, step.jslid))
    with psycopg.connect(database, autocommit=True) as other, ThreadPoolExecutor() as pool:
        changed = pool.submit(other.execute, f"SELECT pgagent_py.{change}".encode())
        waiting = "SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
        wait_for_row(db, waiting, other.info.backend_pid)
        agent.db.execute("COMMIT")
        changed.result()
    assert next_run(db, job) == found
    agent.close()


def test_calendar_in_use_is_not_dropped(db: Db) -> None:
    holidays(db)
    schedule = value(db, "SELECT pgagent_py.add_schedule(%s, 's', cron => '0 8 * * *')", add_job(db, "job"))
    db.execute("SELECT pgagent_py.attach_calendar(%s, 'holidays')", [schedule])
    with pytest.raises(DependentObjectsStillExist, match=str(schedule)):
        db.execute("SELECT pgagent_py.drop_calendar('holidays')")
    db.execute("SELECT pgagent_py.detach_calendar(%s, 'holidays')", [schedule])
    db.execute("SELECT pgagent_py.drop_calendar('holidays')")


@pytest.mark.parametrize(
    "call",
    [
        "attach_calendar({schedule}, 'none')",
        "alter_calendar('none')",
        "alter_calendar(NULL)",
        "attach_calendar({schedule}, NULL)",
        "drop_calendar('none')",
        "add_calendar(' ')",
        "add_calendar('x', ARRAY['infinity'::date])",
        "detach_calendar({schedule}, 'holidays')",
    ],
)
def test_bad_calendar_is_refused(db: Db, call: str) -> None:
    holidays(db)
    schedule = value(db, "SELECT pgagent_py.add_schedule(%s, 's', cron => '0 8 * * *')", add_job(db, "job"))
    with pytest.raises(InvalidParameterValue, match=r"calendar|name|days"):
        db.execute(f"SELECT pgagent_py.{call.format(schedule=schedule)}".encode())


def test_what_is_set_is_shown(db: Db) -> None:
    holidays(db)
    db.execute("SELECT pgagent_py.add_calendar('quarters', '{2030-04-01}', 'first days')")
    job = add_job(db, "job")
    add = "SELECT pgagent_py.add_schedule(%s, 's', every => '1 h', timezone => 'Asia/Tokyo')"
    schedule = value(db, add, job)
    db.execute("SELECT pgagent_py.attach_calendar(%s, 'holidays')", [schedule])
    db.execute("SELECT pgagent_py.attach_calendar(%s, 'quarters', only_days => true)", [schedule])
    shown = (job, schedule, "s", "Asia/Tokyo", timedelta(hours=1), None, False, ["holidays"], ["quarters"])
    (row,) = db.execute("TABLE pgagent_py.schedule_options").fetchall()
    assert row[:11] == (*shown, *shown[:2])
    assert set(row[11:]) == {None}
    db.execute("SELECT pgagent_py.add_schedule(%s, 'plain', cron => '0 8 * * *')", [job])
    reboot = value(db, "SELECT pgagent_py.add_schedule(%s, 'r', cron => '@reboot')", job)
    others = "SELECT schedule, reboot, calendars FROM pgagent_py.schedule_options WHERE schedule <> %s"
    assert db.execute(others, [schedule]).fetchall() == [(reboot, True, [])]
    assert db.execute(
        "SELECT name, description, days FROM pgagent_py.calendars ORDER BY name"
    ).fetchall() == [
        ("holidays", "", [date(2030, 1, 1), date(2030, 1, 3)]),
        ("quarters", "first days", [date(2030, 4, 1)]),
    ]


def test_deleted_schedule_leaves_no_calendar_behind(db: Db) -> None:
    holidays(db)
    job = add_job(db, "job")
    schedule = value(db, "SELECT pgagent_py.add_schedule(%s, 's', cron => '0 8 * * *')", job)
    db.execute("SELECT pgagent_py.attach_calendar(%s, 'holidays')", [schedule])
    db.execute("DELETE FROM pgagent.pga_job")
    assert value(db, "SELECT count(*) FROM pgagent_py.schedule_calendar") == 0
