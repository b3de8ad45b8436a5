"""Launchers with labels; launchers that are drained."""

import signal
from pathlib import Path

import psycopg
import pytest

from tests.conftest import StartLauncher
from tests.helpers import (
    PATIENCE,
    Db,
    add_job,
    call,
    forms,
    rows,
    run_now,
    run_statuses,
    run_to_end,
    serving,
    stop,
    value,
    wait_for,
    wait_for_end,
    wait_for_row,
    wait_for_start,
)


def launcher_id(db: Db, host: str) -> str:
    """Return the id of the living launcher on a host."""
    return str(wait_for_row(db, "SELECT launcher FROM pgagent_py.launchers WHERE host = %s", host)[0])


def labelled(db: Db, *labels: str) -> int:
    """Return a job with these labels."""
    job = add_job(db, f"needs {labels}", "SELECT 1")
    call(db, "alter_job", job, labels=list(labels))
    return job


def waiting(db: Db, job: int) -> str | None:
    """Return why no launcher may take the job, which must say since when, too."""
    reason: str | None
    reason, since = rows(
        db, "SELECT no_launcher, no_launcher_since FROM pgagent_py.job_status WHERE jobid = %s", job
    )[0]
    assert (reason is None) == (since is None)
    return reason


def test_a_job_with_labels_runs_on_a_launcher_that_has_all_of_them(
    db: Db, database: str, launcher: StartLauncher
) -> None:
    both = labelled(db, "gpu", "dc=paris")
    similar = labelled(db, "gp")
    serving(launcher("-l2", "--host=one", "--label=gpu", "--label=GP", database))
    call(db, "run_now", both)
    call(db, "run_now", similar)
    run_to_end(db, add_job(db, "none", "SELECT 1"))
    assert run_statuses(db, both) == run_statuses(db, similar) == ""
    assert waiting(db, both) == "no living launcher that has label dc=paris, label gpu"
    two = serving(launcher("-l2", "--host=two", "--label=dc=paris", "--label=gpu", "--workers=3", database))
    wait_for_end(db, both)
    assert run_statuses(db, both) == "s"
    assert waiting(db, both) is None
    assert run_statuses(db, similar) == ""
    call(db, "alter_job", similar, late_after="0.1 s")
    call(db, "add_message", similar, "webhook", "http://127.0.0.1:9/", when="late")
    wait_for_row(db, "SELECT FROM pgagent_py.queued_message WHERE qmsjobid = %s", similar)
    shown = rows(db, "SELECT host, labels, places, free, draining FROM pgagent_py.launchers ORDER BY host")
    assert shown == [("one", ["GP", "gpu"], 32, 32, False), ("two", ["dc=paris", "gpu"], 3, 3, False)]
    stop(two)
    call(db, "alter_job", similar, labels=[])
    wait_for_end(db, similar)


def test_a_drained_launcher_finishes_its_steps_and_another_goes_on(
    db: Db, database: str, launcher: StartLauncher, tmp_path: Path
) -> None:
    """Whose step is open at the time; a run bound to the host waits for a launcher there."""
    go = tmp_path / "go"
    script = f"while [ ! -e {go} ]; do sleep 0.05; done"
    free, bound = add_job(db, "free", batch=script), add_job(db, "bound", batch=script, host="one")
    for job in (free, bound):
        call(db, "add_step", job, "second", batch="echo $PPID")
    one = serving(launcher("-l2", "--host=one", "--exit-when-drained", database))
    for job in (free, bound):
        call(db, "run_now", job)
    wait_for_start(db, free, bound)
    two = serving(launcher("-l2", "--host=two", database))
    one.signal(signal.SIGUSR1)
    wait_for_row(db, "SELECT 1 FROM pgagent_py.launchers WHERE host = 'one' AND draining")
    other = add_job(db, "other", "SELECT 1")
    assert run_to_end(db, other).status == "s"
    go.touch()
    wait_for_end(db, free)
    assert run_statuses(db, free) == "s"
    assert one.wait() == 0
    assert waiting(db, bound) == "no living launcher on host one"
    assert run_statuses(db, bound) == "r"
    third = serving(launcher("-l2", "--host=one", database))
    wait_for_end(db, bound)
    assert run_statuses(db, bound) == "s"
    for process in (two, third):
        stop(process)


def test_a_drained_launcher_ends_with_its_last_step(
    db: Db, database: str, launcher: StartLauncher, tmp_path: Path
) -> None:
    """It does not sleep until its next look, half a minute later."""
    go = tmp_path / "go"
    job = add_job(db, "job", batch=f"while [ ! -e {go} ]; do sleep 0.05; done")
    one = serving(launcher("-l2", "-t30", "--exit-when-drained", database))
    run_now(db, job)
    wait_for_start(db, job)
    one.signal(signal.SIGUSR1)
    one.wait_for_log("action=drain begins")
    go.touch()
    assert one.wait(timeout=15) == 0
    assert run_statuses(db, job) == "s"


