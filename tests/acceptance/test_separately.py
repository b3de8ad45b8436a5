"""Steps whose statements are executed one by one, by a real launcher."""

from tests.conftest import StartLauncher
from tests.helpers import (
    Db,
    add_job,
    call,
    first_step,
    rows,
    run_now,
    run_to_end,
    statuses,
    value,
    wait_for_end,
    wait_for_row,
)

CODE = """
SET client_min_messages = warning;
CREATE TABLE IF NOT EXISTS done (what text);
VACUUM done; INSERT INTO done VALUES (current_setting('pgagent_py.parameters')::jsonb ->> 'what');
SELECT what FROM done LIMIT 1;
SELECT 1 / (count(*) - 1) FROM done;  -- the first time it fails
VACUUM done"""
ASLEEP = """
    SELECT FROM pg_stat_activity
     WHERE query ~ '^SELECT pg_sleep.6' AND state = 'active' AND datname = current_database()"""


def test_such_a_step_is_tried_again_timed_out_and_cancelled_as_others(
    db: Db, database: str, launcher: StartLauncher
) -> None:
    launcher(database)
    job = add_job(db, "x", CODE, description='@parameters {"what": "a;b"}')
    comment = "@separately\n@retries 1\n@retry_delay 0 s\n@keep_rows 5"
    db.execute("UPDATE pgagent.pga_jobstep SET jstdesc = %s", [comment])
    run_to_end(db, job)
    assert statuses(db, job) == [("s", "fs")]
    (failed,), (done,) = rows(db, "SELECT jsloutput FROM pgagent.pga_jobsteplog ORDER BY jslid")
    assert failed.endswith("ERROR:  division by zero\nIt was the statement in line 6 of the step.\n")
    assert done.splitlines()[-1] == "VACUUM"
    assert rows(db, "SELECT what FROM done") == [("a;b",)] * 2
    assert value(db, "SELECT slrrows FROM pgagent_py.step_rows ORDER BY jslid DESC LIMIT 1") == [["1"]]

    slow = "INSERT INTO done VALUES ('slow'); SELECT pg_sleep(600); INSERT INTO done VALUES ('never')"
    call(db, "alter_step", first_step(db, job), sql=slow, description="@separately\n@timeout 1 s")
    run_to_end(db, job)
    call(db, "alter_step", first_step(db, job), description="@separately")
    run_now(db, job)
    wait_for_row(db, ASLEEP)
    call(db, "cancel_run", value(db, "SELECT max(jlgid) FROM pgagent.pga_joblog"))
    wait_for_end(db, job)
    assert statuses(db, job)[1:] == [("f", "f"), ("d", "d")]
    assert rows(db, "SELECT what, count(*) FROM done GROUP BY 1 ORDER BY 1") == [("a;b", 2), ("slow", 2)]
