"""run_due() in the session, where more than one session or a limit of time has a part in it."""

import contextlib
import threading
from collections.abc import Iterator

import psycopg
import pytest

from tests.helpers import PATIENCE, Db, add_due_job, alter_steps, wait_for_row

HISTORY = """
    SELECT j.jobname, r.jlgstatus, l.jslstatus FROM pgagent.pga_joblog r
      JOIN pgagent.pga_job j ON j.jobid = r.jlgjobid
      LEFT JOIN pgagent.pga_jobsteplog l ON l.jsljlgid = r.jlgid ORDER BY r.jlgid, l.jslid"""
NOBODY = """
    SELECT (SELECT count(*) FROM pgagent.pga_jobagent), (SELECT count(*) FROM pgagent_py.agent),
           (SELECT count(*) FROM pgagent.pga_job WHERE jobagentid IS NOT NULL)"""


@pytest.fixture
def other(database: str) -> Iterator[Db]:
    """Return a second autocommit connection to `database`."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def test_timeout_of_the_caller_stops_it_and_loses_nothing(db: Db) -> None:
    db.execute("CREATE TABLE effects (note text)")
    job = add_due_job(db, "long", "INSERT INTO effects VALUES ('x')", "SELECT pg_sleep(600)")
    db.execute("SET statement_timeout = '200 ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        db.execute("SELECT * FROM pgagent_py.run_due()")
    db.execute("RESET statement_timeout")
    assert db.execute(HISTORY).fetchall() == []
    assert db.execute("TABLE effects").fetchall() == []
    assert db.execute(NOBODY).fetchone() == (0, 0, 0)
    # Still due: it runs the next time
    db.execute(
        "UPDATE pgagent.pga_jobstep SET jstcode = 'SELECT 1' WHERE jstjobid = %s AND jstname = '2'", [job]
    )
    assert db.execute("SELECT jslstatus FROM pgagent_py.run_due()").fetchall() == [("s",), ("s",)]


def test_a_cancel_request_stops_it_and_loses_nothing(db: Db, other: Db) -> None:
    add_due_job(db, "long", "SELECT pg_sleep(600)")
    failed: list[BaseException] = []

    def run() -> None:
        with contextlib.suppress(psycopg.errors.QueryCanceled):
            db.execute("SELECT * FROM pgagent_py.run_due()")
            failed.append(AssertionError("it was not cancelled"))

    thread = threading.Thread(target=run)
    thread.start()
    wait_for_row(
        other, "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'", db.info.backend_pid
    )
    other.execute("SELECT pg_cancel_backend(%s)", [db.info.backend_pid])
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert failed == []
    assert other.execute(NOBODY).fetchone() == (0, 0, 0)
    assert other.execute("SELECT count(*) FROM pgagent.pga_job WHERE jobnextrun <= now()").fetchone() == (1,)


def test_two_sessions_share_the_due_jobs(db: Db, other: Db) -> None:
    """The second one takes what the first has not claimed, without waiting for it."""
    add_due_job(db, "first", "SELECT 1")
    with db.transaction():
        assert db.execute("SELECT jobname FROM pgagent_py.run_due()").fetchall() == [("first",)]
        add_due_job(other, "second", "SELECT 1")
        other.execute("SET lock_timeout = '60 s'")
        assert other.execute("SELECT jobname FROM pgagent_py.run_due()").fetchall() == [("second",)]
    assert db.execute(HISTORY).fetchall() == [("first", "s", "s"), ("second", "s", "s")]
    assert db.execute(NOBODY).fetchone() == (0, 0, 0)


def test_job_that_a_session_has_locked_is_left_for_later(db: Db, other: Db) -> None:
    job = add_due_job(db, "locked", "SELECT 1")
    db.execute("SET lock_timeout = '60 s'")
    with other.transaction():
        other.execute("SELECT FROM pgagent.pga_job WHERE jobid = %s FOR UPDATE", [job])
        assert db.execute("SELECT jobname FROM pgagent_py.run_due()").fetchall() == []
    assert db.execute("SELECT jobname FROM pgagent_py.run_due()").fetchall() == [("locked",)]


def test_job_in_progress_elsewhere_is_left_alone(db: Db, other: Db) -> None:
    add_due_job(db, "claimed", "SELECT 1")
    assert len(other.execute("SELECT * FROM pgagent_py.run_due(1)").fetchall()) == 1
    assert db.execute("SELECT * FROM pgagent_py.run_due()").fetchall() == []
    assert db.execute(HISTORY).fetchall() == [("claimed", "r", "r")]
    ((pid,),) = db.execute("SELECT jobagentid FROM pgagent.pga_job").fetchall()
    assert pid == other.info.backend_pid


def test_steps_may_use_the_api(db: Db) -> None:
    """A step can add jobs, make one due or drop its own job."""
    add_due_job(
        db,
        "maker",
        "SELECT pgagent_py.run_now(pgagent_py.add_job('made', sql => 'SELECT 1'))",
        cron="0 3 * * *",
    )
    names = [name for _ in range(2) for (name,) in db.execute("SELECT jobname FROM pgagent_py.run_due()")]
    assert names == ["maker", "made"]
    job = add_due_job(db, "suicidal", "SELECT 1", "SELECT 2")
    db.execute(
        "UPDATE pgagent.pga_jobstep SET jstcode = format('SELECT pgagent_py.drop_job(%%s)', jstjobid)"
        " WHERE jstjobid = %s AND jstname = '1'",
        [job],
    )
    assert db.execute("SELECT jobname, jstname FROM pgagent_py.run_due()").fetchall() == [("suicidal", "1")]
    assert db.execute("SELECT count(*) FROM pgagent.pga_job WHERE jobid = %s", [job]).fetchone() == (0,)
    assert db.execute(NOBODY).fetchone() == (0, 0, 0)


def test_jobs_that_make_each_other_due_do_not_hold_the_session_for_ever(db: Db) -> None:
    make_others_due = "UPDATE pgagent.pga_job SET jobnextrun = now() WHERE jobagentid IS NULL"
    add_due_job(db, "ping", make_others_due)
    db.execute("SELECT pgagent_py.add_job('pong', sql => %s)", [make_others_due])
    db.execute("SET statement_timeout = '60 s'")
    names = [name for (name,) in db.execute("SELECT jobname FROM pgagent_py.run_due()")]
    assert sorted(names) in (["ping"], ["ping", "pong"])


def test_run_now_during_the_run_is_kept(db: Db) -> None:
    """Told to run while it runs, a job runs once more."""
    job = add_due_job(db, "again", "SELECT 1", cron="0 3 1 1 *")
    db.execute(
        "UPDATE pgagent.pga_jobstep SET jstcode = 'UPDATE pgagent.pga_job SET jobnextrun = clock_timestamp()'"
        " WHERE jstjobid = %s",
        [job],
    )
    assert len(db.execute("SELECT * FROM pgagent_py.run_due()").fetchall()) == 1
    assert db.execute("SELECT jobnextrun <= now() FROM pgagent.pga_job").fetchone() == (True,)
    db.execute("UPDATE pgagent.pga_jobstep SET jstcode = 'SELECT 1'")
    assert len(db.execute("SELECT * FROM pgagent_py.run_due()").fetchall()) == 1
    assert db.execute("SELECT jobnextrun > now() FROM pgagent.pga_job").fetchone() == (True,)


def test_trigger_with_an_error_code_of_its_own_stops_one_step_only(db: Db) -> None:
    db.execute("""
        CREATE TABLE guarded (x integer);
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN RAISE 'no room' USING ERRCODE = 'ZZ123', DETAIL = 'All taken.'; END$$;
        CREATE TRIGGER refuse BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION refuse()""")
    add_due_job(db, "refused", "INSERT INTO guarded VALUES (1)")
    add_due_job(db, "fine", "SELECT 1")
    rows = db.execute("SELECT jobname, jslstatus, jslresult, jsloutput FROM pgagent_py.run_due()").fetchall()
    assert rows == [
        ("refused", "f", -1, "ERROR:  no room\nDETAIL:  All taken."),
        ("fine", "s", 1, "SELECT 1"),
    ]


def test_error_of_a_trigger_on_pgagents_tables_keeps_its_words(db: Db) -> None:
    """A user's own trigger refuses a job: add_job raises what it said, with its code and hint."""
    db.execute("""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN RAISE 'not on Fridays' USING ERRCODE = 'ZZ123', HINT = 'Wait.'; END$$;
        CREATE TRIGGER refuse BEFORE INSERT ON pgagent.pga_job FOR EACH ROW EXECUTE FUNCTION refuse()""")
    with pytest.raises(psycopg.Error, match="not on Fridays") as caught:
        db.execute("SELECT pgagent_py.add_job('x')")
    assert (caught.value.sqlstate, caught.value.diag.message_hint) == ("ZZ123", "Wait.")