def test_draining_from_sql_ends_with_undrain(db: Db, database: str, launcher: StartLauncher) -> None:
    one = serving(launcher("-l2", "--host=one", database))
    me = launcher_id(db, "one")
    call(db, "drain", me)
    one.wait_for_log("action=drain begins")
    job = add_job(db, "job", "SELECT 1")
    call(db, "run_now", job)
    wait_for(lambda: waiting(db, job), what="the job to wait")
    call(db, "undrain", me)
    wait_for_end(db, job)
    assert run_statuses(db, job) == "s"
    stop(one)


def test_only_some_may_drain(db: Db, database: str, launcher: StartLauncher) -> None:
    serving(launcher("-l2", "--host=one", database))
    me = launcher_id(db, "one")
    db.execute("SET ROLE pg_monitor")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="may not drain launchers"):
        call(db, "drain", me)
    db.execute("RESET ROLE")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="does not exist"):
        call(db, "drain", "00000000-0000-0000-0000-000000000000")


# Who had which job, from the turn that claimed it to the turn that booked it.
NOTE_SHARES = """
CREATE TABLE share (host text, jobid integer, running bigint, claimed timestamptz DEFAULT now(), booked timestamptz);
CREATE FUNCTION note_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Without those that have ended and can't be booked, as a session has them locked: for example one that wanted to
    -- claim them, too, and came late.
    INSERT INTO public.share (host, jobid, running)
    SELECT a.jagstation, NEW.jobid, (SELECT count(*) FROM pgagent.pga_job j WHERE j.jobagentid = a.jagpid)
                                    - (SELECT count(*) FROM pgagent_py.waiting_result w
                                         JOIN pgagent_py.agent g ON g.agent = w.agent WHERE g.jagpid = a.jagpid)
      FROM pgagent.pga_jobagent a WHERE a.jagpid = NEW.jobagentid;
    RETURN NULL;
END $$;
CREATE TRIGGER note_claim AFTER UPDATE ON pgagent.pga_job FOR EACH ROW
    WHEN (OLD.jobagentid IS NULL AND NEW.jobagentid IS NOT NULL) EXECUTE FUNCTION note_claim();
CREATE FUNCTION note_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.share SET booked = now() WHERE jobid = NEW.jobid;
    RETURN NULL;
END $$;
CREATE TRIGGER note_end AFTER UPDATE ON pgagent.pga_job FOR EACH ROW
    WHEN (OLD.jobagentid IS NOT NULL AND NEW.jobagentid IS NULL) EXECUTE FUNCTION note_end();
CREATE INDEX ON share (jobid)"""
# Of each launcher: how many jobs it has had, and at the same time; and how much of its places' time they took, from its first
# claim on, while there were due jobs.
SHARES = """
SELECT s.host::integer, count(*), max(s.running),
       extract(epoch FROM sum(least(coalesce(s.booked, e.at), e.at) - s.claimed))::float8
       / (s.host::integer * extract(epoch FROM max(e.at) - min(s.claimed))::float8)
  FROM share s CROSS JOIN (SELECT max(claimed) AS at FROM share) e GROUP BY 1"""


@forms(280, 10_000)
def test_places_are_shares(db: Db, database: str, launcher: StartLauncher, size: int) -> None:
    """Of many due jobs each launcher executes as many as it has places for, and claims no more than it can start.

    Whatever the load of the machine is, no place is empty while jobs are due.
    """
    db.execute(
        """
        SELECT pgagent_py.add_job('job ' || n, cron => '0 3 1 1 *', sql => 'SELECT pg_sleep(0.4)')
          FROM generate_series(1, %s) n""",
        [size],
    )
    db.execute(NOTE_SHARES)
    for places in (4, 8, 16):
        serving(launcher("-l2", f"--host={places}", f"--workers={places}", database))
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = now()")
    wait_for(
        lambda: value(db, "SELECT count(*) FROM share") == size, size * PATIENCE / 280, "the jobs", every=0.5
    )
    found = {places: row for places, *row in rows(db, SHARES)}
    print(found)
    assert sorted(found) == [4, 8, 16]
    for places, (count, most, taken) in found.items():
        assert most <= places
        assert abs(taken - 1) <= 0.1, found
        assert abs(count - size * places / 28) <= size * places / 28 * 0.1, found
