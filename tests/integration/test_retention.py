"""How much history is kept: by age and count, for all jobs and per job, deleted in small batches."""

import psycopg
import pytest

from tests.helpers import Db, value
from tests.helpers.waiting import wait_for_statistics


def add_history(db: Db, name: str, runs: int) -> int:
    """Add a job that has run every hour until now; return its id."""
    job = int(value(db, "SELECT pgagent_py.add_job(%s, sql => 'SELECT 1')", name))
    db.execute(
        "WITH run AS (INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart)"
        "  SELECT %s, 's', now() - (%s - n) * interval '1 hour' FROM generate_series(1, %s) n ORDER BY n RETURNING jlgid)"
        " INSERT INTO pgagent.pga_jobsteplog (jsljlgid, jsljstid, jslstatus)"
        "  SELECT run.jlgid, s.jstid, 's' FROM run, pgagent.pga_jobstep s WHERE s.jstjobid = %s",
        [job, runs, runs, job],
    )
    return job


def purge(db: Db) -> list[int]:
    """Purge to the end; return what each call has deleted."""
    deleted = [value(db, "SELECT pgagent_py.purge_history()")]
    while deleted[-1]:
        deleted.append(value(db, "SELECT pgagent_py.purge_history()"))
    return deleted


def kept(db: Db) -> dict[int, int]:
    rows = db.execute("SELECT jlgjobid, count(*) FROM pgagent.pga_joblog GROUP BY 1 ORDER BY 1").fetchall()
    return dict(rows)


def test_nothing_is_deleted_unless_asked_for(db: Db) -> None:
    job = add_history(db, "a", 50)
    assert purge(db) == [0]
    assert kept(db) == {job: 50}


def test_runs_beyond_count_or_age_are_deleted(db: Db) -> None:
    long, short = add_history(db, "long", 100), add_history(db, "short", 5)
    db.execute("SELECT pgagent_py.set_retention(keep_runs => 40)")
    purge(db)
    assert kept(db) == {long: 40, short: 5}
    newest = db.execute(
        "SELECT max(now() - jlgstart) < '40 hours' FROM pgagent.pga_joblog WHERE jlgjobid = %s", [long]
    )
    assert newest.fetchone() == (True,)
    db.execute("SELECT pgagent_py.set_retention(keep_for => '9.5 hours')")
    purge(db)
    assert kept(db) == {long: 10, short: 5}
    assert value(db, "SELECT count(*) FROM pgagent.pga_jobsteplog") == 15
    db.execute("SELECT pgagent_py.set_retention(keep_runs => 0, keep_for => '0')")
    assert purge(db) == [0]
    assert value(db, "SELECT count(*) FROM pgagent_py.setting WHERE name LIKE 'keep%%'") == 0


def test_a_jobs_own_limits_come_first(db: Db) -> None:
    jobs = [add_history(db, name, 30) for name in ("a", "b", "c")]
    db.execute("SELECT pgagent_py.set_retention(keep_runs => 10)")
    db.execute("SELECT pgagent_py.alter_job(%s, keep_runs => 20)", [jobs[1]])
    db.execute("SELECT pgagent_py.alter_job(%s, keep_for => '4.5 hours')", [jobs[2]])
    purge(db)
    assert list(kept(db).values()) == [10, 20, 5]
    db.execute("SELECT pgagent_py.set_retention(keep_runs => 0)")
    db.execute("SELECT pgagent_py.alter_job(%s, keep_runs => 15)", [jobs[1]])
    purge(db)
    assert list(kept(db).values()) == [10, 15, 5]
    db.execute("SELECT pgagent_py.alter_job(%s, keep_runs => 0)", [jobs[1]])
    db.execute("SELECT pgagent_py.alter_job(%s, keep_for => '0')", [jobs[2]])
    assert (
        value(
            db, "SELECT count(*) FROM pgagent_py.job_option WHERE num_nonnulls(jobkeepruns, jobkeepfor) > 0"
        )
        == 0
    )
    assert purge(db) == [0]


def test_the_last_run_and_a_run_in_progress_stay(db: Db) -> None:
    job = add_history(db, "a", 10)
    db.execute("UPDATE pgagent.pga_joblog SET jlgstart = now() - interval '1 year'")
    oldest = value(db, "UPDATE pgagent.pga_joblog SET jlgstatus = 'r' WHERE jlgid = 1 RETURNING jlgid")
    db.execute("SELECT pgagent_py.set_retention(keep_for => '1 day')")
    purge(db)
    rows = db.execute("SELECT jlgid FROM pgagent.pga_joblog WHERE jlgjobid = %s ORDER BY 1", [job]).fetchall()
    assert rows == [(oldest,), (10,)]


def test_small_batches_and_many_jobs(db: Db) -> None:
    add_history(db, "big", 5000)
    db.execute(
        "INSERT INTO pgagent.pga_job (jobjclid, jobname) SELECT 1, n::text FROM generate_series(1, 3000) n"
    )
    last = add_history(db, "last", 20)
    db.execute("SELECT pgagent_py.set_retention(keep_runs => 10)")
    deleted = purge(db)
    assert sum(deleted) == 4990 + 10
    assert 100 <= max(deleted) <= 500
    assert kept(db) == {1: 10, last: 10}


def test_each_batch_begins_where_the_last_one_ended(db: Db) -> None:
    """A look at the jobs before, in each call, would read five times as many rows."""
    db.execute(
        "INSERT INTO pgagent.pga_job (jobjclid, jobname) SELECT 1, 'job ' || g FROM generate_series(1, 3000) g"
    )
    db.execute(
        "INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus) SELECT j.jobid, 's' FROM pgagent.pga_job j, generate_series(1, 3)"
    )
    db.execute("SELECT pgagent_py.set_retention(keep_runs => 1)")
    read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relid = 'pgagent.pga_joblog'::regclass"
    wait_for_statistics(db)
    before = value(db, read)
    assert sum(purge(db)) == 6000
    wait_for_statistics(db)
    assert value(db, read) - before < 100_000
    assert set(kept(db).values()) == {1}


