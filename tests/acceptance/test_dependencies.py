"""Jobs that wait for others, and the parameters of jobs and runs, with a real launcher."""

import json

import pytest

from tests.conftest import StartLauncher
from tests.helpers import Db, add_dependency, add_job, run_now, run_statuses, wait_for, wait_for_row

RUNS = "SELECT count(*) FROM pgagent.pga_joblog WHERE jlgjobid = %s AND jlgstatus = %s HAVING count(*) >= %s"


@pytest.mark.parametrize(
    ("code", "status", "starts"),
    [("SELECT 1", "s", {"success", "finish"}), ("SELECT 1/0", "f", {"failure", "finish"})],
)
def test_job_starts_when_the_other_has_ended_as_asked(
    db: Db, database: str, launcher: StartLauncher, code: str, status: str, starts: set[str]
) -> None:
    first = add_job(db, "first", sql=code)
    waiting = {when: add_job(db, when, sql="SELECT 1") for when in ("success", "failure", "finish")}
    for when, job in waiting.items():
        add_dependency(db, job, first, when)
    launcher(database)
    run_now(db, first)
    wait_for_row(db, RUNS, first, status, 1)
    for when in starts:
        wait_for_row(db, RUNS, waiting[when], "s", 1)
    # What is not to start would have started in the same turn
    assert {when for when, job in waiting.items() if run_statuses(db, job)} == starts


def test_several_conditions_are_all_awaited(db: Db, database: str, launcher: StartLauncher) -> None:
    one, two, last = (
        add_job(db, "one", sql="SELECT 1"),
        add_job(db, "two", sql="SELECT 1"),
        add_job(db, "last", sql="SELECT 1"),
    )
    add_dependency(db, last, one)
    add_dependency(db, last, two, "finish")
    launcher(database)
    run_now(db, one)
    wait_for_row(db, "SELECT 1 FROM pgagent_py.dependencies WHERE jobafter = %s AND met", one)
    run_now(db, one)  # met twice is met
    wait_for_row(db, RUNS, one, "s", 2)
    assert run_statuses(db, last) == ""
    run_now(db, two)
    wait_for_row(db, RUNS, last, "s", 1)
    assert db.execute("SELECT count(*) FROM pgagent_py.dependency_met").fetchone() == (0,)
    run_now(db, two)
    wait_for_row(db, RUNS, two, "s", 2)
    assert run_statuses(db, last) == "s"  # each time, all of them anew


def test_job_on_failure_sees_what_failed(db: Db, database: str, launcher: StartLauncher) -> None:
    db.execute("CREATE TABLE seen (parameters jsonb)")
    load = add_job(db, "load", sql="SELECT 1/0")
    alarm = add_job(
        db, "alarm", sql="INSERT INTO seen SELECT current_setting('pgagent_py.parameters')::jsonb"
    )
    batch = "printf 'batch sees %s' \"$PGAGENT_PARAMETERS\""
    db.execute("SELECT pgagent_py.add_step(%s, 'batch', batch => %s)", [alarm, batch])
    add_dependency(db, alarm, load, "failure")
    launcher(database)
    run_now(db, load)
    wait_for_row(db, RUNS, alarm, "s", 1)
    (run,) = db.execute("SELECT jlgid FROM pgagent.pga_joblog WHERE jlgjobid = %s", [load]).fetchone() or (0,)
    failed = {"job": load, "name": "load", "run": run, "status": "f"}
    assert db.execute("SELECT parameters FROM seen").fetchone() == ({"triggered_by": [failed]},)
    query = "SELECT jsloutput FROM pgagent.pga_jobsteplog WHERE jsloutput LIKE 'batch%'"
    (output,) = db.execute(query).fetchone() or ("",)
    assert json.loads(output.removeprefix("batch sees ")) == {"triggered_by": [failed]}


def test_dropped_job_or_dependency_holds_up_nobody(db: Db, database: str, launcher: StartLauncher) -> None:
    one, two, gone, last = (add_job(db, name, sql="SELECT 1") for name in ("one", "two", "gone", "last"))
    for after in (one, two, gone):
        add_dependency(db, last, after)
    db.execute("SELECT pgagent_py.drop_dependency(%s, %s)", [last, two])
    db.execute("DELETE FROM pgagent.pga_job WHERE jobid = %s", [gone])
    launcher(database)
    run_now(db, one)
    wait_for_row(db, RUNS, last, "s", 1)


