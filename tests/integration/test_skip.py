"""Times of schedules that skip_next_run() leaves out."""

from typing import Any

import psycopg
import pytest

from tests.helpers import Db, rows, value, wait_for_row
from tests.helpers.protocol import Agent, done

NEXT = "SELECT * FROM pgagent_py.next_runs(%s, 4)"
PLANNED = "SELECT jobnextrun FROM pgagent.pga_job WHERE jobid = %s"
NOTES = "SELECT h.due, h.jsloutput FROM pgagent_py.run_history h WHERE h.jobid = %s AND h.run_status = 'no steps' ORDER BY 1"
RAN = "SELECT h.due FROM pgagent_py.run_history h WHERE h.jobid = %s AND h.run_status = 'success' ORDER BY 1"
SKIP, UNSKIP = "SELECT pgagent_py.skip_next_run(%s, %s)", "SELECT pgagent_py.unskip_next_run(%s)"


def add(db: Db, name: str = "job", cron: str = "0 * * * *") -> int:
    """Add a job with a schedule."""
    return int(value(db, "SELECT pgagent_py.add_job(%s, cron => %s, sql => 'SELECT 1')", name, cron))


def every_second(db: Db, name: str) -> int:
    """Add a job that is due each second from the next one on."""
    job = int(value(db, "SELECT pgagent_py.add_job(%s, sql => 'SELECT 1')", name))
    start = "SELECT pgagent_py.add_schedule(%s, 's', every => '1 s', start => date_trunc('second', now()))"
    db.execute(start.encode(), [job])
    return job


def test_next_runs_leave_them_out_and_the_job_keeps_them(db: Db) -> None:
    job, other = add(db), add(db, "other")
    times = rows(db, "SELECT * FROM pgagent_py.next_runs(%s, 9)", job)
    coming = "SELECT u.at FROM pgagent_py.upcoming_runs(now() + '1 week', count => 4) u WHERE u.jobid = %s"
    db.execute("SELECT pgagent_py.skip_next_run(%s)", [job])
    assert rows(db, NEXT, job) == times[1:5]
    assert rows(db, coming, job) == times[1:3]
    assert (rows(db, NEXT, other), rows(db, coming, other)) == (times[:4], times[:2])
    db.execute(SKIP, [job, 2])
    assert rows(db, NEXT, job) == times[3:7]
    assert rows(db, 'SELECT jobname, "from", until, skipped_by FROM pgagent_py.skipped') == [
        ("job", *times[0], *times[2], value(db, "SELECT current_user"))
    ]
    assert rows(db, PLANNED, job) == times[:1]
    db.execute(UNSKIP, [job])
    assert rows(db, NEXT, job) == times[:4]
    db.execute(UNSKIP, [job])


def test_each_is_logged_at_its_time_and_says_who_has_asked(agent: Agent, db: Db) -> None:
    job, other = every_second(db, "job"), every_second(db, "other")
    db.execute(SKIP, [job, 2])
    db.execute("CREATE ROLE skipper IN ROLE pgagent_py_operator; SET ROLE skipper")
    db.execute(SKIP, [job, 1])
    db.execute("RESET ROLE; DROP OWNED BY skipper; DROP ROLE skipper")
    spans = rows(db, 'SELECT "from", until FROM pgagent_py.skipped ORDER BY 1')
    assert len(spans) == 2
    while not rows(db, RAN, job):
        wait_for_row(db, "SELECT FROM pgagent.pga_job WHERE jobid = %s AND jobnextrun <= now()", job)
        agent.run_due(0, *map(done, agent.run_due(9)))
    notes = rows(db, NOTES, job)
    first = "SELECT %s::timestamptz + g * interval '1 s' FROM generate_series(0, 2) g"
    assert [(due,) for due, _ in notes] == rows(db, first, spans[0][0])
    assert [note.split(", and ")[1].split()[0] for _, note in notes] == [
        value(db, "SELECT current_user")
    ] * 2 + ["skipper"]
    assert rows(db, NOTES, other) == []
    assert rows(db, RAN, other)
    assert rows(db, "SELECT FROM pgagent_py.skipped") == []
    told = "SELECT action, object_id FROM pgagent_py.job_changes WHERE object = 'pause' ORDER BY changed_at"
    assert rows(db, told) == [("insert", job)] * 2