def test_a_part_of_the_jobs_at_a_time(db: Db) -> None:
    for n in range(10):
        add_history(db, f"job {n}", 3)
    db.execute("SELECT pgagent_py.set_retention(keep_runs => 1)")
    deleted = [value(db, "SELECT pgagent_py.purge_history(4)") for _ in range(4)]
    assert deleted == [8, 8, 4, 0]


def test_conditions_met_again_and_again_are_not_kept(db: Db) -> None:
    """The last one of each is, as long as there are the jobs: it starts the job that waits, and tells it what has ended."""
    first, second = (value(db, "SELECT pgagent_py.add_job(%s, sql => 'SELECT 1')", n) for n in ("a", "b"))
    waiting, dropped = (
        value(db, "SELECT pgagent_py.add_job(%s, sql => 'SELECT 1')", n) for n in ("waiting", "dropped")
    )
    for job in (waiting, dropped):
        for after in (first, second):
            db.execute("SELECT pgagent_py.add_dependency(%s, after => %s)", [job, after])
    for _ in range(3):
        db.execute("SELECT pgagent_py.run_now(%s)", [first])
        db.execute("SELECT * FROM pgagent_py.run_due()")
    db.execute("SELECT pgagent_py.drop_job(%s)", [dropped])
    purge(db)
    met = "SELECT jobid, jobafter, jlgid FROM pgagent_py.dependency_met"
    assert len(db.execute(met).fetchall()) > 1  # the history is one room, conditions are another
    assert value(db, "SELECT pgagent_py.upkeep()") == 0
    last = value(db, "SELECT max(jlgid) FROM pgagent.pga_joblog WHERE jlgjobid = %s", first)
    assert db.execute(met).fetchall() == [(waiting, first, last)]
    db.execute("SELECT pgagent_py.run_now(%s)", [second])
    for _ in range(2):
        db.execute("SELECT * FROM pgagent_py.run_due()")
    told = """
        SELECT t ->> 'run' FROM pgagent_py.run_option o JOIN pgagent.pga_joblog l USING (jlgid)
         CROSS JOIN jsonb_array_elements(o.jlgparameters -> 'triggered_by') t
         WHERE l.jlgjobid = %s AND (t ->> 'job')::int = %s"""
    assert db.execute(told, [waiting, first]).fetchall() == [(str(last),)]


def test_upkeep_purges_as_purge_history_does(db: Db) -> None:
    for n in range(10):
        add_history(db, f"job {n}", 3)
    db.execute("SELECT pgagent_py.set_retention(keep_runs => 1)")
    assert [value(db, "SELECT pgagent_py.upkeep(4)") for _ in range(2)] == [8, 8]
    assert value(db, "SELECT pgagent_py.upkeep()") == 4
    assert value(db, "SELECT pgagent_py.upkeep()") == 0


def test_messages_that_were_given_up_are_kept_for_a_week(db: Db) -> None:
    db.execute(
        "INSERT INTO pgagent_py.queued_message (qmsjobid, qmsjlgid, qmskind, qmstarget, qmsdata, qmscreated, qmsnotbefore)"
        " SELECT 1, n, 'email', 'a@b', '{}', now() - n * interval '1 day',"
        "        CASE WHEN n % 2 = 0 THEN now() + interval '1 hour' END FROM generate_series(1, 12) n"
    )
    db.execute("SELECT pgagent_py.purge_history()")
    assert value(db, "SELECT count(*) FROM pgagent_py.queued_message") == 12
    db.execute("SELECT pgagent_py.upkeep()")
    kept = db.execute("SELECT qmsjlgid FROM pgagent_py.queued_message ORDER BY qmsid").fetchall()
    assert [number for (number,) in kept] == [1, 2, 3, 4, 5, 6, 8, 10, 12]


def test_two_that_purge_do_not_wait_for_each_other(database: str, db: Db) -> None:
    add_history(db, "a", 100)
    db.execute("SELECT pgagent_py.set_retention(keep_runs => 10)")
    with psycopg.connect(database) as other:
        assert value(other, "SELECT pgagent_py.purge_history()") == 90
        db.execute("SET statement_timeout = '60 s'")
        assert value(db, "SELECT pgagent_py.purge_history()") == 0
        other.rollback()
    assert value(db, "SELECT pgagent_py.purge_history()") == 90


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("set_retention(keep_runs => -1)", "keep_runs can't be -1"),
        ("set_retention(keep_for => '-1 day')", "keep_for can't be -1 day"),
        ("alter_job(1, keep_runs => -1)", "keep_runs can't be -1"),
        ("alter_job(1, keep_for => '-1 day')", "keep_for can't be -1 day"),
    ],
)
def test_negative_limits_are_refused(db: Db, call: str, words: str) -> None:
    add_history(db, "a", 1)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=words):
        db.execute(f"SELECT pgagent_py.{call}".encode())


def test_strangers_may_neither_purge_nor_set_what_is_kept(db: Db) -> None:
    db.execute("CREATE ROLE retention_stranger")
    try:
        db.execute("SET ROLE retention_stranger")
        for call in ("purge_history()", "upkeep()", "set_retention(keep_runs => 1)", "set_notify_runs(true)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(f"SELECT pgagent_py.{call}".encode())
    finally:
        db.execute("RESET ROLE")
        db.execute("DROP ROLE retention_stranger")