def test_job_that_is_deleted_after_success_starts_those_that_wait_for_it(
    db: Db, database: str, launcher: StartLauncher
) -> None:
    """It goes when they have started: one of them waits for another job, too."""
    once, other = add_job(db, "once", sql="SELECT 1"), add_job(db, "other", sql="SELECT 1")
    alone, both = add_job(db, "alone", sql="SELECT 1"), add_job(db, "both", sql="SELECT 1")
    db.execute("SELECT pgagent_py.alter_job(%s, delete_on_success => true)", [once])
    for job, after in ((alone, once), (both, once), (both, other)):
        add_dependency(db, job, after)
    launcher(database)
    run_now(db, once)
    wait_for_row(db, RUNS, alone, "s", 1)
    run_now(db, other)
    wait_for_row(db, RUNS, both, "s", 1)
    wait_for(lambda: not db.execute("SELECT FROM pgagent.pga_job WHERE jobid = %s", [once]).fetchall())
    query = """
        SELECT array_agg(t ->> 'name')
          FROM pgagent.pga_joblog r JOIN pgagent_py.run_option o ON o.jlgid = r.jlgid
         CROSS JOIN jsonb_array_elements(o.jlgparameters -> 'triggered_by') t WHERE r.jlgjobid = %s"""
    assert db.execute(query, [both]).fetchall() == [(["once", "other"],)]


def test_run_overrides_parameters_key_by_key(db: Db, database: str, launcher: StartLauncher) -> None:
    db.execute("CREATE TABLE seen (run int, parameters jsonb)")
    code = """
        INSERT INTO seen SELECT current_setting('pgagent_py.run_id')::int, current_setting('pgagent_py.parameters')::jsonb"""
    job = add_job(db, "job", sql=code)
    db.execute("""SELECT pgagent_py.alter_job(%s, parameters => '{"day": "monday", "size": 1}')""", [job])
    launcher(database)
    db.execute("""SELECT pgagent_py.run_now(%s, parameters => '{"day": "sunday"}')""", [job])
    wait_for_row(db, RUNS, job, "s", 1)
    run_now(db, job)
    wait_for_row(db, RUNS, job, "s", 2)
    seen = [row[0] for row in db.execute("SELECT parameters FROM seen ORDER BY run")]
    assert seen == [{"day": "sunday", "size": 1}, {"day": "monday", "size": 1}]
    logged = [row[0] for row in db.execute("SELECT jlgid FROM pgagent.pga_joblog ORDER BY 1")]
    assert [row[0] for row in db.execute("SELECT run FROM seen ORDER BY run")] == logged


@pytest.mark.parametrize(
    "text",
    [
        '{"price": 12345678901234567890.12345678901234567890, "rate": 1.50}',
        '{"a": %s}' % ("[" * 99 + "]" * 99),
        """{"text": "it's \\"quoted\\" \\\\ \\u00fc \\ud83d\\ude00"}""",
    ],
    ids=["digits", "depth", "characters"],
)
def test_parameters_arrive_as_they_were_given(
    db: Db, database: str, launcher: StartLauncher, text: str
) -> None:
    db.execute("CREATE TABLE seen (parameters jsonb)")
    code = "INSERT INTO seen SELECT current_setting('pgagent_py.parameters')::jsonb"
    alter, run = add_job(db, "altered", sql=code), add_job(db, "told", sql=code)
    db.execute("SELECT pgagent_py.alter_job(%s, parameters => %s::jsonb)", [alter, text])
    run_now(db, alter)
    db.execute("SELECT pgagent_py.run_now(%s, parameters => %s::jsonb)", [run, text])
    launcher(database)
    for job in (alter, run):
        wait_for_row(db, RUNS, job, "s", 1)
    seen = [row[0] for row in db.execute("SELECT parameters::text = %s::jsonb::text FROM seen", [text])]
    assert seen == [True, True]