def test_orders_and_dependencies_start_the_job_as_ever(agent: Agent, db: Db) -> None:
    job, before = add(db), add(db, "before")
    db.execute("SELECT pgagent_py.add_dependency(%s, after => %s)", [job, before])
    db.execute(SKIP, [job, 1])
    for ordered in (job, before):
        db.execute("SELECT pgagent_py.run_now(%s)", [ordered])
    for _ in range(3):
        agent.run_due(0, *map(done, agent.run_due(9)))
    history = "SELECT h.trigger FROM pgagent_py.run_history h WHERE h.jobid = %s ORDER BY h.jlgid"
    assert rows(db, history, job) == [("run_now",), ("dependency",)]
    assert rows(db, "SELECT jobid FROM pgagent_py.skipped") == [(job,)]


CHANGES = [
    "SELECT pgagent_py.add_exception(jscid, '2099-01-01') FROM pgagent.pga_schedule WHERE jscjobid = {job}",
    "SELECT pgagent_py.alter_schedule(jscid, timezone => 'Asia/Kathmandu') FROM pgagent.pga_schedule WHERE jscjobid = {job}",
    "SELECT pgagent_py.add_schedule({job}, 'more', cron => '30 3 * * *')",
    "UPDATE pgagent.pga_schedule SET jscminutes[31] = true WHERE jscjobid = {job}",
    "SELECT pgagent_py.attach_calendar(jscid, 'c{job}') FROM pgagent.pga_schedule WHERE jscjobid = {job}",
    "SELECT pgagent_py.alter_calendar('c{job}', add_days => '{{2099-01-02}}')",
    "SELECT pgagent_py.set_default_timezone('Asia/Kathmandu')",
]


def test_a_change_of_the_schedules_takes_all_back(agent: Agent, db: Db) -> None:
    jobs = add(db, "idle"), add(db, "running")
    for job in jobs:
        db.execute(f"SELECT pgagent_py.add_calendar('c{job}', '{{2099-01-01}}')".encode())
    db.execute("SELECT pgagent_py.run_now(%s)", [jobs[1]])
    assert agent.run_due(1)
    for change in CHANGES:
        for job in jobs:
            db.execute(SKIP, [job, 2])
        db.execute("UPDATE pgagent.pga_schedule SET jscdesc = 'the same'")
        db.execute(
            "UPDATE pgagent.pga_job SET jobenabled = false; UPDATE pgagent.pga_job SET jobenabled = true"
        )
        assert value(db, "SELECT count(*) FROM pgagent_py.skipped") == 2
        for job in jobs:
            db.execute(change.format(job=job).encode())
        # not even if the schedules were as before again
        assert rows(db, "SELECT FROM pgagent_py.skip") == [], change


def test_a_missed_time_that_is_skipped_is_logged_and_the_next_one_counts(agent: Agent, db: Db) -> None:
    job = add(db)
    db.execute("UPDATE pgagent.pga_schedule SET jscstart = '2000-01-01Z'")
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = date_trunc('hour', now()) - interval '5 h'")
    first = value(db, PLANNED, job)
    db.execute(SKIP, [job, 2])
    agent.run_due(0, *map(done, agent.run_due(9)))
    hours = [(value(db, "SELECT %s::timestamptz + %s * interval '1 h'", first, n),) for n in range(3)]
    assert [(due,) for due, _ in rows(db, NOTES, job)] == hours[:2]
    assert rows(db, RAN, job) == hours[2:]


def test_what_is_wrong_is_refused_and_the_daemon_does_not_get_the_job(db: Db) -> None:
    job, without = add(db), value(db, "SELECT pgagent_py.add_job('without')")

    def refused(*arguments: Any) -> tuple[str | None, str]:
        with pytest.raises(psycopg.Error) as error:
            db.execute(SKIP, arguments)
        return error.value.sqlstate, str(error.value.diag.message_primary)

    assert refused(job, 0) == ("22023", "count can't be 0")
    assert refused(job, 1001) == ("22023", "count can't be 1001")
    assert refused(-1, 1) == ("22023", "job -1 does not exist")
    assert refused(without, 1) == ("55000", f"job {without} has no next run")
    db.execute("UPDATE pgagent.pga_job SET jobenabled = false WHERE jobid = %s", [job])
    assert refused(job, 1) == ("55000", f"job {job} has no next run")
    db.execute("UPDATE pgagent.pga_job SET jobenabled = true WHERE jobid = %s", [job])
    once = value(db, "SELECT pgagent_py.add_job('once')")
    db.execute("SELECT pgagent_py.add_schedule(%s, 's', at => now() + interval '1 h')", [once])
    db.execute(SKIP, [once, 9])
    assert refused(once, 1) == ("55000", f"job {once} has no next run")
    assert rows(db, NEXT, once) == []
    db.execute(SKIP, [job, 1])
    assert rows(db, "SELECT jobid FROM pgagent_py.not_for_daemon ORDER BY 1") == [(job,), (once,)]
