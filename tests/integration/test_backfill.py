"""Runs of a job for the times of a span."""

from itertools import pairwise
from typing import Any

import psycopg
import pytest

from tests.helpers import Db, rows, value
from tests.helpers.protocol import Agent, Step, done

HISTORY = (
    "SELECT h.due, h.trigger, h.run_status FROM pgagent_py.run_history h WHERE h.jobid = %s ORDER BY h.jlgid"
)
DUES = "SELECT h.due::text FROM pgagent_py.run_history h WHERE h.jobid = %s AND h.trigger = 'backfill' ORDER BY h.jlgid"
STATE = "SELECT status, times, done, failed, left_out, running_run IS NOT NULL FROM pgagent_py.backfills"
BACKFILL = 'SELECT pgagent_py.backfill(%s, "from" => %s, until => %s)'


def nightly(db: Db, name: str = "nightly", cron: str = "0 3 * * *") -> int:
    """Add a job whose schedule begins now."""
    return int(
        value(
            db, "SELECT pgagent_py.add_job(%s, cron => %s, sql => 'SELECT 1', timezone => 'UTC')", name, cron
        )
    )


def run(agent: Agent, status: str = "s", turns: int = 60) -> list[Step]:
    """Run all that there is to run, one turn after the other."""
    ran, steps = list[Step](), agent.run_due(9)
    while steps and turns:
        ran += steps
        steps = agent.run_due(9, *(done(step, status) for step in steps))
        turns -= 1
    return ran


def dues(*numbers: int) -> list[tuple[str]]:
    """Return 3:00 of these days of January 2024."""
    return [(f"2024-01-{number:02} 03:00:00+00",) for number in numbers]


def seen(db: Db, job: int) -> list[tuple[str]]:
    """Return the times that the runs of a backfill were for."""
    db.execute("SET timezone = 'UTC'")
    return rows(db, DUES, job)


def test_each_time_from_the_first_until_the_last_runs_once_in_order(agent: Agent, db: Db) -> None:
    job = nightly(db)
    planned = value(db, "SELECT jobnextrun FROM pgagent.pga_job")
    number = value(db, BACKFILL, job, "2024-01-02 03:00Z", "2024-01-05 03:00Z")
    assert rows(db, STATE) == [("in progress", 3, 0, 0, 0, False)]
    (step,) = agent.run_due(9)
    assert rows(db, STATE) == [("in progress", 3, 0, 0, 0, True)]
    assert agent.run_due(9) == []  # one at a time
    (step,) = agent.run_due(9, done(step))
    assert value(db, "SELECT last_due = '2024-01-03 03:00Z' FROM pgagent_py.backfills")
    (step,) = agent.run_due(9, done(step))
    assert agent.run_due(9, done(step)) == []
    assert seen(db, job) == dues(2, 3, 4)
    assert rows(db, STATE) == [("finished", 3, 3, 0, 0, False)]
    assert value(db, "SELECT jobnextrun FROM pgagent.pga_job") == planned
    asked = "SELECT DISTINCT trigger, triggered_by FROM pgagent_py.run_history"
    assert rows(db, asked) == [("backfill", value(db, "SELECT current_user"))]
    with pytest.raises(psycopg.Error, match=f"backfill {number} is not in progress") as refused:
        db.execute("SELECT pgagent_py.cancel_backfill(%s)", [number])
    assert refused.value.sqlstate == "55000"


