"""Many schedules changed by one statement: their rules are read many at a time, and each job gets its own next run."""

from tests.helpers import Db, rows, value

JOBS = 120
INSERT_JOBS = (
    f"INSERT INTO pgagent.pga_job (jobjclid, jobname) SELECT 1, 'job ' || g FROM generate_series(1, {JOBS}) g"
)
INSERT_SCHEDULES = """
INSERT INTO pgagent.pga_schedule (jscjobid, jscname, jscstart, jscminutes, jscenabled)
SELECT j.jobid, 's', '2020-01-01', (SELECT array_agg(m = j.jobid % 60 ORDER BY m) FROM generate_series(0, 59) m), j.jobid % 7 <> 0
  FROM pgagent.pga_job j ORDER BY j.jobid"""
# next_run() reads each rule by itself.
WRONG = """
SELECT j.jobid, j.jobnextrun, s.next FROM pgagent.pga_job j
 CROSS JOIN LATERAL (
       SELECT min(pgagent_py.next_run(s.jscid, now())) AS next
         FROM pgagent.pga_schedule s WHERE s.jscjobid = j.jobid AND s.jscenabled) s
 WHERE s.next IS DISTINCT FROM j.jobnextrun"""
CHANGES = (
    "UPDATE pgagent.pga_job SET jobnextrun = NULL",
    "UPDATE pgagent.pga_schedule SET jscminutes = array_fill(false, '{60}'), jscenabled = jscid % 5 <> 0",
    "UPDATE pgagent.pga_job SET jobnextrun = NULL WHERE jobid % 3 = 0",
    "SELECT pgagent_py.alter_schedule(s.jscid, every => '1 hour') FROM pgagent.pga_schedule s ORDER BY s.jscid",
    "SELECT pgagent_py.set_default_timezone('Asia/Kathmandu')",
)


def test_each_of_many_jobs_gets_its_own_next_run(db: Db) -> None:
    db.execute("SELECT pgagent_py.set_default_timezone('UTC')")
    db.execute(INSERT_JOBS.encode())
    db.execute(INSERT_SCHEDULES.encode())
    assert value(db, "SELECT count(DISTINCT jobnextrun) FROM pgagent.pga_job") > 50
    assert rows(db, WRONG) == []
    db.execute("SELECT pgagent_py.add_calendar('days', days => ARRAY[current_date, current_date + 1])")
    options = (
        "add_exception(jscid, at_time => '00:30')",
        "attach_calendar(jscid, 'days')",
        "alter_schedule(jscid, timezone => 'Asia/Kolkata')",
    )
    for number, option in enumerate(options):
        db.execute(
            f"SELECT pgagent_py.{option} FROM pgagent.pga_schedule WHERE jscid % 10 = {number}".encode()
        )
    for change in CHANGES:
        db.execute(change.encode())
        assert rows(db, WRONG) == [], change
