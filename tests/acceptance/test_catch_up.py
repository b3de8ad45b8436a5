"""After an outage across a night when the clocks are set back, several launchers catch up, and one is killed meanwhile."""

from tests.conftest import StartLauncher
from tests.forms import forms
from tests.helpers import Db, rows, value, wait_for_row

# In Paris the hour from 2:00 comes twice; 2:30 of the schedule fires once, at the first.
CLOCKS_BACK = "2025-10-25 20:00Z"


@forms(1, 20)
def test_each_missed_time_runs_once_in_order(
    database: str, db: Db, launcher: StartLauncher, size: int
) -> None:
    job = value(db, "SELECT pgagent_py.add_job('report', batch => %s)", 'sleep 0.1; echo "$PGAGENT_DUE"')
    db.execute(
        "SELECT pgagent_py.add_schedule(%s, 'half past', minutes => '{30}', hours => '{0,1,2,3,9}',"
        " timezone => 'Europe/Paris', start => '2025-01-01Z')",
        [job],
    )
    db.execute("SELECT pgagent_py.add_schedule(%s, 'every', every => '5 h', start => '2025-01-01Z')", [job])
    db.execute("SELECT pgagent_py.alter_job(%s, catch_up => 'all', catch_up_limit => 1000)", [job])
    # As if the schedules had ended with the outage
    db.execute("ALTER TABLE pgagent.pga_schedule DISABLE TRIGGER USER")
    end = value(db, "SELECT %s::timestamptz + %s * interval '30 h'", CLOCKS_BACK, size)
    db.execute("UPDATE pgagent.pga_schedule SET jscend = %s", [end])
    db.execute("ALTER TABLE pgagent.pga_schedule ENABLE TRIGGER USER")
    db.execute("UPDATE pgagent_py.job_owed SET jobschedules = pgagent_py._schedules_version(jobid)")
    missed = rows(db, "SELECT * FROM pgagent_py.next_runs(%s, 1000, %s)", job, CLOCKS_BACK)
    assert len(missed) > 12
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = %s", [missed[0][0]])
    started = [launcher("-t", "1", database) for _ in range(3)]
    busy = "SELECT agent FROM pgagent_py.run_origin GROUP BY agent HAVING count(*) > 2"
    (agent,) = wait_for_row(db, busy)
    place = (
        "SELECT s.pid FROM pg_stat_activity s JOIN pgagent_py.agent a ON a.jagpid = s.pid WHERE a.agent = %s"
    )
    assert value(db, place, agent)
    for process in started:
        if str(agent) in process.log_text():
            process.kill()
    done = "SELECT FROM pgagent.pga_job WHERE jobnextrun IS NULL AND jobagentid IS NULL"
    wait_for_row(db, done)
    history = "SELECT h.due, h.trigger FROM pgagent_py.run_history h WHERE h.jobid = %s ORDER BY h.jlgid"
    assert rows(db, history, job) == [(due, "start") for (due,) in missed]
    seen = "SELECT rtrim(h.jsloutput, E'\\n')::timestamptz = h.due FROM pgagent_py.run_history h WHERE h.step_status = 'success'"
    found = rows(db, seen)
    assert len(found) >= len(missed) - 1  # the step of the launcher that was killed
    assert set(found) == {(True,)}
