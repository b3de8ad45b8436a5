"""A backfill across a night when the clocks are set back, with several launchers, of which those that execute it are killed."""

from tests.conftest import StartLauncher
from tests.forms import forms
from tests.helpers import Db, rows, value, wait_for_row

# In Paris the hour from 2:00 comes twice; 2:30 of the schedule fires once, at the first.
FIRST = "2025-10-25 20:00Z"
ADD = """
    SELECT pgagent_py.add_schedule(%(job)s, 'half past', minutes => '{30}', hours => '{0,1,2,3,9}', timezone => 'Europe/Paris',
                                   start => %(start)s),
           pgagent_py.add_schedule(%(job)s, 'every', every => '5 h', start => %(start)s)"""
BUSY = """
    SELECT o.agent::text FROM pgagent_py.backfills b JOIN pgagent_py.run_origin o ON o.jlgid = b.running_run
     WHERE b.done > %s"""


@forms(2, 30)
def test_each_time_runs_once_in_order(database: str, db: Db, launcher: StartLauncher, size: int) -> None:
    twin = value(db, "SELECT pgagent_py.add_job('twin', enabled => false)")
    db.execute(ADD, {"job": twin, "start": "2025-01-01Z"})
    until = value(db, "SELECT %s::timestamptz + %s * interval '1 day'", FIRST, size)
    times = rows(
        db,
        "SELECT n FROM pgagent_py.next_runs(%s, 1000, %s) n WHERE n < %s",
        twin,
        "2025-10-25 19:59Z",
        until,
    )
    assert times[0][0] == value(db, "SELECT min(n) FROM pgagent_py.next_runs(%s, 9, %s) n", twin, FIRST)
    job = value(db, "SELECT pgagent_py.add_job('report', batch => %s)", 'sleep 0.1; echo "$PGAGENT_DUE"')
    later = "2025-01-01Z", 20_000  # in 2036, as many intervals later
    start = value(db, "SELECT %s::timestamptz + %s * interval '5 h'", *later)
    db.execute(ADD, {"job": job, "start": start})
    db.execute('SELECT pgagent_py.backfill(%s, "from" => %s, until => %s)', [job, FIRST, until])
    started = [launcher("-t", "1", database) for _ in range(3)]
    for killed in range(1 if size == 2 else 2):
        (agent,) = wait_for_row(db, BUSY, 3 + 20 * killed)
        for process in started:
            if agent in process.log_text():
                process.kill()
    wait_for_row(db, "SELECT FROM pgagent_py.backfills WHERE status = 'finished'")
    history = "SELECT h.due, h.trigger FROM pgagent_py.run_history h WHERE h.jobid = %s ORDER BY h.jlgid"
    assert rows(db, history, job) == [(due, "backfill") for (due,) in times]
    seen = "SELECT rtrim(h.jsloutput, E'\\n')::timestamptz FROM pgagent_py.run_history h WHERE h.step_status = 'success'"
    succeeded = rows(db, seen)
    assert set(succeeded) <= set(times)
    assert len(times) - len(succeeded) <= 2  # the steps of the launchers that were killed