def test_the_start_only_says_from_where_intervals_count(agent: Agent, db: Db) -> None:
    job = int(value(db, "SELECT pgagent_py.add_job('anchored', sql => 'SELECT 1')"))
    add = (
        "SELECT pgagent_py.add_schedule(%s, %s, every => %s, recurs => %s, at => %s,"
        " start => '2030-01-01 06:30Z', timezone => 'UTC',"
    )
    for arguments in (("five days", "5 days", None, None), ("once", None, None, "2031-01-07 01:00Z")):
        db.execute((add + " enabled => true)").encode(), [job, *arguments])
    every_third = " minutes => '{0}', hours => '{3}')"
    db.execute((add + every_third).encode(), [job, "third day", None, "3 days", None])
    db.execute((add + " enabled => false)").encode(), [job, "off", "1 day", None, None])
    db.execute("UPDATE pgagent_py.schedule_option SET jscat = '2024-01-07 01:00Z' WHERE jscat IS NOT NULL")
    db.execute(
        "SELECT pgagent_py.add_exception(jscid, '2024-01-09') FROM pgagent.pga_schedule WHERE jscname = 'third day'"
    )
    db.execute(BACKFILL, [job, "2024-01-01Z", "2024-01-13Z"])
    run(agent)
    expected = [
        *dues(3, 6, 12),
        ("2024-01-03 06:30:00+00",),
        ("2024-01-08 06:30:00+00",),
        ("2024-01-07 01:00:00+00",),
    ]
    assert seen(db, job) == sorted(expected)


def test_normal_runs_come_first_and_none_is_lost(agent: Agent, db: Db) -> None:
    job = int(value(db, "SELECT pgagent_py.add_job('often', sql => 'SELECT 1')"))
    db.execute(
        "SELECT pgagent_py.add_schedule(%s, 's', every => '1 s', start => date_trunc('second', now()))", [job]
    )
    db.execute(
        'SELECT pgagent_py.backfill(%s, "from" => date_trunc(\'second\', now()) - interval \'1 h\','
        " until => date_trunc('second', now()) - interval '3597 s')", [job])  # fmt: skip
    history: list[Any] = []
    while len([row for row in history if row[1] == "backfill"]) < 3 or history[-1][2] == "running":
        steps = agent.run_due(9)
        db.execute("SELECT pg_sleep(1.2)")  # a time of the schedule passes while each run goes on
        agent.run_due(0, *map(done, steps))
        history = rows(db, HISTORY, job)
    kinds = [trigger for _, trigger, _ in history]
    assert kinds.count("backfill") == 3
    for before, this in pairwise(kinds):
        assert "schedule" in (before, this)  # that which has passed comes before the next of the backfill


def test_times_with_a_success_are_left_out_and_failures_stop_if_asked(agent: Agent, db: Db) -> None:
    job, other = nightly(db), nightly(db, "other")
    for due in ("2024-01-02 03:00Z", "2024-01-04 03:00Z"):
        for one in (job, other):
            db.execute("SELECT pgagent_py.run_now(%s, due => %s)", [one, due])
        first, second = agent.run_due(9)
        agent.run_due(
            0,
            done(first, "s" if first.jobid == job else "f"),
            done(second, "s" if second.jobid == job else "f"),
        )
    db.execute(BACKFILL, [job, "2024-01-01Z", "2024-01-06Z"])
    run(agent, "f")
    assert seen(db, job) == dues(1, 3, 5)
    assert rows(db, STATE) == [("finished", 5, 3, 3, 2, False)]
    db.execute(
        BACKFILL.replace("%s)", "%s, stop_on_failure => true)").encode(),
        [other, "2024-01-01Z", "2024-01-06Z"],
    )
    (step,) = agent.run_due(9)
    agent.run_due(9, done(step, "f"))
    ended = "SELECT ended_because FROM pgagent_py.backfills WHERE status = 'stopped'"
    assert rows(db, ended) == [(f"run {step.jlgid} has failed",)]
    assert agent.run_due(9) == []
    assert seen(db, other) == dues(1)


def test_dependents_follow_each_run_with_the_same_time(agent: Agent, db: Db) -> None:
    first, second, third = (nightly(db, name, "0 4 29 2 *") for name in ("first", "second", "third"))
    db.execute("SELECT pgagent_py.alter_job(%s, cron => '0 3 * * *')", [first])
    for job, after in ((second, first), (third, second)):
        db.execute("SELECT pgagent_py.add_dependency(%s, after => %s)", [job, after])
    parameters = BACKFILL.replace("%s)", "%s, parameters => '{\"a\": 1}')")
    db.execute(parameters.encode(), [first, "2024-01-01Z", "2024-01-04Z"])
    run(agent)
    history = "SELECT h.jobname, h.due::text FROM pgagent_py.run_history h ORDER BY h.jlgid"
    db.execute("SET timezone = 'UTC'")
    expected = [(name, due) for (due,) in dues(1, 2, 3) for name in ("first", "second", "third")]
    assert rows(db, history) == expected
    given = "SELECT jlgparameters FROM pgagent_py.run_option WHERE jlgparameters ? 'a'"
    assert rows(db, given) == [({"a": 1},)] * 3