def test_hundreds_of_due_jobs_run_once_each_in_one_call(db: Db) -> None:
    db.execute("CREATE TABLE effects (job integer)")
    db.execute(
        "SELECT pgagent_py.add_job('job ' || n, sql => 'INSERT INTO effects VALUES (' || n || ')')"
        " FROM generate_series(1, 300) n"
    )
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = now()")
    assert len(db.execute("SELECT * FROM pgagent_py.run_due()").fetchall()) == 300
    assert db.execute("SELECT count(*), count(DISTINCT job) FROM effects").fetchone() == (300, 300)
    assert db.execute("SELECT count(*) FROM pgagent.pga_joblog WHERE jlgstatus = 's'").fetchone() == (300,)
    assert db.execute(NOBODY).fetchone() == (0, 0, 0)


def test_a_cancel_that_a_step_raises_itself_is_its_failure(db: Db) -> None:
    """As an error of a remote server's statement_timeout, which dblink passes on with its SQLSTATE."""
    raises = "DO $$ BEGIN RAISE 'the remote statement took too long' USING ERRCODE = '57014'; END $$"
    for name, sql in (("a", raises), ("b", "SELECT 1")):
        db.execute("SELECT pgagent_py.run_now(pgagent_py.add_job(%s, sql => %s))", [name, sql])
    rows = db.execute(
        "SELECT t.jobname, t.jslstatus, t.jsloutput FROM pgagent_py.run_due() t ORDER BY 1"
    ).fetchall()
    assert [row[:2] for row in rows] == [("a", "f"), ("b", "s")]
    assert "took too long" in rows[0][2]


