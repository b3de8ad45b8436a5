"""Several launchers and the C++ daemon serve one database: each due job runs once, on the host that it is meant for."""

import shutil
import socket
import subprocess
from pathlib import Path

from tests.conftest import StartLauncher
from tests.helpers import (
    Db,
    add_yearly_job,
    check_sound,
    make_due,
    serving,
    stop,
    value,
    wait_for,
    wait_for_end,
)
from tests.helpers.claims import claimed_twice, note_claims

JOBS = 1000


def test_each_of_a_thousand_due_jobs_is_claimed_once(
    database: str, db: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    """1,000 jobs are due at once, with three launchers and the daemon at work."""
    db.execute("CREATE TABLE effect (job integer)")
    note_claims(db)
    db.execute(
        "DO $$DECLARE j integer; BEGIN FOR n IN 1..1000 LOOP"
        " j := pgagent_py.add_job('job ' || n, cron => '0 0 1 1 *');"
        " PERFORM pgagent_py.add_step(j, 'step', sql => format('INSERT INTO effect VALUES (%s)', j));"
        " END LOOP; END$$"
    )
    daemon_program = shutil.which("pgagent", path="/usr/bin:/usr/local/bin")
    assert daemon_program
    with (tmp_path / "daemon.log").open("w") as log:
        daemon = subprocess.Popen(
            [daemon_program, "-f", "-t", "1", "-l", "2", database], stdout=log, stderr=log
        )
    try:
        wait_for(lambda: value(db, "SELECT count(*) FROM pgagent.pga_jobagent") == 1, what="the daemon")
        daemon_pid = value(db, "SELECT jagpid FROM pgagent.pga_jobagent")
        # A few for the daemon alone; what the launchers leave of the others it takes, too
        jobs = [row[0] for row in db.execute("SELECT jobid FROM pgagent.pga_job ORDER BY jobid").fetchall()]
        make_due(db, *jobs[:5])
        wait_for(lambda: value(db, "SELECT count(*) FROM claim") == 5, what="the daemon to take part")
        launchers = [serving(launcher("-l", "2", database)) for _ in range(3)]
        make_due(db, *jobs[5:])
        wait_for_end(db, *jobs)
    finally:
        daemon.kill()
        daemon.wait()
    assert claimed_twice(db) == []
    assert value(db, "SELECT count(*) FROM claim") == JOBS
    assert value(db, "SELECT count(*) FROM effect") == value(db, "SELECT count(DISTINCT job) FROM effect")
    # What became of each claim. The daemon connects once for every job that it sees due: it may leave itself no connection
    # for the steps of those that it then claims, and logs them as failed.
    fates = db.execute(
        "SELECT agent = %s, jlgstatus = 's' AND jslstatus = 's', effect.job IS NOT NULL, jsloutput, count(*) FROM claim"
        " LEFT JOIN (pgagent.pga_joblog JOIN pgagent.pga_jobsteplog ON jsljlgid = jlgid) ON jlgjobid = claim.job"
        " LEFT JOIN effect ON effect.job = claim.job GROUP BY 1, 2, 3, 4",
        [daemon_pid],
    ).fetchall()
    ours = [fate for fate in fates if not fate[0]]
    daemons = [fate for fate in fates if fate[0]]
    assert [fate[1:3] for fate in ours] == [(True, True)], fates
    for _, succeeded, happened, words, _ in daemons:
        assert succeeded == happened, fates
        assert succeeded or "Couldn't get a connection" in words, fates
    assert sum(fate[-1] for fate in ours + daemons) == JOBS, fates
    shares = db.execute("SELECT agent, count(*) FROM claim GROUP BY agent").fetchall()
    assert len(shares) == 4, shares
    for agent in launchers:
        stop(agent)
    check_sound(db)


def test_a_job_runs_on_its_host_only(database: str, db: Db, launcher: StartLauncher) -> None:
    """jobhostagent: a job runs on its host only."""
    agents = [serving(launcher("-l", "2", database))]
    agents.append(serving(launcher("-l", "2", "--host", "elsewhere.example", database)))
    jobs = {
        host: add_yearly_job(db, host, {"batch": r"tr '\0' ' ' < /proc/$PPID/cmdline"}, host=host)
        for host in (socket.gethostname(), "elsewhere.example", "nowhere.example")
    }
    make_due(db, *jobs.values())
    wait_for_end(db, *list(jobs.values())[:2])
    ran = db.execute(
        "SELECT jobname, jsloutput ~ 'elsewhere' FROM pgagent.pga_job JOIN pgagent.pga_joblog ON jlgjobid = jobid"
        " JOIN pgagent.pga_jobsteplog ON jsljlgid = jlgid ORDER BY jobid"
    ).fetchall()
    assert ran == [(socket.gethostname(), False), ("elsewhere.example", True)]
    for agent in agents:
        stop(agent)