def test_pauses_and_windows_hold_and_disabled_or_cancelled_ones_wait_or_end(agent: Agent, db: Db) -> None:
    job = nightly(db)
    number = value(db, BACKFILL, job, "2024-01-01Z", "2024-01-04Z")
    db.execute("SELECT pgagent_py.pause()")
    assert agent.run_due(9) == []
    db.execute("SELECT pgagent_py.resume(); SELECT pgagent_py.pause('Routine Maintenance')")
    assert agent.run_due(9) == []
    db.execute("SELECT pgagent_py.resume('Routine Maintenance')")
    db.execute("SELECT pgagent_py.add_window('shut', minutes => '{0}', duration => '1 day', closed => true)")
    db.execute("SELECT pgagent_py.alter_job(%s, \"window\" => 'shut')", [job])
    assert agent.run_due(9) == []
    db.execute("SELECT pgagent_py.alter_job(%s, \"window\" => '', enabled => false)", [job])
    assert agent.run_due(9) == []
    db.execute("SELECT pgagent_py.alter_job(%s, enabled => true)", [job])
    (step,) = agent.run_due(9)
    db.execute("SELECT pgagent_py.cancel_backfill(%s)", [number])
    assert agent.run_due(9, done(step)) == []
    assert rows(db, STATE) == [("stopped", 3, 1, 0, 0, False)]
    told = (
        "SELECT action, column_name FROM pgagent_py.job_changes WHERE object = 'backfill' ORDER BY changed_at"
    )
    assert rows(db, told) == [("insert", None), ("update", "bflwhy")]
    assert value(db, "SELECT jobnextrun > now() FROM pgagent.pga_job")


def test_what_is_wrong_is_refused_and_a_session_runs_one_time_a_call(db: Db) -> None:
    job = nightly(db)
    for state, message, arguments in (
        ("22023", "until can't be", (job, "2024-01-02Z", "2024-01-02Z")),
        ("22023", "until can't be", (job, "2024-01-02Z", "infinity")),
        ("22023", "from can't be", (job, "-infinity", "2024-01-02Z")),
        ("22023", "job -1 does not exist", (-1, "2024-01-01Z", "2024-01-02Z")),
        ("22023", "there are more than 100000 times", (job, "1000-01-01Z", "2024-01-02Z")),
    ):  # fmt: skip
        with pytest.raises(psycopg.Error, match=message) as refused:
            db.execute(BACKFILL, arguments)
        assert refused.value.sqlstate == state
    with pytest.raises(psycopg.Error, match="backfill 7 does not exist") as refused:
        db.execute("SELECT pgagent_py.cancel_backfill(7)")
    assert refused.value.sqlstate == "22023"
    zone = "UPDATE pgagent_py.schedule_option SET jsctimezone = %s"
    db.execute(zone, ["Mars/Olympus"])
    with pytest.raises(psycopg.Error, match=rf"schedule \d+ of job {job} has no times: time zone") as refused:
        db.execute(BACKFILL, [job, "2024-01-01Z", "2024-01-03Z"])
    assert refused.value.sqlstate == "55000"
    db.execute(zone, ["UTC"])
    db.execute(BACKFILL, [job, "2024-01-01Z", "2024-01-03Z"])
    ran = [len(rows(db, "SELECT FROM pgagent_py.run_due()")) for _ in range(3)]
    assert ran == [1, 1, 0]
    assert seen(db, job) == dues(1, 2)
    assert value(db, "SELECT status FROM pgagent_py.backfills") == "finished"
