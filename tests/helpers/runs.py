"""Jobs at work: what the log says of their runs, the launchers that execute them, and what must hold in the end."""

import signal
from pathlib import Path
from typing import NamedTuple

import psutil

from .launcher import Launcher
from .sql import Db, call, rows, value
from .waiting import PATIENCE, wait_for, wait_for_row


class Run(NamedTuple):
    """A run that has ended."""

    id: int
    status: str


def run_to_end(db: Db, job: int, **options: object) -> Run:
    """Tell a job to run, with these options of run_now, and wait for a launcher to have run it."""
    last = value(db, "SELECT coalesce(max(jlgid), 0) FROM pgagent.pga_joblog")
    call(db, "run_now", job, **options)
    query = """
        SELECT jlgid, jlgstatus FROM pgagent.pga_joblog
         WHERE jlgid > %s AND jlgjobid = %s AND jlgstatus <> 'r' ORDER BY jlgid"""
    return Run(*wait_for_row(db, query, last, job))


def wait_for_start(db: Db, *jobs: int) -> None:
    """Wait until a step of each of the jobs is in progress."""
    for job in jobs:
        wait_for_row(
            db,
            "SELECT 1 FROM pgagent.pga_joblog JOIN pgagent.pga_jobsteplog ON jsljlgid = jlgid"
            " WHERE jlgjobid = %s AND jslstatus = 'r'",
            job,
        )


def wait_for_end(db: Db, *jobs: int) -> None:
    """Wait until none of the jobs is due or in progress."""
    wait_for(
        lambda: value(
            db,
            "SELECT NOT EXISTS (SELECT FROM pgagent.pga_job WHERE jobid = ANY (%s)"
            " AND (jobagentid IS NOT NULL OR jobnextrun <= now()))",
            list(jobs),
        ),
        5 * PATIENCE,
        "the end of the jobs",
    )


def statuses(db: Db, job: int) -> list[tuple[str, str]]:
    """Return the status of each run of a job, oldest first, with those of its steps, such as ("s", "ss")."""
    query = """
        SELECT jlgstatus::text, coalesce(string_agg(jslstatus, '' ORDER BY jslid), '') FROM pgagent.pga_joblog
          LEFT JOIN pgagent.pga_jobsteplog ON jsljlgid = jlgid WHERE jlgjobid = %s GROUP BY jlgid ORDER BY jlgid"""
    return [(run, steps) for run, steps in rows(db, query, job)]


def run_statuses(db: Db, job: int) -> str:
    """Return the statuses of a job's runs, oldest first, such as "fs"."""
    return "".join(run for run, _ in statuses(db, job))


def output(db: Db, job: int, step: int = 1) -> str:
    """Return what the log holds of a step's output in the latest run of a job, "" if it has not begun."""
    query = """
        SELECT coalesce((
            SELECT jsloutput FROM pgagent.pga_joblog JOIN pgagent.pga_jobsteplog ON jsljlgid = jlgid
              JOIN pgagent.pga_jobstep ON jstid = jsljstid
             WHERE jlgjobid = %s AND jstname = %s ORDER BY jlgid DESC, jslid DESC LIMIT 1), '')"""
    return str(value(db, query, job, str(step)))


def check_sound(db: Db) -> None:
    """Assert what must hold whenever nothing runs: nothing open, every job released, with the right next run."""
    assert value(db, "SELECT count(*) FROM pgagent.pga_joblog WHERE jlgstatus = 'r'") == 0
    assert value(db, "SELECT count(*) FROM pgagent.pga_jobsteplog WHERE jslstatus = 'r'") == 0
    assert value(db, "SELECT count(*) FROM pgagent.pga_job WHERE jobagentid IS NOT NULL") == 0
    assert value(db, "SELECT count(*) FROM pgagent_py.run") == 0
    wrong = db.execute(
        "SELECT jobid, jobnextrun, due FROM pgagent.pga_job"
        " LEFT JOIN LATERAL pgagent_py.next_runs(jobid, 1) due ON jobenabled WHERE due IS DISTINCT FROM jobnextrun"
    ).fetchall()
    assert wrong == []


def agents(db: Db) -> int:
    """Return how many agents are registered, in pgAgent's table and in ours alike."""
    # In one statement: one may register meanwhile
    row = db.execute(
        "SELECT (SELECT count(*) FROM pgagent_py.agent), (SELECT count(*) FROM pgagent.pga_jobagent)"
    ).fetchone()
    assert row
    assert row[0] == row[1]
    return int(row[0])


def serving(launcher: Launcher) -> Launcher:
    """Return the launcher, which logs everything (-l 2), once it is at work."""
    launcher.wait_for_log("action=serve")
    return launcher


def stop(launcher: Launcher, number: signal.Signals = signal.SIGTERM) -> None:
    """Tell it to stop, and see that it does so with status 0."""
    launcher.signal(number)
    assert launcher.wait() == 0, launcher.log_text()[-4000:]


def process_of(file: Path) -> psutil.Process:
    """Return the process whose id a script has written to a file."""
    text = wait_for(lambda: file.read_text().strip() if file.exists() else "", what=str(file))
    return psutil.Process(int(text))


def is_gone(process: psutil.Process) -> bool:
    """Return whether a process has ended."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


# Notes whether any of the processes in question was still alive when the end of a run that nobody executes was logged.
NOTE_CLOSING = """
CREATE TABLE watched (pid integer);
CREATE TABLE closing (alive boolean);
CREATE FUNCTION note_closing() RETURNS trigger LANGUAGE plpython3u AS $python$
from pathlib import Path

def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False

alive = any(is_alive(row["pid"]) for row in plpy.execute("SELECT pid FROM public.watched"))
plpy.execute(f"INSERT INTO public.closing VALUES ({alive})")
$python$;
CREATE TRIGGER note_closing AFTER UPDATE ON pgagent.pga_jobsteplog FOR EACH ROW
    WHEN (OLD.jslstatus = 'r' AND NEW.jslstatus = 'd') EXECUTE FUNCTION note_closing()"""


def watch_processes(db: Db, *processes: psutil.Process) -> None:
    """See to it that `alive_at_closing` knows about these processes."""
    db.execute(NOTE_CLOSING)
    for process in processes:
        db.execute("INSERT INTO watched VALUES (%s)", [process.pid])


def alive_at_closing(db: Db) -> list[bool]:
    """Return for each step that was closed as aborted whether one of the processes watched was alive at that moment."""
    return [alive for (alive,) in db.execute("SELECT alive FROM closing")]
