"""What becomes of the times of schedules that were missed."""

from typing import Any

import psycopg
import pytest

from tests.helpers import Db, rows, value
from tests.helpers.protocol import Agent, done

MISS = """
    UPDATE pgagent.pga_job SET jobnextrun = date_trunc('hour', now()) - %s * interval '1 hour' WHERE jobid = %s
    RETURNING jobnextrun"""
DUES = """
    SELECT h.due FROM pgagent_py.run_history h WHERE h.jobid = %s AND h.run_status <> 'no steps' ORDER BY h.jlgid"""
NOTES = "SELECT h.jsloutput FROM pgagent_py.run_history h WHERE h.jobid = %s AND h.run_status = 'no steps'"


def hourly(db: Db, **options: Any) -> int:
    """Add a job that is due at each hour, with options."""
    job = value(
        db, "SELECT pgagent_py.add_job('hourly', cron => '0 * * * *', sql => 'SELECT 1', timezone => 'UTC')"
    )
    db.execute("UPDATE pgagent.pga_schedule SET jscstart = '2000-01-01Z'")
    for name, option in options.items():
        db.execute(f"SELECT pgagent_py.alter_job(%s, {name} => %s)".encode(), [job, option])
    return int(job)


def run(agent: Agent, turns: int = 30) -> int:
    """Run what is due, with a turn after each step; return how many steps there were."""
    count, steps = 0, agent.run_due(9)
    while steps and count < turns:
        count += len(steps)
        agent.run_due(0, *map(done, steps))
        steps = agent.run_due(9)
    return count


def hours(db: Db, first: Any, count: int) -> list[tuple[Any]]:
    """Return so many hours."""
    return rows(
        db, "SELECT %s::timestamptz + g * interval '1 h' FROM generate_series(0, %s - 1) g", first, count
    )


def test_once_is_the_default_and_is_for_the_earliest_time(agent: Agent, db: Db) -> None:
    job = hourly(db)
    first = value(db, MISS, 5, job)
    assert run(agent) == 1
    assert rows(db, DUES, job) == [(first,)]
    assert value(db, "SELECT jobnextrun > now() FROM pgagent.pga_job")


def test_skip_runs_for_none_of_them_and_says_how_many(agent: Agent, db: Db) -> None:
    job = hourly(db, catch_up="skip", max_lateness="59 min 59 s")
    first = value(db, MISS, 5, job)
    assert run(agent) == 1  # this hour's is not missed
    assert rows(db, DUES, job) == hours(db, first, 6)[5:]
    [(note,)] = rows(db, NOTES, job)
    assert note.startswith("The runs were skipped: they were 5, due from ")
    assert note.endswith("and catch_up of the job is skip.")
    assert value(db, "SELECT jobnextrun > now() FROM pgagent.pga_job")
    # an order is no time of a schedule
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = now()")
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = now() - interval '3 h'")
    db.execute("UPDATE pgagent_py.job_origin SET jobnextrun = j.jobnextrun FROM pgagent.pga_job j")
    db.execute("UPDATE pgagent_py.job_origin SET jlgtrigger = 'n', jlgtriggeredby = 'x'")
    assert run(agent) == 1


def test_all_runs_for_each_of_them_in_order(agent: Agent, db: Db) -> None:
    job = hourly(db, catch_up="all")
    db.execute("SELECT pgagent_py.add_schedule(%s, 'too', minutes => '{0}', hours => '{1,2,3,4}')", [job])
    first = value(db, MISS, 5, job)
    db.execute("SELECT pgagent_py.run_now(%s, due => 'epoch')", [job])  # loses none of them
    assert run(agent) == 7
    assert rows(db, DUES, job)[1:] == hours(db, first, 6)
    assert value(db, "SELECT jobnextrun > now() FROM pgagent.pga_job")


def test_of_all_only_the_newest_run_and_the_others_are_one_row(agent: Agent, db: Db) -> None:
    job = hourly(db, catch_up="all", catch_up_limit=3)
    first = value(db, MISS, 40_000, job)
    assert run(agent) == 3
    assert rows(db, DUES, job) == hours(db, first, 40_001)[-3:]
    [(note,)] = rows(db, NOTES, job)
    assert note.startswith("The runs were skipped: they were more than 9997, due from ")
    value(db, MISS, 5, job)
    assert run(agent) == 3
    assert rows(db, NOTES, job)[0][0].startswith("The runs were skipped: they were 3, ")
    value(db, MISS, 3, job)
    assert run(agent) == 3
    assert rows(db, NOTES, job)[0][0].startswith("The run was skipped: it was due at ")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE pgagent.pga_schedule SET jscdesc = 'x'",
        "SELECT pgagent_py.add_exception(jscid, '2099-01-01') FROM pgagent.pga_schedule",
        "SELECT pgagent_py.set_default_timezone('Asia/Tokyo')",
        "UPDATE pgagent.pga_job SET jobenabled = false; UPDATE pgagent.pga_job SET jobenabled = true",
    ],
)
def test_a_change_drops_what_is_owed(agent: Agent, db: Db, change: str) -> None:
    job = hourly(db, catch_up="all")
    db.execute("SELECT pgagent_py.alter_schedule(jscid, timezone => '') FROM pgagent.pga_schedule")
    value(db, MISS, 5, job)
    (step,) = agent.run_due(1)
    for statement in change.split(";"):
        db.execute(statement.encode())
    agent.run_due(0, done(step))
    assert run(agent) == 0
    assert value(db, "SELECT jobnextrun > now() FROM pgagent.pga_job")


def test_words_and_numbers_are_checked_and_the_daemon_does_not_catch_up(db: Db) -> None:
    job = hourly(db, catch_up="skip", catch_up_limit=7)
    options = "SELECT catch_up, catch_up_limit FROM pgagent_py.job_options"
    assert rows(db, options) == [("skip", 7)]
    for name, wrong in (("catch_up", "none"), ("catch_up_limit", -1), ("catch_up_limit", 10_001)):
        with pytest.raises(psycopg.Error, match=name) as refused:
            db.execute(f"SELECT pgagent_py.alter_job(%s, {name} => %s)".encode(), [job, wrong])
        assert refused.value.sqlstate == "22023"
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = now() - interval '1 s'")
    claim = "UPDATE pgagent.pga_job SET jobagentid = %s, joblastrun = now() WHERE jobid = %s RETURNING true"
    db.execute("INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES (pg_backend_pid(), 'daemon')")
    pid = db.info.backend_pid
    assert rows(db, claim, pid, job) == []
    db.execute("UPDATE pgagent.pga_job SET jobdesc = E'@catch_up all\\n@catch_up_limit 9'")
    assert rows(db, options) == [("all", 9)]
    db.execute("SELECT pgagent_py.alter_job(%s, catch_up => '', catch_up_limit => 0)", [job])
    assert rows(db, options) == [("once", None)]
    assert rows(db, claim, pid, job) == [(True,)]