def test_a_cancel_of_the_session_ends_the_call(database: str, db: Db) -> None:
    db.execute("SELECT pgagent_py.run_now(pgagent_py.add_job('a', sql => 'SELECT pg_sleep(600)'))")
    with psycopg.connect(database, autocommit=True) as session:
        session.execute("SET statement_timeout = '1 s'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            session.execute("SELECT * FROM pgagent_py.run_due()")
        session.execute("SET statement_timeout = 0")
        cancel = threading.Thread(target=cancel_sleeper, args=(db, session.info.backend_pid))
        cancel.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            session.execute("SELECT * FROM pgagent_py.run_due()")
        cancel.join()


def cancel_sleeper(db: Db, pid: int) -> None:
    sleeps = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"
    wait_for_row(db, sleeps, pid)
    db.execute("SELECT pg_cancel_backend(%s)", [pid])


def test_deferred_constraint_triggers_find_the_sessions_tables(db: Db) -> None:
    db.execute("""
        CREATE TABLE public.seen (n integer);
        CREATE TABLE public.kept (n integer);
        CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN INSERT INTO seen VALUES (NEW.n); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER see AFTER INSERT ON public.kept DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION public.see();
    """)
    db.execute("SELECT pgagent_py.run_now(pgagent_py.add_job('a', sql => 'INSERT INTO kept VALUES (1)'))")
    # The triggers act at the end of the call, whatever later steps have set meanwhile.
    db.execute("SELECT pgagent_py.run_now(pgagent_py.add_job('b', sql => 'SET LOCAL search_path = pg_temp'))")
    rows = db.execute("SELECT t.jslstatus, t.jsloutput FROM pgagent_py.run_due() t").fetchall()
    assert rows == [("s", "INSERT 0 1"), ("s", "")]
    assert db.execute("SELECT n FROM public.seen").fetchall() == [(1,)]


def test_what_a_step_sets_stays_its_own(db: Db) -> None:
    db.execute("SET work_mem = '5MB'; SET statement_timeout = '10 min'; SET DateStyle = 'German'")
    steps = {
        "changes": "SET work_mem = '6MB'; SET lock_timeout = '7 s'",
        "resets": "RESET work_mem; SET application_name = 'mine'; RESET DateStyle",
        "fails": "SET work_mem = '8MB'; SELECT 1 / 0",
        "sees": "DO $$ BEGIN ASSERT current_setting('work_mem') = '5MB'; END $$",
    }
    for name, sql in steps.items():
        db.execute("SELECT pgagent_py.run_now(pgagent_py.add_job(%s, sql => %s))", [name, sql])
    rows = db.execute("SELECT t.jobname, t.jslstatus FROM pgagent_py.run_due() t").fetchall()
    assert dict(rows) == {"changes": "s", "resets": "s", "fails": "f", "sees": "s"}
    settings = {
        "work_mem": "5MB",
        "lock_timeout": "0",
        "statement_timeout": "10min",
        "DateStyle": "German, DMY",
    }
    settings["application_name"] = ""
    for name, value in settings.items():
        assert db.execute(f"SELECT current_setting('{name}')".encode()).fetchone() == (value,)


def test_an_atomic_step_that_a_session_executes_counts_as_it_ends(db: Db) -> None:
    """Its effect and its end are in one transaction, so it need not book itself."""
    db.execute("CREATE TABLE effects (note text)")
    job = add_due_job(db, "x", "INSERT INTO effects VALUES ('x')", "INSERT INTO effects VALUES (1 / 0)")
    db.execute("UPDATE pgagent.pga_jobstep SET jstonerror = 'f' WHERE jstjobid = %s", [job])
    alter_steps(db, atomic=True, retries=1, retry_delay="0 s")
    query = "SELECT jstname, jslstatus FROM pgagent_py.run_due()"
    assert db.execute(query).fetchall() == [("1", "s"), ("2", "f"), ("2", "f")]
    assert db.execute(HISTORY).fetchall() == [("x", "f", "s"), ("x", "f", "f"), ("x", "f", "f")]
    assert db.execute("TABLE effects").fetchall() == [("x",)]
